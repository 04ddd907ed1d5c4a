/* One request on libcurl: the easy handle with all that is set on it, and what came. Who drives it
 * (curl_send.c a poll loop of its own, curl_start.c a uv loop) adds the handle to a multi. */
#ifndef SLUICE_CLIENT_CURL_TRANSFER_H
#define SLUICE_CLIENT_CURL_TRANSFER_H

#include <curl/curl.h>

#include "client/client_private.h"

#define TRANSFER_SILENCE_S 90L /* the server sends a heartbeat on a stream more often than that */

struct transfer {
    struct sluice_request *request; /* libcurl reads its body */
    CURL *easy;
    struct curl_slist *headers;
    struct buf body;
    /* A stream: what comes with status 200 goes there and not into the body. NULL: no stream. */
    void (*bytes)(void *data, const char *bytes, size_t count);
    void *data;
    bool refused; /* by bytes(): it could not keep them, so the transfer ends */
    char error[CURL_ERROR_SIZE];
};

/* Starts libcurl and makes c->multi. SLUICE_E_NOMEM. */
int curl_transfer_start(struct sluice_client *c);
void curl_transfer_stop(struct sluice_client *c);

/* Takes the request over (also NULL), whatever comes. 0; or why it cannot be sent, with the
 * sentence in t->error; transfer_deinit() it then, too. bytes as above. */
int transfer_init(struct transfer *t, const struct sluice_client *c, struct sluice_request *r,
                  void (*bytes)(void *data, const char *bytes, size_t count), void *data);
/* The handle was removed from its multi before. */
void transfer_deinit(struct transfer *t);

int transfer_status(const struct transfer *t);
/* libcurl is done with it: the reply and its result. cancelled: it is not done, but ends all the
 * same. */
int transfer_reply(struct transfer *t, const struct sluice_client *c, CURLcode code,
                   struct sluice_reply *reply);
int transfer_cancelled(struct sluice_reply *reply);

#endif
