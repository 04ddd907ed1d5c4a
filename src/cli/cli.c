#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"

#define SERVER_DEFAULT "http://127.0.0.1:8080"

static const struct option_def global_options[] = {
    {"server", "URL", "the server; else SLUICE_URL, else " SERVER_DEFAULT, false},
    {"key", "KEY", "the API key; else SLUICE_KEY", false},
    {"json", NULL, "JSON on standard output, for programs", false},
    {"help", NULL, "this text", false},
    {0},
};
static const struct option_def no_options[] = {{0}};
static const struct option_def run_options[] = {
    {"input", "KEY=VALUE", "one member of the input; may be repeated", true},
    {"input-json", "FILE", "the input as JSON; - is standard input", false},
    {"attach", "FILE", "a text file for the session; may be repeated", true},
    {"name", "NAME", "a name for the session", false},
    {"detach", NULL, "start it and print its id, do not follow it", false},
    {0},
};
static const struct option_def session_messages_options[] = {
    {"node", "ID", "only what this node said", false},
    {"agent", "ID", "only what this agent said", false},
    {0},
};
static const struct option_def session_list_options[] = {
    {"status", "STATUS", "only those with this status", false},
    {"workflow", "ID", "only those of this workflow", false},
    {"q", "TEXT", "only those with this in their name", false},
    {"limit", "N", "at most so many (30)", false},
    {0},
};
static const struct option_def watch_options[] = {
    {"after", "N", "only the events after this one", false},
    {0},
};
static const struct option_def pause_options[] = {
    {"reason", "TEXT", "why", false},
    {"mode", "MODE", "buffer (default) what the model still sends, or hold the model back", false},
    {"timers", "HOW", "freeze (default) or run", false},
    {0},
};
static const struct option_def resume_options[] = {
    {"budget-tokens", "N", "raise the session's budget to so many tokens", false},
    {"budget-usd", "X", "raise it to so many dollars", false},
    {"justification", "TEXT", "why it may go on, when a breaker has tripped", false},
    {0},
};
static const struct option_def cancel_options[] = {
    {"reason", "TEXT", "why", false},
    {0},
};
static const struct option_def fork_options[] = {
    {"after", "N", "go on from after this event", false},
    {"node", "NODE", "go on from before this node was started last", false},
    {"input", "KEY=VALUE", "another input: one member of it; may be repeated", true},
    {"input-json", "FILE", "another input as JSON; - is standard input", false},
    {"var", "NAME=VALUE", "another value of a variable; may be repeated", true},
    {0},
};
static const struct option_def retry_options[] = {
    {"node", "NODE", "the node to begin again with; else the one that failed", false},
    {0},
};
static const struct option_def session_delete_options[] = {
    {"force", NULL, "cancel it first when it is live", false},
    {0},
};
static const struct option_def answer_options[] = {
    {"data", "JSON", "what goes with the action, as {\"content\": \"…\"} with modify", false},
    {"comment", "TEXT", "a comment, as data.comment", false},
    {"reviewer", "NAME", "who answers", false},
    {"interrupt", "ID", "answer this interrupt only", false},
    {0},
};
static const struct option_def review_answer_options[] = {
    {"data", "JSON", "what goes with the action", false},
    {"comment", "TEXT", "a comment, as data.comment", false},
    {"reviewer", "NAME", "who answers", false},
    {0},
};
static const struct option_def review_list_options[] = {
    {"status", "STATUS", "pending (default), answered, expired, cancelled or all", false},
    {"kind", "KIND", "approve_reject, edit_content, form, user_input or stage", false},
    {"session", "SESSION", "only those of this session", false},
    {"limit", "N", "at most so many (100)", false},
    {0},
};
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

static const struct option_def flow_diagram_options[] = {
    {"format", "FORMAT", "mermaid (default), dot or json", false},
    {"session", "SESSION", "colour it by how far this session is", false},
    {"version", "N", "this version instead of the newest", false},
    {0},
};

