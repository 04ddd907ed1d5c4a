#include "app/runner.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/runner_describe.h"
#include "app/runner_private.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/model_list.h"
#include "engine/schema.h"

struct model_run {
    struct run run;
    struct llm_target targets[LLM_TARGETS_MAX]; /* strings are ours */
    struct llm_call call;
    struct describe *describe; /* of MCP tools, before the call; or NULL */
    bool is_called;
};

struct worker_run {
    struct run run;
    struct worker_job *job; /* of the script or the plugin */
    char *code;
    struct script_job script;
    struct plugin_job plugin;
};

void run_init(struct run *r, struct live *l, const struct effect *ef)
{
    r->live = l;
    r->app = l->app;
    r->run_id = ef->run_id;
    r->request = (struct str){str_dup(ef->request_json), ef->request_json.n};
    list_append(&l->runs, &r->link);
}

void run_deinit(struct run *r)
{
    list_remove(&r->link);
    free((char *)r->request.p);
}

static bool run_is_held(const struct run *r)
{
    return r->held_by_session || r->held_by_store || r->held_ahead;
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
void run_input(struct run *r, struct engine_input *in)
{
    in->run_id = r->run_id;
    struct errbuf e;
    int rc = live_step(r->live, in, &e);
    if (rc)
        log_error("runner", "the engine refused a result: %s", e.text);
}

void run_failed(struct run *r, const char *code, const char *text, int64_t retry_after_ms)
{
    struct engine_input in = {.kind = IN_RUN_FAILED,
                              .error_code = str_of(code),
                              .error_text = str_of(text),
                              .retry_after_ms = retry_after_ms};
    run_input(r, &in);
}

/* ---- models ---- */

static void model_set_request(struct model_run *m, struct str request)
{
    free((char *)m->run.request.p);
    m->run.request = m->call.request = request;
}

static void model_forget_describe(struct model_run *m)
{
    if (m->describe)
        describe_cancel(m->describe);
    free(m->describe);
    m->describe = NULL;
}

static void model_run_destroy(struct model_run *m)
{
    model_forget_describe(m);
    run_deinit(&m->run);
    for (unsigned i = 0; i < m->call.target_count; i++) {
        free((char *)m->targets[i].provider);
        free((char *)m->targets[i].model);
    }
    free(m);
}

static void model_delta(struct llm_call *c, struct str utf8, bool is_thinking)
{
    struct model_run *m = container_of(c, struct model_run, call);
    struct engine_input in = {.kind = IN_CHUNK, .text = utf8, .is_thinking = is_thinking};
    if (m->run.request.p) /* it may be long, and so may the answer take */
        model_set_request(m, STR_NULL);
    run_input(&m->run, &in);
}

/* From the call to what a chunk touches of its session. */
_Static_assert(LLM_SOON_STEPS == 2 + SESSION_FETCH_STEPS, "two steps to the session");
static void model_soon(const struct llm_call *c, unsigned step)
{
    const struct model_run *m = container_of(c, struct model_run, call);
    const struct live *l = m->run.live;
    if (step == 0)
        mem_fetch(&m->run, sizeof(m->run));
    else if (step == 1)
        mem_fetch(l, sizeof(*l));
    else if (l && l->session)
        session_fetch(l->session, step - 2);
}

static void model_done(struct llm_call *c)
{
    struct model_run *m = container_of(c, struct model_run, call);
    if (c->status != 0) {
        run_failed(&m->run, c->error_code[0] ? c->error_code : err_word(c->status), c->error.text,
                   c->retry_after_ms);
    } else {
        struct engine_input in = {.kind = IN_MODEL_DONE,
                                  .finish_reason = str_of(c->finish_reason),
                                  .model = str_of(c->model_used),
                                  .provider = str_of(c->provider_used),
                                  .input_tokens = c->usage.input_tokens,
                                  .output_tokens = c->usage.output_tokens,
                                  .tool_calls_json = c->tool_calls};
        run_input(&m->run, &in);
    }
    model_run_destroy(m);
}

static void model_cancel(struct run *r)
{
    struct model_run *m = container_of(r, struct model_run, run);
    if (m->is_called)
        llm_call_cancel(r->app->llm, &m->call);
    model_run_destroy(m);
}

static void model_hold(struct run *r, bool hold)
{
    struct model_run *m = container_of(r, struct model_run, run);
    if (!m->is_called)
        return; /* model_call() sees to it */
    if (hold)
        llm_call_hold(r->app->llm, &m->call);
    else
        llm_call_unhold(r->app->llm, &m->call);
}

static void model_call(struct model_run *m)
{
    struct run *r = &m->run;
    struct errbuf e = {""};
    int rc = llm_call_start(r->app->llm, &m->call, &e);
    if (rc) {
        run_failed(r, rc == ERR_NOT_FOUND ? "unknown_provider" : err_word(rc), e.text, -1);
        model_run_destroy(m);
        return;
    }
    m->is_called = true;
    r->held_by_store = r->app->journal.failing;
    if (run_is_held(r))
        llm_call_hold(r->app->llm, &m->call);
}

static void model_described(struct describe *d)
{
    struct model_run *m = d->data;
    const struct tool_job *j = &d->job;
    if (j->status) {
        run_failed(&m->run, j->error_code, j->error.text, j->retry_after_ms);
        model_run_destroy(m);
        return;
    }
    struct str request;
    request.p = buf_steal(&d->text, &request.n);
    model_set_request(m, request);
    model_forget_describe(m);
    model_call(m);
}

_Static_assert(MODEL_LIST_MAX <= LLM_TARGETS_MAX, "a list of models is too long for a call");

static void model_targets(struct model_run *m, struct json request)
{
    struct model_choice choice;
    unsigned i = 0;
    for (; i < LLM_TARGETS_MAX && model_list_at(request, i, &choice); i++)
        m->targets[i] =
            (struct llm_target){json_strdup(choice.provider), json_strdup(choice.model)};
    m->call.targets = m->targets;
    m->call.target_count = i;
}

static void model_start(struct live *l, const struct effect *ef)
{
    struct model_run *m = mem_zalloc(sizeof(*m));
    run_init(&m->run, l, ef);
    m->run.cancel = model_cancel;
    m->run.hold = model_hold;
    struct json request = json_root(m->run.request);
    model_targets(m, request);
    m->call.request = m->run.request;
    m->call.idempotency_key = ef->idempotency_key;
    m->call.fair_key = l->id;
    m->call.on_delta = model_delta;
    m->call.on_soon = model_soon;
    m->call.on_done = model_done;
    if (!describe_is_wanted(request)) {
        model_call(m);
        return;
    }
    m->describe = mem_zalloc(sizeof(*m->describe));
    m->describe->request = m->run.request;
    m->describe->done = model_described;
    m->describe->data = m;
    describe_start(m->describe, l->app->tools);
}

/* ---- scripts, plugins ---- */

static void worker_run_destroy(struct worker_run *r)
{
    run_deinit(&r->run);
    free(r->code);
    free(r);
}

static void worker_cancel(struct run *run)
{
    struct worker_run *r = container_of(run, struct worker_run, run);
    run->live = NULL; /* on_done still comes, for its memory is the job's until then */
    list_remove(&run->link);
    worker_job_abort(run->app->workers, r->job);
}

static struct worker_run *worker_run_create(struct live *l, const struct effect *ef)
{
    struct worker_run *r = mem_zalloc(sizeof(*r));
    run_init(&r->run, l, ef);
    r->run.cancel = worker_cancel;
    return r;
}

static struct worker_run *run_of_worker(struct worker_job *j)
{
    return j->data;
}

static void worker_said(struct worker_job *j, struct str utf8, bool is_thinking)
{
    struct worker_run *r = run_of_worker(j);
    struct engine_input in = {.kind = IN_CHUNK, .text = utf8, .is_thinking = is_thinking};
    if (r->run.live)
        run_input(&r->run, &in);
}

static void worker_logged(struct worker_job *j, const char *level, struct str text)
{
    struct worker_run *r = run_of_worker(j);
    struct engine_input in = {.kind = IN_LOG, .level = str_of(level), .text = text};
    if (r->run.live)
        run_input(&r->run, &in);
}

static void worker_saved(struct worker_job *j, struct str json)
{
    struct worker_run *r = run_of_worker(j);
    struct engine_input in = {.kind = IN_SAVED, .output_json = json};
    if (r->run.live)
        run_input(&r->run, &in);
}

static const char *worker_error_code(const struct worker_run *r)
{
    if (r->job == &r->plugin.job)
        return plugin_job_code(&r->plugin);
    return r->job->status == ERR_INVALID ? "script_error" : err_word(r->job->status);
}

static void worker_done(struct worker_job *j)
{
    struct worker_run *r = run_of_worker(j);
    if (r->run.live && j->status == 0) {
        struct engine_input in = {.kind = IN_RUN_DONE, .output_json = buf_str(&j->output)};
        run_input(&r->run, &in);
    } else if (r->run.live) {
        run_failed(&r->run, worker_error_code(r), j->error.text, -1);
    }
    buf_deinit(&j->output);
    worker_run_destroy(r);
}

static void run_on_worker(struct worker_run *r, struct worker_job *job, struct json request)
{
    r->job = job;
    json_i64(json_get(request, "timeout_ms"), &job->timeout_ms);
    job->gate = r->run.live->gate;
    job->on_text = worker_said;
    job->on_log = worker_logged;
    job->on_save = worker_saved;
    job->on_done = worker_done;
    job->data = r;
}

static void script_start(struct live *l, const struct effect *ef)
{
    struct worker_run *r = worker_run_create(l, ef);
    struct json request = json_root(r->run.request);
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
        run_failed(&r->run, err_word(rc), "too many scripts are waiting to run", 1000);
        worker_run_destroy(r);
    }
}

