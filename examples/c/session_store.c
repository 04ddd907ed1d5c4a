/* Sessions that this program keeps on the server: save, get, exists, list by metadata, update,
 * batches, delete. `session_store [URL]`. */
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>

/* A program's own ids are UUIDs. */
#define ONE   "0190c0de-0000-7000-8000-000000000001"
#define TWO   "0190c0de-0000-7000-8000-000000000002"
#define THREE "0190c0de-0000-7000-8000-000000000003"

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

static void list(const char *shelf)
{
    struct sluice_request *q = sluice_session_list();

    sluice_set_query(q, "metadata.shelf", shelf);
    sluice_set_query(q, "order", "asc");
    sluice_set_limit(q, 10);
    struct sluice_reply r = must("list", q);
    printf("shelf %s:", shelf);
    for (size_t i = 0; i < sluice_reply_count(&r, "/items"); i++) {
        char at[64];
        snprintf(at, sizeof(at), "/items/%zu/name", i);
        printf(" %s", sluice_reply_string(&r, at));
    }
    puts("");
    sluice_reply_free(&r);
}

static void show_one(void)
{
    struct sluice_reply r = must("get", sluice_session_get(ONE));

    printf("%s: %s, metadata %s\n", sluice_reply_string(&r, "/name"),
           sluice_reply_string(&r, "/status"), sluice_reply_json(&r, "/metadata"));
    sluice_reply_free(&r);
}

int main(int argc, char **argv)
{
    static const char *const both[] = {TWO, THREE};
    struct sluice_reply r;

    client =
        sluice_client_create(argc > 1 ? argv[1] : "http://127.0.0.1:8080", getenv("SLUICE_KEY"));
    if (!client)
        return 1;
    struct sluice_request *save = sluice_session_save(ONE, NULL);
    sluice_set_string(save, "name", "one");
    sluice_set_string(save, "status", "drafting");
    sluice_set_json(save, "metadata", "{\"shelf\":\"a\",\"tries\":[1]}");
    sluice_set_json(save, "workflow_state", "{\"page\":1}");
    r = must("save", save);
    int64_t version = r.version;
    sluice_reply_free(&r);
    did("exists", sluice_session_exists(ONE));
    if (sluice_send(client, sluice_session_exists(TWO), NULL) == SLUICE_E_NOT_FOUND)
        puts("the other does not");

    /* Objects merge, arrays replace, null deletes. */
    struct sluice_request *update =
        sluice_session_update(ONE, "{\"metadata\":{\"tries\":[2,3],\"by\":\"ann\"}}");
    sluice_set_version(update, version);
    did("updated", update);
    update = sluice_session_update(ONE, "{\"status\":\"lost\"}");
    sluice_set_version(update, version);
    if (sluice_send(client, update, &r) == SLUICE_E_STALE)
        puts("the second one with that version is stale");
    sluice_reply_free(&r);
    show_one();

    did("saved two",
        sluice_session_save_batch(
            "[{\"id\":\"" TWO "\",\"name\":\"two\",\"metadata\":{\"shelf\":\"a\"}},"
            "{\"id\":\"" THREE "\",\"name\":\"three\",\"metadata\":{\"shelf\":\"b\"}}]"));
    list("a");
    list("b");
    did("deleted two", sluice_session_delete_batch(both, 2));
    list("a");
    did("deleted", sluice_session_delete(ONE, 0));
    sluice_client_destroy(client);
    return 0;
}
