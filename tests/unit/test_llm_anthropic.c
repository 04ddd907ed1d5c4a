#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm/anthropic.h"

/* ---- Encoder ---- */

#define MAX8192 "\"max_tokens\":8192,"
#define STREAM  ",\"stream\":true}"
#define HI      "{\"role\":\"user\",\"content\":\"hi\"}"
#define TOLD_HI                                                                                    \
    "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]"

static const struct {
    const char *request, *model;
    const char *body; /* NULL: refused */
    const char *error;
} encodings[] = {
    {"{\"messages\":[" HI "]}", "m", "{\"model\":\"m\"," MAX8192 TOLD_HI STREAM, NULL},
    {"{\"messages\":[" HI "]}", NULL, "{" MAX8192 TOLD_HI STREAM, NULL},
    {"{\"messages\":[" HI "],\"max_tokens\":7,\"temperature\":0.5,\"top_p\":0.9}", NULL,
     "{\"max_tokens\":7,\"temperature\":0.5," TOLD_HI STREAM, NULL},
    {"{\"messages\":[" HI "],\"temperature\":1.7}", NULL,
     "{" MAX8192 "\"temperature\":1," TOLD_HI STREAM, NULL},
    {"{\"messages\":[" HI "],\"top_p\":0.9,\"temperature\":null}", NULL,
     "{" MAX8192 "\"top_p\":0.9," TOLD_HI STREAM, NULL},
    /* System messages apart, those without words left out. */
    {"{\"messages\":[{\"role\":\"system\",\"content\":\"a\"}," HI
     ",{\"role\":\"system\",\"content\":\" \\n\"},{\"role\":\"system\",\"content\":\"b\\n\"},"
     "{\"role\":\"assistant\",\"content\":\"\"}]}",
     NULL,
     "{" MAX8192 "\"system\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":"
     "\"b\\n\"}]," TOLD_HI STREAM,
     NULL},
    /* A persona and nothing else. */
    {"{\"messages\":[{\"role\":\"system\",\"content\":\"hi\"},{\"role\":\"user\",\"content\":\"\"}]"
     "}",
     NULL, "{" MAX8192 TOLD_HI STREAM, NULL},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}", NULL, NULL,
     "messages: none of them says anything"},
    /* Tools: offered, called (one with arguments that are none), answered in one message. */
    {"{\"messages\":[" HI ",{\"role\":\"assistant\",\"content\":\"see\",\"tool_calls\":["
     "{\"id\":\"call.1\",\"name\":\"add\",\"arguments\":\"{\\\"x\\\": 1}\"},"
     "{\"id\":\"2\",\"name\":\"add\",\"arguments\":\"{x\"},"
     "{\"id\":\"3\",\"name\":\"add\",\"arguments\":\"\"}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"call.1\",\"content\":\"one\"},"
     "{\"role\":\"tool\",\"tool_call_id\":\"2\",\"content\":\"\"},"
     "{\"role\":\"tool\",\"tool_call_id\":\"3\",\"content\":\"3\"}," HI "],"
     "\"tools\":[{\"name\":\"add\",\"description\":\"Adds\",\"parameters\":{\"type\":\"object\","
     "\"properties\":{}}},{\"name\":\"now\"}]}",
     NULL,
     "{" MAX8192
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},"
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},"
     "{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"add\",\"input\":{\"x\": 1}},"
     "{\"type\":\"tool_use\",\"id\":\"2\",\"name\":\"add\",\"input\":{\"arguments\":\"{x\"}},"
     "{\"type\":\"tool_use\",\"id\":\"3\",\"name\":\"add\",\"input\":{}}]},"
     "{\"role\":\"user\",\"content\":["
     "{\"type\":\"tool_result\",\"tool_use_id\":\"call_1\",\"content\":\"one\"},"
     "{\"type\":\"tool_result\",\"tool_use_id\":\"2\"},"
     "{\"type\":\"tool_result\",\"tool_use_id\":\"3\",\"content\":\"3\"}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}],"
     "\"tools\":[{\"name\":\"add\",\"description\":\"Adds\",\"input_schema\":{\"type\":\"object\","
     "\"properties\":{}}},{\"name\":\"now\",\"input_schema\":{\"type\":\"object\"}}]" STREAM,
     NULL},
    /* No tools are offered any more, but some were called: they must be named. */
    {"{\"messages\":[" HI ",{\"role\":\"assistant\",\"tool_calls\":["
     "{\"id\":\"1\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"id\":\"2\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"id\":\"3\",\"name\":\"g\",\"arguments\":\"{}\"}]}]}",
     NULL,
     "{" MAX8192
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},"
     "{\"role\":\"assistant\",\"content\":["
     "{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"f\",\"input\":{}},"
     "{\"type\":\"tool_use\",\"id\":\"2\",\"name\":\"f\",\"input\":{}},"
     "{\"type\":\"tool_use\",\"id\":\"3\",\"name\":\"g\",\"input\":{}}]}],"
     "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}},"
     "{\"name\":\"g\",\"input_schema\":{\"type\":\"object\"}}],"
     "\"tool_choice\":{\"type\":\"none\"}" STREAM,
     NULL},
    /* A schema: by a tool that must be called, beside others by any, else in words. */
    {"{\"messages\":[" HI "],\"response_schema\":{\"type\":\"object\"}}", NULL,
     "{" MAX8192 TOLD_HI ",\"tools\":[{\"name\":\"structured_answer\",\"description\":\"Gives the "
     "answer. Call it once, when everything is known.\",\"input_schema\":{\"type\":\"object\"}}],"
     "\"tool_choice\":{\"type\":\"tool\",\"name\":\"structured_answer\"}" STREAM,
     NULL},
    {"{\"messages\":[" HI "],\"response_schema\":{\"type\":\"object\"},\"tools\":[{\"name\":\"f\"}]"
     "}",
     NULL,
     "{" MAX8192 TOLD_HI ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}},"
     "{\"name\":\"structured_answer\",\"description\":\"Gives the answer. Call it once, when "
     "everything is known.\",\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":"
     "\"any\"}" STREAM,
     NULL},
    {"{\"messages\":[" HI "],\"response_schema\":{\"type\":\"array\"}}", NULL,
     "{" MAX8192 "\"system\":[{\"type\":\"text\",\"text\":\"Answer with JSON alone, without a word "
     "before or after it and without a code fence. It must be valid against this JSON Schema: "
     "{\\\"type\\\":\\\"array\\\"}\"}]," TOLD_HI STREAM,
     NULL},
    {"{\"provider\":\"p\",\"model\":[\"a\",\"b\"],\"messages\":[" HI "]}", NULL,
     "{" MAX8192 TOLD_HI STREAM, NULL},
    {"[]", "m", NULL, "the request must be an object"},
    {"{}", "m", NULL, "messages: must be an array that is not empty"},
    {"{\"messages\":[{\"role\":\"boss\",\"content\":\"\"}]}", "m", NULL,
     "messages[0].role: must be system, user, assistant or tool"},
    {"{\"messages\":[" HI "],\"tools\":[]}", "m", NULL,
     "tools: must be an array that is not empty"},
    {"{\"messages\":[" HI "],\"tools\":[{}]}", "m", NULL, "tools[0].name: must be a string"},
    {"{\"messages\":[" HI "],\"tools\":[{\"name\":\"structured_answer\"}]}", "m", NULL,
     "tools[0].name: \"structured_answer\" has a meaning of its own"},
    {"{\"messages\":[" HI "],\"temperature\":\"hot\"}", "m", NULL, "temperature: must be a number"},
    {"{\"messages\":[" HI "],\"response_schema\":[]}", "m", NULL,
     "response_schema: must be an object"},
    {"{\"messages\":[" HI "],\"seed\":1}", "m", NULL, "seed: unknown member"},
};

