import { describe, expect, it } from "vitest";
import { emptyView, type RunView, type SessionView } from "@/session/model";
import { idleTimes, roomFor, rowsOf, scaleOf, spent, ticksOf, type TimelineRow } from "./timeline";

const T0 = Date.parse("2026-01-01T00:00:00.000Z");
const iso = (s: number) => new Date(T0 + s * 1000).toISOString();
const at = (s: number) => T0 + s * 1000;

function viewOf(runs: (Partial<RunView> & { id: string; nodeId: string })[], endedAt?: string): SessionView {
  const view = emptyView("s");
  view.endedAt = endedAt;
  for (const run of runs) {
    view.runs[run.id] = { status: "completed", attempt: 1, iteration: 1, branch: null, firstSeq: 1, items: [], ...run };
    const node = view.nodes[run.nodeId] ??= { id: run.nodeId, status: "completed", runIds: [], iteration: 1, attempt: 1 };
    node.runIds.push(run.id);
  }
  return view;
}

const row = (from: number, to: number | undefined, more: Partial<TimelineRow> = {}): TimelineRow => ({
  runId: `r${from}`, nodeId: "n", isHead: true, runs: 1, iteration: 1, attempt: 1, status: "completed", from: at(from), to: to === undefined ? undefined : at(to), waits: [], ...more,
});

describe("rows", () => {
  it("stand by node, in the order in which nodes first ran", () => {
    const rows = rowsOf(viewOf([
      { id: "c1", nodeId: "con", startedAt: iso(2), endedAt: iso(4) },
      { id: "p1", nodeId: "pro", startedAt: iso(1), endedAt: iso(3) },
      { id: "p2", nodeId: "pro", iteration: 2, startedAt: iso(6) },
      { id: "x", nodeId: "never", status: "skipped", endedAt: iso(7) },
    ]));
    expect(rows.map((r) => [r.runId, r.isHead, r.runs])).toEqual([["p1", true, 2], ["p2", false, 2], ["c1", true, 1]]);
    expect(rows[1]).toMatchObject({ from: at(6), to: undefined, iteration: 2 });
  });
  it("end with the session when nothing else ended them", () => {
    const [only] = rowsOf(viewOf([{ id: "a", nodeId: "a", status: "running", startedAt: iso(1), waits: [{ at: iso(2) }] }], iso(9)));
    expect(only).toMatchObject({ to: at(9), waits: [{ from: at(2), to: at(9) }] });
  });
  it("tell how long they took and waited", () => {
    expect(spent(row(0, 10, { waits: [{ from: at(2), to: at(7) }] }), at(99))).toEqual({ tookMs: 10_000, waitedMs: 5_000 });
    expect(spent(row(0, undefined, { waits: [{ from: at(4) }] }), at(6))).toEqual({ tookMs: 6_000, waitedMs: 2_000 });
  });
});

describe("idle time", () => {
  it("is when everything waited or the session was paused, for long", () => {
    const rows = [row(0, 5), row(5, 3605, { waits: [{ from: at(6), to: at(3600) }] })];
    expect(idleTimes(rows, [], at(0), at(3605))).toEqual([{ from: at(6), to: at(3600), isOpen: false }]);
    expect(idleTimes([row(0, 100)], [{ from: at(10), to: at(60) }], at(0), at(100))).toEqual([{ from: at(10), to: at(60), isOpen: false }]);
    expect(idleTimes([row(0, 100)], [{ from: at(10), to: at(12) }], at(0), at(100))).toEqual([]);
  });
  it("is open while it lasts", () => {
    expect(idleTimes([row(0, undefined, { waits: [{ from: at(2) }] })], [], at(0), at(90))).toEqual([{ from: at(2), to: at(90), isOpen: true }]);
  });
});

describe("the scale", () => {
  it("fills the width with a session that has ended", () => {
    const scale = scaleOf({ rows: [row(0, 10), row(10, 40)], pauses: [], now: at(999), isLive: false, fold: true });
    expect([at(0), at(10), at(40)].map(scale.at)).toEqual([0, 0.25, 1]);
  });
  it("draws idle time narrow and keeps the order of things", () => {
    const rows = [row(0, 10), row(7210, 7220)];
    const scale = scaleOf({ rows, pauses: [], now: at(7220), isLive: false, fold: true });
    const places = [0, 10, 3000, 7210, 7215, 7220].map((s) => scale.at(at(s)));
    expect([...places].sort((a, b) => a - b)).toEqual(places);
    expect((places[3] ?? 0) - (places[1] ?? 0)).toBeLessThan(0.06);
    expect(places[5]).toBe(1);
    const flat = scaleOf({ rows, pauses: [], now: at(7220), isLive: false, fold: false });
    expect(flat.at(at(3610))).toBeCloseTo(0.5);
  });
  it("keeps room while it runs, and stands still between the steps", () => {
    const live = (now: number) => scaleOf({ rows: [row(0, 3), row(3, undefined)], pauses: [], now: at(now), isLive: true, fold: true });
    expect(live(11).at(at(3))).toBe(live(14).at(at(3)));
    expect(live(11).at(at(14))).toBeCloseTo(14 / 15);
    expect(live(16).at(at(3))).toBeLessThan(live(14).at(at(3)));
  });
  it("does not move while nothing runs", () => {
    const waits = (now: number) => scaleOf({ rows: [row(0, undefined, { waits: [{ from: at(5) }] })], pauses: [], now: at(now), isLive: true, fold: true });
    expect(waits(60).at(at(5))).toBe(waits(6000).at(at(5)));
    expect(waits(60).at(at(60))).toBe(waits(6000).at(at(6000)));
  });
  it("is there without anything to show", () => {
    const scale = scaleOf({ rows: [], pauses: [], now: at(1), isLive: true, fold: true });
    expect(scale.at(at(1))).toBe(0);
    expect(ticksOf(scale, 5).length).toBeGreaterThan(0);
  });
  it("has marks at round times, not in what is left out", () => {
    const scale = scaleOf({ rows: [row(0, 10), row(7210, 7220)], pauses: [], now: at(7220), isLive: false, fold: true });
    const ticks = ticksOf(scale, 5);
    expect(ticks.map((t) => t.ms / 1000).every((s) => Number.isInteger(s) && (s <= 10 || s >= 7210))).toBe(true);
    expect(ticks.length).toBeGreaterThan(2);
    for (const [i, t] of ticks.entries()) if (i > 0) expect(t.at - (ticks[i - 1]?.at ?? 0)).toBeGreaterThan(0.1);
  });
  it("grows in steps", () => {
    expect([0, 900, 1001, 12_000, 60_000, 71_000].map(roomFor)).toEqual([1000, 1000, 1500, 15_000, 70_000, 100_000]);
  });
});
