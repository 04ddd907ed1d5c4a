/* What can come next in a session, as commands that work as they stand. */
#include <string.h>

#include "app/stages.h"
#include "base/json.h"

#define NEXT_STAGES_MAX   8 /* of those that are open */
#define NEXT_COMMANDS_MAX 24

struct next {
    struct jw w;
    const struct stages_view *v;
    char session[ID_TEXT_BYTES + 1];
    unsigned count;
};

static void shell_quote(struct buf *b, struct str s)
{
    bool plain = s.n > 0;
    for (size_t i = 0; i < s.n && plain; i++)
        plain = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
                (s.p[i] >= '0' && s.p[i] <= '9') || (i > 0 && strchr("_-./", s.p[i]));
    if (plain) {
        buf_append_str(b, s);
        return;
    }
    buf_append_char(b, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'')
            buf_append_z(b, "'\\''");
        else
            buf_append_char(b, s.p[i]);
    }
    buf_append_char(b, '\'');
}

/* A command: its words, why, and the same as a request. `last`: one more word, quoted; or NULL. */
static void next_add(struct next *n, const char *why, const char *words, const char *id,
                     const char *rest, struct str last)
{
    struct buf b;
    if (n->count >= NEXT_COMMANDS_MAX)
        return;
    n->count++;
    buf_init(&b, 1u << 16);
    buf_printf(&b, "sluice %s %s%s%s", words, id, rest[0] ? " " : "", rest);
    if (last.p) {
        buf_append_char(&b, ' ');
        shell_quote(&b, last);
    }
    jw_object(&n->w);
    jw_kv_string(&n->w, "command", buf_str(&b));
    jw_kv_stringz(&n->w, "why", why);
    buf_deinit(&b);
}

static void next_request(struct next *n, const char *method, const char *path, const char *id,
                         const char *rest, struct str body)
{
    struct buf b;
    buf_init(&b, 1024);
    buf_printf(&b, "%s%s%s", path, id, rest);
    jw_key(&n->w, "request");
    jw_object(&n->w);
    jw_kv_stringz(&n->w, "method", method);
    jw_kv_string(&n->w, "path", buf_str(&b));
    if (body.p)
        jw_kv_raw(&n->w, "body", body);
    jw_end(&n->w);
    jw_end(&n->w);
    buf_deinit(&b);
}

/* The first of a stage's entries that is required and not there; or JSON_ABSENT. */
static struct json first_open(struct json entries, const char *what)
{
    struct json_iter it;
    json_iter_init(&it, entries);
    while (json_iter_next(&it)) {
        bool required = true;
        enum json_type has = json_type(json_get(it.value, what));
        json_bool(json_get(it.value, "required"), &required);
        if (required && (has == JSON_FALSE || has == JSON_NULL))
            return json_get(it.value, "name");
    }
    return JSON_ABSENT;
}

static void next_item(struct next *n, const char *id, struct json name)
{
    struct buf text, body;
    buf_init(&text, 1024);
    buf_init(&body, 4096);
    json_string(name, &text);
    buf_printf(&body, "{\"items\":[{\"name\":%.*s,\"done\":true}]}", (int)name.n, name.p);
    next_add(n, "tick off the next item", "stage item", id, "", buf_str(&text));
    next_request(n, "PATCH", "/stages/", id, "", buf_str(&body));
    buf_deinit(&body);
    buf_deinit(&text);
}

static void next_deliverable(struct next *n, const char *id)
{
    next_add(n, "see what is to be handed over", "stage show", id, "", STR_NULL);
    next_request(n, "GET", "/stages/", id, "", STR_NULL);
}

static void next_start(struct next *n, const struct interrupt_row *row)
{
    struct buf words, path, body;
    buf_init(&words, 1024);
    buf_init(&path, 1024);
    buf_init(&body, 1024);
    buf_printf(&words, "stage start %.*s --session", STR_FMT(row->node_id));
    buf_printf(&path, "/sessions/%s", n->session);
    buf_printf(&body, "{\"stage_id\":\"%.*s\"}", STR_FMT(row->node_id));
    next_add(n, "say that you begin with it", words.data, n->session, "", STR_NULL);
    next_request(n, "POST", path.data, "/stages", "", buf_str(&body));
    buf_deinit(&body);
    buf_deinit(&path);
    buf_deinit(&words);
}

