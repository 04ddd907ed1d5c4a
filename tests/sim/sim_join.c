/* Random graphs, run by the engine and by the plain evaluator (plain.c) side by side. Both are
 * asked who waits for somebody outside; they must name the same; one of them is answered, by
 * chance, and so on, until both are over, in the same way: status, error, outputs. Now and then the
 * engine is stored, forgotten and read back in between.
 *
 *     sim_join [--seed N] [--graphs N] [--show]      also: SLUICE_SIM_SEED
 *
 * Graph k of seed s is graph 0 of seed s + k. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/engine_rows.h"
#include "engine/expr.h"
#include "engine/session.h"
#include "plain.h"

#define WAITS_MAX 400
#define STEPS_MAX 5000

struct pair {
    struct expr_vm *vm;
    struct workflow *wf;
    struct session *s;
    struct rows rows;
    struct id_source ids;
    int64_t now;
    struct plain_graph g;
    struct plain_run plain;
    struct dice dice;
    struct buf json, story;
    uint64_t seed;
    unsigned long long answers;
};

__attribute__((noreturn, format(printf, 2, 3))) static void differ(struct pair *p, const char *fmt,
                                                                   ...)
{
    va_list ap;
    fprintf(stderr, "seed %llu: ", (unsigned long long)p->seed);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n%s\n%s\n", p->json.data, p->story.len ? p->story.data : "");
    abort();
}

/* ---- the engine ---- */

static void engine_take(struct pair *p)
{
    struct delta d;
    struct effect *effects;
    if (!engine_take_delta(p->s, p->now, &d, &effects))
        return;
    rows_apply(&p->rows, &d);
    buf_deinit(&d.events);
    arena_deinit(&d.arena);
}

static void engine_do(struct pair *p, struct engine_input in)
{
    struct errbuf e = {{0}};
    in.now_ms = p->now;
    in.ids = &p->ids;
    if (engine_step(p->s, &in, &e))
        differ(p, "the engine refuses: %s", e.text);
    session_check(p->s);
    engine_take(p);
}

/* What a step leaves to the next one, and attempts that are due at once. */
static void engine_timers(struct pair *p)
{
    while (p->rows.timers)
        engine_do(p, (struct engine_input){.kind = IN_TIMER, .timer_id = p->rows.timers->timer_id});
}

static void engine_restart(struct pair *p)
{
    struct errbuf e = {{0}};
    session_destroy(p->s);
    p->s = NULL;
    if (rows_restore(&p->rows, p->wf, p->vm, &p->s, &e))
        differ(p, "the engine does not read back: %s", e.text);
    session_check(p->s);
    engine_do(p, (struct engine_input){.kind = IN_RECOVER});
    engine_timers(p);
    buf_append_z(&p->story, "(restart)\n");
}

struct place {
    char key[PLAIN_KEY];
    struct id run_id, interrupt_id;
    struct str node_id;
};

static int place_order(const void *a, const void *b)
{
    return strcmp(((const struct place *)a)->key, ((const struct place *)b)->key);
}

static int engine_waits(struct pair *p, struct place *out)
{
    int count = 0;
    table_foreach(slot, &p->s->runs)
    {
        const struct work *w = slot->value;
        if (w->kind != WORK_SCRIPT && w->kind != WORK_HUMAN)
            continue;
        struct place *at = &out[count++];
        at->node_id = w->scope->wf->nodes[w->node].id;
        at->run_id = w->id;
        at->interrupt_id = w->interrupt_id;
        size_t len = (size_t)snprintf(at->key, sizeof(at->key), "%.*s", STR_FMT(at->node_id));
        for (const struct scope *c = w->scope; c->parent; c = c->parent)
            len += (size_t)snprintf(at->key + len, sizeof(at->key) - len, " %.*s[%u]",
                                    STR_FMT(c->parent->wf->nodes[c->owner].id), c->item);
    }
    qsort(out, (size_t)count, sizeof(*out), place_order);
    return count;
}

/* ---- both ---- */

