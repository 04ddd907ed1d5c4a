/* The bare limit of a store, and a full one:
 *
 *   commit_loop DIR|postgres://… [SECONDS]                           all loops
 *   commit_loop DIR|postgres://… SECONDS sessions|tokens BATCH       one of them
 *   commit_loop DIR|postgres://… fill COUNT                          so many sessions more
 *   commit_loop DIR|postgres://… events SESSION AFTER COUNT          so many events more, from
 * AFTER on
 *
 * The store through the interface that the journal uses, at several batch sizes, durable, the next
 * batch being made while one is under way:
 *   sessions  what a session of three pure nodes needs: 1 session, its details, 1 row of events,
 *             3 node runs
 *   tokens    one row with one event, for each of as many of 500 sessions as the batch has
 * and beside SQLite a loop of plain SQLite with the same settings, one small row a commit
 * (pg_commit_loop is the same for PostgreSQL). One JSON line per run; rates per second; CPU and
 * bytes written (wchar of /proc/self/io) are those of this process. What is filled in is made in
 * the same way, by the store's own commits.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"

#define BATCH_MAX 1000
#define RUNS      3
#define EVENTS    8
#define STREAMS   500    /* sessions that tokens come for */
#define STEP_MAX  100000 /* times kept for the median */

static double seconds = 2;

/* Bytes given to write() and its like so far, and how often. */
static void written(double *bytes, double *calls)
{
    char line[128];
    FILE *f = fopen("/proc/self/io", "r");

    *bytes = *calls = 0;
    while (f && fgets(line, sizeof(line), f)) {
        sscanf(line, "wchar: %lf", bytes);
        sscanf(line, "syscw: %lf", calls);
    }
    if (f)
        fclose(f);
}

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* ---- plain SQLite ---- */

