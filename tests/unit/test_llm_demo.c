#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm/demo_text.h"
#include "llm_server.h"

#define ASK(system, user)                                                                          \
    "{\"messages\":[{\"role\":\"system\",\"content\":\"" system                                    \
    "\"},{\"role\":\"user\",\"content\":\"" user "\"}]}"

static struct id key_of(uint8_t n)
{
    struct id key = {{n}};
    return key;
}

/* free() it. */
static char *say(const char *request, uint8_t key)
{
    struct demo_prompt p;
    struct errbuf e = {""};
    struct buf out;
    assert_int_equal(json_check(str_of(request), NULL, &e), 0);
    assert_int_equal(demo_prompt_init(&p, str_of(request), key_of(key), &e), 0);
    buf_init(&out, 1 << 20);
    demo_text_write(&p, &out);
    demo_prompt_deinit(&p);
    return buf_steal(&out, NULL);
}

static size_t count_words(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == ' ';
    return n + 1;
}

/* ---- Tools ---- */

#define TOOLS                                                                                      \
    "\"tools\":[{\"name\":\"web_search\",\"parameters\":{\"type\":\"object\",\"required\":"        \
    "[\"query\"],\"properties\":{\"query\":{\"type\":\"string\"}}}},{\"name\":\"add\","            \
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}},"         \
    "{\"name\":\"now\"}]"
#define WITH_TOOLS(user) "{\"messages\":[{\"role\":\"user\",\"content\":\"" user "\"}]," TOOLS "}"

/* The names of the tools called, and are their arguments what the tool takes? */
static void tools_of(const char *request, uint8_t key, char names[100])
{
    struct demo_prompt p;
    struct errbuf e = {""};
    struct buf out, text;
    struct json_iter it;
    assert_int_equal(json_check(str_of(request), NULL, &e), 0);
    assert_int_equal(demo_prompt_init(&p, str_of(request), key_of(key), &e), 0);
    buf_init(&out, 1 << 20);
    buf_init(&text, 1 << 20);
    demo_tools_write(&p, &out);
    names[0] = 0;
    if (out.len) {
        assert_int_equal(json_check(buf_str(&out), NULL, &e), 0);
        json_iter_init(&it, json_root(buf_str(&out)));
        while (json_iter_next(&it)) {
            char *name = json_strdup(json_get(it.value, "name"));
            char *arguments = json_strdup(json_get(it.value, "arguments"));
            strcat(strcat(names, name), " ");
            assert_int_equal(json_check(str_of(arguments), NULL, &e), 0);
            bool searches = strcmp(name, "web_search") == 0;
            assert_int_equal(json_type(json_get(json_root(str_of(arguments)), "query")),
                             searches ? JSON_STRING : JSON_NONE);
            free(name);
            free(arguments);
        }
        demo_tools_say(json_root(buf_str(&out)), &text);
        assert_non_null(strstr(text.data, DEMO_REMARK));
    }
    buf_deinit(&out);
    buf_deinit(&text);
    demo_prompt_deinit(&p);
}

static void test_tools_are_called_when_asked_for(void **state)
{
    static const struct {
        const char *request, *names;
    } rows[] = {
        {WITH_TOOLS("What is the weather?"), ""},
        {WITH_TOOLS("Use web_search, please."), "web_search "},
        {WITH_TOOLS("Do a Web Search and ADD the figures"), "web_search add "},
        {WITH_TOOLS("an address nowadays"), ""},
        {WITH_TOOLS("use a tool"), "web_search "},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"use a tool\"}]}", ""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"add\"},{\"role\":\"tool\","
         "\"tool_call_id\":\"x\",\"content\":\"1\"}]," TOOLS "}",
         ""},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        char names[100];
        tools_of(rows[i].request, (uint8_t)i, names);
        assert_string_equal(names, rows[i].names);
    }
}

static void test_results_are_used(void **state)
{
    (void)state;
    char *text = say("{\"messages\":[{\"role\":\"user\",\"content\":\"add\"},{\"role\":\"tool\","
                     "\"tool_call_id\":\"x\",\"content\":\"it is 42\"}]," TOOLS "}",
                     1);
    assert_non_null(strstr(text, "The tool said: it is 42."));
    free(text);
}

static void test_length_and_remark(void **state)
{
    static const char *const requests[] = {
        ASK("You argue for the motion.", "Topic: cats in offices"),
        ASK("You are the con side.", "Should trains be free?"),
        ASK("You are the judge.", "Weigh:\\nA\\nB"),
        ASK("", ""),
        "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
    };
    (void)state;
    for (size_t i = 0; i < ROWS(requests); i++)
        for (int key = 0; key < 100; key++) {
            char *text = say(requests[i], (uint8_t)key);
            size_t words = count_words(text), remark = strlen(DEMO_REMARK);
            assert_in_range(words, 40, 160);
            bool begins = strncmp(text, DEMO_REMARK, remark) == 0;
            bool ends = strcmp(text + strlen(text) - remark, DEMO_REMARK) == 0;
            assert_true(begins != ends);
            assert_null(strchr(text, '{'));
            free(text);
        }
}

