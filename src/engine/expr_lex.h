/* Tokens of Lua, read from text without a Lua state: to find where `{{ … }}` ends and which names
 * an expression uses. Lua's own compiler stays the judge of what is right; this reader only has to
 * agree with it on where strings, comments and names are.
 */
#ifndef SLUICE_ENGINE_EXPR_LEX_H
#define SLUICE_ENGINE_EXPR_LEX_H

#include <stdbool.h>

#include "base/buf.h"

enum lex_type { LEX_END, LEX_NAME, LEX_KEYWORD, LEX_STRING, LEX_NUMBER, LEX_SYMBOL, LEX_BAD };

struct lex_token {
    enum lex_type type;
    struct str text; /* as written, quotes included */
};

struct lex {
    const char *p, *end;
};

void lex_init(struct lex *l, struct str code);
struct lex_token lex_next(struct lex *l);
/* The string's content when it is written without escapes. */
bool lex_string_value(const struct lex_token *t, struct str *out);
/* Does the code hold more than one value (a comma outside of all brackets), or none? */
bool lex_is_empty(struct str code);
bool lex_is_list(struct str code);

/* A template's parts in order: text, expression, text … Either may be empty. */
struct template_scan {
    struct str rest;
};
struct template_part {
    struct str text; /* before the expression, or all that is left */
    struct str code; /* p == NULL: no expression, this was the last part */
};
/* False: "{{" without its "}}"; part->code is then what follows "{{". */
bool template_next(struct template_scan *s, struct template_part *part);

#endif
