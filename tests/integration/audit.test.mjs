// The audit log: who asked for what, when, from where, and how it was answered.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { holds as holdsAt } from './lib/contract.mjs';
import { Server } from './lib/server.mjs';

let server, root, ada, session;
const as = (key) => ({ Authorization: `Bearer ${key}` });
const quick = { nodes: { start: { type: 'start', next_ids: ['end'] }, end: { type: 'end' } } };
const review = {
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'end' } },
    end: { type: 'end' },
  },
};

// Entries are written a moment later: until there are so many.
async function entries(query, count) {
  for (;;) {
    const r = await server.get(`/audit${query}`, as(root));
    assert.equal(r.status, 200, r.text);
    holdsAt('openapi#/components/schemas/AuditList', r.json);
    if (r.json.items.length >= count) return r.json.items;
    await new Promise((go) => setTimeout(go, 20));
  }
}

before(async () => { server = await new Server().start(); });
after(() => server?.close());

test('without auth: changes are noted, what sessions are told is in their own logs', async () => {
  const put = await server.request('PUT', '/workflows/open', quick);
  assert.equal(put.status, 200, put.text);
  await server.execute('open');
  root = (await server.post('/keys', { name: 'root', role: 'admin' })).json.key;
  ada = (await server.post('/keys', { name: 'ada', role: 'operator' }, as(root))).json.key;
  const items = await entries('', 3);
  assert.deepEqual(items.map((e) => [e.actor, e.action, e.status]), [
    ['root', 'key_create', 201], ['anonymous', 'key_create', 201], ['anonymous', 'workflow_put', 200]]);
  assert.equal(items[2].object, 'open');
  assert.equal(items[2].remote, '127.0.0.1');
  assert.equal(items[2].role, 'admin');
  assert.equal(items[2].code, null);
  assert.ok(Math.abs(Date.parse(items[2].at) - Date.now()) < 60000);
});

test('with keys: every command, refusals too', async () => {
  await server.request('PUT', '/workflows/review', review, as(root));
  const started = await server.post('/workflows/execute', { workflow_id: 'review' }, as(ada));
  assert.equal(started.status, 202, started.text);
  session = started.json.session_id;
  assert.equal((await server.post(`/sessions/${session}/pause`, { reason: 'a secret-word' }, as(ada))).status, 200);
  assert.equal((await server.post(`/sessions/${session}/pause`, {}, as(ada))).status, 409);
  assert.equal((await server.request('DELETE', '/workflows/review', undefined, as(ada))).status, 403);
  assert.equal((await server.request('DELETE', '/workflows/review', undefined, as('slk_wrong'))).status, 401);
  assert.equal((await server.get('/audit', as(ada))).status, 403);
  await server.get('/sessions', as(ada)); // a question: not noted
  const items = await entries(`?after=${new Date(0).toISOString()}&limit=500`, 10);
  const seen = items.slice(0, 7).reverse().map((e) => [e.actor, e.action, e.status, e.code]);
  assert.deepEqual(seen, [
    ['root', 'workflow_put', 200, null],
    ['ada', 'execute', 202, null],
    ['ada', 'pause', 200, null],
    ['ada', 'pause', 409, seen[3][3]],
    ['ada', 'workflow_delete', 403, 'forbidden'],
    ['anonymous', 'workflow_delete', 401, 'unauthorized'],
    ['ada', 'audit', 403, 'forbidden'],
  ]);
  assert.ok(seen[3][3]);
  assert.equal(items.find((e) => e.action === 'execute').session_id, session);
  const text = JSON.stringify(items);
  for (const secret of ['secret-word', 'slk_wrong', ada, root]) assert.ok(!text.includes(secret));
});

test('over a WebSocket, and by filters', async () => {
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { headers: as(ada) });
  await new Promise((done, fail) => { ws.on('open', done); ws.on('error', fail); });
  ws.send(JSON.stringify({ type: 'resume', request_id: 'r', session_id: session }));
  await new Promise((done) => ws.on('message', (m) => JSON.parse(m).request_id === 'r' && done()));
  ws.close();
  const [resumed] = await entries('?action=resume', 1);
  assert.deepEqual([resumed.actor, resumed.session_id, resumed.status], ['ada', session, 200]);
  const of = await entries(`?session_id=${session}`, 4);
  assert.deepEqual(of.map((e) => e.action), ['resume', 'pause', 'pause', 'execute']);
  assert.ok((await entries('?actor=root', 1)).every((e) => e.actor === 'root'));
  assert.deepEqual((await entries('?object=open', 1)).map((e) => e.action), ['workflow_put']);
  const page = (await server.get('/audit?limit=2', as(root))).json;
  const next = (await server.get(`/audit?limit=2&cursor=${page.next_cursor}`, as(root))).json;
  assert.equal(new Set([...page.items, ...next.items].map((e) => e.id)).size, 4);
  assert.equal((await server.get('/audit?cursor=nonsense', as(root))).status, 400);
});

test('what was noted last is there after a shutdown', async () => {
  const made = await server.post('/keys', { name: 'last', role: 'viewer' }, as(root));
  assert.equal(made.status, 201, made.text);
  await server.kill('SIGTERM');
  await server.start();
  const [last] = await entries('?action=key_create&limit=1', 1);
  assert.equal(last.object, made.json.id);
});
