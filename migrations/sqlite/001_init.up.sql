-- Times are Unix milliseconds, ids are 16 bytes (UUIDv7), JSON is text.
--
-- A session has a small integer key of its own: everything that hangs on it carries that instead
-- of 16 random bytes, and the check of a foreign key is one look into sessions' own tree.

CREATE TABLE workspaces (
    key  INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO workspaces (key, name) VALUES (1, 'default');

-- The newest version of each workflow. A deleted one stays behind as a row without a version, so
-- that numbers are never given twice and a running session finds its text.
CREATE TABLE workflows (
    workspace    INTEGER NOT NULL REFERENCES workspaces (key),
    id           TEXT NOT NULL,
    name         TEXT,
    type         TEXT,
    description  TEXT,
    version      INTEGER NOT NULL, -- the newest
    first_version INTEGER NOT NULL, -- of its present life: a deleted id may be made again
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    deleted      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE workflow_versions (
    workspace   INTEGER NOT NULL,
    workflow_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    name        TEXT,
    type        TEXT,
    description TEXT,
    created_at  INTEGER NOT NULL,
    graph       TEXT NOT NULL,
    PRIMARY KEY (workspace, workflow_id, version),
    FOREIGN KEY (workspace, workflow_id) REFERENCES workflows (workspace, id) ON DELETE CASCADE
) STRICT;

-- What lists filter by, and what changes with every step. SQLite writes a changed row whole, so
-- the long texts that only a person changes stand in session_details.
CREATE TABLE sessions (
    key              INTEGER PRIMARY KEY,
    id               BLOB NOT NULL UNIQUE,
    workspace        INTEGER NOT NULL REFERENCES workspaces (key),
    version          INTEGER NOT NULL DEFAULT 1,
    epoch            INTEGER NOT NULL DEFAULT 0,
    busy             INTEGER NOT NULL DEFAULT 0,
    stored_only      INTEGER NOT NULL DEFAULT 0,
    status           TEXT NOT NULL,
    reason           TEXT,
    name             TEXT,
    group_id         TEXT,
    user_id          TEXT,
    tags             TEXT NOT NULL DEFAULT '[]',
    workflow_id      TEXT,
    workflow_version INTEGER NOT NULL DEFAULT 0,
    last_seq         INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    started_at       INTEGER NOT NULL DEFAULT 0,
    ended_at         INTEGER NOT NULL DEFAULT 0,
    updated_at       INTEGER NOT NULL,
    output           TEXT,
    error            TEXT,
    node_statuses    TEXT NOT NULL DEFAULT '{}',
    waiting          TEXT,
    usage            TEXT,
    vars             TEXT,
    state            TEXT
) STRICT;
-- Each list is walked along one of these, newest first or oldest first; the key comes last in
-- every index by itself. The partial ones cost nothing for a session without the column.
CREATE INDEX sessions_by_time ON sessions (workspace, created_at);
CREATE INDEX sessions_by_status ON sessions (workspace, status, created_at);
CREATE INDEX sessions_by_workflow ON sessions (workspace, workflow_id, created_at)
    WHERE workflow_id IS NOT NULL;
CREATE INDEX sessions_by_group ON sessions (workspace, group_id, created_at)
    WHERE group_id IS NOT NULL;
CREATE INDEX sessions_by_user ON sessions (workspace, user_id, created_at)
    WHERE user_id IS NOT NULL;
CREATE INDEX sessions_busy ON sessions (id) WHERE busy = 1;

CREATE TABLE session_details (
    session        INTEGER PRIMARY KEY REFERENCES sessions (key) ON DELETE CASCADE,
    input          TEXT,
    metadata       TEXT,
    settings       TEXT,
    thread_configs TEXT,
    workflow_state TEXT,
    budget         TEXT,
    graph          TEXT -- of an inline workflow
) STRICT;

-- One row for all events of one session in one turn; frames are what clients get, one a line.
CREATE TABLE session_events (
    session   INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    seq_last  INTEGER NOT NULL,
    seq_first INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    frames    TEXT NOT NULL,
    UNIQUE (session, seq_last)
) STRICT;

CREATE TABLE node_runs (
    session    INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    run_id     BLOB NOT NULL,
    node_id    TEXT NOT NULL,
    kind       TEXT,
    iteration  INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    status     TEXT NOT NULL,
    branch     TEXT,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    output     TEXT,
    error      TEXT,
    interrupt  TEXT,
    PRIMARY KEY (session, run_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE session_messages (
    session       INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    created_at    INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    message_id    BLOB NOT NULL,
    run_id        BLOB, -- NULL: said by a person
    node_id       TEXT,
    role          TEXT,
    agent_id      TEXT,
    finish_reason TEXT,
    token_count   INTEGER NOT NULL,
    content       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX session_messages_by_time
    ON session_messages (session, created_at, seq, message_id);

-- The outbox: work that must be done after the commit, and again after a crash.
CREATE TABLE effects (
    session INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    run_id  BLOB NOT NULL,
    kind    TEXT NOT NULL,
    request TEXT,
    PRIMARY KEY (session, run_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE timers (
    session  INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    timer_id BLOB NOT NULL,
    due_at   INTEGER NOT NULL,
    purpose  TEXT,
    PRIMARY KEY (session, timer_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_by_due ON timers (due_at);

-- What came while the gate was closed.
CREATE TABLE withheld_inputs (
    session INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    ord     INTEGER NOT NULL,
    input   TEXT NOT NULL,
    PRIMARY KEY (session, ord)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    workspace  INTEGER NOT NULL REFERENCES workspaces (key),
    key        TEXT NOT NULL,
    hash_a     INTEGER NOT NULL,
    hash_b     INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    body       TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, key)
) STRICT, WITHOUT ROWID;
