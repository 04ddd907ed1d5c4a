/* How fast, and how well, memories are found: memory_query STORE [ROWS [QUERIES [RECALL]]]
 *
 * STORE is a folder (SQLite), a postgres:// URL or "memory". Puts ROWS chunks of one group into it
 * (100000), each with a text and a vector of 384 dimensions, in clusters as embeddings are, and
 * asks QUERIES questions (200) of each kind: near (vectors), words, both, and filtered (vectors of
 * one agent among ten). What the ten nearest are is computed here from all vectors; recall is the
 * share of them that the store found. One JSON line each; with RECALL: ends with 1 when a recall is
 * below it. The store must be empty, and is not emptied.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"

#define DIMENSIONS 384
#define CLUSTERS   1000
#define SPREAD     0.7 /* of a vector around its cluster's centre, for a centre of length 1 */
#define PUT_ROWS   500
#define NEAREST    10
#define AGENTS     10
#define WORDS      60 /* of a text */
#define VOCABULARY 20000

static struct bench {
    uv_loop_t loop;
    struct store *store;
    int rows, queries;
    uint64_t random;
    float *centres, *vectors;
    double *times;
} b = {.rows = 100000, .queries = 200, .random = 88172645463325252u};

/* ---- what is put and asked ---- */

static uint64_t random_u64(void)
{
    b.random ^= b.random << 13;
    b.random ^= b.random >> 7;
    return b.random ^= b.random << 17;
}

static double random_unit(void)
{
    return (double)(random_u64() >> 11) / (double)(UINT64_C(1) << 53);
}

static double random_normal(void)
{
    return sqrt(-2 * log(1 - random_unit())) * cos(2 * M_PI * random_unit());
}

/* Around a centre (NULL: none), of length 1. */
static void random_vector(float *out, const float *centre)
{
    double sum = 0;

    for (int i = 0; i < DIMENSIONS; i++) {
        double part = random_normal() / sqrt(DIMENSIONS) * (centre ? SPREAD : 1);
        out[i] = (float)((centre ? (double)centre[i] : 0) + part);
        sum += (double)out[i] * (double)out[i];
    }
    for (int i = 0; i < DIMENSIONS; i++)
        out[i] = (float)((double)out[i] / sqrt(sum));
}

static const float *random_centre(void)
{
    return b.centres + (size_t)(random_u64() % CLUSTERS) * DIMENSIONS;
}

/* A few words are in every second text, most are rare. */
static void random_words(char *out, size_t size, int count)
{
    size_t n = 0;

    for (int i = 0; i < count; i++) {
        int word = (int)(VOCABULARY * pow(random_unit(), 3));
        n += (size_t)snprintf(out + n, size - n, "%sword%d", i ? " " : "", word);
    }
}

static struct id id_of(int n)
{
    struct id id = {{0}};

    for (int i = 0; i < 4; i++)
        id.b[15 - i] = (uint8_t)((unsigned)n >> 8 * i);
    id.b[6] = 0x70;
    id.b[8] = 0x80;
    return id;
}

static int number_of(const struct id *id)
{
    return id->b[12] << 24 | id->b[13] << 16 | id->b[14] << 8 | id->b[15];
}

/* ---- the store ---- */

static void answered(struct store_req *req)
{
    *(bool *)req->data = true;
}

static void carry_out(struct store_req *req)
{
    bool done = false;

    req->data = &done;
    store_submit(b.store, req);
    while (!done)
        uv_run(&b.loop, UV_RUN_ONCE);
    if (req->status != 0) {
        fprintf(stderr, "memory_query: %s\n", req->error.text);
        exit(1);
    }
}

