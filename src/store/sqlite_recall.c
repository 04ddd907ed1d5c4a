/* Which memories answer a question, in SQLite.
 *
 *     words   ──> memory_words (FTS5): how common each is ──> keys of rows with the rarer ones ─┐
 *     vector  ──> memory_codes, all of the group and model ──> keys of the nearest ─────────────┤
 *     neither ──> keys of the newest ───────────────────────────────────────────────────────────┤
 *                                                              rows ──> rules_memory_best() <───┘
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

#define PLACE_BITS 40

struct recall {
    struct sqlite_db *db;
    struct store_memory_query *m;
    int64_t workspace;
    struct memory_question question;
    int64_t *keys; /* of rows that may answer */
    size_t count, cap;
};

static void recall_add(struct recall *r, int64_t key)
{
    if (r->count == r->cap) {
        r->cap += r->cap + 256;
        r->keys = mem_realloc(r->keys, r->cap * sizeof(*r->keys));
    }
    r->keys[r->count++] = key;
}

static void recall_bind(const struct recall *r, struct sqlq *q)
{
    sqlq_bind_i64(q, r->workspace);
    sqlq_bind_str(q, rules_text(r->m->group_id));
    sqlq_bind_i64(q, rules_memory_tiers(r->m->tiers));
    sqlq_bind_str(q, r->m->agent_id);
    sqlq_bind_i64(q, r->m->group_only);
    sqlq_bind_id_or_null(q, &r->m->session_id);
    sqlq_bind_i64(q, r->m->created_after);
    sqlq_bind_i64(q, r->m->created_before > 0 ? r->m->created_before : INT64_MAX);
}

/* Keys of up to `limit` rows; match: what FTS5 is asked. */
static int recall_keys(struct recall *r, enum sqlite_sql sql, int64_t limit, struct str match)
{
    struct sqlq q;
    int more;

    sqlq_start(&q, r->db, sql);
    recall_bind(r, &q);
    sqlq_bind_i64(&q, limit);
    if (match.p)
        sqlq_bind_str(&q, match);
    while ((more = sqlq_next(&q)) > 0)
        recall_add(r, sqlq_i64(&q));
    return more;
}

/* ---- words ---- */

/* The first word of each row of the group: as the triggers write it. */
static void match_begin(const struct recall *r, struct buf *match)
{
    struct str group = rules_text(r->m->group_id);

    buf_clear(match);
    buf_printf(match, "\"_%lld_", (long long)r->workspace);
    for (size_t i = 0; i < group.n; i++)
        buf_printf(match, "%02X", (unsigned)(uint8_t)group.p[i]);
    buf_append_char(match, '"');
}

/* Words have no quotes in them: nothing that is asked can be more than words. */
static void match_words(const struct recall *r, struct buf *match, const struct memory_plan *plan,
                        int count, const char *between)
{
    match_begin(r, match);
    buf_append_z(match, " AND (");
    for (int i = 0; i < count; i++)
        buf_printf(match, "%s\"%s\"", i ? between : "", r->question.words[plan->picks[i].word]);
    buf_append_char(match, ')');
}

static int recall_count(struct recall *r, struct str match, int64_t *found)
{
    struct sqlq q;

    *found = 0;
    sqlq_start(&q, r->db, SQL_MEMORIES_COUNT_WORDS);
    sqlq_bind_str(&q, match);
    sqlq_bind_i64(&q, RULES_COMMON);
    int more = sqlq_next(&q);
    if (more > 0) {
        *found = sqlq_i64(&q);
        sqlq_end(&q);
    }
    return more < 0 ? more : 0;
}

/* How common each word is; and which words are looked for. */
static int recall_weigh(struct recall *r, struct memory_plan *plan, struct buf *match)
{
    int64_t found[RULES_QUESTION_WORDS], texts;

    match_begin(r, match);
    int status = recall_count(r, buf_str(match), &texts);
    for (int i = 0; i < r->question.count && status == 0; i++) {
        match_begin(r, match);
        buf_printf(match, " AND \"%s\"", r->question.words[i]);
        status = recall_count(r, buf_str(match), &found[i]);
    }
    if (status < 0)
        return status;
    rules_question_weigh(&r->question, found, texts);
    rules_question_plan(plan, &r->question, found);
    return 0;
}

static int recall_words(struct recall *r)
{
    struct memory_plan plan;
    struct buf match;

    buf_init(&match, 65536);
    int status = recall_weigh(r, &plan, &match);
    if (status == 0 && plan.any_count > 0) {
        match_words(r, &match, &plan, plan.any_count, " OR ");
        status = recall_keys(r, SQL_MEMORIES_WITH_WORDS, RULES_COMMON, buf_str(&match));
    }
    if (status == 0 && plan.all_count > 0) {
        match_words(r, &match, &plan, plan.all_count, " AND ");
        status = recall_keys(r, SQL_MEMORIES_WITH_WORDS, RULES_COMMON, buf_str(&match));
    }
    if (status == 0)
        status = recall_keys(r, SQL_MEMORIES_UNTOLD, RULES_COMMON, STR_NULL);
    buf_deinit(&match);
    return status;
}

/* ---- vectors ---- */

static struct str recall_blob(struct sqlq *q, int column)
{
    const char *p = sqlite3_column_blob(q->stmt, column);

    return (struct str){p, p ? (size_t)sqlite3_column_bytes(q->stmt, column) : 0};
}

