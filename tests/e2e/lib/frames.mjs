// How smoothly a page moves, told by the browser's own tracing, and what it keeps in memory.

const CATEGORIES = ['disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame', 'toplevel', 'devtools.timeline', 'benchmark'];

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
const round = (n) => Math.round(n * 10) / 10;

/** The gaps between points in time, in ms: median, 95th percentile, and how many there are. */
export function gaps(times) {
  const list = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
  return { median: round(quantile(list, 0.5)), p95: round(quantile(list, 0.95)), worst: round(quantile(list, 1)), frames: list.length };
}

// In the page: when frames began, until it is told to stop.
const watch = () => {
  const frames = [];
  const tick = (now) => {
    frames.push(now);
    if (window.__frames === frames) requestAnimationFrame(tick);
  };
  window.__frames = frames;
  requestAnimationFrame(tick);
};

/** Watches the page while `work` goes on: frames as the page sees them and as they were drawn, and long tasks. */
export async function frames(page, work) {
  const cdp = await page.context().newCDPSession(page);
  const events = [];
  cdp.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  const done = new Promise((r) => cdp.once('Tracing.tracingComplete', r));
  await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: CATEGORIES } });
  await page.evaluate(watch);
  await work(cdp);
  const seen = await page.evaluate(() => {
    const list = window.__frames;
    window.__frames = undefined;
    return list;
  });
  await cdp.send('Tracing.end');
  await done;
  await cdp.detach();
  const drawn = events.filter((e) => e.name === 'DrawFrame').map((e) => e.ts / 1000).sort((a, b) => a - b);
  // Of the page's own main thread: the one that ran its animation frames.
  const main = events.find((e) => e.name === 'FireAnimationFrame');
  const tasks = events.filter((e) => main && e.pid === main.pid && e.tid === main.tid && /RunTask$/.test(e.name) && e.dur > 50_000).map((e) => e.dur / 1000);
  return { seen: gaps(seen), drawn: gaps(drawn), longTasks: tasks.length, longest: round(Math.max(0, ...tasks)) };
}

/** An empty page in the same browser that draws with each frame: what this machine can do at all. */
export async function blank(context, ms) {
  const page = await context.newPage();
  await page.setContent('<div id="a" style="width:20px;height:20px;background:#888"></div>');
  await page.evaluate(() => {
    const box = document.getElementById('a');
    let n = 0;
    const tick = () => {
      box.style.background = n++ % 2 ? '#888' : '#777';
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const result = await frames(page, () => page.waitForTimeout(ms));
  await page.close();
  return result;
}

/** After a collection: bytes of the heap, nodes of the page, and nodes that are kept though they are not in it. */
export async function memory(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable');
  for (let i = 0; i < 3; i++) await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const { nodes, jsEventListeners } = await cdp.send('Memory.getDOMCounters');
  const inPage = await page.evaluate(() => {
    let n = 1;
    const walker = document.createTreeWalker(document, NodeFilter.SHOW_ALL);
    while (walker.nextNode()) n++;
    return n;
  });
  await cdp.detach();
  return { heap: metrics.find((m) => m.name === 'JSHeapUsedSize').value, nodes, listeners: jsEventListeners, detached: nodes - inPage };
}

/** A finger or a wheel on the conversation; negative is back. */
export function scroll(cdp, x, y, pixels, speed) {
  return cdp.send('Input.synthesizeScrollGesture', { x, y, yDistance: -pixels, speed, gestureSourceType: 'mouse', preventFling: true });
}
