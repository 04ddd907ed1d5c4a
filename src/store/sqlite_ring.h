/* Events that came alone, as a ring of pages that all sessions share (decision 21).
 *
 *     slot      7        3        8            the table event_ring; in order of age
 *     serial    41       42       43           one more for each slot that is begun
 *             [a b c d][e f g h][i j        ]  records, in the order in which they were committed
 *               ^ oldest that may be needed     ^ here the next one goes
 *
 * A slot is a row that fills one page of the file, and is always written whole: so a commit changes
 * one page, or as many as its records fill, and neither allocates pages nor touches an index. When
 * the oldest slot is needed no more it is the next one to be written; else the ring grows, up to
 * RING_SLOTS.
 *
 * A record says of a session (its key) that these events came, or that the key has become free:
 * what came before under that key is void, whoever gets the key next. Each slot says which serial
 * may still be needed; whoever reads the ring passes over what stands in session_events already.
 *
 * One thread uses it. What was written since ring_begin() is undone by ring_undo(), as the database
 * undoes it. */
#ifndef SLUICE_STORE_SQLITE_RING_H
#define SLUICE_STORE_SQLITE_RING_H

#include "base/buf.h"
#include "base/err.h"
#include "store/sqlite_db.h"

/* What one page of 4 kB holds: a row of 4,061 bytes and more has an overflow page. */
#define RING_SLOT_BYTES   4040
#define RING_HEADER_BYTES 44
#define RING_SLOTS        2048 /* 8 MB */
/* Frames of one record; a turn with more than that is not what the ring is for. */
#define RING_FRAMES_MAX 8192

struct ring_record {
    int64_t session; /* its key */
    int64_t seq_first, seq_last, at;
    struct str frames; /* lines, as in session_events; STR_NULL with seq_last 0: the key is free */
};

struct ring_place {
    uint64_t serial; /* of the slot that is being filled; 0: none was begun */
    int slot;        /* its number, from 1 on */
    size_t used;     /* of its bytes, the header included */
    size_t first;    /* where its first record begins */
    int count;       /* slots that there are */
    unsigned head;   /* of queue */
    char image[RING_SLOT_BYTES];
};

struct sqlite_ring {
    struct ring_place now, before; /* before: at ring_begin() */
    bool changed;                  /* the image, since it was written */
    size_t bytes, bytes_before;    /* of records, in this transaction and in the last one */
    /* The slots by age, the youngest of which is now.slot. Twice the room: what is undone still
     * stands there. */
    uint16_t queue[2 * RING_SLOTS];
};

void ring_init(struct sqlite_ring *r);
void ring_begin(struct sqlite_ring *r);
void ring_undo(struct sqlite_ring *r);
/* Whether a record with so many bytes of frames finds room while serials from `oldest` on are
 * needed. */
bool ring_has_room(const struct sqlite_ring *r, size_t frames_bytes, uint64_t oldest);
/* Appends a record; *serial: of the slot that it begins in. There must be room. */
int ring_append(struct sqlite_ring *r, struct sqlite_db *db, const struct ring_record *record,
                uint64_t oldest, uint64_t *serial);
/* Before the end of the transaction. */
int ring_write(struct sqlite_ring *r, struct sqlite_db *db, uint64_t oldest);

/* ---- reading: after a start ---- */

/* The bytes of all records that may be needed, from slots in any order, appended to *out.
 * ERR_CORRUPT: some slot does not read back, or is missing. Any bytes may be given. */
int ring_read(struct str *slots, size_t count, struct buf *out);
/* Takes one record from *bytes; it points there. 1; 0: that was all; ERR_CORRUPT. */
int ring_next(struct str *bytes, struct ring_record *record);

#endif
