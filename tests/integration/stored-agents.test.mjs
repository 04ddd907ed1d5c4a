// Stored agents and groups in sessions, and people who say something meanwhile: what the model is sent, seen from
// a model server of this file, over kills of ours.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { holds, holdsAnswer } from './lib/contract.mjs';
import { Server } from './lib/server.mjs';

// Answers when the test says so.
const asked = []; // {request, say(text), call(name, arguments)}, in the order in which they came
const waiting = [];
const seen = []; // by the tool
let model, server;
const chunk = (delta, finish) =>
  `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
before(async () => {
  model = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      if (req.url === '/tool') {
        seen.push(req.headers.authorization);
        res.writeHead(200, { 'content-type': 'application/json' }).end('"fine"');
        return;
      }
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      asked.push({
        request: JSON.parse(body),
        call: (name, args) => res.end(`${chunk({ tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name, arguments: JSON.stringify(args) } }] }, null)}${chunk({}, 'tool_calls')}data: [DONE]\n\n`),
        say: (text) => res.end(`${chunk({ content: text }, null)}${chunk({}, 'stop')}data: [DONE]\n\n`),
      });
      waiting.splice(0).forEach((w) => w());
    });
  });
  await new Promise((done) => { model.listen(0, '127.0.0.1', done); });
  const env = { OPENAI_BASE_URL: `http://127.0.0.1:${model.address().port}/v1`, OPENAI_API_KEY: 'test', SLUICE_MODEL: 'm', SLUICE_SECRET_TOKEN: 'opensesame' };
  server = await new Server({ env, args: ['--tool-allow', '127.0.0.1'] }).start();
});
after(async () => {
  await server?.close();
  model.closeAllConnections();
  model.close();
});

// The next request that no test has looked at.
let looked = 0;
async function nextAsked() {
  const end = Date.now() + 20000;
  while (asked.length <= looked) {
    assert.ok(Date.now() < end, `the model was asked; sessions: ${(await server.get('/sessions?limit=1')).text}`);
    await Promise.race([new Promise((done) => { waiting.push(done); }), new Promise((done) => { setTimeout(done, 1000).unref(); })]);
  }
  return asked[looked++];
}
const put = async (path, body) => {
  const r = await server.request('PUT', path, body);
  assert.ok([200, 201].includes(r.status), r.text);
};
const messagesOf = (a) => a.request.messages.map((m) => `${m.role}: ${m.content}`);
const chain = (...nodes) => Object.fromEntries([['start', { type: 'start' }], ...nodes, ['end', { type: 'end' }]]
  .map(([id, n], i, all) => [id, i + 1 < all.length ? { ...n, next_ids: [all[i + 1][0]] } : n]));
const agent = (id, properties = {}) => [id, { type: 'agent', properties: { agent_id: id, prompt: 'On {{ input.topic }}.', ...properties } }];

test('a stored agent speaks in its group, and stays who it was over a kill', async () => {
  await put('/groups/reviewers', { name: 'Reviewers', system_prompt: 'We review plans.' });
  await put('/agents/ada', { name: 'Ada', persona: 'You are careful.', model: 'm7', temperature: 0.25 });
  const id = await server.execute({ nodes: chain(agent('ada'), ['again', { type: 'agent', properties: { agent_id: 'ada', prompt: 'And now?', temperature: 0.5 } }]) },
    { topic: 'Cats' }, { group_id: 'reviewers' });
  const first = await nextAsked();
  const persona = 'system: ## The group\n\nWe review plans.\n\n## Who you are\n\nYou are careful.';
  assert.deepEqual(messagesOf(first), [persona, 'user: On Cats.']);
  assert.equal(first.request.model, 'm7');
  assert.equal(first.request.temperature, 0.25);
  await put('/agents/ada', { name: 'Ada', persona: 'You are bold.' });
  await server.kill();
  await server.start();
  const repeated = await nextAsked();
  assert.deepEqual(messagesOf(repeated), [persona, 'user: On Cats.']);
  const reader = new Reader(server, id);
  repeated.say('Careful words.');
  const second = await nextAsked();
  assert.deepEqual(messagesOf(second), ['system: ## The group\n\nWe review plans.\n\n## Who you are\n\nYou are bold.', 'user: And now?']);
  assert.equal(second.request.model, 'm');
  assert.equal(second.request.temperature, 0.5);
  second.say('Bold words.');
  await reader.until((r) => r.done);
  reader.close();
  const events = await server.events(id);
  const said = events.filter((e) => e.type === 'message');
  assert.deepEqual(said.map((e) => [e.data.agent_id, e.data.content]), [['ada', 'Careful words.'], ['ada', 'Bold words.']]);
  assert.ok(events.filter((e) => e.type === 'token_stream').every((e) => e.data.agent_id === 'ada'));
  assert.equal(events.filter((e) => e.type === 'tool_execution').length, 0);
});

