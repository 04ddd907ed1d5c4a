// Marks for the slider, few enough to be drawn and told apart: of those that would fall on each other the one
// that says most is kept.

import type { Mark, MarkKind } from "./recording";

export const KINDS: readonly MarkKind[] = ["error", "review", "pause", "round", "node"];

export interface Tick { kind: MarkKind; index: number; at: number }

/** `place` gives the place of a position on the slider, from 0 to 1; `slots` is how many ticks fit beside each other. */
export function ticks(marks: readonly Mark[], place: (position: number) => number, slots: number): Tick[] {
  const best = new Map<number, Tick>();
  for (const { kind, index } of marks) {
    const at = place(index);
    const slot = Math.round(at * slots);
    const known = best.get(slot);
    if (!known || KINDS.indexOf(kind) < KINDS.indexOf(known.kind)) best.set(slot, { kind, index, at });
  }
  return [...best.values()].sort((a, b) => a.at - b.at);
}

export function countByKind(marks: readonly Mark[]): [MarkKind, number][] {
  const counts = new Map<MarkKind, number>();
  for (const m of marks) counts.set(m.kind, (counts.get(m.kind) ?? 0) + 1);
  return KINDS.filter((k) => counts.has(k)).map((k) => [k, counts.get(k)!]);
}
