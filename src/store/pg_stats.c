/* Statistics of sessions: summed up in the database, for the loop must not look at each row. */
#include <stdlib.h>
#include <string.h>

#include "store/pg_store.h"
#include "store/rules.h"

static int64_t stats_number(struct pg_job *j, struct pgr *r)
{
    struct str text = pgr_str(r, &j->req->arena);

    return text.p ? strtoll(text.p, NULL, 10) : 0;
}

/* Kind 0. Its `day` counts the rows that were looked at. */
static void stats_sums(struct pg_job *j, struct pgr *r, struct store_session_stats *s)
{
    int64_t looked = pgr_i64(r);

    pgr_str(r, &j->req->arena); /* no status */
    s->total = pgr_i64(r);
    s->ended = pgr_i64(r);
    s->duration_sum = pgr_i64(r);
    s->p50 = stats_number(j, r);
    s->p90 = stats_number(j, r);
    s->p99 = stats_number(j, r);
    s->duration_max = stats_number(j, r);
    s->input_tokens = pgr_i64(r);
    s->output_tokens = pgr_i64(r);
    struct str cost = pgr_str(r, &j->req->arena);
    s->cost_usd = cost.p ? strtod(cost.p, NULL) : 0;
    s->truncated = s->truncated || looked > STATS_ROWS_MAX;
}

static int stats_answered(struct pg_job *j)
{
    struct store_session_stats *s = container_of(j->req, struct store_session_stats, req);
    struct stat_row **tails[] = {&s->by_status, &s->by_workflow, &s->by_day, &s->failures};
    int64_t counts[4] = {0};
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r);) {
        int64_t kind = pgr_i64(&r);
        struct str key = pgr_str(&r, &j->req->arena);
        if (kind == 0) {
            stats_sums(j, &r, s);
            continue;
        }
        if (++counts[kind - 1] > STATS_KEYS_MAX) {
            s->truncated = true;
            continue;
        }
        struct stat_row *row = arena_alloc(&j->req->arena, sizeof(*row));
        row->key = key;
        row->day = pgr_i64(&r);
        row->status = pgr_str(&r, &j->req->arena);
        row->count = pgr_i64(&r);
        *tails[kind - 1] = row;
        tails[kind - 1] = &row->next;
    }
    return 0;
}

int pg_session_stats_start(struct pg_job *j)
{
    struct store_session_stats *s = container_of(j->req, struct store_session_stats, req);
    struct pgq q;

    s->by_status = s->by_workflow = s->by_day = s->failures = NULL;
    pgq_start(&q, j->conn,
              s->workflow_id.p ? PG_STATS_BY_WORKFLOW
              : s->group_id.p  ? PG_STATS_BY_GROUP
                               : PG_STATS_BY_TIME);
    pgq_str(&q, rules_workspace(s->workspace));
    pgq_i64(&q, s->created_after ? s->created_after : INT64_MIN);
    pgq_i64(&q, s->created_before ? s->created_before : INT64_MAX);
    pgq_str(&q, s->workflow_id);
    pgq_str(&q, s->group_id);
    pgq_i64(&q, STATS_ROWS_MAX + 1);
    pgq_i64(&q, STATS_KEYS_MAX + 1);
    pgq_end(&q);
    return pg_await(j, stats_answered);
}
