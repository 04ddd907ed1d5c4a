/* Which addresses a workflow's URLs may reach. Everything that is not the public internet is
 * refused (loopback, link-local, private, carrier-grade NAT, multicast, reserved, and IPv6 forms
 * that carry such an IPv4 address), unless a rule of the settings allows it. Pure.
 */
#ifndef SLUICE_TOOLS_ADDRESS_H
#define SLUICE_TOOLS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct sockaddr;

struct address_rule {
    char host[254];    /* a name, or "" */
    uint8_t bytes[16]; /* else a network; IPv4 as ::ffff:a.b.c.d */
    unsigned bits;
    int port; /* 0: any */
};

/* "10.0.0.0/8", "127.0.0.1", "::1", "[::1]:80", "host", "host:port". ERR_INVALID. */
int address_rule_parse(struct address_rule *r, const char *text, struct errbuf *e);

/* The address that is about to be connected to. `host`: as the URL has it, without brackets. */
bool address_is_allowed(const struct sockaddr *to, const char *host, int port,
                        const struct address_rule *rules, size_t count);
/* Whether it is of the public internet. */
bool address_is_public(const struct sockaddr *to);

#endif
