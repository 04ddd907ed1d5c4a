/* The life of the server process:
 *
 *     settings ─> store, cache ─> registered ─> recovery ─> listening ─> (SIGTERM, SIGINT)
 *       ─> net closed ─> journal drained, own row removed  ─┬─> the parts closed ─> exit 0
 *       └> with others alive: sessions handed over to them ─┘
 *
 * A second signal ends at once: nothing is lost by it either, it only costs the next start a
 * recovery.
 */
#include "app/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/app.h"
#include "app/config_providers.h"
#include "app/examples.h"
#include "app/rules.h"
#include "app/runner.h"
#include "base/mem.h"

#define WORKER_THREADS     2
#define WORKER_THREADS_CAP 256
#define SHUTDOWN_GRACE_MS  2000
#define SHUTDOWN_RETRY_MS  1000 /* what clients are told to wait before they come back */

struct server {
    struct app app;
    uv_signal_t signals[3]; /* SIGTERM, SIGINT, SIGHUP */
    int exit_code;
    bool refused;     /* it does not come to listen */
    unsigned ending;  /* what must be over before the parts are closed */
    unsigned closing; /* parts that have not said `closed` yet */
};

/* ---- shutdown ---- */

static void server_part_closed(void *data)
{
    struct server *s = data;
    if (--s->closing > 0)
        return;
    for (int i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
}

static void server_close_parts(void *data)
{
    struct server *s = data;
    struct app *a = &s->app;
    if (--s->ending > 0)
        return;
    s->closing = a->cache ? 6 : 5;
    app_close_handles(a);
    if (a->cache)
        cache_close(a->cache, server_part_closed, s);
    store_close(a->store, server_part_closed, s);
    worker_pool_close(a->workers, server_part_closed, s);
    llm_close(a->llm, server_part_closed, s);
    tools_close(a->tools, server_part_closed, s);
    webhook_sender_close(&a->webhook_sender, server_part_closed, s);
}

/* What runs is cut, not waited for: it is durable as pending work, and the next start does it
 * again. */
static void server_drop_sessions(void *data)
{
    struct server *s = data;
    app_drop_sessions(&s->app);
    instances_remove_self(&s->app.instances, server_close_parts, s);
}

static void server_net_closed(void *data)
{
    struct server *s = data;
    s->app.net = NULL; /* gone; answers of the store that are still to come find none */
    if (s->ending > 1 || s->app.instances.was_left) { /* the hand-over sees to the sessions */
        server_close_parts(s);
        return;
    }
    table_foreach(slot, &s->app.live)
    {
        struct live *l = slot->value;
        runner_cancel_all(l);
    }
    journal_drain(&s->app.journal, server_drop_sessions, s);
}

/* The files are small and local: reading them does not hold the loop up. */
static void server_read_keys(uv_signal_t *h, int signum)
{
    struct server *s = h->data;
    const struct config *c = &s->app.config;
    (void)signum;
    for (unsigned i = 0; i < c->provider_count && !s->app.stopping; i++) {
        struct errbuf e = {""};
        if (!c->providers[i].api_key_file)
            continue;
        char *key = config_key_read(c->providers[i].api_key_file, &e);
        if (key && llm_set_key(s->app.llm, i, key, &e) == 0)
            log_info("serve", "the key of provider %s was read again", c->providers[i].id);
        else
            log_error("serve", "provider %s keeps its key: %s", c->providers[i].id, e.text);
        if (key)
            explicit_bzero(key, strlen(key));
        free(key);
    }
    if (c->tls_cert && !s->app.stopping) {
        struct errbuf e = {""};
        if (net_server_reload_tls(s->app.net, &e) == 0)
            log_info("serve", "the certificate was read again");
        else
            log_error("serve", "the certificate stays as it was: %s", e.text);
    }
}

static void server_signal(uv_signal_t *h, int signum)
{
    struct server *s = h->data;
    if (s->app.stopping || !s->app.net) {
        log_warn("serve", s->app.stopping ? "second signal: ending at once" : "nothing was begun");
        _exit(0);
    }
    log_info("serve", "%s: shutting down", signum == SIGINT ? "SIGINT" : "SIGTERM");
    s->app.stopping = true;
    s->ending = 1;
    inbox_stop(&s->app.inbox);
    tasks_stop(&s->app.tasks);
    generate_stop(&s->app.generate);
    memory_stop(&s->app.memory);
    svc_webhooks_stop(&s->app);
    if (instances_has_company(&s->app.instances)) {
        s->ending = 2;
        handover_begin(&s->app.handover, s->app.config.drain_ms, server_close_parts, s);
    }
    net_server_close(s->app.net, SHUTDOWN_RETRY_MS, SHUTDOWN_GRACE_MS, server_net_closed, s);
}

/* ---- start ---- */

static void server_address(const struct app *a, char *out, size_t n)
{
    bool v6 = strchr(a->config.host, ':') != NULL;
    snprintf(out, n, "http%s://%s%s%s:%d", a->config.tls_cert ? "s" : "", v6 ? "[" : "",
             a->config.host, v6 ? "]" : "", net_server_port(a->net));
}

/* As the two below, it may be called when it is to end already. */
static void server_announce(struct app *a)
{
    char address[INSTANCE_NAME_MAX];
    if (a->stopping)
        return;
    server_address(a, address, sizeof(address));
    net_server_set_ready(a->net, true);
    printf("listening on %s\n", address);
    fflush(stdout);
}

static void server_recovered(struct app *a)
{
    if (a->config.examples && !a->stopping)
        examples_put(a, a->config.examples, server_announce);
    else
        server_announce(a);
}

static void server_registered(struct app *a)
{
    if (a->stopping)
        return;
    recovery_start(&a->recovery, server_recovered);
    memory_start(&a->memory);
    app_webhooks_start(a);
}

static void server_register(struct app *a)
{
    char address[INSTANCE_NAME_MAX];
    server_address(a, address, sizeof(address));
    instances_start(&a->instances, address, server_registered);
}

/* Thousands of clients and model streams want descriptors; the hard limit is the admin's word. */
static void server_raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* Without --cache: several instances over one PostgreSQL tell each other through it, and one
 * instance alone needs nobody. */
static int server_open_cache(struct app *a, struct errbuf *e)
{
    const struct config *c = &a->config;
    if (c->cache)
        return cache_redis_open(&a->cache, &a->loop, c->cache, e);
    if (c->store)
        return cache_pg_open(&a->cache, &a->loop, c->store, e);
    return cache_mem_open(&a->cache, &a->loop);
}

static int plugin_type_added(void *data, const char *plugin, const char *type, struct str schema,
                             struct errbuf *e)
{
    (void)data;
    return workflow_add_type(plugin, type, schema, e);
}

/* Before anything is read from the store: a stored workflow may use their types. */
static int server_load_plugins(struct app *a, struct errbuf *e)
{
    char *list = a->config.plugins ? str_dup(str_of(a->config.plugins)) : NULL, *rest = NULL;
    int rc = 0;
    a->plugins = plugins_create();
    for (char *file = list ? strtok_r(list, ",", &rest) : NULL; file && !rc;
         file = strtok_r(NULL, ",", &rest))
        rc = plugins_load(a->plugins, file, plugin_type_added, NULL, e);
    free(list);
    return rc;
}

static int server_open_parts(struct server *s, struct errbuf *e)
{
    struct app *a = &s->app;
    struct config *c = &a->config;
    int rc = server_load_plugins(a, e);
    if (rc)
        return rc;
    rc = c->store ? pg_store_open(&a->store, &a->loop, c->store, 0, c->migrate, e)
                  : sqlite_store_open(&a->store, &a->loop, c->data, c->migrate, e);
    if (rc)
        return rc;
    rc = server_open_cache(a, e);
    if (rc)
        return rc;
    if (a->store->v->shared) /* else nothing is elsewhere, and an idle server asks nobody */
        remote_start(&a->remote);
    app_rules_init(a);
    rc = llm_create(&a->llm, &a->loop, c->providers, c->provider_count, e);
    if (rc)
        return rc;
    rc = tools_create(&a->tools, &a->loop, &c->tools, e);
    if (rc)
        return rc;
    rc = app_webhooks_open(a, e);
    if (rc)
        return rc;
    rc = worker_pool_create(&a->workers, &a->loop, WORKER_THREADS, WORKER_THREADS_CAP);
    if (rc)
        return err_set(e, rc, "the script threads cannot be started");
    return c->jwt.issuer ? tokens_open(&a->keys.tokens, &a->loop, &c->jwt, e) : 0;
}

/* Beyond loopback nobody comes in without a key, so there has to be one. */
static int server_listen(struct app *a, struct errbuf *e)
{
    const struct config *c = &a->config;
    struct net_config net = {.host = c->host,
                             .port = c->port,
                             .origins = c->origins,
                             .version = SLUICE_VERSION,
                             .rate_limit = c->rate_limit,
                             .tls_cert = c->tls_cert,
                             .tls_key = c->tls_key,
                             .behind_proxy = c->behind_proxy};
    if (!config_is_loopback(c->host) && !keys_demanded(&a->keys))
        return err_set(e, ERR_INVALID,
                       "--listen %s: refused beyond loopback, for there is no key yet; make one "
                       "(sluice key create --name NAME --role admin %s %s), or say --auth required",
                       c->listen, c->store ? "--store" : "--data", c->store ? "URL" : c->data);
    if (!config_is_loopback(c->host) && !c->tls_cert && !c->behind_proxy)
        log_warn("serve",
                 "--listen %s without TLS: keys and sessions can be read on the way; see "
                 "--tls-cert, or --behind-proxy",
                 c->listen);
    return net_server_open(&a->net, &a->loop, &net, &a->service, a->log, e);
}

/* Who may come in is known: listen. */
static void server_keys_read(struct app *a)
{
    struct server *s = container_of(a, struct server, app);
    struct errbuf e = {""};
    if (server_listen(a, &e) == 0) {
        server_register(a);
        return;
    }
    fprintf(stderr, "sluice serve: %s\n", e.text);
    s->refused = true;
    uv_stop(&a->loop);
}

/* Only where it means something: a server that was started in a terminal ends with it. */
static void server_listen_hangup(struct server *s)
{
    const struct config *c = &s->app.config;
    bool files = c->tls_cert != NULL;
    for (unsigned i = 0; i < c->provider_count; i++)
        files = files || c->providers[i].api_key_file;
    if (files)
        uv_signal_start(&s->signals[2], server_read_keys, SIGHUP);
}

static void server_init(struct server *s)
{
    app_init(&s->app);
    for (int i = 0; i < 3; i++) {
        uv_signal_init(&s->app.loop, &s->signals[i]);
        s->signals[i].data = s;
    }
    uv_signal_start(&s->signals[0], server_signal, SIGTERM);
    uv_signal_start(&s->signals[1], server_signal, SIGINT);
}

static void serve_print(const struct config *c)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    config_print(c, &out);
    fputs(out.data, stdout);
    buf_deinit(&out);
}