static const struct option_def flow_estimate_options[] = {
    {"input", "KEY=VALUE", "one member of the input; may be repeated", true},
    {"input-json", "FILE", "the input as JSON; - is standard input", false},
    {"version", "N", "this version instead of the newest", false},
    {0},
};

static const struct option_def flow_generate_options[] = {
    {"output", "FILE", "write the definition there instead of showing it", false},
    {"provider", "ID", "of the model", false},
    {"model", "NAME", "the model; else the server's default one", false},
    {0},
};

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

static const struct option_def memory_ingest_options[] = {
    {"agent", "ID", "the agent that it belongs to; else the group", false},
    {"session", "SESSION", "the session that it comes from", false},
    {"tier", "TIER", "quarantine, working (default) or long_term", false},
    {"metadata", "JSON", "an object that is kept with it", false},
    {0},
};
static const struct option_def memory_query_options[] = {
    {"agent", "ID", "only what belongs to this agent", false},
    {"tier", "TIER", "only this tier; may be repeated", true},
    {"days", "N", "nothing older than that", false},
    {"min-score", "X", "nothing below that, 0 to 1", false},
    {"limit", "N", "at most so many (5)", false},
    {0},
};
static const struct option_def memory_list_options[] = {
    {"group", "ID", "only those of this group", false},
    {"agent", "ID", "only those of this agent", false},
    {"tier", "TIER", "only this tier", false},
    {"session", "SESSION", "only those of this session", false},
    {"limit", "N", "at most so many (50)", false},
    {0},
};

