// From the server's sums to what charts show. Days are UTC, as the server's.

import type { StatusCounts, UsageSum } from "@sluice/client";
import type { Tone } from "@/ui/chart/paint";

const DAY_MS = 86_400_000;
/** From the ground up: what ended well stands at the bottom. */
export const STATUSES: readonly { status: string; tone?: Tone }[] = [
  { status: "completed", tone: "good" }, { status: "failed", tone: "bad" }, { status: "cancelled", tone: "rest" }, { status: "running", tone: "live" },
  { status: "paused", tone: "warm" }, { status: "pending" },
];
const MOST_DAYS = 400;

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The first day of a range of `count` days that ends today. */
export const daysBack = (count: number, now = Date.now()): string => dayOf(now - (count - 1) * DAY_MS);

/** Every day from the first to the last, those without anything too. */
export function days(from: string, until: string): string[] {
  const list: string[] = [];
  for (let t = Date.parse(`${from}T00:00:00Z`); t <= Date.parse(`${until}T00:00:00Z`) && list.length < MOST_DAYS; t += DAY_MS) list.push(dayOf(t));
  return list;
}

export interface DayRow { day: string; by_status: StatusCounts }

/** A value for each day, by state. */
export function byStatus(rows: readonly DayRow[], list: readonly string[]): { status: string; tone?: Tone; values: number[] }[] {
  const at = new Map(rows.map((r) => [r.day.slice(0, 10), r.by_status]));
  return STATUSES.map((s) => ({ ...s, values: list.map((d) => at.get(d)?.[s.status] ?? 0) }));
}

type Usage = UsageSum & { day?: string; group_id?: string | null; agent_id?: string | null; provider?: string | null; model?: string | null };

export function byDay(rows: readonly Usage[], list: readonly string[], pick: (u: UsageSum) => number): number[] {
  const at = new Map<string, number>();
  for (const r of rows) if (r.day) at.set(r.day, (at.get(r.day) ?? 0) + pick(r));
  return list.map((d) => at.get(d) ?? 0);
}

export interface Rank { name: string; id: string | null; tokens: number; cost: number | null; calls: number }

/** The largest first; what has no name comes as null. */
export function rank(rows: readonly Usage[], nameOf: (u: Usage) => string | null): Rank[] {
  const found = new Map<string | null, Rank>();
  for (const r of rows) {
    const id = nameOf(r);
    const sum = found.get(id) ?? { id, name: id ?? "", tokens: 0, cost: null, calls: 0 };
    found.set(id, { ...sum, tokens: sum.tokens + r.total_tokens, calls: sum.calls + r.calls, cost: r.cost_usd === null ? sum.cost : (sum.cost ?? 0) + r.cost_usd });
  }
  return [...found.values()].sort((a, b) => b.tokens - a.tokens || a.name.localeCompare(b.name));
}

/** 1234567 as 1.2M: for axes and tiles. */
export function short(n: number): string {
  for (const [size, sign] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]] as const) {
    if (Math.abs(n) >= size) return `${trim(n / size)}${sign}`;
  }
  return trim(n);
}

const trim = (n: number) => String(Math.round(n * 10) / 10);
