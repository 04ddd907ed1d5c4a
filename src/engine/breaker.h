/* Breakers: a session that behaves as no sensible one does is paused until a person says why it
 * may go on.
 *
 *     loop_depth    a node would be started more often than that
 *     tokens_per_s  more tokens came in, on average over the last ten seconds
 *     repetition    the same sixteen words came more often than that in one message
 *     variety       fewer different words than that share among the last 200 of a message
 *
 * A word is a run of letters and digits; where a script writes no spaces (Chinese, Japanese, Thai)
 * every character is one. Upper and lower case are the same in ASCII.
 *
 * What a detector has seen is not stored: after a restart the message begins anew anyway.
 */
#ifndef SLUICE_ENGINE_BREAKER_H
#define SLUICE_ENGINE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "engine/rules.h"

struct session;
struct work;
struct engine_input;
struct text_watch;

enum breaker {
    BREAKER_NONE,
    BREAKER_LOOP_DEPTH,
    BREAKER_TOKENS_PER_S,
    BREAKER_REPETITION,
    BREAKER_VARIETY,
};
const char *breaker_word(enum breaker b);

#define BREAKER_WINDOW_S 10

struct breaker_state {
    enum breaker tripped; /* stands until the session is resumed with a reason */
    int node;             /* of the session's own graph, or -1 */
    int64_t loop_grants;  /* how often loop_depth was unlocked: each allows as many starts again */
    int64_t newest_s;     /* of the window */
    uint32_t bytes[BREAKER_WINDOW_S];
    bool replaying; /* what was withheld comes at once: no velocity */
};

/* Would node n be started too often? Then the session halts, and it is not started. */
bool breaker_stops_start(struct session *s, unsigned n);
void breaker_chunk(struct session *s, struct work *w, struct str text);
void text_watch_free(struct text_watch *t);
/* ERR_CONFLICT when a breaker has tripped and `in` brings no justification. */
int breaker_check_resume(struct session *s, const struct engine_input *in, struct errbuf *e);
/* The session goes on: all detectors begin anew. */
void breaker_unlock(struct session *s, const struct engine_input *in);

/* delta.c, restore.c */
void breaker_write(const struct session *s, struct jw *w);
bool breaker_restore(struct session *s, struct json state);

/* One message's words, for tests too: true when a limit is passed; *value is what was measured. */
struct text_watch *text_watch_create(void);
/* It will be fed: fetched into the caches meanwhile (mem_fetch). */
void text_watch_fetch(const struct text_watch *t);
enum breaker text_watch_feed(struct text_watch *t, struct str text,
                             const struct breaker_limits *limits, double *value);

#endif
