/* Sessions: one, a page of them, one with all that the engine needs to go on; and what is done to
 * one as a whole. */
#include "store/cursor.h"
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

/* jsonb prints a space after each colon and comma; every store gives the same bytes. In place. */
static struct str session_compact(struct str json)
{
    char *out = (char *)json.p;
    bool in_string = false;
    size_t n = 0;

    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (c == ' ' && !in_string)
            continue;
        if (c == '"')
            in_string = !in_string;
        out[n++] = c;
        if (c == '\\' && in_string && i + 1 < json.n)
            out[n++] = json.p[++i];
    }
    if (out)
        out[n] = '\0';
    return (struct str){json.p, n};
}

/* SESSION_COLUMNS and DETAIL_COLUMNS of pg_sql.c. ERR_CORRUPT. */
static int session_columns(struct pg_job *j, struct pgr *r, struct session_row *row)
{
    struct arena *a = &j->req->arena;

    *row = (struct session_row){.version = 0};
    pgr_id(r, &row->id);
    row->created_at = pgr_i64(r);
    row->core.status = pgr_str(r, a);
    row->meta.name = pgr_str(r, a);
    row->meta.group_id = pgr_str(r, a);
    row->meta.user_id = pgr_str(r, a);
    row->meta.tags_json = pgr_json(r, a);
    row->meta.workflow_id = pgr_str(r, a);
    row->version = pgr_i64(r);
    row->epoch = (uint64_t)pgr_i64(r);
    row->core.busy = pgr_bool(r);
    row->meta.stored_only = pgr_bool(r);
    row->core.reason = pgr_str(r, a);
    row->meta.workflow_version = pgr_i64(r);
    row->core.last_seq = pgr_i64(r);
    row->core.started_at = pgr_i64(r);
    row->core.ended_at = pgr_i64(r);
    row->core.updated_at = pgr_i64(r);
    row->core.output_json = pgr_json(r, a);
    row->core.error_json = pgr_json(r, a);
    row->core.node_statuses_json = session_compact(pgr_json(r, a));
    row->core.waiting_json = pgr_json(r, a);
    row->core.usage_json = pgr_str(r, a);
    r->corrupt |= !rules_usage_read(&row->core.usage_json);
    row->core.vars_json = pgr_json(r, a);
    row->meta.workspace = pgr_str(r, a);
    pgr_id(r, &row->owner);
    pgr_id(r, &row->meta.parent_id);
    row->meta.parent_seq = pgr_i64(r);
    pgr_id(r, &row->meta.parent_run);
    struct str core = pgr_json(r, a);
    if (r->corrupt || !rules_core_read(a, core, &row->core))
        return pg_session_corrupt(j, &row->id, "row");
    bool has_details = pgr_bool(r);
    row->meta.input_json = pgr_json(r, a);
    row->meta.metadata_json = pgr_json(r, a);
    row->meta.settings_json = pgr_json(r, a);
    row->meta.thread_configs_json = pgr_json(r, a);
    row->meta.workflow_state_json = pgr_json(r, a);
    row->meta.budget_json = pgr_json(r, a);
    row->meta.checksum = pgr_str(r, a);
    row->checksum_now = pgr_str(r, a);
    return r->corrupt || !has_details ? pg_session_corrupt(j, &row->id, "details") : 0;
}

/* ---- one ---- */

