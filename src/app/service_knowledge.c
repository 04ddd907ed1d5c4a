/* What a session has to do with memory: the chunks that it wrote, and those that it was given.
 *
 *     rows of the session (STORE_MEMORY_LIST) ─> its memory_retrieved events, page by page
 *       ─> those that it did not write itself, one by one ─> answer
 *
 * What it was given and is gone since is left out. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/app.h"
#include "base/mem.h"

#define PAGE_BYTES    (1u << 20)
#define PAGE_EVENTS   5000
#define RETRIEVED_MAX 500 /* the newest are left out beyond it */

struct knowledge {
    struct app *app;
    struct svc_req *req;
    union {
        struct store_req base;
        struct store_session_get session;
        struct store_memory_list list;
        struct store_events_read events;
        struct store_memory_get get;
    } u;
    struct jw w;
    unsigned layer; /* bits of tiers; 0: all */
    int64_t after;
    struct table written; /* ids that are in the answer already */
    struct id retrieved[RETRIEVED_MAX];
    size_t count, at;
    int left; /* items that may still come */
    char *cursor;
};

static void knowledge_ask(struct knowledge *k, enum store_op op, void (*done)(struct store_req *))
{
    memset(&k->u, 0, sizeof(k->u));
    store_req_init(&k->u.base, op, done, k);
}

static void knowledge_free(struct knowledge *k)
{
    table_deinit(&k->written);
    free(k->cursor);
    free(k);
}

/* True when the store's request failed: then it is over. */
static bool knowledge_failed(struct knowledge *k, struct store_req *r)
{
    if (r->status == 0)
        return false;
    buf_clear(&k->req->body);
    app_failed_store(k->req, r, "there is no such session");
    store_req_deinit(r);
    knowledge_free(k);
    return true;
}

static bool text_has(struct str text, struct str part)
{
    if (!part.n)
        return true;
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (strncasecmp(text.p + i, part.p, part.n) == 0)
            return true;
    return false;
}

static void knowledge_add(struct knowledge *k, const struct memory_row *row, bool is_written)
{
    if (table_get(&k->written, row->id))
        return;
    table_put(&k->written, row->id, k);
    if (k->left == 0 || (k->layer && !(k->layer & row->tier)) ||
        !text_has(row->content, k->req->list.q))
        return;
    k->left--;
    jw_object(&k->w);
    jw_kv_stringz(&k->w, "relation", is_written ? "written" : "retrieved");
    jw_kv_stringz(&k->w, "layer",
                  row->tier == MEMORY_WORKING     ? "hot"
                  : row->tier == MEMORY_LONG_TERM ? "cold"
                                                  : "quarantine");
    memory_row_members(&k->w, row, false);
    jw_end(&k->w);
}

static void knowledge_answer(struct knowledge *k)
{
    struct svc_req *req = k->req;
    jw_end(&k->w);
    jw_kv_raw(&k->w, "next_cursor", STR("null"));
    jw_end(&k->w);
    knowledge_free(k);
    if (buf_error(&req->body))
        app_fail(req, ERR_TOO_LARGE, "the answer is too large; ask for fewer with limit");
    else
        app_done(req);
}

/* ---- what it was given ---- */

static void knowledge_next(struct knowledge *k);

static void knowledge_got(struct store_req *r)
{
    struct knowledge *k = r->data;
    if (r->status == 0)
        knowledge_add(k, &k->u.get.row, false);
    else if (r->status != ERR_NOT_FOUND && knowledge_failed(k, r))
        return;
    store_req_deinit(r);
    knowledge_next(k);
}

static void knowledge_next(struct knowledge *k)
{
    while (k->at < k->count && table_get(&k->written, k->retrieved[k->at]))
        k->at++;
    if (k->at == k->count || k->left == 0) {
        knowledge_answer(k);
        return;
    }
    knowledge_ask(k, STORE_MEMORY_GET, knowledge_got);
    k->u.get.workspace = k->req->workspace;
    k->u.get.id = k->retrieved[k->at++];
    store_submit(k->app->store, &k->u.base);
}

