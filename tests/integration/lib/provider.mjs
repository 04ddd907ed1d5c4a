// A provider of the openai dialect whose mood a test sets: `answer` gets each request and says
// {status, headers, body} or {text, cut (break off after it)}, or a promise of that.
import { createServer } from 'node:http';

const chunk = (delta, finish = null) =>
  `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const usage = (input, output) => `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: input, completion_tokens: output } })}\n\n`;

export const busy = (after) => ({ status: 429, headers: after === undefined ? {} : { 'retry-after': `${after}` }, body: { error: { message: 'not now' } } });

export class Provider {
  constructor(answer) {
    this.answer = answer;
    this.requests = []; // {prompt, model, authorization, at, status}
    this.active = 0;
    this.most = 0; // at once, of those that were served
    this.waiters = [];
  }
  async start() {
    this.http = createServer((req, res) => this.take(req, res));
    await new Promise((done) => this.http.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.http.address().port}/v1`;
    return this;
  }
  async take(req, res) {
    let body = '';
    for await (const d of req) body += d;
    const { messages, model } = JSON.parse(body);
    const request = { prompt: messages.at(-1).content, model, authorization: req.headers.authorization, at: performance.now() };
    this.requests.push(request);
    this.active++;
    const said = await this.answer(request, this);
    request.status = said.status ?? 200;
    if (said.status) {
      res.writeHead(said.status, { 'content-type': 'application/json', ...said.headers }).end(JSON.stringify(said.body ?? {}));
    } else {
      this.most = Math.max(this.most, this.active);
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(chunk({ content: said.text }));
      if (said.cut) setImmediate(() => res.destroy());
      else res.end(`${chunk({}, 'stop')}${usage(said.input ?? 10, said.output ?? 5)}data: [DONE]\n\n`);
    }
    this.active--;
    this.waiters.splice(0).forEach((w) => w());
  }
  served() { return this.requests.filter((r) => r.status === 200); }
  async until(what) {
    while (!what(this)) await new Promise((done) => this.waiters.push(done));
  }
  close() { this.http.closeAllConnections(); this.http.close(); }
}
