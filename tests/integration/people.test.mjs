// What people are asked: reviews over all sessions, signals, stages; over a kill, and through an instance that does not own the session.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';

let server;
let other; // a second instance, where the store can be shared
let database;
const several = storeKind() === 'postgres';
before(async () => {
  if (several) database = new Database();
  server = await new Server(several ? { database } : {}).start();
  if (several) other = await new Server({ database }).start();
  other ??= server;
});
after(async () => {
  if (other !== server) await other?.close();
  await server?.close();
  database?.drop();
});

const review = (properties, routes = { approve: 'end', reject: 'no', modify: 'end' }) => ({
  nodes: {
    start: { type: 'start', next_ids: ['r'] },
    r: { type: 'human_review', properties, routes },
    no: { type: 'transform', properties: { output: 'nodes.r.output' }, next_ids: ['end'] },
    end: { type: 'end', properties: { output: 'nodes.r.output' } },
  },
});
const answer = (s, id, body, node = 'r') => s.post(`/sessions/${id}/nodes/${node}/resume`, body);
async function asked(s, id) {
  const reader = new Reader(s, id, { reconnect: true });
  const event = await reader.untilEvent('human_interaction_required');
  return { reader, event, interrupt_id: event.data.interrupt_id };
}
// The reader comes back by itself.
async function killed() {
  await server.kill();
  await server.start();
}
async function ended(reader, status = 'completed') {
  const end = await reader.ended();
  assert.equal(end.data.to, status, JSON.stringify(end.data));
  reader.close();
  return end.data;
}

test('questions of all sessions are listed until they are answered, and kept', async () => {
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push(await server.execute(review({ prompt: `Number ${i}` }), {}, { name: `list ${i}` }));
  const all = [];
  for (const id of ids) all.push(await asked(server, id));
  const seen = [];
  for (let cursor = ''; ;) {
    const page = (await other.get(`/reviews?status=pending&kind=approve_reject&limit=2${cursor}`)).json;
    seen.push(...page.items.filter((x) => ids.includes(x.session_id)));
    if (!page.next_cursor) break;
    cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
  }
  assert.deepEqual(seen.map((x) => x.interrupt_id), all.map((x) => x.interrupt_id));
  assert.equal(seen[1].session_name, 'list 1');
  assert.equal(seen[1].reason, 'Number 1');
  assert.equal(seen[1].answer, null);
  assert.equal((await answer(other, ids[1], { action: 'approve', reviewer: 'ann', data: { n: 1 }, interrupt_id: all[1].interrupt_id })).json.status, 'resumed');
  await ended(all[1].reader);
  const one = (await server.get(`/reviews/${all[1].interrupt_id}`)).json;
  assert.equal(one.status, 'answered');
  assert.deepEqual([one.answer.action, one.answer.reviewer, one.answer.data], ['approve', 'ann', { n: 1 }]);
  await server.post(`/sessions/${ids[2]}/cancel`);
  await ended(all[2].reader, 'cancelled');
  assert.equal((await server.get(`/reviews/${all[2].interrupt_id}`)).json.status, 'cancelled');
  const left = (await server.get(`/reviews?status=pending&session_id=${ids[0]}`)).json.items;
  assert.deepEqual(left.map((x) => x.session_id), [ids[0]]);
  assert.deepEqual((await server.get(`/reviews?status=pending&session_id=${ids[1]}`)).json, { items: [], next_cursor: null });
  all[0].reader.close();
});

test('bad requests are refused', async () => {
  assert.equal((await server.get('/reviews/nothing')).status, 404);
  assert.equal((await server.get('/reviews/01900000-0000-7000-8000-000000000000')).status, 404);
  assert.equal((await server.get('/stages/01900000-0000-7000-8000-000000000000')).status, 404);
  assert.equal((await server.get('/sessions/01900000-0000-7000-8000-000000000000/stages')).status, 404);
  assert.equal((await server.get('/reviews?session_id=x')).status, 400);
  assert.equal((await server.get('/reviews?limit=0')).status, 400);
  assert.equal((await server.request('PATCH', '/stages/01900000-0000-7000-8000-000000000000', { items: [] })).status, 404);
});

