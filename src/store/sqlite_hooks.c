/* Webhooks: who hears of what, how far each session has been told, what became of deliveries. */
#include <assert.h>
#include <string.h>

#include "store/cursor.h"
#include "store/hooks.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

/* HOOK_COLUMNS of sqlite_sql.c. */
static int hook_columns(struct sqlq *q, struct arena *a, struct hook_row *row)
{
    *row = (struct hook_row){.next = NULL};
    sqlq_id(q, &row->id);
    row->workspace = sqlq_str(q, a);
    row->name = sqlq_str(q, a);
    row->url = sqlq_str(q, a);
    row->events_json = sqlq_json(q, a);
    row->filter_json = sqlq_json(q, a);
    row->secret = sqlq_str(q, a);
    row->enabled = sqlq_i64(q) != 0;
    row->disabled_reason = sqlq_str(q, a);
    row->scan_from = sqlq_i64(q);
    row->version = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    row->updated_at = sqlq_i64(q);
    row->behind = sqlq_i64(q);
    row->failing_since = sqlq_i64(q);
    if (!q->corrupt)
        return 0;
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "a webhook does not read back");
}

/* 1, 0: there is none, or an error. */
static int hook_find(struct sqlite_db *db, struct arena *a, struct str workspace,
                     const struct id *id, struct hook_row *row)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_HOOK_GET);
    sqlq_bind_id(&q, id);
    sqlq_bind_str(&q, workspace);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    int status = hook_columns(&q, a, row);
    if (status < 0)
        return status;
    sqlq_end(&q);
    return 1;
}

static int hook_list(struct sqlite_db *db, struct store_hook_list *l)
{
    struct arena *a = &l->req.arena;
    struct hook_row **tail = &l->rows, row;
    int64_t workspace = 0;
    struct sqlq q;
    int more;

    l->rows = NULL;
    if (!id_is_zero(l->id)) {
        more = hook_find(db, a, l->workspace, &l->id, &row);
        if (more <= 0)
            return more;
        l->rows = arena_alloc(a, sizeof(row));
        *l->rows = row;
        return 0;
    }
    if (l->workspace.p) {
        int status = sqlite_workspace_find(db, l->workspace, &workspace);
        if (status < 0)
            return status == ERR_NOT_FOUND ? 0 : status;
    }
    sqlq_start(&q, db, l->workspace.p ? SQL_HOOKS_OF : SQL_HOOKS_ALL);
    sqlq_bind_id(&q, &l->after);
    sqlq_bind_i64(&q, l->limit);
    if (l->workspace.p)
        sqlq_bind_i64(&q, workspace);
    while ((more = sqlq_next(&q)) > 0) {
        *tail = arena_alloc(a, sizeof(row));
        int status = hook_columns(&q, a, *tail);
        if (status < 0)
            return status;
        tail = &(*tail)->next;
    }
    return more;
}

/* ---- putting, deleting ---- */

static int hook_write(struct sqlite_db *db, enum sqlite_sql sql, int64_t workspace,
                      const struct store_hook_put *p)
{
    const struct hook_row *row = &p->row;
    struct sqlq q;

    sqlq_start(&q, db, sql);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_id(&q, &row->id);
    sqlq_bind_str(&q, row->name);
    sqlq_bind_str(&q, row->url);
    sqlq_bind_str(&q, row->events_json);
    sqlq_bind_str(&q, row->filter_json);
    sqlq_bind_str(&q, row->secret);
    sqlq_bind_i64(&q, row->enabled);
    sqlq_bind_str(&q, row->disabled_reason);
    sqlq_bind_i64(&q, row->scan_from);
    sqlq_bind_i64(&q, p->now_ms);
    return sqlq_run(&q);
}

static int hook_insert(struct sqlite_db *db, struct store_hook_put *p)
{
    int64_t workspace = 0, count = 0;
    struct sqlq q;

    int status = sqlite_idempotency_check(db, &p->req.arena, p->idempotency);
    if (status == 0)
        status = sqlite_workspace_make(db, p->row.workspace, &workspace);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_HOOKS_COUNT);
    sqlq_bind_i64(&q, workspace);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    count = sqlq_i64(&q);
    sqlq_end(&q);
    if (count >= HOOKS_MAX)
        return sqlite_db_refuse(db, ERR_CONFLICT, "there are %d webhooks already", HOOKS_MAX);
    status = hook_write(db, SQL_HOOK_INSERT, workspace, p);
    if (status < 0)
        return status;
    p->row.version = 1;
    p->row.created_at = p->row.updated_at = p->now_ms;
    return sqlite_idempotency_insert(db, p->idempotency);
}

