/* What only the SQLite store promises: that rows outlive the process, whole transactions at a time,
 * and that a file or a disk that is not well gives errors, not losses. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/sqlite_sql.h"
#include "store/sqlite_store.h"
#include "test_store_rig.h"

/* ---- helpers ---- */

/* Plain SQL on the file, while the store is closed. */
static void edit(struct rig *r, const char *sql)
{
    char path[512], *error = NULL;
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/sluice.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t count(const char *dir, const char *sql)
{
    char path[512];
    sqlite3_stmt *stmt;
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/sluice.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return n;
}

static void reopen(struct rig *r)
{
    rig_close_store(r);
    rig_open_store(r);
}

static int get_status(struct rig *r, struct id id, char text[512])
{
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = id;
    int status = rig_run(r, &g.req);
    if (text)
        snprintf(text, 512, "%s", g.req.error.text);
    store_req_deinit(&g.req);
    return status;
}

/* ---- durability ---- */

static void rows_outlive_the_store(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct rig_delta x;
    struct stat st;
    char path[512];

    rig_events(&x, id, 2, 3);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    reopen(r);
    RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
    e.session_id = id;
    e.limit = 10;
    e.bytes_max = 1000;
    assert_int_equal(rig_run(r, &e.req), 0);
    assert_str(e.rows->frames, "{\"seq\":1}");
    assert_str(e.rows->next->frames, "{\"seq\":2}\n{\"seq\":3}");
    assert_int_equal(e.last_seq, 3);
    store_req_deinit(&e.req);
    snprintf(path, sizeof(path), "%s/sluice.db", r->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

enum { KILL_BATCH = 3 };

/* Commits batches of three sessions for ever, and tells each one that was reported. */
static void kill_child(const char *dir, int out, unsigned seed)
{
    struct rig *r = calloc(1, sizeof(*r));

    log_configure(LOG_ERROR, 0);
    r->sqlite = true;
    snprintf(r->dir, sizeof(r->dir), "%s", dir);
    id_source_init_seed(&r->ids, seed);
    uv_loop_init(&r->loop);
    rig_open_store(r);
    for (;;) {
        struct rig_delta x[KILL_BATCH];
        struct run_row runs[KILL_BATCH];
        struct delta *deltas[KILL_BATCH];
        bool refused[KILL_BATCH];
        for (int i = 0; i < KILL_BATCH; i++) {
            rig_new_session(r, &x[i], "running", T0);
            runs[i] = (struct run_row){.run_id = rig_id(r, T0),
                                       .node_id = STR("n"),
                                       .iteration = 1,
                                       .attempt = 1,
                                       .status = STR("running")};
            x[i].d.runs = &runs[i];
            deltas[i] = &x[i].d;
        }
        if (rig_commit_many(r, deltas, KILL_BATCH, refused) != 0)
            _exit(3);
        for (int i = 0; i < KILL_BATCH; i++)
            rig_delta_deinit(&x[i]);
        if (write(out, "c", 1) != 1)
            _exit(4);
    }
}

/* Reads reports until `enough`, kills at once, and reads what was still reported. */
static int64_t kill_one_round(const char *dir, unsigned round)
{
    int fds[2], status;
    char reports[256];
    int64_t reported = 0;
    ssize_t n;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        kill_child(dir, fds[1], round + 1);
        _exit(5);
    }
    close(fds[1]);
    while (reported < 1 + (int64_t)(round * 7 % 20) && (n = read(fds[0], reports, 1)) > 0)
        reported += n;
    kill(pid, SIGKILL);
    while ((n = read(fds[0], reports, sizeof(reports))) > 0)
        reported += n;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return reported;
}

static void a_killed_process_leaves_whole_transactions(void **state)
{
    char dir[256];
    int64_t reported = 0;

    (void)state;
    rig_make_dir(dir, sizeof(dir));
    for (unsigned round = 0; round < 12; round++) {
        reported += kill_one_round(dir, round);
        int64_t sessions = count(dir, "SELECT count(*) FROM sessions");
        assert_int_equal(sessions % KILL_BATCH, 0);
        assert_true(sessions >= reported * KILL_BATCH);
        assert_int_equal(count(dir, "SELECT count(*) FROM session_details"), sessions);
        assert_int_equal(count(dir, "SELECT count(*) FROM session_events"), sessions);
        assert_int_equal(count(dir, "SELECT count(*) FROM node_runs"), sessions);
        assert_int_equal(count(dir, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
        /* At most the one that was under way was written without being reported. */
        assert_true(sessions <= (reported + round + 1) * KILL_BATCH);
    }
    rig_remove_dir(dir);
}

/* ---- flushes ---- */

/* The system's file layer, with the flushes of the WAL counted, or failing. */
static struct {
    sqlite3_vfs *real, vfs;
    sqlite3_io_methods methods;
    int (*sync)(sqlite3_file *file, int flags);
    int (*write)(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at);
    atomic_int flushes; /* of the writer's thread; checkpoints flush the WAL, too */
    atomic_int writes;
    atomic_bool fail, full;
    atomic_int sleep_ms;       /* each flush takes longer by that */
    _Atomic(pthread_t) thread; /* of the last flush */
} shim;

static int shim_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    shim.writes++;
    return shim.full ? SQLITE_FULL : shim.write(file, bytes, n, at);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    shim.flushes++;
    shim.thread = pthread_self();
    if (shim.sleep_ms > 0)
        usleep((unsigned)shim.sleep_ms * 1000);
    return shim.fail ? SQLITE_IOERR_FSYNC : shim.sync(file, flags);
}

/* The same for the database, which checkpoints write. */
static struct {
    sqlite3_io_methods methods;
    int (*sync)(sqlite3_file *file, int flags);
    int (*write)(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at);
    atomic_int dirty; /* bytes that no flush has written */
    atomic_int most;  /* of them, at a flush */
    atomic_int flushes;
} shim_main;

static int shim_main_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    shim_main.dirty += n;
    return shim_main.write(file, bytes, n, at);
}

static int shim_main_sync(sqlite3_file *file, int flags)
{
    int dirty = atomic_exchange(&shim_main.dirty, 0), most = shim_main.most;

    shim_main.flushes++;
    while (dirty > most && !atomic_compare_exchange_weak(&shim_main.most, &most, dirty)) {}
    return shim_main.sync(file, flags);
}

static void shim_open_main(sqlite3_file *file)
{
    if (file->pMethods->xSync != shim_main_sync) {
        shim_main.methods = *file->pMethods;
        shim_main.sync = shim_main.methods.xSync;
        shim_main.methods.xSync = shim_main_sync;
        shim_main.write = shim_main.methods.xWrite;
        shim_main.methods.xWrite = shim_main_write;
    }
    file->pMethods = &shim_main.methods;
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    int code = shim.real->xOpen(shim.real, name, file, flags, out);

    (void)vfs;
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
        if (file->pMethods->xSync != shim_sync) {
            shim.methods = *file->pMethods;
            shim.sync = shim.methods.xSync;
            shim.methods.xSync = shim_sync;
            shim.write = shim.methods.xWrite;
            shim.methods.xWrite = shim_write;
        }
        file->pMethods = &shim.methods;
    }
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB))
        shim_open_main(file);
    return code;
}

