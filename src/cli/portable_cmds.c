/* Sessions as files: out of a server, and into one. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"

static int export_save(const char *path, struct str text)
{
    FILE *f = fopen(path, "w");
    bool well = f && fwrite(text.p, 1, text.n, f) == text.n;

    if (f)
        well = fclose(f) == 0 && well;
    if (!well)
        client_complain(T("%s cannot be written"), path);
    return well ? 0 : EXIT_USAGE;
}

static int session_export_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1];
    struct http_reply r;
    struct buf path;

    int rc = client_word_session(c, a, 0, id);
    if (rc)
        return rc;
    buf_init(&path, 1u << 10);
    buf_printf(&path, "/sessions/%s/export", id);
    http_reply_init(&r);
    rc = client_get_text(c, path.data, &r);
    if (!rc && args_has(a, "output"))
        rc = export_save(args_get(a, "output"), buf_str(&r.body));
    else if (!rc)
        fwrite(r.body.data, 1, r.body.len, c->out.file);
    http_reply_deinit(&r);
    buf_deinit(&path);
    return rc;
}

static int session_import_command(struct client *c, const struct args *a)
{
    struct http_body body = {.type = "application/x-ndjson"};
    struct errbuf e = {{0}};
    struct http_reply r;
    struct buf text;

    buf_init(&text, HTTP_REPLY_BYTES_MAX);
    int rc = strcmp(a->words[0], "-") == 0
                 ? file_append_fd(STDIN_FILENO, "standard input", &text, &e)
                 : file_append(a->words[0], &text, &e);
    if (rc) {
        client_complain("%s", e.text);
        buf_deinit(&text);
        return EXIT_USAGE;
    }
    body.bytes = buf_str(&text);
    http_reply_init(&r);
    rc = client_call(c, "POST", "/sessions/import", &body, &r);
    if (!rc && c->json) {
        fprintf(c->out.file, "%s\n", r.body.data);
    } else if (!rc) {
        char *id = member_text(json_root(buf_str(&r.body)), "session_id");
        char *status = member_text(json_root(buf_str(&r.body)), "status");
        fprintf(c->out.file, T("%s is here now, %s\n"), id, status_word(status));
        if (strcmp(status, "paused") == 0)
            hint_print(c, T("goes on from where it was"), "sluice session resume %s", id);
        free(status);
        free(id);
    }
    http_reply_deinit(&r);
    buf_deinit(&text);
    return rc;
}

static const struct option_def export_options[] = {
    {"output", "FILE", "write it there; else to standard output", false},
    {0},
};

const struct command portable_commands[] = {
    {"session", "export", "[SESSION]", "all of it as one file of JSON lines", export_options, 0, 1,
     session_export_command},
    {"session", "import", "FILE", "take in a session that was exported; - is standard input",
     no_options, 1, 1, session_import_command},
    {0},
};
