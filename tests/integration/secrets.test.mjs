// Secrets everywhere, at the log level debug: no reply, event, log line, metric, setting, entry of the audit log,
// exported session or file of the store shows one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Server, sluiceBin } from './lib/server.mjs';

const secrets = {
  provider: 'sk-provider-5f1c0a9e77', providerFile: 'sk-filed-8842aa1b03', tool: 'tool-secret-c0ffee4711', header: 'search-key-99ab34cd11',
  hook: 'webhook-secret-1f2e3d4c5b', storePassword: 'pw-of-the-store-77', unknownKey: 'slk_unknown0123456789abcdef',
};
const b64 = (o) => Buffer.from(typeof o === 'string' ? o : JSON.stringify(o)).toString('base64url');
const head = `${b64({ alg: 'HS256', typ: 'JWT' })}.${b64({ sub: 'mallory', exp: 1, workspace: 'default', role: 'admin' })}`;
secrets.jwt = `${head}.${createHmac('sha256', 'k').update(head).digest('base64url')}`;

let server, peer, dir, root, viewer, args;
const seen = []; // all that anybody was told
const as = (key) => ({ Authorization: `Bearer ${key}` });

// A model and a web service that fail, and say in their errors what they were sent.
const echo = createServer((req, res) => {
  let body = '';
  req.on('data', (d) => { body += d; });
  req.on('end', () => {
    const key = req.headers.authorization ?? req.headers['x-key'] ?? '';
    const ok = req.url.startsWith('/fine');
    res.writeHead(ok ? 200 : 401, { 'content-type': 'application/json', 'x-echo': key });
    res.end(JSON.stringify({ error: { message: `this key is not good: ${key}`, code: 'invalid_api_key' }, echo: key }));
  });
});

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
  mkdirSync(join(dir, 'secrets'));
  writeFileSync(join(dir, 'secrets', 'FILED'), secrets.header);
  writeFileSync(join(dir, 'provider.key'), secrets.providerFile);
  await new Promise((go) => echo.listen(0, '127.0.0.1', go));
  peer = `http://127.0.0.1:${echo.address().port}`;
  writeFileSync(join(dir, 'sluice.yaml'), JSON.stringify({
    providers: [
      { id: 'env', base_url: `${peer}/v1`, api_key_env: 'MY_PROVIDER_KEY', models: ['m'] },
      { id: 'filed', base_url: `${peer}/v1`, api_key_file: join(dir, 'provider.key'), models: ['m'] },
    ],
    tools: { secrets_dir: join(dir, 'secrets') },
    search: { own: { url: `${peer}/search?q={query}`, headers: { 'X-Key': '{{ secret.FILED }}' } } },
  }));
  args = ['--config', join(dir, 'sluice.yaml'), '--log-level', 'debug', '--tool-allow', '127.0.0.0/8'];
  server = await new Server({ args, env: { MY_PROVIDER_KEY: secrets.provider, SLUICE_SECRET_TOKEN: secrets.tool } }).start();
  root = (await server.post('/keys', { name: 'root', role: 'admin' })).json.key;
  viewer = (await server.post('/keys', { name: 'viewer', role: 'viewer' }, as(root))).json.key;
  secrets.root = root;
  secrets.viewer = viewer;
});
after(async () => {
  await server?.close();
  echo.close();
  rmSync(dir, { recursive: true, force: true });
});

async function ask(method, path, body, key = root) {
  const r = await server.request(method, path, body, as(key));
  seen.push([`${method} ${path} ${r.status}`, `${r.text}${JSON.stringify([...r.headers])}`]);
  return r;
}
async function run(nodes) {
  const graph = { nodes: { start: { type: 'start', next_ids: ['x'] }, x: { ...nodes, next_ids: ['end'] }, end: { type: 'end' } } };
  const { session_id: id } = (await ask('POST', '/workflows/execute', { graph })).json;
  for (;;) {
    const s = await ask('GET', `/sessions/${id}`);
    if (/completed|failed/.test(s.json.status)) return id;
    await new Promise((go) => setTimeout(go, 10));
  }
}

