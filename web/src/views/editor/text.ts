// A workflow as YAML or JSON, and back. In YAML that somebody has written, only what has changed is written anew, so that
// comments and the shape of everything else stay.

import { isCollection, isMap, isScalar, isSeq, LineCounter, parseDocument, stringify, type Document, type Node, type ParsedNode } from "yaml";
import type { Json } from "@sluice/client";
import { isObject, same, type Flow } from "./model";

export interface TextProblem { line: number; message: string; severity: "error" | "warning" }

const FORMAT = { lineWidth: 120, indent: 2 } as const;

export function readText(text: string, language: "yaml" | "json"): { value?: Json; problems: TextProblem[] } {
  if (language === "json") {
    try {
      return { value: JSON.parse(text) as Json, problems: [] };
    } catch (err) {
      return { problems: [{ line: jsonLine(text, (err as Error).message), message: (err as Error).message, severity: "error" }] };
    }
  }
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (doc.errors.length) return { problems: doc.errors.map((e) => ({ line: lines.linePos(e.pos[0]).line, message: e.message, severity: "error" as const })) };
  return { value: doc.toJS({ maxAliasCount: 1000 }) as Json, problems: [] };
}

function jsonLine(text: string, message: string): number {
  const line = /line (\d+)/.exec(message)?.[1];
  const position = /position (\d+)/.exec(message)?.[1];
  return line ? Number(line) : position ? text.slice(0, Number(position)).split("\n").length : 1;
}

/** Makes the document say what the value says, touching as little as it can. */
function patch(doc: Document.Parsed, path: (string | number)[], was: Json | undefined, now: Json): void {
  if (same(was, now) && sameKeys(was, now)) return;
  const node = path.length ? doc.getIn(path, true) : doc.contents;
  if (isObject(was) && isObject(now) && isMap(node)) {
    for (const key of Object.keys(was)) if (!Object.hasOwn(now, key)) doc.deleteIn([...path, key]);
    for (const [key, value] of Object.entries(now)) {
      if (Object.hasOwn(was, key)) patch(doc, [...path, key], was[key], value);
      else doc.setIn([...path, key], doc.createNode(value));
    }
    return;
  }
  if (Array.isArray(was) && Array.isArray(now) && isSeq(node)) {
    for (let i = was.length - 1; i >= now.length; i--) doc.deleteIn([...path, i]);
    now.forEach((value, i) => {
      if (i < was.length) patch(doc, [...path, i], was[i], value);
      else doc.addIn(path, doc.createNode(value));
    });
    return;
  }
  replace(doc, path, node, now);
}

// Nodes that were renamed keep their place: the order of the members is part of what is said.
const sameKeys = (a: Json | undefined, b: Json): boolean => !isObject(a) || !isObject(b) || Object.keys(a).join("\n") === Object.keys(b).join("\n");

function replace(doc: Document.Parsed, path: (string | number)[], node: unknown, now: Json): void {
  const next = doc.createNode(now) as Node;
  const old = node as Partial<Node> | undefined;
  if (isScalar(node) && isScalar(next) && typeof now === "string" && typeof node.value === "string") next.type = typeof now === "string" && now.includes("\n") ? "BLOCK_LITERAL" : node.type?.startsWith("BLOCK") ? undefined : node.type;
  if (isCollection(node) && isCollection(next)) next.flow = node.flow;
  if (old?.commentBefore) next.commentBefore = old.commentBefore;
  if (old?.comment) next.comment = old.comment;
  doc.setIn(path, next);
}

/** The text, with what the workflow says now. */
export function updateText(text: string, flow: Flow, language: "yaml" | "json"): string {
  if (language === "json") return `${JSON.stringify(flow, null, 2)}\n`;
  if (!text.trim()) return stringify(flow, FORMAT);
  const doc = parseDocument(text);
  const was = doc.errors.length ? undefined : (doc.toJS({ maxAliasCount: 1000 }) as Json);
  // Renamed or moved members cannot be patched in their place; anchors would be changed for all who name them.
  if (!isObject(was) || !isMap(doc.contents) || !isObject(was.nodes) || /(^|\s)[&*][A-Za-z]/.test(text)) return stringify(flow, FORMAT);
  if (same(was, flow) && sameKeys(was.nodes, flow.nodes)) return text;
  patch(doc, [], was, flow);
  sortLike(doc.contents, flow);
  return doc.toString(FORMAT);
}

/** Puts the nodes into the order that the workflow has them in. */
function sortLike(root: ParsedNode | null, flow: Flow): void {
  const nodes = isMap(root) ? root.get("nodes", true) : undefined;
  if (!isMap(nodes)) return;
  const order = new Map(Object.keys(flow.nodes).map((id, i) => [id, i]));
  const at = (item: { key: unknown }) => order.get(String(isScalar(item.key) ? item.key.value : item.key)) ?? 0;
  nodes.items.sort((a, b) => at(a) - at(b));
}

/** The line of "nodes.judge.properties.cases[0].when", or of the deepest part of it that is there. */
export function placeInText(text: string, path: string, language: "yaml" | "json"): number | undefined {
  const lines = new LineCounter();
  // JSON is YAML, too.
  const doc = parseDocument(text, { lineCounter: lines, ...(language === "json" && { schema: "json" }) });
  let at: unknown = doc.contents;
  let offset = (doc.contents as { range?: [number, number, number] } | null)?.range?.[0];
  for (const part of partsOf(path, doc)) {
    if (isMap(at)) {
      const pair = at.items.find((i) => String(isScalar(i.key) ? i.key.value : i.key) === part);
      if (!pair) break;
      offset = (pair.key as { range?: [number, number, number] | null } | null)?.range?.[0] ?? offset;
      at = pair.value;
    } else if (isSeq(at)) {
      at = at.items[Number(part)];
      offset = (at as { range?: [number, number, number] | null } | null)?.range?.[0] ?? offset;
    } else break;
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

/** Ids may have dots in them: the longest one that is a node counts. */
function partsOf(path: string, doc: Document.Parsed): string[] {
  const nodes = isMap(doc.contents) ? doc.contents.get("nodes", true) : undefined;
  const ids = isMap(nodes) ? nodes.items.map((i) => String(isScalar(i.key) ? i.key.value : i.key)) : [];
  const rest = path.startsWith("nodes.") ? path.slice(6) : "";
  const id = ids.filter((x) => rest === x || rest.startsWith(`${x}.`) || rest.startsWith(`${x}[`)).sort((a, b) => b.length - a.length)[0];
  const split = (p: string) => p.split(/[.[\]]+/).filter(Boolean);
  return id === undefined ? split(path) : ["nodes", id, ...split(rest.slice(id.length))];
}