static void test_encode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(encodings); i++) {
        struct dialect_options options = {.model = encodings[i].model};
        struct buf out;
        struct errbuf e = {""};
        struct str request = str_of(encodings[i].request);
        assert_int_equal(json_check(request, NULL, &e), 0);
        buf_init(&out, 10000);
        int rc = anthropic_encode(request, &options, &out, &e);
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
    struct dialect_options options = {.model = "m"};
    struct buf out;
    (void)state;
    buf_init(&out, 50);
    assert_int_equal(anthropic_encode(STR("{\"messages\":[" HI "]}"), &options, &out, NULL),
                     ERR_TOO_LARGE);
    buf_deinit(&out);
}

/* ---- Decoder ---- */

#define START                                                                                      \
    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"     \
    "\"assistant\",\"content\":[],\"model\":\"m-7\",\"stop_reason\":null,\"usage\":{"              \
    "\"input_tokens\":3,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":200,"       \
    "\"output_tokens\":1}}}"
#define DELTA(index, body)                                                                         \
    "{\"type\":\"content_block_delta\",\"index\":" index ",\"delta\":{" body "}}"
#define TEXT(text)  DELTA("0", "\"type\":\"text_delta\",\"text\":\"" text "\"")
#define THINK(text) DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"" text "\"")
#define INPUT(index, text)                                                                         \
    DELTA(index, "\"type\":\"input_json_delta\",\"partial_json\":\"" text "\"")
