/* Which memories answer a question, in PostgreSQL. Two batches: how common the words are and how
 * many vectors there are; then, both at once, rows that have the rarer words and the nearest rows.
 * How well they answer is said by rules_memory_best(), as for every store.
 *
 *     pgvector, more than EXACT_MAX vectors of the group and model ──> its index (HNSW)
 *     pgvector, fewer, or dimensions without an index              ──> all of them, by its operator
 *     without pgvector                                             ──> all of them, by arithmetic
 */
#include <stdio.h>
#include <string.h>

#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

#define EXACT_MAX 10000 /* vectors; an index finds fewer, the rarer the group is in it */
#define SCAN_MAX  40000 /* of an index, in search of those that the filters let pass */
#define EF_FACTOR 4     /* of what is wanted: see docs/PERFORMANCE.md */
#define SEEN_SIZE 8192  /* a table of rows: far more than can be found */
#define EF_MAX    1000  /* pgvector's own limit */

struct pg_recall {
    struct memory_question question;
    struct memory_plan plan;
    bool words, near;           /* what is asked for */
    int added;                  /* statements of the second batch */
    int rows_at[4], rows_count; /* those of them that give rows */
    const struct memory_row *seen[SEEN_SIZE];
};

static struct store_memory_query *recall_of(struct pg_job *j)
{
    return container_of(j->req, struct store_memory_query, req);
}

/* ---- rows ---- */

/* Whether the row was found before, in another way. */
static bool recall_seen(struct pg_recall *recall, const struct memory_row *row)
{
    uint32_t at;

    memcpy(&at, row->id.b + sizeof(row->id.b) - sizeof(at), sizeof(at));
    for (at %= SEEN_SIZE; recall->seen[at]; at = (at + 1) % SEEN_SIZE)
        if (id_eq(recall->seen[at]->id, row->id))
            return true;
    recall->seen[at] = row;
    return false;
}

static int recall_read(struct pg_job *j)
{
    struct store_memory_query *m = recall_of(j);
    struct pg_recall *recall = j->state;
    struct memory_row *all = NULL, **tail = &all;
    struct arena *a = &j->req->arena;

    for (int i = 0; i < recall->rows_count; i++) {
        struct pgr r;
        for (pgr_open(&r, j->conn, recall->rows_at[i]); pgr_next(&r);) {
            struct memory_row *row = arena_alloc(a, sizeof(*row));
            pg_memory_columns(&r, a, row, m->workspace);
            pg_memory_vector(&r, a, row);
            if (r.corrupt)
                return pg_memory_corrupt(j);
            if (recall_seen(recall, row))
                continue;
            *tail = row;
            tail = &row->next;
        }
    }
    m->rows = rules_memory_best(all, m, &recall->question);
    return 0;
}

static void recall_bind(struct pgq *q, const struct store_memory_query *m, int64_t limit)
{
    pgq_str(q, rules_workspace(m->workspace));
    pgq_str(q, rules_text(m->group_id));
    pgq_i64(q, rules_memory_tiers(m->tiers));
    pgq_str(q, m->agent_id);
    pgq_bool(q, m->group_only);
    pgq_id_or_null(q, &m->session_id);
    pgq_i64(q, m->created_after);
    pgq_i64(q, m->created_before > 0 ? m->created_before : INT64_MAX);
    pgq_i64(q, limit);
}

/* The next statement; one that gives rows. */
static void recall_start(struct pg_job *j, struct pgq *q, enum pg_sql sql, int64_t limit)
{
    struct pg_recall *recall = j->state;

    recall->rows_at[recall->rows_count++] = recall->added++;
    pgq_start(q, j->conn, sql);
    recall_bind(q, recall_of(j), limit);
}

/* ---- words ---- */

/* Words have no quotes in them: nothing that is asked can be more than words. */
static void recall_write_words(struct buf *out, const struct pg_recall *recall, int count,
                               const char *between)
{
    buf_append_z(out, " & (");
    for (int i = 0; i < count; i++)
        buf_printf(out, "%s'%s'", i ? between : "",
                   recall->question.words[recall->plan.picks[i].word]);
    buf_append_char(out, ')');
}

static void recall_add_words(struct pg_job *j, int count, const char *between)
{
    const struct store_memory_query *m = recall_of(j);
    struct buf text;
    struct pgq q;

    if (count == 0)
        return;
    buf_init(&text, 65536);
    recall_write_words(&text, j->state, count, between);
    recall_start(j, &q, PG_MEMORIES_WITH_WORDS, RULES_COMMON);
    pgq_str(&q, buf_str(&text));
    pgq_bool(&q, m->embedding != NULL);
    pgq_end(&q);
    buf_deinit(&text);
}

static void recall_add_untold(struct pg_job *j)
{
    struct pgq q;

    recall_start(j, &q, PG_MEMORIES_UNTOLD, RULES_COMMON);
    pgq_bool(&q, recall_of(j)->embedding != NULL);
    pgq_end(&q);
}

/* The first asks for all of the group, each of the others for those with one word. */
static void recall_add_weigh(struct pg_job *j)
{
    const struct store_memory_query *m = recall_of(j);
    const struct pg_recall *recall = j->state;
    struct pg_rows words;
    struct pgq q;

    pg_rows_init(&words, PG_MEMORIES_WEIGH, "t");
    pg_rows_begin(&words);
    pg_rows_str(&words, STR(""));
    for (int i = 0; i < recall->question.count; i++) {
        char one[WORD_MAX + 16];
        int n = snprintf(one, sizeof(one), " & '%s'", recall->question.words[i]);
        pg_rows_begin(&words);
        pg_rows_str(&words, (struct str){one, (size_t)n});
    }
    pgq_start(&q, j->conn, PG_MEMORIES_WEIGH);
    pgq_str(&q, rules_workspace(m->workspace));
    pgq_str(&q, rules_text(m->group_id));
    pg_rows_bind(&words, &q);
    pgq_i64(&q, RULES_COMMON);
    pgq_end(&q);
    pg_rows_deinit(&words);
}

