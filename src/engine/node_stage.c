#include <stdio.h>
#include <string.h>

#include "engine/session.h"

/* A stage is a piece of work that people do: items to be ticked off, deliverables to be handed
 * over. What has been done so far stands in its interrupt, so that it is in the run's row and in
 * the list of questions; the instance's id is that of the interrupt.
 *
 *     {interrupt_id, kind: "stage", reason, actions: ["complete"], name,
 *      items: [{name, required, done}], deliverables: [{name, required, value}], context,
 *      started_at?, started_by?, ...}
 *
 * It is active from the moment that it waits; started_at says that somebody has begun with it.
 */

/* ---- asking ---- */

static void entries_write(struct session *s, unsigned n, struct jw *w, const char *key,
                          const char *from, const char *more, const char *value)
{
    struct json_iter it;
    jw_key(w, key);
    jw_array(w);
    json_iter_init(&it, prop(s, n, from));
    while (json_iter_next(&it)) {
        bool plain = json_type(it.value) == JSON_STRING, required = true;
        jw_object(w);
        jw_kv_raw(w, "name", json_raw(plain ? it.value : json_get(it.value, "name")));
        json_bool(json_get(it.value, "required"), &required);
        jw_kv_bool(w, "required", required);
        jw_kv_raw(w, more, str_of(value));
        jw_end(w);
    }
    jw_end(w);
}

void stage_write(struct session *s, unsigned n, struct jw *w, const char *id,
                 struct str description)
{
    static const char *const told[] = {"estimated_minutes", "weight", "depends_on", "order",
                                       "allow_skip"};
    const struct node_def *def = node_def(s, n);
    struct str name = prop_text(s, n, "name");
    char otherwise[300];
    snprintf(otherwise, sizeof(otherwise), "The stage %.*s is to be done.", STR_FMT(def->name));
    jw_kv_stringz(w, "interrupt_id", id);
    jw_kv_stringz(w, "kind", "stage");
    jw_kv_string(w, "reason", description.n ? description : str_of(otherwise));
    jw_kv_raw(w, "actions",
              stage_allows_skip(s, n) ? STR("[\"complete\",\"skip\"]") : STR("[\"complete\"]"));
    jw_kv_string(w, "name", name.n ? name : def->name);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (json_exists(prop(s, n, told[i])))
            jw_kv_raw(w, told[i], json_raw(prop(s, n, told[i])));
    entries_write(s, n, w, "items", "checklist", "done", "false");
    entries_write(s, n, w, "deliverables", "deliverables", "value", "null");
    jw_kv_raw(w, "context", STR("{}"));
    jw_kv_time(w, "expires_at", def->timeout_ms > 0 ? s->now + def->timeout_ms : 0);
}

void node_start_stage(struct session *s, unsigned n)
{
    struct errbuf e = {{0}};
    struct str description = prop_text(s, n, "description");
    struct id id = id_new(s->in->ids, (uint64_t)s->now);
    char text[ID_TEXT_BYTES + 1];
    struct buf b;
    struct jw w;
    if (!stage_condition_holds(s, n))
        return;
    if (description.p && eval_template(s, n, description, &description, &e)) {
        node_failz(s, n, "invalid_template", e.text);
        return;
    }
    id_format(id, text);
    buf_init(&b, STAGE_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    stage_write(s, n, &w, text, description);
    jw_end(&w);
    if (buf_error(&b)) {
        node_failz(s, n, "too_large", "The stage is larger than allowed.");
    } else {
        human_suspend(s, n, buf_str(&b), id, node_def(s, n)->timeout_ms);
        stage_write(s, n, event_begin(s, "human_interaction_required", (int)n), text, description);
        event_end(s);
    }
    buf_deinit(&b);
}

/* ---- what people tell of it ---- */

/* The stage as it would be; texts live as long as the step. */
struct change {
    struct str items, deliverables, context;         /* JSON; p == NULL: as before */
    uint64_t touched[(STAGE_ENTRIES_MAX + 63) / 64]; /* items whose `done` has changed */
};

static bool name_is(struct session *s, struct json entry, struct json name)
{
    struct json own = json_get(entry, "name");
    return json_type(name) == JSON_STRING && json_type(own) == JSON_STRING &&
           str_eq(json_text(s, own), json_text(s, name));
}

/* The position of an entry by its name, or -1. */
static int entry_find(struct session *s, struct json list, struct json name)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        if (name_is(s, it.value, name))
            return (int)it.index;
    return -1;
}

