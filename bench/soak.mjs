// script/soak: sessions of all kinds at once, at a steady rate, for as long as is wanted; then judges in words.
//
//   memory   of the server, each second: a straight line through it must not rise
//   p99      of the last third of the run beside the first, and CPU for the same work
//   truth    what each viewer saw is what the model's server says it has sent; each session that was accepted
//            ended once; samples of the stored logs are gapless; the store has as many sessions as were accepted
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { cpus, loadavg } from 'node:os';
import { repo } from '../tests/integration/lib/server.mjs';
import { Context, programs } from './lib/context.mjs';
import { cpuMs, machineMs, residentBytes } from './lib/proc.mjs';
import { memoryGrowth, thirds } from './lib/steady.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    store: { type: 'string', default: 'sqlite' }, w1: { type: 'string' }, talks: { type: 'string', default: '25' },
    waits: { type: 'string', default: '20' }, viewers: { type: 'string', default: '40' }, keep: { type: 'string', default: '250000' }, out: { type: 'string' },
  },
});
const minutes = Number(positionals[0]);
if (!(minutes > 0) || !['sqlite', 'postgres'].includes(flags.store)) {
  console.error('usage: script/soak MINUTES [--store sqlite|postgres] [--w1 N] [--talks N] [--waits N] [--viewers N] [--keep SESSIONS]   (N: begun a second)');
  process.exit(2);
}

/**
 * A fifth of the W1 sessions a second that the table of docs/PERFORMANCE.md has for this store, alone on its machine: each of these is also
 * deleted later. With the streams, the reviews and the viewers that keeps 1.3 of two cores busy, which is more than half.
 */
function fifthOfMeasured() {
  const row = readFileSync(join(repo, 'docs/PERFORMANCE.md'), 'utf8').split('\n').map((l) => l.split('|').map((x) => x.trim()))
    .find((cells) => /^W1, 512 clients: sessions a second$/.test(cells[1]) && cells[2] === flags.store);
  const measured = Number(row?.[3].replace(/,/g, '').replace(/ .*/, ''));
  if (!(measured > 0)) throw new Error(`docs/PERFORMANCE.md has no rate of W1 on ${flags.store}: name one, --w1 N`);
  return Math.round(measured / 500) * 100;
}
flags.w1 ??= fifthOfMeasured();
const out = flags.out ?? join(repo, 'build/soak.jsonl');
const seconds = minutes * 60;
// As many sessions wait as ever will once the longest wait is over, and as many are in memory half a minute later.
const wait = Math.min(120, Math.max(4, seconds / 12));
const warmUp = Math.min(seconds / 2, Math.max(wait + 45, Math.min(300, seconds / 6)));
const every = minutes > 20 ? 60 : Math.max(2, seconds / 24);
const WORDS = 200, RATE = 20, CALLS = 8, LOGGED = 10;

const step = (node) => ({ start: { type: 'start', next_ids: Object.keys(node) }, ...node, end: { type: 'end' } });
const graphs = {
  'soak-w1': step({ step: { type: 'transform', properties: { output: { n: 'input.n + 1' } }, next_ids: ['end'] } }),
  'soak-talks': step({ talk: { type: 'llm', properties: { prompt: '{{ input.say }}' }, next_ids: ['end'] } }),
  'soak-waits': step({ review: { type: 'human_review', properties: { prompt: 'Is this all right?' }, next_ids: ['end'] } }),
};

const faults = new Map(); // sentence -> { times, examples }
function fault(what, example = '') {
  const f = faults.get(what) ?? { times: 0, examples: [] };
  if (f.times++ === 0) console.log(`  a fault, the first of its kind: ${what} ${example}`); // hours before the end
  if (f.times <= 5 && example) f.examples.push(example);
  faults.set(what, f);
}

