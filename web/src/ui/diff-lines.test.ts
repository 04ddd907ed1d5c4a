import { describe, expect, it } from "vitest";
import { cpuMs } from "@/test/cpu";
import { compareTexts, foldRows, pairUp, type Comparison, type Row } from "./diff-lines";

const told = (c: Comparison): string[] => foldRows(c.blocks, new Set(), "unified").map((row: Row) =>
  row.kind === "fold" ? `@ ${row.pairs.length}`
    : row.same ? `  ${row.pair.after!.parts[0]!.text}`
      : row.pair.before ? `- ${row.pair.before.parts.map((p) => (p.marked ? `[${p.text}]` : p.text)).join("")}`
        : `+ ${row.pair.after!.parts.map((p) => (p.marked ? `[${p.text}]` : p.text)).join("")}`);

const many = (n: number, word = "line") => Array.from({ length: n }, (_, i) => `${word} ${i + 1}`);

describe("differences", () => {
  it("mark the words in lines that belong together", () => {
    const c = compareTexts("one\nThe cat sat on the mat.\nend\n", "one\nThe dog sat on the mat.\nend");
    expect(told(c)).toEqual(["  one", "- The [cat] sat on the mat.", "+ The [dog] sat on the mat.", "  end"]);
    expect([c.added, c.removed, c.rough]).toEqual([1, 1, false]);
  });
  it("mark Chinese by characters", () => {
    expect(told(compareTexts("我们明天开会讨论方案", "我们后天开会讨论方案"))).toEqual(["- 我们[明]天开会讨论方案", "+ 我们[后]天开会讨论方案"]);
  });
  it("do not mark words where nothing is alike", () => {
    expect(told(compareTexts("alpha beta gamma", "quite another sentence"))).toEqual(["- alpha beta gamma", "+ quite another sentence"]);
  });
  it("are none between equal texts, whatever ends their lines", () => {
    expect(compareTexts("a\r\nb\r\n", "a\nb").added).toBe(0);
    expect(compareTexts("", "").blocks).toEqual([]);
  });
  it("of a text that came or went are all of it", () => {
    expect(told(compareTexts("", "a\nb"))).toEqual(["+ a", "+ b"]);
    expect(told(compareTexts("a\n\nb", ""))).toEqual(["- a", "- ", "- b"]);
  });
  it("number both sides", () => {
    const c = compareTexts("a\nb\nc", "a\nx\ny\nc");
    const last = c.blocks[c.blocks.length - 1]!.pairs[0]!;
    expect([last.before!.no, last.after!.no]).toEqual([3, 4]);
  });
  it("pair a changed line with its like, not with its neighbour", () => {
    expect(pairUp(["the old first line here"], ["something new", "the new first line here"])).toEqual([[undefined, 0], [0, 1]]);
    expect(pairUp(["a b c d", "gone entirely"], ["a b c e"])).toEqual([[0, 0], [1, undefined]]);
  });
  it("of texts that have nothing in common take bounded time, and say that they are rough", () => {
    const began = cpuMs();
    const words = (seed: number) => Array.from({ length: 30_000 }, (_, i) => `${(i * seed) % 7919} ${(i * 31 + seed) % 104_729}`).join("\n");
    const c = compareTexts(words(17), words(23));
    expect(c.added).toBe(30_000);
    expect(c.rough).toBe(true);
    expect(cpuMs() - began).toBeLessThan(3_000);
  });
});

describe("folding", () => {
  it("leaves three lines around each change", () => {
    const before = many(40);
    const after = [...before];
    after[20] = "line changed 21";
    expect(told(compareTexts(before.join("\n"), after.join("\n")))).toEqual([
      "@ 17", "  line 18", "  line 19", "  line 20", "- line 21", "+ line [changed ]21", "  line 22", "  line 23", "  line 24", "@ 16",
    ]);
  });
  it("does not fold what is hardly longer than its fold", () => {
    const before = many(9);
    const after = ["first", ...before.slice(1, 8), "last"];
    expect(told(compareTexts(before.join("\n"), after.join("\n"))).filter((l) => l.startsWith("@"))).toEqual([]);
  });
  it("opens where it was asked to", () => {
    const { blocks } = compareTexts(many(30).join("\n"), [...many(30), "more"].join("\n"));
    const fold = foldRows(blocks, new Set(), "split").find((r) => r.kind === "fold");
    expect(fold?.kind === "fold" && fold.pairs.length).toBe(27);
    expect(foldRows(blocks, new Set([fold?.kind === "fold" ? fold.at : 0]), "split")).toHaveLength(31);
  });
});
