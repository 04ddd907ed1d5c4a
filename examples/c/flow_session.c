/* A flow definition and its sessions: create, get, list, update, pause, resume, complete, abort,
 * delete. `flow_session [URL]`; the key, if one is needed, is in SLUICE_KEY. */
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char flow[] = "id: c-story\n"
                           "name: A story\n"
                           "start_node_id: start\n"
                           "nodes:\n"
                           "  start: { type: start, next_ids: [draft] }\n"
                           "  draft: { type: stage, name: Draft, next_ids: [end] }\n"
                           "  end: { type: end }\n";

static struct sluice_client *client;

/* Sends, or says what went wrong and ends the program. */
static struct sluice_reply must(const char *what, struct sluice_request *request)
{
    struct sluice_reply r;

    if (sluice_send(client, request, &r)) {
        fprintf(stderr, "%s: %s (%s)\n", what, r.error, r.code);
        exit(1);
    }
    return r;
}

static void show(const char *id)
{
    struct sluice_reply r = must("get", sluice_session_get(id));

    printf("%s is %s\n", sluice_reply_string(&r, "/name"), sluice_reply_string(&r, "/status"));
    sluice_reply_free(&r);
}

static char *begin(const char *name)
{
    struct sluice_request *q = sluice_session_create("c-story");

    sluice_set_string(q, "name", name);
    sluice_set_json(q, "tags", "[\"example\"]");
    struct sluice_reply r = must("create", q);
    char *id = strdup(sluice_reply_string(&r, "/session_id"));
    sluice_reply_free(&r);
    return id;
}

static void list(void)
{
    struct sluice_request *q = sluice_session_list();

    sluice_set_query(q, "workflow_id", "c-story");
    sluice_set_query(q, "order", "asc");
    struct sluice_reply r = must("list", q);
    for (size_t i = 0; i < sluice_reply_count(&r, "/items"); i++) {
        char name[64], status[64];
        snprintf(name, sizeof(name), "/items/%zu/name", i);
        snprintf(status, sizeof(status), "/items/%zu/status", i);
        printf("- %s: %s\n", sluice_reply_string(&r, name), sluice_reply_string(&r, status));
    }
    sluice_reply_free(&r);
}

/* Only when nobody has changed it since we looked. */
static void rename_session(const char *id, const char *name)
{
    struct sluice_reply was = must("get", sluice_session_get(id)), r;
    struct sluice_request *q = sluice_session_update(id, NULL);

    sluice_set_string(q, "name", name);
    sluice_set_version(q, was.version);
    int rc = sluice_send(client, q, &r);
    if (rc == SLUICE_E_STALE)
        puts("somebody was faster");
    else if (rc)
        fprintf(stderr, "update: %s\n", r.error);
    sluice_reply_free(&was);
    sluice_reply_free(&r);
}

static void did(const char *what, struct sluice_request *request)
{
    struct sluice_reply r = must(what, request);

    sluice_reply_free(&r);
    puts(what);
}

int main(int argc, char **argv)
{
    client =
        sluice_client_create(argc > 1 ? argv[1] : "http://127.0.0.1:8080", getenv("SLUICE_KEY"));
    if (!client)
        return 1;
    did("defined", sluice_workflow_create(flow));
    char *one = begin("one"), *two = begin("two");
    list();
    rename_session(one, "number one");
    did("paused", sluice_session_pause(one, "lunch"));
    show(one);
    did("resumed", sluice_session_resume(one));
    did("completed", sluice_session_complete(one));
    show(one);
    did("aborted", sluice_session_abort(two, "not needed"));
    show(two);
    /* What is over cannot be paused, and says so. */
    struct sluice_reply r;
    if (sluice_send(client, sluice_session_pause(two, NULL), &r) == SLUICE_E_CONFLICT)
        printf("refused: %s\n", r.code);
    sluice_reply_free(&r);
    did("deleted one", sluice_session_delete(one, 0));
    did("deleted two", sluice_session_delete(two, 0));
    did("deleted the definition", sluice_workflow_delete("c-story"));
    free(one);
    free(two);
    sluice_client_destroy(client);
    return 0;
}
