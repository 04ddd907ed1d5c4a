#include "engine/schema_pattern.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_PATTERN_GROUPS_MAX 16

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

/* The size of what was read so far, in each group that is open. */
struct pattern_size {
    size_t sum[SCHEMA_PATTERN_GROUPS_MAX + 1];
    size_t last; /* of the atom that a repetition would repeat; part of the sum */
    unsigned open;
};

static void pattern_atom(struct pattern_size *s, size_t size)
{
    s->sum[s->open] += size;
    s->last = size;
}

static bool pattern_repeat(struct pattern_size *s, size_t times)
{
    if (times > 1) {
        s->sum[s->open] += s->last * (times - 1);
        s->last *= times;
    }
    return s->sum[s->open] <= SCHEMA_PATTERN_SIZE_MAX;
}

/* At "{n,m}" or "{n,}": how often it writes its atom down; sets *end to the "}". */
static size_t pattern_times(const char *p, const char **end)
{
    size_t n = 0, most = 0;
    bool comma = false;
    for (p++; *p && *p != '}'; p++) {
        comma = comma || *p == ',';
        if (*p >= '0' && *p <= '9')
            n = n > SCHEMA_PATTERN_SIZE_MAX ? n : n * 10 + (size_t)(*p - '0');
        else
            n = 0;
        most = n > most ? n : most;
    }
    *end = *p ? p : p - 1;
    return most + comma; /* {n,} ends in a loop of its own */
}

static bool pattern_is_escape(char c)
{
    return c && !strchr("wWsSbB<>`'", c) &&
           ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
}

/* One step at p, to the last character it read; NULL: refused, and e says why. */
static const char *pattern_step(const char *p, struct pattern_size *s, struct errbuf *e)
{
    const char *end = p;
    bool fits = true;
    switch (*p) {
    case '\\':
        end++;
        pattern_atom(s, 1);
        if (!*end)
            err_set(e, ERR_INVALID, "the pattern ends in a backslash");
        else if (pattern_is_escape(*end))
            err_set(e, ERR_INVALID, "\\%c is not available (write [0-9] for \\d)", *end);
        return !*end || pattern_is_escape(*end) ? NULL : end;
    case '[':
        pattern_atom(s, 1);
        end = pattern_bracket_end(p);
        if (!end)
            err_set(e, ERR_INVALID, "a [ in the pattern does not close");
        return end ? end - 1 : NULL;
    case '(':
        if (p[1] == '?' || s->open == SCHEMA_PATTERN_GROUPS_MAX) {
            err_set(e, ERR_INVALID,
                    p[1] == '?' ? "(? is not available"
                                : "the pattern's groups are nested too deeply");
            return NULL;
        }
        s->sum[++s->open] = 0;
        s->last = 0;
        break;
    case ')':
        if (s->open > 0) {
            s->open--;
            pattern_atom(s, s->sum[s->open + 1] + 1);
        }
        break;
    case '+':
        fits = pattern_repeat(s, 2);
        break;
    case '{':
        fits = pattern_repeat(s, pattern_times(p, &end));
        break;
    case '*':
    case '?':
        break;
    default:
        pattern_atom(s, 1);
    }
    if (!fits || s->sum[s->open] > SCHEMA_PATTERN_SIZE_MAX) {
        err_set(e, ERR_INVALID, "the pattern with its repetitions is larger than %d",
                SCHEMA_PATTERN_SIZE_MAX);
        return NULL;
    }
    return end;
}

int schema_pattern_init(struct schema_pattern *p, const char *pattern, struct errbuf *e)
{
    struct pattern_size size = {.last = 0};
    if (strlen(pattern) > SCHEMA_PATTERN_BYTES_MAX)
        return err_set(e, ERR_INVALID, "a pattern has %d bytes at most", SCHEMA_PATTERN_BYTES_MAX);
    for (const char *at = pattern; *at; at++) {
        at = pattern_step(at, &size, e);
        if (!at)
            return ERR_INVALID;
    }
    int code = regcomp(&p->re, pattern, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char why[128];
        regerror(code, &p->re, why, sizeof why);
        return err_set(e, ERR_INVALID, "the pattern is not right: %s", why);
    }
    p->size = size.sum[0] + 1;
    p->growth = 0;
    return 0;
}

void schema_pattern_deinit(struct schema_pattern *p)
{
    regfree(&p->re);
}
