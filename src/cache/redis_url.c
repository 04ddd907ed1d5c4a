#include "cache/redis_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define REDIS_DB_MAX 1000000

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False when it does not fit, or is not decoded text. */
static bool url_decode(struct str s, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        int c = (unsigned char)s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;
            if (low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c == 0 || n + 1 >= cap)
            return false;
        out[n++] = (char)c;
    }
    out[n] = 0;
    return true;
}

static bool url_number(struct str s, long max, int *out)
{
    long v = 0;

    if (s.n == 0 || s.n > 7)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = (int)v;
    return v <= max;
}

static struct str str_cut(struct str *rest, char at, bool *found)
{
    const char *p = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct str left = {rest->p, p ? (size_t)(p - rest->p) : rest->n};

    *found = p != NULL;
    rest->p += left.n + (p ? 1 : 0);
    rest->n -= left.n + (p ? 1 : 0);
    return left;
}

/* Cuts "user:password@" off the front. A password may hold a raw '@': the last one counts. */
static bool url_userinfo(struct str *rest, struct redis_url *u)
{
    size_t end = 0;
    bool found;

    while (end < rest->n && rest->p[end] != '/' && rest->p[end] != '?')
        end++;
    const char *at = end ? memrchr(rest->p, '@', end) : NULL;
    if (!at)
        return true;
    struct str password = {rest->p, (size_t)(at - rest->p)};
    struct str user = str_cut(&password, ':', &found);
    rest->n -= (size_t)(at + 1 - rest->p);
    rest->p = at + 1;
    return found && url_decode(user, u->user, sizeof(u->user)) &&
           url_decode(password, u->password, sizeof(u->password)) && u->password[0];
}

static bool url_host(struct str authority, struct redis_url *u)
{
    struct str host = authority, port = STR_NULL;
    bool bracket = host.n && host.p[0] == '[';
    const char *end = bracket ? memchr(host.p, ']', host.n) : NULL;

    if (bracket && !end)
        return false;
    if (bracket) {
        port = (struct str){end + 1, host.n - (size_t)(end + 1 - host.p)};
        host = (struct str){host.p + 1, (size_t)(end - host.p) - 1};
    } else {
        const char *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
        if (colon) {
            port = (struct str){colon, host.n - (size_t)(colon - host.p)};
            host.n = (size_t)(colon - host.p);
        }
    }
    u->port = 6379;
    if (port.n && (port.p[0] != ':' ||
                   !url_number((struct str){port.p + 1, port.n - 1}, 65535, &u->port) || !u->port))
        return false;
    if (!host.n)
        host = STR("127.0.0.1");
    return url_decode(host, u->host, sizeof(u->host));
}

static bool url_tcp(struct str rest, struct redis_url *u)
{
    bool found;
    struct str authority;

    if (!url_userinfo(&rest, u))
        return false;
    authority = str_cut(&rest, '/', &found);
    if (rest.n && !url_number(rest, REDIS_DB_MAX, &u->db))
        return false;
    bool v6 = authority.n && authority.p[0] == '[';
    if (!url_host(authority, u))
        return false;
    snprintf(u->where, sizeof(u->where), "%s%s%s:%d", v6 ? "[" : "", u->host, v6 ? "]" : "",
             u->port);
    return true;
}

static bool url_unix(struct str rest, struct redis_url *u)
{
    bool has_query;
    struct str path;

    if (!url_userinfo(&rest, u))
        return false;
    path = str_cut(&rest, '?', &has_query);
    if (!path.n || path.p[0] != '/' || !url_decode(path, u->path, sizeof(u->path)))
        return false;
    if (has_query && (rest.n < 3 || memcmp(rest.p, "db=", 3) != 0 ||
                      !url_number((struct str){rest.p + 3, rest.n - 3}, REDIS_DB_MAX, &u->db)))
        return false;
    snprintf(u->where, sizeof(u->where), "%s", u->path);
    return true;
}

int redis_url_parse(const char *text, struct redis_url *out, struct errbuf *e)
{
    bool ok = false, known = true;

    memset(out, 0, sizeof(*out));
    if (strncmp(text, "redis://", 8) == 0) {
        ok = url_tcp(str_of(text + 8), out);
    } else if (strncmp(text, "rediss://", 9) == 0) {
        out->tls = true;
        ok = url_tcp(str_of(text + 9), out);
    } else if (strncmp(text, "unix://", 7) == 0) {
        ok = url_unix(str_of(text + 7), out);
    } else {
        known = false;
    }
    if (!known)
        return err_set(e, ERR_INVALID,
                       "the cache's URL begins with redis://, rediss:// or unix://");
    if (!ok)
        return err_set(e, ERR_INVALID,
                       "the cache's URL does not read as redis://[user:password@]host[:port][/db] "
                       "or unix://[user:password@]/path[?db=N]");
    return 0;
}
