/* Agents, groups and templates: three tables of one shape, so each statement stands three times in
 * a row (SQL_AGENT_…, SQL_GROUP_…, SQL_TEMPLATE_…) and is told apart by the kind. */
#include "store/cursor.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

static enum sqlite_sql catalog_sql(enum sqlite_sql first, enum catalog_kind kind)
{
    return (enum sqlite_sql)((int)first + (int)kind);
}

/* CATALOG_COLUMNS of sqlite_sql.c. */
static int catalog_columns(struct sqlq *q, struct arena *a, struct str workspace,
                           struct catalog_row *row)
{
    *row = (struct catalog_row){.workspace = workspace};
    row->id = sqlq_str(q, a);
    row->name = sqlq_str(q, a);
    row->description = sqlq_str(q, a);
    row->category = sqlq_str(q, a);
    row->version = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    row->updated_at = sqlq_i64(q);
    row->body_json = sqlq_json(q, a);
    if (!q->corrupt)
        return 0;
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "\"%.*s\" of the catalog does not read back", STR_FMT(row->id));
}

/* 1, 0: there is none, or an error. */
static int catalog_find(struct sqlite_db *db, struct arena *a, enum catalog_kind kind,
                        int64_t workspace, struct str name, struct str id, struct catalog_row *row)
{
    struct sqlq q;

    sqlq_start(&q, db, catalog_sql(SQL_AGENT_GET, kind));
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, id);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    int status = catalog_columns(&q, a, rules_copy(a, rules_workspace(name)), row);
    if (status < 0)
        return status;
    sqlq_end(&q);
    return 1;
}

/* ---- reads ---- */

int sqlite_catalog_get(struct sqlite_db *db, struct store_catalog_get *g)
{
    int64_t workspace = 0;

    g->rows = NULL;
    int status = sqlite_workspace_find(db, g->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    for (size_t i = 0; i < g->count; i++) {
        struct catalog_row *row = arena_alloc(&g->req.arena, sizeof(*row));
        int found =
            catalog_find(db, &g->req.arena, g->kind, workspace, g->workspace, g->ids[i], row);
        if (found < 0)
            return found;
        if (found == 0)
            continue;
        row->next = g->rows;
        g->rows = row;
    }
    return 0;
}

static int catalog_page(struct sqlq *q, struct store_catalog_list *l)
{
    struct arena *a = &l->req.arena;
    struct str workspace = rules_copy(a, rules_workspace(l->workspace)), last = STR_NULL;
    struct catalog_row **tail = &l->rows;
    struct page page = page_of(l->limit);
    size_t bytes = 0;
    int more;

    while ((more = sqlq_next(q)) > 0) {
        struct catalog_row *row = arena_alloc(a, sizeof(*row));
        int status = catalog_columns(q, a, workspace, row);
        if (status < 0)
            return status;
        enum page_verdict verdict = page_see(&page, rules_catalog_matches(l, row));
        if (verdict == PAGE_STOP || (verdict == PAGE_TAKE && bytes > CATALOG_PAGE_BYTES)) {
            sqlq_end(q);
            l->next_cursor = cursor_encode(a, CURSOR_CATALOG, l->kind, 0, last);
            return 0;
        }
        last = row->id;
        if (verdict == PAGE_SKIP)
            continue;
        bytes += row->body_json.n;
        *tail = row;
        tail = &row->next;
    }
    return more;
}

int sqlite_catalog_list(struct sqlite_db *db, struct store_catalog_list *l)
{
    struct cursor c = {.a = l->kind};
    int64_t workspace = 0;
    struct sqlq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0 &&
        (cursor_decode(l->cursor, CURSOR_CATALOG, &c, &db->error) < 0 || c.a != (int64_t)l->kind))
        return sqlite_db_refuse(db, ERR_INVALID, "cursor is not one that this list gave");
    int status = sqlite_workspace_find(db, l->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    sqlq_start(&q, db, catalog_sql(SQL_AGENT_LIST, l->kind));
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, (struct str){(const char *)c.key, c.key_bytes});
    return catalog_page(&q, l);
}

/* ---- writes ---- */

static int catalog_write(struct sqlite_db *db, enum catalog_kind kind, int64_t workspace,
                         const struct catalog_row *row)
{
    struct sqlq q;

    sqlq_start(&q, db, catalog_sql(SQL_AGENT_UPSERT, kind));
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, row->id);
    sqlq_bind_str(&q, row->name);
    sqlq_bind_str(&q, row->description);
    sqlq_bind_str(&q, row->category);
    sqlq_bind_i64(&q, row->version);
    sqlq_bind_str(&q, row->body_json);
    sqlq_bind_i64(&q, row->created_at);
    sqlq_bind_i64(&q, row->updated_at);
    return sqlq_run(&q);
}

static int catalog_agents_check(struct sqlite_db *db, const struct store_catalog_put *p,
                                struct arena *a, int64_t workspace)
{
    struct catalog_row row;

    for (size_t i = 0; i < p->agent_count; i++) {
        int found =
            catalog_find(db, a, CATALOG_AGENT, workspace, p->row.workspace, p->agents[i], &row);
        if (found < 0)
            return found;
        if (found == 0)
            return sqlite_db_refuse(db, ERR_INVALID, "there is no agent \"%.*s\"",
                                    STR_FMT(p->agents[i]));
    }
    return 0;
}

