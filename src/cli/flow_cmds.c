#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"
#include "cli/view.h"

/* ---- list, show ---- */

static void cell_member(struct grid *g, struct json object, const char *key, enum style style)
{
    char *text = member_text(object, key);
    grid_cellz(g, text, style);
    free(text);
}

static void list_row(void *data, struct json w)
{
    struct grid *g = data;
    char ago[32];
    ago_format(member_time(w, "updated_at"), clock_wall_ms(), ago);
    cell_member(g, w, "id", STYLE_BOLD);
    cell_member(g, w, "version", STYLE_PLAIN);
    cell_member(g, w, "type", STYLE_PLAIN);
    grid_cellz(g, ago, STYLE_PLAIN);
    cell_member(g, w, "name", STYLE_PLAIN);
}

static int flow_list_command(struct client *c, const struct args *a)
{
    static const char *const filters[] = {"type", "q"};
    long limit = limit_of(a, 100);
    struct buf path;
    struct grid g;
    if (!limit)
        return EXIT_USAGE;
    buf_init(&path, 1u << 20);
    buf_append_z(&path, "/workflows");
    for (size_t i = 0; i < 2; i++) {
        if (!args_has(a, filters[i]))
            continue;
        buf_printf(&path, "%s%s=", strchr(path.data, '?') ? "&" : "?", filters[i]);
        http_escape(&path, args_get(a, filters[i]));
    }
    grid_init(&g);
    grid_column(&g, T("WORKFLOW"), false, 0);
    grid_column(&g, T("VERSION"), true, 0);
    grid_column(&g, T("TYPE"), false, 20);
    grid_column(&g, T("UPDATED"), false, 0);
    grid_column(&g, T("NAME"), false, 0);
    int rc = client_each(c, path.data, limit, list_row, &g);
    if (!rc && !c->json && !g.cell_count)
        fprintf(c->out.file, T("no workflows\n"));
    else if (!rc && !c->json)
        grid_print(&g, &c->out);
    grid_deinit(&g);
    buf_deinit(&path);
    return rc;
}

static void targets_write(struct buf *out, struct json node)
{
    struct json_iter it;
    json_iter_init(&it, json_get(node, "next_ids"));
    while (json_iter_next(&it))
        buf_printf(out, "%s%.*s", out->len ? ", " : "", it.value.n > 2 ? (int)it.value.n - 2 : 0,
                   it.value.p + 1);
    json_iter_init(&it, json_get(node, "routes"));
    while (json_iter_next(&it))
        buf_printf(out, "%s%.*s: %.*s", out->len ? ", " : "", STR_FMT(it.key),
                   it.value.n > 2 ? (int)it.value.n - 2 : 0, it.value.p + 1);
    json_iter_init(&it, json_get(json_get(node, "properties"), "cases"));
    while (json_iter_next(&it)) {
        char *to = member_text(it.value, "to");
        buf_printf(out, "%scase: %s", out->len ? ", " : "", to);
        free(to);
    }
    if (json_string_eq(json_get(node, "type"), "switch")) {
        char *to = member_text(json_get(node, "properties"), "default");
        buf_printf(out, "%sdefault: %s", out->len ? ", " : "", to);
        free(to);
    }
}

void client_show_nodes(struct client *c, struct json nodes)
{
    struct grid g;
    struct json_iter it;
    grid_init(&g);
    grid_column(&g, T("NODE"), false, 32);
    grid_column(&g, T("TYPE"), false, 0);
    grid_column(&g, T("LEADS TO"), false, 0);
    json_iter_init(&it, nodes);
    while (json_iter_next(&it)) {
        struct buf to;
        buf_init(&to, 1u << 20);
        targets_write(&to, it.value);
        if (json_type(nodes) == JSON_OBJECT)
            grid_cell(&g, it.key, STYLE_BOLD);
        else
            cell_member(&g, it.value, "id", STYLE_BOLD);
        cell_member(&g, it.value, "type", STYLE_PLAIN);
        grid_cell(&g, buf_str(&to), STYLE_PLAIN);
        buf_deinit(&to);
    }
    grid_print(&g, &c->out);
    grid_deinit(&g);
}

static void workflow_print(struct client *c, struct json w)
{
    static const char *const keys[] = {N_("id"),   N_("name"),    N_("description"),
                                       N_("type"), N_("version"), N_("updated_at")};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *text = member_text(w, keys[i]);
        struct buf clean;
        buf_init(&clean, 1u << 20);
        text_clean(&clean, str_of(text), true);
        if (*text) {
            line_label(c, T(keys[i]), 12, STYLE_DIM);
            fprintf(c->out.file, " %s\n", clean.data);
        }
        buf_deinit(&clean);
        free(text);
    }
    fputc('\n', c->out.file);
    client_show_nodes(c, json_get(json_get(w, "graph"), "nodes"));
}

/* "/workflows/<id>" of what the word means; *path is to be freed, whatever is returned. */
static int workflow_path(struct client *c, struct buf *path, const char *word)
{
    struct buf id;
    buf_init(path, 1u << 20);
    buf_init(&id, 1u << 16);
    int rc = client_find_workflow(c, word, &id);
    if (!rc) {
        buf_append_z(path, "/workflows/");
        http_escape(path, id.data);
    }
    buf_deinit(&id);
    return rc;
}

