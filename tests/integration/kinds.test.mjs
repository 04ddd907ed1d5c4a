// Every kind of node and every property: in the reference, in an example that runs, with the events
// that it always gave. GOLDEN_WRITE=1 (script/golden) writes them anew.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { repo } from './lib/server.mjs';
import { DemoServer, examplesOf, goldenOf, runExample } from './lib/scripted.mjs';

const everything = join(repo, 'tests/integration/node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const demo = new DemoServer();
const folder = join(repo, 'tests/golden');
const examples = examplesOf('kinds');
let server, web;
before(async () => {
  // What example URLs lead to.
  web = createServer((req, res) => {
    res.sendDate = false;
    const found = [{ title: 'Sleep', url: 'https://example.com/sleep', text: 'Cats sleep much.' }];
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(req.url.includes('q=') ? { results: found } : { celsius: 21 }));
  });
  await new Promise((done) => web.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${web.address().port}`;
  server = await demo.start({
    tools: { http: { allow: ['127.0.0.1'] } },
    search: { web: { url: `${url}/?q={query}`, results: 'results', title: 'title', link: 'url', snippet: 'text' } },
    mcp: { servers: { everything: { command: [process.execPath, everything, 'stdio'] } } },
  }, ['--examples', join(repo, 'examples/kinds')]); // stored, for one runs another
});
after(async () => {
  await demo.close();
  await new Promise((done) => web.close(done));
});

// {kind: [properties]} as the server has them.
async function kinds() {
  const { $defs } = (await server.get('/workflow.schema.json')).json;
  return Object.fromEntries($defs.node.allOf.map((k) => [k.if.properties.type.const, Object.keys(k.then.properties.properties.properties)]));
}

test('every kind and property has its row in the reference', async () => {
  const sections = new Map(readFileSync(join(repo, 'docs/WORKFLOWS.md'), 'utf8').split(/^(?=##+ )/m)
    .map((s) => [s.slice(0, s.indexOf('\n')).replace(/^#+ /, ''), s]));
  for (const [kind, properties] of Object.entries(await kinds())) {
    const section = sections.get(kind);
    assert.ok(section, `docs/WORKFLOWS.md has no section "### ${kind}"`);
    assert.ok(section.includes(`examples/kinds/${kind}.yaml`), `the section ${kind} does not name examples/kinds/${kind}.yaml`);
    for (const p of properties) {
      assert.match(section, new RegExp(`^\\|[^|]*\`${p}\`[^|]*\\|`, 'm'), `the section ${kind} has no row for ${p}`);
    }
  }
});

test('every kind has an example, and every property is used by one', async () => {
  const used = new Map();
  for (const { graph } of examples) {
    for (const n of Object.values(graph.nodes)) {
      if (!used.has(n.type)) used.set(n.type, new Set());
      Object.keys(n.properties ?? {}).forEach((p) => used.get(n.type).add(p));
    }
  }
  for (const [kind, properties] of Object.entries(await kinds())) {
    assert.ok(existsSync(join(repo, `examples/kinds/${kind}.yaml`)), `there is no examples/kinds/${kind}.yaml`);
    for (const p of properties) assert.ok(used.get(kind)?.has(p), `no example in examples/kinds uses ${kind}.${p}`);
  }
});

for (const example of examples) {
  test(`examples/kinds/${example.file} gives its golden events`, async () => {
    const verdict = (await server.post('/workflows/validate', example.graph)).json;
    assert.deepEqual(verdict, { valid: true, errors: [], warnings: [] });
    const input = structuredClone(example.graph.metadata?.example?.input ?? {});
    if (input.url) input.url = `http://127.0.0.1:${web.address().port}/`;
    const { events } = await runExample(server, example, input);
    const path = join(folder, `${example.name}.events`);
    const now = goldenOf(events);
    if (process.env.GOLDEN_WRITE) writeFileSync(path, now);
    else assert.equal(now, readFileSync(path, 'utf8'), `${path} differs; script/golden writes it anew`);
  });
}

test('no golden file is left over', () => {
  assert.deepEqual(readdirSync(folder).sort(), examples.map((e) => `${e.name}.events`).sort());
});
