/* What people and workers do with sessions: interrupts, tasks, files. Times of leases are
 * the database's. */
#include <assert.h>
#include <string.h>

#include "store/cursor.h"
#include "store/pg_store.h"
#include "store/rules.h"

/* ---- interrupts ---- */

static void interrupt_columns(struct pgr *r, struct arena *a, struct interrupt_item *item)
{
    struct interrupt_row *row = &item->row;

    *item = (struct interrupt_item){.next = NULL};
    pgr_id(r, &row->interrupt_id);
    pgr_id(r, &row->session_id);
    pgr_id(r, &row->run_id);
    row->node_id = pgr_str(r, a);
    row->kind = pgr_str(r, a);
    row->status = pgr_str(r, a);
    row->request_json = pgr_json(r, a);
    row->answer_json = pgr_json(r, a);
    row->expires_at = pgr_i64(r);
    row->created_at = pgr_i64(r);
    row->updated_at = pgr_i64(r);
    item->session_name = pgr_str(r, a);
    item->workflow_id = pgr_str(r, a);
}

static int interrupt_corrupt(struct pg_job *j)
{
    return pg_refuse(j, ERR_CORRUPT, "an interrupt does not read back");
}

static int interrupt_got(struct pg_job *j)
{
    struct store_interrupt_get *g = container_of(j->req, struct store_interrupt_get, req);
    struct interrupt_item item;
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such interrupt");
    interrupt_columns(&r, &j->req->arena, &item);
    g->row = item.row;
    g->session_name = item.session_name;
    g->workflow_id = item.workflow_id;
    return r.corrupt ? interrupt_corrupt(j) : 0;
}

int pg_interrupt_get_start(struct pg_job *j)
{
    struct store_interrupt_get *g = container_of(j->req, struct store_interrupt_get, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_INTERRUPT_GET);
    pgq_str(&q, rules_workspace(g->workspace));
    pgq_id(&q, &g->interrupt_id);
    pgq_end(&q);
    return pg_await(j, interrupt_got);
}

static int interrupts_listed(struct pg_job *j)
{
    struct store_interrupt_list *l = container_of(j->req, struct store_interrupt_list, req);
    struct interrupt_item **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &last->next) {
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            l->next_cursor =
                cursor_encode(&j->req->arena, CURSOR_INTERRUPTS, last->row.created_at, 0,
                              (struct str){(const char *)last->row.interrupt_id.b, 16});
            return 0;
        }
        last = *tail = arena_alloc(&j->req->arena, sizeof(*last));
        interrupt_columns(&r, &j->req->arena, last);
        if (r.corrupt)
            return interrupt_corrupt(j);
    }
    return 0;
}

int pg_interrupt_list_start(struct pg_job *j)
{
    struct store_interrupt_list *l = container_of(j->req, struct store_interrupt_list, req);
    bool of_one = !id_is_zero(l->session_id);
    bool pending = l->status.p && str_eqz(l->status, "pending");
    struct cursor c = {.a = INT64_MIN};
    struct id after;
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = l->cursor.n ? cursor_decode(l->cursor, CURSOR_INTERRUPTS, &c, &j->req->error) : 0;
    if (status < 0)
        return status;
    memcpy(after.b, c.key, sizeof(after.b));
    pgq_start(&q, j->conn,
              of_one    ? PG_INTERRUPTS_OF_SESSION
              : pending ? PG_INTERRUPTS_PENDING
                        : PG_INTERRUPTS_BY_TIME);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_i64(&q, c.a);
    pgq_id(&q, &after);
    pgq_str(&q, l->status);
    pgq_str(&q, l->kind);
    pgq_i64(&q, page_of(l->limit).left + 1);
    if (of_one)
        pgq_id(&q, &l->session_id);
    pgq_end(&q);
    return pg_await(j, interrupts_listed);
}

/* ---- tasks ---- */

static void task_columns(struct pgr *r, struct arena *a, struct task_row *row)
{
    *row = (struct task_row){.next = NULL};
    pgr_id(r, &row->task_id);
    pgr_id(r, &row->session_id);
    pgr_id(r, &row->run_id);
    row->node_id = pgr_str(r, a);
    row->queue = pgr_str(r, a);
    row->status = pgr_str(r, a);
    row->input_json = pgr_json(r, a);
    row->worker = pgr_str(r, a);
    row->attempt = pgr_i64(r);
    row->heartbeat_ms = pgr_i64(r);
    row->lease_expires_at = pgr_i64(r);
    row->created_at = pgr_i64(r);
}

static int task_corrupt(struct pg_job *j)
{
    return pg_refuse(j, ERR_CORRUPT, "a task does not read back");
}

static void task_add_get(struct pg_job *j, const struct id *id)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_TASK_GET);
    pgq_id(&q, id);
    pgq_end(&q);
}

static int task_read(struct pg_job *j, int n, struct task_row *row)
{
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such task");
    task_columns(&r, &j->req->arena, row);
    return r.corrupt ? task_corrupt(j) : 0;
}

static int task_got(struct pg_job *j)
{
    return task_read(j, 0, &container_of(j->req, struct store_task_get, req)->row);
}

