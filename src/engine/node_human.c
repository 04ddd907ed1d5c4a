#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/schema.h"
#include "engine/session.h"

/* Nodes that wait for a person: human_review and user_input. Each wait is an interrupt with an id
 * of its own; an answer closes it, so a second answer finds nothing to close. */

#define ACTIONS_MAX 64

/* ---- asking ---- */

static const char *review_kind(const struct session *s, unsigned n)
{
    struct json type = prop(s, n, "review_type");
    if (node_def(s, n)->kind == KIND_USER_INPUT)
        return "user_input";
    if (json_string_eq(type, "edit_content"))
        return "edit_content";
    return json_string_eq(type, "form") ? "form" : "approve_reject";
}

struct actions {
    struct str items[ACTIONS_MAX];
    unsigned count;
};

static void action_add(struct actions *a, struct str label)
{
    for (unsigned i = 0; i < a->count; i++)
        if (str_eq(a->items[i], label))
            return;
    if (a->count < ACTIONS_MAX)
        a->items[a->count++] = label;
}

static int route_find(const struct session *s, unsigned n, struct str label)
{
    const struct node_def *def = node_def(s, n);
    for (unsigned i = 0; i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        if (e->kind == EDGE_ROUTE && str_eq(e->label, label))
            return def->out[i];
    }
    return EDGES_NONE;
}

/* Those listed, or the usual ones of its type; and every route, which could not be taken else. */
static void actions_fill(struct session *s, unsigned n, struct actions *a)
{
    const struct node_def *def = node_def(s, n);
    struct json listed = prop(s, n, "actions");
    const char *kind = review_kind(s, n);
    if (json_type(listed) == JSON_ARRAY && json_length(listed)) {
        struct json_iter it;
        json_iter_init(&it, listed);
        while (json_iter_next(&it))
            if (json_type(it.value) == JSON_STRING)
                action_add(a, json_text(s, it.value));
    } else if (!strcmp(kind, "user_input") || !strcmp(kind, "form")) {
        action_add(a, STR("submit"));
    } else {
        action_add(a, STR("approve"));
        if (!strcmp(kind, "edit_content"))
            action_add(a, STR("modify"));
        action_add(a, STR("reject"));
    }
    for (unsigned i = 0; i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        if (e->kind == EDGE_ROUTE && !str_eqz(e->label, "timeout"))
            action_add(a, e->label);
    }
    if (prop_is_true(s, n, "allow_skip"))
        action_add(a, STR("skip"));
}

static int64_t minutes_ms(const struct session *s, unsigned n, const char *key)
{
    double minutes;
    if (!json_double(prop(s, n, key), &minutes) || minutes <= 0)
        return 0;
    return (int64_t)(minutes * 60000);
}

static int64_t expiry_ms(const struct session *s, unsigned n)
{
    int64_t ms = minutes_ms(s, n, "timeout_minutes");
    return ms ? ms : node_def(s, n)->timeout_ms;
}

static void interrupt_write(struct session *s, unsigned n, struct jw *w, const char *id,
                            struct str reason, struct str draft)
{
    struct actions a = {.count = 0};
    struct json schema = prop(s, n, "form_schema");
    actions_fill(s, n, &a);
    jw_kv_stringz(w, "interrupt_id", id);
    jw_kv_stringz(w, "kind", review_kind(s, n));
    jw_kv_string(w, "reason", reason);
    jw_key(w, "actions");
    jw_array(w);
    for (unsigned i = 0; i < a.count; i++)
        jw_string(w, a.items[i]);
    jw_end(w);
    if (draft.p)
        jw_kv_string(w, "draft", draft);
    if (json_exists(schema))
        jw_kv_raw(w, "form_schema", json_raw(schema));
    jw_kv_time(w, "expires_at", expiry_ms(s, n) ? s->now + expiry_ms(s, n) : 0);
}

/* First of the two properties that is there, rendered; *out NULL when neither is. */
static int text_of(struct session *s, unsigned n, const char *key, const char *other,
                   struct str *out, struct errbuf *e)
{
    struct str tmpl = prop_text(s, n, key);
    *out = STR_NULL;
    if (!tmpl.p)
        tmpl = prop_text(s, n, other);
    return tmpl.p ? eval_template(s, n, tmpl, out, e) : 0;
}

