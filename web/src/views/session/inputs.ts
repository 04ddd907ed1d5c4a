// What a node reads, found in its definition: {{ nodes.<id>.output }}, {{ input.… }} and the like, in templates and in
// expressions. The events tell what a node gave; what it was given is what these names stood for.

import type { Json, Workflow, WorkflowNode } from "@sluice/client";
import { edgesOf } from "@/graph/edges";

export interface Reads {
  nodes: string[];
  input: boolean;
}

const NODE = /\bnodes\.([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*?)\.(?:output|status)\b/g;
const NODE_INDEX = /\bnodes\[["']([A-Za-z0-9_.-]+)["']\]/g;
const INPUT = /(?:^|[^.\w])input(?:\b|\.|\[)/;

function texts(value: Json | undefined, found: string[]): void {
  if (typeof value === "string") found.push(value);
  else if (Array.isArray(value)) for (const v of value) texts(v, found);
  else if (value && typeof value === "object") for (const v of Object.values(value)) texts(v, found);
}

/** The nodes that a node's definition names, in the order of their naming; those before it when it names none. */
export function readsOf(id: string, node: WorkflowNode | undefined, workflow: Workflow | undefined): Reads {
  const found: string[] = [];
  texts(node?.properties, found);
  texts((node as { when?: Json } | undefined)?.when, found);
  const known = workflow?.nodes ?? {};
  const nodes = new Set<string>();
  let input = node?.type === "start";
  for (const text of found) {
    for (const re of [NODE, NODE_INDEX]) for (const m of text.matchAll(re)) if (m[1] && m[1] !== id && known[m[1]]) nodes.add(m[1]);
    if (isTemplateInput(text)) input = true;
  }
  if (workflow && nodes.size === 0 && !input) for (const e of edgesOf(workflow)) if (e.to === id && !e.back && known[e.from]) nodes.add(e.from);
  return { nodes: [...nodes], input };
}

// "input" is also a plain word: it counts inside of braces, or in a text that is nothing but an expression.
function isTemplateInput(text: string): boolean {
  const inside = [...text.matchAll(/\{\{(.*?)\}\}/gs)].map((m) => m[1] ?? "");
  return inside.length > 0 ? inside.some((t) => INPUT.test(` ${t}`)) : /^\s*input[.[]/.test(text);
}
