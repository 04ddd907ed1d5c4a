#include <stdio.h>
#include <string.h>

#include "engine/staged_private.h"
#include "engine/workflow_private.h"

/* The workflow that a staged file stands for.
 *
 *     stage ── one way, or several without a condition ──> next_ids
 *     stage ──> <stage>_next (switch): a case for each condition; otherwise
 *                 ──> the way without one; several: <stage>_all (parallel); none: the end
 *                 ──> <stage>_decide (human_review) where people have a say: an action each way */

#define OPTIONS_MAX PROP_NAMES_MAX

struct native {
    struct staged_file *f;
    struct jw w;
    struct str start, end;
    struct str *extra; /* ids of nodes that are no stages, and which stage each is of */
    unsigned *extra_of;
    unsigned extra_count;
};

static bool id_is_free(const struct native *n, struct str id)
{
    for (unsigned i = 0; i < n->f->stage_count; i++)
        if (str_eq(n->f->stages[i].id, id))
            return false;
    for (unsigned i = 0; i < n->extra_count; i++)
        if (str_eq(n->extra[i], id))
            return false;
    return true;
}

/* An id that nothing has: <base><suffix>, else with a number. */
static struct str id_take(struct native *n, struct str base, const char *suffix, unsigned stage)
{
    char text[NAME_BYTES_MAX + 24];
    int room = NAME_BYTES_MAX - 6 - (int)strlen(suffix);
    int len = snprintf(text, sizeof(text), "%.*s%s", base.n > (size_t)room ? room : (int)base.n,
                       base.p, suffix);
    struct str id = {text, (size_t)len};
    for (unsigned i = 2; !id_is_free(n, id); i++) {
        int more = snprintf(text + len, sizeof(text) - (size_t)len, "_%u", i);
        id.n = (size_t)(len + more);
    }
    id = staged_copy(n->f, id);
    n->extra[n->extra_count] = id;
    n->extra_of[n->extra_count++] = stage;
    return id;
}

static struct str target(const struct native *n, const struct staged_transition *t)
{
    return t->to == STAGED_TO_END ? n->end : n->f->stages[t->to].id;
}

/* The next way of that kind from a stage, beginning behind `after` (NULL: the first). Those to a
 * node that came before are left out. */
static const struct staged_transition *way_next(const struct native *n, unsigned stage,
                                                enum staged_way way,
                                                const struct staged_transition *after)
{
    const struct staged_file *f = n->f;
    for (unsigned i = after ? (unsigned)(after - f->ways) + 1 : 0; i < f->way_count; i++) {
        const struct staged_transition *t = &f->ways[i];
        bool again = false;
        if (!way_counts(t) || t->from != stage || t->way != way)
            continue;
        for (unsigned k = 0; k < i && way != WAY_WHEN; k++)
            again = again || (way_counts(&f->ways[k]) && f->ways[k].from == stage &&
                              f->ways[k].way == way && f->ways[k].to == t->to);
        if (!again)
            return t;
    }
    return NULL;
}

static unsigned ways_distinct(const struct native *n, unsigned stage, enum staged_way way)
{
    const struct staged_transition *t = NULL;
    unsigned count = 0;
    while ((t = way_next(n, stage, way, t)))
        count++;
    return count;
}

/* ---- nodes ---- */

static void node_begin(struct native *n, struct str id, const char *type)
{
    jw_key_str(&n->w, id);
    jw_object(&n->w);
    jw_kv_stringz(&n->w, "type", type);
}

static void next_write(struct native *n, struct str id)
{
    jw_key(&n->w, "next_ids");
    jw_array(&n->w);
    jw_string(&n->w, id);
    jw_end(&n->w);
}

static void always_write(struct native *n, unsigned stage)
{
    const struct staged_transition *t = NULL;
    jw_key(&n->w, "next_ids");
    jw_array(&n->w);
    while ((t = way_next(n, stage, WAY_ALWAYS, t)))
        jw_string(&n->w, target(n, t));
    if (!ways_distinct(n, stage, WAY_ALWAYS))
        jw_string(&n->w, n->end);
    jw_end(&n->w);
}

