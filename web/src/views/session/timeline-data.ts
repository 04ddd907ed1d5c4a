// What the timeline is drawn from: the view's runs and pauses, and where the log no longer reaches back, what the server kept.

import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import type { JsonObject } from "@sluice/client";
import { client } from "@/client/http";
import { useSession, useStore } from "@/session/hooks";
import { TERMINAL } from "@/session/model";
import { pausesOf, rowsOf, type Interval, type TimelineRow } from "./timeline";

const KEPT_MAX = 500;

export interface TimelineData {
  rows: TimelineRow[];
  pauses: Interval[];
  isLive: boolean;
  /** The moment that the picture is of; live it goes on from here. */
  now: number;
  isPartial: boolean;
}

const timeOf = (value: unknown): number | undefined => {
  const t = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(t) ? undefined : t;
};

const intervalOf = (o: JsonObject): Interval[] => {
  const from = timeOf(o.started_at);
  return from === undefined ? [] : [{ from, to: timeOf(o.ended_at) }];
};

function useKept(enabled: boolean) {
  const id = useStore().sessionId;
  const { data } = useQuery({
    queryKey: ["timeline", id], enabled, queryFn: ({ signal }) => client.sessionTimeline(id, { limit: KEPT_MAX }, { signal }),
  });
  return useMemo(() => data && {
    waits: new Map(data.items.map((i) => [i.run_id, i.waits.flatMap(intervalOf)])),
    pauses: (data.pauses ?? []).flatMap(intervalOf),
  }, [data]);
}

export function useTimeline(): TimelineData {
  const store = useStore();
  const shape = useDeferredValue(useSession((s) => s.view.shape));
  const pausesSeen = useSession((s) => s.view.pauses);
  const isPartial = useSession((s) => s.view.fromSnapshot);
  const isLive = useSession((s) => s.mode === "live" && !TERMINAL.has(s.view.status));
  const isMoving = useSession((s) => s.mode === "live" && s.view.status === "running" && s.link.state === "live");
  // Only what stands still is as of its newest event; what runs is as of now, and would be drawn again with each token.
  const at = useSession((s) => (isMoving ? undefined : s.view.at));
  const kept = useKept(isPartial);
  const data = useMemo(() => {
    const rows = rowsOf(store.get().view).map((r) => (r.waits.length === 0 && kept?.waits.has(r.runId) ? { ...r, waits: kept.waits.get(r.runId) ?? [] } : r));
    const seen = pausesOf(pausesSeen);
    return { rows, pauses: kept ? [...kept.pauses.filter((k) => !seen.some((s) => s.from === k.from)), ...seen] : seen };
  }, [store, shape, pausesSeen, kept]);
  const now = useNow(isMoving, at);
  return { ...data, isLive, now, isPartial };
}

const REDRAW_MS = 2_000;

/** Coarse: the bars that grow have a finer clock of their own. */
function useNow(isMoving: boolean, at: string | undefined): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isMoving) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), REDRAW_MS);
    return () => clearInterval(timer);
  }, [isMoving]);
  return isMoving ? now : timeOf(at) ?? now;
}
