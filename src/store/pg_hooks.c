/* Webhooks: who hears of what, how far each session has been told, what became of deliveries. */
#include <assert.h>
#include <string.h>

#include "store/cursor.h"
#include "store/hooks.h"
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

static int hook_corrupt(struct pg_job *j)
{
    return pg_refuse(j, ERR_CORRUPT, "a webhook does not read back");
}

/* HOOK_COLUMNS of pg_sql_hooks.h. */
static void hook_columns(struct pgr *r, struct arena *a, struct hook_row *row)
{
    *row = (struct hook_row){.next = NULL};
    pgr_id(r, &row->id);
    row->workspace = pgr_str(r, a);
    row->name = pgr_str(r, a);
    row->url = pgr_str(r, a);
    row->events_json = pgr_json(r, a);
    row->filter_json = pgr_json(r, a);
    row->secret = pgr_str(r, a);
    row->enabled = pgr_bool(r);
    row->disabled_reason = pgr_str(r, a);
    row->scan_from = pgr_i64(r);
    row->version = pgr_i64(r);
    row->created_at = pgr_i64(r);
    row->updated_at = pgr_i64(r);
    row->behind = pgr_i64(r);
    row->failing_since = pgr_i64(r);
}

static int hooks_listed(struct pg_job *j)
{
    struct store_hook_list *l = container_of(j->req, struct store_hook_list, req);
    struct hook_row **tail = &l->rows;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        hook_columns(&r, &j->req->arena, *tail);
        if (r.corrupt)
            return hook_corrupt(j);
    }
    return 0;
}

static int hook_list(struct pg_job *j)
{
    struct store_hook_list *l = container_of(j->req, struct store_hook_list, req);
    bool one = !id_is_zero(l->id);
    struct pgq q;

    l->rows = NULL;
    pgq_start(&q, j->conn, one ? PG_HOOK_GET : PG_HOOKS_LIST);
    pgq_id(&q, one ? &l->id : &l->after);
    pgq_str(&q, l->workspace);
    if (!one)
        pgq_i64(&q, l->limit);
    pgq_end(&q);
    return pg_await(j, hooks_listed);
}

/* ---- putting, deleting ---- */

static void hook_add_find(struct pg_job *j, struct str workspace, const struct id *id)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_HOOK_FIND);
    pgq_id(&q, id);
    pgq_str(&q, rules_workspace(workspace));
    pgq_end(&q);
}

/* What that found, as the n-th statement: its version and when it was made. */
static int hook_checked(struct pg_job *j, int n, int64_t expected, int64_t *version,
                        int64_t *created_at)
{
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such webhook");
    *version = pgr_i64(&r);
    *created_at = pgr_i64(&r);
    if (expected && expected != *version)
        return pg_refuse(j, ERR_STALE, "the webhook is at version %lld, not %lld",
                         (long long)*version, (long long)expected);
    return 0;
}

static void hook_add_write(struct pg_job *j, const struct store_hook_put *p)
{
    const struct hook_row *row = &p->row;
    struct pgq q;

    pgq_start(&q, j->conn, p->is_new ? PG_HOOK_INSERT : PG_HOOK_UPDATE);
    pgq_str(&q, rules_workspace(row->workspace));
    pgq_id(&q, &row->id);
    pgq_str(&q, row->name);
    pgq_str(&q, row->url);
    pgq_str(&q, row->events_json);
    pgq_str(&q, row->filter_json);
    pgq_str(&q, row->secret);
    pgq_bool(&q, row->enabled);
    pgq_str(&q, row->disabled_reason);
    if (p->is_new)
        pgq_i64(&q, row->scan_from);
    pgq_i64(&q, p->now_ms);
    pgq_end(&q);
}