test('what group and agent remember goes into the prompt', async () => {
  await put('/groups/rememberers', { name: 'R', system_prompt: 'We remember.' });
  await put('/agents/mia', { name: 'Mia', persona: 'You are Mia.', memory: { group_results: 1 } });
  const remember = async (content, agent_id) => {
    const r = await server.post('/memory/ingest', { group_id: 'rememberers', content, ...(agent_id ? { agent_id } : {}) });
    assert.ok([200, 201].includes(r.status), r.text);
  };
  await remember('Cats purr when the plan is good.');
  await remember('Nothing about anything.');
  await remember('Cats like Mia.', 'mia');
  await remember('Cats like Max.', 'max');
  const id = await server.execute({ nodes: chain(agent('mia')) }, { topic: 'Cats purr' }, { group_id: 'rememberers' });
  const { request, say } = await nextAsked();
  const [system, user] = request.messages;
  assert.equal(system.content.replaceAll(/\(\d{4}-\d\d-\d\d\)/g, '(day)'), [
    '## The group', 'We remember.', '## Who you are', 'You are Mia.', '## What the group remembers', '- (day) Cats purr when the plan is good.',
    '## What you remember', '- (day) Cats like Mia.'].join('\n\n'));
  assert.equal(user.content, 'On Cats purr.');
  const reader = new Reader(server, id);
  say('Purr.');
  await reader.until((r) => r.done);
  reader.close();
  const events = await server.events(id);
  events.forEach((e) => holds(`asyncapi#/components/schemas/event_data/properties/${e.type}`, e.data));
  const told = events.filter((e) => e.type === 'memory_retrieved');
  assert.deepEqual(told.map((e) => [e.node_id, e.data.count]), [['mia', 2]]);
});

test('tools of a stored agent are its own, and take their secret where its author says', async () => {
  const url = `http://127.0.0.1:${model.address().port}/tool`;
  const headers = { Authorization: 'Bearer {{ secret.TOKEN }}' };
  await put('/agents/clerk', { name: 'Clerk', persona: 'You file.', max_tool_rounds: 2, tools: [
    { name: 'file', tool: 'http', arguments: { url, headers }, parameters: { type: 'object' } },
    { name: 'any', tool: 'http', arguments: { headers }, parameters: { type: 'object' } }] });
  const id = await server.execute({ nodes: chain(agent('clerk')) }, { topic: 'Cats' });
  const first = await nextAsked();
  assert.deepEqual(first.request.tools.map((t) => t.function.name), ['file', 'any']);
  first.call('file', { body: 'x' });
  const second = await nextAsked();
  assert.match(second.request.messages.at(-1).content, /fine/);
  second.call('any', { url });
  const third = await nextAsked();
  assert.equal(third.request.tools, undefined); // its two rounds are over
  const reader = new Reader(server, id);
  third.say('Filed.');
  await reader.until((r) => r.done);
  reader.close();
  assert.deepEqual(seen, ['Bearer opensesame']); // not where the model says
  assert.match(third.request.messages.at(-1).content, /^The tool failed/);
  assert.ok(!JSON.stringify(await server.events(id)).includes('opensesame'));
});

test('whoever nobody knows is told before anything runs', async () => {
  const vote = ['v', { type: 'vote', properties: { voters: ['ada', 'bob', { name: 'eve' }] } }];
  const before_ = (await server.get('/sessions')).json.items.length;
  const r = await server.post('/workflows/execute', { graph: { nodes: chain(agent('zoe'), vote) }, input: {} });
  assert.equal(r.status, 422, r.text);
  assert.equal(r.json.code, 'unknown_agent');
  holdsAnswer('/workflows/execute', 'post', r);
  r.json.details.errors.forEach((e) => holds('openapi#/components/schemas/Issue', e));
  assert.deepEqual(r.json.details.errors.map(({ node_id, agent_id, path, code }) => ({ node_id, agent_id, path, code })), [
    { node_id: 'zoe', agent_id: 'zoe', path: 'nodes.zoe.properties.agent_id', code: 'unknown_agent' },
    { node_id: 'v', agent_id: 'bob', path: 'nodes.v.properties.voters', code: 'unknown_agent' },
  ]);
  assert.equal((await server.get('/sessions')).json.items.length, before_);
  const validated = await server.post('/workflows/validate', { nodes: chain(agent('zoe')) });
  const verdict = holdsAnswer('/workflows/validate', 'post', validated).json;
  assert.equal(verdict.valid, true);
  assert.deepEqual(verdict.warnings.map((w) => [w.node_id, w.code]), [['zoe', 'unknown_agent']]);
});

test('a child whose agent is gone fails clearly, and its parent with it', async () => {
  await put('/agents/gone', { name: 'Gone', persona: 'P' });
  await put('/workflows/inner', { nodes: chain(agent('gone')) });
  const graph = { nodes: chain(['ask', { type: 'human_review', properties: {} }], ['child', { type: 'subworkflow', properties: { workflow_id: 'inner', input: { topic: 'input.topic' } } }]) };
  const id = await server.execute(graph, { topic: 'Cats' });
  assert.equal((await server.request('DELETE', '/agents/gone?detach=true')).status, 204);
  const reader = new Reader(server, id);
  await reader.until((r) => r.events.some((e) => e.type === 'human_interaction_required'));
  assert.equal((await server.post(`/sessions/${id}/nodes/ask/resume`, { action: 'approve' })).status, 200);
  await reader.until((r) => r.done);
  reader.close();
  const session = (await server.get(`/sessions/${id}`)).json;
  assert.equal(session.status, 'failed');
  assert.match(session.error.message, /There is no agent "gone"/);
});

