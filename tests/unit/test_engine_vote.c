#include "engine_fixture.h"

/* Defect 7 of the systems this comes from: votes were no votes. Here each voter answers for itself,
 * with a reason, may abstain, and one that cannot be asked abstains. */

#define VOTE(props, rest)                                                                          \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [v]}\n"                                                      \
    "  v:\n"                                                                                       \
    "    type: vote\n"                                                                             \
    "    properties: {voters: [{name: ann}, {name: bob, persona: 'A cat.', model: m2},\n"          \
    "      {name: cy}], " props "}\n"                                                              \
    "    " rest "\n"                                                                               \
    "  yes: {type: transform, properties: {output: '\"went on\"'}, next_ids: [end]}\n"             \
    "  no: {type: transform, properties: {output: '\"turned down\"'}, next_ids: [end]}\n"          \
    "  end: {type: end}\n"
#define ROUTES      "routes: {approve: 'yes', reject: 'no'}"
#define Q           "question: 'Shall we have {{ input.topic }}?'"
#define YES(reason) "{\"decision\":\"yes\",\"score\":8,\"reasoning\":\"" reason "\"}"
#define NO(reason)  "{\"decision\":\"no\",\"score\":2,\"reasoning\":\"" reason "\"}"
#define ABSTAIN     "{\"decision\":\"abstain\",\"score\":5,\"reasoning\":\"Who knows.\"}"

static void open_vote(struct fix *f, const char *yaml, struct fix_call calls[3])
{
    fix_open(f, yaml);
    for (unsigned i = 0; i < 3; i++)
        calls[i] = *fix_call(f, 2 - i);
    fix_quiet(f);
}
static void says(struct fix *f, struct fix_call *c, const char *text)
{
    fix_call_says(f, c, text, NULL);
}
static const char *ended_with(struct fix *f)
{
    static char text[200];
    fix_take(f);
    struct str out = f->rows.row.core.output_json;
    snprintf(text, sizeof(text), "%.*s", STR_FMT(out.p ? out : STR("nothing")));
    return text;
}

/* ---- defect 7 ---- */

static void defect_7_votes_are_real_votes(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call c[3];
    open_vote(&f, VOTE(Q, ROUTES), c);
    /* All at once, each with its own part and the same question, and a schema for the answer. */
    assert_non_null(strstr(c[0].request, "You are ann"));
    assert_non_null(strstr(c[1].request, "You are bob, one of several voters. A cat."));
    assert_non_null(strstr(c[1].request, "\"model\":\"m2\""));
    assert_null(strstr(c[2].request, "A cat."));
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(c[i].request, "Shall we have Cats?"));
        assert_non_null(strstr(c[i].request, "\"enum\":[\"yes\",\"no\",\"abstain\"]"));
    }
    says(&f, &c[2], NO("Fur."));
    fix_quiet(&f);
    says(&f, &c[0], YES("Purr."));
    expect(&f, "v [0] \"{\\\"decision\\\":\\\"yes\\\",\\\"score\\\":8,\\\"reasoning\\\":\\\"Purr."
               "\\\"}\"\n"
               "v token_usage \"m\" 5\n"
               "v message \"{\\\"decision\\\":\\\"yes\\\",\\\"score\\\":8,\\\"reasoning\\\":"
               "\\\"Purr.\\\"}\" \"stop\"\n"
               "v vote_cast \"ann\" \"yes\"\n");
    says(&f, &c[1], ABSTAIN);
    fix_take(&f);
    assert_non_null(
        strstr(fix_text(&f.lines),
               "v vote_result false {\"yes\":1,\"no\":1,\"abstain\":1,\"mean_score\":5}"));
    assert_string_equal(ended_with(&f), "\"turned down\"");
    assert_str(f.s->root.nodes[fix_node(&f, "v")].output,
               "{\"passed\":false,\"tally\":{\"yes\":1,\"no\":1,\"abstain\":1,\"mean_score\":5},"
               "\"votes\":[{\"voter\":\"ann\",\"decision\":\"yes\",\"score\":8,\"reasoning\":"
               "\"Purr.\"},{\"voter\":\"bob\",\"decision\":\"abstain\",\"score\":null,"
               "\"reasoning\":\"Who knows.\"},{\"voter\":\"cy\",\"decision\":\"no\",\"score\":2,"
               "\"reasoning\":\"Fur.\"}]}");
    fix_close(&f);
}

