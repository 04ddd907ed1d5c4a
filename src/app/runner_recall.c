/* What context_synth asks: answered from the store. Only the engine itself may
 * ask so (`internal`): a tool of this name in a workflow, or in a model's hands, is unknown. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/runner_tools.h"
#include "base/mem.h"

#define MESSAGES_PAGE      500
#define MESSAGES_BYTES_MAX (3u << 20) /* the newest; what is older is left out */

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
