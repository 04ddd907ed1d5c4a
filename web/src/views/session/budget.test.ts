import { describe, expect, it } from "vitest";
import { metersOf, offerAfter, pauseNeeds, reachedOf } from "./budget";

const usage = (tokens: number, cost: number | null = null) => ({ input_tokens: tokens, output_tokens: 0, cost_usd: cost });
const note = (seq: number, data: object) =>
  ({ [`note-${seq}`]: { id: `note-${seq}`, kind: "budget" as const, text: "", at: "", data: data as never } });

describe("a budget", () => {
  it("has a meter for each limit that is set", () => {
    expect(metersOf(undefined, usage(5))).toEqual([]);
    expect(metersOf({ tokens: null, cost_usd: null }, usage(5))).toEqual([]);
    expect(metersOf({ tokens: 100, cost_usd: 2 }, usage(85, 0.5))).toEqual([
      { resource: "tokens", limit: 100, used: 85, share: 0.85, tone: "near" },
      { resource: "cost_usd", limit: 2, used: 0.5, share: 0.25, tone: "calm" },
    ]);
  });
  it("is never more than full", () => {
    expect(metersOf({ tokens: 100 }, usage(140))[0]).toMatchObject({ share: 1, tone: "full" });
  });
  it("counts what is under way when it stands at the limit", () => {
    expect(metersOf({ tokens: 100 }, usage(0), { resource: "tokens", limit: 100, used: 101 })[0]).toMatchObject({ used: 101, share: 1 });
    expect(metersOf({ cost_usd: 1 }, usage(0), { resource: "tokens", limit: 100, used: 101 })[0]).toMatchObject({ used: 0 });
  });
  it("costs nothing while no price is known", () => {
    expect(metersOf({ cost_usd: 1 }, usage(140))[0]).toMatchObject({ used: 0, share: 0 });
  });
  it("offers half as much again, in a figure that reads well", () => {
    expect(offerAfter({ limit: 100, used: 103 }, "tokens")).toBe(160);
    expect(offerAfter({ limit: 50_000, used: 50_004 }, "tokens")).toBe(76_000);
    expect(offerAfter({ limit: 1, used: 1 }, "tokens")).toBe(2);
    expect(offerAfter({ limit: 0.02, used: 0.0201 }, "cost_usd")).toBe(0.031);
    expect(offerAfter({ limit: 2, used: 2 }, "cost_usd")).toBe(3);
  });
  it("was reached as the newest note says", () => {
    expect(reachedOf({})).toBeUndefined();
    const notes = { ...note(5, { resource: "tokens", limit: 10, used: 11 }), ...note(9, { resource: "tokens", limit: 40, used: 41 }) };
    expect(reachedOf(notes)).toEqual({ resource: "tokens", limit: 40, used: 41 });
  });
  it("and breakers need a word, other pauses do not", () => {
    expect(pauseNeeds("budget")).toBe("budget");
    expect(pauseNeeds("breaker:repetition")).toBe("justification");
    expect(pauseNeeds("lunch")).toBeUndefined();
    expect(pauseNeeds(undefined)).toBeUndefined();
  });
});
