import { describe, expect, it } from "vitest";
import { byDay, byStatus, days, daysBack, rank, short } from "./figures";

const sum = { input_tokens: 1, output_tokens: 2, total_tokens: 3, cost_usd: 0.5 as number | null, calls: 1, unpriced_calls: 0, estimated_calls: 0 };

describe("days", () => {
  it("have no holes, across months", () => {
    expect(days("2026-02-27", "2026-03-02")).toEqual(["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]);
    expect(days("2026-03-02", "2026-03-01")).toEqual([]);
    expect(days("nothing", "2026-03-01")).toEqual([]);
    expect(days("1990-01-01", "2026-03-01")).toHaveLength(400);
  });
  it("count back with today among them", () => {
    expect(daysBack(7, Date.parse("2026-03-07T23:59:00Z"))).toBe("2026-03-01");
  });
  it("have a value each, by state", () => {
    const series = byStatus([{ day: "2026-03-02T00:00:00.000Z", by_status: { completed: 4, failed: 1 } }], ["2026-03-01", "2026-03-02"]);
    expect(series.find((s) => s.status === "completed")?.values).toEqual([0, 4]);
    expect(series.find((s) => s.status === "paused")?.values).toEqual([0, 0]);
  });
  it("add up what several rows say of one", () => {
    const rows = [{ ...sum, day: "2026-03-02" }, { ...sum, day: "2026-03-02" }];
    expect(byDay(rows, ["2026-03-01", "2026-03-02"], (u) => u.output_tokens)).toEqual([0, 4]);
  });
});

describe("ranks", () => {
  it("put the largest first, and keep what has no price apart from what costs nothing", () => {
    const rows = [{ ...sum, model: "a", cost_usd: null }, { ...sum, model: "b" }, { ...sum, model: "b" }, { ...sum, model: null, cost_usd: 0 }];
    expect(rank(rows, (u) => u.model ?? null).map((r) => [r.id, r.tokens, r.cost, r.calls])).toEqual([["b", 6, 1, 2], [null, 3, 0, 1], ["a", 3, null, 1]]);
  });
});

describe("figures", () => {
  it("are short", () => {
    expect([short(0), short(999), short(1234), short(1_250_000), short(3e9), short(0.5)]).toEqual(["0", "999", "1.2k", "1.3M", "3B", "0.5"]);
  });
});
