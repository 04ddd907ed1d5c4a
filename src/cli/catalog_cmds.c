/* `sluice agent|group|template …`: the same commands over three kinds of objects. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/lang.h"
#include "cli/view.h"

/* "/agents", or "/agents/<id>". */
static void object_path(struct buf *path, const struct args *a, const char *id)
{
    buf_init(path, 1u << 20);
    buf_printf(path, "/%ss", a->group);
    if (id) {
        buf_append_char(path, '/');
        http_escape(path, id);
    }
}

static void cell_member(struct grid *g, struct json object, const char *key, enum style style)
{
    char *text = member_text(object, key);
    grid_cellz(g, text, style);
    free(text);
}

static void list_row(void *data, struct json o)
{
    struct grid *g = data;
    bool is_system = false;
    char ago[32];
    json_bool(json_get(o, "system"), &is_system);
    snprintf(ago, sizeof(ago), "%s", T("system"));
    if (!is_system)
        ago_format(member_time(o, "updated_at"), clock_wall_ms(), ago);
    cell_member(g, o, "id", STYLE_BOLD);
    cell_member(g, o, "category", STYLE_PLAIN);
    grid_cellz(g, ago, is_system ? STYLE_DIM : STYLE_PLAIN);
    cell_member(g, o, "name", STYLE_PLAIN);
    cell_member(g, o, "description", STYLE_PLAIN);
}

static int catalog_list_command(struct client *c, const struct args *a)
{
    static const char *const filters[] = {"category", "q"};
    long limit = limit_of(a, 100);
    struct buf path;
    struct grid g;
    if (!limit)
        return EXIT_USAGE;
    object_path(&path, a, NULL);
    for (size_t i = 0; i < 2; i++) {
        if (!args_has(a, filters[i]))
            continue;
        buf_printf(&path, "%s%s=", strchr(path.data, '?') ? "&" : "?", filters[i]);
        http_escape(&path, args_get(a, filters[i]));
    }
    grid_init(&g);
    grid_column(&g, T("ID"), false, 40);
    grid_column(&g, T("CATEGORY"), false, 16);
    grid_column(&g, T("UPDATED"), false, 0);
    grid_column(&g, T("NAME"), false, 28);
    grid_column(&g, T("DESCRIPTION"), false, 0);
    int rc = client_each(c, path.data, limit, list_row, &g);
    if (!rc && !c->json && !g.cell_count)
        fprintf(c->out.file, T("no %ss\n"), a->group);
    else if (!rc && !c->json)
        grid_print(&g, &c->out);
    grid_deinit(&g);
    buf_deinit(&path);
    return rc;
}

/* Long texts stand below their name, as they are; so do objects. */
static void member_print(struct client *c, const char *key, struct json v)
{
    struct buf clean, pretty;
    char *text;
    buf_init(&clean, 1u << 20);
    buf_init(&pretty, 1u << 20);
    if (json_type(v) == JSON_OBJECT || json_type(v) == JSON_ARRAY) {
        view_json(&pretty, v);
        text = str_dup(buf_str(&pretty));
    } else {
        text = json_type(v) == JSON_STRING ? json_strdup(v) : str_dup(json_raw(v));
    }
    text_clean(&clean, str_of(text), true);
    bool lines = clean.data && strchr(clean.data, '\n');
    fprintf(c->out.file, "%s%-18s%s%s%s\n", term_style(&c->out, STYLE_DIM), key,
            term_reset(&c->out), lines ? "\n" : " ", clean.data ? clean.data : "");
    free(text);
    buf_deinit(&pretty);
    buf_deinit(&clean);
}

static void object_print(struct client *c, struct json o)
{
    struct json_iter it;
    json_iter_init(&it, o);
    while (json_iter_next(&it)) {
        char key[32];
        snprintf(key, sizeof(key), "%.*s", (int)(it.key.n < 31 ? it.key.n : 31), it.key.p);
        if (strcmp(key, "graph") != 0 && json_type(it.value) != JSON_NULL)
            member_print(c, key, it.value);
    }
    if (json_exists(json_get(o, "graph"))) {
        fputc('\n', c->out.file);
        client_show_nodes(c, json_get(json_get(o, "graph"), "nodes"));
    }
}

static int catalog_show_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    object_path(&path, a, a->words[0]);
    int rc = client_call(c, "GET", path.data, NULL, &r);
    struct json o = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    if (!rc && args_has(a, "graph")) {
        struct buf b;
        buf_init(&b, HTTP_REPLY_BYTES_MAX);
        view_json(&b, json_get(o, "graph"));
        fprintf(c->out.file, "%s\n", b.data ? b.data : "");
        buf_deinit(&b);
    } else if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(o)));
    } else if (!rc) {
        object_print(c, o);
    }
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

static int catalog_create_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    object_path(&path, a, NULL);
    int rc = client_send_file(c, "POST", path.data, a->words[0], &r);
    if (!rc)
        rc = client_tell_stored(c, &r);
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

static int catalog_update_command(struct client *c, const struct args *a)
{
    char folder[32];
    snprintf(folder, sizeof(folder), "/%ss/", a->group);
    return client_update(c, a, args_has(a, "merge") ? "PATCH" : "PUT", folder);
}

