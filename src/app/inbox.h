/* The inbox: commands for a session that another instance owns.
 *
 *     the instance that was asked                       the owner
 *     ───────────────────────────                       ─────────
 *     COMMAND_PUT ──> session_commands
 *     "c:session" on n:<owner>  ─────────────────────>  a turn: COMMAND_LIST, one after the other
 *        looks every 250 ms, tries to claim the           carried out; the answer is written in the
 *        session itself when its owner has gone           transaction of what it changed
 *     <─────────────────────────  "a:command" on n:<asker>
 *     COMMAND_GET, the client is answered
 *
 * A message that is lost costs a quarter of a second. A command takes effect at most once, for the
 * store refuses a transaction that answers an answered command; and at least once, for it stands in
 * the store until it is answered, and every owner looks when it takes a session up.
 */
#ifndef SLUICE_APP_INBOX_H
#define SLUICE_APP_INBOX_H

#include <uv.h>

#include "base/id.h"
#include "base/list.h"
#include "base/table.h"
#include "engine/records.h"

struct app;
struct svc_req;
struct inbox_turn;

#define INBOX_LOOK_MS   250
#define INBOX_WAIT_MS   10000 /* then 503; the command still stands */
#define INBOX_WAITS_MAX 10000 /* clients that wait for other owners; more: 429 */
#define INBOX_PAGE      100   /* commands of one session read at once */

struct inbox {
    struct app *app;
    struct list waits;  /* struct inbox_wait: asked here, carried out elsewhere */
    struct table turns; /* struct inbox_turn by session: carried out here */
    uv_timer_t look;    /* runs while something waits */
    unsigned waiting;
    int64_t look_ms, wait_ms; /* as above; tests have less patience */
    unsigned long long sent, carried_out;
};

void inbox_open(struct inbox *in, struct app *a);
void inbox_close(struct inbox *in); /* after inbox_stop() */
void inbox_deinit(struct inbox *in);
/* Writes the command down for its owner; the request is done when it is answered, or in time. */
void inbox_send(struct app *a, struct svc_req *req, struct id owner);
/* The command was answered, as its owner says. */
void inbox_answered(struct app *a, struct id command_id);
/* Carries out what waits for this session, if it can be had here. */
void inbox_look(struct app *a, struct id session_id);
/* The server stops: whoever waits is told that the command stands. */
void inbox_stop(struct inbox *in);

/* For the journal: links the answer of the turn's command in at *tail and gives the next tail. */
const struct command_row **inbox_turn_add_answer(struct inbox_turn *t,
                                                 const struct command_row **tail);

#endif
