#include "engine_fixture.h"

/* Defect 7, its other half: fact checks check claims, against a threshold. And what nodes recall:
 * memories of a group, the rounds of this session. */

#define CHECK(props, rest)                                                                         \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [f]}\n"                                                      \
    "  f:\n"                                                                                       \
    "    type: fact_check\n"                                                                       \
    "    properties: {text: 'Of {{ input.topic }}.'" props "}\n"                                   \
    "    " rest "\n"                                                                               \
    "  yes: {type: transform, properties: {output: '\"good\"'}, next_ids: [end]}\n"                \
    "  no: {type: transform, properties: {output: '\"bad\"'}, next_ids: [end]}\n"                  \
    "  end: {type: end}\n"
#define ROUTES "routes: {approve: 'yes', reject: 'no'}"
#define CLAIMS2                                                                                    \
    "{\"claims\":[{\"claim\":\"Cats purr.\",\"queries\":[\"do cats purr\"]},"                      \
    "{\"claim\":\"Cats fly.\",\"queries\":[]}]}"
#define RESULTS                                                                                    \
    "{\"results\":[{\"title\":\"T\",\"url\":\"https://x.test/1\",\"snippet\":\"S\"},"              \
    "{\"title\":\"U\",\"url\":\"https://x.test/2\",\"snippet\":\"V\"}]}"
#define SUPPORTED  "{\"verdict\":\"supported\",\"reasoning\":\"So says 2.\",\"sources\":[2,9]}"
#define REFUTED    "{\"verdict\":\"refuted\",\"reasoning\":\"No wings.\",\"sources\":[]}"
#define UNVERIFIED "{\"verdict\":\"unverified\",\"reasoning\":\"Hm.\",\"sources\":[]}"

static void says(struct fix *f, const char *text)
{
    struct fix_call c = *fix_call(f, 0);
    fix_call_says(f, &c, text, NULL);
}
static const char *ended_with(struct fix *f)
{
    static char text[2000];
    fix_take(f);
    struct str out = f->rows.row.core.output_json;
    snprintf(text, sizeof(text), "%.*s", STR_FMT(out.p ? out : STR("nothing")));
    return text;
}

static void defect_7_claims_are_checked(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, CHECK("", ROUTES));
    assert_non_null(strstr(fix_call(&f, 0)->request, "Text:\\nOf Cats."));
    fix_quiet(&f);
    says(&f, CLAIMS2);
    expect_effects(&f, "tool tool");
    struct fix_call purr = *fix_call(&f, 1), fly = *fix_call(&f, 0);
    assert_string_equal(purr.request, "{\"tool\":\"web_search\",\"node_id\":\"f\",\"arguments\":{"
                                      "\"query\":\"do cats purr\",\"max_results\":5}}");
    assert_non_null(strstr(fly.request, "\"query\":\"Cats fly.\"")); /* no query: the claim */
    fix_call_done(&f, &purr, RESULTS);
    struct fix_call judge = *fix_call(&f, 0);
    assert_non_null(strstr(judge.request, "Claim: Cats purr."));
    assert_non_null(strstr(judge.request, "[2] U https://x.test/2\\nV"));
    fix_quiet(&f);
    fix_call_says(&f, &judge, SUPPORTED, NULL);
    fix_take(&f);
    assert_non_null(
        strstr(fix_text(&f.lines), "f fact_check_progress 2 \"Cats purr.\" \"supported\"\n"));
    assert_non_null(strstr(f.rows.events.data,
                           "\"current\":1,\"total\":2,\"claim\":\"Cats purr.\",\"verdict\":"
                           "\"supported\",\"sources\":[{\"title\":\"U\",\"url\":"
                           "\"https://x.test/2\"}]"));
    fix_call_done(&f, &fly, RESULTS);
    says(&f, REFUTED);
    assert_string_equal(ended_with(&f), "\"bad\""); /* half, and 0.7 is wanted */
    assert_str(f.s->root.nodes[fix_node(&f, "f")].output,
               "{\"passed\":false,\"pass_rate\":0.5,\"supported\":1,\"refuted\":1,\"unverified\":0,"
               "\"claims\":[{\"claim\":\"Cats purr.\",\"verdict\":\"supported\",\"reasoning\":"
               "\"So says 2.\",\"sources\":[{\"title\":\"U\",\"url\":\"https://x.test/2\"}]},"
               "{\"claim\":\"Cats fly.\",\"verdict\":\"refuted\",\"reasoning\":\"No wings.\","
               "\"sources\":[]}]}");
    fix_close(&f);
}