static int hook_put_found(struct pg_job *j)
{
    struct store_hook_put *p = container_of(j->req, struct store_hook_put, req);
    struct pg_rows rows;
    struct pgr r;
    int64_t version = 0, created_at = p->now_ms;
    bool there, key_taken = false;

    pgr_open(&r, j->conn, 1);
    there = pgr_next(&r);
    if (p->is_new && there && j->repeated) { /* written by the try before */
        p->row.version = 1;
        p->row.created_at = p->row.updated_at = p->now_ms;
        return 0;
    }
    if (p->is_new) {
        pgr_open(&r, j->conn, 2);
        if (pgr_next(&r) && pgr_i64(&r) >= HOOKS_MAX)
            return pg_refuse(j, ERR_CONFLICT, "there are %d webhooks already", HOOKS_MAX);
        if (p->idempotency) {
            pgr_open(&r, j->conn, 3);
            key_taken = pgr_next(&r);
        }
        if (key_taken)
            return pg_refuse(j, ERR_CONFLICT, "this Idempotency-Key is in use");
        pg_rows_init(&rows, PG_WORKSPACES_MAKE, "t");
        pg_rows_begin(&rows);
        pg_rows_str(&rows, rules_workspace(p->row.workspace));
        pg_rows_add(&rows, j->conn);
        pg_rows_deinit(&rows);
    } else {
        int status = hook_checked(j, 1, p->expected_version, &version, &created_at);
        if (status < 0)
            return status;
    }
    hook_add_write(j, p);
    pg_rows_init(&rows, PG_KEYS_INSERT, "ttiiiti");
    for (const struct idempotency_row *k = p->idempotency; k; k = k->next)
        pg_rows_key(&rows, k);
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&rows);
    p->row.version = version + 1;
    p->row.created_at = created_at;
    p->row.updated_at = p->now_ms;
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

static int hook_put(struct pg_job *j)
{
    struct store_hook_put *p = container_of(j->req, struct store_hook_put, req);
    struct pg_rows keys;
    struct pgq q;

    pg_conn_add(j->conn, PG_BEGIN);
    hook_add_find(j, p->row.workspace, &p->row.id);
    pgq_start(&q, j->conn, PG_HOOKS_COUNT);
    pgq_str(&q, rules_workspace(p->row.workspace));
    pgq_end(&q);
    pg_rows_init(&keys, PG_COMMIT_KEYS_TAKEN, "tt");
    for (const struct idempotency_row *k = p->idempotency; k; k = k->next) {
        pg_rows_begin(&keys);
        pg_rows_str(&keys, rules_workspace(k->workspace));
        pg_rows_str(&keys, k->key);
    }
    pg_rows_add(&keys, j->conn);
    pg_rows_deinit(&keys);
    return pg_await(j, hook_put_found);
}

static int hook_delete_found(struct pg_job *j)
{
    struct store_hook_delete *d = container_of(j->req, struct store_hook_delete, req);
    int64_t version, created_at;
    struct pgq q;

    int status = hook_checked(j, 1, d->expected_version, &version, &created_at);
    if (status == ERR_NOT_FOUND && j->repeated)
        return 0; /* by the try before */
    if (status < 0)
        return status;
    pgq_start(&q, j->conn, PG_HOOK_DELETE);
    pgq_str(&q, rules_workspace(d->workspace));
    pgq_id(&q, &d->id);
    pgq_end(&q);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

static int hook_delete(struct pg_job *j)
{
    struct store_hook_delete *d = container_of(j->req, struct store_hook_delete, req);

    pg_conn_add(j->conn, PG_BEGIN);
    hook_add_find(j, d->workspace, &d->id);
    return pg_await(j, hook_delete_found);
}

/* ---- cursors ---- */

static int hook_scanned(struct pg_job *j)
{
    struct store_hook_scan *s = container_of(j->req, struct store_hook_scan, req);
    struct hook_session **tail = &s->rows;
    struct arena *a = &j->req->arena;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &(*tail)->next) {
        struct hook_session *row = *tail = arena_alloc(a, sizeof(*row));
        pgr_id(&r, &row->session_id);
        row->key = pgr_i64(&r);
        row->time = pgr_i64(&r);
        row->workflow_id = pgr_str(&r, a);
        row->group_id = pgr_str(&r, a);
        row->status = pgr_str(&r, a);
        row->last_seq = pgr_i64(&r);
        row->metadata_json = pgr_json(&r, a);
        row->has_cursor = pgr_bool(&r);
        row->cursor.seq = pgr_i64(&r);
        row->cursor.attempts = pgr_i64(&r);
        row->cursor.failed_at = pgr_i64(&r);
        row->cursor.next_at = pgr_i64(&r);
        row->cursor.behind = s->phase == HOOK_PHASE_BEHIND;
        if (r.corrupt)
            return pg_session_corrupt(j, &row->session_id, "row or details");
    }
    return 0;
}

