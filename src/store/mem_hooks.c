/* Webhooks in memory. Everything is walked whole: a test's sessions are few. */
#include <assert.h>
#include <string.h>

#include "store/cursor.h"
#include "store/hooks.h"
#include "store/mem_data.h"
#include "store/rules.h"

struct mem_hook_cursor {
    struct arena arena;
    struct id session_id, owner;
    struct hook_cursor at;
};
struct mem_hook_delivery {
    struct arena arena;
    struct hook_delivery row;
};
struct mem_hook {
    struct arena arena;
    struct hook_row row;
    struct mem_vec cursors;    /* by session */
    struct mem_vec deliveries; /* by created_at, id */
};

#define AS(type, row) ((const struct type *)(const void *)(row))

static int cmp_hook(const struct mem_row *a, const struct mem_row *b)
{
    return memcmp(AS(mem_hook, a)->row.id.b, AS(mem_hook, b)->row.id.b, 16);
}

static int cmp_cursor(const struct mem_row *a, const struct mem_row *b)
{
    return memcmp(AS(mem_hook_cursor, a)->session_id.b, AS(mem_hook_cursor, b)->session_id.b, 16);
}

static int cmp_delivery(const struct mem_row *a, const struct mem_row *b)
{
    const struct hook_delivery *x = &AS(mem_hook_delivery, a)->row;
    const struct hook_delivery *y = &AS(mem_hook_delivery, b)->row;
    if (x->created_at != y->created_at)
        return x->created_at < y->created_at ? -1 : 1;
    return memcmp(x->id.b, y->id.b, 16);
}

static struct mem_hook *hook_at(const struct mem_data *d, size_t i)
{
    return (struct mem_hook *)d->hooks.rows[i];
}

static struct mem_hook *hook_find(const struct mem_data *d, struct str workspace, struct id id)
{
    struct mem_hook key = {.row.id = id};
    struct mem_hook *h = mem_vec_get(&d->hooks, &key, cmp_hook);
    return h && (!workspace.p || str_eq(h->row.workspace, workspace)) ? h : NULL;
}

static struct mem_hook_cursor *cursor_find(const struct mem_hook *h, struct id session_id)
{
    struct mem_hook_cursor key = {.session_id = session_id};
    return mem_vec_get(&h->cursors, &key, cmp_cursor);
}

static void hook_clear(struct mem_hook *h)
{
    mem_vec_clear(&h->cursors);
    mem_vec_clear(&h->deliveries);
}

void mem_hooks_deinit(struct mem_data *d)
{
    for (size_t i = 0; i < d->hooks.count; i++)
        hook_clear(hook_at(d, i));
    mem_vec_clear(&d->hooks);
}

void mem_hooks_forget(struct mem_data *d, struct id session_id)
{
    for (size_t i = 0; i < d->hooks.count; i++) {
        struct mem_hook *h = hook_at(d, i);
        struct mem_hook_cursor key = {.session_id = session_id};
        mem_vec_remove(&h->cursors, &key, cmp_cursor);
        for (size_t k = h->deliveries.count; k-- > 0;)
            if (id_eq(AS(mem_hook_delivery, h->deliveries.rows[k])->row.session_id, session_id))
                mem_vec_remove(&h->deliveries, h->deliveries.rows[k], cmp_delivery);
    }
}

static struct hook_row copy_hook(struct arena *a, const struct mem_hook *h)
{
    struct hook_row row = h->row;
    row.next = NULL;
    row.workspace = rules_copy(a, row.workspace);
    row.name = rules_copy(a, row.name);
    row.url = rules_copy(a, row.url);
    row.events_json = rules_copy(a, row.events_json);
    row.filter_json = rules_copy(a, row.filter_json);
    row.secret = rules_copy(a, row.secret);
    row.disabled_reason = rules_copy(a, row.disabled_reason);
    row.behind = row.failing_since = 0;
    for (size_t i = 0; i < h->cursors.count; i++) {
        const struct hook_cursor *c = &AS(mem_hook_cursor, h->cursors.rows[i])->at;
        row.behind += c->behind;
        if (c->behind && c->failed_at && (!row.failing_since || c->failed_at < row.failing_since))
            row.failing_since = c->failed_at;
    }
    return row;
}

/* ---- hooks ---- */