int serve_main(int argc, char **argv)
{
    struct server *s = mem_zalloc(sizeof(*s));
    struct errbuf e = {""};
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            struct buf out;
            buf_init(&out, 1u << 20);
            config_usage(&out);
            fputs(out.data, stdout);
            buf_deinit(&out);
            free(s);
            return 0;
        }
    int rc = config_load(&s->app.config, argc, argv, &e);
    if (rc)
        fprintf(stderr, "sluice serve: %s\n", e.text);
    else if (s->app.config.print)
        serve_print(&s->app.config);
    if (rc || s->app.config.print) {
        config_deinit(&s->app.config);
        free(s);
        return rc ? 2 : 0;
    }
    log_configure(s->app.config.log_level, s->app.config.log_json);
    server_raise_limits();
    server_init(s);
    if (server_open_parts(s, &e)) {
        fprintf(stderr, "sluice serve: %s\n", e.text);
        return 1; /* nothing was begun: the system takes back what is open */
    }
    server_listen_hangup(s);
    keys_start(&s->app.keys, s->app.config.auth_mode, server_keys_read);
    uv_run(&s->app.loop, UV_RUN_DEFAULT);
    if (s->refused)
        return 1; /* as above */
    int code = s->exit_code;
    plugins_destroy(s->app.plugins);
    app_deinit(&s->app);
    config_deinit(&s->app.config);
    free(s);
    return code;
}
