#include "tools/plugin.h"

#include <ctype.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "sluice/plugin.h"

#define PLUGIN_LEVEL_BYTES 8
#define PLUGIN_NAME_MAX    64
#define PLUGIN_DONE        1 /* what the functions answer: return now, or refused */

struct plugin {
    struct plugin *next;
    void *handle;
    const struct sluice_plugin *desc;
};

struct plugins {
    struct plugin *first;
};

/* A run on its thread. Owned by the worker: it may outlive its job. */
struct plugin_run {
    struct sluice_node node; /* first: what the plugin holds is the run */
    const struct plugin *plugin;
    const struct sluice_node_type *type;
    struct worker *worker;
    char *texts[4]; /* node_id, properties, input, saved */
    char type_name[2 * PLUGIN_NAME_MAX];
    char session[ID_TEXT_BYTES + 1], key[ID_TEXT_BYTES + 1];
    struct list memory; /* struct plugin_memory */
    struct buf output;
    char code[65];
    struct errbuf why; /* empty: fail() was not called */
    char wrong[200];   /* the first promise it broke; empty: none */
};

struct plugin_memory {
    struct list link;
    size_t bytes;
    max_align_t data[];
};

/* ---- a crash in foreign code ---- */

static _Thread_local const struct plugin_run *plugin_running;

static const int plugin_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define PLUGIN_SIGNALS (sizeof(plugin_signals) / sizeof(plugin_signals[0]))
static struct sigaction plugin_before[PLUGIN_SIGNALS];

static void plugin_say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody is left to be told */
}

/* The last words, then whatever would have happened without us: it is set again, and the
 * instruction that failed fails again. */
static void plugin_crashed(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    const struct plugin_run *r = plugin_running;
    if (r) {
        plugin_say("sluice: plugin \"");
        plugin_say(r->plugin->desc->name);
        plugin_say("\" crashed in a node of type \"");
        plugin_say(r->type->type);
        plugin_say("\"; the server ends, and begins what ran again at its next start\n");
    }
    for (size_t i = 0; i < PLUGIN_SIGNALS; i++)
        if (plugin_signals[i] == signal_number)
            sigaction(signal_number, &plugin_before[i], NULL);
    if (info->si_code <= 0) /* it was sent, by abort() for one: nothing will fail again */
        raise(signal_number);
}

static void plugin_watch_crashes(void)
{
    struct sigaction sa = {.sa_sigaction = plugin_crashed, .sa_flags = SA_NODEFER | SA_SIGINFO};
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < PLUGIN_SIGNALS; i++)
        sigaction(plugin_signals[i], &sa, &plugin_before[i]);
}

/* ---- what a run may call ---- */

static struct plugin_run *run_of(struct sluice_node *node)
{
    return container_of(node, struct plugin_run, node);
}

static int run_breaks(struct plugin_run *r, const char *what)
{
    if (!r->wrong[0])
        snprintf(r->wrong, sizeof(r->wrong), "%s", what);
    return PLUGIN_DONE;
}

static int api_checkpoint(struct sluice_node *node)
{
    return worker_checkpoint(run_of(node)->worker) ? 0 : PLUGIN_DONE;
}

static int run_emit(struct plugin_run *r, const char *text, size_t bytes, bool is_thinking)
{
    struct str s = {text, bytes};
    if (bytes > PLUGIN_EMIT_MAX)
        return run_breaks(r, "it emitted more than 64 KiB at once");
    if (bytes && (!text || !utf8_is_valid(s)))
        return run_breaks(r, "what it emitted is not UTF-8");
    if (!bytes)
        return api_checkpoint(&r->node);
    return worker_text(r->worker, s, is_thinking) ? 0 : PLUGIN_DONE;
}

static int api_emit(struct sluice_node *node, const char *utf8, size_t bytes)
{
    return run_emit(run_of(node), utf8, bytes, false);
}

static int api_emit_thinking(struct sluice_node *node, const char *utf8, size_t bytes)
{
    return run_emit(run_of(node), utf8, bytes, true);
}

