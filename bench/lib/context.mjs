// What a scenario has at hand: servers on the store that is measured, the programs of bench/, and what
// they cost.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { repo, Server, Standin } from '../../tests/integration/lib/server.mjs';
import { Database } from '../../tests/integration/lib/services.mjs';
import { childrenOf, cpuMs } from './proc.mjs';

const exec = promisify(execFile);
export const programs = join(repo, 'build/release');
process.env.SLUICE_BIN = join(programs, 'sluice');
process.env.STANDIN_BIN = join(programs, 'bench/standin');

/** {viewers: 10} as --viewers 10. */
export const options = (flags) => Object.entries(flags).flatMap(([k, v]) => [`--${k}`, v]);

export class Context {
  // store: sqlite or postgres; seconds: how long a load is measured
  constructor({ store, seconds }) {
    Object.assign(this, { store, seconds });
    this.open = [];
  }

  /** A server on an empty store. Options as those of tests/integration/lib/server.mjs. */
  async server(options = {}) {
    // Its own memory for a cache: what is measured is one instance.
    const server = new Server({ store: this.store, ...options, env: { SLUICE_CACHE: '', ...options.env }, args: ['--log-level', 'warn', ...(options.args ?? [])] });
    this.open.push(server);
    return server.start();
  }

  async standin(...args) {
    const standin = new Standin(args);
    this.open.push(standin);
    return standin.start();
  }

  /** A scratch folder that goes when the scenario ends. */
  folder() {
    const path = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
    this.open.push({ close: () => rmSync(path, { recursive: true, force: true }) });
    return path;
  }

  /**
   * A store for the parts alone: a folder, or the URL of an empty database. It goes when the scenario ends: left in a
   * database that stays, what they wrote is vacuumed in the minutes after, on a core of two, and counts as another scenario's.
   */
  place() {
    if (this.store !== 'postgres') return this.folder();
    const database = new Database({ empty: true });
    this.open.push({ close: () => database.drop() });
    return database.url;
  }

  /** The load client beside a server: what its JSON line says. */
  async load(scenario, server, flags = {}) {
    return JSON.parse(await this.program('load', scenario, '--port', server.port, ...options(flags)));
  }

  /** What a program of bench/ prints. */
  async program(name, ...args) {
    const { stdout, stderr } = await exec(join(programs, 'bench', name), args.map(String), { maxBuffer: 1 << 26 });
    if (stderr) process.stderr.write(stderr);
    return stdout;
  }

  /** A program of bench/ that goes on, once its first line came: `line`, and `port` where that names one. */
  async background(name, ...args) {
    const child = spawn(join(programs, 'bench', name), args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const close = () => { child.stdin.end(); child.kill(); return ended; };
    const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended.then(() => { throw new Error(`${name} ended`); })]);
    const thing = { pid: child.pid, line, port: Number(/:(\d+)$/.exec(line)?.[1]), close };
    this.open.push(thing);
    return thing;
  }

  /** Milliseconds of CPU so far, of a server and of its store. */
  cpuMs(server) {
    return cpuMs(server.pid) + this.storeCpuMs();
  }

  /** Of the store alone, where that is a process of its own. */
  storeCpuMs() {
    if (this.store !== 'postgres') return 0;
    const pg = Number(execFileSync(process.env.SLUICE_TEST_POSTGRES_CTL, ['pid'], { encoding: 'utf8' }));
    return cpuMs(pg, childrenOf(pg));
  }

  /** A counter or gauge of /metrics. */
  async metric(server, name) {
    const line = (await server.get('/metrics')).text.split('\n').find((l) => l.startsWith(`${name} `));
    if (!line) throw new Error(`no metric ${name}`);
    return Number(line.slice(name.length + 1));
  }

  /** Ends a server or stand-in before the scenario does. */
  async stop(thing) {
    this.open = this.open.filter((t) => t !== thing);
    await thing.close();
  }

  async close() {
    let first;
    while (this.open.length) try { await this.open.pop().close(); } catch (err) { first ??= err; }
    if (first) throw first;
  }
}
