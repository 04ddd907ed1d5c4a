/* What the files of the engine share: a session's state in memory. Outside them, engine.h.
 *
 *     step.c        one input: may it come now, and to whom does it go
 *     step_pause.c  pause, resume, and inputs that are withheld meanwhile
 *     parked.c      paused, and its state out of memory while its calls run on
 *     budget.c      what calls use, and the limit;  breaker.c  what no sensible session does
 *     usage.c       what an ended call has used, as a row and an event
 *     scope.c       a graph while it runs: the session's own, and those inside of containers
 *     scheduler.c   ready queue, edges, back edges, what is skipped, when the session ends
 *     join.c        may a waiting node start
 *     loop.c        rounds, scores, history
 *     node_run.c    a run's life: started, completed, failed, tried again, cancelled
 *     calls.c       its calls: ids, progress, to which kind a result goes
 *     node_task.c   work for workers outside
 *     files.c       what the session has written
 *     attachments.c what an execute brought
 *     thought.c     what models think before they answer
 *     said.c        what people say while nobody asks
 *     node_*.c      the kinds of nodes
 *     stage_turn.c  stages: begun, passed over, and sessions that begin at one
 *     interrupt.c   what suspended nodes have asked, as rows
 *     node_map.c    containers: map, sequence
 *     event.c       frames for people
 *     effects.c     work for the shell, timers
 *     delta.c       all of it as rows;  restore.c the way back
 *     replay.c      forks: a new session, brought to where another was
 *
 * A node's phase is where it stands since its last reset (a back edge resets what follows it); its
 * status is the word people see, and outlives a reset:
 *
 *     IDLE ──> WAITING ──> READY ──> RUNNING <──> SUSPENDED      DONE: completed, failed, skipped
 *      │ edge    join        ^          └───────────┴──> DONE ──reset──> IDLE
 *      └──> QUEUED ──────────┘          failed ──> BACKOFF ──> READY
 *
 * Active = every phase but IDLE and DONE. Nothing here recurses over the graph: a completion marks
 * edges and fills the ready queue, and scheduler_drain() turns it.
 */
#ifndef SLUICE_ENGINE_SESSION_H
#define SLUICE_ENGINE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/list.h"
#include "base/table.h"
#include "engine/breaker.h"
#include "engine/budget.h"
#include "engine/engine.h"
#include "engine/expr.h"
#include "engine/files.h"

enum phase {
    PHASE_IDLE,
    PHASE_WAITING, /* a fresh live edge came in, the join does not hold yet */
    PHASE_QUEUED,  /* head of a branch that waits for max_concurrent */
    PHASE_READY,   /* in the ready queue */
    PHASE_RUNNING,
    PHASE_SUSPENDED,
    PHASE_BACKOFF, /* failed; a timer starts the next attempt */
    PHASE_DONE,
};

/* Those before WORK_WAIT are carried out by the shell: each has an effect. */
enum work_kind {
    WORK_MODEL,
    WORK_SCRIPT,
    WORK_TOOL,
    WORK_PLUGIN,
    WORK_CHILD,
    WORK_WAIT,
    WORK_HUMAN,
    WORK_TASK, /* a worker outside leases it; its row is its effect */
    WORK_CONTAINER,
};
static inline bool work_has_effect(enum work_kind k)
{
    return k < WORK_WAIT;
}

enum item_state { ITEM_WAITS, ITEM_RUNS, ITEM_DONE, ITEM_FAILED };

/* A map or a sequence while it runs. A sequence has one item, without a value. Items begin in
 * order. What is known of a map's items is its run's progress. */
struct container {
    struct list link; /* in session->containers */
    struct work *work;
    unsigned count, next, alive, settled; /* items; next: to begin */
    struct str items;                     /* heap: the array, as JSON */
    struct str *item;                     /* each in it */
    struct str *output;                   /* of each, heap, or NULL */
    uint8_t *state;                       /* enum item_state */
    size_t bytes;                         /* of all outputs */
    bool changed;                         /* since its row was written */
};

/* A call: one piece of outside work of a run, or its wait for a timer or a person. Most runs make
 * one; an agent calls its model, several tools at once, the model again (calls.c). */
