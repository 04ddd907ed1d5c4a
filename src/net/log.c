#include "net/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/log_frames.h"
#include "net/log_private.h"
#include "net/session_view.h"

#define TAIL_BYTES_FIRST   512
#define TAIL_OFFSETS_FIRST 8

static void tail_free(struct log_tail *t)
{
    list_remove(&t->by_seal);
    list_remove(&t->telling);
    free(t->bytes);
    free(t->offsets);
    free(t);
}

struct log_hub *log_hub_create(struct log_reader *reader)
{
    struct log_hub *h = mem_zalloc(sizeof(*h));

    h->reader = reader;
    table_init(&h->by_session);
    table_init(&h->reads);
    list_init(&h->tails);
    list_init(&h->watchers);
    list_init(&h->telling);
    list_init(&h->reads_queued);
    return h;
}

void log_hub_destroy(struct log_hub *h)
{
    if (!h)
        return;
    assert(h->cursors == 0 && h->reads.count == 0 && list_empty(&h->watchers));
    table_foreach(slot, &h->by_session)
    {
        tail_free(slot->value);
    }
    table_deinit(&h->by_session);
    table_deinit(&h->reads);
    free(h->jobs);
    free(h);
}

struct log_tail *log_tail_want(struct log_hub *h, struct id session_id)
{
    struct log_tail *t = table_get(&h->by_session, session_id);

    if (t)
        return t;
    t = mem_zalloc(sizeof(*t));
    t->hub = h;
    t->session_id = session_id;
    t->seq_last = -1;
    list_init(&t->idle);
    list_init(&t->waiting);
    list_init(&t->due);
    list_init(&t->telling);
    list_init(&t->by_seal);
    table_put(&h->by_session, session_id, t);
    return t;
}

void log_tail_follow(struct log_tail *t)
{
    struct log_reader *r = t->hub->reader;
    bool want = t->cursors > 0 && !t->live && !t->over;

    if (want == t->followed || !r->follow)
        return;
    t->followed = want;
    (want ? r->follow : r->unfollow)(r, t->session_id);
}

void log_tail_maybe_free(struct log_tail *t)
{
    if (t->live || t->cursors > 0 || t->busy > 0)
        return;
    t->hub->bytes -= t->len - t->at;
    table_remove(&t->hub->by_session, t->session_id);
    tail_free(t);
}

/* ---- bytes ---- */

static size_t tail_frame_end(const struct log_tail *t, size_t i)
{
    return i + 1 < t->count ? t->offsets[t->first + i + 1] : t->len;
}

static void tail_drop_first(struct log_tail *t)
{
    size_t end = tail_frame_end(t, 0);

    t->hub->bytes -= end - t->at;
    t->at = end;
    t->first++;
    t->count--;
    t->seq_first++;
}

static void tail_drop_all(struct log_tail *t)
{
    t->hub->bytes -= t->len - t->at;
    list_remove(&t->by_seal);
    t->seq_first = t->seq_last + 1;
    t->at = t->len = t->first = t->count = 0;
    free(t->bytes);
    free(t->offsets);
    t->bytes = NULL;
    t->offsets = NULL;
    t->cap = t->offsets_cap = 0;
}

/* Moves what is live to the front, so that offsets stay small and the space is used again. */
static void tail_compact(struct log_tail *t)
{
    if (t->at > 0) {
        memmove(t->bytes, t->bytes + t->at, t->len - t->at);
        for (size_t i = 0; i < t->count; i++)
            t->offsets[i] = t->offsets[t->first + i] - (uint32_t)t->at;
        t->len -= t->at;
        t->at = 0;
        t->first = 0;
    }
}

static void tail_reserve(struct log_tail *t, size_t bytes, size_t frames)
{
    if (t->len + bytes > t->cap || t->first + t->count + frames > t->offsets_cap)
        tail_compact(t);
    if (t->len + bytes > t->cap) {
        size_t cap = t->cap ? t->cap : TAIL_BYTES_FIRST;
        while (cap < t->len + bytes)
            cap *= 2;
        t->bytes = mem_realloc(t->bytes, cap);
        t->cap = cap;
    }
    if (t->count + frames > t->offsets_cap) {
        size_t cap = t->offsets_cap ? t->offsets_cap : TAIL_OFFSETS_FIRST;
        while (cap < t->count + frames)
            cap *= 2;
        t->offsets = mem_realloc(t->offsets, cap * sizeof(*t->offsets));
        t->offsets_cap = cap;
    }
}

