/* The journal: one transaction per loop turn with all that the sessions produced in it.
 *
 *     mark ──> (end of turn) take deltas ──> store commit ──> release: seal frames, carry out
 *      ^                                        │ failed        effects, answer requests
 *      └── while one is under way, the next ────┘ the same batch again after a pause
 *          fills
 *
 * What somebody waits for (an answer, a state, an effect) is committed as soon as the commit before
 * it is done. Chunks are, too, unless sessions crowd: then the next commit of nothing else begins
 * a period after the last one began, and what models send stays in its sockets until then
 * (gather.h).
 *
 * Nothing is visible and nothing is done before it is durable. A batch that fails is tried again
 * with the same rows and numbers until it is written; meanwhile commands are refused (503) and
 * model streams are held back.
 */
#ifndef SLUICE_APP_JOURNAL_H
#define SLUICE_APP_JOURNAL_H

#include <uv.h>

#include "app/gather.h"
#include "app/live.h"
#include "base/list.h"
#include "store/store.h"

#define JOURNAL_BATCH_MAX      1000 /* sessions in one transaction */
#define JOURNAL_RETRY_MS_FIRST 10
#define JOURNAL_RETRY_MS_MAX   1000

struct journal_entry {
    struct live *live;
    struct delta delta;
    struct effect *effects;
    struct list replies;
};

struct journal {
    struct app *app;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t retry;
    struct gather gather;
    struct list urgent;            /* struct live.marked: of more than chunks; committed first */
    struct list marked;            /* the others */
    struct journal_entry *entries; /* the batch under way */
    struct delta **deltas;
    bool *refused;
    size_t count;
    bool in_flight;
    bool is_crowd;      /* the last commit had chunks of several sessions */
    bool is_reading;    /* sockets that were set aside */
    size_t chunks;      /* sessions that were marked by a chunk since the last commit began */
    uint64_t began_ns;  /* the last commit */
    uint64_t read_ns;   /* sockets that were set aside */
    uint64_t gather_ns; /* the period, from then on */
    uint64_t
        timed_ns; /* when the commit under way began, if it is one by which to set the period */
    bool failing; /* the last attempt failed */
    unsigned long long refused_total; /* deltas that the store refused: fenced writers, mostly */
    int retry_ms;
    struct store_commit commit;
    void (*drained)(void *data); /* when nothing is marked or under way; once */
    void *drained_data;
};

void journal_open(struct journal *j, struct app *a);
void journal_close(struct journal *j); /* drained before */
void journal_mark(struct journal *j, struct live *l);
/* The same for what nobody waits for: chunks, which may gather for a period. */
void journal_mark_chunk(struct journal *j, struct live *l);
/* Calls back when everything marked so far is durable and released; maybe at once. */
void journal_drain(struct journal *j, void (*drained)(void *data), void *data);

#endif
