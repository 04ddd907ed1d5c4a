/* Native plugins for Sluice: new node types, written in C or in anything that can export a C
 * function.
 *
 * A plugin is a shared object that exports sluice_plugin(). The server loads it with
 * `sluice serve --plugin FILE`; its node types can then be used in workflows as
 * `type: <name>`, with properties that hold to the type's own JSON Schema. A plugin links against
 * nothing of Sluice: all that it may call comes with the run, as function pointers.
 *
 *     server                                   plugin
 *       │ sluice_plugin(SLUICE_PLUGIN_ABI) ────> descriptor, or NULL: "not for me"
 *       │ open() ──────────────────────────────> once, at start
 *       │ run(node) ───────────────────────────> on a worker thread, several at once
 *       │     <── node->api->checkpoint, emit, log, save, output, fail
 *       │ close() ─────────────────────────────> once, at the end
 *
 * What a plugin promises, and what the server does when it breaks that (always naming the plugin):
 *
 * - run() calls checkpoint() or emit() at least once a second while it works. They block while the
 *   session is paused and return non-zero when the run is to end; run() then returns soon. One that
 *   has not looked for 5 seconds is reported; when the node's time is over as well (timeout_ms,
 * else 60 seconds) the node fails with `timeout` and the thread is written off.
 * - Text is UTF-8, output and saved values are JSON. Otherwise the node fails with `plugin_error`.
 * - What it takes by alloc() it gives back by free() before run() returns. What is left over is
 *   reported and freed.
 * - It does not crash: native code runs inside the server. The last words of a server that dies in
 *   a plugin name it. Nothing durable is lost by that; the run is begun again at the next start.
 *
 * Versions. SLUICE_PLUGIN_ABI rises when a member changes its meaning; members are only ever added
 * at the end of a struct, and `size` says how many are there. A plugin may use members beyond those
 * of ABI 1 only when `size` covers them.
 *
 * Ownership: strings that are handed over, in either direction, belong to who made them. The server
 * copies what it is given before a function returns; what it gives lives until run() has returned.
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_PLUGIN_ABI 1

struct sluice_node;

enum sluice_level { SLUICE_DEBUG, SLUICE_INFO, SLUICE_WARN, SLUICE_ERROR };

/* What a run may call, on its own thread only, with the node that it was given. */
struct sluice_node_api {
    uint32_t size; /* of this struct */

    /* 0: go on. Blocks while the session is paused. Non-zero: return now; the run was cancelled or
     * its time is over, and what it does from here on is not wanted. */
    int (*checkpoint)(struct sluice_node *node);
    /* Text that people see at once, as part of one growing message of this run. Goes through the
     * gate first and answers as checkpoint(). At most 64 KiB at once. */
    int (*emit)(struct sluice_node *node, const char *utf8, size_t bytes);
    /* The same, as thinking: shown apart from the message. */
    int (*emit_thinking)(struct sluice_node *node, const char *utf8, size_t bytes);
    /* A line for the session's log. */
    void (*log)(struct sluice_node *node, enum sluice_level level, const char *utf8);
    /* Keeps a JSON value, at most 256 KiB: should the server be restarted in the middle, the next
     * run of this node finds it in node->saved. Non-zero: refused (no JSON, too large). */
    int (*save)(struct sluice_node *node, const char *json, size_t bytes);
    /* The node's output: a JSON value of at most 4 MiB. The last call counts; without one the
     * output is null. Non-zero: refused. */
    int (*output)(struct sluice_node *node, const char *json, size_t bytes);
    /* Why the run fails: a code ([a-z0-9_]{1,64}) and a sentence; run() then returns non-zero. */
    void (*fail)(struct sluice_node *node, const char *code, const char *message);
    /* Memory that is counted for the run. */
    void *(*alloc)(struct sluice_node *node, size_t bytes);
    void (*free)(struct sluice_node *node, void *memory); /* NULL is fine */
};

/* One run of one node. */
struct sluice_node {
    uint32_t size; /* of this struct */
    const struct sluice_node_api *api;
    const char *type;       /* as registered */
    const char *node_id;    /* in the workflow */
    const char *session_id; /* UUID */
    const char *key;        /* the same for every attempt of one iteration: an idempotency key */
    /* JSON, NUL-terminated */
    const char *properties; /* as in the workflow, `{{ }}` in texts filled in */
    const char *input;      /* of the session */
    const char *saved;      /* what an earlier run had saved, or NULL */
    void *user;             /* the plugin's own */
};

struct sluice_node_type {
    const char *type;        /* [A-Za-z0-9_-]+.[A-Za-z0-9_.-]+, e.g. "acme.reverse" */
    const char *description; /* one sentence */
    const char *schema;      /* JSON Schema of the properties, or NULL: any object */
    /* 0: done. Anything else: failed, as fail() said. May be called on several threads at once. */
    int (*run)(struct sluice_node *node);
};

struct sluice_plugin {
    uint32_t abi;  /* SLUICE_PLUGIN_ABI that it was compiled with */
    uint32_t size; /* sizeof(struct sluice_plugin) */
    const char *name, *version;
    const struct sluice_node_type *types;
    size_t type_count;
    int (*open)(void);   /* or NULL; non-zero: the server does not start */
    void (*close)(void); /* or NULL */
};

/* The one symbol that a plugin exports. `abi` is what the server speaks; NULL when the plugin
 * cannot do with that. The descriptor stays valid for ever. */
const struct sluice_plugin *sluice_plugin(uint32_t abi);

#ifdef __cplusplus
}
#endif

#endif
