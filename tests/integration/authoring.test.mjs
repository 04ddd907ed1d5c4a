// What helps to write workflows: diagrams, the schema of the format.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { Reader } from './lib/client.mjs';
import { repo, Server, sluiceBin } from './lib/server.mjs';

let server, scratch;
const file = (name, text) => {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
};
before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'sluice-authoring-'));
  // The demo provider at a pace that does not make us wait.
  server = await new Server({ args: ['--config', file('sluice.yaml', 'providers: [{ id: demo, dialect: demo, tokens_per_s: 20000 }]\n')] }).start();
});
after(async () => {
  await server?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const cli = (...args) => {
  const r = spawnSync(sluiceBin(), args, { env: { ...process.env, SLUICE_URL: server.url }, encoding: 'utf8' });
  return { code: r.status, out: r.stdout, err: r.stderr };
};
const examples = readdirSync(join(repo, 'examples'), { recursive: true })
  .map(String).filter((f) => f.endsWith('.yaml') && !/^(templates|staged)\//.test(f)).sort();

const reviewed = {
  id: 'reviewed',
  nodes: {
    start: { type: 'start', next_ids: ['review'] },
    review: { type: 'human_review', routes: { approve: 'end', reject: 'end' } },
    end: { type: 'end' },
  },
};

test('the schema is served, printed and in docs/', async () => {
  const served = await server.get('/workflow.schema.json');
  assert.equal(served.status, 200);
  assert.match(served.headers.get('content-type'), /^application\/schema\+json/);
  const printed = execFileSync(sluiceBin(), ['flow', 'schema'], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(printed), served.json);
  assert.equal(printed, readFileSync(join(repo, 'docs/workflow.schema.json'), 'utf8'),
    'run: sluice flow schema > docs/workflow.schema.json');
});

test('the schema takes every example and refuses wrong shapes, as validation does', async () => {
  const { json: schema } = await server.get('/workflow.schema.json');
  const holds = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, strictTypes: false, allowUnionTypes: true }).compile(schema);
  assert.ok(examples.length >= 5);
  for (const name of examples) {
    const text = readFileSync(join(repo, 'examples', name), 'utf8');
    assert.match(text, /^# yaml-language-server: \$schema=(\.\.\/)+docs\/workflow\.schema\.json\n/, name);
    assert.ok(holds(parse(text)), `${name}: ${JSON.stringify(holds.errors)}`);
  }
  const around = (a) => ({ nodes: { start: { type: 'start', next_ids: ['a'] }, a, end: { type: 'end' } } });
  const llm = { type: 'llm', properties: { prompt: 'p' }, next_ids: ['end'] };
  for (const [name, graph] of Object.entries({
    'no nodes': {},
    'an unknown field': { ...around(llm), node: 1 },
    'an unknown field of a node': around({ ...llm, nextids: [] }),
    'an unknown kind': around({ ...llm, type: 'lmm' }),
    'an unknown property': around({ ...llm, properties: { prompt: 'p', promt: 'q' } }),
    'a missing property': around({ type: 'switch' }),
    'a number out of range': around({ ...llm, properties: { prompt: 'p', top_p: 2 } }),
    'text for a number': around({ ...llm, timeout_ms: '5' }),
    'a word that is none': around({ type: 'human_review', properties: { review_type: 'vote' }, next_ids: ['end'] }),
    'routes of who does not decide': around({ ...llm, routes: { a: 'end' } }),
    'a loop with one way': around({ type: 'loop', properties: { max_rounds: 2 }, next_ids: ['end'] }),
    'a bad id': { nodes: { ...around(llm).nodes, 'b c': { type: 'end' } } },
  })) {
    assert.equal(holds(graph), false, `the schema takes ${name}`);
    const verdict = await server.post('/workflows/validate', graph);
    assert.equal(verdict.json.valid, false, `validation takes ${name}`);
  }
});

test('a file is drawn without a server, a workflow and a session by it', async () => {
  const path = file('reviewed.json', JSON.stringify(reviewed));
  const offline = spawnSync(sluiceBin(), ['flow', 'diagram', path], {
    env: { ...process.env, SLUICE_URL: 'http://127.0.0.1:1' }, encoding: 'utf8' });
  assert.equal(offline.status, 0, offline.stderr);
  assert.match(offline.stdout, /^flowchart TD\n/);
  assert.match(offline.stdout, /n1 -->\|"approve"\| n2/);
  assert.doesNotMatch(offline.stdout, /classDef/);

  assert.equal((await server.post('/workflows', reviewed)).status, 201);
  const drawn = await server.get('/workflows/reviewed/diagram');
  assert.equal(drawn.status, 200);
  assert.match(drawn.headers.get('content-type'), /^text\/vnd\.mermaid/);
  assert.equal(drawn.text, offline.stdout);

  const id = await server.execute('reviewed');
  const reader = new Reader(server, id);
  await reader.untilEvent('human_interaction_required');
  for (const route of [`/workflows/reviewed/diagram?session_id=${id}&format=json`, `/sessions/${id}/diagram?format=json`]) {
    const r = await server.get(route);
    assert.equal(r.status, 200, r.text);
    assert.deepEqual(r.json.nodes.map((n) => [n.id, n.level, n.status]),
      [['start', 0, 'completed'], ['review', 1, 'suspended'], ['end', 2, 'pending']]);
    assert.equal(r.json.version, 1);
  }
  const dot = await server.get(`/sessions/${id}/diagram?format=dot`);
  assert.match(dot.headers.get('content-type'), /^text\/vnd\.graphviz/);
  assert.match(dot.text, /n1 \[label="review\\nhuman_review", shape=parallelogram, style=filled/);
  reader.close();

  for (const args of [['--session', id], ['reviewed', '--session', id], [path, '--session', id]]) {
    const r = cli('flow', 'diagram', ...args);
    assert.equal(r.code, 0, r.err);
    assert.match(r.out, /classDef suspended [^\n]*\n {4}class n1 suspended/);
  }
  assert.equal(JSON.parse(cli('flow', 'diagram', '--json', path).out).levels, 3);
});

test('an inline graph of a session is drawn; a session keeps the version it runs', async () => {
  const id = await server.execute({ ...reviewed, id: undefined, name: 'Inline "graph"' });
  const inline = await server.get(`/sessions/${id}/diagram?format=dot`);
  assert.match(inline.text, /label="Inline \\"graph\\""/);
  const other = structuredClone(reviewed);
  other.nodes.start.next_ids = ['end'];
  delete other.nodes.review;
  const first = await server.execute('reviewed');
  assert.equal((await server.request('PUT', '/workflows/reviewed', other)).status, 200);
  assert.equal((await server.get('/workflows/reviewed/diagram?format=json')).json.nodes.length, 2);
  assert.equal((await server.get('/workflows/reviewed/diagram?format=json&version=1')).json.nodes.length, 3);
  assert.equal((await server.get(`/workflows/reviewed/diagram?format=json&session_id=${first}`)).json.nodes.length, 3);
  // An inline session runs no stored workflow.
  assert.equal((await server.get(`/workflows/reviewed/diagram?session_id=${id}`)).status, 400);
});

test('what is wrong with a diagram is told', async () => {
  assert.equal((await server.get('/workflows/nobody/diagram')).status, 404);
  assert.equal((await server.get('/workflows/reviewed/diagram?format=svg')).status, 400);
  assert.equal((await server.get('/workflows/reviewed/diagram?version=99')).status, 404);
  assert.equal((await server.get('/workflows/reviewed/diagram?session_id=x')).status, 400);
  assert.equal((await server.get('/sessions/019b0000-0000-7000-8000-000000000000/diagram')).status, 404);
  assert.equal(cli('flow', 'diagram').code, 2);
  assert.equal(cli('flow', 'diagram', 'reviewed', '--format', 'svg').code, 2);
  assert.equal(cli('flow', 'diagram', join(scratch, 'nothing.yaml')).code, 3);
  const broken = cli('flow', 'diagram', file('broken.yaml', 'nodes: {start: {type: start, next_ids: [x]}}'));
  assert.equal(broken.code, 2);
  assert.match(broken.err, /no node "x"/);
});

// Waits for the session's end; answers what it asks with the first action, or a word.
async function runToTheEnd(id) {
  const reader = new Reader(server, id);
  for (let seen = 0; ;) {
    const e = await reader.until((r) => r.done || r.events.slice(seen).find((x) => x.type === 'human_interaction_required'));
    if (e === true) break;
    seen = e.seq;
    const answer = e.data.kind === 'user_input'
      ? await server.post(`/sessions/${id}/input`, { content: 'Friday' })
      : await server.post(`/sessions/${id}/nodes/${e.node_id}/resume`, { action: 'approve' });
    assert.equal(answer.status, 200, answer.text);
  }
  reader.close();
  return (await server.get(`/sessions/${id}`)).json;
}

const parsed = (name) => parse(readFileSync(join(repo, 'examples', name), 'utf8'));
const inputOf = (graph) => Object.fromEntries(Object.entries(graph.input_schema?.properties ?? {}).map(([k, v]) => [k, v.default]));

// Defect 11: cost uses the model that really ran and counts loops.
test('an estimate is within five times of what a demo run uses, loops included', async () => {
  for (const name of ['hello.yaml', 'council-debate.yaml', 'polish.yaml', 'long-wait.yaml']) {
    const graph = parsed(name);
    const input = inputOf(graph);
    const estimate = (await server.post('/workflows/estimate', { graph, input })).json;
    const session = await runToTheEnd(await server.execute(graph, input));
    assert.equal(session.status, 'completed', name);
    for (const side of ['input', 'output']) {
      const ratio = estimate.tokens[side] / session.usage[`${side}_tokens`];
      assert.ok(ratio > 0.2 && ratio < 5, `${name}: ${side} ${estimate.tokens[side]}, used ${session.usage[`${side}_tokens`]}`);
    }
  }
  const council = (await server.post('/workflows/estimate', { graph: parsed('council-debate.yaml') })).json;
  assert.equal(council.nodes.find((n) => n.node_id === 'affirmative').runs, 2);
  assert.deepEqual(council.agents.map((a) => [a.agent_id, a.runs]), [['affirmative', 2], ['negative', 2], ['pragmatist', 2]]);
  assert.equal(council.cost_usd, 0); // the demo provider takes no money
});

test('estimates of stored workflows; what is wrong is told', async () => {
  assert.equal((await server.post('/workflows', { ...parsed('hello.yaml'), id: 'hello' })).status, 201);
  const r = await server.post('/workflows/hello/estimate', { input: { name: 'Ada' } });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json, (await server.post('/workflows/estimate', { workflow_id: 'hello', input: { name: 'Ada' } })).json);
  assert.equal((await server.request('POST', '/workflows/hello/estimate')).status, 200);
  assert.equal((await server.post('/workflows/estimate', {})).status, 400);
  assert.equal((await server.post('/workflows/estimate', { workflow_id: 'a', graph: {} })).status, 400);
  assert.equal((await server.post('/workflows/nobody/estimate', {})).status, 404);
  const broken = await server.post('/workflows/estimate', { graph: { nodes: { start: { type: 'start' } } } });
  assert.equal(broken.status, 422);
  assert.ok(broken.json.details.errors.length > 0);
  const told = cli('flow', 'estimate', join(repo, 'examples/council-debate.yaml'), '--input', 'topic=Should we?');
  assert.equal(told.code, 0, told.err);
  assert.match(told.out, /affirmative +2 /);
  assert.equal(JSON.parse(cli('flow', 'estimate', 'hello', '--json').out).agents.length, 0);
  assert.equal(cli('flow', 'estimate', 'nobody').code, 3);
});

// ---- generate: a model that says what it is told to ----

const good = {
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'llm', properties: { prompt: '{{ input.topic }}' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};
const answer = (graph, explanation = 'It asks.') => JSON.stringify({ graph, explanation });
const misspelt = structuredClone(good);
misspelt.nodes.ask.next_ids = ['edn'];

class Model {
  // answers: texts, one a call; 'hang' begins to answer and never ends; a number is a status
  async start(...answers) {
    this.answers = answers;
    this.requests = [];
    this.closed = new Promise((done) => { this.wasClosed = done; });
    this.server = createServer((req, res) => {
      let body = '';
      req.on('data', (d) => { body += d; }).on('end', () => {
        this.requests.push(JSON.parse(body));
        const a = this.answers.shift();
        if (typeof a === 'number') { res.writeHead(a, { 'x-should-retry': 'false' }).end('{"error":{"message":"no such luck"}}'); return; }
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        const chunk = (delta, finish_reason = null) => `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
        if (a === 'hang') { res.write(chunk({ content: '{' })); res.on('close', this.wasClosed); return; }
        res.end(`${chunk({ content: a })}${chunk({}, 'stop')}data: [DONE]\n\n`);
      });
    });
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${this.server.address().port}/v1`;
    this.sluice = await new Server({ env: { OPENAI_BASE_URL: url, OPENAI_API_KEY: 'test', SLUICE_MODEL: 'm' } }).start();
    return this;
  }
  ask(prompt = 'Ask about a topic', more = {}) { return this.sluice.post('/workflows/generate', { prompt, ...more }); }
  async close() {
    await this.sluice.close();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
async function withModel(answers, use) {
  const model = await new Model().start(...answers);
  try { await use(model); } finally { await model.close(); }
}

test('generate: good at once', () => withModel([answer(good), `Here it is:\n\`\`\`json\n${answer(good)}\n\`\`\``], async (m) => {
  assert.equal((await m.sluice.post('/workflows', { ...good, id: 'topic-asker' })).status, 201);
  const r = await m.ask();
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json, { graph: good, explanation: 'It asks.', similar_templates: [{ id: 'topic-asker', name: 'topic-asker' }] });
  assert.equal(m.requests.length, 1);
  const [system, user] = m.requests[0].messages;
  assert.equal(user.content, 'Ask about a topic');
  for (const word of ['human_review', 'max_rounds*', 'next_ids', 'cases*']) assert.ok(system.content.includes(word), word);
  assert.equal(m.requests[0].response_format.type, 'json_schema');
  // Words and a fence around it.
  assert.deepEqual((await m.ask('else')).json, { graph: good, explanation: 'It asks.', similar_templates: [] });
}));

test('generate: repaired with the list of errors', () => withModel(['I do not know.', answer(misspelt), answer(good)], async (m) => {
  const r = await m.ask();
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json.graph, good);
  assert.deepEqual(m.requests.map((q) => q.messages.length), [2, 4, 6]);
  assert.match(m.requests[1].messages[3].content, /no JSON object/);
  assert.equal(m.requests[2].messages[4].content, answer(misspelt));
  assert.match(m.requests[2].messages[5].content, /nodes\.ask\.next_ids\[0\]: no node "edn"; did you mean "end"\?/);
}));

test('generate: never good is 502 with the errors', () => withModel([answer(misspelt), answer(misspelt), answer(misspelt), answer(good)], async (m) => {
  const r = await m.ask();
  assert.equal(r.status, 502, r.text);
  assert.equal(r.json.code, 'no_valid_workflow');
  assert.equal(r.json.details.attempts, 3);
  assert.match(r.json.details.errors[0].message, /no node "edn"/);
  assert.equal(m.requests.length, 3);
  assert.deepEqual((await m.sluice.get('/workflows')).json.items, []); // nothing is stored
}));

test('generate: a model that fails is 502, bad questions are 400', () => withModel([401], async (m) => {
  const r = await m.ask();
  assert.equal(r.status, 502, r.text);
  assert.equal(r.json.code, 'model_failed');
  assert.equal(typeof r.json.details.code, 'string');
  assert.equal((await m.ask('')).status, 400);
  assert.equal((await m.ask('x'.repeat(20001))).status, 400);
  assert.equal((await m.ask('x', { provider: 'nobody' })).status, 400);
  assert.equal((await m.sluice.post('/workflows/generate', {})).status, 400);
  assert.equal(m.requests.length, 1);
}));

test('generate: a client that goes away takes the model call with it', () => withModel(['hang', answer(good)], async (m) => {
  const gone = new AbortController();
  const asked = fetch(`${m.sluice.url}/workflows/generate`, {
    method: 'POST', signal: gone.signal, headers: { 'content-type': 'application/json' }, body: '{"prompt":"hang"}' });
  const refused = assert.rejects(asked, { name: 'AbortError' });
  while (m.requests.length === 0) await new Promise((go) => m.server.once('request', (req) => req.on('end', go)));
  gone.abort();
  await refused;
  await m.closed; // its socket
  assert.equal((await m.ask()).status, 200);
}));

test('generate: a shutdown answers what is under way', () => withModel(['hang'], async (m) => {
  const asked = m.ask();
  while (m.requests.length === 0) await new Promise((go) => m.server.once('request', (req) => req.on('end', go)));
  const ended = m.sluice.kill('SIGTERM');
  assert.equal((await asked).status, 503);
  assert.equal((await ended).code, 0);
}));

test('generate: the demo provider gives a council that runs', async () => {
  const r = await server.post('/workflows/generate', { prompt: 'Should "we" {{ move }} to a \\ four-day week?' });
  assert.equal(r.status, 200, r.text);
  assert.match(r.json.explanation, /canned/);
  const verdict = await server.post('/workflows/validate', r.json.graph);
  assert.deepEqual(verdict.json, { valid: true, errors: [], warnings: [] });
  const session = await runToTheEnd(await server.execute(r.json.graph, { topic: 'Should we?' }));
  assert.equal(session.status, 'completed');
  const path = join(scratch, 'generated.json');
  const told = cli('flow', 'generate', 'three', 'editors', '--output', path);
  assert.equal(told.code, 0, told.err);
  assert.equal(cli('flow', 'validate', path).code, 0);
});