static void human_ask(struct session *s, unsigned n, struct str reason, struct str draft)
{
    char text[ID_TEXT_BYTES + 1];
    struct id id = id_new(s->in->ids, (uint64_t)s->now);
    struct buf b;
    struct jw w;
    id_format(id, text);
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    interrupt_write(s, n, &w, text, reason, draft);
    jw_end(&w);
    if (buf_error(&b)) {
        node_failz(s, n, "too_large", "What is to be reviewed is larger than allowed.");
    } else {
        node_suspend(s, n, buf_str(&b), id);
        interrupt_write(s, n, event_begin(s, "human_interaction_required", (int)n), text, reason,
                        draft);
        event_end(s);
        if (expiry_ms(s, n))
            timer_add(s, FOR_EXPIRY, (int)n, expiry_ms(s, n));
        if (minutes_ms(s, n, "reminder_minutes"))
            timer_add(s, FOR_REMINDER, (int)n, minutes_ms(s, n, "reminder_minutes"));
    }
    buf_deinit(&b);
}

void node_start_review(struct session *s, unsigned n)
{
    struct errbuf e = {{0}};
    struct str reason, draft;
    char otherwise[300];
    if (text_of(s, n, "prompt", "reason", &reason, &e) ||
        text_of(s, n, "draft", "content", &draft, &e)) {
        node_failz(s, n, "invalid_template", e.text);
        return;
    }
    if (!reason.p) {
        snprintf(otherwise, sizeof(otherwise), "%.*s waits for a decision.",
                 STR_FMT(node_def(s, n)->name));
        reason = str_of(otherwise);
    }
    human_ask(s, n, reason, draft);
}

void node_start_input(struct session *s, unsigned n)
{
    struct errbuf e = {{0}};
    struct str reason;
    if (text_of(s, n, "prompt", "reason", &reason, &e)) {
        node_failz(s, n, "invalid_template", e.text);
        return;
    }
    human_ask(s, n, reason.p ? reason : STR("Waiting for your message."), STR_NULL);
}

/* ---- being answered ---- */

/* The row keeps what was asked, with the answer beside it. */
static void interrupt_close(struct session *s, unsigned n, struct str action, struct str data,
                            struct str reviewer)
{
    struct work *wk = s->at->nodes[n].work;
    struct buf b;
    struct jw w;
    buf_init(&b, wk->interrupt.n + data.n + 8192 + reviewer.n * 6);
    buf_append(&b, wk->interrupt.p, wk->interrupt.n - 1); /* without the last brace */
    buf_append_z(&b, ",\"answer\":");
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "action", action);
    jw_kv_raw(&w, "data", data);
    write_text(&w, "reviewer", reviewer);
    jw_kv_time(&w, "at", s->now);
    jw_end(&w);
    buf_append_char(&b, '}');
    own_set(&wk->interrupt, buf_str(&b));
    buf_deinit(&b);
    run_row_sync(s, n);
    s->at->nodes[n].row->interrupt_json.p = arena_strdup(&s->out.arena, wk->interrupt);
    s->at->nodes[n].row->interrupt_json.n = wk->interrupt.n;
}

static void human_go_on(struct session *s, unsigned n)
{
    s->at->nodes[n].status = NODE_RUNNING;
    phase_set(s, n, PHASE_RUNNING);
    run_row_sync(s, n);
    event_node_move(s, n, NODE_SUSPENDED, STR_NULL, STR_NULL);
}

/* routes[action], else next_ids. Going on by skip, modify or submit without either is approval. */
static int review_edge(const struct session *s, unsigned n, struct str action)
{
    const struct node_def *def = node_def(s, n);
    int edge = route_find(s, n, action);
    if (edge >= 0)
        return edge;
    for (unsigned i = 0; i < def->out_count; i++)
        if (s->at->wf->edges[def->out[i]].kind == EDGE_NEXT)
            return EDGES_NEXT;
    if (str_eqz(action, "skip") || str_eqz(action, "modify") || str_eqz(action, "submit"))
        return route_find(s, n, STR("approve"));
    return EDGES_NONE;
}

