// The rows and the scale of a session's timeline, from its view alone: live, after a reload and in a replay they are the
// same. Times are milliseconds; where something ends with no end, it still goes on.

import type { NodeStatus } from "@sluice/client";
import type { PauseView, RunView, SessionView } from "@/session/model";

export interface Interval { from: number; to?: number }

export interface TimelineRow {
  runId: string;
  nodeId: string;
  /** The first row of its node, which bears the node's name. */
  isHead: boolean;
  /** How many runs its node has. */
  runs: number;
  iteration: number;
  attempt: number;
  item?: number;
  status: NodeStatus;
  from: number;
  to?: number;
  waits: Interval[];
  failure?: string;
}

const time = (iso: string | undefined): number | undefined => {
  const t = iso ? Date.parse(iso) : NaN;
  return Number.isNaN(t) ? undefined : t;
};

type Parts = Pick<SessionView, "nodes" | "runs" | "endedAt">;

function rowOf(run: RunView, ended: number | undefined): TimelineRow | undefined {
  const from = time(run.startedAt) ?? time(run.waits?.[0]?.at);
  if (from === undefined) return undefined;
  // A session that was cancelled leaves runs that never ended of themselves.
  const to = time(run.endedAt) ?? ended;
  const waits = (run.waits ?? []).flatMap((w): Interval[] => {
    const at = time(w.at);
    return at === undefined ? [] : [{ from: at, to: time(w.until) ?? to }];
  });
  return {
    runId: run.id, nodeId: run.nodeId, isHead: false, runs: 1, iteration: run.iteration, attempt: run.attempt, item: run.item,
    status: run.status, from, to, waits, failure: run.error?.message,
  };
}

/** A row for each run that began, those of a node together, nodes in the order in which they first ran. */
export function rowsOf({ nodes, runs, endedAt }: Parts): TimelineRow[] {
  const ended = time(endedAt);
  const groups: TimelineRow[][] = [];
  for (const node of Object.values(nodes)) {
    const rows = node.runIds.flatMap((id) => {
      const run = runs[id];
      const row = run && rowOf(run, ended);
      return row ? [row] : [];
    });
    if (rows.length > 0) groups.push(rows.map((row, i) => ({ ...row, isHead: i === 0, runs: rows.length })));
  }
  // Array.sort is stable: what began in the same millisecond stays in the order of the log.
  return groups.sort((a, b) => (a[0]?.from ?? 0) - (b[0]?.from ?? 0)).flat();
}

export const pausesOf = (pauses: readonly PauseView[]): Interval[] =>
  pauses.flatMap((p) => {
    const from = time(p.at);
    return from === undefined ? [] : [{ from, to: time(p.until) }];
  });

/** Sorted, without overlaps; open ends are cut at `end`. */
function union(intervals: readonly Interval[], end: number): { from: number; to: number }[] {
  const sorted = intervals.map((i) => ({ from: i.from, to: Math.min(end, i.to ?? end) })).filter((i) => i.to >= i.from).sort((a, b) => a.from - b.from);
  const merged: { from: number; to: number }[] = [];
  for (const i of sorted) {
    const last = merged.at(-1);
    if (last && i.from <= last.to) last.to = Math.max(last.to, i.to);
    else merged.push({ ...i });
  }
  return merged;
}

/** What is left of [from, to] without `holes`, which are sorted. */
function without(from: number, to: number, holes: readonly { from: number; to: number }[]): { from: number; to: number }[] {
  const left: { from: number; to: number }[] = [];
  let at = from;
  for (const hole of holes) {
    if (hole.to <= at) continue;
    if (hole.from >= to) break;
    if (hole.from > at) left.push({ from: at, to: hole.from });
    at = Math.max(at, hole.to);
  }
  if (at < to) left.push({ from: at, to });
  return left;
}

export interface Fold { from: number; to: number; isOpen: boolean }

const FOLD_MIN_MS = 3_000;
const FOLD_SHARE = 0.05;

/** The long times in which nothing ran: paused, or everything waited. */
export function idleTimes(rows: readonly TimelineRow[], pauses: readonly Interval[], from: number, end: number): Fold[] {
  const still = union(pauses, end);
  const busy = union(rows.flatMap((row) => without(row.from, Math.min(end, row.to ?? end), union([...row.waits, ...still], end))), end);
  const total = busy.reduce((sum, b) => sum + b.to - b.from, 0);
  const least = Math.max(FOLD_MIN_MS, total * FOLD_SHARE);
  return without(from, end, busy).filter((i) => i.to - i.from > least).map((i) => ({ ...i, isOpen: i.to >= end }));
}