static int hook_checked(struct sqlite_db *db, struct arena *a, struct str workspace,
                        const struct id *id, int64_t expected, struct hook_row *row)
{
    int found = hook_find(db, a, rules_workspace(workspace), id, row);

    if (found < 0)
        return found;
    if (!found)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such webhook");
    if (expected && expected != row->version)
        return sqlite_db_refuse(db, ERR_STALE, "the webhook is at version %lld, not %lld",
                                (long long)row->version, (long long)expected);
    return 0;
}

static int hook_put(struct sqlite_db *db, struct store_hook_put *p)
{
    struct hook_row now = {.next = NULL};
    int64_t workspace = 0;

    if (p->is_new)
        return hook_insert(db, p);
    int status =
        hook_checked(db, &p->req.arena, p->row.workspace, &p->row.id, p->expected_version, &now);
    if (status == 0)
        status = sqlite_workspace_find(db, p->row.workspace, &workspace);
    if (status == 0)
        status = hook_write(db, SQL_HOOK_UPDATE, workspace, p);
    p->row.version = now.version + 1;
    p->row.created_at = now.created_at;
    p->row.updated_at = p->now_ms;
    return status;
}

static int hook_delete(struct sqlite_db *db, struct store_hook_delete *d)
{
    struct hook_row now = {.next = NULL};
    int64_t workspace = 0;
    struct sqlq q;

    int status = hook_checked(db, &d->req.arena, d->workspace, &d->id, d->expected_version, &now);
    if (status == 0)
        status = sqlite_workspace_find(db, d->workspace, &workspace);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_HOOK_DELETE);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_id(&q, &d->id);
    return sqlq_run(&q);
}

/* ---- cursors ---- */

static void hook_session_columns(struct sqlq *q, struct arena *a, struct hook_session *s)
{
    *s = (struct hook_session){.next = NULL};
    sqlq_id(q, &s->session_id);
    s->key = sqlq_i64(q);
    s->time = sqlq_i64(q);
    s->workflow_id = sqlq_str(q, a);
    s->group_id = sqlq_str(q, a);
    s->status = sqlq_str(q, a);
    s->last_seq = sqlq_i64(q);
    s->metadata_json = sqlq_json(q, a);
    s->has_cursor = sqlite3_column_type(q->stmt, q->at) != SQLITE_NULL;
    s->cursor.seq = sqlq_i64(q);
    s->cursor.attempts = sqlq_i64(q);
    s->cursor.failed_at = sqlq_i64(q);
    s->cursor.next_at = sqlq_i64(q);
}

static int hook_scan(struct sqlite_db *db, struct store_hook_scan *s)
{
    static const char *const statuses[] = {[HOOK_PHASE_PENDING] = "pending",
                                           [HOOK_PHASE_RUNNING] = "running",
                                           [HOOK_PHASE_PAUSED] = "paused"};
    struct hook_session **tail = &s->rows;
    bool live = s->phase >= HOOK_PHASE_PENDING && s->phase <= HOOK_PHASE_PAUSED;
    int64_t workspace = 0;
    struct sqlq q;
    int more;

    s->rows = NULL;
    int status = sqlite_workspace_find(db, s->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    sqlq_start(&q, db,
               s->phase == HOOK_PHASE_BEHIND ? SQL_HOOK_BEHIND
               : live                        ? SQL_HOOK_LIVE
                                             : SQL_HOOK_ENDED);
    sqlq_bind_id(&q, &s->hook);
    sqlq_bind_i64(&q, workspace);
    if (live)
        sqlq_bind_str(&q, str_of(statuses[s->phase]));
    else
        sqlq_bind_i64(&q, s->phase == HOOK_PHASE_FOLDED);
    sqlq_bind_i64(&q, s->after_time);
    sqlq_bind_i64(&q, s->after_key);
    sqlq_bind_i64(&q, s->since);
    sqlq_bind_id_or_null(&q, &s->instance);
    sqlq_bind_i64(&q, s->limit);
    while ((more = sqlq_next(&q)) > 0) {
        *tail = arena_alloc(&s->req.arena, sizeof(**tail));
        hook_session_columns(&q, &s->req.arena, *tail);
        (*tail)->cursor.behind = s->phase == HOOK_PHASE_BEHIND;
        tail = &(*tail)->next;
    }
    return more == 0 && q.corrupt ? sqlite_db_corrupt(db, "a session does not read back") : more;
}

/* 1: the cursor is there; 0: it is not. *ours: the instance may have it. */
static int cursor_find(struct sqlite_db *db, const struct id *hook, int64_t session,
                       const struct id *instance, struct hook_cursor *c, bool *ours)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_HOOK_CURSOR);
    sqlq_bind_id(&q, hook);
    sqlq_bind_i64(&q, session);
    sqlq_bind_id(&q, instance);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    *c = (struct hook_cursor){.seq = sqlq_i64(&q)};
    c->attempts = sqlq_i64(&q);
    c->failed_at = sqlq_i64(&q);
    c->next_at = sqlq_i64(&q);
    *ours = sqlq_i64(&q) != 0;
    sqlq_end(&q);
    return 1;
}

