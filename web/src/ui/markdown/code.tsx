// Code from a model: scrolls in itself, is copied with a button, is coloured when it is complete, and no more of it is
// drawn at once than can be read.

import { memo, useEffect, useMemo, useState, type ReactNode } from "react";
import { Copy } from "@/ui/copy";
import { count } from "@/ui/format";
import { clipped, visible } from "@/ui/safe-text";
import { dict, useWords } from "@/words/words";
import { highlighter, useLazy } from "./lazy";
import { mayParse, timed, whenIdle } from "./turns";

const words = dict({
  en: { copy: "Copy the code", all: (n: number) => `Show all ${count(n)} lines`, rest: "Show all of it", above: (n: number) => `${count(n)} lines above`, code: "Code" },
  zh: { copy: "复制代码", all: (n: number) => `显示全部 ${count(n)} 行`, rest: "显示全部", above: (n: number) => `上方还有 ${count(n)} 行`, code: "代码" },
});

const LINES_MAX = 200;
const LETTERS_MAX = 24_000;
// Lines of a text that still grows, drawn in parts of which only the last changes.
const PART_LINES = 40;

function useColours(text: string, lang: string, off: boolean): ReactNode | undefined {
  const known = useLazy(highlighter, !off && lang !== "");
  const [coloured, setColoured] = useState<{ text: string; node: ReactNode }>();
  useEffect(() => {
    if (!known || off) return;
    const run = () => setColoured({ text, node: timed(() => known.highlighted(text, lang)) });
    if (mayParse() && text.length < 2_000) {
      run();
      return;
    }
    return whenIdle(run);
  }, [known, off, text, lang]);
  return coloured?.text === text ? coloured.node : undefined;
}

const Part = memo(function Part({ text }: { text: string }) {
  return <span className="code-part">{visible(text)}</span>;
});

function Growing({ text }: { text: string }) {
  const w = useWords(words);
  const lines = text.split("\n");
  // Whole parts only, so that those above stay what they are.
  const from = Math.max(0, Math.floor((lines.length - LINES_MAX) / PART_LINES)) * PART_LINES;
  const parts: ReactNode[] = [];
  for (let at = from; at < lines.length; at += PART_LINES) {
    const last = at + PART_LINES >= lines.length;
    parts.push(<Part key={at} text={clipped(lines.slice(at, at + PART_LINES).join("\n") + (last ? "" : "\n"), LETTERS_MAX)} />);
  }
  return <>{from > 0 && <span className="code-more">{w.above(from)}{"\n"}</span>}{parts}</>;
}

/** The first lines; how many there are; whether that is all. */
function firstLines(text: string, all: boolean): { text: string; lines: number; cut: boolean } {
  const lines = text.split("\n");
  if (all) return { text, lines: lines.length, cut: false };
  const some = clipped(lines.length > LINES_MAX ? lines.slice(0, LINES_MAX).join("\n") : text, LETTERS_MAX);
  return { text: some, lines: lines.length, cut: some.length < text.length };
}

export const CodeBlock = memo(function CodeBlock({ text, lang, open }: { text: string; lang: string; open: boolean }) {
  const w = useWords(words);
  const [all, setAll] = useState(false);
  const first = useMemo(() => (open ? { text, lines: 0, cut: false } : firstLines(text, all)), [text, all, open]);
  const language = /^[\w+#.-]{1,20}$/.test(lang) ? lang : "";
  const shown = useMemo(() => (open ? "" : visible(first.text)), [open, first]);
  const colours = useColours(shown, language.toLowerCase(), open || shown.length > LETTERS_MAX);
  return (
    <div className="code-block" data-testid="code">
      <div className="code-bar"><span className="mono">{language}</span>{!open && <Copy text={() => text} label={w.copy} className="quiet" />}</div>
      <pre tabIndex={0} role="group" aria-label={language ? `${w.code} ${language}` : w.code} dir="ltr"><code>{open ? <Growing text={text} /> : colours ?? shown}</code></pre>
      {first.cut && <button type="button" className="small" onClick={() => setAll(true)}>{first.lines > LINES_MAX ? w.all(first.lines) : w.rest}</button>}
    </div>
  );
});
