/* Agents, groups and templates: three tables of one shape, so each statement stands three times in
 * a row (PG_AGENT_…, PG_GROUP_…, PG_TEMPLATE_…) and is told apart by the kind.
 *
 * Who puts a group holds its agents by a key-share lock until the commit, and who deletes an agent
 * locks it before it looks for groups: of two instances that do this at once one waits, and then
 * sees what the other has done. Agents are locked before groups, so that neither waits for the
 * other for ever. */
#include "store/cursor.h"
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

static enum pg_sql catalog_sql(enum pg_sql first, enum catalog_kind kind)
{
    return (enum pg_sql)((int)first + (int)kind);
}

/* CATALOG_COLUMNS of pg_sql.c. */
static void catalog_columns(struct pgr *r, struct arena *a, struct str workspace,
                            struct catalog_row *row)
{
    *row = (struct catalog_row){.workspace = rules_copy(a, rules_workspace(workspace))};
    row->id = pgr_str(r, a);
    row->name = pgr_str(r, a);
    row->description = pgr_str(r, a);
    row->category = pgr_str(r, a);
    row->version = pgr_i64(r);
    row->created_at = pgr_i64(r);
    row->updated_at = pgr_i64(r);
    row->body_json = pgr_json(r, a);
}

static int catalog_corrupt(struct pg_job *j, struct str id)
{
    return pg_refuse(j, ERR_CORRUPT, "\"%.*s\" of the catalog does not read back", STR_FMT(id));
}

/* An array of names as a statement's next parameter. */
static void catalog_bind_names(struct pgq *q, const struct str *names, size_t count)
{
    struct pg_rows rows;

    pg_rows_init(&rows, q->sql, "t");
    for (size_t i = 0; i < count; i++) {
        pg_rows_begin(&rows);
        pg_rows_str(&rows, names[i]);
    }
    pg_rows_bind(&rows, q);
    pgq_end(q); /* copies them */
    pg_rows_deinit(&rows);
}

/* ---- reads ---- */

static int catalog_got(struct pg_job *j)
{
    struct store_catalog_get *g = container_of(j->req, struct store_catalog_get, req);
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r);) {
        struct catalog_row *row = arena_alloc(&j->req->arena, sizeof(*row));
        catalog_columns(&r, &j->req->arena, g->workspace, row);
        if (r.corrupt)
            return catalog_corrupt(j, row->id);
        row->next = g->rows;
        g->rows = row;
    }
    return 0;
}

static int catalog_got_none(struct pg_job *j)
{
    (void)j;
    return 0;
}

int pg_catalog_get_start(struct pg_job *j)
{
    struct store_catalog_get *g = container_of(j->req, struct store_catalog_get, req);
    struct pgq q;

    g->rows = NULL;
    if (g->count == 0) { /* answered later, as all are */
        pg_conn_add(j->conn, PG_NOW);
        return pg_await(j, catalog_got_none);
    }
    pgq_start(&q, j->conn, catalog_sql(PG_AGENT_GET, g->kind));
    pgq_str(&q, rules_workspace(g->workspace));
    catalog_bind_names(&q, g->ids, g->count);
    return pg_await(j, catalog_got);
}

/* The last column counts the rows that the filters let pass, up to one more than the page has. */
static int catalog_listed(struct pg_job *j)
{
    struct store_catalog_list *l = container_of(j->req, struct store_catalog_list, req);
    int left = page_of(l->limit).left;
    struct catalog_row **tail = &l->rows;
    struct arena *a = &j->req->arena;
    int64_t there = 0, taken = 0;
    struct str last = STR_NULL;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); taken < left && pgr_next(&r); taken++) {
        *tail = arena_alloc(a, sizeof(**tail));
        catalog_columns(&r, a, l->workspace, *tail);
        if (r.corrupt)
            return catalog_corrupt(j, (*tail)->id);
        there = pgr_i64(&r);
        last = (*tail)->id;
        tail = &(*tail)->next;
    }
    if (there > taken)
        l->next_cursor = cursor_encode(a, CURSOR_CATALOG, l->kind, 0, last);
    return 0;
}

int pg_catalog_list_start(struct pg_job *j)
{
    struct store_catalog_list *l = container_of(j->req, struct store_catalog_list, req);
    struct cursor c = {.a = l->kind};
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0 && (cursor_decode(l->cursor, CURSOR_CATALOG, &c, &j->req->error) < 0 ||
                            c.a != (int64_t)l->kind))
        return pg_refuse(j, ERR_INVALID, "cursor is not one that this list gave");
    pgq_start(&q, j->conn, catalog_sql(PG_AGENT_LIST, l->kind));
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_str(&q, (struct str){(const char *)c.key, c.key_bytes});
    pgq_str(&q, l->category);
    pgq_str(&q, l->q);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_i64(&q, CATALOG_PAGE_BYTES);
    pgq_end(&q);
    return pg_await(j, catalog_listed);
}

/* ---- writes ---- */

/* Locks the object. */
static void catalog_add_find(struct pg_job *j, enum catalog_kind kind, struct str workspace,
                             struct str id)
{
    struct pgq q;