static void bare_check(sqlite3 *db, int code)
{
    if (code == SQLITE_OK || code == SQLITE_DONE)
        return;
    fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void bare_run(const char *dir)
{
    static uint64_t times[STEP_MAX];
    char path[4096];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/bare.db", dir);
    remove(path);
    bare_check(NULL, sqlite3_open(path, &db));
    bare_check(db, sqlite3_exec(db,
                                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)",
                                NULL, NULL, NULL));
    bare_check(db, sqlite3_prepare_v2(db, "INSERT INTO t (v) VALUES ('x')", -1, &stmt, NULL));
    uint64_t start = clock_mono_ns(), now = start;
    while ((double)(now - start) < seconds * 1e9) {
        bare_check(db, sqlite3_step(stmt));
        sqlite3_reset(stmt);
        uint64_t before = now;
        now = clock_mono_ns();
        if (n < STEP_MAX)
            times[n] = now - before;
        n++;
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    qsort(times, n < STEP_MAX ? n : STEP_MAX, sizeof(*times), compare_u64);
    printf("{\"bench\":\"commit_loop\",\"what\":\"one row, plain SQLite\",\"batch\":1,"
           "\"commits_per_s\":%.0f,\"commit_ms_p50\":%.3f}\n",
           (double)n / ((double)(now - start) / 1e9), (double)times[n / 2] / 1e6);
    fflush(stdout);
}

/* ---- the store ---- */

/* One batch: its rows are made once, and get new ids for each commit. */
struct batch {
    struct store_commit commit;
    struct loop *loop;
    struct delta *deltas[BATCH_MAX];
    bool refused[BATCH_MAX];
    struct delta delta[BATCH_MAX];
    struct run_row runs[BATCH_MAX][RUNS];
    struct session_meta meta;
    struct session_core core;
    uint64_t submitted;
};

struct loop {
    uv_loop_t uv;
    struct store *store;
    struct id_source ids;
    struct batch batches[2];
    size_t size;
    bool tokens;
    struct id streams[STREAMS];
    int64_t seqs[STREAMS];
    size_t next_stream, stream_count;
    size_t units_max;          /* stops there; 0: when the time is over */
    struct id stored[STREAMS]; /* some sessions that are there */
    struct id owner;           /* the instance that has them */
    uint64_t start, end;
    uint64_t *times;
    size_t commits;
    bool over;
};

static void batch_init(struct batch *b, struct loop *l)
{
    b->loop = l;
    b->meta = (struct session_meta){.workspace = STR("default"),
                                    .name = STR("W1"),
                                    .tags_json = STR("[]"),
                                    .metadata_json = STR("{}"),
                                    .settings_json = STR("{}"),
                                    .thread_configs_json = STR("{}"),
                                    .workflow_state_json = STR("{}"),
                                    .workflow_id = STR("w1"),
                                    .workflow_version = 1,
                                    .input_json = STR("{\"n\":1}")};
    b->core = (struct session_core){
        .status = STR("completed"),
        .output_json = STR("{\"n\":2}"),
        .node_statuses_json =
            STR("{\"start\":\"completed\",\"step\":\"completed\",\"end\":\"completed\"}"),
        .waiting_json = STR("[]"),
        .usage_json = STR("{\"input_tokens\":0,\"output_tokens\":0,\"cost_usd\":0}"),
        .vars_json = STR("{}"),
        .state_json = STR("{\"iterations\":{\"start\":1,\"step\":1,\"end\":1},\"edges\":[]}"),
        .last_seq = EVENTS,
        .started_at = 1,
        .ended_at = 1,
        .updated_at = 1,
    };
    for (int i = 0; i < BATCH_MAX; i++) {
        struct delta *d = &b->delta[i];
        *d = (struct delta){.epoch = 1, .is_new = true, .meta = &b->meta, .core = &b->core};
        d->seq_first = 1;
        d->seq_last = EVENTS;
        buf_init(&d->events, 65536);
        for (int k = 1; k <= EVENTS; k++)
            buf_printf(&d->events,
                       "%s{\"seq\":%d,\"session_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                       "\"type\":\"node_state_change\",\"timestamp\":\"2026-01-02T03:04:05.678Z\","
                       "\"node_id\":\"start\",\"run_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                       "\"data\":{\"from\":\"running\",\"to\":\"completed\",\"attempt\":1}}",
                       k > 1 ? "\n" : "", k);
        for (int k = 0; k < RUNS; k++)
            b->runs[i][k] = (struct run_row){.next = k + 1 < RUNS ? &b->runs[i][k + 1] : NULL,
                                             .node_id = STR("start"),
                                             .kind = STR("transform"),
                                             .iteration = 1,
                                             .attempt = 1,
                                             .status = STR("completed"),
                                             .output_json = STR("{\"n\":2}")};
        d->runs = b->runs[i];
        b->deltas[i] = d;
    }
}

/* One token for the next of the sessions, in turn. */
static void batch_renew_tokens(struct batch *b, int64_t now)
{
    struct loop *l = b->loop;

    for (size_t i = 0; i < l->size; i++) {
        struct delta *d = &b->delta[i];
        size_t stream = l->next_stream++ % l->stream_count;
        d->session_id = l->streams[stream];
        d->at = now;
        d->seq_first = d->seq_last = ++l->seqs[stream];
        buf_clear(&d->events);
        buf_printf(&d->events,
                   "{\"seq\":%lld,\"session_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                   "\"type\":\"token_stream\",\"timestamp\":\"2026-01-02T03:04:05.678Z\","
                   "\"node_id\":\"judge\",\"run_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                   "\"data\":{\"message_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"index\":0,"
                   "\"chunk\":\" word\",\"is_thinking\":false}}",
                   (long long)d->seq_last);
    }
}

static void batch_renew(struct batch *b)
{
    struct loop *l = b->loop;
    int64_t now = clock_wall_ms();

    if (l->tokens) {
        batch_renew_tokens(b, now);
        return;
    }

    b->core.started_at = b->core.updated_at = now;
    b->core.ended_at = id_is_zero(l->owner) ? now : 0;
    for (size_t i = 0; i < l->size; i++) {
        b->delta[i].session_id = id_new(&l->ids, (uint64_t)now);
        b->delta[i].at = b->delta[i].created_at = now;
        b->delta[i].owner = l->owner;
        for (int k = 0; k < RUNS; k++) {
            b->runs[i][k].run_id = id_new(&l->ids, (uint64_t)now);
            b->runs[i][k].started_at = b->runs[i][k].ended_at = now;
        }
    }
}

/* Registers an instance, which then has the sessions that are made. */
static void owner_was_put(struct store_req *req)
{
    if (req->status < 0) {
        fprintf(stderr, "instance: %s\n", req->error.text);
        exit(1);
    }
    store_req_deinit(req);
    *(bool *)req->data = true;
}

static void loop_put_owner(struct loop *l)
{
    struct store_instance_put put = {.row = {.id = l->owner, .name = STR("commit_loop")}};
    bool done = false;

    put.lease_ms = 3600000;
    store_req_init(&put.req, STORE_INSTANCE_PUT, owner_was_put, &done);
    store_submit(l->store, &put.req);
    while (!done)
        uv_run(&l->uv, UV_RUN_ONCE);
}

static void loop_closed(void *data)
{
    ((struct loop *)data)->over = true;
}

static void batch_stored(struct store_req *req)
{
    struct batch *b = req->data, *other = &b->loop->batches[b == &b->loop->batches[0]];
    struct loop *l = b->loop;

    l->end = clock_mono_ns();
    if (req->status < 0 || b->refused[0]) {
        fprintf(stderr, "commit: %s\n", req->error.text);
        exit(1);
    }
    for (size_t i = 0; !l->tokens && i < STREAMS && i < l->size; i++)
        l->stored[i] = b->delta[i].session_id;
    if (l->commits < STEP_MAX)
        l->times[l->commits] = l->end - b->submitted;
    l->commits++;
    if (l->units_max ? l->commits * l->size >= l->units_max
                     : (double)(l->end - l->start) > seconds * 1e9) {
        store_close(l->store, loop_closed, l);
        return;
    }
    other->submitted = clock_mono_ns();
    store_submit(l->store, &other->commit.req); /* made while this one was under way */
    batch_renew(b);
}

struct cost {
    double cpu, bytes, calls;
};

static struct cost cost_now(void)
{
    struct cost c = {.cpu = cpu_seconds()};

    written(&c.bytes, &c.calls);
    return c;
}

static void loop_print(struct loop *l, struct cost from)
{
    double took = (double)(l->end - l->start) / 1e9, n = (double)(l->commits * l->size);
    size_t kept = l->commits < STEP_MAX ? l->commits : STEP_MAX;
    struct cost to = cost_now();

    qsort(l->times, kept, sizeof(*l->times), compare_u64);
    printf("{\"bench\":\"commit_loop\",\"what\":\"%s\",\"batch\":%zu,\"%s_per_s\":%.0f,"
           "\"rows_per_s\":%.0f,\"commits_per_s\":%.0f,\"commit_ms_p50\":%.3f,"
           "\"commit_ms_p99\":%.3f,\"cpu_us_each\":%.1f,\"bytes_each\":%.0f,"
           "\"writes_a_commit\":%.1f}\n",
           l->tokens ? "tokens through the store" : "sessions through the store", l->size,
           l->tokens ? "tokens" : "sessions", n / took, n * (l->tokens ? 1 : 3 + RUNS) / took,
           (double)l->commits / took, (double)l->times[kept / 2] / 1e6,
           (double)l->times[kept * 99 / 100] / 1e6, (to.cpu - from.cpu) * 1e6 / n,
           (to.bytes - from.bytes) / n, (to.calls - from.calls) / (double)l->commits);
    fflush(stdout);
}

static bool is_url(const char *where)
{
    return strncmp(where, "postgres", strlen("postgres")) == 0 && strstr(where, "://");
}

static void loop_run(struct loop *l, const char *where, size_t size)
{
    struct errbuf e;
    int rc = is_url(where) ? pg_store_open(&l->store, &l->uv, where, 0, true, &e)
                           : sqlite_store_open(&l->store, &l->uv, where, true, &e);

    l->size = size;
    l->commits = 0;
    if (rc < 0) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    for (int i = 0; i < 2; i++) {
        struct batch *b = &l->batches[i];
        store_req_init(&b->commit.req, STORE_COMMIT, batch_stored, b);
        b->commit.deltas = b->deltas;
        b->commit.count = size;
        b->commit.refused = b->refused;
        batch_renew(b);
    }
    if (!id_is_zero(l->owner))
        loop_put_owner(l);
    struct cost from = cost_now();
    l->start = l->batches[0].submitted = clock_mono_ns();
    store_submit(l->store, &l->batches[0].commit.req);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    loop_print(l, from);
}

/* From now on the batches are tokens for the streams. */
static void loop_to_tokens(struct loop *l)
{
    l->tokens = true;
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < BATCH_MAX; k++) {
            struct delta *d = &l->batches[i].delta[k];
            d->is_new = false;
            d->core = NULL;
            d->meta = NULL;
            d->runs = NULL;
        }
}

