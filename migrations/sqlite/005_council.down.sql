ALTER TABLE session_messages DROP COLUMN tool_calls;
ALTER TABLE session_messages DROP COLUMN thinking;
DROP TABLE llm_usage;
ALTER TABLE agents RENAME TO new_agents;
ALTER TABLE groups RENAME TO new_groups;
ALTER TABLE workflow_templates RENAME TO new_workflow_templates;

CREATE TABLE groups (
    workspace     INTEGER NOT NULL REFERENCES workspaces (key),
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,
    icon          TEXT,
    system_prompt TEXT,
    version       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    workspace    INTEGER NOT NULL REFERENCES workspaces (key),
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT,
    avatar       TEXT,
    persona      TEXT,
    provider     TEXT,
    model        TEXT,
    temperature  REAL,
    top_p        REAL,
    max_tokens   INTEGER,
    capabilities TEXT NOT NULL DEFAULT '[]',
    tools        TEXT NOT NULL DEFAULT '[]',
    version      INTEGER NOT NULL DEFAULT 1,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE group_agents (
    workspace  INTEGER NOT NULL,
    group_id   TEXT NOT NULL,
    agent_id   TEXT NOT NULL,
    position   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, group_id, agent_id),
    FOREIGN KEY (workspace, group_id) REFERENCES groups (workspace, id) ON DELETE CASCADE,
    FOREIGN KEY (workspace, agent_id) REFERENCES agents (workspace, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX group_agents_by_agent ON group_agents (workspace, agent_id);

CREATE TABLE workflow_templates (
    workspace   INTEGER NOT NULL REFERENCES workspaces (key),
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    category    TEXT,
    description TEXT,
    system      INTEGER NOT NULL DEFAULT 0, -- came with the server: read only
    graph       TEXT NOT NULL,
    parameters  TEXT NOT NULL DEFAULT '{}', -- JSON Schema of what an instance must be given
    version     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

INSERT INTO agents (workspace, id, name, description, avatar, persona, provider, model, temperature,
                    top_p, max_tokens, capabilities, tools, version, created_at, updated_at)
SELECT workspace, id, name, description, CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.avatar') END AS TEXT),
       CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.persona') END AS TEXT),
       CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.provider') END AS TEXT),
       CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.model') END AS TEXT),
       CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.temperature') END AS REAL),
       CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.top_p') END AS REAL),
       CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.max_tokens') END AS INTEGER),
       coalesce(CASE WHEN json_valid(body) THEN json_extract(body, '$.capabilities') END, '[]'),
       coalesce(CASE WHEN json_valid(body) THEN json_extract(body, '$.tools') END, '[]'), version, created_at, updated_at
  FROM new_agents;
INSERT INTO groups (workspace, id, name, icon, system_prompt, version, created_at, updated_at)
SELECT workspace, id, name, CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.icon') END AS TEXT),
       CAST(CASE WHEN json_valid(body) THEN json_extract(body, '$.system_prompt') END AS TEXT), version, created_at, updated_at
  FROM new_groups;
INSERT INTO group_agents (workspace, group_id, agent_id, position, updated_at)
SELECT g.workspace, g.id, a.id, min(m.key), g.updated_at
  FROM (SELECT * FROM new_groups WHERE json_valid(body)) g,
       json_each(coalesce(json_extract(g.body, '$.default_agent_ids'), '[]')) m
  JOIN agents a ON a.workspace = g.workspace AND a.id = m.value
 GROUP BY g.workspace, g.id, a.id;
INSERT INTO workflow_templates (workspace, id, name, category, description, graph, parameters,
                                version, created_at, updated_at)
SELECT workspace, id, name, category, description,
       coalesce(CASE WHEN json_valid(body) THEN json_extract(body, '$.graph') END, '{}'),
       coalesce(CASE WHEN json_valid(body) THEN json_extract(body, '$.parameters') END, '{}'), version, created_at, updated_at
  FROM new_workflow_templates;
DROP TABLE new_agents;
DROP TABLE new_groups;
DROP TABLE new_workflow_templates;
