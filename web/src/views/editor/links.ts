// The arrows of a workflow, one by one. What an arrow means hangs on where it is written: `next_ids`, a route,
// a case of a switch, the body or the exit of a loop, a step, a member, or `on_error`.

import type { Json, JsonObject } from "@sluice/client";
import { idsOf, isObject, nodeOf, propsOf, setIn, setNode, textOf, textsOf, typeOf, type Flow, type FlowNode } from "./model";

/** "next" | "body" | "exit" | "route:<label>" | "case:<index>" | "default" | "error" | "step" | "member" */
export type Way = string;

export interface Link { from: string; to: string; way: Way }

const LABELLED = new Set(["human_review", "vote", "fact_check"]);
const SET_LABELS: Record<string, string[]> = { vote: ["approve", "reject"], fact_check: ["approve", "reject"] };
const GOES_ON = new Set(["fail", "continue"]);

const casesOf = (node: FlowNode | undefined): Json[] => {
  const { cases } = propsOf(node);
  return Array.isArray(cases) ? cases : [];
};

export function linksFrom(flow: Flow, from: string): Link[] {
  const node = nodeOf(flow, from);
  if (!node) return [];
  const type = typeOf(node);
  const out: Link[] = [];
  const add = (to: string, way: Way) => { if (to) out.push({ from, to, way }); };
  textsOf(node.next_ids).forEach((to, i) => add(to, type === "loop" ? (i === 0 ? "body" : "exit") : "next"));
  if (isObject(node.routes)) for (const [label, to] of Object.entries(node.routes)) add(textOf(to), `route:${label}`);
  if (type === "switch") {
    casesOf(node).forEach((c, i) => { if (isObject(c)) add(textOf(c.to), `case:${i}`); });
    add(textOf(propsOf(node).default), "default");
  }
  if (type === "sequence") for (const to of textsOf(propsOf(node).steps)) add(to, "step");
  if (type === "map") for (const to of textsOf(propsOf(node).body)) add(to, "member");
  const onError = textOf(node.on_error);
  if (onError && !GOES_ON.has(onError)) add(onError, "error");
  return out;
}

export const linksOf = (flow: Flow): Link[] => idsOf(flow).flatMap((id) => linksFrom(flow, id));

/** The actions that a review knows, or the verdicts of a vote: what its routes can be called. */
export function labelsOf(node: FlowNode | undefined): string[] {
  const type = typeOf(node);
  if (SET_LABELS[type]) return SET_LABELS[type];
  const p = propsOf(node);
  const own = textsOf(p.actions);
  const usual = p.review_type === "form" ? ["submit", "reject"] : ["approve", "modify", "reject"];
  const labels = [...(own.length ? own : usual), ...(p.allow_skip === true ? ["skip"] : []), ...(p.on_timeout === "route" ? ["timeout"] : [])];
  return [...new Set(labels)];
}

/** How an arrow from this node may be meant, the likeliest first. */
export function waysFrom(flow: Flow, from: string): Way[] {
  const node = nodeOf(flow, from);
  if (!node) return [];
  const type = typeOf(node);
  const error: Way[] = type === "start" ? [] : ["error"];
  if (type === "end") return [];
  if (type === "switch") return [`case:${casesOf(node).length}`, "default", ...error];
  if (type === "loop") return textsOf(node.next_ids).length === 1 ? ["exit", "body", ...error] : ["body", "exit", ...error];
  if (LABELLED.has(type)) {
    const routes = isObject(node.routes) ? node.routes : {};
    const labels = labelsOf(node).sort((a, b) => Number(a in routes) - Number(b in routes)).map((l) => `route:${l}`);
    const plain = Object.keys(routes).length === 0;
    return plain ? ["next", ...labels, ...error] : [...labels, "next", ...error];
  }
  if (type === "sequence") return ["next", "step", ...error];
  if (type === "map") return ["next", "member", ...error];
  return ["next", ...error];
}

const without = (list: Json | undefined, to: string) => textsOf(list).filter((id) => id !== to);
const listed = (list: Json | undefined, to: string) => [...without(list, to), to];

function withNext(node: FlowNode, ids: string[]): FlowNode {
  return setIn(node, ["next_ids"], ids.length ? ids : undefined);
}

