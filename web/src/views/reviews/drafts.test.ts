import { describe, expect, it } from "vitest";
import { dropOld, readDraft, writeDraft, type Shelf } from "./drafts";

class Drawer implements Shelf {
  items = new Map<string, string>();
  constructor(private room = Infinity) {}
  get length() { return this.items.size; }
  key(i: number) { return [...this.items.keys()][i] ?? null; }
  getItem(key: string) { return this.items.get(key) ?? null; }
  removeItem(key: string) { this.items.delete(key); }
  setItem(key: string, value: string) {
    const rest = [...this.items].reduce((n, [k, v]) => n + (k === key ? 0 : v.length), 0);
    if (rest + value.length > this.room) throw new Error("QuotaExceededError");
    this.items.set(key, value);
  }
}

describe("drafts", () => {
  it("come back as they were, and go when they are empty", () => {
    const shelf = new Drawer();
    writeDraft(shelf, "a", { comment: "too long", text: "", editing: true }, 5);
    expect(readDraft(shelf, "a")).toEqual({ at: 5, fields: { comment: "too long", editing: true } });
    writeDraft(shelf, "a", { comment: "", text: undefined });
    expect(shelf.length).toBe(0);
  });
  it("that are old are dropped; what is not a draft stays", () => {
    const shelf = new Drawer();
    shelf.setItem("sluice.lang", "zh");
    shelf.setItem("sluice.draft.broken", "{");
    writeDraft(shelf, "old", { comment: "x" }, 1_000);
    writeDraft(shelf, "new", { comment: "y" }, 9_000);
    dropOld(shelf, 5_000, 10_000);
    expect([...shelf.items.keys()]).toEqual(["sluice.lang", "sluice.draft.new"]);
  });
  it("make room for the newest, and say when there is none", () => {
    const shelf = new Drawer(120);
    expect(writeDraft(shelf, "a", { text: "x".repeat(60) }, 1)).toBe(true);
    expect(writeDraft(shelf, "b", { text: "y".repeat(60) }, 2)).toBe(true);
    expect(readDraft(shelf, "a")).toBeUndefined();
    expect(writeDraft(shelf, "c", { text: "z".repeat(200) }, 3)).toBe(false);
  });
  it("that cannot be read are none", () => {
    const shelf = new Drawer();
    for (const text of ["null", "3", '{"at":1}', "["]) {
      shelf.setItem("sluice.draft.x", text);
      expect(readDraft(shelf, "x")).toBeUndefined();
    }
  });
});
