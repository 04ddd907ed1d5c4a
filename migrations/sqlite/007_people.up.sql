-- Sessions as people and programs manage them (docs/decisions/0014).

-- The session that a person works on, when they name none.
CREATE TABLE active_sessions (
    workspace  INTEGER NOT NULL REFERENCES workspaces (key),
    user_id    TEXT NOT NULL,
    session_id BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, user_id)
) STRICT, WITHOUT ROWID;

-- One-time tickets for WebSockets, by the SHA-256 of their text; body is the principal.
CREATE TABLE tickets (
    hash       BLOB PRIMARY KEY,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_by_end ON tickets (expires_at);
-- How a session finds its definition again: SHA-256 of the canonical graph, in hex.
ALTER TABLE session_details ADD COLUMN checksum TEXT;
ALTER TABLE workflow_versions ADD COLUMN checksum TEXT;
-- Schedules: what to do when the session before runs still (allow, skip, cancel), and why the last
-- one was not started.
ALTER TABLE schedules ADD COLUMN overlap TEXT NOT NULL DEFAULT 'allow';
ALTER TABLE schedules ADD COLUMN last_error TEXT;
ALTER TABLE schedules ADD COLUMN last_error_at INTEGER NOT NULL DEFAULT 0;

-- The audit log names who it was also when there is no key. In `details` stands the error's code.
ALTER TABLE audit_log ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_log ADD COLUMN role TEXT NOT NULL DEFAULT '';
-- Webhooks: how far each session has been told to each of them. A row is made when a session has
-- something to tell, and moved by the outcomes of attempts. secret_ref holds the sealed secret.
ALTER TABLE webhooks ADD COLUMN name TEXT;
ALTER TABLE webhooks ADD COLUMN disabled_reason TEXT;
ALTER TABLE webhooks ADD COLUMN scan_from INTEGER NOT NULL DEFAULT 0;
CREATE TABLE webhook_cursors (
    webhook    BLOB NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    session    INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    behind     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    failed_at  INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL DEFAULT 0,
    owner      BLOB, -- the instance that delivers it; counts while that has a row
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (webhook, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_cursors_by_session ON webhook_cursors (session);
CREATE INDEX webhook_cursors_behind ON webhook_cursors (webhook, session, failed_at) WHERE behind = 1;
-- A delivery is a row of the log of what became of it; its body stands in the session's events.
ALTER TABLE webhook_deliveries ADD COLUMN type TEXT NOT NULL DEFAULT '';
ALTER TABLE webhook_deliveries ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (webhook, created_at, id);
