// Questions as they are read from the server, and the sessions that ask them.

import { useEffect, useRef } from "react";
import { useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Interrupt, Session, Workflow } from "@sluice/client";
import { useMoves } from "@/app/moves";
import { api, client } from "@/client/http";
import { usePages, type Pages } from "@/ui/kit/pages";
import { askedFromReview, type Asked } from "./asked";

export type Status = "pending" | "answered" | "expired" | "cancelled";

// That a session waits comes over no channel, as its state does not change by it.
const READ_MS = 4_000;
const TITLES_MS = 60_000;
/** So many of the past are read; the server gives the oldest first. */
export const HISTORY_MAX = 2_000;

/** One question. It is read again by itself while `live`. */
export function useReview(id: string | undefined, live = false) {
  return useQuery({
    queryKey: ["reviews", id], enabled: id !== undefined,
    queryFn: async ({ signal }) => askedFromReview(await client.getReview(id!, { signal }) as Interrupt),
    refetchInterval: (query) => (live && query.state.data?.status === "pending" ? READ_MS : false),
  });
}

async function history(status: Status, kind: string, signal: AbortSignal): Promise<{ items: Asked[]; next_cursor: null }> {
  const items: Asked[] = [];
  for (let cursor: string | null = null; ;) {
    const page: { items: Interrupt[]; next_cursor: string | null } = await client.listReviews({ status, kind: kind || null, limit: 500, cursor }, { signal });
    items.push(...page.items.map(askedFromReview));
    cursor = page.next_cursor;
    if (!cursor || items.length >= HISTORY_MAX) break;
  }
  return { items: items.sort((a, b) => (b.closedAt ?? "").localeCompare(a.closedAt ?? "")), next_cursor: null };
}

/** What waits, the oldest first; what is past, the newest first. Read again when a session moves, and now and then. */
export function useInbox(status: Status, kind: string): Pages<Asked> {
  const queries = useQueryClient();
  const pages = usePages(["reviews", "list", status, kind], async (cursor, signal) => {
    if (status !== "pending") return history(status, kind, signal);
    const page = await client.listReviews({ status, kind: kind || null, limit: 100, cursor }, { signal });
    return { items: page.items.map(askedFromReview), next_cursor: page.next_cursor };
  }, status === "pending" ? { refetchInterval: READ_MS } : {});
  const moves = useMoves();
  const first = useRef(moves);
  useEffect(() => {
    if (first.current !== moves) void queries.invalidateQueries({ queryKey: ["reviews"] });
    first.current = moves;
  }, [queries, moves]);
  return pages;
}

/** The sessions that ask: their titles and groups, by id. */
export function useAskers(items: readonly Asked[]): Map<string, Session> {
  const ids = [...new Set(items.map((i) => i.sessionId))].slice(0, 100);
  const answers = useQueries({
    queries: ids.map((id) => ({ queryKey: ["sessions", id, "title"], queryFn: () => api.session(id), staleTime: TITLES_MS })),
  });
  return new Map(answers.flatMap((a) => (a.data ? [[a.data.id, a.data] as const] : [])));
}

type WithGraph = Session & { graph?: Workflow; workflow?: Workflow; workflow_version?: number | null };

/** The session of one question as it is now, and its workflow, for the names of things. */
export function useAsker(id: string | undefined): { session?: Session; workflow?: Workflow } {
  const { data: session } = useQuery({ queryKey: ["sessions", id], enabled: id !== undefined, queryFn: ({ signal }) => api.session(id!, signal), refetchInterval: READ_MS });
  const inline = (session as WithGraph | undefined)?.graph ?? (session as WithGraph | undefined)?.workflow;
  const workflowId = inline?.nodes ? undefined : session?.workflow_id ?? undefined;
  const { data } = useQuery({
    queryKey: ["workflows", workflowId, session?.workflow_version], enabled: workflowId !== undefined, staleTime: TITLES_MS,
    queryFn: ({ signal }) => api.workflow(workflowId!, session?.workflow_version, signal),
  });
  return { session, workflow: inline?.nodes ? inline : data };
}
