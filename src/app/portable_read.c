/* JSON lines of peers as the rows of a session. */
#include <limits.h>
#include <string.h>

#include "app/portable_fields.h"
#include "base/clock.h"

#define FRAMES_PER_ROW 500                /* events of one stored row, and their bytes, about */
#define NUMBER_MAX     (INT64_C(1) << 40) /* so that no sum of them overflows */
#define ROW_BYTES      (64u << 10)

struct reading {
    struct arena *a;
    struct errbuf *e;
    struct str text, rest; /* all of it; what was not read yet */
    struct str line;       /* without its end */
    int64_t number;        /* of the line, from 1 */
    struct buf scratch;    /* a line as we would write it; a string unescaped */
    char id[ID_TEXT_BYTES + 1];
    int64_t counts[PORTABLE_SECTIONS];
};

#define REFUSE(r, ...) return refuse(r, __VA_ARGS__)
static int refuse(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct reading *r, const char *fmt, ...)
{
    struct errbuf why;
    va_list ap;

    va_start(ap, fmt);
    err_vset(&why, ERR_INVALID, fmt, ap);
    va_end(ap);
    return err_set(r->e, ERR_INVALID, "line %lld: %s", (long long)r->number, why.text);
}

/* ---- lines ---- */

/* The next line, checked: one object with one member. 1: there is one; 0: no more. */
static int next_line(struct reading *r, struct json_iter *it)
{
    struct json_limits limits = {.bytes_max = PORTABLE_BYTES_MAX,
                                 .depth_max = JSON_DEPTH_MAX + JSON_DEPTH_WRAP};
    struct errbuf why;
    const char *end = memchr(r->rest.p, '\n', r->rest.n);

    if (r->rest.n == 0)
        return 0;
    r->number++;
    if (!end)
        REFUSE(r, "the file ends within it");
    r->line = (struct str){r->rest.p, (size_t)(end - r->rest.p)};
    r->rest.n -= r->line.n + 1;
    r->rest.p = end + 1;
    if (json_check(r->line, &limits, &why) < 0)
        REFUSE(r, "%s", why.text);
    json_iter_init(it, json_root(r->line));
    if (json_type(json_root(r->line)) != JSON_OBJECT || !json_iter_next(it))
        REFUSE(r, "an object was expected");
    return 1;
}

static bool line_is(const struct json_iter *it, const char *word)
{
    return str_eqz(it->key, word) && json_type(it->value) == JSON_OBJECT;
}

/* ---- values ---- */

static struct str read_kept(struct reading *r, struct str s)
{
    return (struct str){arena_strdup(r->a, s), s.n};
}

static int read_string(struct reading *r, const struct field *f, struct json v, struct str *out)
{
    if (json_type(v) != JSON_STRING)
        REFUSE(r, "%s: expected a string", f->name);
    buf_clear(&r->scratch);
    json_string(v, &r->scratch);
    *out = read_kept(r, (struct str){r->scratch.data ? r->scratch.data : "", r->scratch.len});
    return 0;
}

static int base64_digit(char c)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(letters, c) : NULL;

    return at ? (int)(at - letters) : -1;
}

static int read_base64(struct reading *r, const struct field *f, struct json v, struct str *out)
{
    struct str in;
    size_t n = 0;

    int status = read_string(r, f, v, &in);
    if (status < 0)
        return status;
    char *bytes = arena_alloc(r->a, in.n / 4 * 3 + 3);
    if (in.n % 4)
        REFUSE(r, "%s: no base64", f->name);
    for (size_t i = 0; i < in.n; i += 4) {
        uint32_t word = 0;
        size_t pads = i + 4 < in.n ? 0 : (size_t)(in.p[i + 3] == '=') + (in.p[i + 2] == '=');
        for (size_t k = 0; k < 4; k++) {
            int digit = k >= 4 - pads ? 0 : base64_digit(in.p[i + k]);
            if (digit < 0)
                REFUSE(r, "%s: no base64", f->name);
            word = word << 6 | (uint32_t)digit;
        }
        for (size_t k = 0; k < 3 - pads; k++)
            bytes[n++] = (char)(word >> (16 - 8 * k));
    }
    *out = (struct str){bytes, n};
    return 0;
}

