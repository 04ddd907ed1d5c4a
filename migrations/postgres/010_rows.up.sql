-- What every step writes stands without a foreign key (docs/decisions/0022): the look at the session's row,
-- for each row that was written, was a third of what a session of three pure nodes cost PostgreSQL. A commit
-- has locked its sessions' rows, and whoever deletes a session deletes what hangs on it with it.
ALTER TABLE session_details DROP CONSTRAINT session_details_session_id_fkey;
ALTER TABLE node_runs DROP CONSTRAINT node_runs_session_id_fkey;
ALTER TABLE session_messages DROP CONSTRAINT session_messages_session_id_fkey;
ALTER TABLE effects DROP CONSTRAINT effects_session_id_fkey;
ALTER TABLE timers DROP CONSTRAINT timers_session_id_fkey;
ALTER TABLE withheld_inputs DROP CONSTRAINT withheld_inputs_session_id_fkey;
ALTER TABLE interrupts DROP CONSTRAINT interrupts_session_id_fkey;

-- Events of more than 2 kB are compressed, by LZ4 where the server has it (from version 14 on): a tenth of the
-- time. Rows that stand are left as they are; new months take it over from the parent.
DO $$
DECLARE
    part regclass;
BEGIN
    EXECUTE 'ALTER TABLE session_events ALTER COLUMN frames SET COMPRESSION lz4';
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'session_events'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN frames SET COMPRESSION lz4', part);
    END LOOP;
EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN
    RAISE NOTICE 'sluice: this server has no LZ4: events are compressed as everything else';
END
$$;
