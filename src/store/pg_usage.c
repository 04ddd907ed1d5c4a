/* Sums of what model calls used; their rows are written by pg_commit_rows.c. */
#include "store/pg_store.h"
#include "store/rules.h"

static void usage_columns(struct pgr *r, struct arena *a, struct usage_sum *row)
{
    *row = (struct usage_sum){.day = pgr_i64(r)};
    row->group_id = pgr_str(r, a);
    row->node_id = pgr_str(r, a);
    row->agent_id = pgr_str(r, a);
    row->provider = pgr_str(r, a);
    row->model = pgr_str(r, a);
    row->calls = pgr_i64(r);
    row->input_tokens = pgr_i64(r);
    row->output_tokens = pgr_i64(r);
    row->cost_micros = pgr_i64(r);
    row->unpriced_calls = pgr_i64(r);
    row->estimated_calls = pgr_i64(r);
}

static int usage_summed(struct pg_job *j)
{
    struct store_usage_sum *u = container_of(j->req, struct store_usage_sum, req);
    struct usage_sum **tail = &u->rows;
    int left = u->limit;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); left--) {
        if (left == 0) {
            u->more = true;
            return 0;
        }
        struct usage_sum *row = arena_alloc(&j->req->arena, sizeof(*row));
        usage_columns(&r, &j->req->arena, row);
        if (r.corrupt)
            return pg_refuse(j, ERR_CORRUPT, "what model calls used does not read back");
        *tail = row;
        tail = &row->next;
    }
    return 0;
}

int pg_usage_sum_start(struct pg_job *j)
{
    struct store_usage_sum *u = container_of(j->req, struct store_usage_sum, req);
    struct pgq q;

    u->rows = NULL;
    u->more = false;
    pgq_start(&q, j->conn, id_is_zero(u->session_id) ? PG_USAGE_BY_TIME : PG_USAGE_OF_SESSION);
    pgq_bool(&q, u->by_day);
    pgq_bool(&q, u->by_group);
    pgq_bool(&q, u->by_node);
    pgq_bool(&q, u->by_agent);
    pgq_bool(&q, u->by_model);
    pgq_str(&q, rules_workspace(u->workspace));
    pgq_id_or_null(&q, &u->session_id);
    pgq_str(&q, u->group_id);
    pgq_i64(&q, u->from);
    pgq_i64(&q, u->until > 0 ? u->until : INT64_MAX);
    pgq_i64(&q, (int64_t)u->limit + 1);
    pgq_end(&q);
    return pg_await(j, usage_summed);
}