static int read_json(struct reading *r, const struct field *f, struct json v, struct str *out)
{
    struct json_limits limits = {.bytes_max = PORTABLE_BYTES_MAX};
    enum json_type t = json_type(v);
    struct json_iter it;

    if (f->type != JSON_NONE && t != f->type)
        REFUSE(r, "%s: expected an %s", f->name, json_type_name(f->type));
    if (json_check(json_raw(v), &limits, NULL) < 0)
        REFUSE(r, "%s: nested too deep", f->name);
    if (f->kind == FIELD_STATUSES || strcmp(f->name, "tags") == 0)
        for (json_iter_init(&it, v); json_iter_next(&it);)
            if (json_type(it.value) != JSON_STRING)
                REFUSE(r, "%s: expected strings", f->name);
    *out = read_kept(r, json_raw(v));
    return 0;
}

static int read_time(struct reading *r, const struct field *f, struct json v, int64_t *out)
{
    if (json_type(v) != JSON_STRING || v.n != CLOCK_RFC3339_BYTES + 2 ||
        !clock_parse_rfc3339((struct str){v.p + 1, v.n - 2}, out) || *out < 0)
        REFUSE(r, "%s: expected a time as 2026-01-31T12:00:00.000Z", f->name);
    return 0;
}

static int read_value(struct reading *r, const struct field *f, struct json v, void *at)
{
    switch (f->kind) {
    case FIELD_ID:
        if (json_type(v) != JSON_STRING || !id_parse((struct str){v.p + 1, v.n - 2}, at))
            REFUSE(r, "%s: expected an id", f->name);
        return 0;
    case FIELD_TEXT:
    case FIELD_CONTENT:
        return read_string(r, f, v, at);
    case FIELD_STATUSES:
        if (json_type(v) != JSON_OBJECT)
            REFUSE(r, "%s: expected an object", f->name);
        return read_json(r, f, v, at);
    case FIELD_JSON:
        return read_json(r, f, v, at);
    case FIELD_INT:
        if (!json_i64(v, at) || *(int64_t *)at < f->min || *(int64_t *)at > NUMBER_MAX)
            REFUSE(r, "%s: expected a whole number from %lld", f->name, (long long)f->min);
        return 0;
    case FIELD_BOOL:
        if (!json_bool(v, at))
            REFUSE(r, "%s: expected true or false", f->name);
        return 0;
    case FIELD_TIME:
        return read_time(r, f, v, at);
    }
    return 0;
}

/* Members of a row, in their order; then the whole line must be what we would have written. */
static int read_row(struct reading *r, const char *word, struct json v, const struct field *fields,
                    size_t count, void *row)
{
    struct json_iter it;
    int status = 0;

    json_iter_init(&it, v);
    bool more = json_iter_next(&it);
    for (size_t i = 0; i < count && status == 0; i++) {
        const struct field *f = &fields[i];
        void *at = (char *)row + f->at;
        if (more && str_eqz(it.key, f->name)) {
            status = read_value(r, f, it.value, at);
        } else if (more && f->kind == FIELD_CONTENT && str_eqz(it.key, "content_base64")) {
            status = read_base64(r, f, it.value, at);
        } else if (f->optional) {
            continue;
        } else {
            REFUSE(r, "%s: missing, or not in its place", f->name);
        }
        more = json_iter_next(&it);
    }
    if (status < 0)
        return status;
    if (more)
        REFUSE(r, "\"%.*s\" is unknown, or not in its place", STR_FMT(it.key));
    buf_clear(&r->scratch);
    portable_write_row(&r->scratch, word, fields, count, row);
    if (!str_eq(buf_str(&r->scratch), r->line))
        REFUSE(r, "it is not as an export writes it");
    return 0;
}

/* ---- events ---- */

static bool word_is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '_')
            return false;
    return s.n > 0 && s.n <= 64;
}

