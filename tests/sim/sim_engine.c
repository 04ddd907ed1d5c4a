/* The engine in a world of faults: random workflows, commands, models and restarts from one seed.
 *
 *     sessions ──deltas──> one batch at a time ──> rows (the store) ──> released frames ──> readers
 *         ^                   may be slow, fail,        survive             cursors that come
 *         └── inputs          or leave in doubt         every crash         and go
 *
 * After every step session_check() holds for each session in memory, and every reader's stream
 * follows the rules of stream.c. At the end all faults stop, and every session must come to its one
 * end. The whole run is done twice: the same seed must give the same frames (twice.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/engine_rows.h"
#include "answer.h"
#include "base/list.h"
#include "base/mem.h"
#include "engine/expr.h"
#include "engine/parked.h"
#include "graph.h"
#include "patch.h"
#include "stream.h"
#include "twice.h"

#define SESSIONS_MAX 12 /* not ended, at once */
#define READERS      2  /* of each session */
struct reader {
    struct stream stream;
    size_t at; /* bytes of the released log that were read */
    bool connected;
};

struct ack { /* an answer that was given; the promise is checked at the end */
    struct id interrupt_id;
    bool durable;
};

struct job { /* a model call or a script under way */
    struct list link;
    struct live *live;
    struct id run_id;
    bool is_model, calls_tools, held, doomed, stalled;
    const char *output; /* of a tool or script */
    struct buf text;
    size_t said;
};

struct due { /* an armed timer */
    struct list link;
    struct live *live;
    struct id timer_id;
    int64_t at;
};

struct live {
    struct list link;
    struct id id;
    struct workflow *wf;
    struct session *s; /* NULL: not in memory, or */
    struct parked *parked;
    struct rows rows;
    size_t released; /* bytes of rows.events that readers may see */
    bool gate_closed, ended;
    int64_t budget; /* tokens; 0: none */
    struct reader readers[READERS];
    struct ack acks[64];
    unsigned ack_count;
    /* in the batch under way */
    bool in_batch;
    struct delta delta;
    struct effect *effects;
    unsigned acks_in_batch; /* the first so many become durable with it */
};

struct truth {
    struct list link;
    struct id session_id;
    struct buf text;
};

struct world {
    struct dice dice;
    struct expr_vm *vm;
    struct id_source ids;
    int64_t now;
    struct list lives, jobs, dues, truths;
    unsigned open; /* sessions that have not ended */
    bool batch;
    bool calm; /* no more faults or new sessions */
    unsigned long long crashes, sessions, chunks, commits, answers, signals, paused, evicted,
        parked, completed, tasks, patches;
    uint64_t hash;
};

/* ---- truth ---- */

static bool truth_of(void *data, struct id session_id, struct str text)
{
    struct world *w = data;
    list_foreach(it, &w->truths)
    {
        struct truth *t = container_of(it, struct truth, link);
        if (id_eq(t->session_id, session_id) && str_eq(buf_str(&t->text), text))
            return true;
    }
    return false;
}

static void truth_add(struct world *w, const struct job *j)
{
    struct truth *t = mem_zalloc(sizeof(*t));
    t->session_id = j->live->id;
    buf_init(&t->text, 1u << 20);
    buf_append_str(&t->text, buf_str(&j->text));
    list_append(&w->truths, &t->link);
}

/* ---- readers ---- */

static void reader_read(struct world *w, struct live *l, struct reader *r)
{
    while (r->connected && r->at < l->released) {
        const char *from = l->rows.events.data + r->at;
        const char *end = memchr(from, '\n', l->released - r->at);
        stream_frame(&r->stream, (struct str){from, (size_t)(end - from)});
        r->at += (size_t)(end - from) + 1;
        if (!w->calm && dice_chance(&w->dice, 5))
            r->connected = false; /* it will be back, at the next event */
    }
    if (!r->connected && dice_chance(&w->dice, 30))
        r->connected = true;
}

/* ---- steps ---- */

