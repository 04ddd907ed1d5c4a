/* Stages as people read them: the table of all, and one with its items. */
#ifndef SLUICE_CLI_STAGE_VIEW_H
#define SLUICE_CLI_STAGE_VIEW_H

#include "cli/client.h"

/* "1 done, 1 active, 2 pending · 25 %", of GET /sessions/{id}/progress. */
void progress_line(struct json progress, struct buf *out);
/* "#####---------------" */
void progress_bar(double percent, char out[24]);
/* Its stages with their times. */
void progress_table(struct client *c, struct json progress);
/* One instance, as GET /stages/{id} gives it: items, deliverables, what is noted. */
void stage_print(struct client *c, struct json stage);

#endif
