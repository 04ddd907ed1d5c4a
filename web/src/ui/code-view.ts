// CodeMirror, with what the page needs of it. A chunk of its own (ui/code.tsx loads it).

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { Annotation, EditorState, Transaction, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { CodeProblem } from "./code";

export interface CodeView { setValue: (text: string) => void; setProblems: (problems: readonly CodeProblem[]) => void; close: () => void }

interface Options { value: string; language: "yaml" | "json" | "text"; readOnly?: boolean; label: string; onChange: (text: string) => void }

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", color: "var(--ink)", backgroundColor: "var(--surface)" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--ink-3)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent-soft) 45%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "7px", maxWidth: "420px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warm)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--sunken)", color: "var(--ink-3)", border: "1px solid var(--line)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)", fontWeight: "600" },
  { tag: [tags.string, tags.content], color: "var(--ink)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom], color: "var(--warm)" },
  { tag: tags.comment, color: "var(--ink-3)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.bracket, tags.meta], color: "var(--ink-2)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

const outside = Annotation.define<boolean>();

const languages: Record<Options["language"], () => Extension> = { yaml: () => yaml(), json: () => json(), text: () => [] };

/** What differs between two texts, as one change: the cursor elsewhere stays where it is. */
function changeTo(from: string, to: string): { from: number; to: number; insert: string } {
  let start = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start++;
  let end = 0;
  while (end < from.length - start && end < to.length - start && from[from.length - 1 - end] === to[to.length - 1 - end]) end++;
  return { from: start, to: from.length - end, insert: to.slice(start, to.length - end) };
}

export function openCode(root: ShadowRoot, { value, language, readOnly, label, onChange }: Options): CodeView {
  let telling = false;
  // Once the editor has done with a letter, and before there can be another one.
  const tell = () => {
    if (telling) return;
    telling = true;
    queueMicrotask(() => {
      telling = false;
      onChange(view.state.doc.toString());
    });
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: value,
      extensions: [
        lineNumbers(), foldGutter(), lintGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), highlightActiveLine(), EditorView.lineWrapping,
        syntaxHighlighting(colours), theme, languages[language](), keymap.of([...defaultKeymap, ...historyKeymap]),
        EditorState.readOnly.of(readOnly ?? false), EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", ...(readOnly && { "aria-readonly": "true" }) }),
        EditorView.updateListener.of((u) => {
          if (u.docChanged && !u.transactions.some((t) => t.annotation(outside))) tell();
        }),
      ],
    }),
  });
  return {
    setValue: (text) => {
      const now = view.state.doc.toString();
      // Changes from elsewhere are undone elsewhere.
      if (now !== text) view.dispatch({ changes: changeTo(now, text), annotations: [outside.of(true), Transaction.addToHistory.of(false)] });
    },
    setProblems: (problems) => view.dispatch(setDiagnostics(view.state, problems.map((p): Diagnostic => {
      const line = view.state.doc.line(Math.min(Math.max(1, p.line), view.state.doc.lines));
      return { from: line.from + (/^\s*/.exec(line.text)?.[0].length ?? 0), to: line.to, severity: p.severity, message: p.message };
    }))),
    close: () => view.destroy(),
  };
}
