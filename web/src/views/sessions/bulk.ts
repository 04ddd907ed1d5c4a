// The same command for many sessions: a few at a time, each answer understood, all of them told in one sentence.

import { SluiceError } from "@sluice/client";
import { errorText } from "@/ui/format";
import type { words } from "./words";

export type Act = "pause" | "resume" | "cancel" | "remove";
export type What = "done" | "ended" | "already" | "gone" | "refused" | "needs" | "failed";
export interface Result { id: string; what: What; error?: unknown }

const AT_ONCE = 6;

/** What a refusal means: mostly that the session had moved on by itself. */
export function classify(error: unknown): What {
  const { status, code, message } = error instanceof SluiceError ? error : { status: -1, code: "", message: "" };
  if (status === 404) return "gone";
  if (status === 401 || status === 403) return "refused";
  if (status !== 409) return "failed";
  if (code === "budget_exhausted" || code === "breaker_tripped") return "needs";
  return /has ended/.test(message) ? "ended" : "already";
}

export async function runBulk(ids: readonly string[], call: (id: string) => Promise<unknown>, onProgress: (done: number) => void): Promise<Result[]> {
  const results: Result[] = [];
  const queue = [...ids];
  const worker = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      try {
        await call(id);
        results.push({ id, what: "done" });
      } catch (error) {
        results.push({ id, what: classify(error), error });
      }
      onProgress(results.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, ids.length) }, worker));
  return results;
}

/** "7 paused, 2 had ended already". */
export function summary(act: Act, results: readonly Result[], w: typeof words.en): string {
  const n = (what: What) => results.filter((r) => r.what === what).length;
  const done = { pause: w.pausedN, resume: w.resumedN, cancel: w.cancelledN, remove: w.deletedN }[act];
  const failed = results.find((r) => r.what === "failed");
  const parts = [
    n("done") || results.every((r) => r.what === "done") ? done(n("done")) : "",
    n("ended") ? w.endedN(n("ended")) : "", n("already") ? w.alreadyN[act](n("already")) : "", n("needs") ? w.needsN(n("needs")) : "",
    n("gone") ? w.goneN(n("gone")) : "", n("refused") ? w.refusedN(n("refused")) : "", failed ? w.failedN(n("failed"), errorText(failed.error)) : "",
  ];
  return parts.filter(Boolean).join(w.and);
}

/** What is selected after a click: with shift, all from the last one to this one. */
export function selectRange(order: readonly string[], was: ReadonlySet<string>, id: string, last: string | undefined, range: boolean): Set<string> {
  const next = new Set(was);
  const [from, to] = [last === undefined ? -1 : order.indexOf(last), order.indexOf(id)];
  if (range && from >= 0 && to >= 0) {
    for (const x of order.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(x);
  } else if (!next.delete(id)) next.add(id);
  return next;
}

/** "team=red, run.kind=night" as what the address of the list takes. */
export function metadataOf(text: string): Record<string, string> {
  const pairs = text.split(",").map((p) => p.split(/=(.*)/s)).filter(([k, v]) => k?.trim() && v?.trim());
  return Object.fromEntries(pairs.slice(0, 8).map(([k, v]) => [`metadata.${k!.trim()}`, v!.trim()]));
}

/** A day as people name it, as the moment where it begins here. */
export function dayStart(day: string, add = 0): string | null {
  const m = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  return m ? new Date(Number(m[1]), Number(m[2]) - 1, Number(m[3]) + add).toISOString() : null;
}
