/* Arguments of one command, by a table of its options. Options and words may come in any order;
 * `--name value`, `--name=value`; `--` ends the options. */
#ifndef SLUICE_CLI_ARGS_H
#define SLUICE_CLI_ARGS_H

#include <stdbool.h>

#include "base/err.h"

#define ARGS_MAX 256 /* words, and options, of one command */

struct option_def {
    const char *name;  /* without the dashes; NULL ends a table */
    const char *value; /* what stands for its value in the help; NULL: it takes none */
    const char *help;
    bool repeats;
};

struct args {
    const char *group;   /* "session"; NULL: a command of its own */
    const char *command; /* its own word, "pause" of "session pause" */
    const char *words[ARGS_MAX];
    int word_count;
    struct {
        const struct option_def *def;
        const char *value; /* "" when it takes none */
    } options[ARGS_MAX];
    int option_count;
};

/* Tables are looked through in order. ERR_INVALID: e says what is wrong. Points into argv. */
int args_parse(struct args *a, int argc, char *const *argv, const struct option_def *const *tables,
               struct errbuf *e);
/* The value (the last one given), or NULL. */
const char *args_get(const struct args *a, const char *name);
bool args_has(const struct args *a, const char *name);
/* The i-th value of an option that repeats, or NULL. */
const char *args_nth(const struct args *a, const char *name, int i);

#endif
