#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int file_append_fd(int fd, const char *name, struct buf *out, struct errbuf *e)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, ERR_IO, "%s: %s", name, strerror(errno));
        if (buf_append(out, chunk, (size_t)n))
            return err_set(e, ERR_TOO_LARGE, "%s is larger than %zu bytes", name, out->max);
    }
}

int file_append(const char *path, struct buf *out, struct errbuf *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                       strerror(errno));
    int rc = file_append_fd(fd, path, out, e);
    close(fd);
    return rc;
}
