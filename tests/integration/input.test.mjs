// Bad input: each has its right status and a sentence, and nothing changes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Reader } from './lib/client.mjs';
import { Server } from './lib/server.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(async () => { await server?.close(); });

const good = {
  nodes: {
    start: { type: 'start', next_ids: ['wait'] },
    wait: { type: 'user_input', next_ids: ['end'] },
    end: { type: 'end' },
  },
};
const nodes = (more) => ({ nodes: { start: { type: 'start', next_ids: ['a'] }, ...more, end: { type: 'end' } } });
const llm = (...next_ids) => ({ type: 'llm', properties: { prompt: 'p' }, next_ids });

async function counts() {
  const list = async (path) => (await server.get(`${path}?limit=500`)).json.items.length;
  return { sessions: await list('/sessions'), workflows: await list('/workflows') };
}

async function refused(name, wanted, answer) {
  const before = await counts();
  const r = await answer();
  const statuses = [wanted].flat();
  assert.ok(statuses.includes(r.status), `${name}: ${r.status} instead of ${statuses}: ${r.text.slice(0, 300)}`);
  assert.match(r.headers.get('content-type') ?? '', /^application\/json/, name);
  assert.equal(typeof r.json?.error, 'string', `${name}: no sentence in ${r.text.slice(0, 200)}`);
  assert.match(r.json.code, /^[a-z_]+$/, name);
  assert.deepEqual(await counts(), before, `${name}: something has changed`);
  return r;
}

const execute = (body, headers) => server.request('POST', '/workflows/execute', body, headers);
const raw = (...parts) => Buffer.concat(parts.map((p) => Buffer.from(p)));

for (const [name, wanted, body] of [
  ['no body', [400, 411], ''],
  ['no JSON', 400, 'hello'],
  ['half of JSON', 400, '{"graph":'],
  ['something behind it', 400, `${JSON.stringify({ graph: good })} x`],
  ['a trailing comma', 400, '{"graph":{},}'],
  ['a byte order mark', 400, `\ufeff${JSON.stringify({ graph: good })}`],
  ['an array', 400, '[]'],
  ['a number', 400, '7'],
  ['the same key twice', 400, '{"name":"a","name":"b"}'],
  ['NaN', 400, '{"input":{"x":NaN}}'],
  ['a huge number', 400, '{"input":{"x":1e999}}'],
  ['a number of 10,000 digits', 400, `{"input":{"x":${'1'.repeat(10000)}}}`],
  ['half a surrogate pair', 400, '{"name":"\\ud83d"}'],
  ['an escaped NUL', 400, '{"name":"a\\u0000b"}'],
  ['a raw control character', 400, '{"name":"a\u0001b"}'],
  ['invalid UTF-8', 400, raw('{"name":"', [0xff, 0xfe], '"}')],
  ['overlong UTF-8', 400, raw('{"name":"', [0xc0, 0xaf], '"}')],
  ['a depth of 10,000', [400, 413], `{"input":${'['.repeat(10000)}${']'.repeat(10000)}}`],
  ['11 MB', 413, JSON.stringify({ graph: good, input: { x: 'x'.repeat(11 << 20) } })],
  ['an unknown field', 400, JSON.stringify({ graph: good, inputs: {} })],
  ['neither workflow nor graph', 400, '{}'],
  ['workflow and graph', 400, JSON.stringify({ graph: good, workflow_id: 'x' })],
  ['an input that is no object', 400, JSON.stringify({ graph: good, input: [1] })],
  ['a name that is no text', 400, JSON.stringify({ graph: good, name: 7 })],
  ['tags that are no texts', 400, JSON.stringify({ graph: good, tags: [1] })],
  ['a workflow that does not exist', 404, JSON.stringify({ workflow_id: 'nobody-has-this' })],
  ['a workflow id that is none', [400, 404], JSON.stringify({ workflow_id: 'a b' })],
]) test(`execute: ${name}`, () => refused(name, wanted, () => execute(body)));

test('what the input lacks comes from the defaults of its schema', async () => {
  const graph = {
    input_schema: {
      type: 'object', required: ['topic', 'tone'],
      properties: { topic: { type: 'string' }, tone: { type: 'string', default: 'calm' }, more: { type: 'object', properties: { n: { type: 'integer', default: 3 } } } },
    },
    nodes: {
      start: { type: 'start', next_ids: ['t'] },
      t: { type: 'transform', properties: { output: '{tone = input.tone, n = input.more.n}' }, next_ids: ['end'] },
      end: { type: 'end' },
    },
  };
  const { session_id: id } = (await server.post('/workflows/execute', { graph, input: { topic: 'rain', more: {} } })).json;
  const reader = new Reader(server, id);
  const ended = await reader.ended();
  reader.close();
  assert.equal(ended.data.to, 'completed');
  assert.deepEqual((await server.get(`/sessions/${id}`)).json.input, { topic: 'rain', more: { n: 3 }, tone: 'calm' });
  const r = await refused('a member without a default', 400, () => server.post('/workflows/execute', { graph, input: {} }));
  assert.equal(r.json.code, 'invalid_input');
});

