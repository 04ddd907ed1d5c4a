#include <string.h>

#include "engine/expr.h"
#include "engine/staged_private.h"

/* ---- words ---- */

static const struct {
    const char *word;
    enum staged_meaning meaning;
} words[] = {
    {"", MEANS_ALWAYS},
    {"always", MEANS_ALWAYS},
    {"true", MEANS_ALWAYS},
    {"default", MEANS_ALWAYS},
    {"otherwise", MEANS_ALWAYS},
    {"else", MEANS_ALWAYS},
    {"none", MEANS_ALWAYS},
    {"auto", MEANS_ALWAYS},
    {"automatic", MEANS_ALWAYS},
    {"unconditional", MEANS_ALWAYS},
    {"总是", MEANS_ALWAYS},
    {"无条件", MEANS_ALWAYS},
    {"all_completed", MEANS_DONE},
    {"all_complete", MEANS_DONE},
    {"all_done", MEANS_DONE},
    {"completed", MEANS_DONE},
    {"complete", MEANS_DONE},
    {"done", MEANS_DONE},
    {"finished", MEANS_DONE},
    {"stage_completed", MEANS_DONE},
    {"checklist_completed", MEANS_DONE},
    {"checklist_complete", MEANS_DONE},
    {"deliverables_completed", MEANS_DONE},
    {"完成", MEANS_DONE},
    {"全部完成", MEANS_DONE},
    {"skipped", MEANS_SKIPPED},
    {"跳过", MEANS_SKIPPED},
    {"manual", MEANS_PEOPLE},
    {"human", MEANS_PEOPLE},
    {"ask", MEANS_PEOPLE},
    {"decision", MEANS_PEOPLE},
    {"user_decision", MEANS_PEOPLE},
    {"manual_approval", MEANS_PEOPLE},
    {"approval", MEANS_PEOPLE},
    {"review", MEANS_PEOPLE},
    {"手动", MEANS_PEOPLE},
    {"人工", MEANS_PEOPLE},
};

#define WORD_BYTES_MAX 64

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str trimmed(struct str s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* "All completed", "all-completed" and "all_completed" are one word. */
static bool word_find(struct str s, enum staged_meaning *out)
{
    char text[WORD_BYTES_MAX + 1];
    if (s.n > WORD_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        text[i] = c == ' ' || c == '-' ? '_' : c;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_eqz((struct str){text, s.n}, words[i].word)) {
            *out = words[i].meaning;
            return true;
        }
    return false;
}

/* ---- expressions ---- */

static bool node_exists(void *data, struct str id)
{
    const struct staged_file *f = data;
    for (unsigned i = 0; i < f->stage_count; i++)
        if (str_eq(f->stages[i].id, id))
            return true;
    return false;
}

static bool has(struct str s, const char *part)
{
    return memmem(s.p, s.n, part, strlen(part)) != NULL;
}

/* Was it meant for a machine, though it does not parse? */
static bool looks_like_code(struct str s)
{
    static const char *const marks[] = {"nodes.", "nodes[", "input.", "input[", "vars.", "vars[",
                                        "==",     "~=",     "!=",     ">=",     "<="};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (has(s, marks[i]))
            return true;
    return false;
}

/* The operators of other languages; NULL when there are none. */
static struct str translated(struct staged_file *f, struct str s)
{
    static const struct {
        const char *from, *to;
    } operators[] = {{"!==", "~="}, {"===", "=="}, {"!=", "~="}, {"&&", " and "}, {"||", " or "}};
    struct buf b;
    bool any = false;
    buf_init(&b, s.n * 3 + 1);
    for (size_t i = 0; i < s.n;) {
        size_t k = 0, n = 0;
        for (; k < sizeof(operators) / sizeof(operators[0]); k++) {
            n = strlen(operators[k].from);
            if (s.n - i >= n && memcmp(s.p + i, operators[k].from, n) == 0)
                break;
        }
        if (k < sizeof(operators) / sizeof(operators[0])) {
            buf_append_z(&b, operators[k].to);
            i += n;
            any = true;
        } else {
            buf_append_char(&b, s.p[i++]);
        }
    }
    struct str out = any ? staged_copy(f, buf_str(&b)) : STR_NULL;
    buf_deinit(&b);
    return out;
}

enum staged_meaning staged_meaning_of(struct staged_file *f, struct str *text, bool *corrected,
                                      struct errbuf *e)
{
    enum staged_meaning meaning;
    struct str s = trimmed(*text);
    *corrected = false;
    if (word_find(s, &meaning))
        return meaning;
    if (s.n <= EXPR_CODE_MAX && expr_check(f->vm, s, node_exists, f, e) == 0) {
        *text = s;
        return MEANS_CODE;
    }
    struct str other = s.n <= EXPR_CODE_MAX ? translated(f, s) : STR_NULL;
    if (other.p && expr_check(f->vm, other, node_exists, f, NULL) == 0) {
        *text = other;
        *corrected = true;
        return MEANS_CODE;
    }
    return looks_like_code(s) ? MEANS_BROKEN : MEANS_TEXT;
}
