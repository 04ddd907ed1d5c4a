// What a model may answer, shown harmlessly. Rendered to a string: what is not in it is not in the page.

import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { cpuMs } from "@/test/cpu";
import katex from "katex";
import { Markdown } from "@/ui/markdown";
import { clipped, safeLink, visible } from "@/ui/safe-text";
import { blocksOf, Splitter } from "./blocks";
import { isTooHard } from "./bounds";
import { highlighted } from "./highlight";
import { KATEX, mathsPlugins } from "./maths";
import { withMaths } from "./maths-text";
import { parseOnce } from "./parse";

const html = (text: string, streaming = false) => renderToStaticMarkup(createElement(Markdown, { text, streaming }));
const kinds = (text: string) => blocksOf(text).map((b) => (b.kind === "code" ? `code ${b.lang}: ${b.text}` : b.text.trim()));

describe("blocks", () => {
  it("end where the next begins, never inside of a list, code or a formula", () => {
    expect(kinds("One.\n\nTwo\nmore.\n\n# Three")).toEqual(["One.", "Two\nmore.", "# Three"]);
    expect(kinds("- a\n\n- b\n\n  more of b\n\nText")).toEqual(["- a\n\n- b\n\n  more of b", "Text"]);
    expect(kinds("1. a\n   ```c\n   x\n\n   y\n   ```\n2. b")).toEqual(["1. a\n   ```c\n   x\n\n   y\n   ```\n2. b"]);
    expect(kinds("Before\n```js\na\n\nb\n```\nAfter")).toEqual(["Before", "code js: a\n\nb", "After"]);
    expect(kinds("````md\n```\nx\n```\n````")).toEqual(["code md: ```\nx\n```"]);
    expect(kinds("~~~\nnever closed")).toEqual(["code : never closed"]);
    expect(kinds("$$\na\n\nb\n$$\n\nAfter")).toEqual(["$$\na\n\nb\n$$", "After"]);
    expect(kinds("")).toEqual([]);
  });

  it("are the same whether the text came at once or letter by letter", () => {
    const text = "# T\n\nOne **two**\n\n- a\n\n- b\n\n```py\nx = 1\n\ny\n```\n\n| a |\n|---|\n| 1 |\n\n> q\n\nEnd";
    const splitter = new Splitter();
    let last = splitter.feed("");
    for (let i = 1; i <= text.length; i++) {
      const part = text.slice(0, i);
      expect(splitter.continues(part)).toBe(true);
      last = splitter.feed(part);
    }
    expect([...splitter.settled, last].map((b) => b.text.trim())).toEqual(blocksOf(text).map((b) => b.text.trim()));
    expect(splitter.continues("something else")).toBe(false);
  });

  it("cost what has been added, not what is there", () => {
    const splitter = new Splitter();
    let text = "";
    for (let i = 0; i < 2000; i++) splitter.feed(text += `Paragraph ${i}.\n\n`);
    expect(splitter.settled.length).toBeGreaterThan(1990);
    const [first] = splitter.settled;
    splitter.feed(`${text}more`);
    expect(splitter.settled[0]).toBe(first);
  });
});