static void api_log(struct sluice_node *node, enum sluice_level level, const char *utf8)
{
    static const char *const words[] = {"debug", "info", "warn", "error"};
    struct plugin_run *r = run_of(node);
    struct str s = str_of(utf8 ? utf8 : "");
    if (!utf8_is_valid(s)) {
        run_breaks(r, "what it logged is not UTF-8");
        return;
    }
    s.n = s.n > PLUGIN_EMIT_MAX ? utf8_cut(s.p, PLUGIN_EMIT_MAX) : s.n;
    worker_log(r->worker, (unsigned)level < 4 ? words[level] : "info", s);
}

static bool run_takes_json(struct plugin_run *r, const char *json, size_t bytes, size_t bytes_max,
                           const char *what)
{
    char sentence[120];
    struct errbuf e;
    if (bytes <= bytes_max && json && json_check((struct str){json, bytes}, NULL, &e) == 0)
        return true;
    snprintf(sentence, sizeof(sentence), "%s is %s", what,
             bytes > bytes_max ? "larger than allowed" : "not JSON");
    run_breaks(r, sentence);
    return false;
}

static int api_save(struct sluice_node *node, const char *json, size_t bytes)
{
    struct plugin_run *r = run_of(node);
    if (!run_takes_json(r, json, bytes, PLUGIN_SAVE_MAX, "what it saved"))
        return PLUGIN_DONE;
    worker_save(r->worker, (struct str){json, bytes});
    return 0;
}

static int api_output(struct sluice_node *node, const char *json, size_t bytes)
{
    struct plugin_run *r = run_of(node);
    if (!run_takes_json(r, json, bytes, WORKER_OUTPUT_MAX - 1, "its output"))
        return PLUGIN_DONE;
    buf_clear(&r->output);
    buf_append(&r->output, json, bytes);
    return 0;
}

static void api_fail(struct sluice_node *node, const char *code, const char *message)
{
    struct plugin_run *r = run_of(node);
    size_t n = code ? strlen(code) : 0;
    if (!n || n >= sizeof(r->code) || strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_") != n) {
        run_breaks(r, "it failed with something that is not a code");
        code = "plugin_error";
    }
    if (!message || !utf8_is_valid(str_of(message))) {
        run_breaks(r, "the sentence of its failure is not UTF-8");
        message = "";
    }
    snprintf(r->code, sizeof(r->code), "%s", code);
    err_set(&r->why, ERR_UPSTREAM, "%.900s", message[0] ? message : "The plugin failed.");
}

static void *api_alloc(struct sluice_node *node, size_t bytes)
{
    struct plugin_memory *m = malloc(sizeof(*m) + bytes);
    if (!m)
        return NULL;
    m->bytes = bytes;
    list_append(&run_of(node)->memory, &m->link);
    return m->data;
}

static void api_free(struct sluice_node *node, void *memory)
{
    (void)node;
    if (!memory)
        return;
    struct plugin_memory *m = container_of(memory, struct plugin_memory, data);
    list_remove(&m->link);
    free(m);
}

static const struct sluice_node_api plugin_api = {
    .size = sizeof(plugin_api),
    .checkpoint = api_checkpoint,
    .emit = api_emit,
    .emit_thinking = api_emit_thinking,
    .log = api_log,
    .save = api_save,
    .output = api_output,
    .fail = api_fail,
    .alloc = api_alloc,
    .free = api_free,
};

/* ---- one run ---- */

static void run_report(struct plugin_run *r, const char *what)
{
    char text[400];
    snprintf(text, sizeof(text), "plugin \"%s\" (%s): %s", r->plugin->desc->name, r->type->type,
             what);
    log_warn("plugin", "%s", text);
    worker_log(r->worker, "warn", str_of(text));
}

static void run_free_memory(struct plugin_run *r, bool tell)
{
    size_t bytes = 0, blocks = 0;
    struct list *l;
    while ((l = list_pop(&r->memory))) {
        struct plugin_memory *m = container_of(l, struct plugin_memory, link);
        bytes += m->bytes;
        blocks++;
        free(m);
    }
    if (blocks && tell) {
        char text[120];
        snprintf(text, sizeof(text), "it left %zu bytes in %zu blocks behind", bytes, blocks);
        run_report(r, text);
    }
}

