// Suspended sessions, 10,000 of them: what each takes of memory (the allocator's count and the resident
// set) while warm and after it was evicted, and of disk. Those before them fill the caches of the store,
// which have a bound: 4 MB of its pages for the writer, 1 MB for each reader.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ask, evicted, putWorkflow, suspend } from '../lib/waiting.mjs';
import { residentBytes } from '../lib/proc.mjs';

const COUNT = 10_000, FIRST = 6000;

/** Bytes of the store by table, indexes and TOAST included, after all of it was written to the tables. */
function disk(c, server) {
  const tables = c.store === 'postgres' ? postgresTables(server) : sqliteTables(server);
  return { tables, bytes: Object.values(tables).reduce((a, b) => a + b, 0) };
}

function postgresTables(server) {
  server.database.query('CHECKPOINT');
  const rows = server.database.query(`SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public'`);
  return Object.fromEntries(rows.split('\n').map((l) => l.split('|')).map(([name, bytes]) => [name, Number(bytes)]));
}

// By the pages of each tree; an index counts for itself. The log is written back first.
function sqliteTables(server) {
  const file = readdirSync(server.scratch).find((f) => f.endsWith('.db'));
  const path = join(server.scratch, file);
  execFileSync('sqlite3', [path, 'PRAGMA wal_checkpoint(TRUNCATE)']);
  try {
    const rows = execFileSync('sqlite3', [path, 'SELECT name, sum(pgsize) FROM dbstat GROUP BY name'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Object.fromEntries(rows.trim().split('\n').map((l) => l.split('|')).map(([name, bytes]) => [name, Number(bytes)]));
  } catch {
    return { file: statSync(path).size }; // a sqlite3 without dbstat
  }
}

const each = (after, before, count = COUNT) => (after - before) / count;

function eachTable(after, before) {
  const all = Object.entries(after.tables).map(([name, bytes]) => [name, Math.round(each(bytes, before.tables[name] ?? 0))]);
  return Object.fromEntries(all.filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1]));
}

async function memory(c, server) {
  return { heap: await c.metric(server, 'sluice_heap_bytes'), resident: residentBytes(server.pid) };
}

export async function run(c) {
  const server = await c.server();
  await putWorkflow(server, ask);
  await suspend(c, server, FIRST);
  await evicted(c, server);
  const before = { memory: await memory(c, server), disk: disk(c, server) };
  await suspend(c, server, COUNT);
  const live = await c.metric(server, 'sluice_sessions_live');
  if (live !== COUNT) throw new Error(`${live} of ${COUNT} are in memory`);
  const warm = await memory(c, server);
  await evicted(c, server);
  const cold = await memory(c, server);
  const stored = disk(c, server);
  const bytes = (at) => ({ heap: each(at.heap, before.memory.heap), resident: each(at.resident, before.memory.resident) });
  const figures = { warm: bytes(warm), evicted: bytes(cold), disk: each(stored.bytes, before.disk.bytes), tables: eachTable(stored, before.disk) };
  return {
    values: { 'suspended.warm': figures.warm.heap, 'suspended.evicted': Math.max(0, figures.evicted.heap), 'suspended.disk': figures.disk },
    detail: figures,
  };
}
