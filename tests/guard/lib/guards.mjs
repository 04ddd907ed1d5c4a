// What is guarded: how it is called, when it has become too much, and how much more a planted regression
// is. The values are in values.json, which `script/test guard --update` writes.

// Half of what must be seen: a tenth more fails though the counts themselves differ by up to 4 % from run to run.
const more = 0.05;

const stores = ['sqlite', 'postgres'];
const loads = {
  alone: 'a session of start, one pure step and end (W1), one at a time',
  crowd: 'the same, 32 in one turn of the loop',
  token: 'a token of a model, seen by its viewer, 32 streams in one turn of the loop',
};

// take: which of several rounds counts (measure.mjs). slack: what is allowed at least; a value may be 0. planted: the work
// that is owed for more of it (probe.c). slacks: of one load; a token allocates nothing itself, and 32 of them some when a store's
// row is folded or a page is begun.
const quantities = {
  instructions: { unit: 'instructions', what: 'instructions of the server', take: 'least', planted: 'instructions' },
  calls: { unit: 'system calls', what: 'system calls of the server', take: 'least', planted: 'calls' },
  allocations: { unit: 'allocations', what: 'malloc, calloc and realloc in the server', slack: 0.05, take: 'least', planted: 'takes', slacks: { token: 0.25 } },
  file_bytes: { unit: 'bytes', what: 'bytes written for its commits, checkpoints apart', take: 'half', planted: 'written_bytes' },
  flushes: { unit: 'commits', what: 'flushed commits (PostgreSQL: transactions that write)', take: 'half', planted: 'flushed', only: 'alone' },
};

const others = [
  { id: 'suspended.bytes', store: 'sqlite', unit: 'bytes', what: 'heap of a session that waits for a review, of 1,024' },
  { id: 'evicted.bytes', store: 'sqlite', unit: 'bytes', what: 'the same, when it has left memory', slack: 20 },
  { id: 'viewer.bytes', store: 'sqlite', unit: 'bytes', what: 'heap of an idle WebSocket viewer, of 1,024' },
  { id: 'binary.bytes', unit: 'bytes', what: 'the binary, page included' },
  { id: 'page.first', unit: 'kB', what: 'what a first visit of the page loads, compressed' },
  { id: 'page.all', unit: 'kB', what: 'all of the page but that, compressed' },
];

export const guards = [
  ...stores.flatMap((store) => Object.entries(loads).flatMap(([load, of]) => Object.entries(quantities)
    .filter(([, q]) => !q.only || q.only === load)
    .map(([quantity, { slacks, ...q }]) => ({ ...q, slack: slacks?.[load] ?? q.slack ?? 0, take: load === 'crowd' && quantity === 'calls' ? 'middle' : q.take, id: `${load}.${quantity}`, store, load, quantity, what: `${of}: ${q.what}` })))),
  ...others,
].map((g) => ({ slack: 0, ...g, key: g.store ? `${g.id}/${g.store}` : g.id }));

/** More than this fails. */
export const limitOf = (guard, value) => value + Math.max(value * more, guard.slack);
/** What is planted to see that it fails. */
export const plantOf = (guard, value) => Math.max(value / 10, 2 * guard.slack);

const told = (n) => (n >= 1000 ? Math.round(n).toLocaleString('en') : String(+n.toFixed(3)));
const named = (guard) => `${guard.what}${guard.store ? ` (${guard.store})` : ''}`;

/** What is wrong with what was found, or null. */
export function judge(guard, value, found) {
  if (value === undefined) return `${guard.key} has no value yet: script/test guard --update`;
  if (!Number.isFinite(found)) return `${guard.key} could not be measured`;
  if (found <= limitOf(guard, value)) return null;
  return `${guard.key}, ${named(guard)}: ${told(found)} ${guard.unit}; it was ${told(value)}, and more than ${told(limitOf(guard, value))} is too much`;
}
