// Example workflows, run on the demo provider, with people and workers by script.
//
// An example may say in `metadata.example` with which `input` it is run, how it `ends` (completed), and
// what the world `answers`, by node id, a list each, taken in order:
//
//     {action, data?}          to a review or form            {say: text}      to a user_input
//     {signal: name, payload}  to the session                 {task: {output} or {error}}   by a worker
//     {stage: {items?, deliverables?}}                        to a stage; then it is completed
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { Reader } from './client.mjs';
import { repo, Server } from './server.mjs';
import { holdEvents } from './contract.mjs';

// A server whose demo provider does not make us wait, and says the same to the same question.
export class DemoServer {
  async start(settings = {}, args = []) {
    this.folder = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
    const config = join(this.folder, 'sluice.yaml');
    const providers = [{ id: 'demo', dialect: 'demo', tokens_per_s: 50000, seed: 7 }];
    writeFileSync(config, JSON.stringify({ providers, ...settings }));
    this.server = await new Server({ args: ['--config', config, ...args] }).start();
    return this.server;
  }
  async close() {
    await this.server?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function examplesOf(folder) {
  return readdirSync(join(repo, 'examples', folder)).filter((f) => f.endsWith('.yaml')).sort()
    .map((file) => ({ file, name: file.slice(0, -5), graph: parse(readFileSync(join(repo, 'examples', folder, file), 'utf8')) }));
}

async function stageDone(server, node, done, id) {
  const list = (await server.get(`/sessions/${id}/stages`)).json.items;
  const stage = list.find((s) => s.node_id === node).id ?? list.find((s) => s.node_id === node).instance_id;
  if (done.items) assert.equal((await server.request('PATCH', `/stages/${stage}`, { items: done.items })).status, 200);
  return server.post(`/stages/${stage}/complete`, { deliverables: done.deliverables ?? {}, reviewer: 'ann' });
}

async function taskDone(server, queue, done) {
  const leased = await server.post('/tasks/lease', { queue, wait_ms: 20000, worker: 'test' });
  assert.equal(leased.status, 200, leased.text);
  const [task] = leased.json.items;
  assert.ok(task, 'a task was leased');
  return 'error' in done
    ? server.post(`/tasks/${task.id}/fail`, { attempt: task.attempt, error: done.error })
    : server.post(`/tasks/${task.id}/complete`, { attempt: task.attempt, output: done.output ?? null });
}

async function answerOne(server, id, graph, node, answer) {
  let r;
  if ('say' in answer) r = await server.post(`/sessions/${id}/input`, { content: answer.say, user_id: 'ann' });
  else if ('signal' in answer) r = await server.post(`/sessions/${id}/signal`, { name: answer.signal, payload: answer.payload ?? null });
  else if ('task' in answer) r = await taskDone(server, graph.nodes[node].properties.queue, answer.task);
  else if ('stage' in answer) r = await stageDone(server, node, answer.stage, id);
  else r = await server.post(`/sessions/${id}/nodes/${node}/resume`, { reviewer: 'ann', ...answer });
  assert.equal(r.status, 200, `${node}: ${r.text}`);
}

// What wants an answer: a node that was suspended, or not answered by enough people; a task that began.
const asks = (graph, e) => (e.type === 'node_resumed' && e.data.final === false) ||
  (e.type === 'node_state_change' && (e.data.to === 'suspended' || (e.data.to === 'running' && graph.nodes[e.node_id]?.type === 'task')));

// Runs it to its end; the session and its events.
export async function runExample(server, { name, graph }, input) {
  const about = graph.metadata?.example ?? {};
  const left = structuredClone(about.answers ?? {});
  const id = await server.execute(graph, input ?? about.input ?? {});
  const reader = new Reader(server, id);
  for (let seen = 0; ;) {
    const e = await reader.until((r) => r.events.slice(seen).find((x) => asks(graph, x)) ?? r.done, 30000, `${name} to ask or end`);
    if (e === true) break;
    seen = e.seq;
    const answer = left[e.node_id]?.shift();
    if (answer) await answerOne(server, id, graph, e.node_id, answer);
  }
  reader.close();
  assert.deepEqual(reader.problems, [], name);
  assert.deepEqual(Object.values(left).flat(), [], `${name}: answers that nobody asked for`);
  const session = (await server.get(`/sessions/${id}`)).json;
  assert.equal(session.status, about.ends ?? 'completed', `${name}: ${JSON.stringify(session.error)}`);
  const events = await server.events(id);
  holdEvents(events);
  return { session, events };
}

// ---- events as golden lines ----

const volatile = new Set(['timestamp', 'expires_at', 'expires_in_ms', 'session', 'index', 'at', 'created_at', 'updated_at', 'lease_expires_at', 'started_at', 'ended_at', 'elapsed_ms', 'duration_ms', 'date', 'until', 'due_at', 'waited_ms', 'current']);
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
const local = /127\.0\.0\.1:\d+/g;

function plain(v) {
  if (typeof v === 'string') return v.replace(uuid, '<id>').replace(time, '<time>').replace(local, '<server>');
  if (Array.isArray(v)) return v.map(plain);
  if (v && typeof v === 'object') {
    return Object.fromEntries(Object.entries(v).filter(([k]) => !volatile.has(k)).map(([k, x]) => [k, plain(x)]));
  }
  return v;
}

// One line an event, without times, ids and chunks. What runs side by side comes in any order, so the
// lines stand by node; those of one node in their order.
export function goldenOf(events) {
  const sections = new Map([['', []]]);
  for (const e of events) {
    if (e.type === 'token_stream') continue; // the message has it whole
    const node = e.node_id ?? '';
    if (!sections.has(node)) sections.set(node, []);
    sections.get(node).push(`${e.type} ${JSON.stringify(plain(e.data))}`);
  }
  // Voters are asked, and claims checked, side by side within one node.
  for (const lines of sections.values()) if (lines.some((l) => /^(vote_cast|fact_check_progress)/.test(l))) lines.sort();
  const nodes = [...sections.keys()].sort();
  return nodes.map((n) => `== ${n || 'session'}\n${sections.get(n).join('\n')}\n`).join('\n');
}
