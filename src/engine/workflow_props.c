#include "engine/workflow_private.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define ACTIONS_MAX  PROP_NAMES_MAX
#define MESSAGES_MAX PROP_MESSAGES_MAX

/* ---- values of one type ---- */

static void word_check(struct wf_parse *p, const struct prop_def *def, struct json v)
{
    if (!want_type(p, v, JSON_STRING, def->name, "text"))
        return;
    struct str word = text_of(p, v);
    char known[256] = "";
    struct suggestion s;
    suggest_init(&s, word);
    for (const char *const *w = def->words; *w; w++) {
        if (str_eqz(word, *w))
            return;
        suggest_offer(&s, str_of(*w));
        size_t n = strlen(known);
        snprintf(known + n, sizeof(known) - n, "%s\"%s\"", n ? ", " : "", *w);
    }
    issue_error(p, v.p, "out_of_range", "%s must be one of %s, not \"%.*s\"%s", def->name, known,
                STR_FMT(shown(word)), suggest_text(p, &s));
}

void name_check(struct wf_parse *p, struct json v, const char *name)
{
    /* Of the raw text: a name is written without escapes. */
    if (want_type(p, v, JSON_STRING, name, "text") &&
        !name_is_valid((struct str){v.p + 1, v.n - 2}))
        issue_error(p, v.p, "bad_id", "%s must be 1 to %d letters, digits, '_', '.' or '-'", name,
                    NAME_BYTES_MAX);
}

static void names_check(struct wf_parse *p, const struct prop_def *def, struct json v)
{
    if (!want_type(p, v, JSON_ARRAY, def->name, "an array of names"))
        return;
    size_t count = json_length(v);
    if (count < 1 || count > ACTIONS_MAX) {
        issue_error(p, v.p, "out_of_range", "%s must have 1 to %d names, not %zu", def->name,
                    ACTIONS_MAX, count);
        return;
    }
    struct json seen[ACTIONS_MAX];
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = path_push(p, "[%zu]", it.index);
        name_check(p, it.value, "a name");
        seen[it.index] = it.value;
        for (size_t i = 0; i < it.index; i++)
            if (json_eq(seen[i], it.value))
                issue_error(p, it.value.p, "duplicate", "the same name stands in %s twice",
                            def->name);
        path_pop(p, mark);
    }
}

/* Expressions anywhere in an object or array. Depth is bounded by json_check(), so this may
 * recurse; the graph may not. */
static void expressions_check(struct wf_parse *p, struct json v, const char *name)
{
    struct json_iter it;
    switch (json_type(v)) {
    case JSON_STRING:
        check_expression(p, v, false, name);
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        json_iter_init(&it, v);
        while (json_iter_next(&it)) {
            size_t mark = json_type(v) == JSON_OBJECT ? path_push_key(p, key_of(p, &it))
                                                      : path_push(p, "[%zu]", it.index);
            expressions_check(p, it.value, name);
            path_pop(p, mark);
        }
        break;
    case JSON_NONE:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_NUMBER:
        break;
    }
}

void agent_check(struct wf_parse *p, struct json v)
{
    static const char *const names[] = {"name", "persona", "provider", "model"};
    struct json f[4];
    if (!want_type(p, v, JSON_OBJECT, "agent", "an object of name and persona"))
        return;
    fields_read(p, v, names, 4, "field of an agent", f);
    for (size_t i = 0; i < 4; i++) {
        size_t mark = path_push_key(p, str_of(names[i]));
        if (json_exists(f[i]) && i == 1)
            check_expression(p, f[i], true, names[i]);
        else if (json_exists(f[i]) && i == 2)
            name_check(p, f[i], names[i]);
        else if (json_exists(f[i]) && i == 3)
            models_check(p, f[i]);
        else if (json_exists(f[i]))
            want_type(p, f[i], JSON_STRING, names[i], "text");
        path_pop(p, mark);
    }
}

/* How much of what is remembered goes into a prompt. */
void memory_check(struct wf_parse *p, struct json v)
{
    static const char *const names[] = {"group_results", "agent_results"};
    struct json f[2];
    bool on;
    if (json_bool(v, &on) && !on)
        return;
    if (json_type(v) != JSON_OBJECT) {
        issue_error(p, v.p, "wrong_type",
                    "memory must be false, or an object of group_results and agent_results");
        return;
    }
    fields_read(p, v, names, 2, "field of memory", f);
    for (size_t i = 0; i < 2; i++) {
        size_t mark = path_push_key(p, str_of(names[i]));
        if (json_exists(f[i]))
            want_number(p, f[i], true, 0, PROP_MEMORIES_MAX, names[i], &(double){0});
        path_pop(p, mark);
    }
}