static int hook_insert(struct mem_data *d, struct store_hook_put *p)
{
    struct mem_hook *h = mem_row_create(sizeof(*h)), as_given = {.row = p->row};
    int count = 0;

    for (size_t i = 0; i < d->hooks.count; i++)
        count += str_eq(hook_at(d, i)->row.workspace, rules_workspace(p->row.workspace));
    if (count >= HOOKS_MAX || !mem_keys_are_free(d, p->idempotency)) {
        mem_row_destroy(h);
        return err_set(&p->req.error, ERR_CONFLICT, "%s",
                       count >= HOOKS_MAX ? "there are too many webhooks already"
                                          : "this Idempotency-Key is in use");
    }
    p->row.version = 1;
    p->row.created_at = p->row.updated_at = p->now_ms;
    as_given.row = p->row;
    as_given.row.workspace = rules_workspace(p->row.workspace);
    h->row = copy_hook(&h->arena, &as_given);
    mem_vec_put(&d->hooks, h, cmp_hook);
    mem_keys_write(d, p->idempotency);
    return 0;
}

static int hook_checked(const struct mem_data *d, struct store_req *req, struct str workspace,
                        struct id id, int64_t expected, struct mem_hook **out)
{
    *out = hook_find(d, rules_workspace(workspace), id);
    if (!*out)
        return err_set(&req->error, ERR_NOT_FOUND, "no such webhook");
    if (expected && expected != (*out)->row.version)
        return err_set(&req->error, ERR_STALE, "the webhook is at version %lld, not %lld",
                       (long long)(*out)->row.version, (long long)expected);
    return 0;
}

static int hook_put(struct mem_data *d, struct store_hook_put *p)
{
    struct mem_hook *old, *h, as_given = {.row = p->row};

    if (p->is_new)
        return hook_insert(d, p);
    int status = hook_checked(d, &p->req, p->row.workspace, p->row.id, p->expected_version, &old);
    if (status < 0)
        return status;
    p->row.version = old->row.version + 1;
    p->row.created_at = old->row.created_at;
    p->row.updated_at = p->now_ms;
    as_given.row = p->row;
    as_given.row.workspace = old->row.workspace;
    as_given.row.scan_from = old->row.scan_from;
    h = mem_row_create(sizeof(*h));
    h->row = copy_hook(&h->arena, &as_given);
    h->cursors = old->cursors;
    h->deliveries = old->deliveries;
    mem_vec_put(&d->hooks, h, cmp_hook);
    return 0;
}

static int hook_delete(struct mem_data *d, struct store_hook_delete *r)
{
    struct mem_hook *h;

    int status = hook_checked(d, &r->req, r->workspace, r->id, r->expected_version, &h);
    if (status < 0)
        return status;
    hook_clear(h);
    mem_vec_remove(&d->hooks, h, cmp_hook);
    return 0;
}

static int hook_list(struct mem_data *d, struct store_hook_list *l)
{
    struct hook_row **tail = &l->rows;
    int left = l->limit;

    l->rows = NULL;
    for (size_t i = 0; i < d->hooks.count; i++) {
        const struct mem_hook *h = hook_at(d, i);
        bool asked = id_is_zero(l->id) ? left > 0 && memcmp(h->row.id.b, l->after.b, 16) > 0
                                       : id_eq(l->id, h->row.id);
        if (!asked || (l->workspace.p && !str_eq(l->workspace, h->row.workspace)))
            continue;
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        **tail = copy_hook(&l->req.arena, h);
        tail = &(*tail)->next;
        left--;
    }
    return 0;
}

/* ---- cursors ---- */

static bool owner_is(const struct mem_data *d, struct id owner, struct id instance)
{
    struct mem_instance key = {.row.id = owner};
    return id_is_zero(owner) || id_eq(owner, instance) ||
           !mem_vec_get(&d->instances, &key, mem_cmp_instance);
}

