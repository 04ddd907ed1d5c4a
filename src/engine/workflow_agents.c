#include "engine/workflow.h"

#include "base/json.h"

/* Which stored agents a workflow needs. Ids are names, written without escapes. */

static struct str name_of(struct json v)
{
    return json_type(v) == JSON_STRING ? (struct str){v.p + 1, v.n - 2} : STR_NULL;
}

struct str workflow_node_agent(const struct node_def *n)
{
    if (n->kind != KIND_AGENT || json_exists(json_get_set(n->properties, "persona")) ||
        json_exists(json_get_set(json_get_set(n->properties, "agent"), "persona")))
        return STR_NULL;
    return name_of(json_get_set(n->properties, "agent_id"));
}

struct str workflow_voter_agent(const struct workflow *w, struct json voter)
{
    struct str name = name_of(voter);
    int node = name.p ? workflow_find(w->doc, name) : -1;
    if (node < 0 || w->doc->nodes[node].kind != KIND_AGENT)
        return name;
    return workflow_node_agent(&w->doc->nodes[node]);
}

bool workflow_agent_next(const struct workflow *w, struct workflow_agent *it)
{
    for (; it->node < w->node_count; it->node++, it->voter = 0) {
        const struct node_def *n = &w->nodes[it->node];
        if (n->kind == KIND_AGENT && !it->voter++) {
            it->id = workflow_node_agent(n);
            if (it->id.p)
                return true;
        }
        if (n->kind != KIND_VOTE)
            continue;
        struct json_iter voters;
        json_iter_init(&voters, json_get_set(n->properties, "voters"));
        while (json_iter_next(&voters)) {
            if (voters.index < it->voter)
                continue;
            it->voter = (unsigned)voters.index + 1;
            it->id = workflow_voter_agent(w, voters.value);
            if (it->id.p)
                return true;
        }
    }
    return false;
}
