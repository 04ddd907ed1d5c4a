/* Events that are told by the one before them say what a parse of them says. */
#include "unit.h"

#include <string.h>

#include "llm/anthropic.h"
#include "llm/openai.h"
#include "llm/reader.h"

#define HEAD      "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{"
#define TAIL      "},\"finish_reason\":null}],\"usage\":null}\n\n"
#define SAY(json) HEAD "\"content\":" json TAIL
#define BLOCK(json)                                                                                \
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"             \
    "\"delta\":{\"type\":\"text_delta\",\"text\":" json "}}\n\n"

struct said {
    struct buf text;
    size_t events, compared;
    int rc;
};

/* The stream in pieces of n bytes; `compared` counts the events that were not parsed. */
static void read_in_pieces(const struct dialect *dialect, struct str all, size_t n,
                           struct said *said)
{
    struct llm_reader r;
    struct llm_delta delta;
    struct errbuf e;
    memset(said, 0, sizeof(*said));
    buf_init(&said->text, 1u << 20);
    reader_init(&r, dialect, 0);
    for (size_t at = 0; at < all.n && said->rc >= 0; at += n) {
        struct str in = {all.p + at, all.n - at < n ? all.n - at : n};
        for (;;) {
            const char *parsed = r.sse.slice.p;
            said->rc = reader_next(&r, &in, &delta, &e);
            if (said->rc <= 0)
                break;
            said->events++;
            said->compared += r.sse.is_given && r.sse.slice.p == parsed && parsed;
            buf_append_str(&said->text, delta.thinking);
            buf_append_char(&said->text, '|');
            buf_append_str(&said->text, delta.text);
            buf_append_z(&said->text, r.decoder.finish_reason ? r.decoder.finish_reason : "");
            buf_append_char(&said->text, '\n');
        }
    }
    buf_append_i64(&said->text, (int64_t)r.decoder.tool_bytes);
    for (size_t i = 0; i < r.decoder.tool_call_count; i++)
        buf_append_str(&said->text, buf_str(&r.decoder.tool_calls[i].arguments));
    reader_deinit(&r);
}

static const struct {
    const char *name;
    const struct dialect *dialect;
    const char *stream;
    size_t events;
    size_t likely; /* of them not parsed, when the stream comes whole; the first one never serves */
} cases[] = {
    {"words", &openai_dialect, SAY("\"a\"") SAY("\" b\"") SAY("\"c d\""), 3, 1},
    {"not ASCII", &openai_dialect, SAY("\"a\"") SAY("\"\xc3\xa4\xe4\xbd\xa0\"") SAY("\"c\""), 3, 1},
    {"an escape", &openai_dialect, SAY("\"a\"") SAY("\"b\\nc\"") SAY("\"d\"") SAY("\"e\""), 4, 1},
    {"nothing said", &openai_dialect, SAY("\"a\"") SAY("\"\"") SAY("null") SAY("\"d\""), 4, 0},
    {"half an emoji", &openai_dialect,
     SAY("\"a\"") SAY("\"\\ud83d\"") SAY("\"\\ude00\"") SAY("\"d\""), 4, 0},
    {"half an emoji, then a word", &openai_dialect,
     SAY("\"a\"") SAY("\"\\ud83d\"") SAY("\"b\"") SAY("\"c\"") SAY("\"d\""), 5, 1},
    {"the string goes on in the next member", &openai_dialect,
     SAY("\"a\"") SAY("\"b\",\"refusal\":\"c\"") SAY("\"d\""), 3, 0},
    {"thinking, then words", &openai_dialect,
     HEAD "\"reasoning_content\":\"a\"" TAIL HEAD "\"reasoning_content\":\"b\"" TAIL SAY("\"c\"")
         SAY("\"d\""),
     4, 1},
    {"a word and a reason", &openai_dialect,
     SAY("\"a\"") "data: "
                  "{\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"length\"}]}\n\n"
                  "data: "
                  "{\"choices\":[{\"delta\":{\"content\":\"c\"},\"finish_reason\":\"length\"}]}"
                  "\n\n",
     3, 1},
    {"words beside a tool call's pieces", &openai_dialect,
     HEAD
     "\"content\":\"a\",\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"x\"}}]" TAIL HEAD
     "\"content\":\"b\",\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"x\"}}]" TAIL HEAD
     "\"content\":\"c\",\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"x\"}}]" TAIL,
     3, 0},
    {"comments between", &openai_dialect, SAY("\"a\"") ": hello\n\n" SAY("\"b\"") SAY("\"c\""), 3,
     0},
    {"CRLF", &openai_dialect,
     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n"
     "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\r\n\r\n",
     2, 0},
    {"two lines of data", &openai_dialect,
     "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"a\"}}]}\n\n"
     "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"b\"}}]}\n\n",
     2, 0},
    {"the end", &openai_dialect, SAY("\"a\"") SAY("\"b\"") "data: [DONE]\n\n", 3, 0},
    {"blocks", &anthropic_dialect, BLOCK("\"a\"") BLOCK("\"b\"") BLOCK("\"c\""), 3, 1},
    {"a block that is not closed", &openai_dialect, SAY("\"a\"") HEAD "\"content\":\"b", 1, 0},
};

static void test_both_ways_say_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct said whole, cut;
        struct str all = str_of(cases[i].stream);
        read_in_pieces(cases[i].dialect, all, all.n, &whole);
        if (whole.events != cases[i].events || whole.compared != cases[i].likely)
            fail_msg("%s: %zu events, %zu not parsed", cases[i].name, whole.events, whole.compared);
        for (size_t n = 1; n < 80; n += n < 4 ? 1 : 13) {
            read_in_pieces(cases[i].dialect, all, n, &cut);
            if (!str_eq(buf_str(&whole.text), buf_str(&cut.text)) || whole.rc != cut.rc)
                fail_msg("%s, in pieces of %zu: %s and not %s", cases[i].name, n, cut.text.data,
                         whole.text.data);
            buf_deinit(&cut.text);
        }
        buf_deinit(&whole.text);
    }
}

/* What no string may hold is refused in an event like the one before, too. */
static void test_bad_strings_are_refused(void **state)
{
    static const char *const bad[] = {
        SAY("\"a\"") SAY("\"\x80\""),
        SAY("\"a\"") SAY("\"b\xc3\""),
        SAY("\"a\"") SAY("\"b\x01\""),
        SAY("\"a\"") SAY("\"\xed\xa0\x80\""),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct said said;
        read_in_pieces(&openai_dialect, str_of(bad[i]), strlen(bad[i]), &said);
        assert_int_equal(said.events, 1);
        assert_int_equal(said.rc, ERR_INVALID);
        buf_deinit(&said.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_say_the_same),
        cmocka_unit_test(test_bad_strings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
