/* Every statement of the PostgreSQL store, in the order of the enum. Parameters and results are
 * binary; every integer is a bigint. bench/ explains each of them on a filled database. */
#include "store/pg_sql.h"

#include "store/pg_sql_hooks.h"
#include "store/pg_sql_interrupts.h"
#include "store/pg_sql_portable.h"
#include "store/pg_sql_ring.h"
#include "store/pg_sql_rows.h"
#include "store/pg_sql_schedules.h"
#include "store/rules.h"

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

/* A session's events are not older than the session, whatever the clocks of two machines say: a
 * look into months before it is saved. */
#define EVENTS_SINCE(s) "e.at >= " s ".created_at - 86400000"

/* About as many as its events have: packed ones are not counted anew. */
#define FRAMES_BYTES "(octet_length(e.frames) + coalesce(8 * octet_length(e.frames_packed), 0))"

#define SINCE_S EVENTS_SINCE("s")
#define SINCE_L EVENTS_SINCE("l")

/* The last number of a session that stands elsewhere than in event_ring. */
#define LAST_STORED(s)                                                                             \
    "GREATEST(" s ".last_seq, (SELECT e.seq_last FROM session_events AS e"                         \
    " WHERE e.session_id = " s ".id AND " EVENTS_SINCE(s) " ORDER BY e.seq_last DESC LIMIT 1))"
#define LAST_STORED_S LAST_STORED("s")
/* Of all. */
#define LAST_SEQ(s, ring) "GREATEST(" LAST_STORED(s) ", " ring(s) ")"
#define LAST_SEQ_S        LAST_SEQ("s", RING_LAST)

/* As session_columns() of pg_session.c reads them. */
#define WAITING_OF(s) "coalesce(" s ".waiting_packed, textsend(" s ".waiting))"
#define SESSION_COLUMNS(s, ring)                                                                   \
    s ".id, " s ".created_at, " s ".status, " s ".name, " s ".group_id, " s ".user_id, " s         \
      ".tags, " s ".workflow_id, " s ".version, " s ".epoch, " s ".busy, " s ".stored_only, " s    \
      ".reason, " s ".workflow_version, " LAST_SEQ(                                                \
          s, ring) ", " s ".started_at, " s ".ended_at, " s ".updated_at, " s ".output, " s        \
                   ".error, " s                                                                    \
                   ".node_statuses::text, " WAITING_OF(s) ", " s ".usage, " s ".vars, " s          \
                                                          ".workspace, " s ".owner, " s            \
                                                          ".parent_session, " s ".parent_seq, " s  \
                                                          ".parent_run, " s ".core_packed"
#define DETAIL_COLUMNS(s)                                                                          \
    "d.session_id IS NOT NULL, d.input, d.metadata, d.settings, d.thread_configs,"                 \
    " d.workflow_state, d.budget, d.checksum, (SELECT v.checksum FROM workflows AS f CROSS JOIN"   \
    " LATERAL (SELECT o.checksum FROM workflow_versions AS o WHERE o.workspace = f.workspace"      \
    " AND o.workflow_id = f.id AND o.version = f.version OFFSET 0) AS v"                           \
    " WHERE f.workspace = " s ".workspace AND f.id = " s ".workflow_id AND NOT f.deleted)"
#define SESSION_DETAILS(s) " LEFT JOIN session_details AS d ON d.session_id = " s ".id"

#define SESSION_DETAILS_S SESSION_DETAILS("s")
#define DETAIL_COLUMNS_S  DETAIL_COLUMNS("s")
#define SESSION_WHOLE     SESSION_COLUMNS("s", RING_LAST) ", " DETAIL_COLUMNS_S ", d.graph"

/* A page: $1 workspace, $2 where the list ends (excluded), $3 $4 where the page begins (excluded),
 * then the filters (NULL: any) $5 status, $6 workflow, $7 group, $8 user, $9 tag, $10 part of name
 * or id; $11 rows; $12 $13 paths and values of the metadata. The walk is along one index, and ends
 * after STORE_EXAMINED_MAX rows. */
#define SESSIONS_WALK(columns, condition, bound, beyond, way)                                      \
    "SELECT " columns " FROM sessions AS s WHERE s.workspace = $1::text " condition                \
    " AND s.created_at " bound " $2::bigint AND (s.created_at, s.key) " beyond                     \
    " ($3::bigint, $4::bigint) ORDER BY s.created_at " way ", s.key " way
#define PAGE_COLUMNS SESSION_COLUMNS("p", RING_LAST_OF_PAGE) ", " DETAIL_COLUMNS("p")
#define PAGE_DETAILS SESSION_DETAILS("p")
#define PAGE_LIMIT   TEXT_OF(STORE_EXAMINED_MAX)
#define PAGE_FILTERS                                                                               \
    " WHERE ($5::text IS NULL OR w.status = $5) AND ($6::text IS NULL OR w.workflow_id = $6)"      \
    " AND ($7::text IS NULL OR w.group_id = $7) AND ($8::text IS NULL OR w.user_id = $8)"          \
    " AND ($9::text IS NULL OR sluice_tags_have(w.tags, $9))"                                      \
    " AND ($10::text IS NULL OR position(lower($10 COLLATE \"C\") IN lower(w.name COLLATE \"C\"))" \
    " > 0 OR position(lower($10 COLLATE \"C\") IN w.id::text) > 0)"                                \
    " AND ($12::text[] IS NULL OR NOT EXISTS (SELECT FROM session_details AS x CROSS JOIN"         \
    " unnest($12::text[], $13::text[]) AS m (path, value) WHERE x.session_id = w.id"               \
    " AND NOT sluice_metadata_has(x.metadata, m.path, m.value)))"
#define SESSIONS_PAGE_HEAD RING_LASTS "SELECT p.key, " PAGE_COLUMNS " FROM (SELECT w.* FROM ("
#define SESSIONS_PAGE_TAIL(way)                                                                    \
    " LIMIT " PAGE_LIMIT ") AS w" PAGE_FILTERS " LIMIT $11::bigint) AS p" PAGE_DETAILS             \
    " ORDER BY p.created_at " way ", p.key " way
#define SESSIONS_PAGE(condition, bound, beyond, way)                                               \
    SESSIONS_PAGE_HEAD SESSIONS_WALK("s.*", condition, bound, beyond, way) SESSIONS_PAGE_TAIL(way)
/* The last row that a page looks at, and whether there is one more. */
#define SESSIONS_END(condition, bound, beyond, way)                                                \
    SESSIONS_WALK("s.created_at, s.key", condition, bound, beyond, way)                            \
    " OFFSET " TEXT_OF(STORE_EXAMINED_MAX) " - 1 LIMIT 2"
#define DOWN                            ">", "<", "DESC"
#define UP                              "<", ">", "ASC"
#define SESSIONS(make, condition, way)  SESSIONS_(make, condition, way)
#define SESSIONS_(make, condition, ...) make(condition, __VA_ARGS__)
/* The filter's value is a parameter of both: of the end, only the walk's own one is used. */
#define BY_STATUS    "AND s.status = $5::text"
#define BY_WORKFLOW  "AND s.workflow_id = $6::text"
#define BY_GROUP     "AND s.group_id = $7::text"
#define BY_USER      "AND s.user_id = $8::text"
#define END_STATUS   "AND s.status = $5::text"
#define END_WORKFLOW "AND s.workflow_id = $5::text"
#define END_GROUP    "AND s.group_id = $5::text"
#define END_USER     "AND s.user_id = $5::text"

/* As pg_run_columns() reads them. */
#define RUN_COLUMNS                                                                                \
    "r.run_id, r.node_id, r.kind, r.iteration, r.attempt, r.status, r.branch, r.started_at,"       \
    " r.ended_at, r.output, r.error, coalesce(r.interrupt_packed, textsend(r.interrupt))"

/* A row r of a run that may be packed, too, in the row of its session $1: the row counts, even when
 * it is an old one by now. */
#define MAY_BE_PACKED                                                                              \
    "(r.iteration = 1 AND (SELECT s.runs_packed IS NOT NULL FROM sessions AS s"                    \
    " WHERE s.id = $1::uuid))"

/* As workflow_columns() of pg_workflow.c reads both. */
#define WORKFLOW_COLUMNS                                                                           \
    "f.id, f.name, f.type, f.description, f.version, f.created_at, f.updated_at"
#define VERSION_COLUMNS                                                                            \
    "v.workflow_id, v.name, v.type, v.description, v.version, f.created_at, v.created_at"
/* $1 workspace, $2 after this id, $3 type, $4 part of id or name (NULL: any), $5 rows. */
#define WORKFLOWS_WALK(columns)                                                                    \
    "SELECT " columns " FROM workflows AS f WHERE f.workspace = $1::text AND f.id > $2::text"      \
    " AND NOT f.deleted ORDER BY f.id"

/* $1 workspace, $2 $3 when (excluded), $4 the workflow, $5 the group or NULL, $6 rows to look at,
 * $7 rows of each list. What is in error and usage was written by us: a text that is damaged gives
 * nothing. Kind 0: the sums; 1 to 4: status, workflow, day, failure. */
#define STATS_ORDER(g)                                                                             \
    g ".day NULLS FIRST, " g ".key COLLATE \"C\" NULLS FIRST, " g ".status COLLATE \"C\""
#define STATS_ORDER_G STATS_ORDER("g")
#define STATS_ORDER_Q STATS_ORDER("q")
#define STATS_GROUP(kind, key, day, status, condition)                                             \
    "(SELECT g.* FROM (SELECT " kind "::bigint AS kind, " key " AS key, " day " AS day, " status   \
    " AS status, count(*) AS n, NULL::bigint AS a, NULL::bigint AS b, NULL::bigint[] AS p,"        \
    " NULL::bigint AS c, NULL::bigint AS d, NULL::text AS cost FROM s" condition                   \
    " GROUP BY 2, 3, 4) AS g ORDER BY " STATS_ORDER_G " LIMIT $7::bigint)"
