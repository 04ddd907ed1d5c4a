// What has changed between two texts: lines first, then the words inside of lines that belong together. The time is
// bounded: texts that differ too much for it are told apart roughly, and the result says so.

import { diffArrays, diffWordsWithSpace } from "diff";

export interface Part { text: string; marked: boolean }
export interface Line { no: number; parts: Part[] }
/** One line of each side; a line without a partner was added or removed. */
export interface Pair { before?: Line; after?: Line }
export type Block = { kind: "same"; pairs: Required<Pair>[] } | { kind: "change"; pairs: Pair[] };
export interface Comparison { blocks: Block[]; added: number; removed: number; rough: boolean }

/** What is shown: lines, or the place of lines that are folded away. */
export type Row = { kind: "pair"; pair: Pair; same: boolean } | { kind: "fold"; at: number; pairs: Required<Pair>[] };

const LINES_MS = 250;
const WORDS_MS = 150;
const LONG_LINE = 20_000;
// A line is the same one, changed, when this much of it is still there.
const ALIKE = 0.4;
const MAX_PAIRING = 900;
export const CONTEXT = 3;

const plain = (text: string, no: number): Line => ({ no, parts: [{ text, marked: false }] });
const linesOf = (text: string): string[] => (text === "" ? [] : text.replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n"));

interface Run { before: string[]; after: string[]; same: boolean }

// Runs of equal and of different lines; undefined when it takes too long.
function runsOf(before: string[], after: string[]): { runs: Run[]; rough: boolean } {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const a = before.slice(head, before.length - tail);
  const b = after.slice(head, after.length - tail);
  const changes = a.length && b.length ? diffArrays(a, b, { timeout: LINES_MS }) : undefined;
  const middle: Run[] = [];
  for (const change of changes ?? []) {
    const last = middle[middle.length - 1];
    const same = !change.added && !change.removed;
    if (same) middle.push({ before: change.value, after: change.value, same });
    else if (last && !last.same) (change.added ? last.after : last.before).push(...change.value);
    else middle.push({ before: change.added ? [] : [...change.value], after: change.added ? [...change.value] : [], same });
  }
  if (!changes && (a.length || b.length)) middle.push({ before: a, after: b, same: false });
  const around = (lines: string[]): Run[] => (lines.length ? [{ before: lines, after: lines, same: true }] : []);
  return {
    runs: [...around(before.slice(0, head)), ...middle, ...around(before.slice(before.length - tail))],
    rough: !changes && a.length > 0 && b.length > 0,
  };
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{Script=Han}]|[\p{L}\p{N}]+/gu) ?? [];

function alikeness(a: string[], b: string[]): number {
  if (!a.length || !b.length) return 0;
  const left = new Map<string, number>();
  for (const word of a) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of b) {
    const n = left.get(word) ?? 0;
    if (n) {
      common++;
      left.set(word, n - 1);
    }
  }
  return (2 * common) / (a.length + b.length);
}

/** Which removed line belongs to which added one: the order is kept, and they are as alike as can be. */
export function pairUp(before: string[], after: string[]): [number | undefined, number | undefined][] {
  const n = before.length;
  const m = after.length;
  if (!n || !m || n * m > MAX_PAIRING) return byPlace(n, m);
  const a = before.map(wordsOf);
  const b = after.map(wordsOf);
  const like = a.map((x) => b.map((y) => alikeness(x, y)));
  const best = Array.from({ length: n + 1 }, () => new Array<number>(m + 1).fill(0));
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) {
      const score = like[i]![j]!;
      best[i]![j] = Math.max(best[i + 1]![j]!, best[i]![j + 1]!, score >= ALIKE ? score + best[i + 1]![j + 1]! : 0);
    }
  }
  const pairs: [number | undefined, number | undefined][] = [];
  let i = 0;
  let j = 0;
  while (i < n || j < m) {
    const score = i < n && j < m ? like[i]![j]! : 0;
    if (i < n && j < m && score >= ALIKE && best[i]![j] === score + best[i + 1]![j + 1]!) pairs.push([i++, j++]);
    else if (i < n && (j >= m || best[i]![j] === best[i + 1]![j]!)) pairs.push([i++, undefined]);
    else pairs.push([undefined, j++]);
  }
  return pairs;
}

