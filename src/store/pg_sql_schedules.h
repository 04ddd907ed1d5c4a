/* Statements of schedules and of the audit log: rows of pg_sql.c's table. */
#ifndef SLUICE_STORE_PG_SQL_SCHEDULES_H
#define SLUICE_STORE_PG_SQL_SCHEDULES_H

/* As schedule_columns() of pg_schedules.c reads them. */
#define SCHEDULE_COLUMNS                                                                           \
    "s.id, s.workspace, s.name, s.workflow_id, s.cron, s.time_zone, s.missed, s.overlap, s.input," \
    " s.enabled, s.next_at, s.last_at, s.last_session, s.last_error, s.last_error_at, s.version,"  \
    " s.created_at, s.updated_at FROM schedules AS s"

/* clang-format off */
#define PG_SQL_SCHEDULES \
    [PG_SCHEDULE_GET] = "SELECT " SCHEDULE_COLUMNS " WHERE s.id = $1::uuid", \
    [PG_SCHEDULE_FIND] = "SELECT " SCHEDULE_COLUMNS " WHERE s.id = $1::uuid FOR UPDATE OF s", \
    [PG_SCHEDULE_LIST] = \
        "SELECT " SCHEDULE_COLUMNS " WHERE s.workspace = $1::text AND s.id > $2::uuid" \
        " AND ($3::text IS NULL OR position(lower($3 COLLATE \"C\") IN" \
        " lower(s.name COLLATE \"C\")) > 0) ORDER BY s.id LIMIT $4::bigint", \
    [PG_SCHEDULE_INSERT] = \
        "INSERT INTO schedules (workspace, id, name, workflow_id, cron, time_zone, missed, overlap," \
        " input, enabled, next_at, version, created_at, updated_at) VALUES ($1::text, $2::uuid," \
        " $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::boolean," \
        " $11::bigint, $12::bigint, $13::bigint, $14::bigint)", \
    [PG_SCHEDULE_UPDATE] = \
        "UPDATE schedules SET name = $3::text, workflow_id = $4::text, cron = $5::text," \
        " time_zone = $6::text, missed = $7::text, overlap = $8::text, input = $9::text," \
        " enabled = $10::boolean, next_at = $11::bigint, version = $12::bigint," \
        " created_at = $13::bigint, updated_at = $14::bigint" \
        " WHERE workspace = $1::text AND id = $2::uuid", \
    [PG_SCHEDULE_DELETE] = "DELETE FROM schedules WHERE id = $1::uuid", \
    [PG_SCHEDULE_DUE] = "SELECT " SCHEDULE_COLUMNS " WHERE s.enabled AND s.next_at > 0" \
                        " AND s.next_at <= $1::bigint ORDER BY s.next_at, s.id LIMIT $2::bigint", \
    [PG_SCHEDULE_NEXT] = \
        "SELECT min(next_at) FROM schedules WHERE enabled AND next_at > $1::bigint", \
    [PG_SCHEDULE_MOVE] = \
        "UPDATE schedules SET next_at = $3::bigint, last_at = $4::bigint, last_session = $5::uuid," \
        " last_error = $6::text, last_error_at = $7::bigint" \
        " WHERE id = $1::uuid AND next_at = $2::bigint", \
    [PG_AUDIT_INSERT] = \
        "INSERT INTO audit_log (id, workspace, actor, role, key_id, session_id, action, object," \
        " remote, status, details, created_at, updated_at) SELECT d.*, d.at FROM unnest(" \
        "$1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[]," \
        " $8::text[], $9::text[], $10::bigint[], $11::text[], $12::bigint[])" \
        " AS d (id, workspace, actor, role, key_id, session_id, action, object, remote, status," \
        " details, at) ON CONFLICT DO NOTHING", \
    [PG_AUDIT_LIST] = \
        "SELECT id, actor, role, key_id, session_id, action, object, remote, status, details," \
        " created_at FROM audit_log WHERE workspace = $1::text AND ($2::uuid IS NULL OR id < $2)" \
        " AND ($3::text IS NULL OR actor = $3) AND ($4::text IS NULL OR action = $4)" \
        " AND ($5::text IS NULL OR object = $5) AND ($6::uuid IS NULL OR session_id = $6)" \
        " AND created_at > $7::bigint AND created_at < $8::bigint ORDER BY id DESC" \
        " LIMIT $9::bigint", \
    [PG_AUDIT_PRUNE] = "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log" \
                       " WHERE created_at < $1::bigint ORDER BY id LIMIT $2::bigint)",
/* clang-format on */

#endif
