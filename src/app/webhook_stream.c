/* Streams of webhooks: a session's events to one of them, in order. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app/webhook_private.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"

#define RETRY_MS     1000 /* after the store could not be asked */
#define ELSEWHERE_MS 1000 /* another instance has the cursor: until it is asked for again */
#define READ_EVENTS  500

enum found { FOUND_EVENT, FOUND_END, FOUND_PAGE_END };

/* What an active stream has. */
struct turn {
    struct store_events_read read;
    const struct event_row *row; /* where in the page it is */
    const char *frame_at;
    int64_t frame_seq;
    bool has_page;
    struct str frame; /* that is being sent */
    int64_t seq;
    enum found found; /* what it came to when it went on in the page */
    unsigned count;   /* events so far */
    struct hook_post post;
    struct buf secret;
    struct hook_delivery delivery;
    struct hook_cursor cursor; /* that is being saved */
    struct store_hook_save save;
    bool failed;
};

/* A claim under way. */
struct claim {
    struct store_hook_claim q;
    struct stream *s;
};

static void stream_go_on(struct stream *s);
static void stream_save(struct stream *s);
static void stream_rewound(struct stream *s);

/* ---- life ---- */

struct stream *stream_create(struct hook *h, struct id session_id)
{
    struct stream *s = mem_zalloc(sizeof(*s));
    s->hook = h;
    s->session_id = session_id;
    list_init(&s->link);
    table_put(&h->streams, session_id, s);
    return s;
}

static void turn_free(struct stream *s)
{
    struct turn *t = s->turn;
    if (!t)
        return;
    if (t->has_page)
        store_req_deinit(&t->read.req);
    buf_deinit(&t->secret);
    free(t);
    s->turn = NULL;
    s->hook->active--;
}

static void stream_free(struct stream *s)
{
    turn_free(s);
    list_remove(&s->link);
    if (!s->dropped && table_get(&s->hook->streams, s->session_id) == s)
        table_remove(&s->hook->streams, s->session_id);
    free(s);
}

void stream_destroy(struct stream *s)
{
    turn_free(s);
    free(s);
}

void stream_hang_up(struct stream *s)
{
    if (s->state != STREAM_SENDING)
        return;
    s->hook->w->sender->cancel(s->hook->w->sender, &s->turn->post);
    s->state = STREAM_IDLE;
}

void stream_drop(struct stream *s)
{
    if (table_get(&s->hook->streams, s->session_id) == s)
        table_remove(&s->hook->streams, s->session_id);
    if (s->state == STREAM_SENDING)
        s->hook->w->sender->cancel(s->hook->w->sender, &s->turn->post);
    else if (s->state == STREAM_CLAIMING || s->state == STREAM_READING ||
             (s->state == STREAM_SAVING && !list_is_linked(&s->link))) {
        s->dropped = true;
        list_append(&s->hook->dropped, &s->link);
        return;
    }
    stream_free(s);
}

/* Something that was under way for it has come back: whether it may go on. */
static bool stream_back(struct stream *s)
{
    if (s->hook->w->closing)
        return false; /* all is freed when the loop has ended */
    if (!s->dropped)
        return true;
    stream_free(s);
    return false;
}

/* ---- waiting ---- */

static void stream_wait_as_it_is(struct stream *s, int64_t until)
{
    struct list *at = s->hook->waiting.prev;
    s->wake_at = until;
    while (at != &s->hook->waiting && container_of(at, struct stream, link)->wake_at > until)
        at = at->prev;
    list_remove(&s->link);
    list_prepend(at, &s->link);
    webhooks_arm(s->hook->w);
}

void stream_ready(struct stream *s)
{
    list_remove(&s->link);
    s->state = STREAM_READY;
    list_append(&s->hook->ready, &s->link);
}

void stream_wait(struct stream *s, int64_t until)
{
    turn_free(s);
    s->state = STREAM_WAITING;
    stream_wait_as_it_is(s, until);
}

static void stream_idle(struct stream *s)
{
    turn_free(s);
    list_remove(&s->link);
    s->state = STREAM_IDLE;
    s->claimed = false;
    if (!s->live)
        stream_free(s);
}

