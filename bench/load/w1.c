/* W1: N keep-alive clients, each posting /workflows/execute again as soon as it was answered, and
 * one WebSocket that watches the channel "sessions" for endings.
 *
 *     load w1 --port P --workflow ID --clients N --seconds S
 *
 * A session counts when its `completed` event was seen on the WebSocket: what is measured is
 * execute to ended, as a client sees it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define SLOTS    (1u << 20) /* sessions under way, by a hash of their id */
#define ID_BYTES 36

/* When a session was posted (from the client's answer) and when its end was seen; whichever comes
 * first waits. */
struct slot {
    char id[ID_BYTES];
    uint64_t sent_ns, ended_ns;
};

static struct slot *slots;
static struct samples latencies;
static char request[1024];
static size_t request_bytes;
static unsigned long accepted, refused;
static bool is_measuring;

static struct slot *slot_of(const char *id)
{
    uint64_t h = 1469598103934665603u;
    for (int i = 0; i < ID_BYTES; i++)
        h = (h ^ (uint8_t)id[i]) * 1099511628211u;
    for (unsigned i = 0; i < 64; i++) {
        struct slot *s = &slots[(h + i) & (SLOTS - 1)];
        if (s->id[0] == 0 || memcmp(s->id, id, ID_BYTES) == 0)
            return s;
    }
    die("too many sessions under way");
}

static void slot_done(struct slot *s)
{
    if (!s->sent_ns || !s->ended_ns)
        return;
    if (is_measuring)
        samples_add(&latencies, s->ended_ns > s->sent_ns ? s->ended_ns - s->sent_ns : 0);
    s->sent_ns = s->ended_ns = 0; /* the id stays: probing relies on it, and ids never come again */
}

static void answered(struct peer *p, int status, const char *bytes, size_t count)
{
    const char *id = memmem(bytes, count, "\"session_id\":\"", 14);

    if (status == 202 && id) {
        struct slot *s = slot_of(id + 14);
        memcpy(s->id, id + 14, ID_BYTES);
        s->sent_ns = p->sent_ns;
        accepted += is_measuring;
        slot_done(s);
    } else if (refused++ == 0) {
        fprintf(stderr, "load: refused: %d %.*s\n", status, (int)count, bytes);
    }
    peer_send(p, request, request_bytes);
}

static void framed(struct peer *peer, const char *p, size_t n)
{
    static const char key[] = "\"session_id\":\"";
    const char *end = p + n;

    (void)peer;
    while (p < end) { /* a frame, or a batch of them */
        const char *id = memmem(p, (size_t)(end - p), key, sizeof(key) - 1);
        if (!id)
            return;
        id += sizeof(key) - 1;
        const char *next = memmem(id, (size_t)(end - id), key, sizeof(key) - 1);
        const char *stop = next ? next : end;
        if (memmem(id, (size_t)(stop - id), "\"to\":\"completed\"", 16)) {
            struct slot *s = slot_of(id);
            memcpy(s->id, id, ID_BYTES);
            s->ended_ns = now_ns();
            slot_done(s);
        }
        p = stop;
    }
}

int load_w1(void)
{
    static const struct peer_calls http = {.answer = answered}, socket = {.frame = framed};
    int count = (int)option_number("clients", 1);
    double seconds = option_number("seconds", 5), warm_up = option_number("warm-up", 1);
    char body[256];

    snprintf(body, sizeof(body), "{\"workflow_id\":\"%s\",\"input\":{\"n\":1}}",
             option("workflow", "w1"));
    request_bytes =
        peer_request_bytes(request, sizeof(request), "POST", "/workflows/execute", body);
    slots = calloc(SLOTS, sizeof(*slots));
    struct peer *watcher = peer_socket(&socket, NULL, "/ws?batch=1");
    peer_message(
        watcher,
        "{\"type\":\"subscribe\",\"channel\":\"sessions\",\"filter\":{\"status\":\"completed\"}}");
    for (int i = 0; i < count; i++)
        peer_send(peer_http(&http, NULL), request, request_bytes);
    uint64_t start = now_ns() + (uint64_t)(warm_up * 1e9);
    client_run_until(start);
    is_measuring = true;
    uint64_t stop = start + (uint64_t)(seconds * 1e9), t;
    for (t = now_ns(); t < stop && latencies.count + accepted <= SLOTS / 2; t = now_ns())
        client_turn(100); /* few enough for probing to stay short */
    double took = (double)(t - start) / 1e9;
    printf("{\"clients\":%d,\"seconds\":%.2f,\"sessions\":%zu,\"refused\":%lu,"
           "\"sessions_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
           count, took, latencies.count, refused, (double)latencies.count / took,
           samples_ms(&latencies, 0.5), samples_ms(&latencies, 0.99), samples_ms(&latencies, 1));
    return refused ? 1 : 0;
}
