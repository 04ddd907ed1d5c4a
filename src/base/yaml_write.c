#include "base/yaml_write.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"

#define YAML_WIDTH      100
#define YAML_FOLD_BYTES 80 /* a line longer than this is folded */
#define YAML_FLOW_BYTES 72 /* a list of scalars up to this stands in brackets */

struct yaml_level {
    struct json_iter it;
    bool is_object;
};

struct yaml_writer {
    yaml_emitter_t emitter;
    struct buf *out;
    struct buf text; /* of the scalar being written */
    bool careful;    /* everything in double quotes */
    unsigned depth;
    struct yaml_level levels[JSON_DEPTH_MAX + 1];
};

static int yaml_wrote(void *data, unsigned char *p, size_t n)
{
    return buf_append(data, (const char *)p, n) == 0;
}

static bool emit(struct yaml_writer *w, int built, yaml_event_t *event)
{
    return built && yaml_emitter_emit(&w->emitter, event);
}

/* ---- scalars ---- */

/* Would somebody's YAML take it for a number, a truth value, a date, nothing? */
static bool reads_as_other(struct str s)
{
    static const char *const words[] = {"y", "n", "yes", "no",    "on",   "off",  "true",  "null",
                                        "~", "=", "<<",  "false", ".inf", ".nan", "-.inf", "+.inf"};
    const char *p = s.p, *end = s.p + s.n;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == s.n && strncasecmp(words[i], s.p, s.n) == 0)
            return true;
    while (p < end && (*p == '+' || *p == '-' || *p == '.'))
        p++;
    return p < end && *p >= '0' && *p <= '9';
}

static yaml_scalar_style_t text_style(const struct yaml_writer *w, struct str s, bool is_key)
{
    if (w->careful)
        return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    if (s.n == 0 || reads_as_other(s))
        return YAML_SINGLE_QUOTED_SCALAR_STYLE;
    if (is_key)
        return YAML_PLAIN_SCALAR_STYLE;
    if (memchr(s.p, '\n', s.n))
        return YAML_LITERAL_SCALAR_STYLE;
    return s.n > YAML_FOLD_BYTES ? YAML_FOLDED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
}

static bool emit_scalar(struct yaml_writer *w, struct str s, yaml_scalar_style_t style)
{
    yaml_event_t event;
    const char *p = s.n ? s.p : "";
    return emit(w,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)p, (int)s.n,
                                             1, 1, style),
                &event);
}

static bool emit_key(struct yaml_writer *w, const struct json_iter *it)
{
    buf_clear(&w->text);
    json_iter_key(it, &w->text);
    return emit_scalar(w, buf_str(&w->text), text_style(w, buf_str(&w->text), true));
}

static bool emit_value(struct yaml_writer *w, struct json v)
{
    if (json_type(v) != JSON_STRING)
        return emit_scalar(w, json_raw(v), YAML_PLAIN_SCALAR_STYLE);
    buf_clear(&w->text);
    json_string(v, &w->text);
    return emit_scalar(w, buf_str(&w->text), text_style(w, buf_str(&w->text), false));
}

/* ---- the walk ---- */

/* By what the texts are, not by how they were escaped: what is read back must look the same. */
static bool is_short_list(struct yaml_writer *w, struct json v)
{
    struct json_iter it;
    size_t bytes = 0;
    json_iter_init(&it, v);
    while (json_iter_next(&it) && bytes <= YAML_FLOW_BYTES) {
        enum json_type t = json_type(it.value);
        if (t == JSON_OBJECT || t == JSON_ARRAY)
            return false;
        buf_clear(&w->text);
        if (t == JSON_STRING)
            json_string(it.value, &w->text);
        bytes += 4 + (t == JSON_STRING ? w->text.len : it.value.n);
    }
    return bytes <= YAML_FLOW_BYTES;
}

static bool emit_open(struct yaml_writer *w, struct json v)
{
    struct yaml_level *l = &w->levels[w->depth++];
    yaml_event_t event;
    json_iter_init(&l->it, v);
    l->is_object = json_type(v) == JSON_OBJECT;
    if (l->is_object)
        return emit(
            w, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE),
            &event);
    return emit(w,
                yaml_sequence_start_event_initialize(
                    &event, NULL, NULL, 1,
                    is_short_list(w, v) ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE),
                &event);
}

static bool emit_any(struct yaml_writer *w, struct json v)
{
    enum json_type t = json_type(v);
    if ((t == JSON_OBJECT || t == JSON_ARRAY) && w->depth <= JSON_DEPTH_MAX)
        return emit_open(w, v);
    return emit_value(w, v);
}

static bool emit_next(struct yaml_writer *w)
{
    struct yaml_level *l = &w->levels[w->depth - 1];
    yaml_event_t event;
    if (!json_iter_next(&l->it)) {
        w->depth--;
        return emit(w,
                    l->is_object ? yaml_mapping_end_event_initialize(&event)
                                 : yaml_sequence_end_event_initialize(&event),
                    &event);
    }
    return (!l->is_object || emit_key(w, &l->it)) && emit_any(w, l->it.value);
}

static bool emit_document(struct yaml_writer *w, struct json root)
{
    yaml_event_t event;
    if (!emit(w, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event) ||
        !emit(w, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event) ||
        !emit_any(w, root))
        return false;
    while (w->depth)
        if (!emit_next(w))
            return false;
    return emit(w, yaml_document_end_event_initialize(&event, 1), &event) &&
           emit(w, yaml_stream_end_event_initialize(&event), &event) &&
           yaml_emitter_flush(&w->emitter);
}

static int yaml_write(struct str json, bool careful, struct buf *out)
{
    struct yaml_writer *w = mem_zalloc(sizeof(*w));
    int rv = ERR_NOMEM;
    w->out = out;
    w->careful = careful;
    buf_init(&w->text, json.n + 1);
    if (yaml_emitter_initialize(&w->emitter)) {
        yaml_emitter_set_output(&w->emitter, yaml_wrote, out);
        yaml_emitter_set_unicode(&w->emitter, 1);
        yaml_emitter_set_width(&w->emitter, YAML_WIDTH);
        bool done = emit_document(w, json_root(json));
        rv = buf_error(out) ? buf_error(out) : done ? 0 : ERR_NOMEM;
        yaml_emitter_delete(&w->emitter);
    }
    buf_deinit(&w->text);
    free(w);
    return rv;
}

/* The library folds and indents by rules of its own; what it made of the text is looked at. */
static bool reads_back(struct str yaml, struct str json)
{
    const struct json_limits limits = {.bytes_max = yaml.n > json.n ? yaml.n * 2 : json.n * 2};
    struct buf again;
    buf_init(&again, limits.bytes_max);
    bool same = yaml_to_json(yaml, &limits, &again, NULL) == 0 &&
                json_eq(json_root(buf_str(&again)), json_root(json));
    buf_deinit(&again);
    return same;
}

int json_to_yaml(struct str json, struct buf *out, struct errbuf *e)
{
    size_t before = out->len;
    int rv = 0;
    for (int careful = 0; careful < 2; careful++) {
        buf_truncate(out, before);
        rv = yaml_write(json, careful, out);
        if (rv)
            break;
        if (reads_back((struct str){out->data + before, out->len - before}, json))
            return 0;
        rv = ERR_INTERNAL;
    }
    buf_truncate(out, before);
    return err_set(e, rv,
                   rv == ERR_TOO_LARGE ? "YAML larger than allowed"
                                       : "the value cannot be written as YAML");
}
