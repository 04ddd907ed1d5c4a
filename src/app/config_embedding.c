#include "app/config_embedding.h"

#include <stdlib.h>
#include <string.h>

static const char *keep_text(struct config *c, struct json v)
{
    char *text = json_strdup(v);
    const char *kept = text && *text ? arena_strdup(&c->arena, str_of(text)) : NULL;
    free(text);
    return kept;
}

static bool dimensions_are_good(int64_t n)
{
    return n > 0 && n <= LLM_EMBED_DIMENSIONS_MAX;
}

int config_embedding(struct config *c, struct json v, struct errbuf *e)
{
    struct config_embedding *m = &c->embedding;
    struct json_iter it;
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "embedding: wants provider, model and dimensions");
    m->from = "file";
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        int64_t n = 0;
        bool ok = false;
        if (json_iter_key_is(&it, "provider"))
            ok = (m->provider = keep_text(c, it.value)) != NULL;
        else if (json_iter_key_is(&it, "model"))
            ok = (m->model = keep_text(c, it.value)) != NULL;
        else if (json_iter_key_is(&it, "dimensions"))
            ok = json_i64(it.value, &n) && dimensions_are_good(n) &&
                 ((m->dimensions = (unsigned)n), true);
        if (!ok)
            return err_set(e, ERR_INVALID, "embedding.%.*s: unknown key or bad value",
                           STR_FMT(it.key));
    }
    return 0;
}

static int embedding_environment(struct config_embedding *m, struct errbuf *e)
{
    const char *model = getenv("SLUICE_EMBEDDING_MODEL");
    const char *text = getenv("SLUICE_EMBEDDING_DIMENSIONS");
    if (model && *model) {
        m->model = model;
        m->from = "environment";
    }
    if (!text || !*text)
        return 0;
    char *end = NULL;
    long n = strtol(text, &end, 10);
    if (*end || !dimensions_are_good(n))
        return err_set(e, ERR_INVALID, "SLUICE_EMBEDDING_DIMENSIONS: wants 1 to %d",
                       LLM_EMBED_DIMENSIONS_MAX);
    m->dimensions = (unsigned)n;
    m->from = "environment";
    return 0;
}

int config_embedding_finish(struct config *c, struct errbuf *e)
{
    struct config_embedding *m = &c->embedding;
    const struct llm_provider *p = NULL;
    int rc = embedding_environment(m, e);
    if (rc || !m->from)
        return rc;
    for (unsigned i = 0; !p && i < c->provider_count; i++)
        if (!m->provider || strcmp(c->providers[i].id, m->provider) == 0)
            p = &c->providers[i];
    if (!p)
        return err_set(e, ERR_INVALID, "embedding.provider: there is no provider \"%s\"",
                       m->provider);
    m->provider = p->id;
    if (p->dialect == LLM_ANTHROPIC)
        return err_set(e, ERR_INVALID,
                       "embedding.provider: \"%s\" speaks a dialect that has no vectors", p->id);
    if (!m->model && p->dialect == LLM_DEMO)
        m->model = "demo";
    if (!m->model)
        return err_set(e, ERR_INVALID, "embedding.model: wanted");
    return 0;
}

void config_embedding_print(const struct config *c, struct buf *out)
{
    const struct config_embedding *m = &c->embedding;
    if (!m->model) {
        buf_append_z(out, "embedding: null # memory is searched by words alone\n");
        return;
    }
    buf_printf(out, "embedding: # %s\n  provider: %s\n  model: ", m->from, m->provider);
    json_write_string(out, str_of(m->model));
    if (m->dimensions)
        buf_printf(out, "\n  dimensions: %u\n", m->dimensions);
    else
        buf_append_z(out, "\n  dimensions: null # as many as the model gives\n");
}
