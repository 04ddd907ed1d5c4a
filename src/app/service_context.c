/* What a person or a program should know to go on with a session: what is to be done now, what came
 * before, what the whole is for. As JSON, or as one text (Markdown) for who has no use for more. */
#include <string.h>

#include "app/stages.h"
#include "base/json.h"
#include "net/wire.h"

static struct json metadata_of(const struct stages_view *v)
{
    return v->w ? json_get(json_get(json_root(v->w->text), "metadata"), "source_rule")
                : JSON_ABSENT;
}

static bool is_now(const struct stage_entry *e)
{
    return e->status == STAGE_ACTIVE;
}

/* ---- as JSON ---- */

static void text_write(struct jw *w, const char *key, struct str s)
{
    jw_key(w, key);
    if (s.p)
        jw_string(w, s);
    else
        jw_null(w);
}

static void workflow_write(struct jw *w, const struct stages_view *v)
{
    const struct session_meta *m = &v->session.row.meta;
    jw_key(w, "workflow");
    jw_object(w);
    text_write(w, "id", m->workflow_id);
    jw_kv_i64(w, "version", m->workflow_version);
    text_write(w, "name", v->w ? v->w->name : STR_NULL);
    text_write(w, "type", v->w ? v->w->type : STR_NULL);
    text_write(w, "description", v->w ? v->w->description : STR_NULL);
    jw_kv_raw(w, "source_rule", json_raw(metadata_of(v)));
    jw_end(w);
}

static void session_write(struct jw *w, const struct stages_view *v)
{
    const struct session_row *row = &v->session.row;
    struct stages_sum sum;
    char id[ID_TEXT_BYTES + 1];
    stages_sum(v, &sum);
    id_format(row->id, id);
    jw_key(w, "session");
    jw_object(w);
    jw_kv_stringz(w, "id", id);
    text_write(w, "name", row->meta.name);
    text_write(w, "status", row->core.status);
    text_write(w, "user_id", row->meta.user_id);
    jw_kv_raw(w, "input", row->meta.input_json);
    jw_kv_double(w, "percent", sum.percent);
    jw_kv_u64(w, "done", sum.done);
    jw_kv_u64(w, "total", sum.total);
    jw_end(w);
}

static void stages_write(struct jw *w, const struct stages_view *v, const char *key, bool over)
{
    jw_key(w, key);
    jw_array(w);
    for (unsigned i = 0; i < v->count; i++)
        if (!is_now(&v->stages[i]) && stage_is_over(v->stages[i].status) == over)
            stage_write_one(w, v, &v->stages[i], stage_newest(&v->stages[i]));
    jw_end(w);
}

static void context_json(struct stages_view *v)
{
    struct jw w;
    jw_init(&w, &v->req->body);
    jw_object(&w);
    workflow_write(&w, v);
    session_write(&w, v);
    jw_key(&w, "current");
    jw_array(&w);
    for (unsigned i = 0; i < v->count; i++)
        for (unsigned k = 0; k < v->stages[i].count; k++)
            if (stage_status_of(&v->stages[i].items[k]->row) == STAGE_ACTIVE)
                stage_write_one(&w, v, &v->stages[i], v->stages[i].items[k]);
    jw_end(&w);
    stages_write(&w, v, "before", true);
    stages_write(&w, v, "after", false);
    jw_end(&w);
}

/* ---- as text ---- */

static void text_append(struct buf *b, struct json v)
{
    if (json_type(v) == JSON_STRING)
        json_string(v, b);
    else
        buf_append_str(b, json_raw(v));
}

static void line(struct buf *b, const char *label, struct str s)
{
    if (s.n)
        buf_printf(b, "%s: %.*s\n", label, STR_FMT(s));
}

static void items_text(struct buf *b, struct json items)
{
    struct json_iter it;
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        bool done = false, required = true;
        json_bool(json_get(it.value, "done"), &done);
        json_bool(json_get(it.value, "required"), &required);
        buf_printf(b, "- [%c] ", done ? 'x' : ' ');
        text_append(b, json_get(it.value, "name"));
        buf_append_z(b, required ? "\n" : " (not required)\n");
    }
}

static void deliverables_text(struct buf *b, struct json list)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        struct json value = json_get(it.value, "value");
        buf_append_z(b, "- ");
        text_append(b, json_get(it.value, "name"));
        buf_append_z(b, ": ");
        if (json_type(value) == JSON_NULL)
            buf_append_z(b, "to be handed over");
        else
            text_append(b, value);
        buf_append_char(b, '\n');
    }
}

/* A part of a stage, with its head when there is anything in it. */
static void part(struct buf *b, const char *head, struct json list,
                 void (*write)(struct buf *b, struct json list))
{
    if (!json_length(list))
        return;
    buf_printf(b, "\n%s\n\n", head);
    write(b, list);
}

static void notes_text(struct buf *b, struct json context)
{
    struct json_iter it;
    json_iter_init(&it, context);
    while (json_iter_next(&it)) {
        buf_append_z(b, "- ");
        json_iter_key(&it, b);
        buf_append_z(b, ": ");
        text_append(b, it.value);
        buf_append_char(b, '\n');
    }
}

