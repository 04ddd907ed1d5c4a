#include "engine/context.h"
#include "engine_fixture.h"

#include "../sim/graph.h"

/* Forks: a session that is brought to where another was by the other's log. */

struct point {
    int64_t after;
    const char *node, *input, *vars;
};

/* A session of f's workflow, brought to a point of f's log. */
static int fork_try(struct fix *f, struct fix *g, struct point p)
{
    memset(g, 0, sizeof(*g));
    fix_take(f);
    g->vm = expr_vm_create();
    g->wf = workflow_ref(f->wf);
    g->now = f->now + 5000;
    id_source_init_seed(&g->ids, 99);
    rows_init(&g->rows);
    buf_init(&g->lines, 16u << 20);
    buf_init(&g->brief, 16u << 20);
    buf_init(&g->effects, 1u << 20);
    struct session_meta meta = f->rows.row.meta;
    meta.parent_id = f->s->id;
    meta.parent_seq = p.after;
    struct session_params params = {
        .id = id_new(&g->ids, (uint64_t)g->now), .epoch = 1, .meta = &meta};
    g->s = session_create(g->wf, g->vm, &params);
    struct replay r = {.events = buf_str(&f->rows.events),
                       .after_seq = p.after,
                       .node_id = p.node ? str_of(p.node) : STR_NULL,
                       .input_json = p.input ? str_of(p.input) : STR_NULL,
                       .vars_json = p.vars ? str_of(p.vars) : STR_NULL,
                       .now_ms = g->now,
                       .ids = &g->ids};
    int rc = engine_replay(g->s, &r, &g->error);
    if (!rc)
        session_check(g->s);
    return rc;
}

static void fork_at(struct fix *f, struct fix *g, struct point p)
{
    if (fork_try(f, g, p))
        fail_msg("not replayed: %s", g->error.text);
}

static void fork_close(struct fix *g)
{
    fix_take(g);
    session_destroy(g->s);
    workflow_unref(g->wf);
    expr_vm_destroy(g->vm);
    rows_deinit(&g->rows);
    buf_deinit(&g->lines);
    buf_deinit(&g->brief);
    buf_deinit(&g->effects);
}

/* The number of the first event that has this text in it. */
static int64_t seq_of(struct fix *f, const char *text)
{
    int64_t seq = 1;
    fix_take(f);
    for (const char *at = f->rows.events.data; *at; at = strchr(at, '\n') + 1, seq++) {
        size_t n = (size_t)(strchr(at, '\n') - at);
        if (memmem(at, n, text, strlen(text)))
            return seq;
    }
    fail_msg("no event with %s", text);
    return 0;
}

static const char council[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [panel]}\n"
    "  panel: {type: parallel, next_ids: [pro, con]}\n"
    "  pro: {type: llm, properties: {prompt: x}, next_ids: [judge]}\n"
    "  con: {type: llm, properties: {prompt: x}, next_ids: [judge]}\n"
    "  judge: {type: llm, properties: {prompt: '{{ nodes.pro.output }} or {{ input.topic }} {{ "
    "vars.mood }}'},\n"
    "    retry: {max_attempts: 2, initial_ms: 100}, next_ids: [end]}\n"
    "  end: {type: end}\n"
    "vars: {mood: calm}\n";

static void council_fails(struct fix *f)
{
    fix_open(f, council);
    fix_say(f, "pro", "yes");
    fix_say(f, "con", "no");
    fix_fail(f, "judge", "http_500");
    fix_fire(f);
    fix_fail(f, "judge", "http_500");
    expect_moves(f, "=running +start start +panel panel +pro +con pro con +judge judge!http_500 "
                    "+judge#2 judge#2!http_500 =failed");
}

