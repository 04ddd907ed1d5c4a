/* memory_query and memory_ingest: what nodes and agents ask and write, always in the group of their
 * session. A memory_retrieval node asks by the same way (internal), and may name another group.
 *
 * What sessions write goes into quarantine. Another tier is for the workflow's author to say, in a
 * tool node or in the fixed arguments of an agent's tool; a model has no say in it. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/runner_tools.h"
#include "base/clock.h"
#include "base/mem.h"

#define DAY_MS 86400000.0
#define INGEST_SHAPE                                                                               \
    "memory_ingest takes content, a text, and may take agent_id, metadata and tier."
#define QUERY_SHAPE                                                                                \
    "memory_query takes query, a text, and may take max_results, agent_id, "                       \
    "time_range_days and relevance_threshold."
#define NO_GROUP "The session has no group, so it has no memory: give it a group_id."

/* A text member, in the arena; NULL when it is none. */
static struct str member_text(struct arena *a, struct json object, const char *key)
{
    char *text = json_strdup(json_get_set(object, key));
    if (!text)
        return STR_NULL;
    struct str s = {arena_strdup(a, str_of(text)), strlen(text)};
    free(text);
    return s;
}

static struct str kept(struct arena *a, struct str s)
{
    return s.p ? (struct str){arena_strdup(a, s), s.n} : STR_NULL;
}

static void kv_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    jw_kv_stringz(w, key, text);
}

static bool is_internal(const struct tool_run *t)
{
    bool internal = false;
    json_bool(json_get_set(json_root(t->run.request), "internal"), &internal);
    return internal;
}

/* ---- memory_query ---- */

struct query_run {
    struct memory_query q;
    struct tool_run *t;
    struct arena arena;
};

static void item_write(struct jw *w, const struct memory_row *m)
{
    jw_object(w);
    kv_id(w, "id", m->id);
    jw_kv_string(w, "content", m->content);
    if (m->agent_id.p)
        jw_kv_string(w, "agent_id", m->agent_id);
    jw_kv_stringz(w, "source", m->tier == MEMORY_WORKING ? "hot" : "cold");
    jw_kv_double(w, "score", m->score);
    jw_kv_time(w, "created_at", m->created_at);
    jw_end(w);
}

static void query_end(struct query_run *r)
{
    memory_query_deinit(&r->q);
    arena_deinit(&r->arena);
    free(r);
}

