/* What groups remember, in SQLite. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/rules.h"
#include "store/sqlite_store.h"

/* ---- writing ---- */

/* Where codes of such vectors are. */
static int memory_place(struct sqlite_db *db, int64_t workspace, struct str group_id,
                        struct str model, unsigned dimensions, bool make, int64_t *place)
{
    struct sqlq q;
    int more = 0;

    *place = 0;
    for (int i = 0; i <= make && more == 0; i++) {
        sqlq_start(&q, db, i ? SQL_MEMORY_PLACE_INSERT : SQL_MEMORY_PLACE_FIND);
        sqlq_bind_i64(&q, workspace);
        sqlq_bind_str(&q, rules_text(group_id));
        sqlq_bind_str(&q, model);
        sqlq_bind_i64(&q, dimensions);
        more = sqlq_next(&q);
        if (more > 0) {
            *place = sqlq_i64(&q);
            sqlq_end(&q);
        }
    }
    return more < 0 ? more : 0;
}

int sqlite_memory_place(struct sqlite_db *db, int64_t workspace, const struct store_memory_query *m,
                        int64_t *place)
{
    return memory_place(db, workspace, m->group_id, m->model, m->dimensions, false, place);
}

static int memory_code(struct sqlite_db *db, int64_t place, int64_t key, const float *embedding,
                       unsigned dimensions)
{
    uint8_t code[VECTOR_CODE_MAX];
    size_t n = vector_code_write(code, embedding, dimensions);
    struct sqlq q;

    sqlq_start(&q, db, SQL_MEMORY_CODE_INSERT);
    sqlq_bind_i64(&q, place);
    sqlq_bind_i64(&q, key);
    sqlq_bind_blob(&q, (struct str){(const char *)code, n});
    return sqlq_run(&q);
}

static void memory_bind(struct sqlq *q, const struct memory_row *m, int64_t workspace)
{
    sqlq_bind_id(q, &m->id);
    sqlq_bind_id(q, &m->source_id);
    sqlq_bind_i64(q, workspace);
    sqlq_bind_str(q, rules_text(m->group_id));
    sqlq_bind_str(q, m->agent_id);
    sqlq_bind_id_or_null(q, &m->session_id);
    sqlq_bind_i64(q, m->tier);
    sqlq_bind_i64(q, m->chunk);
    sqlq_bind_i64(q, m->chunks);
    sqlq_bind_i64(q, m->hits);
    sqlq_bind_i64(q, m->created_at);
    sqlq_bind_i64(q, m->updated_at);
    sqlq_bind_str(q, m->model);
    sqlq_bind_i64(q, m->embedding ? m->dimensions : 0);
    sqlq_bind_str(q, m->metadata_json.p ? m->metadata_json : STR("{}"));
    sqlq_bind_str(q, rules_text(m->content));
}

static bool memory_is_coded(const struct memory_row *m)
{
    return m->embedding && m->model.p && m->dimensions > 0 &&
           m->dimensions <= MEMORY_DIMENSIONS_MAX;
}

static int memory_insert(struct sqlite_db *db, const struct memory_row *m)
{
    int64_t workspace = 0, place = 0, key = 0;
    struct buf words;
    struct sqlq q;

    int status = sqlite_workspace_make(db, m->workspace, &workspace);
    if (status == 0 && memory_is_coded(m))
        status = memory_place(db, workspace, m->group_id, m->model, m->dimensions, true, &place);
    if (status < 0)
        return status;
    buf_init(&words, 8 * WORDS_TEXT_MAX);
    words_write(&words, rules_text(m->content));
    sqlq_start(&q, db, SQL_MEMORY_INSERT);
    memory_bind(&q, m, workspace);
    sqlq_bind_str(&q, rules_text(buf_str(&words)));
    sqlq_bind_i64_or_null(&q, place);
    if (m->embedding)
        sqlq_bind_blob(&q, (struct str){(const char *)m->embedding, m->dimensions * sizeof(float)});
    else
        sqlq_bind_str(&q, STR_NULL);
    int more = sqlq_next(&q);
    if (more > 0) {
        key = sqlq_i64(&q);
        more = sqlq_next(&q); /* to its end: only then it is done */
    }
    buf_deinit(&words);
    if (more < 0 || key == 0 || place == 0)
        return more;
    return memory_code(db, place, key, m->embedding, m->dimensions);
}

int sqlite_memory_put(struct sqlite_db *db, struct store_memory_put *p)
{
    int status = 0;

    if (p->idempotency)
        status = sqlite_idempotency_check(db, &p->req.arena, p->idempotency);
    for (const struct memory_row *m = p->rows; m && status == 0; m = m->next)
        status = memory_insert(db, m);
    if (status == 0 && p->idempotency)
        status = sqlite_idempotency_insert(db, p->idempotency);
    return status;
}

