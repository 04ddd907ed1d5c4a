/* The store: where everything durable lives. One interface; sqlite_* (default), pg_* and mem_*
 * (tests, with faults) behind it.
 *
 * A request is a struct that embeds struct store_req, is owned by the caller, and is submitted. Its
 * `done` is called exactly once, on the loop's thread, later, never from inside store_submit(). In
 * fields must stay valid until then. Out strings live in req.arena; store_req_deinit() frees them,
 * and may be called in or after `done`. Calling `done` is the last thing the store does with a
 * request.
 *
 * Writes (commit, …_put, …_delete) are carried out in the order in which they were submitted, each
 * in a transaction of its own, durable (synchronous=FULL) when it is reported. A read that is
 * submitted after a write was reported sees that write.
 *
 * Errors: ERR_NOT_FOUND, ERR_CONFLICT (exists already, wrong state), ERR_STALE (version, epoch),
 * ERR_INVALID (a cursor that is none of ours), ERR_CORRUPT (stored bytes do not read back;
 * error.text names the id), ERR_IO and ERR_UNAVAILABLE (disk full, locked, gone: nothing was
 * changed, may be tried again), ERR_CANCELLED (the store was closed first).
 */
#ifndef SLUICE_STORE_STORE_H
#define SLUICE_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "engine/records.h"

struct uv_loop_s;
struct store;

enum store_op {
    STORE_COMMIT,
    STORE_WORKFLOW_PUT,
    STORE_WORKFLOW_GET,
    STORE_WORKFLOW_LIST,
    STORE_WORKFLOW_VERSIONS,
    STORE_WORKFLOW_DELETE,
    STORE_SESSION_GET,
    STORE_SESSION_LIST,
    STORE_SESSION_LOAD,
    STORE_SESSION_DELETE,
    STORE_EVENTS_READ,
    STORE_MESSAGES_LIST,
    STORE_RUNS_LIST,
    STORE_SCAN_BUSY,
    STORE_SCAN_TIMERS,
    STORE_IDEMPOTENCY_GET,
    STORE_IDEMPOTENCY_PUT,
    STORE_SESSION_RELEASE,
    STORE_INSTANCE_PUT,
    STORE_INSTANCE_REMOVE,
    STORE_INSTANCE_LIST,
    STORE_COMMAND_PUT,
    STORE_COMMAND_GET,
    STORE_COMMAND_LIST,
    STORE_COMMAND_DONE,
    STORE_RETENTION,
    STORE_INTERRUPT_GET,
    STORE_INTERRUPT_LIST,
    STORE_TASK_LEASE,
    STORE_TASK_HEARTBEAT,
    STORE_TASK_GET,
    STORE_FILE_GET,
    STORE_FILE_LIST,
    STORE_MEMORY_PUT,
    STORE_MEMORY_QUERY,
    STORE_MEMORY_LIST,
    STORE_MEMORY_GET,
    STORE_MEMORY_UPDATE,
    STORE_MEMORY_AGE,
    STORE_MEMORY_DELETE,
    STORE_CATALOG_PUT,
    STORE_CATALOG_GET,
    STORE_CATALOG_LIST,
    STORE_CATALOG_DELETE,
    STORE_USAGE_SUM,
    STORE_CHILDREN_LIST,
    STORE_KEY_LIST, /* keys.h */
    STORE_KEY_WRITE,
    STORE_TICKET,
    STORE_SESSION_SAVE,
    STORE_ACTIVE_GET,
    STORE_ACTIVE_PUT,
    STORE_SCHEDULE_PUT, /* store_schedules.h */
    STORE_SCHEDULE_GET,
    STORE_SCHEDULE_LIST,
    STORE_SCHEDULE_DELETE,
    STORE_SCHEDULE_DUE,
    STORE_SCHEDULE_MOVE,
    STORE_AUDIT_PUT, /* store_audit.h */
    STORE_AUDIT_LIST,
    STORE_AUDIT_PRUNE,
    STORE_SESSION_EXPORT,
    STORE_SESSION_IMPORT,
    /* hooks.h; writes, then reads */
    STORE_HOOK_PUT,
    STORE_HOOK_DELETE,
    STORE_HOOK_CLAIM,
    STORE_HOOK_SAVE,
    STORE_HOOK_LIST,
    STORE_HOOK_SCAN,
    STORE_HOOK_DELIVERIES,
    STORE_SESSION_STATS,
    STORE_OP_COUNT,
};

