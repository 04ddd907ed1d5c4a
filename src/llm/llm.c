#include "llm/llm.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "llm/backend.h"
#include "llm/curl_client.h"
#include "llm/demo.h"
#include "llm/embed.h"

#define CONCURRENT_DEFAULT 512
#define CONNECT_MS_DEFAULT 10000
#define IDLE_MS_DEFAULT    120000
#define DEMO_RATE_DEFAULT  25
#define BACKENDS           2 /* LLM_ANTHROPIC goes over that of LLM_OPENAI */

struct llm_lane {
    struct llm_provider config; /* strings are ours */
    struct list waiting;        /* llm_call.link, in order */
    unsigned active;
};

struct llm {
    struct llm_lane *lanes;
    size_t lane_count;
    void *backends[BACKENDS];
    struct embedder *embedder;
    void (*closed)(void *data);
    void *closed_data;
    unsigned open_backends;
};

static const struct llm_backend *const backends[BACKENDS] = {&curl_client_backend, &demo_backend};

static size_t llm_backend_index(enum llm_dialect dialect)
{
    switch (dialect) {
    case LLM_OPENAI:
    case LLM_ANTHROPIC:
        return 0;
    case LLM_DEMO:
        return 1;
    }
    abort();
}

static const struct llm_backend *llm_backend_at(const struct llm *llm, size_t lane)
{
    return backends[llm_backend_index(llm->lanes[lane].config.dialect)];
}

const struct llm_provider *llm_provider_at(const struct llm *llm, size_t index)
{
    return &llm->lanes[index].config;
}

static char *llm_strdup(const char *z)
{
    return z ? mem_strdup(z) : NULL;
}

static void llm_lane_init(struct llm_lane *lane, const struct llm_provider *p)
{
    list_init(&lane->waiting);
    lane->active = 0;
    struct llm_provider *config = &lane->config;
    *config = *p;
    config->id = llm_strdup(p->id);
    config->base_url = llm_strdup(p->base_url);
    config->api_key = llm_strdup(p->api_key);
    config->default_model = llm_strdup(p->default_model);
    config->max_concurrent = p->max_concurrent ? p->max_concurrent : CONCURRENT_DEFAULT;
    if (p->connect_timeout_ms <= 0)
        config->connect_timeout_ms = CONNECT_MS_DEFAULT;
    if (p->idle_timeout_ms <= 0)
        config->idle_timeout_ms = IDLE_MS_DEFAULT;
    if (!p->demo_tokens_per_s)
        config->demo_tokens_per_s = DEMO_RATE_DEFAULT;
}

static void llm_lane_deinit(struct llm_lane *lane)
{
    assert(list_empty(&lane->waiting) && lane->active == 0);
    free((void *)lane->config.id);
    free((void *)lane->config.base_url);
    free((void *)lane->config.api_key);
    free((void *)lane->config.default_model);
}

static int llm_check_providers(const struct llm_provider *providers, size_t count, struct errbuf *e)
{
    if (count == 0)
        return err_set(e, ERR_INVALID, "no model provider is configured");
    for (size_t i = 0; i < count; i++) {
        const struct llm_provider *p = &providers[i];
        if (!p->id || !name_is_valid(str_of(p->id)))
            return err_set(e, ERR_INVALID,
                           "providers[%zu].id: must be 1 to %d of A-Z a-z 0-9 _ . -", i,
                           NAME_BYTES_MAX);
        for (size_t j = 0; j < i; j++)
            if (strcmp(providers[j].id, p->id) == 0)
                return err_set(e, ERR_INVALID, "providers[%zu].id: \"%s\" is there twice", i,
                               p->id);
    }
    return 0;
}

static void llm_free(struct llm *llm)
{
    for (size_t i = 0; i < llm->lane_count; i++)
        llm_lane_deinit(&llm->lanes[i]);
    free(llm->lanes);
    free(llm);
}

static void llm_maybe_closed(struct llm *llm)
{
    if (llm->open_backends)
        return;
    void (*closed)(void *data) = llm->closed;
    void *data = llm->closed_data;
    llm_free(llm);
    if (closed)
        closed(data);
}

static void llm_backend_closed(void *data)
{
    struct llm *llm = data;
    llm->open_backends--;
    llm_maybe_closed(llm);
}

void llm_close(struct llm *llm, void (*closed)(void *data), void *data)
{
    llm->closed = closed;
    llm->closed_data = data;
    llm->open_backends = 1; /* held until all were asked */
    for (size_t i = 0; i < BACKENDS; i++) {
        llm->open_backends++;
        backends[i]->close(llm->backends[i], llm_backend_closed, llm);
    }
    if (llm->embedder) {
        llm->open_backends++;
        embedder_close(llm->embedder, llm_backend_closed, llm);
    }
    llm_backend_closed(llm);
}

