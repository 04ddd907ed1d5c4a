#include "app/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config_embedding.h"
#include "app/config_jwt.h"
#include "app/config_providers.h"
#include "app/config_rules.h"
#include "app/config_tools.h"
#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"

#define CONFIG_FILE_BYTES_MAX (1u << 20)

/* Where a value came from, weakest first. */
enum source { FROM_DEFAULT, FROM_FILE, FROM_ENV, FROM_FLAG };
static const char *const source_words[] = {"default", "file", "environment", "flag"};

/* A list is given in parts (the flag several times, an array in the file) or with commas. */
enum setting_kind { SETTING_TEXT, SETTING_BOOL, SETTING_LIST };

struct setting {
    const char
        *name; /* of the flag; the file's key has _ for -, the environment SLUICE_ and capitals */
    enum setting_kind kind;
    const char *fallback;
    const char *meta, *help;
};

enum {
    S_LISTEN,
    S_DATA,
    S_STORE,
    S_CACHE,
    S_CONFIG,
    S_EXAMPLES,
    S_AUTH,
    S_ORIGINS,
    S_PLUGIN,
    S_LOG_LEVEL,
    S_LOG_FORMAT,
    S_MIGRATE,
    S_RETAIN_TOKENS,
    S_RETAIN_SESSIONS,
    S_RETAIN_KEYS,
    S_RETAIN_AUDIT,
    S_RATE_LIMIT,
    S_TLS_CERT,
    S_TLS_KEY,
    S_BEHIND_PROXY,
    S_DRAIN,
    S_QUEUE_TIMEOUT,
    S_PRICES,
    S_TOOL_ALLOW,
    S_SECRET_KEY,
    S_PRINT,
    S_COUNT,
};

static const struct setting settings[S_COUNT] = {
    [S_LISTEN] = {"listen", SETTING_TEXT, "127.0.0.1:8080", "HOST:PORT",
                  "address to listen on; port 0 takes a free one"},
    [S_DATA] = {"data", SETTING_TEXT, NULL, "DIR",
                "folder of the embedded store (default: $XDG_DATA_HOME/sluice)"},
    [S_STORE] = {"store", SETTING_TEXT, NULL, "URL",
                 "postgres://…: the store; without it SQLite in --data"},
    [S_CACHE] = {"cache", SETTING_TEXT, NULL, "URL",
                 "redis://, rediss:// or unix:// of a Redis that the instances share"},
    [S_CONFIG] = {"config", SETTING_TEXT, NULL, "FILE", "settings in YAML"},
    [S_EXAMPLES] = {"examples", SETTING_TEXT, NULL, "DIR",
                    "store the workflows of this folder at start, unless they are there"},
    [S_AUTH] = {"auth", SETTING_TEXT, "auto", "auto|required|off",
                "who has to show a key: everybody once there is one, everybody, nobody"},
    [S_ORIGINS] = {"origins", SETTING_TEXT, NULL, "LIST", "other origins whose pages may connect"},
    [S_PLUGIN] = {"plugin", SETTING_LIST, NULL, "FILE", "load node types from a shared object"},
    [S_LOG_LEVEL] = {"log-level", SETTING_TEXT, "info", "debug|info|warn|error", "least level"},
    [S_LOG_FORMAT] = {"log-format", SETTING_TEXT, "text", "text|json", "form of log lines"},
    [S_MIGRATE] = {"migrate", SETTING_BOOL, "true", NULL, "bring the store's schema up to date"},
    [S_RETAIN_TOKENS] = {"retain-tokens", SETTING_TEXT, "7d", "AGE|off",
                         "fold the token events of sessions that ended so long ago into messages"},
    [S_RETAIN_SESSIONS] = {"retain-sessions", SETTING_TEXT, "off", "AGE|off",
                           "delete sessions that ended so long ago"},
    [S_RETAIN_KEYS] = {"retain-keys", SETTING_TEXT, "1d", "AGE|off",
                       "forget Idempotency-Keys and answered commands that old"},
    [S_RETAIN_AUDIT] = {"retain-audit", SETTING_TEXT, "90d", "AGE|off",
                        "forget entries of the audit log that old"},
    [S_RATE_LIMIT] = {"rate-limit", SETTING_TEXT, "off", "N/s|off",
                      "requests and messages that a key, or an address without one, may send"},
    [S_TLS_CERT] = {"tls-cert", SETTING_TEXT, NULL, "FILE",
                    "PEM certificate chain: https and wss only"},
    [S_TLS_KEY] = {"tls-key", SETTING_TEXT, NULL, "FILE", "its private key, PEM"},
    [S_BEHIND_PROXY] = {"behind-proxy", SETTING_BOOL, "false", NULL,
                        "a proxy in front has TLS and names the client in X-Forwarded-For"},
    [S_DRAIN] = {"drain", SETTING_TEXT, "5s", "TIME",
                 "at a shutdown, how long running model calls may go on before they move"},
    [S_QUEUE_TIMEOUT] = {"queue-timeout", SETTING_TEXT, "10m", "TIME",
                         "how long a model call may wait for a provider that takes no more"},
    [S_PRICES] = {"prices", SETTING_TEXT, NULL, "FILE",
                  "what models cost, in YAML or JSON, before the settings' and our own list"},
    [S_TOOL_ALLOW] = {"tool-allow", SETTING_TEXT, NULL, "LIST",
                      "addresses inside that the tool http may reach: 10.0.0.0/8, host:port"},
    [S_SECRET_KEY] = {"secret-key", SETTING_TEXT, NULL, "KEY",
                      "what stored secrets are sealed with (default: made once, in --data)"},
    [S_PRINT] = {"print-config", SETTING_BOOL, "false", NULL, "print the settings and end"},
};