static void tail_append(struct log_tail *t, struct str frames)
{
    struct str line;

    while (frame_next_line(&frames, &line)) {
        size_t header = frame_write_header(t->bytes + t->len, line.n);
        t->offsets[t->first + t->count++] = (uint32_t)t->len;
        memcpy(t->bytes + t->len + header, line.p, line.n);
        t->len += header + line.n;
        t->hub->bytes += header + line.n;
    }
}

void log_tail_run(const struct log_tail *t, int64_t seq, size_t bytes_max, struct log_run *out)
{
    size_t from = (size_t)(seq - t->seq_first);
    size_t start = t->offsets[t->first + from];
    size_t low = from + 1, high = t->count; /* frames [from, low) fit, more than high do not */

    if (t->len - start <= bytes_max)
        low = high;
    while (low < high) {
        size_t mid = low + (high - low + 1) / 2;
        if (tail_frame_end(t, mid - 1) - start <= bytes_max)
            low = mid;
        else
            high = mid - 1;
    }
    out->seq_first = seq;
    out->seq_last = t->seq_first + (int64_t)low - 1;
    out->bytes = t->bytes + start;
    out->len = tail_frame_end(t, low - 1) - start;
}

/* ---- sealing ---- */

static size_t frames_size(struct str frames, size_t *count)
{
    struct str line;
    size_t bytes = 0;

    *count = 0;
    while (frame_next_line(&frames, &line)) {
        bytes += frame_size(line.n);
        ++*count;
    }
    return bytes;
}

static void hub_evict(struct log_hub *h)
{
    list_foreach_safe(it, next, &h->tails)
    {
        struct log_tail *t = container_of(it, struct log_tail, by_seal);
        if (h->bytes <= LOG_TAILS_BYTES_MAX)
            return;
        if (t->busy == 0)
            tail_drop_all(t);
    }
}

void log_rest(struct log_hub *h, struct id session_id)
{
    struct log_tail *t = table_get(&h->by_session, session_id);

    if (t && t->cursors == 0 && t->busy == 0 && t->count > 0)
        tail_drop_all(t);
}

static void hub_tell_watchers(struct log_hub *h, struct id session_id, struct str frames)
{
    struct str line;

    while (!list_empty(&h->watchers) && frame_next_line(&frames, &line)) {
        if (event_is_state_change(line))
            log_tell_watchers(h, session_id, line);
    }
}

void log_tell_watchers(struct log_hub *h, struct id session_id, struct str frame)
{
    list_foreach_safe(it, next, &h->watchers)
    {
        struct log_watcher *w = container_of(it, struct log_watcher, link);
        w->frame(w, session_id, frame);
    }
}

/* ---- telling ---- */

#define TELL_COST_MIN 2048                                          /* a write of nothing much */
#define TOGETHER_MAX  (SENDERS_MAX * LOG_TELL_COST / TELL_COST_MIN) /* readers in one turn */

void log_hub_set_later(struct log_hub *h, void (*later)(void *data), void *data)
{
    h->later = later;
    h->later_data = data;
}

void log_hub_set_together(struct log_hub *h, const struct log_together *together)
{
    h->together = together;
}

/* The kernel's part of a write pushes what the next reader needs out of the caches; here it has the
 * time of a write to come back. */
static void tail_look_ahead(const struct log_tail *t)
{
    const struct list *next = t->due.next;
    const char *data;

    if (next == &t->due)
        return;
    __builtin_prefetch(container_of(next->next, struct log_cursor, link));
    __builtin_prefetch(next->next);
    data = container_of(next, struct log_cursor, link)->data;
    if (!data)
        return;
    __builtin_prefetch(data);
    __builtin_prefetch(data + 63);
}

static size_t cost_less(size_t cost, size_t bytes)
{
    bytes = bytes > TELL_COST_MIN ? bytes : TELL_COST_MIN;
    return bytes < cost ? cost - bytes : 0;
}

static size_t by_threads(size_t n, const struct log_together *with)
{
    return n == SIZE_MAX ? n : n * with->threads;
}

static void tail_tell_each(struct log_tail *t, size_t count, size_t cost)
{
    struct list *l;

    for (; count > 0 && cost > 0 && (l = list_pop(&t->due)); count--) {
        tail_look_ahead(t);
        cost = cost_less(cost, log_cursor_tell(t, container_of(l, struct log_cursor, link)));
    }
}

