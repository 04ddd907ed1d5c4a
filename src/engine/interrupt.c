#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* What a suspended node has asked, as JSON of its own: it stands in the run's row, from which a
 * restart reads it, and in a row of its own for the list over all sessions. Both are kept when the
 * question is closed, with the answer in it. */

#define INTERRUPT_BYTES_MAX (ENGINE_REQUEST_BYTES_MAX * 2)

/* A signal is waited for too, but nobody is asked. */
static bool asks_people(const struct session *s, unsigned n)
{
    return node_def(s, n)->kind != KIND_SIGNAL;
}

static struct str out_copy(struct session *s, struct str text)
{
    if (!text.p)
        return STR_NULL;
    return (struct str){arena_strdup(&s->made->out.arena, text), text.n};
}

/* An id of a UUIDv7 begins with its time. */
static int64_t id_time_ms(struct id id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.b[i];
    return ms;
}

/* One row an interrupt and a delta: what was said of it before in this delta is overwritten. */
static struct interrupt_row *interrupt_row(struct session *s, struct id id)
{
    struct interrupt_row *r = s->made->out.interrupts;
    while (r && !id_eq(r->interrupt_id, id))
        r = r->next;
    if (r)
        return r;
    r = arena_alloc(&s->made->out.arena, sizeof(*r));
    r->interrupt_id = id;
    r->next = s->made->out.interrupts;
    s->made->out.interrupts = r;
    s->out_any = true;
    return r;
}

/* As it is now; texts are the session's. */
static void interrupt_describe(const struct session *s, const struct work *wk,
                               struct interrupt_row *r)
{
    struct json asked = json_root(wk->interrupt), kind = json_get(asked, "kind");
    const struct node_state *ns = &wk->scope->nodes[wk->node];
    r->interrupt_id = wk->interrupt_id;
    r->session_id = s->id;
    r->run_id = ns->run_id;
    r->node_id = wk->scope->wf->nodes[wk->node].id;
    r->kind = (struct str){kind.p + 1, kind.n - 2};
    r->status = STR("pending");
    r->request_json = wk->interrupt;
    r->answer_json = json_raw(json_get(asked, "answer"));
    r->created_at = id_time_ms(wk->interrupt_id);
    r->updated_at = s->now;
}

static int64_t expires_at(const struct session *s, const struct work *wk)
{
    list_foreach(it, &s->timers)
    {
        const struct timer *t = container_of(it, struct timer, link);
        if (t->purpose == FOR_EXPIRY && t->scope == wk->scope && t->node == (int)wk->node)
            return t->frozen ? 0 : t->due_at;
    }
    return 0;
}

void interrupt_put(struct session *s, unsigned n, const char *status)
{
    struct work *wk = s->at->nodes[n].work;
    if (!asks_people(s, n))
        return;
    struct interrupt_row *r = interrupt_row(s, wk->interrupt_id), *next = r->next;
    interrupt_describe(s, wk, r);
    r->next = next;
    r->node_id = out_copy(s, r->node_id);
    r->kind = out_copy(s, r->kind);
    r->status = str_of(status);
    r->request_json = out_copy(s, r->request_json);
    r->answer_json = out_copy(s, r->answer_json);
    /* The timer of one that expired is gone. */
    r->expires_at = strcmp(status, "expired") ? expires_at(s, wk) : s->now;
    wk->closed = strcmp(status, "pending") != 0;
}

bool session_interrupt(const struct session *s, struct str node_id, struct id interrupt_id,
                       struct interrupt_row *out)
{
    const struct work *wk = work_waiting(s, node_id, interrupt_id);
    memset(out, 0, sizeof(*out));
    if (!wk)
        return false;
    interrupt_describe(s, wk, out);
    out->expires_at = expires_at(s, wk);
    out->updated_at = s->updated_at;
    return true;
}

void interrupt_record(struct session *s, unsigned n, struct id id, struct str request,
                      struct str answer)
{
    struct interrupt_row *r = interrupt_row(s, id), *next = r->next;
    struct json kind = json_get(json_root(request), "kind");
    *r = (struct interrupt_row){
        .next = next,
        .interrupt_id = id,
        .session_id = s->id,
        .run_id = s->at->nodes[n].run_id,
        .node_id = out_copy(s, node_def(s, n)->id),
        .kind = out_copy(s, (struct str){kind.p + 1, kind.n - 2}),
        .status = STR("answered"),
        .request_json = out_copy(s, request),
        .answer_json = out_copy(s, answer),
        .created_at = s->now,
        .updated_at = s->now,
    };
    run_row_sync(s, n);
    s->at->nodes[n].row->interrupt_json = r->request_json;
}

static void run_row_keep(struct session *s, unsigned n)
{
    run_row_sync(s, n);
    s->at->nodes[n].row->interrupt_json = out_copy(s, s->at->nodes[n].work->interrupt);
}

void interrupt_set(struct session *s, unsigned n, const char *key, struct str value)
{
    struct work *wk = s->at->nodes[n].work;
    struct json_iter it;
    struct buf b;
    struct jw w;
    buf_init(&b, INTERRUPT_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    json_iter_init(&it, json_root(wk->interrupt));
    while (json_iter_next(&it)) {
        if (json_iter_key_is(&it, key))
            continue;
        jw_key_str(&w, it.key); /* all of these are ours: plain words */
        jw_raw(&w, json_raw(it.value));
    }
    jw_kv_raw(&w, key, value);
    jw_end(&w);
    own_set(&wk->interrupt, buf_str(&b));
    buf_deinit(&b);
    run_row_keep(s, n);
}

struct json interrupt_get(const struct session *s, unsigned n, const char *key)
{
    return json_get(json_root(s->at->nodes[n].work->interrupt), key);
}

/* After a pause the time that is left counts from now. */
void interrupts_retime(struct session *s)
{
    list_foreach(it, &s->timers)
    {
        const struct timer *t = container_of(it, struct timer, link);
        if (t->purpose != FOR_EXPIRY)
            continue;
        struct scope *at = s->at;
        s->at = t->scope;
        interrupt_put(s, (unsigned)t->node, "pending");
        s->at = at;
    }
}

/* Of the runs that wait for somebody or something: the one with that interrupt, or the one of that
 * node (of several, in the items of a map, the one that has waited longest: their ids ascend). */
struct work *work_waiting(const struct session *s, struct str node_id, struct id interrupt_id)
{
    struct work *best = NULL;
    table_foreach(slot, &s->runs)
    {
        struct work *w = slot->value;
        if (w->kind != WORK_HUMAN || w->scope->nodes[w->node].phase != PHASE_SUSPENDED)
            continue;
        if (node_id.n && !str_eq(w->scope->wf->nodes[w->node].id, node_id))
            continue;
        if (!id_is_zero(interrupt_id) && !id_eq(w->interrupt_id, interrupt_id))
            continue;
        if (!best || memcmp(&w->interrupt_id, &best->interrupt_id, sizeof(struct id)) < 0)
            best = w;
    }
    return best;
}
