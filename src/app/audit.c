#include "app/audit.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/wire.h"

#define ANSWER_BYTES_MAX 4096 /* of an answer that is looked at for the id of what was made */

/* Entries that are written together. */
struct audit_batch {
    struct audit *audit;
    struct arena arena;
    struct audit_row *rows, **tail;
    size_t count;
    struct store_audit_put put;
};

/* A request whose answer is awaited; in its arena. */
struct watched {
    struct audit *audit;
    void (*done)(struct svc_req *req);
    void *data;
};

static void audit_due(uv_timer_t *timer);

/* ---- what is noted ---- */

/* What sessions are told, or programs with a task do all the time. */
static bool is_of_a_session(const struct svc_req *req)
{
    switch ((int)req->op) {
    case SVC_EXECUTE:
    case SVC_TASK_LEASE:
    case SVC_TASK_HEARTBEAT:
    case SVC_TASK_COMPLETE:
    case SVC_TASK_FAIL:
    case SVC_STAGE_UPDATE:
    case SVC_STAGE_COMPLETE:
    case SVC_STAGE_SKIP:
        return true;
    case SVC_SESSION_DELETE:
        return false;
    default:
        return !id_is_zero(req->session_id);
    }
}

static bool is_noted(const struct svc_req *req)
{
    if (!req->remote.p || req->op == SVC_TASK_LEASE || req->op == SVC_TASK_HEARTBEAT)
        return false;
    return req->who.kind != PRINCIPAL_ANONYMOUS || !is_of_a_session(req);
}

static struct str kept(struct arena *a, struct str s)
{
    return s.p ? (struct str){arena_strdup(a, s), s.n} : STR_NULL;
}

static struct str id_text(struct arena *a, struct id id)
{
    char text[ID_TEXT_BYTES + 1];

    id_format(id, text);
    return str_of(arena_strdup(a, str_of(text)));
}

/* A member of a short answer, which is ours: an id without escapes. */
static struct str answered(const struct svc_req *req, const char *key)
{
    struct json v;

    if (req->status || req->body.len == 0 || req->body.len > ANSWER_BYTES_MAX ||
        req->body.data[0] != '{')
        return STR_NULL;
    v = json_get(json_root(buf_str(&req->body)), key);
    return json_type(v) == JSON_STRING ? (struct str){v.p + 1, v.n - 2} : STR_NULL;
}

static struct str object_of(const struct svc_req *req, struct arena *a)
{
    if (req->name.p)
        return kept(a, req->name);
    if (!id_is_zero(req->schedule_id))
        return id_text(a, req->schedule_id);
    if (!id_is_zero(req->task.id))
        return id_text(a, req->task.id);
    if (!id_is_zero(req->memory.id))
        return id_text(a, req->memory.id);
    if (!id_is_zero(req->answer.interrupt_id))
        return id_text(a, req->answer.interrupt_id);
    if (req->op == SVC_EXECUTE)
        return kept(a, req->execute.workflow_id);
    return kept(a, answered(req, "id"));
}

static int status_of(const struct svc_req *req)
{
    if (req->http_status && !req->status)
        return req->http_status;
    return req->status ? err_http_status(req->status) : 200;
}

static void audit_note(struct audit *t, const struct svc_req *req)
{
    int64_t now = clock_wall_ms();
    struct audit_batch *b = t->filling;

    if (b && b->count >= AUDIT_WAITING_MAX) {
        if (t->lost++ == 0)
            log_error("audit", "the store takes no entries: what comes now is lost");
        return;
    }
    if (!b) {
        t->filling = b = mem_zalloc(sizeof(*b));
        b->audit = t;
        arena_init(&b->arena);
        b->tail = &b->rows;
    }
    struct audit_row *row = arena_calloc(&b->arena, 1, sizeof(*row));
    row->id = id_new(&t->app->ids, (uint64_t)now);
    row->workspace = kept(&b->arena, str_of(req->who.workspace));
    row->actor = kept(&b->arena, str_of(req->who.name));
    if (req->who.role && req->status != ERR_UNAUTHORIZED)
        row->role = str_of(role_word(req->who.role));
    row->key_id = req->who.key_id;
    row->session_id = req->session_id;
    if (id_is_zero(row->session_id))
        id_parse(answered(req, "session_id"), &row->session_id);
    row->action = str_of(svc_op_word(req->op));
    row->object = object_of(req, &b->arena);
    row->remote = kept(&b->arena, req->remote);
    row->status = status_of(req);
    if (req->status)
        row->code = str_of(req->error_code ? req->error_code : err_word(req->status));
    row->created_at = now;
    *b->tail = row;
    b->tail = &row->next;
    b->count++;
    t->noted++;
    if (!t->writing && !uv_is_active((uv_handle_t *)&t->timer) && !t->closed)
        uv_timer_start(&t->timer, audit_due, AUDIT_FLUSH_MS, 0);
}

