-- Times are Unix milliseconds, ids are UUIDv7, JSON is text: what is read has the bytes that were
-- written. Names are compared byte by byte (COLLATE "C"), as every store does.

CREATE TABLE workspaces (
    name text COLLATE "C" PRIMARY KEY
);
INSERT INTO workspaces (name) VALUES ('default');

-- The newest version of each workflow. A deleted one stays behind as a row without a version, so
-- that numbers are never given twice and a running session finds its text.
CREATE TABLE workflows (
    workspace     text COLLATE "C" NOT NULL,
    id            text COLLATE "C" NOT NULL,
    name          text,
    type          text COLLATE "C",
    description   text,
    version       bigint NOT NULL, -- the newest
    first_version bigint NOT NULL, -- of its present life: a deleted id may be made again
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL,
    deleted       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE workflow_versions (
    workspace   text COLLATE "C" NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    name        text,
    type        text COLLATE "C",
    description text,
    created_at  bigint NOT NULL,
    graph       text NOT NULL,
    PRIMARY KEY (workspace, workflow_id, version),
    FOREIGN KEY (workspace, workflow_id) REFERENCES workflows (workspace, id) ON DELETE CASCADE
);

-- What lists filter by, and what changes with every step; the long texts that only a person changes
-- stand in session_details. Room is left in every page, so that a step's update stays in its page
-- and touches no index (unless the status changes). `key` is the order of writing.
CREATE TABLE sessions (
    id               uuid PRIMARY KEY,
    key              bigint GENERATED ALWAYS AS IDENTITY,
    workspace        text COLLATE "C" NOT NULL,
    version          bigint NOT NULL DEFAULT 1,
    epoch            bigint NOT NULL DEFAULT 0,
    busy             boolean NOT NULL DEFAULT false,
    stored_only      boolean NOT NULL DEFAULT false,
    status           text COLLATE "C" NOT NULL,
    reason           text,
    name             text,
    group_id         text COLLATE "C",
    user_id          text COLLATE "C",
    tags             text NOT NULL DEFAULT '[]',
    workflow_id      text COLLATE "C",
    workflow_version bigint NOT NULL DEFAULT 0,
    last_seq         bigint NOT NULL DEFAULT 0,
    created_at       bigint NOT NULL,
    started_at       bigint NOT NULL DEFAULT 0,
    ended_at         bigint NOT NULL DEFAULT 0,
    updated_at       bigint NOT NULL,
    output           text,
    error            text,
    node_statuses    jsonb NOT NULL DEFAULT '{}',
    waiting          text,
    usage            text,
    vars             text,
    state            text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- Each list is walked along one of these, newest first or oldest first. The partial ones cost
-- nothing for a session without the column.
CREATE INDEX sessions_by_time ON sessions (workspace, created_at, key);
CREATE INDEX sessions_by_status ON sessions (workspace, status, created_at, key);
CREATE INDEX sessions_by_workflow ON sessions (workspace, workflow_id, created_at, key)
    WHERE workflow_id IS NOT NULL;
CREATE INDEX sessions_by_group ON sessions (workspace, group_id, created_at, key)
    WHERE group_id IS NOT NULL;
CREATE INDEX sessions_by_user ON sessions (workspace, user_id, created_at, key)
    WHERE user_id IS NOT NULL;
CREATE INDEX sessions_busy ON sessions (id) WHERE busy;

CREATE TABLE session_details (
    session_id     uuid PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    input          text,
    metadata       text,
    settings       text,
    thread_configs text,
    workflow_state text,
    budget         text,
    graph          text -- of an inline workflow
);

-- One row for all events of one session in one turn; frames are what clients get, one a line.
-- Partitioned by month: see sluice_event_partitions().
CREATE TABLE session_events (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq_last   bigint NOT NULL,
    seq_first  bigint NOT NULL,
    at         bigint NOT NULL,
    frames     text NOT NULL,
    PRIMARY KEY (session_id, seq_last, at)
) PARTITION BY RANGE (at);
CREATE TABLE session_events_rest PARTITION OF session_events DEFAULT;

-- Makes the partition of the month of at_ms and of the `ahead` months after it, those that are not
-- there; gives how many it made. A month of which rows stand in session_events_rest already stays
-- there.
CREATE FUNCTION sluice_event_partitions(at_ms bigint, ahead int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    month timestamp := date_trunc('month', to_timestamp(at_ms / 1000.0) AT TIME ZONE 'UTC');
    name text;
    made int := 0;
BEGIN
    FOR i IN 0..ahead LOOP
        name := 'session_events_' || to_char(month, 'YYYYMM');
        IF to_regclass(name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE %I PARTITION OF session_events FOR VALUES FROM (%s) TO (%s)',
                    name, (extract(epoch FROM month) * 1000)::bigint,
                    (extract(epoch FROM month + interval '1 month') * 1000)::bigint);
                made := made + 1;
            EXCEPTION WHEN check_violation OR duplicate_table THEN
                NULL;
            END;
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END
$$;
-- Drops the months that ended before before_ms and have no row any more: it gives their space back,
-- and spares every read a look into them. Gives how many.
CREATE FUNCTION sluice_event_partitions_drop(before_ms bigint) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    name text;
    empty boolean;
    dropped int := 0;
BEGIN
    FOR name IN SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'session_events'::regclass AND c.relname ~ '^session_events_[0-9]{6}$'
        AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month'
            < to_timestamp(before_ms / 1000.0) AT TIME ZONE 'UTC'
    LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', name) INTO empty;
        CONTINUE WHEN NOT empty;
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', name);
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', name) INTO empty;
        CONTINUE WHEN NOT empty;
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
SELECT sluice_event_partitions((extract(epoch FROM now()) * 1000)::bigint, 2);

CREATE TABLE node_runs (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    run_id     uuid NOT NULL,
    node_id    text COLLATE "C" NOT NULL,
    kind       text,
    iteration  bigint NOT NULL,
    attempt    bigint NOT NULL,
    status     text NOT NULL,
    branch     text,
    started_at bigint NOT NULL,
    ended_at   bigint NOT NULL,
    output     text,
    error      text,
    interrupt  text,
    PRIMARY KEY (session_id, run_id)
) WITH (fillfactor = 80);

CREATE TABLE session_messages (
    session_id    uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at    bigint NOT NULL,
    seq           bigint NOT NULL,
    message_id    uuid NOT NULL,
    run_id        uuid, -- NULL: said by a person
    node_id       text,
    role          text,
    agent_id      text,
    finish_reason text,
    token_count   bigint NOT NULL,
    content       text NOT NULL
);
CREATE UNIQUE INDEX session_messages_by_time
    ON session_messages (session_id, created_at, seq, message_id);

-- The outbox: work that must be done after the commit, and again after a crash. Rows live for
-- seconds in these three: vacuum comes by count, not by share.
CREATE TABLE effects (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    run_id     uuid NOT NULL,
    kind       text NOT NULL,
    request    text,
    PRIMARY KEY (session_id, run_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE timers (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    timer_id   uuid NOT NULL,
    due_at     bigint NOT NULL,
    purpose    text,
    PRIMARY KEY (session_id, timer_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX timers_by_due ON timers (due_at, session_id, timer_id);

-- What came while the gate was closed.
CREATE TABLE withheld_inputs (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    ord        bigint NOT NULL,
    input      text NOT NULL,
    PRIMARY KEY (session_id, ord)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE idempotency_keys (
    workspace  text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    hash_a     bigint NOT NULL,
    hash_b     bigint NOT NULL,
    status     bigint NOT NULL,
    body       text,
    created_at bigint NOT NULL,
    PRIMARY KEY (workspace, key)
);

-- Ends a commit whose rows did not all fit, so that its writer looks at them one by one: what a
-- batch expects of the rows it found is told by `met`.
CREATE FUNCTION sluice_expect(met boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF met THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'sluice: a commit to be looked at row by row' USING ERRCODE = 'SL001';
END
$$;
