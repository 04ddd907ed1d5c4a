-- Several instances over one store: who is there, who has which session, what waits for its owner
-- (docs/decisions/0007); and what tidying up needs. Times of instances are the database's own.

-- One row for every server process that is believed alive. Without its row its sessions are free.
CREATE TABLE instances (
    id          uuid PRIMARY KEY,
    name        text NOT NULL, -- host name and pid
    address     text NOT NULL, -- http://host:port
    version     text NOT NULL,
    leaving     boolean NOT NULL DEFAULT false,
    sessions    bigint NOT NULL DEFAULT 0, -- live in its memory when it was last seen
    started_at  bigint NOT NULL,
    updated_at  bigint NOT NULL, -- when it was last seen
    lease_until bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX instances_by_start ON instances (started_at, id);

-- The owner is no foreign key: it stays when its instance goes, and means nothing then.
ALTER TABLE sessions ADD COLUMN owner uuid;
-- From here on its log has every event; before, token_stream frames were taken out. 0: all is there.
ALTER TABLE sessions ADD COLUMN folded_seq bigint NOT NULL DEFAULT 0;

-- Free ones are looked for by owner and id, page by page; only those that run are in it.
DROP INDEX sessions_busy;
CREATE INDEX sessions_busy ON sessions (owner, id) WHERE busy;
-- Retention looks for those that are to be folded, and for those that are to be deleted.
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at > 0 AND folded_seq <= 0;
CREATE INDEX sessions_by_end_folded ON sessions (ended_at) WHERE ended_at > 0 AND folded_seq > 0;

-- The durable inbox: commands that reached an instance which does not have the session.
CREATE TABLE session_commands (
    command_id uuid PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    status     bigint NOT NULL DEFAULT 0, -- of the answer, as in HTTP; 0: it waits
    request    text NOT NULL,
    answer     text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX session_commands_by_session ON session_commands (session_id, command_id);
CREATE INDEX session_commands_waiting ON session_commands (command_id, session_id) WHERE status = 0;
CREATE INDEX session_commands_answered ON session_commands (created_at) WHERE status > 0;

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

ALTER TABLE workspaces ADD COLUMN updated_at bigint NOT NULL DEFAULT 0;
ALTER TABLE node_runs ADD COLUMN updated_at bigint NOT NULL DEFAULT 0;
ALTER TABLE timers ADD COLUMN updated_at bigint NOT NULL DEFAULT 0;
