#include <string.h>

#include "engine/workflow_private.h"

/* ---- lists of texts ---- */

static struct json entry_name(struct wf_parse *p, struct json v, bool objects)
{
    static const char *const names[] = {"name", "required"};
    struct json f[2];
    if (!objects || json_type(v) != JSON_OBJECT)
        return v;
    fields_read(p, v, names, 2, "field", f);
    if (!json_exists(f[0]))
        issue_error(p, v.p, "missing", "an entry needs a name");
    if (json_exists(f[1]))
        want_type(p, f[1], JSON_TRUE, "required", "true or false");
    return f[0];
}

static bool text_check(struct wf_parse *p, struct json v, bool objects)
{
    const char *wanted = objects ? "text, or an object of name and required" : "text";
    if (!want_type(p, v, JSON_STRING, "an entry", wanted))
        return false;
    struct str text = text_of(p, v);
    if (text.n >= 1 && text.n <= 256)
        return true;
    issue_error(p, v.p, "out_of_range", "an entry has 1 to 256 bytes, not %zu", text.n);
    return false;
}

void check_entries(struct wf_parse *p, struct json v, const char *name, bool objects)
{
    if (!want_type(p, v, JSON_ARRAY, name, "an array"))
        return;
    size_t count = json_length(v);
    if (count < 1 || count > PROP_ENTRIES_MAX) {
        issue_error(p, v.p, "out_of_range", "%s must have 1 to %d entries, not %zu", name,
                    PROP_ENTRIES_MAX, count);
        return;
    }
    struct json seen[PROP_ENTRIES_MAX];
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = path_push(p, "[%zu]", it.index);
        struct json text = entry_name(p, it.value, objects);
        seen[it.index] = text;
        if (json_exists(text) && text_check(p, text, objects))
            for (size_t i = 0; i < it.index; i++)
                if (json_exists(seen[i]) && json_eq(seen[i], text)) {
                    issue_error(p, text.p, "duplicate", "the same stands in %s twice", name);
                    break;
                }
        path_pop(p, mark);
    }
}

/* ---- what a stage depends on ---- */

static int stage_named(struct wf_parse *p, struct json v)
{
    if (json_type(v) != JSON_STRING)
        return -1; /* told already */
    struct str id = {v.p + 1, v.n - 2};
    struct suggestion s;
    suggest_init(&s, id);
    for (unsigned i = 0; i < p->w->node_count; i++) {
        if (p->w->nodes[i].kind != KIND_STAGE ||
            p->w->nodes[i].owner != p->w->nodes[p->node].owner) /* items do not look outside */
            continue;
        if (str_eq(p->w->nodes[i].id, id))
            return (int)i;
        suggest_offer(&s, p->w->nodes[i].id);
    }
    issue_error(p, v.p, "unknown_node", "there is no stage \"%.*s\" here%s", STR_FMT(shown(id)),
                suggest_text(p, &s));
    return -1;
}

void check_depends(struct wf_parse *p, struct json v)
{
    struct json_iter it;
    size_t mark = path_push_key(p, STR("depends_on"));
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t inner = path_push(p, "[%zu]", it.index);
        int stage = stage_named(p, it.value);
        if (stage == p->node)
            issue_error(p, it.value.p, "cycle", "a stage cannot depend on itself");
        else if (stage >= 0 && p->w->nodes[stage].owner != p->w->nodes[p->node].owner)
            issue_error(p, it.value.p, "bad_member",
                        "a stage cannot depend on one on the other side of a container's border");
        path_pop(p, inner);
    }
    path_pop(p, mark);
}

/* ---- nothing waits for itself ---- */

struct depend {
    uint16_t dep, stage;
    struct json at; /* where it stands */
    size_t index;
};

struct walk {
    const struct workflow *w;
    struct depend *all; /* by dep */
    unsigned count;
    unsigned *first; /* of each node in it; one more at the end */
    bool *seen;
    uint16_t *stack;
    unsigned depth;
    int from;            /* whose walk `seen` is of */
    struct depend found; /* the first that closes a circle; at.p NULL: none */
};