int sqlite_memory_update(struct sqlite_db *db, struct store_memory_update *u)
{
    static const enum sqlite_sql both[] = {SQL_MEMORY_CHANGE_ID, SQL_MEMORY_CHANGE_SOURCE};
    int64_t workspace = 0;
    struct sqlq q;

    u->changed = 0;
    int status = sqlite_workspace_find(db, u->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    for (size_t i = 0; i < 2 * u->count && status == 0; i++) {
        sqlq_start(&q, db, both[i % 2]);
        sqlq_bind_i64(&q, workspace);
        sqlq_bind_id(&q, &u->ids[i / 2]);
        sqlq_bind_i64(&q, u->tier);
        sqlq_bind_i64(&q, u->hit);
        sqlq_bind_i64(&q, u->now_ms);
        status = sqlq_run(&q);
        u->changed += sqlite3_changes(db->handle);
    }
    return status;
}

static int memories_age(struct sqlite_db *db, enum sqlite_sql sql, struct store_memory_age *g,
                        int64_t bound)
{
    struct sqlq q;

    sqlq_start(&q, db, sql);
    sqlq_bind_i64(&q, g->now_ms);
    sqlq_bind_i64(&q, bound);
    sqlq_bind_i64(&q, rules_retention_limit(g->limit) - g->changed);
    int status = sqlq_run(&q);
    g->changed += status == 0 ? sqlite3_changes(db->handle) : 0;
    return status;
}

/* ---- what was carried over ---- */

#define TIDY_MAX 500

struct memory_untidy {
    int64_t key, workspace;
    struct str group_id, model, content;
    unsigned dimensions;
    struct str embedding;
};

static int memories_untidy(struct sqlite_db *db, enum sqlite_sql sql, struct arena *a,
                           struct memory_untidy *out, int *count)
{
    struct sqlq q;
    int more;

    *count = 0;
    sqlq_start(&q, db, sql);
    sqlq_bind_i64(&q, TIDY_MAX);
    while ((more = sqlq_next(&q)) > 0) {
        struct memory_untidy *m = &out[(*count)++];
        m->key = sqlq_i64(&q);
        if (sql == SQL_MEMORIES_TO_TELL) {
            m->content = rules_text(sqlq_str(&q, a));
            continue;
        }
        m->workspace = sqlq_i64(&q);
        m->group_id = sqlq_str(&q, a);
        m->model = sqlq_str(&q, a);
        m->dimensions = (unsigned)sqlq_i64(&q);
        m->embedding = sqlq_blob(&q, a);
    }
    return more;
}

static int memory_tell(struct sqlite_db *db, const struct memory_untidy *m, struct buf *words)
{
    struct sqlq q;

    buf_clear(words);
    words_write(words, m->content);
    sqlq_start(&q, db, SQL_MEMORY_TELL);
    sqlq_bind_i64(&q, m->key);
    sqlq_bind_str(&q, rules_text(buf_str(words)));
    return sqlq_run(&q);
}

/* A vector that cannot have a code is in place 0, where nobody looks. */
static int memory_put_in_place(struct sqlite_db *db, const struct memory_untidy *m)
{
    float vector[MEMORY_DIMENSIONS_MAX];
    bool fits = m->model.p && m->dimensions > 0 && m->dimensions <= MEMORY_DIMENSIONS_MAX &&
                m->embedding.n == m->dimensions * sizeof(float);
    int64_t place = 0;
    int status = 0;
    struct sqlq q;

    if (fits) {
        memcpy(vector, m->embedding.p, m->embedding.n);
        status = memory_place(db, m->workspace, m->group_id, m->model, m->dimensions, true, &place);
        if (status == 0)
            status = memory_code(db, place, m->key, vector, m->dimensions);
    }
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_MEMORY_CODED);
    sqlq_bind_i64(&q, m->key);
    sqlq_bind_i64(&q, place);
    return sqlq_run(&q);
}

/* Rows that came by a migration or a copy get what is made of the others. */
static int memories_tidy(struct sqlite_db *db, struct arena *a)
{
    struct memory_untidy *rows = arena_calloc(a, TIDY_MAX, sizeof(*rows));
    struct buf words;
    int count;

    buf_init(&words, 8 * WORDS_TEXT_MAX);
    int status = memories_untidy(db, SQL_MEMORIES_TO_TELL, a, rows, &count);
    for (int i = 0; i < count && status == 0; i++)
        status = memory_tell(db, &rows[i], &words);
    if (status == 0)
        status = memories_untidy(db, SQL_MEMORIES_TO_CODE, a, rows, &count);
    for (int i = 0; i < count && status == 0; i++)
        status = memory_put_in_place(db, &rows[i]);
    buf_deinit(&words);
    return status;
}

