#include "app/inbox_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const char *const op_words[SVC_OP_COUNT] = {
    [SVC_PAUSE] = "pause",
    [SVC_RESUME] = "resume",
    [SVC_CANCEL] = "cancel",
    [SVC_STOP] = "stop",
    [SVC_NODE_RESUME] = "node_resume",
    [SVC_SIGNAL] = "signal",
    [SVC_INPUT] = "input",
    [SVC_STAGE_UPDATE] = "stage_update",
    [SVC_STAGE_COMPLETE] = "stage_complete",
    [SVC_STAGE_SKIP] = "stage_skip",
    [SVC_STAGE_START] = "stage_start",
    [SVC_TASK_HEARTBEAT] = "task_log",
    [SVC_TASK_COMPLETE] = "task_complete",
    [SVC_TASK_FAIL] = "task_fail",
    [SVC_CHILD_ENDED] = "child_ended",
    [SVC_CHILD_RESUME] = "child_resume",
    [SVC_SESSION_PUT] = "session_put",
    [SVC_SESSION_PATCH] = "session_patch",
};

/* Those that answer a question of the session's. */
static bool op_answers(enum svc_op op)
{
    return op == SVC_NODE_RESUME || op == SVC_STAGE_UPDATE || op == SVC_STAGE_COMPLETE ||
           op == SVC_STAGE_SKIP || op == SVC_STAGE_START;
}

/* Those that change what is kept with it. */
static bool op_changes(enum svc_op op)
{
    return op == SVC_SESSION_PUT || op == SVC_SESSION_PATCH;
}

bool inbox_op_is_command(enum svc_op op)
{
    return op < SVC_OP_COUNT && op_words[op];
}

static bool op_is_of_task(enum svc_op op)
{
    return op == SVC_TASK_HEARTBEAT || op == SVC_TASK_COMPLETE || op == SVC_TASK_FAIL ||
           op == SVC_CHILD_ENDED;
}

static void put_text(struct jw *w, const char *key, struct str s)
{
    if (s.p)
        jw_kv_string(w, key, s);
}

static void put_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    if (id_is_zero(id))
        return;
    id_format(id, text);
    jw_kv_string(w, key, (struct str){text, ID_TEXT_BYTES});
}

static void put_hash(struct jw *w, const uint64_t hash[2])
{
    char text[17];
    jw_key(w, "hash");
    jw_array(w);
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash[i]);
        jw_stringz(w, text);
    }
    jw_end(w);
}

static void put_task(struct jw *w, const struct svc_req *req)
{
    put_id(w, "task_id", req->task.id);
    jw_kv_i64(w, "lease_expires_at", req->task.lease_expires_at);
    jw_kv_bool(w, "retry", req->task.retry);
    put_text(w, "text", req->task.text);
    put_text(w, "level", req->task.level);
    if (req->task.output_json.p)
        jw_kv_raw(w, "output", req->task.output_json);
    if (req->task.error_json.p)
        jw_kv_raw(w, "error", req->task.error_json);
}

static void put_fields(struct jw *w, const struct svc_req *req)
{
    put_text(w, "reason", req->reason);
    if (op_is_of_task(req->op))
        put_task(w, req);
    if (req->op == SVC_PAUSE) {
        jw_kv_bool(w, "hold", req->pause.hold);
        jw_kv_bool(w, "timers_run", req->pause.timers_run);
    } else if (req->op == SVC_RESUME) {
        put_text(w, "justification", req->resume.justification);
        if (req->resume.budget_json.p)
            jw_kv_raw(w, "budget", req->resume.budget_json);
    } else if (op_answers(req->op)) {
        put_text(w, "node_id", req->answer.node_id);
        put_id(w, "interrupt_id", req->answer.interrupt_id);
        put_text(w, "action", req->answer.action);
        put_text(w, "reviewer", req->answer.reviewer);
        if (req->answer.data_json.p)
            jw_kv_raw(w, "data", req->answer.data_json);
    } else if (op_changes(req->op)) {
        jw_kv_i64(w, "if_match", req->if_match);
        jw_kv_raw(w, "data", req->stored.json);
    } else if (req->op == SVC_SIGNAL) {
        put_text(w, "node_id", req->signal.node_id);
        put_text(w, "name", req->signal.name);
        if (req->signal.payload_json.p)
            jw_kv_raw(w, "data", req->signal.payload_json);
    } else if (req->op == SVC_INPUT) {
        put_text(w, "content", req->input.content);
        put_text(w, "user_id", req->input.user_id);
    }
}

