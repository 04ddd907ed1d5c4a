#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/form.h"
#include "engine/schema.h"
#include "engine/session.h"

/* Nodes that wait for a person: human_review and user_input. Each wait is an interrupt with an id
 * of its own; an answer closes it, so a second answer finds nothing to close. */

#define ACTIONS_MAX 64
/* What an edit is about: its output holds the text, the answer's data and what has changed. */
#define REVIEW_EDIT_BYTES_MAX (1u << 20)

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

int64_t prop_minutes_ms(const struct session *s, unsigned n, const char *key)
{
    double minutes;
    if (!json_double(prop(s, n, key), &minutes) || minutes <= 0)
        return 0;
    return (int64_t)(minutes * 60000);
}

static int64_t expiry_ms(const struct session *s, unsigned n)
{
    int64_t ms = prop_minutes_ms(s, n, "timeout_minutes");
    return ms ? ms : node_def(s, n)->timeout_ms;
}

void interrupt_id_write(struct session *s, unsigned n, struct jw *w)
{
    char id[ID_TEXT_BYTES + 1];
    id_format(s->at->nodes[n].work->interrupt_id, id);
    jw_kv_stringz(w, "interrupt_id", id);
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
    static const char *const asked_of[] = {"reviewers", "quorum", "reject_quorum"};
    for (size_t i = 0; i < sizeof(asked_of) / sizeof(asked_of[0]); i++)
        if (json_exists(prop(s, n, asked_of[i])))
            jw_kv_raw(w, asked_of[i], json_raw(prop(s, n, asked_of[i])));
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

void human_suspend(struct session *s, unsigned n, struct str asked, struct id id, int64_t expires)
{
    node_suspend(s, n, asked, id);
    if (expires)
        timer_add(s, FOR_EXPIRY, (int)n, expires);
    if (prop_minutes_ms(s, n, "reminder_minutes"))
        timer_add(s, FOR_REMINDER, (int)n, prop_minutes_ms(s, n, "reminder_minutes"));
    interrupt_put(s, n, "pending");
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
    bool edits = !strcmp(review_kind(s, n), "edit_content");
    if (buf_error(&b) || (edits && b.len > REVIEW_EDIT_BYTES_MAX)) {
        node_failz(s, n, "too_large", "What is to be reviewed is larger than allowed.");
    } else {
        human_suspend(s, n, buf_str(&b), id, expiry_ms(s, n));
        interrupt_write(s, n, event_begin(s, "human_interaction_required", (int)n), text, reason,
                        draft);
        event_end(s);
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
    struct str reason = STR_NULL;
    if (text_of(s, n, "prompt", "reason", &reason, &e)) {
        node_failz(s, n, "invalid_template", e.text);
        return;
    }
    human_ask(s, n, reason.p ? reason : STR("Waiting for your message."), STR_NULL);
}

/* ---- being answered ---- */

static void answer_write(struct jw *w, const struct answer *a)
{
    jw_kv_string(w, "action", a->action);
    jw_kv_raw(w, "data", a->data);
    write_text(w, "reviewer", a->reviewer);
    if (a->content.p)
        jw_kv_string(w, "content", a->content);
    if (a->diff.p)
        jw_kv_string(w, "diff", a->diff);
    if (a->votes_json.p)
        jw_kv_raw(w, "votes", a->votes_json);
}

/* The row keeps what was asked, with the answer beside it. */
static void interrupt_close(struct session *s, unsigned n, const struct answer *a,
                            const char *status)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    answer_write(&w, a);
    jw_kv_time(&w, "at", s->now);
    jw_end(&w);
    interrupt_set(s, n, "answer", buf_str(&b));
    buf_deinit(&b);
    interrupt_put(s, n, status);
}

void human_go_on(struct session *s, unsigned n)
{
    node_status_set(s, n, NODE_RUNNING);
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

static void review_finish(struct session *s, unsigned n, const struct answer *a)
{
    int edge = review_edge(s, n, a->action);
    struct buf b;
    struct jw w;
    if (edge == EDGES_NONE && !s->at->parent) { /* inside of a container it ends the item */
        struct errbuf e;
        err_set(&e, ERR_INVALID, "The answer \"%.*s\" has no route, and there are no next_ids.",
                STR_FMT(a->action));
        node_failz(s, n, "no_route", e.text);
        return;
    }
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX * 2);
    jw_init(&w, &b);
    jw_object(&w);
    answer_write(&w, a);
    jw_end(&w);
    if (buf_error(&b))
        node_failz(s, n, "too_large", "The node's output is larger than allowed.");
    else
        node_complete(s, n, buf_str(&b), edge);
    buf_deinit(&b);
}

void human_resume(struct session *s, unsigned n, const struct answer *a)
{
    struct jw *w = event_begin(s, "node_resumed", (int)n);
    interrupt_id_write(s, n, w);
    answer_write(w, a);
    jw_kv_bool(w, "final", true);
    event_end(s);
    interrupt_close(s, n, a, "answered");
    human_go_on(s, n);
    if (node_def(s, n)->kind == KIND_HUMAN_REVIEW)
        review_finish(s, n, a);
    else
        node_complete(s, n, a->data.p ? a->data : STR("null"), EDGES_NEXT);
}

int human_action_check(struct session *s, unsigned n, struct str action, struct errbuf *e)
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

static struct str data_fill(struct session *s, struct json schema, struct str data)
{
    struct json given = json_root(data);
    struct buf b;
    struct jw w;
    if (json_type(given) == JSON_NULL)
        given = JSON_ABSENT;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX * 2);
    jw_init(&w, &b);
    form_fill(schema, given, &w);
    struct str out = buf_error(&b) ? data : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

int human_data_check(struct session *s, unsigned n, struct str action, struct str *data,
                     struct errbuf *e)
{
    struct json schema = prop(s, n, "form_schema");
    struct errbuf inner = {{0}};
    if (data->n > ENGINE_OUTPUT_BYTES_MAX - 4096)
        return err_set(e, ERR_TOO_LARGE, "The data are larger than allowed.");
    if (!json_exists(schema) || str_eqz(action, "reject") || str_eqz(action, "skip"))
        return 0;
    struct str filled = data_fill(s, schema, *data);
    if (schema_validate(schema, json_root(filled), &inner))
        return err_set(e, ERR_INVALID, "The data do not hold to the form: %.400s", inner.text);
    if (filled.n > ENGINE_OUTPUT_BYTES_MAX - 4096)
        return err_set(e, ERR_TOO_LARGE, "The data are larger than allowed.");
    *data = filled;
    return 0;
}

/* ---- somebody says something ---- */

/* Of several that wait, the one that has waited longest: interrupt ids ascend. */
static struct work *input_waiting(const struct session *s, struct str node_id)
{
    struct work *best = NULL;
    table_foreach(slot, &s->runs)
    {
        struct work *w = slot->value;
        const struct node_def *def = &w->scope->wf->nodes[w->node];
        if (w->kind != WORK_HUMAN || def->kind != KIND_USER_INPUT ||
            w->scope->nodes[w->node].phase != PHASE_SUSPENDED)
            continue;
        if (node_id.n && !str_eq(def->id, node_id))
            continue;
        if (!best || memcmp(&w->interrupt_id, &best->interrupt_id, sizeof(struct id)) < 0)
            best = w;
    }
    return best;
}

bool human_is_asked(const struct session *s)
{
    return input_waiting(s, STR_NULL) != NULL;
}

static int say_check(struct session *s, int n, const struct engine_input *in, struct str *data,
                     struct errbuf *e)
{
    if (in->content.n > ENGINE_OUTPUT_BYTES_MAX / 6)
        return err_set(e, ERR_TOO_LARGE, "The message is longer than allowed.");
    if (n < 0 || !json_exists(prop(s, (unsigned)n, "form_schema"))) {
        *data = quote(s, in->content);
        return 0;
    }
    *data = in->content;
    int rc = json_check(in->content, NULL, e);
    return rc ? rc : human_data_check(s, (unsigned)n, STR("submit"), data, e);
}

int human_say(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    struct work *waits = input_waiting(s, in->node_id);
    struct str data = STR_NULL;
    if (in->node_id.n && !waits)
        return err_set(e, ERR_CONFLICT, "Node \"%.*s\" does not wait for input.",
                       (int)(in->node_id.n > 64 ? 64 : in->node_id.n), in->node_id.p);
    int n = waits ? (int)waits->node : -1;
    if (waits)
        s->at = waits->scope;
    int rc = say_check(s, n, in, &data, e);
    if (!rc && n < 0)
        rc = said_check(in, e);
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
        human_resume(
            s, (unsigned)n,
            &(struct answer){.action = STR("submit"), .data = data, .reviewer = in->user_id});
    else
        said_push(s, in->content, in->user_id);
    return 0;
}

/* ---- nobody answers ---- */

void human_expire(struct session *s, unsigned n)
{
    struct json policy = prop(s, n, "on_timeout");
    if (node_def(s, n)->kind == KIND_SIGNAL) {
        node_failz(s, n, "timeout", "The signal did not come in time.");
        return;
    }
    bool skip = json_string_eq(policy, "skip");
    bool route = json_string_eq(policy, "route") && route_find(s, n, STR("timeout")) >= 0;
    struct answer a = {.action = skip ? STR("skip") : STR("timeout"),
                       .votes_json = json_raw(interrupt_get(s, n, "votes"))};
    struct jw *w = event_begin(s, "human_interaction_expired", (int)n);
    interrupt_id_write(s, n, w);
    jw_kv_stringz(w, "action_taken", skip ? "skip" : route ? "route" : "fail");
    event_end(s);
    a.votes_json = a.votes_json.p ? tmp_copy(s, a.votes_json) : STR_NULL;
    interrupt_close(s, n, &a, "expired");
    if (!skip && !route) {
        node_failz(s, n, "timeout", "Nobody answered in time.");
        return;
    }
    human_go_on(s, n);
    review_finish(s, n, &a);
}

/* `reminders` of them, one when not given. */
void human_remind(struct session *s, unsigned n)
{
    struct timer *expiry = timer_of(s, FOR_EXPIRY, (int)n);
    struct jw *w = event_begin(s, "human_interaction_reminder", (int)n);
    int64_t wanted = 1, given = 0, every = prop_minutes_ms(s, n, "reminder_minutes");
    char text[24];
    interrupt_id_write(s, n, w);
    jw_key(w, "expires_in_ms");
    if (expiry)
        jw_i64(w, expiry->due_at > s->now ? expiry->due_at - s->now : 0);
    else
        jw_null(w);
    event_end(s);
    json_i64(prop(s, n, "reminders"), &wanted);
    json_i64(interrupt_get(s, n, "reminded"), &given);
    if (++given >= wanted || every <= 0)
        return;
    snprintf(text, sizeof(text), "%lld", (long long)given);
    interrupt_set(s, n, "reminded", str_of(text));
    timer_add(s, FOR_REMINDER, (int)n, every);
}