static void event_read(struct knowledge *k, struct str frame)
{
    struct json event = json_root(frame);
    struct json_iter it;
    struct id id;
    if (!json_string_eq(json_get(event, "type"), "memory_retrieved"))
        return;
    json_iter_init(&it, json_get(json_get(event, "data"), "ids"));
    while (json_iter_next(&it) && k->count < RETRIEVED_MAX)
        if (it.value.n > 2 && id_parse((struct str){it.value.p + 1, it.value.n - 2}, &id))
            k->retrieved[k->count++] = id;
}

static void row_read(struct knowledge *k, const struct event_row *row)
{
    static const char word[] = "\"memory_retrieved\"";
    const char *at = row->frames.p, *end = at + row->frames.n;
    if (!row->frames.n || !memmem(at, row->frames.n, word, sizeof(word) - 1))
        return;
    while (at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        event_read(k, (struct str){at, (size_t)((nl ? nl : end) - at)});
        at = nl ? nl + 1 : end;
    }
}

static void knowledge_events(struct knowledge *k);

static void events_read(struct store_req *r)
{
    struct knowledge *k = r->data;
    int64_t before = k->after, last;
    if (knowledge_failed(k, r))
        return;
    for (const struct event_row *row = k->u.events.rows; row; row = row->next) {
        row_read(k, row);
        k->after = row->seq_last > k->after ? row->seq_last : k->after;
    }
    last = k->u.events.last_seq;
    store_req_deinit(r);
    if (k->after > before && k->after < last && k->count < RETRIEVED_MAX)
        knowledge_events(k);
    else
        knowledge_next(k);
}

static void knowledge_events(struct knowledge *k)
{
    knowledge_ask(k, STORE_EVENTS_READ, events_read);
    k->u.events.session_id = k->req->session_id;
    k->u.events.after = k->after;
    k->u.events.limit = PAGE_EVENTS;
    k->u.events.bytes_max = PAGE_BYTES;
    store_submit(k->app->store, &k->u.base);
}

/* ---- what it wrote ---- */

static void knowledge_list(struct knowledge *k);

static void listed(struct store_req *r)
{
    struct knowledge *k = r->data;
    if (knowledge_failed(k, r))
        return;
    for (const struct memory_row *row = k->u.list.rows; row; row = row->next)
        knowledge_add(k, row, true);
    free(k->cursor);
    k->cursor = k->u.list.next_cursor.p ? str_dup(k->u.list.next_cursor) : NULL;
    store_req_deinit(r);
    if (k->cursor && k->left > 0)
        knowledge_list(k);
    else
        knowledge_events(k);
}

static void knowledge_list(struct knowledge *k)
{
    knowledge_ask(k, STORE_MEMORY_LIST, listed);
    k->u.list.workspace = k->req->workspace;
    k->u.list.session_id = k->req->session_id;
    k->u.list.cursor = str_of(k->cursor);
    k->u.list.limit = STORE_LIMIT_MAX;
    store_submit(k->app->store, &k->u.base);
}

static void session_got(struct store_req *r)
{
    struct knowledge *k = r->data;
    if (knowledge_failed(k, r))
        return;
    store_req_deinit(r);
    knowledge_list(k);
}

static int layer_read(struct str word, unsigned *out)
{
    *out = str_eqz(word, "hot")          ? MEMORY_WORKING
           : str_eqz(word, "cold")       ? MEMORY_LONG_TERM
           : str_eqz(word, "quarantine") ? MEMORY_QUARANTINE
                                         : 0;
    return *out || !word.p ? 0 : ERR_INVALID;
}

void svc_knowledge(struct app *a, struct svc_req *req)
{
    struct knowledge *k = mem_zalloc(sizeof(*k));
    if (layer_read(req->memory.tier, &k->layer)) {
        free(k);
        app_fail(req, ERR_INVALID, "layer: expected hot, cold or quarantine");
        return;
    }
    k->app = a;
    k->req = req;
    k->left = req->list.limit;
    table_init(&k->written);
    jw_init(&k->w, &req->body);
    jw_object(&k->w);
    jw_key(&k->w, "items");
    jw_array(&k->w);
    knowledge_ask(k, STORE_SESSION_GET, session_got);
    k->u.session.workspace = req->workspace;
    k->u.session.id = req->session_id;
    store_submit(a->store, &k->u.base);
}