int sqlite_catalog_put(struct sqlite_db *db, struct store_catalog_put *p)
{
    struct arena *a = &p->req.arena;
    struct catalog_row now = {.next = NULL};
    int64_t workspace = 0;
    int found = 0;

    /* Checks first: a refusal leaves nothing behind. */
    int status = sqlite_workspace_find(db, p->row.workspace, &workspace);
    if (status == 0)
        found = catalog_find(db, a, p->kind, workspace, p->row.workspace, p->row.id, &now);
    if (found < 0 || (status < 0 && status != ERR_NOT_FOUND))
        return found < 0 ? found : status;
    status = rules_catalog_put_check(p, found ? &now : NULL, &db->error);
    if (status == 0)
        status = catalog_agents_check(db, p, a, workspace);
    if (status == 0)
        status = sqlite_idempotency_check(db, a, p->idempotency);
    if (status == 0)
        status = sqlite_workspace_make(db, p->row.workspace, &workspace);
    if (status < 0)
        return status;
    rules_catalog_put_row(p, found ? &now : NULL);
    status = catalog_write(db, p->kind, workspace, &p->row);
    return status < 0 ? status : sqlite_idempotency_insert(db, p->idempotency);
}

/* The statement finds those that may use the agent, by its text. */
static int catalog_users_find(struct sqlite_db *db, struct store_catalog_delete *d,
                              int64_t workspace, enum catalog_user_kind kind,
                              struct catalog_users *users)
{
    const enum sqlite_sql sql[] = {SQL_AGENT_IN_GROUPS, SQL_AGENT_IN_WORKFLOWS,
                                   SQL_AGENT_IN_TEMPLATES};
    struct arena *a = &d->req.arena;
    struct sqlq q;
    int more;

    sqlq_start(&q, db, sql[kind]);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, d->id);
    while ((more = sqlq_next(&q)) > 0) {
        struct str id = sqlq_str(&q, a), text = sqlq_json(&q, a);
        if (!q.corrupt)
            rules_user_seen(a, kind, id, text, d->id, users);
    }
    return more;
}

static int catalog_agent_use(struct sqlite_db *db, struct store_catalog_delete *d,
                             int64_t workspace, bool *used)
{
    struct catalog_users users = {.count = 0};
    int status = 0;

    for (int kind = CATALOG_USER_GROUP; kind <= CATALOG_USER_TEMPLATE && status == 0; kind++)
        status = catalog_users_find(db, d, workspace, (enum catalog_user_kind)kind, &users);
    if (status < 0)
        return status;
    rules_used_by_agent(d, &users);
    *used = users.count > 0;
    return 0;
}

static int catalog_group_use(struct sqlite_db *db, struct store_catalog_delete *d,
                             int64_t workspace, bool *used)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_GROUP_IN_USE);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, d->id);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    int64_t memories = sqlq_i64(&q), sessions = sqlq_i64(&q);
    sqlq_end(&q);
    rules_used_by_group(d, memories, sessions);
    *used = memories + sessions > 0;
    return 0;
}

/* Takes the agent out of every group. Groups are read whole before one of them is written. */
static int catalog_detach(struct sqlite_db *db, struct store_catalog_delete *d, int64_t workspace)
{
    struct arena *a = &d->req.arena;
    struct catalog_row *rows = NULL, *row, group;
    struct sqlq q;
    int more;

    sqlq_start(&q, db, SQL_AGENT_IN_GROUPS);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, d->id);
    while ((more = sqlq_next(&q)) > 0) {
        row = arena_alloc(a, sizeof(*row));
        row->id = sqlq_str(&q, a);
        row->body_json = sqlq_json(&q, a);
        if (q.corrupt || !rules_group_has_agent(row->body_json, d->id))
            continue;
        row->next = rows;
        rows = row;
    }
    for (; more == 0 && rows; rows = rows->next) {
        int found = catalog_find(db, a, CATALOG_GROUP, workspace, d->workspace, rows->id, &group);
        if (found < 0)
            return found;
        if (found == 0)
            continue;
        struct buf body;
        buf_init(&body, SIZE_MAX);
        rules_group_drop_agent(group.body_json, d->id, &body);
        group.body_json = buf_str(&body);
        group.version++;
        group.updated_at = d->now_ms;
        more = catalog_write(db, CATALOG_GROUP, workspace, &group);
        buf_deinit(&body);
    }
    return more;
}

int sqlite_catalog_delete(struct sqlite_db *db, struct store_catalog_delete *d)
{
    struct catalog_row now = {.next = NULL};
    int64_t workspace = 0;
    bool used = false;
    struct sqlq q;
    int found = 0;

    int status = sqlite_workspace_find(db, d->workspace, &workspace);
    if (status == 0)
        found = catalog_find(db, &d->req.arena, d->kind, workspace, d->workspace, d->id, &now);
    if (found < 0 || (status < 0 && status != ERR_NOT_FOUND))
        return found < 0 ? found : status;
    status = rules_catalog_delete_check(d, found ? &now : NULL, &db->error);
    if (status == 0 && d->kind == CATALOG_AGENT)
        status = catalog_agent_use(db, d, workspace, &used);
    else if (status == 0 && d->kind == CATALOG_GROUP)
        status = catalog_group_use(db, d, workspace, &used);
    if (status == 0 && used && !d->detach)
        return sqlite_db_refuse(db, ERR_CONFLICT, "\"%.*s\" is in use", STR_FMT(d->id));
    if (status == 0 && d->kind == CATALOG_AGENT)
        status = catalog_detach(db, d, workspace);
    if (status < 0)
        return status;
    sqlq_start(&q, db, catalog_sql(SQL_AGENT_DELETE, d->kind));
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, d->id);
    return sqlq_run(&q);
}