struct loader {
    struct config *c;
    const char *values[S_COUNT];
    enum source from[S_COUNT];
    struct errbuf *e;
};

static char *config_keep(struct config *c, struct str s)
{
    return arena_strdup(&c->arena, s);
}

/* A further part of a list, after those from the same source. */
static const char *list_join(struct config *c, const char *so_far, const char *part)
{
    size_t n = strlen(so_far) + 1 + strlen(part);
    char *text = arena_alloc(&c->arena, n + 1);
    snprintf(text, n + 1, "%s,%s", so_far, part);
    return text;
}

static const char *list_of(struct config *c, struct json array)
{
    const char *all = "";
    struct json_iter it;
    json_iter_init(&it, array);
    while (json_iter_next(&it)) {
        char *part = json_strdup(it.value);
        if (!part)
            return NULL;
        const char *kept = config_keep(c, str_of(part));
        all = *all ? list_join(c, all, kept) : kept;
        free(part);
    }
    return all;
}

/* "log-level" -> "SLUICE_LOG_LEVEL" or "log_level" */
static void setting_spelling(const struct setting *s, bool env, char out[64])
{
    size_t n = (size_t)snprintf(out, 64, "%s%s", env ? "SLUICE_" : "", s->name);
    for (size_t i = env ? 7 : 0; i < n; i++) {
        if (out[i] == '-')
            out[i] = '_';
        else if (env && out[i] >= 'a' && out[i] <= 'z')
            out[i] = (char)(out[i] - 'a' + 'A');
    }
}

