-- Back to texts that stand for themselves; the server has unpacked them before this is run.
ALTER TABLE session_events DROP COLUMN frames_packed;
ALTER TABLE sessions DROP COLUMN waiting_packed;
ALTER TABLE sessions DROP COLUMN state_packed;
ALTER TABLE node_runs DROP COLUMN interrupt_packed;
ALTER TABLE interrupts DROP COLUMN request_packed;

ALTER TABLE sessions SET (fillfactor = 70);
ALTER TABLE node_runs SET (fillfactor = 80);
DROP INDEX interrupts_settled;
CREATE INDEX interrupts_by_time ON interrupts (created_at, interrupt_id);
DROP INDEX interrupts_by_session;
CREATE INDEX interrupts_by_session ON interrupts (session_id, created_at, interrupt_id);
UPDATE sessions SET usage = '{"input_tokens":0,"output_tokens":0,"cost_usd":null}'
    WHERE usage = '';
