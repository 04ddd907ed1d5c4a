// Streams of sessions that another instance has: two servers over one PostgreSQL, with Redis and without.
// Hurts the services: runs alone on its side.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Reader } from './lib/client.mjs';
import { Server, Standin } from './lib/server.mjs';
import { Database, ctl, storeKind } from './lib/services.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

const skip = storeKind() === 'postgres' ? false : 'the embedded store has one instance';
const talk = (rate, words) => ({
  nodes: {
    start: { type: 'start', next_ids: ['talk'] },
    talk: {
      type: 'llm',
      properties: { prompt: `[[echo rate=${rate}]]${Array.from({ length: words }, (_, i) => `word${i}`).join(' ')}` },
      next_ids: ['end'],
    },
    end: { type: 'end' },
  },
});

let standin;
let database;
const pairs = {}; // with Redis, and with PostgreSQL's messages alone
async function pair(env) {
  const servers = [0, 1].map(() => new Server({ database, store: 'postgres', env: { ...standin.env, ...env } }));
  for (const s of servers) await s.start();
  return servers;
}
before(async () => {
  if (skip) return;
  standin = await new Standin().start();
  database = new Database();
  pairs.redis = await pair({});
});
after(async () => {
  for (const s of Object.values(pairs).flat()) await s.close();
  database?.drop();
  await standin?.close();
});

const metric = async (server, name) =>
  Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await server.get('/metrics')).text)?.[1] ?? NaN);

async function finish(readers, server) {
  for (const reader of readers) assert.equal((await reader.ended()).data.to, 'completed');
  const log = await server.events(readers[0].id);
  checkLog(log, readers[0].id);
  checkMessages(log, readers[0].id);
  for (const reader of readers) {
    checkReader(reader, log);
    assert.equal(reader.events.length, log.length);
    reader.close();
  }
  return log;
}

async function seenElsewhere([a, b]) {
  const id = await a.execute(talk(100, 150));
  const readers = [new Reader(b, id), new Reader(a, id), new Reader(b, id, { batch: true })];
  await readers[0].until((r) => r.events.length > 40);
  readers.push(new Reader(b, id)); // one that comes in the middle
  const log = await finish(readers, b);
  assert.ok(log.length > 100);
}

test('a reader elsewhere sees the stream as it comes, by announcements', { skip }, async () => {
  const [, b] = pairs.redis;
  await seenElsewhere(pairs.redis);
  assert.ok((await metric(b, 'sluice_cache_messages_in_total')) > 50);
  assert.ok((await metric(b, 'sluice_remote_events_total')) > 50);
  assert.ok((await metric(b, 'sluice_remote_reads_total')) < 20);
});

test('Redis killed and flushed in the middle costs a moment, no event', { skip }, async () => {
  const [a, b] = pairs.redis;
  const id = await a.execute(talk(60, 400));
  const readers = [new Reader(b, id), new Reader(a, id)];
  const seen = (n) => readers[0].until((r) => r.events.length > n);
  await seen(30);
  await ctl('redis', 'flush');
  await seen(60);
  await ctl('redis', 'kill');
  const at = readers[0].events.length;
  await seen(at + 60); // it goes on without
  await ctl('redis', 'start');
  await readers[0].until(() => readers[0].events.length > at + 120);
  await finish(readers, b);
  await a.get('/metrics');
  for (const s of [a, b]) {
    const lines = s.process.stderr().split('\n').filter((l) => / cache: Redis/.test(l));
    assert.equal(lines.filter((l) => /is away/.test(l)).length, 1, lines.join('\n'));
    assert.equal(lines.filter((l) => /is back/.test(l)).length, 1, lines.join('\n'));
  }
});

test('who watches all sessions hears of those of all instances, once', { skip }, async () => {
  const watchers = await Promise.all(pairs.redis.map(async (s) => {
    const ws = new WebSocket(`ws://127.0.0.1:${s.port}/ws`, 'sluice.v1', { perMessageDeflate: false });
    const heard = [];
    await new Promise((done, fail) => {
      ws.on('error', fail);
      ws.on('open', () => ws.send(JSON.stringify({ type: 'subscribe', channel: 'sessions', request_id: 'w' })));
      ws.on('message', (data) => {
        const m = JSON.parse(data.toString());
        if (m.type === 'session_state_change') heard.push(m);
        if (m.request_id === 'w') done();
      });
    });
    return { ws, heard };
  }));
  // The wish travels to the other instance: a session after another, until both hear of both.
  const wanted = [];
  for (let i = 0; i < 50; i++) {
    const ids = await Promise.all(pairs.redis.map((s) => s.execute(talk(2000, 3))));
    for (const [k, id] of ids.entries()) await new Reader(pairs.redis[k], id).ended();
    wanted.push(ids);
    await new Promise((go) => setImmediate(go));
    if (watchers.every((w) => ids.every((id) => w.heard.filter((e) => e.session_id === id).length === 2))) break;
  }
  for (const w of watchers) {
    for (const id of wanted.at(-1)) assert.deepEqual(w.heard.filter((e) => e.session_id === id).map((e) => e.data.to), ['running', 'completed']);
    w.ws.terminate();
  }
});

test('without Redis PostgreSQL carries the announcements', { skip }, async () => {
  pairs.postgres = await pair({ SLUICE_CACHE: '' });
  await seenElsewhere(pairs.postgres);
  assert.ok((await metric(pairs.postgres[1], 'sluice_cache_messages_in_total')) > 20);
});

test('an owner that dies: the reader elsewhere goes on with whoever takes the session', { skip }, async () => {
  const [a, b] = pairs.redis;
  const id = await a.execute(talk(60, 200));
  const reader = new Reader(b, id);
  await reader.until((r) => r.events.length > 40);
  await a.kill();
  await finish([reader], b);
  await a.start();
});
