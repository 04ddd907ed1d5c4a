/* Schedules in SQLite. */
#include "store/rules.h"
#include "store/sqlite_store.h"

#define NO_SCHEDULE "there is no such schedule"

/* SCHEDULE_COLUMNS of sqlite_sql.c. */
static int schedule_columns(struct sqlq *q, struct arena *a, struct schedule_row *row)
{
    *row = (struct schedule_row){.next = NULL};
    sqlq_id(q, &row->id);
    row->workspace = sqlq_str(q, a);
    row->name = sqlq_str(q, a);
    row->workflow_id = sqlq_str(q, a);
    row->cron = sqlq_str(q, a);
    row->time_zone = sqlq_str(q, a);
    row->missed = sqlq_str(q, a);
    row->overlap = sqlq_str(q, a);
    row->input_json = sqlq_json(q, a);
    row->enabled = sqlq_i64(q) != 0;
    row->next_at = sqlq_i64(q);
    row->last_at = sqlq_i64(q);
    sqlq_id(q, &row->last_session);
    row->last_error = sqlq_str(q, a);
    row->last_error_at = sqlq_i64(q);
    row->version = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    row->updated_at = sqlq_i64(q);
    if (!q->corrupt)
        return 0;
    char id[ID_TEXT_BYTES + 1];
    id_format(row->id, id);
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "schedule %s does not read back", id);
}

/* 1, 0: there is none, or an error. Of any workspace. */
static int schedule_find(struct sqlite_db *db, struct arena *a, const struct id *id,
                         struct schedule_row *row)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SCHEDULE_GET);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    int status = schedule_columns(&q, a, row);
    if (status < 0)
        return status;
    sqlq_end(&q);
    return 1;
}

static int schedule_of(struct sqlite_db *db, struct arena *a, struct str workspace,
                       const struct id *id, struct schedule_row *row)
{
    int found = schedule_find(db, a, id, row);

    if (found < 0)
        return found;
    if (found == 0 || !str_eq(row->workspace, rules_workspace(workspace)))
        return sqlite_db_refuse(db, ERR_NOT_FOUND, NO_SCHEDULE);
    return 0;
}

/* ---- reads ---- */

int sqlite_schedule_get(struct sqlite_db *db, struct store_schedule_get *r)
{
    return schedule_of(db, &r->req.arena, r->workspace, &r->id, &r->row);
}

