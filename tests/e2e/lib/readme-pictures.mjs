// The three pictures of the README, into docs/images: what script/screenshots --readme does.
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser } from './page.mjs';
import { Seeded } from './seed.mjs';
import { repo } from './server.mjs';
import { DESKTOP, openPage, show } from './views.mjs';

const PIXELS_WIDE = 1200; // of the pictures; the page itself believes in a whole desktop
const BYTES_MAX = 120_000; // of each: they are cloned with the source
const FOLDER = join(repo, 'docs/images');

/** Each of the three voices stands in the middle of a sentence, some way into what it says. */
const midSentence = (page) => page.waitForFunction(() => ['affirmative', 'negative', 'pragmatist'].every((id) => {
  const text = document.querySelector(`[data-testid=run-${id}] [data-testid=text]`)?.textContent.trim() ?? '';
  return text.length > 300 && /[a-z,]$/.test(text);
}), undefined, { timeout: 60_000, polling: 50 });

// In the words of lib/seed.mjs's demo model, which says the same each time.
const edited = (text) => text
  .replace('both speakers took it seriously', 'all three voices took it seriously')
  .replace('I was less convinced by the hope that people will adapt on their own. ', '')
  .replace('a trial with a fixed end', 'one module first, for six weeks,');

/** The verdict with a few words of it put differently, beside what the model wrote. */
async function edit(page) {
  await page.click('[data-testid=action-modify]');
  await page.click('[data-testid=tab-edit]');
  const draft = page.locator('[data-testid=draft]');
  const text = await draft.inputValue();
  if (edited(text) === text) throw new Error(`the verdict has other words now: ${text}`);
  await draft.fill(edited(text));
  await page.click('[data-testid=tab-diff]');
  await page.getByRole('button', { name: 'Side by side' }).click();
}

const pictures = [
  { name: 'live', colorScheme: 'light', hash: (s) => `#/sessions/${s.running}?tab=graph`, ready: '.graph[data-layout=ready]', act: midSentence },
  { name: 'review', colorScheme: 'light', hash: (s) => `#/reviews/${s.interrupt}?edit`, ready: '[data-testid=review-form]', act: edit },
  { name: 'editor', colorScheme: 'dark', hash: () => '#/workflows/council-debate/edit?node=verdict', ready: '[data-testid=node-form]', act: (page) => page.waitForSelector('[data-testid=estimate]') },
];

/** As a palette: a picture of a page has few colours, and takes a third of the bytes so. */
function write(name, png) {
  const { status, error, stdout, stderr } = spawnSync('pngquant', ['--speed', '1', '--strip', '-'], { input: png, maxBuffer: 1 << 24 });
  if (status !== 0) throw error ?? new Error(`pngquant: ${stderr}`);
  const path = join(FOLDER, `${name}.png`);
  writeFileSync(path, stdout);
  if (statSync(path).size > BYTES_MAX) throw new Error(`${path} has more than ${BYTES_MAX} bytes`);
  console.log(path);
}

mkdirSync(FOLDER, { recursive: true });
const seeded = await new Seeded().start();
const browser = await new Browser().start({ locale: 'en-GB', viewport: DESKTOP, deviceScaleFactor: PIXELS_WIDE / DESKTOP.width });
try {
  const { page } = await openPage(browser.context, seeded);
  for (const picture of pictures) {
    await page.emulateMedia({ colorScheme: picture.colorScheme, reducedMotion: 'reduce' });
    await show(page, picture, seeded);
    write(picture.name, await page.screenshot());
  }
} finally {
  await browser.close();
  await seeded.close();
}