#define STATS_STATUSES  STATS_GROUP("1", "NULL::text", "NULL::bigint", "s.status", "")
#define STATS_WORKFLOWS STATS_GROUP("2", "s.workflow_id", "NULL::bigint", "s.status", "")
#define STATS_DAY       "s.created_at - s.created_at % 86400000"
#define STATS_DAYS      STATS_GROUP("3", "NULL::text", STATS_DAY, "s.status", "")
#define STATS_CODE      "COALESCE(substring(s.error FROM '\"code\":\"([^\"]*)\"'), '')"
#define STATS_FAILED    " WHERE s.ended_at > 0 AND s.status = 'failed'"
#define STATS_FAILURES  STATS_GROUP("4", STATS_CODE, "NULL::bigint", "''::text", STATS_FAILED)
#define STATS_TAKES     "FILTER (WHERE s.ended_at > 0 AND s.started_at > 0)"
#define STATS_SUMS                                                                                 \
    "(SELECT 0::bigint AS kind, NULL::text AS key, (SELECT count(*) FROM w) AS day,"               \
    " NULL::text AS status, count(*) AS n, count(*) " STATS_TAKES " AS a,"                         \
    " sum(GREATEST(s.ended_at - s.started_at, 0)) " STATS_TAKES "::bigint AS b,"                   \
    " percentile_disc(ARRAY[0.5, 0.9, 0.99, 1]) WITHIN GROUP (ORDER BY"                            \
    " GREATEST(s.ended_at - s.started_at, 0)) " STATS_TAKES " AS p,"                               \
    " sum(substring(s.usage FROM '\"input_tokens\":([0-9]{1,18})')::bigint)::bigint AS c,"         \
    " sum(substring(s.usage FROM '\"output_tokens\":([0-9]{1,18})')::bigint)::bigint AS d,"        \
    " sum(substring(s.usage FROM"                                                                  \
    " '\"cost_usd\":([0-9]{1,18}([.][0-9]{1,30})?([eE][-+]?[0-9]{1,2})?)')::numeric)::text"        \
    " AS cost FROM s)"
#define STATS_WALK                                                                                 \
    "SELECT s.status, s.workflow_id, s.group_id, s.created_at, s.started_at, s.ended_at, s.error," \
    " s.usage FROM sessions AS s WHERE s.workspace = $1::text AND s.created_at > $2::bigint"       \
    " AND s.created_at < $3::bigint AND "
#define STATS_COLUMNS                                                                              \
    "q.kind, q.key, q.day, q.status, q.n, q.a, q.b, q.p[1]::text, q.p[2]::text, q.p[3]::text,"     \
    " q.p[4]::text, q.c, q.d, q.cost"
#define SESSION_STATS(condition)                                                                   \
    "WITH w AS MATERIALIZED (" STATS_WALK condition " ORDER BY s.created_at DESC LIMIT $6::bigint" \
    "), s AS MATERIALIZED (SELECT w.* FROM w WHERE $5::text IS NULL OR w.group_id = $5)"           \
    " SELECT " STATS_COLUMNS " FROM (" STATS_SUMS " UNION ALL " STATS_STATUSES                     \
    " UNION ALL " STATS_WORKFLOWS " UNION ALL " STATS_DAYS " UNION ALL " STATS_FAILURES            \
    ") AS q ORDER BY q.kind, " STATS_ORDER_Q

/* A session is free when it has no owner, or one without a row (store.h). */
#define IS_FREE_S                                                                                  \
    "(s.owner IS NULL OR NOT EXISTS (SELECT FROM instances AS i WHERE i.id = s.owner))"
#define IS_MINE(id) "(s.owner = " id " OR " IS_FREE_S ")"

/* Joins a table that is written with the arrays' rows d, one row each: found by an index, and then
 * by its place. Its session is locked: nobody else moves it. */
#define WHERE_ROW_OF(table, alias, condition)                                                      \
    " CROSS JOIN LATERAL (SELECT o.ctid AS place FROM " table " AS o WHERE " condition             \
    " OFFSET 0) AS x WHERE " alias ".ctid = x.place"

#define NOW_MS "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

/* The longest ago first; those that another instance tidies up are its own. */
#define ENDED(which)                                                                               \
    "SELECT s.id, " LAST_STORED_S ", (SELECT count(*) FROM (SELECT FROM session_events AS e"       \
    " WHERE e.session_id = s.id AND " SINCE_S " LIMIT $3::bigint) AS n), s.folded_seq"             \
    " FROM sessions AS s WHERE " which " AND s.ended_at > 0 AND s.ended_at < $1::bigint"           \
    " ORDER BY s.ended_at LIMIT $2::bigint FOR NO KEY UPDATE OF s SKIP LOCKED"

/* What every step writes has no foreign key: a look at the session for each row would be dearer
 * than the row. Whoever deletes a session has locked its row, and deletes these with it. */
#define CHILD_DELETE(name, table, is)                                                              \
    name " AS (DELETE FROM " table " AS x WHERE x.session_id " is ")"
#define CHILDREN_DELETE(is)                                                                        \
    CHILD_DELETE("e", "session_events", is)                                                        \
    CHILD_DELETE(", d", "session_details", is)                                                     \
    CHILD_DELETE(", r", "node_runs", is)                                                           \
    CHILD_DELETE(", m", "session_messages", is)                                                    \
    CHILD_DELETE(", f", "effects", is)                                                             \
    CHILD_DELETE(", t", "timers", is)                                                              \
    CHILD_DELETE(", w", "withheld_inputs", is)                                                     \
    CHILD_DELETE(", i", "interrupts", is) " "

#define COMMAND_COLUMNS "c.command_id, c.session_id, c.request, c.status, c.answer, c.created_at"

/* What all sessions of ours have in common: one plan for each statement, made for an index; and
 * limits within the server, for the times when we cannot speak: a process of ours that was stopped
 * in the middle must not keep others from its sessions. */
#define SETUP                                                                                      \
    "set_config('plan_cache_mode', 'force_generic_plan', false),"                                  \
    " set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"    \
    " set_config('enable_mergejoin', 'off', false),"                                               \
    " set_config('enable_bitmapscan', 'off', false), set_config('jit', 'off', false),"             \
    " set_config('statement_timeout', '15s', false), set_config('lock_timeout', '3s', false),"     \
    " set_config('idle_in_transaction_session_timeout', '5s', false)"

/* As the function of this name in pg_work.c reads them. */
#define TASK_COLUMNS                                                                               \
    "t.id, t.session_id, t.run_id, t.node_id, t.queue, t.status, t.input, t.worker, t.attempt,"    \
    " t.heartbeat_ms, t.lease_expires_at, t.created_at"
#define FILE_COLUMNS                                                                               \
    "f.path, f.version, f.from_version, f.run_id, f.author, f.reason, f.media_type, f.size,"       \
    " f.seq, f.deleted, f.created_at"

/* As catalog_columns() of pg_catalog.c reads them. */
#define CATALOG_COLUMNS                                                                            \
    "c.id, c.name, c.description, c.category, c.version, c.created_at, c.updated_at, c.body"
#define CATALOG_GET(table)                                                                         \
    "SELECT " CATALOG_COLUMNS " FROM " table " AS c WHERE c.workspace = $1::text"                  \
    " AND c.id = ANY ($2::text[])"
#define HAS(column) "position(lower($4 COLLATE \"C\") IN lower(" column " COLLATE \"C\")) > 0"
/* $2 after this one, $3 category, $4 part of a text (NULL: any), $5 rows, $6 bytes of bodies. */
#define CATALOG_LIST(table)                                                                        \
    "SELECT " CATALOG_COLUMNS ", c.there FROM (SELECT w.*, count(*) OVER () AS there,"             \
    " sum(octet_length(w.body)) OVER (ORDER BY w.id) - octet_length(w.body) AS before"             \
    " FROM (SELECT t.* FROM " table " AS t WHERE t.workspace = $1::text AND t.id > $2::text"       \
    " AND ($3::text IS NULL OR t.category = $3) AND ($4::text IS NULL OR " HAS("t.id") " OR " HAS( \
        "t.name") " OR " HAS("t.description") ")"                                                  \
                                              " ORDER BY t.id LIMIT $5::bigint) AS w) AS c WHERE " \
                                              "c.before <= $6::bigint ORDER BY c.id"
#define CATALOG_FIND(table)                                                                        \
    "SELECT " CATALOG_COLUMNS " FROM " table " AS c WHERE c.workspace = $1::text"                  \
    " AND c.id = $2::text FOR UPDATE OF c"
#define CATALOG_INSERT(table)                                                                      \
    "INSERT INTO " table " (workspace, id, name, description, category, version, body,"            \
    " created_at, updated_at) VALUES ($1::text, $2::text, $3::text, $4::text, $5::text,"           \
    " $6::bigint, $7::text, $8::bigint, $9::bigint)"
#define CATALOG_UPDATE(table)                                                                      \
    "UPDATE " table " SET name = $3::text, description = $4::text, category = $5::text,"           \
    " version = $6::bigint, body = $7::text, created_at = $8::bigint, updated_at = $9::bigint"     \
    " WHERE workspace = $1::text AND id = $2::text"
#define CATALOG_DELETE(table) "DELETE FROM " table " WHERE workspace = $1::text AND id = $2::text"
/* May the text name it? It stands there between quotes, or with an escape. */
#define MAY_NAME(text)                                                                             \
    "(position('\"' || $2::text || '\"' IN " text ") > 0 OR position('\\u' IN " text ") > 0)"

/* As memory_columns() of pg_memory.c reads them. */
#define MEMORY_COLUMNS                                                                             \
    "m.id, m.source_id, m.session_id, m.group_id, m.agent_id, m.content, m.metadata, m.tier,"      \
    " m.chunk, m.chunks, m.model, m.dimensions, m.hits, m.created_at, m.updated_at"
/* $3 tiers, $4 the agent or NULL, $5 whether only the group's, $6 the session or NULL, $7 $8 when.
 */
