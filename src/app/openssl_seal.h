/* Secrets that the server has to read again (those of webhooks): sealed with a key of its settings,
 * AES-256-GCM, as text. Who has the store without the key has nothing. */
#ifndef SLUICE_APP_OPENSSL_SEAL_H
#define SLUICE_APP_OPENSSL_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SEAL_KEY_BYTES 32
#define SEAL_TEXT_MIN  16 /* characters of a key that is given as text */

struct seal_key {
    bool is_set;
    uint8_t bytes[SEAL_KEY_BYTES];
};

/* From a text: 64 hex digits are the key, anything else is hashed. ERR_INVALID: it is too short. */
int seal_key_of_text(struct seal_key *k, struct str text, struct errbuf *e);
/* From DIR/secret.key. When it is not there: with `make` it is made, for its owner only, else no
 * key is set. ERR_IO. */
int seal_key_of_folder(struct seal_key *k, const char *dir, bool make, struct errbuf *e);

/* "v1." and letters; `bound` is what it belongs to: it opens with the same alone. */
void seal_close(const struct seal_key *k, struct str secret, struct str bound, struct buf *out);
/* Appends the secret. ERR_CORRUPT: it was sealed with another key, or was changed. */
int seal_open(const struct seal_key *k, struct str sealed, struct str bound, struct buf *out,
              struct errbuf *e);

#endif
