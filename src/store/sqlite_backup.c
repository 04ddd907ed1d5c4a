/* A copy of the database file while a server writes on it: SQLite's online backup.
 *
 * The source is held in one read transaction for as long as it takes. So the copy is of one
 * moment, and the server's commits do not start it anew (as they would otherwise); they go to the
 * WAL, which can only be begun anew when the backup has ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/copy.h"
#include "store/migrate.h"
#include "store/sqlite_store.h"

#define BACKUP_PAGES        2000 /* between two looks at the clock: 8 MB */
#define BACKUP_SAY_EVERY_MS 1000
#define BACKUP_BUSY_MS      5000

struct backup {
    sqlite3 *from, *to;
    char *part; /* FILE.part, until it is whole */
    void (*say)(const char *line);
    struct errbuf *e;
    int64_t said_at;
};

static int backup_fail(struct backup *b, sqlite3 *db, int code, const char *what)
{
    int primary = code & 0xff;

    return err_set(b->e,
                   primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ? ERR_CORRUPT : ERR_IO,
                   "%s: %s", what, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

static void backup_say(struct backup *b, int done, int pages)
{
    int64_t now = clock_wall_ms();
    char line[96];

    if (!b->say || (done < pages && now - b->said_at < BACKUP_SAY_EVERY_MS))
        return;
    b->said_at = now;
    snprintf(line, sizeof(line), "%d of %d pages copied (%d %%)", done, pages,
             pages ? (int)(100.0 * done / pages) : 100);
    b->say(line);
}

/* One value of one row; code SQLITE_ROW. */
static int backup_ask(sqlite3 *db, const char *sql, int64_t *number, char *text, size_t n)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW && number)
        *number = sqlite3_column_int64(stmt, 0);
    if (code == SQLITE_ROW && text)
        snprintf(text, n, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return code;
}

static int backup_open(struct backup *b, const char *dir, const char *file)
{
    char *path = sqlite_path(dir);
    int64_t schema = 0;
    int status = 0;

    if (access(path, R_OK) < 0)
        status = err_set(b->e, ERR_NOT_FOUND, "there is no store in %s", dir);
    int code = status ? 0 : sqlite3_open_v2(path, &b->from, SQLITE_OPEN_READWRITE, NULL);
    free(path);
    if (status < 0)
        return status;
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(b->from, BACKUP_BUSY_MS);
    if (code == SQLITE_OK)
        code = sqlite3_exec(b->from, "PRAGMA query_only = ON; BEGIN", NULL, NULL, NULL);
    if (code == SQLITE_OK) { /* from here on it reads as of now */
        code = backup_ask(b->from, "SELECT count(*) FROM schema_migrations", &schema, NULL, 0);
        code = code == SQLITE_ROW ? SQLITE_OK : code;
    }
    if (code != SQLITE_OK)
        return backup_fail(b, b->from, code, dir);
    code = sqlite3_open_v2(b->part, &b->to, SQLITE_OPEN_READWRITE, NULL);
    return code == SQLITE_OK ? 0 : backup_fail(b, b->to, code, file);
}

static int backup_pages(struct backup *b, const char *file)
{
    sqlite3_backup *work = sqlite3_backup_init(b->to, "main", b->from, "main");
    int code = work ? SQLITE_OK : SQLITE_ERROR;

    while (work && code == SQLITE_OK) {
        code = sqlite3_backup_step(work, BACKUP_PAGES);
        int pages = sqlite3_backup_pagecount(work);
        if (code == SQLITE_OK || code == SQLITE_DONE)
            backup_say(b, pages - sqlite3_backup_remaining(work), pages);
    }
    if (work)
        sqlite3_backup_finish(work);
    return code == SQLITE_DONE ? 0 : backup_fail(b, b->to, code, file);
}

/* ---- checking ---- */

static int check_counts(struct backup *b, const char *file)
{
    static struct copy_table tables[COPY_TABLES_MAX];
    int count = copy_tables(tables);
    char sql[160];

    for (int i = 0; i < count; i++) {
        int64_t want = 0, got = 0;
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i].name);
        if (backup_ask(b->from, sql, &want, NULL, 0) != SQLITE_ROW)
            continue; /* an older schema: that table came later */
        int code = backup_ask(b->to, sql, &got, NULL, 0);
        if (code != SQLITE_ROW)
            return backup_fail(b, b->to, code, file);
        if (got != want)
            return err_set(b->e, ERR_CORRUPT, "%s: %s has %lld rows, the copy %lld", file,
                           tables[i].name, (long long)want, (long long)got);
    }
    return 0;
}

static int backup_check(struct backup *b, const char *file)
{
    char verdict[200] = "";

    /* In one file, without a WAL beside it; a server makes one again. */
    int code = sqlite3_exec(b->to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    if (code == SQLITE_OK && b->say)
        b->say("checking the copy");
    if (code == SQLITE_OK)
        code = backup_ask(b->to, "PRAGMA integrity_check(1)", NULL, verdict, sizeof(verdict));
    if (code != SQLITE_ROW)
        return backup_fail(b, b->to, code, file);
    if (strcmp(verdict, "ok") != 0)
        return err_set(b->e, ERR_CORRUPT, "the copy is not sound: %s", verdict);
    code = backup_ask(b->to, "PRAGMA foreign_key_check", NULL, verdict, sizeof(verdict));
    if (code != SQLITE_DONE)
        return err_set(b->e, ERR_CORRUPT, "the copy is not sound: a row of %s has no parent",
                       verdict);
    return check_counts(b, file);
}

/* ---- the file ---- */

/* A new file, for the user's eyes alone. */
static int backup_create(struct backup *b, const char *file)
{
    size_t n = strlen(file) + sizeof(".part");

    if (access(file, F_OK) == 0)
        return err_set(b->e, ERR_CONFLICT, "%s exists already", file);
    char *part = mem_alloc(n);
    snprintf(part, n, "%s.part", file);
    int fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int status = errno == EEXIST
                         ? err_set(b->e, ERR_CONFLICT,
                                   "%s is there: another backup writes it, or one was killed; "
                                   "then remove it",
                                   part)
                         : err_set(b->e, ERR_IO, "cannot make %s: %m", part);
        free(part);
        return status;
    }
    close(fd);
    b->part = part;
    return 0;
}

static int backup_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int status = fd < 0 || fsync(fd) < 0 ? -1 : 0;

    if (fd >= 0)
        close(fd);
    return status;
}

/* It gets its name when its bytes are on the disk; link() does not replace what came meanwhile. */
static int backup_name(struct backup *b, const char *file)
{
    char *dir = mem_strdup(file);
    char *slash = strrchr(dir, '/');
    int status = 0;

    if (slash)
        slash[slash == dir] = '\0';
    if (backup_sync(b->part) < 0 || link(b->part, file) < 0 || backup_sync(slash ? dir : ".") < 0)
        status = err_set(b->e, ERR_IO, "cannot finish %s: %m", file);
    free(dir);
    return status;
}

int sqlite_backup(const char *dir, const char *file, void (*say)(const char *line),
                  struct errbuf *e)
{
    struct backup b = {.say = say, .e = e};

    int status = backup_create(&b, file);
    if (status < 0 || !b.part)
        return status;
    status = backup_open(&b, dir, file);
    if (status == 0)
        status = backup_pages(&b, file);
    if (status == 0)
        status = backup_check(&b, file);
    sqlite3_close(b.from);
    sqlite3_close(b.to);
    if (status == 0)
        status = backup_name(&b, file);
    unlink(b.part);
    free(b.part);
    return status;
}
