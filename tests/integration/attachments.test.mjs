// What an execute brings along: texts that are the session's first files, and that the start node joins.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Reader } from './lib/client.mjs';
import { Server, sluiceBin } from './lib/server.mjs';

let server;
const folder = mkdtempSync(join(tmpdir(), 'sluice-attach-'));
before(async () => { server = await new Server().start(); });
after(async () => {
  await server?.close();
  rmSync(folder, { recursive: true });
});

const graph = {
  nodes: {
    start: { type: 'start', next_ids: ['count'] },
    count: { type: 'transform', properties: { output: { size: 'len(nodes.start.output.combined_context)', names: 'len(input.attachments)' } }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};
const two = [
  { name: 'notes/plan.md', content: '# Plan\n\nBuild it — 建造.' },
  { name: 'data.csv', content: 'a,b\n1,2\n', media_type: 'text/csv' },
];
const joined = '## notes/plan.md\n\n# Plan\n\nBuild it — 建造.\n\n## data.csv\n\na,b\n1,2\n';

async function ended(id) {
  const reader = new Reader(server, id, { reconnect: true });
  const end = await reader.ended();
  reader.close();
  return end.data;
}

async function holdsBoth(id) {
  const log = await server.events(id);
  const start = log.find((e) => e.type === 'node_state_change' && e.node_id === 'start' && e.data.to === 'completed');
  assert.equal(start.data.output.combined_context, joined);
  const session = (await server.get(`/sessions/${id}`)).json;
  assert.deepEqual(session.input.attachments, [
    { name: 'notes/plan.md', path: 'notes/plan.md', media_type: 'text/markdown', size: Buffer.byteLength(two[0].content) },
    { name: 'data.csv', path: 'data.csv', media_type: 'text/csv', size: 8 },
  ]);
  const files = (await server.get(`/sessions/${id}/files`)).json.items;
  assert.deepEqual(files.map((f) => [f.path, f.version, f.media_type, f.reason, f.author, f.run_id]), [
    ['data.csv', 1, 'text/csv', 'attachment', 'ada', null],
    ['notes/plan.md', 1, 'text/markdown', 'attachment', 'ada', null],
  ]);
  for (const a of two) {
    const r = await server.get(`/sessions/${id}/files/content?path=${encodeURIComponent(a.name)}`);
    assert.equal(r.status, 200, r.text);
    assert.equal(r.json?.content ?? r.text, a.content);
  }
}

test('attachments are files of the first commit, and joined by the start node', async () => {
  const id = await server.execute(graph, { topic: 'x' }, { attachments: two, user_id: 'ada' });
  assert.equal((await ended(id)).to, 'completed');
  await holdsBoth(id);
});

test('a fork has them as well', async () => {
  const id = await server.execute(graph, {}, { attachments: two, user_id: 'ada' });
  await ended(id);
  for (const point of [{ after_seq: 1 }, { node_id: 'count' }]) {
    const r = await server.post(`/sessions/${id}/fork`, point);
    assert.equal(r.status, 202, r.text);
    assert.equal((await ended(r.json.session_id)).to, 'completed');
    await holdsBoth(r.json.session_id);
  }
});

test('a session that begins paused has them after kill -9', async () => {
  const id = await server.execute(graph, {}, { attachments: two, user_id: 'ada', start_paused: true });
  assert.equal((await server.get(`/sessions/${id}/files`)).json.items.length, 2);
  await server.kill();
  await server.start();
  assert.equal((await server.post(`/sessions/${id}/resume`)).status, 200);
  assert.equal((await ended(id)).to, 'completed');
  await holdsBoth(id);
});

test('5 MiB are taken, and survive a restart', async () => {
  const content = '建造 "x"\n'.repeat((5 << 20) / 11 | 0);
  const id = await server.execute({ ...graph, nodes: { ...graph.nodes, count: { type: 'transform', properties: { output: 'len(nodes.start.output.combined_context)' }, next_ids: ['wait'] }, wait: { type: 'signal', properties: { name: 'go' }, next_ids: ['end'] } } }, {}, { attachments: [{ name: 'big.md', content }] });
  const reader = new Reader(server, id, { reconnect: true });
  const counted = await reader.untilEvent('node_state_change', (e) => e.node_id === 'count' && e.data.to === 'completed');
  assert.ok(counted.data.output > 3e6);
  await server.kill();
  await server.start();
  assert.equal((await server.post(`/sessions/${id}/signal`, { name: 'go', payload: 1 })).status, 200);
  assert.equal((await reader.ended()).data.to, 'completed');
  reader.close();
});

test('what is no attachment is refused, and nothing has begun', async () => {
  const before = (await server.get('/sessions?limit=500')).json.items.length;
  const big = 'x'.repeat((5 << 20) / 2 + 1);
  for (const [status, attachments, why] of [
    [400, 'text', /array/],
    [400, [{ name: 'a.md' }], /name, content/],
    [400, [{ name: 'a.md', content: 'x', url: 'y' }], /name, content/],
    [413, [{ name: 'a', content: big }, { name: 'b', content: big }], /5242880/],
    [413, Array.from({ length: 51 }, (_, i) => ({ name: `f${i}`, content: '' })), /at most 50/],
    [415, [{ name: 'a.pdf', content: 'x', media_type: 'application/pdf' }], /texts/],
    [422, [{ name: '../a', content: 'x' }], /name/],
    [422, [{ name: 'a', content: 'x' }, { name: 'a', content: 'y' }], /another/],
    [400, [{ name: 'a', content: 'x\u0000y' }], /u0000/],
  ]) {
    const r = await server.post('/workflows/execute', { graph, attachments });
    assert.equal(r.status, status, r.text);
    assert.match(r.json.error, why);
  }
  const own = await server.post('/workflows/execute', { graph, input: { attachments: [] }, attachments: two });
  assert.equal(own.status, 400, own.text);
  assert.equal((await server.get('/sessions?limit=500')).json.items.length, before);
});

test('over WebSocket, and from the command line', async () => {
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, 'sluice.v1');
  await new Promise((open) => ws.once('open', open));
  ws.send(JSON.stringify({ type: 'execute', request_id: 'r', graph, attachments: two, user_id: 'ada' }));
  const ack = await new Promise((got) => ws.on('message', (m) => { const f = JSON.parse(m); if (f.request_id === 'r') got(f); }));
  assert.equal(ack.type, 'ack', JSON.stringify(ack));
  assert.equal((await ended(ack.session_id)).to, 'completed');
  await holdsBoth(ack.session_id);
  ws.close();

  const flow = join(folder, 'flow.json'), note = join(folder, 'note.md');
  writeFileSync(flow, JSON.stringify(graph));
  writeFileSync(note, 'Grün');
  const r = spawnSync(sluiceBin(), ['run', flow, '--attach', note, '--detach', '--server', server.url], { encoding: 'utf8' });
  assert.equal(r.status, 0, r.stderr);
  const id = r.stdout.trim();
  assert.equal((await ended(id)).to, 'completed');
  assert.deepEqual((await server.get(`/sessions/${id}`)).json.input.attachments, [{ name: 'note.md', path: 'note.md', media_type: 'text/markdown', size: 5 }]);
});
