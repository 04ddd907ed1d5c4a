// What was not saved, kept in this browser: it survives a reload and a closed tab.

import type { Json } from "@sluice/client";
import { flowOf, isObject, type Flow } from "./model";

/** Under this name another view leaves a workflow (JSON) for #/editor to open: one made of a sentence, or of a template. */
export const HANDED_OVER = "sluice.draft";
const keyOf = (id: string | undefined) => `sluice.editor.${id ?? "new"}`;

export interface Draft { flow: Flow; version?: number; at: number }

function parsed(text: string | null): Json | undefined {
  if (!text) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

export function readDraft(id: string | undefined): Draft | undefined {
  const kept = parsed(localStorage.getItem(keyOf(id)));
  const flow = isObject(kept) ? flowOf(kept.flow) : undefined;
  if (!isObject(kept) || !flow) return undefined;
  return { flow, at: typeof kept.at === "number" ? kept.at : 0, ...(typeof kept.version === "number" && { version: kept.version }) };
}

/** False when the browser has no room for it. */
export function writeDraft(id: string | undefined, draft: Draft): boolean {
  try {
    localStorage.setItem(keyOf(id), JSON.stringify(draft));
    return true;
  } catch {
    return false;
  }
}

export const dropDraft = (id: string | undefined): void => localStorage.removeItem(keyOf(id));

/** What was handed over, once. */
export function takeHandedOver(): Flow | undefined {
  const flow = flowOf(parsed(sessionStorage.getItem(HANDED_OVER)));
  sessionStorage.removeItem(HANDED_OVER);
  return flow;
}