test('an answer that comes too late is told who was first', async () => {
  const id = await server.execute(review({ prompt: 'Well?' }, { approve: 'end', reject: 'r', modify: 'no' }));
  const { reader, interrupt_id } = await asked(server, id);
  assert.equal((await answer(server, id, { action: 'reject', reviewer: 'ann', interrupt_id })).status, 200);
  await reader.until((r) => r.events.filter((e) => e.type === 'human_interaction_required').length === 2);
  const late = await answer(other, id, { action: 'approve', reviewer: 'bob', interrupt_id });
  assert.equal(late.status, 409, late.text);
  assert.equal(late.json.details.status, 'answered');
  assert.equal(late.json.details.answer.reviewer, 'ann');
  assert.ok(Date.parse(late.json.details.answer.at) > 0);
  await server.post(`/sessions/${id}/cancel`);
  await ended(reader, 'cancelled');
  const gone = await answer(server, id, { action: 'approve', interrupt_id });
  assert.equal(gone.status, 404);
  assert.equal(gone.json.error, 'Session not found or not active');
});

test('defect 1: a review survives a kill, is answered later, and what came before is not run again', async () => {
  const graph = review({ review_type: 'edit_content', draft: '{{ input.text }}' });
  const id = await server.execute(graph, { text: 'one\ntwo\n' });
  const { reader, interrupt_id } = await asked(server, id);
  await killed();
  assert.equal((await server.get(`/sessions/${id}`)).json.status, 'running');
  const open = (await server.get(`/reviews?status=pending&session_id=${id}`)).json.items;
  assert.deepEqual(open.map((x) => [x.interrupt_id, x.draft]), [[interrupt_id, 'one\ntwo\n']]);
  assert.equal((await answer(server, id, { action: 'modify', data: {} })).status, 400);
  assert.equal((await answer(server, id, { action: 'modify', data: { content: 'one\n2\n' }, reviewer: 'ann' })).status, 200);
  const { output } = await ended(reader);
  assert.equal(output.content, 'one\n2\n');
  assert.equal(output.diff, '--- draft\n+++ content\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n');
  const starts = (await server.events(id)).filter((e) => e.node_id === 'start' && e.data.to === 'running');
  assert.equal(starts.length, 1);
});

test('several reviewers: votes are kept over a kill, one each, and the quorum decides', async () => {
  const id = await server.execute(review({ reviewers: ['ann', 'bob', 'cy'], quorum: 2 }));
  const { reader, interrupt_id } = await asked(server, id);
  assert.equal((await answer(server, id, { action: 'approve' })).status, 400);
  assert.equal((await answer(server, id, { action: 'approve', reviewer: 'eve' })).status, 403);
  assert.equal((await answer(other, id, { action: 'approve', reviewer: 'ann' })).json.status, 'recorded');
  const vote = await reader.untilEvent('node_resumed');
  assert.equal(vote.data.final, false);
  assert.deepEqual(vote.data.votes, { accepted: 1, rejected: 0, quorum: 2, reject_quorum: 1 });
  await killed();
  assert.equal((await answer(server, id, { action: 'approve', reviewer: 'ann' })).status, 409);
  assert.equal((await server.get(`/reviews/${interrupt_id}`)).json.votes.length, 1);
  assert.equal((await answer(server, id, { action: 'approve', reviewer: 'bob' })).json.status, 'resumed');
  const { output } = await ended(reader);
  const late = await answer(server, id, { action: 'approve', reviewer: 'cy' });
  assert.equal(late.status, 404);
  assert.equal(late.json.details.answer.reviewer, 'bob');
  assert.deepEqual(output.votes.map((v) => v.reviewer), ['ann', 'bob']);
});

const signals = {
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'user_input', next_ids: ['a'] },
    a: { type: 'signal', properties: { name: 'go' }, next_ids: ['b'] },
    b: { type: 'signal', next_ids: ['end'] },
    end: { type: 'end', properties: { output: ['nodes.a.output', 'nodes.b.output'] } },
  },
};

test('a signal that comes early, in a pause, before a kill, is taken once and in order', async () => {
  const id = await server.execute(signals);
  const { reader } = await asked(server, id);
  const send = (s, body) => s.post(`/sessions/${id}/signal`, body);
  assert.equal((await send(other, { name: 'go', payload: 1 })).json.status, 'signal_sent');
  await server.post(`/sessions/${id}/pause`);
  assert.equal((await send(server, { node_id: 'b', payload: { two: 2 } })).json.status, 'signal_sent');
  assert.equal((await send(server, {})).status, 400);
  assert.equal((await send(server, { node_id: 'nobody' })).status, 404);
  await killed();
  assert.equal((await server.post(`/sessions/${id}/resume`)).status, 200);
  await server.post(`/sessions/${id}/input`, { content: 'go on' });
  assert.deepEqual((await ended(reader)).output, [1, { two: 2 }]);
});

