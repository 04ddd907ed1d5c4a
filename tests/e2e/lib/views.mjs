// Every view of the page, with something in it. axe.test.mjs looks at each, script/screenshots makes pictures of each.
//
// Who adds a view adds its rows here, one for each thing that looks different: name, hash (of what lib/seed.mjs has
// put there), and where it needs more
//   ready   what is waited for: a selector; else a heading, and that nothing loads any more
//   act     async (page) => {}: opens a tab, a dialog; page is Playwright's
//   zh      also in Chinese
//   narrow  false: not on a phone

export const views = [
  { name: 'start', hash: () => '#/', zh: true, ready: '[data-testid=start-form]' },
  { name: 'start-form', hash: () => '#/new/hello', ready: '[data-testid=start-form]' },
  { name: 'session-completed', hash: (s) => `#/sessions/${s.completed}`, zh: true, ready: '[data-testid=ending]' },
  { name: 'session-running', hash: (s) => `#/sessions/${s.running}`, ready: '[data-testid=run-affirmative]' },
  { name: 'session-paused', hash: (s) => `#/sessions/${s.paused}`, ready: '[data-testid=paused]' },
  { name: 'session-review', hash: (s) => `#/sessions/${s.reviewed}`, zh: true, ready: '[data-testid=review-form]' },
  { name: 'session-form', hash: (s) => `#/sessions/${s.form}`, ready: '[data-testid=review-form]' },
  { name: 'session-question', hash: (s) => `#/sessions/${s.question}`, ready: '[data-testid=input-form]' },
  { name: 'session-failed', hash: (s) => `#/sessions/${s.failed}`, ready: '[data-testid=ending]' },
  { name: 'session-scores', hash: (s) => `#/sessions/${s.polished}?tab=scores`, ready: '[data-testid=scores] .card' },
  { name: 'session-edit', hash: (s) => `#/sessions/${s.polished}`, ready: '[data-testid=draft]' },
  { name: 'session-node', hash: (s) => `#/sessions/${s.completed}?node=verdict`, ready: '[data-testid=ending]' },
  { name: 'session-files', hash: (s) => `#/sessions/${s.completed}?tab=files`, ready: '.files :is([data-testid=file], [data-testid=empty])' },
  { name: 'session-knowledge', hash: (s) => `#/sessions/${s.completed}?tab=knowledge`, ready: '[role=tabpanel]' },
  { name: 'session-details', hash: (s) => `#/sessions/${s.completed}?tab=details`, ready: '[role=tabpanel]' },
  { name: 'session-stages', hash: (s) => `#/sessions/${s.stage}?tab=stages`, ready: '[role=tabpanel]' },
  { name: 'session-timeline', hash: (s) => `#/sessions/${s.completed}?tab=timeline`, ready: '[data-testid=timeline]' },
  { name: 'session-missing', hash: () => '#/sessions/01890000-0000-7000-8000-000000000000', ready: 'main.page .empty .mono' },
  { name: 'editor', hash: () => '#/workflows/council-debate/edit', zh: true, ready: '[data-testid=node-panel], [data-testid=outline-verdict]' },
  { name: 'editor-node', hash: () => '#/workflows/council-debate/edit?node=verdict', ready: '[data-testid=node-form], [data-testid=panel-form]', act: async (page) => {
    const tab = page.locator('[data-testid=panel-form]'); // on a phone
    if (await tab.count()) await tab.click();
    await page.waitForSelector('[data-testid=node-form]');
  } },
  { name: 'workflows', hash: () => '#/workflows', zh: true },
  { name: 'versions', hash: () => '#/workflows/council-debate/versions' },
  { name: 'templates', hash: () => '#/templates', zh: true },
  { name: 'agents', hash: () => '#/agents', zh: true, ready: '[data-testid=row-affirmative]' },
  { name: 'agent', hash: (s) => `#/agents/${s.agent}`, ready: '[data-testid=object-title]' },
  { name: 'agent-system', hash: () => '#/agents/affirmative', ready: '[data-testid=object-title]' },
  { name: 'agent-try', hash: (s) => `#/agents/${s.agent}`, ready: '[data-testid=object-title]', act: (page) => page.click('[data-testid=try]') },
  { name: 'group', hash: (s) => `#/groups/${s.group}`, zh: true, ready: '[data-testid=object-title]' },
  { name: 'memory', hash: () => '#/memory', zh: true, ready: '[data-testid=memory]' },
  { name: 'memory-found', hash: () => '#/memory?group_id=board&q=pilot', ready: '.memory-score' },
  { name: 'memory-add', hash: () => '#/memory', ready: '[data-testid=memory]', act: (page) => page.click('[data-testid=add-memory]') },
  { name: 'dashboard', hash: () => '#/dashboard', zh: true, ready: '[data-testid=by-model]' },
  { name: 'schedules', hash: () => '#/schedules', ready: '[data-testid=catalog-list] a' },
  { name: 'schedule', hash: (s) => `#/schedules/${s.schedule}`, zh: true, ready: '[data-testid=next-at]' },
  { name: 'webhook', hash: (s) => `#/webhooks/${s.webhook}`, zh: true, ready: '[data-testid=delivery]' },
  { name: 'models', hash: () => '#/models', zh: true, ready: '[data-testid=prices]' },
  { name: 'keys', hash: () => '#/keys', zh: true, ready: '[data-testid=key-row]' },
  { name: 'key-new', hash: () => '#/keys', ready: '[data-testid=key-row]', act: (page) => page.click('[data-testid=new-key]') },
  { name: 'audit', hash: () => '#/audit', zh: true, ready: '[data-testid=audit-row]' },
  { name: 'sessions', hash: () => '#/sessions', zh: true, ready: '[data-testid=sessions]' },
  { name: 'sessions-selected', hash: () => '#/sessions?q=a', ready: '[data-testid=sessions]', act: async (page) => {
    await page.click('[data-testid=more-filters]');
    await page.locator('[data-testid=pick]').first().click();
  } },
  { name: 'sessions-none', hash: () => '#/sessions?q=nobody-has-such-a-name', ready: '[data-testid=empty]' },
  { name: 'reviews', hash: () => '#/reviews', zh: true, ready: '.inbox-rows' },
  { name: 'review', hash: (s) => `#/reviews/${s.interrupt}`, ready: '[data-testid=review-form]' },
  { name: 'review-edit', hash: (s) => `#/reviews/${s.interrupt}?edit`, ready: '[data-testid=review-form]', act: async (page) => {
    if (!await page.locator('[data-testid=tab-edit]').count()) await page.click('[data-testid=action-modify]'); // the draft is kept
    await page.click('[data-testid=tab-edit]');
    await page.locator('[data-testid=draft]').fill('What a person has made of it.');
    await page.click('[data-testid=tab-diff]');
  } },
  { name: 'reviews-answered', hash: () => '#/reviews?status=answered', ready: '.inbox-rows' },
  { name: 'session-stage', hash: (s) => `#/sessions/${s.stage}`, ready: '[data-testid=stage-form]' },
  { name: 'session-signal', hash: (s) => `#/sessions/${s.signal}`, ready: '[data-testid=signal-form]' },
  {
    name: 'session-graph', hash: (s) => `#/sessions/${s.completed}?tab=graph`, ready: '.graph[data-layout=ready]',
    act: async (page) => { await page.focus('.react-flow__node[tabindex]'); await page.keyboard.press('ArrowDown'); },
  },
  { name: 'replay', hash: (s) => `#/sessions/${s.completed}/replay?at=120`, zh: true, ready: '[data-testid=replay][data-ready]', act: async (page) => {
    if (await page.locator('.graph').count()) await page.waitForSelector('.graph[data-layout=ready]', { state: 'attached' });
  } },
  {
    name: 'replay-fork', hash: (s) => `#/sessions/${s.completed}/replay?at=120&node=rounds`, ready: '[data-testid=replay][data-ready]',
    act: async (page) => {
      if (await page.locator('.scrim').count()) await page.keyboard.press('Escape'); // on a phone the node lies over it
      await page.click('[data-testid=fork]'); await page.click('[data-testid=fork-input-on]');
    },
  },
  { name: 'compare', hash: (s) => `#/compare/${s.completed}/${s.compared}`, zh: true, ready: '[data-testid=compare-nodes]' },
  {
    name: 'compare-messages', hash: (s) => `#/compare/${s.completed}/${s.compared}?tab=messages`, ready: '[data-testid=compare-messages]',
    act: (page) => page.click('[data-testid=mode-changes]'),
  },
  {
    name: 'compare-pick', hash: (s) => `#/compare/${s.completed}/${s.compared}`, ready: '[data-testid=compare-nodes]',
    act: async (page) => { await page.click('[data-testid=pick-b]'); await page.waitForSelector('.pick-list'); },
  },
  { name: 'editor-new', hash: () => '#/editor', ready: '[data-testid=problems][data-fresh]' },
  { name: 'nothing', hash: () => '#/no/such/view' },
];

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** A page of that browser context, signed in, on which show() may be called again and again. */
export async function openPage(context, seeded) {
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints = [];
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') complaints.push(m.text()); });
  page.on('pageerror', (e) => complaints.push(`uncaught: ${e.message}`));
  await page.addInitScript((key) => {
    sessionStorage.setItem('sluice.key', key);
    document.addEventListener('securitypolicyviolation', (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  }, seeded.key);
  page.open = 0; // requests under way
  page.on('request', () => { page.open++; });
  for (const over of ['requestfinished', 'requestfailed']) page.on(over, () => { page.open--; });
  await page.goto(`${seeded.url}/ui/`);
  await page.waitForSelector('main h1');
  return { page, complaints };
}

// Nothing is asked of the server any more, and nothing says that it still loads.
async function still(page) {
  for (let calm = 0; calm < 3; calm = page.open > 0 || await page.locator('main .spinner').count() > 0 ? 0 : calm + 1) {
    await page.evaluate(() => new Promise((done) => { setTimeout(done, 30); }));
  }
}

/** Opens a view and waits until it stands still. */
export async function show(page, view, seeded) {
  await page.evaluate((hash) => new Promise((done) => {
    if (location.hash === hash) return done();
    addEventListener('hashchange', () => requestAnimationFrame(() => done()), { once: true }); // else the view before is taken for it
    return location.replace(hash);
  }), view.hash(seeded));
  await page.waitForSelector(view.ready ?? 'main h1');
  await still(page);
  await view.act?.(page);
  if (view.act) await still(page);
}

/** How much wider than the screen it is, and what makes it so. */
export const overflow = (page) => page.evaluate(() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return '';
  const wide = [...document.querySelectorAll('body *')].filter((el) => el.getBoundingClientRect().right > root.clientWidth + 1);
  const name = (el) => `${el.tagName.toLowerCase()}${[...el.classList].map((c) => `.${c}`).join('')}`;
  return `${root.scrollWidth - root.clientWidth} px: ${wide.slice(0, 5).map(name).join(', ')}`;
});
