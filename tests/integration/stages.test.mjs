// Staged work of people: begun, ticked off, skipped, finished; where a session is and what can come next.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { holdEvents, holdsAnswer } from './lib/contract.mjs';
import { Server } from './lib/server.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(() => server?.close());

const story = {
  nodes: {
    start: { type: 'start', next_ids: ['plan'] },
    plan: { type: 'stage', name: 'Plan', properties: { checklist: ['goal', 'risks'], deliverables: ['plan'], estimated_minutes: 30, order: 1 }, next_ids: ['build'] },
    build: { type: 'stage', name: 'Build', properties: { checklist: ['code', 'tests'], weight: 3, estimated_minutes: 60, order: 2 }, next_ids: ['audit'] },
    audit: { type: 'stage', name: 'Audit', properties: { condition: 'input.audited == true', allow_skip: false, order: 3 }, next_ids: ['ship'] },
    ship: { type: 'stage', name: 'Ship', properties: { depends_on: ['plan'], order: 4 }, next_ids: ['end'] },
    end: { type: 'end', properties: { output: '{plan = nodes.plan.output, audit = nodes.audit.output}' } },
  },
};

async function begun(input = {}, more = {}) {
  const id = await server.execute(story, input, more);
  const reader = new Reader(server, id, { reconnect: true });
  const first = await reader.untilEvent('human_interaction_required');
  return { id, reader, instance: first.data.interrupt_id };
}
const get = async (path, route) => holdsAnswer(route ?? path.replace(/[0-9a-f-]{36}/, '{id}'), 'get', await server.get(path)).json;
const stages = async (id) => (await get(`/sessions/${id}/stages`)).items;
const progress = (id) => get(`/sessions/${id}/progress`);
const words = (list) => list.map((s) => `${s.node_id} ${s.status}`).join(', ');

test('a stage is begun once, in its turn; its progress is known', async () => {
  const { id, reader, instance } = await begun();
  assert.equal(words(await stages(id)), 'plan active, build pending, audit pending, ship pending');
  const early = await server.post(`/sessions/${id}/stages`, { stage_id: 'build' });
  assert.equal(early.status, 409, early.text);
  assert.deepEqual(early.json.details, { missing: { stages: [{ node_id: 'plan', name: 'Plan', status: 'suspended' }], nodes: [] } });
  assert.equal((await server.post(`/sessions/${id}/stages`, { stage_id: 'nothing' })).status, 404);
  const started = holdsAnswer('/sessions/{id}/stages', 'post', await server.post(`/sessions/${id}/stages`, { stage_id: 'plan', reviewer: 'ann' }));
  assert.equal(started.status, 201, started.text);
  assert.deepEqual([started.json.instance_id, started.json.started_by], [instance, 'ann']);
  const again = await server.post(`/sessions/${id}/stages`, { stage_id: 'plan', reviewer: 'bob' });
  assert.deepEqual([again.status, again.json.started_by, again.json.started_at], [200, 'ann', started.json.started_at]);
  await server.request('PATCH', `/stages/${instance}`, { items: [{ name: 'goal' }] });
  const p = await progress(id);
  assert.deepEqual([p.percent, p.done, p.total, p.weight_done, p.weight_total, p.estimated_minutes_left], [8, 0, 4, 0.5, 6, 75]);
  assert.deepEqual(p.current.map((s) => s.node_id), ['plan']);
  assert.equal((await server.post(`/stages/${instance}/complete`, { items: [{ name: 'risks' }], deliverables: { plan: 'p.md' } })).status, 200);
  assert.equal((await server.post(`/sessions/${id}/stages`, { stage_id: 'plan' })).status, 409);
  const build = (await stages(id))[1];
  assert.equal((await server.request('PATCH', `/stages/${build.instance_id}`, { items: [{ name: 'code' }], reviewer: 'cy' })).json.started_by, 'cy');
  reader.close();
});