static int live_step(struct world *w, struct live *l, struct engine_input in)
{
    struct errbuf e;
    in.now_ms = w->now;
    in.ids = &w->ids;
    if (l->parked) {
        parked_step(l->parked, &in);
        return 0;
    }
    int rc = engine_step(l->s, &in, &e);
    session_check(l->s);
    return rc;
}

static void batch_apply(struct world *w);
static void batch_release(struct world *w);

static void live_load(struct world *w, struct live *l)
{
    struct errbuf e = {{0}};
    if (l->s)
        return;
    if (l->parked && l->in_batch) { /* what is on its way is waited for */
        batch_apply(w);
        batch_release(w);
    }
    if (rows_restore(&l->rows, l->wf, w->vm, &l->s, &e)) {
        fprintf(stderr, "restore: %s\n%.*s\n", e.text, STR_FMT(l->rows.row.core.state_json));
        abort();
    }
    if (l->parked) {
        session_unpark(l->s, l->parked);
        parked_destroy(l->parked);
        l->parked = NULL;
    }
    session_check(l->s);
    live_step(w, l, (struct engine_input){.kind = IN_RECOVER});
}

/* ---- effects, when they are durable ---- */

static struct job *job_find(struct world *w, struct id run_id)
{
    list_foreach(it, &w->jobs)
    {
        struct job *j = container_of(it, struct job, link);
        if (id_eq(j->run_id, run_id))
            return j;
    }
    return NULL;
}

static void job_end(struct job *j)
{
    if (!j)
        return;
    list_remove(&j->link);
    buf_deinit(&j->text);
    free(j);
}

static void job_start(struct world *w, struct live *l, const struct effect *e)
{
    struct job *j = mem_zalloc(sizeof(*j));
    j->live = l;
    j->run_id = e->run_id;
    j->is_model = e->kind == EFFECT_MODEL_START;
    j->doomed = !w->calm && dice_chance(&w->dice, 12);
    j->stalled = !w->calm && dice_chance(&w->dice, 5);
    buf_init(&j->text, 1u << 20);
    j->output = sim_tool_answer(&w->dice, e->request_json);
    bool wants_json = memmem(e->request_json.p, e->request_json.n, "response_schema", 15) != NULL;
    if (wants_json && dice_chance(&w->dice, 85))
        buf_append_z(&j->text, sim_answer(&w->dice, e->request_json));
    else
        sim_words(&w->dice, &j->text);
    j->calls_tools = j->is_model && dice_chance(&w->dice, 60) &&
                     memmem(e->request_json.p, e->request_json.n, "\"tools\":[", 9);
    list_append(&w->jobs, &j->link);
    if (j->is_model)
        truth_add(w, j);
}

static void due_clear(struct world *w, struct id timer_id)
{
    list_foreach_safe(it, tmp, &w->dues)
    {
        struct due *d = container_of(it, struct due, link);
        if (id_eq(d->timer_id, timer_id)) {
            list_remove(&d->link);
            free(d);
        }
    }
}

static void due_set(struct world *w, struct live *l, struct id timer_id, int64_t at)
{
    due_clear(w, timer_id);
    struct due *d = mem_zalloc(sizeof(*d));
    *d = (struct due){.live = l, .timer_id = timer_id, .at = at};
    list_append(&w->dues, &d->link);
}

static void effect_do(struct world *w, struct live *l, const struct effect *e)
{
    struct job *j = job_find(w, e->run_id);
    switch (e->kind) {
    case EFFECT_PLUGIN_START:
    case EFFECT_CHILD_START:
    case EFFECT_CHILD_CANCEL:
    case EFFECT_CHILD_PAUSE:
    case EFFECT_CHILD_RESUME:
        break; /* no such node in these graphs */
    case EFFECT_MODEL_START:
    case EFFECT_SCRIPT_START:
    case EFFECT_TOOL_START:
        assert(!j);
        job_start(w, l, e);
        break;
    case EFFECT_RUN_CANCEL:
        job_end(j);
        break;
    case EFFECT_RUN_HOLD:
    case EFFECT_RUN_UNHOLD:
        if (j)
            j->held = e->kind == EFFECT_RUN_HOLD;
        break;
    case EFFECT_TIMER_SET:
        due_set(w, l, e->timer_id, e->due_at);
        break;
    case EFFECT_TIMER_CLEAR:
        due_clear(w, e->timer_id);
        break;
    case EFFECT_GATE_CLOSE:
        l->gate_closed = true;
        break;
    case EFFECT_GATE_OPEN:
    case EFFECT_GATE_BREAK:
        l->gate_closed = false;
        break;
    }
}

