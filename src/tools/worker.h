/* Worker threads for code that computes: scripts and native plugins. Both stop at the session's
 * gate in the middle of a computation.
 *
 *     worker_job_start ──> queue ──> a thread: run() ── worker_checkpoint, _text, _log, _save
 *                                                          │
 *     on the loop:  on_text*, on_log*, on_save* ──> on_done, exactly once, never inside start
 *
 * A thread that is blocked at a gate does not count against the pool's size (another is started, up
 * to threads_cap), so that paused sessions do not keep the rest from running.
 *
 * Foreign code (`is_foreign`) may break its promise to look at the gate. It is watched: one that
 * has not looked for WORKER_SILENT_MS is named in the log; when its time is over as well, the job
 * ends without it and its thread is written off until it comes back by itself.
 */
#ifndef SLUICE_TOOLS_WORKER_H
#define SLUICE_TOOLS_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "engine/gate.h"

#define WORKER_TIMEOUT_MS 60000 /* of a job that names no time of its own */
#define WORKER_SILENT_MS  5000  /* foreign code that has not looked at its gate for so long */
#define WORKER_CLOSE_MS   3000  /* how long closing waits for threads that do not come back */
#define WORKER_QUEUE_MAX  10000 /* jobs that wait for a thread */
#define WORKER_TOLD_MAX   256   /* of a pool, not yet on the loop; who tells more waits */
#define WORKER_OUTPUT_MAX (4u << 20)

struct uv_loop_s;
struct worker; /* a job on its thread */

struct worker_job {
    /* In; owned by the caller until done */
    const char *what;   /* for sentences: "the script", "plugin acme" */
    int64_t timeout_ms; /* of running time; time at the gate does not count; 0: the default */
    struct gate *gate;  /* the job takes a reference */
    bool is_foreign;
    /* On a thread. 0 with JSON appended to out (nothing: null), or an error with a sentence. `work`
     * belongs to the job from its start on: work_free (may be NULL) is called once, on either
     * thread, when neither needs it any more. */
    int (*run)(struct worker *w, void *work, struct buf *out, struct errbuf *e);
    void *work;
    void (*work_free)(void *work);
    /* On the loop; each may be NULL but on_done */
    void (*on_text)(struct worker_job *j, struct str utf8, bool is_thinking);
    void (*on_log)(struct worker_job *j, const char *level, struct str text);
    void (*on_save)(struct worker_job *j, struct str json);
    void (*on_done)(struct worker_job *j);
    void *data;
    /* Out */
    int status; /* 0, what run() gave, ERR_TIMEOUT, ERR_CANCELLED (gate broken, aborted) */
    struct errbuf error;
    struct buf output; /* the pool initialises it; the caller deinits it after on_done */
    /* Private */
    void *impl;
};

struct worker_pool;
int worker_pool_create(struct worker_pool **out, struct uv_loop_s *loop, unsigned threads,
                       unsigned threads_cap);
/* Jobs are aborted. `closed` is called on the loop, when the threads have come back, or after
 * WORKER_CLOSE_MS without those that will not: these are named in the log, and the process should
 * end. */
void worker_pool_close(struct worker_pool *p, void (*closed)(void *data), void *data);
/* ERR_OVERLOAD: the queue is full; `work` is still the caller's then. */
int worker_job_start(struct worker_pool *p, struct worker_job *j);
/* on_done still comes, with ERR_CANCELLED. To end all jobs of a session, gate_break() does too. */
void worker_job_abort(struct worker_pool *p, struct worker_job *j);

/* ---- on the job's thread ---- */

/* Blocks while the session is paused. false: end now (cancelled, or its time is over). */
bool worker_checkpoint(struct worker *w);
/* Text for the people who watch. false as above. Goes through the gate first. */
bool worker_text(struct worker *w, struct str utf8, bool is_thinking);
void worker_log(struct worker *w, const char *level, struct str text); /* level: static */
void worker_save(struct worker *w, struct str json); /* what to begin with after a restart */

#endif
