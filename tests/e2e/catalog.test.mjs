// Agents, groups, schedules and memory, as a person makes, changes, shares and deletes them.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, repo, Server } from './lib/server.mjs';

const skip = !hasBrowser ? 'no Chromium here' : !isReal && 'needs the real server';
// What the browser itself writes about answers that a test wants.
const REFUSED = /status of (400|404|409|412|422)/;

describe('what is kept', { skip }, () => {
  let server, browser;
  before(async () => {
    server = await new Server({ args: ['--examples', join(repo, 'examples')] }).start();
    browser = await new Browser().start({ locale: 'en-US', timezoneId: 'Europe/Berlin' });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const open = (hash) => browser.open(`${server.url}/ui/${hash}`);
  const title = (page, text) => page.page.locator('[data-testid=object-title]', { hasText: text }).waitFor();
  const saved = (page) => page.page.waitForSelector('.save-bar:not([data-dirty])');

  test('an agent: made, refused at its field, changed by two, asked, copied, deleted', async () => {
    const page = await open('#/agents');
    await page.see('row-affirmative');
    await page.click('new');
    await page.see('agent-name');
    await page.click('save');
    assert.equal(await page.page.getByLabel('Name', { exact: true }).getAttribute('aria-invalid'), 'true');
    await page.fill('agent-name', 'Ada');
    await page.fill('agent-id', 'ada');
    await page.fill('agent-persona', 'You are Ada. You answer in one sentence.');
    await page.fill('agent-temperature', '7');
    await page.click('save');
    await page.page.getByText('Expected a number from 0 to 2').waitFor();
    assert.equal(await page.page.evaluate(() => document.activeElement.dataset.testid), 'agent-temperature');
    await page.fill('agent-temperature', '0.5');
    await page.click('save');
    await title(page, 'Ada');
    assert.equal(new URL(page.page.url()).hash, '#/agents/ada');
    assert.deepEqual((({ name, temperature, version }) => ({ name, temperature, version }))(await server.get('/agents/ada')), { name: 'Ada', temperature: 0.5, version: 1 });

    // Somebody else is faster.
    await page.fill('agent-persona', 'You are Ada. You answer in two sentences.');
    await server.request('PATCH', '/agents/ada', { description: 'Countess' });
    await page.click('save');
    await page.see('conflict');
    await page.click('save-mine');
    await page.gone('conflict');
    await saved(page);
    assert.match((await server.get('/agents/ada')).persona, /two sentences/);
    await page.fill('agent-persona', 'Never mind.');
    await server.request('PATCH', '/agents/ada', { description: 'Countess of Lovelace' });
    await page.click('save');
    await page.click('load-theirs');
    await page.page.waitForFunction(() => [...document.querySelectorAll('main input')].some((i) => i.value === 'Countess of Lovelace'));
    assert.doesNotMatch(await page.page.inputValue('[data-testid=agent-persona]'), /Never mind/);

    await page.click('duplicate');
    await title(page, 'A new agent');
    assert.equal(await page.page.inputValue('[data-testid=agent-name]'), 'Ada (copy)');
    // What was typed is not lost without a question.
    await page.fill('agent-name', 'Ada the second');
    page.page.once('dialog', (d) => d.dismiss());
    await page.page.locator('[data-testid=nav-groups]').click();
    await page.page.waitForFunction(() => location.hash.startsWith('#/agents/~new'));
    assert.equal(await page.page.inputValue('[data-testid=agent-name]'), 'Ada the second');
    await page.click('save');
    await title(page, 'Ada the second');

    await page.page.goto(`${server.url}/ui/#/agents/ada`);
    await title(page, /^Ada$/);
    await page.click('try');
    await page.fill('try-prompt', 'What is an engine?');
    await page.click('try-ask');
    await page.see('session');
    await page.picture('agent-tried');
    await page.close(REFUSED);
  });

  test('a group keeps its agents in order; who is in use is not deleted by accident', async () => {
    const page = await open('#/groups/~new');
    await page.fill('group-name', 'Reading circle');
    await page.fill('group-id', 'circle');
    await page.page.selectOption('[data-testid=group-agents]', 'ada');
    await page.page.selectOption('[data-testid=group-agents]', 'skeptic');
    await page.page.getByRole('button', { name: 'Move Skeptic up' }).click();
    await page.click('save');
    await title(page, 'Reading circle');
    assert.deepEqual((await server.get('/groups/circle')).default_agent_ids, ['skeptic', 'ada']);

    await page.page.goto(`${server.url}/ui/#/agents/ada`);
    await page.page.getByRole('link', { name: 'Reading circle' }).waitFor();
    await page.click('delete');
    await page.click('confirm');
    await page.see('in-use');
    assert.match(await page.text('in-use'), /circle/);
    // What was deleted is not in the list while that is read again, however long it takes.
    await page.page.route(/\/agents\?/, async (route) => {
      await new Promise((done) => setTimeout(done, 1000));
      await route.continue();
    });
    const listed = page.page.waitForResponse(/\/agents\?/);
    await page.click('confirm');
    await page.page.waitForFunction(() => location.hash === '#/agents');
    await page.see('row-affirmative');
    assert.equal(await page.count('row-ada'), 0);
    await listed;
    assert.equal(await page.count('row-ada'), 0);
    assert.deepEqual((await server.get('/groups/circle')).default_agent_ids, ['skeptic']);
    await page.close(REFUSED);
  });

  test('a schedule: usual times, the server’s next time, run now, switched off, deleted', async () => {
    const page = await open('#/schedules');
    await page.see('empty');
    await page.click('new');
    await page.page.selectOption('[data-testid=schedule-workflow]', 'hello');
    await page.fill('schedule-name', 'Good morning');
    await page.page.selectOption('[data-testid=when]', 'weekly');
    await page.page.getByRole('button', { name: 'Friday' }).click();
    await page.fill('at', '07:30');
    assert.match(await page.text('cron-text'), /30 7 \* \* MON,TUE,WED,THU/);
    await page.page.locator('.input-fields').getByRole('textbox').first().fill('everybody');
    await page.click('save');
    await title(page, 'Good morning');
    const [stored] = (await server.get('/schedules')).items;
    assert.deepEqual([stored.cron, stored.time_zone, stored.input], ['30 7 * * MON,TUE,WED,THU', 'Europe/Berlin', { name: 'everybody' }]);
    assert.match(await page.text('next-at'), /07:30 AM \(Europe\/Berlin\)/);

    await page.page.selectOption('[data-testid=when]', 'text');
    await page.fill('cron', '30 7 * *');
    await page.click('save');
    await page.page.getByText('Expected five fields, there are 4').waitFor();
    await page.click('discard');
    await saved(page);

    await page.click('run-now');
    await page.see('open-started');
    await page.page.uncheck('[data-testid=schedule-enabled]');
    await page.click('save');
    await saved(page);
    await page.page.waitForFunction(() => /switched off/.test(document.querySelector('[data-testid=next-at]').textContent));
    await page.click('delete');
    await page.click('confirm');
    await page.see('empty');
    assert.equal((await server.get('/sessions')).items.filter((s) => s.name === 'Good morning').length, 1);
    await page.close(REFUSED);
  });

  test('memory: remembered, found by a question, moved, forgotten', async () => {
    const page = await open('#/memory');
    await page.see('empty');
    await page.click('add-memory');
    await page.fill('memory-group', 'council');
    await page.fill('memory-content', 'The pilot in Lisbon ended in June.');
    await page.click('memory-save');
    await page.see('memory');
    await page.page.selectOption('[data-testid=memory-filter-group]', 'council');
    await page.fill('memory-question', 'what about Lisbon');
    await page.click('memory-ask');
    await page.page.locator('[data-testid=memory] .memory-score').waitFor();
    assert.match(page.page.url(), /group_id=council&q=what\+about\+Lisbon/);
    await page.click('move');
    await page.page.getByRole('button', { name: 'Long term' }).click();
    await page.page.waitForSelector('[data-testid=memory][data-tier=long_term]');
    await page.click('forget');
    await page.click('confirm');
    await page.see('memory-none');
    assert.equal((await server.get('/memories')).items.length, 0);
    await page.close();
  });
});