struct store_req {
    void (*done)(struct store_req *req);
    void *data;
    int status; /* Out */
    struct errbuf error;
    struct arena arena; /* Out strings */
    enum store_op op;
    struct list link; /* Private */
};
/* Initialises req (zeroes Out); the caller then fills the In fields of the struct around it. */
void store_req_init(struct store_req *req, enum store_op op, void (*done)(struct store_req *),
                    void *data);
void store_req_deinit(struct store_req *req);
bool store_op_is_write(const struct store_req *req); /* a session's load is one when it claims */

/* Who has a session: sessions.owner names an instance, and that counts as long as the instance has
 * a row in `instances`. A session without an owner, or whose owner has no row, is free: any
 * instance may claim it, which raises its epoch, and every write carries an epoch, so that a former
 * owner is refused. An ended session has no owner. (docs/decisions/0007) */

/* ---- writes ---- */

/* All deltas in one transaction. A delta that cannot be written is left out whole and marked
 * refused, the others are written: its epoch is lower than the stored one, its session is gone (or
 * exists already, when it is_new), one of its Idempotency-Keys is taken, other events have its
 * numbers. error.text then tells of the last one, though the request succeeds.
 *
 * A commit may be submitted again when its outcome is not known: what stands in the store already
 * (the same events under the same numbers) counts as written and changes nothing. */
struct store_commit {
    struct store_req req;
    struct delta *const *deltas;
    size_t count;
    bool *refused; /* In/Out: count flags, owned by the caller */
    /* In: the caller has nothing else to do meanwhile. A store that is sure to be quick may write
     * it within submit(); done is called by the loop as ever. */
    bool may_block;
};

struct workflow_row {
    struct workflow_row *next;
    struct str id, name, type, description;
    int64_t version;                /* 1, 2, … */
    struct str graph_json;          /* the definition as validated, JSON */
    struct str checksum;            /* of it; written by the store, not read back */
    int64_t created_at, updated_at; /* of the first, of this version */
};

/* A new version of a workflow, or its first. */
struct store_workflow_put {
    struct store_req req;
    struct str workspace, id, name, type, description, graph_json;
    bool create_only;         /* ERR_CONFLICT when the id exists */
    bool must_exist;          /* ERR_NOT_FOUND when it does not */
    int64_t expected_version; /* ERR_STALE unless it is the newest; 0: any */
    int64_t now_ms;
    const struct idempotency_row *idempotency; /* or NULL; in the same transaction */
    struct workflow_row row;                   /* Out */
};
/* Its texts stay, for sessions that run on them; when the id is made again, its versions go on
 * counting, and only the new ones are listed. */
struct store_workflow_delete {
    struct store_req req;
    struct str workspace, id;
    int64_t expected_version;
};
struct store_session_delete { /* with everything that hangs on it */
    struct store_req req;
    struct str workspace;
    struct id id;
    int64_t expected_version; /* ERR_STALE; 0: any */
    bool terminal_only;       /* ERR_CONFLICT while it is live */
};
/* Sessions that other programs keep here, and what they keep with those that have ended. */
enum save_kind {
    SAVE_STORED, /* created, or replaced whole. ERR_CONFLICT: that session was executed here */
    SAVE_META,   /* name, tags, metadata, settings, thread_configs and workflow_state of one that is
                    there. ERR_CONFLICT: it runs, so only its owner may */
};
struct session_save {
    struct id id;
    enum save_kind kind;
    struct session_meta meta;
    struct str status;        /* of SAVE_STORED */
    int64_t expected_version; /* ERR_STALE; 0: any */
    bool must_exist;          /* ERR_NOT_FOUND, as always with SAVE_META */
    /* Out */
    bool created;
    int64_t version, created_at;
};
enum save_entry { SAVE_ENTRY_NONE, SAVE_ENTRY_SAVE, SAVE_ENTRY_DELETE };
/* All or nothing. No id stands in it twice. Deletes are of stored sessions and ended ones:
 * ERR_CONFLICT, ERR_NOT_FOUND. A write. */
