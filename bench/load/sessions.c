#include "sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS 64
#define WAIT_S      10

bool frame_has(const char *bytes, size_t count, const char *text)
{
    return memmem(bytes, count, text, strlen(text)) != NULL;
}

void wait_for(const bool *flag, const char *what)
{
    uint64_t until = now_ns() + WAIT_S * 1000000000ull;

    while (!*flag) {
        client_turn(1000);
        errno = 0;
        if (now_ns() > until) {
            fprintf(stderr, "load: this did not come: ");
            die(what);
        }
    }
}

/* ---- executing ---- */

struct executing {
    char (*ids)[ID_TEXT];
    size_t begun, count, answered;
    bool is_done;
    char request[1024];
    size_t request_bytes;
};

static void execute_next(struct executing *x, struct peer *p)
{
    if (x->begun == x->count)
        return;
    x->begun++;
    peer_send(p, x->request, x->request_bytes);
}

static void execute_answer(struct peer *p, int status, const char *bytes, size_t count)
{
    struct executing *x = p->data;

    errno = 0;
    if (status != 202 ||
        !string_member(bytes, count, "session_id", x->ids[x->answered], sizeof(x->ids[0]))) {
        fprintf(stderr, "load: execute: %d %.*s\n", status, (int)count, bytes);
        die("refused");
    }
    x->is_done = ++x->answered == x->count;
    execute_next(x, p);
}

void sessions_execute(const char *workflow, const char *input, size_t count, char (*ids)[ID_TEXT])
{
    static const struct peer_calls calls = {.answer = execute_answer};
    struct executing x = {.ids = ids, .count = count, .is_done = count == 0};
    struct peer *peers[CONNECTIONS];
    char body[512];
    size_t n = count < CONNECTIONS ? count : CONNECTIONS;

    snprintf(body, sizeof(body), "{\"workflow_id\":\"%s\",\"input\":%s}", workflow, input);
    x.request_bytes =
        peer_request_bytes(x.request, sizeof(x.request), "POST", "/workflows/execute", body);
    for (size_t i = 0; i < n; i++) {
        peers[i] = peer_http(&calls, &x);
        execute_next(&x, peers[i]);
    }
    while (!x.is_done)
        client_turn(1000);
    for (size_t i = 0; i < n; i++)
        peer_close(peers[i]);
}

void session_execute(const char *workflow, const char *input, char id[ID_TEXT])
{
    sessions_execute(workflow, input, 1, (char(*)[ID_TEXT])id);
}

/* ---- metrics ---- */

static double metric_value(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ' ')
            return strtod(line + n, NULL);
    }
    errno = 0;
    die("no such metric");
}

void metric_wait(const char *name, double value, double seconds)
{
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);

    for (;;) {
        char *text = client_ask("GET", "/metrics", NULL, 200);
        double is = metric_value(text, name);
        free(text);
        if (is == value)
            return;
        errno = 0;
        if (now_ns() > until) {
            fprintf(stderr, "load: %s stands at %g, not at %g\n", name, is, value);
            die("a metric");
        }
        usleep(200000);
    }
}
