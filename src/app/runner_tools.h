/* Tool calls: EFFECT_TOOL_START to src/tools, or to what the app itself answers from the store.
 *
 * A tool of the app is a line in the table of runner_tools.c: start() reads tool_run_arguments(),
 * and ends with tool_run_done() or tool_run_failed(), now or later. A run that was cancelled
 * meanwhile takes the answer and forgets it, so a store request under way needs no cancelling.
 */
#ifndef SLUICE_APP_RUNNER_TOOLS_H
#define SLUICE_APP_RUNNER_TOOLS_H

#include "app/runner_private.h"
#include "base/json.h"
#include "tools/tool.h"

struct tool_run {
    struct run run;
    char *tool, *server, *name;
    struct id key;       /* the same on every attempt */
    struct tool_job job; /* of src/tools alone */
};

/* The `arguments` object of the request, or JSON_ABSENT. Lives as long as the run. */
struct json tool_run_arguments(const struct tool_run *t);
/* Whether the workflow's author gave that argument, and not a model. */
bool tool_run_is_authored(const struct tool_run *t, const char *key);
/* All three end the run; t is gone afterwards. */
void tool_run_done(struct tool_run *t, struct str output_json);
void tool_run_failed(struct tool_run *t, const char *code, const char *text);
/* Ends it without a result: the server stops, and whoever has the session next begins it again. */
void tool_run_leave(struct tool_run *t);

/* Only the engine itself may ask so (`internal`); else the run ends: the tool is unknown. */
bool recall_allowed(struct tool_run *t);
/* runner_agents.c: who speaks. */
void recall_agent(struct tool_run *t);
/* runner_recall.c: what nodes of their own kind ask the store. */
void recall_messages(struct tool_run *t);
/* memory_tools.c */
void memory_tool_query(struct tool_run *t);
void memory_tool_ingest(struct tool_run *t);

#endif
