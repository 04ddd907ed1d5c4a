// The plan of every statement that the PostgreSQL store sends: none may read a table that grows, or an index of one,
// from end to end. The store's own settings make the plans, so 20,000 sessions show what a million would.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { repo } from '../integration/lib/server.mjs';

test('no statement reads a growing table whole', { skip: process.env.SLUICE_TEST_POSTGRES ? false : 'needs PostgreSQL' }, () => {
  const run = spawnSync('script/bench', ['plans'], { cwd: repo, encoding: 'utf8', env: { ...process.env, SESSIONS: '20000' }, timeout: 300000 });
  const told = /^(\d+) statements, (\d+) of them read a growing table whole/m.exec(run.stdout);
  const bad = run.stdout.split('\n').filter((l) => / (WHOLE|FULL):/.test(l));
  assert.deepEqual(bad, [], run.stderr);
  assert.equal(run.status, 0, run.stderr);
  assert.ok(Number(told?.[1]) > 200, run.stdout); // they were looked at
});