static void goes_on_from_the_failed_node(void **state)
{
    (void)state;
    struct fix f, g;
    council_fails(&f);
    fork_at(&f, &g, (struct point){.after = session_last_seq(f.s)});
    expect(&g, "session pending>running\n"
               "start pending>running\n"
               "start running>completed {\"topic\":\"Cats\"}\n"
               "panel pending>running\n"
               "panel parallel_start [\"pro\",\"con\"]\n"
               "panel running>completed {\"branches\":[\"pro\",\"con\"]}\n"
               "pro pending>running\n"
               "con pending>running\n"
               "pro [0] \"yes\"\n"
               "pro message \"yes\" \"stop\"\n"
               "pro running>completed \"yes\"\n"
               "con [0] \"no\"\n"
               "con message \"no\" \"stop\"\n"
               "con running>completed \"no\"\n"
               "judge pending>running\n"); /* with both its attempts */
    expect_effects(&g, "model");           /* of the judge; those of pro and con were undone */
    assert_non_null(strstr(g.last_request, "yes or Cats calm"));
    assert_int_equal(g.rows.commits, 1);
    assert_int_equal(g.rows.messages->token_count, 5);
    fix_say(&g, "judge", "maybe");
    expect_moves(&g, "judge +end end =completed");
    fork_close(&g);
    fix_close(&f);
}

static void new_input_and_variables_are_for_what_comes(void **state)
{
    (void)state;
    struct fix f, g;
    council_fails(&f);
    fork_at(&f, &g,
            (struct point){.after = seq_of(&f, "judge\",\"run_id"),
                           .input = "{\"topic\":\"Dogs\"}",
                           .vars = "{\"mood\":\"wild\"}"});
    fix_take(&g);
    assert_non_null(strstr(g.last_request, "yes or Dogs wild"));
    assert_non_null(strstr(g.rows.row.meta.input_json.p, "Dogs"));
    assert_non_null(strstr(g.rows.row.core.vars_json.p, "wild"));
    fork_close(&g);
    fix_close(&f);
}

static void a_stream_that_had_not_ended_begins_anew(void **state)
{
    (void)state;
    struct fix f, g;
    fix_open(&f, council);
    fix_chunk(&f, "pro", "ye");
    fix_take(&f);
    fix_chunk(&f, "pro", "s");
    fix_take(&f);
    fix_say(&f, "con", "no");
    fork_at(&f, &g, (struct point){.after = seq_of(&f, "\"ye\"")});
    expect_moves(&g, "=running +start start +panel panel +pro +con");
    expect_effects(&g, "model model");
    fix_say(&g, "pro", "other");
    expect(&g, "pro [0] \"other\"\n"
               "pro token_usage \"m\" 5\n"
               "pro message \"other\" \"stop\"\n"
               "pro running>completed \"other\"\n");
    fork_close(&g);
    fix_close(&f);
}

static void from_a_node_the_others_stay(void **state)
{
    (void)state;
    struct fix f, g;
    council_fails(&f);
    fork_at(&f, &g, (struct point){.node = "pro"});
    expect_moves(&g, "=running +start start +panel panel +con con +pro");
    fix_say(&g, "pro", "surely");
    fix_take(&g);
    assert_non_null(strstr(g.last_request, "surely or Cats"));
    fork_close(&g);
    assert_int_equal(fork_try(&f, &g, (struct point){.node = "end"}), ERR_CONFLICT);
    fork_close(&g);
    fix_close(&f);
}

static void answers_of_people_are_given_again(void **state)
{
    (void)state;
    struct fix f, g;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [draft]}\n"
                 "  draft: {type: llm, properties: {prompt: x}, next_ids: [look]}\n"
                 "  look: {type: human_review, properties: {reminder_minutes: 1}, "
                 "routes: {approve: ask, reject: draft}}\n"
                 "  ask: {type: user_input, next_ids: [rest]}\n"
                 "  rest: {type: wait, properties: {duration_ms: 60000}, next_ids: [last]}\n"
                 "  last: {type: llm, properties: {prompt: x}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_say(&f, "draft", "one");
    assert_int_equal(fix_answer(&f, "look", "reject", "\"no\""), 0);
    fix_say(&f, "draft", "two");
    fix_answer(&f, "look", "approve", NULL);
    fix_step(&f, (struct engine_input){
                     .kind = IN_USER_INPUT, .content = STR("say \"hm\""), .user_id = STR("bob")});
    fix_fire(&f);
    fix_chunk(&f, "last", "th");
    fork_at(&f, &g, (struct point){.after = session_last_seq(f.s)});
    expect_moves(&g, "=running +start start +draft draft +look look? look +draft@2 draft@2 "
                     "+look@2 look@2? look@2 +ask ask? ask +rest rest +last");
    assert_null(g.rows.timers);
    assert_non_null(
        strstr(g.rows.events.data, "\"action\":\"reject\",\"data\":\"no\",\"reviewer\":\"ann\""));
    assert_non_null(strstr(g.rows.events.data, "say \\\"hm\\\"\",\"user_id\":\"bob\""));
    fix_restart(&g);
    fix_say(&g, "last", "that");
    expect_moves(&g, "last!interrupted +last#2 last#2 +end end =completed");
    fork_close(&g);
    fix_close(&f);
}

