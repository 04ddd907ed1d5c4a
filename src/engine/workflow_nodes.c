#include "engine/workflow_private.h"

#include <stdlib.h>
#include <string.h>

#include "engine/schema.h"

#define YEAR_MS WAIT_MS_MAX

/* ---- reading ---- */

struct str text_of(struct wf_parse *p, struct json v)
{
    if (!memchr(v.p, '\\', v.n))
        return (struct str){v.p + 1, v.n - 2}; /* the workflow keeps its text */
    struct buf b;
    buf_init(&b, v.n + 1);
    json_string(v, &b);
    struct str s = {arena_strdup(&p->w->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return s;
}

struct str key_of(struct wf_parse *p, const struct json_iter *it)
{
    if (!it->key.n || !memchr(it->key.p, '\\', it->key.n))
        return it->key;
    struct buf b;
    buf_init(&b, it->key.n + 1);
    json_iter_key(it, &b);
    struct str s = {arena_strdup(&p->w->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return s;
}

static void field_unknown(struct wf_parse *p, struct str key, const char *const *names,
                          size_t count, const char *what)
{
    struct suggestion s;
    suggest_init(&s, key);
    for (size_t i = 0; i < count; i++)
        if (names[i])
            suggest_offer(&s, str_of(names[i]));
    struct str cut = shown(key);
    size_t mark = path_push_key(p, key);
    issue_error(p, key.p, "unknown_field", "unknown %s \"%.*s\"%s", what, STR_FMT(cut),
                suggest_text(p, &s));
    path_pop(p, mark);
}

void fields_read(struct wf_parse *p, struct json object, const char *const *names, size_t count,
                 const char *what, struct json *out)
{
    memset(out, 0, count * sizeof(*out));
    struct json_iter it;
    json_iter_init(&it, object);
    while (json_iter_next(&it)) {
        struct str key = key_of(p, &it);
        size_t i = 0;
        while (i < count && !(names[i] && str_eqz(key, names[i])))
            i++;
        if (i == count)
            field_unknown(p, (struct str){key.p ? key.p : object.p, key.n}, names, count, what);
        else if (json_type(it.value) != JSON_NULL)
            out[i] = it.value;
    }
}

bool want_type(struct wf_parse *p, struct json v, enum json_type type, const char *name,
               const char *wanted)
{
    enum json_type is = json_type(v);
    if (is == type || (type == JSON_TRUE && is == JSON_FALSE))
        return true;
    issue_error(p, v.p, "wrong_type", "%s must be %s, not %s", name, wanted, json_type_name(is));
    return false;
}

bool want_number(struct wf_parse *p, struct json v, bool whole, double min, double max,
                 const char *name, double *out)
{
    double d;
    int64_t i;
    const char *kind = whole ? "a whole number" : "a number";
    if (!json_double(v, &d)) {
        issue_error(p, v.p, "wrong_type", "%s must be %s, not %s", name, kind,
                    json_type_name(json_type(v)));
        return false;
    }
    if (whole && !json_i64(v, &i)) {
        issue_error(p, v.p, "wrong_type", "%s must be a whole number, not %.*s", name,
                    STR_FMT(shown(json_raw(v))));
        return false;
    }
    if (d < min || d > max) {
        issue_error(p, v.p, "out_of_range", "%s must be %s from %.12g to %.12g, not %.*s", name,
                    kind, min, max, STR_FMT(shown(json_raw(v))));
        return false;
    }
    *out = d;
    return true;
}

/* From inside of a container its members and all around it are seen; from outside no member. */
static bool node_sees(const struct workflow *w, unsigned from, unsigned to)
{
    int inside = w->nodes[from].owner;
    for (unsigned depth = 0; inside != w->nodes[to].owner; depth++) {
        if (inside < 0 || depth > WORKFLOW_DEPTH_MAX)
            return false;
        inside = w->nodes[inside].owner;
    }
    return true;
}

static void hidden_report(struct wf_parse *p, const char *at, const char *code)
{
    const struct node_def *n = &p->w->nodes[p->hidden], *c = &p->w->nodes[n->owner];
    issue_error(p, at, code,
                "node \"%.*s\" is inside of the %s \"%.*s\": outside only nodes.%.*s is seen",
                STR_FMT(n->id), node_kind_word(c->kind), STR_FMT(c->id), STR_FMT(c->id));
    p->hidden = -1;
}

/* Every nodes.<id> that the checker meets: must exist, and is kept for a later warning. */
static bool expression_sees(void *data, struct str id)
{
    struct wf_parse *p = data;
    int to = workflow_find(p->w, id);
    if (to >= 0 && p->node >= 0 && !node_sees(p->w, (unsigned)p->node, (unsigned)to))
        p->hidden = to;
    if (to < 0 || p->node < 0 || p->ref_count == REFS_MAX || p->hidden >= 0)
        return to >= 0;
    if (!p->refs)
        p->refs = arena_calloc(&p->scratch, REFS_MAX, sizeof(*p->refs));
    struct node_ref *r = &p->refs[p->ref_count++];
    *r = (struct node_ref){.from = (uint16_t)p->node, .to = (uint16_t)to, .at = p->ref_at};
    r->path = arena_strdup(&p->scratch, (struct str){p->path, p->path_len});
    return true;
}

void check_expression(struct wf_parse *p, struct json v, bool is_template, const char *name)
{
    if (!want_type(p, v, JSON_STRING, name, is_template ? "text" : "an expression (text)"))
        return;
    if (!p->vm)
        return;
    struct errbuf e = {{0}};
    struct str text = text_of(p, v);
    p->ref_at = v.p;
    int rc = is_template ? expr_check_template(p->vm, text, expression_sees, p, &e)
                         : expr_check(p->vm, text, expression_sees, p, &e);
    if (rc)
        issue_error(p, v.p, is_template ? "bad_template" : "bad_expression", "%s", e.text);
    if (p->hidden >= 0)
        hidden_report(p, v.p, is_template ? "bad_template" : "bad_expression");
}

void check_code(struct wf_parse *p, struct json v, const char *name)
{
    struct errbuf e = {{0}};
    if (!want_type(p, v, JSON_STRING, name, "text") || !p->vm)
        return;
    p->ref_at = v.p;
    if (expr_check_script(p->vm, text_of(p, v), expression_sees, p, &e))
        issue_error(p, v.p, "bad_script", "%s", e.text);
    if (p->hidden >= 0)
        hidden_report(p, v.p, "bad_script");
}

void check_schema(struct wf_parse *p, struct json v, const char *name)
{
    if (!want_type(p, v, JSON_OBJECT, name, "a JSON Schema (an object)"))
        return;
    struct errbuf e = {{0}};
    if (schema_check(v, &e))
        issue_error(p, v.p, "bad_schema", "%s", e.text);
}

/* ---- edges ---- */

void edge_add(struct wf_parse *p, enum edge_kind kind, struct json target, struct str label,
              unsigned ordinal)
{
    struct workflow *w = p->w;
    if (!want_type(p, target, JSON_STRING, "a target", "a node id")) {
        p->edges_whole = false;
        return;
    }
    struct str id = text_of(p, target);
    int to = workflow_find(w, id);
    if (to < 0) {
        struct suggestion s;
        suggest_init(&s, id);
        for (unsigned i = 0; i < w->node_count; i++)
            suggest_offer(&s, w->nodes[i].id);
        issue_error(p, target.p, "unknown_node", "no node \"%.*s\"%s", STR_FMT(shown(id)),
                    suggest_text(p, &s));
        p->edges_whole = false;
        return;
    }
    edge_put(p, kind, (unsigned)to, target.p, label, ordinal);
}

void edge_put(struct wf_parse *p, enum edge_kind kind, unsigned to, const char *at,
              struct str label, unsigned ordinal)
{
    struct workflow *w = p->w;
    if (w->edge_count == WORKFLOW_EDGES_MAX) {
        if (p->edges_whole)
            issue_error(p, at, "out_of_range", "a workflow has at most %d edges",
                        WORKFLOW_EDGES_MAX);
        p->edges_whole = false;
        return;
    }
    p->edge_at[w->edge_count] = at;
    w->edges[w->edge_count++] = (struct edge){.from = (uint16_t)p->node,
                                              .to = (uint16_t)to,
                                              .kind = kind,
                                              .label = label,
                                              .ordinal = (uint16_t)ordinal};
}

static void next_ids_read(struct wf_parse *p, struct json v)
{
    size_t mark = path_push(p, ".next_ids");
    unsigned first = p->w->edge_count;
    struct json_iter it;
    json_iter_init(&it, v);
    if (want_type(p, v, JSON_ARRAY, "next_ids", "an array of node ids")) {
        while (json_iter_next(&it) && it.index < WORKFLOW_NODES_MAX) {
            size_t inner = path_push(p, "[%zu]", it.index);
            unsigned before = p->w->edge_count;
            edge_add(p, EDGE_NEXT, it.value, STR_NULL, (unsigned)it.index);
            for (unsigned i = first; i < before && p->w->edge_count > before; i++) {
                if (p->w->edges[i].to == p->w->edges[before].to) {
                    issue_error(p, it.value.p, "duplicate", "\"%.*s\" stands in next_ids twice",
                                STR_FMT(p->w->nodes[p->w->edges[i].to].id));
                    break;
                }
            }
            path_pop(p, inner);
        }
    } else {
        p->edges_whole = false;
    }
    path_pop(p, mark);
}

static void routes_read(struct wf_parse *p, struct json v)
{
    size_t mark = path_push(p, ".routes");
    const struct kind_def *kind = kind_def_of(p->w->nodes[p->node].kind);
    if (!want_type(p, v, JSON_OBJECT, "routes", "an object of labels and node ids")) {
        p->edges_whole = false;
    } else if (p->sources[p->node].known_kind && !kind->decides) {
        issue_error(p, v.p, "bad_route", "%s %s node does not decide, so it takes no routes",
                    kind->article, kind->word);
        p->edges_whole = false;
    } else {
        struct json_iter it;
        json_iter_init(&it, v);
        unsigned ordinal = 0;
        while (json_iter_next(&it) && ordinal < WORKFLOW_NODES_MAX) {
            struct str label = key_of(p, &it);
            size_t inner = path_push_key(p, label);
            if (!name_is_valid(label))
                issue_error(p, it.value.p, "bad_route",
                            "a label is 1 to 64 letters, digits, '_', '.' or '-'");
            else
                edge_add(p, EDGE_ROUTE, it.value, label, ordinal++);
            path_pop(p, inner);
        }
    }
    path_pop(p, mark);
}

static void on_error_read(struct wf_parse *p, struct json v)
{
    struct node_def *n = &p->w->nodes[p->node];
    size_t mark = path_push(p, ".on_error");
    if (!want_type(p, v, JSON_STRING, "on_error", "\"fail\", \"continue\" or a node id")) {
        p->edges_whole = false;
    } else if (json_string_eq(v, "continue")) {
        n->on_error = ON_ERROR_CONTINUE;
    } else if (!json_string_eq(v, "fail")) {
        n->on_error = ON_ERROR_GOTO;
        edge_add(p, EDGE_ERROR, v, STR_NULL, 0);
    }
    path_pop(p, mark);
}

/* ---- the other fields ---- */

void text_read(struct wf_parse *p, struct json v, const char *field, struct str *out)
{
    size_t mark = path_push_key(p, str_of(field));
    if (want_type(p, v, JSON_STRING, field, "text")) {
        struct str s = text_of(p, v);
        if (s.n > NAME_TEXT_MAX)
            issue_error(p, v.p, "out_of_range", "%s has at most %d bytes", field, NAME_TEXT_MAX);
        else if (s.n)
            *out = s;
    }
    path_pop(p, mark);
}

static void join_read(struct wf_parse *p, struct json v)
{
    struct node_def *n = &p->w->nodes[p->node];
    size_t mark = path_push(p, ".join");
    double d;
    if (json_string_eq(v, "any")) {
        n->join = JOIN_ANY;
    } else if (json_type(v) == JSON_NUMBER) {
        if (want_number(p, v, true, 1, WORKFLOW_EDGES_MAX, "join", &d)) {
            n->join = JOIN_COUNT;
            n->join_count = (unsigned)d;
        }
    } else if (!json_string_eq(v, "all")) {
        issue_error(p, v.p, "bad_join", "join must be \"all\", \"any\" or a whole number");
    }
    path_pop(p, mark);
}

enum retry_field { RF_ATTEMPTS, RF_INITIAL, RF_MULTIPLIER, RF_MAX, RF_ON, RF_COUNT };
static const char *const retry_names[RF_COUNT] = {
    [RF_ATTEMPTS] = "max_attempts",
    [RF_INITIAL] = "initial_ms",
    [RF_MULTIPLIER] = "multiplier",
    [RF_MAX] = "max_ms",
    [RF_ON] = "on",
};

static double retry_number(struct wf_parse *p, const struct json *fields, enum retry_field f,
                           double min, double max, double otherwise)
{
    double d = otherwise;
    if (!json_exists(fields[f]))
        return d;
    size_t mark = path_push_key(p, str_of(retry_names[f]));
    want_number(p, fields[f], f != RF_MULTIPLIER, min, max, retry_names[f], &d);
    path_pop(p, mark);
    return d;
}

static void retry_codes_check(struct wf_parse *p, struct json v)
{
    size_t mark = path_push(p, ".on");
    struct json_iter it;
    json_iter_init(&it, v);
    if (want_type(p, v, JSON_ARRAY, "on", "an array of error codes")) {
        while (json_iter_next(&it)) {
            size_t inner = path_push(p, "[%zu]", it.index);
            if (it.index == RETRY_CODES_MAX)
                issue_error(p, it.value.p, "out_of_range", "on has at most %d codes",
                            RETRY_CODES_MAX);
            else
                want_type(p, it.value, JSON_STRING, "a code", "text");
            path_pop(p, inner);
            if (it.index == RETRY_CODES_MAX)
                break;
        }
    }
    path_pop(p, mark);
}

static void retry_read(struct wf_parse *p, struct json v)
{
    struct retry_policy *r = &p->w->nodes[p->node].retry;
    size_t mark = path_push(p, ".retry");
    struct json fields[RF_COUNT];
    if (want_type(p, v, JSON_OBJECT, "retry", "an object")) {
        fields_read(p, v, retry_names, RF_COUNT, "field of retry", fields);
        r->max_attempts = (unsigned)retry_number(p, fields, RF_ATTEMPTS, 1, 100, 3);
        r->initial_ms = (int64_t)retry_number(p, fields, RF_INITIAL, 0, YEAR_MS, 1000);
        r->multiplier = retry_number(p, fields, RF_MULTIPLIER, 1, 100, 2);
        r->max_ms = (int64_t)retry_number(p, fields, RF_MAX, 0, YEAR_MS, 60000);
        r->on = fields[RF_ON];
        if (json_exists(r->on))
            retry_codes_check(p, r->on);
    }
    path_pop(p, mark);
}

static void timeout_read(struct wf_parse *p, struct json v)
{
    size_t mark = path_push(p, ".timeout_ms");
    double d;
    if (want_number(p, v, true, 1, YEAR_MS, "timeout_ms", &d))
        p->w->nodes[p->node].timeout_ms = (int64_t)d;
    path_pop(p, mark);
}

void check_node(struct wf_parse *p)
{
    struct node_def *n = &p->w->nodes[p->node];
    const struct json *f = p->sources[p->node].fields;
    if (json_exists(f[NF_NAME]))
        text_read(p, f[NF_NAME], "name", &n->name);
    if (json_exists(f[NF_WHEN])) {
        size_t mark = path_push(p, ".when");
        check_expression(p, f[NF_WHEN], false, "when");
        if (json_type(f[NF_WHEN]) == JSON_STRING)
            n->when = text_of(p, f[NF_WHEN]);
        path_pop(p, mark);
    }
    if (json_exists(f[NF_JOIN]))
        join_read(p, f[NF_JOIN]);
    if (json_exists(f[NF_RETRY]))
        retry_read(p, f[NF_RETRY]);
    if (json_exists(f[NF_TIMEOUT_MS]))
        timeout_read(p, f[NF_TIMEOUT_MS]);
    if (json_exists(f[NF_NEXT_IDS]))
        next_ids_read(p, f[NF_NEXT_IDS]);
    else if (p->sources[p->node].next_step >= 0)
        edge_put(p, EDGE_NEXT, (unsigned)p->sources[p->node].next_step, p->sources[p->node].step_at,
                 STR_NULL, 0);
    if (json_exists(f[NF_ROUTES]))
        routes_read(p, f[NF_ROUTES]);
    step_check(p);
    check_properties(p); /* adds the edges of cases and default */
    if (json_exists(f[NF_ON_ERROR]))
        on_error_read(p, f[NF_ON_ERROR]);
}
