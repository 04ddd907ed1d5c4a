#include "app/portable_fields.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* name, kind, member; then .optional, .type, .min */
#define ROW(type_, name_, kind_, member_, ...)                                                     \
    {                                                                                              \
        .name = name_, .kind = kind_, .at = offsetof(type_, member_), __VA_ARGS__                  \
    }
#define OPT .optional = true

#define S(name, kind, member, ...) ROW(struct session_whole, name, kind, member, __VA_ARGS__)
const struct field portable_session_fields[] = {
    S("id", FIELD_ID, row.id),
    S("version", FIELD_INT, row.version, .min = 1),
    S("stored_only", FIELD_BOOL, row.meta.stored_only),
    S("name", FIELD_TEXT, row.meta.name, OPT),
    S("workflow_id", FIELD_TEXT, row.meta.workflow_id, OPT),
    S("workflow_version", FIELD_INT, row.meta.workflow_version),
    S("checksum", FIELD_TEXT, row.meta.checksum, OPT),
    S("group_id", FIELD_TEXT, row.meta.group_id, OPT),
    S("user_id", FIELD_TEXT, row.meta.user_id, OPT),
    S("tags", FIELD_JSON, row.meta.tags_json, .type = JSON_ARRAY),
    S("metadata", FIELD_JSON, row.meta.metadata_json, OPT, .type = JSON_OBJECT),
    S("settings", FIELD_JSON, row.meta.settings_json, OPT, .type = JSON_OBJECT),
    S("thread_configs", FIELD_JSON, row.meta.thread_configs_json, OPT, .type = JSON_OBJECT),
    S("workflow_state", FIELD_JSON, row.meta.workflow_state_json, OPT, .type = JSON_OBJECT),
    S("input", FIELD_JSON, row.meta.input_json, OPT),
    S("budget", FIELD_JSON, row.meta.budget_json, OPT, .type = JSON_OBJECT),
    S("parent_session_id", FIELD_ID, row.meta.parent_id, OPT),
    S("parent_seq", FIELD_INT, row.meta.parent_seq),
    S("parent_run_id", FIELD_ID, row.meta.parent_run, OPT),
    S("status", FIELD_TEXT, row.core.status),
    S("reason", FIELD_TEXT, row.core.reason, OPT),
    S("busy", FIELD_BOOL, row.core.busy),
    S("output", FIELD_JSON, row.core.output_json, OPT),
    S("error", FIELD_JSON, row.core.error_json, OPT),
    S("node_statuses", FIELD_STATUSES, row.core.node_statuses_json),
    S("waiting_on", FIELD_JSON, row.core.waiting_json, OPT, .type = JSON_ARRAY),
    S("usage", FIELD_JSON, row.core.usage_json, OPT, .type = JSON_OBJECT),
    S("vars", FIELD_JSON, row.core.vars_json, OPT, .type = JSON_OBJECT),
    S("state", FIELD_JSON, row.core.state_json, OPT, .type = JSON_OBJECT),
    S("last_seq", FIELD_INT, row.core.last_seq),
    S("first_seq_held", FIELD_INT, folded_seq),
    S("created_at", FIELD_TIME, row.created_at),
    S("started_at", FIELD_TIME, row.core.started_at, OPT),
    S("ended_at", FIELD_TIME, row.core.ended_at, OPT),
    S("updated_at", FIELD_TIME, row.core.updated_at),
};
const size_t portable_session_count = COUNT(portable_session_fields);

const struct field portable_definition_fields[] = {
    S("graph", FIELD_JSON, workflow_json, OPT, .type = JSON_OBJECT),
};
const size_t portable_definition_count = COUNT(portable_definition_fields);

