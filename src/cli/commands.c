#include "cli/commands.h"

#include <string.h>

#include "cli/lang.h"

const struct option_def no_options[] = {{0}};
const struct option_def global_options[] = {
    {"server", "URL", "the server; else SLUICE_URL, else " SERVER_DEFAULT, false},
    {"key", "KEY", "the API key; else SLUICE_KEY", false},
    {"json", NULL, "JSON on standard output, for programs", false},
    {"lang", "LANGUAGE", "en or zh; else SLUICE_LANG, else the locale", false},
    {"help", NULL, "this text", false},
    {0},
};
/* One a line, for merges. */
/* clang-format off */
const struct command *const command_tables[] = {
    run_commands,
    session_show_commands,
    begin_commands,
    live_commands,
    stats_commands,
    session_commands,
    fork_commands,
    portable_commands,
    stage_commands,
    review_commands,
    flow_commands,
    flow_people_commands,
    flow_run_commands,
    author_commands,
    catalog_commands,
    memory_commands,
    model_commands,
    instance_commands,
    key_commands,
    schedule_commands,
    webhook_commands,
    completion_commands,
    NULL,
};
/* clang-format on */

const struct command *command_find(const char *group, const char *name)
{
    COMMAND_EACH(c)
    if (strcmp(c->name, name) == 0 &&
        (c->group && group ? strcmp(c->group, group) == 0 : c->group == group))
        return c;
    return NULL;
}

bool command_group_is_known(const char *group)
{
    COMMAND_EACH(c)
    if (c->group && strcmp(c->group, group) == 0)
        return true;
    return false;
}

/* ---- help ---- */

static void line_print(FILE *to, const char *line, const char *summary)
{
    fputs("  ", to);
    text_pad(to, line, 44);
    fprintf(to, " %s\n", summary);
}

static void command_line(FILE *to, const struct command *c)
{
    char line[128];
    snprintf(line, sizeof(line), "sluice %s%s%s %s", c->group ? c->group : "", c->group ? " " : "",
             c->name, c->words);
    line_print(to, line, T(c->summary));
}

void help_all(FILE *to)
{
    fprintf(to, "%s\n\n", T("Sluice runs agent workflows that people watch live."));
    line_print(to, "sluice serve", T("run a server (sluice serve --help)"));
    line_print(to, "sluice migrate up|down|status|to N", T("bring a store up to date"));
    line_print(to, "sluice backup FILE", T("copy the SQLite store while it is used"));
    line_print(to, "sluice copy --from URL --to URL", T("move between SQLite and PostgreSQL"));
    const struct command *last = NULL;
    COMMAND_EACH(c)
    {
        if (!last || !last->group || !c->group || strcmp(last->group, c->group) != 0)
            fputc('\n', to);
        command_line(to, c);
        last = c;
    }
    fprintf(
        to, "\n  sluice version\n\n%s",
        T("SESSION is an id, a name, the beginning of one, or last; where it stands in brackets\n"
          "it is the active session when it is left out. Every command takes\n"
          "--server URL (or SLUICE_URL), --key KEY (or SLUICE_KEY), --json, --lang en|zh and "
          "--help.\n\n"
          "Exit codes: 0 done, 1 the session failed, 2 wrong usage or refused input, 3 not "
          "found,\n"
          "4 wrong state, 5 server unreachable, 6 not allowed, 130 detached by Ctrl-C.\n"));
}

static void options_print(FILE *to, const struct option_def *d)
{
    for (; d->name; d++) {
        char name[64];
        snprintf(name, sizeof(name), "--%s%s%s", d->name, d->value ? " " : "",
                 d->value ? d->value : "");
        fprintf(to, "  %-24s %s\n", name, T(d->help));
    }
}

void help_command(FILE *to, const struct command *c)
{
    fprintf(to, "sluice %s%s%s %s: %s\n\n", c->group ? c->group : "", c->group ? " " : "", c->name,
            c->words, T(c->summary));
    options_print(to, c->options);
    options_print(to, global_options);
}

void help_group(FILE *to, const char *group)
{
    COMMAND_EACH(c)
    if (c->group && strcmp(c->group, group) == 0)
        command_line(to, c);
}
