/* The event log under any order of commits, seals, feeds, moves, reads, answers and departures:
 * every cursor gives every event after where it began, once and in order, and nobody waits for
 * ever. */
#include "fuzz.h"

#include <string.h>

#include "base/err.h"
#include "net/log.h"

#define VIEWERS    6
#define PENDING    64
#define EVENTS_MAX 300

struct viewer {
    struct log_cursor cursor;
    int64_t expect;
    bool open, ready;
};

struct world {
    struct log_reader reader;
    struct log_hub *hub;
    struct id session;
    int64_t committed, sealed, first_held;
    size_t pad;
    struct log_read *pending[PENDING];
    int64_t seen[PENDING];
    unsigned count;
    bool live, followed;
    struct viewer viewers[VIEWERS];
};

static void world_follow(struct log_reader *r, struct id session_id)
{
    struct world *w = container_of(r, struct world, reader);

    FUZZ_CHECK(!w->followed && id_eq(session_id, w->session));
    w->followed = true;
}

static void world_unfollow(struct log_reader *r, struct id session_id)
{
    struct world *w = container_of(r, struct world, reader);

    FUZZ_CHECK(w->followed && id_eq(session_id, w->session));
    w->followed = false;
}

static void world_read(struct log_reader *r, struct log_read *read)
{
    struct world *w = container_of(r, struct world, reader);

    FUZZ_CHECK(w->count < PENDING);
    w->seen[w->count] = w->committed;
    w->pending[w->count++] = read;
}

static void world_event(const struct world *w, int64_t seq, struct buf *out)
{
    buf_printf(out, "{\"seq\":%lld,\"pad\":\"%0*d\"}", (long long)seq,
               (int)(seq % 7 == 0 ? w->pad : 1), 0);
}

static void world_events(const struct world *w, int64_t first, int64_t last, struct buf *out)
{
    for (int64_t seq = first; seq <= last; seq++) {
        if (seq > first)
            buf_append_char(out, '\n');
        world_event(w, seq, out);
    }
}

static void world_seal(struct world *w, int64_t last)
{
    struct buf b;

    if (last > w->committed)
        last = w->committed;
    if (last <= w->sealed)
        return;
    buf_init(&b, 64u << 20);
    world_events(w, w->sealed + 1, last, &b);
    log_seal(w->hub, w->session, w->sealed + 1, last, buf_str(&b));
    w->sealed = last;
    w->live = true;
    FUZZ_CHECK(!w->followed);
    buf_deinit(&b);
}

/* What another instance has committed and announced: late, twice, in part, or by its numbers. */
static void world_feed(struct world *w, int64_t first, int64_t last, bool numbers)
{
    struct buf b;

    if (last > w->committed)
        last = w->committed;
    if (w->live || first < 1 || first > last)
        return;
    buf_init(&b, 64u << 20);
    if (!numbers)
        world_events(w, first, last, &b);
    log_feed(w->hub, w->session, first, last, buf_str(&b));
    buf_deinit(&b);
}

static void world_answer(struct world *w, unsigned i, int64_t most, bool fails)
{
    struct log_read *read = w->pending[i];
    int64_t first = read->after + 1, last = w->seen[i];
    struct buf b;

    w->pending[i] = w->pending[--w->count];
    w->seen[i] = w->seen[w->count];
    if (fails) {
        log_read_done(read, ERR_UNAVAILABLE, 0, 0, 0, STR_NULL);
        return;
    }
    if (first > w->first_held + 3) /* rows begin where they begin */
        first -= 3;
    if (first < w->first_held)
        first = w->first_held;
    if (last > read->after + most)
        last = read->after + most;
    buf_init(&b, 64u << 20);
    if (last > read->after && last >= first)
        world_events(w, first, last, &b);
    log_read_done(read, 0, first, last, w->first_held, buf_str(&b));
    buf_deinit(&b);
}

static void viewer_ready(struct log_cursor *c)
{
    ((struct viewer *)c->data)->ready = true;
}