static void now_text(struct buf *b, const struct interrupt_row *row)
{
    struct json asked = json_root(row->request_json), by = json_get_set(asked, "started_by");
    buf_append_z(b, "\n## Now: ");
    text_append(b, json_get(asked, "name"));
    buf_append_z(b, "\n\n");
    text_append(b, json_get(asked, "reason"));
    buf_append_char(b, '\n');
    if (json_exists(by)) {
        buf_append_z(b, "Begun by: ");
        text_append(b, by);
        buf_append_char(b, '\n');
    }
    part(b, "### Checklist", json_get(asked, "items"), items_text);
    part(b, "### Deliverables", json_get(asked, "deliverables"), deliverables_text);
    part(b, "### Notes", json_get(asked, "context"), notes_text);
}

static struct json stage_name(const struct stage_entry *e)
{
    return json_get_set(e->def->properties, "name");
}

static void entry_text(struct buf *b, const struct stage_entry *e)
{
    const struct interrupt_item *it = stage_newest(e);
    struct json answer = it ? json_root(it->row.answer_json) : JSON_ABSENT;
    struct json by = json_get_set(answer, "reviewer");
    struct json reason = json_get_set(json_get(answer, "data"), "reason");
    buf_append_z(b, "- ");
    if (json_exists(stage_name(e)))
        text_append(b, stage_name(e));
    else
        buf_append_str(b, e->def->name);
    if (e->status != STAGE_PENDING)
        buf_printf(b, ": %s", stage_status_word(e->status));
    if (json_exists(by)) {
        buf_append_z(b, " by ");
        text_append(b, by);
    }
    if (e->status == STAGE_SKIPPED && json_exists(reason)) {
        buf_append_z(b, " (");
        text_append(b, reason);
        buf_append_char(b, ')');
    }
    buf_append_char(b, '\n');
    if (it && e->status == STAGE_COMPLETED) {
        struct json_iter d;
        json_iter_init(&d, json_get(json_root(it->row.request_json), "deliverables"));
        while (json_iter_next(&d)) {
            if (json_type(json_get(d.value, "value")) == JSON_NULL)
                continue;
            buf_append_z(b, "  - ");
            text_append(b, json_get(d.value, "name"));
            buf_append_z(b, ": ");
            text_append(b, json_get(d.value, "value"));
            buf_append_char(b, '\n');
        }
    }
}

static void others_text(struct buf *b, const struct stages_view *v, const char *head, bool over)
{
    bool any = false;
    for (unsigned i = 0; i < v->count; i++) {
        const struct stage_entry *e = &v->stages[i];
        if (is_now(e) || stage_is_over(e->status) != over)
            continue;
        if (!any)
            buf_printf(b, "\n## %s\n\n", head);
        any = true;
        entry_text(b, e);
    }
}

static void context_text(struct stages_view *v)
{
    const struct session_row *row = &v->session.row;
    struct buf *b = &v->req->body;
    struct stages_sum sum;
    char id[ID_TEXT_BYTES + 1];
    stages_sum(v, &sum);
    id_format(row->id, id);
    buf_printf(b, "# %.*s\n\n", STR_FMT(v->w && v->w->name.p ? v->w->name : STR("A session")));
    line(b, "What it is for", v->w ? v->w->description : STR_NULL);
    if (json_exists(metadata_of(v))) {
        buf_append_z(b, "Rules: ");
        text_append(b, metadata_of(v));
        buf_append_char(b, '\n');
    }
    line(b, "Workflow", row->meta.workflow_id);
    line(b, "Session", str_of(id));
    line(b, "Name", row->meta.name);
    buf_printf(b, "Status: %.*s, %.0f %%, %u of %u stages\n", STR_FMT(row->core.status),
               sum.percent, sum.done, sum.total);
    line(b, "Input", row->meta.input_json);
    for (unsigned i = 0; i < v->count; i++)
        for (unsigned k = 0; k < v->stages[i].count; k++)
            if (stage_status_of(&v->stages[i].items[k]->row) == STAGE_ACTIVE)
                now_text(b, &v->stages[i].items[k]->row);
    others_text(b, v, "Before", true);
    others_text(b, v, "After", false);
    v->req->content_type = "text/markdown; charset=utf-8";
}

static void context_told(struct stages_view *v)
{
    if (str_eqz(v->req->diagram.format, "text"))
        context_text(v);
    else
        context_json(v);
    if (buf_error(&v->req->body))
        app_fail(v->req, ERR_TOO_LARGE, "the answer is too large");
    else
        app_done(v->req);
}

void svc_context(struct app *a, struct svc_req *req)
{
    if (req->diagram.format.n && !str_eqz(req->diagram.format, "json") &&
        !str_eqz(req->diagram.format, "text"))
        app_fail(req, ERR_INVALID, "format: expected \"json\" or \"text\"");
    else
        stages_view_load(a, req, context_told);
}
