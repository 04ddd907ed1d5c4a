// Stores that move: backups of a running server, copies between SQLite and PostgreSQL, migrations.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server, Standin, sluiceBin } from './lib/server.mjs';
import { Database } from './lib/services.mjs';

let standin;
const servers = [];
const scratch = mkdtempSync(join(tmpdir(), 'sluice-move-'));
const withPostgres = Boolean(process.env.SLUICE_TEST_POSTGRES);
async function serve(options) {
  const server = await new Server({ env: standin.env, ...options }).start();
  servers.push(server);
  return server;
}
before(async () => { standin = await new Standin().start(); });
after(async () => {
  for (const s of servers) await s.close();
  await standin?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const sluice = (...args) => new Promise((done) => {
  const env = { ...process.env, SLUICE_STORE: '', SLUICE_CACHE: '', SLUICE_DATA: '' };
  execFile(sluiceBin(), args, { env }, (error, stdout, stderr) => done({ code: error ? error.code : 0, stdout, stderr }));
});
async function well(...args) {
  const r = await sluice(...args);
  assert.equal(r.code, 0, `sluice ${args.join(' ')}: ${r.stderr}`);
  return r;
}

const talk = (prompt) => ({
  nodes: {
    start: { type: 'start', next_ids: ['talk'] },
    talk: { type: 'llm', properties: { prompt }, next_ids: ['ask'] },
    ask: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'end' } },
    end: { type: 'end' },
  },
});
const text = (i) => `[[echo rate=400]]number ${i}: one two three "four" \\ five ü 🍵`;

// Sessions in several states; gives what each answers.
async function fill(server) {
  const put = await server.request('PUT', '/workflows/kept', talk(text(0)));
  assert.ok(put.status < 300, put.text);
  const objects = [
    ['/agents/teller', { name: 'Teller 故事', persona: 'You tell\n"stories".', avatar: '🦉', temperature: 0.5 }],
    ['/groups/tellers', { name: 'Tellers', system_prompt: 'ü', default_agent_ids: ['editor', 'teller'] }],
    ['/templates/told', { name: 'Told', category: 'x', graph: talk('{{ param.what }}'), parameters: { properties: { what: { default: 'tea' } } } }],
  ];
  for (const [path, body] of objects) {
    const r = await server.request('PUT', path, body);
    assert.equal(r.status, 200, r.text);
  }
  const ids = [];
  for (let i = 1; i <= 4; i++) ids.push(await server.execute(i === 4 ? 'kept' : talk(text(i)), { n: i }, { name: `session ${i}`, tags: ['a', 'b'] }));
  for (const [i, id] of ids.entries()) {
    const reader = new Reader(server, id);
    await reader.untilEvent('human_interaction_required');
    if (i === 0) {
      const r = await server.post(`/sessions/${id}/nodes/ask/resume`, { action: 'approve' });
      assert.equal(r.status, 200, r.text);
      await reader.ended();
    }
    reader.close();
  }
  return ids;
}
async function answers(server, ids) {
  const all = [];
  for (const id of ids) {
    for (const path of ['', '/events?limit=500', '/messages', '/nodes']) {
      const r = await server.get(`/sessions/${id}${path}`);
      assert.equal(r.status, 200, r.text);
      all.push(r.json);
    }
  }
  for (const path of ['/workflows/kept', '/workflows/kept/versions', '/agents', '/groups', '/templates', '/templates/told', '/sessions']) all.push((await server.get(path)).json);
  return all;
}
// Those that waited go on where they are now.
async function goOn(server, id) {
  const reader = new Reader(server, id);
  const r = await server.post(`/sessions/${id}/nodes/ask/resume`, { action: 'approve' });
  assert.equal(r.status, 200, r.text);
  assert.equal((await reader.ended()).data.to, 'completed');
  reader.close();
}

test('a backup of a running server is whole, and serves', async () => {
  const server = await serve({ store: 'sqlite' });
  const ids = await fill(server);
  const busy = await server.execute(talk(`[[echo rate=200]]${'word '.repeat(400)}`)); // it writes meanwhile
  const file = join(scratch, 'backup.db');
  const told = await well('backup', file, '--data', server.scratch);
  assert.match(told.stderr, /100 %/);
  assert.match(told.stderr, /is whole/);
  assert.notEqual((await sluice('backup', file, '--data', server.scratch)).code, 0); // never over another
  const before = await answers(server, ids);
  await server.post(`/sessions/${busy}/cancel`);

  const data = join(scratch, 'restored');
  mkdirSync(data);
  copyFileSync(file, join(data, 'sluice.db'));
  const restored = await serve({ store: 'sqlite', data });
  const now = await answers(restored, ids);
  assert.deepEqual(now.slice(0, -1), before.slice(0, -1)); // the list also has the busy one, as it was
  await goOn(restored, ids[1]);
});

test('a copy from SQLite to SQLite answers the same', async () => {
  const server = await serve({ store: 'sqlite' });
  const ids = await fill(server);
  const before = await answers(server, ids);
  const data = join(scratch, 'copied');
  const refused = await sluice('copy', '--from', `sqlite:${server.scratch}`, '--to', `sqlite:${data}`);
  assert.equal(refused.code, 1); // it runs
  assert.match(refused.stderr, /another process/);
  await server.kill('SIGTERM');
  const told = await well('copy', '--from', `sqlite:${server.scratch}`, '--to', `sqlite:${data}`);
  assert.match(told.stderr, /sessions: 4 of 4 rows copied/);
  assert.match(told.stderr, /read back and are the same/);
  const copied = await serve({ store: 'sqlite', data });
  assert.deepEqual(await answers(copied, ids), before);
  await goOn(copied, ids[2]);
});

