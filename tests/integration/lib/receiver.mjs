// A webhook's receiver: keeps what came, checks signatures, and answers as the test wants.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

// The check of docs/WEBHOOKS.md.
export function verify(secret, header, body, nowMs = Date.now()) {
  const m = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? '');
  if (!m || Math.abs(nowMs / 1000 - Number(m[1])) > 300) return false;
  const expected = createHmac('sha256', secret).update(`${m[1]}.${body}`).digest();
  return timingSafeEqual(expected, Buffer.from(m[2], 'hex'));
}

export class Receiver {
  // answer(request) -> status, or a promise of one, or undefined for never
  constructor(answer = () => 204) {
    this.answer = answer;
    this.requests = [];
    this.waiters = [];
    this.open = this.openMax = 0;
  }
  async start() {
    this.server = createServer((req, res) => {
      let body = '';
      this.openMax = Math.max(this.openMax, ++this.open);
      res.on('close', () => this.open--);
      req.on('data', (d) => { body += d; });
      req.on('end', async () => {
        const request = { headers: req.headers, body, json: JSON.parse(body), url: req.url, at: Date.now() };
        request.status = await this.answer(request);
        this.requests.push(request);
        this.waiters.splice(0).forEach((w) => w());
        if (request.status === undefined) return;
        res.writeHead(request.status, request.status >= 300 && request.status < 400 ? { location: '/elsewhere' } : {});
        res.end();
      });
    });
    await new Promise((go) => { this.server.listen(0, '127.0.0.1', go); });
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}/hook`;
    return this;
  }
  get taken() { return this.requests.filter((r) => r.status >= 200 && r.status < 300); }
  of(id) { return this.taken.filter((r) => r.json.session_id === id); }
  async until(what, ms = 20000) {
    for (const deadline = Date.now() + ms; ;) {
      const value = what(this);
      if (value) return value;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`waited ${ms} ms for ${what}; ${this.requests.length} came, the last: ${JSON.stringify(this.requests.slice(-2))}`);
      await new Promise((go) => { const t = setTimeout(go, Math.min(left, 500)); this.waiters.push(() => { clearTimeout(t); go(); }); });
    }
  }
  ended(id, ms) { return this.until((r) => r.of(id).some((x) => x.json.type === 'session_state_change' && ['completed', 'failed', 'cancelled'].includes(x.json.data.to)), ms); }
  async close() {
    this.server.closeAllConnections();
    await new Promise((go) => { this.server.close(go); });
  }
}
