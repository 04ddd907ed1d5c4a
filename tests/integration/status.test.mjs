// The status system: every state both ways, and two systems that mirror each other come to rest. Does not depend on the store.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { holds, holdsAnswer, holdsGet } from './lib/contract.mjs';
import { Receiver } from './lib/receiver.mjs';
import { Server, sluiceBin } from './lib/server.mjs';

let server;
before(async () => { server = await new Server({ store: 'sqlite', args: ['--tool-allow', '127.0.0.1'] }).start(); });
after(async () => { await server?.close(); });

const words = { pending: 'PENDING', running: 'IN_PROGRESS', paused: 'ON_HOLD', completed: 'COMPLETED', failed: 'FAILED', cancelled: 'CANCELED' };
const staged = (items = [], more = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['work'] },
    work: { type: 'stage', name: 'Work', properties: items.length ? { checklist: items } : {}, next_ids: ['end'] },
    ...more,
    end: { type: 'end' },
  },
});
const optional = (...names) => names.map((name) => ({ name, required: false }));
const get = async (id) => {
  const r = await server.get(`/status/flow-${id}`);
  assert.equal(r.status, 200, r.text);
  holdsGet('/status/{entry_id}', r.json);
  return r.json;
};
const put = async (id, status, more = {}, headers = {}) => {
  const r = await server.request('PUT', `/status/flow-${id}`, { status, ...more }, headers);
  return holdsAnswer('/status/{entry_id}', 'put', r);
};
const moves = async (id) => (await server.events(id)).filter((e) => e.type === 'session_state_change');

// A session in a state that stays.
async function sessionIn(state) {
  const id = await server.execute(staged(), {}, { name: `was ${state}` });
  const reader = new Reader(server, id);
  await reader.untilEvent('human_interaction_required');
  const post = async (path) => assert.equal((await server.post(`/sessions/${id}/${path}`)).status, 200);
  if (state === 'paused') await post('pause');
  if (state === 'cancelled') await post('cancel');
  if (state === 'failed') await post('stop');
  if (state === 'completed') {
    const [stage] = (await server.get(`/sessions/${id}/stages`)).json.items;
    assert.equal((await server.post(`/stages/${stage.instance_id}/complete`)).status, 200);
  }
  reader.close();
  return id;
}

// What becomes of each state when each is asked for: undefined means refused, and nothing changes.
const table = {
  running: { PENDING: undefined, IN_PROGRESS: 'running', ON_HOLD: 'paused', COMPLETED: 'completed', FAILED: 'failed', CANCELED: 'cancelled' },
  paused: { PENDING: undefined, IN_PROGRESS: 'running', ON_HOLD: 'paused', COMPLETED: undefined, FAILED: 'failed', CANCELED: 'cancelled' },
  completed: { COMPLETED: 'completed' },
  failed: { FAILED: 'failed' },
  cancelled: { CANCELED: 'cancelled' },
};

for (const [from, row] of Object.entries(table)) {
  test(`from ${from}, every status is asked for`, async () => {
    for (const want of Object.values(words)) {
      const id = await sessionIn(from);
      assert.equal((await get(id)).status, words[from]);
      const before = await server.events(id);
      const to = row[want];
      const r = await put(id, want, { note: `because ${want}` });
      const what = `${from}, asked for ${want}: ${r.text}`;
      assert.equal(r.status, to ? 200 : 409, what);
      assert.equal((await server.get(`/sessions/${id}`)).json.status, to ?? from, what);
      assert.equal((await get(id)).status, words[to ?? from], what);
      if (to) assert.equal(r.json.status, want, what);
      const after = await server.events(id);
      if (!to || to === from) assert.deepEqual(after, before, what); // nothing has happened
      else assert.equal((await moves(id)).at(-1).data.to, to, what);
      if (to && to !== from) { // the same again
        assert.equal((await put(id, want)).status, 200);
        assert.deepEqual(await server.events(id), after, what);
      }
      if (to === 'failed' && from !== 'failed') assert.equal((await server.get(`/sessions/${id}`)).json.error.code, 'stopped');
      if (to === 'paused' && from !== 'paused') assert.equal((await server.get(`/sessions/${id}`)).json.reason, 'because ON_HOLD');
    }
  });
}

test('of a session that another program keeps, the status is written down, whatever it was', async () => {
  const id = '01900000-0000-7000-8000-0000000000aa';
  assert.equal((await server.request('PUT', `/sessions/${id}`, { name: 'theirs', status: 'asleep' })).status, 201);
  assert.deepEqual([(await get(id)).status, (await get(id)).session_status], ['UNKNOWN', 'asleep']);
  for (const [state, word] of [...Object.entries(words), ...Object.entries(words).reverse()]) {
    const r = await put(id, word, { progress: 40 });
    assert.equal(r.status, 200, r.text);
    assert.deepEqual([r.json.status, r.json.progress], [word, state === 'completed' ? 100 : 40]);
    assert.equal((await server.get(`/sessions/${id}`)).json.status, state);
    const { version } = await get(id);
    assert.equal((await put(id, word)).json.version, version); // the same again changes nothing
  }
  const listed = (await server.get('/status?status=PENDING')).json.items;
  assert.deepEqual(listed.map((e) => e.session_id), [id]);
});

