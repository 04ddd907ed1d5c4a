#include "llm/reader.h"

#include <string.h>

#include "base/json_scan.h"
#include "base/utf8.h"

void reader_init(struct llm_reader *r, const struct dialect *dialect, size_t bytes_max)
{
    r->dialect = dialect;
    sse_init(&r->sse, bytes_max);
    decoder_init(&r->decoder);
    buf_init(&r->shape, READER_SHAPE_BYTES_MAX);
    r->text_at = 0;
    r->is_thinking = false;
}

void reader_deinit(struct llm_reader *r)
{
    sse_deinit(&r->sse);
    decoder_deinit(&r->decoder);
    buf_deinit(&r->shape);
}

/* The inside of a JSON string that begins at p and needs no unescaping, up to its quote. False: it
 * is another one, or is cut. */
static bool plain_string(const char *p, size_t n, struct str *out)
{
    size_t at = 0;
    bool is_ascii = true;
    for (;;) {
        at += json_scan_plain(p + at, n - at);
        if (at == n || (unsigned char)p[at] < 0x80)
            break;
        is_ascii = false;
        at++;
    }
    *out = (struct str){p, at};
    return at < n && p[at] == '"' && (is_ascii || utf8_is_valid(*out));
}

/* Is the front of *in the last event with another text? */
static bool reader_matches(const struct llm_reader *r, struct str *in, struct llm_delta *out)
{
    const char *shape = r->shape.data;
    size_t before = r->text_at, after = r->shape.len - before;
    struct str text;
    if (r->shape.len == 0 || in->n <= r->shape.len || !sse_is_between(&r->sse) ||
        memcmp(in->p, shape, before) != 0 || !plain_string(in->p + before, in->n - before, &text))
        return false;
    size_t all = before + text.n + after;
    if (text.n == 0 || all > in->n || all > r->sse.bytes_max ||
        memcmp(text.p + text.n, shape + before, after) != 0)
        return false;
    *out = r->is_thinking ? (struct llm_delta){text, STR_NULL} : (struct llm_delta){STR_NULL, text};
    in->p += all;
    in->n -= all;
    return true;
}

/* What decoding the same again would add to. All else that an event sets, it sets to the same. */
struct tool_state {
    size_t count, bytes;
};

static struct tool_state reader_tools(const struct llm_reader *r)
{
    return (struct tool_state){r->decoder.tool_call_count, r->decoder.tool_bytes};
}

/* The event was decoded: may another one like it be told by its bytes? Only when one string of it,
 * just as it came, is all that it said. */
static void reader_note(struct llm_reader *r, struct str event, struct tool_state before,
                        const struct llm_delta *said)
{
    struct tool_state now = reader_tools(r);
    bool is_thinking = said->thinking.n > 0;
    struct str text = is_thinking ? said->thinking : said->text;
    if (text.n == 0 || (is_thinking && said->text.n > 0) || now.count != before.count ||
        now.bytes != before.bytes || !sse_is_between(&r->sse))
        return;
    if (text.p <= event.p || text.p + text.n >= event.p + event.n || text.p[-1] != '"' ||
        text.p[text.n] != '"' || event.n - text.n > READER_SHAPE_BYTES_MAX)
        return;
    r->text_at = (size_t)(text.p - event.p);
    r->is_thinking = is_thinking;
    buf_append(&r->shape, event.p, r->text_at);
    buf_append(&r->shape, text.p + text.n, event.n - r->text_at - text.n);
    if (buf_error(&r->shape))
        buf_clear(&r->shape);
}

int reader_next(struct llm_reader *r, struct str *in, struct llm_delta *out, struct errbuf *e)
{
    if (reader_matches(r, in, out))
        return 1;
    bool is_whole = sse_is_between(&r->sse);
    const char *from = in->p;
    struct tool_state before = reader_tools(r);
    struct sse_event ev;
    int rc = sse_next(&r->sse, in, &ev);
    if (rc < 0)
        return err_set(e, rc, "one event is longer than %zu bytes", r->sse.bytes_max);
    if (rc == 0)
        return 0;
    buf_clear(&r->shape);
    rc = r->dialect->decode(&r->decoder, ev.name, ev.data, out, e);
    if (rc)
        return rc;
    if (is_whole)
        reader_note(r, (struct str){from, (size_t)(in->p - from)}, before, out);
    return 1;
}

int reader_end(struct llm_reader *r, struct llm_delta *out, struct errbuf *e)
{
    struct sse_event ev;
    if (!sse_end(&r->sse, &ev))
        return 0;
    int rc = r->dialect->decode(&r->decoder, ev.name, ev.data, out, e);
    return rc ? rc : 1;
}
