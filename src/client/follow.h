/* Following a session's events, apart from who turns the wheel (curl_follow.c, uv_follow.c):
 *
 *     request ──> stream ── bytes ──> follow_bytes ──> event(), changed()
 *        ^                    │ over
 *        └── after delay_ms ──┴─> follow_again ──> no: the result
 */
#ifndef SLUICE_CLIENT_FOLLOW_H
#define SLUICE_CLIENT_FOLLOW_H

#include "base/sse.h"
#include "client/client_private.h"

struct follow {
    /* In */
    int (*event)(void *data, const struct sluice_event *e);
    int (*changed)(void *data, const struct sluice_change *ch); /* or this one: a hook */
    void *data;
    /* Out */
    int delay_ms;    /* until the next try */
    bool has_ended;  /* the session has */
    bool is_stopped; /* event() wanted no more */
    /* Private */
    const struct sluice_client *client;
    struct buf session_id;
    int64_t last_seq;
    struct sse sse;
    struct buf json, words; /* of the event that is given */
    int fault;              /* enum sluice_result: the stream cannot be read */
    bool has_answered;      /* this stream has */
    int64_t silent_since_ms;
};
/* NULL as session_id is told by the first request. */
void follow_init(struct follow *f, const struct sluice_client *c, const char *session_id,
                 int64_t after, int64_t now_ms);
void follow_deinit(struct follow *f);
/* The next stream's; NULL: out of memory. */
struct sluice_request *follow_request(struct follow *f);
/* data is the struct follow; for a stream's bytes(). */
void follow_bytes(void *data, const char *bytes, size_t count);
/* Nothing more is wanted of this stream. */
bool follow_is_over(const struct follow *f);
/* The stream is over, with result and reply. True: again in delay_ms; the reply was freed. False:
 * *result and reply say how all of it ended. */
bool follow_again(struct follow *f, int *result, struct sluice_reply *reply, int64_t now_ms);

#endif
