import { describe, expect, it } from "vitest";
import type { Workflow } from "@sluice/client";
import { blockOf, branchSlots, conversation } from "./branches";
import type { OrderEntry, RunView, SessionView } from "./model";

const workflow: Workflow = {
  id: "w", start_node_id: "start",
  nodes: {
    start: { type: "start", next_ids: ["panel"] },
    panel: { type: "parallel", next_ids: ["pro", "con"] },
    pro: { type: "agent", next_ids: ["pro2"] },
    pro2: { type: "agent", next_ids: ["judge"] },
    con: { type: "parallel", next_ids: ["con_a", "con_b"] },
    con_a: { type: "agent", next_ids: ["con_join"] },
    con_b: { type: "agent", next_ids: ["con_join"] },
    con_join: { type: "agent", next_ids: ["judge"] },
    judge: { type: "llm", next_ids: ["review"] },
    review: { type: "human_review", routes: { approve: "end", reject: "panel" } },
    end: { type: "end" },
  },
};

const runsOf = (...nodeIds: string[]) => {
  const runs: SessionView["runs"] = {};
  const order: OrderEntry[] = nodeIds.map((nodeId, i) => {
    const id = `${nodeId}.${i}`;
    runs[id] = { id, nodeId, status: "completed", attempt: 1, iteration: 1, branch: null, firstSeq: i, items: [] } as RunView;
    return { kind: "run", id };
  });
  return { runs, order };
};

describe("branchSlots", () => {
  const slots = branchSlots(workflow);
  it("puts what only one head reaches into that head's branch, nested branches into the outer one", () => {
    expect(slots.get("pro2")).toEqual({ parallelId: "panel", head: "pro" });
    for (const id of ["con", "con_a", "con_b", "con_join"]) expect(slots.get(id)).toEqual({ parallelId: "panel", head: "con" });
  });
  it("leaves the join and what follows out", () => {
    for (const id of ["start", "panel", "judge", "review", "end"]) expect(slots.has(id)).toBe(false);
  });
});

describe("conversation", () => {
  it("gathers branches side by side and opens a new group when the parallel node runs again", () => {
    const { runs, order } = runsOf("start", "panel", "pro", "con", "pro2", "judge", "review", "panel", "con", "pro");
    const blocks = conversation({ order, runs }, workflow, branchSlots(workflow));
    expect(blocks.map((b) => b.kind)).toEqual(["run", "run", "parallel", "run", "run", "run", "parallel"]);
    expect(blocks[2]).toMatchObject({ columns: [{ head: "pro", runIds: ["pro.2", "pro2.4"] }, { head: "con", runIds: ["con.3"] }] });
    expect(blocks[6]).toMatchObject({ columns: [{ head: "pro", runIds: ["pro.9"] }, { head: "con", runIds: ["con.8"] }] });
  });
  it("goes on below when a branch goes on for long, and leaves out what has nothing to say", () => {
    const { runs, order } = runsOf("start", "panel", "pro", "con", "pro", "pro2", "pro", "pro2", "judge");
    const blocks = conversation({ order, runs }, workflow, branchSlots(workflow), (run) => run.nodeId === "judge");
    expect(blocks.map((b) => b.kind)).toEqual(["parallel", "parallel", "run"]);
    expect(blocks[0]).toMatchObject({ columns: [{ head: "pro", runIds: ["pro.2", "pro.4", "pro2.5", "pro.6"] }, { head: "con", runIds: ["con.3"] }] });
    expect(blocks[1]).toMatchObject({ columns: [{ head: "pro", runIds: ["pro2.7"] }, { head: "con", runIds: [] }] });
    expect(blockOf(blocks, "pro2.7")).toBe(1);
    expect(blockOf(blocks, "start.0")).toBe(-1);
  });

  it("is a plain list without a graph", () => {
    const { runs, order } = runsOf("pro", "con");
    expect(conversation({ order, runs }, undefined, new Map()).map((b) => b.kind)).toEqual(["run", "run"]);
  });
});
