// What a session may use and what it has used: pure, so that the meter, the dialog and their tests agree.

import type { Session, Usage } from "@sluice/client";
import type { NoteView } from "@/session/model";

export type Budget = NonNullable<Session["budget"]>;
export type Resource = "tokens" | "cost_usd";

export interface Meter {
  resource: Resource;
  limit: number;
  used: number;
  /** 0 to 1. */
  share: number;
  tone: "calm" | "near" | "full";
}

const NEAR = 0.8;

export const usedOf = (usage: Usage, resource: Resource): number =>
  resource === "tokens" ? usage.input_tokens + usage.output_tokens : usage.cost_usd ?? 0;

/** A meter for each limit that is set. `reached`: a session that stands at its budget counts what is still under way. */
export function metersOf(budget: Budget | null | undefined, usage: Usage, reached?: Reached): Meter[] {
  const meters: Meter[] = [];
  for (const resource of ["tokens", "cost_usd"] as const) {
    const limit = budget?.[resource];
    if (typeof limit !== "number" || limit <= 0) continue;
    const used = Math.max(usedOf(usage, resource), reached?.resource === resource ? reached.used : 0);
    const share = Math.min(1, used / limit);
    meters.push({ resource, limit, used, share, tone: share >= 1 ? "full" : share >= NEAR ? "near" : "calm" });
  }
  return meters;
}

export interface Reached { resource: Resource; limit: number; used: number }

/** The newest budget_reached of the session, from its note. */
export function reachedOf(notes: Record<string, NoteView>): Reached | undefined {
  let found: Reached | undefined;
  for (const note of Object.values(notes)) {
    const { resource, limit, used } = note.kind === "budget" ? note.data ?? {} : {};
    if ((resource === "tokens" || resource === "cost_usd") && typeof limit === "number") {
      found = { resource, limit, used: typeof used === "number" ? used : limit };
    }
  }
  return found;
}

/** Half as much again as what was allowed or used, rounded up to a figure that reads well. */
export function offerAfter(reached: Pick<Reached, "limit" | "used">, resource: Resource): number {
  const want = Math.max(reached.limit, reached.used) * 1.5;
  const unit = 10 ** Math.floor(Math.log10(want) - 1);
  const rounded = Math.ceil(want / unit - 1e-9) * unit;
  return resource === "tokens" ? Math.max(1, Math.round(rounded)) : Number(rounded.toPrecision(2));
}

/** Why a pause holds, where resuming needs more than a click. */
export function pauseNeeds(reason: string | undefined): "budget" | "justification" | undefined {
  if (reason === "budget") return "budget";
  return reason?.startsWith("breaker:") ? "justification" : undefined;
}
