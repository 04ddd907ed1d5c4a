// What is guarded, measured: as it is, and with a tenth more of it planted.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repo } from '../../integration/lib/server.mjs';
import { guards, plantOf } from './guards.mjs';
import { Rig } from './rig.mjs';

// One number of several rounds. What comes by the clock (a lease, a look for a newer workflow, an answer in two parts)
// is in some of them and is no part of a session or a token, so the least is the work itself. Where it goes by
// whole pages, or by how many turns an answer takes, the least is luck.
const sorted = (all) => all.sort((a, b) => a - b);
const one = {
  least: (all) => Math.min(...all),
  middle: (all) => sorted(all)[Math.floor(all.length / 2)],
  half: (all) => { // the mean of the middle half
    const some = sorted(all).slice(Math.floor(all.length / 4), Math.ceil(all.length * 3 / 4));
    return some.reduce((a, b) => a + b, 0) / some.length;
  },
};

// ---- instructions, calls, allocations, bytes, commits

async function counts(found, store) {
  const rig = await new Rig().start({ store, callgrind: true });
  const of = async (name, rounds, load) => {
    const mine = guards.filter((g) => g.load === name && g.store === store);
    const count = async (into, owed) => {
      const all = await rig.counted(rounds, () => load(owed));
      for (const g of mine) found[into][g.key] = one[g.take](all.map((r) => r[g.quantity]));
    };
    await count('as', {});
    found.names.push(`${name}.calls/${store}: ${rig.names}`);
    await count('planted', Object.fromEntries(mine.map((g) => [g.planted, plantOf(g, found.as[g.key])])));
  };
  try {
    await rig.watch();
    await rig.alone(100);
    await rig.settle();
    await of('alone', 20, (owed) => rig.alone(10, owed));
    await rig.together(5);
    await of('crowd', 16, (owed) => rig.together(1, owed));
    await rig.streams();
    await rig.tokens(20);
    await of('token', 16, (owed) => rig.tokens(1, owed));
    await rig.endStreams();
  } finally {
    await rig.close();
  }
}

// ---- memory

const many = 1024;

async function memory(found) {
  const rig = await new Rig().start({ store: 'sqlite' });
  let leaked = 0; // planted so far
  const heap = async () => await rig.metric('sluice_heap_bytes') - leaked;
  const note = async (key, before) => {
    const guard = guards.find((g) => g.key === key), total = await heap(), each = (total - before) / many;
    found.as[key] = each;
    rig.owe({ heap_bytes: Math.ceil(plantOf(guard, each) * many) });
    const now = await heap();
    found.planted[key] = (now - before) / many;
    leaked += now - total;
  };
  try {
    for (let i = 0; i < 5; i++) await rig.suspend(many); // fills the caches of the store
    const seen = await rig.server.execute('review', { n: 1 });
    (await rig.viewers(seen, many + 64)).forEach((ws) => ws.terminate()); // what viewers leave behind is no session's
    await rig.until('sluice_websockets', 0);
    await rig.until('sluice_sessions_live', 0);
    const empty = await heap();
    await rig.suspend(many);
    if (await rig.metric('sluice_sessions_live') !== many) throw new Error('not all suspended sessions are in memory');
    await note('suspended.bytes/sqlite', empty);
    const id = await rig.server.execute('review', { n: 1 });
    const first = await rig.viewers(id, 64);
    const before = await heap();
    const all = await rig.viewers(id, many);
    await note('viewer.bytes/sqlite', before);
    [...first, ...all].forEach((ws) => ws.terminate());
    await rig.until('sluice_websockets', 0);
    await rig.until('sluice_sessions_live', 0);
    await note('evicted.bytes/sqlite', empty);
  } finally {
    await rig.close();
  }
}

// ---- sizes

// What web/budget.mjs tells of a folder: kilobytes of a first visit, and of what comes later.
function pageOf(web) {
  const { stdout } = spawnSync(process.execPath, [join(web, 'budget.mjs')], { encoding: 'utf8' });
  const [, first, , later] = /^first load +([\d.]+) kB(.|\n)* that come later, +([\d.]+) kB/m.exec(stdout) ?? [];
  return { first: Number(first), later: Number(later) };
}

function sizes(found) {
  const binary = join(repo, 'build/release/sluice'), web = join(repo, 'web');
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-guard-'));
  const grow = (path, more) => appendFileSync(path, randomBytes(Math.ceil(more)));
  const note = (into, page, path) => {
    found[into]['binary.bytes'] = statSync(path).size;
    found[into]['page.first'] = page.first;
    found[into]['page.all'] = page.later;
  };
  try {
    const page = pageOf(web);
    note('as', page, binary);
    copyFileSync(binary, join(scratch, 'sluice'));
    grow(join(scratch, 'sluice'), statSync(binary).size / 10);
    copyFileSync(join(web, 'budget.mjs'), join(scratch, 'budget.mjs'));
    cpSync(join(web, 'dist'), join(scratch, 'dist'), { recursive: true });
    const manifest = Object.values(JSON.parse(readFileSync(join(web, 'dist/.vite/manifest.json'), 'utf8')));
    const entry = manifest.find((c) => c.isEntry).file, graph = manifest.find((c) => /\/graph-/.test(c.file)).file;
    grow(join(scratch, 'dist', entry), page.first * 100);
    grow(join(scratch, 'dist', graph), page.later * 100);
    note('planted', pageOf(scratch), join(scratch, 'sluice'));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** { as: { key: value }, planted: { key: value with a tenth more }, names: system calls by their names } */
export async function measure() {
  const found = { as: {}, planted: {}, names: [] };
  sizes(found);
  await Promise.all([memory(found), counts(found, 'sqlite').then(() => counts(found, 'postgres'))]);
  return found;
}

const tell = (...command) => {
  try {
    return execFileSync(command[0], command.slice(1), { encoding: 'utf8' }).trim().split('\n')[0];
  } catch {
    return `no ${command[0]}`;
  }
};

/** What the counts depend on besides this repository. */
export const system = () => ({
  system: `${/^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]} ${process.arch}`,
  compiler: tell('cc', '--version'),
  valgrind: tell('valgrind', '--version'),
  libraries: ['sqlite3', 'libuv', 'libwebsockets', 'libcurl', 'libpq'].map((name) => `${name} ${tell('pkg-config', '--modversion', name)}`).join(', '),
  postgresql: tell('psql', '--version'),
});
