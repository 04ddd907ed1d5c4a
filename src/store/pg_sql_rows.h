/* Statements that write rows, twice each: of arrays, for any number of rows, and of plain values,
 * for one. PostgreSQL begins the second kind in half the time, and a commit of one session has
 * little else (docs/decisions/0022). Both are made from one text; the parameters are numbered
 * alike. */
#ifndef SLUICE_STORE_PG_SQL_ROWS_H
#define SLUICE_STORE_PG_SQL_ROWS_H

#define PG_OF_ARRAYS(n, type) "unnest($" #n "::" #type "[])"
#define PG_OF_VALUES(n, type) "$" #n "::" #type

/* A parameter is a word among words. */
/* clang-format off */
#define SESSION_ROWS(V) \
    "INSERT INTO sessions (id, workspace, epoch, created_at, stored_only, name, group_id, " \
    "user_id, tags, workflow_id, workflow_version, owner, parent_session, parent_seq, " \
    "parent_run, busy, status, reason, last_seq, started_at, ended_at, updated_at, output, " \
    "error, node_statuses, waiting, usage, vars, state, core_packed, version, " \
    "runs_packed) SELECT id, workspace, epoch, created_at, stored_only, name, group_id, user_id, " \
    "tags, workflow_id, workflow_version, CASE WHEN ended_at = 0 THEN owner END, " \
    "parent_session, parent_seq, parent_run, busy, status, reason, last_seq, started_at, " \
    "ended_at, updated_at, output, error, node_statuses::jsonb, waiting, usage, vars, state, " \
    "core_packed, version, runs_packed FROM (SELECT " V(1, uuid) " AS id, " V(2, text) " " \
    "AS workspace, " V(3, bigint) " AS epoch, " V(4, bigint) " AS created_at, " V(5, boolean) \
    " AS stored_only, " V(6, text) " AS name, " V(7, text) " AS group_id, " V(8, text) " AS " \
    "user_id, " V(9, text) " AS tags, " V(10, text) " AS workflow_id, " V(11, bigint) " AS " \
    "workflow_version, " V(12, uuid) " AS owner, " V(13, uuid) " AS parent_session, " \
    V(14, bigint) " AS parent_seq, " V(15, uuid) " AS parent_run, " V(16, boolean) " AS busy, " \
    V(17, text) " AS status, " V(18, text) " AS reason, " V(19, bigint) " AS last_seq, " \
    V(20, bigint) " AS started_at, " V(21, bigint) " AS ended_at, " V(22, bigint) " AS " \
    "updated_at, " V(23, text) " AS output, " V(24, text) " AS error, " V(25, text) " AS " \
    "node_statuses, " V(26, text) " AS waiting, " V(27, text) " AS usage, " V(28, text) " AS " \
    "vars, " V(29, text) " AS state, " V(30, bytea) " AS core_packed, " V(31, bigint) " AS " \
    "version, " V(32, bytea) " AS runs_packed) AS d"

#define DETAILS_ROWS(V) \
    "INSERT INTO session_details (session_id, input, metadata, settings, thread_configs, " \
    "workflow_state, budget, graph, checksum) SELECT " V(1, uuid) ", " V(2, text) ", " \
    V(3, text) ", " V(4, text) ", " V(5, text) ", " V(6, text) ", " V(7, text) ", " V(8, text) \
    ", " V(9, text)

#define EVENTS_ROWS(V) \
    "INSERT INTO session_events (session_id, seq_last, seq_first, at, frames, frames_packed) " \
    "SELECT " V(1, uuid) ", " V(2, bigint) ", " V(3, bigint) ", " V(4, bigint) ", " V(5, text) \
    ", " V(6, bytea)

#define RUNS_ROWS(V) \
    "INSERT INTO node_runs (session_id, run_id, node_id, kind, iteration, attempt, status, " \
    "branch, started_at, ended_at, output, error, interrupt, updated_at, progress, " \
    "interrupt_packed) SELECT " V(1, uuid) ", " V(2, uuid) ", " V(3, text) ", " V(4, text) ", " \
    V(5, bigint) ", " V(6, bigint) ", " V(7, text) ", " V(8, text) ", " V(9, bigint) ", " \
    V(10, bigint) ", " V(11, text) ", " V(12, text) ", " V(13, text) ", " V(14, bigint) ", " \
    V(15, text) ", " V(16, bytea) " ON CONFLICT (session_id, run_id) DO UPDATE SET node_id = " \
    "excluded.node_id, kind = excluded.kind, iteration = excluded.iteration, attempt = " \
    "excluded.attempt, status = excluded.status, branch = excluded.branch, started_at = " \
    "excluded.started_at, ended_at = excluded.ended_at, output = excluded.output, error = " \
    "excluded.error, interrupt = excluded.interrupt, updated_at = excluded.updated_at, " \
    "progress = excluded.progress, interrupt_packed = excluded.interrupt_packed"

#define MESSAGES_ROWS(V) \
    "INSERT INTO session_messages (session_id, created_at, seq, message_id, run_id, node_id, " \
    "role, agent_id, finish_reason, token_count, content, thinking, tool_calls) SELECT " \
    V(1, uuid) ", " V(2, bigint) ", " V(3, bigint) ", " V(4, uuid) ", " V(5, uuid) ", " \
    V(6, text) ", " V(7, text) ", " V(8, text) ", " V(9, text) ", " V(10, bigint) ", " \
    V(11, text) ", " V(12, text) ", " V(13, text) " ON CONFLICT DO NOTHING"

/* clang-format on */

#endif
