/* What people and workers do with sessions: interrupts, tasks, files. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "store/cursor.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

/* ---- a delta's rows ---- */

static int work_interrupts(struct sqlite_db *db, struct arena *a, const struct delta *d,
                           int64_t key)
{
    int status = 0;
    struct sqlq q;

    for (const struct interrupt_row *i = d->interrupts; i && status == 0; i = i->next) {
        struct str packed = rules_pack_interrupt(sqlite_packer(db), i, a);
        sqlq_start(&q, db, SQL_INTERRUPT_UPSERT);
        sqlq_bind_id(&q, &i->interrupt_id);
        sqlq_bind_i64(&q, key);
        sqlq_bind_id(&q, &i->run_id);
        sqlq_bind_str(&q, i->node_id);
        sqlq_bind_str(&q, i->kind);
        sqlq_bind_str(&q, i->status);
        sqlq_bind_str(&q, packed.p ? STR_NULL : i->request_json);
        sqlq_bind_str(&q, i->answer_json);
        sqlq_bind_i64(&q, i->expires_at);
        sqlq_bind_i64(&q, i->created_at);
        sqlq_bind_i64(&q, i->updated_at);
        sqlq_bind_packed(&q, packed);
        status = sqlq_run(&q);
    }
    return status;
}

static int work_tasks(struct sqlite_db *db, const struct delta *d, int64_t key)
{
    int status = 0;
    struct sqlq q;

    for (const struct task_row *t = d->tasks_new; t && status == 0; t = t->next) {
        sqlq_start(&q, db, SQL_TASK_INSERT);
        sqlq_bind_id(&q, &t->task_id);
        sqlq_bind_i64(&q, key);
        sqlq_bind_id(&q, &t->run_id);
        sqlq_bind_str(&q, t->node_id);
        sqlq_bind_str(&q, t->queue);
        sqlq_bind_str(&q, t->input_json);
        sqlq_bind_i64(&q, t->heartbeat_ms);
        sqlq_bind_i64(&q, t->created_at);
        status = sqlq_run(&q);
    }
    return status < 0 ? status : sqlite_delete_ids(db, SQL_TASK_DELETE, key, d->tasks_done);
}

static int work_files(struct sqlite_db *db, const struct delta *d, int64_t key)
{
    int status = 0;
    struct sqlq q;

    for (const struct file_row *f = d->files; f && status == 0; f = f->next) {
        sqlq_start(&q, db, SQL_FILE_INSERT);
        sqlq_bind_i64(&q, key);
        sqlq_bind_str(&q, f->path);
        sqlq_bind_i64(&q, f->version);
        sqlq_bind_i64(&q, f->from_version);
        sqlq_bind_id_or_null(&q, &f->run_id);
        sqlq_bind_str(&q, f->author);
        sqlq_bind_str(&q, f->reason);
        sqlq_bind_str(&q, f->media_type);
        sqlq_bind_i64(&q, f->size);
        sqlq_bind_i64(&q, f->seq);
        sqlq_bind_i64(&q, f->deleted);
        sqlq_bind_i64(&q, f->created_at);
        sqlq_bind_blob(&q, f->content);
        status = sqlq_run(&q);
    }
    return status;
}

int sqlite_commit_work(struct sqlite_db *db, struct arena *a, const struct delta *d, int64_t key)
{
    int status = work_interrupts(db, a, d, key);

    if (status == 0)
        status = work_tasks(db, d, key);
    return status == 0 ? work_files(db, d, key) : status;
}

/* ---- interrupts ---- */

static int interrupt_columns(struct sqlq *q, struct arena *a, struct interrupt_item *item)
{
    struct interrupt_row *row = &item->row;

    *item = (struct interrupt_item){.next = NULL};
    sqlq_id(q, &row->interrupt_id);
    sqlq_id(q, &row->session_id);
    sqlq_id(q, &row->run_id);
    row->node_id = sqlq_str(q, a);
    row->kind = sqlq_str(q, a);
    row->status = sqlq_str(q, a);
    row->request_json = sqlq_json(q, a);
    row->answer_json = sqlq_json(q, a);
    row->expires_at = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    row->updated_at = sqlq_i64(q);
    item->session_name = sqlq_str(q, a);
    item->workflow_id = sqlq_str(q, a);
    if (!q->corrupt)
        return 0;
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "an interrupt does not read back");
}

