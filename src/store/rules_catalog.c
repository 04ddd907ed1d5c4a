/* Who uses a stored object: read out of bodies and graphs, the same way for every store. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "store/rules.h"

static bool catalog_is(struct json v, struct str id)
{
    struct buf text;
    bool same = false;

    if (json_type(v) != JSON_STRING)
        return false;
    buf_init(&text, v.n);
    same = json_string(v, &text) && str_eq(buf_str(&text), id);
    buf_deinit(&text);
    return same;
}

bool rules_catalog_matches(const struct store_catalog_list *l, const struct catalog_row *row)
{
    if (l->category.p && (!row->category.p || !str_eq(l->category, row->category)))
        return false;
    return !l->q.p || rules_contains(row->id, l->q) || rules_contains(row->name, l->q) ||
           (row->description.p && rules_contains(row->description, l->q));
}

bool rules_group_has_agent(struct str body, struct str id)
{
    struct json_iter it;

    json_iter_init(&it, json_get(json_root(body), "default_agent_ids"));
    while (json_iter_next(&it))
        if (catalog_is(it.value, id))
            return true;
    return false;
}

void rules_group_drop_agent(struct str body, struct str id, struct buf *out)
{
    struct json_iter it, agents;
    struct jw w;

    jw_init(&w, out);
    jw_object(&w);
    json_iter_init(&it, json_root(body));
    while (json_iter_next(&it)) {
        if (!json_iter_key_is(&it, "default_agent_ids")) {
            struct buf key;
            buf_init(&key, it.key.n);
            json_iter_key(&it, &key);
            jw_key_str(&w, buf_str(&key));
            jw_raw(&w, json_raw(it.value));
            buf_deinit(&key);
            continue;
        }
        jw_key(&w, "default_agent_ids");
        jw_array(&w);
        json_iter_init(&agents, it.value);
        while (json_iter_next(&agents))
            if (!catalog_is(agents.value, id))
                jw_raw(&w, json_raw(agents.value));
        jw_end(&w);
    }
    jw_end(&w);
}

/* As workflow_agent_next() of the engine, which has the workflow parsed: an agent node with an id
 * and no persona; a voter who is a name alone, and not that of an agent node. */
static bool node_names(struct json props, struct str id)
{
    struct json inside = json_get_set(props, "agent");

    return catalog_is(json_get_set(props, "agent_id"), id) &&
           !json_exists(json_get_set(props, "persona")) &&
           !json_exists(json_get_set(inside, "persona"));
}

static bool is_agent_node(struct json nodes, struct str id)
{
    struct json_iter it;
    char *key = str_dup(id);
    bool found = false;

    json_iter_init(&it, nodes);
    while (!found && json_iter_next(&it)) /* an object by id, or a list of nodes with ids */
        found = (json_type(nodes) == JSON_OBJECT ? json_iter_key_is(&it, key)
                                                 : catalog_is(json_get(it.value, "id"), id)) &&
                json_string_eq(json_get(it.value, "type"), "agent");
    free(key);
    return found;
}

static bool voters_name(struct json nodes, struct json voters, struct str id)
{
    struct json_iter it;

    json_iter_init(&it, voters);
    while (json_iter_next(&it))
        if (catalog_is(it.value, id))
            return !is_agent_node(nodes, id);
    return false;
}

bool rules_graph_has_agent(struct json graph, struct str id)
{
    struct json nodes = json_get(graph, "nodes");
    struct json_iter it;

    json_iter_init(&it, nodes);
    while (json_iter_next(&it)) {
        struct json type = json_get(it.value, "type");
        struct json props = json_get_set(it.value, "properties");
        if ((json_string_eq(type, "agent") && node_names(props, id)) ||
            (json_string_eq(type, "vote") && voters_name(nodes, json_get(props, "voters"), id)))
            return true;
    }
    return false;
}

