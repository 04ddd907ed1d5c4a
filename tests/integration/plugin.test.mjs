// Native plugins against the real binary: the example is built outside the tree against the installed
// header; tests/plugins/bad.c breaks every promise.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server, repo, sluiceBin } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

const build = dirname(sluiceBin());
const scratch = mkdtempSync(join(tmpdir(), 'sluice-plugin-'));
const typewriter = join(scratch, 'build/typewriter.so');
const bad = join(build, 'tests/plugins/bad.so');
let server;

function run(command, ...args) {
  const r = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(r.status, 0, `${command} ${args.join(' ')}\n${r.stdout}${r.stderr}`);
  return r.stdout;
}

before(async () => {
  run('cmake', '--install', build, '--component', 'sdk', '--prefix', join(scratch, 'sdk'));
  cpSync(join(repo, 'examples/plugin'), join(scratch, 'source'), { recursive: true });
  run('cmake', '-S', join(scratch, 'source'), '-B', join(scratch, 'build'), `-DCMAKE_PREFIX_PATH=${join(scratch, 'sdk')}`,
    '-DCMAKE_EXPORT_COMPILE_COMMANDS=ON', '-DCMAKE_C_FLAGS=-Wall -Wextra -Wpedantic -Werror');
  run('cmake', '--build', join(scratch, 'build'));
  server = await new Server({ args: ['--plugin', typewriter] }).start();
});
after(async () => {
  await server?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const text = 'The quick brown fox jumps over the lazy dog, and nobody minds.';
const one = (type, properties, more = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['work'] },
    work: { type, properties, next_ids: ['end'], ...more },
    end: { type: 'end' },
  },
});
const typed = (r) => r.events.filter((e) => e.type === 'token_stream').map((e) => e.data.chunk).join('');
const silence = (ms) => new Promise((go) => setTimeout(go, ms)); // only where the absence of events is what is tested

test('the example is built against the installed header alone', () => {
  const commands = readFileSync(join(scratch, 'build/compile_commands.json'), 'utf8');
  assert.ok(commands.includes(join(scratch, 'sdk/include')));
  assert.ok(!commands.includes(repo));
});

test('what a plugin types is seen live, stops in the middle at a pause, and ends whole', async () => {
  const id = await server.execute(one('acme.typewriter', { text, per_second: 50 }));
  const reader = new Reader(server, id);
  await reader.until((r) => typed(r).length > 4);
  assert.equal((await server.post(`/sessions/${id}/pause`)).status, 200);
  await reader.untilEvent('session_state_change', (e) => e.data.to === 'paused');
  const seen = typed(reader);
  assert.ok(seen.length < text.length && text.startsWith(seen));
  const last = reader.events.length;
  await silence(700);
  assert.equal(reader.events.length, last);
  assert.equal((await server.post(`/sessions/${id}/resume`)).status, 200);
  assert.equal((await reader.ended()).data.to, 'completed');
  const log = await server.events(id);
  checkLog(log, id);
  checkReader(reader, log);
  checkMessages(log, id);
  assert.equal(log.find((e) => e.type === 'message').data.content, text);
  assert.deepEqual(log.at(-1).data.output, { typed: text.length, text });
  assert.ok(log.some((e) => e.type === 'log' && e.data.text === 'typed to the end'));
  assert.equal((await server.get(`/sessions/${id}/nodes`)).json.items.find((n) => n.node_id === 'work').type, 'acme.typewriter');
  reader.close();
});

test('its type may be called as a tool, with arguments that hold to its schema', async () => {
  const id = await server.execute(one('tool', { tool: 'acme.typewriter', arguments: { text: '{{ input.t }}', per_second: 1000 } }), { t: 'short' });
  const reader = new Reader(server, id);
  assert.deepEqual((await reader.ended()).data.output, { typed: 5, text: 'short' });
  assert.equal(typed(reader), '');
  reader.close();
  const wrong = new Reader(server, await server.execute(one('tool', { tool: 'acme.typewriter', arguments: { text: 7 } })));
  assert.equal((await wrong.ended()).data.error.code, 'invalid_arguments');
  wrong.close();
});

test('a cancel ends it, and what was typed is kept', async () => {
  const id = await server.execute(one('acme.typewriter', { text, per_second: 20 }));
  const reader = new Reader(server, id);
  await reader.until((r) => typed(r).length > 2);
  assert.equal((await server.post(`/sessions/${id}/cancel`)).status, 200);
  assert.equal((await reader.ended()).data.to, 'cancelled');
  const log = await server.events(id);
  checkMessages(log, id);
  assert.equal(log.find((e) => e.type === 'message').data.finish_reason, 'cancelled');
  reader.close();
});

