/* The tools of a session's files that the app answers: read_file from the store. What write_file
 * and list_files give is made by the engine (engine/files.h) when their results come in: here they
 * end at once. */
#ifndef SLUICE_APP_FILE_TOOLS_H
#define SLUICE_APP_FILE_TOOLS_H

#include "app/runner_tools.h"

#define FILE_READ_BYTES_MAX (1 << 20) /* of one call */

void file_tool_read(struct tool_run *t);
void file_tool_inside(struct tool_run *t);

/* content of a file, as the members `encoding` and `content`: text as it is, other bytes in base64,
 * so that they are never what a browser would run. */
struct jw;
void file_content_write(struct jw *w, struct str content);

#endif
