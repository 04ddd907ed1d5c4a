#include <assert.h>
#include <malloc.h>
#include <stdarg.h>

#include "app/app.h"

#define SERVICE_MOVES_MAX 3

void app_done(struct svc_req *req)
{
    req->done(req);
}

void app_fail(struct svc_req *req, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    req->status = err_vset(&req->error, status, fmt, ap);
    va_end(ap);
    req->http_status = 0; /* what a success would have been */
    if (status == ERR_UNAVAILABLE || status == ERR_OVERLOAD)
        req->retry_after_s = 1;
    req->done(req);
}

/* Which session it was that does not read back. */
static void app_details_id(struct svc_req *req)
{
    char text[ID_TEXT_BYTES + 1];
    if (id_is_zero(req->session_id) || req->details.len)
        return;
    id_format(req->session_id, text);
    buf_printf(&req->details, "{\"id\":\"%s\"}", text);
}

bool app_failed_store(struct svc_req *req, const struct store_req *r, const char *not_found)
{
    if (r->status == 0)
        return false;
    if (r->status == ERR_NOT_FOUND)
        app_fail(req, ERR_NOT_FOUND, "%s", not_found);
    else if (r->status == ERR_IO) {
        req->error_code = "store_unavailable";
        app_fail(req, ERR_UNAVAILABLE, "the store cannot be written now: %s", r->error.text);
    } else {
        if (r->status == ERR_UNAVAILABLE)
            req->error_code = "store_unavailable";
        else if (r->status == ERR_CORRUPT)
            app_details_id(req);
        app_fail(req, r->status, "%s", r->error.text);
    }
    return true;
}

static void svc_ready(struct app *a, struct svc_req *req)
{
    if (a->journal.failing) {
        req->error_code = "store_unavailable";
        app_fail(req, ERR_UNAVAILABLE, "the store cannot be written now");
        return;
    }
    buf_append_z(&req->body, "{\"status\":\"ready\"}");
    app_done(req);
}

/* Those that change something; they go by Idempotency-Keys, and not while the store fails. */
/* clang-format off */
static const bool svc_changes[SVC_OP_COUNT] = { /* one a line */
    [SVC_WORKFLOW_CREATE] = true,
    [SVC_WEBHOOK_CREATE] = true,
    [SVC_WEBHOOK_PUT] = true,
    [SVC_WEBHOOK_PATCH] = true,
    [SVC_WEBHOOK_DELETE] = true,
    [SVC_WEBHOOK_REDELIVER] = true,
    [SVC_WEBHOOK_REPLAY] = true,
    [SVC_WEBHOOK_TEST] = true,
    [SVC_WORKFLOW_PUT] = true,
    [SVC_WORKFLOW_DELETE] = true,
    [SVC_EXECUTE] = true,
    [SVC_SCHEDULE_CREATE] = true,
    [SVC_SCHEDULE_PUT] = true,
    [SVC_SCHEDULE_PATCH] = true,
    [SVC_SCHEDULE_DELETE] = true,
    [SVC_SCHEDULE_RUN] = true,
    [SVC_WORKFLOW_IMPORT] = true,
    [SVC_SESSION_DELETE] = true,
    [SVC_SESSION_PUT] = true,
    [SVC_SESSION_PATCH] = true,
    [SVC_SESSION_BATCH] = true,
    [SVC_PAUSE] = true,
    [SVC_RESUME] = true,
    [SVC_CANCEL] = true,
    [SVC_STOP] = true,
    [SVC_NODE_RESUME] = true,
    [SVC_SIGNAL] = true,
    [SVC_INPUT] = true,
    [SVC_STAGE_UPDATE] = true,
    [SVC_STAGE_COMPLETE] = true,
    [SVC_TASK_LEASE] = true,
    [SVC_TASK_HEARTBEAT] = true,
    [SVC_TASK_COMPLETE] = true,
    [SVC_TASK_FAIL] = true,
    [SVC_FORK] = true,
    [SVC_RETRY] = true,
    [SVC_CHILD_ENDED] = true,
    [SVC_CHILD_RESUME] = true,
    [SVC_CATALOG_CREATE] = true,
    [SVC_CATALOG_PUT] = true,
    [SVC_CATALOG_PATCH] = true,
    [SVC_CATALOG_DELETE] = true,
    [SVC_TEMPLATE_INSTANTIATE] = true,
    [SVC_MEMORY_INGEST] = true,
    [SVC_MEMORY_DELETE] = true,
    [SVC_MEMORY_PROMOTE] = true,
    [SVC_SESSION_IMPORT] = true,
    [SVC_STATUS_PUT] = true,
    [SVC_STAGE_SKIP] = true,
    [SVC_STAGE_START] = true,
    [SVC_CURRENT_PUT] = true,
    [SVC_CURRENT_DELETE] = true,
    [SVC_KEY_CREATE] = true,
    [SVC_KEY_REVOKE] = true,
};
/* clang-format on */

