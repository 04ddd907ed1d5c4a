import { describe, expect, it } from "vitest";
import type { SessionEvent } from "@sluice/client";
import { emptyView, type SessionView } from "./model";
import { reduce, viewFromSnapshot } from "./reduce";

// A log is written as [type, node, run, data] rows; seq and time are given here.
type Row = [SessionEvent["type"], string | null, string | null, object];

function log(...rows: Row[]): SessionEvent[] {
  return rows.map(([type, node_id, run_id, data], i) => ({
    seq: i + 1, session_id: "s", type, node_id, run_id, data,
    timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, i)).toISOString(),
  }) as unknown as SessionEvent);
}

const view = (events: SessionEvent[]): SessionView => reduce(emptyView("s"), events);
const moved = (node: string, run: string, from: string, to: string, more: object = {}): Row =>
  ["node_state_change", node, run, { from, to, attempt: 1, iteration: 1, ...more }];
const token = (node: string, run: string, message_id: string, chunk: string, more: object = {}): Row =>
  ["token_stream", node, run, { message_id, index: 0, chunk, is_thinking: false, ...more }];

const debate = log(
  ["session_state_change", null, null, { from: "pending", to: "running" }],
  moved("start", "r1", "pending", "running"),
  moved("start", "r1", "running", "completed", { output: { topic: "x" } }),
  moved("pro", "r2", "pending", "running"),
  moved("con", "r3", "pending", "running"),
  token("pro", "r2", "m1", "let me see", { is_thinking: true }),
  token("pro", "r2", "m1", "Yes, "),
  token("con", "r3", "m2", "No, "),
  token("pro", "r2", "m1", "because."),
  ["message", "pro", "r2", { message_id: "m1", role: "assistant", agent_id: "affirmative", content: "Yes, because.", token_count: 3, finish_reason: "stop" }],
  ["token_usage", "pro", "r2", { model: "demo", provider: "demo", input_tokens: 5, output_tokens: 3, cost_usd: 0.1, session: { input_tokens: 5, output_tokens: 3, cost_usd: 0.1 } }],
  moved("pro", "r2", "running", "completed", { output: "Yes, because." }),
  ["message", "con", "r3", { message_id: "m2", role: "assistant", content: "No, never.", token_count: 2, finish_reason: "stop" }],
  moved("con", "r3", "running", "completed"),
  moved("review", "r4", "pending", "running"),
  ["human_interaction_required", "review", "r4", { interrupt_id: "i1", kind: "approve_reject", reason: "Good?", actions: ["approve", "reject"], draft: "Yes", expires_at: null }],
  moved("review", "r4", "running", "suspended", { interrupt_id: "i1" }),
);

