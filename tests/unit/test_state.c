#include "engine/state.h"

#include "unit.h"

static void words_go_both_ways(void **state)
{
    (void)state;
    for (int i = SESSION_PENDING; i <= SESSION_CANCELLED; i++) {
        enum session_status s;
        const char *word = session_status_word((enum session_status)i);
        assert_true(session_status_parse(str_of(word), &s));
        assert_int_equal(s, i);
    }
    for (int i = NODE_PENDING; i <= NODE_SKIPPED; i++) {
        enum node_status s;
        assert_true(node_status_parse(str_of(node_status_word((enum node_status)i)), &s));
        assert_int_equal(s, i);
    }
    enum session_status s = SESSION_PAUSED;
    enum node_status n = NODE_FAILED;
    assert_false(session_status_parse(STR("Paused"), &s));
    assert_false(session_status_parse(STR("pause"), &s));
    assert_false(session_status_parse(STR(""), &s));
    assert_false(node_status_parse(STR("paused"), &n));
    assert_int_equal(s, SESSION_PAUSED);
    assert_int_equal(n, NODE_FAILED);
}

/* Row: from; column: to; in the order of the enum. */
static void sessions_move_as_the_diagram_says(void **state)
{
    (void)state;
    static const char *const moves[] = {
        "-x-xxx", /* pending */
        "--xxxx", /* running */
        "-x-xxx", /* paused */
        "------", /* completed */
        "------", /* failed */
        "------", /* cancelled */
    };
    for (int from = 0; from <= SESSION_CANCELLED; from++) {
        bool terminal = true;
        for (int to = 0; to <= SESSION_CANCELLED; to++) {
            bool legal = moves[from][to] == 'x';
            terminal = terminal && !legal;
            assert_int_equal(
                session_move_is_legal((enum session_status)from, (enum session_status)to), legal);
        }
        assert_int_equal(session_status_is_terminal((enum session_status)from), terminal);
    }
}

static void nodes_move_as_the_diagram_says(void **state)
{
    (void)state;
    static const char *const moves[] = {
        "-x---x", /* pending */
        "--xxx-", /* running */
        "-x--x-", /* suspended */
        "------", /* completed */
        "------", /* failed */
        "------", /* skipped */
    };
    for (int from = 0; from <= NODE_SKIPPED; from++)
        for (int to = 0; to <= NODE_SKIPPED; to++)
            assert_int_equal(node_move_is_legal((enum node_status)from, (enum node_status)to),
                             moves[from][to] == 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_go_both_ways),
        cmocka_unit_test(sessions_move_as_the_diagram_says),
        cmocka_unit_test(nodes_move_as_the_diagram_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