static void entries_write(struct native *n, const char *key, const struct staged_entries *list)
{
    if (!list->count)
        return;
    jw_key(&n->w, key);
    jw_array(&n->w);
    for (unsigned i = 0; i < list->count; i++) {
        if (list->items[i].required) {
            jw_string(&n->w, list->items[i].name);
            continue;
        }
        jw_object(&n->w);
        jw_kv_string(&n->w, "name", list->items[i].name);
        jw_kv_bool(&n->w, "required", false);
        jw_end(&n->w);
    }
    jw_end(&n->w);
}

static void condition_write(struct native *n, const struct staged_stage *s)
{
    struct buf b;
    buf_init(&b, STAGED_BYTES_MAX);
    for (unsigned i = 0; i < s->conditions_count; i++)
        buf_printf(&b, s->conditions_count > 1 ? "%s(%.*s)" : "%s%.*s", i ? " and " : "",
                   STR_FMT(s->conditions[i]));
    if (b.len)
        jw_kv_string(&n->w, "condition", buf_str(&b));
    buf_deinit(&b);
}

static void stage_properties(struct native *n, const struct staged_stage *s)
{
    struct jw *w = &n->w;
    jw_key(w, "properties");
    jw_object(w);
    if (s->description.n)
        jw_kv_string(w, "description", s->description);
    entries_write(n, "checklist", &s->checklist);
    entries_write(n, "deliverables", &s->deliverables);
    if (s->depends_count) {
        jw_key(w, "depends_on");
        jw_array(w);
        for (unsigned i = 0; i < s->depends_count; i++)
            jw_string(w, s->depends[i]);
        jw_end(w);
    }
    condition_write(n, s);
    if (s->minutes.p)
        jw_kv_raw(w, "estimated_minutes", s->minutes);
    if (s->weight.p)
        jw_kv_raw(w, "weight", s->weight);
    jw_kv_double(w, "order", s->order);
    if (s->no_skip)
        jw_kv_bool(w, "allow_skip", false);
    jw_end(w);
}

/* ---- decisions ---- */

/* For a template: what people wrote is no expression. */
static void plain_append(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        buf_append_char(b, s.p[i]);
        if (s.p[i] == '{' && i + 1 < s.n && s.p[i + 1] == '{')
            buf_append_char(b, ' ');
    }
}

struct option {
    struct str action;
    const struct staged_transition *t;
};

/* `timeout` is what happens when nobody answers, and is never offered. */
static struct str action_of(struct native *n, const struct staged_transition *t)
{
    if (t->to == STAGED_TO_END)
        return n->end;
    struct str id = n->f->stages[t->to].id;
    return str_eqz(id, "timeout") ? STR("to_timeout") : id;
}

static unsigned options_find(struct native *n, unsigned stage, struct option *out)
{
    static const enum staged_way kinds[] = {WAY_PEOPLE, WAY_ALWAYS};
    unsigned count = 0;
    for (size_t k = 0; k < 2; k++) {
        const struct staged_transition *t = NULL;
        while ((t = way_next(n, stage, kinds[k], t)) && count < OPTIONS_MAX) {
            bool again = false;
            for (unsigned i = 0; i < count; i++)
                again = again || out[i].t->to == t->to;
            if (!again)
                out[count++] = (struct option){action_of(n, t), t};
        }
    }
    return count;
}

static void prompt_write(struct native *n, unsigned stage, const struct option *options,
                         unsigned count)
{
    struct buf b;
    buf_init(&b, STAGED_BYTES_MAX);
    buf_append_z(&b, "What comes after ");
    plain_append(&b, n->f->stages[stage].name);
    buf_append_z(&b, "?");
    for (unsigned i = 0; i < count; i++) {
        const struct staged_transition *t = options[i].t;
        buf_append_z(&b, "\n- ");
        buf_append_str(&b, options[i].action);
        buf_append_z(&b, ": ");
        if (t->label.n)
            plain_append(&b, t->label);
        else
            plain_append(&b, t->to < 0 ? STR("the end") : n->f->stages[t->to].name);
    }
    jw_kv_string(&n->w, "prompt", buf_str(&b));
    buf_deinit(&b);
}

