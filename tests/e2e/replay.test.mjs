// A session seen again: every moment as it was, forks and retries from it, two sessions beside each other, and the
// graph by keyboard.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Model } from './lib/model.mjs';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';
import { council, plain } from './lib/workflows.mjs';

const skip = !hasBrowser ? 'no Chromium here' : !isReal ? 'needs the real server' : false;
const ended = new Set(['completed', 'failed', 'cancelled']);

describe('a session seen again', { skip }, () => {
  let model, server, browser, debate;

  const until = async (what) => {
    for (const end = Date.now() + 20_000; ;) {
      const value = await what();
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited too long for ${what}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  };
  const start = async (workflow_id, topic) => (await server.request('POST', '/workflows/execute', { workflow_id, input: { topic } })).session_id;
  const over = (id) => until(async () => ended.has((await server.get(`/sessions/${id}`)).status));
  const answer = async (id, action) => {
    await until(async () => (await server.get(`/sessions/${id}`)).waiting_on.length > 0);
    await server.request('POST', `/sessions/${id}/nodes/review/resume`, { action });
  };
  const log = (id) => server.all(`/sessions/${id}/events`);

  before(async () => {
    model = await new Model().start();
    model.intervalMs = 2;
    server = await new Server({ env: model.env }).start();
    await server.workflows(council, plain);
    browser = await new Browser().start();
    debate = await start('council-debate', 'Was it better before?');
    await answer(debate, 'reject');
    await until(async () => (await log(debate)).filter((e) => e.type === 'human_interaction_required').length === 2);
    await answer(debate, 'approve');
    await over(debate);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    await model?.close();
  });

  const open = async (hash, ready = '[data-testid=replay][data-ready]') => {
    const page = await browser.open(`${server.url}/ui/${hash}`);
    await page.page.waitForSelector(ready);
    return page;
  };
  const at = async (page) => Number(await page.page.locator('[data-testid=where]').getAttribute('data-seq'));
  const atSeq = (page, seq) => page.page.waitForSelector(`[data-testid=where][data-seq="${seq}"]`);
  const settled = (page, pattern) => page.page.waitForFunction((text) => new RegExp(text).test(location.hash), pattern);

  /** The states that nodes had after event `seq`. */
  const statesAt = (events, seq) => {
    const states = {};
    for (const e of events) if (e.seq <= seq && e.type === 'node_state_change') states[e.node_id] = e.data.to;
    return states;
  };
  const assertStates = async (page, events, seq) => {
    const shown = await page.nodeStates();
    const want = statesAt(events, seq);
    for (const [node, state] of Object.entries(shown)) assert.equal(state, want[node] ?? 'pending', `${node} at ${seq}`);
  };

  test('every moment is as it was: by address, by steps, by keys, by the slider', async () => {
    const events = await log(debate);
    const last = events.at(-1).seq;
    const page = await open(`#/sessions/${debate}/replay?at=40`);
    await atSeq(page, 40);
    await page.page.waitForSelector('.graph[data-layout=ready]');
    await assertStates(page, events, 40);
    assert.equal(await page.count('ending'), 0);
    await page.click('step');
    await atSeq(page, 41);
    await page.page.keyboard.press('ArrowLeft');
    await page.page.keyboard.press('ArrowLeft');
    await atSeq(page, 39);
    const next = events.find((e) => e.seq > 39 && e.type === 'node_state_change' && e.data.to !== 'pending').seq;
    await page.page.keyboard.press('Shift+ArrowRight');
    await atSeq(page, next);
    await assertStates(page, events, next);
    await settled(page, `at=${next}$`);
    await page.picture('replay');

    await page.page.keyboard.press('End');
    await page.see('ending');
    assert.equal(await at(page), last);
    await page.page.keyboard.press('Home');
    await page.gone('ending');
    assert.equal(await at(page), 0);
    await page.click('mark-review');
    const asked = events.find((e) => e.type === 'human_interaction_required').seq;
    await atSeq(page, asked);
    for (const button of await page.page.locator('[data-testid^=action-]').all()) assert.ok(await button.isDisabled(), 'what is over cannot be answered');

    // Somewhere in the middle of the slider, by pointer; then everything there is as the log says.
    const box = await page.page.locator('[data-testid=scrub]').boundingBox();
    await page.page.mouse.click(box.x + box.width * 0.6, box.y + box.height / 2);
    const there = await at(page);
    assert.ok(there > 0 && there < last, `${there} of ${last}`);
    await assertStates(page, events, there);
    await page.page.evaluate((seq) => { location.hash = location.hash.replace(/at=\d+/, `at=${seq}`); }, asked - 5);
    await atSeq(page, asked - 5);
    await page.close();
  });

  test('it plays to the end, and from the beginning again', async () => {
    const page = await open(`#/sessions/${debate}/replay`);
    assert.equal(await at(page), 0);
    await page.page.selectOption('[data-testid=speed]', '20');
    await page.page.keyboard.press(' ');
    await page.see('ending');
    await page.page.waitForSelector('[data-testid=play][aria-pressed=false]');
    await page.page.selectOption('[data-testid=speed]', '1');
    await page.click('play');
    await page.gone('ending');
    await page.page.keyboard.press('?');
    await page.page.getByText('Next change of a node').first().waitFor();
    await page.close();
  });

  test('a fork goes on from a moment with another input, and both know each other', async () => {
    const events = await log(debate);
    const judged = events.find((e) => e.type === 'node_state_change' && e.node_id === 'judge' && e.data.to === 'completed').seq;
    const page = await open(`#/sessions/${debate}/replay?at=${judged}`);
    await atSeq(page, judged);
    const calls = model.calls;
    await page.click('fork');
    await page.see('fork-form');
    await page.click('fork-input-on');
    await page.fill('fork-input', 'not json');
    assert.ok(await page.page.locator('[data-testid=fork-go]').isDisabled());
    await page.fill('fork-input', '{"topic": "Will it be better after?"}');
    await page.click('fork-go');
    await page.see('session');
    const fork = page.sessionId();
    assert.notEqual(fork, debate);
    await page.see('review-form');
    const made = await server.get(`/sessions/${fork}`);
    assert.deepEqual(made.input, { topic: 'Will it be better after?' });
    assert.deepEqual(made.parent, { session_id: debate, seq: judged });
    assert.equal(model.calls, calls, 'nobody was asked again');
    await answer(fork, 'approve');
    await over(fork);

    await page.page.goto(`${server.url}/ui/#/sessions/${fork}/replay`);
    await page.see('lineage-parent');
    assert.match(await page.text('lineage'), new RegExp(`event ${judged}`));
    await page.page.locator('[data-testid=lineage] a[href*="replay"]').click();
    await atSeq(page, judged);
    await page.page.locator(`[data-testid=lineage-fork][href*="${fork}"]`).waitFor();
    await page.close();

    const compare = await open(`#/compare/${debate}/${fork}`, '[data-testid=compare-facts]');
    assert.match(await compare.text('compare-facts'), /Was it better before\?[^]*Will it be better after\?[^]*differs/);
    const rows = await compare.page.locator('[data-testid=compare-nodes] tbody tr').count();
    await compare.click('only-differences');
    assert.ok(await compare.page.locator('[data-testid=compare-nodes] tbody tr').count() < rows);
    assert.equal(await compare.page.locator('[data-node=judge][data-differs]').count(), 1);
    await compare.picture('compare');
    await compare.click('compare-tab-messages');
    await compare.page.waitForSelector('.pair[data-node=pro]');
    assert.match(await compare.page.locator('.pair[data-node=pro] summary').innerText(), /the same/);
    await compare.click('swap');
    await settled(compare, `compare/${fork}/${debate}`);
    await compare.close();
  });

  test('what failed is tried again from there', async () => {
    const failed = await start('plain', 'REFUSE once');
    await over(failed);
    const page = await open(`#/sessions/${failed}/replay`);
    await page.page.keyboard.press('End');
    await page.see('ending');
    assert.equal((await page.nodeStates()).speak, 'failed');
    await page.click('mark-error').catch(() => undefined);
    model.lenient = true;
    await page.click('retry');
    await page.click('confirm');
    await page.see('session');
    await page.page.waitForFunction((id) => !location.hash.includes(id), failed);
    await page.see('ending');
    assert.match(await page.text('ending'), /Completed/);
    assert.equal((await server.get(`/sessions/${page.sessionId()}`)).parent.session_id, failed);
    assert.equal((await server.get(`/sessions/${failed}`)).status, 'failed');
    model.lenient = false;
    await page.close();
  });

  test('a session that still runs is recorded while it is looked at', async () => {
    model.intervalMs = 25;
    const id = await start('council-debate', 'Is it over yet?');
    await until(async () => (await log(id)).some((e) => e.type === 'token_stream'));
    const page = await open(`#/sessions/${id}/replay?at=3`);
    await page.see('growing');
    await atSeq(page, 3);
    const length = () => page.page.locator('[data-testid=where]').innerText();
    const before = await length();
    await page.page.waitForFunction((text) => document.querySelector('[data-testid=where]').innerText !== text, before);
    await atSeq(page, 3); // what comes does not move it
    model.intervalMs = 2;
    await answer(id, 'approve');
    await page.gone('growing');
    await page.close();
  });

  test('the graph by keyboard: arrows walk, Enter chooses, Escape leaves, f follows', async () => {
    const page = await open(`#/sessions/${debate}`, '.graph[data-layout=ready]');
    const focused = () => page.page.evaluate(() => document.activeElement?.closest('.react-flow__node')?.dataset.id);
    const onNode = (id) => page.page.waitForFunction((want) => document.activeElement?.closest('.react-flow__node')?.dataset.id === want, id);
    await page.page.waitForSelector('.react-flow__node[tabindex]');
    assert.equal(await page.page.locator('.react-flow__node[tabindex]').count(), 1, 'one stop for Tab');
    await page.page.focus('.react-flow__node[tabindex]');
    assert.equal(await focused(), 'start');
    await page.page.keyboard.press('ArrowDown');
    await onNode('panel');
    await page.see('peek');
    await page.page.keyboard.press('ArrowDown');
    await onNode('pro');
    await page.page.keyboard.press('ArrowRight');
    await onNode('con');
    const name = await page.page.evaluate(() => document.getElementById(document.activeElement.getAttribute('aria-labelledby')).textContent);
    assert.match(name, /^Negative, Agent, Completed/);
    await page.page.keyboard.press('Enter');
    await page.see('inspector');
    await settled(page, 'node=con');
    await page.page.keyboard.press('Escape');
    await page.gone('inspector');
    await page.page.keyboard.press('f');
    await page.page.waitForSelector('[data-testid=follow][aria-pressed=true]');
    const box = await page.page.locator('.graph').boundingBox();
    await page.page.mouse.move(box.x + 20, box.y + 20);
    await page.page.mouse.down();
    await page.page.mouse.move(box.x + 60, box.y + 60, { steps: 4 });
    await page.page.mouse.up();
    await page.page.waitForSelector('[data-testid=follow][aria-pressed=false]');
    await page.close();
  });
});
