// script/bench: runs scenarios, prints a JSON line for each run and then the table of figures.mjs.
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { repo } from '../tests/integration/lib/server.mjs';
import { figures, most } from './figures.mjs';
import { Context } from './lib/context.mjs';
import { table } from './lib/table.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { store: { type: 'string', default: 'both' }, runs: { type: 'string' }, seconds: { type: 'string', default: '5' }, out: { type: 'string' }, from: { type: 'string' } },
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

// What goes wrong in one scenario is told, and leaves its rows unmeasured; the others still run.
async function once(scenario, store, run) {
  const c = new Context({ store, seconds: Number(flags.seconds) });
  const begun = performance.now(), about = { scenario, store, run, at: new Date().toISOString(), cores: cpus().length, load_before: loadavg()[0] };
  const took = () => ({ took_s: Math.round((performance.now() - begun) / 100) / 10 });
  try {
    const { run: measure } = await import(`./scenarios/${scenario}.mjs`);
    const { values, detail } = await measure(c);
    await c.close(); // a server that does not end well is a fault too
    tell({ ...about, ...took(), values, detail });
    return values;
  } catch (err) {
    tell({ ...about, ...took(), error: err.message });
    console.error(`bench: ${scenario} on ${store}: ${err.stack}`);
    return {};
  } finally {
    await c.close().catch((err) => console.error(`bench: ${scenario} on ${store}: ${err.message}`));
  }
}

const measured = new Map(); // "id store" -> values
function keep(store, values) {
  for (const [id, value] of Object.entries(values)) {
    const key = `${id} ${store}`;
    measured.set(key, [...(measured.get(key) ?? []), value]);
  }
}

// The table of what an earlier run has told, and nothing is measured.
if (flags.from) {
  const lines = readFileSync(flags.from, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
  for (const l of lines) if (l.values && wanted.includes(l.scenario) && stores.includes(l.store)) keep(l.store, l.values);
}
for (let run = 1; run <= runs && !flags.from; run++) {
  for (const scenario of wanted) {
    if (run > (most[scenario] ?? runs)) continue;
    for (const store of stores) {
      if (!figures.some((f) => f.scenario === scenario && f.stores.includes(store))) continue;
      keep(store, await once(scenario, store, run));
    }
  }
}
const { text, missed } = table(figures.filter((f) => wanted.includes(f.scenario)), stores, measured);
console.log(`\n${text}`);
// A row that was not measured is a fault of the scenario; one that was not reached is told, and fails `all`.
process.exitCode = missed.length ? 1 : 0;
for (const m of missed) console.log(`not reached: ${m}`);
