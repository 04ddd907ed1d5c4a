// What is to be reached, a row each, as the table of `script/bench` shows it. `peers` are figures of
// other servers that were measured on this kind of machine once, under the same load and with the durable
// settings that each ships with; nothing of them is measured by `script/bench`. The first one is the best.
const both = ['sqlite', 'postgres'];
const one = ['sqlite'];

const loop = (d, what, batch) => d.limit.find((l) => l.what === what && l.batch === batch);
const SESSIONS = 'sessions through the store';

// `limit` finds in a run's `detail` what the parts alone did, in the same run.
// id, scenario that gives it, what, unit, better: 'more' or 'less', reach, stores, peers.
export const figures = [
  { id: 'w1.rate', scenario: 'w1', what: 'W1, 512 clients: sessions a second', unit: '/s', better: 'more', reach: 10_000, stores: both, limit: (d) => loop(d, SESSIONS, 256)?.sessions_per_s,
    peers: { Restate: 1585, Mastra: 1520, DBOS: 633, 'LangGraph with PostgreSQL': 384, 'LangGraph server': 317, n8n: 14 } },
  { id: 'w1.median', scenario: 'w1', what: 'W1, one client: execute to ended, median', unit: 'ms', better: 'less', reach: 0.6, stores: both, limit: (d) => loop(d, SESSIONS, 1)?.commit_ms_p50,
    peers: { 'Mastra (unsynced)': 0.59, DBOS: 3.6, LangGraph: 4.5, Restate: 5.2, n8n: 90 } },
  { id: 'w1.commits', scenario: 'w1', what: 'W1, one client: commits a session', unit: '', better: 'less', reach: 2, stores: both },
  { id: 'w1.cpu', scenario: 'w1', what: 'W1, 512 clients: CPU a session, server and store', unit: 'ms', better: 'less', reach: 0.15, stores: both,
    peers: { Restate: 1.13, DBOS: 2.3, LangGraph: 3.9 } },
  { id: 'resume.median', scenario: 'resume', what: 'resume of a suspended node, one client, median', unit: 'ms', better: 'less', reach: 0.6, stores: both, limit: (d) => loop(d, SESSIONS, 1)?.commit_ms_p50,
    peers: { 'Mastra (unsynced)': 0.7, DBOS: 3.1, LangGraph: 3.1, Restate: 7.3, 'LangGraph server': 509 } },
  { id: 'tokens.median', scenario: 'tokens', what: 'added delay a token, 500 sessions of 20 tokens/s, median', unit: 'ms', better: 'less', reach: 1, stores: both, limit: (d) => d.durable?.as_often.p50_ms,
    peers: { LangGraph: 7.3, 'Restate (undurable)': 16, Mastra: 47 } },
  { id: 'tokens.p99', scenario: 'tokens', what: 'the same, p99', unit: 'ms', better: 'less', reach: 5, stores: both, limit: (d) => d.durable?.as_often.p99_ms,
    peers: { LangGraph: 37, Mastra: 258 } },
  { id: 'tokens.cpu', scenario: 'tokens', what: 'CPU a token in that load, server and store', unit: 'us', better: 'less', reach: 25, stores: both, limit: (d) => d.durable?.as_often.cpu_us_per_token,
    peers: { Mastra: 222, LangGraph: 278 } },
  { id: 'relay.rate', scenario: 'relay', what: 'tokens a second, as fast as the model gives', unit: '/s', better: 'more', reach: 100_000, stores: both, limit: (d) => d.limit?.tokens_per_s,
    peers: { Mastra: 9463, LangGraph: 8735 } },
  { id: 'fanout.rate', scenario: 'fanout', what: 'one session to 1,000 viewers, one by one: frames a second', unit: '/s', better: 'more', reach: 300_000, stores: one, limit: (d) => d.limits?.single?.frames_per_s,
    peers: { uWebSockets: 330_000 } },
  { id: 'fanout.batched', scenario: 'fanout', what: 'the same, readers behind', unit: '/s', better: 'more', reach: 2_500_000, stores: one, limit: (d) => d.limits?.behind?.frames_per_s,
    peers: { Bun: 3_800_000, 'Redis pub/sub': 3_000_000, uWebSockets: 2_300_000, NATS: 1_200_000, nchan: 400_000, 'Node ws': 250_000, 'socket.io': 220_000 } },
  { id: 'viewers.bytes', scenario: 'viewers', what: 'memory of an idle viewer', unit: 'B', better: 'less', reach: 3500, stores: one,
    peers: { uWebSockets: 450, Bun: 2200, Redis: 4300, 'Node ws': 7600, nchan: 10_200, Centrifugo: 10_900, 'socket.io': 22_000, NATS: 24_000 } },
  { id: 'suspended.warm', scenario: 'suspended', what: 'a suspended session, of 10,000: memory while warm', unit: 'B', better: 'less', reach: 4000, stores: both,
    peers: { LangGraph: 800, Mastra: 9400, DBOS: 19_600, Restate: 44_500 } },
  { id: 'suspended.evicted', scenario: 'suspended', what: 'the same, evicted: memory', unit: 'B', better: 'less', reach: 200, stores: both },
  { id: 'suspended.disk', scenario: 'suspended', what: 'the same: disk', unit: 'B', better: 'less', reach: 1500, stores: both,
    peers: { Restate: 500, Mastra: 700, DBOS: 1100, LangGraph: 4400 } },
  { id: 'start.binary', scenario: 'start', what: 'the binary, page included', unit: 'MB', better: 'less', reach: 10, stores: one,
    peers: { 'LangGraph library': 175, Restate: 225, 'LangGraph server': 404 } },
  { id: 'start.memory', scenario: 'start', what: 'idle memory', unit: 'MB', better: 'less', reach: 20, stores: both, peers: { DBOS: 270 } },
  { id: 'start.ready', scenario: 'start', what: 'start to ready', unit: 'ms', better: 'less', reach: 100, stores: both,
    peers: { DBOS: 287, LangGraph: 427, 'LangGraph server': 1700 } },
  { id: 'idle.queries', scenario: 'idle', what: 'idle: queries a minute', unit: '', better: 'less', reach: 0, stores: both },
  { id: 'idle.wakeups', scenario: 'idle', what: 'idle: wake-ups a second', unit: '/s', better: 'less', reach: 1, stores: both },
  { id: 'pause.median', scenario: 'pause', what: 'pause to quiesced among 500 streaming sessions, median', unit: 'ms', better: 'less', reach: 2, stores: both },
  { id: 'growth.sessions', scenario: 'growth', what: 'cost of a session, 10^6 stored beside 10^2', unit: 'x', better: 'less', reach: 1.3, stores: both },
  { id: 'growth.events', scenario: 'growth', what: 'cost of an event, 10^5 in the session beside 10^2', unit: 'x', better: 'less', reach: 1.3, stores: both },
  { id: 'growth.viewers', scenario: 'growth', what: 'cost of a frame to a viewer, 10,000 of them beside 10', unit: 'x', better: 'less', reach: 1.3, stores: one },
];

// Scenarios whose runs follow each other, after all others: what takes long to fill is filled once.
export const last = ['growth'];
// Scenarios that count and mostly wait, so that both stores may be measured at once.
export const together = ['suspended', 'idle'];

export const reached = (f, value) => (f.better === 'more' ? value >= f.reach : value <= f.reach);
