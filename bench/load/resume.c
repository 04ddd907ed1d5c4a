/* Resume: one client answers suspended nodes, one after the other, and watches each session.
 *
 *     load resume --port P --workflow ID --node NODE --count N [--evicted 1]
 *
 * From the POST of an answer to its 200, to `node_resumed` and to the session's end, as seen on one
 * WebSocket that follows the session since before the answer. --evicted waits until none of the
 * sessions is in the server's memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions.h"

#define WARM_UP 20 /* answers that do not count */

static const char *session; /* the one that is answered now */
static bool is_asked, is_answered, is_resumed, is_ended;
static uint64_t answered_ns, resumed_ns, ended_ns;

static void http_answer(struct peer *p, int status, const char *bytes, size_t count)
{
    (void)p;
    answered_ns = now_ns();
    if (status != 200) {
        fprintf(stderr, "load: resume: %d %.*s\n", status, (int)count, bytes);
        exit(1);
    }
    is_answered = true;
}

static void socket_frame(struct peer *p, const char *bytes, size_t count)
{
    (void)p;
    if (!frame_has(bytes, count, session))
        return;
    if (frame_has(bytes, count, "\"type\":\"human_interaction_required\""))
        is_asked = true;
    if (frame_has(bytes, count, "\"type\":\"node_resumed\"")) {
        resumed_ns = now_ns();
        is_resumed = true;
    }
    if (frame_has(bytes, count, "\"type\":\"session_state_change\"") &&
        frame_has(bytes, count, "\"to\":\"completed\"")) {
        ended_ns = now_ns();
        is_ended = true;
    }
}

static void socket_say(struct peer *p, const char *type)
{
    char text[160];

    snprintf(text, sizeof(text), "{\"type\":\"%s\",\"session_id\":\"%s\"}", type, session);
    peer_message(p, text);
}

int load_resume(void)
{
    static const struct peer_calls http = {.answer = http_answer}, socket = {.frame = socket_frame};
    const char *workflow = option("workflow", "ask"), *node = option("node", "review");
    size_t count = (size_t)option_number("count", 500) + WARM_UP;
    char(*ids)[ID_TEXT] = calloc(count, sizeof(*ids)), path[128];
    struct samples answered = {0}, resumed = {0}, ended = {0};

    if (!ids)
        die("sessions");
    sessions_execute(workflow, "{\"n\":1}", count, ids);
    if (option_number("evicted", 0) != 0)
        metric_wait("sluice_sessions_live", 0, 90);
    struct peer *client = peer_http(&http, NULL), *watcher = peer_socket(&socket, NULL, "/ws");
    for (size_t i = 0; i < count; i++) {
        session = ids[i];
        is_asked = is_answered = is_resumed = is_ended = false;
        socket_say(watcher, "subscribe");
        wait_for(&is_asked, "the question");
        snprintf(path, sizeof(path), "/sessions/%s/nodes/%s/resume", session, node);
        peer_request(client, "POST", path, "{\"action\":\"approve\"}");
        wait_for(&is_answered, "the answer");
        wait_for(&is_resumed, "node_resumed");
        wait_for(&is_ended, "the end");
        socket_say(watcher, "unsubscribe");
        if (i < WARM_UP)
            continue;
        samples_add(&answered, answered_ns - client->sent_ns);
        samples_add(&resumed, resumed_ns - client->sent_ns);
        samples_add(&ended, ended_ns - client->sent_ns);
    }
    printf("{\"sessions\":%zu,\"answered_ms\":%.3f,\"resumed_ms\":%.3f,\"ended_ms\":%.3f,"
           "\"ended_p99_ms\":%.3f,\"ended_max_ms\":%.3f}\n",
           count - WARM_UP, samples_ms(&answered, 0.5), samples_ms(&resumed, 0.5),
           samples_ms(&ended, 0.5), samples_ms(&ended, 0.99), samples_ms(&ended, 1));
    free(ids);
    return 0;
}
