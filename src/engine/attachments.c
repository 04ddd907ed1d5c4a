#include "engine/session.h"

/* What an execute brought: texts, each a file of the session from its first commit on, and joined
 * by the start node. Until that has run (a session may begin paused) they are in the session's
 * state. */

void session_attach(struct session *s, struct str attachments_json)
{
    own_set(&s->attachments, attachments_json);
}

void attachments_begin(struct session *s)
{
    struct json_iter it;
    json_iter_init(&it, json_root(s->attachments));
    while (json_iter_next(&it)) {
        struct json name = json_get_set(it.value, "name");
        struct json content = json_get_set(it.value, "content");
        struct json type = json_get_set(it.value, "media_type");
        if (json_type(name) == JSON_STRING && json_type(content) == JSON_STRING)
            file_attach(s, json_text(s, name), json_text(s, content),
                        json_type(type) == JSON_STRING ? json_text(s, type) : STR_NULL);
    }
}

struct json attachments_of(const struct session *s, struct json input)
{
    struct json v =
        s->attachments.p ? json_root(s->attachments) : json_get_set(input, "attachments");
    return json_type(v) == JSON_ARRAY ? v : JSON_ABSENT;
}

void attachments_joined(struct session *s)
{
    own_set(&s->attachments, STR_NULL);
}

void attachments_write(const struct session *s, struct jw *w)
{
    if (s->attachments.p)
        jw_kv_raw(w, "attachments", s->attachments);
}

void attachments_restore(struct session *s, struct json state)
{
    struct json v = json_get_set(state, "attachments");
    if (json_type(v) == JSON_ARRAY)
        own_set(&s->attachments, json_raw(v));
}
