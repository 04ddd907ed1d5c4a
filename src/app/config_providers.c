#include "app/config_providers.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define DEMO_RATE_MAX        100000 /* tokens a second */
#define CONCURRENT_MAX       100000
#define PROVIDER_MODELS_MAX  500
#define KEY_FILE_BYTES_MAX   16384
#define QUEUE_TIMEOUT_MS_MAX 86400000

static const char *keep_text(struct config *c, struct json v)
{
    char *text = json_strdup(v);
    const char *kept = text && *text ? arena_strdup(&c->arena, str_of(text)) : NULL;
    free(text);
    return kept;
}

static int read_text(struct config *c, struct json v, const char **out, struct errbuf *e)
{
    *out = keep_text(c, v);
    return *out ? 0 : err_set(e, ERR_INVALID, "wants text");
}

static int read_number(struct json v, int64_t most, int64_t *out, struct errbuf *e)
{
    if (json_i64(v, out) && *out >= 1 && *out <= most)
        return 0;
    return err_set(e, ERR_INVALID, "wants a whole number from 1 to %lld", (long long)most);
}

static int read_unsigned(struct json v, int64_t most, unsigned *out, struct errbuf *e)
{
    int64_t n = 0;
    int rc = read_number(v, most, &n, e);
    *out = (unsigned)n;
    return rc;
}

static int read_dialect(struct json v, enum llm_dialect *out, struct errbuf *e)
{
    for (int i = LLM_OPENAI; i <= LLM_ANTHROPIC; i++) {
        if (json_string_eq(v, llm_dialect_name((enum llm_dialect)i))) {
            *out = (enum llm_dialect)i;
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, "wants openai, anthropic or demo");
}

/* The first of the list is what a node gets that names none. */
static int read_models(struct config *c, struct json v, struct llm_provider *p, struct errbuf *e)
{
    struct json_iter it;
    size_t count = json_length(v);
    if (json_type(v) != JSON_ARRAY || count < 1 || count > PROVIDER_MODELS_MAX)
        return err_set(e, ERR_INVALID, "wants a list of 1 to %d names", PROVIDER_MODELS_MAX);
    const char **models = arena_calloc(&c->arena, count, sizeof(*models));
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        models[it.index] = keep_text(c, it.value);
        if (!models[it.index])
            return err_set(e, ERR_INVALID, "wants names");
    }
    p->models = models;
    p->model_count = (unsigned)count;
    p->default_model = models[0];
    return 0;
}

/* ---- keys ---- */

char *config_key_read(const char *path, struct errbuf *e)
{
    struct buf b;
    buf_init(&b, KEY_FILE_BYTES_MAX);
    if (file_append(path, &b, e)) {
        buf_deinit(&b);
        return NULL;
    }
    struct str key = buf_str(&b);
    while (key.n && strchr(" \t\r\n", key.p[0])) {
        key.p++;
        key.n--;
    }
    while (key.n && strchr(" \t\r\n", key.p[key.n - 1]))
        key.n--;
    char *out = key.n ? str_dup(key) : NULL;
    if (!out)
        err_set(e, ERR_INVALID, "%s: there is no key in it", path);
    if (b.len)
        explicit_bzero(b.data, b.len);
    buf_deinit(&b);
    return out;
}

static int read_key_env(struct config *c, struct json v, struct llm_provider *p, struct errbuf *e)
{
    const char *name = keep_text(c, v);
    if (!name)
        return err_set(e, ERR_INVALID, "wants the name of a variable");
    p->api_key = getenv(name);
    if (p->api_key && *p->api_key)
        return 0;
    return err_set(e, ERR_INVALID, "the variable %s is not set", name);
}

static int read_key_file(struct config *c, struct json v, struct llm_provider *p, struct errbuf *e)
{
    int rc = read_text(c, v, &p->api_key_file, e);
    if (rc)
        return rc;
    char *key = config_key_read(p->api_key_file, e);
    if (!key)
        return ERR_INVALID;
    p->api_key = arena_strdup(&c->arena, str_of(key));
    explicit_bzero(key, strlen(key));
    free(key);
    return 0;
}

/* ---- one provider ---- */

