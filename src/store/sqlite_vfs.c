#include "store/sqlite_vfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define WAL_KEEP_BYTES (128u << 10) /* a commit of thirty pages; more goes in several calls */

/* The memory that SQLite gives has room for this and, behind it, for its own file. */
struct wal_file {
    sqlite3_file base;
    sqlite3_file *real;
    char *kept; /* WAL_KEEP_BYTES, from the first write on */
    size_t count;
    sqlite3_int64 offset; /* of kept[0] */
};

static sqlite3_vfs wal_vfs;

static struct wal_file *wal_of(sqlite3_file *file)
{
    return (struct wal_file *)file;
}

static int wal_flush(struct wal_file *f)
{
    size_t n = f->count;

    f->count = 0; /* also when it fails: its transaction is rolled back */
    return n > 0 ? f->real->pMethods->xWrite(f->real, f->kept, (int)n, f->offset) : SQLITE_OK;
}

static int wal_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    struct wal_file *f = wal_of(file);
    size_t count = (size_t)n;

    if (f->count > 0 &&
        (offset != f->offset + (sqlite3_int64)f->count || f->count + count > WAL_KEEP_BYTES)) {
        int code = wal_flush(f);
        if (code != SQLITE_OK)
            return code;
    }
    if (count > WAL_KEEP_BYTES)
        return f->real->pMethods->xWrite(f->real, bytes, n, offset);
    if (!f->kept)
        f->kept = mem_alloc(WAL_KEEP_BYTES);
    if (f->count == 0)
        f->offset = offset;
    memcpy(f->kept + f->count, bytes, count);
    f->count += count;
    return SQLITE_OK;
}

static int wal_close(sqlite3_file *file)
{
    struct wal_file *f = wal_of(file);
    int flushed = wal_flush(f), code = f->real->pMethods->xClose(f->real);

    free(f->kept);
    f->kept = NULL;
    return flushed != SQLITE_OK ? flushed : code;
}

/* What looks at the file: first all of it is there. */
#define WAL_CALL(name, ...)                                                                        \
    struct wal_file *f = wal_of(file);                                                             \
    int code = wal_flush(f);                                                                       \
    return code != SQLITE_OK ? code : f->real->pMethods->name(f->real, __VA_ARGS__)

static int wal_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
    WAL_CALL(xRead, to, n, offset);
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    WAL_CALL(xTruncate, size);
}

static int wal_sync(sqlite3_file *file, int flags)
{
    WAL_CALL(xSync, flags);
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *size)
{
    WAL_CALL(xFileSize, size);
}

static int wal_lock(sqlite3_file *file, int lock)
{
    WAL_CALL(xLock, lock);
}

static int wal_unlock(sqlite3_file *file, int lock)
{
    WAL_CALL(xUnlock, lock);
}

static int wal_check_lock(sqlite3_file *file, int *out)
{
    WAL_CALL(xCheckReservedLock, out);
}

static int wal_control(sqlite3_file *file, int op, void *arg)
{
    WAL_CALL(xFileControl, op, arg);
}

static int wal_sector(sqlite3_file *file)
{
    return wal_of(file)->real->pMethods->xSectorSize(wal_of(file)->real);
}

static int wal_traits(sqlite3_file *file)
{
    return wal_of(file)->real->pMethods->xDeviceCharacteristics(wal_of(file)->real);
}

/* A WAL has no shared memory, and is never mapped: version 1 is all that is called. */
static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_lock,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector,
    .xDeviceCharacteristics = wal_traits,
};

/* All files but a WAL are the system's own, in the same memory. The default is looked for each
 * time: a process may have put another one before it. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *got)
{
    struct wal_file *f = wal_of(file);
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);

    if (!system || (int)sizeof(*f) + system->szOsFile > vfs->szOsFile) {
        file->pMethods = NULL;
        return SQLITE_CANTOPEN;
    }
    if (!(flags & SQLITE_OPEN_WAL))
        return system->xOpen(system, name, file, flags, got);
    *f = (struct wal_file){.real = (sqlite3_file *)(f + 1)};
    f->real->pMethods = NULL;
    int code = system->xOpen(system, name, f->real, flags, got);
    /* With methods SQLite closes it, also after a failure. */
    f->base.pMethods = f->real->pMethods ? &wal_methods : NULL;
    return code;
}

int sqlite_vfs_register(void)
{
    const sqlite3_vfs *system = sqlite3_vfs_find(NULL);

    if (!system)
        return SQLITE_ERROR;
    wal_vfs = *system; /* everything else is its own */
    wal_vfs.pNext = NULL;
    wal_vfs.zName = SQLITE_VFS_NAME;
    wal_vfs.szOsFile = (int)sizeof(struct wal_file) + system->szOsFile;
    wal_vfs.xOpen = vfs_open;
    return sqlite3_vfs_register(&wal_vfs, 0);
}
