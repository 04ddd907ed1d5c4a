#include "net/session_view.h"

#include <string.h>

#include "base/json.h"
#include "engine/state.h"

/* "type" stands before anything that a user wrote, so this finds the event's own type. */
#define TYPE_SEARCH_BYTES 160

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
    size_t n = json.n < TYPE_SEARCH_BYTES ? json.n : TYPE_SEARCH_BYTES;

    return memmem(json.p, n, mark, sizeof(mark) - 1) != NULL;
}

bool event_is_ending(struct str json)
{
    /* A quick look first: nearly all events are something else. */
    return event_is_state_change(json) &&
           status_has_ended(json_get(json_get(json_root(json), "data"), "to"));
}
