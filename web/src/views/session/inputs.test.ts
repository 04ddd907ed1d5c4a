import { describe, expect, it } from "vitest";
import type { Workflow } from "@sluice/client";
import { readsOf } from "./inputs";

const workflow: Workflow = {
  id: "w", start_node_id: "start",
  nodes: {
    start: { type: "start", next_ids: ["a"] },
    a: { type: "llm", properties: { prompt: "About {{ input.topic }}" }, next_ids: ["b"] },
    b: { type: "llm", properties: { messages: [{ role: "user", content: "Weigh {{ nodes.a.output }} and {{nodes.start.output}}; the input counts" }] }, next_ids: ["c"] },
    c: { type: "switch", properties: { cases: [{ when: "nodes.b.output.score > 3", to: "d" }], default: "d" } },
    d: { type: "end" },
  },
};
const reads = (id: string) => readsOf(id, workflow.nodes?.[id], workflow);

describe("what a node reads", () => {
  it("is what its templates and expressions name", () => {
    expect(reads("a")).toEqual({ nodes: [], input: true });
    expect(reads("b")).toEqual({ nodes: ["a", "start"], input: false });
    expect(reads("c")).toEqual({ nodes: ["b"], input: false });
  });
  it("is what came before, when it names nothing", () => {
    expect(reads("d")).toEqual({ nodes: ["c"], input: false });
    expect(reads("start")).toEqual({ nodes: [], input: true });
  });
  it("is nothing that is known, of a node that is not in the workflow", () => {
    expect(readsOf("x", undefined, undefined)).toEqual({ nodes: [], input: false });
  });
});
