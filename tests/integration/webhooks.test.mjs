// Webhooks over real HTTP: what comes, in which order, signed; refusals, restarts, replays, two instances.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { holdEvents, holdsAnswer, holdsGet } from './lib/contract.mjs';
import { Receiver, verify } from './lib/receiver.mjs';
import { Server } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';
import { until } from './lib/until.mjs';

const several = storeKind() === 'postgres';
const env = { SLUICE_SECRET_KEY: 'a key of this test, long enough' };
const args = ['--tool-allow', '127.0.0.1'];
let server, other, database;
const receivers = [];
const receive = async (answer) => { const r = await new Receiver(answer).start(); receivers.push(r); return r; };

before(async () => {
  if (several) database = new Database();
  server = await new Server(several ? { database, env, args } : { env, args }).start();
  other = several ? await new Server({ database, env, args }).start() : server;
});
after(async () => {
  for (const r of receivers) await r.close();
  if (other !== server) await other?.close();
  await server?.close();
  database?.drop();
});

const review = {
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'end' } },
    end: { type: 'end' },
  },
};
const quick = { nodes: { start: { type: 'start', next_ids: ['talk'] }, talk: { type: 'llm', properties: { prompt: 'hello' }, next_ids: ['end'] }, end: { type: 'end' } } };
const make = async (body, s = server) => {
  const r = holdsAnswer('/webhooks', 'post', await s.post('/webhooks', body));
  assert.equal(r.status, 201, r.text);
  return r.json;
};
const remove = async (hook) => assert.equal((await server.request('DELETE', `/webhooks/${hook.id}`)).status, 204);
const approve = (s, id) => s.post(`/sessions/${id}/nodes/ask/resume`, { action: 'approve' });
const untold = (type) => type !== 'token_stream';
const events = async (id) => (await server.events(id)).filter((e) => untold(e.type));
test('a webhook is told every event, in order, once, signed', async () => {
  const to = await receive();
  const hook = await make({ url: to.url, name: 'bell' });
  assert.match(hook.secret, /^whsec_/);
  const id = await server.execute(quick, {}, { metadata: { a: 1 } });
  await to.ended(id);
  const got = to.of(id), log = await events(id);
  assert.deepEqual(got.map((r) => r.json), log); // the very events, without tokens
  holdEvents(got.map((r) => r.json));
  const deliveries = new Set();
  for (const { headers, body, json } of got) {
    assert.ok(verify(hook.secret, headers['sluice-signature'], body));
    assert.ok(!verify('another secret that is long', headers['sluice-signature'], body));
    assert.ok(!verify(hook.secret, headers['sluice-signature'], `${body} `));
    assert.equal(headers['sluice-webhook'], hook.id);
    assert.equal(headers['sluice-event'], json.type);
    assert.equal(headers['content-type'], 'application/json');
    assert.match(headers['sluice-delivery'], /^[0-9a-f-]{36}$/);
    deliveries.add(headers['sluice-delivery']);
  }
  assert.equal(deliveries.size, log.length);
  const list = await until(async () => {
    const r = (await server.get(`/webhooks/${hook.id}/deliveries?session_id=${id}&status=delivered&limit=500`)).json;
    return r.items.length === log.length && r;
  });
  holdsGet('/webhooks/{webhook_id}/deliveries', list);
  assert.deepEqual(new Set(list.items.map((d) => d.id)), deliveries);
  assert.ok(list.items.every((d) => d.http_status === 204 && d.attempts === 1 && d.error === null));
  await remove(hook);
});

test('the secret is nowhere to be read', async () => {
  const secret = 'correct horse battery staple';
  const to = await receive();
  const hook = await make({ url: to.url, secret });
  assert.equal(hook.secret, undefined); // whoever gave it has it
  const test = holdsAnswer('/webhooks/{webhook_id}/test', 'post', await server.post(`/webhooks/${hook.id}/test`));
  assert.deepEqual([test.json.delivered, test.json.http_status], [true, 204]);
  assert.equal(to.requests[0].json.type, 'webhook_test');
  assert.ok(verify(secret, to.requests[0].headers['sluice-signature'], to.requests[0].body));
  const made = await make({ url: to.url, enabled: false });
  for (const path of [`/webhooks/${hook.id}`, '/webhooks', `/webhooks/${hook.id}/deliveries`, '/audit?limit=500']) {
    const { text } = await server.get(path);
    assert.ok(!text.includes(secret) && !text.includes(made.secret), path);
  }
  if (!several) {
    for (const name of readdirSync(server.scratch)) {
      const bytes = readFileSync(join(server.scratch, name));
      assert.ok(!bytes.includes(secret) && !bytes.includes(made.secret), name);
    }
  } else {
    const dump = database.query('SELECT row_to_json(w)::text FROM webhooks AS w') + database.query('SELECT row_to_json(k)::text FROM idempotency_keys AS k');
    assert.ok(!dump.includes(secret) && !dump.includes(made.secret));
  }
  const key = { 'idempotency-key': `k${hook.id}` };
  const first = await server.post('/webhooks', { url: to.url, enabled: false }, key);
  const again = await server.post('/webhooks', { url: to.url, enabled: false }, key);
  assert.equal(again.json.id, first.json.id);
  assert.equal(again.json.secret, undefined);
  for (const h of [hook, made, first.json]) await remove(h);
});

