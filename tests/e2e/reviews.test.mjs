// What waits for a person, as people answer it: in the inbox and in the session, by hand and by keyboard, in time and late.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';

const DRAFT = 'The first line stays.\n\nThe second line is wrong.\n\nThe third line stays, too.';
const asks = (id, name, type, properties, more = {}) => ({
  id, name, start_node_id: 'start',
  nodes: { start: { type: 'start', next_ids: ['ask'] }, ask: { type, name: `${name} step`, properties, ...more }, end: { type: 'end' } },
});
const review = (id, name, properties, routes = { approve: 'end', reject: 'end', modify: 'end' }) => asks(id, name, 'human_review', properties, { routes });
const FLOWS = [
  review('r-text', 'Judge a text', { prompt: 'Is it fit to print?', draft: DRAFT, timeout_minutes: 90, on_timeout: 'skip' }),
  review('r-edit', 'Edit a text', { review_type: 'edit_content', prompt: 'Make it right.', draft: DRAFT }),
  review('r-form', 'Fill in', {
    review_type: 'form', prompt: 'How much?', form_schema: { type: 'object', required: ['amount'], properties: { amount: { type: 'integer', title: 'Amount', minimum: 1 }, note: { type: 'string', title: 'Note', maxLength: 40 } } },
  }, { submit: 'end', reject: 'end' }),
  review('r-quorum', 'Decide together', { prompt: 'Shall we?', quorum: 2 }),
  asks('r-ask', 'A question', 'user_input', { prompt: 'Which day?' }, { next_ids: ['end'] }),
  asks('r-stage', 'A stage', 'stage', { description: 'Bring it out.', checklist: ['Look twice', { name: 'Tell the press', required: false }], deliverables: ['url'] }, { next_ids: ['end'] }),
  asks('r-signal', 'A signal', 'signal', { name: 'paid' }, { next_ids: ['end'] }),
];
const skip = !hasBrowser ? 'no Chromium here' : !isReal && 'needs the real server';

