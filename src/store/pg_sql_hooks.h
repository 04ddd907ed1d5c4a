/* The statements about webhooks (hooks.h); pg_sql.c has the rest. */
#ifndef SLUICE_STORE_PG_SQL_HOOKS_H
#define SLUICE_STORE_PG_SQL_HOOKS_H

/* As pg_hooks.c reads them. */
#define HOOK_COLUMNS                                                                               \
    "h.id, h.workspace, h.name, h.url, h.events, h.filter, h.secret_ref, h.enabled,"               \
    " h.disabled_reason, h.scan_from, h.version, h.created_at, h.updated_at,"                      \
    " (SELECT count(*) FROM webhook_cursors AS c WHERE c.webhook = h.id AND c.behind),"            \
    " (SELECT min(c.failed_at) FROM webhook_cursors AS c WHERE c.webhook = h.id AND c.behind"      \
    " AND c.failed_at > 0)"
#define HOOKS(condition) "SELECT " HOOK_COLUMNS " FROM webhooks AS h WHERE " condition
#define DELIVERY_COLUMNS                                                                           \
    "v.id, v.session_id, v.seq, v.type, v.status, v.attempts, v.next_at, v.http_status,"           \
    " v.duration_ms, v.error, v.created_at, v.updated_at"

#define SQL_HOOK_FIND                                                                              \
    "SELECT h.version, h.created_at FROM webhooks AS h WHERE h.id = $1::uuid"                      \
    " AND h.workspace = $2::text FOR UPDATE"
#define SQL_HOOKS_COUNT "SELECT count(*) FROM webhooks AS h WHERE h.workspace = $1::text"
#define SQL_HOOK_INSERT                                                                            \
    "INSERT INTO webhooks (workspace, id, name, url, events, filter, secret_ref, enabled,"         \
    " disabled_reason, scan_from, version, created_at, updated_at) VALUES ($1::text, $2::uuid,"    \
    " $3::text, $4::text, $5::text, $6::text, $7::text, $8::boolean, $9::text, $10::bigint, 1,"    \
    " $11::bigint, $11)"
#define SQL_HOOK_UPDATE                                                                            \
    "UPDATE webhooks AS h SET name = $3::text, url = $4::text, events = $5::text,"                 \
    " filter = $6::text, secret_ref = $7::text, enabled = $8::boolean,"                            \
    " disabled_reason = $9::text, version = h.version + 1, updated_at = $10::bigint"               \
    " WHERE h.workspace = $1::text AND h.id = $2::uuid"
#define SQL_HOOK_DELETE "DELETE FROM webhooks AS h WHERE h.workspace = $1::text AND h.id = $2::uuid"
#define SQL_HOOK_GET    HOOKS("h.id = $1::uuid AND ($2::text IS NULL OR h.workspace = $2)")
#define SQL_HOOKS_LIST                                                                             \
    HOOKS("h.id > $1::uuid AND ($2::text IS NULL OR h.workspace = $2)"                             \
          " ORDER BY h.id LIMIT $3::bigint")
#define SQL_HOOK_SCANNED                                                                           \
    "UPDATE webhooks AS h SET scan_from = $2::bigint WHERE h.id = $1::uuid AND h.scan_from < $2"

/* $1 webhook, $2 instance, $3 rows, $4 after this key, $5 workspace, $6 after this time, $7 since,
 * $8 status. */
#define HOOK_SESSION(time)                                                                         \
    "SELECT s.id, s.key, " time ", s.workflow_id, s.group_id, s.status, s.last_seq, d.metadata,"   \
    " c.seq IS NOT NULL, c.seq, c.attempts, c.failed_at, c.next_at FROM "
#define HOOK_DETAILS " LEFT JOIN session_details AS d ON d.session_id = s.id WHERE "
#define HOOK_CURSOR_FREE                                                                           \
    "(c.owner IS NULL OR c.owner = $2::uuid"                                                       \
    " OR NOT EXISTS (SELECT FROM instances AS i WHERE i.id = c.owner))"
#define HOOK_SESSIONS                                                                              \
    "sessions AS s LEFT JOIN webhook_cursors AS c ON c.webhook = $1::uuid AND c.session_id = "     \
    "s.id" HOOK_DETAILS "s.workspace = $5::text AND (s.owner IS NULL OR s.owner = $2::uuid"        \
    " OR NOT EXISTS (SELECT FROM instances AS i WHERE i.id = s.owner))"                            \
    " AND (c.seq IS NULL OR (NOT c.behind AND c.seq < s.last_seq)) AND "
