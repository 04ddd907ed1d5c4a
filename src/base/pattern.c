#include "base/pattern.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

static pcre2_code *pattern_compile(struct str text, int *code, PCRE2_SIZE *at)
{
    pcre2_compile_context *limits = pcre2_compile_context_create(NULL);
    if (!limits)
        abort();
    pcre2_set_max_pattern_length(limits, PATTERN_BYTES_MAX);
    pcre2_set_parens_nest_limit(limits, PATTERN_NEST_MAX);
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text.p, text.n,
                                         PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C |
                                             PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE,
                                         code, at, limits);
    pcre2_compile_context_free(limits);
    return compiled;
}

int pattern_create(struct pattern **out, struct str text, struct errbuf *e)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *compiled = pattern_compile(text, &code, &at);
    if (!compiled) {
        unsigned char why[160];
        pcre2_get_error_message(code, why, sizeof(why));
        return err_set(e, ERR_INVALID, "the pattern is not right at character %zu: %s", (size_t)at,
                       (const char *)why);
    }
    struct pattern *p = mem_zalloc(sizeof(*p));
    p->code = compiled;
    p->data = pcre2_match_data_create(1, NULL);
    p->limits = pcre2_match_context_create(NULL);
    if (!p->data || !p->limits)
        abort();
    pcre2_set_match_limit(p->limits, PATTERN_STEPS_MAX);
    pcre2_set_depth_limit(p->limits, PATTERN_STEPS_MAX);
    pcre2_set_heap_limit(p->limits, PATTERN_HEAP_KB);
    *out = p;
    return 0;
}

void pattern_destroy(struct pattern *p)
{
    if (!p)
        return;
    pcre2_match_context_free(p->limits);
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    free(p);
}

int pattern_match(const struct pattern *p, struct str utf8)
{
    int rc = pcre2_match(p->code, (PCRE2_SPTR)utf8.p, utf8.n, 0, 0, p->data, p->limits);
    if (rc >= 0)
        return 1;
    return rc == PCRE2_ERROR_NOMATCH ? 0 : ERR_TOO_LARGE;
}
