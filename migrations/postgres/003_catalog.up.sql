-- What people keep beside their sessions, and what the server works through for them. Names that
-- users choose are text; rows that the server makes have ids (UUIDv7). Objects that can be changed carry
-- a version, for If-Match. Secrets are never here: keys by their hash, others by the name of the
-- variable that holds them.

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    workspace    text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL CHECK (role IN ('viewer', 'operator', 'editor', 'admin')),
    prefix       text NOT NULL, -- what a list shows of the key
    hash         bytea NOT NULL UNIQUE,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    last_used_at bigint NOT NULL DEFAULT 0,
    expires_at   bigint NOT NULL DEFAULT 0, -- 0: never
    revoked_at   bigint NOT NULL DEFAULT 0
);
CREATE INDEX api_keys_by_workspace ON api_keys (workspace, id);

CREATE TABLE audit_log (
    id         uuid PRIMARY KEY,
    workspace  text COLLATE "C" NOT NULL,
    key_id     uuid,  -- who; NULL: no key was asked for. No foreign key: the log outlives the key
    session_id uuid,  -- about which session; outlives it as well
    action     text NOT NULL,
    object     text,
    remote     text,
    status     bigint NOT NULL, -- of the answer
    details    text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE INDEX audit_log_by_workspace ON audit_log (workspace, id);
CREATE INDEX audit_log_by_session ON audit_log (session_id, id) WHERE session_id IS NOT NULL;

CREATE TABLE llm_providers (
    workspace      text COLLATE "C" NOT NULL,
    id             text COLLATE "C" NOT NULL,
    dialect        text NOT NULL, -- openai, anthropic, demo
    base_url       text,
    api_key_env    text,
    max_concurrent bigint NOT NULL DEFAULT 0, -- 0: as the server's default
    enabled        boolean NOT NULL DEFAULT true,
    version        bigint NOT NULL DEFAULT 1,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);

-- Prices are US dollars per million tokens.
CREATE TABLE llm_models (
    workspace      text COLLATE "C" NOT NULL,
    provider       text COLLATE "C" NOT NULL,
    model          text COLLATE "C" NOT NULL,
    input_price    double precision NOT NULL DEFAULT 0,
    output_price   double precision NOT NULL DEFAULT 0,
    context_tokens bigint NOT NULL DEFAULT 0,
    output_tokens  bigint NOT NULL DEFAULT 0,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    PRIMARY KEY (workspace, provider, model),
    FOREIGN KEY (workspace, provider) REFERENCES llm_providers (workspace, id) ON DELETE CASCADE
);

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

-- A group's default agents, in order.
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

-- Every question that a session asked people, for the list of reviews over all sessions.
CREATE TABLE interrupts (
    interrupt_id uuid PRIMARY KEY,
    session_id   uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    run_id       uuid NOT NULL,
    node_id      text NOT NULL,
    kind         text NOT NULL,
    status       text NOT NULL, -- pending, answered, expired, cancelled
    request      text,          -- reason, actions, draft, form_schema
    answer       text,          -- action, data, reviewer
    expires_at   bigint NOT NULL DEFAULT 0,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL
);
CREATE INDEX interrupts_by_session ON interrupts (session_id, interrupt_id);
CREATE INDEX interrupts_pending ON interrupts (created_at, interrupt_id) WHERE status = 'pending';

-- Checklist items and deliverables of a human stage.
CREATE TABLE stage_items (
    session_id  uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    instance_id uuid NOT NULL,
    position    bigint NOT NULL,
    node_id     text NOT NULL,
    kind        text NOT NULL, -- item, deliverable
    name        text NOT NULL,
    done        boolean NOT NULL DEFAULT false,
    done_by     text,
    value       text,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (session_id, instance_id, position)
);
CREATE INDEX stage_items_by_instance ON stage_items (instance_id, position);

-- Files that a session wrote, every version.
CREATE TABLE session_files (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    path       text NOT NULL,
    version    bigint NOT NULL,
    run_id     uuid,
    author     text,
    media_type text,
    size       bigint NOT NULL,
    hash       bytea NOT NULL,
    content    bytea NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (session_id, path, version)
);

-- What agents remember. Hot: as it was said; cold: condensed.
CREATE TABLE memories (
    id         uuid PRIMARY KEY,
    workspace  text COLLATE "C" NOT NULL,
    group_id   text COLLATE "C" NOT NULL,
    agent_id   text,
    session_id uuid REFERENCES sessions (id) ON DELETE CASCADE,
    layer      text NOT NULL DEFAULT 'hot',
    content    text NOT NULL,
    metadata   text NOT NULL DEFAULT '{}',
    model      text, -- that made the embedding
    dimensions bigint NOT NULL DEFAULT 0,
    embedding  float4[],
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE INDEX memories_by_group ON memories (workspace, group_id, created_at);
CREATE INDEX memories_by_session ON memories (session_id) WHERE session_id IS NOT NULL;

CREATE TABLE webhooks (
    workspace  text COLLATE "C" NOT NULL,
    id         uuid NOT NULL UNIQUE,
    url        text NOT NULL,
    events     text NOT NULL DEFAULT '[]', -- types; []: all
    filter     text NOT NULL DEFAULT '{}',
    secret_ref text,
    enabled    boolean NOT NULL DEFAULT true,
    version    bigint NOT NULL DEFAULT 1,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE webhook_deliveries (
    id          uuid PRIMARY KEY,
    webhook     uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    session_id  uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq         bigint NOT NULL,
    status      text NOT NULL, -- pending, delivered, failed
    attempts    bigint NOT NULL DEFAULT 0,
    next_at     bigint NOT NULL DEFAULT 0,
    http_status bigint NOT NULL DEFAULT 0,
    error       text,
    body        text NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    UNIQUE (webhook, session_id, seq)
);
CREATE INDEX webhook_deliveries_by_session ON webhook_deliveries (session_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at, id) WHERE status = 'pending';

CREATE TABLE schedules (
    workspace      text COLLATE "C" NOT NULL,
    id             uuid NOT NULL UNIQUE,
    name           text,
    workflow_id    text NOT NULL,
    cron           text NOT NULL,
    time_zone      text NOT NULL DEFAULT 'UTC',
    missed         text NOT NULL DEFAULT 'skip', -- skip, once, all
    input          text NOT NULL DEFAULT '{}',
    enabled        boolean NOT NULL DEFAULT true,
    next_at        bigint NOT NULL DEFAULT 0,
    last_at        bigint NOT NULL DEFAULT 0,
    last_session   uuid,
    version        bigint NOT NULL DEFAULT 1,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX schedules_due ON schedules (next_at, id) WHERE enabled;

-- Work that is leased to workers outside.
CREATE TABLE tasks (
    id               uuid PRIMARY KEY,
    session_id       uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    run_id           uuid NOT NULL,
    node_id          text NOT NULL,
    queue            text NOT NULL,
    status           text NOT NULL, -- waiting, leased, completed, failed
    attempt          bigint NOT NULL DEFAULT 0,
    input            text,
    output           text,
    error            text,
    worker           text,
    lease_expires_at bigint NOT NULL DEFAULT 0,
    created_at       bigint NOT NULL,
    updated_at       bigint NOT NULL
);
CREATE INDEX tasks_by_session ON tasks (session_id);
CREATE INDEX tasks_waiting ON tasks (queue, id) WHERE status = 'waiting';
CREATE INDEX tasks_leased ON tasks (lease_expires_at) WHERE status = 'leased';
