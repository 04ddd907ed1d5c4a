/* What is stored, as plain rows: the language between engine, store and net.
 *
 * Rows hold no pointers of their own: every `struct str` points into memory of whoever made the row
 * (a delta's arena on the way in, a store request's arena on the way out). A str with p == NULL is
 * SQL NULL. `…_json` fields are checked JSON text. Times are Unix milliseconds, 0 = not set.
 */
#ifndef SLUICE_ENGINE_RECORDS_H
#define SLUICE_ENGINE_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"

/* What the user gave a session; written at creation, changed by PUT and PATCH only. */
struct session_meta {
    struct str workspace; /* "default" */
    struct str name, group_id, user_id;
    struct str tags_json;     /* array of strings */
    struct str metadata_json; /* objects */
    struct str settings_json, thread_configs_json, workflow_state_json;
    struct str workflow_id;   /* NULL: an inline graph */
    int64_t workflow_version; /* 0: inline */
    struct str graph_json;    /* the workflow itself when inline, else NULL */
    struct str checksum;      /* of the stored workflow's text when it began, in hex; or NULL */
    struct str input_json;
    struct str budget_json; /* or NULL */
    bool stored_only;       /* kept for another program (PUT): nothing runs it */
    struct id parent_id;    /* the session it is a child, a fork or a retry of; zero: none */
    int64_t parent_seq;     /* of the parent's event where it began; 0: none */
    struct id parent_run;   /* a child's: the run of the subworkflow node that waits; else zero */
};

/* What the engine owns; written whenever it changes, as one row. */
struct session_core {
    struct str status;                  /* a word: stored-only sessions may have any */
    struct str reason;                  /* of pause, cancel, stop; or NULL */
    struct str output_json, error_json; /* error: {code,message,node_id} */
    struct str node_statuses_json;      /* {"judge":"running"} */
    struct str waiting_json;            /* [{node_id,interrupt_id,kind,expires_at}] */
    struct str usage_json;              /* {input_tokens,output_tokens,cost_usd, budget?}: the
                                           last when it is not the one of the beginning */
    struct str vars_json;
    struct str state_json; /* the engine's own: iterations, live edges, loops, timers */
    int64_t last_seq;
    bool busy; /* has running work: to be taken up again at start */
    int64_t started_at, ended_at, updated_at;
};

struct session_row {
    struct id id;
    int64_t version; /* of the meta part, for If-Match; counted by the store on every meta write */
    struct id owner; /* the instance that has it; zero: none. It counts while that instance has a
                        row in `instances` */
    uint64_t epoch;  /* fencing token of the owner */
    int64_t created_at;
    struct session_meta meta;
    struct session_core core;
    struct str checksum_now; /* Out: of the newest version of the workflow that it names; or NULL */
};

/* One attempt of one node. Keyed by run_id; (node_id, iteration, attempt) is unique in a session.
 */
struct run_row {
    struct run_row *next;
    struct id run_id;
    struct str node_id;
    struct str kind;            /* "llm" */
    int64_t iteration, attempt; /* from 1 */
    struct str status;
    struct str branch; /* innermost parallel branch's head, or NULL */
    struct str output_json, error_json;
    struct str interrupt_json; /* while suspended: {interrupt_id,kind,actions,expires_at,draft?…};
                                  kept when answered, with the answer */
    struct str progress_json;  /* what a run of several calls has so far, or a script's checkpoint:
                                  the engine's own; NULL: none. Kept up to date while it runs */
    int64_t started_at, ended_at;
};

/* Work that must be done after the commit, and again after a crash, until it is deleted. A run that
 * makes one call has it under its own id; one that makes several gives each an id of its own. */
struct effect_row {
    struct effect_row *next;
    struct id run_id;        /* of the call */
    struct str kind;         /* "model", "script", "tool", "plugin", "child" */
    struct str request_json; /* all that is needed to do it again */
};

struct timer_row {
    struct timer_row *next;
    struct id timer_id;
    int64_t due_at;
    struct str purpose_json; /* the engine's own */
};

struct message_row {
    struct message_row *next;
    struct id message_id;
    struct id run_id; /* zero: said by a person */
    struct str node_id, role, agent_id, content, finish_reason;
    struct str thinking;        /* what the model thought before it; or NULL */
    struct str tool_calls_json; /* [{id, name, arguments}] that it asked for; or NULL */
    int64_t token_count;
    int64_t seq; /* of its `message` event */
    int64_t created_at;
};

/* What one model call used. Kept when the session is deleted: the sums of a group, of a workspace.
 */
struct usage_row {
    struct usage_row *next;
    struct id call_id; /* unique */
    struct id run_id;
    struct str node_id, agent_id; /* agent NULL: none */
    struct str provider, model;   /* that really ran */
    int64_t input_tokens, output_tokens;
    int64_t cost_micros; /* of a dollar; -1: the price is not known */
    bool estimated;      /* the call told nothing of its tokens: these are a guess */
    int64_t created_at;
};

/* A question to people, for the list over all sessions; also a stage, whose items are in it. Kept
 * when it is answered. */
struct interrupt_row {
    struct interrupt_row *next;
    struct id interrupt_id;
    struct id session_id; /* out of the store */
    struct id run_id;
    struct str node_id;
    struct str kind;         /* "approve_reject", "edit_content", "form", "user_input", "stage" */
    struct str status;       /* "pending", "answered", "expired", "cancelled" */
    struct str request_json; /* {reason, actions, draft?, form_schema?, checklist?, ...} */
    struct str answer_json;  /* {action, data, reviewer, at}; NULL while it is open */
    int64_t expires_at;      /* 0: never */
    int64_t created_at, updated_at;
};

