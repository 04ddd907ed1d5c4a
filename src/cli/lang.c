#include "cli/lang.h"

#include <stdlib.h>
#include <string.h>

#include "cli/lang_zh.h"

/* One a line, for merges. */
/* clang-format off */
const struct lang_entry *const lang_zh_tables[] = {
    lang_zh_catalog,
    lang_zh_core,
    lang_zh_errors,
    lang_zh_flow,
    lang_zh_follow,
    lang_zh_man,
    lang_zh_memory,
    lang_zh_portable,
    lang_zh_key,
    lang_zh_schedule,
    lang_zh_server,
    lang_zh_session,
    lang_zh_stage,
    lang_zh_webhook,
    NULL,
};
/* clang-format on */

static enum lang current;

/* The value of --lang among the arguments, or NULL. It is looked for before they are parsed: what
 * is wrong with them is told in that language, too. */
static const char *lang_given(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--lang=", 7) == 0)
            return argv[i] + 7;
        if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc)
            return argv[i + 1];
    }
    return NULL;
}

void lang_init(int argc, char *const *argv)
{
    static const char *const variables[] = {"SLUICE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
    const char *name = lang_given(argc, argv);
    for (size_t i = 0; !(name && *name) && i < sizeof(variables) / sizeof(variables[0]); i++)
        name = getenv(variables[i]);
    current = name && strncmp(name, "zh", 2) == 0 ? LANG_ZH : LANG_EN;
}

void lang_set(enum lang lang)
{
    current = lang;
}

enum lang lang_get(void)
{
    return current;
}

static const char *entry_find(const struct lang_entry *e, const char *en)
{
    int order = -1;
    for (; e->en && (order = strcmp(e->en, en)) < 0; e++)
        ;
    return e->en && order == 0 ? e->zh : NULL;
}

const char *T(const char *en)
{
    const char *zh = NULL;
    for (size_t i = 0; current == LANG_ZH && !zh && lang_zh_tables[i]; i++)
        zh = entry_find(lang_zh_tables[i], en);
    return zh ? zh : en;
}
