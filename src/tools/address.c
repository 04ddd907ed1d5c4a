#include "tools/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct network {
    const char *base;
    unsigned bits;
};

/* IANA's special-purpose registries (RFC 6890 and what came after). */
static const struct network closed4[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},
};
/* Of IPv6 only 2000::/3 is given out; these parts of it are not the internet, or lead back into
 * IPv4 (6to4, Teredo). NAT64 (64:ff9b::) lies outside of it. */
static const struct network closed6[] = {
    {"2001::", 23}, {"2001:db8::", 32}, {"2002::", 16}, {"3fff::", 20}, {"3ffe::", 16},
};

static bool bits_are_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return !rest || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool network_has(const struct network *n, size_t count, int family, const uint8_t *a)
{
    uint8_t base[16];
    for (size_t i = 0; i < count; i++)
        if (inet_pton(family, n[i].base, base) == 1 && bits_are_equal(a, base, n[i].bits))
            return true;
    return false;
}

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* As 16 bytes, IPv4 mapped. False: neither family. */
static bool address_bytes(const struct sockaddr *to, uint8_t out[16])
{
    if (to->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)to;
        memcpy(out, mapped, 12);
        memcpy(out + 12, &in->sin_addr, 4);
        return true;
    }
    if (to->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)to)->sin6_addr, 16);
        return true;
    }
    return false;
}

bool address_is_public(const struct sockaddr *to)
{
    uint8_t a[16];
    if (!address_bytes(to, a))
        return false;
    if (memcmp(a, mapped, 12) == 0)
        return !network_has(closed4, sizeof(closed4) / sizeof(closed4[0]), AF_INET, a + 12);
    if ((a[0] & 0xe0) != 0x20)
        return false;
    return !network_has(closed6, sizeof(closed6) / sizeof(closed6[0]), AF_INET6, a);
}

/* ---- rules ---- */

/* Splits "host:port", "[v6]:port"; a bare v6 address has more than one colon and no port. */
static int rule_split(struct address_rule *r, const char *text, char host[254])
{
    const char *end, *port = NULL;
    if (text[0] == '[') {
        end = strchr(++text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return ERR_INVALID;
        port = end[1] ? end + 2 : NULL;
    } else {
        const char *colon = strchr(text, ':');
        bool is_v6 = colon && strchr(colon + 1, ':');
        end = colon && !is_v6 ? colon : text + strlen(text);
        port = *end ? end + 1 : NULL;
    }
    if (end == text || end - text > 253)
        return ERR_INVALID;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = '\0';
    char *stop = NULL;
    long n = port ? strtol(port, &stop, 10) : 0;
    if (port && (stop == port || *stop || n < 1 || n > 65535))
        return ERR_INVALID;
    r->port = (int)n;
    return 0;
}

static int rule_network(struct address_rule *r, char *host)
{
    char *slash = strchr(host, '/'), *stop = NULL;
    long bits = -1;
    if (slash) {
        *slash = '\0';
        bits = strtol(slash + 1, &stop, 10);
        if (stop == slash + 1 || *stop || bits < 0)
            return ERR_INVALID;
    }
    bool is_v4 = inet_pton(AF_INET, host, r->bytes + 12) == 1;
    if (is_v4)
        memcpy(r->bytes, mapped, 12);
    else if (inet_pton(AF_INET6, host, r->bytes) != 1)
        return slash ? ERR_INVALID : ERR_NOT_FOUND;
    if (bits > (is_v4 ? 32 : 128))
        return ERR_INVALID;
    r->bits = bits < 0 ? 128 : (unsigned)bits + (is_v4 ? 96 : 0);
    return 0;
}

int address_rule_parse(struct address_rule *r, const char *text, struct errbuf *e)
{
    char host[254];
    memset(r, 0, sizeof(*r));
    int rc = rule_split(r, text, host);
    if (rc == 0)
        rc = rule_network(r, host);
    if (rc == ERR_NOT_FOUND) { /* a name */
        memcpy(r->host, host, sizeof(r->host));
        size_t n = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._");
        rc = host[n] ? ERR_INVALID : 0;
    }
    return rc ? err_set(e, ERR_INVALID, "\"%s\" is no address, network or host[:port]", text) : 0;
}

bool address_is_allowed(const struct sockaddr *to, const char *host, int port,
                        const struct address_rule *rules, size_t count)
{
    uint8_t a[16];
    if (!address_bytes(to, a))
        return false;
    if (address_is_public(to))
        return true;
    for (size_t i = 0; i < count; i++) {
        const struct address_rule *r = &rules[i];
        if (r->port && r->port != port)
            continue;
        if (r->host[0] ? strcasecmp(r->host, host) == 0 : bits_are_equal(a, r->bytes, r->bits))
            return true;
    }
    return false;
}
