#include "app/webhooks.h"

#include <stdlib.h>
#include <string.h>

#include "app/webhook_private.h"
#include "base/log.h"
#include "base/mem.h"

#define LIST_MAX  100000 /* webhooks of all workspaces */
#define SCAN_PAGE 500

int64_t webhooks_now(const struct webhooks *w)
{
    return w->now(w->now_data);
}

int64_t webhooks_backoff(struct webhooks *w, int64_t failures)
{
    int64_t ms = HOOK_BACKOFF_MIN_MS;
    for (int64_t i = 1; i < failures && ms < HOOK_BACKOFF_MAX_MS; i++)
        ms *= 2;
    if (ms > HOOK_BACKOFF_MAX_MS)
        ms = HOOK_BACKOFF_MAX_MS;
    return ms / 2 + (int64_t)(id_source_random(&w->ids) % (uint64_t)(ms / 2 + 1));
}

/* ---- time ---- */

static void webhooks_timer(uv_timer_t *t)
{
    webhooks_tick(t->data);
}

static int64_t hook_due(const struct hook *h)
{
    int64_t due = 0;
    if (!h->enabled)
        return 0;
    if (!list_empty(&h->waiting))
        due = container_of(h->waiting.next, struct stream, link)->wake_at;
    if (!list_empty(&h->ready) && h->active == 0 && (!due || h->pause_until < due))
        due = h->pause_until;
    return due;
}

void webhooks_arm(struct webhooks *w)
{
    int64_t due = 0;
    list_foreach(it, &w->hooks)
    {
        int64_t at = hook_due(container_of(it, struct hook, link));
        if (at && (!due || at < due))
            due = at;
    }
    w->due_at = w->closing ? 0 : due;
    if (!w->timer)
        return;
    if (!w->due_at) {
        uv_timer_stop(w->timer);
        return;
    }
    int64_t in = due - webhooks_now(w);
    uv_update_time(w->timer->loop);
    uv_timer_start(w->timer, webhooks_timer, in > 0 ? (uint64_t)in : 1, 0);
}

void webhooks_tick(struct webhooks *w)
{
    list_foreach_safe(it, tmp, &w->hooks)
    {
        struct hook *h = container_of(it, struct hook, link);
        if (!h->enabled)
            continue;
        hook_wake_due(h);
        hook_pump(h);
    }
    webhooks_arm(w);
}

/* ---- scans ---- */

static void scan_submit(struct hook *h, enum hook_phase phase, int64_t time, int64_t key);

static void scan_begin(struct hook *h, bool full, bool own)
{
    if (h->scanning) {
        h->scan_again = true;
        h->scan_full = h->scan_full || full;
        h->scan_own = h->scan_own || own;
        return;
    }
    h->scanning = true;
    h->scan_full = full;
    h->scan_own = own;
    scan_submit(h, HOOK_PHASE_BEHIND, 0, -1);
}

static void scan_stream(struct hook *h, const struct hook_session *row)
{
    struct webhook_session about = {row->session_id, row->workflow_id, row->group_id,
                                    row->metadata_json};
    if (table_get(&h->streams, row->session_id) || !webhook_wants_session(&h->rules, &about))
        return;
    struct stream *s = stream_create(h, row->session_id);
    if (!row->cursor.behind || h->w->shared) { /* the claim tells the rest */
        stream_claim(s);
        return;
    }
    s->at = row->cursor;
    s->next_seq = row->cursor.seq + 1;
    s->known = s->claimed = true;
    s->old = row->cursor.seq == 0;
    if (s->at.next_at > webhooks_now(h->w))
        stream_wait(s, s->at.next_at);
    else
        stream_ready(s);
}

static void scan_end(struct hook *h)
{
    bool full = h->scan_full, own = h->scan_own;
    h->scanning = false;
    h->scanned = h->scanned || h->scan_full;
    h->scan_full = h->scan_own = false;
    if (h->scan_again) {
        h->scan_again = false;
        scan_begin(h, full, own);
    }
}

