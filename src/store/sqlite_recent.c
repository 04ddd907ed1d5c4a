#include "store/sqlite_recent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

/* Of the ring, for what is written when it is full: keys that have become free. */
#define RECENT_RESERVE (64 * RING_SLOT_BYTES)

/* A session with rows here, or with some that the transaction under way will add. */
struct recent {
    struct list order;   /* of s->order, while it has rows */
    struct list touched; /* of s->touched: in this transaction */
    struct id id;
    int64_t key;
    uint64_t epoch;
    int64_t seq_first, seq_last; /* of its rows; without any, seq_last is where its log ends */
    int64_t at;                  /* of the last */
    uint64_t serial;             /* of the ring's slot that the first begins in */
    size_t bytes, bytes_max;
    int rows;
    /* In this transaction */
    bool settled; /* its rows stand in session_events: it goes when that is committed */
    int staged;
    size_t staged_bytes;
    int64_t staged_last;
    struct {
        int64_t seq_last;
        size_t end; /* in frames, behind it */
    } row[RECENT_ROWS];
    char frames[RECENT_BYTES]; /* the last: most of it is often not touched */
};

struct recent_staged {
    struct recent *recent;
    const struct delta *delta;
    uint64_t serial;
};

struct sqlite_recent {
    uv_mutex_t mutex; /* of what readers look at: sessions, order, and what has rows */
    struct table sessions;
    struct list order; /* whose first row is older comes first */
    struct list touched;
    struct recent_staged *staged;
    size_t staged_count, staged_room;
    struct list spare; /* by `order` */
    int spare_count;
    struct sqlite_ring ring;
    struct buf scratch;
};

struct sqlite_recent *sqlite_recent_create(void)
{
    struct sqlite_recent *s = mem_zalloc(sizeof(*s));

    uv_mutex_init(&s->mutex);
    table_init(&s->sessions);
    list_init(&s->order);
    list_init(&s->touched);
    list_init(&s->spare);
    ring_init(&s->ring);
    buf_init(&s->scratch, RECENT_BYTES + RING_FRAMES_MAX + 1);
    return s;
}

void sqlite_recent_destroy(struct sqlite_recent *s)
{
    if (!s)
        return;
    table_foreach(slot, &s->sessions)
    {
        free(slot->value);
    }
    while (!list_empty(&s->spare))
        free(container_of(list_pop(&s->spare), struct recent, order));
    table_deinit(&s->sessions);
    buf_deinit(&s->scratch);
    free(s->staged);
    uv_mutex_destroy(&s->mutex);
    free(s);
}

/* ---- sessions ---- */

/* Rows of many sessions that began together are not folded together. */
static size_t recent_bytes_max(int64_t key)
{
    return RECENT_BYTES - ((uint64_t)key * 0x9e3779b97f4a7c15u >> 32) % (RECENT_BYTES / 3);
}

static struct recent *recent_add(struct sqlite_recent *s, const struct id *id,
                                 const struct sqlite_session *session, int64_t last_seq)
{
    struct list *spare = list_pop(&s->spare);
    struct recent *e = spare ? container_of(spare, struct recent, order) : mem_alloc(sizeof(*e));

    s->spare_count -= spare != NULL;
    memset(e, 0, offsetof(struct recent, row));
    list_init(&e->order);
    list_init(&e->touched);
    e->id = *id;
    e->key = session->key;
    e->epoch = session->epoch;
    e->seq_last = last_seq;
    e->bytes_max = recent_bytes_max(e->key);
    uv_mutex_lock(&s->mutex);
    table_put(&s->sessions, *id, e);
    uv_mutex_unlock(&s->mutex);
    return e;
}

/* Under the mutex. */
static void recent_remove(struct sqlite_recent *s, struct recent *e)
{
    table_remove(&s->sessions, e->id);
    list_remove(&e->order);
    list_remove(&e->touched);
    if (s->spare_count >= RECENT_SPARE) {
        free(e);
        return;
    }
    list_append(&s->spare, &e->order);
    s->spare_count++;
}

