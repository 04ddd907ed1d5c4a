import { describe, expect, it } from "vitest";
import { fieldOf } from "./draft";

const FIELDS = ["name", "cron", "tools"];

describe("what the server refuses", () => {
  it("stands at its field", () => {
    expect(fieldOf(new Error("cron: expected five fields, there are 3"), FIELDS)).toEqual({ field: "cron", text: "Expected five fields, there are 3" });
    expect(fieldOf(new Error("tools[0].name: missing"), FIELDS)).toEqual({ field: "tools", text: "Missing" });
    expect(fieldOf(new Error("tools.0: missing"), FIELDS)).toEqual({ field: "tools", text: "Missing" });
  });
  it("belongs to the whole form where it names none", () => {
    expect(fieldOf(new Error("it is in use"), FIELDS)).toBeUndefined();
    expect(fieldOf(new Error("id: expected a name"), FIELDS)).toBeUndefined();
    expect(fieldOf("cron: x", FIELDS)).toBeUndefined();
  });
});