static void message_check(struct wf_parse *p, struct json v)
{
    static const char *const names[] = {"role", "content"};
    static const char *const roles[] = {"system", "user", "assistant", NULL};
    static const struct prop_def role = {.name = "role", .type = PROP_WORD, .words = roles};
    struct json f[2];
    if (!want_type(p, v, JSON_OBJECT, "a message", "an object"))
        return;
    fields_read(p, v, names, 2, "field of a message", f);
    for (size_t i = 0; i < 2; i++) {
        size_t mark = path_push_key(p, str_of(names[i]));
        if (!json_exists(f[i]))
            issue_error(p, v.p, "missing", "a message needs %s", names[i]);
        else if (i == 0)
            word_check(p, &role, f[i]);
        else
            check_expression(p, f[i], true, names[i]);
        path_pop(p, mark);
    }
}

static void messages_check(struct wf_parse *p, struct json v)
{
    if (!want_type(p, v, JSON_ARRAY, "messages", "an array of {role, content}"))
        return;
    size_t count = json_length(v);
    if (count < 1 || count > MESSAGES_MAX) {
        issue_error(p, v.p, "out_of_range", "messages must have 1 to %d elements, not %zu",
                    MESSAGES_MAX, count);
        return;
    }
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = path_push(p, "[%zu]", it.index);
        message_check(p, it.value);
        path_pop(p, mark);
    }
}

static void case_check(struct wf_parse *p, struct json v, unsigned ordinal)
{
    static const char *const names[] = {"when", "to"};
    struct json f[2];
    if (!want_type(p, v, JSON_OBJECT, "a case", "an object")) {
        p->edges_whole = false;
        return;
    }
    fields_read(p, v, names, 2, "field of a case", f);
    for (size_t i = 0; i < 2; i++) {
        size_t mark = path_push_key(p, str_of(names[i]));
        if (!json_exists(f[i])) {
            issue_error(p, v.p, "missing", "a case needs %s", names[i]);
            p->edges_whole = p->edges_whole && i == 0;
        } else if (i == 0) {
            check_expression(p, f[i], false, names[i]);
        } else {
            edge_add(p, EDGE_CASE, f[i], STR_NULL, ordinal);
        }
        path_pop(p, mark);
    }
}

static void cases_check(struct wf_parse *p, struct json v)
{
    if (!want_type(p, v, JSON_ARRAY, "cases", "an array of {when, to}")) {
        p->edges_whole = false;
        return;
    }
    if (json_length(v) < 1 || json_length(v) > WORKFLOW_NODES_MAX) {
        issue_error(p, v.p, "out_of_range", "cases must have 1 to %d elements, not %zu",
                    WORKFLOW_NODES_MAX, json_length(v));
        p->edges_whole = false;
        return;
    }
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = path_push(p, "[%zu]", it.index);
        case_check(p, it.value, (unsigned)it.index);
        path_pop(p, mark);
    }
}

static void time_check(struct wf_parse *p, const struct prop_def *def, struct json v)
{
    int64_t ms;
    if (!want_type(p, v, JSON_STRING, def->name, "a time (RFC 3339) or a template"))
        return;
    struct str text = text_of(p, v);
    if (memmem(text.p, text.n, "{{", 2))
        check_expression(p, v, true, def->name);
    else if (!clock_parse_rfc3339(text, &ms))
        issue_error(p, v.p, "out_of_range",
                    "%s must be a time such as 2030-01-31T09:00:00Z, not \"%.*s\"", def->name,
                    STR_FMT(shown(text)));
}

