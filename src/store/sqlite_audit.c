/* The audit log in SQLite. */
#include <string.h>

#include "store/rules.h"
#include "store/sqlite_store.h"

/* AUDIT_COLUMNS of sqlite_sql.c. */
static int audit_columns(struct sqlq *q, struct arena *a, struct str workspace,
                         struct audit_row *row)
{
    *row = (struct audit_row){.workspace = workspace};
    sqlq_id(q, &row->id);
    row->actor = sqlq_str(q, a);
    row->role = sqlq_str(q, a);
    sqlq_id(q, &row->key_id);
    sqlq_id(q, &row->session_id);
    row->action = sqlq_str(q, a);
    row->object = sqlq_str(q, a);
    row->remote = sqlq_str(q, a);
    row->status = sqlq_i64(q);
    row->code = sqlq_str(q, a);
    row->created_at = sqlq_i64(q);
    if (!q->corrupt)
        return 0;
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "an entry of the audit log does not read back");
}

int sqlite_audit_put(struct sqlite_db *db, struct store_audit_put *r)
{
    struct sqlq q;
    int status = 0;

    for (const struct audit_row *row = r->rows; row && status == 0; row = row->next) {
        int64_t workspace = 0;
        status = sqlite_workspace_make(db, row->workspace, &workspace);
        if (status < 0)
            return status;
        sqlq_start(&q, db, SQL_AUDIT_INSERT);
        sqlq_bind_id(&q, &row->id);
        sqlq_bind_i64(&q, workspace);
        sqlq_bind_str(&q, rules_text(row->actor));
        sqlq_bind_str(&q, rules_text(row->role));
        sqlq_bind_id_or_null(&q, &row->key_id);
        sqlq_bind_id_or_null(&q, &row->session_id);
        sqlq_bind_str(&q, rules_text(row->action));
        sqlq_bind_str(&q, row->object);
        sqlq_bind_str(&q, row->remote);
        sqlq_bind_i64(&q, row->status);
        sqlq_bind_str(&q, row->code);
        sqlq_bind_i64(&q, row->created_at);
        status = sqlq_run(&q);
    }
    return status;
}

static int audit_page(struct sqlq *q, struct store_audit_list *r)
{
    struct arena *a = &r->req.arena;
    struct str workspace = rules_copy(a, rules_workspace(r->workspace));
    struct audit_row **tail = &r->rows;
    struct page page = page_of(r->limit);
    struct id last = {{0}};
    int more;

    while ((more = sqlq_next(q)) > 0) {
        struct audit_row *row = arena_alloc(a, sizeof(*row));
        int status = audit_columns(q, a, workspace, row);
        if (status < 0)
            return status;
        enum page_verdict verdict = page_see(&page, rules_audit_matches(r, row));
        if (verdict == PAGE_STOP) {
            sqlq_end(q);
            r->next_cursor = rules_id_cursor(a, CURSOR_AUDIT, &last);
            return 0;
        }
        last = row->id;
        if (verdict == PAGE_SKIP)
            continue;
        *tail = row;
        tail = &row->next;
    }
    return more;
}

int sqlite_audit_list(struct sqlite_db *db, struct store_audit_list *r)
{
    bool of_session = !id_is_zero(r->session_id);
    int64_t workspace = 0;
    struct id before;
    struct sqlq q;

    r->rows = NULL;
    r->next_cursor = STR_NULL;
    if (rules_id_cursor_read(r->cursor, CURSOR_AUDIT, &before, &db->error) < 0)
        return ERR_INVALID;
    if (id_is_zero(before))
        memset(before.b, 0xff, sizeof(before.b));
    int status = sqlite_workspace_find(db, r->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    sqlq_start(&q, db, of_session ? SQL_AUDIT_OF_SESSION : SQL_AUDIT_LIST);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_id(&q, &before);
    if (of_session)
        sqlq_bind_id(&q, &r->session_id);
    return audit_page(&q, r);
}

int sqlite_audit_prune(struct sqlite_db *db, struct store_audit_prune *r)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_AUDIT_PRUNE);
    sqlq_bind_i64(&q, r->before);
    sqlq_bind_i64(&q, rules_retention_limit(r->limit));
    int status = sqlq_run(&q);
    r->changed = status == 0 ? sqlite3_changes(db->handle) : 0;
    return status;
}
