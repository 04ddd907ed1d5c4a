// Webhooks, keys, the audit log, models and the dashboard, as an admin uses them.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, repo, Server } from './lib/server.mjs';

const skip = !hasBrowser ? 'no Chromium here' : !isReal && 'needs the real server';

// Where webhooks go.
class Ear {
  status = 204;
  requests = [];
  async start() {
    this.server = createServer((req, res) => {
      let body = '';
      req.on('data', (d) => { body += d; }).on('end', () => {
        this.requests.push({ headers: req.headers, body });
        res.writeHead(this.status).end();
      });
    });
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.server.address().port}/hook`;
    return this;
  }
  close() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
}

describe('operating', { skip }, () => {
  let server, browser, ear;
  before(async () => {
    ear = await new Ear().start();
    server = await new Server({ args: ['--examples', join(repo, 'examples'), '--tool-allow', '127.0.0.1'] }).start();
    browser = await new Browser().start({ locale: 'en-US' });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    await ear?.close();
  });

  const open = (hash) => browser.open(`${server.url}/ui/${hash}`);
  const cell = (page, id, pattern) => page.page.locator(`[data-testid=${id}]`, { hasText: pattern }).first().waitFor();
  const ended = async (id) => {
    for (let i = 0; i < 600; i++) {
      if ((await server.get(`/sessions/${id}`)).status === 'completed') return;
      await new Promise((done) => setTimeout(done, 25));
    }
    throw new Error('it did not end');
  };

  test('a webhook: its secret once, a test, deliveries, what fails, sent again', async () => {
    const page = await open('#/webhooks');
    await page.see('empty');
    await page.click('new');
    await page.click('save');
    await page.page.getByText('Say where events go.').waitFor();
    await page.fill('webhook-url', ear.url);
    await page.fill('webhook-name', 'Ear');
    await page.click('save');
    await page.see('once');
    const secret = await page.text('once-text');
    assert.match(secret, /^whsec_/);
    await page.click('once-done');
    await page.gone('once');
    await page.page.reload();
    await page.see('test');
    assert.equal(await page.page.getByText(secret).count(), 0);

    await page.click('test');
    await page.page.locator('[data-testid=test-result][data-tone=good]').waitFor();
    const { headers, body } = ear.requests.at(-1);
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['sluice-signature']);
    assert.equal(v1, createHmac('sha256', secret).update(`${t}.${body}`).digest('hex'));

    ear.status = 500;
    await server.post('/workflows/execute', { workflow_id: 'hello', input: { name: 'ear' } });
    await page.page.locator('[data-testid=delivery][data-status=failed]').first().waitFor();
    await cell(page, 'webhook-state', 'Failing');
    ear.status = 204;
    await page.page.locator('[data-testid=delivery][data-status=failed]').first().getByTestId('replay').click();
    await page.page.locator('[data-testid=delivery][data-status=delivered]').first().waitFor();
    await page.picture('webhook');
    await page.close();
  });

  test('models: providers, prices, what it would cost', async () => {
    const page = await open('#/models');
    await cell(page, 'providers', 'demo');
    await page.fill('search', 'gpt-5.4-mini');
    await page.page.waitForFunction(() => document.querySelectorAll('[data-testid=prices] tbody tr').length === 1);
    const price = (await server.get('/models/pricing?limit=500')).items.find((p) => p.model === 'gpt-5.4-mini');
    await page.page.getByRole('button', { name: /gpt-5.4-mini/ }).click();
    await page.fill('calc-in', '1000000');
    await page.fill('calc-out', '1000000');
    await page.fill('calc-calls', '2');
    assert.equal(await page.text('calc-cost'), `$${(2 * (price.input + price.output)).toFixed(2)}`);
    await page.close();
  });

  test('the dashboard shows what the server counts, and follows', async () => {
    const page = await open('#/dashboard');
    await page.see('tile-total');
    const { session_id } = await server.post('/workflows/execute', { workflow_id: 'hello', input: { name: 'numbers' } });
    await ended(session_id);
    const stats = await server.get('/sessions/stats');
    await page.page.waitForFunction((n) => document.querySelector('[data-testid=tile-completed]').textContent === String(n), stats.by_status.completed);
    assert.equal(await page.text('tile-total'), String(stats.total));
    const day = await page.page.locator('figure table', { hasText: 'Sessions by day' }).locator('tbody tr').last().locator('td').first().textContent();
    assert.equal(Number(day), stats.by_day.at(-1).by_status.completed);
    const usage = await server.get('/usage?by=model');
    await page.page.waitForFunction((n) => document.querySelector('[data-testid=by-model] tbody tr td:nth-child(2)')?.textContent === String(n), usage.total.calls);

    // The same with keys alone: the newest day first, then the one before.
    const slider = page.page.getByRole('slider', { name: /Sessions by day/ });
    await slider.focus();
    await page.page.keyboard.press('End');
    assert.match(await slider.getAttribute('aria-valuetext'), new RegExp(`Completed ${stats.by_status.completed}`));
    await page.page.keyboard.press('ArrowLeft');
    assert.doesNotMatch(await slider.getAttribute('aria-valuetext'), /Completed [1-9]/);
    await page.page.selectOption('[data-testid=range]', { label: 'Last 30 days' });
    await page.page.waitForFunction(() => /from=\d{4}/.test(location.hash));
    await page.picture('dashboard');
    await page.close();
  });

  test('keys: the first one closes the server; another one is used, seen in the audit log, revoked', async () => {
    const page = await open('#/keys');
    await page.see('empty');
    await page.click('new-key');
    await page.fill('key-name', 'Ada');
    await page.click('key-create');
    await page.see('once');
    server.key = await page.text('once-text');
    await page.click('once-done');
    await page.see('key-row'); // loaded again, with the new key
    assert.match(await page.text('who'), /Ada/);

    await page.click('new-key');
    await page.click('key-create');
    await page.page.getByText('A key needs a name.').waitFor();
    await page.fill('key-name', 'robot');
    await page.click('role-operator');
    await page.click('key-create');
    const robot = await page.text('once-text');
    await page.click('once-done');
    const as = (key) => fetch(`${server.url}/api/v1/workflows/execute`, {
      method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify({ workflow_id: 'hello', input: { name: 'robot' } }),
    });
    assert.equal((await as(robot)).status, 202);

    await page.page.evaluate(() => { location.hash = '#/audit?actor=robot'; });
    await cell(page, 'audit-row', /robot.*Execute/s);
    assert.equal(await page.count('audit-row'), 1);
    await page.click('clear');
    await cell(page, 'audit-row', 'Key create');
    await page.fill('audit-action', 'key_create');
    await page.page.waitForFunction(() => document.querySelectorAll('[data-testid=audit-row]').length === 2);

    await page.page.evaluate(() => { location.hash = '#/keys'; });
    const row = page.page.locator('[data-testid=key-row]', { hasText: 'robot' });
    await row.getByTestId('revoke').click();
    await page.click('confirm');
    await row.waitFor({ state: 'detached' });
    assert.equal((await as(robot)).status, 401);
    await page.page.check('[data-testid=show-all]');
    await row.getByText('Revoked').waitFor();
    await page.close();
  });

  test('a key that may only look says so', async () => {
    const { key } = await server.post('/keys', { name: 'Vera', role: 'viewer' });
    const page = await open('#/agents/affirmative');
    await page.page.waitForSelector('#key'); // what was refused takes the tab's key away
    await page.page.evaluate((k) => sessionStorage.setItem('sluice.key', k), key);
    await page.page.goto(`${server.url}/ui/#/agents`);
    await page.page.reload();
    await page.see('row-affirmative');
    assert.equal(await page.page.getByRole('button', { name: 'New agent' }).isDisabled(), true);
    for (const name of ['webhooks', 'keys', 'audit']) assert.equal(await page.count(`nav-${name}`), 0);
    await page.page.evaluate(() => { location.hash = '#/keys'; });
    await page.page.getByText('Keys are an admin').waitFor();
    await page.close(/status of 40[13]/);
  });
});
