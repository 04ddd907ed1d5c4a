// Nobody gets in where they do not belong: every route and every message, by every role, with no key, a
// revoked, an expired and another workspace's one.
//
// A NEW ROUTE needs a line in ROUTES, a new WebSocket message one in MESSAGES:
//   'METHOD /path': [role, { id: what stands for each {parameter}, body, other }]
// role: the least one that may ask, or 'open'. `body`: one that the route takes, so that a key of another
// workspace gets as far as to look for the object, which it must not find (404, and the same text as for
// an object that does not exist). `other`: what another workspace's key gets when that is not 404, and why.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { asyncapi, holds, holdsAnswer, openapi } from './lib/contract.mjs';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Server, sluiceBin } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';

const RANK = { viewer: 1, operator: 2, editor: 3, admin: 4 };
const OWN = 'names are by workspace: it makes one of its own';
const node = { type: 'start', next_ids: ['end'] };
const small = { nodes: { start: node, end: { type: 'end' } } };

const ROUTES = {
  'GET /workflows': ['viewer'],
  'POST /workflows': ['editor'],
  'GET /workflows/{id}': ['viewer', { id: 'workflow' }],
  'PUT /workflows/{id}': ['editor', { id: 'workflow', body: { id: 'wf', ...small }, other: OWN }],
  'DELETE /workflows/{id}': ['editor', { id: 'workflow' }],
  'GET /workflows/{id}/versions': ['viewer', { id: 'workflow' }],
  'GET /workflows/{id}/diagram': ['viewer', { id: 'workflow' }],
  'POST /workflows/generate': ['editor'],
  'POST /workflows/estimate': ['viewer'],
  'POST /workflows/{id}/estimate': ['viewer', { id: 'workflow', body: {} }],
  'GET /workflow.schema.json': ['viewer'],
  'POST /workflows/validate': ['viewer'],
  'POST /workflows/execute': ['operator'],
  'GET /sessions': ['viewer'],
  'GET /sessions/{id}': ['viewer', { id: 'session' }],
  'PUT /sessions/{id}': ['operator', { id: 'session', body: { name: 'stolen' }, other: 'is taken' }],
  'PATCH /sessions/{id}': ['operator', { id: 'session', body: { name: 'stolen' } }],
  'DELETE /sessions/{id}': ['editor', { id: 'session', query: '?force=true' }],
  'POST /sessions/batch': ['editor'],
  'POST /sessions/{id}/pause': ['operator', { id: 'session', body: {} }],
  'POST /sessions/{id}/resume': ['operator', { id: 'session', body: {} }],
  'POST /sessions/{id}/cancel': ['operator', { id: 'session', body: {} }],
  'POST /sessions/{id}/stop': ['operator', { id: 'session', body: {} }],
  'POST /sessions/{id}/nodes/{node_id}/resume': ['operator', { id: 'session', body: { action: 'approve' } }],
  'POST /sessions/{id}/signal': ['operator', { id: 'session', body: { name: 'go', payload: 1 } }],
  'POST /sessions/{id}/fork': ['operator', { id: 'session', body: { after_seq: 1 } }],
  'POST /sessions/{id}/retry': ['operator', { id: 'session', body: {} }],
  'POST /sessions/{id}/input': ['operator', { id: 'session', body: { content: 'x' } }],
  'GET /sessions/{id}/events': ['viewer', { id: 'session' }],
  'GET /sessions/{id}/stream': ['viewer', { id: 'session' }],
  'GET /sessions/{id}/messages': ['viewer', { id: 'session' }],
  'GET /sessions/{id}/usage': ['viewer', { id: 'session' }],
  'GET /usage': ['viewer'],
  'GET /sessions/{id}/files': ['viewer', { id: 'session' }],
  'GET /sessions/{id}/files/history': ['viewer', { id: 'session', query: '?path=a.md' }],
  'GET /sessions/{id}/files/content': ['viewer', { id: 'session', query: '?path=a.md' }],
  'GET /sessions/{id}/files/diff': ['viewer', { id: 'session', query: '?path=a.md' }],
  'GET /sessions/{id}/knowledge': ['viewer', { id: 'session' }],
  'POST /memory/ingest': ['editor'],
  'POST /memory/query': ['viewer'],
  'GET /memories': ['viewer'],
  'GET /memories/{id}': ['viewer', { id: 'memory' }],
  'DELETE /memories/{id}': ['editor', { id: 'memory' }],
  'POST /memories/{id}/promote': ['editor', { id: 'memory', body: { tier: 'long_term' } }],
  'POST /tasks/lease': ['operator'],
  'POST /tasks/{id}/heartbeat': ['operator', { id: 'task', body: {} }],
  'POST /tasks/{id}/complete': ['operator', { id: 'task', body: { output: 1 } }],
  'POST /tasks/{id}/fail': ['operator', { id: 'task', body: { error: { code: 'x', message: 'y' } } }],
  'GET /sessions/{id}/export': ['operator', { id: 'session' }],
  'POST /sessions/import': ['editor'],
  'GET /sessions/{id}/diagram': ['viewer', { id: 'session' }],
  'GET /sessions/{id}/stages': ['viewer', { id: 'session' }],
  'POST /sessions/{id}/stages': ['operator', { id: 'session', body: { stage_id: 'st' } }],
  'GET /sessions/{id}/progress': ['viewer', { id: 'session' }],
  'GET /sessions/{id}/next': ['viewer', { id: 'session' }],
  'GET /current': ['viewer'],
  'PUT /current': ['operator'],
  'DELETE /current': ['operator'],
  'GET /stages/{instance_id}': ['viewer', { id: 'stage' }],
  'PATCH /stages/{instance_id}': ['operator', { id: 'stage', body: { items: { goal: true } } }],
  'POST /stages/{instance_id}/complete': ['operator', { id: 'stage', body: {} }],
  'POST /stages/{instance_id}/skip': ['operator', { id: 'stage', body: { reason: 'x' } }],
  'GET /reviews': ['viewer'],
  'GET /reviews/{interrupt_id}': ['viewer', { id: 'review' }],
  'GET /sessions/{id}/nodes': ['viewer', { id: 'session' }],
  'GET /agents': ['viewer'],
  'POST /agents': ['editor'],
  'GET /agents/{id}': ['viewer', { id: 'agent' }],
  'PUT /agents/{id}': ['editor', { id: 'agent', body: { id: 'ann', name: 'Other', persona: 'x' }, other: OWN }],
  'PATCH /agents/{id}': ['editor', { id: 'agent', body: { name: 'Other' } }],
  'DELETE /agents/{id}': ['editor', { id: 'agent' }],
  'GET /groups': ['viewer'],
  'POST /groups': ['editor'],
  'GET /groups/{id}': ['viewer', { id: 'group' }],
  'PUT /groups/{id}': ['editor', { id: 'group', body: { id: 'grp', name: 'Other' }, other: OWN }],
  'PATCH /groups/{id}': ['editor', { id: 'group', body: { name: 'Other' } }],
  'DELETE /groups/{id}': ['editor', { id: 'group' }],
  'GET /templates': ['viewer'],
  'POST /templates': ['editor'],
  'GET /templates/{id}': ['viewer', { id: 'template' }],
  'PUT /templates/{id}': ['editor', { id: 'template', body: { id: 'tpl', name: 'Other', graph: small }, other: OWN }],
  'PATCH /templates/{id}': ['editor', { id: 'template', body: { name: 'Other' } }],
  'DELETE /templates/{id}': ['editor', { id: 'template' }],
  'POST /templates/{id}/instantiate': ['editor', { id: 'template', body: { id: 'made' } }],
  'GET /status': ['viewer'],
  'GET /status/{entry_id}': ['viewer', { id: 'entry' }],
  'PUT /status/{entry_id}': ['operator', { id: 'entry', body: { status: 'ON_HOLD' } }],
  'POST /workflows/import': ['editor'],
  'GET /workflows/{id}/export': ['viewer', { id: 'workflow' }],
  'GET /sessions/stats': ['viewer'],
  'GET /sessions/{id}/context': ['viewer', { id: 'session' }],
  'GET /sessions/{id}/timeline': ['viewer', { id: 'session' }],
  'GET /webhooks': ['admin'],
  'POST /webhooks': ['admin'],
  'GET /webhooks/{webhook_id}': ['admin', { id: 'webhook' }],
  'PUT /webhooks/{webhook_id}': ['admin', { id: 'webhook', body: { url: 'https://hooks.example/y' } }],
  'PATCH /webhooks/{webhook_id}': ['admin', { id: 'webhook', body: { url: 'https://hooks.example/y' } }],
  'DELETE /webhooks/{webhook_id}': ['admin', { id: 'webhook' }],
  'GET /webhooks/{webhook_id}/deliveries': ['admin', { id: 'webhook' }],
  'POST /webhooks/{webhook_id}/deliveries/{delivery_id}/replay': ['admin', { id: 'webhook', body: {} }],
  'POST /webhooks/{webhook_id}/replay': ['admin', { id: 'webhook', body: { session_id: '01900000-0000-7000-8000-00000000beef', after: 0 } }],
  'POST /webhooks/{webhook_id}/test': ['admin', { id: 'webhook', body: {} }],
  'GET /schedules': ['viewer'],
  'POST /schedules': ['editor'],
  'GET /schedules/{id}': ['viewer', { id: 'schedule' }],
  'PUT /schedules/{id}': ['editor', { id: 'schedule', body: { workflow_id: 'wf', cron: '0 0 1 1 *' }, other: 'its workflow is not there' }],
  'PATCH /schedules/{id}': ['editor', { id: 'schedule', body: { name: 'stolen' } }],
  'DELETE /schedules/{id}': ['editor', { id: 'schedule' }],
  'POST /schedules/{id}/run': ['operator', { id: 'schedule', body: {} }],
  'GET /audit': ['admin'],
  'GET /healthz': ['open'],
  'GET /readyz': ['open'],
  'GET /metrics': ['viewer'],
  'GET /version': ['open'],
  'GET /keys': ['admin'],
  'POST /keys': ['admin'],
  'GET /keys/{id}': ['admin', { id: 'key' }],
  'DELETE /keys/{id}': ['admin', { id: 'key' }],
  'GET /whoami': ['viewer'],
  'POST /ws/ticket': ['viewer'],
  'GET /ws': ['open'], // without an upgrade it is 426 for everybody; the handshake has its own tests
  'GET /instances': ['admin'],
  'GET /llm/providers': ['viewer'],
  'GET /models/pricing': ['viewer'],
  'GET /openapi.json': ['open'],
  'GET /asyncapi.json': ['open'],
};

