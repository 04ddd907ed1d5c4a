#include <string.h>

#include "engine/session.h"

/* Subworkflows: a child session, which lives on its own. Its id follows from the run's logical id
 * and how often the node has failed: an attempt after a failure has a child of its own; one that is
 * only begun again by another server finds the child that is there. The run waits as for any work
 * of the shell, but a restart does not end it: the shell is told again, looks for the child, and
 * gives its end when it has one.
 *
 * A pause, a resume and an ending are passed down by commands in the child's inbox. */

struct id child_id_of(const struct node_state *ns)
{
    struct id id = call_key(ns, (unsigned)(1 + ns->failures));
    memcpy(id.b, ns->logical_id.b, 6); /* a UUIDv7: of the time of the first attempt */
    id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f));
    return id;
}

/* ---- telling the shell ---- */

static struct effect_out *child_push(struct session *s, enum effect_kind kind, const struct work *w)
{
    struct effect_out *o = effect_push(s, kind);
    o->e.run_id = w->id;
    o->e.idempotency_key = w->key;
    o->e.child_id = w->child_id;
    return o;
}

void children_tell(struct session *s, enum effect_kind kind)
{
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        if (w->kind == WORK_CHILD && !w->over && !(w->gen == s->gen && w->row))
            child_push(s, kind, w);
    }
}

void children_recover(struct session *s)
{
    table_foreach(slot, &s->runs)
    {
        struct work *w = slot->value;
        if (w->kind != WORK_CHILD)
            continue;
        struct effect_out *o = child_push(s, EFFECT_CHILD_START, w);
        o->e.request_json.p = arena_strdup(&s->made->out.arena, w->request);
        o->e.request_json.n = w->request.n;
    }
}

void child_finish(struct session *s, struct work *w, bool cancel)
{
    if (cancel && !w->over)
        child_push(s, EFFECT_CHILD_CANCEL, w);
}

bool child_restore(struct work *w)
{
    struct json id = json_get(json_root(w->request), "session_id");
    return json_type(id) == JSON_STRING && id_parse((struct str){id.p + 1, id.n - 2}, &w->child_id);
}

/* ---- the node ---- */

static void child_request(struct session *s, unsigned n, struct id child, struct str input,
                          struct buf *b)
{
    char id[ID_TEXT_BYTES + 1];
    int64_t version;
    struct jw w;
    id_format(child, id);
    jw_init(&w, b);
    jw_object(&w);
    jw_kv_stringz(&w, "session_id", id);
    jw_kv_raw(&w, "workflow_id", json_raw(prop(s, n, "workflow_id")));
    if (json_i64(prop(s, n, "version"), &version))
        jw_kv_i64(&w, "version", version);
    jw_kv_raw(&w, "input", input);
    jw_end(&w);
}

/* Without `input` the child gets what this session was given. */
void node_start_child(struct session *s, unsigned n)
{
    struct json asked = prop(s, n, "input");
    struct str input = s->meta.input_json.p ? s->meta.input_json : STR("{}");
    struct id child = child_id_of(&s->at->nodes[n]);
    struct errbuf e = {{0}};
    struct buf b;
    if (json_exists(asked) && eval_tree(s, n, asked, &input, &e)) {
        node_failz(s, n, "invalid_expression", e.text);
        return;
    }
    if (json_type(json_root(input)) != JSON_OBJECT) {
        node_failz(s, n, "invalid_input", "The input of a child session is an object.");
        return;
    }
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    child_request(s, n, child, input, &b);
    if (buf_error(&b)) {
        node_failz(s, n, "too_large", "The child session's input is larger than allowed.");
    } else {
        struct work *w = work_begin(s, n, WORK_CHILD);
        w->child_id = child;
        effect_start(s, w, buf_str(&b));
        w->start->e.child_id = child;
    }
    buf_deinit(&b);
}
