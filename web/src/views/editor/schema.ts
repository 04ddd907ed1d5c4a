// What the server's schema (GET /workflow.schema.json) says about each kind's properties, and how a form shows them.

import { useQuery } from "@tanstack/react-query";
import type { Json, JsonObject, JsonSchema } from "@sluice/client";
import { client } from "@/client/http";
import { getIn, isObject } from "./model";

export interface KindSchemas {
  defs: JsonObject;
  kinds: Map<string, { properties: Record<string, JsonSchema>; required: readonly string[] }>;
}

const asSchemas = (value: Json | undefined): Record<string, JsonSchema> => (isObject(value) ? (value as unknown as Record<string, JsonSchema>) : {});

export function readSchema(schema: JsonObject): KindSchemas {
  const kinds: KindSchemas["kinds"] = new Map();
  const all = getIn(schema, ["$defs", "node", "allOf"]);
  for (const rule of Array.isArray(all) ? all : []) {
    const kind = getIn(rule, ["if", "properties", "type", "const"]);
    const own = getIn(rule, ["then", "properties", "properties"]);
    if (typeof kind !== "string" || !isObject(own)) continue;
    const required = Array.isArray(own.required) ? own.required.filter((r): r is string => typeof r === "string") : [];
    kinds.set(kind, { properties: asSchemas(own.properties), required });
  }
  return { defs: isObject(schema.$defs) ? schema.$defs : {}, kinds };
}

export const useKindSchemas = () => useQuery({
  queryKey: ["workflow-schema"], staleTime: Infinity, queryFn: async ({ signal }) => readSchema(await client.workflowSchema({ signal })),
});

/** How a property is edited. */
export type Control = "template" | "expression" | "code" | "any" | "json" | "lines" | "choice" | "flag" | "number" | "line" | "agent" | "provider" | "model" | "workflow" | "tool" | "deep";

const BY_NAME: Record<string, Control> = {
  prompt: "template", system: "template", persona: "template", draft: "template", question: "template", text: "template", query: "template", description: "template", until: "template",
  exit_when: "expression", score: "expression", items: "expression", condition: "expression", when: "expression", code: "code", agent_id: "agent", provider: "provider", model: "model", workflow_id: "workflow", tool: "tool",
  output: "any", input: "any",
};

const typesOf = (schema: JsonSchema): string[] => [schema.type ?? []].flat().filter((t) => t !== "null");

export function controlOf(name: string, schema: JsonSchema): Control {
  if (BY_NAME[name]) return BY_NAME[name];
  if (schema.enum) return "choice";
  const [type] = typesOf(schema);
  if (type === "boolean") return "flag";
  if (type === "number" || type === "integer") return "number";
  if (type === "string") return "line";
  if (type === "object" && !schema.properties) return "json";
  if (type === "array" && isNames(schema)) return "lines";
  const only = alternatives(schema);
  if (only?.$ref === "#/$defs/name") return "line";
  return "deep";
}

const isNames = (schema: JsonSchema) => typeof schema.items === "object" && namesOne(schema.items);
const namesOne = (items: JsonSchema) => items.$ref === "#/$defs/name" || items.$ref === "#/$defs/text" || items.type === "string";

function alternatives(schema: JsonSchema): JsonSchema | undefined {
  if (schema.$ref) return schema;
  const real = (schema.anyOf ?? []).filter((s) => typeof s === "object" && s.type !== "null");
  return real.length === 1 ? real[0] : undefined;
}

// What a kind is about stands first; the rest is found under "More".
const FIRST: Record<string, string[]> = {
  llm: ["prompt", "system", "provider", "model"], agent: ["agent_id", "persona", "prompt", "provider", "model"], vote: ["question", "voters", "vote_type", "threshold"],
  fact_check: ["text", "search_sources", "verify_threshold"], human_review: ["review_type", "prompt", "draft", "form_schema"], user_input: ["prompt", "form_schema"],
  stage: ["description", "checklist", "deliverables"], signal: ["name", "timeout_ms"], loop: ["max_rounds", "exit_when", "score", "exit_on_score"], map: ["items", "max_concurrent", "on_item_error"],
  parallel: ["max_concurrent"], subworkflow: ["workflow_id", "version", "input"], wait: ["duration_ms", "until"], end: ["output", "prompt"], transform: ["output", "vars"],
  script: ["code"], tool: ["tool", "arguments"], task: ["queue", "input"], memory_retrieval: ["query", "max_results"], context_synth: ["max_recent_rounds", "prompt"],
};
/** Edited as arrows, not as texts. */
const ARROWS = new Set(["cases", "default", "steps", "body"]);

export function partsOf(kind: string, names: readonly string[]): { first: string[]; more: string[] } {
  const own = names.filter((n) => !ARROWS.has(n));
  const first = (FIRST[kind] ?? own).filter((n) => own.includes(n));
  return { first, more: own.filter((n) => !first.includes(n)) };
}
