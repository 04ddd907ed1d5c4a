/* What groups remember: texts that were ingested, in chunks, each in one of three tiers
 * (docs/MEMORY.md). Asynchronous, on the loop's thread, as everything in app.
 *
 *     memory_ingest_start ──> chunks ──> vectors, if a model for them is set ──> store ──> done
 *     memory_query_start  ──> the question's vector ──> working list in the cache, store ──> done
 *
 * Ownership: the caller owns the struct and all that In points to until `done`, which is called
 * exactly once, later, never from inside start (of an ingest: if start said 0); Out lives until
 * …_deinit(). Of a server that stops,
 * what waits for a model is done with ERR_UNAVAILABLE.
 */
#ifndef SLUICE_APP_MEMORY_H
#define SLUICE_APP_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/list.h"
#include "cache/cache.h"
#include "llm/llm.h"
#include "store/store.h"

struct app;

#define MEMORY_CONTENT_MAX   (1u << 20) /* bytes of one text */
#define MEMORY_METADATA_MAX  (16u << 10)
#define MEMORY_QUERY_MAX     20000 /* bytes */
#define MEMORY_RESULTS_MAX   100
#define MEMORY_RESULTS       5        /* when nothing is said */
#define MEMORY_EMBED_TEXTS   64       /* chunks of one request to the model */
#define MEMORY_INGESTS_MAX   8        /* under way at once; more wait in order */
#define MEMORY_WAITING_MAX   10000    /* of those; more: ERR_OVERLOAD */
#define MEMORY_WORKING_MS    86400000 /* in the working tier; docs/MEMORY.md */
#define MEMORY_WORKING_ITEMS 50       /* of a group, chunks */

/* The word of a tier, and its reverse: 0 when there is none of that name. */
const char *memory_tier_word(enum memory_tier t);
enum memory_tier memory_tier_of(struct str word);

/* ---- questions ---- */

struct hot_key {
    char text[CACHE_KEY_MAX];
    size_t n; /* 0: none */
};

/* The vector of a question, for another one with the same text. */
struct memory_vector {
    const float *values; /* NULL: none */
    unsigned dimensions;
    struct str model;
};

struct memory_query {
    /* In */
    struct str workspace, group_id, text;  /* text empty: by age alone */
    struct str agent_id;                   /* NULL: of everybody */
    bool group_only;                       /* only what belongs to no agent */
    struct id session_id;                  /* zero: of every session */
    unsigned tiers;                        /* bits; 0: working and long-term */
    int64_t created_after, created_before; /* 0: any */
    double score_min;
    int limit;                   /* 1 to MEMORY_RESULTS_MAX; 0: MEMORY_RESULTS */
    bool no_hits;                /* a look, not a use: is not counted as a hit */
    struct id fair_key;          /* whose question it is, for the model's queue */
    struct memory_vector vector; /* of an earlier question with this text: no model is asked */
    void (*done)(struct memory_query *q);
    void *data;
    /* Out */
    int status; /* as the store's */
    struct errbuf error;
    struct memory_row *rows; /* the best first; the cache's (hot) are those of the working tier */
    bool by_vector;          /* the vector counted; false with a model: it did not answer */
    /* Private */
    struct app *app;
    struct llm_embed embed;
    struct store_memory_query ask;
    struct cache_req cached;
    struct hot_key key; /* of the list in the cache, to be read or made */
    struct list link;   /* in memory.embedding while it waits for its vector */
};
void memory_query_start(struct app *a, struct memory_query *q);
void memory_query_deinit(struct memory_query *q);
/* Its vector, copied into the arena. */
struct memory_vector memory_query_vector(const struct memory_query *q, struct arena *a);
/* {id, source_id, content, source: hot | cold, tier, score, …}: one row as clients see it; score
 * only out of a query. */
void memory_row_members(struct jw *w, const struct memory_row *row, bool is_result);
void memory_row_write(struct jw *w, const struct memory_row *row, bool is_result);
/* The member "items" of an object, with all of the rows. */
void memory_items_write(struct jw *w, const struct memory_row *rows, bool is_result);

/* ---- what comes in ---- */

