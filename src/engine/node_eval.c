#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* What expressions of a node see, and the reading of properties. Texts made here live in the step's
 * scratch memory. */

#define TREE_DEPTH_MAX JSON_DEPTH_MAX

struct str tmp_copy(struct session *s, struct str text)
{
    return (struct str){arena_strdup(&s->tmp, text), text.n};
}

struct json prop(const struct session *s, unsigned n, const char *key)
{
    struct json props = node_def(s, n)->properties;
    return json_exists(props) ? json_get_set(props, key) : JSON_ABSENT;
}

struct str json_text(struct session *s, struct json string)
{
    if (string.n < 2)
        return STR("");
    if (!memchr(string.p, '\\', string.n))
        return (struct str){string.p + 1, string.n - 2};
    struct buf b;
    buf_init(&b, string.n + 1);
    json_string(string, &b);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

struct str prop_text(struct session *s, unsigned n, const char *key)
{
    struct json v = prop(s, n, key);
    return json_type(v) == JSON_STRING ? json_text(s, v) : STR_NULL;
}

bool prop_is_true(const struct session *s, unsigned n, const char *key)
{
    bool v = false;
    return json_bool(prop(s, n, key), &v) && v;
}

struct str quote(struct session *s, struct str text)
{
    struct buf b;
    buf_init(&b, text.n * 6 + 3);
    json_write_string(&b, text.p ? text : STR(""));
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

/* ---- scope ---- */

static bool scope_node(const struct expr_scope *x, struct str id, struct str *output,
                       const char **status)
{
    const struct session *s = x->data;
    int doc = workflow_find(s->wf, id);
    unsigned n;
    const struct scope *c = doc < 0 ? NULL : scope_seeing(s, (unsigned)doc, &n);
    if (!c)
        return false;
    *output = c->nodes[n].output;
    *status = node_status_word(c->nodes[n].status);
    return true;
}

struct str vars_text(struct session *s)
{
    if (s->vars_text.p)
        return s->vars_text;
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX * 2);
    jw_init(&w, &b);
    jw_object(&w);
    for (unsigned i = 0; i < s->var_count; i++) {
        jw_key_str(&w, s->vars[i].name);
        jw_raw(&w, s->vars[i].value);
    }
    jw_end(&w);
    s->vars_text.p = buf_steal(&b, &s->vars_text.n);
    return s->vars_text;
}

void var_set(struct session *s, struct str name, struct str value)
{
    unsigned i = 0;
    while (i < s->var_count && !str_eq(s->vars[i].name, name))
        i++;
    if (i == s->var_count) {
        if (s->var_count == s->var_cap) {
            s->var_cap = s->var_cap ? s->var_cap * 2 : 4;
            s->vars = mem_realloc(s->vars, s->var_cap * sizeof(*s->vars));
        }
        s->vars[s->var_count++] = (struct var){{str_dup(name), name.n}, STR_NULL};
    }
    own_set(&s->vars[i].value, value);
    own_set(&s->vars_text, STR_NULL);
    s->core_dirty = true;
}

struct str session_text(struct session *s)
{
    if (s->session_text.p)
        return s->session_text;
    struct buf b;
    struct jw w;
    buf_init(&b, 1u << 20);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "id", s->id_text);
    write_text(&w, "name", s->meta.name);
    write_text(&w, "user_id", s->meta.user_id);
    jw_end(&w);
    s->session_text.p = buf_steal(&b, &s->session_text.n);
    return s->session_text;
}

static void seen_init(struct session *s, unsigned n, struct expr_scope *x)
{
    *x = (struct expr_scope){.node = scope_node, .data = s};
    x->input = s->meta.input_json.p ? s->meta.input_json : STR("null");
    x->vars = vars_text(s);
    x->loop = loop_text(s, n);
    x->map = map_text(s);
    x->session = session_text(s);
}

/* ---- evaluation ---- */

int eval_json(struct session *s, unsigned n, struct str code, struct str *out, struct errbuf *e)
{
    struct expr_scope x;
    struct buf b;
    seen_init(s, n, &x);
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    int rc = expr_eval(s->vm, code, &x, &b, e);
    if (!rc)
        *out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return rc;
}

int eval_bool(struct session *s, unsigned n, struct str code, bool *out, struct errbuf *e)
{
    struct expr_scope x;
    seen_init(s, n, &x);
    return expr_eval_bool(s->vm, code, &x, out, e);
}

int eval_template(struct session *s, unsigned n, struct str tmpl, struct str *out, struct errbuf *e)
{
    struct expr_scope x;
    struct buf b;
    if (!memmem(tmpl.p, tmpl.n, "{{", 2)) { /* plain text, the common case */
        *out = tmpl;
        return 0;
    }
    seen_init(s, n, &x);
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    int rc = expr_render(s->vm, tmpl, &x, &b, e);
    if (!rc)
        *out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return rc;
}

typedef int leaf_fn(struct session *s, struct expr_scope *x, struct str text, struct buf *out,
                    struct errbuf *e);

static int leaf_expression(struct session *s, struct expr_scope *x, struct str text,
                           struct buf *out, struct errbuf *e)
{
    return expr_eval(s->vm, text, x, out, e);
}

static int leaf_template(struct session *s, struct expr_scope *x, struct str text, struct buf *out,
                         struct errbuf *e)
{
    struct str code;
    struct buf b;
    if (expr_template_is_one(text, &code))
        return expr_eval(s->vm, code, x, out, e);
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    int rc = expr_render(s->vm, text, x, &b, e);
    if (!rc)
        json_write_string(out, buf_str(&b));
    buf_deinit(&b);
    return rc;
}

/* One level a call; the text's depth is bounded by json_check(). */
static int tree_eval(struct session *s, struct expr_scope *x, leaf_fn *leaf, struct json v,
                     struct buf *out, unsigned depth, struct errbuf *e)
{
    enum json_type type = json_type(v);
    if (type == JSON_STRING)
        return leaf(s, x, json_text(s, v), out, e);
    if ((type != JSON_ARRAY && type != JSON_OBJECT) || depth == TREE_DEPTH_MAX)
        return buf_append_str(out, json_raw(v));
    struct json_iter it;
    buf_append_char(out, type == JSON_ARRAY ? '[' : '{');
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        if (it.index)
            buf_append_char(out, ',');
        if (type == JSON_OBJECT) {
            buf_append_char(out, '"');
            buf_append_str(out, it.key);
            buf_append(out, "\":", 2);
        }
        int rc = tree_eval(s, x, leaf, it.value, out, depth + 1, e);
        if (rc)
            return rc;
    }
    return buf_append_char(out, type == JSON_ARRAY ? ']' : '}');
}

static int tree_value(struct session *s, unsigned n, leaf_fn *leaf, struct json v, struct str *out,
                      struct errbuf *e)
{
    struct expr_scope x;
    struct buf b;
    seen_init(s, n, &x);
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    int rc = tree_eval(s, &x, leaf, v, &b, 0, e);
    if (!rc && buf_error(&b))
        rc = err_set(e, ERR_TOO_LARGE, "The result is larger than allowed.");
    if (!rc)
        *out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return rc;
}

int eval_tree(struct session *s, unsigned n, struct json v, struct str *out, struct errbuf *e)
{
    return tree_value(s, n, leaf_expression, v, out, e);
}

int eval_templates(struct session *s, unsigned n, struct json v, struct str *out, struct errbuf *e)
{
    return tree_value(s, n, leaf_template, v, out, e);
}
