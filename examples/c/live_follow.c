/* Follows a session as it happens, and answers what it asks. `live_follow [URL [SESSION]]`; without
 * a session it starts one. Comes back by itself when the server goes away for a while. */
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char flow[] =
    "{\"nodes\":{"
    "\"start\":{\"type\":\"start\",\"next_ids\":[\"write\"]},"
    "\"write\":{\"type\":\"script\",\"next_ids\":[\"ask\"],\"properties\":{\"code\":"
    "\"for _, word in ipairs({'once ', 'upon ', 'a ', 'time'}) do emit(word) end\"}},"
    "\"ask\":{\"type\":\"human_review\",\"properties\":{\"prompt\":\"Shall it be printed?\"},"
    "\"routes\":{\"approve\":\"end\",\"reject\":\"end\",\"modify\":\"end\"}},"
    "\"end\":{\"type\":\"end\"}}}";

struct live {
    struct sluice_client *client;
    int in_text; /* a message is being written */
};

/* The whole of a question is in the event; the answer names it, so that it is applied once. */
static void answer(struct live *l, const struct sluice_event *e)
{
    struct sluice_request *q = sluice_review_answer(e->session_id, e->node_id, "approve");
    char *interrupt = sluice_json_string(e->json, "/data/interrupt_id");
    struct sluice_reply r;

    sluice_set_string(q, "interrupt_id", interrupt);
    sluice_set_string(q, "reviewer", "live_follow");
    if (sluice_send(l->client, q, &r))
        fprintf(stderr, "answer: %s\n", r.error);
    sluice_reply_free(&r);
    sluice_free(interrupt);
}

static int event(void *data, const struct sluice_event *e)
{
    struct live *l = data;
    int is_text = strcmp(e->type, "token_stream") == 0;

    if (l->in_text && !is_text)
        puts("");
    l->in_text = is_text;
    if (is_text) {
        char *chunk = sluice_json_string(e->json, "/data/chunk");
        fputs(chunk ? chunk : "", stdout);
        sluice_free(chunk);
    } else if (strcmp(e->type, "node_state_change") == 0) {
        char *to = sluice_json_string(e->json, "/data/to");
        printf("%s: %s\n", e->node_id, to);
        sluice_free(to);
    } else if (strcmp(e->type, "session_state_change") == 0) {
        char *to = sluice_json_string(e->json, "/data/to");
        printf("the session is %s\n", to);
        sluice_free(to);
    } else if (strcmp(e->type, "human_interaction_required") == 0) {
        char *kind = sluice_json_string(e->json, "/data/kind");
        char *reason = sluice_json_string(e->json, "/data/reason");
        printf("asked: %s\n", reason ? reason : "");
        if (kind && strcmp(kind, "approve_reject") == 0)
            answer(l, e);
        sluice_free(kind);
        sluice_free(reason);
    }
    fflush(stdout);
    return 0; /* anything else would stop it */
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://127.0.0.1:8080";
    struct live live = {.client = sluice_client_create(url, getenv("SLUICE_KEY"))};
    struct sluice_reply r;
    char session[64];

    if (!live.client)
        return 1;
    if (argc > 2) {
        snprintf(session, sizeof(session), "%s", argv[2]);
    } else {
        if (sluice_send(live.client, sluice_session_execute(flow), &r)) {
            fprintf(stderr, "%s\n", r.error);
            return 1;
        }
        snprintf(session, sizeof(session), "%s", sluice_reply_string(&r, "/session_id"));
        sluice_reply_free(&r);
    }
    int rc = sluice_follow(live.client, session, 0, event, &live, &r);
    if (rc)
        fprintf(stderr, "%s\n", r.error);
    sluice_reply_free(&r);
    sluice_client_destroy(live.client);
    return rc ? 1 : 0;
}
