// Formulas, laid out by the browser: KaTeX makes MathML elements, no fonts, no style sheet, no HTML text.
// A chunk of its own; see lazy.ts.

import katex from "katex";
import remarkMath from "remark-math";
import type { PluggableList } from "unified";

const TEX_MAX = 2_000;

export const mathsPlugins: PluggableList = [[remarkMath, { singleDollarTextMath: false }]];

// Nothing that a formula says may load, link, or grow without end. What is no formula is thrown, for KaTeX would show it
// with an inline style, which the page's policy forbids.
export const KATEX = { output: "mathml", throwOnError: true, strict: "ignore", trust: false, maxSize: 20, maxExpand: 200 } as const;

/** Fills `box` with the formula; false: it is none, or too much of one. */
export function drawFormula(box: HTMLElement, tex: string, display: boolean): boolean {
  if (tex.length > TEX_MAX) return false;
  try {
    katex.render(tex, box, { ...KATEX, displayMode: display });
    return true;
  } catch {
    return false;
  }
}