int sqlite_interrupt_get(struct sqlite_db *db, struct store_interrupt_get *g)
{
    struct interrupt_item item;
    int64_t workspace = 0;
    int more = 0;
    struct sqlq q;

    int status = sqlite_workspace_find(db, g->workspace, &workspace);
    if (status == 0) {
        sqlq_start(&q, db, SQL_INTERRUPT_GET);
        sqlq_bind_id(&q, &g->interrupt_id);
        sqlq_bind_i64(&q, workspace);
        more = sqlq_next(&q);
    }
    if (more < 0 || (status < 0 && status != ERR_NOT_FOUND))
        return more < 0 ? more : status;
    if (more == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such interrupt");
    status = interrupt_columns(&q, &g->req.arena, &item);
    if (status < 0)
        return status;
    sqlq_end(&q);
    g->row = item.row;
    g->session_name = item.session_name;
    g->workflow_id = item.workflow_id;
    return 0;
}

static int interrupts_read(struct sqlq *q, struct store_interrupt_list *l)
{
    struct interrupt_item **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    int more;

    while ((more = sqlq_next(q)) > 0) {
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            sqlq_end(q);
            l->next_cursor =
                cursor_encode(&l->req.arena, CURSOR_INTERRUPTS, last->row.created_at, 0,
                              (struct str){(const char *)last->row.interrupt_id.b, 16});
            return 0;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(*last));
        int status = interrupt_columns(q, &l->req.arena, last);
        if (status < 0)
            return status;
        tail = &last->next;
    }
    return more;
}

int sqlite_interrupt_list(struct sqlite_db *db, struct store_interrupt_list *l)
{
    struct sqlite_session session = {.key = 0};
    bool of_one = !id_is_zero(l->session_id);
    struct cursor c = {.a = INT64_MIN};
    struct id after = {{0}};
    int64_t workspace = 0;
    struct sqlq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = l->cursor.n ? cursor_decode(l->cursor, CURSOR_INTERRUPTS, &c, &db->error) : 0;
    if (status < 0)
        return status;
    memcpy(after.b, c.key, sizeof(after.b));
    status = sqlite_workspace_find(db, l->workspace, &workspace);
    if (status == 0 && of_one)
        status = sqlite_session_find(db, &l->session_id, &session);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    bool pending = l->status.p && str_eqz(l->status, "pending");
    sqlq_start(&q, db,
               of_one    ? SQL_INTERRUPTS_OF_SESSION
               : pending ? SQL_INTERRUPTS_PENDING
                         : SQL_INTERRUPTS_BY_TIME);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_i64(&q, c.a);
    sqlq_bind_id(&q, &after);
    sqlq_bind_str(&q, l->status);
    sqlq_bind_str(&q, l->kind);
    sqlq_bind_i64(&q, page_of(l->limit).left + 1);
    if (of_one)
        sqlq_bind_i64(&q, session.key);
    return interrupts_read(&q, l);
}

/* ---- tasks ---- */

static int task_columns(struct sqlq *q, struct arena *a, struct task_row *row)
{
    *row = (struct task_row){.next = NULL};
    sqlq_id(q, &row->task_id);
    sqlq_id(q, &row->session_id);
    sqlq_id(q, &row->run_id);
    row->node_id = sqlq_str(q, a);
    row->queue = sqlq_str(q, a);
    row->status = sqlq_str(q, a);
    row->input_json = sqlq_json(q, a);
    row->worker = sqlq_str(q, a);
    row->attempt = sqlq_i64(q);
    row->heartbeat_ms = sqlq_i64(q);
    row->lease_expires_at = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    if (!q->corrupt)
        return 0;
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "a task does not read back");
}

static int task_find(struct sqlite_db *db, struct arena *a, const struct id *id,
                     struct task_row *row)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_TASK_GET);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such task");
    int status = task_columns(&q, a, row);
    if (status == 0)
        sqlq_end(&q);
    return status;
}

int sqlite_task_get(struct sqlite_db *db, struct store_task_get *g)
{
    return task_find(db, &g->req.arena, &g->task_id, &g->row);
}

static int tasks_free(struct sqlite_db *db, struct store_task_lease *l, int64_t now)
{
    struct task_row **tail = &l->rows;
    int64_t workspace = 0;
    struct sqlq q;
    int more;

    int status = sqlite_workspace_find(db, l->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    sqlq_start(&q, db, SQL_TASKS_FREE);
    sqlq_bind_str(&q, l->queue);
    sqlq_bind_i64(&q, now);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_i64(&q, page_of(l->max).left);
    while ((more = sqlq_next(&q)) > 0) {
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        status = task_columns(&q, &l->req.arena, *tail);
        if (status < 0)
            return status;
        tail = &(*tail)->next;
    }
    return more;
}

static int tasks_next(struct sqlite_db *db, struct store_task_lease *l)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_TASKS_NEXT);
    sqlq_bind_str(&q, l->queue);
    int more = sqlq_next(&q);
    if (more > 0) {
        l->next_due_at = sqlq_i64(&q);
        sqlq_end(&q);
    }
    return more < 0 ? more : 0;
}

