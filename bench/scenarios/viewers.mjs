// What an idle viewer costs in memory, of 10,000; and, for growth.mjs, what a frame costs in CPU with 10,000 viewers beside 10.
import { options } from '../lib/context.mjs';
import { residentBytes } from '../lib/proc.mjs';
import { speaker, waiting, watch } from './fanout.mjs';

const VIEWERS = 10_000, FEW = 10;

const idle = (c, server, id, viewers) =>
  c.background('load', 'viewers', ...options({ port: server.port, path: `/ws?session_id=${id}&after=0`, viewers }));

async function gone(c, server) {
  while (await c.metric(server, 'sluice_websockets') > 0) await new Promise((done) => setTimeout(done, 50));
}

/**
 * {cost, send_us, rows}. `cost` is the server's CPU a frame, with all that an event takes, 10,000 viewers beside 10. As an event
 * is dear beside ten frames, `send_us` has what one more viewer costs alone: from 10 to 1,000 of them, and from there to 10,000. Events come
 * slowly enough for each to reach all before the next: no write carries two.
 */
export async function growth(c) {
  const rows = [];
  for (const [viewers, rate] of [[FEW, 500], [1000, 100], [VIEWERS, 10]]) {
    const standin = await c.standin();
    const server = await c.server({ env: standin.env });
    rows.push(await watch(c, server, await speaker(server, rate * (c.seconds + 20), rate), { viewers, seconds: c.seconds }));
    await c.stop(server);
    await c.stop(standin);
  }
  const [few, some, many] = rows.map((r) => ({ ...r, event_us: r.server_cpu_us * r.viewers }));
  const send = (a, b) => (b.event_us - a.event_us) / (b.viewers - a.viewers);
  return { cost: many.server_cpu_us / few.server_cpu_us, send_us: { to_1000: send(few, some), to_10000: send(some, many) }, rows };
}

export async function run(c) {
  const server = await c.server();
  const id = await waiting(server, { type: 'transform', properties: { output: { n: '1' } } });
  await c.stop(await idle(c, server, id, 100)); // what is made once
  await gone(c, server);
  const before = residentBytes(server.pid);
  const viewers = await idle(c, server, id, VIEWERS);
  const bytes = (residentBytes(server.pid) - before) / VIEWERS;
  await c.stop(viewers);
  return { values: { 'viewers.bytes': bytes }, detail: { viewers: VIEWERS, before, bytes } };
}