static void recent_touch(struct sqlite_recent *s, struct recent *e)
{
    if (!list_is_linked(&e->touched))
        list_append(&s->touched, &e->touched);
}

/* The oldest slot of the ring with rows that are not folded. */
static uint64_t recent_oldest(const struct sqlite_recent *s)
{
    list_foreach(it, &s->order)
    {
        const struct recent *e = container_of(it, struct recent, order);
        if (!e->settled)
            return e->serial;
    }
    /* Nothing of this transaction stands before it; serials begin at 1. */
    return s->ring.before.serial > 0 ? s->ring.before.serial : 1;
}

/* ---- folding ---- */

/* A fold never meets rows with its numbers: if it does, nothing of the transaction is to stand. */
static int recent_insert(struct sqlite_db *db, const struct recent *e, int64_t at,
                         const struct event_row *row)
{
    int status = sqlite_events_insert(db, e->key, at, row);

    if (status == 0 && sqlite3_changes(db->handle) == 0) {
        db->failed = true;
        return sqlite_db_refuse(db, ERR_INTERNAL, "events %lld to %lld stand twice",
                                (long long)row->seq_first, (long long)row->seq_last);
    }
    return status;
}

static int recent_fold(struct sqlite_db *db, struct recent *e)
{
    struct sqlite_recent *s = db->recent;
    struct event_row row = {NULL, e->seq_first, e->seq_last, {e->frames, e->bytes}};
    int status = e->rows > 0 ? recent_insert(db, e, e->at, &row) : 0;

    for (size_t i = 0; e->staged > 0 && i < s->staged_count && status == 0; i++) {
        const struct delta *d = s->staged[i].delta;
        row = (struct event_row){NULL, d->seq_first, d->seq_last, buf_str(&d->events)};
        if (s->staged[i].recent == e)
            status = recent_insert(db, e, d->at, &row);
    }
    e->settled = true;
    recent_touch(s, e);
    return status;
}

/* The delta does not find room: it goes with those that were there. */
static int recent_fold_with(struct sqlite_db *db, struct recent *e, const struct delta *d)
{
    struct sqlite_recent *s = db->recent;

    buf_clear(&s->scratch);
    buf_append(&s->scratch, e->frames, e->bytes);
    buf_append_char(&s->scratch, '\n');
    buf_append_str(&s->scratch, buf_str(&d->events));
    struct event_row row = {NULL, e->seq_first, d->seq_last, buf_str(&s->scratch)};
    assert(buf_error(&s->scratch) == 0);
    e->settled = true;
    recent_touch(s, e);
    return recent_insert(db, e, d->at, &row);
}

int sqlite_recent_settle(struct sqlite_db *db, const struct id *id)
{
    struct recent *e = db->recent ? table_get(&db->recent->sessions, *id) : NULL;

    return e && !e->settled ? recent_fold(db, e) : 0;
}

int sqlite_recent_settle_key(struct sqlite_db *db, int64_t key)
{
    if (!db->recent)
        return 0;
    table_foreach(slot, &db->recent->sessions)
    {
        struct recent *e = slot->value;
        if (e->key == key && !e->settled)
            return recent_fold(db, e);
    }
    return 0;
}

int sqlite_recent_settle_for(struct sqlite_db *db, const struct store_req *req)
{
    const struct store_session_save *save;
    const struct store_session_release *release;
    int status = 0;

    switch ((int)req->op) {
    case STORE_SESSION_DELETE:
        return sqlite_recent_settle(db, &container_of(req, struct store_session_delete, req)->id);
    case STORE_SESSION_LOAD:
        return sqlite_recent_settle(db, &container_of(req, struct store_session_load, req)->id);
    case STORE_SESSION_SAVE:
        save = container_of(req, struct store_session_save, req);
        for (size_t i = 0; i < save->save_count && status == 0; i++)
            status = sqlite_recent_settle(db, &save->saves[i].id);
        for (size_t i = 0; i < save->delete_count && status == 0; i++)
            status = sqlite_recent_settle(db, &save->deletes[i]);
        return status;
    case STORE_SESSION_RELEASE:
        release = container_of(req, struct store_session_release, req);
        for (size_t i = 0; i < release->count && status == 0; i++)
            status = sqlite_recent_settle(db, &release->ids[i]);
        return status;
    default: /* deltas are looked at one by one; retention by key; others touch no session's log */
        return 0;
    }
}

