/* Workflows and their versions. A version's text is never changed and never deleted: a session runs
 * on the one it started with, even when the workflow is gone. */
#include "store/cursor.h"
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

static int workflow_not_found(struct pg_job *j, struct str id)
{
    return pg_refuse(j, ERR_NOT_FOUND, "no workflow \"%.*s\"", STR_FMT(id));
}

/* WORKFLOW_COLUMNS and VERSION_COLUMNS of pg_sql.c. */
static void workflow_columns(struct pgr *r, struct arena *a, struct workflow_row *row)
{
    *row = (struct workflow_row){.next = NULL};
    row->id = pgr_str(r, a);
    row->name = pgr_str(r, a);
    row->type = pgr_str(r, a);
    row->description = pgr_str(r, a);
    row->version = pgr_i64(r);
    row->created_at = pgr_i64(r);
    row->updated_at = pgr_i64(r);
}

/* ---- reads ---- */

static int workflow_got(struct pg_job *j)
{
    struct store_workflow_get *g = container_of(j->req, struct store_workflow_get, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return g->version == 0 ? workflow_not_found(j, g->id)
                               : pg_refuse(j, ERR_NOT_FOUND, "no version %lld of workflow \"%.*s\"",
                                           (long long)g->version, STR_FMT(g->id));
    workflow_columns(&r, &j->req->arena, &g->row);
    g->row.graph_json = pgr_json(&r, &j->req->arena);
    return r.corrupt
               ? pg_refuse(j, ERR_CORRUPT, "workflow \"%.*s\" does not read back", STR_FMT(g->id))
               : 0;
}

int pg_workflow_get_start(struct pg_job *j)
{
    struct store_workflow_get *g = container_of(j->req, struct store_workflow_get, req);
    struct pgq q;

    pgq_start(&q, j->conn, g->version == 0 ? PG_WORKFLOW_NEWEST : PG_VERSION_GET);
    pgq_str(&q, rules_workspace(g->workspace));
    pgq_str(&q, g->id);
    if (g->version != 0)
        pgq_i64(&q, g->version);
    pgq_end(&q);
    return pg_await(j, workflow_got);
}

/* Takes the rows of a page; true: there is one more than fits. */
static bool workflow_page(struct pg_job *j, int n, int limit, struct workflow_row **rows,
                          const struct workflow_row **last)
{
    int left = page_of(limit).left;
    struct pgr r;

    *last = NULL;
    for (pgr_open(&r, j->conn, n); pgr_next(&r); left--) {
        if (left == 0)
            return *last != NULL;
        *rows = arena_alloc(&j->req->arena, sizeof(**rows));
        workflow_columns(&r, &j->req->arena, *rows);
        *last = *rows;
        rows = &(*rows)->next;
    }
    return false;
}

static int workflow_end_found(struct pg_job *j)
{
    struct store_workflow_list *l = container_of(j->req, struct store_workflow_list, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return 0;
    struct str id = pgr_str(&r, &j->req->arena);
    if (pgr_next(&r))
        l->next_cursor = cursor_encode(&j->req->arena, CURSOR_WORKFLOWS, 0, 0, id);
    return 0;
}

/* Where a page begins. */
static int workflow_after(struct pg_job *j, const struct store_workflow_list *l, struct str *id)
{
    struct cursor c;

    *id = STR("");
    if (l->cursor.n == 0)
        return 0;
    int status = cursor_decode(l->cursor, CURSOR_WORKFLOWS, &c, &j->req->error);
    if (status == 0)
        *id = rules_copy(&j->req->arena, (struct str){(const char *)c.key, c.key_bytes});
    return status;
}

static int workflow_listed(struct pg_job *j)
{
    struct store_workflow_list *l = container_of(j->req, struct store_workflow_list, req);
    const struct workflow_row *last;
    struct str after;
    struct pgq q;

    if (workflow_page(j, 0, l->limit, &l->rows, &last)) {
        l->next_cursor = cursor_encode(&j->req->arena, CURSOR_WORKFLOWS, 0, 0, last->id);
        return 0;
    }
    if (!l->q.p && !l->type.p)
        return 0;
    workflow_after(j, l, &after);
    pgq_start(&q, j->conn, PG_WORKFLOWS_END); /* the page is short: did it see all there is? */
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_str(&q, after);
    pgq_end(&q);
    return pg_await(j, workflow_end_found);
}

int pg_workflow_list_start(struct pg_job *j)
{
    struct store_workflow_list *l = container_of(j->req, struct store_workflow_list, req);
    struct str after;
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = workflow_after(j, l, &after);
    if (status < 0)
        return status;
    pgq_start(&q, j->conn, PG_WORKFLOW_LIST);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_str(&q, after);
    pgq_str(&q, l->type);
    pgq_str(&q, l->q);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_end(&q);
    return pg_await(j, workflow_listed);
}

static int versions_listed(struct pg_job *j)
{
    struct store_workflow_versions *l = container_of(j->req, struct store_workflow_versions, req);
    const struct workflow_row *last;
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return workflow_not_found(j, l->id);
    if (workflow_page(j, 1, l->limit, &l->rows, &last))
        l->next_cursor = cursor_encode(&j->req->arena, CURSOR_VERSIONS, last->version, 0, STR_NULL);
    return 0;
}

int pg_workflow_versions_start(struct pg_job *j)
{
    struct store_workflow_versions *l = container_of(j->req, struct store_workflow_versions, req);
    struct cursor c = {.a = INT64_MAX};
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0 && cursor_decode(l->cursor, CURSOR_VERSIONS, &c, &j->req->error) < 0)
        return ERR_INVALID;
    pgq_start(&q, j->conn, PG_WORKFLOW_NEWEST);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_str(&q, l->id);
    pgq_end(&q);
    pgq_start(&q, j->conn, PG_VERSION_LIST);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_str(&q, l->id);
    pgq_i64(&q, c.a);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_end(&q);
    return pg_await(j, versions_listed);
}

/* ---- writes ---- */

/* The workflow as it is, locked; a deleted one counts as none, but for its numbers. */
struct workflow_found {
    struct workflow_row row;
    int64_t first_version;
    bool alive;
};

static struct workflow_found workflow_find(struct pg_job *j, int n)
{
    struct workflow_found found = {.alive = false};
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (!pgr_next(&r))
        return found;
    workflow_columns(&r, &j->req->arena, &found.row);
    found.first_version = pgr_i64(&r);
    found.alive = !pgr_bool(&r);
    return found;
}

static void workflow_add_find(struct pg_job *j, struct str workspace, struct str id)
{
    struct pgq q;

    pg_conn_add(j->conn, PG_BEGIN);
    pgq_start(&q, j->conn, PG_WORKFLOW_FIND);
    pgq_str(&q, rules_workspace(workspace));
    pgq_str(&q, id);
    pgq_end(&q);
}

/* What a put asks of the workflow as it is. */
static int workflow_put_check(struct pg_job *j, const struct store_workflow_put *p,
                              const struct workflow_found *now)
{
    if (now->alive && p->create_only)
        return pg_refuse(j, ERR_CONFLICT, "workflow \"%.*s\" exists already", STR_FMT(p->id));
    if (!now->alive && p->must_exist)
        return workflow_not_found(j, p->id);
    if (p->expected_version == 0 || (now->alive && now->row.version == p->expected_version))
        return 0;
    return pg_refuse(j, ERR_STALE, "workflow \"%.*s\" is at version %lld, not %lld", STR_FMT(p->id),
                     (long long)(now->alive ? now->row.version : 0),
                     (long long)p->expected_version);
}

static void workflow_add_keys(struct pg_job *j, const struct idempotency_row *keys)
{
    struct pg_rows names, rows;

    pg_rows_init(&names, PG_WORKSPACES_MAKE, "t");
    pg_rows_init(&rows, PG_KEYS_INSERT, "ttiiiti");
    for (; keys; keys = keys->next) {
        pg_rows_begin(&names);
        pg_rows_str(&names, rules_workspace(keys->workspace));
        pg_rows_key(&rows, keys);
    }
    pg_rows_add(&names, j->conn);
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&names);
    pg_rows_deinit(&rows);
}

