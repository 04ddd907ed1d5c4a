// deploy/nginx.conf before real servers: WebSockets, server-sent events, big bodies, and an instance that dies.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Chance } from './lib/chance.mjs';
import { Reader } from './lib/client.mjs';
import { Cluster } from './lib/cluster.mjs';
import { Standin, repo } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

const nginx = ['/usr/sbin/nginx', '/usr/bin/nginx'].find((p) => spawnSync(p, ['-v']).status === 0);
const skip = nginx ? false : 'nginx is not installed';
const freePort = () => new Promise((give) => {
  const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => give(port)); });
});

let standin, cluster, proxy, folder, base;
before(async () => {
  if (skip) return;
  standin = await new Standin().start();
  cluster = await new Cluster({ instances: 2, env: standin.env, chance: new Chance(1) }).start();
  const port = await freePort();
  const ports = cluster.servers.map((s) => s.port);
  folder = mkdtempSync(join(tmpdir(), 'sluice-proxy-'));
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((t) => `${t}_temp_path ${folder}/${t};`).join(' ');
  const text = readFileSync(`${repo}/deploy/nginx.conf`, 'utf8')
    .replace('127.0.0.1:9001', `127.0.0.1:${ports[0]}`).replace('127.0.0.1:9002', `127.0.0.1:${ports.at(-1)}`)
    .replace('listen 8080;', `listen 127.0.0.1:${port};`).replace('http {', `http { ${temp}`);
  const user = process.getuid() === 0 ? 'user root;' : ''; // so that it may write into the scratch folder
  writeFileSync(join(folder, 'nginx.conf'), `${user}\n${text}`);
  proxy = spawn(nginx, ['-e', 'stderr', '-c', join(folder, 'nginx.conf'), '-g', `daemon off; pid ${folder}/pid;`], { stdio: ['ignore', 'inherit', 'inherit'] });
  base = { port, url: `http://127.0.0.1:${port}` };
  for (const deadline = Date.now() + 10000; ;) {
    try { if ((await fetch(`${base.url}/healthz`)).status === 200) break; } catch (e) { if (Date.now() > deadline) throw e; }
    await new Promise((go) => setTimeout(go, 50));
  }
});
after(async () => {
  if (skip) return;
  const ended = new Promise((done) => proxy.on('exit', done));
  proxy.kill('SIGQUIT');
  setTimeout(() => proxy.kill('SIGTERM'), 500).unref(); // it does not wait for viewers
  await ended;
  await cluster.close();
  await standin.close();
  rmSync(folder, { recursive: true, force: true });
});

const long = Array.from({ length: 80 }, (_, i) => `word${i}`).join(' ');
const graph = (rate) => ({
  nodes: {
    start: { type: 'start', next_ids: ['talk'] },
    talk: { type: 'llm', properties: { prompt: `[[echo rate=${rate}]]${long}` }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});
async function execute(rate) {
  const r = await fetch(`${base.url}/workflows/execute`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ graph: graph(rate) }) });
  assert.equal(r.status, 202, await r.clone().text());
  return (await r.json()).session_id;
}

test('a WebSocket through the proxy, token by token', { skip }, async () => {
  const id = await execute(40);
  const reader = new Reader(base, id);
  await reader.until((r) => r.events.filter((e) => e.type === 'token_stream').length > 5);
  assert.ok(!reader.done, 'nothing came before the end');
  await reader.ended();
  const log = await cluster.events(id);
  checkLog(log, id);
  checkReader(reader, log);
  checkMessages(log, id);
  assert.equal(reader.events.length, log.length);
  reader.close();
});

test('server-sent events are not held back', { skip }, async () => {
  const id = await execute(40);
  const r = await fetch(`${base.url}/sessions/${id}/stream`);
  assert.equal(r.headers.get('content-type').split(';')[0], 'text/event-stream');
  const events = [];
  let text = '';
  const early = [];
  for await (const piece of r.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const frames = text.split('\n\n');
    text = frames.pop();
    for (const f of frames) {
      const data = f.split('\n').find((l) => l.startsWith('data: '));
      if (data?.startsWith('data: {"seq"')) events.push(JSON.parse(data.slice(6)));
    }
    early.push(events.length);
  }
  assert.deepEqual(events, await cluster.events(id));
  assert.ok(early.length > 20, `${events.length} events came in ${early.length} pieces`);
});

test('bodies up to the limit of the server pass, bigger ones do not', { skip }, async () => {
  const post = (bytes) => fetch(`${base.url}/workflows/validate`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ graph: graph(1), more: 'x'.repeat(bytes) }),
  }).then((r) => r.status);
  assert.notEqual(await post(9e6), 413);
  assert.equal(await post(11e6), 413);
});

test('an instance dies: its viewers go on at the other one', { skip }, async (t) => {
  if (cluster.servers.length < 2) return t.skip('one instance');
  const ids = await Promise.all(Array.from({ length: 6 }, () => execute(10)));
  const readers = ids.map((id) => new Reader(base, id, { reconnect: true }));
  await Promise.all(readers.map((r) => r.untilEvent('token_stream')));
  await cluster.servers[0].kill('SIGKILL');
  cluster.servers[0].state = 'down';
  for (let i = 0; i < 20; i++) assert.equal((await fetch(`${base.url}/sessions/${ids[0]}`)).status, 200);
  await Promise.all(readers.map((r) => r.ended()));
  for (const r of readers) {
    const log = await cluster.events(r.id);
    checkLog(log, r.id);
    checkReader(r, log);
    checkMessages(log, r.id);
    r.close();
  }
  await cluster.up(cluster.servers[0]);
});
