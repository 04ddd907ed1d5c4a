#include "engine/schema_pattern.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Past a bracket expression that opens at p, or NULL when it does not close. */
static const char *pattern_bracket_end(const char *p)
{
    p++;
    if (*p == '^')
        p++;
    if (*p == ']')
        p++;
    for (; *p; p++) {
        if (*p == ']')
            return p + 1;
        if (*p == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
            char close[3] = {p[1], ']', '\0'};
            p = strstr(p + 2, close);
            if (!p)
                return NULL;
            p++;
        }
    }
    return NULL;
}

/* At "{n,m}": multiplies *counts by the larger number. */
static bool pattern_count(const char *p, unsigned long *counts)
{
    unsigned long n = 0, most = 1;
    for (p++; *p && *p != '}'; p++) {
        if (*p >= '0' && *p <= '9')
            n = n > SCHEMA_PATTERN_COUNTS_MAX ? n : n * 10 + (unsigned long)(*p - '0');
        else
            n = 0;
        most = n > most ? n : most;
    }
    *counts = *counts > SCHEMA_PATTERN_COUNTS_MAX ? *counts : *counts * most;
    return *counts <= SCHEMA_PATTERN_COUNTS_MAX;
}

static int pattern_check(const char *pattern, struct errbuf *e)
{
    unsigned long counts = 1;
    unsigned open = 0;
    if (strlen(pattern) > SCHEMA_PATTERN_BYTES_MAX)
        return err_set(e, ERR_INVALID, "a pattern has %d bytes at most", SCHEMA_PATTERN_BYTES_MAX);
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\') {
            p++;
            if ((*p >= '0' && *p <= '9') || (*p && strchr("acdefghijklmnopqrtuvxyzA"
                                                          "CDEFGHIJKLMNOPQRTUVXYZ",
                                                          *p)))
                return err_set(e, ERR_INVALID, "\\%c is not available (write [0-9] for \\d)", *p);
            if (!*p)
                return err_set(e, ERR_INVALID, "the pattern ends in a backslash");
        } else if (*p == '[') {
            p = pattern_bracket_end(p);
            if (!p)
                return err_set(e, ERR_INVALID, "a [ in the pattern does not close");
            p--;
        } else if (*p == '(') {
            open++;
            if (p[1] == '?')
                return err_set(e, ERR_INVALID, "(? is not available");
            if (open > 16)
                return err_set(e, ERR_INVALID, "a pattern has 16 groups at most");
        } else if (*p == '{' && !pattern_count(p, &counts)) {
            return err_set(e, ERR_INVALID, "the counts in the pattern multiply to more than %d",
                           SCHEMA_PATTERN_COUNTS_MAX);
        }
    }
    return 0;
}

int schema_pattern_compile(const char *pattern, regex_t *out, struct errbuf *e)
{
    int err = pattern_check(pattern, e);
    if (err)
        return err;
    int code = regcomp(out, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return 0;
    char why[128];
    regerror(code, out, why, sizeof why);
    return err_set(e, ERR_INVALID, "the pattern is not right: %s", why);
}