static int loader_flags(struct loader *l, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (strncmp(arg, "--", 2) != 0)
            return err_set(l->e, ERR_INVALID, "unexpected argument: %s", arg);
        const char *eq = strchr(arg, '=');
        size_t n = eq ? (size_t)(eq - arg - 2) : strlen(arg + 2);
        int k = 0;
        bool negated = n > 3 && strncmp(arg + 2, "no-", 3) == 0;
        const char *name = arg + 2 + (negated ? 3 : 0);
        n -= negated ? 3 : 0;
        while (k < S_COUNT &&
               (strlen(settings[k].name) != n || strncmp(settings[k].name, name, n) != 0))
            k++;
        if (k == S_COUNT || (negated && settings[k].kind != SETTING_BOOL))
            return err_set(l->e, ERR_INVALID, "unknown option: %s", arg);
        const char *before = l->from[k] == FROM_FLAG ? l->values[k] : NULL;
        if (settings[k].kind == SETTING_BOOL)
            l->values[k] = negated ? "false" : eq ? eq + 1 : "true";
        else if (eq)
            l->values[k] = eq + 1;
        else if (i + 1 < argc)
            l->values[k] = argv[++i];
        else
            return err_set(l->e, ERR_INVALID, "%s wants %s", arg, settings[k].meta);
        if (settings[k].kind == SETTING_LIST && before)
            l->values[k] = list_join(l->c, before, l->values[k]);
        l->from[k] = FROM_FLAG;
    }
    return 0;
}

static void loader_environment(struct loader *l)
{
    for (int k = 0; k < S_COUNT; k++) {
        char name[64];
        setting_spelling(&settings[k], true, name);
        const char *v = getenv(name);
        if (v && *v && l->from[k] < FROM_ENV) {
            l->values[k] = v;
            l->from[k] = FROM_ENV;
        }
    }
}

/* ---- the file ---- */

static int file_setting(struct loader *l, const struct json_iter *it)
{
    if (json_iter_key_is(it, "prices"))
        return config_prices(l->c, it->value, LLM_PRICE_SETTINGS, l->e);
    if (json_iter_key_is(it, "jwt"))
        return config_jwt(l->c, it->value, l->e);
    if (json_iter_key_is(it, "embedding"))
        return config_embedding(l->c, it->value, l->e);
    if (json_iter_key_is(it, "breakers"))
        return config_breakers(l->c, it->value, l->e);
    if (json_iter_key_is(it, "providers"))
        return config_providers_file(l->c, it->value, l->e);
    int handled = config_tools_file(l->c, it, l->e);
    if (handled)
        return handled < 0 ? handled : 0;
    for (int k = 0; k < S_COUNT; k++) {
        char name[64];
        setting_spelling(&settings[k], false, name);
        if (!json_iter_key_is(it, name) || k == S_CONFIG || k == S_PRICES || k == S_PRINT)
            continue;
        char *text = json_strdup(it->value);
        struct str raw = text ? str_of(text) : json_raw(it->value);
        bool parts = settings[k].kind == SETTING_LIST && json_type(it->value) == JSON_ARRAY;
        const char *list = parts ? list_of(l->c, it->value) : NULL;
        if (parts && !list)
            return err_set(l->e, ERR_INVALID, "%s: wants texts", settings[k].name);
        if (l->from[k] < FROM_FILE) {
            l->values[k] = parts ? list : config_keep(l->c, raw);
            l->from[k] = FROM_FILE;
        }
        free(text);
        return 0;
    }
    return err_set(l->e, ERR_INVALID, "unknown setting: %.*s", STR_FMT(it->key));
}

/* A file in YAML, as JSON. The sentence has the path in front. */
static int yaml_read(const char *path, struct buf *json, struct errbuf *e)
{
    struct errbuf why = {""};
    struct buf yaml;
    buf_init(&yaml, CONFIG_FILE_BYTES_MAX);
    int rc = file_append(path, &yaml, e);
    if (rc == 0) {
        rc = yaml_to_json(buf_str(&yaml), NULL, json, &why);
        if (rc)
            err_set(e, rc, "%s: %s", path, why.text);
    }
    buf_deinit(&yaml);
    return rc;
}

