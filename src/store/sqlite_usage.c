/* What model calls used: rows written with a commit, and sums of them. */
#include "store/rules.h"
#include "store/sqlite_store.h"

int sqlite_commit_usage(struct sqlite_db *db, const struct delta *d, int64_t key)
{
    int status = 0;
    struct sqlq q;

    for (const struct usage_row *u = d->usage; u && status == 0; u = u->next) {
        sqlq_start(&q, db, SQL_USAGE_INSERT);
        sqlq_bind_i64(&q, key);
        sqlq_bind_id(&q, &u->call_id);
        sqlq_bind_id(&q, &u->run_id);
        sqlq_bind_str(&q, u->node_id);
        sqlq_bind_str(&q, u->agent_id);
        sqlq_bind_str(&q, u->provider);
        sqlq_bind_str(&q, u->model);
        sqlq_bind_i64(&q, u->input_tokens);
        sqlq_bind_i64(&q, u->output_tokens);
        sqlq_bind_i64(&q, u->cost_micros);
        sqlq_bind_i64(&q, u->estimated);
        sqlq_bind_i64(&q, u->created_at);
        status = sqlq_run(&q);
    }
    return status;
}

static void usage_columns(struct sqlq *q, struct arena *a, struct usage_sum *row)
{
    *row = (struct usage_sum){.day = sqlq_i64(q)};
    row->group_id = sqlq_str(q, a);
    row->node_id = sqlq_str(q, a);
    row->agent_id = sqlq_str(q, a);
    row->provider = sqlq_str(q, a);
    row->model = sqlq_str(q, a);
    row->calls = sqlq_i64(q);
    row->input_tokens = sqlq_i64(q);
    row->output_tokens = sqlq_i64(q);
    row->cost_micros = sqlq_i64(q);
    row->unpriced_calls = sqlq_i64(q);
    row->estimated_calls = sqlq_i64(q);
}

static int usage_page(struct sqlq *q, struct store_usage_sum *u)
{
    struct usage_sum **tail = &u->rows;
    int more;

    for (int left = u->limit; (more = sqlq_next(q)) > 0; left--) {
        if (left == 0) {
            sqlq_end(q);
            u->more = true;
            return 0;
        }
        struct usage_sum *row = arena_alloc(&u->req.arena, sizeof(*row));
        usage_columns(q, &u->req.arena, row);
        if (q->corrupt)
            return sqlite_db_corrupt(q->db, "what model calls used does not read back");
        *tail = row;
        tail = &row->next;
    }
    return more;
}

int sqlite_usage_sum(struct sqlite_db *db, struct store_usage_sum *u)
{
    int64_t workspace = 0;
    struct sqlq q;

    u->rows = NULL;
    u->more = false;
    int status = sqlite_workspace_find(db, u->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status; /* nobody has done anything in it */
    sqlq_start(&q, db, id_is_zero(u->session_id) ? SQL_USAGE_BY_TIME : SQL_USAGE_OF_SESSION);
    sqlq_bind_i64(&q, u->by_day);
    sqlq_bind_i64(&q, u->by_group);
    sqlq_bind_i64(&q, u->by_node);
    sqlq_bind_i64(&q, u->by_agent);
    sqlq_bind_i64(&q, u->by_model);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_id_or_null(&q, &u->session_id);
    sqlq_bind_str(&q, u->group_id);
    sqlq_bind_i64(&q, u->from);
    sqlq_bind_i64(&q, u->until > 0 ? u->until : INT64_MAX);
    sqlq_bind_i64(&q, (int64_t)u->limit + 1);
    return usage_page(&q, u);
}
