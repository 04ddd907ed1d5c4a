/* A session that was live where it was exported. */
#include "app/portable.h"
#include "base/clock.h"

void portable_live_deinit(struct portable_live *l)
{
    if (l->has_delta) {
        buf_deinit(&l->delta.events);
        arena_deinit(&l->delta.arena);
    }
    session_destroy(l->session);
    workflow_unref(l->workflow);
}

static int live_parse(struct portable_live *l, const struct session_whole *w, struct expr_vm *vm,
                      struct errbuf *e)
{
    struct workflow_issues issues;

    workflow_issues_init(&issues);
    int rc = workflow_parse(w->workflow_json, vm, &l->workflow, &issues);
    if (rc)
        rc = err_set(e, ERR_UNPROCESSABLE, "the session cannot go on here: %.*s",
                     STR_FMT(issues.count ? issues.items[0].message : STR("its workflow is none")));
    else
        l->workflow->version = w->row.meta.workflow_version;
    workflow_issues_deinit(&issues);
    return rc;
}

/* Paused before anything of it is begun here. */
static int live_pause(struct portable_live *l, struct session_whole *w, struct arena *a,
                      struct id_source *ids, const struct engine_rules *rules, struct errbuf *e)
{
    struct engine_input in = {.kind = IN_PAUSE,
                              .now_ms = clock_wall_ms(),
                              .ids = ids,
                              .rules = rules,
                              .reason = STR("imported")};
    struct effect *effects = NULL; /* of calls that do not run here */

    int rc = engine_step(l->session, &in, e);
    if (rc)
        return rc;
    l->has_delta = engine_take_delta(l->session, in.now_ms, &l->delta, &effects);
    if (l->has_delta)
        portable_apply(w, &l->delta, a);
    return 0;
}

int portable_take_up(struct portable_live *l, struct session_whole *w, struct arena *a,
                     struct expr_vm *vm, struct id_source *ids, const struct engine_rules *rules,
                     struct errbuf *e)
{
    struct session_image image = {.row = &w->row,
                                  .runs = w->runs,
                                  .effects = w->effects,
                                  .timers = w->timers,
                                  .withheld = w->withheld};

    int rc = live_parse(l, w, vm, e);
    if (rc == 0)
        rc = session_restore(&l->session, l->workflow, vm, 0, &image, e);
    if (rc)
        return rc == ERR_CORRUPT ? ERR_INVALID : rc;
    if (session_status_of(l->session) == SESSION_PAUSED ||
        !(w->row.core.busy || w->effects || w->tasks))
        return 0;
    return live_pause(l, w, a, ids, rules, e);
}
