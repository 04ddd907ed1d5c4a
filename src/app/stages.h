/* A session as people see it: its stages in order, how far each is, what is asked of them.
 *
 * It is put together from what is stored: the session's row, the definition that it runs, and its
 * questions (a stage's instance is one). Nothing of it is kept.
 */
#ifndef SLUICE_APP_STAGES_H
#define SLUICE_APP_STAGES_H

#include "app/app.h"

/* Questions of one session that are looked at, the oldest first; beyond them the newest are not
 * seen: a session that asks so often is run by a loop, not by people. */
#define STAGES_PAGES_MAX 20 /* of STORE_LIMIT_MAX */

enum stage_status {
    STAGE_PENDING,
    STAGE_ACTIVE,
    STAGE_COMPLETED,
    STAGE_SKIPPED,
    STAGE_EXPIRED,
    STAGE_CANCELLED,
};
const char *stage_status_word(enum stage_status s);
/* Settled, and not to be done any more? */
static inline bool stage_is_over(enum stage_status s)
{
    return s != STAGE_PENDING && s != STAGE_ACTIVE;
}

struct stage_entry {
    const struct node_def *def;
    double order;                        /* as given, or behind all that have one */
    double weight;                       /* 1 when not given */
    double minutes;                      /* estimated; below 0: not given */
    const struct interrupt_item **items; /* its instances, the oldest first */
    unsigned count, open;                /* open: how many of them are */
    enum stage_status status;            /* of all of them together */
    size_t checked, checks;              /* items of its newest instance, or of the definition */
};

struct stages_page {
    struct stages_page *next;
    struct store_interrupt_list list;
};

struct stages_view {
    struct app *app;
    struct svc_req *req;
    void (*done)(struct stages_view *v);
    struct store_session_get session;
    struct store_workflow_get stored;
    struct workflow *w; /* NULL: nothing runs it here */
    struct stages_page *pages, **pages_tail;
    unsigned page_count;
    struct arena arena;
    struct stage_entry *stages;
    unsigned count;
};

/* Looks req->session_id up and calls `done`; the view is gone when that returns. What fails is
 * answered without it. */
void stages_view_load(struct app *a, struct svc_req *req, void (*done)(struct stages_view *v));

/* Walks the session's questions, the oldest first; begin with NULL. */
const struct interrupt_item *stages_next_item(const struct stages_view *v,
                                              const struct interrupt_item *after);
struct stage_entry *stages_find(struct stages_view *v, struct str node_id); /* or NULL */
const struct interrupt_item *stage_newest(const struct stage_entry *e);     /* or NULL */
enum stage_status stage_status_of(const struct interrupt_row *row);
/* One instance, or, for NULL, the stage as it will be. */
void stage_write_one(struct jw *w, const struct stages_view *v, const struct stage_entry *e,
                     const struct interrupt_item *it);

struct stages_sum {
    unsigned done, total;
    double weight_done, weight_total, minutes_left; /* below 0: nobody has estimated anything */
    double percent;
};
void stages_sum(const struct stages_view *v, struct stages_sum *out);
double stage_share(const struct stage_entry *e); /* 0 to 1 */

#endif
