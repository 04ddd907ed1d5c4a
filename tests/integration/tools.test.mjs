// Tools http and web_search in real workflows: keys that outlive a kill, secrets that nobody sees, retries.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { modelServer } from './lib/model.mjs';
import { Server } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';

const secret = 'tok-4711-hush-hush';
let dir;
let peer;
let server;
let model;
let asked; // what the model calls
let requests; // of the peer: {method, url, headers, body}
let answer; // what it does with one
let arrived;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-tools-'));
  requests = [];
  peer = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      requests.push({ method: req.method, url: req.url, headers: req.headers, body });
      answer(req, res, requests.length);
      arrived?.();
    });
  });
  await new Promise((done) => peer.listen(0, '127.0.0.1', done));
  const config = join(dir, 'sluice.yaml');
  writeFileSync(config, JSON.stringify({ search: { own: { url: `${url('/search')}?q={query}`, headers: { 'X-Key': '{{ secret.TOKEN }}' } } } }));
  model = await modelServer(() => asked);
  server = await new Server({
    args: ['--config', config, '--tool-allow', `127.0.0.1:${peer.address().port}`],
    env: { SLUICE_SECRET_TOKEN: secret, OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'test' },
  }).start();
});
after(async () => {
  await server?.close();
  model?.close();
  peer?.closeAllConnections();
  peer?.close();
  rmSync(dir, { recursive: true, force: true });
});

const url = (path) => `http://127.0.0.1:${peer.address().port}${path}`;
const json = (res, value, status = 200, headers = {}) => {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(value));
};
const graph = (properties, more = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['call'] },
    call: { type: 'tool', properties, next_ids: ['end'], ...more },
    end: { type: 'end' },
  },
});
const nextRequest = () => new Promise((done) => { arrived = done; });

async function run(definition, input = {}) {
  const id = await server.execute(definition, input);
  const reader = new Reader(server, id);
  const end = await reader.ended();
  reader.close();
  const log = await server.events(id);
  const move = (to) => log.find((e) => e.type === 'node_state_change' && e.node_id === 'call' && e.data.to === to);
  return { id, end, log, output: move('completed')?.data.output, error: move('failed')?.data.error };
}

test('http: arguments are templates, the answer is the output', async () => {
  answer = (req, res) => json(res, { got: req.url });
  const r = await run(graph({
    tool: 'http',
    arguments: { method: 'POST', url: `${url('/')}{{ input.path }}`, query: { n: '{{ input.n }}' }, body: { list: '{{ input.list }}' } },
  }), { path: 'orders', n: 7, list: [1, 2] });
  assert.deepEqual(r.output?.body, { got: '/orders?n=7' }, JSON.stringify(r.error));
  assert.equal(r.output.status, 200);
  const seen = requests.at(-1);
  assert.deepEqual(JSON.parse(seen.body), { list: [1, 2] });
  const started = r.log.find((e) => e.type === 'tool_execution');
  assert.equal(seen.headers['idempotency-key'], started.data.call_id);
});

test('http: a busy server is asked again with the same key, after what it says', async () => {
  const from = requests.length;
  answer = (req, res, n) => (n - from < 3 ? json(res, {}, 503, { 'retry-after': '0' }) : json(res, { ok: true }));
  const r = await run(graph({ tool: 'http', arguments: { url: url('/busy'), fail_on_status: true } }, { retry: { max_attempts: 3, initial_ms: 1 } }));
  assert.deepEqual(r.output?.body, { ok: true }, JSON.stringify(r.error));
  const keys = requests.slice(from).map((q) => q.headers['idempotency-key']);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.equal(r.log.find((e) => e.type === 'tool_execution' && e.data.status === 'failed').data.error.code, 'http_503');
});

test('http: what is not of the public internet is refused, also by name', async () => {
  const from = requests.length;
  for (const address of ['http://127.0.0.1:1/', `http://localhost:${server.port}/healthz`, 'http://169.254.169.254/latest', `http://[::1]:${server.port}/`]) {
    const r = await run(graph({ tool: 'http', arguments: { url: address, timeout_ms: 5000 } }));
    assert.equal(r.error?.code, 'address_refused', `${address}: ${JSON.stringify(r)}`);
  }
  assert.equal(requests.length, from);
});

function filesOf(folder) {
  return readdirSync(folder).map((f) => join(folder, f)).flatMap((f) => (statSync(f).isDirectory() ? filesOf(f) : [f]));
}

test('secrets are sent by a workflow whose nodes are a list, too', async () => {
  answer = (req, res) => json(res, {});
  const { nodes } = graph({ tool: 'http', arguments: { url: url('/s'), headers: { Authorization: 'Bearer {{ secret.TOKEN }}' } } });
  const r = await run({ nodes: Object.entries(nodes).map(([id, node]) => ({ id, ...node })) });
  assert.equal(r.end.data.to, 'completed', JSON.stringify(r.end.data));
  assert.equal(requests.at(-1).headers.authorization, `Bearer ${secret}`);
});

