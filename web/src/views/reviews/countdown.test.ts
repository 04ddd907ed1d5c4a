import { describe, expect, it } from "vitest";
import { leftOf, nextTick } from "./countdown";

const now = Date.parse("2026-01-01T12:00:00Z");

describe("the time that is left", () => {
  it("is none where there is no end", () => {
    expect(leftOf(null, now)).toBeUndefined();
    expect(leftOf("never", now)).toBeUndefined();
  });
  it("is told, and when it is short, and when it is over", () => {
    expect(leftOf("2026-01-01T13:00:00Z", now)).toEqual({ ms: 3_600_000, over: false, urgent: false });
    expect(leftOf("2026-01-01T12:04:59Z", now)).toMatchObject({ urgent: true });
    expect(leftOf("2026-01-01T11:00:00Z", now)).toEqual({ ms: 0, over: true, urgent: false });
  });
  it("is looked at again when the next second or minute begins", () => {
    expect(nextTick(61_300)).toBe(300);
    expect(nextTick(10 * 60_000 + 1_500)).toBe(1_500);
    expect(nextTick(5 * 3_600_000)).toBe(60_000);
    expect(nextTick(1_010)).toBe(50);
  });
});