static void prop_check(struct wf_parse *p, const struct prop_def *def, struct json v)
{
    static void (*const shapes[])(struct wf_parse *, struct json) = {
        [PROP_TOOLS] = tools_check,       [PROP_AGENT] = agent_check,
        [PROP_MESSAGES] = messages_check, [PROP_MEMBERS] = members_check_list,
        [PROP_CASES] = cases_check,       [PROP_VOTERS] = voters_check,
        [PROP_MEMORY] = memory_check,     [PROP_MODEL] = models_check,
    };
    switch (def->type) {
    case PROP_STRING:
        want_type(p, v, JSON_STRING, def->name, "text");
        break;
    case PROP_BOOL:
        want_type(p, v, JSON_TRUE, def->name, "true or false");
        break;
    case PROP_CODE:
        check_code(p, v, def->name);
        break;
    case PROP_NAME:
        name_check(p, v, def->name);
        break;
    case PROP_TEMPLATE:
    case PROP_EXPR:
        check_expression(p, v, def->type == PROP_TEMPLATE, def->name);
        break;
    case PROP_TEMPLATES:
        arguments_check(p, v, def->name);
        break;
    case PROP_EXPRS:
    case PROP_EXPR_MAP:
        if (def->type == PROP_EXPRS ||
            want_type(p, v, JSON_OBJECT, def->name, "an object of names and expressions"))
            expressions_check(p, v, def->name);
        break;
    case PROP_INT:
    case PROP_NUMBER:
        want_number(p, v, def->type == PROP_INT, def->min, def->max, def->name, &(double){0});
        break;
    case PROP_WORD:
        word_check(p, def, v);
        break;
    case PROP_SCHEMA:
        check_schema(p, v, def->name);
        break;
    case PROP_NAMES:
        names_check(p, def, v);
        break;
    case PROP_TEXTS:
    case PROP_ENTRIES:
        check_entries(p, v, def->name, def->type == PROP_ENTRIES);
        break;
    case PROP_TOOLS:
    case PROP_MODEL:
    case PROP_AGENT:
    case PROP_MESSAGES:
    case PROP_MEMBERS:
    case PROP_CASES:
    case PROP_VOTERS:
    case PROP_MEMORY:
        shapes[def->type](p, v);
        break;
    case PROP_NODE:
        edge_add(p, EDGE_DEFAULT, v, STR_NULL, 0);
        break;
    case PROP_TIME:
        time_check(p, def, v);
        break;
    }
}

/* ---- what a table cannot say ---- */

static struct json prop_get(const struct wf_parse *p, const char *name)
{
    return json_get_set(p->sources[p->node].fields[NF_PROPERTIES], name);
}

static void one_of_two(struct wf_parse *p, const char *at, const char *a, const char *b, bool only)
{
    bool has_a = json_exists(prop_get(p, a)), has_b = json_exists(prop_get(p, b));
    const struct kind_def *kind = kind_def_of(p->w->nodes[p->node].kind);
    if (!has_a && !has_b)
        issue_error(p, at, "missing", "%s %s node needs properties.%s or properties.%s",
                    kind->article, kind->word, a, b);
    else if (has_a && has_b && only)
        issue_error(p, at, "duplicate", "%s %s node has either %s or %s, not both", kind->article,
                    kind->word, a, b);
}

static bool route_exists(const struct wf_parse *p, const char *label)
{
    return json_exists(json_get(p->sources[p->node].fields[NF_ROUTES], label));
}

/* Going on by one of these without a route of its own is as good as approval. */
static bool goes_as_approved(const struct wf_parse *p, struct str action)
{
    return route_exists(p, "approve") &&
           (str_eqz(action, "skip") || str_eqz(action, "modify") || str_eqz(action, "submit"));
}

static void routes_check(struct wf_parse *p)
{
    const struct node_def *n = &p->w->nodes[p->node];
    struct str actions[WORKFLOW_ACTIONS_MAX];
    unsigned count = workflow_actions(p->w, n, actions);
    for (unsigned i = 0; i < p->w->edge_count; i++) {
        const struct edge *e = &p->w->edges[i];
        if (e->from != p->node || e->kind != EDGE_ROUTE)
            continue;
        bool found =
            str_eqz(e->label, "timeout") && json_string_eq(prop_get(p, "on_timeout"), "route");
        struct suggestion s;
        suggest_init(&s, e->label);
        for (unsigned k = 0; k < count && !found; k++) {
            found = str_eq(actions[k], e->label);
            suggest_offer(&s, actions[k]);
        }
        size_t mark = path_push(p, ".routes.%.*s", STR_FMT(e->label));
        if (!found)
            issue_error(p, p->edge_at[i], "bad_route", "\"%.*s\" is no action of this review%s",
                        STR_FMT(e->label), suggest_text(p, &s));
        path_pop(p, mark);
    }
    if (json_length(p->sources[p->node].fields[NF_NEXT_IDS]) || n->owner >= 0)
        return; /* inside of a container an answer may end the item */
    for (unsigned k = 0; k < count; k++) {
        char label[NAME_BYTES_MAX + 1];
        snprintf(label, sizeof(label), "%.*s", STR_FMT(actions[k]));
        if (!route_exists(p, label) && !goes_as_approved(p, actions[k]))
            issue_warning(p, p->sources[p->node].object.p, "bad_route",
                          "the action \"%s\" leads nowhere: give it a route, or the node next_ids",
                          label);
    }
}

