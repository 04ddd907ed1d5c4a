#include "app/plans.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_canonical.h"
#include "base/mem.h"

struct plan {
    struct list in_bucket, in_use;
    char *workspace;
    struct workflow *w;
    bool is_newest;
    int64_t newest_at; /* when that was known; monotonic ms */
    int64_t asked_at;  /* when somebody was sent to ask again */
};

static int64_t plans_now(void)
{
    return (int64_t)(clock_mono_ns() / 1000000);
}

static bool plan_is_newest(const struct plans *p, const struct plan *plan)
{
    return plan->is_newest && (p->newest_ms == 0 || p->now() - plan->newest_at < p->newest_ms);
}

static unsigned plans_hash(struct str workspace, struct str id)
{
    uint32_t h = 2166136261u; /* FNV-1a: ids are ours to choose, not a peer's to attack at scale */
    for (size_t i = 0; i < workspace.n; i++)
        h = (h ^ (uint8_t)workspace.p[i]) * 16777619u;
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (uint8_t)id.p[i]) * 16777619u;
    return h % PLANS_BUCKETS;
}

void plans_init(struct plans *p)
{
    for (unsigned i = 0; i < PLANS_BUCKETS; i++)
        list_init(&p->buckets[i]);
    list_init(&p->by_use);
    p->count = 0;
    p->newest_ms = 0;
    p->now = plans_now;
}

static void plan_drop(struct plans *p, struct plan *plan)
{
    list_remove(&plan->in_bucket);
    list_remove(&plan->in_use);
    p->count--;
    workflow_unref(plan->w);
    free(plan->workspace);
    free(plan);
}

void plans_deinit(struct plans *p)
{
    while (!list_empty(&p->by_use))
        plan_drop(p, container_of(p->by_use.next, struct plan, in_use));
}

static bool plan_is_of(const struct plan *plan, struct str workspace, struct str id)
{
    return str_eq(plan->w->id, id) && str_eqz(workspace, plan->workspace);
}

struct workflow *plans_get(struct plans *p, struct str workspace, struct str id, int64_t version)
{
    list_foreach(it, &p->buckets[plans_hash(workspace, id)])
    {
        struct plan *plan = container_of(it, struct plan, in_bucket);
        bool wanted = version == 0 ? plan_is_newest(p, plan) : plan->w->version == version;
        if (!wanted || !plan_is_of(plan, workspace, id))
            continue;
        list_remove(&plan->in_use);
        list_append(&p->by_use, &plan->in_use);
        return plan->w;
    }
    return NULL;
}

void plans_put(struct plans *p, struct str workspace, struct workflow *w, bool is_newest)
{
    struct list *bucket = &p->buckets[plans_hash(workspace, w->id)];
    list_foreach_safe(it, tmp, bucket)
    {
        struct plan *plan = container_of(it, struct plan, in_bucket);
        if (!plan_is_of(plan, workspace, w->id))
            continue;
        if (is_newest)
            plan->is_newest = false;
        if (plan->w->version == w->version)
            plan_drop(p, plan);
    }
    struct plan *plan = mem_zalloc(sizeof(*plan));
    if (!w->checksum[0])
        json_checksum(w->text, w->checksum);
    plan->workspace = str_dup(workspace);
    plan->w = workflow_ref(w);
    plan->is_newest = is_newest;
    plan->newest_at = p->now();
    list_append(bucket, &plan->in_bucket);
    list_append(&p->by_use, &plan->in_use);
    if (++p->count > PLANS_MAX)
        plan_drop(p, container_of(p->by_use.next, struct plan, in_use));
}

static struct plan *plans_newest(struct plans *p, struct str workspace, struct str id)
{
    list_foreach(it, &p->buckets[plans_hash(workspace, id)])
    {
        struct plan *plan = container_of(it, struct plan, in_bucket);
        if (plan->is_newest && plan_is_of(plan, workspace, id))
            return plan;
    }
    return NULL;
}

int64_t plans_ask(struct plans *p, struct str workspace, struct str id)
{
    int64_t now = p->newest_ms ? p->now() : 0, half = p->newest_ms / 2;
    struct plan *plan = p->newest_ms ? plans_newest(p, workspace, id) : NULL;

    if (!plan || now - plan->newest_at < half || now - plan->asked_at < half)
        return 0;
    plan->asked_at = now;
    return now;
}

void plans_answered(struct plans *p, struct str workspace, struct str id, int64_t version,
                    int64_t asked)
{
    struct plan *plan = plans_newest(p, workspace, id);

    if (!plan)
        return;
    if (plan->w->version != version)
        plan->is_newest = false;
    else if (plan->newest_at < asked)
        plan->newest_at = asked;
}

void plans_doubt(struct plans *p, struct str workspace, struct str id)
{
    list_foreach(it, &p->buckets[plans_hash(workspace, id)])
    {
        struct plan *plan = container_of(it, struct plan, in_bucket);
        if (plan_is_of(plan, workspace, id))
            plan->is_newest = false;
    }
}

void plans_forget(struct plans *p, struct str workspace, struct str id)
{
    list_foreach_safe(it, tmp, &p->buckets[plans_hash(workspace, id)])
    {
        struct plan *plan = container_of(it, struct plan, in_bucket);
        if (plan_is_of(plan, workspace, id))
            plan_drop(p, plan);
    }
}
