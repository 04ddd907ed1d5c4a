/* Reading sessions: one, a page of them, or one with all that the engine needs to go on. */
#include "store/cursor.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

int sqlite_session_find(struct sqlite_db *db, const struct id *id, struct sqlite_session *out)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SESSION_FIND);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such session");
    out->key = sqlq_i64(&q);
    out->epoch = (uint64_t)sqlq_i64(&q);
    out->last_seq = sqlq_i64(&q);
    out->folded_seq = sqlq_i64(&q);
    sqlq_end(&q);
    return 0;
}

static int session_corrupt(struct sqlite_db *db, const struct id *id, const char *what)
{
    char text[ID_TEXT_BYTES + 1];

    id_format(*id, text);
    return sqlite_db_corrupt(db, "session %s: its %s do not read back", text, what);
}

/* SESSION_COLUMNS of sqlite_sql.c: what filters look at, then the rest. */
static void session_filter_columns(struct sqlq *q, struct arena *a, struct session_row *row,
                                   int64_t *key)
{
    *row = (struct session_row){.version = 0};
    *key = sqlq_i64(q);
    sqlq_id(q, &row->id);
    row->created_at = sqlq_i64(q);
    row->core.status = sqlq_str(q, a);
    row->meta.name = sqlq_str(q, a);
    row->meta.group_id = sqlq_str(q, a);
    row->meta.user_id = sqlq_str(q, a);
    row->meta.tags_json = sqlq_json(q, a);
    row->meta.workflow_id = sqlq_str(q, a);
}

static void session_columns(struct sqlq *q, struct arena *a, struct session_row *row, int64_t *key)
{
    session_filter_columns(q, a, row, key);
    row->version = sqlq_i64(q);
    row->epoch = (uint64_t)sqlq_i64(q);
    row->core.busy = sqlq_i64(q) != 0;
    row->meta.stored_only = sqlq_i64(q) != 0;
    row->core.reason = sqlq_str(q, a);
    row->meta.workflow_version = sqlq_i64(q);
    row->core.last_seq = sqlq_i64(q);
    row->core.started_at = sqlq_i64(q);
    row->core.ended_at = sqlq_i64(q);
    row->core.updated_at = sqlq_i64(q);
    row->core.output_json = sqlq_json(q, a);
    row->core.error_json = sqlq_json(q, a);
    row->core.node_statuses_json = sqlq_json(q, a);
    row->core.waiting_json = sqlq_json(q, a);
    row->core.usage_json = sqlq_str(q, a);
    q->corrupt |= !rules_usage_read(&row->core.usage_json);
    row->core.vars_json = sqlq_json(q, a);
    row->meta.workspace = sqlq_str(q, a);
    sqlq_id(q, &row->owner);
    sqlq_id(q, &row->meta.parent_id);
    row->meta.parent_seq = sqlq_i64(q);
    sqlq_id(q, &row->meta.parent_run);
    struct str core = sqlq_json(q, a);
    q->corrupt = q->corrupt || !rules_core_read(a, core, &row->core);
}

static int session_details(struct sqlite_db *db, struct arena *a, int64_t key, bool with_graph,
                           struct session_row *row)
{
    struct session_meta *meta = &row->meta;
    struct sqlq q;

    sqlq_start(&q, db, SQL_DETAILS_GET);
    sqlq_bind_i64(&q, key);
    sqlq_bind_i64(&q, with_graph);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return session_corrupt(db, &row->id, "details");
    meta->input_json = sqlq_json(&q, a);
    meta->metadata_json = sqlq_json(&q, a);
    meta->settings_json = sqlq_json(&q, a);
    meta->thread_configs_json = sqlq_json(&q, a);
    meta->workflow_state_json = sqlq_json(&q, a);
    meta->budget_json = sqlq_json(&q, a);
    meta->graph_json = sqlq_json(&q, a);
    meta->checksum = sqlq_str(&q, a);
    row->checksum_now = sqlq_str(&q, a);
    sqlq_end(&q);
    return q.corrupt ? session_corrupt(db, &row->id, "details") : 0;
}

int sqlite_events_stored(struct sqlite_db *db, int64_t key, int64_t *last_seq)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SESSION_SEQ);
    sqlq_bind_i64(&q, key);
    int more = sqlq_next(&q);
    if (more > 0) {
        int64_t seq = sqlq_i64(&q);
        sqlq_end(&q);
        if (seq > *last_seq)
            *last_seq = seq;
    }
    return more < 0 ? more : 0;
}

