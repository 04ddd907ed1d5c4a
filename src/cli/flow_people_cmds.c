/* Workflows that people work by: import of staged files, export, and where a session is in one. */
#include <stdlib.h>
#include <string.h>

#include "base/yaml_write.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"
#include "cli/stage_view.h"
#include "engine/expr.h"
#include "engine/staged.h"

#define TEXT_BYTES_MAX (16u << 20)

/* ---- export ---- */

static int text_save(const char *path, struct str text)
{
    FILE *f = fopen(path, "w");
    bool failed = !f || fwrite(text.p, 1, text.n, f) != text.n;
    if (f && fclose(f))
        failed = true;
    if (failed)
        client_complain(T("%s cannot be written"), path);
    return failed ? EXIT_USAGE : 0;
}

static int flow_export_command(struct client *c, const struct args *a)
{
    const char *format = args_get(a, "format"), *file = args_get(a, "output");
    struct http_reply r;
    struct buf path, id;
    if (!format)
        format = c->json ? "json" : "yaml";
    http_reply_init(&r);
    buf_init(&path, 1u << 16);
    buf_init(&id, 1u << 16);
    int rc = client_find_workflow(c, a->words[0], &id);
    if (!rc) {
        buf_append_z(&path, "/workflows/");
        http_escape(&path, id.data);
        buf_append_z(&path, "/export?format=");
        http_escape(&path, format);
        if (args_has(a, "as")) {
            buf_append_z(&path, "&as=");
            http_escape(&path, args_get(a, "as"));
        }
        if (args_has(a, "version")) {
            buf_append_z(&path, "&version=");
            http_escape(&path, args_get(a, "version"));
        }
        rc = client_get_text(c, path.data, &r);
    }
    if (!rc && file && strcmp(file, "-") != 0)
        rc = text_save(file, buf_str(&r.body));
    else if (!rc)
        fprintf(c->out.file, "%.*s%s", STR_FMT(buf_str(&r.body)),
                r.body.len && r.body.data[r.body.len - 1] == '\n' ? "" : "\n");
    buf_deinit(&path);
    buf_deinit(&id);
    http_reply_deinit(&r);
    return rc;
}

/* ---- import ---- */

/* "/workflows/import?fix=true&id=…" */
static void import_path(const struct args *a, struct buf *path)
{
    buf_append_z(path, "/workflows/import?");
    if (args_has(a, "fix"))
        buf_append_z(path, "fix=true&");
    if (args_has(a, "update"))
        buf_append_z(path, "update=true&");
    if (args_has(a, "id")) {
        buf_append_z(path, "id=");
        http_escape(path, args_get(a, "id"));
    }
}

static int flow_import_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    buf_init(&path, 1u << 16);
    import_path(a, &path);
    int rc = client_send_file(c, "POST", path.data, a->words[0], &r);
    struct json answer = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    struct json workflow = json_get(answer, "workflow");
    if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(answer)));
    } else if (!rc) {
        char *id = member_text(workflow, "id"), *version = member_text(workflow, "version");
        client_show_issues(c, answer, c->out.file);
        fprintf(c->out.file, T("%s version %s\n"), id, version);
        hint_print(c, T("see it"), "sluice flow show %s", id);
        hint_print(c, T("begin a session"), "sluice flow run %s", id);
        free(id);
        free(version);
    }
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* ---- validate ---- */

/* The repaired file, in the format that its name says. */
static int fixed_save(const char *path, struct json staged)
{
    size_t n = strlen(path);
    bool is_json = n > 5 && strcmp(path + n - 5, ".json") == 0;
    struct errbuf e = {{0}};
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    int rc =
        is_json ? json_layout(json_raw(staged), &text) : json_to_yaml(json_raw(staged), &text, &e);
    if (rc)
        client_complain("%s: %s", path, e.text[0] ? e.text : err_word(rc));
    rc = rc ? EXIT_USAGE : text_save(path, buf_str(&text));
    buf_deinit(&text);
    return rc;
}

static bool can_be_fixed(struct json errors)
{
    struct json_iter it;
    json_iter_init(&it, errors);
    while (json_iter_next(&it))
        if (json_exists(json_get_set(it.value, "fix")))
            return true;
    return false;
}

static int verdict_tell(struct client *c, const struct args *a, struct json verdict, bool valid)
{
    const char *file = a->words[0], *to = args_get(a, "output");
    struct json staged = json_get_set(verdict, "staged");
    bool fixed = json_length(json_get(verdict, "fixes")) > 0 && json_exists(staged);
    int rc = 0;
    client_show_issues(c, verdict, c->out.file);
    if (args_has(a, "fix") && fixed && strcmp(file, "-") != 0) {
        rc = fixed_save(to ? to : file, staged);
        if (!rc)
            fprintf(c->out.file, T("%s is put right\n"), to ? to : file);
    } else if (valid) {
        fprintf(c->out.file, T("%s is valid\n"), file);
    }
    if (!rc && valid)
        hint_file(c, T("store it"), "sluice flow import", to && fixed ? to : file);
    else if (!rc && !args_has(a, "fix") && can_be_fixed(json_get(verdict, "errors")))
        hint_file(c, T("put right what can be put right"), "sluice flow validate --fix", file);
    return rc;
}

/* A staged file needs no server to be judged: it names nothing that is stored there. False: it is
 * none, or cannot be read; who asks the server about it will hear so. */
