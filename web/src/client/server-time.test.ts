import { describe, expect, it } from "vitest";
import { serverAhead, tellServerTime } from "./server-time";

const at = (ms: number) => new Date(ms).toUTCString();
const T = Date.parse("2026-01-01T00:00:00Z");

describe("the server's clock", () => {
  it("is the browser's until an answer says otherwise", () => {
    tellServerTime(null, T, T);
    tellServerTime("nonsense", T, T);
    expect(serverAhead()).toBe(0);
    tellServerTime(at(T), T + 100, T + 200);
    expect(serverAhead()).toBe(0);
  });
  it("is found when the browser's is wrong, the better the more answers came", () => {
    // Five minutes ahead of the browser: a Date is cut to whole seconds.
    const ahead = 300_000;
    for (const ms of [10, 440, 990]) tellServerTime(at(Math.floor((T + ms + ahead) / 1000) * 1000), T + ms - 4, T + ms + 4);
    expect(Math.abs(serverAhead() - ahead)).toBeLessThan(60);
  });
  it("is looked at anew when a clock was set", () => {
    tellServerTime(at(T - 3_600_000), T, T + 10);
    expect(Math.round(serverAhead() / 60_000)).toBe(-60);
  });
});