static void put_rows(int from, int to)
{
    static struct memory_row rows[PUT_ROWS];
    static char texts[PUT_ROWS][16 * WORDS], agents[PUT_ROWS][16];
    struct store_memory_put p;

    memset(&p, 0, sizeof(p));
    for (int n = from; n < to; n++) {
        int i = n - from;
        float *vector = b.vectors + (size_t)n * DIMENSIONS;
        random_vector(vector, random_centre());
        random_words(texts[i], sizeof(texts[i]), WORDS);
        snprintf(agents[i], sizeof(agents[i]), "agent-%d", n % AGENTS);
        rows[i] = (struct memory_row){.next = n + 1 < to ? &rows[i + 1] : NULL,
                                      .id = id_of(n),
                                      .source_id = id_of(n),
                                      .group_id = STR("bench"),
                                      .agent_id = str_of(agents[i]),
                                      .content = str_of(texts[i]),
                                      .tier = MEMORY_LONG_TERM,
                                      .chunks = 1,
                                      .model = STR("bench"),
                                      .embedding = vector,
                                      .dimensions = DIMENSIONS,
                                      .created_at = 1700000000000 + n,
                                      .updated_at = 1700000000000 + n};
    }
    store_req_init(&p.req, STORE_MEMORY_PUT, answered, NULL);
    p.rows = rows;
    carry_out(&p.req);
    store_req_deinit(&p.req);
}

static void open_store(const char *name)
{
    struct errbuf e = {""};
    int status =
        strncmp(name, "postgres", 8) == 0 ? pg_store_open(&b.store, &b.loop, name, 0, true, &e)
        : strcmp(name, "memory") == 0     ? mem_store_open(&b.store, &b.loop)
                                          : sqlite_store_open(&b.store, &b.loop, name, true, &e);

    if (status != 0) {
        fprintf(stderr, "memory_query: %s\n", e.text);
        exit(1);
    }
}

/* ---- questions ---- */

struct question {
    bool near, words, filtered;
    int agent;
    float vector[DIMENSIONS];
    char text[128];
    struct store_memory_query query;
};

static void ask(struct question *q, char agent[16])
{
    struct store_memory_query *m = &q->query;

    random_vector(q->vector, random_centre());
    random_words(q->text, sizeof(q->text), 6);
    q->agent = (int)(random_u64() % AGENTS);
    memset(m, 0, sizeof(*m));
    store_req_init(&m->req, STORE_MEMORY_QUERY, answered, NULL);
    m->group_id = STR("bench");
    m->limit = NEAREST;
    if (q->words)
        m->text = str_of(q->text);
    if (q->near) {
        m->model = STR("bench");
        m->embedding = q->vector;
        m->dimensions = DIMENSIONS;
    }
    if (q->filtered) {
        snprintf(agent, 16, "agent-%d", q->agent);
        m->agent_id = str_of(agent);
    }
    carry_out(&m->req);
}

