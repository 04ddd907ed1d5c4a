// Completion in the shells themselves: the script that `sluice completion` gives, what the table of commands
// says, and the names that the server has. Shells that are not installed are skipped.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, sluiceBin } from './lib/server.mjs';
import { storeKind } from './lib/services.mjs';

const elsewhere = storeKind() === 'postgres' ? 'the shells do not see the store' : false;
const has = (shell) => spawnSync(shell, ['--version']).status === 0;
const home = mkdtempSync(join(tmpdir(), 'sluice-shells-')); // fish writes there
let server;
let id;
before(async () => {
  if (elsewhere) return;
  server = await new Server().start();
  const made = await server.post('/workflows', {
    id: 'feature-x',
    nodes: {
      start: { type: 'start', next_ids: ['plan'] },
      plan: { type: 'stage', properties: { checklist: ['goal'] }, next_ids: ['end'] },
      end: { type: 'end' },
    },
  });
  assert.equal(made.status, 201, made.text);
  id = await server.execute('feature-x', {}, { name: 'Login' });
  await server.request('PUT', '/current', { session_id: id });
});
after(async () => {
  await server?.close();
  rmSync(home, { recursive: true, force: true });
});

const env = () => ({
  ...process.env, PATH: `${dirname(sluiceBin())}:${process.env.PATH}`, SLUICE_URL: server.url, SLUICE_KEY: '', SLUICE_LANG: 'en',
  XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, HOME: home,
});
const sh = (shell, args, extra = {}) => {
  const run = spawnSync(shell, args, { encoding: 'utf8', timeout: 20000, env: { ...env(), ...extra } });
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  return run.stdout.split('\n').filter(Boolean);
};

// As readline calls it: the line cut at spaces and at COMP_WORDBREAKS.
const bash = (line, extra) => {
  const words = line.split(/(?=[:=])|(?<=[:=])| /).flatMap((w) => (w === '' ? [''] : [w]));
  if (line.endsWith(' ') && words.at(-1) !== '') words.push('');
  const quoted = words.map((w) => `'${w}'`).join(' ');
  return sh('bash', ['--norc', '-c', `source <(sluice completion bash); COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`], extra);
};

test('bash', { skip: elsewhere }, () => {
  assert.deepEqual(bash('sluice ses'), ['session']);
  assert.deepEqual(bash('sluice session sw'), ['switch']);
  assert.deepEqual(bash('sluice session list --status p'), ['pending', 'paused']);
  assert.deepEqual(bash('sluice session list --status=p'), ['pending', 'paused']);
  assert.deepEqual(bash('sluice session show '), [id, 'Login']);
  assert.deepEqual(bash('sluice session show Lo'), ['Login']);
  assert.deepEqual(bash('sluice flow run fea'), ['feature-x']);
  assert.deepEqual(bash('sluice stage complete pl'), ['plan']);
  assert.deepEqual(bash('sluice flow run feature-x --session=L'), ['Login']);
});

test('bash: quickly and silently without a server', { skip: elsewhere }, async () => {
  assert.deepEqual(bash('sluice session show ', { SLUICE_URL: 'http://127.0.0.1:1' }), []);
  // One that takes the connection and says nothing; the shell gets its prompt back.
  const silent = createServer().listen(0, '127.0.0.1');
  await new Promise((go) => silent.once('listening', go));
  const begun = Date.now();
  const child = spawn('sluice', ['completion', 'words', '--', 'session', 'show', ''], { env: { ...env(), SLUICE_URL: `http://127.0.0.1:${silent.address().port}` } });
  let out = '';
  child.stdout.on('data', (d) => { out += d; });
  child.stderr.on('data', (d) => { out += d; });
  const code = await new Promise((go) => child.on('close', go));
  silent.close();
  assert.deepEqual([code, out], [0, '']);
  assert.ok(Date.now() - begun < 10000);
});

// zsh completes in a terminal only, so what it would be told is taken where it is told.
test('zsh', { skip: elsewhere || (!has('zsh') && 'no zsh here') }, () => {
  const zsh = (...words) => sh('zsh', ['-f', '-c', `
    compdef() { :; }; _files() { print -r -- files }; compset() { :; }
    _describe() { shift 2; print -rl -- "\${(@P)1}" }
    source <(sluice completion zsh)
    words=(${words.map((w) => `'${w}'`).join(' ')}); CURRENT=$#words; PREFIX=$words[-1]; _sluice`]);
  assert.deepEqual(zsh('sluice', 'session', 'sw'), ['switch:make it the active one']);
  assert.deepEqual(zsh('sluice', 'session', 'show', ''), [`${id}:Login`, `Login:${id}`]);
  assert.deepEqual(zsh('sluice', 'flow', 'update', 'x', ''), ['files']);
});

test('fish', { skip: elsewhere || (!has('fish') && 'no fish here') }, () => {
  const fish = (line) => sh('fish', ['--no-config', '-c', `sluice completion fish | source; complete -C '${line}'`]);
  assert.deepEqual(fish('sluice session sw'), ['switch\tmake it the active one']);
  assert.deepEqual(fish('sluice session show L'), [`Login\t${id}`]);
  assert.deepEqual(fish('sluice session list --status=pa'), ['--status=paused']);
});
