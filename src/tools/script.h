/* Scripts: sandboxed Lua on worker threads (tools/worker.h). */
#ifndef SLUICE_TOOLS_SCRIPT_H
#define SLUICE_TOOLS_SCRIPT_H

#include <stdint.h>

#include "tools/worker.h"

#define SCRIPT_MEMORY_MAX (64u << 20)

struct script_job {
    /* In; owned by the caller until done, texts included */
    struct str code;
    struct str env;            /* see struct expr_script_env */
    struct str saved;          /* what it saved before a restart; NULL: nothing */
    uint64_t memory_bytes_max; /* 0: SCRIPT_MEMORY_MAX */
    /* In: timeout_ms, gate, the callbacks. Out: status (ERR_INVALID: its own error; ERR_TIMEOUT,
     * ERR_CANCELLED, ERR_TOO_LARGE: memory), error, output. */
    struct worker_job job;
};

int script_job_start(struct worker_pool *p, struct script_job *j); /* ERR_OVERLOAD */

#endif