static int setup_shim(void **state)
{
    shim.real = sqlite3_vfs_find(NULL);
    shim.vfs = *shim.real;
    shim.vfs.zName = "shim";
    shim.vfs.xOpen = shim_open;
    shim.fail = shim.full = false;
    shim.sleep_ms = 0;
    sqlite3_vfs_register(&shim.vfs, 1);
    return rig_setup_sqlite(state);
}

static int teardown_shim(void **state)
{
    int status = rig_teardown(state);

    sqlite3_vfs_unregister(&shim.vfs);
    return status;
}

static void each_commit_is_flushed_before_it_is_reported(void **state)
{
    struct rig *r = *state;

    for (int i = 0; i < 10; i++) {
        int before = shim.flushes;
        rig_session(r, "running", T0 + i);
        assert_true(shim.flushes > before);
    }
}

static void a_commit_that_cannot_be_flushed_is_not_there(void **state)
{
    struct rig *r = *state;
    struct rig_delta x;

    rig_session(r, "running", T0);
    rig_new_session(r, &x, "running", T0 + 1);
    shim.fail = true;
    assert_int_equal(rig_commit(r, &x, NULL), ERR_IO);
    assert_int_equal(get_status(r, x.d.session_id, NULL), ERR_NOT_FOUND);
    shim.fail = false;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    reopen(r);
    assert_int_equal(get_status(r, x.d.session_id, NULL), 0);
    rig_delta_deinit(&x);
}

