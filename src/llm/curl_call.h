/* A call over HTTP, and the client that it is of. Private to curl_client.c, which looks at what
 * came and ends calls, and curl_transfer.c, which has to do with libcurl. */
#ifndef SLUICE_LLM_CURL_CALL_H
#define SLUICE_LLM_CURL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/curl_loop.h"
#include "base/list.h"
#include "llm/backend.h"
#include "llm/chunked.h"
#include "llm/curl_provider.h"
#include "llm/reader.h"

#define ANSWER_BYTES_MAX (2u * LLM_TEXT_BYTES_MAX) /* of an answer that is not streamed */
#define SPARE_IN_MAX     64
/* Of one call in one turn of the loop, about: libcurl would read a socket a hundred times while
 * more comes, and all others would wait. */
#define CURL_CALL_TURN_BYTES CURL_LOOP_TAP_BYTES

enum body_kind {
    BODY_UNKNOWN, /* no byte yet */
    BODY_EVENTS,
    BODY_JSON,  /* the server does not stream */
    BODY_OTHER, /* an error, or no model server at all */
};

struct curl_client {
    struct curl_loop io;
    uv_loop_t *loop;
    struct curl_provider *providers; /* by index; url NULL: of another dialect */
    size_t provider_count;
    struct list ready;     /* curl_call.ready: bytes or an end to look at */
    struct list finishing; /* curl_call.link: [DONE] came, oldest first */
    struct list resting;   /* curl_call.rest: had their share of this turn */
    unsigned reads_then;   /* io.reads when it was last seen to those */
    struct list dead;      /* curl_call.ready: is_gone, to be freed by settle */
    uv_idle_t kick;        /* runs settle in the next turn */
    uv_timer_t deadline;   /* the earliest of all calls */
    uint64_t deadline_ms;  /* 0: not armed */
    void (*closed)(void *data);
    void *closed_data;
    unsigned open_parts;
    struct buf spare_in[SPARE_IN_MAX]; /* for curl_call.in */
    unsigned spare_in_count;
};

struct curl_call {
    struct llm_impl base;
    struct curl_client *client;
    struct curl_provider *provider;
    /* What each chunk touches stands together: of hundreds of calls each is out of the caches when
     * its next one comes. */
    struct list ready, rest;
    struct list link;  /* provider->reading or client->finishing */
    uint64_t since_ms; /* about when the last byte came, or when [DONE] did */
    size_t turn_bytes; /* came in this turn */
    size_t text_bytes; /* given out */
    struct buf in;     /* came, but not looked at */
    size_t in_at;
    enum body_kind kind;
    struct chunked chunked; /* where in its chunks the body is */
    bool is_chunked;
    bool has_tap;     /* chunks may be taken past libcurl */
    bool is_paused;   /* libcurl does not read */
    bool is_ended;    /* the transfer is over, with `result` */
    bool is_overflow; /* too much came */
    bool is_cut;      /* BODY_OTHER: the beginning says enough */
    bool is_gone;     /* over or cancelled; freed when nobody up the stack looks at it */
    bool is_named;    /* the server calls it an event stream */
    bool has_event;
    bool has_offer;  /* of tools */
    unsigned round;  /* client->io.round in which it came to rest */
    CURL *easy;      /* NULL: no transfer under way */
    struct buf late; /* answer text of an event whose thinking brought a hold */
    struct llm_reader reader;

    struct list connecting; /* provider->connecting, until it is looked at */
    uint64_t begun_ms;
    struct buf tools; /* llm_call.tool_calls */
    struct buf body;
    struct curl_slist key_header; /* in front of the provider's */
    char key_text[sizeof("Idempotency-Key: ") + ID_TEXT_BYTES];
    CURLcode result;
    char curl_error[CURL_ERROR_SIZE];
    long http_status; /* 0: none came */
    int should_retry; /* of x-should-retry: -1 when it was not sent */
    int64_t retry_after_ms;
};

/* ---- curl_client.c ---- */

/* For what becomes ready outside of libcurl. */
void curl_call_kick(struct curl_call *call);
void curl_client_arm(struct curl_client *cl);

/* ---- curl_transfer.c ---- */

/* Failed: the call is ready, and ended. */
void curl_call_begin_transfer(struct curl_call *call);
/* Takes the transfer out of libcurl. One that is not over loses its connection here and now, since
 * with HTTP/1.1 that cannot be used again. */
void curl_call_drop_transfer(struct curl_call *call);
/* The transfer is over: notes all that is needed of it, so that it can leave libcurl. */
void curl_call_end_transfer(struct curl_call *call, CURLcode result);
/* Gives the bytes that libcurl kept, here and now. */
void curl_call_go_on_reading(struct curl_call *call);
void curl_call_make_ready(struct curl_call *call);
/* Something came. */
void curl_call_touch(struct curl_call *call);
/* How long a call may be silent. */
uint64_t curl_call_idle_ms(const struct curl_provider *p);
/* curl_loop.tap, of a curl_call: chunks that stand whole in the socket are taken past libcurl. */
bool curl_call_tap(void *owner, int fd, size_t *taken);

#endif