#define M(name, kind, member, ...) ROW(struct message_row, name, kind, member, __VA_ARGS__)
static const struct field message_fields[] = {
    M("id", FIELD_ID, message_id),
    M("created_at", FIELD_TIME, created_at),
    M("seq", FIELD_INT, seq),
    M("run_id", FIELD_ID, run_id, OPT),
    M("node_id", FIELD_TEXT, node_id, OPT),
    M("role", FIELD_TEXT, role, OPT),
    M("agent_id", FIELD_TEXT, agent_id, OPT),
    M("content", FIELD_TEXT, content),
    M("thinking", FIELD_TEXT, thinking, OPT),
    M("tool_calls", FIELD_JSON, tool_calls_json, OPT, .type = JSON_ARRAY),
    M("token_count", FIELD_INT, token_count, .min = -1),
    M("finish_reason", FIELD_TEXT, finish_reason, OPT),
};

#define R(name, kind, member, ...) ROW(struct run_row, name, kind, member, __VA_ARGS__)
static const struct field run_fields[] = {
    R("id", FIELD_ID, run_id),
    R("node_id", FIELD_TEXT, node_id),
    R("kind", FIELD_TEXT, kind, OPT),
    R("iteration", FIELD_INT, iteration),
    R("attempt", FIELD_INT, attempt),
    R("status", FIELD_TEXT, status),
    R("branch", FIELD_TEXT, branch, OPT),
    R("output", FIELD_JSON, output_json, OPT),
    R("error", FIELD_JSON, error_json, OPT),
    R("interrupt", FIELD_JSON, interrupt_json, OPT),
    R("progress", FIELD_JSON, progress_json, OPT),
    R("started_at", FIELD_TIME, started_at, OPT),
    R("ended_at", FIELD_TIME, ended_at, OPT),
};

#define I(name, kind, member, ...) ROW(struct interrupt_row, name, kind, member, __VA_ARGS__)
static const struct field interrupt_fields[] = {
    I("id", FIELD_ID, interrupt_id),           I("run_id", FIELD_ID, run_id),
    I("node_id", FIELD_TEXT, node_id),         I("kind", FIELD_TEXT, kind),
    I("status", FIELD_TEXT, status),           I("request", FIELD_JSON, request_json, OPT),
    I("answer", FIELD_JSON, answer_json, OPT), I("expires_at", FIELD_TIME, expires_at, OPT),
    I("created_at", FIELD_TIME, created_at),   I("updated_at", FIELD_TIME, updated_at),
};

#define T(name, kind, member, ...) ROW(struct task_row, name, kind, member, __VA_ARGS__)
static const struct field task_fields[] = {
    T("id", FIELD_ID, task_id),
    T("run_id", FIELD_ID, run_id),
    T("node_id", FIELD_TEXT, node_id),
    T("queue", FIELD_TEXT, queue),
    T("input", FIELD_JSON, input_json, OPT),
    T("heartbeat_ms", FIELD_INT, heartbeat_ms, .min = 1),
    T("created_at", FIELD_TIME, created_at),
};

#define F(name, kind, member, ...) ROW(struct file_row, name, kind, member, __VA_ARGS__)
static const struct field file_fields[] = {
    F("path", FIELD_TEXT, path),
    F("version", FIELD_INT, version, .min = 1),
    F("from_version", FIELD_INT, from_version),
    F("run_id", FIELD_ID, run_id, OPT),
    F("author", FIELD_TEXT, author, OPT),
    F("reason", FIELD_TEXT, reason, OPT),
    F("media_type", FIELD_TEXT, media_type, OPT),
    F("size", FIELD_INT, size),
    F("seq", FIELD_INT, seq),
    F("deleted", FIELD_BOOL, deleted),
    F("created_at", FIELD_TIME, created_at),
    F("content", FIELD_CONTENT, content, OPT),
};

#define U(name, kind, member, ...) ROW(struct usage_row, name, kind, member, __VA_ARGS__)
static const struct field usage_fields[] = {
    U("id", FIELD_ID, call_id),
    U("run_id", FIELD_ID, run_id),
    U("node_id", FIELD_TEXT, node_id),
    U("agent_id", FIELD_TEXT, agent_id, OPT),
    U("provider", FIELD_TEXT, provider, OPT),
    U("model", FIELD_TEXT, model, OPT),
    U("input_tokens", FIELD_INT, input_tokens),
    U("output_tokens", FIELD_INT, output_tokens),
    U("cost_micros", FIELD_INT, cost_micros, .min = -1),
    U("estimated", FIELD_BOOL, estimated),
    U("created_at", FIELD_TIME, created_at),
};