#define SQL_HOOK_BEHIND                                                                            \
    HOOK_SESSION("0::bigint")                                                                      \
    "webhook_cursors AS c JOIN sessions AS s ON s.id = c.session_id" HOOK_DETAILS                  \
    "c.webhook = $1::uuid AND c.behind AND s.key > $4::bigint AND " HOOK_CURSOR_FREE               \
    " ORDER BY s.key LIMIT $3::bigint"
#define SQL_HOOK_LIVE                                                                              \
    HOOK_SESSION("s.created_at")                                                                   \
    HOOK_SESSIONS "s.status = $8::text AND (s.created_at, s.key) > ($6::bigint, $4::bigint)"       \
                  " AND s.updated_at >= $7::bigint AND NOT s.stored_only"                          \
                  " ORDER BY s.created_at, s.key LIMIT $3::bigint"
#define HOOK_ENDED(folded)                                                                         \
    HOOK_SESSION("s.ended_at")                                                                     \
    HOOK_SESSIONS "s.folded_seq " folded " AND s.ended_at > 0 AND s.ended_at >= $7::bigint"        \
                  " AND (s.ended_at, s.key) > ($6::bigint, $4::bigint)"                            \
                  " ORDER BY s.ended_at, s.key LIMIT $3::bigint"

/* $1 webhook, $2 session, $3 seq, $4 instance, $5 now, $6 rewind. Nothing: it is another's, or one
 * of its parents is gone. */
#define SQL_HOOK_CLAIM                                                                             \
    "INSERT INTO webhook_cursors AS c (webhook, session_id, seq, behind, owner, updated_at)"       \
    " SELECT h.id, s.id, $3::bigint, true, $4::uuid, $5::bigint FROM webhooks AS h"                \
    " CROSS JOIN sessions AS s WHERE h.id = $1::uuid AND s.id = $2::uuid"                          \
    " ON CONFLICT (webhook, session_id) DO UPDATE SET behind = true, owner = excluded.owner,"      \
    " updated_at = excluded.updated_at,"                                                           \
    " seq = CASE WHEN $6::boolean THEN excluded.seq ELSE c.seq END,"                               \
    " attempts = CASE WHEN $6 THEN 0 ELSE c.attempts END,"                                         \
    " failed_at = CASE WHEN $6 THEN 0 ELSE c.failed_at END,"                                       \
    " next_at = CASE WHEN $6 THEN 0 ELSE c.next_at END"                                            \
    " WHERE $6 OR c.owner IS NULL OR c.owner = excluded.owner"                                     \
    " OR NOT EXISTS (SELECT FROM instances AS i WHERE i.id = c.owner)"                             \
    " RETURNING c.seq, c.attempts, c.failed_at, c.next_at, c.xmax <> 0"
#define SQL_HOOK_CURSOR                                                                            \
    "SELECT c.owner IS NULL OR c.owner = $3::uuid"                                                 \
    " OR NOT EXISTS (SELECT FROM instances AS i WHERE i.id = c.owner)"                             \
    " FROM webhook_cursors AS c WHERE c.webhook = $1::uuid AND c.session_id = $2::uuid"
/* $1 webhook, $2 session, $3 … $7 the cursor, $8 instance, $9 now. */
#define SQL_HOOK_MOVE                                                                              \
    "INSERT INTO webhook_cursors AS c (webhook, session_id, seq, behind, attempts, failed_at,"     \
    " next_at, owner, updated_at) SELECT h.id, s.id, $3::bigint, $4::boolean, $5::bigint,"         \
    " $6::bigint, $7::bigint, CASE WHEN $4 THEN $8::uuid END, $9::bigint FROM webhooks AS h"       \
    " CROSS JOIN sessions AS s WHERE h.id = $1::uuid AND s.id = $2::uuid"                          \
    " ON CONFLICT (webhook, session_id) DO UPDATE SET seq = excluded.seq,"                         \
    " behind = excluded.behind, attempts = excluded.attempts, failed_at = excluded.failed_at,"     \
    " next_at = excluded.next_at, owner = excluded.owner, updated_at = excluded.updated_at"        \
    " WHERE c.owner IS NULL OR c.owner = $8"                                                       \
    " OR NOT EXISTS (SELECT FROM instances AS i WHERE i.id = c.owner) RETURNING c.seq"
