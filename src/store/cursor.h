/* The `cursor` of a list: where the next page begins, as text that a client hands back.
 *
 * To a client it is opaque. It is made of the keys of the last row of a page, so a page costs the
 * same wherever it is, and rows that come or go in between neither shift nor repeat others. A
 * checksum refuses what we did not make or made for another list; it is no signature: a forged
 * cursor only moves within rows that the request may see anyway.
 */
#ifndef SLUICE_STORE_CURSOR_H
#define SLUICE_STORE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

#define CURSOR_KEY_MAX 256 /* bytes: a file's path */

enum cursor_kind {
    CURSOR_SESSIONS = 1, /* a: created_at, b: the session's key */
    CURSOR_WORKFLOWS,    /* key: the workflow's id */
    CURSOR_VERSIONS,     /* a: version */
    CURSOR_MESSAGES,     /* a: created_at, b: seq, key: message id */
    CURSOR_RUNS,         /* key: run id */
    CURSOR_INTERRUPTS,   /* a: created_at, key: interrupt id */
    CURSOR_FILES,        /* key: path */
    CURSOR_FILE,         /* a: version */
    CURSOR_MEMORIES,     /* a: created_at, key: memory id */
    CURSOR_CATALOG,      /* a: kind, key: the object's id */
    CURSOR_SCHEDULES,    /* key: the schedule's id */
    CURSOR_AUDIT,        /* key: the entry's id */
    CURSOR_DELIVERIES,   /* a: created_at, key: delivery id */
};

struct cursor {
    int64_t a, b;
    size_t key_bytes;
    uint8_t key[CURSOR_KEY_MAX];
};

/* The text lives in the arena. A key of more than CURSOR_KEY_MAX is a mistake of ours. */
struct str cursor_encode(struct arena *arena, enum cursor_kind kind, int64_t a, int64_t b,
                         struct str key);
/* ERR_INVALID: not a cursor of this kind of list. */
int cursor_decode(struct str text, enum cursor_kind kind, struct cursor *out, struct errbuf *e);

#endif