/* A frame begins as the engine writes it; what follows is of the right kinds. */
static int read_frame(struct reading *r, struct json frame, int64_t *seq)
{
    static const char *const known[] = {"seq",     "session_id", "type", "timestamp",
                                        "node_id", "run_id",     "data"};
    struct json type = json_get(frame, "type"), at = json_get(frame, "timestamp");
    struct json_iter it;
    size_t place = 0;

    for (json_iter_init(&it, frame); json_iter_next(&it); place++) {
        while (place < 7 && !str_eqz(it.key, known[place]))
            place++;
        if (place >= 7 || (place < 6 && place > 0 && json_type(it.value) != JSON_STRING))
            REFUSE(r, "an event has no member \"%.*s\" there", STR_FMT(it.key));
    }
    if (!json_i64(json_get(frame, "seq"), seq) || *seq < 1 || *seq > NUMBER_MAX ||
        json_type(json_get(frame, "data")) != JSON_OBJECT || json_type(type) != JSON_STRING ||
        !word_is_plain((struct str){type.p + 1, type.n - 2}) || json_type(at) != JSON_STRING)
        REFUSE(r, "an event has seq, session_id, type, timestamp and data");
    buf_clear(&r->scratch);
    buf_printf(&r->scratch,
               "{\"seq\":%lld,\"session_id\":\"%s\",\"type\":%.*s,\"timestamp\":", (long long)*seq,
               r->id, (int)type.n, type.p);
    if (frame.n < r->scratch.len || memcmp(frame.p, r->scratch.data, r->scratch.len) != 0)
        REFUSE(r, "an event of this session does not begin so");
    return 0;
}

/* The frames of one stored row, and the row. */
struct frames {
    struct event_row **tail;
    struct buf text;
    int64_t first, last;
};

static void frames_end(struct reading *r, struct frames *f)
{
    if (f->text.len == 0)
        return;
    struct event_row *row = arena_alloc(r->a, sizeof(*row));
    *row = (struct event_row){NULL, f->first, f->last, read_kept(r, buf_str(&f->text))};
    *f->tail = row;
    f->tail = &row->next;
    buf_clear(&f->text);
}

static int read_event(struct reading *r, struct frames *f, struct json frame)
{
    struct str wrapped = {"{\"event\":", 9};
    int64_t seq = 0;

    int status = read_frame(r, frame, &seq);
    if (status < 0)
        return status;
    if (r->line.n != wrapped.n + frame.n + 1 || memcmp(r->line.p, wrapped.p, wrapped.n) != 0)
        REFUSE(r, "it is not as an export writes it");
    if (seq <= f->last)
        REFUSE(r, "events ascend: %lld comes after %lld", (long long)seq, (long long)f->last);
    if (seq != f->last + 1 || seq - f->first >= FRAMES_PER_ROW || f->text.len >= ROW_BYTES)
        frames_end(r, f);
    if (f->text.len == 0)
        f->first = seq;
    else
        buf_append_char(&f->text, '\n');
    buf_append_str(&f->text, json_raw(frame));
    f->last = seq;
    return buf_error(&f->text) ? refuse(r, "too large") : 0;
}

/* ---- the file ---- */

static int read_list_row(struct reading *r, const struct section *s, struct json v,
                         struct portable_link ***tail, struct portable_link **last)
{
    struct portable_link *row = arena_alloc(r->a, s->row_bytes);

    memset(row, 0, s->row_bytes);
    int status = read_row(r, s->word, v, s->fields, s->count, row);
    if (status < 0)
        return status;
    if (*last && s->compare(*last, row) >= 0)
        REFUSE(r, "it is not in its place among the %s, or there twice", s->plural);
    **tail = *last = row;
    *tail = &row->next;
    return 0;
}

