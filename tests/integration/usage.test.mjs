// What model calls used, to the last digit: a model of odd prices keeps its own log of what it told, and
// the session, its events, /sessions/{id}/usage and the statistics by day must all be the sum of it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { holdsGet as holds } from './lib/contract.mjs';
import { Server } from './lib/server.mjs';

// Dollars for a million tokens, as the settings have them, and micro-dollars for our own sums.
const prices = { 'odd-a': [0.137, 2.911], 'odd-b': [1.999, 0.003], 'odd-c': [3.333333, 0.7] };
const micros = (model, input, output) => {
  const [i, o] = prices[model].map((p) => BigInt(Math.round(p * 1e6)));
  return (BigInt(input) * i + BigInt(output) * o + 500000n) / 1000000n;
};
const toMicros = (usd) => BigInt(Math.round(usd * 1e6));

// Speaks the wire. What it is to do stands in the prompt: [[cut]] drops the connection in mid-answer the
// first time, [[wrong]] answers no JSON the first time, [[hold]] waits after its first words.
class Model {
  told = []; // {model, input, output} of every answer that was told to its end
  seen = new Map();
  held = [];
  dice = 12345;
  next(n) { this.dice = (this.dice * 1103515245 + 12345) % 2147483648; return 1 + (this.dice % n); }
  async start() {
    this.http = createServer((req, res) => {
      let body = '';
      req.on('data', (d) => { body += d; }).on('end', () => this.answer(JSON.parse(body), res));
    });
    await new Promise((done) => this.http.listen(0, '127.0.0.1', done));
    return this;
  }
  get env() { return { OPENAI_BASE_URL: `http://127.0.0.1:${this.http.address().port}/v1`, OPENAI_API_KEY: 'k', SLUICE_MODEL: 'odd-a' }; }
  async answer(request, res) {
    const prompt = JSON.stringify(request.messages);
    const times = (this.seen.get(prompt) ?? 0) + 1;
    this.seen.set(prompt, times);
    const say = (o) => res.write(`data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', model: request.model, ...o })}\n\n`);
    const words = (content) => say({ choices: [{ index: 0, delta: { content } }] });
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    if (prompt.includes('[[cut]]') && times === 1) {
      words('half of it');
      setTimeout(() => res.destroy(), 50);
      return;
    }
    if (prompt.includes('[[hold]]') && !this.released) {
      words('the first words');
      await new Promise((go) => this.held.push(go));
      res.destroy(); // who asked has been killed meanwhile
      return;
    }
    if (prompt.includes('[[think]]')) for (const part of ['Let me ', 'think… ']) say({ choices: [{ index: 0, delta: { reasoning_content: part } }] });
    if (prompt.includes('[[ask]]') && !prompt.includes('"tool"')) {
      words('I shall look.');
      say({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'write_file', arguments: '{"path":"a.md","content":"x"}' } }] } }] });
      say({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] });
      say({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } });
      res.end('data: [DONE]\n\n');
      return;
    }
    const wrong = prompt.includes('[[wrong]]') && !prompt.includes('Answer again');
    words(prompt.includes('response_schema') || prompt.includes('[[wrong]]') ? (wrong ? 'no JSON' : '{"n": 1}') : 'an answer');
    const usage = { prompt_tokens: this.next(99991), completion_tokens: this.next(7919) };
    say({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
    say({ choices: [], usage });
    res.end('data: [DONE]\n\n');
    this.told.push({ model: request.model, input: usage.prompt_tokens, output: usage.completion_tokens });
  }
  release() { this.released = true; for (const go of this.held.splice(0)) go(); }
  sum(from = 0) {
    const all = this.told.slice(from);
    return {
      calls: all.length,
      input: all.reduce((n, c) => n + c.input, 0),
      output: all.reduce((n, c) => n + c.output, 0),
      micros: all.reduce((n, c) => n + micros(c.model, c.input, c.output), 0n),
    };
  }
}

let server, model;
const folder = mkdtempSync(join(tmpdir(), 'sluice-usage-'));
before(async () => {
  model = await new Model().start();
  const file = join(folder, 'sluice.yaml');
  writeFileSync(file, `prices:\n${Object.entries(prices).map(([m, [i, o]]) => `  - {model: ${m}, input: ${i}, output: ${o}}\n`).join('')}`);
  server = await new Server({ env: model.env, args: ['--config', file] }).start();
});
after(async () => {
  model?.release();
  await server?.close();
  model?.http.closeAllConnections();
  model?.http.close();
  rmSync(folder, { recursive: true });
});

