// Every view of lib/views.mjs under axe-core, in both themes, on a desktop and on a phone; nothing may be wider than
// the phone. axe is run by the debugger, so that the page's content-security policy stays as it is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { Browser, hasBrowser } from './lib/page.mjs';
import { Seeded } from './lib/seed.mjs';
import { isReal } from './lib/server.mjs';
import { DESKTOP, openPage, overflow, PHONE, show, views } from './lib/views.mjs';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const skip = !hasBrowser ? 'no Chromium here' : !isReal && 'needs the real server';

// Colours differ between themes, the rest does not: the second theme of each width is about colours only.
const PASSES = [
  { name: 'desktop, light', size: DESKTOP, colorScheme: 'light' },
  { name: 'desktop, dark', size: DESKTOP, colorScheme: 'dark', only: ['color-contrast'] },
  { name: 'phone, dark', size: PHONE, colorScheme: 'dark' },
  { name: 'phone, light', size: PHONE, colorScheme: 'light', only: ['color-contrast'] },
  { name: 'desktop, Chinese', size: DESKTOP, colorScheme: 'light', zh: true },
];

async function violations(page, only) {
  await page.evaluate(source);
  const found = await page.evaluate(async ([tags, rules]) => {
    const runOnly = rules ? { type: 'rule', values: rules } : { type: 'tag', values: tags };
    const { violations } = await globalThis.axe.run(document, { runOnly, resultTypes: ['violations'] });
    return violations.flatMap((v) => v.nodes.slice(0, 4).map((n) => `${v.id}: ${n.target.join(' ')}\n    ${n.failureSummary.replace(/\s+/g, ' ')}`));
  }, [TAGS, only]);
  return found;
}

async function lookAt(page, view, pass, seeded) {
  await show(page, view, seeded);
  const found = await violations(page, pass.only);
  const wide = pass.size === PHONE && await overflow(page);
  return [...found, ...(wide ? [`wider than the screen by ${wide}`] : [])].map((f) => `${view.name}: ${f}`);
}

describe('every view', { skip, concurrency: 2 }, () => {
  let seeded, browser, chinese;
  before(async () => {
    seeded = await new Seeded().start();
    browser = await new Browser().start();
    chinese = await new Browser().start({ locale: 'zh-CN' }); // as somebody has it who never chose
  });
  after(async () => {
    await browser?.close();
    await chinese?.close();
    await seeded?.close();
  });

  for (const pass of PASSES) {
    test(pass.name, async () => {
      const { page, complaints } = await openPage((pass.zh ? chinese : browser).context, seeded);
      await page.setViewportSize(pass.size);
      await page.emulateMedia({ colorScheme: pass.colorScheme, reducedMotion: 'reduce' });
      const found = [];
      for (const view of views.filter((v) => (pass.size !== PHONE || v.narrow !== false) && (!pass.zh || v.zh))) {
        found.push(...await lookAt(page, view, pass, seeded));
      }
      await page.close();
      const bad = [...found, ...complaints.filter((c) => !/status of 404/.test(c))];
      assert.ok(bad.length === 0, `\n${bad.join('\n')}`);
    });
  }
});
