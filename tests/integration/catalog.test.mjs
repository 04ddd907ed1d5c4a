// Agents, groups and templates over HTTP; on two instances where the store can be shared.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { holds as holdsAt } from './lib/contract.mjs';
import { Server, sluiceBin } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';

let server, other, database, scratch;
before(async () => {
  if (storeKind() === 'postgres') database = new Database();
  scratch = mkdtempSync(join(tmpdir(), 'sluice-catalog-'));
  writeFileSync(join(scratch, 'sluice.yaml'), 'providers: [{ id: demo, dialect: demo, tokens_per_s: 20000 }]\n');
  const args = ['--config', join(scratch, 'sluice.yaml')];
  server = await new Server({ database, args }).start();
  other = database ? await new Server({ database, args }).start() : server; // what one writes, the other sees
});
after(async () => {
  await other?.close();
  if (other !== server) await server?.close();
  database?.drop();
  rmSync(scratch, { recursive: true, force: true });
});

// ---- the contract ----

const holds = (pointer, value) => holdsAt(`openapi#${pointer}`, value);
const schemas = { agents: 'Agent', groups: 'Group', templates: 'Template' };
const holdsObject = (kind, value) => holds(`/components/schemas/${schemas[kind]}`, value);
function holdsError(r, status, code, text) {
  assert.equal(r.status, status, r.text);
  assert.equal(r.json.code, code, r.text);
  if (text) assert.match(r.json.error, text);
  holds('/components/schemas/Error', r.json);
}
const holdsList = (kind, value) =>
  holds(`/paths/~1${kind}/get/responses/200/content/application~1json/schema`, value);

