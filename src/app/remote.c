#include "app/remote.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/state.h"
#include "net/session_view.h"

static void feed_want_read(struct feed *f);
static void reads_start(struct remote *r);

/* ---- one session ---- */

static void feed_free(struct feed *f)
{
    list_remove(&f->queued);
    free(f);
}

static bool feed_is_active(const struct feed *f)
{
    return !f->ended && !f->gone;
}

/* Nothing will come any more: nobody needs to tell us, and nothing is looked up. */
static void feed_end(struct feed *f)
{
    if (f->ended)
        return;
    f->ended = true;
    cache_unlisten(f->remote->app->cache, str_of(f->channel));
}

static struct str last_line(struct str frames)
{
    const char *nl = memrchr(frames.p, '\n', frames.n);
    return nl ? (struct str){nl + 1, frames.n - (size_t)(nl + 1 - frames.p)} : frames;
}

/* Events that continue what is known, or are known in part. */
static void feed_give(struct feed *f, int64_t seq_first, int64_t seq_last, struct str frames)
{
    struct remote *r = f->remote;
    bool ends = event_is_ending(last_line(frames));
    if (seq_last <= f->known)
        return;
    r->fed += (unsigned long long)(seq_last - f->known);
    f->known = seq_last;
    f->heard_at = remote_now();
    f->silent_ms = r->silent_ms;
    if (ends)
        feed_end(f);
    log_feed(r->app->log, f->id, seq_first, seq_last, frames); /* f may be gone after it */
}

/* ---- reading the store ---- */

struct feed_read {
    struct feed *feed;
    union {
        struct store_req base;
        struct store_session_get get;
        struct store_events_read events;
    } u;
};

/* Takes the request off the feed: the feed, or NULL when it is not followed any more. */
static struct feed *feed_read_done(struct feed_read *fr)
{
    struct feed *f = fr->feed;
    struct remote *r = f->remote;
    r->reads--;
    f->reading = false;
    f->heard_at = remote_now();
    if (f->gone) {
        feed_free(f);
        f = NULL;
    }
    reads_start(r);
    return f;
}

static void feed_read_free(struct feed_read *fr)
{
    store_req_deinit(&fr->u.base);
    free(fr);
}

static void feed_go_on(struct remote *r, struct id session_id)
{
    struct feed *f = table_get(&r->feeds, session_id);
    if (!f || !feed_is_active(f))
        return;
    if (f->again || f->wanted > f->known) {
        f->again = false;
        feed_want_read(f);
    }
}

/* How far is it, and has it ended? Its readers take what there is from the store themselves. */
static void feed_based(struct store_req *req)
{
    struct feed_read *fr = req->data;
    struct feed *f = feed_read_done(fr);
    const struct session_row *row = &fr->u.get.row;
    enum session_status status;
    if (f && req->status == ERR_NOT_FOUND) {
        feed_end(f);
    } else if (f && req->status == 0) {
        struct remote *r = f->remote;
        struct id id = f->id;
        f->based = true;
        f->known = row->core.last_seq > f->known ? row->core.last_seq : f->known;
        if (f->wanted <= f->known)
            f->wanted = 0;
        if (row->meta.stored_only || !session_status_parse(row->core.status, &status) ||
            session_status_is_terminal(status))
            feed_end(f);
        if (f->known > 0)
            log_feed(r->app->log, id, f->known, f->known, STR_NULL);
        feed_go_on(r, id);
    }
    feed_read_free(fr);
}

static void feed_events(struct store_req *req)
{
    struct feed_read *fr = req->data;
    struct store_events_read *ev = &fr->u.events;
    struct feed *f = feed_read_done(fr);
    struct remote *r = f ? f->remote : NULL;
    struct id id = f ? f->id : (struct id){{0}};
    if (f && req->status == ERR_NOT_FOUND)
        feed_end(f);
    /* Each row may end with the session, and its readers with it. */
    for (struct event_row *row = ev->rows; f && req->status == 0 && row; row = row->next) {
        feed_give(f, row->seq_first, row->seq_last, row->frames);
        f = table_get(&r->feeds, id);
    }
    if (f && req->status == 0 && ev->last_seq > f->known) {
        if (ev->rows) {
            f->again = true; /* the rest */
        } else {
            f->known = ev->last_seq; /* folded away: readers take a snapshot */
            log_feed(r->app->log, id, f->known, f->known, STR_NULL);
            f = table_get(&r->feeds, id);
        }
    }
    if (f && req->status == 0 && f->wanted > ev->last_seq)
        f->wanted = 0; /* announced, and not there: that was not true */
    if (f && req->status == 0)
        feed_go_on(r, id);
    feed_read_free(fr);
}

