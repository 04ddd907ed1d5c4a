// Vectors over the wire, from a server that others wrote (@copilotkit/aimock): texts that share no word
// are found by their meaning, long ones go in batches, and what a server gives wrong is refused.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import { Server } from './lib/server.mjs';

const mock = new LLMock({ port: 0, logLevel: 'silent' });
const scratch = mkdtempSync(join(tmpdir(), 'sluice-embeddings-'));
let server;

before(async () => {
  await mock.start();
  mock.onEmbedding(/cat|feline|猫/, { embedding: [0.9, 0.1, 0, 0] });
  mock.onEmbedding(/engine|motor/, { embedding: [0, 0.1, 2.9, 0] });
  mock.onEmbedding(/short/, { embedding: [1, 0] });
  mock.onEmbedding(/void/, { embedding: [0, 0, 0, 0] });
  mock.onEmbedding(/wall/, { embedding: [0, 1, 0, 1] });
  const config = join(scratch, 'sluice.yaml');
  writeFileSync(config, `providers:\n  - {id: vectors, base_url: "${mock.url}/v1", api_key_env: MOCK_KEY, models: [gpt-4o]}\nembedding: {provider: vectors, model: text-embedding-x, dimensions: 4}\n`);
  server = await new Server({ args: ['--config', config], env: { MOCK_KEY: 'test' } }).start();
});
after(async () => {
  await server?.close();
  await mock.stop();
  rmSync(scratch, { recursive: true });
});

const ingest = (content, group_id = 'g') => server.post('/memory/ingest', { group_id, content });
const asked = () => mock.getRequests().filter((r) => r.path.endsWith('/embeddings')).map((r) => r.body);

test('what shares no word is found by its vector', async () => {
  const made = await ingest('The cat sleeps.');
  assert.equal(made.status, 201, made.text);
  assert.equal(made.json.model, 'text-embedding-x');
  assert.equal((await ingest('An engine hums.')).status, 201);
  for (const [query, content] of [['feline habits', /cat/], ['猫', /cat/], ['motor', /engine/]]) {
    const found = await server.post('/memory/query', { group_id: 'g', query, max_results: 1 });
    assert.equal(found.status, 200, found.text);
    assert.equal(found.json.embedded, true);
    assert.match(found.json.items[0].content, content);
  }
  assert.deepEqual(asked().slice(0, 2).map((b) => [b.model, b.embeddingInput]), [['text-embedding-x', 'The cat sleeps.'], ['text-embedding-x', 'An engine hums.']]);
});

test('a long text goes in batches of 32 at most', async () => {
  const before = asked().length;
  const made = await ingest('Another brick in the wall. '.repeat(3000), 'long');
  assert.equal(made.status, 201, made.text);
  assert.ok(made.json.chunks > 32, `${made.json.chunks} chunks`);
  assert.equal(asked().length - before, Math.ceil(made.json.chunks / 32));
});

for (const [word, sentence] of [['short', /2 numbers, but 4 are wanted/], ['void', /without a direction/]]) {
  test(`a vector that is no good (${word}) stores nothing`, async () => {
    const r = await ingest(`It is ${word}.`, word);
    assert.equal(r.status, 502, r.text);
    assert.equal(r.json.code, 'embedding_failed');
    assert.match(r.text, sentence);
    assert.deepEqual((await server.get(`/memories?group_id=${word}`)).json.items, []);
  });
}
