/* What every reader of a session's events may rely on, checked frame by frame: the promises as a
 * state machine. One per reader; it is fed what that reader got, in order. */
#ifndef SLUICE_TESTS_SIM_STREAM_H
#define SLUICE_TESTS_SIM_STREAM_H

#include <stdbool.h>

#include "base/json.h"
#include "base/table.h"
#include "engine/state.h"

struct stream_run;
struct stream_message;
struct stream {
    struct id session_id;
    int64_t last_seq;
    enum session_status status;
    bool leaving;      /* paused, and the runs are being ended: only a terminal event may follow */
    struct table runs; /* struct stream_run by run id */
    struct table messages;   /* struct stream_message by message id */
    struct table interrupts; /* by interrupt id: (void *)1 open, 2 answered, 3 expired */
    unsigned tools_open;
    int64_t tokens[2];  /* in, out: of all calls so far */
    unsigned running;   /* runs that are running or suspended */
    unsigned cut;       /* runs that were cancelled last of all */
    uint64_t hash;      /* of all frames */
    struct table tools; /* by call id: (void *)1 started, 2 ended */
    /* Did a model really say this in a call of this session? May be NULL. */
    bool (*truth)(void *data, struct id session_id, struct str text);
    void *data;
};
void stream_init(struct stream *s, struct id session_id);
void stream_deinit(struct stream *s);
/* Prints what is wrong, with the frame, and aborts. */
void stream_frame(struct stream *s, struct str frame);
bool stream_ended(const struct stream *s);
bool stream_answered(const struct stream *s, struct id interrupt_id);

#endif