static void defect_7_the_threshold_decides(void **state)
{
    static const struct {
        const char *props, *rest, *verdicts[2], *ends;
    } rows[] = {
        {", max_queries: 0", ROUTES, {SUPPORTED, SUPPORTED}, "\"good\""},
        {", max_queries: 0", ROUTES, {SUPPORTED, UNVERIFIED}, "\"bad\""},
        {", max_queries: 0, verify_threshold: 0.5", ROUTES, {SUPPORTED, REFUTED}, "\"good\""},
        {", max_queries: 0, verify_threshold: 0", ROUTES, {REFUTED, REFUTED}, "\"good\""},
        {", max_queries: 0",
         "routes: {verified: 'yes', failed: 'no'}",
         {SUPPORTED, SUPPORTED},
         "\"good\""},
        {", max_queries: 0",
         "routes: {verified: 'yes', failed: 'no'}",
         {SUPPORTED, REFUTED},
         "\"bad\""},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char yaml[2000];
        snprintf(yaml, sizeof(yaml), CHECK("%s", "%s"), rows[i].props, rows[i].rest);
        fix_open(&f, yaml);
        says(&f, CLAIMS2);
        struct fix_call first = *fix_call(&f, 1), second = *fix_call(&f, 0);
        assert_non_null(strstr(first.request, "what you know"));
        fix_call_says(&f, &first, rows[i].verdicts[0], NULL);
        fix_call_says(&f, &second, rows[i].verdicts[1], NULL);
        if (strcmp(ended_with(&f), rows[i].ends) != 0)
            fail_msg("row %zu ends with %s", i, ended_with(&f));
        fix_close(&f);
    }
}

static void without_claims_it_passes(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, CHECK("", ROUTES));
    says(&f, "{\"claims\":[]}");
    assert_string_equal(ended_with(&f), "\"good\"");
    assert_non_null(strstr(f.s->root.nodes[fix_node(&f, "f")].output.p, "\"pass_rate\":1"));
    fix_close(&f);
}

/* Nothing found is nothing shown: nobody is asked to make a verdict up. */
static void a_dead_source_supports_nothing(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, CHECK(", search_sources: [a, web_search]", ROUTES));
    says(&f, CLAIMS2);
    struct fix_call calls[4];
    for (unsigned i = 0; i < 4; i++)
        calls[i] = *fix_call(&f, 3 - i);
    assert_non_null(strstr(calls[0].request, "\"source\":\"a\""));
    assert_null(strstr(calls[1].request, "\"source\""));
    fix_quiet(&f);
    fix_call_failed(&f, &calls[0], "http_503");
    fix_call_failed(&f, &calls[1], "http_503");
    expect_effects(&f, "");
    fix_call_failed(&f, &calls[2], "http_503");
    fix_call_done(&f, &calls[3], RESULTS);
    expect_effects(&f, "model"); /* one of the other's sources has answered */
    says(&f, SUPPORTED);
    assert_string_equal(ended_with(&f), "\"bad\"");
    assert_non_null(strstr(f.s->root.nodes[fix_node(&f, "f")].output.p,
                           "\"verdict\":\"unverified\",\"reasoning\":\"It broke.\",\"sources\":[],"
                           "\"error\":{\"code\":\"no_source\""));
    fix_close(&f);
}

