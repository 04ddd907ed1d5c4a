// The dialect anthropic through the real binary, against a stand-in of ours that keeps what it was asked:
// what goes over the wire, tools and answers by schema, thinking, and what goes wrong in the middle.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { messageEvents, messagesServer } from './lib/messages.mjs';
import { Server } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

let answer; // of the test that runs
let model;
let server;
const scratch = mkdtempSync(join(tmpdir(), 'sluice-anthropic-'));

before(async () => {
  model = await messagesServer((request, index) => answer(request, index));
  const config = join(scratch, 'sluice.yaml');
  writeFileSync(config, `providers:\n  - {id: claude, dialect: anthropic, base_url: "${model.url}", api_key_env: STAND_IN_KEY, models: [claude-x]}\n`);
  server = await new Server({ args: ['--config', config], env: { STAND_IN_KEY: 'sk-ant-secret' } }).start();
});
after(async () => {
  await server?.close();
  model.close();
  rmSync(scratch, { recursive: true });
});

const graph = (properties, more = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'agent', properties: { persona: 'You are terse.', ...properties }, next_ids: ['end'], ...more },
    end: { type: 'end' },
  },
});

// script: one answer for each request, the last one for all that follow.
async function run(workflow, script) {
  model.requests.length = 0;
  answer = (request, index) => script[Math.min(index, script.length - 1)];
  const reader = new Reader(server, await server.execute(workflow));
  const end = await reader.ended();
  const log = await server.events(reader.id);
  checkLog(log, reader.id);
  checkReader(reader, log);
  checkMessages(log, reader.id);
  reader.close();
  const session = (await server.get(`/sessions/${reader.id}`)).json;
  return { log, end, session, requests: model.requests.map((r) => ({ ...r })) };
}

const said = (log, thinking) => log.filter((e) => e.type === 'token_stream' && e.data.is_thinking === thinking).map((e) => e.data.chunk).join('');

test('a request as the API wants it, an answer with thinking, and its usage', async () => {
  const { log, session, requests } = await run(graph({ prompt: 'Say it 😀', temperature: 1.5, max_tokens: 77 }), [
    messageEvents([{ thinking: 'let me see 😀' }, { text: 'It is said, 好的 😀.' }], { piece: 1 }),
  ]);
  assert.equal(session.status, 'completed');
  assert.equal(session.output, 'It is said, 好的 😀.');
  assert.equal(said(log, true), 'let me see 😀');
  assert.equal(said(log, false), 'It is said, 好的 😀.');
  const [{ path, headers, body }] = requests;
  assert.equal(path, '/v1/messages');
  assert.equal(headers['x-api-key'], 'sk-ant-secret');
  assert.equal(headers['anthropic-version'], '2023-06-01');
  assert.equal(headers.authorization, undefined);
  assert.equal(body.model, 'claude-x');
  assert.equal(body.stream, true);
  assert.equal(body.max_tokens, 77);
  assert.equal(body.temperature, 1);
  assert.ok(body.system.some((b) => b.text.includes('You are terse.')));
  assert.ok(body.messages.every((m) => m.role === 'user' || m.role === 'assistant'));
  assert.ok(JSON.stringify(body.messages).includes('Say it 😀'));
  const usage = log.find((e) => e.type === 'token_usage');
  assert.deepEqual([usage.data.input_tokens, usage.data.output_tokens, usage.data.model], [25, 9, 'claude-stand-in']);
});

test('tools by turns: two calls in pieces, their results in one message', async () => {
  const tools = ['web_search', { name: 'again', tool: 'web_search', description: 'Searches', parameters: { type: 'object', properties: { query: { type: 'string' } } } }];
  const { session, requests, log } = await run(graph({ prompt: 'Look it up', tools }), [
    messageEvents(
      [{ text: 'I look.' }, { tool: 'web_search', id: 'toolu_1', json: '{"query": "one \\"1\\""}' }, { tool: 'again', id: 'toolu_2', json: '{"query": "two"}' }],
      { stop: 'tool_use', piece: 3 },
    ),
    messageEvents([{ text: 'Found.' }]),
  ]);
  assert.equal(session.status, 'completed', JSON.stringify(session.error));
  assert.equal(session.output, 'Found.');
  assert.equal(requests.length, 2);
  assert.deepEqual(requests[0].body.tools.map((t) => [t.name, t.input_schema.type]), [['web_search', 'object'], ['again', 'object']]);
  assert.equal(requests[0].body.tool_choice, undefined);
  const [call, results] = requests[1].body.messages.slice(-2);
  assert.equal(call.role, 'assistant');
  assert.deepEqual(call.content.filter((b) => b.type === 'tool_use').map((b) => [b.id, b.name, b.input]), [
    ['toolu_1', 'web_search', { query: 'one "1"' }],
    ['toolu_2', 'again', { query: 'two' }],
  ]);
  assert.equal(results.role, 'user');
  assert.deepEqual(results.content.map((b) => [b.type, b.tool_use_id]), [['tool_result', 'toolu_1'], ['tool_result', 'toolu_2']]);
  assert.ok(results.content.every((b) => b.content.length > 0));
  assert.ok(log.filter((e) => e.type === 'tool_execution').length >= 2);
});

