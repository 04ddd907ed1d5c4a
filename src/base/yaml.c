#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/json_scan.h"
#include "base/keyset.h"
#include "base/mem.h"

#define YAML_ANCHORS_MAX 1000 /* in one document: aliases look through them */

/* An anchored value that is complete: its JSON stands in the output, and an alias copies it. The
 * copies count against the output's limit, so expansion cannot explode. */
struct yaml_anchor {
    struct yaml_anchor *next;
    const char *name;
    size_t from, to; /* in the output */
};

struct yaml_level {
    bool is_mapping;
    bool expects_key;
    size_t mark;        /* of its keys */
    size_t from;        /* where its JSON begins */
    const char *anchor; /* or NULL */
};

struct yaml_reader {
    yaml_parser_t parser;
    struct errbuf *e;
    struct buf *out;
    struct jw jw;
    struct arena arena; /* keys and anchors */
    struct keyset keys;
    struct yaml_anchor *anchors;
    unsigned anchor_count;
    unsigned depth, depth_max;
    struct yaml_level levels[JSON_DEPTH_MAX];
};

static int yaml_fail(struct yaml_reader *r, const yaml_mark_t *at, const char *what)
{
    return err_set(r->e, ERR_INVALID, "invalid YAML at line %zu, column %zu: %s", at->line + 1,
                   at->column + 1, what);
}

static int yaml_fail_parser(struct yaml_reader *r)
{
    const char *problem = r->parser.problem ? r->parser.problem : "not valid";

    if (r->parser.error == YAML_MEMORY_ERROR)
        return err_set(r->e, ERR_NOMEM, "out of memory");
    return yaml_fail(r, &r->parser.problem_mark, problem);
}

/* The core tags that we know, by their short names; NULL: another one. */
static const char *yaml_core_tag(const yaml_char_t *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    static const char *const known[] = {"str", "null", "bool", "int", "float", "map", "seq"};
    const char *z = (const char *)tag;

    if (strncmp(z, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(z + sizeof(prefix) - 1, known[i]) == 0)
            return known[i];
    }
    return NULL;
}

static void yaml_define_anchor(struct yaml_reader *r, const char *name, size_t from)
{
    struct yaml_anchor *anchor = arena_alloc(&r->arena, sizeof(*anchor));

    *anchor = (struct yaml_anchor){r->anchors, name, from, r->out->len};
    r->anchors = anchor; /* the newest first: a name may be used again */
    r->anchor_count++;
}

static const char *yaml_anchor_name(struct yaml_reader *r, const yaml_char_t *anchor)
{
    return anchor ? arena_strdup(&r->arena, str_of((const char *)anchor)) : NULL;
}

/* Where the JSON of the next value will begin: after the comma, if there will be one. */
static size_t yaml_value_from(const struct yaml_reader *r)
{
    return r->out->len + r->jw.need_comma;
}

static bool yaml_at_key(const struct yaml_reader *r)
{
    return r->depth > 0 && r->levels[r->depth - 1].is_mapping &&
           r->levels[r->depth - 1].expects_key;
}

static void yaml_value_done(struct yaml_reader *r)
{
    if (r->depth > 0)
        r->levels[r->depth - 1].expects_key = true;
}

