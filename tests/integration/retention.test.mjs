// Tidying up while a server runs: logs are folded, sessions and keys go, live ones stay.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server, Standin } from './lib/server.mjs';
import { Database } from './lib/services.mjs';
import { until } from './lib/until.mjs';

let standin;
const servers = [];
async function serve(...args) {
  const server = await new Server({ env: standin.env, args }).start();
  servers.push(server);
  return server;
}
before(async () => { standin = await new Standin().start(); });
after(async () => {
  for (const s of servers) await s.close();
  await standin?.close();
});

const talk = (prompt) => ({
  nodes: {
    start: { type: 'start', next_ids: ['talk'] },
    talk: { type: 'llm', properties: { prompt }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});
const text = '[[echo rate=400]]one two three four five six seven eight nine ten';
const review = {
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'end' } },
    end: { type: 'end' },
  },
};

async function ended(server, graph) {
  const id = await server.execute(graph);
  const reader = new Reader(server, id);
  await reader.ended();
  reader.close();
  return { id, events: reader.events };
}

test('tokens of an ended session are folded into its messages, and a reader further back takes a snapshot', async () => {
  const server = await serve('--retain-tokens', '1s');
  const { id, events } = await ended(server, talk(text));
  assert.ok(events.some((e) => e.type === 'token_stream'));
  const folded = await until(async () => {
    const log = await server.events(id);
    return log.every((e) => e.type !== 'token_stream') && log;
  });
  assert.deepEqual(folded, events.filter((e) => e.type !== 'token_stream'));
  const messages = (await server.get(`/sessions/${id}/messages`)).json.items;
  assert.equal(messages.at(-1).content, text);

  const late = new Reader(server, id); // from the beginning
  await late.until((r) => r.subscribed);
  assert.equal(late.subscribed.verdict, 'snapshot');
  assert.equal(late.subscribed.session.status, 'completed');
  assert.equal(late.subscribed.last_seq, events.length);
  late.close();
});

test('old sessions are deleted, those that wait for a person stay', async () => {
  const server = await serve('--retain-sessions', '1s', '--retain-tokens', 'off');
  const waits = await server.execute(review);
  const { id } = await ended(server, talk(text));
  await until(async () => (await server.get(`/sessions/${id}`)).status === 404);
  const items = (await server.get('/sessions')).json.items;
  assert.deepEqual(items.map((s) => s.id), [waits]);
});

test('an Idempotency-Key is forgotten after a while', async () => {
  const server = await serve('--retain-keys', '1s');
  const post = () => server.request('POST', '/workflows/execute', { graph: review, input: {} }, { 'Idempotency-Key': 'k1' });
  const first = (await post()).json.session_id;
  assert.equal((await post()).json.session_id, first);
  await until(async () => (await post()).json.session_id !== first);
});

test('what came before a restart is tidied up after it', async () => {
  const server = await serve('--retain-tokens', 'off');
  const { id } = await ended(server, talk(text));
  await server.kill('SIGTERM');
  server.options.args = ['--retain-tokens', '1s'];
  await server.start();
  await until(async () => (await server.events(id)).every((e) => e.type !== 'token_stream'));
});

const withPostgres = Boolean(process.env.SLUICE_TEST_POSTGRES);
test('two instances tidy up side by side', { skip: !withPostgres && 'no PostgreSQL here' }, async () => {
  const database = new Database();
  const args = ['--retain-tokens', '1s', '--retain-sessions', '3s'];
  const pair = [];
  for (let i = 0; i < 2; i++) pair.push(await new Server({ env: standin.env, args, database }).start());
  try {
    const all = await Promise.all(Array.from({ length: 24 }, (_, i) => ended(pair[i % 2], talk(`${text} ${i}`))));
    await until(() => database.query('SELECT count(*) FROM sessions WHERE folded_seq > 0') !== '0');
    await until(async () => database.query('SELECT count(*) FROM sessions') === '0');
    for (const table of ['session_events', 'node_runs', 'session_messages', 'session_details']) {
      assert.equal(database.query(`SELECT count(*) FROM ${table}`), '0', table);
    }
    for (const server of pair) assert.equal((await server.get(`/sessions/${all[0].id}`)).status, 404);
  } finally {
    for (const server of pair) await server.close();
    database.drop();
  }
  for (const server of pair) assert.doesNotMatch(server.log, /could not be tidied|ERROR/);
});
