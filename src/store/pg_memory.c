/* What groups remember, in PostgreSQL. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

/* ---- writing ---- */

/* As PostgreSQL reads an array; NULL when there is none. */
static struct str memory_vector_text(struct buf *out, const struct memory_row *m)
{
    buf_clear(out);
    if (!m->embedding)
        return STR_NULL;
    for (unsigned i = 0; i < m->dimensions; i++) {
        buf_append_char(out, i ? ',' : '{');
        if (isfinite(m->embedding[i]))
            buf_printf(out, "%.9g", (double)m->embedding[i]);
        else
            buf_append_z(out, isnan(m->embedding[i]) ? "NaN"
                              : m->embedding[i] > 0  ? "Infinity"
                                                     : "-Infinity");
    }
    buf_append_char(out, '}');
    return buf_str(out);
}

static void memory_add_row(struct pg_rows *rows, const struct memory_row *m, struct buf *text)
{
    pg_rows_begin(rows);
    pg_rows_id(rows, &m->id);
    pg_rows_id(rows, &m->source_id);
    pg_rows_str(rows, rules_workspace(m->workspace));
    pg_rows_str(rows, rules_text(m->group_id));
    pg_rows_str(rows, m->agent_id);
    pg_rows_id_or_null(rows, &m->session_id);
    pg_rows_i64(rows, m->tier);
    pg_rows_i64(rows, m->chunk);
    pg_rows_i64(rows, m->chunks);
    pg_rows_i64(rows, m->hits);
    pg_rows_i64(rows, m->created_at);
    pg_rows_i64(rows, m->updated_at);
    pg_rows_str(rows, m->model);
    pg_rows_i64(rows, m->embedding ? m->dimensions : 0);
    pg_rows_str(rows, m->metadata_json.p ? m->metadata_json : STR("{}"));
    pg_rows_str(rows, rules_text(m->content));
    buf_clear(text);
    words_write(text, rules_text(m->content));
    pg_rows_str(rows, rules_text(buf_str(text)));
    pg_rows_str(rows, memory_vector_text(text, m));
}

static void memory_add_rows(struct pg_job *j, const struct store_memory_put *p)
{
    struct pg_rows names, rows;
    struct buf text;

    buf_init(&text, 8 * WORDS_TEXT_MAX + MEMORY_DIMENSIONS_MAX * 20);
    pg_rows_init(&names, PG_WORKSPACES_MAKE, "t");
    pg_rows_init(&rows, PG_MEMORIES_INSERT, "uutttuiiiiiititttt");
    for (const struct memory_row *m = p->rows; m; m = m->next) {
        pg_rows_begin(&names);
        pg_rows_str(&names, rules_workspace(m->workspace));
        memory_add_row(&rows, m, &text);
    }
    pg_rows_add(&names, j->conn);
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&names);
    pg_rows_deinit(&rows);
    buf_deinit(&text);
}

