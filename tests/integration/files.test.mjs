// Files of a session: written and read by tools, their versions over HTTP, over a kill.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server } from './lib/server.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(async () => { await server?.close(); });

const tool = (name, args, ...next_ids) => ({ type: 'tool', properties: { tool: name, arguments: args }, next_ids });
const graph = {
  nodes: {
    start: { type: 'start', next_ids: ['w1'] },
    w1: tool('write_file', { path: 'notes/a.md', content: 'one\ntwo\n', reason: 'a start' }, 'w2'),
    w2: tool('write_file', { path: 'notes/a.md', content: 'one\n{{ input.word }}\n' }, 'r'),
    r: tool('read_file', { path: 'notes/a.md' }, 'ask'),
    ask: { type: 'user_input', next_ids: ['old'] },
    old: tool('read_file', { path: 'notes/a.md', version: 1, offset: 4, limit: 2 }, 'w3'),
    w3: tool('write_file', { path: 'b', content: { n: [1] } }, 'list'),
    list: tool('list_files', {}, 'end'),
    end: { type: 'end', properties: { output: { read: 'nodes.r.output', old: 'nodes.old.output', list: 'nodes.list.output' } } },
  },
};
const file = (id, what, query) => server.get(`/sessions/${id}/files${what}${query ? `?${new URLSearchParams(query)}` : ''}`);

test('a session writes, reads what it wrote, and keeps every version', async () => {
  const id = await server.execute(graph, { word: 'zwei' });
  const reader = new Reader(server, id, { reconnect: true });
  await reader.untilEvent('node_state_change', (e) => e.node_id === 'ask' && e.data.to === 'suspended');
  await server.kill('SIGKILL');
  await server.start();
  assert.equal((await server.post(`/sessions/${id}/input`, { content: 'go on' })).status, 200);
  await reader.ended();
  reader.close();
  assert.deepEqual(reader.problems, []);
  const session = (await server.get(`/sessions/${id}`)).json;
  assert.deepEqual(session.output, {
    read: { path: 'notes/a.md', version: 2, size: 9, encoding: 'utf-8', content: 'one\nzwei\n' },
    old: { path: 'notes/a.md', version: 1, size: 8, encoding: 'utf-8', content: 'tw', truncated: true },
    list: [{ path: 'b', version: 1, size: 9 }, { path: 'notes/a.md', version: 2, size: 9 }],
  });

  const list = (await file(id, '')).json;
  assert.deepEqual(list.items.map((f) => [f.path, f.version, f.size]), [['b', 1, 9], ['notes/a.md', 2, 9]]);
  const first = (await file(id, '', { limit: 1 })).json;
  assert.equal(first.items.length, 1);
  assert.equal((await file(id, '', { cursor: first.next_cursor })).json.items[0].path, 'notes/a.md');
  const history = (await file(id, '/history', { path: 'notes/a.md' })).json.items;
  assert.deepEqual(history.map((f) => [f.version, f.reason, f.author]), [[2, null, 'w2'], [1, 'a start', 'w1']]);
  const told = reader.events.find((e) => e.type === 'tool_execution' && e.node_id === 'w2' && e.data.status === 'completed');
  assert.equal(history[0].seq, told.seq);
  const content = (await file(id, '/content', { path: 'notes/a.md', version: 1 })).json;
  assert.equal(content.content, 'one\ntwo\n');
  assert.equal((await file(id, '/content', { path: 'b' })).json.content, '{"n":[1]}');
  assert.equal((await file(id, '/diff', { path: 'notes/a.md' })).text,
    '--- version 1\n+++ version 2\n@@ -1,2 +1,2 @@\n one\n-two\n+zwei\n');
  assert.match((await file(id, '/diff', { path: 'b' })).text, /^--- version 0\n\+\+\+ version 1\n/);
});

test('what is not there, or makes no sense, is refused', async () => {
  const id = await server.execute({ nodes: {
    start: { type: 'start', next_ids: ['w'] },
    w: { ...tool('write_file', { path: '../a', content: '' }, 'r'), on_error: 'continue' },
    r: { ...tool('read_file', { path: 'none' }, 'end'), on_error: 'continue' },
    end: { type: 'end' },
  } });
  const reader = new Reader(server, id);
  await reader.ended();
  reader.close();
  const failed = reader.events.filter((e) => e.type === 'tool_execution' && e.data.status === 'failed');
  assert.deepEqual(failed.map((e) => e.data.error.code), ['invalid_arguments', 'not_found']);
  assert.deepEqual((await file(id, '')).json, { items: [], next_cursor: null });
  const none = '00000000-0000-7000-8000-000000000000';
  for (const [status, r] of [
    [404, file(none, '')],
    [404, file(none, '/content', { path: 'a' })],
    [404, file(id, '/content', { path: 'a' })],
    [404, file(id, '/diff', { path: 'a' })],
    [400, file(id, '/content')],
    [400, file(id, '/history')],
    [400, file(id, '/content', { path: 'x'.repeat(2000) })],
    [400, file(id, '', { cursor: 'bm90aGluZw' })],
  ]) {
    const answer = await r;
    assert.equal(answer.status, status, answer.text);
  }
});
