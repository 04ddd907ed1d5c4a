// Several providers at once: fallbacks, circuits, fair queues, prices, keys that nobody sees.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { holdsGet as holds, openapi } from './lib/contract.mjs';
import { busy, Provider } from './lib/provider.mjs';
import { Server, sluiceBin } from './lib/server.mjs';

const KEY_A = 'sk-of-a-variable-0123456789', KEY_B = 'sk-of-a-file-0123456789', KEY_C = 'sk-of-a-new-file-0123456789';
const folder = mkdtempSync(join(tmpdir(), 'sluice-providers-'));
const well = ({ prompt }) => ({ text: `Heard ${prompt}` });
let a, b, server, config;

before(async () => {
  a = await new Provider(well).start();
  b = await new Provider(well).start();
  config = join(folder, 'sluice.yaml');
  writeFileSync(join(folder, 'key'), `${KEY_B}\n`);
  writeFileSync(join(folder, 'prices.yaml'), 'prices:\n  - {provider: b, model: "*", input: 1000, output: 0.000001}\n');
  writeFileSync(config, JSON.stringify({
    providers: [
      { id: 'a', base_url: a.url, api_key_env: 'KEY_OF_A', models: ['model-a', 'model-a-large'], max_concurrent: 4 },
      { id: 'b', base_url: b.url, api_key_file: join(folder, 'key'), models: ['model-b'], max_concurrent: 4 },
    ],
    prices: [{ provider: 'a', model: '*', input: 0.1, output: 0.7 }, { provider: 'b', model: '*', input: 9, output: 9 }],
  }));
  server = await new Server({ args: ['--config', config, '--prices', join(folder, 'prices.yaml'), '--log-level', 'debug'], env: { KEY_OF_A: KEY_A } }).start();
});
after(async () => {
  await server?.close();
  a.close();
  b.close();
  rmSync(folder, { recursive: true, force: true });
});

const ask = (properties, more = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'llm', properties, next_ids: ['end'], ...more },
    end: { type: 'end' },
  },
});
const both = [{ provider: 'a' }, { provider: 'b', model: 'model-b' }];

async function run(graph, more) {
  const reader = new Reader(server, await server.execute(graph, {}, more));
  const end = await reader.ended(60000);
  reader.close();
  return { end, reader, usage: reader.events.filter((e) => e.type === 'token_usage').map((e) => e.data) };
}
const providers = async () => Object.fromEntries((await server.get('/llm/providers')).json.items.map((p) => [p.id, p]));
async function providerUntil(id, what) {
  for (const deadline = Date.now() + 20000; Date.now() < deadline;) {
    const p = (await providers())[id];
    if (what(p)) return p;
    await new Promise(setImmediate);
  }
  throw new Error(`provider ${id}: ${JSON.stringify((await providers())[id])}, not ${what}`);
}
const metric = async (name) => Number((await server.get('/metrics')).text.split('\n').find((l) => l.startsWith(`${name} `))?.split(' ').at(-1));

// ---- the contract ----

test('providers and prices are in the contract, page by page', async () => {
  for (const path of ['/llm/providers', '/models/pricing']) {
    holds(path, openapi.paths[path].get.responses['200'].content['application/json'].example);
    const all = (await server.get(`${path}?limit=500`)).json;
    holds(path, all);
    const pages = [];
    for (let cursor = ''; cursor !== null;) {
      const page = (await server.get(`${path}?limit=2${cursor && `&cursor=${cursor}`}`)).json;
      holds(path, page);
      assert.ok(page.items.length <= 2);
      pages.push(...page.items);
      cursor = page.next_cursor;
    }
    assert.deepEqual(pages, all.items);
    for (const bad of ['x', '-1', '9999', '1x']) {
      assert.equal((await server.get(`${path}?cursor=${bad}`)).status, 400, bad);
    }
  }
  const { a: one, b: two, demo } = await providers();
  assert.deepEqual([one.models, one.default_model, one.max_concurrent, one.state], [['model-a', 'model-a-large'], 'model-a', 4, 'closed']);
  assert.deepEqual([two.models, two.queue, two.in_flight], [['model-b'], 0, 0]);
  assert.equal(demo.dialect, 'demo');
  const prices = (await server.get('/models/pricing?limit=500')).json.items;
  assert.deepEqual(prices.slice(0, 3).map((p) => [p.source, p.provider, p.input, p.output]),
    [['file', 'b', 1000, 0.000001], ['settings', 'a', 0.1, 0.7], ['settings', 'b', 9, 9]]);
  assert.ok(prices.slice(3).every((p) => p.source === 'builtin' && /^\d{4}-\d\d-\d\d$/.test(p.as_of)));
});