void hook_wake_due(struct hook *h)
{
    int64_t now = webhooks_now(h->w);
    while (!list_empty(&h->waiting)) {
        struct stream *s = container_of(h->waiting.next, struct stream, link);
        if (s->wake_at > now)
            break;
        list_remove(&s->link);
        if (s->state == STREAM_SAVING)
            stream_save(s);
        else if (s->claimed)
            stream_ready(s);
        else
            stream_claim(s);
    }
}

/* ---- claiming ---- */

static void claim_taken(struct stream *s, const struct store_hook_claim *q)
{
    s->claimed = true;
    s->at = q->cursor;
    if (!s->known) {
        s->next_seq = q->cursor.seq + 1;
        s->old = !q->existed;
    } else if (s->next_seq <= q->cursor.seq) {
        s->next_seq = q->cursor.seq + 1;
    }
    s->known = true;
    if (s->at.next_at > webhooks_now(s->hook->w))
        stream_wait(s, s->at.next_at);
    else
        stream_ready(s);
    hook_pump(s->hook);
}

static void stream_claimed(struct store_req *r)
{
    struct claim *c = r->data;
    struct stream *s = c->s;
    struct hook *h = s->hook;
    int64_t now = webhooks_now(h->w);
    if (!stream_back(s))
        goto out;
    if (s->rewound) {
        stream_rewound(s);
    } else if (r->status == 0) {
        claim_taken(s, &c->q);
    } else if (r->status == ERR_NOT_FOUND) {
        s->state = STREAM_IDLE;
        stream_drop(s);
    } else if (r->status == ERR_CONFLICT) {
        stream_wait(s, now + ELSEWHERE_MS);
    } else {
        h->claim_failed_at = now;
        stream_wait(s, now + RETRY_MS);
    }
out:
    store_req_deinit(r);
    free(c);
}

void stream_claim(struct stream *s)
{
    struct claim *c = mem_zalloc(sizeof(*c));
    c->s = s;
    s->state = STREAM_CLAIMING;
    store_req_init(&c->q.req, STORE_HOOK_CLAIM, stream_claimed, c);
    c->q.hook = s->hook->row.id;
    c->q.session_id = s->session_id;
    c->q.instance = *s->hook->w->self;
    c->q.seq = s->known ? s->next_seq - 1 : 0;
    c->q.now_ms = webhooks_now(s->hook->w);
    store_submit(s->hook->w->store, &c->q.req);
}

static bool hook_has_place(const struct hook *h)
{
    return h->failures == 0 && list_empty(&h->ready) && h->active < HOOK_ACTIVE_MAX;
}

/* Alone, and at once: the outcome makes it durable soon enough, without a claim before. */
void stream_wake(struct stream *s)
{
    if (!s->hook->w->shared && s->known && hook_has_place(s->hook)) {
        s->claimed = true;
        stream_ready(s);
        hook_pump(s->hook);
    } else {
        stream_claim(s);
    }
}

/* ---- reading ---- */

static bool frame_is_old(const struct stream *s, struct str frame)
{
    struct json at = json_get(json_root(frame), "timestamp");
    int64_t ms;
    return s->old && json_type(at) == JSON_STRING &&
           clock_parse_rfc3339((struct str){at.p + 1, at.n - 2}, &ms) &&
           ms < s->hook->row.created_at;
}

static bool turn_frame(struct turn *t, struct str *frame, int64_t *seq)
{
    while (t->row) {
        const char *end = t->row->frames.p + t->row->frames.n;
        if (!t->frame_at) {
            t->frame_at = t->row->frames.p;
            t->frame_seq = t->row->seq_first;
        }
        if (t->frame_at < end) {
            const char *nl = memchr(t->frame_at, '\n', (size_t)(end - t->frame_at));
            *frame = (struct str){t->frame_at, (size_t)((nl ? nl : end) - t->frame_at)};
            *seq = t->frame_seq++;
            t->frame_at += frame->n + 1;
            return true;
        }
        t->row = t->row->next;
        t->frame_at = NULL;
    }
    return false;
}

