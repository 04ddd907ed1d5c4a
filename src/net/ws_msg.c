#include "net/ws_msg.h"

#include <string.h>

#include "net/wire_fields.h"

static const struct ws_word {
    const char *type;
    enum ws_kind kind;
    enum svc_op op;
} ws_words[] = {
    {"subscribe", WS_SUBSCRIBE, SVC_OP_COUNT}, {"unsubscribe", WS_UNSUBSCRIBE, SVC_OP_COUNT},
    {"ping", WS_PING, SVC_OP_COUNT},           {"execute", WS_COMMAND, SVC_EXECUTE},
    {"pause", WS_COMMAND, SVC_PAUSE},          {"resume", WS_COMMAND, SVC_RESUME},
    {"cancel", WS_COMMAND, SVC_CANCEL},        {"resume_node", WS_COMMAND, SVC_NODE_RESUME},
    {"signal", WS_COMMAND, SVC_SIGNAL},        {"user_input", WS_COMMAND, SVC_INPUT},
};

/* What subscribe and unsubscribe carry. */
struct ws_target {
    struct id session_id;
    int64_t after;
    struct str channel, filter;
    bool watching;
};
struct ws_filter {
    struct str workflow_id, status;
};

#define FIELD(name, kind, of, member, ...)                                                         \
    {                                                                                              \
        .key = name, .type = kind, .offset = offsetof(struct of, member), __VA_ARGS__              \
    }

static const struct wire_field target_fields[] = {
    {.key = "type"},
    {.key = "request_id"},
    FIELD("session_id", WIRE_UUID, ws_target, session_id),
    FIELD("after", WIRE_NUMBER, ws_target, after, .max = INT64_MAX - 1),
    FIELD("channel", WIRE_TEXT, ws_target, channel, .max = 64),
    FIELD("filter", WIRE_OBJECT, ws_target, filter),
    FIELD("watching", WIRE_BOOL, ws_target, watching),
};
static const struct wire_field filter_fields[] = {
    FIELD("workflow_id", WIRE_TEXT, ws_filter, workflow_id, .max = NAME_BYTES_MAX),
    FIELD("status", WIRE_TEXT, ws_filter, status, .max = 32),
};
static const struct wire_field ping_fields[] = {{.key = "type"}, {.key = "request_id"}};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int ws_read_target(struct ws_msg *m, struct arena *arena, struct errbuf *e)
{
    struct ws_target t = {.after = 0};
    struct ws_filter f = {{NULL, 0}, {NULL, 0}};

    if (wire_read(m->root, target_fields, COUNT(target_fields), &t, arena, e) < 0)
        return ERR_INVALID;
    m->session_id = t.session_id;
    m->after = t.after;
    m->watching = t.watching;
    if (!t.channel.p) {
        if (id_is_zero(t.session_id))
            return err_set(e, ERR_INVALID, "give session_id or channel");
        if (t.filter.p)
            return err_set(e, ERR_INVALID, "filter: goes with a channel");
        return 0;
    }
    if (!str_eqz(t.channel, "sessions") || !id_is_zero(t.session_id))
        return err_set(e, ERR_INVALID, "channel: the only one is \"sessions\"");
    m->is_channel = true;
    if (t.filter.p &&
        wire_read(json_root(t.filter), filter_fields, COUNT(filter_fields), &f, arena, e) < 0)
        return ERR_INVALID;
    m->filter_workflow_id = f.workflow_id;
    m->filter_status = f.status;
    return 0;
}

static int ws_read_session(struct ws_msg *m, struct errbuf *e)
{
    struct json v = json_get_set(m->root, "session_id");

    if (m->op == SVC_EXECUTE) {
        if (json_exists(v))
            return err_set(e, ERR_INVALID, "session_id: a new session gets its own");
        return 0;
    }
    if (json_type(v) != JSON_STRING || !id_parse((struct str){v.p + 1, v.n - 2}, &m->session_id))
        return err_set(e, ERR_INVALID, "session_id: expected a UUID");
    return 0;
}

static int ws_read_request_id(struct ws_msg *m, struct errbuf *e)
{
    struct json v = json_get_set(m->root, "request_id");

    if (!json_exists(v))
        return 0;
    if ((json_type(v) != JSON_STRING && json_type(v) != JSON_NUMBER) || v.n > WS_REQUEST_ID_MAX + 2)
        return err_set(e, ERR_INVALID, "request_id: expected a string of at most %d bytes",
                       WS_REQUEST_ID_MAX);
    m->request_id = json_raw(v);
    return 0;
}

static const struct ws_word *ws_find_word(struct json type)
{
    for (size_t i = 0; i < COUNT(ws_words); i++)
        if (json_string_eq(type, ws_words[i].type))
            return &ws_words[i];
    return NULL;
}

int ws_msg_parse(struct str text, struct arena *arena, struct ws_msg *m, struct errbuf *e)
{
    const struct ws_word *word;

    memset(m, 0, sizeof(*m));
    m->is_fault = true;
    if (json_check(text, NULL, e) < 0)
        return ERR_INVALID;
    m->root = json_root(text);
    if (json_type(m->root) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "expected an object");
    if (ws_read_request_id(m, e) < 0)
        return ERR_INVALID;
    word = ws_find_word(json_get(m->root, "type"));
    if (!word)
        return err_set(e, ERR_INVALID, "type: unknown or missing");
    m->is_fault = false;
    m->kind = word->kind;
    m->op = word->op;
    switch (m->kind) {
    case WS_SUBSCRIBE:
    case WS_UNSUBSCRIBE:
        return ws_read_target(m, arena, e);
    case WS_COMMAND:
        return ws_read_session(m, e);
    case WS_PING:
        return wire_read(m->root, ping_fields, COUNT(ping_fields), m, arena, e);
    }
    return 0;
}
