// Keys. A view says what its keys do while it is on the screen; "?" lists them all. Keys typed into a field are
// the field's, and so are those with Ctrl, Alt or Meta unless a view asks for them ("ctrl+z").

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { common } from "@/words/common";
import { dict, useWords } from "@/words/words";

export interface Shortcut {
  /** "p", "?", "ArrowDown", "shift+ArrowDown", "g s" (one after the other), "ctrl+z" (Ctrl or Command). */
  keys: string;
  what: string;
  run: () => void;
  /** Also while a field has the focus. */
  inFields?: boolean;
}

const layers: { current: Shortcut[] }[] = [];
const listeners = new Set<() => void>();
let helpOpen = false;
let snapshot: Shortcut[] = [];
let prefix = "";
let prefixTimer: ReturnType<typeof setTimeout> | undefined;

function changed(): void {
  snapshot = layers.flatMap((l) => l.current);
  for (const fn of listeners) fn();
}

const isField = (el: EventTarget | null) =>
  el instanceof HTMLElement && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));

function nameOf(e: KeyboardEvent): string {
  if (e.ctrlKey || e.metaKey) return `ctrl+${e.shiftKey ? "shift+" : ""}${e.key.toLowerCase()}`;
  // Of a letter, Shift makes another key by itself.
  return e.shiftKey && e.key.startsWith("Arrow") ? `shift+${e.key}` : e.key;
}

// Space and Enter on a button are the button's.
const isPressed = (e: KeyboardEvent) =>
  (e.key === " " || e.key === "Enter") && e.target instanceof Element && e.target.closest("button, a, summary, [role=button], [role=tab]") !== null;

function onKey(e: KeyboardEvent): void {
  if (e.defaultPrevented || e.altKey || e.isComposing || isPressed(e) || document.querySelector("dialog[open]:modal")) return;
  const key = nameOf(e);
  // Of a field in a shadow root (ui/code.tsx), e.target is only the root's host.
  const inField = isField(e.composedPath()[0] ?? e.target);
  const all = layers.flatMap((l) => l.current).reverse();
  const fits = (s: Shortcut, keys: string) => s.keys === keys && (!inField || s.inFields);
  const hit = (prefix && all.find((s) => fits(s, `${prefix} ${key}`))) || all.find((s) => fits(s, key));
  clearTimeout(prefixTimer);
  prefix = "";
  if (hit) {
    e.preventDefault();
    hit.run();
  } else if (!inField && all.some((s) => s.keys.startsWith(`${key} `))) {
    prefix = key;
    prefixTimer = setTimeout(() => { prefix = ""; }, 1200);
  }
}

/** Keys for as long as the component is there. The list may be built anew with each render. */
export function useShortcuts(list: Shortcut[]): void {
  const layer = useRef({ current: list });
  const told = list.map((s) => `${s.keys}=${s.what}`).join("\n");
  layer.current.current = list;
  useEffect(() => {
    const mine = layer.current;
    layers.push(mine);
    if (layers.length === 1) window.addEventListener("keydown", onKey);
    return () => {
      layers.splice(layers.indexOf(mine), 1);
      if (layers.length === 0) window.removeEventListener("keydown", onKey);
      changed();
    };
  }, []);
  useEffect(changed, [told]);
}

const words = dict({
  en: { title: "Keys", show: "Show the keys" },
  zh: { title: "快捷键", show: "显示快捷键" },
});

const ARROWS: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
const keyName = (key: string) =>
  key.replace("ctrl+", "Ctrl + ").replace("shift+", "Shift + ").replace(/Arrow\w+/, (arrow) => ARROWS[arrow] ?? arrow);

const subscribe = (fn: () => void) => {
  listeners.add(fn);
  return () => void listeners.delete(fn);
};

export function openShortcutHelp(): void {
  helpOpen = true;
  changed();
}

export function ShortcutHelp() {
  const w = useWords(words);
  const c = useWords(common);
  const [open, setOpen] = useState(false);
  const all = useSyncExternalStore(subscribe, () => snapshot);
  const dialog = useRef<HTMLDialogElement>(null);
  useShortcuts([{ keys: "?", what: w.show, run: openShortcutHelp }]);
  useEffect(() => subscribe(() => { if (helpOpen) { helpOpen = false; setOpen(true); } }), []);
  useEffect(() => { if (open) dialog.current?.showModal(); }, [open]);
  if (!open) return null;
  return (
    <dialog ref={dialog} className="shortcut-help" aria-labelledby="shortcuts-title" onClose={() => setOpen(false)}>
      <h2 id="shortcuts-title">{w.title}</h2>
      <dl>
        {all.map((s) => (
          <div key={s.keys + s.what}><dt>{(s.keys === " " ? ["Space"] : s.keys.split(" ")).map((k, i) => <kbd key={i}>{keyName(k)}</kbd>)}</dt><dd>{s.what}</dd></div>
        ))}
      </dl>
      <form method="dialog" className="dialog-actions"><button type="submit">{c.close}</button></form>
    </dialog>
  );
}
