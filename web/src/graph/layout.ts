// Where the nodes stand and where the arrows run. Forward edges go through dagre, top to bottom; a back
// edge is not given to it (it would be bent through the ranks) but led around the right side in a lane of
// its own, so that a loop is seen as a loop.

import { Graph, layout as dagreLayout } from "@dagrejs/dagre";
import type { Workflow } from "../client/types";
import { edgesOf, startOf, type Edge } from "./edges";

export const NODE_WIDTH = 156;
export const NODE_HEIGHT = 54;
const LANE_GAP = 24;

export interface Point { x: number; y: number }

export interface PlacedNode { id: string; x: number; y: number }

export interface PlacedEdge extends Edge {
  id: string;
  points: Point[];
  label: string;
  labelAt: Point;
}

export interface Placed {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
  width: number;
  height: number;
}

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

export function placeWorkflow(workflow: Workflow): Placed {
  const ids = Object.keys(workflow.nodes ?? {});
  const edges = edgesOf(workflow);
  const g = new Graph({ directed: true, multigraph: false, compound: false });
  g.setGraph({ rankdir: "TB", nodesep: 16, ranksep: 50, edgesep: 18, marginx: 8, marginy: 8 });
  g.setDefaultEdgeLabel(() => ({}));
  const start = startOf(workflow);
  // The start first, so that dagre's order begins there.
  for (const id of start ? [start, ...ids.filter((i) => i !== start)] : ids) {
    g.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  }
  for (const e of edges) {
    if (e.back || e.from === e.to) continue;
    g.setEdge(e.from, e.to, { width: e.label ? e.label.length * 6.5 + 12 : 0, height: e.label ? 16 : 0, labelpos: "c" });
  }
  dagreLayout(g);

  const centre = (id: string) => g.node(id) as unknown as Point;
  // dagre minds crossings, not order. Where its mirror image has the branches more as they were written,
  // and as the conversation shows them, take that.
  const mirror = misordered(workflow, (id) => centre(id).x) ? (g.graph() as { width?: number }).width ?? 0 : undefined;
  const flip = <T extends Point>(p: T): T => (mirror === undefined ? p : { ...p, x: mirror - p.x });
  const at = new Map(ids.map((id) => [id, flip({ x: centre(id).x, y: centre(id).y })] as const));
  const nodes = ids.map((id) => ({
    id, x: (at.get(id)?.x ?? 0) - NODE_WIDTH / 2, y: (at.get(id)?.y ?? 0) - NODE_HEIGHT / 2,
  }));

  const placed: PlacedEdge[] = edges.filter((e) => !e.back && e.from !== e.to).map((e) => {
    const d = g.edge(e.from, e.to) as unknown as { points: Point[]; x?: number; y?: number };
    const points = d.points.map(flip);
    const labelAt = e.label && d.x !== undefined && d.y !== undefined ? flip({ x: d.x, y: d.y }) : midway(points);
    return { ...e, id: `${e.from}>${e.to}`, points, labelAt };
  });

  let right = Math.max(...nodes.map((n) => n.x + NODE_WIDTH), ...placed.flatMap((e) => e.points.map((p) => p.x)), 0);
  const back = edges.filter((e) => e.back || e.from === e.to);
  // Short loops inside, long ones around them.
  const height = (e: Edge) => Math.abs((at.get(e.from)?.y ?? 0) - (at.get(e.to)?.y ?? 0));
  back.sort((a, b) => height(a) - height(b));
  for (const e of back) {
    right += LANE_GAP;
    const from = at.get(e.from);
    const to = at.get(e.to);
    if (!from || !to) continue;
    const y1 = from.y + 9;
    const y2 = to.y - 9;
    placed.push({
      ...e, id: `${e.from}>${e.to}`,
      points: [
        { x: from.x + NODE_WIDTH / 2, y: y1 }, { x: right, y: y1 },
        { x: right, y: y2 }, { x: to.x + NODE_WIDTH / 2, y: y2 },
      ],
      labelAt: { x: right, y: (y1 + y2) / 2 },
    });
  }
  const bottom = Math.max(...nodes.map((n) => n.y + NODE_HEIGHT), 0);
  return { nodes, edges: placed, width: right + 8, height: bottom + 8 };
}

/** Nodes without a graph (it was not to be had): a plain column. */
export function placeColumn(ids: string[]): Placed {
  const nodes = ids.map((id, i) => ({ id, x: 0, y: i * (NODE_HEIGHT + 20) }));
  return { nodes, edges: [], width: NODE_WIDTH, height: ids.length * (NODE_HEIGHT + 20) };
}

/** An SVG path through the points: soft corners on a lane's right angles, a smooth line otherwise. */
export function pathThrough(points: Point[], squared: boolean): string {
  const [first, ...rest] = points;
  if (!first) return "";
  if (squared) return roundedPath(points, 12);
  if (rest.length === 1 && rest[0]) return `M${first.x},${first.y}L${rest[0].x},${rest[0].y}`;
  // Vertical tangents at every point: the flow is downward, and so is the reading.
  let d = `M${first.x},${first.y}`;
  let prev = first;
  for (const p of rest) {
    const mid = (prev.y + p.y) / 2;
    d += `C${prev.x},${mid} ${p.x},${mid} ${p.x},${p.y}`;
    prev = p;
  }
  return d;
}

function roundedPath(points: Point[], radius: number): string {
  let d = "";
  points.forEach((p, i) => {
    const before = points[i - 1];
    const after = points[i + 1];
    if (!before) d += `M${p.x},${p.y}`;
    else if (!after) d += `L${p.x},${p.y}`;
    else {
      const a = toward(p, before, radius);
      const b = toward(p, after, radius);
      d += `L${a.x},${a.y}Q${p.x},${p.y} ${b.x},${b.y}`;
    }
  });
  return d;
}

function toward(from: Point, to: Point, distance: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const t = Math.min(distance, length / 2) / length;
  return { x: from.x + (to.x - from.x) * t, y: from.y + (to.y - from.y) * t };
}
