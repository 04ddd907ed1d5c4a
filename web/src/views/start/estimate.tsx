// What a run will probably take, asked for as the input is written.

import { useEffect, useState } from "react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Estimate, JsonObject } from "@sluice/client";
import { client } from "@/client/http";
import { count, duration, errorText, money, nodeName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { withParams, type Source } from "./source";
import { startWords } from "./words";

const PATIENCE_MS = 450;

/** The value, once it has stood still. */
export function useSettled<T>(value: T, ms = PATIENCE_MS): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

export function useEstimate(source: Source, params: JsonObject, input: JsonObject) {
  const body = JSON.stringify({ params, input });
  const settled = useSettled(body);
  const query = useQuery({
    queryKey: ["workflows", "estimate", source.ref, settled], placeholderData: keepPreviousData, staleTime: 60_000,
    queryFn: ({ signal }) => {
      const asked = JSON.parse(settled) as { params: JsonObject; input: JsonObject };
      const { ref } = source;
      const what = ref.kind === "workflow" ? { workflow_id: ref.id, ...(ref.version ? { workflow_version: ref.version } : {}) }
        : { graph: withParams(source.template!.graph ?? {}, asked.params) as JsonObject };
      return client.estimate({ ...what, input: asked.input }, { signal });
    },
  });
  return { query, waiting: query.isFetching || settled !== body };
}

export function EstimateLine({ source, estimate, error, waiting }: { source: Source; estimate?: Estimate; error: unknown; waiting: boolean }) {
  const w = useWords(startWords);
  if (!estimate) {
    return <p className="estimate faint" role="status">{error && !waiting ? <>{w.noEstimate}: {errorText(error)}</> : w.estimating}</p>;
  }
  const cost = estimate.cost_usd === null ? w.unpriced : estimate.cost_usd === 0 ? w.free : money(estimate.cost_usd);
  const paid = estimate.nodes.filter((n) => n.calls > 0);
  return (
    <details className="estimate" data-stale={waiting || undefined}>
      <summary data-testid="estimate">
        <Icon name="chevron" size={13} />
        <span className="estimate-label">{w.estimate}</span>
        <span>{w.about_} <strong>{w.estTokens(rough(estimate.tokens.total))}</strong></span>
        <span>{cost}</span>
        <span>{w.about_} {duration(estimate.seconds * 1000)}</span>
        {estimate.warnings.length > 0 && <span className="faint">{w.hints(estimate.warnings.length)}</span>}
      </summary>
      <p className="faint">{w.estimateAbout}</p>
      {estimate.warnings.length > 0 && <ul className="estimate-notes">{estimate.warnings.map((x) => <li key={x.code + (x.node_id ?? "") + x.message}>{x.node_id && <strong>{nodeName(x.node_id, source.workflow.nodes?.[x.node_id])}: </strong>}{x.message}</li>)}</ul>}
      {paid.length > 0 && (
        <div className="table-wrap">
          <table className="data-table">
            <thead><tr><th>{w.node}</th><th className="num">{w.calls}</th><th className="num">{w.tokens}</th></tr></thead>
            <tbody>{paid.map((n) => <tr key={n.node_id}><td>{nodeName(n.node_id, source.workflow.nodes?.[n.node_id])}</td><td className="num">{count(Math.round(n.calls * 10) / 10)}</td><td className="num">{count(rough(n.tokens.total))}</td></tr>)}</tbody>
          </table>
        </div>
      )}
    </details>
  );
}

/** Two figures are as much as an estimate knows. */
export function rough(n: number): number {
  if (n < 100) return Math.round(n);
  const unit = 10 ** (Math.floor(Math.log10(n)) - 1);
  return Math.round(n / unit) * unit;
}

export const overBudget = (estimate: Estimate | undefined, budget: { tokens?: number | null; cost_usd?: number | null } | undefined): boolean =>
  Boolean(estimate && budget && ((budget.tokens && estimate.tokens.total > budget.tokens) || (budget.cost_usd && (estimate.cost_usd ?? 0) > budget.cost_usd)));
