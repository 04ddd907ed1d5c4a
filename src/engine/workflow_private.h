/* What the files workflow*.c share while one workflow is being parsed and checked.
 *
 *     workflow.c         life, looking things up, the order of the phases
 *     workflow_kinds.c   the table of node kinds and their properties: a new kind is a row there
 *     workflow_types.c   types that plugins bring
 *     workflow_top.c     the document: top-level fields, which nodes there are, the start
 *     workflow_nodes.c   a node's fields, edges as written
 *     workflow_props.c   a node's properties against its kind's table
 *     workflow_tools.c   tools: of a tool node, and what an agent may use
 *     workflow_stage.c   what stages and reviewers list, what stages depend on
 *     workflow_members.c containers: whose member a node is, borders, the graphs inside
 *     workflow_graph.c   back edges, cycles, reachability, branches
 *     workflow_issues.c  paths, sentences, "did you mean"
 *
 * Nothing in the walk over the graph recurses: a chain of 1,000 nodes must not cost stack.
 */
#ifndef SLUICE_ENGINE_WORKFLOW_PRIVATE_H
#define SLUICE_ENGINE_WORKFLOW_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/id.h"
#include "base/json.h"
#include "engine/expr.h"
#include "engine/workflow.h"

/* ---- kinds ---- */

enum prop_type {
    PROP_STRING,
    PROP_NAME,      /* [A-Za-z0-9_.-]{1,64} */
    PROP_TEMPLATE,  /* text with {{ }} */
    PROP_EXPR,      /* one expression */
    PROP_EXPRS,     /* an expression; or an object or array of such, other scalars as they are */
    PROP_TEMPLATES, /* an object in which every text is a template */
    PROP_EXPR_MAP,  /* an object of names and PROP_EXPRS */
    PROP_MODEL,     /* text, or an array of text or {provider, model} */
    PROP_AGENT,     /* {name, persona, provider, model} */
    PROP_TOOLS,     /* names, or {name, description, tool, server, arguments, parameters} */
    PROP_CODE,      /* of a script */
    PROP_INT,
    PROP_NUMBER,
    PROP_BOOL,
    PROP_WORD, /* one of words */
    PROP_SCHEMA,
    PROP_NAMES,    /* array of names, each once */
    PROP_TEXTS,    /* array of texts, each once */
    PROP_ENTRIES,  /* [text or {name, required}], each name once */
    PROP_MESSAGES, /* [{role, content}] */
    PROP_CASES,    /* [{when, to}] */
    PROP_VOTERS,   /* [name or {name, persona, provider, model}] */
    PROP_MEMORY,   /* false, or {group_results, agent_results} */
    PROP_NODE,     /* a node id; an edge */
    PROP_MEMBERS,  /* array of node ids, each once: what a container has inside */
    PROP_TIME,     /* RFC 3339, or a template that gives it */
};

struct prop_def {
    const char *name;
    enum prop_type type;
    bool required;
    double min, max;          /* of PROP_INT and PROP_NUMBER */
    const char *const *words; /* of PROP_WORD, NULL at the end */
};

#define PROPS_MAX 16 /* of one kind */

struct kind_def {
    const char *word;
    const char *article; /* "a", "an": for sentences */
    const struct prop_def *props;
    unsigned prop_count;
    bool decides;    /* may have routes */
    bool takes_next; /* may have next_ids */
    bool breaks_cycles;
    const char *either[2];       /* one of these two properties must be there, or {NULL} */
    bool either_only;            /* and not both */
    unsigned next_min, next_max; /* how many next_ids; 0: any */
    const char *members;         /* a container: the property that lists what is inside */
    /* Of kinds that decide by themselves, the labels of their routes: for yes, for no, and other
     * words for the same. */
    const char *outcomes[4];
};

const struct kind_def *kind_def_of(enum node_kind k);
bool kind_parse(struct str word, enum node_kind *out);
const struct plugin_type *plugin_type_find(struct str name);

/* ---- one parse under way ---- */

/* Names of fields of the document and of a node, by index; NULL behind the last. */
const char *top_field_name(unsigned i);
const char *node_field_name(unsigned i);

#define NAME_TEXT_MAX     200 /* bytes of a name for people */
#define RETRY_CODES_MAX   50
#define WAIT_MS_MAX       31536000000.0 /* a year */
#define PROP_ENTRIES_MAX  200
#define PROP_NAMES_MAX    50
#define PROP_VOTERS_MAX   100
#define PROP_MEMORIES_MAX 50
#define PROP_MESSAGES_MAX 200
#define PROP_TOOLS_MAX    64

#define PATH_BYTES_MAX 512
#define REFS_MAX       20000 /* uses of nodes.<id> that are looked at for a warning */

enum node_field {
    NF_ID,
    NF_TYPE,
    NF_NAME,
    NF_NEXT_IDS,
    NF_ROUTES,
    NF_WHEN,
    NF_JOIN,
    NF_RETRY,
    NF_TIMEOUT_MS,
    NF_ON_ERROR,
    NF_PROPERTIES,
    NF_COUNT,
};

struct node_source {
    struct json object;
    struct json fields[NF_COUNT];
    bool known_kind;
    int next_step;       /* a step of a sequence: the one after it, or -1 */
    const char *step_at; /* where that stands */
};

struct node_ref { /* `from` uses nodes.<to> */
    uint16_t from, to;
    const char *at;
    const char *path;
};

struct wf_parse {
    struct workflow *w;
    struct workflow_issues *issues;
    struct expr_vm *vm;
    struct arena scratch; /* lives as long as the parse */

