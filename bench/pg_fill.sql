-- Fills a migrated database: psql -v sessions=N -f pg_fill.sql URL. N sessions over half a year, each
-- with 10 rows of events, 3 node runs and a message, every other with a memory; one in a hundred still
-- waits, with a timer, one in a thousand is busy. Foreign keys are not looked at, as in a restore. May be run again to add more.
\set ON_ERROR_STOP on
SET session_replication_role = replica;
SET synchronous_commit = off;
SET client_min_messages = warning;

SELECT sluice_event_partitions((extract(epoch FROM now() - m * interval '1 month') * 1000)::bigint, 0)
    FROM generate_series(0, 7) AS m \g /dev/null

CREATE TEMPORARY TABLE filled AS
    SELECT n, gen_random_uuid() AS id,
        (extract(epoch FROM now()) * 1000)::bigint - 1000 - (n * (180 * 86400000.0 / :sessions))::bigint AS at
    FROM generate_series(1, :sessions) AS n;

INSERT INTO sessions (id, workspace, epoch, busy, status, name, group_id, user_id, tags, workflow_id,
        workflow_version, owner, last_seq, created_at, started_at, ended_at, updated_at, output,
        node_statuses, waiting, usage, vars, state)
    SELECT id, 'default', 1, n % 1000 = 0,
        CASE WHEN n % 100 = 0 THEN 'running' WHEN n % 7 = 0 THEN 'failed' ELSE 'completed' END,
        'Session ' || n, CASE WHEN n % 10 = 0 THEN 'group-' || n % 500 END, 'user-' || n % 1000,
        '["bench"]', 'workflow-' || n % 200, 1, NULL, 20, at, at,
        CASE WHEN n % 100 = 0 THEN 0 ELSE at + 60000 END, at + 60000, '{"text":"done"}',
        '{"start":"completed","judge":"completed","end":"completed"}', '[]',
        '{"input_tokens":100,"output_tokens":200,"cost_usd":null}', '{}', '{"iterations":{}}'
    FROM filled;
INSERT INTO session_details (session_id, input, metadata, settings, thread_configs, workflow_state)
    SELECT id, '{"topic":"bench"}', '{}', '{}', '{}', '{}' FROM filled;
INSERT INTO session_events (session_id, seq_last, seq_first, at, frames)
    SELECT id, 2 * e, 2 * e - 1, at + e * 1000,
        repeat('{"seq":1,"type":"token_stream","data":{"chunk":"a word or two"}}', 4)
    FROM filled, generate_series(1, 10) AS e;
INSERT INTO node_runs (session_id, run_id, node_id, kind, iteration, attempt, status, started_at,
        ended_at, output)
    SELECT id, gen_random_uuid(), 'node-' || r, 'llm', 1, 1, 'completed', at, at, '{"text":"said"}'
    FROM filled, generate_series(1, 3) AS r;
INSERT INTO session_messages (session_id, created_at, seq, message_id, node_id, role, token_count,
        content)
    SELECT id, at + 9000, 20, gen_random_uuid(), 'node-2', 'assistant', 20, 'what was said' FROM filled;
INSERT INTO timers (session_id, timer_id, due_at, purpose)
    SELECT id, gen_random_uuid(), at + 400 * 86400000::bigint, '{}' FROM filled WHERE n % 100 = 0;
INSERT INTO session_commands (command_id, session_id, status, request, created_at, updated_at)
    SELECT gen_random_uuid(), id, CASE WHEN n % 1000 = 0 THEN 0 ELSE 200 END, '{}', at, at
    FROM filled WHERE n % 100 = 0;
INSERT INTO idempotency_keys (workspace, key, hash_a, hash_b, status, created_at)
    SELECT 'default', id::text, 1, 2, 202, at FROM filled WHERE n % 10 = 0;
INSERT INTO workflows (workspace, id, name, version, first_version, created_at, updated_at)
    SELECT 'default', 'workflow-' || w, 'Workflow ' || w, 1, 1, 1, 1 FROM generate_series(0, 199) AS w
    ON CONFLICT DO NOTHING;
INSERT INTO workflow_versions (workspace, workflow_id, version, created_at, graph)
    SELECT 'default', 'workflow-' || w, 1, 1, '{}' FROM generate_series(0, 199) AS w
    ON CONFLICT DO NOTHING;
INSERT INTO groups (workspace, id, name, version, body, created_at, updated_at)
    SELECT 'default', 'group-' || g, 'Group ' || g, 1, '{}', 1, 1 FROM generate_series(0, 1999) AS g
    ON CONFLICT DO NOTHING;
INSERT INTO audit_log (id, workspace, session_id, action, status, created_at, updated_at)
    SELECT gen_random_uuid(), 'default', id, 'sessions.execute', 202, at, at FROM filled;
-- Of a few hundred groups; the words of one in fifty are not told yet.
INSERT INTO memories (id, workspace, group_id, session_id, content, metadata, created_at, updated_at,
        source_id, tier, chunk, chunks, hits, words, dimensions)
    SELECT m.id, 'default', 'group-' || n % 500, f.id, 'what was said', '{}', at, at, m.id,
        CASE WHEN n % 5 = 0 THEN 2 ELSE 4 END, 0, 1, 0,
        CASE WHEN n % 50 = 0 THEN NULL ELSE 'said the-' || n % 3000 || ' what' END, 0
    FROM filled AS f CROSS JOIN LATERAL (SELECT gen_random_uuid() AS id OFFSET 0 * n) AS m
    WHERE n % 2 = 0;
INSERT INTO interrupts (interrupt_id, session_id, run_id, node_id, kind, status, request, expires_at,
        created_at, updated_at)
    SELECT gen_random_uuid(), id, gen_random_uuid(), 'review', 'human_review',
        CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'answered' END, '{}', 0, at, at
    FROM filled WHERE n % 10 = 0;
INSERT INTO tasks (id, session_id, run_id, node_id, queue, status, input, created_at, updated_at)
    SELECT gen_random_uuid(), id, gen_random_uuid(), 'work', 'queue-' || n % 7, 'queued', '{}', at, at
    FROM filled WHERE n % 100 = 0;
INSERT INTO webhooks (workspace, id, url, created_at, updated_at)
    SELECT 'default', gen_random_uuid(), 'http://127.0.0.1:1/' || w, 1, 1 FROM generate_series(1, 20) AS w;
INSERT INTO webhook_cursors (webhook, session_id, seq, behind, updated_at)
    SELECT w.ids[n / 10 % 20 + 1], id, 20, n % 1000 = 0, at
    FROM filled, (SELECT array_agg(id) AS ids FROM webhooks) AS w WHERE n % 10 = 0;
ANALYZE;