/* ... for those of a batch of sessions that run. */
static void loop_start_tokens(struct loop *l, const char *where)
{
    l->owner = id_new(&l->ids, (uint64_t)clock_wall_ms());
    l->units_max = STREAMS;
    loop_run(l, where, STREAMS);
    l->units_max = 0;
    l->stream_count = STREAMS;
    for (size_t i = 0; i < STREAMS; i++) {
        l->streams[i] = l->stored[i];
        l->seqs[i] = EVENTS;
    }
    loop_to_tokens(l);
}

static void loop_all(struct loop *l, const char *where)
{
    static const size_t sizes[] = {1, 16, 256, 1000}, token_sizes[] = {1, 10, 50, 500};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        loop_run(l, where, sizes[i]);
    loop_start_tokens(l, where);
    for (size_t i = 0; i < sizeof(token_sizes) / sizeof(*token_sizes); i++)
        loop_run(l, where, token_sizes[i]);
    if (!is_url(where))
        bare_run(where);
}

static void loop_fill(struct loop *l, const char *where, size_t count)
{
    l->units_max = count;
    loop_run(l, where, count < BATCH_MAX ? count : BATCH_MAX);
}

static void loop_one(struct loop *l, const char *where, const char *what, size_t size)
{
    if (strcmp(what, "tokens") == 0)
        loop_start_tokens(l, where);
    loop_run(l, where, size < BATCH_MAX ? size : BATCH_MAX);
}