struct store_session_save {
    struct store_req req;
    struct str workspace;
    struct session_save *saves;
    size_t save_count;
    const struct id *deletes;
    size_t delete_count;
    int64_t now_ms;
    /* Stored with it, or NULL: its body is what `answer` makes of Out, within the transaction: it
     * runs on any thread, and touches nothing else. */
    const struct idempotency_row *idempotency;
    void (*answer)(const struct store_session_save *s, struct buf *out);
    enum save_entry failed_in; /* Out: where the entry stands that was refused */
    size_t failed;             /* Out: as which */
};
struct store_idempotency_put { /* ERR_CONFLICT when the key exists */
    struct store_req req;
    struct idempotency_row row;
};

/* ---- reads ---- */

#define STORE_LIMIT_DEFAULT 50
#define STORE_LIMIT_MAX     500

struct store_workflow_get {
    struct store_req req;
    struct str workspace, id;
    int64_t version; /* 0: the newest. Any version that ever was is found by its number, also of
                        a deleted workflow: a session may still run on it. */
    struct workflow_row row; /* Out */
};
struct store_workflow_list { /* newest versions, by id; without graph_json */
    struct store_req req;
    struct str workspace, q, type, cursor; /* q: part of id or name, any case */
    int limit;
    struct workflow_row *rows; /* Out */
    struct str next_cursor;    /* Out; NULL at the end */
};
struct store_workflow_versions { /* newest first, without graph_json */
    struct store_req req;
    struct str workspace, id, cursor;
    int limit;
    struct workflow_row *rows;
    struct str next_cursor;
};

struct session_item {
    struct session_item *next;
    struct session_row row;
};
struct store_session_get {
    struct store_req req;
    struct str workspace; /* NULL: any */
    struct id id;
    struct session_row row; /* Out; core.state_json left NULL */
};
/* A member of the metadata: names of members joined by '.', and the text of a scalar (of a number
 * as it was written; true, false). */
struct metadata_filter {
    struct str path, value;
};
/* By created_at (of the same millisecond: as they were written), newest first unless ascending.
 * A page may be short, even empty, and have a next_cursor: one request looks at no more than 20,000
 * rows for what its filters want. The same holds for workflows. */
struct store_session_list {
    struct store_req req;
    struct str workspace;                                           /* NULL: the default one */
    struct str status, workflow_id, group_id, user_id, tag, cursor; /* NULL: any */
    struct str q; /* part of the name or of the id, any case (ASCII); NULL: any */
    const struct metadata_filter *metadata; /* all of them hold; NULL: none */
    size_t metadata_count;
    int64_t created_after, created_before; /* both excluded; 0: any */
    bool ascending;
    int limit;
    struct session_item *rows; /* Out; as in store_session_get, without meta.graph_json */
    struct id_list *corrupt;   /* Out: those of this page that do not read back */
    struct str next_cursor;
};

/* Sums over sessions: how many, how they ended, how long they took. The newest STATS_ROWS_MAX of
 * the filters' are looked at; with more, or more keys than STATS_KEYS_MAX in one list, `truncated`
 * is true. */
#define STATS_ROWS_MAX 200000
#define STATS_KEYS_MAX 2000
struct stat_row {
    struct stat_row *next;
    struct str key; /* the workflow or NULL; the error's code ("" when it has none) */
    int64_t day;    /* its first millisecond, UTC */
    struct str status;
    int64_t count;
};
struct store_session_stats {
    struct store_req req;
    struct str workspace, workflow_id, group_id; /* the last two: NULL, any */
    int64_t created_after, created_before;       /* both excluded; 0: any */
    /* Out. Each list by its key (bytes, NULL first) or day, then by status. */
    struct stat_row *by_status, *by_workflow, *by_day, *failures;
    int64_t total;
    bool truncated;
    /* Of those that began and ended, in ms: the smallest value that so many parts are not above. */
    int64_t ended, duration_sum, p50, p90, p99, duration_max;
    int64_t input_tokens, output_tokens;
    double cost_usd;
};

