// A short crash loop for CI; script/crash runs the long one.
import { spawnSync } from 'node:child_process';
import assert from 'node:assert/strict';
import { test } from 'node:test';

test('kill -9 at random moments loses nothing', () => {
  const script = new URL('./crash.mjs', import.meta.url).pathname;
  const r = spawnSync(process.execPath, [script, '--rounds', '8', '--sessions', '12'], { encoding: 'utf8', timeout: 300000 });
  assert.equal(r.status, 0, r.stdout + r.stderr);
});