for (const [name, graph, path, code] of [
  ['an unknown node', nodes({ a: llm('jugde'), judge: llm('end') }), 'nodes.a.next_ids[0]', 'unknown_node'],
  ['an unknown field', nodes({ a: { ...llm('end'), retries: 2 } }), 'nodes.a.retries', 'unknown_field'],
  ['an unknown property', nodes({ a: { type: 'llm', properties: { promt: 'p', prompt: 'p' }, next_ids: ['end'] } }), 'nodes.a.properties.promt', 'unknown_field'],
  ['an unknown type', nodes({ a: { type: 'wizard', next_ids: ['end'] } }), 'nodes.a.type', 'unknown_type'],
  ['a cycle that nothing breaks', nodes({ a: llm('b'), b: llm('a', 'end') }), 'nodes.b.next_ids[0]', 'unbroken_cycle'],
  ['a node that is not reached', nodes({ a: llm('end'), b: llm('end') }), 'nodes.b', 'unreachable'],
  ['a way that ends nowhere', nodes({ a: llm('b', 'end'), b: llm() }), 'nodes.b', 'no_path_to_end'],
  ['a template that names nobody', nodes({ a: { type: 'llm', properties: { prompt: '{{ nodes.zed.output }}' }, next_ids: ['end'] } }), 'nodes.a.properties.prompt', 'bad_template'],
  ['an expression that is none', nodes({ a: { ...llm('end'), when: '1 +' } }), 'nodes.a.when', 'bad_expression'],
  ['a schema that is none', { ...nodes({ a: llm('end') }), input_schema: { type: 'thing' } }, 'input_schema', 'bad_schema'],
]) {
  test(`a workflow with ${name} is 422 everywhere`, async () => {
    const check = (errors) => assert.ok(errors.some((e) => e.path === path && e.code === code && e.message), JSON.stringify(errors));
    check((await refused(name, 422, () => execute({ graph }))).json.details.errors);
    check((await refused(name, 422, () => server.post('/workflows', { id: 'bad', ...graph }))).json.details.errors);
    check((await refused(name, 422, () => server.request('PUT', '/workflows/bad', { id: 'bad', ...graph }))).json.details.errors);
    const verdict = await server.post('/workflows/validate', graph);
    assert.equal(verdict.status, 200);
    assert.equal(verdict.json.valid, false);
    check(verdict.json.errors);
  });
}

test('validate tells all errors at once, in the order of the document', async () => {
  const yaml = `nodes:
  start: { type: start, next_ids: [a, nowhere] }
  a: { type: llm, properties: { prompt: 5 }, next_ids: [ennd] }
  end: { type: end }
`;
  const r = await server.request('POST', '/workflows/validate', yaml, { 'content-type': 'application/yaml' });
  assert.deepEqual(r.json.errors.map((e) => `${e.path}: ${e.message}`), [
    'nodes.start.next_ids[1]: no node "nowhere"',
    'nodes.a.properties.prompt: prompt must be text, not number',
    'nodes.a.next_ids[0]: no node "ennd"; did you mean "end"?',
  ]);
  assert.deepEqual(r.json.errors.map((e) => e.node_id), ['start', 'a', 'a']);
});

test('YAML: bombs, tags and several documents', async () => {
  const send = (yaml) => () => server.request('POST', '/workflows', yaml, { 'content-type': 'application/yaml' });
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]`).join('\n')}\n`;
  await refused('a bomb', [400, 413], send(bomb));
  await refused('a tag', 400, send('id: !!python/object:os.system x\n'));
  await refused('two documents', 400, send('id: a\n---\nid: b\n'));
  await refused('a tab', 400, send('id:\n\t- x\n'));
});

test('an input that does not hold to its schema is 400', async () => {
  const graph = { ...good, input_schema: { type: 'object', required: ['topic'], properties: { topic: { type: 'string', minLength: 3 } } } };
  for (const input of [{}, { topic: 7 }, { topic: 'ab' }]) {
    await refused(JSON.stringify(input), 400, () => execute({ graph, input }));
  }
  const id = await server.execute(graph, { topic: 'abc' });
  await server.post(`/sessions/${id}/cancel`);
});

