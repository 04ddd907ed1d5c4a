#include "app/memory.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"

#define HITS_MAX MEMORY_RESULTS_MAX

/* ---- words ---- */

static const struct {
    const char *word;
    enum memory_tier tier;
} tiers[] = {{"quarantine", MEMORY_QUARANTINE},
             {"working", MEMORY_WORKING},
             {"long_term", MEMORY_LONG_TERM}};
#define TIERS (sizeof(tiers) / sizeof(tiers[0]))

const char *memory_tier_word(enum memory_tier t)
{
    for (size_t i = 0; i < TIERS; i++)
        if (tiers[i].tier == t)
            return tiers[i].word;
    return "quarantine"; /* of what does not read: nobody finds it */
}

enum memory_tier memory_tier_of(struct str word)
{
    for (size_t i = 0; i < TIERS; i++)
        if (str_eqz(word, tiers[i].word))
            return tiers[i].tier;
    return (enum memory_tier)0;
}

static void kv_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    if (id_is_zero(id)) {
        jw_kv_raw(w, key, STR_NULL);
        return;
    }
    id_format(id, text);
    jw_kv_stringz(w, key, text);
}

static void kv_text(struct jw *w, const char *key, struct str text)
{
    if (text.p)
        jw_kv_string(w, key, text);
    else
        jw_kv_raw(w, key, STR_NULL);
}

void memory_row_members(struct jw *w, const struct memory_row *row, bool is_result)
{
    kv_id(w, "id", row->id);
    kv_id(w, "source_id", row->source_id);
    jw_kv_string(w, "content", row->content);
    jw_kv_stringz(w, "source", row->tier == MEMORY_WORKING ? "hot" : "cold");
    jw_kv_stringz(w, "tier", memory_tier_word(row->tier));
    if (is_result) {
        jw_kv_double(w, "score", row->score);
        if (row->text_score >= 0)
            jw_kv_double(w, "text_score", row->text_score);
        if (row->vector_score >= 0)
            jw_kv_double(w, "vector_score", row->vector_score);
    }
    jw_kv_string(w, "group_id", row->group_id);
    kv_text(w, "agent_id", row->agent_id);
    kv_id(w, "session_id", row->session_id);
    jw_kv_raw(w, "metadata", row->metadata_json.n ? row->metadata_json : STR("{}"));
    jw_kv_i64(w, "chunk", row->chunk);
    jw_kv_i64(w, "chunks", row->chunks);
    kv_text(w, "model", row->model);
    jw_kv_i64(w, "hits", row->hits);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "updated_at", row->updated_at);
}

void memory_row_write(struct jw *w, const struct memory_row *row, bool is_result)
{
    jw_object(w);
    memory_row_members(w, row, is_result);
    jw_end(w);
}

/* ---- hits ---- */

/* What was found was used; nobody waits for that to be written down. */
struct hits {
    struct store_memory_update update;
    struct id ids[HITS_MAX];
    char workspace[];
};

static void hits_written(struct store_req *r)
{
    struct hits *h = r->data;
    store_req_deinit(r);
    free(h);
}

static void hits_write(struct app *a, struct str workspace, const struct memory_row *rows)
{
    struct hits *h;
    size_t count = 0;
    if (!rows || a->stopping || a->journal.failing)
        return;
    h = mem_zalloc(sizeof(*h) + workspace.n + 1);
    if (workspace.n)
        memcpy(h->workspace, workspace.p, workspace.n);
    for (; rows && count < HITS_MAX; rows = rows->next)
        h->ids[count++] = rows->id;
    store_req_init(&h->update.req, STORE_MEMORY_UPDATE, hits_written, h);
    h->update.workspace = (struct str){h->workspace, workspace.n};
    h->update.ids = h->ids;
    h->update.count = count;
    h->update.hit = true;
    h->update.now_ms = clock_wall_ms();
    store_submit(a->store, &h->update.req);
}

/* ---- questions ---- */

static int query_limit(const struct memory_query *q)
{
    int limit = q->limit <= 0 ? MEMORY_RESULTS : q->limit;
    return limit < MEMORY_RESULTS_MAX ? limit : MEMORY_RESULTS_MAX;
}

void memory_query_answer(struct memory_query *q, struct memory_row *rows)
{
    int left = query_limit(q);
    struct memory_row **at = &rows;
    for (; *at && left > 0; left--)
        at = &(*at)->next;
    *at = NULL; /* for a list in the cache more is asked for */
    q->rows = rows;
    if (!q->no_hits)
        hits_write(q->app, q->workspace, rows);
    q->done(q);
}

static void query_answered(struct store_req *r)
{
    struct memory_query *q = r->data;
    q->status = r->status;
    q->error = r->error;
    if (r->status == 0)
        memory_hot_fill(q, q->ask.rows);
    memory_query_answer(q, r->status ? NULL : q->ask.rows);
}