/* Goes to the next event that is wanted. */
static enum found stream_find(struct stream *s)
{
    struct turn *t = s->turn;
    struct str frame;
    int64_t seq;
    while (t->has_page && turn_frame(t, &frame, &seq)) {
        if (seq < s->next_seq)
            continue;
        s->next_seq = seq;
        if (webhook_wants_event(&s->hook->rules, frame) && !frame_is_old(s, frame)) {
            t->frame = frame;
            t->seq = seq;
            return FOUND_EVENT;
        }
        s->next_seq = seq + 1;
    }
    if (!t->has_page)
        return FOUND_PAGE_END;
    int64_t last = t->read.last_seq > s->sealed_to ? t->read.last_seq : s->sealed_to;
    if (t->read.rows && s->next_seq <= last)
        return FOUND_PAGE_END;
    if (s->next_seq <= last)
        s->next_seq = last + 1; /* what it said there was taken out of the log */
    return FOUND_END;
}

static void stream_read_done(struct store_req *r)
{
    struct stream *s = r->data;
    struct turn *t = s->turn;
    struct hook *h = s->hook;
    int status = r->status;
    if (!stream_back(s))
        return;
    if (status) {
        store_req_deinit(r);
        t->has_page = false;
        if (status == ERR_NOT_FOUND) {
            s->state = STREAM_IDLE;
            stream_drop(s);
        } else {
            stream_wait(s, webhooks_now(h->w) + RETRY_MS);
        }
    } else {
        t->row = t->read.rows;
        t->frame_at = NULL;
        stream_go_on(s);
    }
    hook_pump(h); /* there may be a place now */
}

static void stream_read(struct stream *s)
{
    struct turn *t = s->turn;
    if (t->has_page)
        store_req_deinit(&t->read.req);
    memset(&t->read, 0, sizeof(t->read));
    store_req_init(&t->read.req, STORE_EVENTS_READ, stream_read_done, s);
    t->has_page = true;
    t->read.session_id = s->session_id;
    t->read.after = s->next_seq - 1;
    t->read.limit = READ_EVENTS;
    t->read.bytes_max = HOOK_READ_BYTES;
    s->state = STREAM_READING;
    store_submit(s->hook->w->store, &t->read.req);
}

/* ---- sending ---- */

struct id webhook_delivery_id(struct id hook, struct id session_id, int64_t seq)
{
    uint8_t text[40], hash[DIGEST_SHA256_BYTES];
    struct id id;
    memcpy(text, hook.b, 16);
    memcpy(text + 16, session_id.b, 16);
    for (int i = 0; i < 8; i++)
        text[32 + i] = (uint8_t)((uint64_t)seq >> (56 - 8 * i));
    digest_sha256((struct str){(const char *)text, sizeof(text)}, hash);
    memcpy(id.b, hash, 16);
    id.b[6] = (uint8_t)((id.b[6] & 0x0f) | 0x80); /* UUIDv8 (RFC 9562, 5.8): made of other ids */
    id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80);
    return id;
}

static void stream_sent(struct hook_post *p);

static void stream_send(struct stream *s)
{
    struct turn *t = s->turn;
    struct hook *h = s->hook;
    struct errbuf e = {""};
    char bound[ID_TEXT_BYTES + 1];
    id_format(h->row.id, bound);
    buf_clear(&t->secret);
    memset(&t->post, 0, sizeof(t->post));
    s->state = STREAM_SENDING;
    t->post.url = h->row.url;
    t->post.body = t->frame;
    t->post.type = webhook_event_type(t->frame);
    t->post.hook = h->row.id;
    t->post.delivery = webhook_delivery_id(h->row.id, s->session_id, t->seq);
    t->post.at = webhooks_now(h->w);
    t->post.done = stream_sent;
    t->post.data = s;
    if (seal_open(&h->w->key, h->row.secret, str_of(bound), &t->secret, &e)) {
        snprintf(t->post.error, sizeof(t->post.error), "%.250s", e.text);
        stream_sent(&t->post); /* it waits, as for one that does not answer */
        return;
    }
    t->post.secret = buf_str(&t->secret);
    h->w->sender->post(h->w->sender, &t->post);
}

/* ---- what came of it ---- */

static void delivery_fill(struct stream *s, int64_t now)
{
    struct turn *t = s->turn;
    t->delivery = (struct hook_delivery){
        .id = t->post.delivery,
        .session_id = s->session_id,
        .seq = t->seq,
        .type = t->post.type,
        .status = t->failed ? STR("failed") : STR("delivered"),
        .attempts = s->at.attempts + 1,
        .next_at = t->failed ? t->cursor.next_at : 0,
        .http_status = t->post.http_status,
        .duration_ms = t->post.duration_ms,
        .error = t->post.error[0] ? str_of(t->post.error) : STR_NULL,
        .created_at = now,
        .updated_at = now,
    };
}

