/* Bodies of what programs keep here. */
#include <stddef.h>

#include "net/wire_parse.h"

static int check_saves(const char *key, struct json v, struct errbuf *e)
{
    struct json_iter it;
    struct id id;

    if (json_type(v) != JSON_ARRAY || json_length(v) > WIRE_BATCH_MAX)
        return err_set(e, ERR_INVALID, "%s: expected an array of at most %d sessions", key,
                       WIRE_BATCH_MAX);
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        struct json text = json_get(it.value, "id");
        if (json_type(it.value) != JSON_OBJECT)
            return err_set(e, ERR_INVALID, "%s[%zu]: expected an object", key, it.index);
        if (json_type(text) != JSON_STRING || !id_parse((struct str){text.p + 1, text.n - 2}, &id))
            return err_set(e, ERR_INVALID, "%s[%zu].id: expected a UUID", key, it.index);
    }
    return 0;
}

static int check_deletes(const char *key, struct json v, struct errbuf *e)
{
    struct json_iter it;
    struct id id;

    if (json_type(v) != JSON_ARRAY || json_length(v) > WIRE_BATCH_MAX)
        return err_set(e, ERR_INVALID, "%s: expected an array of at most %d ids", key,
                       WIRE_BATCH_MAX);
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (json_type(it.value) != JSON_STRING ||
            !id_parse((struct str){it.value.p + 1, it.value.n - 2}, &id))
            return err_set(e, ERR_INVALID, "%s[%zu]: expected a UUID", key, it.index);
    return 0;
}

static const struct wire_field batch_fields[] = {
    {.key = "save",
     .type = WIRE_CHECK,
     .offset = offsetof(struct svc_req, stored.save_json),
     .check = check_saves},
    {.key = "delete",
     .type = WIRE_CHECK,
     .offset = offsetof(struct svc_req, stored.delete_json),
     .check = check_deletes},
};

int wire_parse_stored(enum svc_op op, struct json body, struct svc_req *req, struct errbuf *e)
{
    if (op == SVC_SESSION_BATCH)
        return wire_read(body, batch_fields, sizeof(batch_fields) / sizeof(batch_fields[0]), req,
                         &req->arena, e);
    if (json_type(body) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "expected an object, got %s",
                       json_type_name(json_type(body)));
    req->stored.json = json_raw(body);
    return 0;
}