static void a_pause_is_not_replayed_nor_an_ending_from_outside(void **state)
{
    (void)state;
    struct fix f, g;
    fix_open(&f, council);
    fix_say(&f, "pro", "yes");
    fix_command(&f, IN_PAUSE);
    fork_at(&f, &g, (struct point){.after = session_last_seq(f.s)});
    expect_moves(&g, "=running +start start +panel panel +pro +con pro");
    fork_close(&g);
    fix_command(&f, IN_CANCEL);
    fork_at(&f, &g, (struct point){.after = session_last_seq(f.s)});
    expect_moves(&g, "=running +start start +panel panel +pro +con pro");
    fork_close(&g);
    fix_close(&f);
}

static void a_pure_failure_is_tried_again_with_other_variables(void **state)
{
    (void)state;
    struct fix f, g;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [t]}\n"
                 "  t: {type: transform, properties: {output: vars.n + 1}, next_ids: [end]}\n"
                 "  end: {type: end}\n"
                 "vars: {n: x}\n");
    expect_moves(&f, "=running +start start +t t!invalid_expression =failed");
    fork_at(&f, &g, (struct point){.after = session_last_seq(f.s), .vars = "{\"n\":4}"});
    expect_moves(&g, "=running +start start +t t +end end =completed");
    assert_string_equal(g.rows.row.core.output_json.p, "5");
    fork_close(&g);
    fix_close(&f);
}

static void a_whole_session_is_copied_with_its_ending(void **state)
{
    (void)state;
    struct fix f, g;
    fix_open(&f, council);
    fix_say(&f, "pro", "yes");
    fix_say(&f, "con", "no");
    fix_say(&f, "judge", "done");
    fork_at(&f, &g, (struct point){.after = session_last_seq(f.s)});
    fix_take(&g);
    expect_effects(&g, "break");
    assert_string_equal(g.rows.row.core.status.p, "completed");
    assert_string_equal(g.rows.row.core.output_json.p, f.rows.row.core.output_json.p);
    assert_null(g.rows.effects);
    fork_close(&g);
    fix_close(&f);
}

static const char mapped[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [each]}\n"
    "  each: {type: map, properties: {items: '{1, 2, 3}', body: [a, b]}, next_ids: [sum]}\n"
    "  a: {type: llm, properties: {prompt: '{{ map.item }}'}, next_ids: [b]}\n"
    "  b: {type: llm, properties: {prompt: '{{ nodes.a.output }}'}}\n"
    "  sum: {type: llm, properties: {prompt: '{{ nodes.each.output }}'}, next_ids: [end]}\n"
    "  end: {type: end}\n";

/* The run of a member's so-and-so-many-eth iteration. */
static struct id member_run(struct fix *f, const char *node, int64_t iteration)
{
    table_foreach(slot, &f->s->runs)
    {
        const struct work *w = slot->value;
        const struct node_state *ns = &w->scope->nodes[w->node];
        if (str_eqz(w->scope->wf->nodes[w->node].id, node) && ns->iteration == iteration)
            return ns->run_id;
    }
    fail_msg("no such run");
    return (struct id){{0}};
}

static void member_says(struct fix *f, const char *node, int64_t iteration, const char *text)
{
    struct id run = member_run(f, node, iteration);
    fix_step(f, (struct engine_input){.kind = IN_CHUNK, .run_id = run, .text = str_of(text)});
    fix_step(f, (struct engine_input){.kind = IN_MODEL_DONE, .run_id = run, .output_tokens = 1});
}

