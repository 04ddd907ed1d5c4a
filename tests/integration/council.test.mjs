// The council from start to end: the template that makes a document better, with people who change
// it, a score that ends it, and a memory that the next session finds. On the demo provider, where
// memories are found by their words, and on a model with embeddings, where they are found by what
// they mean.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

const of = (log, type, node) => log.filter((e) => e.type === type && (!node || e.node_id === node));
const outputOf = (log, node) => of(log, 'node_state_change', node).filter((e) => e.data.to === 'completed').at(-1)?.data.output;

// A model that answers as a council would, and knows which texts are about the same thing.
class CouncilModel {
  asked = [];   // bodies of chat requests
  embedded = 0; // texts
  async start() {
    this.http = createServer((req, res) => {
      let text = '';
      req.on('data', (d) => { text += d; });
      req.on('end', () => {
        const body = JSON.parse(text);
        if (req.url === '/v1/embeddings') return this.embed(body, res);
        return this.chat(body, res);
      });
    });
    await new Promise((r) => { this.http.listen(0, '127.0.0.1', r); });
    this.url = `http://127.0.0.1:${this.http.address().port}/v1`;
    return this;
  }

  // Meanings have an axis each: what is about working hours lies near to what is about leisure.
  embed(body, res) {
    const meanings = [['hour', 'week', 'leisure', 'day off', 'working'], ['database', 'index', 'query'], ['bread', 'flour', 'bakery']];
    const texts = [body.input].flat();
    this.embedded += texts.length;
    const data = texts.map((t, index) => ({
      object: 'embedding',
      index,
      embedding: [...meanings.map((words) => words.filter((w) => t.toLowerCase().includes(w)).length), 0.1].concat(Array(12).fill(0)),
    }));
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ object: 'list', data, model: body.model, usage: { prompt_tokens: texts.length * 5, total_tokens: texts.length * 5 } }));
  }

  answer(body) {
    const asked = body.messages.map((m) => m.content).join('\n');
    const round = Number(asked.match(/Round (\d)/)?.[1] ?? 0);
    if (/strict, fair judge/.test(asked)) return JSON.stringify({ score: round === 1 ? 5 : 9, reason: round === 1 ? 'It names no date.' : 'Clear.' });
    if (/whole new document/.test(asked)) return `# Working hours\n\nVersion of the editor.${/names no date/.test(asked) ? ' From May on.' : ''}`;
    if (/so that the next one begins there/.test(asked)) return 'A date in the first line made it better.';
    return 'Say when it begins.';
  }

  chat(body, res) {
    this.asked.push(body);
    const words = this.answer(body).match(/\S+\s*/g);
    res.setHeader('content-type', 'text/event-stream');
    for (const content of words) res.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
    res.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`);
    res.write(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 100, completion_tokens: words.length } })}\n\n`);
    res.end('data: [DONE]\n\n');
  }

  systemsOf(agent) {
    return this.asked.map((b) => b.messages).filter((m) => m.some((x) => x.role === 'system' && agent.test(x.content)));
  }

  close() { this.http.closeAllConnections(); this.http.close(); }
}

async function template(server) {
  const list = await server.get('/templates');
  assert.equal(list.status, 200, list.text);
  const ids = ['business-plan-stress-test', 'code-review', 'council-debate', 'council-optimise', 'deep-debate', 'quick-decision'];
  assert.deepEqual(list.json.items.filter((t) => t.system).map((t) => t.id).sort(), ids);
  const r = await server.post('/templates/council-optimise/instantiate', { id: 'optimise' });
  assert.equal(r.status, 201, r.text);
  return r.json.id;
}

// One whole session: the first review changes the text, the second takes it as it is.
async function optimise(server, workflow, input) {
  const id = await server.execute(workflow, input);
  const reader = new Reader(server, id);
  const texts = [];
  for (let round = 1; round <= 2; round++) {
    const ask = await reader.until((r) => of(r.events, 'human_interaction_required')[round - 1], 60000, `review ${round}`);
    assert.equal(ask.data.kind, 'edit_content');
    const answer = round === 1
      ? { action: 'modify', data: { content: '# Working hours\n\nFrom May on we work four days a week.\n' }, reviewer: 'ann', interrupt_id: ask.data.interrupt_id }
      : { action: 'approve', reviewer: 'ann', interrupt_id: ask.data.interrupt_id };
    texts.push(round === 1 ? answer.data.content : ask.data.draft);
    const r = await server.post(`/sessions/${id}/nodes/review/resume`, answer);
    assert.equal(r.status, 200, r.text);
  }
  const end = await reader.ended();
  assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
  const log = await server.events(id);
  checkLog(log, id);
  checkReader(reader, log);
  checkMessages(log, id);
  reader.close();
  return { id, log, texts, output: end.data.output };
}