static const struct command {
    const char *group; /* "session"; NULL: a command of its own */
    const char *name;
    const char *words; /* for the help */
    const char *summary;
    const struct option_def *options;
    int words_min, words_max;
    int (*run)(struct client *c, const struct args *a);
} commands[] = {
    {NULL, "run", "FILE|ID", "start a session and follow it", run_options, 1, 1, run_command},
    {"session", "list", "", "the newest sessions", session_list_options, 0, 0,
     session_list_command},
    {"session", "show", "SESSION", "one session and its nodes", no_options, 1, 1,
     session_show_command},
    {"session", "watch", "SESSION", "follow it, from its beginning", watch_options, 1, 1,
     session_watch_command},
    {"session", "pause", "SESSION", "stop it between two tokens", pause_options, 1, 1,
     session_move_command},
    {"session", "resume", "SESSION", "go on", resume_options, 1, 1, session_move_command},
    {"session", "cancel", "SESSION", "end it", cancel_options, 1, 1, session_move_command},
    {"session", "abort", "SESSION", "the same as cancel", cancel_options, 1, 1,
     session_move_command},
    {"session", "fork", "SESSION", "a new session that goes on from a point of this one",
     fork_options, 1, 1, session_fork_command},
    {"session", "retry", "SESSION", "a new session that goes on from the failed node",
     retry_options, 1, 1, session_fork_command},
    {"session", "delete", "SESSION", "remove it with all it has", session_delete_options, 1, 1,
     session_delete_command},
    {"session", "answer", "SESSION NODE ACTION", "answer a node that waits", answer_options, 3, 3,
     session_answer_command},
    {"session", "input", "SESSION TEXT", "say something into it; - reads standard input",
     no_options, 2, ARGS_MAX, session_input_command},
    {"session", "messages", "SESSION", "the conversation", session_messages_options, 1, 1,
     session_messages_command},
    {"review", "list", "", "what people are asked, the oldest first", review_list_options, 0, 0,
     review_list_command},
    {"review", "show", "ID", "one question, with its draft or its items", no_options, 1, 1,
     review_show_command},
    {"review", "answer", "ID ACTION", "answer it", review_answer_options, 2, 2,
     review_answer_command},
    {"flow", "list", "", "the workflows of the server", flow_list_options, 0, 0, flow_list_command},
    {"flow", "show", "ID", "one workflow and its nodes", flow_show_options, 1, 1,
     flow_show_command},
    {"flow", "validate", "FILE", "every error and warning of a file", no_options, 1, 1,
     flow_validate_command},
    {"flow", "create", "FILE", "store a new workflow", no_options, 1, 1, flow_create_command},
    {"flow", "update", "[ID] FILE", "store a new version", no_options, 1, 2, flow_update_command},
    {"flow", "delete", "ID", "remove it; its sessions go on", no_options, 1, 1,
     flow_delete_command},
    {"flow", "diagram", "[FILE|ID]", "draw it, or what a session runs", flow_diagram_options, 0, 1,
     flow_diagram_command},
    {"flow", "estimate", "FILE|ID", "what a run will probably cost", flow_estimate_options, 1, 1,
     flow_estimate_command},
    {"flow", "generate", "SENTENCE", "a workflow by a model", flow_generate_options, 1, ARGS_MAX,
     flow_generate_command},
    {"flow", "schema", "", "the JSON Schema of workflow files, for editors", no_options, 0, 0,
     flow_schema_command},
    CATALOG_COMMANDS("agent", "an", "remove it, unless it is in use", no_options),
    CATALOG_COMMANDS("group", "a", "remove it, unless it is in use", no_options),
    CATALOG_COMMANDS("template", "a", "remove it; workflows made of it stay",
                     template_show_options),
    {"template", "instantiate", "ID", "store a workflow made of it", template_instantiate_options,
     1, 1, template_instantiate_command},
    {"template", "save", "WORKFLOW", "store a workflow as a template", template_save_options, 1, 1,
     template_save_command},
    {"memory", "ingest", "GROUP FILE", "remember a text; - is standard input",
     memory_ingest_options, 2, 2, memory_ingest_command},
    {"memory", "query", "GROUP QUESTION", "what a group remembers", memory_query_options, 2,
     ARGS_MAX, memory_query_command},
    {"memory", "list", "", "memories, the newest first", memory_list_options, 0, 0,
     memory_list_command},
    {"memory", "promote", "MEMORY TIER", "move it to another tier", no_options, 2, 2,
     memory_promote_command},
    {"memory", "delete", "MEMORY", "forget a chunk, or a whole text", no_options, 1, 1,
     memory_delete_command},
    {"model", "list", "", "the models that may be chosen", no_options, 0, 0, model_list_command},
    {"model", "providers", "", "who is asked, and how busy they are", no_options, 0, 0,
     model_providers_command},
    {"model", "prices", "", "what models cost", no_options, 0, 0, model_prices_command},
    {"instance", "list", "", "the servers that share this one's store", no_options, 0, 0,
     instance_list_command},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- help ---- */

static void command_line(FILE *to, const struct command *c)
{
    char line[128];
    snprintf(line, sizeof(line), "sluice %s%s%s %s", c->group ? c->group : "", c->group ? " " : "",
             c->name, c->words);
    fprintf(to, "  %-44s %s\n", line, c->summary);
}

static void help_all(FILE *to)
{
    fputs("Sluice runs agent workflows that people watch live.\n\n"
          "  sluice serve                                 run a server (sluice serve --help)\n"
          "  sluice migrate up|down|status|to N           bring a store up to date\n"
          "  sluice backup FILE                           copy the SQLite store while it is used\n"
          "  sluice copy --from URL --to URL              move between SQLite and PostgreSQL\n\n",
          to);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (i && commands[i].group != commands[i - 1].group)
            fputc('\n', to);
        command_line(to, &commands[i]);
    }
    fputs("\n  sluice version\n\n"
          "SESSION is an id, its first characters (4 or more), or last. Every command takes\n"
          "--server URL (or SLUICE_URL), --key KEY (or SLUICE_KEY), --json and --help.\n\n"
          "Exit codes: 0 done, 1 the session failed, 2 wrong usage or refused input, 3 not found,\n"
          "4 wrong state, 5 server unreachable, 6 not allowed, 130 detached by Ctrl-C.\n",
          to);
}