const llm = (prompt, next, more = {}, node = {}) => ({ type: 'llm', properties: { prompt, ...more }, next_ids: [next], ...node });
// Three rounds of two branches at once, one of which is cut and tried again, and of one that is repaired.
const council = {
  nodes: {
    start: { type: 'start', next_ids: ['rounds'] },
    rounds: { type: 'loop', properties: { max_rounds: 3 }, next_ids: ['panel', 'end'] },
    panel: { type: 'parallel', next_ids: ['pro', 'con'] },
    pro: llm('Round {{ loop.round }} pro', 'judge', { model: 'odd-a' }),
    con: { type: 'agent', properties: { agent_id: 'negative', agent: { persona: 'You are against it.' }, model: 'odd-b', prompt: 'Round {{ loop.round }} con [[cut]]' }, retry: { max_attempts: 3, initial_ms: 1 }, next_ids: ['judge'] },
    judge: llm('Round {{ loop.round }} judge [[wrong]]', 'rounds', { model: 'odd-c', response_schema: { type: 'object', required: ['n'] } }),
    end: { type: 'end' },
  },
};

const estimates = (log) => log.filter((e) => e.type === 'token_usage' && e.data.estimated).map((e) => e.data);

test('loops, retries, repairs and parallel calls add up to the last digit', async () => {
  const group = `odd-${Date.now()}`;
  const id = await server.execute(council, {}, { group_id: group });
  const reader = new Reader(server, id);
  assert.equal((await reader.ended()).data.to, 'completed');
  const log = await server.events(id);

  // What the model told, and what had to be estimated for the three that it cut.
  const told = model.sum(0);
  assert.equal(told.calls, 3 * (1 + 1 + 2));
  const cut = estimates(log);
  assert.equal(cut.length, 3);
  for (const u of cut) assert.equal(toMicros(u.cost_usd), micros('odd-b', u.input_tokens, u.output_tokens));
  const total = {
    calls: told.calls + cut.length,
    input: told.input + cut.reduce((n, u) => n + u.input_tokens, 0),
    output: told.output + cut.reduce((n, u) => n + u.output_tokens, 0),
    micros: told.micros + cut.reduce((n, u) => n + toMicros(u.cost_usd), 0n),
  };

  const session = (await server.get(`/sessions/${id}`)).json;
  const last = log.filter((e) => e.type === 'token_usage').at(-1).data.session;
  for (const usage of [session.usage, last]) {
    assert.equal(usage.input_tokens, total.input);
    assert.equal(usage.output_tokens, total.output);
    assert.equal(toMicros(usage.cost_usd), total.micros);
    assert.equal(usage.estimated_calls, 3);
  }

  const usage = (await server.get(`/sessions/${id}/usage`)).json;
  holds('/sessions/{id}/usage', usage);
  assert.deepEqual(usage.session, {
    input_tokens: total.input, output_tokens: total.output, total_tokens: total.input + total.output,
    cost_usd: session.usage.cost_usd, calls: total.calls, unpriced_calls: 0, estimated_calls: 3,
  });
  for (const parts of [usage.nodes, usage.models]) {
    assert.equal(parts.reduce((n, p) => n + toMicros(p.cost_usd), 0n), total.micros);
    assert.equal(parts.reduce((n, p) => n + p.calls, 0), total.calls);
  }
  assert.deepEqual(usage.nodes.map((p) => [p.node_id, p.calls]), [['con', 6], ['judge', 6], ['pro', 3]]);
  assert.deepEqual(usage.agents.map((p) => [p.agent_id, p.calls]), [['negative', 6]]);
  assert.deepEqual(usage.models.map((p) => p.model).sort(), ['odd-a', 'odd-b', 'odd-c']);
  for (const m of usage.models) {
    const calls = [...model.told.filter((c) => c.model === m.model),
      ...cut.filter((u) => u.model === m.model).map((u) => ({ input: u.input_tokens, output: u.output_tokens }))];
    assert.equal(toMicros(m.cost_usd), calls.reduce((n, c) => n + micros(m.model, c.input, c.output), 0n), m.model);
  }
  assert.deepEqual(usage.children, []);

  const days = (await server.get(`/usage?group_id=${group}&by=day,model`)).json;
  holds('/usage', days);
  assert.equal(days.items.reduce((n, p) => n + toMicros(p.cost_usd), 0n), total.micros);
  assert.equal(toMicros(days.total.cost_usd), total.micros);
  assert.equal(days.truncated, false);
  for (const row of days.items) assert.match(row.day, /^\d{4}-\d\d-\d\d$/);
  reader.close();
});

test('the total after kill -9 is still the sum', async () => {
  const from = model.told.length;
  const id = await server.execute({
    nodes: {
      start: { type: 'start', next_ids: ['one'] },
      one: llm('first', 'two', { model: 'odd-c' }),
      two: llm('second [[hold]]', 'three', { model: 'odd-b' }),
      three: llm('third', 'end', { model: 'odd-a' }),
      end: { type: 'end' },
    },
  });
  const reader = new Reader(server, id, { reconnect: true });
  await reader.untilEvent('token_stream', (e) => e.node_id === 'two');
  await server.kill();
  model.release();
  await server.start();
  assert.equal((await reader.ended()).data.to, 'completed');
  const told = model.sum(from);
  assert.equal(told.calls, 3);
  const log = await server.events(id);
  const cut = estimates(log).reduce((n, u) => n + micros(u.model, u.input_tokens, u.output_tokens), 0n);
  const usage = (await server.get(`/sessions/${id}/usage`)).json;
  assert.equal(toMicros(usage.session.cost_usd), told.micros + cut);
  assert.equal(usage.session.calls, 3 + estimates(log).length);
  assert.equal((await server.get(`/sessions/${id}`)).json.usage.cost_usd, usage.session.cost_usd);
  reader.close();
});