/* Folds the oldest until the ring has room. False: the transaction itself has filled it. */
static int recent_make_room(struct sqlite_db *db, size_t bytes, bool *has_room)
{
    struct sqlite_recent *s = db->recent;
    struct list *at = s->order.next;
    int status = 0;

    while (!(*has_room = ring_has_room(&s->ring, bytes, recent_oldest(s))) && at != &s->order &&
           status == 0) {
        struct recent *e = container_of(at, struct recent, order);
        at = at->next;
        if (!e->settled)
            status = recent_fold(db, e);
    }
    return status;
}

int sqlite_recent_forget(struct sqlite_db *db, int64_t key)
{
    const struct ring_record gone = {.session = key};
    bool has_room = false;
    uint64_t serial;

    if (!db->recent || db->recent->ring.now.serial == 0)
        return 0; /* the ring is empty */
    int status = recent_make_room(db, 0, &has_room);
    if (status == 0 && !has_room) {
        db->failed = true;
        status = sqlite_db_refuse(db, ERR_TOO_LARGE, "too much for one transaction");
    }
    return status < 0
               ? status
               : ring_append(&db->recent->ring, db, &gone, recent_oldest(db->recent), &serial);
}

/* ---- appending ---- */

bool sqlite_recent_fits(const struct delta *d)
{
    return d->events.len <= RING_FRAMES_MAX && rules_delta_is_events(d);
}

/* NULL and 0: no session that this delta simply goes on with. */
static int recent_find(struct sqlite_db *db, const struct delta *d, struct recent **out)
{
    struct sqlite_recent *s = db->recent;
    struct sqlite_session session = {.key = 0};
    struct recent *e = table_get(&s->sessions, d->session_id);

    *out = NULL;
    if (e) {
        int64_t last = e->staged > 0 ? e->staged_last : e->seq_last;
        if (!e->settled && d->epoch >= e->epoch && d->seq_first == last + 1)
            *out = e;
        return 0;
    }
    if (s->sessions.count >= RECENT_SESSIONS)
        return 0;
    int status = sqlite_session_find(db, &d->session_id, &session);
    if (status == 0)
        status = sqlite_events_stored(db, session.key, &session.last_seq);
    if (status < 0)
        return db->failed ? status : 0;
    if (d->epoch >= session.epoch && d->seq_first == session.last_seq + 1)
        *out = recent_add(s, &d->session_id, &session, session.last_seq);
    return 0;
}

static void recent_stage(struct sqlite_recent *s, struct recent *e, const struct delta *d,
                         uint64_t serial)
{
    if (s->staged_count == s->staged_room) {
        s->staged_room = s->staged_room ? 2 * s->staged_room : 64;
        s->staged = mem_realloc(s->staged, s->staged_room * sizeof(*s->staged));
    }
    s->staged[s->staged_count++] = (struct recent_staged){e, d, serial};
    e->staged++;
    e->staged_bytes += d->events.len + 1;
    e->staged_last = d->seq_last;
}