static void review_quorum_check(struct wf_parse *p, const char *at)
{
    static const char *const names[] = {"quorum", "reject_quorum"};
    struct json list = prop_get(p, "reviewers");
    for (size_t i = 0; i < 2; i++) {
        double wanted = 0;
        if (json_type(list) == JSON_ARRAY && json_double(prop_get(p, names[i]), &wanted) &&
            wanted > (double)json_length(list)) {
            size_t mark = path_push(p, ".properties.%s", names[i]);
            issue_error(p, at, "out_of_range", "%s is more than there are reviewers", names[i]);
            path_pop(p, mark);
        }
    }
    if (json_exists(prop_get(p, "reminders")) && !json_exists(prop_get(p, "reminder_minutes")))
        issue_warning(p, at, "no_effect", "reminders does nothing without reminder_minutes");
}

static void review_check(struct wf_parse *p, const char *at)
{
    double timeout = 0, reminder = 0;
    bool times = json_double(prop_get(p, "timeout_minutes"), &timeout);
    bool ends = times || json_exists(p->sources[p->node].fields[NF_TIMEOUT_MS]);
    json_double(prop_get(p, "reminder_minutes"), &reminder);
    if (json_string_eq(prop_get(p, "review_type"), "form") &&
        !json_exists(prop_get(p, "form_schema")))
        issue_error(p, at, "missing", "a human_review of type form needs properties.form_schema");
    if (json_exists(prop_get(p, "on_timeout")) && !ends)
        issue_warning(p, at, "no_effect", "on_timeout does nothing without timeout_minutes");
    if (json_string_eq(prop_get(p, "on_timeout"), "route") && !route_exists(p, "timeout"))
        issue_error(p, at, "missing", "on_timeout: route needs a route with the label timeout");
    review_quorum_check(p, at);
    if (times && reminder >= timeout)
        issue_warning(
            p, at, "no_effect",
            "the reminder never comes: reminder_minutes is not less than timeout_minutes");
    routes_check(p);
}

static void loop_check(struct wf_parse *p, const char *at, size_t nexts)
{
    if (nexts != 2) {
        size_t mark = path_push(p, ".next_ids");
        issue_error(p, at, "bad_edge",
                    "a loop node needs exactly two next_ids, [body, exit], not %zu", nexts);
        path_pop(p, mark);
        p->edges_whole = false;
    }
}

static void parallel_check(struct wf_parse *p, const char *at, size_t nexts)
{
    size_t mark = path_push(p, ".next_ids");
    if (nexts == 0)
        issue_error(p, at, "missing", "a parallel node needs branches in next_ids");
    else if (nexts == 1)
        issue_warning(p, at, "one_branch",
                      "a parallel node with one branch runs nothing in parallel");
    path_pop(p, mark);
    p->edges_whole = p->edges_whole && nexts;
}

/* Kinds that take no next_ids; edges that a kind must have. */
static void shape_check(struct wf_parse *p)
{
    const struct node_source *src = &p->sources[p->node];
    enum node_kind k = p->w->nodes[p->node].kind;
    const struct kind_def *kind = kind_def_of(k);
    struct json next = src->fields[NF_NEXT_IDS];
    size_t nexts = json_type(next) == JSON_ARRAY ? json_length(next) : 0;
    const char *at = nexts ? next.p : src->object.p;
    if (nexts && !kind->takes_next) {
        size_t mark = path_push(p, ".next_ids");
        issue_error(p, at, "bad_edge", "%s %s node takes no next_ids%s", kind->article, kind->word,
                    k == KIND_SWITCH ? ": it goes where its cases say" : "");
        path_pop(p, mark);
    }
    bool is_readable = !json_exists(next) || json_type(next) == JSON_ARRAY;
    if (k == KIND_LOOP && is_readable)
        loop_check(p, at, nexts);
    if (k == KIND_PARALLEL && is_readable)
        parallel_check(p, at, nexts);
    struct json on_error = src->fields[NF_ON_ERROR];
    if (k == KIND_END && json_type(on_error) == JSON_STRING && !json_string_eq(on_error, "fail") &&
        !json_string_eq(on_error, "continue")) {
        size_t mark = path_push(p, ".on_error");
        issue_error(p, on_error.p, "bad_edge", "an end node leads nowhere, on an error neither");
        path_pop(p, mark);
    }
}