/* Nothing of the log or of a reader is called between the first byte that is looked up and the last
 * one that is written: the tail stands still. Those who are told alone come after that. */
static void tail_tell_together(struct log_tail *t, size_t count, size_t cost)
{
    struct log_hub *h = t->hub;
    unsigned n = 0;
    struct list alone, *l;

    if (!h->jobs)
        h->jobs = mem_calloc(TOGETHER_MAX, sizeof(*h->jobs));
    list_init(&alone);
    for (; count > 0 && cost > 0 && n < TOGETHER_MAX && (l = list_pop(&t->due)); count--) {
        tail_look_ahead(t);
        if (log_cursor_begin(t, container_of(l, struct log_cursor, link), &h->jobs[n])) {
            cost = cost_less(cost, h->jobs[n++].len);
        } else {
            list_append(&alone, l);
            cost = cost_less(cost, 0);
        }
    }
    h->together->send(h->together, h->jobs, n);
    for (unsigned i = 0; i < n; i++)
        log_cursor_told(t, &h->jobs[i]);
    while ((l = list_pop(&alone)))
        log_cursor_tell(t, container_of(l, struct log_cursor, link));
}

/* A thread tells so many, or for so much; the tail may be gone afterwards. False: others are left.
 */
static bool tail_tell(struct log_tail *t, size_t count, size_t cost)
{
    const struct log_together *with = t->hub->later ? t->hub->together : NULL;
    bool all;

    t->busy++;
    if (with && t->cursors >= LOG_TOGETHER)
        tail_tell_together(t, by_threads(count, with), by_threads(cost, with));
    else
        tail_tell_each(t, count, cost);
    t->busy--;
    all = list_empty(&t->due);
    if (all)
        list_remove(&t->telling);
    log_tail_maybe_free(t);
    return all;
}

void log_tail_announce(struct log_tail *t)
{
    struct log_hub *h = t->hub;

    /* Those that are due since an earlier seal lack more, and are first. */
    list_splice(&t->due, &t->waiting);
    if (!h->later) {
        tail_tell(t, SIZE_MAX, SIZE_MAX);
    } else if (!list_is_linked(&t->telling) && !tail_tell(t, LOG_TELL_NOW, SIZE_MAX)) {
        list_append(&h->telling, &t->telling);
        h->later(h->later_data);
    }
}

bool log_tell_more(struct log_hub *h)
{
    struct list *l = list_pop(&h->telling);

    if (l) {
        struct log_tail *t = container_of(l, struct log_tail, telling);
        list_append(&h->telling, l); /* the others first now */
        tail_tell(t, SIZE_MAX, LOG_TELL_COST);
    }
    return !list_empty(&h->telling);
}

/* The order matters when tails are about to be evicted. Long before that it is left alone: of many
 * sessions the neighbours in the list are out of the caches. */
static void tail_note_seal(struct log_tail *t)
{
    if (list_is_linked(&t->by_seal) && t->hub->bytes < LOG_TAILS_BYTES_MAX / 2)
        return;
    list_remove(&t->by_seal);
    list_append(&t->hub->tails, &t->by_seal);
}

/* Appends events, the first of which is the next one after the tail's last, or a later one: then
 * the readers who lack those between take them from the store. */
static void tail_seal(struct log_tail *t, int64_t seq_first, int64_t seq_last, struct str frames)
{
    size_t count, bytes = frames_size(frames, &count);

    assert(count > 0 && seq_last - seq_first + 1 == (int64_t)count && t->seq_last < seq_first);
    if (t->count > 0 && t->seq_last + 1 != seq_first)
        tail_drop_all(t);
    while (t->count > 0 && t->len - t->at + bytes > LOG_TAIL_BYTES_MAX)
        tail_drop_first(t);
    if (t->count == 0) {
        t->seq_first = seq_first;
        t->at = t->len = t->first = 0;
    }
    tail_reserve(t, bytes, count);
    tail_append(t, frames);
    t->seq_last = seq_last;
    tail_note_seal(t);
    t->over = event_is_ending(frame_payload(t->bytes + t->offsets[t->first + t->count - 1]));
}

/* Cuts off what the tail knows already. False when nothing is left. */
static bool tail_trim(const struct log_tail *t, int64_t *seq_first, struct str *frames)
{
    struct str line;

    while (frames->n > 0 && *seq_first <= t->seq_last) {
        frame_next_line(frames, &line);
        ++*seq_first;
    }
    return frames->n > 0;
}

