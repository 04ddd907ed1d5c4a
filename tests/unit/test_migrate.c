/* Migrations: up, down, their checksums, and two processes at once. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "store/migrate.h"
#include "test_store_rig.h"

static int setup(void **state)
{
    char *dir = calloc(1, 256);

    log_configure(LOG_ERROR, 0);
    rig_make_dir(dir, 256);
    *state = dir;
    return 0;
}

static int teardown(void **state)
{
    rig_remove_dir(*state);
    free(*state);
    return 0;
}

static sqlite3 *open_db(const char *dir)
{
    char path[512];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/sluice.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void edit(const char *dir, const char *sql)
{
    sqlite3 *db = open_db(dir);

    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int count(const char *dir, const char *sql)
{
    sqlite3 *db = open_db(dir);
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return n;
}

#define TABLES "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"

static int newest(void)
{
    int n = 0;

    while (sqlite_migrations[n].number)
        n++;
    return n;
}

static char said[4096];

static void say(const char *line)
{
    strncat(said, line, sizeof(said) - strlen(said) - 1);
    strncat(said, "\n", sizeof(said) - strlen(said) - 1);
}

static void the_texts_are_in_the_binary(void **state)
{
    (void)state;
    for (int i = 0; i < newest(); i++) {
        char path[256], text[65536];
        for (int way = 0; way < 2; way++) {
            const struct migration *m = &sqlite_migrations[i];
            assert_int_equal(m->number, i + 1);
            snprintf(path, sizeof(path), "migrations/sqlite/%03d_%s.%s.sql", m->number, m->name,
                     way == 0 ? "up" : "down");
            FILE *f = fopen(path, "r");
            assert_non_null(f);
            text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
            fclose(f);
            assert_string_equal(way == 0 ? m->up : m->down, text);
        }
    }
    assert_true(newest() >= 1);
}

static void up_and_down_and_up_again(void **state)
{
    const char *dir = *state;
    struct migrate_status status;
    struct errbuf e = {""};

    assert_int_equal(sqlite_migrate_status(dir, &status, &e), 0);
    assert_int_equal(status.applied, 0);
    assert_int_equal(status.newest, newest());
    *said = '\0';
    assert_int_equal(sqlite_migrate(dir, -1, say, &status, &e), 0);
    assert_int_equal(status.applied, newest());
    assert_non_null(strstr(said, "migration 1 (init): applied"));
    int tables = count(dir, TABLES);
    assert_true(tables >= 12);
    assert_int_equal(sqlite_migrate_status(dir, &status, &e), 0);
    assert_int_equal(status.applied, newest());

    *said = '\0';
    assert_int_equal(sqlite_migrate(dir, -1, say, &status, &e), 0); /* nothing to do */
    assert_string_equal(said, "");

    for (int target = newest() - 1; target >= 0; target--) {
        assert_int_equal(sqlite_migrate(dir, target, say, &status, &e), 0);
        assert_int_equal(status.applied, target);
    }
    assert_non_null(strstr(said, "migration 1 (init): taken back"));
    assert_int_equal(count(dir, TABLES), 1); /* schema_migrations */
    assert_int_equal(count(dir, "SELECT count(*) FROM schema_migrations"), 0);
    assert_int_equal(sqlite_migrate(dir, newest(), NULL, NULL, &e), 0);
    assert_int_equal(count(dir, TABLES), tables);
}

static void a_target_that_is_not_there_is_refused(void **state)
{
    struct errbuf e = {""};

    assert_int_equal(sqlite_migrate(*state, newest() + 1, NULL, NULL, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "there is no migration"));
}

static int open_store(const char *dir, bool migrate, struct errbuf *e)
{
    uv_loop_t loop;
    struct store *store = NULL;
    bool closed = false;

    uv_loop_init(&loop);
    int status = sqlite_store_open(&store, &loop, dir, migrate, e);
    if (status == 0) {
        store_close(store, rig_closed, &closed);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_true(closed);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    return status;
}

static void an_edited_migration_is_refused(void **state)
{
    const char *dir = *state;
    struct errbuf e = {""};

    assert_int_equal(open_store(dir, true, &e), 0);
    edit(dir, "UPDATE schema_migrations SET checksum = '0123456789abcdef' WHERE number = 1");
    assert_int_equal(open_store(dir, true, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "migration 1 (init) is not the one that was applied"));
    assert_non_null(strstr(e.text, "0123456789abcdef"));
    assert_int_equal(sqlite_migrate(dir, 0, NULL, NULL, &e), ERR_CORRUPT);
    assert_true(count(dir, TABLES) >= 12); /* nothing was touched */
}

static void a_newer_schema_is_refused(void **state)
{
    const char *dir = *state;
    struct migrate_status status;
    struct errbuf e = {""};

    assert_int_equal(open_store(dir, true, &e), 0);
    char sql[128];
    snprintf(sql, sizeof(sql), "INSERT INTO schema_migrations VALUES (%d, 'future', 'x', 0)",
             newest() + 1);
    edit(dir, sql);
    assert_int_equal(open_store(dir, true, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "written by a newer sluice"));
    assert_int_equal(sqlite_migrate_status(dir, &status, &e), ERR_CORRUPT);
}

static void a_missing_row_is_refused(void **state)
{
    const char *dir = *state;
    struct errbuf e = {""};

    assert_int_equal(open_store(dir, true, &e), 0);
    edit(dir, "UPDATE schema_migrations SET number = -1 WHERE number = 1");
    assert_int_equal(open_store(dir, true, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "has no row 1"));
}

static void an_old_schema_is_refused_when_it_may_not_move(void **state)
{
    const char *dir = *state;
    struct errbuf e = {""};

    assert_int_equal(open_store(dir, false, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "migrate it first"));
    assert_int_equal(sqlite_migrate(dir, -1, NULL, NULL, &e), 0);
    assert_int_equal(open_store(dir, false, &e), 0);
}

/* A step that fails half-way leaves nothing: here its first table exists already. */
static void a_failed_migration_leaves_nothing(void **state)
{
    const char *dir = *state;
    struct errbuf e = {""};

    edit(dir, "CREATE TABLE timers (x)");
    assert_int_equal(open_store(dir, true, &e), ERR_INTERNAL);
    assert_non_null(strstr(e.text, "migration 1 (init) up: database: table timers"));
    assert_int_equal(count(dir, "SELECT count(*) FROM sqlite_schema WHERE name = 'sessions'"), 0);
    assert_int_equal(count(dir, "SELECT count(*) FROM schema_migrations"), 0);
    edit(dir, "DROP TABLE timers");
    assert_int_equal(open_store(dir, true, &e), 0);
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
    const char *dir = *state;
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
            _exit(sqlite_migrate(dir, -1, say_to_pipe, NULL, NULL) == 0 ? 0 : 1);
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
    assert_int_equal(count(dir, "SELECT count(*) FROM schema_migrations"), newest());
}

#define IN_DIR(test)                                                                               \
    {                                                                                              \
#test, test, setup, teardown, NULL                                                         \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_texts_are_in_the_binary),
        IN_DIR(up_and_down_and_up_again),
        IN_DIR(a_target_that_is_not_there_is_refused),
        IN_DIR(an_edited_migration_is_refused),
        IN_DIR(a_newer_schema_is_refused),
        IN_DIR(a_missing_row_is_refused),
        IN_DIR(an_old_schema_is_refused_when_it_may_not_move),
        IN_DIR(a_failed_migration_leaves_nothing),
        IN_DIR(many_processes_at_once_do_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
