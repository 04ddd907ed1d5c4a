// Agents with tools: a model server that others wrote (@copilotkit/aimock) asks for tools, a server of this file
// is the tool. What the tool saw, in which order, with which key; restarts and pauses in between.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import { Reader } from './lib/client.mjs';
import { Server } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

const mock = new LLMock({ port: 0, logLevel: 'silent' });
let server;
let demo;
let tool;
let shelf;
let seen = []; // what came to the tool: {path, key, body}
let answers = new Map(); // by path: a function of the response, to be called when the test says so

before(async () => {
  await mock.start();
  tool = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      seen.push({ path: req.url, key: req.headers['idempotency-key'], body });
      const answer = answers.get(req.url.split('?')[0]);
      if (answer) answer(res);
      else res.setHeader('content-type', 'application/json').end(JSON.stringify({ at: req.url }));
    });
  });
  await new Promise((done) => { tool.listen(0, '127.0.0.1', done); });
  shelf = `http://127.0.0.1:${tool.address().port}`;
  const args = ['--tool-allow', '127.0.0.1'];
  server = await new Server({ args, env: { OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'test', SLUICE_MODEL: 'gpt-4o' } }).start();
  demo = await new Server({ args }).start();
});
after(async () => {
  await server?.close();
  await demo?.close();
  await mock.stop();
  tool.closeAllConnections();
  tool.close();
});

const agent = (prompt, properties = {}, more = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['clerk'] },
    clerk: {
      type: 'agent',
      properties: {
        persona: 'You are a clerk.',
        prompt,
        tools: [
          { name: 'fetch', tool: 'http', arguments: { url: `${shelf}/{{ input.where }}` }, description: 'Reads the shelf', parameters: { type: 'object', properties: { query: { type: 'object' } } } },
          { name: 'look', tool: 'http', arguments: { url: `${shelf}/look` }, parameters: { type: 'object' } },
        ],
        ...properties,
      },
      next_ids: ['end'],
      ...more,
    },
    end: { type: 'end' },
  },
});
const call = (name, args, id) => ({ name, arguments: JSON.stringify(args), id });

async function finish(on, reader) {
  const end = await reader.ended();
  const log = await on.events(reader.id);
  checkLog(log, reader.id);
  checkReader(reader, log);
  checkMessages(log, reader.id);
  reader.close();
  return { end, log, session: (await on.get(`/sessions/${reader.id}`)).json };
}
async function run(on, graph, input = { where: 'shelf' }) {
  seen = [];
  return finish(on, new Reader(on, await on.execute(graph, input)));
}
const tools = (log) => log.filter((e) => e.type === 'tool_execution').map((e) => e.data);
const requests = (prompt) => mock.getRequests().filter((r) => JSON.stringify(r.body ?? '').includes(prompt)).map((r) => r.body);

test('two tools at once, and the model answers with what they gave', async () => {
  mock.on({ userMessage: 'both', hasToolResult: false }, { content: 'Let me see.', toolCalls: [call('fetch', { query: { page: '😀 2' } }, 'c1'), call('look', {}, 'c2')] }, { chunkSize: 3 });
  mock.on({ userMessage: 'both', hasToolResult: true }, { content: 'All is there.' });
  const { end, log, session } = await run(server, agent('both'));
  assert.equal(end.data.to, 'completed', JSON.stringify(session.error));
  assert.equal(session.output, 'All is there.');
  assert.equal(seen.length, 2);
  assert.deepEqual(seen.map((s) => decodeURIComponent(s.path)).sort(), ['/look', '/shelf?page=😀 2']);
  const events = tools(log);
  assert.deepEqual(events.map((e) => e.status).sort(), ['completed', 'completed', 'started', 'started']);
  for (const e of events) assert.ok(seen.some((s) => s.key?.includes(e.call_id)), `${e.call_id} is no key of ${JSON.stringify(seen)}`);
  const last = requests('both').at(-1).messages;
  assert.deepEqual(last.slice(-3).map((m) => [m.role, m.tool_call_id]), [['assistant', undefined], ['tool', 'c1'], ['tool', 'c2']]);
  assert.equal(last.at(-3).tool_calls[0].function.name, 'fetch');
  assert.match(last.at(-2).content, /shelf/);
  assert.deepEqual(log.filter((e) => e.type === 'message').map((e) => [e.data.content, e.data.finish_reason]), [['Let me see.', 'tool_calls'], ['All is there.', 'stop']]);
});

test('a tool that fails, and one that is not there, are told to the model', async () => {
  answers.set('/look', (res) => { res.statusCode = 404; res.end('nothing'); });
  mock.on({ userMessage: 'broken', hasToolResult: false }, { toolCalls: [call('look', {}, 'c1'), call('fly', {}, 'c2')] });
  mock.on({ userMessage: 'broken', hasToolResult: true }, { content: 'I give up.' });
  const { session } = await run(server, agent('broken', { tools: [{ name: 'look', tool: 'http', arguments: { url: `${shelf}/look`, fail_on_status: true }, parameters: { type: 'object' } }] }));
  answers.delete('/look');
  assert.equal(session.output, 'I give up.');
  const [first, second] = requests('broken').at(-1).messages.slice(-2);
  assert.match(first.content, /404/);
  assert.match(second.content, /There is no tool "fly"/);
});