/* ---- the journal ---- */

static void delta_drop(struct live *l)
{
    buf_deinit(&l->delta.events);
    arena_deinit(&l->delta.arena);
    l->in_batch = false;
}

static void batch_take(struct world *w)
{
    list_foreach(it, &w->lives)
    {
        struct live *l = container_of(it, struct live, link);
        if ((l->s && engine_take_delta(l->s, w->now, &l->delta, &l->effects)) ||
            (l->parked && parked_take_delta(l->parked, w->now, &l->delta, &l->effects))) {
            l->in_batch = w->batch = true;
            l->acks_in_batch = l->ack_count;
        }
    }
}

static void live_release(struct world *w, struct live *l)
{
    l->released = l->rows.events.len;
    for (struct effect *e = l->effects; e; e = e->next)
        effect_do(w, l, e);
    for (unsigned i = 0; i < l->acks_in_batch; i++)
        l->acks[i].durable = true;
    delta_drop(l);
    w->commits++;
    if (l->s && session_status_is_terminal(session_status_of(l->s)) && !session_has_output(l->s)) {
        w->completed += session_status_of(l->s) == SESSION_COMPLETED;
        session_destroy(l->s);
        l->s = NULL;
        l->ended = true;
        w->open--;
    }
}

static void batch_apply(struct world *w)
{
    list_foreach(it, &w->lives)
    {
        struct live *l = container_of(it, struct live, link);
        if (l->in_batch)
            rows_apply(&l->rows, &l->delta);
        if (l->in_batch)
            patch_expect(&l->rows.row.meta, l->rows.row.version);
    }
}

static void batch_release(struct world *w)
{
    w->batch = false;
    list_foreach(it, &w->lives)
    {
        struct live *l = container_of(it, struct live, link);
        if (l->in_batch)
            live_release(w, l);
    }
}

/* The batch under way has come to something: written, failed (it stays, to be tried again), or the
 * connection was lost on the way: then what is stored decides. */
static void batch_turn(struct world *w)
{
    if (!w->batch) {
        batch_take(w);
        return;
    }
    unsigned roll = w->calm ? 0 : dice_below(&w->dice, 20);
    bool written = roll < 18 || (roll == 18 && dice_chance(&w->dice, 50));
    if (!written)
        return;
    batch_apply(w);
    batch_release(w);
}

/* ---- crash ---- */

static void live_forget(struct live *l)
{
    session_destroy(l->s);
    parked_destroy(l->parked);
    l->s = NULL;
    l->parked = NULL;
    l->gate_closed = false;
    if (l->in_batch)
        delta_drop(l);
    unsigned kept = 0;
    for (unsigned i = 0; i < l->ack_count; i++)
        if (l->acks[i].durable)
            l->acks[kept++] = l->acks[i];
    l->ack_count = kept;
    for (unsigned i = 0; i < READERS; i++)
        l->readers[i].connected = false;
}

static void live_free(struct live *l)
{
    list_remove(&l->link);
    for (unsigned i = 0; i < READERS; i++)
        stream_deinit(&l->readers[i].stream);
    rows_deinit(&l->rows);
    workflow_unref(l->wf);
    free(l);
}

static void lists_drop(struct world *w)
{
    struct list *l;
    while ((l = list_pop(&w->jobs))) {
        struct job *j = container_of(l, struct job, link);
        list_init(&j->link);
        job_end(j);
    }
    while ((l = list_pop(&w->dues)))
        free(container_of(l, struct due, link));
}

/* kill -9, then a start. What was stored, seen or not, is all there is; a session that was never
 * stored was never answered for either. */