static void run_free(void *work)
{
    struct plugin_run *r = work;
    run_free_memory(r, false);
    for (size_t i = 0; i < 4; i++)
        free(r->texts[i]);
    buf_deinit(&r->output);
    free(r);
}

/* On a worker. */
static int run_run(struct worker *w, void *work, struct buf *out, struct errbuf *e)
{
    struct plugin_run *r = work;
    r->worker = w;
    plugin_running = r;
    int rc = r->type->run(&r->node);
    plugin_running = NULL;
    run_free_memory(r, true);
    if (!worker_checkpoint(w))
        return ERR_CANCELLED;
    if (r->wrong[0]) {
        run_report(r, r->wrong);
        snprintf(r->code, sizeof(r->code), "plugin_error");
        return err_set(e, ERR_UPSTREAM, "Plugin \"%s\" broke its promise: %s.",
                       r->plugin->desc->name, r->wrong);
    }
    if (rc) {
        if (!r->why.text[0])
            return err_set(e, ERR_UPSTREAM, "Plugin \"%s\" failed with %d and did not say why.",
                           r->plugin->desc->name, rc);
        *e = r->why;
        return ERR_UPSTREAM;
    }
    return buf_append_str(out, r->output.len ? buf_str(&r->output) : STR("null"));
}

static const struct sluice_node_type *type_find(const struct plugins *p, const char *type,
                                                const struct plugin **of)
{
    for (*of = p->first; *of; *of = (*of)->next)
        for (size_t i = 0; i < (*of)->desc->type_count; i++)
            if (!strcmp((*of)->desc->types[i].type, type))
                return &(*of)->desc->types[i];
    return NULL;
}

static struct plugin_run *run_create(const struct plugin *of, const struct sluice_node_type *type,
                                     const struct plugin_job *j)
{
    struct plugin_run *r = mem_zalloc(sizeof(*r));
    r->plugin = of;
    r->type = type;
    list_init(&r->memory);
    buf_init(&r->output, WORKER_OUTPUT_MAX);
    snprintf(r->code, sizeof(r->code), "plugin_error");
    snprintf(r->type_name, sizeof(r->type_name), "%s", type->type);
    id_format(j->session_id, r->session);
    id_format(j->key, r->key);
    r->texts[0] = str_dup(str_of(j->node_id));
    r->texts[1] = str_dup(j->properties.p ? j->properties : STR("{}"));
    r->texts[2] = str_dup(j->input.p ? j->input : STR("null"));
    r->texts[3] = j->saved.p ? str_dup(j->saved) : NULL;
    r->node = (struct sluice_node){.size = sizeof(r->node),
                                   .api = &plugin_api,
                                   .type = r->type_name,
                                   .node_id = r->texts[0],
                                   .session_id = r->session,
                                   .key = r->key,
                                   .properties = r->texts[1],
                                   .input = r->texts[2],
                                   .saved = r->texts[3]};
    return r;
}

int plugin_job_start(struct plugins *p, struct worker_pool *pool, struct plugin_job *j,
                     struct errbuf *e)
{
    const struct plugin *of = NULL;
    const struct sluice_node_type *type = p ? type_find(p, j->type, &of) : NULL;
    char what[160];
    if (!type)
        return err_set(e, ERR_NOT_FOUND, "No plugin that is loaded has the type \"%.100s\".",
                       j->type);
    snprintf(what, sizeof(what), "plugin \"%.60s\" (%.60s)", of->desc->name, type->type);
    j->run = run_create(of, type, j);
    j->job.what = what; /* copied by the start */
    j->job.is_foreign = true;
    j->job.run = run_run;
    j->job.work = j->run;
    j->job.work_free = run_free;
    int rc = worker_job_start(pool, &j->job);
    j->job.what = NULL;
    if (!rc)
        return 0;
    run_free(j->run);
    return err_set(e, rc, "Too many scripts and plugins wait to run.");
}

const char *plugin_job_code(const struct plugin_job *j)
{
    return j->job.status == ERR_UPSTREAM ? j->run->code : err_word(j->job.status);
}

/* ---- loading ---- */