int sqlite_session_seq(struct sqlite_db *db, const struct id *id, int64_t key, int64_t *last_seq)
{
    int status = sqlite_events_stored(db, key, last_seq);

    if (status == 0 && db->view)
        sqlite_recent_seq(db->view, id, key, last_seq);
    return status;
}

static int session_rest(struct sqlite_db *db, struct arena *a, int64_t key, bool with_graph,
                        struct session_row *row)
{
    int status = session_details(db, a, key, with_graph, row);

    return status < 0 ? status : sqlite_session_seq(db, &row->id, key, &row->core.last_seq);
}

int sqlite_session_get(struct sqlite_db *db, struct arena *a, struct str workspace,
                       const struct id *id, struct session_row *row, int64_t *key)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SESSION_GET);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more > 0) {
        session_columns(&q, a, row, key);
        sqlq_end(&q);
        if (q.corrupt)
            return session_corrupt(db, id, "row");
    }
    if (more == 0 || (workspace.p && !str_eq(workspace, row->meta.workspace)))
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such session");
    return sqlite_session_seq(db, id, *key, &row->core.last_seq);
}

int sqlite_session_read(struct sqlite_db *db, struct store_session_get *g)
{
    int64_t key = 0;

    int status = sqlite_session_get(db, &g->req.arena, g->workspace, &g->id, &g->row, &key);
    return status < 0 ? status : session_details(db, &g->req.arena, key, true, &g->row);
}

/* ---- a page ---- */

/* The index that a page is walked along: of the filters given, the one that is likely to leave
 * the fewest rows. The others are looked at row by row. */
static enum sqlite_sql session_walk(const struct store_session_list *l, struct str *value)
{
    enum sqlite_sql sql;

