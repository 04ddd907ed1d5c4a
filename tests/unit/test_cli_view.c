#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/view.h"

static struct {
    struct term t;
    struct view v;
    char *text;
    size_t len;
} s;

/* A view on a terminal of so many columns (0: a pipe), without colours, of the nodes pro and con.
 */
static void view_open(int columns)
{
    term_init(&s.t, open_memstream(&s.text, &s.len));
    s.t.columns = columns;
    s.t.is_tty = columns > 0;
    s.t.has_color = false;
    view_init(&s.v, &s.t);
    view_expect(&s.v, STR("pro"));
    view_expect(&s.v, STR("con"));
}

static void view_is(const char *wanted)
{
    fflush(s.t.file);
    assert_string_equal(s.text, wanted);
}

static void view_close(void)
{
    view_deinit(&s.v);
    fclose(s.t.file);
    free(s.text);
}

/* Data with ' for ". Events that come together end with settle(). */
static void event(const char *type, const char *node, const char *data)
{
    struct buf b;
    buf_init(&b, 10000);
    buf_printf(&b, "{'type':'%s','node_id':'%s','timestamp':'2026-01-02T03:04:05.000Z','data':%s}",
               type, node, data);
    for (size_t i = 0; i < b.len; i++)
        if (b.data[i] == '\'')
            b.data[i] = '"';
    assert_int_equal(json_check(buf_str(&b), NULL, NULL), 0);
    view_event(&s.v, json_root(buf_str(&b)));
    buf_deinit(&b);
}

static void settle(void)
{
    view_settle(&s.v);
}

static void token(const char *node, const char *chunk)
{
    char data[500];
    snprintf(data, sizeof(data), "{'message_id':'m-%s','index':0,'chunk':'%s','is_thinking':false}",
             node, chunk);
    event("token_stream", node, data);
    settle();
}

static void message(const char *node, const char *content)
{
    char data[500];
    snprintf(data, sizeof(data), "{'message_id':'m-%s','role':'assistant','content':'%s'}", node,
             content);
    event("message", node, data);
    settle();
}

static void test_tokens_come_as_they_are(void **state)
{
    (void)state;
    view_open(0);
    token("pro", "Four");
    view_is("pro   │ Four");
    token("pro", " days");
    view_is("pro   │ Four days");
    token("pro", ".\\nBut");
    view_is("pro   │ Four days.\npro   │ But");
    message("pro", "Four days.\\nBut");
    view_is("pro   │ Four days.\npro   │ But\n");
    view_close();
}

static void test_lines_wrap_at_words(void **state)
{
    (void)state;
    view_open(32); /* 24 for text */
    token("pro", "one two three four five ");
    token("pro", "six seven");
    view_is("pro   │ one two three four five\npro   │ six");
    message("pro", "");
    view_is("pro   │ one two three four five\npro   │ six seven\n");
    view_close();
}

static void test_two_streams_do_not_mix_in_a_line(void **state)
{
    (void)state;
    view_open(0);
    token("pro", "P1");
    token("con", "C1");
    token("pro", " P2");
    token("con", " C2\\nC3");
    view_is("pro   │ P1 P2");
    token("pro", "\\n");
    view_is("pro   │ P1 P2\ncon   │ C1 C2\n");
    token("pro", "P3");
    view_is("pro   │ P1 P2\ncon   │ C1 C2\npro   │ P3");
    message("con", "");
    view_is("pro   │ P1 P2\ncon   │ C1 C2\npro   │ P3\ncon   │ C3\n");
    token("pro", "P4");
    message("pro", "");
    view_is("pro   │ P1 P2\ncon   │ C1 C2\npro   │ P3\ncon   │ C3\npro   │ P4\n");
    view_close();
}

/* On a terminal a line ends where it wraps: then the other, who has whole lines, gets his turn. */
static void test_streams_take_turns_where_lines_wrap(void **state)
{
    (void)state;
    view_open(32);
    token("pro", "one two three four ");
    token("con", "eins zwei drei vier funf sechs sieben acht");
    view_is("pro   │ one two three four");
    token("pro", "five six seven ");
    view_is("pro   │ one two three four five\n"
            "con   │ eins zwei drei vier funf\n"
            "pro   │ six seven");
    message("pro", "");
    message("con", "");
    fflush(s.t.file);
    assert_non_null(strstr(s.text, "pro   │ six seven \ncon   │ sechs sieben acht\n"));
    view_close();
}

static void test_a_call_that_begins_again(void **state)
{
    (void)state;
    view_open(0);
    token("pro", "lost");
    event("stream_reset", "pro", "{'message_id':'m-pro','reason':'truncated'}");
    settle();
    token("pro", "kept");
    message("pro", "kept");
    view_is("pro   │ lost\n"
            "pro   ↺ begins again, truncated: what it said so far is void\n"
            "pro   │ kept\n");
    view_close();
}

