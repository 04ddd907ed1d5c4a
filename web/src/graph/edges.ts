// The arrows of a workflow, from all the places where a node may name another.

import type { Json, Workflow } from "@sluice/client";

export interface Edge {
  from: string;
  to: string;
  label: string;
  /** Leads to a node from which its source is reached. */
  back: boolean;
  /** Taken only when the source fails. */
  error: boolean;
}

const ids = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : [];

function namedBy(id: string, workflow: Workflow): { to: string; label: string; error?: boolean }[] {
  const node = workflow.nodes?.[id];
  if (!node) return [];
  const out: { to: string; label: string; error?: boolean }[] = [];
  // In the server's order, for what is a back edge hangs on the order of the walk.
  (node.next_ids ?? []).forEach((to, i) => out.push({ to, label: node.type === "loop" ? (i === 0 ? "round" : "exit") : "" }));
  for (const [label, to] of Object.entries(node.routes ?? {})) out.push({ to, label });
  if (node.on_error && node.on_error !== "fail" && node.on_error !== "continue") {
    out.push({ to: node.on_error, label: "on error", error: true });
  }
  const cases = node.properties?.cases;
  if (node.type === "switch" && Array.isArray(cases)) {
    cases.forEach((c, i) => {
      if (c && typeof c === "object" && !Array.isArray(c) && typeof c.to === "string") {
        out.push({ to: c.to, label: `case ${i + 1}` });
      }
    });
    if (typeof node.properties?.default === "string") out.push({ to: node.properties.default, label: "else" });
  }
  if (node.type === "sequence") for (const to of ids(node.properties?.steps)) out.push({ to, label: "" });
  if (node.type === "map") for (const to of ids(node.properties?.body).slice(0, 1)) out.push({ to, label: "each" });
  return out.filter((e) => workflow.nodes?.[e.to]);
}

export function startOf(workflow: Workflow): string | undefined {
  const nodes = workflow.nodes ?? {};
  if (workflow.start_node_id && nodes[workflow.start_node_id]) return workflow.start_node_id;
  return Object.keys(nodes).find((id) => nodes[id]?.type === "start") ?? Object.keys(nodes)[0];
}

/** All arrows; two between the same nodes are one, with both labels. */
export function edgesOf(workflow: Workflow): Edge[] {
  const merged = new Map<string, Edge>();
  const state = new Map<string, "open" | "done">();
  const visit = (root: string) => {
    // By hand, for a chain of a thousand nodes must not be a chain of a thousand calls.
    const stack = [{ id: root, next: namedBy(root, workflow), at: 0 }];
    state.set(root, "open");
    for (let top = stack[stack.length - 1]; top; top = stack[stack.length - 1]) {
      const arrow = top.next[top.at++];
      if (!arrow) {
        state.set(top.id, "done");
        stack.pop();
        continue;
      }
      const key = JSON.stringify([top.id, arrow.to]);
      const known = merged.get(key);
      if (known) {
        if (arrow.label && !known.label.split(" / ").includes(arrow.label)) {
          known.label = known.label ? `${known.label} / ${arrow.label}` : arrow.label;
        }
        known.error = known.error && Boolean(arrow.error);
        continue;
      }
      merged.set(key, {
        from: top.id, to: arrow.to, label: arrow.label, back: state.get(arrow.to) === "open", error: Boolean(arrow.error),
      });
      if (!state.has(arrow.to)) {
        state.set(arrow.to, "open");
        stack.push({ id: arrow.to, next: namedBy(arrow.to, workflow), at: 0 });
      }
    }
  };
  const start = startOf(workflow);
  if (start) visit(start);
  for (const id of Object.keys(workflow.nodes ?? {})) if (!state.has(id)) visit(id);
  return [...merged.values()];
}
