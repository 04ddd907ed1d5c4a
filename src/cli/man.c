#include "cli/man.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/lang.h"

/* Text as roff takes it: nothing of it is a request, a hyphen is a minus that can be copied. */
static void text_put(FILE *to, const char *text)
{
    bool line_begins = true;
    for (const char *p = text; *p; p++) {
        if (line_begins && (*p == '.' || *p == '\''))
            fputs("\\&", to);
        if (*p == '\\')
            fputs("\\e", to);
        else if (*p == '-')
            fputs("\\-", to);
        else
            fputc(*p, to);
        line_begins = *p == '\n';
    }
}

static void paragraph(FILE *to, const char *text)
{
    fputs(".PP\n", to);
    text_put(to, text);
    fputc('\n', to);
}

static void section(FILE *to, const char *title)
{
    fprintf(to, ".SH \"%s\"\n", title);
}

/* "sluice session pause", in bold. */
static void name_put(FILE *to, const struct command *c)
{
    fputs("\\fBsluice ", to);
    if (c->group) {
        text_put(to, c->group);
        fputc(' ', to);
    }
    text_put(to, c->name);
    fputs("\\fR", to);
    if (c->words[0]) {
        fputs(" \\fI", to);
        text_put(to, c->words);
        fputs("\\fR", to);
    }
    fputc('\n', to);
}

static void options_put(FILE *to, const struct option_def *d)
{
    for (; d->name; d++) {
        fputs(".TP\n\\fB\\-\\-", to);
        text_put(to, d->name);
        fputs("\\fR", to);
        if (d->value) {
            fputs(" \\fI", to);
            text_put(to, d->value);
            fputs("\\fR", to);
        }
        fputc('\n', to);
        text_put(to, T(d->help));
        fputc('\n', to);
    }
}

/* Its options are indented below it. */
static void command_put(FILE *to, const struct command *c, bool with_options)
{
    fputs(".TP\n", to);
    name_put(to, c);
    text_put(to, T(c->summary));
    fputc('\n', to);
    if (with_options && c->options->name) {
        fputs(".RS\n", to);
        options_put(to, c->options);
        fputs(".RE\n", to);
    }
}

static void title_put(FILE *to, const char *group)
{
    char name[64], heading[64];
    snprintf(name, sizeof(name), "sluice%s%s", group ? "-" : "", group ? group : "");
    for (size_t i = 0; i <= strlen(name); i++)
        heading[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i]);
    fprintf(to, ".TH \"%s\" 1 \"\" \"sluice %s\" \"%s\"\n", heading, SLUICE_VERSION,
            T("Sluice manual"));
    fputs(".nh\n.ad l\n", to); /* names are not cut */
    section(to, T("NAME"));
    text_put(to, name);
    fputs(" \\- ", to);
    text_put(to, group ? T("commands of sluice")
                       : T("agent workflows that people watch live, and work in"));
    fputc('\n', to);
}

static void exits_put(FILE *to)
{
    static const struct {
        int code;
        const char *why;
    } rows[] = {
        {0, N_("done; a session that was followed has completed")},
        {1, N_("the session failed, or was cancelled")},
        {2, N_("wrong usage, or input that the server refused")},
        {3, N_("not found")},
        {4, N_("the state does not allow it")},
        {5, N_("the server cannot be reached, or is too busy")},
        {6, N_("not allowed")},
        {130, N_("detached by Ctrl-C; the session goes on")},
    };
    section(to, T("EXIT STATUS"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fprintf(to, ".TP\n%d\n", rows[i].code);
        text_put(to, T(rows[i].why));
        fputc('\n', to);
    }
}

static void environment_put(FILE *to)
{
    static const struct {
        const char *name, *what;
    } rows[] = {
        {"SLUICE_URL", N_("where the server is")},
        {"SLUICE_KEY", N_("the API key")},
        {"SLUICE_LANG", N_("en or zh, before LC_ALL, LC_MESSAGES and LANG")},
        {"SLUICE_USER", N_("whose active session it is, at a server that asks for no key")},
        {"NO_COLOR", N_("no colours, at a terminal either")},
    };
    section(to, T("ENVIRONMENT"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fprintf(to, ".TP\n\\fB%s\\fR\n", rows[i].name);
        text_put(to, T(rows[i].what));
        fputc('\n', to);
    }
}

static void words_put(FILE *to)
{
    paragraph(to, T("A session, a workflow, a stage or an item is named by its id, by its name, or "
                    "by the beginning of one that nothing else has. A session in brackets may be "
                    "left out: then it is the active one, which the server keeps for each user; "
                    "when there is none, the only one that is live. `last` is the newest."));
    paragraph(to, T("What is printed ends with commands that can come next; each works as it "
                    "stands. With --json, standard output is JSON and nothing else."));
}

static void see_also_put(FILE *to, const char *group)
{
    const char *last = group;
    section(to, T("SEE ALSO"));
    fputs(group ? "\\fBsluice\\fR(1)" : "", to);
    bool first = !group;
    COMMAND_EACH(c)
    {
        if (!group && c->group && !(last && strcmp(last, c->group) == 0)) {
            fprintf(to, "%s\\fBsluice\\-%s\\fR(1)", first ? "" : ",\n", c->group);
            first = false;
        }
        last = c->group;
    }
    fputc('\n', to);
}

void man_page(FILE *to, const char *group)
{
    title_put(to, group);
    section(to, T("SYNOPSIS"));
    fprintf(to, "\\fBsluice\\fR %s%s\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIWORD\\fR]...\n",
            group ? group : "", group ? " " : "");
    section(to, T("DESCRIPTION"));
    text_put(to, T("`sluice serve` is the server; migrate, backup and copy work on its store; "
                   "every other command is a client of a server, over HTTP."));
    fputc('\n', to);
    words_put(to);
    section(to, T("COMMANDS"));
    COMMAND_EACH(c)
    {
        if (group && !(c->group && strcmp(c->group, group) == 0))
            continue;
        command_put(to, c, group != NULL);
    }
    section(to, T("OPTIONS"));
    options_put(to, global_options);
    environment_put(to);
    exits_put(to);
    see_also_put(to, group);
}