describe('what waits for a person', { skip }, () => {
  let server, browser;
  before(async () => {
    server = await new Server().start();
    await server.workflows(...FLOWS);
    browser = await new Browser().start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const run = async (workflow_id, topic) => (await server.request('POST', '/workflows/execute', { workflow_id, input: { topic } })).session_id;
  const waiting = async (session) => (await server.get(`/reviews?status=pending&session_id=${session}`)).items[0];
  const answerOf = async (session) => (await server.get(`/reviews?session_id=${session}`)).items[0].answer;
  const open = (hash) => browser.open(`${server.url}/ui/${hash}`);
  /** Waits until a session has ended, and gives it. */
  const ended = async (session) => {
    for (;;) {
      const s = await server.get(`/sessions/${session}`);
      if (s.ended_at) return s;
    }
  };
  const cleanUp = async (...sessions) => { for (const s of sessions) await server.request('POST', `/sessions/${s}/cancel`, {}).catch(() => {}); };

  test('the inbox: sent back with a comment, approved, and the next one opens; what was done stands in the history', async () => {
    const [one, two] = [await run('r-text', 'First text'), await run('r-text', 'Second text')];
    const page = await open('#/reviews');
    const p = page.page;
    await p.getByRole('heading', { name: 'Judge a text step' }).waitFor();
    assert.match(await page.text('question'), /First text[^]*Is it fit to print\?[^]*The second line is wrong/);
    assert.match(await page.text('question'), /1 h 29 min left|1 h 30 min left/);
    assert.match(await page.text('question'), /If nobody answers in time, it is skipped/);
    await p.waitForFunction(() => document.querySelector('[data-testid=waiting-count]')?.textContent === '2');
    await page.fill('comment', 'The second line.');
    await page.click('action-reject');
    await p.locator('[data-testid=question]').getByText('Second text').waitFor();
    await page.click('action-approve');
    await p.getByText('Nothing waits for you').waitFor();
    assert.deepEqual([(await answerOf(one)).action, (await answerOf(one)).data.comment, (await answerOf(two)).action], ['reject', 'The second line.', 'approve']);
    await page.click('reviews-answered');
    await p.locator('.inbox-rows a').filter({ hasText: 'First text' }).click();
    await page.see('outcome');
    assert.match(await page.text('outcome'), /Sent back[^]*The second line\./);
    await page.close();
  });

  test('modify: side by side, what differs, a reload loses nothing', async () => {
    const session = await run('r-edit', 'Edited');
    const { interrupt_id } = await waiting(session);
    const page = await open(`#/reviews/${interrupt_id}`);
    const p = page.page;
    await page.see('draft');
    const [left, right] = [await p.locator('[data-testid=original]').boundingBox(), await p.locator('[data-testid=draft]').boundingBox()];
    assert.ok(left.x + left.width <= right.x, 'the original stands beside the text');
    assert.equal(await p.locator('[data-testid=action-modify]').isDisabled(), true);
    await page.fill('draft', DRAFT.replace('is wrong', 'is right'));
    await page.click('tab-diff');
    const marks = await p.locator('[data-testid=diff] mark').allInnerTexts();
    assert.deepEqual(marks, ['wrong', 'right']);
    await page.fill('comment', 'One word.');
    await p.waitForFunction((id) => localStorage.getItem(`sluice.draft.${id}`)?.includes('One word.'), interrupt_id);
    await p.reload();
    await page.see('draft');
    assert.match(await p.inputValue('[data-testid=draft]'), /is right/);
    assert.equal(await p.inputValue('[data-testid=comment]'), 'One word.');
    assert.equal(await page.count('action-approve'), 0);
    await page.click('action-modify');
    await ended(session);
    const answer = await answerOf(session);
    assert.deepEqual([answer.action, answer.data.comment], ['modify', 'One word.']);
    assert.match(answer.content, /is right/);
    // The session may have ended before its answer has reached the page.
    await p.waitForFunction((id) => localStorage.getItem(`sluice.draft.${id}`) === null, interrupt_id);
    await page.close();
  });

  test('a form says at the field what is wrong, here and as the server sees it', async () => {
    const session = await run('r-form', 'Money');
    const page = await open(`#/reviews/${(await waiting(session)).interrupt_id}`);
    const p = page.page;
    await page.see('review-form');
    await page.click('action-submit');
    await p.waitForSelector('.field-error');
    await p.fill('[name="amount"]', '12');
    await p.keyboard.press('Control+Enter');
    await ended(session);
    assert.deepEqual((await answerOf(session)).data, { amount: 12 });
    await page.close();
  });

  test('several have to agree: each answer counts, and who was it is said', async () => {
    const session = await run('r-quorum', 'Together');
    const page = await open(`#/reviews/${(await waiting(session)).interrupt_id}`);
    const p = page.page;
    await page.see('review-form');
    await page.click('action-approve');
    await p.getByText('Say who you are.').waitFor();
    await page.fill('reviewer', 'Ann');
    await page.click('action-approve');
    await page.see('recorded');
    await p.getByText('1 of 2 agree').waitFor();
    assert.match(await page.text('votes'), /Approved by Ann/);
    await page.click('action-approve'); // the same once more
    await page.see('trouble');
    assert.match(await page.text('trouble'), /Ann.*answered already/);
    await page.fill('reviewer', 'Bob');
    await page.click('action-approve');
    await ended(session);
    assert.equal((await answerOf(session)).reviewer, 'Bob');
    await page.close(/status of 409/);
  });

  test('a question, a stage with its items, and a signal, where the session is', async () => {
    const [ask, stage, signal] = [await run('r-ask', 'Party'), await run('r-stage', 'Release'), await run('r-signal', 'Order')];
    const page = await open(`#/sessions/${stage}`);
    const p = page.page;
    await page.see('stage-form');
    await page.click('action-complete');
    assert.match(await page.text('missing'), /Look twice, url/);
    await p.getByLabel('Look twice').check();
    await p.waitForFunction(() => document.querySelector('[data-testid=stage-done]')?.textContent === '1 of 2 done');
    await page.fill('deliverable-url', 'https://example.org');
    await page.click('action-complete');
    assert.equal((await ended(stage)).output.deliverables.url, 'https://example.org');
    await p.goto(`${server.url}/ui/#/sessions/${ask}`);
    await page.see('input-form');
    await page.fill('said', 'Friday');
    await p.keyboard.press('Control+Enter');
    assert.equal((await ended(ask)).output, 'Friday');
    await p.goto(`${server.url}/ui/#/sessions/${signal}`);
    await page.see('signal-form');
    assert.match(await page.text('dock'), /paid/);
    await page.fill('payload', '{"sum": 7}');
    await page.click('send-signal');
    assert.deepEqual((await ended(signal)).output, { sum: 7 });
    await page.close();
  });

  test('a late answer explains itself and keeps what was typed; a question answered elsewhere says so', async () => {
    const session = await run('r-text', 'Twice');
    const { interrupt_id } = await waiting(session);
    const late = await open(`#/reviews/${interrupt_id}`);
    const dock = await open(`#/sessions/${session}`);
    await late.see('review-form');
    await dock.see('review-form');
    await late.fill('comment', 'My long thought.');
    await late.page.route('**/reviews/**', (route) => (route.request().method() === 'GET' ? route.abort() : route.continue())); // it hears of nothing
    await server.request('POST', `/sessions/${session}/nodes/ask/resume`, { action: 'reject', reviewer: 'Eve', interrupt_id });
    await ended(session);
    await late.click('action-approve');
    await late.see('trouble');
    await late.page.unroute('**/reviews/**');
    assert.match(await late.text('question'), /Sent back by Eve/);
    assert.match(await late.text('trouble'), /Your answer was not taken[^]*My long thought\./);
    await dock.see('ending');
    await late.close(/status of 40[49]|ERR_FAILED/);
    await dock.close();
  });

  test('offline: it was not sent, it is kept, and sent once when it is tried again', async () => {
    const session = await run('r-text', 'Cut off');
    const page = await open(`#/reviews/${(await waiting(session)).interrupt_id}`);
    const p = page.page;
    await page.see('review-form');
    await page.fill('comment', 'Keep me.');
    await p.route('**/resume', (route) => route.abort());
    await page.click('action-approve');
    await page.see('trouble');
    assert.match(await page.text('trouble'), /was not sent/);
    assert.equal(await p.inputValue('[data-testid=comment]'), 'Keep me.');
    await p.unroute('**/resume');
    await page.click('action-approve');
    await ended(session);
    assert.equal((await server.all(`/sessions/${session}/events`)).filter((e) => e.type === 'node_resumed').length, 1);
    await page.close(/ERR_FAILED/);
  });

  test('while the session is paused it says why nothing can be sent, and goes on from there', async () => {
    const session = await run('r-text', 'Stopped');
    await server.request('POST', `/sessions/${session}/pause`, {});
    const page = await open(`#/sessions/${session}`);
    await page.see('locked');
    assert.equal(await page.page.locator('[data-testid=action-approve]').isDisabled(), true);
    assert.match(await page.text('countdown'), /Time stands still/);
    await page.page.locator('[data-testid=locked] button').click();
    await page.gone('locked');
    await page.click('action-approve');
    await ended(session);
    await page.close();
  });

  test('by keyboard alone: next, comment, send back, change the text, approve', async () => {
    const [a, b] = [await run('r-text', 'Alpha'), await run('r-text', 'Beta')];
    const page = await open('#/reviews');
    const p = page.page;
    const sees = (text) => p.locator('[data-testid=question]').getByText(text).waitFor();
    await sees('Alpha');
    await p.keyboard.press('?');
    await p.locator('dialog').getByText('Send back, with a comment').waitFor();
    await p.keyboard.press('Escape');
    await p.keyboard.press('j');
    await sees('Beta');
    await p.keyboard.press('k');
    await sees('Alpha');
    await p.keyboard.press('r'); // the reason first
    await p.keyboard.type('Not yet.');
    await p.keyboard.press('Control+Enter');
    await sees('Beta');
    await p.keyboard.press('m');
    await p.waitForFunction(() => document.activeElement?.getAttribute('data-testid') === 'draft');
    await p.keyboard.press('Control+End');
    await p.keyboard.type(' More.');
    await p.keyboard.press('Control+Enter');
    await ended(a);
    await ended(b);
    assert.deepEqual([(await answerOf(a)).action, (await answerOf(a)).data.comment, (await answerOf(b)).action], ['reject', 'Not yet.', 'modify']);
    assert.match((await answerOf(b)).data.content, /too\. More\.$/);
    await page.close();
  });

  test('on a phone: the list, then the question, then back', async () => {
    const session = await run('r-text', 'Small');
    const phone = await new Browser().start({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    try {
      const page = await phone.open(`${server.url}/ui/#/reviews`);
      await page.page.locator('.inbox-rows a').first().click();
      await page.see('review-form');
      assert.equal(await page.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
      await page.page.getByText('Back to the list').click();
      await page.page.locator('.inbox-rows a').first().waitFor();
      await page.close();
    } finally {
      await phone.close();
      await cleanUp(session);
    }
  });
});
