#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/files.h"
#include "engine/session.h"

/* A loop node starts once a round: first from outside (round 1), then each time its body comes back
 * by a back edge. Before another round it asks whether to go on.
 *
 * The body is what follows the body edge forward and does not follow the exit edge as well. */

#define BODY 0
#define EXIT 1

static int loop_edge(const struct session *s, unsigned n, unsigned ordinal)
{
    const struct node_def *def = node_def(s, n);
    for (unsigned i = 0; i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        if (e->kind == EDGE_NEXT && e->ordinal == ordinal)
            return def->out[i];
    }
    return EDGES_NONE;
}

static void loop_init(struct session *s, struct arena *a, struct loop_state *l, unsigned n)
{
    unsigned words = s->at->wf->words;
    int body = loop_edge(s, n, BODY), exit_edge = loop_edge(s, n, EXIT);
    l->node = n;
    l->body = arena_calloc(a, words, sizeof(*l->body));
    if (body < 0 || s->at->wf->edges[body].back)
        return;
    const uint64_t *in = s->at->wf->reach_forward + (size_t)s->at->wf->edges[body].to * words;
    const uint64_t *out = NULL;
    if (exit_edge >= 0 && !s->at->wf->edges[exit_edge].back)
        out = s->at->wf->reach_forward + (size_t)s->at->wf->edges[exit_edge].to * words;
    for (unsigned i = 0; i < words; i++) {
        l->body[i] = in[i] & ~(out ? out[i] : 0);
        l->body_size += (unsigned)__builtin_popcountll(l->body[i]);
    }
}

static bool is_loop(const struct session *s, unsigned n)
{
    return node_def(s, n)->kind == KIND_LOOP && node_is_here(s, n);
}

void loops_init(struct session *s, struct arena *a)
{
    unsigned count = 0;
    for (unsigned n = 0; n < s->at->wf->node_count; n++)
        count += is_loop(s, n);
    if (!count)
        return;
    s->at->loops = arena_calloc(a, count, sizeof(*s->at->loops));
    for (unsigned n = 0; n < s->at->wf->node_count; n++)
        if (is_loop(s, n))
            loop_init(s, a, &s->at->loops[s->at->loop_count++], n);
}

struct loop_state *loop_find(const struct session *s, unsigned loop_node)
{
    for (unsigned i = 0; i < s->at->loop_count; i++)
        if (s->at->loops[i].node == loop_node)
            return &s->at->loops[i];
    return NULL;
}

struct loop_state *loop_around(const struct session *s, unsigned n)
{
    struct loop_state *best = NULL;
    for (unsigned i = 0; i < s->at->loop_count; i++) {
        struct loop_state *l = &s->at->loops[i];
        if (bit_get(l->body, n) && (!best || l->body_size < best->body_size))
            best = l;
    }
    return best;
}

void loop_push_score(struct loop_state *l, double score)
{
    if (l->history_len == l->history_cap) {
        l->history_cap = l->history_cap ? l->history_cap * 2 : 4;
        l->history = mem_realloc(l->history, l->history_cap * sizeof(*l->history));
    }
    l->history[l->history_len++] = score;
}

/* ---- what it says of itself ---- */

static void history_write(struct jw *w, const struct loop_state *l)
{
    jw_key(w, "score");
    if (l->history_len)
        jw_double(w, l->history[l->history_len - 1]);
    else
        jw_null(w);
    jw_key(w, "history");
    jw_array(w);
    for (unsigned i = 0; i < l->history_len; i++)
        jw_double(w, l->history[i]);
    jw_end(w);
}

static int64_t loop_max_rounds(const struct session *s, unsigned n)
{
    int64_t max = 1;
    json_i64(prop(s, n, "max_rounds"), &max);
    return max;
}

/* The loop's own, or that around the node: in its scope, else around the container, and so on. */
static const struct loop_state *loop_seen(const struct session *s, unsigned n,
                                          const struct scope **in)
{
    struct session *m = (struct session *)s; /* only s->at, and back */
    struct scope *was = s->at;
    const struct loop_state *l =
        node_def(s, n)->kind == KIND_LOOP ? loop_find(s, n) : loop_around(s, n);
    while (!l && m->at->parent) {
        n = m->at->owner;
        m->at = m->at->parent;
        l = loop_around(m, n);
    }
    *in = m->at;
    m->at = was;
    return l;
}