static void scan_done(struct store_req *r)
{
    struct hook *h = r->data;
    struct store_hook_scan *q = &h->scan;
    enum hook_phase phase = q->phase;
    int64_t time = 0, key = -1;
    int count = 0;
    if (h->w->closing || h->gone || !h->enabled) {
        store_req_deinit(r);
        h->scanning = h->scan_again = false;
        return;
    }
    if (r->status) {
        log_warn("webhooks", "sessions could not be looked through: %s", r->error.text);
        h->claim_failed_at = webhooks_now(h->w);
    }
    for (struct hook_session *it = q->rows; r->status == 0 && it; it = it->next, count++) {
        time = it->time;
        key = it->key;
        if (h->streams.count >= HOOK_STREAMS_MAX) {
            h->overflow = true; /* looked for again when there is room */
            count = 0;
            phase = HOOK_PHASE_COUNT;
            break;
        }
        scan_stream(h, it);
    }
    store_req_deinit(r);
    if (count == SCAN_PAGE)
        scan_submit(h, phase, time, key);
    else if (h->scan_full && phase + 1 < HOOK_PHASE_COUNT)
        scan_submit(h, phase + 1, 0, -1);
    else
        scan_end(h);
    hook_pump(h);
}

static void scan_submit(struct hook *h, enum hook_phase phase, int64_t time, int64_t key)
{
    struct store_hook_scan *q = &h->scan;
    memset(q, 0, sizeof(*q));
    store_req_init(&q->req, STORE_HOOK_SCAN, scan_done, h);
    q->hook = h->row.id;
    q->workspace = h->row.workspace;
    if (phase != HOOK_PHASE_BEHIND || h->scan_own)
        q->instance = *h->w->self;
    q->phase = phase;
    q->since = h->row.scan_from;
    q->after_time = time;
    q->after_key = key;
    q->limit = SCAN_PAGE;
    store_submit(h->w->store, &q->req);
}

/* ---- webhooks come, change and go ---- */

static struct str keep(struct hook *h, struct str s)
{
    return (struct str){s.p ? arena_strdup(&h->arena, s) : NULL, s.n};
}

static void hook_take(struct hook *h, const struct hook_row *row)
{
    arena_deinit(&h->arena);
    arena_init(&h->arena);
    h->row = *row;
    h->row.next = NULL;
    h->row.workspace = keep(h, row->workspace);
    h->row.name = keep(h, row->name);
    h->row.url = keep(h, row->url);
    h->row.events_json = keep(h, row->events_json);
    h->row.filter_json = keep(h, row->filter_json);
    h->row.secret = keep(h, row->secret);
    h->row.disabled_reason = keep(h, row->disabled_reason);
    h->rules.events = json_root(h->row.events_json);
    h->rules.filter = json_root(h->row.filter_json);
}

static void hook_stop(struct hook *h)
{
    h->enabled = false;
    h->scanned = h->overflow = false;
    while (h->streams.count) {
        struct stream *one = NULL;
        table_foreach(slot, &h->streams)
        {
            one = slot->value;
            break;
        }
        stream_drop(one);
    }
}

static void hook_start(struct hook *h)
{
    h->enabled = true;
    h->disabling = false;
    h->failures = 0;
    h->pause_until = 0;
    scan_begin(h, true, true);
}

static void hook_free(struct hook *h)
{
    list_remove(&h->link);
    table_deinit(&h->streams);
    arena_deinit(&h->arena);
    free(h);
}

static struct hook *hook_find(struct webhooks *w, struct id id)
{
    list_foreach(it, &w->hooks)
    {
        struct hook *h = container_of(it, struct hook, link);
        if (id_eq(h->row.id, id))
            return h;
    }
    return NULL;
}

