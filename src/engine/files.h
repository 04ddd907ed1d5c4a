/* A session's files: what is written by its tools, version by version.
 *
 * The contents are rows (records.h: file_row), written with the step that makes them. The session
 * knows each path's newest version and whose content it has, no more: so a step costs the same
 * whatever is in the files, and what a session may keep is counted here.
 *
 *     write_file, list_files   the result of the call is made here, when it comes in (calls.c)
 *     read_file                the shell answers it from the store
 *
 * A write happens with the step that takes the call's result, so it is there exactly once, whatever
 * is tried again.
 */
#ifndef SLUICE_ENGINE_FILES_H
#define SLUICE_ENGINE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct session;
struct work;

#define FILES_PATHS_MAX    500
#define FILES_VERSIONS_MAX 10000
#define FILES_BYTES_MAX    (100 << 20) /* of all versions */
#define FILE_BYTES_MAX     (5 << 20)
#define FILE_REASON_MAX    1000

struct file_entry {
    struct str path; /* heap */
    int64_t version; /* the newest */
    int64_t origin;  /* whose content it has: itself, or an older one that was taken back */
    int64_t size;
    bool deleted;
};
struct file_set {
    struct file_entry *items; /* by path, in the order of bytes */
    unsigned count, cap;
    int64_t bytes, versions; /* of all that was ever written */
};
void files_deinit(struct file_set *f);

/* Relative, parts parted by "/", none of them empty, "." or "..", no control characters, no
 * backslash. ERR_INVALID with a sentence. */
int file_path_check(struct str path, struct errbuf *e);

/* Whether the engine itself makes the result of a call of this tool. */
bool tool_runs_inside(struct str tool);
/* Makes it: *output is JSON in the step's memory. ERR_INVALID, ERR_TOO_LARGE, ERR_NOT_FOUND with a
 * sentence: then nothing has changed. `request` is that of the call, `author` may be NULL. */
int tool_inside(struct session *s, unsigned n, struct json request, struct str author,
                struct str *output, struct errbuf *e);

/* arguments: {path, content, reason?, media_type?}; content null deletes the file, any other value
 * that is no text is written as JSON. */
int file_write(struct session *s, unsigned n, struct json arguments, struct str author,
               struct str *output, struct errbuf *e);

/* Before the start: what the execute brought, as a file whose author is the user. */
void file_attach(struct session *s, struct str path, struct str content, struct str media_type);

/* The files as they are, to be gone back to: a JSON object in the step's memory. */
struct str files_mark(struct session *s);
/* Makes all files as they were at the mark, by new versions; those that did not exist are deleted.
 * Gives how many changed. What is no mark, or names versions that never were, is passed over. */
unsigned files_roll_back(struct session *s, unsigned n, struct json mark, struct str reason);

struct jw;
void files_write(const struct session *s, struct jw *w);  /* into the session's state */
bool files_restore(struct session *s, struct json state); /* false: damaged */

#endif