#define MEMORY_FILTERS                                                                             \
    "(m.tier & $3::bigint) <> 0 AND ($4::text IS NULL OR m.agent_id = $4)"                         \
    " AND (NOT $5::boolean OR m.agent_id IS NULL)"                                                 \
    " AND ($6::uuid IS NULL OR m.session_id = $6) AND m.created_at > $7::bigint"                   \
    " AND m.created_at < $8::bigint"
#define MEMORY_OF_GROUP "m.workspace = $1::text AND m.group_id = $2::text"
#define MEMORIES_ROWS(condition)                                                                   \
    "SELECT " MEMORY_COLUMNS ", NULL::float4[] FROM memories AS m WHERE " condition                \
    " AND " MEMORY_FILTERS
#define MEMORY_HAS_WORDS "sluice_words(m.workspace, m.group_id, m.words) @@"
/* What each of a group's rows has for a word: see sluice_words(). */
#define MEMORY_PLACE(workspace, group)                                                             \
    "'''_' || md5(" workspace "::text || ' ' || " group "::text) || ''''"
/* $10: the model, $11: the vector, $12: its dimensions. */
#define MEMORIES_NEAREST(distance, condition)                                                      \
    "SELECT " MEMORY_COLUMNS ", m.embedding FROM memories AS m WHERE " MEMORY_OF_GROUP             \
    " AND m.model = $10::text AND m.embedding IS NOT NULL AND " condition                          \
    " AND $12::bigint = m.dimensions AND " MEMORY_FILTERS " ORDER BY " distance                    \
    " LIMIT $9::bigint"
#define MEMORIES_NEAR(n)                                                                           \
    MEMORIES_NEAREST("m.embedding::vector(" n ") <=> $11::float4[]::vector(" n ")",                \
                     "m.dimensions = " n)
/* $1 workspace, $2 the group, $3 the agent, $4 the session, $5 the source, or NULL, $6 tiers, $7 $8
 * where the page begins. */
#define MEMORIES_WALK(condition)                                                                   \
    "SELECT " MEMORY_COLUMNS " FROM memories AS m WHERE m.workspace = $1::text AND " condition     \
    " AND ($3::text IS NULL OR m.agent_id = $3) AND ($4::uuid IS NULL OR m.session_id = $4)"       \
    " AND (m.tier & $6::bigint) <> 0 AND (m.created_at, m.id) < ($7::bigint, $8::uuid)"            \
    " ORDER BY m.created_at DESC, m.id DESC LIMIT $9::bigint"

/* $1 to $5: by day, group, node, agent, model or not. $6 workspace, $7 session, $8 group or NULL,
 * $9 from, $10 until, $11 rows. */
#define USAGE_SUM(condition)                                                                       \
    "SELECT q.* FROM (SELECT CASE WHEN $1::boolean THEN u.created_at - u.created_at % 86400000"    \
    " END AS day, CASE WHEN $2::boolean THEN u.group_id END AS group_id,"                          \
    " CASE WHEN $3::boolean THEN u.node_id END AS node_id,"                                        \
    " CASE WHEN $4::boolean THEN u.agent_id END AS agent_id,"                                      \
    " CASE WHEN $5::boolean THEN u.provider END AS provider,"                                      \
    " CASE WHEN $5::boolean THEN u.model END AS model, count(*),"                                  \
    " sum(u.input_tokens)::bigint, sum(u.output_tokens)::bigint, sum(u.cost_micros)::bigint,"      \
    " count(*) - count(u.cost_micros), count(*) FILTER (WHERE u.estimated)"                        \
    " FROM llm_usage AS u WHERE " condition " AND u.workspace = $6::text"                          \
    " AND ($8::text IS NULL OR u.group_id = $8::text)"                                             \
    " AND u.created_at >= $9::bigint AND u.created_at < $10::bigint"                               \
    " GROUP BY 1, 2, 3, 4, 5, 6) AS q ORDER BY q.day NULLS FIRST,"                                 \
    " q.group_id COLLATE \"C\" NULLS FIRST, q.node_id COLLATE \"C\" NULLS FIRST,"                  \
    " q.agent_id COLLATE \"C\" NULLS FIRST, q.provider COLLATE \"C\" NULLS FIRST,"                 \
    " q.model COLLATE \"C\" NULLS FIRST LIMIT $11::bigint"