static int hook_scan(struct pg_job *j)
{
    static const enum pg_sql sql[] = {
        [HOOK_PHASE_BEHIND] = PG_HOOK_BEHIND,     [HOOK_PHASE_PENDING] = PG_HOOK_LIVE,
        [HOOK_PHASE_RUNNING] = PG_HOOK_LIVE,      [HOOK_PHASE_PAUSED] = PG_HOOK_LIVE,
        [HOOK_PHASE_ENDED] = PG_HOOK_ENDED_WHOLE, [HOOK_PHASE_FOLDED] = PG_HOOK_ENDED_FOLDED,
    };
    static const char *const statuses[HOOK_PHASE_COUNT] = {[HOOK_PHASE_PENDING] = "pending",
                                                           [HOOK_PHASE_RUNNING] = "running",
                                                           [HOOK_PHASE_PAUSED] = "paused"};
    struct store_hook_scan *s = container_of(j->req, struct store_hook_scan, req);
    struct pgq q;

    s->rows = NULL;
    pgq_start(&q, j->conn, sql[s->phase]);
    pgq_id(&q, &s->hook);
    pgq_id_or_null(&q, &s->instance);
    pgq_i64(&q, s->limit);
    pgq_i64(&q, s->after_key);
    if (s->phase != HOOK_PHASE_BEHIND) {
        pgq_str(&q, rules_workspace(s->workspace));
        pgq_i64(&q, s->after_time);
        pgq_i64(&q, s->since);
    }
    if (statuses[s->phase])
        pgq_str(&q, str_of(statuses[s->phase]));
    pgq_end(&q);
    return pg_await(j, hook_scanned);
}

/* Nothing was written: why? `n`: the statement that looks for the cursor. */
static int cursor_refused(struct pg_job *j, int n, int taken)
{
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "the webhook or the session is gone");
    return pg_refuse(j, taken, "another instance has this cursor");
}

static void cursor_add_look(struct pg_job *j, const struct id *hook, const struct id *session,
                            const struct id *instance)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_HOOK_CURSOR);
    pgq_id(&q, hook);
    pgq_id(&q, session);
    pgq_id(&q, instance);
    pgq_end(&q);
}