static void hook_seen(struct webhooks *w, const struct hook_row *row)
{
    struct hook *h = hook_find(w, row->id);
    if (!h) {
        h = mem_zalloc(sizeof(*h));
        h->w = w;
        arena_init(&h->arena);
        table_init(&h->streams);
        list_init(&h->ready);
        list_init(&h->waiting);
        list_init(&h->dropped);
        list_append(&w->hooks, &h->link);
        hook_take(h, row);
    } else if (h->row.version != row->version && h->active == 0 && list_empty(&h->dropped)) {
        hook_take(h, row);
    } else if (h->row.version != row->version) {
        /* Requests under way have its texts: it is begun anew, and what they come to is not seen.
         */
        bool was = h->enabled;
        hook_stop(h);
        hook_take(h, row);
        if (was && row->enabled)
            hook_start(h);
    } else {
        h->row.scan_from = row->scan_from;
    }
    h->seen = true;
    h->gone = false;
    if (row->enabled && !h->enabled)
        hook_start(h);
    else if (!row->enabled && h->enabled)
        hook_stop(h);
    else if (h->enabled && w->shared)
        scan_begin(h, w->full_scan, false);
}

static void hooks_settle(struct webhooks *w)
{
    w->active = 0;
    list_foreach_safe(it, tmp, &w->hooks)
    {
        struct hook *h = container_of(it, struct hook, link);
        if (!h->seen && !h->gone) {
            hook_stop(h);
            h->gone = true;
        }
        if (h->gone && list_empty(&h->dropped) && !h->scanning)
            hook_free(h);
        else
            w->active += h->enabled;
    }
}

struct hooks_listing {
    struct store_hook_list q;
    struct webhooks *w;
};

static void hooks_listed(struct store_req *r)
{
    struct hooks_listing *l = r->data;
    struct webhooks *w = l->w;
    w->listing = false;
    if (r->status)
        log_warn("webhooks", "the webhooks could not be read: %s", r->error.text);
    if (r->status == 0 && !w->closing) {
        list_foreach(it, &w->hooks) container_of(it, struct hook, link)->seen = false;
        for (struct hook_row *row = l->q.rows; row; row = row->next)
            hook_seen(w, row);
        w->full_scan = false;
        hooks_settle(w);
        webhooks_tick(w);
    }
    store_req_deinit(r);
    free(l);
    if (w->list_again && !w->closing) {
        w->list_again = false;
        webhooks_reload(w);
    }
}

void webhooks_reload(struct webhooks *w)
{
    if (!w->started || w->closing)
        return;
    if (w->listing) {
        w->list_again = true;
        return;
    }
    struct hooks_listing *l = mem_zalloc(sizeof(*l));
    l->w = w;
    w->listing = true;
    store_req_init(&l->q.req, STORE_HOOK_LIST, hooks_listed, l);
    l->q.limit = LIST_MAX;
    store_submit(w->store, &l->q.req);
}

void webhooks_rescan(struct webhooks *w, unsigned long long deaths)
{
    if (!w->shared)
        return;
    w->full_scan = w->full_scan || deaths != w->deaths_seen;
    w->deaths_seen = deaths;
    webhooks_reload(w);
}

/* ---- disabled by us ---- */

struct hook_disabling {
    struct store_hook_put q;
    struct webhooks *w;
    struct arena arena;
};

static void hook_disabled(struct store_req *r)
{
    struct hook_disabling *d = r->data;
    struct webhooks *w = d->w;
    store_req_deinit(r);
    arena_deinit(&d->arena);
    free(d);
    webhooks_reload(w); /* stale, or not written: what it is now is read */
}

void hook_disable(struct hook *h, const char *reason)
{
    struct hook_disabling *d;
    char id[ID_TEXT_BYTES + 1];
    if (h->disabling)
        return;
    h->disabling = true;
    d = mem_zalloc(sizeof(*d));
    d->w = h->w;
    arena_init(&d->arena);
    store_req_init(&d->q.req, STORE_HOOK_PUT, hook_disabled, d);
    d->q.row = h->row;
    struct str *texts[] = {&d->q.row.workspace,   &d->q.row.name,        &d->q.row.url,
                           &d->q.row.events_json, &d->q.row.filter_json, &d->q.row.secret};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i]->p)
            texts[i]->p = arena_strdup(&d->arena, *texts[i]);
    d->q.row.enabled = false;
    d->q.row.disabled_reason = str_of(reason);
    d->q.expected_version = h->row.version;
    d->q.now_ms = webhooks_now(h->w);
    id_format(h->row.id, id);
    log_warn("webhooks", "webhook %s is disabled: %s", id, reason);
    store_submit(h->w->store, &d->q.req);
}

