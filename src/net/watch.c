#include "net/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define FRAME_BYTES_MAX 16384 /* ten names of 128 bytes, each of them escaped */

struct watch_session {
    struct id id;
    struct list watchers; /* in the order in which they came */
    unsigned count, asking;
    struct list dirty_link;
    char *told; /* the newest frame; NULL: none */
};

void watch_hub_init(struct watch_hub *h)
{
    table_init(&h->by_session);
    list_init(&h->dirty);
    h->tell_at = 0;
}

void watch_hub_deinit(struct watch_hub *h)
{
    table_deinit(&h->by_session);
}

static void session_changed(struct watch_hub *h, struct watch_session *s, uint64_t now)
{
    if (s->asking == 0 || !list_empty(&s->dirty_link))
        return;
    if (list_empty(&h->dirty))
        h->tell_at = now + WATCH_TELL_MS;
    list_append(&h->dirty, &s->dirty_link);
}

void watch_join(struct watch_hub *h, struct watcher *w, struct id session_id, uint64_t now)
{
    struct watch_session *s = table_get(&h->by_session, session_id);

    if (!s) {
        s = mem_zalloc(sizeof(*s));
        s->id = session_id;
        list_init(&s->watchers);
        list_init(&s->dirty_link);
        table_put(&h->by_session, session_id, s);
    }
    w->session = s;
    w->is_told = false;
    list_append(&s->watchers, &w->link);
    s->count++;
    if (w->tell)
        s->asking++;
    session_changed(h, s, now);
}

void watch_leave(struct watch_hub *h, struct watcher *w, uint64_t now)
{
    struct watch_session *s = w->session;

    if (!s)
        return;
    w->session = NULL;
    list_remove(&w->link);
    if (w->tell)
        s->asking--;
    if (--s->count > 0) {
        session_changed(h, s, now);
        return;
    }
    list_remove(&s->dirty_link);
    table_remove(&h->by_session, s->id);
    free(s->told);
    free(s);
}

static bool names_have(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* {"type":"watching","session_id":…,"count":2,"names":["ada"]}; the same person counts once for
 * each place that they watch from, and is named once. */
static void session_write(const struct watch_session *s, struct buf *b)
{
    const char *names[WATCH_NAMES_MAX];
    char id[ID_TEXT_BYTES + 1];
    size_t n = 0;
    struct jw w;

    id_format(s->id, id);
    jw_init(&w, b);
    jw_object(&w);
    jw_kv_stringz(&w, "type", "watching");
    jw_kv_stringz(&w, "session_id", id);
    jw_kv_u64(&w, "count", s->count);
    jw_key(&w, "names");
    jw_array(&w);
    list_foreach(it, &s->watchers)
    {
        const struct watcher *one = container_of(it, struct watcher, link);
        if (n == WATCH_NAMES_MAX)
            break;
        if (!one->name || names_have(names, n, one->name))
            continue;
        names[n++] = one->name;
        jw_stringz(&w, one->name);
    }
    jw_end(&w);
    jw_end(&w);
}

static void session_tell(struct watch_session *s)
{
    struct buf b;
    bool changed;

    buf_init(&b, FRAME_BYTES_MAX);
    session_write(s, &b);
    changed = !s->told || !str_eqz(buf_str(&b), s->told);
    if (changed) {
        free(s->told);
        s->told = str_dup(buf_str(&b));
    }
    list_foreach(it, &s->watchers)
    {
        struct watcher *w = container_of(it, struct watcher, link);
        if (w->tell && (changed || !w->is_told)) {
            w->is_told = true;
            w->tell(w, buf_str(&b));
        }
    }
    buf_deinit(&b);
}

bool watch_has_news(const struct watch_hub *h)
{
    return !list_empty(&h->dirty);
}

void watch_tick(struct watch_hub *h, uint64_t now)
{
    struct list *l;

    if (now < h->tell_at)
        return;
    while ((l = list_pop(&h->dirty)))
        session_tell(container_of(l, struct watch_session, dirty_link));
}
