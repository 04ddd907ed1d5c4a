#include "engine_fixture.h"

/* Joins, branches, dead paths, what is skipped. Models stand for anything that takes time. */

#define M(id, more) "  " id ": {type: llm, properties: {prompt: x}, " more "}\n"
#define HEAD        "nodes:\n  start: {type: start, next_ids: [fork]}\n"
#define END         "  end: {type: end}\n"

static void all_waits_for_every_branch(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, HEAD "  fork: {type: parallel, next_ids: [a, b, c]}\n" M("a", "next_ids: [end]")
                     M("b", "next_ids: [end]") M("c", "next_ids: [end]") END);
    expect_moves(&f, "=running +start start +fork fork +a +b +c");
    fix_say(&f, "b", "B");
    expect_moves(&f, "b");
    fix_say(&f, "c", "C");
    expect_moves(&f, "c");
    fix_say(&f, "a", "A");
    expect(&f, "a [0] \"A\"\n"
               "a token_usage \"m\" 5\n"
               "a message \"A\" \"stop\"\n"
               "a running>completed \"A\"\n"
               "end pending>running\n"
               "end running>completed {\"a\":\"A\",\"b\":\"B\",\"c\":\"C\"}\n"
               "session running>completed {\"a\":\"A\",\"b\":\"B\",\"c\":\"C\"}\n");
    fix_close(&f);
}

static void any_starts_at_the_first(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, HEAD "  fork: {type: parallel, next_ids: [a, b]}\n" M("a", "next_ids: [x]")
                     M("b", "next_ids: [x]") M("x", "join: any, next_ids: [end]") END);
    fix_quiet(&f);
    fix_say(&f, "b", "B");
    expect_moves(&f, "b +x");
    fix_say(&f, "a", "A"); /* too late: ignored */
    expect_moves(&f, "a");
    fix_say(&f, "x", "X");
    expect_moves(&f, "x +end end =completed");
    fix_close(&f);
}

/* The end has run; whatever still runs can reach no other. */
static void rest_is_cut_at_the_end(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, HEAD "  fork: {type: parallel, next_ids: [a, b, c]}\n" M("a", "next_ids: [end]")
                     M("b", "next_ids: [d]") M("c", "next_ids: [d]")
                         M("d", "next_ids: [end]") "  end: {type: end, join: any}\n");
    fix_chunk(&f, "b", "half");
    fix_say(&f, "c", "C");
    fix_quiet(&f);
    fix_say(&f, "a", "A");
    expect(&f, "a [0] \"A\"\n"
               "a token_usage \"m\" 5\n"
               "a message \"A\" \"stop\"\n"
               "a running>completed \"A\"\n"
               "end pending>running\n"
               "end running>completed \"A\"\n"
               "b message \"half\" \"cancelled\"\n"
               "b token_usage null 1\n"
               "b running>failed cancelled\n"
               "d pending>skipped\n"
               "session running>completed \"A\"\n");
    fix_close(&f);
}

static void two_ends_both_run(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, HEAD "  fork: {type: parallel, next_ids: [a, b]}\n" M("a", "next_ids: [one]")
                     M("b", "next_ids: [two]") "  one: {type: end}\n  two: {type: end}\n");
    fix_quiet(&f);
    fix_say(&f, "a", "A");
    expect_moves(&f, "a +one one");
    fix_say(&f, "b", "B");
    expect_moves(&f, "b +two two =completed");
    assert_str(f.rows.row.core.output_json, "{\"one\":\"A\",\"two\":\"B\"}");
    fix_close(&f);
}

static void count_joins(void **state)
{
    (void)state;
    struct fix f;
    const char *yaml = HEAD
        "  fork: {type: parallel, next_ids: [a, b, c]}\n" M("a", "next_ids: [x], on_error: away")
            M("b", "next_ids: [x], on_error: away") M("c", "next_ids: [x], on_error: away") M(
                "x", "join: 2, next_ids: [end]") "  away: {type: transform, join: any, properties: "
                                                 "{output: '1'}, next_ids: [end]}\n" END;
    fix_open(&f, yaml);
    fix_quiet(&f);
    fix_say(&f, "c", "C");
    expect_moves(&f, "c");
    fix_say(&f, "a", "A");
    expect_moves(&f, "a +x");
    fix_close(&f);

    /* Two of three can no longer come. */
    fix_open(&f, yaml);
    fix_quiet(&f);
    fix_say(&f, "c", "C");
    fix_fail(&f, "a", "bad");
    expect_moves(&f, "c a!bad +away away");
    fix_fail(&f, "b", "bad");
    expect_moves(&f, "b!bad +x x!join_not_met =failed");
    fix_close(&f);
}

