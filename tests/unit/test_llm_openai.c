#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm/openai.h"

/* ---- Encoder ---- */

#define STREAM "\"stream\":true,\"stream_options\":{\"include_usage\":true}}"

static const struct {
    const char *request, *model;
    bool is_openai;
    const char *body; /* NULL: refused */
    const char *error;
} encodings[] = {
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "m", false,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]," STREAM, NULL},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", NULL, false,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]," STREAM, NULL},
    {"{\"messages\":[{\"role\":\"system\",\"content\":\"\"}],\"temperature\":0.5,\"top_p\":1,"
     "\"max_tokens\":7}",
     "m", false,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"\"}],\"temperature\":0.5,"
     "\"top_p\":1,\"max_tokens\":7," STREAM,
     NULL},
    {"{\"max_tokens\":7,\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}],"
     "\"temperature\":null}",
     "m\"", true,
     "{\"model\":\"m\\\"\",\"max_completion_tokens\":7,"
     "\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]," STREAM,
     NULL},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"response_schema\":{\"type\":"
     "\"object\"}}",
     "m", false,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\","
     "\"schema\":{\"type\":\"object\"}}}," STREAM,
     NULL},
    {"{\"provider\":\"p\",\"model\":[\"a\",\"b\"],\"messages\":[{\"role\":\"user\",\"content\":"
     "\"hi\"}]}",
     "a", false, "{\"model\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]," STREAM,
     NULL},
    {"[]", "m", false, NULL, "the request must be an object"},
    {"{}", "m", false, NULL, "messages: must be an array that is not empty"},
    {"{\"messages\":[]}", "m", false, NULL, "messages: must be an array that is not empty"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"\"},{\"role\":\"tool\"}]}", "m", false, NULL,
     "messages[1].tool_call_id: must be a string"},
    {"{\"messages\":[{\"role\":\"boss\",\"content\":\"\"}]}", "m", false, NULL,
     "messages[0].role: must be system, user, assistant or tool"},
    {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\"}]}]}", "m", false, NULL,
     "messages[0].tool_calls[0]: needs id, name and arguments as text"},
    {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[]}]}", "m", false, NULL,
     "messages[0].tool_calls: must be an array that is not empty"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"tools\":[]}", "m", false, NULL,
     "tools: must be an array that is not empty"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"tools\":[{}]}", "m", false, NULL,
     "tools[0].name: must be a string"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
     "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"a\",\"name\":\"add\","
     "\"arguments\":\"{\\\"x\\\":1}\"}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"1\"}],"
     "\"tools\":[{\"name\":\"add\",\"description\":\"Adds\",\"parameters\":{\"type\":\"object\"}}]"
     "}",
     NULL, false,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
     "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
     "\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"x\\\":1}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"1\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"description\":\"Adds\","
     "\"parameters\":{\"type\":\"object\"}}}]," STREAM,
     NULL},
    {"{\"messages\":[{\"role\":\"user\",\"content\":null}]}", "m", false, NULL,
     "messages[0].content: must be a string"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"temperature\":\"hot\"}", "m", false,
     NULL, "temperature: must be a number"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"response_schema\":[]}", "m", false,
     NULL, "response_schema: must be an object"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"seed\":1}", "m", false, NULL,
     "seed: unknown member"},
};

static void test_encode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(encodings); i++) {
        struct dialect_options options = {.model = encodings[i].model,
                                          .is_openai = encodings[i].is_openai};
        struct buf out;
        struct errbuf e = {""};
        struct str request = str_of(encodings[i].request);
        assert_int_equal(json_check(request, NULL, &e), 0);
        buf_init(&out, 10000);
        int rc = openai_encode(request, &options, &out, &e);
        if (encodings[i].body) {
            assert_int_equal(rc, 0);
            assert_str(buf_str(&out), encodings[i].body);
            assert_int_equal(json_check(buf_str(&out), NULL, &e), 0);
        } else {
            assert_int_equal(rc, ERR_INVALID);
            assert_string_equal(e.text, encodings[i].error);
        }
        buf_deinit(&out);
    }
}

