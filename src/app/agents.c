#include "app/agents.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

static void agents_looked(struct catalog_lookup *l)
{
    struct agents_find *f = l->data;
    f->done(f);
}

static bool ids_have(const struct str *ids, size_t count, struct str id)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(ids[i], id))
            return true;
    return false;
}

/* Each id once: a workflow has a few speakers, whatever number of nodes. */
static struct str *ids_collect(const struct workflow *w, size_t *count)
{
    struct str *ids = NULL;
    size_t cap = 0;
    struct workflow_agent it = {0};
    *count = 0;
    while (workflow_agent_next(w, &it)) {
        if (ids_have(ids, *count, it.id))
            continue;
        if (*count == cap) {
            cap = cap ? cap * 2 : 8;
            ids = mem_realloc(ids, cap * sizeof(*ids));
        }
        ids[(*count)++] = it.id;
    }
    return ids;
}

void agents_find(struct app *a, struct agents_find *f)
{
    struct catalog_lookup *l = &f->lookup;
    workflow_ref(f->workflow);
    *l = (struct catalog_lookup){.kind = CATALOG_AGENT, .workspace = f->workspace};
    l->done = agents_looked;
    l->data = f;
    l->ids = ids_collect(f->workflow, &l->count);
    if (l->count)
        catalog_lookup(a, l);
    else
        f->done(f);
}

void agents_find_deinit(struct agents_find *f)
{
    if (f->lookup.count)
        catalog_lookup_deinit(&f->lookup);
    free((void *)f->lookup.ids);
    workflow_unref(f->workflow);
}

const struct catalog_row *agents_found(const struct agents_find *f, struct str id)
{
    for (size_t i = 0; i < f->lookup.count; i++)
        if (str_eq(f->lookup.ids[i], id))
            return f->lookup.rows[i];
    return NULL;
}

unsigned agents_missing(const struct agents_find *f)
{
    struct workflow_agent it = {0};
    unsigned count = 0;
    while (workflow_agent_next(f->workflow, &it))
        count += !agents_found(f, it.id);
    return count;
}

static void missing_write(const struct node_def *n, struct str id, struct jw *w)
{
    bool is_vote = n->kind == KIND_VOTE;
    char text[3 * NAME_BYTES_MAX + 200];
    jw_object(w);
    jw_kv_string(w, "node_id", n->id);
    snprintf(text, sizeof(text), "nodes.%.*s.properties.%s", STR_FMT(n->id),
             is_vote ? "voters" : "agent_id");
    jw_kv_stringz(w, "path", text);
    jw_kv_stringz(w, "code", "unknown_agent");
    snprintf(text, sizeof(text), "there is no agent \"%.*s\": make it under /agents, or %s",
             STR_FMT(id),
             is_vote ? "write the voter as {name, persona}" : "give the node a persona");
    jw_kv_stringz(w, "message", text);
    jw_kv_string(w, "agent_id", id);
    jw_end(w);
}

void agents_write_missing(const struct agents_find *f, struct jw *w)
{
    struct workflow_agent it = {0};
    while (workflow_agent_next(f->workflow, &it))
        if (!agents_found(f, it.id))
            missing_write(&f->workflow->nodes[it.node], it.id, w);
}
