/* The engine: one running session as a pure state machine. Inputs in; events, rows and effects out.
 *
 *          engine_step(session, input)                    engine_take_delta(session)
 *     ───────────────────────────────> struct session ───────────────────────────────> journal
 *
 * No clock, no randomness, no I/O, no threads: time and ids arrive with each input, so the same
 * inputs give the same outputs, byte for byte. Effects are carried out by the shell only after the
 * delta they came with has been committed. Several steps may pass before a delta is taken; their
 * outputs add up, and chunks of one message that follow each other become one token_stream event.
 *
 * Scheduling. A node starts when a live edge has come in and its join holds: `all` = no other
 * forward edge can still become live (no active node reaches its source over forward edges);
 * `any` = the first; n = n live ones, else the node fails with join_not_met. A node is skipped when
 * nothing active can reach it any more over any edge. A back edge starts its target at once as a
 * new iteration and resets what follows it. The session ends when nothing is active: completed when
 * an end node has run, else failed with no_end_reached. When an end has completed and what is still
 * active can reach only ends that have run, that rest is cut (skipped or cancelled) and the session
 * ends.
 *
 * Pause. IN_PAUSE moves to paused at once; its event carries quiesced:true and is the last until
 * the resume. Everything that comes in for runs meanwhile (chunks, results, timers with timers=run)
 * is *withheld*: written as withheld rows, no event. IN_RESUME replays the withheld inputs in order
 * after its own event.
 */
#ifndef SLUICE_ENGINE_ENGINE_H
#define SLUICE_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "engine/records.h"
#include "engine/rules.h"
#include "engine/state.h"
#include "engine/workflow.h"

#define ENGINE_EVENT_BYTES_MAX    (12u << 20) /* one delta's events; then the session fails */
#define ENGINE_STEPS_MAX          100000 /* node starts in one session; then it fails: runaway */
#define ENGINE_WITHHELD_BYTES_MAX (1u << 20)  /* then the model is held back (mode hold) */
#define ENGINE_OUTPUT_BYTES_MAX   (4u << 20)  /* of one node, as JSON */
#define ENGINE_REQUEST_BYTES_MAX  (16u << 20) /* of one model call, script or review */

struct expr_vm;
struct session;

/* ---- life ---- */

struct session_params {
    struct id id;
    uint64_t epoch;
    const struct session_meta *meta; /* copied */
    bool start_paused;               /* with IN_START's reason */
};
/* A new session, pending, nothing emitted yet: IN_START begins it. Takes a reference on wf. The
 * meta of its first delta points into the session, which must live until that delta is stored. */
struct session *session_create(struct workflow *wf, struct expr_vm *vm,
                               const struct session_params *p);
void session_destroy(struct session *s);
/* Before IN_START: what the session is given as files, [{name, content, media_type?}], looked at
 * already: names are paths (file_path_check), each once, FILE_BYTES_MAX together. */
void session_attach(struct session *s, struct str attachments_json);

/* A stored session: rows as store_session_load gives them. row->core.last_seq must be that of the
 * event log: chunks cost events without touching the session's row. Of runs, those of each node's
 * newest iteration are enough. ERR_CORRUPT with a sentence when they do not fit together. Then
 * IN_RECOVER. */
struct session_image {
    const struct session_row *row;
    const struct run_row *runs;
    const struct effect_row *effects;
    const struct timer_row *timers;
    const struct withheld_row *withheld;
};
int session_restore(struct session **out, struct workflow *wf, struct expr_vm *vm, uint64_t epoch,
                    const struct session_image *image, struct errbuf *e);

/* ---- inputs ---- */