static void test_encode_too_large(void **state)
{
    (void)state;
    struct dialect_options options = {.model = "m"};
    struct buf out;
    buf_init(&out, 50);
    struct str request = STR("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    assert_int_equal(openai_encode(request, &options, &out, NULL), ERR_TOO_LARGE);
    buf_deinit(&out);
}

/* ---- Decoder ---- */

#define CONTENT(text) "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}"
#define THINK(text)   "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"" text "\"}}]}"
#define FINISH(why)   "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" why "\"}]}"

struct decoded {
    struct buf text, thinking;
    struct llm_decoder d;
    struct errbuf e;
    int rc;
};

static void decoded_add(struct decoded *g, const struct llm_delta *delta)
{
    buf_append_str(&g->text, delta->text);
    buf_append_str(&g->thinking, delta->thinking);
}

/* Until a NULL or an error. */
static void decode_all(struct decoded *g, const char *const *events, size_t count)
{
    struct llm_delta delta;
    buf_init(&g->text, 1 << 20);
    buf_init(&g->thinking, 1 << 20);
    decoder_init(&g->d);
    g->e.text[0] = '\0';
    g->rc = 0;
    for (size_t i = 0; i < count && events[i] && g->rc == 0; i++) {
        g->rc = openai_decode(&g->d, STR(""), str_of(events[i]), &delta, &g->e);
        if (g->rc == 0)
            decoded_add(g, &delta);
    }
    if (g->rc == 0) {
        decoder_end(&g->d, &delta);
        decoded_add(g, &delta);
    }
}

static void decoded_free(struct decoded *g)
{
    decoder_deinit(&g->d);
    buf_deinit(&g->text);
    buf_deinit(&g->thinking);
}

#define FFFD "\xEF\xBF\xBD"
#define GRIN "\xF0\x9F\x98\x80"

static const struct {
    const char *events[6];
    const char *text, *thinking;
} texts[] = {
    {{CONTENT("Hel"), CONTENT("lo"), FINISH("stop"), "[DONE]"}, "Hello", ""},
    {{THINK("hm"), CONTENT("x")}, "x", "hm"},
    {{"{\"choices\":[{\"delta\":{\"reasoning\":\"hm\",\"content\":\"x\"}}]}"}, "x", "hm"},
    {{"{\"choices\":[{\"delta\":{\"reasoning\":\"hm\",\"reasoning_content\":\"hm\"}}]}"}, "", "hm"},
    {{"{\"choices\":[{\"delta\":{\"reasoning\":\"hm\",\"reasoning_content\":null}}]}"}, "", "hm"},
    {{"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}", CONTENT("")},
     "",
     ""},
    {{"{\"choices\":[{\"delta\":{\"refusal\":\"No.\"}}]}"}, "No.", ""},
    {{"{\"choices\":[]}", "{}", "{\"choices\":null,\"obfuscation\":\"abc\"}"}, "", ""},
    {{"{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}}]}"}, "", ""},
    {{"{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"whole\"}}]}"}, "whole", ""},
    {{CONTENT("a\\n\\\"\\u00e9\\ud83d\\ude00")}, "a\n\"\xC3\xA9" GRIN, ""},
    /* An emoji over two chunks, also in capitals, with text around, with other things between. */
    {{CONTENT("\\ud83d"), CONTENT("\\ude00")}, GRIN, ""},
    {{CONTENT("a\\uD83D"), CONTENT("\\uDE00b")}, "a" GRIN "b", ""},
    {{CONTENT("\\ud83d"), THINK("t"), CONTENT(""), "{\"choices\":[]}", CONTENT("\\ude00")},
     GRIN,
     "t"},
    {{THINK("\\ud83d"), CONTENT("\\ud83d"), THINK("\\ude00"), CONTENT("\\ude01")},
     "\xF0\x9F\x98\x81",
     GRIN},
    {{CONTENT("\\ud83d"), CONTENT("\\ude00\\ud83d"), CONTENT("\\ude00")}, GRIN GRIN, ""},
    /* Halves that stay alone. */
    {{CONTENT("a\\ud83d"), CONTENT("b")}, "a" FFFD "b", ""},
    {{CONTENT("a\\ud83d"), FINISH("stop")}, "a" FFFD, ""},
    {{CONTENT("\\ude00b")}, FFFD "b", ""},
    {{CONTENT("a\\ud83db")}, "a" FFFD "b", ""},
    {{CONTENT("\\ud83d\\ud83d"), CONTENT("\\ude00")}, FFFD GRIN, ""},
    {{CONTENT("\\ud83d"), CONTENT("\\ud83d"), CONTENT("\\ude00")}, FFFD GRIN, ""},
    {{CONTENT("\\ude00\\ud83d"), CONTENT("\\ude00")}, FFFD GRIN, ""},
    {{CONTENT("\\ud83d"), CONTENT("\\ud83d\\ude00")}, FFFD GRIN, ""},
    {{THINK("\\ud83d")}, "", FFFD},
    /* What only looks like one. */
    {{CONTENT("\\\\ud83d"), CONTENT("\\ude00")}, "\\ud83d" FFFD, ""},
    {{CONTENT("\\ud83d"), CONTENT("\\\\ude00")}, FFFD "\\ude00", ""},
    {{CONTENT("\\ude00\\\\ufffd"), CONTENT("\\ude00")}, FFFD "\\ufffd" FFFD, ""},
    {{CONTENT("\\ud83d\\ufffd"), CONTENT("\\ude00")}, FFFD FFFD FFFD, ""},
    /* In a member we do not read. */
    {{"{\"id\":\"\\ud83d\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}"}, "x", ""},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(texts); i++) {
        struct decoded g;
        decode_all(&g, texts[i].events, ROWS(texts[i].events));
        assert_int_equal(g.rc, 0);
        assert_str(buf_str(&g.text), texts[i].text);
        assert_str(buf_str(&g.thinking), texts[i].thinking);
        decoded_free(&g);
    }
}

