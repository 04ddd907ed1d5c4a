// The editor's keys, and the clipboard: nodes are copied as JSON, so that they can be carried to another workflow.

import { useEffect } from "react";
import { useShortcuts } from "@/app/shortcuts";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { useTools } from "./context";
import { linksOf } from "./links";
import { removeLinks } from "./arrows";
import { copiedNodes, copyText } from "./clipboard";
import { idsOf } from "./model";
import { duplicate, pasteNodes, removeNodes } from "./ops";
import type { EditorStore } from "./store";
import { words } from "./words";

interface Deeds { save: () => void; run: () => void; connect: (from: string) => void; find: () => void }

export function removeSelected(store: EditorStore): void {
  const { flow, selection } = store.get();
  const { link, nodes } = selection;
  if (link) removeLinks(store, linksOf(flow).filter((l) => l.from === link.from && l.to === link.to));
  else if (nodes.length) store.run((f) => removeNodes(f, nodes), { select: [] });
}

export function duplicateSelected(store: EditorStore): void {
  const { flow, selection } = store.get();
  const made = duplicate(flow, selection.nodes);
  if (made.ids.length) store.run(() => made.flow, { select: made.ids });
}

const inText = () => {
  const at = document.activeElement;
  return at instanceof HTMLElement && (/^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) || at.isContentEditable || at.shadowRoot !== null);
};

function useClipboard(store: EditorStore): void {
  useEffect(() => {
    const busy = () => inText() || document.querySelector("dialog[open]:modal") !== null;
    const copy = (e: ClipboardEvent) => {
      const { flow, selection } = store.get();
      if (busy() || !selection.nodes.length || String(getSelection() ?? "")) return;
      e.clipboardData?.setData("text/plain", copyText(flow, selection.nodes));
      e.preventDefault();
      if (e.type === "cut") removeSelected(store);
    };
    const paste = (e: ClipboardEvent) => {
      const nodes = busy() ? undefined : copiedNodes(e.clipboardData?.getData("text/plain") ?? "");
      if (!nodes) return;
      e.preventDefault();
      const made = pasteNodes(store.get().flow, nodes, true);
      store.run(() => made.flow, { select: made.ids });
    };
    document.addEventListener("copy", copy);
    document.addEventListener("cut", copy);
    document.addEventListener("paste", paste);
    return () => {
      document.removeEventListener("copy", copy);
      document.removeEventListener("cut", copy);
      document.removeEventListener("paste", paste);
    };
  }, [store]);
}

export function useEditorKeys({ save, run, connect, find }: Deeds): void {
  const w = useWords(words);
  const c = useWords(common);
  const { store } = useTools();
  useClipboard(store);
  const remove = () => removeSelected(store);
  useShortcuts([
    { keys: "ctrl+z", what: c.undo, run: store.undo }, { keys: "ctrl+shift+z", what: c.redo, run: store.redo }, { keys: "ctrl+y", what: c.redo, run: store.redo },
    { keys: "ctrl+s", what: w.keySave, run: save, inFields: true }, { keys: "ctrl+Enter".toLowerCase(), what: w.keyRun, run },
    { keys: "a", what: w.keyAdd, run: find },
    { keys: "c", what: w.keyConnect, run: () => { const [id] = store.get().selection.nodes; if (id) connect(id); } },
    { keys: "d", what: w.duplicate, run: () => duplicateSelected(store) },
    { keys: "ctrl+a", what: w.selectAll, run: () => store.select(idsOf(store.get().flow)) },
    { keys: "Delete", what: w.deleteIt, run: remove }, { keys: "Backspace", what: w.deleteIt, run: remove },
  ]);
}
