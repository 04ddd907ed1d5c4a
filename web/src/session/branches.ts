// Which parallel branch a node belongs to, read off the graph: a node is of branch i when, of all heads of
// that parallel node, only head i reaches it. The join, which every head reaches, is of none.

import type { Workflow } from "@sluice/client";
import { edgesOf } from "@/graph/edges";
import type { OrderEntry, SessionView } from "./model";

export interface BranchSlot {
  parallelId: string;
  head: string;
}

export function branchSlots(workflow: Workflow | undefined): Map<string, BranchSlot> {
  const slots = new Map<string, BranchSlot>();
  const nodes = workflow?.nodes;
  if (!nodes) return slots;
  const forward = new Map<string, string[]>();
  for (const e of edgesOf(workflow)) {
    if (!e.back) forward.set(e.from, [...(forward.get(e.from) ?? []), e.to]);
  }
  const reach = (from: string): Set<string> => {
    const seen = new Set<string>([from]);
    const todo = [from];
    for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
      for (const to of forward.get(id) ?? []) if (!seen.has(to)) { seen.add(to); todo.push(to); }
    }
    return seen;
  };
  const parallels = Object.entries(nodes)
    .filter(([, n]) => (n.type === "parallel" || n.type === "map") && (n.next_ids?.length ?? 0) > 1)
    .map(([id, n]) => ({ id, heads: [...new Set(n.next_ids)], reach: reach(id) }));
  // Outermost first: a node keeps the first slot it gets, so nested branches stay in their outer column.
  parallels.sort((a, b) => b.reach.size - a.reach.size);
  for (const p of parallels) {
    const reached = p.heads.map(reach);
    p.heads.forEach((head, i) => {
      for (const id of reached[i] ?? []) {
        if (slots.has(id) || reached.some((r, j) => j !== i && r.has(id))) continue;
        slots.set(id, { parallelId: p.id, head });
      }
    });
  }
  return slots;
}

export type Block =
  | { kind: "run"; key: string; runId: string }
  | { kind: "note"; key: string; noteId: string }
  | { kind: "parallel"; key: string; parallelId: string; columns: { head: string; runIds: string[] }[] };

/** The conversation's shape: runs in order, those of parallel branches gathered side by side. */
export function conversation(
  order: readonly OrderEntry[], runs: SessionView["runs"], workflow: Workflow | undefined, slots: Map<string, BranchSlot>,
): Block[] {
  const blocks: Block[] = [];
  const current = new Map<string, Extract<Block, { kind: "parallel" }>>();
  const openGroup = (parallelId: string, key: string) => {
    const heads = [...new Set(workflow?.nodes?.[parallelId]?.next_ids ?? [])];
    const group = { kind: "parallel" as const, key, parallelId, columns: heads.map((head) => ({ head, runIds: [] as string[] })) };
    current.set(parallelId, group);
    blocks.push(group);
    return group;
  };
  const outermost = new Set([...slots.values()].map((s) => s.parallelId));
  for (const entry of order) {
    if (entry.kind === "note") {
      blocks.push({ kind: "note", key: entry.id, noteId: entry.id });
      continue;
    }
    const run = runs[entry.id];
    if (!run) continue;
    const slot = slots.get(run.nodeId);
    if (slot) {
      const group = current.get(slot.parallelId) ?? openGroup(slot.parallelId, `group-${entry.id}`);
      group.columns.find((c) => c.head === slot.head)?.runIds.push(entry.id);
      continue;
    }
    blocks.push({ kind: "run", key: entry.id, runId: entry.id });
    // A skipped or failed parallel node starts nothing.
    if (outermost.has(run.nodeId) && run.status !== "skipped") openGroup(run.nodeId, `group-${entry.id}`);
  }
  return blocks;
}
