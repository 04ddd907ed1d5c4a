// What can be done to the nodes of a workflow. Every function gives a new workflow and leaves the old one alone,
// which is what undo lives from.

import type { Json, JsonObject } from "@sluice/client";
import { connect, containerOf, linksFrom, linksOf, redirect } from "./links";
import {
  getIn, idsOf, isObject, nodeOf, placesOf, propsOf, setFlowIn, setIn, setNode, setPlaces, textOf, textsOf, typeOf, uniqueId, type Flow, type FlowNode, type Place,
} from "./model";
import { renameInNode } from "./refs";

// Members that name other nodes, beside the arrows.
const NAMING = [["properties", "depends_on"], ["properties", "voters"]] as const;

const OPTIONAL = new Set(["next_ids", "depends_on"]);

function mapArrows(node: FlowNode, to: (id: string) => string | undefined): FlowNode {
  let out = node;
  const list = (path: readonly string[]) => {
    const was = getIn(out, path);
    if (!Array.isArray(was)) return;
    const now = was.flatMap((v): Json[] => (typeof v === "string" ? (to(v) === undefined ? [] : [to(v)!]) : [v]));
    const changed = now.length !== was.length || now.some((v, i) => v !== was[i]);
    // What may be left out is left out when nothing is in it any more.
    if (changed) out = setIn(out, path, now.length === 0 && OPTIONAL.has(path.at(-1)!) ? undefined : now);
  };
  list(["next_ids"]);
  list(["properties", "steps"]);
  list(["properties", "body"]);
  for (const path of NAMING) list(path);
  if (isObject(out.routes)) {
    const routes = Object.entries(out.routes).flatMap(([label, id]): [string, Json][] => (typeof id !== "string" ? [[label, id]] : to(id) === undefined ? [] : [[label, to(id)!]]));
    out = setIn(out, ["routes"], routes.length || !Object.keys(out.routes).length ? Object.fromEntries(routes) : undefined);
  }
  const { cases, default: other } = propsOf(out);
  if (typeOf(out) === "switch" && Array.isArray(cases)) {
    out = setIn(out, ["properties", "cases"], cases.flatMap((c): Json[] => {
      if (!isObject(c) || typeof c.to !== "string") return [c];
      const next = to(c.to);
      return next === undefined ? [] : [next === c.to ? c : { ...c, to: next }];
    }));
  }
  if (typeOf(out) === "switch" && typeof other === "string") out = setIn(out, ["properties", "default"], to(other));
  const onError = textOf(out.on_error);
  if (onError && onError !== "fail" && onError !== "continue") out = setIn(out, ["on_error"], to(onError));
  return out;
}

/** Another id, everywhere where it is named. */
export function renameNode(flow: Flow, from: string, to: string): Flow {
  if (from === to || !nodeOf(flow, from) || Object.hasOwn(flow.nodes, to)) return flow;
  const nodes: JsonObject = {};
  for (const id of idsOf(flow)) {
    const node = flow.nodes[id]!;
    const next = isObject(node) ? renameInNode(mapArrows(node, (x) => (x === from ? to : x)), from, to) : node;
    nodes[id === from ? to : id] = next;
  }
  const next: Flow = { ...flow, nodes: nodes as Flow["nodes"] };
  if (flow.start_node_id === from) next.start_node_id = to;
  const places = getIn(flow, ["ui", "positions"]);
  if (!isObject(places) || !Object.hasOwn(places, from)) return next;
  return setFlowIn(next, ["ui", "positions"], Object.fromEntries(Object.entries(places).map(([id, p]) => [id === from ? to : id, p])));
}

/** The one node behind this one, if there is one: what leads here can lead there when this is gone. */
function heir(flow: Flow, id: string, gone: ReadonlySet<string>): string | undefined {
  const seen = new Set<string>();
  for (let at = id; !seen.has(at);) {
    seen.add(at);
    const ahead = [...new Set(linksFrom(flow, at).filter((l) => l.way !== "error" && l.way !== "member" && l.way !== "step").map((l) => l.to))];
    const onward = typeOf(nodeOf(flow, at)) === "loop" ? ahead.slice(1) : ahead;
    if (onward.length !== 1 || !onward[0]) return undefined;
    if (!gone.has(onward[0])) return onward[0];
    at = onward[0];
  }
  return undefined;
}