// Too many to compare each with each: side by side as they come.
const byPlace = (n: number, m: number): [number | undefined, number | undefined][] =>
  Array.from({ length: Math.max(n, m) }, (_, k) => [k < n ? k : undefined, k < m ? k : undefined]);

/** The words of two lines that belong together. Where little is left of a line, the marks would only confuse. */
function markWords(before: string, after: string, until: number): [Part[], Part[]] | undefined {
  const left = until - performance.now();
  if (left <= 0 || before.length + after.length > LONG_LINE) return undefined;
  const changes = diffWordsWithSpace(before, after, { timeout: Math.min(left, 40) });
  if (!changes) return undefined;
  const common = changes.reduce((sum, c) => sum + (c.added || c.removed ? 0 : c.value.trim().length), 0);
  if (common * 3 < Math.min(before.trim().length, after.trim().length)) return undefined;
  const side = (skip: "added" | "removed"): Part[] =>
    changes.filter((c) => !c[skip]).map((c) => ({ text: c.value, marked: c.added || c.removed }));
  return [side("added"), side("removed")];
}

function changed(run: Run, at: [number, number], until: number): Pair[] {
  return pairUp(run.before, run.after).map(([i, j]) => {
    const a = i === undefined ? undefined : run.before[i]!;
    const b = j === undefined ? undefined : run.after[j]!;
    const marks = a !== undefined && b !== undefined ? markWords(a, b, until) : undefined;
    return {
      before: a === undefined ? undefined : { no: at[0] + i!, parts: marks?.[0] ?? plain(a, 0).parts },
      after: b === undefined ? undefined : { no: at[1] + j!, parts: marks?.[1] ?? plain(b, 0).parts },
    };
  });
}

export function compareTexts(before: string, after: string): Comparison {
  const { runs, rough } = runsOf(linesOf(before), linesOf(after));
  const until = performance.now() + WORDS_MS;
  const at: [number, number] = [1, 1];
  const result: Comparison = { blocks: [], added: 0, removed: 0, rough };
  for (const run of runs) {
    if (run.same) {
      result.blocks.push({
        kind: "same", pairs: run.before.map((text, k) => ({ before: plain(text, at[0] + k), after: plain(text, at[1] + k) })),
      });
    } else {
      result.blocks.push({ kind: "change", pairs: changed(run, at, until) });
      result.removed += run.before.length;
      result.added += run.after.length;
    }
    at[0] += run.before.length;
    at[1] += run.after.length;
  }
  return result;
}

/** Blocks as rows: what is far from any change is folded, unless it was opened (by its first line's number). */
export function foldRows(blocks: readonly Block[], opened: ReadonlySet<number>, mode: "unified" | "split", context = CONTEXT): Row[] {
  const rows: Row[] = [];
  for (const [i, block] of blocks.entries()) {
    if (block.kind === "change") {
      rows.push(...(mode === "split" ? block.pairs : apart(block.pairs)).map((pair): Row => ({ kind: "pair", pair, same: false })));
      continue;
    }
    const head = i === 0 ? 0 : context;
    const tail = i === blocks.length - 1 ? 0 : context;
    const { pairs } = block;
    const first = pairs[head]?.before.no ?? 0;
    // To fold one line away would save nothing.
    if (pairs.length <= head + tail + 1 || opened.has(first)) {
      rows.push(...pairs.map((pair): Row => ({ kind: "pair", pair, same: true })));
      continue;
    }
    rows.push(
      ...pairs.slice(0, head).map((pair): Row => ({ kind: "pair", pair, same: true })),
      { kind: "fold", at: first, pairs: pairs.slice(head, pairs.length - tail) },
      ...pairs.slice(pairs.length - tail).map((pair): Row => ({ kind: "pair", pair, same: true })),
    );
  }
  return rows;
}

// One below the other: first what was, then what is.
const apart = (pairs: Pair[]): Pair[] => [
  ...pairs.flatMap((p) => (p.before ? [{ before: p.before }] : [])),
  ...pairs.flatMap((p) => (p.after ? [{ after: p.after }] : [])),
];