test('what is said meanwhile is heard by the next that speak, once, over a kill', async () => {
  const llm = (prompt) => ({ type: 'llm', properties: { prompt } });
  const nodes = {
    start: { type: 'start', next_ids: ['one'] },
    one: { ...llm('One.'), next_ids: ['panel'] },
    panel: { type: 'parallel', next_ids: ['a', 'b'] },
    a: { ...llm('A.'), next_ids: ['last'] },
    b: { ...llm('B.'), next_ids: ['last'] },
    last: { ...llm('Last.'), next_ids: ['end'] },
    end: { type: 'end' },
  };
  const id = await server.execute({ nodes }, {});
  await nextAsked();
  const r = await server.post(`/sessions/${id}/input`, { content: 'Mind the price.', user_id: 'ann' });
  assert.equal(r.status, 200, r.text);
  await server.kill();
  await server.start();
  const one = await nextAsked();
  assert.deepEqual(messagesOf(one), ['user: One.']); // its request is from before
  one.say('First.');
  const heard = 'user: Somebody who follows this session (ann) says: Mind the price.';
  let pair = [await nextAsked(), await nextAsked()];
  assert.deepEqual(pair.map(messagesOf).sort(), [['user: A.', heard], ['user: B.', heard]]);
  await server.kill(); // while both are asked: again the same
  await server.start();
  pair = [await nextAsked(), await nextAsked()];
  assert.deepEqual(pair.map(messagesOf).sort(), [['user: A.', heard], ['user: B.', heard]]);
  pair.forEach((p) => p.say('Heard.'));
  const last = await nextAsked();
  assert.deepEqual(messagesOf(last), ['user: Last.']);
  const reader = new Reader(server, id);
  last.say('Done.');
  await reader.until((x) => x.done);
  reader.close();
  const stored = (await server.get(`/sessions/${id}/messages`)).json.items;
  assert.deepEqual(stored.filter((m) => m.role === 'user').map((m) => m.content), ['Mind the price.']);
  const events = await server.events(id);
  // A fork from before anybody had heard it: it is still to be heard.
  const said = events.find((e) => e.type === 'user_input').seq;
  const fork = await server.post(`/sessions/${id}/fork`, { after_seq: said });
  assert.equal(fork.status, 202, fork.text);
  (await nextAsked()).say('First.');
  pair = [await nextAsked(), await nextAsked()];
  assert.deepEqual(pair.map(messagesOf).sort(), [['user: A.', heard], ['user: B.', heard]]);
  assert.equal((await server.post(`/sessions/${fork.json.session_id}/cancel`, {})).status, 200);
});

test('what is said in a pause is withheld, over a kill, and heard after it', async () => {
  const llm = (prompt) => ({ type: 'llm', properties: { prompt } });
  const id = await server.execute({ nodes: chain(['one', llm('One.')], ['two', llm('Two.')]) }, {});
  const one = await nextAsked();
  assert.equal((await server.post(`/sessions/${id}/pause`, {})).status, 200);
  const quiet = (await server.events(id)).length;
  const r = await server.post(`/sessions/${id}/input`, { content: 'Now!', user_id: 'ann' });
  assert.equal(r.status, 200, r.text);
  one.say('First.');
  assert.equal((await server.events(id)).length, quiet);
  await server.kill();
  await server.start();
  assert.equal((await server.events(id)).length, quiet);
  assert.equal((await server.post(`/sessions/${id}/resume`, {})).status, 200);
  let next = await nextAsked(); // the first again, if its end was not stored yet
  if (messagesOf(next)[0] === 'user: One.') {
    next.say('First.');
    next = await nextAsked();
  }
  assert.deepEqual(messagesOf(next), ['user: Two.', 'user: Somebody who follows this session (ann) says: Now!']);
  const reader = new Reader(server, id);
  next.say('Heard.');
  await reader.until((x) => x.done);
  reader.close();
  assert.equal((await server.events(id)).filter((e) => e.type === 'user_input').length, 1);
});

test('more than can wait is refused', async () => {
  const id = await server.execute({ nodes: chain(['one', { type: 'llm', properties: { prompt: 'One.' } }]) }, {});
  await nextAsked();
  assert.equal((await server.post(`/sessions/${id}/input`, { content: 'x'.repeat(65537) })).status, 413);
  assert.equal((await server.post(`/sessions/${id}/input`, { content: 'x'.repeat(65536) })).status, 200);
  assert.equal((await server.post(`/sessions/${id}/cancel`, {})).status, 200);
});
