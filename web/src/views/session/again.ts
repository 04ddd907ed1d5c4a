// What is read over HTTP beside the events: read again when they tell that it may be another, but not with each of them.

import { useEffect, useRef } from "react";
import { useQueryClient, type QueryKey } from "@tanstack/react-query";
import { useSession } from "@/session/hooks";

const AT_MOST_MS = 1_000;

/** Reads `key` again when `moved` has moved, at most once a second. A replay moves, what the server keeps does not. */
export function useAgain(key: QueryKey, moved: string): void {
  const queries = useQueryClient();
  const isLive = useSession((s) => s.mode === "live");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const seen = useRef(moved);
  const wanted = useRef(key);
  wanted.current = key;
  useEffect(() => {
    if (seen.current === moved || !isLive) return;
    seen.current = moved;
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void queries.invalidateQueries({ queryKey: wanted.current });
    }, AT_MOST_MS);
  }, [moved, isLive, queries]);
  useEffect(() => () => clearTimeout(timer.current), []);
}

/** Moves when a run began or ended, or the session moved. */
export const useRunMoves = (): string => useSession((s) => `${s.view.shape}/${s.view.status}`);