static void viewer_check(const struct world *w, struct viewer *v, struct log_run run)
{
    struct str json;
    struct buf b;
    int64_t seq;

    buf_init(&b, 1 << 20);
    while (log_run_next(&run, &seq, &json)) {
        buf_clear(&b);
        world_event(w, seq, &b);
        FUZZ_CHECK(seq == v->expect && str_eq(json, buf_str(&b)));
        v->expect++;
    }
    buf_deinit(&b);
}

/* False when it was closed: what it wants is no longer held. */
static bool viewer_take(const struct world *w, struct viewer *v, size_t bytes)
{
    struct log_run run;

    switch (log_cursor_next(&v->cursor, bytes, &run)) {
    case LOG_NEXT_RUN:
        FUZZ_CHECK(run.len <= bytes || run.seq_first == run.seq_last);
        viewer_check(w, v, run);
        return true;
    case LOG_NEXT_WAIT:
        v->ready = false;
        return true;
    case LOG_NEXT_SNAPSHOT:
        FUZZ_CHECK(v->expect < w->first_held);
        log_cursor_close(&v->cursor);
        v->open = false;
        return false;
    case LOG_NEXT_ERROR:
        FUZZ_CHECK(v->cursor.status == ERR_UNAVAILABLE);
        return true;
    }
    return true;
}

static void viewer_toggle(struct world *w, struct viewer *v, int64_t after)
{
    if (v->open) {
        log_cursor_close(&v->cursor);
        v->open = false;
        return;
    }
    memset(v, 0, sizeof(*v));
    v->cursor.session_id = w->session;
    v->cursor.next_seq = v->expect = after + 1;
    v->cursor.ready = viewer_ready;
    v->cursor.data = v;
    log_cursor_open(w->hub, &v->cursor);
    v->open = v->ready = true;
}

static void world_step(struct world *w, uint8_t op, uint8_t arg)
{
    struct viewer *v = &w->viewers[arg % VIEWERS];

    switch (op % 10) {
    case 0:
        w->committed += arg % 16;
        if (w->committed > EVENTS_MAX)
            w->committed = EVENTS_MAX;
        break;
    case 1:
        world_seal(w, w->sealed + arg % 16);
        break;
    case 2:
        if (w->count > 0)
            world_answer(w, arg % w->count, 1 + arg % 32, arg > 250);
        break;
    case 3:
        viewer_toggle(w, v, w->sealed * (op / 8) / 32);
        break;
    case 4:
        log_forget(w->hub, w->session);
        w->live = false;
        break;
    case 8:
        world_feed(w, w->sealed - 4 + arg % 16, w->sealed + arg / 16, op > 200);
        break;
    case 9: /* it comes back here: others have committed so much meanwhile */
        if (!w->live && w->sealed + arg % 16 <= w->committed)
            w->sealed += arg % 16;
        break;
    case 5:
        if (w->sealed > 0 && arg % 16 == 0)
            w->first_held = 1 + w->sealed / 2; /* the older half is folded away */
        break;
    default:
        if (v->open && v->ready)
            viewer_take(w, v, arg * 64u);
    }
}

static void world_end(struct world *w)
{
    world_seal(w, w->committed);
    if (!w->live && w->committed > 0)
        log_feed(w->hub, w->session, w->committed, w->committed, STR_NULL);
    for (int i = 0; i < VIEWERS; i++) {
        struct viewer *v = &w->viewers[i];
        while (v->open && v->expect <= w->committed) {
            FUZZ_CHECK(v->ready || w->count > 0);
            while (w->count > 0)
                world_answer(w, 0, 50, false);
            while (v->open && v->ready && viewer_take(w, v, 4096))
                ;
        }
        if (v->open)
            viewer_toggle(w, v, 0);
    }
    while (w->count > 0)
        world_answer(w, 0, 50, false);
    log_forget(w->hub, w->session);
    log_hub_destroy(w->hub);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.first_held = 1};

    w.reader.read = world_read;
    w.reader.follow = world_follow;
    w.reader.unfollow = world_unfollow;
    w.hub = log_hub_create(&w.reader);
    w.pad = size > 0 ? data[0] * 64u : 1;
    for (size_t i = 1; i + 1 < size && i < 1000; i += 2)
        world_step(&w, data[i], data[i + 1]);
    world_end(&w);
    return 0;
}