/* Sets the mean that a commit takes. */
static void set_commit_ns(struct rig *r, uint64_t ns)
{
    struct sqlite_store *s = container_of(r->store, struct sqlite_store, base);

    uv_mutex_lock(&s->mutex);
    s->commit_ns = ns;
    uv_mutex_unlock(&s->mutex);
}

static uint64_t get_commit_ns(struct rig *r)
{
    struct sqlite_store *s = container_of(r->store, struct sqlite_store, base);

    uv_mutex_lock(&s->mutex);
    uint64_t ns = s->commit_ns;
    uv_mutex_unlock(&s->mutex);
    return ns;
}

/* Commits an event for the session; gives whether the thread that submitted wrote it. */
static bool written_here(struct rig *r, struct id id, int64_t seq, bool may_block)
{
    struct rig_delta x;

    rig_events(&x, id, seq, seq);
    r->may_block = may_block;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    r->may_block = false;
    rig_delta_deinit(&x);
    return pthread_equal(shim.thread, pthread_self());
}

static void a_commit_is_written_here_while_that_is_quick(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);

    set_commit_ns(r, 1);
    assert_true(written_here(r, id, 2, true));
    assert_false(written_here(r, id, 3, false));
    set_commit_ns(r, SQLITE_HERE_NS);
    assert_false(written_here(r, id, 4, true));
    set_commit_ns(r, 0); /* not known */
    assert_false(written_here(r, id, 5, true));
    set_commit_ns(r, 1);
    assert_true(written_here(r, id, 6, true));
    assert_int_equal(count(r->dir, "SELECT count(*) FROM sessions"), 1);

    set_commit_ns(r, 1);
    shim.sleep_ms = 10; /* it is not known before */
    assert_true(written_here(r, id, 7, true));
    shim.sleep_ms = 0;
    assert_true(get_commit_ns(r) >= SQLITE_HERE_NS);
    assert_false(written_here(r, id, 8, true));
}

/* What the writer has, or has before it, is not overtaken. */
static void a_commit_is_not_written_here_beside_the_writer(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct rig_delta first, second;
    struct delta *a = &first.d, *b = &second.d;
    bool refused[2] = {false, false}, is_done[2] = {false, false};

    rig_events(&first, id, 2, 2);
    rig_events(&second, id, 3, 3);
    struct store_commit x = {.deltas = &a, .count = 1, .refused = &refused[0]};
    struct store_commit y = {.deltas = &b, .count = 1, .refused = &refused[1], .may_block = true};
    store_req_init(&x.req, STORE_COMMIT, rig_done, &is_done[0]);
    store_req_init(&y.req, STORE_COMMIT, rig_done, &is_done[1]);
    set_commit_ns(r, 1);
    shim.sleep_ms = 50; /* the first one is under way, or not begun */
    store_submit(r->store, &x.req);
    store_submit(r->store, &y.req);
    while (!is_done[0] || !is_done[1])
        uv_run(&r->loop, UV_RUN_ONCE);
    shim.sleep_ms = 0;
    assert_false(pthread_equal(shim.thread, pthread_self()));
    assert_int_equal(x.req.status, 0);
    assert_int_equal(y.req.status, 0);
    assert_false(refused[0] || refused[1]);
    store_req_deinit(&x.req);
    store_req_deinit(&y.req);
    rig_delta_deinit(&first);
    rig_delta_deinit(&second);
}

static void a_commit_here_that_cannot_be_flushed_is_not_there(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct rig_delta x;

    rig_events(&x, id, 2, 2);
    set_commit_ns(r, 1);
    r->may_block = true;
    shim.fail = true;
    assert_int_equal(rig_commit(r, &x, NULL), ERR_IO);
    assert_true(pthread_equal(shim.thread, pthread_self()));
    shim.fail = false;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    reopen(r);
    assert_int_equal(count(r->dir, "SELECT max(seq_last) FROM session_events"), 2);
}

/* All its pages at once: the header of the file, when it begins anew, is a second call. */
static void a_commit_writes_its_log_in_one_call(void **state)
{
    struct rig *r = *state;

    rig_session(r, "running", T0);
    for (int i = 1; i < 10; i++) {
        int before = shim.writes;
        rig_session(r, "running", T0 + i);
        assert_int_equal(shim.writes - before, 1);
    }
}

