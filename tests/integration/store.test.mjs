// Sessions as other programs keep them here: PUT, PATCH, HEAD, DELETE, batches, filters, errors. On two
// instances where the store can be shared: what one writes, the other sees.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { holdsAnswer } from './lib/contract.mjs';
import { Server } from './lib/server.mjs';
import { Database, psql, storeKind } from './lib/services.mjs';

let server, other, database;
before(async () => {
  if (storeKind() === 'postgres') database = new Database({ empty: true });
  server = await new Server({ database }).start();
  other = database ? await new Server({ database }).start() : server;
});
after(async () => {
  if (other !== server) await other?.close();
  await server?.close();
  database?.drop();
});

let made = 0;
const newId = () => `01990000-0000-7000-8000-${String(++made).padStart(12, '0')}`;
const at = (id) => `/sessions/${id}`;
const put = async (id, body, headers, on = server) => holdsAnswer('/sessions/{id}', 'put', await on.request('PUT', at(id), body, headers));
const patch = async (id, body, headers, on = server) => holdsAnswer('/sessions/{id}', 'patch', await on.request('PATCH', at(id), body, headers));
const batch = async (body, headers, on = server) => holdsAnswer('/sessions/batch', 'post', await on.post('/sessions/batch', body, headers));
const get = async (id, on = other) => holdsAnswer('/sessions/{id}', 'get', await on.get(at(id)));
const ok = (r, status = 200) => { assert.equal(r.status, status, r.text); return r; };
function refused(r, status, code, text) {
  ok(r, status);
  assert.equal(r.json.code, code, r.text);
  if (text) assert.match(r.json.error, text);
  return r;
}
const ifMatch = (version) => ({ 'if-match': `"${version}"` });

