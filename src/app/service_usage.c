/* What model calls used: of a session, by its nodes, agents and models; of a group or the
 * workspace, by day. Sums over the rows of llm_usage, which are one a call. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/budget.h"
#include "net/wire.h"

#define DAY_MS       INT64_C(86400000)
#define DAYS_DEFAULT 30
#define ROWS_MAX     5000  /* of an answer by day, group, agent, model */
#define PARTS_MAX    20000 /* combinations of node, agent and model in one session */

struct usage_job {
    struct app *app;
    struct svc_req *req;
    struct store_session_get session;
    struct store_children_list children;
    struct store_usage_sum sum, total;
};

static struct usage_job *job_create(struct app *a, struct svc_req *req)
{
    struct usage_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    return job;
}

static void job_end(struct usage_job *job)
{
    store_req_deinit(&job->session.req);
    store_req_deinit(&job->children.req);
    store_req_deinit(&job->sum.req);
    store_req_deinit(&job->total.req);
    free(job);
}

/* True when it had failed: then the job is over. */
static bool job_failed(struct usage_job *job, const struct store_req *r)
{
    if (!app_failed_store(job->req, r, "there is no such session"))
        return false;
    job_end(job);
    return true;
}

/* ---- sums ---- */

static void sum_add(struct usage_sum *to, const struct usage_sum *u)
{
    to->calls += u->calls;
    to->input_tokens += u->input_tokens;
    to->output_tokens += u->output_tokens;
    to->cost_micros += u->cost_micros;
    to->unpriced_calls += u->unpriced_calls;
    to->estimated_calls += u->estimated_calls;
}

/* Into an object that is open. The cost is that of the calls whose price is known; null when it is
 * known of none. */
static void sum_write(struct jw *w, const struct usage_sum *u)
{
    jw_kv_i64(w, "input_tokens", u->input_tokens);
    jw_kv_i64(w, "output_tokens", u->output_tokens);
    jw_kv_i64(w, "total_tokens", u->input_tokens + u->output_tokens);
    if (u->calls && u->unpriced_calls == u->calls)
        jw_kv_raw(w, "cost_usd", STR("null"));
    else
        micros_write(w, "cost_usd", u->cost_micros);
    jw_kv_i64(w, "calls", u->calls);
    jw_kv_i64(w, "unpriced_calls", u->unpriced_calls);
    jw_kv_i64(w, "estimated_calls", u->estimated_calls);
}

static void text_write(struct jw *w, const char *key, struct str text)
{
    if (text.p)
        jw_kv_string(w, key, text);
    else
        jw_kv_raw(w, key, STR("null"));
}

/* ---- one session ---- */

enum part { PART_NODE, PART_AGENT, PART_MODEL };

static bool texts_eq(struct str a, struct str b)
{
    return !a.p == !b.p && (!a.p || str_eq(a, b));
}

static bool part_is_same(enum part part, const struct usage_sum *a, const struct usage_sum *b)
{
    switch (part) {
    case PART_NODE:
        return texts_eq(a->node_id, b->node_id);
    case PART_AGENT:
        return texts_eq(a->agent_id, b->agent_id);
    case PART_MODEL:
        return texts_eq(a->provider, b->provider) && texts_eq(a->model, b->model);
    }
    return false;
}

static void part_write(struct jw *w, enum part part, const struct usage_sum *u)
{
    jw_object(w);
    switch (part) {
    case PART_NODE:
        text_write(w, "node_id", u->node_id);
        break;
    case PART_AGENT:
        text_write(w, "agent_id", u->agent_id);
        break;
    case PART_MODEL:
        text_write(w, "provider", u->provider);
        text_write(w, "model", u->model);
        break;
    }
    sum_write(w, u);
    jw_end(w);
}

