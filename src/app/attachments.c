#include "app/attachments.h"

#include <string.h>
#include <strings.h>

#include "app/app.h"
#include "base/json.h"
#include "engine/files.h"

#define MEDIA_TYPE_MAX 100
#define INPUT_MAX      (16u << 20)

struct taken {
    struct svc_req *req;
    struct str names[ATTACHMENTS_MAX];
    unsigned count;
    size_t bytes;
    struct jw *out, *kept; /* the metadata; the same with the contents */
};

static bool refuse(struct svc_req *req, int status, size_t i, const char *member, const char *why)
{
    req->error_code = status == ERR_UNPROCESSABLE ? "invalid_attachment" : NULL;
    app_fail(req, status, "attachments[%zu]%s: %s", i, member, why);
    return false;
}

static struct str text_of(struct svc_req *req, struct json v)
{
    struct buf b;
    buf_init(&b, SVC_BODY_MAX);
    json_string(v, &b);
    struct str out = {arena_strdup(&req->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return out;
}

/* text/anything; parameters may follow. */
static bool media_is_text(struct str type)
{
    if (type.n < 6 || type.n > MEDIA_TYPE_MAX || strncasecmp(type.p, "text/", 5) != 0)
        return false;
    for (size_t i = 0; i < type.n; i++)
        if ((unsigned char)type.p[i] < 0x20 || (unsigned char)type.p[i] > 0x7e)
            return false;
    return true;
}

static struct str media_by_name(struct str name)
{
    static const char *const ends[] = {".md", ".markdown"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(ends[i]);
        if (name.n > n && strncasecmp(name.p + name.n - n, ends[i], n) == 0)
            return STR("text/markdown");
    }
    return STR("text/plain");
}

static bool members_are_known(struct json v)
{
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (!json_iter_key_is(&it, "name") && !json_iter_key_is(&it, "content") &&
            !json_iter_key_is(&it, "media_type"))
            return false;
    return true;
}

static bool name_take(struct taken *t, size_t i, struct str name)
{
    struct errbuf e;
    if (file_path_check(name, &e))
        return refuse(t->req, ERR_UNPROCESSABLE, i, ".name", e.text);
    for (unsigned k = 0; k < t->count; k++)
        if (str_eq(t->names[k], name))
            return refuse(t->req, ERR_UNPROCESSABLE, i, ".name",
                          "another attachment has this name");
    t->names[t->count++] = name;
    return true;
}

static bool one_take(struct taken *t, size_t i, struct json v)
{
    struct json name = json_get_set(v, "name"), content = json_get_set(v, "content");
    struct json type = json_get_set(v, "media_type");
    struct svc_req *req = t->req;
    if (json_type(v) != JSON_OBJECT || json_type(name) != JSON_STRING ||
        json_type(content) != JSON_STRING || !members_are_known(v) ||
        (json_exists(type) && json_type(type) != JSON_STRING))
        return refuse(req, ERR_INVALID, i, "",
                      "expected {name, content, media_type?}, all of them texts");
    struct str path = text_of(req, name), text = text_of(req, content);
    struct str media = json_exists(type) ? text_of(req, type) : media_by_name(path);
    if (!media_is_text(media))
        return refuse(req, ERR_MEDIA, i, ".media_type", "attachments are texts (text/...)");
    if (!name_take(t, i, path))
        return false;
    t->bytes += text.n;
    jw_object(t->out);
    jw_kv_string(t->out, "name", path);
    jw_kv_string(t->out, "path", path);
    jw_kv_string(t->out, "media_type", media);
    jw_kv_u64(t->out, "size", text.n);
    jw_end(t->out);
    jw_object(t->kept);
    jw_kv_string(t->kept, "name", path);
    jw_kv_raw(t->kept, "content", json_raw(content));
    jw_kv_string(t->kept, "media_type", media);
    jw_end(t->kept);
    return true;
}

static bool all_take(struct taken *t, struct json list)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        if (!one_take(t, it.index, it.value))
            return false;
    if (t->bytes <= ATTACHMENTS_BYTES_MAX)
        return true;
    app_fail(t->req, ERR_TOO_LARGE, "attachments: together they may have %u bytes, these have %zu",
             ATTACHMENTS_BYTES_MAX, t->bytes);
    return false;
}

static struct str kept_text(struct svc_req *req, const struct buf *b)
{
    return (struct str){arena_strdup(&req->arena, buf_str(b)), b->len};
}

/* The input with the metadata behind its members. */
static bool input_take(struct taken *t, struct json list)
{
    struct svc_req *req = t->req;
    struct json_iter it;
    struct buf b, contents;
    struct jw w, kept;
    buf_init(&b, INPUT_MAX);
    buf_init(&contents, SVC_BODY_MAX);
    jw_init(&kept, &contents);
    jw_array(&kept);
    jw_init(&w, &b);
    jw_object(&w);
    json_iter_init(&it, json_root(req->execute.input_json));
    while (json_iter_next(&it)) {
        jw_key_str(&w, it.key);
        jw_raw(&w, json_raw(it.value));
    }
    jw_key(&w, "attachments");
    jw_array(&w);
    t->out = &w;
    t->kept = &kept;
    bool taken = all_take(t, list);
    t->out = t->kept = NULL;
    if (taken) {
        jw_end(&w);
        jw_end(&w);
        jw_end(&kept);
        req->execute.input_json = kept_text(req, &b);
        req->execute.attachments_json = kept_text(req, &contents);
    }
    buf_deinit(&contents);
    buf_deinit(&b);
    return taken;
}

bool attachments_take(struct svc_req *req)
{
    struct json list = json_root(req->execute.attachments_json);
    struct taken t = {.req = req};
    if (!req->execute.attachments_json.p)
        return true;
    if (json_type(list) != JSON_ARRAY) {
        app_fail(req, ERR_INVALID, "attachments: expected an array");
        return false;
    }
    if (json_length(list) > ATTACHMENTS_MAX) {
        app_fail(req, ERR_TOO_LARGE, "attachments: at most %d", ATTACHMENTS_MAX);
        return false;
    }
    if (json_exists(json_get(json_root(req->execute.input_json), "attachments"))) {
        app_fail(req, ERR_INVALID, "attachments: the input has some of its own");
        return false;
    }
    return input_take(&t, list);
}
