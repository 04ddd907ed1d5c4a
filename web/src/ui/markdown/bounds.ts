// What is not given to the parsers: they take quadratic time, or a stack without end, for what no person writes.
// It is shown as the text that it is.

import { clipped } from "@/ui/safe-text";

const BLOCK_MAX = 24_000;
const PARAGRAPH_MAX = 8_000;
const MARKS_MAX = 240;
const NEST_MAX = 12;

const NESTED = new RegExp(`^(?:[ \\t]*(?:>|[-*+]|\\d{1,9}[.)])(?=[ \\t>]|$)){${NEST_MAX},}`, "m");
// Ten levels of lists are indented by less than this.
const INDENTED = /^[ ]{60,}[-*+\d]/m;
// Where a paragraph, a cell or an item begins anew, so do its marks.
const BOUNDARY = /^\s*(?:$|[-*+>|#]|\d{1,9}[.)])/;

export function isTooHard(text: string): boolean {
  if (text.length > BLOCK_MAX || NESTED.test(text) || INDENTED.test(text)) return true;
  let length = 0;
  let marks = 0;
  for (const line of text.split("\n")) {
    if (BOUNDARY.test(line)) length = marks = 0;
    length += line.length;
    if (length > PARAGRAPH_MAX) return true;
    marks += line.match(/[*_~`[<$]+/g)?.length ?? 0;
    if (marks > MARKS_MAX) return true;
  }
  return false;
}

const PART_ROWS = 100;
const PART_LETTERS = 12_000;
const LINE_MAX = 4_000;

/** A block that is one long table: its head, and its rows in parts that are parsed one by one. */
export function tableOf(text: string): { head: string; parts: string[][]; rows: number } | undefined {
  if (!text.startsWith("|")) return undefined;
  const lines = text.trimEnd().split("\n").map((l) => clipped(l, LINE_MAX));
  if (lines.length < 3 || !/^\|[\s:|-]+$/.test(lines[1] ?? "") || !lines.every((l) => l.startsWith("|"))) return undefined;
  const parts: string[][] = [];
  let letters = Infinity;
  for (const line of lines.slice(2)) {
    const part = parts[parts.length - 1];
    if (!part || part.length >= PART_ROWS || letters > PART_LETTERS) {
      parts.push([line]);
      letters = line.length;
    } else {
      part.push(line);
      letters += line.length;
    }
  }
  return { head: lines.slice(0, 2).join("\n"), parts, rows: lines.length - 2 };
}
