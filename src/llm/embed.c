#include "llm/embed.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "llm/curl_post.h"
#include "llm/vector.h"

#define BODY_BYTES_MAX (8u * LLM_EMBED_BYTES_MAX) /* escaped */

struct embed_lane {
    struct list waiting; /* embed_job.link, in order */
    struct id last;      /* whose turn was the last */
    unsigned active;
};

struct embedder {
    struct llm *llm;
    struct curl_poster *http;
    struct embed_lane *lanes; /* by provider */
    struct list ended;        /* embed_job.link */
    uv_idle_t kick;           /* runs while there are ended ones */
    void (*closed)(void *data);
    void *closed_data;
    unsigned open_parts;
};

/* llm_embed.impl */
struct embed_job {
    struct embedder *em;
    struct llm_embed *c;
    size_t provider;
    struct list link; /* waiting or ended */
    bool has_slot;
    size_t done; /* texts that have their vectors */
    struct curl_post post;
    struct buf body;
    float *vectors; /* of all texts, once their dimensions are known */
    unsigned dimensions;
    char model[128];
    int64_t tokens;
};

static void embedder_kick_fired(uv_idle_t *kick);
static void embed_job_post(struct embed_job *job);

/* ---- Ends ---- */

static void embed_job_free(struct embed_job *job)
{
    buf_deinit(&job->body);
    free(job->vectors);
    free(job);
}

static void embed_job_ended(struct embed_job *job)
{
    list_append(&job->em->ended, &job->link);
    uv_idle_start(&job->em->kick, embedder_kick_fired);
}

static void __attribute__((format(printf, 4, 5)))
embed_job_fail(struct embed_job *job, int status, const char *code, const char *fmt, ...)
{
    struct llm_embed *c = job->c;
    va_list ap;
    c->status = status;
    snprintf(c->error_code, sizeof(c->error_code), "%s", code);
    va_start(ap, fmt);
    err_vset(&c->error, status, fmt, ap);
    va_end(ap);
    embed_job_ended(job);
}

static void embed_job_succeed(struct embed_job *job)
{
    struct llm_embed *c = job->c;
    c->vectors = job->vectors;
    c->dimensions_used = job->dimensions;
    c->input_tokens = job->tokens;
    if (job->model[0])
        c->model_used = job->model;
    embed_job_ended(job);
}

/* ---- Over the wire ---- */

static size_t embed_job_batch(const struct embed_job *job)
{
    size_t left = job->c->count - job->done;
    return left < EMBED_BATCH_TEXTS ? left : EMBED_BATCH_TEXTS;
}

/* Copies a batch to its place; the first one says how long they all are. */
static bool embed_job_take(struct embed_job *job, const struct openai_vectors *v)
{
    size_t row = v->dimensions * sizeof(float);
    if (!job->vectors) {
        job->dimensions = v->dimensions;
        job->vectors = malloc(job->c->count * row);
    }
    if (!job->vectors)
        return false;
    memcpy(job->vectors + job->done * v->dimensions, v->values, v->count * row);
    job->done += v->count;
    if (!job->model[0])
        memcpy(job->model, v->model, sizeof(job->model));
    if (v->tokens < 0 || job->tokens < 0)
        job->tokens = -1; /* a part of a sum is no sum */
    else
        job->tokens += v->tokens;
    return true;
}

static void embed_job_answered(struct curl_post *post)
{
    struct embed_job *job = container_of(post, struct embed_job, post);
    struct llm_embed *c = job->c;
    struct errbuf e = {""};
    c->retry_after_ms = post->retry_after_ms;
    if (post->status) {
        embed_job_fail(job, post->status, post->error_code, "%s", post->error.text);
        return;
    }
    struct openai_vectors v = {.count = embed_job_batch(job),
                               .dimensions = job->dimensions ? job->dimensions : c->dimensions};
    int rc = openai_embed_decode(post->answer, &v, &e);
    bool is_kept = rc == 0 && embed_job_take(job, &v);
    if (rc == 0)
        free(v.values);
    if (rc == ERR_UPSTREAM)
        embed_job_fail(job, rc, "model_error", "the model server reported: %s", e.text);
    else if (rc == ERR_NOMEM || (rc == 0 && !is_kept))
        embed_job_fail(job, ERR_TOO_LARGE, "too_large", "out of memory");
    else if (rc)
        embed_job_fail(job, ERR_UPSTREAM, "bad_response",
                       "the model server sent what cannot be read: %s", e.text);
    else if (job->done == c->count)
        embed_job_succeed(job);
    else
        embed_job_post(job);
}

