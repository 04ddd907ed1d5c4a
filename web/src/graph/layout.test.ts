import { describe, expect, it } from "vitest";
import type { Workflow } from "@sluice/client";
import { edgesOf } from "./edges";
import { NODE_HEIGHT, NODE_WIDTH, pathThrough, placeWorkflow } from "./layout";

const workflow: Workflow = {
  id: "w", start_node_id: "start",
  nodes: {
    start: { type: "start", next_ids: ["rounds"] },
    rounds: { type: "loop", next_ids: ["draft", "review"] },
    draft: { type: "agent", next_ids: ["rounds"], on_error: "sorry" },
    review: { type: "human_review", next_ids: ["end"], routes: { approve: "end", modify: "end", reject: "rounds" } },
    pick: { type: "switch", properties: { cases: [{ when: "x", to: "end" }], default: "gone" } },
    sorry: { type: "llm", next_ids: ["end"] },
    end: { type: "end" },
  },
};

describe("edgesOf", () => {
  const edges = edgesOf(workflow);
  const edge = (from: string, to: string) => edges.find((e) => e.from === from && e.to === to);
  it("knows back edges", () => {
    expect(edges.filter((e) => e.back).map((e) => `${e.from}>${e.to}`).sort()).toEqual(["draft>rounds", "review>rounds"]);
  });
  it("merges routes to one node and names the ways out of a loop", () => {
    expect(edge("review", "end")?.label).toBe("approve / modify");
    expect(edge("rounds", "draft")?.label).toBe("round");
    expect(edge("rounds", "review")?.label).toBe("exit");
    expect(edge("draft", "sorry")).toMatchObject({ error: true, label: "on error" });
  });
  it("leaves out arrows to nowhere", () => {
    expect(edge("pick", "end")?.label).toBe("case 1");
    expect(edge("pick", "gone")).toBeUndefined();
  });
  it("walks a long chain", () => {
    const nodes: NonNullable<Workflow["nodes"]> = {};
    for (let i = 0; i < 20_000; i++) nodes[`n${i}`] = { type: "llm", next_ids: [`n${i + 1}`] };
    expect(edgesOf({ id: "w", start_node_id: "n0", nodes })).toHaveLength(19_999);
  });
});

describe("placeWorkflow", () => {
  const placed = placeWorkflow(workflow);
  it("places every node, none over another", () => {
    expect(placed.nodes).toHaveLength(7);
    for (const a of placed.nodes) for (const b of placed.nodes) {
      if (a.id === b.id) continue;
      expect(Math.abs(a.x - b.x) >= NODE_WIDTH || Math.abs(a.y - b.y) >= NODE_HEIGHT, `${a.id} over ${b.id}`).toBe(true);
    }
  });
  it("leads back edges around the right side, each in its own lane", () => {
    const lanes = placed.edges.filter((e) => e.back).map((e) => e.points[1]?.x ?? 0);
    expect(new Set(lanes).size).toBe(2);
    for (const e of placed.edges.filter((b) => b.back)) {
      const [top, bottom] = [Math.min(...e.points.map((p) => p.y)), Math.max(...e.points.map((p) => p.y))];
      for (const n of placed.nodes) {
        if (n.y < bottom && n.y + NODE_HEIGHT > top) expect(e.points[1]?.x).toBeGreaterThan(n.x + NODE_WIDTH);
      }
    }
    for (const x of lanes) expect(x).toBeLessThan(placed.width);
  });
  it("puts what follows a loop below its body", () => {
    const y = (id: string) => placed.nodes.find((n) => n.id === id)?.y ?? 0;
    expect(y("review")).toBeGreaterThan(y("draft"));
    const exit = placed.edges.find((e) => e.from === "rounds" && e.to === "review");
    expect(exit?.lane).toBe(true);
    expect(exit?.points[1]?.x).toBeLessThan(Math.min(...placed.nodes.map((n) => n.x)));
  });
  it("takes a way from behind a loop into its body for a way back", () => {
    const polish = placeWorkflow({
      id: "p", start_node_id: "start",
      nodes: {
        start: { type: "start", next_ids: ["drafts"] },
        drafts: { type: "loop", next_ids: ["write", "edit"] },
        write: { type: "agent", next_ids: ["measure"] },
        measure: { type: "script", next_ids: ["drafts"] },
        edit: { type: "human_review", routes: { approve: "end", reject: "write" } },
        end: { type: "end" },
      },
    });
    const y = Object.fromEntries(polish.nodes.map((n) => [n.id, n.y]));
    expect([y.start, y.drafts, y.write, y.measure, y.edit, y.end]).toEqual(Object.values(y).sort((a, b) => a - b));
    expect(polish.edges.filter((e) => e.back).map((e) => e.id).sort()).toEqual(["edit>write", "measure>drafts"]);
  });
  it("draws paths", () => {
    for (const e of placed.edges) expect(pathThrough(e.points, e.lane)).toMatch(/^M[-\d.]+,[-\d.]+[LC]/);
  });
});
