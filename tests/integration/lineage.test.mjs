// Forks and retries over HTTP: new sessions that go on where others were.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server, Standin, sluiceBin } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

let server;
let standin;
before(async () => {
  standin = await new Standin().start();
  server = await new Server({ env: standin.env }).start();
});
after(async () => {
  await server?.close();
  await standin?.close();
});

async function finish(id, status) {
  const reader = new Reader(server, id);
  const end = await reader.ended();
  assert.equal(end.data.to, status, JSON.stringify(end.data));
  const log = await server.events(id);
  checkLog(log, id);
  checkReader(reader, log);
  checkMessages(log, id);
  reader.close();
  return log;
}

const move = (log, node, to) => log.find((e) => e.type === 'node_state_change' && e.node_id === node && e.data.to === to);
const whole = async (id) => [
  await server.events(id),
  (await server.get(`/sessions/${id}`)).text,
  (await server.get(`/sessions/${id}/messages`)).text,
  (await server.get(`/sessions/${id}/nodes`)).text,
];
const council = (judge) => ({
  input_schema: { type: 'object', properties: { topic: { type: 'string' } } },
  vars: { mood: 'calm' },
  nodes: {
    start: { type: 'start', next_ids: ['panel'] },
    panel: { type: 'parallel', next_ids: ['pro', 'con'] },
    pro: { type: 'llm', properties: { prompt: 'pro {{ input.topic }}' }, next_ids: ['judge'] },
    con: { type: 'llm', properties: { prompt: 'con {{ input.topic }}' }, next_ids: ['judge'] },
    judge: { type: 'llm', properties: { prompt: judge }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});
const failing = council('[[status=400 times=1]]{{ vars.mood }} {{ nodes.pro.output }} {{ input.topic }}');
// Model calls that have come to an end.
const requests = async () => {
  const s = await (await fetch(`${standin.url}/stats`)).json();
  return s.complete + s.client_closed + s.faults;
};

test('a council that failed is retried from its judge: nobody else is asked again', async () => {
  const id = await server.execute(failing, { topic: 'cats' });
  const log = await finish(id, 'failed');
  const before = await whole(id);
  const asked = await requests();
  const r = await server.post(`/sessions/${id}/retry`, {});
  assert.equal(r.status, 202, r.text);
  const again = await finish(r.json.session_id, 'failed'); // its judge is refused once as well: another key
  assert.equal(await requests(), asked + 1);
  for (const node of ['pro', 'con']) {
    assert.equal(move(again, node, 'completed').data.output, move(log, node, 'completed').data.output);
    assert.deepEqual(
      again.filter((e) => e.type === 'message' && e.node_id === node).map((e) => e.data.content),
      log.filter((e) => e.type === 'message' && e.node_id === node).map((e) => e.data.content),
    );
  }
  const shown = (await server.get(`/sessions/${r.json.session_id}`)).json;
  assert.deepEqual(shown.parent, { session_id: id, seq: log.length });
  assert.deepEqual(shown.graph, failing);
  assert.equal((await server.get(`/sessions/${r.json.session_id}/messages`)).json.items.length, 2);
  assert.deepEqual(await whole(id), before);
  assert.equal((await server.get(`/sessions/${id}`)).json.parent, null);
});

test('a fork with other input and variables: only what comes after sees them', async () => {
  const id = await server.execute(council('{{ vars.mood }}, {{ input.topic }} [[echo]]'), { topic: 'cats' });
  const log = await finish(id, 'completed');
  assert.match((await server.get(`/sessions/${id}`)).json.output, /calm, cats/);
  const r = await server.post(`/sessions/${id}/fork`, {
    after_seq: move(log, 'judge', 'running').seq - 1,
    input: { topic: 'dogs' },
    vars: { mood: 'wild' },
  });
  assert.equal(r.status, 202, r.text);
  const forked = await finish(r.json.session_id, 'completed');
  assert.equal(move(forked, 'pro', 'completed').data.output, move(log, 'pro', 'completed').data.output);
  const shown = (await server.get(`/sessions/${r.json.session_id}`)).json;
  assert.match(shown.output, /wild, dogs/);
  assert.deepEqual(shown.input, { topic: 'dogs' });
  assert.deepEqual(shown.parent, { session_id: id, seq: move(log, 'judge', 'running').seq - 1 });
});

test('a fork of a live session, in the middle of a stream, leaves it alone', async () => {
  const id = await server.execute(council('[[echo rate=40]]one two three four five six seven eight nine ten'), { topic: 'cats' });
  const reader = new Reader(server, id);
  await reader.until((x) => x.events.some((e) => e.type === 'token_stream' && e.node_id === 'judge'));
  const asked = await requests();
  const r = await server.post(`/sessions/${id}/fork`, { after_seq: reader.events.at(-1).seq });
  assert.equal(r.status, 202, r.text);
  const forked = await finish(r.json.session_id, 'completed');
  assert.equal(move(forked, 'judge', 'running').data.attempt, 1);
  const log = await finish(id, 'completed');
  assert.equal(move(forked, 'judge', 'completed').data.output, move(log, 'judge', 'completed').data.output);
  assert.equal(await requests(), asked + 2); // the judge of each
  reader.close();
  const from = await server.post(`/sessions/${id}/fork`, { node_id: 'pro' });
  const other = await finish(from.json.session_id, 'completed');
  assert.equal(move(other, 'con', 'completed').data.output, move(log, 'con', 'completed').data.output);
  assert.equal(await requests(), asked + 4); // pro and the judge
});

test('answers of people go with a fork, and it waits where the other one waited', async () => {
  const id = await server.execute({
    nodes: {
      start: { type: 'start', next_ids: ['first'] },
      first: { type: 'human_review', routes: { approve: 'second', reject: 'end' } },
      second: { type: 'human_review', routes: { approve: 'end', reject: 'first' } },
      end: { type: 'end' },
    },
  });
  const reader = new Reader(server, id);
  await reader.untilEvent('human_interaction_required', (e) => e.node_id === 'first');
  await server.post(`/sessions/${id}/nodes/first/resume`, { action: 'approve', reviewer: 'ann', data: { note: 'fine' } });
  const asked = await reader.untilEvent('human_interaction_required', (e) => e.node_id === 'second');
  const r = await server.post(`/sessions/${id}/fork`, { after_seq: asked.seq });
  const fork = r.json.session_id;
  const waits = (await server.get(`/sessions/${fork}`)).json;
  assert.deepEqual(waits.waiting_on.map((w) => w.node_id), ['second']);
  assert.equal((await server.post(`/sessions/${fork}/nodes/second/resume`, { action: 'approve' })).status, 200);
  const log = await finish(fork, 'completed');
  const answer = log.find((e) => e.type === 'node_resumed' && e.node_id === 'first');
  assert.deepEqual([answer.data.action, answer.data.data, answer.data.reviewer], ['approve', { note: 'fine' }, 'ann']);
  assert.equal((await server.get(`/sessions/${id}`)).json.status, 'running');
  assert.equal((await server.post(`/sessions/${id}/cancel`, {})).status, 200);
  await finish(id, 'cancelled');
  reader.close();
});

test('a key twice is one fork', async () => {
  const id = await server.execute(council('hm'), { topic: 'cats' });
  const log = await finish(id, 'completed');
  const headers = { 'idempotency-key': randomUUID() };
  const one = await server.post(`/sessions/${id}/fork`, { node_id: 'judge' }, headers);
  const two = await server.post(`/sessions/${id}/fork`, { node_id: 'judge' }, headers);
  assert.equal(one.status, 202);
  assert.deepEqual(two.json, one.json);
  assert.equal((await server.post(`/sessions/${id}/fork`, { after_seq: log.length }, headers)).status, 409);
  await finish(one.json.session_id, 'completed');
});

test('what cannot be forked is refused, and nothing has changed', async () => {
  const id = await server.execute(council('hm'), { topic: 'cats' });
  const log = await finish(id, 'completed');
  const before = await whole(id);
  for (const [body, status] of [
    [{}, 400],
    [{ after_seq: 0 }, 400],
    [{ after_seq: -1 }, 400],
    [{ after_seq: log.length + 1 }, 400],
    [{ after_seq: 3, node_id: 'pro' }, 400],
    [{ node_id: 'nobody' }, 404],
    [{ node_id: 'pro', vars: [] }, 400],
    [{ node_id: 'pro', input: { topic: 7 } }, 400],
    [{ node_id: 'pro', color: 'red' }, 400],
  ]) {
    const r = await server.post(`/sessions/${id}/fork`, body);
    assert.equal(r.status, status, `${JSON.stringify(body)}: ${r.text}`);
    assert.ok(r.json.error);
  }
  assert.equal((await server.post(`/sessions/${id}/retry`, {})).status, 409);
  assert.equal((await server.post(`/sessions/${id}/retry`, { after_seq: 3 })).status, 400);
  assert.equal((await server.post(`/sessions/${randomUUID()}/fork`, { after_seq: 1 })).status, 404);
  assert.deepEqual(await whole(id), before);
  const all = await server.post(`/sessions/${id}/fork`, { after_seq: log.length });
  await finish(all.json.session_id, 'completed');
});

test('fork and retry on the command line', async () => {
  const id = await server.execute(failing, { topic: 'cats' });
  const log = await finish(id, 'failed');
  const cli = (...args) => execFileSync(sluiceBin(), args, { env: { ...process.env, SLUICE_URL: server.url }, encoding: 'utf8' }).trim();
  const retried = cli('session', 'retry', id);
  assert.equal((await server.get(`/sessions/${retried}`)).json.parent.session_id, id);
  const forked = cli('session', 'fork', id, '--after', String(log.length), '--var', 'mood=wild', '--var', 'n=[1]', '--input', 'topic=dogs');
  await finish(retried, 'failed');
  await finish(forked, 'failed');
  const shown = (await server.get(`/sessions/${forked}`)).json;
  assert.deepEqual([shown.input, shown.parent.seq], [{ topic: 'dogs' }, log.length]);
  const json = JSON.parse(cli('session', 'fork', id, '--node', 'pro', '--json'));
  await finish(json.session_id, 'failed');
  for (const args of [['fork', id], ['fork', id, '--after', '1', '--node', 'pro'], ['fork', id, '--after', 'x'], ['retry', id, '--after', '1']]) {
    assert.throws(() => cli('session', ...args), (e) => e.status === 2);
  }
});

test('a fork outlives a server that dies', async () => {
  const id = await server.execute(council('[[echo rate=30]]one two three four five six seven eight'), { topic: 'cats' });
  const log = await finish(id, 'completed');
  const r = await server.post(`/sessions/${id}/fork`, { node_id: 'judge' });
  await server.kill();
  await server.start();
  const forked = await finish(r.json.session_id, 'completed');
  assert.equal(move(forked, 'pro', 'completed').data.output, move(log, 'pro', 'completed').data.output);
});
