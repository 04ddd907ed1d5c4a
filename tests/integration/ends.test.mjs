// A file of tests ends when its tests have, whatever they left open: one that fails in the middle must
// say so, not hang until somebody stops it.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { repo } from './lib/server.mjs';

test('what failing tests leave open does not keep their file running', () => {
  const env = { ...process.env };
  delete env.NODE_TEST_CONTEXT; // it would report to ours
  const r = spawnSync(process.execPath, ['--test', '--test-reporter=tap', join(repo, 'tests/integration/data/never-starts.mjs')],
    { encoding: 'utf8', env, timeout: 60000 });
  assert.equal(r.error, undefined, `it did not end:\n${r.stdout}${r.stderr}`);
  assert.equal(r.status, 1, r.stdout + r.stderr);
  assert.match(r.stdout, /left open/);
  assert.match(r.stdout, /before it listened/);
  assert.match(r.stdout, /^# pass 0$/m);
});
