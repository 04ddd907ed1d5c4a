// The real binary in a scratch folder: start, kill, restart, stop. Port 0, loopback only. Where
// SLUICE_TEST_STORE is postgres, each server has a database of its own there, and Redis as its cache.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Database, redisUrl, storeKind } from './services.mjs';

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../..');

function firstThatExists(paths) {
  const found = paths.find((p) => existsSync(p));
  if (!found) throw new Error(`none of these is built: ${paths.join(', ')}`);
  return found;
}

export const repo = root;
export const sluiceBin = () =>
  process.env.SLUICE_BIN ?? firstThatExists(['build/asan/sluice', 'build/release/sluice', 'build/dev/sluice'].map((p) => join(root, p)));
export const standinBin = () =>
  process.env.STANDIN_BIN ??
  firstThatExists(['release', 'asan', 'dev'].map((p) => join(root, `build/${p}/bench/standin`)));

// Whatever ends this process, no server of ours goes on.
const children = new Set();
process.on('exit', () => children.forEach((c) => c.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// Starts a program; started: its `listening on http://HOST:PORT`. Whoever waits for either is kept waiting;
// a program that a failed test has left does not keep the tests' process from ending (which kills it).
function launch(bin, args, env) {
  const child = spawn(bin, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (d) => { stderr += d; });
  children.add(child);
  child.stdout.unref();
  child.stderr.unref();
  const exited = new Promise((done) => child.on('exit', (code, signal) => { children.delete(child); done({ code, signal }); }));
  const started = new Promise((done, fail) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const m = /^listening on (https?:\/\/.*:(\d+))$/.exec(line);
      if (!m) return;
      child.unref();
      done({ url: m[1], port: Number(m[2]) });
    });
    exited.then(({ code, signal }) => fail(new Error(`${bin} ended (${code ?? signal}) before it listened:\n${stderr}`)));
  });
  const awaited = () => { child.ref(); return exited; };
  return { child, started, get exited() { return awaited(); }, stderr: () => stderr };
}

export class Server {
  // options: env, args (further flags), data (folder; else a scratch one that close() removes),
  // database (one that several servers share; else one that close() drops), store ('sqlite', 'postgres')
  constructor(options = {}) {
    this.options = options;
    this.scratch = options.data ?? mkdtempSync(join(tmpdir(), 'sluice-'));
    if (options.database || (options.store ?? storeKind()) === 'postgres') {
      this.database = options.database ?? new Database();
    }
    this.port = 0;
    this.log = '';
  }

  async start() {
    // A model of this machine's environment must not leak into tests.
    const clean = { OPENAI_API_KEY: '', OPENAI_BASE_URL: '', SLUICE_MODEL: '', SLUICE_STORE: '', SLUICE_CACHE: '' };
    if (this.database) Object.assign(clean, { SLUICE_STORE: this.database.url, SLUICE_CACHE: this.options.env?.SLUICE_CACHE ?? redisUrl() });
    this.process = launch(
      sluiceBin(),
      ['serve', '--listen', `127.0.0.1:${this.port}`, '--data', this.scratch, ...(this.options.args ?? [])],
      { ...clean, ASAN_OPTIONS: 'abort_on_error=0:exitcode=99', ...this.options.env },
    );
    const { url, port } = await this.process.started;
    this.url = url;
    this.port = port; // the same one after a restart, so that clients find it again
    return this;
  }

  get pid() { return this.process.child.pid; }

  async kill(signal = 'SIGKILL') {
    this.process.child.kill(signal);
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return null;
    const how = await this.process.exited;
    this.log += this.process.stderr();
    this.process = null;
    return how;
  }

  // Graceful end; fails the test on a sanitizer's report or an exit code that is not 0. One that a failed
  // test has left stopped goes on first, or would never end.
  async close() {
    if (this.process) {
      this.process.child.kill('SIGCONT');
      const { code, signal } = await this.kill('SIGTERM');
      if (code !== 0) throw new Error(`server ended with ${code ?? signal}:\n${this.log}`);
    }
    if (this.database && !this.options.database) this.database.drop();
    if (/ERROR: \w+Sanitizer|runtime error:/.test(this.log)) throw new Error(this.log);
    if (!this.options.data) rmSync(this.scratch, { recursive: true, force: true });
  }

  async request(method, path, body, headers = {}, ms = 60000) {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const res = await fetch(this.url + path, {
      method,
      signal: AbortSignal.timeout(ms),
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
    });
    const text = await res.text();
    let json;
    try { json = JSON.parse(text); } catch { /* not every answer is JSON */ }
    return { status: res.status, headers: res.headers, text, json };
  }

  get(path, headers) { return this.request('GET', path, undefined, headers); }
  post(path, body = {}, headers) { return this.request('POST', path, body, headers); }

  async execute(graph, input = {}, more = {}) {
    const r = await this.post('/workflows/execute', typeof graph === 'string' ? { workflow_id: graph, input, ...more } : { graph, input, ...more });
    if (r.status !== 202) throw new Error(`execute: ${r.status} ${r.text}`);
    return r.json.session_id;
  }

  // Every event of a session, over the events route.
  async events(id) {
    const all = [];
    for (let after = 0; ;) {
      const r = await this.get(`/sessions/${id}/events?after=${after}&limit=500`);
      if (r.status !== 200) throw new Error(`events: ${r.status} ${r.text}`);
      all.push(...r.json.items);
      if (!r.json.next_cursor) return all;
      after = Number(r.json.next_cursor);
    }
  }
}

// The model stand-in of bench/, with its ground truth.
export class Standin {
  constructor(args = []) { this.args = args; }
  async start() {
    this.process = launch(standinBin(), ['--port', '0', ...this.args], {});
    Object.assign(this, await this.process.started);
    return this;
  }
  get env() { return { OPENAI_BASE_URL: `${this.url}/v1`, OPENAI_API_KEY: 'test', SLUICE_MODEL: 'standin' }; }
  async close() {
    this.process.child.kill('SIGTERM');
    await this.process.exited;
  }
}
