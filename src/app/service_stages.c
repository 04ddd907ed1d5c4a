/* Stages of a session: all of them in order, how far it is, what can come next. */
#include <stdlib.h>
#include <string.h>

#include "app/stages.h"
#include "base/json.h"
#include "net/query.h"
#include "net/wire.h"

/* ---- all of them ---- */

struct stages_list {
    struct jw w;
    struct svc_req *req;
    int64_t skip, left;
    bool more;
};

static void list_add(struct stages_list *l, const struct stages_view *v,
                     const struct stage_entry *e, const struct interrupt_item *it)
{
    if (l->skip > 0) {
        l->skip--;
    } else if (l->left > 0) {
        stage_write_one(&l->w, v, e, it);
        l->left--;
    } else {
        l->more = true;
    }
}

/* Those that are open, or the newest; with ?history all that ever were. */
static void list_entry(struct stages_list *l, const struct stages_view *v,
                       const struct stage_entry *e)
{
    if (!e->count)
        list_add(l, v, e, NULL);
    for (unsigned i = 0; i < e->count; i++) {
        bool open = stage_status_of(&e->items[i]->row) == STAGE_ACTIVE;
        if (l->req->stage.history || open || (!e->open && i + 1 == e->count))
            list_add(l, v, e, e->items[i]);
    }
}

static void stages_listed(struct stages_view *v)
{
    struct svc_req *req = v->req;
    struct stages_list l = {.req = req, .left = req->list.limit};
    if (req->list.cursor.p && !query_number(req->list.cursor, &l.skip)) {
        app_fail(req, ERR_INVALID, "cursor: that is none of ours");
        return;
    }
    int64_t next = l.skip + l.left;
    jw_init(&l.w, &req->body);
    jw_object(&l.w);
    jw_key(&l.w, "items");
    jw_array(&l.w);
    for (unsigned i = 0; i < v->count; i++)
        list_entry(&l, v, &v->stages[i]);
    jw_end(&l.w);
    if (l.more) {
        char cursor[24];
        snprintf(cursor, sizeof(cursor), "%lld", (long long)next);
        jw_kv_stringz(&l.w, "next_cursor", cursor);
    } else {
        jw_kv_raw(&l.w, "next_cursor", STR("null"));
    }
    jw_end(&l.w);
    if (buf_error(&req->body))
        app_fail(req, ERR_TOO_LARGE, "the answer is too large; ask for fewer with limit");
    else
        app_done(req);
}

void svc_stage_list(struct app *a, struct svc_req *req)
{
    stages_view_load(a, req, stages_listed);
}

/* ---- progress ---- */

/* When its newest instance began to wait, was begun, and was over. */
static void entry_times(struct jw *w, const struct stage_entry *e)
{
    const struct interrupt_item *it = stage_newest(e);
    struct json asked = it ? json_root(it->row.request_json) : JSON_ABSENT;
    struct json at = it ? json_get(json_root(it->row.answer_json), "at") : JSON_ABSENT;
    jw_kv_time(w, "active_since", it ? it->row.created_at : 0);
    jw_kv_raw(w, "started_at", json_raw(json_get(asked, "started_at")));
    if (json_exists(at))
        jw_kv_raw(w, "ended_at", json_raw(at));
    else
        jw_kv_time(w, "ended_at", it && stage_is_over(e->status) ? it->row.updated_at : 0);
}

static void entry_write(struct jw *w, const struct stage_entry *e)
{
    const struct interrupt_item *it = stage_newest(e);
    struct json name = json_get_set(e->def->properties, "name");
    char id[ID_TEXT_BYTES + 1];
    jw_object(w);
    jw_kv_string(w, "node_id", e->def->id);
    if (json_exists(name))
        jw_kv_raw(w, "name", json_raw(name));
    else
        jw_kv_string(w, "name", e->def->name);
    jw_kv_stringz(w, "status", stage_status_word(e->status));
    if (it)
        id_format(it->row.interrupt_id, id);
    jw_kv_stringz(w, "instance_id", it ? id : NULL);
    jw_kv_u64(w, "items_done", e->checked);
    jw_kv_u64(w, "items_total", e->checks);
    jw_kv_i64(w, "percent", (int64_t)(stage_share(e) * 100 + 1e-9));
    jw_kv_double(w, "weight", e->weight);
    if (e->minutes >= 0)
        jw_kv_double(w, "estimated_minutes", e->minutes);
    entry_times(w, e);
    jw_end(w);
}

static void current_write(struct jw *w, const struct stages_view *v)
{
    jw_key(w, "current");
    jw_array(w);
    for (unsigned i = 0; i < v->count; i++)
        for (unsigned k = 0; k < v->stages[i].count; k++)
            if (stage_status_of(&v->stages[i].items[k]->row) == STAGE_ACTIVE)
                stage_write_one(w, v, &v->stages[i], v->stages[i].items[k]);
    jw_end(w);
}

static void progress_told(struct stages_view *v)
{
    struct svc_req *req = v->req;
    struct stages_sum sum;
    char id[ID_TEXT_BYTES + 1];
    struct jw w;
    stages_sum(v, &sum);
    id_format(req->session_id, id);
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_kv_stringz(&w, "session_id", id);
    jw_kv_string(&w, "status", v->session.row.core.status);
    jw_kv_double(&w, "percent", sum.percent);
    jw_kv_u64(&w, "done", sum.done);
    jw_kv_u64(&w, "total", sum.total);
    jw_kv_double(&w, "weight_done", sum.weight_done);
    jw_kv_double(&w, "weight_total", sum.weight_total);
    jw_key(&w, "estimated_minutes_left");
    if (sum.minutes_left < 0)
        jw_null(&w);
    else
        jw_double(&w, sum.minutes_left);
    current_write(&w, v);
    jw_key(&w, "stages");
    jw_array(&w);
    for (unsigned i = 0; i < v->count; i++)
        entry_write(&w, &v->stages[i]);
    jw_end(&w);
    jw_end(&w);
    if (buf_error(&req->body))
        app_fail(req, ERR_TOO_LARGE, "the answer is too large");
    else
        app_done(req);
}

void svc_progress(struct app *a, struct svc_req *req)
{
    stages_view_load(a, req, progress_told);
}

/* ---- start ---- */

/* Who it is: as they say, else as they are known. */
void stage_name_reviewer(struct svc_req *req)
{
    if (!req->answer.reviewer.p &&
        (req->who.kind == PRINCIPAL_KEY || req->who.kind == PRINCIPAL_TOKEN))
        req->answer.reviewer = req->actor;
}

void svc_stage_start(struct app *a, struct svc_req *req)
{
    stage_name_reviewer(req);
    svc_command(a, req);
}