/* Who waits must be the same; how many. */
static int compare_waits(struct pair *p, struct place *engine, struct plain_wait *plain)
{
    int n = engine_waits(p, engine), m = plain_waits(&p->plain, plain, WAITS_MAX);
    for (int i = 0; i < n || i < m; i++) {
        const char *a = i < n ? engine[i].key : "~", *b = i < m ? plain[i].key : "~";
        if (strcmp(a, b) < 0)
            differ(p, "in the engine %s waits, by the book it does not", a);
        if (strcmp(a, b) > 0)
            differ(p, "by the book %s waits, in the engine it does not", b);
    }
    return n;
}

static void answer_review(struct pair *p, const struct place *at, const struct plain_wait *w)
{
    bool yes = w->answers >= 2 || dice_chance(&p->dice, 60);
    char text[160];
    snprintf(text, sizeof(text), "{\"action\":\"%s\",\"data\":%d,\"reviewer\":\"ann\"}",
             yes ? "approve" : "reject", w->answers);
    buf_printf(&p->story, "%s: %s\n", w->key, yes ? "approve" : "reject");
    char data[16];
    snprintf(data, sizeof(data), "%d", w->answers);
    engine_do(p, (struct engine_input){.kind = IN_RESUME_NODE,
                                       .node_id = at->node_id,
                                       .interrupt_id = at->interrupt_id,
                                       .action = yes ? STR("approve") : STR("reject"),
                                       .data_json = str_of(data),
                                       .reviewer = STR("ann")});
    plain_answer(&p->plain, w, yes ? PLAIN_YES : PLAIN_NO, text);
}

static void answer_work(struct pair *p, const struct place *at, const struct plain_wait *w)
{
    bool breaks = w->answers < 4 && dice_chance(&p->dice, 15);
    char text[PLAIN_KEY + 20];
    snprintf(text, sizeof(text), "\"%s #%d\"", w->key, w->answers);
    buf_printf(&p->story, "%s: %s\n", w->key, breaks ? "breaks" : "done");
    if (breaks)
        engine_do(p, (struct engine_input){.kind = IN_RUN_FAILED,
                                           .run_id = at->run_id,
                                           .error_code = STR("broken"),
                                           .retry_after_ms = -1});
    else
        engine_do(p, (struct engine_input){
                         .kind = IN_RUN_DONE, .run_id = at->run_id, .output_json = str_of(text)});
    plain_answer(&p->plain, w, breaks ? PLAIN_BREAK : PLAIN_DONE, text);
}

static void compare_text(struct pair *p, const char *what, const char *id, struct str engine,
                         const char *plain)
{
    if ((engine.p == NULL) != (plain == NULL) || (plain && !str_eqz(engine, plain)))
        differ(p, "%s %s: in the engine %.*s, by the book %s", what, id,
               (int)(engine.p ? engine.n : 4), engine.p ? engine.p : "none",
               plain ? plain : "none");
}

static void compare_ends(struct pair *p)
{
    enum session_status status = session_status_of(p->s);
    const struct plain_run *r = &p->plain;
    if (!r->over || status != (r->failed ? SESSION_FAILED : SESSION_COMPLETED))
        differ(p, "in the engine the session is %s, by the book %s", session_status_word(status),
               !r->over    ? "nobody is waited for, and it is not over"
               : r->failed ? r->code
                           : "completed");
    compare_text(p, "the output", "", p->s->output, r->output);
    if (r->failed) {
        struct json error = json_root(p->s->error), node = json_get(error, "node_id");
        if (!json_string_eq(json_get(error, "code"), r->code) ||
            (r->failed_node >= 0 && !json_string_eq(node, r->g->nodes[r->failed_node].id)))
            differ(p, "in the engine it failed as %.*s, by the book as %s of %s",
                   STR_FMT(p->s->error), r->code,
                   r->failed_node < 0 ? "none" : r->g->nodes[r->failed_node].id);
    }
    for (int n = 0; n < r->g->node_count; n++) {
        const struct plain_node *self = &r->g->nodes[n];
        if (self->owner >= 0)
            continue;
        const struct node_state *ns = &p->s->root.nodes[workflow_find(p->wf, str_of(self->id))];
        bool outside = self->kind == PLAIN_WORK || self->kind == PLAIN_REVIEW;
        if (outside || !r->was_cut)
            compare_text(p, "the output of", self->id, ns->output, plain_output(r, n));
        if (!r->failed && !r->was_cut) /* else it depends on what had begun in that moment */
            compare_text(p, "the status of", self->id, str_of(node_status_word(ns->status)),
                         plain_status(r, n));
    }
}