static void review_finish(struct session *s, unsigned n, struct str action, struct str data,
                          struct str reviewer)
{
    int edge = review_edge(s, n, action);
    struct buf b;
    struct jw w;
    if (edge == EDGES_NONE) {
        struct errbuf e;
        err_set(&e, ERR_INVALID, "The answer \"%.*s\" has no route, and there are no next_ids.",
                STR_FMT(action));
        node_failz(s, n, "no_route", e.text);
        return;
    }
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX * 2);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "action", action);
    jw_kv_raw(&w, "data", data);
    write_text(&w, "reviewer", reviewer);
    jw_end(&w);
    node_complete(s, n, buf_str(&b), edge);
    buf_deinit(&b);
}

static void human_resume(struct session *s, unsigned n, struct str action, struct str data,
                         struct str reviewer)
{
    char id[ID_TEXT_BYTES + 1];
    id_format(s->at->nodes[n].work->interrupt_id, id);
    struct jw *w = event_begin(s, "node_resumed", (int)n);
    jw_kv_stringz(w, "interrupt_id", id);
    jw_kv_string(w, "action", action);
    jw_kv_raw(w, "data", data);
    write_text(w, "reviewer", reviewer);
    event_end(s);
    interrupt_close(s, n, action, data, reviewer);
    human_go_on(s, n);
    if (node_def(s, n)->kind == KIND_USER_INPUT)
        node_complete(s, n, data.p ? data : STR("null"), EDGES_NEXT);
    else
        review_finish(s, n, action, data, reviewer);
}

static int action_check(struct session *s, unsigned n, struct str action, struct errbuf *e)
{
    struct actions a = {.count = 0};
    char list[300];
    size_t len = 0;
    actions_fill(s, n, &a);
    for (unsigned i = 0; i < a.count; i++) {
        if (str_eq(a.items[i], action))
            return 0;
        int wrote =
            snprintf(list + len, sizeof(list) - len, "%s%.*s", i ? ", " : "", STR_FMT(a.items[i]));
        len = len + (size_t)wrote < sizeof(list) ? len + (size_t)wrote : sizeof(list) - 1;
    }
    list[len] = 0;
    return err_set(e, ERR_INVALID, "Node \"%.*s\" does not take the action \"%.*s\"; it takes: %s.",
                   STR_FMT(node_def(s, n)->id), (int)(action.n > 64 ? 64 : action.n), action.p,
                   list);
}

static int data_check(struct session *s, unsigned n, struct str action, struct str data,
                      struct errbuf *e)
{
    struct json schema = prop(s, n, "form_schema");
    struct errbuf inner = {{0}};
    if (data.n > ENGINE_OUTPUT_BYTES_MAX - 4096)
        return err_set(e, ERR_TOO_LARGE, "The data are larger than allowed.");
    if (!json_exists(schema) || str_eqz(action, "reject") || str_eqz(action, "skip"))
        return 0;
    if (schema_validate(schema, json_root(data.p ? data : STR("null")), &inner))
        return err_set(e, ERR_INVALID, "The data do not hold to the form: %.400s", inner.text);
    return 0;
}

int human_answer(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    int found = workflow_find(s->at->wf, in->node_id);
    if (found < 0)
        return err_set(e, ERR_NOT_FOUND, "The workflow has no node \"%.*s\".",
                       (int)(in->node_id.n > 64 ? 64 : in->node_id.n), in->node_id.p);
    unsigned n = (unsigned)found;
    if (s->at->nodes[n].phase != PHASE_SUSPENDED)
        return err_set(e, ERR_CONFLICT, "Node \"%.*s\" is not suspended; it is %s.",
                       STR_FMT(in->node_id), node_status_word(s->at->nodes[n].status));
    if (!id_is_zero(in->interrupt_id) &&
        !id_eq(in->interrupt_id, s->at->nodes[n].work->interrupt_id))
        return err_set(e, ERR_CONFLICT, "This interrupt has been answered or has expired.");
    int rc = action_check(s, n, in->action, e);
    if (!rc)
        rc = data_check(s, n, in->action, in->data_json, e);
    if (!rc)
        human_resume(s, n, in->action, in->data_json, in->reviewer);
    return rc;
}

