/* Workflows and their versions. A version's text is never changed and never deleted: a session runs
 * on the one it started with, even when the workflow is gone. */
#include "store/cursor.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

/* The key that the first migration gives. */
#define WORKSPACE_DEFAULT_KEY 1

int sqlite_workspace_find(struct sqlite_db *db, struct str name, int64_t *key)
{
    struct sqlq q;

    name = rules_workspace(name);
    if (str_eqz(name, STORE_WORKSPACE_DEFAULT)) {
        *key = WORKSPACE_DEFAULT_KEY;
        return 0;
    }
    sqlq_start(&q, db, SQL_WORKSPACE_FIND);
    sqlq_bind_str(&q, name);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such workspace");
    *key = sqlq_i64(&q);
    sqlq_end(&q);
    return 0;
}

int sqlite_workspace_make(struct sqlite_db *db, struct str name, int64_t *key)
{
    struct sqlq q;

    int status = sqlite_workspace_find(db, name, key);
    if (status != ERR_NOT_FOUND)
        return status;
    sqlq_start(&q, db, SQL_WORKSPACE_INSERT);
    sqlq_bind_str(&q, name);
    status = sqlq_run(&q);
    *key = sqlite3_last_insert_rowid(db->handle);
    return status;
}

static int workflow_not_found(struct sqlite_db *db, struct str id)
{
    return sqlite_db_refuse(db, ERR_NOT_FOUND, "no workflow \"%.*s\"", STR_FMT(id));
}

static int workflow_corrupt(struct sqlite_db *db, struct str id)
{
    return sqlite_db_corrupt(db, "workflow \"%.*s\" does not read back", STR_FMT(id));
}

/* WORKFLOW_COLUMNS and VERSION_COLUMNS of sqlite_sql.c. */
static void workflow_columns(struct sqlq *q, struct arena *a, struct workflow_row *row)
{
    *row = (struct workflow_row){.next = NULL};
    row->id = sqlq_str(q, a);
    row->name = sqlq_str(q, a);
    row->type = sqlq_str(q, a);
    row->description = sqlq_str(q, a);
    row->version = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    row->updated_at = sqlq_i64(q);
}

int sqlite_workflow_find(struct sqlite_db *db, struct arena *a, int64_t workspace, struct str id,
                         struct sqlite_workflow *out)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_WORKFLOW_GET);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, id);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return workflow_not_found(db, id);
    workflow_columns(&q, a, &out->row);
    out->first_version = sqlq_i64(&q);
    out->deleted = sqlq_i64(&q) != 0;
    sqlq_end(&q);
    return q.corrupt ? workflow_corrupt(db, id) : 0;
}

/* Not deleted, in a workspace by name. */
static int workflow_find_alive(struct sqlite_db *db, struct arena *a, struct str workspace,
                               struct str id, int64_t *key, struct sqlite_workflow *out)
{
    int status = sqlite_workspace_find(db, workspace, key);

    if (status == 0)
        status = sqlite_workflow_find(db, a, *key, id, out);
    return status == ERR_NOT_FOUND || (status == 0 && out->deleted) ? workflow_not_found(db, id)
                                                                    : status;
}

int sqlite_version_get(struct sqlite_db *db, struct arena *a, int64_t workspace, struct str id,
                       int64_t version, struct workflow_row *row)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_VERSION_GET);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, id);
    sqlq_bind_i64(&q, version);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no version %lld of workflow \"%.*s\"",
                                (long long)version, STR_FMT(id));
    workflow_columns(&q, a, row);
    row->graph_json = sqlq_json(&q, a);
    sqlq_end(&q);
    return q.corrupt ? workflow_corrupt(db, id) : 0;
}

int sqlite_workflow_get(struct sqlite_db *db, struct store_workflow_get *g)
{
    struct arena *a = &g->req.arena;
    struct sqlite_workflow found = {.deleted = true};
    int64_t workspace = 0, version = g->version;
    int status;

    if (version == 0) {
        status = workflow_find_alive(db, a, g->workspace, g->id, &workspace, &found);
        version = status == 0 ? found.row.version : 0;
    } else {
        status = sqlite_workspace_find(db, g->workspace, &workspace);
    }
    return status < 0 ? status : sqlite_version_get(db, a, workspace, g->id, version, &g->row);
}

/* Takes rows of q for either list; what cursor the next page has is the caller's to say. */
static int workflow_page(struct sqlq *q, struct arena *a, const struct store_workflow_list *filter,
                         int limit, struct workflow_row **rows, struct workflow_row *last,
                         bool *more_left)
{
    struct workflow_row **tail = rows;
    struct page page = page_of(limit);
    int more;

    *rows = NULL;
    *more_left = false;
    while ((more = sqlq_next(q)) > 0) {
        struct workflow_row *row = arena_alloc(a, sizeof(*row));
        workflow_columns(q, a, row);
        if (q->corrupt) {
            sqlq_end(q);
            return workflow_corrupt(q->db, row->id);
        }
        enum page_verdict verdict = page_see(&page, !filter || rules_workflow_matches(filter, row));
        if (verdict == PAGE_STOP) {
            sqlq_end(q);
            *more_left = true;
            return 0;
        }
        *last = *row;
        if (verdict == PAGE_TAKE) {
            *tail = row;
            tail = &row->next;
        }
    }
    return more;
}

