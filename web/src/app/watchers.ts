// Who watches a session, as the server tells it to those who read it.

import { useSyncExternalStore } from "react";
import type { Watching } from "@sluice/client";

const NOBODY: Watching = { count: 0, names: [] };
const bySession = new Map<string, Watching>();
const listeners = new Set<() => void>();

/** undefined: it is not known. */
export function setWatchers(sessionId: string, watching: Watching | undefined): void {
  if (watching) bySession.set(sessionId, watching);
  else if (!bySession.delete(sessionId)) return;
  for (const fn of listeners) fn();
}

const subscribe = (fn: () => void) => {
  listeners.add(fn);
  return () => void listeners.delete(fn);
};

/** count: places from which it is watched, this one included; 0 while it is not known. names: of those who have a key
 *  or a token, each once. */
export const useWatchers = (sessionId: string): Watching => useSyncExternalStore(subscribe, () => bySession.get(sessionId) ?? NOBODY);
