// One person's way through the page, on the demo models that every server has: start, watch, pause, kill the server,
// answer reviews, look back, fork, change the workflow, speak Chinese, put the mouse away.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, hasBrowser, WHILE_AWAY } from './lib/page.mjs';
import { isReal, repo, Server } from './lib/server.mjs';

const skip = !hasBrowser ? 'no Chromium here' : !isReal && 'needs the real server';
const CONFIG = 'providers: [{ id: demo, dialect: demo, tokens_per_s: 70, seed: 5 }]\n';

describe('a walk through the page', { skip }, () => {
  let server, browser, page, dir, council;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-walk-'));
    const config = join(dir, 'config.yaml');
    writeFileSync(config, CONFIG);
    server = await new Server({ args: ['--examples', join(repo, 'examples'), '--config', config] }).start();
    browser = await new Browser().start();
    page = await browser.open(`${server.url}/ui/`);
  });
  after(async () => {
    await page?.close(WHILE_AWAY);
    await browser?.close();
    await server?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const here = (hash) => page.page.evaluate((h) => { location.hash = h; }, hash);
  const status = (word) => page.page.waitForSelector(`[data-testid=status][data-status="${word}"]`);
  const shownText = () => page.text('conversation');

  /** The texts of all messages by id, as the page shows them from top to bottom; none stands there twice. */
  async function shown() {
    const texts = await page.texts();
    const box = page.page.locator('[data-testid=conversation]').first();
    for (let top = 0, over = false; !over; top += 500) {
      over = await box.evaluate((el, y) => {
        const scroller = [el, ...el.querySelectorAll('*'), el.parentElement].find((e) => e.scrollHeight > e.clientHeight + 4 && /auto|scroll/.test(getComputedStyle(e).overflowY));
        if (!scroller) return true;
        scroller.scrollTop = y;
        return y + scroller.clientHeight >= scroller.scrollHeight;
      }, top);
      await page.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const ids = await page.page.locator('[data-testid=message]').evaluateAll((all) => all.map((m) => m.getAttribute('data-message')));
      assert.equal(new Set(ids).size, ids.length, 'a message stands there twice');
      Object.assign(texts, await page.texts());
    }
    return texts;
  }

  async function sameAsStored(id) {
    const stored = (await server.all(`/sessions/${id}/messages`)).filter((m) => m.role === 'assistant');
    assert.ok(stored.length > 0);
    assert.deepEqual(await shown(), Object.fromEntries(stored.map((m) => [m.message_id ?? m.id, m.content])));
  }

  test('starts a debate and watches it', async () => {
    council = await page.startRun('council-debate', 'Should our team move to a four-day week?');
    const early = await page.longer('run-affirmative', 20);
    await page.longer('run-affirmative', early.length + 10);
    await page.see('run-negative');
  });

  test('holds it in mid-sentence, and nothing moves', async () => {
    await page.click('pause');
    await page.see('paused');
    const before = [await shownText(), (await server.get(`/sessions/${council}`)).last_seq];
    await new Promise((done) => setTimeout(done, 800)); // the promise is about time that passes
    assert.deepEqual([await shownText(), (await server.get(`/sessions/${council}`)).last_seq], before);
    await page.click('resume');
    await page.gone('paused');
  });

  test('loads the page again in the middle', async () => {
    await page.page.reload();
    await page.see('run-moderator');
  });

  test('the server is killed in the middle: the page says so, and catches up by itself', async () => {
    await server.kill('SIGKILL');
    await page.see('reconnecting');
    await server.start();
    await page.gone('reconnecting');
    await page.see('review-form');
  });

  test('sends the verdict back, then changes it', async () => {
    await page.fill('comment', 'Name who pays for it.');
    await page.click('action-reject');
    await page.gone('review-form');
    await page.see('review-form');
    await page.click('action-modify');
    await page.fill('draft', 'A trial of three months, with one team.');
    await page.click('action-modify');
    await page.see('ending');
    await status('completed');
    await sameAsStored(council);
    await page.page.reload();
    await page.see('ending');
    await sameAsStored(council);
  });

  test('looks back at it, and goes on from a moment of it; this time the verdict is good', async () => {
    const events = await server.all(`/sessions/${council}/events`);
    const asked = events.find((e) => e.type === 'human_interaction_required').seq;
    await here(`#/sessions/${council}/replay?at=${asked}`);
    await page.page.waitForSelector('[data-testid=replay][data-ready]');
    await page.page.waitForSelector(`[data-testid=where][data-seq="${asked}"]`);
    assert.equal(await page.count('ending'), 0);
    await page.page.locator('[data-testid=scrub]').focus();
    await page.page.keyboard.press('End');
    await page.see('ending');
    await here(`#/sessions/${council}/replay?at=${asked - 2}`);
    await page.page.waitForSelector(`[data-testid=where][data-seq="${asked - 2}"]`);
    await page.click('fork');
    await page.click('fork-go');
    await page.page.waitForFunction((id) => !location.hash.includes(id), council);
    await page.see('review-form');
    const fork = page.sessionId();
    await page.click('action-approve');
    await page.see('ending');
    assert.equal((await server.get(`/sessions/${fork}`)).parent.session_id, council);
    await sameAsStored(fork);
  });

  test('changes a workflow and runs it', async () => {
    await here('#/workflows/hello/edit?node=greet');
    const prompt = page.page.locator('[data-field="properties.prompt"] textarea');
    await prompt.fill('Greet {{ input.name }} like an old friend.');
    await page.page.waitForFunction(() => document.querySelector('[data-testid=problems][data-fresh]') && !document.querySelector('[data-testid=problem]'));
    await page.click('save');
    await page.page.waitForFunction(() => document.querySelector('[data-testid=stand]')?.textContent === 'Version 2');
    assert.equal((await server.get('/workflows/hello')).graph.nodes.greet.properties.prompt, 'Greet {{ input.name }} like an old friend.');
    await page.page.click('[data-testid=run]:enabled');
    await page.page.fill('[name="run/name"]', 'Ada');
    await page.click('run-start');
    await page.see('ending');
    assert.equal((await server.get(`/sessions/${page.sessionId()}`)).workflow_version, 2);
  });

  test('speaks Chinese, and English again', async () => {
    const choose = async (lang) => {
      await page.page.evaluate(() => { document.querySelector('details.settings').open = true; });
      await page.page.selectOption('[data-testid=language]', lang);
    };
    await choose('zh');
    await page.page.getByText('已完成').first().waitFor();
    await page.page.reload();
    await page.page.getByText('最近的会话').first().waitFor();
    assert.equal(await page.page.evaluate(() => document.documentElement.lang), 'zh-CN');
    await choose('en');
    await page.page.getByText('Recent sessions').first().waitFor();
  });

  test('does it all again with the keyboard alone', async () => {
    const { keyboard } = page.page;
    const tabTo = async (selector) => {
      for (let i = 0; i < 150; i++) {
        if (await page.page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
        await keyboard.press('Tab');
      }
      assert.fail(`Tab never comes to ${selector}`);
    };
    await page.page.locator('body').press('g');
    await keyboard.press('n');
    await page.see('start-form');
    await tabTo('[data-testid=workflow-council-debate]');
    await keyboard.press('Enter');
    await page.page.waitForFunction(() => location.hash.startsWith('#/new/council-debate'));
    await tabTo('[name="topic"]');
    await keyboard.press('Control+A');
    await keyboard.type('Is a mouse needed?');
    await tabTo('[data-testid=start]');
    await keyboard.press('Enter');
    await page.see('session');
    await page.longer('run-affirmative', 20);
    await tabTo('[data-testid=pause]');
    await keyboard.press('Enter');
    await page.see('paused');
    await tabTo('[data-testid=resume]');
    await keyboard.press('Enter');
    await page.see('review-form');
    await tabTo('[data-testid=action-approve]');
    await keyboard.press('Enter');
    await page.see('ending');
    await sameAsStored(page.sessionId());
  });
});
