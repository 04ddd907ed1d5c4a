// Start: from the process's start to its line `listening`, twenty times, on a store without sessions and beside it
// with many; the memory of an idle server; the size of the binary as it is shipped. The row is of a store that has its
// tables, which every start but the first one finds: an instance that comes back, or another one beside it. The first
// start, which makes them, is told in the detail; making a database in PostgreSQL is its administrator's, and not in it.
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

const STARTS = 20, FIRST = 5, STORED = 100_000, FEW = 2000;

async function startMs(c, options) {
  const begin = performance.now();
  const server = await c.server(options);
  const ms = performance.now() - begin;
  return { server, ms };
}

const told = (list) => ({ median_ms: median(list), min_ms: Math.min(...list), max_ms: Math.max(...list) });

function keep(c) {
  if (c.store === 'postgres') {
    const database = new Database();
    return { options: { database }, drop: () => database.drop() };
  }
  const data = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  return { options: { data }, drop: () => rmSync(data, { recursive: true, force: true }) };
}

// Each makes the tables of a store of its own.
async function first(c) {
  const times = [];
  for (let i = 0; i < FIRST; i++) {
    const store = keep(c);
    try {
      const { server, ms } = await startMs(c, store.options);
      times.push(ms);
      await c.stop(server);
    } finally {
      store.drop();
    }
  }
  return told(times);
}

async function onStored(c, count) {
  const store = keep(c);
  try {
    const server = await c.server(store.options);
    if (count > 0) {
      await putWorkflow(server, ask);
      await suspend(c, server, count);
    }
    await c.stop(server);
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
  const made = await first(c), empty = await onStored(c, 0);
  const memory = await idleMemory(c);
  const stored = { sessions: c.seconds < 5 ? FEW : STORED };
  Object.assign(stored, await onStored(c, stored.sessions));
  const values = { 'start.memory': memory / 1e6, 'start.ready': empty.median_ms };
  const binary = { stripped: strippedBytes(c), as_built: statSync(join(programs, 'sluice')).size };
  return { values: c.store === 'sqlite' ? { 'start.binary': binary.stripped / 1e6, ...values } : values, detail: { first: made, empty, stored, binary } };
}
