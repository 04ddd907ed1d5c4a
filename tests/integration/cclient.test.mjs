// libsluice as other programs have it: installed into a scratch folder, its examples built outside of the tree in each way of linking, and
// run against the real server. Does not depend on the store.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, repo, sluiceBin } from './lib/server.mjs';

const build = dirname(sluiceBin());
const scratch = mkdtempSync(join(tmpdir(), 'sluice-c-'));
const prefix = join(scratch, 'prefix');
const source = join(scratch, 'source');
const examples = ['flow_session', 'stage_instances', 'status_sync', 'session_store', 'live_follow'];
// A library under the sanitizers wants programs that are, too.
const sanitizers = /^SLUICE_SANITIZE:\w+=(.+)$/m.exec(readFileSync(join(build, 'CMakeCache.txt'), 'utf8'))?.[1];
const flags = ['-Wall', '-Wextra', '-Wpedantic', '-Werror', '-std=gnu99', ...(sanitizers ? [`-fsanitize=${sanitizers}`] : [])];
let server;

function run(command, args, env = {}) {
  const r = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 60000 });
  assert.equal(r.status, 0, `${command} ${args.join(' ')}\n${r.stdout}${r.stderr}`);
  return r.stdout;
}
const packages = (...args) => run('pkg-config', args, { PKG_CONFIG_PATH: join(prefix, 'lib/pkgconfig') }).trim().split(/\s+/);
const shared = { LD_LIBRARY_PATH: join(prefix, 'lib') };