static void persona_check(struct wf_parse *p, const char *at)
{
    if (!json_exists(prop_get(p, "persona")) &&
        !json_exists(json_get_set(prop_get(p, "agent"), "persona")) &&
        !json_exists(prop_get(p, "agent_id")))
        issue_error(p, at, "missing",
                    "an agent node needs properties.persona, or the agent_id of a stored agent");
}

static void scores_check(struct wf_parse *p, const char *at)
{
    static const char *const names[] = {"exit_on_score", "regression_delta", "stagnation_rounds"};
    for (size_t i = 0; i < 3 && !json_exists(prop_get(p, "score")); i++)
        if (json_exists(prop_get(p, names[i])))
            issue_warning(p, at, "no_effect", "%s does nothing without score", names[i]);
    if (json_exists(prop_get(p, "rollback")) && !json_exists(prop_get(p, "regression_delta")))
        issue_warning(p, at, "no_effect", "rollback does nothing without regression_delta");
}

static void kind_check(struct wf_parse *p)
{
    const struct node_source *src = &p->sources[p->node];
    struct json props = src->fields[NF_PROPERTIES];
    const char *at = json_exists(props) ? props.p : src->object.p;
    shape_check(p);
    size_t mark = path_push(p, ".properties");
    enum node_kind k = p->w->nodes[p->node].kind;
    const struct kind_def *kind = kind_def_of(k);
    if (kind->either[0])
        one_of_two(p, at, kind->either[0], kind->either[1], kind->either_only);
    if (k == KIND_AGENT)
        persona_check(p, at);
    if (k == KIND_LOOP)
        scores_check(p, at);
    if (k == KIND_TOOL)
        tool_check(p, props, at);
    if (k == KIND_VOTE)
        vote_check(p, props, at);
    if (k == KIND_STAGE)
        check_depends(p, prop_get(p, "depends_on"));
    if (k == KIND_SWITCH && !json_exists(prop_get(p, "default")))
        issue_warning(p, at, "no_default", "without a default the switch fails when no case holds");
    path_pop(p, mark);
    if (kind->outcomes[0])
        outcomes_check(p, at);
    if (k == KIND_HUMAN_REVIEW)
        review_check(p, at);
}

void check_properties(struct wf_parse *p)
{
    const struct node_source *src = &p->sources[p->node];
    struct node_def *n = &p->w->nodes[p->node];
    struct json v = src->fields[NF_PROPERTIES];
    size_t mark = path_push(p, ".properties");
    bool is_object = !json_exists(v) || want_type(p, v, JSON_OBJECT, "properties", "an object");
    if (!src->known_kind || !is_object) {
        path_pop(p, mark);
        p->edges_whole = false;
        return;
    }
    n->properties = v;
    if (n->kind == KIND_PLUGIN) {
        check_plugin(p);
        path_pop(p, mark);
        return;
    }
    const struct kind_def *kind = kind_def_of(n->kind);
    const char *names[PROPS_MAX];
    struct json values[PROPS_MAX];
    for (unsigned i = 0; i < kind->prop_count; i++)
        names[i] = kind->props[i].name;
    fields_read(p, v, names, kind->prop_count, "property", values);
    for (unsigned i = 0; i < kind->prop_count; i++) {
        const struct prop_def *def = &kind->props[i];
        size_t inner = path_push_key(p, str_of(def->name));
        if (json_exists(values[i]))
            prop_check(p, def, values[i]);
        else if (def->required)
            issue_error(p, json_exists(v) ? v.p : src->object.p, "missing",
                        "%s %s node needs properties.%s", kind->article, kind->word, def->name);
        path_pop(p, inner);
    }
    path_pop(p, mark);
    kind_check(p);
}