static void defect_7_a_dead_voter_never_says_yes(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call c[3];
    open_vote(&f, VOTE(Q ", threshold: 0.6, quorum: 2", ROUTES), c);
    fix_call_failed(&f, &c[0], "http_503");
    fix_take(&f);
    assert_non_null(strstr(fix_text(&f.lines), "v vote_cast \"ann\" \"abstain\"\n"));
    for (int i = 0; i < 3; i++) { /* never JSON: asked again twice, then it abstains */
        says(&f, i ? fix_call(&f, 0) : &c[1], "I say yes!");
        fix_take(&f);
    }
    assert_non_null(strstr(fix_text(&f.lines), "v vote_cast \"bob\" \"abstain\"\n"));
    says(&f, &c[2], YES("Ok."));
    assert_string_equal(ended_with(&f), "\"turned down\""); /* one of one, but two are wanted */
    assert_non_null(strstr(f.s->root.nodes[fix_node(&f, "v")].output.p,
                           "\"reasoning\":\"It broke.\",\"error\":{\"code\":\"http_503\""));
    fix_close(&f);
}

/* What a voter said before it broke off is void, once, also when the vote fails as a whole. */
static void broken_answers_are_void(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call c[3];
    open_vote(&f, VOTE(Q, ROUTES), c);
    for (int i = 0; i < 3; i++) {
        fix_step(&f, (struct engine_input){.kind = IN_CHUNK, .run_id = c[i].id, .text = STR("{")});
        fix_call_failed(&f, &c[i], "truncated");
    }
    fix_take(&f);
    unsigned resets = 0;
    for (const char *at = fix_text(&f.lines); (at = strstr(at, "stream_reset")); at++)
        resets++;
    assert_int_equal(resets, 3);
    assert_null(strstr(fix_text(&f.lines), " message "));
    fix_close(&f);
}

/* ---- how it is counted ---- */

static void outcomes(void **state)
{
    static const struct {
        const char *props;
        const char *answers[3];
        const char *ends;
    } rows[] = {
        {Q, {YES("a"), YES("b"), NO("c")}, "\"went on\""},
        {Q, {YES("a"), ABSTAIN, NO("c")}, "\"turned down\""}, /* a tie is no majority */
        {Q, {YES("a"), ABSTAIN, ABSTAIN}, "\"went on\""},
        {Q, {ABSTAIN, ABSTAIN, ABSTAIN}, "\"turned down\""},
        {Q ", threshold: 0.5", {YES("a"), ABSTAIN, NO("c")}, "\"went on\""},
        {Q ", threshold: 0.666666667", {YES("a"), YES("b"), NO("c")}, "\"went on\""},
        {Q ", threshold: 0.7", {YES("a"), YES("b"), NO("c")}, "\"turned down\""},
        {Q ", threshold: 0", {NO("a"), NO("b"), NO("c")}, "\"went on\""},
        {Q ", quorum: 3", {YES("a"), YES("b"), ABSTAIN}, "\"turned down\""},
        {Q ", vote_type: score_1_10", {YES("a"), YES("b"), NO("c")}, "\"went on\""}, /* 6 */
        {Q ", vote_type: score_1_10, threshold: 6.1",
         {YES("a"), YES("b"), NO("c")},
         "\"turned down\""},
        {Q ", vote_type: score_1_10, threshold: 8", {YES("a"), ABSTAIN, YES("c")}, "\"went on\""},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        struct fix_call c[3];
        char yaml[2000];
        snprintf(yaml, sizeof(yaml), VOTE("%s", ROUTES), rows[i].props);
        open_vote(&f, yaml, c);
        for (int k = 0; k < 3; k++)
            says(&f, &c[k], rows[i].answers[k]);
        if (strcmp(ended_with(&f), rows[i].ends) != 0)
            fail_msg("row %zu ends with %s", i, ended_with(&f));
        fix_close(&f);
    }
}

static void without_routes_it_just_goes_on(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call c[3];
    open_vote(&f, VOTE(Q, "next_ids: [yes, no]"), c);
    for (int k = 0; k < 3; k++)
        says(&f, &c[k], NO("n"));
    expect_moves(&f, "v +yes yes +no no +end end =completed");
    fix_close(&f);
}