struct work {
    struct work *next; /* of the same run, in the order begun */
    /* What a chunk touches, as in struct session. */
    struct scope *scope;
    unsigned node;
    enum work_kind kind;
    bool lost;  /* after a restart: the shell knows nothing of it, see `request` */
    bool shown; /* chunks are (or may be) with the readers */
    struct id message_id;
    struct buf text;    /* shown and not thinking, since the last reset */
    int64_t next_index; /* of the message's next token_stream */
    struct text_watch *watch;
    struct meter meter;
    /* And the rest. */
    struct id id;     /* under which results come in: the run's own for its first call */
    struct id key;    /* idempotency key: the same on every attempt and after a restart */
    unsigned ordinal; /* the run's own count; 0: its first */
    bool over;        /* its end has come in: nothing is left to be cancelled */
    bool ended;       /* its end has come in and is withheld */
    /* Not taken yet (valid while gen is the session's): they can still be undone. */
    unsigned gen;
    struct effect_row *row;
    struct effect_out *start;
    /* After a restart it must be started again by this request. */
    struct str request; /* heap; when lost, and of kinds that go on from it (call_ops.keeps) */
    /* WORK_MODEL */
    struct buf *thought; /* heap; what was thinking; NULL: none (thought.c) */
    bool deferred;       /* over the budget: not begun, its request waits for the resume */
    int64_t said;        /* the newest of what people had said that its request has (said.c) */
    size_t watch_from;   /* of text: what the detectors have seen since they were unlocked */
    /* WORK_TASK: as row */
    struct task_row *task;
    /* WORK_HUMAN: as in run_row.interrupt_json */
    struct str interrupt;
    struct id interrupt_id;
    bool closed;        /* its row says how it ended */
    struct id child_id; /* WORK_CHILD: the session */
    /* WORK_CONTAINER */
    struct container *container;
};

struct node_state {
    enum phase phase;
    enum node_status status;
    bool retry;                 /* READY: another attempt of the same iteration */
    bool next_round;            /* READY: a loop node that its own body came back to */
    int64_t iteration, attempt; /* of the newest run; 0: none yet */
    int64_t failures;           /* of this iteration, for the retry policy */
    int64_t output_iteration;   /* whose output it is */
    struct id run_id, logical_id;
    struct id message_id; /* of the run's first model call, over all attempts */
    struct str output;    /* heap, or NULL */
    struct str progress;  /* heap, or NULL: what a run of several calls has; over attempts, too */
    bool run_id_used;     /* a call has it as its own */
    int64_t started_at;
    struct work *work;   /* calls: RUNNING (unless it completes at once), SUSPENDED */
    struct run_row *row; /* of the newest run, in the delta being made */
    unsigned row_gen;
};

/* Has it a message of its own? A model call always; a script or plugin once it has emitted. */
static inline bool work_speaks(const struct work *w)
{
    return w->kind == WORK_MODEL || !id_is_zero(w->message_id);
}

enum timer_purpose { FOR_TIMEOUT, FOR_WAIT, FOR_RETRY, FOR_EXPIRY, FOR_REMINDER, FOR_CONTINUE };

struct timer {
    struct list link;
    struct id id; /* zero while frozen */
    int64_t due_at, left_ms;
    enum timer_purpose purpose;
    struct scope *scope;
    int node; /* of it, or -1 */
    bool frozen;
    unsigned gen; /* as in struct work */
    struct timer_row *row;
    struct effect_out *set;
};

struct effect_out {
    struct effect_out *next;
    struct effect e;
    bool dead;
};

struct loop_state {
    unsigned node;
    uint64_t *body; /* bit set of nodes */
    unsigned body_size;
    int64_t round;
    double *history; /* scores, one a round */
    unsigned history_len, history_cap;
    struct str mark; /* heap: the files after the best round, with `rollback`; or NULL */
};

struct var {
    struct str name, value; /* heap */
};

/* Why the session stops at the end of what is under way. */
enum halt { HALT_NONE, HALT_BUDGET, HALT_BREAKER };

/* Chunks of one message that follow each other are one item in memory, of as many rows as there
 * were commits. */
struct withheld {
    struct list link;
    int64_t ord; /* of its newest row */
    struct buf json;
    struct buf fresh; /* the newest row, when rows before it hold the rest; empty: all of json */
    struct id run_id;
    enum input_kind kind;
    bool is_thinking;
    bool stored;   /* all of it */
    bool has_rows; /* some of it */
};

/* A graph while it runs: the session's own, or one item of a container's (map, sequence). All node
 * and edge numbers are those of its workflow. Functions work on the scope that session->at names;
 * whoever goes to another (an input's run, a timer, a container's items) sets it, and back. */
struct scope {
    struct list link; /* in session->scopes, or session->closed */
    struct list turn; /* in session->stirred, when stirred */
    struct workflow *wf;
    struct scope *parent; /* NULL: the session's own */
    unsigned owner;       /* the container, in parent */
    unsigned item;        /* which one of its */
    struct str map_text;  /* heap: what `map` is in it; NULL: what it is around it */
    /* A member has failed, and nothing inside tolerates it; the container is told in the drain. */
    bool failed;
    struct str fail_code, fail_text; /* heap */
    struct arena arena;              /* its arrays; not of the session's own */

    struct node_state *nodes;
    uint64_t *live, *fresh; /* edges; fresh: its target has not started on it yet */
    unsigned edge_words;
    uint64_t *active, *waiting, *unsettled; /* nodes; unsettled: never ran, never skipped */
    uint64_t *reach;                        /* nodes that may yet run (join.c), when reach_valid */
    uint16_t *stack;                        /* of nodes, for that */
    uint64_t *bits[2];                      /* for one function at a time */
    uint64_t *ends;                         /* end nodes */
    unsigned active_count;
    bool reach_valid, has_back_edges;
    bool stirred;   /* phases have changed since the last drain ended */
    bool recheck;   /* something stopped being active: joins may hold now */
    bool end_check; /* and an end has run: the rest may be cut */
    bool end_ran;