static void query_fill(struct memory_query *q)
{
    struct store_memory_query *m = &q->ask;
    m->workspace = q->workspace;
    m->group_id = q->group_id;
    m->agent_id = q->agent_id;
    m->group_only = q->group_only;
    m->session_id = q->session_id;
    m->tiers = q->tiers;
    m->created_after = q->created_after;
    m->created_before = q->created_before;
    m->text = q->text;
    m->score_min = q->score_min;
    m->limit = query_limit(q);
}

void memory_query_ask(struct memory_query *q)
{
    if (q->key.n && q->ask.limit < MEMORY_WORKING_ITEMS)
        q->ask.limit = MEMORY_WORKING_ITEMS;
    store_submit(q->app->store, &q->ask.req);
}

/* Without its vector a question is asked by its words alone: that is less, but an answer. */
static void query_embedded(struct llm_embed *c)
{
    struct memory_query *q = c->data;
    struct memory *all = &q->app->memory;
    list_remove(&q->link);
    if (c->status == 0 && c->dimensions_used <= MEMORY_DIMENSIONS_MAX) {
        size_t bytes = c->dimensions_used * sizeof(float);
        float *v = arena_alloc(&q->ask.req.arena, bytes);
        memcpy(v, c->vectors, bytes);
        q->ask.embedding = v;
        q->ask.dimensions = c->dimensions_used;
        q->ask.model = memory_model_name(all, c, &q->ask.req.arena);
        q->by_vector = true;
        all->said_embed = false;
    } else if (!all->said_embed) {
        log_warn("memory", "questions are asked by their words alone: %s", c->error.text);
        all->said_embed = true;
    }
    memory_query_ask(q);
}

void memory_query_start(struct app *a, struct memory_query *q)
{
    struct errbuf e = {""};
    q->app = a;
    q->status = 0;
    q->rows = NULL;
    q->by_vector = false;
    list_init(&q->link);
    memset(&q->ask, 0, sizeof(q->ask));
    q->key.n = 0;
    store_req_init(&q->ask.req, STORE_MEMORY_QUERY, query_answered, q);
    query_fill(q);
    if (memory_hot_fits(q)) {
        memory_hot_start(q);
        return;
    }
    if (q->vector.values) {
        q->ask.embedding = q->vector.values;
        q->ask.dimensions = q->vector.dimensions;
        q->ask.model = q->vector.model;
        q->by_vector = true;
        memory_query_ask(q);
        return;
    }
    if (!memory_has_model(&a->memory) || q->text.n == 0 || a->stopping) {
        memory_query_ask(q);
        return;
    }
    memory_embed_init(&a->memory, &q->embed, q->fair_key);
    q->embed.texts = &q->text;
    q->embed.count = 1;
    q->embed.on_done = query_embedded;
    q->embed.data = q;
    if (llm_embed_start(a->llm, &q->embed, &e)) {
        if (!a->memory.said_embed)
            log_warn("memory", "questions are asked by their words alone: %s", e.text);
        a->memory.said_embed = true;
        memory_query_ask(q);
        return;
    }
    list_append(&a->memory.embedding, &q->link);
}

struct memory_vector memory_query_vector(const struct memory_query *q, struct arena *a)
{
    struct memory_vector v = {.dimensions = q->ask.dimensions};
    if (!q->by_vector)
        return (struct memory_vector){NULL, 0, STR_NULL};
    float *values = arena_alloc(a, v.dimensions * sizeof(float));
    memcpy(values, q->ask.embedding, v.dimensions * sizeof(float));
    v.values = values;
    v.model = str_of(arena_strdup(a, q->ask.model));
    return v;
}

void memory_query_deinit(struct memory_query *q)
{
    store_req_deinit(&q->ask.req);
}

/* ---- the model for vectors ---- */

bool memory_has_model(const struct memory *m)
{
    return m->app->config.embedding.model != NULL;
}

void memory_embed_init(const struct memory *m, struct llm_embed *c, struct id fair_key)
{
    const struct config_embedding *set = &m->app->config.embedding;
    *c = (struct llm_embed){.provider = set->provider,
                            .model = set->model,
                            .dimensions = set->dimensions,
                            .fair_key = fair_key};
}

/* Vectors are compared by the name that was asked for: servers report their own spellings of it. */
struct str memory_model_name(const struct memory *m, const struct llm_embed *c, struct arena *a)
{
    const char *set = m->app->config.embedding.model;
    const char *name = set ? set : c->model_used;
    return str_of(arena_strdup(a, str_of(name ? name : "")));
}

/* ---- the part of the server ---- */

void memory_open(struct memory *m, struct app *a)
{
    *m = (struct memory){.app = a};
    list_init(&m->embedding);
    list_init(&m->ingests);
    list_init(&m->waiting);
    list_init(&m->releases);
    memory_ageing_open(m);
}

void memory_stop(struct memory *m)
{
    list_foreach_safe(it, tmp, &m->embedding)
    {
        struct memory_query *q = container_of(it, struct memory_query, link);
        list_remove(&q->link);
        llm_embed_cancel(m->app->llm, &q->embed);
        memory_query_ask(q);
    }
    memory_ingest_stop(m);
}

void memory_close(struct memory *m)
{
    memory_ageing_close(m);
}