static int session_got(struct pg_job *j)
{
    struct store_session_get *g = container_of(j->req, struct store_session_get, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    int status = session_columns(j, &r, &g->row);
    if (status < 0)
        return status;
    g->row.meta.graph_json = pgr_json(&r, &j->req->arena);
    return r.corrupt ? pg_session_corrupt(j, &g->id, "details") : 0;
}

int pg_session_get_start(struct pg_job *j)
{
    struct store_session_get *g = container_of(j->req, struct store_session_get, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_SESSION_GET);
    pgq_id(&q, &g->id);
    pgq_str(&q, g->workspace);
    pgq_end(&q);
    return pg_await(j, session_got);
}

/* ---- a page ---- */

/* The index that a page is walked along: of the filters given, the one that is likely to leave
 * the fewest rows. The others are looked at row by row. */
enum session_walk { WALK_TIME, WALK_STATUS, WALK_WORKFLOW, WALK_GROUP, WALK_USER };

static enum session_walk session_walk(const struct store_session_list *l, struct str *value)
{
    *value = STR_NULL;
    if (l->user_id.p) {
        *value = l->user_id;
        return WALK_USER;
    }
    if (l->group_id.p) {
        *value = l->group_id;
        return WALK_GROUP;
    }
    if (l->status.p && !(l->workflow_id.p && str_eqz(l->status, "completed"))) {
        *value = l->status;
        return WALK_STATUS;
    }
    if (l->workflow_id.p) {
        *value = l->workflow_id;
        return WALK_WORKFLOW;
    }
    return WALK_TIME;
}

static enum pg_sql session_walk_sql(const struct store_session_list *l, enum pg_sql first)
{
    struct str value;

    return first + 2 * (unsigned)session_walk(l, &value) + (l->ascending ? 1 : 0);
}

/* Whether rows are looked at that the walk's own condition does not choose. */
static bool session_is_filtered(const struct store_session_list *l)
{
    int filters = (l->user_id.p != NULL) + (l->group_id.p != NULL) + (l->status.p != NULL) +
                  (l->workflow_id.p != NULL);
    struct str value;

    return l->tag.p || l->q.p || l->metadata_count > 0 ||
           filters > (session_walk(l, &value) != WALK_TIME);
}

/* Where the page begins and where the whole list ends, both excluded. */
struct session_range {
    int64_t begin_at, begin_key, end_at;
};

static int session_range(const struct store_session_list *l, struct session_range *r,
                         struct errbuf *e)
{
    int64_t after = l->created_after ? l->created_after : INT64_MIN;
    int64_t before = l->created_before ? l->created_before : INT64_MAX;
    struct cursor c;

    if (l->ascending)
        *r = (struct session_range){after, INT64_MAX, before};
    else
        *r = (struct session_range){before, INT64_MIN, after};
    if (l->cursor.n == 0)
        return 0;
    int status = cursor_decode(l->cursor, CURSOR_SESSIONS, &c, e);
    if (status < 0)
        return status;
    if (l->ascending ? c.a > after : c.a < before) {
        r->begin_at = c.a;
        r->begin_key = c.b;
    }
    return 0;
}

static void session_range_add(struct pgq *q, const struct store_session_list *l,
                              const struct session_range *range)
{
    pgq_str(q, rules_workspace(l->workspace));
    pgq_i64(q, range->end_at);
    pgq_i64(q, range->begin_at);
    pgq_i64(q, range->begin_key);
}

/* The last parameters; ends the statement. */
static void session_add_metadata(struct pgq *q, const struct store_session_list *l)
{
    struct pg_rows rows;

    if (l->metadata_count == 0) {
        pgq_str(q, STR_NULL);
        pgq_str(q, STR_NULL);
        pgq_end(q);
        return;
    }
    pg_rows_init(&rows, q->sql, "tt");
    for (size_t i = 0; i < l->metadata_count; i++) {
        pg_rows_begin(&rows);
        pg_rows_str(&rows, l->metadata[i].path);
        pg_rows_str(&rows, l->metadata[i].value);
    }
    pg_rows_bind(&rows, q);
    pgq_end(q); /* copies them */
    pg_rows_deinit(&rows);
}

static int session_end_found(struct pg_job *j)
{
    struct store_session_list *l = container_of(j->req, struct store_session_list, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return 0;
    int64_t at = pgr_i64(&r), key = pgr_i64(&r);
    if (pgr_next(&r))
        l->next_cursor = cursor_encode(&j->req->arena, CURSOR_SESSIONS, at, key, STR_NULL);
    return 0;
}

/* The page is short: did it see all that there is? */
static int session_find_end(struct pg_job *j, const struct store_session_list *l)
{
    struct session_range range;
    struct str value;
    struct pgq q;

    session_range(l, &range, NULL);
    session_walk(l, &value);
    pgq_start(&q, j->conn, session_walk_sql(l, PG_SESSIONS_END_BY_TIME));
    session_range_add(&q, l, &range);
    if (value.p)
        pgq_str(&q, value);
    pgq_end(&q);
    return pg_await(j, session_end_found);
}

static int session_listed(struct pg_job *j)
{
    struct store_session_list *l = container_of(j->req, struct store_session_list, req);
    struct session_item **tail = &l->rows;
    int left = page_of(l->limit).left;
    int64_t at = 0, key = 0;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); left--) {
        if (left == 0) {
            l->next_cursor = cursor_encode(&j->req->arena, CURSOR_SESSIONS, at, key, STR_NULL);
            return 0;
        }
        struct session_item *item = arena_alloc(&j->req->arena, sizeof(*item));
        key = pgr_i64(&r);
        int status = session_columns(j, &r, &item->row);
        at = item->row.created_at;
        if (status == ERR_CORRUPT && !id_is_zero(item->row.id)) {
            rules_list_corrupt(l, item->row.id);
            j->req->error.text[0] = '\0';
            r.corrupt = false;
            continue;
        }
        if (status < 0)
            return status;
        *tail = item;
        tail = &item->next;
    }
    return session_is_filtered(l) ? session_find_end(j, l) : 0;
}

