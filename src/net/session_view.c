#include "net/session_view.h"

#include <string.h>

#include "base/id.h"
#include "base/json.h"
#include "engine/state.h"

/* "type" stands before anything that a user wrote, so this finds the event's own type. */
#define TYPE_SEARCH_BYTES 160

/* Events begin with their number and their session, so it is known where the word of their type
 * stands; NULL: these do not. */
static const char *event_type_at(struct str json)
{
    static const char seq[] = "{\"seq\":", session[] = ",\"session_id\":\"",
                      type[] = "\",\"type\":\"";
    const size_t rest = sizeof(session) - 1 + ID_TEXT_BYTES + sizeof(type) - 1;
    size_t at = sizeof(seq) - 1;

    if (json.n < TYPE_SEARCH_BYTES || memcmp(json.p, seq, at) != 0)
        return NULL;
    while (at < TYPE_SEARCH_BYTES - rest && json.p[at] >= '0' && json.p[at] <= '9')
        at++;
    if (memcmp(json.p + at, session, sizeof(session) - 1) != 0 ||
        memcmp(json.p + at + rest - (sizeof(type) - 1), type, sizeof(type) - 1) != 0)
        return NULL;
    return json.p + at + rest;
}

static bool status_has_ended(struct json v)
{
    enum session_status status;

    return json_type(v) == JSON_STRING &&
           session_status_parse((struct str){v.p + 1, v.n - 2}, &status) &&
           session_status_is_terminal(status);
}

bool session_view_read(struct str json, struct session_view *out)
{
    struct json root = json_root(json);

    out->has_ended = status_has_ended(json_get(root, "status"));
    return json_i64(json_get(root, "last_seq"), &out->last_seq);
}

bool event_is_state_change(struct str json)
{
    static const char mark[] = "\"type\":\"session_state_change\"";
    static const char word[] = "session_state_change\"";
    size_t n = json.n < TYPE_SEARCH_BYTES ? json.n : TYPE_SEARCH_BYTES;
    const char *type = event_type_at(json);

    if (type && (size_t)(type - json.p) + sizeof(word) - 1 <= json.n)
        return memcmp(type, word, sizeof(word) - 1) == 0;
    return memmem(json.p, n, mark, sizeof(mark) - 1) != NULL;
}

bool event_is_ending(struct str json)
{
    /* A quick look first: nearly all events are something else. */
    return event_is_state_change(json) &&
           status_has_ended(json_get(json_get(json_root(json), "data"), "to"));
}
