// A server that has been lived in: sessions in every state, questions of every kind that wait for a person, and
// one or more of everything else that a view shows. For pictures of the views and checks of all of them.
import { createServer } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repo, Server } from './server.mjs';

// Two models: one whose answers are there at once, and one that is met in mid-sentence.
const CONFIG = `
providers:
  - { id: demo, dialect: demo, tokens_per_s: 2000, seed: 7 }
  - { id: slow, dialect: demo, tokens_per_s: 3, seed: 11 }
`;
const WAIT_MS = 30_000;

const graph = (nodes) => ({ nodes: { start: { type: 'start', next_ids: [Object.keys(nodes)[0]] }, ...nodes, end: { type: 'end' } } });
const asks = (type, name, properties) => graph({ ask: { type, name, properties, next_ids: ['end'] } });

const form = asks('human_review', 'Order', {
  review_type: 'form', prompt: 'Which size, and how many?', allow_skip: true, actions: ['order', 'leave'],
  form_schema: {
    type: 'object', required: ['size'],
    properties: {
      size: { type: 'string', title: 'Size', enum: ['small', 'medium', 'large'] },
      count: { type: 'integer', title: 'How many', minimum: 1, default: 12 },
      note: { type: 'string', title: 'Note' },
    },
  },
});
const stage = asks('stage', 'Build', {
  name: 'Build', description: 'Make it work, then make it small.', estimated_minutes: 30, deliverables: ['report'],
  checklist: ['A test that fails without it', 'The code', { name: 'The documentation', required: false }],
});

export class Seeded {
  async start() {
    this.scratch = mkdtempSync(join(tmpdir(), 'sluice-seed-'));
    const config = join(this.scratch, 'config.yaml');
    writeFileSync(config, CONFIG);
    const args = ['--examples', join(repo, 'examples'), '--config', config, '--tool-allow', '127.0.0.1'];
    this.server = await new Server({ args, env: { SLUICE_SECRET_KEY: 'a key of these tests, long enough' } }).start();
    this.url = this.server.url;
    await this.receiver();
    await this.fill();
    return this;
  }

  // Where webhooks go: it takes every second one.
  async receiver() {
    let nth = 0;
    this.ear = createServer((req, res) => req.resume().on('end', () => { res.statusCode = nth++ % 2 ? 500 : 204; res.end(); }));
    await new Promise((done) => this.ear.listen(0, '127.0.0.1', done));
  }

  async fill() {
    const { server } = this;
    const keyOf = async (name, role) => (await server.post('/keys', { name, role })).key;
    this.key = server.key = await keyOf('Ada Lovelace', 'admin'); // from now on everybody has to show one
    this.viewer = await keyOf('Vera', 'viewer');
    await keyOf('deploy', 'operator');
    this.webhook = (await server.post('/webhooks', { url: `http://127.0.0.1:${this.ear.address().port}/hook`, name: 'Team channel' })).id;
    await Promise.all([this.objects(), this.sessions()]);
    await this.later();
  }

  async objects() {
    const { server } = this;
    this.agent = (await server.post('/agents', {
      id: 'historian', name: 'Historian', category: 'research', description: 'Knows how it went the last time.',
      persona: 'You are a historian. You answer with what happened before, and what it cost.', temperature: 0.4,
    })).id;
    this.group = (await server.post('/groups', {
      id: 'board', name: 'The board', description: 'Those who decide.', category: 'council',
      system_prompt: 'You are one of the board. Speak briefly.', default_agent_ids: ['historian', 'affirmative', 'negative'],
    })).id;
    await server.post('/memory/ingest', { group_id: 'board', content: 'Verdict of March: no expansion before the pilot has ended.', metadata: { topic: 'expansion' } });
    await server.post('/memory/ingest', { group_id: 'board', content: 'The pilot ended in June. Two of three teams want to go on.', metadata: { topic: 'pilot' } });
    this.template = (await server.post('/templates', { id: 'our-council', name: 'Our council', description: 'As we hold it on Mondays.', category: 'debate', workflow_id: 'council-debate' })).id;
    const schedule = { workflow_id: 'hello', input: { name: 'everybody' }, missed: 'once', overlap: 'skip', time_zone: 'Europe/Berlin' };
    this.schedule = (await server.post('/schedules', { name: 'Every morning', cron: '0 9 * * MON-FRI', ...schedule })).id;
    await server.post('/schedules', { name: 'New year', cron: '0 0 1 JAN *', ...schedule, enabled: false });
  }

