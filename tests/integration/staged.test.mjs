// Staged files: validated, repaired, imported, exported; a story from its idea to its release, by two people at once, over kill -9.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { Reader } from './lib/client.mjs';
import { holdEvents, holdsAnswer } from './lib/contract.mjs';
import { Server, repo, sluiceBin } from './lib/server.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(() => server?.close());

const yaml = readFileSync(join(repo, 'examples/staged/story.yaml'), 'utf8');
const story = parse(yaml);
const twin = readFileSync(join(repo, 'tests/integration/data/story.json'), 'utf8'); // the same, as JSON
const send = (path, text, type = 'application/yaml') =>
  server.request('POST', path, text, { 'content-type': type });
const imported = async (query = '', text = yaml, type) => holdsAnswer('/workflows/import', 'post', await send(`/workflows/import${query}`, text, type));

test('the example validates, as YAML and as JSON, and is imported once', async () => {
  const verdict = holdsAnswer('/workflows/validate', 'post', await send('/workflows/validate', yaml)).json;
  assert.deepEqual([verdict.valid, verdict.format, verdict.errors, verdict.warnings], [true, 'staged', [], []]);
  const first = await imported();
  assert.deepEqual([first.status, first.json.workflow, first.json.fixes], [201, { id: 'story', name: 'A story from idea to release', version: 1 }, []]);
  assert.equal((await imported()).status, 409);
  assert.deepEqual(JSON.parse(twin), story);
  const same = await imported('?update=1', twin, 'application/json');
  assert.deepEqual([same.status, same.json.workflow.version], [200, 1], same.text);
  const other = await imported('?id=story-2');
  assert.equal(other.json.workflow.id, 'story-2');
  const changed = await imported('?update=true', stringify({ ...story, version: '1.1.0' }));
  assert.deepEqual([changed.status, changed.json.workflow.version], [200, 2]);
  const stored = (await server.get('/workflows/story')).json;
  assert.equal(stored.graph.metadata.source_rule, 'rules/story.md');
  assert.equal(stored.graph.metadata.version, '1.1.0');
});

test('export, import, export: the same bytes; numbers stay texts', async () => {
  for (const format of ['yaml', 'json'])
    for (const as of ['native', 'staged']) {
      const first = await server.get(`/workflows/story-2/export?format=${format}&as=${as}`);
      assert.equal(first.status, 200, first.text);
      const id = `again-${format}-${as}`;
      const type = first.headers.get('content-type');
      assert.match(type, format === 'yaml' ? /^application\/yaml/ : /^application\/json/);
      const put = await imported(`?id=${id}`, first.text, type);
      assert.equal(put.status, 201, put.text);
      const again = await server.get(`/workflows/${id}/export?format=${format}&as=${as}`);
      assert.equal(as === 'native' ? again.text.replaceAll(id, 'story-2') : again.text, first.text);
      assert.equal((format === 'yaml' ? parse(first.text) : JSON.parse(first.text)).version ?? '1.0.0', '1.0.0');
    }
  const text = (await server.get('/workflows/story-2/export?format=yaml&as=staged')).text;
  assert.match(text, /^id: story\nname: A story from idea to release\ndescription: /);
  assert.match(text, /\nversion: '1.0.0'\n/);
  const { json } = await server.get('/workflows/story-2/export');
  assert.equal((await server.request('PUT', '/workflows/story-2', { ...json, nodes: { ...json.nodes, end: { type: 'end', properties: { output: '1' } } } })).status, 200);
  assert.equal((await server.get('/workflows/story-2/export?as=staged')).status, 409);
  assert.equal((await server.get('/workflows/story-2/export?as=staged&version=1')).status, 200);
  assert.equal((await server.get('/workflows/none/export')).status, 404);
  assert.equal((await server.get('/workflows/story/export?format=xml')).status, 400);
});

test('what is wrong is told by its place in the file, and repaired when that is asked for', async () => {
  const broken = { name: 'Broken', stages: ['Plan', { name: 'Build', order: '2', checklist: 'code', depends_on: ['plam'] }], transitions: [{ from: 'plan', to: 'biuld', condition: 'it is fine' }] };
  const text = JSON.stringify(broken);
  const refused = await send('/workflows/import', text, 'application/json');
  assert.deepEqual([refused.status, refused.json.code], [422, 'invalid_workflow'], refused.text);
  const byPath = Object.fromEntries(refused.json.details.errors.map((e) => [e.path, e]));
  assert.match(byPath['transitions[0].to'].message, /did you mean "build"/);
  assert.equal(byPath['stages[1].depends_on[0]'].fix, 'read as "plan"');
  const verdict = (await send('/workflows/validate?fix=1', text, 'application/json')).json;
  assert.deepEqual([verdict.valid, verdict.errors, verdict.staged.transitions], [true, [], [{ from: 'plan', to: 'build', label: 'it is fine' }]]);
  const fixed = await imported('?fix=1', text, 'application/json');
  assert.deepEqual([fixed.status, fixed.json.workflow.id, fixed.json.fixes.length], [201, 'broken', verdict.fixes.length]);
  const bad = await imported('?fix=1', JSON.stringify({ name: 'x', stages: [{ id: 'a', order: 1, name: 'A', conditions: ['nodes.b.output.c == 1'] }] }), 'application/json');
  assert.deepEqual([bad.status, bad.json.details.errors[0].code], [422, 'invalid_expression']);
});

