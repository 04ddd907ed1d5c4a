// The JavaScript client package (web/client) against the real server.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Sluice, SluiceError } from '../../web/client/index.js';
import { EXCEPTIONS, operationIds } from '../../web/client/generate.mjs';
import { repo, Server, Standin } from './lib/server.mjs';
import { checkLog } from './lib/truth.mjs';

let server, standin;
const clients = [];
const client = (options = {}) => {
  const c = new Sluice({ url: server.url, WebSocket, ...options });
  clients.push(c);
  return c;
};
before(async () => {
  standin = await new Standin().start();
  server = await new Server({ env: standin.env }).start();
});
after(async () => {
  clients.forEach((c) => c.close());
  await server?.close();
  await standin?.close();
});

const talk = (rate, words = 12) => ({ nodes: {
  start: { type: 'start', next_ids: ['talk'] },
  talk: { type: 'llm', properties: { prompt: `[[echo rate=${rate}]]${Array.from({ length: words }, (_, i) => `word${i}`).join(' ')}` }, next_ids: ['end'] },
  end: { type: 'end' },
} });
const ask = { nodes: {
  start: { type: 'start', next_ids: ['ask'] },
  ask: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'end' } },
  end: { type: 'end' },
} };
async function collect(events, into = []) {
  for await (const e of events) into.push(e);
  return into;
}
const gapless = (events, after = 0) => assert.deepEqual(events.map((e) => e.seq), events.map((_, i) => after + i + 1));

test('every operation of the contract has a method, and no other', () => {
  const known = operationIds();
  assert.ok(known.length > 90, `${known.length}`);
  const methods = new Set(Object.getOwnPropertyNames(Sluice.prototype));
  const hint = 'run `node web/client/generate.mjs`';
  assert.deepEqual(known.filter((id) => !EXCEPTIONS.has(id) && !methods.has(id)), [], hint);
  assert.deepEqual([...EXCEPTIONS].filter((id) => !known.includes(id)), []);
  const types = readFileSync(join(repo, 'web/client/operations.d.ts'), 'utf8');
  const typed = [...types.matchAll(/^ {2}(\w+)\(/gm)].map((m) => m[1]);
  assert.deepEqual(typed, known.filter((id) => !EXCEPTIONS.has(id)), hint);
});

test('workflows, sessions, answers, lists, errors', async () => {
  const c = client();
  await c.putWorkflow('js-ask', ask);
  const yaml = await c.createWorkflow('id: js-yaml\nnodes:\n  start: { type: start, next_ids: [end] }\n  end: { type: end }\n');
  assert.equal(yaml.id, 'js-yaml');
  const id = await c.run('js-ask', {}, { name: 'By JavaScript', tags: ['js'] });
  assert.equal(await c.sessionExists(id), true);
  assert.equal(await c.sessionExists('01900000-0000-7000-8000-000000000000'), false);
  const seen = [];
  for await (const e of c.follow(id)) {
    seen.push(e);
    if (e.type === 'human_interaction_required') assert.equal((await c.answer(id, 'ask', 'approve')).status, 'resumed');
  }
  gapless(seen);
  assert.equal(seen.at(-1).data.to, 'completed');
  const again = await c.answer(id, 'ask', 'approve').catch((e) => e);
  assert.ok(again instanceof SluiceError);
  assert.deepEqual([again.status, again.code, again.message], [404, 'not_found', 'Session not found or not active']);
  const stale = await c.deleteWorkflow('js-ask', { ifMatch: 7 }).catch((e) => e);
  assert.equal(stale.status, 412);
  const names = [];
  for await (const w of c.each('listWorkflows', { limit: 1 })) names.push(w.id);
  assert.ok(names.includes('js-ask') && names.includes('js-yaml'));
  assert.equal((await c.listSessions({ tag: 'js' })).items.length, 1);
  assert.match(await c.workflowDiagram('js-ask'), /^(graph|flowchart|stateDiagram)/);
  assert.match(await c.exportSession(id), /^\{"sluice_export":1/);
  assert.equal((await c.ended(id)).status, 'completed');
  await assert.rejects(() => c.getSession(), TypeError);
});

test('one connection for all; a post that is tried again counts once', async () => {
  let opened = 0;
  class Counted extends WebSocket { constructor(...a) { super(...a); opened++; } }
  let lose = 1;
  const flaky = async (...args) => {
    const r = await fetch(...args);
    if (args[1].method === 'POST' && lose-- > 0) { await r.text(); throw new TypeError('the answer got lost'); }
    return r;
  };
  const c = client({ WebSocket: Counted, fetch: flaky });
  const before = (await c.listSessions({ limit: 500 })).items.length;
  const first = (await c.execute({ graph: talk(500) })).session_id;
  assert.equal((await c.listSessions({ limit: 500 })).items.length, before + 1);
  const second = (await c.execute({ graph: talk(500) })).session_id;
  const all = await Promise.all([collect(c.follow(first)), collect(c.follow(second)), collect(c.follow(second, { after: 3 }))]);
  gapless(all[0]);
  gapless(all[1]);
  gapless(all[2], 3);
  assert.equal(opened, 2); // the same session twice does not fit one connection
  const nobody = await collect(c.follow('01900000-0000-7000-8000-000000000000')).catch((e) => e);
  assert.deepEqual([nobody.status, nobody.code], [404, 'not_found']);
  const dead = client({ url: 'http://127.0.0.1:9', retries: 1 });
  const gone = await dead.version().catch((e) => e);
  assert.deepEqual([gone.status, gone.code], [0, 'unreachable']);
});

test('a live stream over a kill and a restart: every event once, in order', async () => {
  const c = client();
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await c.execute({ graph: talk(30, 25) })).session_id);
  const links = [];
  const verdicts = [];
  const seen = ids.map(() => []);
  const done = ids.map((id, i) => collect(c.follow(id, {
    onLink: (l) => links.push(l.state), onSubscribed: (s) => verdicts.push(s.verdict),
  }), seen[i]));
  while (!seen.every((s) => s.some((e) => e.type === 'token_stream'))) await new Promise(setImmediate);
  await server.kill('SIGKILL');
  await server.start();
  await Promise.all(done);
  for (const [i, id] of ids.entries()) {
    gapless(seen[i]);
    assert.deepEqual(seen[i], await server.events(id));
    checkLog(seen[i], id);
    assert.equal(seen[i].at(-1).data.to, 'completed');
  }
  assert.ok(links.includes('waiting'));
  assert.ok(verdicts.length >= 6 && verdicts.every((v) => v === 'recovered'));
});

