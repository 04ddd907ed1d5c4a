import { useSyncExternalStore } from "react";

const PHONE = "(max-width: 860px)";

const subscribe = (fn: () => void) => {
  const list = window.matchMedia(PHONE);
  list.addEventListener("change", fn);
  return () => list.removeEventListener("change", fn);
};

/** One pane at a time: the width at which kit.css and page.css change over, too. */
export const useIsPhone = (): boolean => useSyncExternalStore(subscribe, () => window.matchMedia(PHONE).matches);
