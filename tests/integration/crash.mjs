// kill -9 at random moments under streaming sessions, clients reconnecting with their last seq.
//   node crash.mjs [--store sqlite|postgres] [--rounds 50] [--sessions 50] [--seed N]
// After each round the server starts again on the same data. At the end every client's stream must be
// a gapless, duplicate-free prefix of the log, every session must have ended exactly once, every final
// message must equal what the model was asked to echo, and a review that waited all the while must
// still wait, and take one answer.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Chance, options } from './lib/chance.mjs';
import { Reader } from './lib/client.mjs';
import { Server, Standin } from './lib/server.mjs';
import { checkLog, checkMessages, checkReader } from './lib/truth.mjs';

const { rounds, sessions: wanted, seed } = options({ rounds: 50, sessions: 50, seed: Date.now() % 1e9 });
console.log(`seed ${seed}, ${rounds} rounds, ${wanted} sessions at once`);
const chance = new Chance(seed);
const pause = (ms) => new Promise((go) => setTimeout(go, ms));

const words = 'durable before visible one log one sequence each token once nothing lost nothing repeated'.split(' ');
const saying = () => `${randomUUID()} ${Array.from({ length: 30 }, () => chance.pick(words)).join(' ')}`;

const streaming = {
  nodes: {
    start: { type: 'start', next_ids: ['fan'] },
    fan: { type: 'parallel', next_ids: ['a', 'b'] },
    a: { type: 'llm', properties: { prompt: '[[echo rate=40]]{{ input.text }}' }, next_ids: ['join'] },
    b: { type: 'llm', properties: { prompt: '[[echo rate=60]]{{ input.text }}' }, next_ids: ['join'] },
    join: { type: 'transform', properties: { output: { same: 'nodes.a.output == nodes.b.output' } }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};
const reviewed = {
  nodes: {
    start: { type: 'start', next_ids: ['draft'] },
    draft: { type: 'llm', properties: { prompt: '[[echo]]{{ input.text }}' }, next_ids: ['review'] },
    review: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'draft' } },
    end: { type: 'end' },
  },
};

const standin = await new Standin().start();
const server = await new Server({ env: standin.env }).start();
const readers = new Map(); // session id -> {reader, text}

async function startOne() {
  const text = saying();
  const id = await server.execute(streaming, { text });
  readers.set(id, { text, reader: new Reader(server, id, { reconnect: true, batch: chance.next() < 0.5 }) });
}

// Keeps `wanted` sessions streaming; an execute that was cut by a kill was simply not answered.
async function fill() {
  const open = [...readers.values()].filter((r) => !r.reader.done).length;
  for (let i = open; i < wanted; i++) {
    try { await startOne(); } catch (e) { if (!/fetch failed|ECONN|socket|other side/.test(String(e) + String(e.cause))) throw e; return; }
  }
}

const reviewText = saying();
const review = await server.execute(reviewed, { text: reviewText });
const reviewer = new Reader(server, review, { reconnect: true });
const asked = await reviewer.untilEvent('human_interaction_required');

for (let round = 1; round <= rounds; round++) {
  const filling = fill();
  await pause(30 + chance.next() * 600);
  await server.kill('SIGKILL');
  await filling;
  const begun = Date.now();
  await server.start();
  if (round % 10 === 0) console.log(`round ${round}: ${readers.size} sessions so far, up again after ${Date.now() - begun} ms`);
}

console.log('waiting for the ends');
for (const { reader } of readers.values()) await reader.ended(120000);

// The review still waits, and takes one of two answers that come at once.
const before = (await server.get(`/sessions/${review}`)).json;
assert.equal(before.status, 'running');
assert.equal(before.node_statuses.review, 'suspended');
const answers = await Promise.all([1, 2].map(() =>
  server.post(`/sessions/${review}/nodes/review/resume`, { action: 'approve', interrupt_id: asked.data.interrupt_id })));
assert.deepEqual(answers.map((a) => a.status === 200).sort(), [false, true], JSON.stringify(answers.map((a) => a.text)));
await reviewer.ended();
readers.set(review, { text: reviewText, reader: reviewer });

let resets = 0;
for (const [id, { reader, text }] of readers) {
  const log = await server.events(id);
  const end = checkLog(log, id);
  checkReader(reader, log);
  checkMessages(log, id);
  assert.ok(end, `session ${id} did not end`);
  assert.equal(end.data.to, 'completed', `session ${id}: ${JSON.stringify(end.data)}`);
  for (const m of log.filter((e) => e.type === 'message' && e.data.role === 'assistant')) assert.equal(m.data.content.replace(/^\[\[.*?\]\]/, ''), text);
  assert.equal((await server.get(`/sessions/${id}`)).json.status, 'completed');
  resets += log.filter((e) => e.type === 'stream_reset').length;
}
const reviewLog = await server.events(review);
assert.equal(reviewLog.filter((e) => e.type === 'node_resumed').length, 1);
assert.equal(reviewLog.filter((e) => e.type === 'human_interaction_required').length, 1);
const left = (await server.get('/sessions?status=running')).json.items;
assert.deepEqual(left, []);

for (const { reader } of readers.values()) reader.close();
await server.close();
await standin.close();
console.log(`${rounds} kills, ${readers.size} sessions, ${resets} calls begun anew: every stream exact, every session ended once`);
