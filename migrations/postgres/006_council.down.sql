ALTER TABLE session_messages DROP COLUMN tool_calls;
ALTER TABLE session_messages DROP COLUMN thinking;
DROP TABLE llm_usage;
ALTER TABLE agents RENAME TO new_agents;
ALTER TABLE groups RENAME TO new_groups;
ALTER TABLE workflow_templates RENAME TO new_workflow_templates;
ALTER TABLE new_agents RENAME CONSTRAINT agents_pkey TO new_agents_pkey;
ALTER TABLE new_groups RENAME CONSTRAINT groups_pkey TO new_groups_pkey;
ALTER TABLE new_workflow_templates RENAME CONSTRAINT workflow_templates_pkey TO new_workflow_templates_pkey;

CREATE TABLE groups (
    workspace     text COLLATE "C" NOT NULL,
    id            text COLLATE "C" NOT NULL,
    name          text NOT NULL,
    icon          text,
    system_prompt text,
    version       bigint NOT NULL DEFAULT 1,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE agents (
    workspace    text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    description  text,
    avatar       text,
    persona      text,
    provider     text,
    model        text,
    temperature  double precision,
    top_p        double precision,
    max_tokens   bigint,
    capabilities text NOT NULL DEFAULT '[]',
    tools        text NOT NULL DEFAULT '[]',
    version      bigint NOT NULL DEFAULT 1,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE group_agents (
    workspace  text COLLATE "C" NOT NULL,
    group_id   text COLLATE "C" NOT NULL,
    agent_id   text COLLATE "C" NOT NULL,
    position   bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (workspace, group_id, agent_id),
    FOREIGN KEY (workspace, group_id) REFERENCES groups (workspace, id) ON DELETE CASCADE,
    FOREIGN KEY (workspace, agent_id) REFERENCES agents (workspace, id) ON DELETE CASCADE
);
CREATE INDEX group_agents_by_agent ON group_agents (workspace, agent_id);

CREATE TABLE workflow_templates (
    workspace   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    category    text,
    description text,
    system      boolean NOT NULL DEFAULT false, -- came with the server: read only
    graph       text NOT NULL,
    parameters  text NOT NULL DEFAULT '{}', -- JSON Schema of what an instance must be given
    version     bigint NOT NULL DEFAULT 1,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);

INSERT INTO agents (workspace, id, name, description, avatar, persona, provider, model, temperature,
                    top_p, max_tokens, capabilities, tools, version, created_at, updated_at)
SELECT workspace, id, name, description, CASE WHEN body LIKE '{%' THEN body::jsonb->>'avatar' END,
       CASE WHEN body LIKE '{%' THEN body::jsonb->>'persona' END,
       CASE WHEN body LIKE '{%' THEN body::jsonb->>'provider' END,
       CASE WHEN body LIKE '{%' THEN body::jsonb->>'model' END,
       (CASE WHEN body LIKE '{%' THEN body::jsonb->>'temperature' END)::double precision,
       (CASE WHEN body LIKE '{%' THEN body::jsonb->>'top_p' END)::double precision,
       (CASE WHEN body LIKE '{%' THEN body::jsonb->>'max_tokens' END)::bigint,
       coalesce(CASE WHEN body LIKE '{%' THEN (body::jsonb->'capabilities')::text END, '[]'),
       coalesce(CASE WHEN body LIKE '{%' THEN (body::jsonb->'tools')::text END, '[]'), version, created_at, updated_at
  FROM new_agents;
INSERT INTO groups (workspace, id, name, icon, system_prompt, version, created_at, updated_at)
SELECT workspace, id, name, CASE WHEN body LIKE '{%' THEN body::jsonb->>'icon' END,
       CASE WHEN body LIKE '{%' THEN body::jsonb->>'system_prompt' END, version, created_at, updated_at
  FROM new_groups;
INSERT INTO group_agents (workspace, group_id, agent_id, position, updated_at)
SELECT g.workspace, g.id, a.id, min(m.n), g.updated_at
  FROM (SELECT * FROM new_groups WHERE body LIKE '{%') g,
       LATERAL jsonb_array_elements_text(coalesce(g.body::jsonb->'default_agent_ids', '[]'))
           WITH ORDINALITY m (id, n)
  JOIN agents a ON a.id = m.id
 WHERE a.workspace = g.workspace GROUP BY g.workspace, g.id, a.id, g.updated_at;
INSERT INTO workflow_templates (workspace, id, name, category, description, graph, parameters,
                                version, created_at, updated_at)
SELECT workspace, id, name, category, description,
       coalesce(CASE WHEN body LIKE '{%' THEN (body::jsonb->'graph')::text END, '{}'),
       coalesce(CASE WHEN body LIKE '{%' THEN (body::jsonb->'parameters')::text END, '{}'), version, created_at, updated_at
  FROM new_workflow_templates;
DROP TABLE new_agents;
DROP TABLE new_groups;
DROP TABLE new_workflow_templates;