test('normal ways and errors', async () => {
  const headers = { Authorization: 'Bearer {{ secret.TOKEN }}' };
  const sessions = [
    await run({ type: 'tool', properties: { tool: 'http', arguments: { url: `${peer}/fine`, headers } } }),
    await run({ type: 'tool', properties: { tool: 'http', arguments: { url: `${peer}/refused`, headers } } }),
    await run({ type: 'tool', properties: { tool: 'http', arguments: { url: 'http://127.0.0.1:1/closed', headers } } }),
    await run({ type: 'tool', properties: { tool: 'web_search', arguments: { query: 'tea', provider: 'own' } } }),
    await run({ type: 'llm', properties: { provider: 'env', model: 'm', prompt: 'hello' } }),
    await run({ type: 'llm', properties: { provider: 'filed', model: 'm', prompt: 'hello' } }),
  ];
  for (const id of sessions) {
    for (const what of ['events?limit=500', 'nodes', 'messages', 'stages', 'diagram', 'usage', 'export', 'stream']) await ask('GET', `/sessions/${id}/${what}`);
  }
  await ask('POST', '/webhooks', { url: `${peer}/hook`, secret: secrets.hook, enabled: true });
  for (const path of ['/webhooks', '/keys', '/whoami', '/audit?limit=500', '/metrics', '/llm/providers', '/models/pricing', '/instances', '/status', '/sessions?limit=500', '/readyz', '/version']) {
    await ask('GET', path);
  }
});

test('keys and tokens that are none', async () => {
  for (const key of [secrets.unknownKey, secrets.jwt, viewer]) {
    await ask('POST', '/workflows/execute', { graph: {} }, key);
    await ask('DELETE', '/workflows/none', undefined, key);
    await ask('GET', '/audit', undefined, key);
    const said = await new Promise((done) => {
      const ws = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, ['sluice.v1', `bearer.${key}`]);
      let text = '';
      ws.on('unexpected-response', (req, res) => { res.on('data', (d) => { text += d; }); res.on('end', () => done(text + JSON.stringify(res.headers))); });
      ws.on('open', () => ws.send(JSON.stringify({ type: 'execute', request_id: 'r', graph: {} })));
      ws.on('message', (m) => { text += m; if (/"r"/.test(m)) { ws.close(); done(text + ws.protocol); } });
      ws.on('error', () => {});
    });
    seen.push([`WebSocket as ${key === viewer ? 'viewer' : 'nobody'}`, said]);
  }
  await ask('GET', `/sessions?cursor=${encodeURIComponent(secrets.jwt)}`);
  seen.pop(); // what a client puts into a query is its own
  for (let n = 0; n < 2;) n = (await ask('GET', '/audit?action=workflow_delete')).json.items.length;
});

test('settings as they are printed, and what is refused at the start', () => {
  const serve = (more, env) => {
    const r = spawnSync(sluiceBin(), ['serve', '--listen', '127.0.0.1:0', ...more], { encoding: 'utf8', timeout: 20000, env: { ...process.env, ...env } });
    seen.push([`serve ${more.at(-1)}`, r.stdout + r.stderr]);
    return r;
  };
  const store = `postgres://sluice:${secrets.storePassword}@127.0.0.1:1/sluice`;
  const printed = serve([...args, '--store', store, '--cache', `redis://:${secrets.storePassword}@127.0.0.1:1`, '--print-config'], { MY_PROVIDER_KEY: secrets.provider, OPENAI_API_KEY: secrets.provider });
  assert.equal(printed.status, 0, printed.stderr);
  assert.match(printed.stdout, /hidden/);
  assert.notEqual(serve([...args, '--store', store]).status, 0); // nobody listens there
  assert.notEqual(serve([...args, '--store', `mysql://u:${secrets.storePassword}@h/d`]).status, 0);
  assert.notEqual(serve([...args, '--cache', `http://u:${secrets.storePassword}@h`]).status, 0);
});

const filesOf = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((f) => (f.isDirectory() ? filesOf(join(folder, f.name)) : [join(folder, f.name)]));

test('nobody was told any of them', async () => {
  assert.ok(seen.some(([, text]) => text.includes('not good: Bearer *'))); // what they said was kept, but for the key
  assert.ok(seen.length > 80, `${seen.length}`);
  await server.kill('SIGTERM');
  seen.push(['log', server.log]);
  assert.match(server.log, /shutting down/);
  if (!server.database) {
    for (const f of filesOf(server.scratch)) seen.push([`file ${f}`, readFileSync(f).toString('latin1')]);
  }
  const found = [];
  for (const [where, text] of seen) {
    for (const [name, value] of Object.entries(secrets)) {
      if (text.includes(value) || text.includes(encodeURIComponent(value))) found.push(`${name} in ${where}: ${text.slice(Math.max(0, text.indexOf(value) - 120), text.indexOf(value) + 20)}`);
    }
  }
  assert.deepEqual(found, []);
});