// 'type': [role, the message's members]; `session`: it takes one, of which another workspace must see nothing.
const MESSAGES = {
  ping: ['viewer', {}],
  subscribe: ['viewer', { session: true }],
  unsubscribe: ['viewer', { session: true }],
  execute: ['operator', { workflow_id: 'wf-unknown' }],
  pause: ['operator', { session: true }],
  resume: ['operator', { session: true }],
  cancel: ['operator', { session: true }],
  resume_node: ['operator', { session: true, node_id: 'rv', action: 'approve' }],
  signal: ['operator', { session: true, name: 'go', payload: 1 }],
  user_input: ['operator', { session: true, content: 'x' }],
};

const NOTHING = '01900000-0000-7000-8000-00000000dead';
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const documented = Object.entries(openapi.paths).flatMap(([path, item]) =>
  METHODS.filter((m) => item[m]).map((m) => `${m.toUpperCase()} ${path}`));

let server, second, database;
const keys = {}; // by name: of the workspace w1 by role; other, revoked, expired
const world = {}; // one of everything, in w1
const bearer = (key) => (key ? { authorization: `Bearer ${key}` } : {});

async function ask(method, path, key, body, at = server) {
  const headers = { ...bearer(key) };
  const r = await at.request(method, path, method === 'GET' || method === 'DELETE' ? undefined : body ?? {}, headers);
  return r;
}

