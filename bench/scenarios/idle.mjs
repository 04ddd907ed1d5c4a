// Idle: a hundred suspended sessions and ten viewers of them, and nothing happens for a minute: requests
// to the store, and how often threads of the server wake up.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, evicted, putWorkflow, suspend } from '../lib/waiting.mjs';
import { cpuMs, wakeups } from '../lib/proc.mjs';

const SESSIONS = 100, VIEWERS = 10, PING = 0x89, PONG = 0x8a;
const counters = ['commits', 'writes', 'reads'].map((n) => `sluice_store_${n}_total`);

// A WebSocket of the least kind: it reads, and answers a ping.
function view(server, id) {
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`GET /ws?session_id=${id} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
    + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sluice.v1\r\n\r\n');
  return new Promise((done, fail) => {
    socket.on('data', (data) => {
      if (data.includes('human_interaction_required')) done(socket);
      if (data[0] === PING) socket.write(Uint8Array.of(PONG, 0x80, 0, 0, 0, 0));
    });
    socket.on('close', () => fail(new Error('a viewer was cut')));
    socket.on('error', fail);
  });
}

// What the database itself saw: connections of the server, its messages' too, on which something was
// asked since then. Its own count of transactions has those of autovacuum.
const now = (c, server) => (c.store === 'postgres' ? server.database.query('SELECT now()') : '');
const askedSince = (c, server, when) => (c.store !== 'postgres' ? 0
  : Number(server.database.query(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND application_name LIKE 'sluice%' AND query_start > '${when}'`)));

async function counted(c, server) {
  const all = {};
  for (const name of counters) all[name] = await c.metric(server, name);
  return all;
}

export async function run(c) {
  const server = await c.server();
  await putWorkflow(server, ask);
  await suspend(c, server, SESSIONS);
  const { items } = (await server.get(`/sessions?limit=${VIEWERS}`)).json;
  const sockets = await Promise.all(items.map(({ id }) => view(server, id)));
  await evicted(c, server);
  await sleep(20_000); // what the eviction leaves behind, and the keep-alive of the requests until here
  const seconds = c.seconds < 5 ? 30 : 60;
  const before = await counted(c, server);
  await sleep(6000); // what asking for the counts leaves behind
  const begin = now(c, server), woken = wakeups(server.pid), cpu = cpuMs(server.pid);
  await sleep(seconds * 1000);
  const perSecond = (wakeups(server.pid) - woken) / seconds, cpu_ms = cpuMs(server.pid) - cpu;
  const asking = askedSince(c, server, begin);
  const after = await counted(c, server);
  const asked = counters.reduce((n, name) => n + after[name] - before[name], 0) * 60 / (seconds + 6);
  for (const s of sockets) s.destroy();
  return {
    values: { 'idle.queries': asked + asking, 'idle.wakeups': perSecond },
    detail: { seconds, before, after, connections_that_asked: asking, cpu_ms },
  };
}
