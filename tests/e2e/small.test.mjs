// Promise P9, the part that does not wander: size, idle memory, no query and hardly a wake-up while idle.
// Measures: runs alone (script/test).
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, sluiceBin } from '../integration/lib/server.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(() => server?.close());

const idle = (ms) => new Promise((go) => setTimeout(go, ms));
const status = (pid, key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const wakeups = (pid) => readdirSync(`/proc/${pid}/task`)
  .map((t) => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${t}/status`, 'utf8'))[1]))
  .reduce((a, b) => a + b, 0);
const metric = async (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await server.get('/metrics')).text)[1]);

test('the binary, page inside, is under 10 MB', () => {
  const bytes = statSync(sluiceBin()).size;
  assert.ok(bytes < 10e6, `${bytes} bytes`);
});

test('the page is inside', async () => {
  const page = await server.get('/ui/');
  assert.equal(page.status, 200);
  assert.match(page.text, /<div id="root">/);
});

test('idle it takes under 20 MB', () => {
  const kb = status(server.pid, 'VmRSS');
  assert.ok(kb < 20 * 1024, `${kb} kB`);
});

test('idle it makes no query and wakes up at most once a second', async () => {
  await idle(1500); // what start and the tests before have left behind
  const names = ['sluice_store_reads_total', 'sluice_store_writes_total', 'sluice_store_commits_total'];
  const before = [];
  for (const n of names) before.push(await metric(n));
  await idle(500);
  const woken = wakeups(server.pid);
  await idle(5000);
  const times = wakeups(server.pid) - woken;
  const now = [];
  for (const n of names) now.push(await metric(n));
  assert.deepEqual(now, before);
  assert.ok(times <= 5, `${times} wake-ups in 5 s`);
});

// The heap of the process, by its allocator: it does not wander. The first sessions fill the store's caches,
// which takes megabytes of rows.
async function heapEach(graph, count, more = async () => {}) {
  const made = await server.post('/workflows', { id: `memory-${Object.keys(graph.nodes)[1]}`, ...graph });
  const begin = async () => more(await server.execute(made.json.id, { n: 1 }));
  const round = async () => { for (let i = 0; i < count; i += 50) await Promise.all(Array.from({ length: 50 }, begin)); };
  for (let i = 0; i < 5; i++) await round();
  const before = await metric('sluice_heap_bytes');
  const live = await metric('sluice_sessions_live');
  await round();
  assert.equal(await metric('sluice_sessions_live'), live + count, 'they are all in memory');
  return (await metric('sluice_heap_bytes') - before) / count;
}
const asks = (type, properties) => ({ nodes: { start: { type: 'start', next_ids: [type] }, [type]: { type, properties, next_ids: ['end'] }, end: { type: 'end' } } });

test('a suspended session takes under 4 kB of memory', async () => {
  const each = await heapEach(asks('human_review', { prompt: 'Is this all right?' }), 1000);
  assert.ok(each < 4096, `${each} bytes each`);
});

test('a paused one that waits for its timer too', async () => {
  const each = await heapEach(asks('wait', { duration_ms: 3600000 }), 1000, (id) => server.post(`/sessions/${id}/pause`));
  assert.ok(each < 4096, `${each} bytes each`);
});

// The answer comes slowly, so that every call is still running when it is measured. The first round is cancelled.
test('a thousand that are paused inside a running model call too', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-small-'));
  const config = join(dir, 'config.yaml');
  writeFileSync(config, 'providers:\n  - { id: demo, dialect: demo, tokens_per_s: 4, seed: 7, max_concurrent: 10000 }\n');
  const other = await new Server({ args: ['--config', config] }).start();
  const value = async (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await other.get('/metrics')).text)[1]);
  const until = async (name, n) => { while (await value(name) !== n) await idle(100); };
  // 500 requests at once leave as many connections, which stay open for seconds: they are no session's.
  const heap = async () => {
    while (await value('sluice_connections') > 2) await idle(100);
    return value('sluice_heap_bytes');
  };
  try {
    await other.post('/workflows', { id: 'talk', ...asks('llm', { prompt: `Write about rivers, at length. ${'and lakes '.repeat(50)}` }) });
    const round = async () => {
      const ids = [];
      for (let i = 0; i < 1000; i += 500) {
        const some = await Promise.all(Array.from({ length: 500 }, () => other.execute('talk', {})));
        await idle(1500); // they have begun to speak
        await Promise.all(some.map((id) => other.post(`/sessions/${id}/pause`)));
        ids.push(...some);
      }
      await until('sluice_sessions_parked', 1000);
      return ids;
    };
    for (const id of await round()) await other.post(`/sessions/${id}/cancel`);
    await until('sluice_sessions_live', 0);
    const before = await heap();
    await round();
    const each = (await heap() - before) / 1000;
    assert.equal(await value('sluice_sessions_parked'), 1000, 'their calls run on');
    assert.ok(each < 4096, `${each} bytes each`);
    await until('sluice_sessions_parked', 0); // their calls end: nothing is left
    assert.equal(await value('sluice_sessions_live'), 0);
  } finally {
    await other.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
