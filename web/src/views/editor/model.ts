// A workflow as the editor holds it: the document itself, whatever it says. Fields that the editor does not know
// stay as they are, and what is half written (by hand, as YAML) is read with care and never thrown away.

import type { Json, JsonObject, Workflow, WorkflowNode } from "@sluice/client";

export type FlowNode = JsonObject;
/** `nodes` is an object by id; everything else is as it was written. */
export type Flow = JsonObject & { nodes: { [id: string]: Json } };

export const isObject = (v: Json | undefined): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
export const textOf = (v: Json | undefined): string => (typeof v === "string" ? v : "");
export const textsOf = (v: Json | undefined): string[] => (Array.isArray(v) ? v.filter((x): x is string => typeof x === "string") : []);

export const nodeOf = (flow: Flow, id: string): FlowNode | undefined => {
  const node = Object.hasOwn(flow.nodes, id) ? flow.nodes[id] : undefined;
  return isObject(node) ? node : undefined;
};
export const typeOf = (node: FlowNode | undefined): string => textOf(node?.type) || "node";
export const propsOf = (node: FlowNode | undefined): JsonObject => (isObject(node?.properties) ? node.properties : {});
export const idsOf = (flow: Flow): string[] => Object.keys(flow.nodes);

/** Takes a document in; undefined when it has no nodes to show. Nodes that stand in an array become an object by id. */
export function flowOf(value: Json | undefined): Flow | undefined {
  if (!isObject(value)) return undefined;
  const { nodes } = value;
  if (isObject(nodes)) return value as Flow;
  if (!Array.isArray(nodes)) return undefined;
  const byId: JsonObject = {};
  for (const node of nodes) {
    if (!isObject(node) || !textOf(node.id)) return undefined;
    const { id, ...rest } = node;
    byId[textOf(id)] = rest;
  }
  return { ...value, nodes: byId };
}

/** Two words for the same thing? Order of members does not count, but for nodes nobody sees it either. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => same(x, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && same(a[k], b[k]));
}

function plainNode(node: FlowNode): WorkflowNode {
  const routes = isObject(node.routes) ? Object.fromEntries(Object.entries(node.routes).filter((e): e is [string, string] => typeof e[1] === "string")) : undefined;
  const name = textOf(node.name) || undefined;
  const on_error = textOf(node.on_error) || undefined;
  return { type: typeOf(node), ...(name && { name }), next_ids: textsOf(node.next_ids), ...(routes && { routes }), ...(on_error && { on_error }), properties: propsOf(node) };
}

/** What can be drawn of it: only members of the type that they should have. */
export function drawn(flow: Flow): Workflow {
  const nodes: Record<string, WorkflowNode> = {};
  for (const id of idsOf(flow)) nodes[id] = plainNode(nodeOf(flow, id) ?? {});
  const start_node_id = textOf(flow.start_node_id) || undefined;
  return { id: textOf(flow.id) || "new", ...(start_node_id && { start_node_id }), nodes };
}

/** Sets what stands at the path; undefined takes it out. Objects on the way are made. */
export function setIn(value: JsonObject, path: readonly string[], to: Json | undefined): JsonObject {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (rest.length === 0) {
    if (to !== undefined) return { ...value, [key]: to };
    const { [key]: _, ...others } = value;
    return others;
  }
  const inner = value[key];
  return { ...value, [key]: setIn(isObject(inner) ? inner : {}, rest, to) };
}

export function getIn(value: Json | undefined, path: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const key of path) {
    if (!isObject(at)) return undefined;
    at = Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return at;
}

export const setNode = (flow: Flow, id: string, node: FlowNode): Flow => ({ ...flow, nodes: { ...flow.nodes, [id]: node } });
/** Changes a member of a node ("properties", "prompt"). */
export const setNodeIn = (flow: Flow, id: string, path: readonly string[], to: Json | undefined): Flow => {
  const node = nodeOf(flow, id);
  return node ? setNode(flow, id, setIn(node, path, to)) : flow;
};
export const setFlowIn = (flow: Flow, path: readonly string[], to: Json | undefined): Flow => setIn(flow, path, to) as Flow;

export function uniqueId(flow: Flow, wanted: string, also: ReadonlySet<string> = new Set()): string {
  const base = wanted.replace(/-\d+$/, "") || "node";
  const taken = (id: string) => Object.hasOwn(flow.nodes, id) || also.has(id);
  if (!taken(wanted)) return wanted;
  for (let i = 2; ; i++) if (!taken(`${base}-${i}`)) return `${base}-${i}`;
}

export const ID = /^[A-Za-z0-9_.-]{1,64}$/;

/** The title of a node where it is listed: its name, else its id. */
export const titleOf = (flow: Flow, id: string): string => {
  const node = nodeOf(flow, id);
  return textOf(node?.name) || textOf(propsOf(node).name) || id;
};

// Where nodes stand that somebody has put there; docs/WORKFLOWS.md leaves `ui` to editors.

export interface Place { x: number; y: number }

export function placesOf(flow: Flow): Record<string, Place> {
  const kept = getIn(flow, ["ui", "positions"]);
  const out: Record<string, Place> = {};
  for (const [id, at] of isObject(kept) ? Object.entries(kept) : []) {
    if (isObject(at) && typeof at.x === "number" && typeof at.y === "number" && nodeOf(flow, id)) out[id] = { x: at.x, y: at.y };
  }
  return out;
}

export function setPlaces(flow: Flow, places: Record<string, Place> | undefined): Flow {
  if (places && Object.keys(places).length) {
    const rounded = Object.fromEntries(Object.entries(places).map(([id, p]) => [id, { x: Math.round(p.x), y: Math.round(p.y) }]));
    return setFlowIn(flow, ["ui", "positions"], rounded);
  }
  const without = setFlowIn(flow, ["ui", "positions"], undefined);
  return isObject(without.ui) && Object.keys(without.ui).length === 0 ? setFlowIn(without, ["ui"], undefined) : without;
}
