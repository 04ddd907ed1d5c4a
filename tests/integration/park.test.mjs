// Sessions that are paused while their calls run on: they are parked, and nobody can tell.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server, Standin } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

let server;
let standin;
before(async () => { standin = await new Standin().start(); });
after(() => standin?.close());
beforeEach(async () => { server = await new Server({ env: standin.env }).start(); });
afterEach(() => server?.close());

const node = (type, properties) => ({
  nodes: { start: { type: 'start', next_ids: ['n'] }, n: { type, properties, next_ids: ['end'] }, end: { type: 'end' } },
});
const echo = (rate, words) => `[[echo rate=${rate}]]${Array.from({ length: words }, (_, i) => `word${i}`).join(' ')}`;
const talk = (prompt, more) => node('llm', { prompt, ...more });
const metric = async (name) => Number(new RegExp(`^sluice_sessions_${name} (\\S+)$`, 'm').exec((await server.get('/metrics')).text)[1]);

async function until(name, wanted, ms = 30000) {
  for (const deadline = Date.now() + ms; await metric(name) !== wanted;) {
    assert.ok(Date.now() < deadline, `${await metric(name)} ${name}, not ${wanted}`);
    await new Promise((go) => setTimeout(go, 50));
  }
}

async function begun(graph, event = 'token_stream', more = {}) {
  const reader = new Reader(server, await server.execute(graph, {}, more), { reconnect: true });
  await reader.until((r) => r.events.filter((e) => e.type === event).length > 2);
  return reader;
}

async function pause(reader, body) {
  const { status, json } = await server.post(`/sessions/${reader.id}/pause`, body);
  assert.equal(status, 200);
  return json.seq;
}

async function parked(reader, body) {
  const seq = await pause(reader, body);
  await until('parked', 1);
  assert.equal(await metric('live'), 0);
  return seq;
}

async function finish(reader, content, status = 'completed') {
  const end = await reader.ended();
  assert.equal(end.data.to, status, JSON.stringify(end.data));
  const log = await server.events(reader.id);
  checkLog(log, reader.id);
  checkReader(reader, log);
  checkMessages(log, reader.id);
  if (content !== undefined) assert.equal(log.find((e) => e.type === 'message').data.content, content);
  reader.close();
  await until('parked', 0);
  await until('live', 0);
  return log;
}
const sameGeneration = (log) => assert.ok(!log.some((e) => e.type === 'stream_reset'), 'another generation was started');

for (const mode of ['buffer', 'hold']) {
  test(`parked in mode ${mode}, in mid-sentence, again and again: the same generation to the last byte`, async () => {
    const said = echo(40, 400);
    const reader = await begun(talk(said));
    for (let i = 0; i < 3; i++) {
      const seq = await parked(reader, { mode });
      assert.equal(reader.last, seq);
      assert.equal((await server.get(`/sessions/${reader.id}`)).json.status, 'paused');
      assert.equal((await server.post(`/sessions/${reader.id}/pause`)).status, 409);
      assert.equal(reader.last, seq, 'an event came while paused');
      assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
      await reader.until((r) => r.last > seq + 3 || r.done);
    }
    sameGeneration(await finish(reader, said));
  });
}

test('its call ends while it is parked: nothing is left in memory, and nothing is lost', async () => {
  const said = echo(40, 120);
  const reader = await begun(talk(said));
  const seq = await parked(reader);
  await until('parked', 0);
  assert.equal(await metric('live'), 0);
  assert.equal(reader.last, seq);
  assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
  sameGeneration(await finish(reader, said));
});

test('a budget is kept over the park, and to the chunk', async () => {
  const reader = await begun(talk(echo(40, 400)), 'token_stream', { budget: { tokens: 930 } });
  const seq = await parked(reader);
  await new Promise((go) => setTimeout(go, 2000)); // it says more than it may
  assert.equal(reader.last, seq);
  assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
  await reader.until((r) => r.events.filter((e) => e.type === 'session_state_change' && e.data.to === 'paused').length === 2);
  assert.equal((await server.get(`/sessions/${reader.id}`)).json.reason, 'budget');
  await server.post(`/sessions/${reader.id}/cancel`);
  await finish(reader, undefined, 'cancelled');
});

test('cancelled while it is parked: what was seen is kept', async () => {
  const said = echo(40, 400);
  const reader = await begun(talk(said));
  await parked(reader);
  const seen = [...reader.texts().values()][0];
  assert.equal((await server.post(`/sessions/${reader.id}/cancel`)).status, 200);
  const log = await finish(reader, seen, 'cancelled');
  assert.ok(said.startsWith(seen) && seen.length < said.length);
  sameGeneration(log);
});

test('kill -9 while it is parked', async () => {
  const said = echo(40, 200);
  const reader = await begun(talk(said));
  const seq = await parked(reader);
  await server.kill('SIGKILL');
  await server.start();
  assert.equal((await server.get(`/sessions/${reader.id}`)).json.status, 'paused');
  assert.equal(reader.last, seq);
  assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
  await finish(reader, said);
});

test('kill -9 after its call has ended in the park: the text is there, and nobody is asked again', async () => {
  const said = echo(40, 120);
  const reader = await begun(talk(said));
  await parked(reader);
  await until('parked', 0);
  await server.kill('SIGKILL');
  await server.start();
  assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
  sameGeneration(await finish(reader, said));
});

test('branches that talk at once, one of them over before the others', async () => {
  const said = [echo(40, 80), echo(40, 300), echo(40, 350)];
  const nodes = { start: { type: 'start', next_ids: ['all'] }, all: { type: 'parallel', next_ids: ['a', 'b', 'c'] }, end: { type: 'end' } };
  'abc'.split('').forEach((id, i) => { nodes[id] = { type: 'llm', properties: { prompt: said[i] }, next_ids: ['end'] }; });
  const reader = await begun({ nodes });
  await parked(reader);
  await new Promise((go) => setTimeout(go, 2000)); // the first has ended by now
  assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
  const log = await finish(reader);
  sameGeneration(log);
  assert.deepEqual(log.filter((e) => e.type === 'message').map((e) => e.data.content).sort(), [...said].sort());
});

test('a script: paused in mid-computation, parked, and it goes on where it was', async () => {
  const reader = await begun(node('script', { code: 'for i = 1, 40000000 do if i % 200000 == 0 then log(tostring(i)) end end return "counted"', timeout_ms: 120000 }), 'log');
  const seq = await parked(reader);
  assert.equal(reader.last, seq);
  assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
  assert.equal((await reader.ended()).data.output, 'counted');
  const log = await finish(reader);
  const said = log.filter((e) => e.type === 'log').map((e) => Number(e.data.message ?? e.data.text));
  assert.deepEqual(said, Array.from({ length: 200 }, (_, i) => (i + 1) * 200000));
});

test('a restart by SIGTERM while it is parked', async () => {
  const said = echo(40, 300);
  const reader = await begun(talk(said));
  await parked(reader);
  await server.kill('SIGTERM');
  await server.start();
  assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
  await finish(reader, said);
});
