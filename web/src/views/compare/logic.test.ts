import { describe, expect, it } from "vitest";
import type { Message, NodeRun, Session } from "@sluice/client";
import { differences, lengthOf, nodeRows, pairMessages, timesDiffer, type Side } from "./logic";

const at = (s: number) => new Date(s * 1000).toISOString();
const run = (node_id: string, from: number, to: number | null, more: Partial<NodeRun> = {}): NodeRun =>
  ({ node_id, status: to === null ? "running" : "completed", started_at: at(from), ended_at: to === null ? null : at(to), attempt: 1, ...more });
const side = (runs: NodeRun[], more: Partial<Side> = {}): Side => ({ session: { id: "s", status: "completed" }, runs, messages: [], usage: [], ...more });

describe("nodeRows", () => {
  const a = side([run("start", 0, 1), run("draft", 1, 3), run("draft", 3, 6, { attempt: 2 }), run("end", 6, 7)], { usage: [{ node_id: "draft", input_tokens: 10, output_tokens: 20, cost_usd: 0.5 }] });
  const b = side([run("start", 0, 1.1), run("check", 2, 3), run("draft", 3, 8), run("end", 8, null)]);
  const rows = nodeRows(a, b);
  const row = (id: string) => rows.find((r) => r.id === id)!;

  it("has the nodes of both, each where it came", () => {
    expect(rows.map((r) => r.id)).toEqual(["start", "check", "draft", "end"]);
  });
  it("adds up runs, time, tokens and attempts", () => {
    expect(row("draft").a).toEqual({ status: "completed", ms: 5000, tokens: 30, cost: 0.5, runs: 2, retries: 1 });
    expect(row("draft").b).toMatchObject({ ms: 5000, runs: 1, retries: 0 });
  });
  it("marks what differs, and no time that is nearly the same", () => {
    expect([...row("start").differs]).toEqual([]);
    expect([...row("draft").differs].sort()).toEqual(["cost", "retries", "runs", "tokens"]);
    expect([...row("check").differs]).toEqual(["status"]);
    expect(row("end").differs.has("status")).toBe(true);
    expect([timesDiffer(1000, 1200), timesDiffer(1000, 1300), timesDiffer(60_000, 65_000), timesDiffer(60_000, 70_000)]).toEqual([false, true, false, true]);
  });
  it("is empty of two that have not begun", () => expect(nodeRows(side([]), side([]))).toEqual([]));
});

describe("differences", () => {
  it("finds paths, what is missing, and lists as a whole", () => {
    expect(differences({ topic: "a", deep: { x: 1, y: 2 }, list: [1, 2] }, { topic: "b", deep: { x: 1, y: 3 }, list: [1], more: true })).toEqual([
      { path: "topic", a: "a", b: "b" }, { path: "deep.y", a: 2, b: 3 }, { path: "list", a: [1, 2], b: [1] }, { path: "more", b: true },
    ]);
    expect(differences({ a: [1] }, { a: [1] })).toEqual([]);
    expect(differences("x", { a: 1 })).toEqual([{ path: "", a: "x", b: { a: 1 } }]);
    expect(differences(undefined, undefined)).toEqual([]);
  });
});

describe("pairMessages", () => {
  const said = (node_id: string, content: string, role = "assistant"): Message => ({ node_id, content, role });
  it("puts a node's first beside the other's first", () => {
    const pairs = pairMessages(
      [said("a", "a1"), said("user", "u", "user"), said("b", "b1"), said("a", "a2")],
      [said("b", "B1"), said("a", "A1"), said("c", "C1"), said("a", "A2"), said("a", "A3")],
    );
    expect(pairs.map((p) => [p.nodeId, p.nth, p.a?.content, p.b?.content])).toEqual([
      ["a", 1, "a1", "A1"], ["b", 1, "b1", "B1"], ["c", 1, undefined, "C1"], ["a", 2, "a2", "A2"], ["a", 3, undefined, "A3"],
    ]);
  });
});

describe("lengthOf", () => {
  it("ends now while it runs", () => {
    const session = { id: "s", status: "running", started_at: at(10), ended_at: null } as Session;
    expect(lengthOf(session, 15_000)).toBe(5000);
    expect(lengthOf({ ...session, ended_at: at(12) }, 99_000)).toBe(2000);
    expect(lengthOf({ ...session, started_at: null }, 1)).toBeUndefined();
  });
});
