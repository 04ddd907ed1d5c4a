// The order in which a workflow is told.

import { edgesOf, startOf, type Edge } from "@/graph/edges";
import { linksFrom } from "./links";
import { drawn, idsOf, nodeOf, typeOf, type Flow } from "./model";

/** Nodes as one would tell them: what is reached first comes first. */
export function orderOf(flow: Flow): string[] {
  const workflow = drawn(flow);
  const edges = edgesOf(workflow);
  const forward = edges.filter((e) => !e.back);
  const bodies = bodiesOf(flow, aheadOf(forward), edges.filter((e) => e.back));
  const ahead = aheadOf(forward.filter((e) => !bodies.some((b) => b.nodes.has(e.to) && !b.nodes.has(e.from) && e.from !== b.loop)));
  const seen = new Set<string>();
  const done: string[] = [];
  const visit = (root: string) => {
    const stack = [{ id: root, at: 0 }];
    if (seen.has(root)) return;
    seen.add(root);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      // Backwards, so that in the reversed order of leaving the first branch comes first.
      const next = (ahead.get(top.id) ?? []).at(-1 - top.at++);
      if (next === undefined) {
        done.push(top.id);
        stack.pop();
      } else if (!seen.has(next)) {
        seen.add(next);
        stack.push({ id: next, at: 0 });
      }
    }
  };
  const start = startOf(workflow);
  const loose = idsOf(flow).reverse();
  for (const id of loose) if (id !== start && !reached(ahead, start).has(id)) visit(id);
  if (start) visit(start);
  return done.reverse();
}

function reached(ahead: ReadonlyMap<string, readonly string[]>, start: string | undefined): Set<string> {
  const all = new Set(start ? [start] : []);
  for (const id of all) for (const to of ahead.get(id) ?? []) all.add(to);
  return all;
}

function aheadOf(edges: readonly Edge[]): Map<string, string[]> {
  const ahead = new Map<string, string[]>();
  for (const e of edges) ahead.set(e.from, [...(ahead.get(e.from) ?? []), e.to]);
  return ahead;
}

/** What is in each loop: it comes from the loop and goes back to it. An arrow from behind a loop into its body leads back, to the eye. */
function bodiesOf(flow: Flow, ahead: ReadonlyMap<string, readonly string[]>, back: readonly Edge[]): { loop: string; nodes: ReadonlySet<string> }[] {
  return idsOf(flow).filter((id) => typeOf(nodeOf(flow, id)) === "loop").map((loop) => {
    const closing = back.filter((e) => e.to === loop).map((e) => e.from);
    const inside = [...reached(ahead, linksFrom(flow, loop).find((l) => l.way === "body")?.to)];
    return { loop, nodes: new Set(inside.filter((id) => closing.some((end) => reached(ahead, id).has(end)))) };
  });
}
