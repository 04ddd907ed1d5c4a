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
