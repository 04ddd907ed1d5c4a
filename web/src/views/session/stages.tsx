// How far a session with stages is: all of them, with what is done of each.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Progress, Stage } from "@sluice/client";
import { client } from "@/client/http";
import { useSession, useStore } from "@/session/hooks";
import { clock, duration } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { StatusPill } from "@/ui/status";
import { dict, useWords } from "@/words/words";
import { useAgain } from "./again";
import { selectNode } from "./select";

const words = dict({
  en: {
    done: (n: number, of: number) => `${n} of ${of} stages are over`, left: (time: string) => `about ${time} left`, progress: "Progress of the session", stages: "Stages",
    items: (n: number, of: number) => `${n} of ${of} done`, itemDone: "done", itemOpen: "open", optional: "optional", deliverables: "Deliverables", missing: "not handed over yet",
    since: (t: string) => `since ${t}`, by: (who: string) => `by ${who}`, after: (names: string) => `after ${names}`, skipped: (why: string) => `left out: ${why}`,
    replay: "Stages are those of now, not of the moment that the replay stands at.", open: "Show the step",
  },
  zh: {
    done: (n: number, of: number) => `共 ${of} 个阶段，${n} 个已结束`, left: (time: string) => `约剩 ${time}`, progress: "会话的进度", stages: "阶段",
    items: (n: number, of: number) => `${n}/${of} 完成`, itemDone: "完成", itemOpen: "未完成", optional: "可选", deliverables: "交付物", missing: "尚未交付",
    since: (t: string) => `自 ${t}`, by: (who: string) => `由 ${who}`, after: (names: string) => `在 ${names} 之后`, skipped: (why: string) => `已跳过：${why}`,
    replay: "阶段是现在的状态，而不是回放所处时刻的状态。", open: "显示该步骤",
  },
});

// A stage's own words for a state, in those that the page draws.
const STATE: Record<string, string> = { active: "suspended", expired: "failed" };

export function Stages() {
  const w = useWords(words);
  const id = useStore().sessionId;
  const isReplay = useSession((s) => s.mode === "replay");
  useAgain(["stages", id], useSession((s) => `${s.view.shape}/${s.view.status}/${s.view.stages}`));
  const query = useQuery({
    queryKey: ["stages", id], placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const [progress, stages] = await Promise.all([client.sessionProgress(id, { signal }), client.listStages(id, { limit: 500 }, { signal })]);
      return { progress, stages: stages.items };
    },
  });
  return (
    <div className="tab-scroll stack" data-testid="stages">
      {isReplay && <p className="faint">{w.replay}</p>}
      <Loaded query={query}>
        {({ progress, stages }) => (
          <>
            <Bar progress={progress} />
            <ol className="stage-list" aria-label={w.stages}>{stages.map((s) => <OneStage key={s.instance_id ?? s.node_id} stage={s} all={stages} />)}</ol>
          </>
        )}
      </Loaded>
    </div>
  );
}

function Bar({ progress }: { progress: Progress }) {
  const w = useWords(words);
  const parts = [w.done(progress.done, progress.total), progress.estimated_minutes_left ? w.left(duration(progress.estimated_minutes_left * 60_000)) : ""];
  return (
    <div className="stage-progress">
      <p className="row"><strong>{progress.percent} %</strong><span className="faint">{parts.filter(Boolean).join(" · ")}</span></p>
      <progress max={100} value={progress.percent} aria-label={w.progress} />
    </div>
  );
}

function OneStage({ stage, all }: { stage: Stage; all: Stage[] }) {
  const w = useWords(words);
  const names = (ids: string[] | undefined) => (ids ?? []).map((id) => all.find((s) => s.node_id === id)?.name ?? id).join(", ");
  const facts = [
    stage.total > 0 && w.items(stage.done, stage.total), stage.started_at && w.since(clock(stage.started_at)),
    (stage.completed_by ?? stage.started_by) && w.by(stage.completed_by ?? stage.started_by ?? ""), stage.depends_on?.length && w.after(names(stage.depends_on)),
    stage.skip_reason && w.skipped(stage.skip_reason),
  ];
  return (
    <li className="card" data-testid={`stage-${stage.node_id}`}>
      <p className="row">
        <StatusPill status={STATE[stage.status] ?? stage.status} />
        <button type="button" className="quiet" title={w.open} onClick={() => selectNode(stage.node_id)}>{stage.name}</button>
        <span className="faint">{facts.filter(Boolean).join(" · ")}</span>
      </p>
      {stage.description && <p className="faint">{stage.description}</p>}
      <ul className="stage-items">
        {stage.items.map((i) => (
          <li key={i.name} data-done={i.done || undefined}><Icon name={i.done ? "check" : "dot"} size={13} />{i.name}<span className="sr"> {i.done ? w.itemDone : w.itemOpen}</span>{!i.required && <span className="faint"> {w.optional}</span>}</li>
        ))}
        {stage.deliverables.map((d) => {
          const isThere = d.value !== null && d.value !== undefined;
          return <li key={d.name} data-done={isThere || undefined}><Icon name="file" size={13} />{d.name}: <span className="faint">{typeof d.value === "string" ? d.value : isThere ? JSON.stringify(d.value) : w.missing}</span></li>;
        })}
      </ul>
    </li>
  );
}