static void decide_write(struct native *n, unsigned stage, struct str id)
{
    struct option *options = arena_calloc(&n->f->r->arena, OPTIONS_MAX, sizeof(*options));
    unsigned count = options_find(n, stage, options);
    struct jw *w = &n->w;
    node_begin(n, id, "human_review");
    jw_key(w, "properties");
    jw_object(w);
    prompt_write(n, stage, options, count);
    jw_key(w, "actions");
    jw_array(w);
    for (unsigned i = 0; i < count; i++)
        jw_string(w, options[i].action);
    jw_end(w);
    jw_end(w);
    jw_key(w, "routes");
    jw_object(w);
    for (unsigned i = 0; i < count; i++) {
        jw_key_str(w, options[i].action);
        jw_string(w, target(n, options[i].t));
    }
    jw_end(w);
    jw_end(w);
}

static void switch_write(struct native *n, unsigned stage, struct str id, struct str otherwise)
{
    const struct staged_transition *t = NULL;
    struct jw *w = &n->w;
    node_begin(n, id, "switch");
    jw_key(w, "properties");
    jw_object(w);
    jw_key(w, "cases");
    jw_array(w);
    while ((t = way_next(n, stage, WAY_WHEN, t))) {
        jw_object(w);
        jw_kv_string(w, "when", t->code);
        jw_kv_string(w, "to", target(n, t));
        jw_end(w);
    }
    jw_end(w);
    jw_kv_string(w, "default", otherwise);
    jw_end(w);
    jw_end(w);
}

/* The stage's node, and the nodes that decide behind it. */
static void stage_write_native(struct native *n, unsigned at)
{
    const struct staged_stage *s = &n->f->stages[at];
    bool by_code = ways_distinct(n, at, WAY_WHEN) > 0,
         by_people = ways_distinct(n, at, WAY_PEOPLE) > 0;
    unsigned plain = ways_distinct(n, at, WAY_ALWAYS);
    struct str decide = by_people ? id_take(n, s->id, "_decide", at) : STR_NULL;
    struct str turn = by_code ? id_take(n, s->id, "_next", at) : STR_NULL;
    struct str all = by_code && !by_people && plain > 1 ? id_take(n, s->id, "_all", at) : STR_NULL;
    node_begin(n, s->id, "stage");
    jw_kv_string(&n->w, "name", s->name);
    stage_properties(n, s);
    if (by_code || by_people)
        next_write(n, by_code ? turn : decide);
    else
        always_write(n, at);
    jw_end(&n->w);
    if (by_code) {
        const struct staged_transition *only = way_next(n, at, WAY_ALWAYS, NULL);
        switch_write(n, at, turn,
                     by_people ? decide
                     : all.p   ? all
                     : only    ? target(n, only)
                               : n->end);
    }
    if (by_people)
        decide_write(n, at, decide);
    if (all.p) {
        node_begin(n, all, "parallel");
        always_write(n, at);
        jw_end(&n->w);
    }
}

static void metadata_write(struct native *n)
{
    struct staged_file *f = n->f;
    struct jw *w = &n->w;
    jw_key(w, "metadata");
    jw_object(w);
    jw_kv_stringz(w, "format", "staged");
    if (f->version.p)
        jw_kv_raw(w, "version", f->version);
    if (f->source_rule.p)
        jw_kv_string(w, "source_rule", f->source_rule);
    jw_kv_raw(w, "staged", buf_str(&f->r->staged));
    jw_end(w);
}

/* What a workflow has, too, is passed on as it is. */
static void top_write(struct native *n)
{
    static const char *const passed[] = {"group_id", "input_schema", "vars", "breakers"};
    struct staged_file *f = n->f;
    struct jw *w = &n->w;
    if (f->id.p)
        jw_kv_string(w, "id", f->id);
    if (f->name.p)
        jw_kv_string(w, "name", f->name);
    if (f->type.p)
        jw_kv_string(w, "type", f->type);
    if (f->description.p)
        jw_kv_string(w, "description", f->description);
    jw_kv_string(w, "start_node_id", n->start);
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        if (json_exists(json_get_set(f->root, passed[i])))
            jw_kv_raw(w, passed[i], json_raw(json_get_set(f->root, passed[i])));
}