test('signals that nobody takes are bounded', async () => {
  const id = await server.execute(signals);
  const { reader } = await asked(server, id);
  for (let i = 0; i < 100; i++) assert.equal((await server.post(`/sessions/${id}/signal`, { name: 'go' })).status, 200);
  const full = await server.post(`/sessions/${id}/signal`, { name: 'go' });
  assert.equal(full.status, 409);
  assert.equal(full.json.code, 'signals_full');
  await server.post(`/sessions/${id}/cancel`);
  await ended(reader, 'cancelled');
});

const stages = {
  nodes: {
    start: { type: 'start', next_ids: ['build', 'ship'] },
    build: { type: 'stage', name: 'Build', properties: { checklist: ['code', { name: 'polish', required: false }], deliverables: ['report'] }, next_ids: ['end'] },
    ship: { type: 'stage', properties: { depends_on: ['build'] }, next_ids: ['end'] },
    end: { type: 'end', properties: { output: 'nodes.build.output' } },
  },
};

test('stages: items, deliverables, completion, over a kill and through another instance', async () => {
  const id = await server.execute(stages);
  const { reader, interrupt_id: build } = await asked(server, id);
  const patch = (s, body) => s.request('PATCH', `/stages/${build}`, body);
  const done = await patch(other, { items: [{ name: 'code' }], context: { room: 5 } });
  assert.equal(done.status, 200, done.text);
  assert.deepEqual([done.json.instance_id, done.json.done, done.json.total, done.json.context], [build, 1, 2, { room: 5 }]);
  const progress = await reader.untilEvent('stage_progress');
  assert.deepEqual(progress.data, { instance_id: build, done: 1, total: 2, item: 'code', item_done: true });
  assert.equal((await patch(server, { items: [{ name: 'none' }] })).status, 400);
  assert.equal((await patch(server, { what: 1 })).status, 400);
  const early = await other.post(`/stages/${build}/complete`);
  assert.equal(early.status, 409);
  assert.deepEqual(early.json.details, { missing: { items: [], deliverables: ['report'] } });
  await killed();
  const stored = (await server.get(`/stages/${build}`)).json;
  assert.deepEqual([stored.name, stored.status, stored.done, stored.items[0].done], ['Build', 'active', 1, true]);
  const whole = await server.post(`/stages/${build}/complete`, { deliverables: { report: 'r.md' }, reviewer: 'ann' });
  assert.equal(whole.json.status, 'completed', whole.text);
  assert.equal((await server.post(`/stages/${build}/complete`)).status, 409);
  const ship = await reader.untilEvent('human_interaction_required', (e) => e.node_id === 'ship');
  const none = await server.execute(review({}));
  assert.deepEqual((await server.get(`/sessions/${none}/stages`)).json, { items: [], next_cursor: null });
  const list = (await server.get(`/sessions/${id}/stages`)).json.items;
  assert.deepEqual(list.map((x) => [x.node_id, x.status, x.completed_by]), [['build', 'completed', 'ann'], ['ship', 'active', null]]);
  assert.equal((await other.post(`/stages/${ship.data.interrupt_id}/complete`)).status, 200);
  const { output } = await ended(reader);
  assert.deepEqual(output.deliverables, { report: 'r.md' });
  assert.deepEqual(output.context, { room: 5 });
});

test('defect 6: a loop that gets worse takes its files back to the best round, by new versions', async () => {
  const graph = {
    nodes: {
      start: { type: 'start', next_ids: ['rounds'] },
      rounds: { type: 'loop', properties: { max_rounds: 5, score: 'input.scores[loop.round]', regression_delta: 2, rollback: true }, next_ids: ['write', 'end'] },
      write: { type: 'tool', properties: { tool: 'write_file', arguments: { path: 'draft.md', content: 'Round {{ loop.round }}' } }, next_ids: ['rounds'] },
      end: { type: 'end', properties: { output: 'nodes.rounds.output' } },
    },
  };
  const id = await server.execute(graph, { scores: [5, 9, 6] });
  const { output } = await ended(new Reader(server, id));
  assert.deepEqual(output, { rounds: 3, exit_reason: 'regression', score: 6, history: [5, 9, 6], best_round: 2, files_rolled_back: 1 });
  assert.equal((await server.get(`/sessions/${id}/files/content?path=draft.md`)).json.content, 'Round 2');
  const versions = (await server.get(`/sessions/${id}/files/history?path=draft.md`)).json.items;
  assert.equal(versions.length, 4);
  assert.deepEqual(versions.map((v) => v.version).sort(), [1, 2, 3, 4]);
});
