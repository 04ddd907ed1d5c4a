// What groups remember: in by HTTP and by sessions, found by the next session, over a kill.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Reader } from './lib/client.mjs';
import { holds, holdsAnswer, openapi } from './lib/contract.mjs';
import { Server, sluiceBin } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';

const tool = (name, args, ...next_ids) => ({ type: 'tool', properties: { tool: name, arguments: args }, next_ids });
const none = '00000000-0000-7000-8000-000000000000';

async function ended(server, id) {
  const reader = new Reader(server, id);
  await reader.ended();
  reader.close();
  assert.deepEqual(reader.problems, []);
  return { events: reader.events, session: (await server.get(`/sessions/${id}`)).json };
}

// Every chunk of the group that a condition holds for, once it does: what a session wrote is released after its end.
async function until(server, path, holds) {
  for (const end = Date.now() + 20000; ;) {
    const r = await server.get(path);
    assert.equal(r.status, 200, r.text);
    if (holds(r.json.items)) return r.json.items;
    if (Date.now() > end) throw new Error(`${path}: ${r.text}`);
  }
}

// How often each was used, once that is what it is to be: uses are counted beside the commits, moments after them.
async function hitsOf(server, ids, expected) {
  for (const end = Date.now() + 20000; ;) {
    const hits = await Promise.all(ids.map(async (id) => (await server.get(`/memories/${id}`)).json.hits));
    if (hits.every((n, i) => n >= expected[i]) || Date.now() > end) return hits;
  }
}

const writes = (content, ...more) => ({ nodes: {
  start: { type: 'start', next_ids: ['w'] },
  w: tool('memory_ingest', { content, metadata: { of: 'w' } }, ...(more.length ? more : ['end'])),
  end: { type: 'end', properties: { output: { wrote: 'nodes.w.output' } } },
} });
const recalls = (query, extra = {}) => ({ nodes: {
  start: { type: 'start', next_ids: ['m'] },
  m: { type: 'memory_retrieval', properties: { query, ...extra }, next_ids: ['q'] },
  q: tool('memory_query', { query }, 'end'),
  end: { type: 'end', properties: { output: { history: 'nodes.m.output.history_context', items: 'nodes.m.output.items', asked: 'nodes.q.output.items' } } },
} });

