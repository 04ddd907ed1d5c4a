// A WebSocket reader of one session, on npm's `ws`: keeps every event, checks the sequence, reconnects.
// An open one alone does not keep the tests' process from ending: a failed test leaves its readers, and
// one whose server never comes back would try for ever. Who waits for it has a timer.
import WebSocket from 'ws';

const terminal = new Set(['completed', 'failed', 'cancelled']);
const passing = new Set(['unavailable', 'store_unavailable', 'overloaded']); // a server that cannot just now says so
export const isTerminal = (e) => e.type === 'session_state_change' && terminal.has(e.data.to);

export class Reader {
  // server: what has a port; it is asked at each connect, so that it may be another instance's.
  // options: reconnect (come back when cut, with the last seq, or refused for now), batch
  constructor(server, sessionId, options = {}) {
    this.server = server;
    this.id = sessionId;
    this.options = options;
    this.events = [];
    this.verdicts = [];
    this.problems = [];
    this.waiters = [];
    this.connect();
  }

  get last() { return this.events.length ? this.events[this.events.length - 1].seq : 0; }

  connect() {
    const batch = this.options.batch ? '&batch=1' : '';
    const url = `ws://127.0.0.1:${this.server.port}/ws?session_id=${this.id}&after=${this.last}${batch}`;
    const ws = new WebSocket(url, 'sluice.v1', { perMessageDeflate: false, handshakeTimeout: 5000 });
    this.ws = ws;
    this.port = Number(new URL(url).port);
    ws.on('upgrade', (response) => response.socket.unref());
    ws.on('message', (data) => { if (ws === this.ws) this.take(JSON.parse(data.toString())); });
    ws.on('error', () => { /* close follows */ });
    ws.on('close', (code) => {
      this.closeCode = code;
      if (ws === this.ws && this.options.reconnect && !this.done) setTimeout(() => this.connect(), 20).unref();
      this.wake();
    });
  }

  take(m) {
    if (m.type === 'batch') { m.events.forEach((e) => this.take(e)); return; }
    if (m.type === 'subscribed') { this.verdicts.push(m.verdict); this.subscribed = m; }
    else if (m.type === 'error' && m.seq === undefined) {
      if (this.options.reconnect && passing.has(m.code)) this.ws.terminate();
      else this.problems.push(`error message: ${JSON.stringify(m)}`);
    }
    else if (m.seq !== undefined) {
      if (m.seq !== this.last + 1) this.problems.push(`seq ${m.seq} after ${this.last}`);
      if (m.session_id !== this.id) this.problems.push(`an event of ${m.session_id}`);
      this.events.push(m);
      if (isTerminal(m)) this.done = true;
    }
    this.wake();
  }

  wake() { this.waiters.splice(0).forEach((w) => w()); }

  // Waits until `what(reader)` is truthy, and gives that; fails after ms.
  async until(what, ms = 20000, name = String(what)) {
    const deadline = Date.now() + ms;
    for (;;) {
      const value = what(this);
      if (value) return value;
      const left = deadline - Date.now();
      if (left <= 0) {
        throw new Error(`waited ${ms} ms for ${name}; ${this.events.length} events, the last: ${JSON.stringify(this.events.slice(-3))}`);
      }
      await new Promise((go) => {
        const t = setTimeout(go, Math.min(left, 1000));
        this.waiters.push(() => { clearTimeout(t); go(); });
      });
    }
  }

  find(type, test = () => true) { return this.events.find((e) => e.type === type && test(e)); }
  untilEvent(type, test = () => true, ms = 20000) {
    return this.until((r) => r.find(type, test), ms, type);
  }
  ended(ms = 60000) { return this.until((r) => r.events.find(isTerminal), ms, 'the end'); }

  // What a reader shows of each message: its chunks since the last reset.
  texts() {
    const texts = new Map();
    for (const e of this.events) {
      const id = e.data?.message_id;
      if (e.type === 'stream_reset') texts.set(id, '');
      else if (e.type === 'token_stream' && !e.data.is_thinking) texts.set(id, (texts.get(id) ?? '') + e.data.chunk);
    }
    return texts;
  }

  close() {
    this.done = true;
    this.ws.terminate();
  }
}