/* An epoch above all: nobody else may have the session meanwhile. */
static void loop_fill_events(struct loop *l, const char *where, char **args)
{
    if (!id_parse(str_of(args[0]), &l->streams[0])) {
        fprintf(stderr, "no session id: %s\n", args[0]);
        exit(2);
    }
    l->seqs[0] = strtoll(args[1], NULL, 10);
    l->stream_count = 1;
    loop_to_tokens(l);
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < BATCH_MAX; k++)
            l->batches[i].delta[k].epoch = INT64_MAX;
    loop_fill(l, where, strtoul(args[2], NULL, 10));
}

static int usage(void)
{
    fprintf(stderr, "usage: commit_loop DIR|postgres://… [SECONDS [sessions|tokens BATCH]]\n"
                    "       commit_loop DIR|postgres://… fill COUNT\n"
                    "       commit_loop DIR|postgres://… events SESSION AFTER COUNT\n");
    return 2;
}

static int loop_main(struct loop *l, int argc, char **argv)
{
    const char *where = argv[1], *what = argc > 2 ? argv[2] : "";
    bool is_one = argc == 5 && (strcmp(argv[3], "tokens") == 0 || strcmp(argv[3], "sessions") == 0);

    if (argc == 4 && strcmp(what, "fill") == 0)
        loop_fill(l, where, strtoul(argv[3], NULL, 10));
    else if (argc == 6 && strcmp(what, "events") == 0)
        loop_fill_events(l, where, argv + 3);
    else if (argc > 3 && !is_one)
        return usage();
    else {
        if (argc > 2)
            seconds = strtod(what, NULL);
        if (is_one)
            loop_one(l, where, argv[3], strtoul(argv[4], NULL, 10));
        else
            loop_all(l, where);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage();
    struct loop *l = mem_zalloc(sizeof(*l));
    log_configure(LOG_WARN, 0);
    l->times = mem_calloc(STEP_MAX, sizeof(*l->times));
    uv_loop_init(&l->uv);
    id_source_init_random(&l->ids);
    batch_init(&l->batches[0], l);
    batch_init(&l->batches[1], l);
    int rc = loop_main(l, argc, argv);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < BATCH_MAX; k++)
            buf_deinit(&l->batches[i].delta[k].events);
    free(l->times);
    uv_loop_close(&l->uv);
    free(l);
    return rc;
}