static int catalog_delete_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    object_path(&path, a, a->words[0]);
    if (args_has(a, "detach"))
        buf_append_z(&path, "?detach=true");
    int rc = client_call(c, "DELETE", path.data, NULL, &r);
    struct json body = r.body.len && json_check(buf_str(&r.body), NULL, NULL) == 0
                           ? json_root(buf_str(&r.body))
                           : JSON_ABSENT;
    struct json used = json_get(json_get(body, "details"), "used_by");
    if (rc && !c->json && json_exists(used))
        client_complain(T("used by %.*s"), STR_FMT(json_raw(used)));
    if (!rc && !c->json)
        fprintf(c->out.file, T("%s deleted\n"), a->words[0]);
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* ---- templates ---- */

static void text_option(struct jw *w, const struct args *a, const char *option)
{
    if (args_has(a, option))
        jw_kv_stringz(w, option, args_get(a, option));
}

/* The values are read as the template's parameters say. */
static int values_read(struct client *c, const struct args *a, struct buf *values)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    object_path(&path, a, a->words[0]);
    int rc = client_call(c, "GET", path.data, NULL, &r);
    if (!rc)
        rc = input_build(c, a, json_get_set(json_root(buf_str(&r.body)), "parameters"), values);
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

static int made_tell(struct client *c, const char *path, const struct buf *body)
{
    struct http_reply r;
    http_reply_init(&r);
    int rc = client_post(c, path, buf_str(body), &r);
    if (!rc)
        rc = client_tell_stored(c, &r);
    http_reply_deinit(&r);
    return rc;
}

static int template_instantiate_command(struct client *c, const struct args *a)
{
    struct buf path, values, body;
    struct jw w;
    buf_init(&values, HTTP_REPLY_BYTES_MAX);
    buf_init(&body, HTTP_REPLY_BYTES_MAX);
    int rc = values_read(c, a, &values);
    if (!rc) {
        jw_init(&w, &body);
        jw_object(&w);
        text_option(&w, a, "id");
        text_option(&w, a, "name");
        jw_kv_raw(&w, "values", buf_str(&values));
        jw_end(&w);
        object_path(&path, a, a->words[0]);
        buf_append_z(&path, "/instantiate");
        rc = made_tell(c, path.data, &body);
        buf_deinit(&path);
    }
    buf_deinit(&values);
    buf_deinit(&body);
    return rc;
}

static int template_save_command(struct client *c, const struct args *a)
{
    struct buf body;
    struct jw w;
    buf_init(&body, 1u << 20);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_stringz(&w, "workflow_id", a->words[0]);
    text_option(&w, a, "id");
    text_option(&w, a, "name");
    text_option(&w, a, "description");
    text_option(&w, a, "category");
    jw_end(&w);
    int rc = made_tell(c, "/templates", &body);
    buf_deinit(&body);
    return rc;
}

/* ---- the table ---- */

static const struct option_def catalog_list_options[] = {
    {"category", "CATEGORY", "only those of this category", false},
    {"q", "TEXT", "only those with this in their id, name or description", false},
    {"limit", "N", "at most so many (100)", false},
    {0},
};

static const struct option_def catalog_update_options[] = {
    {"merge", NULL, "change only what the file has", false},
    {0},
};

static const struct option_def catalog_delete_options[] = {
    {"detach", NULL, "though it is in use; an agent is taken out of its groups", false},
    {0},
};

static const struct option_def template_show_options[] = {
    {"graph", NULL, "print the graph alone, as JSON", false},
    {0},
};

static const struct option_def template_instantiate_options[] = {
    {"id", "ID", "of the new workflow; else one is made", false},
    {"name", "NAME", "of the new workflow; else the template's", false},
    {"input", "KEY=VALUE", "the value of one parameter; may be repeated", true},
    {"input-json", "FILE", "the values as JSON; - is standard input", false},
    {0},
};

static const struct option_def template_save_options[] = {
    {"id", "ID", "of the template; else the workflow's", false},
    {"name", "NAME", "of the template; else the workflow's", false},
    {"description", "TEXT", "of the template; else the workflow's", false},
    {"category", "CATEGORY", "of the template", false},
    {0},
};

#define CATALOG_COMMANDS(kind, a_kind, delete_text, show_options)                                  \
    {kind,                                                                                         \
     "list",                                                                                       \
     "",                                                                                           \
     "the " kind "s of the server",                                                                \
     catalog_list_options,                                                                         \
     0,                                                                                            \
     0,                                                                                            \
     catalog_list_command},                                                                        \
        {kind, "show", "ID", "one " kind ", whole", show_options, 1, 1, catalog_show_command},     \
        {kind,       "create", "FILE", "store " a_kind " " kind,                                   \
         no_options, 1,        1,      catalog_create_command},                                    \
        {kind, "update", "[ID] FILE",           "replace it, or make it", catalog_update_options,  \
         1,    2,        catalog_update_command},                                                  \
    {                                                                                              \
        kind, "delete", "ID", delete_text, catalog_delete_options, 1, 1, catalog_delete_command    \
    }

const struct command catalog_commands[] = {
    CATALOG_COMMANDS("agent", "an", "remove it, unless it is in use", no_options),
    CATALOG_COMMANDS("group", "a", "remove it, unless it is in use", no_options),
    CATALOG_COMMANDS("template", "a", "remove it; workflows made of it stay",
                     template_show_options),
    {"template", "instantiate", "ID", "store a workflow made of it", template_instantiate_options,
     1, 1, template_instantiate_command},
    {"template", "save", "WORKFLOW", "store a workflow as a template", template_save_options, 1, 1,
     template_save_command},
    {0},
};
