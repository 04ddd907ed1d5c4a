/* Tokens: N sessions that stream from the stand-in, each with a viewer of its own on a WebSocket.
 *
 *     load tokens --port P --workflow ID --sessions N --rate R --seconds S [--bare 1] [--doze-ms D]
 *
 * Every word of the stand-in says its number and when it was sent (`[[clock]]`), so what a viewer
 * sees tells its delay, and that no word was lost, doubled or out of order: one that was ends the
 * program. --rate 0: as fast as the model gives, from when all sessions have begun. --bare: the
 * viewers connect to bench/token_relay, which has no sessions.
 *
 * --doze-ms: it looks at its sockets only so often; a word came when the kernel says that it came
 * in. Viewers are elsewhere: what is sent to them wakes nobody on the machine of the server. A
 * client that each word has to wake makes the server's write dearer by that, and takes the second
 * core from it.
 *
 * When all sessions stream, a line "begin" is printed, then, S seconds later, the result: whoever
 * counts CPU counts between those two. "least" and "most" are the words that one viewer got.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static struct samples delays;
static unsigned long words, events, streaming;
static bool is_measuring, has_delays;

struct viewer {
    unsigned long next;  /* the number that the next word must have */
    unsigned long begun; /* the same, when it began to count */
};

/* The words of one chunk; `end` is where its text does. */
static void take_chunk(struct viewer *v, const char *p, const char *end, uint64_t now)
{
    while (p < end && *p == 't') {
        char *at;
        unsigned long number = strtoul(p + 1, &at, 10);
        uint64_t sent_us = strtoull(at + 1, &at, 16);
        errno = 0;
        if (number != v->next)
            die("a word was lost, doubled or out of order");
        streaming += v->next++ == 0;
        p = at + 1; /* the space */
        if (!is_measuring)
            continue;
        words++;
        if (has_delays)
            samples_add(&delays, now > sent_us * 1000 ? now - sent_us * 1000 : 0);
    }
}

static void framed(struct peer *peer, const char *p, size_t n)
{
    static const char key[] = "\"chunk\":\"";
    const char *end = p + n, *chunk;
    uint64_t now = peer->came_ns ? peer->came_ns : now_ns();

    while ((chunk = memmem(p, (size_t)(end - p), key, sizeof(key) - 1))) {
        chunk += sizeof(key) - 1;
        p = memchr(chunk, '"', (size_t)(end - chunk));
        if (!p)
            die("a frame without its end");
        take_chunk(peer->data, chunk, p, now);
        events += is_measuring;
    }
}

/* One session, and who watches it. The model begins at `first_ns`; 0: as its pace says. */
static void begin_session(struct viewer *v, double rate, uint64_t first_ns)
{
    static const struct peer_calls socket = {.frame = framed};
    char body[512], id[64], message[160], first[64] = "";
    uint64_t now = now_ns();

    if (option_number("bare", 0) > 0) {
        peer_socket(&socket, v, "/ws");
        return;
    }
    if (first_ns)
        snprintf(first, sizeof(first), " first_delay_ms=%lu",
                 first_ns > now ? (unsigned long)((first_ns - now) / 1000000u) + 1 : 1);
    snprintf(body, sizeof(body),
             "{\"workflow_id\":\"%s\",\"input\":{\"say\":\"[[clock rate=%g tokens=1000000%s]]\"}}",
             option("workflow", "tokens"), rate, first);
    char *told = client_ask("POST", "/workflows/execute", body, 202);
    if (!string_member(told, strlen(told), "session_id", id, sizeof(id)))
        die("no session_id");
    free(told);
    struct peer *p = peer_socket(&socket, v, "/ws");
    snprintf(message, sizeof(message), "{\"type\":\"subscribe\",\"session_id\":\"%s\",\"after\":0}",
             id);
    peer_message(p, message);
}

/* Of the words that each of them got. */
static unsigned long viewers_extreme(const struct viewer *v, unsigned long count, bool is_most)
{
    unsigned long got = v[0].next - v[0].begun;
    for (unsigned long i = 1; i < count; i++) {
        unsigned long n = v[i].next - v[i].begun;
        if (is_most ? n > got : n < got)
            got = n;
    }
    return got;
}

int load_tokens(void)
{
    unsigned long count = (unsigned long)option_number("sessions", 500);
    double rate = option_number("rate", 20), seconds = option_number("seconds", 5);
    double doze_ms = option_number("doze-ms", 0);
    struct viewer *viewers = calloc(count, sizeof(*viewers));

    if (!viewers)
        die("viewers");
    has_delays = rate > 0;
    if (doze_ms > 0)
        client_stamp();
    /* Begun at any time of the pace's period, as by people: else many words fall due at once. */
    uint64_t first_ns = has_delays ? 0 : now_ns() + count * 10000000u;
    for (unsigned long i = 0; i < count; i++) {
        begin_session(&viewers[i], rate, first_ns);
        client_run_until(now_ns() + (uint64_t)(rand() % 8) * 1000000u);
    }
    uint64_t patience = now_ns() + 60000000000u;
    while (streaming < count && now_ns() < patience)
        client_turn(100);
    errno = 0;
    if (streaming < count)
        die("not every session streams");
    client_doze_until(now_ns() + (uint64_t)(option_number("warm-up", 1) * 1e9), doze_ms);
    printf("begin\n");
    fflush(stdout);
    for (unsigned long i = 0; i < count; i++)
        viewers[i].begun = viewers[i].next;
    is_measuring = true;
    uint64_t start = now_ns();
    client_doze_until(start + (uint64_t)(seconds * 1e9), doze_ms);
    double took = (double)(now_ns() - start) / 1e9;
    unsigned long least = viewers_extreme(viewers, count, false);
    unsigned long most = viewers_extreme(viewers, count, true);
    printf("{\"sessions\":%lu,\"rate\":%g,\"seconds\":%.2f,\"tokens\":%lu,\"events\":%lu,"
           "\"least\":%lu,\"most\":%lu,\"tokens_per_s\":%.0f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_"
           "ms\":%.3f,"
           "\"max_ms\":%.3f}\n",
           count, rate, took, words, events, least, most, (double)words / took,
           samples_ms(&delays, 0.5), samples_ms(&delays, 0.9), samples_ms(&delays, 0.99),
           samples_ms(&delays, 1));
    fflush(stdout);
    client_run_until(now_ns() + (uint64_t)(option_number("linger", 0.2) * 1e9));
    return 0;
}