static bool scan_sees(const struct mem_data *d, const struct store_hook_scan *q,
                      const struct mem_session *s, const struct mem_hook_cursor *c, int64_t *time)
{
    static const char *const statuses[] = {[HOOK_PHASE_PENDING] = "pending",
                                           [HOOK_PHASE_RUNNING] = "running",
                                           [HOOK_PHASE_PAUSED] = "paused"};
    const struct session_core *core = &s->core->core;
    bool after, folded = s->folded_seq > 0;

    *time = 0;
    if (q->phase == HOOK_PHASE_BEHIND)
        return c && c->at.behind && s->key > q->after_key && owner_is(d, c->owner, q->instance);
    if (q->phase <= HOOK_PHASE_PAUSED) {
        *time = s->row.created_at;
        if (!str_eqz(core->status, statuses[q->phase]) || core->updated_at < q->since ||
            s->row.meta.stored_only)
            return false;
    } else {
        *time = core->ended_at;
        if (core->ended_at == 0 || core->ended_at < q->since ||
            folded != (q->phase == HOOK_PHASE_FOLDED))
            return false;
    }
    after = *time > q->after_time || (*time == q->after_time && s->key > q->after_key);
    return after && mem_session_is_free(d, s, q->instance) &&
           (!c || (!c->at.behind && c->at.seq < core->last_seq));
}

static int hook_scan(struct mem_data *d, struct store_hook_scan *q)
{
    struct mem_hook *h = hook_find(d, STR_NULL, q->hook);
    struct arena *a = &q->req.arena;
    int count = 0;

    q->rows = NULL;
    for (size_t i = 0; h && i < d->sessions.count; i++) {
        const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        const struct mem_hook_cursor *c = cursor_find(h, s->row.id);
        struct hook_session **at = &q->rows, *row;
        int64_t time;
        if (!str_eq(s->row.meta.workspace, rules_workspace(q->workspace)) ||
            !scan_sees(d, q, s, c, &time))
            continue;
        row = arena_alloc(a, sizeof(*row));
        *row = (struct hook_session){.session_id = s->row.id, .time = time, .key = s->key};
        row->workflow_id = rules_copy(a, s->row.meta.workflow_id);
        row->group_id = rules_copy(a, s->row.meta.group_id);
        row->status = rules_copy(a, s->core->core.status);
        row->metadata_json = rules_copy(a, s->row.meta.metadata_json);
        row->last_seq = s->core->core.last_seq;
        row->has_cursor = c != NULL;
        if (c)
            row->cursor = c->at;
        while (*at && ((*at)->time < time || ((*at)->time == time && (*at)->key < row->key)))
            at = &(*at)->next;
        row->next = *at;
        *at = row;
    }
    for (struct hook_session **at = &q->rows; *at; at = &(*at)->next)
        if (++count > q->limit) {
            *at = NULL;
            break;
        }
    return 0;
}

static int cursor_parents(const struct mem_data *d, struct store_req *req, struct id hook,
                          struct id session_id, struct mem_hook **h)
{
    *h = hook_find(d, STR_NULL, hook);
    if (!*h)
        return err_set(&req->error, ERR_NOT_FOUND, "no such webhook");
    if (!table_get(&d->sessions_by_id, session_id))
        return err_set(&req->error, ERR_NOT_FOUND, "no such session");
    return 0;
}

static int hook_claim(struct mem_data *d, struct store_hook_claim *q)
{
    struct mem_hook *h;
    struct mem_hook_cursor *c;

    int status = cursor_parents(d, &q->req, q->hook, q->session_id, &h);
    if (status < 0)
        return status;
    c = cursor_find(h, q->session_id);
    if (c && !q->rewind && !owner_is(d, c->owner, q->instance))
        return err_set(&q->req.error, ERR_CONFLICT, "another instance has this cursor");
    q->existed = c != NULL;
    if (!c) {
        c = mem_row_create(sizeof(*c));
        c->session_id = q->session_id;
        c->at = (struct hook_cursor){.seq = q->seq};
        mem_vec_put(&h->cursors, c, cmp_cursor);
    }
    if (q->rewind)
        c->at = (struct hook_cursor){.seq = q->seq};
    c->at.behind = true;
    c->owner = q->instance;
    q->cursor = c->at;
    return 0;
}

/* ---- outcomes ---- */

static void delivery_put(struct mem_hook *h, const struct hook_delivery *given)
{
    struct mem_hook_delivery *d = mem_row_create(sizeof(*d));

    d->row = *given;
    d->row.next = NULL;
    for (size_t i = 0; i < h->deliveries.count; i++) {
        const struct hook_delivery *old = &AS(mem_hook_delivery, h->deliveries.rows[i])->row;
        if (id_eq(old->id, given->id)) {
            d->row.created_at = old->created_at;
            break;
        }
    }
    d->row.type = rules_copy(&d->arena, given->type);
    d->row.status = rules_copy(&d->arena, given->status);
    d->row.error = rules_copy(&d->arena, given->error);
    mem_vec_put(&h->deliveries, d, cmp_delivery);
}

