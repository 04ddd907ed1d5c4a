#include "engine/form.h"

#include <stdlib.h>

#include "engine/schema.h"

#define FORM_FILLED_MAX (4u << 20) /* bytes that defaults may add */

/* The member of an object by a key as it stands in another text, escapes and all. */
static struct json member(struct json object, const struct json_iter *key)
{
    struct buf name;
    struct json found = JSON_ABSENT;
    buf_init(&name, key->key.n + 2);
    if (!json_iter_key(key, &name) && !buf_append_char(&name, 0))
        found = json_get(object, name.data);
    buf_deinit(&name);
    return found;
}

static void key_write(struct jw *w, const struct json_iter *it)
{
    struct buf name;
    buf_init(&name, it->key.n + 1);
    json_iter_key(it, &name);
    jw_key_str(w, buf_str(&name));
    buf_deinit(&name);
}

/* One level a call; both texts are of bounded depth. */
void form_fill(struct json schema, struct json data, struct jw *w)
{
    struct json props = json_get(schema, "properties");
    struct json_iter it;
    bool absent = !json_exists(data);
    if (json_type(props) != JSON_OBJECT || (!absent && json_type(data) != JSON_OBJECT) ||
        json_length(data) > FORM_MEMBERS_MAX) {
        jw_raw(w, json_raw(data));
        return;
    }
    jw_object(w);
    json_iter_init(&it, data);
    while (!absent && json_iter_next(&it)) {
        key_write(w, &it);
        form_fill(member(props, &it), it.value, w);
    }
    json_iter_init(&it, props);
    while (json_iter_next(&it)) {
        struct json otherwise = json_get(it.value, "default");
        if (!json_exists(otherwise) || (!absent && json_exists(member(data, &it))))
            continue;
        key_write(w, &it);
        jw_raw(w, json_raw(otherwise));
    }
    jw_end(w);
}

int form_take(struct json schema, struct str given, struct arena *a, struct str *out,
              struct errbuf *e)
{
    struct buf filled;
    struct jw w;
    *out = given;
    if (!json_exists(schema))
        return 0;
    buf_init(&filled, given.n + FORM_FILLED_MAX);
    jw_init(&w, &filled);
    form_fill(schema, json_root(given), &w);
    int status = buf_error(&filled);
    if (status)
        err_set(e, status, "$: too large with its defaults");
    else
        status = schema_validate(schema, json_root(buf_str(&filled)), e);
    if (!status)
        *out = (struct str){arena_strdup(a, buf_str(&filled)), filled.len};
    buf_deinit(&filled);
    return status;
}