#define BLOCK(index, body)                                                                         \
    "{\"type\":\"content_block_start\",\"index\":" index ",\"content_block\":{" body "}}"
#define USE(index, id, name)                                                                       \
    BLOCK(index, "\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}")
#define STOP(why)                                                                                  \
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" why                                \
    "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}}"
#define OVER "{\"type\":\"message_stop\"}"
#define FFFD "\xEF\xBF\xBD"
#define GRIN "\xF0\x9F\x98\x80"

static const struct {
    const char *events[8];
    const char *text, *thinking;
    const char *finish; /* NULL: none */
    bool is_done;
    const char *tools;
} rows[] = {
    {{START, BLOCK("0", "\"type\":\"text\",\"text\":\"\""), "{\"type\": \"ping\"}", TEXT("Hel"),
      TEXT("lo"), "{\"type\":\"content_block_stop\",\"index\":0}", STOP("end_turn"), OVER},
     "Hello",
     "",
     "stop",
     true,
     "[]"},
    {{THINK("hm"), DELTA("0", "\"type\":\"signature_delta\",\"signature\":\"xyz\""), TEXT("x"),
      DELTA("0", "\"type\":\"citations_delta\",\"citation\":{}"), DELTA("0", "\"type\":\"new\""),
      "{\"type\":\"unheard_of\",\"text\":\"y\"}", STOP("stop_sequence")},
     "x",
     "hm",
     "stop",
     false,
     "[]"},
    {{BLOCK("0", "\"type\":\"text\",\"text\":\"be\""), TEXT("gin"),
      BLOCK("1", "\"type\":\"thinking\",\"thinking\":\"t\""),
      BLOCK("2", "\"type\":\"redacted_thinking\",\"data\":\"zzz\"")},
     "begin",
     "t",
     NULL,
     false,
     "[]"},
    {{STOP("max_tokens")}, "", "", "length", false, "[]"},
    {{STOP("model_context_window_exceeded")}, "", "", "length", false, "[]"},
    {{STOP("pause_turn")}, "", "", "length", false, "[]"},
    {{TEXT("I "), STOP("refusal"), OVER}, "I ", "", "content_filter", true, "[]"},
    {{STOP("whatever_comes")}, "", "", "stop", false, "[]"},
    /* Halves of an emoji. */
    {{TEXT("a\\ud83d"), THINK("t"), "{\"type\":\"ping\"}", TEXT("\\ude00b"), TEXT("\\ud83d")},
     "a" GRIN "b" FFFD,
     "t",
     NULL,
     false,
     "[]"},
    /* Tools in pieces, two at once, and one that the server runs itself. */
    {{TEXT("see"), USE("1", "c1", "f"), USE("3", "c2", "g"), INPUT("1", "{\\\"a\\\":"),
      INPUT("3", ""), INPUT("1", " 1}"), INPUT("2", "{\\\"q\\\":1}"), STOP("tool_use")},
     "see",
     "",
     "tool_calls",
     false,
     "[{\"id\":\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"},"
     "{\"id\":\"c2\",\"name\":\"g\",\"arguments\":\"\"}]"},
    {{USE("0", "c", "f"), INPUT("0", "{\\\"a\\\":\\\"\\ud83d"), INPUT("0", "\\ude00\\\"}"),
      STOP("tool_use")},
     "",
     "",
     "tool_calls",
     false,
     "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\\\"" GRIN "\\\"}\"}]"},
    /* The input at once, alone and with pieces that say it again. */
    {{BLOCK("0", "\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"a\":1}"),
      INPUT("0", "")},
     "",
     "",
     NULL,
     false,
     "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}]"},
    {{BLOCK("0", "\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"a\":1}"),
      INPUT("0", "{\\\"a\\\":"), INPUT("0", "2}")},
     "",
     "",
     NULL,
     false,
     "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":2}\"}]"},
    /* The tool that is the answer. */
    {{USE("1", "c", ANTHROPIC_ANSWER), INPUT("1", "{\\\"a\\\":"), INPUT("1", "1}"),
      STOP("tool_use"), OVER},
     "{\"a\":1}",
     "",
     "stop",
     true,
     "[]"},
    {{TEXT("x\\ud83d"),
      BLOCK("1", "\"type\":\"tool_use\",\"name\":\"" ANTHROPIC_ANSWER "\",\"input\":{\"a\":[1]}"),
      STOP("tool_use")},
     "x" FFFD "{\"a\":[1]}",
     "",
     "stop",
     false,
     "[]"},
    {{USE("0", "c", "f"), USE("1", "d", ANTHROPIC_ANSWER), INPUT("1", "{}"), STOP("tool_use")},
     "{}",
     "",
     "tool_calls",
     false,
     "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"\"}]"},
    /* Not streamed. */
    {{"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-7\",\"content\":"
      "[{\"type\":\"thinking\",\"thinking\":\"t\"},{\"type\":\"text\",\"text\":\"all \"},"
      "{\"type\":\"text\",\"text\":\"at \\ud83d\\ude00\"},{\"type\":\"tool_use\",\"id\":\"c\","
      "\"name\":\"f\",\"input\":{\"a\":1}}],\"stop_reason\":\"tool_use\",\"usage\":{"
      "\"input_tokens\":1,\"output_tokens\":2}}"},
     "all at " GRIN,
     "t",
     "tool_calls",
     true,
     "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}]"},
    /* What is not as it should be, but harms nobody. */
    {{"{}", "{\"type\":7}", "{\"type\":\"content_block_delta\"}", DELTA("0", "\"text\":\"a\""),
      DELTA("0", "\"type\":\"text_delta\",\"text\":null"), "{\"type\":\"message_delta\"}",
      "{\"type\":\"message_start\",\"message\":[]}", BLOCK("0", "\"type\":\"tool_use\"")},
     "",
     "",
     NULL,
     false,
     "[]"},
};

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
        g->rc = anthropic_decode(&g->d, STR(""), str_of(events[i]), &delta, &g->e);
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

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct decoded g;
        struct buf tools;
        decode_all(&g, rows[i].events, ROWS(rows[i].events));
        if (g.rc)
            fail_msg("row %zu: %s", i, g.e.text);
        assert_str(buf_str(&g.text), rows[i].text);
        assert_str(buf_str(&g.thinking), rows[i].thinking);
        assert_string_equal(g.d.finish_reason ? g.d.finish_reason : "",
                            rows[i].finish ? rows[i].finish : "");
        assert_int_equal(g.d.is_done, rows[i].is_done);
        buf_init(&tools, 10000);
        assert_int_equal(decoder_tools_write(&g.d, &tools), 0);
        assert_str(buf_str(&tools), rows[i].tools);
        buf_deinit(&tools);
        decoded_free(&g);
    }
}