/* Everything that the engine needs to go on. */
struct store_session_load {
    struct store_req req;
    struct id id;
    struct id claim_for;      /* takes the session for this instance (a write); zero: only reads.
                                 When it is free its epoch rises by one and the instance is its
                                 owner; when the instance has it already nothing changes. ERR_STALE
                                 when another instance has it: row.owner is given. An ended or
                                 stored-only session is given as it is; one that does not read
                                 back is not claimed. */
    struct session_row row;   /* Out, whole */
    struct str workflow_json; /* Out: meta.graph_json, or the version's text */
    struct run_row *runs;     /* Out: of each (node) the newest iteration's runs, and of older
                                 iterations those that have not ended; ascending */
    struct effect_row *effects;
    struct timer_row *timers;
    struct withheld_row *withheld; /* by ord */
    /* Private */
    struct str runs_packed; /* runs that are stored in the session's row, or NULL (rules.h) */
};

struct event_row {
    struct event_row *next;
    int64_t seq_first, seq_last;
    struct str frames; /* joined by '\n' */
};
/* Events with seq > after, in order. The first row may begin at or before `after`: the reader
 * skips. Reads at least one row if there is one, then until bytes_max or limit (events) is passed.
 */
struct store_events_read {
    struct store_req req;
    struct id session_id;
    int64_t after;
    int limit;
    size_t bytes_max;
    struct event_row *rows; /* Out */
    int64_t first_seq_held; /* Out: the oldest event the log still has; 0: none */
    int64_t last_seq;       /* Out: of the session; ERR_NOT_FOUND when there is no such session */
};
struct store_messages_list { /* by created_at, seq */
    struct store_req req;
    struct id session_id;
    struct str node_id, agent_id, role; /* NULL: any */
    struct str cursor;
    int limit;
    struct message_row *rows;
    struct str next_cursor;
};
/* All attempts, in the order in which they were made (run_id), without progress_json. */
struct store_runs_list {
    struct store_req req;
    struct id session_id;
    struct str cursor;
    int limit;
    struct run_row *rows;
    struct str next_cursor;
};
struct store_scan_busy { /* sessions with running work that are free, for recovery; by id */
    struct store_req req;
    struct id after; /* zero: from the first */
    int limit;
    struct id_list *ids;
};
struct timer_due {
    struct timer_due *next;
    struct id session_id, timer_id;
    int64_t due_at;
};
struct store_scan_timers { /* of sessions that are free or the instance's; the earliest first */
    struct store_req req;
    struct id instance; /* zero: whoever has them */
    int64_t until;      /* due_at <= until */
    int limit;
    struct timer_due *rows;
    int64_t next_due_at; /* Out: of the first one after those given; 0: none */
};
struct store_idempotency_get { /* ERR_NOT_FOUND */
    struct store_req req;
    struct str workspace, key;
    struct idempotency_row row;
};

/* ---- what people and workers do with sessions ---- */

struct store_interrupt_get { /* ERR_NOT_FOUND */
    struct store_req req;
    struct str workspace; /* NULL: the default one */
    struct id interrupt_id;
    struct interrupt_row row;
    struct str session_name, workflow_id; /* Out: of its session; or NULL */
};
struct interrupt_item {
    struct interrupt_item *next;
    struct interrupt_row row;
    struct str session_name, workflow_id;
};
/* Over all sessions of the workspace, by created_at, interrupt_id, the oldest first. */
struct store_interrupt_list {
    struct store_req req;
    struct str workspace, status, kind; /* NULL: any */
    struct id session_id;               /* zero: any */
    struct str cursor;
    int limit;
    struct interrupt_item *rows;
    struct str next_cursor;
};

/* The session that a person works on when they name none: one for each of a workspace's users. That
 * it is there, and in that workspace, is for the caller to look. */
struct store_active_get {
    struct store_req req;
    struct str workspace, user_id;
    struct id session_id; /* Out; zero: none */
};
struct store_active_put { /* a write */
    struct store_req req;
    struct str workspace, user_id;
    struct id session_id; /* zero: none any more */
    int64_t now_ms;
};

