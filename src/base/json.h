/* JSON: a strict one-pass check, a zero-copy view of checked text, and a writer.
 *
 * Everything that a peer sends goes through json_check() first. After it, the text is known to be
 * one RFC 8259 value in valid UTF-8, with no duplicate keys, within depth and size; so the views
 * below walk it without allocating and without errors of their own. A view points into the
 * caller's text and lives as long as that.
 *
 * Trees that can be changed (deep merge) are in json_tree.h, over cJSON.
 */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 64
#define JSON_DEPTH_WRAP                                                                            \
    4 /* what wraps a checked value may be so much deeper, if it asks for it                       \
       */
#define JSON_BODY_MAX (10u << 20) /* default limit of a request body */
#define JSON_KEYS_MAX 100000      /* members of one object */

struct json_limits {
    size_t bytes_max;   /* 0: JSON_BODY_MAX */
    unsigned depth_max; /* 0: JSON_DEPTH_MAX */
};

/* Checks that text is exactly one JSON value (white space around it allowed): RFC 8259 grammar, no
 * BOM, valid UTF-8 (no overlongs, no surrogates), escaped surrogates in pairs only, no \u0000, no
 * duplicate keys in one object (compared after unescaping), numbers finite as a double and at most
 * 64 characters. One pass, no recursion on peer-controlled depth, O(n) (duplicates by hashing).
 * Returns 0; ERR_TOO_LARGE (size, depth); ERR_INVALID. `e` says what and at which byte. */
int json_check(struct str text, const struct json_limits *limits, struct errbuf *e);

enum json_type {
    JSON_NONE, /* no such member; the zero value */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};
const char *json_type_name(enum json_type t); /* "string" */

/* A value inside checked text: its exact bytes, no white space around. */
struct json {
    const char *p;
    size_t n;
};
#define JSON_ABSENT ((struct json){NULL, 0})

/* The value of a checked text. */
struct json json_root(struct str checked);
enum json_type json_type(struct json v);
static inline bool json_exists(struct json v)
{
    return v.p != NULL;
}
static inline struct str json_raw(struct json v)
{
    return (struct str){v.p, v.n};
}

/* The member `key` of an object, or JSON_ABSENT (also when v is no object). Linear. */
struct json json_get(struct json v, const char *key);
/* json_get, but a member that is null counts as absent. */
struct json json_get_set(struct json v, const char *key);
size_t json_length(struct json v); /* elements of an array, members of an object; else 0 */

/* Walks an array or object: json_iter_init; while (json_iter_next(&it)) { it.key, it.value }.
 * `key` is the raw key between its quotes (escapes kept; key_is() compares unescaped). */
struct json_iter {
    struct str key;
    struct json value;
    size_t index; /* of the current element */
    /* Private */
    const char *at, *end;
    bool object, started;
};
void json_iter_init(struct json_iter *it, struct json v);
bool json_iter_next(struct json_iter *it);
bool json_iter_key_is(const struct json_iter *it, const char *key);
int json_iter_key(const struct json_iter *it, struct buf *out); /* unescaped, appended */

/* Typed reads. They return false, and leave *out alone, when the value is of another type. */
bool json_bool(struct json v, bool *out);
bool json_double(struct json v, double *out);
bool json_i64(struct json v, int64_t *out); /* integers only (1.0 and 1e3 count), within range */
/* Appends the string's bytes, unescaped, UTF-8. */
bool json_string(struct json v, struct buf *out);
/* A heap copy, unescaped and 0-terminated (strings hold no NUL after json_check); NULL when v is no
 * string. free() it. */
char *json_strdup(struct json v);
bool json_string_eq(struct json v, const char *z);
/* Structural equality: numbers by value, objects regardless of order. */
bool json_eq(struct json a, struct json b);

/* Writer: straight into a buf, no state. Commas are the caller's, or use the struct below. */
int json_write_string(struct buf *b,
                      struct str utf8); /* quoted and escaped; invalid UTF-8 becomes U+FFFD */
int json_write_double(
    struct buf *b,
    double v); /* shortest that reads back; integers without a point; not finite: null */

/* Writer with commas: jw_init(&w, buf); jw_object(&w); jw_key(&w,"a"); jw_string(&w, s);
 * jw_end(&w); Errors stick in the buf. Nesting up to JSON_DEPTH_MAX. */
struct jw {
    struct buf *b;
    unsigned depth;
    bool need_comma;
    char close[JSON_DEPTH_MAX + 2];
};
void jw_init(struct jw *w, struct buf *b);
void jw_object(struct jw *w);
void jw_array(struct jw *w);
void jw_end(struct jw *w); /* closes the innermost object or array */
void jw_key(struct jw *w, const char *key);
void jw_key_str(struct jw *w, struct str key);
void jw_string(struct jw *w, struct str s);
void jw_stringz(struct jw *w, const char *z); /* NULL writes null */
void jw_i64(struct jw *w, int64_t v);
void jw_u64(struct jw *w, uint64_t v);
void jw_double(struct jw *w, double v);
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, struct str json_text); /* a checked value; empty writes null */
/* Key and value in one. */
void jw_kv_string(struct jw *w, const char *key, struct str s);
void jw_kv_stringz(struct jw *w, const char *key, const char *z);
void jw_kv_i64(struct jw *w, const char *key, int64_t v);
void jw_kv_u64(struct jw *w, const char *key, uint64_t v);
void jw_kv_double(struct jw *w, const char *key, double v);
void jw_kv_bool(struct jw *w, const char *key, bool v);
void jw_kv_raw(struct jw *w, const char *key, struct str json_text);
void jw_kv_time(struct jw *w, const char *key, int64_t ms); /* RFC 3339; 0 writes null */

#endif