int pg_session_list_start(struct pg_job *j)
{
    struct store_session_list *l = container_of(j->req, struct store_session_list, req);
    struct session_range range;
    struct pgq q;

    l->rows = NULL;
    l->corrupt = NULL;
    l->next_cursor = STR_NULL;
    int status = session_range(l, &range, &j->req->error);
    if (status < 0)
        return status;
    pgq_start(&q, j->conn, session_walk_sql(l, PG_SESSIONS_BY_TIME));
    session_range_add(&q, l, &range);
    pgq_str(&q, l->status);
    pgq_str(&q, l->workflow_id);
    pgq_str(&q, l->group_id);
    pgq_str(&q, l->user_id);
    pgq_str(&q, l->tag);
    pgq_str(&q, l->q);
    pgq_i64(&q, page_of(l->limit).left + 1);
    session_add_metadata(&q, l);
    return pg_await(j, session_listed);
}

static int children_listed(struct pg_job *j)
{
    struct store_children_list *l = container_of(j->req, struct store_children_list, req);
    struct session_item **tail = &l->rows;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        int status = session_columns(j, &r, &(*tail)->row);
        if (status < 0)
            return status;
    }
    return 0;
}

int pg_children_list_start(struct pg_job *j)
{
    struct store_children_list *l = container_of(j->req, struct store_children_list, req);
    struct pgq q;

    l->rows = NULL;
    pgq_start(&q, j->conn, PG_CHILDREN);
    pgq_id(&q, &l->parent_id);
    pgq_i64(&q, STORE_LIMIT_MAX);
    pgq_end(&q);
    return pg_await(j, children_listed);
}

/* ---- all that hangs on a session ---- */

static int load_effects(struct pg_job *j, struct store_session_load *l, int n)
{
    struct effect_row **tail = &l->effects;
    struct pgr r;

    for (pgr_open(&r, j->conn, n); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        pgr_id(&r, &(*tail)->run_id);
        (*tail)->kind = pgr_str(&r, &j->req->arena);
        (*tail)->request_json = pgr_json(&r, &j->req->arena);
    }
    return r.corrupt ? pg_session_corrupt(j, &l->id, "effects") : 0;
}

static int load_timers(struct pg_job *j, struct store_session_load *l, int n)
{
    struct timer_row **tail = &l->timers;
    struct pgr r;

    for (pgr_open(&r, j->conn, n); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        pgr_id(&r, &(*tail)->timer_id);
        (*tail)->due_at = pgr_i64(&r);
        (*tail)->purpose_json = pgr_json(&r, &j->req->arena);
    }
    return r.corrupt ? pg_session_corrupt(j, &l->id, "timers") : 0;
}