    uint16_t *ready;
    unsigned ready_head, ready_len, ready_cap;
    uint16_t *queued; /* edges to branch heads that wait for max_concurrent */
    unsigned queued_len, queued_cap;

    struct loop_state *loops;
    unsigned loop_count;
};

/* What steps produce, until it is taken. */
struct made {
    struct delta out;
    struct run_row **runs_tail;
    struct message_row **messages_tail;
    struct effect_out *effects, **effects_tail;
    /* From here on it stays when all else is taken. */
    struct jw jw;
    int64_t stamp_ms;
    char stamp[32];
    struct made *next_spare;
};

#define SESSION_KEPT 6

struct session {
    /* What each chunk of a model touches stands together: of hundreds of sessions that stream, each
     * is out of the caches when its next one comes. */
    char id_text[ID_TEXT_BYTES + 1];
    bool out_any, core_dirty, meta_dirty, is_new, start_paused;
    bool chunk_thinking;
    enum session_status status;
    enum halt halt;
    unsigned busy_count; /* calls that the shell carries out */
    unsigned gen;
    struct workflow *wf;
    struct scope *at;            /* where the node numbers of the function under way belong */
    struct made *made;           /* since the last take; NULL while it rests: thousands do */
    const struct work *chunk_of; /* the last event is a token_stream of it; or NULL */
    size_t chunk_at;             /* where its text begins, in made->out.events */
    int64_t seq;
    struct list stirred; /* those with something to do in the drain */
    struct list closed;  /* are freed when the step ends */
    struct table runs;   /* struct work by its id */
    /* the step under way */
    const struct engine_input *in;
    int64_t now, updated_at;
    struct arena tmp;
    size_t step_events;      /* bytes of events at its start */
    const char *refusal;     /* machine word of the refused command, or NULL */
    struct str refusal_json; /* heap: what stood against the last command, as JSON; or NULL */
    size_t replayed_bytes;   /* of events in this delta: they are not what floods it */
    struct breaker_state breaker;

    struct id id;
    uint64_t epoch;
    int64_t version; /* of meta, as stored when all deltas are */
    struct expr_vm *vm;
    struct arena arena; /* meta and the arrays below */
    struct session_meta meta;
    struct str kept[SESSION_KEPT]; /* heap: members of meta that were changed since (step_meta.c) */

    struct str reason, output, error; /* heap, or NULL */
    int64_t created_at, started_at, ended_at;
    int64_t input_tokens, output_tokens;
    struct budget budget;
    struct spend spend;
    struct model_names *models; /* that calls were to ask (budget.c) */
    unsigned model_count;

    struct scope root;
    struct list scopes;     /* all of them; the root first, others after those around them */
    struct list containers; /* those that run */
    unsigned scope_nodes;   /* of all scopes but the root */
    int64_t starts;         /* of nodes, for ENGINE_STEPS_MAX */

    struct file_set files;
    struct str
        attachments; /* heap; NULL: none, or the start node has joined them (attachments.c) */
    struct var *vars;
    unsigned var_count, var_cap;
    struct str vars_text, session_text; /* heap; NULL: to be made */

    struct list timers;  /* struct timer */
    struct list signals; /* those that came before their node, in order (node_signal.c) */
    unsigned signal_count;
    size_t signal_bytes;
    struct list said; /* what waits for a model to hear it, in order (said.c) */
    unsigned said_count;
    size_t said_bytes;
    int64_t said_seq; /* of the newest, heard or not */

    /* pause */
    bool hold, timers_run, held; /* held: EFFECT_RUN_HOLD was given */
    struct list withheld;
    int64_t next_ord;
    size_t withheld_bytes;

    struct replay_run *replay; /* while outcomes of another session are applied (replay.c) */
};

/* ---- small ---- */

static inline bool bit_get(const uint64_t *b, unsigned i)
{
    return b[i / 64] >> (i % 64) & 1;
}
static inline void bit_set(uint64_t *b, unsigned i)
{
    b[i / 64] |= UINT64_C(1) << (i % 64);
}
static inline void bit_clear(uint64_t *b, unsigned i)
{
    b[i / 64] &= ~(UINT64_C(1) << (i % 64));
}
static inline bool session_over(const struct session *s)
{
    return session_status_is_terminal(s->status);
}
static inline const struct node_def *node_def(const struct session *s, unsigned n)
{
    return &s->at->wf->nodes[n];
}
/* Of the nodes that the document's graph lists, members stand there only to be counted. */
static inline bool node_is_here(const struct session *s, unsigned n)
{
    return s->at->parent || node_def(s, n)->owner < 0;
}
static inline bool phase_is_active(enum phase p)
{
    return p != PHASE_IDLE && p != PHASE_DONE;
}
static inline bool kind_suspends(enum node_kind k)
{
    return k == KIND_HUMAN_REVIEW || k == KIND_USER_INPUT || k == KIND_SIGNAL || k == KIND_STAGE;
}
void own_set(struct str *dst, struct str src);           /* a heap copy, or NULL; frees the old */
struct str tmp_copy(struct session *s, struct str text); /* lives as long as the step */

