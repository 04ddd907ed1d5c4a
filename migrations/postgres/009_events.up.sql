-- Events without a foreign key: the look at the session's row, for each row, was dearer than the row. A
-- session is deleted together with its events by every statement that deletes one.
ALTER TABLE session_events DROP CONSTRAINT session_events_session_id_fkey;
