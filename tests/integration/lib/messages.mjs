// A stand-in for a server of dialect anthropic: it keeps every request, and answers with the events that
// the test gives for it.
import { createServer } from 'node:http';

const event = (o) => `event: ${o.type}\ndata: ${JSON.stringify(o)}\n\n`;

// The parts of an answer, as events. blocks: {text}, {thinking}, {tool, id, json}; texts and JSON come in
// pieces of a few characters, and blocks by turns.
export function messageEvents(blocks, { stop = 'end_turn', usage = true, model = 'claude-stand-in', piece = 4 } = {}) {
  const counted = (o) => (usage ? { usage: o } : {});
  const events = [
    { type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', model, content: [], stop_reason: null, ...counted({ input_tokens: 20, cache_read_input_tokens: 5, output_tokens: 1 }) } },
    { type: 'ping' },
  ];
  const pieces = blocks.map((b, index) => {
    const whole = b.text ?? b.thinking ?? b.json;
    const delta = (s) => (b.text !== undefined ? { type: 'text_delta', text: s } : b.thinking !== undefined ? { type: 'thinking_delta', thinking: s } : { type: 'input_json_delta', partial_json: s });
    const start = b.text !== undefined ? { type: 'text', text: '' } : b.thinking !== undefined ? { type: 'thinking', thinking: '', signature: '' } : { type: 'tool_use', id: b.id, name: b.tool, input: {} };
    events.push({ type: 'content_block_start', index, content_block: start });
    const list = [];
    for (let at = 0; at < whole.length; at += piece) list.push({ type: 'content_block_delta', index, delta: delta(whole.slice(at, at + piece)) });
    if (b.thinking !== undefined) list.push({ type: 'content_block_delta', index, delta: { type: 'signature_delta', signature: 'c2ln' } });
    return list;
  });
  while (pieces.some((l) => l.length)) pieces.forEach((l) => l.length && events.push(l.shift()));
  blocks.forEach((_, index) => events.push({ type: 'content_block_stop', index }));
  events.push({ type: 'message_delta', delta: { stop_reason: stop, stop_sequence: null }, ...counted({ output_tokens: 9 }) });
  events.push({ type: 'message_stop' });
  return events;
}

// answer(request, index): a list of events; or a function of the response, for one that misbehaves.
export async function messagesServer(answer) {
  const requests = [];
  const http = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      const request = { path: req.url, headers: req.headers, body: JSON.parse(body) };
      requests.push(request);
      const events = answer(request, requests.length - 1);
      if (typeof events === 'function') {
        events(res);
        return;
      }
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      res.end(events.map(event).join(''));
    });
  });
  await new Promise((done) => { http.listen(0, '127.0.0.1', done); });
  return {
    requests,
    event,
    url: `http://127.0.0.1:${http.address().port}/v1`,
    close() { http.closeAllConnections(); http.close(); },
  };
}
