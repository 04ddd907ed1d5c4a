/* Statistics over sessions. */
#include <stdlib.h>

#include "app/app.h"
#include "base/mem.h"

struct stats_job {
    struct svc_req *req;
    struct store_session_stats stats;
};

static void write_counts(struct jw *w, const struct stat_row *first, const struct stat_row *end)
{
    int64_t total = 0;
    jw_key(w, "by_status");
    jw_object(w);
    for (const struct stat_row *r = first; r != end; r = r->next) {
        jw_key_str(w, r->status);
        jw_i64(w, r->count);
        total += r->count;
    }
    jw_end(w);
    jw_kv_i64(w, "total", total);
}

static bool same_group(const struct stat_row *a, const struct stat_row *b)
{
    return a->day == b->day && !a->key.p == !b->key.p && (!a->key.p || str_eq(a->key, b->key));
}

/* Rows of one workflow or day follow each other. */
static void write_groups(struct jw *w, const char *name, const struct stat_row *rows, bool by_day)
{
    jw_key(w, name);
    jw_array(w);
    while (rows) {
        const struct stat_row *end = rows->next;
        while (end && same_group(rows, end))
            end = end->next;
        jw_object(w);
        if (by_day)
            jw_kv_time(w, "day", rows->day);
        else if (rows->key.p)
            jw_kv_string(w, "workflow_id", rows->key);
        else
            jw_kv_raw(w, "workflow_id", STR_NULL);
        write_counts(w, rows, end);
        jw_end(w);
        rows = end;
    }
    jw_end(w);
}

static void write_duration(struct jw *w, const char *key, const struct store_session_stats *s,
                           int64_t ms)
{
    if (s->ended)
        jw_kv_i64(w, key, ms);
    else
        jw_kv_raw(w, key, STR_NULL);
}

static void write_durations(struct jw *w, const struct store_session_stats *s)
{
    jw_key(w, "durations");
    jw_object(w);
    jw_kv_i64(w, "count", s->ended);
    write_duration(w, "mean_ms", s, s->ended ? s->duration_sum / s->ended : 0);
    write_duration(w, "p50_ms", s, s->p50);
    write_duration(w, "p90_ms", s, s->p90);
    write_duration(w, "p99_ms", s, s->p99);
    write_duration(w, "max_ms", s, s->duration_max);
    jw_end(w);
}

static void stats_write(struct jw *w, const struct store_session_stats *s)
{
    jw_object(w);
    jw_kv_bool(w, "truncated", s->truncated);
    write_counts(w, s->by_status, NULL);
    write_groups(w, "by_workflow", s->by_workflow, false);
    write_groups(w, "by_day", s->by_day, true);
    write_durations(w, s);
    jw_key(w, "failures");
    jw_array(w);
    for (const struct stat_row *r = s->failures; r; r = r->next) {
        jw_object(w);
        jw_kv_string(w, "code", r->key);
        jw_kv_i64(w, "count", r->count);
        jw_end(w);
    }
    jw_end(w);
    jw_key(w, "usage");
    jw_object(w);
    jw_kv_i64(w, "input_tokens", s->input_tokens);
    jw_kv_i64(w, "output_tokens", s->output_tokens);
    jw_kv_double(w, "cost_usd", s->cost_usd);
    jw_end(w);
    jw_end(w);
}

static void stats_read(struct store_req *r)
{
    struct stats_job *job = r->data;
    struct jw w;
    if (!app_failed_store(job->req, r, "")) {
        jw_init(&w, &job->req->body);
        stats_write(&w, &job->stats);
        app_done(job->req);
    }
    store_req_deinit(r);
    free(job);
}

void svc_session_stats(struct app *a, struct svc_req *req)
{
    struct stats_job *job = mem_zalloc(sizeof(*job));
    job->req = req;
    store_req_init(&job->stats.req, STORE_SESSION_STATS, stats_read, job);
    job->stats.workspace = req->workspace;
    job->stats.workflow_id = req->list.workflow_id;
    job->stats.group_id = req->list.group_id;
    job->stats.created_after = req->list.created_after;
    job->stats.created_before = req->list.created_before;
    store_submit(a->store, &job->stats.req);
}