static int yaml_key(struct yaml_reader *r, const yaml_event_t *event)
{
    struct yaml_level *level = &r->levels[r->depth - 1];
    struct str key = {(const char *)event->data.scalar.value, event->data.scalar.length};

    if (str_eqz(key, "<<") && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return yaml_fail(r, &event->start_mark, "merge keys (<<) are not accepted");
    if (event->data.scalar.anchor)
        return yaml_fail(r, &event->start_mark, "an anchor on a key is not accepted");
    if (memchr(key.p, '\0', key.n))
        return yaml_fail(r, &event->start_mark, "a NUL character");
    key.p = arena_strdup(&r->arena, key);
    int rv = keyset_add(&r->keys, level->mark, key);
    if (rv == ERR_INVALID)
        return yaml_fail(r, &event->start_mark, "duplicate key");
    if (rv != 0)
        return err_set(r->e, rv, "mapping of more than %d keys at line %zu", JSON_KEYS_MAX,
                       event->start_mark.line + 1);
    jw_key_str(&r->jw, key);
    level->expects_key = false;
    return 0;
}

static bool yaml_is_number(struct str text, bool is_int)
{
    if (text.n == 0 || json_number_len(text.p, text.n) != text.n)
        return false;
    if (!is_int)
        return true;
    return !memchr(text.p, '.', text.n) && !memchr(text.p, 'e', text.n) &&
           !memchr(text.p, 'E', text.n);
}

/* What a scalar means: its raw JSON in *raw, or *raw empty for a string. */
static int yaml_resolve(struct yaml_reader *r, const yaml_event_t *event, struct str *raw)
{
    struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    const yaml_char_t *full_tag = event->data.scalar.tag;
    const char *tag = NULL;
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    *raw = STR_NULL;
    if (full_tag && strcmp((const char *)full_tag, "!") == 0)
        tag = "str";
    else if (full_tag && !(tag = yaml_core_tag(full_tag)))
        return yaml_fail(r, &event->start_mark, "unknown tag");
    if ((tag && strcmp(tag, "str") == 0) || (!tag && !is_plain))
        return 0;
    bool is_null = text.n == 0 || str_eqz(text, "~") || str_eqz(text, "null");
    bool is_bool = str_eqz(text, "true") || str_eqz(text, "false");
    bool is_number = yaml_is_number(text, tag && strcmp(tag, "int") == 0);
    if (is_number && (text.n > JSON_NUMBER_BYTES_MAX || !json_number_is_finite(text)))
        return yaml_fail(r, &event->start_mark, "number out of range");
    if (is_null && (!tag || strcmp(tag, "null") == 0))
        *raw = STR("null");
    else if (is_bool && (!tag || strcmp(tag, "bool") == 0))
        *raw = text;
    else if (is_number && (!tag || strcmp(tag, "int") == 0 || strcmp(tag, "float") == 0))
        *raw = text;
    else if (tag)
        return yaml_fail(r, &event->start_mark, "the value does not fit its tag");
    return 0;
}

static int yaml_scalar(struct yaml_reader *r, const yaml_event_t *event)
{
    struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    struct str raw;

    if (yaml_at_key(r))
        return yaml_key(r, event);
    int rv = yaml_resolve(r, event, &raw);
    if (rv != 0)
        return rv;
    if (memchr(text.p, '\0', text.n))
        return yaml_fail(r, &event->start_mark, "a NUL character");
    size_t from = yaml_value_from(r);
    if (raw.n > 0)
        jw_raw(&r->jw, raw);
    else
        jw_string(&r->jw, text);
    if (event->data.scalar.anchor)
        yaml_define_anchor(r, yaml_anchor_name(r, event->data.scalar.anchor), from);
    yaml_value_done(r);
    return 0;
}

static int yaml_alias(struct yaml_reader *r, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct yaml_anchor *anchor = r->anchors;

    if (yaml_at_key(r))
        return yaml_fail(r, &event->start_mark, "an alias as a key is not accepted");
    while (anchor && strcmp(anchor->name, name) != 0)
        anchor = anchor->next;
    if (!anchor)
        return yaml_fail(r, &event->start_mark, "alias without an anchor before it");
    size_t n = anchor->to - anchor->from;
    /* Room first: the bytes to copy stand in the very buffer that may move. */
    int rv = buf_reserve(r->out, n + 1);
    if (rv != 0)
        return rv;
    jw_raw(&r->jw, (struct str){r->out->data + anchor->from, n});
    yaml_value_done(r);
    return 0;
}

static int yaml_open(struct yaml_reader *r, const yaml_event_t *event, bool is_mapping)
{
    const yaml_char_t *tag =
        is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    const yaml_char_t *anchor =
        is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const char *core = tag ? yaml_core_tag(tag) : NULL;

    if (yaml_at_key(r))
        return yaml_fail(r, &event->start_mark, "a key must be a scalar");
    if (tag && !(core && strcmp(core, is_mapping ? "map" : "seq") == 0))
        return yaml_fail(r, &event->start_mark, "unknown tag");
    if (r->depth == r->depth_max)
        return err_set(r->e, ERR_TOO_LARGE, "YAML nested deeper than %u at line %zu", r->depth_max,
                       event->start_mark.line + 1);
    r->levels[r->depth++] = (struct yaml_level){
        .is_mapping = is_mapping,
        .expects_key = true,
        .mark = keyset_mark(&r->keys),
        .from = yaml_value_from(r),
        .anchor = yaml_anchor_name(r, anchor),
    };
    if (is_mapping)
        jw_object(&r->jw);
    else
        jw_array(&r->jw);
    return 0;
}

static void yaml_close(struct yaml_reader *r)
{
    const struct yaml_level *level = &r->levels[--r->depth];

    jw_end(&r->jw);
    keyset_drop(&r->keys, level->mark);
    if (level->anchor)
        yaml_define_anchor(r, level->anchor, level->from);
    yaml_value_done(r);
}

static int yaml_event(struct yaml_reader *r, const yaml_event_t *event, unsigned *documents)
{
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 0;
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1)
            return yaml_fail(r, &event->start_mark, "more than one document");
        return 0;
    case YAML_ALIAS_EVENT:
        return yaml_alias(r, event);
    case YAML_SCALAR_EVENT:
        return yaml_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return yaml_open(r, event, false);
    case YAML_MAPPING_START_EVENT:
        return yaml_open(r, event, true);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        yaml_close(r);
        return 0;
    }
    return 0;
}

