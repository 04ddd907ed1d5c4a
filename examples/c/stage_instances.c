/* The stages of a session: list, create (begin), get, update, complete, skip, and the progress that
 * comes of it. `stage_instances [URL]`. */
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char flow[] =
    "{\"nodes\":{"
    "\"start\":{\"type\":\"start\",\"next_ids\":[\"draft\"]},"
    "\"draft\":{\"type\":\"stage\",\"name\":\"Draft\",\"next_ids\":[\"proof\"],\"properties\":{"
    "\"checklist\":[{\"name\":\"outline\"},{\"name\":\"text\"}],"
    "\"deliverables\":[{\"name\":\"file\"}]}},"
    "\"proof\":{\"type\":\"stage\",\"name\":\"Proof\",\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";

static struct sluice_client *client;

static struct sluice_reply must(const char *what, struct sluice_request *request)
{
    struct sluice_reply r;

    if (sluice_send(client, request, &r)) {
        fprintf(stderr, "%s: %s (%s)\n", what, r.error, r.code);
        exit(1);
    }
    return r;
}

static void did(const char *what, struct sluice_request *request)
{
    struct sluice_reply r = must(what, request);

    sluice_reply_free(&r);
    puts(what);
}

/* Begins with a stage: the id of its instance, to be freed. */
static char *begin(const char *session, const char *stage)
{
    struct sluice_reply r = must("begin", sluice_stage_create(session, stage));
    char *id = strdup(sluice_reply_string(&r, "/instance_id"));

    printf("%s is %s\n", sluice_reply_string(&r, "/name"), sluice_reply_string(&r, "/status"));
    sluice_reply_free(&r);
    return id;
}

static void show_progress(const char *session)
{
    struct sluice_reply r = must("progress", sluice_session_progress(session));

    printf("%lld %%, %lld of %lld stages\n", (long long)sluice_reply_int(&r, "/percent", -1),
           (long long)sluice_reply_int(&r, "/done", -1),
           (long long)sluice_reply_int(&r, "/total", -1));
    sluice_reply_free(&r);
}

static void list(const char *session)
{
    struct sluice_reply r = must("list", sluice_stage_list(session));

    for (size_t i = 0; i < sluice_reply_count(&r, "/items"); i++) {
        char name[64], status[64];
        snprintf(name, sizeof(name), "/items/%zu/name", i);
        snprintf(status, sizeof(status), "/items/%zu/status", i);
        printf("- %s: %s\n", sluice_reply_string(&r, name), sluice_reply_string(&r, status));
    }
    sluice_reply_free(&r);
}

int main(int argc, char **argv)
{
    struct sluice_reply r;

    client =
        sluice_client_create(argc > 1 ? argv[1] : "http://127.0.0.1:8080", getenv("SLUICE_KEY"));
    if (!client)
        return 1;
    r = must("create", sluice_session_execute(flow));
    char *session = strdup(sluice_reply_string(&r, "/session_id"));
    sluice_reply_free(&r);

    char *draft = begin(session, "draft");
    did("outline ticked", sluice_stage_item(draft, "outline", 1));
    show_progress(session);
    /* Too early: the server says what is missing. */
    if (sluice_send(client, sluice_stage_complete(draft, NULL), &r) == SLUICE_E_CONFLICT)
        printf("not yet: %s\n", r.details);
    sluice_reply_free(&r);
    did("updated", sluice_stage_update(draft, "{\"items\":[{\"name\":\"text\",\"done\":true}],"
                                              "\"context\":{\"pages\":12}}"));
    r = must("get", sluice_stage_get(draft));
    printf("%lld of %lld items, %lld pages\n", (long long)sluice_reply_int(&r, "/done", -1),
           (long long)sluice_reply_int(&r, "/total", -1),
           (long long)sluice_reply_int(&r, "/context/pages", -1));
    sluice_reply_free(&r);
    did("draft completed", sluice_stage_complete(draft, "{\"file\":\"story.txt\"}"));
    list(session);
    char *proof = begin(session, "proof");
    did("proof skipped", sluice_stage_skip(proof, "nobody has the time"));
    show_progress(session);
    did("deleted", sluice_session_delete(session, 1));
    free(proof);
    free(draft);
    free(session);
    sluice_client_destroy(client);
    return 0;
}