#define SEAL_BYTES_ABOUT 512 /* of an event */

static const struct log_cursor *tail_first_waiting(const struct log_tail *t)
{
    return container_of(t->waiting.next, struct log_cursor, link);
}

void log_seal_soon(const struct log_hub *h, const struct id *sessions, size_t count)
{
    struct log_tail *tails[LOG_SOON_MAX];

    assert(count <= LOG_SOON_MAX);
    for (size_t i = 0; i < count; i++)
        table_fetch(&h->by_session, sessions[i]);
    for (size_t i = 0; i < count; i++) {
        tails[i] = table_get(&h->by_session, sessions[i]);
        if (tails[i])
            mem_fetch(tails[i], sizeof(*tails[i]));
    }
    for (size_t i = 0; i < count; i++) {
        const struct log_tail *t = tails[i];
        if (!t || list_empty(&t->waiting) || !t->bytes)
            continue;
        mem_fetch(t->bytes + t->len, SEAL_BYTES_ABOUT);
        mem_fetch(t->offsets + t->first + t->count, sizeof(*t->offsets));
        mem_fetch(tail_first_waiting(t), sizeof(struct log_cursor));
    }
    for (size_t i = 0; i < count; i++) {
        const struct log_tail *t = tails[i];
        if (t && !list_empty(&t->waiting))
            mem_fetch(tail_first_waiting(t)->data, MEM_LINE_BYTES);
    }
    for (size_t i = 0; i < count; i++) {
        const struct log_tail *t = tails[i];
        if (t && !list_empty(&t->waiting) && tail_first_waiting(t)->soon)
            tail_first_waiting(t)->soon(tail_first_waiting(t));
    }
}

void log_seal(struct log_hub *h, struct id session_id, int64_t seq_first, int64_t seq_last,
              struct str frames)
{
    struct log_tail *t = log_tail_want(h, session_id);
    struct str news = frames;

    /* A feed may have found it in the store before the journal heard of its own commits. */
    if (tail_trim(t, &seq_first, &news))
        tail_seal(t, seq_first, seq_last, news);
    t->live = true;
    log_tail_follow(t);
    log_tail_announce(t);
    hub_tell_watchers(h, session_id, frames);
    hub_evict(h);
}

void log_feed(struct log_hub *h, struct id session_id, int64_t seq_first, int64_t seq_last,
              struct str frames)
{
    struct log_tail *t = table_get(&h->by_session, session_id);

    if (!t || t->live || seq_last <= t->seq_last)
        return;
    if (frames.n == 0) {
        t->seq_last = seq_last;
        tail_drop_all(t);
    } else if (tail_trim(t, &seq_first, &frames)) {
        tail_seal(t, seq_first, seq_last, frames);
    }
    log_tail_follow(t);
    log_tail_announce(t);
    hub_evict(h);
}

void log_forget(struct log_hub *h, struct id session_id)
{
    struct log_tail *t = table_get(&h->by_session, session_id);

    if (!t)
        return;
    t->live = false;
    log_tail_follow(t);
    log_tail_maybe_free(t);
}

int64_t log_last_seq(const struct log_hub *h, struct id session_id)
{
    const struct log_tail *t = table_get(&h->by_session, session_id);

    return t ? t->seq_last : -1;
}

bool log_run_next(struct log_run *run, int64_t *seq, struct str *json)
{
    size_t used;

    if (run->len == 0)
        return false;
    *json = frame_payload(run->bytes);
    *seq = run->seq_first++;
    used = frame_size(json->n);
    run->bytes += used;
    run->len -= used;
    return true;
}

void log_watch(struct log_hub *h, struct log_watcher *w)
{
    bool first = list_empty(&h->watchers);

    w->hub = h;
    list_append(&h->watchers, &w->link);
    if (first && h->reader->follow)
        h->reader->follow(h->reader, (struct id){{0}});
}

void log_unwatch(struct log_watcher *w)
{
    struct log_hub *h = w->hub;

    list_remove(&w->link);
    if (list_empty(&h->watchers) && h->reader->unfollow)
        h->reader->unfollow(h->reader, (struct id){{0}});
}

void log_stats(const struct log_hub *h, struct log_stats *out)
{
    *out = (struct log_stats){
        .tails = (unsigned)h->by_session.count,
        .cursors = h->cursors,
        .reads = (unsigned)h->reads.count,
        .bytes = h->bytes,
    };
}
