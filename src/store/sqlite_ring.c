#include "store/sqlite_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define RING_ROOM     (RING_SLOT_BYTES - RING_HEADER_BYTES)
#define RING_HEAD_MAX 112 /* the first line of a record, five numbers */
#define RING_PAD      '\0'

void ring_init(struct sqlite_ring *r)
{
    memset(r, 0, sizeof(*r));
}

void ring_begin(struct sqlite_ring *r)
{
    r->before = r->now;
    if (r->bytes > 0)
        r->bytes_before = r->bytes;
    r->bytes = 0;
    r->changed = false;
}

void ring_undo(struct sqlite_ring *r)
{
    r->now = r->before;
    r->bytes = 0;
    r->changed = false;
}

/* The serial of the oldest slot there is. */
static uint64_t ring_oldest(const struct ring_place *p)
{
    return p->serial - (uint64_t)p->count + 1;
}

/* Slots that can be begun. The youngest is never free: it is being filled. */
static uint64_t ring_free(const struct ring_place *p, uint64_t oldest)
{
    uint64_t first = ring_oldest(p), end = oldest < p->serial ? oldest : p->serial;

    return (uint64_t)(RING_SLOTS - p->count) + (p->count > 0 && end > first ? end - first : 0);
}

bool ring_has_room(const struct sqlite_ring *r, size_t frames_bytes, uint64_t oldest)
{
    size_t slots = (frames_bytes + RING_HEAD_MAX) / RING_ROOM + 1;

    return ring_free(&r->now, oldest) >= slots;
}

/* printf() would be most of what a record costs. */
static void ring_print_hex(char *at, int digits, uint64_t v, char end)
{
    at[digits] = end;
    for (; digits > 0; v >>= 4)
        at[--digits] = "0123456789abcdef"[v & 15];
}

/* Gives where it ends. */
static char *ring_print(char *at, int64_t v, char end)
{
    at += i64_format(v, at);
    *at++ = end;
    return at;
}

static int ring_put(struct sqlite_ring *r, struct sqlite_db *db, uint64_t oldest)
{
    struct ring_place *p = &r->now;
    struct sqlq q;

    ring_print_hex(p->image, 16, p->serial, ' ');
    ring_print_hex(p->image + 17, 16, oldest, ' ');
    ring_print_hex(p->image + 34, 4, p->used, ' ');
    ring_print_hex(p->image + 39, 4, p->first, '\n');
    sqlq_start(&q, db, SQL_RING_WRITE);
    sqlq_bind_i64(&q, p->slot);
    sqlq_bind_blob(&q, (struct str){p->image, sizeof(p->image)});
    int status = sqlq_run(&q);
    if (status == 0 && sqlite3_changes(db->handle) == 0) {
        sqlq_start(&q, db, SQL_RING_INSERT);
        sqlq_bind_i64(&q, p->slot);
        sqlq_bind_blob(&q, (struct str){p->image, sizeof(p->image)});
        status = sqlq_run(&q);
    }
    return status;
}

static void ring_next_slot(struct sqlite_ring *r, uint64_t oldest)
{
    struct ring_place *p = &r->now;
    const unsigned room = 2 * RING_SLOTS;

    assert(ring_free(p, oldest) > 0);
    if (p->count > 0 && ring_oldest(p) < oldest && ring_oldest(p) < p->serial) {
        p->slot = r->queue[p->head % room];
        p->head++;
    } else {
        p->slot = ++p->count;
    }
    r->queue[(p->head + (unsigned)p->count - 1) % room] = (uint16_t)p->slot;
    p->serial++;
    p->used = p->first = RING_HEADER_BYTES;
    memset(p->image, RING_PAD, sizeof(p->image));
}

/* Puts the bytes into as many slots as they need. */
static int ring_fill(struct sqlite_ring *r, struct sqlite_db *db, struct str bytes, uint64_t oldest,
                     bool is_start)
{
    struct ring_place *p = &r->now;

    while (bytes.n > 0) {
        if (p->used == RING_SLOT_BYTES) {
            int status = ring_put(r, db, oldest);
            if (status < 0)
                return status;
            ring_next_slot(r, oldest);
        }
        size_t n = RING_SLOT_BYTES - p->used < bytes.n ? RING_SLOT_BYTES - p->used : bytes.n;
        memcpy(p->image + p->used, bytes.p, n);
        p->used += n;
        /* What is the rest of a record begun before is no place to begin to read. */
        if (!is_start && p->first == p->used - n)
            p->first = p->used;
        is_start = false;
        bytes.p += n;
        bytes.n -= n;
        r->changed = true;
    }
    return 0;
}

/* A transaction begins in a slot of its own when the rest of this one is likely not to hold it: one
 * page is written then, not two. A record's first line is not torn. */
static bool ring_wants_slot(const struct sqlite_ring *r, size_t n)
{
    size_t rest = RING_SLOT_BYTES - r->now.used;

    if (r->now.serial == 0 || rest < RING_HEAD_MAX)
        return true;
    return r->bytes == 0 && (rest < n || rest < r->bytes_before);
}