void inbox_request_write(struct buf *out, const struct svc_req *req, struct id from)
{
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_i64(&w, "v", 1);
    jw_kv_stringz(&w, "op", op_words[req->op]);
    put_id(&w, "from", from);
    put_text(&w, "workspace", req->workspace);
    put_text(&w, "actor", req->actor);
    if (req->idempotency_key.p) {
        jw_kv_string(&w, "key", req->idempotency_key);
        put_hash(&w, req->body_hash);
    }
    put_fields(&w, req);
    jw_end(&w);
}

/* ---- reading ---- */

static struct str take_text(struct svc_req *req, struct json v, const char *key)
{
    char *text = json_strdup(json_get(v, key));
    if (!text)
        return STR_NULL;
    struct str kept = str_of(arena_strdup(&req->arena, str_of(text)));
    free(text);
    return kept;
}

static struct str take_json(struct svc_req *req, struct json v, const char *key)
{
    struct json raw = json_get(v, key);
    if (!json_exists(raw))
        return STR_NULL;
    return (struct str){arena_strdup(&req->arena, json_raw(raw)), raw.n};
}

static bool take_id(struct svc_req *req, struct json v, const char *key, struct id *out)
{
    struct str text = take_text(req, v, key);
    return !text.p || id_parse(text, out);
}

static bool take_hash(struct json v, uint64_t hash[2])
{
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        char *text = json_strdup(it.value), *end = NULL;
        bool ok = text && strlen(text) == 16 && it.index < 2;
        if (ok)
            hash[it.index] = strtoull(text, &end, 16);
        ok = ok && end && *end == 0;
        free(text);
        if (!ok)
            return false;
    }
    return true;
}

static bool take_task(struct svc_req *req, struct json v)
{
    json_i64(json_get(v, "lease_expires_at"), &req->task.lease_expires_at);
    json_bool(json_get(v, "retry"), &req->task.retry);
    req->task.text = take_text(req, v, "text");
    req->task.level = take_text(req, v, "level");
    req->task.output_json = take_json(req, v, "output");
    req->task.error_json = take_json(req, v, "error");
    bool has_error = json_type(json_root(req->task.error_json.p ? req->task.error_json
                                                                : STR("null"))) == JSON_OBJECT;
    bool fits = req->op == SVC_CHILD_ENDED || has_error == (req->op == SVC_TASK_FAIL);
    return take_id(req, v, "task_id", &req->task.id) && !id_is_zero(req->task.id) && fits;
}

static bool take_fields(struct svc_req *req, struct json v)
{
    bool ok = true;
    req->reason = take_text(req, v, "reason");
    if (req->op == SVC_PAUSE) {
        json_bool(json_get(v, "hold"), &req->pause.hold);
        json_bool(json_get(v, "timers_run"), &req->pause.timers_run);
    } else if (req->op == SVC_RESUME) {
        req->resume.justification = take_text(req, v, "justification");
        req->resume.budget_json = take_json(req, v, "budget");
    } else if (op_answers(req->op)) {
        req->answer.node_id = take_text(req, v, "node_id");
        req->answer.action = take_text(req, v, "action");
        req->answer.reviewer = take_text(req, v, "reviewer");
        req->answer.data_json = take_json(req, v, "data");
        ok = take_id(req, v, "interrupt_id", &req->answer.interrupt_id);
    } else if (op_changes(req->op)) {
        json_i64(json_get(v, "if_match"), &req->if_match);
        req->stored.json = take_json(req, v, "data");
        ok = json_type(json_get(v, "data")) == JSON_OBJECT;
    } else if (req->op == SVC_SIGNAL) {
        req->signal.node_id = take_text(req, v, "node_id");
        req->signal.name = take_text(req, v, "name");
        req->signal.payload_json = take_json(req, v, "data");
    } else if (req->op == SVC_INPUT) {
        req->input.content = take_text(req, v, "content");
        req->input.user_id = take_text(req, v, "user_id");
    } else if (op_is_of_task(req->op)) {
        ok = take_task(req, v);
    }
    return ok;
}