static void limits_hold(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, CHECK(", max_claims: 1, max_queries: 1", ROUTES));
    fix_quiet(&f);
    says(&f, "{\"claims\":[{\"claim\":\"A\",\"queries\":[\"q1\",\"q2\"]},"
             "{\"claim\":\"B\",\"queries\":[]}]}");
    expect_effects(&f, "tool");
    fix_close(&f);
}

static void failures(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, CHECK(", max_queries: 0", ROUTES));
    fix_quiet(&f);
    for (int i = 0; i < 3; i++)
        says(&f, "no JSON");
    expect_moves(&f, "f!schema_mismatch =failed");
    fix_close(&f);
    fix_open(&f, CHECK(", max_queries: 0", ROUTES));
    says(&f, CLAIMS2);
    fix_quiet(&f);
    struct fix_call first = *fix_call(&f, 1), second = *fix_call(&f, 0);
    fix_call_failed(&f, &first, "http_503");
    fix_call_failed(&f, &second, "http_503"); /* nobody could judge anything */
    expect_moves(&f, "f!fact_check_failed =failed");
    fix_close(&f);
}

static void it_survives_a_restart_anywhere(void **state)
{
    (void)state;
    for (int at = 0; at < 5; at++) {
        struct fix f;
        fix_open(&f, CHECK(", max_claims: 1", ROUTES));
        if (at == 0)
            fix_restart(&f);
        says(&f, CLAIMS2);
        if (at == 1)
            fix_restart(&f);
        struct fix_call search = *fix_call(&f, 0);
        fix_call_done(&f, &search, RESULTS);
        if (at == 2)
            fix_restart(&f);
        says(&f, "wrong");
        if (at == 3)
            fix_restart(&f);
        says(&f, SUPPORTED);
        if (at == 4)
            fix_restart_raw(&f);
        assert_string_equal(ended_with(&f), "\"good\"");
        fix_close(&f);
    }
}

/* ---- memories ---- */

#define RECALL(props)                                                                              \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [m]}\n"                                                      \
    "  m: {type: memory_retrieval, properties: {" props "}, next_ids: [end]}\n"                    \
    "  end: {type: end}\n"

static void memories_are_asked_for(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, RECALL("query: 'About {{ input.topic }}', group_id: g, max_results: 3, "
                            "time_range_days: 2, relevance_threshold: 0.5"));
        if (restart)
            fix_restart(&f);
        struct fix_call c = *fix_call(&f, 0);
        assert_string_equal(c.request,
                            "{\"tool\":\"memory_query\",\"node_id\":\"m\",\"arguments\":{"
                            "\"group_id\":\"g\",\"query\":\"About Cats\",\"max_results\":3,"
                            "\"relevance_threshold\":0.5,\"created_after\":1767052800000},"
                            "\"internal\":true}");
        fix_call_done(&f, &c,
                      "{\"items\":[{\"id\":\"i1\",\"content\":\"They purr.\",\"score\":0.9,"
                      "\"created_at\":\"2026-01-01T00:00:00.000Z\"},"
                      "{\"id\":\"i2\",\"content\":\"They nap.\",\"created_at\":null}]}");
        fix_take(&f);
        assert_null(strstr(f.rows.events.data, "tool_execution"));
        assert_non_null(strstr(f.rows.events.data, "\"type\":\"memory_retrieved\""));
        assert_non_null(strstr(f.rows.events.data, "{\"count\":2,\"ids\":[\"i1\",\"i2\"]}"));
        assert_non_null(strstr(ended_with(&f), "\"history_context\":\"- (2026-01-01) They purr.\\n"
                                               "- They nap.\",\"items\":[{\"id\":\"i1\""));
        fix_close(&f);
    }
}

static void memories_need_a_group(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, RECALL("query: x"));
    expect_moves(&f, "=running +start start +m m!no_group =failed");
    fix_close(&f);
}

