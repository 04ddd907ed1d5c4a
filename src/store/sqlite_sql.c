/* Every statement of the SQLite store, in the order of the enum. Reads name the index they walk
 * (INDEXED BY), so that no statistics can ever turn a page of a list into a scan. */
#include "store/sqlite_sql.h"

/* As session_columns() of sqlite_session.c reads them; those that filters look at come first. */
#define SESSION_COLUMNS                                                                            \
    "s.key, s.id, s.created_at, s.status, s.name, s.group_id, s.user_id, s.tags, s.workflow_id,"   \
    " s.version, s.epoch, s.busy, s.stored_only, s.reason, s.workflow_version, s.last_seq,"        \
    " s.started_at, s.ended_at, s.updated_at, s.output, s.error, s.node_statuses,"                 \
    " coalesce(s.waiting_packed, s.waiting), s.usage, s.vars, w.name, s.owner, s.parent_session, " \
    "s.parent_seq, s.parent_run, s.core_packed"

/* ?1 workspace, ?2 not before, ?3 ?4 where the page begins (excluded), ?5 the filter's value. */
#define SESSIONS_WALK(index, condition, bound, beyond, way)                                        \
    "SELECT " SESSION_COLUMNS " FROM sessions AS s INDEXED BY " index                              \
    " CROSS JOIN workspaces AS w ON w.key = s.workspace"                                           \
    " WHERE s.workspace = ?1 " condition " AND s.created_at " bound " ?2"                          \
    " AND (s.created_at, s.key) " beyond " (?3, ?4)"                                               \
    " ORDER BY s.created_at " way ", s.key " way
/* ?1 workspace, ?2 ?3 when (excluded), ?4 the workflow, ?5 the group or NULL, ?6 rows to look at.
 * The last column: whether it is of the group. */
#define SESSION_STATS(index, condition)                                                            \
    "SELECT s.status, s.workflow_id, s.error, s.usage, s.created_at, s.started_at, s.ended_at,"    \
    " ?5 IS NULL OR s.group_id = ?5 FROM sessions AS s INDEXED BY " index                          \
    " WHERE s.workspace = ?1 AND s.created_at > ?2 AND s.created_at < ?3 AND " condition           \
    " ORDER BY s.created_at DESC LIMIT ?6"
/* Nobody who is alive has it. */
#define IS_FREE                                                                                    \
    "(s.owner IS NULL OR NOT EXISTS (SELECT 1 FROM instances AS i WHERE i.id = s.owner))"

/* As instance_columns() and command_columns() read them (sqlite_instance.c). */
#define INSTANCE_COLUMNS                                                                           \
    "id, name, address, version, leaving, sessions, started_at, updated_at, lease_until"
#define COMMAND_COLUMNS "c.command_id, s.id, c.status, c.request, c.answer, c.created_at"

#define SESSIONS_DOWN(index, condition) SESSIONS_WALK(index, condition, ">", "<", "DESC")
#define SESSIONS_UP(index, condition)   SESSIONS_WALK(index, condition, "<", ">", "ASC")

/* As sqlite_run_columns() reads them (sqlite_read.c). */
#define RUN_COLUMNS                                                                                \
    "r.run_id, r.node_id, r.kind, r.iteration, r.attempt, r.status, r.branch, r.started_at,"       \
    " r.ended_at, r.output, r.error, coalesce(r.interrupt_packed, r.interrupt)"

/* A row r of a run that may be packed, too, in the row of its session ?1: the row counts, even when
 * it is an old one by now. */
#define MAY_BE_PACKED                                                                              \
    "(r.iteration = 1 AND (SELECT s.runs_packed IS NOT NULL FROM sessions AS s WHERE s.key = ?1))"

/* As memory_columns() of sqlite_memory.c reads them. */
#define MEMORY_COLUMNS                                                                             \
    "m.id, m.source_id, m.session_id, m.group_id, m.agent_id, m.content, m.metadata, m.tier,"      \
    " m.chunk, m.chunks, m.model, m.dimensions, m.hits, m.created_at, m.updated_at"
/* ?3 tiers, ?4 the agent or NULL, ?5 whether only the group's, ?6 the session or NULL, ?7 ?8 when.
 */
#define MEMORY_FILTERS                                                                             \
    "(m.tier & ?3) <> 0 AND (?4 IS NULL OR m.agent_id = ?4) AND (?5 = 0 OR m.agent_id IS NULL)"    \
    " AND (?6 IS NULL OR m.session_id = ?6) AND m.created_at > ?7 AND m.created_at < ?8"
/* The newest of the group that an index has. */
#define MEMORIES_KEYS(columns, index, condition)                                                   \
    "SELECT m.key" columns " FROM memories AS m INDEXED BY " index                                 \
    " WHERE m.workspace = ?1 AND m.group_id = ?2 AND " condition " AND " MEMORY_FILTERS            \
    " ORDER BY m.created_at DESC LIMIT ?9"
/* ?1 workspace, ?2 the group, ?3 the agent, ?4 the session, ?5 the source, or NULL, ?6 tiers, ?7 ?8
 * where the page begins. */
#define MEMORIES_WALK(index, condition)                                                            \
    "SELECT " MEMORY_COLUMNS " FROM memories AS m INDEXED BY " index                               \
    " WHERE m.workspace = ?1" condition " AND (?2 IS NULL OR m.group_id = ?2)"                     \
    " AND (?3 IS NULL OR m.agent_id = ?3) AND (?4 IS NULL OR m.session_id = ?4)"                   \
    " AND (?5 IS NULL OR m.source_id = ?5) AND (m.tier & ?6) <> 0"                                 \
    " AND (m.created_at, m.id) < (?7, ?8) ORDER BY m.created_at DESC, m.id DESC LIMIT ?9"
/* ?1 workspace, ?2 id, ?3 the tier or 0, ?4 hits more, ?5 now. */
#define MEMORY_CHANGE(condition)                                                                   \
    "UPDATE memories SET updated_at = CASE WHEN ?3 IN (0, tier) THEN updated_at ELSE ?5 END,"      \
    " tier = CASE ?3 WHEN 0 THEN tier ELSE ?3 END, hits = hits + ?4"                               \
    " WHERE " condition " AND workspace = ?1 AND (?4 > 0 OR ?3 NOT IN (0, tier))"

/* As workflow_columns() of sqlite_workflow.c reads both. */
#define WORKFLOW_COLUMNS                                                                           \
    "f.id, f.name, f.type, f.description, f.version, f.created_at, f.updated_at"
/* As the functions of these names in sqlite_work.c read them. */
#define INTERRUPT_COLUMNS                                                                          \
    "i.interrupt_id, s.id, i.run_id, i.node_id, i.kind, i.status,"                                 \
    " coalesce(i.request_packed, i.request), i.answer, i.expires_at, i.created_at, i.updated_at, " \
    "s.name, s.workflow_id"
#define TASK_COLUMNS                                                                               \
    "t.id, s.id, t.run_id, t.node_id, t.queue, t.status, t.input, t.worker, t.attempt,"            \
    " t.heartbeat_ms, t.lease_expires_at, t.created_at"
#define FILE_COLUMNS                                                                               \
    "f.path, f.version, f.from_version, f.run_id, f.author, f.reason, f.media_type, f.size,"       \
    " f.seq, f.deleted, f.created_at"
