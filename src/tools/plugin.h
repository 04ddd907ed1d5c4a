/* Native plugins (include/sluice/plugin.h): loading them, and running their nodes on the workers.
 *
 * All are loaded before the loop runs and stay to the end. What a plugin does wrong is told with
 * its name: what it gives is checked, what it leaves is freed, and a signal that ends the process
 * in its code says so on standard error.
 */
#ifndef SLUICE_TOOLS_PLUGIN_H
#define SLUICE_TOOLS_PLUGIN_H

#include "base/id.h"
#include "tools/worker.h"

#define PLUGIN_TYPES_MAX 64          /* of one plugin */
#define PLUGIN_EMIT_MAX  (64u << 10) /* bytes at once */
#define PLUGIN_SAVE_MAX  (256u << 10)

struct plugins;
struct sluice_node_type;

struct plugins *plugins_create(void);
/* Loads one: ERR_INVALID with a sentence (no such file, no such symbol, another ABI, a type's name
 * or schema that is none, a type that is there already, its open() said no). `added` is told of
 * each type; name, type and schema live as long as `plugins`. */
int plugins_load(struct plugins *p, const char *file,
                 int (*added)(void *data, const char *plugin, const char *type, struct str schema,
                              struct errbuf *e),
                 void *data, struct errbuf *e);
/* Calls every close(). No job may be under way, but one that was written off: then nothing is
 * unloaded. */
void plugins_destroy(struct plugins *p);

struct plugin_job {
    /* In; copied at the start */
    const char *type, *node_id;
    struct id session_id, key;
    struct str properties, input, saved; /* JSON; saved NULL: nothing */
    /* In: timeout_ms, gate, callbacks. Out: status, error, output */
    struct worker_job job;
    /* Private */
    struct plugin_run *run;
};
/* ERR_NOT_FOUND: no such type. ERR_OVERLOAD. */
int plugin_job_start(struct plugins *p, struct worker_pool *pool, struct plugin_job *j,
                     struct errbuf *e);
/* In on_done: the code of a failed run, what the plugin said or "plugin_error" when status is
 * ERR_UPSTREAM. Valid until on_done returns. */
const char *plugin_job_code(const struct plugin_job *j);

#endif
