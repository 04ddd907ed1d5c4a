// A model server that others wrote (@copilotkit/aimock), with the faults of real ones, in both dialects:
// what it said must arrive to the last character, and what went wrong must be told.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { Reader } from './lib/client.mjs';
import { Server } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

const ask = (prompt, more = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'llm', properties: { prompt }, next_ids: ['end'], ...more },
    end: { type: 'end' },
  },
});

const text = (n) => Array.from({ length: n }, (_, i) => `word-${i}`).join(' ');
const models = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5' };

for (const dialect of Object.keys(models)) describe(dialect, () => {
  const mock = new LLMock({ port: 0, logLevel: 'silent' });
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-aimock-'));
  let server;
  before(async () => {
    await mock.start();
    const config = join(scratch, 'sluice.yaml');
    writeFileSync(config, `providers:\n  - {id: mock, dialect: ${dialect}, base_url: "${mock.url}/v1", api_key_env: MOCK_KEY, models: [${models[dialect]}]}\n`);
    server = await new Server({ args: ['--config', config], env: { MOCK_KEY: 'test', SLUICE_QUEUE_TIMEOUT: '3s' } }).start();
  });
  after(async () => {
    await server?.close();
    await mock.stop();
    rmSync(scratch, { recursive: true });
  });

  async function run(prompt, more) {
    const reader = new Reader(server, await server.execute(ask(prompt, more)));
    const end = await reader.ended();
    const log = await server.events(reader.id);
    checkLog(log, reader.id);
    checkReader(reader, log);
    checkMessages(log, reader.id);
    reader.close();
    const session = (await server.get(`/sessions/${reader.id}`)).json;
    assert.equal(session.status, end.data.to);
    return { log, end, session, message: log.filter((e) => e.type === 'message').at(-1)?.data };
  }

  const calls = (prompt) => mock.getRequests().filter((r) => JSON.stringify(r.body ?? '').includes(prompt));

  test('a fast stream of 100 kB arrives whole', async () => {
    const content = text(10000);
    mock.onMessage('fast', { content }, { chunkSize: 50 });
    const { end, message, session } = await run('fast');
    assert.equal(end.data.to, 'completed');
    assert.equal(message.content, content);
    assert.equal(message.finish_reason, 'stop');
    assert.equal(session.output, content);
  });

  test('a slow stream comes token by token', async () => {
    mock.onMessage('slow', { content: text(20) }, { chunkSize: 8, latency: 40 });
    const { log, message } = await run('slow');
    assert.equal(message.content, text(20));
    const tokens = log.filter((e) => e.type === 'token_stream');
    assert.ok(tokens.length > 10, `${tokens.length} events`);
    const took = Date.parse(tokens.at(-1).timestamp) - Date.parse(tokens[0].timestamp);
    assert.ok(took > 300, `all of it within ${took} ms`);
    tokens.forEach((e, i) => assert.equal(e.data.index, i));
  });

  test('emoji that are cut into half surrogates over two chunks come out whole', async () => {
    const content = 'a😀b👩‍🚀 c🇪🇺 𝒟 – 日本 \u{10FFFD}!';
    mock.onMessage('emoji', { content }, { chunkSize: 1 });
    const { log, message } = await run('emoji');
    assert.equal(message.content, content);
    for (const e of log.filter((x) => x.type === 'token_stream')) {
      assert.ok(!/\uFFFD|\p{Cs}/u.test(e.data.chunk), JSON.stringify(e.data.chunk));
    }
  });

  test('429 with Retry-After is tried again after that time, unseen', async () => {
    mock.on({ userMessage: 'busy', sequenceIndex: 0 }, { error: { message: 'slow down', type: 'rate_limit' }, status: 429, retryAfter: 1 });
    mock.on({ userMessage: 'busy', sequenceIndex: 1 }, { content: 'now I can' });
    const { end, message, log } = await run('busy');
    assert.equal(end.data.to, 'completed');
    assert.equal(message.content, 'now I can');
    assert.ok(!log.some((e) => e.type === 'stream_reset'));
    const [first, second] = calls('busy');
    assert.ok(second.timestamp - first.timestamp >= 950, `after ${second.timestamp - first.timestamp} ms`);
  });

  test('429 to the end fails the session with its reason', async () => {
    mock.onMessage('never', { error: { message: 'quota is used up', type: 'rate_limit' }, status: 429, retryAfter: 0 });
    const { end, session } = await run('never');
    assert.equal(end.data.to, 'failed');
    assert.equal(session.error.code, 'rate_limited');
    assert.equal(session.error.node_id, 'ask');
    assert.match(session.error.message, /quota is used up/);
  });

  test('401 is not tried again', async () => {
    mock.onMessage('locked', { error: { message: 'bad key', type: 'auth' }, status: 401 });
    const { end, session } = await run('locked');
    assert.equal(end.data.to, 'failed');
    assert.match(session.error.message, /bad key/);
    assert.equal(calls('locked').length, 1);
  });

  for (const [name, fault] of [
    ['a truncated stream', { truncateAfterChunks: 5, chunkSize: 6, latency: 20 }],
    ['a connection dropped in mid-stream', { disconnectAfterMs: 150, latency: 30, chunkSize: 6 }],
  ]) {
    const key = name.split(' ')[1];
    test(`${name} fails its node, and what came before is kept`, async () => {
      mock.onMessage(`${key} once`, { content: text(30) }, fault);
      const { end, log, session } = await run(`${key} once`);
      assert.equal(end.data.to, 'failed');
      assert.ok(session.error.code, JSON.stringify(session.error));
      assert.equal(session.error.node_id, 'ask');
      const shown = log.filter((e) => e.type === 'token_stream').map((e) => e.data.chunk).join('');
      assert.ok(shown.length > 0 && text(30).startsWith(shown), shown);
      assert.equal(log.filter((e) => e.type === 'node_state_change' && e.data.to === 'failed').length, 1);
    });

    test(`${name} is announced and begun again where the workflow says so`, async () => {
      mock.on({ userMessage: `${key} again`, sequenceIndex: 0 }, { content: text(30) }, fault);
      mock.on({ userMessage: `${key} again`, sequenceIndex: 1 }, { content: 'whole this time' });
      const { end, log, message } = await run(`${key} again`, { retry: { max_attempts: 2, initial_ms: 10 } });
      assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
      assert.equal(message.content, 'whole this time');
      assert.equal(log.filter((e) => e.type === 'stream_reset').length, 1);
      const done = log.find((e) => e.type === 'node_state_change' && e.node_id === 'ask' && e.data.to === 'completed');
      assert.equal(done.data.attempt, 2);
    });
  }

  test('usage is what the server reported, and adds up', async () => {
    mock.onMessage('counted', { content: 'one two', usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } });
    const { log, session } = await run('counted');
    const usage = log.find((e) => e.type === 'token_usage');
    assert.deepEqual([usage.data.input_tokens, usage.data.output_tokens], [11, 7]);
    assert.ok(usage.data.model.startsWith(models[dialect]));
    assert.deepEqual([session.usage.input_tokens, session.usage.output_tokens], [11, 7]);
  });

  test('what a model thinks is told apart from what it says', async () => {
    mock.onMessage('thinks', { content: 'the answer', reasoning: 'step by step' });
    const { log, message } = await run('thinks');
    const said = (thinking) => log.filter((e) => e.type === 'token_stream' && e.data.is_thinking === thinking).map((e) => e.data.chunk).join('');
    assert.equal(said(true), 'step by step');
    assert.equal(said(false), 'the answer');
    assert.equal(message.content, 'the answer');
  });

  test('a pause in the middle of a stream of others loses nothing, in either mode', async () => {
    const content = text(60);
    mock.onMessage('paused', { content }, { chunkSize: 5, latency: 25 });
    for (const mode of ['buffer', 'hold']) {
      const reader = new Reader(server, await server.execute(ask(`paused ${mode}`)));
      await reader.until((r) => r.events.filter((e) => e.type === 'token_stream').length > 5);
      assert.equal((await server.post(`/sessions/${reader.id}/pause`, { mode })).status, 200);
      await reader.untilEvent('session_state_change', (e) => e.data.to === 'paused');
      assert.equal((await server.post(`/sessions/${reader.id}/resume`)).status, 200);
      const end = await reader.ended();
      assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
      assert.equal(reader.find('message').data.content, content);
      assert.equal(calls(`paused ${mode}`).length, 1);
      reader.close();
    }
  });
});
