// What has changed between two versions of a workflow: nodes, their fields, arrows, settings.

import type { Json, JsonObject, Workflow } from "@sluice/client";
import { edgesOf } from "@/graph/edges";

export interface FieldChange { path: string; before?: Json; after?: Json }
export interface NodeChange { id: string; fields: FieldChange[] }
export interface Arrow { from: string; to: string; label: string }

export interface Changes {
  added: string[];
  removed: string[];
  changed: NodeChange[];
  arrowsAdded: Arrow[];
  arrowsRemoved: Arrow[];
  /** Of the workflow itself: name, input schema, variables, … */
  settings: FieldChange[];
}

const isObject = (v: Json | undefined): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);

/** The order of an object's members says nothing. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((v, i) => same(v, b[i]));
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((n) => n in b && same(a[n], b[n]));
  }
  return a === b;
}

export function fieldChanges(before: Json | undefined, after: Json | undefined, path = ""): FieldChange[] {
  if (same(before, after)) return [];
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((n) => fieldChanges(before[n], after[n], path ? `${path}.${n}` : n));
  }
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
}

// Where the boxes stand is no change of what is done; arrows are told as arrows.
const OWN = new Set(["nodes", "ui", "id"]);
const ARROWS = new Set(["next_ids", "routes"]);
const without = (object: JsonObject, names: Set<string>) => Object.fromEntries(Object.entries(object).filter(([n]) => !names.has(n)));
const asJson = (value: unknown): JsonObject => (value ?? {}) as JsonObject;

const arrowsOf = (w: Workflow): Arrow[] => edgesOf(w).map(({ from, to, label }) => ({ from, to, label }));
const has = (list: Arrow[], a: Arrow) => list.some((b) => a.from === b.from && a.to === b.to && a.label === b.label);

export function compareWorkflows(before: Workflow, after: Workflow): Changes {
  const a = before.nodes ?? {};
  const b = after.nodes ?? {};
  const [was, is] = [arrowsOf(before), arrowsOf(after)];
  return {
    added: Object.keys(b).filter((id) => !(id in a)),
    removed: Object.keys(a).filter((id) => !(id in b)),
    changed: Object.keys(a).filter((id) => id in b).map((id) => ({ id, fields: fieldChanges(without(asJson(a[id]), ARROWS), without(asJson(b[id]), ARROWS)) })).filter((n) => n.fields.length),
    arrowsAdded: is.filter((x) => !has(was, x)),
    arrowsRemoved: was.filter((x) => !has(is, x)),
    settings: fieldChanges(without(asJson(before), OWN), without(asJson(after), OWN)),
  };
}

export const isSame = (c: Changes): boolean =>
  [c.added, c.removed, c.changed, c.arrowsAdded, c.arrowsRemoved, c.settings].every((list) => list.length === 0);