static int item_read(struct session *s, struct json items, struct json v, int *at, bool *done,
                     struct errbuf *e)
{
    struct json name = json_get_set(v, "name"), index = json_get_set(v, "index"),
                set = json_get_set(v, "done");
    int64_t number = -1;
    if (json_type(v) != JSON_OBJECT || json_exists(name) == json_exists(index))
        return err_set(e, ERR_INVALID, "items: each is {name, done} or {index, done}.");
    *done = true;
    if (json_exists(set) && !json_bool(set, done))
        return err_set(e, ERR_INVALID, "items: done must be true or false.");
    if (json_exists(name))
        number = entry_find(s, items, name);
    else
        json_i64(index, &number);
    if (number < 0 || (size_t)number >= json_length(items))
        return err_set(e, ERR_INVALID, "items: the stage has no such item: %.*s",
                       (int)(v.n > 100 ? 100 : v.n), v.p);
    *at = (int)number;
    return 0;
}

static int items_change(struct session *s, unsigned n, struct json given, struct change *c,
                        struct errbuf *e)
{
    struct json items = interrupt_get(s, n, "items");
    uint64_t said[2][sizeof(c->touched) / sizeof(uint64_t)] = {{0}};
    struct json_iter it;
    struct buf b;
    struct jw w;
    if (!json_exists(given))
        return 0;
    if (json_type(given) != JSON_ARRAY || json_length(given) > STAGE_ENTRIES_MAX)
        return err_set(e, ERR_INVALID, "items: an array of {name, done} or {index, done}.");
    json_iter_init(&it, given);
    while (json_iter_next(&it)) {
        int at = 0;
        bool done = false;
        int rc = item_read(s, items, it.value, &at, &done, e);
        if (rc)
            return rc;
        bit_set(said[done], (unsigned)at);
        bit_clear(said[!done], (unsigned)at);
    }
    buf_init(&b, STAGE_BYTES_MAX);
    jw_init(&w, &b);
    jw_array(&w);
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        unsigned i = (unsigned)it.index;
        bool was = false;
        json_bool(json_get(it.value, "done"), &was);
        bool is = bit_get(said[1], i) || (was && !bit_get(said[0], i));
        if (is != was)
            bit_set(c->touched, i);
        jw_object(&w);
        jw_kv_raw(&w, "name", json_raw(json_get(it.value, "name")));
        jw_kv_raw(&w, "required", json_raw(json_get(it.value, "required")));
        jw_kv_bool(&w, "done", is);
        jw_end(&w);
    }
    jw_end(&w);
    c->items = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return 0;
}

/* The value that is given for an entry: of an object by its name, or of an array of {name, value}.
 */
static struct json value_given(struct session *s, struct json given, struct json entry)
{
    struct json_iter it;
    struct json found = JSON_ABSENT;
    json_iter_init(&it, given);
    while (json_iter_next(&it)) {
        if (json_type(given) == JSON_ARRAY) {
            if (name_is(s, entry, json_get(it.value, "name")))
                found = json_get(it.value, "value");
            continue;
        }
        struct buf key;
        buf_init(&key, it.key.n + 1);
        json_iter_key(&it, &key);
        if (str_eq(buf_str(&key), json_text(s, json_get(entry, "name"))))
            found = it.value;
        buf_deinit(&key);
    }
    return found;
}

