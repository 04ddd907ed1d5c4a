DROP TRIGGER memory_words_insert;
DROP TRIGGER memory_words_delete;
DROP TRIGGER memory_words_told;
DROP TRIGGER memory_codes_delete;
DROP TRIGGER memory_codes_tier;
DROP TABLE memory_words;
DROP TABLE memory_codes;
DROP TABLE memory_places;
ALTER TABLE memories RENAME TO new_memories;
DROP INDEX memories_by_group;

CREATE TABLE memories (
    id         BLOB PRIMARY KEY,
    workspace  INTEGER NOT NULL REFERENCES workspaces (key),
    group_id   TEXT NOT NULL,
    agent_id   TEXT,
    session    INTEGER REFERENCES sessions (key) ON DELETE CASCADE,
    layer      TEXT NOT NULL DEFAULT 'hot',
    content    TEXT NOT NULL,
    metadata   TEXT NOT NULL DEFAULT '{}',
    model      TEXT,
    dimensions INTEGER NOT NULL DEFAULT 0,
    embedding  BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

INSERT INTO memories (id, workspace, group_id, agent_id, session, layer, content, metadata, model,
                      dimensions, embedding, created_at, updated_at)
SELECT m.id, m.workspace, m.group_id, m.agent_id, s.key, CASE m.tier WHEN 4 THEN 'cold' ELSE 'hot' END,
       m.content, m.metadata, m.model, m.dimensions, m.embedding, m.created_at, m.updated_at
  FROM new_memories AS m LEFT JOIN sessions AS s ON s.id = m.session_id;
DROP TABLE new_memories;

CREATE INDEX memories_by_group ON memories (workspace, group_id, created_at);
CREATE INDEX memories_by_session ON memories (session) WHERE session IS NOT NULL;