static void crash(struct world *w)
{
    w->crashes++;
    if (w->batch && dice_chance(&w->dice, 50))
        batch_apply(w);
    w->batch = false;
    lists_drop(w);
    list_foreach_safe(it, tmp, &w->lives)
    {
        struct live *l = container_of(it, struct live, link);
        if (l->ended)
            continue;
        live_forget(l);
        l->released = l->rows.events.len;
        if (!l->rows.exists) {
            live_free(l);
            w->open--;
        } else {
            enum session_status st;
            session_status_parse(l->rows.row.core.status, &st);
            if (session_status_is_terminal(st)) {
                l->ended = true;
                w->open--;
            } else {
                live_load(w, l);
            }
        }
    }
}

/* ---- what people do ---- */

static struct live *live_any(struct world *w, bool open)
{
    unsigned n = 0;
    list_foreach(it, &w->lives) n += !open || !container_of(it, struct live, link)->ended;
    n = n ? dice_below(&w->dice, n) : 0;
    list_foreach(it, &w->lives)
    {
        struct live *l = container_of(it, struct live, link);
        if ((!open || !l->ended) && n-- == 0)
            return l;
    }
    return NULL;
}

/* A stage to begin at, now and then; NULL: at the start. */
static struct str stage_pick(struct world *w, const struct workflow *wf)
{
    if (!dice_chance(&w->dice, 10))
        return STR_NULL;
    for (unsigned i = wf->node_count; i-- > 0;)
        if (wf->nodes[i].kind == KIND_STAGE && wf->nodes[i].owner < 0)
            return wf->nodes[i].id;
    return STR_NULL;
}

static void do_execute(struct world *w)
{
    if (w->open >= SESSIONS_MAX || w->calm)
        return;
    struct live *l = mem_zalloc(sizeof(*l));
    l->id = id_new(&w->ids, (uint64_t)w->now);
    l->wf = graph_workflow(&w->dice, w->vm);
    rows_init(&l->rows);
    for (unsigned i = 0; i < READERS; i++) {
        stream_init(&l->readers[i].stream, l->id);
        l->readers[i].stream.truth = truth_of;
        l->readers[i].stream.data = w;
        l->readers[i].connected = true;
    }
    struct session_meta meta = {
        .workspace = STR("default"), .name = STR("sim"), .input_json = STR("{\"topic\":\"Cats\"}")};
    char budget[100];
    l->budget = sim_budget(&w->dice, budget);
    meta.budget_json = l->budget ? str_of(budget) : STR_NULL;
    struct session_params p = {
        .id = l->id, .epoch = 1, .meta = &meta, .start_paused = dice_chance(&w->dice, 5)};
    l->s = session_create(l->wf, w->vm, &p);
    list_append(&w->lives, &l->link);
    w->open++;
    w->sessions++;
    struct engine_input in = {.kind = IN_START, .node_id = stage_pick(w, l->wf)};
    if (live_step(w, l, in)) {
        fprintf(stderr, "a session did not start\n");
        abort();
    }
}

/* What stands at its budget gets a larger one, what a breaker stopped a reason; else it is refused.
 */
static void resume(struct world *w, struct live *l)
{
    char budget[64];
    struct engine_input in = {.kind = IN_RESUME};
    if (w->calm || dice_chance(&w->dice, 80)) {
        in.justification = STR("It is a test.");
        l->budget *= 2;
        snprintf(budget, sizeof(budget), "{\"tokens\":%lld}", (long long)l->budget);
        in.budget_json = l->budget ? str_of(budget) : STR_NULL;
    }
    live_step(w, l, in);
}

static void do_pause_or_resume(struct world *w)
{
    struct live *l = live_any(w, true);
    if (!l)
        return;
    live_load(w, l);
    struct engine_input pause = {.kind = IN_PAUSE,
                                 .hold = dice_chance(&w->dice, 50),
                                 .timers_run = dice_chance(&w->dice, 30)};
    if (session_status_of(l->s) == SESSION_PAUSED)
        resume(w, l);
    else
        w->paused += !live_step(w, l, pause);
}

static void do_end(struct world *w)
{
    struct live *l = live_any(w, true);
    if (!l || w->calm)
        return;
    live_load(w, l);
    live_step(w, l, (struct engine_input){.kind = dice_chance(&w->dice, 50) ? IN_CANCEL : IN_STOP});
}

