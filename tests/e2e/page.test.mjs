// The page against the server, in a real browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Model } from './lib/model.mjs';
import { Browser, hasBrowser, WHILE_AWAY } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';
import { council, interview, plain } from './lib/workflows.mjs';

const real = isReal ? false : 'needs the real server';

describe('the page', { skip: hasBrowser ? false : 'no Chromium here' }, () => {
  let model, server, browser;

  before(async () => {
    model = await new Model().start();
    server = await new Server({ env: model.env }).start();
    await server.workflows(council, interview, plain);
    browser = await new Browser().start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    await model?.close();
  });

  const open = (hash = '') => browser.open(`${server.url}/ui/${hash}`);

  /** What the page shows is what the server keeps. */
  async function sameAsStored(page, id) {
    const stored = (await server.all(`/sessions/${id}/messages`)).filter((m) => m.role === 'assistant');
    const want = Object.fromEntries(stored.map((m) => [m.message_id ?? m.id, m.content]));
    assert.deepEqual(await page.texts(), want);
    assert.ok(stored.length > 0);
  }

  test('a debate: streamed side by side, sent back, approved, the same after a reload', async () => {
    model.intervalMs = 30; // slow enough to be seen growing on a busy machine
    const page = await open();
    const id = await page.startRun('council-debate', 'Should tests sleep?');
    await page.see('run-pro');
    await page.see('run-con');
    const early = await page.longer('run-con', 20);
    const [left, right] = [await page.page.locator('[data-testid=run-pro]').boundingBox(), await page.page.locator('[data-testid=run-con]').boundingBox()];
    assert.ok(left.x + left.width <= right.x, 'branches stand side by side');
    await page.longer('run-con', early.length + 20);
    model.intervalMs = 8;
    await page.picture('stream');

    await page.see('review-form');
    await page.picture('review');
    assert.equal((await page.nodeStates()).review, 'suspended');
    assert.equal(await page.page.locator('.thinking').first().getAttribute('open'), null);
    await page.fill('comment', 'Say it in other words.');
    await page.click('action-reject');
    await page.page.waitForFunction(() => document.querySelectorAll('[data-testid=run-judge]').length === 2);
    await page.see('review-form');
    await page.click('action-approve');
    await page.see('ending');
    assert.match(await page.text('ending'), /Completed/);
    assert.match(await page.text('usage'), /\d+ tokens/);
    const states = await page.nodeStates();
    for (const [node, state] of Object.entries(states)) assert.equal(state, 'completed', node);
    await page.picture('ended');

    await sameAsStored(page, id);
    const shown = await page.text('conversation');
    await page.page.reload();
    await page.see('ending');
    assert.equal(await page.text('conversation'), shown);
    await page.close();
  });

  test('pause holds in mid-stream: nothing moves for two seconds, then it goes on', async () => {
    model.intervalMs = 30;
    const page = await open();
    const id = await page.startRun('council-debate', 'Is silence golden?');
    await page.longer('run-con', 60);
    await page.click('pause');
    await page.see('paused');
    assert.match(await page.text('paused'), /nothing moves/);
    const before = [await page.text('conversation'), (await server.get(`/sessions/${id}`)).last_seq];
    await page.picture('paused');
    // The promise itself is about time passing.
    await new Promise((r) => setTimeout(r, 2000));
    assert.deepEqual([await page.text('conversation'), (await server.get(`/sessions/${id}`)).last_seq], before);
    assert.equal(await page.page.locator('[data-testid=status]').getAttribute('data-status'), 'paused');
    model.intervalMs = 8;
    await page.click('resume');
    await page.gone('paused');
    await page.see('review-form');
    await page.click('action-modify');
    await page.fill('draft', 'What a person made of it.');
    await page.picture('modify');
    await page.click('action-modify');
    await page.see('ending');
    assert.match(await page.text('interrupt'), /Approved with changes[^]*What a person made of it\./);
    await sameAsStored(page, id);
    await page.close();
  });

  test('cancel stops at once and keeps what was said', async () => {
    model.intervalMs = 30;
    const page = await open();
    await page.startRun('council-debate', 'Is enough enough?');
    await page.click('plain');
    const text = '[data-testid=run-con] [data-testid=text]';
    const said = await page.longer(text, 60);
    await page.click('cancel');
    await page.click('confirm');
    await page.see('ending');
    assert.match(await page.text('ending'), /Cancelled/);
    const kept = await page.longer(text, 60);
    assert.ok(kept.startsWith(said), `"${kept}" begins with "${said}"`);
    await page.page.reload();
    await page.see('ending');
    assert.equal(await page.longer(text, 60), kept);
    assert.equal(await page.count('pause'), 0);
    model.intervalMs = 8;
    await page.close();
  });

  test('kill -9 in mid-stream: the page waits, comes back, loses nothing', { skip: real }, async () => {
    model.intervalMs = 40;
    const page = await open();
    const id = await page.startRun('council-debate', 'Does it survive?');
    await page.longer('run-con', 80);
    await server.kill('SIGKILL');
    await page.see('reconnecting');
    await page.picture('reconnecting');
    model.intervalMs = 8;
    await server.start();
    await page.gone('reconnecting');
    await page.see('review-form');
    await page.click('action-approve');
    await page.see('ending');
    await sameAsStored(page, id);
    await page.close(WHILE_AWAY);
  });

  test('a review outlives the server', { skip: real }, async () => {
    const page = await open();
    const id = await page.startRun('council-debate', 'Can it wait?');
    await page.see('review-form');
    await server.kill('SIGKILL');
    await page.see('reconnecting');
    await server.start();
    await page.gone('reconnecting');
    await page.click('action-modify');
    await page.fill('draft', 'A text that a person changed.');
    await page.click('action-modify');
    await page.see('ending');
    const answered = (await server.all(`/sessions/${id}/events`)).filter((e) => e.type === 'node_resumed');
    assert.equal(answered.length, 1);
    assert.equal(answered[0].data.data.content, 'A text that a person changed.');
    await page.close(WHILE_AWAY);
  });

  test('a question to the person in the session', async () => {
    const page = await open('#/new/interview');
    await page.click('start');
    await page.see('input-form');
    await page.fill('said', 'Only what matters.');
    await page.click('say');
    await page.see('said-text');
    assert.match(await page.text('said-text'), /Only what matters\./);
    await page.see('ending');
    assert.equal(await page.count('said-text'), 1);
    await page.close();
  });

  test('a failure says what failed and why', { skip: real }, async () => {
    const page = await open('#/new/plain');
    await page.page.fill('[name="topic"]', 'REFUSE this');
    await page.click('start');
    await page.see('ending');
    assert.match(await page.text('ending'), /Failed at Speaker/);
    assert.match(await page.text('ending'), /does not speak of that/);
    assert.equal((await page.nodeStates()).speak, 'failed');
    await page.picture('failed');
    await page.close();
  });

  test('markup from a model stays text', { skip: real }, async () => {
    const page = await open('#/new/plain');
    await page.page.fill('[name="topic"]', 'MARKUP please');
    await page.click('start');
    await page.see('ending');
    assert.equal(await page.page.locator('[data-testid=text] img, [data-testid=text] script').count(), 0);
    assert.equal(await page.page.locator('[data-testid=text] a[href^="javascript"]').count(), 0);
    assert.match(await page.text('text'), /<img src=x onerror=/);
    assert.doesNotMatch(await page.page.title(), /owned/);
    await page.close();
  });

  test('what the form refuses is not sent, and the list leads back to a run', async () => {
    const page = await open();
    const name = 'Which way back?';
    await page.page.click('[data-testid="workflow-council-debate"]');
    await page.see('start-form');
    await page.page.fill('[name="topic"]', '');
    await page.click('start');
    await page.page.waitForSelector('.field-error');
    assert.equal(page.sessionId(), undefined);
    const id = await page.startRun('council-debate', name);
    await page.see('review-form');
    await page.page.click('.brand-link');
    await page.see('start-form');
    const entry = page.page.locator(`[data-testid=session-list] a[href="#/sessions/${id}"]`);
    await entry.getByText('Waits for you').waitFor();
    await entry.click();
    await page.see('review-form');
    assert.equal(page.sessionId(), id);
    await page.close();
  });

  test('a session that does not exist is said to be missing', async () => {
    const page = await open('#/sessions/01890000-0000-7000-8000-000000000000');
    await page.page.getByText('There is no such session').waitFor();
    await page.close(/404/);
  });

  test('a log that no longer reaches back: the page takes a snapshot and goes on', async () => {
    const forgetful = await new Server({ standIn: ['--keep', '40'] }).start();
    try {
      const page = await browser.open(`${forgetful.url}/ui/`);
      const id = await page.startRun('council-debate', 'What was it about?');
      await page.longer('run-judge', 80);
      await page.page.reload();
      await page.page.getByText('its messages are whole').waitFor();
      await page.see('review-form');
      await page.click('action-approve');
      await page.see('ending');
      const stored = await forgetful.all(`/sessions/${id}/messages`);
      assert.deepEqual(await page.texts(), Object.fromEntries(stored.map((m) => [m.message_id, m.content])));
      assert.equal((await page.nodeStates()).end, 'completed');
      await page.close();
    } finally {
      await forgetful.close();
    }
  });

  test('on a phone nothing is wider than the screen', async () => {
    const phone = await new Browser().start({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    try {
      const page = await phone.open(`${server.url}/ui/`);
      await page.see('start-form');
      const overflow = () => page.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(await overflow(), 0);
      await page.startRun('council-debate', 'Is small beautiful?');
      await page.see('review-form');
      assert.equal(await overflow(), 0);
      await page.picture('phone-review');
      await page.click('tab-graph');
      await page.see('node-judge');
      assert.equal(await overflow(), 0);
      await page.picture('phone-graph');
      await page.close();
    } finally {
      await phone.close();
    }
  });

  test('a key is asked for in words, says what it may, and can be put away', { skip: real }, async () => {
    const keyed = await new Server({ env: model.env }).start();
    try {
      await keyed.workflows(council);
      const keyOf = async (name, role, auth) => (await (await fetch(`${keyed.url}/keys`, {
        method: 'POST', headers: { 'content-type': 'application/json', ...auth }, body: JSON.stringify({ name, role }),
      })).json()).key;
      const admin = await keyOf('root', 'admin');
      const bearer = (key) => ({ authorization: `Bearer ${key}` });
      const viewer = await keyOf('Vera', 'viewer', bearer(admin));
      const operator = await keyOf('Otto', 'operator', bearer(admin));
      const page = await browser.open(`${keyed.url}/ui/`);
      const signIn = async (key) => { await page.page.fill('#key', key); await page.page.click('text=Continue'); };
      await page.page.waitForSelector('text=This server wants a key');
      await signIn('nonsense');
      await page.page.waitForSelector('[role=alert]');
      await signIn(operator);
      await page.see('who');
      assert.match(await page.text('who'), /Otto may run and answer/);
      model.intervalMs = 30;
      const id = await page.startRun('council-debate', 'Who may stop this?');
      await page.longer('run-con', 20); // over a WebSocket that was opened with a ticket
      await page.click('sign-out');
      await page.page.waitForSelector('text=This server wants a key');
      await signIn(viewer);
      await page.page.goto(`${keyed.url}/ui/#/sessions/${id}`);
      await page.longer('run-con', 20);
      const pause = page.page.locator('[data-testid=pause]');
      assert.ok(await pause.isDisabled());
      assert.match(await pause.getAttribute('title'), /operator/);
      await page.close(/status of 40[13]/);
    } finally {
      model.intervalMs = 8;
      await keyed.close();
    }
  });
});
