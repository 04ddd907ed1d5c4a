// Pause: 500 sessions stream 20 tokens a second, each with a viewer; one client pauses one after the
// other and resumes it. From the POST to the `quiesced` event as its viewer sees it.
import { putWorkflow } from '../lib/waiting.mjs';

const talk = {
  id: 'talk', start_node_id: 'start',
  nodes: {
    start: { type: 'start', next_ids: ['speak'] },
    speak: { type: 'llm', properties: { prompt: 'Speak at length.' }, next_ids: ['end'] },
    end: { type: 'end' },
  },
};

export async function run(c) {
  const sessions = 500, count = Math.max(100, Math.round(c.seconds * 40));
  const model = await c.standin('--rate', '20', '--tokens', '10000');
  const server = await c.server({ env: model.env });
  await putWorkflow(server, talk);
  const cpu = c.cpuMs(server);
  const told = await c.load('pause', server, { workflow: talk.id, sessions, count });
  const quiet = await c.server({ env: model.env });
  await putWorkflow(quiet, talk);
  const alone = await c.load('pause', quiet, { workflow: talk.id, sessions: 1, count: 100 });
  return { values: { 'pause.median': told.quiesced_ms }, detail: { ...told, cpu_ms: c.cpuMs(server) - cpu, alone } };
}
