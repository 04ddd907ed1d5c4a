// An agent as its form has it, and back.

import type { Agent, AgentBody, JsonObject } from "@sluice/client";

export interface ModelRow { provider: string; model: string }

export interface AgentForm {
  id: string; name: string; description: string; category: string; avatar: string; persona: string;
  model: ModelRow[];
  temperature: string; top_p: string; max_tokens: string;
  capabilities: string[];
  tools: string[];
  /** Tools that are more than a name, as JSON. */
  toolsJson: string;
  max_tool_rounds: string;
  remembers: boolean; group_results: string; agent_results: string;
}

const text = (value: number | undefined) => (value === undefined || value === null ? "" : String(value));

function modelRows(a: Agent | undefined): ModelRow[] {
  const own = a?.provider ?? "";
  const list = a?.model === undefined ? [] : Array.isArray(a.model) ? a.model : [a.model];
  const rows = list.map((m) => (typeof m === "string" ? { provider: own, model: m } : { provider: m.provider ?? own, model: m.model }));
  return rows.length ? rows : [{ provider: own, model: "" }];
}

export function agentForm(a: Agent | undefined): AgentForm {
  const tools = a?.tools ?? [];
  const rich = tools.filter((t) => typeof t !== "string");
  const memory = a?.memory;
  return {
    id: a?.id ?? "", name: a?.name ?? "", description: a?.description ?? "", category: a?.category ?? "", avatar: a?.avatar ?? "", persona: a?.persona ?? "",
    model: modelRows(a), temperature: text(a?.temperature), top_p: text(a?.top_p), max_tokens: text(a?.max_tokens),
    capabilities: a?.capabilities ?? [], tools: tools.filter((t): t is string => typeof t === "string"), toolsJson: rich.length ? JSON.stringify(rich, null, 2) : "",
    max_tool_rounds: text(a?.max_tool_rounds), remembers: memory !== false,
    group_results: memory ? text(memory.group_results) : "", agent_results: memory ? text(memory.agent_results) : "",
  };
}

const number = (value: string): number | undefined => (value.trim() ? Number(value) : undefined);
const some = (value: string): string | undefined => value.trim() || undefined;

function modelOf(rows: ModelRow[]): Pick<AgentBody, "provider" | "model"> {
  const [first, ...others] = rows;
  const provider = some(first?.provider ?? "");
  const named = others.filter((r) => r.model.trim());
  const own = some(first?.model ?? "");
  if (named.length === 0) return { provider, model: own };
  const rest = named.map((r) => (r.provider && r.provider !== provider ? { provider: r.provider, model: r.model.trim() } : r.model.trim()));
  return { provider, model: own ? [own, ...rest] : rest };
}

function memoryOf(f: AgentForm): AgentBody["memory"] {
  if (!f.remembers) return false;
  const limits = { group_results: number(f.group_results), agent_results: number(f.agent_results) };
  return limits.group_results === undefined && limits.agent_results === undefined ? undefined : limits;
}

/** Throws SyntaxError when the JSON of the tools is none. */
export function richTools(json: string): JsonObject[] {
  if (!json.trim()) return [];
  const list = JSON.parse(json) as unknown;
  if (!Array.isArray(list)) throw new SyntaxError("not a list");
  return list as JsonObject[];
}

export function agentBody(f: AgentForm): AgentBody {
  const tools = [...f.tools, ...richTools(f.toolsJson)];
  return {
    id: some(f.id), name: f.name.trim(), description: some(f.description), category: some(f.category), avatar: some(f.avatar), persona: f.persona.trim() ? f.persona : undefined,
    ...modelOf(f.model), temperature: number(f.temperature), top_p: number(f.top_p), max_tokens: number(f.max_tokens),
    capabilities: f.capabilities.length ? f.capabilities : undefined, tools: tools.length ? tools : undefined,
    max_tool_rounds: number(f.max_tool_rounds), memory: memoryOf(f),
  };
}

/** A workflow of this one agent, to hear how it speaks. */
export function tryGraph(agentId: string, name: string) {
  return {
    name,
    nodes: {
      start: { type: "start", next_ids: ["agent"] },
      agent: { type: "agent", name, properties: { agent_id: agentId, prompt: "{{ input.prompt }}" }, next_ids: ["end"] },
      end: { type: "end" },
    },
  };
}
