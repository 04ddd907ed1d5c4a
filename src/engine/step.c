#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "engine/session.h"

/* One input. Commands are checked before anything changes; results go to the run they are for, and
 * are ignored when that run is no longer current. */

/* ---- commands ---- */

static int refuse(struct session *s, struct errbuf *e, const char *what)
{
    return err_set(e, ERR_CONFLICT, "The session is %s; it cannot be %s.",
                   session_status_word(s->status), what);
}

static int step_start(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    if (s->status != SESSION_PENDING)
        return refuse(s, e, "started");
    int rc = begin_check(s, in->node_id, e);
    if (rc)
        return rc;
    s->created_at = s->started_at = in->now_ms;
    s->status = SESSION_RUNNING;
    attachments_begin(s);
    event_session_move(s, SESSION_PENDING);
    if (in->node_id.p)
        begin_at(s, in->node_id);
    else
        ready_push(s, s->at->wf->start);
    if (s->start_paused && !session_over(s)) {
        own_set(&s->reason, in->reason);
        session_pause(s);
    }
    return 0;
}

static int step_cancel(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    if (session_over(s))
        return refuse(s, e, "cancelled");
    if (!s->created_at)
        s->created_at = in->now_ms;
    own_set(&s->reason, in->reason);
    session_end(s, SESSION_CANCELLED);
    return 0;
}

static int step_stop(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    if (s->status != SESSION_RUNNING && s->status != SESSION_PAUSED)
        return refuse(s, e, "stopped");
    own_set(&s->reason, in->reason);
    session_fail(s, "stopped", in->reason.n ? in->reason : STR("The session was stopped."), -1);
    return 0;
}

/* What a person says to the workflow needs a session that runs. */
static int running_wanted(struct session *s, const char *what, struct errbuf *e)
{
    if (s->status == SESSION_RUNNING)
        return 0;
    if (s->status == SESSION_PAUSED)
        return err_set(e, ERR_CONFLICT, "The session is paused: resume it first, then %s.", what);
    return err_set(e, ERR_CONFLICT, "The session is %s: it does not run.",
                   session_status_word(s->status));
}

static int step_resume_node(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    int rc = running_wanted(s, "answer", e);
    return rc ? rc : human_answer(s, in, e);
}

static int step_user_input(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    if (s->status == SESSION_PAUSED && !in->node_id.n && !human_is_asked(s))
        return said_later(s, in, e);
    int rc = running_wanted(s, "speak", e);
    return rc ? rc : human_say(s, in, e);
}

static int step_stage(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    int rc = running_wanted(s, "go on with its stage", e);
    return rc ? rc : stage_step(s, in, e);
}

/* ---- results ---- */

static void timer_fired(struct session *s, const struct engine_input *in)
{
    struct timer *t = timer_find(s, in->timer_id);
    if (!t)
        return;
    enum timer_purpose purpose = t->purpose;
    unsigned n = (unsigned)t->node;
    s->at = t->scope;
    timer_remove(s, t);
    switch (purpose) {
    case FOR_TIMEOUT:
        node_fail(s, n, "timeout", STR("The node ran longer than its timeout_ms."), -1, true);
        break;
    case FOR_WAIT: {
        char text[64];
        int64_t waited = s->now - s->at->nodes[n].started_at;
        struct buf b;
        buf_init(&b, sizeof(text));
        buf_printf(&b, "{\"waited_ms\":%lld}", (long long)(waited > 0 ? waited : 0));
        node_complete(s, n, buf_str(&b), EDGES_NEXT);
        buf_deinit(&b);
        break;
    }
    case FOR_RETRY:
        ready_push(s, n);
        break;
    case FOR_EXPIRY:
        human_expire(s, n);
        break;
    case FOR_REMINDER:
        human_remind(s, n);
        break;
    case FOR_CONTINUE:
        break; /* the drain after this step goes on */
    }
}

void step_log(struct session *s, const struct engine_input *in)
{
    struct work *w = table_get(&s->runs, in->run_id);
    const char *level = "info";
    if (str_eqz(in->level, "warn") || str_eqz(in->level, "warning"))
        level = "warn";
    else if (str_eqz(in->level, "error"))
        level = "error";
    else if (str_eqz(in->level, "debug"))
        level = "debug";
    if (w)
        event_log(s, (int)w->node, level, in->text);
}

/* A result while the session runs; or a signal that was withheld. */
void step_result(struct session *s, const struct engine_input *in)
{
    if (in->kind == IN_SIGNAL) {
        signal_apply(s, in);
        return;
    }
    if (in->kind == IN_USER_INPUT) {
        struct errbuf e;
        human_say(s, in, &e); /* it was looked at when it came */
        return;
    }
    struct work *w = in->kind == IN_TIMER ? NULL : table_get(&s->runs, in->run_id);
    if (in->kind == IN_TIMER)
        timer_fired(s, in);
    if (!w || w->lost)
        return;
    s->at = w->scope;
    switch (in->kind) {
    case IN_CHUNK:
        worker_speaks(s, w);
        if (work_speaks(w))
            model_chunk(s, w, in);
        break;
    case IN_MODEL_DONE:
    case IN_RUN_DONE:
    case IN_RUN_FAILED:
        call_result(s, w, in);
        break;
    case IN_LOG:
        step_log(s, in);
        break;
    case IN_SAVED:
        worker_saved(s, w, in);
        break;
    case IN_TIMER:
    case IN_START:
    case IN_PAUSE:
    case IN_RESUME:
    case IN_CANCEL:
    case IN_STOP:
    case IN_RESUME_NODE:
    case IN_USER_INPUT:
    case IN_SIGNAL:
    case IN_STAGE:
    case IN_META:
    case IN_RECOVER:
        break;
    }
}

/* ---- dispatch ---- */

static int step_dispatch(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    switch (in->kind) {
    case IN_START:
        return step_start(s, in, e);
    case IN_PAUSE:
        return step_pause(s, in, e);
    case IN_RESUME:
        return step_resume(s, in, e);
    case IN_CANCEL:
        return step_cancel(s, in, e);
    case IN_STOP:
        return step_stop(s, in, e);
    case IN_RESUME_NODE:
        return step_resume_node(s, in, e);
    case IN_USER_INPUT:
        return step_user_input(s, in, e);
    case IN_SIGNAL:
        return signal_send(s, in, e);
    case IN_STAGE:
        return step_stage(s, in, e);
    case IN_META:
        return step_meta(s, in, e);
    case IN_RECOVER:
        session_recover(s);
        return 0;
    case IN_CHUNK:
    case IN_MODEL_DONE:
    case IN_RUN_DONE:
    case IN_RUN_FAILED:
    case IN_LOG:
    case IN_SAVED:
    case IN_TIMER:
        if (s->status == SESSION_RUNNING)
            step_result(s, in);
        else if (s->status == SESSION_PAUSED)
            withhold(s, in);
        return 0;
    }
    return ERR_INTERNAL;
}

int engine_step(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    s->in = in;
    s->now = in->now_ms;
    made_want(s);
    s->step_events = s->made->out.events.len;
    s->refusal = NULL;
    own_set(&s->refusal_json, STR_NULL);
    arena_init(&s->tmp);
    int rc = step_dispatch(s, in, e);
    s->at = &s->root;
    if (!rc) {
        scheduler_drain(s);
        s->updated_at = s->now;
    }
    scopes_bury(s);
    arena_deinit(&s->tmp);
    s->in = NULL;
    made_rest(s);
    return rc;
}

struct str engine_refusal_json(const struct session *s)
{
    return s->refusal_json;
}