// A program with the server's address, under way: until(text) waits until it has said that.
function begin(path, args = [], env = {}, at = server) {
  const child = spawn(path, [at.url, ...args], { env: { ...process.env, ...env } });
  const program = { out: '', waiters: [] };
  const heard = (d) => { program.out += d; program.waiters.splice(0).forEach((wake) => wake()); };
  child.stdout.on('data', heard);
  child.stderr.on('data', heard);
  program.ended = new Promise((done) => child.on('close', (code) => { heard(''); done({ code, out: program.out }); }));
  program.until = async (text) => {
    while (!program.out.includes(text)) {
      assert.equal(child.exitCode, null, `it ended without "${text}":\n${program.out}`);
      await new Promise((wake) => program.waiters.push(wake));
    }
  };
  return program;
}
const program = (...how) => begin(...how).ended;
async function says(path, expected, env, args, at) {
  const { code, out } = await program(path, args, env, at);
  assert.equal(out.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID'), expected.replace(/^\n/, ''));
  assert.equal(code, 0);
}

before(async () => {
  run('cmake', ['--install', build, '--prefix', prefix]);
  cpSync(join(repo, 'examples/c'), source, { recursive: true });
  server = await new Server({ store: 'sqlite' }).start();
});
after(async () => {
  await server?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const declared = () => [...readFileSync(join(repo, 'include/sluice/client.h'), 'utf8').matchAll(/^SLUICE_API [^;]*?\b(sluice_\w+)\(/gm)].map((m) => m[1]);
const symbols = (file, ...args) => run('nm', [...args, '--defined-only', join(prefix, 'lib', file)]).split('\n')
  .map((line) => /^[0-9a-f]+ ([A-Z]) (\w+)$/.exec(line)).filter((m) => m && m[1] !== 'A' && !m[2].startsWith('__')).map((m) => m[2]);

test('what is installed: the command, the library, the headers, the packages; nothing else is to be seen of it', () => {
  const files = ['bin/sluice', 'lib/libsluice.a', 'lib/libsluice.so', 'lib/libsluice.so.0', 'include/sluice/client.h', 'include/sluice/plugin.h',
    'lib/pkgconfig/sluice.pc', 'lib/cmake/Sluice/SluiceConfig.cmake', 'lib/cmake/Sluice/SluiceConfigVersion.cmake'];
  for (const file of files) assert.ok(existsSync(join(prefix, file)), file);
  const names = declared().sort();
  assert.ok(names.length > 80);
  assert.deepEqual([...new Set(names)], names);
  assert.deepEqual(symbols('libsluice.so', '-D').sort(), names);
  assert.deepEqual(symbols('libsluice.a', '-g').sort(), names);
  assert.match(run('objdump', ['-p', join(prefix, 'lib/libsluice.so')]), /SONAME +libsluice\.so\.0\n/);
});

test('docs/CLIENT.md has every function', () => {
  const text = readFileSync(join(repo, 'docs/CLIENT.md'), 'utf8');
  assert.deepEqual(declared().filter((name) => !text.includes(`\`${name}\``)), []);
});

test('every call is made by an example or by tests/client/calls.c', () => {
  const code = [...examples.map((e) => `examples/c/${e}.c`), 'tests/client/calls.c'].map((f) => readFileSync(join(repo, f), 'utf8')).join('\n');
  const text = readFileSync(join(repo, 'include/sluice/client.h'), 'utf8');
  const calls = [...text.slice(text.indexOf('/* ---- flow definitions')).matchAll(/^SLUICE_API struct sluice_request \*\s?(sluice_\w+)\(/gm)].map((m) => m[1]);
  assert.ok(calls.length > 45, String(calls.length));
  assert.deepEqual(calls.filter((name) => !code.includes(`${name}(`)), []);
});

const compiled = (name, how) => join(scratch, how, name);
const outputs = {
  flow_session: `
defined
- one: running
- two: running
paused
number one is paused
resumed
completed
number one is completed
aborted
two is cancelled
refused: conflict
deleted one
deleted two
deleted the definition
`,
  stage_instances: `
Draft is active
outline ticked
25 %, 0 of 2 stages
not yet: {"missing":{"items":["text"],"deliverables":["file"]}}
updated
2 of 2 items, 12 pages
draft completed
- Draft: completed
- Proof: active
Proof is active
proof skipped
100 %, 2 of 2 stages
deleted
`,
  status_sync: `
session is IN_PROGRESS
ours -> ON_HOLD
session is ON_HOLD
ours -> IN_PROGRESS
session is IN_PROGRESS
ours -> COMPLETED
session is COMPLETED
in the end COMPLETED
`,
  session_store: `
exists
the other does not
updated
the second one with that version is stale
one: drafting, metadata {"shelf":"a","tries":[2,3],"by":"ann"}
saved two
shelf a: one two
shelf b: three
deleted two
shelf a: one
deleted
`,
  live_follow: `
the session is running
start: running
start: completed
write: running
once upon a time
write: completed
ask: running
ask: suspended
asked: Shall it be printed?
ask: running
ask: completed
end: running
end: completed
the session is completed
`,
};

for (const how of ['shared', 'static']) {
  test(`by pkg-config, ${how}: each example does what it says`, async () => {
    const name = how === 'shared' ? 'sluice' : 'sluice-static';
    const [cflags, libs] = [packages('--cflags', name), packages('--libs', name, 'libuv')];
    mkdirSync(join(scratch, how));
    for (const example of examples) {
      run('cc', [...flags, ...cflags, join(source, `${example}.c`), '-o', compiled(example, how), ...libs]);
      await says(compiled(example, how), outputs[example], how === 'shared' ? shared : {});
    }
    const needed = run('objdump', ['-p', compiled(examples[0], how)]);
    assert.equal(/NEEDED +libsluice/.test(needed), how === 'shared');
  });

  test(`by find_package, ${how}: they build, and run`, async () => {
    const folder = join(scratch, `cmake-${how}`);
    run('cmake', ['-S', source, '-B', folder, `-DCMAKE_PREFIX_PATH=${prefix}`, '-G', 'Ninja', '-DCMAKE_C_COMPILER_WORKS=1', `-DCMAKE_C_FLAGS=${flags.join(' ')}`,
      `-DSTATIC=${how === 'static' ? 'ON' : 'OFF'}`]);
    run('cmake', ['--build', folder]);
    await says(join(folder, 'status_sync'), outputs.status_sync);
  });
}

const calls = join(build, 'tests/client/client_calls');
const answers = `
workflow_validate: ok true
workflow_validate bad: ok false
workflow_create: ok "c-calls" 1
workflow_create again: conflict
  there is a workflow with this id already; PUT makes a new version
workflow_update: ok 2
workflow_get: ok "c-calls" 1 "start"
workflow_list: ok "c-calls" null
workflow_export: ok
  YAML
workflow_diagram: ok
  flowchart
workflow_import: ok "c-staged"
session_create: ok "started"
review_list: ok "ask" "pending"
review_get: ok "pending"
session_next: ok
session_input: ok "input_sent"
review_answer: ok "resumed"
review_answer again: conflict
  Node "ask" is not suspended; it is completed.
status_get: ok "FLOW" "IN_PROGRESS"
status_list: ok "IN_PROGRESS"
current_set: ok
current_get: ok
  it
current_clear: ok
session_signal: ok "signal_sent"
session_get: ok "completed" {"n":5}
session_events: ok "running" "completed"
session_messages: ok "hello"
session_progress: ok "completed"
session_fork: ok -
review_answer: ok "resumed"
session_retry: ok -
session_delete: ok
session_create: ok "started"
session_stop: ok "failed"
status_get: ok "FAILED"
session_complete: conflict
  the session has ended: it is FAILED
session_export: ok
session_import, it is here: conflict
  session ID exists already
session_delete: ok
session_import: ok
session_get: ok "completed" {"n":5}
webhook_create: ok "http://127.0.0.1:1/told" false
webhook_list: ok "http://127.0.0.1:1/told"
webhook_delete: ok
webhook_delete again: not_found
workflow_delete: ok
workflow_get: not_found
`;

test('the other calls, one by one', () => says(calls, answers));

test('over TLS: a certificate that is trusted, and one that is not', async () => {
  const [cert, key] = [join(scratch, 'cert.pem'), join(scratch, 'key.pem')];
  run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=here',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]);
  const safe = await new Server({ store: 'sqlite', args: ['--tls-cert', cert, '--tls-key', key] }).start();
  try {
    await says(calls, answers, { SLUICE_CA: cert }, [], safe);
    const { code, out } = await program(calls, [], {}, safe);
    assert.match(out, /^workflow_validate: unavailable\n {2}https:\/\/127\.0\.0\.1:\d+: .*certificate/);
    assert.equal(code, 1);
  } finally { await safe.close(); }
});

test('an example tells what went wrong, and ends with 1', () => {
  const r = spawnSync(compiled('flow_session', 'static'), ['http://127.0.0.1:1'], { encoding: 'utf8' });
  assert.equal(r.status, 1);
  assert.match(r.stderr, /^defined: http:\/\/127\.0\.0\.1:1: .* \(unavailable\)\n$/);
});

test('a follower goes on behind its last event when the server was killed', async () => {
  const graph = {
    nodes: {
      start: { type: 'start', next_ids: ['one'] },
      one: { type: 'stage', next_ids: ['two'] },
      two: { type: 'stage', next_ids: ['end'] },
      end: { type: 'end' },
    },
  };
  const id = await server.execute(graph);
  const follower = begin(compiled('live_follow', 'static'), [id]);
  const complete = async (node) => {
    await follower.until(`${node}: suspended`);
    const { items } = (await server.get(`/sessions/${id}/stages`)).json;
    assert.equal((await server.post(`/stages/${items.find((s) => s.node_id === node).instance_id}/complete`)).status, 200);
  };
  await complete('one');
  await server.kill();
  await server.start();
  await complete('two');
  const { code, out } = await follower.ended;
  const expected = (await server.events(id)).flatMap((e) => {
    if (e.type === 'session_state_change') return [`the session is ${e.data.to}`];
    if (e.type === 'node_state_change') return [`${e.node_id}: ${e.data.to}`];
    return [];
  });
  assert.deepEqual(out.split('\n').filter((l) => l && !l.startsWith('asked: ')), expected);
  assert.equal(code, 0);
});

// The last one: from the first key on, the server demands one.
test('with keys: who has none, and who may only look, is told so', async () => {
  const key = async (role, by) => {
    const r = await server.post('/keys', { name: `c ${role}`, role }, by ? { authorization: `Bearer ${by}` } : {});
    assert.equal(r.status, 201, r.text);
    return r.json.key;
  };
  const admin = await key('admin');
  const viewer = await key('viewer', admin);
  const story = compiled('flow_session', 'static');
  const refused = async (SLUICE_KEY, code) => {
    const { code: exit, out } = await program(story, [], { SLUICE_KEY });
    assert.match(out, new RegExp(`^defined: .* \\(${code}\\)\\n$`));
    assert.equal(exit, 1);
  };
  await refused('', 'unauthorized');
  await refused('nonsense', 'unauthorized');
  await refused(viewer, 'forbidden');
  await says(story, outputs.flow_session, { SLUICE_KEY: admin });
});
