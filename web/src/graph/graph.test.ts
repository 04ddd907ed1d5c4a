import { describe, expect, it } from "vitest";
import type { SessionEvent, Workflow } from "@sluice/client";
import { emptyView } from "@/session/model";
import { reduce } from "@/session/reduce";
import { activeIds, flowOf, lookOf, spentBy } from "./flow";
import { framesOf } from "./frames";
import { placeWorkflow } from "./layout";
import { answerLayout, type LayoutReply, type LayoutRequest } from "./layout-protocol";
import { layoutKey, Placer, type LayoutPort } from "./placing";
import { NODE_WIDTH, placeColumn, type PlacedEdge } from "./shape";
import { boxAround, fitZoom, viewOf } from "./view";
import { neighbour } from "./walk";
import { arrowLabel } from "./words";

const workflow: Workflow = {
  id: "w", start_node_id: "start",
  nodes: {
    start: { type: "start", next_ids: ["panel"] },
    panel: { type: "parallel", next_ids: ["pro", "con"] },
    pro: { type: "agent", next_ids: ["judge"] },
    con: { type: "agent", next_ids: ["judge"], on_error: "sorry" },
    judge: { type: "loop", next_ids: ["panel", "review"] },
    review: { type: "human_review", routes: { approve: "each", reject: "judge" } },
    each: { type: "map", properties: { items: "x", body: ["one", "two"] }, next_ids: ["end"] },
    one: { type: "transform", next_ids: ["two"] },
    two: { type: "transform" },
    sorry: { type: "llm", next_ids: ["end"] },
    end: { type: "end" },
  },
};

class Port implements LayoutPort {
  onmessage: ((e: MessageEvent<LayoutReply>) => void) | null = null;
  onerror: ((e: ErrorEvent) => void) | null = null;
  requests: LayoutRequest[] = [];
  postMessage(request: LayoutRequest) { this.requests.push(structuredClone(request)); }
  reply(reply: LayoutReply) { this.onmessage?.({ data: structuredClone(reply) } as MessageEvent<LayoutReply>); }
}

describe("layouts from the worker", () => {
  const here = async () => placeColumn(["here"]);

  it("come back to whom asked, in any order, and are kept", async () => {
    const port = new Port();
    const placer = new Placer(() => port, here);
    const other: Workflow = { id: "o", nodes: { a: { type: "start" } } };
    const [first, again, second] = [placer.place(workflow), placer.place(workflow), placer.place(other)];
    expect(port.requests.map((r) => r.workflow.id)).toEqual(["w", "o"]);
    for (const request of [...port.requests].reverse()) port.reply(answerLayout(request));
    expect(await first).toEqual(placeWorkflow(workflow));
    expect(await again).toEqual(await first);
    expect((await second).nodes.map((n) => n.id)).toEqual(["a"]);
    expect(placer.known(layoutKey(workflow))).toBe(await first);
    await placer.place(structuredClone(workflow));
    expect(port.requests).toHaveLength(2);
  });
  it("are made on this side when the worker fails, refuses or is not to be had", async () => {
    const port = new Port();
    const placer = new Placer(() => port, here);
    const refused = placer.place(workflow);
    port.reply({ id: 1, error: "no" });
    expect((await refused).nodes[0]?.id).toBe("here");
    const broken = new Placer(() => port, here).place(workflow);
    port.onerror?.({ message: "gone" } as ErrorEvent);
    expect((await broken).nodes[0]?.id).toBe("here");
    const none = new Placer(() => { throw new Error("no workers"); }, here).place(workflow);
    expect((await none).nodes[0]?.id).toBe("here");
  });
  it("are the same for another name, and others for another arrow", () => {
    const named: Workflow = { ...workflow, name: "N", nodes: { ...workflow.nodes, pro: { type: "agent", name: "Pro", next_ids: ["judge"], properties: { prompt: "x" } } } };
    const moved: Workflow = { ...workflow, nodes: { ...workflow.nodes, pro: { type: "agent", next_ids: ["end"] } } };
    expect(layoutKey(named)).toBe(layoutKey(workflow));
    expect(layoutKey(moved)).not.toBe(layoutKey(workflow));
  });
  it("fail in words", () => {
    expect(answerLayout({ id: 3, workflow: { id: "x", nodes: null as never } })).toMatchObject({ id: 3 });
  });
});

describe("frames", () => {
  const placed = placeWorkflow(workflow);
  it("stand around branches and members, and around nothing else", () => {
    const frames = framesOf(workflow, placed);
    expect(frames.map((f) => [f.id, f.kind, f.branches])).toEqual(expect.arrayContaining([["panel", "parallel", 2], ["each", "map", 2]]));
    const panel = frames.find((f) => f.id === "panel")!;
    const within = placed.nodes.filter((n) => n.x >= panel.x && n.x + NODE_WIDTH <= panel.x + panel.width && n.y >= panel.y && n.y <= panel.y + panel.height);
    expect(within.map((n) => n.id).sort()).toEqual(["con", "pro"]);
  });
});

