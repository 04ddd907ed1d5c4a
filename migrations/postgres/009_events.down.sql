-- Back to before events stood without a foreign key.
ALTER TABLE session_events ADD CONSTRAINT session_events_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
