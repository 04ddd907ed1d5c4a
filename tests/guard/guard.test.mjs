// What a session, a token, a viewer and a waiting session cost, in counts that do not wander with the machine:
// none may be more than it was (values.json). `script/test guard --update` measures the values anew.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guards, judge } from './lib/guards.mjs';
import { measure, system } from './lib/measure.mjs';
import { saved, show } from './lib/values.mjs';

const { values, measured_on } = saved();
const found = await measure();
const here = system();
// Other libraries and another compiler take other numbers of instructions; only sizes are the same everywhere.
const elsewhere = here.system === measured_on.system ? false : `the values are of ${measured_on.system}, this is ${here.system}: script/test guard --update makes some for it`;

show(found, values);
for (const [part, name] of Object.entries(here)) if (name !== measured_on[part]) console.log(`measured with another ${part}: ${measured_on[part]}; here: ${name}`);
for (const g of guards) {
  const skip = g.store ? elsewhere : false;
  test(`${g.key} is not more than it was`, { skip }, () => {
    assert.equal(judge(g, values[g.key], found.as[g.key]), null);
  });
  test(`${g.key}: a tenth more would be seen`, { skip }, () => {
    const sentence = judge(g, values[g.key], found.planted[g.key]);
    assert.ok(sentence, `${g.key} is ${found.as[g.key]} now, ${found.planted[g.key]} with a tenth more planted, and was ${values[g.key]}: it has become ` +
      'better by so much that a regression would pass. script/test guard --update holds what was gained');
  });
}

test('every value has a guard', () => {
  assert.deepEqual(Object.keys(values).filter((key) => !guards.some((g) => g.key === key)), []);
});
