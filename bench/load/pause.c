/* Pause: many sessions stream, each with a viewer; one client pauses one after the other.
 *
 *     load pause --port P --workflow ID --sessions N --count N
 *
 * From the POST to the pause's own event with `quiesced: true`, as the viewer of that session sees
 * it. Nothing of the session may come after it until it is resumed, which is done before the next
 * one is paused; a frame that does ends the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions.h"

#define WARM_UP 20 /* pauses that do not count */

struct viewer {
    char id[ID_TEXT];
    struct peer *socket;
    uint64_t tokens;
    bool is_paused; /* from `quiesced` to the resume's request */
};

static bool is_answered, is_quiesced, all_stream;
static uint64_t answered_ns, quiesced_ns, tokens;
static size_t streaming, wanted;

static void http_answer(struct peer *p, int status, const char *bytes, size_t count)
{
    (void)p;
    answered_ns = now_ns();
    if (status != 200) {
        fprintf(stderr, "load: pause: %d %.*s\n", status, (int)count, bytes);
        exit(1);
    }
    is_answered = true;
}

static void socket_frame(struct peer *p, const char *bytes, size_t count)
{
    struct viewer *v = p->data;

    if (v->is_paused) {
        fprintf(stderr, "load: after quiesced: %.*s\n", (int)count, bytes);
        exit(1);
    }
    if (frame_has(bytes, count, "\"type\":\"token_stream\"")) {
        tokens++;
        if (v->tokens++ == 0)
            all_stream = ++streaming == wanted;
    } else if (frame_has(bytes, count, "\"quiesced\":true")) {
        quiesced_ns = now_ns();
        is_quiesced = v->is_paused = true;
    }
}

/* POST /sessions/{id}/{verb}. */
static void command(struct peer *p, const char *id, const char *verb)
{
    char path[96];

    is_answered = false;
    snprintf(path, sizeof(path), "/sessions/%s/%s", id, verb);
    peer_request(p, "POST", path, "{}");
}

static struct viewer *viewers_start(size_t count)
{
    static const struct peer_calls socket = {.frame = socket_frame};
    struct viewer *all = calloc(count, sizeof(*all));
    char path[96];

    if (!all)
        die("viewers");
    wanted = count;
    for (size_t i = 0; i < count; i++) {
        session_execute(option("workflow", "talk"), "{}", all[i].id);
        snprintf(path, sizeof(path), "/ws?session_id=%s", all[i].id);
        all[i].socket = peer_socket(&socket, &all[i], path);
        client_run_until(now_ns() + 2000000); /* so that not all speak in the same millisecond */
    }
    wait_for(&all_stream, "tokens of every session");
    return all;
}

int load_pause(void)
{
    static const struct peer_calls http = {.answer = http_answer};
    size_t sessions = (size_t)option_number("sessions", 500),
           count = (size_t)option_number("count", 500) + WARM_UP;
    struct viewer *all = viewers_start(sessions);
    struct peer *client = peer_http(&http, NULL);
    struct samples answered = {0}, quiesced = {0};
    uint64_t tokens_before = 0, begun = 0;

    for (size_t i = 0; i < count; i++) {
        struct viewer *v = &all[i * 7919 % sessions];
        if (i == WARM_UP) {
            tokens_before = tokens;
            begun = now_ns();
        }
        is_quiesced = false;
        command(client, v->id, "pause");
        uint64_t sent = client->sent_ns;
        wait_for(&is_answered, "the answer");
        uint64_t at = answered_ns;
        wait_for(&is_quiesced, "quiesced");
        if (i >= WARM_UP) {
            samples_add(&answered, at - sent);
            samples_add(&quiesced, quiesced_ns - sent);
        }
        client_run_until(now_ns() + 1000000);
        v->is_paused = false;
        command(client, v->id, "resume");
        wait_for(&is_answered, "the answer");
        client_run_until(now_ns() + 5000000);
    }
    double took = (double)(now_ns() - begun) / 1e9;
    printf("{\"sessions\":%zu,\"pauses\":%zu,\"tokens_per_s\":%.0f,\"answered_ms\":%.3f,"
           "\"quiesced_ms\":%.3f,\"quiesced_p99_ms\":%.3f,\"quiesced_max_ms\":%.3f}\n",
           sessions, count - WARM_UP, (double)(tokens - tokens_before) / took,
           samples_ms(&answered, 0.5), samples_ms(&quiesced, 0.5), samples_ms(&quiesced, 0.99),
           samples_ms(&quiesced, 1));
    free(all);
    return 0;
}
