import { describe, expect, it } from "vitest";
import type { Workflow } from "@sluice/client";
import { compareWorkflows, fieldChanges, isSame, same } from "./compare";

const before: Workflow = {
  id: "w", name: "One", input_schema: { type: "object", properties: { topic: { type: "string" } } },
  nodes: {
    start: { type: "start", next_ids: ["ask"] },
    ask: { type: "llm", properties: { prompt: "Say {{ input.topic }}", temperature: 0.2 }, next_ids: ["check"] },
    check: { type: "human_review", properties: { prompt: "Good?" }, routes: { approve: "end", reject: "ask" } },
    end: { type: "end" },
  },
};

describe("two versions of a workflow", () => {
  it("are the same whatever the order of their members, and wherever the boxes stand", () => {
    const moved = { nodes: { ...before.nodes }, ui: { ask: [1, 2] }, name: "One", id: "other", input_schema: before.input_schema } as Workflow;
    expect(isSame(compareWorkflows(before, moved))).toBe(true);
    expect(same({ a: [1, { b: 2 }], c: null }, { c: null, a: [1, { b: 2 }] })).toBe(true);
    expect(same({ a: undefined as never }, {})).toBe(false);
    expect(same([1], { 0: 1 })).toBe(false);
  });

  it("tell nodes, fields, arrows and settings apart", () => {
    const after: Workflow = {
      ...before, name: "Two",
      nodes: {
        start: { type: "start", next_ids: ["ask"] },
        ask: { type: "llm", properties: { prompt: "Say more on {{ input.topic }}", model: "m" }, next_ids: ["vote"] },
        vote: { type: "vote", next_ids: ["end"] },
        end: { type: "end" },
      },
    };
    expect(compareWorkflows(before, after)).toEqual({
      added: ["vote"], removed: ["check"],
      changed: [{
        id: "ask", fields: [
          { path: "properties.prompt", before: "Say {{ input.topic }}", after: "Say more on {{ input.topic }}" },
          { path: "properties.temperature", before: 0.2 }, { path: "properties.model", after: "m" },
        ],
      }],
      arrowsAdded: [{ from: "ask", to: "vote", label: "" }, { from: "vote", to: "end", label: "" }],
      arrowsRemoved: [{ from: "ask", to: "check", label: "" }, { from: "check", to: "end", label: "approve" }, { from: "check", to: "ask", label: "reject" }],
      settings: [{ path: "name", before: "One", after: "Two" }],
    });
  });

  it("compare lists as wholes and objects by member", () => {
    expect(fieldChanges({ a: { b: [1, 2], c: 1 } }, { a: { b: [2], c: 1 } })).toEqual([{ path: "a.b", before: [1, 2], after: [2] }]);
    expect(fieldChanges({ a: { b: 1 } }, { a: "x" })).toEqual([{ path: "a", before: { b: 1 }, after: "x" }]);
  });
});
