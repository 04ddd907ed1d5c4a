// JWTs of an issuer that publishes its keys over HTTP. What is in a token is tested in
// tests/unit/test_tokens.c; here it is the way through the server. It does not depend on the store.
import assert from 'node:assert/strict';
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { holdsAnswer } from './lib/contract.mjs';
import { Server } from './lib/server.mjs';

const b64 = (x) => Buffer.from(typeof x === 'string' ? x : JSON.stringify(x)).toString('base64url');
const pair = (kid, alg) => {
  const keys = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { kid, alg, ...keys, jwk: { ...keys.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
};
const rsa = pair('one', 'RS256'), ec = pair('two', 'ES256'), fresh = pair('three', 'RS256'), stranger = pair('one', 'RS256');

let published = [rsa.jwk, ec.jwk], fetches = 0, issuer, server, folder;

const claims = (more = {}) => ({
  iss: 'https://issuer.example', aud: 'sluice', sub: 'ann@example.org', exp: Math.floor(Date.now() / 1000) + 600, role: 'operator', ws: 'w1', ...more,
});
function token(key, more = {}, header = {}) {
  const text = `${b64({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })}.${b64(claims(more))}`;
  return `${text}.${createSign('sha256').update(text).sign({ key: key.privateKey, dsaEncoding: 'ieee-p1363' }, 'base64url')}`;
}
const whoami = (t) => server.get('/whoami', { authorization: `Bearer ${t}` });

before(async () => {
  issuer = createServer((req, res) => {
    fetches++;
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ keys: published }));
  });
  await new Promise((go) => issuer.listen(0, '127.0.0.1', go));
  folder = mkdtempSync(join(tmpdir(), 'sluice-jwt-'));
  writeFileSync(join(folder, 'c.yaml'), `jwt:
  issuer: https://issuer.example
  audience: sluice
  keys_url: http://127.0.0.1:${issuer.address().port}/jwks
  workspace_claim: ws
`);
  server = await new Server({ store: 'sqlite', args: ['--config', join(folder, 'c.yaml')] }).start();
  for (const end = Date.now() + 10000; (await whoami(token(rsa))).status !== 200;) {
    assert.ok(Date.now() < end, 'the keys were not fetched');
    await new Promise((go) => setTimeout(go, 20));
  }
});
after(async () => {
  await server?.close();
  issuer?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a token is whom it names', async () => {
  for (const key of [rsa, ec]) {
    const r = holdsAnswer('/whoami', 'get', await whoami(token(key)));
    assert.equal(r.status, 200, r.text);
    assert.deepEqual([r.json.kind, r.json.name, r.json.role, r.json.workspace, r.json.key_id], ['token', 'ann@example.org', 'operator', 'w1', null]);
    assert.ok(Date.parse(r.json.expires_at) > Date.now());
  }
  assert.equal((await server.get('/keys', { authorization: `Bearer ${token(rsa)}` })).status, 403);
  assert.equal((await server.get('/keys', { authorization: `Bearer ${token(rsa, { role: 'admin' })}` })).status, 200);
  assert.equal((await whoami(token(rsa, { role: 'king' }))).status, 403);
});

test('with tokens configured nobody comes in without one', async () => {
  assert.equal((await server.get('/sessions')).status, 401);
});

test('tokens that are not good', async () => {
  const text = `${b64({ alg: 'HS256', kid: 'one' })}.${b64(claims())}`;
  const pems = ['spki', 'pkcs1'].map((type) => rsa.publicKey.export({ type, format: 'pem' }));
  const bad = {
    'expired': token(rsa, { exp: Math.floor(Date.now() / 1000) - 60 }),
    'without an end': token(rsa, { exp: undefined }),
    'to come': token(rsa, { nbf: Math.floor(Date.now() / 1000) + 600 }),
    'of another issuer': token(rsa, { iss: 'https://evil.example' }),
    'for another audience': token(rsa, { aud: 'other' }),
    'without a subject': token(rsa, { sub: undefined }),
    'of a workspace that is none': token(rsa, { ws: '../default' }),
    'signed by somebody else': token(stranger),
    'of a key of another kind': token({ ...rsa, kid: 'two' }),
    'of an algorithm of another kind': token(rsa, {}, { alg: 'ES256' }),
    'with crit': token(rsa, {}, { crit: ['x'] }),
    'without a signature': `${b64({ alg: 'none' })}.${b64(claims())}.`,
    'of none, with a signature': token(rsa, {}, { alg: 'none' }),
    'changed': token(rsa).replace(/\.[^.]*\./, `.${b64(claims({ role: 'admin' }))}.`),
    'malformed': 'a.b.c',
    'cut': token(rsa).slice(0, -5),
    'huge': token(rsa, { padding: 'x'.repeat(9000) }),
    ...Object.fromEntries(pems.map((pem, i) => [`HS256 with the public key as its secret ${i}`, `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`])),
    'HS256 with an empty secret': `${text}.${createHmac('sha256', '').update(text).digest('base64url')}`,
  };
  for (const [what, t] of Object.entries(bad)) {
    const r = await whoami(t);
    assert.equal(r.status, 401, `${what}: ${r.text}`);
    assert.equal(r.json.code, 'unauthorized', what);
    assert.ok(!r.text.includes(t), what);
  }
});

test('the keys are asked for again when a new one signs, once a minute at most', async () => {
  const was = fetches;
  published = [rsa.jwk, ec.jwk, fresh.jwk];
  assert.equal((await whoami(token(fresh))).status, 401);
  for (const end = Date.now() + 10000; (await whoami(token(fresh))).status !== 200;) {
    assert.ok(Date.now() < end, 'the new key was not fetched');
    await new Promise((go) => setTimeout(go, 20));
  }
  assert.equal(fetches, was + 1);
  for (let i = 0; i < 20; i++) await whoami(token({ ...stranger, kid: `unknown ${i}` }));
  await whoami(token(rsa));
  assert.equal(fetches, was + 1);
});

test('a WebSocket with a token', async () => {
  const open = (t, protocols = ['sluice.v1'], headers = t ? { authorization: `Bearer ${t}` } : {}, query = '') => new Promise((done) => {
    const ws = new WebSocket(`ws://127.0.0.1:${server.port}/ws${query}`, protocols, { headers });
    ws.on('open', () => { ws.terminate(); done(101); });
    ws.on('unexpected-response', (_, res) => { ws.terminate(); done(res.statusCode); });
    ws.on('error', () => done(0));
  });
  // libwebsockets takes 127 bytes of subprotocols: a key fits, a token does not, and is told so.
  assert.equal(await open('', ['sluice.v1', `bearer.${token(ec)}`]), 400);
  assert.equal(await open('', [`bearer.${'a'.repeat(60)}`, 'sluice.v1']), 400);
  const { ticket } = (await server.post('/ws/ticket', {}, { authorization: `Bearer ${token(ec)}` })).json;
  assert.equal(await open('', ['sluice.v1'], {}, `?ticket=${ticket}`), 101);
  assert.equal(await open(token(ec)), 101);
  assert.equal(await open(token(stranger)), 401);
});
