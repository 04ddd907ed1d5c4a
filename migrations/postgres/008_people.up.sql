-- Sessions as people and programs manage them (docs/decisions/0014).

-- The session that a person works on, when they name none.
CREATE TABLE active_sessions (
    workspace  text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    session_id uuid NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (workspace, user_id)
);

-- One-time tickets for WebSockets, by the SHA-256 of their text; body is the principal.
CREATE TABLE tickets (
    hash       bytea PRIMARY KEY,
    body       text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX tickets_by_end ON tickets (expires_at);
-- How a session finds its definition again: SHA-256 of the canonical graph, in hex.
ALTER TABLE session_details ADD COLUMN checksum text;
ALTER TABLE workflow_versions ADD COLUMN checksum text;
-- Schedules: what to do when the session before runs still (allow, skip, cancel), and why the last
-- one was not started.
ALTER TABLE schedules ADD COLUMN overlap text NOT NULL DEFAULT 'allow';
ALTER TABLE schedules ADD COLUMN last_error text;
ALTER TABLE schedules ADD COLUMN last_error_at bigint NOT NULL DEFAULT 0;

-- The audit log names who it was also when there is no key. In `details` stands the error's code.
ALTER TABLE audit_log ADD COLUMN actor text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE audit_log ADD COLUMN role text NOT NULL DEFAULT '';