const stageGraph = {
  nodes: {
    start: { type: 'start', next_ids: ['work'] },
    work: { type: 'stage', properties: { checklist: ['a', 'b'] }, next_ids: ['told'] },
    told: { type: 'transform', properties: { output: { name: 'session.name' } }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

test('a stored session: created, read, replaced, deleted', async () => {
  const id = newId();
  const body = {
    status: 'drafting', name: 'A story', user_id: 'ann', group_id: 'writers', tags: ['x', 'ü'],
    metadata: { workflow_config_path: 'flows/a.yaml', big: 'DIGITS', deep: { a: [1, { b: null }] } },
    settings: { theme: 'dark' }, thread_configs: { t1: { model: 'm' } }, workflow_state: { step: 3 },
  };
  refused(await get(id), 404, 'not_found');
  assert.equal((await other.request('HEAD', at(id))).status, 404);
  const created = ok(await put(id, JSON.stringify(body).replace('"DIGITS"', '9007199254740993')), 201);
  body.metadata.big = Number('9007199254740993');
  assert.equal(created.headers.get('etag'), '"1"');
  assert.match(created.text, /9007199254740993/); // digits are kept
  const now = ok(await get(id));
  assert.deepEqual(now.json, created.json);
  for (const [key, value] of Object.entries(body)) assert.deepEqual(now.json[key], JSON.parse(JSON.stringify(value)), key);
  assert.equal((await other.request('HEAD', at(id))).status, 200);

  // What GET gave may be sent back; what is not named is empty then; created_at stays.
  const { status, name, ...rest } = now.json;
  const replaced = ok(await put(id, { ...rest, created_at: '2000-01-01T00:00:00.000Z', version: 77 }));
  assert.equal(replaced.json.version, 2);
  assert.equal(replaced.json.created_at, created.json.created_at);
  assert.equal(replaced.json.status, 'unknown');
  assert.equal(replaced.json.name, null);
  assert.deepEqual(replaced.json.metadata, now.json.metadata);

  refused(await server.request('DELETE', at(id), undefined, ifMatch(1)), 412, 'stale_version');
  ok(await server.request('DELETE', at(id), undefined, ifMatch(2)), 204);
  refused(await get(id), 404, 'not_found');
});

test('a patch merges deeply, arrays replace, null deletes', async () => {
  const id = newId();
  refused(await patch(id, { name: 'nobody' }), 404, 'not_found');
  ok(await put(id, { metadata: { a: { x: 1, y: 2 }, list: [1, 2, 3] }, tags: ['one'], workflow_state: { n: 1 } }), 201);
  const r = ok(await patch(id, { status: 'open', metadata: { a: { y: null, z: { q: null, r: 1 } }, list: [9] }, tags: null, workflow_state: { m: 2 } }));
  assert.equal(r.json.version, 2);
  assert.equal(r.headers.get('etag'), '"2"');
  assert.equal(r.json.status, 'open');
  assert.deepEqual(r.json.metadata, { a: { x: 1, z: { r: 1 } }, list: [9] });
  assert.deepEqual(r.json.tags, []);
  assert.deepEqual(r.json.workflow_state, { m: 2, n: 1 });
  assert.deepEqual((await get(id)).json, r.json);

  refused(await patch(id, { name: 'late' }, ifMatch(1)), 412, 'stale_version');
  ok(await patch(id, { name: 'in time' }, ifMatch(2)));
  refused(await put(newId(), {}, ifMatch(3)), 412, 'stale_version');
  for (const [body, text] of [
    [{ nonsense: 1 }, /nonsense/], [{ metadata: [] }, /metadata/], [{ tags: [1] }, /tags/], [{ status: '' }, /status/],
    [{ name: 'x'.repeat(300) }, /name/], [{ group_id: 'no spaces' }, /group_id/], [[], /object/], [{ settings: 'x' }, /settings/],
  ]) refused(await patch(id, body), 400, 'invalid', text);
  refused(await patch(id, { metadata: { x: 'y'.repeat(1100000) } }), 413, 'too_large', /metadata/);
  assert.equal((await get(id)).json.version, 3);
});

test('a session that runs: what programs keep with it goes through its owner', async () => {
  const id = await server.execute(stageGraph, {}, { name: 'first', metadata: { n: { a: 1 } } });
  const r = ok(await patch(id, { name: 'second', metadata: { n: { b: 2 } }, settings: { s: true }, tags: ['t'] }, {}, other));
  assert.equal(r.json.version, 2);
  assert.equal(r.headers.get('etag'), '"2"');
  assert.deepEqual(r.json.metadata, { n: { a: 1, b: 2 } });
  assert.equal(r.json.status, 'running');
  const stored = ok(await get(id));
  for (const key of ['version', 'name', 'tags', 'metadata', 'settings']) assert.deepEqual(stored.json[key], r.json[key], key);

  refused(await patch(id, { status: 'completed' }), 409, 'conflict', /commands/);
  refused(await patch(id, { user_id: 'eve' }), 409, 'conflict', /user_id/);
  ok(await patch(id, { status: 'running', workflow_id: null })); // what is so already
  refused(await patch(id, { name: 'late' }, ifMatch(2), other), 412, 'stale_version');
  ok(await put(id, { name: 'third', metadata: { only: 'this' } }, ifMatch(3), other));
  const now = ok(await get(id));
  assert.deepEqual([now.json.version, now.json.name, now.json.metadata, now.json.settings], [4, 'third', { only: 'this' }, {}]);

  // Expressions see the new name, and no event tells of the changes; one history all the same.
  const stage = (await server.get(`/sessions/${id}/stages`)).json.items[0];
  ok(await other.request('PATCH', `/stages/${stage.instance_id}`, { items: [{ index: 0, done: true }, { index: 1, done: true }] }));
  ok(await other.post(`/stages/${stage.instance_id}/complete`));
  for (let i = 0; (await get(id)).json.status === 'running'; i++) assert.ok(i < 2000);
  const ended = ok(await get(id));
  assert.equal(ended.json.status, 'completed');
  assert.match(JSON.stringify(ended.json.output), /third/);
  const events = await server.events(id);
  events.forEach((e, i) => assert.equal(e.seq, i + 1));

  // Ended sessions may be patched, too; under their version.
  const after = ok(await patch(id, { metadata: { later: 1 } }, ifMatch(4), other));
  assert.deepEqual(after.json.metadata, { only: 'this', later: 1 });
  assert.equal(after.json.version, 5);
  assert.equal(after.json.status, 'completed');
  refused(await patch(id, { status: 'running' }), 409, 'conflict');
  refused(await batch({ save: [{ id, name: 'x' }] }), 409, 'conflict');
  assert.deepEqual((await get(id)).json, after.json);
});

test('a batch: all or nothing, and who was to blame', async () => {
  const [a, b, c] = [newId(), newId(), newId()];
  const first = ok(await batch({ save: [{ id: a, name: 'a' }, { id: b, name: 'b', status: 's' }] }));
  assert.deepEqual(first.json, { saved: [{ id: a, version: 1, created: true }, { id: b, version: 1, created: true }], deleted: [] });
  const missing = refused(await batch({ save: [{ id: a, name: 'a2' }, { id: c }], delete: [b, newId()] }), 404, 'not_found');
  assert.deepEqual(missing.json.details, { list: 'delete', index: 1, id: newId0() });
  assert.equal((await get(a)).json.name, 'a');
  assert.equal((await get(c)).status, 404);
  const bad = refused(await batch({ save: [{ id: a }, { id: c, metadata: 7 }] }), 400, 'invalid', /metadata/);
  assert.deepEqual(bad.json.details, { list: 'save', index: 1, id: c });
  refused(await batch({ save: [{ id: a }, { id: a }] }), 400, 'invalid', /twice/);
  refused(await batch({ save: [{ name: 'no id' }] }), 400, 'invalid', /id/);
  refused(await batch({ save: Array.from({ length: 501 }, () => ({ id: newId() })) }), 400, 'invalid', /500/);
  const running = await server.execute(stageGraph);
  refused(await batch({ delete: [running] }), 409, 'conflict');

  const key = { 'idempotency-key': `batch-${a}` };
  const done = ok(await batch({ save: [{ id: a, name: 'a3' }, { id: c }], delete: [b] }, key));
  assert.deepEqual(done.json, { saved: [{ id: a, version: 2, created: false }, { id: c, version: 1, created: true }], deleted: [b] });
  const again = ok(await batch({ save: [{ id: a, name: 'a3' }, { id: c }], delete: [b] }, key, other));
  assert.deepEqual(again.json, done.json);
  refused(await batch({ save: [] }, key), 409, 'idempotency_key_reused');
  assert.equal((await get(a)).json.version, 2);
  assert.equal((await get(b)).status, 404);
  ok(await batch({}));
  ok(await server.post(`/sessions/${running}/cancel`));
});
const newId0 = () => `01990000-0000-7000-8000-${String(made).padStart(12, '0')}`;

const list = async (query, on = other) => holdsAnswer('/sessions', 'get', await on.get(`/sessions?${query}`));
const ids = (r) => ok(r).json.items.map((s) => s.id);

test('lists: any member of the metadata', async () => {
  const all = Array.from({ length: 6 }, newId);
  const of = (n) => ({ id: all[n], tags: ['filters'], metadata: { lang: n % 2 ? 'en' : 'zh', n, deep: { er: { yes: n > 3 } }, list: [n], 'ü key': `v${n}`, none: null } });
  ok(await batch({ save: all.map((_, n) => of(n)) }));
  assert.deepEqual(ids(await list('metadata.lang=en&order=asc')), [all[1], all[3], all[5]]);
  assert.deepEqual(ids(await list('metadata.lang=en&metadata.deep.er.yes=true')), [all[5]]);
  assert.deepEqual(ids(await list('metadata.n=4')), [all[4]]);
  assert.deepEqual(ids(await list(`metadata.${encodeURIComponent('ü key')}=v2`)), [all[2]]);
  for (const nothing of ['metadata.n=4.0', 'metadata.deep.er=x', 'metadata.list.0=0', 'metadata.none=null', 'metadata.nobody=1', 'metadata.lang.x=en', 'metadata.deep='])
    assert.deepEqual(ids(await list(nothing)), [], nothing);
  const page = ok(await list('metadata.lang=zh&tag=filters&limit=2&order=asc'));
  assert.deepEqual(ids(page), [all[0], all[2]]);
  assert.deepEqual(ids(await list(`metadata.lang=zh&tag=filters&limit=2&order=asc&cursor=${page.json.next_cursor}`)), [all[4]]);
  assert.deepEqual(ids(await list('metadata.lang=zh&status=unknown&user_id=nobody')), []);
  refused(await list(Array.from({ length: 9 }, (_, i) => `metadata.k${i}=1`).join('&')), 400, 'invalid', /8/);
  const running = await server.execute(stageGraph, {}, { metadata: { lang: 'running' } });
  assert.deepEqual(ids(await list('metadata.lang=running')), [running]);
  ok(await patch(running, { metadata: { lang: 'changed' } }));
  assert.deepEqual(ids(await list('metadata.lang=running')), []);
  assert.deepEqual(ids(await list('metadata.lang=changed')), [running]);
  ok(await server.post(`/sessions/${running}/cancel`));
});

test('the definition is found again, and whether it has changed since', async () => {
  const id = newId();
  const flow = { id: `flow-${id.slice(-4)}`, ...stageGraph };
  ok(await server.post('/workflows', flow), 201);
  const session = await server.execute(flow.id);
  const d = (await get(session)).json.definition;
  assert.equal(d.workflow_id, flow.id);
  assert.equal(d.version, 1);
  assert.match(d.checksum, /^[0-9a-f]{64}$/);
  assert.deepEqual([d.config_path, d.changed], [null, false]);
  ok(await put(id, { workflow_id: flow.id, metadata: { workflow_config_path: 'flows/x.yaml', workflow_version: '1.2', workflow_checksum: d.checksum } }), 201);
  assert.deepEqual((await get(id)).json.definition, { workflow_id: flow.id, version: '1.2', checksum: d.checksum, config_path: 'flows/x.yaml', changed: false });
  assert.deepEqual(ids(await list('metadata.workflow_config_path=flows/x.yaml')), [id]);

  // The same graph in other words is the same; another one is not.
  const { nodes, ...rest } = flow;
  ok(await server.request('PUT', `/workflows/${flow.id}`, JSON.stringify({ nodes: Object.fromEntries(Object.entries(nodes).reverse()), ...rest }, null, 3)));
  assert.equal((await get(session)).json.definition.changed, false);
  nodes.told.properties.output.name = "'other'";
  ok(await server.request('PUT', `/workflows/${flow.id}`, flow));
  assert.equal((await get(session)).json.definition.changed, true);
  assert.equal((await get(id)).json.definition.changed, true);
  assert.ok((await list(`workflow_id=${flow.id}`)).json.items.every((s) => s.definition.changed));
  assert.equal((await get(await server.execute(stageGraph))).json.definition, null);
  const fork = await server.execute(flow.id);
  assert.equal((await get(fork)).json.definition.changed, false);
});

test('statistics: counts, durations, failures', async () => {
  const flow = { id: `stats-${newId().slice(-4)}`, nodes: { start: { type: 'start', next_ids: ['t'] }, t: { type: 'transform', properties: { output: { n: 'input.n + 1' } }, next_ids: ['end'] }, end: { type: 'end' } } };
  ok(await server.post('/workflows', flow), 201);
  const begun = [];
  for (const input of [{ n: 1 }, { n: 2 }, { n: 3 }, {}]) begun.push(await server.execute(flow.id, input));
  for (const id of begun) for (let i = 0; !['completed', 'failed'].includes((await get(id)).json.status); i++) assert.ok(i < 2000);
  const stats = async (query) => ok(holdsAnswer('/sessions/stats', 'get', await other.get(`/sessions/stats?${query}`))).json;
  const s = await stats(`workflow_id=${flow.id}`);
  assert.equal(s.total, 4);
  assert.deepEqual(s.by_status, { completed: 3, failed: 1 });
  assert.deepEqual(s.by_workflow, [{ workflow_id: flow.id, by_status: s.by_status, total: 4 }]);
  assert.equal(s.by_day.reduce((n, d) => n + d.total, 0), 4);
  assert.match(s.by_day[0].day, /T00:00:00.000Z$/);
  assert.equal(s.durations.count, 4);
  assert.ok(s.durations.p50_ms <= s.durations.p90_ms && s.durations.p99_ms === s.durations.max_ms);
  assert.equal(s.failures.length, 1);
  assert.equal(s.failures[0].count, 1);
  assert.equal(s.failures[0].code, (await get(begun[3])).json.error.code);
  const all = await stats('');
  assert.ok(all.total > 4 && all.by_workflow.some((w) => w.workflow_id === null) && all.by_status.unknown > 0);
  assert.equal((await stats('group_id=nobody')).total, 0);
  assert.deepEqual((await stats('created_before=2001-01-01T00:00:00Z')).durations, { count: 0, mean_ms: null, p50_ms: null, p90_ms: null, p99_ms: null, max_ms: null });
});

test('a row that does not read back is named, and can be replaced', { skip: storeKind() !== 'postgres' && 'unit tests spoil a row of SQLite' }, async () => {
  const [good, bad] = [newId(), newId()];
  ok(await batch({ save: [{ id: good, user_id: 'corrupt' }, { id: bad, user_id: 'corrupt' }] }));
  psql(database.url, `UPDATE session_details SET metadata = '{"torn":' WHERE session_id = '${bad}'`);
  assert.deepEqual(refused(await get(bad), 500, 'corrupt').json.details, { id: bad });
  refused(await patch(bad, { name: 'x' }), 500, 'corrupt');
  for (const more of ['', '&metadata.k=v']) {
    const r = await list(`user_id=corrupt${more}`);
    assert.deepEqual(ids(r), more ? [] : [good]);
    assert.deepEqual(r.json.corrupt, [bad]);
  }
  ok(await put(bad, { user_id: 'corrupt' }));
  assert.equal((await list('user_id=corrupt')).json.corrupt, undefined);
  assert.equal((await get(bad)).json.version, 2);
});
