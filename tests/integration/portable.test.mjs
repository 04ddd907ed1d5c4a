// Sessions as files: exported, imported into another server, exported again: the same bytes; and what
// was live there can go on here. Where PostgreSQL is there, the other server has the other store.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Reader } from './lib/client.mjs';
import { DemoServer, examplesOf, runExample } from './lib/scripted.mjs';
import { repo, Server, sluiceBin, Standin } from './lib/server.mjs';
import { storeKind } from './lib/services.mjs';
import { checkLog } from './lib/truth.mjs';

const run = promisify(execFile);
const demo = new DemoServer();
const other = storeKind() === 'sqlite' && process.env.SLUICE_TEST_POSTGRES ? 'postgres' : 'sqlite';
let here, there, back, standin;
before(async () => {
  standin = await new Standin().start();
  here = await demo.start({}, ['--examples', join(repo, 'examples/kinds')]);
  there = await new Server({ store: other, env: standin.env }).start();
  back = await new Server({ env: standin.env }).start();
});
after(async () => {
  await demo.close();
  await there?.close();
  await back?.close();
  await standin?.close();
});

const lines = { 'content-type': 'application/x-ndjson' };
async function exported(server, id) {
  const r = await server.get(`/sessions/${id}/export`);
  assert.equal(r.status, 200, r.text);
  assert.equal(r.headers.get('content-type'), 'application/x-ndjson');
  return r.text;
}
const take = (server, text, headers = lines) => server.request('POST', '/sessions/import', text, headers);
async function imported(server, text) {
  const r = await take(server, text);
  assert.equal(r.status, 201, r.text);
  return r.json;
}
// What a client sees of a session, on every route.
async function seen(server, id) {
  const all = {};
  for (const what of ['', '/messages?limit=500', '/nodes?limit=500', '/files', '/usage', '/stages']) {
    const r = await server.get(`/sessions/${id}${what}`);
    assert.equal(r.status, 200, `${what}: ${r.text}`);
    all[what] = r.json;
  }
  delete all[''].graph; // an imported one has it with it
  all.events = await server.events(id);
  return all;
}
// There and back again; the same bytes everywhere, and the same to see.
async function travels(id, name) {
  const text = await exported(here, id);
  await imported(there, text);
  assert.equal(await exported(there, id), text, name);
  assert.deepEqual(await seen(there, id), await seen(here, id), name);
  await imported(back, await exported(there, id));
  assert.equal(await exported(back, id), text, name);
  return text;
}

