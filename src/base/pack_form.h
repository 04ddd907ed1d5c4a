/* The two forms of base/pack.h, each by its library; for pack.c alone.
 *
 * write: 0: it does not fit into `room` bytes. read: whether it gives `n` bytes, and no more.
 */
#ifndef SLUICE_BASE_PACK_FORM_H
#define SLUICE_BASE_PACK_FORM_H

#include <stdbool.h>

#include "base/buf.h"

#define PACK_DICTIONARY_MAX 8191 /* bytes: what zlib_pack.c's window reaches */
extern const struct str pack_dictionary;

struct zlib_form;
struct zlib_form *zlib_form_create(void);
void zlib_form_destroy(struct zlib_form *f);
size_t zlib_form_write(struct zlib_form *f, struct str plain, char *out, size_t room);
bool zlib_form_read(struct str packed, char *plain, size_t n);

struct lz4_form;
struct lz4_form *lz4_form_create(void);
void lz4_form_destroy(struct lz4_form *f);
size_t lz4_form_write(struct lz4_form *f, struct str text, char *out, size_t room);
bool lz4_form_read(struct str packed, char *text, size_t n);

#endif
