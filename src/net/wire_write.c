#include "net/wire.h"

/* A text column: null when not set. */
static void wire_text(struct jw *w, const char *key, struct str s)
{
    if (s.p)
        jw_kv_string(w, key, s);
    else
        jw_kv_raw(w, key, STR_NULL);
}

/* A JSON column, with what stands for SQL NULL. */
static void wire_json(struct jw *w, const char *key, struct str json, const char *when_null)
{
    jw_kv_raw(w, key, json.p ? json : str_of(when_null));
}

static void wire_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];

    if (id_is_zero(id)) {
        jw_kv_raw(w, key, STR_NULL);
        return;
    }
    id_format(id, text);
    jw_kv_string(w, key, (struct str){text, ID_TEXT_BYTES});
}

static void wire_session_core(struct jw *w, const struct session_core *core)
{
    wire_text(w, "status", core->status);
    wire_text(w, "reason", core->reason);
    wire_json(w, "output", core->output_json, "null");
    wire_json(w, "error", core->error_json, "null");
    wire_json(w, "node_statuses", core->node_statuses_json, "{}");
    wire_json(w, "waiting_on", core->waiting_json, "[]");
    jw_kv_i64(w, "last_seq", core->last_seq);
}

static void wire_session_meta(struct jw *w, const struct session_meta *meta)
{
    wire_text(w, "name", meta->name);
    wire_text(w, "workflow_id", meta->workflow_id);
    if (meta->workflow_version > 0)
        jw_kv_i64(w, "workflow_version", meta->workflow_version);
    else
        jw_kv_raw(w, "workflow_version", STR_NULL);
    wire_text(w, "group_id", meta->group_id);
    wire_text(w, "user_id", meta->user_id);
    wire_json(w, "tags", meta->tags_json, "[]");
    wire_json(w, "input", meta->input_json, "null");
    wire_json(w, "metadata", meta->metadata_json, "{}");
    wire_json(w, "settings", meta->settings_json, "{}");
    wire_json(w, "thread_configs", meta->thread_configs_json, "{}");
    wire_json(w, "workflow_state", meta->workflow_state_json, "{}");
    if (meta->graph_json
            .p) /* of a session that was started with one, where it is asked for alone */
        jw_kv_raw(w, "graph", meta->graph_json);
}

/* The engine keeps a budget that was raised beside what was used. */
static void wire_session_usage(struct jw *w, const struct session_row *row)
{
    static const char *const keys[] = {"input_tokens", "output_tokens", "cost_usd"};
    struct json usage =
        json_root(row->core.usage_json.p ? row->core.usage_json
                                         : STR("{\"input_tokens\":0,\"output_tokens\":0}"));
    struct json raised = json_get_set(usage, "budget");
    jw_key(w, "usage");
    jw_object(w);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        jw_kv_raw(w, keys[i], json_raw(json_get(usage, keys[i])));
    if (json_exists(json_get_set(usage, "estimated_calls")))
        jw_kv_raw(w, "estimated_calls", json_raw(json_get(usage, "estimated_calls")));
    jw_end(w);
    wire_json(w, "budget", json_exists(raised) ? json_raw(raised) : row->meta.budget_json, "null");
}

static void wire_parent(struct jw *w, const struct session_meta *meta)
{
    if (id_is_zero(meta->parent_id)) {
        jw_kv_raw(w, "parent", STR_NULL);
        return;
    }
    jw_key(w, "parent");
    jw_object(w);
    wire_id(w, "session_id", meta->parent_id);
    jw_kv_i64(w, "seq", meta->parent_seq);
    jw_end(w);
}

/* How it finds what it was begun with again; a stored one says so in its metadata. */
static void wire_definition(struct jw *w, const struct session_row *row)
{
    const struct session_meta *m = &row->meta;
    struct json kept = json_root(m->metadata_json.p ? m->metadata_json : STR("{}"));
    struct json path = json_get_set(kept, "workflow_config_path");
    struct json version = json_get_set(kept, "workflow_version");
    struct json sum = json_get_set(kept, "workflow_checksum");
    bool executed = !m->stored_only && m->workflow_id.p && m->workflow_version > 0;
    bool changed = false;
    if (!executed && !json_exists(path) && !json_exists(version) && !json_exists(sum) &&
        !(m->stored_only && m->workflow_id.p)) {
        jw_kv_raw(w, "definition", STR_NULL);
        return;
    }
    if (row->checksum_now.p && executed && m->checksum.p)
        changed = !str_eq(m->checksum, row->checksum_now);
    else if (row->checksum_now.p && !executed && json_type(sum) == JSON_STRING)
        changed = !str_eq((struct str){sum.p + 1, sum.n - 2}, row->checksum_now);
    jw_key(w, "definition");
    jw_object(w);
    wire_text(w, "workflow_id", m->workflow_id);
    if (executed)
        jw_kv_i64(w, "version", m->workflow_version);
    else
        jw_kv_raw(w, "version", json_raw(version));
    if (executed)
        wire_text(w, "checksum", m->checksum);
    else
        jw_kv_raw(w, "checksum", json_raw(sum));
    jw_kv_raw(w, "config_path", json_raw(path));
    jw_kv_bool(w, "changed", changed);
    jw_end(w);
}