test('sluice model shows them', () => {
  const cli = (...args) => spawnSync(sluiceBin(), ['model', ...args, '--server', server.url], { encoding: 'utf8' });
  assert.match(cli('list').stdout, /^model-a +a +default$/m);
  assert.match(cli('list').stdout, /^model-a-large +a *$/m);
  assert.match(cli('providers').stdout, /^b +openai +closed +0 +4 +0 +model-b$/m);
  assert.match(cli('prices').stdout, /^\* +b +1000 +0\.000001 +file$/m);
  assert.equal(JSON.parse(cli('providers', '--json').stdout).items.length, 3);
});

// ---- fallbacks ----

test('a provider that fails gives way, and the cost is that of who answered', async () => {
  a.answer = () => ({ status: 503, body: { error: 'down' } });
  b.answer = () => ({ text: 'Hello', input: 1000000, output: 1000000 });
  const { end, usage } = await run(ask({ prompt: 'fallback', model: both }));
  assert.equal(end.data.to, 'completed');
  assert.equal(usage.length, 1);
  assert.equal(usage[0].provider, 'b');
  assert.equal(usage[0].cost_usd, 1000.000001); // to the last digit
  assert.equal(usage[0].session.cost_usd, 1000.000001);
  assert.equal(b.requests.at(-1).model, 'model-b');
  a.answer = () => ({ text: 'Hello', input: 3, output: 3 });
  const first = await run(ask({ prompt: 'first', provider: 'a', model: ['model-a-large', { provider: 'b' }] }));
  assert.equal(first.usage[0].provider, 'a');
  assert.equal(first.usage[0].cost_usd, 0.000002); // 3 * 0.1 + 3 * 0.7 micro-dollars
  assert.equal(a.requests.at(-1).model, 'model-a-large');
  a.answer = b.answer = well;
});

test('what was said is void after a cut; the next attempts go on where the circuit is closed', async () => {
  const before = a.requests.length;
  a.answer = () => ({ text: 'Half a', cut: true });
  const { end, reader, usage } = await run(ask({ prompt: 'cut', model: both }, { retry: { max_attempts: 10, initial_ms: 1 } }));
  assert.equal(end.data.to, 'completed');
  const resets = reader.events.filter((e) => e.type === 'stream_reset');
  const asked = a.requests.length - before;
  assert.ok(asked >= 3 && asked <= 5, `${asked} requests before the circuit opened`);
  assert.equal(resets.length, asked);
  assert.equal(usage.at(-1).provider, 'b');
  assert.equal(reader.events.filter((e) => e.type === 'message').at(-1).data.content, 'Heard cut');
  a.answer = well;
  await providerUntil('a', (p) => p.state !== 'open');
});

test('a refusal is final: another provider would not do better', async () => {
  const before = b.requests.length;
  a.answer = () => ({ status: 401, body: { error: { message: `wrong key ${KEY_A}` } } });
  const { end } = await run(ask({ prompt: 'refused', model: both }));
  assert.equal(end.data.to, 'failed');
  assert.equal(end.data.error.code, 'http_401');
  assert.equal(b.requests.length, before);
  a.answer = well;
});

test('an unknown provider in a list fails the node with its name', async () => {
  const { end } = await run(ask({ prompt: 'x', model: ['m', { provider: 'nobody' }] }));
  assert.equal(end.data.error.code, 'unknown_provider');
  assert.match(end.data.error.message, /nobody/);
});

// ---- acceptance: 429 to everyone ----

