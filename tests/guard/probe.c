/* What the guards count from within the server, and what a planted regression does there: a library
 * that tests/guard puts before the server's own (LD_PRELOAD).
 *
 *     server ──malloc, pwrite, fdatasync──> counters ──┐
 *                                                      ├── one page of a file (PROBE_PAGE), which
 *     epoll_pwait <──owed work, marks── mailbox ───────┘   the guard reads and writes
 *
 * The mailbox is looked at when the loop wakes, before libuv hears of it. So a mark is made at a
 * place that the guard knows: before the first request of what is counted, and when the last one
 * has been answered and something wakes the loop once more.
 *
 * Owed work is how a regression is planted: so many more instructions, system calls, allocations,
 * bytes, flushes. The server is none the wiser.
 *
 * The layout of the page is known to lib/probe.mjs, by the order of its numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#define MARK_CALL       1000000000 /* no process has such a number */
#define PAGE_BYTES      4096
#define BLOCK_BYTES     4096 /* of a planted write */
#define HEAP_HEAD_BYTES 8    /* that glibc adds to a block */
#define KERNEL_SIGSET   8    /* bytes, as the kernel has it */

struct page {
    /* Counted. */
    _Atomic uint64_t allocations, file_writes, file_bytes, flushes, turns;
    /* Owed: done once, and then 0 again. */
    _Atomic uint64_t instructions, calls, takes, heap_bytes, written_bytes, flushed;
    /* The mark that is wanted, and the last one that was made. */
    _Atomic uint64_t mark, marked;
};

static struct page nowhere; /* until a page is there */
static struct page *page = &nowhere;

/* glibc's own, whoever wraps them. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

__attribute__((constructor)) static void probe_begin(void)
{
    const char *path = getenv("PROBE_PAGE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *p = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p != MAP_FAILED)
        page = p;
}

/* ---- counted ---- */

void *malloc(size_t n)
{
    page->allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    page->allocations++;
    return __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
    page->allocations++;
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    page->allocations++;
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
    page->allocations++;
    *out = __libc_memalign(alignment, n);
    return *out ? 0 : ENOMEM;
}

/* Only files have an offset, so a socket is never among these. */
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    page->file_writes++;
    page->file_bytes += n;
    return syscall(SYS_pwrite64, fd, p, n, at);
}

int fdatasync(int fd)
{
    page->flushes++;
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    page->flushes++;
    return (int)syscall(SYS_fsync, fd);
}

/* ---- planted ---- */

static void write_owed(uint64_t bytes, uint64_t flushes)
{
    static int fd = -1;
    static const char block[BLOCK_BYTES];
    if (fd < 0)
        fd = memfd_create("planted", MFD_CLOEXEC);
    for (; bytes > 0; bytes -= bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES)
        if (pwrite64(fd, block, bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES, 0) < 0)
            abort(); /* nothing was planted */
    for (; flushes > 0; flushes--)
        fdatasync(fd);
}

/* Never given back, in pieces that the allocator takes from its heap. */
static void keep_owed(uint64_t bytes)
{
    for (; bytes > BLOCK_BYTES; bytes -= BLOCK_BYTES) {
        if (!malloc(BLOCK_BYTES - HEAP_HEAD_BYTES))
            abort();
    }
}

static void pay(void)
{
    /* Two instructions a round. */
    for (uint64_t n = atomic_exchange(&page->instructions, 0) / 2; n > 0; n--)
        __asm__ volatile("");
    for (uint64_t n = atomic_exchange(&page->calls, 0); n > 0; n--)
        syscall(SYS_getppid);
    for (uint64_t n = atomic_exchange(&page->takes, 0); n > 0; n--)
        free(malloc(n));
    keep_owed(atomic_exchange(&page->heap_bytes, 0));
    if (page->written_bytes || page->flushed)
        write_owed(atomic_exchange(&page->written_bytes, 0), atomic_exchange(&page->flushed, 0));
}

/* Counts begin anew; callgrind writes down what it has. (Its zeroing would leave the system calls.)
 */
static void make_mark(void)
{
    uint64_t mark = page->mark;
    if (mark == page->marked)
        return;
    CALLGRIND_DUMP_STATS;
    syscall(SYS_getpgid, MARK_CALL + mark);
    memset(page, 0, offsetof(struct page, instructions));
    page->marked = mark;
}

static int woken(int count)
{
    int saved = errno;
    page->turns++;
    make_mark();
    pay();
    errno = saved;
    return count;
}

int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
    return woken((int)syscall(SYS_epoll_pwait, fd, events, count, timeout, mask, KERNEL_SIGSET));
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    return epoll_pwait(fd, events, count, timeout, NULL);
}
