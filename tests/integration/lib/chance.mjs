import { parseArgs } from 'node:util';

// Random numbers from a seed, so that a run can be told again, as far as timing allows.
export class Chance {
  constructor(seed) { this.seed = seed; }
  next() { // mulberry32
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n) { return Math.floor(this.next() * n); }
  pick(list) { return list[this.below(list.length)]; }
}

// Numbers of the command line, by their names' defaults, and --store, which the tests' environment has else;
// whatever else stands there ends the program.
export function options(defaults) {
  const known = Object.fromEntries([...Object.keys(defaults), 'store'].map((name) => [name, { type: 'string' }]));
  try {
    const { store, ...texts } = parseArgs({ options: known }).values;
    if (store && !['sqlite', 'postgres'].includes(store)) throw new TypeError('--store wants sqlite or postgres');
    if (store) process.env.SLUICE_TEST_STORE = store;
    const given = Object.entries(texts).map(([name, text]) => [name, Number(text)]);
    for (const [name, n] of given) if (!(Number.isInteger(n) && n >= 0)) throw new TypeError(`--${name} wants a number`);
    return { ...defaults, ...Object.fromEntries(given) };
  } catch (e) {
    console.error(e.message);
    process.exit(2);
  }
}