#define USAGE(body) "{\"type\":\"message_delta\",\"delta\":{},\"usage\":{" body "}}"

static void test_usage_and_model(void **state)
{
    static const struct {
        const char *events[3];
        int64_t input, output;
    } cases[] = {
        {{START, STOP("end_turn")}, 213, 15},
        {{START}, 213, 1},
        {{STOP("end_turn")}, -1, 15},
        {{TEXT("a")}, -1, -1},
        {{"{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":0,"
          "\"output_tokens\":0}}}",
          USAGE("\"input_tokens\":7,\"cache_read_input_tokens\":null,\"output_tokens\":9")},
         7,
         9},
        {{START, USAGE("\"input_tokens\":0,\"output_tokens\":2")}, 213, 2},
        {{USAGE("\"input_tokens\":-5,\"output_tokens\":-9")}, -1, -1},
        {{USAGE("\"input_tokens\":9223372036854775807,\"output_tokens\":\"x\"")}, -1, -1},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct decoded g;
        decode_all(&g, cases[i].events, ROWS(cases[i].events));
        assert_int_equal(g.rc, 0);
        assert_int_equal(g.d.usage.input_tokens, cases[i].input);
        assert_int_equal(g.d.usage.output_tokens, cases[i].output);
        if (i < 2)
            assert_string_equal(g.d.model, "m-7");
        decoded_free(&g);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *name, *event;
        int rc;
        const char *says;
        bool is_overloaded;
    } cases[] = {
        {"error",
         "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}"
         "}",
         ERR_UPSTREAM, "Overloaded", true},
        {"", "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"ill\"}}",
         ERR_UPSTREAM, "ill", false},
        {"error", "{\"message\":\"plain\"}", ERR_UPSTREAM, "plain", false},
        {"error", "not json", ERR_UPSTREAM, "not json", false},
        {"", "{\"error\":\"a proxy's\"}", ERR_UPSTREAM, "a proxy's", false},
        {"", "[]", ERR_INVALID, "an event is not an object", false},
        {"", "not json", ERR_INVALID, "", false},
        {"ping", "{\"type\":\"content_block_delta\",\"index\":-1}", ERR_INVALID, "index: below 0",
         false},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct llm_decoder d;
        struct llm_delta delta;
        struct errbuf e = {""};
        decoder_init(&d);
        int rc = anthropic_decode(&d, str_of(cases[i].name), str_of(cases[i].event), &delta, &e);
        if (rc != cases[i].rc || !strstr(e.text, cases[i].says))
            fail_msg("row %zu: %d %s", i, rc, e.text);
        assert_int_equal(d.is_overloaded, cases[i].is_overloaded);
        decoder_deinit(&d);
    }
}