static void items_of_a_map_stay(void **state)
{
    (void)state;
    struct fix f, g;
    fix_open(&f, mapped);
    member_says(&f, "a", 2, "two");
    member_says(&f, "a", 1, "one");
    member_says(&f, "b", 1, "two-b");
    int64_t there = session_last_seq(f.s);
    member_says(&f, "b", 2, "one-b");
    fix_step(&f, (struct engine_input){.kind = IN_RUN_FAILED,
                                       .run_id = member_run(&f, "a", 3),
                                       .error_code = STR("http_500"),
                                       .retry_after_ms = -1});
    expect_moves(&f,
                 "=running +start start +each +a[0] +a[1]@2 +a[2]@3 a[1]@2 +b[1] a[0] +b[0]@2 b[1] "
                 "b[0]@2 a[2]@3!http_500 each!http_500 =failed");
    fork_at(&f, &g, (struct point){.after = session_last_seq(f.s)});
    expect_moves(
        &g,
        "=running +start start +each +a[0] +a[1]@2 a[1]@2 +b[1] a[0] +b[0]@2 b[1] b[0]@2 +a[2]@3");
    expect_effects(&g, "model");
    member_says(&g, "a", 3, "three");
    member_says(&g, "b", 3, "three-b");
    expect_moves(&g, "a[2]@3 +b[2]@3 b[2]@3 each +sum");
    assert_non_null(strstr(g.last_request, "one-b\\\",\\\"two-b\\\",\\\"three-b"));
    fork_close(&g);
    fork_at(&f, &g, (struct point){.after = there, .vars = "{\"x\":1}"});
    expect_moves(
        &g, "=running +start start +each +a[0] +a[1]@2 +a[2]@3 a[1]@2 +b[1] a[0] +b[0]@2 b[1]");
    fix_restart(&g);
    fork_close(&g);
    fork_at(&f, &g, (struct point){.node = "b"}); /* its newest */
    expect_moves(
        &g, "=running +start start +each +a[0] +a[1]@2 a[1]@2 +b[1] a[0] b[1] +a[2]@3 +b[0]@2");
    fork_close(&g);
    fix_close(&f);
}

#define WRITES                                                                                     \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [one]}\n"                                                    \
    "  one: {type: tool, properties: {tool: write_file, arguments: {path: a, content: first}}, "   \
    "next_ids: [two]}\n"                                                                           \
    "  two: {type: tool, properties: {tool: write_file, arguments: {path: a, content: second}}, "  \
    "next_ids: [ask]}\n"                                                                           \
    "  ask: {type: user_input, next_ids: [end]}\n"                                                 \
    "  end: {type: end}\n"

/* The fork has files of its own, as they were. */
static void what_was_written_is_written_again(void **state)
{
    (void)state;
    struct fix f, g;
    fix_open(&f, WRITES);
    fix_call_done(&f, fix_call(&f, 0), "null");
    fix_call_done(&f, fix_call(&f, 0), "null");
    fix_take(&f);
    fork_at(&f, &g, (struct point){.node = "two"});
    fix_take(&g);
    assert_true(str_eqz(g.rows.files->content, "first"));
    assert_null(g.rows.files->next);
    fix_call_done(&g, fix_call(&g, 0), "null");
    fix_take(&g);
    assert_int_equal(g.rows.files->version, 2);
    fork_close(&g);
    fork_at(&f, &g, (struct point){.after = session_last_seq(f.s)});
    fix_take(&g);
    assert_true(str_eqz(g.rows.files->content, "second"));
    assert_int_equal(g.rows.files->version, 2);
    assert_int_equal(g.s->files.count, 1);
    fork_close(&g);
    fix_close(&f);
}

/* An event's type that is written in escapes is that type, however long. */
static void types_in_escapes(void **state)
{
    (void)state;
    struct fix f, g;
    struct buf type;
    fix_open(&f, council);
    fix_chunk(&f, "pro", "x");
    fix_take(&f);
    char *at = strstr(f.rows.events.data, "\"token_stream\"");
    assert_non_null(at);
    buf_init(&type, 1u << 20);
    buf_append(&type, f.rows.events.data, (size_t)(at + 1 - f.rows.events.data));
    for (const char *c = "fact_check_progress"; *c; c++)
        buf_printf(&type, "\\u%04x", (unsigned)*c);
    buf_append_z(&type, at + 13);
    buf_clear(&f.rows.events);
    buf_append_str(&f.rows.events, buf_str(&type));
    buf_append_z(&f.rows.events, "{\"seq\":99,\"type\":\"node_state_change\",\"node_id\":\"pro\","
                                 "\"run_id\":\"");
    char id[ID_TEXT_BYTES + 1];
    id_format(fix_run(&f, "pro"), id);
    buf_append_z(&f.rows.events, id);
    buf_append_z(&f.rows.events, "\",\"data\":{\"from\":\"running\",\"to\":\"completed\","
                                 "\"attempt\":1,\"iteration\":1,\"output\":1}}\n");
    fork_at(&f, &g, (struct point){.after = 99});
    fix_take(&g);
    assert_non_null(strstr(g.rows.events.data, "\"type\":\"fact_check_progress\""));
    fork_close(&g);
    buf_deinit(&type);
    fix_close(&f);
}