test('routes, methods, types and queries that are not there', async () => {
  await refused('an unknown route', 404, () => server.get('/workflow'));
  await refused('an unknown route below', 404, () => server.get('/api/v2/workflows'));
  for (const [method, path] of [['PUT', '/workflows'], ['DELETE', '/sessions'], ['POST', '/healthz'], ['GET', '/workflows/execute/x']]) {
    await refused(`${method} ${path}`, [404, 405], () => server.request(method, path, method === 'GET' ? undefined : {}));
  }
  assert.equal((await server.request('PUT', '/workflows', {})).status, 405);
  await refused('text/plain', 415, () => execute(JSON.stringify({ graph: good }), { 'content-type': 'text/plain' }));
  for (const query of ['limit=0', 'limit=501', 'limit=x', 'limit=-1', 'cursor=garbage', 'order=up', 'created_after=yesterday']) {
    await refused(query, 400, () => server.get(`/sessions?${query}`));
  }
  for (const id of ['x', '0', '../../etc/passwd', 'a'.repeat(2000), '00000000-0000-7000-8000-00000000000g']) {
    await refused(id, [400, 404, 414], () => server.get(`/sessions/${encodeURIComponent(id)}`));
  }
  await refused('a session nobody has', 404, () => server.get('/sessions/01900000-0000-7000-8000-000000000000'));
  await refused('its events', 404, () => server.get('/sessions/01900000-0000-7000-8000-000000000000/events'));
  await refused('its end', 404, () => server.post('/sessions/01900000-0000-7000-8000-000000000000/cancel'));
});

test('moves that the state does not allow', async () => {
  const id = await server.execute(good);
  const reader = new Reader(server, id);
  await reader.untilEvent('human_interaction_required');
  const at = (path, body) => () => server.post(`/sessions/${id}/${path}`, body);
  await refused('resume of what runs', 409, at('resume'));
  await refused('delete of what runs', 409, () => server.request('DELETE', `/sessions/${id}`));
  await refused('answer of no node', 404, at('nodes/nobody/resume', { action: 'submit' }));
  await refused('answer of a node that does not wait', 409, at('nodes/start/resume', { action: 'submit' }));
  await refused('answer that is none', 400, at('nodes/wait/resume', { action: 'dance' }));
  await refused('answer without an action', 400, at('nodes/wait/resume', {}));
  await refused('answer to another question', 409, at('nodes/wait/resume', { action: 'submit', interrupt_id: '01900000-0000-7000-8000-000000000000' }));
  await refused('input without content', 400, at('input', {}));
  await refused('pause in no mode', 400, at('pause', { mode: 'nap' }));
  await refused('pause with a misspelt field', 400, at('pause', { mod: 'hold' }));
  const seen = reader.last;
  assert.equal((await server.post(`/sessions/${id}/pause`)).status, 200);
  await refused('pause of what is paused', 409, at('pause'));
  assert.equal((await server.post(`/sessions/${id}/resume`)).status, 200);
  assert.equal((await server.post(`/sessions/${id}/cancel`)).status, 200);
  await reader.ended();
  assert.deepEqual(reader.events.slice(seen).map((e) => e.data.to), ['paused', 'running', ...reader.events.slice(seen + 2).map((e) => e.data.to)]);
  for (const what of ['pause', 'resume', 'cancel', 'stop']) await refused(`${what} of what has ended`, 409, at(what));
  await refused('input into what has ended', [404, 409], at('input', { content: 'x' }));
  reader.close();
  assert.equal((await server.request('DELETE', `/sessions/${id}`)).status, 204);
  await refused('delete once more', 404, () => server.request('DELETE', `/sessions/${id}`));
});

test('a stale version, and an id that is taken', async () => {
  const graph = { id: 'versioned', ...good };
  assert.equal((await server.post('/workflows', graph)).status, 201);
  await refused('the same id', 409, () => server.post('/workflows', graph));
  assert.equal((await server.request('PUT', '/workflows/versioned', graph, { 'if-match': '1' })).json.version, 2);
  await refused('a stale PUT', 412, () => server.request('PUT', '/workflows/versioned', graph, { 'if-match': '1' }));
  await refused('a stale DELETE', 412, () => server.request('DELETE', '/workflows/versioned', undefined, { 'if-match': '1' }));
  await refused('If-Match that is no number', 400, () => server.request('DELETE', '/workflows/versioned', undefined, { 'if-match': 'x' }));
  await refused('another id in the body', 400, () => server.request('PUT', '/workflows/other', graph));
  assert.equal((await server.request('DELETE', '/workflows/versioned')).status, 204);
});

