// What somebody typed is not lost by a click elsewhere: leaving asks first.

import { useEffect, useRef } from "react";
import { setGuard } from "@/app/route";
import { common } from "@/words/common";
import { wordsNow } from "@/words/words";

const pathOf = (hash: string) => hash.split("?")[0] ?? "";

/** Asks while `dirty`, when the address changes to another view or the tab is closed. Call what it gives back before leaving on purpose. */
export function useUnsaved(dirty: boolean): () => void {
  const state = useRef({ dirty, let: false });
  state.current.dirty = dirty;
  useEffect(() => {
    const own = pathOf(location.hash);
    const asks = () => state.current.dirty && !state.current.let;
    setGuard((next) => {
      if (pathOf(next) === own || !asks()) return true;
      state.current.let = window.confirm(wordsNow(common).unsaved);
      return state.current.let;
    });
    const closing = (e: BeforeUnloadEvent) => { if (asks()) e.preventDefault(); };
    window.addEventListener("beforeunload", closing);
    return () => {
      setGuard(undefined);
      window.removeEventListener("beforeunload", closing);
    };
  }, []);
  return () => { state.current.let = true; };
}