int pg_task_get_start(struct pg_job *j)
{
    task_add_get(j, &container_of(j->req, struct store_task_get, req)->task_id);
    return pg_await(j, task_got);
}

static int tasks_leased(struct pg_job *j)
{
    struct store_task_lease *l = container_of(j->req, struct store_task_lease, req);
    struct task_row **tail = &l->rows;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        task_columns(&r, &j->req->arena, *tail);
        if (r.corrupt)
            return task_corrupt(j);
    }
    pgr_open(&r, j->conn, 1);
    if (!l->rows && pgr_next(&r))
        l->next_due_at = pgr_i64(&r);
    return 0;
}

int pg_task_lease_start(struct pg_job *j)
{
    struct store_task_lease *l = container_of(j->req, struct store_task_lease, req);
    struct pgq q;

    l->rows = NULL;
    l->next_due_at = 0;
    pgq_start(&q, j->conn, PG_TASKS_LEASE);
    pgq_str(&q, l->queue);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_i64(&q, page_of(l->max).left);
    pgq_str(&q, l->worker);
    pgq_end(&q);
    pgq_start(&q, j->conn, PG_TASKS_NEXT);
    pgq_str(&q, l->queue);
    pgq_end(&q);
    return pg_await(j, tasks_leased);
}

static int task_renewed(struct pg_job *j)
{
    struct store_task_heartbeat *h = container_of(j->req, struct store_task_heartbeat, req);
    struct task_row row;
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (pgr_next(&r)) {
        h->lease_expires_at = pgr_i64(&r);
        return 0;
    }
    int status = task_read(j, 1, &row);
    if (status == 0)
        status = rules_task_is_held(&row, h->attempt, &j->req->error);
    return status == 0 ? PG_AGAIN : status; /* it came back between the two */
}

int pg_task_heartbeat_start(struct pg_job *j)
{
    struct store_task_heartbeat *h = container_of(j->req, struct store_task_heartbeat, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_TASK_RENEW);
    pgq_id(&q, &h->task_id);
    pgq_i64(&q, h->attempt);
    pgq_end(&q);
    task_add_get(j, &h->task_id);
    return pg_await(j, task_renewed);
}

/* ---- files ---- */

void pg_file_columns(struct pgr *r, struct arena *a, struct file_row *row)
{
    *row = (struct file_row){.next = NULL};
    row->path = pgr_str(r, a);
    row->version = pgr_i64(r);
    row->from_version = pgr_i64(r);
    pgr_id(r, &row->run_id);
    row->author = pgr_str(r, a);
    row->reason = pgr_str(r, a);
    row->media_type = pgr_str(r, a);
    row->size = pgr_i64(r);
    row->seq = pgr_i64(r);
    row->deleted = pgr_bool(r);
    row->created_at = pgr_i64(r);
}

static int file_corrupt(struct pg_job *j)
{
    return pg_refuse(j, ERR_CORRUPT, "a file does not read back");
}

static int file_got(struct pg_job *j)
{
    struct store_file_get *g = container_of(j->req, struct store_file_get, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    bool found = pgr_next(&r);
    if (found) {
        pg_file_columns(&r, &j->req->arena, &g->row);
        g->row.content = pgr_str(&r, &j->req->arena);
        if (r.corrupt || !g->row.content.p)
            return file_corrupt(j);
    }
    if (!found || !rules_file_is_asked(&g->row, g->version))
        return pg_refuse(j, ERR_NOT_FOUND, "no such file");
    return 0;
}

int pg_file_get_start(struct pg_job *j)
{
    struct store_file_get *g = container_of(j->req, struct store_file_get, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_FILE_GET);
    pgq_id(&q, &g->session_id);
    pgq_str(&q, g->path);
    pgq_i64(&q, g->version > 0 ? g->version : INT64_MAX);
    pgq_end(&q);
    return pg_await(j, file_got);
}

static int files_listed(struct pg_job *j)
{
    struct store_file_list *l = container_of(j->req, struct store_file_list, req);
    struct file_row **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &last->next) {
        if (page_see(&page, true) == PAGE_STOP) {
            l->next_cursor = rules_file_cursor(l, last);
            return 0;
        }
        last = *tail = arena_alloc(&j->req->arena, sizeof(*last));
        pg_file_columns(&r, &j->req->arena, last);
        if (r.corrupt)
            return file_corrupt(j);
    }
    return 0;
}

int pg_file_list_start(struct pg_job *j)
{
    struct store_file_list *l = container_of(j->req, struct store_file_list, req);
    struct cursor c;
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = rules_file_cursor_read(l, &c, &j->req->error);
    if (status < 0)
        return status;
    pgq_start(&q, j->conn, l->path.p ? PG_FILE_VERSIONS : PG_FILES_LIST);
    pgq_id(&q, &l->session_id);
    pgq_str(&q, l->path.p ? l->path : (struct str){(const char *)c.key, c.key_bytes});
    if (l->path.p)
        pgq_i64(&q, c.a);
    pgq_i64(&q, l->until_seq > 0 ? l->until_seq : INT64_MAX);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_end(&q);
    return pg_await(j, files_listed);
}
