// A long session in a real browser: what is in the page stays little, a word touches its own message only, a reader is
// not moved, and neither frames nor memory are worse for it. The figures are made by script/bench-page.
// Measures: runs alone (script/test).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Flood, flood, startFlood } from './lib/flood.mjs';
import { blank, frames, memory, scroll } from './lib/frames.mjs';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';

const ITEMS = 500;
const skip = !hasBrowser ? 'no Chromium here' : !isReal ? 'needs the real server' : false;

describe('a session of 500 messages', { skip }, () => {
  let model, server, browser, page, id;

  before(async () => {
    model = await new Flood().start();
    model.length = 100_000; // one message, for as long as the test lasts
    server = await new Server({ env: model.env }).start();
    await server.workflows(flood);
    id = await startFlood(server, ITEMS);
    browser = await new Browser().start();
    page = await browser.open(`${server.url}/ui/#/sessions/${id}`);
    await page.see('run-stream');
  });
  after(async () => {
    model.stopped = true;
    await browser?.close();
    await server?.kill('SIGKILL');
    await model?.close();
  });

  const rows = () => page.count('row');
  const box = async () => {
    const b = await page.page.locator('[data-testid=conversation]').boundingBox();
    return [b.x + b.width / 2, b.y + b.height / 2];
  };
  const wheel = async (pixels, speed = 4_000) => {
    const cdp = await page.page.context().newCDPSession(page.page);
    await scroll(cdp, ...(await box()), pixels, speed);
    await cdp.detach();
  };

  test('has 10,000 events, and only the rows near the screen are in the page', async () => {
    assert.ok((await server.get(`/sessions/${id}`)).last_seq > 10_000);
    assert.ok(await rows() < 40, `${await rows()} rows`);
  });

  test('streams at the pace of a blank page, and a word changes its own message only', async () => {
    const still = await blank(browser.context, 1_000);
    await page.page.bringToFront();
    const moving = await frames(page.page, () => page.page.waitForTimeout(2_000));
    assert.ok(moving.seen.median <= still.seen.median * 1.25, `${moving.seen.median} ms a frame, beside ${still.seen.median}`);
    const touched = await page.page.evaluate(() => new Promise((done) => {
      const nodes = new Set();
      const changes = new MutationObserver((list) => { for (const m of list) nodes.add((m.target.parentElement ?? m.target).closest('[data-testid=message]')?.dataset.message ?? 'beside'); });
      changes.observe(document.querySelector('.conversation-rows'), { childList: true, subtree: true, characterData: true });
      setTimeout(() => done([...nodes]), 1_000);
    }));
    assert.equal(touched.length, 1, `changed: ${touched}`);
    assert.notEqual(touched[0], 'beside');
  });

  test('a reader far up is not moved by what streams below, and comes back with one click', async () => {
    await wheel(-9_000);
    const where = () => page.page.evaluate(() => {
      const view = document.querySelector('[data-testid=conversation]').getBoundingClientRect();
      const row = [...document.querySelectorAll('[data-testid=row]')].find((r) => r.getBoundingClientRect().top > view.top);
      return `${row?.innerText.slice(0, 40)} at ${Math.round(row?.getBoundingClientRect().top)}`;
    });
    const before = await where();
    const sent = model.sent;
    await page.page.waitForTimeout(800);
    assert.ok(model.sent > sent);
    assert.equal(await where(), before);
    assert.ok(await rows() < 40);
    await page.page.getByRole('button', { name: 'Newest' }).click();
    await page.page.locator('[data-testid=run-stream]').waitFor();
    await page.page.getByRole('button', { name: 'Newest' }).waitFor({ state: 'detached' });
  });

  test('finds words that are not in the page, and goes to the node in the address', async () => {
    await page.page.locator('[data-testid=conversation]').focus();
    await page.page.keyboard.press('/');
    await page.page.keyboard.type('Point 123:');
    await page.page.getByText('1 of 1').waitFor();
    await page.page.locator('[data-testid=run-point]', { hasText: 'Point 123:' }).waitFor();
    await page.page.keyboard.press('Escape');
    await page.gone('find');
    await page.page.evaluate(() => { location.hash += '?node=stream'; });
    await page.page.locator('[data-testid=run-stream][data-selected]').waitFor();
    await page.page.waitForFunction(() => {
      const { top, bottom } = document.querySelector('[data-testid=run-stream]').getBoundingClientRect();
      return bottom > 0 && top < innerHeight;
    });
  });

  test('memory does not grow with the time watched', async () => {
    await page.click('pause');
    await page.see('paused');
    await memory(page.page); // what is lazy is made
    const first = await memory(page.page);
    await page.page.waitForTimeout(1_000);
    for (let i = 0; i < 2; i++) {
      await wheel(-6_000, 16_000);
      await wheel(8_000, 16_000);
    }
    const last = await memory(page.page);
    assert.ok(last.heap - first.heap < 1_500_000, `${first.heap} to ${last.heap} bytes`);
    assert.ok(last.nodes < 12_000, `${last.nodes} nodes`);
    await page.close();
  });
});