static void embed_job_post(struct embed_job *job)
{
    struct llm_embed *c = job->c;
    buf_clear(&job->body);
    int rc = openai_embed_encode(c->texts + job->done, embed_job_batch(job), c->model_used,
                                 c->dimensions, &job->body, NULL);
    if (rc) {
        embed_job_fail(job, ERR_TOO_LARGE, "too_large", "the texts are too large");
        return;
    }
    job->post = (struct curl_post){
        .provider = job->provider, .body = buf_str(&job->body), .on_done = embed_job_answered};
    curl_post_start(job->em->http, &job->post);
}

/* ---- The demo provider ---- */

static void embed_job_demo(struct embed_job *job)
{
    struct llm_embed *c = job->c;
    job->dimensions = c->dimensions ? c->dimensions : DEMO_DIMENSIONS;
    job->vectors = mem_calloc(c->count * job->dimensions, sizeof(float));
    for (size_t i = 0; i < c->count; i++)
        job->tokens +=
            (int64_t)demo_embed(c->texts[i], job->vectors + i * job->dimensions, job->dimensions);
    embed_job_succeed(job);
}

/* ---- Slots ---- */

static void embed_job_begin(struct embed_job *job)
{
    struct embed_lane *lane = &job->em->lanes[job->provider];
    lane->active++;
    lane->last = job->c->fair_key;
    job->has_slot = true;
    switch (llm_provider_at(job->em->llm, job->provider)->dialect) {
    case LLM_DEMO:
        embed_job_demo(job);
        return;
    case LLM_OPENAI:
    case LLM_ANTHROPIC: /* refused at the start */
        embed_job_post(job);
        return;
    }
}

/* The first that is not of the one who had the last turn; else the first. */
static struct embed_job *embed_lane_choose(const struct embed_lane *lane)
{
    for (struct list *it = lane->waiting.next; it != &lane->waiting; it = it->next) {
        struct embed_job *job = container_of(it, struct embed_job, link);
        if (!id_eq(job->c->fair_key, lane->last))
            return job;
    }
    return container_of(lane->waiting.next, struct embed_job, link);
}

/* A small server of one's own may take one at a time. */
static unsigned embed_slots(const struct llm_provider *p)
{
    return p->max_concurrent < EMBED_SLOTS ? p->max_concurrent : EMBED_SLOTS;
}

static void embed_lane_advance(struct embedder *em, size_t provider)
{
    struct embed_lane *lane = &em->lanes[provider];
    unsigned slots = embed_slots(llm_provider_at(em->llm, provider));
    while (lane->active < slots && !list_empty(&lane->waiting)) {
        struct embed_job *job = embed_lane_choose(lane);
        list_remove(&job->link);
        embed_job_begin(job);
    }
}

static void embed_job_release(struct embed_job *job)
{
    struct embed_lane *lane = &job->em->lanes[job->provider];
    list_remove(&job->link);
    if (job->has_slot)
        lane->active--;
    job->has_slot = false;
    job->c->impl = NULL;
    embed_lane_advance(job->em, job->provider);
}

static void embedder_kick_fired(uv_idle_t *kick)
{
    struct embedder *em = kick->data;
    struct list now, *first;
    list_init(&now);
    list_splice(&now, &em->ended);
    uv_idle_stop(kick);
    while ((first = list_pop(&now))) {
        struct embed_job *job = container_of(first, struct embed_job, link);
        struct llm_embed *c = job->c;
        embed_job_release(job);
        c->on_done(c);
        embed_job_free(job); /* its vectors and model were the caller's until here */
    }
}

