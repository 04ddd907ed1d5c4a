#include "base/sse.h"

#include <string.h>

#include "base/err.h"

void sse_init(struct sse *s, size_t bytes_max)
{
    memset(s, 0, sizeof(*s));
    s->bytes_max = bytes_max ? bytes_max : SSE_EVENT_BYTES_MAX;
    buf_init(&s->line, s->bytes_max);
    buf_init(&s->data, s->bytes_max);
    buf_init(&s->name, s->bytes_max);
}

void sse_deinit(struct sse *s)
{
    buf_deinit(&s->line);
    buf_deinit(&s->data);
    buf_deinit(&s->name);
}

static void sse_event_clear(struct sse *s)
{
    s->has_data = false;
    s->is_given = false;
    s->slice = STR_NULL;
    buf_clear(&s->data);
    buf_clear(&s->name);
}

void sse_reset(struct sse *s)
{
    sse_event_clear(s);
    buf_clear(&s->line);
    s->after_cr = false;
    s->after_start = false;
}

/* One loop over the bytes and not two memchr() calls: those would look at the same bytes again and
 * again in a stream that has only one of the two line ends. */
static size_t sse_line_length(struct str in)
{
    size_t i = 0;
    while (i < in.n && in.p[i] != '\n' && in.p[i] != '\r')
        i++;
    return i;
}

/* 1: *line is whole, in the caller's bytes or, when it was cut, in s->line. 0: more bytes. */
static int sse_line_next(struct sse *s, struct str *in, struct str *line)
{
    if (s->after_cr && in->n) {
        s->after_cr = false;
        if (in->p[0] == '\n') {
            in->p++;
            in->n--;
        }
    }
    size_t n = sse_line_length(*in);
    struct str part = {in->p, n};
    bool is_whole = n < in->n;
    if (is_whole)
        s->after_cr = in->p[n] == '\r';
    in->p += n + is_whole;
    in->n -= n + is_whole;
    if (is_whole && s->line.len == 0) {
        *line = part;
        return n <= s->bytes_max ? 1 : ERR_TOO_LARGE;
    }
    int rc = n ? buf_append_str(&s->line, part) : 0;
    *line = buf_str(&s->line);
    return rc ? rc : is_whole;
}

/* The data so far, moved to where it stays when the caller's bytes go. */
static int sse_data_keep(struct sse *s)
{
    if (!s->slice.p)
        return 0;
    struct str slice = s->slice;
    s->slice = STR_NULL;
    return buf_append_str(&s->data, slice);
}

static int sse_data_add(struct sse *s, struct str value, bool is_stable)
{
    if (!s->has_data) {
        s->has_data = true;
        if (is_stable) {
            s->slice = value;
            return 0;
        }
        return buf_append_str(&s->data, value);
    }
    int rc = sse_data_keep(s);
    if (!rc)
        rc = buf_append_char(&s->data, '\n');
    return rc ? rc : buf_append_str(&s->data, value);
}

/* is_stable: the line lies in the caller's bytes. */
static int sse_field(struct sse *s, struct str line, bool is_stable)
{
    const char *colon = memchr(line.p, ':', line.n);
    struct str name = line, value = {line.p + line.n, 0};
    if (colon) {
        name.n = (size_t)(colon - line.p);
        value.p = colon + 1;
        value.n = line.n - name.n - 1;
        if (value.n && value.p[0] == ' ') {
            value.p++;
            value.n--;
        }
    }
    if (str_eqz(name, "data"))
        return sse_data_add(s, value, is_stable);
    if (str_eqz(name, "event")) {
        buf_clear(&s->name);
        return buf_append_str(&s->name, value);
    }
    return 0;
}

static void sse_give(struct sse *s, struct sse_event *ev)
{
    ev->name = buf_str(&s->name);
    ev->data = s->slice.p ? s->slice : buf_str(&s->data);
    s->is_given = true;
}

static void sse_mark_skip(struct sse *s, struct str *line)
{
    if (!s->after_start && line->n >= 3 && memcmp(line->p, "\xEF\xBB\xBF", 3) == 0) {
        line->p += 3;
        line->n -= 3;
    }
    s->after_start = true;
}

int sse_next(struct sse *s, struct str *in, struct sse_event *ev)
{
    if (s->is_given)
        sse_event_clear(s);
    for (;;) {
        struct str line;
        int rc = sse_line_next(s, in, &line);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return sse_data_keep(s);
        bool is_stable = s->line.len == 0;
        sse_mark_skip(s, &line);
        bool is_end = line.n == 0;
        rc = is_end ? 0 : sse_field(s, line, is_stable);
        buf_clear(&s->line);
        if (rc < 0)
            return rc;
        if (is_end && s->has_data) {
            sse_give(s, ev);
            return 1;
        }
        if (is_end)
            sse_event_clear(s);
    }
}

bool sse_is_between(const struct sse *s)
{
    bool has_event = !s->is_given && (s->has_data || s->name.len > 0);
    return s->after_start && !s->after_cr && s->line.len == 0 && !has_event;
}

int sse_end(struct sse *s, struct sse_event *ev)
{
    if (s->is_given)
        sse_event_clear(s);
    struct str line = buf_str(&s->line);
    if (line.n) {
        sse_mark_skip(s, &line);
        int rc = sse_field(s, line, false);
        buf_clear(&s->line);
        if (rc < 0)
            return 0;
    }
    if (!s->has_data)
        return 0;
    sse_give(s, ev);
    return 1;
}