test('skipping: with a reason where something is required, by a condition, and not where it is not allowed', async () => {
  const { id, reader, instance } = await begun({ audited: true });
  assert.equal((await server.post(`/stages/${instance}/skip`)).status, 400);
  const skipped = await server.post(`/stages/${instance}/skip`, { reason: 'known', reviewer: 'ann' });
  assert.equal(skipped.json.status, 'skipped', skipped.text);
  assert.equal((await server.post(`/stages/${instance}/skip`, { reason: 'twice' })).status, 409);
  const [plan, build] = await stages(id);
  assert.deepEqual([plan.status, plan.skip_reason, plan.completed_by], ['skipped', 'known', 'ann']);
  assert.equal((await server.post(`/sessions/${id}/nodes/build/resume`, { action: 'skip', data: { reason: 'by the node' } })).status, 200, build.status);
  const audit = (await stages(id))[2];
  const refused = await server.post(`/stages/${audit.instance_id}/skip`, { reason: 'no time' });
  assert.deepEqual([refused.status, refused.json.code], [409, 'skip_not_allowed']);
  await server.post(`/stages/${audit.instance_id}/complete`);
  await server.post(`/stages/${(await stages(id))[3].instance_id}/complete`);
  const { data } = await reader.ended();
  assert.deepEqual(data.output.plan.deliverables, { plan: null });
  assert.equal(data.output.plan.skipped, true);
  assert.equal(data.output.audit.skipped, undefined);
  holdEvents(reader.events);
  reader.close();
  assert.deepEqual([(await progress(id)).percent, (await progress(id)).done], [100, 4]);

  const other = await begun({ audited: false });
  for (const name of ['plan', 'build']) await server.post(`/stages/${(await stages(other.id)).find((s) => s.node_id === name).instance_id}/skip`, { reason: 'x' });
  const passed = (await stages(other.id))[2];
  assert.deepEqual([passed.status, passed.skip_reason], ['skipped', 'Its condition does not hold: input.audited == true']);
  other.reader.close();
});

test('a session may begin at a stage; what lies before counts as done, in a fork too', async () => {
  const unknown = await server.post('/workflows/execute', { graph: story, input: {}, stage: 'shp' });
  assert.deepEqual([unknown.status, unknown.json.code, unknown.json.details.stages], [422, 'unknown_stage', ['plan', 'build', 'audit', 'ship']]);
  const { id, reader } = await begun({}, { stage: 'ship' });
  assert.equal(words(await stages(id)), 'plan skipped, build skipped, audit skipped, ship active');
  assert.equal((await stages(id))[0].skip_reason, 'The session began at the stage "ship".');
  await server.kill();
  await server.start();
  assert.equal((await progress(id)).percent, 83);
  const fork = (await server.post(`/sessions/${id}/fork`, { node_id: 'ship' })).json.session_id;
  assert.equal(words(await stages(fork)), 'plan skipped, build skipped, audit skipped, ship active');
  const back = (await server.post(`/sessions/${id}/fork`, { node_id: 'build' })).json.session_id;
  assert.equal(words(await stages(back)), 'plan skipped, build active, audit pending, ship pending');
  for (const s of [id, fork]) assert.equal((await server.post(`/stages/${(await stages(s))[3].instance_id}/complete`)).status, 200);
  const { data } = await reader.ended();
  assert.equal(data.output.plan.skipped, true);
  holdEvents(reader.events);
  reader.close();
});

test('what can come next works as it stands', async () => {
  const { id, reader } = await begun();
  const done = [];
  for (let i = 0; i < 40; i++) {
    const next = await get(`/sessions/${id}/next`);
    if (next.status !== 'running') break;
    const [first] = next.commands;
    const { method, path, body } = first.request;
    let r;
    if (method === 'GET') r = await server.request('PATCH', path, { deliverables: { plan: 'p.md' } });
    else r = await server.request(method, path, body);
    assert.ok(r.status < 300, `${first.command}: ${r.text}`);
    done.push(first.command.split(' ').slice(1, 3).join(' '));
  }
  assert.deepEqual(done, ['stage start', 'stage item', 'stage item', 'stage show', 'stage complete', 'stage start', 'stage item', 'stage item', 'stage complete', 'stage start', 'stage complete']);
  await reader.ended();
  reader.close();
  const paused = await begun();
  await server.post(`/sessions/${paused.id}/pause`);
  assert.deepEqual((await get(`/sessions/${paused.id}/next`)).commands.map((c) => c.command), [`sluice session resume ${paused.id}`, `sluice session abort ${paused.id}`]);
  paused.reader.close();
});

