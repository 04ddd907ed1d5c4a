/* A scripted HTTP server on the test's own loop, and calls that record what they were given. */
#ifndef SLUICE_TESTS_UNIT_LLM_SERVER_H
#define SLUICE_TESTS_UNIT_LLM_SERVER_H

#include <stdbool.h>
#include <uv.h>

#include "base/buf.h"
#include "llm/llm.h"

#define SERVER_CONNS_MAX 64

struct server;
struct conn {
    uv_tcp_t tcp;
    struct server *server;
    struct buf in;   /* of the request that is coming */
    struct buf body; /* of the last request */
    struct buf head;
    size_t requests;
    bool is_eof; /* the client closed */
    bool is_closed;
};

struct server {
    uv_tcp_t listener;
    int port;
    struct conn *conns[SERVER_CONNS_MAX]; /* in the order they came; freed at the end */
    size_t conn_count;
    size_t requests;                                     /* whole ones */
    void (*on_request)(struct conn *conn, size_t index); /* index counts all requests */
    void *data;
};

void server_open(struct server *s, uv_loop_t *loop,
                 void (*on_request)(struct conn *conn, size_t index));
void server_close(struct server *s); /* run the loop afterwards, then server_free() */
void server_free(struct server *s);

void conn_write(struct conn *conn, const char *text);
void conn_write_bytes(struct conn *conn, const char *p, size_t n);
void conn_head(struct conn *conn);                      /* 200, an event stream, chunked */
void conn_event(struct conn *conn, const char *data);   /* one SSE event in one HTTP chunk */
void conn_content(struct conn *conn, const char *text); /* an event with that content, plain text */
void conn_end(struct conn *conn);                       /* the last HTTP chunk */
void conn_close(struct conn *conn);
bool conn_has_header(const struct conn *conn, const char *line);
/* Asks the socket itself, without turning the loop: has the client closed? */
bool conn_peer_is_gone(const struct conn *conn);

/* ---- Calls ---- */

struct recorded {
    struct llm_call c;
    struct llm *llm;
    struct buf text, thinking;
    size_t deltas;
    int done;
    /* Copies, since the call's strings go */
    char finish[32], model[64], tool_calls[1000];
    void (*at_delta)(struct recorded *r, bool is_thinking);
    void (*at_done)(struct recorded *r);
};

#define HELLO "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"

void recorded_init(struct recorded *r, struct llm *llm, const char *request);
void recorded_start(struct recorded *r);
void recorded_free(struct recorded *r);

/* Turns the loop until the condition holds. A loop that waits in vain is ended by ctest's limit. */
#define turn_until(loop, condition)                                                                \
    do {                                                                                           \
        while (!(condition))                                                                       \
            if (!uv_run((loop), UV_RUN_ONCE) && !(condition))                                      \
                fail_msg("nothing is left to wait for: %s", #condition);                           \
    } while (0)

#endif