/* Up to `max` tasks of the queue that wait, or whose lease is over, the oldest first, are leased to
 * the worker until now + their heartbeat_ms by the store's clock; attempt rises by one. Those of
 * paused sessions are kept back. A write. */
struct store_task_lease {
    struct store_req req;
    struct str workspace, queue, worker;
    int max;
    struct task_row *rows; /* Out */
    int64_t next_due_at; /* Out, when none was found: when the next lease of the queue ends; or 0 */
};
/* Extends a lease, also one that is over while nobody else has the task. ERR_NOT_FOUND: no such
 * task, its run is over. ERR_STALE: leased to another since (attempt differs), or not leased. A
 * write. */
struct store_task_heartbeat {
    struct store_req req;
    struct id task_id;
    int64_t attempt;          /* 0: whoever has it */
    int64_t lease_expires_at; /* Out */
};
struct store_task_get { /* ERR_NOT_FOUND */
    struct store_req req;
    struct id task_id;
    struct task_row row;
};

/* ERR_NOT_FOUND: no such file or version, or the newest is a deletion. */
struct store_file_get {
    struct store_req req;
    struct id session_id;
    struct str path;
    int64_t version;     /* 0: the newest */
    struct file_row row; /* Out, with its content, also that of from_version */
};
/* By path: newest versions, without those that are deletions; or all versions of `path`, the newest
 * first. No contents. A session without files, or that is not there, has an empty list. */
struct store_file_list {
    struct store_req req;
    struct id session_id;
    struct str path;   /* NULL: every path */
    int64_t until_seq; /* as they were then: of those written up to this number; 0: now */
    struct str cursor;
    int limit;
    struct file_row *rows;
    struct str next_cursor;
};

/* ---- memories ---- */

/* What a group remembers: a chunk of what was ingested, in one of three tiers.
 *
 *     quarantine ──(by hand, or by the group's rule)──> working ──(24 h, or by hand)──> long_term
 *
 * What stands in quarantine is found by no question unless it is asked for. */
enum memory_tier { MEMORY_QUARANTINE = 1, MEMORY_WORKING = 2, MEMORY_LONG_TERM = 4 }; /* bit set */
#define MEMORY_DIMENSIONS_MAX 4096
struct memory_row {
    struct memory_row *next;
    struct id id;
    struct id source_id;  /* the same for all chunks of one text */
    struct id session_id; /* where it comes from; zero: from none */
    struct str workspace, group_id, agent_id, content, metadata_json; /* agent NULL: the group's */
    enum memory_tier tier;
    int64_t chunk, chunks; /* 0 of 1 */
    struct str model;      /* that made the vector; NULL: it has none */
    const float
        *embedding; /* `dimensions` of them, of length 1; in: the caller's; out: left NULL */
    unsigned dimensions;
    int64_t hits;                    /* how often it was found and used */
    int64_t created_at, updated_at;  /* updated: when it came into its tier */
    double score;                    /* out of a query: 0 to 1, both ways together */
    double text_score, vector_score; /* each way's own; below 0: not found that way */
};
/* All rows in one transaction; a row whose id is there is left as it is. A write. */
struct store_memory_put {
    struct store_req req;
    const struct memory_row *rows;             /* in */
    const struct idempotency_row *idempotency; /* or NULL */
};
/* The best first. By words (full text) where `text` is given, by nearness where `embedding` is
 * (only rows of the same model and dimensions), both fused where both are; by age alone where
 * neither is. The same for every store, but for what HNSW misses (docs/PERFORMANCE.md). */