    /* Where in the document we are, for issues. */
    char path[PATH_BYTES_MAX];
    size_t path_len;
    int node;                                  /* index, or -1 */
    const char *issue_at[WORKFLOW_ISSUES_MAX]; /* beside issues->items: where it stands */

    struct node_source *sources; /* beside w->nodes */
    const char **edge_at;        /* beside w->edges: the target's text; WORKFLOW_EDGES_MAX */
    bool edges_whole;            /* every target was found, none was dropped */

    struct node_ref *refs;
    unsigned ref_count;
    const char *ref_at; /* the expression being checked */
    int hidden;         /* a member that it names from outside, or -1 */
};

/* ---- issues ---- */

/* Adds `fmt` to the path and returns the length to go back to with path_pop(). */
size_t path_push(struct wf_parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t path_push_key(struct wf_parse *p, struct str key); /* .key, or ["odd key"] */
void path_pop(struct wf_parse *p, size_t len);

/* Reports at the current path and node. `at` points into w->text. */
void issue_error(struct wf_parse *p, const char *at, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void issue_warning(struct wf_parse *p, const char *at, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Errors first, then warnings, each in document order. */
void issues_sort(struct wf_parse *p);

/* At most 64 bytes of text that a peer wrote, cut on a UTF-8 boundary, for sentences. */
struct str shown(struct str s);
/* Best candidate so far for a word that was not found. */
struct suggestion {
    struct str word, best;
    unsigned distance;
};
void suggest_init(struct suggestion *s, struct str word);
void suggest_offer(struct suggestion *s, struct str candidate);
/* `; did you mean "judge"?`, or nothing. Lives in the scratch arena. */
const char *suggest_text(struct wf_parse *p, const struct suggestion *s);

/* ---- reading ---- */

/* The text of a JSON string, unescaped; lives as long as the workflow. */
struct str text_of(struct wf_parse *p, struct json v);
struct str key_of(struct wf_parse *p, const struct json_iter *it);
/* Sorts an object's members into out[count] by name; null counts as absent, an unknown name is an
 * issue ("unknown field", "unknown property": what). */
void fields_read(struct wf_parse *p, struct json object, const char *const *names, size_t count,
                 const char *what, struct json *out);
/* Is v of that type? Else an issue: `<name> must be <wanted>, not a <type>`. */
bool want_type(struct wf_parse *p, struct json v, enum json_type type, const char *name,
               const char *wanted);
bool want_number(struct wf_parse *p, struct json v, bool whole, double min, double max,
                 const char *name, double *out);
/* A short text for people, checked and kept in *out. */
void text_read(struct wf_parse *p, struct json v, const char *field, struct str *out);
void check_expression(struct wf_parse *p, struct json v, bool is_template, const char *name);
void check_code(struct wf_parse *p, struct json v, const char *name); /* of a script */
void check_schema(struct wf_parse *p, struct json v, const char *name);
/* workflow_stage.c: texts, or also {name, required}; what a stage depends on. */
void check_entries(struct wf_parse *p, struct json v, const char *name, bool objects);
void check_depends(struct wf_parse *p, struct json v);
void check_depends_end(struct wf_parse *p); /* nothing waits for itself; graph_link() is done */
/* An edge from the current node; an unknown target is an issue. */
void edge_add(struct wf_parse *p, enum edge_kind kind, struct json target, struct str label,
              unsigned ordinal);
void edge_put(struct wf_parse *p, enum edge_kind kind, unsigned to, const char *at,
              struct str label, unsigned ordinal); /* to a node that is known */

/* ---- tools ---- */

void templates_check(struct wf_parse *p, struct json v, const char *name);
void arguments_check(struct wf_parse *p, struct json v, const char *name); /* an object of them */
void tools_check(struct wf_parse *p, struct json v);
void tool_check(struct wf_parse *p, struct json props, const char *at);

void name_check(struct wf_parse *p, struct json v, const char *name);
void models_check(struct wf_parse *p, struct json v);
void agent_check(struct wf_parse *p, struct json v);
void memory_check(struct wf_parse *p, struct json v);
void voters_check(struct wf_parse *p, struct json v);
void vote_check(struct wf_parse *p, struct json props, const char *at);
void outcomes_check(struct wf_parse *p, const char *at);

/* ---- phases ---- */

void parse_top(struct wf_parse *p, struct json root); /* nodes with id and kind only */
void check_node(struct wf_parse *p);                  /* the current one: fields, edges */
void check_properties(struct wf_parse *p);            /* the current one */
void check_plugin(struct wf_parse *p);                /* the current one, of a plugin's type */
void graph_link(struct wf_parse *p);                  /* out and in of every node */
void graph_check(struct wf_parse *p);                 /* errors */
void graph_finish(struct wf_parse *p);                /* reach, branches */
void refs_warn(struct wf_parse *p);

/* ---- containers ---- */

void members_find(struct wf_parse *p);                         /* whose member each node is */
void members_check_list(struct wf_parse *p, struct json list); /* the current container's */
void step_check(struct wf_parse *p);                           /* the current one */
void borders_check(struct wf_parse *p);                        /* no edge crosses one */
void inner_check(struct wf_parse *p);  /* builds the graphs of all containers; errors */
void inner_finish(struct wf_parse *p); /* reach, branches of them */
size_t path_push_edge(struct wf_parse *p, const struct edge *e);
/* Is the node part of the graph p->w, or a member that only stands in the document? */
static inline bool node_is_own(const struct workflow *w, unsigned n)
{
    return w->doc != w || w->nodes[n].owner < 0;
}
int node_by_id_order(const void *a, const void *b, void *workflow); /* of by_id, for qsort_r */

#endif
