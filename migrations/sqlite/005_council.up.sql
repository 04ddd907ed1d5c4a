-- The council: agents, groups and templates as one shape (the object itself is the body, columns are
-- what lists look for), what every model call used, and messages with what was thought beside them.
ALTER TABLE agents RENAME TO old_agents;
ALTER TABLE groups RENAME TO old_groups;
ALTER TABLE workflow_templates RENAME TO old_workflow_templates;

CREATE TABLE agents (
    workspace   INTEGER NOT NULL REFERENCES workspaces (key),
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT,
    category    TEXT,
    version     INTEGER NOT NULL,
    body        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (
    workspace   INTEGER NOT NULL REFERENCES workspaces (key),
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT,
    category    TEXT,
    version     INTEGER NOT NULL,
    body        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE workflow_templates (
    workspace   INTEGER NOT NULL REFERENCES workspaces (key),
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT,
    category    TEXT,
    version     INTEGER NOT NULL,
    body        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

INSERT INTO agents (workspace, id, name, description, category, version, body, created_at, updated_at)
SELECT workspace, id, name, description, NULL, version,
       json_object('id', id, 'name', name, 'description', description, 'avatar', avatar, 'persona', persona,
             'provider', provider, 'model', model, 'temperature', temperature, 'top_p', top_p,
             'max_tokens', max_tokens, 'capabilities', json(capabilities), 'tools', json(tools)),
       created_at, updated_at
  FROM old_agents;
INSERT INTO groups (workspace, id, name, description, category, version, body, created_at, updated_at)
SELECT workspace, id, name, NULL, NULL, version,
       json_object('id', id, 'name', name, 'icon', icon, 'system_prompt', system_prompt,
             'default_agent_ids', json((SELECT json_group_array(agent_id) FROM (SELECT agent_id FROM group_agents m WHERE m.workspace = g.workspace AND m.group_id = g.id ORDER BY position)))),
       created_at, updated_at
  FROM old_groups g;
INSERT INTO workflow_templates (workspace, id, name, description, category, version, body, created_at, updated_at)
SELECT workspace, id, name, description, category, version,
       json_object('id', id, 'name', name, 'category', category, 'description', description,
             'graph', json(graph), 'parameters', json(parameters)),
       created_at, updated_at
  FROM old_workflow_templates WHERE NOT system;
DROP TABLE group_agents; -- a group's body has its agents, in order
DROP TABLE old_agents;
DROP TABLE old_groups;
DROP TABLE old_workflow_templates;

-- One row a model call. No foreign key: what was spent stays known when the session is deleted.
CREATE TABLE llm_usage (
    id            BLOB PRIMARY KEY, -- of the call
    workspace     INTEGER NOT NULL REFERENCES workspaces (key),
    session_id    BLOB NOT NULL,
    group_id      TEXT,
    workflow_id   TEXT,
    run_id        BLOB NOT NULL,
    node_id       TEXT NOT NULL,
    agent_id      TEXT,
    provider      TEXT,
    model         TEXT,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_micros   INTEGER,          -- of a dollar; NULL: the price is not known
    estimated     INTEGER NOT NULL, -- the server did not say what it used
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX llm_usage_by_session ON llm_usage (session_id, id);
CREATE INDEX llm_usage_by_time ON llm_usage (workspace, created_at);

ALTER TABLE session_messages ADD COLUMN thinking TEXT;
ALTER TABLE session_messages ADD COLUMN tool_calls TEXT; -- [{id, name, arguments}]