test('everybody has one current session', async () => {
  const { id, reader } = await begun();
  const current = (user = '') => get(`/current${user}`, '/current');
  assert.deepEqual(await current(), { user_id: 'default', session_id: null, session: null });
  assert.equal((await server.request('PUT', '/current', { session_id: '00000000-0000-7000-8000-000000000000' })).status, 404);
  assert.equal((await server.request('PUT', '/current', {})).status, 400);
  holdsAnswer('/current', 'put', await server.request('PUT', '/current', { session_id: id }));
  assert.equal((await current()).session.status, 'running');
  assert.equal((await current('?user_id=ann')).session_id, null);
  assert.equal((await server.request('DELETE', '/current')).status, 204);
  assert.equal((await current()).session_id, null);
  await server.request('PUT', '/current', { session_id: id, user_id: 'ann' });
  await server.kill();
  await server.start();
  assert.equal((await current('?user_id=ann')).session_id, id);
  await server.request('DELETE', `/sessions/${id}?force=true`);
  assert.equal((await current('?user_id=ann')).session_id, null);
  reader.close();
});

test('the context says what is to be done, what came before and what follows', async () => {
  const { id, reader, instance } = await begun({ topic: 'Cats' });
  await server.request('PATCH', `/stages/${instance}`, { items: [{ name: 'goal' }], context: { room: 5 }, reviewer: 'ann' });
  const context = await get(`/sessions/${id}/context`);
  assert.deepEqual([context.session.percent, context.session.input, context.current[0].items[0].done], [8, { topic: 'Cats' }, true]);
  assert.deepEqual(context.after.map((s) => s.node_id), ['build', 'audit', 'ship']);
  await server.post(`/stages/${instance}/complete`, { items: [{ name: 'risks' }], deliverables: { plan: 'p.md' }, reviewer: 'ann' });
  await server.post(`/stages/${(await stages(id))[1].instance_id}/skip`, { reason: 'no need', reviewer: 'bob' });
  const text = await server.get(`/sessions/${id}/context?format=text`);
  assert.match(text.headers.get('content-type'), /^text\/markdown/);
  assert.equal(text.text.replace(id, '<id>'), `# A session

Session: <id>
Status: running, 83 %, 3 of 4 stages
Input: {"topic":"Cats"}

## Now: Ship

The stage Ship is to be done.

## Before

- Plan: completed by ann
  - plan: p.md
- Build: skipped by bob (no need)
- Audit: skipped (Its condition does not hold: input.audited == true)
`);
  assert.equal((await server.get(`/sessions/${id}/context?format=xml`)).status, 400);
  reader.close();
});

test('the timeline has attempts, waits and pauses with their lengths', async () => {
  const { id, reader, instance } = await begun();
  await server.post(`/sessions/${id}/pause`, { reason: 'lunch' });
  await server.post(`/sessions/${id}/resume`);
  await server.post(`/sessions/${id}/pause`);
  const open = await get(`/sessions/${id}/timeline`);
  assert.deepEqual(open.pauses.map((p) => [p.reason, p.ended_at === null]), [['lunch', false], [null, true]]);
  await server.post(`/sessions/${id}/resume`);
  await server.post(`/stages/${instance}/skip`, { reason: 'x', reviewer: 'ann' });
  const line = await get(`/sessions/${id}/timeline`);
  assert.equal(line.pauses_complete, true);
  assert.ok(line.pauses.every((p) => p.duration_ms >= 0 && p.ended_at));
  assert.deepEqual(line.items.map((i) => [i.node_id, i.status, i.waits.map((w) => [w.kind, w.action, w.reviewer, w.ended_at !== null])]), [
    ['start', 'completed', []],
    ['plan', 'completed', [['stage', 'skip', 'ann', true]]],
    ['build', 'suspended', [['stage', null, null, false]]],
  ]);
  assert.ok(line.items.every((i) => i.duration_ms >= 0));
  const first = await get(`/sessions/${id}/timeline?limit=2`, '/sessions/{id}/timeline');
  const second = await get(`/sessions/${id}/timeline?limit=2&cursor=${encodeURIComponent(first.next_cursor)}`, '/sessions/{id}/timeline');
  assert.deepEqual([...first.items, ...second.items].map((i) => i.run_id), line.items.map((i) => i.run_id));
  assert.equal(second.pauses, undefined);
  assert.equal((await server.get('/sessions/00000000-0000-7000-8000-000000000000/timeline')).status, 404);
  reader.close();
});
