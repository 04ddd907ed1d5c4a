// Two users and two programs change one session at once: over HTTP, WebSocket and the command line, with
// If-Match and without, on one instance, and on two where the store can be shared. No update is lost, no state
// moves that may not, and there is one history. SLUICE_TOGETHER_SECONDS: how long (a minute: the promise).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { holdEvents } from './lib/contract.mjs';
import { Reader } from './lib/client.mjs';
import { Server, sluiceBin } from './lib/server.mjs';
import { Database, storeKind } from './lib/services.mjs';
import { checkLog } from './lib/truth.mjs';

const seconds = Number(process.env.SLUICE_TOGETHER_SECONDS ?? 8);
const ITEMS = 40;

let one, two, database;
before(async () => {
  if (storeKind() === 'postgres') database = new Database();
  one = await new Server({ database }).start();
  two = database ? await new Server({ database }).start() : one;
});
after(async () => {
  if (two !== one) await two?.close();
  await one?.close();
  database?.drop();
});

// A stage that people work on, a review that is answered again and again.
const graph = {
  nodes: {
    start: { type: 'start', next_ids: ['fan'] },
    fan: { type: 'parallel', next_ids: ['work', 'review'] },
    work: { type: 'stage', properties: { checklist: Array.from({ length: ITEMS }, (_, i) => `item ${i}`) }, next_ids: ['end'] },
    review: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'again' } },
    again: { type: 'transform', properties: { output: { n: '1' } }, next_ids: ['review'] },
    end: { type: 'end' },
  },
};

// A person's WebSocket: asks, and waits for the ack or the error.
class Talk {
  constructor(server) {
    this.asked = new Map();
    this.n = 0;
    this.ws = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, 'sluice.v1', { perMessageDeflate: false });
    this.open = new Promise((done, fail) => { this.ws.on('open', done); this.ws.on('error', fail); });
    this.ws.on('message', (text) => {
      const m = JSON.parse(text.toString());
      this.asked.get(m.request_id)?.(m);
      this.asked.delete(m.request_id);
    });
  }
  ask(message) {
    const request_id = `r${++this.n}`;
    return new Promise((done) => {
      this.asked.set(request_id, done);
      this.ws.send(JSON.stringify({ ...message, request_id }));
    });
  }
}

function cli(server, ...args) {
  return new Promise((done) => {
    const child = spawn(sluiceBin(), [...args, '--server', server.url, '--json'], { env: { ...process.env, LANG: 'C' } });
    let out = '', err = '';
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { err += d; });
    child.on('close', (code) => done({ code, out, err }));
  });
}

