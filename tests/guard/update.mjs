// Measures what the guards hold, and writes values.json: script/test guard --update.
import { guards, judge } from './lib/guards.mjs';
import { measure, system } from './lib/measure.mjs';
import { save, saved, show } from './lib/values.mjs';

let before = {};
try {
  before = saved().values;
} catch (e) {
  if (e.code !== 'ENOENT') throw e;
}
const found = await measure();
show(found, before);
const unseen = guards.filter((g) => !judge(g, found.as[g.key], found.planted[g.key])).map((g) => g.key);
if (unseen.length) throw new Error(`a tenth more of these was planted and not seen, so nothing is written: ${unseen.join(', ')}`);
save(found, system());
