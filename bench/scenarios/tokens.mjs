// Tokens: sessions that stream from the stand-in at 20 tokens a second, each with a viewer; the delay that the
// server adds to a token, and the CPU of one. Beside them a bare relay by plain sockets, with nothing stored, and
// the simplest durable commits.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { programs } from '../lib/context.mjs';
import { cpuMs } from '../lib/proc.mjs';

const DOZE_MS = 5; // viewers are elsewhere: the client does not wake for each word

// A model's own speed is no fault here, so the breaker for it is off.
const graph = {
  id: 'tokens', start_node_id: 'start', breakers: { tokens_per_s: 0 },
  nodes: {
    start: { type: 'start', next_ids: ['say'] },
    say: { type: 'llm', properties: { prompt: '{{ input.say }}' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

/** What a program of bench/ says that prints `begin` when it begins to measure, and one JSON line when it has; `used`: what cpu() came to meanwhile. */
async function measured(program, args, cpu) {
  const child = spawn(join(programs, 'bench', program), args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.on('exit', done));
  let before, told;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'begin') before = await cpu();
    else told = { ...JSON.parse(line), used: await cpu() };
  }
  const code = await ended;
  if (code !== 0 || !told) throw new Error(`${program} ended with ${code}`);
  told.used = Object.fromEntries(Object.entries(told.used).map(([k, v]) => [k, v - before[k]]));
  return told;
}

async function load(port, flags, cpu) {
  const args = ['tokens', '--port', port, ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, v])];
  const { used, ...rest } = await measured('load', args, cpu);
  return { ...rest, cpu_us_per_token: (used.ms * 1000) / rest.tokens, ...(used.commits ? { commits_per_s: used.commits / rest.seconds } : {}) };
}

async function bare(c, standin, flags) {
  const relay = spawn(join(programs, 'bench/token_relay'), ['--upstream', new URL(standin.url).port, '--rate', flags.rate].map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => relay.on('exit', done));
  try {
    let port;
    for await (const line of createInterface({ input: relay.stdout })) {
      port = new URL(line.slice('listening on '.length)).port;
      break;
    }
    return await load(port, { ...flags, bare: 1 }, async () => ({ ms: cpuMs(relay.pid) }));
  } finally {
    relay.kill('SIGTERM');
    await ended;
  }
}

/** `sessions` of them at `rate` (0: as fast as the model gives), and the same through the bare relay. */
export async function streams(c, flags) {
  const standin = await c.standin();
  const limit = await bare(c, standin, { ...flags, seconds: Math.min(c.seconds, 3) });
  const server = await c.server({ env: standin.env });
  const made = await server.post('/workflows', graph);
  if (made.status !== 201) throw new Error(made.text);
  const cpu = async () => ({ ms: c.cpuMs(server), commits: await c.metric(server, 'sluice_store_commits_total') });
  const told = await load(server.port, { workflow: graph.id, seconds: c.seconds, ...flags }, cpu);
  await c.stop(server);
  await c.stop(standin);
  return { told, limit };
}

/** The simplest durable commit, as often and of as many tokens as the server's were. */
async function bareCommits(c, told) {
  const to = c.store === 'postgres' ? process.env.SLUICE_TEST_POSTGRES : c.folder();
  const args = [to, Math.min(c.seconds, 3), told.tokens_per_s / told.commits_per_s, told.commits_per_s];
  const { used, ...rest } = await measured('token_commits', args, async () => ({ ms: c.storeCpuMs() }));
  return { ...rest, cpu_us_per_token: rest.own_cpu_us_per_token + (used.ms * 1000) / rest.tokens };
}

export async function run(c) {
  const { told, limit } = await streams(c, { sessions: 500, rate: 20, 'doze-ms': DOZE_MS });
  return {
    values: { 'tokens.median': told.p50_ms, 'tokens.p99': told.p99_ms, 'tokens.cpu': told.cpu_us_per_token },
    detail: { ...told, limit, commits: await bareCommits(c, told) },
  };
}