/* An open interrupt of the session's row, as a page would find it. */
static bool waiting_pick(struct world *w, struct live *l, struct json *all, struct json *out)
{
    struct arena a;
    struct session_row row;
    static char text[65536];
    arena_init(&a);
    session_describe(l->s, &a, &row);
    snprintf(text, sizeof(text), "%.*s", STR_FMT(row.core.waiting_json));
    arena_deinit(&a);
    struct json list = json_root(str_of(text));
    size_t n = json_length(list);
    if (!n)
        return false;
    size_t pick = dice_below(&w->dice, (unsigned)n);
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        if (it.index == pick)
            *out = it.value;
    *all = list;
    return true;
}

static struct str word_of(struct json v)
{
    return (struct str){v.p + 1, v.n - 2};
}

/* To the node that waits, or for whoever comes to wait for it. */
static void send_signal(struct world *w, struct live *l, struct str node_id)
{
    static const char *const payloads[] = {"1", "{\"n\":2}", "null"};
    struct engine_input in = {.kind = IN_SIGNAL,
                              .data_json = str_of(payloads[dice_below(&w->dice, 3)])};
    if (node_id.n && dice_chance(&w->dice, 30))
        in.node_id = node_id;
    else
        in.name = STR("go");
    live_step(w, l, in);
    w->signals++;
}

static void do_signal(struct world *w)
{
    struct live *l = live_any(w, true);
    if (!l)
        return;
    live_load(w, l);
    send_signal(w, l, STR_NULL);
}

static void do_patch(struct world *w)
{
    struct live *l = live_any(w, true);
    struct patch p;
    if (l) {
        live_load(w, l);
        patch_make(&p, &w->dice, l->s);
        w->patches += patch_done(&p, l->s, live_step(w, l, p.in));
    }
}

/* Part of it first: then it cannot be completed yet. */
static void stage_answer_begin(struct world *w, struct live *l, struct engine_input *in)
{
    struct engine_input stage = {.kind = IN_STAGE, .interrupt_id = in->interrupt_id};
    if (dice_chance(&w->dice, 30))
        live_step(w, l,
                  (struct engine_input){
                      .kind = IN_STAGE, .action = STR("start"), .node_id = in->node_id});
    if (dice_chance(&w->dice, 20)) {
        in->action = STR("skip");
        in->data_json = STR("{\"reason\":\"not needed\"}");
        return;
    }
    in->action = STR("complete");
    in->data_json = STR("{\"items\":[{\"index\":0}],\"deliverables\":{\"d\":[1]}}");
    if (!dice_chance(&w->dice, 50))
        return;
    stage.action = STR("update");
    stage.data_json = STR("{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"context\":{\"x\":1}}");
    if (live_step(w, l, stage))
        return;
    in->data_json = STR("{\"deliverables\":{\"d\":0}}");
    stage.action = STR("complete");
    stage.data_json = STR_NULL;
    struct interrupt_row row;
    struct json list;
    if (!session_interrupt(l->s, STR_NULL, in->interrupt_id, &row))
        return;
    list = json_get(json_root(row.request_json), "deliverables");
    if (!strstr(json_raw(list).p, "\"value\":[1]") && !live_step(w, l, stage)) {
        fprintf(stderr, "a stage was completed without its deliverable\n");
        abort();
    }
}

static void answer_note(struct world *w, struct live *l, struct engine_input in,
                        struct id interrupt)
{
    struct interrupt_row row;
    bool open = session_interrupt(l->s, STR_NULL, interrupt, &row);
    w->answers++;
    if (!open && l->ack_count < 64)
        l->acks[l->ack_count++] = (struct ack){.interrupt_id = interrupt};
    struct engine_input twice = {.kind = IN_RESUME_NODE,
                                 .node_id = in.node_id,
                                 .action = STR("approve"),
                                 .reviewer = in.reviewer,
                                 .interrupt_id = interrupt};
    if (!live_step(w, l, twice)) {
        fprintf(stderr, "an answer was taken twice\n");
        abort();
    }
}