struct store_memory_query {
    struct store_req req;
    struct str workspace, group_id;
    struct str agent_id;                   /* NULL: of everybody */
    bool group_only;                       /* only what belongs to no agent */
    struct id session_id;                  /* zero: of every session */
    unsigned tiers;                        /* bits; 0: working and long-term */
    int64_t created_after, created_before; /* 0: any */
    struct str text, model;
    const float *embedding;
    unsigned dimensions;
    double score_min;
    int limit;
    struct memory_row *rows;
};
struct store_memory_list { /* the newest first */
    struct store_req req;
    struct str workspace, group_id, agent_id; /* agent NULL: all */
    struct id session_id, source_id;          /* zero: all */
    unsigned tiers;                           /* 0: all */
    struct str cursor;
    int limit;
    struct memory_row *rows;
    struct str next_cursor;
};
struct store_memory_get { /* ERR_NOT_FOUND */
    struct store_req req;
    struct str workspace;
    struct id id;
    struct memory_row row;
};
/* Moves chunks from tier to tier, or counts that they were used. A write. */
struct store_memory_update {
    struct store_req req;
    struct str workspace;
    const struct id *ids; /* of chunks, or of sources: all their chunks */
    size_t count;
    enum memory_tier tier; /* 0: stays */
    bool hit;              /* one more hit */
    int64_t now_ms;
    int64_t changed; /* Out: rows */
};
/* Working memories that came there before `before`, or beyond the newest `keep` of their group, go
 * to the long term. A write. */
struct store_memory_age {
    struct store_req req;
    int64_t before, now_ms;
    int keep, limit;
    int64_t changed; /* Out */
};
struct store_memory_delete { /* ERR_NOT_FOUND. A write */
    struct store_req req;
    struct str workspace;
    struct id id; /* of a chunk, or of a source: all its chunks */
    int64_t changed;
};

/* ---- agents, groups, templates ---- */

/* The object is its body, checked by the app; the other members say what lists look for. Those that
 * came with the server (catalog.h of app) are not in the store. */
struct catalog_row {
    struct catalog_row *next;
    struct str workspace, id, name, description, category; /* the last two may be NULL */
    struct str body_json;
    int64_t version, created_at, updated_at;
};
/* A write. ERR_CONFLICT (create_only), ERR_NOT_FOUND (must_exist), ERR_STALE. */
struct store_catalog_put {
    struct store_req req;
    enum catalog_kind kind;
    struct catalog_row row; /* In: names and body. Out: whole */
    bool create_only, must_exist;
    int64_t expected_version; /* 0: any */
    int64_t now_ms;
    const struct str
        *agents; /* ids of agents that must be there: else ERR_INVALID that names one */
    size_t agent_count;
    const struct idempotency_row *idempotency;
};
struct store_catalog_get { /* those of the ids that are there, in any order; none is no error */
    struct store_req req;
    enum catalog_kind kind;
    struct str workspace;
    const struct str *ids;
    size_t count;
    struct catalog_row *rows;
};
/* By id. A page may be short, and have a next_cursor: its bodies are 4 MiB at most, or one. */
struct store_catalog_list {
    struct store_req req;
    enum catalog_kind kind;
    struct str workspace, q, category, cursor; /* q: part of id, name or description, any case */
    int limit;
    struct catalog_row *rows;
    struct str next_cursor;
};
/* A write. ERR_NOT_FOUND, ERR_STALE; ERR_CONFLICT: in use, used_by_json says by what:
 * {"groups":[ids],"workflows":[ids],"templates":[ids]} of an agent (20 of each at most; only newest
 * versions of workflows count, and only where the agent's persona is not written in),
 * {"memories":n,"sessions":n (live)} of a group. */
struct store_catalog_delete {
    struct store_req req;
    enum catalog_kind kind;
    struct str workspace, id;
    int64_t expected_version, now_ms;
    bool detach; /* in use or not: an agent is taken out of its groups; the rest stays as it is */
    struct str used_by_json;
};

/* ---- what model calls used ---- */