/* ---- somebody says something ---- */

/* Of several that wait, the one that has waited longest: interrupt ids ascend. */
static int input_waiting(const struct session *s, struct str node_id)
{
    int best = -1;
    for (unsigned n = 0; n < s->at->wf->node_count; n++) {
        if (s->at->nodes[n].phase != PHASE_SUSPENDED || node_def(s, n)->kind != KIND_USER_INPUT)
            continue;
        if (node_id.n && !str_eq(node_def(s, n)->id, node_id))
            continue;
        if (best < 0 || memcmp(&s->at->nodes[n].work->interrupt_id,
                               &s->at->nodes[best].work->interrupt_id, sizeof(struct id)) < 0)
            best = (int)n;
    }
    return best;
}

int human_say(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    int n = input_waiting(s, in->node_id);
    struct str data;
    int rc;
    if (in->node_id.n && n < 0)
        return err_set(e, ERR_CONFLICT, "Node \"%.*s\" does not wait for input.",
                       (int)(in->node_id.n > 64 ? 64 : in->node_id.n), in->node_id.p);
    if (in->content.n > ENGINE_OUTPUT_BYTES_MAX / 6)
        return err_set(e, ERR_TOO_LARGE, "The message is longer than allowed.");
    if (n >= 0 && json_exists(prop(s, (unsigned)n, "form_schema"))) {
        rc = json_check(in->content, NULL, e);
        if (rc)
            return rc;
        data = in->content;
    } else {
        data = quote(s, in->content);
    }
    rc = n >= 0 ? data_check(s, (unsigned)n, STR("submit"), data, e) : 0;
    if (rc)
        return rc;
    struct jw *w = event_begin(s, "user_input", n);
    jw_kv_string(w, "content", in->content.p ? in->content : STR(""));
    if (in->user_id.p)
        jw_kv_string(w, "user_id", in->user_id);
    event_end(s);
    message_add(s, (struct message_row){
                       .message_id = id_new(s->in->ids, (uint64_t)s->now),
                       .node_id = n >= 0 ? node_def(s, (unsigned)n)->id : STR_NULL,
                       .role = STR("user"),
                       .content = in->content,
                       .token_count = (int64_t)((in->content.n + 3) / 4),
                   });
    if (n >= 0)
        human_resume(s, (unsigned)n, STR("submit"), data, in->user_id);
    return 0;
}

/* ---- nobody answers ---- */

void human_expire(struct session *s, unsigned n)
{
    struct json policy = prop(s, n, "on_timeout");
    bool skip = json_string_eq(policy, "skip");
    bool route = json_string_eq(policy, "route") && route_find(s, n, STR("timeout")) >= 0;
    char id[ID_TEXT_BYTES + 1];
    id_format(s->at->nodes[n].work->interrupt_id, id);
    struct jw *w = event_begin(s, "human_interaction_expired", (int)n);
    jw_kv_stringz(w, "interrupt_id", id);
    jw_kv_stringz(w, "action_taken", skip ? "skip" : route ? "route" : "fail");
    event_end(s);
    struct str action = skip ? STR("skip") : STR("timeout");
    interrupt_close(s, n, action, STR_NULL, STR_NULL);
    if (!skip && !route) {
        node_failz(s, n, "timeout", "Nobody answered in time.");
        return;
    }
    human_go_on(s, n);
    review_finish(s, n, action, STR_NULL, STR_NULL);
}

void human_remind(struct session *s, unsigned n)
{
    struct timer *expiry = timer_of(s, FOR_EXPIRY, (int)n);
    char id[ID_TEXT_BYTES + 1];
    id_format(s->at->nodes[n].work->interrupt_id, id);
    struct jw *w = event_begin(s, "human_interaction_reminder", (int)n);
    jw_kv_stringz(w, "interrupt_id", id);
    jw_key(w, "expires_in_ms");
    if (expiry)
        jw_i64(w, expiry->due_at > s->now ? expiry->due_at - s->now : 0);
    else
        jw_null(w);
    event_end(s);
}