int ring_append(struct sqlite_ring *r, struct sqlite_db *db, const struct ring_record *record,
                uint64_t oldest, uint64_t *serial)
{
    char head[RING_HEAD_MAX];
    char *end = ring_print(head, record->session, ' ');
    int status = 0;

    end = ring_print(end, record->seq_first, ' ');
    end = ring_print(end, record->seq_last, ' ');
    end = ring_print(end, record->at, ' ');
    end = ring_print(end, (int64_t)record->frames.n, '\n');
    struct str line = {head, (size_t)(end - head)};
    assert(line.n <= RING_HEAD_MAX && record->frames.n <= RING_FRAMES_MAX);
    if (ring_wants_slot(r, line.n + record->frames.n + 1)) {
        status = r->changed ? ring_put(r, db, oldest) : 0;
        if (status < 0)
            return status;
        ring_next_slot(r, oldest);
    }
    *serial = r->now.serial;
    r->bytes += line.n + record->frames.n + 1;
    status = ring_fill(r, db, line, oldest, true);
    if (status == 0)
        status = ring_fill(r, db, record->frames, oldest, false);
    return status < 0 ? status : ring_fill(r, db, STR("\n"), oldest, false);
}

int ring_write(struct sqlite_ring *r, struct sqlite_db *db, uint64_t oldest)
{
    return r->changed ? ring_put(r, db, oldest) : 0;
}

/* ---- reading ---- */

struct ring_slot {
    uint64_t serial, oldest;
    size_t used, first;
    const char *bytes;
};

static bool ring_hex(const char *at, int digits, char end, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++) {
        char c = at[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
        *out = *out << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return at[digits] == end;
}

static bool ring_slot_read(struct str bytes, struct ring_slot *out)
{
    uint64_t used = 0, first = 0;

    *out = (struct ring_slot){.bytes = bytes.p};
    if (bytes.n != RING_SLOT_BYTES || !ring_hex(bytes.p, 16, ' ', &out->serial) ||
        !ring_hex(bytes.p + 17, 16, ' ', &out->oldest) || !ring_hex(bytes.p + 34, 4, ' ', &used) ||
        !ring_hex(bytes.p + 39, 4, '\n', &first))
        return false;
    out->used = (size_t)used;
    out->first = (size_t)first;
    return out->serial > 0 && out->oldest <= out->serial && first >= RING_HEADER_BYTES &&
           first <= used && used <= RING_SLOT_BYTES;
}

static int ring_by_serial(const void *a, const void *b)
{
    const struct ring_slot *x = a, *y = b;

    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

int ring_read(struct str *slots, size_t count, struct buf *out)
{
    struct ring_slot *found = mem_calloc(count + 1, sizeof(*found));
    int status = 0;

    for (size_t i = 0; i < count && status == 0; i++)
        if (!ring_slot_read(slots[i], &found[i]))
            status = ERR_CORRUPT;
    qsort(found, count, sizeof(*found), ring_by_serial);
    uint64_t newest = count > 0 ? found[count - 1].serial : 0;
    uint64_t oldest = count > 0 ? found[count - 1].oldest : 1, want = oldest;
    for (size_t i = 0; i < count && status == 0; i++) {
        const struct ring_slot *s = &found[i];
        if (s->serial < oldest)
            continue;
        /* The rest of a record that is needed no more stands before the first. */
        size_t from = s->serial == oldest ? s->first : RING_HEADER_BYTES;
        if (s->serial != want++ || buf_append(out, s->bytes + from, s->used - from) < 0)
            status = ERR_CORRUPT;
    }
    if (status == 0 && count > 0 && want != newest + 1)
        status = ERR_CORRUPT; /* the oldest that is needed is not there */
    free(found);
    return status;
}

/* A decimal number and the byte after it. */
static bool ring_number(struct str *bytes, char end, int64_t *out)
{
    size_t i = 0;

    *out = 0;
    for (; i < bytes->n && i < 18 && bytes->p[i] >= '0' && bytes->p[i] <= '9'; i++)
        *out = *out * 10 + (bytes->p[i] - '0');
    if (i == 0 || i >= bytes->n || bytes->p[i] != end)
        return false;
    bytes->p += i + 1;
    bytes->n -= i + 1;
    return true;
}

int ring_next(struct str *bytes, struct ring_record *record)
{
    int64_t n = 0;

    if (bytes->n == 0)
        return 0;
    *record = (struct ring_record){.session = 0};
    if (!ring_number(bytes, ' ', &record->session) ||
        !ring_number(bytes, ' ', &record->seq_first) ||
        !ring_number(bytes, ' ', &record->seq_last) || !ring_number(bytes, ' ', &record->at) ||
        !ring_number(bytes, '\n', &n) || n > RING_FRAMES_MAX || (size_t)n >= bytes->n ||
        bytes->p[n] != '\n')
        return ERR_CORRUPT;
    record->frames = (struct str){bytes->p, (size_t)n};
    bytes->p += n + 1;
    bytes->n -= (size_t)n + 1;
    if (record->seq_last == 0 ? n != 0 || record->seq_first != 0
                              : record->seq_first < 1 || record->seq_first > record->seq_last)
        return ERR_CORRUPT;
    return 1;
}