static int loader_prices(struct loader *l, const char *path)
{
    struct buf json;
    struct errbuf why = {""};
    if (!path)
        return 0;
    buf_init(&json, 4 * CONFIG_FILE_BYTES_MAX);
    int rc = yaml_read(path, &json, &why);
    if (rc) {
        err_set(l->e, ERR_INVALID, "--prices: %s", why.text);
    } else {
        struct json v = json_root(buf_str(&json));
        v = json_type(v) == JSON_OBJECT ? json_get(v, "prices") : v;
        rc = config_prices(l->c, v, LLM_PRICE_FILE, &why);
        if (rc)
            err_set(l->e, ERR_INVALID, "--prices: %s: %s", path, why.text);
    }
    buf_deinit(&json);
    return rc ? ERR_INVALID : 0;
}

static int loader_file(struct loader *l, const char *path)
{
    struct buf json;
    struct errbuf why = {""};
    buf_init(&json, 4 * CONFIG_FILE_BYTES_MAX);
    int rc = yaml_read(path, &json, &why);
    if (rc) {
        buf_deinit(&json);
        return err_set(l->e, ERR_INVALID, "--config: %s", why.text);
    }
    if (rc == 0 && json_type(json_root(buf_str(&json))) != JSON_OBJECT)
        rc = err_set(&why, ERR_INVALID, "must be a mapping");
    if (rc == 0) {
        struct json_iter it;
        struct errbuf *outer = l->e;
        l->e = &why;
        json_iter_init(&it, json_root(buf_str(&json)));
        while (rc == 0 && json_iter_next(&it))
            rc = file_setting(l, &it);
        l->e = outer;
    }
    buf_deinit(&json);
    return rc ? err_set(l->e, ERR_INVALID, "%s: %s", path, why.text) : 0;
}

/* ---- values ---- */

static int config_listen(struct config *c, struct errbuf *e)
{
    const char *colon = strrchr(c->listen, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : -1;
    if (!colon || end == colon + 1 || *end || port < 0 || port > 65535)
        return err_set(e, ERR_INVALID, "--listen %s: wants HOST:PORT", c->listen);
    struct str host = {c->listen, (size_t)(colon - c->listen)};
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct str){host.p + 1, host.n - 2};
    c->host = host.n ? config_keep(c, host) : "127.0.0.1";
    c->port = (int)port;
    return 0;
}

bool config_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

/* Whether there is a key, the store knows: see serve.c. */
static int config_auth(struct config *c, struct errbuf *e)
{
    if (!auth_mode_parse(c->auth, &c->auth_mode))
        return err_set(e, ERR_INVALID, "--auth %s: wants auto, required or off", c->auth);
    if (c->auth_mode == AUTH_OFF && !config_is_loopback(c->host))
        return err_set(e, ERR_INVALID,
                       "--listen %s: refused beyond loopback with --auth off, because nobody "
                       "would have to show a key",
                       c->listen);
    return 0;
}

static int config_edge(struct loader *l)
{
    struct config *c = l->c;
    const char *rate = l->values[S_RATE_LIMIT];
    char *end;
    c->tls_cert = l->values[S_TLS_CERT];
    c->tls_key = l->values[S_TLS_KEY];
    c->behind_proxy = strcmp(l->values[S_BEHIND_PROXY], "false") != 0;
    if (!c->tls_cert != !c->tls_key)
        return err_set(l->e, ERR_INVALID, "--tls-cert and --tls-key are given together");
    if (strcmp(rate, "off") == 0)
        return 0;
    long n = strtol(rate, &end, 10);
    if (end == rate || (*end && strcmp(end, "/s") != 0) || n < 1 || n > 1000000)
        return err_set(l->e, ERR_INVALID, "--rate-limit %s: wants off, or 1/s to 1000000/s", rate);
    c->rate_limit = (int)n;
    return 0;
}