test('what is asked for wrongly is refused, and a session without calls has used nothing', async () => {
  assert.equal((await server.get('/usage?by=moon')).status, 400);
  assert.equal((await server.get('/usage?by=')).status, 200);
  assert.equal((await server.get('/usage?from=yesterday')).status, 400);
  assert.equal((await server.get('/usage?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z')).status, 400);
  const none = (await server.get('/usage?until=2020-01-01T00:00:00Z&by=day,group,node,agent,model')).json;
  assert.deepEqual(none.items, []);
  assert.equal(none.total.cost_usd, 0);
  assert.equal((await server.get('/sessions/019b76da-a800-7241-b487-deb7ede455a1/usage')).status, 404);
  const id = await server.execute({ nodes: { start: { type: 'start', next_ids: ['end'] }, end: { type: 'end' } } });
  const usage = (await server.get(`/sessions/${id}/usage`)).json;
  holds('/sessions/{id}/usage', usage);
  assert.equal(usage.session.calls, 0);
  assert.equal(usage.session.cost_usd, 0);
});

test('messages keep thinking and tool calls apart, and are listed by node, agent and role', async () => {
  const id = await server.execute({
    nodes: {
      start: { type: 'start', next_ids: ['one'] },
      one: llm('A [[think]]', 'two'),
      two: { type: 'agent', properties: { agent_id: 'editor', agent: { persona: 'You edit.' }, prompt: 'B [[think]][[ask]]', tools: ['write_file'] }, next_ids: ['end'] },
      end: { type: 'end' },
    },
  });
  const reader = new Reader(server, id);
  assert.equal((await reader.ended()).data.to, 'completed');
  const all = (await server.get(`/sessions/${id}/messages`)).json;
  holds('/sessions/{id}/messages', all);
  const thought = { type: 'thinking', text: 'Let me think… ' };
  assert.deepEqual(all.items.map((m) => m.parts), [
    [thought, { type: 'text', text: 'an answer' }],
    [thought, { type: 'text', text: 'I shall look.' }, { type: 'tool_call', id: 'c1', name: 'write_file', arguments: { path: 'a.md', content: 'x' } }],
    [thought, { type: 'text', text: 'an answer' }],
  ]);
  for (const m of all.items) assert.equal(m.thinking, thought.text);
  const count = async (query) => (await server.get(`/sessions/${id}/messages?${query}`)).json.items.length;
  assert.deepEqual(await Promise.all(['node_id=two', 'agent_id=editor', 'role=assistant', 'role=user', 'node_id=one&agent_id=editor'].map(count)), [2, 2, 3, 0, 0]);
  const first = (await server.get(`/sessions/${id}/messages?node_id=two&limit=1`)).json;
  const second = (await server.get(`/sessions/${id}/messages?node_id=two&limit=1&cursor=${first.next_cursor}`)).json;
  assert.deepEqual([...first.items, ...second.items], all.items.slice(1));
  assert.equal(second.next_cursor, null);
  reader.close();
});

test('a child session is apart: the parent tells of its totals', async () => {
  const kid = `kid-${Date.now()}`;
  const made = await server.post('/workflows', { id: kid, nodes: { start: { type: 'start', next_ids: ['one'] }, one: llm('of a child', 'end', { model: 'odd-b' }), end: { type: 'end' } } });
  assert.equal(made.status, 201, made.text);
  const from = model.told.length;
  const id = await server.execute({ nodes: { start: { type: 'start', next_ids: ['sub'] }, sub: { type: 'subworkflow', properties: { workflow_id: kid, input: { x: '1' } }, next_ids: ['end'] }, end: { type: 'end' } } });
  const reader = new Reader(server, id);
  assert.equal((await reader.ended()).data.to, 'completed');
  const usage = (await server.get(`/sessions/${id}/usage`)).json;
  holds('/sessions/{id}/usage', usage);
  assert.equal(usage.session.calls, 0);
  assert.equal(usage.children.length, 1);
  assert.equal(usage.children[0].status, 'completed');
  assert.equal(toMicros(usage.children[0].cost_usd), model.sum(from).micros);
  const own = (await server.get(`/sessions/${usage.children[0].session_id}/usage`)).json;
  assert.equal(own.session.cost_usd, usage.children[0].cost_usd);
  reader.close();
});
