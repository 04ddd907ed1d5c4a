// Workflows that start by the clock: the API, a restart while a time passes, two instances.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { holds as holdsAt } from './lib/contract.mjs';
import { Server, sluiceBin } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';

const database_wanted = storeKind() === 'postgres';
let server, other, database;
const put = (path, body, headers) => server.request('PUT', path, body, headers);
const drop = (path, headers) => server.request('DELETE', path, undefined, headers);
const holds = (pointer, value) => holdsAt(`openapi#${pointer}`, value);
const isSchedule = (value) => holds('/components/schemas/Schedule', value);

const quick = { nodes: { start: { type: 'start', next_ids: ['end'] }, end: { type: 'end' } } };
before(async () => {
  if (database_wanted) database = new Database();
  server = await new Server({ database }).start();
  other = database ? await new Server({ database }).start() : server;
  assert.equal((await put('/workflows/quick', quick)).status, 200);
});
after(async () => {
  if (other !== server) await other?.close();
  await server?.close();
  database?.drop();
});

const yearly = { name: 'New year', workflow_id: 'quick', cron: '0 0 1 JAN *', time_zone: 'Europe/Berlin', input: { n: 1 }, missed: 'once', overlap: 'skip' };

test('made, read, changed, deleted', async () => {
  const made = await server.post('/schedules', yearly);
  assert.equal(made.status, 201, made.text);
  isSchedule(made.json);
  const { id } = made.json;
  assert.match(made.json.next_at, /-12-31T23:00:00\.000Z$/); // midnight in Berlin
  assert.equal(made.headers.get('etag'), '"1"');
  const read = await other.get(`/schedules/${id}`);
  assert.deepEqual(read.json, made.json);
  holds('/components/schemas/ScheduleList', (await server.get('/schedules?q=new')).json);
  assert.deepEqual((await server.get('/schedules?q=new')).json.items.map((s) => s.id), [id]);

  const patched = await other.request('PATCH', `/schedules/${id}`, { cron: '@monthly', time_zone: null, enabled: false }, { 'If-Match': '"1"' });
  assert.equal(patched.status, 200, patched.text);
  isSchedule(patched.json);
  assert.deepEqual([patched.json.cron, patched.json.time_zone, patched.json.enabled, patched.json.next_at, patched.json.version],
    ['@monthly', 'UTC', false, null, 2]);
  assert.deepEqual([patched.json.missed, patched.json.overlap, patched.json.input], ['once', 'skip', { n: 1 }]);
  const stale = await put(`/schedules/${id}`, yearly, { 'If-Match': '"1"' });
  assert.equal(stale.status, 412, stale.text);
  const back = await put(`/schedules/${id}`, { ...patched.json, enabled: true });
  assert.equal(back.status, 200, back.text);
  assert.equal(back.json.version, 3);
  assert.equal((await drop(`/schedules/${id}`, { 'If-Match': '"1"' })).status, 412);
  assert.equal((await drop(`/schedules/${id}`)).status, 204);
  assert.equal((await other.get(`/schedules/${id}`)).status, 404);
  assert.equal((await server.get('/schedules/none')).status, 404);
});

test('what is wrong is named', async () => {
  const rows = [
    [{ cron: '* * *' }, 400, /cron: expected five fields/],
    [{ cron: '0 0 30 2 *' }, 400, /cron: no such time/],
    [{ time_zone: 'Europe/Berlln' }, 400, /time_zone: there is no time zone/],
    [{ missed: 'maybe' }, 400, /missed: expected "skip", "once" or "all"/],
    [{ overlap: 'queue' }, 400, /overlap: expected/],
    [{ workflow_id: 'nothing' }, 422, /workflow_id: there is no workflow/],
    [{ extra: 1 }, 400, /extra/],
    [{ input: [] }, 400, /input/],
    [{ cron: undefined }, 400, /cron: missing/],
  ];
  for (const [change, status, text] of rows) {
    const r = await server.post('/schedules', { ...yearly, ...change });
    assert.equal(r.status, status, r.text);
    assert.match(r.json.error, text);
    holds('/components/schemas/Error', r.json);
  }
  assert.deepEqual((await server.get('/schedules')).json.items, []);
});