static void test_deterministic_and_varied(void **state)
{
    static const char request[] = ASK("You argue for it.", "Topic: cats in offices");
    (void)state;
    char *one = say(request, 1), *again = say(request, 1), *other = say(request, 2);
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    free(one);
    free(again);
    free(other);
}

static void test_sides_and_topics(void **state)
{
    static const struct {
        const char *request, *any_of[4];
    } rows[] = {
        {ASK("You argue for the motion.", "Topic: cats in offices\\nBe brief."),
         {"\xE2\x80\x9C"
          "cats in offices\xE2\x80\x9D"}},
        {ASK("You argue for the motion.", "Topic: x"),
         {"I speak for", "make the case for", "say yes to", "a clear yes"}},
        {ASK("You argue against the motion.", "Topic: x"),
         {"I speak against", "Before we say yes", "unconvinced", "The case against"}},
        {ASK("You are a fair judge, weigh for and against.", "Topic: x"),
         {"I have heard both", "The question was", "Weighing what"}},
        {ASK("", "Judge what was said on \xE2\x80\x9Cnight trains\xE2\x80\x9D by both."),
         {"\xE2\x80\x9Cnight trains\xE2\x80\x9D"}},
        {ASK("", "Weigh:\\n\\nShould we move to the sea?\\nMore"),
         {"\xE2\x80\x9CShould we move to the sea\xE2\x80\x9D"}},
        {ASK("Be kind.", ""), {"\xE2\x80\x9Cthe question at hand\xE2\x80\x9D"}},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++)
        for (int key = 0; key < 20; key++) {
            char *text = say(rows[i].request, (uint8_t)key);
            bool is_found = false;
            for (size_t k = 0; k < 4 && rows[i].any_of[k]; k++)
                is_found = is_found || strstr(text, rows[i].any_of[k]);
            if (!is_found)
                fail_msg("row %zu: %s", i, text);
            free(text);
        }
}

static struct json say_json(const char *schema, uint8_t key, char **text)
{
    struct buf b;
    struct errbuf e = {""};
    buf_init(&b, 1 << 20);
    buf_printf(&b,
               "{\"messages\":[{\"role\":\"user\",\"content\":\"Topic: tea\"}],"
               "\"response_schema\":%s}",
               schema);
    *text = say(b.data, key);
    buf_deinit(&b);
    assert_int_equal(json_check(str_of(*text), NULL, &e), 0);
    return json_root(str_of(*text));
}

static void test_schema(void **state)
{
    static const char schema[] =
        "{\"type\":\"object\",\"required\":[\"score\"],\"properties\":{"
        "\"score\":{\"type\":\"integer\",\"minimum\":3,\"maximum\":5},"
        "\"share\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"
        "\"verdict\":{\"enum\":[\"pro\",\"con\"]},"
        "\"reasoning\":{\"type\":\"string\"},"
        "\"code\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":5},"
        "\"fair\":{\"type\":\"boolean\"},"
        "\"fixed\":{\"const\":[1,{\"a\":null}]},"
        "\"maybe\":{\"type\":[\"null\",\"string\"]},"
        "\"list\":{\"type\":\"array\",\"minItems\":3,\"items\":{\"$ref\":\"#/$defs/point\"}},"
        "\"either\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]},"
        "\"tens\":{\"type\":\"integer\",\"minimum\":15,\"multipleOf\":10,\"maximum\":60},"
        "\"above\":{\"type\":\"integer\",\"exclusiveMinimum\":4,\"exclusiveMaximum\":6}},"
        "\"$defs\":{\"point\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"}}}}"
        "}";
    (void)state;
    for (int key = 0; key < 100; key++) {
        char *text;
        int64_t n = 0;
        double share = -1;
        struct json v = say_json(schema, (uint8_t)key, &text);
        assert_true(json_i64(json_get(v, "score"), &n));
        assert_in_range(n, 3, 5);
        assert_true(json_double(json_get(v, "share"), &share));
        assert_true(share >= 0 && share <= 1);
        assert_true(json_string_eq(json_get(v, "verdict"), "pro") ||
                    json_string_eq(json_get(v, "verdict"), "con"));
        assert_non_null(strstr(text, DEMO_REMARK));
        assert_in_range(json_get(v, "code").n - 2, 3, 5);
        bool fair;
        assert_true(json_bool(json_get(v, "fair"), &fair));
        assert_str(json_raw(json_get(v, "fixed")), "[1,{\"a\":null}]");
        assert_int_equal(json_type(json_get(v, "maybe")), JSON_STRING);
        assert_int_equal(json_length(json_get(v, "list")), 3);
        assert_int_equal(json_type(json_get(v, "either")), JSON_NULL);
        assert_true(json_i64(json_get(v, "tens"), &n) && n % 10 == 0);
        assert_in_range(n, 20, 60);
        assert_true(json_i64(json_get(v, "above"), &n) && n == 5);
        free(text);
    }
}

static void test_schema_that_refers_to_itself(void **state)
{
    char *text;
    (void)state;
    say_json("{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"object\",\"properties\":{"
             "\"next\":{\"$ref\":\"#/$defs/a\"}}}}}",
             1, &text);
    free(text);
    say_json("{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}}}", 1, &text);
    free(text);
}