static const struct {
    const char *event;
    int rc;
    const char *error; /* how the sentence begins */
} errors[] = {
    {"{\"error\":{\"message\":\"overloaded\",\"code\":503}}", ERR_UPSTREAM, "overloaded"},
    {"{\"error\":\"no memory\"}", ERR_UPSTREAM, "no memory"},
    {"{\"error\":{\"code\":7}}", ERR_UPSTREAM, "{\"code\":7}"},
    {"{\"error\":null,\"choices\":[]}", 0, ""},
    {"", ERR_INVALID, ""},
    {"hello", ERR_INVALID, ""},
    {"[]", ERR_INVALID, "an event is not an object"},
    {"{\"choices\":[}", ERR_INVALID, ""},
    {"{\"a\":1,\"a\":2}", ERR_INVALID, ""},
    {CONTENT("\\ud83g"), ERR_INVALID, ""},
    {CONTENT("\xC0\x80"), ERR_INVALID, ""},
    {CONTENT("\xED\xA0\xBD"), ERR_INVALID, ""},
    {"{\"choices\":{\"index\":0}}", 0, ""},
    {"{\"choices\":[7,null,\"x\",[{}]]}", 0, ""},
    {"{\"choices\":[{\"delta\":{\"content\":7,\"tool_calls\":3}}],\"usage\":5,\"model\":{}}", 0,
     ""},
    {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":64}]}}]}", ERR_TOO_LARGE,
     "more than 64 tool calls"},
    {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":-1}]}}]}", ERR_TOO_LARGE,
     "more than 64 tool calls"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(errors); i++) {
        struct decoded g;
        decode_all(&g, &errors[i].event, 1);
        assert_int_equal(g.rc, errors[i].rc);
        assert_memory_equal(g.e.text, errors[i].error, strlen(errors[i].error));
        decoded_free(&g);
    }
}