describe("what a model says", () => {
  it("is formatted", () => {
    const out = html("# T\n\n**b** and `c`\n\n1. x\n2. y\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n\n~~no~~");
    for (const part of ["<h4>T</h4>", "<strong>b</strong>", "<code>c</code>", "<ol>", "<td>1</td>", "☑", "<del>no</del>"]) expect(out).toContain(part);
    expect(out).not.toContain("<input");
  });

  it("keeps links by name, and footnotes, though it is cut into blocks", () => {
    expect(html("See [it][1].\n\nMore.\n\n[1]: https://example.org/x")).toContain('href="https://example.org/x"');
    expect(html("So[^1] it is.\n\n[^1]: a note")).toContain("a note");
    expect(html("So[^1] it is.\n\n[^1]: a note", true)).toContain("a note");
    expect(html("So[^1] it is.\n\n[^1]: a note")).not.toMatch(/ id=/);
  });

  it("runs nothing", () => {
    const out = html([
      "<script>alert(1)</script>", '<img src=x onerror="alert(1)">', "<iframe src='https://evil.example'></iframe>", "<style>*{display:none}</style>",
      "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) [d](vbscript:x) [e](java&#10;script:alert(1)) [f](//evil.example) [g](#/keys)",
      "![i](https://evil.example/pixel.png) ![j](data:image/svg+xml,x)", "<a href='javascript:x'>h</a> <svg onload=alert(1)> <math><mi xlink:href='javascript:x'>",
    ].join("\n\n"));
    // Elements are told by what no text has: an unescaped bracket.
    expect(out).not.toMatch(/<(script|img|iframe|style|svg|math|object|embed|form|base|link|meta)\b/i);
    expect(out).not.toMatch(/<[^>]+\s(on\w+|style|srcdoc|src)=/i);
    expect([...out.matchAll(/href="([^"]*)"/g)].map((m) => m[1])).toEqual(["https://evil.example/pixel.png"]);
    expect(out).toContain("&lt;script&gt;");
  });

  it("turns nothing around it", () => {
    const out = html("safe \u202egnp.exe\u202c \u2067x\u2069\n\n`\u202eevil\u202c`\n\n```js\nif (a\u202e) {}\n```");
    expect(out).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    expect(out.match(/⟦RLO⟧/g)).toHaveLength(3);
    expect(html("שלום world")).toContain("שלום world");
    expect(visible(`a${"\u0301".repeat(500)}`)).toBe(`a${"\u0301".repeat(6)}`);
  });

  it("may be of any length and shape", () => {
    const cases: Record<string, string> = {
      "one line": "x".repeat(10_000_000), words: "word ".repeat(2_000_000), brackets: "[".repeat(200_000), stars: "*a_".repeat(100_000), quotes: ">".repeat(200_000),
      nested: Array.from({ length: 2_000 }, (_, i) => `${" ".repeat(i * 2)}- x`).join("\n"), ticks: "`a``".repeat(100_000), tags: "<a ".repeat(200_000),
      table: `|a|b|\n|---|---|\n${"|1|2|\n".repeat(50_000)}`, columns: `|${"a|".repeat(20_000)}\n|${"-|".repeat(20_000)}\n|${"1|".repeat(20_000)}`,
      code: `\`\`\`\n${"line\n".repeat(200_000)}\`\`\``, fences: "```\n".repeat(50_000), links: "[a](b ".repeat(50_000), entities: "&#x41;".repeat(100_000),
      lists: "- a\n\n".repeat(50_000), paragraphs: "a\n\n".repeat(200_000), dollars: "$a ".repeat(100_000), zalgo: `e${"\u0301\u0316".repeat(100_000)}`,
    };
    for (const [name, text] of Object.entries(cases)) {
      const began = cpuMs();
      const out = html(text);
      const ms = cpuMs() - began;
      expect(out.length, name).toBeLessThan(3_000_000);
      expect(out.length, name).toBeGreaterThan(10);
      expect(ms, name).toBeLessThan(4_000);
    }
  }, 60_000);

  it("costs no more while it streams", () => {
    for (const text of ["x".repeat(1_000_000), "*a_".repeat(100_000), "a\n\n".repeat(20_000), `\`\`\`\n${"line\n".repeat(50_000)}`]) {
      const began = cpuMs();
      const out = html(text, true);
      expect(cpuMs() - began).toBeLessThan(2_000);
      expect(out.length).toBeLessThan(400_000);
    }
  }, 30_000);

  it("is told from what is too hard", () => {
    expect(isTooHard("A paragraph of **usual** text.\n".repeat(40))).toBe(false);
    expect(isTooHard("- **Item**: with `code` and *more*\n".repeat(200))).toBe(false);
    expect(isTooHard("*a_".repeat(500))).toBe(true);
    expect(isTooHard(">".repeat(40))).toBe(true);
  });
});

describe("maths", () => {
  it("is found in the notations of models, and not in prices or code", () => {
    expect(withMaths("a \\(x^2\\) b")).toBe("a $$x^2$$ b");
    expect(withMaths("so $e=mc^2$.")).toBe("so $$e=mc^2$$.");
    expect(withMaths("\\[\nx\n\\]").trim()).toBe("$$\nx\n$$");
    expect(withMaths("$$x$$").trim()).toBe("$$\nx\n$$");
    for (const text of ["from $5 to $10", "`$a$`", "costs $5-$10", "US$5 and US$6", "a\\$b\\$"]) expect(withMaths(text)).toBe(text);
    expect(renderToStaticMarkup(parseOnce("so $e=mc^2$.", mathsPlugins))).toContain('class="formula"');
  });

  it("loads, links and grows nothing", () => {
    const drawn = (tex: string) => katex.renderToString(tex, KATEX);
    expect(drawn("x^2")).toContain("<msup>");
    for (const tex of ["\\href{javascript:alert(1)}{x}", "\\url{javascript:x}", "\\includegraphics{https://evil.example/x.png}", "\\htmlStyle{color:red}{x}", "\\htmlId{a}{x}"]) {
      expect(drawn(tex)).not.toMatch(/href=|src=|<img|id="a"/);
    }
    const began = cpuMs();
    expect(() => drawn("\\def\\a{\\b\\b}\\def\\b{\\c\\c}\\def\\c{\\d\\d}\\def\\d{\\a\\a}\\a")).toThrow();
    drawn("\\rule{1000000em}{1000000em}");
    expect(cpuMs() - began).toBeLessThan(1_000);
    for (const tex of ["\\cancel{x}", "\\boxed{x}", "\\colorbox{red}{x}", "\\raisebox{1em}{x}", "\\underline{x}", "\\xrightarrow{a}", "\\begin{cases}a&b\\\\c&d\\end{cases}", "\\begin{align}a&=b\\end{align}", "\\color{red}x", "\\text{a b}", "\\nosuch"]) {
      // An inline style would break the page's policy.
      const out = (() => { try { return drawn(tex); } catch { return ""; } })();
      expect(out, tex).not.toMatch(/ style="[^"]*:/);
    }
    expect(drawn("\\rule{1000000em}{1em}")).not.toContain("1000000em\" height");
  });
});

describe("code", () => {
  it("is coloured in the languages that are known, as elements", () => {
    const out = renderToStaticMarkup(createElement("pre", null, highlighted("const a = '<b>';", "js")));
    expect(out).toContain("hljs-keyword");
    expect(out).toContain("&lt;b&gt;");
    expect(highlighted("x", "nosuchlanguage")).toBeUndefined();
  });
});

describe("addresses and lengths", () => {
  it("lead out of the page or nowhere", () => {
    expect(safeLink("https://a.b/c")).toBe("https://a.b/c");
    expect(safeLink("mailto:a@b.c")).toBe("mailto:a@b.c");
    for (const url of ["javascript:x", " javascript:x", "data:x", "/api/v1/keys", "#/x", "file:///etc/passwd", "", undefined]) expect(safeLink(url)).toBeUndefined();
  });
  it("do not cut through a letter", () => {
    expect(clipped("a😀b", 2)).toBe("a");
    expect(clipped("a😀b", 3)).toBe("a😀");
  });
});
