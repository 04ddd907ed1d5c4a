/* JSON text to YAML (libyaml's emitter), for people to read and edit: yaml_to_json() gives the same
 * value back, members in the same order, numbers with the same digits.
 *
 * Strings that would read as something else (numbers, dates, yes, no, null) are quoted; texts of
 * several lines stand as blocks, long lines are folded; short lists of scalars stand in brackets.
 */
#ifndef SLUICE_BASE_YAML_WRITE_H
#define SLUICE_BASE_YAML_WRITE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends. The text has passed json_check(). ERR_TOO_LARGE (out's maximum), ERR_INTERNAL (what was
 * written does not read back), ERR_NOMEM; nothing is appended then. */
int json_to_yaml(struct str json, struct buf *out, struct errbuf *e);

/* The same JSON, two spaces a level, a newline at the end. */
int json_layout(struct str json, struct buf *out);

#endif