test('COMPLETED completes the stages that wait, when that completes the session', async () => {
  const two = staged(optional('a'), { more: { type: 'stage', next_ids: ['end'] } });
  two.nodes.work.next_ids = ['more'];
  const both = await server.execute(two);
  const r = await put(both, 'COMPLETED');
  assert.equal(r.status, 200, r.text);
  assert.deepEqual([r.json.status, r.json.progress, r.json.current_stage], ['COMPLETED', 100, null]);
  const stages = (await server.get(`/sessions/${both}/stages`)).json.items;
  assert.deepEqual(stages.map((s) => s.status), ['completed', 'completed']);

  // One that begins later has a required item: nothing is completed, not even the first.
  const strict = structuredClone(two);
  strict.nodes.more.properties = { checklist: ['must'] };
  const id = await server.execute(strict);
  const before = await server.events(id);
  const refused = await put(id, 'COMPLETED');
  assert.equal(refused.status, 409);
  assert.match(refused.json.error, /"more"/);
  assert.deepEqual(await server.events(id), before);

  const open = await server.execute(staged(['must']));
  assert.match((await put(open, 'COMPLETED')).json.error, /"work" has items/);
  const review = await server.execute({ nodes: {
    start: { type: 'start', next_ids: ['r'] },
    r: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'end' } },
    end: { type: 'end' },
  } });
  assert.equal((await put(review, 'COMPLETED')).status, 409);
});

test('an entry says how far the session is and where it stands', async () => {
  const id = await server.execute(staged(optional('a', 'b', 'c', 'd')), {}, { name: 'Far' });
  const reader = new Reader(server, id);
  const { data } = await reader.untilEvent('human_interaction_required');
  reader.close();
  const first = await get(id);
  assert.deepEqual(
    [first.id, first.type, first.status, first.name, first.session_id, first.current_stage],
    [`flow-${id}`, 'FLOW', 'IN_PROGRESS', 'Far', id, { node_id: 'work', name: 'Work' }],
  );
  assert.equal(first.progress, 33); // one of three nodes
  await server.request('PATCH', `/stages/${data.interrupt_id}`, { items: [{ name: 'a' }, { name: 'b' }] });
  assert.equal((await get(id)).progress, 50); // and half of the second
  const listed = (await server.get('/status?type=FLOW&status=IN_PROGRESS&limit=500')).json;
  holdsGet('/status', listed);
  assert.deepEqual(listed.items.find((e) => e.id === `flow-${id}`), await get(id));
  await put(id, 'ON_HOLD');
  const held = (await server.get('/status?status=on_hold')).json.items;
  assert.ok(held.some((e) => e.id === `flow-${id}` && e.status === 'ON_HOLD'));
  assert.ok(held.every((e) => e.status === 'ON_HOLD'));
  assert.deepEqual((await server.get('/status?type=TASK')).json, { items: [], next_cursor: null });
});

test('pages, and what is refused', async () => {
  const seen = new Set();
  let pages = 0;
  for (let cursor = ''; ; pages++) {
    const { items, next_cursor } = (await server.get(`/status?limit=3${cursor}`)).json;
    items.forEach((e) => { assert.ok(!seen.has(e.id)); seen.add(e.id); holds('openapi#/components/schemas/StatusEntry', e); });
    if (!next_cursor) break;
    cursor = `&cursor=${encodeURIComponent(next_cursor)}`;
  }
  assert.ok(pages > 3);
  const id = await sessionIn('running');
  const nobody = '01900000-0000-7000-8000-000000000000';
  assert.equal((await put(nobody, 'ON_HOLD')).status, 404);
  assert.equal((await server.get(`/status/flow-${nobody}`)).status, 404);
  assert.equal((await server.get(`/status/${id}`)).status, 404);
  assert.equal((await server.get('/status?status=ASLEEP')).status, 400);
  assert.equal((await put(id, 'ASLEEP')).status, 400);
  assert.equal((await server.request('PUT', `/status/flow-${id}`, { state: 'ON_HOLD' })).status, 400);
  assert.equal((await put(id, 'ON_HOLD', { progress: 101 })).status, 400);
  const { version } = await get(id);
  assert.equal((await put(id, 'ON_HOLD', {}, { 'if-match': String(version + 1) })).status, 412);
  assert.equal((await get(id)).status, 'IN_PROGRESS');
  assert.equal((await put(id, 'ON_HOLD', { progress: 10 }, { 'if-match': String(version) })).status, 200);
});

