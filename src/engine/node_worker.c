#include "engine/schema.h"
#include "engine/session.h"

/* Nodes that compute on a worker thread: scripts, and the types that plugins bring.
 *
 * They may speak: what they emit is a message that grows, as a model's is. They may save a value:
 * it is the run's progress, {"saved": value}, and given to the next attempt, after a restart or a
 * failure. */

/* ---- what they say, what they save ---- */

void worker_speaks(struct session *s, struct work *w)
{
    if (work_speaks(w) || (w->kind != WORK_SCRIPT && w->kind != WORK_PLUGIN))
        return;
    w->message_id = call_message_id(s, &s->at->nodes[w->node], w->ordinal);
    s->core_dirty = true; /* a restart must know that there is something to take back */
}

void worker_saved(struct session *s, struct work *w, const struct engine_input *in)
{
    struct errbuf e;
    struct buf b;
    struct jw j;
    if ((w->kind != WORK_SCRIPT && w->kind != WORK_PLUGIN) || !in->output_json.n ||
        json_check(in->output_json, NULL, &e))
        return;
    buf_init(&b, in->output_json.n + 64);
    jw_init(&j, &b);
    jw_object(&j);
    jw_kv_raw(&j, "saved", in->output_json);
    jw_end(&j);
    progress_set(s, w->node, buf_str(&b));
    buf_deinit(&b);
}

static struct json saved_of(const struct session *s, unsigned n)
{
    struct str progress = progress_get(s, n);
    return progress.p ? json_get(json_root(progress), "saved") : JSON_ABSENT;
}

static void saved_write(const struct session *s, unsigned n, struct jw *w)
{
    struct json saved = saved_of(s, n);
    if (json_exists(saved))
        jw_kv_raw(w, "saved", json_raw(saved));
}

struct str worker_request(struct session *s, struct work *w)
{
    struct str progress = progress_get(s, w->node), out = w->request;
    struct buf b;
    if ((w->kind != WORK_SCRIPT && w->kind != WORK_PLUGIN) || !progress.p)
        return out;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX + progress.n);
    struct jw j;
    struct json_iter it;
    jw_init(&j, &b);
    jw_object(&j);
    json_iter_init(&it, json_root(w->request));
    while (json_iter_next(&it)) {
        if (json_iter_key_is(&it, "saved"))
            continue;
        jw_key_str(&j, it.key);
        jw_raw(&j, json_raw(it.value));
    }
    saved_write(s, w->node, &j);
    jw_end(&j);
    if (!buf_error(&b))
        out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

void worker_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    if (c->text.len) /* what it emitted is whole now */
        model_message(s, c, STR("stop"), -1);
    run_done(s, n, c, in);
}

/* ---- script ---- */

/* What is seen from here: the own scope's nodes, and those of all around it. */
static void script_nodes(struct session *s, struct jw *w)
{
    struct scope *was = s->at;
    jw_key(w, "nodes");
    jw_object(w);
    for (; s->at; s->at = s->at->parent) {
        for (unsigned i = 0; i < s->at->wf->node_count; i++) {
            const struct node_state *ns = &s->at->nodes[i];
            if (!node_is_here(s, i))
                continue;
            jw_key_str(w, node_def(s, i)->id);
            jw_object(w);
            if (ns->output.p)
                jw_kv_raw(w, "output", ns->output);
            jw_kv_stringz(w, "status", node_status_word(ns->status));
            jw_end(w);
        }
    }
    jw_end(w);
    s->at = was;
}

void node_start_script(struct session *s, unsigned n)
{
    struct buf b;
    struct jw w;
    int64_t number;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "code", prop_text(s, n, "code"));
    if (json_i64(prop(s, n, "timeout_ms"), &number))
        jw_kv_i64(&w, "timeout_ms", number);
    if (json_i64(prop(s, n, "memory_bytes_max"), &number))
        jw_kv_i64(&w, "memory_bytes_max", number);
    jw_key(&w, "env");
    jw_object(&w);
    jw_kv_raw(&w, "input", s->meta.input_json);
    script_nodes(s, &w);
    jw_kv_raw(&w, "vars", vars_text(s));
    struct str loop = loop_text(s, n);
    if (loop.p)
        jw_kv_raw(&w, "loop", loop);
    if (map_text(s).p)
        jw_kv_raw(&w, "map", map_text(s));
    jw_kv_raw(&w, "session", session_text(s));
    jw_end(&w);
    saved_write(s, n, &w);
    jw_end(&w);
    if (buf_error(&b))
        node_failz(s, n, "too_large", "What the script would see is larger than allowed.");
    else
        effect_start(s, work_begin(s, n, WORK_SCRIPT), buf_str(&b));
    buf_deinit(&b);
}

/* ---- plugin ---- */

static int properties_fill(struct session *s, unsigned n, struct str *out, struct errbuf *e)
{
    const struct node_def *def = node_def(s, n);
    struct errbuf inner = {{0}};
    *out = STR("{}");
    int rc = json_exists(def->properties) ? eval_templates(s, n, def->properties, out, e) : 0;
    if (!rc && schema_validate(def->plugin->schema, json_root(*out), &inner))
        rc = err_set(e, ERR_UNPROCESSABLE, "The properties do not suit type %s: %.300s",
                     def->plugin->name, inner.text);
    return rc;
}

void node_start_plugin(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    struct errbuf e = {{0}};
    struct str properties;
    struct buf b;
    struct jw w;
    int rc = properties_fill(s, n, &properties, &e);
    if (rc) {
        node_failz(s, n,
                   rc == ERR_UNPROCESSABLE ? "invalid_properties"
                   : rc == ERR_TOO_LARGE   ? "too_large"
                                           : "invalid_template",
                   e.text);
        return;
    }
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "type", def->plugin->name);
    jw_kv_string(&w, "node_id", def->id);
    if (def->timeout_ms > 0)
        jw_kv_i64(&w, "timeout_ms", def->timeout_ms);
    jw_kv_raw(&w, "properties", properties);
    jw_kv_raw(&w, "input", s->meta.input_json.p ? s->meta.input_json : STR("null"));
    saved_write(s, n, &w);
    jw_end(&w);
    if (buf_error(&b))
        node_failz(s, n, "too_large", "What the plugin would be given is larger than allowed.");
    else
        effect_start(s, work_begin(s, n, WORK_PLUGIN), buf_str(&b));
    buf_deinit(&b);
}