static int schedule_page(struct sqlq *q, struct store_schedule_list *r)
{
    struct arena *a = &r->req.arena;
    struct schedule_row **tail = &r->rows;
    struct page page = page_of(r->limit);
    struct id last = {{0}};
    int more;

    while ((more = sqlq_next(q)) > 0) {
        struct schedule_row *row = arena_alloc(a, sizeof(*row));
        int status = schedule_columns(q, a, row);
        if (status < 0)
            return status;
        enum page_verdict verdict = page_see(&page, rules_contains(row->name, r->q));
        if (verdict == PAGE_STOP) {
            sqlq_end(q);
            r->next_cursor = rules_id_cursor(a, CURSOR_SCHEDULES, &last);
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

int sqlite_schedule_list(struct sqlite_db *db, struct store_schedule_list *r)
{
    int64_t workspace = 0;
    struct id after;
    struct sqlq q;

    r->rows = NULL;
    r->next_cursor = STR_NULL;
    if (rules_id_cursor_read(r->cursor, CURSOR_SCHEDULES, &after, &db->error) < 0)
        return ERR_INVALID;
    int status = sqlite_workspace_find(db, r->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    sqlq_start(&q, db, SQL_SCHEDULE_LIST);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_id(&q, &after);
    return schedule_page(&q, r);
}

int sqlite_schedule_due(struct sqlite_db *db, struct store_schedule_due *r)
{
    struct schedule_row **tail = &r->rows;
    struct sqlq q;
    int more;

    r->rows = NULL;
    r->next_at = 0;
    sqlq_start(&q, db, SQL_SCHEDULE_DUE);
    sqlq_bind_i64(&q, r->now);
    sqlq_bind_i64(&q, page_of(r->limit).left);
    while ((more = sqlq_next(&q)) > 0) {
        struct schedule_row *row = arena_alloc(&r->req.arena, sizeof(*row));
        int status = schedule_columns(&q, &r->req.arena, row);
        if (status < 0)
            return status;
        *tail = row;
        tail = &row->next;
    }
    if (more < 0)
        return more;
    sqlq_start(&q, db, SQL_SCHEDULE_NEXT);
    sqlq_bind_i64(&q, r->now);
    more = sqlq_next(&q);
    if (more <= 0)
        return more;
    r->next_at = sqlq_i64(&q);
    sqlq_end(&q);
    return 0;
}

/* ---- writes ---- */

static int schedule_write(struct sqlite_db *db, int64_t workspace, const struct schedule_row *row)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SCHEDULE_UPSERT);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_id(&q, &row->id);
    sqlq_bind_str(&q, row->name);
    sqlq_bind_str(&q, row->workflow_id);
    sqlq_bind_str(&q, row->cron);
    sqlq_bind_str(&q, row->time_zone);
    sqlq_bind_str(&q, row->missed);
    sqlq_bind_str(&q, row->overlap);
    sqlq_bind_str(&q, row->input_json);
    sqlq_bind_i64(&q, row->enabled);
    sqlq_bind_i64(&q, row->next_at);
    sqlq_bind_i64(&q, row->version);
    sqlq_bind_i64(&q, row->created_at);
    sqlq_bind_i64(&q, row->updated_at);
    return sqlq_run(&q);
}

int sqlite_schedule_put(struct sqlite_db *db, struct store_schedule_put *r)
{
    struct arena *a = &r->req.arena;
    struct schedule_row now = {.next = NULL};
    int64_t workspace = 0;

    int found = schedule_find(db, a, &r->row.id, &now);
    if (found < 0)
        return found;
    int status = rules_schedule_put_check(r, found ? &now : NULL, &db->error);
    if (status == 0)
        status = sqlite_idempotency_check(db, a, r->idempotency);
    if (status == 0)
        status = sqlite_workspace_make(db, r->row.workspace, &workspace);
    if (status < 0)
        return status;
    rules_schedule_put_row(r, found ? &now : NULL);
    status = schedule_write(db, workspace, &r->row);
    return status < 0 ? status : sqlite_idempotency_insert(db, r->idempotency);
}

int sqlite_schedule_delete(struct sqlite_db *db, struct store_schedule_delete *r)
{
    struct schedule_row now = {.next = NULL};
    struct sqlq q;

    int status = schedule_of(db, &r->req.arena, r->workspace, &r->id, &now);
    if (status < 0)
        return status;
    if (r->expected_version > 0 && r->expected_version != now.version)
        return sqlite_db_refuse(db, ERR_STALE, "the schedule is at another version");
    sqlq_start(&q, db, SQL_SCHEDULE_DELETE);
    sqlq_bind_id(&q, &r->id);
    return sqlq_run(&q);
}

int sqlite_schedule_move(struct sqlite_db *db, struct store_schedule_move *r)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SCHEDULE_MOVE);
    sqlq_bind_id(&q, &r->row.id);
    sqlq_bind_i64(&q, r->seen_at);
    sqlq_bind_i64(&q, r->row.next_at);
    sqlq_bind_i64(&q, r->row.last_at);
    sqlq_bind_id_or_null(&q, &r->row.last_session);
    sqlq_bind_str(&q, r->row.last_error);
    sqlq_bind_i64(&q, r->row.last_error_at);
    int status = sqlq_run(&q);
    if (status == 0 && sqlite3_changes(db->handle) == 0)
        return sqlite_db_refuse(db, ERR_STALE, "the schedule has moved on");
    return status;
}