test('secrets are sent, and are in no event, row or log line', async () => {
  answer = (req, res) => json(res, { echo: req.headers.authorization });
  const r = await run(graph({ tool: 'http', arguments: { url: url('/s'), headers: { Authorization: 'Bearer {{ secret.TOKEN }}' } } }));
  assert.equal(requests.at(-1).headers.authorization, `Bearer ${secret}`);
  assert.equal(r.output.body.echo, `Bearer ${'*'.repeat(secret.length)}`);
  answer = (req, res) => json(res, { results: [{ title: req.headers['x-key'], url: 'u', content: 'c' }] });
  const s = await run(graph({ tool: 'web_search', arguments: { query: 'tea & cake' } }));
  assert.equal(requests.at(-1).url, '/search?q=tea%20%26%20cake');
  assert.equal(requests.at(-1).headers['x-key'], secret);
  assert.equal(s.output.results[0].title, '*'.repeat(secret.length));
  for (const { log } of [r, s]) assert.ok(!JSON.stringify(log).includes(secret));
  for (const f of filesOf(server.scratch)) assert.ok(!readFileSync(f).includes(secret), f);
  assert.ok(!server.process.stderr().includes(secret));
});

test('data cannot ask for a secret', async () => {
  const from = requests.length;
  answer = (req, res) => json(res, {});
  const r = await run(graph({ tool: 'http', arguments: { url: url('/x'), headers: { A: '{{ input.a }}' } } }), { a: '{{ secret.TOKEN }}' });
  assert.equal(r.error?.code, 'invalid_arguments');
  assert.equal(requests.length, from);
});

const agent = (tools) => ({
  nodes: {
    start: { type: 'start', next_ids: ['call'] },
    call: { type: 'agent', properties: { persona: 'A clerk.', prompt: 'Do it.', tools }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});

test("an agent's tool sends the secrets of headers that the workflow fixes, to the URL that it fixes", async () => {
  const from = requests.length;
  answer = (req, res) => json(res, { ok: req.url });
  const order = { name: 'order', tool: 'http', arguments: { method: 'POST', url: url('/orders'), headers: { Authorization: 'Bearer {{ secret.TOKEN }}' } } };
  asked = { name: 'order', arguments: { url: url('/elsewhere'), headers: { Evil: '{{ secret.TOKEN }}' }, body: { n: 1 } } };
  const r = await run(agent([order]));
  assert.equal(r.end.data.to, 'completed', JSON.stringify(r.end.data));
  const seen = requests.slice(from);
  assert.deepEqual(seen.map((q) => [q.url, q.headers.authorization, q.headers.evil, q.body]), [['/orders', `Bearer ${secret}`, undefined, '{"n":1}']]);
  assert.ok(!JSON.stringify(r.log).includes(secret));
});

test('a model gets no secret sent, whatever it asks for', async () => {
  const from = requests.length;
  answer = (req, res) => json(res, {});
  const half = { name: 'half', tool: 'http', arguments: { headers: { Authorization: 'Bearer {{ secret.TOKEN }}' } } };
  for (const tool of ['http', half]) {
    asked = { name: tool.name ?? 'http', arguments: { url: url('/mine'), headers: { A: '{{ secret.TOKEN }}' } } };
    const r = await run(agent([tool]));
    assert.equal(r.log.find((e) => e.type === 'tool_execution' && e.data.status === 'failed')?.data.error.code, 'invalid_arguments');
  }
  assert.equal(requests.length, from);
});

test('a call that was under way when the server was killed is made again, with its key', async () => {
  const from = requests.length;
  answer = (req, res, n) => { if (n - from > 1) json(res, { done: true }); };
  const came = nextRequest();
  const id = await server.execute(graph({ tool: 'http', arguments: { method: 'POST', url: url('/once'), body: 'x' } }));
  await came;
  await server.kill('SIGKILL');
  await server.start();
  const reader = new Reader(server, id);
  const end = await reader.ended();
  reader.close();
  assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
  const seen = requests.slice(from);
  assert.equal(seen.length, 2);
  assert.equal(seen[0].headers['idempotency-key'], seen[1].headers['idempotency-key']);
});

test('a call under way at a shutdown is made by another instance, with its key', { skip: storeKind() !== 'postgres' && 'the embedded store has one instance' }, async () => {
  const from = requests.length;
  const database = new Database({ empty: true });
  const args = ['--tool-allow', `127.0.0.1:${peer.address().port}`, '--drain', '200ms'];
  const [a, b] = await Promise.all([1, 2].map(() => new Server({ store: 'postgres', database, args }).start()));
  for (const s of [a, b]) {
    for (let n = 0; n !== 2;) n = Number(/^sluice_instances (\S+)$/m.exec((await s.get('/metrics')).text)[1]); // they know of each other
  }
  answer = (req, res, n) => { if (n - from > 1) json(res, { done: true }); };
  const came = nextRequest();
  const id = await a.execute(graph({ tool: 'http', arguments: { method: 'POST', url: url('/once'), body: 'x' } }));
  await came;
  const gone = a.close();
  const reader = new Reader(b, id, { reconnect: true });
  const end = await reader.ended();
  reader.close();
  await gone;
  assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
  const keys = requests.slice(from).map((q) => q.headers['idempotency-key']);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  await b.close();
  database.drop();
});

test('a cancelled session closes its request', async () => {
  const closed = new Promise((done) => { answer = (req) => req.socket.on('close', done); });
  const came = nextRequest();
  const id = await server.execute(graph({ tool: 'http', arguments: { url: url('/hang') } }));
  await came;
  assert.equal((await server.post(`/sessions/${id}/cancel`)).status, 200);
  await closed;
});