test('what is refused, and versions', async () => {
  const url = 'http://127.0.0.1:9/';
  const bad = [{}, { url: 'ftp://x/' }, { url: 'http://u:p@h/' }, { url, events: 'message' }, { url, filter: { colour: 1 } },
    { url, secret: 'short' }, { url, enabled: 'yes' }, { url, colour: 1 }, { url: 7 }];
  for (const body of bad) assert.equal((await server.post('/webhooks', body)).status, 400, JSON.stringify(body));
  const hook = await make({ url, events: ['message'], enabled: false, name: 'n' });
  const change = (method, body, headers) => server.request(method, `/webhooks/${hook.id}`, body, headers);
  assert.equal((await change('PATCH', { name: 'm' }, { 'if-match': '9' })).status, 412);
  const patched = holdsAnswer('/webhooks/{webhook_id}', 'patch', await change('PATCH', { name: 'm' }, { 'if-match': '1' }));
  assert.deepEqual([patched.json.name, patched.json.events, patched.json.version, patched.json.enabled], ['m', ['message'], 2, false]);
  const put = holdsAnswer('/webhooks/{webhook_id}', 'put', await change('PUT', { url, enabled: false }));
  assert.deepEqual([put.json.name, put.json.events, put.json.version], [null, [], 3]);
  assert.equal((await change('DELETE', undefined, { 'if-match': '1' })).status, 412);
  assert.deepEqual((await server.get('/webhooks?limit=1')).json.items.map((h) => h.id), [hook.id]);
  assert.equal((await server.post(`/webhooks/${hook.id}/replay`, { session_id: hook.id })).status, 409); // it is disabled
  await remove(hook);
  assert.equal((await server.get(`/webhooks/${hook.id}`)).status, 404);
  assert.equal((await server.get('/webhooks/nobody')).status, 404);
});

test('filters', async () => {
  const [by, other1] = [await receive(), await receive()];
  const hooks = [
    await make({ url: by.url, events: ['session_state_change'], filter: { metadata: { team: 'red' }, status: ['completed'] } }),
    await make({ url: other1.url, events: ['token_stream'], filter: { metadata: { team: 'red' } } }),
  ];
  const red = await server.execute(quick, {}, { metadata: { team: 'red', n: 1 } });
  const blue = await server.execute(quick, {}, { metadata: { team: 'blue' } });
  await by.ended(red);
  await until(async () => (await server.get(`/sessions/${blue}`)).json.status === 'completed');
  const tokens = (await server.events(red)).filter((e) => e.type === 'token_stream');
  await other1.until((r) => r.of(red).length === tokens.length);
  assert.deepEqual(by.of(red).map((r) => r.json.data.to), ['completed']);
  assert.deepEqual(other1.of(red).map((r) => r.json), tokens);
  assert.equal(by.of(blue).length + other1.of(blue).length, 0);
  for (const h of hooks) await remove(h);
});

