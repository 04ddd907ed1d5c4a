// Where a session comes from and what has gone on from it: forks, retries, and the session that it is a part of.

import { useSyncExternalStore } from "react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Session } from "@sluice/client";
import { useApp } from "@/app/context";
import { href } from "@/app/route";
import { api, client } from "@/client/http";
import { sessionTitle } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { StatusDot } from "@/ui/status";
import { useWords } from "@/words/words";
import { replayWords } from "./words";

const SHOWN = 3;
const SEARCHED = 500;

export interface Parent { session_id: string; seq: number }
export const parentOf = (session: Session | undefined): Parent | undefined =>
  (session as { parent?: Parent | null } | undefined)?.parent ?? undefined;

function ParentLink({ session, parent }: { session: Session; parent: Parent }) {
  const w = useWords(replayWords);
  const { data } = useQuery({ queryKey: ["sessions", parent.session_id, "head"], queryFn: ({ signal }) => api.session(parent.session_id, signal) });
  // A subworkflow's session is a part of its parent; a fork has the same workflow.
  const isPart = data !== undefined && data.workflow_id !== session.workflow_id;
  return (
    <span className="lineage-item">
      <Icon name={isPart ? "graph" : "fork"} size={13} />{isPart ? w.childOf : w.cameFrom}{" "}
      <a href={href.session(parent.session_id)} data-testid="lineage-parent">{data ? sessionTitle(data) : parent.session_id.slice(0, 8)}</a>
      {parent.seq > 0 && <>, <a href={href.replay(parent.session_id, { at: parent.seq })}>{w.atEvent(parent.seq)}</a></>}
    </span>
  );
}

/** Sessions of the same workflow that name this one as their parent. */
function useForks(session: Session | undefined): Session[] {
  const { list } = useApp();
  const moves = useSyncExternalStore(list.subscribe, () => list.get().moves);
  const workflow_id = session?.workflow_id;
  const { data } = useQuery({
    queryKey: ["sessions", session?.id, "forks", moves],
    enabled: Boolean(session && workflow_id),
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const page = await client.listSessions({ workflow_id, created_after: session?.created_at, order: "asc", limit: SEARCHED }, { signal });
      return (page.items as Session[]).filter((s) => parentOf(s)?.session_id === session?.id);
    },
  });
  return data ?? [];
}

export function Lineage({ session }: { session?: Session }) {
  const w = useWords(replayWords);
  const parent = parentOf(session);
  const forks = useForks(session);
  if (!session || (!parent && !forks.length)) return null;
  return (
    <p className="lineage" data-testid="lineage">
      {parent && <ParentLink session={session} parent={parent} />}
      {forks.length > 0 && (
        <span className="lineage-item">
          <Icon name="fork" size={13} />{w.wentOn}
          {forks.slice(0, SHOWN).map((s) => (
            <a key={s.id} href={href.session(s.id)} data-testid="lineage-fork"><StatusDot status={s.status} />{sessionTitle(s)}</a>
          ))}
          {forks.length > SHOWN && <span className="faint">{w.more(forks.length - SHOWN)}</span>}
        </span>
      )}
    </p>
  );
}
