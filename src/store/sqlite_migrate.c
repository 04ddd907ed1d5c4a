/* The folder's lock, and the steps from one schema to the next.
 *
 * A lock file keeps every second process out for as long as the first one has the folder open:
 * two of them would each believe to own all sessions. The system drops the lock when its holder
 * dies. A migration also runs as one exclusive transaction, with its row in schema_migrations, so
 * a crash leaves it done or not begun.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pack.h"
#include "store/migrate.h"
#include "store/sqlite_store.h"

#define MIGRATE_LOCK_WAIT_MS 10000
#define MIGRATE_LOCK_STEP_MS 20
#define MIGRATE_RING         9 /* made the table event_ring */

/* ---- the lock ---- */

static char *sqlite_join(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *path = mem_alloc(n);

    snprintf(path, n, "%s/%s", dir, name);
    return path;
}

char *sqlite_path(const char *dir)
{
    return sqlite_join(dir, "sluice.db");
}

/* mkdir -p; what exists stays as it is. */
static int lock_make_dir(const char *dir, struct errbuf *e)
{
    char *path = mem_strdup(dir);
    int status = 0;

    for (char *p = path + 1; status == 0; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            status = err_set(e, ERR_IO, "cannot make the folder %s: %s", path, strerror(errno));
        *p = end;
        if (end == '\0')
            break;
    }
    free(path);
    return status;
}

static int lock_refused(int fd, const char *dir, struct errbuf *e)
{
    char pid[24] = {0};
    ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

    pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
    return err_set(e, ERR_UNAVAILABLE, "another process (pid %s) has the data folder %s open",
                   *pid ? pid : "unknown", dir);
}

/* The file with what people said, for the user's eyes alone; SQLite gives its WAL the same mode.
 * Only a new one: closing any descriptor of an open database would drop its locks. */
static void lock_make_private(const char *dir)
{
    char *path = sqlite_path(dir);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    free(path);
}

int sqlite_lock(const char *dir, int wait_ms, int *out, struct errbuf *e)
{
    struct timespec step = {0, MIGRATE_LOCK_STEP_MS * 1000000L};
    int status = *dir ? lock_make_dir(dir, e) : err_set(e, ERR_INVALID, "no data folder given");

    if (status < 0)
        return status;
    char *path = sqlite_join(dir, "sluice.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (fd < 0)
        return err_set(e, ERR_IO, "cannot open the lock of %s: %s", dir, strerror(errno));
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK) {
            status = err_set(e, ERR_IO, "cannot lock %s: %s", dir, strerror(errno));
            close(fd);
            return status;
        }
        if (wait_ms <= 0) {
            status = lock_refused(fd, dir, e);
            close(fd);
            return status;
        }
        nanosleep(&step, NULL);
        wait_ms -= MIGRATE_LOCK_STEP_MS;
    }
    /* Only for the sentence above: a disk too full for it does not matter. */
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        errno = 0;
    lock_make_private(dir);
    *out = fd;
    return 0;
}

/* ---- migrations ---- */

static int sqlite_migrate_prepare(void *data, struct errbuf *e)
{
    struct sqlite_db *db = data;
    int status = sqlite_db_exec(db, "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                    "number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
                                    " checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT");

    if (status < 0)
        *e = db->error;
    return status;
}

static int sqlite_migrate_read(void *data, migrate_row *row, void *row_data, struct errbuf *e)
{
    struct sqlite_db *db = data;
    sqlite3_stmt *stmt = NULL;
    int status = 0;
    int code = sqlite3_prepare_v2(db->handle,
                                  "SELECT number, checksum FROM schema_migrations ORDER BY number",
                                  -1, &stmt, NULL);

    while (code == SQLITE_OK && status == 0 && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        code = SQLITE_OK;
        status = row(row_data, sqlite3_column_int(stmt, 0),
                     (const char *)sqlite3_column_text(stmt, 1), e);
    }
    if (status == 0 && code != SQLITE_DONE) {
        status = sqlite_db_fail(db, code);
        *e = db->error;
    }
    sqlite3_finalize(stmt);
    return status;
}

static int sqlite_migrate_record(struct sqlite_db *db, const struct migration *m,
                                 const char *checksum)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->handle, "INSERT INTO schema_migrations VALUES (?,?,?,?)", -1,
                                  &stmt, NULL);

    if (code != SQLITE_OK)
        return sqlite_db_fail(db, code);
    sqlite3_bind_int(stmt, 1, m->number);
    sqlite3_bind_text(stmt, 2, m->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, checksum, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, clock_wall_ms());
    code = sqlite3_step(stmt);
    int status = code == SQLITE_DONE ? 0 : sqlite_db_fail(db, code);
    sqlite3_finalize(stmt);
    return status;
}

