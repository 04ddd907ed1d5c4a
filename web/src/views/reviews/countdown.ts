// How long a question can still be answered, by the server's clock.

import { useEffect, useState } from "react";
import { serverNow } from "@/client/server-time";

export interface Left { ms: number; over: boolean; urgent: boolean }

const URGENT_MS = 5 * 60_000;

export function leftOf(until: string | null | undefined, now: number): Left | undefined {
  const ms = until ? Date.parse(until) - now : NaN;
  if (Number.isNaN(ms)) return undefined;
  return { ms: Math.max(0, ms), over: ms <= 0, urgent: ms > 0 && ms <= URGENT_MS };
}

/** From here on seconds are told. */
export const SECONDS_MS = 10 * 60_000;

/** How long what is shown stays true: to the next second or minute. */
export function nextTick(ms: number): number {
  const step = ms <= SECONDS_MS ? 1000 : 60_000;
  return Math.max(50, ms % step || step);
}

export function useLeft(until: string | null | undefined): Left | undefined {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const left = leftOf(until, serverNow());
    if (!left || left.over) return;
    // Not longer than half a minute: a clock may be set, and a laptop sleep.
    const timer = setTimeout(() => setNow(serverNow()), Math.min(30_000, nextTick(left.ms)));
    return () => clearTimeout(timer);
  }, [until, now]);
  return leftOf(until, Math.max(now, serverNow()));
}