static void do_answer(struct world *w)
{
    static const char *const reviewers[] = {"ann", "bob", "cy", "dan"};
    struct live *l = live_any(w, true);
    struct json all, asked;
    if (!l)
        return;
    live_load(w, l);
    if (!waiting_pick(w, l, &all, &asked)) { /* nobody asks: it is said to all, in a pause, too */
        live_step(w, l, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("Hear!")});
        return;
    }
    struct engine_input in = {.kind = IN_RESUME_NODE,
                              .node_id = word_of(json_get(asked, "node_id")),
                              .reviewer = str_of(reviewers[dice_below(&w->dice, 4)]),
                              .data_json = STR("\"fine\"")};
    id_parse(word_of(json_get(asked, "interrupt_id")), &in.interrupt_id);
    if (json_string_eq(json_get(asked, "kind"), "signal")) {
        send_signal(w, l, in.node_id);
        return;
    }
    bool speak = json_string_eq(json_get(asked, "kind"), "user_input");
    in.action = speak ? STR("submit") : STR("approve");
    if (json_string_eq(json_get(asked, "kind"), "stage"))
        stage_answer_begin(w, l, &in);
    else if (!speak && !w->calm && dice_chance(&w->dice, 40))
        in.action = STR("reject");
    struct id interrupt = in.interrupt_id;
    if (speak && dice_chance(&w->dice, 50)) {
        in = (struct engine_input){
            .kind = IN_USER_INPUT, .content = STR("hello"), .node_id = in.node_id};
        interrupt = sim_waiting_longest(all, json_get(asked, "node_id"));
    }
    if (!live_step(w, l, in))
        answer_note(w, l, in, interrupt);
}

/* A worker's end of a task counts once, also in a pause and after a restart. */
static void do_task(struct world *w)
{
    struct live *l = live_any(w, true);
    if (!l || !l->rows.tasks)
        return;
    live_load(w, l);
    struct id id = l->rows.tasks->task_id;
    if (!session_awaits_task(l->s, id))
        return; /* its end is on the way */
    struct engine_input in = {
        .kind = IN_RUN_DONE, .run_id = id, .output_json = STR("{\"n\":2}"), .retry_after_ms = -1};
    if (!w->calm && dice_chance(&w->dice, 25)) {
        in.kind = IN_RUN_FAILED;
        in.error_code = STR("broken");
        in.error_text = STR("It broke.");
        in.is_final = dice_chance(&w->dice, 30);
    }
    live_step(w, l, in);
    w->tasks++;
    if (session_awaits_task(l->s, id)) {
        fprintf(stderr, "a task's end was not taken\n");
        abort();
    }
}

static void do_evict(struct world *w)
{
    struct live *l = live_any(w, true);
    if (!l || !l->s || l->in_batch || !session_is_idle(l->s))
        return;
    session_destroy(l->s);
    l->s = NULL;
    w->evicted++;
}

/* Paused, and its calls run on without it. */
static void do_park(struct world *w)
{
    list_foreach(it, &w->lives)
    {
        struct live *l = container_of(it, struct live, link);
        if (!l->s || l->in_batch || !(l->parked = session_park(l->s)))
            continue;
        session_destroy(l->s);
        l->s = NULL;
        w->parked++;
    }
}

/* ---- what the world does ---- */

static struct job *job_any(struct world *w)
{
    unsigned n = 0;
    list_foreach(it, &w->jobs) n++;
    if (!n)
        return NULL;
    n = dice_below(&w->dice, n);
    struct list *it = w->jobs.next;
    while (n--)
        it = it->next;
    return container_of(it, struct job, link);
}

static void job_fail(struct world *w, struct job *j)
{
    struct engine_input in = {.kind = IN_RUN_FAILED,
                              .run_id = j->run_id,
                              .error_code = STR("truncated"),
                              .error_text = STR("It broke off."),
                              .retry_after_ms = dice_chance(&w->dice, 20) ? 300 : -1};
    struct live *l = j->live;
    job_end(j);
    live_step(w, l, in);
}