/* All lines of a section, from the one that `it` stands on; the next one is read then. */
static int read_section(struct reading *r, struct session_whole *w, int n, struct json_iter *it,
                        int *more)
{
    const struct section *s = &portable_sections[n];
    struct portable_link **tail = (struct portable_link **)((char *)w + s->list_at), *last = NULL;
    struct frames frames = {.tail = &w->events};
    int status = 0;

    buf_init(&frames.text, PORTABLE_BYTES_MAX);
    while (status == 0 && *more > 0 && line_is(it, s->word)) {
        status = s->fields ? read_list_row(r, s, it->value, &tail, &last)
                           : read_event(r, &frames, it->value);
        r->counts[n]++;
        if (status == 0)
            *more = next_line(r, it);
    }
    if (!s->fields)
        frames_end(r, &frames);
    buf_deinit(&frames.text);
    return status < 0 ? status : *more < 0 ? *more : 0;
}

static int read_head(struct reading *r, struct session_whole *w, struct json_iter *it)
{
    int64_t number = 0;

    *it = (struct json_iter){.index = 0};
    int more = next_line(r, it);
    if (more < 0)
        return more;
    if (!more || !str_eqz(it->key, "sluice_export") || !json_i64(it->value, &number))
        REFUSE(r, "this is no export of a session");
    if (number != PORTABLE_VERSION)
        REFUSE(r, "exports of version %lld are not known here", (long long)number);
    struct str head = r->line;
    more = next_line(r, it);
    if (more <= 0 || !line_is(it, "session"))
        return more < 0 ? more : refuse(r, "the session was expected");
    int status =
        read_row(r, "session", it->value, portable_session_fields, portable_session_count, w);
    if (status < 0)
        return status;
    if (id_is_zero(w->row.id))
        REFUSE(r, "the session has no id");
    id_format(w->row.id, r->id);
    buf_clear(&r->scratch);
    buf_printf(&r->scratch, "{\"sluice_export\":%d,\"session_id\":\"%s\"}", PORTABLE_VERSION,
               r->id);
    if (!str_eq(buf_str(&r->scratch), head))
        REFUSE(r, "the first line names another session, or is not as an export writes it");
    more = next_line(r, it);
    if (more <= 0 || !line_is(it, "definition"))
        return more < 0 ? more : refuse(r, "the definition was expected");
    return read_row(r, "definition", it->value, portable_definition_fields,
                    portable_definition_count, w);
}

static int read_end(struct reading *r, const struct json_iter *it)
{
    struct str before = {r->text.p, (size_t)(r->line.p - r->text.p)};
    char hex[65];

    if (!line_is(it, "end"))
        REFUSE(r, "\"%.*s\" is unknown, or not in its place", STR_FMT(it->key));
    portable_hash(before, hex);
    buf_clear(&r->scratch);
    buf_append_z(&r->scratch, "{\"end\":{");
    for (int i = 0; i < PORTABLE_SECTIONS; i++)
        buf_printf(&r->scratch, "\"%s\":%lld,", portable_sections[i].plural,
                   (long long)r->counts[i]);
    buf_printf(&r->scratch, "\"sha256\":\"%s\"}}", hex);
    if (!str_eq(buf_str(&r->scratch), r->line))
        REFUSE(r, "its counts or its SHA-256 do not fit what came before: the file was changed");
    if (r->rest.n)
        REFUSE(r, "something follows the end");
    return 0;
}

static int read_file(struct reading *r, struct session_whole *w)
{
    struct json_iter it;

    int status = read_head(r, w, &it);
    if (status < 0)
        return status;
    int more = next_line(r, &it);
    for (int i = 0; i < PORTABLE_SECTIONS && status == 0 && more > 0; i++)
        status = read_section(r, w, i, &it, &more);
    if (status < 0 || more < 0)
        return status < 0 ? status : more;
    return more ? read_end(r, &it) : refuse(r, "the file ends without its last line");
}

int portable_read(struct str text, struct arena *a, struct session_whole *out, struct errbuf *e)
{
    struct reading r = {.a = a, .e = e, .text = text, .rest = text};

    *out = (struct session_whole){.folded_seq = 0};
    if (text.n > PORTABLE_BYTES_MAX)
        return err_set(e, ERR_TOO_LARGE, "the export has more than %u bytes", PORTABLE_BYTES_MAX);
    buf_init(&r.scratch, 2 * (size_t)PORTABLE_BYTES_MAX);
    int status = read_file(&r, out);
    buf_deinit(&r.scratch);
    return status;
}