/* Calls that no agent made are in no row of the agents. */
static void parts_write(struct jw *w, const char *key, enum part part, struct arena *a,
                        const struct usage_sum *rows)
{
    struct usage_sum *first = NULL, **tail = &first;
    for (const struct usage_sum *u = rows; u; u = u->next) {
        struct usage_sum *it = first;
        if (part == PART_AGENT && !u->agent_id.p)
            continue;
        while (it && !part_is_same(part, it, u))
            it = it->next;
        if (!it) {
            it = *tail = arena_alloc(a, sizeof(*it));
            *it = (struct usage_sum){.node_id = u->node_id,
                                     .agent_id = u->agent_id,
                                     .provider = u->provider,
                                     .model = u->model};
            tail = &it->next;
        }
        sum_add(it, u);
    }
    jw_key(w, key);
    jw_array(w);
    for (const struct usage_sum *u = first; u; u = u->next)
        part_write(w, part, u);
    jw_end(w);
}

/* Sessions of subworkflow nodes are apart: each has totals of its own. */
static void children_write(struct jw *w, const struct session_item *rows)
{
    jw_key(w, "children");
    jw_array(w);
    for (const struct session_item *it = rows; it; it = it->next) {
        static const char *const keys[] = {"input_tokens", "output_tokens", "cost_usd"};
        struct json usage =
            json_root(it->row.core.usage_json.p ? it->row.core.usage_json : STR("{}"));
        char id[ID_TEXT_BYTES + 1];
        id_format(it->row.id, id);
        jw_object(w);
        jw_kv_stringz(w, "session_id", id);
        jw_kv_string(w, "status", it->row.core.status);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            struct json v = json_get_set(usage, keys[i]);
            jw_kv_raw(w, keys[i], json_exists(v) ? json_raw(v) : i < 2 ? STR("0") : STR("null"));
        }
        jw_end(w);
    }
    jw_end(w);
}

static void session_summed(struct store_req *r)
{
    struct usage_job *job = r->data;
    struct usage_sum all = {0};
    struct jw w;
    if (job_failed(job, r))
        return;
    for (const struct usage_sum *u = job->sum.rows; u; u = u->next)
        sum_add(&all, u);
    jw_init(&w, &job->req->body);
    jw_object(&w);
    jw_key(&w, "session");
    jw_object(&w);
    sum_write(&w, &all);
    jw_end(&w);
    parts_write(&w, "nodes", PART_NODE, &r->arena, job->sum.rows);
    parts_write(&w, "agents", PART_AGENT, &r->arena, job->sum.rows);
    parts_write(&w, "models", PART_MODEL, &r->arena, job->sum.rows);
    children_write(&w, job->children.rows);
    jw_end(&w);
    if (job->sum.more || buf_error(&job->req->body))
        app_fail(job->req, ERR_TOO_LARGE, "the session has too many nodes, agents and models");
    else
        app_done(job->req);
    job_end(job);
}

static void children_listed(struct store_req *r)
{
    struct usage_job *job = r->data;
    if (job_failed(job, r))
        return;
    store_req_init(&job->sum.req, STORE_USAGE_SUM, session_summed, job);
    job->sum.workspace = job->req->workspace;
    job->sum.session_id = job->req->session_id;
    job->sum.by_node = job->sum.by_agent = job->sum.by_model = true;
    job->sum.limit = PARTS_MAX;
    store_submit(job->app->store, &job->sum.req);
}

static void session_got(struct store_req *r)
{
    struct usage_job *job = r->data;
    if (job_failed(job, r))
        return;
    store_req_init(&job->children.req, STORE_CHILDREN_LIST, children_listed, job);
    job->children.parent_id = job->req->session_id;
    store_submit(job->app->store, &job->children.req);
}

void svc_session_usage(struct app *a, struct svc_req *req)
{
    struct usage_job *job = job_create(a, req);
    store_req_init(&job->session.req, STORE_SESSION_GET, session_got, job);
    job->session.workspace = req->workspace;
    job->session.id = req->session_id;
    store_submit(a->store, &job->session.req);
}

/* ---- by day ---- */

