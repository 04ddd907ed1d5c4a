/* Statements for a session as a whole (pg_portable.c): a part of pg_sql.c, whose macros they use.
 */
#ifndef SLUICE_STORE_PG_SQL_PORTABLE_H
#define SLUICE_STORE_PG_SQL_PORTABLE_H

#define PG_SQL_PORTABLE                                                                            \
    [PG_EXPORT_BYTES] =                                                                            \
        "SELECT (abs(s.folded_seq))::bigint,"                                                      \
        " ((SELECT coalesce(sum(" FRAMES_BYTES "), 0) FROM session_events AS e"                    \
        " WHERE e.session_id = s.id AND " SINCE_S ")"                                              \
        " + (SELECT coalesce(sum(octet_length(m.content) + coalesce(octet_length(m.thinking), "    \
        "0)),"                                                                                     \
        " 0) FROM session_messages AS m WHERE m.session_id = s.id)"                                \
        " + (SELECT coalesce(sum(coalesce(octet_length(r.output), 0)"                              \
        " + coalesce(octet_length(r.progress), 0)), 0) FROM node_runs AS r"                        \
        " WHERE r.session_id = s.id)"                                                              \
        " + coalesce(8 * octet_length(s.runs_packed), 0)"                                          \
        " + (SELECT coalesce(sum(octet_length(f.content)), 0) FROM session_files AS f"             \
        " WHERE f.session_id = s.id))::bigint"                                                     \
        " FROM sessions AS s WHERE s.id = $1::uuid AND ($2::text IS NULL OR s.workspace = $2)",    \
    [PG_EXPORT_EVENTS] =                                                                           \
        "SELECT q.seq_first, q.seq_last, q.frames FROM ((SELECT e.seq_first, e.seq_last,"          \
        " coalesce(e.frames_packed, textsend(e.frames)) AS frames FROM session_events AS e"        \
        " WHERE e.session_id = $1::uuid AND e.at >="                                               \
        " (SELECT s.created_at - 86400000 FROM sessions AS s WHERE s.id = $1))"                    \
        " UNION ALL (" RING_ROWS ")) AS q ORDER BY q.seq_last",                                    \
    [PG_EXPORT_MESSAGES] =                                                                         \
        "SELECT m.created_at, m.seq, m.message_id, m.run_id, m.node_id, m.role, m.agent_id,"       \
        " m.finish_reason, m.token_count, m.content, m.thinking, m.tool_calls"                     \
        " FROM session_messages AS m WHERE m.session_id = $1::uuid"                                \
        " ORDER BY m.created_at, m.seq, m.message_id",                                             \
    [PG_EXPORT_RUNS] = "SELECT " RUN_COLUMNS ", r.progress FROM node_runs AS r"                    \
                       " WHERE r.session_id = $1::uuid ORDER BY r.run_id",                         \
    [PG_EXPORT_INTERRUPTS] = "SELECT i.interrupt_id, i.run_id, i.node_id, i.kind, i.status,"       \
                             " coalesce(i.request_packed, textsend(i.request)), i.answer, "        \
                             "i.expires_at, i.created_at, i.updated_at FROM interrupts AS i"       \
                             " WHERE i.session_id = $1::uuid ORDER BY i.interrupt_id",             \
    [PG_EXPORT_TASKS] =                                                                            \
        "SELECT t.id, t.run_id, t.node_id, t.queue, t.input, t.heartbeat_ms,"                      \
        " t.created_at FROM tasks AS t WHERE t.session_id = $1::uuid ORDER BY t.id",               \
    [PG_EXPORT_FILES] = "SELECT " FILE_COLUMNS ", f.content FROM session_files AS f"               \
                        " WHERE f.session_id = $1::uuid ORDER BY f.path COLLATE \"C\", f.version", \
    [PG_EXPORT_USAGE] =                                                                            \
        "SELECT u.id, u.run_id, u.node_id, u.agent_id, u.provider, u.model, u.input_tokens,"       \
        " u.output_tokens, coalesce(u.cost_micros, -1), u.estimated, u.created_at"                 \
        " FROM llm_usage AS u WHERE u.session_id = $1::uuid ORDER BY u.id",                        \
    [PG_IMPORT_TAKEN] = "SELECT EXISTS (SELECT FROM sessions AS s WHERE s.id = $1::uuid),"         \
                        " EXISTS (SELECT FROM interrupts AS i WHERE i.interrupt_id ="              \
                        " ANY ($2::uuid[])) OR EXISTS (SELECT FROM tasks AS t WHERE t.id ="        \
                        " ANY ($2::uuid[]))",                                                      \
    [PG_SESSION_IMPORTED] = "UPDATE sessions SET version = $2::bigint, folded_seq = $3::bigint"    \
                            " WHERE id = $1::uuid",

#endif
