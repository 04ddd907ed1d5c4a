/* The page under /ui/, which the program carries compressed, and the API documents. */
#include <string.h>

#include "base/yaml.h"
#include "net/api_docs.h"
#include "net/lws_http.h"
#include "net/ui_assets.h"

#define PAGE "/ui/index.html"

/* The page runs its own scripts and talks to this server only. Its styles are files and what its
 * scripts set: no markup of anybody else's can bring any. Workers get their address through the
 * page's one policy of trusted types (web/src/app/trusted.ts). */
static const char page_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; worker-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types default\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), display-capture=(), geolocation=(), microphone=(), "
    "payment=(), usb=()\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Content-Encoding: gzip\r\n"
    "Vary: Accept-Encoding\r\n";

static const struct ui_asset *files_find(struct str path)
{
    for (const struct ui_asset *a = ui_assets; a->path; a++)
        if (str_eqz(path, a->path))
            return a;
    return NULL;
}

/* A path of the page's own router: it has no dot in its last part. */
static bool files_is_view(struct str path)
{
    const char *slash = memrchr(path.p, '/', path.n);
    size_t last = slash ? (size_t)(slash - path.p) : 0;

    return memchr(path.p + last, '.', path.n - last) == NULL;
}

static void files_redirect(struct http_req *r, int status)
{
    http_head(r, status, &r->head);
    buf_append_z(&r->head, "Location: /ui/\r\nContent-Length: 0\r\n");
    http_answer_with(r, STR_NULL, NULL);
}

static bool files_unchanged(struct http_req *r, const struct ui_asset *a)
{
    char tag[128];
    struct str s = header_get(r->conn->wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, tag, sizeof(tag));

    return s.p && s.n != HEADER_TOO_LONG && memmem(s.p, s.n, a->etag, strlen(a->etag)) != NULL;
}

static void files_send(struct http_req *r, const struct ui_asset *a)
{
    bool unchanged = files_unchanged(r, a);

    http_head(r, unchanged ? 304 : 200, &r->head);
    buf_printf(&r->head, "ETag: %s\r\nCache-Control: %s\r\n", a->etag,
               a->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    buf_append_z(&r->head, page_headers);
    if (unchanged)
        http_answer_with(r, STR_NULL, NULL);
    else
        http_answer_with(r, (struct str){(const char *)a->gz, a->gz_len}, a->mime);
}

bool files_answer(struct http_req *r, struct str path)
{
    const struct ui_asset *a;
    bool ours = str_eqz(path, "/") || str_eqz(path, "/ui") ||
                (path.n >= 4 && memcmp(path.p, "/ui/", 4) == 0);

    if (!ours || (r->method != HTTP_GET && r->method != HTTP_HEAD))
        return false;
    if (path.n < 4) {
        files_redirect(r, str_eqz(path, "/") ? 302 : 308);
        return true;
    }
    a = files_find(path);
    if (!a && files_is_view(path))
        a = files_find(STR(PAGE));
    if (a)
        files_send(r, a);
    else
        http_fail(r, ERR_NOT_FOUND,
                  ui_assets_count ? "no such file" : "this program was built without the page");
    return true;
}

/* ---- API documents ---- */

struct str files_document(struct net_server *s, enum route_kind kind)
{
    struct buf *json = kind == ROUTE_OPENAPI ? &s->openapi : &s->asyncapi;
    struct str yaml = kind == ROUTE_OPENAPI
                          ? (struct str){(const char *)api_openapi, api_openapi_len}
                          : (struct str){(const char *)api_asyncapi, api_asyncapi_len};

    if (json->len == 0)
        yaml_to_json(yaml, NULL, json, NULL);
    return buf_str(json);
}