static bool take_op(struct json v, enum svc_op *op)
{
    for (int i = 0; i < SVC_OP_COUNT; i++)
        if (op_words[i] && json_string_eq(v, op_words[i])) {
            *op = (enum svc_op)i;
            return true;
        }
    return false;
}

int inbox_request_read(struct str text, struct id session_id, struct svc_req *req, struct id *from,
                       struct errbuf *e)
{
    const struct json_limits limits = {.bytes_max = SVC_BODY_MAX};
    struct errbuf why = {""};
    int64_t v = 0;
    memset(from, 0, sizeof(*from));
    if (json_check(text, &limits, &why))
        return err_set(e, ERR_CORRUPT, "a command of the inbox does not read back: %s", why.text);
    struct json root = json_root(text);
    if (!json_i64(json_get(root, "v"), &v) || v != 1 || !take_op(json_get(root, "op"), &req->op))
        return err_set(e, ERR_CORRUPT, "a command of the inbox is of a kind not known here");
    req->session_id = session_id;
    struct str workspace = take_text(req, root, "workspace"), actor = take_text(req, root, "actor");
    if (workspace.p)
        req->workspace = workspace;
    if (actor.p)
        req->actor = actor;
    req->idempotency_key = take_text(req, root, "key");
    if (!take_id(req, root, "from", from) || !take_hash(json_get(root, "hash"), req->body_hash) ||
        !take_fields(req, root))
        return err_set(e, ERR_CORRUPT, "a command of the inbox does not read back");
    return 0;
}

/* ---- answers ---- */

void inbox_answer_write(struct buf *out, const struct svc_req *req)
{
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_i64(&w, "status", req->status);
    if (req->status) {
        jw_kv_stringz(&w, "error", req->error.text);
        if (req->error_code)
            jw_kv_stringz(&w, "code", req->error_code);
        if (req->details.len)
            jw_kv_raw(&w, "details", buf_str(&req->details));
    } else if (req->body.len) {
        jw_kv_raw(&w, "body", buf_str(&req->body));
        if (req->etag_version)
            jw_kv_i64(&w, "version", req->etag_version);
    }
    jw_end(&w);
}

int inbox_answer_read(struct str text, int http_status, struct svc_req *req, struct errbuf *e)
{
    const struct json_limits limits = {.bytes_max = 2 * SVC_BODY_MAX};
    struct errbuf why = {""};
    int64_t status = 0;
    if (json_check(text, &limits, &why))
        return err_set(e, ERR_CORRUPT, "the owner's answer does not read back: %s", why.text);
    struct json root = json_root(text);
    if (!json_i64(json_get(root, "status"), &status) || status > 0 || status < -1000)
        return err_set(e, ERR_CORRUPT, "the owner's answer does not read back");
    req->http_status = http_status;
    req->status = (int)status;
    struct str error = take_text(req, root, "error"), code = take_text(req, root, "code");
    if (status)
        err_set(&req->error, (int)status, "%.*s", STR_FMT(error.p ? error : STR("")));
    req->error_code = code.p;
    buf_append_str(&req->details, json_raw(json_get(root, "details")));
    buf_append_str(&req->body, json_raw(json_get(root, "body")));
    json_i64(json_get(root, "version"), &req->etag_version);
    return 0;
}