/* ---- answers that cannot be read ---- */

static void a_wrong_answer_is_asked_again(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        struct fix_call c[3];
        open_vote(&f, VOTE(Q, ROUTES), c);
        says(&f, &c[0], "{\"decision\":\"maybe\"}");
        fix_take(&f);
        assert_non_null(strstr(fix_text(&f.lines), "v stream_reset \"schema_mismatch\"\n"));
        if (restart)
            fix_restart(&f);
        for (unsigned i = 0; i < 3; i++) { /* after a restart all three are new */
            const struct fix_call *again = fix_call(&f, i);
            if (!strstr(again->request, "maybe"))
                continue;
            assert_non_null(strstr(again->request, "does not hold to the schema"));
            c[0] = *again;
        }
        if (restart) {
            for (unsigned i = 0; i < 3; i++) {
                const struct fix_call *again = fix_call(&f, i);
                if (strstr(again->request, "You are bob"))
                    c[1] = *again;
                if (strstr(again->request, "You are cy"))
                    c[2] = *again;
            }
        }
        says(&f, &c[0], "```json\n" YES("Yes then.") "\n```");
        says(&f, &c[1], YES("b"));
        says(&f, &c[2], NO("c"));
        assert_string_equal(ended_with(&f), "\"went on\"");
        fix_close(&f);
    }
}

static void when_all_fail_the_node_fails(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call c[3];
    open_vote(&f, VOTE(Q, ROUTES), c);
    for (int k = 0; k < 3; k++)
        fix_call_failed(&f, &c[k], "http_503");
    expect_moves(&f, "v!vote_failed =failed");
    fix_close(&f);
}

/* Another attempt asks only those whose vote is missing. */
static void votes_are_kept_over_attempts(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call c[3];
    open_vote(&f,
              VOTE(Q, "timeout_ms: 1000\n    retry: {max_attempts: 3, initial_ms: 0}\n    " ROUTES),
              c);
    says(&f, &c[1], YES("b"));
    fix_call_failed(&f, &c[2], "http_503");
    fix_quiet(&f);
    fix_fire(&f);
    expect_effects(&f, "clear cancel model model set");
    assert_non_null(strstr(fix_call(&f, 1)->request, "You are ann"));
    assert_non_null(strstr(fix_call(&f, 0)->request, "You are cy"));
    c[0] = *fix_call(&f, 1);
    c[2] = *fix_call(&f, 0);
    says(&f, &c[0], NO("a"));
    says(&f, &c[2], YES("c"));
    assert_string_equal(ended_with(&f), "\"went on\"");
    fix_close(&f);
}

static void votes_survive_a_restart(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call c[3];
    open_vote(&f, VOTE(Q, ROUTES), c);
    says(&f, &c[0], YES("a"));
    says(&f, &c[2], YES("c"));
    fix_restart(&f);
    expect_effects(&f, "model"); /* one is left to be asked */
    fix_quiet(&f);
    struct fix_call again = *fix_call(&f, 0);
    assert_non_null(strstr(again.request, "You are bob"));
    assert_true(id_eq(again.key, c[1].key));
    says(&f, &again, NO("b"));
    assert_string_equal(ended_with(&f), "\"went on\"");
    fix_close(&f);
}

/* An item's failed attempt is not of the node's newest iteration: what it gathered is kept all the
 * same. */
static void votes_of_items_survive_a_restart(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [m]}\n"
                 "  m: {type: map, properties: {items: '{1, 2}', body: [v]}, next_ids: [end]}\n"
                 "  v: {type: vote, properties: {voters: [{name: x}, {name: y}], question: 'Of {{ "
                 "map.item }}'},\n"
                 "      timeout_ms: 1000, retry: {max_attempts: 2, initial_ms: 50}}\n"
                 "  end: {type: end}\n");
    struct fix_call first = *fix_call(&f, 3);
    assert_non_null(strstr(first.request, "You are x"));
    says(&f, &first, YES("a"));
    fix_fire(&f); /* the first item's time is over */
    fix_quiet(&f);
    fix_restart(&f);
    fix_quiet(&f);
    unsigned before = f.started_count;
    fix_fire(&f);
    fix_take(&f);
    assert_int_equal(f.started_count, before + 1);
    assert_non_null(strstr(fix_call(&f, 0)->request, "You are y"));
    assert_non_null(strstr(fix_call(&f, 0)->request, "Of 1"));
    fix_close(&f);
}

