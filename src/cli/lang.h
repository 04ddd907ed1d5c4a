/* The language of what people read: English, or Chinese (Simplified).
 *
 * What is printed for people stands in the source in English, as T("…"). Its translation stands in
 * the lang_zh_*.c of its area, sorted by the English text. A test (test_cli_lang.c) fails for a
 * text without a translation, for a translation that nobody uses, and where the two take different
 * arguments. The texts of the command tables are translated where they are printed. JSON is never
 * translated, nor are the server's sentences.
 */
#ifndef SLUICE_CLI_LANG_H
#define SLUICE_CLI_LANG_H

#include <stddef.h>

enum lang { LANG_EN, LANG_ZH };

struct lang_entry {
    const char *en; /* NULL ends a table */
    const char *zh; /* may take the arguments in another order: %2$s */
};

/* By `--lang` in argv, else SLUICE_LANG, else the locale (LC_ALL, LC_MESSAGES, LANG): what begins
 * with "zh" is Chinese, everything else English. */
void lang_init(int argc, char *const *argv);
void lang_set(enum lang lang);
enum lang lang_get(void);
/* The text in the language that was set; en itself where there is no translation. */
const char *T(const char *en) __attribute__((format_arg(1)));
/* Marks a text that is translated later, by T(), where it is printed. */
#define N_(text) text

/* Every table, for T() and its test; NULL ends it. */
extern const struct lang_entry *const lang_zh_tables[];

#endif