/* Both that a cursor hangs on. ERR_NOT_FOUND. */
static int cursor_parents(struct sqlite_db *db, struct arena *a, const struct id *hook,
                          const struct id *session_id, struct sqlite_session *session)
{
    struct hook_row row;

    int found = hook_find(db, a, STR_NULL, hook, &row);
    if (found < 0)
        return found;
    if (!found)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such webhook");
    return sqlite_session_find(db, session_id, session);
}

static int hook_claim(struct sqlite_db *db, struct store_hook_claim *c)
{
    struct sqlite_session session = {.key = 0};
    struct hook_cursor at = {.seq = c->seq};
    bool ours = true;
    struct sqlq q;

    int found = cursor_parents(db, &c->req.arena, &c->hook, &c->session_id, &session);
    if (found == 0)
        found = cursor_find(db, &c->hook, session.key, &c->instance, &at, &ours);
    if (found < 0)
        return found;
    if (!ours && !c->rewind)
        return sqlite_db_refuse(db, ERR_CONFLICT, "another instance has this cursor");
    sqlq_start(&q, db, SQL_HOOK_CLAIM);
    sqlq_bind_id(&q, &c->hook);
    sqlq_bind_i64(&q, session.key);
    sqlq_bind_i64(&q, c->seq);
    sqlq_bind_id(&q, &c->instance);
    sqlq_bind_i64(&q, c->now_ms);
    sqlq_bind_i64(&q, c->rewind);
    int status = sqlq_run(&q);
    c->existed = found > 0;
    c->cursor = c->rewind ? (struct hook_cursor){.seq = c->seq} : at;
    c->cursor.behind = true;
    return status;
}

/* ---- outcomes ---- */

static int cursor_move(struct sqlite_db *db, const struct store_hook_save *s, int64_t session)
{
    const struct id nobody = {{0}};
    struct hook_cursor at;
    bool ours = true;
    struct sqlq q;

    int found = cursor_find(db, &s->hook, session, &s->instance, &at, &ours);
    if (found < 0)
        return found;
    if (!ours)
        return sqlite_db_refuse(db, ERR_STALE, "another instance has this cursor");
    sqlq_start(&q, db, SQL_HOOK_MOVE);
    sqlq_bind_id(&q, &s->hook);
    sqlq_bind_i64(&q, session);
    sqlq_bind_i64(&q, s->cursor->seq);
    sqlq_bind_i64(&q, s->cursor->behind);
    sqlq_bind_i64(&q, s->cursor->attempts);
    sqlq_bind_i64(&q, s->cursor->failed_at);
    sqlq_bind_i64(&q, s->cursor->next_at);
    sqlq_bind_id_or_null(&q, s->cursor->behind ? &s->instance : &nobody);
    sqlq_bind_i64(&q, s->now_ms);
    return sqlq_run(&q);
}

static int delivery_put(struct sqlite_db *db, const struct store_hook_save *s, int64_t session)
{
    const struct hook_delivery *d = s->delivery;
    struct sqlq q;

    sqlq_start(&q, db, SQL_DELIVERY_PUT);
    sqlq_bind_id(&q, &d->id);
    sqlq_bind_id(&q, &s->hook);
    sqlq_bind_i64(&q, session);
    sqlq_bind_i64(&q, d->seq);
    sqlq_bind_str(&q, d->type);
    sqlq_bind_str(&q, d->status);
    sqlq_bind_i64(&q, d->attempts);
    sqlq_bind_i64(&q, d->next_at);
    sqlq_bind_i64(&q, d->http_status);
    sqlq_bind_i64(&q, d->duration_ms);
    sqlq_bind_str(&q, d->error);
    sqlq_bind_i64(&q, d->created_at);
    sqlq_bind_i64(&q, d->updated_at);
    return sqlq_run(&q);
}