int sqlite_recent_append(struct sqlite_db *db, const struct delta *d, bool *taken)
{
    struct sqlite_recent *s = db->recent;
    struct ring_record record = {.seq_first = d->seq_first,
                                 .seq_last = d->seq_last,
                                 .at = d->at,
                                 .frames = buf_str(&d->events)};
    bool has_room = false;
    struct recent *e;
    uint64_t serial;

    *taken = false;
    int status = recent_find(db, d, &e);
    if (status < 0 || !e)
        return status;
    recent_touch(s, e);
    if (e->rows + e->staged == RECENT_ROWS ||
        (e->rows + e->staged > 0 &&
         e->bytes + e->staged_bytes + d->events.len + 1 > e->bytes_max)) {
        *taken = e->staged == 0;
        return *taken ? recent_fold_with(db, e, d) : 0;
    }
    status = recent_make_room(db, d->events.len + RECENT_RESERVE, &has_room);
    if (status < 0 || !has_room || e->settled)
        return status;
    record.session = e->key;
    status = ring_append(&s->ring, db, &record, recent_oldest(s), &serial);
    if (status < 0)
        return status;
    recent_stage(s, e, d, serial);
    *taken = true;
    return 0;
}

/* ---- the transaction ---- */

void sqlite_recent_begin(struct sqlite_db *db)
{
    ring_begin(&db->recent->ring);
}

int sqlite_recent_end(struct sqlite_db *db)
{
    return ring_write(&db->recent->ring, db, recent_oldest(db->recent));
}

static void recent_take(struct sqlite_recent *s, const struct recent_staged *staged)
{
    const struct delta *d = staged->delta;
    struct recent *e = staged->recent;

    if (e->settled)
        return;
    if (e->rows == 0) {
        e->seq_first = d->seq_first;
        e->serial = staged->serial;
        list_append(&s->order, &e->order);
    } else {
        e->frames[e->bytes++] = '\n';
    }
    assert(e->rows < RECENT_ROWS && e->bytes + d->events.len <= sizeof(e->frames));
    memcpy(e->frames + e->bytes, d->events.data, d->events.len);
    e->bytes += d->events.len;
    e->seq_last = d->seq_last;
    e->at = d->at;
    e->row[e->rows].seq_last = d->seq_last;
    e->row[e->rows++].end = e->bytes;
}

static void recent_over(struct sqlite_recent *s, bool committed)
{
    uv_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->staged_count && committed; i++)
        recent_take(s, &s->staged[i]);
    s->staged_count = 0;
    while (!list_empty(&s->touched)) {
        struct recent *e = container_of(list_pop(&s->touched), struct recent, touched);
        bool gone = e->settled && committed;
        e->settled = false;
        e->staged = 0;
        e->staged_bytes = 0;
        if (gone || e->rows == 0)
            recent_remove(s, e);
    }
    uv_mutex_unlock(&s->mutex);
}

void sqlite_recent_committed(struct sqlite_db *db)
{
    recent_over(db->recent, true);
}

void sqlite_recent_undo(struct sqlite_db *db)
{
    recent_over(db->recent, false);
    ring_undo(&db->recent->ring);
}

int sqlite_recent_settle_all(struct sqlite_db *db)
{
    struct sqlite_recent *s = db->recent;
    struct sqlq q;
    int status = 0;

    if (s->ring.now.serial == 0)
        return 0;
    status = sqlite_db_begin(db, true);
    list_foreach(it, &s->order)
    {
        struct recent *e = container_of(it, struct recent, order);
        if (status == 0)
            status = recent_fold(db, e);
    }
    if (status == 0) {
        sqlq_start(&q, db, SQL_RING_CLEAR);
        status = sqlq_run(&q);
    }
    if (status == 0)
        status = sqlite_db_commit(db);
    else
        sqlite_db_rollback(db);
    recent_over(s, status == 0);
    if (status == 0)
        ring_init(&s->ring);
    return status;
}

/* ---- after a start ---- */

struct recent_found {
    struct ring_record record;
    size_t at; /* its place in the ring */
};