/* ---- As calls ---- */

struct world {
    uv_loop_t loop;
    struct llm *llm;
};

static void world_open(struct world *w, unsigned rate, unsigned concurrent)
{
    struct llm_provider p = {
        .id = "demo", .dialect = LLM_DEMO, .demo_tokens_per_s = rate, .max_concurrent = concurrent};
    struct errbuf e;
    uv_loop_init(&w->loop);
    assert_int_equal(llm_create(&w->llm, &w->loop, &p, 1, &e), 0);
}

static void world_close(struct world *w)
{
    llm_close(w->llm, NULL, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
}

static void test_call(void **state)
{
    struct world w;
    struct recorded r, again;
    (void)state;
    world_open(&w, 20000, 0);
    recorded_init(&r, w.llm, HELLO);
    recorded_init(&again, w.llm, HELLO);
    recorded_start(&r);
    recorded_start(&again);
    turn_until(&w.loop, r.done && again.done);
    assert_int_equal(r.c.status, 0);
    assert_string_equal(r.finish, "stop");
    assert_string_equal(r.model, "demo");
    assert_int_equal(r.c.usage.input_tokens, 1);
    assert_int_equal(r.c.usage.output_tokens, r.deltas);
    assert_int_equal(r.deltas, count_words(r.text.data));
    assert_string_equal(r.text.data, again.text.data);
    recorded_free(&r);
    recorded_free(&again);
    world_close(&w);
}

static void test_max_tokens(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, 20000, 0);
    recorded_init(&r, w.llm,
                  "{\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}],\"max_tokens\":7}");
    recorded_start(&r);
    turn_until(&w.loop, r.done);
    assert_int_equal(r.deltas, 7);
    assert_string_equal(r.finish, "length");
    assert_int_equal(r.c.usage.input_tokens, 2);
    recorded_free(&r);
    world_close(&w);
}

/* 40 to 160 words at 200/s: 0.2 to 0.8 s on average. */
static void test_pace(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, 200, 0);
    recorded_init(&r, w.llm, HELLO);
    recorded_start(&r);
    uint64_t start = uv_hrtime();
    turn_until(&w.loop, r.done);
    double wanted = (double)r.deltas / 200, took = (double)(uv_hrtime() - start) / 1e9;
    assert_true(took > wanted * 0.7); /* no upper bound: the machine may be busy */
    recorded_free(&r);
    world_close(&w);
}

static void hold_at_third(struct recorded *r, bool is_thinking)
{
    (void)is_thinking;
    if (r->deltas == 3)
        llm_call_hold(r->llm, &r->c);
}

static void cancel_at_third(struct recorded *r, bool is_thinking)
{
    (void)is_thinking;
    if (r->deltas == 3)
        llm_call_cancel(r->llm, &r->c);
}

static void test_hold_cancel_queue(void **state)
{
    struct world w;
    struct recorded held, other, third;
    (void)state;
    world_open(&w, 20000, 2);
    recorded_init(&held, w.llm, HELLO);
    recorded_init(&other, w.llm, HELLO);
    recorded_init(&third, w.llm, HELLO);
    held.at_delta = hold_at_third;
    third.at_delta = cancel_at_third;
    recorded_start(&held);
    recorded_start(&other);
    recorded_start(&third); /* waits for a slot */
    turn_until(&w.loop, other.done);
    assert_int_equal(held.deltas, 3);
    turn_until(&w.loop, third.deltas == 3);
    llm_call_unhold(w.llm, &held.c);
    turn_until(&w.loop, held.done);
    assert_string_equal(held.text.data, other.text.data);
    assert_int_equal(third.deltas, 3);
    assert_int_equal(third.done, 0);
    recorded_free(&held);
    recorded_free(&other);
    recorded_free(&third);
    world_close(&w);
}

static void cancel_at_delta(struct recorded *r, bool is_thinking)
{
    (void)is_thinking;
    llm_call_cancel(r->llm, &r->c);
}

static void close_at_done(struct recorded *r)
{
    llm_close(r->llm, NULL, NULL);
}

static void test_from_inside(void **state)
{
    struct world w;
    struct recorded r, last;
    (void)state;
    world_open(&w, 20000, 0);
    recorded_init(&r, w.llm, HELLO);
    r.at_delta = cancel_at_delta;
    recorded_start(&r);
    turn_until(&w.loop, r.deltas);
    recorded_init(&last, w.llm, HELLO);
    last.at_done = close_at_done;
    recorded_start(&last);
    turn_until(&w.loop, last.done);
    assert_int_equal(r.deltas, 1);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    recorded_free(&r);
    recorded_free(&last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length_and_remark),
        cmocka_unit_test(test_tools_are_called_when_asked_for),
        cmocka_unit_test(test_results_are_used),
        cmocka_unit_test(test_deterministic_and_varied),
        cmocka_unit_test(test_sides_and_topics),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_schema_that_refers_to_itself),
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_max_tokens),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_hold_cancel_queue),
        cmocka_unit_test(test_from_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
