// Maps and sequences over HTTP: people inside of items, models that talk side by side, kills in between.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server } from './lib/server.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(async () => { await server?.close(); });

const graph = {
  nodes: {
    start: { type: 'start', next_ids: ['steps'] },
    steps: { type: 'sequence', properties: { steps: ['list', 'each'] }, next_ids: ['end'] },
    list: { type: 'transform', properties: { output: 'input.papers' } },
    each: { type: 'map', properties: { items: 'nodes.list.output', body: ['parts', 'ask', 'tell'], max_concurrent: 2, on_item_error: 'null' } },
    parts: { type: 'map', properties: { items: '{1, 2}', body: ['say'] }, next_ids: ['ask'] },
    say: { type: 'llm', properties: { prompt: 'Part {{ map.item }}' } },
    ask: { type: 'human_review', properties: { prompt: 'Keep {{ map.item.title }}?' }, routes: { approve: 'tell' } },
    tell: { type: 'transform', properties: { output: { title: 'map.item.title', parts: 'len(nodes.parts.output)', by: 'nodes.ask.output.reviewer' } } },
    end: { type: 'end', properties: { output: 'nodes.steps.output.each' } },
  },
};
const asks = (item) => (e) => e.node_id === 'ask' && e.data.to === 'suspended' && e.data.item === item;
const waiting = async (id) => (await server.get(`/sessions/${id}`)).json.waiting_on;
const answer = (id, w, action) =>
  server.post(`/sessions/${id}/nodes/${w.node_id}/resume`, { interrupt_id: w.interrupt_id, action, reviewer: `r${w.item}` });

test('items are asked about one by one, over kills', async () => {
  const papers = ['a', 'b', 'c'].map((title) => ({ title }));
  const id = await server.execute(graph, { papers });
  const reader = new Reader(server, id, { reconnect: true });
  for (const item of [0, 1]) await reader.untilEvent('node_state_change', asks(item));
  const two = await waiting(id);
  assert.deepEqual(two.map((w) => [w.node_id, w.item]).sort(), [['ask', 0], ['ask', 1]]);
  await server.kill('SIGKILL');
  await server.start();
  assert.deepEqual((await waiting(id)).map((w) => w.interrupt_id).sort(), two.map((w) => w.interrupt_id).sort());
  assert.equal((await answer(id, two.find((w) => w.item === 1), 'approve')).status, 200);
  await reader.untilEvent('node_state_change', (e) => e.node_id === 'say' && e.data.iteration === 5);
  await server.kill('SIGKILL'); // in the middle of the third item's parts
  await server.start();
  await reader.untilEvent('node_state_change', asks(2));
  for (const w of await waiting(id)) assert.equal((await answer(id, w, w.item === 0 ? 'reject' : 'approve')).status, 200);
  await reader.ended();
  reader.close();
  assert.deepEqual(reader.problems, []);
  const session = (await server.get(`/sessions/${id}`)).json;
  assert.equal(session.status, 'completed');
  assert.equal(session.output.length, 3);
  assert.deepEqual(session.output[1], { title: 'b', parts: 2, by: 'r1' });
  assert.deepEqual(session.output[2], { title: 'c', parts: 2, by: 'r2' });
  const progress = reader.events.filter((e) => e.type === 'stage_progress' && e.node_id === 'each');
  assert.deepEqual(progress.map((e) => e.data.done), [1, 2, 3]);
  assert.equal(progress[0].data.item, '1');
  const runs = (await server.get(`/sessions/${id}/runs?limit=100`)).json;
  if (runs?.items) {
    const said = runs.items.filter((r) => r.node_id === 'say').map((r) => r.iteration);
    assert.deepEqual([...new Set(said)].sort(), [1, 2, 3, 4, 5, 6]);
  }
});