/** The stored log of a session that has ended. */
function judgeLog(events, id, last) {
  if (events.some((e, i) => e.seq !== i + 1 || e.session_id !== id)) fault('a stored log has a gap or a doubled event', id);
  const ends = events.filter((e) => e.type === 'session_state_change' && ['completed', 'failed', 'cancelled'].includes(e.data.to));
  if (ends.length !== 1 || ends[0].data.to !== 'completed' || ends[0].seq !== events.length) fault('a stored log does not end once, completed', id);
  if (last !== undefined && last !== events.length) fault('a viewer saw another number of events than are stored', id);
  const texts = new Map();
  for (const e of events) {
    if (e.type === 'token_stream') texts.set(e.data.message_id, (texts.get(e.data.message_id) ?? '') + e.data.chunk);
    if (e.type === 'message' && e.data.role === 'assistant' && texts.get(e.data.message_id) !== e.data.content) fault('a stored message is not the sum of its chunks', id);
  }
}

/** What a viewer saw, beside what the model's server says that it has sent. */
function judgeTalk(talk, attempts) {
  const said = attempts[0];
  if (attempts.length !== 1 || said.ending !== 'complete') fault('a call to the model was repeated or not finished', talk.id);
  else if (talk.text === undefined ? talk.words !== said.tokens : talk.text !== said.text) fault('a viewer saw another text than the model sent', talk.id);
  if (talk.resets) fault('a text was begun anew', talk.id);
}

/** Jobs, CALLS at a time: judging must cost little beside what is judged. */
class Judges {
  constructor() { Object.assign(this, { waiting: [], running: 0, done: 0 }); }
  add(job) { this.waiting.push(job); this.next(); }
  next() {
    if (this.running === CALLS || !this.waiting.length) { if (!this.running) this.idle?.(); return; }
    this.running++;
    this.waiting.shift()().catch((err) => fault(`judging failed: ${err.message}`)).finally(() => { this.running--; this.done++; this.next(); });
  }
  async end() { if (this.running) await new Promise((done) => { this.idle = done; }); }
}

const storeRows = (c, server) => {
  const sql = 'SELECT status, count(*) FROM sessions GROUP BY status';
  const text = c.store === 'postgres' ? server.database.query(sql)
    : execFileSync('sqlite3', [join(server.scratch, 'sluice.db'), sql], { encoding: 'utf8', timeout: 600000 }).trim();
  return text.split('\n').map((l) => l.split('|'));
};
const diskBytes = (c, server) => Number(c.store === 'postgres' ? server.database.query('SELECT pg_database_size(current_database())')
  : execFileSync('du', ['-sb', server.scratch], { encoding: 'utf8' }).split('\t')[0]);