/* ---- its validator's issues, told of the staged file ---- */

static int stage_of_node(const struct native *n, struct str node_id)
{
    for (unsigned i = 0; i < n->f->stage_count; i++)
        if (str_eq(n->f->stages[i].id, node_id))
            return (int)i;
    for (unsigned i = 2; i < n->extra_count; i++) /* the first two are start and end */
        if (str_eq(n->extra[i], node_id))
            return (int)n->extra_of[i];
    return -1;
}

/* What follows "nodes.<id>." in a path, and "properties." after that. */
static struct str path_inside(struct str path, struct str node_id)
{
    static const char *const heads[] = {"nodes.", "", ".", "properties."};
    for (size_t i = 0; i < 4; i++) {
        struct str head = i == 1 ? node_id : str_of(heads[i]);
        if (path.n < head.n || memcmp(path.p, head.p, head.n) != 0)
            return i < 3 ? STR("") : path;
        path.p += head.n;
        path.n -= head.n;
    }
    return path;
}

static void issue_map(struct native *n, const struct workflow_issue *it)
{
    int stage = it->node_id.p ? stage_of_node(n, it->node_id) : -1;
    size_t mark = 0;
    staged_pop(n->f, 0);
    if (stage < 0) {
        mark = staged_push(n->f, "%.*s", STR_FMT(it->path));
    } else if (str_eq(n->f->stages[stage].id, it->node_id)) {
        struct str inside = path_inside(it->path, it->node_id);
        mark = staged_push(n->f, "stages[%u]%s%.*s", n->f->stages[stage].index, inside.n ? "." : "",
                           STR_FMT(inside));
    } else {
        mark = staged_push(n->f, "transitions");
    }
    staged_issue(n->f, it->severity[0] == 'e', "invalid", "%.*s", STR_FMT(it->message))->code =
        staged_copy(n->f, it->code);
    staged_pop(n->f, mark);
}

static void native_check(struct native *n, struct str text)
{
    const struct json_limits limits = {.bytes_max = STAGED_BYTES_MAX * 2};
    struct workflow_issues issues;
    struct workflow *wf = NULL;
    struct errbuf why = {""};
    staged_pop(n->f, 0);
    if (json_check(text, &limits, &why)) {
        staged_issue(n->f, true, "too_large", "the file is too deep or too large: %s", why.text);
        return;
    }
    workflow_issues_init(&issues);
    workflow_parse(text, n->f->vm, &wf, &issues);
    for (unsigned i = 0; i < issues.count; i++)
        issue_map(n, &issues.items[i]);
    workflow_unref(wf);
    workflow_issues_deinit(&issues);
}

void staged_native(struct staged_file *f, struct buf *out)
{
    struct native n = {.f = f};
    n.extra = arena_calloc(&f->r->arena, 2 + (size_t)f->stage_count * 3, sizeof(*n.extra));
    n.extra_of = arena_calloc(&f->r->arena, 2 + (size_t)f->stage_count * 3, sizeof(*n.extra_of));
    n.start = id_take(&n, STR("start"), "", 0);
    n.end = id_take(&n, STR("end"), "", 0);
    jw_init(&n.w, out);
    jw_object(&n.w);
    top_write(&n);
    jw_key(&n.w, "nodes");
    jw_object(&n.w);
    node_begin(&n, n.start, "start");
    next_write(&n, f->stages[f->entry].id);
    jw_end(&n.w);
    for (unsigned i = 0; i < f->stage_count; i++)
        stage_write_native(&n, f->by_order[i]);
    node_begin(&n, n.end, "end");
    jw_end(&n.w);
    jw_end(&n.w);
    metadata_write(&n);
    jw_end(&n.w);
    if (!buf_error(out))
        native_check(&n, buf_str(out));
}
