import { createContext, useContext, useSyncExternalStore } from "react";
import type { ReplayState, ReplayStore } from "./store";

export const ReplayContext = createContext<ReplayStore | null>(null);

export function useReplayStore(): ReplayStore {
  const store = useContext(ReplayContext);
  if (!store) throw new Error("no replay here");
  return store;
}

export function useReplay<T>(select: (state: ReplayState) => T): T {
  const store = useReplayStore();
  return useSyncExternalStore(store.subscribe, () => select(store.getReplay()));
}