/* ?1 workspace, ?2 ?3 after this one, ?4 status, ?5 kind (NULL: any), ?6 rows. */
#define INTERRUPTS(index, condition)                                                               \
    "SELECT " INTERRUPT_COLUMNS " FROM interrupts AS i INDEXED BY " index                          \
    " CROSS JOIN sessions AS s ON s.key = i.session WHERE s.workspace = ?1"                        \
    " AND (i.created_at, i.interrupt_id) > (?2, ?3) AND (?4 IS NULL OR i.status = ?4)"             \
    " AND (?5 IS NULL OR i.kind = ?5) " condition                                                  \
    " ORDER BY i.created_at, i.interrupt_id LIMIT ?6"

#define VERSION_COLUMNS                                                                            \
    "v.workflow_id, v.name, v.type, v.description, v.version, f.created_at, v.created_at"

/* Those that ended before ?1, the longest ago first: folded ones, or those that are not. */
#define RETAIN(folded)                                                                             \
    "SELECT key, last_seq, folded_seq FROM sessions INDEXED BY sessions_by_end WHERE (folded_seq " \
    "> 0) "                                                                                        \
    "= " folded " AND ended_at > 0 AND ended_at < ?1 ORDER BY ended_at LIMIT ?2"

/* As catalog_columns() of sqlite_catalog.c reads them. */
/* ?1 to ?5: by day, group, node, agent, model or not. ?6 workspace, ?7 session, ?8 group or NULL,
 * ?9 from, ?10 until, ?11 rows. */
#define USAGE_SUM(index, condition)                                                                \
    "SELECT CASE WHEN ?1 THEN created_at - created_at % 86400000 END,"                             \
    " CASE WHEN ?2 THEN group_id END, CASE WHEN ?3 THEN node_id END,"                              \
    " CASE WHEN ?4 THEN agent_id END, CASE WHEN ?5 THEN provider END,"                             \
    " CASE WHEN ?5 THEN model END, count(*), sum(input_tokens), sum(output_tokens),"               \
    " sum(cost_micros), count(*) - count(cost_micros), sum(estimated)"                             \
    " FROM llm_usage INDEXED BY " index " WHERE " condition " AND workspace = ?6"                  \
    " AND (?8 IS NULL OR group_id = ?8) AND created_at >= ?9 AND created_at < ?10"                 \
    " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6 LIMIT ?11"

#define CATALOG_COLUMNS "id, name, description, category, version, created_at, updated_at, body"
#define CATALOG_GET(table)                                                                         \
    "SELECT " CATALOG_COLUMNS " FROM " table " WHERE workspace = ?1 AND id = ?2"
#define CATALOG_LIST(table)                                                                        \
    "SELECT " CATALOG_COLUMNS " FROM " table " WHERE workspace = ?1 AND id > ?2 ORDER BY id"
#define CATALOG_UPSERT(table)                                                                      \
    "INSERT INTO " table " (workspace, id, name, description, category, version, body,"            \
    " created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (workspace, id)"              \
    " DO UPDATE SET name = excluded.name, description = excluded.description,"                     \
    " category = excluded.category, version = excluded.version, body = excluded.body,"             \
    " updated_at = excluded.updated_at"
#define CATALOG_DELETE(table) "DELETE FROM " table " WHERE workspace = ?1 AND id = ?2"
/* May the text name it? It stands there between quotes, or with an escape. */
#define MAY_NAME(text) "(instr(" text ", '\"' || ?2 || '\"') > 0 OR instr(" text ", '\\u') > 0)"

/* As schedule_columns() of sqlite_schedules.c and audit_columns() of sqlite_audit.c read them. */
#define SCHEDULE_COLUMNS                                                                           \
    "s.id, w.name, s.name, s.workflow_id, s.cron, s.time_zone, s.missed, s.overlap, s.input,"      \
    " s.enabled, s.next_at, s.last_at, s.last_session, s.last_error, s.last_error_at, s.version,"  \
    " s.created_at, s.updated_at FROM schedules AS s JOIN workspaces AS w ON w.key = s.workspace"
#define AUDIT_COLUMNS                                                                              \
    "id, actor, role, key_id, session_id, action, object, remote, status, details, created_at"     \
    " FROM audit_log"
/* As hook_columns(), hook_session_columns() and delivery_columns() read them (sqlite_hooks.c). */
#define HOOK_COLUMNS                                                                               \
    "h.id, w.name, h.name, h.url, h.events, h.filter, h.secret_ref, h.enabled, h.disabled_reason," \
    " h.scan_from, h.version, h.created_at, h.updated_at, (SELECT count(*) FROM webhook_cursors"   \
    " AS c WHERE c.webhook = h.id AND c.behind = 1), (SELECT min(c.failed_at) FROM"                \
    " webhook_cursors AS c WHERE c.webhook = h.id AND c.behind = 1 AND c.failed_at > 0)"
#define HOOKS(condition)                                                                           \
    "SELECT " HOOK_COLUMNS " FROM webhooks AS h CROSS JOIN workspaces AS w ON w.key = h.workspace" \
    " WHERE " condition
#define DELIVERY_COLUMNS                                                                           \
    "v.id, s.id, v.seq, v.type, v.status, v.attempts, v.next_at, v.http_status, v.duration_ms,"    \
    " v.error, v.created_at, v.updated_at"
#define CURSOR_IS_FREE                                                                             \
    "(c.owner IS NULL OR c.owner = ?7"                                                             \
    " OR NOT EXISTS (SELECT 1 FROM instances AS i WHERE i.id = c.owner))"
/* ?1 webhook, ?2 workspace, ?3 status or folded, ?4 ?5 after this place, ?6 since, ?7 instance,
 * ?8 rows. */
#define HOOK_SCAN(time, from, condition)                                                           \
    "SELECT s.id, s.key, " time ", s.workflow_id, s.group_id, s.status, s.last_seq, d.metadata,"   \
    " c.seq, c.attempts, c.failed_at, c.next_at FROM " from                                        \
    " LEFT JOIN session_details AS d ON d.session = s.key WHERE " condition
#define HOOK_SCAN_SESSIONS(index)                                                                  \
    "sessions AS s INDEXED BY " index                                                              \
    " LEFT JOIN webhook_cursors AS c ON c.webhook = ?1 AND c.session = s.key"
#define HOOK_SCAN_LACKS                                                                            \
    " AND s.workspace = ?2 AND (s.owner IS ?7 OR " IS_FREE ")"                                     \
    " AND (c.seq IS NULL OR (c.behind = 0 AND c.seq < s.last_seq))"

