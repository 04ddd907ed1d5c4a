/* Reading an object's fields by a table. Only for parsers in net. */
#ifndef SLUICE_NET_WIRE_FIELDS_H
#define SLUICE_NET_WIRE_FIELDS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"

enum wire_type {
    WIRE_SKIP,   /* known, read elsewhere */
    WIRE_TEXT,   /* string of at most max bytes -> struct str */
    WIRE_NAME,   /* name_is_valid() -> struct str */
    WIRE_UUID,   /* -> struct id */
    WIRE_BOOL,   /* -> bool */
    WIRE_NUMBER, /* integer, 0 to max -> int64_t */
    WIRE_OBJECT, /* object, its text -> struct str */
    WIRE_ANY,    /* any value, its text -> struct str */
    WIRE_CHECK,  /* as `check` says, its text -> struct str */
    WIRE_WORD,   /* one of `words` (joined by '|') -> bool: is it the second? */
};

struct wire_field {
    const char *key;
    enum wire_type type;
    size_t offset; /* of what it goes into */
    size_t max;
    const char *words;
    int (*check)(const char *key, struct json v, struct errbuf *e);
    bool required;
};

/* Reads the members of `object` (absent: {}) into `into`. A member that is null counts as absent.
 * ERR_INVALID: not an object, an unknown or ill-typed member, a required one missing. */
int wire_read(struct json object, const struct wire_field *fields, size_t count, void *into,
              struct arena *arena, struct errbuf *e);
/* The string without its escapes: in place, or in the arena. */
struct str wire_string(struct json v, struct arena *arena);

#endif