struct usage_sum {
    struct usage_sum *next;
    int64_t day; /* when by_day: its first millisecond, UTC */
    struct str group_id, node_id, agent_id, provider,
        model; /* those that are not asked for: NULL */
    int64_t calls, input_tokens, output_tokens;
    int64_t cost_micros;     /* of calls with a known price */
    int64_t unpriced_calls;  /* the others */
    int64_t estimated_calls; /* that did not tell what they used; their guesses are in the tokens */
};
/* Sums over all calls that match, one row for each combination of what is asked for. */
struct store_usage_sum {
    struct store_req req;
    struct str workspace;
    struct id session_id;                               /* zero: any */
    struct str group_id;                                /* NULL: any */
    int64_t from, until;                                /* created_at >= from, < until; 0: any */
    bool by_day, by_group, by_node, by_agent, by_model; /* by_model: provider, too */
    int limit;              /* rows; more: the rest is left out, and `more` is true */
    struct usage_sum *rows; /* by day, then by the other columns */
    bool more;
};
/* The sessions that a run of this one waits for, or waited; by id, STORE_LIMIT_MAX at most. */
struct store_children_list {
    struct store_req req;
    struct id parent_id;
    struct session_item *rows;
};

/* ---- a session as a whole ---- */

/* All that a store has of one session, for a file that another server takes in. Not in it: who has
 * it (owner, epoch), answers of repeated requests, commands that wait for it, leases of tasks. */
struct session_whole {
    struct session_row row;   /* with meta.graph_json of an inline graph, and core.state_json */
    struct str workflow_json; /* the text that it runs on; NULL: none (stored only) */
    int64_t folded_seq; /* its log is whole from here on; before, frames may be missing; 0: all */
    struct event_row *events;     /* in order */
    struct message_row *messages; /* by created_at, seq, id; the others by their ids */
    struct run_row *runs;         /* all of them, with progress_json */
    struct interrupt_row *interrupts;
    struct task_row *tasks;
    struct file_row *files; /* by path, version: all versions, content only where it is its own */
    struct usage_row *usage;
    struct effect_row *effects;
    struct timer_row *timers;
    struct withheld_row *withheld;
};
/* As of one moment. ERR_NOT_FOUND; ERR_TOO_LARGE: more than bytes_max. */
struct store_session_export {
    union {
        struct store_req req;
        struct store_session_load load; /* In: its id; the rest is private */
    };
    struct str workspace;       /* NULL: any */
    size_t bytes_max;           /* of texts and contents, about */
    struct session_whole whole; /* Out */
};
/* A write, all or nothing. The session is nobody's then, its epoch 0. It keeps the text of its
 * workflow with it, whatever that id means here. ERR_CONFLICT: it is there already, or one of its
 * interrupts or tasks is another session's. */
struct store_session_import {
    struct store_req req;
    struct str workspace; /* where it is to stand, whatever its meta says */
    const struct session_whole *whole;
    const struct idempotency_row *idempotency; /* or NULL; in the same transaction */
    int64_t now_ms;
};

/* ---- several instances ---- */

/* The instance gives these up, in one write: those that it still has become free. */
struct store_session_release {
    struct store_req req;
    struct id instance;
    const struct id *ids;
    size_t count;
};

/* Registers an instance, or renews its lease: lease_until = the store's clock + lease_ms. */
struct store_instance_put {
    struct store_req req;
    struct instance_row row; /* times are not read */
    int64_t lease_ms;
    bool must_exist; /* ERR_NOT_FOUND when its row is gone: it was held for dead */
};
/* With this its sessions are free. */
struct store_instance_remove {
    struct store_req req;
    struct id id;
    bool expired_only; /* ERR_CONFLICT while its lease holds; ERR_NOT_FOUND: no such row */
};
struct store_instance_list { /* by started_at, id; all of them: they are few */
    struct store_req req;
    struct instance_row *rows;
    int64_t now; /* Out: the store's clock, to compare lease_until with */
};

struct store_command_put { /* ERR_NOT_FOUND: no such session; ERR_CONFLICT: that id is there */
    struct store_req req;
    struct command_row row;
};
struct store_command_get { /* ERR_NOT_FOUND */
    struct store_req req;
    struct id command_id;
    struct command_row row;
};
struct store_command_list { /* those that wait, in the order in which they came (command_id) */
    struct store_req req;
    struct id session_id; /* zero: of all sessions that are free or the instance's */
    struct id instance;
    struct id after; /* zero: from the first */
    int limit;
    struct command_row *rows;
};
/* Answers of commands that changed nothing (refusals). One that was answered before is left as it
 * is. `epoch` as in a delta: ERR_STALE when the session has moved on. */
