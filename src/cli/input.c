#include "cli/input.h"
#include "cli/lang.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define INPUT_BYTES_MAX (11u << 20)

/* ---- fields ---- */

static bool name_is_in(struct json list, const char *name)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        if (json_string_eq(it.value, name))
            return true;
    return false;
}

bool input_field_nth(struct json schema, int n, struct input_field *f)
{
    struct json_iter it;
    json_iter_init(&it, json_get(schema, "properties"));
    while (json_iter_next(&it)) {
        if (n-- > 0)
            continue;
        struct buf name;
        buf_init(&name, it.key.n + 1);
        json_iter_key(&it, &name);
        *f = (struct input_field){.name = buf_steal(&name, NULL)};
        f->title = json_strdup(json_get(it.value, "title"));
        f->type = json_strdup(json_get(it.value, "type"));
        f->fallback = json_get(it.value, "default");
        f->words = json_get_set(it.value, "enum");
        f->required = name_is_in(json_get(schema, "required"), f->name);
        if (!f->title)
            f->title = mem_strdup(f->name);
        if (!f->type)
            f->type = mem_strdup("string");
        return true;
    }
    return false;
}

void input_field_deinit(struct input_field *f)
{
    free(f->name);
    free(f->title);
    free(f->type);
}

void input_field_ask(const struct input_field *f, struct buf *out)
{
    struct json_iter it;
    buf_append_z(out, f->title);
    json_iter_init(&it, f->words);
    while (json_iter_next(&it)) {
        char *word = json_strdup(it.value);
        buf_printf(out, "%s%s", it.index ? " | " : " (", word ? word : "null");
        free(word);
    }
    if (json_exists(f->words))
        buf_append_char(out, ')');
    if (json_exists(f->fallback)) {
        char *text = json_strdup(f->fallback);
        buf_printf(out, " [%.*s]", text ? (int)strlen(text) : (int)f->fallback.n,
                   text ? text : f->fallback.p);
        free(text);
    }
    buf_append_z(out, ": ");
}

static void member_begin(struct buf *out, const char *name)
{
    if (out->len && out->data[out->len - 1] != '{')
        buf_append_char(out, ',');
    json_write_string(out, str_of(name));
    buf_append_char(out, ':');
}

static bool text_is_of_type(struct str text, const char *type)
{
    if (!text.n || json_check(text, NULL, NULL))
        return false;
    enum json_type t = json_type(json_root(text));
    double d;
    int64_t i;
    if (strcmp(type, "integer") == 0)
        return json_i64(json_root(text), &i);
    if (strcmp(type, "number") == 0)
        return json_double(json_root(text), &d);
    if (strcmp(type, "boolean") == 0)
        return t == JSON_TRUE || t == JSON_FALSE;
    if (strcmp(type, "object") == 0)
        return t == JSON_OBJECT;
    if (strcmp(type, "array") == 0)
        return t == JSON_ARRAY;
    return t == JSON_NULL;
}

int input_field_write(const struct input_field *f, struct str typed, struct buf *out,
                      struct errbuf *e)
{
    if (!typed.n && (json_exists(f->fallback) || !f->required)) {
        if (json_exists(f->fallback)) {
            member_begin(out, f->name);
            buf_append_str(out, json_raw(f->fallback));
        }
        return 0;
    }
    if (strcmp(f->type, "string") == 0) {
        if (!typed.n)
            return err_set(e, ERR_INVALID, T("%s is required"), f->title);
        member_begin(out, f->name);
        json_write_string(out, typed);
        return 0;
    }
    if (!text_is_of_type(typed, f->type))
        return err_set(e, ERR_INVALID, T("%s must be of type %s"), f->title, f->type);
    member_begin(out, f->name);
    buf_append_str(out, typed);
    return 0;
}

/* ---- --input k=v ---- */

static char *key_of(const char *given)
{
    const char *equals = strchr(given, '=');
    return equals && equals > given ? str_dup((struct str){given, (size_t)(equals - given)}) : NULL;
}

/* The value in the type that the schema wants; without one, JSON where it is JSON, else text. */
static int value_write(struct json schema, const char *key, struct str value, struct buf *out)
{
    char *type = json_strdup(json_get(json_get(json_get(schema, "properties"), key), "type"));
    bool is_json = value.n && json_check(value, NULL, NULL) == 0;
    int rc = 0;
    member_begin(out, key);
    if (type && strcmp(type, "string") != 0 && !text_is_of_type(value, type)) {
        client_complain(T("--input %s must be of type %s, not \"%.*s\""), key, type,
                        (int)(value.n > 80 ? 80 : value.n), value.p);
        rc = EXIT_USAGE;
    } else if (type ? strcmp(type, "string") != 0
                    : is_json && json_type(json_root(value)) != JSON_STRING) {
        buf_append_str(out, value);
    } else {
        json_write_string(out, value);
    }
    free(type);
    return rc;
}

static bool is_overridden(const struct args *a, const struct json_iter *it)
{
    const char *given;
    bool found = false;
    for (int i = 0; (given = args_nth(a, "input", i)) && !found; i++) {
        char *key = key_of(given);
        found = key && json_iter_key_is(it, key);
        free(key);
    }
    return found;
}

