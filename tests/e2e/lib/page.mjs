// The page in headless Chromium. Whatever it complains about on the console, and every violation of its
// content-security policy, fails the test that caused it.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome', '/usr/bin/chromium-browser']
  .find((p) => p && existsSync(p));
export const hasBrowser = executablePath !== undefined;

const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
// A server that is being killed leaves these behind, and they are none of the page's making.
export const WHILE_AWAY = /WebSocket connection|status of 503|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED/;

export class Browser {
  async start(options = {}) {
    this.profile = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
    this.context = await chromium.launchPersistentContext(this.profile, {
      executablePath, headless: true, args: ARGS, viewport: { width: 1440, height: 900 }, ...options,
    });
    return this;
  }

  async open(url) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(20_000);
    const complaints = [];
    page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') complaints.push(m.text()); });
    page.on('pageerror', (e) => complaints.push(`uncaught: ${e.message}`));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`));
    });
    await page.goto(url);
    return new Page(page, complaints);
  }

  async close() {
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}

const at = (id) => `[data-testid="${id}"]`;

export class Page {
  constructor(page, complaints) {
    Object.assign(this, { page, complaints });
  }

  see(id, options) { return this.page.waitForSelector(at(id), options); }
  gone(id) { return this.page.waitForSelector(at(id), { state: 'detached' }); }
  click(id) { return this.page.click(at(id)); }
  fill(id, text) { return this.page.fill(at(id), text); }
  count(id) { return this.page.locator(at(id)).count(); }
  text(id) { return this.page.locator(at(id)).first().innerText(); }
  sessionId() { return /#\/sessions\/([^?/]+)/.exec(this.page.url())?.[1]; }

  async startRun(workflowId, topic) {
    await this.page.click(at(`workflow-${workflowId}`));
    await this.page.waitForSelector(`${at('start-form')} [name="topic"]`);
    await this.page.fill('[name="topic"]', topic);
    await this.click('start');
    await this.see('session');
    await this.page.waitForFunction(() => location.hash.startsWith('#/sessions/'));
    return this.sessionId();
  }

  /** What the messages on the page say, without markdown, by id. */
  async texts() {
    if (!(await this.page.locator(`${at('plain')}[aria-pressed="true"]`).count())) await this.click('plain');
    const pairs = await this.page.locator(at('message')).evaluateAll((all) => all.map((m) =>
      [m.getAttribute('data-message'), m.querySelector('.text.plain')?.textContent ?? '']));
    return Object.fromEntries(pairs);
  }

  /** Waits until `id` (or a selector) shows a text longer than `length`, and gives it. */
  async longer(id, length) {
    const handle = await this.page.waitForFunction(([selector, n]) => {
      const text = document.querySelector(selector)?.textContent ?? '';
      return text.length > n && text;
    }, [id.startsWith('[') ? id : at(id), length]);
    return handle.jsonValue();
  }

  nodeStates() {
    return this.page.locator('.step').evaluateAll((all) =>
      Object.fromEntries(all.map((s) => [s.getAttribute('data-node'), s.getAttribute('data-status')])));
  }

  /** A picture for people, when a folder for them is named. */
  async picture(name) {
    const folder = process.env.SLUICE_SCREENSHOTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }

  async close(allowed) {
    const bad = this.complaints.filter((c) => !allowed?.test(c));
    await this.page.close();
    if (bad.length) throw new Error(`the page complained:\n${bad.join('\n')}`);
  }
}
