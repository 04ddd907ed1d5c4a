/* How the rows of an export are written: one table for both directions. */
#ifndef SLUICE_APP_PORTABLE_FIELDS_H
#define SLUICE_APP_PORTABLE_FIELDS_H

#include "app/portable.h"
#include "base/json.h"

enum field_kind {
    FIELD_ID,
    FIELD_TEXT,
    FIELD_JSON,     /* of the type that stands beside it; JSON_NONE: any */
    FIELD_STATUSES, /* an object of strings, in an order of ours: stores keep none */
    FIELD_INT,
    FIELD_BOOL,
    FIELD_TIME,
    FIELD_CONTENT, /* text, or base64 under a name of its own */
};
struct field {
    const char *name;
    enum field_kind kind;
    size_t at;
    bool optional; /* left out when it is NULL, zero or 0 */
    enum json_type type;
    int64_t min; /* of FIELD_INT */
};

struct portable_link { /* every row begins so */
    struct portable_link *next;
};
struct section {
    const char *word, *plural;
    const struct field *fields;
    size_t count;
    size_t row_bytes, list_at; /* in struct session_whole */
    int (*compare)(const void *a, const void *b);
};
extern const struct field portable_session_fields[], portable_definition_fields[];
extern const size_t portable_session_count, portable_definition_count;
/* In the order of the file; the first one is that of the events, which has no fields. */
#define PORTABLE_SECTIONS 10
extern const struct section portable_sections[PORTABLE_SECTIONS];

/* Appends `"name":{…}` without the braces of the line. */
void portable_write_row(struct buf *out, const char *word, const struct field *fields, size_t count,
                        const void *row);
/* SHA-256, in hex. */
void portable_hash(struct str bytes, char out[65]);

#endif