static int found_by_session(const void *a, const void *b)
{
    const struct recent_found *x = a, *y = b;

    if (x->record.session != y->record.session)
        return x->record.session < y->record.session ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int recover_corrupt(struct sqlite_db *db)
{
    return sqlite_db_corrupt(db, "the newest events (event_ring) do not read back");
}

/* The ring's records, of each session in their order; *out is malloc()ed and points into bytes. */
static int recover_read(struct sqlite_db *db, struct arena *a, struct buf *bytes,
                        struct recent_found **out, size_t *count)
{
    struct str *slots = arena_calloc(a, RING_SLOTS, sizeof(*slots));
    size_t n = 0, room = 0;
    struct ring_record record;
    struct sqlq q;
    int more;

    *out = NULL;
    *count = 0;
    sqlq_start(&q, db, SQL_RING_READ);
    while ((more = sqlq_next(&q)) > 0) {
        struct str slot = sqlq_blob(&q, a);
        if (n == RING_SLOTS || !slot.p || q.corrupt) {
            sqlq_end(&q);
            return recover_corrupt(db);
        }
        slots[n++] = slot;
    }
    if (more < 0)
        return more;
    if (ring_read(slots, n, bytes) < 0)
        return recover_corrupt(db);
    struct str rest = buf_str(bytes);
    while ((more = ring_next(&rest, &record)) > 0) {
        if (*count == room) {
            room = room ? 2 * room : 256;
            *out = mem_realloc(*out, room * sizeof(**out));
        }
        (*out)[*count] = (struct recent_found){record, *count};
        ++*count;
    }
    if (more < 0)
        return recover_corrupt(db);
    if (*count > 0)
        qsort(*out, *count, sizeof(**out), found_by_session);
    return 0;
}

static int recover_is_there(struct sqlite_db *db, int64_t key, bool *out)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SESSION_THERE);
    sqlq_bind_i64(&q, key);
    int more = sqlq_next(&q);
    *out = more > 0;
    if (more > 0)
        sqlq_end(&q);
    return more < 0 ? more : 0;
}

static int recover_put(struct sqlite_db *db, const struct ring_record *last, int64_t seq_first,
                       struct buf *frames)
{
    const struct event_row row = {NULL, seq_first, last->seq_last, buf_str(frames)};

    int status = sqlite_events_insert(db, last->session, last->at, &row);
    buf_clear(frames);
    return status;
}

/* Those of one session, the n of found: what session_events does not have yet becomes its rows. */
static int recover_session(struct sqlite_db *db, const struct recent_found *found, size_t n,
                           struct buf *frames)
{
    const struct ring_record *last = NULL;
    int64_t key = found->record.session, stored = 0, seq_first = 0;
    bool is_there = false;
    size_t from = 0;

    for (size_t i = 0; i < n; i++)
        if (found[i].record.seq_last == 0)
            from = i + 1;
    int status = recover_is_there(db, key, &is_there);
    if (status == 0 && is_there)
        status = sqlite_events_stored(db, key, &stored);
    for (size_t i = from; i < n && is_there && status == 0; i++) {
        const struct ring_record *r = &found[i].record;
        if (r->seq_last <= stored)
            continue;
        if (r->seq_first != stored + 1 ||
            !rules_frames_are_whole(r->seq_first, r->seq_last, r->frames))
            return recover_corrupt(db);
        if (last && frames->len + r->frames.n + 1 > RECENT_BYTES)
            status = recover_put(db, last, seq_first, frames);
        if (frames->len > 0)
            buf_append_char(frames, '\n');
        else
            seq_first = r->seq_first;
        buf_append_str(frames, r->frames);
        stored = r->seq_last;
        last = r;
    }
    return status == 0 && last ? recover_put(db, last, seq_first, frames) : status;
}

int sqlite_recent_drain(struct sqlite_db *db)
{
    struct recent_found *found;
    struct buf bytes, frames;
    struct arena a;
    size_t count, n;
    struct sqlq q;

    arena_init(&a);
    buf_init(&bytes, (size_t)RING_SLOTS * RING_SLOT_BYTES);
    buf_init(&frames, RECENT_BYTES + RING_FRAMES_MAX + 1);
    int status = recover_read(db, &a, &bytes, &found, &count);
    for (size_t i = 0; i < count && status == 0; i += n) {
        for (n = 1; i + n < count && found[i + n].record.session == found[i].record.session;)
            n++;
        status = recover_session(db, &found[i], n, &frames);
    }
    if (status == 0) {
        sqlq_start(&q, db, SQL_RING_CLEAR);
        status = sqlq_run(&q);
    }
    free(found);
    buf_deinit(&frames);
    buf_deinit(&bytes);
    arena_deinit(&a);
    return status;
}

