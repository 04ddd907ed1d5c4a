// MCP servers that others wrote, as tools of a workflow: over stdio and streamable HTTP, both generations.
// Does not depend on the store.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { modelServer } from './lib/model.mjs';
import { Server } from './lib/server.mjs';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const published = (name) => join(here, `node_modules/@modelcontextprotocol/${name}/dist/index.js`);
const modern = join(here, 'lib/modern-mcp.mjs');
const node = process.execPath;
// The SDK of the modern generation wants Node 20.
const skip = Number(process.versions.node.split('.')[0]) < 20 && 'needs Node 20';

let dir;
let files;
let server;
const children = [];

// A server over HTTP; waits for the line that says it listens.
async function listen(args, env, pattern, output) {
  const child = spawn(node, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return new Promise((done, fail) => {
    child.on('exit', (code) => fail(new Error(`${args} ended with ${code}`)));
    for (const s of [child.stdout, child.stderr]) s.resume();
    createInterface({ input: child[output] }).on('line', (line) => {
      const m = pattern.exec(line);
      if (m) done({ child, url: m[1] });
    });
  });
}

const freePort = () => new Promise((done) => {
  const s = createServer().listen(0, '127.0.0.1', () => {
    const { port } = s.address();
    s.close(() => done(port));
  });
});

async function everythingOverHttp(port) {
  const { child } = await listen([published('server-everything'), 'streamableHttp'], { PORT: String(port) }, /(listening on port)/, 'stderr');
  return child;
}

let httpPort;
let everything;
let model;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-mcp-'));
  files = join(dir, 'files');
  mkdirSync(files);
  writeFileSync(join(files, 'hello.txt'), 'hello from a file\n');
  httpPort = await freePort();
  everything = await everythingOverHttp(httpPort);
  const servers = {
    everything: { command: [node, published('server-everything'), 'stdio'], env: { GREETING: '{{ secret.GREETING }}' } },
    files: { command: [node, published('server-filesystem'), files] },
    'everything-http': { url: `http://127.0.0.1:${httpPort}/mcp` },
    missing: { command: ['/nowhere/mcp-server'] },
    mute: { command: [node, '-e', 'process.exit(3)'] },
  };
  if (!skip) {
    const { url } = await listen([modern, 'http'], {}, /listening on (http:.*)/, 'stdout');
    servers.modern = { command: [node, modern] };
    servers['modern-http'] = { url: `${url}/mcp` };
  }
  const config = join(dir, 'sluice.yaml');
  writeFileSync(config, JSON.stringify({ mcp: { servers } }));
  model = await modelServer(() => ({ name: 'echo', arguments: { message: 'from the model' } }));
  server = await new Server({
    args: ['--config', config],
    env: { SLUICE_SECRET_GREETING: 'good-morning-secret', OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'test' },
  }).start();
});
after(async () => {
  await server?.close();
  model?.close();
  for (const c of children) c.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

const graph = (properties, more = {}) => ({
  nodes: {
    start: { type: 'start', next_ids: ['call'] },
    call: { type: 'tool', properties: { tool: 'mcp', ...properties }, next_ids: ['end'], ...more },
    end: { type: 'end' },
  },
});

async function call(serverName, name, args = {}, more = {}) {
  const id = await server.execute(graph({ server: serverName, name, arguments: args }, more));
  const reader = new Reader(server, id);
  const end = await reader.ended();
  const log = await server.events(id);
  reader.close();
  const done = log.find((e) => e.node_id === 'call' && e.type === 'node_state_change' && e.data.to === 'completed');
  const failed = log.find((e) => e.node_id === 'call' && e.type === 'node_state_change' && e.data.to === 'failed');
  return { id, end, log, output: done?.data.output, error: failed?.data.error };
}

const legacy = ['everything', 'everything-http'];
const recent = ['modern', 'modern-http'];

for (const name of legacy) {
  test(`${name}: a call, its text and its structured content`, async () => {
    const echo = await call(name, 'echo', { message: 'hey ☕' });
    assert.equal(echo.output?.text, 'Echo: hey ☕', JSON.stringify(echo.error));
    assert.deepEqual(echo.output.content, [{ type: 'text', text: 'Echo: hey ☕' }]);
    const weather = await call(name, 'get-structured-content', { location: 'Chicago' });
    assert.equal(typeof weather.output.structuredContent.temperature, 'number', JSON.stringify(weather));
  });

  test(`${name}: progress comes as log events, before the result`, async () => {
    const r = await call(name, 'trigger-long-running-operation', { duration: 0.3, steps: 3 });
    assert.match(r.output?.text ?? '', /completed/, JSON.stringify(r.error));
    assert.deepEqual(r.log.filter((e) => e.type === 'log').map((e) => e.data.text), ['1/3', '2/3', '3/3']);
  });

  test(`${name}: errors are the server's own words`, async () => {
    const unknown = await call(name, 'no-such-tool');
    assert.equal(unknown.end.data.to, 'failed');
    assert.match(unknown.error.message, /no-such-tool/);
    const wrong = await call(name, 'get-sum', { a: 'x' });
    assert.match(wrong.error.code, /^(tool_error|invalid_params)$/);
    assert.ok(wrong.log.some((e) => e.type === 'tool_execution' && e.data.status === 'failed'));
  });

  test(`${name}: several calls are under way at once`, async () => {
    const slow = call(name, 'trigger-long-running-operation', { duration: 1, steps: 1 });
    const quick = await Promise.all([1, 2, 3, 4, 5].map((i) => call(name, 'echo', { message: `n${i}` })));
    assert.deepEqual(quick.map((q) => q.output?.text), ['Echo: n1', 'Echo: n2', 'Echo: n3', 'Echo: n4', 'Echo: n5']);
    assert.match((await slow).output.text, /completed/);
  });

  test(`${name}: a cancelled session ends its call, and the server goes on`, async () => {
    const id = await server.execute(graph({ server: name, name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 600 } }));
    const reader = new Reader(server, id);
    await reader.untilEvent('log');
    assert.equal((await server.post(`/sessions/${id}/cancel`)).status, 200);
    assert.equal((await reader.ended()).data.to, 'cancelled');
    reader.close();
    assert.equal((await call(name, 'echo', { message: 'still' })).output.text, 'Echo: still');
  });
}

test('a time limit ends a call', async () => {
  const r = await call('everything', 'trigger-long-running-operation', { duration: 60, steps: 1 }, { timeout_ms: 300 });
  assert.equal(r.error.code, 'timeout');
});

test('the environment of a server is what the settings say, secrets in it, and is not told', async () => {
  const r = await call('everything', 'get-env');
  const env = JSON.parse(r.output.text);
  assert.equal(env.GREETING, 'good-morning-secret');
  assert.equal(env.SLUICE_SECRET_GREETING, undefined);
  assert.ok(env.PATH);
});

test('files: a folder is read and written', async () => {
  const path = join(files, 'made.txt');
  const read = await call('files', 'read_text_file', { path: join(files, 'hello.txt') });
  assert.match(read.output?.text ?? '', /hello from a file/, JSON.stringify(read.error));
  assert.ok((await call('files', 'write_file', { path, content: 'made by a workflow' })).output);
  assert.match((await call('files', 'list_directory', { path: files })).output.text, /made\.txt/);
  const outside = await call('files', 'read_text_file', { path: '/etc/passwd' });
  assert.equal(outside.error.code, 'tool_error');
  assert.match(outside.error.message, /denied/i);
});

test('a server that cannot be started, or dies, is named', async () => {
  const missing = await call('missing', 'x');
  assert.equal(missing.error.code, 'spawn_failed');
  assert.match(missing.error.message, /missing/);
  const mute = await call('mute', 'x');
  assert.equal(mute.error.code, 'server_exited');
  assert.match(mute.error.message, /code 3/);
  assert.equal((await call('nobody', 'x')).error.code, 'unknown_server');
});

test('a session that an HTTP server has forgotten is begun anew', async () => {
  assert.equal((await call('everything-http', 'echo', { message: 'a' })).output.text, 'Echo: a');
  const gone = new Promise((done) => everything.once('exit', done));
  everything.removeAllListeners('exit');
  everything.once('exit', () => {});
  everything.kill('SIGKILL');
  await Promise.race([gone, new Promise((done) => everything.once('exit', done))]);
  const away = await call('everything-http', 'echo', { message: 'b' });
  assert.equal(away.error.code, 'connect_failed');
  everything = await everythingOverHttp(httpPort);
  assert.equal((await call('everything-http', 'echo', { message: 'c' })).output?.text, 'Echo: c');
});

test('an agent is told what an MCP tool takes, and uses it', async () => {
  const id = await server.execute({
    nodes: {
      start: { type: 'start', next_ids: ['clerk'] },
      clerk: {
        type: 'agent',
        properties: { persona: 'A clerk.', prompt: 'Echo something.', tools: [{ tool: 'mcp', server: 'everything', name: 'echo' }, 'web_search'] },
        next_ids: ['end'],
      },
      end: { type: 'end' },
    },
  });
  const reader = new Reader(server, id);
  const end = await reader.ended();
  reader.close();
  assert.equal(end.data.to, 'completed', JSON.stringify(end.data));
  const [echo, search] = model.requests[0].tools;
  assert.equal(echo.function.name, 'echo');
  assert.match(echo.function.description, /echo/i);
  assert.equal(echo.function.parameters.properties.message.type, 'string');
  assert.equal(search.function.name, 'web_search');
  const log = await server.events(id);
  assert.equal(log.find((e) => e.type === 'tool_execution' && e.data.status === 'completed').data.output.text, 'Echo: from the model');
  assert.match(log.findLast((e) => e.type === 'message').data.content, /Echo: from the model/);
});

for (const name of recent) {
  test(`${name}: calls, errors, arguments as headers`, { skip }, async () => {
    const sum = await call(name, 'add', { a: 2, b: 40 });
    assert.equal(sum.output?.text, '42', JSON.stringify(sum.error));
    assert.equal((await call(name, 'where', { region: 'eu-west' })).output?.text, 'eu-west');
    assert.equal((await call(name, 'where', { region: 'Zürich ' })).output?.text, 'Zürich ');
    const failed = await call(name, 'fail');
    assert.deepEqual([failed.error.code, failed.error.message], ['tool_error', 'it broke']);
    assert.match((await call(name, 'no-such-tool')).error.code, /invalid_params|tool_error/);
  });

  test(`${name}: progress, then cancelled at the server too`, { skip }, async () => {
    const before = Number((await call(name, 'cancelled')).output.text);
    const id = await server.execute(graph({ server: name, name: 'wait' }));
    const reader = new Reader(server, id);
    assert.equal((await reader.untilEvent('log')).data.text, '1/2 half way');
    assert.equal((await server.post(`/sessions/${id}/cancel`)).status, 200);
    await reader.ended();
    reader.close();
    let seen;
    do seen = Number((await call(name, 'cancelled')).output.text); while (seen === before); // ctest's limit ends a wait in vain
    assert.equal(seen, before + 1);
  });
}
