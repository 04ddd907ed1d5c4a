import { describe, expect, it } from "vitest";
import { actionWords, dayEdge, objectLink } from "./objects";

describe("an entry of the audit log", () => {
  it("leads to its object while that is there", () => {
    expect(objectLink({ action: "schedule_create", object: "s1", status: 201 })).toBe("#/schedules/s1");
    expect(objectLink({ action: "webhook_delete", object: "a", status: 204 })).toBeUndefined();
    expect(objectLink({ action: "memory_ingest", object: "m", status: 201 })).toBeUndefined();
    expect(objectLink({ action: "schedule_put", object: null, status: 400 })).toBeUndefined();
  });
  it("is told in words", () => {
    expect(actionWords("schedule_create")).toBe("Schedule create");
  });
});

describe("days", () => {
  it("begin and end where the reader is", () => {
    const from = Date.parse(dayEdge("2026-03-05") ?? "");
    const until = Date.parse(dayEdge("2026-03-05", true) ?? "");
    expect(new Date(from).getDate()).toBe(5);
    expect(new Date(from).getHours()).toBe(0);
    expect(new Date(until).getDate()).toBe(6);
    expect(dayEdge("5 March")).toBeUndefined();
  });
});
