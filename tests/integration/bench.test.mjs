// What script/soak and script/flame judge and draw by. Does not depend on the store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addStack, flameSvg, foldCallgrind, foldPerf, inclusive, kinds, root, top, within } from '../../bench/lib/flame.mjs';
import { figures } from '../../bench/figures.mjs';
import { table } from '../../bench/lib/table.mjs';
import { blocks, memoryGrowth, slope, thirds } from '../../bench/lib/steady.mjs';
import { Chance } from './lib/chance.mjs';

// An hour of samples a second: 40 MB that swing by a MB in two minutes, with noise, and what a leak adds.
function hour(leak, seed, seconds = 3600) {
  const chance = new Chance(seed);
  return Array.from({ length: seconds }, (_, t) => [t, 40e6 + 1e6 * Math.sin(t / 19) + 2e6 * (chance.next() - 0.5) + leak * t]);
}

test('a line through points is found, with how sure it is', () => {
  const s = slope([[0, 1], [1, 3], [2, 5], [3, 7], [4, 9]]);
  assert.ok(Math.abs(s.each - 2) < 1e-9 && Math.abs(s.low - 2) < 1e-9 && Math.abs(s.high - 2) < 1e-9);
  // By hand: y = 0.9x + 1.3 through these; the squares of what is left are 3.1 together, t for 3 is 3.18
  const u = slope([[0, 1], [1, 3], [2, 2], [3, 5], [4, 4.5]]);
  assert.ok(Math.abs(u.each - 0.9) < 1e-9);
  assert.ok(Math.abs(u.high - u.each - 3.18 * Math.sqrt(3.1 / 3 / 10)) < 1e-9, `${u.high - u.each}`);
  assert.throws(() => slope([[0, 1], [1, 2]]), /no line/);
});

test('blocks are means of equal parts', () => {
  assert.deepEqual(blocks([[0, 2], [1, 4], [2, 6], [3, 8]], 2), [[0.5, 3], [2.5, 7]]);
  assert.equal(blocks(hour(0, 1)).length, 20);
});

test('memory that swings does not grow; a leak of a tenth of a byte a session does', () => {
  for (let seed = 1; seed <= 200; seed++) assert.equal(memoryGrowth(hour(0, seed), 0.02).grows, false, `seed ${seed}`);
  for (let seed = 1; seed <= 200; seed++) assert.equal(memoryGrowth(hour(500, seed), 0.02).grows, true, `seed ${seed}`); // 5,000 sessions a second
  for (let seed = 1; seed <= 50; seed++) {
    assert.equal(memoryGrowth(hour(0, seed, 90), 0.05).grows, false, `two minutes, seed ${seed}`);
    assert.equal(memoryGrowth(hour(5000 * 16, seed, 90), 0.05).grows, true, `16 bytes a session, two minutes, seed ${seed}`);
  }
});

test('memory that shrinks is well', () => assert.equal(memoryGrowth(hour(-500, 1), 0.02).grows, false));

test('the last third is held beside the first', () => {
  assert.deepEqual(thirds([1, 2, 3, 9, 9, 9, 2, 3, 4], 1.3, 1), { first: 2, last: 3, worse: false });
  assert.equal(thirds([1, 2, 3, 9, 9, 9, 20, 30, 4], 1.3, 1).worse, true);
  assert.throws(() => thirds([1, 2], 1.3, 1), /no thirds/);
});

const perf = `sluice
\t    7f01 __libc_sendmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    5501 conn_send.part.0.lto_priv.0 (/srv/sluice)
\t    5502 main (/srv/sluice)
\t    7f02 __libc_start_main@@GLIBC_2.34 (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    5503 _start (/srv/sluice)

sluice
\tffffffff81 do_syscall_64 ([kernel.kallsyms])
\t    7f01 __libc_sendmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    7f03 [unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    5501 conn_send.lto_priv.0 (/srv/sluice)

sluice
\t    7f04 sqlite3VdbeExec (/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6)
\t    5504 sqlite_writer_main (/srv/sluice)
`;

test('stacks of perf are folded', () => {
  const tree = foldPerf(perf);
  assert.equal(tree.value, 3);
  // main and what calls it say nothing; two stacks that differ in them are one.
  assert.equal(tree.children.get('sluice').children.get('conn_send').value, 2);
  assert.equal(within(tree, /^conn_send$/), 2 / 3);
  assert.deepEqual(kinds(tree).map(([k]) => k).sort(), ['kernel', 'libc', 'sqlite']);
  assert.deepEqual(top(tree, 1)[0].length, 3);
  assert.deepEqual(inclusive(tree, 'ours', 1), [['conn_send', 2 / 3]]);
});

// main calls a (30 by itself) and b; a and b both call c, which takes 60 for a and 10 for b.
const callgrind = `events: Ir

ob=/srv/sluice
fn=main
1 10
cfn=a
calls=1 1
2 90
cfn=b
calls=1 1
3 15

fn=a
1 30
cob=/usr/lib/libsqlite3.so.0
cfn=c
calls=6 1
2 60

fn=b
1 5
cob=/usr/lib/libsqlite3.so.0
cfn=c
calls=1 1
2 10

ob=/usr/lib/libsqlite3.so.0
fn=c
1 70
`;

test('a call graph of callgrind is folded, and adds up', () => {
  const tree = foldCallgrind(callgrind);
  assert.ok(Math.abs(tree.value - 115) < 1e-6, `${tree.value}`);
  assert.ok(Math.abs(within(tree, /^c$/) - 70 / 115) < 1e-6);
  assert.equal(tree.children.get('main').children.get('a').children.get('c').kind, 'sqlite');
  assert.ok(Math.abs(tree.children.get('main').children.get('b').value - 15) < 1e-6);
});

test('a picture has a box each, escapes names, and leaves out what is too narrow', () => {
  const tree = root();
  addStack(tree, [{ name: 'a<b>&c', kind: 'ours' }, { name: 'wide', kind: 'kernel' }], 999);
  addStack(tree, [{ name: 'narrow', kind: 'ours' }], 1);
  const svg = flameSvg(tree, 'T');
  assert.match(svg, /a&lt;b&gt;&amp;c 99\.9 %/);
  assert.match(svg, /wide/);
  assert.doesNotMatch(svg, /narrow/);
});

test('the table has medians, spreads, limits, and names what is not reached or was not measured', () => {
  const rows = figures.filter((f) => ['w1.rate', 'w1.median'].includes(f.id));
  const runs = [{ value: 9000, limit: 20000 }, { value: 12000, limit: 30000 }, { value: 11000 }];
  const { text, missed } = table(rows, ['sqlite', 'postgres'], new Map([['w1.rate sqlite', runs], ['w1.median sqlite', [{ value: 0.7 }]], ['w1.rate postgres', [{ value: 10000 }]]]));
  assert.match(text, /\| sqlite +\| 11,000 \/s +\| 9,000 to 12,000 +\| >= 10,000 +\| 20,000 \/s +\| 6\.94 x Restate\* +\|/);
  assert.match(text, /\| sqlite +\| 0\.7 ms +\| +\| <= 0\.6  NOT REACHED \|/);
  assert.match(text, /\| postgres +\| not measured/);
  assert.deepEqual(missed, ['w1.median on sqlite', 'w1.median on postgres']);
});

test('every figure has a scenario, stores, and a direction', () => {
  assert.equal(new Set(figures.map((f) => f.id)).size, figures.length);
  for (const f of figures) assert.ok(f.scenario && f.stores.length && ['more', 'less'].includes(f.better) && f.reach >= 0, f.id);
});
