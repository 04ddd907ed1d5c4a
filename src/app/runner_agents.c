/* Who speaks: the engine's internal call agent_context, answered from the catalog and the memories.
 *
 *     agent ──> group ──> what the group remembers ──> what the agent remembers ──> answer
 *
 * one after the other, for how much is remembered may be the agent's own setting. What is not asked
 * for, or is none of it there, is left out. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/catalog.h"
#include "app/runner_tools.h"
#include "base/mem.h"
#include "base/utf8.h"

#define GROUP_RESULTS      5
#define AGENT_RESULTS      3
#define RESULTS_MAX        50
#define QUERY_BYTES_MAX    4000         /* of the input, what memories are looked for by */
#define MEMORIES_BYTES_MAX (256u << 10) /* of a list, as JSON */

struct context_job {
    struct tool_run *t;
    struct arena arena;
    struct str workspace, agent_id, group_id, query; /* ids may be NULL */
    struct str ids[1];                               /* of the lookup under way */
    struct catalog_lookup lookup;
    struct id session_id;
    struct memory_query memories;
    struct memory_vector vector;          /* of the query, once it is known */
    int which;                            /* of the lists is asked for */
    char *agent;                          /* its body, or NULL */
    char *prompt;                         /* of the group, or NULL */
    int64_t group_results, agent_results; /* -1: not said so far */
    struct buf lists[2];                  /* elements of the two arrays */
};

static void context_free(struct context_job *job)
{
    free(job->agent);
    free(job->prompt);
    buf_deinit(&job->lists[0]);
    buf_deinit(&job->lists[1]);
    arena_deinit(&job->arena);
    free(job);
}

static void context_failed(struct context_job *job, int status, const struct errbuf *e)
{
    tool_run_failed(job->t, err_word(status), e->text);
    context_free(job);
}

/* ---- the answer ---- */