    if (l->user_id.p) {
        *value = l->user_id;
        sql = SQL_SESSIONS_BY_USER;
    } else if (l->group_id.p) {
        *value = l->group_id;
        sql = SQL_SESSIONS_BY_GROUP;
    } else if (l->status.p && !(l->workflow_id.p && str_eqz(l->status, "completed"))) {
        *value = l->status;
        sql = SQL_SESSIONS_BY_STATUS;
    } else if (l->workflow_id.p) {
        *value = l->workflow_id;
        sql = SQL_SESSIONS_BY_WORKFLOW;
    } else {
        *value = STR_NULL;
        sql = SQL_SESSIONS_BY_TIME;
    }
    return l->ascending ? sql + 1 : sql;
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

/* What does not read back passes: whoever reads the row then says so. */
static bool session_metadata_matches(struct sqlite_db *db, const struct store_session_list *l,
                                     int64_t key, struct arena *scratch)
{
    struct sqlq q;

    if (l->metadata_count == 0)
        return true;
    sqlq_start(&q, db, SQL_METADATA_GET);
    sqlq_bind_i64(&q, key);
    if (sqlq_next(&q) <= 0)
        return true;
    struct str metadata = sqlq_json(&q, scratch);
    sqlq_end(&q);
    return q.corrupt || rules_metadata_matches(l, metadata);
}

/* Whether the row that q stands on passes the filters; its bytes are not kept. */
static bool session_matches(struct sqlq *q, const struct store_session_list *l, int64_t *at,
                            int64_t *key)
{
    struct session_row row;
    struct arena scratch;

    arena_init(&scratch);
    session_filter_columns(q, &scratch, &row, key);
    *at = row.created_at;
    bool matches = q->corrupt || (rules_session_matches(l, &row) &&
                                  session_metadata_matches(q->db, l, *key, &scratch));
    arena_deinit(&scratch);
    sqlq_rewind(q);
    return matches; /* a corrupt row is reported by whoever reads it next */
}

static int session_take(struct sqlq *q, struct arena *a, struct session_item **out)
{
    struct session_item *item = arena_alloc(a, sizeof(*item));
    int64_t key = 0;

    *out = item;
    session_columns(q, a, &item->row, &key);
    if (q->corrupt)
        return session_corrupt(q->db, &item->row.id, "row");
    return session_rest(q->db, a, key, false, &item->row);
}

static int session_page(struct sqlq *q, struct store_session_list *l)
{
    struct session_item **tail = &l->rows;
    struct page page = page_of(l->limit);
    int64_t at = 0, key = 0, last_at = 0, last_key = 0;
    int more;

    while ((more = sqlq_next(q)) > 0) {
        enum page_verdict verdict = page_see(&page, session_matches(q, l, &at, &key));
        if (verdict == PAGE_STOP) {
            l->next_cursor =
                cursor_encode(&l->req.arena, CURSOR_SESSIONS, last_at, last_key, STR_NULL);
            sqlq_end(q);
            return 0;
        }
        last_at = at;
        last_key = key;
        if (verdict == PAGE_SKIP)
            continue;
        struct session_item *item = NULL;
        int status = session_take(q, &l->req.arena, &item);
        if (status == ERR_CORRUPT && item && !id_is_zero(item->row.id)) {
            rules_list_corrupt(l, item->row.id);
            q->corrupt = false;
            continue;
        }
        if (status < 0) {
            sqlq_end(q);
            return status;
        }
        *tail = item;
        tail = &item->next;
    }
    return more;
}

int sqlite_session_list(struct sqlite_db *db, struct store_session_list *l)
{
    struct session_range range;
    struct str value;
    int64_t workspace = 0;
    struct sqlq q;

    l->rows = NULL;
    l->corrupt = NULL;
    l->next_cursor = STR_NULL;
    int status = session_range(l, &range, &db->error);
    if (status < 0)
        return status;
    status = sqlite_workspace_find(db, l->workspace, &workspace);
    if (status == ERR_NOT_FOUND)
        return 0;
    if (status < 0)
        return status;
    sqlq_start(&q, db, session_walk(l, &value));
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_i64(&q, range.end_at);
    sqlq_bind_i64(&q, range.begin_at);
    sqlq_bind_i64(&q, range.begin_key);
    if (value.p)
        sqlq_bind_str(&q, value);
    return session_page(&q, l);
}

int sqlite_children_list(struct sqlite_db *db, struct store_children_list *l)
{
    struct session_item **tail = &l->rows;
    struct sqlq q;
    int more;

    l->rows = NULL;
    sqlq_start(&q, db, SQL_CHILDREN);
    sqlq_bind_id(&q, &l->parent_id);
    sqlq_bind_i64(&q, STORE_LIMIT_MAX);
    while ((more = sqlq_next(&q)) > 0) {
        int status = session_take(&q, &l->req.arena, tail);
        if (status < 0) {
            sqlq_end(&q);
            return status;
        }
        tail = &(*tail)->next;
    }
    return more;
}

/* ---- all that hangs on a session ---- */

static int session_effects(struct sqlite_db *db, struct store_session_load *l, int64_t key)
{
    struct effect_row **tail = &l->effects;
    struct sqlq q;
    int more;

    sqlq_start(&q, db, SQL_EFFECTS_LOAD);
    sqlq_bind_i64(&q, key);
    while ((more = sqlq_next(&q)) > 0) {
        struct effect_row *row = arena_alloc(&l->req.arena, sizeof(*row));
        sqlq_id(&q, &row->run_id);
        row->kind = sqlq_str(&q, &l->req.arena);
        row->request_json = sqlq_json(&q, &l->req.arena);
        *tail = row;
        tail = &row->next;
    }
    return more == 0 && q.corrupt ? session_corrupt(db, &l->id, "effects") : more;
}

static int session_timers(struct sqlite_db *db, struct store_session_load *l, int64_t key)
{
    struct timer_row **tail = &l->timers;
    struct sqlq q;
    int more;

    sqlq_start(&q, db, SQL_TIMERS_LOAD);
    sqlq_bind_i64(&q, key);
    while ((more = sqlq_next(&q)) > 0) {
        struct timer_row *row = arena_alloc(&l->req.arena, sizeof(*row));
        sqlq_id(&q, &row->timer_id);
        row->due_at = sqlq_i64(&q);
        row->purpose_json = sqlq_json(&q, &l->req.arena);
        *tail = row;
        tail = &row->next;
    }
    return more == 0 && q.corrupt ? session_corrupt(db, &l->id, "timers") : more;
}

static int session_withheld(struct sqlite_db *db, struct store_session_load *l, int64_t key)
{
    struct withheld_row **tail = &l->withheld;
    struct sqlq q;
    int more;

    sqlq_start(&q, db, SQL_WITHHELD_LOAD);
    sqlq_bind_i64(&q, key);
    while ((more = sqlq_next(&q)) > 0) {
        struct withheld_row *row = arena_alloc(&l->req.arena, sizeof(*row));
        row->ord = sqlq_i64(&q);
        row->input_json = sqlq_json(&q, &l->req.arena);
        *tail = row;
        tail = &row->next;
    }
    return more == 0 && q.corrupt ? session_corrupt(db, &l->id, "withheld inputs") : more;
}

static int session_runs(struct sqlite_db *db, struct store_session_load *l, int64_t key)
{
    struct run_row **tail = &l->runs;
    struct sqlq q;
    int more;

    sqlq_start(&q, db, SQL_RUNS_NEWEST);
    sqlq_bind_i64(&q, key);
    while ((more = sqlq_next(&q)) > 0) {
        struct run_row *row = arena_alloc(&l->req.arena, sizeof(*row));
        sqlite_run_columns(&q, &l->req.arena, row);
        row->progress_json = sqlq_json(&q, &l->req.arena);
        *tail = row;
        tail = &row->next;
    }
    if (more < 0)
        return more;
    return q.corrupt || !rules_runs_newest(&l->req.arena, l->runs_packed, &l->runs)
               ? session_corrupt(db, &l->id, "node runs")
               : 0;
}

static int session_state(struct sqlite_db *db, struct store_session_load *l, int64_t key)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SESSION_STATE);
    sqlq_bind_i64(&q, key);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    struct str state = sqlq_json(&q, &l->req.arena);
    if (state.p)
        l->row.core.state_json = state;
    l->runs_packed = sqlq_json(&q, &l->req.arena);
    sqlq_end(&q);
    return q.corrupt ? session_corrupt(db, &l->id, "state") : 0;
}

