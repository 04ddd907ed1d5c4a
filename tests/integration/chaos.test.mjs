// A short chaos over several instances for CI; script/chaos runs the long one.
// Hurts the services: runs alone on its side.
import { spawnSync } from 'node:child_process';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeKind } from './lib/services.mjs';

test('instances, PostgreSQL and Redis are killed in turn, and nothing is lost', { skip: storeKind() !== 'postgres' }, () => {
  const script = new URL('./chaos.mjs', import.meta.url).pathname;
  // Under sanitizers beside other tests, time is not what is measured.
  const r = spawnSync(process.execPath, [script, '--rounds', '6', '--sessions', '24', '--adopt-ms', '20000'], { encoding: 'utf8', timeout: 300000 });
  assert.equal(r.status, 0, r.stdout + r.stderr);
});
