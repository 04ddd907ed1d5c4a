/* Requests that are waited for, and streams in a poll loop of the caller's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/curl_transfer.h"

#define POLL_MS 60000 /* libcurl's own timeouts wake earlier */
#define FDS_MAX 8

/* Has the one handle of the multi ended? */
static bool multi_has_ended(CURLM *multi, const CURL *easy, CURLcode *code)
{
    int left;
    CURLMsg *m;

    while ((m = curl_multi_info_read(multi, &left)))
        if (m->msg == CURLMSG_DONE && m->easy_handle == easy) {
            *code = m->data.result;
            return true;
        }
    return false;
}

/* Was sluice_interrupt() called? Forgets it. */
static bool client_interrupted(struct sluice_client *c)
{
    uint64_t count;

    return read(c->interrupts, &count, sizeof(count)) == sizeof(count);
}

/* False: interrupted. */
static bool transfer_wait(struct transfer *t, struct sluice_client *c, CURLcode *code)
{
    struct curl_waitfd extra = {.fd = c->interrupts, .events = CURL_WAIT_POLLIN};
    int running;

    for (;;) {
        if (client_interrupted(c))
            return false;
        CURLMcode rc = curl_multi_perform(c->multi, &running);
        if (multi_has_ended(c->multi, t->easy, code))
            return true;
        if (rc == CURLM_OK)
            rc = curl_multi_poll(c->multi, &extra, 1, POLL_MS, NULL);
        if (rc != CURLM_OK) {
            *code = CURLE_OUT_OF_MEMORY; /* all else is a mistake of ours */
            return true;
        }
    }
}

int sluice_send(struct sluice_client *c, struct sluice_request *r, struct sluice_reply *reply)
{
    struct transfer t;
    CURLcode code = CURLE_OK;
    int rc = transfer_init(&t, c, r, NULL, NULL);

    if (rc) {
        reply_fail(reply, rc, t.error);
    } else if (curl_multi_add_handle(c->multi, t.easy)) {
        rc = reply_fail(reply, SLUICE_E_NOMEM, "out of memory");
    } else {
        bool whole = transfer_wait(&t, c, &code);
        rc = whole ? transfer_reply(&t, c, code, reply) : transfer_cancelled(reply);
        curl_multi_remove_handle(c->multi, t.easy);
    }
    transfer_deinit(&t);
    return rc;
}

int sluice_call(struct sluice_client *c, const char *method, const char *path, const char *json,
                struct sluice_reply *reply)
{
    struct sluice_request *r = sluice_request(method, path);

    if (json)
        sluice_set_body(r, NULL, json, strlen(json));
    return sluice_send(c, r, reply);
}

/* ---- one stream ---- */

struct sluice_stream {
    struct sluice_client *c;
    CURLM *multi; /* of its own: a turn of it moves nothing else */
    struct transfer transfer;
    bool going;
    int fault; /* it never began */
    CURLcode code;
};

struct sluice_stream *sluice_stream_open(struct sluice_client *c, struct sluice_request *r,
                                         void (*bytes)(void *data, const char *bytes, size_t count),
                                         void *data)
{
    struct sluice_stream *s = calloc(1, sizeof(*s));

    if (!s) {
        sluice_request_free(r);
        return NULL;
    }
    s->c = c;
    s->fault = transfer_init(&s->transfer, c, r, bytes, data);
    s->multi = curl_multi_init();
    if (!s->multi) {
        sluice_stream_close(s);
        return NULL;
    }
    if (!s->fault && curl_multi_add_handle(s->multi, s->transfer.easy))
        s->fault = SLUICE_E_NOMEM;
    s->going = !s->fault;
    return s;
}

void sluice_stream_close(struct sluice_stream *s)
{
    if (!s)
        return;
    if (s->multi && s->transfer.easy)
        curl_multi_remove_handle(s->multi, s->transfer.easy);
    transfer_deinit(&s->transfer);
    curl_multi_cleanup(s->multi);
    free(s);
}

static void stream_perform(struct sluice_stream *s)
{
    int running;

    if (curl_multi_perform(s->multi, &running) != CURLM_OK) {
        s->code = CURLE_OUT_OF_MEMORY;
        s->going = false;
    } else if (multi_has_ended(s->multi, s->transfer.easy, &s->code)) {
        s->going = false;
    }
}

int sluice_stream_turn(struct sluice_stream *s, struct pollfd *fds, unsigned count, int timeout_ms)
{
    struct curl_waitfd extra[FDS_MAX] = {0};

    if (count > FDS_MAX)
        count = FDS_MAX;
    for (unsigned i = 0; i < count; i++) {
        fds[i].revents = 0;
        extra[i].fd = fds[i].fd;
        extra[i].events = CURL_WAIT_POLLIN;
    }
    if (s->going)
        stream_perform(s);
    if (!s->going)
        return 0;
    curl_multi_poll(s->multi, extra, count, timeout_ms, NULL);
    for (unsigned i = 0; i < count; i++)
        fds[i].revents = extra[i].revents ? POLLIN : 0;
    stream_perform(s);
    return s->going;
}

int sluice_stream_status(const struct sluice_stream *s)
{
    return transfer_status(&s->transfer);
}

int sluice_stream_end(struct sluice_stream *s, struct sluice_reply *reply)
{
    if (s->fault)
        return reply_fail(reply, s->fault, s->transfer.error);
    if (s->going)
        return transfer_cancelled(reply);
    return transfer_reply(&s->transfer, s->c, s->code, reply);
}
