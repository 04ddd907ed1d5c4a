-- What the whole workflow language writes beside its events: the progress of runs that make several
-- calls, where a session comes from, tasks with heartbeats, files that go back to older versions.
ALTER TABLE node_runs ADD COLUMN progress text; -- of a run that is under way: the engine's own

-- No foreign key: a fork outlives what it was made from.
ALTER TABLE sessions ADD COLUMN parent_session uuid;
ALTER TABLE sessions ADD COLUMN parent_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN parent_run uuid; -- that waits for this session
CREATE INDEX sessions_by_parent ON sessions (parent_session, id) WHERE parent_session IS NOT NULL;

DROP INDEX interrupts_by_session;
CREATE INDEX interrupts_by_session ON interrupts (session_id, created_at, interrupt_id);
CREATE INDEX interrupts_by_time ON interrupts (created_at, interrupt_id);

-- One walk for those that wait and those whose lease is over, the oldest first.
ALTER TABLE tasks ADD COLUMN heartbeat_ms bigint NOT NULL DEFAULT 30000;
DROP INDEX tasks_waiting;
DROP INDEX tasks_leased;
ALTER TABLE tasks ALTER COLUMN queue TYPE text COLLATE "C";
CREATE INDEX tasks_by_queue ON tasks (queue, id);

ALTER TABLE session_files ALTER COLUMN path TYPE text COLLATE "C";
ALTER TABLE session_files DROP COLUMN hash;
ALTER TABLE session_files ADD COLUMN seq bigint NOT NULL DEFAULT 0; -- of the log when it was written
ALTER TABLE session_files ADD COLUMN from_version bigint NOT NULL DEFAULT 0; -- has its content
ALTER TABLE session_files ADD COLUMN reason text;
ALTER TABLE session_files ADD COLUMN deleted boolean NOT NULL DEFAULT false;