test(`two users and two programs at once for ${seconds} s`, { timeout: (seconds + 60) * 1000 }, async () => {
  const id = await one.execute(graph, {}, { name: 'together', metadata: { shared: 0 } });
  const at = `/sessions/${id}`;
  const reader = new Reader(two, id);
  const until = Date.now() + seconds * 1000;
  const goesOn = () => Date.now() < until;
  const versions = []; // of every change that was accepted
  const counts = { stale: 0, pauses: 0, resumes: 0, answers: 0, items: 0, refusals: 0, cli: 0, polls: 0 };
  const paused = new Set(), resumed = new Set(); // seqs, as they were told

  const changed = (r) => {
    assert.equal(r.status, 200, r.text);
    assert.equal(r.headers.get('etag'), `"${r.json.version}"`);
    versions.push(r.json.version);
    return r;
  };

  // Who has written looks at other things for a while; else who is farther away would never be in time.
  async function looks_around(server) {
    for (const path of ['/nodes', '/messages', '/usage', '/stages', '/files', '/diagram']) await server.get(at + path);
  }

  // A counter that two programs share: read, add one, write with If-Match; stale: again. PATCH or PUT.
  const shared = { added: 0 };
  async function counts_with_if_match(name, read, write, method) {
    let mine = 0;
    while (goesOn()) {
      const now = await read.get(at);
      assert.equal(now.status, 200, now.text);
      const metadata = { shared: now.json.metadata.shared + 1, [name]: mine + 1 };
      const body = method === 'PUT' ? { ...now.json, metadata: { ...now.json.metadata, ...metadata } } : { metadata };
      if (method === 'PUT') delete body.status; // it may have moved since
      const r = await write.request(method, at, body, { 'if-match': now.headers.get('etag') });
      if (r.status === 412) {
        assert.equal(r.json.code, 'stale_version', r.text);
        counts.stale++;
        continue;
      }
      changed(r);
      assert.equal(r.json.metadata.shared, metadata.shared);
      shared.added++;
      mine++;
      await looks_around(read);
    }
    return { [name]: mine };
  }

  // Who writes its own member needs no If-Match.
  async function counts_freely(name, server) {
    let mine = 0;
    while (goesOn()) {
      changed(await server.request('PATCH', at, { metadata: { [name]: ++mine }, workflow_state: { [name]: { last: mine } } }));
      await looks_around(server);
      await looks_around(server);
    }
    return { [name]: mine };
  }

  const told = (status, seq, body) => {
    if (status === 200) (body === 'pause' ? paused : resumed).add(seq);
    else assert.equal(status, 409);
    counts[status === 200 ? `${body}s` : 'refusals']++;
  };

  // A person who pauses and resumes, and answers the review, over a WebSocket.
  async function person_with_socket(server) {
    const talk = new Talk(server);
    await talk.open;
    while (goesOn()) {
      for (const type of ['pause', 'resume']) {
        const m = await talk.ask({ type, session_id: id });
        if (m.type === 'error') assert.equal(m.code, 'conflict', JSON.stringify(m));
        told(m.type === 'ack' ? 200 : 409, m.seq, type);
      }
      const m = await talk.ask({ type: 'resume_node', session_id: id, node_id: 'review', action: 'reject' });
      if (m.type === 'ack') counts.answers++;
      else assert.ok(['conflict', 'not_found'].includes(m.code), JSON.stringify(m));
    }
    talk.ws.close();
    return {};
  }

  // A person at the command line, and over HTTP between: pauses, resumes, works on the stage.
  const items = new Map();
  let stage;
  async function person_with_commands(server, from, to) {
    for (let n = from; goesOn(); n = n + 1 < to ? n + 1 : from) {
      const done = !items.get(n);
      const r = await server.request('PATCH', `/stages/${stage}`, { items: [{ index: n, done }] });
      if (r.status === 200) { items.set(n, done); counts.items++; }
      else assert.equal(r.status, 409, r.text);
      if (n % 5 === 0) {
        const verb = n % 10 ? 'resume' : 'pause';
        const c = await cli(server, 'session', verb, id);
        assert.ok(c.code === 0 || c.code === 4, c.out + c.err);
        counts.cli++;
        if (c.code === 0) told(200, JSON.parse(c.out).seq, verb);
      }
      const p = await server.post(`${at}/resume`);
      told(p.status, p.json.seq, 'resume');
    }
    return {};
  }

  async function watches_versions(server) {
    for (let last = 0; goesOn(); counts.polls++) {
      const r = await server.get(at);
      assert.ok(r.json.version >= last, `version ${r.json.version} after ${last}`);
      last = r.json.version;
    }
    return {};
  }

  const open = async () => (await one.get(`${at}/stages`)).json.items[0];
  stage = (await open()).instance_id;
  const results = await Promise.all([
    counts_with_if_match('a', one, one, 'PATCH'),
    counts_with_if_match('b', one, two, 'PUT'),
    counts_freely('c', two),
    counts_freely('d', one),
    person_with_socket(one),
    person_with_socket(two),
    person_with_commands(two, 0, ITEMS / 2),
    person_with_commands(one, ITEMS / 2, ITEMS),
    watches_versions(two),
    watches_versions(one),
  ]);

  // To its end.
  while ((await one.get(at)).json.status === 'paused') await one.post(`${at}/resume`);
  const now = await open();
  now.items.forEach((item, n) => assert.equal(item.done, items.get(n) ?? false, `item ${n}`));
  const last = await one.request('PATCH', `/stages/${stage}`, { items: now.items.map((_, index) => ({ index, done: true })) });
  assert.equal(last.status, 200, last.text);
  assert.equal((await two.post(`/stages/${stage}/complete`)).status, 200);
  assert.equal((await two.post(`${at}/nodes/review/resume`, { action: 'approve' })).status, 200);
  await reader.until((r) => r.done);
  reader.ws.close();
  changed(await two.request('PATCH', at, { metadata: { after: true } }));

  // No lost update: each writer's increments are all there, and each was a version of its own.
  const ended = (await one.get(at)).json;
  assert.equal(ended.status, 'completed');
  assert.equal(ended.metadata.shared, shared.added);
  for (const r of results) for (const [name, n] of Object.entries(r)) {
    assert.ok(n > 0, `${name} was never in time`);
    assert.equal(ended.metadata[name], n, name);
  }
  assert.equal(ended.workflow_state.c.last, ended.metadata.c);
  assert.equal(ended.metadata.after, true);
  versions.sort((x, y) => x - y);
  versions.forEach((v, i) => assert.equal(v, i + 2));
  assert.equal(ended.version, versions.length + 1);

  // One history, without a gap, the same for all; and no state moved that may not.
  const log = await two.events(id);
  checkLog(log, id);
  holdEvents(log.filter((e) => e.type === 'session_state_change'));
  assert.deepEqual(reader.problems, []);
  assert.deepEqual(reader.events, log);
  let state = 'pending';
  for (const e of log.filter((x) => x.type === 'session_state_change')) {
    assert.equal(e.data.from, state);
    state = e.data.to;
    if (state === 'paused') assert.ok(paused.has(e.seq), `a pause at ${e.seq} that nobody was told of`);
    else if (e.data.from === 'paused') assert.ok(resumed.has(e.seq) || e.seq > log.length - 40, `a resume at ${e.seq}`);
  }
  for (const seq of paused) assert.equal(log[seq - 1].data.to, 'paused');
  assert.equal(log.filter((e) => e.type === 'node_resumed' && e.node_id === 'review').length, counts.answers + 1);

  assert.ok(versions.length > 20 && counts.stale > 0 && counts.pauses > 0 && counts.items > 0 && counts.cli > 0, JSON.stringify(counts));
  console.log(`# ${versions.length} changes, ${log.length} events, ${JSON.stringify(counts)}`);
});
