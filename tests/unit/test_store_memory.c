/* Memories over every store: what is put is found, by words, vectors and age, moved and deleted. */
#include <math.h>

#include "store/rules.h"
#include "test_store_rig.h"

#define DAY INT64_C(86400000)

static struct memory_row memory_row(struct rig *r, const char *content, int64_t at)
{
    struct id id = rig_id(r, at);

    return (struct memory_row){.id = id,
                               .source_id = id,
                               .group_id = STR("g"),
                               .content = str_of(content),
                               .metadata_json = STR("{\"a\":1}"),
                               .tier = MEMORY_WORKING,
                               .chunks = 1,
                               .created_at = at,
                               .updated_at = at};
}

static void memory_put(struct rig *r, const struct memory_row *rows)
{
    RIG_REQ(store_memory_put, p, STORE_MEMORY_PUT);
    p.rows = rows;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
}

/* What m finds: the days when it was said. */
static void query_expect(struct rig *r, struct store_memory_query *m, const char *expected)
{
    char out[256] = "";
    double last = 1;

    m->group_id = m->group_id.p ? m->group_id : STR("g");
    m->limit = m->limit ? m->limit : 3;
    if (rig_run(r, &m->req) != 0)
        fail_msg("%s", m->req.error.text);
    for (struct memory_row *row = m->rows; row; row = row->next) {
        size_t n = strlen(out);
        snprintf(out + n, sizeof(out) - n, "%lld ", (long long)((row->created_at - T0) / DAY));
        assert_true(row->score > 0 && row->score <= last);
        assert_null(row->embedding);
        assert_true(str_eqz(row->metadata_json, "{\"a\":1}"));
        last = row->score;
    }
    store_req_deinit(&m->req);
    if (strcmp(out, expected) != 0)
        fail_msg("\"%.*s\" found %s, not %s", STR_FMT(m->text), out, expected);
}

static void words_expect(struct rig *r, const char *text, double score_min, const char *expected)
{
    RIG_REQ(store_memory_query, m, STORE_MEMORY_QUERY);
    m.text = str_of(text);
    m.score_min = score_min;
    query_expect(r, &m, expected);
}

static void memories_are_found_by_words_and_age(void **state)
{
    static const char *const contents[] = {
        "The launch is on Friday",                                      /* 0 */
        "Ana likes tea, not coffee",                                    /* 1 */
        "LAUNCH budget: 40 euros on friday",                            /* 2 */
        "\xe4\xb8\x8a\xe6\xb5\xb7\xe7\x9a\x84\xe5\xa4\xa9\xe6\xb0\x94", /* 3: Shanghai's weather */
        "\xc3\x84pfel und B\xc3\xa4ume",                                /* 4 */
    };
    struct rig *r = *state;

    for (size_t i = 0; i < ROWS(contents); i++) {
        struct memory_row row = memory_row(r, contents[i], T0 + (int64_t)i * DAY);
        memory_put(r, &row);
    }
    struct memory_row other = memory_row(r, "launch friday", T0);
    other.group_id = STR("other");
    memory_put(r, &other);

    words_expect(r, "launch friday?", 0, "2 0 "); /* the newer of two that have both */
    words_expect(r, "the LAUNCH is when", 0, "0 2 ");
    words_expect(r, "\xe4\xb8\x8a\xe6\xb5\xb7", 0, "3 ");
    words_expect(r, "\xe6\xb5\xb7", 0, "3 "); /* a single character */
    words_expect(r, "\xc3\xa4pfel", 0, "4 ");
    words_expect(r, "\xef\xbc\xac\xef\xbc\xa1\xef\xbc\xb5\xef\xbc\xae\xef\xbc\xa3\xef\xbc\xa8", 0,
                 "2 0 "); /* wide letters */
    words_expect(r, "nothing of it", 0, "");
    words_expect(r, "", 0, "4 3 2 "); /* by age alone, the limit */
    words_expect(r, "launch tuesday evening", 0.5, "");
    RIG_REQ(store_memory_query, m, STORE_MEMORY_QUERY);
    m.text = STR("launch friday");
    m.created_after = T0 + DAY;
    query_expect(r, &m, "2 ");
}

