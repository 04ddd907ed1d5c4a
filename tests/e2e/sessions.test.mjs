// The list of sessions: found by what stands in the address, live, and handled many at a time.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';

const flow = (id, name, node) => ({ id, name, start_node_id: 'start', nodes: { start: { type: 'start', next_ids: ['work'] }, work: { ...node, next_ids: ['end'] }, end: { type: 'end' } } });
const FLOWS = [
  flow('s-wait', 'Wait long', { type: 'wait', properties: { duration_ms: 86_400_000 } }),
  flow('s-quick', 'At once', { type: 'transform', properties: { output: '1' } }),
];
const skip = !hasBrowser ? 'no Chromium here' : !isReal && 'needs the real server';

describe('the list of sessions', { skip }, () => {
  let server, browser;
  const ids = { wait: [], quick: [] };
  before(async () => {
    server = await new Server().start();
    await server.workflows(...FLOWS);
    const run = async (workflow_id, name, more) => (await server.request('POST', '/workflows/execute', { workflow_id, name, input: {}, ...more })).session_id;
    for (let i = 1; i <= 3; i++) ids.wait.push(await run('s-wait', `Long ${i}`, { tags: ['night'], user_id: 'ann', metadata: { team: i === 1 ? 'red' : 'blue' } }));
    for (let i = 1; i <= 2; i++) ids.quick.push(await run('s-quick', `Quick ${i}`, { tags: ['day'] }));
    for (const id of ids.quick) while (!(await server.get(`/sessions/${id}`)).ended_at);
    browser = await new Browser().start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const open = (hash = '#/sessions') => browser.open(`${server.url}/ui/${hash}`);
  const shows = (page, ...want) => page.page.waitForFunction((w) =>
    [...document.querySelectorAll('[data-testid=sessions] tbody tr')].map((r) => r.querySelector('td:nth-child(3)').textContent).join() === w, want.join());
  const query = (page) => page.page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.split('?')[1])));
  const statusOf = async (id) => (await server.get(`/sessions/${id}`)).status;

  test('filters stand in the address, a link shows the same, and all of them are cleared at once', async () => {
    const page = await open();
    const p = page.page;
    await shows(page, 'Quick 2', 'Quick 1', 'Long 3', 'Long 2', 'Long 1');
    await p.selectOption('[data-testid=filter-status]', 'completed');
    await shows(page, 'Quick 2', 'Quick 1');
    await p.selectOption('[data-testid=filter-order]', 'asc');
    await shows(page, 'Quick 1', 'Quick 2');
    assert.deepEqual(await query(page), { status: 'completed', order: 'asc' });
    await page.click('clear-filters');
    await page.fill('filter-q', 'ong');
    await shows(page, 'Long 3', 'Long 2', 'Long 1');
    assert.deepEqual(await query(page), { q: 'ong' });
    await page.click('more-filters');
    await page.fill('filter-meta', 'team=red');
    await shows(page, 'Long 1');
    await p.goto(`${server.url}/ui/#/sessions?workflow_id=s-wait&tag=night&order=asc`);
    await shows(page, 'Long 1', 'Long 2', 'Long 3');
    assert.equal(await p.inputValue('[data-testid=filter-tag]'), 'night');
    await page.fill('filter-q', 'nobody has such a name');
    await page.see('empty');
    await page.close();
  });

  test('it is live, and a tag leads to all of the tag', async () => {
    const page = await open('#/sessions?q=Long');
    await shows(page, 'Long 3', 'Long 2', 'Long 1');
    await server.request('POST', `/sessions/${ids.wait[2]}/pause`, {});
    await page.page.locator(`[data-session="${ids.wait[2]}"]`).getByText('Paused').waitFor();
    await server.request('POST', `/sessions/${ids.wait[2]}/resume`, {});
    await page.page.locator(`[data-session="${ids.wait[2]}"]`).getByText('Running').waitFor();
    await page.page.locator('.session-tags button').first().click();
    assert.deepEqual(await query(page), { q: 'Long', tag: 'night' });
    await page.close();
  });

  test('many at a time: what had ended is said, what is selected can be compared', async () => {
    const page = await open();
    const p = page.page;
    await shows(page, 'Quick 2', 'Quick 1', 'Long 3', 'Long 2', 'Long 1');
    const picks = p.locator('tbody [data-testid=pick]');
    await picks.nth(1).click();
    await picks.nth(3).click({ modifiers: ['Shift'] });
    assert.match(await page.text('bulk-bar'), /3 selected/);
    await page.click('bulk-pause');
    await p.getByText('2 paused, 1 had ended already').waitFor();
    assert.deepEqual([await statusOf(ids.wait[2]), await statusOf(ids.wait[1])], ['paused', 'paused']);
    await page.gone('bulk-bar');
    await picks.nth(0).click();
    await picks.nth(1).click();
    const link = await p.getAttribute('[data-testid=bulk-compare]', 'href');
    assert.equal(link, `#/compare/${ids.quick[1]}/${ids.quick[0]}`);
    await page.click('bulk-clear');
    await page.click('select-all');
    assert.match(await page.text('bulk-bar'), /5 selected/);
    await page.click('bulk-resume');
    await p.getByText(/2 resumed, 2 had ended already, 1 running already/).waitFor();
    await page.close(/status of 409/);
  });

  test('by keyboard: to the row, select, cancel after being asked, delete', async () => {
    const page = await open('#/sessions?q=Long&order=asc');
    const p = page.page;
    await shows(page, 'Long 1', 'Long 2', 'Long 3');
    await page.page.locator('body').press('j');
    await p.keyboard.press('x');
    await p.keyboard.press('j');
    await p.keyboard.press('X');
    assert.match(await page.text('bulk-bar'), /2 selected/);
    await page.click('bulk-cancel');
    await p.locator('dialog').getByText('Cancel 2 sessions?').waitFor();
    await page.click('confirm');
    await p.getByText('2 cancelled').waitFor();
    assert.equal(await statusOf(ids.wait[0]), 'cancelled');
    await page.click('select-all');
    await page.click('bulk-remove');
    await page.click('confirm');
    await p.getByText('2 deleted, 1 still running').waitFor();
    await shows(page, 'Long 3');
    await page.close(/status of 409/);
  });

  test('a session goes out as a file and comes in again', async () => {
    const page = await open('#/sessions?q=Quick&order=asc');
    const p = page.page;
    await shows(page, 'Quick 1', 'Quick 2');
    await p.locator('tbody [data-testid=pick]').first().click();
    const coming = p.waitForEvent('download');
    await page.click('bulk-export');
    const path = await (await coming).path();
    assert.match(readFileSync(path, 'utf8').split('\n')[0], new RegExp(ids.quick[0]));
    await page.page.setInputFiles('[data-testid=import-file]', path);
    await p.getByText('is here already').waitFor();
    await server.request('DELETE', `/sessions/${ids.quick[0]}`);
    await page.page.setInputFiles('[data-testid=import-file]', path);
    await page.see('session');
    assert.equal(page.sessionId(), ids.quick[0]);
    await page.close(/status of 409/);
  });

  test('on a phone they are cards', async () => {
    const phone = await new Browser().start({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    try {
      const page = await phone.open(`${server.url}/ui/#/sessions`);
      await page.page.locator('.session-cards [data-testid=pick]').first().click();
      await page.see('bulk-bar');
      assert.equal(await page.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
      await page.close();
    } finally {
      await phone.close();
    }
  });
});