test('a key makes one schedule; run starts one session', async () => {
  const key = { 'Idempotency-Key': 'one' };
  const a = await server.post('/schedules', yearly, key);
  const b = await server.post('/schedules', yearly, key);
  assert.equal(b.status, 201, b.text);
  assert.equal(b.json.id, a.json.id);
  const first = await server.post(`/schedules/${a.json.id}/run`, {}, { 'Idempotency-Key': 'two' });
  const again = await server.post(`/schedules/${a.json.id}/run`, {}, { 'Idempotency-Key': 'two' });
  assert.equal(first.status, 202, first.text);
  assert.equal(again.json.session_id, first.json.session_id);
  const session = await other.get(`/sessions/${first.json.session_id}`);
  assert.equal(session.json.name, 'New year');
  assert.equal(session.json.metadata.schedule_id, a.json.id);
  assert.deepEqual(session.json.input, { n: 1 });
  const now = (await server.get(`/schedules/${a.json.id}`)).json;
  isSchedule(now);
  assert.equal(now.last_session_id, first.json.session_id);
  assert.equal(now.version, 1); // starting is no change of it
  assert.equal(now.next_at, a.json.next_at);
  assert.equal((await drop(`/schedules/${a.json.id}`)).status, 204);
});

const sessionsOf = async (id) =>
  (await server.get('/sessions?limit=500')).json.items.filter((s) => s.metadata.schedule_id === id);

// Both instances go away and come back after the time, and look at the same moment.
test('a time that passes while no server runs is started once', { skip: !database_wanted && 'one instance: test_schedules.c' }, async () => {
  const made = (await server.post('/schedules', { ...yearly, cron: '* * * * *', time_zone: 'UTC', missed: 'all', enabled: false })).json;
  const due = Math.floor(Date.now() / 60000) * 60000 - 120000;
  await Promise.all([server.kill(), other.kill()]);
  database.query(`UPDATE schedules SET enabled = true, next_at = ${due} WHERE id = '${made.id}'`);
  await Promise.all([server.start(), other.start()]);
  const times = async () => (await sessionsOf(made.id)).map((s) => s.metadata.scheduled_for).sort();
  while ((await times()).length < 3) await new Promise((go) => setTimeout(go, 20));
  const all = await times();
  assert.equal(new Set(all).size, all.length, all.join()); // each time once
  assert.deepEqual(all.slice(0, 3), [0, 1, 2].map((n) => new Date(due + n * 60000).toISOString()));
  const now = (await server.get(`/schedules/${made.id}`)).json;
  assert.equal(now.last_error, null);
  assert.ok(Date.parse(now.next_at) > due + 120000);
  assert.equal((await drop(`/schedules/${made.id}`)).status, 204);
});

test('the command line', async () => {
  const sluice = (...args) => spawnSync(sluiceBin(), [...args, '--server', server.url, '--lang', 'en'], { encoding: 'utf8' });
  const ok = (...args) => { const r = sluice(...args); assert.equal(r.status, 0, r.stderr); return r.stdout; };
  const made = JSON.parse(ok('schedule', 'create', 'quick', '0 9 * * MON-FRI', '--zone', 'Asia/Kolkata', '--name', 'Mornings', '--input', '{"n":2}', '--json'));
  isSchedule(made);
  assert.deepEqual([made.name, made.time_zone, made.input, made.cron], ['Mornings', 'Asia/Kolkata', { n: 2 }, '0 9 * * MON-FRI']);
  assert.match(ok('schedule', 'list'), /Mornings +quick +0 9 \* \* MON-FRI +Asia\/Kolkata/);
  assert.match(ok('schedule', 'show', 'morn'), /overlap +allow/);
  assert.match(ok('schedule', 'update', 'Mornings', '--overlap', 'skip', '--off'), /overlap +skip\nenabled +false/);
  const session = ok('schedule', 'run', made.id.slice(0, 20)).trim();
  assert.equal((await server.get(`/sessions/${session}`)).json.name, 'Mornings');
  assert.equal(sluice('schedule', 'create', 'quick', 'never').status, 2);
  assert.equal(sluice('schedule', 'show', 'nothing').status, 3);
  ok('schedule', 'delete', 'Mornings');
  assert.match(ok('schedule', 'list'), /no schedules/);
  for (let text = ''; !/schedule_delete/.test(text);) text = ok('audit', '--actor', 'anonymous', '--limit', '5');
});