static int sqlite_migrate_forget(struct sqlite_db *db, int number)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "DELETE FROM schema_migrations WHERE number = %d", number);
    return sqlite_db_exec(db, sql);
}

static int sqlite_migrate_step(void *data, const struct migration *m, bool up, const char *checksum,
                               struct errbuf *e)
{
    struct sqlite_db *db = data;
    int status = sqlite_db_exec(db, "BEGIN EXCLUSIVE");

    if (status == 0 && !up && m->number == MIGRATE_RING)
        status = sqlite_recent_drain(db);
    if (status == 0)
        status = sqlite_db_exec(db, up ? m->up : m->down);
    if (status == 0)
        status = up ? sqlite_migrate_record(db, m, checksum) : sqlite_migrate_forget(db, m->number);
    if (status == 0)
        status = sqlite_db_exec(db, "COMMIT");
    if (status < 0) {
        *e = db->error;
        if (!sqlite3_get_autocommit(db->handle))
            sqlite_db_exec(db, "ROLLBACK");
    }
    return status;
}

static const struct migrate_ops sqlite_migrate_ops = {
    .prepare = sqlite_migrate_prepare,
    .read = sqlite_migrate_read,
    .step = sqlite_migrate_step,
};

/* sluice_unpack(blob): the text that was packed, for the way back to before there were any. With
 * numbers, what stands there in the array that it is, and in that; a null is NULL. */
static void migrate_unpack(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct str text,
        packed = {sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0])};
    struct arena a;

    arena_init(&a);
    bool is_whole =
        unpack(packed, &a, &text) == 0 &&
        json_check(text, &(struct json_limits){.bytes_max = SIZE_MAX}, NULL) != ERR_INVALID;
    for (int i = 1; i < count && is_whole; i++) {
        struct json_iter it;
        json_iter_init(&it, json_root(text));
        for (int at = sqlite3_value_int(values[i]); at >= 0 && is_whole; at--)
            is_whole = json_iter_next(&it);
        text = json_raw(it.value);
    }
    if (!is_whole)
        sqlite3_result_error(context, "a packed text is damaged", -1);
    else if (!str_eqz(text, "null"))
        sqlite3_result_text64(context, text.p, text.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    arena_deinit(&a);
}

/* sluice_id(text): its bytes. */
static void migrate_id(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct str text = {(const char *)sqlite3_value_text(values[0]),
                       (size_t)sqlite3_value_bytes(values[0])};
    struct id id;

    (void)count;
    if (text.p && id_parse(text, &id))
        sqlite3_result_blob(context, id.b, sizeof(id.b), SQLITE_TRANSIENT);
    else
        sqlite3_result_error(context, "a packed text is damaged", -1);
}

int sqlite_migrate_db(struct sqlite_db *db, int target, void (*say)(const char *line),
                      struct migrate_status *out, struct errbuf *e)
{
    sqlite3_create_function(db->handle, "sluice_unpack", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                            NULL, migrate_unpack, NULL, NULL);
    sqlite3_create_function(db->handle, "sluice_id", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                            migrate_id, NULL, NULL);
    return migrate_run(&sqlite_migrate_ops, db, sqlite_migrations, target, say, out, e);
}

int sqlite_migrate(const char *dir, int target, void (*say)(const char *line),
                   struct migrate_status *out, struct errbuf *e)
{
    struct sqlite_db db;
    int fd = -1;

    int status = sqlite_lock(dir, MIGRATE_LOCK_WAIT_MS, &fd, e);
    if (status < 0)
        return status;
    char *path = sqlite_path(dir);
    status = sqlite_db_open(&db, path, SQLITE_ROLE_WRITER);
    if (status == 0) {
        status = sqlite_migrate_db(&db, target, say, out, e);
        sqlite_db_close(&db);
    } else if (e) {
        *e = db.error;
    }
    free(path);
    close(fd);
    return status;
}

int sqlite_migrate_status(const char *dir, struct migrate_status *out, struct errbuf *e)
{
    struct sqlite_db db;
    int status;

    *out = (struct migrate_status){0, migrate_count(sqlite_migrations)};
    char *path = sqlite_path(dir);
    if (access(path, F_OK) < 0) { /* looking must not make a database */
        free(path);
        return 0;
    }
    status = sqlite_db_open(&db, path, SQLITE_ROLE_READER);
    free(path);
    if (status == 0) {
        status = migrate_applied(&sqlite_migrate_ops, &db, sqlite_migrations, &out->applied, e);
        sqlite_db_close(&db);
    } else if (e) {
        *e = db.error;
    }
    return status;
}
