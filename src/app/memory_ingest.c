/* What comes in: cut into chunks, given vectors, stored in one transaction or not at all. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/chunks.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

static int ingest_go_on(struct memory_ingest *m, struct errbuf *e);

/* ---- one after the other ---- */

static void ingest_leave(struct memory_ingest *m)
{
    list_remove(&m->link);
    free(m->vectors);
    m->vectors = NULL;
    if (m->is_started)
        m->app->memory.ingest_count--;
    else
        m->app->memory.waiting_count--;
}

static void ingest_fail(struct memory_ingest *m, int status, const char *code, const char *text)
{
    struct errbuf e;
    err_set(&e, status, "%s", text); /* it may stand in what is written now */
    m->error = e;
    m->status = status;
    snprintf(m->error_code, sizeof(m->error_code), "%s", code ? code : "");
}

static void ingest_begin_next(struct memory *all)
{
    while (all->ingest_count < MEMORY_INGESTS_MAX && !list_empty(&all->waiting)) {
        struct memory_ingest *m = container_of(list_pop(&all->waiting), struct memory_ingest, link);
        struct errbuf e = {""};
        all->waiting_count--;
        all->ingest_count++;
        list_append(&all->ingests, &m->link);
        m->is_started = true;
        int rc = ingest_go_on(m, &e);
        if (rc) {
            ingest_leave(m);
            ingest_fail(m, rc, "embedding_failed", e.text);
            m->done(m);
        }
    }
}

/* The last thing that is done with it. */
static void ingest_end(struct memory_ingest *m)
{
    ingest_leave(m);
    ingest_begin_next(&m->app->memory);
    m->done(m);
}

/* ---- chunks ---- */

