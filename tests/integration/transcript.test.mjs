// docs/TRANSCRIPT.md and docs/TRANSCRIPT.zh.md are true: every `$ …` line of their console blocks is run, in order, against a
// real server, and what it prints is compared with what stands there. SLUICE_TRANSCRIPT_UPDATE=1 writes it anew.
//
// What differs from run to run is made the same by these rules, and by no others:
//   1. the n-th id that is seen is 00000000-0000-7000-8000-00000000000n, in commands, too;
//   2. a time is 2026-01-01T00:00:00Z, a day 2026-01-01, the time that something took 0.0 s;
//   3. spaces at the end of a line are not there;
//   4. the servers are http://127.0.0.1:8080 and, the second one, http://127.0.0.1:8081.
// A command that fails has `[exit N]` as its last line. Files come from blocks after `<!-- file: NAME -->`.
//
// Each hint (a line `  sluice …  # why`) is run as it stands, too, on a server of its own over a backup taken at that moment;
// of hints that differ by ids only the first, but with SLUICE_TRANSCRIPT_HINTS=every all of them.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Server, repo, sluiceBin } from './lib/server.mjs';
import { storeKind } from './lib/services.mjs';

const elsewhere = storeKind() === 'postgres' ? 'backups are of SQLite' : false;
const update = process.env.SLUICE_TRANSCRIPT_UPDATE === '1';
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const everyHint = process.env.SLUICE_TRANSCRIPT_HINTS === 'every'; // else one of those that differ by ids only
const HINT = /^ {2}(sluice .*?) {2}# /;

// ---- the page ----

// [{command, output, at}] with at: which lines of the page the output is; and the files.
function read(page) {
  const lines = page.split('\n');
  const steps = [];
  const files = {};
  let block = null; // null: prose, else its language
  let name = null; // of the file that comes next
  for (const [i, line] of lines.entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (fence && block === null) {
      block = fence[1];
      if (name) files[name] = [];
    } else if (fence) {
      block = null;
      name = null;
    } else if (block === null) {
      name = /^<!-- file: (\S+) -->$/.exec(line)?.[1] ?? (line === '' ? name : null);
    } else if (name) {
      files[name].push(line);
    } else if (block === 'console' && line.startsWith('$ ')) {
      steps.push({ command: line.slice(2), from: i + 1, output: [] });
    } else if (block === 'console') {
      steps.at(-1).output.push(line);
    }
  }
  return { lines, steps, files };
}

// ---- the rules ----

class Names {
  constructor(urls) {
    this.urls = urls;
    this.ids = [];
  }
  fake(n) { return `00000000-0000-7000-8000-${String(n + 1).padStart(12, '0')}`; }
  // What came from the server, for the page.
  hide(text) {
    const out = text.replace(UUID, (id) => {
      if (!this.ids.includes(id)) this.ids.push(id);
      return this.fake(this.ids.indexOf(id));
    });
    return this.urls.reduce((t, url, i) => t.replaceAll(url, `http://127.0.0.1:${8080 + i}`), out)
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z/g, (_, ms) => `2026-01-01T00:00:00${ms ? '.000' : ''}Z`)
      .replace(/\b20\d\d-\d\d-\d\d\b/g, '2026-01-01').replace(/ +$/gm, '')
      .replace(/\b(?:\d+ h \d+ min|\d+ min \d+ s|\d+(?:\.\d)? s)\b/g, '0.0 s')
      .replace(/\d+ 小时 \d+ 分|\d+ 分 \d+ 秒|\d+(?:\.\d)? 秒/g, '0.0 秒');
  }
  // What stands on the page, for the server.
  show(text) {
    const out = text.replace(/00000000-0000-7000-8000-(\d{12})/g, (fake, n) => this.ids[Number(n) - 1] ?? fake);
    return this.urls.reduce((t, url, i) => t.replaceAll(`http://127.0.0.1:${8080 + i}`, url), out);
  }
}

// ---- running ----

const environment = (url, lang) => ({
  ...process.env, PATH: `${dirname(sluiceBin())}:${process.env.PATH}`, SLUICE_URL: url, SLUICE_KEY: '', SLUICE_LANG: lang, SLUICE_USER: '',
  NO_COLOR: '1', TERM: 'dumb', LC_ALL: 'C.UTF-8', ASAN_OPTIONS: 'abort_on_error=0:exitcode=99',
});

function sh(command, { cwd, url, lang }) {
  return new Promise((done) => {
    const child = spawn('bash', ['-c', `${command} 2>&1`], { cwd, env: environment(url, lang), stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), 30000);
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (d) => { out += d; });
    child.on('close', (code, signal) => { clearTimeout(timer); done({ code: code ?? signal, out }); });
  });
}

