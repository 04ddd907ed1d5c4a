/* What a session may use, and what it has used.
 *
 *     used = what calls have told (tokens, cost)
 *          + an estimate for those that ended without telling (failed, cancelled, cut)
 *          + a guess for those under way: a fourth of the bytes sent and shown so far
 *
 * The first two are the session's totals, and the same as the sum over its rows in llm_usage
 * (usage.c). The guess of a call is taken back when its real usage comes, so nothing counts twice;
 * when none comes and something had been shown, it is the estimate that stays. At the
 * chunk that reaches the limit the session halts (step_pause.c): paused, or failed. A call that
 * would reach it by what it sends is not made: it is deferred until the session is resumed.
 *
 * Money is in micro-dollars. Only for the engine's own files, but for micros_write().
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
    int64_t micros;                         /* of calls that have ended and whose price is known */
    int64_t estimated;                      /* calls that ended without telling what they used */
    bool priced, unpriced;                  /* some call had a known price; some had not */
    int64_t running_tokens, running_micros; /* sums over the meters */
    int64_t unsaved_tokens, unsaved_micros; /* of these, since the session's row was made */
};

/* One model call under way. */
struct meter {
    int64_t input;       /* tokens, guessed */
    int64_t shown_bytes; /* of the answer */
    struct price price;
    bool priced;
    bool on;       /* counted in the session's sums */
    uint8_t names; /* in the session's list, from 1: whom it was to ask; 0: not known */
};
/* Whom calls of the session ask. */
#define MODEL_NAMES_MAX 200
struct model_names {
    struct str provider, model; /* in the session's arena; or NULL */
    bool several;               /* the first of a list: another may have answered */
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
/* What an ended call used, told or estimated. */
struct used {
    struct str provider, model; /* or NULL */
    int64_t input, output;      /* tokens */
    int64_t micros;             /* -1: the price is not known */
    bool estimated;
};
/* The call has ended with what `in` tells. */
struct used budget_settle(struct session *s, struct work *w, const struct engine_input *in);
/* The call is over without having told anything. False: it has used nothing that is known. */
bool budget_drop(struct session *s, struct work *w, struct used *out);
/* usage.c: the same with the row and the event that tell of it. */
void usage_settle(struct session *s, struct work *w, const struct engine_input *in);
void usage_drop(struct session *s, struct work *w);
/* Does the session stand at its budget? ERR_CONFLICT then; else what `in` brings is taken. */
int budget_check_resume(struct session *s, const struct engine_input *in, struct budget *next,
                        struct errbuf *e);
int64_t meter_tokens(const struct meter *m);
int64_t meter_micros(const struct meter *m);
void budget_saved(struct session *s); /* the session's row was made */

/* delta.c, restore.c */
void spend_write(const struct session *s, struct jw *w);
void spend_restore(struct session *s, struct json usage, struct json state);
void meter_write(const struct session *s, const struct work *w, struct jw *jw);
void meter_restore(struct session *s, struct work *w, struct json v);
/* The totals' members, into an object that is open. */
void usage_totals_write(const struct session *s, struct jw *w);

#endif
