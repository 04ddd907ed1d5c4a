/* A session as a whole, as a store takes it in. */
#include "store/rules.h"

void rules_import_delta(const struct store_session_import *m, struct session_meta *meta,
                        struct delta *out)
{
    const struct session_whole *w = m->whole;

    *meta = w->row.meta;
    meta->workspace = rules_workspace(m->workspace);
    if (!meta->stored_only) /* that id and version may be something else here, or nothing */
        meta->graph_json = w->workflow_json;
    *out = (struct delta){
        .session_id = w->row.id,
        /* Reads look for a session's events from its beginning on. */
        .at = m->now_ms > w->row.created_at ? m->now_ms : w->row.created_at,
        .is_new = true,
        .created_at = w->row.created_at,
        .meta = meta,
        .version = w->row.version,
        .core = &w->row.core,
        .runs = w->runs,
        .effects_new = w->effects,
        .timers_set = w->timers,
        .messages = w->messages,
        .interrupts = w->interrupts,
        .tasks_new = w->tasks,
        .files = w->files,
        .usage = w->usage,
        .withheld = w->withheld,
        .idempotency = m->idempotency,
    };
}