/* A comma list of words, each of which sets a flag. */
static bool by_parse(struct str by, struct store_usage_sum *u)
{
    static const char *const words[] = {"day", "group", "node", "agent", "model"};
    bool *const flags[] = {&u->by_day, &u->by_group, &u->by_node, &u->by_agent, &u->by_model};
    for (size_t at = 0; at <= by.n;) {
        const char *comma = at < by.n ? memchr(by.p + at, ',', by.n - at) : NULL;
        size_t end = comma ? (size_t)(comma - by.p) : by.n, i = 0;
        struct str word = {by.p + at, end - at};
        while (i < 5 && !str_eqz(word, words[i]))
            i++;
        if (i == 5)
            return false;
        *flags[i] = true;
        at = end + 1;
    }
    return true;
}

static void day_write(struct jw *w, int64_t day)
{
    char text[CLOCK_RFC3339_BYTES + 1];
    clock_format_rfc3339(day, text);
    jw_kv_string(w, "day", (struct str){text, 10});
}

static void row_write(struct jw *w, const struct store_usage_sum *u, const struct usage_sum *row)
{
    jw_object(w);
    if (u->by_day)
        day_write(w, row->day);
    if (u->by_group)
        text_write(w, "group_id", row->group_id);
    if (u->by_node)
        text_write(w, "node_id", row->node_id);
    if (u->by_agent)
        text_write(w, "agent_id", row->agent_id);
    if (u->by_model) {
        text_write(w, "provider", row->provider);
        text_write(w, "model", row->model);
    }
    sum_write(w, row);
    jw_end(w);
}

static void total_summed(struct store_req *r)
{
    struct usage_job *job = r->data;
    const struct store_usage_sum *u = &job->sum;
    struct usage_sum none = {0};
    struct jw w;
    if (job_failed(job, r))
        return;
    jw_init(&w, &job->req->body);
    jw_object(&w);
    jw_kv_time(&w, "from", u->from);
    jw_kv_time(&w, "until", u->until);
    jw_key(&w, "items");
    jw_array(&w);
    for (const struct usage_sum *row = u->rows; row; row = row->next)
        row_write(&w, u, row);
    jw_end(&w);
    jw_key(&w, "total");
    jw_object(&w);
    sum_write(&w, job->total.rows ? job->total.rows : &none);
    jw_end(&w);
    jw_kv_bool(&w, "truncated", u->more);
    jw_end(&w);
    app_done(job->req);
    job_end(job);
}

static void rows_summed(struct store_req *r)
{
    struct usage_job *job = r->data;
    struct store_usage_sum *t = &job->total;
    if (job_failed(job, r))
        return;
    store_req_init(&t->req, STORE_USAGE_SUM, total_summed, job);
    t->workspace = job->sum.workspace;
    t->group_id = job->sum.group_id;
    t->from = job->sum.from;
    t->until = job->sum.until;
    t->limit = 1;
    store_submit(job->app->store, &t->req);
}

/* Not given: the last 30 days, today included. */
static void span_fill(const struct svc_req *req, struct store_usage_sum *u)
{
    int64_t now = clock_wall_ms();
    u->until = req->usage.until ? req->usage.until : now - now % DAY_MS + DAY_MS;
    u->from = req->usage.from ? req->usage.from : u->until - DAYS_DEFAULT * DAY_MS;
    if (u->from < 1)
        u->from = 1;
}

void svc_usage(struct app *a, struct svc_req *req)
{
    struct usage_job *job = job_create(a, req);
    struct store_usage_sum *u = &job->sum;
    store_req_init(&u->req, STORE_USAGE_SUM, rows_summed, job);
    span_fill(req, u);
    if (!by_parse(req->usage.by.p ? req->usage.by : STR("day"), u)) {
        app_fail(req, ERR_INVALID, "by: expected some of day, group, node, agent, model");
        job_end(job);
        return;
    }
    if (u->from >= u->until) {
        app_fail(req, ERR_INVALID, "from must be before until");
        job_end(job);
        return;
    }
    u->workspace = req->workspace;
    u->group_id = req->usage.group_id;
    u->limit = ROWS_MAX;
    store_submit(a->store, &u->req);
}
