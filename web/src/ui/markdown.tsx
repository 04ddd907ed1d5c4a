// Model text as markdown, of any length, complete or under way. See markdown/: what is cut into blocks is settled, what
// a block may cost is bounded, code and maths come in chunks of their own.

import { Component, memo, useEffect, useMemo, useReducer, useRef, useState, type ReactElement, type ReactNode } from "react";
import { count } from "@/ui/format";
import { dict, useWords } from "@/words/words";
import { blocksOf, Splitter, type Block } from "./markdown/blocks";
import { tableOf } from "./markdown/bounds";
import { CodeBlock } from "./markdown/code";
import { maths, useLazy } from "./markdown/lazy";
import { mayHaveMaths } from "./markdown/maths-text";
import { keptTree, parse, parseOnce, Unparsed } from "./markdown/parse";
import { mayParse, whenIdle } from "./markdown/turns";
import { More, PlainText } from "./plain-text";
import { clipped } from "./safe-text";

const FIRST = 60_000;
const MORE = 120_000;
// A text with footnotes is one: the notes stand at its end. Beyond this they are shown where they are.
const WHOLE_MAX = 20_000;
// While a block grows, parsing it again takes at most this share of the time.
const TAIL_REST = 4;
const TAIL_MAX = 16_000;
const TAIL_STEP = 8_000;
const BLOCKS_MAX = 150;
const MORE_PARTS = 10;

const words = dict({
  en: { rows: (n: number) => `Show more rows (${count(n)} left)`, above: "The part above is shown when the message is complete." },
  zh: { rows: (n: number) => `显示更多行（还有 ${count(n)} 行）`, above: "以上部分将在消息完成后显示。" },
});

const Parsed = memo(function Parsed({ text }: { text: string }) {
  const plugins = useLazy(maths, mayHaveMaths(text))?.mathsPlugins;
  const [, again] = useReducer((n: number) => n + 1, 0);
  const tree = keptTree(text, plugins) ?? (mayParse() ? parse(text, plugins) : undefined);
  const missing = tree === undefined;
  useEffect(() => {
    if (!missing) return;
    return whenIdle(() => {
      parse(text, plugins);
      again();
    });
  }, [missing, text, plugins]);
  return tree ?? <Unparsed text={text} />;
});

/** The block under way. When parsing it takes long, it is done less often; the last state is always shown in the end. */
function Tail({ text }: { text: string }) {
  const plugins = useLazy(maths, mayHaveMaths(text))?.mathsPlugins;
  const last = useRef<{ text: string; plugins: typeof plugins; tree: ReactElement; next: number }>(undefined);
  const [, again] = useReducer((n: number) => n + 1, 0);
  const now = performance.now();
  const old = last.current;
  if (!old || ((old.text !== text || old.plugins !== plugins) && (now >= old.next || !text.startsWith(old.text)))) {
    const tree = parseOnce(text, plugins);
    const end = performance.now();
    last.current = { text, plugins, tree, next: end + (end - now) * TAIL_REST };
  }
  const behind = last.current!.text !== text || last.current!.plugins !== plugins;
  const next = last.current!.next;
  useEffect(() => {
    if (!behind) return;
    const timer = setTimeout(again, Math.max(0, next - performance.now()));
    return () => clearTimeout(timer);
  }, [behind, next]);
  return last.current!.tree;
}

function Table({ head, parts, rows }: { head: string; parts: string[][]; rows: number }) {
  const w = useWords(words);
  const [max, setMax] = useState(1);
  // Each part is a table with the same head: a parser that is given all rows at once takes too long.
  const shown = parts.slice(0, max);
  const left = rows - shown.reduce((n, p) => n + p.length, 0);
  return (
    <>
      {shown.map((lines, i) => <Parsed key={i} text={`${head}\n${lines.join("\n")}`} />)}
      {left > 0 && <button type="button" className="small" onClick={() => setMax(max + MORE_PARTS)}>{w.rows(left)}</button>}
    </>
  );
}

const One = memo(function One({ block }: { block: Block }) {
  const table = useMemo(() => (block.kind === "text" && block.text.length > 4_000 ? tableOf(block.text) : undefined), [block]);
  if (block.kind === "code") return <CodeBlock text={block.text} lang={block.lang} open={block.open} />;
  if (table && table.parts.length > 1) return <Table {...table} />;
  return <Parsed text={block.text} />;
});

/** One message must not take the page down, whatever it has found in the parsers. */
class Safe extends Component<{ text: string; children: ReactNode }, { broken: boolean }> {
  state = { broken: false };
  static getDerivedStateFromError() {
    return { broken: true };
  }
  render() {
    return this.state.broken ? <div className="unparsed"><PlainText text={this.props.text} /></div> : this.props.children;
  }
}

const LINK_NAME = /^ {0,3}\[[^\]\n]{1,200}\]:[ \t]*\S/m;
const FOOTNOTE = /^ {0,3}\[\^[^\]\n]{1,200}\]:/gm;

function wholeBlocks(text: string): Block[] {
  // Names of links and footnotes hold for the whole text.
  if (LINK_NAME.test(text) && text.length <= WHOLE_MAX && !/^ {0,3}(```|~~~)/m.test(text)) return [{ kind: "text", text }];
  return blocksOf(text.replace(FOOTNOTE, "\\$&"));
}

function Complete({ text }: { text: string }) {
  const [max, setMax] = useState(FIRST);
  const shown = clipped(text, max);
  const blocks = useMemo(() => wholeBlocks(shown), [shown]);
  return (
    <>
      {blocks.map((b, i) => <One key={i} block={b} />)}
      {shown.length < text.length && <More left={text.length - shown.length} onMore={() => setMax(max + MORE)} />}
    </>
  );
}

function Streaming({ text }: { text: string }) {
  const w = useWords(words);
  const splitter = useRef<Splitter>(undefined);
  if (!splitter.current?.continues(text)) splitter.current = new Splitter();
  const tail = splitter.current.feed(text);
  const { settled } = splitter.current;
  // What nobody reads while it comes: all of it is there in the end.
  const from = Math.max(0, Math.floor((settled.length - BLOCKS_MAX) / BLOCKS_MAX)) * BLOCKS_MAX;
  const cut = Math.max(0, Math.floor((tail.text.length - TAIL_MAX) / TAIL_STEP)) * TAIL_STEP;
  return (
    <>
      {(from > 0 || (cut > 0 && tail.kind === "text")) && <p className="faint">{w.above}</p>}
      {settled.slice(from).map((b, i) => <One key={from + i} block={b} />)}
      {tail.kind === "code" ? <CodeBlock key={settled.length} text={tail.text} lang={tail.lang} open={tail.open} />
        : tail.text.trim() !== "" && <Tail key={settled.length} text={cut ? tail.text.slice(cut) : tail.text} />}
    </>
  );
}

export function Markdown({ text, streaming }: { text: string; streaming: boolean }) {
  return <Safe text={text}>{streaming ? <Streaming text={text} /> : <Complete text={text} />}</Safe>;
}