static void next_stage(struct next *n, const struct interrupt_row *row)
{
    struct json asked = json_root(row->request_json);
    struct json item = first_open(json_get(asked, "items"), "done");
    struct json value = first_open(json_get(asked, "deliverables"), "value");
    bool skips = true;
    char id[ID_TEXT_BYTES + 1];
    id_format(row->interrupt_id, id);
    if (!json_exists(json_get(asked, "started_at")))
        next_start(n, row);
    if (json_exists(item))
        next_item(n, id, item);
    else if (json_exists(value))
        next_deliverable(n, id);
    else {
        next_add(n, "it is done: go on to what follows", "stage complete", id, "", STR_NULL);
        next_request(n, "POST", "/stages/", id, "/complete", STR("{}"));
    }
    json_bool(json_get(asked, "allow_skip"), &skips);
    if (skips) {
        next_add(n, "leave it out, with a reason", "stage skip", id, "--reason", STR("not needed"));
        next_request(n, "POST", "/stages/", id, "/skip", STR("{\"reason\":\"not needed\"}"));
    }
}

/* A question that is none of a stage: each of what it may be answered with. */
static void next_question(struct next *n, const struct interrupt_row *row)
{
    struct json asked = json_root(row->request_json);
    struct json_iter it;
    char id[ID_TEXT_BYTES + 1];
    id_format(row->interrupt_id, id);
    if (!str_eqz(row->kind, "approve_reject")) {
        next_add(n, "see what is asked", "review show", id, "", STR_NULL);
        next_request(n, "GET", "/reviews/", id, "", STR_NULL);
        return;
    }
    json_iter_init(&it, json_get(asked, "actions"));
    while (json_iter_next(&it)) {
        struct buf action, path, body;
        buf_init(&action, 1024);
        buf_init(&path, 1024);
        buf_init(&body, 4096);
        json_string(it.value, &action);
        buf_printf(&path, "/sessions/%s/nodes/%.*s", n->session, STR_FMT(row->node_id));
        buf_printf(&body, "{\"action\":%.*s,\"interrupt_id\":\"%s\"}", (int)it.value.n, it.value.p,
                   id);
        next_add(n, "decide it", "review answer", id, "", buf_str(&action));
        next_request(n, "POST", path.data, "/resume", "", buf_str(&body));
        buf_deinit(&body);
        buf_deinit(&path);
        buf_deinit(&action);
    }
}

static void next_move(struct next *n, const char *why, const char *words, const char *method,
                      const char *rest)
{
    next_add(n, why, words, n->session, "", STR_NULL);
    next_request(n, method, "/sessions/", n->session, rest, STR_NULL);
}

static void next_running(struct next *n)
{
    const struct interrupt_item *it = NULL;
    unsigned told = 0;
    while ((it = stages_next_item(n->v, it)) && told < NEXT_STAGES_MAX) {
        if (!str_eqz(it->row.status, "pending"))
            continue;
        told++;
        if (str_eqz(it->row.kind, "stage"))
            next_stage(n, &it->row);
        else
            next_question(n, &it->row);
    }
    if (!told)
        next_move(n, "follow what it does", "session watch", "GET", "/stream");
    next_move(n, "stop for a while", "session pause", "POST", "/pause");
    next_move(n, "end it", "session abort", "POST", "/cancel");
}

static void next_of_status(struct next *n, struct str status)
{
    if (str_eqz(status, "running") || str_eqz(status, "pending")) {
        next_running(n);
    } else if (str_eqz(status, "paused")) {
        next_move(n, "go on", "session resume", "POST", "/resume");
        next_move(n, "end it", "session abort", "POST", "/cancel");
    } else if (str_eqz(status, "failed")) {
        next_move(n, "see why", "session show", "GET", "");
        next_move(n, "go on from the failed node, in a new session", "session retry", "POST",
                  "/retry");
    } else {
        next_move(n, "see how it went", "session show", "GET", "");
    }
}

static void next_told(struct stages_view *v)
{
    struct svc_req *req = v->req;
    struct next n = {.v = v};
    id_format(req->session_id, n.session);
    jw_init(&n.w, &req->body);
    jw_object(&n.w);
    jw_kv_stringz(&n.w, "session_id", n.session);
    jw_kv_string(&n.w, "status", v->session.row.core.status);
    jw_key(&n.w, "commands");
    jw_array(&n.w);
    if (v->session.row.meta.stored_only)
        next_move(&n, "see it", "session show", "GET", "");
    else
        next_of_status(&n, v->session.row.core.status);
    jw_end(&n.w);
    jw_end(&n.w);
    app_done(req);
}

void svc_next(struct app *a, struct svc_req *req)
{
    stages_view_load(a, req, next_told);
}
