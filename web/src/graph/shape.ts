// A placed graph, and how its arrows are drawn. Without the layouter, which stays in its worker.

import type { Edge } from "./edges";

export const NODE_WIDTH = 156;
export const NODE_HEIGHT = 56;

export interface Point { x: number; y: number }

export interface PlacedNode { id: string; x: number; y: number }

export interface PlacedEdge extends Edge {
  id: string;
  /** Runs around the side of the graph, at right angles. */
  lane: boolean;
  points: Point[];
  labelAt: Point;
}

export interface Placed {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
  width: number;
  height: number;
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
