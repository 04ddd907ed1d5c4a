// script/flame: records a hot path of the server under load and draws it.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { repo } from '../tests/integration/lib/server.mjs';
import { Context, programs } from './lib/context.mjs';
import { flameSvg, foldCallgrind, foldPerf, inclusive, kinds, top } from './lib/flame.mjs';
import { childrenOf } from './lib/proc.mjs';

const { values: flags, positionals: [path] } = parseArgs({
  allowPositionals: true,
  options: { store: { type: 'string', default: 'sqlite' }, seconds: { type: 'string', default: '8' }, out: { type: 'string' }, by: { type: 'string' } },
});
const step = (node) => ({ start: { type: 'start', next_ids: Object.keys(node) }, ...node, end: { type: 'end' } });
const paths = {
  w1: {
    title: 'W1 at 512 clients',
    graph: step({ step: { type: 'transform', properties: { output: { n: 'input.n + 1' } }, next_ids: ['end'] } }),
    load: ['w1', '--workflow', 'flame', '--clients', 512, '--seconds', 3600],
    slow: ['w1', '--workflow', 'flame', '--clients', 32, '--seconds', 3600],
  },
  tokens: {
    title: '500 sessions of 20 tokens a second',
    graph: step({ say: { type: 'llm', properties: { prompt: '{{ input.say }}' }, next_ids: ['end'] } }),
    load: ['tokens', '--workflow', 'flame', '--sessions', 500, '--rate', 20, '--seconds', 3600],
    slow: ['tokens', '--workflow', 'flame', '--sessions', 100, '--rate', 4, '--seconds', 3600],
  },
};
if (!paths[path]) {
  console.error('usage: script/flame w1|tokens [--store sqlite|postgres] [--seconds 8] [--by perf|callgrind] [--out FILE.svg]');
  process.exit(2);
}
const seconds = Number(flags.seconds);
const out = flags.out ?? join(repo, `build/flame-${path}-${flags.store}.svg`);
const scratch = join(repo, 'build/flame');
const sluice = join(repo, 'build/symbols/sluice');
process.env.SLUICE_BIN = sluice;
const sleep = (s) => new Promise((go) => setTimeout(go, s * 1000));

// Debian's perf is of Debian's kernel; on another one it may not work, and in a container it seldom may.
const perfWorks = () => spawnSync('perf', ['record', '-q', '-e', 'cpu-clock', '-o', '/dev/null', 'true'], { stdio: 'ignore' }).status === 0;
const by = flags.by ?? (perfWorks() ? 'perf' : 'callgrind');
if (by === 'callgrind' && !flags.by) console.error('flame: perf does not work here; callgrind counts instructions of the server alone, not of the kernel');

async function load(c, args) {
  const standin = path === 'tokens' ? await c.standin() : null;
  const server = await c.server({ env: standin?.env ?? {} });
  const made = await server.post('/workflows', { id: 'flame', start_node_id: 'start', nodes: paths[path].graph });
  if (made.status !== 201) throw new Error(made.text);
  const child = spawn(join(programs, 'bench/load'), [args[0], '--port', server.port, ...args.slice(1)].map(String), { stdio: ['ignore', 'ignore', 'inherit'] });
  c.open.push({ close: () => child.kill('SIGKILL') });
  return server;
}

/** Stacks of the server's threads, kernel included, and of PostgreSQL's, where that is the store. */
async function byPerf(c) {
  const server = await load(c, paths[path].load);
  await sleep(path === 'tokens' ? 8 : 3); // until all of them stream
  const pids = [server.pid];
  if (c.store === 'postgres') pids.push(...childrenOf(Number(execFileSync(process.env.SLUICE_TEST_POSTGRES_CTL, ['pid'], { encoding: 'utf8' }))));
  const data = join(scratch, 'perf.data');
  // The libraries of a distribution are built without frame pointers, so stacks are unwound from copies of them.
  execFileSync('perf', ['record', '-q', '-F', '499', '-e', 'cpu-clock', '--call-graph', 'dwarf,8192', '-o', data, '-p', pids.join(','), '--', 'sleep', String(seconds)], { stdio: ['ignore', 'ignore', 'inherit'] });
  await c.close();
  const text = execFileSync('perf', ['script', '-i', data, '--no-inline', '-F', 'comm,ip,sym,dso'], { encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'ignore'] });
  return foldPerf(text);
}

/** Instructions of the server alone, from when all is under way: it runs some fifty times slower. */
async function byCallgrind(c) {
  const file = join(scratch, 'callgrind.out'), wrapper = join(scratch, 'sluice');
  writeFileSync(wrapper, `#!/bin/sh\nexec valgrind -q --tool=callgrind --instr-atstart=no --compress-strings=no --compress-pos=no --callgrind-out-file=${file} ${sluice} "$@"\n`, { mode: 0o755 });
  process.env.SLUICE_BIN = wrapper;
  const server = await load(c, paths[path].slow);
  await sleep(path === 'tokens' ? 20 : 5);
  execFileSync('callgrind_control', ['--instr=on', String(server.pid)], { stdio: 'ignore' });
  await sleep(seconds);
  execFileSync('callgrind_control', ['--instr=off', String(server.pid)], { stdio: 'ignore' });
  await c.close();
  return foldCallgrind(readFileSync(file, 'utf8'));
}

if (!existsSync(sluice)) throw new Error(`${sluice} is not built`);
mkdirSync(scratch, { recursive: true });
mkdirSync(dirname(out), { recursive: true });
const c = new Context({ store: flags.store, seconds });
try {
  const tree = await (by === 'perf' ? byPerf(c) : byCallgrind(c));
  const unit = by === 'perf' ? `${tree.value} samples of CPU time` : `${Math.round(tree.value / 1e6)} million instructions`;
  const svg = flameSvg(tree, `${paths[path].title}, ${flags.store === 'postgres' ? 'PostgreSQL' : 'SQLite'}: ${unit}`);
  writeFileSync(out, svg);
  const percent = (x) => `${(x * 100).toFixed(1).padStart(5)} %`;
  console.log(kinds(tree).map(([k, v]) => `${percent(v)}  ${k}`).join('\n'));
  console.log(`\nwith all that it calls:\n${inclusive(tree, 'ours').map(([name, v]) => `${percent(v)}  ${name}`).join('\n')}`);
  console.log(`\nby itself:\n${top(tree).map(([name, kind, v]) => `${percent(v)}  ${name} (${kind})`).join('\n')}\n\n${out}, ${Math.round(svg.length / 1000)} kB`);
} finally {
  await c.close();
}
