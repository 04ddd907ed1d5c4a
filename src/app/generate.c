#include "app/generate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/workflow_schema.h"

#define MESSAGES_BYTES_MAX (8u << 20)
#define WORD_MIN           4   /* letters of a word that may tell what two texts have in common */
#define LOOKED_AT_MAX      500 /* stored workflows */

/* The answer that is asked for. Its title lets the demo provider know what this is. */
#define ANSWER_SCHEMA                                                                              \
    "{\"title\":\"sluice_workflow\",\"type\":\"object\",\"required\":[\"graph\",\"explanation\"]," \
    "\"properties\":{\"graph\":{\"type\":\"object\"},\"explanation\":{\"type\":\"string\"}}}"

struct generation {
    struct list link;
    struct app *app;
    struct svc_req *req;
    struct store_workflow_list stored;
    struct llm_call call;
    bool calling, is_gone; /* gone: the client */
    unsigned repairs;
    char *provider, *model;
    struct buf similar;  /* JSON array */
    struct buf messages; /* elements of a JSON array */
    struct buf request;
    struct buf text; /* the answer so far */
};

static void generation_end(struct generation *g)
{
    list_remove(&g->link);
    g->app->generate.count--;
    g->req->gone = NULL;
    if (g->calling)
        llm_call_cancel(g->app->llm, &g->call);
    free(g->provider);
    free(g->model);
    buf_deinit(&g->similar);
    buf_deinit(&g->messages);
    buf_deinit(&g->request);
    buf_deinit(&g->text);
    free(g);
}

/* Ends it, with the answer that stands in the request already, or with a failure. */
static void generation_fail(struct generation *g, int status, const char *sentence)
{
    struct svc_req *req = g->req;
    struct errbuf e;
    err_set(&e, status, "%s", sentence); /* it may stand in what is freed now */
    generation_end(g);
    app_fail(req, status, "%s", e.text);
}

/* ---- stored workflows that have words in common with the prompt ---- */

static bool word_is_in(struct str word, struct str text)
{
    for (size_t i = 0; i + word.n <= text.n; i++)
        if (strncasecmp(text.p + i, word.p, word.n) == 0)
            return true;
    return false;
}

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static unsigned words_in_common(struct str prompt, const struct workflow_row *row)
{
    unsigned common = 0;
    for (size_t i = 0; i < prompt.n;) {
        size_t from = i;
        while (i < prompt.n && is_letter(prompt.p[i]))
            i++;
        struct str word = {prompt.p + from, i - from};
        if (word.n >= WORD_MIN)
            common += word_is_in(word, row->id) || word_is_in(word, row->name) ||
                      word_is_in(word, row->description) || word_is_in(word, row->type);
        i += word.n == 0;
    }
    return common;
}

static void similar_write(struct generation *g)
{
    const struct workflow_row *best[GENERATE_SIMILAR] = {NULL};
    unsigned score[GENERATE_SIMILAR] = {0};
    struct jw w;
    for (const struct workflow_row *it = g->stored.rows; it; it = it->next) {
        unsigned n = words_in_common(g->req->generate.prompt, it), at = GENERATE_SIMILAR;
        while (at > 0 && n > score[at - 1])
            at--;
        if (at == GENERATE_SIMILAR)
            continue;
        memmove(best + at + 1, best + at, (GENERATE_SIMILAR - 1 - at) * sizeof(best[0]));
        memmove(score + at + 1, score + at, (GENERATE_SIMILAR - 1 - at) * sizeof(score[0]));
        best[at] = it;
        score[at] = n;
    }
    jw_init(&w, &g->similar);
    jw_array(&w);
    for (unsigned i = 0; i < GENERATE_SIMILAR && best[i]; i++) {
        jw_object(&w);
        jw_kv_string(&w, "id", best[i]->id);
        jw_kv_string(&w, "name", best[i]->name);
        if (best[i]->description.p)
            jw_kv_string(&w, "description", best[i]->description);
        jw_end(&w);
    }
    jw_end(&w);
}

/* ---- asking ---- */

static void message_add_to(struct generation *g, const char *role, struct str content)
{
    buf_printf(&g->messages, "%s{\"role\":\"%s\",\"content\":", g->messages.len ? "," : "", role);
    json_write_string(&g->messages, content);
    buf_append_char(&g->messages, '}');
}