void wire_session(struct jw *w, const struct session_row *row)
{
    jw_object(w);
    wire_id(w, "id", row->id);
    wire_session_meta(w, &row->meta);
    wire_session_core(w, &row->core);
    wire_session_usage(w, row);
    wire_parent(w, &row->meta);
    wire_definition(w, row);
    jw_kv_i64(w, "version", row->version);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "started_at", row->core.started_at);
    jw_kv_time(w, "ended_at", row->core.ended_at);
    jw_kv_time(w, "updated_at", row->core.updated_at);
    jw_end(w);
}

void wire_run(struct jw *w, const struct run_row *row)
{
    jw_object(w);
    wire_id(w, "run_id", row->run_id);
    wire_text(w, "node_id", row->node_id);
    wire_text(w, "type", row->kind);
    jw_kv_i64(w, "iteration", row->iteration);
    jw_kv_i64(w, "attempt", row->attempt);
    wire_text(w, "status", row->status);
    wire_text(w, "branch", row->branch);
    wire_json(w, "output", row->output_json, "null");
    wire_json(w, "error", row->error_json, "null");
    wire_json(w, "interrupt", row->interrupt_json, "null");
    jw_kv_time(w, "started_at", row->started_at);
    jw_kv_time(w, "ended_at", row->ended_at);
    jw_end(w);
}

/* The arguments as the model wrote them: JSON, or a text that is none. */
static void wire_tool_call(struct jw *w, struct json call)
{
    struct json id = json_get_set(call, "id"), name = json_get_set(call, "name");
    struct json arguments = json_get_set(call, "arguments");
    struct buf text;
    buf_init(&text, SVC_BODY_MAX);
    jw_object(w);
    jw_kv_stringz(w, "type", "tool_call");
    jw_kv_raw(w, "id", json_exists(id) ? json_raw(id) : STR("null"));
    jw_kv_raw(w, "name", json_exists(name) ? json_raw(name) : STR("null"));
    if (json_type(arguments) == JSON_STRING && json_string(arguments, &text) &&
        !json_check(buf_str(&text), NULL, &(struct errbuf){{0}}))
        jw_kv_raw(w, "arguments", buf_str(&text));
    else
        jw_kv_raw(w, "arguments", json_exists(arguments) ? json_raw(arguments) : STR("null"));
    jw_end(w);
    buf_deinit(&text);
}

static void wire_part(struct jw *w, const char *type, struct str text)
{
    jw_object(w);
    jw_kv_stringz(w, "type", type);
    jw_kv_string(w, "text", text);
    jw_end(w);
}

/* In the order in which the model gave them: what it thought, said, asked for. */
static void wire_message_parts(struct jw *w, const struct message_row *row)
{
    struct json_iter it;
    jw_key(w, "parts");
    jw_array(w);
    if (row->thinking.n)
        wire_part(w, "thinking", row->thinking);
    if (row->content.n)
        wire_part(w, "text", row->content);
    json_iter_init(&it, json_root(row->tool_calls_json.p ? row->tool_calls_json : STR("[]")));
    while (json_iter_next(&it))
        wire_tool_call(w, it.value);
    jw_end(w);
}

void wire_message(struct jw *w, const struct message_row *row)
{
    jw_object(w);
    wire_id(w, "message_id", row->message_id);
    wire_id(w, "run_id", row->run_id);
    wire_text(w, "node_id", row->node_id);
    wire_text(w, "role", row->role);
    wire_text(w, "agent_id", row->agent_id);
    wire_text(w, "content", row->content);
    if (row->thinking.n)
        wire_text(w, "thinking", row->thinking);
    wire_message_parts(w, row);
    wire_text(w, "finish_reason", row->finish_reason);
    jw_kv_i64(w, "token_count", row->token_count);
    jw_kv_i64(w, "seq", row->seq);
    jw_kv_time(w, "created_at", row->created_at);
    jw_end(w);
}

void wire_error(struct jw *w, int status, const char *code, const char *sentence,
                struct str details_json)
{
    jw_object(w);
    jw_kv_stringz(w, "error", sentence);
    jw_kv_stringz(w, "code", code ? code : err_word(status));
    if (details_json.n > 0)
        jw_kv_raw(w, "details", details_json);
    jw_end(w);
}

void wire_file(struct jw *w, const struct file_row *row)
{
    jw_object(w);
    wire_text(w, "path", row->path);
    jw_kv_i64(w, "version", row->version);
    jw_kv_i64(w, "from_version", row->from_version);
    jw_kv_i64(w, "size", row->size);
    jw_kv_bool(w, "deleted", row->deleted);
    wire_text(w, "media_type", row->media_type);
    wire_text(w, "author", row->author);
    wire_text(w, "reason", row->reason);
    wire_id(w, "run_id", row->run_id);
    jw_kv_i64(w, "seq", row->seq);
    jw_kv_time(w, "created_at", row->created_at);
    jw_end(w);
}
