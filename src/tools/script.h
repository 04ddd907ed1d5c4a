/* Scripts on worker threads: they stop at the session's gate in the middle of a computation.
 *
 * A job calls back on the loop exactly once, never inside start. A worker that is blocked at a gate
 * does not count against the pool's size (another is started, up to threads_cap).
 */
#ifndef SLUICE_TOOLS_SCRIPT_H
#define SLUICE_TOOLS_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "engine/gate.h"

struct uv_loop_s;

struct script_job {
    /* In; owned by the caller until done, texts included */
    struct str code;
    struct str env;            /* see struct expr_script_env */
    int64_t timeout_ms;        /* of running time; time at the gate does not count; 0: 60 s */
    uint64_t memory_bytes_max; /* 0: 64 MiB */
    struct gate *gate;         /* the job takes a reference */
    void (*on_log)(struct script_job *j, const char *level, struct str text); /* on the loop */
    void (*on_done)(struct script_job *j);                                    /* on the loop */
    void *data;
    /* Out */
    int status; /* 0, ERR_INVALID, ERR_TIMEOUT, ERR_CANCELLED (gate broken), ERR_TOO_LARGE */
    struct errbuf error;
    struct buf output; /* JSON; the pool initialises it; the caller deinits it after on_done */
    /* Private */
    struct list link;
    void *impl;
};

struct script_pool;
int script_pool_create(struct script_pool **out, struct uv_loop_s *loop, unsigned threads,
                       unsigned threads_cap);
/* Every gate must be broken before, so that workers come back; `closed` is called on the loop. */
void script_pool_close(struct script_pool *p, void (*closed)(void *data), void *data);
int script_job_start(struct script_pool *p, struct script_job *j); /* ERR_OVERLOAD: queue full */
/* Cancel = gate_break(job->gate); on_done still comes, with ERR_CANCELLED. A retry of one run alone
 * (timeout of the node) uses script_job_abort(). */
void script_job_abort(struct script_pool *p, struct script_job *j);

#endif
