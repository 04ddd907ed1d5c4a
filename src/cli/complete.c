#include "cli/complete.h"

#include <string.h>
#include <strings.h>

#include "cli/commands.h"
#include "cli/lang.h"

struct completion {
    const char *word; /* what is to be completed */
    size_t skip;      /* bytes of a candidate's place that stand already: "--format=" */
    void (*fetch)(void *data, const char *kind, complete_cb *give, void *to);
    complete_cb *give;
    void *data;
    bool files;
};

static void offer(void *data, const char *word, const char *about)
{
    struct completion *c = data;
    if (strncasecmp(word, c->word + c->skip, strlen(c->word + c->skip)) == 0)
        c->give(c->data, word, about);
}

/* ---- values ---- */

/* Words that an option takes; a command's own row stands before that for all. */
static const struct {
    const char *command; /* NULL: any */
    const char *option, *words;
} option_words[] = {
    {"export", "format", "yaml json"},
    {NULL, "format", "mermaid dot json"},
    {NULL, "lang", "en zh"},
    {NULL, "mode", "buffer hold"},
    {NULL, "timers", "freeze run"},
    {NULL, "tier", "quarantine working long_term"},
    {NULL, "role", "viewer operator editor admin"},
    {NULL, "missed", "skip once all"},
    {NULL, "overlap", "allow skip cancel"},
    {NULL, "as", "native staged"},
    {NULL, "kind", "approve_reject edit_content form user_input stage"},
};
static const char session_states[] = "pending running paused completed failed cancelled";
static const char entry_states[] = "PENDING IN_PROGRESS ON_HOLD COMPLETED FAILED CANCELED";
static const char review_states[] = "pending answered expired cancelled all";

/* What an operand of the help stands for. */
static const struct {
    const char *group; /* NULL: any */
    const char *operand, *kind;
} kinds[] = {
    {NULL, "SESSION", "session"},
    {NULL, "WORKFLOW", "workflow"},
    {NULL, "WORKFLOW[:STAGE]", "workflow"},
    {NULL, "STAGE", "stage"},
    {NULL, "GROUP", "group"},
    {"flow", "ID", "workflow"},
    {NULL, "FILE|ID", "workflow"},
    {"agent", "ID", "agent"},
    {"group", "ID", "group"},
    {"template", "ID", "template"},
    {"review", "ID", "review"},
    {NULL, "SCHEDULE", "schedule"},
    {NULL, "WEBHOOK", "webhook"},
};

static void words_offer(struct completion *c, const char *words)
{
    char word[32];
    for (const char *p = words; *p;) {
        size_t n = strcspn(p, " ");
        snprintf(word, sizeof(word), "%.*s", (int)n, p);
        offer(c, word, "");
        p += n;
        p += *p == ' ';
    }
}

/* "[SESSION]", "FILE|ID" or "ITEM…", without its brackets. */
static void placeholder_offer(struct completion *c, const char *group, const char *text, size_t n)
{
    char name[32];
    if (n && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    snprintf(name, sizeof(name), "%.*s", (int)n, text);
    if (strcmp(name, "STATUS") == 0 && group && strcmp(group, "status") == 0)
        words_offer(c, entry_states);
    if (strncmp(name, "FILE", 4) == 0 || strstr(name, "|FILE"))
        c->files = true;
    for (size_t i = 0; c->fetch && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].operand, name) != 0 ||
            (kinds[i].group && !(group && strcmp(kinds[i].group, group) == 0)))
            continue;
        c->fetch(c->data, kinds[i].kind, offer, c);
        return;
    }
}

static const char *states_of(const char *group)
{
    return strcmp(group, "review") == 0   ? review_states
           : strcmp(group, "status") == 0 ? entry_states
                                          : session_states;
}

static void value_offer(struct completion *c, const struct command *cmd, const struct option_def *d)
{
    for (size_t i = 0; i < sizeof(option_words) / sizeof(option_words[0]); i++) {
        if (strcmp(option_words[i].option, d->name) != 0 ||
            (option_words[i].command && strcmp(option_words[i].command, cmd->name) != 0))
            continue;
        words_offer(c, option_words[i].words);
        return;
    }
    if (strcmp(d->name, "status") == 0)
        words_offer(c, states_of(cmd->group ? cmd->group : ""));
    else if (strcmp(d->name, "workflow") == 0)
        placeholder_offer(c, "flow", "ID", 2);
    else if (strcmp(d->name, "agent") == 0 || strcmp(d->name, "group") == 0)
        placeholder_offer(c, d->name, "ID", 2);
    else
        placeholder_offer(c, NULL, d->value, strlen(d->value));
}