static void agents_of_the_workflow_vote(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [pro]}\n"
                 "  pro: {type: agent, properties: {persona: 'For {{ input.topic }}.', model: m9}, "
                 "next_ids: [v]}\n"
                 "  v: {type: vote, properties: {voters: [pro]}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_say(&f, "pro", "They purr.");
    const char *request = fix_call(&f, 0)->request;
    assert_non_null(strstr(request, "You are pro, one of several voters. For Cats."));
    assert_non_null(strstr(request, "\"model\":\"m9\""));
    assert_non_null(strstr(request, "They purr.")); /* what was said is the question */
    fix_close(&f);
}

static void a_budget_holds_voters_back(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, VOTE(Q, ROUTES), "{\"topic\":\"Cats\"}", "{\"tokens\":400}", NULL, false);
    fix_take(&f);
    assert_int_equal(session_status_of(f.s), SESSION_PAUSED);
    assert_int_equal(f.started_count, 2); /* the third would be too much */
    fix_restart(&f);
    fix_step(&f, (struct engine_input){.kind = IN_RESUME, .budget_json = STR("{\"tokens\":9999}")});
    fix_take(&f);
    assert_int_equal(f.started_count, 5); /* the two that were lost, and the third */
    for (unsigned i = 0; i < 3; i++) {
        struct fix_call c = *fix_call(&f, i);
        says(&f, &c, YES("y"));
    }
    assert_string_equal(ended_with(&f), "\"went on\"");
    fix_close(&f);
}

static void bad_votes_are_refused(void **state)
{
    static const char *const bad[][2] = {
        {"{voters: []}", "out_of_range"},
        {"{voters: [a, a]}", "duplicate"},
        {"{voters: [{persona: x}]}", "missing"},
        {"{voters: [a, {name: b, tools: 1}]}", "unknown_field"},
        {"{voters: [a], threshold: 2}", "out_of_range"},
        {"{voters: [a], vote_type: score_1_10, threshold: 0.5}", "out_of_range"},
        {"{voters: [a], quorum: 2}", "out_of_range"},
        {"{voters: [a], vote_type: most}", "out_of_range"},
        {"{voters: [a]}\n    routes: {approve: end, rejected: end}", "bad_route"},
        {"{voters: [a]}\n    routes: {approve: end}", "bad_route"},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(bad); i++) {
        struct buf yaml, json;
        struct errbuf e;
        struct expr_vm *vm = expr_vm_create();
        struct workflow_issues issues;
        struct workflow *wf = NULL;
        buf_init(&yaml, 1u << 16);
        buf_init(&json, 1u << 16);
        buf_printf(&yaml,
                   "nodes:\n  start: {type: start, next_ids: [v]}\n  v:\n    type: vote\n"
                   "    properties: %s\n%s  end: {type: end}\n",
                   bad[i][0], strstr(bad[i][0], "routes") ? "" : "    next_ids: [end]\n");
        assert_int_equal(yaml_to_json(buf_str(&yaml), NULL, &json, &e), 0);
        workflow_issues_init(&issues);
        assert_int_equal(workflow_parse(buf_str(&json), vm, &wf, &issues), ERR_UNPROCESSABLE);
        if (!str_eqz(issues.items[0].code, bad[i][1]))
            fail_msg("%s: %.*s", bad[i][0], STR_FMT(issues.items[0].code));
        workflow_issues_deinit(&issues);
        expr_vm_destroy(vm);
        buf_deinit(&yaml);
        buf_deinit(&json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defect_7_votes_are_real_votes),
        cmocka_unit_test(defect_7_a_dead_voter_never_says_yes),
        cmocka_unit_test(broken_answers_are_void),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(without_routes_it_just_goes_on),
        cmocka_unit_test(a_wrong_answer_is_asked_again),
        cmocka_unit_test(when_all_fail_the_node_fails),
        cmocka_unit_test(votes_are_kept_over_attempts),
        cmocka_unit_test(votes_survive_a_restart),
        cmocka_unit_test(votes_of_items_survive_a_restart),
        cmocka_unit_test(agents_of_the_workflow_vote),
        cmocka_unit_test(a_budget_holds_voters_back),
        cmocka_unit_test(bad_votes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