static int hook_claimed(struct pg_job *j)
{
    struct store_hook_claim *c = container_of(j->req, struct store_hook_claim, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return cursor_refused(j, 1, ERR_CONFLICT);
    c->cursor = (struct hook_cursor){.seq = pgr_i64(&r)};
    c->cursor.attempts = pgr_i64(&r);
    c->cursor.failed_at = pgr_i64(&r);
    c->cursor.next_at = pgr_i64(&r);
    c->cursor.behind = true;
    c->existed = pgr_bool(&r);
    return 0;
}

static int hook_claim(struct pg_job *j)
{
    struct store_hook_claim *c = container_of(j->req, struct store_hook_claim, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_HOOK_CLAIM);
    pgq_id(&q, &c->hook);
    pgq_id(&q, &c->session_id);
    pgq_i64(&q, c->seq);
    pgq_id(&q, &c->instance);
    pgq_i64(&q, c->now_ms);
    pgq_bool(&q, c->rewind);
    pgq_end(&q);
    cursor_add_look(j, &c->hook, &c->session_id, &c->instance);
    return pg_await(j, hook_claimed);
}

/* ---- outcomes ---- */

static void delivery_add(struct pg_job *j, const struct store_hook_save *s)
{
    const struct hook_delivery *d = s->delivery;
    struct pgq q;

    pgq_start(&q, j->conn, PG_DELIVERY_PUT);
    pgq_id(&q, &d->id);
    pgq_id(&q, &s->hook);
    pgq_id(&q, &s->session_id);
    pgq_i64(&q, d->seq);
    pgq_str(&q, d->type);
    pgq_str(&q, d->status);
    pgq_i64(&q, d->attempts);
    pgq_i64(&q, d->next_at);
    pgq_i64(&q, d->http_status);
    pgq_i64(&q, d->duration_ms);
    pgq_str(&q, d->error);
    pgq_i64(&q, d->created_at);
    pgq_i64(&q, d->updated_at);
    pgq_end(&q);
}

static int hook_moved(struct pg_job *j)
{
    struct store_hook_save *s = container_of(j->req, struct store_hook_save, req);
    struct pgr r;
    struct pgq q;

    pgr_open(&r, j->conn, 1);
    if (!pgr_next(&r))
        return s->cursor ? cursor_refused(j, 2, ERR_STALE)
                         : pg_refuse(j, ERR_NOT_FOUND, "the webhook or the session is gone");
    if (s->delivery)
        delivery_add(j, s);
    if (s->scan_from) {
        pgq_start(&q, j->conn, PG_HOOK_SCANNED);
        pgq_id(&q, &s->hook);
        pgq_i64(&q, s->scan_from);
        pgq_end(&q);
    }
    if (s->keep) {
        pgq_start(&q, j->conn, PG_DELIVERIES_TIDY);
        pgq_id(&q, &s->hook);
        pgq_i64(&q, s->keep);
        pgq_i64(&q, s->keep_before);
        pgq_end(&q);
    }
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

static int hook_save(struct pg_job *j)
{
    struct store_hook_save *s = container_of(j->req, struct store_hook_save, req);
    struct pgq q;

    pg_conn_add(j->conn, PG_BEGIN);
    pgq_start(&q, j->conn, s->cursor ? PG_HOOK_MOVE : PG_HOOK_PARENTS);
    pgq_id(&q, &s->hook);
    pgq_id(&q, &s->session_id);
    if (s->cursor) {
        pgq_i64(&q, s->cursor->seq);
        pgq_bool(&q, s->cursor->behind);
        pgq_i64(&q, s->cursor->attempts);
        pgq_i64(&q, s->cursor->failed_at);
        pgq_i64(&q, s->cursor->next_at);
        pgq_id(&q, &s->instance);
        pgq_i64(&q, s->now_ms);
    }
    pgq_end(&q);
    if (s->cursor)
        cursor_add_look(j, &s->hook, &s->session_id, &s->instance);
    return pg_await(j, hook_moved);
}

/* ---- the log of deliveries ---- */

static void delivery_columns(struct pgr *r, struct arena *a, struct hook_delivery *d)
{
    *d = (struct hook_delivery){.next = NULL};
    pgr_id(r, &d->id);
    pgr_id(r, &d->session_id);
    d->seq = pgr_i64(r);
    d->type = pgr_str(r, a);
    d->status = pgr_str(r, a);
    d->attempts = pgr_i64(r);
    d->next_at = pgr_i64(r);
    d->http_status = pgr_i64(r);
    d->duration_ms = pgr_i64(r);
    d->error = pgr_str(r, a);
    d->created_at = pgr_i64(r);
    d->updated_at = pgr_i64(r);
}

static int deliveries_listed(struct pg_job *j)
{
    struct store_hook_deliveries *l = container_of(j->req, struct store_hook_deliveries, req);
    struct hook_delivery **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such webhook");
    for (pgr_open(&r, j->conn, 1); pgr_next(&r); tail = &last->next) {
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            l->next_cursor = cursor_encode(&j->req->arena, CURSOR_DELIVERIES, last->created_at, 0,
                                           (struct str){(const char *)last->id.b, 16});
            return 0;
        }
        last = *tail = arena_alloc(&j->req->arena, sizeof(*last));
        delivery_columns(&r, &j->req->arena, last);
        if (r.corrupt)
            return hook_corrupt(j);
    }
    return 0;
}

static int hook_deliveries(struct pg_job *j)
{
    struct store_hook_deliveries *l = container_of(j->req, struct store_hook_deliveries, req);
    struct cursor c = {.a = INT64_MAX};
    struct id before = {{0}};
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = l->cursor.n ? cursor_decode(l->cursor, CURSOR_DELIVERIES, &c, &j->req->error) : 0;
    if (status < 0)
        return status;
    memcpy(before.b, c.key, sizeof(before.b));
    pgq_start(&q, j->conn, PG_HOOK_GET);
    pgq_id(&q, &l->hook);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_end(&q);
    if (!id_is_zero(l->id)) {
        pgq_start(&q, j->conn, PG_DELIVERY_GET);
        pgq_id(&q, &l->id);
        pgq_id(&q, &l->hook);
    } else {
        pgq_start(&q, j->conn, PG_DELIVERIES_LIST);
        pgq_id(&q, &l->hook);
        pgq_i64(&q, c.a);
        pgq_id(&q, &before);
        pgq_str(&q, l->status);
        pgq_id_or_null(&q, &l->session_id);
        pgq_i64(&q, page_of(l->limit).left + 1);
    }
    pgq_end(&q);
    return pg_await(j, deliveries_listed);
}

int pg_hook_start(struct pg_job *j)
{
    static int (*const starts[])(struct pg_job *) = {
        hook_put, hook_delete, hook_claim, hook_save, hook_list, hook_scan, hook_deliveries,
    };

    return starts[j->req->op - STORE_HOOK_PUT](j);
}