static bool type_is_named(const char *type)
{
    const char *dot = type ? strchr(type, '.') : NULL;
    return dot && dot != type && dot[1] && name_is_valid(str_of(type));
}

static int desc_check(const struct sluice_plugin *d, const char *file, struct errbuf *e)
{
    if (!d)
        return err_set(e, ERR_INVALID, "%s: the plugin cannot do with ABI %d", file,
                       SLUICE_PLUGIN_ABI);
    if (d->abi != SLUICE_PLUGIN_ABI || d->size < sizeof(*d))
        return err_set(e, ERR_INVALID, "%s: made for ABI %u, this server has %d", file, d->abi,
                       SLUICE_PLUGIN_ABI);
    if (!d->name || !name_is_valid(str_of(d->name)) || !d->version || !d->types ||
        d->type_count < 1 || d->type_count > PLUGIN_TYPES_MAX)
        return err_set(e, ERR_INVALID, "%s: its descriptor has no name, no version or no types",
                       file);
    for (size_t i = 0; i < d->type_count; i++)
        if (!type_is_named(d->types[i].type) || !d->types[i].run)
            return err_set(e, ERR_INVALID,
                           "%s: type %zu needs a run function and a name such as \"%s.something\"",
                           file, i, d->name);
    return 0;
}

static int schema_check_text(const struct sluice_node_type *type, const char *file,
                             struct errbuf *e)
{
    struct errbuf inner;
    struct str schema = str_of(type->schema ? type->schema : "{}");
    if (json_check(schema, NULL, &inner))
        return err_set(e, ERR_INVALID, "%s: the schema of %s is not JSON: %.300s", file, type->type,
                       inner.text);
    return 0;
}

static int desc_open(const struct sluice_plugin *d, const char *file,
                     int (*added)(void *data, const char *plugin, const char *type,
                                  struct str schema, struct errbuf *e),
                     void *data, struct errbuf *e)
{
    struct errbuf inner = {{0}};
    for (size_t i = 0; i < d->type_count; i++) {
        const struct sluice_node_type *type = &d->types[i];
        int rc = schema_check_text(type, file, e);
        if (rc)
            return rc;
        rc = added(data, d->name, type->type, str_of(type->schema ? type->schema : "{}"), &inner);
        if (rc)
            return err_set(e, rc, "%s: %.400s", file, inner.text);
    }
    int rc = d->open ? d->open() : 0;
    return rc ? err_set(e, ERR_INVALID, "%s: its open() said %d", file, rc) : 0;
}

int plugins_load(struct plugins *p, const char *file,
                 int (*added)(void *data, const char *plugin, const char *type, struct str schema,
                              struct errbuf *e),
                 void *data, struct errbuf *e)
{
    const struct sluice_plugin *(*entry)(uint32_t);
    char path[4096];
    snprintf(path, sizeof(path), "%s%s", strchr(file, '/') ? "" : "./", file);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return err_set(e, ERR_INVALID, "%s: %.400s", file, dlerror());
    *(void **)&entry = dlsym(handle, "sluice_plugin");
    if (!entry) {
        dlclose(handle);
        return err_set(e, ERR_INVALID, "%s: has no function sluice_plugin", file);
    }
    const struct sluice_plugin *desc = entry(SLUICE_PLUGIN_ABI);
    int rc = desc_check(desc, file, e);
    if (!rc)
        rc = desc_open(desc, file, added, data, e);
    if (rc) {
        dlclose(handle);
        return rc;
    }
    if (!p->first)
        plugin_watch_crashes();
    struct plugin *new = mem_zalloc(sizeof(*new));
    *new = (struct plugin){.next = p->first, .handle = handle, .desc = desc};
    p->first = new;
    log_info("plugin", "%s %s: %zu node types from %s", desc->name, desc->version, desc->type_count,
             file);
    return 0;
}

struct plugins *plugins_create(void)
{
    return mem_zalloc(sizeof(struct plugins));
}

void plugins_destroy(struct plugins *p)
{
    while (p && p->first) {
        struct plugin *gone = p->first;
        p->first = gone->next;
        if (gone->desc->close)
            gone->desc->close();
        free(gone); /* its code stays mapped: a thread that was written off may be in it */
    }
    free(p);
}