void rules_used_by_agent(struct store_catalog_delete *d, const struct catalog_users *u)
{
    static const char *const words[] = {"groups", "workflows", "templates"};
    const struct name_list *lists[] = {u->groups, u->workflows, u->templates};
    struct buf b;
    struct jw w;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_object(&w);
    for (int i = 0; i < 3; i++) {
        jw_key(&w, words[i]);
        jw_array(&w);
        for (const struct name_list *n = lists[i]; n; n = n->next)
            jw_string(&w, n->name);
        jw_end(&w);
    }
    jw_end(&w);
    d->used_by_json = rules_copy(&d->req.arena, buf_str(&b));
    buf_deinit(&b);
}

void rules_used_by_group(struct store_catalog_delete *d, int64_t memories, int64_t sessions)
{
    struct buf b;

    buf_init(&b, 200);
    buf_printf(&b, "{\"memories\":%lld,\"sessions\":%lld}", (long long)memories,
               (long long)sessions);
    d->used_by_json = rules_copy(&d->req.arena, buf_str(&b));
    buf_deinit(&b);
}

bool rules_user_seen(struct arena *a, enum catalog_user_kind kind, struct str id, struct str text,
                     struct str agent, struct catalog_users *u)
{
    struct name_list **lists[] = {&u->groups, &u->workflows, &u->templates};
    struct json root = json_root(text);

    if (kind == CATALOG_USER_GROUP
            ? !rules_group_has_agent(text, agent)
            : !rules_graph_has_agent(kind == CATALOG_USER_TEMPLATE ? json_get(root, "graph") : root,
                                     agent))
        return false;
    u->count++;
    struct name_list **tail = lists[kind];
    int n = 0;
    for (; *tail; tail = &(*tail)->next)
        n++;
    if (n < CATALOG_USERS_NAMED) {
        *tail = arena_alloc(a, sizeof(**tail));
        (*tail)->name = rules_copy(a, id);
    }
    return true;
}

int rules_catalog_put_check(const struct store_catalog_put *p, const struct catalog_row *now,
                            struct errbuf *e)
{
    static const char *const words[] = {"agent", "group", "template"};
    const char *word = words[p->kind];

    if (now && p->create_only)
        return err_set(e, ERR_CONFLICT, "%s \"%.*s\" exists already", word, STR_FMT(p->row.id));
    if (!now && p->must_exist)
        return err_set(e, ERR_NOT_FOUND, "no %s \"%.*s\"", word, STR_FMT(p->row.id));
    if (p->expected_version == 0 || (now && now->version == p->expected_version))
        return 0;
    return err_set(e, ERR_STALE, "%s \"%.*s\" is at version %lld, not %lld", word,
                   STR_FMT(p->row.id), (long long)(now ? now->version : 0),
                   (long long)p->expected_version);
}

int rules_catalog_delete_check(const struct store_catalog_delete *d, const struct catalog_row *now,
                               struct errbuf *e)
{
    if (!now)
        return err_set(e, ERR_NOT_FOUND, "there is none of the id \"%.*s\"", STR_FMT(d->id));
    if (d->expected_version > 0 && d->expected_version != now->version)
        return err_set(e, ERR_STALE, "\"%.*s\" is at version %lld, not %lld", STR_FMT(d->id),
                       (long long)now->version, (long long)d->expected_version);
    return 0;
}

void rules_catalog_put_row(struct store_catalog_put *p, const struct catalog_row *now)
{
    struct arena *a = &p->req.arena;

    p->row = (struct catalog_row){
        .workspace = rules_copy(a, rules_workspace(p->row.workspace)),
        .id = rules_copy(a, p->row.id),
        .name = rules_copy(a, p->row.name),
        .description = rules_copy(a, p->row.description),
        .category = rules_copy(a, p->row.category),
        .body_json = rules_copy(a, p->row.body_json),
        .version = now ? now->version + 1 : 1,
        .created_at = now ? now->created_at : p->now_ms,
        .updated_at = p->now_ms,
    };
}
