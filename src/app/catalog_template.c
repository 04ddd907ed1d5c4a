#include "app/catalog_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "engine/schema.h"

#define RENDERED_MAX JSON_BODY_MAX

/* ---- values ---- */

/* Texts in it that would be read as templates. Depth is bounded by json_check(). */
static bool has_braces(struct json v)
{
    struct json_iter it;
    struct buf text;
    bool found = false;
    if (json_type(v) == JSON_STRING) {
        buf_init(&text, v.n);
        json_string(v, &text);
        found = text.len && memmem(text.data, text.len, "{{", 2);
        buf_deinit(&text);
        return found;
    }
    json_iter_init(&it, v);
    while (!found && json_iter_next(&it))
        found = has_braces(it.value);
    return found;
}

static int values_check(struct json schema, struct json values, struct errbuf *e)
{
    struct json properties = json_get_set(schema, "properties");
    struct json_iter it, known;
    json_iter_init(&it, values);
    while (json_iter_next(&it)) {
        bool found = false;
        struct buf key;
        buf_init(&key, it.key.n + 1);
        json_iter_key(&it, &key);
        json_iter_init(&known, properties);
        while (!found && json_iter_next(&known))
            found = key.len && json_iter_key_is(&known, key.data);
        buf_deinit(&key);
        int n = (int)(it.key.n < 80 ? it.key.n : 80);
        if (!found)
            return err_set(e, ERR_UNPROCESSABLE, "values.%.*s: the template has no such parameter",
                           n, it.key.p);
        if (has_braces(it.value))
            return err_set(e, ERR_UNPROCESSABLE, "values.%.*s: a value may not hold \"{{\"", n,
                           it.key.p);
    }
    return 0;
}

static struct json first_of(struct json list)
{
    struct json_iter it;
    json_iter_init(&it, list);
    return json_type(list) == JSON_ARRAY && json_iter_next(&it) ? it.value : JSON_ABSENT;
}

static void write_sample(struct jw *w, struct json property)
{
    struct json given = json_get(property, "const");
    if (!json_exists(given))
        given = first_of(json_get(property, "enum"));
    if (!json_exists(given))
        given = first_of(json_get(property, "examples"));
    struct json type = json_get(property, "type");
    if (json_type(type) == JSON_ARRAY)
        type = first_of(type);
    if (json_exists(given))
        jw_raw(w, json_raw(given));
    else if (json_string_eq(type, "integer") || json_string_eq(type, "number"))
        jw_raw(w, json_exists(json_get(property, "minimum"))
                      ? json_raw(json_get(property, "minimum"))
                      : STR("1"));
    else if (json_string_eq(type, "boolean"))
        jw_bool(w, true);
    else if (json_string_eq(type, "array"))
        jw_raw(w, STR("[]"));
    else if (json_string_eq(type, "object"))
        jw_raw(w, STR("{}"));
    else
        jw_stringz(w, "sample");
}

/* {name: value} of all parameters that have one. */
static void values_resolve(struct json schema, struct json values, bool sample, struct buf *out)
{
    struct json_iter it;
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    json_iter_init(&it, json_get_set(schema, "properties"));
    while (json_iter_next(&it)) {
        struct buf key;
        buf_init(&key, it.key.n + 1);
        json_iter_key(&it, &key);
        struct json value = key.len ? json_get(values, key.data) : JSON_ABSENT;
        if (!json_exists(value))
            value = json_get(it.value, "default");
        if (json_exists(value) || sample) {
            jw_key_str(&w, buf_str(&key));
            if (json_exists(value))
                jw_raw(&w, json_raw(value));
            else
                write_sample(&w, it.value);
        }
        buf_deinit(&key);
    }
    jw_end(&w);
}

/* ---- the graph ---- */

struct render {
    struct json values;
    struct jw *w;
    struct errbuf *e;
};

/* The length of `{{ param.NAME }}` where text begins with it, and its name; else 0. */
static size_t mark_at(struct str text, struct str *name)
{
    static const char word[] = "param.";
    size_t at = 2;
    if (text.n < 2 || memcmp(text.p, "{{", 2) != 0)
        return 0;
    while (at < text.n && text.p[at] == ' ')
        at++;
    if (text.n - at < sizeof(word) - 1 || memcmp(text.p + at, word, sizeof(word) - 1) != 0)
        return 0;
    at += sizeof(word) - 1;
    size_t begin = at;
    while (at < text.n && name_is_valid((struct str){text.p + at, 1}) && text.p[at] != '.')
        at++;
    *name = (struct str){text.p + begin, at - begin};
    while (at < text.n && text.p[at] == ' ')
        at++;
    if (name->n == 0 || text.n - at < 2 || memcmp(text.p + at, "}}", 2) != 0)
        return 0;
    return at + 2;
}