#define SQL_HOOK_PARENTS                                                                           \
    "SELECT h.id FROM webhooks AS h CROSS JOIN sessions AS s"                                      \
    " WHERE h.id = $1::uuid AND s.id = $2::uuid FOR KEY SHARE"
#define SQL_DELIVERY_PUT                                                                           \
    "INSERT INTO webhook_deliveries (id, webhook, session_id, seq, type, status, attempts,"        \
    " next_at, http_status, duration_ms, error, body, created_at, updated_at)"                     \
    " VALUES ($1::uuid, $2::uuid, $3::uuid, $4::bigint, $5::text, $6::text, $7::bigint,"           \
    " $8::bigint, $9::bigint, $10::bigint, $11::text, '', $12::bigint, $13::bigint)"               \
    " ON CONFLICT (id) DO UPDATE SET status = excluded.status, attempts = excluded.attempts,"      \
    " next_at = excluded.next_at, http_status = excluded.http_status,"                             \
    " duration_ms = excluded.duration_ms, error = excluded.error,"                                 \
    " updated_at = excluded.updated_at"
#define SQL_DELIVERIES_TIDY                                                                        \
    "DELETE FROM webhook_deliveries AS v WHERE v.webhook = $1::uuid AND v.created_at <"            \
    " greatest($3::bigint, coalesce((SELECT o.created_at FROM webhook_deliveries AS o"             \
    " WHERE o.webhook = $1 ORDER BY o.created_at DESC, o.id DESC LIMIT 1 OFFSET $2::bigint), 0))"
#define SQL_DELIVERY_GET                                                                           \
    "SELECT " DELIVERY_COLUMNS " FROM webhook_deliveries AS v WHERE v.id = $1::uuid"               \
    " AND v.webhook = $2::uuid"
#define SQL_DELIVERIES_LIST                                                                        \
    "SELECT " DELIVERY_COLUMNS " FROM webhook_deliveries AS v WHERE v.webhook = $1::uuid"          \
    " AND (v.created_at, v.id) < ($2::bigint, $3::uuid) AND ($4::text IS NULL OR v.status = $4)"   \
    " AND ($5::uuid IS NULL OR v.session_id = $5)"                                                 \
    " ORDER BY v.created_at DESC, v.id DESC LIMIT $6::bigint"

/* What stands in the table of pg_sql.c. */
#define PG_HOOK_TEXTS                                                                              \
    [PG_HOOK_FIND] = SQL_HOOK_FIND, [PG_HOOKS_COUNT] = SQL_HOOKS_COUNT,                            \
    [PG_HOOK_INSERT] = SQL_HOOK_INSERT, [PG_HOOK_UPDATE] = SQL_HOOK_UPDATE,                        \
    [PG_HOOK_DELETE] = SQL_HOOK_DELETE, [PG_HOOK_GET] = SQL_HOOK_GET,                              \
    [PG_HOOKS_LIST] = SQL_HOOKS_LIST, [PG_HOOK_SCANNED] = SQL_HOOK_SCANNED,                        \
    [PG_HOOK_BEHIND] = SQL_HOOK_BEHIND, [PG_HOOK_LIVE] = SQL_HOOK_LIVE,                            \
    [PG_HOOK_ENDED_WHOLE] = HOOK_ENDED("<= 0"), [PG_HOOK_ENDED_FOLDED] = HOOK_ENDED("> 0"),        \
    [PG_HOOK_CLAIM] = SQL_HOOK_CLAIM, [PG_HOOK_CURSOR] = SQL_HOOK_CURSOR,                          \
    [PG_HOOK_MOVE] = SQL_HOOK_MOVE, [PG_HOOK_PARENTS] = SQL_HOOK_PARENTS,                          \
    [PG_DELIVERY_PUT] = SQL_DELIVERY_PUT, [PG_DELIVERIES_TIDY] = SQL_DELIVERIES_TIDY,              \
    [PG_DELIVERY_GET] = SQL_DELIVERY_GET, [PG_DELIVERIES_LIST] = SQL_DELIVERIES_LIST

#endif