static int read_member(struct config *c, const struct json_iter *it, struct llm_provider *p,
                       struct errbuf *e)
{
    if (json_iter_key_is(it, "id"))
        return read_text(c, it->value, &p->id, e);
    if (json_iter_key_is(it, "dialect"))
        return read_dialect(it->value, &p->dialect, e);
    if (json_iter_key_is(it, "base_url"))
        return read_text(c, it->value, &p->base_url, e);
    if (json_iter_key_is(it, "api_key_env"))
        return read_key_env(c, it->value, p, e);
    if (json_iter_key_is(it, "api_key_file"))
        return read_key_file(c, it->value, p, e);
    if (json_iter_key_is(it, "api_key"))
        return err_set(e, ERR_INVALID,
                       "a key does not stand in the settings: give api_key_env or api_key_file");
    if (json_iter_key_is(it, "models"))
        return read_models(c, it->value, p, e);
    if (json_iter_key_is(it, "max_concurrent"))
        return read_unsigned(it->value, CONCURRENT_MAX, &p->max_concurrent, e);
    if (json_iter_key_is(it, "queue_timeout_ms"))
        return read_number(it->value, QUEUE_TIMEOUT_MS_MAX, &p->queue_timeout_ms, e);
    if (json_iter_key_is(it, "tokens_per_s")) /* of the demo provider */
        return read_unsigned(it->value, DEMO_RATE_MAX, &p->demo_tokens_per_s, e);
    if (json_iter_key_is(it, "seed")) /* the same */
        return read_unsigned(it->value, INT32_MAX, &p->demo_seed, e);
    return err_set(e, ERR_INVALID,
                   "unknown; known are id, dialect, base_url, api_key_env, api_key_file, models, "
                   "max_concurrent, queue_timeout_ms, and tokens_per_s and seed of a demo");
}

static int read_provider(struct config *c, struct json v, struct errbuf *e)
{
    struct llm_provider *p = &c->providers[c->provider_count];
    struct errbuf why = {""};
    struct json_iter it;
    unsigned index = c->provider_count;
    if (index == CONFIG_PROVIDERS_MAX)
        return err_set(e, ERR_TOO_LARGE, "providers: at most %d", CONFIG_PROVIDERS_MAX);
    if (json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "providers[%u]: must be an object", index);
    *p = (struct llm_provider){.retries_max = 2};
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (read_member(c, &it, p, &why))
            return err_set(e, ERR_INVALID, "providers[%u].%.*s: %s", index, STR_FMT(it.key),
                           why.text);
    if (!p->id)
        return err_set(e, ERR_INVALID, "providers[%u]: id is required", index);
    if (p->dialect != LLM_DEMO && !p->base_url)
        return err_set(e, ERR_INVALID, "providers[%u]: base_url is required", index);
    c->provider_count++;
    return 0;
}

int config_providers_file(struct config *c, struct json list, struct errbuf *e)
{
    struct json_iter it;
    if (json_type(list) != JSON_ARRAY)
        return err_set(e, ERR_INVALID, "providers: wants a list");
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        int rc = read_provider(c, it.value, e);
        if (rc)
            return rc;
    }
    return 0;
}

void config_providers_rest(struct config *c)
{
    const char *key = getenv("OPENAI_API_KEY"), *url = getenv("OPENAI_BASE_URL");
    const char *model = getenv("SLUICE_MODEL");
    if ((key && *key) || (url && *url)) {
        memmove(&c->providers[1], &c->providers[0], c->provider_count * sizeof(c->providers[0]));
        c->providers[0] = (struct llm_provider){
            .id = "default",
            .dialect = LLM_OPENAI,
            .base_url = url && *url ? url : "https://api.openai.com/v1",
            .api_key = key && *key ? key : NULL,
            .default_model = model && *model ? model : "gpt-4o-mini",
            .retries_max = 2,
        };
        c->provider_count++;
    }
    for (unsigned i = 0; i < c->provider_count; i++)
        if (strcmp(c->providers[i].id, "demo") == 0)
            return;
    c->providers[c->provider_count++] = (struct llm_provider){
        .id = "demo", .dialect = LLM_DEMO, .default_model = "demo", .max_concurrent = 10000};
}

/* ---- printing ---- */

static void print_text(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, "    %s: ", key);
    json_write_string(out, str_of(text)); /* a JSON string is a YAML string */
    buf_append_z(out, "\n");
}

void config_providers_print(const struct config *c, struct buf *out)
{
    buf_append_z(out, "providers:\n");
    for (unsigned i = 0; i < c->provider_count; i++) {
        const struct llm_provider *p = &c->providers[i];
        buf_printf(out, "  - id: %s\n    dialect: %s\n", p->id, llm_dialect_name(p->dialect));
        if (p->base_url)
            print_text(out, "base_url", p->base_url);
        if (p->default_model)
            buf_printf(out, "    model: %s\n", p->default_model);
        for (unsigned m = 0; m < p->model_count; m++) {
            buf_append_z(out, m ? ", " : "    models: [");
            json_write_string(out, str_of(p->models[m]));
        }
        if (p->model_count)
            buf_append_z(out, "]\n");
        if (p->max_concurrent)
            buf_printf(out, "    max_concurrent: %u\n", p->max_concurrent);
        buf_printf(out, "    queue_timeout_ms: %lld\n", (long long)p->queue_timeout_ms);
        if (p->api_key_file)
            print_text(out, "api_key_file", p->api_key_file);
        buf_printf(out, "    api_key: %s\n", p->api_key ? "(hidden)" : "null");
    }
}
