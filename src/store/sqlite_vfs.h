/* How the store's connections write their files: SQLite's own file system, with two differences.
 *
 * SQLite writes a WAL in two calls for each page, a header of 24 bytes and the page behind it. Here
 * what follows on from what was written just before is kept, and given to the system in one call,
 * at the latest before anything that could tell the difference: a sync, a read, a look at the
 * size. A commit's sync therefore writes all of it and then flushes, and SQLite tells other
 * connections of frames only after that sync.
 *
 * That holds with synchronous = FULL, where every commit syncs the WAL: a connection that writes
 * with less must not use it. A write that fails is reported by the sync, as a commit that failed.
 *
 * And SQLite gives a checkpoint's pages to the system one by one and flushes them all at its end:
 * ten megabytes, which a commit that comes meanwhile waits for, since a disk has one queue. The
 * connection that copies beside the writer flushes after each SQLITE_VFS_PORTION of them. More
 * flushes than SQLite asks for are never less durable. */
#ifndef SLUICE_STORE_SQLITE_VFS_H
#define SLUICE_STORE_SQLITE_VFS_H

#define SQLITE_VFS_NAME       "sluice"
#define SQLITE_VFS_CHECKPOINT "sluice-checkpoint" /* which flushes in portions */
#define SQLITE_VFS_PORTION    (1 << 20)           /* bytes: a millisecond or two of a disk */

/* Registers both, beside SQLite's own, which stays the default; once in a process. An SQLite code.
 */
int sqlite_vfs_register(void);

#endif
