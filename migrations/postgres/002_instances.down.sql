-- Folded logs stay folded: what was taken out of them stands in the messages.
ALTER TABLE timers DROP COLUMN updated_at;
ALTER TABLE node_runs DROP COLUMN updated_at;
ALTER TABLE workspaces DROP COLUMN updated_at;
DROP INDEX idempotency_keys_by_time;
DROP TABLE session_commands;
DROP INDEX sessions_by_end_folded;
DROP INDEX sessions_by_end;
DROP INDEX sessions_busy;
CREATE INDEX sessions_busy ON sessions (id) WHERE busy;
ALTER TABLE sessions DROP COLUMN folded_seq;
ALTER TABLE sessions DROP COLUMN owner;
DROP TABLE instances;
