#include "engine/expr_lex.h"

#include <string.h>

static bool lex_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool lex_is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool lex_is_name(char c)
{
    return lex_is_name_start(c) || lex_is_digit(c);
}

static bool lex_is_keyword(struct str s)
{
    static const char *const words[] = {"and",   "break", "do",       "else", "elseif", "end",
                                        "false", "for",   "function", "goto", "if",     "in",
                                        "local", "nil",   "not",      "or",   "repeat", "return",
                                        "then",  "true",  "until",    "while"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (str_eqz(s, words[i]))
            return true;
    }
    return false;
}

void lex_init(struct lex *l, struct str code)
{
    l->p = code.p;
    l->end = code.p + code.n;
}

/* At "[", "[=…": the level of a long bracket that opens here, or -1. */
static int lex_bracket_level(const char *p, const char *end)
{
    const char *q = p + 1;
    while (q < end && *q == '=')
        q++;
    return q < end && *q == '[' ? (int)(q - p - 1) : -1;
}

/* Past the long bracket of that level that opens at p; NULL when it does not close. */
static const char *lex_bracket_end(const char *p, const char *end, int level)
{
    for (p += level + 2; p < end; p++) {
        if (*p != ']')
            continue;
        const char *q = p + 1;
        while (q < end && *q == '=')
            q++;
        if (q < end && *q == ']' && q - p - 1 == level)
            return q + 1;
    }
    return NULL;
}

/* Past white space and comments; false when a long comment does not close. */
static bool lex_skip_blank(struct lex *l)
{
    while (l->p < l->end) {
        if (strchr(" \t\r\n\f\v", *l->p) && *l->p) {
            l->p++;
            continue;
        }
        if (*l->p != '-' || l->end - l->p < 2 || l->p[1] != '-')
            return true;
        const char *q = l->p + 2;
        int level = q < l->end && *q == '[' ? lex_bracket_level(q, l->end) : -1;
        if (level >= 0) {
            q = lex_bracket_end(q, l->end, level);
            if (!q)
                return false;
        } else {
            while (q < l->end && *q != '\n')
                q++;
        }
        l->p = q;
    }
    return true;
}

/* At a quote: past the string, or NULL. */
static const char *lex_quoted_end(const char *p, const char *end)
{
    char quote = *p;
    for (p++; p < end; p++) {
        if (*p == quote)
            return p + 1;
        if (*p == '\n' || *p == '\r')
            return NULL;
        if (*p != '\\')
            continue;
        if (++p == end)
            return NULL;
        if (*p == 'z') { /* skips the white space after it, line ends included */
            while (p + 1 < end && p[1] && strchr(" \t\r\n\f\v", p[1]))
                p++;
        }
    }
    return NULL;
}

static const char *lex_number_end(const char *p, const char *end)
{
    bool hex = end - p >= 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    const char *marks = hex ? "pP" : "eE";
    for (; p < end && (lex_is_name(*p) || *p == '.'); p++) {
        if (strchr(marks, *p) && p + 1 < end && (p[1] == '+' || p[1] == '-'))
            p++;
    }
    return p;
}

static const char *lex_symbol_end(const char *p, const char *end)
{
    static const char *const symbols[] = {
        "...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>"};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        size_t n = strlen(symbols[i]);
        if ((size_t)(end - p) >= n && memcmp(p, symbols[i], n) == 0)
            return p + n;
    }
    return p + 1;
}

struct lex_token lex_next(struct lex *l)
{
    struct lex_token t = {LEX_END, STR_NULL};
    bool closed = lex_skip_blank(l);
    const char *p = l->p, *q = p;
    t.text.p = p;
    if (!closed) {
        t.type = LEX_BAD;
        q = NULL;
    } else if (p == l->end) {
        t.type = LEX_END;
    } else if (lex_is_name_start(*p)) {
        while (q < l->end && lex_is_name(*q))
            q++;
        t.type = lex_is_keyword((struct str){p, (size_t)(q - p)}) ? LEX_KEYWORD : LEX_NAME;
    } else if (lex_is_digit(*p) || (*p == '.' && l->end - p >= 2 && lex_is_digit(p[1]))) {
        t.type = LEX_NUMBER;
        q = lex_number_end(p, l->end);
    } else if (*p == '"' || *p == '\'') {
        t.type = LEX_STRING;
        q = lex_quoted_end(p, l->end);
    } else if (*p == '[' && lex_bracket_level(p, l->end) >= 0) {
        t.type = LEX_STRING;
        q = lex_bracket_end(p, l->end, lex_bracket_level(p, l->end));
    } else {
        t.type = LEX_SYMBOL;
        q = lex_symbol_end(p, l->end);
    }
    if (!q) { /* something does not close: the rest is one bad token */
        t.type = LEX_BAD;
        q = l->end;
    }
    t.text.n = (size_t)(q - p);
    l->p = q;
    return t;
}

bool lex_string_value(const struct lex_token *t, struct str *out)
{
    if (t->type != LEX_STRING || t->text.p[0] == '[' || memchr(t->text.p, '\\', t->text.n))
        return false;
    *out = (struct str){t->text.p + 1, t->text.n - 2};
    return true;
}

bool lex_is_empty(struct str code)
{
    struct lex l;
    lex_init(&l, code);
    return lex_next(&l).type == LEX_END;
}

bool lex_is_list(struct str code)
{
    struct lex l;
    lex_init(&l, code);
    int depth = 0;
    for (;;) {
        struct lex_token t = lex_next(&l);
        if (t.type == LEX_END || t.type == LEX_BAD)
            return false;
        if (t.type == LEX_KEYWORD) {
            if (str_eqz(t.text, "function") || str_eqz(t.text, "if") || str_eqz(t.text, "do") ||
                str_eqz(t.text, "repeat"))
                depth++;
            if (str_eqz(t.text, "end") || str_eqz(t.text, "until"))
                depth--;
        }
        if (t.type != LEX_SYMBOL || t.text.n != 1)
            continue;
        if (strchr("([{", *t.text.p))
            depth++;
        if (strchr(")]}", *t.text.p))
            depth--;
        if (*t.text.p == ',' && depth == 0)
            return true;
    }
}

/* At the code after "{{": sets code, and rest to what follows "}}". */
static bool template_code(struct str after, struct str *code, struct str *rest)
{
    struct lex l;
    lex_init(&l, after);
    for (int depth = 0;;) {
        struct lex_token t = lex_next(&l);
        if (t.type == LEX_END || t.type == LEX_BAD)
            return false;
        if (t.type != LEX_SYMBOL)
            continue;
        if (*t.text.p == '{')
            depth++;
        if (*t.text.p != '}')
            continue;
        if (depth > 0) {
            depth--;
            continue;
        }
        if (l.p == l.end || *l.p != '}')
            return false;
        *code = (struct str){after.p, (size_t)(t.text.p - after.p)};
        *rest = (struct str){l.p + 1, (size_t)(l.end - l.p - 1)};
        return true;
    }
}

bool template_next(struct template_scan *s, struct template_part *part)
{
    const char *open = s->rest.n ? memmem(s->rest.p, s->rest.n, "{{", 2) : NULL;
    *part = (struct template_part){s->rest, STR_NULL};
    if (!open) {
        s->rest.p += s->rest.n;
        s->rest.n = 0;
        return true;
    }
    part->text.n = (size_t)(open - s->rest.p);
    struct str after = {open + 2, s->rest.n - part->text.n - 2};
    if (template_code(after, &part->code, &s->rest))
        return true;
    part->code = after;
    return false;
}
