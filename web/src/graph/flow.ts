// What a node and an arrow show of a session, read off its view.

import type { NodeView, RunView, SessionView } from "@/session/model";
import type { PlacedEdge } from "./shape";

export type Flow = "idle" | "taken" | "active";

/** The state that a node shows: in a pause of the whole session nothing runs. */
export function lookOf(node: NodeView | undefined, sessionStatus: string): string {
  if (!node) return "pending";
  return node.status === "running" && sessionStatus === "paused" ? "paused" : node.status;
}

/** Where something happens now, or somebody is waited for. */
export const activeIds = (view: SessionView): string[] =>
  Object.values(view.nodes).filter((n) => n.status === "running" || n.status === "suspended").map((n) => n.id);

/** A review and a loop choose among their arrows, and say what they chose. */
function wasChosen(arrow: PlacedEdge, from: NodeView, view: SessionView): boolean {
  if (!arrow.label) return true;
  if (from.loop && arrow.label === "exit") return from.loop.exitReason !== undefined;
  let answered = false;
  const labels = arrow.label.split(" / ");
  for (const id in view.interrupts) {
    const i = view.interrupts[id];
    if (!i || i.nodeId !== arrow.from || !i.action) continue;
    if (labels.includes(i.action)) return true;
    answered = true;
  }
  return !answered;
}

export function flowOf(arrow: PlacedEdge, view: SessionView): Flow {
  const from = view.nodes[arrow.from];
  const to = view.nodes[arrow.to];
  if (!from || !to || from.runIds.length === 0) return "idle";
  if (arrow.error ? from.status !== "failed" : from.status !== "completed" && from.status !== "running") return "idle";
  if (to.status === "pending" || to.status === "skipped" || to.runIds.length === 0) return "idle";
  if (arrow.back && to.runIds.length < 2) return "idle";
  if (!wasChosen(arrow, from, view)) return "idle";
  return to.status === "running" ? "active" : "taken";
}

export interface Spent { runs: number; ms: number; since?: string; inputTokens: number; outputTokens: number; cost: number }

/** What a node has taken so far: time of the runs that have ended, tokens of all. */
export function spentBy(node: NodeView | undefined, runs: Record<string, RunView>): Spent {
  const spent: Spent = { runs: 0, ms: 0, inputTokens: 0, outputTokens: 0, cost: 0 };
  for (const id of node?.runIds ?? []) {
    const run = runs[id];
    if (!run) continue;
    spent.runs++;
    if (run.startedAt && run.endedAt) spent.ms += Math.max(0, Date.parse(run.endedAt) - Date.parse(run.startedAt));
    else if (run.startedAt && run.status === "running") spent.since = run.startedAt;
    spent.inputTokens += run.usage?.input_tokens ?? 0;
    spent.outputTokens += run.usage?.output_tokens ?? 0;
    spent.cost += run.usage?.cost_usd ?? 0;
  }
  return spent;
}
