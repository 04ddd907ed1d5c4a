#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/session.h"

/* When it is a stage's turn: somebody begins it, it is passed over by a person, by its condition or
 * because the session begins behind it.
 *
 * A stage that is passed over has completed: what depends on it goes on, and its output is
 *
 *     {skipped: true, reason, reviewer, items, deliverables: {}, context}
 *
 * so that an expression behind it finds the members that it would find otherwise. */

/* ---- begun ---- */

static struct str time_json(struct session *s)
{
    char text[CLOCK_RFC3339_BYTES + 3] = "\"";
    clock_format_rfc3339(s->now, text + 1);
    text[CLOCK_RFC3339_BYTES + 1] = '"';
    return tmp_copy(s, (struct str){text, CLOCK_RFC3339_BYTES + 2});
}

void stage_stamp(struct session *s, unsigned n, struct str by)
{
    if (json_exists(interrupt_get(s, n, "started_at")))
        return;
    interrupt_set(s, n, "started_at", time_json(s));
    interrupt_set(s, n, "started_by", by.p ? quote(s, by) : STR("null"));
}

/* Does `other` stand in the way of n? Then it has not been settled and may be. */
static bool stands_before(struct session *s, unsigned other, unsigned n)
{
    if (other == n || !node_is_here(s, other) || !workflow_reaches_forward(s->at->wf, other, n))
        return false;
    return phase_is_active(s->at->nodes[other].phase) || join_may_run(s, other);
}

static bool is_for_people(enum node_kind k)
{
    return k == KIND_STAGE || k == KIND_HUMAN_REVIEW || k == KIND_USER_INPUT;
}

static void missing_node(struct session *s, struct jw *w, unsigned n)
{
    jw_object(w);
    jw_kv_string(w, "node_id", node_def(s, n)->id);
    jw_kv_string(w, "name", node_def(s, n)->name);
    jw_kv_stringz(w, "status", node_status_word(s->at->nodes[n].status));
    jw_end(w);
}