static void plugin_go(struct worker_run *r, struct json request)
{
    struct live *l = r->run.live;
    struct errbuf e = {""};
    char *type = json_strdup(json_get(request, "type"));
    char *node_id = json_strdup(json_get(request, "node_id"));
    if (!type) /* it is called as a tool */
        type = json_strdup(json_get(request, "tool"));
    r->plugin.type = type ? type : "";
    r->plugin.node_id = node_id ? node_id : "";
    r->plugin.session_id = l->id;
    int rc = plugin_job_start(l->app->plugins, l->app->workers, &r->plugin, &e);
    free(type);
    free(node_id);
    if (rc) {
        run_failed(&r->run, rc == ERR_NOT_FOUND ? "unknown_plugin" : err_word(rc), e.text,
                   rc == ERR_OVERLOAD ? 1000 : -1);
        worker_run_destroy(r);
    }
}

static void plugin_start(struct live *l, const struct effect *ef)
{
    struct worker_run *r = worker_run_create(l, ef);
    struct json request = json_root(r->run.request);
    r->plugin.key = ef->idempotency_key;
    r->plugin.properties = json_raw(json_get(request, "properties"));
    r->plugin.input = json_raw(json_get(request, "input"));
    r->plugin.saved = json_raw(json_get(request, "saved"));
    run_on_worker(r, &r->plugin.job, request);
    plugin_go(r, request);
}

