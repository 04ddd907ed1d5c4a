// Topologies that people build elsewhere (Dify, n8n, LangGraph, AutoGen), re-drawn as workflows of ours: each runs
// on the demo provider to the end that it means, with people and workers by script.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DemoServer, examplesOf, runExample } from './lib/scripted.mjs';

const demo = new DemoServer();
const examples = examplesOf('topologies');
let server;
before(async () => { server = await demo.start(); });
after(async () => { await demo.close(); });

// What some must give, whatever the demo provider says.
const outputs = {
  'nested-loops': '101/101/',
  'tolerant-fan-out': [25, 50],
  'approval-chain': 'Short and safe.',
  'expense-approval': 'paid',
  'error-route': { worked: false },
  'worker-queue': 'a.jpg',
};

test('there are thirty of them', () => {
  assert.ok(examples.length >= 30, String(examples.length));
  for (const name of Object.keys(outputs)) assert.ok(examples.some((e) => e.name === name), name);
});

for (const example of examples) {
  test(`examples/topologies/${example.file} runs to its end`, async () => {
    const verdict = (await server.post('/workflows/validate', example.graph)).json;
    assert.deepEqual(verdict, { valid: true, errors: [], warnings: [] });
    const { session } = await runExample(server, example);
    if (example.name in outputs) assert.deepEqual(session.output, outputs[example.name]);
    else assert.notEqual(session.output, null);
    // And what it costs could be told before: loops, items and ways included.
    const estimate = await server.post('/workflows/estimate', { graph: example.graph, input: example.graph.metadata.example.input });
    assert.equal(estimate.status, 200, estimate.text);
    const used = session.usage.output_tokens;
    const ratio = estimate.json.tokens.output / used;
    if (used >= 20) assert.ok(ratio > 1 / 12 && ratio < 12, `estimated ${estimate.json.tokens.output}, used ${used}`);
  });
}
