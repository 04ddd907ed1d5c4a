// Child sessions over HTTP: started, ended, paused, cancelled with their parent, across a kill.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server, Standin } from './lib/server.mjs';
import { checkLog, checkReader } from './lib/truth.mjs';

let server;
let standin;
before(async () => {
  standin = await new Standin().start();
  server = await new Server({ env: standin.env }).start();
  for (const [id, graph] of Object.entries(flows)) {
    const r = await server.post('/workflows', { id, ...graph });
    assert.equal(r.status, 201, r.text);
  }
});
after(async () => {
  await server?.close();
  await standin?.close();
});

const chain = (nodes, more = {}) => {
  const ids = ['start', ...Object.keys(nodes), 'end'];
  const all = { start: { type: 'start' }, ...nodes, end: { type: 'end' } };
  for (let i = 0; i + 1 < ids.length; i++) all[ids[i]] = { ...all[ids[i]], next_ids: [ids[i + 1]] };
  return { ...more, nodes: all };
};
const sub = (workflow_id, properties = {}, more = {}) => chain({ child: { type: 'subworkflow', properties: { workflow_id, ...properties }, ...more } });
const flows = {
  twice: chain({ t: { type: 'transform', properties: { output: { n: 'input.n * 2' } } } }, { input_schema: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } } }),
  asks: chain({ ask: { type: 'human_review' } }),
  talks: chain({ talk: { type: 'llm', properties: { prompt: '[[echo rate=20]]one two three four five six seven eight nine ten' } } }),
  breaks: chain({ t: { type: 'transform', properties: { output: 'input.a.b.c' } } }),
  deeper: sub('deeper'),
  nested: sub('twice', { input: { n: 'input.n + 1' } }),
};

async function finish(id, status) {
  const reader = new Reader(server, id);
  const end = await reader.ended(10000);
  assert.equal(end.data.to, status, JSON.stringify(end.data));
  const log = await server.events(id);
  checkLog(log, id);
  checkReader(reader, log);
  reader.close();
  return log;
}
const get = async (id) => (await server.get(`/sessions/${id}`)).json;
async function childOf(id, node = 'child') {
  const reader = new Reader(server, id);
  const e = await reader.untilEvent('node_state_change', (x) => x.node_id === node && x.data.to === 'running');
  reader.close();
  return e.data.child_session_id;
}
async function until(id, type, matches) {
  const reader = new Reader(server, id);
  const e = await reader.untilEvent(type, matches);
  reader.close();
  return e;
}
// A child is there as soon as its parent's event is followed up; readers of one that is not yet are refused.
async function there(id) {
  for (let i = 0; i < 500; i++) {
    if ((await server.get(`/sessions/${id}`)).status === 200) return id;
    await new Promise((go) => setTimeout(go, 10));
  }
  throw new Error('the child does not appear');
}

test('a child gets its input and gives its output', async () => {
  const id = await server.execute(sub('nested', { input: { n: 'input.k' } }), { k: 20 });
  await finish(id, 'completed');
  const child = await childOf(id);
  const shown = await get(child);
  assert.deepEqual((await get(id)).output, { n: 42 });
  assert.deepEqual([shown.status, shown.workflow_id, shown.workflow_version, shown.input], ['completed', 'nested', 1, { n: 20 }]);
  assert.deepEqual(shown.parent, { session_id: id, seq: 0 });
  const grandchild = await childOf(child);
  assert.deepEqual((await get(grandchild)).parent, { session_id: child, seq: 0 });
});

for (const [what, graph, code] of [
  ['that fails', sub('breaks'), 'child_failed'],
  ['of a workflow that is not there', sub('nobody'), 'unknown_workflow'],
  ['of a version that is not there', sub('twice', { version: 7 }), 'unknown_workflow'],
  ['with an input that does not hold', sub('twice', { input: { n: '"x"' } }), 'invalid_input'],
  ['without an end to its nesting', sub('deeper'), 'child_failed'],
]) {
  test(`a child ${what} fails its node: ${code}`, async () => {
    const id = await server.execute(graph, {});
    await finish(id, 'failed');
    const { error } = await get(id);
    assert.deepEqual([error.code, error.node_id], [code, 'child'], JSON.stringify(error));
  });
}

test('nesting has an end: the ninth level is refused', async () => {
  const id = await server.execute(sub('deeper'), {});
  await finish(id, 'failed');
  let at = id, depth = 0;
  for (; (await get(at)).error.code === 'child_failed'; depth++) at = await childOf(at);
  assert.equal((await get(at)).error.code, 'too_deep');
  assert.equal(depth, 8);
});

test('a retry has a child of its own', async () => {
  const id = await server.execute(sub('breaks', {}, { retry: { max_attempts: 2, initial_ms: 1 } }), {});
  const log = await finish(id, 'failed');
  const children = log.filter((e) => e.data.child_session_id).map((e) => e.data.child_session_id);
  assert.equal(new Set(children).size, 2);
  for (const child of children) assert.equal((await get(child)).status, 'failed');
});

