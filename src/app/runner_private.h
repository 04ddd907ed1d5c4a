/* What the runner's files share: one piece of outside work under way, whatever its kind.
 *
 *     effect ──> a kind's start: run_init ──> … ──> run_input, run_failed ──> run_deinit
 *                                   └── run->cancel at any time: no result afterwards
 *
 * A kind embeds a struct run as its first member.
 */
#ifndef SLUICE_APP_RUNNER_PRIVATE_H
#define SLUICE_APP_RUNNER_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "app/live.h"
#include "base/json.h"
#include "base/list.h"

struct run {
    struct list link;  /* in live->runs */
    struct live *live; /* NULL: nobody wants the result any more */
    struct app *app;
    struct id run_id;
    struct str request; /* of the effect; owned */
    bool held_by_session, held_by_store, held_ahead;
    /* Of the kind. cancel: unlinks the run and frees it, now or when its work has let go of it. */
    void (*cancel)(struct run *r);
    void (*hold)(struct run *r, bool hold); /* or NULL: cannot be held back */
};

void run_init(struct run *r, struct live *l, const struct effect *ef);
void run_deinit(struct run *r); /* unlinks it; the kind frees its memory */
/* For a run with a live session only. in->run_id is set here. */
void run_input(struct run *r, struct engine_input *in);
void run_failed(struct run *r, const char *code, const char *text, int64_t retry_after_ms);

/* runner_tools.c: EFFECT_TOOL_START */
void runner_tool_start(struct live *l, const struct effect *ef);

/* runner.c: a plugin's type called as a tool, its arguments held to its schema */
void runner_plugin_tool(struct live *l, const struct effect *ef, struct json schema);

#endif
