// What every part of the editor shares: the document, what the server says about it, and the dialogs.

import { createContext, useContext, useRef, useSyncExternalStore } from "react";
import type { Link } from "./links";
import type { Checks } from "./checks";
import type { Spot } from "./add";
import type { EditorState, EditorStore } from "./store";

export interface EditorTools {
  store: EditorStore;
  /** May it be changed here? Not on a small screen's graph, for example. */
  add: (kind: string, spot?: Spot) => void;
  connectFrom: (from: string, to?: string) => void;
  /** Goes to a node and, in its form, to the field of this path. */
  reveal: (nodeId: string | undefined, path?: string) => void;
}

export const EditorContext = createContext<EditorTools | null>(null);
export const ChecksContext = createContext<Checks | null>(null);

export function useTools(): EditorTools {
  const tools = useContext(EditorContext);
  if (!tools) throw new Error("outside of the editor");
  return tools;
}

export function useChecks(): Checks {
  const checks = useContext(ChecksContext);
  if (!checks) throw new Error("outside of the editor");
  return checks;
}

/** A part of the state; renders again when that part is another one. */
export function useEditor<T>(pick: (state: EditorState) => T): T {
  const { store } = useTools();
  return useSyncExternalStore(store.subscribe, () => pick(store.get()));
}

/** The selected arrow's links: there may be several between the same nodes. */
export const betweenOf = (links: readonly Link[], link: { from: string; to: string } | undefined): Link[] =>
  link ? links.filter((l) => l.from === link.from && l.to === link.to) : [];

/** The newest value without rendering again for it. */
export function useLatest<T>(value: T): { readonly current: T } {
  const ref = useRef(value);
  ref.current = value;
  return ref;
}
