/* The load client's connections: plain sockets on one epoll, for HTTP and WebSocket, thousands of
 * them, at little cost beside the server that shares the machine.
 *
 * One thread. What goes wrong with a socket ends the program with a sentence: a measurement with a
 * broken connection is none.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;

/* What comes in. `bytes` stand until the call returns, are not terminated, and belong to the
 * client. */
struct peer_calls {
    /* An HTTP answer, whole. */
    void (*answer)(struct peer *p, int status, const char *bytes, size_t count);
    /* A WebSocket text frame. */
    void (*frame)(struct peer *p, const char *bytes, size_t count);
};

struct peer {
    const struct peer_calls *calls;
    void *data;       /* the caller's */
    uint64_t sent_ns; /* when the last request or message was sent */
    uint64_t came_ns; /* when the last bytes of what is read now came; see client_stamp() */
    int fd;
    bool is_asking; /* for a WebSocket */
    bool is_socket; /* a WebSocket, after its handshake */
    bool is_paused; /* nothing is read */
    char *rest;     /* what came without its end */
    size_t rest_bytes, rest_cap;
};

/* Flags of the command line, `--name value`. */
const char *option(const char *name, const char *otherwise);
double option_number(const char *name, double otherwise);

/* Monotonic; the same clock for all processes of the machine. */
uint64_t now_ns(void);
_Noreturn void die(const char *what);

/* The scenario's server: --port. */
void client_init(int argc, char **argv);
struct peer *peer_http(const struct peer_calls *calls, void *data);
/* `path` begins with /ws; returns when the handshake is done. */
struct peer *peer_socket(const struct peer_calls *calls, void *data, const char *path);
/* Returns at once; what comes before the handshake is done is waited for in client_turn(). */
struct peer *peer_socket_soon(const struct peer_calls *calls, void *data, const char *path);
/* One request at a time on a connection. */
void peer_request(struct peer *p, const char *method, const char *path, const char *body);
/* Bytes that peer_request_bytes() gave: for requests that are sent often. */
void peer_send(struct peer *p, const char *bytes, size_t count);
size_t peer_request_bytes(char *to, size_t room, const char *method, const char *path,
                          const char *body);
void peer_message(struct peer *p, const char *json);
/* Stops and goes on reading: what a slow reader does. */
void peer_pause(struct peer *p, bool is_paused);
/* Between two turns only, but for what is asked by client_ask(). */
void peer_close(struct peer *p);
/* Waits for what comes, once, and calls: one read of each of at most CLIENT_TURN_PEERS sockets.
 * Whether there was anything. */
#define CLIENT_TURN_PEERS 512
bool client_turn(int timeout_ms);
void client_run_until(uint64_t when_ns);
/* The same for a client that looks at its sockets only every `doze_ms`, and sleeps in between as if
 * it were elsewhere: no write of the server has to wake it. 0: client_run_until(). */
void client_doze_until(uint64_t when_ns, double doze_ms);
/* From now on the kernel writes down when bytes come in, of sockets that are dialled later, however
 * late they are read. The clock is that of now_ns(). */
void client_stamp(void);

/* One request, waited for: for what a scenario prepares. The answer's body, terminated; free().
 * Ends the program when the status is another. */
char *client_ask(const char *method, const char *path, const char *body, int status);
/* The value of a string member, anywhere in `json`: of the first `"name":"`; copied, cut off at
 * room. False when there is none. */
bool string_member(const char *json, size_t count, const char *name, char *to, size_t room);

struct samples {
    uint64_t *ns;
    size_t count, cap;
};
void samples_add(struct samples *s, uint64_t ns);
/* Sorts. p from 0 to 1; 0 when there are none. */
double samples_ms(struct samples *s, double p);

/* Scenarios: what is measured is told in one JSON line. Returns the exit code. */
int load_execute(void);
int load_fanout(void);
int load_pause(void);
int load_resume(void);
int load_viewers(void);
int load_soak(void);
int load_tokens(void);
int load_w1(void);

#endif
