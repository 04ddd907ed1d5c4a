/* The texts of migrations/sqlite, in order, put into the binary at build. Numbers are 1, 2, …
 * without gaps; the row after the last has number 0. */
#ifndef SLUICE_STORE_SQLITE_MIGRATIONS_H
#define SLUICE_STORE_SQLITE_MIGRATIONS_H

#include <stddef.h>

struct sqlite_migration {
    int number;
    const char *name;
    const char *up, *down; /* SQL, several statements, 0-terminated */
};

extern const struct sqlite_migration sqlite_migrations[];

#endif