static void damaged_logs_are_refused(void **state)
{
    (void)state;
    struct fix f, g;
    static const char *const logs[] = {
        "{",
        "{}",
        "[]\n",
        "{\"seq\":1}",
        "{\"seq\":1,\"type\":\"message\",\"data\":[]}",
        "{\"seq\":1,\"type\":\"node_state_change\",\"run_id\":\"x\",\"data\":{\"to\":\"failed\"}}"};
    fix_open(&f, council);
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        fix_take(&f);
        buf_clear(&f.rows.events);
        buf_append_z(&f.rows.events, logs[i]);
        assert_int_equal(fork_try(&f, &g, (struct point){.after = 100}), ERR_CORRUPT);
        fork_close(&g);
    }
    fix_close(&f);
}

/* Said to nobody: who had heard it has heard it in the fork, too. */
static void what_was_said_is_heard_once(void **state)
{
    static const char yaml[] =
        "nodes:\n"
        "  start: {type: start, next_ids: [a]}\n"
        "  a: {type: agent, properties: {persona: P, prompt: A, tools: [{name: find, tool: "
        "web_search}]}, next_ids: [b]}\n"
        "  b: {type: llm, properties: {prompt: B}, next_ids: [end]}\n"
        "  end: {type: end}\n";
    static const char find[] = "[{\"id\":\"1\",\"name\":\"find\",\"arguments\":"
                               "\"{\\\"query\\\":\\\"x\\\"}\"}]";
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct fix f, g;
        fix_open(&f, yaml);
        fix_call_says(&f, fix_call(&f, 0), "", find);
        if (late) /* when a has its last round already */
            fix_call_done(&f, fix_call(&f, 0), "\"found\"");
        fix_step(&f, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("Hear!")});
        if (!late)
            fix_call_done(&f, fix_call(&f, 0), "\"found\"");
        fix_call_says(&f, fix_call(&f, 0), "Found.", NULL);
        assert_int_equal(strstr(fix_call(&f, 0)->request, "Hear!") != NULL, late);
        fork_at(&f, &g, (struct point){.after = session_last_seq(f.s)});
        assert_non_null(strstr(fix_call(&g, 0)->request, "\"B\""));
        assert_int_equal(strstr(fix_call(&g, 0)->request, "Hear!") != NULL, late);
        fork_close(&g);
        fix_close(&f);
    }
}

/* ---- any graph, at any event ---- */

/* Everybody's answers follow from who is asked and how often it has failed, and who answers next
 * follows from who waits: so a fork at any event has the same future. */
static uint32_t fate(const struct session *s, struct str id, const struct node_state *ns,
                     uint32_t salt)
{
    uint32_t h = 2166136261u ^ salt;
    (void)s;
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (uint8_t)id.p[i]) * 16777619u;
    h = (h ^ (uint32_t)ns->iteration) * 16777619u;
    h = (h ^ (uint32_t)ns->failures) * 16777619u;
    return (h ^ h >> 15) * 2246822519u >> 4;
}

/* A node, in the session's own scope or in that of an item. */
struct place {
    struct scope *in;
    unsigned n;
};

static const struct node_def *place_def(struct place p)
{
    return &p.in->wf->nodes[p.n];
}
static struct node_state *place_state(struct place p)
{
    return &p.in->nodes[p.n];
}