const graph = (agent = 'editor') => ({
  nodes: {
    start: { type: 'start', next_ids: ['a'] },
    a: { type: 'agent', properties: { agent_id: agent, prompt: 'Say {{ input.word }}.' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});
const bodies = {
  agents: (id) => ({
    id, name: `Agent ${id}`, description: 'Tells stories', category: 'tests', avatar: '🦉', persona: 'You tell stories.\nShort ones.',
    provider: 'demo', model: ['demo', { provider: 'demo', model: 'other' }], temperature: 0.5, top_p: 0.9, max_tokens: 500,
    capabilities: ['stories', '故事'], tools: [{ name: 'read_file', tool: 'read_file' }], max_tool_rounds: 3, memory: { group_results: 2 },
  }),
  groups: (id) => ({
    id, name: `Group ${id}`, description: 'Of tests', category: 'tests', icon: 'https://example.org/g.png', system_prompt: 'You are one of us.',
    default_agent_ids: ['editor', 'skeptic'], memory: { promote: 'manual' },
  }),
  templates: (id) => ({
    id, name: `Template ${id}`, description: 'For tests', category: 'tests', graph: graph(),
    parameters: { type: 'object', properties: { n: { type: 'integer', default: 2 } } },
  }),
};

for (const kind of Object.keys(bodies)) {
  const one = kind.slice(0, -1);
  test(`${kind}: made, read, changed, deleted`, async () => {
    const body = bodies[kind](`${one}-1`);
    const made = await server.post(`/${kind}`, body);
    assert.equal(made.status, 201, made.text);
    holdsObject(kind, made.json);
    const { created_at, updated_at, ...rest } = made.json;
    assert.deepEqual(rest, { ...body, system: false, version: 1 });
    assert.equal(created_at, updated_at);
    assert.match(made.headers.get('etag'), /1/);

    assert.deepEqual((await other.get(`/${kind}/${one}-1`)).json, made.json);
    assert.equal((await server.request('HEAD', `/${kind}/${one}-1`)).status, 200);
    holdsError(await server.post(`/${kind}`, body), 409, 'conflict', /already/);
    assert.equal((await server.get(`/api/v1/${kind}/${one}-1`)).status, 200);

    // What was read can be put back; the id is the path's.
    const put = await other.request('PUT', `/${kind}/${one}-1`, { ...made.json, name: 'Renamed' }, { 'if-match': '"1"' });
    assert.equal(put.status, 200, put.text);
    assert.equal(put.json.version, 2);
    assert.equal(put.json.created_at, created_at);
    assert.equal((await server.get(`/${kind}/${one}-1`)).json.name, 'Renamed');
    holdsError(await server.request('PUT', `/${kind}/${one}-1`, made.json, { 'if-match': '1' }), 412, 'stale_version');
    holdsError(await server.request('PUT', `/${kind}/another`, made.json), 400, 'invalid', /id: /);

    const patched = await server.request('PATCH', `/${kind}/${one}-1`, { category: null, description: 'New' }, { 'if-match': '2' });
    assert.equal(patched.status, 200, patched.text);
    holdsObject(kind, patched.json);
    const { category, ...kept } = put.json;
    assert.equal(category, 'tests');
    assert.deepEqual({ ...kept, description: 'New', version: 3, updated_at: patched.json.updated_at }, patched.json);
    holdsError(await server.request('PATCH', `/${kind}/${one}-1`, { name: 'x' }, { 'if-match': '2' }), 412, 'stale_version');
    holdsError(await server.request('PATCH', `/${kind}/${one}-1`, { nmae: 'x' }), 400, 'invalid', /"nmae"/);
    holdsError(await server.request('PATCH', `/${kind}/${one}-1`, { name: null }), 400, 'invalid', /name: missing/);
    holdsError(await server.request('PATCH', `/${kind}/none`, { name: 'x' }), 404, 'not_found');

    holdsError(await server.request('DELETE', `/${kind}/${one}-1`, undefined, { 'if-match': '1' }), 412, 'stale_version');
    assert.equal((await server.request('DELETE', `/${kind}/${one}-1`, undefined, { 'if-match': '3' })).status, 204);
    holdsError(await other.get(`/${kind}/${one}-1`), 404, 'not_found');
    holdsError(await server.request('DELETE', `/${kind}/${one}-1`), 404, 'not_found');
    holdsError(await server.get(`/${kind}/${'x'.repeat(65)}`), 404, 'not_found');
    holdsError(await server.request('PUT', `/${kind}/${'x'.repeat(65)}`, body), 400, 'invalid');

    // PUT makes what is not there, with the path's id.
    const { id, ...nameless } = body;
    const fresh = await server.request('PUT', `/${kind}/${one}-2`, nameless);
    assert.equal(fresh.status, 200, fresh.text);
    assert.equal(fresh.json.id, `${one}-2`);
    assert.equal((await server.request('DELETE', `/${kind}/${one}-2`)).status, 204);
  });

  test(`${kind}: an id is made, and a key is kept`, async () => {
    const { id, ...body } = bodies[kind]('x');
    const first = await server.post(`/${kind}`, body, { 'idempotency-key': `key-${kind}` });
    assert.equal(first.status, 201, first.text);
    assert.match(first.json.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    const again = await other.post(`/${kind}`, body, { 'idempotency-key': `key-${kind}` });
    assert.equal(again.status, 201);
    assert.deepEqual(again.json, first.json);
    assert.equal((await server.post(`/${kind}`, { ...body, name: 'Other' }, { 'idempotency-key': `key-${kind}` })).status, 409);
    const items = (await server.get(`/${kind}?category=tests`)).json.items;
    assert.deepEqual(items.map((o) => o.id), [first.json.id]);
    await server.request('DELETE', `/${kind}/${first.json.id}`);
  });

  test(`${kind}: YAML is taken, nonsense is not`, async () => {
    const yaml = { 'content-type': 'application/yaml' };
    const r = await server.request('PUT', `/${kind}/from-yaml`, kind === 'templates'
      ? `name: From YAML\ngraph:\n  nodes:\n    start: { type: start, next_ids: [end] }\n    end: { type: end }\n` : 'name: From YAML\ndescription: |\n  Two\n  lines\n', yaml);
    assert.equal(r.status, 200, r.text);
    assert.equal(r.json.name, 'From YAML');
    await server.request('DELETE', `/${kind}/from-yaml`);
    for (const bad of ['', 'null', '[]', '"x"', '{', '{"name":"a","name":"b"}', '{"name":"\\u0000"}', '{"name":"\\ud800"}', '{"name":{}}', '{"name":"x","id":"../x"}'])
      for (const [method, path] of [['POST', ''], ['PUT', '/x'], ['PATCH', kind === 'agents' ? '/editor' : '/none']]) {
        const res = await server.request(method, `/${kind}${path}`, bad, { 'content-type': 'application/json' });
        assert.ok(res.status >= 400 && res.status < 500, `${method} ${bad}: ${res.status} ${res.text}`);
      }
    assert.equal((await server.request('POST', `/${kind}`, '{}', { 'content-type': 'text/plain' })).status, 415);
  });

  test(`${kind}: lists, with those that came with the server`, async () => {
    const all = (await server.get(`/${kind}?limit=500`)).json;
    holdsList(kind, all);
    const system = all.items.filter((o) => o.system);
    assert.ok(system.length > 0);
    assert.equal(system.length, all.items.length);
    assert.ok(system.every((o) => o.version === 1 && o.created_at === null && !('graph' in o)));
    const mine = [`!`, system[0].id.slice(0, -1), `${system[0].id}-`, 'zz'].map((s) => s.replace('!', '0'));
    for (const id of mine) assert.equal((await server.request('PUT', `/${kind}/${id}`, { ...bodies[kind](id), description: 'Zebra' })).status, 200);
    const want = [...system.map((o) => o.id), ...mine].sort((a, b) => (a < b ? -1 : 1));
    for (const limit of [1, 2, 3, 500]) {
      const seen = [];
      for (let cursor = ''; cursor !== null;) {
        const page = (await other.get(`/${kind}?limit=${limit}&cursor=${cursor}`)).json;
        holdsList(kind, page);
        assert.ok(page.items.length <= limit);
        seen.push(...page.items.map((o) => o.id));
        cursor = page.next_cursor;
      }
      assert.deepEqual(seen, want, `limit ${limit}`);
    }
    assert.deepEqual((await server.get(`/${kind}?q=zEBRa`)).json.items.map((o) => o.id), [...mine].sort());
    const found = (await server.get(`/${kind}?q=${encodeURIComponent(system[0].name.toUpperCase())}`)).json.items;
    assert.ok(found.some((o) => o.id === system[0].id && o.system));
    assert.ok((await server.get(`/${kind}?category=${system[0].category}`)).json.items.every((o) => o.category === system[0].category));
    assert.equal((await server.get(`/${kind}?cursor=nonsense`)).status, 400);
    for (const id of mine) await server.request('DELETE', `/${kind}/${id}`);
  });

  test(`${kind}: those that came with the server cannot be changed`, async () => {
    for (const { id } of (await server.get(`/${kind}?limit=500`)).json.items) {
      const whole = await server.get(`/${kind}/${id}`);
      holdsObject(kind, whole.json);
      assert.equal(whole.json.system, true);
      const body = { ...whole.json, name: 'Mine now' };
      holdsError(await server.post(`/${kind}`, body), 403, 'system_object');
      holdsError(await server.request('PUT', `/${kind}/${id}`, body), 403, 'system_object');
      holdsError(await server.request('PATCH', `/${kind}/${id}`, { name: 'Mine now' }), 403, 'system_object');
      holdsError(await server.request('DELETE', `/${kind}/${id}?detach=true`), 403, 'system_object');
      assert.deepEqual((await server.get(`/${kind}/${id}`)).json, whole.json);
      const copy = await server.post(`/${kind}`, { ...whole.json, id: `${id}.copy` });
      assert.equal(copy.status, 201, copy.text);
      assert.equal(copy.json.system, false);
      await server.request('DELETE', `/${kind}/${id}.copy`);
    }
  });
}

test('an agent that is in use is deleted only with detach', async () => {
  await server.post('/agents', { id: 'worker', name: 'Worker' });
  await server.post('/groups', { id: 'crew', name: 'Crew', default_agent_ids: ['editor', 'worker'] });
  await server.post('/templates', { id: 'of-worker', name: 'T', graph: graph('worker') });
  assert.equal((await server.post('/workflows', { id: 'works', ...graph('worker') })).status, 201);
  const refused = await other.request('DELETE', '/agents/worker');
  holdsError(refused, 409, 'in_use', /detach=true/);
  assert.deepEqual(refused.json.details, { used_by: { groups: ['crew'], workflows: ['works'], templates: ['of-worker'] } });
  holds('/components/responses/InUse/content/application~1json/schema', refused.json);
  assert.equal((await server.request('DELETE', '/agents/worker?detach=maybe')).status, 400);
  assert.equal((await server.request('DELETE', '/agents/worker?detach=true')).status, 204);
  const crew = (await other.get('/groups/crew')).json;
  assert.deepEqual([crew.default_agent_ids, crew.version], [['editor'], 2]);
  await server.request('DELETE', '/workflows/works');
  await server.request('DELETE', '/groups/crew');
  await server.request('DELETE', '/templates/of-worker');
});

test('a group of agents that are not there is refused', async () => {
  const r = await server.post('/groups', { id: 'ghosts', name: 'G', default_agent_ids: ['editor', 'casper'] });
  holdsError(r, 422, 'unknown_agent', /default_agent_ids: .*"casper"/);
  holdsError(await server.get('/groups/ghosts'), 404, 'not_found');
});

test('a group that sessions run in is deleted only with detach', async () => {
  await server.post('/groups', { id: 'busy', name: 'Busy' });
  const waits = { nodes: { start: { type: 'start', next_ids: ['ask'] }, ask: { type: 'user_input', properties: { prompt: '?' }, next_ids: ['end'] }, end: { type: 'end' } } };
  const id = await server.execute(waits, {}, { group_id: 'busy' });
  const refused = await other.request('DELETE', '/groups/busy');
  holdsError(refused, 409, 'in_use');
  assert.deepEqual(refused.json.details, { used_by: { memories: 0, sessions: 1 } });
  await server.post(`/sessions/${id}/cancel`);
  assert.equal((await server.request('DELETE', '/groups/busy')).status, 204);
});

test('what is wrong with an object is said by member', async () => {
  const cases = [
    ['agents', { temperature: 3 }, /^temperature: /], ['agents', { max_tokens: 'many' }, /^max_tokens: /],
    ['agents', { avatar: 'javascript:alert(document.domain)//aaaa' }, /^avatar: /], ['agents', { avatar: 'https://x/"><script>' }, /^avatar: /],
    ['agents', { persona: 'x'.repeat(65537) }, /^persona: longer than 65536/], ['agents', { capabilities: ['a', 5] }, /^capabilities\[1\]: /],
    ['agents', { tools: [{ name: 'not a name', tool: 'http' }] }, /^tools\[0\]\.name: /], ['agents', { tools: Array(65).fill('http') }, /^tools: /],
    ['agents', { model: [{ provider: 'p' }] }, /^model\[0\]: /], ['agents', { memory: { group_results: -1 } }, /^memory: /],
    ['groups', { default_agent_ids: ['editor', 'editor'] }, /^default_agent_ids\[1\]: /], ['groups', { memory: { promote: 'never' } }, /^memory: /],
    ['groups', { icon: 'data:text/html,<b>' }, /^icon: /],
    ['templates', {}, /^graph: missing/], ['templates', { graph: [] }, /^graph: /], ['templates', { graph: graph(), parameters: { type: 'strin' } }, /^parameters: /],
    ['templates', { graph: graph(), workflow_id: 'x' }, /workflow_id/], ['templates', { workflow_id: 7 }, /workflow_id/],
  ];
  for (const [kind, members, text] of cases)
    holdsError(await server.post(`/${kind}`, { id: 'bad', name: 'Bad', ...members }), 400, 'invalid', text);
  const invalid = await server.post('/templates', { id: 'bad', name: 'Bad', graph: { nodes: { start: { type: 'start', next_ids: ['gone'] } } } });
  holdsError(invalid, 422, 'invalid_workflow');
  assert.ok(invalid.json.details.errors.some((e) => e.path.startsWith('nodes.start')));
});

test('a template becomes a workflow, with values', async () => {
  const parameters = {
    type: 'object', required: ['tone'], additionalProperties: false,
    properties: { tone: { type: 'string' }, rounds: { type: 'integer', minimum: 1, maximum: 5, default: 2 } },
  };
  const template = {
    id: 'rounds', name: 'Rounds', parameters,
    graph: {
      name: 'Inner', input_schema: { type: 'object' },
      nodes: {
        start: { type: 'start', next_ids: ['loop'] },
        loop: { type: 'loop', properties: { max_rounds: '{{ param.rounds }}' }, next_ids: ['say', 'end'] },
        say: { type: 'llm', properties: { prompt: 'Round {{ loop.round }} of {{ param.rounds }}, in a {{param.tone}} tone.' }, next_ids: ['loop'] },
        end: { type: 'end' },
      },
    },
  };
  assert.equal((await server.post('/templates', template)).status, 201);
  const made = await other.post('/templates/rounds/instantiate', { id: 'my-rounds', name: 'Mine', values: { tone: 'calm "quiet"', rounds: 3 } });
  assert.equal(made.status, 201, made.text);
  holds('/components/schemas/Workflow', made.json);
  assert.deepEqual([made.json.id, made.json.name, made.json.version], ['my-rounds', 'Mine', 1]);
  assert.equal(made.json.graph.nodes.loop.properties.max_rounds, 3);
  assert.equal(made.json.graph.nodes.say.properties.prompt, 'Round {{ loop.round }} of 3, in a calm "quiet" tone.');
  assert.deepEqual((await server.get('/workflows/my-rounds')).json.graph, made.json.graph);

  const url = '/templates/rounds/instantiate';
  holdsError(await server.post(url, { id: 'my-rounds', values: { tone: 'x' } }), 409, 'conflict');
  holdsError(await server.post(url, {}), 422, 'invalid_parameters', /tone/);
  holdsError(await server.post(url, { values: { tone: 'x', rounds: 6 } }), 422, 'invalid_parameters', /rounds/);
  holdsError(await server.post(url, { values: { tone: 'x', pace: 6 } }), 422, 'invalid_parameters', /pace/);
  holdsError(await server.post(url, { values: { tone: '{{ session.id }}' } }), 422, 'invalid_parameters', /values\.tone/);
  holdsError(await server.post(url, { values: [] }), 400, 'invalid');
  holdsError(await server.post(url, { value: {} }), 400, 'invalid');
  holdsError(await server.post('/templates/none/instantiate', {}), 404, 'not_found');

  const key = { 'idempotency-key': 'instantiate-1' };
  const first = await server.post(url, { values: { tone: 'x' } }, key);
  const again = await other.post(url, { values: { tone: 'x' } }, key);
  assert.deepEqual(again.json, first.json);
  assert.equal(first.json.name, 'Rounds');
  assert.equal(first.json.graph.nodes.loop.properties.max_rounds, 2);

  // It runs, on the demo provider, and its template may go.
  assert.equal((await server.request('DELETE', '/templates/rounds')).status, 204);
  const id = await server.execute('my-rounds');
  for (;;) {
    const { json } = await server.get(`/sessions/${id}`);
    if (json.status === 'completed') break;
    assert.equal(json.status, 'running');
    await server.get(`/sessions/${id}/stream`, { 'last-event-id': String(json.last_seq) }).catch(() => {});
  }
});

test('every system template becomes a workflow without a word', async () => {
  const { items } = (await server.get('/templates?limit=500')).json;
  for (const { id } of items.filter((t) => t.system)) {
    const made = await server.post(`/templates/${id}/instantiate`);
    assert.equal(made.status, 201, `${id}: ${made.text}`);
    const check = await server.post('/workflows/validate', made.json.graph);
    assert.deepEqual(check.json, { valid: true, errors: [], warnings: [] }, id);
    await server.request('DELETE', `/workflows/${made.json.id}`);
  }
});

test('a workflow is saved as a template', async () => {
  await server.post('/workflows', { id: 'saved', name: 'Saved', description: 'As it was', ...graph() });
  const t = await other.post('/templates', { workflow_id: 'saved', category: 'mine' });
  assert.equal(t.status, 201, t.text);
  holdsObject('templates', t.json);
  assert.deepEqual([t.json.id, t.json.name, t.json.description, t.json.category], ['saved', 'Saved', 'As it was', 'mine']);
  assert.equal(t.json.graph.id, undefined);
  const made = await server.post('/templates/saved/instantiate', { id: 'saved-again' });
  assert.equal(made.status, 201, made.text);
  const { id, name, ...was } = (await server.get('/workflows/saved')).json.graph;
  const { id: newId, name: newName, ...is } = made.json.graph;
  assert.deepEqual(is, was);
  holdsError(await server.post('/templates', { workflow_id: 'none' }), 404, 'not_found');
  for (const w of ['saved', 'saved-again']) await server.request('DELETE', `/workflows/${w}`);
  await server.request('DELETE', '/templates/saved');
});

test('many change one object at once, and nothing is lost', async () => {
  await server.post('/agents', { id: 'shared', name: 'Shared' });
  const members = ['description', 'persona', 'avatar', 'category', 'provider', 'model'];
  const answers = await Promise.all(members.map((m, i) => (i % 2 ? server : other).request('PATCH', '/agents/shared', { [m]: `x${i}` })));
  for (const r of answers) assert.equal(r.status, 200, r.text);
  const now = (await server.get('/agents/shared')).json;
  assert.equal(now.version, 1 + members.length);
  members.forEach((m, i) => assert.equal(now[m], `x${i}`));
  const deletions = await Promise.all([server, other, server, other].map((s) => s.request('DELETE', '/agents/shared')));
  assert.deepEqual(deletions.map((r) => r.status).sort(), [204, 404, 404, 404]);
  const made = await Promise.all([server, other, server, other].map((s, i) => s.post('/agents', { id: 'shared', name: `By ${i}` })));
  assert.deepEqual(made.map((r) => r.status).sort(), [201, 409, 409, 409]);
  await server.request('DELETE', '/agents/shared');
});

test('an agent goes while a group is made of it: one of the two is refused', async () => {
  for (let i = 0; i < 12; i++) {
    await server.post('/agents', { id: 'racer', name: 'Racer' });
    const [group, gone] = await Promise.all([
      other.post('/groups', { id: 'race', name: 'Race', default_agent_ids: ['racer'] }),
      server.request('DELETE', '/agents/racer'),
    ]);
    assert.deepEqual([group.status, gone.status].sort(), group.status === 201 ? [201, 409] : [204, 422], `${group.text} ${gone.text}`);
    await server.request('DELETE', '/groups/race');
    await server.request('DELETE', '/agents/racer');
  }
  for (let i = 0; i < 12; i++) { // the group is there: both lock both
    await server.post('/agents', { id: 'racer', name: 'Racer' });
    await server.request('PUT', '/groups/race', { name: 'Race' });
    const began = Date.now();
    const [group, gone] = await Promise.all([
      other.request('PUT', '/groups/race', { name: 'Race', default_agent_ids: ['racer'] }),
      server.request('DELETE', '/agents/racer?detach=true'),
    ]);
    assert.equal(gone.status, 204, gone.text);
    assert.ok([200, 422].includes(group.status), group.text);
    const now = (await server.get('/groups/race')).json;
    assert.deepEqual(now.default_agent_ids ?? [], []);
    assert.ok(Date.now() - began < 900, 'no deadlock that PostgreSQL must find');
    await server.request('DELETE', '/groups/race');
  }
});

// ---- the command line ----

const cli = (words, input) => {
  const r = spawnSync(sluiceBin(), words, { env: { ...process.env, SLUICE_URL: server.url }, encoding: 'utf8', input });
  return { code: r.status, out: r.stdout, err: r.stderr };
};

for (const kind of Object.keys(bodies)) {
  const one = kind.slice(0, -1);
  test(`sluice ${one}`, async () => {
    const file = JSON.stringify(bodies[kind](`cli-${one}`));
    assert.deepEqual(cli([one, 'create', '-'], file), { code: 0, out: `cli-${one} version 1\n`, err: '' });
    assert.equal(cli([one, 'create', '-'], file).code, 4);
    assert.deepEqual(cli([one, 'update', '-'], file).out, `cli-${one} version 2\n`);
    const merged = cli([one, 'update', `cli-${one}`, '-', '--merge', '--json'], 'description: Merged\n');
    assert.equal(merged.code, 0, merged.err);
    assert.deepEqual([JSON.parse(merged.out).version, JSON.parse(merged.out).description, JSON.parse(merged.out).category], [3, 'Merged', 'tests']);
    assert.equal(cli([one, 'update', '-', '--merge'], 'description: Whose?\n').code, 2);

    const list = cli([one, 'list']);
    assert.match(list.out, new RegExp(`cli-${one} +tests +\\S.*Merged`));
    assert.match(list.out, / system /);
    const filtered = JSON.parse(cli([one, 'list', '--q', 'MERGED', '--category', 'tests', '--json']).out);
    assert.deepEqual((filtered.items ?? filtered).map((o) => o.id), [`cli-${one}`]);
    assert.match(cli([one, 'list', '--q', 'nothing like it']).out, new RegExp(`no ${kind}`));

    const shown = cli([one, 'show', `cli-${one}`]);
    assert.equal(shown.code, 0);
    assert.match(shown.out, /^description +Merged$/m);
    assert.deepEqual(JSON.parse(cli([one, 'show', `cli-${one}`, '--json']).out), (await server.get(`/${kind}/cli-${one}`)).json);
    assert.equal(cli([one, 'show', 'none']).code, 3);
    const { id } = (await server.get(`/${kind}`)).json.items.find((o) => o.system);
    assert.equal(cli([one, 'delete', id]).code, 6);
    assert.equal(cli([one, 'create', '-'], 'name: [').code, 2);
    assert.equal(cli([one, 'create', '-'], 'nmae: x').code, 2);
    assert.deepEqual(cli([one, 'delete', `cli-${one}`]), { code: 0, out: `cli-${one} deleted\n`, err: '' });
    assert.equal(cli([one, 'delete', `cli-${one}`]).code, 3);
  });
}

test('sluice agent delete says by what it is used', () => {
  cli(['agent', 'create', '-'], '{ "id": "used", "name": "Used" }');
  cli(['group', 'create', '-'], '{ "id": "users", "name": "Users", "default_agent_ids": ["used"] }');
  const refused = cli(['agent', 'delete', 'used']);
  assert.equal(refused.code, 4);
  assert.match(refused.err, /in use.*\n.*"groups":\["users"\]/s);
  assert.equal(cli(['agent', 'delete', 'used', '--detach']).code, 0);
  assert.equal(cli(['group', 'delete', 'users']).code, 0);
});

test('sluice template instantiate, run, save', () => {
  const parameters = { type: 'object', required: ['tone'], properties: { words: { type: 'integer', minimum: 50, default: 100 }, tone: { type: 'string' } } };
  const body = { ...bodies.templates('cli-words'), parameters };
  body.graph.nodes.a.properties.prompt = 'In {{ param.tone }} words, at most {{ param.words }}.';
  assert.equal(cli(['template', 'create', '-'], JSON.stringify(body)).code, 0);
  const made = cli(['template', 'instantiate', 'cli-words', '--id', 'by-cli', '--name', 'By hand', '--input', 'words=70', '--input', 'tone=7']);
  assert.deepEqual(made, { code: 0, out: 'by-cli version 1\n', err: '' });
  assert.match(cli(['flow', 'show', 'by-cli', '--graph']).out, /In 7 words, at most 70\./);
  assert.equal(cli(['template', 'instantiate', 'cli-words', '--input', 'tone=x', '--input', 'words=7']).code, 2);
  assert.equal(cli(['template', 'instantiate', 'cli-words']).code, 2); // tone is missing, and nobody to ask
  assert.equal(cli(['template', 'instantiate', 'cli-words', '--id', 'by-cli', '--input', 'tone=x']).code, 4);
  assert.equal(cli(['template', 'instantiate', 'none']).code, 3);
  assert.match(cli(['template', 'show', 'cli-words']).out, /^NODE +TYPE/m);
  assert.equal(JSON.parse(cli(['template', 'show', 'cli-words', '--graph']).out).nodes.a.properties.agent_id, 'editor');
  const saved = cli(['template', 'save', 'by-cli', '--id', 'cli-saved', '--category', 'mine', '--json']);
  assert.equal(saved.code, 0, saved.err);
  assert.deepEqual([JSON.parse(saved.out).id, JSON.parse(saved.out).name, JSON.parse(saved.out).category], ['cli-saved', 'By hand', 'mine']);
  assert.equal(cli(['flow', 'delete', 'by-cli']).code, 0);
  for (const id of ['cli-saved', 'cli-words']) assert.equal(cli(['template', 'delete', id]).code, 0);
});