/* {missing: {stages: […], nodes: […]}}: what people have to do before. */
static unsigned missing_tell(struct session *s, unsigned n)
{
    unsigned count = 0;
    struct buf b;
    struct jw w;
    buf_init(&b, STAGE_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "missing");
    jw_object(&w);
    for (int others = 0; others < 2; others++) {
        jw_key(&w, others ? "nodes" : "stages");
        jw_array(&w);
        for (unsigned i = 0; i < s->at->wf->node_count; i++) {
            enum node_kind kind = node_def(s, i)->kind;
            if ((kind == KIND_STAGE) == others || !is_for_people(kind) || !stands_before(s, i, n))
                continue;
            missing_node(s, &w, i);
            count++;
        }
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    if (!buf_error(&b))
        own_set(&s->refusal_json, buf_str(&b));
    buf_deinit(&b);
    return count;
}

static int turn_refuse(struct session *s, unsigned n, struct errbuf *e)
{
    const struct node_def *def = node_def(s, n);
    const struct node_state *ns = &s->at->nodes[n];
    if (ns->phase == PHASE_DONE)
        return err_set(e, ERR_CONFLICT, "The stage \"%.*s\" is over: it is %s.", STR_FMT(def->id),
                       node_status_word(ns->status));
    unsigned count = missing_tell(s, n);
    if (!count)
        return err_set(e, ERR_CONFLICT, "The turn of the stage \"%.*s\" has not come.",
                       STR_FMT(def->id));
    return err_set(e, ERR_CONFLICT,
                   "The turn of the stage \"%.*s\" has not come: %u step%s before it %s open.",
                   STR_FMT(def->id), count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
}

int stage_start(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    int n = workflow_find(s->root.wf, in->node_id);
    struct work *w = work_waiting(s, in->node_id, (struct id){{0}});
    if (n < 0 || s->root.wf->nodes[n].kind != KIND_STAGE)
        return err_set(e, ERR_NOT_FOUND, "The workflow has no stage \"%.*s\".",
                       (int)(in->node_id.n > 64 ? 64 : in->node_id.n), in->node_id.p);
    if (!w)
        return turn_refuse(s, (unsigned)n, e);
    s->at = w->scope;
    if (json_exists(interrupt_get(s, w->node, "started_at")))
        return 0; /* somebody was here before: it has begun once */
    stage_stamp(s, w->node, in->reviewer);
    stage_progress_tell(s, w->node);
    interrupt_put(s, w->node, "pending");
    return 0;
}

/* ---- passed over ---- */

static struct str passed_output(struct session *s, struct json asked, struct str reason,
                                struct str reviewer)
{
    struct json_iter it;
    struct buf b;
    struct jw w;
    buf_init(&b, STAGE_BYTES_MAX * 4);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_bool(&w, "skipped", true);
    jw_kv_string(&w, "reason", reason);
    write_text(&w, "reviewer", reviewer);
    jw_kv_raw(&w, "items", json_raw(json_get(asked, "items")));
    jw_key(&w, "deliverables");
    jw_object(&w);
    json_iter_init(&it, json_get(asked, "deliverables"));
    while (json_iter_next(&it)) {
        jw_key_str(&w, json_text(s, json_get(it.value, "name")));
        jw_raw(&w, json_raw(json_get(it.value, "value")));
    }
    jw_end(&w);
    jw_kv_raw(&w, "context", json_raw(json_get(asked, "context")));
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

void stage_pass(struct session *s, unsigned n, const char *reason, int chosen)
{
    struct id id = id_new(s->in->ids, (uint64_t)s->now);
    char text[ID_TEXT_BYTES + 1];
    struct buf asked, answer;
    struct jw w;
    id_format(id, text);
    buf_init(&asked, STAGE_BYTES_MAX);
    jw_init(&w, &asked);
    jw_object(&w);
    stage_write(s, n, &w, text, STR_NULL);
    jw_end(&w);
    if (buf_error(&asked)) {
        buf_deinit(&asked);
        node_failz(s, n, "too_large", "The stage is larger than allowed.");
        return;
    }
    struct str output = passed_output(s, json_root(buf_str(&asked)), str_of(reason), STR_NULL);
    buf_init(&answer, STAGE_BYTES_MAX * 8);
    jw_init(&w, &answer);
    jw_object(&w);
    jw_kv_stringz(&w, "action", "skip");
    jw_kv_raw(&w, "data", output);
    jw_kv_raw(&w, "reviewer", STR("null"));
    jw_kv_time(&w, "at", s->now);
    jw_end(&w);
    interrupt_record(s, n, id, buf_str(&asked), buf_str(&answer));
    buf_deinit(&answer);
    buf_deinit(&asked);
    node_complete(s, n, output, chosen);
}

bool stage_condition_holds(struct session *s, unsigned n)
{
    struct str code = prop_text(s, n, "condition");
    struct errbuf e = {{0}};
    bool holds = true;
    if (!code.p)
        return true;
    if (eval_bool(s, n, code, &holds, &e)) {
        node_failz(s, n, "invalid_expression", e.text);
        return false;
    }
    if (!holds) {
        char reason[256];
        snprintf(reason, sizeof(reason), "Its condition does not hold: %.*s",
                 (int)(code.n > 150 ? 150 : code.n), code.p);
        stage_pass(s, n, reason, EDGES_NEXT);
    }
    return holds;
}

bool stage_allows_skip(const struct session *s, unsigned n)
{
    bool allowed = true;
    json_bool(prop(s, n, "allow_skip"), &allowed);
    return allowed;
}

static bool needs_something(struct json entries)
{
    struct json_iter it;
    json_iter_init(&it, entries);
    while (json_iter_next(&it)) {
        bool required = true;
        json_bool(json_get(it.value, "required"), &required);
        if (required)
            return true;
    }
    return false;
}

/* One that asks for nothing may be passed over without a word. */
static int skip_check(struct session *s, unsigned n, struct str reason, struct errbuf *e)
{
    if (!stage_allows_skip(s, n)) {
        s->refusal = "skip_not_allowed";
        return err_set(e, ERR_CONFLICT, "The stage \"%.*s\" may not be skipped.",
                       STR_FMT(node_def(s, n)->id));
    }
    if (!reason.n && (needs_something(interrupt_get(s, n, "items")) ||
                      needs_something(interrupt_get(s, n, "deliverables"))))
        return err_set(e, ERR_INVALID,
                       "reason: missing; the stage has required items or deliverables, so say why "
                       "it is skipped.");
    return 0;
}

int stage_skip(struct session *s, unsigned n, const struct engine_input *in, struct errbuf *e)
{
    struct json given =
        json_get_set(json_root(in->data_json.p ? in->data_json : STR("{}")), "reason");
    struct str reason = in->reason;
    if (!reason.p && json_type(given) == JSON_STRING)
        reason = json_text(s, given);
    if (reason.n > STAGE_BYTES_MAX / 64)
        return err_set(e, ERR_TOO_LARGE, "reason: longer than allowed.");
    int rc = skip_check(s, n, reason, e);
    if (rc)
        return rc;
    struct str output = passed_output(s, json_root(s->at->nodes[n].work->interrupt),
                                      reason.p ? reason : STR(""), in->reviewer);
    human_resume(s, n,
                 &(struct answer){.action = STR("skip"), .data = output, .reviewer = in->reviewer});
    return 0;
}

/* ---- a session that begins at a stage ---- */

int begin_check(struct session *s, struct str stage, struct errbuf *e)
{
    if (!stage.p)
        return 0;
    int n = workflow_find(s->at->wf, stage);
    if (n >= 0 && node_def(s, (unsigned)n)->kind == KIND_STAGE &&
        node_def(s, (unsigned)n)->owner < 0)
        return 0;
    s->refusal = "unknown_stage";
    return err_set(e, ERR_UNPROCESSABLE, "The workflow has no stage \"%.*s\" to begin at.",
                   (int)(stage.n > 64 ? 64 : stage.n), stage.p);
}

/* Nothing fires: the session goes on at the stage, and what only these led to never runs. */
static void begin_pass(struct session *s, unsigned n, struct str stage)
{
    char reason[160];
    if (node_def(s, n)->kind != KIND_STAGE) {
        node_skip(s, n);
        return;
    }
    snprintf(reason, sizeof(reason), "The session began at the stage \"%.*s\".", STR_FMT(stage));
    run_begin(s, n, false);
    stage_pass(s, n, reason, EDGES_NONE);
}

/* What leads to a node, and to what it depends on, and so on. */
static void begin_mark(struct session *s, bool *before, unsigned at)
{
    unsigned count = s->at->wf->node_count;
    uint16_t *list = arena_calloc(&s->tmp, count + 1, sizeof(*list));
    unsigned len = 0;
    list[len++] = (uint16_t)at;
    before[at] = true;
    for (unsigned i = 0; i < len; i++) {
        struct json_iter it;
        for (unsigned n = 0; n < count; n++)
            if (!before[n] && node_is_here(s, n) &&
                workflow_reaches_forward(s->at->wf, n, list[i])) {
                before[n] = true;
                list[len++] = (uint16_t)n;
            }
        json_iter_init(&it, node_def(s, list[i])->kind == KIND_STAGE
                                ? prop(s, list[i], "depends_on")
                                : JSON_ABSENT);
        while (json_iter_next(&it)) {
            int n = workflow_find(s->at->wf, json_text(s, it.value));
            if (n >= 0 && !before[n]) {
                before[n] = true;
                list[len++] = (uint16_t)n;
            }
        }
    }
}

void begin_at(struct session *s, struct str stage)
{
    unsigned at = (unsigned)workflow_find(s->at->wf, stage), start = s->at->wf->start;
    bool *before = arena_calloc(&s->tmp, s->at->wf->node_count + 1, sizeof(*before));
    begin_mark(s, before, at);
    node_start(s, start);
    for (unsigned n = 0; n < s->at->wf->node_count && !session_over(s); n++)
        if (before[n] && n != at && n != start)
            begin_pass(s, n, stage);
    if (!session_over(s))
        ready_push(s, at);
}
