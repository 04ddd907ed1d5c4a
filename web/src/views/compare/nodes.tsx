// Node by node: what each took in both sessions.

import { useMemo, useState } from "react";
import { count, kindName, money, nodeName, shortDuration } from "@/ui/format";
import { Check } from "@/ui/kit/field";
import { Icon } from "@/ui/icons";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { nodeRows, type NodeRow, type NodeSum, type Side } from "./logic";
import { compareWords } from "./words";

const FIGURES: { key: "ms" | "tokens" | "cost" | "runs" | "retries"; word: "time" | "tokens" | "cost" | "runs" | "retries"; show: (n: number) => string }[] = [
  { key: "ms", word: "time", show: shortDuration }, { key: "tokens", word: "tokens", show: count }, { key: "cost", word: "cost", show: money },
  { key: "runs", word: "runs", show: count }, { key: "retries", word: "retries", show: count },
];

function Delta({ a, b, show }: { a: number; b: number; show: (n: number) => string }) {
  const w = useWords(compareWords);
  const text = show(Math.abs(b - a));
  return <span className="delta"><span aria-hidden="true">{b > a ? "▲" : "▼"}</span>{b > a ? w.more(text) : w.less(text)}</span>;
}

function Figures({ row, figure }: { row: NodeRow; figure: (typeof FIGURES)[number] }) {
  const { key, show } = figure;
  const cell = (sum: NodeSum | undefined) => (sum && (sum[key] > 0 || key === "runs" || key === "ms") ? show(sum[key]) : "–");
  const differs = row.a && row.b && row.differs.has(key);
  return (
    <>
      <td className="num first-of-pair">{cell(row.a)}</td>
      <td className="num" data-differs={differs || undefined}>{cell(row.b)}{differs && <Delta a={row.a![key]} b={row.b![key]} show={show} />}</td>
    </>
  );
}

function State({ sum }: { sum?: NodeSum }) {
  const w = useWords(compareWords);
  return sum ? <StatusPill status={sum.status} /> : <span className="faint">{w.notRun}</span>;
}

export function NodeTable({ a, b }: { a: Side; b: Side }) {
  const w = useWords(compareWords);
  const [only, setOnly] = useState(false);
  const rows = useMemo(() => nodeRows(a, b), [a, b]);
  const shown = only ? rows.filter((r) => r.differs.size > 0) : rows;
  const hasCost = rows.some((r) => (r.a?.cost ?? 0) + (r.b?.cost ?? 0) > 0);
  const hasTokens = rows.some((r) => (r.a?.tokens ?? 0) + (r.b?.tokens ?? 0) > 0);
  const hasRetries = rows.some((r) => (r.a?.retries ?? 0) + (r.b?.retries ?? 0) > 0);
  const figures = FIGURES.filter((f) => (f.key !== "cost" || hasCost) && (f.key !== "tokens" || hasTokens) && (f.key !== "retries" || hasRetries));
  if (!rows.length) return <p className="hint">{w.noNodes}</p>;
  return (
    <>
      <div className="row compare-bar">
        <Check label={w.only} checked={only} onChange={setOnly} testId="only-differences" />
        <span className="faint" role="status">{w.nodesDiffer(rows.filter((r) => r.differs.size > 0).length)}</span>
      </div>
      {shown.length === 0 ? <p className="hint">{w.noDifference}</p> : (
        <div className="table-wrap" tabIndex={0} role="region" aria-label={w.nodes}>
          <table className="data-table compare-nodes" data-testid="compare-nodes">
            <thead>
              <tr>
                <th rowSpan={2} scope="col">{w.node}</th><th colSpan={2} scope="colgroup" className="first-of-pair">{w.state}</th>
                {figures.map((f) => <th key={f.key} colSpan={2} scope="colgroup" className="first-of-pair pair-head">{w[f.word]}</th>)}
              </tr>
              <tr>
                <th scope="col" className="first-of-pair">{w.first}</th><th scope="col">{w.second}</th>
                {figures.flatMap((f) => [<th key={`${f.key}a`} scope="col" className="num first-of-pair">{w.first}</th>, <th key={`${f.key}b`} scope="col" className="num">{w.second}</th>])}
              </tr>
            </thead>
            <tbody>
              {shown.map((row) => {
                const node = a.workflow?.nodes?.[row.id] ?? b.workflow?.nodes?.[row.id];
                return (
                  <tr key={row.id} data-node={row.id} data-differs={row.differs.size > 0 || undefined}>
                    <th scope="row"><Icon name={node?.type ?? "node"} size={14} /><span><span>{nodeName(row.id, node)}</span><span className="faint">{kindName(node?.type)}</span></span></th>
                    <td className="first-of-pair"><State sum={row.a} /></td>
                    <td data-differs={row.differs.has("status") || undefined}><State sum={row.b} /></td>
                    {figures.map((f) => <Figures key={f.key} row={row} figure={f} />)}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
