/* What a session may use, and what it has used.
 *
 *     used = what calls have told (tokens, cost)
 *          + a guess for those that ended without telling (failed, cancelled, cut)
 *          + a guess for those under way: a fourth of the bytes sent and shown so far
 *
 * The guess of a call is taken back when its real usage comes, so nothing counts twice. At the
 * chunk that reaches the limit the session halts (step_pause.c): paused, or failed. A call that
 * would reach it by what it sends is not made: it is deferred until the session is resumed.
 *
 * Money is in micro-dollars. Only for the engine's own files.
 */
#ifndef SLUICE_ENGINE_BUDGET_H
#define SLUICE_ENGINE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "engine/rules.h"

struct session;
struct work;
struct engine_input;

struct budget {
    int64_t tokens, micros; /* 0: no limit */
    bool fails;             /* on_limit: fail */
    bool raised;            /* not what the session was created with: to be stored */
};

struct spend {
    int64_t micros;         /* of calls whose cost is known */
    bool priced, unpriced;  /* some call had a known cost; some had not */
    int64_t guessed_tokens; /* of calls that ended without telling */
    int64_t guessed_micros;
    int64_t running_tokens, running_micros; /* sums over the meters */
    int64_t unsaved_tokens, unsaved_micros; /* of these, since the session's row was made */
};

/* One model call under way. */
struct meter {
    int64_t input;       /* tokens, guessed */
    int64_t shown_bytes; /* of the answer */
    struct price price;
    bool priced;
    bool on; /* counted in the session's sums */
};

/* Reads the members that are there into *b. The text is checked JSON, or NULL. */
void budget_parse(struct str json, struct budget *b);
void budget_write(struct jw *w, const char *key, const struct budget *b);
/* A number of dollars with at most six decimals. */
void micros_write(struct jw *w, const char *key, int64_t micros);

/* Before a model call is made. False: it is deferred, and its session halts. */
bool budget_admit(struct session *s, struct work *w, struct str request);
void budget_chunk(struct session *s, struct work *w, size_t bytes);
/* Halts the session when it has reached its budget. n: the node whose call did that. */
void budget_look(struct session *s, unsigned n);
/* The call has ended with what `in` tells. Its cost, or -1 when that is not known. */
int64_t budget_settle(struct session *s, struct work *w, const struct engine_input *in);
/* The call is over without having told anything. */
void budget_drop(struct session *s, struct work *w);
/* Does the session stand at its budget? ERR_CONFLICT then; else what `in` brings is taken. */
int budget_check_resume(struct session *s, const struct engine_input *in, struct budget *next,
                        struct errbuf *e);
int64_t meter_tokens(const struct meter *m);
int64_t meter_micros(const struct meter *m);
void budget_saved(struct session *s); /* the session's row was made */

/* delta.c, restore.c */
void spend_write(const struct session *s, struct jw *w);
void spend_restore(struct session *s, struct json usage, struct json state);
void meter_write(const struct work *w, struct jw *jw);
void meter_restore(struct session *s, struct work *w, struct json v);
void usage_cost_write(const struct session *s, struct jw *w); /* "cost_usd" */

#endif