const char *const sqlite_sql_texts[SQL_COUNT] = {
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_SAVEPOINT] = "SAVEPOINT delta",
    [SQL_SAVEPOINT_BACK] = "ROLLBACK TO delta",
    [SQL_SAVEPOINT_RELEASE] = "RELEASE delta",

    [SQL_WORKSPACE_FIND] = "SELECT key FROM workspaces WHERE name = ?1",
    [SQL_WORKSPACE_INSERT] = "INSERT INTO workspaces (name) VALUES (?1)",

    [SQL_SESSION_FIND] = "SELECT key, epoch, last_seq, abs(folded_seq) FROM sessions WHERE id = ?1",
    [SQL_SESSION_INSERT] =
        "INSERT INTO sessions (id, workspace, epoch, owner, created_at, stored_only, name, "
        "group_id,"
        " user_id, tags, workflow_id, workflow_version, busy, status, reason, last_seq, started_at,"
        " ended_at, updated_at, output, error, node_statuses, waiting, usage, vars, state,"
        " core_packed, parent_session, parent_seq, parent_run, version, runs_packed)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    /* What may be changed of a session's meta part, and what more of a stored one. */
    [SQL_META_UPDATE] = "UPDATE sessions SET name = ?1, tags = ?2, version = ?3, updated_at = ?4"
                        " WHERE key = ?5",
    [SQL_META_DETAILS] = "UPDATE session_details SET metadata = ?1, settings = ?2,"
                         " thread_configs = ?3, workflow_state = ?4 WHERE session = ?5",
    [SQL_STORED_UPDATE] = "UPDATE sessions SET status = ?1, user_id = ?2, group_id = ?3,"
                          " workflow_id = ?4 WHERE key = ?5",
    [SQL_SAVE_LOOK] = "SELECT s.key, w.name, s.version, s.created_at, s.status, s.stored_only"
                      " FROM sessions AS s CROSS JOIN workspaces AS w ON w.key = s.workspace"
                      " WHERE s.id = ?1",
    [SQL_STATS_BY_TIME] = SESSION_STATS("sessions_by_time", "?4 IS NULL AND ?5 IS NULL"),
    [SQL_STATS_BY_WORKFLOW] = SESSION_STATS("sessions_by_workflow", "s.workflow_id = ?4"),
    [SQL_STATS_BY_GROUP] = SESSION_STATS("sessions_by_group", "s.group_id = ?5 AND ?4 IS NULL"),
    [SQL_METADATA_GET] = "SELECT metadata FROM session_details WHERE session = ?1",
    [SQL_SESSION_UPDATE] =
        "UPDATE sessions SET busy = ?1, status = ?2, reason = ?3, last_seq = ?4, started_at = ?5,"
        " ended_at = ?6, updated_at = ?7, output = ?8, error = ?9, node_statuses = ?10,"
        " waiting = ?11, usage = ?12, vars = ?13, state = ?14,"
        " core_packed = ?15, waiting_packed = NULL, state_packed = NULL,"
        " owner = CASE WHEN ?6 > 0 THEN NULL ELSE owner END WHERE key = ?16",
    [SQL_SESSION_CLAIM] = "UPDATE sessions SET epoch = ?1, owner = ?2 WHERE key = ?3",
    [SQL_SESSION_RELEASE] = "UPDATE sessions SET owner = NULL WHERE id = ?1 AND owner = ?2",
    [SQL_SESSION_DELETE] = "DELETE FROM sessions WHERE key = ?1",
    [SQL_SESSION_GET] = "SELECT " SESSION_COLUMNS " FROM sessions AS s"
                        " CROSS JOIN workspaces AS w ON w.key = s.workspace WHERE s.id = ?1",
    [SQL_SESSION_SEQ] = "SELECT seq_last FROM session_events WHERE session = ?1"
                        " ORDER BY seq_last DESC LIMIT 1",
    [SQL_SESSION_THERE] = "SELECT 1 FROM sessions WHERE key = ?1",
    [SQL_SESSION_STATE] = "SELECT coalesce(state_packed, state), runs_packed FROM sessions"
                          " WHERE key = ?1",
    [SQL_RUNS_PACKED] = "SELECT runs_packed FROM sessions WHERE key = ?1",
    [SQL_DETAILS_INSERT] =
        "INSERT INTO session_details (session, input, metadata, settings, thread_configs,"
        " workflow_state, budget, graph, checksum) VALUES (?,?,?,?,?,?,?,?,?)",
    [SQL_DETAILS_GET] =
        "SELECT input, metadata, settings, thread_configs, workflow_state, budget,"
        " CASE WHEN ?2 THEN graph END, checksum, (SELECT v.checksum FROM sessions AS s"
        " CROSS JOIN workflows AS f ON f.workspace = s.workspace AND f.id = s.workflow_id"
        " CROSS JOIN workflow_versions AS v ON v.workspace = f.workspace"
        " AND v.workflow_id = f.id AND v.version = f.version"
        " WHERE s.key = ?1 AND f.deleted = 0) FROM session_details WHERE session = ?1",
    [SQL_SCAN_BUSY] = "SELECT s.id FROM sessions AS s INDEXED BY sessions_busy"
                      " WHERE s.busy = 1 AND s.id > ?1 AND " IS_FREE " ORDER BY s.id LIMIT ?2",

    [SQL_SESSIONS_BY_TIME] = SESSIONS_DOWN("sessions_by_time", ""),
    [SQL_SESSIONS_BY_TIME_UP] = SESSIONS_UP("sessions_by_time", ""),
    [SQL_SESSIONS_BY_STATUS] = SESSIONS_DOWN("sessions_by_status", "AND s.status = ?5"),
    [SQL_SESSIONS_BY_STATUS_UP] = SESSIONS_UP("sessions_by_status", "AND s.status = ?5"),
    [SQL_SESSIONS_BY_WORKFLOW] = SESSIONS_DOWN("sessions_by_workflow", "AND s.workflow_id = ?5"),
    [SQL_SESSIONS_BY_WORKFLOW_UP] = SESSIONS_UP("sessions_by_workflow", "AND s.workflow_id = ?5"),
    [SQL_SESSIONS_BY_GROUP] = SESSIONS_DOWN("sessions_by_group", "AND s.group_id = ?5"),
    [SQL_SESSIONS_BY_GROUP_UP] = SESSIONS_UP("sessions_by_group", "AND s.group_id = ?5"),
    [SQL_SESSIONS_BY_USER] = SESSIONS_DOWN("sessions_by_user", "AND s.user_id = ?5"),
    [SQL_SESSIONS_BY_USER_UP] = SESSIONS_UP("sessions_by_user", "AND s.user_id = ?5"),

    [SQL_EVENTS_INSERT] =
        "INSERT INTO session_events (session, seq_last, seq_first, at, frames, frames_packed)"
        " VALUES (?,?,?,?,?,?) ON CONFLICT (session, seq_last) DO NOTHING",
    [SQL_EVENTS_FROM] =
        "SELECT seq_first, seq_last, coalesce(frames_packed, frames) FROM session_events"
        " WHERE session = ?1 AND seq_last >= ?2 ORDER BY seq_last LIMIT 1",
    /* Bytes of the same length are written over, in place. */
    [SQL_RING_WRITE] = "UPDATE event_ring SET bytes = ?2 WHERE slot = ?1",
    [SQL_RING_INSERT] = "INSERT INTO event_ring (slot, bytes) VALUES (?1, ?2)",
    [SQL_RING_READ] = "SELECT bytes FROM event_ring",
    [SQL_RING_CLEAR] = "DELETE FROM event_ring",
    [SQL_EVENTS_FIRST] = "SELECT seq_first FROM session_events WHERE session = ?1"
                         " ORDER BY seq_last LIMIT 1",
    [SQL_EVENTS_READ] =
        "SELECT seq_first, seq_last, coalesce(frames_packed, frames) FROM session_events"
        " WHERE session = ?1 AND seq_last > ?2 ORDER BY seq_last",
    [SQL_RUN_UPSERT] =
        "INSERT INTO node_runs (session, run_id, node_id, kind, iteration, attempt, status, branch,"
        " started_at, ended_at, output, error, interrupt, updated_at, progress, interrupt_packed)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (session, run_id) DO UPDATE SET node_id = excluded.node_id,"
        " kind = excluded.kind, iteration = excluded.iteration, attempt = excluded.attempt,"
        " status = excluded.status, branch = excluded.branch, started_at = excluded.started_at,"
        " ended_at = excluded.ended_at, output = excluded.output, error = excluded.error,"
        " interrupt = excluded.interrupt, updated_at = excluded.updated_at,"
        " progress = excluded.progress, interrupt_packed = excluded.interrupt_packed",
    [SQL_RUNS_LIST] = "SELECT " RUN_COLUMNS " FROM node_runs AS r"
                      " WHERE r.session = ?1 AND r.run_id > ?2 ORDER BY r.run_id",
    [SQL_RUNS_NEWEST] = "WITH newest AS MATERIALIZED (SELECT node_id, max(iteration) AS iteration"
                        " FROM node_runs WHERE session = ?1 GROUP BY node_id)"
                        " SELECT " RUN_COLUMNS ", r.progress FROM node_runs AS r JOIN newest AS n"
                        " ON n.node_id = r.node_id"
                        " AND (n.iteration = r.iteration OR r.ended_at = 0 OR " MAY_BE_PACKED ")"
                        " WHERE r.session = ?1 ORDER BY r.run_id",
    [SQL_EFFECT_INSERT] = "INSERT INTO effects (session, run_id, kind, request) VALUES (?,?,?,?)"
                          " ON CONFLICT (session, run_id) DO NOTHING",
    [SQL_EFFECT_DELETE] = "DELETE FROM effects WHERE session = ?1 AND run_id = ?2",
    [SQL_EFFECTS_LOAD] = "SELECT run_id, kind, request FROM effects WHERE session = ?1"
                         " ORDER BY run_id",
    [SQL_TIMER_UPSERT] = "INSERT INTO timers (session, timer_id, due_at, purpose, updated_at)"
                         " VALUES (?,?,?,?,?)"
                         " ON CONFLICT (session, timer_id) DO UPDATE SET due_at = excluded.due_at,"
                         " purpose = excluded.purpose, updated_at = excluded.updated_at",
    [SQL_TIMER_DELETE] = "DELETE FROM timers WHERE session = ?1 AND timer_id = ?2",
    [SQL_TIMERS_LOAD] = "SELECT timer_id, due_at, purpose FROM timers WHERE session = ?1"
                        " ORDER BY timer_id",
    [SQL_TIMERS_DUE] = "SELECT s.id, t.timer_id, t.due_at FROM timers AS t INDEXED BY timers_by_due"
                       " CROSS JOIN sessions AS s ON s.key = t.session WHERE t.due_at <= ?1"
                       " AND (?2 IS NULL OR s.owner = ?2 OR " IS_FREE ")"
                       " ORDER BY t.due_at, t.session, t.timer_id",
    [SQL_TIMERS_NEXT] = "SELECT t.due_at FROM timers AS t INDEXED BY timers_by_due"
                        " CROSS JOIN sessions AS s ON s.key = t.session WHERE t.due_at > ?1"
                        " AND (?2 IS NULL OR s.owner = ?2 OR " IS_FREE ")"
                        " ORDER BY t.due_at LIMIT 1",
    [SQL_MESSAGE_INSERT] =
        "INSERT INTO session_messages (session, created_at, seq, message_id, run_id, node_id, role,"
        " agent_id, finish_reason, token_count, content, thinking, tool_calls)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
    [SQL_MESSAGES_LIST] =
        "SELECT created_at, seq, message_id, run_id, node_id, role, agent_id, finish_reason,"
        " token_count, content, thinking, tool_calls"
        " FROM session_messages INDEXED BY session_messages_by_time"
        " WHERE session = ?1 AND (created_at, seq, message_id) > (?2, ?3, ?4)"
        " AND (?5 IS NULL OR node_id = ?5) AND (?6 IS NULL OR agent_id = ?6)"
        " AND (?7 IS NULL OR role = ?7)"
        " ORDER BY created_at, seq, message_id",
    [SQL_USAGE_INSERT] =
        "INSERT INTO llm_usage (id, workspace, session_id, group_id, workflow_id, run_id, node_id,"
        " agent_id, provider, model, input_tokens, output_tokens, cost_micros, estimated,"
        " created_at) SELECT ?2, s.workspace, s.id, s.group_id, s.workflow_id, ?3, ?4, ?5, ?6, ?7,"
        " ?8, ?9, nullif(?10, -1), ?11, ?12 FROM sessions AS s WHERE s.key = ?1"
        " ON CONFLICT DO NOTHING",
    [SQL_USAGE_OF_SESSION] = USAGE_SUM("llm_usage_by_session", "session_id = ?7"),
    [SQL_USAGE_BY_TIME] = USAGE_SUM("llm_usage_by_time", "?7 IS NULL"),
    [SQL_WITHHELD_INSERT] = "INSERT INTO withheld_inputs (session, ord, input) VALUES (?,?,?)"
                            " ON CONFLICT (session, ord) DO NOTHING",
    [SQL_WITHHELD_CLEAR] = "DELETE FROM withheld_inputs WHERE session = ?1",
    [SQL_WITHHELD_LOAD] = "SELECT ord, input FROM withheld_inputs WHERE session = ?1 ORDER BY ord",

    [SQL_IDEMPOTENCY_INSERT] =
        "INSERT INTO idempotency_keys (workspace, key, hash_a, hash_b, status, body, created_at)"
        " VALUES (?,?,?,?,?,?,?)",
    [SQL_IDEMPOTENCY_GET] = "SELECT key, hash_a, hash_b, status, body, created_at"
                            " FROM idempotency_keys WHERE workspace = ?1 AND key = ?2",

    [SQL_ACTIVE_GET] = "SELECT session_id FROM active_sessions"
                       " WHERE workspace = ?1 AND user_id = ?2",
    [SQL_ACTIVE_PUT] = "INSERT INTO active_sessions (workspace, user_id, session_id, updated_at)"
                       " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (workspace, user_id)"
                       " DO UPDATE SET session_id = ?3, updated_at = ?4",
    [SQL_ACTIVE_DELETE] = "DELETE FROM active_sessions WHERE workspace = ?1 AND user_id = ?2",

    [SQL_INSTANCE_UPDATE] =
        "UPDATE instances SET name = ?2, address = ?3, version = ?4, leaving = ?5, sessions = ?6,"
        " updated_at = ?7, lease_until = ?8 WHERE id = ?1",
    [SQL_INSTANCE_INSERT] =
        "INSERT INTO instances (id, name, address, version, leaving, sessions, updated_at,"
        " lease_until, started_at) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?7)",
    [SQL_INSTANCE_GET] = "SELECT lease_until FROM instances WHERE id = ?1",
    [SQL_INSTANCE_DELETE] = "DELETE FROM instances WHERE id = ?1",
    [SQL_INSTANCES_LIST] = "SELECT " INSTANCE_COLUMNS " FROM instances ORDER BY started_at, id",
    [SQL_COMMAND_INSERT] =
        "INSERT INTO session_commands (command_id, session, request, created_at, updated_at)"
        " VALUES (?1,?2,?3,?4,?4)",
    [SQL_COMMAND_ADD] =
        "INSERT OR IGNORE INTO session_commands (command_id, session, request, created_at,"
        " updated_at) SELECT ?1, s.key, ?3, ?4, ?4 FROM sessions AS s WHERE s.id = ?2",
    [SQL_COMMAND_GET] = "SELECT " COMMAND_COLUMNS " FROM session_commands AS c"
                        " JOIN sessions AS s ON s.key = c.session WHERE c.command_id = ?1",
    [SQL_COMMANDS_OF_SESSION] =
        "SELECT " COMMAND_COLUMNS
        " FROM session_commands AS c INDEXED BY session_commands_by_session"
        " CROSS JOIN sessions AS s ON s.key = c.session WHERE c.session = ?3 AND c.status = 0"
        " AND c.command_id > ?1 ORDER BY c.command_id LIMIT ?2",
    [SQL_COMMANDS_OF_INSTANCE] =
        "SELECT " COMMAND_COLUMNS " FROM session_commands AS c INDEXED BY session_commands_waiting"
        " CROSS JOIN sessions AS s ON s.key = c.session WHERE c.status = 0 AND c.command_id > ?1"
        " AND (s.owner = ?3 OR " IS_FREE ") ORDER BY c.command_id LIMIT ?2",
    [SQL_COMMAND_DONE] = "UPDATE session_commands SET status = ?3, answer = ?4, updated_at = ?5"
                         " WHERE command_id = ?1 AND session = ?2 AND status = 0",

    [SQL_ENDED_WHOLE] = RETAIN("0"),
    [SQL_ENDED_FOLDED] = RETAIN("1"),
    [SQL_SESSION_FOLDED] = "UPDATE sessions SET folded_seq = ?1 WHERE key = ?2",
    [SQL_EVENTS_WITH_TOKENS] =
        "SELECT rowid, seq_first, seq_last, at, coalesce(frames_packed, frames)"
        " FROM session_events WHERE session = ?1 AND seq_last > ?2"
        " AND (instr(frames, '\"token_stream\"') > 0 OR substr(frames_packed, 1, 1) = x'03')"
        " ORDER BY seq_last LIMIT ?3",
    [SQL_EVENTS_DELETE_ROW] = "DELETE FROM session_events WHERE rowid = ?1",
    [SQL_EVENTS_DELETE_SOME] = "DELETE FROM session_events WHERE rowid IN"
                               " (SELECT rowid FROM session_events WHERE session = ?1 LIMIT ?2)",
    [SQL_IDEMPOTENCY_TIDY] =
        "DELETE FROM idempotency_keys WHERE (workspace, key) IN (SELECT workspace, key"
        " FROM idempotency_keys INDEXED BY idempotency_keys_by_time WHERE created_at < ?1"
        " LIMIT ?2)",
    [SQL_COMMANDS_TIDY] = "DELETE FROM session_commands WHERE command_id IN (SELECT command_id"
                          " FROM session_commands INDEXED BY session_commands_answered"
                          " WHERE status > 0 AND created_at < ?1 LIMIT ?2)",

    [SQL_FREE_PAGES] = "PRAGMA freelist_count",

    [SQL_INTERRUPT_UPSERT] =
        "INSERT INTO interrupts (interrupt_id, session, run_id, node_id, kind, status, request,"
        " answer, expires_at, created_at, updated_at, request_packed)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (interrupt_id) DO UPDATE SET status = excluded.status,"
        " request = excluded.request, request_packed = excluded.request_packed, answer = "
        "excluded.answer, expires_at = excluded.expires_at,"
        " updated_at = excluded.updated_at WHERE session = excluded.session",
    [SQL_INTERRUPT_GET] = "SELECT " INTERRUPT_COLUMNS " FROM interrupts AS i"
                          " JOIN sessions AS s ON s.key = i.session"
                          " WHERE i.interrupt_id = ?1 AND s.workspace = ?2",
    [SQL_INTERRUPTS_BY_TIME] = INTERRUPTS("interrupts_by_time", ""),
    [SQL_INTERRUPTS_PENDING] = INTERRUPTS("interrupts_pending", "AND i.status = 'pending'"),
    [SQL_INTERRUPTS_OF_SESSION] = INTERRUPTS("interrupts_by_session", "AND i.session = ?7"),
    [SQL_TASK_INSERT] =
        "INSERT INTO tasks (id, session, run_id, node_id, queue, status, input, heartbeat_ms,"
        " created_at, updated_at) VALUES (?1,?2,?3,?4,?5,'waiting',?6,?7,?8,?8)"
        " ON CONFLICT DO NOTHING",
    [SQL_TASK_DELETE] = "DELETE FROM tasks WHERE session = ?1 AND id = ?2",
    [SQL_TASK_GET] = "SELECT " TASK_COLUMNS " FROM tasks AS t"
                     " JOIN sessions AS s ON s.key = t.session WHERE t.id = ?1",
    [SQL_TASKS_FREE] = "SELECT " TASK_COLUMNS " FROM tasks AS t INDEXED BY tasks_by_queue"
                       " CROSS JOIN sessions AS s ON s.key = t.session WHERE t.queue = ?1"
                       " AND (t.status = 'waiting' OR t.lease_expires_at <= ?2)"
                       " AND s.workspace = ?3 AND s.status = 'running' ORDER BY t.id LIMIT ?4",
    [SQL_TASKS_NEXT] = "SELECT min(lease_expires_at) FROM tasks INDEXED BY tasks_by_queue"
                       " WHERE queue = ?1 AND status = 'leased'",
    [SQL_TASK_LEASE] = "UPDATE tasks SET status = 'leased', attempt = ?2, worker = ?3,"
                       " lease_expires_at = ?4, updated_at = ?5 WHERE id = ?1",
    [SQL_TASK_RENEW] = "UPDATE tasks SET lease_expires_at = ?2, updated_at = ?3 WHERE id = ?1",
    [SQL_FILE_INSERT] =
        "INSERT INTO session_files (session, path, version, from_version, run_id, author, reason,"
        " media_type, size, seq, deleted, created_at, updated_at, content)"
        " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?12,?13) ON CONFLICT DO NOTHING",
    /* The newest version up to ?3. */
    [SQL_FILE_GET] = "SELECT " FILE_COLUMNS ", CASE WHEN f.from_version > 0 THEN (SELECT o.content"
                     " FROM session_files AS o WHERE o.session = f.session AND o.path = f.path"
                     " AND o.version = f.from_version) ELSE f.content END FROM session_files AS f"
                     " WHERE f.session = ?1 AND f.path = ?2 AND f.version <= ?3"
                     " ORDER BY f.version DESC LIMIT 1",
    [SQL_FILES_LIST] =
        "SELECT " FILE_COLUMNS " FROM session_files AS f WHERE f.session = ?1 AND f.path > ?2"
        " AND f.version = (SELECT max(o.version) FROM session_files AS o WHERE o.session = ?1"
        " AND o.path = f.path AND o.seq <= ?3) AND f.deleted = 0 ORDER BY f.path LIMIT ?4",
    [SQL_FILE_VERSIONS] =
        "SELECT " FILE_COLUMNS " FROM session_files AS f WHERE f.session = ?1 AND f.path = ?2"
        " AND f.version < ?3 AND f.seq <= ?4 ORDER BY f.version DESC LIMIT ?5",
    [SQL_MEMORY_INSERT] =
        "INSERT INTO memories (id, source_id, workspace, group_id, agent_id, session_id, tier,"
        " chunk, chunks, hits, created_at, updated_at, model, dimensions, metadata, content, words,"
        " place, embedding) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT DO NOTHING RETURNING key",
    [SQL_MEMORIES_NEWEST] = MEMORIES_KEYS("", "memories_by_group", "true"),
    [SQL_MEMORIES_UNTOLD] = MEMORIES_KEYS("", "memories_untold", "m.words IS NULL"),
    [SQL_MEMORIES_UNCODED] =
        MEMORIES_KEYS(", m.dimensions, m.model, m.embedding", "memories_uncoded",
                      "m.embedding IS NOT NULL AND m.place IS NULL"),
    [SQL_MEMORIES_WITH_WORDS] =
        "SELECT m.key FROM memory_words AS w CROSS JOIN memories AS m ON m.key = w.rowid"
        " WHERE w.memory_words MATCH ?10 AND m.workspace = ?1 AND m.group_id = ?2 "
        "AND " MEMORY_FILTERS " ORDER BY w.rowid DESC LIMIT ?9",
    [SQL_MEMORIES_COUNT_WORDS] = "SELECT count(*) FROM (SELECT 1 FROM memory_words AS w WHERE "
                                 "w.memory_words MATCH ?1 LIMIT ?2)",
    [SQL_MEMORIES_CODES] = "SELECT m.key, m.code FROM memory_codes AS m"
                           " WHERE m.key > ?9 AND m.key < ?10 AND " MEMORY_FILTERS,
    [SQL_MEMORY_VECTOR] = "SELECT dimensions, embedding FROM memories WHERE key = ?1",
    [SQL_MEMORY_ROW] = "SELECT " MEMORY_COLUMNS ", m.embedding FROM memories AS m"
                       " WHERE m.key = ?1",
    [SQL_MEMORY_PLACE_FIND] = "SELECT key FROM memory_places WHERE workspace = ?1 AND group_id = ?2"
                              " AND model = ?3 AND dimensions = ?4",
    [SQL_MEMORY_PLACE_INSERT] =
        "INSERT INTO memory_places (workspace, group_id, model, dimensions) VALUES (?,?,?,?)"
        " RETURNING key",
    [SQL_MEMORY_CODE_INSERT] =
        "INSERT INTO memory_codes (key, tier, agent_id, session_id, created_at, code)"
        " SELECT (?1 << 40) + key, tier, agent_id, session_id, created_at, ?3 FROM memories"
        " WHERE key = ?2",
    [SQL_MEMORY_TELL] = "UPDATE memories SET words = ?2 WHERE key = ?1",
    [SQL_MEMORY_CODED] = "UPDATE memories SET place = ?2 WHERE key = ?1",
    [SQL_MEMORIES_TO_TELL] = "SELECT key, content FROM memories INDEXED BY memories_untold"
                             " WHERE words IS NULL LIMIT ?1",
    [SQL_MEMORIES_TO_CODE] =
        "SELECT key, workspace, group_id, model, dimensions, embedding FROM memories"
        " INDEXED BY memories_uncoded WHERE embedding IS NOT NULL AND place IS NULL LIMIT ?1",
    [SQL_MEMORIES_LIST] = MEMORIES_WALK("memories_by_time", ""),
    [SQL_MEMORIES_OF_GROUP] = MEMORIES_WALK("memories_by_group", " AND m.group_id = ?2"),
    [SQL_MEMORIES_OF_SOURCE] = MEMORIES_WALK("memories_by_source", " AND m.source_id = ?5"),
    [SQL_MEMORY_GET] = "SELECT " MEMORY_COLUMNS " FROM memories AS m"
                       " WHERE m.id = ?2 AND m.workspace = ?1",
    [SQL_MEMORY_CHANGE_ID] = MEMORY_CHANGE("id = ?2"),
    [SQL_MEMORY_CHANGE_SOURCE] = MEMORY_CHANGE("source_id = ?2 AND id <> ?2"),
    [SQL_MEMORIES_AGE] =
        "UPDATE memories SET tier = 4, updated_at = ?1 WHERE key IN (SELECT o.key FROM memories AS"
        " o INDEXED BY memories_working WHERE o.tier = 2 AND o.updated_at < ?2 LIMIT ?3)",
    [SQL_MEMORIES_SHED] =
        "UPDATE memories SET tier = 4, updated_at = ?1 WHERE key IN (SELECT n.key FROM (SELECT"
        " o.key, row_number() OVER (PARTITION BY o.workspace, o.group_id ORDER BY o.updated_at"
        " DESC, o.id DESC) AS n FROM memories AS o INDEXED BY memories_working WHERE o.tier = 2)"
        " AS n WHERE n.n > ?2 LIMIT ?3)",
    [SQL_MEMORY_DELETE] = "DELETE FROM memories WHERE workspace = ?1 AND (id = ?2 OR source_id ="
                          " ?2)",
    [SQL_CHILDREN] = "SELECT " SESSION_COLUMNS " FROM sessions AS s INDEXED BY sessions_by_parent"
                     " CROSS JOIN workspaces AS w ON w.key = s.workspace"
                     " WHERE s.parent_session = ?1 AND s.parent_run IS NOT NULL"
                     " ORDER BY s.id LIMIT ?2",

    [SQL_WORKFLOW_GET] = "SELECT " WORKFLOW_COLUMNS ", f.first_version, f.deleted"
                         " FROM workflows AS f WHERE f.workspace = ?1 AND f.id = ?2",
    [SQL_WORKFLOW_LIST] = "SELECT " WORKFLOW_COLUMNS " FROM workflows AS f"
                          " WHERE f.workspace = ?1 AND f.id > ?2 AND f.deleted = 0"
                          " ORDER BY f.id",
    [SQL_WORKFLOW_UPSERT] =
        "INSERT INTO workflows (workspace, id, name, type, description, version, first_version,"
        " created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (workspace, id) DO UPDATE SET name = excluded.name, type = excluded.type,"
        " description = excluded.description, version = excluded.version,"
        " first_version = excluded.first_version, created_at = excluded.created_at,"
        " updated_at = excluded.updated_at, deleted = 0",
    [SQL_WORKFLOW_DELETE] = "UPDATE workflows SET deleted = 1 WHERE workspace = ?1 AND id = ?2",
    [SQL_VERSION_INSERT] =
        "INSERT INTO workflow_versions (workspace, workflow_id, version, name, type, description,"
        " created_at, graph, checksum) VALUES (?,?,?,?,?,?,?,?,?)",
    [SQL_VERSION_GET] = "SELECT " VERSION_COLUMNS ", v.graph FROM workflow_versions AS v"
                        " JOIN workflows AS f ON f.workspace = v.workspace"
                        " AND f.id = v.workflow_id"
                        " WHERE v.workspace = ?1 AND v.workflow_id = ?2 AND v.version = ?3",
    [SQL_VERSION_LIST] = "SELECT " VERSION_COLUMNS " FROM workflow_versions AS v"
                         " JOIN workflows AS f ON f.workspace = v.workspace"
                         " AND f.id = v.workflow_id"
                         " WHERE v.workspace = ?1 AND v.workflow_id = ?2"
                         " AND v.version >= f.first_version AND v.version < ?3"
                         " ORDER BY v.version DESC",

    [SQL_AGENT_GET] = CATALOG_GET("agents"),
    [SQL_GROUP_GET] = CATALOG_GET("groups"),
    [SQL_TEMPLATE_GET] = CATALOG_GET("workflow_templates"),
    [SQL_AGENT_LIST] = CATALOG_LIST("agents"),
    [SQL_GROUP_LIST] = CATALOG_LIST("groups"),
    [SQL_TEMPLATE_LIST] = CATALOG_LIST("workflow_templates"),
    [SQL_AGENT_UPSERT] = CATALOG_UPSERT("agents"),
    [SQL_GROUP_UPSERT] = CATALOG_UPSERT("groups"),
    [SQL_TEMPLATE_UPSERT] = CATALOG_UPSERT("workflow_templates"),
    [SQL_AGENT_DELETE] = CATALOG_DELETE("agents"),
    [SQL_GROUP_DELETE] = CATALOG_DELETE("groups"),
    [SQL_TEMPLATE_DELETE] = CATALOG_DELETE("workflow_templates"),
    [SQL_AGENT_IN_GROUPS] =
        "SELECT id, body FROM groups WHERE workspace = ?1 AND " MAY_NAME("body") " ORDER BY id",
    [SQL_AGENT_IN_WORKFLOWS] =
        "SELECT f.id, v.graph FROM workflows AS f JOIN workflow_versions AS v"
        " ON v.workspace = f.workspace AND v.workflow_id = f.id AND v.version = f.version"
        " WHERE f.workspace = ?1 AND f.deleted = 0 AND " MAY_NAME("v.graph") " ORDER BY f.id",
    [SQL_AGENT_IN_TEMPLATES] = "SELECT id, body FROM workflow_templates WHERE workspace = ?1"
                               " AND " MAY_NAME("body") " ORDER BY id",
    [SQL_GROUP_IN_USE] =
        "SELECT (SELECT count(*) FROM memories WHERE workspace = ?1 AND group_id = ?2),"
        " (SELECT count(*) FROM sessions INDEXED BY sessions_by_group WHERE workspace = ?1"
        " AND group_id = ?2 AND stored_only = 0"
        " AND status NOT IN ('completed', 'failed', 'cancelled'))",

    [SQL_API_KEYS_LIST] =
        "SELECT k.id, w.name, k.name, k.role, k.prefix, k.hash, k.created_at, k.last_used_at,"
        " k.expires_at, k.revoked_at FROM api_keys AS k JOIN workspaces AS w ON w.key = k.workspace"
        " ORDER BY k.id",
    [SQL_API_KEY_FIND] = "SELECT 1 FROM api_keys WHERE id = ?1 OR hash = ?2",
    [SQL_API_KEY_INSERT] =
        "INSERT INTO api_keys (id, workspace, name, role, prefix, hash, created_at, updated_at,"
        " expires_at) VALUES (?1,?2,?3,?4,?5,?6,?7,?7,?8)",
    [SQL_API_KEY_REVOKE] =
        "UPDATE api_keys SET revoked_at = iif(revoked_at = 0, ?2, revoked_at), updated_at = ?2"
        " WHERE id = ?1",
    [SQL_API_KEY_USED] =
        "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND last_used_at < ?2",
    [SQL_TICKETS_TIDY] = "DELETE FROM tickets WHERE expires_at <= ?1",
    [SQL_TICKET_INSERT] =
        "INSERT INTO tickets (hash, body, created_at, expires_at) VALUES (?1,?2,?3,?4)",
    [SQL_TICKET_GET] = "SELECT body, expires_at FROM tickets WHERE hash = ?1",
    [SQL_TICKET_DELETE] = "DELETE FROM tickets WHERE hash = ?1",
    [SQL_SCHEDULE_GET] = "SELECT " SCHEDULE_COLUMNS " WHERE s.id = ?1",
    [SQL_SCHEDULE_LIST] =
        "SELECT " SCHEDULE_COLUMNS " WHERE s.workspace = ?1 AND s.id > ?2 ORDER BY s.id",
    [SQL_SCHEDULE_UPSERT] =
        "INSERT INTO schedules (workspace, id, name, workflow_id, cron, time_zone, missed, overlap,"
        " input, enabled, next_at, version, created_at, updated_at)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
        " workflow_id = excluded.workflow_id, cron = excluded.cron, time_zone = excluded.time_zone,"
        " missed = excluded.missed, overlap = excluded.overlap, input = excluded.input,"
        " enabled = excluded.enabled, next_at = excluded.next_at, version = excluded.version,"
        " updated_at = excluded.updated_at",
    [SQL_SCHEDULE_DELETE] = "DELETE FROM schedules WHERE id = ?1",
    [SQL_SCHEDULE_DUE] =
        "SELECT " SCHEDULE_COLUMNS " WHERE s.enabled = 1 AND s.next_at > 0 AND s.next_at <= ?1"
        " ORDER BY s.next_at, s.id LIMIT ?2",
    [SQL_SCHEDULE_NEXT] = "SELECT min(next_at) FROM schedules WHERE enabled = 1 AND next_at > ?1",
    [SQL_SCHEDULE_MOVE] =
        "UPDATE schedules SET next_at = ?3, last_at = ?4, last_session = ?5, last_error = ?6,"
        " last_error_at = ?7 WHERE id = ?1 AND next_at = ?2",
    [SQL_AUDIT_INSERT] =
        "INSERT INTO audit_log (id, workspace, actor, role, key_id, session_id, action, object,"
        " remote, status, details, created_at, updated_at)"
        " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?12) ON CONFLICT DO NOTHING",
    [SQL_AUDIT_LIST] = "SELECT " AUDIT_COLUMNS " INDEXED BY audit_log_by_workspace"
                       " WHERE workspace = ?1 AND id < ?2 ORDER BY id DESC",
    [SQL_AUDIT_OF_SESSION] =
        "SELECT " AUDIT_COLUMNS " INDEXED BY audit_log_by_session"
        " WHERE workspace = ?1 AND id < ?2 AND session_id = ?3 ORDER BY id DESC",
    [SQL_AUDIT_PRUNE] = "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log"
                        " ORDER BY id LIMIT ?2) AND created_at < ?1",

    /* A session as a whole. */
    [SQL_EXPORT_BYTES] =
        "SELECT (SELECT coalesce(sum(length(frames) + 8 * coalesce(length(frames_packed), 0)), 0)"
        " FROM session_events"
        " WHERE session = ?1)"
        " + (SELECT coalesce(sum(length(content) + coalesce(length(thinking), 0)), 0)"
        " FROM session_messages WHERE session = ?1)"
        " + (SELECT coalesce(sum(coalesce(length(output), 0) + coalesce(length(progress), 0)), 0)"
        " FROM node_runs WHERE session = ?1)"
        " + (SELECT coalesce(8 * length(runs_packed), 0) FROM sessions WHERE key = ?1)"
        " + (SELECT coalesce(sum(length(content)), 0) FROM session_files WHERE session = ?1)",
    [SQL_EXPORT_EVENTS] =
        "SELECT seq_first, seq_last, coalesce(frames_packed, frames) FROM session_events"
        " WHERE session = ?1 ORDER BY seq_last",
    [SQL_EXPORT_MESSAGES] =
        "SELECT created_at, seq, message_id, run_id, node_id, role, agent_id, finish_reason,"
        " token_count, content, thinking, tool_calls FROM session_messages WHERE session = ?1"
        " ORDER BY created_at, seq, message_id",
    [SQL_EXPORT_RUNS] = "SELECT " RUN_COLUMNS ", r.progress FROM node_runs AS r"
                        " WHERE r.session = ?1 ORDER BY r.run_id",
    [SQL_EXPORT_INTERRUPTS] =
        "SELECT interrupt_id, run_id, node_id, kind, status, coalesce(request_packed, request),"
        " answer, expires_at, created_at, updated_at FROM interrupts WHERE session = ?1 ORDER BY "
        "interrupt_id",
    [SQL_EXPORT_TASKS] = "SELECT id, run_id, node_id, queue, input, heartbeat_ms, created_at"
                         " FROM tasks WHERE session = ?1 ORDER BY id",
    [SQL_EXPORT_FILES] = "SELECT " FILE_COLUMNS ", f.content FROM session_files AS f"
                         " WHERE f.session = ?1 ORDER BY f.path, f.version",
    [SQL_EXPORT_USAGE] =
        "SELECT id, run_id, node_id, agent_id, provider, model, input_tokens, output_tokens,"
        " coalesce(cost_micros, -1), estimated, created_at FROM llm_usage"
        " WHERE session_id = ?1 ORDER BY id",
    [SQL_INTERRUPT_TAKEN] = "SELECT 1 FROM interrupts WHERE interrupt_id = ?1",
    [SQL_TASK_TAKEN] = "SELECT 1 FROM tasks WHERE id = ?1",
    [SQL_SESSION_IMPORTED] = "UPDATE sessions SET version = ?2, folded_seq = ?3 WHERE key = ?1",
    [SQL_HOOKS_COUNT] = "SELECT count(*) FROM webhooks WHERE workspace = ?1",
    [SQL_HOOK_INSERT] =
        "INSERT INTO webhooks (workspace, id, name, url, events, filter, secret_ref, enabled,"
        " disabled_reason, scan_from, created_at, updated_at)"
        " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?11)",
    [SQL_HOOK_UPDATE] =
        "UPDATE webhooks SET name = ?3, url = ?4, events = ?5, filter = ?6, secret_ref = ?7,"
        " enabled = ?8, disabled_reason = ?9, version = version + 1, updated_at = ?11"
        " WHERE workspace = ?1 AND id = ?2 AND ?10 IS NOT NULL",
    [SQL_HOOK_DELETE] = "DELETE FROM webhooks WHERE workspace = ?1 AND id = ?2",
    [SQL_HOOK_GET] = HOOKS("h.id = ?1 AND (?2 IS NULL OR w.name = ?2)"),
    [SQL_HOOKS_ALL] = HOOKS("h.id > ?1 ORDER BY h.id LIMIT ?2"),
    [SQL_HOOKS_OF] = HOOKS("h.workspace = ?3 AND h.id > ?1 ORDER BY h.id LIMIT ?2"),
    [SQL_HOOK_SCANNED] = "UPDATE webhooks SET scan_from = ?2 WHERE id = ?1 AND scan_from < ?2",
    [SQL_HOOK_BEHIND] =
        HOOK_SCAN("0",
                  "webhook_cursors AS c INDEXED BY webhook_cursors_behind"
                  " CROSS JOIN sessions AS s ON s.key = c.session",
                  "c.webhook = ?1 AND c.behind = 1 AND c.session > ?5 AND " CURSOR_IS_FREE
                  " AND ?2 IS ?2 AND ?3 IS ?3 AND ?4 IS ?4 AND ?6 IS ?6"
                  " ORDER BY c.session LIMIT ?8"),
    [SQL_HOOK_LIVE] = HOOK_SCAN("s.created_at", HOOK_SCAN_SESSIONS("sessions_by_status"),
                                "s.status = ?3 AND (s.created_at, s.key) > (?4, ?5)"
                                " AND s.updated_at >= ?6" HOOK_SCAN_LACKS " AND s.stored_only = 0"
                                " ORDER BY s.created_at, s.key LIMIT ?8"),
    [SQL_HOOK_ENDED] = HOOK_SCAN("s.ended_at", HOOK_SCAN_SESSIONS("sessions_by_end"),
                                 "(s.folded_seq > 0) = ?3 AND s.ended_at > 0 AND s.ended_at >= ?6"
                                 " AND (s.ended_at, s.key) > (?4, ?5)" HOOK_SCAN_LACKS
                                 " ORDER BY s.ended_at, s.key LIMIT ?8"),
    [SQL_HOOK_CLAIM] =
        "INSERT INTO webhook_cursors AS c (webhook, session, seq, behind, owner, updated_at)"
        " VALUES (?1,?2,?3,1,?4,?5) ON CONFLICT (webhook, session) DO UPDATE SET behind = 1,"
        " owner = excluded.owner, updated_at = excluded.updated_at,"
        " seq = CASE WHEN ?6 THEN excluded.seq ELSE c.seq END,"
        " attempts = CASE WHEN ?6 THEN 0 ELSE c.attempts END,"
        " failed_at = CASE WHEN ?6 THEN 0 ELSE c.failed_at END,"
        " next_at = CASE WHEN ?6 THEN 0 ELSE c.next_at END",
    [SQL_HOOK_CURSOR] =
        "SELECT c.seq, c.attempts, c.failed_at, c.next_at, c.owner IS NULL OR c.owner = ?3"
        " OR NOT EXISTS (SELECT 1 FROM instances AS i WHERE i.id = c.owner)"
        " FROM webhook_cursors AS c WHERE c.webhook = ?1 AND c.session = ?2",
    [SQL_HOOK_MOVE] =
        "INSERT INTO webhook_cursors (webhook, session, seq, behind, attempts, failed_at, next_at,"
        " owner, updated_at) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT (webhook, session)"
        " DO UPDATE SET seq = excluded.seq, behind = excluded.behind, attempts = excluded.attempts,"
        " failed_at = excluded.failed_at, next_at = excluded.next_at, owner = excluded.owner,"
        " updated_at = excluded.updated_at",
    [SQL_DELIVERY_PUT] =
        "INSERT INTO webhook_deliveries (id, webhook, session, seq, type, status, attempts, "
        "next_at,"
        " http_status, duration_ms, error, body, created_at, updated_at)"
        " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,'',?12,?13) ON CONFLICT (id) DO UPDATE SET"
        " status = excluded.status, attempts = excluded.attempts, next_at = excluded.next_at,"
        " http_status = excluded.http_status, duration_ms = excluded.duration_ms,"
        " error = excluded.error, updated_at = excluded.updated_at",
    [SQL_DELIVERIES_TIDY] =
        "DELETE FROM webhook_deliveries WHERE webhook = ?1 AND (created_at, id) < (max(?3, ifnull("
        "(SELECT created_at FROM webhook_deliveries INDEXED BY webhook_deliveries_by_time"
        " WHERE webhook = ?1 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?2), 0)), x'')",
    [SQL_DELIVERY_GET] = "SELECT " DELIVERY_COLUMNS " FROM webhook_deliveries AS v"
                         " CROSS JOIN sessions AS s ON s.key = v.session"
                         " WHERE v.id = ?1 AND v.webhook = ?2",
    [SQL_DELIVERIES_LIST] =
        "SELECT " DELIVERY_COLUMNS " FROM webhook_deliveries AS v INDEXED BY"
        " webhook_deliveries_by_time CROSS JOIN sessions AS s ON s.key = v.session"
        " WHERE v.webhook = ?1 AND (v.created_at, v.id) < (?2, ?3)"
        " AND (?4 IS NULL OR v.status = ?4) AND (?5 IS NULL OR s.id = ?5)"
        " ORDER BY v.created_at DESC, v.id DESC LIMIT ?6",
};