static void options_print(FILE *to, const struct option_def *d)
{
    for (; d->name; d++) {
        char name[64];
        snprintf(name, sizeof(name), "--%s%s%s", d->name, d->value ? " " : "",
                 d->value ? d->value : "");
        fprintf(to, "  %-24s %s\n", name, d->help);
    }
}

static void help_command(FILE *to, const struct command *c)
{
    fprintf(to, "sluice %s%s%s %s: %s\n\n", c->group ? c->group : "", c->group ? " " : "", c->name,
            c->words, c->summary);
    options_print(to, c->options);
    options_print(to, global_options);
}

static bool help_group(FILE *to, const char *group)
{
    bool found = false;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!commands[i].group || strcmp(commands[i].group, group) != 0)
            continue;
        command_line(to, &commands[i]);
        found = true;
    }
    return found;
}

/* ---- finding and running ---- */

static const struct command *command_find(const char *group, const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *g = commands[i].group;
        if (strcmp(commands[i].name, name) == 0 &&
            (g && group ? strcmp(g, group) == 0 : g == group))
            return &commands[i];
    }
    return NULL;
}

static int usage_tell(const struct command *c, const char *sentence)
{
    client_complain("%s", sentence);
    if (c) {
        fprintf(stderr, "usage: sluice %s%s%s %s\n", c->group ? c->group : "", c->group ? " " : "",
                c->name, c->words);
        fprintf(stderr, "try: sluice %s%s%s --help\n", c->group ? c->group : "",
                c->group ? " " : "", c->name);
    } else {
        fputs("try: sluice help\n", stderr);
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

static int command_run(const struct command *cmd, int argc, char *const *argv)
{
    const struct option_def *const tables[] = {cmd->options, global_options, NULL};
    static struct args a; /* large, and there is one command a process */
    struct errbuf e = {{0}};
    if (args_parse(&a, argc, argv, tables, &e))
        return usage_tell(cmd, e.text);
    a.group = cmd->group;
    a.command = cmd->name;
    if (args_has(&a, "help")) {
        help_command(stdout, cmd);
        return EXIT_DONE;
    }
    if (a.word_count < cmd->words_min)
        return usage_tell(cmd, a.word_count ? "something is missing" : "what?");
    if (a.word_count > cmd->words_max)
        return usage_tell(cmd, "too many words");
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

static bool group_is_known(const char *word)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].group && strcmp(commands[i].group, word) == 0)
            return true;
    return false;
}

static int group_run(int argc, char **argv)
{
    const char *group = argv[1], *name = argc > 2 ? argv[2] : "--help";
    char sentence[160];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        help_group(stdout, group);
        return EXIT_DONE;
    }
    const struct command *cmd = command_find(group, name);
    if (cmd)
        return command_run(cmd, argc - 3, argv + 3);
    snprintf(sentence, sizeof(sentence), "sluice %s has no command \"%.60s\"", group, name);
    usage_tell(NULL, sentence);
    help_group(stderr, group);
    return EXIT_USAGE;
}

int cli_main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    char sentence[128];
    if (!*first) {
        help_all(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(first, "help") == 0 || strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        help_all(stdout);
        return EXIT_DONE;
    }
    if (strcmp(first, "version") == 0 || strcmp(first, "--version") == 0) {
        printf("sluice %s\n", SLUICE_VERSION);
        return EXIT_DONE;
    }
    if (group_is_known(first))
        return group_run(argc, argv);
    const struct command *cmd = command_find(NULL, first);
    if (cmd)
        return command_run(cmd, argc - 2, argv + 2);
    snprintf(sentence, sizeof(sentence), "there is no command \"%.60s\"", first);
    return usage_tell(NULL, sentence);
}