static int hook_save(struct sqlite_db *db, struct store_hook_save *s)
{
    struct sqlite_session session = {.key = 0};
    struct sqlq q;

    int status = cursor_parents(db, &s->req.arena, &s->hook, &s->session_id, &session);
    if (status == 0 && s->cursor)
        status = cursor_move(db, s, session.key);
    if (status == 0 && s->delivery)
        status = delivery_put(db, s, session.key);
    if (status == 0 && s->scan_from) {
        sqlq_start(&q, db, SQL_HOOK_SCANNED);
        sqlq_bind_id(&q, &s->hook);
        sqlq_bind_i64(&q, s->scan_from);
        status = sqlq_run(&q);
    }
    if (status == 0 && s->keep) {
        sqlq_start(&q, db, SQL_DELIVERIES_TIDY);
        sqlq_bind_id(&q, &s->hook);
        sqlq_bind_i64(&q, s->keep);
        sqlq_bind_i64(&q, s->keep_before);
        status = sqlq_run(&q);
    }
    return status;
}

/* ---- the log of deliveries ---- */

static int delivery_columns(struct sqlq *q, struct arena *a, struct hook_delivery *d)
{
    *d = (struct hook_delivery){.next = NULL};
    sqlq_id(q, &d->id);
    sqlq_id(q, &d->session_id);
    d->seq = sqlq_i64(q);
    d->type = sqlq_str(q, a);
    d->status = sqlq_str(q, a);
    d->attempts = sqlq_i64(q);
    d->next_at = sqlq_i64(q);
    d->http_status = sqlq_i64(q);
    d->duration_ms = sqlq_i64(q);
    d->error = sqlq_str(q, a);
    d->created_at = sqlq_i64(q);
    d->updated_at = sqlq_i64(q);
    if (!q->corrupt)
        return 0;
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "a delivery does not read back");
}

static int deliveries_page(struct sqlq *q, struct store_hook_deliveries *l)
{
    struct hook_delivery **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    int more;

    while ((more = sqlq_next(q)) > 0) {
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            sqlq_end(q);
            l->next_cursor = cursor_encode(&l->req.arena, CURSOR_DELIVERIES, last->created_at, 0,
                                           (struct str){(const char *)last->id.b, 16});
            return 0;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(*last));
        int status = delivery_columns(q, &l->req.arena, last);
        if (status < 0)
            return status;
        tail = &last->next;
    }
    return more;
}

static int hook_deliveries(struct sqlite_db *db, struct store_hook_deliveries *l)
{
    struct cursor c = {.a = INT64_MAX};
    struct hook_row row;
    struct id before = {{0}};
    struct sqlq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = l->cursor.n ? cursor_decode(l->cursor, CURSOR_DELIVERIES, &c, &db->error) : 0;
    if (status == 0)
        status = hook_checked(db, &l->req.arena, l->workspace, &l->hook, 0, &row);
    if (status < 0)
        return status;
    if (!id_is_zero(l->id)) {
        sqlq_start(&q, db, SQL_DELIVERY_GET);
        sqlq_bind_id(&q, &l->id);
        sqlq_bind_id(&q, &l->hook);
        return deliveries_page(&q, l);
    }
    memcpy(before.b, c.key, sizeof(before.b));
    sqlq_start(&q, db, SQL_DELIVERIES_LIST);
    sqlq_bind_id(&q, &l->hook);
    sqlq_bind_i64(&q, c.a);
    sqlq_bind_id(&q, &before);
    sqlq_bind_str(&q, l->status);
    sqlq_bind_id_or_null(&q, &l->session_id);
    sqlq_bind_i64(&q, page_of(l->limit).left + 1);
    return deliveries_page(&q, l);
}

#define HOOK(code, type, run)                                                                      \
    if (req->op == (code))                                                                         \
    return run(db, container_of(req, struct type, req))

int sqlite_hook_run(struct sqlite_db *db, struct store_req *req)
{
    HOOK(STORE_HOOK_PUT, store_hook_put, hook_put);
    HOOK(STORE_HOOK_DELETE, store_hook_delete, hook_delete);
    HOOK(STORE_HOOK_CLAIM, store_hook_claim, hook_claim);
    HOOK(STORE_HOOK_SAVE, store_hook_save, hook_save);
    HOOK(STORE_HOOK_LIST, store_hook_list, hook_list);
    HOOK(STORE_HOOK_SCAN, store_hook_scan, hook_scan);
    return hook_deliveries(db, container_of(req, struct store_hook_deliveries, req));
}
