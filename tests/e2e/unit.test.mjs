// The page's own tests (web/src/**/*.test.ts), which need no browser.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { repo } from './lib/server.mjs';

test('the page\'s state, client and layout', async () => {
  const vitest = join(repo, 'web/node_modules/vitest/vitest.mjs');
  await promisify(execFile)(process.execPath, [vitest, 'run'], { cwd: join(repo, 'web') });
});
