/* Migrations of PostgreSQL: up, down, filled tables, checksums, several processes at once. */
#include <sys/wait.h>

#include "store/migrate.h"
#include "test_store_rig.h"

static int setup(void **state)
{
    char *url = calloc(1, 512);

    log_configure(LOG_ERROR, 0);
    pg_rig_create(url, 512, true);
    *state = url;
    return 0;
}

static int teardown(void **state)
{
    pg_rig_drop(*state);
    free(*state);
    return 0;
}

#define TABLES                                                                                     \
    "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p')"                                    \
    " AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'session_events_2%'"

static int newest(void)
{
    return migrate_count(pg_migrations);
}

static void the_texts_are_in_the_binary(void **state)
{
    (void)state;
    for (int i = 0; i < newest(); i++) {
        char path[256], text[65536];
        for (int way = 0; way < 2; way++) {
            const struct migration *m = &pg_migrations[i];
            assert_int_equal(m->number, i + 1);
            snprintf(path, sizeof(path), "migrations/postgres/%03d_%s.%s.sql", m->number, m->name,
                     way == 0 ? "up" : "down");
            FILE *f = fopen(path, "r");
            assert_non_null(f);
            text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
            fclose(f);
            assert_string_equal(way == 0 ? m->up : m->down, text);
        }
    }
    for (int i = 0, k = 0; sqlite_migrations[i].number; i++, k++) {
        i += strcmp(sqlite_migrations[i].name, "ring") == 0; /* which PostgreSQL has not */
        if (!sqlite_migrations[i].number)
            break;
        while (strcmp(pg_migrations[k].name, "vectors") == 0 ||
               strcmp(pg_migrations[k].name, "events") == 0 ||
               strcmp(pg_migrations[k].name, "rows") == 0) /* which SQLite has not */
            k++;
        assert_string_equal(sqlite_migrations[i].name, pg_migrations[k].name);
    }
}

static void up_and_down_and_up_again(void **state)
{
    const char *url = *state;
    struct migrate_status status;
    struct errbuf e = {""};

    assert_int_equal(pg_migrate_status(url, &status, &e), 0);
    assert_int_equal(status.applied, 0);
    assert_int_equal(status.newest, newest());
    assert_int_equal(pg_rig_ask(url, TABLES), 0); /* looking makes nothing */
    assert_int_equal(pg_migrate(url, -1, NULL, &status, &e), 0);
    assert_int_equal(status.applied, newest());
    int64_t tables = pg_rig_ask(url, TABLES);
    assert_true(tables >= 29);
    for (int target = newest() - 1; target >= 0; target--) {
        if (pg_migrate(url, target, NULL, &status, &e) != 0)
            fail_msg("%s", e.text);
        assert_int_equal(status.applied, target);
    }
    assert_int_equal(pg_rig_ask(url, TABLES), 1); /* schema_migrations */
    assert_int_equal(pg_rig_ask(url, "SELECT count(*) FROM pg_proc WHERE proname LIKE 'sluice%'"),
                     0);
    assert_int_equal(pg_migrate(url, newest(), NULL, NULL, &e), 0);
    assert_int_equal(pg_rig_ask(url, TABLES), tables);
    assert_int_equal(pg_migrate(url, newest() + 1, NULL, NULL, &e), ERR_INVALID);
}

/* Down to the first and up again, with sessions, events, runs and timers in the tables. */
static void rows_outlive_steps_down_and_up(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct errbuf e = {""};
    struct rig_delta x;

    rig_events(&x, id, 2, 4);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    rig_close_store(r);
    assert_int_equal(pg_migrate(r->url, 1, NULL, NULL, &e), 0);
    assert_int_equal(pg_rig_ask(r->url, "SELECT count(*) FROM session_events"), 2);
    rig_open_store(r);

    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_str(g.row.meta.input_json, "{\"topic\":\"tea\"}");
    assert_int_equal(g.row.core.last_seq, 4);
    store_req_deinit(&g.req);
}

