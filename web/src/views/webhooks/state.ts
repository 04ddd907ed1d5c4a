// How a webhook does, as words: pure, so that each case can be tested.

import type { Webhook, WebhookDelivery } from "@sluice/client";
import { ago, count, moment, shortDuration } from "@/ui/format";
import type { webhookWords } from "./words";

type Words = (typeof webhookWords)["en"];
export type Tone = "good" | "bad" | "warm" | undefined;
export interface Told { tone: Tone; short: string; text: string }

export function webhookState(h: Pick<Webhook, "enabled" | "disabled_reason" | "failing_since" | "sessions_behind">, w: Words): Told {
  const behind = h.sessions_behind > 0 ? w.behind(count(h.sessions_behind)) : "";
  if (!h.enabled) {
    const why = h.disabled_reason ? w.disabledBecause(h.disabled_reason) : w.disabledByHand;
    return { tone: h.disabled_reason ? "bad" : undefined, short: w.off, text: [why, behind && `${behind} ${w.goesOn}`].filter(Boolean).join(" ") };
  }
  if (h.failing_since) return { tone: "bad", short: w.failing, text: [w.failingSince(moment(h.failing_since)), behind, w.triedAgain].filter(Boolean).join(" ") };
  if (behind) return { tone: "warm", short: w.catchingUp, text: behind };
  return { tone: "good", short: w.fine, text: w.upToDate };
}

/** What became of a delivery, in a sentence. */
export function deliveryText(d: Pick<WebhookDelivery, "status" | "attempts" | "http_status" | "duration_ms" | "error" | "next_at">, w: Words, now = Date.now()): Told {
  const answer = d.http_status === null ? d.error ?? w.noAnswer : w.answered(d.http_status);
  if (d.status === "delivered") {
    const text = d.attempts > 1 ? w.deliveredAfter(d.attempts) : w.delivered;
    return { tone: "good", short: w.delivered, text: `${text} · ${answer} · ${shortDuration(d.duration_ms)}` };
  }
  const left = d.next_at ? Math.max(0, Date.parse(d.next_at) - now) : undefined;
  const next = left === undefined ? w.notAgain : w.againIn(shortDuration(left));
  return { tone: "bad", short: w.failed, text: `${w.failedTimes(d.attempts)} · ${answer} · ${next}` };
}

export const deliveryAge = (d: Pick<WebhookDelivery, "updated_at">): string => ago(d.updated_at);