test('one that fails gets it again, with the same id, over a kill; others do not wait for one that never answers', async () => {
  let up = false;
  const flaky = await receive(() => (up ? 200 : 500));
  const mute = await receive(() => undefined);
  const well = await receive();
  const hooks = [await make({ url: flaky.url }), await make({ url: mute.url }), await make({ url: well.url })];
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push(await server.execute(review));
  await flaky.until((r) => r.requests.length >= 1);
  for (const id of ids) await well.until((r) => r.of(id).some((x) => x.json.type === 'human_interaction_required'), 5000);
  assert.ok(mute.openMax <= 8);
  const failing = await until(async () => {
    const h = (await server.get(`/webhooks/${hooks[0].id}`)).json;
    return h.failing_since && h;
  });
  assert.ok(failing.enabled && failing.sessions_behind >= 1);
  const failed = (await server.get(`/webhooks/${hooks[0].id}/deliveries?status=failed`)).json.items;
  assert.ok(failed.length >= 1 && failed[0].http_status === 500 && failed[0].error);

  await server.kill();
  await server.start();
  for (const id of ids) assert.equal((await approve(other, id)).status, 200);
  up = true;
  for (const id of ids) await flaky.ended(id, 40000);
  for (const id of ids) await well.ended(id);
  for (const id of ids) {
    const log = await events(id);
    // In order; whoever died between an answer and its record asks once more, with the same id.
    const seen = [], delivery = new Map();
    for (const r of flaky.of(id)) {
      if (delivery.has(r.json.seq)) assert.equal(delivery.get(r.json.seq), r.headers['sluice-delivery']);
      else seen.push(r.json);
      delivery.set(r.json.seq, r.headers['sluice-delivery']);
    }
    assert.deepEqual(seen, log);
  }
  const before = flaky.requests.filter((r) => r.status === 500);
  const after = new Map(flaky.taken.map((r) => [`${r.json.session_id} ${r.json.seq}`, r.headers['sluice-delivery']]));
  for (const r of before) assert.equal(after.get(`${r.json.session_id} ${r.json.seq}`), r.headers['sluice-delivery']);
  for (const h of hooks) await remove(h);
});

test('a delivery, and a session, once more', async () => {
  const to = await receive();
  const hook = await make({ url: to.url, events: ['session_state_change'] });
  const id = await server.execute(quick);
  await to.ended(id);
  const log = (await events(id)).filter((e) => e.type === 'session_state_change');
  const first = to.of(id)[0];
  const r = holdsAnswer('/webhooks/{webhook_id}/deliveries/{delivery_id}/replay', 'post',
    await until(async () => { const a = await server.post(`/webhooks/${hook.id}/deliveries/${first.headers['sluice-delivery']}/replay`); return a.status === 200 && a; }));
  assert.deepEqual([r.json.delivered, r.json.attempts, r.json.seq], [true, 2, first.json.seq]);
  const again = to.requests.at(-1);
  assert.deepEqual([again.json, again.headers['sluice-delivery'], again.headers['sluice-replay']], [first.json, first.headers['sluice-delivery'], '1']);
  assert.equal((await server.post(`/webhooks/${hook.id}/deliveries/${id}/replay`)).status, 404);

  to.requests.length = 0;
  const replay = holdsAnswer('/webhooks/{webhook_id}/replay', 'post', await other.post(`/webhooks/${hook.id}/replay`, { session_id: id, after: log[0].seq }));
  assert.equal(replay.status, 202, replay.text);
  await to.ended(id);
  assert.deepEqual(to.of(id).map((x) => x.json), log.slice(1));
  assert.equal((await server.post(`/webhooks/${hook.id}/replay`, { session_id: id, after: 100000 })).status, 400);
  assert.equal((await server.post(`/webhooks/${hook.id}/replay`, { session_id: hook.id })).status, 404);
  await remove(hook);
});

test('redirects are not followed, inner addresses not reached', async () => {
  const to = await receive(() => 302);
  const hook = await make({ url: to.url });
  const moved = (await server.post(`/webhooks/${hook.id}/test`)).json;
  assert.deepEqual([moved.delivered, moved.http_status], [false, 302]);
  assert.equal(to.requests.length, 1);
  const inside = await make({ url: `http://[::1]:${to.port}/` });
  const refused = (await server.post(`/webhooks/${inside.id}/test`)).json;
  assert.equal(refused.delivered, false);
  assert.match(refused.error, /address_refused/);
  await remove(hook);
  await remove(inside);
});

test('of two instances the one that is left goes on', { skip: several ? false : 'one instance has the embedded store' }, async () => {
  const to = await receive();
  const third = await new Server({ database, env, args }).start();
  const hook = await make({ url: to.url }, other);
  const ids = [];
  for (let i = 0; i < 6; i++) ids.push(await (i % 2 ? third : other).execute(review));
  for (const id of ids) await to.until((r) => r.of(id).some((x) => x.json.type === 'human_interaction_required'));
  await third.kill();
  for (const id of ids) {
    const r = await until(async () => { const a = await approve(server, id); return a.status === 200 && a; });
    assert.equal(r.json.status, 'resumed');
  }
  for (const id of ids) {
    await to.ended(id);
    const seen = [];
    for (const r of to.of(id)) if (seen.at(-1)?.seq !== r.json.seq) seen.push(r.json);
    assert.deepEqual(seen, await events(id));
  }
  await remove(hook);
});
