#include "engine_fixture.h"

/* What people say while nobody asks: the next model calls hear it, until one of them has ended. */

#define PANEL                                                                                      \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [first]}\n"                                                  \
    "  first: {type: llm, properties: {prompt: One}, next_ids: [p]}\n"                             \
    "  p: {type: parallel, next_ids: [a, b]}\n"                                                    \
    "  a: {type: llm, properties: {prompt: A}, next_ids: [last]}\n"                                \
    "  b: {type: agent, properties: {persona: P, prompt: B}, next_ids: [last]}\n"                  \
    "  last: {type: llm, properties: {prompt: Two}, next_ids: [end]}\n"                            \
    "  end: {type: end}\n"

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not there: %s\nin: %s", part, text);
}
static void hasnt(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("there: %s\nin: %s", part, text);
}
static int say(struct fix *f, const char *text, const char *who)
{
    return fix_try(f, (struct engine_input){
                          .kind = IN_USER_INPUT, .content = str_of(text), .user_id = str_of(who)});
}

static void the_whole_panel_hears_it_once(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call a, b;
    fix_open(&f, PANEL);
    hasnt(fix_call(&f, 0)->request, "Somebody");
    fix_quiet(&f);
    assert_int_equal(say(&f, "Mind the \"price\".", "ann"), 0);
    assert_int_equal(say(&f, "And the cats.", NULL), 0);
    expect(&f, "user_input \"Mind the \\\"price\\\".\"\nuser_input \"And the cats.\"\n");
    assert_str(f.rows.messages->role, "user");
    fix_say(&f, "first", "Said."); /* had begun before */
    a = *fix_call(&f, 1);
    b = *fix_call(&f, 0);
    has(a.request,
        "{\"role\":\"user\",\"content\":\"A\"},{\"role\":\"user\",\"content\":\"Somebody "
        "who follows this session (ann) says: Mind the \\\"price\\\".\\n\\nSomebody who "
        "follows this session says: And the cats.\"}]");
    has(b.request, "{\"role\":\"user\",\"content\":\"B\"},{\"role\":\"user\",\"content\":"
                   "\"Somebody who follows this session (ann) says: Mind");
    fix_call_says(&f, &a, "a", NULL);
    fix_call_says(&f, &b, "b", NULL);
    hasnt(fix_call(&f, 0)->request, "Somebody");
    fix_close(&f);
}

/* A call that fails has told nobody. */
static void until_a_call_has_ended(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [w]}\n"
                 "  w: {type: wait, properties: {duration_ms: 10}, next_ids: [a]}\n"
                 "  a: {type: llm, properties: {prompt: A}, retry: {max_attempts: 2, initial_ms: "
                 "0}, next_ids: [b]}\n"
                 "  b: {type: llm, properties: {prompt: B}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    assert_int_equal(say(&f, "Hear!", "ann"), 0);
    fix_fire(&f);
    has(fix_call(&f, 0)->request, "Hear!");
    fix_call_failed(&f, fix_call(&f, 0), "http_503");
    has(fix_call(&f, 0)->request, "Hear!");
    assert_int_equal(say(&f, "More!", "bob"), 0);
    fix_call_says(&f, fix_call(&f, 0), "a", NULL);
    hasnt(fix_call(&f, 0)->request, "Hear!");
    has(fix_call(&f, 0)->request, "(bob) says: More!");
    fix_close(&f);
}

#define FIND "[{\"id\":\"c1\",\"name\":\"find\",\"arguments\":\"{\\\"query\\\":\\\"x\\\"}\"}]"
#define AGENT(props)                                                                               \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [a]}\n"                                                      \
    "  a: {type: agent, properties: {persona: P, prompt: Q, " props "}, next_ids: [b]}\n"          \
    "  b: {type: llm, properties: {prompt: B}, next_ids: [end]}\n"                                 \
    "  end: {type: end}\n"

/* Between rounds of tools it comes in after their results, and stays in the conversation. */
static void rounds_of_tools_hear_it(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT("tools: [{name: find, tool: web_search}]"));
    fix_call_says(&f, fix_call(&f, 0), "", FIND);
    assert_int_equal(say(&f, "Hear!", "ann"), 0);
    fix_restart(&f);
    fix_call_done(&f, fix_call(&f, 0), "\"found\"");
    has(fix_call(&f, 0)->request,
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"found\"},{\"role\":\"user\","
        "\"content\":\"Somebody who follows this session (ann) says: Hear!\"}]");
    fix_restart(&f);
    fix_call_says(&f, fix_call(&f, 0), "", FIND); /* it has been heard, and is not forgotten */
    fix_call_done(&f, fix_call(&f, 0), "\"more\"");
    const char *once = strstr(fix_call(&f, 0)->request, "Hear!");
    assert_non_null(once);
    hasnt(once + 1, "Hear!");
    fix_call_says(&f, fix_call(&f, 0), "Done.", NULL);
    hasnt(fix_call(&f, 0)->request, "Hear!");
    fix_close(&f);
}