static void workflow_add_write(struct pg_job *j, const struct store_workflow_put *p,
                               int64_t first_version)
{
    const struct workflow_row *row = &p->row;
    struct pg_rows names;
    struct pgq q;

    pg_rows_init(&names, PG_WORKSPACES_MAKE, "t");
    pg_rows_begin(&names);
    pg_rows_str(&names, rules_workspace(p->workspace));
    pg_rows_add(&names, j->conn);
    pg_rows_deinit(&names);

    pgq_start(&q, j->conn, PG_WORKFLOW_UPSERT);
    pgq_str(&q, rules_workspace(p->workspace));
    pgq_str(&q, p->id);
    pgq_str(&q, p->name);
    pgq_str(&q, p->type);
    pgq_str(&q, p->description);
    pgq_i64(&q, row->version);
    pgq_i64(&q, first_version);
    pgq_i64(&q, row->created_at);
    pgq_i64(&q, row->updated_at);
    pgq_end(&q);

    pgq_start(&q, j->conn, PG_VERSION_INSERT);
    pgq_str(&q, rules_workspace(p->workspace));
    pgq_str(&q, p->id);
    pgq_i64(&q, row->version);
    pgq_str(&q, p->name);
    pgq_str(&q, p->type);
    pgq_str(&q, p->description);
    pgq_i64(&q, p->now_ms);
    pgq_str(&q, p->graph_json);
    pgq_str(&q, row->checksum);
    pgq_end(&q);
}