function inLoop(node: FlowNode, way: Way, to: string): FlowNode {
  const [body, exit] = textsOf(node.next_ids);
  if (way === "exit") return withNext(node, body === undefined ? [to] : [body, to]);
  // With one arrow only, that one becomes the exit.
  return withNext(node, exit === undefined ? [to, ...(body === undefined ? [] : [body])] : [to, exit]);
}

function setCase(node: FlowNode, index: number, to: string): FlowNode {
  const cases = casesOf(node);
  const was = cases[index];
  const next: JsonObject = isObject(was) ? { ...was, to } : { when: "", to };
  const list = index < cases.length ? cases.map((c, i) => (i === index ? next : c)) : [...cases, next];
  return setIn(node, ["properties", "cases"], list);
}

function linked(node: FlowNode, way: Way, to: string): FlowNode {
  const [kind, detail = ""] = way.split(/:(.*)/s);
  switch (kind) {
    case "body": case "exit": return inLoop(node, way, to);
    case "route": return setIn(node, ["routes", detail], to);
    case "case": return setCase(node, Number(detail), to);
    case "default": return setIn(node, ["properties", "default"], to);
    case "error": return setIn(node, ["on_error"], to);
    case "step": return setIn(node, ["properties", "steps"], listed(propsOf(node).steps, to));
    case "member": return setIn(node, ["properties", "body"], listed(propsOf(node).body, to));
    default: return withNext(node, textsOf(node.next_ids).includes(to) ? textsOf(node.next_ids) : [...textsOf(node.next_ids), to]);
  }
}

export function connect(flow: Flow, from: string, to: string, way?: Way): Flow {
  const node = nodeOf(flow, from);
  const chosen = way ?? waysFrom(flow, from)[0];
  if (!node || !nodeOf(flow, to) || !chosen) return flow;
  const next = setNode(flow, from, linked(node, chosen, to));
  // A step has no arrows of its own: what follows it is the next step.
  if (chosen !== "step") return next;
  const step = nodeOf(next, to);
  return step && textsOf(step.next_ids).length ? setNode(next, to, withNext(step, [])) : next;
}

function unlinked(node: FlowNode, link: Link): FlowNode {
  const [kind, detail = ""] = link.way.split(/:(.*)/s);
  const p = propsOf(node);
  switch (kind) {
    case "route": {
      const rest = setIn(isObject(node.routes) ? node.routes : {}, [detail], undefined);
      return setIn(node, ["routes"], Object.keys(rest).length ? rest : undefined);
    }
    case "case": return setIn(node, ["properties", "cases"], casesOf(node).filter((_, i) => i !== Number(detail)));
    case "default": return setIn(node, ["properties", "default"], undefined);
    case "error": return setIn(node, ["on_error"], undefined);
    case "step": return setIn(node, ["properties", "steps"], without(p.steps, link.to));
    case "member": return setIn(node, ["properties", "body"], without(p.body, link.to));
    // The places of a loop's two arrows tell them apart.
    case "body": return withNext(node, textsOf(node.next_ids).slice(1));
    case "exit": return withNext(node, textsOf(node.next_ids).slice(0, 1));
    default: return withNext(node, without(node.next_ids, link.to));
  }
}

export function disconnect(flow: Flow, link: Link): Flow {
  const node = nodeOf(flow, link.from);
  return node ? setNode(flow, link.from, unlinked(node, link)) : flow;
}

/** The same arrow to another node. */
export function redirect(flow: Flow, link: Link, to: string): Flow {
  const node = nodeOf(flow, link.from);
  if (!node || link.to === to) return flow;
  const swap = (list: Json | undefined) => [...new Set(textsOf(list).map((id) => (id === link.to ? to : id)))];
  const p = propsOf(node);
  switch (link.way) {
    case "next": return setNode(flow, link.from, withNext(node, swap(node.next_ids)));
    case "step": return setNode(flow, link.from, setIn(node, ["properties", "steps"], swap(p.steps)));
    case "member": return setNode(flow, link.from, setIn(node, ["properties", "body"], swap(p.body)));
    default: return setNode(flow, link.from, linked(node, link.way, to));
  }
}

/** The same two nodes, meant otherwise. */
export function remean(flow: Flow, link: Link, way: Way): Flow {
  return way === link.way ? flow : connect(disconnect(flow, link), link.from, link.to, way);
}

/** The container of a node, if it is a step of a sequence or a member of a map. */
export function containerOf(flow: Flow, id: string): Link | undefined {
  return linksOf(flow).find((l) => l.to === id && (l.way === "step" || l.way === "member"));
}