int sqlite_task_lease(struct sqlite_db *db, struct store_task_lease *l)
{
    int64_t now = clock_wall_ms();
    struct sqlq q;

    l->rows = NULL;
    l->next_due_at = 0;
    int status = tasks_free(db, l, now);
    if (status == 0 && !l->rows)
        return tasks_next(db, l);
    for (struct task_row *t = l->rows; t && status == 0; t = t->next) {
        rules_task_lease(&l->req.arena, t, l->worker, now);
        sqlq_start(&q, db, SQL_TASK_LEASE);
        sqlq_bind_id(&q, &t->task_id);
        sqlq_bind_i64(&q, t->attempt);
        sqlq_bind_str(&q, t->worker);
        sqlq_bind_i64(&q, t->lease_expires_at);
        sqlq_bind_i64(&q, now);
        status = sqlq_run(&q);
    }
    return status;
}

int sqlite_task_heartbeat(struct sqlite_db *db, struct store_task_heartbeat *h)
{
    int64_t now = clock_wall_ms();
    struct task_row row = {.next = NULL};
    struct sqlq q;

    int status = task_find(db, &h->req.arena, &h->task_id, &row);
    if (status == 0)
        status = rules_task_is_held(&row, h->attempt, &db->error);
    if (status < 0)
        return status;
    h->lease_expires_at = now + row.heartbeat_ms;
    sqlq_start(&q, db, SQL_TASK_RENEW);
    sqlq_bind_id(&q, &h->task_id);
    sqlq_bind_i64(&q, h->lease_expires_at);
    sqlq_bind_i64(&q, now);
    return sqlq_run(&q);
}

/* ---- files ---- */

void sqlite_file_columns(struct sqlq *q, struct arena *a, struct file_row *row)
{
    *row = (struct file_row){.next = NULL};
    row->path = sqlq_str(q, a);
    row->version = sqlq_i64(q);
    row->from_version = sqlq_i64(q);
    sqlq_id(q, &row->run_id);
    row->author = sqlq_str(q, a);
    row->reason = sqlq_str(q, a);
    row->media_type = sqlq_str(q, a);
    row->size = sqlq_i64(q);
    row->seq = sqlq_i64(q);
    row->deleted = sqlq_i64(q) != 0;
    row->created_at = sqlq_i64(q);
}

static int file_corrupt(struct sqlq *q)
{
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "a file does not read back");
}

int sqlite_file_get(struct sqlite_db *db, struct store_file_get *g)
{
    struct sqlite_session session = {.key = 0};
    struct sqlq q;

    int status = sqlite_session_find(db, &g->session_id, &session);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_FILE_GET);
    sqlq_bind_i64(&q, session.key);
    sqlq_bind_str(&q, g->path);
    sqlq_bind_i64(&q, g->version > 0 ? g->version : INT64_MAX);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more > 0) {
        sqlite_file_columns(&q, &g->req.arena, &g->row);
        g->row.content = sqlq_blob(&q, &g->req.arena);
        if (q.corrupt || !g->row.content.p)
            return file_corrupt(&q);
        sqlq_end(&q);
    }
    if (more == 0 || !rules_file_is_asked(&g->row, g->version))
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such file");
    return 0;
}

static int files_read(struct sqlq *q, struct store_file_list *l)
{
    struct file_row **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    int more;

    while ((more = sqlq_next(q)) > 0) {
        if (page_see(&page, true) == PAGE_STOP) {
            sqlq_end(q);
            l->next_cursor = rules_file_cursor(l, last);
            return 0;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(*last));
        sqlite_file_columns(q, &l->req.arena, last);
        if (q->corrupt)
            return file_corrupt(q);
        tail = &last->next;
    }
    return more;
}

int sqlite_file_list(struct sqlite_db *db, struct store_file_list *l)
{
    struct sqlite_session session = {.key = 0};
    struct cursor c;
    struct sqlq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = rules_file_cursor_read(l, &c, &db->error);
    if (status == 0)
        status = sqlite_session_find(db, &l->session_id, &session);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    sqlq_start(&q, db, l->path.p ? SQL_FILE_VERSIONS : SQL_FILES_LIST);
    sqlq_bind_i64(&q, session.key);
    sqlq_bind_str(&q, l->path.p ? l->path : (struct str){(const char *)c.key, c.key_bytes});
    if (l->path.p)
        sqlq_bind_i64(&q, c.a);
    sqlq_bind_i64(&q, l->until_seq > 0 ? l->until_seq : INT64_MAX);
    sqlq_bind_i64(&q, page_of(l->limit).left + 1);
    return files_read(&q, l);
}
