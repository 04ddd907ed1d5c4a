#include "llm/llm_private.h"

uint64_t llm_now(const struct llm *llm)
{
    return uv_now(llm->loop) + 1;
}

/* ---- the timer ---- */

static void llm_timer_fired(uv_timer_t *timer);

static void llm_consider(uint64_t *earliest, uint64_t at)
{
    if (at && (!*earliest || at < *earliest))
        *earliest = at;
}

void llm_arm(struct llm *llm)
{
    uint64_t earliest = 0, now = llm_now(llm);
    if (!list_empty(&llm->over))
        earliest = now;
    if (!list_empty(&llm->delayed))
        llm_consider(&earliest, container_of(llm->delayed.next, struct llm_job, link)->due_ms);
    for (size_t i = 0; i < llm->lane_count; i++)
        llm_consider(&earliest, lane_wake_ms(&llm->lanes[i].lane));
    if (llm->is_closing || !earliest || (llm->armed_ms && llm->armed_ms <= earliest))
        return;
    llm->armed_ms = earliest;
    uv_timer_start(&llm->timer, llm_timer_fired, earliest > now ? earliest - now : 1, 0);
}

static void llm_timer_fired(uv_timer_t *timer)
{
    struct llm *llm = timer->data;
    uint64_t now = llm_now(llm);
    struct list over;
    llm->armed_ms = 0;
    list_init(&over);
    list_splice(&over, &llm->over);
    for (struct list *it; (it = list_pop(&over));) {
        struct llm_job *job = container_of(it, struct llm_job, link);
        job->over(job);
    }
    while (!list_empty(&llm->delayed)) {
        struct llm_job *job = container_of(llm->delayed.next, struct llm_job, link);
        if (job->due_ms > now)
            break;
        llm_job_again(job);
        llm_lane_advance(llm, job->lane);
    }
    for (size_t i = 0; i < llm->lane_count; i++) {
        struct lane_ticket *t;
        while ((t = lane_expire(&llm->lanes[i].lane, now))) {
            struct llm_job *job = container_of(t, struct llm_job, ticket);
            job->give_up(job);
        }
        llm_lane_advance(llm, i);
    }
    llm_arm(llm);
}

/* ---- one job ---- */

void llm_job_init(struct llm_job *job, struct llm *llm, struct id fair_key)
{
    lane_ticket_init(&job->ticket);
    list_init(&job->link);
    job->llm = llm;
    job->key = id_is_zero(fair_key) ? id_new(&llm->random, llm_now(llm)) : fair_key;
}

void llm_job_enter(struct llm_job *job, size_t index)
{
    struct llm_lane *l = &job->llm->lanes[index];
    uint64_t now = llm_now(job->llm);
    job->lane = index;
    job->ticket.deadline_ms = now + (uint64_t)l->config.queue_timeout_ms;
    lane_wait(&l->lane, &job->ticket, job->key, now);
}

void llm_job_again(struct llm_job *job)
{
    list_remove(&job->link);
    lane_wait_again(&job->llm->lanes[job->lane].lane, &job->ticket, job->key, llm_now(job->llm));
}

void llm_job_delay(struct llm_job *job, int64_t ms)
{
    struct llm *llm = job->llm;
    struct list *after = llm->delayed.prev;
    job->due_ms = llm_now(llm) + (uint64_t)ms;
    while (after != &llm->delayed &&
           container_of(after, struct llm_job, link)->due_ms > job->due_ms)
        after = after->prev;
    list_prepend(after, &job->link); /* right behind `after`, or first */
    llm_arm(llm);
}

void llm_job_over(struct llm_job *job)
{
    list_append(&job->llm->over, &job->link);
    llm_arm(job->llm);
}

void llm_job_drop(struct llm_job *job)
{
    list_remove(&job->link);
    if (job->ticket.turn)
        lane_leave(&job->llm->lanes[job->lane].lane, &job->ticket);
    if (job->ticket.has_slot)
        llm_job_end(job);
}

bool llm_job_is_hopeless(const struct llm_job *job)
{
    const struct circuit *c = &job->llm->lanes[job->lane].lane.circuit;
    return c->state == CIRCUIT_OPEN && c->until_ms > job->ticket.deadline_ms;
}

static void llm_lane_shed(struct llm *llm, struct lane *lane)
{
    list_foreach_safe(it, next, &lane->aged)
    {
        struct llm_job *job = container_of(it, struct llm_job, ticket.age);
        if (job->shed)
            job->shed(job);
    }
    for (size_t i = 0; i < llm->lane_count; i++)
        llm_lane_advance(llm, i);
}

void llm_job_report(struct llm_job *job, enum circuit_result result, int64_t retry_after_ms)
{
    struct llm *llm = job->llm;
    struct lane *lane = &llm->lanes[job->lane].lane;
    if (lane_report(lane, &job->ticket, result, retry_after_ms, llm_now(llm)))
        llm_lane_shed(llm, lane);
}

void llm_job_end(struct llm_job *job)
{
    lane_end(&job->llm->lanes[job->lane].lane, &job->ticket);
    llm_lane_advance(job->llm, job->lane);
}

void llm_lane_advance(struct llm *llm, size_t index)
{
    struct lane_ticket *t;
    while ((t = lane_next(&llm->lanes[index].lane, llm_now(llm)))) {
        struct llm_job *job = container_of(t, struct llm_job, ticket);
        job->go(job);
    }
    llm_arm(llm);
}
