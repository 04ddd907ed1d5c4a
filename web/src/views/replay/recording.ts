// A session's log and the view at any point of it. Every so many events the view is kept: views are never
// changed in place, so that costs what differs, and any point is a short reduction away.

import type { SessionEvent } from "@sluice/client";
import { emptyView, type SessionView } from "@/session/model";
import { reduce } from "@/session/reduce";

const CHECKPOINT_EVERY = 256;

/** What stands on the slider. */
export type MarkKind = "node" | "round" | "pause" | "review" | "error";
export interface Mark { kind: MarkKind; index: number }

export function markOf(event: SessionEvent): MarkKind | undefined {
  switch (event.type) {
    case "node_state_change":
      if (event.data.to === "failed") return "error";
      return event.data.to === "pending" ? undefined : "node";
    case "session_state_change":
      return event.data.to === "paused" ? "pause" : event.data.to === "failed" ? "error" : undefined;
    case "human_interaction_required": return "review";
    case "loop_round": return "round";
    case "error": case "budget_reached": case "breaker_tripped": return "error";
    default: return undefined;
  }
}

/**
 * A position is a number of events: 0 is before the first, `length` is after the last. `index` of a mark is the
 * position just after its event.
 */
export class Recording {
  readonly events: SessionEvent[] = [];
  readonly marks: Mark[] = [];
  /** Numbers are missing: what was streamed is no longer kept, or the log begins late. */
  gaps = 0;
  private checkpoints: SessionView[];
  private last: { at: number; view: SessionView };

  constructor(sessionId: string) {
    const view = emptyView(sessionId);
    this.checkpoints = [view];
    this.last = { at: 0, view };
  }

  get length(): number {
    return this.events.length;
  }

  append(events: readonly SessionEvent[]): void {
    for (const event of events) {
      const before = this.events[this.events.length - 1]?.seq ?? 0;
      if (event.seq <= before) continue;
      this.gaps += event.seq - before - 1;
      this.events.push(event);
      const kind = markOf(event);
      if (kind) this.marks.push({ kind, index: this.events.length });
    }
    while (this.checkpoints.length * CHECKPOINT_EVERY <= this.events.length) {
      const from = (this.checkpoints.length - 1) * CHECKPOINT_EVERY;
      this.checkpoints.push(reduce(this.checkpoints[this.checkpoints.length - 1]!, this.events.slice(from, from + CHECKPOINT_EVERY)));
    }
  }

  at(position: number): SessionView {
    const to = Math.max(0, Math.min(position, this.events.length));
    const nearest = Math.floor(to / CHECKPOINT_EVERY);
    // Going on from where we are keeps what did not change the same object, and so unrendered.
    const from = this.last.at <= to && this.last.at >= nearest * CHECKPOINT_EVERY
      ? this.last : { at: nearest * CHECKPOINT_EVERY, view: this.checkpoints[nearest]! };
    this.last = { at: to, view: reduce(from.view, this.events.slice(from.at, to)) };
    return this.last.view;
  }

  /** The position after the event of this number, or after the last one before it. */
  positionOf(seq: number): number {
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.events[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The nearest mark of one of these kinds behind or before a position. */
  markFrom(position: number, direction: 1 | -1, kinds?: ReadonlySet<MarkKind>): Mark | undefined {
    const fits = (m: Mark) => (!kinds || kinds.has(m.kind)) && (direction > 0 ? m.index > position : m.index < position);
    return direction > 0 ? this.marks.find(fits) : this.marks.filter(fits).pop();
  }
}
