/* The owner's side: the commands that wait for one session, one after the other.
 *
 *     inbox_look ──> live_want ──> COMMAND_LIST ──> next: svc_command ──> answered
 *                     │ another's      ^                ^                    │ with its delta
 *                     └──> end         │ a full page,   │                    │ refused:
 * COMMAND_DONE │ looked at again└────────────────────┘ └──────────── none left ──> end
 *
 * One at a time, and each is durable before the next begins: so the list is never read while an
 * answer is under way, and nothing is carried out twice by one owner. By two owners it cannot be,
 * for the store refuses the epoch of the former one.
 */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/inbox_code.h"
#include "base/mem.h"

#define TURN_TRIES_MAX 5 /* refused writes in one turn; the next look begins anew */

struct inbox_turn {
    struct app *app;
    struct id session_id;
    uint64_t epoch;
    unsigned tries;
    bool again;    /* more may have come since the list was read */
    bool in_delta; /* the answer is written with what the command changed */
    struct live_want want;
    struct store_command_list list;
    const struct command_row *row; /* the next one */
    int rows_left_of_page;
    /* the one under way */
    struct svc_req req;
    struct id from;
    struct command_row answer;
    struct buf answer_json;
    struct store_command_done done;
};

static void turn_begin(struct inbox_turn *t);
static void turn_next(struct inbox_turn *t);

static void turn_end(struct inbox_turn *t)
{
    store_req_deinit(&t->list.req);
    table_remove(&t->app->inbox.turns, t->session_id);
    buf_deinit(&t->answer_json);
    free(t);
}

/* ---- one command ---- */

static void turn_fill_answer(struct inbox_turn *t)
{
    buf_clear(&t->answer_json);
    inbox_answer_write(&t->answer_json, &t->req);
    t->answer.next = NULL;
    t->answer.command_id = t->row->command_id;
    t->answer.session_id = t->session_id;
    t->answer.http_status = t->req.http_status ? t->req.http_status
                            : t->req.status    ? err_http_status(t->req.status)
                                               : 200;
    t->answer.answer_json = buf_str(&t->answer_json);
}

const struct command_row **inbox_turn_add_answer(struct inbox_turn *t,
                                                 const struct command_row **tail)
{
    turn_fill_answer(t);
    t->in_delta = true;
    *tail = &t->answer;
    return (const struct command_row **)&t->answer.next;
}

/* The answer is durable: tell who asked, go on with the next one. */
static void turn_command_over(struct inbox_turn *t)
{
    struct app *a = t->app;
    struct id command_id = t->row->command_id;
    a->inbox.carried_out++;
    if (id_eq(t->from, a->instances.self))
        inbox_answered(a, command_id);
    else
        instances_nudge(&a->instances, t->from, 'a', command_id);
    t->row = t->row->next;
    svc_req_deinit(&t->req);
    turn_next(t);
}

/* It still waits. What failed may be over at the next look, or the session is another's. */
static void turn_command_put_back(struct inbox_turn *t, bool again)
{
    svc_req_deinit(&t->req);
    if (again && ++t->tries < TURN_TRIES_MAX && !t->app->stopping) {
        store_req_deinit(&t->list.req);
        memset(&t->list, 0, sizeof(t->list));
        turn_begin(t);
    } else {
        turn_end(t);
    }
}

static void turn_refusal_stored(struct store_req *r)
{
    struct inbox_turn *t = r->data;
    int status = r->status;
    store_req_deinit(r);
    if (status)
        turn_command_put_back(t, status == ERR_STALE);
    else
        turn_command_over(t);
}

static void turn_store_refusal(struct inbox_turn *t)
{
    turn_fill_answer(t);
    memset(&t->done, 0, sizeof(t->done));
    store_req_init(&t->done.req, STORE_COMMAND_DONE, turn_refusal_stored, t);
    t->done.session_id = t->session_id;
    t->done.epoch = t->epoch;
    t->done.rows = &t->answer;
    store_submit(t->app->store, &t->done.req);
}

/* Would the same command fare otherwise a moment later? Then this is no answer to keep. */
static bool turn_is_for_now(const struct svc_req *req)
{
    switch (req->status) {
    case ERR_UNAVAILABLE:
    case ERR_OVERLOAD:
    case ERR_IO:
    case ERR_NOMEM:
    case ERR_TIMEOUT:
    case ERR_CANCELLED:
        return true;
    default: /* of all the others the command itself is the cause */
        return false;
    }
}

static void turn_answered(struct svc_req *req)
{
    struct inbox_turn *t = req->data;
    if (req->status == ERR_STALE && !req->error_code) /* not an If-Match's */
        turn_command_put_back(t, true);
    else if (turn_is_for_now(req))
        turn_command_put_back(t, false);
    else if (t->in_delta)
        turn_command_over(t);
    else
        turn_store_refusal(t);
}

static void turn_next(struct inbox_turn *t)
{
    struct errbuf e = {""};
    if (!t->row) {
        bool more = t->again || t->rows_left_of_page == 0;
        store_req_deinit(&t->list.req);
        memset(&t->list, 0, sizeof(t->list));
        if (more)
            turn_begin(t);
        else
            turn_end(t);
        return;
    }
    t->rows_left_of_page--;
    t->in_delta = false;
    svc_req_init(&t->req, SVC_PAUSE);
    t->req.inbox = t;
    t->req.done = turn_answered;
    t->req.data = t;
    int rc = inbox_request_read(t->row->request_json, t->session_id, &t->req, &t->from, &e);
    if (rc)
        app_fail(&t->req, rc, "%s", e.text);
    else if (workspaces_sees(t->app, t->req.workspace, t->session_id) == 0)
        app_fail(&t->req, ERR_NOT_FOUND, "there is no such session"); /* see children.c */
    else
        idempotency_lookup(t->app, &t->req, svc_command);
}

/* ---- the list ---- */

static void turn_listed(struct store_req *r)
{
    struct inbox_turn *t = r->data;
    if (r->status) {
        log_warn("inbox", "the commands of a session could not be read: %s", r->error.text);
        turn_end(t);
        return;
    }
    t->row = t->list.rows;
    if (!t->row && !t->again) {
        turn_end(t);
        return;
    }
    turn_next(t);
}

static void turn_wanted(struct live_want *w, struct live *l, int status, struct errbuf *e)
{
    struct inbox_turn *t = container_of(w, struct inbox_turn, want);
    (void)e;
    if (!l && status != ERR_NOT_FOUND && status != ERR_CONFLICT) {
        turn_end(t);
        return;
    }
    t->epoch = w->epoch;
    t->again = false;
    t->rows_left_of_page = INBOX_PAGE;
    store_req_init(&t->list.req, STORE_COMMAND_LIST, turn_listed, t);
    t->list.session_id = t->session_id;
    t->list.limit = INBOX_PAGE;
    store_submit(t->app->store, &t->list.req);
}

static void turn_begin(struct inbox_turn *t)
{
    t->want.done = turn_wanted;
    live_want(t->app, t->session_id, &t->want);
}

void inbox_look(struct app *a, struct id session_id)
{
    struct inbox_turn *t = table_get(&a->inbox.turns, session_id);
    if (t) {
        t->again = true;
        return;
    }
    if (handover_gives_up(a, session_id))
        return;
    t = mem_zalloc(sizeof(*t));
    t->app = a;
    t->session_id = session_id;
    buf_init(&t->answer_json, 2 * SVC_BODY_MAX);
    table_put(&a->inbox.turns, session_id, t);
    turn_begin(t);
}