static void query_done(struct memory_query *q)
{
    struct query_run *r = container_of(q, struct query_run, q);
    struct tool_run *t = r->t;
    struct errbuf e = q->error;
    struct buf out;
    struct jw w;
    if (q->status) {
        int status = q->status;
        query_end(r);
        if (t->run.app->stopping)
            tool_run_leave(t);
        else
            tool_run_failed(t, err_word(status), e.text);
        return;
    }
    buf_init(&out, SVC_BODY_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (const struct memory_row *m = q->rows; m; m = m->next)
        item_write(&w, m);
    jw_end(&w);
    jw_end(&w);
    query_end(r);
    tool_run_done(t, buf_str(&out));
    buf_deinit(&out);
}

static bool query_read(struct query_run *r, struct json a, bool internal)
{
    struct memory_query *q = &r->q;
    int64_t limit = MEMORY_RESULTS;
    double days = 0;
    q->text = member_text(&r->arena, a, "query");
    q->agent_id = member_text(&r->arena, a, "agent_id");
    json_double(json_get(a, "relevance_threshold"), &q->score_min);
    json_i64(json_get(a, "max_results"), &limit);
    q->limit = limit < 1 ? 1 : limit > MEMORY_RESULTS_MAX ? MEMORY_RESULTS_MAX : (int)limit;
    if (json_double(json_get(a, "time_range_days"), &days) && days > 0 && days < 1e6)
        q->created_after = clock_wall_ms() - (int64_t)(days * DAY_MS);
    if (internal) {
        json_i64(json_get(a, "created_after"), &q->created_after);
        return true;
    }
    return q->text.p && q->text.n <= MEMORY_QUERY_MAX;
}

void memory_tool_query(struct tool_run *t)
{
    const struct session_meta *meta = session_meta_of(t->run.live->session);
    struct json a = tool_run_arguments(t);
    bool internal = is_internal(t);
    struct query_run *r = mem_zalloc(sizeof(*r));
    r->t = t;
    arena_init(&r->arena);
    arena_init(&r->q.ask.req.arena);
    r->q.workspace = kept(&r->arena, meta->workspace);
    r->q.group_id =
        internal ? member_text(&r->arena, a, "group_id") : kept(&r->arena, meta->group_id);
    r->q.fair_key = t->run.live->id;
    r->q.done = query_done;
    bool reads = query_read(r, a, internal), has_group = r->q.group_id.n > 0;
    if (reads && has_group) {
        memory_query_start(t->run.app, &r->q);
        return;
    }
    query_end(r);
    tool_run_failed(t, reads ? "no_group" : "invalid_arguments", reads ? NO_GROUP : QUERY_SHAPE);
}

/* ---- memory_ingest ---- */

struct ingest_run {
    struct memory_ingest in;
    struct tool_run *t;
    struct arena arena;
};

static void ingest_end(struct ingest_run *r)
{
    arena_deinit(&r->arena);
    free(r);
}

static void ingest_done(struct memory_ingest *m)
{
    struct ingest_run *r = container_of(m, struct ingest_run, in);
    struct tool_run *t = r->t;
    int status = m->status;
    struct errbuf e = m->error;
    struct buf out;
    struct jw w;
    buf_init(&out, SVC_BODY_MAX);
    jw_init(&w, &out);
    if (!status)
        memory_ingest_write(&w, m);
    char code[sizeof(m->error_code)];
    memcpy(code, m->error_code, sizeof(code));
    memory_ingest_deinit(m);
    ingest_end(r);
    if (status && t->run.app->stopping)
        tool_run_leave(t);
    else if (status)
        tool_run_failed(t, code[0] ? code : err_word(status), e.text);
    else
        tool_run_done(t, buf_str(&out));
    buf_deinit(&out);
}

static enum memory_tier ingest_tier(const struct tool_run *t)
{
    struct json word = json_get_set(tool_run_arguments(t), "tier");
    enum memory_tier tier = (enum memory_tier)0;
    if (json_type(word) == JSON_STRING && tool_run_is_authored(t, "tier"))
        tier = memory_tier_of((struct str){word.p + 1, word.n - 2});
    return tier ? tier : MEMORY_QUARANTINE;
}

static bool ingest_read(struct ingest_run *r, struct json a)
{
    struct json metadata = json_get_set(a, "metadata"), agent = json_get_set(a, "agent_id");
    struct memory_ingest *m = &r->in;
    m->content = member_text(&r->arena, a, "content");
    m->agent_id = member_text(&r->arena, a, "agent_id");
    if (json_exists(metadata))
        m->metadata_json = kept(&r->arena, json_raw(metadata));
    if (json_exists(metadata) && json_type(metadata) != JSON_OBJECT)
        return false;
    if (json_exists(agent) && !name_is_valid(m->agent_id))
        return false;
    return m->content.p != NULL;
}

void memory_tool_ingest(struct tool_run *t)
{
    const struct session_meta *meta = session_meta_of(t->run.live->session);
    struct ingest_run *r = mem_zalloc(sizeof(*r));
    struct memory_ingest *m = &r->in;
    struct errbuf e = {""};
    int rc = ERR_INVALID;
    r->t = t;
    arena_init(&r->arena);
    m->workspace = kept(&r->arena, meta->workspace);
    m->group_id = kept(&r->arena, meta->group_id);
    m->session_id = m->fair_key = t->run.live->id;
    m->key = t->key;
    m->tier = ingest_tier(t);
    m->done = ingest_done;
    bool reads = ingest_read(r, tool_run_arguments(t)), has_group = m->group_id.n > 0;
    if (reads && has_group)
        rc = memory_ingest_start(t->run.app, m, &e);
    if (!rc)
        return;
    ingest_end(r);
    if (t->run.app->stopping)
        tool_run_leave(t);
    else if (!reads || !has_group)
        tool_run_failed(t, reads ? "no_group" : "invalid_arguments",
                        reads ? NO_GROUP : INGEST_SHAPE);
    else
        tool_run_failed(t, rc == ERR_UPSTREAM ? "embedding_failed" : err_word(rc), e.text);
}