/* What stands in a question is words, whatever a store's own language of questions is. */
static void questions_are_no_language(void **state)
{
    static const char *const questions[] = {
        "tea\" OR \"launch",  "tea* AND NOT coffee", "words:tea",       "'tea' & !coffee | (",
        "{tea} NEAR/2 (ana)", "-tea ^tea +tea",      "tea'; DROP --",   "tea\\'",
        "\"\"\"\" tea",       "tea \xff\xfe\xc3",    "_1_67 tea",       "tea:*",
        "tea <-> ana",        "$1 ?1 :a @a %s tea",  "tea\x01\x02\x7f",
    };
    struct rig *r = *state;
    struct memory_row row = memory_row(r, "Ana likes tea, not coffee", T0);

    memory_put(r, &row);
    for (size_t i = 0; i < ROWS(questions); i++)
        words_expect(r, questions[i], 0, "0 ");
    words_expect(r, "\" ' * ( ) : ^ - +", 0, "0 "); /* no words: by age */
    words_expect(r, "NOT_HERE \" OR", 0, "0 ");     /* "not" is a word of it */
    words_expect(r, "drop table memories", 0, "");
}

static void vectors_are_compared(void **state)
{
    static const float vectors[][4] = {
        {1, 0, 0, 0}, {0.8f, 0.6f, 0, 0}, {0, 1, 0, 0}, {-1, 0, 0, 0}, {1, 0, 0, 0},
    };
    static const float other[3] = {1, 0, 0};
    struct rig *r = *state;

    for (size_t i = 0; i < ROWS(vectors); i++) {
        struct memory_row row =
            memory_row(r, i == 2 ? "tea is green" : "nothing", T0 + (int64_t)i * DAY);
        row.embedding = vectors[i];
        row.dimensions = 4;
        row.model = i == 4 ? STR("other") : STR("m");
        memory_put(r, &row);
    }
    struct memory_row row = memory_row(r, "short", T0 + 5 * DAY);
    row.embedding = other;
    row.dimensions = 3;
    row.model = STR("m");
    memory_put(r, &row);

    RIG_REQ(store_memory_query, m, STORE_MEMORY_QUERY);
    m.embedding = vectors[0];
    m.dimensions = 4;
    m.model = STR("m");
    m.limit = 10;
    query_expect(r, &m, "0 1 ");
    RIG_REQ(store_memory_query, both, STORE_MEMORY_QUERY);
    both.text = STR("green tea");
    both.embedding = vectors[1];
    both.dimensions = 4;
    both.model = STR("m");
    both.limit = 10;
    query_expect(r, &both, "2 1 0 ");
    RIG_REQ(store_memory_query, scores, STORE_MEMORY_QUERY);
    scores.group_id = STR("g");
    scores.text = STR("tea");
    scores.embedding = vectors[1];
    scores.dimensions = 4;
    scores.model = STR("m");
    scores.limit = 10;
    assert_int_equal(rig_run(r, &scores.req), 0);
    assert_true(scores.rows->text_score > 0.8 && scores.rows->vector_score > 0.59 &&
                scores.rows->vector_score < 0.61);
    assert_true(scores.rows->next->text_score < 0 && scores.rows->next->vector_score > 0.99);
    store_req_deinit(&scores.req);
}