/* Ids of a repeat are those of the first time: of the key, and of the number of the chunk. */
static struct id ingest_id(const struct memory_ingest *m, struct id_source *ids, unsigned n)
{
    struct id id = m->key;
    uint64_t h = id_hash(m->key) + n * 0x9e3779b97f4a7c15u;
    if (id_is_zero(m->key))
        return id_new(ids, (uint64_t)clock_wall_ms());
    for (unsigned i = 0; i < 8; i++)
        h ^= (uint64_t)m->key.b[8 + i] << (8 * i);
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    h ^= h >> 31;
    id.b[6] = (uint8_t)(0x70 | (n >> 8 & 15)); /* version 7; in their order */
    id.b[7] = (uint8_t)n;
    for (unsigned i = 0; i < 8; i++)
        id.b[8 + i] = (uint8_t)(h >> (8 * i));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

static void ingest_row(struct memory_ingest *m, size_t i, int64_t now)
{
    struct memory_row *row = &m->rows[i];
    *row = (struct memory_row){.next = i + 1 < m->count ? row + 1 : NULL,
                               .id = ingest_id(m, &m->app->ids, (unsigned)i + 1),
                               .source_id = m->source_id,
                               .session_id = m->session_id,
                               .workspace = m->workspace,
                               .group_id = m->group_id,
                               .agent_id = m->agent_id,
                               .content = m->texts[i],
                               .metadata_json = m->metadata_json,
                               .tier = m->tier,
                               .chunk = (int64_t)i,
                               .chunks = (int64_t)m->count,
                               .created_at = now,
                               .updated_at = now};
}

static void ingest_split(struct memory_ingest *m)
{
    int64_t now = clock_wall_ms();
    struct chunks c;
    struct str piece;
    size_t count = 0;
    chunks_init(&c, m->content);
    while (chunks_next(&c, &piece))
        count++;
    m->count = count;
    m->texts = arena_calloc(&m->arena, count + 1, sizeof(*m->texts));
    m->rows = arena_calloc(&m->arena, count + 1, sizeof(*m->rows));
    chunks_init(&c, m->content);
    for (size_t i = 0; i < count; i++)
        chunks_next(&c, &m->texts[i]);
    m->source_id = ingest_id(m, &m->app->ids, 0);
    for (size_t i = 0; i < count; i++)
        ingest_row(m, i, now);
}

static int ingest_check(const struct memory_ingest *m, struct errbuf *e)
{
    if (m->content.n > MEMORY_CONTENT_MAX)
        return err_set(e, ERR_TOO_LARGE, "content: a text has at most %u bytes",
                       MEMORY_CONTENT_MAX);
    if (m->metadata_json.n > MEMORY_METADATA_MAX)
        return err_set(e, ERR_TOO_LARGE, "metadata: at most %u bytes", MEMORY_METADATA_MAX);
    if (!utf8_is_valid(m->content))
        return err_set(e, ERR_INVALID, "content: not valid UTF-8");
    if (m->count == 0)
        return err_set(e, ERR_INVALID, "content: empty");
    return 0;
}

/* ---- vectors ---- */

static const char *ingest_vectors_differ(struct memory_ingest *m, const struct llm_embed *c)
{
    if (c->dimensions_used == 0 || c->dimensions_used > MEMORY_DIMENSIONS_MAX)
        return "the embedding model's vectors have more dimensions than are taken";
    if (m->dimensions && m->dimensions != c->dimensions_used)
        return "the embedding model gave vectors of several sizes";
    return NULL;
}

/* The rows of this batch have their vectors. */
static void ingest_take(struct memory_ingest *m, const struct llm_embed *c)
{
    m->dimensions = c->dimensions_used;
    if (!m->vectors)
        m->vectors = mem_alloc(m->count * m->dimensions * sizeof(float));
    memcpy(m->vectors + m->embedded * m->dimensions, c->vectors,
           c->count * m->dimensions * sizeof(float));
    for (size_t i = 0; i < c->count; i++) {
        struct memory_row *row = &m->rows[m->embedded + i];
        row->embedding = m->vectors + (m->embedded + i) * m->dimensions;
        row->dimensions = m->dimensions;
        row->model = memory_model_name(&m->app->memory, c, &m->arena);
        m->model = row->model.p;
    }
    m->embedded += c->count;
}

static void ingest_embedded(struct llm_embed *c)
{
    struct memory_ingest *m = c->data;
    const char *wrong = c->status ? c->error.text : ingest_vectors_differ(m, c);
    struct errbuf e = {""};
    m->is_embedding = false;
    if (wrong) {
        err_set(&e, ERR_UPSTREAM, "nothing was stored, for there are no vectors: %s", wrong);
        ingest_fail(m, ERR_UPSTREAM, "embedding_failed", e.text);
        ingest_end(m);
        return;
    }
    ingest_take(m, c);
    int rc = ingest_go_on(m, &e);
    if (rc) {
        ingest_fail(m, rc, "embedding_failed", e.text);
        ingest_end(m);
    }
}

/* A model that cannot even be asked is a setting that is wrong: the server's fault. */
static int ingest_embed(struct memory_ingest *m, struct errbuf *e)
{
    size_t left = m->count - m->embedded;
    memory_embed_init(&m->app->memory, &m->embed, m->fair_key);
    m->embed.texts = m->texts + m->embedded;
    m->embed.count = left < MEMORY_EMBED_TEXTS ? left : MEMORY_EMBED_TEXTS;
    m->embed.on_done = ingest_embedded;
    m->embed.data = m;
    if (llm_embed_start(m->app->llm, &m->embed, e))
        return ERR_UPSTREAM;
    m->is_embedding = true;
    return 0;
}

/* ---- the store ---- */

static void ingest_seen(void *data)
{
    ingest_end(data);
}

static void ingest_stored(struct store_req *r)
{
    struct memory_ingest *m = r->data;
    bool is_hot = r->status == 0 && m->tier == MEMORY_WORKING;
    if (r->status)
        ingest_fail(m, r->status, NULL, r->error.text);
    if (is_hot)
        memory_note(&m->app->memory);
    if (is_hot)
        memory_hot_changed(m->app, m->workspace, ingest_seen, m);
    else
        ingest_end(m);
}

static int ingest_go_on(struct memory_ingest *m, struct errbuf *e)
{
    if (memory_has_model(&m->app->memory) && m->embedded < m->count)
        return ingest_embed(m, e);
    store_req_init(&m->put.req, STORE_MEMORY_PUT, ingest_stored, m);
    m->put.rows = m->rows;
    m->put.idempotency = m->before_put ? m->before_put(m) : NULL;
    store_submit(m->app->store, &m->put.req);
    return 0;
}

/* ---- in and out ---- */

int memory_ingest_start(struct app *a, struct memory_ingest *m, struct errbuf *e)
{
    struct memory *all = &a->memory;
    int rc = 0;
    m->app = a;
    arena_init(&m->arena);
    arena_init(&m->put.req.arena);
    list_init(&m->link);
    if (!m->tier)
        m->tier = MEMORY_WORKING;
    if (!m->metadata_json.n)
        m->metadata_json = STR("{}");
    if (m->content.n <= MEMORY_CONTENT_MAX)
        ingest_split(m);
    rc = ingest_check(m, e);
    if (!rc && a->stopping)
        rc = err_set(e, ERR_UNAVAILABLE, "the server is shutting down");
    if (!rc && all->waiting_count >= MEMORY_WAITING_MAX)
        rc = err_set(e, ERR_OVERLOAD, "too many texts are being taken in; try again");
    if (!rc && all->ingest_count < MEMORY_INGESTS_MAX) {
        all->ingest_count++;
        m->is_started = true;
        list_append(&all->ingests, &m->link);
        rc = ingest_go_on(m, e);
        if (rc) {
            snprintf(m->error_code, sizeof(m->error_code), "embedding_failed");
            ingest_leave(m);
        }
    } else if (!rc) {
        all->waiting_count++;
        list_append(&all->waiting, &m->link);
    }
    if (rc)
        memory_ingest_deinit(m);
    return rc;
}

void memory_ingest_deinit(struct memory_ingest *m)
{
    arena_deinit(&m->arena);
    store_req_deinit(&m->put.req);
}

void memory_ingest_stop(struct memory *all)
{
    static const char why[] = "the server is shutting down";
    struct list *it;
    while ((it = list_pop(&all->waiting))) {
        struct memory_ingest *m = container_of(it, struct memory_ingest, link);
        ingest_leave(m);
        ingest_fail(m, ERR_UNAVAILABLE, NULL, why);
        m->done(m);
    }
    list_foreach_safe(at, tmp, &all->ingests)
    {
        struct memory_ingest *m = container_of(at, struct memory_ingest, link);
        if (!m->is_embedding)
            continue; /* the store answers */
        llm_embed_cancel(all->app->llm, &m->embed);
        ingest_leave(m);
        ingest_fail(m, ERR_UNAVAILABLE, NULL, why);
        m->done(m);
    }
}
