#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* Signals: named facts from outside, each taken once, by the signal node that waits for its name or
 * that it is for. One that comes before its node waits in the session's state, in order; while the
 * session is paused it is withheld like everything else. */

struct signal {
    struct list link;
    struct str json; /* heap: {name?, node_id?, payload} */
};

/* ---- those that wait ---- */

void signal_push(struct session *s, struct str json)
{
    struct signal *g = mem_zalloc(sizeof(*g));
    own_set(&g->json, json);
    list_append(&s->signals, &g->link);
    s->signal_count++;
    s->signal_bytes += json.n;
}

static void signal_drop(struct session *s, struct signal *g)
{
    list_remove(&g->link);
    s->signal_count--;
    s->signal_bytes -= g->json.n;
    free((char *)g->json.p);
    free(g);
}

void signals_free(struct session *s)
{
    while (!list_empty(&s->signals))
        signal_drop(s, container_of(s->signals.next, struct signal, link));
}

void signals_write(const struct session *s, struct jw *w)
{
    if (list_empty(&s->signals))
        return;
    jw_key(w, "signals");
    jw_array(w);
    list_foreach(it, &s->signals) jw_raw(w, container_of(it, struct signal, link)->json);
    jw_end(w);
}

static void signal_keep(struct session *s, const struct engine_input *in)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    if (in->name.n)
        jw_kv_string(&w, "name", in->name);
    if (in->node_id.n)
        jw_kv_string(&w, "node_id", in->node_id);
    jw_kv_raw(&w, "payload", in->data_json);
    jw_end(&w);
    signal_push(s, buf_str(&b));
    buf_deinit(&b);
    s->core_dirty = true;
}

/* Is it for a node of that id, which waits for that name? */
static bool signal_suits(struct str node_id, struct str name, struct str id, struct str wanted)
{
    return node_id.n ? str_eq(node_id, id) : str_eq(name, wanted);
}

static struct str member_text(struct session *s, struct json v, const char *key)
{
    struct json m = json_get(v, key);
    return json_type(m) == JSON_STRING ? json_text(s, m) : STR_NULL;
}

/* The first that suits, taken out; its payload lives as long as the step. */
static bool signal_take(struct session *s, unsigned n, struct str wanted, struct str *payload)
{
    list_foreach(it, &s->signals)
    {
        struct signal *g = container_of(it, struct signal, link);
        struct json v = json_root(g->json);
        if (!signal_suits(member_text(s, v, "node_id"), member_text(s, v, "name"),
                          node_def(s, n)->id, wanted))
            continue;
        *payload = tmp_copy(s, json_raw(json_get(v, "payload")));
        signal_drop(s, g);
        s->core_dirty = true;
        return true;
    }
    return false;
}

/* ---- the node ---- */

static int64_t signal_timeout_ms(const struct session *s, unsigned n)
{
    int64_t ms = node_def(s, n)->timeout_ms;
    json_i64(prop(s, n, "timeout_ms"), &ms);
    return ms;
}

static void signal_wait(struct session *s, unsigned n, struct str name)
{
    struct id id = id_new(s->in->ids, (uint64_t)s->now);
    int64_t timeout = signal_timeout_ms(s, n);
    char text[ID_TEXT_BYTES + 1], reason[400];
    struct buf b;
    struct jw w;
    id_format(id, text);
    int len = snprintf(reason, sizeof(reason), "Waits for the signal \"%.*s\".",
                       (int)(name.n > 256 ? 256 : name.n), name.p);
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "interrupt_id", text);
    jw_kv_stringz(&w, "kind", "signal");
    jw_kv_string(&w, "reason", (struct str){reason, (size_t)len});
    jw_kv_raw(&w, "actions", STR("[]"));
    jw_kv_string(&w, "name", name);
    jw_kv_time(&w, "expires_at", timeout > 0 ? s->now + timeout : 0);
    jw_end(&w);
    human_suspend(s, n, buf_str(&b), id, timeout > 0 ? timeout : 0);
    buf_deinit(&b);
}

void node_start_signal(struct session *s, unsigned n)
{
    struct errbuf e = {{0}};
    struct str name = prop_text(s, n, "name"), payload;
    if (name.p && eval_template(s, n, name, &name, &e)) {
        node_failz(s, n, "invalid_template", e.text);
        return;
    }
    if (!name.n)
        name = node_def(s, n)->id;
    if (signal_take(s, n, name, &payload))
        node_complete(s, n, payload.n ? payload : STR("null"), EDGES_NEXT);
    else if (name.n > SIGNAL_NAME_MAX)
        node_failz(s, n, "invalid_name", "The signal's name is longer than allowed.");
    else
        signal_wait(s, n, name);
}