    pgq_start(&q, j->conn, catalog_sql(PG_AGENT_FIND, kind));
    pgq_str(&q, rules_workspace(workspace));
    pgq_str(&q, id);
    pgq_end(&q);
}

/* What that found, as the n-th statement. */
static bool catalog_found(struct pg_job *j, int n, struct str workspace, struct catalog_row *row)
{
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (!pgr_next(&r))
        return false;
    catalog_columns(&r, &j->req->arena, workspace, row);
    return true;
}

static void catalog_add_workspace(struct pg_job *j, struct str workspace)
{
    struct pg_rows names;

    pg_rows_init(&names, PG_WORKSPACES_MAKE, "t");
    pg_rows_begin(&names);
    pg_rows_str(&names, rules_workspace(workspace));
    pg_rows_add(&names, j->conn);
    pg_rows_deinit(&names);
}

static void catalog_add_keys(struct pg_job *j, const struct idempotency_row *keys)
{
    struct pg_rows rows;

    pg_rows_init(&rows, PG_KEYS_INSERT, "ttiiiti");
    for (; keys; keys = keys->next)
        pg_rows_key(&rows, keys);
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&rows);
}

/* An insert of what another instance has put at the same moment fails, and all is begun anew. */
static void catalog_add_write(struct pg_job *j, enum catalog_kind kind,
                              const struct catalog_row *row, bool is_new)
{
    struct pgq q;

    pgq_start(&q, j->conn, catalog_sql(is_new ? PG_AGENT_INSERT : PG_AGENT_UPDATE, kind));
    pgq_str(&q, row->workspace);
    pgq_str(&q, row->id);
    pgq_str(&q, row->name);
    pgq_str(&q, row->description);
    pgq_str(&q, row->category);
    pgq_i64(&q, row->version);
    pgq_str(&q, row->body_json);
    pgq_i64(&q, row->created_at);
    pgq_i64(&q, row->updated_at);
    pgq_end(&q);
}

/* ERR_INVALID: one of the agents is not among those that were found and held. */
static int catalog_agents_check(struct pg_job *j, const struct store_catalog_put *p, int n)
{
    struct arena *a = &j->req->arena;
    struct pgr r;

    for (size_t i = 0; i < p->agent_count; i++) {
        bool found = false;
        for (pgr_open(&r, j->conn, n); !found && pgr_next(&r);)
            found = str_eq(pgr_str(&r, a), p->agents[i]);
        if (!found)
            return pg_refuse(j, ERR_INVALID, "there is no agent \"%.*s\"", STR_FMT(p->agents[i]));
    }
    return 0;
}

static int catalog_put_found(struct pg_job *j)
{
    struct store_catalog_put *p = container_of(j->req, struct store_catalog_put, req);
    struct catalog_row now;
    int at = p->agent_count > 0 ? 2 : 1; /* after BEGIN, and the agents */
    bool found = catalog_found(j, at, p->row.workspace, &now), key_taken = false;
    struct pgr r;

    /* Written by the try before: puts of one moment are one. */
    if (j->repeated && found && now.updated_at == p->now_ms &&
        str_eq(now.body_json, p->row.body_json)) {
        now.next = NULL;
        p->row = now;
        return 0;
    }
    int status = rules_catalog_put_check(p, found ? &now : NULL, &j->req->error);
    if (status == 0 && p->agent_count > 0)
        status = catalog_agents_check(j, p, 1);
    if (status < 0)
        return status;
    if (p->idempotency) {
        pgr_open(&r, j->conn, at + 1);
        key_taken = pgr_next(&r);
    }
    if (key_taken)
        return pg_refuse(j, ERR_CONFLICT, "this Idempotency-Key is in use");
    rules_catalog_put_row(p, found ? &now : NULL);
    catalog_add_workspace(j, p->row.workspace);
    catalog_add_write(j, p->kind, &p->row, !found);
    catalog_add_keys(j, p->idempotency);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_catalog_put_start(struct pg_job *j)
{
    struct store_catalog_put *p = container_of(j->req, struct store_catalog_put, req);
    struct pg_rows keys;
    struct pgq q;

    pg_conn_add(j->conn, PG_BEGIN);
    if (p->agent_count > 0) {
        pgq_start(&q, j->conn, PG_AGENTS_HOLD);
        pgq_str(&q, rules_workspace(p->row.workspace));
        catalog_bind_names(&q, p->agents, p->agent_count);
    }
    catalog_add_find(j, p->kind, p->row.workspace, p->row.id);
    pg_rows_init(&keys, PG_COMMIT_KEYS_TAKEN, "tt");
    for (const struct idempotency_row *k = p->idempotency; k; k = k->next) {
        pg_rows_begin(&keys);
        pg_rows_str(&keys, rules_workspace(k->workspace));
        pg_rows_str(&keys, k->key);
    }
    pg_rows_add(&keys, j->conn);
    pg_rows_deinit(&keys);
    return pg_await(j, catalog_put_found);
}

/* ---- deleting ---- */

/* Takes the agent out of a group that was found. */
static void catalog_drop(struct pg_job *j, const struct store_catalog_delete *d,
                         struct catalog_row *group)
{
    struct buf body;

    buf_init(&body, SIZE_MAX);
    rules_group_drop_agent(group->body_json, d->id, &body);
    group->body_json = rules_copy(&j->req->arena, buf_str(&body));
    group->version++;
    group->updated_at = d->now_ms;
    buf_deinit(&body);
}

/* The groups of an agent that goes, without it. */
static void catalog_add_detached(struct pg_job *j, const struct store_catalog_delete *d,
                                 struct catalog_row *groups)
{
    struct pg_rows rows;

    pg_rows_init(&rows, PG_GROUPS_DETACH, "ttiti");
    for (struct catalog_row *g = groups; g; g = g->next) {
        catalog_drop(j, d, g);
        pg_rows_begin(&rows);
        pg_rows_str(&rows, g->workspace);
        pg_rows_str(&rows, g->id);
        pg_rows_i64(&rows, g->version);
        pg_rows_str(&rows, g->body_json);
        pg_rows_i64(&rows, g->updated_at);
    }
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&rows);
}

