#include "app/journal.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/inbox.h"
#include "app/park.h"
#include "app/runner.h"
#include "base/clock.h"
#include "base/mem.h"

static void journal_flush(struct journal *j);
static void journal_submit(struct journal *j);

static void journal_prepared(uv_prepare_t *h)
{
    journal_flush(h->data);
}

static void journal_checked(uv_check_t *h)
{
    journal_flush(h->data);
}

void journal_open(struct journal *j, struct app *a)
{
    memset(j, 0, sizeof(*j));
    j->app = a;
    list_init(&j->urgent);
    list_init(&j->marked);
    j->entries = mem_calloc(JOURNAL_BATCH_MAX, sizeof(*j->entries));
    j->deltas = mem_calloc(JOURNAL_BATCH_MAX, sizeof(*j->deltas));
    j->refused = mem_calloc(JOURNAL_BATCH_MAX, sizeof(*j->refused));
    uv_prepare_init(&a->loop, &j->prepare);
    uv_check_init(&a->loop, &j->check);
    uv_timer_init(&a->loop, &j->retry);
    j->prepare.data = j->check.data = j->retry.data = j;
    uv_prepare_start(&j->prepare, journal_prepared);
    uv_check_start(&j->check, journal_checked);
    uv_unref((uv_handle_t *)&j->prepare);
    uv_unref((uv_handle_t *)&j->check);
    gather_open(&j->gather, a);
}

void journal_close(struct journal *j)
{
    uv_close((uv_handle_t *)&j->prepare, NULL);
    uv_close((uv_handle_t *)&j->check, NULL);
    uv_close((uv_handle_t *)&j->retry, NULL);
    gather_close(&j->gather);
    free(j->entries);
    free(j->deltas);
    free(j->refused);
    j->entries = NULL;
}

void journal_mark_chunk(struct journal *j, struct live *l)
{
    if (list_is_linked(&l->marked))
        return;
    list_append(&j->marked, &l->marked);
    j->chunks++;
}

/* Whoever waits for this is told first when it is durable, before all viewers of the chunks. */
void journal_mark(struct journal *j, struct live *l)
{
    if (l->is_urgent)
        return;
    l->is_urgent = true;
    list_remove(&l->marked); /* it may have been marked by a chunk */
    list_append(&j->urgent, &l->marked);
}

void journal_drain(struct journal *j, void (*drained)(void *data), void *data)
{
    j->drained = drained;
    j->drained_data = data;
    journal_flush(j);
}

/* Answers of the inbox and the answers' keys go into the same transaction as what they answer. */
static void journal_add_answers(struct journal_entry *en)
{
    const struct idempotency_row **tail = &en->delta.idempotency;
    const struct command_row **commands = &en->delta.commands_done;
    list_foreach(it, &en->replies)
    {
        struct reply *r = container_of(it, struct reply, link);
        if (r->idempotency) {
            *tail = r->idempotency;
            tail =
                (const struct idempotency_row **)&((struct idempotency_row *)r->idempotency)->next;
        }
        if (r->req->inbox && r->req->status == 0) /* a refusal is looked at once more */
            commands = inbox_turn_add_answer(r->req->inbox, commands);
    }
}

static void journal_answer(struct list *replies)
{
    struct list *it;
    while ((it = list_pop(replies)) != NULL)
        app_done(container_of(it, struct reply, link)->req);
}

/* A commit begins: do chunks gather until the next one? One that somebody waited for does not tell
 * that they no longer do. */
static void journal_crowd(struct journal *j, bool was_urgent)
{
    bool is_crowd = j->chunks > 1 || (was_urgent && j->is_crowd);
    j->is_crowd = is_crowd && gather_ticks(&j->gather);
    if (j->is_crowd && j->chunks > 1)
        gather_begin(&j->gather);
    if (j->is_crowd) {
        uint64_t gone = clock_mono_ns() - j->began_ns; /* what was read was read since */
        j->gather_ns = gather_period_ns(&j->gather);
        gather_tick(&j->gather, j->gather_ns > gone ? j->gather_ns - gone : 1);
    } else {
        gather_end(&j->gather);
    }
    j->chunks = 0;
}

static struct live *journal_next(struct journal *j)
{
    struct list *it = list_pop(&j->urgent);
    if (!it)
        it = list_pop(&j->marked);
    if (!it)
        return NULL;
    struct live *l = container_of(it, struct live, marked);
    l->is_urgent = false;
    return l;
}

