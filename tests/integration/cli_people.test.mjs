// Which session and which stage a command is about, and what programs get of the commands for people. The story of
// docs/TRANSCRIPT.md has what goes well; here is what is ambiguous, missing or refused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, sluiceBin } from './lib/server.mjs';
import { storeKind } from './lib/services.mjs';

const skip = storeKind() === 'postgres' ? 'the command line does not see the store' : false;
const scratch = mkdtempSync(join(tmpdir(), 'sluice-people-'));
const graph = {
  id: 'release',
  name: 'Release',
  nodes: {
    start: { type: 'start', next_ids: ['plan'] },
    plan: { type: 'stage', properties: { name: 'Plan it', checklist: ['goal', 'risks', 'goals of others', '7 days'] }, next_ids: ['build'] },
    build: { type: 'stage', properties: { name: 'Build it', deliverables: ['report'] }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};
let server;
before(async () => {
  if (skip) return;
  server = await new Server().start();
  writeFileSync(join(scratch, 'release.json'), JSON.stringify(graph));
  assert.equal((await cli('flow', 'create', 'release.json')).code, 0);
  assert.equal((await server.post('/workflows', { ...graph, id: 'retro', name: 'Looking back' })).status, 201);
});
after(async () => {
  await server?.close();
  rmSync(scratch, { recursive: true, force: true });
});

// As a script calls it; with `terminal`, what is typed there.
function cli(...args) {
  const { env = {}, terminal, typed = '' } = typeof args.at(-1) === 'object' ? args.pop() : {};
  const words = [sluiceBin(), ...args].map((w) => `'${w.replaceAll("'", `'\\''`)}'`).join(' ');
  const [program, ...rest] = terminal ? ['script', '-qfec', `exec ${words}`, '/dev/null'] : ['bash', '-c', `exec ${words}`];
  const child = spawn(program, rest, {
    cwd: scratch,
    env: { ...process.env, SLUICE_URL: server.url, SLUICE_KEY: '', SLUICE_LANG: 'en', SLUICE_USER: '', NO_COLOR: '1', TERM: 'xterm', ASAN_OPTIONS: 'abort_on_error=0:exitcode=99', ...env },
  });
  const run = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (d) => {
    run.out += d;
    if (terminal && /which one/.test(run.out) && !run.answered) child.stdin.write(run.answered = typed);
  });
  child.stderr.setEncoding('utf8').on('data', (d) => { run.err += d; });
  if (!terminal) child.stdin.end();
  return new Promise((done) => child.on('close', (code) => {
    assert.ok(!/Sanitizer|runtime error/.test(run.out + run.err), run.out + run.err);
    done(Object.assign(run, { code }));
  }));
}
const expect = (run, code) => { assert.equal(run.code, code, `${run.out}\n${run.err}`); return run; };
const json = async (...args) => JSON.parse(expect(await cli(...args, '--json'), 0).out);
const ids = {};

test('without a session: none, the only one, one of several', { skip }, async () => {
  assert.match(expect(await cli('session', 'show'), 3).err, /no session is live: sluice flow run WORKFLOW/);
  ids.one = await server.execute('release', {}, { name: 'Version 1' });
  assert.match(expect(await cli('session', 'show'), 0).out, /^name +Version 1$/m);
  ids.two = await server.execute('release', {}, { name: 'Version 2' });
  const several = expect(await cli('session', 'progress'), 2);
  assert.match(several.err, new RegExp(`several sessions are live.*${ids.two} +Version 2 +running.*${ids.one} +Version 1`, 's'));
  const hint = /^try: (sluice session switch \S+)$/m.exec(several.err)[1];
  assert.equal(several.out, '');
  // A terminal is asked; the answer is for this command only.
  const asked = expect(await cli('session', 'progress', { terminal: true, typed: '2\n' }), 0);
  assert.match(asked.out, /which one, 1 to 2\?/);
  assert.match(asked.out, new RegExp(`sluice stage start plan --session ${ids.one}`));
  expect(await cli('session', 'progress'), 2);
  expect(await cli(...hint.split(' ').slice(1)), 0);
  assert.match(expect(await cli('session', 'current'), 0).out, /Version 2/);
});

test('the active session is one for each user', { skip }, async () => {
  const ann = { env: { SLUICE_USER: 'ann' } };
  expect(await cli('session', 'switch', 'Version 1', ann), 0);
  assert.match((await cli('session', 'current', ann)).out, new RegExp(`^${ids.one} `));
  assert.match((await cli('session', 'current')).out, new RegExp(`^${ids.two} `));
  assert.match((await cli('session', 'list', ann)).out, new RegExp(`^${ids.one} +\\* +release`, 'm'));
  expect(await cli('session', 'current', '--clear', ann), 0);
  assert.match(expect(await cli('session', 'current', ann), 0).out, /^no session is the active one$/m);
  assert.equal((await json('session', 'current')).session_id, ids.two);
});

test('names: whole ones win, beginnings must be of one thing', { skip }, async () => {
  const two = expect(await cli('session', 'show', 'version'), 2);
  assert.match(two.err, /"version" may be each of these:/);
  assert.ok(two.err.includes(ids.one) && two.err.includes(ids.two));
  expect(await cli('session', 'pause', 'Version 1'), 0);
  expect(await cli('session', 'resume', 'VERSION 1'), 0);
  expect(await cli('flow', 'show', 're'), 2);
  assert.match(expect(await cli('flow', 'show', 'rel'), 0).out, /^id +release$/m);
  assert.match(expect(await cli('flow', 'show', 'looking'), 0).out, /^id +retro$/m);
  assert.match(expect(await cli('flow', 'show', 'nothing'), 3).err, /no workflow is called "nothing"/);
  assert.match((await cli('flow', 'show', 'nothing', '--lang', 'zh')).err, /没有工作流叫“nothing”/);
  expect(await cli('session', 'show', ''), 2);
});

test('items: by number, name, beginning; a stage before them', { skip }, async () => {
  const stage = async (...args) => (await json('stage', ...args)).items.map((i) => (i.done ? 'x' : '-')).join('');
  assert.equal(await stage('item', '2'), '-x--');
  assert.equal(await stage('item', 'goal'), 'xx--'); // a whole name wins
  assert.match(expect(await cli('stage', 'item', 'goa'), 2).err, /2 items of the stage begin with "goa"/);
  assert.equal(await stage('item', 'plan', 'goals', '--by', 'ann'), 'xxx-');
  assert.equal(await stage('item', '1', '2', '--undo'), '--x-');
  assert.equal(await stage('item', '7'), '--xx'); // a name that begins so, before a number
  assert.match(expect(await cli('stage', 'item', '9'), 3).err, /no item "9"/);
  expect(await cli('stage', 'item'), 2);
  expect(await cli('stage', 'item', '--note', 'what'), 2);
  assert.match(expect(await cli('stage', 'item', 'build', 'x', 'y'), 4).err, /the stage build has not begun/);
  assert.match(expect(await cli('stage', 'complete'), 4).err, /not done yet: goal\n.*not done yet: risks/s);
  assert.match((await cli('stage', 'complete', '--lang', 'zh')).err, /状态不允许: The stage is not done/);
  expect(await cli('stage', 'start', 'nowhere'), 3);
});

test('flow run in a session that is there', { skip }, async () => {
  assert.match(expect(await cli('flow', 'run', 'retro', '--session', 'Version 1'), 4).err, /the session runs release, not retro/);
  assert.match(expect(await cli('flow', 'run', 'release:plan', '--session', 'Version 1', '--by', 'ann'), 0).out, /^plan · Plan it · active/);
  expect(await cli('flow', 'run', 'release:nowhere'), 3);
  expect(await cli('flow', 'run', 'release:build', '--session', 'Version 1'), 4);
});

test('programs get the answers of the server, and nothing else', { skip }, async () => {
  const one = 'Version 1';
  assert.equal((await json('session', 'show', one)).id, ids.one);
  assert.equal((await json('session', 'progress', one)).stages.length, 2);
  assert.equal((await json('stage', 'list', one)).items[0].node_id, 'plan');
  assert.ok((await json('flow', 'next', one)).commands.length > 2);
  assert.deepEqual(Object.keys(await json('flow', 'context', one)), ['workflow', 'session', 'current', 'before', 'after']);
  assert.match(expect(await cli('flow', 'context', one, '--markdown'), 0).out, /^#+ .*Plan it/m);
  assert.ok((await json('session', 'logs', one, '--limit', '3')).items.length === 3);
  assert.ok((await json('session', 'stats')).total >= 2);
  assert.equal((await json('session', 'switch', one)).session_id, ids.one);
  assert.ok((await json('session', 'create', 'release', '--paused', '--tag', 'a', '--metadata', 'n=1')).session_id);
  const made = await json('session', 'show');
  assert.deepEqual([made.status, made.tags, made.metadata.n], ['paused', ['a'], 1]);
  assert.equal((await json('stage', 'show', 'plan', '--session', one)).session_id, ids.one);
  assert.equal((await json('flow', 'validate', 'release.json')).valid, true);
});

test('a file of stages is put right where it stands, or beside it', { skip }, async () => {
  const broken = 'id: f\nname: F\nstages:\n  - {id: plan, name: Plan}\n  - {id: build, name: Build, depends_on: [plam]}\n';
  writeFileSync(join(scratch, 'f.yaml'), broken);
  assert.match(expect(await cli('flow', 'validate', 'f.yaml'), 2).out, /sluice flow validate --fix f\.yaml/);
  expect(await cli('flow', 'validate', 'f.yaml', '--fix', '--output', 'g.json'), 0);
  assert.equal(readFileSync(join(scratch, 'f.yaml'), 'utf8'), broken);
  assert.deepEqual(JSON.parse(readFileSync(join(scratch, 'g.json'), 'utf8')).stages[1].depends_on, ['plan']);
  expect(await cli('flow', 'validate', 'f.yaml', '--fix'), 0);
  assert.match(readFileSync(join(scratch, 'f.yaml'), 'utf8'), /depends_on: ?(\[plan\]|\n *- plan)/);
  assert.match(expect(await cli('flow', 'import', 'f.yaml'), 0).out, /^f version 1$/m);
  expect(await cli('flow', 'import', 'f.yaml'), 4);
  expect(await cli('flow', 'import', 'f.yaml', '--id', 'other'), 0);
});

test('a session that is over, and its hints', { skip }, async () => {
  expect(await cli('session', 'abort', 'Version 2', '--reason', 'enough'), 0);
  expect(await cli('session', 'complete', 'Version 2'), 4);
  expect(await cli('stage', 'skip', 'plan', '--session', 'Version 2'), 4);
  expect(await cli('session', 'complete', 'Version 1'), 4); // items are missing
  expect(await cli('session', 'delete', 'Version 1'), 4);
  expect(await cli('session', 'delete', 'Version 1', '--force'), 0);
  expect(await cli('session', 'delete'), 2);
});