#define E(name, kind, member, ...) ROW(struct effect_row, name, kind, member, __VA_ARGS__)
static const struct field effect_fields[] = {
    E("id", FIELD_ID, run_id),
    E("kind", FIELD_TEXT, kind),
    E("request", FIELD_JSON, request_json, OPT),
};

#define D(name, kind, member, ...) ROW(struct timer_row, name, kind, member, __VA_ARGS__)
static const struct field timer_fields[] = {
    D("id", FIELD_ID, timer_id),
    D("due_at", FIELD_TIME, due_at),
    D("purpose", FIELD_JSON, purpose_json, OPT),
};

#define W(name, kind, member, ...) ROW(struct withheld_row, name, kind, member, __VA_ARGS__)
static const struct field withheld_fields[] = {
    W("ord", FIELD_INT, ord),
    W("input", FIELD_JSON, input_json),
};

/* ---- the order of rows ---- */

static int compare_ids(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, sizeof(a->b));
}
static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

#define BY_ID(name, type, member)                                                                  \
    static int name(const void *a, const void *b)                                                  \
    {                                                                                              \
        return compare_ids(&((const struct type *)a)->member, &((const struct type *)b)->member);  \
    }
BY_ID(compare_runs, run_row, run_id)
BY_ID(compare_interrupts, interrupt_row, interrupt_id)
BY_ID(compare_tasks, task_row, task_id)
BY_ID(compare_usage, usage_row, call_id)
BY_ID(compare_effects, effect_row, run_id)
BY_ID(compare_timers, timer_row, timer_id)

static int compare_messages(const void *x, const void *y)
{
    const struct message_row *a = x, *b = y;
    int c = compare_numbers(a->created_at, b->created_at);

    c = c ? c : compare_numbers(a->seq, b->seq);
    return c ? c : compare_ids(&a->message_id, &b->message_id);
}

static int compare_files(const void *x, const void *y)
{
    const struct file_row *a = x, *b = y;
    int c = memcmp(a->path.p, b->path.p, a->path.n < b->path.n ? a->path.n : b->path.n);

    c = c ? c : compare_numbers((int64_t)a->path.n, (int64_t)b->path.n);
    return c ? c : compare_numbers(a->version, b->version);
}

static int compare_withheld(const void *x, const void *y)
{
    const struct withheld_row *a = x, *b = y;

    return compare_numbers(a->ord, b->ord);
}

#define SECTION(word, plural, fields, type, member, compare)                                       \
    {                                                                                              \
        word, plural, fields, COUNT(fields), sizeof(struct type),                                  \
            offsetof(struct session_whole, member), compare                                        \
    }
const struct section portable_sections[PORTABLE_SECTIONS] = {
    {"event", "events", NULL, 0, 0, offsetof(struct session_whole, events), NULL},
    SECTION("message", "messages", message_fields, message_row, messages, compare_messages),
    SECTION("run", "runs", run_fields, run_row, runs, compare_runs),
    SECTION("interrupt", "interrupts", interrupt_fields, interrupt_row, interrupts,
            compare_interrupts),
    SECTION("task", "tasks", task_fields, task_row, tasks, compare_tasks),
    SECTION("file", "files", file_fields, file_row, files, compare_files),
    SECTION("usage", "usage", usage_fields, usage_row, usage, compare_usage),
    SECTION("effect", "effects", effect_fields, effect_row, effects, compare_effects),
    SECTION("timer", "timers", timer_fields, timer_row, timers, compare_timers),
    SECTION("withheld", "withheld", withheld_fields, withheld_row, withheld, compare_withheld),
};