/* ---- event.c ---- */

/* Opens a frame; the data object is open, to be filled. node -1: none. */
struct jw *event_begin(struct session *s, const char *type, int node);
void event_end(struct session *s);
void write_text(struct jw *w, const char *key, struct str text); /* null when it is NULL */
void event_node_move(struct session *s, unsigned n, enum node_status from, struct str output,
                     struct str error);
void event_session_move(struct session *s, enum session_status from);
void event_chunk(struct session *s, struct work *w, struct str text, bool is_thinking);
void event_log(struct session *s, int node, const char *level, struct str text);
struct str error_json(struct session *s, const char *code, struct str message, const char *node_id);

/* ---- effects.c ---- */

struct effect_out *effect_push(struct session *s, enum effect_kind kind);
void effect_start(struct session *s, struct work *w, struct str request);
void effects_deferred_start(struct session *s); /* those that a budget held back */
/* The call is over; its effect row goes. `cancel`: the shell still works on it. */
void effect_finish(struct session *s, struct work *w, bool cancel);
void effect_hold_all(struct session *s, bool hold);
void timer_add(struct session *s, enum timer_purpose purpose, int node, int64_t delay_ms);
struct timer *timer_find(struct session *s, struct id id);
struct timer *timer_of(const struct session *s, enum timer_purpose purpose, int node);
void timer_remove(struct session *s, struct timer *t); /* fired or not wanted any more */
void timer_write_owner(struct jw *w, const struct timer *t);
void timers_clear_node(struct session *s, int node);
void timers_clear_all(struct session *s);
void timers_freeze(struct session *s);
void timers_thaw(struct session *s);
const char *timer_purpose_word(enum timer_purpose p);
bool timer_purpose_parse(struct json v, enum timer_purpose *out);

/* ---- scope.c ---- */

#define scope_of(it) container_of(it, struct scope, link)
#define scopes_foreach(it, s)                                                                      \
    list_foreach(it, &(s)->scopes) /* struct list *it; scope_of(it); none may be closed meanwhile  \
                                    */
void scope_init(struct session *s, struct scope *c, struct workflow *wf, struct arena *a);
void scope_deinit(struct scope *c);
/* A scope over `inner` of the container `owner` of the scope that s->at names. */
struct scope *scope_open(struct session *s, unsigned owner, unsigned item);
void scope_close(struct session *s, struct scope *c); /* nothing in it is active */
void scope_stir(struct session *s, struct scope *c);
void scope_rest(struct scope *c); /* not stirred any more */
void scopes_bury(struct session *s);
struct scope *scope_inside(const struct session *s, unsigned owner); /* one of s->at's, or NULL */
/* The nearest around (or at) s->at that is a graph of this workflow node, with its number there;
 * NULL: it is not seen from here. */
struct scope *scope_seeing(const struct session *s, unsigned doc, unsigned *n);
const struct scope *scope_item(const struct scope *c); /* of the nearest map around, or NULL */
void node_status_set(struct session *s, unsigned n, enum node_status status);

/* ---- node_map.c ---- */

void node_start_map(struct session *s, unsigned n);
void node_start_sequence(struct session *s, unsigned n);
void container_cancel(struct session *s, unsigned n, const char *code, const char *message);
void container_free(struct container *k);
void item_fail(struct session *s, unsigned n, const char *code, struct str message);
void item_settle(struct session *s); /* that of s->at, which is over; s->at is its parent's then */
void step_settled(struct session *s, unsigned n); /* of a sequence; else nothing */
void containers_write(struct session *s);         /* progress that has changed, as rows */
int container_restore(struct session *s, unsigned n, struct work *w, struct json progress);
int container_verify(const struct session *s, unsigned n, struct errbuf *e);
struct scope *item_restore(struct session *s, unsigned n, int64_t item); /* NULL: it cannot run */
struct str map_text(const struct session *s); /* what `map` is at s->at; NULL outside */

/* ---- scheduler.c ---- */

void phase_set(struct session *s, unsigned n, enum phase p);
void ready_push(struct session *s, unsigned n);
void edges_consume(struct session *s, unsigned n); /* n starts on what came in */
#define EDGES_NEXT (-1)
#define EDGES_NONE (-2)
/* The out edges of a node that has settled: all of next_ids, none, or the one chosen. */
void queue_push(struct session *s, unsigned edge); /* a branch that waits for room */
void edges_fire(struct session *s, unsigned n, int chosen);
void scheduler_drain(struct session *s);
void session_fail(struct session *s, const char *code, struct str message, int node);
void session_end(struct session *s, enum session_status to);

/* ---- join.c ---- */