static int memory_key_looked_up(struct pg_job *j)
{
    struct store_memory_put *p = container_of(j->req, struct store_memory_put, req);
    struct pg_rows keys;
    struct pgr r;

    pgr_open(&r, j->conn, 1);
    if (pgr_next(&r)) /* of the try before, it would be the same rows */
        return j->repeated ? 0 : pg_refuse(j, ERR_CONFLICT, "this Idempotency-Key is in use");
    memory_add_rows(j, p);
    pg_rows_init(&keys, PG_KEYS_INSERT, "ttiiiti");
    pg_rows_key(&keys, p->idempotency);
    pg_rows_add(&keys, j->conn);
    pg_rows_deinit(&keys);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_memory_put_start(struct pg_job *j)
{
    struct store_memory_put *p = container_of(j->req, struct store_memory_put, req);
    struct pg_rows keys;

    if (!p->idempotency) {
        if (!p->rows)
            return 0;
        memory_add_rows(j, p);
        return pg_await(j, pg_finished);
    }
    pg_conn_add(j->conn, PG_BEGIN);
    pg_rows_init(&keys, PG_COMMIT_KEYS_TAKEN, "tt");
    pg_rows_begin(&keys);
    pg_rows_str(&keys, rules_workspace(p->idempotency->workspace));
    pg_rows_str(&keys, p->idempotency->key);
    pg_rows_add(&keys, j->conn);
    pg_rows_deinit(&keys);
    return pg_await(j, memory_key_looked_up);
}

static int memories_changed(struct pg_job *j)
{
    container_of(j->req, struct store_memory_update, req)->changed = pgr_changed(j->conn, 0);
    return 0;
}

int pg_memory_update_start(struct pg_job *j)
{
    struct store_memory_update *u = container_of(j->req, struct store_memory_update, req);
    struct pg_rows ids;
    struct pgq q;

    u->changed = 0;
    if (u->count == 0)
        return 0;
    pg_rows_init(&ids, PG_MEMORIES_CHANGE, "u");
    for (size_t i = 0; i < u->count; i++) {
        pg_rows_begin(&ids);
        pg_rows_id(&ids, &u->ids[i]);
    }
    pgq_start(&q, j->conn, PG_MEMORIES_CHANGE);
    pgq_str(&q, rules_workspace(u->workspace));
    pg_rows_bind(&ids, &q);
    pgq_i64(&q, u->tier);
    pgq_i64(&q, u->hit);
    pgq_i64(&q, u->now_ms);
    pgq_end(&q);
    pg_rows_deinit(&ids);
    return pg_await(j, memories_changed);
}

static int memories_aged(struct pg_job *j)
{
    struct store_memory_age *g = container_of(j->req, struct store_memory_age, req);

    g->changed = pgr_changed(j->conn, 0) + (g->keep > 0 ? pgr_changed(j->conn, 1) : 0);
    return 0;
}

static void memories_add_age(struct pg_job *j, enum pg_sql sql, const struct store_memory_age *g,
                             int64_t bound)
{
    struct pgq q;

    pgq_start(&q, j->conn, sql);
    pgq_i64(&q, g->now_ms);
    pgq_i64(&q, bound);
    pgq_i64(&q, rules_retention_limit(g->limit));
    pgq_end(&q);
}

int pg_memory_age_start(struct pg_job *j)
{
    struct store_memory_age *g = container_of(j->req, struct store_memory_age, req);

    memories_add_age(j, PG_MEMORIES_AGE, g, g->before);
    if (g->keep > 0)
        memories_add_age(j, PG_MEMORIES_SHED, g, g->keep);
    return pg_await(j, memories_aged);
}

static int memories_deleted(struct pg_job *j)
{
    struct store_memory_delete *r = container_of(j->req, struct store_memory_delete, req);

    r->changed = pgr_changed(j->conn, 0);
    return r->changed || j->repeated ? 0 : pg_refuse(j, ERR_NOT_FOUND, "no such memory");
}

int pg_memory_delete_start(struct pg_job *j)
{
    struct store_memory_delete *r = container_of(j->req, struct store_memory_delete, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_MEMORY_DELETE);
    pgq_str(&q, rules_workspace(r->workspace));
    pgq_id(&q, &r->id);
    pgq_end(&q);
    return pg_await(j, memories_deleted);
}

/* ---- reading ---- */

void pg_memory_columns(struct pgr *r, struct arena *a, struct memory_row *row, struct str workspace)
{
    *row = (struct memory_row){.workspace = rules_copy(a, rules_workspace(workspace))};
    pgr_id(r, &row->id);
    pgr_id(r, &row->source_id);
    pgr_id(r, &row->session_id);
    row->group_id = pgr_str(r, a);
    row->agent_id = pgr_str(r, a);
    row->content = pgr_str(r, a);
    row->metadata_json = pgr_json(r, a);
    row->tier = (enum memory_tier)pgr_i64(r);
    row->chunk = pgr_i64(r);
    row->chunks = pgr_i64(r);
    row->model = pgr_str(r, a);
    row->dimensions = (unsigned)pgr_i64(r);
    row->hits = pgr_i64(r);
    row->created_at = pgr_i64(r);
    row->updated_at = pgr_i64(r);
}

/* A float4[] as it is sent; corrupt unless it is as long as the row says, and without NULLs. */
void pg_memory_vector(struct pgr *r, struct arena *a, struct memory_row *row)
{
    struct str bytes = pgr_str(r, a);
    float *vector;

    if (!bytes.p || row->dimensions == 0)
        return;
    vector = arena_calloc(a, row->dimensions, sizeof(float));
    if (!pg_floats_read(bytes, vector, row->dimensions))
        r->corrupt = true;
    row->embedding = vector;
}

int pg_memory_corrupt(struct pg_job *j)
{
    return pg_refuse(j, ERR_CORRUPT, "a memory does not read back");
}

static int memories_listed(struct pg_job *j)
{
    struct store_memory_list *l = container_of(j->req, struct store_memory_list, req);
    struct memory_row **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &last->next) {
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            l->next_cursor = rules_memory_cursor(&j->req->arena, last);
            return 0;
        }
        last = *tail = arena_alloc(&j->req->arena, sizeof(*last));
        pg_memory_columns(&r, &j->req->arena, last, l->workspace);
        if (r.corrupt)
            return pg_memory_corrupt(j);
    }
    return 0;
}

int pg_memory_list_start(struct pg_job *j)
{
    struct store_memory_list *l = container_of(j->req, struct store_memory_list, req);
    struct cursor c;
    struct id before;
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = rules_memory_cursor_read(l->cursor, &c, &before, &j->req->error);
    if (status < 0)
        return status;
    pgq_start(&q, j->conn,
              !id_is_zero(l->source_id) ? PG_MEMORIES_OF_SOURCE
              : l->group_id.p           ? PG_MEMORIES_OF_GROUP
                                        : PG_MEMORIES_LIST);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_str(&q, l->group_id);
    pgq_str(&q, l->agent_id);
    pgq_id_or_null(&q, &l->session_id);
    pgq_id_or_null(&q, &l->source_id);
    pgq_i64(&q, l->tiers ? l->tiers : ~0u);
    pgq_i64(&q, c.a);
    pgq_id(&q, &before);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_end(&q);
    return pg_await(j, memories_listed);
}

static int memory_got(struct pg_job *j)
{
    struct store_memory_get *g = container_of(j->req, struct store_memory_get, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such memory");
    pg_memory_columns(&r, &j->req->arena, &g->row, g->workspace);
    return r.corrupt ? pg_memory_corrupt(j) : 0;
}

int pg_memory_get_start(struct pg_job *j)
{
    struct store_memory_get *g = container_of(j->req, struct store_memory_get, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_MEMORY_GET);
    pgq_str(&q, rules_workspace(g->workspace));
    pgq_id(&q, &g->id);
    pgq_end(&q);
    return pg_await(j, memory_got);
}
