// The address is the only state that a reload needs. A view has a pattern (views.tsx); what it shows beyond
// that - a tab, a filter, a position - stands in the query of the hash.

import { useSyncExternalStore } from "react";

export interface Match { params: Record<string, string>; query: URLSearchParams }

const decoded = (part: string) => {
  try { return decodeURIComponent(part); } catch { return part; }
};

/** "sessions/:id" against "#/sessions/x?tab=files". */
export function matchRoute(pattern: string, hash: string): Match | undefined {
  const [path = "", search = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const have = path.split("/").filter(Boolean);
  const want = pattern.split("/").filter(Boolean);
  if (have.length !== want.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, w] of want.entries()) {
    if (w.startsWith(":")) params[w.slice(1)] = decoded(have[i]!);
    else if (w !== have[i]) return undefined;
  }
  return { params, query: new URLSearchParams(search) };
}

type Query = Record<string, string | number | undefined | null>;

const to = (parts: string[], query: Query = {}) => {
  const search = new URLSearchParams(Object.entries(query).flatMap(([k, v]) => (v === undefined || v === null || v === "" ? [] : [[k, String(v)]])));
  return `#/${parts.map(encodeURIComponent).join("/")}${search.size ? `?${search}` : ""}`;
};

export const href = {
  start: () => "#/",
  workflow: (id: string, from?: string, version?: number) => to(["new", id], { from, version }),
  template: (id: string) => to(["new-from", id]),
  sessions: (query?: Query) => to(["sessions"], query),
  session: (id: string, query?: Query) => to(["sessions", id], query),
  replay: (id: string, query?: Query) => to(["sessions", id, "replay"], query),
  compare: (a: string, b: string) => to(["compare", a, b]),
  reviews: (query?: Query) => to(["reviews"], query),
  review: (interruptId: string) => to(["reviews", interruptId]),
  workflows: (query?: Query) => to(["workflows"], query),
  versions: (id: string, query?: Query) => to(["workflows", id, "versions"], query),
  editor: (id?: string, query?: Query) => (id ? to(["workflows", id, "edit"], query) : to(["editor"], query)),
  templates: (query?: Query) => to(["templates"], query),
  agents: (id?: string) => to(id ? ["agents", id] : ["agents"]),
  groups: (id?: string) => to(id ? ["groups", id] : ["groups"]),
  models: () => to(["models"]),
  memory: (query?: Query) => to(["memory"], query),
  schedules: (id?: string) => to(id ? ["schedules", id] : ["schedules"]),
  webhooks: (id?: string) => to(id ? ["webhooks", id] : ["webhooks"]),
  keys: () => to(["keys"]),
  audit: (query?: Query) => to(["audit"], query),
  dashboard: (query?: Query) => to(["dashboard"], query),
};

// The address that is shown: it follows the browser's, unless whoever stands in the way (unsaved text) says no.
let shown = typeof location === "undefined" ? "" : location.hash;
let guard: ((next: string) => boolean) | undefined;

/** Asked before another address is shown; false: the one before comes back. */
export function setGuard(next: ((hash: string) => boolean) | undefined): void {
  guard = next;
}

function follow(): void {
  if (location.hash === shown) return;
  if (guard && !guard(location.hash)) history.pushState(null, "", shown || "#/");
  else shown = location.hash;
}

const subscribe = (fn: () => void) => {
  const told = () => {
    follow();
    fn();
  };
  follow();
  window.addEventListener("hashchange", told);
  window.addEventListener("popstate", told);
  return () => {
    window.removeEventListener("hashchange", told);
    window.removeEventListener("popstate", told);
  };
};

export const useHash = (): string => useSyncExternalStore(subscribe, () => shown);

export const go = (hash: string): void => { location.hash = hash; };

/** Changes the query of this address without a step in the history: filters, tabs, positions. */
export function setQuery(change: Query): void {
  const [path = "", search = ""] = location.hash.split(/\?(.*)/s);
  const query = new URLSearchParams(search);
  for (const [k, v] of Object.entries(change)) {
    if (v === undefined || v === null || v === "") query.delete(k);
    else query.set(k, String(v));
  }
  history.replaceState(history.state, "", `${path || "#/"}${query.size ? `?${query}` : ""}`);
  window.dispatchEvent(new PopStateEvent("popstate"));
}