int sqlite_recent_recover(struct sqlite_db *db)
{
    int status = sqlite_db_begin(db, true);

    if (status < 0)
        return status;
    status = sqlite_recent_drain(db);
    if (status == 0)
        return sqlite_db_commit(db);
    sqlite_db_rollback(db);
    return status;
}

/* ---- readers ---- */

static void look_one(struct recent *e, struct arena *a, bool with_rows, struct recent_view *out)
{
    struct event_row *rows, **tail = &out->rows;
    int64_t seq = e->seq_first;
    size_t from = 0;

    out->items = arena_alloc(a, sizeof(*out->items));
    out->items[out->count++] = (struct recent_item){e->id, e->key, e->seq_last};
    if (!with_rows)
        return;
    char *frames = arena_alloc(a, e->bytes);
    memcpy(frames, e->frames, e->bytes);
    rows = arena_alloc(a, sizeof(*rows) * (size_t)e->rows);
    for (int i = 0; i < e->rows; i++) {
        rows[i] = (struct event_row){
            NULL, seq, e->row[i].seq_last, {frames + from, e->row[i].end - from}};
        seq = e->row[i].seq_last + 1;
        from = e->row[i].end + 1;
        *tail = &rows[i];
        tail = &rows[i].next;
    }
}

static void look_all(struct sqlite_recent *s, struct arena *a, struct recent_view *out)
{
    out->items = arena_alloc(a, sizeof(*out->items) * (s->sessions.count + 1));
    list_foreach(it, &s->order)
    {
        const struct recent *e = container_of(it, struct recent, order);
        out->items[out->count++] = (struct recent_item){e->id, e->key, e->seq_last};
    }
}

void sqlite_recent_look(struct sqlite_recent *s, struct store_req *req, struct recent_view *out)
{
    const struct id *one = NULL;
    int64_t after = 0;
    bool all = false, with_rows = false;

    *out = (struct recent_view){.count = 0};
    switch ((int)req->op) {
    case STORE_EVENTS_READ:
        one = &container_of(req, struct store_events_read, req)->session_id;
        after = container_of(req, struct store_events_read, req)->after;
        with_rows = true;
        break;
    case STORE_SESSION_EXPORT:
        one = &container_of(req, struct store_session_export, req)->load.id;
        with_rows = true;
        break;
    case STORE_SESSION_GET:
        one = &container_of(req, struct store_session_get, req)->id;
        break;
    case STORE_SESSION_LOAD:
        one = &container_of(req, struct store_session_load, req)->id;
        break;
    case STORE_SESSION_LIST:
    case STORE_CHILDREN_LIST:
        all = true;
        break;
    default:
        return;
    }
    uv_mutex_lock(&s->mutex);
    struct recent *e = one ? table_get(&s->sessions, *one) : NULL;
    if (e && e->rows > 0)
        look_one(e, &req->arena, with_rows && e->seq_last > after, out);
    else if (all && !list_empty(&s->order))
        look_all(s, &req->arena, out);
    uv_mutex_unlock(&s->mutex);
}

void sqlite_recent_seq(const struct recent_view *v, const struct id *id, int64_t key,
                       int64_t *last_seq)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->items[i].key == key && id_eq(v->items[i].id, *id) &&
            v->items[i].seq_last > *last_seq)
            *last_seq = v->items[i].seq_last;
}

struct event_row *sqlite_recent_rows(const struct recent_view *v, int64_t key, int64_t stored)
{
    bool follows = v->rows && v->items[0].key == key && v->rows->seq_first == stored + 1;

    return follows ? v->rows : NULL;
}
