// The editor, as people use it: by mouse, by keyboard, as text; saved, saved by two, run.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';

const simple = {
  id: 'simple', name: 'Simple',
  input_schema: { type: 'object', required: ['topic'], properties: { topic: { type: 'string', title: 'Topic' } } },
  nodes: {
    start: { type: 'start', next_ids: ['think'] },
    think: { type: 'llm', properties: { prompt: 'Think about {{ input.topic }}.' }, next_ids: ['end'] },
    end: { type: 'end', properties: { output: 'nodes.think.output' } },
  },
};

describe('the editor', { skip: !hasBrowser ? 'no Chromium here' : !isReal ? 'needs the real server' : false }, () => {
  let server, browser;

  before(async () => {
    server = await new Server().start();
    await server.workflows(simple, { ...simple, id: 'shared' }, { ...simple, id: 'phone' }, { ...simple, id: 'typed' });
    browser = await new Browser().start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const open = (hash) => browser.open(`${server.url}/ui/${hash}`);
  const graph = async (id) => (await server.get(`/workflows/${id}`)).graph;
  const valid = (page) => page.page.waitForFunction(() =>
    document.querySelector('[data-testid=problems][data-fresh]') && !document.querySelector('[data-testid=problem]'));
  const arrows = (page) => page.page.locator('[data-testid^="edge-"]').evaluateAll((all) => all.map((a) => a.getAttribute('data-testid').slice(5)).sort());
  const arrowsAre = (page, want) => page.page.waitForFunction((list) => JSON.stringify(
    [...document.querySelectorAll('[data-testid^="edge-"]')].map((a) => a.getAttribute('data-testid').slice(5)).sort()) === list, JSON.stringify(want));
  const field = (page, path) => page.page.locator(`[data-field="${path}"] textarea, [data-field="${path}"] input, [data-field="${path}"] select`).last();

  test('by mouse: from the palette, an error on the node, undo, saved, run', async () => {
    const page = await open('#/editor');
    await page.see('node-start');
    await page.click('kind-llm');
    await page.see('node-llm');
    await arrowsAre(page, ['llm>end', 'start>llm']);
    await field(page, 'properties.prompt').fill('About {{ nodes.nobody.output }}');
    await page.see('problem');
    assert.match(await page.text('problem'), /no node "nobody"/);
    await page.page.waitForSelector('[data-testid=node-llm][data-severity=error]');
    assert.equal(await page.page.isDisabled('[data-testid=save]'), true);
    await page.click('node-start');
    await page.click('problem');
    await page.page.waitForFunction(() => document.activeElement?.closest('[data-field="properties.prompt"]'));
    await page.page.keyboard.press('Control+A');
    await page.page.keyboard.type('About {{ input.topic }}');
    await valid(page);
    await page.see('estimate');

    // A second one, dropped on the arrow behind the first.
    const targetPosition = await page.page.evaluate(() => {
      const arrow = document.querySelector('[data-testid="edge-llm>end"] path').getBoundingClientRect();
      const canvas = document.querySelector('[data-testid=canvas]').getBoundingClientRect();
      return { x: arrow.x + arrow.width / 2 - canvas.x, y: arrow.y + arrow.height / 2 - canvas.y };
    });
    await page.page.locator('[data-testid=kind-transform]').dragTo(page.page.locator('[data-testid=canvas]'), { targetPosition });
    await arrowsAre(page, ['llm>transform', 'start>llm', 'transform>end']);
    await page.click('undo');
    await arrowsAre(page, ['llm>end', 'start>llm']);
    await page.click('redo');
    await arrowsAre(page, ['llm>transform', 'start>llm', 'transform>end']);
    await page.click('delete-node');
    await arrowsAre(page, ['llm>end', 'start>llm']);

    await valid(page);
    await page.click('save');
    await page.fill('new-name', 'By mouse');
    await page.fill('new-id', 'by-mouse');
    await page.click('save-new-do');
    await page.page.waitForFunction(() => location.hash.startsWith('#/workflows/by-mouse/edit'));
    await page.page.waitForFunction(() => document.querySelector('[data-testid=stand]')?.textContent === 'Version 1');
    assert.equal((await graph('by-mouse')).nodes.llm.properties.prompt, 'About {{ input.topic }}');

    await page.page.click('[data-testid=run]:enabled');
    await page.page.fill('[name="run/topic"]', 'canals');
    await page.click('run-start');
    await page.page.waitForFunction(() => location.hash.startsWith('#/sessions/'));
    const id = /sessions\/([^?]+)/.exec(page.page.url())[1];
    await page.page.waitForSelector('[data-testid=node-end][data-status=completed]');
    const session = await server.get(`/sessions/${id}`);
    assert.deepEqual([session.status, session.workflow_id], ['completed', 'by-mouse']);
    await page.close();
  });

  test('by keyboard only: found, added, renamed, connected, saved', async () => {
    const page = await open('#/workflows/simple/edit');
    const { keyboard } = page.page;
    await page.see('node-think');
    const tabTo = async (selector) => {
      for (let i = 0; i < 90; i++) {
        if (await page.page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
        await keyboard.press('Tab');
      }
      assert.fail(`Tab never comes to ${selector}`);
    };
    await page.page.locator('main').focus();
    await keyboard.press('a');
    await page.page.waitForFunction(() => document.activeElement?.id === 'palette-search');
    await keyboard.type('review');
    await keyboard.press('Enter');
    await page.see('node-review');
    await arrowsAre(page, ['review>end', 'start>think', 'think>review']);
    await tabTo('[data-testid=node-id]');
    await keyboard.press('Control+A');
    await keyboard.type('check');
    await keyboard.press('Enter');
    await page.see('node-check');
    await arrowsAre(page, ['check>end', 'start>think', 'think>check']);
    // "reject" leads back.
    await tabTo('[data-testid=connect-button]');
    await keyboard.press('Enter');
    await page.see('connect-form');
    await tabTo('[data-testid=connect-to]');
    await keyboard.type('think');
    await tabTo('[data-testid=connect-way]');
    for (let i = 0; i < 5 && await page.page.inputValue('[data-testid=connect-way]') !== 'route:reject'; i++) await keyboard.press('ArrowDown');
    await tabTo('[data-testid=connect-do]');
    await keyboard.press('Enter');
    await page.gone('connect-form');
    await arrowsAre(page, ['check>end', 'check>think', 'start>think', 'think>check']);
    await valid(page);
    await keyboard.press('Control+s');
    await page.page.waitForFunction(() => document.querySelector('[data-testid=stand]')?.textContent === 'Version 2');
    assert.deepEqual((await graph('simple')).nodes.check.routes, { approve: 'end', reject: 'think' });
    await page.close();
  });

  test('as text: either side follows; what cannot be read changes nothing; a draft survives', async () => {
    const page = await open('#/workflows/shared/edit?node=think');
    await arrowsAre(page, ['start>think', 'think>end']);
    await page.click('tab-yaml');
    await page.page.waitForSelector('[data-testid=code][data-ready]');
    const content = page.page.locator('[data-testid=code] .cm-content');
    await content.click();
    await page.page.keyboard.press('Control+End');
    await page.page.keyboard.type('x: [');
    await page.page.waitForSelector('.source [role=alert]');
    assert.deepEqual(await arrows(page), ['start>think', 'think>end']);
    for (let i = 0; i < 4; i++) await page.page.keyboard.press('Backspace');
    await page.page.waitForSelector('.source [role=alert]', { state: 'detached' });
    await page.page.keyboard.press('Control+Home');
    await page.page.keyboard.type('# by hand\ndescription: Short\n');
    await page.page.waitForFunction(() => document.querySelector('[data-testid=stand]')?.dataset.dirty);
    await page.click('tab-form');
    await page.fill('node-name', 'Thinker');
    await page.click('tab-yaml');
    await page.page.waitForSelector('[data-testid=code][data-ready]');
    const text = await content.innerText();
    assert.match(text, /# by hand\n+description: Short/);
    assert.match(text, /name: Thinker/);
    await page.page.reload();
    await page.see('restored');
    assert.equal(await page.page.inputValue('[data-testid=node-name]'), 'Thinker');

    // Somebody else saves meanwhile.
    await server.request('PUT', '/workflows/shared', { ...simple, id: 'shared', name: 'Theirs' });
    await valid(page);
    await page.click('save');
    await page.see('conflict');
    await page.page.waitForSelector('[data-testid=conflict] >> text=Theirs');
    await page.click('overwrite');
    await page.page.waitForFunction(() => document.querySelector('[data-testid=stand]')?.textContent === 'Version 3');
    assert.equal((await graph('shared')).nodes.think.name, 'Thinker');
    await page.close(/412/);
  });

  test('as text, typed faster than the page follows: every letter, in its place', async () => {
    const page = await open('#/workflows/typed/edit');
    await page.see('node-think');
    await page.click('tab-yaml');
    await page.page.waitForSelector('[data-testid=code][data-ready]');
    const content = page.page.locator('[data-testid=code] .cm-content');
    await content.click();
    await page.page.keyboard.press('Control+Home');
    const typed = 'labels: [quick, brown, fox]';
    // Each letter comes at the worst moment: the page has just drawn something, and has yet to tell its text editor.
    await page.page.evaluate((text) => new Promise((done) => {
      let at = 0, timer;
      const next = () => {
        clearTimeout(timer);
        if (at === text.length) {
          drawn.disconnect();
          return done();
        }
        document.execCommand('insertText', false, text[at++]);
        timer = setTimeout(next, 100);
      };
      const drawn = new MutationObserver(next);
      drawn.observe(document.querySelector('[data-testid=source]'), { childList: true, subtree: true, characterData: true });
      next();
    }), typed);
    await page.page.keyboard.press('Enter');
    assert.equal((await content.innerText()).split('\n')[0], typed);
    await page.page.waitForFunction(() => document.querySelector('[data-testid=stand]')?.dataset.dirty);
    await page.close();
  });

  test('in Chinese, on a phone: the list and the form; leaving asks', async () => {
    const page = await open('#/workflows/phone/edit');
    await page.page.evaluate(() => localStorage.setItem('sluice.lang', 'zh'));
    await page.page.setViewportSize({ width: 390, height: 844 });
    await page.page.reload();
    await page.page.waitForSelector('text=模型的一次回答');
    await page.click('outline-think');
    await page.see('node-form');
    await page.fill('node-name', '思考');
    assert.equal(await page.page.evaluate(() => document.documentElement.scrollWidth), 390);
    await page.click('panel-graph');
    await page.page.waitForSelector('[data-testid=node-think] >> text=思考');
    await page.page.evaluate(() => { location.hash = '#/'; });
    await page.see('leave');
    await page.click('leave-drop');
    await page.page.waitForFunction(() => location.hash === '#/');
    await page.page.evaluate(() => { localStorage.setItem('sluice.lang', 'en'); location.hash = '#/workflows/phone/edit'; });
    await page.see('outline-think');
    assert.equal(await page.count('restored'), 0);
    await page.close();
  });
});