test('429 to everyone stops nobody else, and the queue drains fairly', { timeout: 120000 }, async (t) => {
  const GREEDY = 2, CALLS = 50, MODEST = 10;
  const many = (name) => ({
    nodes: {
      start: { type: 'start', next_ids: ['list'] },
      list: { type: 'transform', properties: { output: `[${Array.from({ length: CALLS }, (_, i) => i).join(', ')}]`.replace('[', '{').replace(']', '}') }, next_ids: ['each'] },
      each: { type: 'map', properties: { items: 'nodes.list.output', body: ['ask'], max_concurrent: CALLS }, next_ids: ['end'] },
      ask: { type: 'llm', properties: { prompt: `${name} {{ map.item }}`, provider: 'a' } },
      end: { type: 'end' },
    },
  });
  const opened = await metric('sluice_llm_circuit_opened_total{provider="a"}');
  let refusing = true;
  const refused = () => a.requests.filter((r) => r.status === 429).length;
  a.answer = async (r) => {
    if (refusing) return busy(1);
    await new Promise((done) => setTimeout(done, 5)); // the time that an answer takes
    return well(r);
  };
  await providerUntil('a', (p) => p.state === 'closed' || p.state === 'recovering');
  const sessions = [];
  for (let i = 0; i < GREEDY; i++) sessions.push(new Reader(server, await server.execute(many(`greedy${i}`))));
  await providerUntil('a', (p) => p.queue + p.in_flight === GREEDY * CALLS);
  for (let i = 0; i < MODEST; i++) sessions.push(new Reader(server, await server.execute(ask({ prompt: `modest${i}`, provider: 'a' }))));
  const waiting = await providerUntil('a', (p) => p.state === 'open' && p.queue === GREEDY * CALLS + MODEST && p.in_flight === 0);
  assert.ok(waiting.retry_in_ms > 0 && waiting.retry_in_ms <= 1000, `${waiting.retry_in_ms}`);

  // The other provider does not notice.
  const begun = performance.now();
  const others = await Promise.all(Array.from({ length: 20 }, () => run(ask({ prompt: 'other', provider: 'b' }))));
  const othersMs = performance.now() - begun;
  assert.ok(others.every(({ end }) => end.data.to === 'completed'));
  assert.equal(sessions.filter((s) => s.done).length, 0);

  // Two probes in vain, then it recovers.
  const probes = refused();
  await a.until(() => refused() >= probes + 2);
  assert.ok(refused() - probes <= 3, 'while it is open only probes are sent');
  const from = a.requests.length;
  refusing = false;
  const well0 = performance.now();
  for (const s of sessions) assert.equal((await s.ended(60000)).data.to, 'completed');
  sessions.forEach((s) => s.close());

  const served = a.requests.slice(from).filter((r) => r.status === 200);
  const total = GREEDY * CALLS + MODEST;
  assert.equal(served.length, total);
  assert.ok(a.most <= 4, `${a.most} at once`);
  const waits = (name) => served.map((r, i) => ({ ...r, i })).filter((r) => r.prompt.startsWith(name)).map((r) => ({ ms: r.at - served[0].at, i: r.i }));
  const modest = waits('modest'), greedy = waits('greedy');
  assert.equal(modest.length, MODEST);
  // Each session has one turn a round: all modest calls are among the first of both kinds.
  const rank = Math.max(...modest.map((m) => m.i));
  assert.ok(rank < 2 * (MODEST + GREEDY), `the last modest call was the ${rank + 1}th of ${total}`);
  const longest = (list) => Math.max(...list.map((w) => w.ms)), mean = (list) => list.reduce((n, w) => n + w.ms, 0) / list.length;
  assert.ok(longest(modest) < longest(greedy) / 2, `modest ${longest(modest)} ms, greedy ${longest(greedy)} ms`);
  // Neither greedy session is ahead of the other by more than what is served at once.
  let ahead = 0, most = 0;
  for (const r of served) {
    ahead += r.prompt.startsWith('greedy0') ? 1 : r.prompt.startsWith('greedy1') ? -1 : 0;
    most = Math.max(most, Math.abs(ahead));
  }
  assert.ok(most <= 5, `one greedy session was ${most} calls ahead`);
  t.diagnostic(`others on b: 20 sessions in ${othersMs.toFixed(0)} ms while ${total} calls waited on a; after recovery (first answer ` +
    `${(served[0].at - well0).toFixed(0)} ms later) modest calls waited ${mean(modest).toFixed(0)} ms on average, ${longest(modest).toFixed(0)} at most; ` +
    `greedy ones ${mean(greedy).toFixed(0)} and ${longest(greedy).toFixed(0)}`);

  assert.ok(await metric('sluice_llm_circuit_opened_total{provider="a"}') >= opened + 3);
  assert.ok(await metric('sluice_llm_wait_seconds_count{provider="a"}') >= total);
  assert.equal(await metric('sluice_llm_queue{provider="a"}'), 0);
  a.answer = well;
});

