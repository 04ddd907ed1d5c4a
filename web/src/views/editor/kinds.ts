// The kinds of nodes as the palette shows them, and what a new one looks like: so that it runs as it is, where it can.

import type { JsonObject } from "@sluice/client";
import { wordsNow } from "@/words/words";
import { linksFrom } from "./links";
import { isObject, nodeOf, setIn, setNode, textsOf, typeOf, uniqueId, type Flow, type FlowNode } from "./model";
import { starters } from "./words";

export const GROUPS = [
  ["models", ["llm", "agent", "vote", "fact_check"]],
  ["people", ["human_review", "user_input", "stage", "signal"]],
  ["flow", ["switch", "parallel", "loop", "map", "sequence", "subworkflow", "wait", "start", "end"]],
  ["data", ["transform", "script"]],
  ["tools", ["tool", "task"]],
  ["memory", ["memory_retrieval", "context_synth"]],
] as const;

export const KINDS: readonly string[] = GROUPS.flatMap(([, kinds]) => kinds as readonly string[]);

const BASE_ID: Record<string, string> = {
  human_review: "review", user_input: "ask", memory_retrieval: "recall", context_synth: "summary", fact_check: "check", subworkflow: "sub",
};
const idFor = (kind: string) => BASE_ID[kind] ?? kind.replace(/[^A-Za-z0-9_-]+/g, "-");

function propertiesFor(kind: string): JsonObject | undefined {
  const w = wordsNow(starters);
  switch (kind) {
    case "llm": return { prompt: "{{ json(input) }}" };
    case "agent": return { persona: w.persona };
    case "vote": return { voters: [{ name: w.voter(1) }, { name: w.voter(2) }, { name: w.voter(3) }] };
    case "human_review": return { prompt: w.review };
    case "user_input": return { prompt: w.ask };
    case "stage": return { checklist: [w.item] };
    case "switch": return { cases: [] };
    case "loop": return { max_rounds: 3 };
    case "map": return { items: "{ 1, 2, 3 }", body: [] };
    case "sequence": return { steps: [] };
    case "subworkflow": return { workflow_id: "" };
    case "wait": return { duration_ms: 1000 };
    case "transform": return { output: "input" };
    case "script": return { code: "return input" };
    case "tool": return { tool: "web_search", arguments: { query: "{{ json(input) }}" } };
    case "task": return { queue: "work" };
    default: return undefined;
  }
}

const fresh = (kind: string): FlowNode => {
  const properties = propertiesFor(kind);
  return { type: kind, ...(properties && { properties }) };
};

// What a kind brings with it: branches, a body, a first step.
const HELPERS: Record<string, string[]> = { parallel: ["agent", "agent"], loop: ["agent"], map: ["transform"], sequence: ["transform"] };

export interface Fresh { flow: Flow; id: string; helpers: string[] }

/** A new node, not connected yet. */
export function makeNode(flow: Flow, kind: string): Fresh {
  const id = uniqueId(flow, idFor(kind));
  let next = setNode(flow, id, fresh(kind));
  const helpers = (HELPERS[kind] ?? []).map((helper) => {
    const helperId = uniqueId(next, idFor(helper));
    next = setNode(next, helperId, fresh(helper));
    return helperId;
  });
  const [first] = helpers;
  if (kind === "map" && first) {
    next = setProp(next, id, ["properties", "body"], [first]);
    next = setProp(next, first, ["properties"], { output: "map.item" });
  }
  if (kind === "sequence") next = setProp(next, id, ["properties", "steps"], helpers);
  if (kind === "loop" && first) {
    next = setProp(next, id, ["next_ids"], [first]);
    next = setProp(next, first, ["next_ids"], [id]);
  }
  if (kind === "parallel") next = setProp(next, id, ["next_ids"], helpers);
  return { flow: next, id, helpers };
}

function setProp(flow: Flow, id: string, path: string[], to: JsonObject[string]): Flow {
  const node = nodeOf(flow, id);
  return node ? setNode(flow, id, setIn(node, path, to)) : flow;
}

/** Lets a new node lead on to another one. */
export function leadOn(flow: Flow, { id, helpers }: Pick<Fresh, "id" | "helpers">, to: string): Flow {
  const node = nodeOf(flow, id);
  switch (typeOf(node)) {
    case "end": return flow;
    case "switch": return setProp(setProp(flow, id, ["properties", "cases"], [{ when: "true", to }]), id, ["properties", "default"], to);
    case "loop": return setProp(flow, id, ["next_ids"], [...textsOf(node?.next_ids).slice(0, 1), to]);
    case "parallel": return helpers.reduce((f, h) => setProp(f, h, ["next_ids"], [to]), flow);
    case "human_review": return setProp(flow, id, ["routes"], { approve: to, reject: to });
    default: return setProp(flow, id, ["next_ids"], [to]);
  }
}

/** A workflow to begin with: it asks for a topic and gives it back. */
export function blankFlow(): Flow {
  const w = wordsNow(starters);
  return {
    name: w.name,
    input_schema: { type: "object", required: ["topic"], properties: { topic: { type: "string", title: w.topic } } },
    nodes: { start: { type: "start", next_ids: ["end"] }, end: { type: "end" } },
  };
}

export const isStep = (flow: Flow, id: string): boolean =>
  Object.keys(flow.nodes).some((from) => isObject(flow.nodes[from]) && linksFrom(flow, from).some((l) => l.way === "step" && l.to === id));
