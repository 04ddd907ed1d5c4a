// The rest of what is known of a session: what went in and came out, where it came from, what it used.

import { useState, type ReactNode } from "react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { href } from "@/app/route";
import { client } from "@/client/http";
import { useSession, useStore } from "@/session/hooks";
import { download } from "@/ui/download";
import { count, errorText, moment, money, nodeName, pretty } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { toast } from "@/ui/kit/toast";
import { StatusPill } from "@/ui/status";
import { dict, useWords } from "@/words/words";
import { useAgain } from "./again";
import { Value } from "./inspector-run";

const words = dict({
  en: {
    facts: "Facts", id: "Id", workflow: "Workflow", version: (n: number) => `version ${n}`, created: "Created", started: "Started", ended: "Ended", user: "For", tags: "Tags",
    budget: "Budget", tokens: (n: number) => `${count(n)} tokens`, then: { pause: "then it pauses", fail: "then it fails" }, events: "Events",
    from: "Goes on from", fromAt: (seq: number) => `another session, from its event ${count(seq)}`, children: "Sessions of its sub-workflows",
    input: "Input", output: "Output", error: "Error", metadata: "Metadata", usage: "Usage", node: "Step", agent: "Agent", model: "Model", by: "Usage by",
    calls: "Calls", inTokens: "In", outTokens: "Out", cost: "Cost", total: "Total", noUsage: "No model was called yet.", unknown: "not known",
    unpriced: (n: number) => `${count(n)} calls of models without a price are not in the cost.`, estimated: (n: number) => `${count(n)} calls ended without telling what they used: an estimate stands for them.`,
    exports: "Take it along", exportAll: "Everything, for import elsewhere", exportAbout: "Events, messages, files with their versions, usage: one file of JSON lines.",
    replayed: "Usage is that of now, not of the moment that the replay stands at.",
  },
  zh: {
    facts: "概况", id: "编号", workflow: "流程", version: (n: number) => `版本 ${n}`, created: "创建", started: "开始", ended: "结束", user: "用户", tags: "标签",
    budget: "预算", tokens: (n: number) => `${count(n)} 个 token`, then: { pause: "到达后暂停", fail: "到达后失败" }, events: "事件",
    from: "来源", fromAt: (seq: number) => `另一个会话，从其事件 ${count(seq)} 继续`, children: "子流程的会话",
    input: "输入", output: "输出", error: "错误", metadata: "元数据", usage: "用量", node: "步骤", agent: "智能体", model: "模型", by: "用量统计",
    calls: "调用", inTokens: "输入", outTokens: "输出", cost: "费用", total: "合计", noUsage: "还没有调用过模型。", unknown: "未知",
    unpriced: (n: number) => `${count(n)} 次调用的模型没有价格，未计入费用。`, estimated: (n: number) => `${count(n)} 次调用结束时没有告知用量，以估算值代替。`,
    exports: "导出", exportAll: "全部内容，可在别处导入", exportAbout: "事件、消息、文件及其版本、用量：一个 JSON 行文件。",
    replayed: "用量是现在的状态，而不是回放所处时刻的状态。",
  },
});

export function Details() {
  const w = useWords(words);
  const session = useSession((s) => s.session);
  const output = useSession((s) => s.view.output);
  const error = useSession((s) => s.view.error);
  const hasMetadata = Object.keys(session?.metadata ?? {}).length > 0;
  return (
    <div className="tab-scroll details-tab" data-testid="details">
      <Section title={w.facts}><Facts /></Section>
      {error && <Section title={w.error}><p className="field-error"><Icon name="warn" size={13} />{errorText(error)}{error.code && <code>{error.code}</code>}</p></Section>}
      {session?.input !== undefined && <Section title={w.input}><Value value={session.input} /></Section>}
      {output !== undefined && <Section title={w.output}><Value value={output} /></Section>}
      <Section title={w.usage}><Usage /></Section>
      {hasMetadata && <Section title={w.metadata}><pre className="value" tabIndex={0}>{pretty(session?.metadata)}</pre></Section>}
      <Section title={w.exports}><Export /></Section>
    </div>
  );
}

const Section = ({ title, children }: { title: string; children: ReactNode }) => <section className="details-part"><h2>{title}</h2>{children}</section>;

function Facts() {
  const w = useWords(words);
  const id = useStore().sessionId;
  const session = useSession((s) => s.session);
  const workflow = useSession((s) => s.workflow);
  const lastSeq = useSession((s) => s.view.lastSeq);
  const [started, ended] = [useSession((s) => s.view.startedAt), useSession((s) => s.view.endedAt)];
  const { budget, parent } = session ?? {};
  const limits = budget && [budget.tokens && w.tokens(budget.tokens), budget.cost_usd && money(budget.cost_usd), w.then[budget.on_limit ?? "pause"]].filter(Boolean).join(", ");
  const facts: [string, ReactNode][] = [
    [w.id, <span className="mono">{id}</span>],
    [w.workflow, session?.workflow_id && <><a href={href.editor(session.workflow_id)}>{workflow?.name ?? session.workflow_id}</a>{session.workflow_version ? `, ${w.version(session.workflow_version)}` : ""}</>],
    [w.from, parent && <a href={href.session(parent.session_id)} data-testid="parent">{w.fromAt(parent.seq)}</a>],
    [w.created, moment(session?.created_at)], [w.started, moment(started)], [w.ended, moment(ended)],
    [w.user, session?.user_id], [w.tags, session?.tags?.length ? session.tags.map((t) => <a key={t} className="chip" href={href.sessions({ tag: t })}>{t}</a>) : undefined],
    [w.budget, limits], [w.events, count(lastSeq)],
  ];
  return <dl className="facts-list">{facts.filter(([, v]) => v).map(([k, v]) => <FactRow key={k} name={k}>{v}</FactRow>)}</dl>;
}

