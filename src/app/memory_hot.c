/* The working memory of a group as a list in the cache, where all instances share one, or there is
 * one instance alone: what a group has at hand is asked for often, and costs no read of the store
 * then.
 *
 *     memgen:<workspace>              a number; raised by whoever has changed a working memory,
 * before that is reported mem:<workspace>:<group>:<n>     the rows as lines of JSON, the oldest
 * first, made by the first who asks while the number is n
 *
 * A list that was made from rows older than the last change has the number from before it, so that
 * nobody asks for it any more. A change whose process dies, or loses the cache, before it has
 * raised the number may go unseen for as long as a list lasts, and no longer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/rules.h"

#define HOT_MS        60000    /* a list lasts */
#define HOT_NUMBER_MS 86400000 /* longer than any list */

static bool hot_is_usable(const struct app *a)
{
    return a->cache && !a->stopping && (!a->store->v->shared || a->cache->v->values_shared);
}

/* What is at hand, without a question and without filters. */
bool memory_hot_fits(const struct memory_query *q)
{
    return q->text.n == 0 && q->tiers == MEMORY_WORKING && !q->agent_id.p && !q->group_only &&
           id_is_zero(q->session_id) && !q->created_after && !q->created_before &&
           hot_is_usable(q->app);
}

static void number_key(struct str workspace, struct hot_key *out)
{
    int n = snprintf(out->text, sizeof(out->text), "memgen:%.*s", STR_FMT(workspace));
    out->n = n > 0 && (size_t)n < sizeof(out->text) ? (size_t)n : 0;
}

/* ---- changes ---- */

struct hot_change {
    struct cache_req req;
    struct hot_key key;
    void (*then)(void *data);
    void *data;
};

static void change_counted(struct cache_req *req)
{
    struct hot_change *c = req->data;
    void (*then)(void *) = c->then;
    void *data = c->data;
    cache_req_deinit(req);
    free(c);
    then(data);
}

void memory_hot_changed(struct app *a, struct str workspace, void (*then)(void *data), void *data)
{
    if (!hot_is_usable(a)) {
        then(data);
        return;
    }
    struct hot_change *c = mem_zalloc(sizeof(*c));
    c->then = then;
    c->data = data;
    number_key(workspace, &c->key);
    cache_req_init(&c->req, CACHE_COUNT, change_counted, c);
    c->req.key = (struct str){c->key.text, c->key.n};
    c->req.ttl_ms = HOT_NUMBER_MS;
    cache_submit(a->cache, &c->req);
}

/* ---- making a list ---- */

struct hot_fill {
    struct cache_req req;
    struct hot_key key;
    struct buf lines;
};

static void fill_done(struct cache_req *req)
{
    struct hot_fill *f = req->data;
    cache_req_deinit(req);
    buf_deinit(&f->lines);
    free(f);
}

void memory_hot_fill(struct memory_query *q, const struct memory_row *rows)
{
    const struct memory_row *all[MEMORY_WORKING_ITEMS];
    size_t count = 0;
    if (!q->key.n || !rows || !hot_is_usable(q->app))
        return;
    struct hot_fill *f = mem_zalloc(sizeof(*f));
    f->key = q->key;
    buf_init(&f->lines, CACHE_VALUE_MAX);
    for (; rows && count < MEMORY_WORKING_ITEMS; rows = rows->next)
        all[count++] = rows;
    while (count-- > 0) {
        struct jw w;
        jw_init(&w, &f->lines);
        memory_row_write(&w, all[count], false);
        buf_append_char(&f->lines, '\n');
    }
    cache_req_init(&f->req, CACHE_PUSH, fill_done, f);
    if (buf_error(&f->lines)) {
        fill_done(&f->req);
        return;
    }
    f->req.key = (struct str){f->key.text, f->key.n};
    f->req.value = buf_str(&f->lines);
    f->req.keep = MEMORY_WORKING_ITEMS;
    f->req.ttl_ms = HOT_MS;
    cache_submit(q->app->cache, &f->req);
}

/* ---- reading one ---- */

static struct str text_of(struct arena *a, struct json v)
{
    char *text = json_strdup(v);
    if (!text)
        return STR_NULL;
    struct str s = str_of(arena_strdup(a, str_of(text)));
    free(text);
    return s;
}

