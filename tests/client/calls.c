/* Every call of libsluice that the examples do not make, against a server: `client_calls URL`
 * prints what each gives. SLUICE_KEY is the key, SLUICE_CA a file of certificates to trust. The
 * test compares that. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/client.h"

static struct sluice_client *client;

/* One line: what was called, how it went, and what is at each pointer. */
static struct sluice_reply tell(const char *what, struct sluice_request *request,
                                const char *const *pointers)
{
    struct sluice_reply r;
    int rc = sluice_send(client, request, &r);

    printf("%s: %s", what, rc ? r.code : "ok");
    for (; rc == 0 && pointers && *pointers; pointers++) {
        const char *json = sluice_reply_json(&r, *pointers);
        printf(" %s", json ? json : "-");
    }
    puts("");
    if (rc && rc != SLUICE_E_NOT_FOUND)
        printf("  %s\n", r.error);
    return r;
}

#define AT(...) ((const char *const[]){__VA_ARGS__, NULL})

static void try(const char *what, struct sluice_request *request, const char *const *pointers)
{
    struct sluice_reply r = tell(what, request, pointers);
    sluice_reply_free(&r);
}

static char *keep(struct sluice_reply *r, const char *pointer)
{
    const char *text = sluice_reply_string(r, pointer);
    char *copy = strdup(text ? text : "");

    sluice_reply_free(r);
    return copy;
}

/* Follows until an event of that type, and keeps a member of it. */
struct wait {
    const char *type, *pointer, *to;
    char *got;
};

static int wait_event(void *data, const struct sluice_event *e)
{
    struct wait *w = data;
    char *to = w->to ? sluice_json_string(e->json, "/data/to") : NULL;
    bool is_it = strcmp(e->type, w->type) == 0 && (!w->to || (to && strcmp(to, w->to) == 0));

    sluice_free(to);
    if (is_it && w->pointer)
        w->got = sluice_json_string(e->json, w->pointer);
    return is_it;
}

static char *await(const char *session, const char *type, const char *to, const char *pointer)
{
    struct wait w = {.type = type, .to = to, .pointer = pointer};

    if (sluice_follow(client, session, 0, wait_event, &w, NULL))
        exit(1);
    return w.got;
}

static const char *yaml =
    "id: c-calls\n"
    "name: Calls\n"
    "start_node_id: start\n"
    "nodes:\n"
    "  start: { type: start, next_ids: [ask] }\n"
    "  ask:\n"
    "    type: human_review\n"
    "    properties: { prompt: 'Well?' }\n"
    "    routes: { approve: wait, reject: bad, modify: end }\n"
    "  wait: { type: signal, properties: { name: go }, next_ids: [end] }\n"
    "  bad: { type: script, properties: { code: 'error(\"no\")' }, next_ids: [end] }\n"
    "  end: { type: end, properties: { output: 'nodes.wait.output' } }\n";

static void definitions(void)
{
    try("workflow_validate", sluice_workflow_validate(yaml), AT("/valid"));
    try("workflow_validate bad", sluice_workflow_validate("{\"nodes\":{}}"), AT("/valid"));
    try("workflow_create", sluice_workflow_create(yaml), AT("/id", "/version"));
    try("workflow_create again", sluice_workflow_create(yaml), NULL);
    try("workflow_update", sluice_workflow_update("c-calls", yaml), AT("/version"));
    struct sluice_request *q = sluice_workflow_get("c-calls");
    sluice_set_query(q, "version", "1");
    try("workflow_get", q, AT("/id", "/version", "/graph/start_node_id"));
    q = sluice_workflow_list();
    sluice_set_query(q, "q", "Calls");
    sluice_set_limit(q, 1);
    try("workflow_list", q, AT("/items/0/id", "/next_cursor"));
    struct sluice_reply r =
        tell("workflow_export", sluice_workflow_export("c-calls", "yaml"), NULL);
    printf("  %s\n", r.status == 200 && strstr(r.json, "start_node_id: start") ? "YAML" : r.json);
    sluice_reply_free(&r);
    r = tell("workflow_diagram", sluice_workflow_diagram("c-calls", "mermaid"), NULL);
    printf("  %.9s\n", r.json);
    sluice_reply_free(&r);
    try("workflow_import",
        sluice_workflow_import("{\"id\":\"c-staged\",\"name\":\"Staged\",\"version\":\"1.0\","
                               "\"stages\":[{\"id\":\"a\",\"name\":\"A\",\"order\":1,"
                               "\"checklist\":[\"one\"],\"deliverables\":[]}],\"transitions\":[]}",
                               1),
        AT("/workflow/id"));
}

