// The scores of each loop, round by round, against what it aims at, and why it ended.

import type { WorkflowNode } from "@sluice/client";
import { useSession, useSessionList } from "@/session/hooks";
import type { NodeView } from "@/session/model";
import { LineChart } from "@/ui/chart/line";
import { nodeName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { exitWords } from "@/words/common";
import { dict, useWords } from "@/words/words";
import { selectNode } from "./select";

const words = dict({
  en: {
    round: "Round", score: "Score", aim: "Aim", chart: (name: string) => `Scores of ${name}`, of: (n: number, max?: number) => (max ? `Round ${n} of at most ${max}` : `Round ${n}`),
    ended: (why: string) => `Ended: ${why}`, goesOn: "It goes on.", best: (score: number, round: number) => `Best so far ${score}, in round ${round}`, empty: "No score yet.",
  },
  zh: {
    round: "轮次", score: "评分", aim: "目标", chart: (name: string) => `${name}的评分`, of: (n: number, max?: number) => (max ? `第 ${n} 轮，最多 ${max} 轮` : `第 ${n} 轮`),
    ended: (why: string) => `结束原因：${why}`, goesOn: "仍在继续。", best: (score: number, round: number) => `目前最佳 ${score}，第 ${round} 轮`, empty: "还没有评分。",
  },
});

export function Scores() {
  const loops = useSessionList((s) => Object.values(s.view.nodes).filter((n) => (n.loop?.history.length ?? 0) > 0));
  const workflow = useSession((s) => s.workflow);
  return (
    <div className="tab-scroll stack" data-testid="scores">
      {loops.map((n) => <LoopScores key={n.id} view={n} node={workflow?.nodes?.[n.id]} />)}
    </div>
  );
}

function LoopScores({ view, node }: { view: NodeView; node?: WorkflowNode }) {
  const w = useWords(words);
  const exits = useWords(exitWords);
  const { loop } = view;
  if (!loop) return null;
  const name = nodeName(view.id, node);
  const aim = node?.properties?.exit_on_score;
  const best = Math.max(...loop.history);
  return (
    <section className="card stack" aria-label={w.chart(name)}>
      <div className="row">
        <h2><button type="button" className="quiet" onClick={() => selectNode(view.id)}><Icon name="loop" size={15} />{name}</button></h2>
        <span className="faint">{w.of(loop.round, loop.maxRounds)}</span>
      </div>
      <LineChart label={w.chart(name)} xLabel={w.round} yLabel={w.score} whole empty={w.empty}
        series={[{ name: w.score, points: loop.history.map((score, i) => [i + 1, score] as const) }]}
        threshold={typeof aim === "number" ? { value: aim, label: `${w.aim} ${aim}` } : undefined} />
      <p className="faint">{w.best(best, loop.history.indexOf(best) + 1)} · {loop.exitReason ? w.ended(exits[loop.exitReason] ?? loop.exitReason.replaceAll("_", " ")) : w.goesOn}</p>
    </section>
  );
}
