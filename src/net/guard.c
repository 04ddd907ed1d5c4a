#include "net/guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ORIGIN_MAX 300

static const char *const loopback_names[] = {"localhost", "127.0.0.1", "[::1]"};

static bool same_text(struct str a, const char *z)
{
    return a.n == strlen(z) && strncasecmp(a.p, z, a.n) == 0;
}

bool guard_is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0;
}

/* "name:80" -> "name", "[::1]:80" -> "[::1]" */
static struct str host_name(struct str host)
{
    const char *end = memchr(host.p, *host.p == '[' ? ']' : ':', host.n);

    if (end)
        host.n = (size_t)(end - host.p) + (*end == ']');
    return host;
}

bool guard_host_ok(const struct guard *g, struct str host_header)
{
    struct str name;

    if (!guard_is_loopback(g->host))
        return true;
    if (!host_header.p || host_header.n == 0)
        return false;
    name = host_name(host_header);
    for (size_t i = 0; i < sizeof(loopback_names) / sizeof(loopback_names[0]); i++)
        if (same_text(name, loopback_names[i]))
            return true;
    return same_text(name, g->host);
}

bool guard_origin_listed(const struct guard *g, struct str origin)
{
    const char *p = g->origins;

    while (p && *p) {
        size_t n = strcspn(p, ",");
        struct str one = {p, n};
        while (one.n > 0 && *one.p == ' ') {
            one.p++;
            one.n--;
        }
        while (one.n > 0 && (one.p[one.n - 1] == ' ' || one.p[one.n - 1] == '/'))
            one.n--;
        if (one.n > 0 && one.n == origin.n && strncasecmp(one.p, origin.p, one.n) == 0)
            return true;
        p += n;
        if (*p == ',')
            p++;
    }
    return false;
}

bool guard_origin_ok(const struct guard *g, struct str origin, struct str host_header)
{
    char own[ORIGIN_MAX];

    if (guard_origin_listed(g, origin))
        return true;
    if (origin.n > 7 && strncasecmp(origin.p, "http://", 7) == 0 && origin.n - 7 == host_header.n &&
        strncasecmp(origin.p + 7, host_header.p, host_header.n) == 0)
        return true;
    if (origin.n > 8 && strncasecmp(origin.p, "https://", 8) == 0 &&
        origin.n - 8 == host_header.n &&
        strncasecmp(origin.p + 8, host_header.p, host_header.n) == 0)
        return true;
    if (!guard_is_loopback(g->host))
        return false;
    for (size_t i = 0; i < sizeof(loopback_names) / sizeof(loopback_names[0]); i++) {
        snprintf(own, sizeof(own), "http://%s:%d", loopback_names[i], g->port);
        if (same_text(origin, own))
            return true;
    }
    return false;
}