static void wrong_answers_and_voters(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call x, y;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [v]}\n"
                 "  v: {type: vote, properties: {voters: [{name: x}, {name: y}], question: Q},\n"
                 "      next_ids: [end]}\n"
                 "  end: {type: end, properties: {prompt: Sum up.}}\n");
    fix_take(&f);
    x = *fix_call(&f, 1);
    y = *fix_call(&f, 0);
    assert_int_equal(say(&f, "Hear!", "ann"), 0);
    fix_call_says(&f, &x, "maybe", NULL);
    has(fix_call(&f, 0)->request, "that was asked for.\"},{\"role\":\"user\",\"content\":"
                                  "\"Somebody who follows this session (ann) says: Hear!\"}]");
    fix_call_failed(&f, fix_call(&f, 0), "http_503");
    fix_call_says(&f, &y, "{\"decision\":\"yes\",\"score\":8,\"reasoning\":\"y\"}", NULL);
    has(fix_call(&f, 0)->request, "Hear!"); /* the report: nobody else had it */
    fix_close(&f);
    fix_open(&f, AGENT("response_schema: {type: object}"));
    assert_int_equal(say(&f, "Hear!", "ann"), 0);
    fix_call_says(&f, fix_call(&f, 0), "no", NULL);
    has(fix_call(&f, 0)->request, "Hear!");
    fix_call_says(&f, fix_call(&f, 0), "no", NULL);
    has(fix_call(&f, 0)->request, "Hear!");
    fix_call_says(&f, fix_call(&f, 0), "{}", NULL);
    hasnt(fix_call(&f, 0)->request, "Hear!");
    fix_close(&f);
}

/* Who waits for a person is answered; the rest hears nothing of it. */
static void an_answer_is_none(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [u]}\n"
                 "  u: {type: user_input, next_ids: [b]}\n"
                 "  b: {type: llm, properties: {prompt: B}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    assert_int_equal(say(&f, "Hear!", "ann"), 0);
    hasnt(fix_call(&f, 0)->request, "Hear!");
    fix_close(&f);
}

static void restart_and_pause(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, PANEL);
    assert_int_equal(say(&f, "Hear!", "ann"), 0);
    fix_restart(&f);
    fix_command(&f, IN_PAUSE);
    fix_quiet(&f);
    assert_int_equal(say(&f, "In the pause.", "bob"), 0);
    expect(&f, ""); /* nothing is seen of it */
    fix_restart(&f);
    fix_command(&f, IN_RESUME);
    fix_take(&f);
    has(fix_text(&f.lines), "user_input \"In the pause.\"");
    hasnt(fix_call(&f, 0)->request, "Hear!"); /* the call from before, again */
    fix_call_says(&f, fix_call(&f, 0), "Said.", NULL);
    has(fix_call(&f, 0)->request, "Hear!");
    has(fix_call(&f, 1)->request, "Hear!\\n\\nSomebody who follows this session (bob) says: In");
    fix_command(&f, IN_PAUSE);
    fix_call_says(&f, fix_call(&f, 0), "b", NULL); /* its end is withheld: not over yet */
    fix_restart(&f);
    fix_command(&f, IN_RESUME);
    fix_take(&f);
    has(fix_call(&f, 0)->request, "Hear!"); /* a, again */
    fix_call_says(&f, fix_call(&f, 0), "a", NULL);
    hasnt(fix_call(&f, 0)->request, "Hear!");
    fix_command(&f, IN_PAUSE);
    for (unsigned i = 0; i < SAID_MAX; i++)
        assert_int_equal(say(&f, "More.", NULL), 0);
    assert_int_equal(say(&f, "Too much.", NULL), ERR_CONFLICT);
    fix_close(&f);
}

static void there_is_an_end_to_it(void **state)
{
    (void)state;
    struct fix f;
    char text[SAID_CONTENT_MAX + 2];
    fix_open(&f, PANEL);
    memset(text, 'x', sizeof(text));
    text[SAID_CONTENT_MAX + 1] = 0;
    assert_int_equal(say(&f, text, NULL), ERR_TOO_LARGE);
    text[SAID_CONTENT_MAX] = 0;
    assert_int_equal(say(&f, "first", NULL), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(say(&f, text, NULL), 0);
    assert_in_range(f.s->said_bytes, SAID_CONTENT_MAX, SAID_BYTES_MAX);
    fix_take(&f);
    has(f.rows.events.data, "\"level\":\"warn\"");
    for (unsigned i = 0; i < SAID_MAX + 3; i++) {
        snprintf(text, sizeof(text), "number %u.", i);
        assert_int_equal(say(&f, text, NULL), 0);
    }
    assert_int_equal(f.s->said_count, SAID_MAX);
    fix_restart(&f);
    assert_int_equal(f.s->said_count, SAID_MAX);
    fix_call_says(&f, fix_call(&f, 0), "Said.", NULL);
    hasnt(fix_call(&f, 0)->request, "number 2.");
    has(fix_call(&f, 0)->request, "number 3.");
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_panel_hears_it_once),
        cmocka_unit_test(until_a_call_has_ended),
        cmocka_unit_test(rounds_of_tools_hear_it),
        cmocka_unit_test(wrong_answers_and_voters),
        cmocka_unit_test(an_answer_is_none),
        cmocka_unit_test(restart_and_pause),
        cmocka_unit_test(there_is_an_end_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