static void generation_said(struct llm_call *c, struct str utf8, bool is_thinking);
static void generation_answered(struct llm_call *c);

static void generation_ask(struct generation *g)
{
    struct errbuf e = {""};
    buf_clear(&g->text);
    buf_clear(&g->request);
    buf_printf(&g->request, "{\"messages\":[%s],\"response_schema\":%s}",
               g->messages.data ? g->messages.data : "", ANSWER_SCHEMA);
    if (buf_error(&g->request) || buf_error(&g->messages)) {
        generation_fail(g, ERR_UPSTREAM, "the conversation with the model became too long");
        return;
    }
    g->call = (struct llm_call){
        .provider = g->provider,
        .model = g->model,
        .request = buf_str(&g->request),
        .idempotency_key = id_new(&g->app->ids, (uint64_t)clock_wall_ms()),
        .on_delta = generation_said,
        .on_done = generation_answered,
    };
    int rc = llm_call_start(g->app->llm, &g->call, &e);
    if (rc)
        generation_fail(g, ERR_INVALID, e.text);
    else
        g->calling = true;
}

static void generation_said(struct llm_call *c, struct str utf8, bool is_thinking)
{
    struct generation *g = container_of(c, struct generation, call);
    if (!is_thinking)
        buf_append_str(&g->text, utf8);
}

/* ---- what it answered ---- */

/* The object in the text: models put words and fences around it. */
static int answer_read(struct str text, struct json *graph, struct json *explanation,
                       struct errbuf *e)
{
    const char *from = text.n ? memchr(text.p, '{', text.n) : NULL;
    const char *to = text.n ? memrchr(text.p, '}', text.n) : NULL;
    if (!from || !to || to < from)
        return err_set(e, ERR_INVALID, "the answer has no JSON object");
    struct str object = {from, (size_t)(to - from) + 1};
    if (json_check(object, NULL, e))
        return ERR_INVALID;
    struct json root = json_root(object);
    *explanation = json_get_set(root, "explanation");
    *graph = json_exists(json_get_set(root, "nodes")) ? root : json_get_set(root, "graph");
    if (json_type(*graph) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "the answer has no object \"graph\"");
    return 0;
}

static void generation_succeed(struct generation *g, struct json graph, struct json explanation)
{
    struct svc_req *req = g->req;
    struct jw w;
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_kv_raw(&w, "graph", json_raw(graph));
    jw_kv_raw(&w, "explanation",
              json_type(explanation) == JSON_STRING ? json_raw(explanation) : STR("\"\""));
    jw_kv_raw(&w, "similar_templates", buf_str(&g->similar));
    jw_end(&w);
    generation_end(g);
    app_done(req);
}

static void issues_list(const struct workflow_issues *issues, struct buf *out)
{
    for (unsigned i = 0; i < issues->count; i++)
        if (strcmp(issues->items[i].severity, "error") == 0)
            buf_printf(out, "- %.*s: %.*s\n", STR_FMT(issues->items[i].path),
                       STR_FMT(issues->items[i].message));
}

/* Not valid: asks again with what is wrong, or gives up with it. */
static void generation_repair(struct generation *g, const struct workflow_issues *issues,
                              const char *sentence)
{
    struct buf wrong;
    if (g->repairs++ >= GENERATE_REPAIRS) {
        struct jw w;
        jw_init(&w, &g->req->details);
        jw_object(&w);
        jw_kv_u64(&w, "attempts", g->repairs);
        svc_write_issues(&w, issues);
        jw_end(&w);
        g->req->error_code = "no_valid_workflow";
        generation_fail(g, ERR_UPSTREAM, "the model gave no valid workflow");
        return;
    }
    buf_init(&wrong, MESSAGES_BYTES_MAX);
    buf_append_z(&wrong, "That is not a valid workflow:\n");
    if (sentence)
        buf_printf(&wrong, "- %s\n", sentence);
    issues_list(issues, &wrong);
    buf_append_z(&wrong, "Answer again, with the whole JSON object.");
    message_add_to(g, "assistant", buf_str(&g->text));
    message_add_to(g, "user", buf_str(&wrong));
    buf_deinit(&wrong);
    generation_ask(g);
}

