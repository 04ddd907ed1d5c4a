/* The store in memory, for tests and for the simulation: the same answers as SQLite's, and faults
 * on request. Nothing in it depends on time, threads or chance.
 *
 * Requests wait in one queue and are carried out in the order in which they came, reads as well as
 * writes: by the loop, or, when it was opened without one (mem_store_open(&s, NULL)), by
 * mem_store_turn() alone. `done` is called right after a request was carried out.
 */
#ifndef SLUICE_STORE_MEM_STORE_H
#define SLUICE_STORE_MEM_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

/* Carries out up to max waiting requests (not those that come meanwhile) and calls their `done`.
 * Returns how many. Also ends a store that is closing, once nothing waits. */
size_t mem_store_turn(struct store *s, size_t max);
size_t mem_store_waiting(const struct store *s);

/* While held, the loop carries nothing out (mem_store_turn() does): a slow disk. */
void mem_store_hold(struct store *s, bool held);

enum mem_fault {
    MEM_FAULT_WRITE_LOST,    /* a write fails: nothing was written */
    MEM_FAULT_WRITE_UNKNOWN, /* a write is carried out, but reported as failed */
    MEM_FAULT_READ,          /* a read fails */
    MEM_FAULT_COUNT,
};
/* Of this kind of request the nth from now (1: the next) and the `times - 1` after it fail with
 * `code`. A second call replaces the first; times 0 takes it back. */
void mem_store_fail(struct store *s, enum mem_fault fault, unsigned nth, unsigned times, int code);

/* The process dies: the writes among the first `reached` waiting requests reach the disk, then all
 * waiting requests are forgotten, and no `done` is called. The rows stay, for a next life. */
void mem_store_crash(struct store *s, size_t reached);

/* The store's clock for leases: from now on it stands at `now` (0: the system's again). */
void mem_store_set_time(struct store *s, int64_t now);

/* Spoils what is stored of a session, so that it does not read back. */
void mem_store_corrupt_state(struct store *s, struct id session);

#endif