static void feed_read(struct feed *f)
{
    struct feed_read *fr = mem_zalloc(sizeof(*fr));
    struct remote *r = f->remote;
    fr->feed = f;
    f->reading = true;
    r->reads++;
    r->feed_reads++;
    if (f->based) {
        store_req_init(&fr->u.base, STORE_EVENTS_READ, feed_events, fr);
        fr->u.events.session_id = f->id;
        fr->u.events.after = f->known;
        fr->u.events.limit = STORE_LIMIT_MAX;
        fr->u.events.bytes_max = LOG_READ_BYTES;
    } else {
        store_req_init(&fr->u.base, STORE_SESSION_GET, feed_based, fr);
        fr->u.get.id = f->id;
    }
    store_submit(r->app->store, &fr->u.base);
}

static void reads_start(struct remote *r)
{
    struct list *it;
    while (r->reads < REMOTE_READS_MAX && (it = list_pop(&r->queued)) != NULL)
        feed_read(container_of(it, struct feed, queued));
}

static void feed_want_read(struct feed *f)
{
    if (!feed_is_active(f))
        return;
    if (f->reading) {
        f->again = true;
    } else if (!list_is_linked(&f->queued)) {
        list_append(&f->remote->queued, &f->queued);
        reads_start(f->remote);
    }
}

/* ---- messages ---- */

static size_t lines_of(struct str text)
{
    size_t n = 1;
    for (const char *p = text.p; (p = memchr(p, '\n', text.n - (size_t)(p - text.p))); p++)
        n++;
    return n;
}

static void feed_heard(struct feed *f, struct str payload)
{
    int64_t first, last;
    if (!remote_cut_number(&payload, &first) || !remote_cut_number(&payload, &last) || first < 1 ||
        last < first || !feed_is_active(f))
        return;
    f->heard_at = remote_now();
    if (last <= f->known)
        return;
    bool whole = payload.n > 0 && (int64_t)lines_of(payload) == last - first + 1 &&
                 !memmem(payload.p, payload.n, "\n\n", 2) && payload.p[0] != '\n' &&
                 payload.p[payload.n - 1] != '\n';
    if (f->based && whole && first <= f->known + 1) {
        feed_give(f, first, last, payload);
        return;
    }
    f->wanted = last > f->wanted ? last : f->wanted;
    feed_want_read(f);
}

static void remote_message(struct cache_listener *l, struct str channel, struct str payload)
{
    struct remote *r = l->data;
    struct id id;
    if (channel.n == ID_TEXT_BYTES + 2 && channel.p[0] == 's' && channel.p[1] == ':') {
        struct str text = {channel.p + 2, ID_TEXT_BYTES};
        struct feed *f = id_parse(text, &id) ? table_get(&r->feeds, id) : NULL;
        if (f)
            feed_heard(f, payload);
    } else if (str_eqz(channel, "interest")) {
        remote_interest_heard(r, payload);
    } else if (str_eqz(channel, "states")) {
        remote_states_heard(r, payload);
    }
}

static void remote_missed(struct cache_listener *l)
{
    struct remote *r = l->data;
    table_foreach(slot, &r->feeds)
    {
        feed_want_read(slot->value);
    }
    remote_ask_interest(r);
    remote_say_all_interests(r);
}

/* What came before the channel was heard is looked up. */
static void remote_listening(struct cache_listener *l, struct str channel)
{
    struct remote *r = l->data;
    struct id id;
    if (str_eqz(channel, "interest")) {
        remote_ask_interest(r);
        remote_say_all_interests(r);
    } else if (channel.n == ID_TEXT_BYTES + 2 && channel.p[0] == 's') {
        struct str text = {channel.p + 2, ID_TEXT_BYTES};
        struct feed *f = id_parse(text, &id) ? table_get(&r->feeds, id) : NULL;
        if (f)
            feed_want_read(f);
    }
}

/* ---- time ---- */

/* Announcements are hardly ever lost while the cache is there, so who is silent for long is asked
 * less often. */
static void feed_look(struct feed *f, int64_t now, bool cache_is_up)
{
    if (!feed_is_active(f) || f->reading)
        return;
    if (!cache_is_up)
        f->silent_ms = f->remote->silent_ms;
    if (now - f->heard_at < f->silent_ms)
        return;
    if (cache_is_up && f->based && f->silent_ms < REMOTE_SILENT_MAX)
        f->silent_ms *= 2;
    feed_want_read(f);
}

