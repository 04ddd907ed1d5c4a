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
const ALL = { type: 'tag', values: TAGS };
// Colours differ between themes, the rest does not: the second theme is about colours only.
const COLOURS = { type: 'rule', values: ['color-contrast'] };
const FRAME = '.sidebar'; // the same beside every view: it is looked at with the first one of each pass
const skip = !hasBrowser ? 'no Chromium here' : !isReal && 'needs the real server';

const PASSES = [
  { name: 'desktop', size: DESKTOP, themes: ['light', 'dark'] },
  { name: 'phone', size: PHONE, themes: ['dark', 'light'], wants: (view) => view.narrow !== false },
  { name: 'desktop, Chinese', size: DESKTOP, themes: ['light'], zh: true, wants: (view) => view.zh },
];

const violations = (page, runOnly, exclude) => page.evaluate(async ([runOnly, exclude]) => {
  const options = { runOnly, resultTypes: ['violations'], preload: false, iframes: false };
  const { violations } = await globalThis.axe.run({ exclude }, options);
  return violations.flatMap((v) => v.nodes.slice(0, 4).map((n) => `${v.id}: ${n.target.join(' ')}\n    ${n.failureSummary.replace(/\s+/g, ' ')}`));
}, [runOnly, exclude]);

// A colour on its way from one to another is neither. What goes round for ever is not waited for.
const settled = (page) => page.evaluate(() => Promise.allSettled(document.getAnimations()
  .filter((a) => a.playState === 'running' && Number.isFinite(a.effect?.getComputedTiming().endTime)).map((a) => a.finished)).then(() => undefined));

async function inThemes(page, themes, exclude) {
  const found = [];
  for (const [i, colorScheme] of themes.entries()) {
    await page.emulateMedia({ colorScheme });
    await settled(page);
    const bad = await violations(page, i === 0 ? ALL : COLOURS, exclude);
    found.push(...bad.map((b) => `${colorScheme}: ${b}`));
  }
  return found;
}

async function lookAt(page, view, pass, seeded, exclude) {
  await page.emulateMedia({ colorScheme: pass.themes[0] });
  try {
    await show(page, view, seeded);
    const found = await inThemes(page, pass.themes, exclude);
    const wide = pass.size === PHONE && await overflow(page);
    return [...found, ...(wide ? [`wider than the screen by ${wide}`] : [])].map((f) => `${view.name}: ${f}`);
  } catch (err) {
    return [`${view.name}: ${err.message}`]; // the other views are looked at all the same
  }
}

// On a phone the menu covers the view, and is there when it is opened.
async function lookAtMenu(page, themes) {
  await page.click('.menu-button');
  await page.waitForSelector('.sidebar[data-open]');
  const found = await inThemes(page, themes, []);
  await page.keyboard.press('Escape');
  return found.map((f) => `menu: ${f}`);
}

async function lookAtAll(page, pass, seeded) {
  const found = [];
  let exclude = [];
  for (const view of views.filter((v) => !pass.wants || pass.wants(v))) {
    found.push(...await lookAt(page, view, pass, seeded, exclude));
    exclude = [FRAME];
  }
  return found;
}

describe('every view', { skip, concurrency: 2 }, () => {
  let seeded, browser, chinese;
  before(async () => {
    seeded = await new Seeded().start();
    browser = await new Browser().start({ reducedMotion: 'reduce' });
    chinese = await new Browser().start({ locale: 'zh-CN', reducedMotion: 'reduce' }); // as somebody has it who never chose
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
      await page.evaluate(source); // once: going from view to view keeps the document
      const found = await lookAtAll(page, pass, seeded);
      if (pass.size === PHONE) found.push(...await lookAtMenu(page, pass.themes));
      await page.close();
      const bad = [...found, ...complaints.filter((c) => !/status of 404/.test(c))];
      assert.ok(bad.length === 0, `\n${bad.join('\n')}`);
    });
  }
});
