-- Back to before rows of steps stood without a foreign key. What is compressed by LZ4 reads as before.
DO $$
DECLARE
    part regclass;
BEGIN
    EXECUTE 'ALTER TABLE session_events ALTER COLUMN frames SET COMPRESSION default';
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'session_events'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN frames SET COMPRESSION default', part);
    END LOOP;
EXCEPTION WHEN syntax_error THEN
    NULL;
END
$$;
ALTER TABLE session_details ADD CONSTRAINT session_details_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
ALTER TABLE node_runs ADD CONSTRAINT node_runs_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
ALTER TABLE session_messages ADD CONSTRAINT session_messages_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
ALTER TABLE effects ADD CONSTRAINT effects_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
ALTER TABLE timers ADD CONSTRAINT timers_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
ALTER TABLE withheld_inputs ADD CONSTRAINT withheld_inputs_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
ALTER TABLE interrupts ADD CONSTRAINT interrupts_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
