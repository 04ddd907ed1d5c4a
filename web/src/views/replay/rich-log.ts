// A log with something of everything, for tests: random, but the same for the same seed.

import type { SessionEvent } from "@sluice/client";

type Row = [type: SessionEvent["type"], node: string | null, run: string | null, data: object];

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function* speech(node: string, run: string, id: string, random: () => number): Generator<Row> {
  const words = 5 + Math.floor(random() * 25);
  for (let i = 0; i < words; i++) {
    if (random() < 0.02) yield ["stream_reset", node, run, { message_id: id, reason: "connection lost" }];
    yield ["token_stream", node, run, { message_id: id, index: i, chunk: `word${i} `, is_thinking: i < 3 && random() < 0.5 }];
  }
  if (random() < 0.9) yield ["message", node, run, { message_id: id, role: "assistant", content: `All of ${id}.`, token_count: words, finish_reason: "stop" }];
  yield ["token_usage", node, run, { model: "m", provider: "p", input_tokens: words, output_tokens: words, cost_usd: 0.01 }];
}

function* question(node: string, run: string, id: string, random: () => number): Generator<Row> {
  yield ["human_interaction_required", node, run, { interrupt_id: id, kind: "approve_reject", actions: ["approve", "reject"], draft: "?" }];
  yield ["node_state_change", node, run, { from: "running", to: "suspended", interrupt_id: id, attempt: 1, iteration: 1 }];
  if (random() < 0.3) yield ["session_state_change", null, null, { from: "running", to: "paused", quiesced: true, reason: "lunch" }];
  if (random() < 0.3) yield ["session_state_change", null, null, { from: "paused", to: "running" }];
  if (random() < 0.2) yield ["human_interaction_expired", node, run, { interrupt_id: id, action_taken: "approve" }];
  else yield ["node_resumed", node, run, { interrupt_id: id, action: random() < 0.5 ? "approve" : "reject", reviewer: "ann" }];
}

function* round(n: number, random: () => number): Generator<Row> {
  yield ["loop_round", "loop", `loop-${n}`, { round: n, max_rounds: 99, score: random() < 0.5 ? n : null, history: [n] }];
  for (const node of ["pro", "con", "judge"]) {
    const run = `${node}-${n}`;
    yield ["node_state_change", node, run, { from: "pending", to: "running", attempt: 1, iteration: n }];
    if (random() < 0.3) yield ["tool_execution", node, run, { call_id: "c", tool: "search", status: "started", input: { q: n } }];
    yield* speech(node, run, `m-${node}-${n}`, random);
    if (random() < 0.3) yield ["tool_execution", node, run, { call_id: "c", tool: "search", status: "completed", output: n }];
    if (random() < 0.2) yield ["log", node, run, { level: "warn", text: "slow" }];
    const failed = random() < 0.15;
    yield ["node_state_change", node, run, failed ? { from: "running", to: "failed", error: { code: "x", message: "no" }, attempt: 1, iteration: n } : { from: "running", to: "completed", output: `${n}`, attempt: 1, iteration: n }];
    if (failed) yield ["node_state_change", node, `${run}b`, { from: "pending", to: "running", attempt: 2, iteration: n }];
  }
  if (random() < 0.5) yield* question("review", `review-${n}`, `i-${n}`, random);
  if (random() < 0.2) yield ["user_input", null, null, { content: "Go on.", user_id: "bob" }];
  if (random() < 0.2) yield ["vote_cast", "vote", `vote-${n}`, { voter: "a", decision: "yes", score: 1, reasoning: "so" }];
  if (random() < 0.1) yield ["budget_reached", null, null, { limit: 1, used: 2 }];
}

export function richLog(seed: number, length: number): SessionEvent[] {
  const random = randomFrom(seed);
  const rows: Row[] = [["session_state_change", null, null, { from: "pending", to: "running" }]];
  for (let n = 1; rows.length < length - 1; n++) rows.push(...round(n, random));
  rows.length = length - 1;
  rows.push(["session_state_change", null, null, { from: "running", to: random() < 0.5 ? "completed" : "cancelled", reason: "done" }]);
  return rows.map(([type, node_id, run_id, data], i) => ({
    seq: i + 1, session_id: "s", type, node_id, run_id, data, timestamp: new Date(Date.UTC(2026, 0, 1) + i * 100).toISOString(),
  }) as unknown as SessionEvent);
}
