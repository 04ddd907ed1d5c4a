/* Statements about event_ring (pg_ring.h): a part of pg_sql.c, whose macros they use. */
#ifndef SLUICE_STORE_PG_SQL_RING_H
#define SLUICE_STORE_PG_SQL_RING_H

/* What a session's owner has in its slots, old or not. */
#define RING_OF(s)                                                                                 \
    "event_ring AS r CROSS JOIN LATERAL"                                                           \
    " unnest(r.session_ids, r.firsts, r.lasts, r.frames) AS u (id, first, last, frames)"           \
    " WHERE r.owner = " s ".owner AND " s ".id = ANY (r.session_ids) AND u.id = " s ".id"
/* The last number in there; NULL: none. */
#define RING_LAST(s)                                                                               \
    "CASE WHEN " s ".owner IS NOT NULL THEN (SELECT max(u.last) FROM " RING_OF(s) ") END"
/* The same for a page of sessions: the slots are read once, if at all. */
#define RING_LASTS                                                                                 \
    "WITH ring AS MATERIALIZED (SELECT r.owner, u.id, max(u.last) AS last FROM instances AS i"     \
    " CROSS JOIN LATERAL (SELECT o.* FROM event_ring AS o WHERE o.owner = i.id OFFSET 0) AS r"     \
    " CROSS JOIN LATERAL unnest(r.session_ids, r.lasts) AS u (id, last) GROUP BY r.owner, u.id) "
#define RING_LAST_OF_PAGE(s)                                                                       \
    "CASE WHEN " s ".owner IS NOT NULL THEN (SELECT k.last FROM ring AS k WHERE k.id = " s         \
    ".id AND k.owner = " s ".owner) END"

/* What follows the rows that session $1 has in session_events. */
#define RING_ROWS                                                                                  \
    "SELECT u.first AS seq_first, u.last AS seq_last, textsend(u.frames) AS frames"                \
    " FROM sessions AS s CROSS JOIN LATERAL (SELECT " LAST_STORED_S " AS seq OFFSET 0) AS k"       \
    " CROSS JOIN LATERAL (SELECT u.first, u.last, u.frames FROM " RING_OF(                         \
        "s") " OFFSET 0) AS u WHERE s.id = $1::uuid AND u.first > k.seq"

/* $1 owner, $2 slot, $3 when, $4 to $7 an array of each column. */
#define RING_PUT                                                                                   \
    "UPDATE event_ring SET at = $3::bigint, session_ids = $4::uuid[], firsts = $5::bigint[],"      \
    " lasts = $6::bigint[], frames = $7::text[] WHERE owner = $1::uuid AND slot = $2::bigint"

/* A dead owner is kept from PG_RING_GROW by the reference to its row, and from folding by
 * PG_RING_HOLD. PG_RING_FORGET: a session comes or goes, and what is under its id is another's. */
#define PG_SQL_RING                                                                                \
    [PG_RING_PUT] = RING_PUT,                                                                      \
    [PG_RING_PUT_EXPECT] =                                                                         \
        "WITH w AS (" RING_PUT " RETURNING 1) SELECT sluice_expect(count(*) = 1) FROM w",          \
    [PG_RING_GROW] = "INSERT INTO event_ring (owner, slot) SELECT $1::uuid, n"                     \
                     " FROM generate_series($2::bigint, $3::bigint - 1) AS n",                     \
    [PG_RING_SHRINK] = "DELETE FROM event_ring WHERE owner = $1::uuid AND slot >= $2::bigint",     \
    [PG_RING_LOCK] = "SELECT r.slot FROM event_ring AS r WHERE r.owner = $1::uuid"                 \
                     " ORDER BY r.slot FOR UPDATE OF r",                                           \
    [PG_RING_SETTLE] = "SELECT sluice_ring_settle($1::uuid, $2::uuid[])",                          \
    [PG_RING_HOLD] = "SELECT sluice_expect(count(*) = 1) FROM (SELECT FROM instances AS o"         \
                     " WHERE o.id = $1::uuid FOR KEY SHARE OF o) AS i",                            \
    [PG_RING_FORGET] = "UPDATE event_ring SET session_ids = array_replace(session_ids, $2::uuid,"  \
                       " '00000000-0000-0000-0000-000000000000') WHERE owner = $1::uuid"           \
                       " AND $2 = ANY (session_ids)",                                              \
    [PG_RING_READ] = RING_ROWS " AND u.last > $2::bigint ORDER BY u.first",

#endif