enum join_verdict { JOIN_WAIT, JOIN_GO, JOIN_IMPOSSIBLE };
bool join_is_full(const struct session *s, unsigned n); /* whatever may still come */
/* CAREFUL: nodes that wait for a join may go on. PLAIN: they will not, as none does. */
enum join_view { JOIN_CAREFUL, JOIN_PLAIN };
enum join_verdict join_check(struct session *s, unsigned n, enum join_view view);
bool join_may_run(struct session *s, unsigned n); /* before what it follows is over */

/* ---- loop.c ---- */

void loops_init(struct session *s, struct arena *a);
struct loop_state *loop_find(const struct session *s, unsigned loop_node);
struct loop_state *loop_around(const struct session *s, unsigned n); /* in s->at, or NULL */
struct str loop_text(struct session *s, unsigned n); /* what `loop` is for node n; NULL outside */
void loop_push_score(struct loop_state *l, double score);
void node_start_loop(struct session *s, unsigned n);

/* ---- node_run.c ---- */

void node_start(struct session *s, unsigned n);
void node_start_unmet(struct session *s, unsigned n); /* its join can no longer hold */
void node_complete(struct session *s, unsigned n, struct str output, int chosen);
/* retry_after_ms: -1 none. The run's outside work is over, or is ended here when `cancel`. */
void node_fail(struct session *s, unsigned n, const char *code, struct str message,
               int64_t retry_after_ms, bool cancel);
void node_failz(struct session *s, unsigned n, const char *code, const char *message);
void node_skip(struct session *s, unsigned n);
/* Ends an active node from outside; the node is DONE, or IDLE as before when it had not started. */
void node_cancel(struct session *s, unsigned n, const char *code, const char *message);
void run_row_sync(struct session *s, unsigned n);
void run_begin(struct session *s, unsigned n, bool again);
void run_interrupt(struct session *s, unsigned n); /* ends the attempt, for run_restart() */
/* A run with lost calls ends as interrupted and goes on as a new attempt; its progress, and the
 * calls that are not lost, go with it. */
void run_restart(struct session *s, unsigned n);
void run_redo(struct session *s, unsigned n); /* the same in a replay: its work is not begun yet */
void node_suspend(struct session *s, unsigned n, struct str interrupt, struct id interrupt_id);

/* ---- calls.c ---- */

/* What a kind does with the ends of its calls. `in` is IN_MODEL_DONE (its usage is counted, the
 * text is in c->text), IN_RUN_DONE (its output is JSON, and not too large) or IN_RUN_FAILED (with a
 * code and a text). When the function returns and the run still
 * goes on, the call is dropped; it may also have completed or failed the node, or begun more calls.
 * A run that goes on must have a call. Progress and ordinals may come from a damaged store: check
 * them. */
struct call_ops {
    void (*done)(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
    /* NULL: the run fails with it, its other calls are cancelled. */
    void (*failed)(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
    /* Who speaks in a model call; NULL: node_agent_id(). */
    struct str (*agent_id)(struct session *s, unsigned n, const struct work *c);
    /* c->request is there until the call has ended. NULL: of tool calls only. */
    bool (*keeps_request)(const struct session *s, unsigned n);
};

#define CALL_ORDINALS_MAX 4096

/* Starts one: its effect is carried out after the commit. The ordinal is unique in the attempt and
 * names the same work on the next one. */
struct work *call_begin(struct session *s, unsigned n, enum work_kind kind, unsigned ordinal,
                        struct str request);
struct work *call_find(const struct session *s, unsigned n, unsigned ordinal); /* or NULL */
unsigned calls_count(const struct session *s, unsigned n);
bool calls_lost(const struct session *s, unsigned n);            /* any of them */
void call_drop_request(const struct session *s, struct work *w); /* unless it is needed again */
void call_end(struct session *s, struct work *c, bool cancel);   /* drops it */
void calls_end(struct session *s, unsigned n, bool cancel);      /* all of the run */
/* Makes a failure of what kinds could not rely on; the text may point into *e. */
void result_judge(struct engine_input *r, struct errbuf *e);
void call_result(struct session *s, struct work *c, const struct engine_input *in);
/* What becomes of the run when its kind does nothing else about a failed call. */
void call_fail_run(struct session *s, unsigned n, const struct engine_input *in);
const char *call_error_code(const struct engine_input *in, char code[65]);
struct id call_key(const struct node_state *ns, unsigned ordinal);
struct id call_message_id(struct session *s, struct node_state *ns, unsigned ordinal);
struct str call_agent(struct session *s, const struct work *c);
struct str call_text(const struct work *c); /* of a model call, "" when it said nothing */

/* What the run has gathered: JSON of the kind's own, kept in its row and over its attempts, until
 * the node is done or begins a new iteration. NULL: none. The text given out holds until it is set
 * again. */
struct str progress_get(const struct session *s, unsigned n);
void progress_set(struct session *s, unsigned n, struct str json);

/* The usual end of a call: its output is the node's. */
void run_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in);

struct work *work_begin(struct session *s, unsigned n, enum work_kind kind);
struct work *work_restored(struct session *s, unsigned n, enum work_kind kind, struct id id,
                           unsigned ordinal);
void work_free(struct work *w);
void works_free(struct work *first);
bool work_kind_parse(struct str word, enum work_kind *out);

/* ---- node_tool.c ---- */

struct tool_call {
    struct str tool, server, name; /* the last two may be NULL */
    struct str arguments;          /* JSON, an object */
    bool internal;                 /* the node's own question to the shell: no tool of anybody's */
    struct str headers; /* JSON: those that a stored agent fixes, and its URL with them; or NULL */
};
/* What EFFECT_TOOL_START carries, in the step's memory; NULL when it is too large. */
struct str tool_request(struct session *s, unsigned n, const struct tool_call *t);
/* output, error: JSON or NULL. */
void tool_event_of(struct session *s, unsigned n, struct id call_id, struct str request,
                   const char *status, struct str output, struct str error);
/* calls.c says when a tool call starts and ends. */
void tool_event(struct session *s, const struct work *c, const char *status, struct str output,
                struct str error);

/* ---- node_task.c ---- */

#define TASK_INPUT_BYTES_MAX    (1u << 20)
#define TASK_HEARTBEAT_MS       30000
#define TASK_HEARTBEAT_MS_LEAST 1000

void node_start_task(struct session *s, unsigned n);
/* Its run is over: the row goes. */
void task_finish(struct session *s, struct work *w);
void task_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in);