test('where keys exist, the WebSocket is opened with a ticket', async () => {
  const keyed = await new Server({ env: standin.env }).start();
  const urls = [];
  class Seen extends WebSocket { constructor(url, protocols) { super(url, protocols); urls.push(url); assert.deepEqual(protocols, ['sluice.v1']); } }
  try {
    const open = new Sluice({ url: keyed.url, WebSocket: Seen, retries: 0 });
    const { key } = await open.createKey({ name: 'js', role: 'admin' });
    const refused = await open.listSessions().catch((e) => e);
    assert.deepEqual([refused.status, refused.code], [401, 'unauthorized']);
    assert.equal((await collect(open.follow('01900000-0000-7000-8000-000000000000')).catch((e) => e)).status, 401);
    assert.equal(urls.splice(0).length, 1); // once: it was told why
    const c = new Sluice({ url: keyed.url, key: () => key, WebSocket: Seen });
    assert.equal((await c.whoami()).role, 'admin');
    const id = (await c.execute({ graph: talk(100) })).session_id;
    const seen = await collect(c.follow(id));
    gapless(seen);
    assert.equal(seen.at(-1).data.to, 'completed');
    const viewer = new Sluice({ url: keyed.url, key: (await c.createKey({ name: 'looks', role: 'viewer' })).key, WebSocket: Seen });
    assert.equal((await collect(viewer.follow(id))).length, seen.length);
    assert.equal((await viewer.cancelSession(id).catch((e) => e)).status, 403);
    assert.ok(urls.length >= 2 && urls.every((u) => u.includes('ticket=') && !u.includes(key)));
    [open, c, viewer].forEach((x) => x.close());
  } finally {
    await keyed.close();
  }
});
