// Nodes as text: copied here, pasted there.

import type { Json, JsonObject } from "@sluice/client";
import { isObject, nodeOf, type Flow } from "./model";

export const copyText = (flow: Flow, ids: readonly string[]): string =>
  JSON.stringify({ sluice: "nodes", nodes: Object.fromEntries(ids.flatMap((id) => (nodeOf(flow, id) ? [[id, nodeOf(flow, id)!]] : []))) }, null, 2);

/** The nodes in a text, if it has any of ours. */
export function copiedNodes(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) && value.sluice === "nodes" && isObject(value.nodes) ? value.nodes : undefined;
  } catch {
    return undefined;
  }
}
