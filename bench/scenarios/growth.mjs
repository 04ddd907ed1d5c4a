// Growth: what a session costs with 10^6 stored beside 10^2, what an event costs with 10^5 in its session
// beside 10^2, and a viewer's frame with 10,000 viewers beside 10 (viewers.mjs). Costs are CPU, of server and
// store together, and the times of reads; small and large are measured in turn, and the medians of the pairs'
// ratios are told, so that what else the machine does meets both. The store of 10^6 sessions is filled once for
// all runs of a process: what a run adds to it is some hundredths.
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../lib/table.mjs';
import { growth as viewers } from './viewers.mjs';

const MANY_SESSIONS = Number(process.env.GROWTH_SESSIONS ?? 1_000_000), MANY_EVENTS = Number(process.env.GROWTH_EVENTS ?? 100_000);
const ROUNDS = 5, READS = 200;

const w1 = {
  id: 'w1', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['step'] },
    step: { type: 'transform', properties: { output: { n: 'input.n + 1' } }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};
const talk = (tokens, rate) => ({
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'user_input', next_ids: ['say'] },
    say: { type: 'llm', properties: { prompt: `[[tokens=${tokens} rate=${rate}]] talk` }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});

const ok = (r, status = 200) => {
  if (r.status !== status) throw new Error(`${r.status} ${r.text}`);
  return r.json;
};

/** The store that a server which has ended had, as a program of bench/ names it. */
const storeOf = (server) => server.database?.url ?? server.scratch;

/** Fills what a server keeps while it is down, by the store's own commits. */
async function fill(c, server, ...what) {
  await server.kill('SIGTERM');
  await c.program('commit_loop', storeOf(server), ...what);
  // What a fresh table's first statistics and visibility map cost is no session's cost.
  if (server.database) server.database.query('VACUUM ANALYZE');
  await server.start();
}

/** Milliseconds of a request, in turn for each path: medians. */
async function readTimes(requests) {
  const times = requests.map(() => []);
  for (let i = 0; i < READS; i++) {
    for (const [n, [server, path]] of requests.entries()) {
      const from = process.hrtime.bigint();
      ok(await server.get(path));
      times[n].push(Number(process.hrtime.bigint() - from) / 1e6);
    }
  }
  return times.map(median);
}

const ratios = (pairs) => median(pairs.map(([few, many]) => many / few));

// ---- sessions ----

async function w1Cost(c, server) {
  const cpu = c.cpuMs(server), ended = await c.metric(server, 'sluice_sessions_ended_total');
  const told = await c.load('w1', server, { clients: 64, seconds: 1, 'warm-up': 0.1 });
  const n = await c.metric(server, 'sluice_sessions_ended_total') - ended;
  return { cpu_us: ((c.cpuMs(server) - cpu) * 1000) / n, p50_ms: told.p50_ms, per_s: told.sessions_per_s };
}

async function w1Server(c, stored) {
  const server = await c.server();
  ok(await server.post('/workflows', w1), 201);
  await fill(c, server, 'fill', stored);
  return server;
}

const filled = new Map(); // store -> what its server keeps
process.on('exit', () => filled.forEach(({ data, database }) => {
  rmSync(data, { recursive: true, force: true });
  database?.drop();
}));

async function manySessions(c) {
  const kept = filled.get(c.store);
  if (kept) return c.server(kept);
  const server = await w1Server(c, MANY_SESSIONS);
  // A server whose folder and database are given leaves them when it ends.
  Object.assign(server.options, { data: server.scratch, database: server.database });
  filled.set(c.store, { data: server.scratch, database: server.database });
  return server;
}

/** A list's page, a session and its events. */
async function sessionReads(few, many) {
  const paths = ['/sessions?limit=50', '/sessions?status=completed&limit=50'];
  const requests = paths.flatMap((p) => [[few, p], [many, p]]);
  for (const server of [few, many]) {
    const id = ok(await server.get('/sessions?limit=1')).items[0].id;
    requests.push([server, `/sessions/${id}`]);
  }
  const t = await readTimes(requests);
  return { list_ms: t.slice(0, 2), list_by_status_ms: t.slice(2, 4), show_ms: t.slice(4, 6) };
}

async function sessions(c) {
  const many = await manySessions(c), pairs = [];
  await w1Cost(c, many); // its caches
  let few;
  for (let i = 0; i < ROUNDS; i++) { // a new one each time: the load fills it
    if (few) await c.stop(few);
    few = await w1Server(c, 100);
    await c.load('w1', few, { clients: 64, seconds: 0.3, 'warm-up': 0.1 }); // its statements, its caches, on each connection
    if (few.database) few.database.query('VACUUM ANALYZE'); // else its plans are those of an empty table
    pairs.push([await w1Cost(c, few), await w1Cost(c, many)]);
  }
  const reads = await sessionReads(few, many);
  await c.stop(few);
  await c.stop(many);
  return {
    cost: ratios(pairs.map(([a, b]) => [a.cpu_us, b.cpu_us])),
    time: ratios(pairs.map(([a, b]) => [a.p50_ms, b.p50_ms])), pairs, reads,
  };
}

// ---- events ----

async function lastSeq(server, id) { return ok(await server.get(`/sessions/${id}`)).last_seq; }

/** Answers a session that waits; it talks; what each of its events costs, in microseconds of CPU. */
async function talkCost(c, server, id, ms) {
  const before = await lastSeq(server, id), cpu = c.cpuMs(server);
  ok(await server.post(`/sessions/${id}/input`, { content: 'go' }));
  await sleep(ms);
  while (ok(await server.get(`/sessions/${id}`)).status !== 'completed') await sleep(20);
  return ((c.cpuMs(server) - cpu) * 1000) / (await lastSeq(server, id) - before);
}

async function waiting(server, tokens, rate) {
  const id = await server.execute(talk(tokens, rate));
  while (!ok(await server.get(`/sessions/${id}`)).waiting_on.length) await sleep(5);
  return id;
}

async function events(c) {
  const rate = 1000, tokens = 2000, standin = await c.standin();
  const server = await c.server({ env: standin.env });
  const few = [], many = [], pairs = [];
  for (let i = 0; i < ROUNDS; i++) { few.push(await waiting(server, tokens, rate)); many.push(await waiting(server, tokens, rate)); }
  for (const id of few) await fill(c, server, 'events', id, await lastSeq(server, id), 100);
  for (const id of many) await fill(c, server, 'events', id, await lastSeq(server, id), MANY_EVENTS);
  for (let i = 0; i < ROUNDS; i++)
    pairs.push([await talkCost(c, server, few[i], (1000 * tokens) / rate), await talkCost(c, server, many[i], (1000 * tokens) / rate)]);
  const at = async (id) => [server, `/sessions/${id}/events?after=${(await lastSeq(server, id)) - 60}&limit=50`];
  const read_ms = await readTimes([await at(few[0]), await at(many[0])]);
  await c.stop(server);
  await c.stop(standin);
  return { cost: ratios(pairs), cpu_us: pairs, read_ms };
}

export async function run(c) {
  const detail = { events: await events(c), sessions: await sessions(c) };
  const values = { 'growth.sessions': detail.sessions.cost, 'growth.events': detail.events.cost };
  if (c.store === 'sqlite') {
    detail.viewers = await viewers(c);
    values['growth.viewers'] = detail.viewers.cost;
  }
  return { values, detail };
}
