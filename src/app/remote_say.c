/* The owner's side: what is announced, and who wants to hear it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"

struct interest {
    struct list order;
    struct id id;
    int64_t until;
};

int64_t remote_now(void)
{
    return (int64_t)(clock_mono_ns() / 1000000);
}

/* ---- small parts of messages ---- */

bool remote_cut_id(struct str *text, struct id *out)
{
    if (text->n < ID_TEXT_BYTES || !id_parse((struct str){text->p, ID_TEXT_BYTES}, out))
        return false;
    size_t used = ID_TEXT_BYTES + (text->n > ID_TEXT_BYTES ? 1 : 0);
    text->p += used;
    text->n -= used;
    return true;
}

bool remote_cut_number(struct str *text, int64_t *out)
{
    size_t n = 0;
    int64_t v = 0;
    while (n < text->n && n < 18 && text->p[n] >= '0' && text->p[n] <= '9')
        v = v * 10 + (text->p[n++] - '0');
    if (n == 0)
        return false;
    *out = v;
    n += n < text->n ? 1 : 0;
    text->p += n;
    text->n -= n;
    return true;
}

/* ---- interest ---- */

static void interest_drop(struct remote *r, struct interest *it)
{
    table_remove(&r->interest, it->id);
    list_remove(&it->order);
    free(it);
}

static void interest_keep(struct remote *r, struct id session_id)
{
    struct interest *it = table_get(&r->interest, session_id);
    int64_t now = remote_now();
    if (!it) {
        it = mem_zalloc(sizeof(*it));
        it->id = session_id;
        list_init(&it->order);
        table_put(&r->interest, session_id, it);
    }
    it->until = now + REMOTE_INTEREST_MS;
    list_remove(&it->order);
    list_append(&r->interest_order, &it->order);
    while (!list_empty(&r->interest_order)) {
        struct interest *first = container_of(r->interest_order.next, struct interest, order);
        if (first->until > now && r->interest.count <= REMOTE_INTEREST_MAX)
            break;
        interest_drop(r, first);
    }
}

bool remote_has_interest(struct remote *r, struct id session_id)
{
    const struct interest *it = table_get(&r->interest, session_id);
    if (it && it->until > remote_now())
        return true;
    return r->assume_until > 0 && remote_now() < r->assume_until;
}

void remote_interest_deinit(struct remote *r)
{
    while (!list_empty(&r->interest_order))
        interest_drop(r, container_of(r->interest_order.next, struct interest, order));
    table_deinit(&r->interest);
}

void remote_interest_heard(struct remote *r, struct str payload)
{
    struct id id;
    if (!remote_cut_id(&payload, &id) || id_eq(id, r->self))
        return;
    if (str_eqz(payload, "?")) {
        remote_say_all_interests(r);
        return;
    }
    for (int i = 0; i < REMOTE_NAMES_MAX && remote_cut_id(&payload, &id); i++)
        interest_keep(r, id);
}

/* Until the answers are there nobody can be known to be uninterested. */
void remote_ask_interest(struct remote *r)
{
    char text[ID_TEXT_BYTES + 4];
    r->assume_until = remote_now() + REMOTE_ASSUME_MS;
    id_format(r->self, text);
    memcpy(text + ID_TEXT_BYTES, " ?", 3);
    cache_publish(r->app->cache, STR("interest"), str_of(text));
}

/* ---- saying our own ---- */

struct names {
    struct remote *remote;
    struct buf text;
    unsigned count;
};

static void names_begin(struct names *n, struct remote *r)
{
    char self[ID_TEXT_BYTES + 1];
    id_format(r->self, self);
    n->remote = r;
    n->count = 0;
    buf_init(&n->text, 64u << 10);
    buf_append_z(&n->text, self);
}

static void names_end(struct names *n)
{
    if (n->count > 0)
        cache_publish(n->remote->app->cache, STR("interest"), buf_str(&n->text));
    buf_deinit(&n->text);
}

static void names_add(struct names *n, struct id session_id)
{
    char id[ID_TEXT_BYTES + 1];
    id_format(session_id, id);
    buf_printf(&n->text, " %s", id);
    if (++n->count == REMOTE_NAMES_MAX) {
        struct remote *r = n->remote;
        names_end(n);
        names_begin(n, r);
    }
}

void remote_say_interest(struct remote *r, struct id session_id)
{
    struct names n;
    names_begin(&n, r);
    names_add(&n, session_id);
    names_end(&n);
}

void remote_say_all_interests(struct remote *r)
{
    struct names n;
    names_begin(&n, r);
    if (r->watched)
        names_add(&n, (struct id){{0}});
    table_foreach(slot, &r->feeds)
    {
        const struct feed *f = slot->value;
        if (!f->ended)
            names_add(&n, f->id);
    }
    names_end(&n);
    r->renewed_at = remote_now();
}

/* ---- announcing ---- */

static void announce_events(struct remote *r, struct id session_id, int64_t seq_first,
                            int64_t seq_last, struct str frames)
{
    char channel[ID_TEXT_BYTES + 8] = "s:", head[48];
    struct cache *c = r->app->cache;
    struct buf text;
    int n = snprintf(head, sizeof(head), "%lld %lld", (long long)seq_first, (long long)seq_last);
    id_format(session_id, channel + 2);
    r->announced++;
    if ((size_t)n + 1 + frames.n > c->v->message_max) {
        cache_publish(c, str_of(channel), (struct str){head, (size_t)n});
        return;
    }
    buf_init(&text, c->v->message_max);
    buf_append(&text, head, (size_t)n);
    buf_append_char(&text, '\n');
    buf_append_str(&text, frames);
    cache_publish(c, str_of(channel), buf_str(&text));
    buf_deinit(&text);
}

void remote_announce(struct remote *r, struct id session_id, int64_t seq_first, int64_t seq_last,
                     struct str frames)
{
    if (!r->on)
        return;
    if (remote_has_interest(r, session_id))
        announce_events(r, session_id, seq_first, seq_last, frames);
    if (remote_has_interest(r, (struct id){{0}}))
        remote_announce_states(r, session_id, seq_first, frames);
}
