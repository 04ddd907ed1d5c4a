/* The tables of commands. Each file of commands has one; the help, the completion of shells and the
 * man pages are made of them. */
#ifndef SLUICE_CLI_COMMANDS_H
#define SLUICE_CLI_COMMANDS_H

#include <stdio.h>

#include "cli/args.h"
#include "cli/client.h"

struct command {
    const char *group; /* "session"; NULL: a command of its own */
    const char *name;  /* NULL ends a table */
    const char *words; /* what follows, for the help: "SESSION NODE" */
    const char *summary;
    const struct option_def *options;
    int words_min, words_max;
    int (*run)(struct client *c, const struct args *a); /* the exit code */
};

#define SERVER_DEFAULT "http://127.0.0.1:8080"

extern const struct option_def no_options[];
extern const struct option_def global_options[];
/* In the order of the help; NULL ends it. What belongs to one group stands together. */
extern const struct command *const command_tables[];

extern const struct command run_commands[];
extern const struct command session_show_commands[];
extern const struct command begin_commands[]; /* session create */
extern const struct command live_commands[];
extern const struct command stats_commands[];
extern const struct command session_commands[];
extern const struct command fork_commands[];
extern const struct command portable_commands[];
extern const struct command stage_commands[];
extern const struct command review_commands[];
extern const struct command flow_commands[];
extern const struct command flow_people_commands[];
extern const struct command flow_run_commands[];
extern const struct command author_commands[];
extern const struct command catalog_commands[];
extern const struct command memory_commands[];
extern const struct command model_commands[];
extern const struct command instance_commands[];
extern const struct command key_commands[];
extern const struct command schedule_commands[]; /* and audit */
extern const struct command webhook_commands[];  /* and status */
extern const struct command completion_commands[];

/* Walks all commands, as `for` does; a break leaves one table only. */
#define COMMAND_EACH(c)                                                                            \
    for (const struct command *const *table_ = command_tables; *table_; table_++)                  \
        for (const struct command *c = *table_; c->name; c++)

/* group may be NULL. NULL: there is none. */
const struct command *command_find(const char *group, const char *name);
bool command_group_is_known(const char *group);

void help_all(FILE *to);
void help_command(FILE *to, const struct command *c);
void help_group(FILE *to, const char *group);

#endif
