// What a run is started from: a stored workflow, or a template that is made one.

import type { Json, JsonObject, JsonSchema, Template, Workflow } from "@sluice/client";
import { api, client } from "@/client/http";

export type SourceRef = { kind: "workflow"; id: string; version?: number } | { kind: "template"; id: string };

export interface Source {
  ref: SourceRef;
  name: string;
  description: string;
  workflow: Workflow & { group_id?: string };
  /** Of a template: what it wants to know before there is a workflow. */
  params?: JsonSchema;
  template?: Template;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

export async function loadSource(ref: SourceRef, signal?: AbortSignal): Promise<Source> {
  if (ref.kind === "workflow") {
    const workflow = await api.workflow(ref.id, ref.version, signal);
    return { ref, workflow, name: workflow.name ?? "", description: workflow.description ?? "" };
  }
  const template = await client.getTemplate(ref.id, { signal });
  const graph = template.graph as unknown as Workflow;
  const params = template.parameters as JsonSchema | undefined;
  return {
    ref, template, workflow: { ...graph, id: template.id }, name: template.name ?? "", description: template.description ?? textOf(graph.description),
    ...(params && Object.keys(params.properties ?? {}).length ? { params } : {}),
  };
}

/** A short fingerprint (cyrb53): the same template with the same values is made a workflow once. */
function fingerprint(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 2654435761);
    b = Math.imul(b ^ c, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36);
}

export const instanceId = (template: Template, values: JsonObject): string =>
  `${template.id.slice(0, 48)}-${fingerprint(JSON.stringify([template.graph, values]))}`;

/** The template's texts with its parameters in them, as an estimate needs them. */
export function withParams(graph: Json, values: JsonObject): Json {
  if (typeof graph === "string") return graph.replace(/\bparam\.([A-Za-z_]\w*)/g, (all, name: string) => (name in values ? `(${JSON.stringify(values[name])})` : all));
  if (Array.isArray(graph)) return graph.map((v) => withParams(v, values));
  if (graph && typeof graph === "object") return Object.fromEntries(Object.entries(graph).map(([k, v]) => [k, withParams(v, values)]));
  return graph;
}
