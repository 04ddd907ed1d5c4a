// Clients that do one thing at a time, on sockets of their own, so that what reaches the server in one
// turn of its loop is known: a keep-alive HTTP client, a model that says a word when it is told to, a psql that stays.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

export class Caller {
  constructor(port) {
    this.socket = connect(port, '127.0.0.1').setNoDelay(true);
    this.rest = Buffer.alloc(0);
    this.socket.on('data', (d) => this.take(d));
    this.socket.on('error', (e) => this.answered?.fail(e));
    this.socket.on('close', () => this.answered?.fail(new Error('the server has hung up')));
  }

  take(data) {
    this.rest = Buffer.concat([this.rest, data]);
    const head = this.rest.indexOf('\r\n\r\n');
    if (head < 0) return;
    const text = this.rest.toString('latin1', 0, head);
    const end = head + 4 + Number(/content-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    if (this.rest.length < end) return;
    const body = this.rest.toString('utf8', head + 4, end);
    this.rest = this.rest.subarray(end);
    const { done } = this.answered;
    this.answered = null;
    done({ status: Number(text.slice(9, 12)), body });
  }

  /** Written when it resolves; `answer` then stands for what comes back. */
  async send(method, path, body = '') {
    const answer = new Promise((done, fail) => { this.answered = { done, fail }; });
    const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    await new Promise((done) => this.socket.write(head + body, done));
    return { answer };
  }

  async ask(method, path, body) { return (await this.send(method, path, body)).answer; }

  close() {
    this.answered = null;
    this.socket.destroy();
  }
}

const words = ['the', 'a', 'of', 'light', 'river', 'model', 'answer', 'stone', 'and', 'but', 'so', 'then', 'after', 'small', 'line', 'green',
  'north', 'window', 'number', 'engine', 'whisper', 'under', 'over', 'bright', 'seven', 'slow', 'paper', 'cloud', 'early', 'shore', 'copper'];

// Words as a stand-in would say them: without a pattern that a breaker could take for a loop.
export const word = (n) => ` ${words[Math.floor((n * 2654435761) % 4294967296 / 7) % words.length]}`;

export class Model {
  async start() {
    this.streams = [];
    this.waiting = [];
    this.http = createServer((req, res) => {
      req.resume().on('end', () => {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        this.streams.push(res);
        this.say([res], { role: 'assistant', content: '' }).then(() => this.waiting.splice(0).forEach((w) => w()));
      });
    });
    await new Promise((done) => this.http.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.http.address().port}/v1`;
    return this;
  }

  async opened(count) {
    while (this.streams.length < count) await new Promise((go) => this.waiting.push(go));
  }

  /** One chunk in each stream; given to the kernel when it resolves. */
  say(streams, delta, finish = null) {
    const chunk = { id: 'chatcmpl-guard', object: 'chat.completion.chunk', created: 1700000000, model: 'guard', choices: [{ index: 0, delta, finish_reason: finish }] };
    const text = `data: ${JSON.stringify(chunk)}\n\n`;
    return Promise.all(streams.map((s) => new Promise((done) => s.write(text, done))));
  }

  async end() {
    const streams = this.streams.splice(0);
    await this.say(streams, {}, 'stop');
    streams.forEach((s) => s.end('data: [DONE]\n\n'));
  }

  close() {
    this.http.closeAllConnections();
    this.http.close();
  }
}

export class Psql {
  constructor(url) {
    this.process = spawn('psql', ['-XqAt', '-v', 'ON_ERROR_STOP=1', url], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.answers = [];
    createInterface({ input: this.process.stdout }).on('line', (line) => this.answers.shift()?.done(line));
    this.process.on('exit', () => this.answers.splice(0).forEach((a) => a.fail(new Error('psql has ended'))));
  }

  /** A query with one row: its columns. */
  ask(sql) {
    return new Promise((done, fail) => {
      this.answers.push({ done: (line) => done(line.split('|')), fail });
      this.process.stdin.write(`${sql};\n`);
    });
  }

  async close() {
    const ended = new Promise((done) => this.process.on('exit', done));
    this.process.stdin.end();
    await ended;
  }
}
