// Defect 7 (votes are real votes, fact checks check claims), over HTTP with the demo and with a model
// that answers as it is told.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server } from './lib/server.mjs';
import { checkLog, checkReader } from './lib/truth.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(async () => { await server?.close(); });

async function run(graph, input = { topic: 'small trains' }) {
  const id = await server.execute(graph, input);
  const reader = new Reader(server, id);
  const end = await reader.ended();
  const log = await server.events(id);
  checkLog(log, id);
  checkReader(reader, log);
  reader.close();
  return { end, log, id };
}
const of = (log, type) => log.filter((e) => e.type === type);
const outcomes = (label) => ({ type: 'transform', properties: { output: `'${label}'` }, next_ids: ['end'] });

for (const vote_type of ['yes_no', 'score_1_10']) {
  test(`defect 7: a ${vote_type} vote has a decision and a reason of each voter, and the route follows from the tally`, async () => {
    const names = ['ann', 'bob', 'cy', 'dee', 'eli'];
    const { end, log } = await run({
      nodes: {
        start: { type: 'start', next_ids: ['v'] },
        v: {
          type: 'vote',
          properties: { voters: names.map((name) => ({ name, persona: `${name} is careful.` })), vote_type, question: 'Shall we have {{ input.topic }}?' },
          routes: { approve: 'up', reject: 'down' },
        },
        up: outcomes('up'),
        down: outcomes('down'),
        end: { type: 'end' },
      },
    });
    assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
    const cast = of(log, 'vote_cast').map((e) => e.data);
    assert.deepEqual(cast.map((v) => v.voter).sort(), names);
    for (const v of cast) {
      assert.ok(['yes', 'no', 'abstain'].includes(v.decision));
      assert.ok(v.reasoning.length > 5);
      assert.equal(v.error, undefined);
      assert.ok(v.decision === 'abstain' ? v.score === null : v.score >= 1 && v.score <= 10);
    }
    const count = (d) => cast.filter((v) => v.decision === d).length;
    const [result] = of(log, 'vote_result').map((e) => e.data);
    assert.equal(result.tally.yes, count('yes'));
    assert.equal(result.tally.no, count('no'));
    assert.equal(result.tally.abstain, count('abstain'));
    const scores = cast.filter((v) => v.score !== null).map((v) => v.score);
    const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
    assert.equal(result.passed, vote_type === 'yes_no' ? count('yes') > count('no') : mean >= 6);
    assert.equal(end.data.output, result.passed ? 'up' : 'down');
    const agents = new Set(of(log, 'message').map((e) => e.data.agent_id));
    assert.deepEqual([...agents].sort(), names); // each speaks for itself
    const output = of(log, 'node_state_change').find((e) => e.node_id === 'v' && e.data.to === 'completed').data.output;
    assert.deepEqual(output.votes.map((v) => v.voter), names);
  });
}

test('defect 7: a vote that says nothing useful is refused before it runs', async () => {
  const r = await server.post('/workflows/validate', {
    nodes: {
      start: { type: 'start', next_ids: ['v'] },
      v: { type: 'vote', properties: { voters: ['a', 'a'] }, routes: { approve: 'end', no: 'end' } },
      end: { type: 'end' },
    },
  });
  assert.equal(r.json.valid, false);
  assert.deepEqual(r.json.errors.map((e) => e.code).sort(), ['bad_route', 'bad_route', 'duplicate']);
});

test('defect 7: a fact check names its claims, searches for each, and routes by the share that is supported', async () => {
  const { end, log } = await run({
    nodes: {
      start: { type: 'start', next_ids: ['f'] },
      f: {
        type: 'fact_check',
        properties: { text: 'They say that {{ input.topic }} are cheaper and quieter.', max_claims: 3, max_queries: 1, verify_threshold: 0.5 },
        routes: { verified: 'up', failed: 'down' },
      },
      up: outcomes('up'),
      down: outcomes('down'),
      end: { type: 'end' },
    },
  });
  assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
  const steps = of(log, 'fact_check_progress').map((e) => e.data);
  assert.ok(steps.length >= 1);
  steps.forEach((s, i) => {
    assert.equal(s.current, i + 1);
    assert.equal(s.total, steps.length);
    assert.ok(['supported', 'refuted', 'unverified'].includes(s.verdict));
  });
  const searched = of(log, 'tool_execution').filter((e) => e.data.status === 'completed');
  assert.equal(searched.length, steps.length);
  const { output } = of(log, 'node_state_change').find((e) => e.node_id === 'f' && e.data.to === 'completed').data;
  const supported = steps.filter((s) => s.verdict === 'supported').length;
  assert.equal(output.pass_rate, supported / steps.length);
  assert.equal(output.passed, output.pass_rate >= 0.5);
  assert.equal(end.data.output, output.passed ? 'up' : 'down');
  assert.deepEqual(output.claims.map((c) => c.claim).sort(), steps.map((s) => s.claim).sort());
});

test('the rounds of a loop are summarised as they age', async () => {
  const { end } = await run({
    nodes: {
      start: { type: 'start', next_ids: ['rounds'] },
      rounds: { type: 'loop', properties: { max_rounds: 3 }, next_ids: ['say', 'end'] },
      say: { type: 'llm', properties: { prompt: 'Of {{ input.topic }}.', max_tokens: 5 }, next_ids: ['so_far'] },
      so_far: { type: 'context_synth', properties: { max_recent_rounds: 1, max_tokens: 8 }, next_ids: ['rounds'] },
      end: { type: 'end', properties: { output: 'nodes.so_far.output' } },
    },
  });
  assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
  const { rounds, summarised_rounds, recent, summary, context } = end.data.output;
  assert.equal(rounds, 3);
  assert.equal(summarised_rounds, 2);
  assert.deepEqual(recent.map((m) => [m.round, m.speaker]), [[3, 'say']]);
  assert.ok(summary.length > 0);
  assert.ok(context.includes(summary) && context.includes(recent[0].content));
});
