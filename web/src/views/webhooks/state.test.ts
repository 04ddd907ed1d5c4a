import { describe, expect, it } from "vitest";
import { deliveryText, webhookState } from "./state";
import { webhookWords } from "./words";

const w = webhookWords.en;
const hook = { enabled: true, disabled_reason: null, failing_since: null, sessions_behind: 0 };

describe("a webhook", () => {
  it("is up to date, or says what it lacks", () => {
    expect(webhookState(hook, w)).toMatchObject({ tone: "good", short: w.fine });
    expect(webhookState({ ...hook, sessions_behind: 1 }, w)).toMatchObject({ tone: "warm", text: "1 session has something that was not told yet." });
    expect(webhookState({ ...hook, sessions_behind: 1200 }, w).text).toContain("1,200 sessions have");
  });
  it("says since when it fails, and that it is tried again", () => {
    const told = webhookState({ ...hook, failing_since: "2026-01-02T03:04:00Z", sessions_behind: 2 }, w);
    expect(told.tone).toBe("bad");
    expect(told.text).toMatch(/^It has been failing since .*2026.*2 sessions .*tried again/);
  });
  it("tells who switched it off", () => {
    expect(webhookState({ ...hook, enabled: false }, w)).toMatchObject({ tone: undefined, short: w.off });
    expect(webhookState({ ...hook, enabled: false, disabled_reason: "gone" }, w)).toMatchObject({ tone: "bad", text: "The server switched it off: gone." });
    expect(webhookState({ ...hook, enabled: false, sessions_behind: 3 }, w).text).toContain(w.goesOn);
  });
});

describe("a delivery", () => {
  const d = { status: "delivered" as const, attempts: 1, http_status: 204, duration_ms: 40, error: null, next_at: null };
  it("says how it was taken", () => {
    expect(deliveryText(d, w).text).toBe("Delivered · answered 204 · 0.0 s");
    expect(deliveryText({ ...d, attempts: 3 }, w).text).toMatch(/^Delivered at the 3rd attempt/);
    expect(deliveryText({ ...d, attempts: 22 }, w).text).toMatch(/22nd/);
    expect(deliveryText({ ...d, attempts: 12 }, w).text).toMatch(/12th/);
  });
  it("says why not, and what comes next", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    const failed = { ...d, status: "failed" as const, http_status: 500, next_at: "2026-01-01T00:01:30Z" };
    expect(deliveryText(failed, w, now)).toEqual({ tone: "bad", short: "Failed", text: "Failed once · answered 500 · tried again in 1 min 30 s" });
    expect(deliveryText({ ...failed, attempts: 4, http_status: null, error: "connection refused", next_at: null }, w, now).text)
      .toBe("Failed 4 times · connection refused · not tried again");
    expect(deliveryText({ ...failed, next_at: "2025-12-31T23:59:00Z" }, w, now).text).toContain("in 0.0 s");
  });
});