static bool id_of(struct json v, struct id *out)
{
    return v.n > 2 && id_parse((struct str){v.p + 1, v.n - 2}, out);
}

static void time_of(struct json v, int64_t *out)
{
    if (v.n > 2)
        clock_parse_rfc3339((struct str){v.p + 1, v.n - 2}, out);
}

/* NULL: it is none of ours. */
static struct memory_row *row_read(struct arena *a, struct str line)
{
    struct memory_row *m = arena_alloc(a, sizeof(*m));
    struct str text = {arena_strdup(a, line), line.n};
    if (json_check(text, NULL, NULL))
        return NULL;
    struct json v = json_root(text);
    m->content = text_of(a, json_get(v, "content"));
    m->group_id = text_of(a, json_get(v, "group_id"));
    m->agent_id = text_of(a, json_get_set(v, "agent_id"));
    m->model = text_of(a, json_get_set(v, "model"));
    m->metadata_json = json_raw(json_get(v, "metadata"));
    m->tier = MEMORY_WORKING;
    m->text_score = m->vector_score = -1;
    json_i64(json_get(v, "chunk"), &m->chunk);
    json_i64(json_get(v, "chunks"), &m->chunks);
    json_i64(json_get(v, "hits"), &m->hits);
    time_of(json_get(v, "created_at"), &m->created_at);
    time_of(json_get(v, "updated_at"), &m->updated_at);
    id_of(json_get(v, "session_id"), &m->session_id);
    return id_of(json_get(v, "id"), &m->id) && id_of(json_get(v, "source_id"), &m->source_id) &&
                   m->content.p && m->group_id.p
               ? m
               : NULL;
}

/* The rows, the newest first; false: something does not read. */
static bool rows_read(struct memory_query *q, struct str lines, struct memory_row **out)
{
    int64_t oldest = clock_wall_ms() - MEMORY_WORKING_MS;
    *out = NULL;
    while (lines.n) {
        const char *nl = memchr(lines.p, '\n', lines.n);
        struct str line = {lines.p, nl ? (size_t)(nl - lines.p) : lines.n};
        struct memory_row *m = row_read(&q->ask.req.arena, line);
        if (!m)
            return false;
        if (m->updated_at >= oldest) {
            m->next = *out;
            *out = m;
        }
        lines.p += line.n + (nl != NULL);
        lines.n -= line.n + (nl != NULL);
    }
    return true;
}

static void hot_listed(struct cache_req *req)
{
    struct memory_query *q = req->data;
    struct memory_question none = {.count = 0};
    struct memory_row *rows = NULL;
    bool reads = req->status == 0 && rows_read(q, buf_str(&req->got), &rows);
    if (req->status && req->status != ERR_NOT_FOUND)
        q->key.n = 0; /* it cannot be kept either */
    cache_req_deinit(req);
    if (reads)
        memory_query_answer(q, rules_memory_best(rows, &q->ask, &none));
    else
        memory_query_ask(q);
}

static void hot_numbered(struct cache_req *req)
{
    struct memory_query *q = req->data;
    bool is_new = req->status == ERR_NOT_FOUND;
    int n = -1;
    if (!req->status || is_new)
        n = snprintf(q->key.text, sizeof(q->key.text), "mem:%.*s:%.*s:%.*s", STR_FMT(q->workspace),
                     STR_FMT(q->group_id), is_new ? 1 : (int)req->got.len,
                     is_new ? "0" : req->got.data);
    q->key.n = n > 0 && (size_t)n < sizeof(q->key.text) ? (size_t)n : 0;
    cache_req_deinit(req);
    if (!q->key.n) {
        memory_query_ask(q);
        return;
    }
    cache_req_init(&q->cached, CACHE_LIST, hot_listed, q);
    q->cached.key = (struct str){q->key.text, q->key.n};
    cache_submit(q->app->cache, &q->cached);
}

void memory_hot_start(struct memory_query *q)
{
    number_key(q->workspace, &q->key);
    cache_req_init(&q->cached, CACHE_GET, hot_numbered, q);
    q->cached.key = (struct str){q->key.text, q->key.n};
    cache_submit(q->app->cache, &q->cached);
}
