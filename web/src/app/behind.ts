// What the page knows to be old while it is connected: a session whose events are still coming in, what was read
// before an absence and is being read again. Shorter than a blink it is told to nobody.

const BLINK_MS = 300;
const behind = new Set<string>();
const listeners = new Set<() => void>();
let shown = false;
let timer: ReturnType<typeof setTimeout> | undefined;

function show(is: boolean): void {
  clearTimeout(timer);
  timer = undefined;
  if (is === shown) return;
  shown = is;
  for (const fn of listeners) fn();
}

export function setBehind(what: string, is: boolean): void {
  if (is) behind.add(what);
  else behind.delete(what);
  if (behind.size === 0) show(false);
  else if (!shown) timer ??= setTimeout(() => show(true), BLINK_MS);
}

export const isBehind = (): boolean => shown;

export const onBehind = (fn: () => void): (() => void) => {
  listeners.add(fn);
  return () => void listeners.delete(fn);
};