test('killed in the middle, it goes on from what it had saved', async () => {
  const id = await server.execute(one('acme.typewriter', { text, per_second: 30 }));
  const reader = new Reader(server, id, { reconnect: true });
  await reader.until((r) => typed(r).length > 8);
  await server.kill();
  await server.start();
  assert.equal((await reader.ended()).data.to, 'completed');
  const log = await server.events(id);
  checkLog(log, id);
  checkReader(reader, log);
  const reset = log.findIndex((e) => e.type === 'stream_reset');
  assert.ok(reset > 0);
  const again = log.slice(reset).filter((e) => e.type === 'token_stream').map((e) => e.data.chunk);
  assert.ok(again[0].length >= 8, `it began again with "${again[0]}"`);
  assert.equal(again.join(''), text);
  assert.equal(log.find((e) => e.type === 'message').data.content, text);
  reader.close();
});

test('properties are held to the schema of the type', async () => {
  const r = await server.post('/workflows/validate', one('acme.typewriter', { text: 3, fast: true }));
  assert.equal(r.json.valid, false);
  assert.match(r.json.errors[0].message, /acme\.typewriter/);
  const unknown = await server.post('/workflows/validate', one('acme.typewritr', {}));
  assert.match(unknown.json.errors[0].message, /did you mean "acme\.typewriter"/);
  const id = await server.execute(one('acme.typewriter', { text: '{{ input.n }}', per_second: 5 }), { n: 3 });
  const reader = new Reader(server, id);
  const end = await reader.ended();
  assert.equal(end.data.error.code, 'invalid_properties');
  reader.close();
});

test('a server does not start with a plugin that is none', () => {
  const r = spawnSync(sluiceBin(), ['serve', '--data', join(scratch, 'none'), '--plugin', '/dev/null'], { encoding: 'utf8' });
  assert.notEqual(r.status, 0);
  assert.match(r.stderr, /\/dev\/null: /);
  assert.ok(!existsSync(join(scratch, 'none/sluice.db')));
});

test('one that blocks is named, its node times out, and the server still ends', async () => {
  const s = await new Server({ args: ['--plugin', bad] }).start();
  const id = await s.execute(one('bad.blocks', { forever: true }, { timeout_ms: 300 }));
  const reader = new Reader(s, id);
  const end = await reader.ended();
  assert.equal(end.data.to, 'failed');
  assert.equal(end.data.error.code, 'timeout');
  reader.close();
  await s.close();
  assert.match(s.log, /plugin "bad" \(bad\.blocks\)/);
});

test('one that leaks or returns rubbish is named in the session', async () => {
  const s = await new Server({ args: ['--plugin', typewriter, '--plugin', bad] }).start();
  const graph = one('bad.leaks', {});
  graph.nodes.work.next_ids = ['rubbish'];
  graph.nodes.rubbish = { type: 'bad.rubbish', properties: {}, next_ids: ['end'] };
  const reader = new Reader(s, await s.execute(graph));
  const end = await reader.ended();
  assert.equal(end.data.error.code, 'plugin_error');
  const said = reader.events.filter((e) => e.type === 'log').map((e) => e.data.text);
  assert.deepEqual(said, [
    'plugin "bad" (bad.leaks): it left 1000 bytes in 1 blocks behind',
    'plugin "bad" (bad.rubbish): its output is not JSON',
  ]);
  reader.close();
  await s.close();
});

test('one that crashes is named by the dying server, and does not crash it for ever', async () => {
  const s = await new Server({ args: ['--plugin', bad] }).start();
  const id = await s.execute(one('bad.crashes', {}));
  const lastWords = /plugin "bad" crashed in a node of type "bad\.crashes"/;
  let deaths = 0, session = null, up = true;
  const gone = () => s.process.exited.then(() => false);
  while (session?.status !== 'failed') {
    // While it is up: has the session ended?
    while (up && session?.status !== 'failed') {
      up = await Promise.race([gone(), s.get(`/sessions/${id}`).then((r) => { session = r.json; return true; }, () => gone())]);
    }
    if (up) break;
    deaths++;
    assert.match(s.process.stderr(), lastWords);
    assert.ok(deaths < 10, 'it crashes for ever');
    up = await s.start().then(() => true, () => false); // it may crash before it listens
  }
  assert.equal(session.error.code, 'plugin_crashed');
  assert.equal(deaths, 5);
  checkLog(await s.events(id), id);
  assert.equal((await s.kill('SIGTERM')).code, 0);
  s.log = ''; // of the dead: their last words are what was wanted
  await s.close();
});