static void dead_paths_settle_joins(void **state)
{
    (void)state;
    struct fix f;
    /* a goes elsewhere, b is skipped by its condition, c fails and is tolerated */
    fix_open(&f,
             HEAD "  fork: {type: parallel, next_ids: [a, b, c, d]}\n"
                  "  a: {type: switch, properties: {cases: [{when: 'false', to: x}], default: y}}\n"
                  "  y: {type: transform, properties: {output: '1'}, next_ids: [end]}\n"
                  "  b: {type: transform, when: 'false', properties: {output: '1'}, "
                  "next_ids: [b2]}\n"
                  "  b2: {type: transform, properties: {output: '1'}, next_ids: [x]}\n" M(
                      "c", "on_error: continue, next_ids: [x]") M("d", "next_ids: [x]")
                      M("x", "next_ids: [end]") END);
    expect_moves(&f, "=running +start start +fork fork +a a b- +c +d +y y b2-");
    fix_fail(&f, "c", "bad");
    expect_moves(&f, "c!bad");
    fix_say(&f, "d", "D");
    expect_moves(&f, "d +x");
    fix_say(&f, "x", "X");
    expect_moves(&f, "x +end end =completed");
    assert_str(f.rows.row.core.output_json, "{\"y\":1,\"x\":\"X\"}");
    fix_close(&f);
}

static void skipped_everywhere_reaches_no_end(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [t]}\n"
                 "  t: {type: transform, when: 'false', properties: {output: '1'}, "
                 "next_ids: [end]}\n" END);
    expect_moves(&f, "=running +start start t- end- =failed");
    assert_non_null(strstr(f.rows.row.core.error_json.p, "no_end_reached"));
    fix_close(&f);
}

static void suspended_branch_holds_the_join(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, HEAD "  fork: {type: parallel, next_ids: [a, r]}\n" M(
                     "a", "next_ids: [x]") "  r: {type: human_review, routes: {approve: x, reject: "
                                           "end}}\n" M("x", "next_ids: [end]") END);
    fix_say(&f, "a", "A");
    expect_moves(&f, "=running +start start +fork fork +a +r r? a");
    assert_int_equal(fix_answer(&f, "r", "reject", "null"), 0);
    expect_moves(&f, "r +x"); /* the end waits for x as well */
    fix_say(&f, "x", "X");
    expect_moves(&f, "x +end end =completed");
    fix_close(&f);
}

static void nested_parallels(void **state)
{
    (void)state;
    struct fix f;
    fix_open(
        &f,
        HEAD "  fork: {type: parallel, next_ids: [a, inner]}\n" M(
            "a", "next_ids: [x]") "  inner: {type: parallel, next_ids: [b, c]}\n" M("b",
                                                                                    "next_ids: [j]")
            M("c", "next_ids: [j]") M("j", "next_ids: [x]") M("x", "next_ids: [end]") END);
    expect_moves(&f, "=running +start start +fork fork +a +inner inner +b +c");
    fix_say(&f, "b", "B");
    fix_say(&f, "a", "A");
    fix_say(&f, "c", "C");
    expect_moves(&f, "b a c +j");
    fix_say(&f, "j", "J");
    expect_moves(&f, "j +x");
    fix_close(&f);
}

