#include "net/lws_net.h"

#include <string.h>

#define ARG_BYTES_MAX 4096
#define ARGS_MAX      64

struct str header_get(struct lws *wsi, enum lws_token_indexes token, char *out, size_t max)
{
    int n = lws_hdr_total_length(wsi, token);

    if (n <= 0)
        return STR_NULL;
    if ((size_t)n >= max)
        return (struct str){out, HEADER_TOO_LONG};
    n = lws_hdr_copy(wsi, out, (int)max, token);
    return n < 0 ? (struct str){out, HEADER_TOO_LONG} : (struct str){out, (size_t)n};
}

struct str header_get_custom(struct lws *wsi, const char *name_colon, char *out, size_t max)
{
    int name_n = (int)strlen(name_colon);
    int n = lws_hdr_custom_length(wsi, name_colon, name_n);

    if (n < 0)
        return STR_NULL;
    if ((size_t)n >= max)
        return (struct str){out, HEADER_TOO_LONG};
    n = lws_hdr_custom_copy(wsi, out, (int)max, name_colon, name_n);
    return n < 0 ? STR_NULL : (struct str){out, (size_t)n};
}

int header_each_arg(struct lws *wsi, int (*each)(void *data, struct str pair), void *data)
{
    char arg[ARG_BYTES_MAX];

    for (int i = 0; i < ARGS_MAX; i++) {
        int n = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i);
        int r;
        if (n >= (int)sizeof(arg))
            return ERR_TOO_LARGE;
        if (lws_hdr_copy_fragment(wsi, arg, sizeof(arg), WSI_TOKEN_HTTP_URI_ARGS, i) < 0)
            return 0; /* that was the last */
        if (n > 0 && (r = each(data, (struct str){arg, (size_t)n})) != 0)
            return r;
    }
    return ERR_TOO_LARGE;
}

bool header_method(struct lws *wsi, enum http_method *out)
{
    static const struct {
        enum lws_token_indexes token;
        enum http_method method;
    } methods[] = {
        {WSI_TOKEN_GET_URI, HTTP_GET},         {WSI_TOKEN_POST_URI, HTTP_POST},
        {WSI_TOKEN_HEAD_URI, HTTP_HEAD},       {WSI_TOKEN_PUT_URI, HTTP_PUT},
        {WSI_TOKEN_DELETE_URI, HTTP_DELETE},   {WSI_TOKEN_PATCH_URI, HTTP_PATCH},
        {WSI_TOKEN_OPTIONS_URI, HTTP_OPTIONS},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (lws_hdr_total_length(wsi, methods[i].token) > 0) {
            *out = methods[i].method;
            return true;
        }
    return false;
}
