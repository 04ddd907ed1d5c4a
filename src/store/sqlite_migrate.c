/* The folder's lock, and the steps from one schema to the next.
 *
 * A lock file keeps every second process out for as long as the first one has the folder open:
 * two of them would each believe to own all sessions. The system drops the lock when its holder
 * dies. A migration also runs as one exclusive transaction, with its row in schema_migrations, so
 * a crash leaves it done or not begun.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/sqlite_migrations.h"
#include "store/sqlite_store.h"

#define MIGRATE_LOCK_WAIT_MS 10000
#define MIGRATE_LOCK_STEP_MS 20
#define CHECKSUM_BYTES       16 /* hexadecimal digits */

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

static int migrate_newest(void)
{
    int n = 0;

    while (sqlite_migrations[n].number != 0)
        n++;
    return n;
}

/* FNV-1a, 64 bits, of what was applied: finds a file that was edited afterwards. */
static void migrate_checksum(const char *text, char out[CHECKSUM_BYTES + 1])
{
    uint64_t h = 14695981039346656037u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    snprintf(out, CHECKSUM_BYTES + 1, "%016" PRIx64, h);
}

/* The rows of schema_migrations: numbers without gaps, texts unchanged, none that we do not know.
 */
static int migrate_read(struct sqlite_db *db, int *applied)
{
    char checksum[CHECKSUM_BYTES + 1];
    int newest = migrate_newest();
    sqlite3_stmt *stmt = NULL;
    int status = 0, code;

    *applied = 0;
    code = sqlite3_prepare_v2(db->handle,
                              "SELECT number, checksum FROM schema_migrations ORDER BY number", -1,
                              &stmt, NULL);
    while (code == SQLITE_OK && status == 0 && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        int number = sqlite3_column_int(stmt, 0);
        code = SQLITE_OK;
        if (number > newest) {
            status = sqlite_db_corrupt(db,
                                       "the data was written by a newer sluice (schema %d, this "
                                       "program knows %d): use that one",
                                       number, newest);
            break;
        }
        if (number != *applied + 1) {
            status = sqlite_db_corrupt(db, "schema_migrations has no row %d", *applied + 1);
            break;
        }
        migrate_checksum(sqlite_migrations[number - 1].up, checksum);
        const char *stored = (const char *)sqlite3_column_text(stmt, 1);
        if (!stored || strcmp(stored, checksum) != 0)
            status = sqlite_db_corrupt(db,
                                       "migration %d (%s) is not the one that was applied: its "
                                       "checksum is %s, not %s",
                                       number, sqlite_migrations[number - 1].name, checksum,
                                       stored ? stored : "NULL");
        *applied = number;
    }
    if (status == 0 && code != SQLITE_DONE)
        status = sqlite_db_fail(db, code);
    sqlite3_finalize(stmt);
    return status;
}

static int migrate_record(struct sqlite_db *db, const struct sqlite_migration *m)
{
    char checksum[CHECKSUM_BYTES + 1];
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->handle, "INSERT INTO schema_migrations VALUES (?,?,?,?)", -1,
                                  &stmt, NULL);

    if (code != SQLITE_OK)
        return sqlite_db_fail(db, code);
    migrate_checksum(m->up, checksum);
    sqlite3_bind_int(stmt, 1, m->number);
    sqlite3_bind_text(stmt, 2, m->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, checksum, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, clock_wall_ms());
    code = sqlite3_step(stmt);
    int status = code == SQLITE_DONE ? 0 : sqlite_db_fail(db, code);
    sqlite3_finalize(stmt);
    return status;
}

static int migrate_forget(struct sqlite_db *db, int number)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "DELETE FROM schema_migrations WHERE number = %d", number);
    return sqlite_db_exec(db, sql);
}

/* One step, one transaction. */
static int migrate_step(struct sqlite_db *db, const struct sqlite_migration *m, bool up)
{
    int status = sqlite_db_exec(db, "BEGIN EXCLUSIVE");

    if (status < 0)
        return status;
    status = sqlite_db_exec(db, up ? m->up : m->down);
    if (status == 0)
        status = up ? migrate_record(db, m) : migrate_forget(db, m->number);
    if (status == 0)
        status = sqlite_db_exec(db, "COMMIT");
    if (status < 0) {
        struct errbuf reason = db->error;
        if (!sqlite3_get_autocommit(db->handle))
            sqlite_db_exec(db, "ROLLBACK");
        err_set(&db->error, status, "migration %d (%s) %s: %s", m->number, m->name,
                up ? "up" : "down", reason.text);
    }
    return status;
}

static void migrate_say(void (*say)(const char *line), const struct sqlite_migration *m, bool up)
{
    char line[160];

    if (!say)
        return;
    snprintf(line, sizeof(line), "migration %d (%s): %s", m->number, m->name,
             up ? "applied" : "taken back");
    say(line);
}

static int migrate_move(struct sqlite_db *db, int applied, int target,
                        void (*say)(const char *line))
{
    int status = 0;

    while (status == 0 && applied != target) {
        bool up = applied < target;
        const struct sqlite_migration *m = &sqlite_migrations[up ? applied : applied - 1];
        status = migrate_step(db, m, up);
        if (status < 0)
            break;
        migrate_say(say, m, up);
        applied += up ? 1 : -1;
    }
    return status;
}

int sqlite_migrate_db(struct sqlite_db *db, int target, void (*say)(const char *line),
                      struct migrate_status *out)
{
    int applied = 0, newest = migrate_newest();
    int status = sqlite_db_exec(db, "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                    "number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
                                    " checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT");

    if (status == 0)
        status = migrate_read(db, &applied);
    if (status < 0)
        return status;
    if (target == SQLITE_MIGRATE_CHECK && applied < newest)
        return sqlite_db_corrupt(db, "the schema is at %d, this program needs %d: migrate it first",
                                 applied, newest);
    if (target < 0)
        target = newest;
    if (target > newest)
        return sqlite_db_refuse(db, ERR_INVALID, "there is no migration %d: the newest is %d",
                                target, newest);
    status = migrate_move(db, applied, target, say);
    if (status == 0 && out)
        *out = (struct migrate_status){target, newest};
    return status;
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
        status = sqlite_migrate_db(&db, target, say, out);
        sqlite_db_close(&db);
    }
    if (status < 0 && e)
        *e = db.error;
    free(path);
    close(fd);
    return status;
}

int sqlite_migrate_status(const char *dir, struct migrate_status *out, struct errbuf *e)
{
    struct sqlite_db db;
    int status;

    *out = (struct migrate_status){0, migrate_newest()};
    char *path = sqlite_path(dir);
    if (access(path, F_OK) < 0) { /* looking must not make a database */
        free(path);
        return 0;
    }
    status = sqlite_db_open(&db, path, SQLITE_ROLE_READER);
    free(path);
    if (status == 0) {
        status = migrate_read(&db, &out->applied);
        sqlite_db_close(&db);
    }
    if (status < 0 && e)
        *e = db.error;
    return status;
}
