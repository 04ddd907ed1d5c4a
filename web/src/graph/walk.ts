// From node to node by the arrow keys: down and up along the arrows, sideways to what stands beside.

import { NODE_HEIGHT, NODE_WIDTH, type Placed } from "./shape";

export type Direction = "ArrowUp" | "ArrowDown" | "ArrowLeft" | "ArrowRight";

export const isDirection = (key: string): key is Direction => /^Arrow(Up|Down|Left|Right)$/.test(key);

export function neighbour(placed: Placed, from: string, direction: Direction): string | undefined {
  const at = new Map(placed.nodes.map((n) => [n.id, n] as const));
  const here = at.get(from);
  if (!here) return placed.nodes[0]?.id;
  const nearest = (ids: string[], far: (n: { x: number; y: number }) => number) =>
    ids.flatMap((id) => at.get(id) ?? []).sort((a, b) => far(a) - far(b))[0]?.id;
  const distance = (n: { x: number; y: number }) => Math.abs(n.x - here.x) + Math.abs(n.y - here.y);
  if (direction === "ArrowDown" || direction === "ArrowUp") {
    const down = direction === "ArrowDown";
    const along = placed.edges.filter((e) => e.from !== e.to && (down ? e.from : e.to) === from);
    const forward = along.filter((e) => !e.back).map((e) => (down ? e.to : e.from));
    // The way back of a loop is taken where there is no other; a column without arrows is walked as it stands.
    const back = along.filter((e) => e.back).map((e) => (down ? e.to : e.from));
    const inLine = placed.edges.length ? [] : placed.nodes.filter((n) => (down ? n.y > here.y : n.y < here.y)).map((n) => n.id);
    return nearest(forward, distance) ?? nearest(back, distance) ?? nearest(inLine, distance);
  }
  const side = direction === "ArrowRight" ? 1 : -1;
  const beside = placed.nodes.filter((n) => Math.abs(n.y - here.y) < NODE_HEIGHT && (n.x - here.x) * side > NODE_WIDTH / 4).map((n) => n.id);
  return nearest(beside, distance);
}
