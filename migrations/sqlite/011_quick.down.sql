-- Back to texts and rows of their own, but for what waits; sluice_unpack() and sluice_id() are the server's. A run
-- that has a row by now is there as it is by now.
UPDATE session_events SET frames = sluice_unpack(frames_packed), frames_packed = NULL
 WHERE substr(frames_packed, 1, 1) IN (x'02', x'03');
INSERT INTO node_runs (session, run_id, node_id, kind, iteration, attempt, status, branch, started_at,
                       ended_at, output, error, interrupt, updated_at)
SELECT s.key, sluice_id(json_extract(r.value, '$[0]')), json_extract(r.value, '$[1]'), json_extract(r.value, '$[2]'), json_extract(r.value, '$[3]'), json_extract(r.value, '$[4]'),
       json_extract(r.value, '$[5]'), json_extract(r.value, '$[6]'), json_extract(r.value, '$[7]'), json_extract(r.value, '$[8]'), sluice_unpack(s.runs_packed, r.key, 9),
       sluice_unpack(s.runs_packed, r.key, 10), sluice_unpack(s.runs_packed, r.key, 11), s.updated_at
  FROM sessions AS s CROSS JOIN json_each(sluice_unpack(s.runs_packed)) AS r
 WHERE substr(s.runs_packed, 1, 1) = x'02'
    ON CONFLICT DO NOTHING;
UPDATE sessions SET runs_packed = NULL WHERE substr(runs_packed, 1, 1) = x'02';