static void model_goes_on(struct world *w, struct job *j)
{
    struct str all = j->text.data ? buf_str(&j->text) : STR("");
    struct str left = {all.p + j->said, all.n - j->said};
    if (left.n) {
        struct str chunk = sim_cut(left, dice_between(&w->dice, 1, 12));
        j->said += chunk.n;
        w->chunks++;
        live_step(w, j->live,
                  (struct engine_input){.kind = IN_CHUNK, .run_id = j->run_id, .text = chunk});
        if (dice_chance(&w->dice, 5) && job_find(w, j->run_id) == j)
            live_step(
                w, j->live,
                (struct engine_input){
                    .kind = IN_CHUNK, .run_id = j->run_id, .text = STR("hm"), .is_thinking = true});
        return;
    }
    struct engine_input in = {.kind = IN_MODEL_DONE,
                              .run_id = j->run_id,
                              .finish_reason = STR("stop"),
                              .model = STR("m"),
                              .provider = STR("p"),
                              .input_tokens = dice_chance(&w->dice, 20) ? -1 : 7,
                              .output_tokens = (int64_t)all.n};
    struct live *l = j->live;
    if (j->calls_tools)
        in.tool_calls_json = str_of(sim_tool_calls(&w->dice));
    job_end(j);
    live_step(w, l, in);
}

static void do_work(struct world *w)
{
    struct job *j = job_any(w);
    if (!j || j->held || (j->stalled && !w->calm))
        return;
    assert(j->live->s || j->live->parked);
    if (j->doomed && !w->calm && dice_chance(&w->dice, 20)) {
        job_fail(w, j);
    } else if (j->is_model) {
        model_goes_on(w, j);
    } else if (!j->live->gate_closed) {
        struct live *l = j->live;
        struct engine_input in = {
            .kind = IN_LOG, .run_id = j->run_id, .level = STR("info"), .text = STR("working")};
        live_step(w, l, in);
        in = (struct engine_input){
            .kind = IN_RUN_DONE, .run_id = j->run_id, .output_json = str_of(j->output)};
        job_end(j);
        live_step(w, l, in);
    }
}

/* The earliest timer that is due, if any. */
static bool timer_fire(struct world *w)
{
    struct due *first = NULL;
    list_foreach(it, &w->dues)
    {
        struct due *d = container_of(it, struct due, link);
        if (d->at <= w->now && (!first || d->at < first->at))
            first = d;
    }
    if (!first)
        return false;
    struct live *l = first->live;
    struct id timer_id = first->timer_id;
    list_remove(&first->link);
    free(first);
    if (l->ended)
        return true;
    live_load(w, l);
    live_step(w, l, (struct engine_input){.kind = IN_TIMER, .timer_id = timer_id});
    return true;
}

static void do_time(struct world *w)
{
    w->now += dice_below(&w->dice, w->calm ? 20000 : 1500);
    for (int i = 0; i < 20 && timer_fire(w); i++) {}
}

static void do_read(struct world *w)
{
    struct live *l = live_any(w, false);
    if (l)
        reader_read(w, l, &l->readers[dice_below(&w->dice, READERS)]);
}

static void step(struct world *w)
{
    unsigned roll = dice_below(&w->dice, 1000);
    if (roll < 30)
        do_execute(w);
    else if (roll < 480)
        do_work(w);
    else if (roll < 780)
        batch_turn(w);
    else if (roll < 840)
        do_time(w);
    else if (roll < 880)
        do_answer(w);
    else if (roll < 890)
        do_task(w);
    else if (roll < 894)
        do_signal(w);
    else if (roll < 898)
        do_patch(w);
    else if (roll < 930)
        do_pause_or_resume(w);
    else if (roll < 931)
        do_end(w);
    else if (roll < 938)
        do_evict(w);
    else if (roll < 952)
        do_park(w);
    else if (roll < 994)
        do_read(w);
    else if (!w->calm)
        crash(w);
}

/* ---- the end ---- */

