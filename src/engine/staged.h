/* Staged files: work of people as a list of stages and the ways between them, turned into a
 * workflow. The one place that knows the format; pure: the same text gives the same bytes.
 *
 *     {id, name, description, type, version, source_rule,
 *      stages: [{id, name, description, order, checklist, deliverables,
 *                weight?, estimated_minutes?, depends_on?, conditions?, allow_skip?}],
 *      transitions: [{from, to, condition?, label?}]}
 *
 * Every stage becomes a `stage` node of the same id. What is decided behind it becomes a `switch`
 * (conditions that are expressions) or a `human_review` (conditions that people judge). The file,
 * repaired where it had to be, stands in the workflow's metadata.staged, so that nothing of it is
 * lost: source_rule, order, version, conditions as written, members that nobody knows.
 *
 * Reading and repairing are one pass: what is wrong is an issue, and most issues have a fix, which
 * is carried out in what was read. Without `fix` the errors among them refuse the file; with it
 * only those that have none do. docs/STAGES.md lists them.
 */
#ifndef SLUICE_ENGINE_STAGED_H
#define SLUICE_ENGINE_STAGED_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#define STAGED_STAGES_MAX      300
#define STAGED_TRANSITIONS_MAX 2000
#define STAGED_ISSUES_MAX      500 /* told; what is beyond is counted and fixed all the same */
#define STAGED_BYTES_MAX       (16u << 20)

struct expr_vm;

struct staged_issue {
    bool is_error; /* else a warning */
    struct str path, code, message;
    struct str fix; /* what was, or would be, done about it; NULL: nothing can be */
};

struct staged_result {
    struct arena arena;
    struct staged_issue *issues; /* in document order, more or less */
    unsigned count;
    unsigned errors;   /* errors that refuse the file */
    struct buf staged; /* JSON: the file, repaired */
    struct buf native; /* JSON: the workflow; empty when refused */
};
void staged_result_init(struct staged_result *r);
void staged_result_deinit(struct staged_result *r);

/* Is it a staged file, rather than a workflow? It has stages and no nodes. */
bool staged_is(struct json root);

/* `json` passed json_check() and staged_is(). 0: r->native validates. ERR_UNPROCESSABLE: r->errors
 * > 0. vm checks expressions. */
int staged_convert(struct str json, bool fix, struct expr_vm *vm, struct staged_result *r);

/* {errors: […], warnings: […]} (and, with `fixes`, {fixes: […]}: what was done) into the members of
 * an open object; each {path, code, message, fix?}. */
struct jw;
void staged_write_issues(struct jw *w, const struct staged_result *r, bool fix);
/* {valid, format: "staged", errors, warnings, fixes?, staged?, workflow?}: what a validation says.
 */
void staged_write_verdict(const struct staged_result *r, bool fix, struct buf *out);

#endif