static double cosine(const float *x, const float *y)
{
    double sum = 0;

    for (int i = 0; i < DIMENSIONS; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

/* How near the tenth is that may be found. */
static double tenth(const struct question *q)
{
    double best[NEAREST] = {0};

    for (int n = q->filtered ? q->agent : 0; n < b.rows; n += q->filtered ? AGENTS : 1) {
        double near = cosine(q->vector, b.vectors + (size_t)n * DIMENSIONS);
        int at = NEAREST;
        for (; at > 0 && best[at - 1] < near; at--)
            if (at < NEAREST)
                best[at] = best[at - 1];
        if (at < NEAREST)
            best[at] = near;
    }
    return best[NEAREST - 1];
}

static int found_of_ten(const struct question *q)
{
    double least = tenth(q) - 1e-9;
    int found = 0;

    for (const struct memory_row *row = q->query.rows; row; row = row->next) {
        int n = number_of(&row->id);
        found +=
            n >= 0 && n < b.rows && cosine(q->vector, b.vectors + (size_t)n * DIMENSIONS) >= least;
    }
    return found < NEAREST ? found : NEAREST;
}

static double cpu_ms(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static int compare_times(const void *x, const void *y)
{
    double p = *(const double *)x, q = *(const double *)y;

    return p < q ? -1 : p > q;
}

/* The recall of vectors; of words there is none to compare with. */
static double run(const char *store, const char *name, struct question *q)
{
    long found = 0;
    double cpu = 0;
    char agent[16];

    ask(q, agent); /* the first one finds nothing warm */
    store_req_deinit(&q->query.req);
    for (int i = 0; i < b.queries; i++) {
        double cpu_start = cpu_ms();
        uint64_t start = clock_mono_ns();
        ask(q, agent);
        b.times[i] = (double)(clock_mono_ns() - start) / 1e6;
        cpu += cpu_ms() - cpu_start;
        found += q->near && !q->words ? found_of_ten(q) : 0;
        store_req_deinit(&q->query.req);
    }
    qsort(b.times, (size_t)b.queries, sizeof(*b.times), compare_times);
    double recall = q->near && !q->words ? (double)found / NEAREST / b.queries : -1;
    printf("{\"bench\":\"memory\",\"store\":\"%s\",\"query\":\"%s\",\"rows\":%d,\"queries\":%d,"
           "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"cpu_ms\":%.2f,\"recall_at_10\":",
           store, name, b.rows, b.queries, b.times[b.queries / 2], b.times[b.queries * 99 / 100],
           cpu / b.queries);
    printf(recall < 0 ? "null}\n" : "%.4f}\n", recall);
    fflush(stdout);
    return recall;
}

static void closed(void *data)
{
    (void)data;
}

int main(int argc, char **argv)
{
    static struct question kinds[] = {{.near = true},
                                      {.words = true},
                                      {.near = true, .words = true},
                                      {.near = true, .filtered = true}};
    static const char *const names[] = {"near", "words", "both", "filtered"};
    double wanted = argc > 4 ? atof(argv[4]) : 0;
    struct rusage usage;
    bool low = false;

    if (argc < 2) {
        fprintf(stderr, "usage: memory_query STORE [ROWS [QUERIES [RECALL]]]\n");
        return 2;
    }
    b.rows = argc > 2 ? atoi(argv[2]) : b.rows;
    b.queries = argc > 3 ? atoi(argv[3]) : b.queries;
    b.centres = mem_alloc((size_t)CLUSTERS * DIMENSIONS * sizeof(float));
    b.vectors = mem_alloc((size_t)b.rows * DIMENSIONS * sizeof(float));
    b.times = mem_alloc((size_t)b.queries * sizeof(double));
    for (int i = 0; i < CLUSTERS; i++)
        random_vector(b.centres + (size_t)i * DIMENSIONS, NULL);
    log_configure(LOG_ERROR, 0);
    uv_loop_init(&b.loop);
    open_store(argv[1]);
    const char *kind = b.store->v->name;
    uint64_t start = clock_mono_ns();
    for (int n = 0; n < b.rows; n += PUT_ROWS)
        put_rows(n, n + PUT_ROWS < b.rows ? n + PUT_ROWS : b.rows);
    printf("{\"bench\":\"memory\",\"store\":\"%s\",\"query\":\"put\",\"rows\":%d,\"rows_per_s\":%."
           "0f}\n",
           kind, b.rows, b.rows / ((double)(clock_mono_ns() - start) / 1e9));
    fflush(stdout);
    const char *after = getenv("BENCH_AFTER_PUT"); /* a command: an index that is made then */
    if (after && system(after) != 0)
        return 1;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        double recall = run(kind, names[i], &kinds[i]);
        low = low || (recall >= 0 && recall < wanted);
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"bench\":\"memory\",\"store\":\"%s\",\"query\":\"memory\",\"own_mb\":%.0f}\n", kind,
           (double)usage.ru_maxrss / 1024 - b.rows * DIMENSIONS * 4.0 / (1 << 20));
    store_close(b.store, closed, NULL);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    uv_loop_close(&b.loop);
    free(b.centres);
    free(b.vectors);
    free(b.times);
    return low;
}
