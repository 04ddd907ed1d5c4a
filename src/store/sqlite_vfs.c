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

static sqlite3_vfs wal_vfs, checkpoint_vfs;

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

/* ---- the database, of who copies the WAL there ---- */

/* Before the system's own file, as above. */
struct main_file {
    sqlite3_file base;
    sqlite3_file *real;
    int dirty; /* bytes that were written since the last flush */
};

static struct main_file *main_of(sqlite3_file *file)
{
    return (struct main_file *)file;
}

static int main_sync(sqlite3_file *file, int flags)
{
    struct main_file *f = main_of(file);

    f->dirty = 0;
    return f->real->pMethods->xSync(f->real, flags);
}

static int main_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    struct main_file *f = main_of(file);
    int code = f->real->pMethods->xWrite(f->real, bytes, n, offset);

    if (code != SQLITE_OK)
        return code;
    f->dirty += n;
    return f->dirty < SQLITE_VFS_PORTION ? SQLITE_OK : main_sync(file, SQLITE_SYNC_NORMAL);
}

#define MAIN_CALL(name, ...)                                                                       \
    struct main_file *f = main_of(file);                                                           \
    return f->real->pMethods->name(f->real, ##__VA_ARGS__)

static int main_close(sqlite3_file *file)
{
    MAIN_CALL(xClose);
}

static int main_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
    MAIN_CALL(xRead, to, n, offset);
}

static int main_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    MAIN_CALL(xTruncate, size);
}

static int main_size(sqlite3_file *file, sqlite3_int64 *size)
{
    MAIN_CALL(xFileSize, size);
}

static int main_lock(sqlite3_file *file, int lock)
{
    MAIN_CALL(xLock, lock);
}

static int main_unlock(sqlite3_file *file, int lock)
{
    MAIN_CALL(xUnlock, lock);
}

static int main_check_lock(sqlite3_file *file, int *out)
{
    MAIN_CALL(xCheckReservedLock, out);
}

static int main_control(sqlite3_file *file, int op, void *arg)
{
    MAIN_CALL(xFileControl, op, arg);
}

static int main_sector(sqlite3_file *file)
{
    MAIN_CALL(xSectorSize);
}

static int main_traits(sqlite3_file *file)
{
    MAIN_CALL(xDeviceCharacteristics);
}

static int main_shm_map(sqlite3_file *file, int page, int bytes, int extend, void volatile **out)
{
    MAIN_CALL(xShmMap, page, bytes, extend, out);
}

static int main_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    MAIN_CALL(xShmLock, offset, n, flags);
}

static void main_shm_barrier(sqlite3_file *file)
{
    main_of(file)->real->pMethods->xShmBarrier(main_of(file)->real);
}

static int main_shm_unmap(sqlite3_file *file, int is_last)
{
    MAIN_CALL(xShmUnmap, is_last);
}

/* Version 2 has shared memory, 3 would be a memory map, which no connection uses. */
static const sqlite3_io_methods main_methods = {
    .iVersion = 2,
    .xClose = main_close,
    .xRead = main_read,
    .xWrite = main_write,
    .xTruncate = main_truncate,
    .xSync = main_sync,
    .xFileSize = main_size,
    .xLock = main_lock,
    .xUnlock = main_unlock,
    .xCheckReservedLock = main_check_lock,
    .xFileControl = main_control,
    .xSectorSize = main_sector,
    .xDeviceCharacteristics = main_traits,
    .xShmMap = main_shm_map,
    .xShmLock = main_shm_lock,
    .xShmBarrier = main_shm_barrier,
    .xShmUnmap = main_shm_unmap,
};

/* ---- the file system ---- */

/* Opens the system's own behind ours; with methods SQLite closes it, also after a failure. */
static int vfs_open_real(sqlite3_vfs *system, const char *name, sqlite3_file *real,
                         sqlite3_file *ours, const sqlite3_io_methods *methods, int flags, int *got)
{
    real->pMethods = NULL;
    int code = system->xOpen(system, name, real, flags, got);
    ours->pMethods = real->pMethods ? methods : NULL;
    return code;
}

/* All other files are the system's own, in the same memory. The default is looked for each time: a
 * process may have put another one before it. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *got)
{
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    /* As for the larger of ours, so that what follows is aligned for either. */
    sqlite3_file *real = (sqlite3_file *)(wal_of(file) + 1);

    if (!system || (int)sizeof(struct wal_file) + system->szOsFile > vfs->szOsFile) {
        file->pMethods = NULL;
        return SQLITE_CANTOPEN;
    }
    if (flags & SQLITE_OPEN_WAL) {
        *wal_of(file) = (struct wal_file){.real = real};
        return vfs_open_real(system, name, real, file, &wal_methods, flags, got);
    }
    if (vfs == &checkpoint_vfs && (flags & SQLITE_OPEN_MAIN_DB)) {
        *main_of(file) = (struct main_file){.real = real};
        return vfs_open_real(system, name, real, file, &main_methods, flags, got);
    }
    return system->xOpen(system, name, file, flags, got);
}

_Static_assert(sizeof(struct main_file) <= sizeof(struct wal_file), "room before the real file");

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
    checkpoint_vfs = wal_vfs;
    checkpoint_vfs.zName = SQLITE_VFS_CHECKPOINT;
    int code = sqlite3_vfs_register(&wal_vfs, 0);
    return code == SQLITE_OK ? sqlite3_vfs_register(&checkpoint_vfs, 0) : code;
}