static int flow_show_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    int rc = workflow_path(c, &path, a->words[0]);
    if (args_has(a, "version")) {
        buf_append_z(&path, "?version=");
        http_escape(&path, args_get(a, "version"));
    }
    if (!rc)
        rc = client_call(c, "GET", path.data, NULL, &r);
    struct json w = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    if (!rc && args_has(a, "graph")) {
        struct buf b;
        buf_init(&b, HTTP_REPLY_BYTES_MAX);
        view_json(&b, json_get(w, "graph"));
        fprintf(c->out.file, "%s\n", b.data ? b.data : "");
        buf_deinit(&b);
    } else if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(w)));
    } else if (!rc) {
        workflow_print(c, w);
    }
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* ---- files to the server ---- */

static int file_text(const char *file, struct buf *text)
{
    struct errbuf e = {{0}};
    int rc = file_read(file, text, &e);
    if (!rc)
        return 0;
    client_complain("%s", e.text);
    return rc == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_USAGE;
}

static int text_send(struct client *c, const char *method, const char *path, const struct buf *text,
                     struct http_reply *r)
{
    const char *start = text->data ? text->data : "";
    bool is_json = start[strspn(start, " \t\r\n")] == '{';
    struct http_body body = {buf_str(text), is_json ? "application/json" : "application/yaml"};
    return client_call(c, method, path, &body, r);
}

int client_send_file(struct client *c, const char *method, const char *path, const char *file,
                     struct http_reply *r)
{
    struct buf text;
    int rc = file_text(file, &text);
    if (rc)
        return rc;
    rc = text_send(c, method, path, &text, r);
    buf_deinit(&text);
    return rc;
}

int client_tell_stored(struct client *c, const struct http_reply *r)
{
    struct json w = json_root(buf_str(&r->body));
    char *id = member_text(w, "id"), *version = member_text(w, "version");
    if (c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(w)));
    else
        fprintf(c->out.file, T("%s version %s\n"), id, version);
    free(id);
    free(version);
    return 0;
}

static int flow_create_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    http_reply_init(&r);
    int rc = client_send_file(c, "POST", "/workflows", a->words[0], &r);
    if (!rc)
        rc = client_tell_stored(c, &r);
    http_reply_deinit(&r);
    return rc;
}

static char *id_in_text(const struct args *a, const char *file, const struct buf *text)
{
    struct errbuf e = {{0}};
    struct buf json;
    char *id = NULL;
    if (workflow_to_json(buf_str(text), file, &json, &e) == 0) {
        id = json_strdup(json_get(json_root(buf_str(&json)), "id"));
        if (!id)
            err_set(&e, ERR_INVALID, T("%s has no id: sluice %s update ID FILE"), file, a->group);
        buf_deinit(&json);
    }
    if (!id)
        client_complain("%s", e.text);
    return id;
}

int client_update(struct client *c, const struct args *a, const char *method, const char *folder)
{
    const char *file = a->words[a->word_count - 1];
    struct http_reply r;
    struct buf path, text;
    int rc = file_text(file, &text);
    if (rc)
        return rc;
    char *id = a->word_count == 2 ? str_dup(str_of(a->words[0])) : id_in_text(a, file, &text);
    http_reply_init(&r);
    buf_init(&path, 1u << 20);
    buf_append_z(&path, folder);
    if (id)
        http_escape(&path, id);
    rc = id ? text_send(c, method, path.data, &text, &r) : EXIT_USAGE;
    if (!rc)
        rc = client_tell_stored(c, &r);
    buf_deinit(&path);
    buf_deinit(&text);
    http_reply_deinit(&r);
    free(id);
    return rc;
}

static int flow_update_command(struct client *c, const struct args *a)
{
    return client_update(c, a, "PUT", "/workflows/");
}

static int flow_delete_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    int rc = workflow_path(c, &path, a->words[0]);
    if (!rc)
        rc = client_call(c, "DELETE", path.data, NULL, &r);
    if (!rc && !c->json)
        fprintf(c->out.file, T("%s deleted\n"), path.data + strlen("/workflows/"));
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* ---- the table ---- */

static const struct option_def flow_list_options[] = {
    {"type", "TYPE", "only those of this type", false},
    {"q", "TEXT", "only those with this in their id or name", false},
    {"limit", "N", "at most so many (100)", false},
    {0},
};

static const struct option_def flow_show_options[] = {
    {"version", "N", "this version instead of the newest", false},
    {"graph", NULL, "print the definition alone, as JSON", false},
    {0},
};

const struct command flow_commands[] = {
    {"flow", "list", "", "the workflows of the server", flow_list_options, 0, 0, flow_list_command},
    {"flow", "show", "ID", "one workflow and its nodes", flow_show_options, 1, 1,
     flow_show_command},
    {"flow", "create", "FILE", "store a new workflow", no_options, 1, 1, flow_create_command},
    {"flow", "update", "[ID] FILE", "store a new version", no_options, 1, 2, flow_update_command},
    {"flow", "delete", "ID", "remove it; its sessions go on", no_options, 1, 1,
     flow_delete_command},
    {0},
};