test('rounds end: the last call offers no tools', async () => {
  mock.on({ userMessage: 'for ever', predicate: (r) => Boolean(r.tools) }, { toolCalls: [call('look', {}, 'c')] });
  mock.on({ userMessage: 'for ever', predicate: (r) => !r.tools }, { content: 'That is all.' });
  const { session } = await run(server, agent('for ever', { max_tool_rounds: 3 }));
  assert.equal(session.output, 'That is all.');
  assert.equal(seen.length, 3);
  assert.equal(new Set(seen.map((s) => s.key)).size, 3);
});

test('killed while a tool works: it is called again with the same key, the other is not', async () => {
  mock.on({ userMessage: 'killed', hasToolResult: false }, { toolCalls: [call('look', {}, 'c1'), call('fetch', {}, 'c2')] });
  mock.on({ userMessage: 'killed', hasToolResult: true }, { content: 'Twice is enough.' });
  let hung;
  answers.set('/look', (res) => { hung = res; });
  seen = [];
  const reader = new Reader(server, await server.execute(agent('killed'), { where: 'shelf' }), { reconnect: true });
  await reader.untilEvent('tool_execution', (e) => e.data.status === 'completed');
  await reader.until(() => hung, 20000, 'the call of the slow tool');
  await server.kill();
  answers.delete('/look');
  hung.destroy();
  await server.start();
  const { end, log, session } = await finish(server, reader);
  assert.equal(end.data.to, 'completed', JSON.stringify(session.error));
  assert.equal(session.output, 'Twice is enough.');
  assert.deepEqual(seen.map((s) => s.path).sort(), ['/look', '/look', '/shelf']);
  const looks = seen.filter((s) => s.path === '/look');
  assert.ok(looks[0].key && looks[0].key === looks[1].key);
  assert.equal(requests('killed').length, 2); // the model is not asked again for what it had said
  assert.equal(tools(log).filter((e) => e.status === 'completed').length, 2);
});

test('paused while a tool works: its answer waits for the resume', async () => {
  mock.on({ userMessage: 'paused', hasToolResult: false }, { toolCalls: [call('look', {}, 'c1')] });
  mock.on({ userMessage: 'paused', hasToolResult: true }, { content: 'Go on.' });
  let held;
  answers.set('/look', (res) => { held = res; });
  seen = [];
  const reader = new Reader(server, await server.execute(agent('paused'), { where: 'shelf' }));
  await reader.until(() => held, 20000, 'the call of the tool');
  const { json } = await server.post(`/sessions/${reader.id}/pause`);
  held.setHeader('content-type', 'application/json').end('{"late":true}');
  answers.delete('/look');
  assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
  const { log, session } = await finish(server, reader);
  assert.equal(session.output, 'Go on.');
  assert.equal(seen.length, 1);
  assert.ok(log.find((e) => e.type === 'tool_execution' && e.data.status === 'completed').seq > json.seq);
});

test('an answer that does not hold to its schema is asked for again', async () => {
  const schema = { type: 'object', required: ['score'], properties: { score: { type: 'integer' } } };
  mock.on({ userMessage: 'score it', sequenceIndex: 0 }, { content: 'I would say seven.' });
  mock.on({ userMessage: 'The answer is not JSON' }, { content: '```json\n{"score": 7}\n```' });
  const { end, log, session } = await run(server, {
    nodes: {
      start: { type: 'start', next_ids: ['ask'] },
      ask: { type: 'llm', properties: { prompt: 'score it', response_schema: schema }, next_ids: ['end'] },
      end: { type: 'end' },
    },
  });
  assert.equal(end.data.to, 'completed', JSON.stringify(session.error));
  assert.deepEqual(session.output, { score: 7 });
  assert.deepEqual(log.filter((e) => e.type === 'stream_reset').map((e) => e.data.reason), ['repair']);
  assert.equal(log.filter((e) => e.type === 'message').length, 1);
  assert.equal(log.filter((e) => e.type === 'token_usage').length, 2);
});

test('the demo provider calls what the prompt names', async () => {
  const { end, log, session } = await run(demo, agent('Use the tool look, then tell.'));
  assert.equal(end.data.to, 'completed', JSON.stringify(session.error));
  assert.match(session.output, /The tool said: .*look/);
  assert.deepEqual(tools(log).map((e) => [e.name, e.status]), [['look', 'started'], ['look', 'completed']]);
});

test('a tool node: its output, and its failure', async () => {
  const graph = (more) => ({
    nodes: {
      start: { type: 'start', next_ids: ['get'] },
      get: { type: 'tool', properties: { tool: 'http', arguments: { url: `${shelf}/{{ input.where }}`, ...more } }, next_ids: ['end'] },
      end: { type: 'end' },
    },
  });
  const { session, log } = await run(demo, graph({}));
  assert.equal(session.output.status, 200, JSON.stringify(session));
  assert.equal(tools(log).at(-1).status, 'completed');
  const bad = await run(demo, graph({ method: 'DANCE' }));
  assert.equal(bad.session.status, 'failed');
  assert.equal(bad.session.error.node_id, 'get');
  assert.equal(tools(bad.log).at(-1).status, 'failed');
});