static void a_log_that_cannot_be_written_holds_no_commit(void **state)
{
    struct rig *r = *state;
    struct rig_delta x;

    rig_session(r, "running", T0);
    rig_new_session(r, &x, "running", T0 + 1);
    shim.full = true;
    assert_int_equal(rig_commit(r, &x, NULL), ERR_IO);
    assert_int_equal(get_status(r, x.d.session_id, NULL), ERR_NOT_FOUND);
    shim.full = false;
    rig_session(r, "running", T0 + 2);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    reopen(r);
    assert_int_equal(get_status(r, x.d.session_id, NULL), 0);
    assert_int_equal(count(r->dir, "SELECT count(*) FROM sessions"), 3);
    rig_delta_deinit(&x);
}

/* A commit that comes meanwhile waits for what the disk has been given, which is little each time.
 */
static void a_checkpoint_is_flushed_in_portions(void **state)
{
    enum { BYTES = 32 << 10, ROUNDS = 2 };
    struct rig *r = *state;
    char *text = malloc(BYTES);
    int flushes = shim_main.flushes;

    memset(text, 'x', BYTES);
    text[0] = text[BYTES - 1] = '"';
    shim_main.dirty = shim_main.most = 0;
    for (int i = 0; i < ROUNDS * SQLITE_CHECKPOINT_FRAMES * 4096 / BYTES; i++) {
        struct rig_delta x;
        rig_new_session(r, &x, "running", T0 + i);
        x.meta.input_json = (struct str){text, BYTES};
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    assert_true(shim_main.flushes > flushes);
    /* Portions, and the writer's rest; it was nearly all of it. */
    assert_in_range(shim_main.most, 1, SQLITE_CHECKPOINT_FRAMES * 4096 / 4);
    free(text);
}

/* Pages leave the cache for the log before the commit, and are read from there. */
static void a_commit_larger_than_the_cache_reads_back(void **state)
{
    enum { SESSIONS = 24, BYTES = 1 << 19 };
    struct rig *r = *state;
    struct rig_delta x[SESSIONS];
    struct delta *deltas[SESSIONS];
    bool refused[SESSIONS];
    char *text = malloc(BYTES);

    memset(text, ' ', BYTES);
    text[0] = '{';
    text[BYTES - 1] = '}';
    for (int i = 0; i < SESSIONS; i++) {
        rig_new_session(r, &x[i], "running", T0 + i);
        x[i].meta.input_json = (struct str){text, BYTES};
        deltas[i] = &x[i].d;
    }
    assert_int_equal(rig_commit_many(r, deltas, SESSIONS, refused), 0);
    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal(get_status(r, x[i].d.session_id, NULL), 0);
        rig_delta_deinit(&x[i]);
    }
    reopen(r);
    assert_int_equal(count(r->dir, "SELECT sum(length(input)) FROM session_details"),
                     SESSIONS * BYTES);
    assert_int_equal(count(r->dir, "SELECT count(*) FROM pragma_integrity_check"
                                   " WHERE integrity_check = 'ok'"),
                     1);
    free(text);
}

/* ---- one process at a time ---- */

static void a_second_process_is_refused(void **state)
{
    struct rig *r = *state;
    struct migrate_status status;
    struct store *second = NULL;
    struct errbuf e = {""};
    char pid[32];

    assert_int_equal(sqlite_store_open(&second, &r->loop, r->dir, true, &e), ERR_UNAVAILABLE);
    assert_null(second);
    snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
    assert_non_null(strstr(e.text, pid));
    assert_non_null(strstr(e.text, r->dir));
    assert_int_equal(sqlite_migrate_status(r->dir, &status, &e), 0); /* looking is allowed */
    assert_int_equal(status.applied, status.newest);
    rig_session(r, "running", T0); /* the first one goes on */
}

