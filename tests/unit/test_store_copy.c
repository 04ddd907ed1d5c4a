/* Copies of whole stores: every table and column, both kinds, and what is refused. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/pack.h"
#include "store/copy.h"
#include "test_store_rig.h"

struct two {
    char from[256], to[256]; /* folders */
    char from_url[300], to_url[300];
};

static int setup(void **state)
{
    struct two *t = calloc(1, sizeof(*t));

    log_configure(LOG_ERROR, 0);
    rig_make_dir(t->from, sizeof(t->from));
    rig_make_dir(t->to, sizeof(t->to));
    snprintf(t->from_url, sizeof(t->from_url), "sqlite:%s", t->from);
    snprintf(t->to_url, sizeof(t->to_url), "sqlite:%s", t->to);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct two *t = *state;

    rig_remove_dir(t->from);
    rig_remove_dir(t->to);
    free(t);
    return 0;
}

static sqlite3 *open_db(const char *dir)
{
    char path[512];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/sluice.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void exec(sqlite3 *db, const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", error, sql);
}

static int64_t ask(const char *dir, const char *sql)
{
    sqlite3 *db = open_db(dir);
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static void migrate(const char *dir)
{
    struct errbuf e = {""};

    if (sqlite_migrate(dir, -1, NULL, NULL, &e) != 0)
        fail_msg("%s", e.text);
}

static bool may_be_null(sqlite3 *db, const char *table, struct str column)
{
    sqlite3_stmt *stmt;
    char sql[200];
    bool found = false, nullable = false;

    snprintf(sql, sizeof(sql),
             "SELECT \"notnull\" = 0 AND pk = 0 FROM pragma_table_info('%s')"
             " WHERE name = '%.*s'",
             table, STR_FMT(column));
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        found = true;
        nullable = sqlite3_column_int(stmt, 0) != 0;
    }
    sqlite3_finalize(stmt);
    if (!found)
        fail_msg("%s has no column %.*s", table, STR_FMT(column));
    return nullable;
}

#define NASTY "tab\tline\nreturn\rback\\slash \\N quote\"'' \xc3\xbc \xf0\x9f\x8d\xb5"

/* The same for every table, so that rows find their parents. */
/* What such a column holds stands packed beside it, too. */
#define PACKED_TEXT                                                                                \
    "{\"row\":%d,\"node_id\":\"review\",\"interrupt_id\":\"018bcfe5-6801-7700-a789-"               \
    "006cb74f40d3\"}"
#define STATUSES "{\"b\":\"running\",\"a.%d\":\"x\\u00fcy\",\"bb\":\"\"}"
/* Of several columns; of a run that has a row as well. */
#define CORE_TEXT "[" PACKED_TEXT "," STATUSES "," PACKED_TEXT "]"
#define RUNS_TEXT                                                                                  \
    "[[\"018bcfe5-6801-77%02x-a789-006cb74f40d3\",\"n\",null,1,1,\"completed\",null,1,2,null,"     \
    "null,null]]"

static bool is_packed_form(struct str name)
{
    return name.n > 7 && memcmp(name.p + name.n - 7, "_packed", 7) == 0;
}

static bool has_packed_form(const struct copy_table *t, struct str name)
{
    for (int i = 0; i < t->count; i++) {
        struct str other = t->columns[i].name;
        if (is_packed_form(other) && str_eq(name, (struct str){other.p, other.n - 7}))
            return true;
    }
    return false;
}

static void put_packed(struct buf *sql, struct str name, int row)
{
    struct packer *p = packer_create();
    char text[512];
    struct arena a;

    if (str_eqz(name, "core_packed"))
        snprintf(text, sizeof(text), CORE_TEXT, row, row, row);
    else if (str_eqz(name, "runs_packed"))
        snprintf(text, sizeof(text), RUNS_TEXT, row);
    else
        snprintf(text, sizeof(text), PACKED_TEXT, row);
    arena_init(&a);
    struct str packed = pack(p, str_of(text), &a);
    assert_non_null(packed.p);
    buf_append_z(sql, "x'");
    for (size_t i = 0; i < packed.n; i++)
        buf_printf(sql, "%02x", (uint8_t)packed.p[i]);
    buf_append_z(sql, "'");
    arena_deinit(&a);
    packer_destroy(p);
}

static void put_value(struct buf *sql, const struct copy_table *t, int column, int row)
{
    const struct copy_column *c = &t->columns[column];

    switch (c->kind) {
    case COPY_INT:
        buf_printf(sql, "%d", row * 1000 + column);
        break;
    case COPY_BOOL:
        buf_printf(sql, "%d", row & 1);
        break;
    case COPY_REAL:
        buf_printf(sql, "%d.1", row);
        break;
    case COPY_TEXT:
        if (str_eqz(c->name, "role"))
            buf_append_z(sql, "'admin'");
        else if (has_packed_form(t, c->name))
            buf_printf(sql, "'" PACKED_TEXT "'", row);
        else
            buf_printf(sql, "'%d " NASTY "'", row);
        break;
    case COPY_BYTES:
        if (is_packed_form(c->name))
            put_packed(sql, c->name, row);
        else
            buf_printf(sql, "x'00ff0a5c0%d'", row);
        break;
    case COPY_ID:
        buf_printf(sql, "x'018bcfe5680177%02xa789006cb74f40d3'", row);
        break;
    case COPY_JSON:
        buf_printf(sql, "'" STATUSES "'", row);
        break;
    case COPY_FLOATS:
        buf_printf(sql, "x'cdcccc3d0000803f%08x'", row);
        break;
    case COPY_WORKSPACE:
        buf_printf(sql, "(SELECT key FROM workspaces WHERE name LIKE '%d %%')", row);
        break;
    case COPY_SESSION:
        buf_printf(sql, "(SELECT key FROM sessions WHERE status LIKE '%d %%')", row);
        break;
    }
}

#define ROWS_EACH 3

/* Rows in every table; in the last of each, all is NULL that may be. */
static void fill(const char *dir)
{
    static struct copy_table tables[COPY_TABLES_MAX];
    int count = copy_tables(tables);
    sqlite3 *db = open_db(dir);

    for (int i = 0; i < count; i++) {
        const struct copy_table *t = &tables[i];
        for (int row = 1; row <= ROWS_EACH; row++) {
            struct buf sql;
            buf_init(&sql, 65536);
            buf_printf(&sql, "INSERT INTO %s (", t->name);
            for (int c = 0; c < t->count; c++)
                buf_printf(&sql, "%s%.*s", c ? ", " : "", STR_FMT(t->columns[c].name));
            buf_append_z(&sql, ") VALUES (");
            for (int c = 0; c < t->count; c++) {
                buf_append_z(&sql, c ? ", " : "");
                if (row == ROWS_EACH && may_be_null(db, t->name, t->columns[c].name))
                    buf_append_z(&sql, "NULL");
                else
                    put_value(&sql, t, c, row);
            }
            buf_append_z(&sql, ")");
            exec(db, sql.data);
            buf_deinit(&sql);
        }
    }
    sqlite3_close(db);
}

/* The sums of these tables as they stand in the store. */
static void sums_of(const struct copy_end_ops *ops, const char *url,
                    const struct copy_table *tables, int count, struct copy_sum *out)
{
    struct copy_value row[COPY_COLUMNS_MAX];
    struct errbuf e = {""};
    int more;
    struct copy_end *end;

    if (ops->open(&end, url, false, &e) != 0)
        fail_msg("%s", e.text);
    for (int i = 0; i < count; i++) {
        out[i] = (struct copy_sum){0};
        assert_int_equal(ops->read_start(end, &tables[i], &e), 0);
        while ((more = ops->read_next(end, row, &e)) > 0)
            copy_sum_add(&out[i], &tables[i], row);
        if (more < 0)
            fail_msg("%s: %s", tables[i].name, e.text);
    }
    ops->close(end);
}

static void sums(const struct copy_end_ops *ops, const char *url, struct copy_sum *out)
{
    static struct copy_table tables[COPY_TABLES_MAX];
    int count = copy_tables(tables);

    sums_of(ops, url, tables, count, out);
}

static void expect_same(const struct copy_sum *a, const struct copy_sum *b)
{
    static struct copy_table tables[COPY_TABLES_MAX];
    int count = copy_tables(tables);

    for (int i = 0; i < count; i++) {
        int64_t rows = ROWS_EACH + (strcmp(tables[i].name, "workspaces") == 0);
        assert_int_equal(a[i].rows, rows);
        if (a[i].rows != b[i].rows || a[i].a != b[i].a || a[i].b != b[i].b)
            fail_msg("%s differs", tables[i].name);
    }
}

static void copy_well(const char *from, const char *to)
{
    struct errbuf e = {""};

    if (store_copy(from, to, NULL, &e) != 0)
        fail_msg("copy: %s", e.text);
}

/* ---- SQLite ---- */

static void every_table_and_column_is_named(void **state)
{
    struct two *t = *state;
    static struct copy_table tables[COPY_TABLES_MAX];
    int count = copy_tables(tables);
    char sql[300];

    migrate(t->from);
    int64_t all = ask(t->from, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name"
                               " NOT LIKE 'sqlite_%' AND name NOT LIKE 'memory_%'"
                               " AND name NOT IN ('instances', 'event_ring', 'schema_migrations')");
    assert_int_equal(all, count);
    for (int i = 0; i < count; i++) {
        /* sqlite's rows may have a key of their own, and what is made of the others */
        int own = strcmp(tables[i].name, "workspaces") == 0 ? 1
                  : strcmp(tables[i].name, "memories") == 0 ? 2
                                                            : 0;
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s')", tables[i].name);
        if (ask(t->from, sql) != tables[i].count + own)
            fail_msg("%s: a column is missing in copy_tables.c", tables[i].name);
    }
}

static void a_copy_has_every_row(void **state)
{
    struct two *t = *state;
    struct copy_sum from[COPY_TABLES_MAX], to[COPY_TABLES_MAX];

    migrate(t->from);
    fill(t->from);
    copy_well(t->from_url, t->to_url);
    sums(&sqlite_copy_end, t->from_url, from);
    sums(&sqlite_copy_end, t->to_url, to);
    expect_same(from, to);
    assert_int_equal(ask(t->to, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static void sums_tell_rows_apart(void **state)
{
    struct two *t = *state;
    struct copy_sum before[COPY_TABLES_MAX], after[COPY_TABLES_MAX];
    static struct copy_table tables[COPY_TABLES_MAX];
    int count = copy_tables(tables);

    migrate(t->from);
    fill(t->from);
    sums(&sqlite_copy_end, t->from_url, before);
    sqlite3 *db = open_db(t->from);
    exec(db, "UPDATE timers SET due_at = due_at + 1 WHERE due_at = 1002");
    exec(db, "UPDATE sessions SET name = '' WHERE name IS NULL");
    exec(db, "UPDATE sessions SET node_statuses = '{\"bb\": \"\", \"b\":\"running\","
             " \"a.1\":\"x\xc3\xbcy\"}' WHERE node_statuses LIKE '%a.1%'"); /* means the same */
    exec(db, "UPDATE session_files SET content = x'00ff0a5c02' WHERE version = 1002");
    sqlite3_close(db);
    sums(&sqlite_copy_end, t->from_url, after);
    for (int i = 0; i < count; i++) {
        bool changed = strcmp(tables[i].name, "timers") == 0 ||
                       strcmp(tables[i].name, "sessions") == 0 ||
                       strcmp(tables[i].name, "session_files") == 0;
        assert_int_equal(before[i].a != after[i].a, changed);
        assert_int_equal(before[i].b != after[i].b, changed);
    }
}

static void a_target_with_rows_is_refused(void **state)
{
    struct two *t = *state;
    struct errbuf e = {""};

    migrate(t->from);
    fill(t->from);
    migrate(t->to);
    sqlite3 *db = open_db(t->to);
    exec(db, "INSERT INTO workspaces (name) VALUES ('mine')");
    sqlite3_close(db);
    assert_int_equal(store_copy(t->from_url, t->to_url, NULL, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "not empty"));
    assert_int_equal(ask(t->to, "SELECT count(*) FROM workspaces"), 2);
    assert_int_equal(ask(t->to, "SELECT count(*) FROM sessions"), 0);
}

/* Here a trigger spoils what is written: the sums find it, and nothing stays. */
static void a_copy_that_reads_back_otherwise_is_taken_back(void **state)
{
    struct two *t = *state;
    struct errbuf e = {""};

    migrate(t->from);
    fill(t->from);
    migrate(t->to);
    sqlite3 *db = open_db(t->to);
    exec(db, "CREATE TRIGGER t AFTER INSERT ON effects WHEN new.kind LIKE '2 %'"
             " BEGIN UPDATE effects SET request = request || ' ' WHERE kind = new.kind; END");
    sqlite3_close(db);
    assert_int_equal(store_copy(t->from_url, t->to_url, NULL, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "effects: what was written does not read back"));
    assert_int_equal(ask(t->to, "SELECT count(*) FROM sessions"), 0);
    assert_int_equal(ask(t->to, "SELECT count(*) FROM workspaces"), 1);
}

static void stores_that_cannot_be_copied(void **state)
{
    struct two *t = *state;
    struct errbuf e = {""};

    assert_int_equal(store_copy(t->from_url, "mysql://x", NULL, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "--to: wants"));
    assert_int_equal(store_copy("sqlite:", t->to_url, NULL, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "--from: wants"));
    assert_int_equal(store_copy(t->from_url, t->from_url, NULL, &e), ERR_INVALID);
    assert_int_equal(store_copy(t->from_url, t->to_url, NULL, &e), ERR_NOT_FOUND);
    assert_int_equal(sqlite_migrate(t->from, 1, NULL, NULL, &e), 0);
    assert_int_equal(store_copy(t->from_url, t->to_url, NULL, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "migrate it first"));
}

static void a_store_in_use_is_not_copied(void **state)
{
    struct two *t = *state;
    struct rig *r = rig_create(true, false);
    struct errbuf e = {""};
    char url[300];

    snprintf(url, sizeof(url), "sqlite:%s", r->dir);
    assert_int_equal(store_copy(url, t->to_url, NULL, &e), ERR_UNAVAILABLE);
    migrate(t->from);
    assert_int_equal(store_copy(t->from_url, url, NULL, &e), ERR_UNAVAILABLE);
    rig_destroy(r);
}

/* ---- PostgreSQL ---- */

static void there_and_back(void **state)
{
    struct two *t = *state;
    struct copy_sum from[COPY_TABLES_MAX], there[COPY_TABLES_MAX], back[COPY_TABLES_MAX];
    char words[512], url[512];
    struct errbuf e = {""};

    pg_rig_create(words, sizeof(words), true); /* the copy migrates it */
    pg_rig_as_url(words, url, sizeof(url));
    migrate(t->from);
    fill(t->from);
    copy_well(t->from_url, url);
    sums(&sqlite_copy_end, t->from_url, from);
    sums(&pg_copy_end, url, there);
    expect_same(from, there);
    assert_int_equal(store_copy(t->from_url, url, NULL, &e), ERR_CONFLICT);
    copy_well(url, t->to_url);
    sums(&sqlite_copy_end, t->to_url, back);
    expect_same(from, back);

    /* New sessions are numbered after the old ones. */
    assert_true(pg_rig_ask(words, "SELECT nextval(pg_get_serial_sequence('sessions', 'key'))") >
                pg_rig_ask(words, "SELECT max(key) FROM sessions"));

    char other[512], other_url[512];
    pg_rig_create(other, sizeof(other), false);
    pg_rig_as_url(other, other_url, sizeof(other_url));
    copy_well(url, other_url);
    sums(&pg_copy_end, other_url, back);
    expect_same(from, back);
    pg_rig_drop(other);
    pg_rig_drop(words);
}

static void every_column_of_postgres_is_named(void **state)
{
    static struct copy_table tables[COPY_TABLES_MAX];
    int count = copy_tables(tables);
    char words[512], sql[300];

    (void)state;
    pg_rig_create(words, sizeof(words), false);
    for (int i = 0; i < count; i++) {
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'"
                 " AND table_name = '%s'",
                 tables[i].name);
        if (pg_rig_ask(words, sql) != tables[i].count)
            fail_msg("%s: columns differ from copy_tables.c", tables[i].name);
    }
    pg_rig_drop(words);
}

static void a_database_with_a_server_is_not_copied(void **state)
{
    struct two *t = *state;
    char words[512], url[512];
    struct errbuf e = {""};

    pg_rig_create(words, sizeof(words), false);
    pg_rig_as_url(words, url, sizeof(url));
    pg_rig_exec_on(words,
                   "INSERT INTO instances SELECT gen_random_uuid(), 'host-9', '', '', false, 0, 0,"
                   " 0, extract(epoch FROM now()) * 1000 + 60000");
    assert_int_equal(store_copy(url, t->to_url, NULL, &e), ERR_UNAVAILABLE);
    assert_non_null(strstr(e.text, "host-9"));
    pg_rig_drop(words);
}

/* ---- down and up again ---- */

/* Leaves the columns that the store has now; tables without any are left out. Gives how many. */
static int known_tables(struct copy_table *tables, bool (*has)(void *, const char *, struct str),
                        void *data)
{
    int count = copy_tables(tables), kept = 0;

    for (int i = 0; i < count; i++) {
        struct copy_table t = {.name = tables[i].name};
        for (int c = 0; c < tables[i].count; c++)
            if (has(data, t.name,
                    tables[i].columns[c].kind == COPY_SESSION ? STR("session")
                                                              : tables[i].columns[c].name))
                t.columns[t.count++] = tables[i].columns[c];
        if (t.count)
            tables[kept++] = t;
    }
    return kept;
}

static bool sqlite_has(void *data, const char *table, struct str column)
{
    char sql[200];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%.*s'",
             table, STR_FMT(column));
    return ask(data, sql) > 0;
}

/* On one connection for all columns: making one takes longer than the question. */
static bool pg_has(void *data, const char *table, struct str column)
{
    char sql[300];
    PGconn *c = data;

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'"
             " AND table_name = '%s' AND column_name = '%.*s%s'",
             table, STR_FMT(column), str_eqz(column, "session") ? "_id" : "");
    PGresult *result = PQexec(c, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    bool has = strcmp(PQgetvalue(result, 0, 0), "0") != 0;
    PQclear(result);
    return has;
}

static void expect_known(const struct copy_table *tables, int count, const struct copy_sum *a,
                         const struct copy_sum *b, int step)
{
    for (int i = 0; i < count; i++)
        if (a[i].rows != b[i].rows || a[i].a != b[i].a || a[i].b != b[i].b)
            fail_msg("%s differs after a way down to %d and up again", tables[i].name, step);
}

/* Migrations have one thread; under the thread sanitizer they would take two minutes. */
#ifdef __SANITIZE_THREAD__
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif

static void down_and_up_keeps_what_both_know(void **state)
{
    struct two *t = *state;
    static struct copy_table tables[COPY_TABLES_MAX];
    struct copy_sum before[COPY_TABLES_MAX], after[COPY_TABLES_MAX];
    struct migrate_status status;
    struct errbuf e = {""};
    int most = 0;

    if (UNDER_TSAN)
        skip();
    migrate(t->from);
    assert_int_equal(sqlite_migrate_status(t->from, &status, &e), 0);
    for (int step = status.newest - 1; step >= 1; step--) {
        /* What is known at `step` is looked up in a store of its own. */
        if (sqlite_migrate(t->to, step, NULL, NULL, &e) != 0)
            fail_msg("%s", e.text);
        int count = known_tables(tables, sqlite_has, t->to);
        most = count > most ? count : most;
        if (sqlite_migrate(t->from, 0, NULL, NULL, &e) != 0)
            fail_msg("%s", e.text);
        migrate(t->from);
        fill(t->from);
        sums_of(&sqlite_copy_end, t->from_url, tables, count, before);
        if (sqlite_migrate(t->from, step, NULL, NULL, &e) != 0)
            fail_msg("%s", e.text);
        migrate(t->from);
        sums_of(&sqlite_copy_end, t->from_url, tables, count, after);
        expect_known(tables, count, before, after, step);
        assert_true(before[0].rows > 0);
        assert_int_equal(ask(t->from, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    }
    assert_true(most >= 12);
}

static void down_and_up_on_postgres(void **state)
{
    struct two *t = *state;
    static struct copy_table tables[COPY_TABLES_MAX];
    struct copy_sum before[COPY_TABLES_MAX], after[COPY_TABLES_MAX];
    struct migrate_status status = {0, 2};
    struct errbuf e = {""};

    if (UNDER_TSAN)
        skip();
    migrate(t->from);
    fill(t->from);
    for (int step = 1; step < status.newest; step++) {
        char words[512], url[512], old[512];
        pg_rig_create(old, sizeof(old), true);
        assert_int_equal(pg_migrate(old, step, NULL, &status, &e), 0);
        PGconn *c = PQconnectdb(old);
        int count = known_tables(tables, pg_has, c);
        PQfinish(c);
        pg_rig_drop(old);
        pg_rig_create(words, sizeof(words), false);
        pg_rig_as_url(words, url, sizeof(url));
        copy_well(t->from_url, url);
        sums_of(&pg_copy_end, url, tables, count, before);
        if (pg_migrate(words, step, NULL, NULL, &e) != 0)
            fail_msg("%s", e.text);
        assert_int_equal(pg_migrate(words, -1, NULL, NULL, &e), 0);
        sums_of(&pg_copy_end, url, tables, count, after);
        expect_known(tables, count, before, after, step);
        assert_true(count >= 12 && before[0].rows > 0);
        pg_rig_drop(words);
    }
}

/* ---- backup ---- */

static void backup_path(const struct two *t, const char *name, char out[512])
{
    snprintf(out, 512, "%s/%s", t->to, name);
}

/* While a store is open and written to. */
static void a_backup_is_of_one_moment(void **state)
{
    struct two *t = *state;
    struct rig *r = rig_create(true, false);
    char file[512], part[520];
    struct errbuf e = {""};
    struct stat st;

    for (int i = 0; i < 20; i++)
        rig_session(r, "running", T0 + i);
    backup_path(t, "sluice.db", file);
    if (sqlite_backup(r->dir, file, NULL, &e) != 0)
        fail_msg("%s", e.text);
    rig_session(r, "running", T0 + 100); /* it goes on */
    assert_int_equal(ask(t->to, "SELECT count(*) FROM sessions"), 20);
    assert_int_equal(ask(r->dir, "SELECT count(*) FROM sessions"), 21);
    snprintf(part, sizeof(part), "%s.part", file);
    assert_int_equal(access(part, F_OK), -1);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    rig_destroy(r);

    uv_loop_t loop; /* and can be served from */
    struct store *store;
    bool closed = false;
    uv_loop_init(&loop);
    assert_int_equal(sqlite_store_open(&store, &loop, t->to, false, &e), 0);
    store_close(store, rig_closed, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(closed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* Another connection that commits as fast as it can. */
struct writer {
    const char *dir;
    uv_sem_t begun;
    atomic_bool stop;
    int commits;
};

static void writer_main(void *data)
{
    struct writer *w = data;
    sqlite3 *db = open_db(w->dir);

    sqlite3_busy_timeout(db, 5000);
    for (; !w->stop; w->commits++) {
        if (w->commits == 1)
            uv_sem_post(&w->begun);
        sqlite3_exec(db,
                     "BEGIN IMMEDIATE; INSERT INTO workspaces (name) VALUES (hex(randomblob(16)));"
                     "INSERT INTO idempotency_keys SELECT max(key), 'k', 0, 0, 0, '{}', 0"
                     " FROM workspaces; COMMIT",
                     NULL, NULL, NULL);
    }
    sqlite3_close(db);
}

/* Each commit adds a row to two tables: at any one moment they are equally many. */
static void commits_do_not_start_a_backup_anew(void **state)
{
    struct two *t = *state;
    struct writer w = {.dir = t->from};
    struct errbuf e = {""};
    uv_thread_t thread;
    char file[512];

    migrate(t->from);
    sqlite3 *db = open_db(t->from);
    exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15)"
             " INSERT INTO workflows (workspace, id, name, version, first_version, created_at,"
             " updated_at) SELECT 1, i, hex(zeroblob(500000)), 1, 1, 0, 0 FROM n"); /* 15 MB */
    sqlite3_close(db);
    assert_int_equal(uv_sem_init(&w.begun, 0), 0);
    assert_int_equal(uv_thread_create(&thread, writer_main, &w), 0);
    uv_sem_wait(&w.begun);
    backup_path(t, "sluice.db", file);
    int status = sqlite_backup(t->from, file, NULL, &e);
    w.stop = true;
    uv_thread_join(&thread);
    uv_sem_destroy(&w.begun);
    if (status != 0)
        fail_msg("%s", e.text);
    int64_t rows = ask(t->to, "SELECT count(*) FROM idempotency_keys");
    assert_true(rows > 0 && rows < ask(t->from, "SELECT count(*) FROM idempotency_keys"));
    assert_int_equal(ask(t->to, "SELECT count(*) FROM workspaces"), rows + 1);
}

static void a_file_that_is_there_is_not_replaced(void **state)
{
    struct two *t = *state;
    struct errbuf e = {""};
    char file[512];

    migrate(t->from);
    backup_path(t, "b", file);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "mine", 4), 4);
    close(fd);
    assert_int_equal(sqlite_backup(t->from, file, NULL, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "exists already"));
}

static void a_backup_of_nothing_leaves_nothing(void **state)
{
    struct two *t = *state;
    struct errbuf e = {""};
    char file[512];

    backup_path(t, "b", file);
    assert_int_equal(sqlite_backup(t->from, file, NULL, &e), ERR_NOT_FOUND);
    assert_int_equal(access(file, F_OK), -1);
    backup_path(t, "b.part", file);
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(sqlite_backup(t->from, "/nonexistent/b", NULL, &e), ERR_IO);
}

/* A store with a torn page has no backup that would look like one. */
static void a_spoiled_store_has_no_backup(void **state)
{
    struct two *t = *state;
    struct errbuf e = {""};
    char path[512], junk[4096], file[512];
    struct stat st;

    migrate(t->from);
    fill(t->from);
    snprintf(path, sizeof(path), "%s/sluice.db", t->from);
    int fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &st), 0);
    memset(junk, 0xa5, sizeof(junk));
    for (off_t at = 20 * 4096; at < st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
    close(fd);
    backup_path(t, "b", file);
    int status = sqlite_backup(t->from, file, NULL, &e);
    if (status != ERR_CORRUPT)
        fail_msg("%d %s", status, e.text);
    assert_int_equal(access(file, F_OK), -1);
}

#define IN_TWO(test)                                                                               \
    {                                                                                              \
#test, test, setup, teardown, NULL                                                         \
    }
#define ON_POSTGRES(test)                                                                          \
    {                                                                                              \
#test " (postgres)", test, setup, teardown, NULL                                           \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        IN_TWO(every_table_and_column_is_named),
        IN_TWO(a_copy_has_every_row),
        IN_TWO(sums_tell_rows_apart),
        IN_TWO(a_target_with_rows_is_refused),
        IN_TWO(a_copy_that_reads_back_otherwise_is_taken_back),
        IN_TWO(stores_that_cannot_be_copied),
        IN_TWO(a_store_in_use_is_not_copied),
        ON_POSTGRES(there_and_back),
        ON_POSTGRES(every_column_of_postgres_is_named),
        ON_POSTGRES(a_database_with_a_server_is_not_copied),
        IN_TWO(down_and_up_keeps_what_both_know),
        {"down_and_up (postgres)", down_and_up_on_postgres, setup, teardown, NULL},
        IN_TWO(a_backup_is_of_one_moment),
        IN_TWO(commits_do_not_start_a_backup_anew),
        IN_TWO(a_file_that_is_there_is_not_replaced),
        IN_TWO(a_backup_of_nothing_leaves_nothing),
        IN_TWO(a_spoiled_store_has_no_backup),
    };
    return RIG_RUN_TESTS(tests);
}