/* ---- events ---- */

/* The first of the frames that is wanted, by its number; 0: none. */
static int64_t first_wanted(const struct hook *h, int64_t seq, struct str frames)
{
    const char *at = frames.p, *end = frames.p + frames.n;
    for (; at < end; seq++) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        struct str frame = {at, (size_t)((nl ? nl : end) - at)};
        if (webhook_wants_event(&h->rules, frame))
            return seq;
        at += frame.n + 1;
    }
    return 0;
}

static void hook_sealed(struct hook *h, const struct webhook_session *session, bool is_new,
                        int64_t seq_first, int64_t seq_last, struct str frames)
{
    struct stream *s = table_get(&h->streams, session->id);
    if (!s && !webhook_wants_session(&h->rules, session))
        return;
    int64_t wanted = first_wanted(h, seq_first, frames);
    if (!s) {
        if (!wanted && !is_new)
            return;
        if (h->streams.count >= HOOK_STREAMS_MAX) {
            h->overflow = true;
            return;
        }
        s = stream_create(h, session->id);
        s->known = is_new;
        s->next_seq = is_new ? seq_first : 0;
    }
    s->live = true;
    s->sealed_to = seq_last;
    if (s->state != STREAM_IDLE || s->rewound)
        return; /* it comes there */
    if (wanted) {
        if (s->known)
            s->next_seq = wanted;
        stream_wake(s);
    } else if (s->known) {
        s->next_seq = seq_last + 1;
    }
}

void webhooks_sealed(struct webhooks *w, struct str workspace,
                     const struct webhook_session *session, bool is_new, int64_t seq_first,
                     int64_t seq_last, struct str frames)
{
    if (w->closing)
        return;
    list_foreach(it, &w->hooks)
    {
        struct hook *h = container_of(it, struct hook, link);
        if (h->enabled && str_eq(h->row.workspace, workspace))
            hook_sealed(h, session, is_new, seq_first, seq_last, frames);
    }
}

void webhooks_left(struct webhooks *w, struct id session_id)
{
    list_foreach(it, &w->hooks)
    {
        struct hook *h = container_of(it, struct hook, link);
        struct stream *s = table_get(&h->streams, session_id);
        if (!s)
            continue;
        s->live = false;
        if (s->state == STREAM_IDLE && !s->rewound)
            stream_drop(s);
        if (h->overflow && h->streams.count < HOOK_STREAMS_MAX / 2) {
            h->overflow = false;
            scan_begin(h, true, true);
        }
    }
}

size_t webhooks_streams(const struct webhooks *w)
{
    size_t n = 0;
    list_foreach(it, &w->hooks) n += container_of(it, struct hook, link)->streams.count;
    return n;
}

/* ---- life ---- */

void webhooks_open(struct webhooks *w, uv_loop_t *loop)
{
    memset(w, 0, sizeof(*w));
    list_init(&w->hooks);
    id_source_init_random(&w->ids);
    if (!loop)
        return;
    w->timer = mem_zalloc(sizeof(*w->timer));
    uv_timer_init(loop, w->timer);
    w->timer->data = w;
}

void webhooks_start(struct webhooks *w)
{
    w->started = true;
    webhooks_reload(w);
}

static void timer_closed(uv_handle_t *t)
{
    free(t);
}

void webhooks_close(struct webhooks *w)
{
    w->closing = true;
    w->active = 0;
    w->due_at = 0;
    list_foreach(it, &w->hooks)
    {
        struct hook *h = container_of(it, struct hook, link);
        table_foreach(slot, &h->streams) stream_hang_up(slot->value);
    }
    if (w->timer)
        uv_close((uv_handle_t *)w->timer, timer_closed);
    w->timer = NULL;
}

void webhooks_deinit(struct webhooks *w)
{
    while (!list_empty(&w->hooks)) {
        struct hook *h = container_of(w->hooks.next, struct hook, link);
        table_foreach(slot, &h->streams) stream_destroy(slot->value);
        list_foreach_safe(it, tmp, &h->dropped)
            stream_destroy(container_of(it, struct stream, link));
        hook_free(h);
    }
}
