-- Events that come alone (tokens): a commit's stand in one slot here, an array of each column, until they are
-- written together as one row of session_events (docs/decisions/0032). What a slot has counts while its owner has
-- the session, and as far as it lies beyond the session's last event elsewhere; all else is old.
CREATE TABLE event_ring (
    owner       uuid NOT NULL REFERENCES instances (id), -- who takes the row away folds its slots first
    slot        bigint NOT NULL,
    at          bigint NOT NULL DEFAULT 0,
    session_ids uuid[] NOT NULL DEFAULT '{}',
    firsts      bigint[] NOT NULL DEFAULT '{}', -- seqs
    lasts       bigint[] NOT NULL DEFAULT '{}',
    frames      text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (owner, slot)
) WITH (fillfactor = 50); -- a slot is written over within its page
ALTER TABLE event_ring ALTER session_ids SET STORAGE PLAIN;
ALTER TABLE event_ring ALTER firsts SET STORAGE PLAIN;
ALTER TABLE event_ring ALTER lasts SET STORAGE PLAIN;
ALTER TABLE event_ring ALTER frames SET STORAGE MAIN;
DO $$
BEGIN
    EXECUTE 'ALTER TABLE event_ring ALTER COLUMN frames SET COMPRESSION lz4';
EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN
    NULL; -- as step 10 says
END
$$;

-- Writes what counts of an instance's slots into session_events, one row for each session, and gives how many: of all
-- sessions (NULL), or of these. What stands in the slots is old then.
CREATE FUNCTION sluice_ring_settle(instance uuid, ids uuid[]) RETURNS bigint
LANGUAGE sql SET enable_hashjoin = on SET enable_mergejoin = on SET enable_seqscan = on AS $$
    -- Not beside who takes the instance for dead; the next statement sees what that one did.
    SELECT FROM instances AS i WHERE i.id = instance FOR KEY SHARE OF i;
    WITH q AS MATERIALIZED (
        SELECT u.id, u.first, u.last, r.at, u.frames FROM event_ring AS r
        CROSS JOIN LATERAL unnest(r.session_ids, r.firsts, r.lasts, r.frames) AS u (id, first, last, frames)
        WHERE r.owner = instance AND (ids IS NULL OR u.id = ANY (ids))
    ), n AS MATERIALIZED (
        SELECT s.id, GREATEST(s.last_seq, (SELECT e.seq_last FROM session_events AS e WHERE e.session_id = s.id
                AND e.at >= s.created_at - 86400000 ORDER BY e.seq_last DESC LIMIT 1)) AS stored
        FROM sessions AS s WHERE s.id IN (SELECT q.id FROM q) AND s.owner = instance
    ), w AS (
        INSERT INTO session_events (session_id, seq_last, seq_first, at, frames)
        SELECT q.id, max(q.last), min(q.first), max(q.at), string_agg(q.frames, E'\n' ORDER BY q.first)
        FROM q JOIN n ON n.id = q.id
        WHERE q.first > n.stored GROUP BY q.id RETURNING 1
    ) SELECT count(*) FROM w
$$;
