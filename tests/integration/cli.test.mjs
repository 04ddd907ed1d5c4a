// The command line against the real server: what it shows, what it prints for programs, its exit codes,
// and (in a pseudo-terminal) its questions.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server, Standin, repo, sluiceBin } from './lib/server.mjs';

let server;
let standin;
const scratch = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
before(async () => {
  standin = await new Standin().start();
  server = await new Server({ env: standin.env, args: ['--examples', `${repo}/examples`] }).start();
});
after(async () => {
  await server?.close();
  await standin?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const running = new Set();
function start(args, { env = {}, input, terminal } = {}) {
  const words = [sluiceBin(), ...args];
  // util-linux's `script` lends a pseudo-terminal, and passes our bytes on as if they were typed. A
  // shell that stayed would take Ctrl-C too, and answer 130 for it.
  const [program, ...rest] = terminal
    ? ['script', '-qfec', 'exec ' + words.map((w) => `'${w.replaceAll("'", `'\\''`)}'`).join(' '), '/dev/null'] : words;
  const child = spawn(program, rest, {
    env: { ...process.env, SLUICE_URL: server.url, SLUICE_KEY: '', SLUICE_LANG: 'en', NO_COLOR: '1', TERM: 'xterm', ASAN_OPTIONS: 'abort_on_error=0:exitcode=99', ...env },
  });
  running.add(child);
  const run = { child, out: '', err: '', waiters: [] };
  const heard = () => run.waiters.splice(0).forEach((w) => w());
  child.stdout.setEncoding('utf8').on('data', (d) => { run.out += d; heard(); });
  child.stderr.setEncoding('utf8').on('data', (d) => { run.err += d; heard(); });
  run.done = new Promise((done) => child.on('close', (code, signal) => { running.delete(child); run.code = code ?? signal; heard(); done(run); }));
  run.until = async (pattern, ms = 20000) => {
    const deadline = Date.now() + ms;
    while (!run.out.match(pattern)) {
      if (run.code !== undefined || Date.now() > deadline) throw new Error(`no ${pattern} in: ${run.out}\n${run.err}`);
      await new Promise((go) => { run.waiters.push(go); setTimeout(go, 500); });
    }
    return run.out.match(pattern);
  };
  run.type = (text) => child.stdin.write(text);
  child.stdin.on('error', () => {}); // it may end without reading
  if (!terminal) child.stdin.end(input ?? '');
  return run;
}
const cli = async (...args) => {
  const options = typeof args.at(-1) === 'object' ? args.pop() : {};
  const run = await start(args, options).done;
  assert.ok(!/Sanitizer|runtime error/.test(run.err), run.err);
  return run;
};
const expect = (run, code) => assert.equal(run.code, code, `${run.out}\n${run.err}`);
const file = (name, graph) => {
  const path = join(scratch, name);
  writeFileSync(path, typeof graph === 'string' ? graph : JSON.stringify(graph));
  return path;
};
const echo = (text, rate = 0) => `[[rate=${rate} text="${text}"]]`;
const talk = (text, rate, more = {}) => ({
  id: 'talk',
  nodes: {
    start: { type: 'start', next_ids: ['talk'] },
    talk: { type: 'llm', properties: { prompt: echo(text, rate) }, next_ids: ['end'] },
    end: { type: 'end' },
  },
  ...more,
});
const long = Array.from({ length: 60 }, (_, i) => `word${i}`).join(' ');
const reviewed = {
  id: 'reviewed',
  nodes: {
    start: { type: 'start', next_ids: ['draft'] },
    draft: { type: 'llm', properties: { prompt: echo('a first draft') }, next_ids: ['review'] },
    review: { type: 'human_review', properties: { prompt: 'Fit to print?', draft: '{{ nodes.draft.output }}' }, routes: { approve: 'end', reject: 'draft', modify: 'end' } },
    end: { type: 'end', properties: { output: 'nodes.review.output' } },
  },
};

test('help, version and wrong usage', async () => {
  expect(await cli('help'), 0);
  assert.match((await cli('--help')).out, /sluice session watch \[SESSION\]/);
  assert.match((await cli('version')).out, /^sluice \d+\.\d+\.\d+\n$/);
  assert.match((await cli('run', '--help')).out, /--input KEY=VALUE/);
  assert.match((await cli('session', '--help')).out, /session answer/);
  for (const [args, sentence] of [
    [[], /Sluice runs/],
    [['dance'], /there is no command "dance"/],
    [['session', 'dance'], /sluice session has no command "dance"/],
    [['run'], /usage: sluice run FILE\|ID/],
    [['run', 'a', 'b'], /too many words/],
    [['run', 'hello', '--inptu', 'x=1'], /unknown option --inptu/],
    [['session', 'list', '--lang', 'fr'], /--lang: expected en or zh/],
    [['session', 'list', '--limit', 'many'], /--limit must be a number/],
    [['session', 'answer', 'last', 'review'], /something is missing/],
  ]) {
    const run = await cli(...args);
    expect(run, 2);
    assert.match(run.err, sentence);
    assert.equal(run.out, '');
  }
});

test('a server that is not there', async () => {
  const run = await cli('session', 'list', '--server', 'http://127.0.0.1:1');
  expect(run, 5);
  assert.match(run.err, /^sluice: no answer from http:\/\/127\.0\.0\.1:1: /);
});

test('flows: validate, create, update, list, show, delete', async () => {
  const good = file('talk.json', talk('hi', 0));
  const bad = file('bad.yaml', 'nodes:\n  start: { type: start, next_ids: [ennd] }\n  end: { type: end }\n');
  expect(await cli('flow', 'validate', good), 0);
  const refused = await cli('flow', 'validate', bad);
  expect(refused, 2);
  assert.match(refused.out, /error +nodes\.start\.next_ids\[0\] +no node "ennd"; did you mean "end"\?/);
  assert.equal(JSON.parse((await cli('flow', 'validate', bad, '--json')).out).valid, false);
  const notCreated = await cli('flow', 'create', bad);
  expect(notCreated, 2);
  assert.match(notCreated.err, /no node "ennd"/);
  assert.match((await cli('flow', 'create', good)).out, /^talk version 1\n$/);
  expect(await cli('flow', 'create', good), 4);
  assert.match((await cli('flow', 'update', good)).out, /^talk version 2\n$/);
  assert.match((await cli('flow', 'update', 'talk', good)).out, /^talk version 3\n$/);
  assert.match((await cli('flow', 'list')).out, /^talk +3 /m);
  assert.ok(JSON.parse((await cli('flow', 'list', '--json')).out).items.some((w) => w.id === 'talk'));
  assert.match((await cli('flow', 'show', 'talk')).out, /^talk +llm +end$/m);
  assert.equal(JSON.parse((await cli('flow', 'show', 'talk', '--graph')).out).nodes.talk.type, 'llm');
  expect(await cli('flow', 'show', 'nobody'), 3);
  expect(await cli('flow', 'validate', join(scratch, 'no.yaml')), 3);
  expect(await cli('flow', 'delete', 'talk'), 0);
  expect(await cli('flow', 'delete', 'talk'), 3);
});

test('run follows a session to its end', async () => {
  const run = await cli('run', file('t.json', talk('hello there\nand a second line', 0)));
  expect(run, 0);
  assert.match(run.out, /─── running ───\n/);
  assert.match(run.out, /talk +│ hello there\ntalk +│ and a second line\n/);
  assert.match(run.out, /talk +✓ completed/);
  assert.match(run.out, /─── completed ───\n/);
});

test('run --json prints every event, and nothing else', async () => {
  const run = await cli('run', file('t.json', talk(long, 400)), '--json', '--name', 'for a program');
  expect(run, 0);
  assert.equal(run.err, '');
  const events = run.out.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(events, await server.events(events[0].session_id));
  assert.equal((await server.get(`/sessions/${events[0].session_id}`)).json.name, 'for a program');
});

test('a session that fails gives 1, and says why', async () => {
  const graph = talk('x');
  graph.nodes.talk = { type: 'transform', properties: { output: 'input.nothing.more' }, next_ids: ['end'] };
  const run = await cli('run', file('f.json', graph));
  expect(run, 1);
  assert.match(run.out, /talk +✗ failed/);
  assert.match(run.out, /─── failed: /);
});

test('input: by key, from a file, by the schema', async () => {
  const schema = {
    type: 'object', required: ['topic', 'count'], additionalProperties: false,
    properties: { topic: { type: 'string' }, count: { type: 'integer', default: 3 }, deep: { type: 'object' }, sure: { type: 'boolean' } },
  };
  const graph = {
    id: 'inputs', input_schema: schema,
    nodes: { start: { type: 'start', next_ids: ['end'] }, end: { type: 'end', properties: { output: 'input' } } },
  };
  const path = file('inputs.json', graph);
  const given = async (...args) => {
    const run = await cli('run', path, '--detach', ...args);
    expect(run, 0);
    const reader = new Reader(server, run.out.trim());
    await reader.ended();
    reader.close();
    return (await server.get(`/sessions/${run.out.trim()}`)).json.input;
  };
  assert.deepEqual(await given('--input', 'topic=7'), { topic: '7', count: 3 });
  assert.deepEqual(await given('--input', 'topic=a=b', '--input', 'count=5', '--input', 'sure=true', '--input', 'deep={"x":[1]}'),
    { topic: 'a=b', count: 5, sure: true, deep: { x: [1] } });
  const base = file('input.json', { topic: 'from file', count: 1 });
  assert.deepEqual(await given('--input-json', base, '--input', 'count=2'), { topic: 'from file', count: 2 });
  assert.deepEqual(await given('--input-json', '-', { input: '{"topic":"piped"}' }), { topic: 'piped', count: 3 });
  for (const [args, sentence] of [
    [['--input', 'topic'], /wants key=value/],
    [['--input', 'topic=x', '--input', 'count=many'], /count must be of type integer/],
    [['--input', 'topic=x', '--input', 'topic=y'], /twice/],
    [['--input-json', file('list.json', '[]')], /must be an object/],
    [[], /topic/],
  ]) {
    const run = await cli('run', path, '--detach', ...args);
    expect(run, 2);
    assert.match(run.err, sentence);
  }
});

test('sessions: detach, list, show, watch, messages, and how they are named', async () => {
  expect(await cli('run', file('t.json', talk('another one', 0)), '--detach'), 0);
  const detached = await cli('run', file('t.json', talk('some words to say', 0)), '--detach', '--name', 'found by name');
  expect(detached, 0);
  const id = detached.out.trim();
  assert.match(id, /^[0-9a-f-]{36}$/);
  const watched = await cli('session', 'watch', id);
  expect(watched, 0);
  assert.match(watched.out, /talk +│ some words to say\n/);
  assert.match((await cli('session', 'list', '--limit', '500')).out, new RegExp(`^${id} .* found by name +completed `, 'm'));
  assert.equal((await cli('session', 'list', '--q', 'found by name')).out.split('\n').filter((l) => l.startsWith(id)).length, 1);
  assert.equal((await cli('session', 'list', '--status', 'pending')).out, 'no sessions\n\nnext:\n  sluice flow list  # begin one\n');
  const shown = await cli('session', 'show', 'last');
  assert.match(shown.out, new RegExp(`^session +${id}$`, 'm'));
  assert.match(shown.out, /^talk +llm +completed/m);
  assert.equal(JSON.parse((await cli('session', 'show', id.slice(0, 35), '--json')).out).id, id);
  assert.match((await cli('session', 'messages', id)).out, /^talk\nsome words to say\n/);
  assert.equal(JSON.parse((await cli('session', 'messages', id, '--json')).out).items.length, 1);
  expect(await cli('session', 'show', id.slice(0, 4)), 2); // all of today's begin so
  expect(await cli('session', 'show', 'ffff-ffff'), 3);
  assert.match((await cli('session', 'show', 'xyz')).err, /no session is called "xyz"/);
  expect(await cli('session', 'delete', id), 0);
  expect(await cli('session', 'show', id), 3);
});

test('pause, resume, abort, and states that do not allow them', async () => {
  const { out } = await cli('run', file('t.json', talk(long, 15)), '--detach');
  const id = out.trim();
  const reader = new Reader(server, id);
  await reader.untilEvent('token_stream');
  assert.match((await cli('session', 'pause', id, '--reason', 'lunch', '--mode', 'hold')).out, / paused\n/);
  assert.equal((await server.get(`/sessions/${id}`)).json.reason, 'lunch');
  expect(await cli('session', 'pause', id), 4);
  expect(await cli('session', 'pause', id, '--mode', 'nap'), 2);
  assert.match((await cli('session', 'resume', id)).out, / running\n/);
  expect(await cli('session', 'delete', id), 4);
  assert.match((await cli('session', 'abort', id, '--reason', 'enough')).out, / cancelled\n/);
  expect(await cli('session', 'cancel', id), 4);
  expect(await cli('session', 'watch', id), 1);
  await reader.ended();
  reader.close();
});

test('answers and inputs', async () => {
  const { out } = await cli('run', file('r.json', reviewed), '--detach');
  const id = out.trim();
  const reader = new Reader(server, id);
  await reader.untilEvent('human_interaction_required');
  assert.match((await cli('session', 'list', '--status', 'running', '--limit', '500')).out, new RegExp(`^${id} .* review `, 'm'));
  expect(await cli('session', 'answer', id, 'review', 'dance'), 2);
  expect(await cli('session', 'answer', id, 'draft', 'approve'), 4);
  expect(await cli('session', 'answer', id, 'nobody', 'approve'), 3);
  expect(await cli('session', 'answer', id, 'review', 'reject', '--data', '{'), 2);
  expect(await cli('session', 'answer', id, 'review', 'reject', '--comment', 'too "short"', '--data', '{"score":2}', '--reviewer', 'ada'), 0);
  const answered = await reader.untilEvent('node_resumed');
  assert.deepEqual([answered.data.action, answered.data.data, answered.data.reviewer], ['reject', { comment: 'too "short"', score: 2 }, 'ada']);
  await reader.until((r) => r.events.filter((e) => e.type === 'human_interaction_required').length === 2);
  expect(await cli('session', 'answer', id, 'review', 'approve', '--json'), 0);
  assert.equal((await reader.ended()).data.to, 'completed');
  reader.close();

  const asking = {
    id: 'asking',
    nodes: { start: { type: 'start', next_ids: ['ask'] }, ask: { type: 'user_input', properties: { prompt: 'Who?' }, next_ids: ['end'] }, end: { type: 'end' } },
  };
  const other = (await cli('run', file('a.json', asking), '--detach')).out.trim();
  await new Reader(server, other).untilEvent('human_interaction_required').then(() => {});
  expect(await cli('session', 'input', other, 'it', 'was', 'me'), 0);
  assert.equal((await cli('session', 'watch', other)).code, 0);
  assert.equal((await server.get(`/sessions/${other}`)).json.output, 'it was me');
});

test('reviews: listed over sessions, shown, answered by their id', async () => {
  const id = (await cli('run', file('r.json', reviewed), '--detach')).out.trim();
  const reader = new Reader(server, id);
  const { data: { interrupt_id } } = await reader.untilEvent('human_interaction_required');
  assert.match((await cli('review', 'list')).out, new RegExp(`^${interrupt_id} .*approve_reject .*pending .*review .*Fit to print`, 'm'));
  const items = (await cli('review', 'list', '--session', id, '--json')).out;
  assert.equal(JSON.parse(items).items?.[0]?.interrupt_id ?? JSON.parse(items)[0].interrupt_id, interrupt_id);
  assert.match((await cli('review', 'show', interrupt_id)).out, /^draft +a first draft$/m);
  expect(await cli('review', 'show', '01900000-0000-7000-8000-000000000000'), 3);
  expect(await cli('review', 'answer', interrupt_id, 'dance'), 2);
  expect(await cli('review', 'answer', interrupt_id, 'approve', '--reviewer', 'ada'), 0);
  assert.equal((await reader.ended()).data.to, 'completed');
  expect(await cli('review', 'answer', interrupt_id, 'approve'), 3);
  assert.match((await cli('review', 'list', '--status', 'answered', '--session', id)).out, new RegExp(`^${interrupt_id}`, 'm'));
  assert.doesNotMatch((await cli('review', 'list', '--session', id)).out, new RegExp(interrupt_id));
  reader.close();
});

test('who follows is told where to answer when nobody can be asked', async () => {
  const run = start(['run', file('r.json', reviewed)]);
  const [, id] = await run.until(/answer with: sluice session answer (\S+) review ACTION/);
  assert.match(run.out, /review +\? Fit to print\?/);
  expect(await cli('session', 'answer', id, 'review', 'approve'), 0);
  expect(await run.done, 0);
});

test('a server that dies and comes back: nothing is missing, nothing twice', async () => {
  const run = start(['run', file('t.json', talk(long, 25)), '--json']);
  await run.until(/"token_stream".*\n(.*\n){4}/);
  await server.kill('SIGKILL');
  await server.start();
  expect(await run.done, 0);
  const events = run.out.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(events, await server.events(events[0].session_id));
});

test('Ctrl-C without a terminal detaches; the session goes on', async () => {
  const run = start(['run', file('t.json', talk(long, 40))]);
  await run.until(/talk +│ word0/);
  run.child.kill('SIGINT');
  expect(await run.done, 130);
  const [, id] = run.out.match(/detached; the session goes on: sluice session watch (\S+)/);
  expect(await cli('session', 'watch', id), 0);
});

// ---- at a terminal ----

test('a review is asked at the terminal, and answered', async () => {
  const run = start(['run', file('r.json', reviewed)], { terminal: true });
  await run.until(/review: 1 approve, 2 reject, 3 modify > $/);
  run.type('2\n');
  await run.until(/why \(may be empty\) > $/);
  run.type('too short\n');
  await run.until(/reject[\s\S]*review: 1 approve, 2 reject, 3 modify > $/);
  run.type('mod\n');
  await run.until(/\| $/);
  run.type('first line\n');
  await run.until(/first line\r\n[\s\S]*\| $/);
  run.type('second line\n.\n');
  expect(await run.done, 0);
  const [, id] = run.out.match(/([0-9a-f]{8}-[0-9a-f-]{27})\s*$/);
  const log = await server.events(id);
  const answers = log.filter((e) => e.type === 'node_resumed').map((e) => [e.data.action, e.data.data]);
  assert.deepEqual(answers, [['reject', { comment: 'too short' }], ['modify', { content: 'first line\nsecond line' }]]);
});

test('Ctrl-C at a terminal asks: pause, resume, cancel', async () => {
  const run = start(['run', file('t.json', talk(long, 20))], { terminal: true });
  await run.until(/talk +│ word0/);
  run.type('\x03');
  await run.until(/p pause, c cancel, d detach, Enter goes on > $/);
  run.type('p\n');
  await run.until(/─── paused ───[\s\S]*paused: r resume, c cancel, d detach > $/);
  run.type('r\n');
  await run.until(/paused[\s\S]*─── running ───[\s\S]*word/);
  run.type('\x03');
  await run.until(/running ───[\s\S]*Enter goes on > $/);
  run.type('c\n');
  await run.until(/─── cancelled/);
  expect(await run.done, 1);
});

test('Ctrl-C twice detaches', async () => {
  const run = start(['run', file('t.json', talk(long, 40))], { terminal: true });
  await run.until(/talk +│ word0/);
  run.type('\x03');
  await run.until(/Enter goes on > $/);
  run.type('\x03');
  expect(await run.done, 130);
});

test('what is required and not given is asked for', async () => {
  const run = start(['run', `${repo}/examples/hello.yaml`, '--detach'], { terminal: true });
  await run.until(/Name \[World\]: $/);
  run.type('Ada\n');
  expect(await run.done, 0);
  const [id] = run.out.match(/[0-9a-f]{8}-[0-9a-f-]{27}/);
  assert.deepEqual((await server.get(`/sessions/${id}`)).json.input, { name: 'Ada' });
});

after(() => { for (const child of running) child.kill('SIGKILL'); });