static int config_log(struct config *c, const char *level, const char *format, struct errbuf *e)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    int i = 0;
    while (i < 4 && strcmp(level, levels[i]) != 0)
        i++;
    if (i == 4)
        return err_set(e, ERR_INVALID, "--log-level %s: wants debug, info, warn or error", level);
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return err_set(e, ERR_INVALID, "--log-format %s: wants text or json", format);
    c->log_level = (enum log_level)i;
    c->log_json = strcmp(format, "json") == 0;
    return 0;
}

static int config_data(struct config *c, struct errbuf *e)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char path[4096];
    if (c->data)
        return 0;
    if (xdg && xdg[0] == '/')
        snprintf(path, sizeof(path), "%s/sluice", xdg);
    else if (home && home[0])
        snprintf(path, sizeof(path), "%s/.local/share/sluice", home);
    else
        return err_set(e, ERR_INVALID, "--data: wanted, because HOME is not set");
    c->data = config_keep(c, str_of(path));
    return 0;
}

/* 30s, 10m, 12h, 7d; a number alone is days; off. */
static int config_age(const char *name, const char *text, int64_t *out, struct errbuf *e)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"", 86400000}};
    char *end = NULL;

    *out = 0;
    if (strcmp(text, "off") == 0)
        return 0;
    long n = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;
    for (size_t i = 0; n > 0 && n <= 1000000 && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].unit) == 0)
            *out = n * units[i].ms;
    return *out ? 0
                : err_set(e, ERR_INVALID, "--%s %s: wants an age as 30s, 10m, 12h or 7d, or off",
                          name, text);
}

static int config_retention(struct loader *l)
{
    struct config *c = l->c;
    int rc = config_age("retain-tokens", l->values[S_RETAIN_TOKENS], &c->retain_tokens_ms, l->e);
    if (rc == 0)
        rc = config_age("retain-sessions", l->values[S_RETAIN_SESSIONS], &c->retain_sessions_ms,
                        l->e);
    if (rc == 0)
        rc = config_age("retain-keys", l->values[S_RETAIN_KEYS], &c->retain_keys_ms, l->e);
    if (rc == 0)
        rc = config_age("retain-audit", l->values[S_RETAIN_AUDIT], &c->retain_audit_ms, l->e);
    return rc;
}

static bool config_is_cache(const char *url)
{
    return strncmp(url, "redis://", 8) == 0 || strncmp(url, "rediss://", 9) == 0 ||
           strncmp(url, "unix://", 7) == 0;
}

static bool config_is_store(const char *url)
{
    return strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql://", 13) == 0;
}

/* "500ms", "5s", "2m" */
static int config_time(const char *flag, const char *text, int64_t *ms, struct errbuf *e)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    int64_t unit = strcmp(end, "ms") == 0  ? 1
                   : strcmp(end, "s") == 0 ? 1000
                   : strcmp(end, "m") == 0 ? 60000
                                           : 0;
    if (end == text || n < 0 || n > 1000000 || !unit)
        return err_set(e, ERR_INVALID, "--%s %s: wants a time as 500ms, 5s or 2m", flag, text);
    *ms = n * unit;
    return 0;
}

/* Of the providers that say nothing of their own. */
static int config_queue(struct loader *l)
{
    int64_t ms = 0;
    int rc = config_time("queue-timeout", l->values[S_QUEUE_TIMEOUT], &ms, l->e);
    for (unsigned i = 0; i < l->c->provider_count; i++)
        if (!l->c->providers[i].queue_timeout_ms)
            l->c->providers[i].queue_timeout_ms = ms;
    l->c->queue_timeout_ms = ms;
    return rc;
}

