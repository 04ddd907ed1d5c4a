// The address is the only state that a reload needs: #/ and #/new/<workflow>, #/sessions/<id>.

import { useSyncExternalStore } from "react";

export type Route =
  | { page: "start"; workflowId?: string; from?: string }
  | { page: "session"; id: string }
  | { page: "lost" };

export function parseRoute(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((p) => {
    try { return decodeURIComponent(p); } catch { return p; }
  });
  if (parts.length === 0) return { page: "start" };
  if (parts[0] === "new" && parts.length <= 2) {
    return { page: "start", workflowId: parts[1], from: new URLSearchParams(search).get("from") ?? undefined };
  }
  if (parts[0] === "sessions" && parts[1] && parts.length === 2) return { page: "session", id: parts[1] };
  if (parts[0] === "sessions" && parts.length === 1) return { page: "start" };
  return { page: "lost" };
}

export const href = {
  start: () => "#/",
  workflow: (id: string, from?: string) => `#/new/${encodeURIComponent(id)}${from ? `?from=${encodeURIComponent(from)}` : ""}`,
  session: (id: string) => `#/sessions/${encodeURIComponent(id)}`,
};

const subscribe = (fn: () => void) => {
  window.addEventListener("hashchange", fn);
  return () => window.removeEventListener("hashchange", fn);
};

export const useHash = (): string => useSyncExternalStore(subscribe, () => location.hash);