static void test_nodes_are_told_when_they_take_time(void **state)
{
    (void)state;
    view_open(0);
    event("node_state_change", "pro",
          "{'from':'pending','to':'running','attempt':1,'iteration':1}");
    event("node_state_change", "pro",
          "{'from':'running','to':'completed','attempt':1,'iteration':1}");
    settle();
    event("node_state_change", "con",
          "{'from':'pending','to':'running','attempt':2,'iteration':3}");
    settle();
    event("node_state_change", "con",
          "{'from':'running','to':'failed','attempt':2,'iteration':3,'error':{'code':'x','message':"
          "'no luck'}}");
    event("node_state_change", "pro",
          "{'from':'pending','to':'skipped','attempt':1,'iteration':2}");
    settle();
    view_is("pro   ✓ completed\n"
            "con   ▸ running · iteration 3 · attempt 2\n"
            "con   ✗ failed · iteration 3 · attempt 2: no luck\n"
            "pro   – skipped\n");
    view_close();
}

static void test_the_session_and_its_question(void **state)
{
    (void)state;
    view_open(0);
    event("session_state_change", "", "{'from':'pending','to':'running'}");
    event("human_interaction_required", "con",
          "{'interrupt_id':'i','kind':'approve_reject','reason':'Good?','actions':['approve'],"
          "'draft':'The text'}");
    event("node_resumed", "con",
          "{'interrupt_id':'i','action':'approve','data':null,'reviewer':'Ada'}");
    event("session_state_change", "",
          "{'from':'running','to':'paused','reason':'lunch','quiesced':true}");
    settle();
    view_is("─── running ───\n"
            "con   │ The text\n"
            "con   ? Good?\n"
            "con   » approve, by Ada\n"
            "─── paused: lunch ───\n");
    view_close();
}

/* Whole lines come above the prompt, which then stands below them again. */
static void test_the_prompt_stays_last(void **state)
{
    (void)state;
    view_open(40);
    view_prompt(&s.v, "go? > ");
    settle();
    view_is("go? > ");
    token("pro", "not whole");
    view_is("go? > ");
    token("pro", " yet\\nand");
    view_is("go? > \r\033[Kpro   │ not whole yet\ngo? > ");
    view_prompt_done(&s.v);
    settle();
    message("pro", "");
    view_is("go? > \r\033[Kpro   │ not whole yet\ngo? > pro   │ and\n");
    view_close();
}

static void test_peers_cannot_move_the_cursor(void **state)
{
    (void)state;
    view_open(0);
    token("pro", "a\\u001b[2Jb");
    message("pro", "");
    event("log", "con", "{'level':'info','text':'x\\u0007y\\nz'}");
    settle();
    view_is("pro   │ a[2Jb\ncon   · xy z\n");
    view_close();
}

static void test_tools_are_named(void **state)
{
    (void)state;
    view_open(0);
    event("tool_execution", "pro", "{'tool':'http','name':'get','status':'started'}");
    event("tool_execution", "pro", "{'tool':'http','name':'get','status':'completed'}");
    event("tool_execution", "con", "{'tool':'http','status':'started'}");
    event("tool_execution", "con",
          "{'tool':'http','status':'failed','error':{'code':'c','message':'It broke.'}}");
    settle();
    view_is("pro   ⚙ get\ncon   ⚙ http\ncon   ⚙ http failed: It broke.\n");
    view_close();
}

static void test_json_is_indented(void **state)
{
    static const struct {
        const char *text, *pretty;
    } rows[] = {
        {"1", "1"},
        {"[]", "[]"},
        {"{\"a\":[1,{\"b\":null}],\"c\":{}}",
         "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {}\n}"},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        view_json(&b, json_root(str_of(rows[i].text)));
        assert_str(buf_str(&b), rows[i].pretty);
        buf_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_come_as_they_are),
        cmocka_unit_test(test_lines_wrap_at_words),
        cmocka_unit_test(test_two_streams_do_not_mix_in_a_line),
        cmocka_unit_test(test_streams_take_turns_where_lines_wrap),
        cmocka_unit_test(test_a_call_that_begins_again),
        cmocka_unit_test(test_nodes_are_told_when_they_take_time),
        cmocka_unit_test(test_the_session_and_its_question),
        cmocka_unit_test(test_the_prompt_stays_last),
        cmocka_unit_test(test_peers_cannot_move_the_cursor),
        cmocka_unit_test(test_tools_are_named),
        cmocka_unit_test(test_json_is_indented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