const STEPS = [1, 1.5, 2, 3, 4, 5, 7, 10];

/** The next figure of the series that is at least `ms`: it grows in steps, so that the picture stands still between them. */
export function roomFor(ms: number): number {
  const least = Math.max(ms, 1000);
  const unit = 10 ** Math.floor(Math.log10(least));
  return (STEPS.find((s) => s * unit >= least - 1e-6) ?? 10) * unit;
}

/** A piece of time and where it stands: what is idle is drawn narrow. */
interface Span { from: number; to: number; at: number; until: number; isFold: boolean }

export interface Scale {
  from: number;
  /** 0 at the start, 1 at the right edge. */
  at: (ms: number) => number;
  spans: Span[];
}

interface ScaleOptions { rows: readonly TimelineRow[]; pauses: readonly Interval[]; now: number; isLive: boolean; fold: boolean }

const FOLD_WIDTH = 0.05;

function spansOf(from: number, end: number, idle: readonly Fold[]): Span[] {
  const idleMs = idle.reduce((sum, i) => sum + i.to - i.from, 0);
  const foldWidth = Math.max(1, end - from - idleMs) * FOLD_WIDTH;
  const spans: Span[] = [];
  let place = 0;
  const add = (a: number, b: number, isFold: boolean) => {
    const width = isFold ? foldWidth : b - a;
    spans.push({ from: a, to: b, at: place, until: place + width, isFold });
    place += width;
  };
  let at = from;
  for (const i of idle) {
    if (i.from > at) add(at, i.from, false);
    add(i.from, i.to, true);
    at = i.to;
  }
  if (end > at || spans.length === 0) add(at, Math.max(end, at), false);
  return spans;
}

/** Milliseconds to a place. Live it keeps room at the right, so that what runs grows into it. */
export function scaleOf({ rows, pauses, now, isLive, fold }: ScaleOptions): Scale {
  const from = rows.reduce((least, row) => Math.min(least, row.from), rows[0]?.from ?? now);
  const last = rows.reduce((most, row) => Math.max(most, row.to ?? now), from);
  const end = isLive ? Math.max(now, last) : last;
  const spans = spansOf(from, end, fold ? idleTimes(rows, pauses, from, end) : []);
  const used = Math.max(1, spans.at(-1)?.until ?? 1);
  const room = isLive ? roomFor(used) : used;
  const edge = spans.at(-1);
  // Live, time goes on at the right edge, unless nothing runs: then it stands still.
  if (edge && isLive && !edge.isFold) {
    edge.to += room - used;
    edge.until = room;
  }
  const at = (ms: number): number => {
    const span = spans.find((s) => ms <= s.to) ?? spans.at(-1);
    if (!span || ms <= from) return 0;
    if (span.to <= span.from) return span.until / room;
    const into = Math.min(1, (ms - span.from) / (span.to - span.from));
    return (span.at + into * (span.until - span.at)) / room;
  };
  return { from, at, spans: spans.map((s) => ({ ...s, at: s.at / room, until: s.until / room })) };
}

const TICK_STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800];

export interface Tick { at: number; ms: number }

/** Marks at round times since the start, none inside of a fold and none too near to its neighbour. */
export function ticksOf(scale: Scale, count: number): Tick[] {
  const open = scale.spans.filter((s) => !s.isFold);
  const want = open.reduce((sum, s) => sum + s.to - s.from, 0) / count;
  const step = (TICK_STEPS_S.find((s) => s * 1000 >= want) ?? 604_800) * 1000;
  const least = 0.6 / count;
  const ticks: Tick[] = [];
  for (const span of open) {
    for (let ms = Math.ceil((span.from - scale.from) / step) * step; scale.from + ms <= span.to; ms += step) {
      const at = scale.at(scale.from + ms);
      const last = ticks.at(-1);
      if (!last || at - last.at >= least) ticks.push({ at, ms });
    }
  }
  return ticks;
}

/** How long a run took and how much of it it waited. */
export function spent(row: TimelineRow, now: number): { tookMs: number; waitedMs: number } {
  const end = row.to ?? now;
  const waitedMs = row.waits.reduce((sum, w) => sum + Math.max(0, Math.min(end, w.to ?? end) - w.from), 0);
  return { tookMs: Math.max(0, end - row.from), waitedMs };
}