static int catalog_delete_end(struct pg_job *j, struct store_catalog_delete *d, bool used)
{
    struct pgq q;

    if (used && !d->detach)
        return pg_refuse(j, ERR_CONFLICT, "\"%.*s\" is in use", STR_FMT(d->id));
    pgq_start(&q, j->conn, catalog_sql(PG_AGENT_DELETE, d->kind));
    pgq_str(&q, rules_workspace(d->workspace));
    pgq_str(&q, d->id);
    pgq_end(&q);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

static int catalog_agent_used(struct pg_job *j)
{
    struct store_catalog_delete *d = container_of(j->req, struct store_catalog_delete, req);
    struct arena *a = &j->req->arena;
    struct catalog_users users = {.count = 0};
    struct catalog_row *groups = NULL;
    struct pgr r;

    for (int kind = CATALOG_USER_GROUP; kind <= CATALOG_USER_TEMPLATE; kind++) {
        for (pgr_open(&r, j->conn, kind); pgr_next(&r);) {
            struct catalog_row *row = arena_alloc(a, sizeof(*row));
            *row = (struct catalog_row){.workspace = rules_copy(a, rules_workspace(d->workspace))};
            row->id = pgr_str(&r, a);
            row->version = pgr_i64(&r);
            row->body_json = pgr_json(&r, a);
            if (r.corrupt)
                return catalog_corrupt(j, row->id);
            if (!rules_user_seen(a, (enum catalog_user_kind)kind, row->id, row->body_json, d->id,
                                 &users) ||
                kind != CATALOG_USER_GROUP)
                continue;
            row->next = groups;
            groups = row;
        }
    }
    rules_used_by_agent(d, &users);
    if (d->detach)
        catalog_add_detached(j, d, groups);
    return catalog_delete_end(j, d, users.count > 0);
}

static int catalog_group_used(struct pg_job *j)
{
    struct store_catalog_delete *d = container_of(j->req, struct store_catalog_delete, req);
    int64_t memories = 0, sessions = 0;
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (pgr_next(&r)) {
        memories = pgr_i64(&r);
        sessions = pgr_i64(&r);
    }
    rules_used_by_group(d, memories, sessions);
    return catalog_delete_end(j, d, memories + sessions > 0);
}

static int catalog_delete_found(struct pg_job *j)
{
    struct store_catalog_delete *d = container_of(j->req, struct store_catalog_delete, req);
    struct catalog_row now;
    bool found = catalog_found(j, 1, d->workspace, &now);

    if (!found && j->repeated)
        return 0; /* by the try before */
    int status = rules_catalog_delete_check(d, found ? &now : NULL, &j->req->error);
    if (status < 0)
        return status;
    if (d->kind == CATALOG_TEMPLATE)
        return catalog_delete_end(j, d, false);
    const enum pg_sql looks[] = {PG_AGENT_IN_GROUPS, PG_AGENT_IN_WORKFLOWS, PG_AGENT_IN_TEMPLATES,
                                 PG_GROUP_IN_USE};
    int first = d->kind == CATALOG_AGENT ? 0 : 3, last = d->kind == CATALOG_AGENT ? 2 : 3;
    for (int i = first; i <= last; i++) {
        struct pgq q;
        pgq_start(&q, j->conn, looks[i]);
        pgq_str(&q, rules_workspace(d->workspace));
        pgq_str(&q, d->id);
        pgq_end(&q);
    }
    return pg_await(j, d->kind == CATALOG_AGENT ? catalog_agent_used : catalog_group_used);
}

int pg_catalog_delete_start(struct pg_job *j)
{
    struct store_catalog_delete *d = container_of(j->req, struct store_catalog_delete, req);

    pg_conn_add(j->conn, PG_BEGIN);
    catalog_add_find(j, d->kind, d->workspace, d->id);
    return pg_await(j, catalog_delete_found);
}
