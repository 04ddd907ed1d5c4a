#include "engine/state.h"

#include <stddef.h>

#include "base/buf.h"

#define BIT(x) (1u << (x))

struct state_row {
    const char *word;
    unsigned moves; /* bit set of the states one may move to */
};

static const struct state_row sessions[] = {
    [SESSION_PENDING] = {"pending", BIT(SESSION_RUNNING) | BIT(SESSION_COMPLETED) |
                                        BIT(SESSION_FAILED) | BIT(SESSION_CANCELLED)},
    [SESSION_RUNNING] = {"running", BIT(SESSION_PAUSED) | BIT(SESSION_COMPLETED) |
                                        BIT(SESSION_FAILED) | BIT(SESSION_CANCELLED)},
    [SESSION_PAUSED] = {"paused", BIT(SESSION_RUNNING) | BIT(SESSION_COMPLETED) |
                                      BIT(SESSION_FAILED) | BIT(SESSION_CANCELLED)},
    [SESSION_COMPLETED] = {"completed", 0},
    [SESSION_FAILED] = {"failed", 0},
    [SESSION_CANCELLED] = {"cancelled", 0},
};

static const struct state_row nodes[] = {
    [NODE_PENDING] = {"pending", BIT(NODE_RUNNING) | BIT(NODE_SKIPPED)},
    [NODE_RUNNING] = {"running", BIT(NODE_SUSPENDED) | BIT(NODE_COMPLETED) | BIT(NODE_FAILED)},
    [NODE_SUSPENDED] = {"suspended", BIT(NODE_RUNNING) | BIT(NODE_FAILED)},
    [NODE_COMPLETED] = {"completed", 0},
    [NODE_FAILED] = {"failed", 0},
    [NODE_SKIPPED] = {"skipped", 0},
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static int state_find(const struct state_row *rows, size_t count, struct str word)
{
    for (size_t i = 0; i < count; i++)
        if (str_eqz(word, rows[i].word))
            return (int)i;
    return -1;
}

const char *session_status_word(enum session_status s)
{
    return sessions[s].word;
}

const char *node_status_word(enum node_status s)
{
    return nodes[s].word;
}

bool session_status_parse(struct str word, enum session_status *out)
{
    int i = state_find(sessions, ROWS(sessions), word);
    if (i >= 0)
        *out = (enum session_status)i;
    return i >= 0;
}

bool node_status_parse(struct str word, enum node_status *out)
{
    int i = state_find(nodes, ROWS(nodes), word);
    if (i >= 0)
        *out = (enum node_status)i;
    return i >= 0;
}

bool session_status_is_terminal(enum session_status s)
{
    return sessions[s].moves == 0;
}

bool session_move_is_legal(enum session_status from, enum session_status to)
{
    return (sessions[from].moves & BIT(to)) != 0;
}

bool node_move_is_legal(enum node_status from, enum node_status to)
{
    return (nodes[from].moves & BIT(to)) != 0;
}
