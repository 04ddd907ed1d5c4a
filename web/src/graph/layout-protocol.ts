// What goes between the page and the worker that lays graphs out.

import type { Workflow } from "@sluice/client";
import { placeWorkflow, type Placed } from "./layout";

export interface LayoutRequest { id: number; workflow: Workflow }
export type LayoutReply = { id: number; placed: Placed } | { id: number; error: string };

export function answerLayout({ id, workflow }: LayoutRequest): LayoutReply {
  try {
    return { id, placed: placeWorkflow(workflow) };
  } catch (err) {
    return { id, error: err instanceof Error ? err.message : String(err) };
  }
}
