#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/log.h"
#include "net/log_frames.h"
#include "net/log_private.h"

/* ---- reads behind the tail ---- */

/* Readers at the same place share one read. */
static struct id read_key(struct id session_id, int64_t after)
{
    struct id key = session_id;

    for (int i = 0; i < 8; i++)
        key.b[8 + i] ^= (uint8_t)((uint64_t)after * 0x9e3779b97f4a7c15u >> (8 * i));
    return key;
}

static void reads_start(struct log_hub *h)
{
    while (h->reads_started < LOG_READS_MAX && !list_empty(&h->reads_queued)) {
        struct log_read *r = container_of(list_pop(&h->reads_queued), struct log_read, link);
        const struct log_tail *t = table_get(&h->by_session, r->session_id);
        r->started = true;
        r->expects = t && t->seq_last > r->after;
        h->reads_started++;
        h->reader->read(h->reader, r);
    }
}

static void read_free(struct log_read *r)
{
    if (table_get(&r->hub->reads, read_key(r->session_id, r->after)) == r)
        table_remove(&r->hub->reads, read_key(r->session_id, r->after));
    list_remove(&r->link);
    free(r);
}

static void cursor_read(struct log_cursor *c)
{
    struct log_hub *h = c->hub;
    int64_t after = c->next_seq - 1;
    struct id key = read_key(c->session_id, after);
    struct log_read *r = table_get(&h->reads, key);

    /* One under way whose cursors have all gone may be older than the tail's knowledge. */
    if (!r || (r->started && list_empty(&r->cursors)) || r->after != after ||
        !id_eq(r->session_id, c->session_id)) {
        r = mem_zalloc(sizeof(*r));
        r->session_id = c->session_id;
        r->after = after;
        r->hub = h;
        list_init(&r->cursors);
        list_append(&h->reads_queued, &r->link);
        table_put(&h->reads, key, r);
    }
    c->read = r;
    list_remove(&c->link);
    list_append(&r->cursors, &c->link);
    reads_start(h);
}

static struct log_chunk *chunk_create(int64_t after, int64_t seq_first, int64_t seq_last,
                                      struct str frames)
{
    struct log_chunk *chunk = mem_alloc(sizeof(*chunk) + frames.n + FRAME_HEADER_MAX);
    struct str rest = frames, line;
    int64_t seq = seq_first;
    size_t bytes = 0;

    while (frame_next_line(&rest, &line))
        if (seq++ > after)
            bytes += frame_size(line.n);
    chunk = mem_realloc(chunk, sizeof(*chunk) + bytes);
    chunk->refs = 1;
    chunk->seq_last = seq_last;
    chunk->len = 0;
    for (rest = frames, seq = seq_first; frame_next_line(&rest, &line); seq++) {
        if (seq <= after)
            continue;
        chunk->len += frame_write_header(chunk->bytes + chunk->len, line.n);
        memcpy(chunk->bytes + chunk->len, line.p, line.n);
        chunk->len += line.n;
    }
    return chunk;
}

static void chunk_unref(struct log_chunk *chunk)
{
    if (chunk && --chunk->refs == 0)
        free(chunk);
}

/* What the read means for one of its cursors. */
static void cursor_take_read(struct log_cursor *c, int status, int64_t first_held,
                             struct log_chunk *chunk)
{
    c->read = NULL;
    c->status = status;
    c->failed = status < 0;
    if (c->failed)
        return;
    if (first_held > c->next_seq) {
        c->gone = true;
    } else if (chunk) {
        chunk->refs++;
        c->chunk = chunk;
        c->chunk_at = 0;
    } else {
        c->drained_at = c->next_seq;
    }
}

void log_read_done(struct log_read *read, int status, int64_t seq_first, int64_t seq_last,
                   int64_t first_held, struct str frames)
{
    struct log_hub *h = read->hub;
    struct log_chunk *chunk = NULL;
    struct list cursors, *l;

    assert(read->started);
    if (status == 0 && first_held <= read->after + 1) {
        bool found = frames.n > 0 && seq_last > read->after;
        if (found ? seq_first > read->after + 1 : read->expects)
            status = ERR_CORRUPT; /* events that were sealed are not in the store */
        else if (found)
            chunk = chunk_create(read->after, seq_first, seq_last, frames);
    }
    list_init(&cursors);
    list_splice(&cursors, &read->cursors);
    h->reads_started--;
    read_free(read);
    while ((l = list_pop(&cursors))) {
        struct log_cursor *c = container_of(l, struct log_cursor, link);
        list_append(&c->tail->idle, l);
        cursor_take_read(c, status, first_held, chunk);
        c->ready(c);
    }
    chunk_unref(chunk);
    reads_start(h);
}

/* ---- cursors ---- */