/* now_ns: when the chunks of this commit began to be read. */
static void journal_collect(struct journal *j, uint64_t now_ns)
{
    struct live *l;
    int64_t now = clock_wall_ms();
    bool was_urgent = !list_empty(&j->urgent);
    j->began_ns = now_ns;
    j->timed_ns = was_urgent || now_ns != j->read_ns ? 0 : now_ns;
    while (j->count < JOURNAL_BATCH_MAX && (l = journal_next(j)) != NULL) {
        struct journal_entry *en = &j->entries[j->count];
        if (l->is_ahead)
            runner_hold_ahead(l, false);
        if (!live_take(l, now, &en->delta, &en->effects)) {
            journal_answer(&l->replies); /* what they tell was durable before */
            continue;
        }
        en->live = l;
        en->delta.epoch = l->epoch;
        en->delta.owner = j->app->instances.self;
        list_init(&en->replies);
        list_splice(&en->replies, &l->replies);
        journal_add_answers(en);
        children_collect(l, &en->delta, en->effects);
        l->uncommitted++;
        j->deltas[j->count] = &en->delta;
        j->refused[j->count] = false;
        j->count++;
    }
    journal_crowd(j, was_urgent);
}

/* May what is marked, or waits in sockets, wait for more of its kind? */
static bool journal_gathers(const struct journal *j)
{
    return j->is_crowd && list_empty(&j->urgent) && !j->drained &&
           clock_mono_ns() - j->began_ns < j->gather_ns;
}

/* What waits in sockets goes with the commit that is about to begin; but one that somebody waits
 * for does not wait for them, unless they have waited long. */
static void journal_read(struct journal *j, uint64_t now)
{
    bool is_urgent = !list_empty(&j->urgent);
    if (!j->gather.is_on || j->drained || (is_urgent && now - j->read_ns < j->gather_ns))
        return;
    j->read_ns = now;
    j->is_reading = true;
    gather_read(&j->gather);
    j->is_reading = false;
    if (j->chunks < 2 && !is_urgent)
        gather_end(&j->gather);
}

static bool journal_has_marked(const struct journal *j)
{
    return !list_empty(&j->urgent) || !list_empty(&j->marked);
}

/* Nothing of a refused delta was written, so all that waited for it can be begun anew, and the
 * session is taken up again as it is stored, unless another instance has it. */
static void journal_refused(struct journal *j, struct live *l, struct list *replies, bool is_new)
{
    struct app *a = j->app;
    struct id id = l->id;
    struct list again;
    const char *why = j->commit.req.error.text;
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    log_warn("journal", "a write of session %s with epoch %llu was refused: %s", text,
             (unsigned long long)l->epoch, why[0] ? why : "another owner has the session");
    j->refused_total++;
    list_init(&again);
    list_splice(&again, replies);
    list_splice(&again, &l->replies);
    timers_drop_session(&a->timers, id);
    live_destroy(l);
    service_again_all(a, &again);
    if (!is_new && !a->stopping)
        recovery_want(&a->recovery, id);
}

static void journal_settle(struct journal *j, struct live *l)
{
    if (!l->session) {
        park_settle(l);
        return;
    }
    bool over = session_status_is_terminal(session_status_of(l->session));
    bool pending = !list_empty(&l->replies) || session_has_output(l->session);
    if (l->lost) {
        live_lose(l);
    } else if (over && !pending) {
        const struct session_meta *meta = session_meta_of(l->session);
        j->app->sessions_ended++;
        if (session_status_of(l->session) == SESSION_COMPLETED)
            memory_session_completed(&j->app->memory, meta->workspace, l->id, meta->group_id,
                                     session_created_at(l->session));
        retention_note(&j->app->retention);
        live_destroy(l);
    } else if (j->app->handover.active) {
        handover_try(l);
    } else if (session_is_idle(l->session)) {
        log_rest(j->app->log, l->id);
        live_arm_eviction(j->app);
    } else if (session_status_of(l->session) == SESSION_PAUSED) {
        log_rest(j->app->log, l->id);
        park_consider(l);
    } else {
        l->paused_at = 0;
    }
}