static int deliverables_change(struct session *s, unsigned n, struct json given, struct change *c,
                               struct errbuf *e)
{
    struct json own = interrupt_get(s, n, "deliverables");
    size_t taken = 0, most = json_length(given);
    struct json_iter it;
    struct buf b;
    struct jw w;
    if (!json_exists(given))
        return 0;
    if ((json_type(given) != JSON_OBJECT && json_type(given) != JSON_ARRAY) ||
        most > STAGE_ENTRIES_MAX)
        return err_set(e, ERR_INVALID, "deliverables: an object of names and values.");
    buf_init(&b, STAGE_BYTES_MAX);
    jw_init(&w, &b);
    jw_array(&w);
    json_iter_init(&it, own);
    while (json_iter_next(&it)) {
        struct json value = value_given(s, given, it.value);
        taken += json_exists(value);
        jw_object(&w);
        jw_kv_raw(&w, "name", json_raw(json_get(it.value, "name")));
        jw_kv_raw(&w, "required", json_raw(json_get(it.value, "required")));
        jw_kv_raw(&w, "value", json_raw(json_exists(value) ? value : json_get(it.value, "value")));
        jw_end(&w);
    }
    jw_end(&w);
    bool fits = !buf_error(&b);
    if (fits)
        c->deliverables = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    if (!fits)
        return err_set(e, ERR_TOO_LARGE, "The deliverables are larger than allowed.");
    if (taken != most)
        return err_set(e, ERR_INVALID,
                       "deliverables: one is given twice, or is none of this stage.");
    return 0;
}

/* Members replace those of the same name; null takes one away. */
static int context_change(struct session *s, unsigned n, struct json given, struct change *c,
                          struct errbuf *e)
{
    struct json own = interrupt_get(s, n, "context");
    struct json_iter it;
    struct buf b;
    struct jw w;
    if (!json_exists(given))
        return 0;
    if (json_type(given) != JSON_OBJECT || json_length(given) > STAGE_ENTRIES_MAX)
        return err_set(e, ERR_INVALID, "context: an object of at most %d members.",
                       STAGE_ENTRIES_MAX);
    buf_init(&b, STAGE_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    for (int pass = 0; pass < 2; pass++) {
        json_iter_init(&it, pass ? given : own);
        while (json_iter_next(&it)) {
            struct buf key;
            buf_init(&key, it.key.n + 2);
            json_iter_key(&it, &key);
            buf_append_char(&key, 0);
            bool replaced = !pass && json_exists(json_get(given, key.data));
            if (!replaced && json_type(it.value) != JSON_NULL) {
                jw_key_str(&w, (struct str){key.data, key.len - 1});
                jw_raw(&w, json_raw(it.value));
            }
            buf_deinit(&key);
        }
    }
    jw_end(&w);
    bool fits = !buf_error(&b) && json_length(json_root(buf_str(&b))) <= STAGE_ENTRIES_MAX;
    if (fits)
        c->context = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return fits ? 0 : err_set(e, ERR_TOO_LARGE, "The context is larger than allowed.");
}

static int change_read(struct session *s, unsigned n, struct json v, struct change *c,
                       struct errbuf *e)
{
    struct json_iter it;
    if (json_exists(v) && json_type(v) != JSON_OBJECT && json_type(v) != JSON_NULL)
        return err_set(e, ERR_INVALID, "A stage takes an object of items, deliverables, context.");
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (!json_iter_key_is(&it, "items") && !json_iter_key_is(&it, "deliverables") &&
            !json_iter_key_is(&it, "context") && !json_iter_key_is(&it, "reviewer"))
            return err_set(e, ERR_INVALID,
                           "%.*s: unknown field; a stage takes items, "
                           "deliverables, context.",
                           (int)(it.key.n > 64 ? 64 : it.key.n), it.key.p);
    int rc = items_change(s, n, json_get_set(v, "items"), c, e);
    if (!rc)
        rc = deliverables_change(s, n, json_get_set(v, "deliverables"), c, e);
    if (!rc)
        rc = context_change(s, n, json_get_set(v, "context"), c, e);
    if (!rc &&
        s->at->nodes[n].work->interrupt.n + c->deliverables.n + c->context.n > STAGE_BYTES_MAX * 2)
        rc = err_set(e, ERR_TOO_LARGE, "What the stage has is larger than allowed.");
    return rc;
}

static void progress_event(struct session *s, unsigned n, int64_t done, int64_t total,
                           struct json item)
{
    char id[ID_TEXT_BYTES + 1];
    id_format(s->at->nodes[n].work->interrupt_id, id);
    struct jw *w = event_begin(s, "stage_progress", (int)n);
    jw_kv_stringz(w, "instance_id", id);
    jw_kv_i64(w, "done", done);
    jw_kv_i64(w, "total", total);
    if (json_exists(item)) {
        jw_kv_raw(w, "item", json_raw(json_get(item, "name")));
        jw_kv_raw(w, "item_done", json_raw(json_get(item, "done")));
    }
    event_end(s);
}

static int64_t done_count(const struct session *s, unsigned n)
{
    struct json_iter it;
    int64_t done = 0;
    json_iter_init(&it, interrupt_get(s, n, "items"));
    while (json_iter_next(&it)) {
        bool is = false;
        done += json_bool(json_get(it.value, "done"), &is) && is;
    }
    return done;
}

void stage_progress_tell(struct session *s, unsigned n)
{
    progress_event(s, n, done_count(s, n), (int64_t)json_length(interrupt_get(s, n, "items")),
                   JSON_ABSENT);
}

/* An event for every item that has changed, or one for the rest. */
static void progress_tell(struct session *s, unsigned n, const struct change *c, int64_t done)
{
    struct json items = interrupt_get(s, n, "items");
    int64_t total = (int64_t)json_length(items);
    struct json_iter it;
    bool told = false;
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        bool is = false;
        if (!bit_get(c->touched, (unsigned)it.index))
            continue;
        json_bool(json_get(it.value, "done"), &is);
        done += is ? 1 : -1;
        progress_event(s, n, done, total, it.value);
        told = true;
    }
    if (!told)
        progress_event(s, n, done, total, JSON_ABSENT);
}

