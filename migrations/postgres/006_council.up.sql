-- The council: agents, groups and templates as one shape (the object itself is the body, columns are
-- what lists look for), what every model call used, and messages with what was thought beside them.
ALTER TABLE agents RENAME TO old_agents;
ALTER TABLE groups RENAME TO old_groups;
ALTER TABLE workflow_templates RENAME TO old_workflow_templates;
ALTER TABLE old_agents RENAME CONSTRAINT agents_pkey TO old_agents_pkey;
ALTER TABLE old_groups RENAME CONSTRAINT groups_pkey TO old_groups_pkey;
ALTER TABLE old_workflow_templates RENAME CONSTRAINT workflow_templates_pkey TO old_workflow_templates_pkey;

CREATE TABLE agents (
    workspace   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    description text,
    category    text,
    version     bigint NOT NULL,
    body        text NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE groups (
    workspace   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    description text,
    category    text,
    version     bigint NOT NULL,
    body        text NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE workflow_templates (
    workspace   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    description text,
    category    text,
    version     bigint NOT NULL,
    body        text NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);

INSERT INTO agents (workspace, id, name, description, category, version, body, created_at, updated_at)
SELECT workspace, id, name, description, NULL, version,
       jsonb_build_object('id', id, 'name', name, 'description', description, 'avatar', avatar, 'persona', persona,
             'provider', provider, 'model', model, 'temperature', temperature, 'top_p', top_p,
             'max_tokens', max_tokens, 'capabilities', capabilities::jsonb, 'tools', tools::jsonb)::text,
       created_at, updated_at
  FROM old_agents;
INSERT INTO groups (workspace, id, name, description, category, version, body, created_at, updated_at)
SELECT workspace, id, name, NULL, NULL, version,
       jsonb_build_object('id', id, 'name', name, 'icon', icon, 'system_prompt', system_prompt,
             'default_agent_ids', (SELECT coalesce(jsonb_agg(m.agent_id ORDER BY m.position), '[]') FROM group_agents m WHERE m.workspace = g.workspace AND m.group_id = g.id))::text,
       created_at, updated_at
  FROM old_groups g;
INSERT INTO workflow_templates (workspace, id, name, description, category, version, body, created_at, updated_at)
SELECT workspace, id, name, description, category, version,
       jsonb_build_object('id', id, 'name', name, 'category', category, 'description', description,
             'graph', graph::jsonb, 'parameters', parameters::jsonb)::text,
       created_at, updated_at
  FROM old_workflow_templates WHERE NOT system;
DROP TABLE group_agents; -- a group's body has its agents, in order
DROP TABLE old_agents;
DROP TABLE old_groups;
DROP TABLE old_workflow_templates;

-- One row a model call. No foreign key: what was spent stays known when the session is deleted.
CREATE TABLE llm_usage (
    id            uuid PRIMARY KEY, -- of the call
    workspace     text COLLATE "C" NOT NULL,
    session_id    uuid NOT NULL,
    group_id      text COLLATE "C",
    workflow_id   text,
    run_id        uuid NOT NULL,
    node_id       text NOT NULL,
    agent_id      text,
    provider      text,
    model         text,
    input_tokens  bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost_micros   bigint,          -- of a dollar; NULL: the price is not known
    estimated     boolean NOT NULL, -- the server did not say what it used
    created_at    bigint NOT NULL
);
CREATE INDEX llm_usage_by_session ON llm_usage (session_id, id);
CREATE INDEX llm_usage_by_time ON llm_usage (workspace, created_at);

ALTER TABLE session_messages ADD COLUMN thinking text;
ALTER TABLE session_messages ADD COLUMN tool_calls text; -- [{id, name, arguments}]