static void a_folder_that_cannot_be_is_an_error(void **state)
{
    struct rig *r = *state;
    struct store *second = NULL;
    struct errbuf e = {""};
    char path[512];

    snprintf(path, sizeof(path), "%s/sluice.db/below", r->dir);
    assert_int_equal(sqlite_store_open(&second, &r->loop, path, true, &e), ERR_IO);
    assert_true(*e.text);
    assert_int_equal(sqlite_store_open(&second, &r->loop, "", true, &e), ERR_INVALID);
    snprintf(path, sizeof(path), "%s/not-a-database", r->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    char file[600];
    snprintf(file, sizeof(file), "%s/sluice.db", path);
    FILE *f = fopen(file, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", f);
    fclose(f);
    assert_int_equal(sqlite_store_open(&second, &r->loop, path, true, &e), ERR_CORRUPT);
    rig_remove_dir(path);
}

/* ---- what cannot be written ---- */

/* Files may not grow past `bytes`: to SQLite a full disk. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_is_an_error_that_passes(void **state)
{
    struct rig *r = *state;
    struct rig_delta small, large;
    struct store_stats stats;

    rig_new_session(r, &small, "running", T0);
    rig_new_session(r, &large, "running", T0 + 1);
    size_t n = 1 << 19;
    char *text = malloc(n);
    memset(text, ' ', n);
    text[0] = '{';
    text[n - 1] = '}';
    large.meta.input_json = (struct str){text, n};
    struct delta *const deltas[] = {&small.d, &large.d};
    bool flags[2];

    limit_files(1 << 18);
    int status = rig_commit_many(r, deltas, 2, flags);
    limit_files(RLIM_INFINITY);
    assert_int_equal(status, ERR_IO);
    assert_int_equal(get_status(r, small.d.session_id, NULL), ERR_NOT_FOUND);
    store_stats(r->store, &stats);
    assert_int_equal(stats.failures, 1);

    assert_int_equal(rig_commit_many(r, deltas, 2, flags), 0); /* the same again */
    assert_false(flags[0] || flags[1]);
    assert_int_equal(get_status(r, large.d.session_id, NULL), 0);
    reopen(r);
    assert_int_equal(get_status(r, small.d.session_id, NULL), 0);
    free(text);
    rig_delta_deinit(&small);
    rig_delta_deinit(&large);
}

static void rows_that_no_table_takes_do_not_stop_the_others(void **state)
{
    struct rig *r = *state;
    struct rig_delta x[3];
    struct delta *deltas[3];
    bool refused[3];

    for (int i = 0; i < 3; i++) {
        rig_new_session(r, &x[i], "running", T0 + i);
        deltas[i] = &x[i].d;
    }
    struct run_row run = {.run_id = rig_id(r, T0), .node_id = STR_NULL, .status = STR("x")};
    x[1].d.runs = &run; /* a node run needs a node */
    assert_int_equal(rig_commit_many(r, deltas, 3, refused), 0);
    assert_false(refused[0]);
    assert_true(refused[1]);
    assert_false(refused[2]);
    assert_int_equal(get_status(r, x[0].d.session_id, NULL), 0);
    assert_int_equal(get_status(r, x[1].d.session_id, NULL), ERR_NOT_FOUND);
    assert_int_equal(get_status(r, x[2].d.session_id, NULL), 0);
    for (int i = 0; i < 3; i++)
        rig_delta_deinit(&x[i]);
}

/* ---- what does not read back ---- */

static const struct {
    const char *sql;
    enum store_op op;
} damages[] = {
    {"UPDATE sessions SET node_statuses = '{\"a\":'", STORE_SESSION_GET},
    {"UPDATE session_details SET input = 'no json'", STORE_SESSION_GET},
    {"DELETE FROM session_details", STORE_SESSION_GET},
    {"UPDATE sessions SET tags = '[1,'", STORE_SESSION_LIST},
    {"UPDATE sessions SET state = '{\"a\" 1}'", STORE_SESSION_LOAD},
    {"UPDATE session_events SET frames = '{\"seq\":1}\n{}'", STORE_EVENTS_READ},
    {"UPDATE session_events SET frames = ''", STORE_EVENTS_READ},
    {"UPDATE session_events SET seq_first = 0", STORE_EVENTS_READ},
    {"UPDATE session_events SET frames_packed = x'0168ab46e532'", STORE_EVENTS_READ},
    {"UPDATE session_events SET frames_packed = x'01ffffff7f'", STORE_EVENTS_READ},
    {"UPDATE session_events SET frames_packed = x''", STORE_EVENTS_READ},
    {"UPDATE session_events SET frames_packed = x'02f00768656c6c6f'", STORE_EVENTS_READ},
    {"UPDATE session_events SET frames_packed = x'03ffffff7f'", STORE_EVENTS_READ},
    {"UPDATE sessions SET state_packed = x'7b7d'", STORE_SESSION_LOAD},
    {"UPDATE sessions SET waiting_packed = x'0102'", STORE_SESSION_LIST},
    {"UPDATE sessions SET core_packed = x'0102'", STORE_SESSION_LIST},
    {"UPDATE sessions SET core_packed = x'010161'", STORE_SESSION_GET},
    {"UPDATE sessions SET runs_packed = x'0102'", STORE_RUNS_LIST},
    {"UPDATE sessions SET runs_packed = x'0102'", STORE_SESSION_LOAD},
    {"UPDATE node_runs SET output = '\"'", STORE_RUNS_LIST},
    {"UPDATE node_runs SET output = '\"'", STORE_SESSION_LOAD},
};

static void a_row_that_does_not_read_back_is_named(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ROWS(damages); i++) {
        struct run_row run = {.run_id = rig_id(r, T0),
                              .node_id = STR("n"),
                              .iteration = 1,
                              .attempt = 1,
                              .status = STR("running")};
        struct rig_delta x;
        rig_new_session(r, &x, "running", T0);
        x.d.runs = &run;
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_close_store(r);
        edit(r, damages[i].sql);
        rig_open_store(r);

        union {
            struct store_req req;
            struct store_session_get get;
            struct store_session_list list;
            struct store_session_load load;
            struct store_events_read events;
            struct store_runs_list runs;
        } q;
        char id[ID_TEXT_BYTES + 1];
        memset(&q, 0, sizeof(q));
        store_req_init(&q.req, damages[i].op, rig_done, NULL);
        if (damages[i].op == STORE_SESSION_GET)
            q.get.id = x.d.session_id;
        if (damages[i].op == STORE_SESSION_LOAD)
            q.load.id = x.d.session_id;
        if (damages[i].op == STORE_EVENTS_READ)
            q.events.session_id = x.d.session_id;
        if (damages[i].op == STORE_RUNS_LIST)
            q.runs.session_id = x.d.session_id;
        int status = rig_run(r, &q.req);
        id_format(x.d.session_id, id);
        if (damages[i].op == STORE_SESSION_LIST) { /* it is named beside the others */
            assert_int_equal(status, 0);
            assert_true(!q.list.rows && id_eq(q.list.corrupt->id, x.d.session_id));
        } else if (status != ERR_CORRUPT || !strstr(q.req.error.text, id))
            fail_msg("%s: %d %s", damages[i].sql, status, q.req.error.text);
        store_req_deinit(&q.req);
        rig_delta_deinit(&x);
        rig_close_store(r);
        edit(r, "PRAGMA foreign_keys = ON; DELETE FROM sessions");
        rig_open_store(r);
    }
}