static void change_apply(struct session *s, unsigned n, const struct change *c, struct str by)
{
    int64_t done = done_count(s, n);
    if (c->items.p)
        interrupt_set(s, n, "items", c->items);
    if (c->deliverables.p)
        interrupt_set(s, n, "deliverables", c->deliverables);
    if (c->context.p)
        interrupt_set(s, n, "context", c->context);
    if (c->items.p || c->deliverables.p || c->context.p)
        progress_tell(s, n, c, done);
    stage_stamp(s, n, by);
    interrupt_put(s, n, "pending");
}

/* ---- completing it ---- */

/* Names of what is required and not there, as an array; how many. */
static unsigned missing_write(struct jw *w, const char *key, struct json entries, const char *what)
{
    struct json_iter it;
    unsigned count = 0;
    jw_key(w, key);
    jw_array(w);
    json_iter_init(&it, entries);
    while (json_iter_next(&it)) {
        bool required = true;
        enum json_type has = json_type(json_get(it.value, what));
        json_bool(json_get(it.value, "required"), &required);
        if (!required || (has != JSON_FALSE && has != JSON_NULL && has != JSON_NONE))
            continue;
        jw_raw(w, json_raw(json_get(it.value, "name")));
        count++;
    }
    jw_end(w);
    return count;
}

static int missing_check(struct session *s, unsigned n, const struct change *c, struct errbuf *e)
{
    struct json items = c->items.p ? json_root(c->items) : interrupt_get(s, n, "items");
    struct json values =
        c->deliverables.p ? json_root(c->deliverables) : interrupt_get(s, n, "deliverables");
    struct buf b;
    struct jw w;
    buf_init(&b, STAGE_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "missing");
    jw_object(&w);
    unsigned open = missing_write(&w, "items", items, "done");
    unsigned lacking = missing_write(&w, "deliverables", values, "value");
    jw_end(&w);
    jw_end(&w);
    if (open || lacking)
        own_set(&s->refusal_json, buf_str(&b));
    buf_deinit(&b);
    if (!open && !lacking)
        return 0;
    return err_set(e, ERR_CONFLICT,
                   "The stage is not done: %u required item%s open, %u required deliverable%s "
                   "missing.",
                   open, open == 1 ? " is" : "s are", lacking, lacking == 1 ? " is" : "s are");
}