test('cancel goes down', async () => {
  const id = await server.execute(sub('asks'), {});
  const child = await there(await childOf(id));
  await until(child, 'human_interaction_required', () => true);
  assert.equal((await server.post(`/sessions/${id}/cancel`, {})).status, 200);
  await finish(id, 'cancelled');
  await finish(child, 'cancelled');
  assert.equal((await get(child)).reason, 'parent ended');
});

test('a child that is cancelled fails its node', async () => {
  const id = await server.execute(sub('asks'), {});
  const child = await there(await childOf(id));
  await server.post(`/sessions/${child}/cancel`, {});
  await finish(id, 'failed');
  assert.equal((await get(id)).error.code, 'child_cancelled');
});

test('a timeout ends the child, too', async () => {
  const id = await server.execute(sub('asks', {}, { timeout_ms: 300 }), {});
  const child = await there(await childOf(id));
  await finish(id, 'failed');
  assert.equal((await get(id)).error.code, 'timeout');
  await finish(child, 'cancelled');
});

test('pause and resume go down; who was paused by a person stays paused', async () => {
  const id = await server.execute(sub('asks'), {});
  const child = await there(await childOf(id));
  await until(child, 'human_interaction_required', () => true);
  await server.post(`/sessions/${id}/pause`, {});
  const paused = await until(child, 'session_state_change', (e) => e.data.to === 'paused');
  assert.equal(paused.data.reason, 'parent paused');
  await server.post(`/sessions/${id}/resume`, {});
  await until(child, 'session_state_change', (e) => e.data.from === 'paused' && e.data.to === 'running');
  await server.post(`/sessions/${child}/pause`, { reason: 'mine' });
  await server.post(`/sessions/${id}/pause`, {});
  await server.post(`/sessions/${id}/resume`, {});
  const note = await server.post(`/sessions/${child}/signal`, { name: 'a-last-command', payload: 1 });
  assert.ok(note.status < 500);
  assert.deepEqual([(await get(child)).status, (await get(child)).reason], ['paused', 'mine']);
  await server.post(`/sessions/${child}/resume`, {});
  assert.equal((await server.post(`/sessions/${child}/nodes/ask/resume`, { action: 'approve' })).status, 200);
  await finish(id, 'completed');
});

test('an answer that comes while the parent is paused is its result after the resume', async () => {
  const id = await server.execute(sub('asks'), {});
  const child = await there(await childOf(id));
  await until(child, 'human_interaction_required', () => true);
  await server.post(`/sessions/${id}/pause`, {});
  await until(child, 'session_state_change', (e) => e.data.to === 'paused');
  await server.post(`/sessions/${child}/resume`, {});
  await server.post(`/sessions/${child}/nodes/ask/resume`, { action: 'approve' });
  await finish(child, 'completed');
  assert.equal((await get(id)).status, 'paused');
  await server.post(`/sessions/${id}/resume`, {});
  await finish(id, 'completed');
});

test('kill -9 with a child that waits, and with one that talks', async () => {
  const waiting = await server.execute(sub('asks'), {});
  const talking = await server.execute(sub('talks'), {});
  const child = await there(await childOf(waiting));
  const talker = await there(await childOf(talking));
  await until(child, 'human_interaction_required', () => true);
  await until(talker, 'token_stream', () => true);
  await server.kill();
  await server.start();
  assert.equal((await server.post(`/sessions/${child}/nodes/ask/resume`, { action: 'approve' })).status, 200);
  const log = await finish(waiting, 'completed');
  await finish(talking, 'completed');
  assert.equal(log.filter((e) => e.data.child_session_id).length, 1, 'no attempt was lost');
  assert.equal((await get(talker)).status, 'completed');
});

test('a fork takes the result of a child that has ended over, and starts another where one had not', async () => {
  const graph = chain({
    first: { type: 'subworkflow', properties: { workflow_id: 'twice', input: { n: '4' } } },
    second: { type: 'subworkflow', properties: { workflow_id: 'asks' } },
  });
  const id = await server.execute(graph, {});
  const child = await there(await childOf(id, 'second'));
  await until(child, 'human_interaction_required', () => true);
  const r = await server.post(`/sessions/${id}/fork`, { after_seq: (await get(id)).last_seq });
  const other = await there(await childOf(r.json.session_id, 'second'));
  assert.notEqual(other, child);
  await until(other, 'human_interaction_required', () => true);
  await server.post(`/sessions/${other}/nodes/ask/resume`, { action: 'approve' });
  const log = await finish(r.json.session_id, 'completed');
  assert.deepEqual(log.find((e) => e.node_id === 'first' && e.data.to === 'completed').data.output, { n: 8 });
  await server.post(`/sessions/${id}/cancel`, {});
  await finish(id, 'cancelled');
});