/* ---- node_eval.c ---- */

/* Properties, unescaped; NULL when absent. They live as long as the step. */
struct str prop_text(struct session *s, unsigned n, const char *key);
struct str json_text(struct session *s, struct json string);
struct json prop(const struct session *s, unsigned n, const char *key);
bool prop_is_true(const struct session *s, unsigned n, const char *key);
int eval_json(struct session *s, unsigned n, struct str code, struct str *out, struct errbuf *e);
int eval_bool(struct session *s, unsigned n, struct str code, bool *out, struct errbuf *e);
int eval_template(struct session *s, unsigned n, struct str tmpl, struct str *out,
                  struct errbuf *e);
/* Every string in the value is an expression. */
int eval_tree(struct session *s, unsigned n, struct json v, struct str *out, struct errbuf *e);
/* Every string in the value is a template; one that is a single {{ expression }} gives its value as
 * it is, a number as a number. */
int eval_templates(struct session *s, unsigned n, struct json v, struct str *out, struct errbuf *e);
struct str vars_text(struct session *s);
void var_set(struct session *s, struct str name, struct str value);
struct str session_text(struct session *s);
/* Quoted and escaped, in the step's memory. */
struct str quote(struct session *s, struct str text);

/* ---- question.c, node_vote.c ---- */

bool question_keeps_request(const struct session *s, unsigned n);
void node_start_vote(struct session *s, unsigned n);
void vote_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
void vote_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
struct str vote_agent_id(struct session *s, unsigned n, const struct work *c);

/* ---- node_facts.c, node_recall.c ---- */

void node_start_facts(struct session *s, unsigned n);
void facts_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
void facts_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
void node_start_synth(struct session *s, unsigned n);
void synth_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
void node_start_memory(struct session *s, unsigned n);
/* The events of a tool that has asked a memory, or written to one. */
void recall_told(struct session *s, const struct work *c, struct str output_json);
void memory_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in);

/* ---- node kinds ---- */

void node_start_start(struct session *s, unsigned n);
void node_start_end(struct session *s, unsigned n);
void node_start_transform(struct session *s, unsigned n);
void node_start_switch(struct session *s, unsigned n);
void node_start_parallel(struct session *s, unsigned n);
void node_start_wait(struct session *s, unsigned n);
void node_start_script(struct session *s, unsigned n);
void node_start_tool(struct session *s, unsigned n);
void node_start_plugin(struct session *s, unsigned n);
void worker_speaks(struct session *s, struct work *w); /* before a chunk of its own */
void worker_saved(struct session *s, struct work *w, const struct engine_input *in);
void worker_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
/* Of a lost call: w->request, with what it had saved. */
struct str worker_request(struct session *s, struct work *w);
void node_start_model(struct session *s, unsigned n);
void node_start_review(struct session *s, unsigned n);
void node_start_input(struct session *s, unsigned n);

struct str end_output(struct session *s, unsigned n);
void model_chunk(struct session *s, struct work *w, const struct engine_input *in);
void model_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
void model_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
bool model_goes_on(const struct session *s, unsigned n); /* more calls may follow the first */
/* The value in a model's answer: JSON that holds to the schema (or absent: any), alone or in a
 * Markdown code fence. ERR_INVALID with a sentence that a model understands. */
int answer_read(struct session *s, struct str text, struct json schema, struct str *out,
                struct errbuf *e);
/* The message of a model call: its event and row; its text is gone then. tokens: -1 unknown. */
void model_message(struct session *s, struct work *c, struct str finish_reason, int64_t tokens);
/* The same of an answer that asks for tools: [{id, name, arguments}]. */
void model_message_asking(struct session *s, struct work *c, struct str finish_reason,
                          int64_t tokens, struct str tool_calls);