static void context_answer(struct context_job *job)
{
    static const char *const names[] = {"group_memory", "agent_memory"};
    struct tool_run *t = job->t;
    struct buf out;
    struct jw w;
    buf_init(&out, SVC_BODY_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_raw(&w, "agent", str_of(job->agent));
    jw_key(&w, "group");
    if (job->prompt) {
        jw_object(&w);
        jw_kv_stringz(&w, "system_prompt", job->prompt);
        jw_end(&w);
    } else {
        jw_null(&w);
    }
    for (int i = 0; i < 2; i++) {
        jw_key(&w, names[i]);
        jw_array(&w);
        if (job->lists[i].len)
            jw_raw(&w, buf_str(&job->lists[i]));
        jw_end(&w);
    }
    jw_end(&w);
    context_free(job);
    tool_run_done(t, buf_str(&out));
    buf_deinit(&out);
}

/* ---- memories ---- */

static void memories_next(struct context_job *job, int which);

/* The best come first, so what does not fit is what fits the question least. */
static void memory_write(struct buf *list, const struct memory_row *m)
{
    char id[ID_TEXT_BYTES + 1];
    struct buf out;
    struct jw w;
    buf_init(&out, MEMORIES_BYTES_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    id_format(m->id, id);
    jw_kv_string(&w, "id", str_of(id));
    jw_kv_string(&w, "content", m->content);
    jw_kv_time(&w, "created_at", m->created_at);
    jw_kv_double(&w, "score", m->score);
    jw_end(&w);
    if (!buf_error(&out) && list->len + out.len + 1 <= MEMORIES_BYTES_MAX) {
        if (list->len)
            buf_append_char(list, ',');
        buf_append_str(list, buf_str(&out));
    }
    buf_deinit(&out);
}

static void memories_read(struct memory_query *q)
{
    struct context_job *job = container_of(q, struct context_job, memories);
    struct errbuf e = q->error;
    int status = q->status, which = job->which;
    for (const struct memory_row *m = q->rows; m; m = m->next)
        memory_write(&job->lists[which], m);
    if (!status && !job->vector.values)
        job->vector = memory_query_vector(q, &job->arena);
    memory_query_deinit(q);
    if (status)
        context_failed(job, status, &e);
    else
        memories_next(job, which + 1);
}

static void memories_next(struct context_job *job, int which)
{
    struct memory_query *q = &job->memories;
    if (which == 0 && (!job->group_id.n || job->group_results <= 0))
        which = 1;
    if (which == 1 && (!job->group_id.n || !job->agent_id.n || job->agent_results <= 0))
        which = 2;
    if (which == 2) {
        context_answer(job);
        return;
    }
    job->which = which;
    *q = (struct memory_query){.workspace = job->workspace,
                               .group_id = job->group_id,
                               .text = job->query,
                               .limit = (int)(which ? job->agent_results : job->group_results),
                               .fair_key = job->session_id,
                               .vector = job->vector,
                               .done = memories_read};
    if (which)
        q->agent_id = job->agent_id;
    else
        q->group_only = true;
    memory_query_start(job->t->run.app, q);
}

/* ---- agent and group ---- */

/* How much is remembered: what the node says, then what the agent says, then the usual. */
static void results_read(struct context_job *job, struct json memory)
{
    bool on;
    int64_t n;
    bool off = json_bool(memory, &on) && !on;
    if (job->group_results < 0 && (off || json_i64(json_get_set(memory, "group_results"), &n)))
        job->group_results = off ? 0 : n;
    if (job->agent_results < 0 && (off || json_i64(json_get_set(memory, "agent_results"), &n)))
        job->agent_results = off ? 0 : n;
}

static int64_t results_or(int64_t n, int64_t otherwise)
{
    return n < 0 ? otherwise : n > RESULTS_MAX ? RESULTS_MAX : n;
}

static void sizes_known(struct context_job *job)
{
    if (job->agent)
        results_read(job, json_get_set(json_root(str_of(job->agent)), "memory"));
    job->group_results = results_or(job->group_results, GROUP_RESULTS);
    job->agent_results = results_or(job->agent_results, AGENT_RESULTS);
    memories_next(job, 0);
}

/* The object's body, or NULL: there is none. False: the job has ended. */
static bool lookup_end(struct context_job *job, char **body)
{
    int status = job->lookup.status;
    struct errbuf e = job->lookup.error;
    *body = !status && job->lookup.rows[0] ? str_dup(job->lookup.rows[0]->body_json) : NULL;
    catalog_lookup_deinit(&job->lookup);
    if (status)
        context_failed(job, status, &e);
    return !status;
}

static void lookup_start(struct context_job *job, enum catalog_kind kind, struct str id,
                         void (*done)(struct catalog_lookup *l))
{
    job->ids[0] = id;
    job->lookup = (struct catalog_lookup){.kind = kind,
                                          .workspace = job->workspace,
                                          .ids = job->ids,
                                          .count = 1,
                                          .done = done,
                                          .data = job};
    catalog_lookup(job->t->run.app, &job->lookup);
}

static void group_found(struct catalog_lookup *l)
{
    struct context_job *job = l->data;
    char *body;
    if (!lookup_end(job, &body))
        return;
    if (body)
        job->prompt = json_strdup(json_get_set(json_root(str_of(body)), "system_prompt"));
    free(body);
    sizes_known(job);
}

static void group_find(struct context_job *job)
{
    if (job->group_id.n)
        lookup_start(job, CATALOG_GROUP, job->group_id, group_found);
    else
        sizes_known(job);
}

static void agent_found(struct catalog_lookup *l)
{
    struct context_job *job = l->data;
    if (!lookup_end(job, &job->agent))
        return;
    if (job->agent)
        group_find(job);
    else
        context_answer(job); /* the engine says what that means */
}

/* ---- the call ---- */

static struct str text_keep(struct context_job *job, struct json v)
{
    char *text = json_strdup(v);
    struct str kept = text ? str_of(arena_strdup(&job->arena, str_of(text))) : STR_NULL;
    free(text);
    return kept;
}

void recall_agent(struct tool_run *t)
{
    if (!recall_allowed(t))
        return;
    struct json a = tool_run_arguments(t);
    struct context_job *job = mem_zalloc(sizeof(*job));
    struct str workspace = session_meta_of(t->run.live->session)->workspace;
    job->t = t;
    arena_init(&job->arena);
    buf_init(&job->lists[0], MEMORIES_BYTES_MAX);
    buf_init(&job->lists[1], MEMORIES_BYTES_MAX);
    job->workspace = (struct str){arena_strdup(&job->arena, workspace), workspace.n};
    job->session_id = job->t->run.live->id;
    job->agent_id = text_keep(job, json_get_set(a, "agent_id"));
    job->group_id = text_keep(job, json_get_set(a, "group_id"));
    job->query = text_keep(job, json_get_set(a, "query"));
    if (job->query.n > QUERY_BYTES_MAX)
        job->query.n = utf8_cut(job->query.p, QUERY_BYTES_MAX);
    job->group_results = job->agent_results = -1;
    results_read(job, json_get_set(a, "memory"));
    if (job->agent_id.n)
        lookup_start(job, CATALOG_AGENT, job->agent_id, agent_found);
    else
        group_find(job);
}
