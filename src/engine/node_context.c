#include "engine/context.h"

/* ---- asking ---- */

bool context_begin(struct session *s, unsigned n, unsigned ordinal, const struct context_ask *a)
{
    struct tool_call t = {.tool = STR("agent_context"), .internal = true};
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    if (a->agent_id.n)
        jw_kv_string(&w, "agent_id", a->agent_id);
    if (s->meta.group_id.n)
        jw_kv_string(&w, "group_id", s->meta.group_id);
    jw_kv_string(&w, "query", a->query);
    if (a->persona.p)
        jw_kv_string(&w, "persona", a->persona);
    if (json_exists(a->memory))
        jw_kv_raw(&w, "memory", json_raw(a->memory));
    jw_end(&w);
    t.arguments = tmp_copy(s, buf_str(&b));
    struct str request = buf_error(&b) ? STR_NULL : tool_request(s, n, &t);
    buf_deinit(&b);
    if (request.p)
        call_begin(s, n, WORK_TOOL, ordinal, request);
    return request.p != NULL;
}

bool call_is_context(const struct work *c)
{
    return c->kind == WORK_TOOL && json_exists(json_get_set(json_root(c->request), "internal"));
}

/* ---- the answer ---- */

static struct str member_text(struct session *s, struct json v, const char *key)
{
    struct json m = json_get_set(v, key);
    return json_type(m) == JSON_STRING ? json_text(s, m) : STR_NULL;
}

static struct json member_array(struct json v, const char *key)
{
    struct json m = json_get_set(v, key);
    return json_type(m) == JSON_ARRAY ? m : JSON_ABSENT;
}

static void memory_event(struct session *s, unsigned n, const struct persona *p)
{
    struct json lists[] = {p->group_memory, p->self_memory};
    struct json_iter it;
    size_t count = json_length(lists[0]) + json_length(lists[1]);
    if (!count)
        return;
    struct jw *w = event_begin(s, "memory_retrieved", (int)n);
    jw_kv_u64(w, "count", count);
    jw_key(w, "ids");
    jw_array(w);
    for (unsigned i = 0; i < 2; i++) {
        json_iter_init(&it, lists[i]);
        while (json_iter_next(&it))
            jw_raw(w, json_raw(json_get(it.value, "id")));
    }
    jw_end(w);
    event_end(s);
}

int context_read(struct session *s, const struct work *c, const struct engine_input *in,
                 struct context *out, struct errbuf *e)
{
    struct json asked = json_get_set(json_root(tmp_copy(s, c->request)), "arguments");
    struct json came = json_root(tmp_copy(s, in->output_json));
    struct str id = member_text(s, asked, "agent_id");
    *out = (struct context){.agent = json_get_set(came, "agent"),
                            .query = member_text(s, asked, "query")};
    if (json_type(out->agent) != JSON_OBJECT)
        out->agent = JSON_ABSENT;
    if (id.p && !json_exists(out->agent))
        return err_set(e, ERR_NOT_FOUND,
                       "There is no agent \"%.*s\" in this workspace (any more): make it under "
                       "/agents, or give the node a persona.",
                       (int)(id.n > NAME_BYTES_MAX ? NAME_BYTES_MAX : id.n), id.p);
    out->persona = (struct persona){
        .group = member_text(s, json_get_set(came, "group"), "system_prompt"),
        .self = id.p ? member_text(s, out->agent, "persona") : member_text(s, asked, "persona"),
        .group_memory = member_array(came, "group_memory"),
        .self_memory = member_array(came, "agent_memory")};
    memory_event(s, c->node, &out->persona);
    return 0;
}

/* ---- settings ---- */

struct json context_or(const struct context *x, struct json own, const char *key)
{
    return json_exists(own) || !x ? own : json_get_set(x->agent, key);
}

void context_model(const struct context *x, struct json *provider, struct json *model)
{
    if (!x || json_exists(*provider) || json_exists(*model))
        return;
    *provider = json_get_set(x->agent, "provider");
    *model = json_get_set(x->agent, "model");
}