typedef void (*svc_handler)(struct app *a, struct svc_req *req);

static const svc_handler svc_handlers[SVC_OP_COUNT] = {
    [SVC_WORKFLOW_LIST] = svc_workflow_list,
    [SVC_WORKFLOW_CREATE] = svc_workflow_put,
    [SVC_WORKFLOW_GET] = svc_workflow_get,
    [SVC_WORKFLOW_PUT] = svc_workflow_put,
    [SVC_WORKFLOW_DELETE] = svc_workflow_delete,
    [SVC_WORKFLOW_VERSIONS] = svc_workflow_versions,
    [SVC_WORKFLOW_VALIDATE] = svc_workflow_validate,
    [SVC_WORKFLOW_IMPORT] = svc_workflow_import,
    [SVC_WORKFLOW_EXPORT] = svc_workflow_export,
    [SVC_WORKFLOW_DIAGRAM] = svc_workflow_diagram,
    [SVC_WORKFLOW_SCHEMA] = svc_workflow_schema,
    [SVC_WORKFLOW_ESTIMATE] = svc_workflow_estimate,
    [SVC_WORKFLOW_GENERATE] = svc_workflow_generate,
    [SVC_EXECUTE] = svc_execute,
    [SVC_SESSION_LIST] = svc_session_list,
    [SVC_SESSION_GET] = svc_session_get,
    [SVC_SESSION_DELETE] = svc_session_delete,
    [SVC_SESSION_PUT] = svc_session_change,
    [SVC_SESSION_PATCH] = svc_session_change,
    [SVC_SESSION_BATCH] = svc_session_batch,
    [SVC_SESSION_STATS] = svc_session_stats,
    [SVC_PAUSE] = svc_command,
    [SVC_RESUME] = svc_command,
    [SVC_CANCEL] = svc_command,
    [SVC_STOP] = svc_command,
    [SVC_NODE_RESUME] = svc_command,
    [SVC_SIGNAL] = svc_command,
    [SVC_INPUT] = svc_command,
    [SVC_FORK] = svc_fork,
    [SVC_RETRY] = svc_fork,
    [SVC_EVENTS] = svc_events,
    [SVC_MESSAGES] = svc_messages,
    [SVC_SESSION_USAGE] = svc_session_usage,
    [SVC_USAGE] = svc_usage,
    [SVC_NODES] = svc_nodes,
    [SVC_SESSION_DIAGRAM] = svc_session_diagram,
    [SVC_REVIEW_LIST] = svc_review_list,
    [SVC_REVIEW_GET] = svc_review_get,
    [SVC_STAGE_LIST] = svc_stage_list,
    [SVC_STAGE_GET] = svc_stage_get,
    [SVC_STAGE_UPDATE] = svc_stage_command,
    [SVC_STAGE_COMPLETE] = svc_stage_command,
    [SVC_STAGE_SKIP] = svc_stage_command,
    [SVC_STAGE_START] = svc_stage_start,
    [SVC_PROGRESS] = svc_progress,
    [SVC_NEXT] = svc_next,
    [SVC_CONTEXT] = svc_context,
    [SVC_TIMELINE] = svc_timeline,
    [SVC_CURRENT_GET] = svc_current,
    [SVC_CURRENT_PUT] = svc_current,
    [SVC_CURRENT_DELETE] = svc_current,
    [SVC_FILES] = svc_files,
    [SVC_FILE_HISTORY] = svc_file_history,
    [SVC_FILE_CONTENT] = svc_file_content,
    [SVC_FILE_DIFF] = svc_file_diff,
    [SVC_TASK_LEASE] = svc_task_lease,
    [SVC_TASK_HEARTBEAT] = svc_task_heartbeat,
    [SVC_TASK_COMPLETE] = svc_task_end,
    [SVC_TASK_FAIL] = svc_task_end,
    [SVC_CATALOG_LIST] = svc_catalog_list,
    [SVC_CATALOG_CREATE] = svc_catalog_put,
    [SVC_CATALOG_GET] = svc_catalog_get,
    [SVC_CATALOG_PUT] = svc_catalog_put,
    [SVC_CATALOG_PATCH] = svc_catalog_patch,
    [SVC_CATALOG_DELETE] = svc_catalog_delete,
    [SVC_TEMPLATE_INSTANTIATE] = svc_template_instantiate,
    [SVC_MEMORY_INGEST] = svc_memory_ingest,
    [SVC_MEMORY_QUERY] = svc_memory_query,
    [SVC_MEMORY_LIST] = svc_memory_list,
    [SVC_MEMORY_GET] = svc_memory_get,
    [SVC_MEMORY_DELETE] = svc_memory_delete,
    [SVC_MEMORY_PROMOTE] = svc_memory_promote,
    [SVC_KNOWLEDGE] = svc_knowledge,
    [SVC_WEBHOOK_LIST] = svc_webhook_list,
    [SVC_WEBHOOK_CREATE] = svc_webhook_put,
    [SVC_WEBHOOK_GET] = svc_webhook_get,
    [SVC_WEBHOOK_PUT] = svc_webhook_put,
    [SVC_WEBHOOK_PATCH] = svc_webhook_put,
    [SVC_WEBHOOK_DELETE] = svc_webhook_delete,
    [SVC_WEBHOOK_DELIVERIES] = svc_webhook_deliveries,
    [SVC_WEBHOOK_REDELIVER] = svc_webhook_redeliver,
    [SVC_WEBHOOK_REPLAY] = svc_webhook_replay,
    [SVC_WEBHOOK_TEST] = svc_webhook_test,
    [SVC_STATUS_LIST] = svc_status_list,
    [SVC_STATUS_GET] = svc_status_get,
    [SVC_STATUS_PUT] = svc_status_put,
    [SVC_SESSION_EXPORT] = svc_session_export,
    [SVC_SESSION_IMPORT] = svc_session_import,
    [SVC_SCHEDULE_LIST] = svc_schedule_list,
    [SVC_SCHEDULE_CREATE] = svc_schedule_put,
    [SVC_SCHEDULE_GET] = svc_schedule_get,
    [SVC_SCHEDULE_PUT] = svc_schedule_put,
    [SVC_SCHEDULE_PATCH] = svc_schedule_patch,
    [SVC_SCHEDULE_DELETE] = svc_schedule_delete,
    [SVC_SCHEDULE_RUN] = svc_schedule_run,
    [SVC_AUDIT] = svc_audit,
    [SVC_LLM_PROVIDERS] = svc_llm_providers,
    [SVC_MODELS_PRICING] = svc_models_pricing,
    [SVC_INSTANCES] = svc_instances,
    [SVC_KEY_LIST] = svc_key_list,
    [SVC_KEY_CREATE] = svc_key_create,
    [SVC_KEY_GET] = svc_key_get,
    [SVC_KEY_REVOKE] = svc_key_revoke,
    [SVC_WHOAMI] = svc_whoami,
    [SVC_TICKET_MAKE] = svc_ticket_make,
    [SVC_TICKET_TAKE] = svc_ticket_take,
    [SVC_READY] = svc_ready,
    [SVC_METRICS] = svc_metrics,
};

