-- Sessions as people and programs manage them (docs/decisions/0014).

-- The session that a person works on, when they name none.
CREATE TABLE active_sessions (
    workspace  text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    session_id uuid NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (workspace, user_id)
);
