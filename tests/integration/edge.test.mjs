// The listener: TLS, rate limits, addresses, pages of other origins.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import WebSocket from 'ws';
import { Server, sluiceBin } from './lib/server.mjs';

let dir;
const certificate = (name, host) =>
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1',
    '-subj', `/CN=${host}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.pem`)],
  { stdio: 'ignore' });
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-edge-'));
  certificate('one', 'one');
  certificate('two', 'two');
});
after(() => rmSync(dir, { recursive: true, force: true }));

const quick = { nodes: { start: { type: 'start', next_ids: ['end'] }, end: { type: 'end' } } };
const ended = /"session_state_change".*"to":"completed"/;
const big = 'x'.repeat(300000);

// fetch() takes no certificate of ours: node's own client.
const alone = new https.Agent({ maxCachedSessions: 0 }); // a resumed session tells no certificate
function ask(url, { method = 'GET', path = '/', headers = {}, body, agent, ...more } = {}) {
  return new Promise((done, fail) => {
    const req = (url.startsWith('https') ? https : http).request(url + path, { method, headers, agent: agent ?? (url.startsWith('https') ? alone : undefined), rejectUnauthorized: false, ...more }, (res) => {
      let text = '';
      const peer = res.socket.getPeerCertificate?.();
      res.on('data', (d) => { text += d; });
      res.on('end', () => done({ status: res.statusCode, headers: res.headers, text, peer }));
    });
    req.on('error', fail);
    req.end(body);
  });
}

test('TLS: requests, streams, WebSockets, and a new certificate', async () => {
  for (const ext of ['pem', 'key']) copyFileSync(join(dir, `one.${ext}`), join(dir, `live.${ext}`));
  const server = await new Server({ args: ['--tls-cert', join(dir, 'live.pem'), '--tls-key', join(dir, 'live.key')] }).start();
  try {
    assert.match(server.url, /^https:/);
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    const json = { 'content-type': 'application/json' };
    const made = await ask(server.url, { agent, method: 'POST', path: '/workflows/execute', headers: json, body: JSON.stringify({ graph: quick, input: { big } }) });
    assert.equal(made.status, 202, made.text);
    const id = JSON.parse(made.text).session_id;
    for (let i = 0; i < 5; i++) { // large answers, one connection
      const read = await ask(server.url, { agent, path: `/sessions/${id}` });
      assert.equal(JSON.parse(read.text).input.big, big);
    }
    agent.destroy();
    const stream = await ask(server.url, { path: `/sessions/${id}/stream` });
    assert.ok(ended.test(stream.text));
    const ws = new WebSocket(`${server.url.replace('https', 'wss')}/ws?session_id=${id}&after=0`, { rejectUnauthorized: false });
    await new Promise((done, fail) => { ws.on('error', fail); ws.on('message', (m) => ended.test(m) && done()); });
    ws.terminate();
    await assert.rejects(ask(server.url, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }));
    const offered = await new Promise((done, fail) => {
      const s = tls.connect({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] }, () => { done(s.alpnProtocol); s.destroy(); });
      s.on('error', fail);
    });
    assert.equal(offered, 'http/1.1');
    await assert.rejects(ask(server.url.replace('https', 'http'), { path: '/healthz' })); // plain HTTP is none

    assert.equal((await ask(server.url, { path: '/healthz' })).peer.subject.CN, 'one');
    for (const ext of ['pem', 'key']) copyFileSync(join(dir, `two.${ext}`), join(dir, `live.${ext}`));
    process.kill(server.pid, 'SIGHUP');
    while ((await ask(server.url, { path: '/healthz' })).peer.subject.CN !== 'two') await new Promise((go) => setTimeout(go, 20));
    writeFileSync(join(dir, 'live.pem'), 'nonsense');
    process.kill(server.pid, 'SIGHUP');
    while (!/stays as it was/.test(server.process.stderr())) await new Promise((go) => setTimeout(go, 20));
    assert.equal((await ask(server.url, { path: '/healthz' })).peer.subject.CN, 'two');
  } finally {
    await server.close();
  }
});