static void svc_pass(struct app *a, struct svc_req *req)
{
    assert(req->op < SVC_OP_COUNT);
    svc_handlers[req->op](a, req);
}

void service_again(struct app *a, struct svc_req *req)
{
    if (req->inbox) { /* it still waits in the store; its turn begins anew */
        app_fail(req, ERR_STALE, "the session has moved");
    } else if (a->stopping) {
        app_fail(req, ERR_UNAVAILABLE, "the server is shutting down");
    } else if (req->moves++ >= SERVICE_MOVES_MAX) {
        app_fail(req, ERR_UNAVAILABLE, "the session has moved to another instance; try again");
    } else {
        buf_clear(&req->body);
        req->status = 0;
        req->http_status = 0;
        idempotency_lookup(a, req, svc_pass);
    }
}

void service_again_all(struct app *a, struct list *replies)
{
    struct list *it;
    while ((it = list_pop(replies)) != NULL)
        service_again(a, container_of(it, struct reply, link)->req);
}

static void svc_pass_keyed(struct app *a, struct svc_req *req)
{
    idempotency_check(a, req, svc_pass);
}

/* Refused early, before anything is looked up: a server that stops or whose store is gone. */
static void app_submit(struct service *s, struct svc_req *req)
{
    struct app *a = container_of(s, struct app, service);
    struct errbuf e;
    if (svc_changes[req->op])
        audit_watch(&a->audit, req);
    if (access_check(req, &e)) /* net has asked already, so that no body is read in vain */
        app_fail(req, ERR_FORBIDDEN, "%s", e.text);
    else if (!svc_changes[req->op])
        workspaces_guard(a, req, svc_pass);
    else if (a->stopping)
        app_fail(req, ERR_UNAVAILABLE, "the server is shutting down");
    else if (a->journal.failing)
        app_fail(req, ERR_UNAVAILABLE, "the store cannot be written now; nothing was changed");
    else if (instances_is_joining(&a->instances))
        app_fail(req, ERR_UNAVAILABLE, "this instance is joining the others again; try again");
    else
        workspaces_guard(a, req, svc_pass_keyed);
}

