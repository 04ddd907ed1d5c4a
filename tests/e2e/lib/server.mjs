// The server under test in a scratch folder: the real binary, or, when none is built, the page's own
// stand-in (web/dev/fake-server.mjs), which knows the same interface but cannot be killed and come back.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const repo = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const bin = process.env.SLUICE_BIN ?? join(repo, 'build/release/sluice');
// Who names a binary wants that one, and its absence is a failure.
export const isReal = process.env.SLUICE_BIN !== undefined || existsSync(bin);

export class Server {
  // options: env; args (further flags of the real one); standIn (flags of the page's stand-in, which is then used in any case)
  constructor(options = {}) {
    this.options = options;
    this.data = mkdtempSync(join(tmpdir(), 'sluice-e2e-'));
    this.port = 0;
  }

  async start() {
    const listen = ['--listen', `127.0.0.1:${this.port}`];
    const [program, args] = isReal && !this.options.standIn
      ? [bin, ['serve', ...listen, '--data', this.data, ...(this.options.args ?? [])]]
      : [process.execPath, [join(repo, 'web/dev/fake-server.mjs'), ...listen, '--speed', '2', ...(this.options.standIn ?? [])]];
    const clean = { OPENAI_API_KEY: '', OPENAI_BASE_URL: '', SLUICE_MODEL: '' };
    const child = spawn(program, args, { env: { ...process.env, ...clean, ...this.options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    let errors = '';
    child.stderr.on('data', (d) => { errors += d; });
    this.exited = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
    this.url = await new Promise((done, fail) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const m = /^listening on (http:\/\/.*:(\d+))$/.exec(line);
        if (m) done(m[1]);
      });
      this.exited.then(({ code, signal }) => fail(new Error(`${program} ended (${code ?? signal}) before it listened:\n${errors}`)));
    });
    this.port = Number(new URL(this.url).port); // the same one after a restart
    return this;
  }

  async kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    return this.exited;
  }

  async close() {
    const { code, signal } = await this.kill('SIGTERM');
    rmSync(this.data, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with ${code ?? signal}`);
  }

  async request(method, path, body) {
    const res = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.key ? { authorization: `Bearer ${this.key}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await res.text();
    if (!res.ok) throw new Error(`${method} ${path}: ${res.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  get(path) { return this.request('GET', path); }
  post(path, body = {}) { return this.request('POST', path, body); }

  async all(path) {
    const items = [];
    for (let cursor = ''; ;) {
      const page = await this.get(`${path}?limit=500${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      items.push(...page.items);
      if (!page.next_cursor) return items;
      cursor = page.next_cursor;
    }
  }

  // The workflows of the tests. The stand-in has its own of the same ids.
  async workflows(...list) {
    if (!isReal) return;
    for (const w of list) await this.request('POST', '/workflows', w);
  }
}