test('TLS files that are none are told at the start', () => {
  const serve = (...args) => spawnSync(sluiceBin(), ['serve', '--listen', '127.0.0.1:0', '--data', join(dir, 'data'), ...args], { encoding: 'utf8', timeout: 20000 });
  const cases = [
    [['--tls-cert', join(dir, 'one.pem')], /given together/],
    [['--tls-cert', join(dir, 'none.pem'), '--tls-key', join(dir, 'one.key')], /--tls-cert .*none\.pem/],
    [['--tls-cert', join(dir, 'one.pem'), '--tls-key', join(dir, 'two.key')], /--tls-key .*two\.key: .*mismatch/],
    [['--rate-limit', 'much'], /--rate-limit much/],
  ];
  for (const [args, text] of cases) {
    const r = serve(...args);
    assert.notEqual(r.status, 0);
    assert.match(r.stderr, text);
  }
});

test('rate limits: a talker has so many a second, another has its own', async () => {
  const server = await new Server({ args: ['--rate-limit', '5/s', '--behind-proxy'] }).start();
  try {
    const from = (address) => ({ 'X-Forwarded-For': `203.0.113.7, ${address}` });
    const all = await Promise.all(Array.from({ length: 30 }, () => server.get('/sessions', from('192.0.2.1'))));
    const refused = all.filter((r) => r.status === 429);
    assert.ok(refused.length >= 15 && refused.length <= 20, `${refused.length}`);
    assert.equal(refused[0].json.code, 'rate_limited');
    assert.ok(Number(refused[0].headers.get('retry-after')) >= 1);
    assert.equal((await server.get('/sessions', from('192.0.2.2'))).status, 200);
    assert.equal((await server.get('/healthz', from('192.0.2.1'))).status, 200);

    const ws = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { headers: from('192.0.2.3') });
    await new Promise((done, fail) => { ws.on('open', done); ws.on('error', fail); });
    const answers = [];
    const over = new Promise((done) => ws.on('message', (m) => { const a = JSON.parse(m); if (/pong|error/.test(a.type) && answers.push(a) === 30) done(); }));
    for (let i = 0; i < 30; i++) ws.send(JSON.stringify({ type: 'ping', request_id: String(i) }));
    await over;
    assert.ok(answers.filter((a) => a.type === 'pong').length >= 10);
    assert.ok(answers.some((a) => a.type === 'error' && a.code === 'rate_limited'));
    ws.terminate();
  } finally {
    await server.close();
  }
});

test('keys that are none slow the address that they come from', async () => {
  const server = await new Server({ args: ['--behind-proxy'] }).start();
  try {
    const { key } = (await server.post('/keys', { name: 'root', role: 'admin' })).json;
    const from = (address, bearer) => ({ 'X-Forwarded-For': address, Authorization: `Bearer ${bearer}` });
    const all = [];
    for (let i = 0; i < 30; i++) all.push((await server.get('/sessions', from('192.0.2.1', 'slk_none'))).status);
    assert.deepEqual([...new Set(all)], [401, 429]);
    assert.equal((await server.get('/sessions', from('192.0.2.1', key))).status, 429); // it cannot be found out there
    assert.equal((await server.get('/sessions', from('192.0.2.2', key))).status, 200);
  } finally {
    await server.close();
  }
});

test('pages of other origins: what they may read, and what not', async () => {
  const server = await new Server({ args: ['--origins', 'https://app.example, https://two.example'] }).start();
  try {
    const preflight = await ask(server.url, { method: 'OPTIONS', path: '/workflows/execute', headers: {
      Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization, idempotency-key' } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers['access-control-allow-origin'], 'https://app.example');
    assert.match(preflight.headers['access-control-allow-methods'], /POST/);
    for (const h of ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'Last-Event-ID']) {
      assert.match(preflight.headers['access-control-allow-headers'], new RegExp(h));
    }
    assert.equal(preflight.headers['access-control-allow-credentials'], undefined);
    assert.match(preflight.headers.vary ?? '', /Origin/);

    const read = await ask(server.url, { path: '/sessions', headers: { Origin: 'https://app.example' } });
    assert.equal(read.headers['access-control-allow-origin'], 'https://app.example');
    for (const h of ['ETag', 'Retry-After']) assert.match(read.headers['access-control-expose-headers'] ?? '', new RegExp(h));
    assert.equal(read.headers['access-control-allow-credentials'], undefined);

    const elsewhere = { Origin: 'https://evil.example' };
    const other = await ask(server.url, { method: 'OPTIONS', path: '/workflows/execute', headers: elsewhere });
    assert.equal(other.headers['access-control-allow-origin'], undefined);
    assert.equal((await ask(server.url, { path: '/sessions', headers: elsewhere })).headers['access-control-allow-origin'], undefined);
    for (const origin of ['https://evil.example', 'null', 'https://app.example.evil', 'http://app.example']) {
      const post = await ask(server.url, { method: 'POST', path: '/workflows/execute', headers: { Origin: origin, 'content-type': 'application/json' }, body: '{}' });
      assert.equal(post.status, 403, origin);
      const status = await new Promise((done) => {
        const ws = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { origin });
        ws.on('unexpected-response', (req, res) => { done(res.statusCode); req.destroy(); });
        ws.on('open', () => { done(101); ws.terminate(); });
        ws.on('error', () => {});
      });
      assert.equal(status, 403, origin);
    }
    const ok = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { origin: 'https://two.example' });
    await new Promise((done, fail) => { ok.on('open', done); ok.on('error', fail); });
    ok.terminate();
    assert.equal((await ask(server.url, { path: '/sessions', headers: { Host: 'rebound.example' } })).status, 403);
  } finally {
    await server.close();
  }
});