describe("walking", () => {
  const placed = placeWorkflow(workflow);
  it("goes along the arrows and to the side", () => {
    expect(neighbour(placed, "start", "ArrowDown")).toBe("panel");
    expect(neighbour(placed, "panel", "ArrowUp")).toBe("start");
    expect(["pro", "con"]).toContain(neighbour(placed, "panel", "ArrowDown"));
    expect(neighbour(placed, "pro", "ArrowRight")).toBe("con");
    expect(neighbour(placed, "con", "ArrowLeft")).toBe("pro");
    expect(neighbour(placed, "end", "ArrowDown")).toBeUndefined();
    expect(neighbour(placed, "nobody", "ArrowDown")).toBe(placed.nodes[0]?.id);
  });
  it("reaches every node from the start", () => {
    const seen = new Set(["start"]);
    for (const id of seen) for (const d of ["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight"] as const) { const n = neighbour(placed, id, d); if (n) seen.add(n); }
    expect([...seen].sort()).toEqual(Object.keys(workflow.nodes ?? {}).sort());
  });
  it("goes through a column as it stands", () => {
    const column = placeColumn(["a", "b", "c"]);
    expect(neighbour(column, "a", "ArrowDown")).toBe("b");
    expect(neighbour(column, "c", "ArrowUp")).toBe("b");
  });
});

describe("looking", () => {
  const placed = placeWorkflow(workflow);
  it("does not move for what is seen well, and shows what is not", () => {
    const box = boxAround(placed, ["end"])!;
    const zoom = fitZoom(placed, 2000, 2000);
    expect(viewOf(box, { x: 0, y: 0, zoom }, 2000, 2000)).toBeUndefined();
    const to = viewOf(box, { x: 0, y: 5_000, zoom: 1 }, 400, 300)!;
    expect(box.left * to.zoom + to.x).toBeGreaterThanOrEqual(0);
    expect(box.bottom * to.zoom + to.y).toBeLessThanOrEqual(300);
    expect(viewOf(box, { x: 0, y: 0, zoom: 0.1 }, 400, 300)?.zoom).toBeGreaterThan(0.5);
    expect(boxAround(placed, ["nobody"])).toBeUndefined();
  });
});

describe("what a graph shows of a session", () => {
  const log = (...rows: [string, string | null, string | null, object][]) => rows.map(([type, node_id, run_id, data], i) => ({
    seq: i + 1, session_id: "s", type, node_id, run_id, data, timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, i)).toISOString(),
  }) as unknown as SessionEvent);
  const moved = (node: string, from: string, to: string, more = {}, run = `${node}1`): [string, string, string, object] => ["node_state_change", node, run, { from, to, attempt: 1, iteration: 1, ...more }];
  const view = reduce(emptyView("s"), log(
    ["session_state_change", null, null, { from: "pending", to: "running" }],
    moved("con", "pending", "running"), moved("con", "running", "failed", { error: { message: "x" } }), moved("sorry", "pending", "running"),
    ["token_usage", "sorry", "sorry1", { input_tokens: 3, output_tokens: 4 }],
    moved("each", "pending", "running"), ["stage_progress", "each", "each1", { instance_id: "each1", done: 2, total: 5 }],
    moved("child", "pending", "running", { child_session_id: "c1" }),
  ));
  const arrow = (from: string, to: string, more: Partial<PlacedEdge> = {}): PlacedEdge => ({ from, to, id: "x", label: "", back: false, error: false, lane: false, points: [], labelAt: { x: 0, y: 0 }, ...more });

  it("takes the way of an error only after one", () => {
    expect(flowOf(arrow("con", "sorry", { error: true }), view)).toBe("active");
    expect(flowOf(arrow("con", "sorry"), view)).toBe("idle");
    expect(flowOf(arrow("sorry", "end"), view)).toBe("idle");
  });
  it("says who is at work, and that nobody is in a pause", () => {
    expect(activeIds(view)).toEqual(["sorry", "each", "child"]);
    expect(lookOf(view.nodes.sorry, "running")).toBe("running");
    expect(lookOf(view.nodes.sorry, "paused")).toBe("paused");
    expect(lookOf(undefined, "running")).toBe("pending");
  });
  it("adds up what a node took", () => {
    expect(spentBy(view.nodes.con, view.runs)).toMatchObject({ runs: 1, ms: 1000 });
    expect(spentBy(view.nodes.sorry, view.runs)).toMatchObject({ runs: 1, ms: 0, inputTokens: 3, outputTokens: 4 });
    expect(spentBy(view.nodes.sorry, view.runs).since).toBeDefined();
    expect(view.nodes.each?.progress).toEqual({ done: 2, total: 5 });
    expect(view.runs.child1?.childId).toBe("c1");
  });
  it("labels arrows in both languages", () => {
    expect(arrowLabel("approve / modify", "en")).toBe("approve / modify");
    expect(arrowLabel("approve / case 2 / mine", "zh")).toBe("通过 / 情形 2 / mine");
  });
});