const must = async (status, ...args) => {
  const r = await ask(...args);
  assert.equal(r.status, status, `${args[0]} ${args[1]}: ${r.text.slice(0, 300)}`);
  return r.json;
};

async function until(what, ms = 10000) {
  for (const end = Date.now() + ms; Date.now() < end;) {
    const value = await what();
    if (value) return value;
    await new Promise((go) => setTimeout(go, 20));
  }
  throw new Error(`waited ${ms} ms in vain for ${what}`);
}

const workflow = {
  id: 'wf',
  name: 'All kinds',
  nodes: {
    start: { type: 'start', next_ids: ['w'] },
    w: { type: 'tool', properties: { tool: 'write_file', arguments: { path: 'a.md', content: 'one' } }, next_ids: ['p'] },
    p: { type: 'parallel', next_ids: ['st', 'rv', 'tk', 'sg'] },
    st: { type: 'stage', name: 'Plan', properties: { checklist: ['goal'] }, next_ids: ['end'] },
    rv: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'end' } },
    tk: { type: 'task', properties: { queue: 'q', input: {}, heartbeat_ms: 60000 }, next_ids: ['end'] },
    sg: { type: 'signal', properties: { name: 'go' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

async function makeKeys() {
  const make = async (name, role, workspace, more = {}) => {
    const r = await ask('POST', '/keys', keys.root, { name, role, workspace, ...more });
    assert.equal(r.status, 201, r.text);
    holdsAnswer('/keys', 'post', r);
    return r.json;
  };
  const root = await make('root', 'admin', 'default');
  keys.root = root.key;
  for (const role of Object.keys(RANK)) keys[role] = (await make(role, role, 'w1')).key;
  keys.other = (await make('other', 'admin', 'w2')).key;
  world.key = (await make('spare', 'viewer', 'w1')).id;
  const revoked = await make('revoked', 'admin', 'w1');
  keys.revoked = revoked.key;
  await must(204, 'DELETE', `/keys/${revoked.id}`, keys.root);
  const soon = new Date(Date.now() + 1000).toISOString();
  keys.expired = (await make('expired', 'admin', 'w1', { expires_at: soon })).key;
}

async function makeWorld() {
  const { admin } = keys;
  await must(201, 'POST', '/workflows', admin, workflow);
  world.workflow = 'wf';
  await must(201, 'POST', '/agents', admin, { id: 'ann', name: 'Ann', persona: 'Be kind.' });
  world.agent = 'ann';
  await must(201, 'POST', '/groups', admin, { id: 'grp', name: 'Group', default_agent_ids: ['ann'] });
  world.group = 'grp';
  await must(201, 'POST', '/templates', admin, { id: 'tpl', name: 'Template', graph: small });
  world.template = 'tpl';
  await must(201, 'POST', '/memory/ingest', admin, { group_id: 'grp', content: 'the secret of w1', tier: 'working' });
  world.memory = (await must(200, 'GET', '/memories?group_id=grp', admin)).items[0].id;
  world.webhook = (await must(201, 'POST', '/webhooks', admin, { url: 'https://hooks.example/x', enabled: false })).id;
  world.schedule = (await must(201, 'POST', '/schedules', admin, { name: 'spare', workflow_id: 'wf', cron: '0 0 1 1 *', enabled: false })).id;
  world.session = (await must(202, 'POST', '/workflows/execute', admin, { workflow_id: 'wf', name: 'secret' })).session_id;
  world.entry = `flow-${world.session}`;
  const asked = async (path) => until(async () => (await must(200, 'GET', path, admin)).items.find((i) => i.instance_id ?? i.interrupt_id));
  world.stage = (await asked(`/sessions/${world.session}/stages`)).instance_id;
  world.review = (await asked(`/reviews?session_id=${world.session}&kind=approve_reject`)).interrupt_id;
  world.task = (await must(200, 'POST', '/tasks/lease', admin, { queue: 'q', wait_ms: 10000 })).items[0].id;
}

before(async () => {
  if (storeKind() === 'postgres') database = new Database();
  const env = { SLUICE_SECRET_KEY: 'a key of this test, long enough' }; // for the secrets of webhooks
  server = await new Server({ database, env }).start();
  await makeKeys();
  await makeWorld();
  if (database) second = await new Server({ database, env }).start();
});
after(async () => {
  await second?.close();
  await server?.close();
  database?.drop();
});

// 'GET /sessions/{id}' with the world's ids, or with those of nothing
function pathOf(route, real) {
  const [method, path] = route.split(' ');
  const more = ROUTES[route][1] ?? {};
  const nothing = { workflow: 'nothing', agent: 'nothing', group: 'nothing', template: 'nothing', entry: `flow-${NOTHING}` };
  const id = real ? world[more.id] : nothing[more.id] ?? NOTHING;
  return [method, path.replace('{node_id}', 'rv').replace('{delivery_id}', NOTHING).replace(/\{[^}]*\}/, id) + (more.query ?? '')];
}

test('each route and each message has an expectation', () => {
  const missing = documented.filter((r) => !ROUTES[r]);
  assert.deepEqual(missing, [], 'say in ROUTES of access.test.mjs which role may ask, and with which body (see its head)');
  assert.deepEqual(Object.keys(ROUTES).filter((r) => !documented.includes(r)), [], 'ROUTES has a line too many');
  for (const [route, [, more]] of Object.entries(ROUTES)) {
    assert.equal(route.includes('{'), Boolean(more?.id), `${route}: say what stands for its parameter`);
    if (more?.id) assert.ok(world[more.id], `${route}: makeWorld() makes no ${more.id}`);
  }
  const said = asyncapi.operations.send.messages.map((m) => m.$ref.split('/').pop());
  assert.deepEqual(said.filter((m) => !MESSAGES[m]), [], 'say in MESSAGES of access.test.mjs which role may say it');
  assert.deepEqual(Object.keys(MESSAGES).filter((m) => !said.includes(m)), []);
});

test('no key, and keys that are none', async () => {
  await until(async () => (await ask('GET', '/whoami', keys.expired)).status === 401);
  const bad = { none: '', revoked: keys.revoked, expired: keys.expired, unknown: `sk_sluice_${'A'.repeat(43)}`,
    cut: keys.admin.slice(0, -1), longer: `${keys.admin}A`, word: 'admin', jwt: 'eyJhbGciOiJub25lIn0.e30.' };
  for (const [route, [role]] of Object.entries(ROUTES)) {
    const [method, path] = pathOf(route, false);
    for (const [name, key] of Object.entries(bad)) {
      if (!['none', 'revoked', 'expired'].includes(name) && path !== '/sessions') continue;
      const r = await ask(method, path, key);
      if (role === 'open') {
        assert.notEqual(r.status, 401, `${route}, ${name}: ${r.text}`);
        continue;
      }
      assert.equal(r.status, 401, `${route}, ${name}: ${r.text}`);
      assert.equal(r.json.code, 'unauthorized');
      assert.equal(r.headers.get('www-authenticate'), 'Bearer');
      holds('openapi#/components/schemas/Error', r.json);
    }
  }
});

test('each route by each role', async () => {
  for (const [route, [needed]] of Object.entries(ROUTES)) {
    const [method, path] = pathOf(route, false);
    for (const role of Object.keys(RANK)) {
      const r = await ask(method, path, keys[role]);
      const may = needed === 'open' || RANK[role] >= RANK[needed];
      assert.equal(r.status === 403 && r.json.code === 'forbidden', !may, `${route} by ${role}: ${r.status} ${r.text.slice(0, 300)}`);
      if (!may) assert.match(r.json.error, new RegExp(`role ${needed}`), route);
      else assert.ok(![401, 500].includes(r.status), `${route} by ${role}: ${r.status} ${r.text.slice(0, 300)}`);
    }
  }
});

test('a graph of one\'s own needs an editor, a stored workflow an operator', async () => {
  for (const role of Object.keys(RANK)) {
    const own = await ask('POST', '/workflows/execute', keys[role], { graph: small });
    assert.equal(own.status, RANK[role] >= RANK.editor ? 202 : 403, `${role}: ${own.text}`);
    const stored = await ask('POST', '/workflows/execute', keys[role], { workflow_id: 'wf', start_paused: true });
    assert.equal(stored.status, RANK[role] >= RANK.operator ? 202 : 403, `${role}: ${stored.text}`);
  }
});

const shape = (text) => text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID').replace(/"(wf|ann|grp|tpl|nothing)"/g, 'NAME');

async function attack(at) {
  for (const [route, [, more]] of Object.entries(ROUTES)) {
    if (!more?.id || more.other === OWN) continue;
    const [method, path] = pathOf(route, true);
    const real = await ask(method, path, keys.other, more.body, at);
    if (more.other) {
      assert.ok(real.status >= 400 && real.status !== 403, `${route}: ${real.status} ${real.text}`);
      continue;
    }
    const nothing = await ask(...pathOf(route, false), keys.other, more.body, at);
    assert.equal(real.status, 404, `${route}: ${real.status} ${real.text.slice(0, 300)}`);
    assert.equal(shape(real.text), shape(nothing.text), `${route}: what is another's reads as what is not there`);
  }
}

const image = async () => {
  const parts = [`/sessions/${world.session}`, `/sessions/${world.session}/events?limit=500`, `/sessions/${world.session}/stages`,
    `/reviews?session_id=${world.session}`, `/sessions/${world.session}/files/content?path=a.md`, '/workflows/wf', '/agents/ann', '/groups/grp',
    '/templates/tpl', `/memories/${world.memory}`, `/keys/${world.key}`, `/status/${world.entry}`, `/webhooks/${world.webhook}`,
    `/schedules/${world.schedule}`];
  return Promise.all(parts.map((p) => must(200, 'GET', p, keys.admin)));
};

describe('another workspace\'s key', () => {
  test('finds nothing, and changes nothing', async () => {
    const was = await image();
    await attack(server);
    if (second) await attack(second);
    assert.deepEqual(await image(), was);
    const beat = await ask('POST', `/tasks/${world.task}/heartbeat`, keys.operator, {});
    assert.equal(beat.status, 200, beat.text);
  });

  test('lists nothing', async () => {
    const none = async (path) => {
      const { items } = await must(200, 'GET', path, keys.other);
      const w1 = ['secret', 'All kinds', 'Ann', 'Group', 'Template', 'spare', 'operator'];
      assert.deepEqual(items.map((i) => i.name).filter((n) => w1.includes(n)), [], path);
      return items;
    };
    assert.deepEqual(await none('/sessions'), []);
    assert.deepEqual(await none('/status?type=FLOW'), []);
    assert.deepEqual(await none('/reviews'), []);
    assert.deepEqual(await none(`/reviews?session_id=${world.session}`), []);
    assert.deepEqual(await none('/memories?group_id=grp'), []);
    assert.deepEqual((await must(200, 'POST', '/memory/query', keys.other, { group_id: 'grp', query: 'secret' })).items, []);
    assert.deepEqual(await none('/schedules'), []);
    assert.deepEqual(await none('/webhooks'), []);
    assert.deepEqual([...new Set((await none('/audit?limit=500')).map((i) => i.actor))], ['other']); // what it asked for itself
    for (const path of ['/workflows', '/agents', '/groups', '/templates']) await none(path);
    assert.deepEqual((await none('/keys')).map((k) => k.workspace), ['w2']);
    assert.deepEqual((await must(200, 'GET', '/keys?workspace=w1', keys.other)).items, []);
    assert.deepEqual((await must(200, 'POST', '/tasks/lease', keys.other, { queue: 'q' })).items, []);
  });

  test('names nothing of it in a body', async () => {
    const refused = async (method, path, body, status = 404) => {
      const r = await ask(method, path, keys.other, body);
      assert.equal(r.status, status, `${method} ${path}: ${r.text}`);
    };
    await refused('POST', '/workflows/execute', { workflow_id: 'tpl-none' });
    await refused('PUT', '/current', { session_id: world.session });
    await refused('POST', '/workflows/estimate', { workflow_id: 'wf-none' });
    const was = await image();
    for (const body of [{ delete: [world.session] }, { save: [{ id: world.session, name: 'stolen' }] }]) {
      const r = await ask('POST', '/sessions/batch', keys.other, body);
      assert.notEqual(r.status, 403, r.text);
    }
    assert.deepEqual(await image(), was);
  });

  test('an admin of it makes keys of its own workspace only', async () => {
    assert.equal((await ask('POST', '/keys', keys.other, { name: 'x', role: 'admin', workspace: 'w1' })).status, 403);
    assert.equal((await ask('POST', '/keys', keys.other, { name: 'x', role: 'admin', workspace: 'default' })).status, 403);
    const own = await must(201, 'POST', '/keys', keys.other, { name: 'x', role: 'viewer' });
    assert.equal(own.workspace, 'w2');
    await must(204, 'DELETE', `/keys/${own.id}`, keys.other);
  });

  test('one Idempotency-Key is two in two workspaces', async () => {
    const [a, b] = await Promise.all(['editor', 'other'].map((k) => server.request('POST', '/workflows/execute', { graph: small },
      { ...bearer(keys[k]), 'idempotency-key': 'same' })));
    assert.equal(a.status, 202, a.text);
    assert.equal(b.status, 202, b.text);
    assert.notEqual(a.json.session_id, b.json.session_id);
  });
});

// ---- WebSocket ----

// A connection that keeps what comes; `opened` is the status of the handshake.
function connect(path, protocols = ['sluice.v1'], headers = {}, at = server) {
  const ws = new WebSocket(`ws://127.0.0.1:${at.port}${path}`, protocols, { headers, perMessageDeflate: false });
  const c = { ws, got: [], waiters: [] };
  const wake = () => c.waiters.splice(0).forEach((w) => w());
  c.opened = new Promise((done) => {
    ws.on('open', () => done(101));
    ws.on('unexpected-response', (_, res) => { done(res.statusCode); ws.terminate(); });
    ws.on('error', () => done(0));
  });
  c.closed = new Promise((done) => ws.on('close', (code) => { c.code = code; wake(); done(code); }));
  ws.on('message', (d) => { c.got.push(JSON.parse(d.toString())); wake(); });
  c.say = (m) => ws.send(JSON.stringify(m));
  c.next = async (test) => {
    for (;;) {
      const found = c.got.find(test);
      if (found) return found;
      if (c.code !== undefined) throw new Error(`closed with ${c.code}; ${JSON.stringify(c.got)}`);
      await new Promise((go) => c.waiters.push(go));
    }
  };
  return c;
}
const withKey = (key, path = '/ws', at = server) => connect(path, ['sluice.v1', `bearer.${key}`], {}, at);
const answerTo = async (c, m, n) => {
  c.say({ ...m, request_id: n });
  return c.next((g) => g.request_id === n);
};
const messageOf = (type, id) => {
  const { session, ...more } = MESSAGES[type][1];
  return { type, ...more, ...(session ? { session_id: id } : {}) };
};

describe('a WebSocket', () => {
  test('each message by each role', async () => {
    for (const role of Object.keys(RANK)) {
      const c = withKey(keys[role]);
      assert.equal(await c.opened, 101, role);
      let n = 0;
      for (const type of Object.keys(MESSAGES)) {
        const a = await answerTo(c, messageOf(type, NOTHING), ++n);
        const may = RANK[role] >= RANK[MESSAGES[type][0]];
        assert.equal(a.code === 'forbidden', !may, `${type} by ${role}: ${JSON.stringify(a)}`);
      }
      c.ws.close();
      await c.closed;
    }
  });

  test('of another workspace sees nothing of a session', async () => {
    const was = await image();
    for (const at of second ? [server, second] : [server]) {
      const c = withKey(keys.other, '/ws', at);
      let n = 0;
      for (const type of Object.keys(MESSAGES).filter((t) => MESSAGES[t][1].session)) {
        const a = await (c.opened.then(() => answerTo(c, messageOf(type, world.session), ++n)));
        const b = await answerTo(c, messageOf(type, NOTHING), ++n);
        assert.equal(a.code, 'not_found', `${type}: ${JSON.stringify(a)}`);
        assert.equal(shape(a.error), shape(b.error), type);
      }
      const d = withKey(keys.other, `/ws?session_id=${world.session}`, at);
      assert.equal((await d.next((g) => g.type === 'error')).code, 'not_found');
      c.ws.close();
      d.ws.close();
    }
    assert.deepEqual(await image(), was);
  });

  test('the channel has the sessions of one\'s own workspace', async () => {
    const watch = async (key, at, filter) => {
      const c = withKey(key, '/ws', at);
      await c.opened;
      await answerTo(c, { type: 'subscribe', channel: 'sessions', ...(filter ? { filter } : {}) }, 1);
      return c;
    };
    const places = second ? [server, second] : [server];
    const mine = [], theirs = [];
    for (const at of places) {
      mine.push(await watch(keys.viewer, at), await watch(keys.viewer, at, { status: 'completed' }));
      theirs.push(await watch(keys.other, at), await watch(keys.other, at, { status: 'completed' }));
    }
    const a = (await must(202, 'POST', '/workflows/execute', keys.editor, { graph: small })).session_id;
    const b = (await must(202, 'POST', '/workflows/execute', keys.other, { graph: small })).session_id;
    const ended = (id) => (g) => g.session_id === id && g.data?.to === 'completed';
    for (const c of mine) await c.next(ended(a));
    for (const c of theirs) await c.next(ended(b));
    const strangers = (list, id) => list.flatMap((c) => c.got).filter((g) => g.session_id === id);
    assert.deepEqual(strangers(mine, b), []);
    assert.deepEqual(strangers(theirs, a), []);
    for (const c of [...mine, ...theirs]) c.ws.close();
  });

  test('opens by header or subprotocol, and not without a key', async () => {
    const open = async (status, path, protocols, headers) => {
      const c = connect(path, protocols, headers);
      assert.equal(await c.opened, status, JSON.stringify([path, protocols, headers]));
      c.ws.terminate();
    };
    await open(101, '/ws', ['sluice.v1'], bearer(keys.viewer));
    await open(101, '/ws', [], bearer(keys.viewer));
    await open(101, '/api/v1/ws', ['sluice.v1', `bearer.${keys.viewer}`]);
    await open(401, '/ws', ['sluice.v1']);
    await open(401, '/ws', ['sluice.v1', `bearer.${keys.revoked}`]);
    await open(401, '/ws', ['sluice.v1', `bearer.${keys.expired}`]);
    await open(401, '/ws', ['sluice.v1', 'bearer.x']);
    await open(401, '/ws', ['sluice.v1'], bearer('x'));
    await open(401, `/ws?key=${keys.viewer}`, ['sluice.v1']);
  });

  test('a ticket is good once, on any instance', async () => {
    const at = second ?? server;
    const ticket = async (key) => {
      const r = holdsAnswer('/ws/ticket', 'post', await ask('POST', '/ws/ticket', key));
      assert.equal(r.status, 201, r.text);
      return r.json.ticket;
    };
    const t = await ticket(keys.viewer);
    const c = connect(`/ws?session_id=${world.session}&ticket=${t}`, ['sluice.v1'], {}, at);
    await c.opened;
    c.say({ type: 'ping', request_id: 'early' }); // before the ticket is known
    await c.next((g) => g.type === 'subscribed' && g.session_id === world.session);
    await c.next((g) => g.request_id === 'early');
    assert.equal((await answerTo(c, { type: 'pause', session_id: world.session }, 2)).code, 'forbidden');
    for (const place of second ? [server, second] : [server]) {
      const again = connect(`/ws?session_id=${world.session}&ticket=${t}`, ['sluice.v1'], {}, place);
      assert.equal(await again.closed, 4401);
      assert.deepEqual(again.got, []);
    }
    const race = await ticket(keys.viewer);
    const two = [connect(`/ws?ticket=${race}`, ['sluice.v1'], {}, server), connect(`/ws?ticket=${race}`, ['sluice.v1'], {}, at)];
    const how = await Promise.all(two.map(async (x) => {
      await x.opened;
      x.say({ type: 'ping' });
      return Promise.race([x.next((g) => g.type === 'pong').then(() => 'in', () => 'out'), x.closed]);
    }));
    assert.deepEqual(how.map((h) => (h === 'in' ? 'in' : 'out')).sort(), ['in', 'out'], JSON.stringify(how));
    for (const bad of ['tk_AAAA', keys.viewer, 'x']) {
      assert.equal(await connect(`/ws?ticket=${bad}`).closed, 4401, bad);
    }
    // Another workspace's sees no more than its key.
    const other = connect(`/ws?session_id=${world.session}&ticket=${await ticket(keys.other)}`);
    assert.equal((await other.next((g) => g.type === 'error')).code, 'not_found');
    for (const x of [c, other, ...two]) x.ws.terminate();
  });

  test('a wrong Origin or Host is refused, with any key', async () => {
    const open = async (headers) => {
      const c = connect('/ws', ['sluice.v1', `bearer.${keys.admin}`], headers);
      const status = await c.opened;
      c.ws.terminate();
      return status;
    };
    assert.equal(await open({ origin: 'https://evil.example' }), 403);
    assert.equal(await open({ host: 'evil.example' }), 403);
    assert.equal(await open({ origin: `http://127.0.0.1:${server.port}` }), 101);
    const r = await server.post('/keys', { name: 'x', role: 'admin' }, { ...bearer(keys.root), origin: 'https://evil.example' });
    assert.equal(r.status, 403, r.text);
  });

  test('what a key holds open is closed when it is revoked', async () => {
    const made = await must(201, 'POST', '/keys', keys.root, { name: 'short', role: 'viewer', workspace: 'w1' });
    if (second) await until(async () => (await ask('GET', '/whoami', made.key, undefined, second)).status === 200);
    const held = [withKey(made.key, `/ws?session_id=${world.session}`), ...(second ? [withKey(made.key, '/ws', second)] : [])];
    await held[0].next((g) => g.type === 'subscribed');
    await Promise.all(held.map((c) => c.opened));
    const stream = await fetch(`${server.url}/sessions/${world.session}/stream`, { headers: bearer(made.key) });
    assert.equal(stream.status, 200);
    const ticket = (await ask('POST', '/ws/ticket', made.key)).json.ticket;
    await must(204, 'DELETE', `/keys/${made.id}`, keys.root);
    for (const c of held) assert.equal(await c.closed, 4401);
    await stream.text().catch(() => {}); // it ends
    assert.equal(await connect(`/ws?ticket=${ticket}`).closed, 4401);
    assert.equal((await ask('GET', '/whoami', made.key)).status, 401);
    if (second) await until(async () => (await ask('GET', '/whoami', made.key, undefined, second)).status === 401);
  });
});

// ---- keys ----

test('a key shows who one is, and its text is nowhere', async () => {
  const who = holdsAnswer('/whoami', 'get', await ask('GET', '/whoami', keys.editor)).json;
  assert.deepEqual([who.kind, who.name, who.role, who.workspace, who.auth], ['key', 'editor', 'editor', 'w1', 'auto']);
  const list = holdsAnswer('/keys', 'get', await ask('GET', '/keys', keys.admin));
  assert.deepEqual([...new Set(list.json.items.map((k) => k.workspace))], ['w1']);
  for (const secret of Object.values(keys)) assert.ok(!list.text.includes(secret));
  assert.equal(list.json.items.find((k) => k.name === 'revoked').status, 'revoked');
  assert.equal(list.json.items.find((k) => k.name === 'expired').status, 'expired');
  assert.ok(list.json.items.find((k) => k.name === 'admin').last_used_at);
  const all = await must(200, 'GET', '/keys?limit=2', keys.root);
  assert.equal(all.items.length, 2);
  const rest = await must(200, 'GET', `/keys?cursor=${all.next_cursor}&workspace=w2`, keys.root);
  assert.deepEqual([...new Set(rest.items.map((k) => k.workspace))], ['w2']);
});

test('keys that cannot be made', async () => {
  const bad = [{}, { name: 'x' }, { name: 'x', role: 'king' }, { name: '', role: 'admin' }, { name: 'x'.repeat(200), role: 'admin' },
    { name: 'a\nb', role: 'admin' }, { name: 'x', role: 'admin', workspace: 'a b' }, { name: 'x', role: 'admin', expires_at: '2020-01-01T00:00:00Z' },
    { name: 'x', role: 'admin', expires_at: 'soon' }, { name: 'x', role: 'admin', key: 'mine' }];
  for (const body of bad) assert.equal((await ask('POST', '/keys', keys.root, body)).status, 400, JSON.stringify(body));
  const again = await server.post('/keys', { name: 'x', role: 'admin' }, { ...bearer(keys.root), 'idempotency-key': 'k' });
  assert.equal(again.status, 400, again.text);
});

test('the last key may go: the server stays closed', async () => {
  const own = await new Server({ store: 'sqlite' }).start();
  try {
    assert.equal((await own.get('/whoami')).json.kind, 'anonymous');
    const open = connect('/ws', ['sluice.v1'], {}, own);
    assert.equal(await open.opened, 101);
    const { key, id } = (await own.post('/keys', { name: 'first', role: 'admin' })).json;
    assert.equal(await open.closed, 4401); // from now on a key is asked for
    assert.equal((await own.get('/sessions')).status, 401);
    assert.equal((await own.get('/sessions', bearer(key))).status, 200);
    assert.equal((await own.request('DELETE', `/keys/${id}`, undefined, bearer(key))).status, 204);
    assert.equal((await own.get('/sessions')).status, 401);
    assert.equal((await own.get('/sessions', bearer(key))).status, 401);
    await own.kill('SIGTERM');
    own.options.args = ['--auth', 'required'];
    await own.start();
    assert.equal((await own.get('/sessions')).status, 401);
    await own.kill('SIGTERM');
    own.options.args = ['--auth', 'off'];
    await own.start();
    assert.equal((await own.get('/whoami')).json.auth, 'off');
  } finally {
    await own.close();
  }
});

test('sluice key, at the server and on the store itself', async () => {
  const run = promisify(execFile);
  const own = await new Server({ store: 'sqlite', args: ['--auth', 'required'] }).start();
  const sluice = async (args, key = '') => {
    const env = { ...process.env, SLUICE_URL: own.url ?? '', SLUICE_KEY: key, SLUICE_STORE: '', LC_ALL: 'C' };
    try { return { code: 0, ...(await run(sluiceBin(), ['key', ...args], { env })) }; } catch (e) { return e; }
  };
  try {
    const data = ['--data', own.scratch];
    assert.equal((await sluice(['list'])).code, 6); // not allowed
    const busy = await sluice(['create', '--name', 'first', '--role', 'admin', ...data]);
    assert.equal(busy.code, 1, busy.stdout); // a server runs on it
    await own.kill('SIGTERM');
    const made = await sluice(['create', '--name', 'first', '--role', 'admin', ...data]);
    assert.equal(made.code, 0, made.stderr);
    const key = made.stdout.trim();
    assert.match(key, /^sk_sluice_[\w-]{43}$/);
    await own.start();
    const more = JSON.parse((await sluice(['create', '--name', 'reader', '--role', 'viewer', '--expires', '30d', '--json'], key)).stdout);
    assert.equal(more.role, 'viewer');
    assert.ok(Math.abs(Date.parse(more.expires_at) - Date.now() - 30 * 86400e3) < 60000);
    assert.equal((await own.get('/sessions', bearer(more.key))).status, 200);
    const list = (await sluice(['list'], key)).stdout;
    assert.match(list, /first +admin +default +sk_sluice_/);
    assert.ok(!list.includes(key) && !list.includes(more.key));
    assert.equal((await sluice(['create', '--name', 'x', '--role', 'admin'], more.key)).code, 6);
    assert.equal((await sluice(['revoke', more.id], key)).code, 0);
    assert.equal((await own.get('/sessions', bearer(more.key))).status, 401);
    assert.equal((await sluice(['revoke', NOTHING], key)).code, 3);
    for (const bad of [['create'], ['create', '--name', 'x', '--role', 'king'], ['create', '--name', 'x', '--role', 'viewer', '--expires', 'soon'], ['fly']]) {
      assert.equal((await sluice(bad, key)).code, 2, bad.join(' '));
      assert.equal((await sluice([...bad, ...data])).code, 2, bad.join(' '));
    }
    await own.kill('SIGTERM');
    const offline = JSON.parse((await sluice(['list', '--json', ...data])).stdout);
    assert.deepEqual(offline.map((k) => [k.name, Boolean(k.revoked_at)]), [['first', false], ['reader', true]]);
    assert.equal((await sluice(['revoke', offline[0].id, ...data])).code, 0);
    await own.start();
    assert.equal((await own.get('/sessions', bearer(key))).status, 401);
  } finally {
    await own.close();
  }
});