enum input_kind {
    /* commands; refused with ERR_CONFLICT (wrong state), ERR_NOT_FOUND (node, interrupt),
       ERR_INVALID */
    IN_START,
    IN_PAUSE,
    IN_RESUME,
    IN_CANCEL,
    IN_STOP,
    IN_RESUME_NODE,
    IN_USER_INPUT,
    IN_SIGNAL, /* also while paused */
    IN_STAGE,  /* a stage's items, values; its completion */
    IN_META,   /* what people and programs keep with it (meta.h); also while paused. ERR_STALE:
                  if_version does not hold */
    /* results of effects, by run; for a run that is no longer current they are ignored */
    IN_CHUNK,
    IN_MODEL_DONE,
    IN_RUN_DONE, /* a script, tool, plugin, child or task has ended well */
    IN_RUN_FAILED,
    IN_LOG,
    IN_SAVED, /* what a script or plugin is to begin with after a restart */
    /* time, restart */
    IN_TIMER,
    IN_RECOVER, /* effects of running runs are emitted again; model runs get a new attempt and
                   stream_reset */
};

struct engine_input {
    enum input_kind kind;
    int64_t now_ms;
    struct id_source *ids;
    const struct engine_rules *rules; /* NULL: no prices, and the usual breakers */

    struct str reason;                         /* PAUSE, CANCEL, STOP */
    struct str budget_json;                    /* RESUME: members that replace the budget's */
    struct str justification;                  /* RESUME, when a breaker has tripped */
    bool hold;                                 /* PAUSE: mode "hold" instead of "buffer" */
    bool timers_run;                           /* PAUSE: timers "run" instead of "freeze" */
    struct str node_id;                        /* RESUME_NODE; START: begin at that stage */
    struct id interrupt_id;                    /* RESUME_NODE, zero: whichever is open; STAGE */
    struct str action, data_json, reviewer;    /* RESUME_NODE; STAGE: node_stage.c */
    struct str name;                           /* SIGNAL, with data_json as its payload */
    bool replace;                              /* META, with data_json: PUT; else PATCH */
    int64_t if_version;                        /* META; 0: any */
    struct str content, user_id;               /* USER_INPUT: content is text */
    struct id run_id;                          /* results, LOG: of the call */
    struct str text;                           /* CHUNK (UTF-8), LOG */
    bool is_thinking;                          /* CHUNK */
    struct str level;                          /* LOG */
    struct str output_json;                    /* RUN_DONE, SAVED */
    struct str finish_reason, model, provider; /* MODEL_DONE */
    int64_t input_tokens, output_tokens;       /* MODEL_DONE; -1 unknown */
    struct str tool_calls_json;                /* MODEL_DONE: [{id,name,arguments}], or NULL */
    struct str error_code, error_text;         /* RUN_FAILED */
    int64_t retry_after_ms;                    /* RUN_FAILED; -1 none */
    bool is_final;                             /* RUN_FAILED of a task: not to be tried again */
    struct id timer_id;                        /* TIMER */
};

/* 0, or an error of a command: then nothing has changed. */
int engine_step(struct session *s, const struct engine_input *in, struct errbuf *e);
/* A word for clients that says more than the error of the last step, or NULL: "budget_exhausted",
 * "breaker_tripped", "signals_full". Static. */
const char *session_refusal(const struct session *s);
int64_t session_version(const struct session *s); /* of the meta part, for If-Match */
/* What stood against the command that was just refused, as JSON for the answer's details; or NULL.
 * Valid until the next step. */
struct str engine_refusal_json(const struct session *s);

/* ---- forks ---- */

struct replay {
    struct str events;  /* another session's log, of the same workflow, to its end: frames as they
                           are stored, joined by '\n', in order; token_stream may be left out */
    int64_t after_seq;  /* what happened up to this event is replayed */
    struct str node_id; /* or, when not NULL, all but what this node's newest iteration, and what
                           follows the node, has done since */
    struct str input_json, vars_json; /* after the replay; or NULL */
    int64_t now_ms;
    struct id_source *ids;
};
/* Instead of IN_START: brings a session as session_create() made it to where the other one was, and
 * lets it go on from there. Its delta is as any other. ERR_CONFLICT: the node has not run;
 * ERR_TOO_LARGE; ERR_CORRUPT. The session is to be destroyed then. */
int engine_replay(struct session *s, const struct replay *r, struct errbuf *e);

/* ---- outputs ---- */

