// Run by ends.test.mjs: tests that fail and leave open what they had.
import { after, test } from 'node:test';
import { Reader } from '../lib/client.mjs';
import { Server, Standin } from '../lib/server.mjs';

const standin = await new Standin().start();
const server = await new Server({ store: 'sqlite', env: standin.env }).start();
after(async () => {
  await server.close(); // throws: it has ended otherwise than it should
  await standin.close();
});

const chain = { nodes: { start: { type: 'start', next_ids: ['ask'] }, ask: { type: 'human_review', next_ids: ['end'] }, end: { type: 'end' } } };

test('a server of its own and its reader stay open', async () => {
  const own = await new Server({ store: 'sqlite' }).start();
  await new Reader(own, await own.execute(chain)).untilEvent('human_interaction_required');
  throw new Error('left open');
});

test('the server does not come back, and its reader tries again and again', async () => {
  const reader = new Reader(server, await server.execute(chain), { reconnect: true });
  await reader.untilEvent('human_interaction_required');
  await server.kill();
  server.options.args = ['--no-such-flag'];
  await server.start();
});
