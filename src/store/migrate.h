/* The steps from one schema to the next, whatever the database is.
 *
 * Migrations are numbered pairs of SQL texts, carried inside the binary. schema_migrations has a
 * row for each one applied, with a checksum of its text: a text that was edited afterwards, a gap,
 * or a row that this program does not know is refused before anything is changed. The caller holds
 * whatever keeps a second process from migrating at the same time.
 */
#ifndef SLUICE_STORE_MIGRATE_H
#define SLUICE_STORE_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

struct migration {
    int number; /* 1, 2, … without gaps; 0: the row after the last */
    const char *name;
    const char *up, *down; /* SQL, several statements, 0-terminated */
};
extern const struct migration sqlite_migrations[]; /* migrations/sqlite */
extern const struct migration pg_migrations[];     /* migrations/postgres */

#define MIGRATE_NEWEST (-1) /* the target of a start */
#define MIGRATE_CHECK  (-2) /* moves nothing: ERR_CORRUPT unless it is the newest */

#define MIGRATE_CHECKSUM_BYTES 16 /* hexadecimal digits */

/* One row of schema_migrations as it is read; `checksum` may be NULL. Ascending by number. A result
 * below 0 ends the reading and is what `read` gives. */
typedef int migrate_row(void *data, int number, const char *checksum, struct errbuf *e);

/* What a database has to do. All give 0 or an error, with its sentence in e, which is
 * never NULL. */
struct migrate_ops {
    int (*prepare)(void *db, struct errbuf *e); /* makes schema_migrations if it is missing */
    int (*read)(void *db, migrate_row *row, void *data, struct errbuf *e);
    /* One transaction: the text (m->up or m->down), and the row inserted or deleted. */
    int (*step)(void *db, const struct migration *m, bool up, const char *checksum,
                struct errbuf *e);
};

int migrate_count(const struct migration *list);
/* FNV-1a, 64 bits. */
void migrate_checksum(const char *text, char out[MIGRATE_CHECKSUM_BYTES + 1]);
/* How many are applied. ERR_CORRUPT: see the top. */
int migrate_applied(const struct migrate_ops *ops, void *db, const struct migration *list,
                    int *applied, struct errbuf *e);
/* Moves to `target` (0: nothing is left). ERR_INVALID: there is no such target. `say` and out may
 * be NULL. */
int migrate_run(const struct migrate_ops *ops, void *db, const struct migration *list, int target,
                void (*say)(const char *line), struct migrate_status *out, struct errbuf *e);

#endif