/* ---- rounds ---- */

#define SYNTH                                                                                      \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [c]}\n"                                                      \
    "  c: {type: context_synth, properties: {max_recent_rounds: 1}, next_ids: [ask]}\n"            \
    "  ask: {type: human_review, routes: {approve: end, reject: c}}\n"                             \
    "  end: {type: end}\n"
#define SAID(node, text)                                                                           \
    "{\"role\":\"assistant\",\"node_id\":\"" node "\",\"agent_id\":\"" node                        \
    "\",\"content\":\"" text "\"}"
#define ROUND(n) SAID("pro", "Pro " n ".") "," SAID("con", "Con " n ".")

static void rounds_are_summarised(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, SYNTH);
        struct fix_call c = *fix_call(&f, 0);
        assert_string_equal(c.request, "{\"tool\":\"session_messages\",\"node_id\":\"c\","
                                       "\"arguments\":{},\"internal\":true}");
        fix_quiet(&f);
        fix_call_done(&f, &c,
                      "{\"messages\":[" ROUND("one") "," ROUND("two") "," ROUND("three") "]}");
        expect_effects(&f, "model");
        assert_non_null(strstr(fix_call(&f, 0)->request, "## Round 2\\n\\n### pro\\n\\nPro two."));
        assert_null(strstr(fix_call(&f, 0)->request, "three"));
        if (restart)
            fix_restart(&f);
        says(&f, "They differ.");
        fix_take(&f);
        assert_str(f.s->root.nodes[fix_node(&f, "c")].output,
                   "{\"context\":\"## Rounds 1 to 2, in short\\n\\nThey differ.\\n\\n## Round 3\\n"
                   "\\n### pro\\n\\nPro three.\\n\\n### con\\n\\nCon three.\\n\",\"summary\":"
                   "\"They differ.\",\"rounds\":3,\"summarised_rounds\":2,\"recent\":[{\"round\":3,"
                   "\"speaker\":\"pro\",\"content\":\"Pro three.\"},{\"round\":3,\"speaker\":"
                   "\"con\",\"content\":\"Con three.\"}]}");
        /* The next time only what has aged since goes to the model, with the summary. */
        assert_int_equal(fix_answer(&f, "ask", "reject", "null"), 0);
        c = *fix_call(&f, 0);
        fix_call_done(&f, &c,
                      "{\"messages\":[" ROUND("one") "," ROUND("two") "," ROUND("three") "," SAID(
                          "c", "They differ.") "," ROUND("four") "]}");
        assert_non_null(strstr(fix_call(&f, 0)->request, "They differ."));
        assert_non_null(strstr(fix_call(&f, 0)->request, "Pro three."));
        assert_null(strstr(fix_call(&f, 0)->request, "Pro two."));
        assert_null(strstr(fix_call(&f, 0)->request, "Pro four."));
        fix_close(&f);
    }
}

static void few_rounds_need_no_summary(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, SYNTH);
    struct fix_call c = *fix_call(&f, 0);
    fix_quiet(&f);
    fix_call_done(&f, &c,
                  "{\"messages\":[{\"role\":\"user\",\"content\":\"Begin.\"}," ROUND("one") "]}");
    expect_effects(&f, "");
    assert_non_null(strstr(f.s->root.nodes[fix_node(&f, "c")].output.p,
                           "\"summary\":\"\",\"rounds\":1,\"summarised_rounds\":0"));
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defect_7_claims_are_checked),
        cmocka_unit_test(defect_7_the_threshold_decides),
        cmocka_unit_test(without_claims_it_passes),
        cmocka_unit_test(a_dead_source_supports_nothing),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(failures),
        cmocka_unit_test(it_survives_a_restart_anywhere),
        cmocka_unit_test(memories_are_asked_for),
        cmocka_unit_test(memories_need_a_group),
        cmocka_unit_test(rounds_are_summarised),
        cmocka_unit_test(few_rounds_need_no_summary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
