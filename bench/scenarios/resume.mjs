// Resume: a suspended node is answered, to its `node_resumed` and to the session's end as a viewer sees
// them; warm, and after the session has left memory. The limit: one commit of one row by the store alone.
import { ask, putWorkflow } from '../lib/waiting.mjs';

const lines = (text) => text.split('\n').filter((l) => l.startsWith('{')).map((l) => JSON.parse(l));

export async function run(c) {
  const server = await c.server();
  await putWorkflow(server, ask);
  const count = Math.max(100, Math.round(c.seconds * 200));
  const flags = { workflow: ask.id, node: 'review', count };
  const commits = await c.metric(server, 'sluice_store_commits_total');
  const warm = await c.load('resume', server, flags);
  const commits_per_session = (await c.metric(server, 'sluice_store_commits_total') - commits) / await c.metric(server, 'sluice_sessions_ended_total');
  const evicted = await c.load('resume', server, { ...flags, evicted: 1 });
  await c.stop(server);
  const limit = lines(await c.program('commit_loop', c.place(), 1))
    .filter((l) => l.batch === 1);
  return { values: { 'resume.median': warm.ended_ms }, detail: { warm, evicted, commits_per_session, limit } };
}
