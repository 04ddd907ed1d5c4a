import { describe, expect, it } from "vitest";
import type { Interrupt } from "@sluice/client";
import { answerParts, askedFromReview, askedFromView, fieldErrors, merged, nextOf, oneLine } from "./asked";

const row: Interrupt = {
  interrupt_id: "i", session_id: "s", node_id: "n", kind: "approve_reject", status: "pending", reason: "Is it fair?", actions: [],
  quorum: 2, votes: [{ reviewer: "ann", action: "approve" }], answer: null, expires_at: null, created_at: "2026-01-01T00:00:00Z",
};

describe("what waits for a person", () => {
  it("has its actions, also when nobody named them", () => {
    expect(askedFromReview(row).actions).toEqual(["approve", "reject"]);
    expect(askedFromReview({ ...row, kind: "stage" }).actions).toEqual(["complete", "skip"]);
  });
  it("is open or not by the events, and has its votes by the object", () => {
    const view = askedFromView("s", {
      id: "i", nodeId: "n", runId: "r", kind: "approve_reject", reason: "Is it fair?", actions: [], state: "answered", action: "reject", at: "",
    });
    const asked = merged(view, askedFromReview(row));
    expect([asked.status, asked.answer?.action, asked.votes.length]).toEqual(["answered", "reject", 1]);
    expect(merged(view, undefined)).toBe(view);
  });
  it("says which field the server has refused", () => {
    expect(fieldErrors("The data do not hold to the form: $.reason: is required")).toEqual({ reason: "is required" });
    expect(fieldErrors("The data do not hold to the form: $.a.b: must be at least 1; $.c: is required")).toEqual({ "a.b": "must be at least 1", c: "is required" });
    expect(fieldErrors("Say who answers.")).toEqual({});
  });
  it("has an answer of several parts", () => {
    expect(answerParts({ data: { comment: "shorter", content: "x", urgent: true } })).toEqual({ comment: "shorter", content: "x", rest: { urgent: true } });
    expect(answerParts({ data: "hello" })).toEqual({ said: "hello", content: undefined });
    expect(answerParts(undefined)).toEqual({ content: undefined });
  });
  it("is one line in the list", () => {
    expect(oneLine("# Bring it out.\n\n1. Look **twice**.\n- Then `ship`.")).toBe("Bring it out. 1. Look twice. Then ship.");
  });
  it("is followed by the next one, until there is none", () => {
    const all = [{ id: "a" }, { id: "b" }];
    expect(nextOf(all, "a")?.id).toBe("b");
    expect(nextOf(all, "b")).toBeUndefined();
    expect(nextOf(all, "b", -1)?.id).toBe("a");
    expect(nextOf(all, "gone")?.id).toBe("a");
  });
});