/* A session that is asked, signalled, spoken to; a fork of it; its events and its status. */
static char *one_session(void)
{
    struct sluice_reply r = tell("session_create", sluice_session_create("c-calls"), AT("/status"));
    char *id = keep(&r, "/session_id");
    char *interrupt = await(id, "human_interaction_required", NULL, "/data/interrupt_id");
    struct sluice_request *q = sluice_review_list();

    sluice_set_query(q, "session_id", id);
    try("review_list", q, AT("/items/0/node_id", "/items/0/status"));
    try("review_get", sluice_review_get(interrupt), AT("/status"));
    try("session_next", sluice_session_next(id), NULL);
    try("session_input", sluice_session_input(id, "hello"), AT("/status"));
    q = sluice_review_answer(id, "ask", "approve");
    sluice_set_string(q, "interrupt_id", interrupt);
    sluice_set_json(q, "data", "{\"why\":\"good\"}");
    try("review_answer", q, AT("/status"));
    q = sluice_review_answer(id, "ask", "approve");
    sluice_set_string(q, "interrupt_id", interrupt);
    try("review_answer again", q, NULL);
    try("status_get", sluice_status_get(id), AT("/type", "/status"));
    q = sluice_status_list();
    sluice_set_query(q, "status", "IN_PROGRESS");
    try("status_list", q, AT("/items/0/status"));
    try("current_set", sluice_current_set(id, "ann"), NULL);
    r = tell("current_get", sluice_current_get("ann"), NULL);
    printf("  %s\n", sluice_reply_string(&r, "/session_id") &&
                             strcmp(sluice_reply_string(&r, "/session_id"), id) == 0
                         ? "it"
                         : "another");
    sluice_reply_free(&r);
    try("current_clear", sluice_current_clear("ann"), NULL);
    try("session_signal", sluice_session_signal(id, "go", "{\"n\":5}"), AT("/status"));
    free(await(id, "session_state_change", "completed", NULL));
    try("session_get", sluice_session_get(id), AT("/status", "/output"));
    q = sluice_session_events(id, 0);
    sluice_set_query(q, "types", "session_state_change");
    try("session_events", q, AT("/items/0/data/to", "/items/1/data/to"));
    try("session_messages", sluice_session_messages(id), AT("/items/0/content"));
    try("session_progress", sluice_session_progress(id), AT("/status"));
    sluice_free(interrupt);
    return id;
}

static void other_sessions(const char *id)
{
    struct sluice_reply r = tell("session_fork", sluice_session_fork(id, 0, "ask"), AT("/status"));
    char *fork = keep(&r, "/session_id");

    free(await(fork, "human_interaction_required", NULL, NULL));
    struct sluice_request *q = sluice_review_answer(fork, "ask", "reject");
    try("review_answer", q, AT("/status"));
    free(await(fork, "session_state_change", "failed", NULL));
    r = tell("session_retry", sluice_session_retry(fork, NULL), AT("/status"));
    char *retry = keep(&r, "/session_id");
    free(await(retry, "session_state_change", "failed", NULL));
    try("session_delete", sluice_session_delete(retry, 0), NULL);
    r = tell("session_create", sluice_session_create("c-calls"), AT("/status"));
    char *stopped = keep(&r, "/session_id");
    try("session_stop", sluice_session_stop(stopped, "no use"), AT("/status"));
    try("status_get", sluice_status_get(stopped), AT("/status"));
    try("session_complete", sluice_session_complete(stopped), NULL);
    free(fork);
    free(retry);
    free(stopped);
}

static void webhooks(void)
{
    struct sluice_request *q = sluice_webhook_create("http://127.0.0.1:1/told");

    sluice_set_json(q, "events", "[\"session_state_change\"]");
    sluice_set_bool(q, "enabled", 0);
    struct sluice_reply r = tell("webhook_create", q, AT("/url", "/enabled"));
    char *id = keep(&r, "/id");
    try("webhook_list", sluice_webhook_list(), AT("/items/0/url"));
    try("webhook_delete", sluice_webhook_delete(id), NULL);
    try("webhook_delete again", sluice_webhook_delete(id), NULL);
    free(id);
}

/* Out, away, and in again. */
static void moved(const char *id)
{
    struct sluice_reply r = tell("session_export", sluice_session_export(id), NULL);

    if (r.status == 200) {
        try("session_import, it is here", sluice_session_import(r.json, r.json_bytes), NULL);
        try("session_delete", sluice_session_delete(id, 0), NULL);
        try("session_import", sluice_session_import(r.json, r.json_bytes), NULL);
        try("session_get", sluice_session_get(id), AT("/status", "/output"));
    }
    sluice_reply_free(&r);
}

int main(int argc, char **argv)
{
    client = sluice_client_create(argc > 1 ? argv[1] : "", getenv("SLUICE_KEY"));
    if (!client || (getenv("SLUICE_CA") && sluice_client_set_ca(client, getenv("SLUICE_CA"))))
        return 1;
    definitions();
    char *id = one_session();
    other_sessions(id);
    moved(id);
    webhooks();
    try("workflow_delete", sluice_workflow_delete("c-calls"), NULL);
    try("workflow_get", sluice_workflow_get("c-calls"), NULL);
    free(id);
    sluice_client_destroy(client);
    return 0;
}