static void outcome_failed(struct stream *s, int64_t now)
{
    struct turn *t = s->turn;
    struct hook *h = s->hook;
    t->cursor = s->at;
    t->cursor.seq = t->seq - 1;
    t->cursor.behind = true;
    t->cursor.attempts++;
    if (!t->cursor.failed_at)
        t->cursor.failed_at = now;
    t->cursor.next_at = now + webhooks_backoff(h->w, t->cursor.attempts);
    h->failures++;
    h->pause_until = now + webhooks_backoff(h->w, h->failures);
    h->w->failed++;
    delivery_fill(s, now);
    if (t->post.refused)
        hook_disable(h, "it answered 410 Gone");
    else if (now - t->cursor.failed_at > HOOK_AGE_MAX_MS)
        hook_disable(h, "a delivery has failed for three days");
}

/* Everybody else may go on at once. */
static void hook_recovered(struct hook *h)
{
    unsigned failures = h->failures;
    h->failures = 0;
    h->pause_until = 0;
    if (failures < 2)
        return;
    list_foreach_safe(it, tmp, &h->waiting)
    {
        struct stream *s = container_of(it, struct stream, link);
        if (s->state == STREAM_WAITING && s->claimed)
            stream_ready(s);
    }
}

static void outcome_delivered(struct stream *s, int64_t now)
{
    struct turn *t = s->turn;
    hook_recovered(s->hook);
    s->hook->w->delivered++;
    delivery_fill(s, now);
    s->next_seq = t->seq + 1;
    t->count++;
    t->found = stream_find(s);
    t->cursor = (struct hook_cursor){.seq = s->next_seq - 1, .behind = t->found != FOUND_END};
}

static void stream_sent(struct hook_post *p)
{
    struct stream *s = p->data;
    int64_t now = webhooks_now(s->hook->w);
    s->turn->failed = !p->taken;
    if (s->rewound) {
        struct hook *h = s->hook;
        stream_rewound(s);
        hook_pump(h);
        return;
    }
    if (s->turn->failed)
        outcome_failed(s, now);
    else
        outcome_delivered(s, now);
    stream_save(s);
}

static void save_scan_from(struct hook *h, struct store_hook_save *q, int64_t now)
{
    h->saves++;
    if (h->saves % 100 == 0) {
        q->keep = HOOK_KEEP;
        q->keep_before = now - HOOK_KEEP_MS;
    }
    if (h->scanned && !h->overflow && now - h->scan_saved_at > HOOK_SCAN_SLACK_MS / 4 &&
        now - h->claim_failed_at > HOOK_SCAN_SLACK_MS) {
        h->scan_saved_at = now;
        q->scan_from = now - HOOK_SCAN_SLACK_MS;
    }
}

static void stream_saved(struct store_req *r)
{
    struct stream *s = r->data;
    struct turn *t = s->turn;
    struct hook *h = s->hook;
    int status = r->status;
    store_req_deinit(r);
    if (!stream_back(s))
        return;
    if (s->rewound) {
        stream_rewound(s);
    } else if (status == ERR_STALE || status == ERR_NOT_FOUND) {
        s->state = STREAM_IDLE; /* another instance has it, or it is gone */
        stream_drop(s);
    } else if (status) {
        stream_wait_as_it_is(s, webhooks_now(h->w) + RETRY_MS); /* the same once more */
    } else {
        s->at = t->cursor;
        if (t->failed)
            stream_wait(s, s->at.next_at);
        else
            stream_go_on(s);
    }
    hook_pump(h);
    webhooks_arm(h->w);
}

static void stream_save(struct stream *s)
{
    struct turn *t = s->turn;
    struct hook *h = s->hook;
    s->state = STREAM_SAVING;
    memset(&t->save, 0, sizeof(t->save));
    store_req_init(&t->save.req, STORE_HOOK_SAVE, stream_saved, s);
    t->save.hook = h->row.id;
    t->save.session_id = s->session_id;
    t->save.instance = *h->w->self;
    t->save.cursor = &t->cursor;
    t->save.delivery = id_is_zero(t->delivery.id) ? NULL : &t->delivery;
    t->save.now_ms = webhooks_now(h->w);
    save_scan_from(h, &t->save, t->save.now_ms);
    store_submit(h->w->store, &t->save.req);
}

