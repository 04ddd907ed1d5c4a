import { describe, expect, it } from "vitest";
import { cronOf, planAs, planOf, type Plan } from "./cron";

describe("the usual schedules", () => {
  const pairs: [string, Plan][] = [
    ["*/15 * * * *", { kind: "minutes", every: 15 }],
    ["* * * * *", { kind: "minutes", every: 1 }],
    ["30 * * * *", { kind: "hourly", minute: 30 }],
    ["0 9 * * *", { kind: "daily", at: "09:00" }],
    ["5 22 * * MON-FRI", { kind: "weekly", days: [1, 2, 3, 4, 5], at: "22:05" }],
    ["0 9 * * MON,WED,SUN", { kind: "weekly", days: [1, 3, 0], at: "09:00" }],
    ["0 0 31 * *", { kind: "monthly", day: 31, at: "00:00" }],
  ];
  it.each(pairs)("%s is read and written", (cron, plan) => {
    expect(planOf(cron)).toEqual(plan);
    expect(cronOf(plan)).toBe(cron);
  });
  it("are known in other spellings", () => {
    expect(planOf("@daily")).toEqual({ kind: "daily", at: "00:00" });
    expect(planOf("@hourly")).toEqual({ kind: "hourly", minute: 0 });
    expect(planOf(" 0  9 * * 1-5 ")).toEqual({ kind: "weekly", days: [1, 2, 3, 4, 5], at: "09:00" });
    expect(planOf("0 9 * * 6-7")).toEqual({ kind: "weekly", days: [6, 0], at: "09:00" });
    expect(planOf("0 9 * * sat,0")).toEqual({ kind: "weekly", days: [6, 0], at: "09:00" });
  });
});

describe("everything else", () => {
  it.each(["0 9 1 * MON", "0 9 * 6 *", "0 9-17 * * *", "*/7 * * * *", "1,31 * * * *", "0 25 * * *", "61 * * * *", "0 9 32 * *", "0 9 * * 8", "0 9 * * FRI-MON", "every day", "* * *", ""])(
    "%s stays text", (cron) => {
      const plan = planOf(cron);
      expect(plan.kind).toBe("text");
      expect(cronOf(plan)).toBe(cron);
    });
});

describe("another kind", () => {
  it("keeps the time of the day", () => {
    expect(planAs("weekly", { kind: "daily", at: "07:30" })).toEqual({ kind: "weekly", at: "07:30", days: [1, 2, 3, 4, 5] });
    expect(planAs("text", { kind: "daily", at: "07:30" })).toEqual({ kind: "text", text: "30 7 * * *" });
    expect(planAs("daily", { kind: "text", text: "x" })).toEqual({ kind: "daily", at: "09:00" });
  });
  it("of no day at all means every day", () => {
    expect(cronOf({ kind: "weekly", days: [], at: "09:00" })).toBe("0 9 * * *");
  });
});