static void branches_wait_for_room(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, HEAD "  fork: {type: parallel, properties: {max_concurrent: 2}, "
                      "next_ids: [a, b, c, d]}\n" M("a", "next_ids: [a2]") M("a2", "next_ids: [x]")
                          M("b", "next_ids: [x]") M("c", "when: 'false', next_ids: [x]")
                              M("d", "next_ids: [x]") M("x", "next_ids: [end]") END);
    expect_moves(&f, "=running +start start +fork fork +a +b");
    fix_say(&f, "a", "A"); /* the branch goes on */
    expect_moves(&f, "a +a2");
    fix_say(&f, "b", "B"); /* c is over at once: room for d as well */
    expect_moves(&f, "b c- +d");
    fix_restart(&f);
    expect_moves(&f, "a2!interrupted +a2#2 d!interrupted +d#2");
    fix_say(&f, "d", "D");
    fix_say(&f, "a2", "A");
    expect_moves(&f, "d#2 a2#2 +x");
    fix_close(&f);
}

static void queued_branches_survive_a_restart(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, HEAD "  fork: {type: parallel, properties: {max_concurrent: 1}, "
                      "next_ids: [a, b, c]}\n" M("a", "next_ids: [x]") M("b", "next_ids: [x]")
                          M("c", "next_ids: [x]") M("x", "next_ids: [end]") END);
    fix_restart(&f);
    fix_quiet(&f);
    fix_say(&f, "a", "A");
    fix_restart(&f);
    fix_quiet(&f);
    fix_say(&f, "b", "B");
    expect_moves(&f, "b#2 +c");
    fix_say(&f, "c", "C");
    expect_moves(&f, "c +x");
    fix_close(&f);
}

/* A review further on may send back to before the fork, but that would begin everything anew: the
 * join in one branch does not wait for the other branch because of it. */
static void far_review_holds_up_no_join(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [fork]}\n"
                 "  fork: {type: parallel, properties: {max_concurrent: 1}, next_ids: [a, b]}\n" M(
                     "a", "next_ids: [x], on_error: x") M("x", "next_ids: [r]")
                     M("b", "next_ids: [r]") "  r: {type: human_review, routes: {approve: end, "
                                             "reject: fork}}\n" END);
    fix_say(&f, "a", "A");
    expect_moves(&f, "=running +start start +fork fork +a a +x");
    fix_say(&f, "x", "X");
    expect_moves(&f, "x +b");
    fix_close(&f);
}

static void join_counts_only_forward_edges(void **state)
{
    (void)state;
    struct fix f;
    fix_open(
        &f,
        "nodes:\n"
        "  start: {type: start, next_ids: [w]}\n" M(
            "w",
            "next_ids: [r]") "  r: {type: human_review, routes: {approve: end, reject: w}}\n" END);
    expect_moves(&f, "=running +start start +w");
    fix_close(&f);
}

/* c's other edge can no longer come, so it goes in the same moment, and leads back to the loop:
 * until it has gone, nothing may be given up that follows the loop. */
static void what_goes_at_once_is_at_work(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [p]}\n"
                 "  end: {type: end}\n"
                 "  p: {type: parallel, next_ids: [a, l]}\n"
                 "  a: {type: llm, properties: {prompt: x}, next_ids: [j]}\n"
                 "  l: {type: loop, properties: {max_rounds: 2}, next_ids: [b, j]}\n"
                 "  j: {type: llm, join: 2, properties: {prompt: x}, next_ids: [end]}\n"
                 "  b: {type: llm, properties: {prompt: x}, next_ids: [c], on_error: c}\n"
                 "  c: {type: llm, properties: {prompt: x}, next_ids: [l]}\n");
    fix_quiet(&f);
    fix_say(&f, "a", "x");
    expect_moves(&f, "a");
    fix_say(&f, "b", "x");
    expect_moves(&f, "b +c");
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_waits_for_every_branch),
        cmocka_unit_test(any_starts_at_the_first),
        cmocka_unit_test(rest_is_cut_at_the_end),
        cmocka_unit_test(two_ends_both_run),
        cmocka_unit_test(count_joins),
        cmocka_unit_test(dead_paths_settle_joins),
        cmocka_unit_test(skipped_everywhere_reaches_no_end),
        cmocka_unit_test(suspended_branch_holds_the_join),
        cmocka_unit_test(nested_parallels),
        cmocka_unit_test(branches_wait_for_room),
        cmocka_unit_test(queued_branches_survive_a_restart),
        cmocka_unit_test(far_review_holds_up_no_join),
        cmocka_unit_test(join_counts_only_forward_edges),
        cmocka_unit_test(what_goes_at_once_is_at_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