/* ---- What llm.c calls ---- */

static int embed_check(const struct llm_embed *c, const struct llm_provider *p, struct errbuf *e)
{
    size_t bytes = 0;
    if (p->dialect == LLM_ANTHROPIC)
        return err_set(e, ERR_INVALID, "provider \"%s\": its dialect has no vectors", p->id);
    if (c->count == 0 || c->count > LLM_EMBED_TEXTS_MAX)
        return err_set(e, ERR_INVALID, "vectors are made of 1 to %d texts at once",
                       LLM_EMBED_TEXTS_MAX);
    if (c->dimensions > LLM_EMBED_DIMENSIONS_MAX)
        return err_set(e, ERR_INVALID, "dimensions: at most %d", LLM_EMBED_DIMENSIONS_MAX);
    for (size_t i = 0; i < c->count; i++) {
        if (c->texts[i].n == 0)
            return err_set(e, ERR_INVALID, "texts[%zu]: an empty text has no vector", i);
        bytes += c->texts[i].n;
    }
    if (bytes > LLM_EMBED_BYTES_MAX)
        return err_set(e, ERR_INVALID, "texts: more than %u bytes", LLM_EMBED_BYTES_MAX);
    return 0;
}

int embedder_start(struct embedder *em, size_t provider, struct llm_embed *c, struct errbuf *e)
{
    const struct llm_provider *p = llm_provider_at(em->llm, provider);
    int rc = embed_check(c, p, e);
    if (rc)
        return rc;
    const char *fallback = p->dialect == LLM_DEMO ? "demo" : p->default_model;
    c->status = 0;
    c->error_code[0] = '\0';
    c->error.text[0] = '\0';
    c->retry_after_ms = -1;
    c->vectors = NULL;
    c->dimensions_used = 0;
    c->model_used = c->model && c->model[0] ? c->model : fallback;
    c->provider_used = p->id;
    c->input_tokens = -1;
    struct embed_job *job = mem_zalloc(sizeof(*job));
    job->em = em;
    job->c = c;
    job->provider = provider;
    buf_init(&job->body, BODY_BYTES_MAX);
    list_init(&job->link);
    c->impl = job;
    list_append(&em->lanes[provider].waiting, &job->link);
    embed_lane_advance(em, provider);
    return 0;
}

void llm_embed_cancel(struct llm *llm, struct llm_embed *c)
{
    struct embed_job *job = c->impl;
    (void)llm;
    if (!job)
        return;
    curl_post_cancel(&job->post);
    embed_job_release(job);
    embed_job_free(job);
}

static void embedder_part_closed(void *data)
{
    struct embedder *em = data;
    if (--em->open_parts)
        return;
    void (*closed)(void *) = em->closed;
    void *closed_data = em->closed_data;
    free(em->lanes);
    free(em);
    closed(closed_data);
}

static void embedder_kick_closed(uv_handle_t *handle)
{
    embedder_part_closed(handle->data);
}

void embedder_close(struct embedder *em, void (*closed)(void *data), void *data)
{
    assert(list_empty(&em->ended));
    em->closed = closed;
    em->closed_data = data;
    em->open_parts = 2;
    uv_close((uv_handle_t *)&em->kick, embedder_kick_closed);
    curl_poster_close(em->http, embedder_part_closed, em);
}

int embedder_open(struct embedder **out, struct uv_loop_s *loop, struct llm *llm,
                  size_t provider_count, struct errbuf *e)
{
    struct embedder *em = mem_zalloc(sizeof(*em));
    int rc = curl_poster_open(&em->http, loop, llm, provider_count, "/embeddings", e);
    if (rc) {
        free(em);
        return rc;
    }
    em->llm = llm;
    em->lanes = mem_calloc(provider_count, sizeof(*em->lanes));
    for (size_t i = 0; i < provider_count; i++)
        list_init(&em->lanes[i].waiting);
    list_init(&em->ended);
    uv_idle_init(loop, &em->kick);
    em->kick.data = em;
    *out = em;
    return 0;
}
