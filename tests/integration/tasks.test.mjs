// Tasks: leases over HTTP, and the Python worker of examples/, killed in the middle.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, describe, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { repo, Server } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';

const graph = (queue, more = {}, properties = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['t'] },
    t: { type: 'task', properties: { queue, input: { text: 'input.text' }, heartbeat_ms: 1000, ...properties }, next_ids: ['end'], ...more },
    end: { type: 'end', properties: { output: 'nodes.t.output' } },
  },
});
const lease = (server, queue, more = {}) => server.post('/tasks/lease', { queue, wait_ms: 20000, worker: 'test', ...more });
const one = async (server, queue) => {
  const r = await lease(server, queue);
  assert.equal(r.status, 200, r.text);
  assert.equal(r.json.items.length, 1, 'no task came');
  return r.json.items[0];
};
const moves = (events, node) =>
  events.filter((e) => e.type === 'node_state_change' && e.node_id === node).map((e) => e.data.to).join(' ');

describe('over HTTP', () => {
  let server;
  before(async () => { server = await new Server().start(); });
  after(async () => { await server?.close(); });

  test('a worker that waits is given the task, and its output is the node\'s', async () => {
    const waiting = lease(server, 'a');
    const id = await server.execute(graph('a'), { text: 'hi' });
    const r = await waiting;
    assert.equal(r.status, 200, r.text);
    const [task] = r.json.items;
    assert.deepEqual(task.input, { text: 'hi' });
    assert.equal(task.session_id, id);
    assert.equal(task.node_id, 't');
    assert.equal(task.attempt, 1);
    assert.ok(Date.parse(task.lease_expires_at) > 0);
    const reader = new Reader(server, id);
    const beat = await server.post(`/tasks/${task.id}/heartbeat`, { attempt: 1, log: 'half of it' });
    assert.equal(beat.status, 200, beat.text);
    assert.ok(Date.parse(beat.json.lease_expires_at) > 0);
    const done = await server.post(`/tasks/${task.id}/complete`, { attempt: 1, output: { n: 1 } });
    assert.equal(done.status, 200, done.text);
    assert.equal(done.json.status, 'completed');
    await reader.ended();
    assert.equal(reader.find('log').data.text, 'half of it');
    assert.deepEqual((await server.get(`/sessions/${id}`)).json.output, { n: 1 });
    for (const what of ['complete', 'heartbeat']) {
      assert.equal((await server.post(`/tasks/${task.id}/${what}`)).status, 404, what);
    }
    reader.close();
  });

  test('of two answers at once one counts; a repeat with its key has the first answer', async () => {
    const id = await server.execute(graph('b', {}, { heartbeat_ms: 60000 }), { text: 'x' });
    const task = await one(server, 'b');
    const answers = await Promise.all([1, 2, 3].map((n) =>
      server.post(`/tasks/${task.id}/complete`, { output: n }, { 'idempotency-key': `k${n}` })));
    const statuses = answers.map((r) => r.status).sort();
    assert.deepEqual(statuses, [200, 404, 404]);
    const winner = answers.findIndex((r) => r.status === 200) + 1;
    const again = await server.post(`/tasks/${task.id}/complete`, { output: winner }, { 'idempotency-key': `k${winner}` });
    assert.equal(again.status, 200, again.text);
    assert.equal((await server.get(`/sessions/${id}`)).json.output, winner);
    assert.equal(moves(await server.events(id), 't'), 'running completed');
  });

  test('a lease that is over goes to the next worker, and the first one\'s answer is refused', async () => {
    const id = await server.execute(graph('c'), { text: 'x' });
    const first = await one(server, 'c');
    const second = await one(server, 'c'); // waits until the first lease is over
    assert.equal(second.id, first.id);
    assert.equal(second.attempt, 2);
    assert.equal(second.key, first.key);
    for (const what of ['complete', 'heartbeat', 'fail']) {
      const body = { attempt: 1, ...(what === 'fail' ? { error: { code: 'x', message: 'y' } } : {}) };
      const late = await server.post(`/tasks/${first.id}/${what}`, body);
      assert.equal(late.status, 409, late.text);
      assert.equal(late.json.code, 'lease_lost');
    }
    assert.equal((await server.post(`/tasks/${first.id}/complete`, { attempt: 2, output: 'two' })).status, 200);
    assert.equal((await server.get(`/sessions/${id}`)).json.output, 'two');
  });

  test('a failure is a new task with the same key, unless the worker rules that out', async () => {
    const retry = { retry: { max_attempts: 3, initial_ms: 0 } };
    const id = await server.execute(graph('d', retry), { text: 'x' });
    const first = await one(server, 'd');
    const failed = await server.post(`/tasks/${first.id}/fail`, { attempt: 1, error: { code: 'broken', message: 'It broke.' } });
    assert.equal(failed.status, 200, failed.text);
    const second = await one(server, 'd');
    assert.notEqual(second.id, first.id);
    assert.equal(second.key, first.key);
    await server.post(`/tasks/${second.id}/fail`, { error: { code: 'hopeless', message: 'Never.' }, retry: false });
    const session = (await server.get(`/sessions/${id}`)).json;
    assert.equal(session.status, 'failed');
    assert.equal(session.error.code, 'hopeless');
  });

  test('in a pause no task is leased; an answer counts after the resume', async () => {
    const id = await server.execute(graph('e', {}, { heartbeat_ms: 60000 }), { text: 'x' });
    const task = await one(server, 'e');
    const other = await server.execute(graph('e'), { text: 'y' });
    for (const s of [id, other]) assert.equal((await server.post(`/sessions/${s}/pause`)).status, 200);
    assert.equal((await lease(server, 'e', { wait_ms: 0 })).json.items.length, 0);
    assert.equal((await server.post(`/tasks/${task.id}/complete`, { output: 1 })).status, 200);
    assert.equal((await server.post(`/tasks/${task.id}/complete`, { output: 2 })).status, 404);
    assert.equal(moves(await server.events(id), 't'), 'running');
    const waiting = lease(server, 'e');
    for (const s of [id, other]) assert.equal((await server.post(`/sessions/${s}/resume`)).status, 200);
    assert.equal((await server.get(`/sessions/${id}`)).json.output, 1);
    assert.equal((await waiting).json.items[0].session_id, other);
    await server.post(`/sessions/${other}/cancel`);
    assert.equal((await server.post(`/tasks/${(await waiting).json.items[0].id}/heartbeat`)).status, 404);
  });

  test('a restart loses nothing, and who waits is answered before it', async () => {
    const id = await server.execute(graph('f', {}, { heartbeat_ms: 60000 }), { text: 'x' });
    const task = await one(server, 'f');
    const later = await server.execute(graph('g'), { text: 'y' });
    await server.kill('SIGKILL');
    await server.start();
    assert.equal((await server.post(`/tasks/${task.id}/complete`, { attempt: 1, output: 7 })).status, 200);
    assert.equal((await server.get(`/sessions/${id}`)).json.output, 7);
    assert.equal((await one(server, 'g')).session_id, later);
    const waiting = lease(server, 'nothing');
    await server.post('/tasks/lease', { queue: 'other' }); // the wait has begun
    const ended = server.kill('SIGTERM');
    assert.deepEqual((await waiting).json, { items: [] });
    assert.equal((await ended).code, 0);
    await server.start();
  });

  test('a client that has gone is leased nothing', async () => {
    const gone = new AbortController();
    const waiting = fetch(`${server.url}/tasks/lease`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, signal: gone.signal,
      body: JSON.stringify({ queue: 'h', wait_ms: 60000 }),
    });
    await server.post('/tasks/lease', { queue: 'other' });
    gone.abort();
    await assert.rejects(waiting);
    await server.post('/tasks/lease', { queue: 'other' });
    await server.execute(graph('h', {}, { heartbeat_ms: 600000 }), { text: 'x' });
    assert.equal((await one(server, 'h')).attempt, 1);
  });

  test('what makes no sense is refused', async () => {
    for (const [path, body, status] of [
      ['/tasks/lease', {}, 400],
      ['/tasks/lease', { queue: 'a b' }, 400],
      ['/tasks/lease', { queue: 'a', max: 33 }, 400],
      ['/tasks/lease', { queue: 'a', wait_ms: 60001 }, 400],
      ['/tasks/x/complete', {}, 404],
      ['/tasks/00000000-0000-7000-8000-000000000000/complete', {}, 404],
      ['/tasks/00000000-0000-7000-8000-000000000000/fail', {}, 400],
      ['/tasks/00000000-0000-7000-8000-000000000000/fail', { error: { code: 'a b', message: '' } }, 400],
      ['/tasks/00000000-0000-7000-8000-000000000000/heartbeat', { attempt: -1 }, 400],
    ]) {
      const r = await server.post(path, body);
      assert.equal(r.status, status, `${path} ${JSON.stringify(body)}: ${r.text}`);
    }
  });
});

