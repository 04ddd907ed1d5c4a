/* Requests on a uv loop, for the files of this layer. */
#ifndef SLUICE_CLIENT_CURL_START_H
#define SLUICE_CLIENT_CURL_START_H

#include <uv.h>

#include "base/curl_loop.h"
#include "base/list.h"
#include "client/curl_transfer.h"

struct sluice_loop {
    struct sluice_client *client;
    uv_loop_t *uv;
    struct list followers; /* struct sluice_follower */
    bool closing;
    /* Private */
    struct curl_loop curl;
    uv_idle_t idle;        /* gives what has ended while libcurl was not running */
    struct list pending;   /* on libcurl */
    struct list ended;     /* done() is due */
    struct list streaming; /* streams with bytes that were not given yet */
    unsigned handles;
    bool handles_closing;
    void (*closed)(void *data);
    void *data;
};

/* sluice_start() of a stream: bytes() gets what comes with status 200, from the loop, and may call
 * anything. */
struct sluice_pending *loop_start(struct sluice_loop *l, struct sluice_request *r,
                                  void (*bytes)(void *data, const char *bytes, size_t count),
                                  void (*done)(void *data, int result, struct sluice_reply *reply),
                                  void *data);
/* Nothing is left to do and it is closing: its handles go. */
void loop_maybe_closed(struct sluice_loop *l);

/* uv_follow.c */
void loop_stop_followers(struct sluice_loop *l);

#endif
