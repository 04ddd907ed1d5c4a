-- JSON of sessions that wait is stored packed (base/pack.h, docs/decisions/0024): then the column of the
-- text is empty, and the one beside it has its bytes. Rows from before stay as they are.
ALTER TABLE session_events ADD COLUMN frames_packed BLOB;
ALTER TABLE sessions ADD COLUMN waiting_packed BLOB;
ALTER TABLE sessions ADD COLUMN state_packed BLOB;
ALTER TABLE node_runs ADD COLUMN interrupt_packed BLOB;
ALTER TABLE interrupts ADD COLUMN request_packed BLOB;
