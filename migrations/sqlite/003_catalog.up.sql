-- What people keep beside their sessions, and what the server works through for them. Names that
-- users choose are text; rows that the server makes have ids of 16 bytes (UUIDv7). Objects that can
-- be changed carry a version, for If-Match. Secrets are never here: keys by their hash, others by
-- the name of the variable that holds them.

CREATE TABLE api_keys (
    id           BLOB PRIMARY KEY,
    workspace    INTEGER NOT NULL REFERENCES workspaces (key),
    name         TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'editor', 'admin')),
    prefix       TEXT NOT NULL, -- what a list shows of the key
    hash         BLOB NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL DEFAULT 0,
    expires_at   INTEGER NOT NULL DEFAULT 0, -- 0: never
    revoked_at   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_workspace ON api_keys (workspace, id);

CREATE TABLE audit_log (
    id         BLOB PRIMARY KEY,
    workspace  INTEGER NOT NULL REFERENCES workspaces (key),
    key_id     BLOB,  -- who; NULL: no key was asked for. No foreign key: the log outlives the key
    session_id BLOB,  -- about which session; outlives it as well
    action     TEXT NOT NULL,
    object     TEXT,
    remote     TEXT,
    status     INTEGER NOT NULL, -- of the answer
    details    TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_log_by_workspace ON audit_log (workspace, id);
CREATE INDEX audit_log_by_session ON audit_log (session_id, id) WHERE session_id IS NOT NULL;

CREATE TABLE llm_providers (
    workspace      INTEGER NOT NULL REFERENCES workspaces (key),
    id             TEXT NOT NULL,
    dialect        TEXT NOT NULL, -- openai, anthropic, demo
    base_url       TEXT,
    api_key_env    TEXT,
    max_concurrent INTEGER NOT NULL DEFAULT 0, -- 0: as the server's default
    enabled        INTEGER NOT NULL DEFAULT 1,
    version        INTEGER NOT NULL DEFAULT 1,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

-- Prices are US dollars per million tokens.
CREATE TABLE llm_models (
    workspace      INTEGER NOT NULL,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    input_price    REAL NOT NULL DEFAULT 0,
    output_price   REAL NOT NULL DEFAULT 0,
    context_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens  INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (workspace, provider, model),
    FOREIGN KEY (workspace, provider) REFERENCES llm_providers (workspace, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

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

-- A group's default agents, in order.
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

-- Every question that a session asked people, for the list of reviews over all sessions.
CREATE TABLE interrupts (
    interrupt_id BLOB PRIMARY KEY,
    session      INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    run_id       BLOB NOT NULL,
    node_id      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    status       TEXT NOT NULL, -- pending, answered, expired, cancelled
    request      TEXT,          -- reason, actions, draft, form_schema
    answer       TEXT,          -- action, data, reviewer
    expires_at   INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX interrupts_by_session ON interrupts (session, interrupt_id);
CREATE INDEX interrupts_pending ON interrupts (created_at, interrupt_id) WHERE status = 'pending';

-- Checklist items and deliverables of a human stage.
CREATE TABLE stage_items (
    session     INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    instance_id BLOB NOT NULL,
    position    INTEGER NOT NULL,
    node_id     TEXT NOT NULL,
    kind        TEXT NOT NULL, -- item, deliverable
    name        TEXT NOT NULL,
    done        INTEGER NOT NULL DEFAULT 0,
    done_by     TEXT,
    value       TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (session, instance_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX stage_items_by_instance ON stage_items (instance_id, position);

-- Files that a session wrote, every version.
CREATE TABLE session_files (
    session    INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    path       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    run_id     BLOB,
    author     TEXT,
    media_type TEXT,
    size       INTEGER NOT NULL,
    hash       BLOB NOT NULL,
    content    BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (session, path, version)
) STRICT;

-- What agents remember. Hot: as it was said; cold: condensed.
CREATE TABLE memories (
    id         BLOB PRIMARY KEY,
    workspace  INTEGER NOT NULL REFERENCES workspaces (key),
    group_id   TEXT NOT NULL,
    agent_id   TEXT,
    session    INTEGER REFERENCES sessions (key) ON DELETE CASCADE,
    layer      TEXT NOT NULL DEFAULT 'hot',
    content    TEXT NOT NULL,
    metadata   TEXT NOT NULL DEFAULT '{}',
    model      TEXT, -- that made the embedding
    dimensions INTEGER NOT NULL DEFAULT 0,
    embedding  BLOB, -- little-endian float32
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX memories_by_group ON memories (workspace, group_id, created_at);
CREATE INDEX memories_by_session ON memories (session) WHERE session IS NOT NULL;

CREATE TABLE webhooks (
    workspace  INTEGER NOT NULL REFERENCES workspaces (key),
    id         BLOB NOT NULL UNIQUE,
    url        TEXT NOT NULL,
    events     TEXT NOT NULL DEFAULT '[]', -- types; []: all
    filter     TEXT NOT NULL DEFAULT '{}',
    secret_ref TEXT,
    enabled    INTEGER NOT NULL DEFAULT 1,
    version    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_deliveries (
    id          BLOB PRIMARY KEY,
    webhook     BLOB NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    session     INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    status      TEXT NOT NULL, -- pending, delivered, failed
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_at     INTEGER NOT NULL DEFAULT 0,
    http_status INTEGER NOT NULL DEFAULT 0,
    error       TEXT,
    body        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (webhook, session, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_by_session ON webhook_deliveries (session);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at, id) WHERE status = 'pending';

CREATE TABLE schedules (
    workspace      INTEGER NOT NULL REFERENCES workspaces (key),
    id             BLOB NOT NULL UNIQUE,
    name           TEXT,
    workflow_id    TEXT NOT NULL,
    cron           TEXT NOT NULL,
    time_zone      TEXT NOT NULL DEFAULT 'UTC',
    missed         TEXT NOT NULL DEFAULT 'skip', -- skip, once, all
    input          TEXT NOT NULL DEFAULT '{}',
    enabled        INTEGER NOT NULL DEFAULT 1,
    next_at        INTEGER NOT NULL DEFAULT 0,
    last_at        INTEGER NOT NULL DEFAULT 0,
    last_session   BLOB,
    version        INTEGER NOT NULL DEFAULT 1,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (next_at, id) WHERE enabled = 1;

-- Work that is leased to workers outside.
CREATE TABLE tasks (
    id               BLOB PRIMARY KEY,
    session          INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    run_id           BLOB NOT NULL,
    node_id          TEXT NOT NULL,
    queue            TEXT NOT NULL,
    status           TEXT NOT NULL, -- waiting, leased, completed, failed
    attempt          INTEGER NOT NULL DEFAULT 0,
    input            TEXT,
    output           TEXT,
    error            TEXT,
    worker           TEXT,
    lease_expires_at INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_by_session ON tasks (session);
CREATE INDEX tasks_waiting ON tasks (queue, id) WHERE status = 'waiting';
CREATE INDEX tasks_leased ON tasks (lease_expires_at) WHERE status = 'leased';