/* Who is next to hear something; in NULL: nobody waits. */
static struct place next_of(struct fix *f, uint32_t salt)
{
    struct place best = {NULL, 0};
    uint32_t least = 0;
    scopes_foreach(it, f->s)
    {
        struct place p = {scope_of(it), 0};
        for (; p.n < p.in->wf->node_count; p.n++) {
            const struct node_state *ns = place_state(p);
            bool waits = ns->phase == PHASE_SUSPENDED || ns->phase == PHASE_BACKOFF ||
                         (ns->phase == PHASE_RUNNING && ns->work && !ns->work->container);
            uint32_t h = fate(f->s, place_def(p)->id, ns, salt + (ns->phase == PHASE_BACKOFF));
            if (waits && (!best.in || h < least)) {
                best = p;
                least = h;
            }
        }
    }
    return best;
}

static struct timer *place_timer(struct fix *f, struct place p, enum timer_purpose purpose)
{
    list_foreach(it, &f->s->timers)
    {
        struct timer *t = container_of(it, struct timer, link);
        if (t->scope == p.in && t->node == (int)p.n && t->purpose == purpose)
            return t;
    }
    return NULL;
}

static void fire(struct fix *f, struct place p, enum timer_purpose purpose)
{
    struct timer *t = place_timer(f, p, purpose);
    assert_non_null(t);
    fix_step(f, (struct engine_input){.kind = IN_TIMER, .timer_id = t->id});
}

/* The first who has not answered yet: some reviews want several. */
static void somebody_answers(struct fix *f, struct place p, const char *action)
{
    static const char *const names[] = {"ann", "bob", "eve", "joe"};
    int rc = ERR_CONFLICT;
    for (size_t i = 0; i < 4 && rc; i++)
        rc = fix_try(f, (struct engine_input){.kind = IN_RESUME_NODE,
                                              .node_id = place_def(p)->id,
                                              .interrupt_id = place_state(p)->work->interrupt_id,
                                              .action = str_of(action),
                                              .data_json = STR("\"fine\""),
                                              .reviewer = str_of(names[i])});
    if (rc)
        fail_msg("refused: %s", f->error.text);
}

static void stage_ends(struct fix *f, struct place p)
{
    struct engine_input in = {.kind = IN_STAGE,
                              .interrupt_id = place_state(p)->work->interrupt_id,
                              .action = STR("update"),
                              .reviewer = STR("ann"),
                              .data_json = STR("{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}]}")};
    fix_step(f, in);
    in.action = STR("complete");
    in.data_json = STR("{\"deliverables\":[{\"name\":\"d\",\"value\":[1]}]}");
    fix_step(f, in);
}

static void answer_human(struct fix *f, struct place p, uint32_t h)
{
    if (place_def(p)->kind == KIND_STAGE) {
        stage_ends(f, p);
        return;
    }
    if (place_def(p)->kind == KIND_SIGNAL) {
        fix_step(f, (struct engine_input){
                        .kind = IN_SIGNAL, .node_id = place_def(p)->id, .data_json = STR("1")});
        return;
    }
    bool is_input = place_def(p)->kind == KIND_USER_INPUT;
    if (place_timer(f, p, FOR_EXPIRY) && h % 3 == 0)
        fire(f, p, FOR_EXPIRY);
    else if (is_input && h % 2 && !p.in->parent)
        fix_step(f, (struct engine_input){.kind = IN_USER_INPUT,
                                          .content = STR("hello"),
                                          .node_id = place_def(p)->id});
    else
        somebody_answers(f, p, is_input ? "submit" : h % 5 < 2 ? "reject" : "approve");
}

