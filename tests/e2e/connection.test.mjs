// Connection truth: one WebSocket, what the page says while the server is away, tabs that agree, who watches.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Model } from './lib/model.mjs';
import { Browser, hasBrowser, WHILE_AWAY } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';
import { council, plain } from './lib/workflows.mjs';

const skip = !hasBrowser ? 'no Chromium here' : !isReal && 'needs the real server';

describe('the connection', { skip }, () => {
  let model, server, browser;
  before(async () => {
    model = await new Model().start();
    server = await new Server({ env: model.env }).start();
    await server.workflows(council, plain);
    browser = await new Browser().start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    await model?.close();
  });

  const open = (hash = '') => browser.open(`${server.url}/ui/${hash}`);
  const begin = async (topic) => (await server.post('/workflows/execute', { workflow_id: 'council-debate', input: { topic } })).session_id;
  const live = (page) => page.page.waitForSelector('[data-testid=connection][data-state=live]', { state: 'attached' });
  const status = (page, word) => page.page.waitForSelector(`[data-testid=status][data-status="${word}"]`);

  test('one WebSocket carries the list and the session', async () => {
    const page = await open();
    await live(page);
    const sockets = [];
    page.page.on('websocket', (ws) => { if (/\/ws\b/.test(ws.url())) sockets.push(ws); });
    await page.page.reload();
    await live(page);
    const id = await begin('Is one enough?');
    await page.page.evaluate((hash) => { location.hash = hash; }, `#/sessions/${id}`);
    await page.see('review-form');
    assert.equal(sockets.length, 1);
    assert.equal(await page.count('reconnecting'), 0);
    await page.close();
  });

  test('killed: every view says since when it is old, and all of them catch up', async () => {
    const session = await open(`#/sessions/${await begin('Does it tell?')}`);
    await session.see('review-form');
    const start = await open();
    await live(start);
    await server.kill('SIGKILL');
    for (const page of [session, start]) {
      await page.see('reconnecting');
      assert.match(await page.text('reconnecting'), /Offline since \d\d:\d\d:\d\d.*how it was then/s);
      assert.match(await page.text('connection'), /Offline since/);
    }
    await session.page.setViewportSize({ width: 390, height: 844 });
    await session.see('connection-mark');
    await server.start();
    for (const page of [session, start]) await page.gone('reconnecting');
    await live(start);
    await session.gone('connection-mark');
    await session.close(WHILE_AWAY);
    await start.close(WHILE_AWAY);
  });

  test('a part of the page that did not come is asked for again', async () => {
    const page = await open('#/agents');
    await live(page);
    let asked = 0;
    await page.page.route('**/preview-graph-*.js', (route) => (++asked < 3 ? route.abort('connectionrefused') : route.continue()));
    await page.page.evaluate(() => { location.hash = '#/new/council-debate'; });
    await page.page.waitForSelector('.preview svg');
    assert.equal(asked, 3);
    await page.close(WHILE_AWAY);
  });

  test('a server that is stopped says so, and is waited for', async () => {
    const page = await open();
    await live(page);
    await server.kill('SIGTERM');
    await page.page.getByText('The server restarts').first().waitFor();
    await server.start();
    await page.gone('reconnecting');
    await live(page);
    await page.close(WHILE_AWAY);
  });

  test('two tabs agree', async () => {
    model.intervalMs = 30;
    const id = await begin('Do they agree?');
    const [one, two] = [await open(`#/sessions/${id}`), await open(`#/sessions/${id}`)];
    for (const page of [one, two]) await status(page, 'running');
    // Each is told that there are two.
    for (const page of [one, two]) await page.page.locator('[data-testid=watchers]', { hasText: '2' }).waitFor();
    await one.click('pause');
    for (const page of [one, two]) await status(page, 'paused');
    model.intervalMs = 8;
    await two.click('resume');
    for (const page of [one, two]) await page.see('review-form');
    await one.click('action-approve');
    for (const page of [one, two]) await page.see('ending');
    await one.page.evaluate(() => { document.querySelector('details.settings').open = true; });
    await one.page.selectOption('[data-testid=language]', 'zh');
    await one.page.selectOption('[data-testid=theme]', 'dark');
    await two.page.waitForFunction(() => document.documentElement.lang === 'zh-CN' && document.documentElement.style.colorScheme === 'dark');
    await two.page.getByText('实时').first().waitFor({ state: 'attached' });
    await two.page.evaluate(() => { document.querySelector('details.settings').open = true; });
    await two.page.selectOption('[data-testid=language]', 'en');
    await two.page.selectOption('[data-testid=theme]', 'system');
    await one.page.waitForFunction(() => document.documentElement.lang === 'en' && document.documentElement.style.colorScheme === 'light dark');
    await one.close();
    await two.close();
  });
});
