// Manual pages: made of the tables of commands, whole, and clean for roff. No server.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { sluiceBin } from './lib/server.mjs';

const sluice = (...args) => {
  const run = spawnSync(sluiceBin(), args, { encoding: 'utf8', env: { ...process.env, SLUICE_LANG: 'en' } });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout;
};
const help = sluice('help');
const groups = [...new Set([...help.matchAll(/^ {2}sluice ([a-z]+) [a-z]+/gm)].map((m) => m[1]))].filter((g) => !['migrate', 'serve', 'backup', 'copy', 'run'].includes(g));
const groff = spawnSync('groff', ['--version']).status === 0;
// A line of Chinese has no place where roff would break it.
const render = (page, where, ...more) => {
  const run = spawnSync('groff', ['-man', '-Tutf8', '-Kutf8', '-ww', ...more, '-P-c', '-rLL=120n'], { input: page, encoding: 'utf8' });
  assert.deepEqual([run.status, run.stderr], [0, ''], where);
  return run.stdout.replace(/.\x08/g, '');
};

test('there is a page for all, and one for each group, in both languages', { skip: !groff && 'no groff here' }, () => {
  assert.ok(groups.length > 8, groups.join());
  const all = render(sluice('help', '--man'), 'sluice');
  for (const group of groups) {
    const page = render(sluice('help', '--man', group), group);
    assert.match(page, /EXIT STATUS/);
    for (const [, command] of sluice(group, 'help').matchAll(/^ {2}sluice (\S+ \S+)/gm)) {
      assert.ok(page.includes(`sluice ${command}`), `${command} in sluice-${group}`);
      assert.ok(all.includes(`sluice ${command}`), `${command} in sluice`);
    }
    assert.ok(all.includes(`sluice-${group}(1)`), group);
    assert.match(render(sluice('help', '--man', group, '--lang', 'zh'), `${group} zh`, '-Wbreak'), /退出码/);
  }
  assert.match(render(sluice('help', '--man', 'session'), 'session'), /--nodes\s+every attempt of its nodes, too/);
});

test('help: a group, a command, neither', () => {
  assert.match(sluice('help', 'stage'), /^ {2}sluice stage list/);
  assert.match(sluice('help', 'stage', 'item'), /--undo/);
  assert.match(sluice('help', '--lang', 'zh'), /退出码/);
  for (const words of [['dance'], ['stage', 'dance'], ['--man', 'dance']]) {
    const run = spawnSync(sluiceBin(), ['help', ...words], { encoding: 'utf8', env: { ...process.env, SLUICE_LANG: 'en' } });
    assert.equal(run.status, 2);
    assert.match(run.stderr, /there is no command "dance"/);
  }
});