static void work_goes_on(struct fix *f, struct place p, uint32_t salt)
{
    const struct node_state *ns = place_state(p);
    uint32_t h = fate(f->s, place_def(p)->id, ns, salt + 7);
    struct id run = ns->work ? ns->work->id : ns->run_id;
    char text[40];
    snprintf(text, sizeof(text), h % 8 ? "{\"h\":%u}" : "%u", h % 1000);
    if (ns->phase == PHASE_BACKOFF) {
        fire(f, p, FOR_RETRY);
    } else if (ns->phase == PHASE_SUSPENDED) {
        answer_human(f, p, h);
    } else if (ns->work->kind == WORK_WAIT) {
        fire(f, p, FOR_WAIT);
    } else if (call_is_context(ns->work)) {
        fix_step(f, (struct engine_input){.kind = IN_RUN_DONE,
                                          .run_id = run,
                                          .output_json = STR("{\"agent\":{\"persona\":\"P\"}}")});
    } else if (h % 100 < 25) {
        fix_step(f,
                 (struct engine_input){.kind = IN_RUN_FAILED,
                                       .run_id = run,
                                       .error_code = str_of(h % 100 < 5 ? "timeout" : "http_500"),
                                       .error_text = STR("It broke."),
                                       .retry_after_ms = -1});
    } else if (ns->work->kind == WORK_MODEL) {
        fix_step(f, (struct engine_input){.kind = IN_CHUNK, .run_id = run, .text = str_of(text)});
        fix_step(f, (struct engine_input){.kind = IN_MODEL_DONE,
                                          .run_id = run,
                                          .finish_reason = STR("stop"),
                                          .model = STR("m"),
                                          .provider = STR("p"),
                                          .input_tokens = 3,
                                          .output_tokens = 5});
    } else {
        fix_step(f, (struct engine_input){
                        .kind = IN_RUN_DONE, .run_id = run, .output_json = str_of(text)});
    }
}

static void run_to_end(struct fix *f, uint32_t salt, struct dice *restarts)
{
    fix_take(f);
    for (int i = 0; !session_status_is_terminal(session_status_of(f->s)); i++) {
        struct place next = next_of(f, salt);
        assert_true(next.in && i < 20000);
        work_goes_on(f, next, salt);
        fix_take(f);
        if (restarts && dice_chance(restarts, 10))
            fix_restart(f);
    }
    fix_take(f);
}

/* Votes carry when they came, which a run that is begun anew says otherwise. */
static void assert_same_but_times(struct str a, struct str b)
{
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        if (a.n - i > 31 && !memcmp(a.p + i, "\"at\":\"20", 8) &&
            !memcmp(b.p + i, "\"at\":\"20", 8))
            i += 31;
        assert_int_equal(a.p[i], b.p[i]);
    }
}

static void assert_same_end(struct fix *f, struct fix *g)
{
    const struct session_core *a = &f->rows.row.core, *b = &g->rows.row.core;
    assert_string_equal(b->status.p, a->status.p);
    if (!str_eqz(a->status, "failed")) /* what was not skipped yet when it failed may be now */
        assert_string_equal(b->node_statuses_json.p, a->node_statuses_json.p);
    assert_same_but_times(a->output_json, b->output_json);
    assert_true(str_eq(b->error_json, a->error_json));
    assert_string_equal(b->vars_json.p, a->vars_json.p);
    assert_null(g->rows.effects);
    assert_null(g->rows.timers);
}

/* The first event of the step that failed the session. */
static int64_t last_failure(struct fix *f)
{
    int64_t seq = f->rows.last_seq;
    const char *end = f->rows.events.data + f->rows.events.len - 1, *at = end;
    for (; at > f->rows.events.data; seq--) {
        const char *line = memrchr(f->rows.events.data, '\n', (size_t)(at - f->rows.events.data));
        line = line ? line + 1 : f->rows.events.data;
        size_t n = (size_t)(at - line);
        if (seq < f->rows.last_seq && !memmem(line, n, "\"to\":\"failed\"", 13) &&
            !memmem(line, n, "\"message\"", 9))
            break;
        at = line - 1;
    }
    return seq + 1;
}

static void fork_everywhere(struct fix *f, uint32_t salt, struct dice *d)
{
    bool failed = str_eqz(f->rows.row.core.status, "failed");
    int64_t last = f->rows.last_seq, over = failed ? last_failure(f) : last + 1;
    struct fix g;
    for (int64_t seq = 1; seq <= last; seq++) {
        fork_at(f, &g, (struct point){.after = seq});
        if (dice_chance(d, 20))
            fix_restart(&g);
        run_to_end(&g, salt, d);
        if (seq < over) /* what failed last has all its attempts again */
            assert_same_end(f, &g);
        fork_close(&g);
    }
    for (unsigned n = 0; n < f->wf->node_count; n++) {
        char id[NAME_BYTES_MAX + 1];
        snprintf(id, sizeof(id), "%.*s", STR_FMT(f->wf->nodes[n].id));
        if (fork_try(f, &g, (struct point){.node = id}) == 0)
            run_to_end(&g, salt + 100, d);
        fork_close(&g);
    }
}

