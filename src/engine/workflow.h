/* A workflow's definition: parsed, validated, immutable, shared by the sessions that run it.
 *
 * The text (JSON; YAML is turned into JSON before, base/yaml.h) is kept, and properties are views
 * into it. Nodes and edges are arrays; a node is known by its index. Validation reports every error
 * it finds, each with the path in the document ("nodes.judge.next_ids[0]"), a code and a sentence.
 *
 * Edges. next_ids, routes, switch cases and on_error targets are edges. A back edge leads to an
 * ancestor on the depth-first walk from the start (edges in the order written), or from behind a
 * loop into its body; all others are forward edges and form a DAG. Joins look at forward edges
 * only.
 *
 * Containers. The members of a map or a sequence are nodes of the document like others, but no edge
 * leads in or out: their graph is compiled on its own (node_def.inner). The document's own graph is
 * that of the nodes with owner -1; nothing in it reaches a member.
 */
#ifndef SLUICE_ENGINE_WORKFLOW_H
#define SLUICE_ENGINE_WORKFLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "engine/rules.h"

#define WORKFLOW_NODES_MAX  1000 /* reachability is kept as bit sets: 2 x n x n bits */
#define WORKFLOW_EDGES_MAX  8000
#define WORKFLOW_ISSUES_MAX 100 /* errors and warnings reported at once */
#define WORKFLOW_DEPTH_MAX  8   /* containers in containers */

enum node_kind {
    KIND_START,
    KIND_END,
    KIND_LLM,
    KIND_AGENT,
    KIND_TRANSFORM,
    KIND_SWITCH,
    KIND_PARALLEL,
    KIND_LOOP,
    KIND_HUMAN_REVIEW,
    KIND_USER_INPUT,
    KIND_WAIT,
    KIND_SCRIPT,
    KIND_TOOL,
    KIND_SIGNAL,
    KIND_STAGE,
    KIND_TASK,
    KIND_SUBWORKFLOW,
    KIND_MAP,
    KIND_SEQUENCE,
    KIND_VOTE,
    KIND_FACT_CHECK,
    KIND_CONTEXT_SYNTH,
    KIND_MEMORY_RETRIEVAL,
    KIND_PLUGIN, /* a type that workflow_add_type() has made known */
    KIND_COUNT,
};
const char *node_kind_word(enum node_kind k);

/* A node type that comes with a plugin. */
struct plugin_type {
    char name[NAME_BYTES_MAX + 1];   /* "acme.reverse" */
    char plugin[NAME_BYTES_MAX + 1]; /* whose it is */
    struct json schema;              /* of its properties */
};
/* Makes a type known. At start, before the first workflow is parsed, on one thread; for good. The
 * schema's text must last. ERR_CONFLICT: there is one of that name. ERR_INVALID: the schema is none
 * that is understood. ERR_OVERLOAD: too many. */
int workflow_add_type(const char *plugin, const char *name, struct str schema, struct errbuf *e);
const struct plugin_type *workflow_types(unsigned *count);

enum edge_kind { EDGE_NEXT, EDGE_ROUTE, EDGE_CASE, EDGE_DEFAULT, EDGE_ERROR };

struct edge {
    uint16_t from, to; /* node indexes */
    enum edge_kind kind;
    bool back;
    struct str label; /* of a route: "approve" */
    uint16_t ordinal; /* position in next_ids or cases */
};

enum join_kind { JOIN_ALL, JOIN_ANY, JOIN_COUNT };
enum on_error { ON_ERROR_FAIL, ON_ERROR_CONTINUE, ON_ERROR_GOTO };

struct retry_policy {
    unsigned max_attempts; /* 1: no retry */
    int64_t initial_ms, max_ms;
    double multiplier;
    struct json on; /* array of codes, or absent: any but invalid_* */
};

