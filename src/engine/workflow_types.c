#include <stdio.h>
#include <string.h>

#include "engine/schema.h"
#include "engine/workflow_private.h"

/* Node types that plugins bring. Known before the first workflow is parsed, and never changed
 * after: so they are read without a lock. */

#define TYPES_MAX 256

static struct plugin_type types[TYPES_MAX];
static unsigned type_count;

const struct plugin_type *workflow_types(unsigned *count)
{
    *count = type_count;
    return types;
}

const struct plugin_type *plugin_type_find(struct str name)
{
    for (unsigned i = 0; i < type_count; i++)
        if (str_eqz(name, types[i].name))
            return &types[i];
    return NULL;
}

int workflow_add_type(const char *plugin, const char *name, struct str schema, struct errbuf *e)
{
    struct errbuf inner;
    struct str word = str_of(name);
    enum node_kind kind;
    if (type_count == TYPES_MAX)
        return err_set(e, ERR_OVERLOAD, "There are more than %d node types of plugins.", TYPES_MAX);
    if (plugin_type_find(word) || kind_parse(word, &kind))
        return err_set(e, ERR_CONFLICT, "There is a node type \"%s\" already.", name);
    if (json_type(json_root(schema)) != JSON_OBJECT || schema_check(json_root(schema), &inner))
        return err_set(e, ERR_INVALID, "The schema of \"%s\" is not one: %.300s", name,
                       json_type(json_root(schema)) == JSON_OBJECT ? inner.text : "no object");
    struct plugin_type *t = &types[type_count++];
    snprintf(t->name, sizeof(t->name), "%s", name);
    snprintf(t->plugin, sizeof(t->plugin), "%s", plugin);
    t->schema = json_root(schema);
    return 0;
}

/* ---- a node of such a type ---- */

/* What templates will give is only known when the node runs; then all of it is held to the schema.
 */
void check_plugin(struct wf_parse *p)
{
    struct node_def *n = &p->w->nodes[p->node];
    struct json v = json_exists(n->properties) ? n->properties : json_root(STR("{}"));
    const char *at = json_exists(n->properties) ? v.p : p->sources[p->node].object.p;
    struct errbuf e = {{0}};
    templates_check(p, v, "properties");
    if (!memmem(v.p, v.n, "{{", 2) && schema_validate(n->plugin->schema, v, &e))
        issue_error(p, at, "wrong_type", "the properties do not suit type %s: %.300s",
                    n->plugin->name, e.text);
}
