#include "app/runner.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/json.h"
#include "base/mem.h"

/* One piece of work under way: a model call or a script. */
struct run {
    struct list link;  /* in live->runs */
    struct live *live; /* NULL: nobody wants the result any more */
    struct app *app;
    struct id run_id;
    struct worker_job *worker; /* of the script or the plugin; NULL: a model call */
    bool held_by_session, held_by_store;
    char *request; /* what In points into */
    char *provider, *model, *code;
    struct llm_call call;
    struct script_job script;
    struct plugin_job plugin;
};

static void run_destroy(struct run *r)
{
    list_remove(&r->link);
    free(r->request);
    free(r->provider);
    free(r->model);
    free(r->code);
    free(r);
}

static struct run *run_find(struct live *l, struct id run_id)
{
    list_foreach(it, &l->runs)
    {
        struct run *r = container_of(it, struct run, link);
        if (id_eq(r->run_id, run_id))
            return r;
    }
    return NULL;
}

/* Results of runs are never refused: the engine ignores those it no longer waits for. */
static void run_input(struct run *r, struct engine_input *in)
{
    in->run_id = r->run_id;
    struct errbuf e;
    int rc = live_step(r->live, in, &e);
    if (rc)
        log_error("runner", "the engine refused a result: %s", e.text);
}

static void run_failed(struct run *r, const char *code, const char *text, int64_t retry_after_ms)
{
    struct engine_input in = {.kind = IN_RUN_FAILED,
                              .error_code = str_of(code),
                              .error_text = str_of(text),
                              .retry_after_ms = retry_after_ms};
    run_input(r, &in);
}

/* ---- models ---- */

static void model_delta(struct llm_call *c, struct str utf8, bool is_thinking)
{
    struct run *r = container_of(c, struct run, call);
    struct engine_input in = {.kind = IN_CHUNK, .text = utf8, .is_thinking = is_thinking};
    run_input(r, &in);
}

static void model_done(struct llm_call *c)
{
    struct run *r = container_of(c, struct run, call);
    if (c->status != 0) {
        run_failed(r, c->error_code[0] ? c->error_code : err_word(c->status), c->error.text,
                   c->retry_after_ms);
    } else {
        struct engine_input in = {.kind = IN_MODEL_DONE,
                                  .finish_reason = str_of(c->finish_reason),
                                  .model = str_of(c->model_used),
                                  .provider = str_of(c->provider_used),
                                  .input_tokens = c->usage.input_tokens,
                                  .output_tokens = c->usage.output_tokens};
        run_input(r, &in);
    }
    run_destroy(r);
}

static struct run *run_create(struct live *l, const struct effect *ef)
{
    struct run *r = mem_zalloc(sizeof(*r));
    r->live = l;
    r->app = l->app;
    r->run_id = ef->run_id;
    r->request = str_dup(ef->request_json);
    list_append(&l->runs, &r->link);
    return r;
}

static void model_start(struct live *l, const struct effect *ef)
{
    struct run *r = run_create(l, ef);
    struct str text = {r->request, ef->request_json.n};
    struct json request = json_root(text);
    r->provider = json_strdup(json_get_set(request, "provider"));
    r->model = json_strdup(json_get_set(request, "model"));
    r->call.provider = r->provider;
    r->call.model = r->model;
    r->call.request = text;
    r->call.idempotency_key = ef->idempotency_key;
    r->call.on_delta = model_delta;
    r->call.on_done = model_done;
    struct errbuf e = {""};
    int rc = llm_call_start(l->app->llm, &r->call, &e);
    if (rc) {
        run_failed(r, rc == ERR_NOT_FOUND ? "unknown_provider" : err_word(rc), e.text, -1);
        run_destroy(r);
        return;
    }
    if (l->app->journal.failing) {
        r->held_by_store = true;
        llm_call_hold(l->app->llm, &r->call);
    }
}

/* ---- scripts, plugins ---- */

static struct run *run_of_worker(struct worker_job *j)
{
    return j->data;
}

static void worker_said(struct worker_job *j, struct str utf8, bool is_thinking)
{
    struct run *r = run_of_worker(j);
    struct engine_input in = {.kind = IN_CHUNK, .text = utf8, .is_thinking = is_thinking};
    if (r->live)
        run_input(r, &in);
}

static void worker_logged(struct worker_job *j, const char *level, struct str text)
{
    struct run *r = run_of_worker(j);
    struct engine_input in = {.kind = IN_LOG, .level = str_of(level), .text = text};
    if (r->live)
        run_input(r, &in);
}

static void worker_saved(struct worker_job *j, struct str json)
{
    struct run *r = run_of_worker(j);
    struct engine_input in = {.kind = IN_SAVED, .output_json = json};
    if (r->live)
        run_input(r, &in);
}

static const char *worker_error_code(const struct run *r)
{
    if (r->worker == &r->plugin.job)
        return plugin_job_code(&r->plugin);
    return r->worker->status == ERR_INVALID ? "script_error" : err_word(r->worker->status);
}

static void worker_done(struct worker_job *j)
{
    struct run *r = run_of_worker(j);
    if (r->live && j->status == 0) {
        struct engine_input in = {.kind = IN_RUN_DONE, .output_json = buf_str(&j->output)};
        run_input(r, &in);
    } else if (r->live) {
        run_failed(r, worker_error_code(r), j->error.text, -1);
    }
    buf_deinit(&j->output);
    run_destroy(r);
}

static void run_on_worker(struct run *r, struct worker_job *job, struct json request)
{
    r->worker = job;
    json_i64(json_get(request, "timeout_ms"), &job->timeout_ms);
    job->gate = r->live->gate;
    job->on_text = worker_said;
    job->on_log = worker_logged;
    job->on_save = worker_saved;
    job->on_done = worker_done;
    job->data = r;
}

