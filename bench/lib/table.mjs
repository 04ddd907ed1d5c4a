// The table that `script/bench` ends with: medians, beside what is to be reached and the best peer.
import { reached } from '../figures.mjs';

const round = (n) => (n === 0 ? '0' : Math.abs(n) >= 100 ? Math.round(n).toLocaleString('en') : Number(n.toPrecision(3)).toString());
export const median = (list) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)];

/** How many times better than the best peer, by the peer's figure in figures.mjs: not measured here. */
function besidePeer(f, value) {
  const [name, peer] = Object.entries(f.peers ?? {})[0] ?? [];
  if (!name) return '';
  const times = f.better === 'more' ? value / peer : peer / value;
  return `${round(times)} x ${name}*`;
}

function cells(f, store, told) {
  if (!f.stores.includes(store)) return null;
  if (!told) return [f.what, store, 'not measured', '', '', '', ''];
  const runs = told.map((t) => t.value), value = median(runs), limits = told.map((t) => t.limit).filter((l) => l > 0);
  const spread = runs.length > 1 ? `${round(Math.min(...runs))} to ${round(Math.max(...runs))}` : '';
  return [f.what, store, `${round(value)} ${f.unit}`.trim(), spread, `${f.better === 'more' ? '>=' : '<='} ${round(f.reach)}${reached(f, value) ? '' : '  NOT REACHED'}`,
    limits.length ? `${round(median(limits))} ${f.unit}`.trim() : '', besidePeer(f, value)];
}

/** figures, stores, and measured: "id store" -> {value, limit} of all runs; limit: of the parts alone, in that run. */
export function table(figures, stores, measured) {
  const head = ['figure', 'store', 'median', 'runs', 'to reach', 'the parts alone', 'beside the best peer'];
  const missed = [];
  const rows = figures.flatMap((f) => stores.map((store) => {
    const runs = measured.get(`${f.id} ${store}`);
    const row = cells(f, store, runs);
    if (row && (!runs || !reached(f, median(runs.map((t) => t.value))))) missed.push(`${f.id} on ${store}`);
    return row;
  })).filter(Boolean);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((r) => r[i].length)));
  const line = (r) => `| ${r.map((c, i) => c.padEnd(widths[i])).join(' | ')} |`;
  const text = [line(head), `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`, ...rows.map(line), '', '* by the figure of the peer in bench/figures.mjs, measured once on this kind of machine, not in this run'].join('\n');
  return { text, missed };
}