/* What it would say or save has no place in a tool call: only its log lines and its output count.
 */
void runner_plugin_tool(struct live *l, const struct effect *ef, struct json schema)
{
    struct worker_run *r = worker_run_create(l, ef);
    struct json request = json_root(r->run.request), arguments = json_get(request, "arguments");
    struct errbuf e = {""};
    if (schema_validate(schema, arguments, &e)) {
        run_failed(&r->run, "invalid_arguments", e.text, -1);
        worker_run_destroy(r);
        return;
    }
    r->plugin.key = ef->idempotency_key;
    r->plugin.properties = json_raw(arguments);
    r->plugin.input = STR("{}");
    run_on_worker(r, &r->plugin.job, request);
    r->plugin.job.on_text = NULL;
    r->plugin.job.on_save = NULL;
    plugin_go(r, request);
}

/* ---- all kinds ---- */

void runner_cancel_all(struct live *l)
{
    while (!list_empty(&l->runs)) {
        struct run *r = container_of(l->runs.next, struct run, link);
        r->cancel(r);
    }
}

static void run_set_hold(struct run *r, bool *why, bool hold)
{
    bool was = run_is_held(r);
    *why = hold;
    if (r->hold && was != run_is_held(r))
        r->hold(r, !was);
}

void runner_hold_ahead(struct live *l, bool hold)
{
    l->is_ahead = hold;
    list_foreach(it, &l->runs)
    {
        struct run *r = container_of(it, struct run, link);
        run_set_hold(r, &r->held_ahead, hold);
    }
}

void runner_hold_all(struct app *a, bool hold)
{
    size_t n;
    struct live **all = live_all(a, &n);
    for (size_t i = 0; i < n; i++) {
        list_foreach(it, &all[i]->runs)
        {
            struct run *r = container_of(it, struct run, link);
            run_set_hold(r, &r->held_by_store, hold);
        }
    }
    free(all);
}

static void runner_run_effect(struct live *l, const struct effect *ef)
{
    struct run *r = run_find(l, ef->run_id);
    if (!r)
        return; /* it ended by itself meanwhile */
    if (ef->kind == EFFECT_RUN_CANCEL)
        r->cancel(r);
    else
        run_set_hold(r, &r->held_by_session, ef->kind == EFFECT_RUN_HOLD);
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
        case EFFECT_TOOL_START:
            if (!l->app->handover.active)
                runner_tool_start(l, ef);
            break;
        case EFFECT_PLUGIN_START:
            if (!l->app->handover.active)
                plugin_start(l, ef);
            break;
        case EFFECT_CHILD_START:
            if (!l->app->handover.active)
                children_start(l, ef);
            break;
        case EFFECT_CHILD_CANCEL:
            children_cancel(l->app, ef->child_id);
            break;
        case EFFECT_CHILD_PAUSE: /* one that is not made yet is made paused */
        case EFFECT_CHILD_RESUME:
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