/** Starts the load client; gives its intervals, and its end. */
function begin(server, standin, judges, onInterval) {
  const args = { seconds, every, wait, w1: flags.w1, talks: flags.talks, waits: flags.waits, viewers: flags.viewers, keep: flags.keep };
  const child = spawn(join(programs, 'bench/load'), ['soak', '--port', server.port, ...Object.entries(args).flatMap(([k, v]) => [`--${k}`, v])].map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  let talks = 0, end;
  const log = async (id, last) => judgeLog(await server.events(id), id, last);
  const take = (m) => {
    if (m.fault) fault(m.fault, m.id);
    else if (m.check) judges.add(() => log(m.check));
    else if (m.end) end = m.end;
    else if (m.at !== undefined) onInterval(m);
    else if (m.talk) {
      judges.add(async () => judgeTalk(m.talk, (await (await fetch(`${standin.url}/log?key=${m.talk.key}`)).json()).attempts));
      if (talks++ % LOGGED === 0) judges.add(() => log(m.talk.id, m.talk.events));
    }
  };
  createInterface({ input: child.stdout }).on('line', (l) => take(JSON.parse(l)));
  const done = new Promise((ok, no) => child.on('close', (code) => (code === 0 && end ? ok(end) : no(new Error(`the load client ended with ${code}`)))));
  return { done, pid: child.pid, end: () => child.kill('SIGKILL') };
}

const ms = (x) => `${x.toFixed(x < 10 ? 2 : 1)} ms`;
const head = ['minute', 'heap MB', 'RSS MB', 'sessions/s', 'waiting', 'viewers', 'W1 p99', 'word p50', 'word p99', 'answer p99', 'CPU %'];
const row = (cells) => console.log(cells.map((x, i) => String(x).padStart(Math.max(9, head[i].length))).join(' '));

async function soak(c) {
  const standin = await c.standin('--rate', RATE, '--tokens', WORDS);
  const server = await c.server({ env: standin.env });
  for (const [id, nodes] of Object.entries(graphs)) {
    const made = await server.post('/workflows', { id, start_node_id: 'start', nodes });
    if (made.status !== 201) throw new Error(made.text);
  }
  const judges = new Judges();
  const memory = { heap: [], resident: [] }, intervals = [], began = Date.now();
  const standinPid = standin.process.child.pid;
  let cpuBefore = c.cpuMs(server), atBefore = 0;
  row(head);
  const onInterval = (m) => {
    const cpu = c.cpuMs(server), [heap, rss] = [memory.heap.at(-1)?.[1] ?? 0, memory.resident.at(-1)?.[1] ?? 0];
    const i = { ...m, heap, rss, sessions: m.w1.n + m.talks.n + m.waits.n, cpu: (cpu - cpuBefore) / (m.at - atBefore) / 10, load: loadavg()[0] };
    row([(m.at / 60).toFixed(1), (heap / 1e6).toFixed(1), (rss / 1e6).toFixed(1), Math.round(i.sessions / (m.at - atBefore)), m.waiting, m.viewers, ms(m.w1.p99_ms), ms(m.words.p50_ms), ms(m.words.p99_ms), ms(m.waits.p99_ms), Math.round(i.cpu)]);
    i.cpu_us_per_unit = (cpu - cpuBefore) * 1000 / (i.sessions + m.words.n);
    [cpuBefore, atBefore] = [cpu, m.at];
    intervals.push(i);
    appendFileSync(out, `${JSON.stringify(i)}\n`);
  };
  const load = begin(server, standin, judges, onInterval);
  c.open.push({ close: load.end });
  const sampling = setInterval(async () => {
    const at = (Date.now() - began) / 1000;
    if (at > seconds) return; // then it drains
    memory.resident.push([at, residentBytes(server.pid)]);
    memory.heap.push([at, await c.metric(server, 'sluice_heap_bytes')]);
  }, 1000);
  const who = () => ({ server: cpuMs(server.pid), store: c.cpuMs(server) - cpuMs(server.pid), load: cpuMs(load.pid), model: cpuMs(standinPid), judge: cpuMs(process.pid) });
  const before = { machine: machineMs(), ...who() };
  let shares;
  const last = setTimeout(() => {
    const now = { machine: machineMs(), ...who() };
    shares = Object.fromEntries(Object.keys(now).map((k) => [k, now[k] - before[k]]));
    shares.others = 2 * shares.machine - Object.values(shares).reduce((a, b) => a + b, 0);
  }, (seconds - 1) * 1000);
  const end = await load.done;
  clearInterval(sampling);
  clearTimeout(last);
  await judges.end();
  return { end, memory, intervals, judges: judges.done, shares, ...await after(c, server, standin, end) };
}

/** When all has ended: what the server, the store and the model's server say. */
async function after(c, server, standin, end) {
  const accepted = ['w1', 'talks', 'waits'].reduce((n, k) => n + end[k].accepted, 0);
  for (const e of end.examples) {
    const is = (await server.get(`/sessions/${e.id}`)).json?.status;
    fault(e.accepted ? 'a session that was accepted was not seen to end' : 'an ending of a session that was not accepted, or a second one', `${e.id}, ${is}`);
  }
  if (end.left > end.examples.length) fault(`${end.left} sessions stand open in the book`);
  if (end.talking) fault(`${end.talking} viewers did not see the end`);
  for (const name of ['started', 'ended']) {
    const n = await c.metric(server, `sluice_sessions_${name}_total`);
    if (n !== accepted) fault(`${accepted} sessions were accepted and ${n} ${name}`);
  }
  const said = await (await fetch(`${standin.url}/stats`)).json();
  if (said.complete !== end.talks.ended || said.client_closed || said.faults) fault(`the model finished ${said.complete} answers of ${end.talks.ended}`, JSON.stringify(said));
  const rows = c.store === 'postgres' ? storeRows(c, server) : null;
  const disk = diskBytes(c, server);
  const scratch = server.scratch;
  server.options.data = scratch; // closing leaves it, for the count
  if (c.store === 'postgres') server.options.database = server.database;
  await c.stop(server);
  const stored = rows ?? storeRows(c, server);
  if (stored.length !== 1 || stored[0][0] !== 'completed' || Number(stored[0][1]) !== accepted - end.deleted) fault(`${accepted} sessions were accepted, ${end.deleted} of them deleted; the store has ${stored.map((r) => r.join(' ')).join(', ')}`);
  if (c.store === 'postgres') server.database.drop();
  else execFileSync('rm', ['-rf', scratch]);
  return { accepted, disk, stored };
}

function verdict(name, bad, says) {
  console.log(`${bad ? 'FAILED' : 'held  '}  ${name}: ${says}`);
  return bad ? 1 : 0;
}

function judge(r) {
  const warm = (list) => list.filter(([at]) => at >= warmUp);
  const steady = r.intervals.filter((i) => i.at - every >= warmUp - 1);
  let bad = 0;
  console.log(`\n${minutes} min on ${flags.store}, ${flags.w1} W1 sessions a second, ${cpus().length} cores; judged from ${Math.round(warmUp)} s on`);
  const heap = memoryGrowth(warm(r.memory.heap), 0.02), rss = memoryGrowth(warm(r.memory.resident), 0.05);
  bad += verdict('heap', heap.grows, heap.says);
  bad += verdict('resident memory', rss.grows, rss.says);
  for (const [what, key] of [['W1', 'w1'], ['a word', 'words'], ['an answer to a review, to ended', 'waits'], ['a viewer coming, to its first event', 'opened']]) {
    const t = thirds(steady.map((i) => i[key].p99_ms), 1.3, 1);
    bad += verdict(`p99 of ${what}`, t.worse, `${ms(t.first)} in the first third, ${ms(t.last)} in the last`);
  }
  const cpu = thirds(steady.map((i) => i.cpu_us_per_unit), 1.3, 0);
  bad += verdict('CPU for the same work', cpu.worse, `${cpu.first.toFixed(1)} us a session or word in the first third, ${cpu.last.toFixed(1)} in the last`);
  const begun = ['w1', 'talks', 'waits'].map((k) => [k, r.end[k].accepted, seconds * Number(flags[k])]);
  bad += verdict('the load', begun.some(([, n, wanted]) => n < 0.98 * wanted - 1), begun.map(([k, n, wanted]) => `${n.toLocaleString('en')} of ${wanted.toLocaleString('en')} ${k}`).join(', '));
  const counts = `${r.accepted.toLocaleString('en')} sessions, ${r.end.talks.ended.toLocaleString('en')} texts, ${r.end.back.toLocaleString('en')} viewers cut off and back, ${r.end.came.toLocaleString('en')} passing by, ${r.end.events.toLocaleString('en')} events, ${r.judges.toLocaleString('en')} looks at the store and the model's record`;
  bad += verdict('the truth', faults.size > 0, `${counts}; ${faults.size ? 'not all is as it must be:' : 'each session ended once and is stored, each text is the model\'s own, no event lost or doubled'}`);
  for (const [what, f] of faults) console.log(`        ${what} (${f.times} times): ${f.examples.join('; ')}`);
  console.log(`        ${(r.disk / 1e9).toFixed(2)} GB on disk, ${Math.round(r.disk / (r.accepted - r.end.deleted))} bytes a session of all kinds, ${r.end.deleted.toLocaleString('en')} deleted`);
  const { machine, others, ...ours } = r.shares, cores = (v) => (v / 1000 / (seconds - 1)).toFixed(2);
  console.log(`        of ${cpus().length} cores ${cores(machine)} were busy: ${Object.entries(ours).map(([k, v]) => `${k} ${cores(v)}`).join(', ')}, all else ${cores(others)}`);
  if (others > 0.2 * 1000 * seconds) console.log('        other programs had a part of the machine: what is said of p99 is said of them too');
  return { bad, heap, rss };
}

mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, '');
const c = new Context({ store: flags.store, seconds });
try {
  const { bad, ...rest } = judge(await soak(c));
  appendFileSync(out, `${JSON.stringify({ verdict: bad === 0, ...rest, faults: [...faults] })}\n`);
  console.log(bad ? `\nsoak: ${bad} of its promises did not hold` : '\nsoak: everything held');
  process.exitCode = bad ? 1 : 0;
} finally {
  await c.close();
}
