// Start: from the process's start to its line `listening`, twenty times, on an empty store and beside it
// with many sessions stored; the memory of an idle server; the size of the binary as it is shipped.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Database } from '../../tests/integration/lib/services.mjs';
import { programs } from '../lib/context.mjs';
import { residentBytes } from '../lib/proc.mjs';
import { median } from '../lib/table.mjs';
import { ask, putWorkflow, suspend } from '../lib/waiting.mjs';

const STARTS = 20, STORED = 100_000, FEW = 2000;

async function startMs(c, options) {
  const begin = performance.now();
  const server = await c.server(options);
  const ms = performance.now() - begin;
  return { server, ms };
}

const told = (list) => ({ median_ms: median(list), min_ms: Math.min(...list), max_ms: Math.max(...list) });

// Each on a store of its own that did not exist before: its tables are made, too.
async function onEmpty(c) {
  const times = [];
  for (let i = 0; i < STARTS; i++) {
    const { server, ms } = await startMs(c);
    times.push(ms);
    await c.stop(server);
  }
  return told(times);
}

function keep(c) {
  if (c.store === 'postgres') {
    const database = new Database();
    return { options: { database }, drop: () => database.drop() };
  }
  const data = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  return { options: { data }, drop: () => rmSync(data, { recursive: true, force: true }) };
}

async function onStored(c, count) {
  const store = keep(c);
  try {
    const first = await c.server(store.options);
    await putWorkflow(first, ask);
    await suspend(c, first, count);
    await c.stop(first);
    const times = [];
    for (let i = 0; i < STARTS; i++) {
      const { server, ms } = await startMs(c, store.options);
      times.push(ms);
      await c.stop(server);
    }
    return told(times);
  } finally {
    store.drop();
  }
}

async function idleMemory(c) {
  const server = await c.server();
  await sleep(2000);
  return residentBytes(server.pid);
}

// As packages install it.
function strippedBytes(c) {
  const to = join(c.folder(), 'sluice');
  execFileSync('strip', ['-o', to, join(programs, 'sluice')]);
  return statSync(to).size;
}

export async function run(c) {
  const empty = await onEmpty(c);
  const memory = await idleMemory(c);
  const stored = { sessions: c.seconds < 5 ? FEW : STORED };
  Object.assign(stored, await onStored(c, stored.sessions));
  const values = { 'start.memory': memory / 1e6, 'start.ready': empty.median_ms };
  const binary = { stripped: strippedBytes(c), as_built: statSync(join(programs, 'sluice')).size };
  return { values: c.store === 'sqlite' ? { 'start.binary': binary.stripped / 1e6, ...values } : values, detail: { empty, stored, binary } };
}