static void generation_check(struct generation *g)
{
    struct workflow *w = NULL;
    struct workflow_issues issues;
    struct json graph = JSON_ABSENT, explanation = JSON_ABSENT;
    struct errbuf e = {""};
    workflow_issues_init(&issues);
    if (answer_read(buf_str(&g->text), &graph, &explanation, &e))
        generation_repair(g, &issues, e.text);
    else if (workflow_parse(json_raw(graph), g->app->vm, &w, &issues))
        generation_repair(g, &issues, NULL);
    else
        generation_succeed(g, graph, explanation);
    workflow_unref(w);
    workflow_issues_deinit(&issues);
}

static void generation_answered(struct llm_call *c)
{
    struct generation *g = container_of(c, struct generation, call);
    g->calling = false;
    if (c->status) {
        struct jw w;
        jw_init(&w, &g->req->details);
        jw_object(&w);
        jw_kv_stringz(&w, "code", c->error_code[0] ? c->error_code : err_word(c->status));
        jw_end(&w);
        g->req->error_code = "model_failed";
        generation_fail(g, ERR_UPSTREAM, c->error.text);
    } else if (buf_error(&g->text)) {
        generation_fail(g, ERR_UPSTREAM, "the model's answer is too long");
    } else {
        generation_check(g);
    }
}

/* ---- beginning, looking, ending ---- */

static void generation_listed(struct store_req *r)
{
    struct generation *g = r->data;
    struct buf guide;
    if (r->status == 0)
        similar_write(g);
    else
        buf_append_z(&g->similar, "[]");
    store_req_deinit(r);
    if (g->app->stopping || g->is_gone) {
        generation_fail(g, ERR_UNAVAILABLE, "the server is shutting down");
        return;
    }
    buf_init(&guide, MESSAGES_BYTES_MAX);
    workflow_guide_write(&guide);
    buf_append_z(&guide,
                 "\nWrite the workflow that the user describes. Answer with one JSON object "
                 "{\"graph\": the workflow, \"explanation\": what it does and why it is "
                 "built so, in two or three sentences}, and nothing else.");
    message_add_to(g, "system", buf_str(&guide));
    message_add_to(g, "user", g->req->generate.prompt);
    buf_deinit(&guide);
    generation_ask(g);
}

static void generation_gone(struct svc_req *req)
{
    struct generation *g = req->gone_data;
    g->is_gone = true;
    if (g->calling) /* else it is seen when the store has answered */
        generation_fail(g, ERR_CANCELLED, "the client has gone");
}

void svc_workflow_generate(struct app *a, struct svc_req *req)
{
    struct str provider = req->generate.provider, model = req->generate.model;
    if (a->stopping) {
        app_fail(req, ERR_UNAVAILABLE, "the server is shutting down");
        return;
    }
    if (a->generate.count >= GENERATE_MAX) {
        app_fail(req, ERR_OVERLOAD, "too many workflows are being generated; try again later");
        return;
    }
    struct generation *g = mem_zalloc(sizeof(*g));
    g->app = a;
    g->req = req;
    g->provider = provider.p ? str_dup(provider) : NULL;
    g->model = model.p ? str_dup(model) : NULL;
    buf_init(&g->similar, 1u << 20);
    buf_init(&g->messages, MESSAGES_BYTES_MAX);
    buf_init(&g->request, 2 * MESSAGES_BYTES_MAX);
    buf_init(&g->text, GENERATE_ANSWER_BYTES_MAX);
    list_append(&a->generate.jobs, &g->link);
    a->generate.count++;
    req->gone = generation_gone;
    req->gone_data = g;
    store_req_init(&g->stored.req, STORE_WORKFLOW_LIST, generation_listed, g);
    g->stored.workspace = req->workspace;
    g->stored.limit = LOOKED_AT_MAX;
    store_submit(a->store, &g->stored.req);
}

void generate_open(struct generate *all, struct app *a)
{
    all->app = a;
    list_init(&all->jobs);
}

void generate_stop(struct generate *all)
{
    list_foreach_safe(it, tmp, &all->jobs)
    {
        struct generation *g = container_of(it, struct generation, link);
        if (g->calling) /* else it hears so when the store has answered */
            generation_fail(g, ERR_UNAVAILABLE, "the server is shutting down");
    }
}
