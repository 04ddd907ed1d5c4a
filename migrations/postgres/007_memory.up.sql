-- What groups remember: one row a chunk, with its words and its vector, in one of three tiers. A memory
-- outlives the session that it comes from: session_id is no foreign key.
ALTER TABLE memories DROP CONSTRAINT memories_session_id_fkey;
DROP INDEX memories_by_session;
DROP INDEX memories_by_group;
ALTER TABLE memories
    ADD COLUMN source_id uuid,
    ADD COLUMN tier bigint, -- 1 quarantine, 2 working, 4 long term
    ADD COLUMN chunk bigint NOT NULL DEFAULT 0,
    ADD COLUMN chunks bigint NOT NULL DEFAULT 1,
    ADD COLUMN hits bigint NOT NULL DEFAULT 0,
    ADD COLUMN words text; -- of the content, each once, as full text looks for them; NULL: not told yet
UPDATE memories SET source_id = id, tier = CASE layer WHEN 'cold' THEN 4 ELSE 2 END;
ALTER TABLE memories
    ALTER COLUMN source_id SET NOT NULL,
    ALTER COLUMN tier SET NOT NULL,
    ALTER COLUMN chunk DROP DEFAULT,
    ALTER COLUMN chunks DROP DEFAULT,
    ALTER COLUMN hits DROP DEFAULT,
    ALTER COLUMN dimensions DROP DEFAULT,
    ALTER COLUMN metadata DROP DEFAULT,
    ALTER COLUMN embedding SET STORAGE MAIN, -- beside the row: where there is no index, all of a group are read
    DROP COLUMN layer;

CREATE INDEX memories_by_group ON memories (workspace, group_id, created_at, id);
CREATE INDEX memories_by_time ON memories (workspace, created_at, id);
CREATE INDEX memories_by_source ON memories (source_id);
CREATE INDEX memories_working ON memories (workspace, group_id, updated_at, id) WHERE tier = 2;
CREATE INDEX memories_untold ON memories (workspace, group_id, created_at) WHERE words IS NULL;
CREATE INDEX memories_by_model ON memories (workspace, group_id, model, dimensions) WHERE embedding IS NOT NULL;

-- Full text: the words as they are, without a parser or a dictionary; one of them says whose they are.
CREATE FUNCTION sluice_words(workspace text, group_id text, words text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_tsvector(string_to_array(words, ' ') || ('_' || md5(workspace || ' ' || group_id)))
$$;
-- Without a list of what is to be put in later: each word of a question would read all of it.
CREATE INDEX memories_by_word ON memories USING gin (sluice_words(workspace, group_id, words)) WITH (fastupdate = off);