/* The text of the workflow: the session's own, or the version's that it was started with. */
static int session_workflow(struct sqlite_db *db, struct store_session_load *l)
{
    const struct session_meta *meta = &l->row.meta;
    struct workflow_row workflow;
    int64_t workspace = 0;

    l->workflow_json = meta->graph_json;
    if (meta->graph_json.p || !meta->workflow_id.p || meta->stored_only)
        return 0;
    int status = sqlite_workspace_find(db, meta->workspace, &workspace);
    if (status == 0)
        status = sqlite_version_get(db, &l->req.arena, workspace, meta->workflow_id,
                                    meta->workflow_version, &workflow);
    if (status == ERR_NOT_FOUND)
        return session_corrupt(db, &l->id, "workflow's text");
    if (status == 0)
        l->workflow_json = workflow.graph_json;
    return status;
}

static int session_claim(struct sqlite_db *db, struct store_session_load *l, int64_t key)
{
    bool alive = false;
    struct sqlq q;

    if (l->row.core.ended_at > 0 || l->row.meta.stored_only || id_eq(l->row.owner, l->claim_for))
        return 0;
    int status = id_is_zero(l->row.owner) ? 0 : sqlite_instance_is_there(db, &l->row.owner, &alive);
    if (status < 0)
        return status;
    if (alive)
        return sqlite_db_refuse(db, ERR_STALE, "another instance has the session");
    l->row.epoch++;
    l->row.owner = l->claim_for;
    sqlq_start(&q, db, SQL_SESSION_CLAIM);
    sqlq_bind_i64(&q, (int64_t)l->row.epoch);
    sqlq_bind_id(&q, &l->claim_for);
    sqlq_bind_i64(&q, key);
    return sqlq_run(&q);
}

int sqlite_session_load(struct sqlite_db *db, struct store_session_load *l)
{
    int64_t key = 0;

    l->runs = NULL;
    l->effects = NULL;
    l->timers = NULL;
    l->withheld = NULL;
    int status = sqlite_session_get(db, &l->req.arena, STR_NULL, &l->id, &l->row, &key);
    if (status == 0)
        status = session_details(db, &l->req.arena, key, true, &l->row);
    if (status == 0)
        status = session_state(db, l, key);
    if (status == 0)
        status = session_workflow(db, l);
    if (status == 0)
        status = session_runs(db, l, key);
    if (status == 0)
        status = session_effects(db, l, key);
    if (status == 0)
        status = session_timers(db, l, key);
    if (status == 0)
        status = session_withheld(db, l, key);
    if (status == 0 && !id_is_zero(l->claim_for)) /* last: one that cannot be read is not claimed */
        status = session_claim(db, l, key);
    return status;
}