static void journal_finish_entry(struct journal *j, struct journal_entry *en, bool refused)
{
    struct live *l = en->live;
    bool is_new = en->delta.is_new;
    l->uncommitted--;
    if (!refused) {
        if (en->delta.seq_last > 0) {
            log_seal(j->app->log, l->id, en->delta.seq_first, en->delta.seq_last,
                     buf_str(&en->delta.events));
            if (j->app->webhooks.active)
                app_webhooks_sealed(l, &en->delta);
            remote_announce(&j->app->remote, l->id, en->delta.seq_first, en->delta.seq_last,
                            buf_str(&en->delta.events));
        }
        if (!l->lost)
            runner_carry_out(l, en->effects);
        children_committed(j->app, &en->delta);
        journal_answer(&en->replies);
        tasks_committed(&j->app->tasks, en->delta.tasks_new);
    }
    engine_give_back(&en->delta.events);
    arena_deinit(&en->delta.arena);
    if (refused)
        journal_refused(j, l, &en->replies, is_new);
    else
        journal_settle(j, l);
}

/* What the next entries look at, fetched for all of them at once. */
static void journal_fetch(const struct journal *j, size_t from)
{
    struct id ids[LOG_SOON_MAX];
    size_t n = j->count - from < LOG_SOON_MAX ? j->count - from : LOG_SOON_MAX;
    if (n < 2)
        return;
    for (size_t i = 0; i < n; i++) {
        mem_fetch(j->entries[from + i].live, sizeof(struct live));
        ids[i] = j->entries[from + i].delta.session_id;
    }
    log_seal_soon(j->app->log, ids, n);
    /* The last step is for chunks: settling only asks whether calls are under way. */
    for (unsigned step = 0; step < SESSION_FETCH_STEPS - 1; step++)
        for (size_t i = 0; i < n; i++)
            if (j->entries[from + i].live->session)
                session_fetch(j->entries[from + i].live->session, step);
}

static void journal_release(struct journal *j)
{
    size_t n = j->count;
    if (j->failing) {
        log_info("journal", "the store is writable again; nothing was lost");
        j->failing = false;
        runner_hold_all(j->app, false);
    }
    j->retry_ms = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % LOG_SOON_MAX == 0)
            journal_fetch(j, i);
        journal_finish_entry(j, &j->entries[i], j->refused[i]);
    }
    if (j->timed_ns)
        gather_committed(&j->gather, clock_mono_ns() - j->timed_ns);
    gather_told(&j->gather);
    store_req_deinit(&j->commit.req);
    j->count = 0;
    j->in_flight = false;
    handover_check(&j->app->handover);
}

static void journal_retry(uv_timer_t *t)
{
    journal_submit(t->data);
}

static void journal_committed(struct store_req *req)
{
    struct journal *j = req->data;
    if (req->status == 0) {
        journal_release(j);
        return; /* the next batch starts at the end of this turn */
    }
    if (!j->failing) {
        log_error("journal", "a commit failed, it will be tried again: %s", req->error.text);
        j->failing = true;
        j->timed_ns = 0;
        gather_end(&j->gather); /* it may take long */
        runner_hold_all(j->app, true);
    }
    store_req_deinit(req);
    j->retry_ms = j->retry_ms ? j->retry_ms * 2 : JOURNAL_RETRY_MS_FIRST;
    if (j->retry_ms > JOURNAL_RETRY_MS_MAX)
        j->retry_ms = JOURNAL_RETRY_MS_MAX;
    uv_timer_start(&j->retry, journal_retry, (uint64_t)j->retry_ms, 0);
}

static void journal_submit(struct journal *j)
{
    store_req_init(&j->commit.req, STORE_COMMIT, journal_committed, j);
    j->commit.deltas = j->deltas;
    j->commit.count = j->count;
    j->commit.refused = j->refused;
    j->commit.may_block = j->timed_ns != 0; /* nobody waits, and the sockets have been read */
    store_submit(j->app->store, &j->commit.req);
}

static void journal_flush(struct journal *j)
{
    if (j->in_flight || j->is_reading)
        return;
    if (journal_gathers(j))
        return;
    uint64_t now = clock_mono_ns();
    journal_read(j, now);
    if (journal_has_marked(j))
        journal_collect(j, now);
    if (j->count > 0) {
        j->in_flight = true;
        journal_submit(j);
        return;
    }
    if (j->drained && !journal_has_marked(j)) {
        void (*drained)(void *) = j->drained;
        j->drained = NULL;
        drained(j->drained_data);
    }
}
