#include "llm/llm.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "llm/curl_client.h"
#include "llm/demo.h"
#include "llm/embed.h"
#include "llm/llm_private.h"

#define CONCURRENT_DEFAULT 512
#define CONNECT_MS_DEFAULT 10000
#define IDLE_MS_DEFAULT    120000
#define DEMO_RATE_DEFAULT  25
#define QUEUE_MS_DEFAULT   600000
#define KEY_BYTES_MAX      4000

static const struct llm_backend *const backends[LLM_BACKENDS] = {&curl_client_backend,
                                                                 &demo_backend};

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

const struct llm_backend *llm_backend_at(const struct llm *llm, size_t lane)
{
    return backends[llm_backend_index(llm->lanes[lane].config.dialect)];
}

void *llm_backend_self(const struct llm *llm, size_t lane)
{
    return llm->backends[llm_backend_index(llm->lanes[lane].config.dialect)];
}

const struct llm_provider *llm_provider_at(const struct llm *llm, size_t index)
{
    return &llm->lanes[index].config;
}

static char *llm_strdup(const char *z)
{
    return z ? mem_strdup(z) : NULL;
}

static void llm_free_key(char *key)
{
    if (key)
        explicit_bzero(key, strlen(key));
    free(key);
}

static void llm_lane_init(struct llm_lane *lane, const struct llm_provider *p)
{
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
    if (p->queue_timeout_ms <= 0)
        config->queue_timeout_ms = QUEUE_MS_DEFAULT;
    if (!p->demo_tokens_per_s)
        config->demo_tokens_per_s = DEMO_RATE_DEFAULT;
    lane_init(&lane->lane, config->max_concurrent);
}

static void llm_lane_deinit(struct llm_lane *lane)
{
    lane_deinit(&lane->lane);
    free((void *)lane->config.id);
    free((void *)lane->config.base_url);
    llm_free_key((char *)lane->config.api_key);
    for (struct llm_key *next, *old = lane->old_keys; old; old = next) {
        next = old->next;
        llm_free_key(old->text);
        free(old);
    }
    free((void *)lane->config.default_model);
}

static int llm_check_key(const char *id, const char *key, struct errbuf *e)
{
    size_t n = key ? strlen(key) : 0;
    if (n > KEY_BYTES_MAX)
        return err_set(e, ERR_INVALID, "provider \"%s\": api_key is too long", id);
    for (size_t i = 0; i < n; i++)
        if (key[i] < 0x21 || key[i] > 0x7e)
            return err_set(e, ERR_INVALID,
                           "provider \"%s\": api_key holds a character that no key has", id);
    return 0;
}

int llm_set_key(struct llm *llm, size_t provider, const char *key, struct errbuf *e)
{
    struct llm_lane *l = &llm->lanes[provider];
    char *before = (char *)l->config.api_key;
    int rc = llm_check_key(l->config.id, key, e);
    if (rc || (before && strcmp(before, key) == 0))
        return rc;
    if (before) {
        struct llm_key *old = mem_alloc(sizeof(*old));
        *old = (struct llm_key){before, l->old_keys};
        l->old_keys = old;
    }
    l->config.api_key = mem_strdup(key);
    return 0;
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
        if (llm_check_key(p->id, p->api_key, e))
            return ERR_INVALID;
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

static void llm_part_closed(struct llm *llm)
{
    if (--llm->open_parts)
        return;
    void (*closed)(void *data) = llm->closed;
    void *data = llm->closed_data;
    llm_free(llm);
    if (closed)
        closed(data);
}

static void llm_backend_closed(void *data)
{
    llm_part_closed(data);
}

static void llm_timer_closed(uv_handle_t *handle)
{
    llm_part_closed(handle->data);
}

void llm_close(struct llm *llm, void (*closed)(void *data), void *data)
{
    llm->closed = closed;
    llm->closed_data = data;
    llm->is_closing = true;
    llm->open_parts = 1 + LLM_BACKENDS;
    uv_close((uv_handle_t *)&llm->timer, llm_timer_closed);
    for (size_t i = 0; i < LLM_BACKENDS; i++)
        backends[i]->close(llm->backends[i], llm_backend_closed, llm);
    if (llm->embedder) {
        llm->open_parts++;
        embedder_close(llm->embedder, llm_backend_closed, llm);
    }
}

/* All are opened always: each is a few handles that do not wake the loop. */
int llm_create(struct llm **out, struct uv_loop_s *loop, const struct llm_provider *providers,
               size_t count, struct errbuf *e)
{
    int rc = llm_check_providers(providers, count, e);
    if (rc)
        return rc;
    struct llm *llm = mem_zalloc(sizeof(*llm));
    llm->loop = loop;
    list_init(&llm->delayed);
    list_init(&llm->over);
    id_source_init_random(&llm->random);
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
    uv_timer_init(loop, &llm->timer);
    llm->timer.data = llm;
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

/* One backend has sockets. */
bool llm_set_aside(struct llm *llm, bool is_aside)
{
    bool is_done = false;
    for (size_t i = 0; i < LLM_BACKENDS; i++)
        if (backends[i]->set_aside && backends[i]->set_aside(llm->backends[i], is_aside))
            is_done = true;
    return is_done;
}

bool llm_read(struct llm *llm)
{
    bool is_all = true;
    for (size_t i = 0; i < LLM_BACKENDS; i++)
        if (backends[i]->read && !backends[i]->read(llm->backends[i]))
            is_all = false;
    return is_all;
}

void llm_discard(struct llm *llm)
{
    for (size_t i = 0; i < LLM_BACKENDS; i++)
        if (backends[i]->discard)
            backends[i]->discard(llm->backends[i]);
}

long llm_lane_find(const struct llm *llm, const char *id)
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

size_t llm_provider_count(const struct llm *llm)
{
    return llm->lane_count;
}

void llm_provider_stats(const struct llm *llm, size_t index, struct llm_provider_stats *out)
{
    const struct llm_lane *l = &llm->lanes[index];
    const struct circuit *c = &l->lane.circuit;
    uint64_t now = llm_now(llm);
    *out = (struct llm_provider_stats){.config = &l->config,
                                       .circuit = circuit_word(c, now),
                                       .in_flight = l->lane.active,
                                       .waiting = l->lane.waiting,
                                       .opened = c->opened_total,
                                       .done = l->done_total,
                                       .failed = l->failed_total,
                                       .moved = l->moved_total,
                                       .waited_ms = l->lane.waited_ms_total,
                                       .waits = l->lane.waits,
                                       .wait_ends_ms = lane_wait_ends_ms,
                                       .wait_classes = LANE_WAITS};
    if (c->state == CIRCUIT_OPEN && c->until_ms > now)
        out->open_ms = (int64_t)(c->until_ms - now);
}
