/* What is asked of the person at the terminal while a session is followed: reviews, inputs, and,
 * after Ctrl-C, what should become of the session. Lines in, requests out; the question of the
 * moment is the view's prompt.
 */
#ifndef SLUICE_CLI_ASK_H
#define SLUICE_CLI_ASK_H

#include "cli/client.h"
#include "cli/view.h"

#define ASK_WAITING_MAX 64
#define ASK_ACTIONS_MAX 64

struct ask_waiting { /* a node that waits for a person */
    char *node_id, *interrupt_id, *kind;
    char *actions[ASK_ACTIONS_MAX];
    int action_count;
    char *form_schema; /* JSON, or NULL */
    bool hinted;       /* where to answer was told */
};

enum ask_step {
    ASK_NOTHING,
    ASK_ACTION,  /* which of the actions */
    ASK_COMMENT, /* why it is rejected */
    ASK_CONTENT, /* the changed text, lines until "." */
    ASK_FIELD,   /* one field of a form */
    ASK_SAY,     /* a user_input node */
    ASK_MENU,    /* Ctrl-C was pressed */
    ASK_PAUSED,
};

struct ask {
    struct client *c;
    struct view *v;
    const char *session_id;
    bool enabled; /* somebody is there to be asked */
    enum ask_step step;
    struct ask_waiting waiting[ASK_WAITING_MAX];
    int waiting_count;
    const char *action; /* of waiting[0], while its data are asked for */
    struct buf content; /* lines of ASK_CONTENT; members of the form's object */
    int field;
    bool paused;
    /* Out */
    bool detached;
};

void ask_init(struct ask *a, struct client *c, struct view *v, const char *session_id,
              bool enabled);
void ask_deinit(struct ask *a);
void ask_event(struct ask *a, struct json event);
void ask_line(struct ask *a, struct str line); /* without its newline */
void ask_interrupt(struct ask *a);             /* Ctrl-C */
void ask_eof(struct ask *a);                   /* Ctrl-D */
/* Puts the question that is due on the last line. */
void ask_refresh(struct ask *a);

#endif
