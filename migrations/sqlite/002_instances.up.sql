-- Several instances over one store: who is there, who has which session, what waits for its owner
-- (docs/decisions/0007); and what tidying up needs.

-- One row for every server process that is believed alive. Without its row its sessions are free.
CREATE TABLE instances (
    id          BLOB PRIMARY KEY,
    name        TEXT NOT NULL, -- host name and pid
    address     TEXT NOT NULL, -- http://host:port
    version     TEXT NOT NULL,
    leaving     INTEGER NOT NULL DEFAULT 0,
    sessions    INTEGER NOT NULL DEFAULT 0, -- live in its memory when it was last seen
    started_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL, -- when it was last seen
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The owner is no foreign key: it stays when its instance goes, and means nothing then.
ALTER TABLE sessions ADD COLUMN owner BLOB;
-- From here on its log has every event; before, token_stream frames were taken out. 0: all is there.
ALTER TABLE sessions ADD COLUMN folded_seq INTEGER NOT NULL DEFAULT 0;

-- Free ones are looked for by id, page by page; only those that run are in it.
DROP INDEX sessions_busy;
CREATE INDEX sessions_busy ON sessions (id, owner) WHERE busy = 1;
-- Retention looks for those that are to be folded, and for those that are to be deleted.
CREATE INDEX sessions_by_end ON sessions (folded_seq > 0, ended_at) WHERE ended_at > 0;

-- The durable inbox: commands that reached an instance which does not have the session.
CREATE TABLE session_commands (
    command_id BLOB PRIMARY KEY,
    session    INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    status     INTEGER NOT NULL DEFAULT 0, -- of the answer, as in HTTP; 0: it waits
    request    TEXT NOT NULL,
    answer     TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_commands_by_session ON session_commands (session, command_id);
CREATE INDEX session_commands_waiting ON session_commands (command_id, session) WHERE status = 0;
CREATE INDEX session_commands_answered ON session_commands (created_at) WHERE status > 0;

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

ALTER TABLE workspaces ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE node_runs ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE timers ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