const FactRow = ({ name, children }: { name: string; children: ReactNode }) => <><dt>{name}</dt><dd>{children}</dd></>;

type Sums = Awaited<ReturnType<typeof client.getSessionUsage>>;
type By = "nodes" | "agents" | "models";

function Usage() {
  const w = useWords(words);
  const id = useStore().sessionId;
  const isReplay = useSession((s) => s.mode === "replay");
  useAgain(["usage", id], useSession((s) => `${s.view.usage.input_tokens}/${s.view.usage.output_tokens}/${s.view.status}`));
  const query = useQuery({ queryKey: ["usage", id], placeholderData: keepPreviousData, queryFn: ({ signal }) => client.getSessionUsage(id, { signal }) });
  return (
    <>
      {isReplay && <p className="faint">{w.replayed}</p>}
      <Loaded query={query}>{(sums) => <UsageTables sums={sums} />}</Loaded>
    </>
  );
}

function UsageTables({ sums }: { sums: Sums }) {
  const w = useWords(words);
  const workflow = useSession((s) => s.workflow);
  const [by, setBy] = useState<By>("nodes");
  if (sums.session.calls === 0 && sums.children.length === 0) return <p className="faint">{w.noUsage}</p>;
  const heads: Record<By, string> = { nodes: w.node, agents: w.agent, models: w.model };
  const rows = {
    nodes: sums.nodes.map((n) => ({ name: nodeName(n.node_id, workflow?.nodes?.[n.node_id]), sum: n })),
    agents: sums.agents.map((a) => ({ name: a.agent_id, sum: a })),
    models: sums.models.map((m) => ({ name: [m.provider, m.model].filter(Boolean).join(" / ") || w.unknown, sum: m })),
  }[by];
  return (
    <div className="stack">
      <div className="tabs usage-by" role="group" aria-label={w.by}>
        {(["nodes", "agents", "models"] as const).map((k) => <button key={k} type="button" aria-pressed={by === k} onClick={() => setBy(k)} data-testid={`usage-${k}`}>{heads[k]}</button>)}
      </div>
      <div className="table-wrap">
        <table className="data-table" data-testid="usage-table">
          <thead><tr><th>{heads[by]}</th><th className="num">{w.calls}</th><th className="num">{w.inTokens}</th><th className="num">{w.outTokens}</th><th className="num">{w.cost}</th></tr></thead>
          <tbody>{rows.map((r) => <SumRow key={r.name} name={r.name} sum={r.sum} />)}</tbody>
          <tfoot><SumRow name={w.total} sum={sums.session} /></tfoot>
        </table>
      </div>
      {sums.session.unpriced_calls > 0 && <p className="faint">{w.unpriced(sums.session.unpriced_calls)}</p>}
      {sums.session.estimated_calls > 0 && <p className="faint">{w.estimated(sums.session.estimated_calls)}</p>}
      {sums.children.length > 0 && (
        <>
          <h3>{w.children}</h3>
          <ul className="reads">
            {sums.children.map((c) => (
              <li key={c.session_id} className="row"><StatusPill status={c.status} /><a className="mono" href={href.session(c.session_id)}>{c.session_id}</a><span className="faint">{w.tokens(c.input_tokens + c.output_tokens)}</span></li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function SumRow({ name, sum }: { name: string; sum: Sums["session"] }) {
  return (
    <tr>
      <td>{name}</td><td className="num">{count(sum.calls)}</td><td className="num">{count(sum.input_tokens)}</td><td className="num">{count(sum.output_tokens)}</td>
      <td className="num">{sum.cost_usd === null ? "–" : sum.cost_usd === 0 ? "$0" : money(sum.cost_usd)}</td>
    </tr>
  );
}

export async function exportSession(id: string): Promise<void> {
  try {
    download(`session-${id}.ndjson`, await client.exportSession(id), "application/x-ndjson");
  } catch (err) {
    toast(errorText(err), "bad");
  }
}

function Export() {
  const w = useWords(words);
  const id = useStore().sessionId;
  const [busy, setBusy] = useState(false);
  const take = async () => {
    setBusy(true);
    await exportSession(id);
    setBusy(false);
  };
  return (
    <div className="row">
      <button type="button" disabled={busy} onClick={() => void take()} data-testid="export-all">{busy ? <span className="spinner" aria-hidden="true" /> : <Icon name="download" size={14} />}{w.exportAll}</button>
      <span className="faint">{w.exportAbout}</span>
    </div>
  );
}