static void queries_are_filtered(void **state)
{
    struct rig *r = *state;
    struct id session = rig_id(r, T0);
    struct memory_row rows[5];

    for (int i = 0; i < 5; i++) {
        rows[i] = memory_row(r, "tea", T0 + i * DAY);
        rows[i].next = i < 4 ? &rows[i + 1] : NULL;
    }
    rows[0].tier = MEMORY_QUARANTINE;
    rows[1].tier = MEMORY_LONG_TERM;
    rows[2].agent_id = STR("ana");
    rows[3].session_id = session;
    memory_put(r, rows);

    for (int by_words = 0; by_words < 2; by_words++) {
        struct str text = by_words ? STR("tea") : STR_NULL;
#define FILTERED(expected, ...)                                                                    \
    do {                                                                                           \
        RIG_REQ(store_memory_query, m, STORE_MEMORY_QUERY);                                        \
        m.text = text;                                                                             \
        m.limit = 10;                                                                              \
        __VA_ARGS__;                                                                               \
        query_expect(r, &m, expected);                                                             \
    } while (0)
        FILTERED("4 3 2 1 ", (void)0);
        FILTERED("0 ", m.tiers = MEMORY_QUARANTINE);
        FILTERED("1 0 ", m.tiers = MEMORY_QUARANTINE | MEMORY_LONG_TERM);
        FILTERED("2 ", m.agent_id = STR("ana"));
        FILTERED("", m.agent_id = STR("bo"));
        FILTERED("4 3 1 ", m.group_only = true);
        FILTERED("3 ", m.session_id = session);
        FILTERED("3 2 ", m.created_after = T0 + DAY; m.created_before = T0 + 4 * DAY);
        FILTERED("", m.group_id = STR("h"));
        FILTERED("", m.workspace = STR("elsewhere"));
    }
}

/* The rows of a list, two a page: the days, and the tiers. */
static void list_expect(struct rig *r, const struct store_memory_list *like, const char *expected)
{
    char out[256] = "", cursor[512] = "";

    do {
        RIG_REQ(store_memory_list, l, STORE_MEMORY_LIST);
        struct store_req req = l.req;
        l = *like;
        l.req = req;
        l.cursor = *cursor ? str_of(cursor) : STR_NULL;
        l.limit = 2;
        if (rig_run(r, &l.req) != 0)
            fail_msg("%s", l.req.error.text);
        for (struct memory_row *row = l.rows; row; row = row->next) {
            size_t n = strlen(out);
            snprintf(out + n, sizeof(out) - n, "%lld:%d ",
                     (long long)((row->created_at - T0) / DAY), (int)row->tier);
        }
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    } while (*cursor);
    assert_string_equal(out, expected);
}

static int update(struct rig *r, struct id id, enum memory_tier tier, bool hit)
{
    RIG_REQ(store_memory_update, u, STORE_MEMORY_UPDATE);
    u.ids = &id;
    u.count = 1;
    u.tier = tier;
    u.hit = hit;
    u.now_ms = T0 + 9 * DAY;
    if (rig_run(r, &u.req) != 0)
        fail_msg("%s", u.req.error.text);
    store_req_deinit(&u.req);
    return (int)u.changed;
}

