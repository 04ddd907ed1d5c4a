// Where the nodes stand in the editor: placed by the layout, or where somebody has put them. Who moves one node has
// placed them all; what is added then stands below the node that leads to it. "Arrange" goes back to the layout.

import { edgesOf, type Edge } from "@/graph/edges";
import { NODE_HEIGHT, NODE_WIDTH, type Placed, type PlacedEdge, type Point } from "@/graph/shape";
import type { Workflow } from "@sluice/client";
import { drawn, placesOf, type Flow, type Place } from "./model";

export { NODE_HEIGHT, NODE_WIDTH };
const GAP = 46;

export interface Picture { places: Record<string, Place>; edges: PlacedEdge[]; byHand: boolean }

const overlaps = (a: Place, b: Place) => Math.abs(a.x - b.x) < NODE_WIDTH + 10 && Math.abs(a.y - b.y) < NODE_HEIGHT + 14;

function freeNear(at: Place, taken: readonly Place[]): Place {
  let place = at;
  for (let i = 0; i < 200 && taken.some((t) => overlaps(t, place)); i++) {
    place = i % 4 === 3 ? { x: at.x, y: place.y + NODE_HEIGHT + GAP } : { x: place.x + NODE_WIDTH + 28, y: place.y };
  }
  return place;
}

function fill(workflow: Workflow, kept: Record<string, Place>, edges: readonly Edge[]): Record<string, Place> {
  const places = { ...kept };
  const ids = Object.keys(workflow.nodes ?? {});
  for (let missing = ids.filter((id) => !places[id]); missing.length;) {
    const id = missing.find((m) => edges.some((e) => e.to === m && places[e.from])) ?? missing[0]!;
    const from = edges.find((e) => e.to === id && places[e.from])?.from;
    const near = from ? { x: places[from]!.x, y: places[from]!.y + NODE_HEIGHT + GAP } : { x: 0, y: 0 };
    places[id] = freeNear(near, Object.values(places));
    missing = missing.filter((m) => m !== id);
  }
  return places;
}

/** An arrow between two nodes wherever they stand: straight down, or around the side when it leads back up. */
function led(e: Edge, places: Record<string, Place>): PlacedEdge {
  const from = places[e.from] ?? { x: 0, y: 0 };
  const to = places[e.to] ?? { x: 0, y: 0 };
  const id = `${e.from}>${e.to}`;
  const start = { x: from.x + NODE_WIDTH / 2, y: from.y + NODE_HEIGHT };
  const end = { x: to.x + NODE_WIDTH / 2, y: to.y };
  if (end.y >= start.y + 8) {
    const points: Point[] = [start, { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 }, end];
    return { ...e, id, lane: false, points: Math.abs(start.x - end.x) < 1 ? [start, end] : points, labelAt: points[1]! };
  }
  const x = Math.max(from.x, to.x) + NODE_WIDTH + 26;
  const y1 = from.y + NODE_HEIGHT / 2 + 9;
  const y2 = to.y + NODE_HEIGHT / 2 - 9;
  return {
    ...e, id, lane: true, labelAt: { x, y: (y1 + y2) / 2 },
    points: [{ x: from.x + NODE_WIDTH, y: y1 }, { x, y: y1 }, { x, y: y2 }, { x: to.x + NODE_WIDTH, y: y2 }],
  };
}

/** Arrows between nodes that are on their way (`moved`) are led anew; the others stay as the layout drew them. */
export function lead(picture: Picture, workflow: Workflow, moved: Record<string, Place>): Picture {
  if (Object.keys(moved).length === 0) return picture;
  const places = { ...picture.places, ...moved };
  if (picture.byHand) return { ...picture, places, edges: edgesOf(workflow).map((e) => led(e, places)) };
  return { ...picture, places, edges: picture.edges.map((e) => (moved[e.from] || moved[e.to] ? led(e, places) : e)) };
}

export const laidOut = (placed: Placed): Picture =>
  ({ places: Object.fromEntries(placed.nodes.map((n) => [n.id, { x: n.x, y: n.y }])), edges: placed.edges, byHand: false });

/** As somebody has placed it; or, for a moment, as it was laid out before the last change. */
export function putTogether(workflow: Workflow, kept: Record<string, Place>, byHand: boolean): Picture {
  const edges = edgesOf(workflow);
  const places = fill(workflow, kept, edges);
  return { places, edges: edges.map((e) => led(e, places)), byHand };
}

/** What of a workflow its picture hangs on: as long as this is the same text, nothing has to be placed anew. */
export function shapeOf(flow: Flow): string {
  const { nodes, start_node_id } = drawn(flow);
  const shape = Object.entries(nodes ?? {}).map(([id, n]) => {
    const p = n.properties ?? {};
    const arrows = n.type === "switch" ? [p.cases, p.default] : n.type === "sequence" ? p.steps : n.type === "map" ? p.body : 0;
    return [id, n.type, n.next_ids, n.routes, n.on_error, arrows];
  });
  return JSON.stringify([start_node_id, shape, placesOf(flow)]);
}