for (const embedding of [false, true]) {
  describe(embedding ? 'with vectors' : 'by words alone', () => {
    let server;
    before(async () => { server = await new Server({ env: embedding ? { SLUICE_EMBEDDING_MODEL: 'demo' } : { SLUICE_EMBEDDING_MODEL: '' } }).start(); });
    after(async () => { await server?.close(); });

    test('a second session finds what the first wrote, over a kill', async () => {
      const first = await server.execute(writes('The purring noise means that the pump is well.'), {}, { group_id: 'pumps' });
      const { events, session } = await ended(server, first);
      const wrote = session.output.wrote;
      assert.equal(wrote.chunks, 1);
      assert.equal(wrote.tier, 'quarantine');
      assert.equal(wrote.embedded, embedding);
      const told = events.find((e) => e.type === 'knowledge_updated');
      assert.deepEqual(told.data, { count: 1, ids: wrote.ids });
      await server.kill('SIGKILL');
      await server.start();
      const [row] = await until(server, '/memories?group_id=pumps', (items) => items[0]?.tier === 'working');
      assert.equal(row.session_id, first);
      assert.deepEqual(row.metadata, { of: 'w' });
      const second = await ended(server, await server.execute(recalls('which noise does the pump make'), {}, { group_id: 'pumps' }));
      assert.match(second.session.output.history, /The purring noise means/);
      assert.equal(second.session.output.items[0].id, row.id);
      assert.equal(second.session.output.items[0].source, 'hot');
      assert.equal(second.session.output.asked[0].id, row.id);
      assert.equal(second.events.filter((e) => e.type === 'memory_retrieved' && e.data.ids[0] === row.id).length, 2);
      assert.deepEqual(await hitsOf(server, [row.id], [2]), [2]);
      const knows = (await server.get(`/sessions/${second.session.id}/knowledge`)).json.items;
      assert.deepEqual(knows.map((k) => [k.id, k.relation, k.layer]), [[row.id, 'retrieved', 'hot']]);
      const own = (await server.get(`/sessions/${first}/knowledge?layer=hot&q=PURRING`)).json.items;
      assert.deepEqual(own.map((k) => [k.id, k.relation]), [[row.id, 'written']]);
      assert.deepEqual((await server.get(`/sessions/${first}/knowledge?layer=cold`)).json.items, []);
      assert.deepEqual((await server.get(`/sessions/${first}/knowledge?q=elsewhere`)).json.items, []);
    });

    test('a stored agent is given what its group and it itself remember', async () => {
      const ids = [];
      for (const agent_id of [undefined, 'affirmative', 'negative'])
        ids.push((await server.post('/memory/ingest', { group_id: 'speakers', agent_id, content: 'The motion about whales was carried.' })).json.ids[0]);
      const { session } = await ended(server, await server.execute({ nodes: {
        start: { type: 'start', next_ids: ['a'] },
        a: { type: 'agent', properties: { agent_id: 'affirmative', prompt: 'What of the motion about whales?', max_tokens: 5 }, next_ids: ['end'] },
        end: { type: 'end' } } }, {}, { group_id: 'speakers' }));
      assert.equal(session.status, 'completed');
      assert.deepEqual(await hitsOf(server, ids, [1, 1, 0]), [1, 1, 0]);
    });

    test('a text comes in, is found, moved and forgotten', async () => {
      const content = `# Verdict\n\n${'The board waits for the pilot. '.repeat(60)}\n\n# 结论\n\n${'委员会认为风险太大。'.repeat(150)}`;
      const key = { 'idempotency-key': `k-${embedding}` };
      const body = { group_id: 'board', agent_id: 'judge', content, metadata: { topic: 'pilot' } };
      const made = await server.post('/memory/ingest', body, key);
      assert.equal(made.status, 201, made.text);
      assert.ok(made.json.chunks >= 4 && made.json.ids.length === made.json.chunks);
      assert.equal(made.json.model, embedding ? 'demo' : null);
      const again = await server.post('/memory/ingest', body, key);
      assert.deepEqual([again.status, again.json], [201, made.json]);
      assert.equal((await server.post('/memory/ingest', { ...body, content: 'else' }, key)).status, 409);
      const list = (await server.get('/memories?group_id=board&limit=2')).json;
      assert.equal(list.items.length, 2);
      const rest = (await server.get(`/memories?group_id=board&limit=500&cursor=${encodeURIComponent(list.next_cursor)}`)).json;
      assert.deepEqual([...list.items, ...rest.items].map((m) => m.id).sort(), [...made.json.ids].sort());

      const ask = async (more) => (await server.post('/memory/query', { group_id: 'board', query: 'does the board wait for a pilot', ...more })).json;
      const found = await ask({ max_results: 2 });
      assert.equal(found.embedded, embedding);
      assert.equal(found.items.length, 2);
      assert.match(found.items[0].content, /pilot/);
      assert.ok(found.items[0].score > 0 && found.items[0].score <= 1 && found.items[0].score >= found.items[1].score);
      assert.match((await ask({ query: '委员会的风险' })).items[0].content, /委员会/);
      assert.deepEqual((await ask({ agent_id: 'nobody' })).items, []);
      assert.ok((await ask({ agent_id: 'judge' })).items.length > 0);
      assert.deepEqual((await ask({ created_before: '2020-01-01T00:00:00Z' })).items, []);
      assert.ok((await ask({ time_range_days: 1 })).items.length > 0);
      assert.deepEqual((await ask({ relevance_threshold: 1 })).items.filter((m) => m.score < 1), []);
      assert.deepEqual((await ask({ tiers: ['quarantine', 'long_term'] })).items, []);

      const moved = await server.post(`/memories/${made.json.id}/promote`, { tier: 'long_term' });
      assert.deepEqual([moved.status, moved.json], [200, { id: made.json.id, tier: 'long_term', changed: made.json.chunks }]);
      assert.deepEqual((await server.post(`/memories/${made.json.id}/promote`, { tier: 'long_term' })).json.changed, 0);
      assert.deepEqual((await server.post(`/memories/${made.json.ids[0]}/promote`, { tier: 'long_term' })).json.changed, 0);
      assert.equal((await ask()).items[0].source, 'cold');
      const kept = { 'idempotency-key': `p-${embedding}` };
      for (let i = 0; i < 2; i++) {
        const r = await server.post(`/memories/${made.json.ids[0]}/promote`, { tier: 'quarantine' }, kept);
        assert.deepEqual([r.status, r.json.changed], [200, 1]);
      }
      assert.equal((await server.get(`/memories/${made.json.ids[0]}`)).json.tier, 'quarantine');
      assert.equal((await ask({ max_results: 100 })).items.some((m) => m.id === made.json.ids[0]), false);
      assert.equal((await server.request('DELETE', `/memories/${made.json.ids[0]}`)).status, 204);
      assert.equal((await server.get(`/memories/${made.json.ids[0]}`)).status, 404);
      assert.equal((await server.request('DELETE', `/memories/${made.json.id}`)).status, 204);
      assert.deepEqual((await server.get('/memories?group_id=board')).json.items, []);
    });
  });
}

