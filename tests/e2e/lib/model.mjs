// A model server in the OpenAI chat dialect, for what the page has to show: text at a set pace, thinking,
// hostile markup, refusal. What a call answers is chosen by words in its prompt.
import { createServer } from 'node:http';

const BODY = `Consider **three** things, in order:

1. The first is what everybody sees, and so it needs the fewest words.
2. The second is what it costs, \`0.2 ms\` at a time. 🌊
3. The third is what remains when both are gone.

> Nothing that was shown is ever lost.

That is all there is to say about it, and it was said in one breath.`;

const MARKUP = `Harmless: <img src=x onerror="document.title='owned'"> and <script>document.title='owned'</script>.

![a picture](http://example.com/x.png) and [a link](javascript:document.title='owned') and \`<b>code</b>\`.`;

export class Model {
  intervalMs = 8;
  /** Answers what it would refuse. */
  lenient = false;
  calls = 0;

  async start() {
    this.server = createServer((req, res) => {
      let raw = '';
      req.on('data', (d) => { raw += d; });
      req.on('end', () => void this.answer(JSON.parse(raw), res));
    });
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.server.address().port}/v1`;
    return this;
  }

  get env() { return { OPENAI_BASE_URL: this.url, OPENAI_API_KEY: 'test', SLUICE_MODEL: 'standin' }; }

  async answer(request, res) {
    const nth = ++this.calls;
    const prompt = request.messages.map((m) => (typeof m.content === 'string' ? m.content : JSON.stringify(m.content))).join('\n');
    if (prompt.includes('REFUSE') && !this.lenient) {
      res.writeHead(400, { 'content-type': 'application/json' });
      res.end('{"error":{"message":"this model does not speak of that","type":"invalid_request_error","code":"refused"}}');
      return;
    }
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (delta, finish_reason = null) => res.write(`data: ${JSON.stringify({
      id: `c${nth}`, object: 'chat.completion.chunk', created: 1, model: 'standin', choices: [{ index: 0, delta, finish_reason }],
    })}\n\n`);
    const pace = async (text, field) => {
      for (const piece of text.match(/[\s\S]{1,6}/gu)) {
        if (res.destroyed) return;
        await new Promise((r) => setTimeout(r, this.intervalMs));
        send({ [field]: piece });
      }
    };
    if (prompt.includes('THINK')) await pace('First I look at what is asked, then at what is not.', 'reasoning_content');
    const text = prompt.includes('MARKUP') ? MARKUP : `Answer ${nth}. ${BODY}`;
    await pace(text, 'content');
    send({}, 'stop');
    res.write(`data: ${JSON.stringify({ id: `c${nth}`, object: 'chat.completion.chunk', created: 1, model: 'standin', choices: [], usage: { prompt_tokens: 40, completion_tokens: 90, total_tokens: 130 } })}\n\n`);
    res.end('data: [DONE]\n\n');
  }

  close() {
    this.server.closeAllConnections?.();
    return new Promise((done) => this.server.close(done));
  }
}