/* ---- one graph ---- */

static void pair_open(struct pair *p, struct expr_vm *vm, uint64_t seed)
{
    struct workflow_issues issues;
    struct session_meta meta = {.workspace = STR("default"), .input_json = STR("{}")};
    memset(p, 0, sizeof(*p));
    p->vm = vm;
    p->seed = seed;
    p->now = 1767225600000;
    dice_init(&p->dice, seed);
    id_source_init_seed(&p->ids, seed + 1);
    rows_init(&p->rows);
    buf_init(&p->json, 1u << 20);
    buf_init(&p->story, 1u << 20);
    plain_random(&p->dice, &p->g);
    plain_json(&p->g, &p->json);
    workflow_issues_init(&issues);
    if (workflow_parse(buf_str(&p->json), vm, &p->wf, &issues))
        differ(p, "%.*s: %.*s", STR_FMT(issues.items[0].path), STR_FMT(issues.items[0].message));
    workflow_issues_deinit(&issues);
    struct session_params params = {
        .id = id_new(&p->ids, (uint64_t)p->now), .epoch = 1, .meta = &meta};
    p->s = session_create(p->wf, vm, &params);
    engine_do(p, (struct engine_input){.kind = IN_START});
    plain_begin(&p->plain, &p->g);
}

static void pair_close(struct pair *p)
{
    session_destroy(p->s);
    workflow_unref(p->wf);
    rows_deinit(&p->rows);
    plain_free(&p->plain);
    buf_deinit(&p->json);
    buf_deinit(&p->story);
}

static void pair_run(struct pair *p)
{
    static struct place engine[WAITS_MAX];
    static struct plain_wait plain[WAITS_MAX];
    bool restarts = dice_chance(&p->dice, 30);
    for (;; p->answers++) {
        engine_timers(p);
        int n = compare_waits(p, engine, plain);
        if (!n)
            break;
        if (p->answers > STEPS_MAX)
            differ(p, "it does not end");
        unsigned pick = dice_below(&p->dice, (unsigned)n);
        if (p->g.nodes[plain[pick].node].kind == PLAIN_REVIEW)
            answer_review(p, &engine[pick], &plain[pick]);
        else
            answer_work(p, &engine[pick], &plain[pick]);
        if (restarts && dice_chance(&p->dice, 15) && !session_status_is_terminal(p->s->status))
            engine_restart(p);
    }
    compare_ends(p);
}

int main(int argc, char **argv)
{
    const char *env = getenv("SLUICE_SIM_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL) * 100000;
    unsigned long long graphs = 1000, answers = 0, completed = 0;
    bool show = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--graphs") && i + 1 < argc)
            graphs = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--show"))
            show = true;
    }
    printf("sim_join --seed %llu --graphs %llu\n", (unsigned long long)seed, graphs);
    fflush(stdout);
    struct expr_vm *vm = expr_vm_create();
    for (unsigned long long k = 0; k < graphs; k++) {
        static struct pair p;
        pair_open(&p, vm, seed + k);
        pair_run(&p);
        answers += p.answers;
        completed += !p.plain.failed;
        if (show)
            printf("%s\n%s", p.json.data, p.story.len ? p.story.data : "");
        pair_close(&p);
    }
    expr_vm_destroy(vm);
    printf("ok: %llu answers, %llu of %llu graphs completed\n", answers, completed, graphs);
    return 0;
}
