/* What a streamed token costs us in CPU, from the model's socket to on_delta.
 *
 *     llm_relay [--streams 500] [--rate 20] [--seconds 10]
 *
 * Starts the stand-in beside itself (a process of its own, so its cost is not counted), opens that
 * many calls at that pace, and measures the CPU time of this process from when all of them stream.
 * --rate 0: as fast as the stand-in gives. One JSON line at the end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "llm/llm.h"

static struct {
    uv_loop_t loop;
    uv_timer_t timer;
    struct llm *llm;
    struct llm_call *calls;
    unsigned streams, streaming;
    double rate, seconds;
    uint64_t deltas, bytes, failed, started_ns;
    double cpu_s;
    char request[256];
    char url[128];
    pid_t standin;
} relay = {.streams = 500, .rate = 20, .seconds = 10};

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void standin_start(const char *self)
{
    char path[4096];
    int pipe_fds[2];
    const char *slash = strrchr(self, '/');
    snprintf(path, sizeof(path), "%.*sstandin", slash ? (int)(slash - self) + 1 : 0, self);
    if (pipe(pipe_fds) != 0)
        exit(1);
    relay.standin = fork();
    if (relay.standin == 0) {
        dup2(pipe_fds[1], 1);
        close(pipe_fds[0]);
        execl(path, path, "--port", "0", (char *)NULL);
        perror(path);
        _exit(1);
    }
    close(pipe_fds[1]);
    FILE *said = fdopen(pipe_fds[0], "r");
    char address[100];
    if (!said || fscanf(said, "listening on %99s", address) != 1)
        exit(1);
    snprintf(relay.url, sizeof(relay.url), "%s/v1", address);
}

static void finish(uv_timer_t *timer)
{
    double cpu = cpu_seconds() - relay.cpu_s;
    double took = (double)(uv_hrtime() - relay.started_ns) / 1e9;
    double deltas = (double)relay.deltas;
    (void)timer;
    printf("{\"bench\":\"llm_relay\",\"streams\":%u,\"rate\":%g,\"seconds\":%.2f,"
           "\"tokens_per_s\":%.0f,\"cpu_us_per_token\":%.2f,\"cpu_share\":%.3f,\"failed\":%lu}\n",
           relay.streams, relay.rate, took, deltas / took, cpu * 1e6 / deltas, cpu / took,
           relay.failed);
    kill(relay.standin, SIGTERM);
    waitpid(relay.standin, NULL, 0);
    exit(relay.failed ? 1 : 0);
}

/* Counting begins when the last call has its first word. */
static void call_delta(struct llm_call *c, struct str utf8, bool is_thinking)
{
    (void)is_thinking;
    if (!c->data) {
        c->data = c;
        if (++relay.streaming == relay.streams) {
            relay.deltas = relay.bytes = 0;
            relay.cpu_s = cpu_seconds();
            relay.started_ns = uv_hrtime();
            uv_timer_start(&relay.timer, finish, (uint64_t)(relay.seconds * 1000), 0);
        }
    }
    relay.deltas++;
    relay.bytes += utf8.n;
}

static void call_done(struct llm_call *c)
{
    struct errbuf e;
    if (c->status) {
        fprintf(stderr, "%s\n", c->error.text);
        relay.failed++;
    } else if (llm_call_start(relay.llm, c, &e) != 0) {
        relay.failed++;
    }
}

static void calls_start(void)
{
    struct errbuf e;
    unsigned long tokens = relay.rate > 0 ? (unsigned long)(relay.rate * 3600) : 2000;
    snprintf(relay.request, sizeof(relay.request),
             "{\"messages\":[{\"role\":\"user\",\"content\":\"[[rate=%g tokens=%lu]]\"}]}",
             relay.rate, tokens);
    relay.calls = calloc(relay.streams, sizeof(*relay.calls));
    if (!relay.calls)
        exit(1);
    struct id_source ids;
    id_source_init_random(&ids);
    for (unsigned i = 0; i < relay.streams; i++) {
        struct llm_call *c = &relay.calls[i];
        c->request = str_of(relay.request);
        c->idempotency_key = id_new(&ids, 1);
        c->on_delta = call_delta;
        c->on_done = call_done;
        if (llm_call_start(relay.llm, c, &e) != 0) {
            fprintf(stderr, "%s\n", e.text);
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    struct errbuf e;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--streams"))
            relay.streams = (unsigned)atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--rate"))
            relay.rate = atof(argv[i + 1]);
        else if (!strcmp(argv[i], "--seconds"))
            relay.seconds = atof(argv[i + 1]);
    }
    standin_start(argv[0]);
    uv_loop_init(&relay.loop);
    uv_timer_init(&relay.loop, &relay.timer);
    struct llm_provider provider = {
        .id = "standin", .base_url = relay.url, .default_model = "m", .max_concurrent = 100000};
    if (llm_create(&relay.llm, &relay.loop, &provider, 1, &e) != 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    calls_start();
    return uv_run(&relay.loop, UV_RUN_DEFAULT);
}
