/* What a word of a command means: a session, a workflow, a stage. All of them tell what is wrong on
 * standard error, with the candidates where there are several, and give the exit code; 0 is found.
 */
#ifndef SLUICE_CLI_FIND_H
#define SLUICE_CLI_FIND_H

#include "cli/client.h"

/* A session: its id, the beginning of one (4 characters or more), its name or the beginning of one,
 * or `last`. NULL: the active session of this user; when there is none, the only one that is live;
 * several are asked about at a terminal. */
int client_find_session(struct client *c, const char *given, char id[ID_TEXT_BYTES + 1]);
/* The i-th word of a command, else the active session. */
int client_word_session(struct client *c, const struct args *a, int i, char id[ID_TEXT_BYTES + 1]);
/* --session, else the active one. */
int client_option_session(struct client *c, const struct args *a, char id[ID_TEXT_BYTES + 1]);
/* A schedule, as a session: by its id, its name, or their beginning; a webhook in the same way. */
int client_find_schedule(struct client *c, const char *given, char id[ID_TEXT_BYTES + 1]);
int client_find_webhook(struct client *c, const char *given, char id[ID_TEXT_BYTES + 1]);
/* The id, appended. */
int client_find_workflow(struct client *c, const char *given, struct buf *id);

/* "/current", with the user where SLUICE_USER names one. */
void current_path(struct buf *path);
/* The active session, "" when there is none or the server knows none. Tells nothing. */
void current_get(struct client *c, char id[ID_TEXT_BYTES + 1]);
/* Makes it the active one. */
int current_put(struct client *c, const char *id, struct http_reply *r);

struct stage_place {
    char session[ID_TEXT_BYTES + 1];  /* "": not looked up, for the instance was named */
    char instance[ID_TEXT_BYTES + 1]; /* "": it has not begun */
    char *node_id;                    /* NULL: as session */
};
/* A stage of --session or the active session: by its id or name, or their beginning, or by its
 * instance's id. NULL: the one that is open. *p is to be freed with stage_place_deinit(), whatever
 * is returned. */
int client_find_stage(struct client *c, const struct args *a, const char *given,
                      struct stage_place *p);
void stage_place_deinit(struct stage_place *p);
/* Does the word mean a stage of that session? Tells nothing. */
bool client_word_is_stage(struct client *c, const struct args *a, const char *word);

/* ---- hints ---- */

/* A command that can come next, and why; each works as it stands. Not with --json. */
void hint_print(struct client *c, const char *why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A command with the name of a file behind it, quoted where a shell needs that. */
void hint_file(struct client *c, const char *why, const char *command, const char *file);
/* Those of an answer of GET /sessions/{id}/next. */
void hints_tell(struct client *c, struct json answer);
/* What the server says can come next in a session. */
void hints_of_session(struct client *c, const char *id);

#endif
