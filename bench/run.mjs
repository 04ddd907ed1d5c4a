// script/bench: runs scenarios, prints a JSON line for each run and then the table of figures.mjs.
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { repo } from '../tests/integration/lib/server.mjs';
import { figures, last, together } from './figures.mjs';
import { chooseWay, settleCluster, way } from './lib/cluster.mjs';
import { Context } from './lib/context.mjs';
import { table } from './lib/table.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { store: { type: 'string', default: 'both' }, runs: { type: 'string' }, seconds: { type: 'string', default: '6' }, out: { type: 'string' }, tcp: { type: 'boolean', default: false }, from: { type: 'string' } },
});
const all = [...new Set(figures.map((f) => f.scenario))];
const wanted = positionals.length === 0 || positionals.includes('all') ? all : positionals;
const runs = Number(flags.runs ?? (wanted === all ? 3 : 1));
const out = flags.out ?? join(repo, 'build/bench.jsonl');
const stores = flags.store === 'both' ? ['sqlite', 'postgres'] : [flags.store];

for (const name of wanted) if (!all.includes(name)) { console.error(`bench: no scenario ${name}; there are ${all.join(', ')}`); process.exit(2); }

function tell(line) {
  const text = JSON.stringify(line);
  console.log(text);
  mkdirSync(dirname(out), { recursive: true });
  appendFileSync(out, `${text}\n`);
}

// A scenario that hangs must not keep the others from running.
const PATIENCE_S = 900;
function patience(promise) {
  let timer;
  const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`it took more than ${PATIENCE_S} s`)), PATIENCE_S * 1000); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// What goes wrong in one scenario is told, and leaves its rows unmeasured; the others still run.
async function once(scenario, store, run) {
  const c = new Context({ store, seconds: Number(flags.seconds) });
  const begun = performance.now(), about = { scenario, store, run, at: new Date().toISOString(), cores: cpus().length, load_before: loadavg()[0], ...(store === 'postgres' ? { way: way() } : {}) };
  const took = () => ({ took_s: Math.round((performance.now() - begun) / 100) / 10 });
  try {
    const { run: measure } = await import(`./scenarios/${scenario}.mjs`);
    const { values, detail } = await patience(measure(c));
    await c.close(); // a server that does not end well is a fault too
    tell({ ...about, ...took(), values, detail });
    return { store, values, detail };
  } catch (err) {
    tell({ ...about, ...took(), error: err.message });
    console.error(`bench: ${scenario} on ${store}: ${err.stack}`);
    return { store };
  } finally {
    await c.close().catch((err) => console.error(`bench: ${scenario} on ${store}: ${err.message}`));
  }
}

const measured = new Map(); // "id store" -> [{ value, limit }]
function keep({ store, values = {}, detail }) {
  for (const f of figures) {
    if (values[f.id] === undefined) continue;
    const key = `${f.id} ${store}`;
    measured.set(key, [...(measured.get(key) ?? []), { value: values[f.id], limit: f.limit?.(detail) }]);
  }
}

// The table of what an earlier run has told, and nothing is measured.
if (flags.from) {
  const lines = readFileSync(flags.from, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
  for (const l of lines) if (wanted.includes(l.scenario) && stores.includes(l.store)) keep(l);
}
async function measureAll(scenarios) {
  for (let run = 1; run <= runs; run++) {
    for (const scenario of scenarios) {
      const on = stores.filter((store) => figures.some((f) => f.scenario === scenario && f.stores.includes(store)));
      if (together.includes(scenario)) await Promise.all(on.map(async (store) => keep(await once(scenario, store, run))));
      else for (const store of on) keep(await once(scenario, store, run));
    }
  }
}
if (!flags.from) {
  if (stores.includes('postgres')) { chooseWay(flags.tcp); settleCluster(); }
  await measureAll(wanted.filter((s) => !last.includes(s)));
  await measureAll(wanted.filter((s) => last.includes(s)));
}
const { text, missed } = table(figures.filter((f) => wanted.includes(f.scenario)), stores, measured);
console.log(`\n${text}`);
// A row that was not measured is a fault of the scenario; one that was not reached is told, and fails `all`.
process.exitCode = missed.length ? 1 : 0;
for (const m of missed) console.log(`not reached: ${m}`);