const char *const pg_sql_texts[PG_SQL_COUNT] = {
    [PG_SETUP_WRITER] = "SELECT " SETUP ", set_config('synchronous_commit', 'on', false)",
    [PG_SETUP_READER] =
        "SELECT " SETUP ", set_config('default_transaction_isolation', 'repeatable read', false),"
        " set_config('default_transaction_read_only', 'on', false)",
    /* The writer's lock, and the end of whoever has it: our own connection, that we lost. */
    [PG_WRITER_END] = "SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l"
                      " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
                      " AND l.classid::bigint = $1::bigint AND l.objid::bigint = $2::bigint"
                      " AND l.database = (SELECT d.oid FROM pg_database AS d"
                      " WHERE d.datname = current_database()) AND l.pid <> pg_backend_pid()",
    [PG_WRITER_LOCK] = "SELECT pg_try_advisory_lock($1::bigint::int, $2::bigint::int)",
    [PG_BEGIN] = "BEGIN",
    [PG_COMMIT] = "COMMIT",
    [PG_ROLLBACK] = "ROLLBACK",

    [PG_WORKSPACES_MAKE] =
        "INSERT INTO workspaces (name) SELECT DISTINCT d.name FROM unnest($1::text[]) AS d (name)"
        " ON CONFLICT DO NOTHING",

    /* A commit. Arrays whose values are selected are rows at once; those of FROM are each written
     * into a store of their own first, a tenth of what a W1 session costs. All arrays of a
     * statement are of one length. Where they are joined, the rows of the arrays lead: LATERAL and
     * OFFSET 0 leave no other order to choose, however small a table was when the plan was made. */
    [PG_COMMIT_LOCK] =
        "WITH l AS MATERIALIZED (SELECT s.id FROM sessions AS s WHERE s.id = ANY ($1::uuid[])"
        " ORDER BY s.id FOR NO KEY UPDATE OF s) SELECT count(*) FROM l",
    /* $3: the first number of the delta's events, or the largest one; $4: when. Who has the same
     * epoch has the same clock: later months need no look. */
    [PG_COMMIT_CHECK] =
        "SELECT sluice_expect(count(*) = $5::bigint)"
        " FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[])"
        " AS d (id, epoch, first, at)"
        " CROSS JOIN LATERAL (SELECT o.epoch, o.created_at FROM sessions AS o"
        " WHERE o.id = d.id OFFSET 0) AS s WHERE s.epoch <= d.epoch AND NOT EXISTS"
        " (SELECT FROM session_events AS e WHERE e.session_id = d.id AND e.seq_last >= d.first"
        " AND " SINCE_S " AND e.at <= d.at + 86400000 OFFSET 0)",
    /* Of one session, the lock and the look at once. Where the lock had to be waited for, events
     * are looked at as of before: whoever wrote any meanwhile has a later epoch, or is a try of
     * ours, and after one of those the judge comes first. */
    [PG_COMMIT_CHECK_ONE] =
        "SELECT sluice_expect(count(*) = 1) FROM (SELECT o.epoch, o.created_at FROM sessions AS o"
        " WHERE o.id = $1::uuid FOR NO KEY UPDATE OF o) AS s WHERE s.epoch <= $2::bigint"
        " AND NOT EXISTS (SELECT FROM session_events AS e WHERE e.session_id = $1::uuid"
        " AND e.seq_last >= $3::bigint AND " SINCE_S " AND e.at <= $4::bigint + 86400000 OFFSET 0)",
    /* Events alone are the same also where they stand in a row among others: they were settled
     * (pg_ring.h). */
    [PG_COMMIT_JUDGE] =
        "SELECT d.n, s.epoch, EXISTS (SELECT FROM session_events AS e WHERE e.session_id = d.id"
        " AND e.seq_last = d.last AND " SINCE_S " AND e.seq_first = d.first AND e.frames = d.frames"
        " AND e.frames_packed IS NOT DISTINCT FROM d.packed OFFSET 0)"
        " OR EXISTS (SELECT FROM session_events AS e"
        " WHERE e.session_id = d.id AND e.seq_last >= d.last AND e.seq_first <= d.first"
        " AND " SINCE_S " AND position(E'\\n' || d.plain || E'\\n' IN"
        " E'\\n' || e.frames || E'\\n') > 0 OFFSET 0),"
        " EXISTS (SELECT FROM session_events AS e WHERE e.session_id = d.id"
        " AND e.seq_last >= d.first AND e.seq_first <= d.last AND " SINCE_S " OFFSET 0)"
        " FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[],"
        " $5::bytea[], $6::text[]) WITH ORDINALITY AS d (id, first, last, frames, packed, plain, n)"
        " CROSS JOIN LATERAL (SELECT o.epoch, o.created_at FROM sessions AS o"
        " WHERE o.id = d.id OFFSET 0) AS s",
    [PG_COMMIT_KEYS_TAKEN] =
        "SELECT d.n FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS d (workspace, key, n)"
        " WHERE EXISTS (SELECT FROM idempotency_keys AS k WHERE k.workspace = d.workspace"
        " AND k.key = d.key OFFSET 0)",
    /* A command that is not there counts as answered: a status below 0. */
    [PG_COMMIT_COMMANDS] =
        "SELECT d.n, COALESCE(c.status, -1), c.answer FROM unnest($1::uuid[], $2::uuid[])"
        " WITH ORDINALITY AS d (session_id, id, n) LEFT JOIN LATERAL (SELECT o.status, o.answer"
        " FROM session_commands AS o WHERE o.command_id = d.id AND o.session_id = d.session_id"
        " OFFSET 0) AS c ON true ORDER BY d.n",

    [PG_SESSION_INSERT] = SESSION_ROWS(PG_OF_ARRAYS),
    [PG_SESSION_INSERT_ONE] = SESSION_ROWS(PG_OF_VALUES),
    [PG_DETAILS_INSERT] = DETAILS_ROWS(PG_OF_ARRAYS),
    [PG_DETAILS_INSERT_ONE] = DETAILS_ROWS(PG_OF_VALUES),
    /* What may be changed of a session's meta part, and what more of a stored one. */
    [PG_META_UPDATE] =
        "UPDATE sessions AS s SET name = d.name, tags = d.tags, version = d.version,"
        " updated_at = d.updated_at FROM unnest($1::uuid[], $2::text[], $3::text[],"
        " $4::bigint[], $5::bigint[]) AS d (id, name, tags, version, updated_at)" WHERE_ROW_OF(
            "sessions", "s", "o.id = d.id"),
    [PG_META_DETAILS] =
        "UPDATE session_details AS s SET metadata = d.metadata, settings = d.settings,"
        " thread_configs = d.thread_configs, workflow_state = d.workflow_state"
        " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])"
        " AS d (id, metadata, settings, thread_configs, workflow_state)" WHERE_ROW_OF(
            "session_details", "s", "o.session_id = d.id"),
    [PG_STORED_UPDATE] =
        "UPDATE sessions AS s SET status = d.status, user_id = d.user_id, group_id = d.group_id,"
        " workflow_id = d.workflow_id FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[],"
        " $5::text[]) AS d (id, status, user_id, group_id, workflow_id)" WHERE_ROW_OF(
            "sessions", "s", "o.id = d.id"),
    [PG_STATS_BY_TIME] = SESSION_STATS("$4::text IS NULL AND $5::text IS NULL"),
    [PG_STATS_BY_WORKFLOW] = SESSION_STATS("s.workflow_id = $4::text"),
    [PG_STATS_BY_GROUP] = SESSION_STATS("s.group_id = $5::text AND $4::text IS NULL"),
    [PG_SAVE_LOOK] =
        "SELECT d.n, s.workspace, s.version, s.created_at, s.updated_at, s.status, s.stored_only"
        " FROM unnest($1::uuid[]) WITH ORDINALITY AS d (id, n) CROSS JOIN LATERAL"
        " (SELECT o.* FROM sessions AS o WHERE o.id = d.id OFFSET 0) AS s ORDER BY d.n",
    [PG_SESSION_UPDATE] =
        "UPDATE sessions AS s SET busy = d.busy, status = d.status, reason = d.reason,"
        " last_seq = d.last_seq, started_at = d.started_at, ended_at = d.ended_at,"
        " updated_at = d.updated_at, output = d.output, error = d.error,"
        " node_statuses = d.node_statuses::jsonb, waiting = d.waiting, usage = d.usage,"
        " vars = d.vars, state = d.state, core_packed = d.core_packed,"
        " waiting_packed = NULL, state_packed = NULL, owner = CASE WHEN d.ended_at = 0 THEN "
        "s.owner END"
        " FROM unnest($1::uuid[], $2::boolean[], $3::text[], $4::text[], $5::bigint[],"
        " $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[],"
        " $12::text[], $13::text[], $14::text[], $15::text[], $16::bytea[])"
        " AS d (id, busy, status, reason, last_seq, started_at, ended_at, updated_at, output,"
        " error, node_statuses, waiting, usage, vars, state, core_packed)" WHERE_ROW_OF(
            "sessions", "s", "o.id = d.id"),
    [PG_SESSION_UPDATE_ONE] =
        "UPDATE sessions SET busy = $2::boolean, status = $3::text, reason = $4::text,"
        " last_seq = $5::bigint, started_at = $6::bigint, ended_at = $7::bigint,"
        " updated_at = $8::bigint, output = $9::text, error = $10::text,"
        " node_statuses = $11::text::jsonb, waiting = $12::text, usage = $13::text,"
        " vars = $14::text, state = $15::text, core_packed = $16::bytea,"
        " waiting_packed = NULL, state_packed = NULL,"
        " owner = CASE WHEN $7::bigint = 0 THEN owner END WHERE id = $1::uuid",
    [PG_EVENTS_INSERT] = EVENTS_ROWS(PG_OF_ARRAYS),
    [PG_EVENTS_INSERT_ONE] = EVENTS_ROWS(PG_OF_VALUES),
    /* All or none: all when the owner's row ($6) stands, and each session that is looked at ($7 to
     * $9: ids, epochs, first numbers) is its own, of no later epoch. Sessions are claimed from a
     * dead owner only after its row was deleted, and that waits for this lock: so one row is
     * locked, instead of each session's. Numbers must be beyond those of the session's last step;
     * of events since, the owner gives each once. */
    [PG_EVENTS_OF_OWNER] =
        "WITH w AS (WITH i AS MATERIALIZED (SELECT o.id FROM instances AS o WHERE o.id = $6::uuid "
        "FOR KEY"
        " SHARE OF o) INSERT INTO session_events (session_id, seq_last, seq_first, at, frames)"
        " SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]),"
        " unnest($4::bigint[]), unnest($5::text[]) WHERE (SELECT count(*) FROM i CROSS JOIN"
        " unnest($7::uuid[], $8::bigint[], $9::bigint[]) AS k (id, epoch, first) CROSS JOIN"
        " LATERAL (SELECT FROM sessions AS o WHERE o.id = k.id AND o.owner = i.id"
        " AND o.epoch <= k.epoch AND o.last_seq < k.first OFFSET 0) AS s)"
        " = cardinality($7::uuid[]) RETURNING 1)"
        " SELECT sluice_expect(count(*) = cardinality($1::uuid[])) FROM w",
    /* The same when none is looked at (pg_known.h). */
    [PG_EVENTS_OF_KNOWN] =
        "WITH w AS (INSERT INTO session_events (session_id, seq_last, seq_first, at, frames)"
        " SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]),"
        " unnest($4::bigint[]), unnest($5::text[])"
        " FROM (SELECT FROM instances AS o WHERE o.id = $6::uuid FOR KEY SHARE OF o) AS i"
        " RETURNING 1) SELECT sluice_expect(count(*) = cardinality($1::uuid[])) FROM w",
    PG_SQL_RING[PG_RUNS_UPSERT] = RUNS_ROWS(PG_OF_ARRAYS),
    [PG_RUNS_UPSERT_ONE] = RUNS_ROWS(PG_OF_VALUES),
    [PG_EFFECTS_INSERT] =
        "INSERT INTO effects (session_id, run_id, kind, request) SELECT unnest($1::uuid[]),"
        " unnest($2::uuid[]), unnest($3::text[]), unnest($4::text[]) ON CONFLICT DO NOTHING",
    [PG_EFFECTS_DELETE] =
        "DELETE FROM effects AS f USING unnest($1::uuid[], $2::uuid[]) AS d (session_id, "
        "run_id)" WHERE_ROW_OF("effects", "f",
                               "o.session_id = d.session_id AND o.run_id = d.run_id"),
    [PG_TIMERS_UPSERT] =
        "INSERT INTO timers (session_id, timer_id, due_at, purpose, updated_at) SELECT"
        " unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::bigint[]), unnest($4::text[]),"
        " unnest($5::bigint[]) ON CONFLICT (session_id, timer_id) DO UPDATE SET due_at ="
        " excluded.due_at, purpose = excluded.purpose, updated_at = excluded.updated_at",
    [PG_TIMERS_DELETE] =
        "DELETE FROM timers AS t USING unnest($1::uuid[], $2::uuid[]) AS d (session_id, "
        "timer_id)" WHERE_ROW_OF("timers", "t",
                                 "o.session_id = d.session_id AND o.timer_id = d.timer_id"),
    [PG_MESSAGES_INSERT] = MESSAGES_ROWS(PG_OF_ARRAYS),
    [PG_MESSAGES_INSERT_ONE] = MESSAGES_ROWS(PG_OF_VALUES),
    [PG_WITHHELD_CLEAR] = "DELETE FROM withheld_inputs AS w WHERE w.session_id = ANY ($1::uuid[])",
    [PG_WITHHELD_INSERT] =
        "INSERT INTO withheld_inputs (session_id, ord, input) SELECT unnest($1::uuid[]),"
        " unnest($2::bigint[]), unnest($3::text[]) ON CONFLICT DO NOTHING",
    [PG_KEYS_INSERT] =
        "INSERT INTO idempotency_keys (workspace, key, hash_a, hash_b, status, body, created_at)"
        " SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[]),"
        " unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::text[]), unnest($7::bigint[])",
    [PG_COMMANDS_ANSWER] =
        "WITH u AS (UPDATE session_commands AS c SET status = d.status, answer "
        "= d.answer,"
        " updated_at = " NOW_MS " FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[])"
        " AS d (session_id, id, status, answer)" WHERE_ROW_OF(
            "session_commands", "c",
            "o.command_id = d.id AND o.session_id = d.session_id AND o.status = "
            "0") " RETURNING 1)"
                 " SELECT sluice_expect(count(*) = cardinality($1::uuid[])) "
                 "FROM u",

    [PG_COMMANDS_ADD] =
        "INSERT INTO session_commands (command_id, session_id, request, created_at, updated_at)"
        " SELECT d.id, d.session_id, d.request, d.created_at, d.created_at"
        " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])"
        " AS d (id, session_id, request, created_at) CROSS JOIN LATERAL"
        " (SELECT FROM sessions AS o WHERE o.id = d.session_id OFFSET 0) AS s"
        " ON CONFLICT DO NOTHING",
    [PG_TASKS_INSERT] =
        "INSERT INTO tasks (id, session_id, run_id, node_id, queue, status, input, heartbeat_ms,"
        " created_at, updated_at) SELECT d.id, d.session_id, d.run_id, d.node_id, d.queue,"
        " 'waiting', d.input, d.heartbeat_ms, d.created_at, d.created_at"
        " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],"
        " $7::bigint[], $8::bigint[]) AS d (id, session_id, run_id, node_id, queue, input,"
        " heartbeat_ms, created_at) ON CONFLICT DO NOTHING",
    [PG_TASKS_DELETE] = "DELETE FROM tasks AS t USING unnest($1::uuid[], $2::uuid[])"
                        " AS d (session_id, id)" WHERE_ROW_OF(
                            "tasks", "t", "o.id = d.id AND o.session_id = d.session_id"),
    [PG_FILES_INSERT] =
        "INSERT INTO session_files (session_id, path, version, from_version, run_id, author,"
        " reason, media_type, size, seq, deleted, created_at, updated_at, content)"
        " SELECT d.session_id, d.path, d.version, d.from_version, d.run_id, d.author, d.reason,"
        " d.media_type, d.size, d.seq, d.deleted, d.created_at, d.created_at, d.content"
        " FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[],"
        " $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::boolean[], $12::bigint[],"
        " $13::bytea[]) AS d (session_id, path, version, from_version, run_id, author, reason,"
        " media_type, size, seq, deleted, created_at, content) ON CONFLICT DO NOTHING",
    [PG_USAGE_INSERT] =
        "INSERT INTO llm_usage (id, workspace, session_id, group_id, workflow_id, run_id, node_id,"
        " agent_id, provider, model, input_tokens, output_tokens, cost_micros, estimated,"
        " created_at)"
        " SELECT d.id, s.workspace, s.id, s.group_id, s.workflow_id, d.run_id, d.node_id,"
        " d.agent_id, d.provider, d.model, d.input_tokens, d.output_tokens,"
        " nullif(d.cost_micros, -1), d.estimated, d.created_at"
        " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],"
        " $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::boolean[], $12::bigint[])"
        " AS d (session_id, id, run_id, node_id, agent_id, provider, model, input_tokens,"
        " output_tokens, cost_micros, estimated, created_at)"
        " JOIN sessions AS s ON s.id = d.session_id ON CONFLICT DO NOTHING",

    /* Retention. $1 before, $2 sessions, $3 rows of events that are counted at most. */
    [PG_ENDED_WHOLE] = ENDED("s.folded_seq <= 0"),
    [PG_ENDED_FOLDED] = ENDED("s.folded_seq > 0"),
    [PG_SESSION_FOLDED] = "UPDATE sessions SET folded_seq = $2::bigint WHERE id = $1::uuid",
    [PG_SESSIONS_DELETE] = "WITH " CHILDREN_DELETE(
        "= ANY ($1::uuid[])") "DELETE FROM sessions WHERE id = ANY ($1::uuid[])",
    [PG_EVENTS_WITH_TOKENS] =
        "SELECT e.seq_first, e.seq_last, e.at, coalesce(e.frames_packed, textsend(e.frames))"
        " FROM session_events AS e WHERE e.session_id = $1::uuid AND e.seq_last > $2::bigint"
        " AND (position('\"token_stream\"' IN e.frames) > 0"
        " OR substring(e.frames_packed FROM 1 FOR 1) = '\\x03') ORDER BY e.seq_last"
        " LIMIT $3::bigint",
    [PG_EVENTS_DELETE] =
        "DELETE FROM session_events AS e USING unnest($1::uuid[], $2::bigint[], $3::bigint[])"
        " AS d (id, seq, at) WHERE e.session_id = d.id AND e.seq_last = d.seq AND e.at = d.at",
    [PG_EVENTS_DELETE_SOME] =
        "DELETE FROM session_events AS e USING (SELECT o.session_id, o.seq_last, o.at"
        " FROM session_events AS o WHERE o.session_id = $1::uuid ORDER BY o.seq_last"
        " LIMIT $2::bigint) AS d"
        " WHERE e.session_id = d.session_id AND e.seq_last = d.seq_last AND e.at = d.at",
    [PG_KEYS_TIDY] =
        "DELETE FROM idempotency_keys AS k USING (SELECT o.workspace, o.key"
        " FROM idempotency_keys AS o WHERE o.created_at < $1::bigint ORDER BY o.created_at"
        " LIMIT $2::bigint) AS d WHERE k.workspace = d.workspace AND k.key = d.key",
    [PG_COMMANDS_TIDY] =
        "DELETE FROM session_commands AS c USING (SELECT o.command_id FROM session_commands AS o"
        " WHERE o.status > 0 AND o.created_at < $1::bigint ORDER BY o.created_at"
        " LIMIT $2::bigint) AS d WHERE c.command_id = d.command_id",
    [PG_PARTITIONS] = "SELECT sluice_event_partitions(" NOW_MS ", $1::bigint::int)::bigint",
    /* Of a month ago: nobody writes into a month that is over. */
    [PG_PARTITIONS_DROP] =
        "SELECT sluice_event_partitions_drop(" NOW_MS " - 31 * 86400000::bigint)::bigint",

    /* Sessions */
    [PG_SESSION_GET] = "SELECT " SESSION_WHOLE " FROM sessions AS s" SESSION_DETAILS_S
                       " WHERE s.id = $1::uuid AND ($2::text IS NULL OR s.workspace = $2)",
    [PG_SESSION_LOAD] =
        "SELECT " SESSION_WHOLE ", coalesce(s.state_packed, textsend(s.state)), (SELECT v.graph"
        " FROM workflow_versions AS v WHERE v.workspace = s.workspace"
        " AND v.workflow_id = s.workflow_id AND v.version = s.workflow_version), s.runs_packed"
        " FROM sessions AS s" SESSION_DETAILS_S " WHERE s.id = $1::uuid",
    [PG_SESSION_LOCK] = "SELECT " IS_FREE_S ", s.workspace, s.version, s.status, s.stored_only"
                        " FROM sessions AS s WHERE s.id = $1::uuid FOR NO KEY UPDATE OF s",
    [PG_SESSION_CLAIM] = "UPDATE sessions SET owner = $2::uuid, epoch = epoch + 1"
                         " WHERE id = $1::uuid",
    [PG_SESSION_RELEASE] = "UPDATE sessions AS s SET owner = NULL"
                           " WHERE s.id = ANY ($1::uuid[]) AND s.owner = $2::uuid",
    [PG_SESSION_DELETE] =
        "WITH " CHILDREN_DELETE("= $1::uuid") "DELETE FROM sessions WHERE id = $1::uuid",
    [PG_SESSION_EPOCH] = "SELECT s.epoch FROM sessions AS s WHERE s.id = $1::uuid",
    [PG_SESSION_EPOCH_LOCK] = "SELECT s.epoch FROM sessions AS s WHERE s.id = $1::uuid"
                              " FOR NO KEY UPDATE OF s",
    /* Those without an owner, and those of each owner without a row: never those of the living,
     * though they be a million. */
    [PG_SCAN_BUSY] =
        "WITH RECURSIVE owners AS ((SELECT s.owner FROM sessions AS s WHERE s.busy"
        " AND s.owner IS NOT NULL ORDER BY s.owner LIMIT 1) UNION ALL SELECT (SELECT s.owner"
        " FROM sessions AS s WHERE s.busy AND s.owner > o.owner ORDER BY s.owner LIMIT 1)"
        " FROM owners AS o WHERE o.owner IS NOT NULL)"
        " SELECT f.id FROM ((SELECT s.id FROM sessions AS s WHERE s.busy AND s.owner IS NULL"
        " AND s.id > $1::uuid ORDER BY s.id LIMIT $2::bigint) UNION ALL"
        " SELECT x.id FROM owners AS o CROSS JOIN LATERAL (SELECT s.id FROM sessions AS s"
        " WHERE s.busy AND s.owner = o.owner AND s.id > $1 ORDER BY s.id LIMIT $2) AS x"
        " WHERE NOT EXISTS (SELECT FROM instances AS i WHERE i.id = o.owner)) AS f"
        " ORDER BY f.id LIMIT $2",

    [PG_SESSIONS_BY_TIME] = SESSIONS(SESSIONS_PAGE, "", DOWN),
    [PG_SESSIONS_BY_TIME_UP] = SESSIONS(SESSIONS_PAGE, "", UP),
    [PG_SESSIONS_BY_STATUS] = SESSIONS(SESSIONS_PAGE, BY_STATUS, DOWN),
    [PG_SESSIONS_BY_STATUS_UP] = SESSIONS(SESSIONS_PAGE, BY_STATUS, UP),
    [PG_SESSIONS_BY_WORKFLOW] = SESSIONS(SESSIONS_PAGE, BY_WORKFLOW, DOWN),
    [PG_SESSIONS_BY_WORKFLOW_UP] = SESSIONS(SESSIONS_PAGE, BY_WORKFLOW, UP),
    [PG_SESSIONS_BY_GROUP] = SESSIONS(SESSIONS_PAGE, BY_GROUP, DOWN),
    [PG_SESSIONS_BY_GROUP_UP] = SESSIONS(SESSIONS_PAGE, BY_GROUP, UP),
    [PG_SESSIONS_BY_USER] = SESSIONS(SESSIONS_PAGE, BY_USER, DOWN),
    [PG_SESSIONS_BY_USER_UP] = SESSIONS(SESSIONS_PAGE, BY_USER, UP),
    [PG_SESSIONS_END_BY_TIME] = SESSIONS(SESSIONS_END, "", DOWN),
    [PG_SESSIONS_END_BY_TIME_UP] = SESSIONS(SESSIONS_END, "", UP),
    [PG_SESSIONS_END_BY_STATUS] = SESSIONS(SESSIONS_END, END_STATUS, DOWN),
    [PG_SESSIONS_END_BY_STATUS_UP] = SESSIONS(SESSIONS_END, END_STATUS, UP),
    [PG_SESSIONS_END_BY_WORKFLOW] = SESSIONS(SESSIONS_END, END_WORKFLOW, DOWN),
    [PG_SESSIONS_END_BY_WORKFLOW_UP] = SESSIONS(SESSIONS_END, END_WORKFLOW, UP),
    [PG_SESSIONS_END_BY_GROUP] = SESSIONS(SESSIONS_END, END_GROUP, DOWN),
    [PG_SESSIONS_END_BY_GROUP_UP] = SESSIONS(SESSIONS_END, END_GROUP, UP),
    [PG_SESSIONS_END_BY_USER] = SESSIONS(SESSIONS_END, END_USER, DOWN),
    [PG_SESSIONS_END_BY_USER_UP] = SESSIONS(SESSIONS_END, END_USER, UP),

    /* What hangs on one */
    [PG_EVENTS_BOUNDS] = "SELECT " LAST_SEQ_S ", GREATEST(abs(s.folded_seq), (SELECT e.seq_first"
                         " FROM session_events AS e WHERE e.session_id = s.id AND " SINCE_S
                         " ORDER BY e.seq_last LIMIT 1)), " LAST_STORED_S
                         " FROM sessions AS s WHERE s.id = $1::uuid",
    /* The sum stands in no index: rows are read until it is passed, at most $3 of them. */
    [PG_EVENTS_READ] =
        "SELECT r.seq_first, r.seq_last, r.frames FROM (SELECT e.seq_first, e.seq_last,"
        " coalesce(e.frames_packed, textsend(e.frames)) AS frames,"
        " sum(" FRAMES_BYTES ") OVER (ORDER BY e.seq_last ROWS UNBOUNDED PRECEDING)"
        " - " FRAMES_BYTES " AS before FROM session_events AS e"
        " WHERE e.session_id = $1::uuid AND e.seq_last > $2::bigint AND e.at >="
        " (SELECT s.created_at - 86400000 FROM sessions AS s WHERE s.id = $1)"
        " ORDER BY e.seq_last LIMIT $3::bigint) AS r WHERE r.before < $4::bigint"
        " ORDER BY r.seq_last",
    [PG_RUNS_LIST] = "SELECT " RUN_COLUMNS " FROM node_runs AS r"
                     " WHERE r.session_id = $1::uuid AND r.run_id > $2::uuid ORDER BY r.run_id"
                     " LIMIT $3::bigint",
    [PG_RUNS_PACKED] = "SELECT s.runs_packed FROM sessions AS s WHERE s.id = $1::uuid",
    [PG_RUNS_NEWEST] =
        "SELECT " RUN_COLUMNS ", r.progress FROM (SELECT n.*, max(n.iteration) OVER"
        " (PARTITION BY n.node_id) AS newest FROM node_runs AS n"
        " WHERE n.session_id = $1::uuid) AS r"
        " WHERE r.iteration = r.newest OR r.ended_at = 0 OR " MAY_BE_PACKED " ORDER BY r.run_id",
    [PG_EFFECTS_LOAD] = "SELECT f.run_id, f.kind, f.request FROM effects AS f"
                        " WHERE f.session_id = $1::uuid ORDER BY f.run_id",
    [PG_TIMERS_LOAD] = "SELECT t.timer_id, t.due_at, t.purpose FROM timers AS t"
                       " WHERE t.session_id = $1::uuid ORDER BY t.timer_id",
    [PG_TIMERS_DUE] =
        "SELECT t.session_id, t.timer_id, t.due_at FROM timers AS t"
        " WHERE t.due_at <= $1::bigint AND ($2::uuid IS NULL OR EXISTS (SELECT"
        " FROM sessions AS s WHERE s.id = t.session_id AND " IS_MINE(
            "$2") " OFFSET 0)) ORDER BY t.due_at, t.session_id, t.timer_id LIMIT $3::bigint",
    /* Of many timers of others, a thousand are looked at: then it is time to look again. */
    [PG_TIMERS_NEXT] =
        "WITH n AS MATERIALIZED (SELECT t.due_at, t.session_id FROM timers AS t"
        " WHERE t.due_at > $1::bigint ORDER BY t.due_at, t.session_id, t.timer_id LIMIT 1000)"
        " SELECT COALESCE((SELECT n.due_at FROM n WHERE $2::uuid IS NULL OR EXISTS (SELECT"
        " FROM sessions AS s WHERE s.id = n.session_id AND " IS_MINE(
            "$2") " OFFSET 0) LIMIT 1),"
                  " (SELECT max(n.due_at) FROM n HAVING count(*) = 1000))",
    [PG_MESSAGES_LIST] =
        "SELECT m.created_at, m.seq, m.message_id, m.run_id, m.node_id, m.role, m.agent_id,"
        " m.finish_reason, m.token_count, m.content, m.thinking, m.tool_calls"
        " FROM session_messages AS m WHERE m.session_id = $1::uuid"
        " AND ($6::text IS NULL OR m.node_id = $6::text)"
        " AND ($7::text IS NULL OR m.agent_id = $7::text)"
        " AND ($8::text IS NULL OR m.role = $8::text)"
        " AND (m.created_at, m.seq, m.message_id) > ($2::bigint, $3::bigint, $4::uuid)"
        " ORDER BY m.created_at, m.seq, m.message_id LIMIT $5::bigint",
    [PG_USAGE_OF_SESSION] = USAGE_SUM("u.session_id = $7::uuid"),
    [PG_USAGE_BY_TIME] = USAGE_SUM("$7::uuid IS NULL"),
    [PG_WITHHELD_LOAD] = "SELECT w.ord, w.input FROM withheld_inputs AS w"
                         " WHERE w.session_id = $1::uuid ORDER BY w.ord",

    [PG_IDEMPOTENCY_GET] = "SELECT k.hash_a, k.hash_b, k.status, k.body, k.created_at"
                           " FROM idempotency_keys AS k"
                           " WHERE k.workspace = $1::text AND k.key = $2::text",
    [PG_ACTIVE_GET] = "SELECT a.session_id FROM active_sessions AS a"
                      " WHERE a.workspace = $1::text AND a.user_id = $2::text",
    [PG_ACTIVE_PUT] = "INSERT INTO active_sessions (workspace, user_id, session_id, updated_at)"
                      " VALUES ($1::text, $2::text, $3::uuid, $4::bigint)"
                      " ON CONFLICT (workspace, user_id) DO UPDATE"
                      " SET session_id = excluded.session_id, updated_at = excluded.updated_at",
    [PG_ACTIVE_DELETE] = "DELETE FROM active_sessions AS a"
                         " WHERE a.workspace = $1::text AND a.user_id = $2::text",
    [PG_IDEMPOTENCY_PUT] =
        "INSERT INTO idempotency_keys (workspace, key, hash_a, hash_b, status, body, created_at)"
        " VALUES ($1::text, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::text, $7::bigint)"
        " ON CONFLICT DO NOTHING",

    /* Workflows */
    [PG_WORKFLOW_FIND] = "SELECT " WORKFLOW_COLUMNS ", f.first_version, f.deleted"
                         " FROM workflows AS f WHERE f.workspace = $1::text AND f.id = $2::text"
                         " FOR NO KEY UPDATE OF f",
    [PG_WORKFLOW_NEWEST] = "SELECT " WORKFLOW_COLUMNS ", (SELECT v.graph FROM workflow_versions"
                           " AS v WHERE v.workspace = f.workspace AND v.workflow_id = f.id"
                           " AND v.version = f.version) FROM workflows AS f"
                           " WHERE f.workspace = $1::text AND f.id = $2::text AND NOT f.deleted",
    [PG_WORKFLOW_LIST] = "SELECT w.* FROM (" WORKFLOWS_WALK(WORKFLOW_COLUMNS) " LIMIT " TEXT_OF(
        STORE_EXAMINED_MAX) ") AS w WHERE ($3::text IS NULL OR w.type = $3)"
                            " AND ($4::text IS NULL OR position(lower($4 COLLATE \"C\") IN "
                            "lower(w.id)) > 0"
                            " OR position(lower($4 COLLATE \"C\") IN lower(w.name COLLATE \"C\")) "
                            "> 0)"
                            " ORDER BY w.id LIMIT $5::bigint",
    [PG_WORKFLOWS_END] =
        WORKFLOWS_WALK("f.id") " OFFSET " TEXT_OF(STORE_EXAMINED_MAX) " - 1 LIMIT 2",
    [PG_WORKFLOW_UPSERT] =
        "INSERT INTO workflows (workspace, id, name, type, description, version, first_version,"
        " created_at, updated_at) VALUES ($1::text, $2::text, $3::text, $4::text, $5::text,"
        " $6::bigint, $7::bigint, $8::bigint, $9::bigint)"
        " ON CONFLICT (workspace, id) DO UPDATE SET name = excluded.name, type = excluded.type,"
        " description = excluded.description, version = excluded.version,"
        " first_version = excluded.first_version, created_at = excluded.created_at,"
        " updated_at = excluded.updated_at, deleted = false",
    [PG_WORKFLOW_DELETE] =
        "UPDATE workflows SET deleted = true WHERE workspace = $1::text AND id = $2::text",
    [PG_VERSION_INSERT] =
        "INSERT INTO workflow_versions (workspace, workflow_id, version, name, type, description,"
        " created_at, graph, checksum) VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::text,"
        " $6::text, $7::bigint, $8::text, $9::text)",
    [PG_VERSION_GET] = "SELECT " VERSION_COLUMNS ", v.graph FROM workflow_versions AS v"
                       " JOIN workflows AS f ON f.workspace = v.workspace"
                       " AND f.id = v.workflow_id WHERE v.workspace = $1::text"
                       " AND v.workflow_id = $2::text AND v.version = $3::bigint",
    [PG_VERSION_LIST] = "SELECT " VERSION_COLUMNS " FROM workflow_versions AS v"
                        " JOIN workflows AS f ON f.workspace = v.workspace"
                        " AND f.id = v.workflow_id WHERE v.workspace = $1::text"
                        " AND v.workflow_id = $2::text AND NOT f.deleted"
                        " AND v.version >= f.first_version AND v.version < $3::bigint"
                        " ORDER BY v.version DESC LIMIT $4::bigint",

    /* Agents, groups and templates */
    [PG_AGENT_GET] = CATALOG_GET("agents"),
    [PG_GROUP_GET] = CATALOG_GET("groups"),
    [PG_TEMPLATE_GET] = CATALOG_GET("workflow_templates"),
    [PG_AGENT_LIST] = CATALOG_LIST("agents"),
    [PG_GROUP_LIST] = CATALOG_LIST("groups"),
    [PG_TEMPLATE_LIST] = CATALOG_LIST("workflow_templates"),
    [PG_AGENT_FIND] = CATALOG_FIND("agents"),
    [PG_GROUP_FIND] = CATALOG_FIND("groups"),
    [PG_TEMPLATE_FIND] = CATALOG_FIND("workflow_templates"),
    [PG_AGENT_INSERT] = CATALOG_INSERT("agents"),
    [PG_GROUP_INSERT] = CATALOG_INSERT("groups"),
    [PG_TEMPLATE_INSERT] = CATALOG_INSERT("workflow_templates"),
    [PG_AGENT_UPDATE] = CATALOG_UPDATE("agents"),
    [PG_GROUP_UPDATE] = CATALOG_UPDATE("groups"),
    [PG_TEMPLATE_UPDATE] = CATALOG_UPDATE("workflow_templates"),
    [PG_AGENT_DELETE] = CATALOG_DELETE("agents"),
    [PG_GROUP_DELETE] = CATALOG_DELETE("groups"),
    [PG_TEMPLATE_DELETE] = CATALOG_DELETE("workflow_templates"),
    [PG_AGENTS_HOLD] = "SELECT c.id FROM agents AS c WHERE c.workspace = $1::text"
                       " AND c.id = ANY ($2::text[]) ORDER BY c.id FOR KEY SHARE OF c",
    [PG_AGENT_IN_GROUPS] = "SELECT c.id, c.version, c.body FROM groups AS c"
                           " WHERE c.workspace = $1::text AND " MAY_NAME(
                               "c.body") " ORDER BY c.id FOR NO KEY UPDATE OF c",
    [PG_AGENT_IN_WORKFLOWS] =
        "SELECT f.id, v.version, v.graph FROM workflows AS f JOIN workflow_versions AS v"
        " ON v.workspace = f.workspace AND v.workflow_id = f.id AND v.version = f.version"
        " WHERE f.workspace = $1::text AND NOT f.deleted AND " MAY_NAME("v.graph") " ORDER BY f.id",
    [PG_AGENT_IN_TEMPLATES] =
        "SELECT c.id, c.version, c.body FROM workflow_templates AS c"
        " WHERE c.workspace = $1::text AND " MAY_NAME("c.body") " ORDER BY c.id",
    [PG_GROUP_IN_USE] =
        "SELECT (SELECT count(*) FROM memories AS m WHERE m.workspace = $1::text"
        " AND m.group_id = $2::text), (SELECT count(*) FROM sessions AS s"
        " WHERE s.workspace = $1::text AND s.group_id = $2::text AND NOT s.stored_only"
        " AND s.status NOT IN ('completed', 'failed', 'cancelled'))",
    [PG_GROUPS_DETACH] =
        "UPDATE groups AS c SET version = d.version, body = d.body, updated_at = d.at"
        " FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])"
        " AS d (workspace, id, version, body, at)"
        " WHERE c.workspace = d.workspace AND c.id = d.id",

    PG_SQL_SCHEDULES

        /* Instances and the inbox */
        [PG_INSTANCE_UPSERT] =
            "INSERT INTO instances AS i (id, name, address, version, leaving, sessions, started_at,"
            " updated_at, lease_until) SELECT $1::uuid, $2::text, $3::text, $4::text, $5::boolean,"
            " $6::bigint, n.now, n.now, n.now + $7::bigint FROM (SELECT " NOW_MS " AS now) AS n"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, address = excluded.address,"
            " version = excluded.version, leaving = excluded.leaving, sessions = excluded.sessions,"
            " updated_at = excluded.updated_at, lease_until = excluded.lease_until",
    [PG_INSTANCE_UPDATE] =
        "UPDATE instances AS i SET name = $2::text, address = $3::text, version = $4::text,"
        " leaving = $5::boolean, sessions = $6::bigint, updated_at = n.now,"
        " lease_until = n.now + $7::bigint FROM (SELECT " NOW_MS " AS now) AS n"
        " WHERE i.id = $1::uuid",
    [PG_INSTANCE_LOCK] = "SELECT i.lease_until > " NOW_MS " FROM instances AS i"
                         " WHERE i.id = $1::uuid FOR UPDATE OF i",
    [PG_INSTANCE_DELETE] = "DELETE FROM instances WHERE id = $1::uuid",
    [PG_INSTANCES_LIST] = "SELECT i.id, i.name, i.address, i.version, i.leaving, i.sessions,"
                          " i.started_at, i.updated_at, i.lease_until FROM instances AS i"
                          " ORDER BY i.started_at, i.id",
    [PG_NOW] = "SELECT " NOW_MS,
    [PG_COMMAND_INSERT] =
        "INSERT INTO session_commands (command_id, session_id, request, created_at, updated_at)"
        " SELECT $1::uuid, $2::uuid, $3::text, $4::bigint, $4 WHERE EXISTS"
        " (SELECT FROM sessions AS s WHERE s.id = $2) ON CONFLICT DO NOTHING",
    [PG_COMMAND_GET] = "SELECT " COMMAND_COLUMNS " FROM session_commands AS c"
                       " WHERE c.command_id = $1::uuid",
    [PG_COMMANDS_OF] = "SELECT " COMMAND_COLUMNS " FROM session_commands AS c"
                       " WHERE c.session_id = $1::uuid AND c.status = 0"
                       " AND c.command_id > $2::uuid ORDER BY c.command_id LIMIT $3::bigint",
    [PG_COMMANDS_WAITING] = "SELECT " COMMAND_COLUMNS " FROM session_commands AS c"
                            " WHERE c.status = 0 AND c.command_id > $1::uuid AND EXISTS (SELECT"
                            " FROM sessions AS s WHERE s.id = c.session_id AND " IS_MINE(
                                "$2::uuid") " OFFSET 0)"
                                            " ORDER BY c.command_id LIMIT $3::bigint",
    [PG_COMMANDS_DONE] =
        "UPDATE session_commands AS c SET status = d.status, answer = d.answer,"
        " updated_at = " NOW_MS " FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[])"
        " AS d (session_id, id, status, answer)" WHERE_ROW_OF(
            "session_commands", "c",
            "o.command_id = d.id AND o.session_id = d.session_id AND o.status = 0"),

    /* What people and workers do with sessions */
    PG_SQL_INTERRUPTS,
    [PG_TASK_GET] = "SELECT " TASK_COLUMNS " FROM tasks AS t WHERE t.id = $1::uuid",
    /* $1 queue, $2 workspace, $3 rows, $4 worker. Those that another instance is about to lease
     * are passed over. */
    [PG_TASKS_LEASE] =
        "WITH f AS MATERIALIZED (SELECT t.id FROM tasks AS t WHERE t.queue = $1::text"
        " AND (t.status = 'waiting' OR t.lease_expires_at <= " NOW_MS ") AND EXISTS (SELECT"
        " FROM sessions AS s WHERE s.id = t.session_id AND s.workspace = $2::text"
        " AND s.status = 'running' OFFSET 0) ORDER BY t.id LIMIT $3::bigint"
        " FOR NO KEY UPDATE OF t SKIP LOCKED),"
        " t AS (UPDATE tasks AS t SET status = 'leased', attempt = t.attempt + 1,"
        " worker = $4::text, lease_expires_at = " NOW_MS " + t.heartbeat_ms, updated_at = " NOW_MS
        " FROM f" WHERE_ROW_OF("tasks", "t", "o.id = f.id") " RETURNING " TASK_COLUMNS ")"
                                                            " SELECT " TASK_COLUMNS
                                                            " FROM t ORDER BY t.id",
    [PG_TASKS_NEXT] = "SELECT min(t.lease_expires_at) FROM tasks AS t WHERE t.queue = $1::text"
                      " AND t.status = 'leased'",
    [PG_TASK_RENEW] = "UPDATE tasks AS t SET lease_expires_at = " NOW_MS " + t.heartbeat_ms,"
                      " updated_at = " NOW_MS " WHERE t.id = $1::uuid AND t.status = 'leased'"
                      " AND ($2::bigint = 0 OR t.attempt = $2) RETURNING t.lease_expires_at",
    /* The newest version up to $3. */
    [PG_FILE_GET] = "SELECT " FILE_COLUMNS ", CASE WHEN f.from_version > 0 THEN (SELECT o.content"
                    " FROM session_files AS o WHERE o.session_id = f.session_id"
                    " AND o.path = f.path AND o.version = f.from_version) ELSE f.content END"
                    " FROM session_files AS f WHERE f.session_id = $1::uuid AND f.path = $2::text"
                    " AND f.version <= $3::bigint ORDER BY f.version DESC LIMIT 1",
    [PG_FILES_LIST] =
        "SELECT " FILE_COLUMNS " FROM session_files AS f WHERE f.session_id = $1::uuid"
        " AND f.path > $2::text AND f.version = (SELECT o.version FROM session_files AS o"
        " WHERE o.session_id = $1 AND o.path = f.path AND o.seq <= $3::bigint"
        " ORDER BY o.version DESC LIMIT 1) AND NOT f.deleted ORDER BY f.path LIMIT $4::bigint",
    [PG_FILE_VERSIONS] =
        "SELECT " FILE_COLUMNS " FROM session_files AS f WHERE f.session_id = $1::uuid"
        " AND f.path = $2::text AND f.version < $3::bigint AND f.seq <= $4::bigint"
        " ORDER BY f.version DESC LIMIT $5::bigint",
    [PG_MEMORIES_INSERT] =
        "INSERT INTO memories (id, source_id, workspace, group_id, agent_id, session_id, tier,"
        " chunk, chunks, hits, created_at, updated_at, model, dimensions, metadata, content, words,"
        " embedding) SELECT d.a, d.b, d.c, d.d, d.e, d.f, d.g, d.h, d.i, d.j, d.k, d.l, d.m, d.n,"
        " d.o, d.p, d.q, d.r::float4[] FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[],"
        " $5::text[], $6::uuid[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],"
        " $11::bigint[], $12::bigint[], $13::text[], $14::bigint[], $15::text[], $16::text[],"
        " $17::text[], $18::text[]) AS d (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)"
        " ON CONFLICT DO NOTHING",
    [PG_MEMORIES_NEWEST] = MEMORIES_ROWS(MEMORY_OF_GROUP) " ORDER BY m.created_at DESC, m.id DESC"
                                                          " LIMIT $9::bigint",
    /* $3: of each, what the words are asked; $4: no more than these are counted. */
    [PG_MEMORIES_WEIGH] =
        "SELECT (SELECT count(*) FROM (SELECT FROM memories AS m WHERE " MEMORY_HAS_WORDS
        " (" MEMORY_PLACE(
            "$1", "$2") " || d.words)::tsquery LIMIT $4::bigint) AS c)"
                        " FROM unnest($3::text[]) WITH ORDINALITY AS d (words, n) ORDER BY d.n",
    /* How many vectors there are, up to $5; what pgvector brings: its type, an index, iterative
     * scans. */
    [PG_MEMORIES_SIZE] =
        "SELECT (SELECT count(*) FROM (SELECT FROM memories AS m WHERE m.workspace = $1::text"
        " AND m.group_id = $2::text AND m.model = $3::text AND m.dimensions = $4::bigint"
        " AND m.embedding IS NOT NULL LIMIT $5::bigint) AS c), x.n IS NOT NULL,"
        " x.n IS NOT NULL AND to_regclass('memories_by_vector_' || $4::bigint) IS NOT NULL,"
        " coalesce(x.n >= ARRAY[0, 8], false) FROM (SELECT 1) AS one LEFT JOIN LATERAL ("
        "SELECT string_to_array(e.extversion, '.')::int[] FROM pg_extension AS e"
        " WHERE e.extname = 'vector') AS x (n) ON true",
    /* $10: the words. Of which group they are is one of them. */
    [PG_MEMORIES_WITH_WORDS] =
        "WITH f AS MATERIALIZED (SELECT m.id, m.created_at FROM memories AS m"
        " WHERE " MEMORY_HAS_WORDS " (" MEMORY_PLACE(
            "$1", "$2") " || $10::text)::tsquery"
                        " AND " MEMORY_FILTERS " ORDER BY m.created_at DESC LIMIT $9::bigint)"
                        " SELECT " MEMORY_COLUMNS ", CASE WHEN $11::boolean THEN m.embedding END"
                        " FROM f JOIN memories AS m ON m.id = f.id",
    [PG_MEMORIES_UNTOLD] =
        "SELECT " MEMORY_COLUMNS ", CASE WHEN $10::boolean THEN m.embedding END"
        " FROM memories AS m WHERE " MEMORY_OF_GROUP " AND m.words IS NULL AND " MEMORY_FILTERS
        " ORDER BY m.created_at DESC LIMIT $9::bigint",
    /* For the rest of this transaction, whatever statistics say, or do not. $1: ef_search, when an
     * HNSW index is meant, which is an index scan without a sort; 0: bitmaps of the other indexes.
     * $2: how far HNSW is looked through for rows that the filters let pass; 0: it cannot. */
    [PG_MEMORIES_TUNE] =
        "SELECT set_config('enable_sort', o.hnsw_off, true),"
        " set_config('enable_bitmapscan', o.hnsw_off, true),"
        " set_config('enable_indexscan', o.hnsw_on, true),"
        " set_config('enable_indexonlyscan', o.hnsw_on, true), CASE WHEN $1::bigint > 0 THEN"
        " set_config('hnsw.ef_search', $1::bigint::text, true) END, CASE WHEN $2::bigint > 0 THEN"
        " set_config('hnsw.iterative_scan', 'relaxed_order', true)"
        " || set_config('hnsw.max_scan_tuples', $2::bigint::text, true) END FROM (SELECT"
        " CASE WHEN $1::bigint > 0 THEN 'on' ELSE 'off' END, CASE WHEN $1::bigint > 0 THEN 'off'"
        " ELSE 'on' END) AS o (hnsw_on, hnsw_off)",
    [PG_MEMORIES_EXACT] =
        MEMORIES_NEAREST("(SELECT -sum(v.a * v.b) / nullif(sqrt(sum(v.a * v.a)), 0) FROM"
                         " unnest(m.embedding, $11::float4[]) AS v (a, b))",
                         "true"),
    [PG_MEMORIES_EXACT_VECTOR] =
        MEMORIES_NEAREST("(m.embedding::vector <=> $11::float4[]::vector) + 0", "true"),
    [PG_MEMORIES_NEAR_384] = MEMORIES_NEAR("384"),
    [PG_MEMORIES_NEAR_512] = MEMORIES_NEAR("512"),
    [PG_MEMORIES_NEAR_768] = MEMORIES_NEAR("768"),
    [PG_MEMORIES_NEAR_1024] = MEMORIES_NEAR("1024"),
    [PG_MEMORIES_NEAR_1536] = MEMORIES_NEAR("1536"),
    [PG_MEMORIES_LIST] = MEMORIES_WALK("$2::text IS NULL AND $5::uuid IS NULL"),
    [PG_MEMORIES_OF_GROUP] = MEMORIES_WALK("m.group_id = $2::text AND $5::uuid IS NULL"),
    [PG_MEMORIES_OF_SOURCE] =
        MEMORIES_WALK("m.source_id = $5::uuid AND ($2::text IS NULL OR m.group_id = $2)"),
    [PG_MEMORY_GET] = "SELECT " MEMORY_COLUMNS " FROM memories AS m"
                      " WHERE m.id = $2::uuid AND m.workspace = $1::text",
    [PG_MEMORIES_CHANGE] =
        "UPDATE memories AS m SET updated_at = CASE WHEN $3::bigint IN (0, m.tier) THEN"
        " m.updated_at ELSE $5::bigint END, tier = CASE WHEN $3::bigint = 0 THEN m.tier"
        " ELSE $3::bigint END, hits = m.hits + $4::bigint WHERE m.id = ANY (ARRAY(SELECT o.id"
        " FROM memories AS o WHERE o.id = ANY (ARRAY(SELECT p.id FROM memories AS p"
        " WHERE p.id = ANY ($2::uuid[]) UNION ALL SELECT p.id FROM memories AS p"
        " WHERE p.source_id = ANY ($2::uuid[]))) ORDER BY o.id FOR UPDATE)) AND m.workspace = "
        "$1::text"
        " AND ($4::bigint > 0 OR $3::bigint NOT IN (0, m.tier))",
    [PG_MEMORIES_AGE] =
        "UPDATE memories AS m SET tier = 4, updated_at = $1::bigint WHERE m.id = ANY (ARRAY("
        "SELECT o.id FROM memories AS o WHERE o.tier = 2 AND o.updated_at < $2::bigint"
        " LIMIT $3::bigint FOR UPDATE SKIP LOCKED))",
    [PG_MEMORIES_SHED] =
        "UPDATE memories AS m SET tier = 4, updated_at = $1::bigint WHERE m.id = ANY (ARRAY("
        "SELECT n.id FROM (SELECT o.id, row_number() OVER (PARTITION BY o.workspace, o.group_id"
        " ORDER BY o.updated_at DESC, o.id DESC) AS n FROM memories AS o WHERE o.tier = 2) AS n"
        " WHERE n.n > $2::bigint LIMIT $3::bigint)) AND m.tier = 2",
    [PG_MEMORY_DELETE] = "DELETE FROM memories AS m WHERE m.workspace = $1::text"
                         " AND (m.id = $2::uuid OR m.source_id = $2)",
    [PG_CHILDREN] = RING_LASTS "SELECT " SESSION_COLUMNS(
        "s", RING_LAST_OF_PAGE) ", " DETAIL_COLUMNS_S " FROM sessions AS s" SESSION_DETAILS_S
                                " WHERE s.parent_session = $1::uuid"
                                " AND s.parent_run IS NOT NULL ORDER BY s.id LIMIT $2::bigint",

    [PG_API_KEYS_LIST] =
        "SELECT k.id, k.workspace, k.name, k.role, k.prefix, k.hash, k.created_at, k.last_used_at,"
        " k.expires_at, k.revoked_at FROM api_keys AS k ORDER BY k.id",
    [PG_API_KEY_INSERT] =
        "INSERT INTO api_keys (id, workspace, name, role, prefix, hash, created_at, updated_at,"
        " expires_at) SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::bytea,"
        " $7::bigint, $7::bigint, $8::bigint WHERE NOT EXISTS (SELECT FROM api_keys AS k WHERE"
        " k.id = $1::uuid OR k.hash = $6::bytea)",
    [PG_API_KEY_REVOKE] =
        "UPDATE api_keys AS k SET revoked_at = CASE WHEN k.revoked_at = 0 THEN $2::bigint"
        " ELSE k.revoked_at END, updated_at = $2::bigint WHERE k.id = $1::uuid",
    [PG_API_KEYS_USED] =
        "UPDATE api_keys AS k SET last_used_at = d.at FROM unnest($1::uuid[], $2::bigint[])"
        " AS d (id, at) WHERE k.id = d.id AND k.last_used_at < d.at",
    [PG_TICKETS_TIDY] = "DELETE FROM tickets AS t WHERE t.expires_at <= $1::bigint",
    [PG_TICKET_INSERT] =
        "INSERT INTO tickets (hash, body, created_at, expires_at) SELECT $1::bytea, $2::text,"
        " $3::bigint, $4::bigint ON CONFLICT DO NOTHING",
    [PG_TICKET_TAKE] = "DELETE FROM tickets AS t WHERE t.hash = $1::bytea"
                       " RETURNING t.body, t.expires_at",

    PG_SQL_PORTABLE PG_HOOK_TEXTS,
};
