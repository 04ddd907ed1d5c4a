// Words and figures for people.

import type { Json, Session, Workflow, WorkflowNode } from "../../client/index";

export function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min ${String(s % 60).padStart(2, "0")} s`;
  const h = Math.floor(m / 60);
  return h < 48 ? `${h} h ${String(m % 60).padStart(2, "0")} min` : `${Math.floor(h / 24)} days`;
}

export function shortDuration(ms: number): string {
  return ms < 10_000 ? `${(Math.max(0, ms) / 1000).toFixed(1)} s` : duration(ms);
}

const number = new Intl.NumberFormat("en");
export const count = (n: number): string => number.format(n);
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

export function money(usd: number): string {
  return usd < 0.01 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

export function clock(iso: string | undefined): string {
  const t = iso ? new Date(iso) : undefined;
  return t && !Number.isNaN(t.valueOf()) ? t.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : "";
}

export function ago(iso: string | undefined | null, now = Date.now()): string {
  if (!iso) return "";
  const s = Math.floor((now - Date.parse(iso)) / 1000);
  if (Number.isNaN(s)) return "";
  if (s < 60) return "just now";
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return new Date(iso).toLocaleDateString([], { day: "numeric", month: "short" });
}

export const words = (id: string): string => {
  const text = id.replace(/[_.-]+/g, " ").trim();
  return text ? text[0]?.toUpperCase() + text.slice(1) : id;
};

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value.trim() : "");

export function nodeName(id: string, node: WorkflowNode | undefined): string {
  const agent = node?.properties?.agent;
  const inline = agent && typeof agent === "object" && !Array.isArray(agent) ? textOf(agent.name) : "";
  return node?.name || inline || textOf(node?.properties?.name) || words(id);
}

const KINDS: Record<string, string> = {
  llm: "Model", human_review: "Review", user_input: "Your input", fact_check: "Fact check",
  memory_retrieval: "Memory", context_synth: "Summary of rounds", subworkflow: "Sub-workflow",
};
/** The persona that speaks in a node, where that is not its name already. */
export function personaName(node: WorkflowNode | undefined): string {
  const agent = node?.properties?.agent;
  const inline = agent && typeof agent === "object" && !Array.isArray(agent) ? agent.name : node?.properties?.name;
  const name = node?.type === "agent" ? textOf(inline) : "";
  return name && name !== node?.name ? name : "";
}
export const kindName = (type: string | undefined): string => (type ? KINDS[type] ?? words(type) : "Node");

export function sessionTitle(session: Session | undefined, workflow?: Workflow): string {
  // A run that nobody named bears its workflow's name, and so do all the others: its topic says more.
  const plainWord = (text: string | null | undefined) => text?.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
  const name = session?.name;
  const isOwn = name && name !== workflow?.name && plainWord(name) !== plainWord(session?.workflow_id);
  return isOwn ? name : inputTitle(session?.input) ?? name ?? workflow?.name ?? (session?.workflow_id ? words(session.workflow_id) : "Session");
}

/** What a run is about, from its input. */
export function inputTitle(input: Json | undefined): string | undefined {
  if (typeof input === "string") return input.trim() || undefined;
  if (!input || typeof input !== "object" || Array.isArray(input)) return undefined;
  for (const key of ["topic", "title", "question", "prompt", "subject"]) {
    if (textOf(input[key])) return textOf(input[key]);
  }
  return Object.values(input).map(textOf).find((text) => text.length > 3);
}

/** A node's or session's output as text, if text is what it is. */
export function outputText(output: Json | undefined): string | null {
  if (typeof output === "string") return output;
  if (output && typeof output === "object" && !Array.isArray(output)) {
    const values = Object.values(output);
    if (values.length === 1 && typeof values[0] === "string") return values[0];
  }
  return null;
}

export const pretty = (value: Json | undefined): string => JSON.stringify(value, null, 2) ?? "";