/* The node that waits for it; of several, the one that has waited longest. */
static struct work *signal_taker(struct session *s, const struct engine_input *in)
{
    struct work *best = NULL;
    table_foreach(slot, &s->runs)
    {
        struct work *w = slot->value;
        const struct node_def *def = &w->scope->wf->nodes[w->node];
        if (w->kind != WORK_HUMAN || def->kind != KIND_SIGNAL ||
            w->scope->nodes[w->node].phase != PHASE_SUSPENDED)
            continue;
        struct str wanted = member_text(s, json_root(w->interrupt), "name");
        if (!signal_suits(in->node_id, in->name, def->id, wanted))
            continue;
        if (!best || memcmp(&w->interrupt_id, &best->interrupt_id, sizeof(struct id)) < 0)
            best = w;
    }
    return best;
}

/* ---- the signal ---- */

/* Could this node ever wait for it? A name that is a template may become any. */
static bool signal_fits(const struct node_def *def, const struct engine_input *in)
{
    struct json name =
        json_exists(def->properties) ? json_get_set(def->properties, "name") : JSON_ABSENT;
    if (def->kind != KIND_SIGNAL)
        return false;
    if (in->node_id.n)
        return str_eq(def->id, in->node_id);
    if (!json_exists(name))
        return str_eq(def->id, in->name);
    struct str raw = json_raw(name);
    if (memmem(raw.p, raw.n, "{{", 2) || memchr(raw.p, '\\', raw.n))
        return true;
    return str_eq((struct str){raw.p + 1, raw.n - 2}, in->name);
}

/* One that no node can wait for is only told. */
static bool signal_is_awaited(const struct session *s, const struct engine_input *in)
{
    for (unsigned n = 0; n < s->wf->node_count; n++)
        if (signal_fits(&s->wf->nodes[n], in))
            return true;
    return false;
}

static int signal_room(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    unsigned count = s->signal_count;
    size_t bytes = s->signal_bytes + in->data_json.n;
    list_foreach(it, &s->withheld)
    {
        const struct withheld *w = container_of(it, struct withheld, link);
        if (w->kind != IN_SIGNAL)
            continue;
        count++;
        bytes += w->json.len;
    }
    if (count < SIGNALS_MAX && bytes <= SIGNALS_BYTES_MAX)
        return 0;
    s->refusal = "signals_full";
    return err_set(e, ERR_CONFLICT, "Too many signals wait for their node in this session.");
}

void signal_apply(struct session *s, const struct engine_input *in)
{
    struct work *w = signal_taker(s, in);
    struct str payload = in->data_json.n ? in->data_json : STR("null");
    int node = in->node_id.n ? workflow_find(s->wf, in->node_id) : -1;
    if (w) {
        s->at = w->scope;
        node = (int)w->node;
    }
    struct jw *j = event_begin(s, "signal_received", node);
    jw_kv_string(j, "name", in->name.n ? in->name : in->node_id);
    jw_kv_raw(j, "payload", payload);
    event_end(s);
    if (w) {
        human_go_on(s, (unsigned)node);
        node_complete(s, (unsigned)node, payload, EDGES_NEXT);
    } else if (signal_is_awaited(s, in)) {
        signal_keep(s, in);
    }
}

int signal_send(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    if (s->status != SESSION_RUNNING && s->status != SESSION_PAUSED)
        return err_set(e, ERR_CONFLICT, "The session is %s: it does not run.",
                       session_status_word(s->status));
    if (in->node_id.n && workflow_find(s->wf, in->node_id) < 0)
        return err_set(e, ERR_NOT_FOUND, "The workflow has no node \"%.*s\".",
                       (int)(in->node_id.n > 64 ? 64 : in->node_id.n), in->node_id.p);
    if (!in->name.n && !in->node_id.n)
        return err_set(e, ERR_INVALID, "A signal needs a name, or the node that it is for.");
    if (in->data_json.n > ENGINE_OUTPUT_BYTES_MAX || in->name.n > SIGNAL_NAME_MAX)
        return err_set(e, ERR_TOO_LARGE, "The payload or the name is larger than allowed.");
    bool paused = s->status == SESSION_PAUSED;
    bool waits = paused || (!signal_taker(s, in) && signal_is_awaited(s, in));
    int rc = waits ? signal_room(s, in, e) : 0;
    if (rc)
        return rc;
    if (paused)
        withhold(s, in);
    else
        signal_apply(s, in);
    return 0;
}
