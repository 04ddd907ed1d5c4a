/* Session and node states, as tables: who may move where, and the words of the contract.
 *
 *     session   pending ──> running <──> paused
 *               pending, running, paused ──> completed | failed | cancelled     (terminal)
 *     node      pending ──> running ──> completed | failed
 *               pending ──> skipped      running <──> suspended
 *               suspended ──> failed     (timeout, cancel)
 *
 * A node that is started again (back edge) gets a new node run in `pending`; runs never move back.
 */
#ifndef SLUICE_ENGINE_STATE_H
#define SLUICE_ENGINE_STATE_H

#include <stdbool.h>

#include "base/buf.h"

enum session_status {
    SESSION_PENDING,
    SESSION_RUNNING,
    SESSION_PAUSED,
    SESSION_COMPLETED,
    SESSION_FAILED,
    SESSION_CANCELLED,
};

enum node_status {
    NODE_PENDING,
    NODE_RUNNING,
    NODE_SUSPENDED,
    NODE_COMPLETED,
    NODE_FAILED,
    NODE_SKIPPED,
};

const char *session_status_word(enum session_status s);
const char *node_status_word(enum node_status s);
bool session_status_parse(struct str word, enum session_status *out);
bool node_status_parse(struct str word, enum node_status *out);
bool session_status_is_terminal(enum session_status s);
bool session_move_is_legal(enum session_status from, enum session_status to);
bool node_move_is_legal(enum node_status from, enum node_status to);

#endif