static int config_values(struct loader *l)
{
    struct config *c = l->c;
    c->listen = l->values[S_LISTEN];
    c->data = l->values[S_DATA];
    c->store = l->values[S_STORE];
    c->cache = l->values[S_CACHE];
    c->examples = l->values[S_EXAMPLES];
    c->auth = l->values[S_AUTH];
    c->origins = l->values[S_ORIGINS];
    c->plugins = l->values[S_PLUGIN];
    c->secret_key = l->values[S_SECRET_KEY];
    c->migrate = strcmp(l->values[S_MIGRATE], "false") != 0;
    c->print = strcmp(l->values[S_PRINT], "true") == 0;
    if (c->store && !config_is_store(c->store)) /* it may hold a password: not said again */
        return err_set(l->e, ERR_INVALID, "--store: wants postgres:// or postgresql://");
    if (c->cache && !config_is_cache(c->cache))
        return err_set(l->e, ERR_INVALID, "--cache: wants redis://, rediss:// or unix://");
    config_providers_rest(c);
    config_tools_allow(c, l->values[S_TOOL_ALLOW]);
    int rc = config_embedding_finish(c, l->e);
    if (rc == 0)
        rc = config_listen(c, l->e);
    if (rc == 0)
        rc = config_auth(c, l->e);
    if (rc == 0)
        rc = config_edge(l);
    if (rc == 0)
        rc = config_log(c, l->values[S_LOG_LEVEL], l->values[S_LOG_FORMAT], l->e);
    if (rc == 0)
        rc = config_time("drain", l->values[S_DRAIN], &c->drain_ms, l->e);
    if (rc == 0)
        rc = config_queue(l);
    if (rc == 0)
        rc = loader_prices(l, l->values[S_PRICES]);
    if (rc == 0)
        config_prices_join(c);
    if (rc == 0)
        rc = config_data(c, l->e);
    if (rc == 0)
        rc = config_retention(l);
    for (int k = 0; k < S_COUNT; k++)
        c->from[k] = source_words[l->from[k]];
    return rc;
}

int config_load(struct config *c, int argc, char **argv, struct errbuf *e)
{
    _Static_assert(S_COUNT <= CONFIG_SETTINGS_MAX, "from[] is too short");
    struct loader l = {.c = c, .e = e};
    memset(c, 0, sizeof(*c));
    arena_init(&c->arena);
    c->breakers = BREAKERS_DEFAULT;
    for (int k = 0; k < S_COUNT; k++)
        l.values[k] = settings[k].fallback;
    int rc = loader_flags(&l, argc, argv);
    if (rc)
        return rc;
    loader_environment(&l);
    c->file = l.values[S_CONFIG];
    if (c->file)
        rc = loader_file(&l, c->file);
    return rc ? rc : config_values(&l);
}

void config_deinit(struct config *c)
{
    arena_deinit(&c->arena);
}

/* ---- printing ---- */

static void print_setting(struct buf *out, const struct config *c, int k, const char *value)
{
    char name[64];
    setting_spelling(&settings[k], false, name);
    buf_printf(out, "%s: ", name);
    if (value)
        json_write_string(out, str_of(value)); /* a JSON string is a YAML string */
    else
        buf_append_z(out, "null");
    buf_printf(out, " # %s\n", c->from[k]);
}

/* A URL with its password hidden: what stands between "user:" and the last '@' of its authority,
 * and what "password=" is followed by (in a query, or among libpq's key=value). */
static char *config_hide(const char *url)
{
    struct buf out;
    if (!url)
        return NULL;
    const char *at = strstr(url, "://");
    const char *start = at ? at + 3 : url;
    size_t authority = at ? strcspn(start, "/?") : 0;
    const char *end = authority ? memrchr(start, '@', authority) : NULL;
    const char *colon = end ? memchr(start, ':', (size_t)(end - start)) : NULL;
    buf_init(&out, CONFIG_FILE_BYTES_MAX);
    if (colon) {
        buf_append(&out, url, (size_t)(colon + 1 - url));
        buf_append_z(&out, "(hidden)");
        url = end;
    }
    while ((at = strstr(url, "password="))) {
        buf_append(&out, url, (size_t)(at + 9 - url));
        buf_append_z(&out, "(hidden)");
        at += 9;
        const char *quoted = *at == '\'' ? strchr(at + 1, '\'') : NULL;
        url = quoted ? quoted + 1 : at + strcspn(at, "& ");
    }
    buf_append_z(&out, url);
    return buf_steal(&out, NULL);
}