int sqlite_workflow_list(struct sqlite_db *db, struct store_workflow_list *l)
{
    struct cursor c = {.key_bytes = 0};
    struct workflow_row last = {.version = 0};
    int64_t workspace = 0;
    bool more_left = false;
    struct sqlq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0 && cursor_decode(l->cursor, CURSOR_WORKFLOWS, &c, &db->error) < 0)
        return ERR_INVALID;
    int status = sqlite_workspace_find(db, l->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    sqlq_start(&q, db, SQL_WORKFLOW_LIST);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, (struct str){(const char *)c.key, c.key_bytes});
    status = workflow_page(&q, &l->req.arena, l, l->limit, &l->rows, &last, &more_left);
    if (status == 0 && more_left)
        l->next_cursor = cursor_encode(&l->req.arena, CURSOR_WORKFLOWS, 0, 0, last.id);
    return status;
}

int sqlite_workflow_versions(struct sqlite_db *db, struct store_workflow_versions *l)
{
    struct cursor c = {.a = INT64_MAX};
    struct sqlite_workflow found = {.deleted = true};
    struct workflow_row last = {.version = 0};
    int64_t workspace = 0;
    bool more_left = false;
    struct sqlq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0 && cursor_decode(l->cursor, CURSOR_VERSIONS, &c, &db->error) < 0)
        return ERR_INVALID;
    int status = workflow_find_alive(db, &l->req.arena, l->workspace, l->id, &workspace, &found);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_VERSION_LIST);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, l->id);
    sqlq_bind_i64(&q, c.a);
    status = workflow_page(&q, &l->req.arena, NULL, l->limit, &l->rows, &last, &more_left);
    if (status == 0 && more_left)
        l->next_cursor = cursor_encode(&l->req.arena, CURSOR_VERSIONS, last.version, 0, STR_NULL);
    return status;
}

/* ---- writes ---- */

/* What a put asks of the workflow as it is; NULL: there is none, or it was deleted. */
static int workflow_put_check(struct sqlite_db *db, const struct store_workflow_put *p,
                              const struct workflow_row *now)
{
    if (now && p->create_only)
        return sqlite_db_refuse(db, ERR_CONFLICT, "workflow \"%.*s\" exists already",
                                STR_FMT(p->id));
    if (!now && p->must_exist)
        return workflow_not_found(db, p->id);
    if (p->expected_version == 0 || (now && now->version == p->expected_version))
        return 0;
    return sqlite_db_refuse(db, ERR_STALE, "workflow \"%.*s\" is at version %lld, not %lld",
                            STR_FMT(p->id), (long long)(now ? now->version : 0),
                            (long long)p->expected_version);
}

static int workflow_write(struct sqlite_db *db, const struct store_workflow_put *p,
                          int64_t workspace, int64_t first_version)
{
    const struct workflow_row *row = &p->row;
    struct sqlq q;

    sqlq_start(&q, db, SQL_WORKFLOW_UPSERT);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, p->id);
    sqlq_bind_str(&q, p->name);
    sqlq_bind_str(&q, p->type);
    sqlq_bind_str(&q, p->description);
    sqlq_bind_i64(&q, row->version);
    sqlq_bind_i64(&q, first_version);
    sqlq_bind_i64(&q, row->created_at);
    sqlq_bind_i64(&q, row->updated_at);
    int status = sqlq_run(&q);
    if (status < 0)
        return status;

    sqlq_start(&q, db, SQL_VERSION_INSERT);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, p->id);
    sqlq_bind_i64(&q, row->version);
    sqlq_bind_str(&q, p->name);
    sqlq_bind_str(&q, p->type);
    sqlq_bind_str(&q, p->description);
    sqlq_bind_i64(&q, p->now_ms);
    sqlq_bind_str(&q, p->graph_json);
    sqlq_bind_str(&q, row->checksum);
    return sqlq_run(&q);
}

int sqlite_workflow_put(struct sqlite_db *db, struct store_workflow_put *p)
{
    struct arena *a = &p->req.arena;
    struct sqlite_workflow found = {.deleted = true};
    int64_t workspace = 0;

    /* Checks first: a refusal leaves nothing behind. */
    int status = sqlite_workspace_find(db, p->workspace, &workspace);
    if (status == 0)
        status = sqlite_workflow_find(db, a, workspace, p->id, &found);
    if (status < 0 && status != ERR_NOT_FOUND)
        return status;
    status = workflow_put_check(db, p, found.deleted ? NULL : &found.row);
    if (status == 0)
        status = sqlite_idempotency_check(db, a, p->idempotency);
    if (status == 0)
        status = sqlite_workspace_make(db, p->workspace, &workspace);
    if (status < 0)
        return status;

    p->row = (struct workflow_row){
        .id = rules_copy(a, p->id),
        .name = rules_copy(a, p->name),
        .type = rules_copy(a, p->type),
        .description = rules_copy(a, p->description),
        .version = found.row.version + 1,
        .graph_json = rules_copy(a, p->graph_json),
        .checksum = rules_checksum(a, p->graph_json),
        .created_at = found.deleted ? p->now_ms : found.row.created_at,
        .updated_at = p->now_ms,
    };
    status = workflow_write(db, p, workspace, found.deleted ? p->row.version : found.first_version);
    return status < 0 ? status : sqlite_idempotency_insert(db, p->idempotency);
}

int sqlite_workflow_delete(struct sqlite_db *db, struct store_workflow_delete *d)
{
    struct sqlite_workflow found = {.deleted = true};
    int64_t workspace = 0;
    struct sqlq q;

    int status = workflow_find_alive(db, &d->req.arena, d->workspace, d->id, &workspace, &found);
    if (status < 0)
        return status;
    if (d->expected_version > 0 && d->expected_version != found.row.version)
        return sqlite_db_refuse(db, ERR_STALE, "workflow \"%.*s\" is at version %lld, not %lld",
                                STR_FMT(d->id), (long long)found.row.version,
                                (long long)d->expected_version);
    sqlq_start(&q, db, SQL_WORKFLOW_DELETE);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, d->id);
    return sqlq_run(&q);
}
