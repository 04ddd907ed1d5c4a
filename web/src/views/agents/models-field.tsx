// Which models an agent asks, the first first: a provider and a name in each row.

import { useId } from "react";
import { useQuery } from "@tanstack/react-query";
import { client } from "@/client/http";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import type { ModelRow } from "./form";
import { agentWords } from "./words";

interface Props { rows: ModelRow[]; error?: string; onChange: (rows: ModelRow[]) => void }

export function ModelsField({ rows, error, onChange }: Props) {
  const w = useWords(agentWords);
  const id = useId();
  const { data } = useQuery({ queryKey: ["providers"], queryFn: ({ signal }) => client.listProviders({ limit: 100 }, { signal }) });
  const providers = data?.items ?? [];
  const change = (i: number, row: Partial<ModelRow>) => onChange(rows.map((r, j) => (j === i ? { ...r, ...row } : r)));
  const known = (name: string) => providers.find((p) => p.id === name) ?? (name ? undefined : providers[0]);
  return (
    <div className="field" role="group" aria-labelledby={`${id}-label`} aria-describedby={`${id}-about`}>
      <span className="field-label" id={`${id}-label`}>{w.model}</span>
      <p className="about" id={`${id}-about`}>{w.modelAbout}</p>
      {rows.map((row, i) => (
        <div key={i} className="model-row">
          <select aria-label={w.provider} value={row.provider} data-testid="provider" onChange={(e) => change(i, { provider: e.target.value })}>
            <option value="">{w.anyProvider}</option>
            {row.provider && !known(row.provider) && <option value={row.provider}>{row.provider}</option>}
            {providers.map((p) => <option key={p.id} value={p.id}>{p.id}</option>)}
          </select>
          <input aria-label={w.modelName} value={row.model} list={`${id}-${i}`} placeholder={known(row.provider)?.default_model ?? w.modelHint} data-testid="model"
            aria-invalid={error ? true : undefined} onChange={(e) => change(i, { model: e.target.value })} />
          <datalist id={`${id}-${i}`}>{(known(row.provider)?.models ?? []).map((m) => <option key={m} value={m} />)}</datalist>
          {rows.length > 1 && (
            <button type="button" className="quiet square" aria-label={`${w.removeModel} ${row.model}`} onClick={() => onChange(rows.filter((_, j) => j !== i))}><Icon name="close" size={13} /></button>
          )}
        </div>
      ))}
      {error && <p className="field-error">{error}</p>}
      <div><button type="button" className="small" onClick={() => onChange([...rows, { provider: "", model: "" }])}><Icon name="plus" size={12} />{w.addModel}</button></div>
    </div>
  );
}
