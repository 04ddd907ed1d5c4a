// A long session to watch: hundreds of short messages that come at once, then one that streams at a set pace.
import { Model } from './model.mjs';

const SHORT = ['Point {n}: **what was measured** holds, ', 'and it was measured twice.\n\n', '- first beside a blank page,\n', '- then beside itself ',
  'an hour later, ', 'with `{n}` rows.\n\n', 'Nothing else ', 'has changed, ', 'as far as ', 'anybody ', 'can tell ', 'from here.'];

const WORDS = ['water', 'gate', 'measure', 'quiet', 'twelve', 'river', 'council', 'argues', 'against', 'under', 'slowly', 'because', 'harbour', 'first', 'second',
  'paper', 'light', 'between', 'nothing', 'every', 'stone', 'answer', 'turns', 'open', 'winter', 'morning', 'without', 'letter', 'north', 'carries'];

/** Text of every kind, never the same: a server stops what repeats itself. */
function* text() {
  let seed = 7;
  const word = () => WORDS[((seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 16) % WORDS.length];
  const some = (n) => Array.from({ length: n }, word).join(' ');
  for (let part = 1; ; part++) {
    yield `## ${some(3)} ${part}\n\n${some(14)} **${some(2)}** ${some(20)}, *${some(2)}* and \`${some(1)}\`, [${some(2)}](https://example.org/${part}).\n\n`;
    yield `1. ${some(9)},\n2. ${some(12)},\n3. ${some(6)}.\n\n> ${some(11)}.\n\n`;
    yield `\`\`\`js\nconst ${word()} = ${part};\nfor (let i = 0; i < ${part}; i++) console.log('${some(3)}', i);\n\`\`\`\n\n`;
    yield `| ${word()} | ${word()} |\n|---|---|\n| ${some(3)} | ${part} |\n| ${some(2)} | ${some(4)} |\n\n${some(40)}.\n\n`;
  }
}

export class Flood extends Model {
  tokensPerSecond = 200;
  /** Of a message that streams, in tokens. */
  length = 1_500;
  sent = 0;
  stopped = false;
  #text = text();

  async answer(request, res) {
    const nth = ++this.calls;
    const long = JSON.stringify(request.messages).includes('STREAM');
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const line = (delta, finish_reason = null) => `data: ${JSON.stringify({
      id: `c${nth}`, object: 'chat.completion.chunk', created: 1, model: 'standin', choices: [{ index: 0, delta, finish_reason }],
    })}\n\n`;
    if (long) await this.stream(res, line);
    else {
      for (const piece of SHORT.flatMap((p) => p.match(/[\s\S]{1,9}/gu))) {
        res.write(line({ content: piece.replaceAll('{n}', nth) }));
        // What arrives together becomes one event; a word is one.
        await new Promise((r) => setTimeout(r, 2));
      }
    }
    res.write(line({}, 'stop'));
    res.end('data: [DONE]\n\n');
  }

  async stream(res, line) {
    const began = performance.now();
    let pieces = [];
    for (let sent = 0; !res.destroyed && sent < this.length && !this.stopped;) {
      // A timer that is late makes up for it: the pace is what is measured against.
      let due = Math.floor(((performance.now() - began) / 1000) * this.tokensPerSecond) - sent;
      let out = '';
      for (; due > 0; due--, sent++, this.sent++) {
        if (!pieces.length) pieces = this.#text.next().value.match(/[\s\S]{1,5}/gu);
        out += line({ content: pieces.shift() });
      }
      if (out) res.write(out);
      await new Promise((r) => setTimeout(r, 5));
    }
  }
}

/** `items` short messages, then one after the other that streams. */
export const flood = {
  id: 'flood', name: 'A long session', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['each'] },
    each: { type: 'map', name: 'Each', properties: { items: 'input.items', body: ['point'], max_concurrent: 16 }, next_ids: ['talk'] },
    point: { type: 'llm', name: 'Point', properties: { prompt: 'Say it.' } },
    talk: { type: 'map', name: 'Talk', properties: { items: 'input.talk', body: ['stream'], max_concurrent: 1 }, next_ids: ['end'] },
    stream: { type: 'llm', name: 'Speaker', properties: { prompt: 'STREAM now' } },
    end: { type: 'end' },
  },
};

/** Starts it, and waits until the short messages are there and the long one streams. */
export async function startFlood(server, items) {
  const { session_id: id } = await server.request('POST', '/workflows/execute', {
    workflow_id: 'flood', input: { items: Array.from({ length: items }, (_, i) => i), talk: Array.from({ length: 200 }, (_, i) => i) },
  });
  for (;;) {
    const session = await server.get(`/sessions/${id}`);
    if (session.node_statuses?.stream === 'running') return id;
    if (session.status !== 'running' && session.status !== 'pending') throw new Error(`the session is ${session.status}: ${JSON.stringify(session.error)}`);
    await new Promise((r) => setTimeout(r, 100));
  }
}
