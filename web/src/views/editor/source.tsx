// The workflow as text beside its graph. Either follows the other; a text that cannot be read changes nothing.

import { useEffect, useRef, useState } from "react";
import type { Json } from "@sluice/client";
import { Icon } from "@/ui/icons";
import { Code, type CodeProblem } from "@/ui/code";
import { useWords } from "@/words/words";
import { useChecks, useEditor, useTools } from "./context";
import { flowOf, same, type Flow } from "./model";
import { placeInText, readText, updateText } from "./text";
import { words } from "./words";

type Language = "yaml" | "json";

export default function Source({ language }: { language: Language }) {
  const w = useWords(words);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const { problems } = useChecks();
  const [text, setText] = useState(() => updateText(kept.get(store)?.[language] ?? "", flow, language));
  // What the text says; while it says nothing that can be read, what it said last.
  const said = useRef<Flow>(flow);
  const [syntax, setSyntax] = useState<CodeProblem[]>([]);
  useEffect(() => {
    if (flow === said.current || same(flow, said.current)) return;
    said.current = flow;
    setText((was) => updateText(was, flow, language));
    setSyntax([]);
  }, [flow, language]);
  // Comments live as long as the editor does, not only as long as its text is shown.
  useEffect(() => { if (!syntax.length) kept.set(store, { ...kept.get(store), [language]: text }); }, [store, language, text, syntax]);
  const type = (next: string) => {
    setText(next);
    const read = readText(next, language);
    if (read.problems.length) return setSyntax(read.problems);
    const value = flowOf(read.value as Json);
    if (!value) return setSyntax([{ line: 1, message: w.notWorkflow, severity: "error" }]);
    setSyntax([]);
    if (same(value, said.current)) return;
    said.current = value;
    store.run(() => value, { key: `text/${language}` });
  };
  const marks = syntax.length ? syntax : problems.flatMap((p): CodeProblem[] => {
    const line = placeInText(text, p.path, language);
    return line === undefined ? [] : [{ line, message: p.message, severity: p.severity }];
  });
  return (
    <div className="source" data-testid="source">
      {syntax[0] && <p className="banner" data-tone="bad" role="alert"><Icon name="warn" />{w.syntax} {w.line(syntax[0].line)}: {syntax[0].message}</p>}
      <Code value={text} onChange={type} language={language} problems={marks} label={w.textOf(language === "yaml" ? w.yaml : w.json)} />
    </div>
  );
}

const kept = new WeakMap<object, Partial<Record<Language, string>>>();