/* The version's insert has its number: another instance's put of the same moment fails, and is
 * begun anew. The keys were free when they were looked at; so are those. */
static int workflow_put_found(struct pg_job *j)
{
    struct store_workflow_put *p = container_of(j->req, struct store_workflow_put, req);
    struct arena *a = &j->req->arena;
    struct workflow_found found = workflow_find(j, 1);
    bool key_taken = false;
    struct pgr r;

    if (p->idempotency) {
        pgr_open(&r, j->conn, 2);
        key_taken = pgr_next(&r);
    }
    p->row = (struct workflow_row){
        .id = rules_copy(a, p->id),
        .name = rules_copy(a, p->name),
        .type = rules_copy(a, p->type),
        .description = rules_copy(a, p->description),
        .version = found.row.version + 1,
        .graph_json = rules_copy(a, p->graph_json),
        .checksum = rules_checksum(a, p->graph_json),
        .created_at = found.alive ? found.row.created_at : p->now_ms,
        .updated_at = p->now_ms,
    };
    /* Written by the try before: versions of one moment are one. */
    if (j->repeated && found.alive && found.row.updated_at == p->now_ms &&
        (!p->idempotency || key_taken)) {
        p->row.version = found.row.version;
        return 0;
    }
    int status = workflow_put_check(j, p, &found);
    if (status < 0)
        return status;
    if (key_taken)
        return pg_refuse(j, ERR_CONFLICT, "this Idempotency-Key is in use");
    workflow_add_write(j, p, found.alive ? found.first_version : p->row.version);
    workflow_add_keys(j, p->idempotency);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_workflow_put_start(struct pg_job *j)
{
    struct store_workflow_put *p = container_of(j->req, struct store_workflow_put, req);
    struct pg_rows keys;

    workflow_add_find(j, p->workspace, p->id);
    pg_rows_init(&keys, PG_COMMIT_KEYS_TAKEN, "tt");
    for (const struct idempotency_row *k = p->idempotency; k; k = k->next) {
        pg_rows_begin(&keys);
        pg_rows_str(&keys, rules_workspace(k->workspace));
        pg_rows_str(&keys, k->key);
    }
    pg_rows_add(&keys, j->conn);
    pg_rows_deinit(&keys);
    return pg_await(j, workflow_put_found);
}

static int workflow_delete_found(struct pg_job *j)
{
    struct store_workflow_delete *d = container_of(j->req, struct store_workflow_delete, req);
    struct workflow_found found = workflow_find(j, 1);
    struct pgq q;

    if (!found.alive)
        return j->repeated ? 0 : workflow_not_found(j, d->id);
    if (d->expected_version > 0 && d->expected_version != found.row.version)
        return pg_refuse(j, ERR_STALE, "workflow \"%.*s\" is at version %lld, not %lld",
                         STR_FMT(d->id), (long long)found.row.version,
                         (long long)d->expected_version);
    pgq_start(&q, j->conn, PG_WORKFLOW_DELETE);
    pgq_str(&q, rules_workspace(d->workspace));
    pgq_str(&q, d->id);
    pgq_end(&q);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_workflow_delete_start(struct pg_job *j)
{
    struct store_workflow_delete *d = container_of(j->req, struct store_workflow_delete, req);

    workflow_add_find(j, d->workspace, d->id);
    return pg_await(j, workflow_delete_found);
}