test('beyond loopback: not without a key, and a word about TLS', async () => {
  const args = ['serve', '--listen', '0.0.0.0:0', '--data', join(dir, 'beyond')];
  const refused = spawnSync(sluiceBin(), args, { encoding: 'utf8', timeout: 20000 });
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /refused beyond loopback/);
  assert.match(spawnSync(sluiceBin(), [...args, '--auth', 'off'], { encoding: 'utf8', timeout: 20000 }).stderr, /refused beyond loopback/);
});

test('few descriptors: who is one too many is told so or waits, those who are there go on, and there is room again', async () => {
  const few = join(dir, 'few'), real = process.env.SLUICE_BIN;
  writeFileSync(few, `#!/bin/sh\nulimit -n 200\nexec ${sluiceBin()} "$@"\n`, { mode: 0o755 });
  process.env.SLUICE_BIN = few;
  const server = await new Server().start().finally(() => { if (real) process.env.SLUICE_BIN = real; else delete process.env.SLUICE_BIN; });
  const kept = new http.Agent({ keepAlive: true, maxSockets: 1 }), idle = [];
  const more = (count) => Promise.all(Array.from({ length: count }, () => new Promise((done, fail) => {
    const s = net.connect(server.port, '127.0.0.1', done).on('error', fail);
    s.on('close', () => s.destroy());
    idle.push(s);
  })));
  const until = async (what) => { while (!await what()) await new Promise((go) => setTimeout(go, 20)); };
  const execute = () => ask(server.url, { method: 'POST', path: '/workflows/execute', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ graph: quick }), agent: kept });
  const connections = async () => Number(/^sluice_connections (\d+)$/m.exec((await ask(server.url, { path: '/metrics', agent: kept })).text)[1]);
  const cpuMs = () => { const [, rest] = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') '); return 10 * (Number(rest.split(' ')[11]) + Number(rest.split(' ')[12])); };
  try {
    assert.equal((await execute()).status, 202);
    await more(104);
    await until(async () => await connections() >= 105);
    const refused = await ask(server.url, { path: '/sessions', agent: false });
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '1');
    idle.splice(0).forEach((s) => s.destroy());
    await until(async () => await connections() < 10);

    const limit = (n) => execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${n}:200`]);
    limit(60);
    await more(100); // in the queue of the kernel, some of them
    await until(() => /new connections wait/.test(server.process.stderr()));
    const before = cpuMs();
    await new Promise((go) => setTimeout(go, 1500)); // what should not happen has this long to happen
    assert.ok(cpuMs() - before < 500, `${cpuMs() - before} ms of CPU while nothing can be accepted`);
    assert.equal(server.process.stderr().match(/new connections wait/g).length, 1);
    limit(200);
    await until(async () => await connections() === 101);
    assert.equal((await ask(server.url, { path: '/healthz', agent: false })).status, 503);
    idle.splice(0).forEach((s) => s.destroy());
    await until(async () => await connections() < 10);
    assert.equal((await ask(server.url, { path: '/healthz', agent: false })).status, 200);
    for (let i = 0; i < 20; i++) assert.equal((await execute()).status, 202);
  } finally {
    idle.forEach((s) => s.destroy());
    kept.destroy();
    await server.close();
  }
});
