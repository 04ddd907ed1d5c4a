/* The audit log in PostgreSQL. */
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

static void audit_workspaces(struct pg_job *j, const struct audit_row *rows)
{
    struct pg_rows names;

    pg_rows_init(&names, PG_WORKSPACES_MAKE, "t");
    for (const struct audit_row *row = rows; row; row = row->next) {
        pg_rows_begin(&names);
        pg_rows_str(&names, rules_workspace(row->workspace));
    }
    pg_rows_add(&names, j->conn);
    pg_rows_deinit(&names);
}

static int audit_none(struct pg_job *j)
{
    (void)j;
    return 0;
}

int pg_audit_put_start(struct pg_job *j)
{
    struct store_audit_put *p = container_of(j->req, struct store_audit_put, req);
    struct pg_rows rows;

    if (!p->rows) { /* answered later, as all are */
        pg_conn_add(j->conn, PG_NOW);
        return pg_await(j, audit_none);
    }
    audit_workspaces(j, p->rows);
    pg_rows_init(&rows, PG_AUDIT_INSERT, "utttuutttiti");
    for (const struct audit_row *row = p->rows; row; row = row->next) {
        pg_rows_begin(&rows);
        pg_rows_id(&rows, &row->id);
        pg_rows_str(&rows, rules_workspace(row->workspace));
        pg_rows_str(&rows, rules_text(row->actor));
        pg_rows_str(&rows, rules_text(row->role));
        pg_rows_id_or_null(&rows, &row->key_id);
        pg_rows_id_or_null(&rows, &row->session_id);
        pg_rows_str(&rows, rules_text(row->action));
        pg_rows_str(&rows, row->object);
        pg_rows_str(&rows, row->remote);
        pg_rows_i64(&rows, row->status);
        pg_rows_str(&rows, row->code);
        pg_rows_i64(&rows, row->created_at);
    }
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&rows);
    return pg_await(j, audit_none);
}

static void audit_columns(struct pgr *r, struct arena *a, struct audit_row *row)
{
    *row = (struct audit_row){.next = NULL};
    pgr_id(r, &row->id);
    row->actor = pgr_str(r, a);
    row->role = pgr_str(r, a);
    pgr_id(r, &row->key_id);
    pgr_id(r, &row->session_id);
    row->action = pgr_str(r, a);
    row->object = pgr_str(r, a);
    row->remote = pgr_str(r, a);
    row->status = pgr_i64(r);
    row->code = pgr_str(r, a);
    row->created_at = pgr_i64(r);
}

static int audit_listed(struct pg_job *j)
{
    struct store_audit_list *l = container_of(j->req, struct store_audit_list, req);
    struct arena *a = &j->req->arena;
    struct str workspace = rules_copy(a, rules_workspace(l->workspace));
    struct audit_row **tail = &l->rows, *last = NULL;
    int left = page_of(l->limit).left;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); left--) {
        if (left == 0) {
            l->next_cursor = rules_id_cursor(a, CURSOR_AUDIT, &last->id);
            return 0;
        }
        last = arena_alloc(a, sizeof(*last));
        audit_columns(&r, a, last);
        if (r.corrupt)
            return pg_refuse(j, ERR_CORRUPT, "an entry of the audit log does not read back");
        last->workspace = workspace;
        *tail = last;
        tail = &last->next;
    }
    return 0;
}

int pg_audit_list_start(struct pg_job *j)
{
    struct store_audit_list *l = container_of(j->req, struct store_audit_list, req);
    struct id before;
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (rules_id_cursor_read(l->cursor, CURSOR_AUDIT, &before, &j->req->error) < 0)
        return ERR_INVALID;
    pgq_start(&q, j->conn, PG_AUDIT_LIST);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_id_or_null(&q, &before);
    pgq_str(&q, l->actor);
    pgq_str(&q, l->action);
    pgq_str(&q, l->object);
    pgq_id_or_null(&q, &l->session_id);
    pgq_i64(&q, l->after);
    pgq_i64(&q, l->before > 0 ? l->before : INT64_MAX);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_end(&q);
    return pg_await(j, audit_listed);
}

static int audit_pruned(struct pg_job *j)
{
    struct store_audit_prune *p = container_of(j->req, struct store_audit_prune, req);

    p->changed = pgr_changed(j->conn, 0);
    return 0;
}

int pg_audit_prune_start(struct pg_job *j)
{
    struct store_audit_prune *p = container_of(j->req, struct store_audit_prune, req);
    struct pgq q;

    p->changed = 0;
    pgq_start(&q, j->conn, PG_AUDIT_PRUNE);
    pgq_i64(&q, p->before);
    pgq_i64(&q, rules_retention_limit(p->limit));
    pgq_end(&q);
    return pg_await(j, audit_pruned);
}