describe("reduce", () => {
  it("builds messages, nodes and usage", () => {
    const v = view(debate);
    expect(v.status).toBe("running");
    expect(v.messages.m1).toMatchObject({ text: "Yes, because.", thinking: "let me see", state: "done", agentId: "affirmative" });
    expect(v.messages.m2?.text).toBe("No, never.");
    expect(v.nodes.pro?.status).toBe("completed");
    expect(v.nodes.review?.status).toBe("suspended");
    expect(v.usage).toEqual({ input_tokens: 5, output_tokens: 3, cost_usd: 0.1 });
    expect(v.open).toEqual(["i1"]);
    expect(v.interrupts.i1).toMatchObject({ state: "open", actions: ["approve", "reject"], draft: "Yes" });
  });

  it("gives the same view in one batch, one by one, and in every split in two", () => {
    const whole = view(debate);
    expect(debate.reduce((v, e) => reduce(v, [e]), emptyView("s"))).toEqual(whole);
    for (let i = 0; i <= debate.length; i++) {
      expect(reduce(reduce(emptyView("s"), debate.slice(0, i)), debate.slice(i))).toEqual(whole);
    }
  });

  it("ignores what it has seen", () => {
    const v = view(debate);
    expect(reduce(v, debate.slice(3, 9))).toBe(v);
  });

  it("never changes an earlier view, and keeps what did not change", () => {
    const before = view(debate.slice(0, 8));
    const frozen = structuredClone(before);
    const after = reduce(before, debate.slice(8, 9));
    expect(before).toEqual(frozen);
    expect(after.messages.m1).not.toBe(before.messages.m1);
    expect(after.messages.m2).toBe(before.messages.m2);
    expect(after.runs).toBe(before.runs);
    expect(after.order).toBe(before.order);
  });

  it("voids a message's text when its attempt is restarted", () => {
    const v = view(log(
      moved("a", "r1", "pending", "running"),
      token("a", "r1", "m", "half a sen"),
      token("a", "r1", "m", "hm", { is_thinking: true }),
      ["stream_reset", "a", "r1", { message_id: "m", reason: "the connection was lost" }],
      token("a", "r1", "m", "A whole "),
      token("a", "r1", "m", "sentence."),
    ));
    expect(v.messages.m).toMatchObject({ text: "A whole sentence.", thinking: "", restarts: ["the connection was lost"] });
    expect(v.runs.r1?.items).toEqual([{ kind: "message", id: "m" }]);
  });

  it("keeps the iterations of a loop apart, by run", () => {
    const v = view(log(
      moved("loop", "l1", "pending", "running"),
      ["loop_round", "loop", "l1", { round: 1, max_rounds: 3, history: [] }],
      moved("body", "b1", "pending", "running"),
      token("body", "b1", "m1", "first"),
      moved("body", "b1", "running", "completed"),
      moved("loop", "l2", "pending", "running", { iteration: 2 }),
      ["loop_round", "loop", "l2", { round: 2, max_rounds: 3, score: 7, history: [6, 7] }],
      moved("body", "b2", "pending", "running", { iteration: 2 }),
      token("body", "b2", "m2", "second"),
    ));
    expect(v.nodes.body).toMatchObject({ runIds: ["b1", "b2"], iteration: 2, status: "running" });
    expect(v.runs.b1?.status).toBe("completed");
    expect(v.messages.m1?.text).toBe("first");
    expect(v.messages.m2?.text).toBe("second");
    expect(v.nodes.loop?.loop).toEqual({ round: 2, maxRounds: 3, score: 7, history: [6, 7], exitReason: undefined });
    expect(v.order.map((o) => o.id)).toEqual(["l1", "b1", "l2", "b2"]);
  });

  it("pauses, resumes, and counts only the time spent running", () => {
    const events = log(
      ["session_state_change", null, null, { from: "pending", to: "running" }],
      ["session_state_change", null, null, { from: "running", to: "paused", quiesced: true, reason: "lunch" }],
      ["session_state_change", null, null, { from: "paused", to: "running" }],
      ["session_state_change", null, null, { from: "running", to: "completed", output: "done" }],
    );
    expect(view(events.slice(0, 2))).toMatchObject({ status: "paused", quiesced: true, pausedSeq: 2, reason: "lunch", activeMs: 1000 });
    expect(view(events)).toMatchObject({ status: "completed", quiesced: false, activeMs: 2000, output: "done" });
  });

  it("answers an interrupt once, and closes what the end leaves open", () => {
    const answered = reduce(view(debate), log(...debate.map((e) =>
      [e.type, e.node_id ?? null, e.run_id ?? null, e.data] as Row),
      ["node_resumed", "review", "r4", { interrupt_id: "i1", action: "approve", data: { comment: "ok" }, reviewer: "ann" }],
    ));
    expect(answered.open).toEqual([]);
    expect(answered.interrupts.i1).toMatchObject({ state: "answered", action: "approve", reviewer: "ann" });

    const vote = reduce(view(debate), log(...debate.map((e) =>
      [e.type, e.node_id ?? null, e.run_id ?? null, e.data] as Row),
      ["node_resumed", "review", "r4", { interrupt_id: "i1", action: "approve", reviewer: "ann", final: false }],
    ));
    expect(vote.open).toEqual(["i1"]);

    const cancelled = reduce(view(debate), [{
      seq: debate.length + 1, session_id: "s", type: "session_state_change", timestamp: "2026-01-01T00:01:00.000Z",
      data: { from: "running", to: "cancelled", reason: "enough" },
    }]);
    expect(cancelled.open).toEqual([]);
    expect(cancelled.interrupts.i1?.state).toBe("closed");
  });

  it("marks a message that was cut by a failure, and keeps its text", () => {
    const v = view(log(
      moved("a", "r1", "pending", "running"),
      token("a", "r1", "m", "half"),
      moved("a", "r1", "running", "failed", { error: { code: "truncated", message: "the stream ended early" } }),
      ["session_state_change", null, null, { from: "running", to: "failed", error: { code: "truncated", message: "the stream ended early", node_id: "a" } }],
    ));
    expect(v.messages.m).toMatchObject({ text: "half", state: "cut" });
    expect(v.runs.r1?.error?.message).toBe("the stream ended early");
    expect(v.error).toMatchObject({ code: "truncated", node_id: "a" });
  });

  it("keeps attempts apart when each has its own run", () => {
    const v = view(log(
      moved("a", "r1", "pending", "running"),
      moved("a", "r1", "running", "failed", { error: "503" }),
      moved("a", "r2", "pending", "running", { attempt: 2 }),
    ));
    expect(v.nodes.a).toMatchObject({ status: "running", attempt: 2, runIds: ["r1", "r2"] });
    expect(v.runs.r1?.error).toEqual({ message: "503" });
  });

  it("adds usage up when the server gives no totals", () => {
    const v = view(log(
      ["token_usage", "a", "r1", { input_tokens: 1, output_tokens: 2 }],
      ["token_usage", "a", "r1", { input_tokens: 10, output_tokens: 20 }],
    ));
    expect(v.usage).toMatchObject({ input_tokens: 11, output_tokens: 22 });
    expect(v.runs.r1?.usage).toMatchObject({ input_tokens: 11, output_tokens: 22 });
  });

  it("reads actions in any shape", () => {
    for (const actions of [["yes", "no"], [{ id: "yes" }, { action: "no", label: "No!" }], { yes: "end", no: "judge" }]) {
      const v = view(log(["human_interaction_required", "r", "r1", { interrupt_id: "i", actions }]));
      expect(v.interrupts.i?.actions).toEqual(["yes", "no"]);
    }
  });
});

