-- Back to columns and rows of their own; the server has unpacked them before this is run.
ALTER TABLE sessions DROP COLUMN core_packed;
ALTER TABLE sessions DROP COLUMN runs_packed;
