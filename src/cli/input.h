/* The input of a session from the command line: `--input k=v`, a file, and questions for what the
 * workflow's input_schema requires and nobody gave. */
#ifndef SLUICE_CLI_INPUT_H
#define SLUICE_CLI_INPUT_H

#include "cli/client.h"

/* One property of an object's schema, as a question. */
struct input_field {
    char *name, *title, *type; /* type: "string" when the schema does not say one */
    struct json fallback;      /* its default, or absent; within the schema's text */
    struct json words;         /* its enum, or absent */
    bool required;
};

bool input_field_nth(struct json schema, int n, struct input_field *f);
void input_field_deinit(struct input_field *f);
/* `Question [Should we …]: `, for a prompt. */
void input_field_ask(const struct input_field *f, struct buf *out);
/* Appends `"name":value` (with a comma when out has something) from what was typed; an empty line
 * takes the default, or leaves out what is not required. ERR_INVALID: e says what it must be. */
int input_field_write(const struct input_field *f, struct str typed, struct buf *out,
                      struct errbuf *e);

/* Appends the input object: --input-json, then --input over it, then defaults or questions for
 * required properties that are missing. 0, or the exit code after telling. */
int input_build(struct client *c, const struct args *a, struct json schema, struct buf *out);

/* NAME=VALUE of an option that repeats, as the member `key` of the object that is being written;
 * nothing when it was not given. as_json: a value that is JSON is taken as such, else all are text.
 * 0, or the exit code after telling. */
int pairs_write(const struct args *a, const char *option, const char *key, bool as_json,
                struct jw *w);

#endif
