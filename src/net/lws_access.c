/* What comes with a request to show who asks: headers in, a principal out (docs/SECURITY.md). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/lws_net.h"

/* "Bearer <text>" -> text; p NULL: it is something else. */
static struct str bearer_of(struct str header)
{
    if (header.n < 7 || strncasecmp(header.p, "bearer ", 7) != 0)
        return STR_NULL;
    header.p += 7;
    header.n -= 7;
    while (header.n > 0 && *header.p == ' ') {
        header.p++;
        header.n--;
    }
    return header;
}

/* The rest of the first protocol of the list that begins with "bearer."; p NULL: none does. */
static struct str protocol_bearer(struct str list)
{
    const char *p = list.p, *end = list.p + list.n;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;
        size_t n = sizeof(ACCESS_BEARER_PREFIX) - 1;
        while (p < stop && *p == ' ')
            p++;
        const char *last = stop;
        while (last > p && last[-1] == ' ')
            last--;
        if ((size_t)(last - p) >= n && memcmp(p, ACCESS_BEARER_PREFIX, n) == 0)
            return (struct str){p + n, (size_t)(last - p) - n};
        p = comma ? comma + 1 : end;
    }
    return STR_NULL;
}

/* A bearer that is too long is none that we ever gave, whatever it begins with. */
static int access_too_long(struct errbuf *e)
{
    return err_set(e, ERR_UNAUTHORIZED, "the key or token is longer than %d bytes",
                   CREDENTIAL_BYTES_MAX);
}

static int access_shown(struct conn *c, struct str bearer, struct principal *out, struct errbuf *e)
{
    struct credentials shown = {.bearer = bearer};

    if (bearer.p && bearer.n > CREDENTIAL_BYTES_MAX)
        return access_too_long(e);
    return service_authenticate(c->server->service, &shown, out, e);
}

int access_of_request(struct conn *c, struct principal *out, struct errbuf *e)
{
    char text[CREDENTIAL_BYTES_MAX + 64];
    struct str v = header_get(c->wsi, WSI_TOKEN_HTTP_AUTHORIZATION, text, sizeof(text));

    if (v.n == HEADER_TOO_LONG)
        return access_too_long(e);
    return access_shown(c, v.p ? bearer_of(v) : STR_NULL, out, e);
}

int access_of_socket(struct conn *c, struct principal *out, struct errbuf *e)
{
    char text[CREDENTIAL_BYTES_MAX + 64];
    struct str v = header_get(c->wsi, WSI_TOKEN_PROTOCOL, text, sizeof(text));
    struct str bearer;

    if (v.n == HEADER_TOO_LONG)
        return access_too_long(e);
    bearer = v.p ? protocol_bearer(v) : STR_NULL;
    return bearer.p ? access_shown(c, bearer, out, e) : access_of_request(c, out, e);
}

void conn_remote(const struct conn *c, char out[REMOTE_BYTES_MAX + 1])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    socklen_t n = sizeof(a);

    out[0] = 0;
    if (getpeername(lws_get_socket_fd(c->wsi), &a.any, &n) < 0)
        return;
    if (a.any.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &a.v6.sin6_addr, out, REMOTE_BYTES_MAX);
    else if (a.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &a.v4.sin_addr, out, REMOTE_BYTES_MAX);
}

/* Most servers ask nobody: then a WebSocket costs nothing more for it. */
void conn_set_who(struct conn *c, const struct principal *who)
{
    if (who->kind == PRINCIPAL_ANONYMOUS)
        return;
    if (!c->who)
        c->who = mem_zalloc(sizeof(*c->who));
    *c->who = *who;
}

const struct principal *conn_who(const struct conn *c)
{
    static struct principal anonymous;

    if (c->who)
        return c->who;
    if (anonymous.role == ROLE_NONE)
        principal_anonymous(&anonymous);
    return &anonymous;
}