static int load_withheld(struct pg_job *j, struct store_session_load *l, int n)
{
    struct withheld_row **tail = &l->withheld;
    struct pgr r;

    for (pgr_open(&r, j->conn, n); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        (*tail)->ord = pgr_i64(&r);
        (*tail)->input_json = pgr_json(&r, &j->req->arena);
    }
    return r.corrupt ? pg_session_corrupt(j, &l->id, "withheld inputs") : 0;
}

static int load_runs(struct pg_job *j, struct store_session_load *l, int n)
{
    struct run_row **tail = &l->runs;
    struct pgr r;

    for (pgr_open(&r, j->conn, n); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        pg_run_columns(&r, &j->req->arena, *tail);
        (*tail)->progress_json = pgr_json(&r, &j->req->arena);
    }
    return r.corrupt || !rules_runs_newest(&j->req->arena, l->runs_packed, &l->runs)
               ? pg_session_corrupt(j, &l->id, "node runs")
               : 0;
}

/* The row, and the text of the workflow: the session's own, or the version's that it was started
 * with. */
static int load_row(struct pg_job *j, struct store_session_load *l, int n)
{
    struct arena *a = &j->req->arena;
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    int status = session_columns(j, &r, &l->row);
    if (status < 0)
        return status;
    l->row.meta.graph_json = pgr_json(&r, a);
    if (r.corrupt)
        return pg_session_corrupt(j, &l->id, "details");
    struct str state = pgr_json(&r, a);
    if (r.corrupt)
        return pg_session_corrupt(j, &l->id, "state");
    if (state.p)
        l->row.core.state_json = state;
    struct str version = pgr_json(&r, a);
    bool is_corrupt = r.corrupt; /* the text, which not every session needs */
    r.corrupt = false;
    l->runs_packed = pgr_json(&r, a);
    if (r.corrupt)
        return pg_session_corrupt(j, &l->id, "node runs");
    l->workflow_json = l->row.meta.graph_json;
    if (l->workflow_json.p || !l->row.meta.workflow_id.p || l->row.meta.stored_only)
        return 0;
    l->workflow_json = version;
    return is_corrupt || !version.p ? pg_session_corrupt(j, &l->id, "workflow's text") : 0;
}

int pg_session_loaded(struct pg_job *j, struct store_session_load *l, int n)
{
    int status = load_row(j, l, n);

    if (status == 0)
        status = load_runs(j, l, n + 1);
    if (status == 0)
        status = load_effects(j, l, n + 2);
    if (status == 0)
        status = load_timers(j, l, n + 3);
    if (status == 0)
        status = load_withheld(j, l, n + 4);
    return status;
}

void pg_session_load_add(struct pg_job *j, const struct store_session_load *l)
{
    static const enum pg_sql parts[] = {PG_SESSION_LOAD, PG_RUNS_NEWEST, PG_EFFECTS_LOAD,
                                        PG_TIMERS_LOAD, PG_WITHHELD_LOAD};
    struct pgq q;

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        pgq_start(&q, j->conn, parts[i]);
        pgq_id(&q, &l->id);
        pgq_end(&q);
    }
}

static int load_read(struct pg_job *j)
{
    return pg_session_loaded(j, container_of(j->req, struct store_session_load, req), 0);
}

