// Figures to places: pure, so that a test can tell what a picture would show.

import { scaleLinear } from "d3-scale";

export interface Axis {
  ticks: number[];
  /** From a value to a place, in pixels. */
  at: (value: number) => number;
}

const GAP = 42;

/** Round ends and round ticks for values between `low` and `high`; `from` and `to` are pixels. */
export function axis(low: number, high: number, from: number, to: number, options: { whole?: boolean; gap?: number } = {}): Axis {
  // One value alone has no width: it stands in the middle of a range around it.
  const pad = low === high ? Math.max(Math.abs(low) * 0.5, 0.5) : 0;
  const scale = scaleLinear().domain([low - pad, high + pad]).range([from, to]);
  const wanted = Math.max(2, Math.floor(Math.abs(to - from) / (options.gap ?? GAP)));
  scale.nice(wanted);
  const ticks = scale.ticks(wanted);
  return { at: (v) => scale(v), ticks: options.whole ? ticks.filter(Number.isInteger) : ticks };
}

/** The axis of rounds or times: no rounding of its ends, so that the line fills the width. */
export function plainAxis(low: number, high: number, from: number, to: number, whole: boolean): Axis {
  const pad = low === high ? 0.5 : 0;
  const scale = scaleLinear().domain([low - pad, high + pad]).range([from, to]);
  const ticks = scale.ticks(Math.max(2, Math.floor(Math.abs(to - from) / 70)));
  return { at: (v) => scale(v), ticks: whole ? ticks.filter(Number.isInteger) : ticks };
}

export function extent(values: readonly number[]): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? [low, high] : [0, 1];
}

/** Which of `count` labels have room, beginning with the last one: the newest is what is looked for. */
export function shownLabels(count: number, width: number, each: number): Set<number> {
  const step = Math.max(1, Math.ceil((count * each) / Math.max(1, width)));
  const shown = new Set<number>();
  for (let i = count - 1; i >= 0; i -= step) shown.add(i);
  return shown;
}

export interface Piece { series: number; from: number; to: number }

/** The pieces of each bar, the first series at the bottom; what is 0 has none. */
export function stack(series: readonly (readonly number[])[], count: number): Piece[][] {
  return Array.from({ length: count }, (_, i) => {
    let sum = 0;
    return series.flatMap((values, s) => {
      const value = values[i] ?? 0;
      if (value <= 0) return [];
      const piece = { series: s, from: sum, to: sum + value };
      sum = piece.to;
      return [piece];
    });
  });
}

export const totals = (series: readonly (readonly number[])[], count: number): number[] =>
  Array.from({ length: count }, (_, i) => series.reduce((sum, values) => sum + (values[i] ?? 0), 0));

/** The place in a sorted list that is nearest to a value. */
export function nearest(sorted: readonly number[], value: number): number {
  let best = 0;
  for (const [i, v] of sorted.entries()) {
    if (Math.abs(v - value) < Math.abs((sorted[best] ?? Infinity) - value)) best = i;
  }
  return best;
}

/** Where an arrow key leads to; undefined: it is not one of ours. */
export function moved(key: string, at: number, count: number): number | undefined {
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1, PageUp: at - 7, PageDown: at + 7 }[key];
  return to === undefined ? undefined : Math.min(count - 1, Math.max(0, to));
}