describe('rules', () => {
  let server;
  before(async () => { server = await new Server({ env: { SLUICE_EMBEDDING_MODEL: '' } }).start(); });
  after(async () => { await server?.close(); });

  test('what a failed session wrote stays in quarantine', async () => {
    const graph = writes('Something that went wrong.', 'bad');
    graph.nodes.bad = tool('read_file', { path: 'none' }, 'end');
    const { session } = await ended(server, await server.execute(graph, {}, { group_id: 'failed' }));
    assert.equal(session.status, 'failed');
    const { session: asked } = await ended(server, await server.execute(recalls('something that went wrong'), {}, { group_id: 'failed' }));
    assert.deepEqual(asked.output.items, []);
    const [row] = (await server.get('/memories?group_id=failed&tier=quarantine')).json.items;
    assert.equal((await server.post(`/memories/${row.id}/promote`, { tier: 'working' })).json.changed, 1);
    const { session: then } = await ended(server, await server.execute(recalls('something that went wrong'), {}, { group_id: 'failed' }));
    assert.equal(then.output.items[0].id, row.id);
  });

  test('a manual group waits for a hand, an automatic one does not', async () => {
    for (const promote of ['manual', 'auto']) {
      const group = `rule-${promote}`;
      assert.equal((await server.post('/groups', { id: group, name: group, memory: { promote } })).status, 201);
      const { session } = await ended(server, await server.execute(writes(`Written for the ${promote} group.`), {}, { group_id: group }));
      assert.equal(session.status, 'completed');
    }
    await until(server, '/memories?group_id=rule-auto', (items) => items[0]?.tier === 'working');
    assert.equal((await server.get('/memories?group_id=rule-manual')).json.items[0].tier, 'quarantine');
    await server.kill('SIGKILL');
    await server.start();
    assert.equal((await server.get('/memories?group_id=rule-manual')).json.items[0].tier, 'quarantine');
  });

  test('an author may name a tier, in a tool node and for an agent; a model may not', async () => {
    const graph = (tools) => ({ nodes: {
      start: { type: 'start', next_ids: ['a'] },
      a: { type: 'agent', properties: { name: 'A', persona: 'You keep notes.', prompt: 'Keep a note with memory_ingest.', tools }, next_ids: ['end'] },
      end: { type: 'end' } } });
    const authored = writes('Said by the author.');
    authored.nodes.w.properties.arguments.tier = 'long_term';
    await ended(server, await server.execute(authored, {}, { group_id: 'author' }));
    assert.equal((await server.get('/memories?group_id=author')).json.items[0].tier, 'long_term');
    for (const [group, tools, tier] of [
      ['plain', ['memory_ingest'], 'quarantine'],
      ['model', [{ tool: 'memory_ingest', parameters: { type: 'object', required: ['content', 'tier'], properties: { content: { type: 'string' }, tier: { const: 'working' } } } }], 'quarantine'],
      ['fixed', [{ tool: 'memory_ingest', arguments: { tier: 'long_term' } }], 'long_term'],
    ]) {
      const { events } = await ended(server, await server.execute(graph(tools), {}, { group_id: group }));
      const done = events.find((e) => e.type === 'tool_execution' && e.data.status === 'completed');
      assert.equal(done.data.tool, 'memory_ingest');
      assert.equal(done.data.input.tier, { plain: undefined, model: 'working', fixed: 'long_term' }[group]);
      assert.equal(done.data.output.tier, tier);
      assert.deepEqual(events.find((e) => e.type === 'knowledge_updated').data.ids, done.data.output.ids);
    }
  });

  test('every route and event is as the contract says', async () => {
    const route = async (method, path, body, query = '', ids = {}) => holdsAnswer(path, method,
      await server.request(method.toUpperCase(), path.replace(/\{(\w+)\}/g, (_, k) => ids[k]) + query, body));
    const example = (path) => openapi.paths[path].post.requestBody.content['application/json'].example;
    const made = await route('post', '/memory/ingest', example('/memory/ingest'));
    assert.equal(made.status, 201);
    const [id] = made.json.ids;
    assert.equal((await route('post', '/memory/query', example('/memory/query'))).json.items[0].id, id);
    await route('get', '/memories', undefined, '?group_id=board');
    await route('get', '/memories/{id}', undefined, '', { id });
    await route('post', '/memories/{id}/promote', { tier: 'long_term' }, '', { id });
    assert.equal((await route('delete', '/memories/{id}', undefined, '', { id })).status, 204);
    for (const [method, path, body] of [['post', '/memory/ingest', {}], ['post', '/memory/query', {}], ['get', '/memories/{id}'], ['delete', '/memories/{id}'],
      ['post', '/memories/{id}/promote', { tier: 'working' }], ['get', '/sessions/{id}/knowledge']]) {
      assert.ok((await route(method, path, body, '', { id })).status >= 400);
    }
    const { events, session } = await ended(server, await server.execute(writes('A note for the contract.'), {}, { group_id: 'contract' }));
    await until(server, '/memories?group_id=contract', (items) => items[0]?.tier === 'working');
    const second = await ended(server, await server.execute(recalls('note for the contract'), {}, { group_id: 'contract' }));
    for (const e of [...events, ...second.events].filter((m) => /^memory_|^knowledge_/.test(m.type)))
      holds(`asyncapi#/components/schemas/event_data/properties/${e.type}`, e.data);
    for (const s of [session, second.session])
      assert.equal((await route('get', '/sessions/{id}/knowledge', undefined, '', { id: s.id })).json.items.length, 1);
    assert.equal((await server.request('DELETE', `/sessions/${session.id}`)).status, 204);
    assert.equal((await server.get('/memories?group_id=contract')).json.items.length, 1); // the group remembers
  });

  test('working memory keeps the newest fifty of a group', async () => {
    for (let i = 0; i < 53; i++) {
      const r = await server.post('/memory/ingest', { group_id: 'many', content: `Note number ${i} of many.` });
      assert.equal(r.status, 201, r.text);
    }
    const old = await until(server, '/memories?group_id=many&tier=long_term&limit=100', (items) => items.length === 3);
    assert.deepEqual(old.map((m) => m.content).sort(), [0, 1, 2].map((i) => `Note number ${i} of many.`));
    assert.equal((await server.get('/memories?group_id=many&tier=working&limit=100')).json.items.length, 50);
  });

  test('what is at hand is known at once, whatever has changed', async () => {
    const hand = async () => (await server.post('/memory/query', { group_id: 'hand', query: '', tiers: ['working'], max_results: 3 })).json.items.map((m) => m.content);
    assert.deepEqual(await hand(), []);
    const ids = [];
    for (let i = 0; i < 6; i++) {
      ids.push((await server.post('/memory/ingest', { group_id: 'hand', content: `note ${i}`, metadata: { i } })).json.ids[0]);
      const newest = [i, i - 1, i - 2].filter((n) => n >= 0).map((n) => `note ${n}`);
      assert.deepEqual([await hand(), await hand()], [newest, newest]);
    }
    const whole = async () => (await server.post('/memory/query', { group_id: 'hand', query: '', tiers: ['working'], max_results: 1 })).json.items[0];
    const [listed, stored] = [await whole(), (await server.get(`/memories/${ids[5]}`)).json];
    assert.deepEqual({ ...listed, score: 0, hits: 0 }, { ...stored, score: 0, hits: 0 });
    await server.request('DELETE', `/memories/${ids[5]}`);
    assert.deepEqual(await hand(), ['note 4', 'note 3', 'note 2']);
    await server.post(`/memories/${ids[4]}/promote`, { tier: 'quarantine' });
    assert.deepEqual(await hand(), ['note 3', 'note 2', 'note 1']);
  });

  test('a session without a group has no memory', async () => {
    for (const name of ['memory_ingest', 'memory_query']) {
      const { session } = await ended(server, await server.execute({ nodes: {
        start: { type: 'start', next_ids: ['t'] }, t: tool(name, { content: 'a', query: 'a' }, 'end'), end: { type: 'end' } } }));
      assert.equal(session.error.code, 'no_group');
    }
  });

  test('what makes no sense is refused', async () => {
    const ok = { group_id: 'g', content: 'text' };
    for (const [status, body] of [
      [400, { ...ok, content: ' \n' }],
      [400, { ...ok, tier: 'attic' }],
      [400, { ...ok, group_id: 'no such name' }],
      [400, { ...ok, metadata: [] }],
      [400, { ...ok, more: 1 }],
      [400, { content: 'text' }],
      [413, { ...ok, content: 'x'.repeat((1 << 20) + 1) }],
      [413, { ...ok, metadata: { m: 'x'.repeat(20000) } }],
    ]) assert.equal((await server.post('/memory/ingest', body)).status, status, JSON.stringify(body).slice(0, 80));
    for (const body of [
      { group_id: 'g' }, { query: 'q' }, { group_id: 'g', query: 'q', tiers: ['attic'] }, { group_id: 'g', query: 'q', tiers: 'hot' },
      { group_id: 'g', query: 'q', relevance_threshold: 2 }, { group_id: 'g', query: 'q', time_range_days: -1 },
      { group_id: 'g', query: 'q', max_results: 101 }, { group_id: 'g', query: 'q', created_after: 'now' },
    ]) assert.equal((await server.post('/memory/query', body)).status, 400, JSON.stringify(body));
    for (const r of [server.get(`/memories/${none}`), server.request('DELETE', `/memories/${none}`), server.get('/memories/x'),
      server.post(`/memories/${none}/promote`, { tier: 'working' }), server.get(`/sessions/${none}/knowledge`)]) assert.equal((await r).status, 404);
    assert.equal((await server.get('/memories?tier=attic')).status, 400);
    assert.equal((await server.get(`/sessions/${none}/knowledge?layer=attic`)).status, 400);
    assert.equal((await server.post(`/memories/${none}/promote`, { tier: 'attic' })).status, 400);
  });

  test('the command line', async () => {
    const run = async (...args) => (await promisify(execFile)(sluiceBin(), ['memory', ...args], { env: { ...process.env, SLUICE_URL: server.url } })).stdout;
    const file = join(server.scratch, 'note.md');
    writeFileSync(file, '# Pumps\n\nThe third pump leaks on Mondays.\n');
    const id = (await run('ingest', 'cli', file, '--agent', 'plumber', '--metadata', '{"a":1}')).trim();
    assert.match(await run('query', 'cli', 'which', 'pump', 'leaks'), /working +plumber .*# Pumps/);
    const [row] = JSON.parse(await run('list', '--group', 'cli', '--json')).items;
    assert.deepEqual([row.source_id, row.metadata], [id, { a: 1 }]);
    assert.equal(await run('promote', id, 'long_term'), '1 to long_term\n');
    assert.match(await run('list', '--group', 'cli', '--tier', 'long_term'), /plumber/);
    await run('delete', id);
    assert.equal(await run('list', '--group', 'cli'), 'no memories\n');
  });
});

describe('a model for vectors', () => {
  // Vectors by what a text is about; `script` says how the next requests are answered instead.
  let model, server;
  const asked = [];
  let script = [];
  const axis = (text) => (/whale|ocean/.test(text) ? [1, 0, 0.1] : /pump|noise/.test(text) ? [0, 1, 0.1] : [0, 0, 1]);
  before(async () => {
    model = createServer(async (req, res) => {
      let body = '';
      for await (const part of req) body += part;
      const { input, model: name } = JSON.parse(body);
      asked.push({ input, name });
      const how = script.shift() ?? {};
      if (how.hold) { how.held(); await once(req.socket, 'close'); return; }
      const data = input.map((text, index) => ({ index, embedding: how.vector ?? axis(text) }));
      res.writeHead(how.status ?? 200, { 'content-type': 'application/json' });
      res.end(JSON.stringify(how.status ? { error: { message: 'no' } } : { object: 'list', model: `${name}-2`, data, usage: { prompt_tokens: 1, total_tokens: 1 } }));
    }).listen(0, '127.0.0.1');
    await once(model, 'listening');
    server = await new Server({ env: { OPENAI_BASE_URL: `http://127.0.0.1:${model.address().port}/v1`, OPENAI_API_KEY: 'k', SLUICE_EMBEDDING_MODEL: 'axes' } }).start();
  });
  after(async () => { await server?.close(); model?.closeAllConnections(); model?.close(); });
  const long = Array.from({ length: 900 }, (_, i) => `Sentence ${i} about the pump, and what its noise may mean to us. `).join('');
  const count = async (group) => (await server.get(`/memories?group_id=${group}&limit=1`)).json.items.length;

  test('what means the same is found without a common word', async () => {
    for (const content of ['The whale is a mammal.', 'The pump is loud.', 'Bread is baked.']) {
      const r = await server.post('/memory/ingest', { group_id: 'axes', content });
      assert.deepEqual([r.status, r.json.model, r.json.embedded], [201, 'axes', true]);
    }
    const { items, embedded } = (await server.post('/memory/query', { group_id: 'axes', query: 'who lives in an ocean', max_results: 1 })).json;
    assert.equal(embedded, true);
    assert.equal(items[0].content, 'The whale is a mammal.');
    assert.ok(items[0].vector_score > 0.9 && items[0].text_score === undefined);
  });

  test('a batch that fails, or has vectors of another size, and nothing is stored', async () => {
    for (const bad of [{ status: 400 }, { vector: [1, 0] }, { vector: [0, 0, 0] }, { vector: [] }]) {
      asked.length = 0;
      script = [{}, bad];
      const r = await server.post('/memory/ingest', { group_id: 'halves', content: long });
      assert.deepEqual([r.status, r.json.code], [502, 'embedding_failed'], r.text);
      assert.ok(asked.length >= 2 && asked.every((a) => a.input.length > 1 && a.name === 'axes'));
      assert.equal(await count('halves'), 0);
    }
    const { session } = await ended(server, await (script = [{ status: 400 }], server.execute(writes('A text about a pump.'), {}, { group_id: 'halves' })));
    assert.equal(session.error.code, 'embedding_failed');
    assert.equal(await count('halves'), 0);
  });

  for (const signal of ['SIGKILL', 'SIGTERM']) {
    test(`${signal} while it waits for vectors: a session writes once`, async () => {
      const group = `once-${signal}`;
      const held = new Promise((go) => { script = [{ hold: true, held: go }]; });
      const id = await server.execute(writes('A text about a whale.'), {}, { group_id: group });
      await held;
      await server.kill(signal);
      await server.start();
      const { session } = await ended(server, id);
      assert.equal(session.status, 'completed', JSON.stringify(session.error));
      const items = (await server.get(`/memories?group_id=${group}`)).json.items;
      assert.deepEqual(items.map((m) => m.id), session.output.wrote.ids);
    });
  }

  test('another model: the old vectors are not compared, their words are', async () => {
    server.options.env.SLUICE_EMBEDDING_MODEL = 'others';
    await server.kill('SIGTERM');
    await server.start();
    const ask = async (query) => (await server.post('/memory/query', { group_id: 'axes', query })).json;
    assert.deepEqual((await ask('who lives in an ocean')).items.filter((m) => m.vector_score !== undefined), []);
    assert.equal((await ask('is the pump loud')).items[0].content, 'The pump is loud.');
    server.options.env.SLUICE_EMBEDDING_DIMENSIONS = '5';
    await server.kill('SIGTERM');
    await server.start();
    const r = await server.post('/memory/ingest', { group_id: 'axes', content: 'The whale sings.' });
    assert.deepEqual([r.status, r.json.code], [502, 'embedding_failed']);
    assert.match(r.json.error, /5/);
  });
});

test('two instances have one memory', { skip: storeKind() !== 'postgres' }, async () => {
  const database = new Database();
  const servers = await Promise.all([1, 2].map(() => new Server({ database }).start()));
  try {
    for (let i = 0; i < 12; i++) {
      const [here, there] = i % 2 ? servers : [...servers].reverse();
      assert.equal((await here.post('/memory/ingest', { group_id: 'g', content: `note ${i}` })).status, 201);
      for (const server of [there, here]) {
        const hot = (await server.post('/memory/query', { group_id: 'g', query: '', tiers: ['working'], max_results: 1 })).json.items;
        assert.equal(hot[0].content, `note ${i}`);
        assert.equal((await server.post('/memory/query', { group_id: 'g', query: `note ${i}`, max_results: 50 })).json.items.length, i + 1);
      }
    }
  } finally {
    for (const s of servers) await s.close();
    database.drop();
  }
});

test('a model for vectors that does not answer: nothing is stored, questions go by words', async () => {
  const server = await new Server({ env: { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', OPENAI_API_KEY: 'none', SLUICE_EMBEDDING_MODEL: 'vectors' } }).start();
  try {
    const r = await server.post('/memory/ingest', { group_id: 'g', content: 'text' });
    assert.deepEqual([r.status, r.json.code], [502, 'embedding_failed'], r.text);
    assert.deepEqual((await server.get('/memories?group_id=g')).json.items, []);
    const q = await server.post('/memory/query', { group_id: 'g', query: 'text' });
    assert.deepEqual([q.status, q.json], [200, { items: [], embedded: false }]);
  } finally { await server.close(); }
});
