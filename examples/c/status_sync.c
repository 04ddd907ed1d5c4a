/* Two systems in step, on a uv loop: a hook tells our own system of each change of a session, and
 * what is changed there is sent back. `status_sync [URL]`.
 *
 *     session ── changed() ──> our system ── sluice_status_set() ──> session
 *
 * What comes back is what the session is already, so it ends there. */
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static const char flow[] = "{\"nodes\":{"
                           "\"start\":{\"type\":\"start\",\"next_ids\":[\"work\"]},"
                           "\"work\":{\"type\":\"stage\",\"next_ids\":[\"end\"]},"
                           "\"end\":{\"type\":\"end\"}}}";

/* What somebody does in our system, one after the other. */
static const char *const plan[] = {"ON_HOLD", "IN_PROGRESS", "COMPLETED"};

struct sync {
    struct sluice_loop *loop;
    char session[64];
    char ours[32]; /* the entry in our own system */
    unsigned next; /* of plan */
    int failed;
};

static void fail(struct sync *s, const char *what, const struct sluice_reply *r)
{
    fprintf(stderr, "%s: %s\n", what, r->error);
    s->failed = 1;
    sluice_loop_close(s->loop, NULL, NULL);
}

static void status_set(void *data, int result, struct sluice_reply *r)
{
    if (result && result != SLUICE_E_CANCELLED)
        fail(data, "set", r);
    sluice_reply_free(r);
}

/* The other way: ours has changed. */
static void push(struct sync *s)
{
    printf("ours -> %s\n", s->ours);
    sluice_start(s->loop, sluice_status_set(s->session, s->ours), status_set, s);
}

static int changed(void *data, const struct sluice_change *ch)
{
    struct sync *s = data;

    if (!ch->to_status)
        return 0; /* a word that the status system does not know */
    printf("session is %s\n", ch->to_status);
    snprintf(s->ours, sizeof(s->ours), "%s", ch->to_status);
    if (s->next < sizeof(plan) / sizeof(plan[0])) {
        snprintf(s->ours, sizeof(s->ours), "%s", plan[s->next++]);
        push(s);
    }
    return 0;
}

static void hook_over(void *data, int result, struct sluice_reply *why)
{
    struct sync *s = data;

    if (result && result != SLUICE_E_CANCELLED)
        fail(s, "hook", why);
    else if (!result) {
        printf("in the end %s\n", s->ours);
        sluice_loop_close(s->loop, NULL, NULL);
    }
    sluice_reply_free(why);
}

static void created(void *data, int result, struct sluice_reply *r)
{
    struct sync *s = data;
    const char *id = sluice_reply_string(r, "/session_id");

    if (result == 0 && id) {
        snprintf(s->session, sizeof(s->session), "%s", id);
        sluice_hook_start(s->loop, id, 0, changed, hook_over, s);
    } else if (result != SLUICE_E_CANCELLED) {
        fail(s, "create", r);
    }
    sluice_reply_free(r);
}

int main(int argc, char **argv)
{
    struct sync s = {0};
    uv_loop_t *uv = uv_default_loop();
    struct sluice_client *client =
        sluice_client_create(argc > 1 ? argv[1] : "http://127.0.0.1:8080", getenv("SLUICE_KEY"));

    if (!client || !(s.loop = sluice_loop_open(client, uv)))
        return 1;
    sluice_start(s.loop, sluice_session_execute(flow), created, &s);
    uv_run(uv, UV_RUN_DEFAULT);
    uv_loop_close(uv);
    sluice_client_destroy(client);
    return s.failed;
}
