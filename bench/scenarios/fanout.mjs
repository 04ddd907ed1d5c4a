// One session to 1,000 viewers. One by one: a model speaks faster than its words can be given to all of them. Where
// a viewer is behind, a write carries two: what counts is writes. The client looks at its sockets 50 times a second, so that
// the machine is the writer's. Behind: a script logs 10,000 lines, which come faster than they go out, so that a write carries
// all that its viewer lacks. Beside them a loop of bare sockets that does the same for the same client: one thread, and as
// many as the server writes with.
import { availableParallelism } from 'node:os';
import { options } from '../lib/context.mjs';

const VIEWERS = 1000, LINES = 10_000, RATE = 500, DOZE_MS = 20;
const THREADS = Math.min(4, availableParallelism()); // of the server, that write

/** A session that waits for the signal `go` before `node`. */
export async function waiting(server, node) {
  return server.execute({
    start_node_id: 'start',
    nodes: {
      start: { type: 'start', next_ids: ['go'] },
      go: { type: 'signal', properties: { name: 'go' }, next_ids: ['x'] },
      x: { ...node, next_ids: ['end'] },
      end: { type: 'end' },
    },
  });
}

/** A session that says `count` words, `rate` a second, each of them an event. */
export const speaker = (server, count, rate) =>
  waiting(server, { type: 'llm', properties: { prompt: `[[tokens=${count} rate=${rate} chunk_bytes=8]]` } });

/** What viewers of a session are given from its `go` on. */
export const watch = (c, server, id, flags) =>
  c.load('fanout', server, {
    path: `/ws?session_id=${id}&after=0`, go: `/sessions/${id}/signal`, body: JSON.stringify({ name: 'go', payload: {} }), pid: server.pid, ...flags,
  });

const sent = async (c, server) => ({ writes: await c.metric(server, 'sluice_websocket_writes_total'), frames: await c.metric(server, 'sluice_frames_sent_total') });

/** The same, with `frames_per_write` over all of it. */
async function watchWrites(c, server, id, flags) {
  const before = await sent(c, server);
  const told = await watch(c, server, id, flags);
  const after = await sent(c, server);
  return { ...told, frames_per_write: (after.frames - before.frames) / (after.writes - before.writes) };
}

async function limit(c, flags, load) {
  const loop = await c.background('socket_loop', ...options(flags));
  const told = await c.load('fanout', loop, { pid: loop.pid, ...load });
  await c.stop(loop);
  return told;
}

export async function run(c) {
  const standin = await c.standin();
  const server = await c.server({ env: standin.env });
  const model = await speaker(server, RATE * (c.seconds + 10), RATE);
  const one = { viewers: VIEWERS, seconds: c.seconds, 'doze-ms': DOZE_MS };
  const single = await watchWrites(c, server, model, one);
  await server.post(`/sessions/${model}/cancel`);
  const script = await waiting(server, { type: 'script', properties: { code: `for i = 1, ${LINES} do log("line") end return 1` } });
  const behind = await watchWrites(c, server, script, { viewers: VIEWERS, frames: LINES });
  const frames = { bytes: single.frame_bytes + 4, frames: 1000 * (c.seconds + 10), run: 1 };
  const limits = {
    single: await limit(c, frames, one),
    threads: { count: THREADS, ...await limit(c, { ...frames, threads: THREADS }, one) },
    behind: await limit(c, { bytes: behind.frame_bytes + 4, frames: LINES, run: Math.floor(65536 / (behind.frame_bytes + 4)) }, { viewers: VIEWERS, frames: LINES }),
  };
  return {
    values: { 'fanout.rate': single.frames_per_s / Math.max(1, single.frames_per_write), 'fanout.batched': behind.frames_per_s },
    detail: { single, behind, limits },
  };
}