struct store_command_done {
    struct store_req req;
    struct id session_id;
    uint64_t epoch;
    const struct command_row *rows;
};

/* One bounded step of tidying up, called again until more is false.
 *
 * Folding: of a session that ended before fold_before, the token_stream frames are taken out of its
 * log; what they said stands in its messages. From then on first_seq_held is the number after the
 * last frame that was taken out (readers who are further back take a snapshot), and
 * STORE_EVENTS_READ gives the frames that were kept, in rows that are whole, with gaps between.
 * (rules_fold() of rules.h does that for a row.) Deleting: sessions that ended before
 * delete_before, with everything that hangs on them. 0 leaves either out. Space that became free is
 * given back to the file system as far as that needs no long lock. */
struct store_retention {
    struct store_req req;
    int64_t fold_before, delete_before;
    int64_t idempotency_before; /* keys made before are deleted; 0: none */
    int64_t commands_before;    /* answered commands made before are deleted; 0: none */
    int limit;                  /* sessions looked at in this step */
    int folded, deleted;        /* Out: sessions */
    bool more;                  /* Out */
};

/* ---- the store itself ---- */

struct store_stats { /* since open; for /metrics and for tests */
    uint64_t commits, commit_rows, writes, reads, failures;
    uint64_t commit_ns_last, commit_ns_total;
};

struct store_vtable {
    const char *name; /* "sqlite" */
    bool shared;      /* other processes may use the same store (PostgreSQL) */
    void (*submit)(struct store *s, struct store_req *req);
    void (*stats)(struct store *s, struct store_stats *out);
    void (*close)(struct store *s, void (*closed)(void *data), void *data);
};
struct store {
    const struct store_vtable *v; /* implementations embed this first */
};

static inline void store_submit(struct store *s, struct store_req *req)
{
    s->v->submit(s, req);
}
static inline void store_stats(struct store *s, struct store_stats *out)
{
    s->v->stats(s, out);
}
/* Requests under way are finished first (reads may be cancelled), then `closed` is called on the
 * loop. */
static inline void store_close(struct store *s, void (*closed)(void *data), void *data)
{
    s->v->close(s, closed, data);
}

/* Opens (and creates) the SQLite store DIR/sluice.db, and migrates it up unless migrate is false.
 * ERR_UNAVAILABLE: another process has DIR open. ERR_IO. ERR_CORRUPT: the checksum of an applied
 * migration differs, the schema is newer than this program, or older and not to be migrated. */
int sqlite_store_open(struct store **out, struct uv_loop_s *loop, const char *dir, bool migrate,
                      struct errbuf *e);
/* Connects to PostgreSQL 13 or later; url as libpq understands it (postgres://…, every option). Not
 * reachable at start: ERR_UNAVAILABLE, with a sentence. Later it reconnects by itself and requests
 * wait or fail with ERR_UNAVAILABLE. ERR_CORRUPT as above. `readers`: connections for reads (0: the
 * default). */
int pg_store_open(struct store **out, struct uv_loop_s *loop, const char *url, int readers,
                  bool migrate, struct errbuf *e);
/* In memory, for tests: faults are injected by mem_store.h. */
int mem_store_open(struct store **out, struct uv_loop_s *loop);

/* Migrations by hand, while no server runs on DIR: up or down to `target` (-1: the newest, 0:
 * nothing is left). Tells what it does through `say` (or NULL). Waits a while for another process
 * that is at it. Errors as above, and ERR_INVALID: there is no such target. */
struct migrate_status {
    int applied, newest; /* numbers */
};
int sqlite_migrate(const char *dir, int target, void (*say)(const char *line),
                   struct migrate_status *out, struct errbuf *e);
int sqlite_migrate_status(const char *dir, struct migrate_status *out, struct errbuf *e);
/* The same for PostgreSQL; servers that run meanwhile are not stopped by it. */
int pg_migrate(const char *url, int target, void (*say)(const char *line),
               struct migrate_status *out, struct errbuf *e);
int pg_migrate_status(const char *url, struct migrate_status *out, struct errbuf *e);

#endif