test('SIGHUP reads the keys of files again; a bad one changes nothing', async () => {
  const told = async (what, times) => {
    for (const deadline = Date.now() + 20000; server.process.stderr().split(what).length <= times; await new Promise(setImmediate)) {
      if (Date.now() > deadline) throw new Error(`not ${times} times ${what}:\n${server.process.stderr().slice(-2000)}`);
    }
  };
  const slow = { release: null };
  b.answer = (r) => (r.prompt === 'before' ? new Promise((done) => { slow.release = () => done(well(r)); }) : well(r));
  const before = run(ask({ prompt: 'before', provider: 'b' }));
  await providerUntil('b', (p) => p.in_flight === 1);
  writeFileSync(join(folder, 'key'), ` ${KEY_C}\n\n`);
  process.kill(server.pid, 'SIGHUP');
  await told('the key of provider b was read again', 1);
  assert.equal((await run(ask({ prompt: 'after', provider: 'b' }))).end.data.to, 'completed');
  slow.release();
  assert.equal((await before).end.data.to, 'completed');
  const sent = (prompt) => b.requests.find((r) => r.prompt === prompt).authorization;
  assert.deepEqual([sent('before'), sent('after')], [`Bearer ${KEY_B}`, `Bearer ${KEY_C}`]);
  for (const [i, bad] of ['', 'two words'].entries()) {
    writeFileSync(join(folder, 'key'), bad);
    process.kill(server.pid, 'SIGHUP');
    await told('provider b keeps its key', i + 1);
  }
  await run(ask({ prompt: 'still', provider: 'b' }));
  assert.equal(sent('still'), `Bearer ${KEY_C}`);
  b.answer = well;
});

test('a provider that asks for an hour fails calls at once, and says when', async () => {
  b.answer = () => busy(3600);
  const { end } = await run(ask({ prompt: 'hour', provider: 'b' }));
  assert.equal(end.data.error.code, 'rate_limited');
  const sent = b.requests.length;
  const again = await run(ask({ prompt: 'hour', provider: 'b' }));
  assert.equal(again.end.data.error.code, 'rate_limited');
  assert.equal(b.requests.length, sent);
  assert.ok((await providers()).b.retry_in_ms > 3500000);
  const other = await run(ask({ prompt: 'other', model: [{ provider: 'b' }, { provider: 'a' }] }));
  assert.equal(other.usage[0].provider, 'a');
  b.answer = well;
});

// ---- keys ----

test('keys are sent to their provider, and shown nowhere', async () => {
  assert.ok(a.requests.every((r) => r.authorization === `Bearer ${KEY_A}`));
  assert.ok(b.requests.every((r) => [KEY_B, KEY_C].includes(r.authorization.slice(7))));
  writeFileSync(join(folder, 'key'), KEY_B);
  const printed = spawnSync(sluiceBin(), ['serve', '--config', config, '--print-config'], { encoding: 'utf8', env: { ...process.env, KEY_OF_A: KEY_A } });
  assert.equal(printed.status, 0, printed.stderr);
  assert.match(printed.stdout, /api_key: \(hidden\)/);
  const shown = [printed.stdout, printed.stderr, server.process.stderr()];
  for (const path of ['/llm/providers', '/models/pricing', '/metrics', '/sessions', '/openapi.json', '/version']) shown.push((await server.get(path)).text);
  for (const { id } of (await server.get('/sessions?limit=500')).json.items) {
    shown.push((await server.get(`/sessions/${id}`)).text, JSON.stringify(await server.events(id)));
  }
  for (const text of shown) assert.ok(![KEY_A, KEY_B, KEY_C].some((key) => text.includes(key)), text.slice(0, 300));
  assert.ok(shown.some((s) => s.includes('http_401'))); // the refusal that had the key in it was looked at
});
