/* The composition: the one place that knows the concrete types and calls the engine.
 *
 *     net ── svc_req ──> service ── engine_step ──> live ── journal ──> store
 *                                       ^                      │ committed
 *     llm, scripts, timers ── inputs ───┘   runner <───────────┤ effects
 *                                           log   <────────────┤ frames
 *                                           svc_req.done <─────┘ answers
 *
 * Everything here runs on the loop's thread.
 */
#ifndef SLUICE_APP_APP_H
#define SLUICE_APP_APP_H

#include <uv.h>

#include "app/audit.h"
#include "app/children.h"
#include "app/config.h"
#include "app/generate.h"
#include "app/handover.h"
#include "app/inbox.h"
#include "app/instances.h"
#include "app/journal.h"
#include "app/keys.h"
#include "app/memory.h"
#include "app/plans.h"
#include "app/recovery.h"
#include "app/remote.h"
#include "app/retention.h"
#include "app/schedules.h"
#include "app/tasks.h"
#include "app/timers.h"
#include "app/webhook_post.h"
#include "app/webhooks.h"
#include "app/workspaces.h"
#include "base/id.h"
#include "base/table.h"
#include "cache/cache.h"
#include "engine/rules.h"
#include "llm/llm.h"
#include "net/log.h"
#include "net/server.h"
#include "net/service.h"
#include "store/store.h"
#include "tools/plugin.h"
#include "tools/script.h"
#include "tools/tool.h"

#define APP_SESSIONS_MAX  100000 /* live at once; more: 429 */
#define APP_IDLE_EVICT_MS 30000  /* a session that only waits leaves memory after so long */
#define APP_PARK_MS       2000   /* one that is paused while calls of it run is parked */

struct app {
    uv_loop_t loop;
    struct config config;
    struct engine_rules rules; /* rules.h */
    struct store *store;
    struct cache *cache; /* may be NULL in tests */
    struct llm *llm;
    struct worker_pool *workers; /* scripts, plugins */
    struct plugins *plugins;     /* NULL in tests: none */
    struct tools *tools;
    struct expr_vm *vm;
    struct log_hub *log;
    struct net_server *net;
    struct id_source ids;
    struct service service;
    struct log_reader reader;
    struct table live;          /* struct live by session id */
    struct table parked;        /* those that are parked, by session id (park.h) */
    struct list loads;          /* sessions on their way into memory; few and short-lived */
    struct list keys_in_flight; /* Idempotency-Keys whose first request is under way */
    struct journal journal;
    struct plans plans;
    struct timers timers;
    struct recovery recovery;
    struct remote remote;
    struct retention retention;
    struct schedules schedules;
    struct audit audit;
    struct tasks tasks;
    struct instances instances;
    struct keys keys;
    struct workspaces workspaces;
    struct inbox inbox;
    struct children children;
    struct handover handover;
    struct generate generate;
    struct memory memory;
    struct webhooks webhooks;
    struct webhook_sender webhook_sender;
    struct list webhook_jobs; /* requests to webhooks that somebody waits for */
    uv_timer_t evict_timer, park_timer;
    bool evict_armed, park_armed;
    size_t evicted; /* since memory was given back */
    bool stopping;
    unsigned long long sessions_started, sessions_ended;
};

/* The parts that are no services of others: loop, tables, journal, timers, recovery, log. `a` is
 * zeroed. store, llm, scripts and net are opened by the caller after it. */
void app_init(struct app *a);
/* Everything live leaves memory; what it had running is durable as pending work. Journal drained.
 */
void app_drop_sessions(struct app *a);
/* Closes the handles of app_init(); no session is live. The loop must run on until they are. */
void app_close_handles(struct app *a);
void app_deinit(struct app *a); /* the loop has ended */

