#include <string.h>

#include "base/clock.h"
#include "engine/schema.h"
#include "engine/session.h"

/* Nodes that complete within the step (and wait, which needs only a timer). */

/* ---- start ---- */

/* More than other nodes may give: attachments of FILE_BYTES_MAX beside an input, and what is read
 * back after a restart as one text. */
#define START_OUTPUT_BYTES_MAX (JSON_BODY_MAX - (1u << 20))

/* "## name\n\ncontent" of each attachment, an empty line between. */
static int attachments_combine(struct json attachments, struct buf *text)
{
    struct json_iter it;
    json_iter_init(&it, attachments);
    while (json_iter_next(&it)) {
        struct json name = json_get_set(it.value, "name");
        struct json content = json_get_set(it.value, "content");
        if (json_type(content) != JSON_STRING)
            continue;
        if (text->len)
            buf_append_z(text, "\n\n");
        buf_append_z(text, "## ");
        if (json_type(name) == JSON_STRING)
            json_string(name, text);
        else
            buf_printf(text, "Attachment %zu", it.index + 1);
        buf_append_z(text, "\n\n");
        json_string(content, text);
    }
    return buf_error(text);
}

static int start_output(struct session *s, struct json input, struct str *out)
{
    struct json attachments = attachments_of(s, input);
    if (!json_exists(attachments)) {
        *out = json_raw(input);
        return 0;
    }
    struct buf text, b;
    struct jw w;
    buf_init(&text, START_OUTPUT_BYTES_MAX);
    buf_init(&b, START_OUTPUT_BYTES_MAX);
    int rc = attachments_combine(attachments, &text);
    jw_init(&w, &b);
    jw_object(&w);
    struct json_iter it;
    json_iter_init(&it, input);
    while (json_iter_next(&it)) {
        if (json_iter_key_is(&it, "combined_context"))
            continue;
        if (b.len > 1)
            buf_append_char(&b, ',');
        buf_append_char(&b, '"');
        buf_append_str(&b, it.key);
        buf_append_z(&b, "\":");
        buf_append_str(&b, json_raw(it.value));
    }
    w.need_comma = b.len > 1;
    jw_kv_string(&w, "combined_context", buf_str(&text));
    jw_end(&w);
    rc = rc ? rc : buf_error(&b);
    if (!rc)
        *out = tmp_copy(s, buf_str(&b));
    buf_deinit(&text);
    buf_deinit(&b);
    return rc;
}

void node_start_start(struct session *s, unsigned n)
{
    struct str text = s->meta.input_json.p ? s->meta.input_json : STR("null"), output;
    struct json input = json_root(text);
    struct errbuf e = {{0}};
    if (json_exists(s->at->wf->input_schema) &&
        schema_validate(s->at->wf->input_schema, input, &e)) {
        node_failz(s, n, "invalid_input", e.text);
        return;
    }
    if (start_output(s, input, &output)) {
        node_failz(s, n, "too_large", "The attachments together are larger than allowed.");
        return;
    }
    attachments_joined(s);
    node_complete(s, n, output, EDGES_NEXT);
}

/* ---- end ---- */

