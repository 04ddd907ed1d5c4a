-- JSON of sessions that wait is stored packed (base/pack.h, docs/decisions/0024): then the column of the
-- text is empty, and the one beside it has its bytes. Rows from before stay as they are.
ALTER TABLE session_events ADD COLUMN frames_packed bytea;
ALTER TABLE sessions ADD COLUMN waiting_packed bytea;
ALTER TABLE sessions ADD COLUMN state_packed bytea;
ALTER TABLE node_runs ADD COLUMN interrupt_packed bytea;
ALTER TABLE interrupts ADD COLUMN request_packed bytea;

-- A third of each page of sessions was room for steps; a tenth is enough for two rows, and what steps
-- leave behind is used again. Of runs most are written once, or change while they are new.
ALTER TABLE sessions SET (fillfactor = 90);
ALTER TABLE node_runs SET (fillfactor = 95);
-- Each question stands in one of these two, by time; those of a session are few.
DROP INDEX interrupts_by_time;
CREATE INDEX interrupts_settled ON interrupts (created_at, interrupt_id) WHERE status <> 'pending';
DROP INDEX interrupts_by_session;
CREATE INDEX interrupts_by_session ON interrupts (session_id);
