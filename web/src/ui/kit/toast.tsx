// A word about what was just done; failures of forms stand at the form, not here.

import { useSyncExternalStore } from "react";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";

interface Toast { id: number; text: string; tone: "good" | "bad" }

const SHOWN_MS = 6_000;
let toasts: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function set(next: Toast[]): void {
  toasts = next;
  for (const fn of listeners) fn();
}

const dismiss = (id: number) => set(toasts.filter((t) => t.id !== id));

export function toast(text: string, tone: "good" | "bad" = "good"): void {
  const id = ++last;
  set([...toasts.slice(-2), { id, text, tone }]);
  // What went wrong stays until it was read.
  if (tone === "good") setTimeout(() => dismiss(id), SHOWN_MS);
}

const subscribe = (fn: () => void) => {
  listeners.add(fn);
  return () => void listeners.delete(fn);
};

export function Toasts() {
  const c = useWords(common);
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((t) => (
        <div key={t.id} className="toast" data-tone={t.tone}>
          <Icon name={t.tone === "good" ? "check" : "warn"} /><p>{t.text}</p>
          <button type="button" className="quiet square small" aria-label={c.dismiss} onClick={() => dismiss(t.id)}><Icon name="close" size={13} /></button>
        </div>
      ))}
    </div>
  );
}
