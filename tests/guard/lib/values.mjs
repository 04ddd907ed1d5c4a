// values.json: what was measured, in what unit, and on what.
import { readFileSync, writeFileSync } from 'node:fs';
import { guards, limitOf } from './guards.mjs';

const file = new URL('../values.json', import.meta.url);
const short = (n) => (n === undefined ? '-' : n >= 1000 ? Math.round(n).toLocaleString('en') : String(+n.toFixed(2)));

export function saved() {
  const { measured_on, values } = JSON.parse(readFileSync(file, 'utf8'));
  return { measured_on, values: Object.fromEntries(values.map((v) => [v.store ? `${v.id}/${v.store}` : v.id, v.value])) };
}

export function save(found, measured_on) {
  const values = guards.map((g) => ({ id: g.id, store: g.store, value: +found.as[g.key].toPrecision(6), unit: g.unit, what: g.what }));
  const lines = values.map((v) => `    ${JSON.stringify(v)}`).join(',\n');
  writeFileSync(file, `{\n  "measured_on": ${JSON.stringify(measured_on, null, 4).replace(/\n}/, '\n  }')},\n  "values": [\n${lines}\n  ]\n}\n`);
}

/** The table: what it was, what it is, what is too much. */
export function show(found, values) {
  const rows = [['guard', 'was', 'is', 'at most', 'planted', 'unit'], ...guards.map((g) => [
    g.key, short(values[g.key]), short(found.as[g.key]), values[g.key] === undefined ? '-' : short(limitOf(g, values[g.key])), short(found.planted[g.key]), g.unit])];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((r) => r[i].length)));
  for (const r of rows) console.log(r.map((cell, i) => (i && i < 5 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ').trimEnd());
  console.log(['', 'system calls of a unit, by name:', ...found.names, ''].join('\n'));
}