static void a_spoiled_file_gives_errors(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    char path[512], junk[4096];

    rig_close_store(r);
    snprintf(path, sizeof(path), "%s/sluice.db", r->dir);
    int fd = open(path, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    memset(junk, 0xa5, sizeof(junk));
    for (off_t at = 3 * 4096; at < st.st_size; at += 4096) /* all but the schema */
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
    close(fd);
    struct errbuf e = {""};
    int status = sqlite_store_open(&r->store, &r->loop, r->dir, true, &e);
    if (status == 0) {
        assert_int_equal(get_status(r, id, NULL), ERR_CORRUPT);
        struct rig_delta x;
        rig_new_session(r, &x, "running", T0);
        assert_int_equal(rig_commit(r, &x, NULL), ERR_CORRUPT);
        rig_delta_deinit(&x);
    } else {
        assert_int_equal(status, ERR_CORRUPT);
    }
}

/* ---- cost ---- */

/* Every statement walks an index: none scans a table, sorts, or builds an index of its own.
 * Exceptions: the runs of one session are sorted by node, and instances are few; sums of what calls
 * used are gathered in a table of their groups, over rows that an index finds; the ring of recent
 * events is read as a whole after a start. */
static void no_statement_scans_a_table(void **state)
{
    struct rig *r = *state;
    char path[512];
    sqlite3 *db;

    rig_close_store(r);
    snprintf(path, sizeof(path), "%s/sluice.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (int i = 0; i < SQL_COUNT; i++) {
        char sql[4096];
        sqlite3_stmt *stmt;
        assert_non_null(sqlite_sql_texts[i]);
        snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", sqlite_sql_texts[i]);
        if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        bool excepted = i == SQL_RUNS_NEWEST || i == SQL_INSTANCES_LIST || i == SQL_RING_READ ||
                        i == SQL_RING_CLEAR ||
                        strstr(sqlite_sql_texts[i], "FROM api_keys AS k") ||         /* few */
                        strstr(sqlite_sql_texts[i], "FROM audit_log ORDER BY id") || /* LIMIT */
                        strstr(sqlite_sql_texts[i], "ORDER BY interrupt_id") || /* a session's */
                        strstr(sqlite_sql_texts[i], "memories_working"); /* a partial index */
        bool sums = i == SQL_USAGE_OF_SESSION || i == SQL_USAGE_BY_TIME ||
                    strstr(sqlite_sql_texts[i], "memories_by_source"); /* chunks of one source */
        while (!excepted && sqlite3_step(stmt) == SQLITE_ROW) {
            const char *plan = (const char *)sqlite3_column_text(stmt, 3);
            bool walks = strncmp(plan, "SCAN", 4) != 0 && (sums || !strstr(plan, "TEMP B-TREE")) &&
                         !strstr(plan, "AUTOMATIC");
            bool words = strstr(plan, "VIRTUAL TABLE INDEX") || strstr(plan, "(subquery") ||
                         strstr(plan, "INDEX memories_"); /* those of a part of the rows */
            if (!walks && !words && !strstr(plan, "CONSTANT ROW"))
                fail_msg("%s: %s", sqlite_sql_texts[i], plan);
        }
        sqlite3_finalize(stmt);
    }
    sqlite3_close(db);
}

/* Commits go on while the WAL is copied back and begun anew: it stays within bounds. */
static void the_wal_does_not_grow_for_ever(void **state)
{
    struct rig *r = *state;
    size_t n = 1 << 20;
    char *text = malloc(n), path[512];
    struct stat st;
    off_t most = 0;

    memset(text, 'x', n);
    text[0] = text[n - 1] = '"';
    snprintf(path, sizeof(path), "%s/sluice.db-wal", r->dir);
    for (int i = 0; i < 150; i++) {
        struct rig_delta x;
        rig_new_session(r, &x, "running", T0 + i);
        x.meta.input_json = (struct str){text, n};
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
        assert_int_equal(stat(path, &st), 0);
        most = st.st_size > most ? st.st_size : most;
    }
    assert_true(most < 100 << 20); /* 150 MB were written */
    assert_true(most > 10 << 20);
    free(text);
}

#define SQLITE(test)                                                                               \
    {                                                                                              \
#test, test, rig_setup_sqlite, rig_teardown, NULL                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        SQLITE(rows_outlive_the_store),
        cmocka_unit_test(a_killed_process_leaves_whole_transactions),
        {"each_commit_is_flushed_before_it_is_reported",
         each_commit_is_flushed_before_it_is_reported, setup_shim, teardown_shim, NULL},
        {"a_commit_that_cannot_be_flushed_is_not_there",
         a_commit_that_cannot_be_flushed_is_not_there, setup_shim, teardown_shim, NULL},
        {"a_commit_is_written_here_while_that_is_quick",
         a_commit_is_written_here_while_that_is_quick, setup_shim, teardown_shim, NULL},
        {"a_commit_is_not_written_here_beside_the_writer",
         a_commit_is_not_written_here_beside_the_writer, setup_shim, teardown_shim, NULL},
        {"a_commit_here_that_cannot_be_flushed_is_not_there",
         a_commit_here_that_cannot_be_flushed_is_not_there, setup_shim, teardown_shim, NULL},
        {"a_commit_writes_its_log_in_one_call", a_commit_writes_its_log_in_one_call, setup_shim,
         teardown_shim, NULL},
        {"a_log_that_cannot_be_written_holds_no_commit",
         a_log_that_cannot_be_written_holds_no_commit, setup_shim, teardown_shim, NULL},
        {"a_checkpoint_is_flushed_in_portions", a_checkpoint_is_flushed_in_portions, setup_shim,
         teardown_shim, NULL},
        SQLITE(a_commit_larger_than_the_cache_reads_back),
        SQLITE(a_second_process_is_refused),
        SQLITE(a_folder_that_cannot_be_is_an_error),
        SQLITE(a_full_disk_is_an_error_that_passes),
        SQLITE(rows_that_no_table_takes_do_not_stop_the_others),
        SQLITE(a_row_that_does_not_read_back_is_named),
        SQLITE(a_spoiled_file_gives_errors),
        SQLITE(no_statement_scans_a_table),
        SQLITE(the_wal_does_not_grow_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
