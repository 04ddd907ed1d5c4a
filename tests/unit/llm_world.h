/* Calls of llm.h to a scripted server on the same loop. */
#ifndef TESTS_LLM_WORLD_H
#define TESTS_LLM_WORLD_H

#include "unit.h"

#include <string.h>

#include "llm_server.h"

struct world {
    uv_loop_t loop;
    struct server server;
    struct llm *llm;
    char url[64];
    bool is_closed;
};

#define FINISH_EVENT "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"
#define USAGE_EVENT  "{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}"

static inline void world_closed(void *data)
{
    ((struct world *)data)->is_closed = true;
}

static inline void world_open_as(struct world *w, void (*on_request)(struct conn *, size_t),
                                 struct llm_provider provider)
{
    struct errbuf e = {""};
    memset(w, 0, sizeof(*w));
    uv_loop_init(&w->loop);
    server_open(&w->server, &w->loop, on_request);
    w->server.data = w;
    snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d/v1", w->server.port);
    provider.id = "local";
    if (!provider.base_url)
        provider.base_url = w->url;
    if (!provider.default_model)
        provider.default_model = "default-model";
    assert_int_equal(llm_create(&w->llm, &w->loop, &provider, 1, &e), 0);
}

static inline void world_open(struct world *w, void (*on_request)(struct conn *, size_t))
{
    world_open_as(w, on_request, (struct llm_provider){.retries_max = 2});
}

static inline void world_close(struct world *w)
{
    if (w->llm)
        llm_close(w->llm, world_closed, w);
    server_close(&w->server);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_true(w->is_closed);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    server_free(&w->server);
}

/* Starts one call and turns the loop until it is done. */
static inline void world_call(struct world *w, struct recorded *r)
{
    recorded_init(r, w->llm, HELLO);
    recorded_start(r);
    turn_until(&w->loop, r->done);
}

#endif
