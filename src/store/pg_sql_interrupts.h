/* Statements for questions to people (pg_work.c): a part of pg_sql.c. */
#ifndef SLUICE_STORE_PG_SQL_INTERRUPTS_H
#define SLUICE_STORE_PG_SQL_INTERRUPTS_H

/* As interrupt_columns() of pg_work.c reads them. */
#define INTERRUPT_COLUMNS                                                                          \
    "i.interrupt_id, i.session_id, i.run_id, i.node_id, i.kind, i.status,"                         \
    " coalesce(i.request_packed, textsend(i.request)), i.answer, i.expires_at, i.created_at,"      \
    " i.updated_at, s.name, s.workflow_id"
#define INTERRUPT_SESSION                                                                          \
    " CROSS JOIN LATERAL (SELECT o.name, o.workflow_id FROM sessions AS o"                         \
    " WHERE o.id = i.session_id AND o.workspace = $1::text OFFSET 0) AS s"
/* $1 workspace, $2 $3 after this one, $4 status, $5 kind (NULL: any), $6 rows. */
#define INTERRUPTS(condition)                                                                      \
    "SELECT " INTERRUPT_COLUMNS " FROM interrupts AS i" INTERRUPT_SESSION                          \
    " WHERE (i.created_at, i.interrupt_id) > ($2::bigint, $3::uuid)"                               \
    " AND ($4::text IS NULL OR i.status = $4) AND ($5::text IS NULL OR i.kind = $5) " condition    \
    " ORDER BY i.created_at, i.interrupt_id LIMIT $6::bigint"
#define INTERRUPTS_PENDING INTERRUPTS("AND i.status = 'pending'")
#define INTERRUPTS_SETTLED INTERRUPTS("AND i.status <> 'pending'")

/* By time, each is in one of two indexes. */
#define PG_SQL_INTERRUPTS                                                                          \
    [PG_INTERRUPTS_UPSERT] =                                                                       \
        "INSERT INTO interrupts AS i (interrupt_id, session_id, run_id, node_id, kind, status,"    \
        " request, answer, expires_at, created_at, updated_at, request_packed) SELECT"             \
        " unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::uuid[]), unnest($4::text[]),"         \
        " unnest($5::text[]), unnest($6::text[]), unnest($7::text[]), unnest($8::text[]),"         \
        " unnest($9::bigint[]), unnest($10::bigint[]), unnest($11::bigint[]),"                     \
        " unnest($12::bytea[]) ON CONFLICT (interrupt_id) DO UPDATE SET"                           \
        " status = excluded.status, request = excluded.request,"                                   \
        " request_packed = excluded.request_packed, answer = excluded.answer,"                     \
        " expires_at = excluded.expires_at, updated_at = excluded.updated_at"                      \
        " WHERE i.session_id = excluded.session_id",                                               \
    [PG_INTERRUPT_GET] = "SELECT " INTERRUPT_COLUMNS " FROM interrupts AS i" INTERRUPT_SESSION     \
                         " WHERE i.interrupt_id = $2::uuid",                                       \
    [PG_INTERRUPTS_BY_TIME] =                                                                      \
        "SELECT u.* FROM ((" INTERRUPTS_PENDING ") UNION ALL (" INTERRUPTS_SETTLED ")) AS u"       \
        " (interrupt_id, session_id, run_id, node_id, kind, status, request, answer, expires_at,"  \
        " created_at, updated_at, name, workflow_id) ORDER BY u.created_at, u.interrupt_id"        \
        " LIMIT $6::bigint",                                                                       \
    [PG_INTERRUPTS_PENDING] = INTERRUPTS_PENDING,                                                  \
    [PG_INTERRUPTS_OF_SESSION] = INTERRUPTS("AND i.session_id = $7::uuid")

#endif
