-- Back to columns and rows of their own; sluice_unpack() and sluice_id() are the server's. A run that has a
-- row by now is there as it is by now.
INSERT INTO node_runs (session, run_id, node_id, kind, iteration, attempt, status, branch, started_at,
                       ended_at, output, error, interrupt, updated_at)
SELECT s.key, sluice_id(json_extract(r.value, '$[0]')), json_extract(r.value, '$[1]'), json_extract(r.value, '$[2]'), json_extract(r.value, '$[3]'), json_extract(r.value, '$[4]'),
       json_extract(r.value, '$[5]'), json_extract(r.value, '$[6]'), json_extract(r.value, '$[7]'), json_extract(r.value, '$[8]'), sluice_unpack(s.runs_packed, r.key, 9),
       sluice_unpack(s.runs_packed, r.key, 10), sluice_unpack(s.runs_packed, r.key, 11), s.updated_at
  FROM sessions AS s CROSS JOIN json_each(sluice_unpack(s.runs_packed)) AS r WHERE s.runs_packed IS NOT NULL
    ON CONFLICT DO NOTHING;
UPDATE sessions SET waiting = sluice_unpack(core_packed, 0), node_statuses = sluice_unpack(core_packed, 1),
    state = sluice_unpack(core_packed, 2) WHERE core_packed IS NOT NULL;
ALTER TABLE sessions DROP COLUMN core_packed;
ALTER TABLE sessions DROP COLUMN runs_packed;
