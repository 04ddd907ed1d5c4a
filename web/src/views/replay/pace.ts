// Time in a replay: when each event came, counted from the first, as it was or with the idle time left out.

import type { SessionEvent } from "@sluice/client";

/** A silence longer than this is cut down to it when idle time is skipped. */
export const IDLE_MS = 1_200;
export const SPEEDS = [1, 2, 5, 20] as const;

export class Pace {
  /** By position: when its last event came. Position 0 is the moment of the first event. */
  readonly real: number[] = [0];
  readonly short: number[] = [0];
  private newest = NaN;

  append(events: readonly SessionEvent[]): void {
    for (const event of events) {
      const at = Date.parse(event.timestamp);
      const known = Number.isFinite(at);
      // Clocks go back at times; a replay does not.
      const gap = known && Number.isFinite(this.newest) ? Math.max(0, at - this.newest) : 0;
      if (known) this.newest = Number.isFinite(this.newest) ? Math.max(this.newest, at) : at;
      this.real.push(this.real[this.real.length - 1]! + gap);
      this.short.push(this.short[this.short.length - 1]! + Math.min(gap, IDLE_MS));
    }
  }

  /** The position of a moment: after all events that had come by then. */
  static positionAt(axis: readonly number[], ms: number): number {
    let low = 0;
    let high = axis.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (axis[middle]! <= ms) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** 0:07, 12:31, 1:02:05. */
export function playClock(ms: number): string {
  const s = Math.floor(Math.max(0, ms) / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return h ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}