describe("viewFromSnapshot", () => {
  const session = {
    id: "s", status: "running", last_seq: 40, started_at: "2026-01-01T00:00:00.000Z",
    node_statuses: { start: "completed", pro: "running", con: "pending" } as const,
    waiting_on: [{ node_id: "review", interrupt_id: "i9", kind: "approve_reject" }],
    usage: { input_tokens: 3, output_tokens: 4 },
  };
  const v = viewFromSnapshot(
    session,
    [{ message_id: "m0", node_id: "start", run_id: "r0", role: "assistant", content: "Hello." }],
    [{ run_id: "r0", node_id: "start", status: "completed" }, { run_id: "r1", node_id: "pro", status: "running" }],
    40,
  );

  it("shows what the session was", () => {
    expect(v).toMatchObject({ lastSeq: 40, status: "running", fromSnapshot: true, open: ["i9"] });
    expect(v.messages.m0?.text).toBe("Hello.");
    expect(v.nodes.con?.status).toBe("pending");
  });

  it("goes on from there, and says when the head of a message is missing until it comes", () => {
    const event = (seq: number, type: string, data: object) =>
      ({ seq, session_id: "s", type, node_id: "pro", run_id: "r1", timestamp: "", data }) as unknown as SessionEvent;
    const during = reduce(v, [event(41, "token_stream", { message_id: "m1", index: 12, chunk: "tail" })]);
    expect(during.messages.m1).toMatchObject({ text: "tail", headMissing: true });
    const after = reduce(during, [event(42, "message", { message_id: "m1", role: "assistant", content: "head and tail" })]);
    expect(after.messages.m1).toMatchObject({ text: "head and tail", headMissing: false });
  });
});