static void script_start(struct live *l, const struct effect *ef)
{
    struct run *r = run_create(l, ef);
    struct json request = json_root((struct str){r->request, ef->request_json.n});
    int64_t memory = 0;
    r->code = json_strdup(json_get(request, "code"));
    r->script.code = str_of(r->code);
    r->script.env = json_raw(json_get(request, "env"));
    r->script.saved = json_raw(json_get(request, "saved"));
    json_i64(json_get(request, "memory_bytes_max"), &memory);
    r->script.memory_bytes_max = memory > 0 ? (uint64_t)memory : 0;
    run_on_worker(r, &r->script.job, request);
    int rc = script_job_start(l->app->workers, &r->script);
    if (rc) {
        run_failed(r, err_word(rc), "too many scripts are waiting to run", 1000);
        run_destroy(r);
    }
}

static void plugin_start(struct live *l, const struct effect *ef)
{
    struct run *r = run_create(l, ef);
    struct json request = json_root((struct str){r->request, ef->request_json.n});
    struct errbuf e = {""};
    char *type = json_strdup(json_get(request, "type"));
    char *node_id = json_strdup(json_get(request, "node_id"));
    r->plugin.type = type ? type : "";
    r->plugin.node_id = node_id ? node_id : "";
    r->plugin.session_id = l->id;
    r->plugin.key = ef->idempotency_key;
    r->plugin.properties = json_raw(json_get(request, "properties"));
    r->plugin.input = json_raw(json_get(request, "input"));
    r->plugin.saved = json_raw(json_get(request, "saved"));
    run_on_worker(r, &r->plugin.job, request);
    int rc = plugin_job_start(l->app->plugins, l->app->workers, &r->plugin, &e);
    free(type);
    free(node_id);
    if (rc) {
        run_failed(r, rc == ERR_NOT_FOUND ? "unknown_plugin" : err_word(rc), e.text,
                   rc == ERR_OVERLOAD ? 1000 : -1);
        run_destroy(r);
    }
}

/* ---- neither ---- */

static void run_without_runner(struct live *l, const struct effect *ef)
{
    struct engine_input in = {.kind = IN_RUN_FAILED,
                              .run_id = ef->run_id,
                              .error_code = STR("unsupported"),
                              .error_text = STR("This server cannot run such a node."),
                              .retry_after_ms = -1};
    struct errbuf e;
    if (live_step(l, &in, &e))
        log_error("runner", "the engine refused a result: %s", e.text);
}

/* ---- both ---- */

static void run_cancel(struct run *r)
{
    if (r->worker) {
        r->live = NULL; /* on_done still comes, for its memory is the job's until then */
        list_remove(&r->link);
        worker_job_abort(r->app->workers, r->worker);
        return;
    }
    llm_call_cancel(r->app->llm, &r->call);
    run_destroy(r);
}

void runner_cancel_all(struct live *l)
{
    struct list *it;
    while (!list_empty(&l->runs)) {
        it = l->runs.next;
        run_cancel(container_of(it, struct run, link));
    }
}

static void run_set_hold(struct run *r, bool by_session, bool by_store)
{
    bool was = r->held_by_session || r->held_by_store;
    bool is = by_session || by_store;
    r->held_by_session = by_session;
    r->held_by_store = by_store;
    if (r->worker || was == is)
        return;
    if (is)
        llm_call_hold(r->app->llm, &r->call);
    else
        llm_call_unhold(r->app->llm, &r->call);
}

void runner_hold_all(struct app *a, bool hold)
{
    table_foreach(slot, &a->live)
    {
        struct live *l = slot->value;
        list_foreach(it, &l->runs)
        {
            struct run *r = container_of(it, struct run, link);
            run_set_hold(r, r->held_by_session, hold);
        }
    }
}

static void runner_run_effect(struct live *l, const struct effect *ef)
{
    struct run *r = run_find(l, ef->run_id);
    if (!r)
        return; /* it ended by itself meanwhile */
    if (ef->kind == EFFECT_RUN_CANCEL)
        run_cancel(r);
    else
        run_set_hold(r, ef->kind == EFFECT_RUN_HOLD, r->held_by_store);
}

void runner_carry_out(struct live *l, const struct effect *effects)
{
    for (const struct effect *ef = effects; ef; ef = ef->next) {
        switch (ef->kind) {
        case EFFECT_MODEL_START: /* one that hands over leaves what is new to the next owner */
            if (!l->app->handover.active)
                model_start(l, ef);
            break;
        case EFFECT_SCRIPT_START:
            if (!l->app->handover.active)
                script_start(l, ef);
            break;
        case EFFECT_PLUGIN_START:
            if (!l->app->handover.active)
                plugin_start(l, ef);
            break;
        case EFFECT_TOOL_START:
        case EFFECT_CHILD_START:
            run_without_runner(l, ef);
            break;
        case EFFECT_RUN_CANCEL:
        case EFFECT_RUN_HOLD:
        case EFFECT_RUN_UNHOLD:
            runner_run_effect(l, ef);
            break;
        case EFFECT_TIMER_SET:
            timers_set(&l->app->timers, l->id, ef->timer_id, ef->due_at);
            break;
        case EFFECT_TIMER_CLEAR:
            timers_clear(&l->app->timers, ef->timer_id);
            break;
        case EFFECT_GATE_CLOSE:
            gate_close(l->gate);
            break;
        case EFFECT_GATE_OPEN:
            gate_open(l->gate);
            break;
        case EFFECT_GATE_BREAK:
            gate_break(l->gate);
            break;
        }
    }
}
