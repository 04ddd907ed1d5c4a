/* A session as one file of JSON lines: what `GET /sessions/{id}/export` gives and
 * `POST /sessions/import` takes (docs/BACKUP.md).
 *
 *     {"sluice_export":1,"session_id":"…"}
 *     {"session":{…}}  {"definition":{…}}
 *     {"event":{…}} …  {"message":{…}} …  {"run":{…}} …  {"interrupt":{…}} …  {"task":{…}} …
 *     {"file":{…}} …   {"usage":{…}} …    {"effect":{…}} …  {"timer":{…}} …  {"withheld":{…}} …
 *     {"end":{"events":n, …,"sha256":"…"}}        over all bytes before this line
 *
 * The order of sections, of rows and of members is fixed, what a row has not is left out, and
 * values stand as they are stored, so that one session has one file. A file is read as strictly:
 * what an export would not have written is refused, hence what was read exports to the same bytes.
 * Pure.
 */
#ifndef SLUICE_APP_PORTABLE_H
#define SLUICE_APP_PORTABLE_H

#include "engine/engine.h"
#include "store/store.h"

#define PORTABLE_VERSION   1
#define PORTABLE_OPEN_MAX  10000       /* timers, interrupts and tasks of an import */
#define PORTABLE_BYTES_MAX (64u << 20) /* of a file; larger: 413, in both directions */

/* ERR_TOO_LARGE. */
int portable_write(const struct session_whole *w, struct buf *out, struct errbuf *e);
/* Rows and texts live in `a`. ERR_INVALID with the number of the line. Of the rows it is known that
 * their members have their types, that they are in order and each once, and what portable_check()
 * looks at. */
int portable_read(struct str text, struct arena *a, struct session_whole *out, struct errbuf *e);

/* Whether rows fit together, as far as no workflow is needed to tell: events up to last_seq, files
 * and their versions, an ended session without anything under way. ERR_INVALID. */
int portable_check(const struct session_whole *w, struct errbuf *e);

/* A session that was live, judged by the engine as stored rows are after a restart; where it had
 * work under way it is paused (reason `imported`) and that is put into its rows, so that nothing of
 * it begins here by itself. Zeroed; what the rows point into lives until portable_live_deinit(),
 * also after an error: ERR_UNPROCESSABLE (its workflow), ERR_INVALID. */
struct portable_live {
    struct workflow *workflow;
    struct session *session;
    struct delta delta;
    bool has_delta;
};
int portable_take_up(struct portable_live *l, struct session_whole *w, struct arena *a,
                     struct expr_vm *vm, struct id_source *ids, const struct engine_rules *rules,
                     struct errbuf *e);
void portable_live_deinit(struct portable_live *l);

/* The steps of a delta of the same session, put into its rows. The delta must outlive them. */
void portable_apply(struct session_whole *w, const struct delta *d, struct arena *a);

#endif