/* ---- where the cursor is ---- */

static const struct option_def *option_of(const struct option_def *d, const char *word)
{
    size_t n = strcspn(word, "=");
    for (; d->name; d++)
        if (strlen(d->name) == n && strncmp(d->name, word, n) == 0)
            return d;
    return NULL;
}

/* The option that a word names, with its dashes; NULL: none that is known. */
static const struct option_def *option_named(const struct command *cmd, const char *word)
{
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    const struct option_def *d = cmd ? option_of(cmd->options, word + 2) : NULL;
    return d ? d : option_of(global_options, word + 2);
}

static void options_offer(struct completion *c, const struct option_def *d)
{
    char word[64];
    for (; d->name; d++) {
        snprintf(word, sizeof(word), "--%s", d->name);
        offer(c, word, T(d->help));
    }
}

/* The word itself, or its i-th operand; the last one may be repeated. */
static void position_offer(struct completion *c, const struct command *cmd, int position)
{
    const char *p = cmd->words;
    size_t n = strcspn(p, " ");
    if (cmd->words_max <= position)
        return;
    for (; position > 0 && p[n]; position--) {
        p += n + 1;
        n = strcspn(p, " ");
    }
    placeholder_offer(c, cmd->group, p, n);
}

static void command_offer(struct completion *c, const struct command *cmd, int count,
                          const char *const *words)
{
    int position = 0;
    for (int i = 0; i + 1 < count; i++) {
        const struct option_def *d = option_named(cmd, words[i]);
        bool takes_next = d && d->value && !strchr(words[i], '=');
        if (takes_next && i + 2 == count) {
            value_offer(c, cmd, d);
            return;
        }
        i += takes_next;
        position += strncmp(words[i], "--", 2) != 0 && !takes_next;
    }
    const struct option_def *d = option_named(cmd, c->word);
    if (d && d->value && strchr(c->word, '=')) {
        c->skip = strcspn(c->word, "=") + 1;
        value_offer(c, cmd, d);
    } else if (c->word[0] == '-') {
        options_offer(c, cmd->options);
        options_offer(c, global_options);
    } else {
        position_offer(c, cmd, position);
    }
}

static void first_offer(struct completion *c)
{
    static const char own[] = "serve migrate backup copy help version";
    const char *last = NULL;
    COMMAND_EACH(cmd)
    {
        if (!cmd->group)
            offer(c, cmd->name, T(cmd->summary));
        else if (!last || strcmp(last, cmd->group) != 0)
            offer(c, cmd->group, "");
        last = cmd->group;
    }
    words_offer(c, own);
    if (c->word[0] == '-')
        options_offer(c, global_options);
}

static void group_offer(struct completion *c, const char *group)
{
    COMMAND_EACH(cmd)
    {
        if (cmd->group && strcmp(cmd->group, group) == 0)
            offer(c, cmd->name, T(cmd->summary));
    }
}

bool complete_words(int count, const char *const *words,
                    void (*fetch)(void *data, const char *kind, complete_cb *give, void *to),
                    complete_cb *give, void *data)
{
    struct completion c = {.fetch = fetch, .give = give, .data = data};
    if (count < 1)
        return false;
    c.word = words[count - 1];
    /* Global options may stand before the command. */
    while (count > 1 && strncmp(words[0], "--", 2) == 0) {
        const struct option_def *d = option_named(NULL, words[0]);
        int n = d && d->value && !strchr(words[0], '=') ? 2 : 1;
        if (n >= count) {
            static const struct command none = {.name = ""};
            value_offer(&c, &none, d);
            return c.files;
        }
        words += n;
        count -= n;
    }
    if (count > 2 && strcmp(words[0], "flow") == 0 && strcmp(words[1], "session") == 0) {
        words++;
        count--;
    }
    if (count == 1) {
        first_offer(&c);
    } else if (command_group_is_known(words[0])) {
        const struct command *cmd = count > 2 ? command_find(words[0], words[1]) : NULL;
        if (count == 2)
            group_offer(&c, words[0]);
        else if (cmd)
            command_offer(&c, cmd, count - 2, words + 2);
    } else {
        const struct command *cmd = command_find(NULL, words[0]);
        if (cmd)
            command_offer(&c, cmd, count - 1, words + 1);
    }
    return c.files;
}
