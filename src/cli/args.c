#include "cli/args.h"
#include "cli/lang.h"

#include <string.h>

static const struct option_def *option_find(const struct option_def *const *tables,
                                            const char *name, size_t n)
{
    for (; *tables; tables++)
        for (const struct option_def *d = *tables; d->name; d++)
            if (strlen(d->name) == n && memcmp(d->name, name, n) == 0)
                return d;
    return NULL;
}

static int option_add(struct args *a, const struct option_def *def, const char *value,
                      struct errbuf *e)
{
    if (a->option_count == ARGS_MAX)
        return err_set(e, ERR_INVALID, T("more than %d options"), ARGS_MAX);
    if (!def->repeats && args_has(a, def->name))
        return err_set(e, ERR_INVALID, T("--%s is given twice"), def->name);
    a->options[a->option_count].def = def;
    a->options[a->option_count++].value = value;
    return 0;
}

/* One option; *i moves on when its value is the next word. */
static int option_parse(struct args *a, int argc, char *const *argv, int *i,
                        const struct option_def *const *tables, struct errbuf *e)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_def *def = option_find(tables, name, n);
    if (!def)
        return err_set(e, ERR_INVALID, T("unknown option --%.*s"), (int)(n > 64 ? 64 : n), name);
    if (!def->value)
        return equals ? err_set(e, ERR_INVALID, T("--%s takes no value"), def->name)
                      : option_add(a, def, "", e);
    if (equals)
        return option_add(a, def, equals + 1, e);
    if (*i + 1 >= argc)
        return err_set(e, ERR_INVALID, T("--%s needs a value, %s"), def->name, def->value);
    return option_add(a, def, argv[++*i], e);
}

int args_parse(struct args *a, int argc, char *const *argv, const struct option_def *const *tables,
               struct errbuf *e)
{
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        int rc = 0;
        if (!only_words && strcmp(arg, "--") == 0)
            only_words = true;
        else if (!only_words && arg[0] == '-' && arg[1] == '-')
            rc = option_parse(a, argc, argv, &i, tables, e);
        else if (!only_words && strcmp(arg, "-h") == 0)
            rc = option_add(a, option_find(tables, "help", 4), "", e);
        else if (!only_words && arg[0] == '-' && arg[1] && (arg[1] < '0' || arg[1] > '9'))
            rc = err_set(e, ERR_INVALID, T("unknown option %.66s"), arg);
        else if (a->word_count == ARGS_MAX)
            rc = err_set(e, ERR_INVALID, T("more than %d words"), ARGS_MAX);
        else
            a->words[a->word_count++] = arg;
        if (rc)
            return rc;
    }
    return 0;
}

const char *args_get(const struct args *a, const char *name)
{
    for (int i = a->option_count; i-- > 0;)
        if (strcmp(a->options[i].def->name, name) == 0)
            return a->options[i].value;
    return NULL;
}

bool args_has(const struct args *a, const char *name)
{
    return args_get(a, name) != NULL;
}

const char *args_nth(const struct args *a, const char *name, int n)
{
    for (int i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].def->name, name) == 0 && n-- == 0)
            return a->options[i].value;
    return NULL;
}