static void test_finish_usage_model(void **state)
{
    static const char *const events[] = {
        "{\"model\":\"gpt-x\",\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]"
        "}",
        FINISH("length"),
        "{\"model\":\"later\",\"choices\":[],\"usage\":{\"prompt_tokens\":12,"
        "\"completion_tokens\":34,\"total_tokens\":46}}",
        "[DONE]",
    };
    struct decoded g;
    (void)state;
    decode_all(&g, events, ROWS(events));
    assert_int_equal(g.rc, 0);
    assert_true(g.d.is_done);
    assert_string_equal(g.d.finish_reason, "length");
    assert_string_equal(g.d.model, "gpt-x");
    assert_int_equal(g.d.usage.input_tokens, 12);
    assert_int_equal(g.d.usage.output_tokens, 34);
    decoded_free(&g);
}

static void test_nothing_said(void **state)
{
    static const char *const events[] = {CONTENT("a")};
    struct decoded g;
    (void)state;
    decode_all(&g, events, 1);
    assert_false(g.d.is_done);
    assert_null(g.d.finish_reason);
    assert_string_equal(g.d.model, "");
    assert_int_equal(g.d.usage.input_tokens, -1);
    assert_int_equal(g.d.usage.output_tokens, -1);
    decoded_free(&g);
}

static void test_finish_reasons(void **state)
{
    static const char *const reasons[][2] = {
        {FINISH("stop"), "stop"},
        {FINISH("length"), "length"},
        {FINISH("max_tokens"), "length"},
        {FINISH("content_filter"), "content_filter"},
        {FINISH("tool_calls"), "tool_calls"},
        {FINISH("function_call"), "tool_calls"},
        {FINISH("eos"), "stop"},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(reasons); i++) {
        struct decoded g;
        decode_all(&g, reasons[i], 1);
        assert_string_equal(g.d.finish_reason, reasons[i][1]);
        decoded_free(&g);
    }
}

static void test_long_model_is_cut_on_a_boundary(void **state)
{
    (void)state;
    struct buf event;
    buf_init(&event, 1000);
    buf_append_z(&event, "{\"model\":\"");
    for (int i = 0; i < 64; i++)
        buf_append_z(&event, "\xC3\xA9");
    buf_append_z(&event, "\"}");
    struct llm_decoder d;
    struct llm_delta delta;
    decoder_init(&d);
    assert_int_equal(openai_decode(&d, STR(""), buf_str(&event), &delta, NULL), 0);
    assert_int_equal(strlen(d.model), 126);
    decoder_deinit(&d);
    buf_deinit(&event);
}

/* Two calls that interleave, arguments cut anywhere. */
static void test_tool_calls(void **state)
{
#define TOOL(text) "{\"choices\":[{\"delta\":{\"tool_calls\":[" text "]}}]}"
    static const char *const events[] = {
        TOOL("{\"index\":0,\"id\":\"a1\",\"type\":\"function\",\"function\":{\"name\":\"add\","
             "\"arguments\":\"\"}}"),
        TOOL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\"}},{\"index\":1,\"id\":\"b2\","
             "\"function\":{\"name\":\"mul\"}}"),
        TOOL("{\"index\":1,\"function\":{\"arguments\":\"{}\"}}"),
        TOOL("{\"index\":0,\"function\":{\"arguments\":\"\\\":1}\"}}"),
        FINISH("tool_calls"),
    };
    struct decoded g;
    (void)state;
    decode_all(&g, events, ROWS(events));
    assert_int_equal(g.rc, 0);
    assert_int_equal(g.d.tool_call_count, 2);
    assert_string_equal(g.d.tool_calls[0].id, "a1");
    assert_string_equal(g.d.tool_calls[0].name, "add");
    assert_str(buf_str(&g.d.tool_calls[0].arguments), "{\"x\":1}");
    assert_string_equal(g.d.tool_calls[1].id, "b2");
    assert_string_equal(g.d.tool_calls[1].name, "mul");
    assert_str(buf_str(&g.d.tool_calls[1].arguments), "{}");
    decoded_free(&g);
}

