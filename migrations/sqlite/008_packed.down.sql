-- Back to texts that stand for themselves; sluice_unpack() is the server's.
UPDATE session_events SET frames = sluice_unpack(frames_packed) WHERE frames_packed IS NOT NULL;
UPDATE sessions SET waiting = sluice_unpack(waiting_packed) WHERE waiting_packed IS NOT NULL;
UPDATE sessions SET state = sluice_unpack(state_packed) WHERE state_packed IS NOT NULL;
UPDATE node_runs SET interrupt = sluice_unpack(interrupt_packed) WHERE interrupt_packed IS NOT NULL;
UPDATE interrupts SET request = sluice_unpack(request_packed) WHERE request_packed IS NOT NULL;
ALTER TABLE session_events DROP COLUMN frames_packed;
ALTER TABLE sessions DROP COLUMN waiting_packed;
ALTER TABLE sessions DROP COLUMN state_packed;
ALTER TABLE node_runs DROP COLUMN interrupt_packed;
ALTER TABLE interrupts DROP COLUMN request_packed;
UPDATE sessions SET usage = '{"input_tokens":0,"output_tokens":0,"cost_usd":null}'
    WHERE usage = '';