static void print_age(struct buf *out, const struct config *c, int k, int64_t ms)
{
    char text[32] = "off";

    if (ms % 86400000 == 0 && ms > 0)
        snprintf(text, sizeof(text), "%lldd", (long long)(ms / 86400000));
    else if (ms > 0)
        snprintf(text, sizeof(text), "%llds", (long long)(ms / 1000));
    print_setting(out, c, k, text);
}

static void print_url(struct buf *out, const struct config *c, int k, const char *url)
{
    char *hidden = config_hide(url);
    print_setting(out, c, k, hidden);
    free(hidden);
}

void config_print(const struct config *c, struct buf *out)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    print_setting(out, c, S_LISTEN, c->listen);
    print_setting(out, c, S_DATA, c->data);
    print_url(out, c, S_STORE, c->store);
    print_url(out, c, S_CACHE, c->cache);
    print_setting(out, c, S_EXAMPLES, c->examples);
    print_setting(out, c, S_AUTH, c->auth);
    print_setting(out, c, S_ORIGINS, c->origins);
    print_setting(out, c, S_PLUGIN, c->plugins);
    print_setting(out, c, S_SECRET_KEY, c->secret_key ? "hidden" : NULL);
    print_setting(out, c, S_LOG_LEVEL, levels[c->log_level]);
    print_setting(out, c, S_LOG_FORMAT, c->log_json ? "json" : "text");
    buf_printf(out, "migrate: %s # %s\n", c->migrate ? "true" : "false", c->from[S_MIGRATE]);
    print_age(out, c, S_RETAIN_TOKENS, c->retain_tokens_ms);
    print_age(out, c, S_RETAIN_SESSIONS, c->retain_sessions_ms);
    print_age(out, c, S_RETAIN_KEYS, c->retain_keys_ms);
    print_age(out, c, S_RETAIN_AUDIT, c->retain_audit_ms);
    char rate[32] = "off";
    if (c->rate_limit)
        snprintf(rate, sizeof(rate), "%d/s", c->rate_limit);
    print_setting(out, c, S_RATE_LIMIT, rate);
    print_setting(out, c, S_TLS_CERT, c->tls_cert);
    print_setting(out, c, S_TLS_KEY, c->tls_key); /* where it is, not what it is */
    buf_printf(out, "behind_proxy: %s # %s\n", c->behind_proxy ? "true" : "false",
               c->from[S_BEHIND_PROXY]);
    buf_printf(out, "drain: %lldms # %s\n", (long long)c->drain_ms, c->from[S_DRAIN]);
    buf_printf(out, "queue_timeout: %lldms # %s\n", (long long)c->queue_timeout_ms,
               c->from[S_QUEUE_TIMEOUT]);
    config_providers_print(c, out);
    config_embedding_print(c, out);
    config_jwt_print(c, out);
    config_rules_print(c, out);
    config_tools_print(c, out);
}

void config_usage(struct buf *out)
{
    buf_append_z(out, "usage: sluice serve [options]\n\n");
    for (int k = 0; k < S_COUNT; k++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", settings[k].name, settings[k].meta ? " " : "",
                 settings[k].meta ? settings[k].meta : "");
        buf_printf(out, "  %-38s %s", left, settings[k].help);
        if (settings[k].fallback && settings[k].kind == SETTING_TEXT)
            buf_printf(out, " (default: %s)", settings[k].fallback);
        buf_append_z(out, "\n");
    }
    buf_append_z(
        out,
        "\nEach option may also be given as SLUICE_<OPTION> in the environment, or in the "
        "file.\nOPENAI_API_KEY, OPENAI_BASE_URL (with its /v1) and SLUICE_MODEL set the default "
        "model provider;\nwithout them it is `demo`, which answers offline with canned text.\n");
}