static void test_tool_calls_as_json(void **state)
{
    static const char *const events[] = {
        TOOL("{\"index\":2,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"\\ud83d\"}}"),
        TOOL("{\"index\":2,\"function\":{\"arguments\":\"\"}}"),
        TOOL("{\"index\":2,\"function\":{\"arguments\":\"\\ude00\\ud83d\"}}"),
        TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"g\"}}"),
        FINISH("tool_calls"),
    };
    struct decoded g;
    struct buf out;
    struct errbuf e;
    (void)state;
    buf_init(&out, 1000);
    decode_all(&g, events, ROWS(events));
    assert_int_equal(decoder_tools_write(&g.d, &out), 0);
    assert_int_equal(json_check(buf_str(&out), NULL, &e), 0);
    assert_str(buf_str(&out),
               "[{\"id\":\"a\",\"name\":\"g\",\"arguments\":\"\"},{\"id\":\"c\",\"name\":\"f\","
               "\"arguments\":\"\xF0\x9F\x98\x80\xEF\xBF\xBD\"}]");
    buf_deinit(&out);
    decoded_free(&g);
}

/* Many calls, each within its bound. */
static void test_tool_calls_are_bounded(void **state)
{
    struct llm_decoder d;
    struct llm_delta delta;
    struct errbuf e;
    struct buf event;
    int rc = 0, i = 0;
    (void)state;
    decoder_init(&d);
    buf_init(&event, 1u << 20);
    for (; !rc && i < 64; i++) {
        buf_clear(&event);
        buf_printf(&event,
                   "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%d,"
                   "\"function\":{\"name\":\"f\",\"arguments\":\"",
                   i);
        for (int k = 0; k < 900000; k++)
            buf_append_char(&event, 'x');
        buf_append_z(&event, "\"}}]}}]}");
        rc = openai_decode(&d, STR(""), buf_str(&event), &delta, &e);
    }
    assert_int_equal(rc, ERR_TOO_LARGE);
    assert_int_equal(i, 5);
    decoder_deinit(&d);
    buf_deinit(&event);
}

static void test_plain_text_is_not_copied(void **state)
{
    (void)state;
    struct llm_decoder d;
    struct llm_delta delta;
    struct str event = STR(CONTENT("hello"));
    decoder_init(&d);
    assert_int_equal(openai_decode(&d, STR(""), event, &delta, NULL), 0);
    assert_true(delta.text.p > event.p && delta.text.p < event.p + event.n);
    decoder_deinit(&d);
}

static void test_error_texts(void **state)
{
    static const char *const bodies[][2] = {
        {"{\"error\":{\"message\":\"Bad key\",\"type\":\"x\"}}", "Bad key"},
        {"{\"error\":\"model not found\"}", "model not found"},
        {"{\"object\":\"error\",\"message\":\"too long\"}", "too long"},
        {"{\"detail\":\"Not Found\"}", "Not Found"},
        {"upstream unavailable", "upstream unavailable"},
        {"\xFF\xFE", ""},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(bodies); i++) {
        struct errbuf e;
        decoder_error_text(str_of(bodies[i][0]), &e);
        assert_string_equal(e.text, bodies[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_encode_too_large),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_finish_usage_model),
        cmocka_unit_test(test_nothing_said),
        cmocka_unit_test(test_finish_reasons),
        cmocka_unit_test(test_long_model_is_cut_on_a_boundary),
        cmocka_unit_test(test_tool_calls),
        cmocka_unit_test(test_tool_calls_as_json),
        cmocka_unit_test(test_tool_calls_are_bounded),
        cmocka_unit_test(test_plain_text_is_not_copied),
        cmocka_unit_test(test_error_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