static void memories_are_listed_moved_and_deleted(void **state)
{
    struct rig *r = *state;
    struct memory_row rows[5];

    for (int i = 0; i < 5; i++) {
        rows[i] = memory_row(r, "tea", T0 + i * DAY);
        rows[i].next = i < 4 ? &rows[i + 1] : NULL;
        rows[i].tier = MEMORY_QUARANTINE;
    }
    rows[1].source_id = rows[0].id; /* two chunks of a text */
    rows[1].chunk = 1;
    rows[0].chunks = rows[1].chunks = 2;
    rows[4].group_id = STR("h");
    memory_put(r, rows);
    memory_put(r, rows); /* what is there is left as it is */
    list_expect(r, &(struct store_memory_list){.limit = 0}, "4:1 3:1 2:1 1:1 0:1 ");
    list_expect(r, &(struct store_memory_list){.group_id = STR("g")}, "3:1 2:1 1:1 0:1 ");
    list_expect(r, &(struct store_memory_list){.source_id = rows[0].id}, "1:1 0:1 ");

    assert_int_equal(update(r, rows[0].id, MEMORY_WORKING, false), 2); /* the source's */
    assert_int_equal(update(r, rows[0].id, MEMORY_WORKING, false), 0);
    assert_int_equal(update(r, rows[2].id, MEMORY_LONG_TERM, true), 1);
    list_expect(r, &(struct store_memory_list){.group_id = STR("g")}, "3:1 2:4 1:2 0:2 ");
    list_expect(r, &(struct store_memory_list){.tiers = MEMORY_WORKING}, "1:2 0:2 ");
    assert_int_equal(update(r, rows[2].id, 0, true), 1);
    RIG_REQ(store_memory_get, g, STORE_MEMORY_GET);
    g.id = rows[2].id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(g.row.hits == 2 && g.row.tier == MEMORY_LONG_TERM &&
                g.row.updated_at == T0 + 9 * DAY && g.row.created_at == T0 + 2 * DAY);
    assert_true(str_eqz(g.row.content, "tea") && str_eqz(g.row.workspace, "default"));
    store_req_deinit(&g.req);

    for (int i = 0; i < 2; i++) {
        RIG_REQ(store_memory_delete, d, STORE_MEMORY_DELETE);
        d.id = rows[0].id;
        assert_int_equal(rig_run(r, &d.req), i ? ERR_NOT_FOUND : 0);
        assert_int_equal(d.changed, i ? 0 : 2);
        store_req_deinit(&d.req);
    }
    list_expect(r, &(struct store_memory_list){.limit = 0}, "4:1 3:1 2:4 ");
    words_expect(r, "tea", 0, "2 ");
    RIG_REQ(store_memory_get, gone, STORE_MEMORY_GET);
    gone.id = rows[0].id;
    assert_int_equal(rig_run(r, &gone.req), ERR_NOT_FOUND);
    store_req_deinit(&gone.req);
    RIG_REQ(store_memory_list, bad, STORE_MEMORY_LIST);
    bad.cursor = STR("bm90aGluZw");
    assert_int_equal(rig_run(r, &bad.req), ERR_INVALID);
    store_req_deinit(&bad.req);
}

static void working_memories_age(void **state)
{
    struct rig *r = *state;
    struct memory_row rows[6];

    for (int i = 0; i < 6; i++) {
        rows[i] = memory_row(r, "tea", T0 + i * DAY);
        rows[i].next = i < 5 ? &rows[i + 1] : NULL;
    }
    rows[5].group_id = STR("h");
    memory_put(r, rows);
    RIG_REQ(store_memory_age, a, STORE_MEMORY_AGE);
    a.before = T0 + DAY; /* 0 */
    a.keep = 2;          /* 1, 2 */
    a.now_ms = T0 + 9 * DAY;
    a.limit = 100;
    assert_int_equal(rig_run(r, &a.req), 0);
    assert_int_equal(a.changed, 3);
    store_req_deinit(&a.req);
    list_expect(r, &(struct store_memory_list){.limit = 0}, "5:2 4:2 3:2 2:4 1:4 0:4 ");
}

static void a_key_puts_once(void **state)
{
    struct rig *r = *state;
    struct idempotency_row key = {
        .key = STR("k"), .http_status = 201, .body_json = STR("{}"), .created_at = T0};
    struct memory_row rows[2] = {memory_row(r, "tea", T0), memory_row(r, "tea", T0 + DAY)};

    for (int i = 0; i < 2; i++) {
        RIG_REQ(store_memory_put, p, STORE_MEMORY_PUT);
        p.rows = &rows[i];
        p.idempotency = &key;
        assert_int_equal(rig_run(r, &p.req), i ? ERR_CONFLICT : 0);
        store_req_deinit(&p.req);
    }
    list_expect(r, &(struct store_memory_list){.limit = 0}, "0:2 ");
}

