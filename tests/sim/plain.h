/* Random graphs, and what docs/WORKFLOWS.md says of them, worked out the plain way: everything is
 * looked up anew at every step, nothing is kept that could be stale, nothing is taken from the
 * engine. Slow, and meant to be read beside the section "How a graph runs". */
#ifndef SLUICE_TESTS_SIM_PLAIN_H
#define SLUICE_TESTS_SIM_PLAIN_H

#include "base/buf.h"
#include "dice.h"

#define PLAIN_NODES 64
#define PLAIN_EDGES 160
#define PLAIN_ITEMS 3
#define PLAIN_KEY   80

enum plain_kind {
    PLAIN_START,
    PLAIN_END,
    PLAIN_WORK, /* a script: somebody outside answers */
    PLAIN_REVIEW,
    PLAIN_PARALLEL,
    PLAIN_LOOP,
    PLAIN_SWITCH,
    PLAIN_MAP,
    PLAIN_SEQUENCE,
};
enum plain_condition {
    PLAIN_ALWAYS,
    PLAIN_NEVER,
    PLAIN_HAS_OUTPUT, /* of another node */
    PLAIN_ODD_ROUND,  /* of the innermost loop around */
    PLAIN_EVEN_ITEM,  /* of the innermost map around */
};
struct plain_test {
    enum plain_condition is;
    int node; /* whose output, which loop */
};
enum plain_edge_kind {
    PLAIN_NEXT,
    PLAIN_APPROVE,
    PLAIN_REJECT,
    PLAIN_CASE,
    PLAIN_ELSE,
    PLAIN_ERROR
};
enum plain_on_error { PLAIN_FAIL, PLAIN_CONTINUE, PLAIN_GOTO };
enum plain_item_error { PLAIN_ITEM_FAIL, PLAIN_ITEM_NULL, PLAIN_ITEM_DROP };

struct plain_edge {
    int from, to;
    enum plain_edge_kind kind;
    bool back;
};
struct plain_node {
    char id[8];
    enum plain_kind kind;
    int owner;                     /* the container that it is inside of, or -1 */
    int entry;                     /* of a container */
    struct plain_test when, which; /* which: of a switch */
    int join;                      /* 0: all, -1: any, else so many */
    int limit;                     /* of a parallel, a map; 0: none */
    int rounds, items;             /* of a loop, a map */
    int attempts;
    enum plain_on_error on_error;
    enum plain_item_error on_item_error;
};
struct plain_graph {
    struct plain_node nodes[PLAIN_NODES];
    struct plain_edge edges[PLAIN_EDGES];
    int node_count, edge_count, start;
};

void plain_random(struct dice *d, struct plain_graph *g);
void plain_json(const struct plain_graph *g, struct buf *json);

/* ---- one run ---- */

struct plain_scope;
struct plain_run {
    const struct plain_graph *g;
    struct plain_scope *scopes; /* the root first */
    bool over, failed, was_cut; /* cut: an end has run, and the rest was ended */
    const char *code;           /* of the failure */
    int failed_node;
    char *output;
    struct plain_count {
        char key[PLAIN_KEY];
        int answers;
    } * counts;
    int count_count;
};
void plain_begin(struct plain_run *r, const struct plain_graph *g);
void plain_free(struct plain_run *r);

/* Who waits for somebody outside: "n7" or "n7 m2[1] m5[0]", from the inside out. */
struct plain_wait {
    char key[PLAIN_KEY];
    struct plain_scope *scope;
    int node, answers; /* how often that key was answered before */
};
int plain_waits(struct plain_run *r, struct plain_wait *out, int max); /* sorted by key */
enum plain_answer { PLAIN_DONE, PLAIN_BREAK, PLAIN_YES, PLAIN_NO };
void plain_answer(struct plain_run *r, const struct plain_wait *w, enum plain_answer a,
                  const char *output);

/* Of the session's own graph: "pending", ...; the last output as JSON, or NULL. */
const char *plain_status(const struct plain_run *r, int node);
const char *plain_output(const struct plain_run *r, int node);

#endif