static void app_refused(struct service *s, const struct svc_req *req)
{
    audit_refused(&container_of(s, struct app, service)->audit, req);
}

static int app_authenticate(struct service *s, const struct credentials *shown,
                            struct principal *out, struct errbuf *e)
{
    return keys_authenticate(&container_of(s, struct app, service)->keys, shown, out, e);
}

static bool app_may_stay(struct service *s, const struct principal *who)
{
    return keys_may_stay(&container_of(s, struct app, service)->keys, who);
}

static int app_sees(struct service *s, const struct principal *who, struct id session_id)
{
    struct app *a = container_of(s, struct app, service);
    if (a->keys.count == 0 && !a->keys.tokens)
        return 1; /* nobody has ever had another workspace */
    return workspaces_sees(a, str_of(who->workspace), session_id);
}

static const struct service_vtable app_service_vtable = {
    .submit = app_submit,
    .authenticate = app_authenticate,
    .may_stay = app_may_stay,
    .sees = app_sees,
    .refused = app_refused,
};

void app_service_init(struct app *a)
{
    a->service.v = &app_service_vtable;
}

struct metric {
    const char *name, *type, *help;
    double value;
};

static void metrics_answer(struct svc_req *req, const struct metric *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(&req->body, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", rows[i].name, rows[i].help,
                   rows[i].name, rows[i].type, rows[i].name, rows[i].value);
    req->content_type = "text/plain; version=0.0.4; charset=utf-8";
    app_done(req);
}

static struct cache_stats metrics_cache(struct app *a)
{
    struct cache_stats cache = {0};
    if (a->cache)
        cache_stats(a->cache, &cache);
    return cache;
}

