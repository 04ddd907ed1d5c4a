#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/lang.h"
#include "cli/man.h"

static int usage_tell(const struct command *c, const char *sentence)
{
    client_complain("%s", sentence);
    if (c) {
        fprintf(stderr, T("usage: sluice %s%s%s %s\n"), c->group ? c->group : "",
                c->group ? " " : "", c->name, c->words);
        fprintf(stderr, T("try: sluice %s%s%s --help\n"), c->group ? c->group : "",
                c->group ? " " : "", c->name);
    } else {
        fprintf(stderr, "%s", T("try: sluice help\n"));
    }
    return EXIT_USAGE;
}

static const char *setting(const struct args *a, const char *option, const char *variable,
                           const char *fallback)
{
    const char *given = args_get(a, option);
    if (!given)
        given = getenv(variable);
    return given && *given ? given : fallback;
}

/* What stands before the command: global options. */
struct leading {
    int argc;
    char *const *argv;
};

static int command_run(const struct command *cmd, const struct leading *lead, int argc,
                       char *const *argv)
{
    const struct option_def *const tables[] = {cmd->options, global_options, NULL};
    static struct args a; /* large, and there is one command a process */
    struct errbuf e = {{0}};
    if (args_parse(&a, lead->argc, lead->argv, tables, &e) ||
        args_parse(&a, argc, argv, tables, &e))
        return usage_tell(cmd, e.text);
    const char *lang = args_get(&a, "lang");
    if (lang && strcmp(lang, "en") != 0 && strncmp(lang, "zh", 2) != 0)
        return usage_tell(cmd, T("--lang: expected en or zh"));
    a.group = cmd->group;
    a.command = cmd->name;
    if (args_has(&a, "help")) {
        help_command(stdout, cmd);
        return EXIT_DONE;
    }
    if (a.word_count < cmd->words_min)
        return usage_tell(cmd, a.word_count ? T("something is missing") : T("what?"));
    if (a.word_count > cmd->words_max)
        return usage_tell(cmd, T("too many words"));
    struct client c = {.json = args_has(&a, "json")};
    term_init(&c.out, stdout);
    /* A pipe that closes early is seen by ferror(); a socket that does, by curl. */
    signal(SIGPIPE, SIG_IGN);
    c.http = http_create(setting(&a, "server", "SLUICE_URL", SERVER_DEFAULT),
                         setting(&a, "key", "SLUICE_KEY", NULL));
    int rc = cmd->run(&c, &a);
    fflush(stdout);
    http_destroy(c.http);
    return rc;
}

static bool word_asks_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int group_run(const struct leading *lead, int argc, char *const *argv)
{
    const char *group = argv[0], *name = argc > 1 ? argv[1] : "help";
    char sentence[256];
    if (word_asks_help(name)) {
        help_group(stdout, group);
        return EXIT_DONE;
    }
    const struct command *cmd = command_find(group, name);
    if (cmd)
        return command_run(cmd, lead, argc - 2, argv + 2);
    snprintf(sentence, sizeof(sentence), T("sluice %s has no command \"%.60s\""), group, name);
    usage_tell(NULL, sentence);
    help_group(stderr, group);
    return EXIT_USAGE;
}

/* How many of the words are global options with their values. */
static int leading_count(int argc, char *const *argv)
{
    int n = 0;
    while (n < argc && strncmp(argv[n], "--", 2) == 0) {
        const struct option_def *d = global_options;
        size_t length = strcspn(argv[n] + 2, "=");
        while (d->name && !(strlen(d->name) == length && !strncmp(d->name, argv[n] + 2, length)))
            d++;
        if (!d->name || strcmp(d->name, "help") == 0)
            break;
        n += d->value && !argv[n][2 + length] ? 2 : 1;
    }
    return n < argc ? n : argc;
}

/* `help`, `help session`, `help session pause`; `help --man [session]` as a manual page. */
static int help_run(int words, char *const *rest)
{
    bool man = words > 1 && strcmp(rest[1], "--man") == 0;
    const char *group = words > 1 + man ? rest[1 + man] : NULL;
    const char *name = group && words > 2 + man ? rest[2 + man] : NULL;
    char sentence[256];
    if (group && strncmp(group, "--", 2) == 0)
        group = name = NULL; /* --lang, that was heard */
    if (name && strncmp(name, "--", 2) == 0)
        name = NULL;
    const struct command *cmd =
        name ? command_find(group, name) : command_find(NULL, group ? group : "");
    bool known = !group || command_group_is_known(group) || cmd;
    if (!known || (name && !cmd)) {
        snprintf(sentence, sizeof(sentence), T("there is no command \"%.60s\""),
                 name ? name : group);
        return usage_tell(NULL, sentence);
    }
    if (man)
        man_page(stdout, group);
    else if (cmd)
        help_command(stdout, cmd);
    else if (group)
        help_group(stdout, group);
    else
        help_all(stdout);
    return EXIT_DONE;
}

int cli_main(int argc, char **argv)
{
    int skip = leading_count(argc - 1, argv + 1);
    struct leading lead = {skip, argv + 1};
    int words = argc - 1 - skip;
    char *const *rest = argv + 1 + skip;
    char sentence[256];
    lang_init(argc, argv);
    if (words < 1) {
        help_all(stderr);
        return EXIT_USAGE;
    }
    if (word_asks_help(rest[0]))
        return help_run(words, rest);
    if (strcmp(rest[0], "version") == 0 || strcmp(rest[0], "--version") == 0) {
        printf("sluice %s\n", SLUICE_VERSION);
        return EXIT_DONE;
    }
    if (words > 1 && strcmp(rest[0], "flow") == 0 && strcmp(rest[1], "session") == 0) {
        words--; /* as it was called elsewhere */
        rest++;
    }
    if (command_group_is_known(rest[0]))
        return group_run(&lead, words, rest);
    const struct command *cmd = command_find(NULL, rest[0]);
    if (cmd)
        return command_run(cmd, &lead, words - 1, rest + 1);
    snprintf(sentence, sizeof(sentence), T("there is no command \"%.60s\""), rest[0]);
    return usage_tell(NULL, sentence);
}
