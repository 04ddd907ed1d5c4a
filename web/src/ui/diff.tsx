// Two texts and what has changed between them, one below the other or side by side. Signs and words tell what was
// added and removed, the colour only helps.

import { Fragment, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { dict, useWords } from "@/words/words";
import { compareTexts, foldRows, type Comparison, type Line, type Row } from "./diff-lines";
import { plural } from "./format";
import "./diff.css";

const words = dict({
  en: {
    changes: "Changes", before: "Before", after: "After", same: "Nothing has changed.",
    added: (n: number) => `${plural(n, "line")} added`, removed: (n: number) => `${plural(n, "line")} removed`,
    folded: (n: number) => plural(n, "unchanged line"), rough: "The texts differ so much that they are compared roughly.",
    more: (n: number) => `Show ${plural(n, "more line")}`, isAdded: "added:", isRemoved: "removed:", layout: "Layout", unified: "One below the other",
    split: "Side by side",
  },
  zh: {
    changes: "更改", before: "之前", after: "之后", same: "没有变化。",
    added: (n: number) => `新增 ${n} 行`, removed: (n: number) => `删除 ${n} 行`,
    folded: (n: number) => `${n} 行未变`, rough: "两段文本差异过大，只作粗略比较。",
    more: (n: number) => `再显示 ${n} 行`, isAdded: "新增：", isRemoved: "删除：", layout: "布局", unified: "上下", split: "并排",
  },
});

export type DiffMode = "unified" | "split";

interface Props {
  before: string;
  after: string;
  /** Fixed; without it there is a switch, and what was chosen is remembered. */
  mode?: DiffMode;
  beforeLabel?: string;
  afterLabel?: string;
}

const KEY = "sluice.diff";
// So many rows are drawn at once; the rest on demand.
const CHUNK = 300;
// Narrower than this, two columns are two strips.
const SPLIT_PX = 560;

function useKeptMode(): [DiffMode, (mode: DiffMode) => void] {
  const [mode, setMode] = useState<DiffMode>(() => (localStorage.getItem(KEY) === "split" ? "split" : "unified"));
  return [mode, (next) => { localStorage.setItem(KEY, next); setMode(next); }];
}

function useIsWide() {
  const box = useRef<HTMLDivElement>(null);
  const [wide, setWide] = useState(true);
  useEffect(() => {
    if (!box.current) return;
    const watch = new ResizeObserver(([entry]) => { if (entry) setWide(entry.contentRect.width >= SPLIT_PX); });
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return { box, wide };
}

export function Diff({ before, after, mode, beforeLabel, afterLabel }: Props) {
  const w = useWords(words);
  const [kept, setKept] = useKeptMode();
  const { box, wide } = useIsWide();
  const [from, to] = [useDeferredValue(before), useDeferredValue(after)];
  const compared = useMemo(() => compareTexts(from, to), [from, to]);
  const shown: DiffMode = wide ? mode ?? kept : "unified";
  return (
    <div className="diff" ref={box} data-mode={shown} data-testid="diff" role="group" aria-label={w.changes}>
      <div className="diff-head">
        <Summary compared={compared} />
        {!mode && wide && (
          <div className="tabs" role="group" aria-label={w.layout}>
            {(["unified", "split"] as const).map((m) => (
              <button key={m} type="button" aria-pressed={kept === m} onClick={() => setKept(m)}>{m === "split" ? w.split : w.unified}</button>
            ))}
          </div>
        )}
      </div>
      {compared.rough && <p className="faint">{w.rough}</p>}
      {compared.added + compared.removed > 0 && (
        <Rows compared={compared} mode={shown} labels={shown === "split" ? [beforeLabel ?? w.before, afterLabel ?? w.after] : undefined} />
      )}
    </div>
  );
}

function Summary({ compared: { added, removed } }: { compared: Comparison }) {
  const w = useWords(words);
  if (!added && !removed) return <p className="faint">{w.same}</p>;
  return (
    <p className="diff-summary">
      <span data-kind="added"><span aria-hidden="true">+</span> {w.added(added)}</span>
      <span data-kind="removed"><span aria-hidden="true">−</span> {w.removed(removed)}</span>
    </p>
  );
}

function Rows({ compared, mode, labels }: { compared: Comparison; mode: DiffMode; labels?: [string, string] }) {
  const w = useWords(words);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const [limit, setLimit] = useState(CHUNK);
  const rows = useMemo(() => foldRows(compared.blocks, opened, mode), [compared, opened, mode]);
  return (
    <div className="diff-rows">
      {labels && <div className="diff-pair diff-labels"><strong>{labels[0]}</strong><strong>{labels[1]}</strong></div>}
      {rows.slice(0, limit).map((row) => (
        row.kind === "fold"
          ? <button key={`f${row.at}`} type="button" className="diff-fold" onClick={() => setOpened(new Set([...opened, row.at]))}>{w.folded(row.pairs.length)}</button>
          : <PairRow key={`${row.pair.before?.no ?? ""}/${row.pair.after?.no ?? ""}`} row={row} mode={mode} />
      ))}
      {rows.length > limit && (
        <button type="button" className="diff-fold" onClick={() => setLimit(limit + CHUNK)}>{w.more(Math.min(CHUNK, rows.length - limit))}</button>
      )}
    </div>
  );
}

function PairRow({ row: { pair, same }, mode }: { row: Extract<Row, { kind: "pair" }>; mode: DiffMode }) {
  const side = (line: Line | undefined, kind: "removed" | "added") => <Side line={line} kind={same ? "same" : kind} />;
  if (mode === "unified") return same || pair.after ? side(pair.after, "added") : side(pair.before, "removed");
  return <div className="diff-pair">{side(pair.before, "removed")}{side(pair.after, "added")}</div>;
}

const SIGNS = { same: "", added: "+", removed: "−" };

function Side({ line, kind }: { line?: Line; kind: "same" | "added" | "removed" }) {
  const w = useWords(words);
  if (!line) return <div className="diff-line" data-kind="none" />;
  const text = line.parts.map((part, i) => (part.marked ? <mark key={i}>{part.text}</mark> : <Fragment key={i}>{part.text}</Fragment>));
  return (
    <div className="diff-line" data-kind={kind}>
      <span className="diff-no" aria-hidden="true">{line.no}</span>
      <span className="diff-sign" aria-hidden="true">{SIGNS[kind]}</span>
      {kind === "same" ? <span className="diff-text">{text}</span>
        : kind === "added" ? <ins className="diff-text"><span className="sr">{w.isAdded}</span>{text}</ins>
          : <del className="diff-text"><span className="sr">{w.isRemoved}</span>{text}</del>}
    </div>
  );
}
