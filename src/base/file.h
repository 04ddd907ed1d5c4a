/* Reading whole files that a person named. */
#ifndef SLUICE_BASE_FILE_H
#define SLUICE_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the file's bytes to out, up to out's maximum. ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE: e
 * says why, with the path in front; what was read so far stays in out. */
int file_append(const char *path, struct buf *out, struct errbuf *e);
/* The same of an open descriptor, to its end; `name` is for the sentence. */
int file_append_fd(int fd, const char *name, struct buf *out, struct errbuf *e);

#endif
