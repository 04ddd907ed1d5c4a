// What every view may ask for: who looks on, the live list of sessions, the menu button of small screens.

import { createContext, useContext, useSyncExternalStore } from "react";
import type { Link } from "@sluice/client";
import type { SessionList } from "@/session/list";

export interface Who { kind: string; name: string; role: string }

const ROLES = ["viewer", "operator", "editor", "admin"];

export interface AppState {
  who?: Who;
  list: SessionList;
  openMenu: () => void;
}

export const AppContext = createContext<AppState | null>(null);

export function useApp(): AppState {
  const app = useContext(AppContext);
  if (!app) throw new Error("outside of the shell");
  return app;
}

/** What the key in use may do. Without keys everybody may do everything; the server has the last word. */
export function useMay(): (role: "viewer" | "operator" | "editor" | "admin") => boolean {
  const { who } = useApp();
  return (role) => !who || who.kind === "anonymous" || ROLES.indexOf(who.role) >= ROLES.indexOf(role);
}

/** The page's connection to the server. */
export function useLink(): Link {
  const { list } = useApp();
  return useSyncExternalStore(list.subscribe, () => list.get().link);
}
