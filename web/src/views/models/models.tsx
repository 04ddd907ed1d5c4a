// Providers with their state, prices, and what a number of tokens would cost.

import { useMemo, useState } from "react";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { Price, Provider } from "@sluice/client";
import type { ViewProps } from "@/app/views";
import { client } from "@/client/http";
import { count } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { SearchField } from "@/ui/kit/catalog";
import { Field, TextField } from "@/ui/kit/field";
import { Loaded } from "@/ui/kit/loaded";
import { Page } from "@/ui/kit/page";
import { useWords } from "@/words/words";
import { cost, dollars, fits, rate } from "./price";
import { modelWords } from "./words";
import "./models.css";

const LOOK_MS = 3_000;

async function allPrices(signal: AbortSignal): Promise<Price[]> {
  const items: Price[] = [];
  for (let cursor: string | null = null; ;) {
    const page: { items: Price[]; next_cursor: string | null } = await client.listPrices({ limit: 500, cursor }, { signal });
    items.push(...page.items);
    if (!page.next_cursor) return items;
    cursor = page.next_cursor;
  }
}

export default function Models({ query }: ViewProps) {
  const w = useWords(modelWords);
  const prices = useQuery({ queryKey: ["prices"], staleTime: 60_000, queryFn: ({ signal }) => allPrices(signal) });
  const [chosen, setChosen] = useState<string>();
  return (
    <Page title={w.title} about={w.about} className="models">
      <section>
        <h2>{w.providers}</h2>
        <p className="faint">{w.providersAbout}</p>
        <Providers />
      </section>
      <section>
        <h2>{w.calculator}</h2>
        <Loaded query={prices}>{(list) => <Calculator prices={list} chosen={chosen} onChoose={setChosen} />}</Loaded>
      </section>
      <section>
        <h2>{w.prices}</h2>
        <p className="faint">{w.pricesAbout}</p>
        <Prices q={query.get("q") ?? ""} prices={prices} onChoose={setChosen} />
      </section>
    </Page>
  );
}

function Providers() {
  const w = useWords(modelWords);
  const query = useQuery({ queryKey: ["providers"], refetchInterval: LOOK_MS, queryFn: ({ signal }) => client.listProviders({ limit: 100 }, { signal }) });
  return (
    <Loaded query={query}>
      {({ items }) => (items.length === 0 ? <p className="hint">{w.noProviders}</p> : (
        <div className="table-wrap" tabIndex={0} role="region" aria-label={w.providers}>
          <table className="data-table" data-testid="providers">
            <thead><tr><th scope="col">{w.provider}</th><th scope="col">{w.state}</th><th scope="col">{w.models}</th><th scope="col" className="num">{w.busy}</th><th scope="col" className="num">{w.waits}</th></tr></thead>
            <tbody>{items.map((p) => <ProviderRow key={p.id} provider={p} />)}</tbody>
          </table>
        </div>
      ))}
    </Loaded>
  );
}

function ProviderRow({ provider: p }: { provider: Provider }) {
  const w = useWords(modelWords);
  const seconds = Math.ceil((p.retry_in_ms ?? 0) / 1000);
  const state = p.state === "closed" ? w.closed : p.state === "recovering" ? w.recovering : seconds > 0 ? w.open(seconds) : w.openSoon;
  const tone = { closed: "good", recovering: "warm", open: "bad" }[p.state];
  return (
    <tr>
      <td><strong>{p.id}</strong> <span className="faint">{p.dialect === "demo" ? w.demo : p.dialect}</span></td>
      <td><span className="chip" data-tone={tone}><Icon name={p.state === "closed" ? "check" : p.state === "open" ? "warn" : "again"} size={12} />{state}</span></td>
      <td><span className="row model-names">{p.models.map((m) => <code key={m}>{m}{m === p.default_model && <span className="faint"> {w.defaultModel}</span>}</code>)}</span></td>
      <td className="num"><meter min={0} max={p.max_concurrent} value={p.in_flight} aria-label={w.busy} /> {w.of(p.in_flight, p.max_concurrent)}</td>
      <td className="num">{count(p.queue)}</td>
    </tr>
  );
}

const keyOf = (p: Price) => `${p.provider ?? "*"}/${p.model}`;

function Prices({ q, prices, onChoose }: { q: string; prices: UseQueryResult<Price[]>; onChoose: (key: string) => void }) {
  const w = useWords(modelWords);
  const shown = useMemo(() => prices.data?.filter((p) => fits(p, q)), [prices.data, q]);
  return (
    <>
      <div className="toolbar"><div className="grow"><SearchField q={q} label={w.search} /></div></div>
      <Loaded query={prices}>
        {(all) => (!shown?.length ? <p className="hint">{all.length ? w.nothingFits(q) : w.noPrices}</p> : (
          <div className="table-wrap" tabIndex={0} role="region" aria-label={w.prices}>
            <table className="data-table" data-testid="prices">
              <thead><tr><th scope="col">{w.model}</th><th scope="col">{w.provider}</th><th scope="col" className="num">{w.input}</th><th scope="col" className="num">{w.output}</th><th scope="col">{w.source}</th><th scope="col"><span className="sr">{w.choose}</span></th></tr></thead>
              <tbody>
                {shown.map((p, i) => (
                  <tr key={`${keyOf(p)}/${i}`}>
                    <td><code>{p.model}</code></td><td>{p.provider ?? w.anyProvider}</td><td className="num">{rate(p.input)}</td><td className="num">{rate(p.output)}</td>
                    <td className="faint">{w.sources[p.source]}{p.as_of && ` · ${w.asOf(p.as_of)}`}</td>
                    <td className="actions"><button type="button" className="quiet small" aria-label={`${w.choose}: ${p.model}`} title={w.choose} onClick={() => onChoose(keyOf(p))}><Icon name="up" size={13} /></button></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ))}
      </Loaded>
    </>
  );
}

const amount = (text: string) => Math.max(0, Number(text) || 0);

function Calculator({ prices, chosen, onChoose }: { prices: Price[]; chosen?: string; onChoose: (key: string) => void }) {
  const w = useWords(modelWords);
  const [input, setInput] = useState("10000");
  const [output, setOutput] = useState("2000");
  const [calls, setCalls] = useState("1");
  const price = prices.find((p) => keyOf(p) === chosen) ?? prices[0];
  if (!price) return <p className="hint">{w.noPrices}</p>;
  const each = cost(price, amount(input), amount(output));
  return (
    <div className="card stack">
      <div className="grid-4">
        <Field label={w.model}>
          {(control) => (
            <select {...control} value={keyOf(price)} onChange={(e) => onChoose(e.target.value)} data-testid="calc-model">
              {prices.map((p, i) => <option key={`${keyOf(p)}/${i}`} value={keyOf(p)}>{p.model}{p.provider ? ` (${p.provider})` : ""}</option>)}
            </select>
          )}
        </Field>
        <TextField label={w.inTokens} type="number" value={input} onChange={setInput} testId="calc-in" />
        <TextField label={w.outTokens} type="number" value={output} onChange={setOutput} testId="calc-out" />
        <TextField label={w.times} type="number" value={calls} onChange={setCalls} testId="calc-calls" />
      </div>
      <p className="calc-cost" role="status"><span>{w.costs}</span> <strong data-testid="calc-cost">{dollars(each * amount(calls))}</strong> <span className="faint">{w.each(dollars(each))}</span></p>
      <p className="faint">{w.calculatorAbout}</p>
    </div>
  );
}
