// Sessions that wait for a person: `start -> human_review -> end`, suspended at the review.
import { setTimeout as sleep } from 'node:timers/promises';

export const ask = {
  id: 'ask', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['review'] },
    review: { type: 'human_review', properties: { prompt: 'Is this all right?' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

export async function putWorkflow(server, graph) {
  const made = await server.post('/workflows', graph);
  if (made.status !== 201) throw new Error(made.text);
}

/** So many sessions more, suspended. */
export const suspend = (c, server, count) => c.load('execute', server, { workflow: ask.id, count });

/** Until no session is in the server's memory: half a minute after the last was touched, and some. */
export async function evicted(c, server) {
  for (let i = 0; i < 200; i++) {
    if (await c.metric(server, 'sluice_sessions_live') === 0) return;
    await sleep(500);
  }
  throw new Error('sessions that only wait stay in memory');
}