struct str loop_text(struct session *s, unsigned n)
{
    const struct scope *in, *was = s->at;
    const struct loop_state *l = loop_seen(s, n, &in);
    struct buf b;
    struct jw w;
    if (!l)
        return STR_NULL;
    buf_init(&b, 1u << 20);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_i64(&w, "round", l->round);
    s->at = (struct scope *)in;
    jw_kv_i64(&w, "max_rounds", loop_max_rounds(s, l->node));
    s->at = (struct scope *)was;
    history_write(&w, l);
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

/* Why a loop ended, and what that meant. */
struct loop_end {
    const char *reason; /* NULL: another round */
    bool rolled_back;
    unsigned files; /* that were taken back */
};

/* The first round with the highest score, from 1; 0: there are no scores. */
static unsigned best_round(const struct loop_state *l)
{
    unsigned best = 0;
    for (unsigned i = 1; i < l->history_len; i++)
        if (l->history[i] > l->history[best])
            best = i;
    return l->history_len ? best + 1 : 0;
}

static void end_write(struct jw *w, const struct loop_state *l, const struct loop_end *end)
{
    if (!end->reason || strcmp(end->reason, "regression") != 0)
        return;
    jw_kv_i64(w, "best_round", best_round(l));
    if (end->rolled_back)
        jw_kv_i64(w, "files_rolled_back", end->files);
}

static void loop_event(struct session *s, struct loop_state *l, const struct loop_end *end)
{
    struct jw *w = event_begin(s, "loop_round", (int)l->node);
    jw_kv_i64(w, "round", l->round);
    jw_kv_i64(w, "max_rounds", loop_max_rounds(s, l->node));
    history_write(w, l);
    if (end->reason)
        jw_kv_stringz(w, "exit_reason", end->reason);
    end_write(w, l, end);
    event_end(s);
}

static void loop_complete(struct session *s, struct loop_state *l, const struct loop_end *end)
{
    struct buf b;
    struct jw w;
    loop_event(s, l, end);
    buf_init(&b, 1u << 20);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_i64(&w, "rounds", l->round);
    jw_kv_stringz(&w, "exit_reason", end->reason);
    history_write(&w, l);
    end_write(&w, l, end);
    jw_end(&w);
    node_complete(s, l->node, buf_str(&b), loop_edge(s, l->node, end->reason ? EXIT : BODY));
    buf_deinit(&b);
}

/* ---- the files of worse rounds ---- */

/* After a round: is it the best so far? Then this is what may be gone back to. */
static void loop_mark_files(struct session *s, struct loop_state *l)
{
    if (prop_is_true(s, l->node, "rollback") && best_round(l) == l->history_len)
        own_set(&l->mark, files_mark(s));
}

static void loop_roll_back(struct session *s, struct loop_state *l, struct loop_end *end)
{
    char why[100];
    if (!end->reason || strcmp(end->reason, "regression") != 0 || !l->mark.p)
        return;
    int len = snprintf(why, sizeof(why), "Round %u was better than round %lld.", best_round(l),
                       (long long)l->round);
    end->rolled_back = true;
    end->files = files_roll_back(s, l->node, json_root(l->mark), (struct str){why, (size_t)len});
}

/* ---- whether to go on ---- */

/* The newest score lies regression_delta or more under the best before it. */
static bool scores_regress(const struct loop_state *l, double delta)
{
    if (l->history_len < 2)
        return false;
    double best = l->history[0], last = l->history[l->history_len - 1];
    for (unsigned i = 1; i + 1 < l->history_len; i++)
        best = l->history[i] > best ? l->history[i] : best;
    return last < best && best - last >= delta;
}

/* None of the last `rounds` scores is better than the best before them. */
static bool scores_stagnate(const struct loop_state *l, int64_t rounds)
{
    if (rounds < 1 || l->history_len <= (uint64_t)rounds)
        return false;
    unsigned before = l->history_len - (unsigned)rounds;
    double best = l->history[0];
    for (unsigned i = 1; i < before; i++)
        best = l->history[i] > best ? l->history[i] : best;
    for (unsigned i = before; i < l->history_len; i++)
        if (l->history[i] > best)
            return false;
    return true;
}

static int loop_take_score(struct session *s, struct loop_state *l, struct errbuf *e)
{
    struct str code = prop_text(s, l->node, "score"), text;
    double score;
    if (!code.p)
        return 0;
    int rc = eval_json(s, l->node, code, &text, e);
    if (rc)
        return rc;
    if (!json_double(json_root(text), &score))
        return err_set(e, ERR_INVALID, "The score is a %s, not a number.",
                       json_type_name(json_type(json_root(text))));
    loop_push_score(l, score);
    loop_mark_files(s, l);
    return 0;
}

static int loop_asks_exit(struct session *s, struct loop_state *l, const char **reason,
                          struct errbuf *e)
{
    unsigned n = l->node;
    double number;
    int64_t rounds;
    struct str when = prop_text(s, n, "exit_when");
    bool holds = false;
    if (when.p && eval_bool(s, n, when, &holds, e))
        return ERR_INVALID;
    if (holds)
        *reason = "exit_when";
    else if (l->history_len && json_double(prop(s, n, "exit_on_score"), &number) &&
             l->history[l->history_len - 1] >= number)
        *reason = "score";
    else if (json_double(prop(s, n, "regression_delta"), &number) && scores_regress(l, number))
        *reason = "regression";
    else if (json_i64(prop(s, n, "stagnation_rounds"), &rounds) && scores_stagnate(l, rounds))
        *reason = "stagnation";
    else if (l->round >= loop_max_rounds(s, n))
        *reason = "max_rounds";
    return 0;
}

void node_start_loop(struct session *s, unsigned n)
{
    struct loop_state *l = loop_find(s, n);
    struct errbuf e = {{0}};
    struct loop_end end = {.reason = NULL};
    bool next_round = s->at->nodes[n].next_round;
    s->at->nodes[n].next_round = false;
    if (!next_round) {
        l->round = 1;
        l->history_len = 0;
        own_set(&l->mark, STR_NULL);
    } else if (loop_take_score(s, l, &e) || loop_asks_exit(s, l, &end.reason, &e)) {
        node_failz(s, n, "invalid_expression", e.text);
        return;
    } else if (!end.reason) {
        l->round++;
    }
    loop_roll_back(s, l, &end);
    loop_complete(s, l, &end);
}