static void watched_answered(struct svc_req *req)
{
    struct watched *w = req->data;

    req->done = w->done;
    req->data = w->data;
    audit_note(w->audit, req);
    req->done(req);
}

void audit_watch(struct audit *t, struct svc_req *req)
{
    if (!is_noted(req))
        return;
    struct watched *w = arena_alloc(&req->arena, sizeof(*w));
    *w = (struct watched){t, req->done, req->data};
    req->done = watched_answered;
    req->data = w;
}

void audit_refused(struct audit *t, const struct svc_req *req)
{
    if (req->remote.p)
        audit_note(t, req);
}

/* ---- writing ---- */

static void audit_prune(struct audit *t);

static void audit_pruned(struct store_req *r)
{
    struct audit *t = r->data;
    bool more = r->status == 0 && t->prune.changed >= STORE_LIMIT_MAX;

    store_req_deinit(r);
    t->pruning = false;
    if (more && !t->closed && !t->app->stopping)
        audit_prune(t);
}

static void audit_prune(struct audit *t)
{
    int64_t now = clock_wall_ms(), age = t->app->config.retain_audit_ms;

    t->pruned_at = now;
    if (age == 0 || t->pruning)
        return;
    memset(&t->prune, 0, sizeof(t->prune));
    store_req_init(&t->prune.req, STORE_AUDIT_PRUNE, audit_pruned, t);
    t->prune.before = now - age;
    t->prune.limit = STORE_LIMIT_MAX;
    t->pruning = true;
    store_submit(t->app->store, &t->prune.req);
}

static void batch_free(struct audit_batch *b)
{
    store_req_deinit(&b->put.req);
    arena_deinit(&b->arena);
    free(b);
}

static void batch_written(struct store_req *r)
{
    struct audit_batch *b = r->data;
    struct audit *t = b->audit;
    int status = r->status;

    if (status && !t->closed) { /* ids are what they were: written twice is written once */
        log_warn("audit", "%zu entries wait: %s", b->count, r->error.text);
        uv_timer_start(&t->timer, audit_due, AUDIT_RETRY_MS, 0);
        return;
    }
    if (status)
        log_error("audit", "%zu entries are lost: %s", b->count, r->error.text);
    batch_free(b);
    if (t->writing == b)
        t->writing = NULL;
    if (t->closed)
        return;
    if (clock_wall_ms() - t->pruned_at >= AUDIT_PRUNE_MS)
        audit_prune(t);
    if (t->filling)
        uv_timer_start(&t->timer, audit_due, AUDIT_FLUSH_MS, 0);
}

static void batch_write(struct audit_batch *b)
{
    store_req_deinit(&b->put.req);
    store_req_init(&b->put.req, STORE_AUDIT_PUT, batch_written, b);
    b->put.rows = b->rows;
    store_submit(b->audit->app->store, &b->put.req);
}

static void audit_flush(struct audit *t)
{
    if (!t->writing) {
        t->writing = t->filling;
        t->filling = NULL;
    }
    if (t->writing)
        batch_write(t->writing);
}

static void audit_due(uv_timer_t *timer)
{
    audit_flush(timer->data);
}

/* ---- life ---- */

void audit_open(struct audit *t, struct app *a)
{
    memset(t, 0, sizeof(*t));
    t->app = a;
    uv_timer_init(&a->loop, &t->timer);
    t->timer.data = t;
}

void audit_close(struct audit *t)
{
    bool waits = uv_is_active((uv_handle_t *)&t->timer);

    t->closed = true;
    uv_close((uv_handle_t *)&t->timer, NULL);
    if (t->writing && waits) /* it was refused, and waited to be tried again */
        batch_write(t->writing);
    if (t->filling)
        batch_write(t->filling);
    t->filling = NULL;
}