/* ---- the next step ---- */

/* All is told. A cursor that is behind in the store is put where it is; one that is not was given
 * up with the last outcome, and is wanted again when something has come since. */
static void stream_ended(struct stream *s)
{
    struct turn *t = s->turn;
    bool more = s->sealed_to >= s->next_seq;
    if (s->at.behind) {
        t->failed = false;
        t->found = FOUND_END;
        t->delivery = (struct hook_delivery){.next = NULL};
        t->cursor = (struct hook_cursor){.seq = s->next_seq - 1};
        stream_save(s);
    } else if (more) {
        turn_free(s);
        s->claimed = false;
        stream_wake(s);
    } else {
        stream_idle(s);
    }
}

static void stream_go_on(struct stream *s)
{
    struct turn *t = s->turn;
    struct hook *h = s->hook;
    if (s->rewound) {
        stream_rewound(s);
        return;
    }
    if (s->state == STREAM_READING)
        t->found = stream_find(s);
    if (t->found == FOUND_END && s->at.behind && s->sealed_to >= s->next_seq)
        t->found = FOUND_PAGE_END; /* something came in the meantime */
    if (t->found == FOUND_END) {
        stream_ended(s);
    } else if (t->found == FOUND_PAGE_END) {
        stream_read(s);
    } else if (h->pause_until > webhooks_now(h->w) ||
               (t->count >= HOOK_TURN_MAX && !list_empty(&h->ready))) {
        turn_free(s);
        stream_ready(s);
        webhooks_arm(h->w);
    } else {
        stream_send(s);
    }
}

/* ---- back to a point ---- */

static void stream_rewind_try(struct stream *s)
{
    if (s->state != STREAM_IDLE || !s->rewind_done)
        return;
    s->rewound = s->rewind_done = false;
    s->next_seq = s->rewind_to + 1;
    s->at = (struct hook_cursor){.seq = s->rewind_to, .behind = true};
    s->claimed = s->known = true;
    s->old = false;
    stream_ready(s);
    hook_pump(s->hook);
}

/* What was under way has come back, or nothing was. */
static void stream_rewound(struct stream *s)
{
    turn_free(s);
    list_remove(&s->link);
    s->state = STREAM_IDLE;
    stream_rewind_try(s);
}

static struct hook *hook_of(struct webhooks *w, struct id id)
{
    list_foreach(it, &w->hooks)
    {
        struct hook *h = container_of(it, struct hook, link);
        if (id_eq(h->row.id, id) && h->enabled)
            return h;
    }
    return NULL;
}

void webhooks_rewind(struct webhooks *w, struct id hook, struct id session_id, int64_t seq)
{
    struct hook *h = hook_of(w, hook);
    struct stream *s = h ? table_get(&h->streams, session_id) : NULL;
    if (!s)
        return;
    s->rewound = true;
    s->rewind_done = false;
    s->rewind_to = seq;
    if (s->state == STREAM_READY || s->state == STREAM_WAITING || list_is_linked(&s->link))
        stream_rewound(s);
}

void webhooks_rewound(struct webhooks *w, struct id hook, struct id session_id, int64_t seq)
{
    struct hook *h = hook_of(w, hook);
    struct stream *s = h ? table_get(&h->streams, session_id) : NULL;
    if (!h)
        return;
    if (!s)
        s = stream_create(h, session_id);
    s->rewound = s->rewind_done = true;
    s->rewind_to = seq;
    stream_rewind_try(s);
}

void hook_pump(struct hook *h)
{
    int64_t now = webhooks_now(h->w);
    while (h->enabled && !list_empty(&h->ready) && now >= h->pause_until &&
           h->active < (h->failures ? 1 : HOOK_ACTIVE_MAX)) {
        struct stream *s = container_of(list_pop(&h->ready), struct stream, link);
        s->turn = mem_zalloc(sizeof(*s->turn));
        buf_init(&s->turn->secret, 4096);
        h->active++;
        stream_read(s);
    }
    webhooks_arm(h->w);
}
