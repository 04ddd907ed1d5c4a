// Promise P8: a budget is enforced in the middle of a stream, against a model that speaks the wire and
// against the demo; and breakers, which stop what no sensible session does.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Reader } from './lib/client.mjs';
import { Server, Standin, sluiceBin } from './lib/server.mjs';
import { checkLog, checkReader } from './lib/truth.mjs';

let server;
let standin;
const folder = mkdtempSync(join(tmpdir(), 'sluice-budget-'));
before(async () => {
  standin = await new Standin().start();
  const file = join(folder, 'sluice.yaml');
  writeFileSync(file, [
    'providers: [{id: demo, dialect: demo}]',
    'prices:',
    '  - {model: standin, input: 1, output: 10}',
    'breakers: {variety: null}',
  ].join('\n'));
  server = await new Server({ env: standin.env, args: ['--config', file] }).start();
});
after(async () => {
  await server?.close();
  await standin?.close();
  rmSync(folder, { recursive: true });
});

const talk = (prompt, more = {}, top = {}) => ({
  ...top,
  nodes: {
    start: { type: 'start', next_ids: ['talk'] },
    talk: { type: 'llm', properties: { prompt, ...more }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});
const words = Array.from({ length: 300 }, (_, i) => `word${i}`).join(' ');
const echo = (rate, text) => `[[echo rate=${rate}]]${text}`;
const shown = (log) => log.filter((e) => e.type === 'token_stream').map((e) => e.data.chunk).join('');
const sizeOf = (text) => Math.ceil(Buffer.byteLength(text) / 4);

// What stood in the log when the session stopped: the limit, and no more than a chunk beyond it.
function checkStop(log, limit) {
  const i = log.findIndex((e) => e.type === 'budget_reached');
  assert.ok(i > 0, 'no budget_reached');
  const { resource, used } = log[i].data;
  assert.equal(resource, 'tokens');
  assert.equal(log[i].data.limit, limit);
  assert.equal(log[i].node_id, 'talk');
  assert.ok(used >= limit && used <= limit + 16, `used ${used} of ${limit}`);
  assert.ok(!log.slice(i + 1).some((e) => e.type === 'token_stream'), 'chunks after the limit');
  return log.slice(0, i);
}

for (const [name, prompt, more] of [
  ['a model over the wire', echo(200, words), {}],
  ['the demo', 'What speaks for small things?', { provider: 'demo' }],
]) {
  const sent = sizeOf(prompt) + 15; // the request around it
  test(`${name}: at the limit the session pauses, and a raised budget lets it go on`, async () => {
    const limit = sent + 20;
    const id = await server.execute(talk(prompt, more), {}, { budget: { tokens: limit } });
    const reader = new Reader(server, id);
    const paused = await reader.untilEvent('session_state_change', (e) => e.data.to === 'paused');
    assert.equal(paused.data.reason, 'budget');
    assert.equal(paused.data.quiesced, true);
    const before = checkStop(reader.events, limit);
    assert.ok(sizeOf(shown(before)) <= 60, 'far more was shown than the budget allows');

    const refused = await server.post(`/sessions/${id}/resume`);
    assert.equal(refused.status, 409);
    assert.equal(refused.json.code, 'budget_exhausted');
    assert.match(refused.json.error, /budget/);
    assert.equal((await server.post(`/sessions/${id}/resume`, { budget: { tokens: 0 } })).status, 400);

    const r = await server.post(`/sessions/${id}/resume`, { budget: { tokens: 100000 } });
    assert.equal(r.status, 200, r.text);
    const end = await reader.ended();
    assert.equal(end.data.to, 'completed');
    const log = await server.events(id);
    checkLog(log, id);
    checkReader(reader, log);
    assert.equal(shown(log), log.find((e) => e.type === 'message').data.content);
    const session = (await server.get(`/sessions/${id}`)).json;
    assert.deepEqual(session.budget, { tokens: 100000, on_limit: 'pause' });
    assert.deepEqual(Object.keys(session.usage), ['input_tokens', 'output_tokens', 'cost_usd']);
    reader.close();
  });

  test(`${name}: at the limit the session fails, when it is asked to`, async () => {
    const limit = sent + 20;
    const id = await server.execute(talk(prompt, more), {}, { budget: { tokens: limit, on_limit: 'fail' } });
    const reader = new Reader(server, id);
    const end = await reader.ended();
    assert.equal(end.data.to, 'failed');
    assert.equal(end.data.error.code, 'budget_exceeded');
    checkStop(reader.events, limit);
    reader.close();
  });
}

test('money is counted by the prices of the settings, and a limit in dollars bites as well', async () => {
  const prompt = echo(200, words);
  const id = await server.execute(talk(prompt), {}, { budget: { cost_usd: 0.001 } });
  const reader = new Reader(server, id);
  await reader.untilEvent('session_state_change', (e) => e.data.to === 'paused');
  const { resource, limit, used } = reader.find('budget_reached').data;
  assert.equal(resource, 'cost_usd');
  assert.equal(limit, 0.001);
  assert.ok(used >= 0.001 && used < 0.0012, `used ${used}`);
  await server.post(`/sessions/${id}/resume`, { budget: { cost_usd: 5 } });
  await reader.ended();
  const usage = reader.find('token_usage').data;
  const cost = (usage.input_tokens * 1 + usage.output_tokens * 10) / 1e6;
  assert.ok(Math.abs(usage.cost_usd - cost) < 1e-6, `${usage.cost_usd} instead of ${cost}`);
  assert.equal((await server.get(`/sessions/${id}`)).json.usage.cost_usd, usage.cost_usd);
  reader.close();
});

test('the demo costs nothing, and says so', async () => {
  const id = await server.execute(talk('Hello.', { provider: 'demo' }));
  const reader = new Reader(server, id);
  await reader.ended();
  assert.equal(reader.find('token_usage').data.cost_usd, 0);
  reader.close();
});

test('a budget and what was used survive kill -9', async () => {
  const prompt = echo(100, words);
  const limit = sizeOf(prompt) + 15 + 20;
  const id = await server.execute(talk(prompt), {}, { budget: { tokens: limit } });
  const reader = new Reader(server, id, { reconnect: true });
  await reader.untilEvent('session_state_change', (e) => e.data.to === 'paused');
  await server.kill();
  await server.start();
  const refused = await server.post(`/sessions/${id}/resume`);
  assert.equal(refused.json.code, 'budget_exhausted', refused.text);
  assert.equal((await server.post(`/sessions/${id}/resume`, { budget: { tokens: 1e6 } })).status, 200);
  assert.equal((await reader.ended()).data.to, 'completed');
  reader.close();
});

test('over WebSocket and from the command line, too', async () => {
  const prompt = echo(200, words);
  const id = await server.execute(talk(prompt), {}, { budget: { tokens: sizeOf(prompt) + 35 } });
  const reader = new Reader(server, id);
  const pauses = (n) => reader.until((r) => r.events.filter((e) => e.data.to === 'paused').length >= n);
  await pauses(1);
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, 'sluice.v1');
  await new Promise((go) => ws.on('open', go));
  const answer = (m) => new Promise((go) => {
    ws.once('message', (d) => go(JSON.parse(d)));
    ws.send(JSON.stringify({ type: 'resume', session_id: id, request_id: 'r', ...m }));
  });
  assert.equal((await answer({})).code, 'budget_exhausted');
  assert.equal((await answer({ budget: { tokens: sizeOf(prompt) + 80 } })).type, 'ack');
  ws.close();
  await pauses(2);
  const cli = (...args) => execFileSync(sluiceBin(), ['session', 'resume', id, '--server', server.url, ...args], { encoding: 'utf8', stdio: 'pipe' });
  assert.throws(() => cli('--budget-tokens', 'many'), (e) => e.status === 2);
  assert.throws(() => cli(), (e) => e.status === 4);
  cli('--budget-tokens', '100000');
  assert.equal((await reader.ended()).data.to, 'completed');
  reader.close();
});

test('a breaker stops a message that repeats itself, and wants to know why it may go on', async () => {
  const babble = echo(2000, Array(40).fill('As I said before, the first step is to look at the data and to ask people.').join(' '));
  const id = await server.execute(talk(babble, {}, { breakers: { repetition: 10 } }));
  const reader = new Reader(server, id);
  const tripped = await reader.untilEvent('breaker_tripped');
  assert.deepEqual(tripped.data, { detector: 'repetition', value: 11, limit: 10 });
  assert.equal(tripped.node_id, 'talk');
  const paused = await reader.untilEvent('session_state_change', (e) => e.data.to === 'paused');
  assert.equal(paused.data.reason, 'breaker:repetition');
  for (const body of [{}, { justification: '' }]) {
    const r = await server.post(`/sessions/${id}/resume`, body);
    assert.equal(r.status, 409);
    assert.equal(r.json.code, 'breaker_tripped');
  }
  for (let seen = 0; !reader.done; ) { // it is armed again after each
    const why = `It is a hymn, ${seen}.`;
    const r = await server.post(`/sessions/${id}/resume`, { justification: why });
    assert.equal(r.status, 200, r.text);
    await reader.untilEvent('session_state_change', (e) => e.data.to === 'running' && e.data.reason === why);
    await reader.untilEvent('log', (e) => e.data.text.endsWith(why));
    seen += 1;
    await reader.until((rd) => rd.done || rd.events.filter((e) => e.data.to === 'paused').length > seen);
    assert.ok(seen < 10);
  }
  assert.equal(reader.find('session_state_change', (e) => e.data.to === 'completed')?.data.reason, undefined);
  reader.close();
});