/* What came in: the only live predecessor's output, or all of them by id. */
struct str end_output(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    unsigned count = 0, last = 0;
    for (unsigned i = 0; i < def->in_count; i++) {
        if (bit_get(s->at->live, def->in[i])) {
            last = s->at->wf->edges[def->in[i]].from;
            count++;
        }
    }
    if (count == 1)
        return s->at->nodes[last].output.p ? s->at->nodes[last].output : STR("null");
    struct buf b;
    struct jw w;
    buf_init(&b, (size_t)ENGINE_OUTPUT_BYTES_MAX + 1);
    jw_init(&w, &b);
    jw_object(&w);
    for (unsigned i = 0, seen = WORKFLOW_NODES_MAX; i < def->in_count; i++) {
        unsigned from = s->at->wf->edges[def->in[i]].from;
        if (!bit_get(s->at->live, def->in[i]) || from == seen)
            continue;
        seen = from; /* `in` ascends: edges from one node stand together */
        jw_key_str(&w, node_def(s, from)->id);
        jw_raw(&w, s->at->nodes[from].output);
    }
    jw_end(&w);
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

void node_start_end(struct session *s, unsigned n)
{
    struct json expression = prop(s, n, "output");
    struct errbuf e = {{0}};
    struct str output;
    if (json_exists(prop(s, n, "prompt"))) {
        node_start_model(s, n);
        return;
    }
    if (json_exists(expression)) {
        if (eval_tree(s, n, expression, &output, &e)) {
            node_failz(s, n, "invalid_expression", e.text);
            return;
        }
    } else {
        output = end_output(s, n);
    }
    if (output.p)
        node_complete(s, n, output, EDGES_NONE);
    else
        node_failz(s, n, "too_large", "What arrived at the end is larger than allowed.");
}

/* ---- transform ---- */

/* All expressions see the variables as they were; then they are set. */
static int transform_vars(struct session *s, unsigned n, struct json vars, struct errbuf *e)
{
    struct str text;
    if (eval_tree(s, n, vars, &text, e))
        return e->text[0] ? ERR_INVALID : err_set(e, ERR_INVALID, "The variables are too large.");
    struct json_iter it;
    json_iter_init(&it, json_root(text));
    while (json_iter_next(&it)) {
        struct buf name;
        buf_init(&name, it.key.n + 1);
        json_iter_key(&it, &name);
        var_set(s, buf_str(&name), json_raw(it.value));
        buf_deinit(&name);
    }
    if (vars_text(s).n > ENGINE_OUTPUT_BYTES_MAX)
        return err_set(e, ERR_TOO_LARGE, "The session's variables are larger than allowed.");
    return 0;
}

void node_start_transform(struct session *s, unsigned n)
{
    struct json expression = prop(s, n, "output"), vars = prop(s, n, "vars");
    struct errbuf e = {{0}};
    struct str output = STR("null");
    int rc = 0;
    if (json_exists(expression))
        rc = eval_tree(s, n, expression, &output, &e);
    if (!rc && json_exists(vars))
        rc = transform_vars(s, n, vars, &e);
    if (rc)
        node_failz(s, n, "invalid_expression", e.text);
    else
        node_complete(s, n, output, EDGES_NEXT);
}

/* ---- switch ---- */

static int switch_edge(struct session *s, unsigned n, enum edge_kind kind, size_t ordinal)
{
    const struct node_def *def = node_def(s, n);
    for (unsigned i = 0; i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        if (e->kind == kind && (kind == EDGE_DEFAULT || e->ordinal == ordinal))
            return def->out[i];
    }
    return EDGES_NONE;
}

static void switch_take(struct session *s, unsigned n, int edge, int64_t which)
{
    struct buf b;
    struct jw w;
    buf_init(&b, 256);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "case");
    if (which >= 0)
        jw_i64(&w, which);
    else
        jw_null(&w);
    jw_kv_string(&w, "to", node_def(s, s->at->wf->edges[edge].to)->id);
    jw_end(&w);
    node_complete(s, n, buf_str(&b), edge);
    buf_deinit(&b);
}

void node_start_switch(struct session *s, unsigned n)
{
    struct json_iter it;
    struct errbuf e = {{0}};
    json_iter_init(&it, prop(s, n, "cases"));
    while (json_iter_next(&it)) {
        struct json when = json_get_set(it.value, "when");
        bool holds = false;
        if (json_type(when) == JSON_STRING && eval_bool(s, n, json_text(s, when), &holds, &e)) {
            node_failz(s, n, "invalid_expression", e.text);
            return;
        }
        int edge = holds ? switch_edge(s, n, EDGE_CASE, it.index) : EDGES_NONE;
        if (edge >= 0) {
            switch_take(s, n, edge, (int64_t)it.index);
            return;
        }
    }
    int edge = switch_edge(s, n, EDGE_DEFAULT, 0);
    if (edge >= 0)
        switch_take(s, n, edge, -1);
    else
        node_failz(s, n, "no_case", "No case holds, and there is no default.");
}

/* ---- parallel ---- */

void node_start_parallel(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    struct buf b;
    struct jw list;
    buf_init(&b, 1u << 20);
    jw_init(&list, &b);
    jw_array(&list);
    for (unsigned i = 0; i < def->out_count; i++)
        if (s->at->wf->edges[def->out[i]].kind == EDGE_NEXT)
            jw_string(&list, node_def(s, s->at->wf->edges[def->out[i]].to)->id);
    jw_end(&list);
    struct jw *w = event_begin(s, "parallel_start", (int)n);
    jw_kv_raw(w, "branches", buf_str(&b));
    event_end(s);
    struct str branches = buf_str(&b);
    struct buf out;
    buf_init(&out, b.len + 32);
    buf_append_z(&out, "{\"branches\":");
    buf_append_str(&out, branches);
    buf_append_char(&out, '}');
    node_complete(s, n, buf_str(&out), EDGES_NEXT);
    buf_deinit(&out);
    buf_deinit(&b);
}

/* ---- wait ---- */

void node_start_wait(struct session *s, unsigned n)
{
    int64_t delay = 0, until;
    struct str text = prop_text(s, n, "until");
    struct errbuf e = {{0}};
    if (text.p) {
        if (eval_template(s, n, text, &text, &e)) {
            node_failz(s, n, "invalid_template", e.text);
            return;
        }
        if (!clock_parse_rfc3339(text, &until)) {
            err_set(&e, ERR_INVALID, "\"%.*s\" is not a time (RFC 3339).",
                    (int)(text.n > 100 ? 100 : text.n), text.p);
            node_failz(s, n, "invalid_time", e.text);
            return;
        }
        delay = until > s->now ? until - s->now : 0;
    } else {
        json_i64(prop(s, n, "duration_ms"), &delay);
    }
    work_begin(s, n, WORK_WAIT);
    timer_add(s, FOR_WAIT, (int)n, delay > 0 ? delay : 0);
}
