// The machine-readable contract and the server name the same routes: what one has, the other has.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openapi } from './lib/contract.mjs';
import { Server, repo } from './lib/server.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(async () => { await server?.close(); });

const bare = (path) => path.replace(/\{[^}]*\}/g, '{}');
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const documented = Object.entries(openapi.paths).flatMap(([path, item]) => METHODS.filter((m) => item[m]).map((m) => [m, path]));

test('every route of the server is in openapi.yaml', () => {
  const table = readFileSync(join(repo, 'src/net/routes.c'), 'utf8');
  const routes = [
    ...[...table.matchAll(/(?:SERVICE|CATALOG)\(HTTP_(\w+),\s*"([^"]+)"/g)].map((m) => [m[1].toLowerCase(), m[2]]),
    ...[...table.matchAll(/OTHER\("([^"]+)"/g)].map((m) => ['get', m[1]]),
  ];
  assert.ok(routes.length > 80, `${routes.length}`);
  const known = new Set(documented.map(([m, p]) => `${m} ${bare(p)}`));
  assert.deepEqual(routes.map(([m, p]) => `${m} ${bare(p)}`).filter((r) => !known.has(r)), []);
});

test('every route of openapi.yaml is one of the server', async () => {
  assert.ok(documented.length > 80, `${documented.length}`);
  for (const [method, path] of documented) {
    const asked = path.replace(/\{(session|interrupt|instance|task|memory)?_?id\}/g, '01900000-0000-7000-8000-000000000000').replace(/\{[^}]*\}/g, 'nobody');
    const r = await server.request(method.toUpperCase(), asked, method === 'get' || method === 'delete' ? undefined : 'x');
    assert.notEqual(r.status, 405, `${method} ${path}`);
    assert.ok(!/no such (route|path)/i.test(r.json?.error ?? ''), `${method} ${path}: ${r.text.slice(0, 200)}`);
    assert.ok(r.status < 500, `${method} ${path}: ${r.status} ${r.text.slice(0, 200)}`);
    if (r.status >= 400) assert.match(r.json?.code ?? '', /^[a-z_0-9]+$/, `${method} ${path}: ${r.text.slice(0, 200)}`);
  }
});
