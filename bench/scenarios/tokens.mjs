// Tokens: sessions that stream from the stand-in at 20 tokens a second, each with a viewer; the delay that the
// server adds to a token, and the CPU of one. Beside them a bare relay by plain sockets, with nothing stored, and
// one that makes each word durable before it is told, and does nothing else.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { programs } from '../lib/context.mjs';
import { cpuMs } from '../lib/proc.mjs';

const DOZE_MS = 5; // viewers are elsewhere: the client does not wake for each word
// All sessions begin within three seconds, and until each has said enough for the store to fold it into a row once, the
// store's place for recent events grows: 64 words take 3.2 s. That happens once for the server, not for each answer.
const WARM_UP_S = 4;

// A model's own speed is no fault here, so the breaker for it is off.
const graph = {
  id: 'tokens', start_node_id: 'start', breakers: { tokens_per_s: 0 },
  nodes: {
    start: { type: 'start', next_ids: ['say'] },
    say: { type: 'llm', properties: { prompt: '{{ input.say }}' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

/** A load of tokens, and what cpu() came to from when it began to measure. */
async function load(port, flags, cpu) {
  const args = ['tokens', '--port', port, ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, v])];
  const child = spawn(join(programs, 'bench/load'), args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.on('exit', done));
  let before, told, after;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'begin') before = await cpu();
    else [told, after] = [JSON.parse(line), await cpu()];
  }
  const code = await ended;
  if (code !== 0 || !told) throw new Error(`load ended with ${code}`);
  const used = Object.fromEntries(Object.entries(after).map(([k, v]) => [k, v - before[k]]));
  return { ...told, cpu_us_per_token: (used.ms * 1000) / told.tokens, ...(used.commits ? { commits_per_s: used.commits / told.seconds } : {}) };
}

/** The same through a bare relay; with `everyUs`, one that commits what came in between before it is told. */
async function bare(c, flags, everyUs) {
  const standin = await c.standin();
  const durable = everyUs ? ['--store', c.place(), '--every', Math.round(everyUs)] : [];
  const relay = await c.background('token_relay', '--upstream', new URL(standin.url).port, '--rate', flags.rate, ...durable);
  const cpu = async () => ({ ms: cpuMs(relay.pid) + (everyUs ? c.storeCpuMs() : 0) });
  const told = await load(relay.port, { ...flags, seconds: Math.min(c.seconds, 3), bare: 1 }, cpu);
  await c.stop(relay);
  await c.stop(standin);
  return { ...told, ...(everyUs ? { every_us: Math.round(everyUs) } : {}) };
}

/** `sessions` of them at `rate` (0: as fast as the model gives), and the same through the bare relay. */
export async function streams(c, flags, more = {}) {
  const limit = await bare(c, flags);
  const standin = await c.standin();
  const server = await c.server({ env: standin.env });
  const made = await server.post('/workflows', graph);
  if (made.status !== 201) throw new Error(made.text);
  const cpu = async () => ({ ms: c.cpuMs(server), commits: await c.metric(server, 'sluice_store_commits_total') });
  const told = await load(server.port, { workflow: graph.id, seconds: c.seconds, ...flags, ...more }, cpu);
  await c.stop(server);
  await c.stop(standin);
  return { told, limit };
}

/** Durable and nothing else: as often as the server commits, and as seldom as a median of a millisecond allows. */
async function durable(c, flags, commitsPerS) {
  const asOften = await bare(c, flags, 1e6 / commitsPerS);
  const asSeldom = await bare(c, flags, asOften.every_us + 2000 * (1 - asOften.p50_ms));
  return { as_often: asOften, as_seldom: asSeldom };
}

export async function run(c) {
  const flags = { sessions: 500, rate: 20, 'doze-ms': DOZE_MS };
  const { told, limit } = await streams(c, flags, { 'warm-up': WARM_UP_S });
  return {
    values: { 'tokens.median': told.p50_ms, 'tokens.p99': told.p99_ms, 'tokens.cpu': told.cpu_us_per_token },
    detail: { ...told, limit, durable: await durable(c, flags, told.commits_per_s) },
  };
}
