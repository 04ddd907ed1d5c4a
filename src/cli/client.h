/* What every command has: where the server is, how to talk to it, how to show what it said. */
#ifndef SLUICE_CLI_CLIENT_H
#define SLUICE_CLI_CLIENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/http.h"
#include "cli/term.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_SESSION_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_WRONG_STATE = 4,
    EXIT_UNREACHABLE = 5,
    EXIT_NOT_ALLOWED = 6,
    EXIT_DETACHED = 130,
};

struct client {
    struct http *http;
    bool json;   /* for programs: JSON on standard output, nothing else */
    bool hinted; /* the title of the hints was printed */
    bool bare;   /* nothing was printed before them */
    struct term out;
};

/* One request. 0 and a JSON answer in reply->body (checked; may be empty), or the exit code, after
 * the error was told on standard error. */
int client_call(struct client *c, const char *method, const char *path,
                const struct http_body *body, struct http_reply *reply);
/* The same, with a JSON body. */
int client_post(struct client *c, const char *path, struct str json, struct http_reply *reply);
/* The same, or without a body when json is none; nothing is told when it fails. */
int client_try(struct client *c, const char *method, const char *path, struct str json,
               struct http_reply *reply);
/* A GET whose answer need not be JSON. */
int client_get_text(struct client *c, const char *path, struct http_reply *reply);

/* `sluice: <sentence>` on standard error. */
void client_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Walks a list, page by page, until `limit` elements were seen (0: all). path may have a query.
 * With --json the list is printed as it is, and item() is not called. */
int client_each(struct client *c, const char *path, long limit,
                void (*item)(void *data, struct json item), void *data);

/* A list of errors and warnings as POST /workflows/validate gives it, as a table. */
void client_show_issues(struct client *c, struct json verdict, FILE *to);

/* Is the word a path, as against the id of a stored workflow? */
bool client_names_file(const char *word);
/* A definition in a file as JSON, into graph (initialised when it is 0). 0, or the exit code after
 * telling. */
int client_graph_from_file(const char *path, struct buf *graph);
/* A workflow's text as JSON: YAML is converted, JSON checked. `name` is for sentences. */
int workflow_to_json(struct str text, const char *name, struct buf *json, struct errbuf *e);
/* A file as a body: the server reads YAML too, and tells its errors. */
int client_send_file(struct client *c, const char *method, const char *path, const char *file,
                     struct http_reply *r);
int client_tell_stored(struct client *c, const struct http_reply *r); /* "ID version N" */
/* `[ID] FILE`: the file to folder ("/workflows/") and the id, which is the file's unless it is
 * given; tells what was stored. */
int client_update(struct client *c, const struct args *a, const char *method, const char *folder);
void client_show_nodes(struct client *c, struct json nodes); /* a graph's, as a table */
/* The label of a line, in so many columns. */
void line_label(struct client *c, const char *label, int columns, enum style style);
/* --limit as a number; 0 when it is none (after telling). */
long limit_of(const struct args *a, long otherwise);
/* A member as text: strings as they are, null and nothing as "", others as JSON. free() it. */
char *member_text(struct json object, const char *key);
/* A time without its fractions, "" when there is none. */
void member_when(struct json object, const char *key, char out[32]);
void grid_member(struct grid *g, struct json object, const char *key, enum style style);
void grid_status(struct grid *g, struct json object); /* its member "status" */
void grid_time(struct grid *g, struct json object, const char *key);
int64_t member_time(struct json object, const char *key); /* 0: none */

/* --data as it is; --comment as its member "comment". 0, or the exit code after telling. */
int answer_data(const struct args *a, struct buf *out);
/* POST /sessions/<id>/<what>, and the status that it answers. The exit code. */
int session_post(struct client *c, const char *id, const char *what, struct str body);

/* Starts a stage, as client_find_stage() finds it, and tells what came of it. */
int client_stage_start(struct client *c, const struct args *a, const char *word);

/* A file's bytes, `-` is standard input. ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO; e says what. */
int file_read(const char *path, struct buf *out, struct errbuf *e);

#endif