// ---- WebSocket ----

async function socket() {
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, 'sluice.v1', { perMessageDeflate: false });
  const inbox = [];
  const waiters = [];
  ws.on('message', (d) => { inbox.push(JSON.parse(d.toString())); waiters.splice(0).forEach((w) => w()); });
  const closed = new Promise((done) => ws.on('close', (code) => { done(code); waiters.splice(0).forEach((w) => w()); }));
  await new Promise((done, fail) => { ws.on('open', done); ws.on('error', fail); });
  const next = async () => {
    while (!inbox.length && ws.readyState === WebSocket.OPEN) await new Promise((go) => waiters.push(go));
    return inbox.shift();
  };
  return { ws, next, closed, say: (m) => ws.send(typeof m === 'string' || m instanceof Buffer ? m : JSON.stringify(m)) };
}

for (const [name, message] of [
  ['a binary frame', Buffer.from('{"type":"ping"}')],
  ['no JSON', '{"type":'],
  ['an array', '[]'],
  ['no type', '{"request_id":"r"}'],
  ['an unknown type', '{"type":"teleport","request_id":"r"}'],
  ['an unknown field', '{"type":"ping","pong":1,"request_id":"r"}'],
  ['a subscription to nothing', '{"type":"subscribe","request_id":"r"}'],
  ['a session id that is none', '{"type":"subscribe","session_id":"x","request_id":"r"}'],
  ['a session nobody has', '{"type":"subscribe","session_id":"01900000-0000-7000-8000-000000000000","request_id":"r"}'],
  ['after a negative number', '{"type":"subscribe","session_id":"01900000-0000-7000-8000-000000000000","after":-1,"request_id":"r"}'],
  ['a deep one', `{"type":${'['.repeat(5000)}${']'.repeat(5000)}}`],
  ['an oversized one', JSON.stringify({ type: 'execute', graph: good, name: 'x'.repeat(2 << 20) })],
  ['an execute that does not validate', JSON.stringify({ type: 'execute', graph: nodes({ a: llm('nowhere') }), input: {}, request_id: 'r' })],
  ['a pause of nothing', '{"type":"pause","session_id":"01900000-0000-7000-8000-000000000000","request_id":"r"}'],
]) {
  test(`WebSocket: ${name} gets an error, and the connection lives`, async () => {
    const before = await counts();
    const s = await socket();
    s.say(message);
    const error = await s.next();
    assert.equal(error?.type, 'error', JSON.stringify(error));
    assert.equal(typeof error.error, 'string');
    assert.match(error.code, /^[a-z_]+$/);
    if (typeof message === 'string' && message.includes('"request_id"') && message.length < 4096) assert.equal(error.request_id, 'r');
    s.say({ type: 'ping', request_id: 'p' });
    const pong = await s.next();
    assert.equal(pong?.type, 'pong', JSON.stringify(pong));
    assert.deepEqual(await counts(), before);
    s.ws.close();
    assert.equal(await s.closed, 1005);
  });
}

test('WebSocket: repeated abuse is closed with 1008', async () => {
  const s = await socket();
  const send = setInterval(() => { if (s.ws.readyState === WebSocket.OPEN) s.say('rubbish'); }, 1);
  const code = await s.closed;
  clearInterval(send);
  assert.equal(code, 1008);
});

test('WebSocket: a foreign Origin, another path, another subprotocol', async () => {
  const refusedWith = (path, protocol, headers) => new Promise((done) => {
    const ws = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, protocol, { headers });
    ws.on('open', () => { ws.close(); done(101); });
    ws.on('error', () => {});
    ws.on('unexpected-response', (_, res) => { res.resume(); done(res.statusCode); });
    ws.on('close', () => done('closed'));
  });
  assert.equal(await refusedWith('/ws', 'sluice.v1', {}), 101);
  assert.equal(await refusedWith('/ws', 'sluice.v1', { origin: `http://127.0.0.1:${server.port}` }), 101);
  assert.notEqual(await refusedWith('/ws', 'sluice.v1', { origin: 'http://evil.example' }), 101);
  assert.notEqual(await refusedWith('/elsewhere', 'sluice.v1', {}), 101);
  assert.notEqual(await refusedWith('/ws', 'chat.v9', {}), 101);
});

test('after all of this the server is well', async () => {
  assert.equal((await server.get('/readyz')).status, 200);
  const id = await server.execute(good);
  assert.equal((await server.post(`/sessions/${id}/input`, { content: 'done' })).status, 200);
  const reader = new Reader(server, id);
  assert.equal((await reader.ended()).data.to, 'completed');
  reader.close();
});