struct node_def {
    struct str id, name; /* name: the id when not given */
    enum node_kind kind;
    struct str when; /* expression, or NULL */
    enum join_kind join;
    unsigned join_count;
    struct retry_policy retry;
    int64_t timeout_ms; /* 0: none */
    enum on_error on_error;
    const struct plugin_type *plugin; /* of KIND_PLUGIN */
    struct json properties;           /* object, or absent */
    uint16_t *out, *in;               /* edge indexes; out in the order written, in ascending */
    unsigned out_count, in_count;
    struct str branch; /* head of the innermost parallel branch it lies in, or NULL */
    /* Containers (map, sequence). A member stands twice: in the document's nodes and edges, as all
     * do, and in the graph of its container, under numbers of its own. */
    uint16_t doc;           /* its number in the document */
    int owner;              /* the container that it is a member of, by its doc, or -1 */
    uint16_t local;         /* its number in that container's graph, else doc */
    struct workflow *inner; /* of a container: the graph of its members; start is the entry */
};

struct workflow {
    unsigned refs;
    struct workflow *doc;                   /* of a container's graph: the document; else itself */
    struct str id, name, type, description; /* id NULL: inline without one */
    struct str group_id;                    /* of sessions that are given none; NULL: none */
    int64_t version;                        /* set by the caller; 0: inline */
    struct str text;                        /* the JSON it was parsed from */
    char checksum[65];                      /* of it, of a stored one; the app's (plans.h) */
    struct json input_schema, vars;         /* or absent */
    struct breaker_limits breakers;         /* below 0: the server's */
    struct node_def *nodes;
    unsigned node_count;
    struct edge *edges;
    unsigned edge_count;
    uint16_t start;
    /* reach_forward[a * words + b/64]: is b reached from a over forward edges (a itself included)?
     * reach_any: over any edges, at least one step. */
    uint64_t *reach_forward, *reach_any;
    unsigned words;
    uint16_t *by_id; /* node indexes, sorted by id: workflow_find() */
    struct arena arena;
};

struct workflow_issue {
    const char *severity; /* "error", "warning" */
    struct str node_id;   /* or NULL */
    struct str path, code, message;
};
struct workflow_issues {
    struct arena arena;
    struct workflow_issue *items;
    unsigned count, errors; /* errors <= count; the rest are warnings */
};
void workflow_issues_init(struct workflow_issues *w);
void workflow_issues_deinit(struct workflow_issues *w);

struct expr_vm;
/* Parses and validates JSON that passed json_check(). 0 and *out (one reference, the text copied),
 * or ERR_UNPROCESSABLE with issues->errors > 0. Warnings may come with either. vm checks
 * expressions. */
int workflow_parse(struct str json, struct expr_vm *vm, struct workflow **out,
                   struct workflow_issues *issues);
struct workflow *workflow_ref(struct workflow *w); /* loop thread only */
void workflow_unref(struct workflow *w);           /* NULL is fine */

int workflow_find(const struct workflow *w, struct str id); /* node index, or -1 */
bool workflow_reaches_forward(const struct workflow *w, unsigned from, unsigned to);
bool workflow_reaches(const struct workflow *w, unsigned from, unsigned to);

/* The stored agent that a node, or a voter of a vote, needs: an agent node with an agent_id and no
 * persona; a voter who is a name alone, and not of an agent node that has a persona. Else NULL. */
struct str workflow_node_agent(const struct node_def *n);
struct str workflow_voter_agent(const struct workflow *w, struct json voter);
/* Walks all of them; begin with zeroes. An id may come several times. */
struct workflow_agent {
    unsigned node; /* whose it is */
    struct str id;
    unsigned voter; /* private */
};
bool workflow_agent_next(const struct workflow *w, struct workflow_agent *it);

/* What a reviewer may answer at a human_review node, in the order to offer it; returns how many.
 * `actions` if given; else by review_type: approve, reject (approve_reject), approve, modify,
 * reject (edit_content), submit (form), and modify or reject where a route has that label. Last
 * `skip` where allow_skip is set. A route may also be labelled `timeout` (on_timeout: route). */
#define WORKFLOW_ACTIONS_MAX 52
unsigned workflow_actions(const struct workflow *w, const struct node_def *n,
                          struct str out[WORKFLOW_ACTIONS_MAX]);

#endif