struct memory_ingest {
    /* In */
    struct str workspace, group_id, content;
    struct str agent_id;      /* NULL: the group's */
    struct str metadata_json; /* object; NULL: {} */
    struct id session_id;     /* zero: of none */
    enum memory_tier tier;    /* 0: working */
    struct id key;            /* ids follow from it, so that a repeat changes nothing; zero: new */
    struct id fair_key;
    /* Or NULL. Called once, before the rows are written: what is to be written with them. */
    const struct idempotency_row *(*before_put)(struct memory_ingest *m);
    void (*done)(struct memory_ingest *m);
    void *data;
    /* Out, valid from before_put on */
    int status; /* ERR_UPSTREAM (embedding_failed), ERR_UNAVAILABLE, or as the store's: nothing was
                   stored */
    char error_code[64]; /* or "" */
    struct errbuf error;
    struct id source_id;
    struct memory_row *rows; /* the chunks, in order */
    size_t count;
    const char *model; /* that made the vectors; NULL: none */
    /* Private */
    struct app *app;
    struct arena arena;
    struct llm_embed embed;
    struct str *texts;
    float *vectors;
    unsigned dimensions;
    size_t embedded; /* chunks that have their vector */
    struct store_memory_put put;
    struct list link;
    bool is_started, is_embedding;
};
/* 0: `done` will come. ERR_INVALID, ERR_TOO_LARGE, ERR_OVERLOAD, ERR_UNAVAILABLE (the server
 * stops), ERR_UPSTREAM (the model for vectors cannot be asked): it does not, and nothing is to be
 * freed. */
int memory_ingest_start(struct app *a, struct memory_ingest *m, struct errbuf *e);
void memory_ingest_deinit(struct memory_ingest *m);
/* {id, ids, chunks, tier, embedded, model} */
void memory_ingest_write(struct jw *w, const struct memory_ingest *m);

/* ---- the part of the server ---- */

struct memory {
    struct app *app;
    struct list embedding; /* struct memory_query that wait for their vector */
    struct list ingests;   /* struct memory_ingest under way */
    struct list waiting;   /* that are not begun */
    unsigned ingest_count, waiting_count;
    struct list releases; /* struct release: sessions that ended, and their quarantine */
    uv_timer_t timer;     /* the next round of ageing */
    struct store_memory_age age;
    bool is_ageing, is_closed, is_sweeping, said_embed;
    int64_t due_at, noted_at;
};
void memory_open(struct memory *m, struct app *a);
/* Once the store can be asked, and when another instance is gone: takes up what a process that
 * ended has left. */
void memory_start(struct memory *m);
void memory_stop(struct memory *m); /* no more calls of models; what waits for one fails */
void memory_close(struct memory *m);
/* Something came into the working tier: it will be old one day. */
void memory_note(struct memory *m);
/* A session has completed and is stored: what it wrote leaves quarantine, if the group's rule says
 * so. created_at: of the session, for it wrote nothing before. */
void memory_session_completed(struct memory *m, struct str workspace, struct id session_id,
                              struct str group_id, int64_t created_at);

/* ---- between its files ---- */

bool memory_has_model(const struct memory *m);
void memory_embed_init(const struct memory *m, struct llm_embed *c, struct id fair_key);
/* The name that vectors are stored under, in the arena. */
struct str memory_model_name(const struct memory *m, const struct llm_embed *c, struct arena *a);
void memory_ingest_stop(struct memory *m);
void memory_query_ask(struct memory_query *q); /* the store */
void memory_query_answer(struct memory_query *q, struct memory_row *rows);
/* memory_hot.c: the list in the cache */
bool memory_hot_fits(const struct memory_query *q);
void memory_hot_start(struct memory_query *q);
void memory_hot_fill(struct memory_query *q, const struct memory_row *rows);
/* Something of the workspace has come into the working tier, left it, or is gone. `then` is called
 * once, now or later, when nobody is given the old list any more. */
void memory_hot_changed(struct app *a, struct str workspace, void (*then)(void *data), void *data);
void memory_ageing_open(struct memory *m);
void memory_ageing_close(struct memory *m);

#endif
