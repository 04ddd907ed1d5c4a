#include "engine/schema_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define PATH_TEXT_MAX 200
#define PATH_KEY_MAX  60

static void path_write(const struct schema_path *at, struct buf *out)
{
    if (!at->up) {
        buf_append_char(out, '$');
        return;
    }
    path_write(at->up, out);
    if (!at->key.p) {
        buf_printf(out, "[%zu]", at->index);
        return;
    }
    size_t n = at->key.n > PATH_KEY_MAX ? utf8_cut(at->key.p, PATH_KEY_MAX) : at->key.n;
    buf_printf(out, ".%.*s", (int)n, at->key.p);
}

int schema_path_fail(const struct schema_path *at, struct errbuf *e, const char *fmt, va_list ap)
{
    struct errbuf why;
    struct buf path;
    if (!e)
        return ERR_INVALID;
    err_vset(&why, ERR_INVALID, fmt, ap);
    buf_init(&path, PATH_TEXT_MAX);
    path_write(at, &path); /* a path that is too long is cut */
    err_set(e, ERR_INVALID, "%s%s: %s", path.data, buf_error(&path) ? "…" : "", why.text);
    buf_deinit(&path);
    return ERR_INVALID;
}

/* Undoes ~1 and ~0 of a JSON pointer in place. */
static void path_unescape(char *z)
{
    char *to = z;
    for (; *z; z++) {
        if (z[0] == '~' && (z[1] == '0' || z[1] == '1'))
            *to++ = *++z == '0' ? '~' : '/';
        else
            *to++ = *z;
    }
    *to = '\0';
}

struct json schema_resolve(struct json root, struct json ref)
{
    static const char prefix[] = "#/$defs/";
    struct json found = JSON_ABSENT;
    char *z = json_strdup(ref);
    if (!z)
        return found;
    if (strcmp(z, "#") == 0) {
        found = root;
    } else if (strncmp(z, prefix, sizeof prefix - 1) == 0 && !strchr(z + sizeof prefix - 1, '/')) {
        path_unescape(z + sizeof prefix - 1);
        found = json_get(json_get(root, "$defs"), z + sizeof prefix - 1);
    }
    free(z);
    return found;
}