int sqlite_memory_age(struct sqlite_db *db, struct store_memory_age *g)
{
    g->changed = 0;
    int status = memories_age(db, SQL_MEMORIES_AGE, g, g->before);
    if (status == 0 && g->keep > 0)
        status = memories_age(db, SQL_MEMORIES_SHED, g, g->keep);
    return status < 0 ? status : memories_tidy(db, &g->req.arena);
}

int sqlite_memory_delete(struct sqlite_db *db, struct store_memory_delete *r)
{
    int64_t workspace = 0;
    struct sqlq q;

    r->changed = 0;
    int status = sqlite_workspace_find(db, r->workspace, &workspace);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_MEMORY_DELETE);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_id(&q, &r->id);
    status = sqlq_run(&q);
    if (status < 0)
        return status;
    r->changed = sqlite3_changes(db->handle);
    return r->changed ? 0 : sqlite_db_refuse(db, ERR_NOT_FOUND, "no such memory");
}

/* ---- reading ---- */

void sqlite_memory_columns(struct sqlq *q, struct arena *a, struct memory_row *row)
{
    *row = (struct memory_row){.next = NULL};
    sqlq_id(q, &row->id);
    sqlq_id(q, &row->source_id);
    sqlq_id(q, &row->session_id);
    row->group_id = sqlq_str(q, a);
    row->agent_id = sqlq_str(q, a);
    row->content = sqlq_str(q, a);
    row->metadata_json = sqlq_json(q, a);
    row->tier = (enum memory_tier)sqlq_i64(q);
    row->chunk = sqlq_i64(q);
    row->chunks = sqlq_i64(q);
    row->model = sqlq_str(q, a);
    row->dimensions = (unsigned)sqlq_i64(q);
    row->hits = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    row->updated_at = sqlq_i64(q);
}

/* The stored bytes as a vector; corrupt unless they are as long as they say. */
void sqlite_memory_vector(struct sqlq *q, struct arena *a, struct memory_row *row)
{
    struct str bytes = sqlq_blob(q, a);

    if (!bytes.p || row->dimensions == 0)
        return;
    if (bytes.n != row->dimensions * sizeof(float)) {
        q->corrupt = true;
        return;
    }
    float *vector = arena_calloc(a, row->dimensions, sizeof(float));
    memcpy(vector, bytes.p, bytes.n);
    row->embedding = vector;
}

int sqlite_memory_corrupt(struct sqlq *q)
{
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "a memory does not read back");
}

static int memories_listed(struct sqlq *q, struct store_memory_list *l)
{
    struct memory_row **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    int more;

    while ((more = sqlq_next(q)) > 0) {
        if (page_see(&page, true) == PAGE_STOP) {
            sqlq_end(q);
            assert(last);
            l->next_cursor = rules_memory_cursor(&l->req.arena, last);
            return 0;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(*last));
        sqlite_memory_columns(q, &l->req.arena, last);
        last->workspace = rules_copy(&l->req.arena, rules_workspace(l->workspace));
        if (q->corrupt)
            return sqlite_memory_corrupt(q);
        tail = &last->next;
    }
    return more;
}

int sqlite_memory_list(struct sqlite_db *db, struct store_memory_list *l)
{
    int64_t workspace = 0;
    struct cursor c;
    struct id before;
    struct sqlq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = rules_memory_cursor_read(l->cursor, &c, &before, &db->error);
    if (status == 0)
        status = sqlite_workspace_find(db, l->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    sqlq_start(&q, db,
               !id_is_zero(l->source_id) ? SQL_MEMORIES_OF_SOURCE
               : l->group_id.p           ? SQL_MEMORIES_OF_GROUP
                                         : SQL_MEMORIES_LIST);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, l->group_id);
    sqlq_bind_str(&q, l->agent_id);
    sqlq_bind_id_or_null(&q, &l->session_id);
    sqlq_bind_id_or_null(&q, &l->source_id);
    sqlq_bind_i64(&q, l->tiers ? l->tiers : ~0u);
    sqlq_bind_i64(&q, c.a);
    sqlq_bind_id(&q, &before);
    sqlq_bind_i64(&q, page_of(l->limit).left + 1);
    return memories_listed(&q, l);
}

int sqlite_memory_get(struct sqlite_db *db, struct store_memory_get *g)
{
    int64_t workspace = 0;
    struct sqlq q;

    int status = sqlite_workspace_find(db, g->workspace, &workspace);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_MEMORY_GET);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_id(&q, &g->id);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such memory");
    sqlite_memory_columns(&q, &g->req.arena, &g->row);
    g->row.workspace = rules_copy(&g->req.arena, rules_workspace(g->workspace));
    if (q.corrupt)
        return sqlite_memory_corrupt(&q);
    sqlq_end(&q);
    return 0;
}
