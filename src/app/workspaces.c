#include "app/workspaces.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"

struct workspace_slot {
    struct id session_id;
    const struct workspace_name *name; /* NULL: free */
};
struct workspace_name {
    struct workspace_name *next;
    char text[];
};

/* ---- what is known ---- */

static const struct workspace_name *name_of(struct workspaces *w, struct str text)
{
    struct workspace_name *name = w->names;

    while (name && !str_eqz(text, name->text))
        name = name->next;
    if (name)
        return name;
    name = mem_zalloc(sizeof(*name) + text.n + 1);
    memcpy(name->text, text.p, text.n);
    name->next = w->names;
    w->names = name;
    return name;
}

static struct workspace_slot *slot_of(struct workspaces *w, struct id session_id)
{
    return &w->slots[id_hash(session_id) & (WORKSPACES_SLOTS - 1)];
}

void workspaces_note(struct app *a, struct str workspace, struct id session_id)
{
    struct workspaces *w = &a->workspaces;
    struct workspace_slot *slot;

    if (!w->slots)
        w->slots = mem_calloc(WORKSPACES_SLOTS, sizeof(*w->slots));
    slot = slot_of(w, session_id);
    slot->session_id = session_id;
    slot->name = name_of(w, workspace);
}

int workspaces_sees(struct app *a, struct str workspace, struct id session_id)
{
    const struct live *l = live_find(a, session_id);
    const struct workspace_slot *slot;

    if (l && l->session)
        return str_eq(session_meta_of(l->session)->workspace, workspace);
    if (!a->workspaces.slots)
        return -1;
    slot = slot_of(&a->workspaces, session_id);
    if (!slot->name || !id_eq(slot->session_id, session_id))
        return -1;
    return str_eqz(workspace, slot->name->text);
}

void workspaces_deinit(struct workspaces *w)
{
    while (w->names) {
        struct workspace_name *name = w->names;
        w->names = name->next;
        free(name);
    }
    free(w->slots);
}

/* ---- the guard ---- */

struct guard_job {
    struct app *app;
    struct svc_req *req;
    void (*pass)(struct app *a, struct svc_req *req);
    bool of_task;
    union {
        struct store_session_get session;
        struct store_task_get task;
    } u;
};

/* There is nothing of that id. */
static void guard_hide(struct guard_job *job)
{
    struct id nothing = id_new(&job->app->ids, (uint64_t)clock_wall_ms());

    if (job->of_task)
        job->req->task.id = nothing;
    else
        job->req->session_id = nothing;
}

static void guard_end(struct guard_job *job)
{
    struct app *a = job->app;
    struct svc_req *req = job->req;
    void (*pass)(struct app *, struct svc_req *) = job->pass;

    free(job);
    pass(a, req);
}

static void guard_ask(struct guard_job *job, struct id session_id);

static void guard_found(struct store_req *r)
{
    struct guard_job *job = r->data;
    const struct session_row *row = &job->u.session.row;

    if (r->status == 0) {
        workspaces_note(job->app, row->meta.workspace, row->id);
        if (!str_eq(row->meta.workspace, job->req->workspace))
            guard_hide(job);
    } else if (r->status != ERR_NOT_FOUND && r->status != ERR_CORRUPT) {
        struct svc_req *req = job->req;
        app_failed_store(req, r, "");
        store_req_deinit(r);
        free(job);
        return;
    } /* else the operation says what is wrong with it */
    store_req_deinit(r);
    guard_end(job);
}

static void guard_task_found(struct store_req *r)
{
    struct guard_job *job = r->data;
    struct id session_id = job->u.task.row.session_id;
    bool found = r->status == 0;

    store_req_deinit(r);
    if (found)
        guard_ask(job, session_id);
    else
        guard_end(job);
}

static void guard_ask(struct guard_job *job, struct id session_id)
{
    int sees = workspaces_sees(job->app, job->req->workspace, session_id);

    if (sees >= 0) {
        if (sees == 0)
            guard_hide(job);
        guard_end(job);
        return;
    }
    memset(&job->u, 0, sizeof(job->u));
    store_req_init(&job->u.session.req, STORE_SESSION_GET, guard_found, job);
    job->u.session.id = session_id;
    store_submit(job->app->store, &job->u.session.req);
}

/* These look for themselves, or the session is only a filter of theirs. */
static bool looks_itself(enum svc_op op)
{
    return op == SVC_SESSION_GET || op == SVC_SESSION_PUT || op == SVC_REVIEW_LIST;
}

static bool is_of_task(enum svc_op op)
{
    return op == SVC_TASK_HEARTBEAT || op == SVC_TASK_COMPLETE || op == SVC_TASK_FAIL;
}

void workspaces_guard(struct app *a, struct svc_req *req,
                      void (*pass)(struct app *a, struct svc_req *req))
{
    bool of_session = !id_is_zero(req->session_id) && !looks_itself(req->op);
    /* Until there are keys or tokens, nothing belongs to a second workspace. */
    bool of_task = is_of_task(req->op) && (a->keys.count > 0 || a->keys.tokens);
    struct guard_job *job;

    if (req->who.kind == PRINCIPAL_SERVER || (!of_session && !of_task) ||
        (!of_task && workspaces_sees(a, req->workspace, req->session_id) == 1)) {
        pass(a, req);
        return;
    }
    job = mem_zalloc(sizeof(*job));
    *job = (struct guard_job){.app = a, .req = req, .pass = pass, .of_task = of_task};
    if (!of_task) {
        guard_ask(job, req->session_id);
        return;
    }
    store_req_init(&job->u.task.req, STORE_TASK_GET, guard_task_found, job);
    job->u.task.task_id = req->task.id;
    store_submit(a->store, &job->u.task.req);
}
