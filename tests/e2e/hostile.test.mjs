// Whatever a model answers is shown harmlessly: nothing runs, nothing is loaded, nothing is wider than the screen, and
// the page does not stop.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Model } from './lib/model.mjs';
import { Browser, hasBrowser } from './lib/page.mjs';
import { isReal, Server } from './lib/server.mjs';

const CASES = {
  script: '<script>document.title="owned"</script>\n\n<img src=x onerror="document.title=\'owned\'">\n\n<iframe src="https://evil.example/"></iframe>\n\n<style>*{display:none}</style>',
  links: '[a](javascript:document.title="owned") [b](data:text/html,<script>1</script>) ![p](https://evil.example/p.png) [c](//evil.example) <javascript:x> [out](https://example.org/)',
  table: `|${' head |'.repeat(60)}\n|${'---|'.repeat(60)}\n${`|${' cell |'.repeat(60)}\n`.repeat(300)}`,
  turned: 'Is it \u202egnp.exe\u202c or \u2067not\u2069? \u202eEverything after this is turned.',
  rtl: 'مرحبا بالعالم، هذا نص عربي. **مهم**\n\n- عنصر\n- item\n\nBack to English.',
  word: 'w'.repeat(300_000),
  line: 'one line without an end '.repeat(40_000),
  code: `\`\`\`js\n${'const x = "a long line of code that goes on and on and on and on and on and on and on and on and on and on and on";\n'.repeat(3_000)}\`\`\``,
  maths: '$$\\def\\a{\\a\\a}\\a$$\n\n$$\\rule{100000em}{100000em}$$\n\nand $\\href{javascript:x}{y}$, but $e = mc^2$ and\n\n$$\\sum_{i=0}^{n} x_i$$',
  zalgo: `Z${'\u0301\u0316\u0323'.repeat(3_000)}algo comes`,
  quotes: '>'.repeat(5_000),
  brackets: '['.repeat(50_000),
  stars: '*a_'.repeat(20_000),
  nested: Array.from({ length: 300 }, (_, i) => `${'  '.repeat(i)}- deeper`).join('\n'),
  last: 'That was **all** of it.',
};
const names = Object.keys(CASES);

class Hostile extends Model {
  async answer(request, res) {
    const name = /CASE (\w+)/.exec(JSON.stringify(request.messages))?.[1];
    const line = (delta, finish_reason = null) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'standin', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let at = 0; at < CASES[name].length; at += 20_000) res.write(line({ content: CASES[name].slice(at, at + 20_000) }));
    res.end(`${line({}, 'stop')}data: [DONE]\n\n`);
  }
}

const workflow = {
  id: 'hostile', name: 'Hostile', start_node_id: 'start', breakers: { repetition: 0, variety: 0, tokens_per_s: 0 },
  nodes: {
    start: { type: 'start', next_ids: ['each'] },
    each: { type: 'map', name: 'Each', properties: { items: 'input.names', body: ['say'], max_concurrent: 1 }, next_ids: ['end'] },
    say: { type: 'llm', name: 'Speaker', properties: { prompt: 'CASE {{ map.item }}' } },
    end: { type: 'end' },
  },
};

const skip = !hasBrowser ? 'no Chromium here' : !isReal ? 'needs the real server' : false;

describe('what a model may answer', { skip }, () => {
  let model, server;

  before(async () => {
    model = await new Hostile().start();
    server = await new Server({ env: model.env }).start();
    await server.workflows(workflow);
  });
  after(async () => {
    await server?.close();
    await model?.close();
  });

  /** From the first message to the last, a screen at a time; what is looked at at each stop. */
  async function readAll(page, look) {
    await page.page.evaluate(() => {
      document.querySelector('[data-testid=conversation]').scrollTop = 0;
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    });
    await page.page.waitForSelector('[data-testid=row][data-index="0"]');
    for (let stop = 0; stop < 400; stop++) {
      await look();
      const more = await page.page.evaluate(() => {
        const box = document.querySelector('[data-testid=conversation]');
        const top = box.scrollTop;
        // Long answers are passed in long steps.
        box.scrollTop += box.clientHeight * (box.scrollHeight > 60_000 ? 6 : 0.8);
        return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(box.scrollTop > top + 1))));
      });
      if (!more) return;
    }
    throw new Error('the conversation has no end');
  }

  const wide = (page) => page.page.evaluate(() => {
    const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    const box = document.querySelector('[data-testid=conversation]');
    return [over, box.scrollWidth - box.clientWidth];
  });

  for (const [screen, options] of Object.entries({
    'a wide screen': {}, 'a phone': { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  })) {
    test(`is shown harmlessly on ${screen}`, async () => {
      const browser = await new Browser().start(options);
      try {
        const { session_id: id } = await server.request('POST', '/workflows/execute', { workflow_id: 'hostile', input: { names } });
        const page = await browser.open(`${server.url}/ui/#/sessions/${id}`);
        const asked = [];
        page.page.on('request', (r) => { if (!r.url().startsWith(server.url)) asked.push(r.url()); });
        await page.see('ending');
        await page.page.getByText('That was all of it.').waitFor();
        const seen = new Set();
        await readAll(page, async () => {
          assert.deepEqual(await wide(page), [0, 0], 'nothing is wider than the screen');
          for (const text of await page.page.locator('[data-testid=text]').allInnerTexts()) for (const name of names) if (text.startsWith(START[name])) seen.add(name);
        });
        assert.deepEqual(names.filter((n) => !seen.has(n)), [], 'all of them were shown');
        assert.doesNotMatch(await page.page.title(), /owned/);
        assert.deepEqual(asked, []);
        assert.equal(await page.page.locator('[data-testid=conversation] :is(script, img, iframe, style, object, embed)').count(), 0);
        assert.equal(await page.page.locator('[data-testid=conversation] a:not([href^="https://"])').count(), 0);
        await page.picture(`hostile-${options.isMobile ? 'phone' : 'wide'}`);
        await page.close();
      } finally {
        await browser.close();
      }
    });
  }
});

// What each of them begins with when it is shown.
const START = {
  script: '<script>', links: 'a b p', table: 'head', turned: 'Is it ⟦RLO⟧', rtl: 'مرحبا', word: 'wwww', line: 'one line', code: 'js', maths: '', zalgo: 'Z', quotes: '>>>', brackets: '[[[',
  stars: '*a_', nested: '', last: 'That was all',
};
