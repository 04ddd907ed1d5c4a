import { describe, expect, it } from "vitest";
import { axis, extent, moved, nearest, plainAxis, shownLabels, stack, totals } from "./scale";

describe("axes", () => {
  it("end at round values and go upwards on the screen", () => {
    const y = axis(0, 97, 200, 0);
    expect([y.at(0), y.at(100)]).toEqual([200, 0]);
    expect(y.ticks[0]).toBe(0);
    expect(y.ticks.at(-1)).toBe(100);
  });
  it("give whole ticks where halves mean nothing", () => {
    expect(axis(0, 1, 200, 0, { whole: true }).ticks).toEqual([0, 1]);
    expect(plainAxis(1, 3, 0, 900, true).ticks).toEqual([1, 2, 3]);
  });
  it("hold one value alone", () => {
    const one = axis(7, 7, 200, 0);
    expect(one.at(7)).toBeGreaterThan(0);
    expect(one.at(7)).toBeLessThan(200);
    expect(plainAxis(1, 1, 0, 100, true).at(1)).toBe(50);
    expect(Number.isFinite(axis(0, 0, 200, 0).at(0))).toBe(true);
  });
  it("know the ends of nothing", () => {
    expect(extent([])).toEqual([0, 1]);
    expect(extent([3, -1, 2])).toEqual([-1, 3]);
  });
});

describe("bars", () => {
  it("stand on each other, without empty pieces", () => {
    const pieces = stack([[2, 0], [1, 3]], 2);
    expect(pieces).toEqual([
      [{ series: 0, from: 0, to: 2 }, { series: 1, from: 2, to: 3 }],
      [{ series: 1, from: 0, to: 3 }],
    ]);
    expect(totals([[2, 0], [1, 3]], 2)).toEqual([3, 3]);
  });
  it("leave out labels that have no room, never the newest", () => {
    expect([...shownLabels(4, 1000, 50)]).toEqual([3, 2, 1, 0]);
    expect([...shownLabels(30, 300, 50)]).toEqual([29, 24, 19, 14, 9, 4]);
    expect([...shownLabels(0, 300, 50)]).toEqual([]);
  });
});

describe("pointing", () => {
  it("takes what is nearest", () => {
    expect(nearest([1, 2, 10], 5)).toBe(1);
    expect(nearest([1, 2, 10], 99)).toBe(2);
    expect(nearest([], 5)).toBe(0);
  });
  it("moves by keys and stops at the ends", () => {
    expect([moved("ArrowRight", 0, 3), moved("ArrowLeft", 0, 3), moved("End", 0, 3), moved("PageDown", 0, 30)]).toEqual([1, 0, 2, 7]);
    expect(moved("a", 0, 3)).toBeUndefined();
  });
});