static int hook_save(struct mem_data *d, struct store_hook_save *s)
{
    const struct id nobody = {{0}};
    struct mem_hook_cursor *c;
    struct mem_hook *h;

    int status = cursor_parents(d, &s->req, s->hook, s->session_id, &h);
    if (status < 0)
        return status;
    c = cursor_find(h, s->session_id);
    if (s->cursor && c && !owner_is(d, c->owner, s->instance))
        return err_set(&s->req.error, ERR_STALE, "another instance has this cursor");
    if (s->cursor && !c) {
        c = mem_row_create(sizeof(*c));
        c->session_id = s->session_id;
        mem_vec_put(&h->cursors, c, cmp_cursor);
    }
    if (s->cursor) {
        c->at = *s->cursor;
        c->owner = s->cursor->behind ? s->instance : nobody;
    }
    if (s->delivery)
        delivery_put(h, s->delivery);
    if (s->scan_from > h->row.scan_from)
        h->row.scan_from = s->scan_from;
    while (s->keep && h->deliveries.count &&
           (h->deliveries.count > (size_t)s->keep + 1 ||
            AS(mem_hook_delivery, h->deliveries.rows[0])->row.created_at < s->keep_before))
        mem_vec_remove(&h->deliveries, h->deliveries.rows[0], cmp_delivery);
    return 0;
}

/* ---- the log of deliveries ---- */

static bool delivery_is_asked(const struct store_hook_deliveries *l, const struct hook_delivery *d,
                              const struct cursor *c)
{
    if (!id_is_zero(l->id))
        return id_eq(l->id, d->id);
    if (d->created_at > c->a || (d->created_at == c->a && memcmp(d->id.b, c->key, 16) >= 0))
        return false;
    return (!l->status.p || str_eq(l->status, d->status)) &&
           (id_is_zero(l->session_id) || id_eq(l->session_id, d->session_id));
}

static int hook_deliveries(struct mem_data *d, struct store_hook_deliveries *l)
{
    struct hook_delivery **tail = &l->rows, *last = NULL;
    struct cursor c = {.a = INT64_MAX};
    struct page page = page_of(l->limit);
    struct mem_hook *h;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n && cursor_decode(l->cursor, CURSOR_DELIVERIES, &c, &l->req.error) < 0)
        return ERR_INVALID;
    int status = hook_checked(d, &l->req, l->workspace, l->hook, 0, &h);
    if (status < 0)
        return status;
    for (size_t i = h->deliveries.count; i-- > 0;) {
        const struct hook_delivery *row = &AS(mem_hook_delivery, h->deliveries.rows[i])->row;
        if (!delivery_is_asked(l, row, &c))
            continue;
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            l->next_cursor = cursor_encode(&l->req.arena, CURSOR_DELIVERIES, last->created_at, 0,
                                           (struct str){(const char *)last->id.b, 16});
            return 0;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(*last));
        *last = *row;
        last->type = rules_copy(&l->req.arena, row->type);
        last->status = rules_copy(&l->req.arena, row->status);
        last->error = rules_copy(&l->req.arena, row->error);
        tail = &last->next;
    }
    return 0;
}

#define HOOK(code, type, run)                                                                      \
    if (req->op == (code))                                                                         \
    return run(d, container_of(req, struct type, req))

int mem_hook_run(struct mem_data *d, struct store_req *req)
{
    HOOK(STORE_HOOK_PUT, store_hook_put, hook_put);
    HOOK(STORE_HOOK_DELETE, store_hook_delete, hook_delete);
    HOOK(STORE_HOOK_CLAIM, store_hook_claim, hook_claim);
    HOOK(STORE_HOOK_SAVE, store_hook_save, hook_save);
    HOOK(STORE_HOOK_LIST, store_hook_list, hook_list);
    HOOK(STORE_HOOK_SCAN, store_hook_scan, hook_scan);
    return hook_deliveries(d, container_of(req, struct store_hook_deliveries, req));
}
