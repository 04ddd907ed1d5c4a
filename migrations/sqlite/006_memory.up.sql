-- What groups remember: one row a chunk, with its words and its vector, in one of three tiers. A memory
-- outlives the session that it comes from: session_id is no foreign key.
ALTER TABLE memories RENAME TO old_memories;
DROP INDEX memories_by_group;
DROP INDEX memories_by_session;

CREATE TABLE memories (
    key        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    source_id  BLOB NOT NULL,
    workspace  INTEGER NOT NULL REFERENCES workspaces (key),
    group_id   TEXT NOT NULL,
    agent_id   TEXT,
    session_id BLOB,
    tier       INTEGER NOT NULL, -- 1 quarantine, 2 working, 4 long term
    chunk      INTEGER NOT NULL,
    chunks     INTEGER NOT NULL,
    hits       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, -- when it came into its tier
    model      TEXT,             -- that made the embedding
    dimensions INTEGER NOT NULL,
    metadata   TEXT NOT NULL,
    content    TEXT NOT NULL,
    words      TEXT,    -- of the content, each once, as full text looks for them; NULL: not told yet
    place      INTEGER, -- where the code of its vector is; NULL: it has none
    embedding  BLOB  -- little-endian float32
) STRICT;

INSERT INTO memories (id, source_id, workspace, group_id, agent_id, session_id, tier, chunk, chunks, hits,
                      created_at, updated_at, model, dimensions, metadata, content, embedding)
SELECT m.id, m.id, m.workspace, m.group_id, m.agent_id, s.id, CASE m.layer WHEN 'cold' THEN 4 ELSE 2 END,
       0, 1, 0, m.created_at, m.updated_at, m.model, m.dimensions, m.metadata, m.content, m.embedding
  FROM old_memories AS m LEFT JOIN sessions AS s ON s.key = m.session
 WHERE m.id IS NOT NULL;
DROP TABLE old_memories;

CREATE INDEX memories_by_group ON memories (workspace, group_id, created_at, id);
CREATE INDEX memories_by_time ON memories (workspace, created_at, id);
CREATE INDEX memories_by_source ON memories (source_id);
CREATE INDEX memories_working ON memories (workspace, group_id, updated_at, id) WHERE tier = 2;
CREATE INDEX memories_untold ON memories (workspace, group_id, created_at) WHERE words IS NULL;

CREATE INDEX memories_uncoded ON memories (workspace, group_id, created_at)
    WHERE embedding IS NOT NULL AND place IS NULL;

-- Full text. Only which words are in which row: what stands there is ASCII apart from characters of
-- other scripts, and the tokenizer takes it as it is. The first word of a row says whose it is.
CREATE VIRTUAL TABLE memory_words USING fts5 (
    words, content = '', detail = none, columnsize = 0, tokenize = "ascii tokenchars '_'"
);
CREATE TRIGGER memory_words_insert AFTER INSERT ON memories WHEN new.words IS NOT NULL BEGIN
    INSERT INTO memory_words (rowid, words)
    VALUES (new.key, '_' || new.workspace || '_' || hex(new.group_id) || ' ' || new.words);
END;
CREATE TRIGGER memory_words_delete AFTER DELETE ON memories WHEN old.words IS NOT NULL BEGIN
    INSERT INTO memory_words (memory_words, rowid, words)
    VALUES ('delete', old.key, '_' || old.workspace || '_' || hex(old.group_id) || ' ' || old.words);
END;
CREATE TRIGGER memory_words_told AFTER UPDATE OF words ON memories
    WHEN old.words IS NULL AND new.words IS NOT NULL BEGIN
    INSERT INTO memory_words (rowid, words)
    VALUES (new.key, '_' || new.workspace || '_' || hex(new.group_id) || ' ' || new.words);
END;

-- The nearest vectors: a byte a dimension, those of one group and model side by side, with what
-- questions filter by. Made from the vectors; a store that was copied makes them anew.
CREATE TABLE memory_places (
    key        INTEGER PRIMARY KEY,
    workspace  INTEGER NOT NULL,
    group_id   TEXT NOT NULL,
    model      TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    UNIQUE (workspace, group_id, model, dimensions)
) STRICT;
CREATE TABLE memory_codes (
    key        INTEGER PRIMARY KEY, -- place * 2^40 + the memory's key
    tier       INTEGER NOT NULL,
    agent_id   TEXT,
    session_id BLOB,
    created_at INTEGER NOT NULL,
    code       BLOB NOT NULL -- see rules_vector.h
) STRICT;
CREATE TRIGGER memory_codes_delete AFTER DELETE ON memories WHEN old.place IS NOT NULL BEGIN
    DELETE FROM memory_codes WHERE key = (old.place << 40) + old.key;
END;
CREATE TRIGGER memory_codes_tier AFTER UPDATE OF tier ON memories
    WHEN old.tier <> new.tier AND old.place IS NOT NULL BEGIN
    UPDATE memory_codes SET tier = new.tier WHERE key = (old.place << 40) + old.key;
END;