test('the command line judges and repairs a staged file without a server', () => {
  const cli = (...args) => spawnSync(sluiceBin(), ['flow', 'validate', ...args], { env: { ...process.env, SLUICE_URL: 'http://127.0.0.1:1', SLUICE_LANG: 'en' }, encoding: 'utf8' });
  assert.equal(cli(join(repo, 'examples/staged/story.yaml')).status, 0);
  const file = join(server.scratch, 'broken.yaml'), fixed = join(server.scratch, 'fixed.yaml');
  writeFileSync(file, 'name: Broken\nstages: [Plan, Build]\n');
  const refused = cli(file);
  assert.notEqual(refused.status, 0);
  assert.match(refused.stdout, /stages\[0\] .*the stage has no id \(--fix: its id is "plan"\)/);
  assert.equal(cli(file, '--fix', '--output', fixed).status, 0);
  assert.deepEqual(parse(readFileSync(fixed, 'utf8')).transitions, [{ from: 'plan', to: 'build' }]);
  assert.equal(cli(fixed).status, 0);
  assert.equal(cli(join(repo, 'examples/hello.yaml')).status !== 0, true, 'a native one asks the server');
});

test('a native workflow is imported and exported, too', async () => {
  const graph = { id: 'native', name: 'Native', nodes: { start: { next_ids: ['end'], type: 'start' }, end: { type: 'end' } } };
  const put = await imported('', JSON.stringify(graph), 'application/json');
  assert.deepEqual([put.status, put.json.format], [201, 'native'], put.text);
  assert.equal((await server.get('/workflows/native/export?format=yaml')).text,
    'id: native\nname: Native\nnodes:\n  start:\n    type: start\n    next_ids: [end]\n  end:\n    type: end\n');
  assert.equal((await imported('', '{"nodes":{}}', 'application/json')).status, 422);
});

// Two people at once: every item is ticked by both, every stage is completed by both; one is first.
async function both(make) {
  const answers = await Promise.all([make('ann'), make('bob')]);
  const good = answers.filter((r) => r.status < 300);
  assert.ok(good.length >= 1, answers.map((r) => r.text).join());
  for (const r of answers) assert.ok(r.status < 300 || r.status === 409, r.text);
  return good.length;
}

test('a story from import to completed, by two people, over kill -9', async () => {
  await imported('?id=tale&update=1');
  const { json } = await server.post('/workflows/execute', { workflow_id: 'tale', input: { title: 'Login', security: true }, name: 'Login' });
  const id = json.session_id;
  const reader = new Reader(server, id, { reconnect: true });
  const current = async () => (await server.get(`/sessions/${id}/progress`)).json.current[0];
  const seen = [];
  let rounds = 0;
  for (let i = 0; i < 20; i++) {
    const stage = await current();
    if (!stage) {
      const { status } = (await server.get(`/sessions/${id}`)).json;
      if (status !== 'running') break;
      const [review] = (await server.get(`/reviews?status=pending&session_id=${id}`)).json.items;
      const action = rounds++ ? 'security' : 'design';
      assert.equal(await both((reviewer) => server.post(`/sessions/${id}/nodes/${review.node_id}/resume`, { action, reviewer, interrupt_id: review.interrupt_id })), 1);
      continue;
    }
    seen.push(stage.node_id);
    const began = await Promise.all(['ann', 'bob'].map((reviewer) => server.post(`/sessions/${id}/stages`, { stage_id: stage.node_id, reviewer })));
    assert.deepEqual(began.map((r) => r.status).sort(), [200, 201]);
    assert.equal(began[0].json.started_by, began[1].json.started_by);
    for (const item of stage.items) await both((reviewer) => server.request('PATCH', `/stages/${stage.instance_id}`, { items: [{ name: item.name }], reviewer }));
    if (i === 1) {
      await server.kill();
      await server.start();
    }
    const deliverables = Object.fromEntries(stage.deliverables.map((d) => [d.name, `${d.name}.md`]));
    assert.equal(await both((reviewer) => server.post(`/stages/${stage.instance_id}/complete`, { deliverables, reviewer })), 1);
  }
  assert.deepEqual(seen, ['idea', 'design', 'build', 'design', 'build', 'security', 'release']);
  const { data } = await reader.ended();
  assert.equal(data.to, 'completed', JSON.stringify(data));
  holdEvents(reader.events);
  reader.close();
  const history = (await server.get(`/sessions/${id}/stages?history=true`)).json.items;
  assert.deepEqual(history.map((s) => s.node_id), ['idea', 'design', 'design', 'build', 'build', 'security', 'release']);
  assert.ok(history.every((s) => s.status === 'completed' && s.started_at && s.done === s.total));
  const progress = (await server.get(`/sessions/${id}/progress`)).json;
  assert.deepEqual([progress.percent, progress.done, progress.total, progress.estimated_minutes_left], [100, 5, 5, 0]);
});

test('a story without a security review, whose idea was known, takes the short way', async () => {
  const { json } = await server.post('/workflows/execute', { workflow_id: 'tale', input: { security: false } });
  const id = json.session_id;
  const stages = async () => (await server.get(`/sessions/${id}/stages`)).json.items;
  const open = async () => (await stages()).find((s) => s.status === 'active');
  const skip = async () => assert.equal((await server.post(`/stages/${(await open()).instance_id}/skip`, { reason: 'known' })).status, 200);
  await skip();
  assert.equal((await open()).node_id, 'build');
  await skip();
  await server.post(`/sessions/${id}/nodes/build_decide/resume`, { action: 'security' });
  assert.deepEqual((await stages()).map((s) => `${s.node_id} ${s.status}`), ['idea skipped', 'design skipped', 'build skipped', 'security skipped', 'release active']);
});
