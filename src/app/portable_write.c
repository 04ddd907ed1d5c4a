/* The rows of a session as JSON lines. */
#include <stdlib.h>
#include <string.h>

#include "app/portable_fields.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Checked JSON on one line: white space around it goes, and a line's end within, which can only
 * stand between its parts, becomes a space. */
static void write_json(struct buf *out, struct str text)
{
    struct str v = json_raw(json_root(text));
    size_t from = out->len;

    if (buf_append_str(out, v) < 0)
        return;
    for (char *p = out->data + from, *end = p + v.n; p < end; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
}

struct status_pair {
    struct str key;
    struct json value;
};

static int status_compare(const void *x, const void *y)
{
    const struct status_pair *a = x, *b = y;

    if (a->key.n != b->key.n)
        return a->key.n < b->key.n ? -1 : 1;
    return memcmp(a->key.p, b->key.p, a->key.n);
}

/* PostgreSQL keeps objects in an order of its own: shorter keys first. So do we, everywhere. */
static void write_statuses(struct buf *out, struct str text)
{
    struct json v = json_root(text.p ? text : STR("{}"));
    size_t n = json_length(v), i = 0;
    struct status_pair *pairs = mem_calloc(n + 1, sizeof(*pairs));
    struct json_iter it;

    for (json_iter_init(&it, v); i < n && json_iter_next(&it); i++)
        pairs[i] = (struct status_pair){it.key, it.value};
    qsort(pairs, n, sizeof(*pairs), status_compare);
    buf_append_char(out, '{');
    for (i = 0; i < n; i++) {
        buf_append_z(out, i ? ",\"" : "\"");
        buf_append_str(out, pairs[i].key);
        buf_append_z(out, "\":");
        buf_append_str(out, json_raw(pairs[i].value));
    }
    buf_append_char(out, '}');
    free(pairs);
}

/* Text that a JSON string can hold, or base64. */
static bool content_is_text(struct str s)
{
    return utf8_is_valid(s) && !memchr(s.p, 0, s.n);
}

static bool is_set(const struct field *f, const void *at)
{
    switch (f->kind) {
    case FIELD_ID:
        return !id_is_zero(*(const struct id *)at);
    case FIELD_TIME:
        return *(const int64_t *)at != 0;
    case FIELD_TEXT:
    case FIELD_JSON:
    case FIELD_STATUSES:
    case FIELD_CONTENT:
        return ((const struct str *)at)->p != NULL;
    case FIELD_INT:
    case FIELD_BOOL:
        return true;
    }
    return false;
}

static void write_value(struct buf *out, const struct field *f, const void *at)
{
    char text[ID_TEXT_BYTES + 1];
    struct str s;

    switch (f->kind) {
    case FIELD_ID:
        id_format(*(const struct id *)at, text);
        buf_printf(out, "\"%s\"", text);
        return;
    case FIELD_TIME:
        clock_format_rfc3339(*(const int64_t *)at, text);
        buf_printf(out, "\"%s\"", text);
        return;
    case FIELD_INT:
        buf_append_i64(out, *(const int64_t *)at);
        return;
    case FIELD_BOOL:
        buf_append_z(out, *(const bool *)at ? "true" : "false");
        return;
    case FIELD_JSON:
        s = *(const struct str *)at;
        write_json(out, s.p ? s : f->type == JSON_ARRAY ? STR("[]") : STR("null"));
        return;
    case FIELD_STATUSES:
        write_statuses(out, *(const struct str *)at);
        return;
    case FIELD_TEXT:
        s = *(const struct str *)at;
        json_write_string(out, s.p ? s : STR(""));
        return;
    case FIELD_CONTENT:
        s = *(const struct str *)at;
        if (content_is_text(s)) {
            json_write_string(out, s);
            return;
        }
        buf_append_char(out, '"');
        base64_append(out, s.p, s.n);
        buf_append_char(out, '"');
        return;
    }
}

void portable_write_row(struct buf *out, const char *word, const struct field *fields, size_t count,
                        const void *row)
{
    bool first = true;

    buf_printf(out, "{\"%s\":{", word);
    for (size_t i = 0; i < count; i++) {
        const struct field *f = &fields[i];
        const void *at = (const char *)row + f->at;
        if (f->optional && !is_set(f, at))
            continue;
        bool encoded = f->kind == FIELD_CONTENT && !content_is_text(*(const struct str *)at);
        buf_printf(out, "%s\"%s%s\":", first ? "" : ",", f->name, encoded ? "_base64" : "");
        write_value(out, f, at);
        first = false;
    }
    buf_append_z(out, "}}");
}

static int64_t write_events(struct buf *out, const struct session_whole *w)
{
    int64_t n = 0;

    for (const struct event_row *row = w->events; row; row = row->next) {
        for (struct str rest = row->frames; rest.n > 0; n++) {
            const char *end = memchr(rest.p, '\n', rest.n);
            size_t bytes = end ? (size_t)(end - rest.p) : rest.n;
            buf_append_z(out, "{\"event\":");
            buf_append(out, rest.p, bytes);
            buf_append_z(out, "}\n");
            rest.p += bytes + (end != NULL);
            rest.n -= bytes + (end != NULL);
        }
    }
    return n;
}

static int64_t write_section(struct buf *out, const struct session_whole *w,
                             const struct section *s)
{
    const struct portable_link *row =
        *(struct portable_link *const *)((const char *)w + s->list_at);
    int64_t n = 0;

    if (!s->fields)
        return write_events(out, w);
    for (; row; row = row->next, n++) {
        portable_write_row(out, s->word, s->fields, s->count, row);
        buf_append_char(out, '\n');
    }
    return n;
}

void portable_hash(struct str bytes, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[DIGEST_SHA256_BYTES];

    digest_sha256(bytes, hash);
    for (size_t i = 0; i < sizeof(hash); i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[64] = '\0';
}

int portable_write(const struct session_whole *w, struct buf *out, struct errbuf *e)
{
    int64_t counts[PORTABLE_SECTIONS];
    char id[ID_TEXT_BYTES + 1], hex[65];

    id_format(w->row.id, id);
    buf_printf(out, "{\"sluice_export\":%d,\"session_id\":\"%s\"}\n", PORTABLE_VERSION, id);
    portable_write_row(out, "session", portable_session_fields, portable_session_count, w);
    buf_append_char(out, '\n');
    portable_write_row(out, "definition", portable_definition_fields, portable_definition_count, w);
    buf_append_char(out, '\n');
    for (int i = 0; i < PORTABLE_SECTIONS; i++)
        counts[i] = write_section(out, w, &portable_sections[i]);
    if (!buf_error(out))
        portable_hash(buf_str(out), hex);
    buf_append_z(out, "{\"end\":{");
    for (int i = 0; i < PORTABLE_SECTIONS; i++)
        buf_printf(out, "\"%s\":%lld,", portable_sections[i].plural, (long long)counts[i]);
    buf_printf(out, "\"sha256\":\"%s\"}}\n", buf_error(out) ? "" : hex);
    if (buf_error(out))
        return err_set(e, ERR_TOO_LARGE, "the export has more than %zu bytes", out->max);
    return 0;
}