test('every example: ended, failed, suspended, with files, children and forks', async () => {
  const away = new Set(['tool-mcp', 'tool', 'fact_check', 'wait']); // they want servers, or time
  for (const example of examplesOf('kinds').filter((x) => !away.has(x.name))) {
    await runExample(here, example);
    if (example.graph.metadata?.example?.answers) {
      const id = await here.execute(example.graph, example.graph.metadata.example.input ?? {});
      const reader = new Reader(here, id); // as it waits for somebody
      await reader.untilEvent('node_state_change', (e) => e.data.to === 'suspended' || example.graph.nodes[e.node_id]?.type === 'task');
      reader.close();
    }
  }
  const write = (path, content) => ({ type: 'tool', properties: { tool: 'write_file', arguments: { path, content } } });
  const id = await here.execute({ nodes: {
    start: { type: 'start', next_ids: ['w'] },
    w: { ...write('notes/ä.md', 'one\n'), next_ids: ['again'] },
    again: { ...write('notes/ä.md', 'two\n\t"\u2028'), next_ids: ['fails'] },
    fails: { type: 'transform', properties: { output: 'input.none.at.all' }, next_ids: ['end'] },
    end: { type: 'end' },
  } }, {}, { tags: ['a', 'ü'], metadata: { deep: { er: [1, 2.5, null] } }, name: 'With files', user_id: 'ann' });
  const reader = new Reader(here, id);
  await reader.ended();
  reader.close();
  const fork = await here.post(`/sessions/${id}/fork`, { node_id: 'again' });
  assert.equal(fork.status, 202, fork.text);
  const forked = new Reader(here, fork.json.session_id);
  await forked.ended();
  forked.close();

  const all = (await here.get('/sessions?limit=500')).json.items;
  const states = new Set(all.map((s) => s.status));
  for (const s of ['completed', 'failed', 'running']) assert.ok(states.has(s), `one is ${s}`);
  assert.ok(all.some((s) => s.parent), 'one has a parent');
  let busy = 0;
  for (const s of all) {
    const text = await exported(here, s.id);
    if (s.status === 'running' && /^\{"(session":.*"busy":true|task":)/m.test(text)) busy++; // those come in paused: below
    else await travels(s.id, `${s.workflow_id ?? s.name} ${s.status}`);
  }
  assert.ok(all.length - busy > 25, `${all.length} sessions, ${busy} busy`);
});

const talk = (rate) => ({ nodes: {
  start: { type: 'start', next_ids: ['talk'] },
  talk: { type: 'llm', properties: { prompt: `[[echo rate=${rate}]]one two three four five six seven eight nine ten eleven twelve` }, next_ids: ['end'] },
  end: { type: 'end' },
} });
async function started(server, graph, seq = 5) {
  const id = await server.execute(graph);
  const reader = new Reader(server, id);
  await reader.until((r) => r.last >= seq);
  reader.close();
  return id;
}
async function completes(server, id) {
  const reader = new Reader(server, id);
  const end = await reader.ended();
  reader.close();
  assert.deepEqual(reader.problems, []);
  assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
  checkLog(await server.events(id), id);
  return (await server.get(`/sessions/${id}`)).json;
}

test('paused in the middle of a sentence, it goes on in both places', async () => {
  const id = await started(there, talk(20));
  const paused = await there.post(`/sessions/${id}/pause`);
  assert.equal(paused.status, 200, paused.text);
  const text = await exported(there, id);
  assert.deepEqual(await imported(back, text), { session_id: id, status: 'paused' });
  assert.equal(await exported(back, id), text);
  for (const server of [back, there]) {
    assert.equal((await server.post(`/sessions/${id}/resume`)).status, 200);
    const session = await completes(server, id);
    assert.match(JSON.stringify(session.output), /one two three/);
  }
});

test('what ran there comes in paused, and can be resumed', async () => {
  const id = await started(there, talk(20));
  const text = await exported(there, id);
  assert.deepEqual(await imported(back, text), { session_id: id, status: 'paused' });
  const session = (await back.get(`/sessions/${id}`)).json;
  assert.equal(session.status, 'paused');
  assert.equal(session.reason, 'imported');
  const again = await exported(back, id); // with the pause, and as it came otherwise
  const events = (t) => t.split('\n').filter((l) => l.startsWith('{"event"'));
  assert.deepEqual(events(again).slice(0, events(text).length), events(text));
  const pause = JSON.parse(events(again)[events(text).length]).event;
  assert.deepEqual([pause.type, pause.data.from, pause.data.to, pause.data.quiesced], ['session_state_change', 'running', 'paused', true]);
  const third = await new Server({ env: standin.env }).start();
  await imported(third, again);
  assert.equal(await exported(third, id), again);
  await third.close();
  // A restart changes nothing; then it goes on.
  await back.kill('SIGKILL');
  await back.start();
  assert.equal(await exported(back, id), again);
  assert.equal((await back.post(`/sessions/${id}/resume`)).status, 200);
  assert.match(JSON.stringify((await completes(back, id)).output), /one two three/);
  await completes(there, id);
});

test('a review is answered where it was taken to', async () => {
  const id = await here.execute({ nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'human_review', properties: { review_type: 'approve_reject', timeout_minutes: 30 }, routes: { approve: 'end', reject: 'end' } },
    end: { type: 'end' },
  } });
  const reader = new Reader(here, id);
  await reader.untilEvent('human_interaction_required');
  reader.close();
  await travels(id, 'review');
  const open = (await there.get('/reviews?status=pending')).json.items;
  assert.ok(open.some((r) => r.session_id === id));
  const answered = await there.post(`/sessions/${id}/nodes/ask/resume`, { action: 'approve' });
  assert.equal(answered.status, 200, answered.text);
  await completes(there, id);
  assert.equal((await here.get(`/sessions/${id}`)).json.status, 'running'); // each has its own
});

