DROP INDEX memories_by_word;
DROP FUNCTION sluice_words;
DROP INDEX memories_by_model, memories_untold, memories_working, memories_by_source, memories_by_time, memories_by_group;
ALTER TABLE memories
    ADD COLUMN layer text NOT NULL DEFAULT 'hot',
    ALTER COLUMN dimensions SET DEFAULT 0,
    ALTER COLUMN metadata SET DEFAULT '{}',
    ALTER COLUMN embedding SET STORAGE EXTENDED;
UPDATE memories SET layer = CASE tier WHEN 4 THEN 'cold' ELSE 'hot' END;
UPDATE memories AS m SET session_id = NULL
 WHERE session_id IS NOT NULL AND NOT EXISTS (SELECT FROM sessions AS s WHERE s.id = m.session_id);
ALTER TABLE memories
    DROP COLUMN source_id, DROP COLUMN tier, DROP COLUMN chunk, DROP COLUMN chunks, DROP COLUMN hits, DROP COLUMN words,
    ADD CONSTRAINT memories_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
CREATE INDEX memories_by_group ON memories (workspace, group_id, created_at);
CREATE INDEX memories_by_session ON memories (session_id) WHERE session_id IS NOT NULL;
