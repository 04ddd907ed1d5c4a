// A session while it is watched, as a person watches it: its commands, its timeline, its files, what a step did.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Model } from './lib/model.mjs';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';
import { council, plain } from './lib/workflows.mjs';

const drafts = {
  id: 'drafts', name: 'Drafts', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['rounds'] },
    rounds: { type: 'loop', name: 'Rounds', properties: { max_rounds: 5, score: 'input.scores[loop.round]', regression_delta: 2, rollback: true }, next_ids: ['write', 'end'] },
    write: { type: 'tool', name: 'Write', properties: { tool: 'write_file', arguments: { path: 'notes/draft.md', content: '# Draft\n\nThis is round {{ loop.round }}.\n' } }, next_ids: ['rounds'] },
    end: { type: 'end', properties: { output: 'nodes.rounds.output' } },
  },
};

const staged = {
  id: 'staged', name: 'In stages', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['idea'] },
    idea: { type: 'stage', name: 'Idea', properties: { checklist: ['Who wants it', 'What is left out'] }, next_ids: ['build'] },
    build: { type: 'stage', name: 'Build', properties: { checklist: ['A test that fails without it'] }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

describe('a session that is watched', { skip: hasBrowser && isReal ? false : 'needs Chromium and the real server' }, () => {
  let model, server, browser;

  before(async () => {
    model = await new Model().start();
    server = await new Server({ env: model.env }).start();
    await server.workflows(council, plain, drafts, staged);
    browser = await new Browser().start({ acceptDownloads: true });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    await model?.close();
  });

  const open = (hash = '') => browser.open(`${server.url}/ui/${hash}`);
  const post = async (path, body = {}) => (await fetch(`${server.url}${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  })).json();
  const execute = async (workflow_id, input = {}, more = {}) => (await post('/workflows/execute', { workflow_id, input, ...more })).session_id;
  const ended = async (id) => {
    for (;;) {
      const { status } = await server.get(`/sessions/${id}`);
      if (['completed', 'failed', 'cancelled'].includes(status)) return status;
      await new Promise((r) => setTimeout(r, 50));
    }
  };
  const attribute = (page, id, name) => page.page.locator(`[data-testid="${id}"]`).first().getAttribute(name);

  test('a budget that is reached: the page says so, asks for a larger one, and the session goes on', async () => {
    const id = await execute('plain', { topic: 'How long is a river?' }, { budget: { tokens: 60 } });
    const page = await open(`#/sessions/${id}`);
    await page.see('paused');
    assert.match(await page.text('paused'), /budget/);
    assert.match(await page.text('paused'), /event \d+/);
    assert.match(await attribute(page, 'budget', 'title'), /of a budget of 60 tokens/);
    await page.page.keyboard.press('p');
    await page.see('budget-new');
    await page.fill('budget-new', '50');
    await page.click('resume-confirm');
    await page.page.getByText('Must be more than').waitFor();
    await page.fill('budget-new', '5000');
    await page.click('resume-confirm');
    await page.see('ending');
    assert.match(await page.text('ending'), /Completed/);
    assert.equal((await server.get(`/sessions/${id}`)).budget.tokens, 5000);
    await page.page.waitForFunction(() => /5,000/.test(document.querySelector('[data-testid=budget]')?.title ?? ''));
    await page.close();
  });

  test('keys: p pauses and resumes, a full stop asks before it cancels', async () => {
    model.intervalMs = 30;
    const id = await execute('council-debate', { topic: 'Are keys quicker?' });
    const page = await open(`#/sessions/${id}`);
    await page.longer('run-con', 30);
    await page.page.keyboard.press('p');
    await page.see('paused');
    assert.ok(await attribute(page, 'session', 'data-paused'));
    await page.page.keyboard.press('p');
    await page.gone('paused');
    await page.page.keyboard.press('.');
    await page.fill('end-reason', 'It was only a test.');
    await page.click('confirm');
    await page.see('ending');
    assert.equal(await page.page.locator('[data-testid=status]').getAttribute('data-status'), 'cancelled');
    assert.equal((await server.get(`/sessions/${id}`)).reason, 'It was only a test.');
    model.intervalMs = 8;
    await page.close();
  });

  test('a stopped session has failed and offers to be retried', async () => {
    model.intervalMs = 120; // it must not end before it is stopped
    const id = await execute('plain', { topic: 'Stop here.' });
    const page = await open(`#/sessions/${id}`);
    await page.longer('run-speak', 30);
    await page.click('session-more');
    await page.click('stop');
    await page.click('confirm');
    await page.see('ending');
    assert.match(await page.text('ending'), /Stopped/);
    assert.equal(await attribute(page, 'status', 'data-status'), 'failed');
    model.intervalMs = 8;
    await page.click('retry');
    await page.click('confirm');
    await page.page.waitForFunction((old) => !location.hash.includes(old), id);
    await page.page.waitForSelector('[data-testid=status][data-status=completed]');
    await page.click('tab-details');
    await page.see('parent');
    assert.ok((await attribute(page, 'parent', 'href')).includes(id));
    await page.close();
  });

  test('the timeline: a row for each run, arrow keys, the step behind a row, the same after a reload', async () => {
    const id = await execute('council-debate', { topic: 'What took so long?' });
    const page = await open(`#/sessions/${id}?tab=timeline`);
    await page.see('review-form');
    await page.see('timeline-review');
    assert.equal(await attribute(page, 'timeline-review', 'data-status'), 'suspended');
    assert.equal(await attribute(page, 'timeline-judge', 'data-status'), 'completed');
    await page.page.locator('[data-row="0"]').focus();
    await page.page.keyboard.press('ArrowDown');
    await page.page.waitForFunction(() => document.activeElement?.getAttribute('data-row') === '1');
    assert.match(await page.text('timeline-told'), /Panel.*Completed/);
    await page.page.keyboard.press('End');
    await page.page.waitForFunction(() => document.activeElement?.getAttribute('data-testid') === 'timeline-review');
    await page.page.keyboard.press('Enter');
    await page.see('inspector');
    assert.match(await page.text('inspector'), /Review/);
    await page.page.keyboard.press('Escape');
    await page.gone('inspector');
    assert.doesNotMatch(page.page.url(), /node=/);
    await page.picture('timeline');
    await page.click('timeline-as-table');
    const table = await page.text('timeline-table');
    assert.match(table, /Judge/);
    await page.page.reload();
    await page.see('timeline-review');
    assert.equal(await page.count('timeline-con'), 1);
    await page.close();
  });

  test('a step: what it read, gave and used, and the way to its messages', async () => {
    const id = await execute('council-debate', { topic: 'Who reads whom?' });
    const page = await open(`#/sessions/${id}?tab=files`);
    await page.page.getByText('This session has no files').waitFor();
    await page.see('review-form');
    await page.page.locator('.step[data-node=judge]').click();
    await page.see('inspector');
    assert.match(page.page.url(), /node=judge/);
    const inspector = page.page.locator('[data-testid=inspector]');
    assert.match(await inspector.innerText(), /40 in, 90 out/);
    await inspector.getByText('What it reads').click();
    await inspector.getByRole('button', { name: 'Affirmative' }).click();
    await page.page.waitForFunction(() => location.hash.includes('node=pro'));
    await page.click('to-messages');
    await page.see('run-pro');
    assert.doesNotMatch(page.page.url(), /tab=/);
    await page.close();
  });

  test('a loop that writes: scores, versions, what has changed, a file to keep', async () => {
    const id = await execute('drafts', { scores: [5, 9, 6] });
    assert.equal(await ended(id), 'completed');
    const page = await open(`#/sessions/${id}`);
    await page.click('tab-scores');
    assert.match(await page.text('scores'), /Best so far 9, in round 2/);
    assert.match(await page.text('scores'), /the score fell back/);
    await page.click('tab-files');
    await page.click('file');
    await page.see('versions');
    assert.equal(await page.page.locator('[data-testid=versions] button').count(), 4);
    await page.page.locator('[data-testid=file-page]').getByText('This is round').waitFor();
    await page.page.selectOption('[data-testid=compare-with]', '1');
    await page.see('diff');
    assert.match(page.page.url(), /file=notes%2Fdraft\.md.*with=1/);
    assert.match(await page.text('diff'), /1 line added/);
    const [saved] = await Promise.all([page.page.waitForEvent('download'), page.click('file-download')]);
    assert.equal(saved.suggestedFilename(), 'draft.md');
    await page.click('tab-details');
    const [whole] = await Promise.all([page.page.waitForEvent('download'), page.click('export-all')]);
    assert.equal(whole.suggestedFilename(), `session-${id}.ndjson`);
    await page.click('tab-knowledge');
    await page.page.getByText('Nothing was remembered').waitFor();
    await page.close();
  });

  test('stages move while they are looked at', async () => {
    const id = await execute('staged');
    const page = await open(`#/sessions/${id}?tab=stages`);
    await page.see('stage-idea');
    assert.match(await page.text('stage-idea'), /0 of 2 done/);
    const { items } = await server.get(`/sessions/${id}/stages`);
    await fetch(`${server.url}/stages/${items[0].instance_id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ items: [{ index: 0, done: true }] }) });
    await page.page.locator('[data-testid=stage-idea]').getByText('1 of 2 done').waitFor();
    await post(`/sessions/${id}/cancel`);
    await page.see('stages');
    await page.close();
  });

  test('usage by step, agent and model adds up', async () => {
    const id = await execute('plain', { topic: 'What did it cost?' });
    assert.equal(await ended(id), 'completed');
    const page = await open(`#/sessions/${id}?tab=details`);
    await page.see('usage-table');
    assert.match(await page.text('usage-table'), /Speaker\s+1\s+40\s+90/);
    await page.click('usage-models');
    await page.page.locator('[data-testid=usage-table]').getByText('standin').waitFor();
    assert.match(await page.text('usage'), /130 tokens/);
    await page.close();
  });

  test('on a phone the graph is a tab and a step is a sheet', async () => {
    const phone = await new Browser().start({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    try {
      const id = await execute('council-debate', { topic: 'Is it small enough?' });
      const page = await phone.open(`${server.url}/ui/#/sessions/${id}?tab=timeline`);
      const overflow = () => page.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      await page.see('timeline-review');
      assert.equal(await overflow(), 0);
      await page.picture('phone-timeline');
      await page.page.locator('[data-testid=timeline-judge]').click();
      await page.see('inspector');
      await page.page.waitForFunction(() => document.activeElement?.getAttribute('data-testid') === 'inspector');
      assert.equal(await overflow(), 0);
      await page.picture('phone-inspector');
      await page.click('inspector-close');
      await page.gone('inspector');
      await page.click('tab-details');
      await page.see('usage-table');
      assert.equal(await overflow(), 0);
      await page.close();
    } finally {
      await phone.close();
    }
  });
});