// The store and the files as they are now; a hint changes its own copy only.
function snapshot(server, cwd) {
  const data = mkdtempSync(join(tmpdir(), 'sluice-hint-'));
  const copied = spawnSync(sluiceBin(), ['backup', join(data, 'sluice.db'), '--data', server.scratch], { encoding: 'utf8' });
  assert.equal(copied.status, 0, copied.stderr);
  cpSync(cwd, join(data, 'files'), { recursive: true });
  return data;
}

async function hintWorks(hint, data, lang) {
  const copy = await new Server({ data }).start();
  const run = await sh(hint, { cwd: join(data, 'files'), url: copy.url, lang });
  await copy.close();
  rmSync(data, { recursive: true });
  assert.equal(run.code, 0, `the hint does not work: ${hint}\n${run.out}`);
}

// Hints are run beside the story, a few at a time.
class Hints {
  constructor(lang) { Object.assign(this, { lang, seen: new Set(), queue: [], workers: [] }); }
  see(text, hint, server, cwd) {
    const shape = everyHint ? text : text.replace(UUID, 'ID');
    if (this.seen.has(shape)) return;
    this.seen.add(shape);
    this.queue.push([hint, snapshot(server, cwd)]);
    if (this.workers.length < 3) this.workers.push(this.work().catch((e) => { this.failed ??= e; }));
  }
  async work() {
    while (this.queue.length) await hintWorks(...this.queue.shift(), this.lang);
  }
  async end() {
    await Promise.all(this.workers);
    await this.work();
    if (this.failed) throw this.failed;
  }
}

async function play(file, lang, withHints) {
  const page = read(readFileSync(join(repo, 'docs', file), 'utf8'));
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-transcript-'));
  const server = await new Server().start();
  const other = await new Server().start();
  const names = new Names([server.url, other.url]);
  const hints = new Hints(lang);
  for (const [name, lines] of Object.entries(page.files)) writeFileSync(join(cwd, name), `${lines.join('\n')}\n`);
  try {
    for (const step of page.steps) {
      const { code, out } = await sh(names.show(step.command), { cwd, url: server.url, lang });
      assert.ok(!/Sanitizer|runtime error/.test(out), out);
      step.got = out ? names.hide(out).replace(/\n$/, '').split('\n') : [];
      if (code !== 0) step.got.push(`[exit ${code}]`);
      if (!update) assert.equal(step.got.join('\n'), step.output.join('\n'), `$ ${step.command}   (docs/${file}:${step.from})`);
      if (step.command.includes('--server')) continue; // its hints are about another server
      for (const hint of withHints ? step.got.map((l) => HINT.exec(l)?.[1]).filter(Boolean) : []) hints.see(hint, names.show(hint), server, cwd);
    }
    await hints.end();
  } finally {
    await server.close();
    await other.close();
    rmSync(cwd, { recursive: true, force: true });
  }
  return { page, hints: hints.seen };
}

function rewrite(file, { lines, steps }) {
  const out = [...lines];
  for (const step of [...steps].reverse()) out.splice(step.from, step.output.length, ...step.got);
  writeFileSync(join(repo, 'docs', file), out.join('\n'));
}

// ---- tests ----

// Every command of these groups that people move sessions with; those that ask a model, or follow, are not part of the story.
const notTold = ['flow generate', 'flow estimate', 'flow schema', 'session watch', 'session input', 'session answer', 'session messages', 'session fork', 'session retry', 'session cancel'];

test('the story in English: every command, every hint', { skip: elsewhere }, async () => {
  const { page, hints } = await play('TRANSCRIPT.md', 'en', true);
  if (update) rewrite('TRANSCRIPT.md', page);
  assert.ok(hints.size > 15, `${hints.size} hints`);
  const help = spawnSync(sluiceBin(), ['help'], { encoding: 'utf8', env: environment('', 'en') }).stdout;
  const commands = [...help.matchAll(/^ {2}sluice ((?:flow|session|stage) \S+)/gm)].map((m) => m[1]);
  assert.ok(commands.length > 30);
  const told = page.steps.map((s) => s.command).join('\n');
  assert.deepEqual(commands.filter((c) => !notTold.includes(c) && !told.includes(`sluice ${c}`)), []);
});

test('the same story in Chinese', { skip: elsewhere }, async () => {
  const { page } = await play('TRANSCRIPT.zh.md', 'zh', false);
  if (update) rewrite('TRANSCRIPT.zh.md', page);
  const english = read(readFileSync(join(repo, 'docs', 'TRANSCRIPT.md'), 'utf8'));
  const verbs = (steps) => steps.map((s) => s.command.split(' ').slice(0, 3).join(' '));
  assert.deepEqual(verbs(page.steps), verbs(english.steps));
});