static void remote_ticked(uv_timer_t *t)
{
    struct remote *r = t->data;
    int64_t now = remote_now();
    bool active = r->watched;
    struct cache_stats st;
    if (instances_is_resting(&r->app->instances)) {
        uv_timer_stop(t); /* remote_wake() starts it again */
        return;
    }
    cache_stats(r->app->cache, &st);
    table_foreach(slot, &r->feeds)
    {
        struct feed *f = slot->value;
        active = active || feed_is_active(f);
        feed_look(f, now, st.up);
    }
    if (now - r->renewed_at >= r->renew_ms && active)
        remote_say_all_interests(r);
    if (!active)
        uv_timer_stop(t);
}

static void remote_arm(struct remote *r)
{
    uint64_t ms = (uint64_t)r->silent_ms / 4 ? (uint64_t)r->silent_ms / 4 : 1;
    if (!uv_is_active((uv_handle_t *)&r->tick))
        uv_timer_start(&r->tick, remote_ticked, ms, ms);
}

void remote_wake(struct remote *r)
{
    if (!r->on || (r->feeds.count == 0 && !r->watched))
        return;
    table_foreach(slot, &r->feeds)
    {
        feed_want_read(slot->value);
    }
    remote_say_all_interests(r);
    remote_arm(r);
}

/* ---- the log's wishes ---- */

static void remote_follow(struct log_reader *reader, struct id session_id)
{
    struct app *a = container_of(reader, struct app, reader);
    struct remote *r = &a->remote;
    struct cache_stats st;
    remote_arm(r);
    remote_say_interest(r, session_id);
    if (id_is_zero(session_id)) {
        r->watched = true;
        cache_listen(a->cache, STR("states"));
        return;
    }
    struct feed *f = mem_zalloc(sizeof(*f));
    f->remote = r;
    f->id = session_id;
    f->heard_at = remote_now();
    f->silent_ms = r->silent_ms;
    memcpy(f->channel, "s:", 2);
    id_format(session_id, f->channel + 2);
    list_init(&f->queued);
    table_put(&r->feeds, session_id, f);
    cache_listen(a->cache, str_of(f->channel));
    /* The base is read when the channel is heard; who cannot hear now has to read now. */
    cache_stats(a->cache, &st);
    if (!st.up)
        feed_want_read(f);
}

static void remote_unfollow(struct log_reader *reader, struct id session_id)
{
    struct app *a = container_of(reader, struct app, reader);
    struct remote *r = &a->remote;
    if (id_is_zero(session_id)) {
        r->watched = false;
        cache_unlisten(a->cache, STR("states"));
        return;
    }
    struct feed *f = table_remove(&r->feeds, session_id);
    if (!f)
        return;
    feed_end(f);
    list_remove(&f->queued);
    f->gone = true;
    if (!f->reading)
        feed_free(f);
}

/* ---- opening and closing ---- */

void remote_open(struct remote *r, struct app *a)
{
    memset(r, 0, sizeof(*r));
    r->app = a;
    r->silent_ms = REMOTE_SILENT_MS;
    r->renew_ms = REMOTE_RENEW_MS;
    table_init(&r->feeds);
    table_init(&r->interest);
    list_init(&r->interest_order);
    list_init(&r->queued);
    list_init(&r->listener.link);
    uv_timer_init(&a->loop, &r->tick);
    r->tick.data = r;
}

void remote_start(struct remote *r)
{
    struct app *a = r->app;
    if (!a->cache || !a->cache->v->shared || !a->store->v->shared)
        return;
    r->on = true;
    r->self = id_new(&a->ids, (uint64_t)clock_wall_ms());
    r->listener = (struct cache_listener){.message = remote_message,
                                          .missed = remote_missed,
                                          .listening = remote_listening,
                                          .data = r};
    cache_add_listener(a->cache, &r->listener);
    cache_listen(a->cache, STR("interest"));
    a->reader.follow = remote_follow;
    a->reader.unfollow = remote_unfollow;
    uv_unref((uv_handle_t *)&r->tick);
}

void remote_close(struct remote *r)
{
    if (r->on) {
        cache_remove_listener(&r->listener);
        cache_unlisten(r->app->cache, STR("interest"));
    }
    r->on = false;
    remote_interest_deinit(r);
    table_deinit(&r->feeds);
    uv_close((uv_handle_t *)&r->tick, NULL);
}
