/* Where one is in a value or a schema: kept on the stack while walking, written only in errors. */
#ifndef SLUICE_ENGINE_SCHEMA_PATH_H
#define SLUICE_ENGINE_SCHEMA_PATH_H

#include <stdarg.h>

#include "base/err.h"
#include "base/json.h"

struct schema_path {
    const struct schema_path *up; /* NULL: the top, "$" */
    struct str key;               /* raw, as in the text; p == NULL: index counts */
    size_t index;
};

static inline struct schema_path schema_path_key(const struct schema_path *up, struct str key)
{
    return (struct schema_path){up, key, 0};
}
static inline struct schema_path schema_path_index(const struct schema_path *up, size_t index)
{
    return (struct schema_path){up, STR_NULL, index};
}

/* Sets "$.a.b[2]: sentence" and returns ERR_INVALID. e may be NULL. */
__attribute__((format(printf, 3, 0))) int schema_path_fail(const struct schema_path *at,
                                                           struct errbuf *e, const char *fmt,
                                                           va_list ap);

/* The schema that a $ref names in the schema `root`, or JSON_ABSENT. */
struct json schema_resolve(struct json root, struct json ref);

#endif