void log_cursor_open(struct log_hub *h, struct log_cursor *c)
{
    c->hub = h;
    c->tail = log_tail_want(h, c->session_id);
    c->tail->cursors++;
    h->cursors++;
    c->read = NULL;
    c->chunk = NULL;
    c->chunk_at = 0;
    c->drained_at = -1;
    c->status = 0;
    c->failed = false;
    c->gone = false;
    list_append(&c->tail->idle, &c->link);
    log_tail_follow(c->tail);
}

void log_cursor_close(struct log_cursor *c)
{
    struct log_read *r = c->read;

    list_remove(&c->link);
    if (r && !r->started && list_empty(&r->cursors))
        read_free(r);
    c->read = NULL;
    chunk_unref(c->chunk);
    c->chunk = NULL;
    c->hub->cursors--;
    c->tail->cursors--;
    log_tail_follow(c->tail);
    log_tail_maybe_free(c->tail);
    c->tail = NULL;
}

static void cursor_take_chunk(struct log_cursor *c, size_t bytes_max, struct log_run *out)
{
    struct log_chunk *chunk = c->chunk;

    out->seq_first = out->seq_last = c->next_seq;
    out->bytes = chunk->bytes + c->chunk_at;
    out->len = frame_size(frame_payload(out->bytes).n);
    while (c->chunk_at + out->len < chunk->len) {
        size_t more = frame_size(frame_payload(out->bytes + out->len).n);
        if (out->len + more > bytes_max)
            break;
        out->len += more;
        out->seq_last++;
    }
    c->chunk_at += out->len;
    c->next_seq = out->seq_last + 1;
}

static bool tail_holds(const struct log_tail *t, int64_t seq)
{
    return t->count > 0 && seq >= t->seq_first && seq <= t->seq_last;
}

static enum log_next cursor_wait(struct log_cursor *c)
{
    list_remove(&c->link);
    list_append(&c->tail->waiting, &c->link);
    return LOG_NEXT_WAIT;
}

enum log_next log_cursor_next(struct log_cursor *c, size_t bytes_max, struct log_run *out)
{
    const struct log_tail *t = c->tail;

    if (c->read)
        return LOG_NEXT_WAIT;
    if (c->gone)
        return LOG_NEXT_SNAPSHOT;
    /* A chunk that was used up is kept until here: the run given from it was valid till now. */
    if (c->chunk && c->chunk_at == c->chunk->len) {
        chunk_unref(c->chunk);
        c->chunk = NULL;
    }
    if (c->chunk) {
        cursor_take_chunk(c, bytes_max, out);
        return LOG_NEXT_RUN;
    }
    if (c->failed) {
        c->failed = false;
        return LOG_NEXT_ERROR;
    }
    if (tail_holds(t, c->next_seq)) {
        log_tail_run(t, c->next_seq, bytes_max, out);
        c->next_seq = out->seq_last + 1;
        return LOG_NEXT_RUN;
    }
    if (t->seq_last >= 0 ? c->next_seq > t->seq_last : c->drained_at == c->next_seq)
        return cursor_wait(c);
    cursor_read(c);
    return LOG_NEXT_WAIT;
}

/* A cursor that waits has no chunk, and no read under way. */
static size_t cursor_deliver(struct log_tail *t, struct log_cursor *c)
{
    struct log_run run;

    if (!c->deliver || !tail_holds(t, c->next_seq))
        return 0;
    log_tail_run(t, c->next_seq, LOG_DELIVER_BYTES, &run);
    if (!c->deliver(c, &run))
        return 0;
    c->next_seq = run.seq_last + 1;
    list_append(c->next_seq > t->seq_last ? &t->waiting : &t->due, &c->link);
    return run.len;
}

size_t log_cursor_tell(struct log_tail *t, struct log_cursor *c)
{
    size_t bytes = cursor_deliver(t, c);

    if (bytes > 0)
        return bytes;
    list_append(&t->idle, &c->link);
    c->ready(c);
    return 0;
}

bool log_cursor_begin(struct log_tail *t, struct log_cursor *c, struct send_job *job)
{
    struct log_run run;
    int fd;

    if (!c->deliver || !tail_holds(t, c->next_seq))
        return false;
    log_tail_run(t, c->next_seq, LOG_DELIVER_BYTES, &run);
    fd = t->hub->together->begin(c, &run);
    if (fd < 0)
        return false;
    *job = (struct send_job){.bytes = run.bytes,
                             .len = run.len,
                             .fd = fd,
                             .frames = (unsigned)(run.seq_last - run.seq_first + 1),
                             .data = c};
    c->next_seq = run.seq_last + 1;
    return true;
}

void log_cursor_told(struct log_tail *t, const struct send_job *job)
{
    struct log_cursor *c = job->data;

    list_append(c->next_seq > t->seq_last ? &t->waiting : &t->due, &c->link);
    t->hub->together->end(c, job);
}

bool log_cursor_has_more(const struct log_cursor *c)
{
    return !c->read &&
           ((c->chunk && c->chunk_at < c->chunk->len) || tail_holds(c->tail, c->next_seq));
}
