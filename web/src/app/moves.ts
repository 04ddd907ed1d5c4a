import { useEffect, useState } from "react";
import { useApp } from "./context";

const APART_MS = 500;

/** Goes up when a session moved, at most twice a second: for what hangs on sessions and is read again. */
export function useMoves(): number {
  const { list } = useApp();
  const [moves, setMoves] = useState(() => list.get().moves);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const leave = list.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setMoves(list.get().moves);
      }, APART_MS);
    });
    return () => {
      clearTimeout(timer);
      leave();
    };
  }, [list]);
  return moves;
}
