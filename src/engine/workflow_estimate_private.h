/* What workflow_estimate*.c share.
 *
 *     workflow_estimate.c        how often each node runs, which ways are taken, the sums
 *     workflow_estimate_node.c   what one run of a node takes, by its kind
 *     workflow_estimate_text.c   what expressions see, lengths of texts
 */
#ifndef SLUICE_ENGINE_WORKFLOW_ESTIMATE_PRIVATE_H
#define SLUICE_ENGINE_WORKFLOW_ESTIMATE_PRIVATE_H

#include "base/arena.h"
#include "base/json.h"
#include "engine/workflow_estimate.h"

#define ESTIMATE_WARNINGS_MAX 100
#define ESTIMATE_RUNS_MAX     1e12

struct est_node {
    bool alive;            /* something that is taken leads here */
    bool reached;          /* as far as the walk has come */
    double runs;           /* in all; 0 when not alive */
    double turns;          /* of runs, those that come one after the other */
    double items;          /* of a map: how often its body runs in one run */
    double waves;          /* of these, those that come one after the other */
    struct str first_item; /* of a map, or NULL */
    double calls;          /* of a model, in one run */
    double input, output;  /* tokens of one run */
    double seconds;        /* of one run */
    bool has_cost;
    double cost;       /* of one run */
    struct str result; /* a stand-in for its output, or NULL */
    bool exact;        /* it is its output, as far as the input tells */
    double result_tokens;
    struct str agent, provider, model; /* or NULL */
    int loop;                          /* the innermost loop whose body it is in, or -1 */
};

struct est_agent {
    struct str id;
    unsigned node;
    double runs, input, output, cost; /* of one run; in the end of all */
    bool has_cost;
};

struct est_warning {
    int node; /* or -1 */
    const char *code, *text;
};

struct estimate {
    const struct workflow *w;
    const struct estimate_params *p;
    struct arena arena;
    struct est_node *nodes;
    bool *live; /* of each edge: may be taken */
    uint16_t *order;
    int at;        /* the node that expressions are evaluated for */
    int64_t round; /* whether the loop `at` would end after it is being asked; 0: nothing is */
    bool guessed;  /* the last evaluation has seen something that is not exact */
    struct str input, vars;
    size_t text_left; /* bytes that stand-ins may still take */
    unsigned evals;   /* so far; costly ones count more */
    struct est_agent *agents;
    unsigned agent_count, agent_cap;
    struct est_warning warnings[ESTIMATE_WARNINGS_MAX];
    unsigned warning_count;
};

void est_warn(struct estimate *s, int node, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* What somebody takes in one run of a node. */
void est_agent_add(struct estimate *s, struct est_agent agent);

/* ---- text ---- */

void est_text_init(struct estimate *s); /* input and vars */
double est_tokens(struct str text);
/* Tokens of a template or plain text in a property (a JSON string); 0 when absent. */
double est_template(struct estimate *s, struct json v);
/* The text of a JSON string, unescaped; NULL when it is none. */
struct str est_text(struct estimate *s, struct json v);
/* JSON text in the arena; false when it does not work out. s->guessed: outputs that it has seen
 * are stand-ins, so the run may give something else. */
bool est_eval(struct estimate *s, struct str code, struct str *out);
/* Only what is certain before the run. */
bool est_eval_bool(struct estimate *s, struct str code, bool *out);
/* An object or array whose texts are expressions. */
bool est_eval_tree(struct estimate *s, struct json v, struct str *out);
/* A value that holds to a schema, roughly. */
struct str est_made_up(struct estimate *s, struct json schema);
/* A JSON string of so many tokens. */
struct str est_stand_in(struct estimate *s, double tokens);

/* ---- one node ---- */

/* Fills calls, input, output, seconds, cost and the result of node n; for a switch, closes the
 * ways that the input tells are not taken. */
void est_node_visit(struct estimate *s, unsigned n);
/* The results of nodes that call models: known before anything is rendered. */
void est_node_prepare(struct estimate *s, unsigned n);

static inline struct json est_prop(const struct estimate *s, unsigned n, const char *key)
{
    struct json props = s->w->nodes[n].properties;
    return json_exists(props) ? json_get_set(props, key) : JSON_ABSENT;
}

#endif
