/* API keys and one-time tickets in PostgreSQL. */
#include "store/keys.h"
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

static int keys_listed(struct pg_job *j)
{
    struct store_key_list *l = container_of(j->req, struct store_key_list, req);
    struct key_row **tail = &l->rows;
    struct arena *a = &j->req->arena;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r);) {
        struct key_row *row = arena_alloc(a, sizeof(*row));
        *row = (struct key_row){.next = NULL};
        pgr_id(&r, &row->id);
        row->workspace = pgr_str(&r, a);
        row->name = pgr_str(&r, a);
        row->role = pgr_str(&r, a);
        row->prefix = pgr_str(&r, a);
        row->hash = pgr_str(&r, a);
        row->created_at = pgr_i64(&r);
        row->last_used_at = pgr_i64(&r);
        row->expires_at = pgr_i64(&r);
        row->revoked_at = pgr_i64(&r);
        if (r.corrupt || row->hash.n != KEY_HASH_BYTES)
            return pg_refuse(j, ERR_CORRUPT, "an API key does not read back");
        *tail = row;
        tail = &row->next;
    }
    return 0;
}

int pg_key_list_start(struct pg_job *j)
{
    struct store_key_list *l = container_of(j->req, struct store_key_list, req);

    l->rows = NULL;
    pg_conn_add(j->conn, PG_API_KEYS_LIST);
    return pg_await(j, keys_listed);
}

/* Of a write that is tried again, its first try may stand. */
static int key_was_put(struct pg_job *j)
{
    if (pgr_changed(j->conn, 1) == 0 && !j->repeated)
        return pg_refuse(j, ERR_CONFLICT, "that key is there already");
    return 0;
}

static int key_put(struct pg_job *j, const struct key_row *row)
{
    struct pg_rows names;
    struct pgq q;

    pg_rows_init(&names, PG_WORKSPACES_MAKE, "t");
    pg_rows_begin(&names);
    pg_rows_str(&names, rules_workspace(row->workspace));
    pg_rows_add(&names, j->conn);
    pg_rows_deinit(&names);
    pgq_start(&q, j->conn, PG_API_KEY_INSERT);
    pgq_id(&q, &row->id);
    pgq_str(&q, rules_workspace(row->workspace));
    pgq_str(&q, row->name);
    pgq_str(&q, row->role);
    pgq_str(&q, row->prefix);
    pgq_str(&q, row->hash);
    pgq_i64(&q, row->created_at);
    pgq_i64(&q, row->expires_at);
    pgq_end(&q);
    return pg_await(j, key_was_put);
}

static int key_was_revoked(struct pg_job *j)
{
    return pgr_changed(j->conn, 0) > 0 ? 0 : pg_refuse(j, ERR_NOT_FOUND, "there is no such key");
}

static int key_revoke(struct pg_job *j, const struct store_key_write *w)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_API_KEY_REVOKE);
    pgq_id(&q, &w->id);
    pgq_i64(&q, w->at);
    pgq_end(&q);
    return pg_await(j, key_was_revoked);
}

static int keys_used(struct pg_job *j, const struct key_row *row)
{
    struct pg_rows rows;

    pg_rows_init(&rows, PG_API_KEYS_USED, "ui");
    for (; row; row = row->next) {
        pg_rows_begin(&rows);
        pg_rows_id(&rows, &row->id);
        pg_rows_i64(&rows, row->last_used_at);
    }
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&rows);
    return pg_await(j, pg_finished);
}

int pg_key_write_start(struct pg_job *j)
{
    struct store_key_write *w = container_of(j->req, struct store_key_write, req);

    switch (w->kind) {
    case KEY_PUT:
        return key_put(j, &w->row);
    case KEY_REVOKE:
        return key_revoke(j, w);
    case KEY_USED:
        return keys_used(j, w->rows);
    }
    return ERR_INTERNAL;
}

static int ticket_taken(struct pg_job *j)
{
    struct store_ticket *t = container_of(j->req, struct store_ticket, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "there is no such ticket");
    t->body_json = pgr_json(&r, &j->req->arena);
    if (pgr_i64(&r) <= t->now || r.corrupt)
        return pg_refuse(j, ERR_NOT_FOUND, "there is no such ticket");
    return 0;
}

int pg_ticket_start(struct pg_job *j)
{
    struct store_ticket *t = container_of(j->req, struct store_ticket, req);
    struct pgq q;

    if (!t->take) {
        pgq_start(&q, j->conn, PG_TICKETS_TIDY);
        pgq_i64(&q, t->now);
        pgq_end(&q);
    }
    pgq_start(&q, j->conn, t->take ? PG_TICKET_TAKE : PG_TICKET_INSERT);
    pgq_str(&q, t->hash);
    if (!t->take) {
        pgq_str(&q, t->body_json);
        pgq_i64(&q, t->now);
        pgq_i64(&q, t->expires_at);
    }
    pgq_end(&q);
    return pg_await(j, t->take ? ticket_taken : pg_finished);
}
