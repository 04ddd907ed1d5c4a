-- What a session that waits has beside its row goes into it, packed (docs/decisions/0024, 0028): [waiting,
-- node statuses, state] in one column, and the runs of its first commit in another, until they move on: then
-- each gets its row of node_runs, which counts. Rows from before stay as they are.
ALTER TABLE sessions ADD COLUMN core_packed BLOB;
ALTER TABLE sessions ADD COLUMN runs_packed BLOB;