/* service.c */
void app_service_init(struct app *a);
/* Fails the request with a sentence; done is called before it returns. */
void app_fail(struct svc_req *req, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void app_done(struct svc_req *req); /* answered as it stands */
/* Copies a store request's failure into the answer and finishes it; true when it had failed. */
bool app_failed_store(struct svc_req *req, const struct store_req *r, const char *not_found);
/* Begins a request anew of which nothing was written (its session moved): maybe it goes to another
 * instance now. Given up with 503 when that happens again and again. */
void service_again(struct app *a, struct svc_req *req);
void service_again_all(struct app *a, struct list *replies); /* of struct reply */

/* The code of a PUT or PATCH that was to be a command, but finds the session ended or gone: what is
 * kept with it is changed in the store then (service_store.c). As the engine says it. */
#define SERVICE_ENDED "session_ended"

/* service_sessions.c, service_workflows.c, service_reads.c: one function per svc_op */
void svc_execute(struct app *a, struct svc_req *req);
void svc_command(struct app *a, struct svc_req *req);
void svc_fork(struct app *a, struct svc_req *req); /* fork.c: fork and retry */
void svc_session_get(struct app *a, struct svc_req *req);
void svc_session_list(struct app *a, struct svc_req *req);
void svc_session_delete(struct app *a, struct svc_req *req);
void svc_session_change(struct app *a, struct svc_req *req); /* service_store.c: PUT, PATCH */
void svc_session_batch(struct app *a, struct svc_req *req);
void svc_session_stats(struct app *a, struct svc_req *req); /* service_stats.c */
void svc_events(struct app *a, struct svc_req *req);
void svc_messages(struct app *a, struct svc_req *req);
void svc_nodes(struct app *a, struct svc_req *req);
void svc_metrics(struct app *a, struct svc_req *req);
void svc_instances(struct app *a, struct svc_req *req);
void svc_workflow_list(struct app *a, struct svc_req *req);
void svc_workflow_put(struct app *a, struct svc_req *req); /* create and put */
void svc_workflow_get(struct app *a, struct svc_req *req);
void svc_workflow_delete(struct app *a, struct svc_req *req);
void svc_workflow_versions(struct app *a, struct svc_req *req);
void svc_workflow_validate(struct app *a, struct svc_req *req);
/* service_import.c */
bool svc_validate_staged(struct app *a, struct svc_req *req); /* false: it is no staged file */
void svc_workflow_import(struct app *a, struct svc_req *req);
void svc_workflow_export(struct app *a, struct svc_req *req);
void svc_workflow_diagram(struct app *a, struct svc_req *req); /* authoring.c */
void svc_session_diagram(struct app *a, struct svc_req *req);
void svc_workflow_schema(struct app *a, struct svc_req *req);
void svc_workflow_estimate(struct app *a, struct svc_req *req);
/* service_people.c: questions to people, and stages */
void svc_review_list(struct app *a, struct svc_req *req);
void svc_review_get(struct app *a, struct svc_req *req);
void svc_stage_get(struct app *a, struct svc_req *req);
void svc_stage_command(struct app *a, struct svc_req *req);
/* service_stages.c, service_next.c, service_current.c */
void svc_stage_list(struct app *a, struct svc_req *req);
void svc_stage_start(struct app *a, struct svc_req *req);
void stage_name_reviewer(struct svc_req *req);
void svc_progress(struct app *a, struct svc_req *req);
void svc_next(struct app *a, struct svc_req *req);
void svc_current(struct app *a, struct svc_req *req);
void svc_context(struct app *a, struct svc_req *req);  /* service_context.c */
void svc_timeline(struct app *a, struct svc_req *req); /* service_timeline.c */
/* Fails the request; when the interrupt that it names is closed, details say how. */
void answer_refuse(struct app *a, struct svc_req *req, int status, const char *why);
/* The errors and warnings of a parse as the contract's arrays, into the two members of an object.
 */
void svc_write_issues(struct jw *w, const struct workflow_issues *issues);
/* 422, with all of them. */
void svc_workflow_refuse(struct svc_req *req, const struct workflow_issues *issues);

void svc_session_usage(struct app *a, struct svc_req *req); /* service_usage.c */
void svc_usage(struct app *a, struct svc_req *req);
/* service_catalog.c: agents, groups, templates */
void svc_catalog_list(struct app *a, struct svc_req *req);
void svc_catalog_get(struct app *a, struct svc_req *req);
void svc_catalog_put(struct app *a, struct svc_req *req); /* create and put */
void svc_catalog_patch(struct app *a, struct svc_req *req);
void svc_catalog_delete(struct app *a, struct svc_req *req);
void svc_template_instantiate(struct app *a, struct svc_req *req); /* service_templates.c */
/* service_models.c */
void svc_llm_providers(struct app *a, struct svc_req *req);
void svc_models_pricing(struct app *a, struct svc_req *req);
void llm_metrics_write(const struct llm *llm, struct buf *out); /* Prometheus text */

/* service_webhooks.c */
void svc_webhook_list(struct app *a, struct svc_req *req);
void svc_webhook_get(struct app *a, struct svc_req *req);
void svc_webhook_put(struct app *a, struct svc_req *req); /* create, put and patch */
void svc_webhook_delete(struct app *a, struct svc_req *req);
void svc_webhook_deliveries(struct app *a, struct svc_req *req);
void svc_webhook_redeliver(struct app *a, struct svc_req *req);
void svc_webhook_replay(struct app *a, struct svc_req *req);
void svc_webhook_test(struct app *a, struct svc_req *req);
void svc_webhooks_stop(struct app *a); /* requests to them that are waited for are given up */
/* webhook_app.c: webhooks among the other parts. The key that their secrets are sealed with; with
 * make it may be made. ERR_CONFLICT: it has to be set. */
int app_webhook_key(struct app *a, bool make, struct errbuf *e);
int app_webhooks_open(struct app *a, struct errbuf *e); /* store and settings are there */
void app_webhooks_start(struct app *a);                 /* this instance is registered */
void app_webhooks_sealed(struct live *l, const struct delta *d);
void app_webhooks_metrics(const struct app *a, struct buf *out); /* Prometheus text */

/* service_status.c: sessions as entries of a status system */
void svc_status_list(struct app *a, struct svc_req *req);
void svc_status_get(struct app *a, struct svc_req *req);
void svc_status_put(struct app *a, struct svc_req *req);

/* service_schedules.c */
void svc_schedule_list(struct app *a, struct svc_req *req);
void svc_schedule_get(struct app *a, struct svc_req *req);
void svc_schedule_put(struct app *a, struct svc_req *req); /* create and put */
void svc_schedule_patch(struct app *a, struct svc_req *req);
void svc_schedule_delete(struct app *a, struct svc_req *req);
void svc_schedule_run(struct app *a, struct svc_req *req);
void svc_audit(struct app *a, struct svc_req *req); /* service_audit.c */

/* service_files.c */
void svc_files(struct app *a, struct svc_req *req);
void svc_file_history(struct app *a, struct svc_req *req);
void svc_file_content(struct app *a, struct svc_req *req);
void svc_file_diff(struct app *a, struct svc_req *req);

/* service_memory.c, service_knowledge.c */
void svc_memory_ingest(struct app *a, struct svc_req *req);
void svc_memory_query(struct app *a, struct svc_req *req);
void svc_memory_list(struct app *a, struct svc_req *req);
void svc_memory_get(struct app *a, struct svc_req *req);
void svc_memory_delete(struct app *a, struct svc_req *req);
void svc_memory_promote(struct app *a, struct svc_req *req);
void svc_session_export(struct app *a, struct svc_req *req);
void svc_session_import(struct app *a, struct svc_req *req);
void svc_knowledge(struct app *a, struct svc_req *req);

/* idempotency.c: lets the first request with a key pass, answers repeats from what was stored. */
void idempotency_check(struct app *a, struct svc_req *req,
                       void (*pass)(struct app *a, struct svc_req *req));
/* The answer that is stored under the request's key already, if there is one, else lets it pass;
 * for a request that is under way already. */
void idempotency_lookup(struct app *a, struct svc_req *req,
                        void (*pass)(struct app *a, struct svc_req *req));
/* The row to store together with the answer; NULL without a key. Strings live in the request. */
const struct idempotency_row *idempotency_row_of(struct svc_req *req, struct arena *arena);

/* log_reads.c: the log's reads behind the tail, carried to the store. */
void app_log_reader_init(struct app *a);

#endif