/* Without a type in the data, the name of the event counts. */
static void test_event_names(void **state)
{
    struct llm_decoder d;
    struct llm_delta delta;
    (void)state;
    decoder_init(&d);
    struct str data = STR("{\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}");
    assert_int_equal(anthropic_decode(&d, STR("content_block_delta"), data, &delta, NULL), 0);
    assert_str(delta.text, "a");
    assert_int_equal(anthropic_decode(&d, STR("message_stop"), STR("{}"), &delta, NULL), 0);
    assert_true(d.is_done);
    decoder_deinit(&d);
}

static void test_too_many_tools(void **state)
{
    struct llm_decoder d;
    struct llm_delta delta;
    struct errbuf e;
    char event[200];
    int rc = 0;
    (void)state;
    decoder_init(&d);
    for (int i = 0; i <= DECODER_TOOL_CALLS_MAX && rc == 0; i++) {
        snprintf(event, sizeof(event),
                 "{\"type\":\"content_block_start\",\"index\":%d,\"content_block\":{\"type\":"
                 "\"tool_use\",\"id\":\"c%d\",\"name\":\"f\"}}",
                 i * 1000, i);
        rc = anthropic_decode(&d, STR(""), str_of(event), &delta, &e);
        assert_int_equal(rc, i == DECODER_TOOL_CALLS_MAX ? ERR_TOO_LARGE : 0);
    }
    assert_int_equal(d.tool_call_count, DECODER_TOOL_CALLS_MAX);
    decoder_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),         cmocka_unit_test(test_encode_too_large),
        cmocka_unit_test(test_decode),         cmocka_unit_test(test_usage_and_model),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_event_names),
        cmocka_unit_test(test_too_many_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
