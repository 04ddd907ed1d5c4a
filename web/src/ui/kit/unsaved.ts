// What somebody typed is not lost by a click elsewhere: leaving asks first.

import { useEffect, useRef } from "react";
import { common } from "@/words/common";
import { wordsNow } from "@/words/words";

const pathOf = (hash: string) => hash.split("?")[0] ?? "";

/** Asks while `dirty`, when the address changes to another view or the tab is closed. Call what it gives back before leaving on purpose. */
export function useUnsaved(dirty: boolean): () => void {
  const state = useRef({ dirty, let: false });
  state.current.dirty = dirty;
  useEffect(() => {
    const own = location.hash;
    let last = own;
    const asks = () => state.current.dirty && !state.current.let;
    const moved = (e: Event) => {
      if (pathOf(location.hash) === pathOf(own)) {
        last = location.hash;
        return;
      }
      if (!asks()) return;
      if (window.confirm(wordsNow(common).unsaved)) {
        state.current.let = true;
        return;
      }
      // The frame has not heard of the new address yet: this listener comes before its own.
      e.stopImmediatePropagation();
      history.pushState(null, "", last);
    };
    // A link is asked about before it is followed: once the address has changed, any render shows the other view.
    const clicked = (e: MouseEvent) => {
      const link = e.target instanceof Element ? e.target.closest<HTMLAnchorElement>('a[href^="#"]') : null;
      if (!link || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || pathOf(link.hash) === pathOf(own) || !asks()) return;
      if (window.confirm(wordsNow(common).unsaved)) {
        state.current.let = true;
        return;
      }
      e.preventDefault();
      e.stopPropagation();
    };
    const closing = (e: BeforeUnloadEvent) => { if (asks()) e.preventDefault(); };
    window.addEventListener("click", clicked, { capture: true });
    window.addEventListener("popstate", moved, { capture: true });
    window.addEventListener("hashchange", moved, { capture: true });
    window.addEventListener("beforeunload", closing);
    return () => {
      window.removeEventListener("click", clicked, { capture: true });
      window.removeEventListener("popstate", moved, { capture: true });
      window.removeEventListener("hashchange", moved, { capture: true });
      window.removeEventListener("beforeunload", closing);
    };
  }, []);
  return () => { state.current.let = true; };
}
