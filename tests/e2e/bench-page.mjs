#!/usr/bin/env node
// How the page moves and what it keeps, in a session of 10,000 events and more with 500 messages, beside a blank page
// in the same browser. docs/PERFORMANCE.md tells how to read it. script/bench-page runs it.
import { loadavg } from 'node:os';
import { Flood, flood, startFlood } from './lib/flood.mjs';
import { blank, frames, memory, scroll } from './lib/frames.mjs';
import { Browser, hasBrowser } from './lib/page.mjs';
import { Server } from './lib/server.mjs';

const ITEMS = Number(process.env.ITEMS ?? 500);
const WATCH_S = Number(process.env.WATCH ?? 10);
const ROUNDS = 4;

const kB = (bytes) => `${Math.round(bytes / 1000).toLocaleString('en')} kB`;
// With the machine's load, for without it the tails say nothing, and with the session's events at the row's end.
const row = (name, { seen, drawn, longTasks, longest }, events) => {
  const figures = [drawn.median, drawn.p95, seen.median, seen.p95, drawn.frames, longTasks, longest, events.toLocaleString('en'), loadavg()[0].toFixed(1)];
  console.log(`| ${name} | ${figures.join(' | ')} |`);
};

if (!hasBrowser) throw new Error('no Chromium here; CHROMIUM names one');
const model = await new Flood().start();
const server = await new Server({ env: model.env }).start();
const browser = await new Browser().start();
try {
  await server.workflows(flood);
  const id = await startFlood(server, ITEMS);
  const eventsNow = async () => (await server.get(`/sessions/${id}`)).last_seq;
  const messages = (await server.all(`/sessions/${id}/messages`)).length;
  console.log(`${(await eventsNow()).toLocaleString('en')} events, ${messages} messages, then ${model.tokensPerSecond} tokens a second\n`);
  console.log('| | drawn, ms: median | p95 | animation frames, ms: median | p95 | frames | tasks > 50 ms | longest, ms | events | load |\n|---|---|---|---|---|---|---|---|---|---|');
  const still = await blank(browser.context, WATCH_S * 1000);
  row('a blank page', still, await eventsNow());

  const opened = performance.now();
  const { page } = await browser.open(`${server.url}/ui/#/sessions/${id}`);
  await page.waitForSelector('[data-testid=run-stream] [data-testid=text]', { timeout: 60_000 });
  const openMs = Math.round(performance.now() - opened);
  row('streaming, followed', await frames(page, () => page.waitForTimeout(WATCH_S * 1000)), await eventsNow());
  const box = await page.locator('[data-testid=conversation]').boundingBox();
  const at = [box.x + box.width / 2, box.y + box.height / 2];
  const scrolled = (pixels, speed) => frames(page, async (cdp) => {
    for (let i = 0; i < 4; i++) await scroll(cdp, ...at, pixels / 4, speed);
  });
  row('scrolling back while it streams, 1,500 px/s', await scrolled(-12_000, 1_500), await eventsNow());
  row('scrolling on while it streams, 6,000 px/s', await scrolled(10_000, 6_000), await eventsNow());
  row('reading back while it streams', await frames(page, () => page.waitForTimeout(WATCH_S * 1000)), await eventsNow());

  console.log(`\nopened in ${openMs} ms\n\n| memory, collected | heap | nodes | of them detached | listeners | letters streamed |\n|---|---|---|---|---|---|`);
  const tell = async (name) => {
    const m = await memory(page);
    const letters = await page.evaluate(() => document.body.innerText.length);
    console.log(`| ${name} | ${kB(m.heap)} | ${m.nodes} | ${m.detached} | ${m.listeners} | ${(model.sent * 5).toLocaleString('en')} (${letters.toLocaleString('en')} in sight) |`);
  };
  await page.click('.to-end');
  for (let i = 0; i < ROUNDS; i++) {
    await tell(`streaming, ${i * WATCH_S} s`);
    await page.waitForTimeout(WATCH_S * 1000);
  }
  await page.click('[data-testid=pause]');
  await page.waitForSelector('[data-testid=paused]');
  for (let i = 0; i < ROUNDS; i++) {
    await tell(`paused, ${i * WATCH_S} s`);
    await page.waitForTimeout(WATCH_S * 1000);
  }
  for (let i = 0; i < ROUNDS; i++) {
    const cdp = await page.context().newCDPSession(page);
    await scroll(cdp, ...at, -15_000, 12_000);
    await scroll(cdp, ...at, 15_000, 12_000);
    await cdp.detach();
    await tell(`scrolled through ${i + 1} times`);
  }
} finally {
  model.stopped = true;
  await browser.close();
  await server.kill('SIGKILL');
  await server.close().catch(() => {});
  await model.close();
}
