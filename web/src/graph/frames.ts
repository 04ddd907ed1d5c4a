// Frames around what belongs together: the branches of a parallel node, the members of a map or a sequence.

import type { Workflow } from "@sluice/client";
import { branchSlots } from "@/session/branches";
import { NODE_HEIGHT, NODE_WIDTH, type Placed, type PlacedNode } from "./shape";

export interface Frame {
  /** The node that it belongs to. */
  id: string;
  kind: "parallel" | "map" | "sequence";
  branches: number;
  x: number; y: number; width: number; height: number;
}

const PAD = 10;
const HEAD = 12;

const ids = (value: unknown): string[] => (Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : []);

function membersOf(workflow: Workflow): { id: string; kind: Frame["kind"]; branches: number; members: string[] }[] {
  const groups = new Map<string, { heads: Set<string>; members: string[] }>();
  for (const [id, slot] of branchSlots(workflow)) {
    const group = groups.get(slot.parallelId) ?? { heads: new Set<string>(), members: [] };
    group.heads.add(slot.head);
    group.members.push(id);
    groups.set(slot.parallelId, group);
  }
  const parallel = [...groups].map(([id, g]) => ({ id, kind: "parallel" as const, branches: g.heads.size, members: g.members }));
  const containers = Object.entries(workflow.nodes ?? {}).flatMap(([id, node]) => {
    const members = node.type === "map" ? ids(node.properties?.body) : node.type === "sequence" ? ids(node.properties?.steps) : [];
    return members.length ? [{ id, kind: node.type as "map" | "sequence", branches: members.length, members }] : [];
  });
  return [...parallel, ...containers];
}

interface Box { x: number; y: number; width: number; height: number }

function boxOf(nodes: readonly PlacedNode[]): Box {
  const [x, y] = [Math.min(...nodes.map((n) => n.x)) - PAD, Math.min(...nodes.map((n) => n.y)) - PAD - HEAD];
  return {
    x, y, width: Math.max(...nodes.map((n) => n.x + NODE_WIDTH)) + PAD - x, height: Math.max(...nodes.map((n) => n.y + NODE_HEIGHT)) + PAD + 4 - y,
  };
}

/**
 * A frame must not claim what is not its own. A branch that leads far down (to an error's way out) goes past what
 * comes after the join: from below, what does not fit is left out.
 */
function boxAroundOnly(own: PlacedNode[], all: readonly PlacedNode[], least: number): Box | undefined {
  for (let members = own; members.length >= least;) {
    const box = boxOf(members);
    const foreign = all.some((n) => !own.includes(n) && n.x < box.x + box.width && n.x + NODE_WIDTH > box.x && n.y < box.y + box.height && n.y + NODE_HEIGHT > box.y);
    if (!foreign) return box;
    const lowest = Math.max(...members.map((n) => n.y));
    members = members.filter((n) => n.y < lowest);
  }
  return undefined;
}

export function framesOf(workflow: Workflow | undefined, placed: Placed): Frame[] {
  if (!workflow?.nodes) return [];
  const at = new Map(placed.nodes.map((n) => [n.id, n] as const));
  return membersOf(workflow).flatMap(({ id, kind, branches, members }) => {
    const box = boxAroundOnly(members.flatMap((m) => at.get(m) ?? []), placed.nodes, kind === "parallel" ? branches : 1);
    return box ? [{ id, kind, branches, ...box }] : [];
  });
}