enum effect_kind {
    EFFECT_MODEL_START,  /* request_json: {provider?, model?, messages, tools?, temperature?…} */
    EFFECT_SCRIPT_START, /* request_json: {code, env, timeout_ms, memory_bytes_max} */
    EFFECT_TOOL_START,   /* request_json: {tool, arguments, node_id, server?, name?} (of mcp);
                           IN_RUN_DONE gives its output */
    EFFECT_PLUGIN_START, /* request_json: {type, properties, env} */
    EFFECT_CHILD_START, /* child_id; request_json: {session_id, workflow_id, version?, input}; after
                           a restart again: the child may be there, and have ended */
    EFFECT_RUN_CANCEL,  /* close its socket, abort its script; no result is wanted */
    EFFECT_RUN_HOLD,    /* stop reading from the model */
    EFFECT_RUN_UNHOLD,
    EFFECT_TIMER_SET, /* timer_id, due_at */
    EFFECT_TIMER_CLEAR,
    EFFECT_GATE_CLOSE,
    EFFECT_GATE_OPEN,
    EFFECT_GATE_BREAK,   /* the session has ended */
    EFFECT_CHILD_CANCEL, /* child_id; as the next two a command in the child's inbox, written with
                            the delta that it comes with (delta.commands_new) */
    EFFECT_CHILD_PAUSE,
    EFFECT_CHILD_RESUME,
};
struct effect {
    struct effect *next;
    enum effect_kind kind;
    struct id run_id;          /* of the call */
    struct id idempotency_key; /* of a start: the same on every attempt of one (node, iteration) */
    struct str request_json;
    struct id timer_id;
    struct id child_id;
    int64_t due_at;
};

/* Takes what the steps since the last take produced: *d is initialised and filled (meta when the
 * session is new, or what is kept with it has changed); *effects, in order, live in d's arena.
 * Returns false, and leaves *d alone, when there is nothing. */
bool engine_take_delta(struct session *s, int64_t now_ms, struct delta *d, struct effect **effects);
/* The buffer of events of a delta that is over, to be filled again, by any session of this thread:
 * a stream of tokens allocates nothing. Taken or freed; empty afterwards. */
void engine_give_back(struct buf *events);

/* ---- looking ---- */

/* A chunk of the session, or its commit, is next: what that looks at is fetched into the caches
 * meanwhile (mem_fetch). In steps, of which each needs what the one before has fetched, so that
 * several sessions are fetched side by side. */
#define SESSION_FETCH_STEPS 4
void session_fetch(const struct session *s, unsigned step);

struct id session_id(const struct session *s);
struct str session_reason(const struct session *s); /* of its status; or NULL */
/* Whether the session still waits for this task: no end of it has come in, not even in a pause. */
bool session_awaits_task(const struct session *s, struct id task_id);
enum session_status session_status_of(const struct session *s);
int64_t session_last_seq(const struct session *s);   /* of what was stepped, committed or not */
bool session_has_output(const struct session *s);    /* would engine_take_delta give something? */
bool session_row_is_due(const struct session *s);    /* … the session's own row among it? */
size_t session_event_bytes(const struct session *s); /* of events that were not taken yet */
bool session_is_idle(
    const struct session *s); /* nothing running: only suspended nodes and timers; may be evicted */
const struct session_meta *session_meta_of(const struct session *s);
int64_t session_created_at(const struct session *s);
struct str session_definition(const struct session *s); /* the workflow's JSON text */
size_t session_bytes(const struct session *s);          /* memory, roughly */
/* The whole row as it is now (arena: of the caller), for answers about live sessions. */
void session_describe(const struct session *s, struct arena *a, struct session_row *out);
/* The open interrupt of that id (zero: the node's) as its row would be; texts belong to the session
 * and are valid until the next step. False: there is none. */
bool session_interrupt(const struct session *s, struct str node_id, struct id interrupt_id,
                       struct interrupt_row *out);
/* Invariants; aborts with a sentence when one does not hold. Called by tests after each step. */
void session_check(const struct session *s);

#endif