static int base_write(const struct args *a, struct buf *out)
{
    const char *path = args_get(a, "input-json");
    struct errbuf e = {{0}};
    struct buf text;
    if (!path)
        return 0;
    if (file_read(path, &text, &e)) {
        client_complain("%s", e.text);
        return EXIT_USAGE;
    }
    int rc = json_check(buf_str(&text), NULL, &e) ? EXIT_USAGE : 0;
    struct json root = rc ? JSON_ABSENT : json_root(buf_str(&text));
    if (rc || json_type(root) != JSON_OBJECT) {
        client_complain("%s: %s", path, rc ? e.text : "the input must be an object");
        rc = EXIT_USAGE;
    }
    struct json_iter it;
    json_iter_init(&it, root);
    while (!rc && json_iter_next(&it)) {
        if (is_overridden(a, &it))
            continue;
        if (out->len > 1)
            buf_append_char(out, ',');
        buf_printf(out, "\"%.*s\":", STR_FMT(it.key));
        buf_append_str(out, json_raw(it.value));
    }
    buf_deinit(&text);
    return rc;
}

static int overrides_write(const struct args *a, struct json schema, struct buf *out)
{
    const char *given;
    int rc = 0;
    for (int i = 0; (given = args_nth(a, "input", i)) && !rc; i++) {
        char *key = key_of(given), *other;
        if (!key) {
            client_complain(T("--input wants key=value, not \"%.80s\""), given);
            return EXIT_USAGE;
        }
        for (int k = 0; k < i && !rc; k++) {
            other = key_of(args_nth(a, "input", k));
            if (strcmp(other, key) == 0) {
                client_complain(T("--input %s is given twice"), key);
                rc = EXIT_USAGE;
            }
            free(other);
        }
        if (!rc)
            rc = value_write(schema, key, str_of(strchr(given, '=') + 1), out);
        free(key);
    }
    return rc;
}

/* ---- what is missing ---- */

static bool object_has(struct buf *object, const char *name)
{
    struct buf whole;
    buf_init(&whole, INPUT_BYTES_MAX);
    buf_append_str(&whole, buf_str(object));
    buf_append_char(&whole, '}');
    bool has = json_check(buf_str(&whole), NULL, NULL) == 0 &&
               json_exists(json_get(json_root(buf_str(&whole)), name));
    buf_deinit(&whole);
    return has;
}

static int field_ask(struct client *c, const struct input_field *f, struct buf *out)
{
    char *line = NULL;
    size_t cap = 0;
    int rc = 0;
    for (;;) {
        struct errbuf e = {{0}};
        struct buf question;
        buf_init(&question, 1u << 20);
        input_field_ask(f, &question);
        fprintf(c->out.file, "%s%s%s", term_style(&c->out, STYLE_BOLD), question.data,
                term_reset(&c->out));
        fflush(c->out.file);
        buf_deinit(&question);
        ssize_t n = getline(&line, &cap, stdin);
        if (n < 0) {
            client_complain(T("no input"));
            rc = EXIT_USAGE;
            break;
        }
        while (n > 0 && strchr("\r\n", line[n - 1]))
            n--;
        if (input_field_write(f, (struct str){line, (size_t)n}, out, &e) == 0)
            break;
        fprintf(c->out.file, "%s\n", e.text);
    }
    free(line);
    return rc;
}

static int missing_write(struct client *c, struct json schema, struct buf *out)
{
    bool ask = isatty(STDIN_FILENO) && c->out.is_tty && !c->json;
    struct input_field f;
    int rc = 0;
    for (int n = 0; !rc && input_field_nth(schema, n, &f); n++) {
        if (f.required && !object_has(out, f.name)) {
            if (ask)
                rc = field_ask(c, &f, out);
            else if (json_exists(f.fallback))
                rc = input_field_write(&f, STR_NULL, out, NULL);
        }
        input_field_deinit(&f);
    }
    return rc;
}

int input_build(struct client *c, const struct args *a, struct json schema, struct buf *out)
{
    buf_append_char(out, '{');
    int rc = base_write(a, out);
    if (!rc)
        rc = overrides_write(a, schema, out);
    if (!rc)
        rc = missing_write(c, schema, out);
    buf_append_char(out, '}');
    return rc;
}

int pairs_write(const struct args *a, const char *option, const char *key, bool as_json,
                struct jw *w)
{
    const char *given;
    if (!args_has(a, option))
        return 0;
    jw_key(w, key);
    jw_object(w);
    for (int i = 0; (given = args_nth(a, option, i)) != NULL; i++) {
        const char *is = strchr(given, '=');
        if (!is || is == given) {
            client_complain(T("--%s wants NAME=VALUE, not \"%.80s\""), option, given);
            return EXIT_USAGE;
        }
        jw_key_str(w, (struct str){given, (size_t)(is - given)});
        if (as_json && json_check(str_of(is + 1), NULL, NULL) == 0)
            jw_raw(w, json_raw(json_root(str_of(is + 1))));
        else
            jw_string(w, str_of(is + 1));
    }
    jw_end(w);
    return 0;
}