static void recall_weigh(struct pg_job *j, int n)
{
    struct pg_recall *recall = j->state;
    int64_t found[RULES_QUESTION_WORDS] = {0}, texts = 0;
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (pgr_next(&r))
        texts = pgr_i64(&r);
    for (int i = 0; i < recall->question.count && pgr_next(&r); i++)
        found[i] = pgr_i64(&r);
    rules_question_weigh(&recall->question, found, texts);
    rules_question_plan(&recall->plan, &recall->question, found);
}

/* ---- vectors ---- */

struct recall_size {
    int64_t count;
    bool vector, index, iterates;
};

static void recall_add_size(struct pg_job *j)
{
    const struct store_memory_query *m = recall_of(j);
    struct pgq q;

    pgq_start(&q, j->conn, PG_MEMORIES_SIZE);
    pgq_str(&q, rules_workspace(m->workspace));
    pgq_str(&q, rules_text(m->group_id));
    pgq_str(&q, m->model);
    pgq_i64(&q, m->dimensions);
    pgq_i64(&q, EXACT_MAX);
    pgq_end(&q);
}

static struct recall_size recall_size(struct pg_job *j)
{
    struct recall_size size = {.count = 0};
    struct pgr r;

    pgr_open(&r, j->conn, 1);
    if (pgr_next(&r)) {
        size.count = pgr_i64(&r);
        size.vector = pgr_bool(&r);
        size.index = pgr_bool(&r);
        size.iterates = pgr_bool(&r);
    }
    return size;
}

static enum pg_sql recall_indexed(unsigned dimensions)
{
    switch (dimensions) {
    case 384:
        return PG_MEMORIES_NEAR_384;
    case 512:
        return PG_MEMORIES_NEAR_512;
    case 768:
        return PG_MEMORIES_NEAR_768;
    case 1024:
        return PG_MEMORIES_NEAR_1024;
    case 1536:
        return PG_MEMORIES_NEAR_1536;
    default:
        return PG_MEMORIES_EXACT_VECTOR;
    }
}

/* Statistics may be old, or missing: a scan of all rows is never meant. ef_search 0: nor is HNSW.
 */
static void recall_add_tune(struct pg_job *j, int64_t ef_search, int64_t scan)
{
    struct pgq q;

    ((struct pg_recall *)j->state)->added++;
    pgq_start(&q, j->conn, PG_MEMORIES_TUNE);
    pgq_i64(&q, ef_search);
    pgq_i64(&q, scan);
    pgq_end(&q);
}

static void recall_add_near(struct pg_job *j, const struct recall_size *size)
{
    const struct store_memory_query *m = recall_of(j);
    const struct pg_recall *recall = j->state;
    size_t wanted = rules_memory_pool(m, &recall->question);
    bool indexed = size->index && size->count >= EXACT_MAX;
    struct buf vector;
    struct pgq q;

    recall_add_tune(
        j, indexed ? (int64_t)(EF_FACTOR * wanted < EF_MAX ? EF_FACTOR * wanted : EF_MAX) : 0,
        indexed && size->iterates ? SCAN_MAX : 0);
    buf_init(&vector, 64 + 8 * MEMORY_DIMENSIONS_MAX);
    pg_floats_write(&vector, m->embedding, m->dimensions);
    recall_start(j, &q,
                 indexed        ? recall_indexed(m->dimensions)
                 : size->vector ? PG_MEMORIES_EXACT_VECTOR
                                : PG_MEMORIES_EXACT,
                 (int64_t)wanted);
    pgq_str(&q, m->model);
    pgq_bytes(&q, &vector);
    pgq_i64(&q, m->dimensions);
    pgq_end(&q);
    buf_deinit(&vector);
}

/* ---- the query ---- */

static int recall_sized(struct pg_job *j)
{
    struct pg_recall *recall = j->state;
    struct recall_size size = {.count = 0};

    if (recall->near)
        size = recall_size(j);
    if (recall->words)
        recall_weigh(j, recall->near ? 2 : 1);
    if (recall->words) {
        recall_add_tune(j, 0, 0);
        recall_add_words(j, recall->plan.any_count, " | ");
        recall_add_words(j, recall->plan.all_count, " & ");
        recall_add_untold(j);
    }
    if (recall->near)
        recall_add_near(j, &size);
    return pg_await(j, recall_read);
}

int pg_memory_query_start(struct pg_job *j)
{
    struct store_memory_query *m = recall_of(j);
    struct pg_recall *recall = arena_calloc(&j->req->arena, 1, sizeof(*recall));
    struct pgq q;

    m->rows = NULL;
    j->state = recall;
    rules_question_init(&recall->question, m->text);
    recall->words = recall->question.count > 0;
    recall->near =
        m->embedding && m->model.p && m->dimensions > 0 && m->dimensions <= MEMORY_DIMENSIONS_MAX;
    if (recall->near || recall->words)
        recall_add_tune(j, 0, 0);
    if (recall->near)
        recall_add_size(j);
    if (recall->words)
        recall_add_weigh(j);
    recall->added = 0; /* of the second batch */
    if (recall->near || recall->words)
        return pg_await(j, recall_sized);
    if (m->embedding)
        return 0;
    recall_start(j, &q, PG_MEMORIES_NEWEST, page_of(m->limit).left);
    pgq_end(&q);
    return pg_await(j, recall_read);
}