test('the command line takes one out and in', async () => {
  const id = await started(there, talk(20));
  const file = join(here.scratch, 'session.jsonl');
  const sluice = (server, ...args) => run(sluiceBin(), [...args, '--server', server.url, '--lang', 'en']);
  assert.equal((await sluice(there, 'session', 'export', id, '--output', file)).stdout, '');
  const text = readFileSync(file, 'utf8');
  assert.match(text, /^\{"sluice_export":1,/);
  const { stdout } = await sluice(back, 'session', 'import', file);
  assert.match(stdout, new RegExp(`^${id} is here now, paused\\n`));
  assert.equal((await sluice(back, 'session', 'export', id)).stdout, await exported(back, id));
  await assert.rejects(sluice(back, 'session', 'import', file), (e) => e.code === 4 && /exists already/.test(e.stderr));
  await completes(there, id);
});

test('an import reaches nothing of another workspace', async () => {
  const lend = { nodes: { start: { type: 'start', next_ids: ['ask'] }, ask: { type: 'human_review', routes: { approve: 'end', reject: 'end' } }, end: { type: 'end' } } };
  assert.equal((await back.request('PUT', '/workflows/lend', lend)).status, 200);
  const parent = await back.execute({ nodes: { start: { type: 'start', next_ids: ['c'] }, c: { type: 'subworkflow', properties: { workflow_id: 'lend' }, next_ids: ['end'] }, end: { type: 'end' } } });
  const reader = new Reader(back, parent);
  const child = (await reader.untilEvent('node_state_change', (e) => e.node_id === 'c' && e.data.to === 'running')).data.child_session_id;
  reader.close();
  assert.equal((await back.post(`/sessions/${parent}/pause`)).status, 200);
  const text = await exported(back, parent);
  const keyed = await new Server({ env: standin.env }).start();
  try {
    const auth = (key) => ({ authorization: `Bearer ${key}` });
    const admin = (await keyed.post('/keys', { name: 'root', role: 'admin' })).json.key;
    const keyOf = async (workspace) => auth((await keyed.post('/keys', { name: workspace, role: 'editor', workspace }, auth(admin))).json.key);
    const [theirs, ours] = [await keyOf('theirs'), await keyOf('ours')];
    const graph = (more) => ({ graph: { nodes: { start: { type: 'start', next_ids: ['end'] }, ...more, end: { type: 'end', properties: { output: "'the secret of theirs'" } } } } });
    const open = { start: { type: 'start', next_ids: ['ask'] }, ask: { type: 'user_input', next_ids: ['end'] } };
    for (const [more, status] of [[{}, 'completed'], [open, 'running']]) {
      const secret = (await keyed.post('/workflows/execute', graph(more), theirs)).json.session_id;
      const until = Date.now() + 10000;
      while ((await keyed.get(`/sessions/${secret}`, theirs)).json.status !== status) assert.ok(Date.now() < until);
      const forged = text.replaceAll(child, secret).replaceAll(parent, `${parent.slice(0, -4)}${secret.slice(-4)}`);
      const id = JSON.parse(forged.slice(0, forged.indexOf('\n'))).session_id;
      const head = forged.slice(0, forged.lastIndexOf('\n{"end"') + 1);
      const end = JSON.parse(forged.slice(head.length));
      end.end.sha256 = createHash('sha256').update(head).digest('hex');
      const r = await take(keyed, `${head}${JSON.stringify(end)}\n`, { ...lines, ...ours });
      assert.equal(r.status, 201, r.text);
      assert.equal((await keyed.get(`/sessions/${id}`, theirs)).status, 404);
      assert.equal((await keyed.post(`/sessions/${id}/resume`, {}, ours)).status, 200);
      let session;
      do session = (await keyed.get(`/sessions/${id}`, ours)).json; while (session.status === 'running' && Date.now() < until);
      assert.equal(session.status, 'failed', JSON.stringify(session));
      assert.equal(session.error.code, 'child_not_found');
      assert.ok(!(await keyed.get(`/sessions/${id}/events?limit=500`, ours)).text.includes('secret'));
      assert.equal((await keyed.get(`/sessions/${secret}`, theirs)).json.status, status); // nor was it cancelled
    }
  } finally {
    await keyed.close();
  }
});

test('what is no export changes nothing', async () => {
  const id = await here.execute({ nodes: { start: { type: 'start', next_ids: ['end'] }, end: { type: 'end' } } });
  const reader = new Reader(here, id);
  await reader.ended();
  reader.close();
  const text = await exported(here, id);
  const cases = [
    ['', 400], ['{}\n', 400], ['x', 400], [text.slice(0, -1), 400], [`${text}\n`, 400], [`${text}{}\n`, 400],
    [text.replace('"completed"', '"Completed"'), 400],
    [text.replace('"sluice_export":1', '"sluice_export":2'), 400],
    [text.replaceAll(id, '00000000-0000-0000-0000-000000000000'), 400],
    [text.split('\n').slice(1).join('\n'), 400],
    [text.split('\n').reverse().join('\n'), 400],
    [text.replace('{"session"', ' {"session"'), 400],
    [text.replace('\n', '\r\n'), 400],
  ];
  for (const [body, status] of cases) {
    const r = await take(there, body);
    assert.equal(r.status, status, `${body.slice(0, 60)}: ${r.text}`);
    assert.equal(typeof r.json.error, 'string');
  }
  assert.equal((await take(there, text, { 'content-type': 'application/json' })).status, 415);
  assert.equal((await there.get(`/sessions/${id}`)).status, 404);
  // With an Idempotency-Key it is taken in once, and answered twice; without, it is there.
  const key = { ...lines, 'idempotency-key': `import-${id}` };
  for (let i = 0; i < 2; i++) assert.equal((await take(there, text, key)).status, 201);
  const twice = await take(there, text);
  assert.equal(twice.status, 409, twice.text);
  assert.equal((await there.get('/sessions/00000000-0000-7000-8000-000000000000/export')).status, 404);
  // Too large is said before it is sent.
  const status = await new Promise((done, fail) => {
    const r = request({ port: there.port, host: '127.0.0.1', method: 'POST', path: '/sessions/import', headers: { ...lines, 'content-length': 64 * 1024 * 1024 + 1, expect: '100-continue' } });
    r.on('response', (res) => { done(res.statusCode); r.destroy(); });
    r.on('continue', () => fail(new Error('it was asked for')));
    r.on('error', fail);
    r.flushHeaders();
  });
  assert.equal(status, 413);
});