/* The chunks of that message so far are void. */
void model_reset(struct session *s, unsigned n, struct id message_id, const char *reason);
/* Keeps what was shown of unfinished messages: a message event and row each. */
void model_keep_partial(struct session *s, unsigned n, const char *finish_reason);
/* The topic, then what the direct predecessors said; NULL: too large. */
struct str prompt_default(struct session *s, unsigned n);
struct str node_agent_id(struct session *s, unsigned n); /* NULL unless an agent */
void message_add(struct session *s, struct message_row row);

/* ---- interrupt.c: what suspended nodes have asked ---- */

/* Its row: "pending", "answered", "expired", "cancelled". */
void interrupt_put(struct session *s, unsigned n, const char *status);
/* A member of it, in memory and in the run's row; interrupt_put() is the caller's. */
void interrupt_set(struct session *s, unsigned n, const char *key, struct str value);
struct json interrupt_get(const struct session *s, unsigned n, const char *key);
void interrupts_retime(struct session *s); /* timers were frozen or thawed */
struct work *work_waiting(const struct session *s, struct str node_id, struct id interrupt_id);
/* A question that was never asked, as a row with its answer; the run's row has it, too. */
void interrupt_record(struct session *s, unsigned n, struct id id, struct str request,
                      struct str answer);

/* ---- node_human.c, node_review.c ---- */

/* What somebody has answered, or what was done because nobody has. NULL: not given. */
struct answer {
    struct str action, data, reviewer; /* data: JSON */
    struct str content, diff;          /* of edit_content */
    struct str votes_json;             /* where several had to answer */
};
int human_answer(struct session *s, const struct engine_input *in, struct errbuf *e);
int human_say(struct session *s, const struct engine_input *in, struct errbuf *e);
bool human_is_asked(const struct session *s); /* does any user_input node wait? */
void human_expire(struct session *s, unsigned n);
void human_remind(struct session *s, unsigned n);
/* Closes the interrupt; the node goes on. */
void human_resume(struct session *s, unsigned n, const struct answer *a);
void human_go_on(struct session *s, unsigned n); /* suspended -> running */
int human_action_check(struct session *s, unsigned n, struct str action, struct errbuf *e);
/* Data of an answer against the form, defaults filled in. */
int human_data_check(struct session *s, unsigned n, struct str action, struct str *data,
                     struct errbuf *e);
void interrupt_id_write(struct session *s, unsigned n, struct jw *w);
/* Suspends: the question in the run's row and its own, the timer of its expiry (0: never). */
void human_suspend(struct session *s, unsigned n, struct str asked, struct id id,
                   int64_t expiry_ms);
int64_t prop_minutes_ms(const struct session *s, unsigned n, const char *key); /* 0: not given */

/* ---- node_signal.c ---- */

#define SIGNALS_MAX       100 /* that wait for their node, in one session */
#define SIGNALS_BYTES_MAX (1u << 20)
#define SIGNAL_NAME_MAX   256

void node_start_signal(struct session *s, unsigned n);
int signal_send(struct session *s, const struct engine_input *in, struct errbuf *e);
void signal_apply(struct session *s, const struct engine_input *in);
void signal_push(struct session *s, struct str json);
void signals_write(const struct session *s, struct jw *w);
void signals_free(struct session *s);

/* ---- attachments.c ---- */

void attachments_begin(struct session *s); /* makes files of them */
/* For the start node: theirs, or those that the input carries itself; JSON_ABSENT: none. */
struct json attachments_of(const struct session *s, struct json input);
void attachments_joined(struct session *s); /* the start node has what it needs */
void attachments_write(const struct session *s, struct jw *w);
void attachments_restore(struct session *s, struct json state);

/* ---- thought.c ---- */

#define ENGINE_THOUGHT_BYTES_MAX (1u << 20) /* of one message; what is beyond is not kept */
void thought_add(struct work *w, struct str text);
void thought_forget(struct work *w);
struct str thought_text(const struct work *w); /* or NULL */

/* ---- said.c ---- */

#define SAID_MAX         64 /* that wait, in one session; then the oldest go */
#define SAID_BYTES_MAX   (256u << 10)
#define SAID_CONTENT_MAX (64u << 10) /* of one */

bool kind_hears(enum node_kind k);
int said_check(const struct engine_input *in, struct errbuf *e); /* ERR_TOO_LARGE */
/* Said in a pause: withheld, and said at the resume. */
int said_later(struct session *s, const struct engine_input *in, struct errbuf *e);
void said_push(struct session *s, struct str content, struct str user_id);
/* One user message of all that is newer than `after`, in the step's memory; NULL: nothing is. */
struct str said_message(struct session *s, int64_t after);
/* The same into an array of messages, when the node's kind hears. */
void said_write_message(struct session *s, unsigned n, int64_t after, struct jw *w);
void said_ended(struct session *s, int64_t upto); /* a call that had these has ended */
/* In a replay: one that began behind this event of the log has ended. */
void said_replayed(struct session *s, int64_t before_seq);
void said_write(const struct session *s, struct jw *w);
bool said_restore(struct session *s, struct json state);    /* false: damaged */
int said_verify(const struct session *s, struct errbuf *e); /* 0, ERR_CORRUPT */
void said_free(struct session *s);