static struct json depends_of(const struct node_def *n)
{
    if (n->kind != KIND_STAGE || !json_exists(n->properties))
        return JSON_ABSENT;
    return json_get_set(n->properties, "depends_on");
}

static void depends_each(struct walk *k, void (*each)(struct walk *k, const struct depend *d))
{
    for (unsigned n = 0; n < k->w->node_count; n++) {
        struct json_iter it;
        if (!node_is_own(k->w, n))
            continue; /* looked at in the graph of its container */
        json_iter_init(&it, depends_of(&k->w->nodes[n]));
        while (json_iter_next(&it)) {
            int dep = json_type(it.value) != JSON_STRING
                          ? -1
                          : workflow_find(k->w, (struct str){it.value.p + 1, it.value.n - 2});
            struct depend d = {(uint16_t)dep, (uint16_t)n, it.value, it.index};
            if (dep >= 0 && dep != (int)n && k->w->nodes[dep].kind == KIND_STAGE)
                each(k, &d);
        }
    }
}

static void depend_count(struct walk *k, const struct depend *d)
{
    k->first[d->dep + 1]++;
    k->count++;
}

static void depend_put(struct walk *k, const struct depend *d)
{
    k->all[k->first[d->dep]++] = *d;
}

/* As a counting sort; afterwards first[n] is the end of n's, so it is moved one on. */
static void depends_sort(struct wf_parse *p, struct walk *k)
{
    unsigned n = k->w->node_count;
    k->first = arena_calloc(&p->scratch, n + 2, sizeof(*k->first));
    depends_each(k, depend_count);
    for (unsigned i = 0; i < n; i++)
        k->first[i + 1] += k->first[i];
    k->all = arena_calloc(&p->scratch, k->count + 1, sizeof(*k->all));
    depends_each(k, depend_put);
    memmove(k->first + 1, k->first, n * sizeof(*k->first));
    k->first[0] = 0;
}

static void walk_add(struct walk *k, unsigned n)
{
    if (k->seen[n])
        return;
    k->seen[n] = true;
    k->stack[k->depth++] = (uint16_t)n;
}

/* What cannot begin before `from` is over: what follows it forward, the stages that depend on it,
 * and so on. */
static void walk_from(struct walk *k, unsigned from)
{
    memset(k->seen, 0, k->w->node_count);
    walk_add(k, from);
    while (k->depth) {
        unsigned n = k->stack[--k->depth];
        const struct node_def *def = &k->w->nodes[n];
        for (unsigned i = 0; i < def->out_count; i++)
            if (!k->w->edges[def->out[i]].back)
                walk_add(k, k->w->edges[def->out[i]].to);
        for (unsigned i = k->first[n]; i < k->first[n + 1]; i++)
            walk_add(k, k->all[i].stage);
    }
}

static void cycle_report(struct wf_parse *p, const struct depend *d)
{
    const struct node_def *stage = &p->w->nodes[d->stage], *dep = &p->w->nodes[d->dep];
    p->node = d->stage;
    size_t mark =
        path_push(p, "nodes.%.*s.properties.depends_on[%zu]", STR_FMT(stage->id), d->index);
    issue_error(p, d->at.p, "cycle",
                "\"%.*s\" cannot begin before this stage is done: each would wait for the other",
                STR_FMT(dep->id));
    path_pop(p, mark);
    p->node = -1;
}

static void depend_check(struct walk *k, const struct depend *d)
{
    if (k->found.at.p)
        return;
    if (k->from != d->stage) /* they come stage by stage */
        walk_from(k, d->stage);
    k->from = d->stage;
    if (k->seen[d->dep])
        k->found = *d;
}

/* The first one is told; the others are mostly the same circle. */
void check_depends_end(struct wf_parse *p)
{
    struct walk k = {.w = p->w, .from = -1};
    depends_sort(p, &k);
    if (!k.count)
        return;
    k.seen = arena_calloc(&p->scratch, p->w->node_count, sizeof(*k.seen));
    k.stack = arena_calloc(&p->scratch, p->w->node_count, sizeof(*k.stack));
    depends_each(&k, depend_check);
    if (k.found.at.p)
        cycle_report(p, &k.found);
}