static struct str stage_output(struct session *s, unsigned n)
{
    static const char *const keys[] = {"items", "deliverables", "context"};
    struct json_iter it;
    struct buf b;
    struct jw w;
    buf_init(&b, STAGE_BYTES_MAX * 4);
    jw_init(&w, &b);
    jw_object(&w);
    for (size_t i = 0; i < 3; i++) {
        if (i != 1) {
            jw_kv_raw(&w, keys[i], json_raw(interrupt_get(s, n, keys[i])));
            continue;
        }
        jw_key(&w, keys[i]); /* by name: so expressions reach them */
        jw_object(&w);
        json_iter_init(&it, interrupt_get(s, n, keys[i]));
        while (json_iter_next(&it)) {
            jw_key_str(&w, json_text(s, json_get(it.value, "name")));
            jw_raw(&w, json_raw(json_get(it.value, "value")));
        }
        jw_end(&w);
    }
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

static int stage_complete(struct session *s, unsigned n, struct json v, struct str reviewer,
                          struct errbuf *e)
{
    struct change c = {.items = STR_NULL};
    int rc = change_read(s, n, v, &c, e);
    if (!rc)
        rc = missing_check(s, n, &c, e);
    if (rc)
        return rc;
    change_apply(s, n, &c, reviewer);
    human_resume(s, n,
                 &(struct answer){
                     .action = STR("complete"), .data = stage_output(s, n), .reviewer = reviewer});
    return 0;
}

int stage_answer(struct session *s, unsigned n, const struct engine_input *in, struct errbuf *e)
{
    if (str_eqz(in->action, "skip"))
        return stage_skip(s, n, in, e);
    if (!str_eqz(in->action, "complete"))
        return err_set(e, ERR_INVALID, "Node \"%.*s\" is a stage; it takes: complete, skip.",
                       STR_FMT(node_def(s, n)->id));
    return stage_complete(s, n, json_root(in->data_json), in->reviewer, e);
}

int stage_step(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    struct change c = {.items = STR_NULL};
    if (str_eqz(in->action, "start"))
        return stage_start(s, in, e);
    struct work *w = work_waiting(s, STR_NULL, in->interrupt_id);
    if (!w || w->scope->wf->nodes[w->node].kind != KIND_STAGE)
        return err_set(e, ERR_CONFLICT, "This stage is not open: it was completed or cancelled.");
    s->at = w->scope;
    if (str_eqz(in->action, "complete"))
        return stage_complete(s, w->node, json_root(in->data_json), in->reviewer, e);
    if (str_eqz(in->action, "skip"))
        return stage_skip(s, w->node, in, e);
    int rc = change_read(s, w->node, json_root(in->data_json), &c, e);
    if (!rc && !c.items.p && !c.deliverables.p && !c.context.p)
        rc = err_set(e, ERR_INVALID, "Give items, deliverables or context.");
    if (!rc)
        change_apply(s, w->node, &c, in->reviewer);
    return rc;
}

/* ---- what it depends on ---- */

static enum join_verdict depends_on(struct session *s, unsigned dep)
{
    const struct node_state *ns = &s->at->nodes[dep];
    if (ns->phase == PHASE_DONE)
        return ns->status == NODE_COMPLETED ? JOIN_GO : JOIN_IMPOSSIBLE;
    if (phase_is_active(ns->phase) || join_may_run(s, dep))
        return JOIN_WAIT;
    return ns->status == NODE_COMPLETED ? JOIN_GO : JOIN_IMPOSSIBLE;
}

enum join_verdict stage_depends(struct session *s, unsigned n)
{
    enum join_verdict all = JOIN_GO;
    struct json_iter it;
    json_iter_init(&it, prop(s, n, "depends_on"));
    while (json_iter_next(&it)) {
        int dep = workflow_find(s->at->wf, json_text(s, it.value));
        enum join_verdict one = dep < 0 ? JOIN_IMPOSSIBLE : depends_on(s, (unsigned)dep);
        if (one == JOIN_IMPOSSIBLE)
            return one;
        if (one == JOIN_WAIT)
            all = JOIN_WAIT;
    }
    return all;
}
