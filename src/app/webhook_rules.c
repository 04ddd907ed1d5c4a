#include "app/webhook_rules.h"

#include <string.h>

#include "base/id.h"

/* ---- checking ---- */

static int events_check(struct json events, struct errbuf *e)
{
    struct json_iter it;
    if (!json_exists(events))
        return 0;
    if (json_type(events) != JSON_ARRAY || json_length(events) > WEBHOOK_TYPES_MAX)
        return err_set(e, ERR_INVALID, "events: expected an array of at most %d types of events",
                       WEBHOOK_TYPES_MAX);
    json_iter_init(&it, events);
    while (json_iter_next(&it))
        if (json_type(it.value) != JSON_STRING ||
            (!json_string_eq(it.value, "*") &&
             !name_is_valid((struct str){it.value.p + 1, it.value.n - 2})))
            return err_set(e, ERR_INVALID, "events[%zu]: expected a type of events, or \"*\"",
                           it.index);
    return 0;
}

static bool is_word(struct json v)
{
    return json_type(v) == JSON_STRING && v.n > 2 && v.n < 130;
}

static int status_check(struct json v, struct errbuf *e)
{
    struct json_iter it;
    if (is_word(v))
        return 0;
    json_iter_init(&it, v);
    while (json_type(v) == JSON_ARRAY && json_iter_next(&it))
        if (!is_word(it.value))
            v = JSON_ABSENT;
    if (json_type(v) != JSON_ARRAY || json_length(v) > 16)
        return err_set(e, ERR_INVALID, "filter.status: expected a word, or an array of words");
    return 0;
}

static int filter_check_member(const struct json_iter *it, struct errbuf *e)
{
    struct id id;
    if (json_iter_key_is(it, "status"))
        return status_check(it->value, e);
    if (json_iter_key_is(it, "metadata")) {
        if (json_type(it->value) != JSON_OBJECT || json_length(it->value) > WEBHOOK_METADATA_MAX)
            return err_set(e, ERR_INVALID, "filter.metadata: expected an object of at most %d",
                           WEBHOOK_METADATA_MAX);
        return 0;
    }
    if (json_iter_key_is(it, "session_id")) {
        if (json_type(it->value) != JSON_STRING ||
            !id_parse((struct str){it->value.p + 1, it->value.n - 2}, &id))
            return err_set(e, ERR_INVALID, "filter.session_id: expected an id");
        return 0;
    }
    if (!json_iter_key_is(it, "workflow_id") && !json_iter_key_is(it, "group_id"))
        return err_set(e, ERR_INVALID, "unknown field \"filter.%.*s\"",
                       (int)(it->key.n < 80 ? it->key.n : 80), it->key.p);
    if (!is_word(it->value))
        return err_set(e, ERR_INVALID, "filter.%.*s: expected an id", STR_FMT(it->key));
    return 0;
}

int webhook_rules_check(struct json events, struct json filter, struct errbuf *e)
{
    struct json_iter it;
    int rc = events_check(events, e);
    if (rc || !json_exists(filter))
        return rc;
    if (json_type(filter) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "filter: expected an object");
    json_iter_init(&it, filter);
    while (rc == 0 && json_iter_next(&it))
        if (json_type(it.value) != JSON_NULL)
            rc = filter_check_member(&it, e);
    return rc;
}

int webhook_url_check(struct str url, struct errbuf *e)
{
    size_t at = url.n > 8 && memcmp(url.p, "https://", 8) == 0  ? 8
                : url.n > 7 && memcmp(url.p, "http://", 7) == 0 ? 7
                                                                : 0;
    if (!at || url.n > WEBHOOK_URL_MAX)
        return err_set(e, ERR_INVALID, "url: expected http:// or https://, at most %d bytes",
                       WEBHOOK_URL_MAX);
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= 0x20 || (unsigned char)url.p[i] >= 0x7f)
            return err_set(e, ERR_INVALID, "url: escape what is not a visible ASCII character");
    for (size_t i = at; i < url.n && !strchr("/?#", url.p[i]); i++)
        if (url.p[i] == '@')
            return err_set(e, ERR_INVALID,
                           "url: no name or password; what shows that it is us is the signature");
    if (strchr("/?#:", url.p[at]))
        return err_set(e, ERR_INVALID, "url: it has no host");
    return 0;
}

/* ---- asking ---- */

static bool text_is(struct json wanted, struct str has)
{
    return !json_exists(wanted) ||
           (has.p && wanted.n == has.n + 2 && memcmp(wanted.p + 1, has.p, has.n) == 0);
}

static bool metadata_has(struct json wanted, struct str metadata_json)
{
    struct json has = metadata_json.p ? json_root(metadata_json) : JSON_ABSENT;
    struct json_iter it;
    json_iter_init(&it, wanted);
    while (json_iter_next(&it)) {
        struct json value = JSON_ABSENT;
        struct buf key;
        buf_init(&key, it.key.n + 1);
        if (json_iter_key(&it, &key) == 0 && key.data)
            value = json_get(has, key.data);
        buf_deinit(&key);
        if (!json_exists(value) || !json_eq(value, it.value))
            return false;
    }
    return true;
}

bool webhook_wants_session(const struct webhook_rules *r, const struct webhook_session *s)
{
    char id[ID_TEXT_BYTES + 1];
    struct json f = r->filter;
    if (!json_exists(f) || json_length(f) == 0)
        return true;
    id_format(s->id, id);
    return text_is(json_get_set(f, "workflow_id"), s->workflow_id) &&
           text_is(json_get_set(f, "group_id"), s->group_id) &&
           text_is(json_get_set(f, "session_id"), (struct str){id, ID_TEXT_BYTES}) &&
           metadata_has(json_get_set(f, "metadata"), s->metadata_json);
}

struct str webhook_event_type(struct str frame)
{
    struct json v = json_get(json_root(frame), "type");
    return json_type(v) == JSON_STRING ? (struct str){v.p + 1, v.n - 2} : STR("");
}

static bool type_is_wanted(struct json events, struct str type)
{
    bool all = json_length(events) == 0;
    struct json_iter it;
    json_iter_init(&it, events);
    while (json_iter_next(&it)) {
        all = all || json_string_eq(it.value, "*");
        if (text_is(it.value, type))
            return true;
    }
    return all && !str_eqz(type, "token_stream");
}

static bool state_is_wanted(struct json wanted, struct str frame)
{
    struct json to = json_get(json_get(json_root(frame), "data"), "to");
    struct json_iter it;
    if (json_type(wanted) == JSON_STRING)
        return json_eq(wanted, to);
    json_iter_init(&it, wanted);
    while (json_iter_next(&it))
        if (json_eq(it.value, to))
            return true;
    return false;
}

bool webhook_wants_event(const struct webhook_rules *r, struct str frame)
{
    struct str type = webhook_event_type(frame);
    struct json status = json_get_set(r->filter, "status");
    if (!type_is_wanted(r->events, type))
        return false;
    return !json_exists(status) || !str_eqz(type, "session_state_change") ||
           state_is_wanted(status, frame);
}