/* ---- node_stage.c, stage_turn.c ---- */

#define STAGE_ENTRIES_MAX 200        /* items, deliverables, members of the context */
#define STAGE_BYTES_MAX   (1u << 20) /* of a stage */

void node_start_stage(struct session *s, unsigned n);
/* A stage as its interrupt; `description` as it is to be shown, NULL: none. */
void stage_write(struct session *s, unsigned n, struct jw *w, const char *id,
                 struct str description);
void stage_progress_tell(struct session *s, unsigned n); /* an event that names no item */
/* Passes over a stage whose run has begun: it counts as done, its output says why it was not. */
void stage_pass(struct session *s, unsigned n, const char *reason, int chosen);
/* Does its condition hold? Else the stage is passed over, or has failed. */
bool stage_condition_holds(struct session *s, unsigned n);
int stage_start(struct session *s, const struct engine_input *in, struct errbuf *e);
int stage_skip(struct session *s, unsigned n, const struct engine_input *in, struct errbuf *e);
bool stage_allows_skip(const struct session *s, unsigned n);
void stage_stamp(struct session *s, unsigned n, struct str by); /* that somebody has begun it */
/* Begins a session at a stage: what lies before it is passed over. */
int begin_check(struct session *s, struct str stage, struct errbuf *e);
void begin_at(struct session *s, struct str stage);
int stage_step(struct session *s, const struct engine_input *in, struct errbuf *e);
int stage_answer(struct session *s, unsigned n, const struct engine_input *in, struct errbuf *e);
/* Are those completed that it depends on? JOIN_IMPOSSIBLE: one never will be. */
enum join_verdict stage_depends(struct session *s, unsigned n);

/* ---- step_meta.c ---- */

int step_meta(struct session *s, const struct engine_input *in, struct errbuf *e);
void meta_free(struct session *s);
const struct session_meta *meta_taken(struct session *s, struct arena *a); /* for a delta */

/* ---- step.c, step_pause.c ---- */

void step_result(struct session *s, const struct engine_input *in);
void step_log(struct session *s, const struct engine_input *in);
int step_pause(struct session *s, const struct engine_input *in, struct errbuf *e);
int step_resume(struct session *s, const struct engine_input *in, struct errbuf *e);
void session_pause(struct session *s);
void session_halt(struct session *s); /* carries s->halt out */
void lost_restart(struct session *s);
void withhold(struct session *s, const struct engine_input *in);
void withheld_drop(struct session *s); /* memory and rows */
/* False: it says nothing. Its texts may point into *e. */
bool withheld_judge(struct engine_input *in, struct errbuf *e);
struct withheld *withheld_new(const struct engine_input *in, int64_t ord);
bool withheld_may_grow(const struct withheld *w, const struct engine_input *in);
void withheld_grow(struct withheld *w, struct str text); /* a chunk's */
void withheld_adopt(struct session *s, struct withheld *w);
void withheld_free(struct withheld *w);
/* Has it a budget? Then it may stop at each chunk, and none are put together. */
bool session_counts_chunks(const struct session *s);
/* `in` made the last item longer: its row is in the store already when `stored`. */
bool withheld_extend(struct session *s, const struct engine_input *in, bool stored);
bool withheld_parse(struct str text, struct session *s, struct engine_input *out);

/* ---- node_child.c ---- */

void node_start_child(struct session *s, unsigned n);
struct id child_id_of(const struct node_state *ns); /* of the attempt that begins */
bool child_restore(struct work *w);                 /* from its request; false: that has none */
/* After a restart: the shell looks whether they are there, and what has become of them. */
void children_recover(struct session *s);
void children_tell(struct session *s, enum effect_kind kind); /* all of them */
void child_finish(struct session *s, struct work *w, bool cancel);

/* ---- replay.c: while s->replay is set ---- */

/* Had it been started then? If not it is kept ready until the replay is over. */
bool replay_may_start(struct session *s, unsigned n);
bool replay_allows(const struct session *s, unsigned n); /* only asks */
void replay_count_start(struct session *s, unsigned n);
bool replay_rests(const struct session *s); /* a node of s->at was held back in this turn */

/* ---- delta.c, restore.c ---- */

void made_want(struct session *s); /* before a step, or what else produces */
void made_rest(struct session *s); /* after it: gives it back when nothing is in it */
void core_fill(struct session *s, struct arena *a, struct session_core *core);
struct session *session_alloc(struct workflow *wf, struct expr_vm *vm);
void session_copy_meta(struct session *s, const struct session_meta *meta);
void session_set_id(struct session *s, struct id id);
void session_recover(struct session *s);
int session_verify(const struct session *s, struct errbuf *e); /* session_check.c: 0, ERR_CORRUPT */
const char *phase_word(enum phase p);
bool phase_parse(struct json v, enum phase *out);

#endif
