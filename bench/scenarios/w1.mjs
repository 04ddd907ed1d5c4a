// W1: sessions of `start -> one pure step -> end`, from execute to ended, at 1, 64 and 512 clients, and
// the bare commit loop that writes the same rows.
const graph = {
  id: 'w1', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['step'] },
    step: { type: 'transform', properties: { output: { n: 'input.n + 1' } }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

async function at(c, server, clients) {
  const before = { cpu: c.cpuMs(server), commits: await c.metric(server, 'sluice_store_commits_total'), ended: await c.metric(server, 'sluice_sessions_ended_total') };
  const told = await c.load('w1', server, { clients, seconds: c.seconds });
  const ended = await c.metric(server, 'sluice_sessions_ended_total') - before.ended;
  return {
    ...told,
    commits_per_session: (await c.metric(server, 'sluice_store_commits_total') - before.commits) / ended,
    cpu_ms_per_session: (c.cpuMs(server) - before.cpu) / ended,
  };
}

const lines = (text) => text.split('\n').filter((l) => l.startsWith('{')).map((l) => JSON.parse(l));

export async function run(c) {
  const server = await c.server();
  const made = await server.post('/workflows', graph);
  if (made.status !== 201) throw new Error(made.text);
  const rows = [];
  for (const clients of [1, 64, 512]) rows.push(await at(c, server, clients));
  await c.stop(server);
  const to = c.place();
  const limit = lines(await c.program('commit_loop', to, 1));
  if (c.store === 'postgres') limit.push(...lines(await c.program('pg_commit_loop', to, 1)));
  const [one, , many] = rows;
  return {
    values: { 'w1.rate': many.sessions_per_s, 'w1.median': one.p50_ms, 'w1.commits': one.commits_per_session, 'w1.cpu': many.cpu_ms_per_session },
    detail: { rows, limit },
  };
}
