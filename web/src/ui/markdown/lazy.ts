// What only some texts need, loaded when the first of them is shown. Until it is there the text stands without.

import { useEffect, useSyncExternalStore } from "react";

interface Lazy<T> { get: () => T | undefined; subscribe: (fn: () => void) => () => void; load: () => void }

function lazily<T>(load: () => Promise<T>): Lazy<T> {
  const listeners = new Set<() => void>();
  let value: T | undefined;
  let begun = false;
  return {
    get: () => value,
    subscribe: (fn) => {
      listeners.add(fn);
      return () => void listeners.delete(fn);
    },
    load: () => {
      if (begun) return;
      begun = true;
      load().then((loaded) => {
        value = loaded;
        for (const fn of listeners) fn();
      }, () => { begun = false; }); // the connection is gone: the next text tries again
    },
  };
}

export const maths = lazily(() => import("./maths"));
export const highlighter = lazily(() => import("./highlight"));

const never = () => () => {};

/** The module, once it is there; asks for it if it is needed. */
export function useLazy<T>(lazy: Lazy<T>, needed: boolean): T | undefined {
  const value = useSyncExternalStore(needed ? lazy.subscribe : never, lazy.get, lazy.get);
  useEffect(() => {
    if (needed) lazy.load();
  }, [lazy, needed]);
  return needed ? value : undefined;
}
