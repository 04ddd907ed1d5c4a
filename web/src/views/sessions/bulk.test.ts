import { describe, expect, it } from "vitest";
import { SluiceError as ApiError } from "@sluice/client";
import { classify, dayStart, metadataOf, runBulk, selectRange, summary, type Result } from "./bulk";
import { words } from "./words";

const results = (...whats: Result["what"][]): Result[] => whats.map((what, i) => ({ id: String(i), what }));

describe("a command for many", () => {
  it("is told in one sentence", () => {
    expect(summary("pause", results("done", "done", "ended"), words.en)).toBe("2 paused, 1 had ended already");
    expect(summary("remove", results("already", "gone"), words.en)).toBe("1 still running, 1 not there any more");
    expect(summary("pause", results("done", "ended"), words.zh)).toBe("已暂停 1 个，1 个早已结束");
    expect(summary("cancel", [{ id: "a", what: "failed", error: new ApiError("disk full", "x", 500) }], words.en)).toBe("1 failed: disk full");
  });
  it("understands why it was refused", () => {
    expect(classify(new ApiError("the session has ended: it is completed", "conflict", 409))).toBe("ended");
    expect(classify(new ApiError("The session is paused; only a running one can be paused.", "conflict", 409))).toBe("already");
    expect(classify(new ApiError("", "budget_exhausted", 409))).toBe("needs");
    expect(classify(new ApiError("", "not_found", 404))).toBe("gone");
    expect(classify(new ApiError("", "forbidden", 403))).toBe("refused");
    expect(classify(new Error("?"))).toBe("failed");
  });
  it("runs a few at a time, all of them, whatever fails", async () => {
    let [now, most] = [0, 0];
    const told: number[] = [];
    const call = async (id: string) => {
      most = Math.max(most, ++now);
      await new Promise((done) => setTimeout(done, 1));
      now--;
      if (id === "3") throw new ApiError("", "not_found", 404);
    };
    const all = await runBulk(Array.from({ length: 20 }, (_, i) => String(i)), call, (n) => told.push(n));
    expect(all).toHaveLength(20);
    expect(all.find((r) => r.id === "3")?.what).toBe("gone");
    expect(most).toBe(6);
    expect(told[told.length - 1]).toBe(20);
  });
});

describe("selecting", () => {
  const order = ["a", "b", "c", "d"];
  it("toggles one, or takes all between two", () => {
    expect([...selectRange(order, new Set(["a"]), "c", undefined, false)]).toEqual(["a", "c"]);
    expect([...selectRange(order, new Set(["a"]), "a", "a", false)]).toEqual([]);
    expect([...selectRange(order, new Set(["d"]), "b", "d", true)].sort()).toEqual(["b", "c", "d"]);
    expect([...selectRange(order, new Set(), "b", "gone", true)]).toEqual(["b"]);
  });
});

describe("filters", () => {
  it("of metadata are pairs", () => {
    expect(metadataOf("team=red, run.kind=a=b,,x=")).toEqual({ "metadata.team": "red", "metadata.run.kind": "a=b" });
  });
  it("of days are whole days of this place", () => {
    expect(dayStart("2026-02-31x")).toBeNull();
    expect(Date.parse(dayStart("2026-01-31", 1)!)).toBe(new Date(2026, 1, 1).valueOf());
  });
});