test('to PostgreSQL and back: the same answers everywhere', { skip: !withPostgres && 'no PostgreSQL here' }, async () => {
  const server = await serve({ store: 'sqlite' });
  const ids = await fill(server);
  const before = await answers(server, ids);
  await server.kill('SIGTERM');
  const database = new Database({ empty: true });
  await well('copy', '--from', `sqlite:${server.scratch}`, '--to', database.url);
  const there = await serve({ database });
  assert.deepEqual(await answers(there, ids), before);
  await goOn(there, ids[1]);
  const after = await answers(there, ids);
  const refused = await sluice('copy', '--from', database.url, '--to', `sqlite:${join(scratch, 'never')}`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /a server runs/);
  await there.kill('SIGTERM');

  const data = join(scratch, 'back');
  await well('copy', '--from', database.url, '--to', `sqlite:${data}`);
  const back = await serve({ store: 'sqlite', data });
  assert.deepEqual(await answers(back, ids), after);
  await goOn(back, ids[2]);
  servers.splice(servers.indexOf(there), 1);
  database.drop();
});

// What people keep beside their sessions: stored sessions, the active one, schedules, webhooks, keys.
async function keep(server) {
  const stored = '01900000-0000-7000-8000-00000000cafe';
  const made = [
    await server.request('PUT', `/sessions/${stored}`, { status: 'drafted', metadata: { a: [1] }, workflow_state: { at: 'ü' } }),
    await server.request('PUT', '/workflows/kept', talk(text(0))),
    await server.post('/schedules', { name: 'nightly', workflow_id: 'kept', cron: '0 3 * * *', time_zone: 'Europe/Berlin' }),
    await server.request('PUT', '/current', { session_id: stored }),
    await server.post('/webhooks', { url: 'https://hooks.invalid/x', events: ['session_state_change'], enabled: false }),
    await server.post('/keys', { name: 'root', role: 'admin' }),
  ];
  for (const r of made) assert.ok(r.status < 300, r.text);
  return { authorization: `Bearer ${made.at(-1).json.key}` };
}
async function kept(server, auth) {
  assert.equal((await server.get('/sessions')).status, 401); // the keys are there
  const all = [];
  for (const path of ['/sessions', '/schedules', '/current', '/webhooks', '/keys']) {
    const r = await server.get(path, auth);
    assert.equal(r.status, 200, `${path}: ${r.text}`);
    all.push(JSON.parse(r.text, (k, v) => (k === 'last_used_at' ? undefined : v))); // this looking uses it
  }
  assert.deepEqual(all.map((a) => a.items?.length ?? 1), [1, 1, 1, 1, 1]);
  return all;
}

test('keys, schedules, webhooks and stored sessions are in a backup, of either store', async () => {
  const server = await serve({ store: 'sqlite' });
  const auth = await keep(server);
  const before = await kept(server, auth);
  const file = join(scratch, 'kept.db');
  await well('backup', file, '--data', server.scratch);
  const data = join(scratch, 'kept');
  mkdirSync(data);
  copyFileSync(file, join(data, 'sluice.db'));
  const restored = await serve({ store: 'sqlite', data });
  assert.deepEqual(await kept(restored, auth), before);
  if (!withPostgres) return;
  // PostgreSQL has no file to copy: a copy into SQLite is one.
  await restored.kill('SIGTERM');
  const database = new Database({ empty: true });
  await well('copy', '--from', `sqlite:${data}`, '--to', database.url);
  const whole = join(scratch, 'whole');
  const told = await well('copy', '--from', database.url, '--to', `sqlite:${whole}`);
  assert.match(told.stderr, /api_keys: 1 of 1 rows copied/);
  assert.match(told.stderr, /read back and are the same/);
  assert.deepEqual(await kept(await serve({ store: 'sqlite', data: whole }), auth), before);
  database.drop();
});

test('migrate goes up and down by hand, and a server that may not migrate refuses', async () => {
  const data = join(scratch, 'steps');
  assert.match((await well('migrate', 'status', '--data', data)).stdout, /^schema 0 of \d+/);
  assert.ok(!existsSync(join(data, 'sluice.db'))); // looking makes nothing
  const newest = Number(/of (\d+)/.exec((await well('migrate', 'up', '--data', data)).stdout)[1]);
  assert.match((await well('migrate', 'down', '--data', data)).stdout, new RegExp(`schema ${newest - 1} of ${newest}`));
  const old = await sluice('serve', '--listen', '127.0.0.1:0', '--data', data, '--no-migrate');
  assert.equal(old.code, 1);
  assert.match(old.stderr, /migrate it first/);
  assert.match((await well('migrate', 'to', '1', '--data', data)).stdout, /schema 1 of/);
  assert.equal((await sluice('migrate', 'to', '99', '--data', data)).code, 1);
  for (const args of [['to'], ['to', 'x'], ['sideways'], [], ['up', 'and', 'away']]) assert.equal((await sluice('migrate', ...args, '--data', data)).code, 2);
  const server = await serve({ store: 'sqlite', data }); // migrates by itself
  assert.match((await well('migrate', 'status', '--data', data)).stdout, new RegExp(`schema ${newest} of ${newest}`));
  assert.equal((await server.get('/sessions')).status, 200);
});