// A program that knows statuses only: what the other side tells goes into its table, and every change of its table goes to the
// other side, also one that came from there. No mark says whose change it was.
class Mirror {
  constructor() { this.table = new Map(); this.puts = 0; this.refused = 0; this.last = Promise.resolve(); }
  set(id, status) {
    if (this.table.get(id) === status) return;
    this.table.set(id, status);
    this.last = this.last.then(async () => {
      this.puts++;
      const r = await put(id, status, { note: 'mirrored' });
      if (r.status === 409) { this.refused++; this.set(id, (await get(id)).status); } // the session is ahead
      else assert.equal(r.status, 200, r.text);
    });
  }
  // What a webhook brings.
  take(event) { this.set(event.session_id, words[event.data.to]); return 200; }
}

test('two systems that mirror each other come to rest', async () => {
  const mirror = new Mirror();
  const to = await new Receiver((r) => mirror.take(r.json)).start();
  const made = await server.post('/webhooks', { url: to.url, events: ['session_state_change'] });
  assert.equal(made.status, 201, made.text);
  const id = await sessionIn('running');
  const count = async () => (await moves(id)).length;
  // Until both say the same, every event was told, and nothing is on its way.
  const rest = async (status) => {
    const asked = await count();
    await to.until((r) => r.of(id).length === asked && mirror.table.get(id) === status);
    await mirror.last;
    assert.equal((await get(id)).status, status);
    return asked;
  };
  assert.equal(await rest('IN_PROGRESS'), 1);
  mirror.set(id, 'ON_HOLD'); // a change there
  await mirror.last;
  assert.equal(await rest('ON_HOLD'), 2);
  assert.equal((await server.post(`/sessions/${id}/resume`)).status, 200); // and one here
  assert.equal(await rest('IN_PROGRESS'), 3);
  for (let i = 0; i < 5; i++) { // and back and forth
    mirror.set(id, 'ON_HOLD');
    await mirror.last;
    await rest('ON_HOLD');
    assert.equal((await server.post(`/sessions/${id}/resume`)).status, 200);
    await rest('IN_PROGRESS');
  }
  mirror.set(id, 'CANCELED');
  await mirror.last;
  assert.equal(await rest('CANCELED'), 14);
  // 14 events were asked for and 14 there are; each was mirrored back at most once.
  assert.equal(to.of(id).length, 14);
  assert.ok(mirror.puts <= 2 * 14, `${mirror.puts}`);
  assert.equal(mirror.refused, 0);
  await to.close();
  assert.equal((await server.request('DELETE', `/webhooks/${made.json.id}`)).status, 204);
});

test('the command line', async () => {
  const to = await new Receiver().start();
  const run = (...words) => {
    const r = spawnSync(sluiceBin(), [...words, '--server', server.url], { encoding: 'utf8', env: { ...process.env, SLUICE_LANG: 'en' } });
    return { code: r.status, out: r.stdout, err: r.stderr };
  };
  const later = (...words) => new Promise((go) => { // the receiver is in this process: do not block it
    const child = spawn(sluiceBin(), [...words, '--server', server.url], { env: { ...process.env, SLUICE_LANG: 'en' } });
    let out = '';
    child.stdout.on('data', (d) => { out += d; });
    child.on('exit', (code) => go({ code, out }));
  });
  const made = run('webhook', 'create', to.url, '--name', 'bell', '--events', 'session_state_change');
  assert.equal(made.code, 0, made.err);
  assert.match(made.out, /secret +whsec_/);
  assert.match(run('webhook', 'list').out, /bell/);
  assert.doesNotMatch(run('webhook', 'show', 'bell').out, /whsec_/);
  assert.deepEqual(await later('webhook', 'test', 'bell'), { code: 0, out: 'delivered\n' });
  const id = await sessionIn('running');
  assert.match(run('status', 'list', '--status', 'IN_PROGRESS').out, new RegExp(`flow-${id}`));
  assert.match(run('status', 'set', id, 'ON_HOLD', '--note', 'wait').out, /status +ON_HOLD/);
  assert.match(run('status', 'show', `flow-${id}`).out, /ON_HOLD/);
  assert.equal(run('status', 'set', id, 'COMPLETED').code, 4);
  await to.until((r) => r.of(id).length === 2);
  const deliveries = JSON.parse(run('webhook', 'deliveries', 'bell', '--session', id, '--json').out.trim().split('\n')[0]);
  assert.ok(deliveries);
  assert.equal((await later('webhook', 'replay', 'bell', '--session', id)).out, 'the events are on their way\n');
  await to.until((r) => r.of(id).length === 4);
  assert.match(run('webhook', 'update', 'bell', '--off').out, /enabled +false/);
  assert.equal(run('webhook', 'delete', 'bell').code, 0);
  assert.equal(run('webhook', 'show', 'bell').code, 3);
  await to.close();
});
