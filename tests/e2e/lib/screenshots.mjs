// What script/screenshots does. Usage there.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Browser } from './page.mjs';
import { Seeded } from './seed.mjs';
import { repo } from './server.mjs';
import { DESKTOP, openPage, overflow, PHONE, show, views } from './views.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } });
const out = resolve(values.out ?? join(repo, 'web/screenshots'));
const wanted = views.filter((v) => !positionals.length || positionals.some((p) => v.name.startsWith(p)));

const SHOTS = [
  { suffix: 'desktop-light', size: DESKTOP, colorScheme: 'light' },
  { suffix: 'desktop-dark', size: DESKTOP, colorScheme: 'dark' },
  { suffix: 'phone-light', size: PHONE, colorScheme: 'light' },
  { suffix: 'phone-dark', size: PHONE, colorScheme: 'dark' },
  { suffix: 'desktop-zh', size: DESKTOP, colorScheme: 'light', zh: true },
  { suffix: 'phone-zh', size: PHONE, colorScheme: 'dark', zh: true },
];

async function shoot(page, shot, view, seeded) {
  await show(page, view, seeded);
  await page.screenshot({ path: join(out, `${view.name}-${shot.suffix}.png`) });
  const wide = shot.size === PHONE && await overflow(page);
  if (wide) console.log(`${view.name}-${shot.suffix}: wider than the screen by ${wide}`);
}

async function shootAll(shot, seeded) {
  const browser = await new Browser().start({ locale: shot.zh ? 'zh-CN' : 'en-GB' });
  try {
    const { page, complaints } = await openPage(browser.context, seeded);
    await page.setViewportSize(shot.size);
    await page.emulateMedia({ colorScheme: shot.colorScheme, reducedMotion: 'reduce' });
    for (const view of wanted.filter((v) => (!shot.zh || v.zh) && (shot.size !== PHONE || v.narrow !== false))) {
      await shoot(page, shot, view, seeded).catch((err) => console.log(`${view.name}-${shot.suffix}: ${err.message}`));
    }
    for (const c of complaints.filter((text) => !/status of 404/.test(text))) console.log(`${shot.suffix}: ${c}`);
  } finally {
    await browser.close();
  }
}

mkdirSync(out, { recursive: true });
const seeded = await new Seeded().start();
try {
  for (const shot of SHOTS) await shootAll(shot, seeded);
} finally {
  await seeded.close();
}
console.log(out);