  async sessions() {
    const { server } = this;
    const council = await server.get('/workflows/council-debate');
    const slow = structuredClone(council.graph.nodes);
    for (const node of Object.values(slow)) if (node.type === 'agent' || node.type === 'llm') node.properties.provider = 'slow';
    const slowly = { name: council.name, input_schema: council.graph.input_schema, vars: council.graph.vars, nodes: slow };
    const begin = (what, input, more = {}) => this.execute(what, input, more);
    this.completed = await begin('council-debate', { topic: 'Should our team move to a four-day week?' });
    this.compared = await begin('council-debate', { topic: 'Should meetings end at half past?' });
    this.reviewed = await begin('council-debate', { topic: 'Should we rewrite it in another language?' });
    this.polished = await begin('polish', { subject: 'the office will be closed for repairs next Friday' });
    this.form = await begin(form, {}, { name: 'Paper for the printer' });
    this.question = await begin(asks('user_input', 'Ask', { prompt: 'Which day suits you?' }), {}, { name: 'The summer party' });
    this.stage = await begin(stage, {}, { name: 'A story from idea to release' });
    this.signal = await begin(asks('signal', 'Payment', { name: 'paid-7', timeout_ms: 600_000 }), {}, { name: 'Order 7' });
    this.failed = await begin(graph({ read: { type: 'script', name: 'Read the source', properties: { code: "error('the source has no such table')" }, next_ids: ['end'] } }), {}, { name: 'Nightly import' });
    this.cancelled = await begin(asks('wait', 'Until tomorrow', { duration_ms: 86_400_000 }), {}, { name: 'A long night' });
    this.running = await begin(slowly, { topic: 'Should we open a second office?' }, { name: 'Open a second office?' });
    this.paused = await begin(slowly, { topic: 'Should the canteen be vegetarian?' }, { name: 'A vegetarian canteen?' });
    await server.post(`/sessions/${this.cancelled}/cancel`, { reason: 'It can wait.' });
    await Promise.all([this.completed, this.compared].map((id) => this.approve(id)));
    await this.until(async () => (await server.get(`/sessions/${this.paused}/events?limit=500`)).items.some((e) => e.type === 'token_stream'));
    await server.post(`/sessions/${this.paused}/pause`);
  }

  // What needs that the rest is there.
  async later() {
    this.interrupt = (await this.waits(this.reviewed)).interrupt_id;
    await this.waits(this.form);
    await this.waits(this.polished);
  }

  async execute(what, input, more) {
    const body = typeof what === 'string' ? { workflow_id: what } : { graph: what };
    return (await this.server.post('/workflows/execute', { ...body, input, ...more })).session_id;
  }

  async approve(id) {
    const review = await this.waits(id);
    await this.server.post(`/sessions/${id}/nodes/${review.node_id}/resume`, { action: 'approve' });
    await this.until(async () => (await this.server.get(`/sessions/${id}`)).status === 'completed');
  }

  /** The question that a session asks. */
  waits(id) {
    return this.until(async () => (await this.server.get('/reviews?status=pending&limit=100')).items.find((r) => r.session_id === id));
  }

  async until(what) {
    for (const end = Date.now() + WAIT_MS; ;) {
      const value = await what();
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited ${WAIT_MS} ms for ${what}`);
      await new Promise((done) => setTimeout(done, 25));
    }
  }

  async close() {
    await this.server?.close();
    this.ear?.closeAllConnections();
    await new Promise((done) => this.ear?.close(done));
    rmSync(this.scratch, { recursive: true, force: true });
  }
}