void svc_metrics(struct app *a, struct svc_req *req)
{
    struct store_stats st = {0};
    struct net_stats net = {0};
    struct cache_stats cache = metrics_cache(a);
    store_stats(a->store, &st);
    net_server_stats(a->net, &net);
    const struct metric rows[] = {
        {"sluice_sessions_live", "gauge", "sessions in memory", (double)a->live.count},
        {"sluice_sessions_parked", "gauge", "paused ones, of which only their calls are in memory",
         (double)a->parked.count},
        {"sluice_sessions_started_total", "counter", "sessions begun here",
         (double)a->sessions_started},
        {"sluice_sessions_ended_total", "counter", "sessions ended here",
         (double)a->sessions_ended},
        {"sluice_heap_bytes", "gauge", "memory in use on the heap", (double)mallinfo2().uordblks},
        {"sluice_store_commits_total", "counter", "transactions of the journal",
         (double)st.commits},
        {"sluice_store_commit_rows_total", "counter", "rows in them", (double)st.commit_rows},
        {"sluice_store_commit_seconds_total", "counter", "time in them",
         (double)st.commit_ns_total / 1e9},
        {"sluice_store_writes_total", "counter", "other writes", (double)st.writes},
        {"sluice_store_reads_total", "counter", "reads", (double)st.reads},
        {"sluice_store_failures_total", "counter", "requests that failed", (double)st.failures},
        {"sluice_connections", "gauge", "open connections", net.connections},
        {"sluice_websockets", "gauge", "open WebSockets", net.websockets},
        {"sluice_sse_streams", "gauge", "open event streams", net.sse},
        {"sluice_cursors", "gauge", "readers of event logs", net.cursors},
        {"sluice_requests_total", "counter", "HTTP requests", (double)net.requests},
        {"sluice_frames_sent_total", "counter", "WebSocket and SSE frames",
         (double)net.frames_sent},
        {"sluice_websocket_writes_total", "counter", "writes, each of one frame or more",
         (double)net.ws_writes},
        {"sluice_bytes_sent_total", "counter", "bytes sent", (double)net.bytes_sent},
        {"sluice_cache_up", "gauge", "1 while the cache can be reached", cache.up ? 1 : 0},
        {"sluice_cache_requests_total", "counter", "requests to the cache", (double)cache.requests},
        {"sluice_cache_failures_total", "counter", "requests to it that failed",
         (double)cache.failures},
        {"sluice_cache_timeouts_total", "counter", "requests to it that took too long",
         (double)cache.timeouts},
        {"sluice_cache_reconnects_total", "counter", "times it came back",
         (double)cache.reconnects},
        {"sluice_cache_messages_in_total", "counter", "messages of instances heard",
         (double)cache.messages_in},
        {"sluice_cache_messages_out_total", "counter", "messages to instances said",
         (double)cache.messages_out},
        {"sluice_instances", "gauge", "instances that are alive, this one too",
         instances_count(&a->instances)},
        {"sluice_sessions_adopted_total", "counter", "sessions taken up by recovery",
         (double)a->recovery.recovered_total},
        {"sluice_fenced_writes_total", "counter", "writes refused: the session has moved",
         (double)a->journal.refused_total},
        {"sluice_inbox_sent_total", "counter", "commands written for another owner",
         (double)a->inbox.sent},
        {"sluice_inbox_done_total", "counter", "commands of the inbox carried out here",
         (double)a->inbox.carried_out},
        {"sluice_remote_sessions", "gauge", "sessions of other instances that are read here",
         (double)a->remote.feeds.count},
        {"sluice_remote_announced_total", "counter", "announcements to other instances",
         (double)a->remote.announced},
        {"sluice_remote_events_total", "counter", "events of other instances' sessions",
         (double)a->remote.fed},
        {"sluice_remote_reads_total", "counter", "reads of the store for them",
         (double)a->remote.feed_reads},
        {"sluice_store_writable", "gauge", "1 while commits succeed", a->journal.failing ? 0 : 1},
    };
    llm_metrics_write(a->llm, &req->body);
    app_webhooks_metrics(a, &req->body);
    metrics_answer(req, rows, sizeof(rows) / sizeof(rows[0]));
}