/* They stay when the session that they come from goes. */
static void memories_outlive_their_session(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "completed", T0);

    struct memory_row row = memory_row(r, "tea", T0);
    row.session_id = session;
    memory_put(r, &row);
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = session;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    RIG_REQ(store_memory_query, m, STORE_MEMORY_QUERY);
    m.session_id = session;
    query_expect(r, &m, "0 ");
}

/* ---- many ---- */

#define MANY       5000
#define DIMENSIONS 384

/* In clusters, as embeddings are; of length 1. */
static void some_vector(float *out, uint64_t *random)
{
    double sum = 0;
    uint64_t cluster = (*random = *random * 6364136223846793005u + 1442695040888963407u) >> 58;

    for (int i = 0; i < DIMENSIONS; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        double part = (double)(*random >> 40) / (double)(1 << 24) - 0.5;
        uint64_t c = (cluster * DIMENSIONS + (uint64_t)i + 1) * 2654435761u;
        part += ((double)(c >> 8 & 0xffff) / 65536 - 0.5) * 1.2;
        out[i] = (float)part;
        sum += part * part;
    }
    for (int i = 0; i < DIMENSIONS; i++)
        out[i] = (float)((double)out[i] / sqrt(sum));
}

static void put_many(struct rig *r, const float *vectors)
{
    static struct memory_row rows[MANY / 10];

    for (int n = 0; n < MANY; n++) {
        int i = n % (MANY / 10);
        rows[i] = memory_row(r, "many", T0 + n);
        rows[i].model = STR("m");
        rows[i].embedding = vectors + (size_t)n * DIMENSIONS;
        rows[i].dimensions = DIMENSIONS;
        rows[i].next = i + 1 < MANY / 10 ? &rows[i + 1] : NULL;
        if (!rows[i].next)
            memory_put(r, rows);
    }
}

/* How many of the ten found are as near as the tenth of all. */
static int found_of_ten(struct rig *r, const float *vectors, const float *question)
{
    double best[10] = {0};
    int found = 0, rows = 0;

    for (int n = 0; n < MANY; n++) {
        double near = rules_vector_score(vectors + (size_t)n * DIMENSIONS, question, DIMENSIONS);
        int at = 10;
        for (; at > 0 && best[at - 1] < near; at--)
            if (at < 10)
                best[at] = best[at - 1];
        if (at < 10)
            best[at] = near;
    }
    RIG_REQ(store_memory_query, m, STORE_MEMORY_QUERY);
    m.group_id = STR("g");
    m.model = STR("m");
    m.embedding = question;
    m.dimensions = DIMENSIONS;
    m.limit = 10;
    if (rig_run(r, &m.req) != 0)
        fail_msg("%s", m.req.error.text);
    for (struct memory_row *row = m.rows; row; row = row->next, rows++)
        found += row->vector_score >= best[9] - 1e-6;
    assert_int_equal(rows, 10);
    store_req_deinit(&m.req);
    return found;
}

static void the_nearest_of_many_are_found(void **state)
{
    struct rig *r = *state;
    float *vectors = malloc((size_t)MANY * DIMENSIONS * sizeof(float));
    float question[DIMENSIONS];
    uint64_t random = 1;
    int found = 0;

    for (int n = 0; n < MANY; n++)
        some_vector(vectors + (size_t)n * DIMENSIONS, &random);
    put_many(r, vectors);
    for (int i = 0; i < 10; i++) {
        some_vector(question, &random);
        found += found_of_ten(r, vectors, question);
    }
    free(vectors);
    if (found < 98)
        fail_msg("%d of 100 were found", found);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EVERY(memories_are_found_by_words_and_age),
        EVERY(questions_are_no_language),
        EVERY(vectors_are_compared),
        EVERY(queries_are_filtered),
        EVERY(memories_are_listed_moved_and_deleted),
        EVERY(working_memories_age),
        EVERY(a_key_puts_once),
        EVERY(memories_outlive_their_session),
        EVERY(the_nearest_of_many_are_found),
    };
    return RIG_RUN_TESTS(tests);
}