static int yaml_read(struct yaml_reader *r)
{
    unsigned documents = 0;
    bool is_end = false;
    int rv = 0;

    while (rv == 0 && !is_end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return yaml_fail_parser(r);
        is_end = event.type == YAML_STREAM_END_EVENT;
        rv = yaml_event(r, &event, &documents);
        yaml_event_delete(&event);
        if (rv == 0)
            rv = buf_error(r->out);
        if (rv == 0 && r->anchor_count > YAML_ANCHORS_MAX)
            rv = err_set(r->e, ERR_TOO_LARGE, "YAML with more than %d anchors", YAML_ANCHORS_MAX);
    }
    if (rv == 0 && documents == 0)
        rv = err_set(r->e, ERR_INVALID, "invalid YAML: the text is empty");
    return rv;
}

int yaml_to_json(struct str yaml, const struct json_limits *limits, struct buf *out,
                 struct errbuf *e)
{
    size_t bytes_max = limits && limits->bytes_max ? limits->bytes_max : JSON_BODY_MAX;
    size_t before = out->len;
    struct buf json;

    if (yaml.n > bytes_max)
        return err_set(e, ERR_TOO_LARGE, "YAML of %zu bytes, over the limit of %zu", yaml.n,
                       bytes_max);
    struct yaml_reader *r = mem_zalloc(sizeof(*r));
    buf_init(&json, bytes_max);
    r->e = e;
    r->out = &json;
    r->depth_max = limits && limits->depth_max ? limits->depth_max : JSON_DEPTH_MAX;
    if (r->depth_max > JSON_DEPTH_MAX)
        r->depth_max = JSON_DEPTH_MAX;
    jw_init(&r->jw, &json);
    arena_init(&r->arena);
    keyset_init(&r->keys);
    int rv = ERR_NOMEM;
    if (yaml_parser_initialize(&r->parser)) {
        yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r->parser, (const unsigned char *)yaml.p, yaml.n);
        rv = yaml_read(r);
        yaml_parser_delete(&r->parser);
    }
    if (rv == ERR_TOO_LARGE && buf_error(&json))
        err_set(e, rv, "YAML expands to more than %zu bytes", bytes_max);
    /* What comes out is held to the same rules as JSON that comes in. */
    if (rv == 0)
        rv = json_check(buf_str(&json), limits, e);
    if (rv == 0)
        rv = buf_append_str(out, buf_str(&json));
    if (rv != 0)
        buf_truncate(out, before);
    keyset_deinit(&r->keys);
    arena_deinit(&r->arena);
    buf_deinit(&json);
    free(r);
    return rv;
}