static int value_find(struct render *r, struct str name, struct json *value)
{
    char *key = str_dup(name);
    *value = json_get(r->values, key);
    free(key);
    if (json_exists(*value))
        return 0;
    return err_set(r->e, ERR_UNPROCESSABLE, "the parameter \"%.*s\" has no value",
                   (int)(name.n < 80 ? name.n : 80), name.p);
}

/* Text with values in it. */
static int render_mixed(struct render *r, struct str text, struct buf *out)
{
    struct str name;
    struct json value;
    for (size_t at = 0; at < text.n;) {
        size_t n = mark_at((struct str){text.p + at, text.n - at}, &name);
        if (n == 0) {
            buf_append_char(out, text.p[at++]);
            continue;
        }
        int rc = value_find(r, name, &value);
        if (rc)
            return rc;
        if (json_type(value) == JSON_STRING)
            json_string(value, out);
        else
            buf_append_str(out, json_raw(value));
        at += n;
    }
    return 0;
}

static int render_text(struct render *r, struct json v)
{
    struct buf text, out;
    struct str name;
    struct json value;
    int rc = 0;
    if (!memmem(v.p, v.n, "param.", 6)) {
        jw_raw(r->w, json_raw(v));
        return 0;
    }
    buf_init(&text, v.n);
    buf_init(&out, RENDERED_MAX);
    json_string(v, &text);
    if (text.len && mark_at(buf_str(&text), &name) == text.len) {
        rc = value_find(r, name, &value);
        if (rc == 0)
            jw_raw(r->w, json_raw(value));
    } else {
        rc = render_mixed(r, buf_str(&text), &out);
        jw_string(r->w, buf_str(&out));
        if (rc == 0 && buf_error(&out))
            rc = err_set(r->e, ERR_UNPROCESSABLE, "with its values the graph is too large");
    }
    buf_deinit(&out);
    buf_deinit(&text);
    return rc;
}

/* Depth is bounded by json_check(). */
static int render_value(struct render *r, struct json v)
{
    struct json_iter it;
    enum json_type type = json_type(v);
    int rc = 0;
    if (type == JSON_STRING)
        return render_text(r, v);
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        jw_raw(r->w, json_raw(v));
        return 0;
    }
    if (type == JSON_OBJECT)
        jw_object(r->w);
    else
        jw_array(r->w);
    json_iter_init(&it, v);
    while (rc == 0 && json_iter_next(&it)) {
        struct buf key;
        buf_init(&key, it.key.n);
        if (type == JSON_OBJECT) {
            json_iter_key(&it, &key);
            jw_key_str(r->w, buf_str(&key));
        }
        buf_deinit(&key);
        rc = render_value(r, it.value);
    }
    jw_end(r->w);
    return rc;
}

static int render_graph(struct json graph, struct str values, struct buf *out, struct errbuf *e)
{
    struct jw w;
    struct render r = {json_root(values), &w, e};
    jw_init(&w, out);
    int rc = render_value(&r, graph);
    if (rc == 0 && (buf_error(out) || out->len > RENDERED_MAX))
        rc = err_set(e, ERR_UNPROCESSABLE, "with its values the graph is too large");
    return rc;
}

int catalog_template_render(struct json graph, struct json schema, struct json values,
                            struct buf *out, struct errbuf *e)
{
    struct errbuf why = {""};
    struct buf all;
    buf_init(&all, RENDERED_MAX);
    int rc = values_check(schema, values, e);
    if (rc == 0)
        values_resolve(schema, values, false, &all);
    if (rc == 0 && buf_error(&all))
        rc = err_set(e, ERR_UNPROCESSABLE, "the values are too large");
    if (rc == 0 && json_exists(schema) &&
        schema_validate(schema, json_root(buf_str(&all)), &why) < 0)
        rc = err_set(e, ERR_UNPROCESSABLE, "values: %s", why.text);
    if (rc == 0)
        rc = render_graph(graph, buf_str(&all), out, e);
    buf_deinit(&all);
    return rc;
}

int catalog_template_sample(struct json graph, struct json schema, struct buf *out,
                            struct errbuf *e)
{
    struct errbuf why = {""};
    struct buf all;
    buf_init(&all, RENDERED_MAX);
    values_resolve(schema, JSON_ABSENT, true, &all);
    int rc = render_graph(graph, buf_str(&all), out, &why);
    buf_deinit(&all);
    return rc ? err_set(e, ERR_INVALID, "graph: %s", why.text) : 0;
}
