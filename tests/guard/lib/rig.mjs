// A server that is counted: as it is shipped, with the probe before its libraries, and under callgrind
// or not. Sessions and tokens are brought to it in units whose number is known.
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Reader } from '../../integration/lib/client.mjs';
import { repo, Server } from '../../integration/lib/server.mjs';
import { Caller, Model, Psql, word } from './clients.mjs';
import { Probe } from './probe.mjs';

const WebSocket = createRequire(new URL('../../integration/package.json', import.meta.url))('ws');
const release = join(repo, 'build/release');
const out = join(repo, 'build/guard');
const probe = join(release, 'tests/guard/probe.so');

const markCall = 1000000000; // probe.c
export const crowd = 32; // sessions or tokens that reach the server in one turn

const w1 = {
  id: 'w1', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['step'] },
    step: { type: 'transform', properties: { output: { n: 'input.n + 1' } }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};
const talk = {
  id: 'talk', start_node_id: 'start',
  nodes: { start: { type: 'start', next_ids: ['say'] }, say: { type: 'llm', properties: { prompt: 'Write about rivers.' }, next_ids: ['end'] }, end: { type: 'end' } },
};
const review = {
  id: 'review', start_node_id: 'start',
  nodes: { start: { type: 'start', next_ids: ['ask'] }, ask: { type: 'human_review', properties: { prompt: 'Is this all right?' }, next_ids: ['end'] }, end: { type: 'end' } },
};
const run = (id) => JSON.stringify({ workflow_id: id, input: { n: 1 } });

function wanted(path, what) {
  if (!existsSync(path)) throw new Error(`${what} is not there, so nothing can be counted: ${path}`);
  return path;
}

// What callgrind wrote down at a mark.
function instructionsOf(path) {
  const text = readFileSync(path, 'utf8');
  const names = /^events: (.*)$/m.exec(text)[1].split(' ');
  return Number(/^totals: (.*)$/m.exec(text)[1].split(' ')[names.indexOf('Ir')]);
}

// What waits in the kernel to be read from each connection, by its ports: the reader's own, its peer's.
function unread() {
  const rows = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').split('\n').slice(1, -1));
  const port = (address) => parseInt(address.slice(address.lastIndexOf(':') + 1), 16);
  return new Map(rows.map((row) => row.trim().split(/ +/)).map(([, own, peer, , queues]) => [`${port(own)} ${port(peer)}`, parseInt(queues.split(':')[1], 16)]));
}

// These ask the kernel under valgrind only; otherwise libc knows the time itself.
const vdso = new Set(['clock_gettime', 'gettimeofday', 'time', 'getcpu']);

