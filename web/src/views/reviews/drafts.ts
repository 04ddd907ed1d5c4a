// What somebody has typed and not sent, kept in this browser by question: a reload, a crash or a look at another
// session loses nothing. It goes when the answer was taken, or after two weeks.

import { useCallback, useEffect, useRef, useState } from "react";

export interface Kept { at: number; fields: Record<string, unknown> }

/** The part of Storage that is used. */
export interface Shelf {
  readonly length: number;
  key(i: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const PREFIX = "sluice.draft.";
const KEEP_MS = 14 * 86_400_000;
const WRITE_MS = 250;

export function readDraft(shelf: Shelf, id: string): Kept | undefined {
  try {
    const kept = JSON.parse(shelf.getItem(PREFIX + id) ?? "null") as Kept | null;
    return kept && typeof kept === "object" && typeof kept.fields === "object" && kept.fields ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** Kept, or put away when nothing is left of it. false: there is no room. */
export function writeDraft(shelf: Shelf, id: string, fields: Record<string, unknown>, now = Date.now()): boolean {
  const filled = Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined && v !== ""));
  if (!Object.keys(filled).length) {
    shelf.removeItem(PREFIX + id);
    return true;
  }
  const text = JSON.stringify({ at: now, fields: filled } satisfies Kept);
  for (const attempt of [0, 1]) {
    try {
      shelf.setItem(PREFIX + id, text);
      return true;
    } catch {
      if (attempt === 0) dropOld(shelf, 0, now, PREFIX + id);
    }
  }
  return false;
}

/** Takes away what is older than that. */
export function dropOld(shelf: Shelf, keepMs = KEEP_MS, now = Date.now(), except = ""): void {
  const keys = Array.from({ length: shelf.length }, (_, i) => shelf.key(i)).filter((k): k is string => k?.startsWith(PREFIX) ?? false);
  for (const key of keys) {
    const kept = readDraft(shelf, key.slice(PREFIX.length));
    if (key !== except && (!kept || now - kept.at > keepMs)) shelf.removeItem(key);
  }
}

export interface Draft<T> {
  fields: Partial<T>;
  set: (change: Partial<T>) => void;
  clear: () => void;
  /** It was here before this page was opened. */
  restored: boolean;
}

/** The fields of one question's draft. */
export function useDraft<T extends object>(id: string): Draft<T> {
  const [first] = useState(() => readDraft(localStorage, id)?.fields as Partial<T> | undefined);
  const [fields, setFields] = useState<Partial<T>>(first ?? {});
  const [restored, setRestored] = useState(Boolean(first));
  const latest = useRef<Partial<T>>(fields);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const flush = useCallback(() => {
    if (timer.current === undefined) return;
    clearTimeout(timer.current);
    timer.current = undefined;
    writeDraft(localStorage, id, latest.current as Record<string, unknown>);
  }, [id]);
  useEffect(() => {
    dropOld(localStorage);
    window.addEventListener("pagehide", flush);
    return () => {
      window.removeEventListener("pagehide", flush);
      flush();
    };
  }, [flush]);
  const set = useCallback((change: Partial<T>) => {
    latest.current = { ...latest.current, ...change };
    setFields(latest.current);
    clearTimeout(timer.current);
    timer.current = setTimeout(flush, WRITE_MS);
  }, [flush]);
  const clear = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = undefined;
    latest.current = {};
    setFields({});
    setRestored(false);
    localStorage.removeItem(PREFIX + id);
  }, [id]);
  return { fields, set, clear, restored };
}
