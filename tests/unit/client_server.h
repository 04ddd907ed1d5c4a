/* A small HTTP server in a thread, which answers well and badly, for the tests of libsluice. */
#ifndef SLUICE_TESTS_CLIENT_SERVER_H
#define SLUICE_TESTS_CLIENT_SERVER_H

struct client_server;

/* What it answers is in client_server.c's table, by path. */
struct client_server *client_server_start(void);
void client_server_stop(struct client_server *s);
const char *client_server_url(const struct client_server *s);
/* Waits until one more request for /slow has come. */
void client_server_await_slow(struct client_server *s);
/* How many streams were asked for, and the Last-Event-ID (0: none) of each. */
unsigned client_server_streams(struct client_server *s);
long client_server_last_id(struct client_server *s, unsigned stream);

#endif