static void any_graph_at_any_event(void **state)
{
    (void)state;
    const char *seed = getenv("SLUICE_REPLAY_SEED"), *count = getenv("SLUICE_REPLAY_COUNT");
    uint64_t from = seed ? strtoull(seed, NULL, 10) : 1;
    uint64_t graphs = count ? strtoull(count, NULL, 10) : 25;
    for (uint64_t i = from; i < from + graphs; i++) {
        struct dice d;
        struct buf json;
        struct fix f;
        dice_init(&d, i);
        buf_init(&json, 1u << 20);
        graph_random(&d, &json);
        fix_open(&f, json.data);
        run_to_end(&f, (uint32_t)i * 977, &d);
        print_message("seed %llu: %lld events, %s\n", (unsigned long long)i,
                      (long long)f.rows.last_seq, f.rows.row.core.status.p);
        fork_everywhere(&f, (uint32_t)i * 977, &d);
        fix_close(&f);
        buf_deinit(&json);
    }
}

/* A session that began at a stage begins there again; or at a stage before, when that is asked for.
 */
static void a_fork_begins_where_it_was_begun(void **state)
{
    (void)state;
    static const char line[] = "nodes:\n"
                               "  start: {type: start, next_ids: [a]}\n"
                               "  a: {type: stage, next_ids: [b]}\n"
                               "  b: {type: stage, next_ids: [c]}\n"
                               "  c: {type: stage, next_ids: [d]}\n"
                               "  d: {type: stage, next_ids: [end]}\n"
                               "  end: {type: end}\n";
    struct fix f, g;
    fix_prepare(&f, line, "{}", NULL, NULL, false);
    fix_step(&f, (struct engine_input){.kind = IN_START, .node_id = STR("c")});
    assert_int_equal(fix_answer(&f, "c", "skip", NULL), 0);
    fork_at(&f, &g, (struct point){.node = "d"});
    assert_int_equal(g.s->root.nodes[fix_node(&g, "a")].status, NODE_COMPLETED);
    assert_int_equal(g.s->root.nodes[fix_node(&g, "c")].status, NODE_COMPLETED);
    assert_int_equal(g.s->root.nodes[fix_node(&g, "d")].phase, PHASE_SUSPENDED);
    fork_close(&g);
    fork_at(&f, &g, (struct point){.node = "c"});
    assert_int_equal(g.s->root.nodes[fix_node(&g, "c")].phase, PHASE_SUSPENDED);
    fork_close(&g);
    fork_at(&f, &g, (struct point){.node = "b"});
    assert_int_equal(g.s->root.nodes[fix_node(&g, "a")].status, NODE_COMPLETED);
    assert_int_equal(g.s->root.nodes[fix_node(&g, "b")].phase, PHASE_SUSPENDED);
    assert_int_equal(g.s->root.nodes[fix_node(&g, "c")].phase, PHASE_IDLE);
    fork_close(&g);
    fork_at(&f, &g, (struct point){.after = 1});
    assert_int_equal(g.s->root.nodes[fix_node(&g, "c")].phase, PHASE_SUSPENDED);
    fork_close(&g);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_begins_where_it_was_begun),
        cmocka_unit_test(goes_on_from_the_failed_node),
        cmocka_unit_test(new_input_and_variables_are_for_what_comes),
        cmocka_unit_test(a_stream_that_had_not_ended_begins_anew),
        cmocka_unit_test(from_a_node_the_others_stay),
        cmocka_unit_test(answers_of_people_are_given_again),
        cmocka_unit_test(what_was_said_is_heard_once),
        cmocka_unit_test(a_pause_is_not_replayed_nor_an_ending_from_outside),
        cmocka_unit_test(a_pure_failure_is_tried_again_with_other_variables),
        cmocka_unit_test(a_whole_session_is_copied_with_its_ending),
        cmocka_unit_test(items_of_a_map_stay),
        cmocka_unit_test(what_was_written_is_written_again),
        cmocka_unit_test(types_in_escapes),
        cmocka_unit_test(damaged_logs_are_refused),
        cmocka_unit_test(any_graph_at_any_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
