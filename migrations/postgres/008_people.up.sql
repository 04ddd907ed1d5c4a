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
-- Webhooks: how far each session has been told to each of them. A row is made when a session has
-- something to tell, and moved by the outcomes of attempts. secret_ref holds the sealed secret.
ALTER TABLE webhooks ADD COLUMN name text;
ALTER TABLE webhooks ADD COLUMN disabled_reason text;
ALTER TABLE webhooks ADD COLUMN scan_from bigint NOT NULL DEFAULT 0;
CREATE TABLE webhook_cursors (
    webhook    uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq        bigint NOT NULL,
    behind     boolean NOT NULL,
    attempts   bigint NOT NULL DEFAULT 0,
    failed_at  bigint NOT NULL DEFAULT 0,
    next_at    bigint NOT NULL DEFAULT 0,
    owner      uuid, -- the instance that delivers it; counts while that has a row
    updated_at bigint NOT NULL,
    PRIMARY KEY (webhook, session_id)
);
CREATE INDEX webhook_cursors_by_session ON webhook_cursors (session_id);
CREATE INDEX webhook_cursors_behind ON webhook_cursors (webhook, failed_at) WHERE behind;
-- A delivery is a row of the log of what became of it; its body stands in the session's events.
ALTER TABLE webhook_deliveries ADD COLUMN type text NOT NULL DEFAULT '';
ALTER TABLE webhook_deliveries ADD COLUMN duration_ms bigint NOT NULL DEFAULT 0;
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (webhook, created_at, id);

-- Filters of lists. What does not read back passes: whoever reads the row then says so.
CREATE FUNCTION sluice_metadata_has(metadata text, path text, value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    at json;
    name text;
BEGIN
    at := metadata::json;
    FOREACH name IN ARRAY string_to_array(path, '.') LOOP
        IF at IS NULL OR json_typeof(at) <> 'object' THEN
            RETURN false;
        END IF;
        at := at -> name;
    END LOOP;
    RETURN at IS NOT NULL AND json_typeof(at) NOT IN ('object', 'array', 'null')
        AND at #>> '{}' = value;
EXCEPTION WHEN OTHERS THEN
    RETURN true;
END
$$;
CREATE FUNCTION sluice_tags_have(tags text, tag text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN tags::jsonb ? tag;
EXCEPTION WHEN OTHERS THEN
    RETURN true;
END
$$;