/* Both are opened always: each is a few handles that do not wake the loop. */
int llm_create(struct llm **out, struct uv_loop_s *loop, const struct llm_provider *providers,
               size_t count, struct errbuf *e)
{
    int rc = llm_check_providers(providers, count, e);
    if (rc)
        return rc;
    struct llm *llm = mem_zalloc(sizeof(*llm));
    llm->lanes = mem_calloc(count, sizeof(*llm->lanes));
    llm->lane_count = count;
    for (size_t i = 0; i < count; i++)
        llm_lane_init(&llm->lanes[i], &providers[i]);
    struct curl_client *client;
    rc = curl_client_open(&client, loop, llm, count, e);
    if (rc) {
        llm_free(llm);
        return rc;
    }
    llm->backends[0] = client;
    llm->backends[1] = demo_open(loop, llm);
    rc = embedder_open(&llm->embedder, loop, llm, count, e);
    if (rc) {
        llm_close(llm, NULL, NULL); /* its handles go with the loop's next turns */
        return rc;
    }
    *out = llm;
    return 0;
}

/* The index, or -1. */
static long llm_lane_find(const struct llm *llm, const char *id)
{
    if (!id || !id[0])
        return 0;
    for (size_t i = 0; i < llm->lane_count; i++)
        if (strcmp(llm->lanes[i].config.id, id) == 0)
            return (long)i;
    return -1;
}

const char *llm_dialect_name(enum llm_dialect dialect)
{
    switch (dialect) {
    case LLM_OPENAI:
        return "openai";
    case LLM_DEMO:
        return "demo";
    case LLM_ANTHROPIC:
        return "anthropic";
    }
    abort();
}

bool llm_has_provider(const struct llm *llm, const char *id)
{
    return llm_lane_find(llm, id) >= 0;
}

int llm_embed_start(struct llm *llm, struct llm_embed *c, struct errbuf *e)
{
    long index = llm_lane_find(llm, c->provider);
    if (index < 0)
        return err_set(e, ERR_NOT_FOUND, "there is no model provider \"%s\"", c->provider);
    c->impl = NULL;
    return embedder_start(llm->embedder, (size_t)index, c, e);
}

static void llm_call_begin(struct llm *llm, struct llm_impl *impl)
{
    llm->lanes[impl->provider].active++;
    impl->is_begun = true;
    llm_backend_at(llm, impl->provider)->begin(impl);
}

int llm_call_start(struct llm *llm, struct llm_call *c, struct errbuf *e)
{
    long index = llm_lane_find(llm, c->provider);
    if (index < 0)
        return err_set(e, ERR_NOT_FOUND, "there is no model provider \"%s\"", c->provider);
    struct llm_lane *lane = &llm->lanes[index];
    c->impl = NULL;
    list_init(&c->link);
    c->status = 0;
    c->error_code[0] = '\0';
    c->error.text[0] = '\0';
    c->retry_after_ms = -1;
    c->finish_reason = NULL;
    c->tool_calls = STR_NULL;
    c->model_used = c->model && c->model[0] ? c->model : lane->config.default_model;
    c->provider_used = lane->config.id;
    c->usage = (struct llm_usage){-1, -1};

    void *backend = llm->backends[llm_backend_index(lane->config.dialect)];
    int rc = llm_backend_at(llm, (size_t)index)->prepare(backend, (size_t)index, c, e);
    if (rc)
        return rc;
    struct llm_impl *impl = c->impl;
    impl->llm = llm;
    impl->call = c;
    impl->provider = (size_t)index;
    if (lane->active < lane->config.max_concurrent)
        llm_call_begin(llm, impl);
    else
        list_append(&lane->waiting, &c->link);
    return 0;
}

static void llm_lane_advance(struct llm *llm, struct llm_lane *lane)
{
    while (lane->active < lane->config.max_concurrent) {
        struct list *first = list_pop(&lane->waiting);
        if (!first)
            return;
        llm_call_begin(llm, container_of(first, struct llm_call, link)->impl);
    }
}

void llm_call_finish(struct llm_impl *impl)
{
    struct llm *llm = impl->llm;
    struct llm_call *c = impl->call;
    struct llm_lane *lane = &llm->lanes[impl->provider];
    lane->active--;
    llm_lane_advance(llm, lane);
    c->impl = NULL;
    c->on_done(c);
}

void llm_call_cancel(struct llm *llm, struct llm_call *c)
{
    struct llm_impl *impl = c->impl;
    if (!impl)
        return;
    struct llm_lane *lane = &llm->lanes[impl->provider];
    bool had_slot = impl->is_begun;
    list_remove(&c->link);
    c->impl = NULL;
    llm_backend_at(llm, impl->provider)->cancel(impl);
    if (had_slot) {
        lane->active--;
        llm_lane_advance(llm, lane);
    }
}

void llm_call_hold(struct llm *llm, struct llm_call *c)
{
    struct llm_impl *impl = c->impl;
    if (!impl || impl->is_held)
        return;
    impl->is_held = true;
    if (impl->is_begun)
        llm_backend_at(llm, impl->provider)->hold(impl);
}

void llm_call_unhold(struct llm *llm, struct llm_call *c)
{
    struct llm_impl *impl = c->impl;
    if (!impl || !impl->is_held)
        return;
    impl->is_held = false;
    if (impl->is_begun)
        llm_backend_at(llm, impl->provider)->unhold(impl);
}

void llm_call_fail(struct llm_call *c, int status, const char *code, const char *fmt, ...)
{
    c->status = status;
    snprintf(c->error_code, sizeof(c->error_code), "%s", code);
    va_list ap;
    va_start(ap, fmt);
    err_vset(&c->error, status, fmt, ap);
    va_end(ap);
}
