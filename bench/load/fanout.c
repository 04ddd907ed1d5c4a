/* Fan-out: N WebSockets that read one session, and what they are given a second.
 *
 *     load fanout --port P --path /ws?... --viewers N --go PATH [--body JSON]
 *                 [--seconds S | --frames F] [--doze-ms D] [--pid PID]
 *
 * When all have been told that they read on, `go` is posted, which makes the session speak. With
 * --seconds the frames of a while in the middle are counted; with --frames the time from the first
 * frame to when every viewer has had F of them. Each viewer's events must follow each other without
 * a gap: a viewer that lacks one ends the measurement. --pid: the process whose CPU is told beside
 * it. --doze-ms: it looks at its sockets only so often, and reads what has come into each in one
 * go. A client that wakes for every frame takes as much of the machine as the writer does, and
 * measures itself; what is written stays one frame a write.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define SEQ_KEY "{\"seq\":"

struct viewer {
    struct peer *peer;
    unsigned long seq, frames;
};

static struct viewer *viewers;
static unsigned viewer_count, told_count, done_count;
static unsigned long frames_wanted, frames_total, bytes_total;
static uint64_t first_ns;
static bool is_measuring, is_gone;

static void framed(struct peer *p, const char *bytes, size_t count)
{
    struct viewer *v = p->data;
    unsigned long seq;

    if (count < sizeof(SEQ_KEY) || memcmp(bytes, SEQ_KEY, sizeof(SEQ_KEY) - 1) != 0) {
        if (memmem(bytes, count, "\"subscribed\"", 12))
            told_count++;
        return;
    }
    seq = 0;
    for (const char *at = bytes + sizeof(SEQ_KEY) - 1; *at >= '0' && *at <= '9'; at++)
        seq = seq * 10 + (unsigned long)(*at - '0');
    if (v->seq && seq != v->seq + 1)
        die("a viewer's events do not follow each other");
    v->seq = seq;
    if (!is_measuring)
        return;
    frames_total++;
    bytes_total += count;
    if (!first_ns)
        first_ns = now_ns();
    if (++v->frames == frames_wanted)
        done_count++;
}

static void answered(struct peer *p, int status, const char *bytes, size_t count)
{
    (void)p;
    if (status >= 300) {
        fprintf(stderr, "load: %d %.*s\n", status, (int)count, bytes);
        exit(1);
    }
    is_gone = true;
}

static double cpu_us(int pid)
{
    struct timespec t;
    clockid_t clock;

    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void viewers_open(const char *path)
{
    static const struct peer_calls calls = {.frame = framed};

    viewers = calloc(viewer_count, sizeof(*viewers));
    if (!viewers)
        die("viewers");
    for (unsigned i = 0; i < viewer_count; i++) {
        viewers[i].peer = peer_socket(&calls, &viewers[i], path);
        client_turn(0);
    }
    while (told_count < viewer_count)
        client_turn(1000);
}

int load_fanout(void)
{
    static const struct peer_calls http = {.answer = answered};
    double seconds = option_number("seconds", 5), warm_up = option_number("warm-up", 1);
    double doze_ms = option_number("doze-ms", 0);
    int pid = (int)option_number("pid", 0);
    uint64_t stop;

    viewer_count = (unsigned)option_number("viewers", 1000);
    frames_wanted = (unsigned long)option_number("frames", 0);
    viewers_open(option("path", "/ws"));
    is_measuring = frames_wanted > 0;
    double cpu = cpu_us(pid), own = cpu_us((int)getpid());
    peer_request(peer_http(&http, NULL), "POST", option("go", "/"), option("body", "{}"));
    if (frames_wanted > 0) {
        while (done_count < viewer_count)
            client_turn(1000);
        stop = now_ns();
    } else {
        while (!is_gone)
            client_turn(100);
        client_doze_until(now_ns() + (uint64_t)(warm_up * 1e9), doze_ms);
        is_measuring = true;
        first_ns = now_ns();
        cpu = cpu_us(pid);
        own = cpu_us((int)getpid());
        client_doze_until(first_ns + (uint64_t)(seconds * 1e9), doze_ms);
        stop = now_ns();
    }
    double took = (double)(stop - first_ns) / 1e9, frames = (double)frames_total;
    printf("{\"viewers\":%u,\"seconds\":%.3f,\"frames\":%lu,\"frame_bytes\":%.0f,\"frames_per_s\":%"
           ".0f,"
           "\"server_cpu_us\":%.3f,\"client_cpu_us\":%.3f}\n",
           viewer_count, took, frames_total, (double)bytes_total / frames, frames / took,
           (cpu_us(pid) - cpu) / frames, (cpu_us((int)getpid()) - own) / frames);
    return 0;
}
