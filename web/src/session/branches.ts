// Which parallel branch a node belongs to, read off the graph: a node is of branch i when, of all heads of
// that parallel node, only head i reaches it. The join, which every head reaches, is of none.

import type { Workflow } from "@sluice/client";
import { edgesOf } from "@/graph/edges";
import { RUN_ITEMS_MAX, type RunView, type SessionView } from "./model";

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
    .filter(([, n]) => n.type === "parallel" && (n.next_ids?.length ?? 0) > 1)
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

export type ParallelBlock = { kind: "parallel"; key: string; parallelId: string; columns: { head: string; runIds: string[] }[] };
export type Block =
  | { kind: "run"; key: string; runId: string; part?: number }
  | { kind: "note"; key: string; noteId: string }
  | ParallelBlock;

// A branch that goes on for long stands in several blocks, one below the other: only what is near the screen is drawn.
const COLUMN_RUNS_MAX = 4;

function pushRun(blocks: Block[], run: RunView): void {
  const parts = Math.ceil(run.items.length / RUN_ITEMS_MAX);
  if (parts <= 1) blocks.push({ kind: "run", key: run.id, runId: run.id });
  // The first keeps its key: what is on the screen stays when a second one comes.
  else for (let part = 0; part < parts; part++) blocks.push({ kind: "run", key: part ? `${run.id}/${part}` : run.id, runId: run.id, part });
}

/** The conversation's shape: runs in order, those of parallel branches gathered side by side. What `shown` leaves out
 *  has nothing to say (in a column, a run that has begun is named all the same). */
export function conversation(
  view: Pick<SessionView, "order" | "runs">, workflow: Workflow | undefined, slots: Map<string, BranchSlot>,
  shown: (run: RunView) => boolean = () => true,
): Block[] {
  const { order, runs } = view;
  const blocks: Block[] = [];
  const current = new Map<string, ParallelBlock>();
  const openGroup = (parallelId: string, key: string) => {
    const heads = [...new Set(workflow?.nodes?.[parallelId]?.next_ids ?? [])];
    const group = { kind: "parallel" as const, key, parallelId, columns: heads.map((head) => ({ head, runIds: [] as string[] })) };
    current.set(parallelId, group);
    blocks.push(group);
    return group;
  };
  for (const entry of order) {
    if (entry.kind === "note") {
      blocks.push({ kind: "note", key: entry.id, noteId: entry.id });
      continue;
    }
    const run = runs[entry.id];
    if (!run) continue;
    const slot = slots.get(run.nodeId);
    if (slot) {
      if (run.status === "pending") continue;
      const key = `group-${entry.id}`;
      let column = (current.get(slot.parallelId) ?? openGroup(slot.parallelId, key)).columns.find((c) => c.head === slot.head);
      if (column && column.runIds.length >= COLUMN_RUNS_MAX) column = openGroup(slot.parallelId, key).columns.find((c) => c.head === slot.head);
      column?.runIds.push(entry.id);
      continue;
    }
    if (shown(run)) pushRun(blocks, run);
    // The next branches are of this round. A parallel node that was skipped starts nothing.
    if (run.status !== "skipped") current.delete(run.nodeId);
  }
  return blocks;
}

/** Where in the conversation a run stands. */
export function blockOf(blocks: readonly Block[], runId: string): number {
  return blocks.findIndex((b) => (b.kind === "run" ? b.runId === runId : b.kind === "parallel" && b.columns.some((c) => c.runIds.includes(runId))));
}
