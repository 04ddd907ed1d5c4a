// Outputs and messages of two sessions beside each other, or as what has changed.

import { useMemo } from "react";
import type { Json } from "@sluice/client";
import { nodeName, outputText, pretty } from "@/ui/format";
import { Diff } from "@/ui/diff";
import { Icon } from "@/ui/icons";
import { Markdown } from "@/ui/markdown";
import { useWords } from "@/words/words";
import { pairMessages, type MessagePair, type Side } from "./logic";
import { compareWords } from "./words";

export type TextMode = "beside" | "changes";

export function ModeSwitch({ mode, onMode }: { mode: TextMode; onMode: (mode: TextMode) => void }) {
  const w = useWords(compareWords);
  return (
    <div className="tabs" role="group" aria-label={w.parts}>
      <button type="button" aria-pressed={mode === "beside"} onClick={() => onMode("beside")}>{w.sideBySide}</button>
      <button type="button" aria-pressed={mode === "changes"} onClick={() => onMode("changes")} data-testid="mode-changes">{w.changes}</button>
    </div>
  );
}

function Column({ label, text, isPlain }: { label: string; text?: string; isPlain: boolean }) {
  const w = useWords(compareWords);
  return (
    <div className="beside-column" role="group" aria-label={label}>
      <p className="beside-label">{label}</p>
      {text === undefined ? <p className="faint">{w.absent}</p> : isPlain ? <pre tabIndex={0}>{text}</pre> : <div className="prose"><Markdown text={text} streaming={false} /></div>}
    </div>
  );
}

function Beside({ a, b, isPlain }: { a?: string; b?: string; isPlain: boolean }) {
  const w = useWords(compareWords);
  return <div className="beside"><Column label={w.first} text={a} isPlain={isPlain} /><Column label={w.second} text={b} isPlain={isPlain} /></div>;
}

const textOf = (value: Json | undefined): string | undefined => (value === undefined || value === null ? undefined : outputText(value) ?? pretty(value));

export function Outputs({ a, b, mode }: { a: Side; b: Side; mode: TextMode }) {
  const w = useWords(compareWords);
  const [textA, textB] = [textOf(a.session.output), textOf(b.session.output)];
  if (textA === undefined && textB === undefined) return <p className="hint">{w.noOutput}</p>;
  const isPlain = [a, b].some((s) => s.session.output !== undefined && s.session.output !== null && outputText(s.session.output) === null);
  return (
    <div className="stack" data-testid="compare-output">
      {textA === textB && <p className="hint">{w.outputSame}</p>}
      {mode === "changes" && textA !== textB ? <Diff before={textA ?? ""} after={textB ?? ""} beforeLabel={w.first} afterLabel={w.second} mode="split" /> : <Beside a={textA} b={textB} isPlain={isPlain} />}
    </div>
  );
}

function Pair({ pair, a, b, mode }: { pair: MessagePair; a: Side; b: Side; mode: TextMode }) {
  const w = useWords(compareWords);
  const node = a.workflow?.nodes?.[pair.nodeId] ?? b.workflow?.nodes?.[pair.nodeId];
  const same = pair.a?.content === pair.b?.content;
  const both = pair.a !== undefined && pair.b !== undefined;
  return (
    <details className="card pair" open={!same} data-node={pair.nodeId}>
      <summary>
        <Icon name={node?.type ?? "node"} size={14} /><strong>{nodeName(pair.nodeId, node)}</strong><span className="faint">{w.nth(pair.nth)}</span>
        <span className="chip" data-tone={same ? "good" : "warm"}>{same ? w.equal : both ? w.differs : w.onlyIn(pair.a ? w.first : w.second)}</span>
      </summary>
      {mode === "changes" && both && !same
        ? <Diff before={pair.a?.content ?? ""} after={pair.b?.content ?? ""} beforeLabel={w.first} afterLabel={w.second} mode="split" />
        : <Beside a={pair.a?.content} b={pair.b?.content} isPlain={false} />}
    </details>
  );
}

export function Messages({ a, b, mode }: { a: Side; b: Side; mode: TextMode }) {
  const w = useWords(compareWords);
  const pairs = useMemo(() => pairMessages(a.messages, b.messages), [a, b]);
  if (!pairs.length) return <p className="hint">{w.noMessages}</p>;
  return <div className="stack" data-testid="compare-messages">{pairs.map((p) => <Pair key={`${p.nodeId}/${p.nth}`} pair={p} a={a} b={b} mode={mode} />)}</div>;
}
