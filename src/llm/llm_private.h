/* What llm.c, job.c and call.c share: providers, their lanes, and what waits there.
 *
 *     llm_job_enter ──(a slot)──> go ──> … ──> llm_job_end ──> llm_job_delay | llm_job_again | over
 *          └──(its deadline)──> give_up, and it is in no lane
 */
#ifndef SLUICE_LLM_LLM_PRIVATE_H
#define SLUICE_LLM_LLM_PRIVATE_H

#include <uv.h>

#include "llm/backend.h"
#include "llm/lane.h"
#include "llm/llm.h"

#define LLM_BACKENDS 2 /* LLM_ANTHROPIC goes over that of LLM_OPENAI */

struct llm_key { /* one that is in use no more, or by few */
    char *text;
    struct llm_key *next;
};

struct llm_lane {
    struct llm_provider config; /* strings are ours */
    struct lane lane;
    struct llm_key *old_keys; /* pointers to them are compared: kept to the end */
    uint64_t done_total, failed_total, moved_total;
};

struct llm {
    uv_loop_t *loop;
    struct llm_lane *lanes;
    size_t lane_count;
    void *backends[LLM_BACKENDS];
    struct embedder *embedder;
    uv_timer_t timer;    /* the earliest of deadlines, ends of open circuits, delays */
    uint64_t armed_ms;   /* 0: not armed */
    struct list delayed; /* llm_job.link, by due_ms */
    struct list over;    /* llm_job.link: job->over() is to be called, by the timer */
    struct id_source random;
    void (*closed)(void *data);
    void *closed_data;
    unsigned open_parts;
    bool is_closing;
};

/* Something that wants a slot of a provider: a call, a request for vectors. */
struct llm_job {
    struct lane_ticket ticket;
    struct list link; /* llm.delayed, llm.over */
    struct llm *llm;
    size_t lane;   /* index */
    struct id key; /* whose turn it takes; not zero */
    uint64_t due_ms;
    void (*go)(struct llm_job *job);      /* it has a slot. May not call its owner. */
    void (*give_up)(struct llm_job *job); /* its deadline is over */
    void (*over)(struct llm_job *job);    /* it was given to llm_job_over() */
    /* The circuit of its lane has opened and it waits there, in the lane: it may leave and enter
     * another. May not call its owner. NULL: it stays. */
    void (*shed)(struct llm_job *job);
};

uint64_t llm_now(const struct llm *llm);
long llm_lane_find(const struct llm *llm, const char *id); /* NULL, "": the first; -1: none */
const struct llm_backend *llm_backend_at(const struct llm *llm, size_t lane);
void *llm_backend_self(const struct llm *llm, size_t lane);

/* job.c. fair_key zero: it has turns of its own. */
void llm_job_init(struct llm_job *job, struct llm *llm, struct id fair_key);
/* Waits in lanes[index] from now on, for so long as its provider allows. llm_lane_advance() is the
 * caller's. */
void llm_job_enter(struct llm_job *job, size_t index);
/* Waits there again, first of its session, until the deadline that it had. */
void llm_job_again(struct llm_job *job);
void llm_job_delay(struct llm_job *job, int64_t ms); /* llm_job_again() after that */
void llm_job_over(struct llm_job *job);              /* over() comes soon, not from here */
void llm_job_drop(struct llm_job *job);              /* wherever it is; gives back its slot */
/* Sheds those that wait when the circuit opens by this. */
void llm_job_report(struct llm_job *job, enum circuit_result result, int64_t retry_after_ms);
void llm_job_end(struct llm_job *job); /* gives back its slot and lets the next one go */
/* The provider has asked for more patience than the job has left. */
bool llm_job_is_hopeless(const struct llm_job *job);
void llm_lane_advance(struct llm *llm, size_t index);
void llm_arm(struct llm *llm);

#endif
