#include "net/wire_parse.h"

#include <string.h>

#include "base/clock.h"

#define FIELD(name, kind, member, ...)                                                             \
    {                                                                                              \
        .key = name, .type = kind, .offset = offsetof(struct svc_req, member), __VA_ARGS__         \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define BUDGET_TOKENS_MAX (1ll << 53)

static int check_tags(const char *key, struct json v, struct errbuf *e)
{
    struct json_iter it;

    if (json_type(v) != JSON_ARRAY || json_length(v) > WIRE_TAGS_MAX)
        return err_set(e, ERR_INVALID, "%s: expected an array of at most %d strings", key,
                       WIRE_TAGS_MAX);
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (json_type(it.value) != JSON_STRING || it.value.n - 2 > WIRE_TAG_MAX)
            return err_set(e, ERR_INVALID, "%s[%zu]: expected a string of at most %d bytes", key,
                           it.index, WIRE_TAG_MAX);
    return 0;
}

static int check_budget_member(const struct json_iter *it, struct errbuf *e)
{
    int64_t tokens;
    double cost;

    if (json_type(it->value) == JSON_NULL)
        return 0;
    if (json_iter_key_is(it, "tokens")) {
        if (!json_i64(it->value, &tokens) || tokens < 1 || tokens > BUDGET_TOKENS_MAX)
            return err_set(e, ERR_INVALID, "budget.tokens: expected a whole number from 1");
    } else if (json_iter_key_is(it, "cost_usd")) {
        if (!json_double(it->value, &cost) || !(cost > 0))
            return err_set(e, ERR_INVALID, "budget.cost_usd: expected a number above 0");
    } else if (json_iter_key_is(it, "on_limit")) {
        if (!json_string_eq(it->value, "pause") && !json_string_eq(it->value, "fail"))
            return err_set(e, ERR_INVALID, "budget.on_limit: expected \"pause\" or \"fail\"");
    } else {
        return err_set(e, ERR_INVALID, "unknown field \"budget.%.*s\"",
                       (int)(it->key.n < 80 ? it->key.n : 80), it->key.p);
    }
    return 0;
}

static int check_budget(const char *key, struct json v, struct errbuf *e)
{
    struct json_iter it;

    if (json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "%s: expected an object, got %s", key,
                       json_type_name(json_type(v)));
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (check_budget_member(&it, e) < 0)
            return ERR_INVALID;
    return 0;
}

/* The first three of each table stand in messages only: see fields_of(). */
#define MESSAGE_FIELDS 3
#define IN_MESSAGE                                                                                 \
    {.key = "type"}, {.key = "request_id"},                                                        \
    {                                                                                              \
        .key = "session_id"                                                                        \
    }

static const struct wire_field execute_fields[] = {
    IN_MESSAGE,
    FIELD("workflow_id", WIRE_NAME, execute.workflow_id),
    FIELD("workflow_version", WIRE_NUMBER, execute.workflow_version, .max = INT32_MAX),
    FIELD("graph", WIRE_OBJECT, execute.graph_json),
    FIELD("input", WIRE_OBJECT, execute.input_json),
    FIELD("attachments", WIRE_ANY, execute.attachments_json),
    FIELD("name", WIRE_TEXT, execute.name, .max = WIRE_NAME_MAX),
    FIELD("group_id", WIRE_NAME, execute.group_id),
    FIELD("user_id", WIRE_TEXT, execute.user_id, .max = WIRE_NAME_MAX),
    FIELD("tags", WIRE_CHECK, execute.tags_json, .check = check_tags),
    FIELD("metadata", WIRE_OBJECT, execute.metadata_json),
    FIELD("budget", WIRE_CHECK, execute.budget_json, .check = check_budget),
    FIELD("start_paused", WIRE_BOOL, execute.start_paused),
    FIELD("stage", WIRE_NAME, execute.stage),
};
static const struct wire_field generate_fields[] = {
    IN_MESSAGE,
    FIELD("prompt", WIRE_TEXT, generate.prompt, .max = WIRE_PROMPT_MAX, .required = true),
    FIELD("provider", WIRE_NAME, generate.provider),
    FIELD("model", WIRE_TEXT, generate.model, .max = WIRE_NAME_MAX),
};
static const struct wire_field estimate_fields[] = {
    IN_MESSAGE,
    FIELD("workflow_id", WIRE_NAME, execute.workflow_id),
    FIELD("workflow_version", WIRE_NUMBER, execute.workflow_version, .max = INT32_MAX),
    FIELD("graph", WIRE_OBJECT, execute.graph_json),
    FIELD("input", WIRE_OBJECT, execute.input_json),
};
static const struct wire_field pause_fields[] = {
    IN_MESSAGE,
    FIELD("reason", WIRE_TEXT, reason, .max = WIRE_REASON_MAX),
    FIELD("mode", WIRE_WORD, pause.hold, .words = "buffer|hold"),
    FIELD("timers", WIRE_WORD, pause.timers_run, .words = "freeze|run"),
};
static const struct wire_field resume_fields[] = {
    IN_MESSAGE,
    FIELD("budget", WIRE_CHECK, resume.budget_json, .check = check_budget),
    FIELD("justification", WIRE_TEXT, resume.justification, .max = WIRE_REASON_MAX),
};
static const struct wire_field reason_fields[] = {
    IN_MESSAGE,
    FIELD("reason", WIRE_TEXT, reason, .max = WIRE_REASON_MAX),
};
static const struct wire_field nothing_fields[] = {IN_MESSAGE};
static const struct wire_field answer_fields[] = {
    IN_MESSAGE,
    FIELD("action", WIRE_TEXT, answer.action, .max = WIRE_ACTION_MAX, .required = true),
    FIELD("data", WIRE_ANY, answer.data_json),
    FIELD("reviewer", WIRE_TEXT, answer.reviewer, .max = WIRE_NAME_MAX),
    FIELD("interrupt_id", WIRE_UUID, answer.interrupt_id),
    FIELD("node_id", WIRE_NAME, answer.node_id), /* last: in the path of the HTTP route */
};
static const struct wire_field signal_fields[] = {
    IN_MESSAGE,
    FIELD("node_id", WIRE_NAME, signal.node_id),
    FIELD("name", WIRE_TEXT, signal.name, .max = WIRE_NAME_MAX),
    FIELD("payload", WIRE_ANY, signal.payload_json),
};
static const struct wire_field input_fields[] = {
    IN_MESSAGE,
    FIELD("content", WIRE_TEXT, input.content, .max = WIRE_CONTENT_MAX, .required = true),
    FIELD("user_id", WIRE_TEXT, input.user_id, .max = WIRE_NAME_MAX),
};

/* The engine reads the stage's own members: the whole body goes to it. */
static const struct wire_field stage_fields[] = {
    IN_MESSAGE,
    FIELD("items", WIRE_SKIP, answer.data_json),
    FIELD("deliverables", WIRE_SKIP, answer.data_json),
    FIELD("context", WIRE_SKIP, answer.data_json),
    FIELD("reviewer", WIRE_TEXT, answer.reviewer, .max = WIRE_NAME_MAX),
};
static const struct wire_field stage_start_fields[] = {
    IN_MESSAGE,
    FIELD("stage_id", WIRE_NAME, answer.node_id, .required = true),
    FIELD("reviewer", WIRE_TEXT, answer.reviewer, .max = WIRE_NAME_MAX),
};
static const struct wire_field stage_skip_fields[] = {
    IN_MESSAGE,
    FIELD("reason", WIRE_TEXT, reason, .max = WIRE_REASON_MAX),
    FIELD("reviewer", WIRE_TEXT, answer.reviewer, .max = WIRE_NAME_MAX),
};
/* HTTP only: its session_id is a member of the body. */
static const struct wire_field current_fields[] = {
    {.key = "type"},
    {.key = "request_id"},
    {.key = ""},
    FIELD("session_id", WIRE_UUID, session_id, .required = true),
    FIELD("user_id", WIRE_TEXT, current.user_id, .max = WIRE_NAME_MAX),
};

static int check_task_error(const char *key, struct json v, struct errbuf *e)
{
    struct json code = json_get(v, "code"), message = json_get(v, "message");

    if (json_type(v) != JSON_OBJECT || json_length(v) != 2 || json_type(code) != JSON_STRING ||
        json_type(message) != JSON_STRING)
        return err_set(e, ERR_INVALID, "%s: expected an object of code and message, both texts",
                       key);
    if (!name_is_valid((struct str){code.p + 1, code.n - 2}))
        return err_set(e, ERR_INVALID, "%s.code: expected 1 to 64 characters of A-Z a-z 0-9 _ . -",
                       key);
    if (message.n - 2 > WIRE_REASON_MAX)
        return err_set(e, ERR_INVALID, "%s.message: longer than %d bytes", key, WIRE_REASON_MAX);
    return 0;
}

static const struct wire_field lease_fields[] = {
    IN_MESSAGE,
    FIELD("queue", WIRE_NAME, task.queue, .required = true),
    FIELD("max", WIRE_NUMBER, task.max, .max = WIRE_TASKS_MAX),
    FIELD("wait_ms", WIRE_NUMBER, task.wait_ms, .max = WIRE_TASK_WAIT_MAX),
    FIELD("worker", WIRE_TEXT, task.worker, .max = WIRE_NAME_MAX),
};
static const struct wire_field heartbeat_fields[] = {
    IN_MESSAGE,
    FIELD("attempt", WIRE_NUMBER, task.attempt, .max = INT32_MAX),
    FIELD("log", WIRE_TEXT, task.text, .max = WIRE_CONTENT_MAX),
    FIELD("level", WIRE_TEXT, task.level, .max = 16),
};
static const struct wire_field complete_fields[] = {
    IN_MESSAGE,
    FIELD("attempt", WIRE_NUMBER, task.attempt, .max = INT32_MAX),
    FIELD("output", WIRE_ANY, task.output_json),
};
static const struct wire_field fail_fields[] = {
    IN_MESSAGE,
    FIELD("attempt", WIRE_NUMBER, task.attempt, .max = INT32_MAX),
    FIELD("error", WIRE_CHECK, task.error_json, .check = check_task_error, .required = true),
    FIELD("retry", WIRE_BOOL, task.retry),
};
static const struct wire_field fork_fields[] = {
    IN_MESSAGE,
    FIELD("node_id", WIRE_NAME, fork.node_id), /* all that a retry has */
    FIELD("after_seq", WIRE_NUMBER, fork.after_seq, .max = INT64_MAX),
    FIELD("input", WIRE_OBJECT, fork.input_json),
    FIELD("vars", WIRE_OBJECT, fork.vars_json),
};
static const struct wire_field instantiate_fields[] = {
    IN_MESSAGE,
    FIELD("id", WIRE_NAME, catalog.new_id),
    FIELD("name", WIRE_TEXT, catalog.new_name, .max = WIRE_NAME_MAX),
    FIELD("values", WIRE_OBJECT, catalog.values_json),
    FIELD("parameters", WIRE_OBJECT, catalog.values_json), /* another word for the same */
};
#define RETRY_FIELDS (MESSAGE_FIELDS + 1)

/* ---- memory: what the words and numbers mean is the app's to say ---- */

static int check_words(const char *key, struct json v, struct errbuf *e)
{
    struct json_iter it;

    if (json_type(v) != JSON_ARRAY || json_length(v) > WIRE_TIERS_MAX)
        return err_set(e, ERR_INVALID, "%s: expected an array of at most %d words", key,
                       WIRE_TIERS_MAX);
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (json_type(it.value) != JSON_STRING || it.value.n - 2 > WIRE_TAG_MAX)
            return err_set(e, ERR_INVALID, "%s[%zu]: expected a word", key, it.index);
    return 0;
}

static int check_positive(const char *key, struct json v, struct errbuf *e)
{
    double d;

    if (!json_double(v, &d) || d < 0 || d > 1e9)
        return err_set(e, ERR_INVALID, "%s: expected a number from 0", key);
    return 0;
}

static int check_share(const char *key, struct json v, struct errbuf *e)
{
    double d;

    if (!json_double(v, &d) || d < 0 || d > 1)
        return err_set(e, ERR_INVALID, "%s: expected a number from 0 to 1", key);
    return 0;
}

static int check_time(const char *key, struct json v, struct errbuf *e)
{
    int64_t ms;

    if (json_type(v) != JSON_STRING || !clock_parse_rfc3339((struct str){v.p + 1, v.n - 2}, &ms))
        return err_set(e, ERR_INVALID, "%s: expected a time as 2026-01-31T12:00:00Z", key);
    return 0;
}

static const struct wire_field ingest_fields[] = {
    IN_MESSAGE,
    FIELD("session_id", WIRE_UUID, memory.session_id),
    FIELD("group_id", WIRE_NAME, memory.group_id, .required = true),
    FIELD("agent_id", WIRE_NAME, memory.agent_id),
    FIELD("content", WIRE_TEXT, memory.content, .max = WIRE_MEMORY_MAX, .required = true),
    FIELD("metadata", WIRE_OBJECT, memory.metadata_json),
    FIELD("tier", WIRE_TEXT, memory.tier, .max = WIRE_TAG_MAX),
};
static const struct wire_field memory_query_fields[] = {
    IN_MESSAGE,
    FIELD("session_id", WIRE_UUID, memory.session_id),
    FIELD("group_id", WIRE_NAME, memory.group_id, .required = true),
    FIELD("agent_id", WIRE_NAME, memory.agent_id),
    FIELD("query", WIRE_TEXT, memory.query, .max = WIRE_QUERY_MAX, .required = true),
    FIELD("max_results", WIRE_NUMBER, memory.max_results, .max = WIRE_MEMORIES_MAX),
    FIELD("tiers", WIRE_CHECK, memory.tiers_json, .check = check_words),
    FIELD("time_range_days", WIRE_CHECK, memory.days_json, .check = check_positive),
    FIELD("relevance_threshold", WIRE_CHECK, memory.threshold_json, .check = check_share),
    FIELD("created_after", WIRE_CHECK, memory.after_json, .check = check_time),
    FIELD("created_before", WIRE_CHECK, memory.before_json, .check = check_time),
};
static const struct wire_field promote_fields[] = {
    IN_MESSAGE,
    FIELD("tier", WIRE_TEXT, memory.tier, .max = WIRE_TAG_MAX, .required = true),
};

/* ---- the status system ---- */

static int check_percent(const char *key, struct json v, struct errbuf *e)
{
    double d;

    if (!json_double(v, &d) || d < 0 || d > 100)
        return err_set(e, ERR_INVALID, "%s: expected a number from 0 to 100", key);
    return 0;
}

static const struct wire_field status_fields[] = {
    IN_MESSAGE,
    FIELD("status", WIRE_TEXT, set_status.status, .max = WIRE_ACTION_MAX, .required = true),
    FIELD("progress", WIRE_CHECK, set_status.progress_json, .check = check_percent),
    FIELD("note", WIRE_TEXT, reason, .max = WIRE_REASON_MAX),
};

/* ---- keys ---- */

static const struct wire_field key_fields[] = {
    IN_MESSAGE,
    FIELD("name", WIRE_TEXT, key.name, .max = PRINCIPAL_NAME_MAX, .required = true),
    FIELD("role", WIRE_TEXT, key.role, .max = 16, .required = true),
    FIELD("workspace", WIRE_NAME, key.workspace),
    FIELD("expires_at", WIRE_CHECK, key.expires_json, .check = check_time),
};

struct wire_table {
    const struct wire_field *fields;
    size_t count;
};

#define TABLE(fields)                                                                              \
    {                                                                                              \
        fields, COUNT(fields)                                                                      \
    }

/* An operation that is not here takes nothing. */
static const struct wire_table tables[SVC_OP_COUNT] = {
    [SVC_EXECUTE] = TABLE(execute_fields),
    [SVC_WORKFLOW_GENERATE] = TABLE(generate_fields),
    [SVC_WORKFLOW_ESTIMATE] = TABLE(estimate_fields),
    [SVC_PAUSE] = TABLE(pause_fields),
    [SVC_RESUME] = TABLE(resume_fields),
    [SVC_CANCEL] = TABLE(reason_fields),
    [SVC_STOP] = TABLE(reason_fields),
    [SVC_NODE_RESUME] = TABLE(answer_fields),
    [SVC_SIGNAL] = TABLE(signal_fields),
    [SVC_INPUT] = TABLE(input_fields),
    [SVC_STAGE_UPDATE] = TABLE(stage_fields),
    [SVC_STAGE_COMPLETE] = TABLE(stage_fields),
    [SVC_TASK_LEASE] = TABLE(lease_fields),
    [SVC_TASK_HEARTBEAT] = TABLE(heartbeat_fields),
    [SVC_TASK_COMPLETE] = TABLE(complete_fields),
    [SVC_TASK_FAIL] = TABLE(fail_fields),
    [SVC_TEMPLATE_INSTANTIATE] = TABLE(instantiate_fields),
    [SVC_FORK] = TABLE(fork_fields),
    [SVC_RETRY] = {fork_fields, RETRY_FIELDS},
    [SVC_MEMORY_INGEST] = TABLE(ingest_fields),
    [SVC_MEMORY_QUERY] = TABLE(memory_query_fields),
    [SVC_MEMORY_PROMOTE] = TABLE(promote_fields),
    [SVC_STATUS_PUT] = TABLE(status_fields),
    [SVC_STAGE_START] = TABLE(stage_start_fields),
    [SVC_STAGE_SKIP] = TABLE(stage_skip_fields),
    [SVC_CURRENT_PUT] = TABLE(current_fields),
    [SVC_KEY_CREATE] = TABLE(key_fields),
};

static struct wire_table fields_of(enum svc_op op, bool in_message)
{
    struct wire_table t = tables[op];

    if (!t.fields)
        t = (struct wire_table)TABLE(nothing_fields);
    if (!in_message) {
        t.fields += MESSAGE_FIELDS;
        t.count -= MESSAGE_FIELDS;
        t.count -= op == SVC_NODE_RESUME; /* node_id stands in the path */
    }
    return t;
}

/* What no single field says. */
static int check_whole(enum svc_op op, bool in_message, struct svc_req *req, struct errbuf *e)
{
    if (op == SVC_EXECUTE) {
        if (!req->execute.workflow_id.p == !req->execute.graph_json.p)
            return err_set(e, ERR_INVALID, "give either workflow_id or graph");
        if (req->execute.graph_json.p && req->execute.workflow_version > 0)
            return err_set(e, ERR_INVALID, "workflow_version: a graph has none");
        if (!req->execute.input_json.p)
            req->execute.input_json = STR("{}");
    } else if (op == SVC_WORKFLOW_GENERATE) {
        if (req->generate.prompt.n == 0)
            return err_set(e, ERR_INVALID, "prompt: empty");
    } else if (op == SVC_WORKFLOW_ESTIMATE) {
        if (!req->name.p + !req->execute.workflow_id.p + !req->execute.graph_json.p != 2)
            return err_set(e, ERR_INVALID, "give either workflow_id or graph");
        if (req->name.p)
            req->execute.workflow_id = req->name;
    } else if (op == SVC_NODE_RESUME) {
        if (in_message && !req->answer.node_id.p)
            return err_set(e, ERR_INVALID, "node_id: missing");
        if (req->answer.action.n == 0)
            return err_set(e, ERR_INVALID, "action: empty");
    } else if (op == SVC_SIGNAL) {
        if (!req->signal.node_id.p && req->signal.name.n == 0)
            return err_set(e, ERR_INVALID, "give node_id or name");
    } else if (op == SVC_INPUT) {
        if (req->input.content.n == 0)
            return err_set(e, ERR_INVALID, "content: empty");
    } else if (op == SVC_FORK) {
        if (!req->fork.node_id.p == !req->fork.after_seq)
            return err_set(e, ERR_INVALID, "give either after_seq, from 1, or node_id");
    }
    return 0;
}

int wire_parse_op(enum svc_op op, bool in_message, struct json body, struct svc_req *req,
                  struct errbuf *e)
{
    if (op == SVC_SESSION_PUT || op == SVC_SESSION_PATCH || op == SVC_SESSION_BATCH)
        return wire_parse_stored(op, body, req, e);
    struct wire_table t = fields_of(op, in_message);
    req->task.retry = true; /* unless it says otherwise */
    int r = wire_read(body, t.fields, t.count, req, &req->arena, e);

    if (op == SVC_STAGE_UPDATE || op == SVC_STAGE_COMPLETE)
        req->answer.data_json = json_raw(body);
    return r < 0 ? r : check_whole(op, in_message, req, e);
}

int wire_parse_execute(struct json body, struct svc_req *req, struct errbuf *e)
{
    return wire_parse_op(SVC_EXECUTE, false, body, req, e);
}

int wire_parse_pause(struct json body, struct svc_req *req, struct errbuf *e)
{
    return wire_parse_op(SVC_PAUSE, false, body, req, e);
}

int wire_parse_reason(struct json body, struct svc_req *req, struct errbuf *e)
{
    return wire_parse_op(SVC_CANCEL, false, body, req, e);
}

int wire_parse_answer(struct json body, struct svc_req *req, struct errbuf *e)
{
    return wire_parse_op(SVC_NODE_RESUME, false, body, req, e);
}

int wire_parse_signal(struct json body, struct svc_req *req, struct errbuf *e)
{
    return wire_parse_op(SVC_SIGNAL, false, body, req, e);
}

int wire_parse_input(struct json body, struct svc_req *req, struct errbuf *e)
{
    return wire_parse_op(SVC_INPUT, false, body, req, e);
}

int wire_parse_nothing(struct json body, struct svc_req *req, struct errbuf *e)
{
    return wire_parse_op(SVC_RESUME, false, body, req, e);
}