/* Work that outside workers lease over HTTP. Its id is that of the call; it is made with the run
 * and deleted when the run has ended, whatever has become of it. Of a row that is inserted, the
 * lease (status, worker, attempt) is not read: it waits. */
struct task_row {
    struct task_row *next;
    struct id task_id;
    struct id session_id; /* out of the store */
    struct id run_id;
    struct str node_id, queue;
    struct str status;     /* "waiting", "leased" */
    struct str input_json; /* {key, input} */
    struct str worker;     /* who has it, as it calls itself; or NULL */
    int64_t attempt;       /* leases so far: the fencing token of the newest */
    int64_t heartbeat_ms;  /* how long a lease lasts without a heartbeat */
    int64_t lease_expires_at;
    int64_t created_at;
};

/* One version of a file of a session; versions of a path are counted from 1 by the engine. */
#define FILE_PATH_BYTES_MAX 255
struct file_row {
    struct file_row *next;
    struct str path; /* relative, "/" between parts, no "." or ".." */
    int64_t version;
    int64_t from_version; /* the content is that of this version of the same path; 0: content */
    struct id run_id;     /* that wrote it; zero: a person */
    struct str author, reason, media_type;
    struct str content; /* bytes; NULL with from_version, which never names another such one */
    int64_t size;       /* of the content, with from_version too */
    int64_t seq;        /* of the newest event when it was written: what a fork before that lacks */
    bool deleted;       /* the path ends here; content is empty */
    int64_t created_at;
};

/* An input that came while the gate was closed: durable, not visible. */
struct withheld_row {
    struct withheld_row *next;
    int64_t ord; /* ascending within a session */
    struct str input_json;
};

/* An answer that a repeated request with the same Idempotency-Key gets again. */
struct idempotency_row {
    struct idempotency_row *next; /* in a delta: several requests may meet in one turn */
    struct str workspace, key;
    uint64_t body_hash[2]; /* of method, route and body */
    int http_status;
    struct str body_json;
    int64_t created_at;
};

/* A command that reached an instance which does not own the session: the durable inbox. Whoever
 * owns the session carries it out, and the answer is written in the same transaction as what it
 * changed. */
struct command_row {
    struct command_row *next;
    struct id command_id, session_id;
    struct str request_json; /* app's own */
    int http_status;         /* of the answer; 0: waits to be carried out */
    struct str answer_json;  /* app's own; NULL while it waits */
    int64_t created_at;
};

/* One running server process. */
struct instance_row {
    struct instance_row *next;
    struct id id;
    struct str name, address, version; /* host name and pid, http://host:port, "0.1.0" */
    bool leaving;                      /* hands its sessions over, takes no new ones */
    int64_t sessions;                  /* live in its memory when it was last seen */
    int64_t started_at;                /* by the store's clock, as the next two */
    int64_t seen_at, lease_until;
};

/* Stored objects that workflows and sessions name. */
enum catalog_kind { CATALOG_AGENT, CATALOG_GROUP, CATALOG_TEMPLATE, CATALOG_KIND_COUNT };

struct id_list {
    struct id_list *next;
    struct id id;
};

/* All that one session's steps of one loop turn want durable, in one transaction with those of
 * other sessions. Made by the engine, completed by the journal, read by the store; owned by the
 * journal until the commit has been reported. */
struct delta {
    struct arena arena;
    struct id session_id;
    uint64_t epoch;  /* the write is refused (ERR_STALE) when the stored epoch is higher */
    struct id owner; /* when is_new */
    int64_t at;      /* when */

    /* Events: frames as in the contract, each one line of JSON, joined by '\n', none after the
     * last. seq_last = 0: none. Stored as one row. */
    struct buf events;
    int64_t seq_first, seq_last;
    bool is_new;        /* insert the session with *meta and *core */
    int64_t created_at; /* when is_new */
    /* When is_new; else NULL unless what people keep with it has changed: then name, tags,
     * metadata, settings, thread_configs and workflow_state are written, and the version. */
    const struct session_meta *meta;
    int64_t version;                 /* of it; 1 when is_new */
    const struct session_core *core; /* NULL: the session's row is not touched */

    struct run_row *runs;                      /* upsert by run_id */
    struct effect_row *effects_new;            /* insert */
    struct id_list *effects_done;              /* delete by run_id */
    struct timer_row *timers_set;              /* upsert by timer_id */
    struct id_list *timers_done;               /* delete */
    struct message_row *messages;              /* insert */
    struct interrupt_row *interrupts;          /* upsert by interrupt_id */
    struct task_row *tasks_new;                /* insert */
    struct id_list *tasks_done;                /* delete by task_id */
    struct file_row *files;                    /* insert */
    struct usage_row *usage;                   /* insert; one that is there is left */
    struct withheld_row *withheld;             /* insert */
    bool withheld_clear;                       /* delete all of the session (before the inserts) */
    const struct idempotency_row *idempotency; /* insert all of the list, or NULL */
    /* Answers of inbox commands that these steps carried out: http_status and answer_json are
     * written; refused whole when one of them was answered before. Or NULL. */
    const struct command_row *commands_done;
    /* For other sessions' inboxes, whoever has those: insert. One for a session that is not there,
     * or with an id that is there, is left out. After all deltas of the transaction. */
    const struct command_row *commands_new;
};

#endif
