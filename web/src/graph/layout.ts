// Where the nodes stand and where the arrows run. Forward edges go through dagre, top to bottom; a back
// edge is not given to it (it would be bent through the ranks) but led around the right side in a lane of
// its own, so that a loop is seen as a loop. A loop's way out runs down the left side past its body.

import { Graph, layout as dagreLayout } from "@dagrejs/dagre";
import type { Workflow } from "@sluice/client";
import { edgesOf, startOf, type Edge } from "./edges";
import { NODE_HEIGHT, NODE_WIDTH, type Placed, type PlacedEdge, type Point } from "./shape";

export { NODE_HEIGHT, NODE_WIDTH, pathThrough, placeColumn } from "./shape";
export type { Placed, PlacedEdge, PlacedNode, Point } from "./shape";

const LANE_GAP = 22;
const MARGIN = 10;

function midway(points: Point[]): Point {
  const i = Math.floor((points.length - 1) / 2);
  const a = points[i] ?? { x: 0, y: 0 };
  const b = points[i + 1] ?? a;
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function misordered(workflow: Workflow, x: (id: string) => number): boolean {
  let wrong = 0;
  for (const node of Object.values(workflow.nodes ?? {})) {
    if (node.type !== "parallel") continue;
    const heads = (node.next_ids ?? []).filter((id) => workflow.nodes?.[id]);
    for (let i = 1; i < heads.length; i++) wrong += Math.sign(x(heads[i - 1]!) - x(heads[i]!));
  }
  return wrong > 0;
}

function reachable(edges: Edge[], from: string): Set<string> {
  const seen = new Set([from]);
  for (const id of seen) for (const e of edges) if (!e.back && e.from === id) seen.add(e.to);
  return seen;
}

/**
 * Edges that lead from behind a loop into its body: forward ones to the engine, which walked the body
 * first, but to the eye they go back. They are marked as such.
 */
function markReturns(workflow: Workflow, edges: Edge[]): Edge[] {
  const returns = new Set<Edge>();
  for (const exit of edges) {
    if (workflow.nodes?.[exit.from]?.type !== "loop" || exit.label !== "exit") continue;
    const closing = edges.filter((e) => e.back && e.to === exit.from).map((e) => e.from);
    const inside = edges.filter((e) => e.from === exit.from && e !== exit).flatMap((e) => [...reachable(edges, e.to)]);
    const body = new Set(inside.filter((id) => closing.some((end) => reachable(edges, id).has(end))));
    if (body.has(exit.to)) continue;
    const behind = reachable(edges.filter((e) => !body.has(e.to)), exit.to);
    for (const e of edges) if (behind.has(e.from) && !body.has(e.from) && body.has(e.to)) returns.add(e);
  }
  return edges.map((e) => (returns.has(e) ? { ...e, back: true } : e));
}

/**
 * The ends of a loop's body, if its way out should start below them. A loop that stands beside what comes
 * after it makes a wide graph that reads like a choice; below, it reads like what it is.
 */
function bodyEnds(workflow: Workflow, edges: Edge[], exit: Edge): string[] {
  if (workflow.nodes?.[exit.from]?.type !== "loop" || exit.label !== "exit" || exit.back) return [];
  const beyond = reachable(edges, exit.to);
  return edges.filter((e) => e.back && e.to === exit.from && e.from !== exit.from && !beyond.has(e.from)).map((e) => e.from);
}

interface Box { left: number; right: number; top: number; bottom: number }

const boxOf = (p: Point): Box => ({
  left: p.x - NODE_WIDTH / 2, right: p.x + NODE_WIDTH / 2, top: p.y - NODE_HEIGHT / 2, bottom: p.y + NODE_HEIGHT / 2,
});

interface Lanes {
  at: Map<string, Point>;
  /** What is in the way: nodes, bends of edges, lanes taken before. */
  boxes: Box[];
}

/** An edge led around one side of what stands between its ends, in a lane of its own. */
function inLane(e: Edge, lanes: Lanes, side: 1 | -1): PlacedEdge {
  const from = lanes.at.get(e.from) ?? { x: 0, y: 0 };
  const to = lanes.at.get(e.to) ?? { x: 0, y: 0 };
  const half = (side * NODE_WIDTH) / 2;
  const y1 = from.y + 9;
  const y2 = to.y - 9;
  const [top, bottom] = [Math.min(y1, y2) - NODE_HEIGHT / 2, Math.max(y1, y2) + NODE_HEIGHT / 2];
  const beside = lanes.boxes.filter((b) => b.top < bottom && b.bottom > top);
  const x = side > 0
    ? Math.max(...beside.map((b) => b.right)) + LANE_GAP
    : Math.min(...beside.map((b) => b.left)) - LANE_GAP;
  lanes.boxes.push({ left: x, right: x, top: Math.min(y1, y2), bottom: Math.max(y1, y2) });
  return {
    ...e, id: `${e.from}>${e.to}`, lane: true,
    points: [{ x: from.x + half, y: y1 }, { x, y: y1 }, { x, y: y2 }, { x: to.x + half, y: y2 }],
    // Near its beginning: lanes beside each other begin at different heights, and have their middles at the same.
    labelAt: { x, y: y1 + Math.sign(y2 - y1) * Math.min(30, Math.abs(y2 - y1) / 2) },
  };
}

/** How many nodes an edge would have to go behind on its way out to this side, and back in. */
function behind(e: Edge, at: Map<string, Point>, side: 1 | -1): number {
  let n = 0;
  for (const end of [at.get(e.from), at.get(e.to)]) {
    if (!end) continue;
    for (const p of at.values()) if (Math.abs(p.y - end.y) < NODE_HEIGHT && (p.x - end.x) * side > NODE_WIDTH / 2) n++;
  }
  return n;
}

export function placeWorkflow(workflow: Workflow): Placed {
  const ids = Object.keys(workflow.nodes ?? {});
  const edges = markReturns(workflow, edgesOf(workflow));
  const around = edges.filter((e) => e.back || e.from === e.to);
  const ends = new Map(edges.map((e) => [e, bodyEnds(workflow, edges, e)] as const));
  const skips = edges.filter((e) => ends.get(e)?.length);
  const direct = edges.filter((e) => !around.includes(e) && !skips.includes(e));

  const g = new Graph({ directed: true, multigraph: false, compound: false });
  g.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 50, edgesep: 16, marginx: 8, marginy: 8 });
  g.setDefaultEdgeLabel(() => ({}));
  const start = startOf(workflow);
  // The start first, so that dagre's order begins there.
  for (const id of start ? [start, ...ids.filter((i) => i !== start)] : ids) {
    g.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  }
  for (const e of skips) for (const end of ends.get(e) ?? []) g.setEdge(end, e.to, {});
  for (const e of direct) {
    g.setEdge(e.from, e.to, { width: e.label ? e.label.length * 6.5 + 12 : 0, height: e.label ? 16 : 0, labelpos: "c" });
  }
  dagreLayout(g);

  const centre = (id: string) => g.node(id) as unknown as Point;
  // dagre minds crossings, not order. Where its mirror image has the branches more as they were written,
  // and as the conversation shows them, take that.
  const mirror = misordered(workflow, (id) => centre(id).x) ? (g.graph() as { width?: number }).width ?? 0 : undefined;
  const flip = <T extends Point>(p: T): T => (mirror === undefined ? p : { ...p, x: mirror - p.x });
  const at = new Map(ids.map((id) => [id, flip({ x: centre(id).x, y: centre(id).y })] as const));

  const placed: PlacedEdge[] = direct.map((e) => {
    const d = g.edge(e.from, e.to) as unknown as { points: Point[]; x?: number; y?: number };
    const points = d.points.map(flip);
    const labelAt = e.label && d.x !== undefined && d.y !== undefined ? flip({ x: d.x, y: d.y }) : midway(points);
    return { ...e, id: `${e.from}>${e.to}`, lane: false, points, labelAt };
  });
  const bends = placed.flatMap((e) => e.points.map((p) => ({ left: p.x, right: p.x, top: p.y, bottom: p.y })));
  const lanes: Lanes = { at, boxes: [...[...at.values()].map(boxOf), ...bends] };
  // Short loops inside, long ones around them.
  const span = (e: Edge) => Math.abs((at.get(e.from)?.y ?? 0) - (at.get(e.to)?.y ?? 0));
  const bySpan = (a: Edge, b: Edge) => span(a) - span(b);
  placed.push(...around.sort(bySpan).map((e) => inLane(e, lanes, behind(e, at, -1) < behind(e, at, 1) ? -1 : 1)), ...skips.sort(bySpan).map((e) => inLane(e, lanes, -1)));

  const left = Math.min(...lanes.boxes.map((b) => b.left));
  const right = Math.max(...lanes.boxes.map((b) => b.right));
  const shift = <T extends Point>(p: T): T => ({ ...p, x: p.x - left + MARGIN });
  const nodes = ids.map((id) => {
    const p = shift(at.get(id) ?? { x: 0, y: 0 });
    return { id, x: p.x - NODE_WIDTH / 2, y: p.y - NODE_HEIGHT / 2 };
  });
  return {
    nodes,
    edges: placed.map((e) => ({ ...e, points: e.points.map(shift), labelAt: shift(e.labelAt) })),
    width: right - left + 2 * MARGIN,
    height: Math.max(...nodes.map((n) => n.y + NODE_HEIGHT), 0) + MARGIN,
  };
}