static int open_store(const char *url, bool migrate, struct errbuf *e)
{
    uv_loop_t loop;
    struct store *store = NULL;
    bool closed = false;

    uv_loop_init(&loop);
    int status = pg_store_open(&store, &loop, url, 0, migrate, e);
    if (status == 0) {
        store_close(store, rig_closed, &closed);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_true(closed);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    return status;
}

static void a_schema_that_is_not_ours_is_refused(void **state)
{
    static const struct {
        const char *damage, *repair, *says;
    } table[] = {
        {"UPDATE schema_migrations SET checksum = 'x' WHERE number = 1",
         "DELETE FROM schema_migrations WHERE number = 1",
         "migration 1 (init) is not the one that was applied"},
        {"SELECT 1", "SELECT 1", "has no row 1"},
        {"INSERT INTO schema_migrations VALUES (1000, 'future', 'x', 0);"
         "DELETE FROM schema_migrations WHERE number < 1000",
         "DELETE FROM schema_migrations", "written by a newer sluice"},
    };
    const char *url = *state;
    struct migrate_status status;
    struct errbuf e = {""};

    assert_int_equal(open_store(url, false, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "migrate it first"));
    assert_int_equal(open_store(url, true, &e), 0);
    assert_int_equal(open_store(url, false, &e), 0);
    for (size_t i = 0; i < ROWS(table); i++) {
        pg_rig_exec_on(url, table[i].damage);
        assert_int_equal(open_store(url, true, &e), ERR_CORRUPT);
        if (!strstr(e.text, table[i].says))
            fail_msg("%s", e.text);
        assert_int_equal(pg_migrate_status(url, &status, &e), ERR_CORRUPT);
        pg_rig_exec_on(url, table[i].repair);
    }
}

static void a_failed_migration_leaves_nothing(void **state)
{
    const char *url = *state;
    struct errbuf e = {""};

    pg_rig_exec_on(url, "CREATE TABLE timers (x int)");
    assert_int_equal(open_store(url, true, &e), ERR_IO);
    assert_non_null(strstr(e.text, "migration 1 (init) up: ERROR: relation \"timers\""));
    assert_int_equal(pg_rig_ask(url, "SELECT count(*) FROM schema_migrations"), 0);
    assert_int_equal(pg_rig_ask(url, TABLES), 2);
    pg_rig_exec_on(url, "DROP TABLE timers");
    assert_int_equal(open_store(url, true, &e), 0);
}

static int say_pipe;

static void say_to_pipe(const char *line)
{
    (void)line;
    if (write(say_pipe, "m", 1) != 1)
        _exit(9);
}

static void many_processes_at_once_do_it_once(void **state)
{
    enum { PROCESSES = 6 };
    const char *url = *state;
    pid_t pids[PROCESSES];
    int go[2], out[2], applied = 0;
    char c;

    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(out), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            close(go[1]);
            say_pipe = out[1];
            if (read(go[0], &c, 1) != 0) /* until all are there */
                _exit(8);
            _exit(pg_migrate(url, -1, say_to_pipe, NULL, NULL) == 0 ? 0 : 1);
        }
    }
    close(go[0]);
    close(go[1]);
    close(out[1]);
    while (read(out[0], &c, 1) == 1)
        applied++;
    close(out[0]);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(applied, newest());
    assert_int_equal(pg_rig_ask(url, "SELECT count(*) FROM schema_migrations"), newest());
}

#define ON_EMPTY(test)                                                                             \
    {                                                                                              \
#test " (postgres)", test, setup, teardown, NULL                                           \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_texts_are_in_the_binary),
        ON_EMPTY(up_and_down_and_up_again),
        {"rows_outlive_steps_down_and_up (postgres)", rows_outlive_steps_down_and_up,
         rig_setup_postgres, rig_teardown, NULL},
        ON_EMPTY(a_schema_that_is_not_ours_is_refused),
        ON_EMPTY(a_failed_migration_leaves_nothing),
        ON_EMPTY(many_processes_at_once_do_it_once),
    };
    return RIG_RUN_TESTS(tests);
}
