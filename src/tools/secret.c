#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tools/tool_private.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
/* Shorter values may be words of an answer, and are no secrets worth the name. */
#define SECRET_HIDDEN_BYTES_MIN 6

void secrets_deinit(struct secrets *s)
{
    for (size_t i = 0; i < s->count; i++) {
        explicit_bzero(s->values[i], strlen(s->values[i]));
        free(s->values[i]);
    }
    s->count = 0;
}

/* {{ secret.NAME }} at p, white space as it likes: its length and the name, or 0. */
static size_t reference_at(const char *p, const char *end, struct str *name)
{
    const char *at = p + 2;
    if (end - p < 2 || p[0] != '{' || p[1] != '{')
        return 0;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (end - at < 7 || memcmp(at, "secret.", 7) != 0)
        return 0;
    name->p = at += 7;
    while (at < end && strchr(NAME_CHARS, *at))
        at++;
    name->n = (size_t)(at - name->p);
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (!name->n || name->n > NAME_BYTES_MAX || end - at < 2 || at[0] != '}' || at[1] != '}')
        return 0;
    return (size_t)(at + 2 - p);
}

/* Does the author's own text say secret.NAME? */
static bool secret_is_meant(struct str text, struct str name)
{
    char wanted[NAME_BYTES_MAX + 8];
    size_t n = (size_t)snprintf(wanted, sizeof(wanted), "secret.%.*s", STR_FMT(name));
    const char *p = text.p, *end = text.p + text.n;
    while (p && (p = memmem(p, (size_t)(end - p), wanted, n))) {
        p += n;
        if (p == end || !*p || !strchr(NAME_CHARS, *p))
            return true;
    }
    return false;
}

static int secret_read(const struct tools *t, struct str name, struct buf *out)
{
    char path[4096];
    if (t->secrets_dir) {
        snprintf(path, sizeof(path), "%s/%.*s", t->secrets_dir, STR_FMT(name));
        if (file_append(path, out, NULL) == 0) {
            while (out->len && strchr("\r\n", out->data[out->len - 1]))
                buf_truncate(out, out->len - 1);
            return 0;
        }
        buf_clear(out);
    }
    snprintf(path, sizeof(path), "SLUICE_SECRET_%.*s", STR_FMT(name));
    const char *value = getenv(path);
    return value ? buf_append_z(out, value) : ERR_NOT_FOUND;
}

static int secret_put(const struct tools *t, struct str name, struct secrets *s, struct buf *out,
                      struct errbuf *e)
{
    struct buf value;
    buf_init(&value, SECRET_BYTES_MAX);
    int rc = secret_read(t, name, &value);
    bool is_clean = rc == 0 && value.len;
    for (size_t i = 0; is_clean && i < value.len; i++)
        is_clean = (unsigned char)value.data[i] >= 0x20 && value.data[i] != 0x7f;
    if (rc || !is_clean)
        rc = err_set(e, ERR_INVALID,
                     rc == ERR_NOT_FOUND ? "there is no secret %.*s"
                                         : "the value of secret %.*s cannot be sent",
                     STR_FMT(name));
    else if (s->count == SECRETS_MAX)
        rc = err_set(e, ERR_INVALID, "more than %d secrets in one call", SECRETS_MAX);
    else
        rc = buf_append_str(out, buf_str(&value));
    if (rc == 0) {
        s->values[s->count++] = buf_steal(&value, NULL);
    } else if (value.data) {
        explicit_bzero(value.data, value.len);
        buf_deinit(&value);
    }
    return rc;
}

int secrets_expand(const struct tools *t, struct str text, struct str meant, struct secrets *s,
                   struct buf *out, struct errbuf *e)
{
    const char *p = text.p, *end = text.p + text.n;
    while (p < end) {
        struct str name;
        size_t n = reference_at(p, end, &name);
        if (!n) {
            buf_append(out, p++, 1);
            continue;
        }
        if (!secret_is_meant(meant, name))
            return err_set(e, ERR_INVALID, "secret %.*s is not one that the node itself names",
                           STR_FMT(name));
        int rc = secret_put(t, name, s, out, e);
        if (rc)
            return rc;
        p += n;
    }
    return buf_error(out) ? err_set(e, ERR_TOO_LARGE, "a header is too long") : 0;
}

void secrets_hide(const struct secrets *s, struct buf *text)
{
    for (size_t i = 0; i < s->count; i++) {
        size_t n = strlen(s->values[i]);
        char *at = text->data;
        if (n < SECRET_HIDDEN_BYTES_MIN || !at)
            continue;
        char *end = at + text->len;
        while ((at = memmem(at, (size_t)(end - at), s->values[i], n))) {
            memset(at, '*', n); /* of the same length: nothing moves, and JSON stays JSON */
            at += n;
        }
    }
}
