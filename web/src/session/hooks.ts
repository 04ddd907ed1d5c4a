import { createContext, useContext, useRef, useSyncExternalStore } from "react";
import type { SessionSource, SessionState } from "./store";

export const StoreContext = createContext<SessionSource | null>(null);

export function useStore(): SessionSource {
  const store = useContext(StoreContext);
  if (!store) throw new Error("no session here");
  return store;
}

/** A part of the session's state; the component renders again only when that part is another object. */
export function useSession<T>(select: (state: SessionState) => T): T {
  const store = useStore();
  return useSyncExternalStore(store.subscribe, () => select(store.get()));
}

/** The same for a part that is built anew each time: compared element by element. */
export function useSessionList<T>(select: (state: SessionState) => T[]): T[] {
  const store = useStore();
  const last = useRef<T[]>([]);
  return useSyncExternalStore(store.subscribe, () => {
    const next = select(store.get());
    if (next.length !== last.current.length || next.some((v, i) => v !== last.current[i])) last.current = next;
    return last.current;
  });
}

const numbers = new WeakMap<object, Map<string, number>>();

/** Which of the workflow's nodes it is, counted from 0: counted once for a workflow, not for each row. */
export function useNodeNumber(id: string): number {
  const nodes = useSession((s) => s.workflow?.nodes ?? s.view.nodes);
  let known = numbers.get(nodes);
  if (!known) numbers.set(nodes, known = new Map(Object.keys(nodes).map((n, i) => [n, i])));
  return known.get(id) ?? 0;
}