test('an answer by schema is a tool that must be called, and comes as text', async () => {
  const schema = { type: 'object', properties: { score: { type: 'number' } }, required: ['score'] };
  const { session, requests, log } = await run(graph({ prompt: 'Score it', response_schema: schema }), [
    messageEvents([{ tool: 'structured_answer', id: 'toolu_9', json: '{"score": 7}' }], { stop: 'tool_use' }),
  ]);
  assert.equal(session.status, 'completed', JSON.stringify(session.error));
  assert.deepEqual(session.output, { score: 7 });
  assert.equal(said(log, false), '{"score": 7}');
  const [{ body }] = requests;
  assert.deepEqual(body.tool_choice, { type: 'tool', name: 'structured_answer' });
  assert.deepEqual(body.tools.at(-1).input_schema, schema);
});

test('a refusal is an answer that says so', async () => {
  const { session, log } = await run(graph({ prompt: 'No' }), [messageEvents([{ text: 'I ' }], { stop: 'refusal' })]);
  assert.equal(session.status, 'completed');
  assert.equal(log.find((e) => e.type === 'message').data.finish_reason, 'content_filter');
});

test('without usage the answer is good', async () => {
  const { session } = await run(graph({ prompt: 'No numbers' }), [messageEvents([{ text: 'Good.' }], { usage: false })]);
  assert.equal(session.status, 'completed');
  assert.equal(session.output, 'Good.');
});

const begun = () => messageEvents([{ text: 'This is only the beginning' }]).slice(0, 6);
const stream = (res, events) => {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.write(events.map(model.event).join(''));
};
for (const [name, misbehave, code, sentence] of [
  ['no message_stop', (res) => { stream(res, begun()); res.end(); }, 'truncated', /broke off/],
  ['a drop in the middle of an event', (res) => { stream(res, begun()); res.write('event: content_block_delta\ndata: {"type":"con', () => res.destroy()); }, 'truncated', /broke off/],
  ['bad JSON', (res) => { stream(res, begun()); res.write('data: {"type": oops}\n\n'); }, 'bad_response', /cannot be read/],
  ['an error in the middle', (res) => { stream(res, begun()); res.end(model.event({ type: 'error', error: { type: 'api_error', message: 'the disk of sk-ant-secret is full' } })); }, 'model_error', /the disk of \*\*\* is full/],
]) {
  test(`${name}: the node fails with its reason, what was shown stays, and a retry begins anew`, async () => {
    const failed = await run(graph({ prompt: name }), [misbehave]);
    assert.equal(failed.session.status, 'failed');
    assert.equal(failed.session.error.code, code);
    assert.match(failed.session.error.message, sentence);
    assert.ok(said(failed.log, false).startsWith('This'), said(failed.log, false));
    const again = await run(graph({ prompt: name }, { retry: { max_attempts: 2, initial_ms: 1 } }), [misbehave, messageEvents([{ text: 'Whole.' }])]);
    assert.equal(again.session.status, 'completed');
    assert.equal(again.session.output, 'Whole.');
    assert.equal(again.log.filter((e) => e.type === 'stream_reset').length, 1);
  });
}

test('529 and an overload as the first event are asked again, unseen', async () => {
  const { session, log, requests } = await run(graph({ prompt: 'Busy' }), [
    (res) => { res.writeHead(529, { 'retry-after-ms': '5' }); res.end('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'); },
    (res) => { stream(res, [{ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }]); res.end(); },
    messageEvents([{ text: 'Now.' }]),
  ]);
  assert.equal(session.status, 'completed', JSON.stringify(session.error));
  assert.equal(session.output, 'Now.');
  assert.equal(requests.length, 3);
  assert.equal(new Set(requests.map((r) => r.headers['idempotency-key'])).size, 1);
  assert.ok(!log.some((e) => e.type === 'stream_reset'));
});