static void live_finish(struct world *w, struct live *l)
{
    for (unsigned i = 0; i < READERS; i++) {
        struct reader *r = &l->readers[i];
        r->connected = true;
        reader_read(w, l, r);
        r->connected = true;
        if (r->at != l->rows.events.len || !stream_ended(&r->stream)) {
            fprintf(stderr, "a reader did not come to the end\n");
            abort();
        }
        for (unsigned k = 0; k < l->ack_count; k++) {
            if (!stream_answered(&r->stream, l->acks[k].interrupt_id)) {
                fprintf(stderr, "an answer that was acknowledged is lost\n");
                abort();
            }
        }
    }
    if (l->rows.effects || l->rows.timers || l->rows.withheld || l->rows.tasks) {
        fprintf(stderr, "rows are left of a session that has ended\n");
        abort();
    }
    for (struct interrupt_row *r = l->rows.interrupts; r; r = r->next) {
        if (str_eqz(r->status, "pending")) {
            fprintf(stderr, "a question is left open\n");
            abort();
        }
    }
    for (struct run_row *r = l->rows.runs; r; r = r->next) {
        if (str_eqz(r->status, "running") || str_eqz(r->status, "suspended") || !r->ended_at) {
            fprintf(stderr, "a run is left %.*s\n", STR_FMT(r->status));
            abort();
        }
    }
    w->hash = w->hash * 31 + l->readers[0].stream.hash;
}

/* Nobody pauses, nothing fails: everything must come to its end. */
static void stuck_show(struct world *w)
{
    fprintf(stderr, "%u sessions do not end:\n", w->open);
    list_foreach(it, &w->lives)
    {
        struct live *l = container_of(it, struct live, link);
        struct arena a;
        struct session_row row;
        if (l->ended)
            continue;
        live_load(w, l);
        arena_init(&a);
        session_describe(l->s, &a, &row);
        fprintf(stderr, "%.*s\n%.*s\n%.*s\n", STR_FMT(row.core.status),
                STR_FMT(row.core.state_json), STR_FMT(l->wf->text));
        arena_deinit(&a);
    }
    abort();
}

static void settle(struct world *w)
{
    w->calm = true;
    for (unsigned turns = 0; w->open; turns++) {
        if (turns > 200000)
            stuck_show(w);
        list_foreach(it, &w->lives)
        {
            struct live *l = container_of(it, struct live, link);
            if (l->ended || turns % 50)
                continue;
            live_load(w, l);
            if (session_status_of(l->s) == SESSION_PAUSED)
                resume(w, l);
        }
        static void (*const acts[])(struct world *) = {do_work, do_work,   batch_turn, do_task,
                                                       do_time, do_answer, do_read};
        acts[dice_below(&w->dice, 7)](w);
    }
    list_foreach(it, &w->lives) live_finish(w, container_of(it, struct live, link));
}

static uint64_t simulate(uint64_t seed, unsigned steps, bool loud)
{
    struct world w = {.now = 1767225600000};
    struct list *l;
    dice_init(&w.dice, seed);
    id_source_init_seed(&w.ids, seed ^ 0x5eed);
    w.vm = expr_vm_create();
    list_init(&w.lives);
    list_init(&w.jobs);
    list_init(&w.dues);
    list_init(&w.truths);
    for (unsigned i = 0; i < steps; i++)
        step(&w);
    settle(&w);
    if (loud)
        printf("%llu sessions (%llu completed), %llu chunks, %llu commits, %llu answers, %llu "
               "signals, %llu tasks, %llu patches, %llu pauses, %llu evictions, %llu parked, "
               "%llu crashes\n",
               w.sessions, w.completed, w.chunks, w.commits, w.answers, w.signals, w.tasks,
               w.patches, w.paused, w.evicted, w.parked, w.crashes);
    lists_drop(&w);
    while (!list_empty(&w.lives))
        live_free(container_of(w.lives.next, struct live, link));
    while ((l = list_pop(&w.truths))) {
        struct truth *t = container_of(l, struct truth, link);
        buf_deinit(&t->text);
        free(t);
    }
    expr_vm_destroy(w.vm);
    return w.hash;
}

int main(int argc, char **argv)
{
    return sim_twice("sim_engine", argc, argv, simulate);
}