/* Last: a session that cannot be read is not claimed. */
static int load_claim(struct pg_job *j)
{
    struct store_session_load *l = container_of(j->req, struct store_session_load, req);
    struct pgr r;
    struct pgq q;

    int status = pg_session_loaded(j, l, 2);
    if (status < 0)
        return status;
    pgr_open(&r, j->conn, 1);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    bool is_free = pgr_bool(&r);
    if (l->row.meta.stored_only || l->row.core.ended_at != 0 || id_eq(l->row.owner, l->claim_for)) {
        pg_conn_add(j->conn, PG_COMMIT);
        return pg_await(j, pg_finished);
    }
    if (!is_free)
        return pg_refuse(j, ERR_STALE, "another instance has the session");
    l->row.owner = l->claim_for;
    l->row.epoch++;
    pg_ring_drop(&j->store->ring, l->id);
    pg_ring_add_forget(j, &l->claim_for, &l->id);
    pgq_start(&q, j->conn, PG_SESSION_CLAIM);
    pgq_id(&q, &l->id);
    pgq_id(&q, &l->claim_for);
    pgq_end(&q);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_session_load_start(struct pg_job *j)
{
    struct store_session_load *l = container_of(j->req, struct store_session_load, req);
    struct pgq q;

    l->runs = NULL;
    l->effects = NULL;
    l->timers = NULL;
    l->withheld = NULL;
    if (id_is_zero(l->claim_for)) {
        pg_session_load_add(j, l);
        return pg_await(j, load_read);
    }
    pg_known_forget(&j->store->known, l->id);
    pg_conn_add(j->conn, PG_BEGIN);
    pgq_start(&q, j->conn, PG_SESSION_LOCK);
    pgq_id(&q, &l->id);
    pgq_end(&q);
    pg_session_load_add(j, l);
    return pg_await(j, load_claim);
}

/* ---- giving up, deleting ---- */

static int session_released(struct pg_job *j)
{
    const struct store_session_release *x = container_of(j->req, struct store_session_release, req);

    for (size_t i = 0; i < x->count; i++)
        pg_ring_drop(&j->store->ring, x->ids[i]);
    return 0;
}

int pg_session_release_start(struct pg_job *j)
{
    struct store_session_release *x = container_of(j->req, struct store_session_release, req);
    struct pg_rows ids;
    struct pgq q;

    if (x->count == 0)
        return 0;
    pg_rows_init(&ids, PG_SESSION_RELEASE, "u");
    for (size_t i = 0; i < x->count; i++) {
        pg_rows_begin(&ids);
        pg_rows_id(&ids, &x->ids[i]);
        pg_known_forget(&j->store->known, x->ids[i]);
    }
    pg_ring_add_settle(j->conn, &x->instance, &ids);
    pgq_start(&q, j->conn, PG_SESSION_RELEASE);
    pg_rows_bind(&ids, &q);
    pgq_id(&q, &x->instance);
    pgq_end(&q);
    pg_rows_deinit(&ids);
    return pg_await(j, session_released);
}

static int session_deleted(struct pg_job *j)
{
    pg_ring_drop(&j->store->ring, container_of(j->req, struct store_session_delete, req)->id);
    return 0;
}

static int session_delete_locked(struct pg_job *j)
{
    struct store_session_delete *d = container_of(j->req, struct store_session_delete, req);
    struct session_row row = {.version = 0};
    struct pgr r;
    struct pgq q;

    pgr_open(&r, j->conn, 1);
    bool found = pgr_next(&r);
    if (found) {
        pgr_bool(&r); /* free */
        row.meta.workspace = pgr_str(&r, &j->req->arena);
        row.version = pgr_i64(&r);
        row.core.status = pgr_str(&r, &j->req->arena);
        row.meta.stored_only = pgr_bool(&r);
    }
    if (!found || (d->workspace.p && !str_eq(d->workspace, row.meta.workspace)))
        return j->repeated && !found ? session_deleted(j)
                                     : pg_refuse(j, ERR_NOT_FOUND, "no such session");
    if (d->expected_version > 0 && d->expected_version != row.version)
        return pg_refuse(j, ERR_STALE, "the session is at version %lld, not %lld",
                         (long long)row.version, (long long)d->expected_version);
    if (d->terminal_only && rules_session_is_live(&row))
        return pg_refuse(j, ERR_CONFLICT, "the session has not ended: it is %.*s",
                         STR_FMT(row.core.status));
    pg_ring_add_forget(j, &j->store->ring.owner, &d->id);
    pgq_start(&q, j->conn, PG_SESSION_DELETE);
    pgq_id(&q, &d->id);
    pgq_end(&q);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, session_deleted);
}

int pg_session_delete_start(struct pg_job *j)
{
    struct store_session_delete *d = container_of(j->req, struct store_session_delete, req);
    struct pgq q;

    pg_known_forget(&j->store->known, d->id);
    pg_conn_add(j->conn, PG_BEGIN);
    pgq_start(&q, j->conn, PG_SESSION_LOCK);
    pgq_id(&q, &d->id);
    pgq_end(&q);
    return pg_await(j, session_delete_locked);
}