// System calls by name, between marks: { mark: Map }.
function callsOf(path) {
  const marks = {};
  let now = new Map();
  for (const line of readFileSync(path, 'latin1').split('\n')) {
    const call = /^SYSCALL\[\d+,\d+\]\( *\d+\) (?:sys_)?(\w+) ?\((?: (\d+))?/.exec(line);
    if (!call || vdso.has(call[1])) continue;
    if (call[1] === 'getpgid' && Number(call[2]) > markCall) marks[Number(call[2]) - markCall] = now = new Map();
    else now.set(call[1], (now.get(call[1]) ?? 0) + 1);
  }
  return marks;
}

export class Rig {
  // store: sqlite or postgres; callgrind: whether it counts instructions and system calls
  async start({ store, callgrind = false, data }) {
    mkdirSync(out, { recursive: true });
    this.scratch = mkdtempSync(join(tmpdir(), 'sluice-guard-'));
    this.probe = new Probe(join(this.scratch, 'probe'));
    this.callers = [];
    this.watched = 0;
    this.model = await new Model().start();
    const config = join(this.scratch, 'config.yaml');
    writeFileSync(config, `providers:\n  - { id: guard, dialect: openai, base_url: "${this.model.url}", models: [guard], max_concurrent: 1000 }\n`);
    const env = { SLUICE_CACHE: '', LD_PRELOAD: wanted(probe, 'the probe'), PROBE_PAGE: this.probe.path };
    if (callgrind) {
      wanted('/usr/bin/valgrind', 'valgrind');
      this.profile = join(out, `callgrind.${store}`);
      readdirSync(out).filter((f) => f.startsWith(`callgrind.${store}.`)).forEach((f) => rmSync(join(out, f)));
      Object.assign(env, { GUARD_OUT: this.profile, GUARD_SERVER: wanted(join(release, 'sluice'), 'the server') });
    }
    process.env.SLUICE_BIN = callgrind ? join(repo, 'tests/guard/under-callgrind') : wanted(join(release, 'sluice'), 'the server');
    this.server = await new Server({ store, data, env, args: ['--config', config, '--log-level', 'warn'] }).start();
    for (const graph of [w1, talk, review]) {
      const made = await this.server.post('/workflows', graph);
      if (made.status !== 201 && made.status !== 409) throw new Error(made.text);
    }
    if (this.server.database) this.countPostgres(this.server.database);
    return this;
  }

  /** Where PostgreSQL writes for us: the bytes of its log, and transactions that wrote something. */
  countPostgres(database) {
    database.query('CHECKPOINT'); // so that none comes by itself: after one, pages are logged whole
    this.psql = new Psql(database.url);
    this.written = async () => {
      const [bytes, commits] = await this.psql.ask(`SELECT pg_current_wal_insert_lsn() - '0/0', pg_snapshot_xmax(pg_current_snapshot())`);
      return { file_bytes: Number(bytes), flushes: Number(commits) };
    };
    this.due = { written_bytes: 0, flushed: 0 };
    this.payPostgres = async () => {
      const emit = (bytes, commits) => this.psql.ask(`SELECT pg_logical_emit_message(${commits}, 'planted', repeat('x', ${bytes}))`);
      if (this.due.written_bytes >= 1) await emit(Math.floor(this.due.written_bytes), false);
      this.due.written_bytes %= 1;
      for (; this.due.flushed >= 1; this.due.flushed--) await emit(0, true);
    };
  }

  /** Planted work: the probe does it in the server, and what PostgreSQL writes is written there. */
  owe({ written_bytes = 0, flushed = 0, ...work }) {
    if (!this.written) return this.probe.owe({ ...work, written_bytes, flushed });
    this.due.written_bytes += written_bytes;
    this.due.flushed += flushed;
    return this.probe.owe(work);
  }

  get port() { return this.server.port; }

  // ---- what is counted between two marks

  /** `rounds` of a load, each counted on its own: for each a unit's share of what was counted. The system calls of the
   *  last one stand by their names in `names`. */
  async counted(rounds, load) {
    const all = [], units = [];
    this.probe.mark(); // made when the first unit comes in
    for (let i = 0; i < rounds; i++) {
      const before = await this.written?.();
      units.push(await load());
      await this.payPostgres?.();
      const counts = this.probe.counts();
      const now = await this.written?.();
      if (now) for (const name of Object.keys(now)) counts[name] = now[name] - before[name];
      all.push({ number: this.probe.number, counts });
      this.probe.mark();
    }
    await this.caller(0).ask('GET', '/healthz'); // something that wakes the loop, for the last mark
    if (!this.probe.isMarked) throw new Error('the probe is not in the server, so nothing can be counted');
    const calls = this.profile ? callsOf(`${this.profile}.calls`) : {};
    return all.map(({ number, counts }, i) => {
      if (this.profile) {
        counts.instructions = instructionsOf(`${this.profile}.${number + 1}`);
        counts.calls = [...calls[number].values()].reduce((a, b) => a + b, 0);
        this.names = [...calls[number]].sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} ${(n / units[i]).toFixed(2)}`).join(', ');
      }
      return Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, n / units[i]]));
    });
  }

  /** Holds the server while `work` writes to it through `sockets`: it then finds all of that in one turn. A write is over
   *  before the kernel has brought it to the other end. */
  async atOnce(sockets, work) {
    const { pid } = this.server;
    const stands = () => readdirSync(`/proc/${pid}/task`).every((t) => /^\d+ \(.*\) [Tt]/.test(readFileSync(`/proc/${pid}/task/${t}/stat`, 'utf8')));
    process.kill(pid, 'SIGSTOP');
    try {
      while (!stands()) await new Promise(setImmediate);
      const waiting = (queues, s) => queues.get(`${s.remotePort} ${s.localPort}`) ?? 0;
      const before = unread(), due = sockets.map((s) => waiting(before, s) - s.bytesWritten);
      const result = await work();
      const arrived = (now) => sockets.every((s, i) => waiting(now, s) >= due[i] + s.bytesWritten);
      while (!arrived(unread())) await new Promise(setImmediate);
      return result;
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  // ---- sessions

  caller(i) { return this.callers[i] ??= new Caller(this.port); }

  async watch() {
    const ws = new WebSocket(`ws://127.0.0.1:${this.port}/ws?batch=1`, 'sluice.v1', { perMessageDeflate: false });
    const take = (m) => {
      if (m.type === 'batch') m.events.forEach(take);
      else if (m.type === 'session_state_change' && m.data.to === 'completed') this.watched++;
      else return;
      this.seen?.();
    };
    ws.on('message', (d) => take(JSON.parse(d)));
    await new Promise((done, fail) => ws.once('open', done).once('error', fail));
    const acked = new Promise((done) => ws.once('message', done));
    ws.send(JSON.stringify({ type: 'subscribe', channel: 'sessions', filter: { status: 'completed' } }));
    await acked;
    this.watcher = ws;
  }

  async ended(count) {
    while (this.watched < count) await new Promise((go) => { this.seen = go; });
  }

  /** For two seconds after its start an instance takes it that others listen, and announces everything. */
  async settle() {
    for (let before = -1, now = 0; now !== before;) {
      before = now;
      await this.alone(4);
      now = await this.metric('sluice_remote_announced_total');
    }
  }

  /** W1, each session when the one before was seen to end. `owed`: planted, for each. */
  async alone(count, owed = {}) {
    for (let i = 0; i < count; i++) {
      this.owe(owed);
      const due = this.watched + 1;
      const r = await this.caller(0).ask('POST', '/workflows/execute', run('w1'));
      if (r.status !== 202) throw new Error(r.body);
      await this.ended(due);
    }
    return count;
  }

  /** W1, so many sessions in one turn, and again when all have ended. */
  async together(rounds, owed = {}) {
    for (let i = 0; i < rounds; i++) {
      const due = this.watched + crowd;
      const callers = Array.from({ length: crowd }, (_, c) => this.caller(c));
      const sent = await this.atOnce(callers.map((c) => c.socket), async () => {
        const all = [];
        for (const caller of callers) {
          this.owe(owed);
          all.push(await caller.send('POST', '/workflows/execute', run('w1')));
        }
        return all;
      });
      for (const s of sent) if ((await s.answer).status !== 202) throw new Error('execute was refused');
      await this.ended(due);
    }
    return rounds * crowd;
  }

  async suspend(count) {
    for (let i = 0; i < count; i += crowd) {
      const some = await Promise.all(Array.from({ length: Math.min(crowd, count - i) }, (_, c) => this.caller(c).ask('POST', '/workflows/execute', run('review'))));
      for (const r of some) if (r.status !== 202) throw new Error(r.body);
    }
  }

  // ---- tokens

  /** Sessions that stand in a model call each, with a viewer each. */
  async streams() {
    this.readers = [];
    for (let i = 0; i < crowd; i++) this.readers.push(new Reader(this, await this.server.execute('talk', { n: 1 })));
    await this.model.opened(crowd);
    for (const r of this.readers) await r.until((x) => x.subscribed && x.find('node_state_change', (e) => e.node_id === 'say' && e.data.to === 'running'));
    this.said = 0;
  }

  /** One token in each stream at once, and again when every viewer has seen its own. */
  async tokens(rounds, owed = {}) {
    for (let i = 0; i < rounds; i++) {
      for (let c = 0; c < crowd; c++) this.owe(owed);
      const due = this.readers.map((r) => r.last + 1);
      await this.atOnce(this.model.streams.map((s) => s.socket), () => this.model.say(this.model.streams, { content: word(this.said++) }));
      await Promise.all(this.readers.map((r, c) => r.until((x) => x.last >= due[c], 60000, 'a token')));
    }
    return rounds * crowd;
  }

  async endStreams() {
    await this.model.end();
    for (const r of this.readers) {
      await r.ended();
      if (r.problems.length) throw new Error(r.problems.join('; '));
      r.close();
    }
  }

  // ---- memory

  async metric(name) {
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await this.server.get('/metrics')).text)[1]);
  }

  async until(name, value) {
    for (const deadline = Date.now() + 90000; await this.metric(name) !== value; await new Promise((go) => setTimeout(go, 250))) {
      if (Date.now() > deadline) throw new Error(`${name} did not become ${value}`);
    }
  }

  async viewers(id, count) {
    const all = [];
    for (let i = 0; i < count; i += crowd) {
      await Promise.all(Array.from({ length: Math.min(crowd, count - i) }, () => new Promise((done, fail) => {
        const ws = new WebSocket(`ws://127.0.0.1:${this.port}/ws?session_id=${id}`, 'sluice.v1', { perMessageDeflate: false });
        ws.once('message', done).once('error', fail);
        all.push(ws);
      })));
    }
    return all;
  }

  async close() {
    this.readers?.forEach((r) => r.close());
    this.watcher?.terminate();
    this.callers.forEach((c) => c?.close());
    this.model.close();
    await this.psql?.close();
    await this.server.close();
    this.probe.close();
    rmSync(this.scratch, { recursive: true, force: true });
  }
}