static bool validate_staged(const char *file, bool fix, struct buf *verdict)
{
    struct errbuf e = {{0}};
    struct staged_result r;
    struct buf text, json;
    if (strcmp(file, "-") == 0 || file_read(file, &text, &e))
        return false;
    bool read = workflow_to_json(buf_str(&text), file, &json, &e) == 0;
    bool is_staged = read && staged_is(json_root(buf_str(&json)));
    if (is_staged) {
        struct expr_vm *vm = expr_vm_create();
        staged_result_init(&r);
        staged_convert(buf_str(&json), fix, vm, &r);
        staged_write_verdict(&r, fix, verdict);
        staged_result_deinit(&r);
        expr_vm_destroy(vm);
    }
    buf_deinit(&json);
    buf_deinit(&text);
    return is_staged;
}

static int flow_validate_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    bool valid = false, fix = args_has(a, "fix");
    int rc = 0;
    http_reply_init(&r);
    if (!validate_staged(a->words[0], fix, &r.body))
        rc = client_send_file(c, "POST",
                              fix ? "/workflows/validate?fix=true" : "/workflows/validate",
                              a->words[0], &r);
    struct json verdict = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    if (!rc) {
        json_bool(json_get(verdict, "valid"), &valid);
        if (c->json)
            fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(verdict)));
        else
            rc = verdict_tell(c, a, verdict, valid);
        if (!rc)
            rc = valid ? EXIT_DONE : EXIT_USAGE;
    }
    http_reply_deinit(&r);
    return rc;
}

/* ---- context: all that who works on a stage needs to know ---- */

static void paragraph(struct client *c, const char *label, struct json v)
{
    char *text = json_strdup(v);
    struct buf clean;
    buf_init(&clean, TEXT_BYTES_MAX);
    if (text)
        text_clean(&clean, str_of(text), false);
    if (clean.len)
        fprintf(c->out.file, "%s: %s\n", label, clean.data);
    buf_deinit(&clean);
    free(text);
}

static void stages_print(struct client *c, struct json stages, const char *title)
{
    struct json_iter it;
    json_iter_init(&it, stages);
    while (json_iter_next(&it)) {
        fputc('\n', c->out.file);
        if (title && !it.index)
            fprintf(c->out.file, "%s\n\n", title);
        stage_print(c, it.value);
    }
}

/* "then: build, ship" */
static void after_print(struct client *c, struct json stages)
{
    struct json_iter it;
    json_iter_init(&it, stages);
    while (json_iter_next(&it)) {
        char *id = member_text(it.value, "node_id");
        fprintf(c->out.file, it.index ? ", %s" : T("\nafter that: %s"), id);
        free(id);
    }
    if (json_length(stages))
        fputc('\n', c->out.file);
}

static void context_print(struct client *c, struct json context)
{
    struct json workflow = json_get(context, "workflow");
    paragraph(c, T("session"), json_get(json_get(context, "session"), "name"));
    paragraph(c, T("workflow"), json_get(workflow, "name"));
    paragraph(c, T("description"), json_get_set(workflow, "description"));
    paragraph(c, T("rules"), json_get_set(workflow, "source_rule"));
    stages_print(c, json_get(context, "current"), NULL);
    stages_print(c, json_get(context, "before"), T("what came before:"));
    after_print(c, json_get(context, "after"));
}

static int flow_context_command(struct client *c, const struct args *a)
{
    bool markdown = args_has(a, "markdown");
    char id[ID_TEXT_BYTES + 1], path[96];
    struct http_reply r;
    int rc = client_word_session(c, a, 0, id);
    if (rc)
        return rc;
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/sessions/%s/context%s", id, markdown ? "?format=text" : "");
    rc = markdown ? client_get_text(c, path, &r) : client_call(c, "GET", path, NULL, &r);
    if (!rc && (c->json || markdown)) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(buf_str(&r.body)));
    } else if (!rc) {
        context_print(c, json_root(buf_str(&r.body)));
        hints_of_session(c, id);
    }
    http_reply_deinit(&r);
    return rc;
}

/* ---- next ---- */

static int flow_next_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1], path[64];
    struct http_reply r;
    int rc = client_word_session(c, a, 0, id);
    if (rc)
        return rc;
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/sessions/%s/next", id);
    rc = client_call(c, "GET", path, NULL, &r);
    if (!rc && c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
    c->bare = true;
    if (!rc && !c->json)
        hints_tell(c, json_root(buf_str(&r.body)));
    http_reply_deinit(&r);
    return rc;
}

/* ---- the table ---- */

static const struct option_def export_options[] = {
    {"format", "FORMAT", "yaml (default) or json", false},
    {"as", "WHAT", "native (default), or staged: the file of stages that it was made of", false},
    {"output", "FILE", "write it there instead of showing it", false},
    {"version", "N", "this version instead of the newest", false},
    {0},
};
static const struct option_def import_options[] = {
    {"fix", NULL, "put right what can be put right", false},
    {"update", NULL, "a new version, where the workflow is there already", false},
    {"id", "NAME", "store it under this id", false},
    {0},
};
static const struct option_def context_options[] = {
    {"markdown", NULL, "as Markdown, in the server's words", false},
    {0},
};
static const struct option_def validate_options[] = {
    {"fix", NULL, "put the file right, as far as that can be done", false},
    {"output", "FILE", "write what was put right there, not into the file itself", false},
    {0},
};

const struct command flow_people_commands[] = {
    {"flow", "validate", "FILE", "every error and warning of a file", validate_options, 1, 1,
     flow_validate_command},
    {"flow", "import", "FILE", "store a workflow, or a file of stages as one", import_options, 1, 1,
     flow_import_command},
    {"flow", "export", "ID", "a workflow as a file", export_options, 1, 1, flow_export_command},
    {"flow", "context", "[SESSION]", "all that one needs to know to work on it", context_options, 0,
     1, flow_context_command},
    {"flow", "next", "[SESSION]", "the commands that can come next", no_options, 0, 1,
     flow_next_command},
    {0},
};
