/* The audit log, read. */
#include <stdlib.h>

#include "app/app.h"
#include "base/mem.h"
#include "store/store_audit.h"

struct audit_job {
    struct svc_req *req;
    struct store_audit_list list;
};

static void write_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];

    id_format(id, text);
    jw_kv_stringz(w, key, id_is_zero(id) ? NULL : text);
}

static void write_text(struct jw *w, const char *key, struct str s)
{
    jw_key(w, key);
    if (s.n)
        jw_string(w, s);
    else
        jw_null(w);
}

static void write_entry(struct jw *w, const struct audit_row *row)
{
    jw_object(w);
    write_id(w, "id", row->id);
    jw_kv_time(w, "at", row->created_at);
    jw_kv_string(w, "actor", row->actor);
    write_text(w, "role", row->role);
    write_id(w, "key_id", row->key_id);
    jw_kv_string(w, "action", row->action);
    write_id(w, "session_id", row->session_id);
    write_text(w, "object", row->object);
    write_text(w, "remote", row->remote);
    jw_kv_i64(w, "status", row->status);
    write_text(w, "code", row->code);
    jw_end(w);
}

static void audit_listed(struct store_req *r)
{
    struct audit_job *job = r->data;
    struct svc_req *req = job->req;
    struct jw w;

    if (!app_failed_store(req, r, "")) {
        jw_init(&w, &req->body);
        jw_object(&w);
        jw_key(&w, "items");
        jw_array(&w);
        for (const struct audit_row *row = job->list.rows; row; row = row->next)
            write_entry(&w, row);
        jw_end(&w);
        write_text(&w, "next_cursor", job->list.next_cursor);
        jw_end(&w);
        app_done(req);
    }
    store_req_deinit(r);
    free(job);
}

void svc_audit(struct app *a, struct svc_req *req)
{
    struct audit_job *job = mem_zalloc(sizeof(*job));
    struct store_audit_list *l = &job->list;

    job->req = req;
    store_req_init(&l->req, STORE_AUDIT_LIST, audit_listed, job);
    l->workspace = req->workspace;
    l->actor = req->audit.actor;
    l->action = req->audit.action;
    l->object = req->audit.object;
    l->session_id = req->session_id;
    l->after = req->audit.after;
    l->before = req->audit.before;
    l->cursor = req->list.cursor;
    l->limit = req->list.limit;
    store_submit(a->store, &l->req);
}
