/* What comes with a request to show who asks: headers in, a principal out (docs/SECURITY.md). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
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

static bool remote_is_slowed(const struct conn *c, const char *remote);

static int access_shown(struct conn *c, struct str bearer, struct principal *out, struct errbuf *e)
{
    struct credentials shown = {.bearer = bearer};

    struct net_server *s = c->server;
    char remote[REMOTE_BYTES_MAX + 1];
    int retry_s;

    if (bearer.p && bearer.n > CREDENTIAL_BYTES_MAX)
        return access_too_long(e);
    if (!bearer.p)
        return service_authenticate(s->service, &shown, out, e);
    conn_remote(c, remote);
    uint64_t talker = rate_talker(str_of(remote)), now = uv_now(s->loop);
    bool slowed = remote_is_slowed(c, remote);
    if (slowed && !rate_has(&s->failures, talker, now, &retry_s))
        return err_set(e, ERR_OVERLOAD, "too many keys that are none came from this address");
    int rc = service_authenticate(s->service, &shown, out, e);
    if (rc == ERR_UNAUTHORIZED && slowed)
        rate_take(&s->failures, talker, now, &retry_s);
    return rc;
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

/* What the proxy in front has added to X-Forwarded-For: the last of the list. */
static bool remote_forwarded(const struct conn *c, char out[REMOTE_BYTES_MAX + 1])
{
    char text[1024];
    struct str v = header_get(c->wsi, WSI_TOKEN_X_FORWARDED_FOR, text, sizeof(text));

    if (!v.p || v.n == HEADER_TOO_LONG || v.n == 0)
        return false;
    const char *comma = memrchr(v.p, ',', v.n);
    const char *from = comma ? comma + 1 : v.p, *end = v.p + v.n;
    while (from < end && *from == ' ')
        from++;
    while (end > from && end[-1] == ' ')
        end--;
    size_t n = (size_t)(end - from);
    if (n == 0 || n > REMOTE_BYTES_MAX || strspn(from, "0123456789abcdefABCDEF.:") < n)
        return false;
    memcpy(out, from, n);
    out[n] = 0;
    return true;
}

void conn_keep_remote(struct conn *c)
{
    char text[REMOTE_BYTES_MAX + 1];

    if (!c->server->behind_proxy || c->remote)
        return;
    conn_remote(c, text);
    c->remote = mem_strdup(text);
}

/* Programs on this machine are not slowed by keys that are none: it may be a proxy that they come
 * through. */
static bool remote_is_slowed(const struct conn *c, const char *remote)
{
    return remote[0] && (c->server->behind_proxy || !guard_is_loopback(remote));
}

bool access_rate(struct conn *c, const struct principal *who, int *retry_s)
{
    struct net_server *s = c->server;
    char text[2 * PRINCIPAL_NAME_MAX + 8];

    if (!s->rate.buckets)
        return true;
    if (who->kind == PRINCIPAL_KEY)
        return rate_take(&s->rate, rate_talker((struct str){(const char *)who->key_id.b, 16}),
                         uv_now(s->loop), retry_s);
    if (who->kind == PRINCIPAL_TOKEN)
        snprintf(text, sizeof(text), "t:%s/%s", who->workspace, who->name);
    else
        conn_remote(c, text);
    return rate_take(&s->rate, rate_talker(str_of(text)), uv_now(s->loop), retry_s);
}

void conn_remote(struct conn *c, char out[REMOTE_BYTES_MAX + 1])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    socklen_t n = sizeof(a);

    memset(&a, 0, sizeof(a));
    out[0] = 0;
    if (c->remote) {
        snprintf(out, REMOTE_BYTES_MAX + 1, "%s", c->remote);
        return;
    }
    if (c->server->behind_proxy && !c->ws && remote_forwarded(c, out))
        return;
    if (getpeername(lws_get_socket_fd(c->wsi), &a.any, &n) < 0)
        return;
    if (a.any.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &a.v6.sin6_addr, out, REMOTE_BYTES_MAX);
    else if (a.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &a.v4.sin_addr, out, REMOTE_BYTES_MAX);
    if (!c->server->behind_proxy) /* it says who asks only once for all requests then */
        c->remote = mem_strdup(out);
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

const char *access_name(const struct principal *who)
{
    return who->kind == PRINCIPAL_KEY || who->kind == PRINCIPAL_TOKEN ? who->name : NULL;
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