/* The cosine of stored bytes; below 0: they are no such vector. */
static double recall_score(const struct store_memory_query *m, int64_t dimensions, struct str bytes)
{
    float vector[MEMORY_DIMENSIONS_MAX];

    if (dimensions != m->dimensions || bytes.n != m->dimensions * sizeof(float))
        return -1;
    memcpy(vector, bytes.p, bytes.n);
    return rules_vector_score(vector, m->embedding, m->dimensions);
}

static int recall_codes(struct recall *r, struct vector_pool *pool, int64_t place)
{
    struct vector_question *question = mem_alloc(sizeof(*question));
    bool corrupt = false;
    struct sqlq q;
    int more;

    vector_question_init(question, r->m->embedding, r->m->dimensions);
    sqlq_start(&q, r->db, SQL_MEMORIES_CODES);
    recall_bind(r, &q);
    sqlq_bind_i64(&q, place << PLACE_BITS);
    sqlq_bind_i64(&q, (place + 1) << PLACE_BITS);
    while (!corrupt && (more = sqlq_next(&q)) > 0) {
        float near = 0, error = 0;
        int64_t key = sqlq_i64(&q) - (place << PLACE_BITS);
        corrupt = !vector_code_near(question, recall_blob(&q, 1), &near, &error);
        if (!corrupt)
            vector_pool_add(pool, key, near, error);
    }
    free(question);
    return corrupt ? sqlite_memory_corrupt(&q) : more;
}

/* Rows that came by a migration or a copy, and have no code so far. */
static int recall_uncoded(struct recall *r, struct vector_pool *pool)
{
    struct sqlq q;
    int more;

    sqlq_start(&q, r->db, SQL_MEMORIES_UNCODED);
    recall_bind(r, &q);
    sqlq_bind_i64(&q, INT64_MAX);
    while ((more = sqlq_next(&q)) > 0) {
        int64_t key = sqlq_i64(&q), dimensions = sqlq_i64(&q);
        struct str model = sqlq_str(&q, &r->m->req.arena);
        double score = recall_score(r->m, dimensions, recall_blob(&q, 3));
        if (score >= 0 && model.p && str_eq(model, r->m->model))
            vector_pool_add(pool, key, (float)score, 1e-6f);
    }
    return more;
}

static int recall_settle(struct recall *r, struct vector_pool *pool)
{
    struct sqlq q;

    sqlq_start(&q, r->db, SQL_MEMORY_VECTOR);
    sqlq_bind_i64(&q, pool->rows[pool->settled].key);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    double score = -1;
    if (more > 0) {
        int64_t dimensions = sqlq_i64(&q);
        score = recall_score(r->m, dimensions, recall_blob(&q, 1));
        sqlq_end(&q);
    }
    if (score < 0)
        return sqlite_db_corrupt(r->db, "a memory's vector does not read back");
    vector_pool_settle(pool, score);
    return 0;
}

static int recall_vectors(struct recall *r)
{
    struct vector_pool pool;
    int64_t place;

    vector_pool_init(&pool, rules_memory_pool(r->m, &r->question));
    int status = sqlite_memory_place(r->db, r->workspace, r->m, &place);
    if (status == 0 && place > 0)
        status = recall_codes(r, &pool, place);
    if (status == 0)
        status = recall_uncoded(r, &pool);
    vector_pool_sort(&pool);
    while (status == 0 && !vector_pool_is_done(&pool))
        status = recall_settle(r, &pool);
    vector_pool_finish(&pool);
    for (size_t i = 0; i < pool.count && status == 0; i++)
        recall_add(r, pool.rows[i].key);
    vector_pool_deinit(&pool);
    return status;
}

/* ---- rows ---- */

static int recall_row(struct recall *r, int64_t key, struct memory_row *row)
{
    struct arena *a = &r->m->req.arena;
    struct sqlq q;

    sqlq_start(&q, r->db, SQL_MEMORY_ROW);
    sqlq_bind_i64(&q, key);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    sqlite_memory_columns(&q, a, row);
    if (r->m->embedding)
        sqlite_memory_vector(&q, a, row);
    row->workspace = rules_copy(a, rules_workspace(r->m->workspace));
    if (q.corrupt)
        return sqlite_memory_corrupt(&q);
    sqlq_end(&q);
    return 1;
}

static int compare_keys(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int recall_rows(struct recall *r)
{
    struct memory_row *all = NULL, **tail = &all;
    int more = 0;

    if (r->count > 0)
        qsort(r->keys, r->count, sizeof(*r->keys), compare_keys);
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0 && r->keys[i] == r->keys[i - 1])
            continue; /* found both ways */
        struct memory_row *row = arena_alloc(&r->m->req.arena, sizeof(*row));
        more = recall_row(r, r->keys[i], row);
        if (more < 0)
            return more;
        if (more > 0) {
            *tail = row;
            tail = &row->next;
        }
    }
    r->m->rows = rules_memory_best(all, r->m, &r->question);
    return 0;
}

int sqlite_memory_query(struct sqlite_db *db, struct store_memory_query *m)
{
    struct recall r = {.db = db, .m = m};
    bool near =
        m->embedding && m->model.p && m->dimensions > 0 && m->dimensions <= MEMORY_DIMENSIONS_MAX;

    m->rows = NULL;
    int status = sqlite_workspace_find(db, m->workspace, &r.workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status;
    rules_question_init(&r.question, m->text);
    if (r.question.count > 0)
        status = recall_words(&r);
    if (near && status == 0)
        status = recall_vectors(&r);
    if (r.question.count == 0 && !m->embedding)
        status = recall_keys(&r, SQL_MEMORIES_NEWEST, page_of(m->limit).left, STR_NULL);
    if (status == 0)
        status = recall_rows(&r);
    free(r.keys);
    return status;
}
