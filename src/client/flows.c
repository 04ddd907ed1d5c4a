/* Flow definitions, and the sessions that run them. */
#include <stdio.h>
#include <string.h>

#include "client/client_private.h"

/* A definition: what does not begin as JSON is YAML, as the server takes it. */
static void set_definition(struct sluice_request *r, const char *text)
{
    if (!r)
        return;
    if (!text) {
        request_fail(r, "a definition is missing");
        return;
    }
    char first = text[strspn(text, " \t\r\n")];
    sluice_set_body(r, first == '{' ? "application/json" : "application/yaml", text, strlen(text));
}

static struct sluice_request *list_make(const char *pattern, const char *id)
{
    return request_make("GET", pattern, id, NULL);
}

struct sluice_request *sluice_workflow_list(void)
{
    return list_make("/workflows", NULL);
}

struct sluice_request *sluice_workflow_get(const char *id)
{
    return request_make("GET", "/workflows/%", id, NULL);
}

struct sluice_request *sluice_workflow_create(const char *text)
{
    struct sluice_request *r = request_make("POST", "/workflows", NULL, NULL);

    set_definition(r, text);
    return r;
}

struct sluice_request *sluice_workflow_update(const char *id, const char *text)
{
    struct sluice_request *r = request_make("PUT", "/workflows/%", id, NULL);

    set_definition(r, text);
    return r;
}

struct sluice_request *sluice_workflow_delete(const char *id)
{
    return request_make("DELETE", "/workflows/%", id, NULL);
}

struct sluice_request *sluice_workflow_validate(const char *text)
{
    struct sluice_request *r = request_make("POST", "/workflows/validate", NULL, NULL);

    set_definition(r, text);
    return r;
}

/* The answer is the file, which may be no JSON. */
static struct sluice_request *file_make(const char *pattern, const char *id, const char *format)
{
    struct sluice_request *r = request_make("GET", pattern, id, NULL);

    if (r)
        r->expects_json = false;
    sluice_set_query(r, "format", format);
    return r;
}

struct sluice_request *sluice_workflow_export(const char *id, const char *format)
{
    return file_make("/workflows/%/export", id, format);
}

struct sluice_request *sluice_workflow_diagram(const char *id, const char *format)
{
    return file_make("/workflows/%/diagram", id, format);
}

struct sluice_request *sluice_workflow_import(const char *text, int fix)
{
    struct sluice_request *r = request_make("POST", "/workflows/import", NULL, NULL);

    set_definition(r, text);
    sluice_set_query(r, "fix", fix ? "1" : NULL);
    return r;
}

/* ---- sessions ---- */

struct sluice_request *sluice_session_create(const char *workflow_id)
{
    struct sluice_request *r = request_make("POST", "/workflows/execute", NULL, NULL);

    sluice_set_string(r, "workflow_id", workflow_id);
    return r;
}

struct sluice_request *sluice_session_execute(const char *graph)
{
    struct sluice_request *r = request_make("POST", "/workflows/execute", NULL, NULL);

    sluice_set_json(r, "graph", graph);
    return r;
}

struct sluice_request *sluice_session_get(const char *id)
{
    return request_make("GET", "/sessions/%", id, NULL);
}

struct sluice_request *sluice_session_list(void)
{
    return list_make("/sessions", NULL);
}

struct sluice_request *sluice_session_exists(const char *id)
{
    return request_make("HEAD", "/sessions/%", id, NULL);
}

struct sluice_request *sluice_session_update(const char *id, const char *patch)
{
    struct sluice_request *r = request_make("PATCH", "/sessions/%", id, NULL);

    request_object(r, "patch", patch);
    return r;
}

struct sluice_request *sluice_session_delete(const char *id, int force)
{
    struct sluice_request *r = request_make("DELETE", "/sessions/%", id, NULL);

    sluice_set_query(r, "force", force ? "true" : NULL);
    return r;
}

/* POST with one member that may be missing. */
static struct sluice_request *session_move(const char *pattern, const char *id, const char *name,
                                           const char *value)
{
    struct sluice_request *r = request_make("POST", pattern, id, NULL);

    if (value)
        sluice_set_string(r, name, value);
    return r;
}

struct sluice_request *sluice_session_pause(const char *id, const char *reason)
{
    return session_move("/sessions/%/pause", id, "reason", reason);
}

struct sluice_request *sluice_session_resume(const char *id)
{
    return session_move("/sessions/%/resume", id, NULL, NULL);
}

struct sluice_request *sluice_session_complete(const char *id)
{
    return sluice_status_set(id, "COMPLETED");
}

struct sluice_request *sluice_session_abort(const char *id, const char *reason)
{
    return session_move("/sessions/%/cancel", id, "reason", reason);
}

struct sluice_request *sluice_session_stop(const char *id, const char *reason)
{
    return session_move("/sessions/%/stop", id, "reason", reason);
}

struct sluice_request *sluice_session_fork(const char *id, int64_t after_seq, const char *node_id)
{
    struct sluice_request *r = session_move("/sessions/%/fork", id, "node_id", node_id);

    if (after_seq > 0)
        sluice_set_int(r, "after_seq", after_seq);
    return r;
}

struct sluice_request *sluice_session_retry(const char *id, const char *node_id)
{
    return session_move("/sessions/%/retry", id, "node_id", node_id);
}

struct sluice_request *sluice_session_input(const char *id, const char *content)
{
    return session_move("/sessions/%/input", id, "content", content);
}

struct sluice_request *sluice_session_signal(const char *id, const char *name, const char *payload)
{
    struct sluice_request *r = session_move("/sessions/%/signal", id, "name", name);

    if (payload)
        sluice_set_json(r, "payload", payload);
    return r;
}

struct sluice_request *sluice_session_messages(const char *id)
{
    return list_make("/sessions/%/messages", id);
}

struct sluice_request *sluice_session_events(const char *id, int64_t after)
{
    struct sluice_request *r = list_make("/sessions/%/events", id);
    char seq[32];

    snprintf(seq, sizeof(seq), "%lld", (long long)after);
    sluice_set_query(r, "after", seq);
    return r;
}

struct sluice_request *sluice_session_progress(const char *id)
{
    return request_make("GET", "/sessions/%/progress", id, NULL);
}

struct sluice_request *sluice_session_next(const char *id)
{
    return request_make("GET", "/sessions/%/next", id, NULL);
}

struct sluice_request *sluice_session_export(const char *id)
{
    return file_make("/sessions/%/export", id, NULL);
}

struct sluice_request *sluice_session_import(const char *lines, size_t bytes)
{
    struct sluice_request *r = request_make("POST", "/sessions/import", NULL, NULL);

    sluice_set_body(r, "application/x-ndjson", lines, bytes);
    return r;
}

/* ---- the active session ---- */

struct sluice_request *sluice_current_get(const char *user_id)
{
    struct sluice_request *r = request_make("GET", "/current", NULL, NULL);

    sluice_set_query(r, "user_id", user_id);
    return r;
}

struct sluice_request *sluice_current_set(const char *session_id, const char *user_id)
{
    struct sluice_request *r = request_make("PUT", "/current", NULL, NULL);

    sluice_set_string(r, "session_id", session_id);
    if (user_id)
        sluice_set_string(r, "user_id", user_id);
    return r;
}

struct sluice_request *sluice_current_clear(const char *user_id)
{
    struct sluice_request *r = request_make("DELETE", "/current", NULL, NULL);

    sluice_set_query(r, "user_id", user_id);
    return r;
}
