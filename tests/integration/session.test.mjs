// The main job against the real binary: execute, stream, pause in mid-sentence, review, cancel.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Reader, isTerminal } from './lib/client.mjs';
import { Server, Standin, repo } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';
import { readFileSync } from 'node:fs';

let server;
let standin;
before(async () => {
  standin = await new Standin().start();
  server = await new Server({ env: standin.env, args: ['--examples', `${repo}/examples`] }).start();
});
after(async () => {
  await server?.close();
  await standin?.close();
});

const silence = (ms) => new Promise((go) => setTimeout(go, ms)); // only where the absence of events is what is tested
const talk = (prompt) => ({
  nodes: {
    start: { type: 'start', next_ids: ['talk'] },
    talk: { type: 'llm', properties: { prompt }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});
// The stand-in streams its prompt back, directive and all.
const echo = (rate, text) => `[[echo rate=${rate}]]${text}`;
const long = Array.from({ length: 80 }, (_, i) => `word${i}`).join(' ');

async function finish(reader, status = 'completed') {
  const end = await reader.ended();
  assert.equal(end.data.to, status, JSON.stringify(end.data));
  const log = await server.events(reader.id);
  checkLog(log, reader.id);
  checkReader(reader, log);
  checkMessages(log, reader.id);
  assert.equal(reader.events.length, log.length);
  reader.close();
  return log;
}

test('execute answers 202 with a durable session, and its events come in order to one ending', async () => {
  const r = await server.post('/workflows/execute', { graph: talk(echo(400, long)), input: {} });
  assert.equal(r.status, 202);
  assert.equal(r.json.status, 'started');
  const reader = new Reader(server, r.json.session_id);
  const log = await finish(reader);
  assert.deepEqual((await server.get(`/sessions/${r.json.session_id}`)).json.graph, talk(echo(400, long)));
  assert.ok(log.some((e) => e.type === 'token_stream'));
  assert.ok(log.some((e) => e.type === 'node_state_change' && e.node_id === 'talk' && e.data.to === 'completed'));
  assert.equal(log.find((e) => e.type === 'message').data.content, echo(400, long));
  for (const e of log.filter((x) => /^(node_|token_|message|stream_)/.test(x.type))) assert.ok(e.node_id && e.run_id, JSON.stringify(e));
});

test('a reader that comes later, or comes back, gets the same events', async () => {
  const id = await server.execute(talk(echo(200, long)));
  const first = new Reader(server, id);
  await first.until((r) => r.events.length > 5);
  const second = new Reader(server, id, { batch: true });
  const log = await finish(first);
  await second.ended();
  checkReader(second, log);
  const late = new Reader(server, id);
  await late.ended();
  assert.deepEqual(late.verdicts, ['recovered']);
  assert.deepEqual(late.events, log);
});

for (const mode of ['buffer', 'hold']) {
  test(`pause in mode ${mode}: inside the model call, quiet, and resumed to the last byte`, async () => {
    const id = await server.execute(talk(echo(60, long)));
    const reader = new Reader(server, id);
    await reader.until((r) => r.events.filter((e) => e.type === 'token_stream').length > 5);
    const paused = await server.post(`/sessions/${id}/pause`, { mode, reason: 'to think' });
    assert.equal(paused.status, 200);
    assert.equal(paused.json.status, 'paused');
    const event = await reader.untilEvent('session_state_change', (e) => e.data.to === 'paused');
    assert.equal(event.data.quiesced, true);
    assert.equal(event.data.reason, 'to think');
    assert.equal(event.seq, paused.json.seq);
    await silence(2000);
    assert.equal(reader.last, event.seq, 'an event came while paused');
    assert.equal((await server.get(`/sessions/${id}`)).json.status, 'paused');
    assert.equal((await server.post(`/sessions/${id}/pause`)).status, 409);
    const resumed = await server.post(`/sessions/${id}/resume`);
    assert.equal(resumed.json.status, 'running');
    const log = await finish(reader);
    assert.equal(log.find((e) => e.type === 'message').data.content, echo(60, long));
    assert.ok(!log.some((e) => e.type === 'stream_reset'), 'another generation was started');
    assert.equal(log.filter((e) => e.data.to === 'paused').length, 1);
  });
}

test('a paused session survives kill -9 and goes on after its resume', async () => {
  const id = await server.execute(talk(echo(60, long)));
  const reader = new Reader(server, id, { reconnect: true });
  await reader.until((r) => r.events.filter((e) => e.type === 'token_stream').length > 5);
  const { json } = await server.post(`/sessions/${id}/pause`);
  await server.kill('SIGKILL');
  await server.start();
  await silence(1000);
  assert.ok(reader.last <= json.seq, 'an event came while paused');
  assert.equal((await server.get(`/sessions/${id}`)).json.status, 'paused');
  assert.equal((await server.post(`/sessions/${id}/resume`)).status, 200);
  const log = await finish(reader);
  assert.equal(log.find((e) => e.type === 'message').data.content, echo(60, long));
});

const spin = (code) => ({
  nodes: {
    start: { type: 'start', next_ids: ['spin'] },
    spin: { type: 'script', properties: { code, timeout_ms: 60000 }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});

test('a hundred paused scripts do not keep the next one from running', async () => {
  const script = (code) => ({ nodes: { start: { type: 'start', next_ids: ['run'] }, run: { type: 'script', properties: { code }, next_ids: ['end'] }, end: { type: 'end' } } });
  const ids = [];
  for (let i = 0; i < 100; i++) {
    const id = await server.execute(script('log("begun") while true do end'));
    const reader = new Reader(server, id);
    await reader.untilEvent('log'); // it holds a thread now
    assert.equal((await server.post(`/sessions/${id}/pause`)).status, 200);
    reader.close();
    ids.push(id);
  }
  const next = new Reader(server, await server.execute(script('return 101')));
  assert.equal((await next.ended()).data.output, 101);
  next.close();
  for (const id of ids) assert.equal((await server.post(`/sessions/${id}/cancel`)).status, 200);
});

test('a script in an endless loop pauses in mid-computation, goes on, and is cancelled', async () => {
  const id = await server.execute(spin('local n = 0 while true do n = n + 1 if n % 200000 == 0 then log(tostring(n)) end end'));
  const reader = new Reader(server, id);
  await reader.untilEvent('log');
  assert.equal((await server.post(`/sessions/${id}/pause`)).status, 200);
  const event = await reader.untilEvent('session_state_change', (e) => e.data.to === 'paused');
  await silence(1500);
  assert.equal(reader.last, event.seq);
  await server.post(`/sessions/${id}/resume`);
  await reader.until((r) => r.events.filter((e) => e.type === 'log' && e.seq > event.seq).length > 1);
  assert.equal((await server.post(`/sessions/${id}/cancel`, { reason: 'enough' })).json.status, 'cancelled');
  await finish(reader, 'cancelled');
  assert.equal((await server.post(`/sessions/${id}/cancel`)).status, 409);
});

test('cancel closes the model socket, keeps what was streamed, and ends once', async () => {
  const id = await server.execute(talk(echo(20, long)));
  const reader = new Reader(server, id);
  await reader.until((r) => r.events.filter((e) => e.type === 'token_stream').length > 3);
  await server.post(`/sessions/${id}/cancel`, { reason: 'not needed' });
  const log = await finish(reader, 'cancelled');
  const end = log.find(isTerminal);
  assert.equal(end.data.reason, 'not needed');
  const message = log.find((e) => e.type === 'message');
  assert.equal(message.data.finish_reason, 'cancelled');
  assert.ok(echo(20, long).startsWith(message.data.content) && message.data.content.length > 0);
  const stored = (await server.get(`/sessions/${id}/messages`)).json.items;
  assert.equal(stored.find((m) => m.role === 'assistant').content, message.data.content);
});

test('cancel races the start: whichever comes first, there is one ending', async () => {
  for (let i = 0; i < 20; i++) {
    const id = await server.execute(talk(echo(20, long)));
    const r = await server.post(`/sessions/${id}/cancel`);
    assert.equal(r.status, 200);
    await finish(new Reader(server, id), 'cancelled');
  }
});

test('a review waits, survives a restart, is answered once, and routes by the answer', async () => {
  const graph = {
    nodes: {
      start: { type: 'start', next_ids: ['draft'] },
      draft: { type: 'llm', properties: { prompt: '[[echo rate=0]]draft of {{ input.topic }}' }, next_ids: ['review'] },
      review: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'yes', reject: 'draft' } },
      yes: { type: 'transform', properties: { output: { said: 'nodes.review.output.action' } }, next_ids: ['end'] },
      end: { type: 'end' },
    },
  };
  const id = await server.execute(graph, { topic: 'tea' });
  const reader = new Reader(server, id, { reconnect: true });
  const first = await reader.untilEvent('human_interaction_required');
  assert.deepEqual(first.data.actions, ['approve', 'reject']);
  await server.kill('SIGKILL');
  await server.start();
  const waiting = (await server.get(`/sessions/${id}`)).json;
  assert.equal(waiting.waiting_on[0].interrupt_id, first.data.interrupt_id);
  assert.equal((await server.post(`/sessions/${id}/nodes/draft/resume`, { action: 'approve' })).status, 409);
  assert.equal((await server.post(`/sessions/${id}/nodes/review/resume`, { action: 'maybe' })).status, 400);
  const rejected = await server.post(`/sessions/${id}/nodes/review/resume`, { action: 'reject', data: { why: 'dull' }, reviewer: 'ada' });
  assert.deepEqual([rejected.status, rejected.json.status], [200, 'resumed']);
  const second = await reader.untilEvent('human_interaction_required', (e) => e.data.interrupt_id !== first.data.interrupt_id);
  const stale = await server.post(`/sessions/${id}/nodes/review/resume`, { action: 'approve', interrupt_id: first.data.interrupt_id });
  assert.equal(stale.status, 409);
  const both = await Promise.all([0, 1].map(() => server.post(`/sessions/${id}/nodes/review/resume`, { action: 'approve', interrupt_id: second.data.interrupt_id })));
  assert.equal(both.filter((r) => r.status === 200).length, 1);
  const log = await finish(reader);
  assert.equal(log.filter((e) => e.type === 'node_resumed').length, 2);
  assert.equal(log.find((e) => e.type === 'node_state_change' && e.node_id === 'draft' && e.data.iteration === 2 && e.data.to === 'completed').data.output, '[[echo rate=0]]draft of tea');
  assert.deepEqual((await server.get(`/sessions/${id}`)).json.output, { said: 'approve' });
  const gone = await server.post(`/sessions/${id}/nodes/review/resume`, { action: 'approve' });
  assert.deepEqual([gone.status, gone.json.error], [404, 'Session not found or not active']);
});

test('user_input waits for what a person says', async () => {
  const id = await server.execute({
    nodes: {
      start: { type: 'start', next_ids: ['ask'] },
      ask: { type: 'user_input', properties: { prompt: 'Which colour?' }, next_ids: ['end'] },
      end: { type: 'end' },
    },
  });
  const reader = new Reader(server, id);
  await reader.untilEvent('human_interaction_required');
  assert.equal((await server.post(`/sessions/${id}/input`, { content: 'green', user_id: 'u1' })).status, 200);
  await finish(reader);
  assert.equal((await server.get(`/sessions/${id}`)).json.output, 'green');
});

test('a durable timer fires after a restart', async () => {
  const id = await server.execute({
    nodes: {
      start: { type: 'start', next_ids: ['wait'] },
      wait: { type: 'wait', properties: { duration_ms: 1500 }, next_ids: ['end'] },
      end: { type: 'end' },
    },
  });
  const reader = new Reader(server, id, { reconnect: true });
  await reader.untilEvent('node_state_change', (e) => e.node_id === 'wait' && e.data.to === 'running');
  await server.kill('SIGKILL');
  await server.start();
  const log = await finish(reader);
  const wait = log.filter((e) => e.node_id === 'wait');
  assert.ok(Date.parse(wait.at(-1).timestamp) - Date.parse(wait[0].timestamp) >= 1490);
});

test('the same Idempotency-Key starts one session; another body is refused', async () => {
  const key = { 'idempotency-key': `key-${Date.now()}` };
  const body = { graph: talk('[[echo rate=0]]once'), input: {} };
  const a = await server.post('/workflows/execute', body, key);
  const b = await server.post('/workflows/execute', body, key);
  assert.equal(a.status, 202);
  assert.deepEqual([b.status, b.json], [202, a.json]);
  const c = await server.post('/workflows/execute', { ...body, name: 'other' }, key);
  assert.equal(c.status, 409);
  await finish(new Reader(server, a.json.session_id));
});

test('server-sent events carry the same log and end with the session', async () => {
  const id = await server.execute(talk(echo(200, long)));
  const res = await fetch(`${server.url}/sessions/${id}/stream`, { headers: { 'last-event-id': '2' } });
  assert.equal(res.headers.get('content-type'), 'text/event-stream');
  const text = await res.text(); // the server ends it
  const events = [...text.matchAll(/^data: (\{"seq".*)$/gm)].map((m) => JSON.parse(m[1]));
  const log = await server.events(id);
  assert.deepEqual(events, log.slice(2));
});

test('SIGTERM tells WebSockets that the server is going away, and running work goes on after the start', async () => {
  const id = await server.execute(talk(echo(40, long)));
  const reader = new Reader(server, id, { reconnect: true });
  let told = null;
  reader.ws.on('message', (d) => { const m = JSON.parse(d); if (m.type === 'going_away') told = m; });
  await reader.until((r) => r.events.some((e) => e.type === 'token_stream'));
  const { code } = await server.kill('SIGTERM');
  assert.equal(code, 0);
  assert.ok(told && told.retry_after_ms > 0);
  await server.start();
  const log = await finish(reader);
  assert.equal(log.filter((e) => e.type === 'message').at(-1).data.content, echo(40, long));
});

test('the council debate of examples/ runs on the demo provider to its end', async () => {
  const demo = await new Server({ args: ['--examples', `${repo}/examples`] }).start();
  try {
    assert.match(readFileSync(`${repo}/examples/council-debate.yaml`, 'utf8'), /^id: council-debate$/m);
    const id = await demo.execute('council-debate', { topic: 'tabs or spaces' });
    const reader = new Reader(demo, id);
    for (let asked = 0; ;) {
      const e = await reader.until((r) => r.events.find((x) => isTerminal(x) || (x.type === 'human_interaction_required' && x.seq > asked)), 120000, 'the end or a question');
      if (isTerminal(e)) { assert.equal(e.data.to, 'completed', JSON.stringify(e.data)); break; }
      asked = e.seq;
      await demo.post(`/sessions/${id}/nodes/${e.node_id}/resume`, { action: 'approve' });
    }
    const log = await demo.events(id);
    checkLog(log, id);
    checkReader(reader, log);
    checkMessages(log, id);
    reader.close();
  } finally {
    await demo.close();
  }
});
