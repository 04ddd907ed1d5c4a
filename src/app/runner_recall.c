/* What memory_retrieval and context_synth ask: answered from the store. Only the engine itself may
 * ask so (`internal`): a tool of this name in a workflow, or in a model's hands, is unknown. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/runner_tools.h"
#include "base/mem.h"

#define MESSAGES_PAGE      500
#define MESSAGES_BYTES_MAX (3u << 20) /* the newest; what is older is left out */
#define MEMORIES_MAX       100

bool recall_allowed(struct tool_run *t)
{
    bool internal = false;
    json_bool(json_get_set(json_root(t->run.request), "internal"), &internal);
    if (!internal)
        tool_run_failed(t, "unknown_tool", "There is no such tool.");
    return internal;
}

static bool recall_failed(struct tool_run *t, struct store_req *r)
{
    int status = r->status;
    struct errbuf e = r->error;
    if (!status)
        return false;
    store_req_deinit(r);
    tool_run_failed(t, err_word(status), e.text);
    return true;
}

/* ---- memories ---- */

struct memories_job {
    struct tool_run *t;
    struct store_memory_query query;
};

static void memory_write(struct jw *w, const struct memory_row *m)
{
    char id[ID_TEXT_BYTES + 1];
    jw_object(w);
    id_format(m->id, id);
    jw_kv_stringz(w, "id", id);
    jw_kv_string(w, "content", m->content);
    if (m->agent_id.p)
        jw_kv_string(w, "agent_id", m->agent_id);
    jw_kv_stringz(w, "source", "cold");
    jw_kv_double(w, "score", m->score);
    jw_kv_time(w, "created_at", m->created_at);
    jw_end(w);
}

static void memories_read(struct store_req *r)
{
    struct memories_job *job = r->data;
    struct tool_run *t = job->t;
    struct buf out;
    struct jw w;
    if (recall_failed(t, r)) {
        free(job);
        return;
    }
    buf_init(&out, SVC_BODY_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (const struct memory_row *m = job->query.rows; m; m = m->next)
        memory_write(&w, m);
    jw_end(&w);
    jw_end(&w);
    store_req_deinit(r);
    free(job);
    tool_run_done(t, buf_str(&out));
    buf_deinit(&out);
}

static struct str recall_text(struct store_req *r, struct json v)
{
    char *text = json_strdup(v);
    if (!text)
        return STR_NULL;
    struct str kept = str_of(arena_strdup(&r->arena, str_of(text)));
    free(text);
    return kept;
}

void recall_memories(struct tool_run *t)
{
    if (!recall_allowed(t))
        return;
    struct memories_job *job = mem_zalloc(sizeof(*job));
    struct json a = tool_run_arguments(t);
    struct store_memory_query *q = &job->query;
    int64_t limit = 5;
    job->t = t;
    store_req_init(&q->req, STORE_MEMORY_QUERY, memories_read, job);
    q->workspace = session_meta_of(t->run.live->session)->workspace;
    q->workspace = (struct str){arena_strdup(&q->req.arena, q->workspace), q->workspace.n};
    q->group_id = recall_text(&q->req, json_get(a, "group_id"));
    q->text = recall_text(&q->req, json_get(a, "query"));
    json_i64(json_get(a, "created_after"), &q->created_after);
    json_double(json_get(a, "relevance_threshold"), &q->score_min);
    json_i64(json_get(a, "max_results"), &limit);
    q->limit = limit < 1 ? 1 : limit > MEMORIES_MAX ? MEMORIES_MAX : (int)limit;
    store_submit(t->run.app->store, &q->req);
}

/* ---- messages ---- */

struct message_text {
    struct list link;
    size_t bytes;
    char json[];
};
struct messages_job {
    struct tool_run *t;
    struct id session_id;
    struct store_messages_list list;
    struct list texts; /* struct message_text, oldest first */
    size_t bytes;
    char *cursor;
};

static void messages_add(struct messages_job *job, const struct message_row *m)
{
    struct buf b;
    struct jw w;
    buf_init(&b, SVC_BODY_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "role", m->role);
    if (m->node_id.p)
        jw_kv_string(&w, "node_id", m->node_id);
    if (m->agent_id.p)
        jw_kv_string(&w, "agent_id", m->agent_id);
    jw_kv_string(&w, "content", m->content);
    jw_end(&w);
    if (!buf_error(&b)) {
        struct message_text *text = mem_alloc(sizeof(*text) + b.len);
        text->bytes = b.len;
        memcpy(text->json, b.data, b.len);
        list_append(&job->texts, &text->link);
        job->bytes += b.len;
    }
    buf_deinit(&b);
    while (job->bytes > MESSAGES_BYTES_MAX) {
        struct message_text *old = container_of(list_pop(&job->texts), struct message_text, link);
        job->bytes -= old->bytes;
        free(old);
    }
}

static void messages_free(struct messages_job *job)
{
    struct list *l;
    while ((l = list_pop(&job->texts)))
        free(container_of(l, struct message_text, link));
    free(job->cursor);
    free(job);
}

static void messages_answer(struct messages_job *job)
{
    struct tool_run *t = job->t;
    struct buf out;
    struct jw w;
    buf_init(&out, SVC_BODY_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "messages");
    jw_array(&w);
    list_foreach(it, &job->texts)
    {
        const struct message_text *text = container_of(it, struct message_text, link);
        jw_raw(&w, (struct str){text->json, text->bytes});
    }
    jw_end(&w);
    jw_end(&w);
    messages_free(job);
    tool_run_done(t, buf_str(&out));
    buf_deinit(&out);
}

static void messages_submit(struct messages_job *job);

static void messages_read(struct store_req *r)
{
    struct messages_job *job = r->data;
    if (recall_failed(job->t, r)) {
        messages_free(job);
        return;
    }
    for (const struct message_row *m = job->list.rows; m; m = m->next)
        messages_add(job, m);
    free(job->cursor);
    job->cursor = job->list.next_cursor.p ? str_dup(job->list.next_cursor) : NULL;
    store_req_deinit(r);
    if (job->cursor)
        messages_submit(job);
    else
        messages_answer(job);
}

static void messages_submit(struct messages_job *job)
{
    memset(&job->list, 0, sizeof(job->list));
    store_req_init(&job->list.req, STORE_MESSAGES_LIST, messages_read, job);
    job->list.session_id = job->session_id;
    job->list.cursor = str_of(job->cursor);
    job->list.limit = MESSAGES_PAGE;
    store_submit(job->t->run.app->store, &job->list.req);
}

void recall_messages(struct tool_run *t)
{
    if (!recall_allowed(t))
        return;
    struct messages_job *job = mem_zalloc(sizeof(*job));
    job->t = t;
    job->session_id = t->run.live->id;
    list_init(&job->texts);
    messages_submit(job);
}
