// What there is to start: workflows and templates, the recently used first.

import type { Session, TemplateItem, Workflow } from "@sluice/client";
import { words } from "@/ui/format";

export interface Entry {
  kind: "workflow" | "template";
  id: string;
  name: string;
  description: string;
  category: string;
  version?: number;
  /** When a run of it was last started. */
  used?: string;
}

export type WorkflowItem = Workflow & { type?: string | null };
const RECENT_MAX = 4;

export function entriesOf(workflows: WorkflowItem[], templates: TemplateItem[], sessions: Session[]): { recent: Entry[]; workflows: Entry[]; templates: Entry[] } {
  const used = new Map<string, string>();
  for (const s of sessions) if (s.workflow_id && s.created_at && !used.has(s.workflow_id)) used.set(s.workflow_id, s.created_at);
  const all: Entry[] = workflows.map((x) => ({
    kind: "workflow", id: x.id, name: x.name ?? words(x.id), description: x.description ?? "", category: x.type ?? "", version: x.version, used: used.get(x.id),
  }));
  const recent = all.filter((e) => e.used).sort((a, b) => b.used!.localeCompare(a.used!)).slice(0, RECENT_MAX);
  return {
    recent, workflows: all.filter((e) => !recent.includes(e)),
    templates: templates.map((t) => ({ kind: "template", id: t.id, name: t.name ?? words(t.id), description: t.description ?? "", category: t.category ?? "" })),
  };
}

/** Every word of the search is somewhere in the entry. */
export function found(entry: Entry, q: string, category: string): boolean {
  if (category && entry.category !== category) return false;
  const text = `${entry.name} ${entry.id} ${entry.description} ${entry.category}`.toLowerCase();
  return q.toLowerCase().split(/\s+/).every((part) => text.includes(part));
}

/** The categories, the largest first. */
export function categoriesOf(entries: Entry[]): string[] {
  const counts = new Map<string, number>();
  for (const e of entries) if (e.category) counts.set(e.category, (counts.get(e.category) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([name]) => name);
}
