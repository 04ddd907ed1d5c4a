// Starting, as a person does it: the first visit, the list, the form, files, templates; the library behind it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';

const skip = !hasBrowser ? 'no Chromium here' : isReal ? false : 'needs the real server';

const story = {
  id: 'story', name: 'Story', type: 'writing',
  input_schema: {
    type: 'object', required: ['topic', 'voices'],
    properties: {
      topic: { type: 'string', title: 'Topic', minLength: 3, maxLength: 80 },
      voices: { type: 'array', title: 'Voices', minItems: 1, items: { type: 'string', title: 'Voice', maxLength: 40 } },
      tone: { title: 'Tone', oneOf: [{ const: 'calm', title: 'Calm' }, { const: 'loud', title: 'Loud' }], default: 'calm' },
    },
  },
  nodes: {
    start: { type: 'start', next_ids: ['tell'] },
    tell: { type: 'llm', name: 'Teller', properties: { prompt: '{{ input.topic }} {{ nodes.start.output.combined_context }}', max_tokens: 40 }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};
const staged = 'id: plan\nname: Plan\nstages:\n  - name: Look\n    order: 1\n    checklist:\n      - name: Seen\n';

describe('starting', { skip }, () => {
  let server, browser, folder;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-start-'));
    server = await new Server().start();
    browser = await new Browser().start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (hash = '') => browser.open(`${server.url}/ui/${hash}`);
  const file = (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const inSession = async (page) => {
    await page.page.waitForFunction(() => /^#\/sessions\/[^/?]+/.test(location.hash));
    await page.see('session');
    return /#\/sessions\/([^/?]+)/.exec(page.page.url())[1];
  };

  test('the first visit: one click and the council speaks', async () => {
    const page = await open();
    await page.see('welcome');
    await page.picture('welcome');
    await page.click('start-demo');
    const session = await server.get(`/sessions/${await inSession(page)}`);
    assert.match(session.input.topic, /four-day week/);
    await page.page.goto(`${server.url}/ui/#/`);
    await page.see('start-form');
    await page.gone('welcome');
    await server.request('POST', `/sessions/${session.id}/cancel`, {});
    await page.close();
  });

  test('the form: search, errors at their fields, files, an estimate, a budget', async () => {
    await server.request('POST', '/workflows', story);
    const page = await open();
    await page.fill('start-search', 'sto wri');
    await page.page.waitForFunction(() => document.querySelectorAll('.picker-list a').length === 1);
    await page.click('workflow-story');
    await page.page.getByRole('heading', { name: 'Story' }).waitFor();
    assert.equal(await page.page.inputValue('[data-testid=start-search]'), 'sto wri');
    await page.see('estimate');
    await page.click('start');
    await page.page.getByText('This is needed.').waitFor();
    await page.page.getByText('At least 1 of them.').waitFor();
    assert.equal(await page.page.evaluate(() => document.activeElement.name), 'topic');
    await page.page.fill('[name=topic]', 'A lamp that waits');
    await page.page.getByRole('button', { name: 'Add: Voice' }).click();
    await page.page.keyboard.type('Ada');
    await page.page.selectOption('[name=tone]', 'loud');
    await page.page.setInputFiles('[data-testid=attach]', [file('notes.md', '# Notes\nIt hums.'), file('lamp.png', Buffer.from([0x89, 0x50, 0, 0xff]))]);
    await page.page.getByText('“lamp.png” is not a text file.').waitFor();
    assert.equal(await page.count('attached'), 1);
    await page.click('options');
    await page.fill('run-name', 'Lamp');
    await page.page.selectOption('[data-testid=budget-kind]', 'tokens');
    await page.fill('budget-limit', '0');
    await page.click('start');
    await page.page.getByText('This must be a whole number above 0.').waitFor();
    await page.fill('budget-limit', '90000');
    await page.picture('start-form');
    await page.page.keyboard.press('Control+Enter');
    const session = await server.get(`/sessions/${await inSession(page)}`);
    assert.equal(session.name, 'Lamp');
    assert.deepEqual([session.input.topic, session.input.voices, session.input.tone], ['A lamp that waits', ['Ada'], 'loud']);
    assert.equal(session.input.attachments[0].path, 'notes.md');
    await page.page.goto(`${server.url}/ui/#/new/story?from=${session.id}`);
    await page.page.getByText('Filled in from an earlier run.').waitFor();
    assert.equal(await page.page.inputValue('[name=topic]'), 'A lamp that waits');
    assert.equal(await page.count('attached'), 1);
    await page.close();
  });

  test('a template is started with its settings, and is made a workflow once', async () => {
    const page = await open('#/new-from/quick-decision');
    await page.page.fill('[name="param.words"]', '60');
    for (let i = 0; i < 2; i++) {
      await page.click('start');
      await inSession(page);
      await page.page.goBack();
      await page.see('start-form');
      await page.page.fill('[name="param.words"]', '60');
    }
    const made = (await server.all('/workflows')).filter((w) => w.id.startsWith('quick-decision-'));
    assert.equal(made.length, 1);
    await page.close(/status of 409/);
  });

  test('the library: import, a new version, compare, restore, export, delete', async () => {
    const page = await open('#/workflows');
    await page.see('row-story');
    const next = structuredClone(story);
    next.nodes.tell.properties.temperature = 0.3;
    await page.page.setInputFiles('[data-testid=workflow-file]', file('story.json', JSON.stringify(next)));
    await page.click('import-update');
    await page.page.waitForFunction(() => location.hash === '#/new/story');
    await page.page.goto(`${server.url}/ui/#/workflows/story/versions`);
    await page.see('changes');
    assert.match(await page.text('changes'), /1 node changed[^]*properties\.temperature[^]*0\.3/);
    await page.click('tab-text');
    await page.page.getByText('temperature: 0.3').first().waitFor();
    await page.click('restore-1');
    await page.click('confirm');
    await page.see('version-3');
    const stored = await server.get('/workflows/story');
    assert.equal(stored.version, 3);
    assert.equal(stored.graph.nodes.tell.properties.temperature, undefined);

    await page.page.goto(`${server.url}/ui/#/workflows?q=story`);
    await page.click('more-story');
    const [download] = await Promise.all([page.page.waitForEvent('download'), page.click('export-yaml')]);
    assert.match(readFileSync(await download.path(), 'utf8'), /^id: story$/m);
    await page.page.setInputFiles('[data-testid=workflow-file]', file('plan.yaml', staged));
    await page.click('import-fix');
    await page.page.getByText('This was repaired:').waitFor();
    await page.page.getByRole('button', { name: 'Start it' }).click();
    await page.page.waitForFunction(() => location.hash === '#/new/plan');
    assert.equal((await server.get('/workflows/plan')).name, 'Plan');
    await page.page.goto(`${server.url}/ui/#/workflows?q=plan`);
    await page.click('more-plan');
    await page.page.locator('[data-testid=row-plan] [data-testid=remove]').click();
    await page.click('confirm');
    await page.gone('row-plan');
    await page.close(/status of 4(09|22)/);
  });

  test('templates: saved from a workflow, made one again, deleted; those of the server stay', async () => {
    const page = await open('#/templates');
    await page.click('save-as-template');
    await page.page.selectOption('[data-testid=which-workflow]', 'story');
    await page.page.getByRole('button', { name: 'Next' }).click();
    await page.fill('template-id', 'my-story');
    await page.fill('template-category', 'tales');
    await page.click('template-do');
    const card = page.page.locator('[data-testid=template-my-story]');
    await card.waitFor();
    assert.equal(await page.page.locator('[data-testid=template-council-debate] [data-testid=remove]').count(), 0);
    await card.getByTestId('make').click();
    await page.fill('make-id', 'tale');
    await page.click('make-do');
    await page.page.waitForFunction(() => location.hash.startsWith('#/workflows/tale/edit'));
    assert.equal((await server.get('/workflows/tale')).name, 'Story');
    await page.page.goto(`${server.url}/ui/#/templates?q=my-story`);
    await card.getByTestId('remove').click();
    await page.click('confirm');
    await card.waitFor({ state: 'detached' });
    await page.close();
  });

  test('a sentence becomes a workflow in the editor', async () => {
    const page = await open('#/workflows');
    await page.click('generate');
    await page.fill('generate-prompt', 'Two voices debate and a judge decides');
    await page.click('generate-go');
    await page.see('generate-result');
    await page.picture('generate');
    await page.click('generate-open');
    await page.page.waitForFunction(() => location.hash.startsWith('#/editor'));
    await page.close();
  });
});