async function check(server, { id, log, texts, output }) {
  // Two rounds of debate, each with three voices, and a score that ended it.
  assert.equal(output.rounds, 2);
  assert.equal(output.exit_reason, 'exit_when');
  assert.equal(output.history.length, 2);
  assert.ok(output.history[0] < 8 && output.history[1] >= 8, JSON.stringify(output.history));
  for (const agent of ['affirmative', 'skeptic', 'analyst', 'moderator', 'editor']) {
    const said = of(log, 'message').filter((e) => e.data.agent_id === agent);
    assert.equal(said.length, agent === 'moderator' ? 3 : 2, agent);
    assert.ok(said.every((e) => e.data.content.length > 5));
  }
  // The file: as it was given, as it was changed, as it was taken.
  const history = await server.get(`/sessions/${id}/files/history?path=document.md`);
  assert.deepEqual(history.json.items.map((f) => [f.version, f.reason]).sort(), [[1, 'as it was given'], [2, 'round 1: modify'], [3, 'round 2: approve']]);
  for (const [i, text] of texts.entries()) {
    const r = await server.get(`/sessions/${id}/files/content?path=document.md&version=${i + 2}`);
    assert.equal(r.json.content.trim(), text.trim());
  }
  assert.equal(output.document.trim(), texts[1].trim());
  // What it cost is told, and adds up.
  const { json: session } = await server.get(`/sessions/${id}`);
  const { json: usage } = await server.get(`/sessions/${id}/usage`);
  const sum = (list, key) => list.reduce((a, x) => a + x[key], 0);
  assert.equal(usage.session.input_tokens, session.usage.input_tokens);
  assert.equal(sum(usage.nodes, 'output_tokens'), session.usage.output_tokens);
  assert.equal(sum(usage.nodes, 'calls'), of(log, 'token_usage').length);
}

// Starts a server with these settings; the folder goes when the test ends.
async function serve(t, settings) {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-council-'));
  const config = join(scratch, 'sluice.yaml');
  writeFileSync(config, settings.join('\n'));
  const server = await new Server({ args: ['--config', config] }).start();
  t.after(async () => {
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  });
  return server;
}

test('the council makes a document better on the demo provider, and remembers what it learnt', async (t) => {
  const server = await serve(t, ['providers: [{ id: demo, dialect: demo, tokens_per_s: 2000 }]', '']);
  const workflow = await template(server);
  const goal = 'An announcement of the four-day week that answers questions.';
  const first = await optimise(server, workflow, { goal, document: 'We will work less.\n' });
  await check(server, first);
  assert.deepEqual(outputOf(first.log, 'recall').items, []); // nobody knew anything yet

  // The server is gone and comes back; the second session finds what the first one learnt.
  await server.kill();
  await server.start();
  const second = await optimise(server, workflow, { goal, document: 'Soon we will work less.\n' });
  await check(server, second);
  const known = outputOf(second.log, 'recall').items;
  assert.ok(known.length >= 1);
  assert.match(known[0].content, /Learnt while writing for/);
  assert.equal(of(second.log, 'memory_retrieved', 'recall')[0].data.count, known.length);
});

test('every template runs as it comes, on nothing but its defaults', async (t) => {
  const server = await serve(t, ['providers: [{ id: demo, dialect: demo, tokens_per_s: 5000, seed: 7 }]', '']);
  const { json: { items } } = await server.get('/templates');
  for (const { id } of items.filter((x) => x.system)) {
    const made = await server.post(`/templates/${id}/instantiate`, { id: `my-${id}` });
    assert.equal(made.status, 201, made.text);
    const form = made.json.graph.input_schema.properties;
    const input = Object.fromEntries(Object.entries(form).filter(([, p]) => p.default !== undefined).map(([name, p]) => [name, p.default]));
    const session = await server.execute(`my-${id}`, input);
    const reader = new Reader(server, session);
    for (let answered = 0; ;) {
      const next = await reader.until((r) => of(r.events, 'human_interaction_required')[answered] ?? r.events.find((e) => e.type === 'session_state_change' && e.data.to !== 'running'), 60000, id);
      if (next.type === 'session_state_change') {
        assert.equal(next.data.to, 'completed', `${id}: ${JSON.stringify(next.data)}`);
        break;
      }
      const r = await server.post(`/sessions/${session}/nodes/${next.node_id}/resume`, { action: 'approve', interrupt_id: next.data.interrupt_id });
      assert.equal(r.status, 200, `${id}: ${r.text}`);
      answered++;
    }
    const failed = of(reader.events, 'node_state_change').filter((e) => e.data.to === 'failed');
    assert.deepEqual(failed.map((e) => [e.node_id, e.data.error]), [], id);
    reader.close();
  }
});

test('the council on a model with embeddings: agents as they are stored, and a memory by meaning', async (t) => {
  const model = await new CouncilModel().start();
  t.after(() => model.close());
  const server = await serve(t, [
    'providers:',
    `  - { id: main, dialect: openai, base_url: "${model.url}", models: [council-1] }`,
    'embedding: { provider: main, model: meaning-1, dimensions: 16 }',
    'prices:',
    '  - { provider: main, model: council-1, input: 3, output: 15 }',
    '',
  ]);
  const workflow = await template(server);
  const first = await optimise(server, workflow, { goal: 'Announce the new working hours.', document: 'We will work less.\n' });
  await check(server, first);
  assert.ok(model.embedded >= 2); // the question, and what was learnt
  assert.ok(model.systemsOf(/skeptic|sceptic/i).length >= 2, 'the stored persona is what the model hears');
  const { json: usage } = await server.get(`/sessions/${first.id}/usage`);
  const calls = of(first.log, 'token_usage');
  const micros = calls.reduce((a, e) => a + e.data.input_tokens * 3 + e.data.output_tokens * 15, 0);
  assert.equal(Math.round(usage.session.cost_usd * 1e6), micros);

  // Other words, the same meaning; and something else, which does not come up before it.
  await server.post('/memory/ingest', { group_id: 'council', content: 'A query without an index made the database slow.' });
  const second = await optimise(server, workflow, { goal: 'Tell everybody about more leisure and a day off.', document: 'Fridays are free.\n' });
  await check(server, second);
  const known = outputOf(second.log, 'recall').items;
  assert.match(known[0].content, /Announce the new working hours/);
  const editor = model.systemsOf(/editor/i).at(-1);
  assert.ok(JSON.stringify(editor).includes('A date in the first line made it better.'), 'what was learnt reaches the editor');
});