describe('the Python worker', () => {
  let server;
  const workers = new Set();
  before(async () => { server = await new Server().start(); });
  after(async () => { await server?.close(); });
  afterEach(() => { workers.forEach((w) => w.kill('SIGKILL')); workers.clear(); });

  // One that begins its task, says so, and never comes to an end.
  const stuck = `
import sys, time, worker
def handle(task, log):
    log("begun")
    print("begun", flush=True)
    time.sleep(3600)
worker.run(sys.argv[1], sys.argv[2], handle)`;

  function python(...args) {
    const w = spawn('python3', args, { env: { ...process.env, PYTHONPATH: join(repo, 'examples') }, stdio: ['ignore', 'pipe', 'inherit'] });
    workers.add(w);
    return w;
  }

  test('killed in the middle, the next one does the task, and it counts once', async () => {
    const first = python('-c', stuck, server.url, 'words');
    const id = await server.execute(graph('words'), { text: 'one two three' });
    await new Promise((go) => createInterface({ input: first.stdout }).once('line', go));
    first.kill('SIGKILL');
    python(join(repo, 'examples/worker.py'), server.url, 'words');
    const reader = new Reader(server, id);
    await reader.ended();
    reader.close();
    const session = (await server.get(`/sessions/${id}`)).json;
    assert.deepEqual(session.output, { words: 3, characters: 13 });
    assert.equal(moves(reader.events, 't'), 'running completed');
    assert.deepEqual(reader.events.filter((e) => e.type === 'log').map((e) => e.data.text), ['begun', 'counted 3 words']);
  });

  test('it heartbeats, fails with a code, and goes on after a restart of the server', async () => {
    python(join(repo, 'examples/worker.py'), server.url, 'more');
    const bad = await server.execute(graph('more', { retry: { max_attempts: 3 } }), { text: 5 });
    const reader = new Reader(server, bad);
    await reader.ended();
    reader.close();
    assert.equal((await server.get(`/sessions/${bad}`)).json.error.code, 'no_text');
    await server.kill('SIGKILL');
    await server.start();
    const id = await server.execute(graph('more'), { text: 'a b' });
    const after = new Reader(server, id);
    await after.ended();
    after.close();
    assert.equal((await server.get(`/sessions/${id}`)).json.output.words, 2);
  });
});

describe('several servers', { skip: storeKind() === 'postgres' ? false : 'the embedded store has one instance' }, () => {
  test('a task is leased and ended at another instance than the session\'s', async () => {
    const database = new Database();
    const servers = [];
    try {
      for (let i = 0; i < 2; i++) servers.push(await new Server({ database }).start());
      const waiting = lease(servers[1], 'q');
      const id = await servers[0].execute(graph('q', {}, { heartbeat_ms: 60000 }), { text: 'x' });
      const task = (await waiting).json.items[0];
      assert.equal(task.session_id, id);
      const answers = await Promise.all(servers.map((s, i) => s.post(`/tasks/${task.id}/complete`, { attempt: 1, output: i })));
      assert.deepEqual(answers.map((r) => r.status).sort(), [200, 404]);
      assert.equal((await servers[1].get(`/sessions/${id}`)).json.output, answers.findIndex((r) => r.status === 200));
    } finally {
      for (const s of servers) await s.close();
      database.drop();
    }
  });
});