/** Takes nodes out; a chain closes over the gap. */
export function removeNodes(flow: Flow, ids: readonly string[]): Flow {
  const gone = new Set(ids.filter((id) => nodeOf(flow, id)));
  if (gone.size === 0) return flow;
  let next = flow;
  for (const link of linksOf(flow)) {
    if (!gone.has(link.to) || gone.has(link.from) || link.way === "step" || link.way === "member" || link.way === "error") continue;
    const to = heir(flow, link.to, gone);
    const doubled = to !== undefined && (to === link.from || linksFrom(next, link.from).some((l) => l.way === "next" && l.to === to));
    if (to !== undefined && !doubled) next = redirect(next, link, to);
  }
  const nodes: JsonObject = {};
  for (const id of idsOf(next)) {
    if (gone.has(id)) continue;
    const node = next.nodes[id]!;
    nodes[id] = isObject(node) ? mapArrows(node, (x) => (gone.has(x) ? undefined : x)) : node;
  }
  const places = Object.fromEntries(Object.entries(placesOf(next)).filter(([id]) => !gone.has(id)));
  const out: Flow = { ...next, nodes: nodes as Flow["nodes"] };
  if (gone.has(textOf(flow.start_node_id))) delete out.start_node_id;
  return isObject(flow.ui) ? setPlaces(out, places) : out;
}

export interface Made { flow: Flow; ids: string[] }

/** Nodes as they were copied, with ids of their own here; arrows among them are kept, others where their target is here. */
export function pasteNodes(flow: Flow, nodes: JsonObject, keepOthers = false): Made {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const id of Object.keys(nodes)) {
    const fresh = uniqueId(flow, id, taken);
    names.set(id, fresh);
    taken.add(fresh);
  }
  let next = flow;
  for (const [id, value] of Object.entries(nodes)) {
    if (!isObject(value)) continue;
    let node: Json = mapArrows(value, (x) => names.get(x) ?? (keepOthers && nodeOf(flow, x) ? x : undefined));
    for (const [from, to] of names) if (from !== to) node = renameInNode(node, from, to);
    next = setNode(next, names.get(id)!, node as FlowNode);
  }
  return { flow: next, ids: [...names.values()].filter((id) => nodeOf(next, id)) };
}

/** A copy of one node goes on as the original does: a branch beside it, or the next in line. Of several: the group by itself. */
export function duplicate(flow: Flow, ids: readonly string[]): Made {
  const nodes = Object.fromEntries(ids.flatMap((id) => (nodeOf(flow, id) && typeOf(nodeOf(flow, id)) !== "start" ? [[id, nodeOf(flow, id)!]] : [])));
  const made = pasteNodes(flow, nodes, true);
  const [copy] = made.ids;
  const [original] = Object.keys(nodes);
  if (made.ids.length !== 1 || !copy || !original) return made;
  const inward = linksOf(flow).filter((l) => l.to === original);
  const branching = inward.find((l) => typeOf(nodeOf(flow, l.from)) === "parallel" && l.way === "next");
  if (branching) return { ...made, flow: connect(made.flow, branching.from, copy, "next") };
  const holder = containerOf(flow, original);
  if (holder?.way === "step") return { ...made, flow: insertStep(made.flow, holder.from, copy, stepsOf(made.flow, holder.from).indexOf(original) + 1) };
  const ahead = linksFrom(flow, original);
  if (ahead.length === 1 && ahead[0]!.way === "next") return { ...made, flow: redirect(made.flow, ahead[0]!, copy) };
  return made;
}

/** A step before the place `at`; last without one. */
export function insertStep(flow: Flow, sequence: string, id: string, at = Infinity): Flow {
  const node = nodeOf(flow, sequence);
  if (!node) return flow;
  const steps = textsOf(propsOf(node).steps).filter((s) => s !== id);
  const next = setNode(flow, sequence, setIn(node, ["properties", "steps"], [...steps.slice(0, at), id, ...steps.slice(at)]));
  const step = nodeOf(next, id);
  return step && step.next_ids !== undefined ? setNode(next, id, setIn(step, ["next_ids"], undefined)) : next;
}

export const stepsOf = (flow: Flow, sequence: string): string[] => textsOf(propsOf(nodeOf(flow, sequence)).steps);

export const dropPlaces = (flow: Flow): Flow => setPlaces(flow, undefined);
export const movePlaces = (flow: Flow, all: Record<string, Place>, moved: Record<string, Place>): Flow => setPlaces(flow, { ...all, ...moved });
