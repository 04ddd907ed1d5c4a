/* The simplest thing that is durable, for what of the bench asks what durability alone costs: a
 * row with bytes, no index but that of its number, a transaction each; by plain SQLite (write-ahead
 * log, synchronous = FULL) or plain libpq (as the server has it: fsync on). */
#ifndef BENCH_BARE_COMMIT_H
#define BENCH_BARE_COMMIT_H

#include <stddef.h>

#define BARE_EVENT_BYTES 300 /* an event of a token, as it is stored */

struct bare_store;

/* `where`: postgres://…, else a folder. Makes its table anew. What fails ends the program. */
struct bare_store *bare_store_open(const char *where);
/* Returns when the bytes are durable. */
void bare_store_commit(struct bare_store *s, const void *bytes, size_t n);
/* Takes its table away again, too. */
void bare_store_close(struct bare_store *s);

#endif
