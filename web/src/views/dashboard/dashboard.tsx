// Sessions, tokens, cost and time in figures and charts; read again as sessions move.

import { useEffect, useState, useSyncExternalStore } from "react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useApp } from "@/app/context";
import { href, setQuery } from "@/app/route";
import { useWaitingCount } from "@/app/sidebar";
import type { ViewProps } from "@/app/views";
import { api, client } from "@/client/http";
import { BarChart } from "@/ui/chart/bars";
import { count, locale, shortDuration, words as spoken } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { Empty, Page } from "@/ui/kit/page";
import { statusWord } from "@/ui/status";
import { useLang, useWords } from "@/words/words";
import { dollars } from "../models/price";
import { byDay, byStatus, dayOf, days, daysBack, rank, short } from "./figures";
import { Failures, Ranks, Workflows } from "./tables";
import { dashboardWords } from "./words";
import "./dashboard.css";

const RANGES = [1, 7, 30, 90];
const DEFAULT_DAYS = 7;
const PAUSE_MS = 1_000;

/** How often sessions moved, told no more than once a second: each asks the server for sums. */
function useMoves(): number {
  const { list } = useApp();
  const moves = useSyncExternalStore(list.subscribe, () => list.get().moves);
  const [told, setTold] = useState(moves);
  useEffect(() => {
    if (moves === told) return;
    const timer = setTimeout(() => setTold(moves), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [moves, told]);
  return told;
}

const isDay = (text: string | null): text is string => text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));

function useSums(from: string, workflow: string) {
  const moves = useMoves();
  const after = `${from}T00:00:00Z`;
  const stats = useQuery({
    queryKey: ["stats", from, workflow, moves], placeholderData: keepPreviousData,
    queryFn: ({ signal }) => client.sessionStats({ created_after: after, workflow_id: workflow || null }, { signal }),
  });
  const usage = (by: string) => ({
    queryKey: ["usage", by, from, moves], placeholderData: keepPreviousData, queryFn: ({ signal }: { signal: AbortSignal }) => client.getUsage({ from: after, by }, { signal }),
  });
  return { stats, daily: useQuery(usage("day")), models: useQuery(usage("model")), agents: useQuery(usage("agent")), groups: useQuery(usage("group")) };
}

type Sums = ReturnType<typeof useSums>;
type Stats = NonNullable<Sums["stats"]["data"]>;

export default function Dashboard({ query }: ViewProps) {
  const w = useWords(dashboardWords);
  const asked = query.get("from");
  const from = isDay(asked) ? asked : daysBack(DEFAULT_DAYS);
  const workflow = query.get("workflow_id") ?? "";
  const workflows = useQuery({ queryKey: ["workflows", "all"], queryFn: api.workflows });
  const names = new Map((workflows.data ?? []).map((x) => [x.id, x.name ?? spoken(x.id)]));
  const sums = useSums(from, workflow);
  return (
    <Page title={w.title} about={w.about} className="dashboard">
      <Filters from={from} workflow={workflow} names={names} />
      <Loaded query={sums.stats}>
        {(stats) => <Body stats={stats} sums={sums} from={from} workflow={workflow} names={names} />}
      </Loaded>
    </Page>
  );
}

function Filters({ from, workflow, names }: { from: string; workflow: string; names: Map<string, string> }) {
  const w = useWords(dashboardWords);
  const known = RANGES.some((n) => daysBack(n) === from);
  const options = workflow && !names.has(workflow) ? [[workflow, workflow] as const, ...names] : [...names];
  return (
    <div className="toolbar">
      <label>{w.range}
        <select value={from} onChange={(e) => setQuery({ from: e.target.value === daysBack(DEFAULT_DAYS) ? "" : e.target.value })} data-testid="range">
          {RANGES.map((n) => <option key={n} value={daysBack(n)}>{w.ranges(n)}</option>)}
          {!known && <option value={from}>{w.since(from)}</option>}
        </select>
      </label>
      <label>{w.workflow}
        <select value={workflow} onChange={(e) => setQuery({ workflow_id: e.target.value })} data-testid="dashboard-workflow">
          <option value="">{w.allWorkflows}</option>
          {options.map(([id, name]) => <option key={id} value={id}>{name}</option>)}
        </select>
      </label>
    </div>
  );
}

interface BodyProps { stats: Stats; sums: Sums; from: string; workflow: string; names: Map<string, string> }

function Body({ stats, sums, from, workflow, names }: BodyProps) {
  const w = useWords(dashboardWords);
  const waiting = useWaitingCount();
  const usage = sums.daily.data?.items ?? [];
  if (stats.total === 0 && usage.length === 0 && !workflow) {
    return <Empty title={w.emptyTitle} action={<a className="button primary" href={href.start()}>{w.start}</a>}><p>{w.emptyAbout}</p></Empty>;
  }
  return (
    <>
      {stats.truncated && <p className="banner" data-tone="warn">{w.truncated}</p>}
      <Tiles stats={stats} waiting={waiting} unpriced={sums.daily.data?.total.unpriced_calls ?? 0} />
      <Charts stats={stats} usage={usage} from={from} all={!workflow} />
      <div className="figure-grid">
        <Durations stats={stats} />
        <Failures rows={stats.failures} />
        <Workflows rows={stats.by_workflow} names={names} />
        {!workflow && <UsageTables sums={sums} />}
      </div>
      {workflow && <p className="faint">{w.usageAll}</p>}
    </>
  );
}

function Tile({ name, value, note, link, testId, tone }: { name: string; value: string; note?: string; link?: string; testId: string; tone?: string }) {
  const inner = <><span className="tile-name">{name}</span><strong data-testid={testId}>{value}</strong>{note && <span className="faint">{note}</span>}</>;
  return link ? <a className="card tile" href={link} data-tone={tone}>{inner}</a> : <div className="card tile" data-tone={tone}>{inner}</div>;
}

function Tiles({ stats, waiting, unpriced }: { stats: Stats; waiting: number; unpriced: number }) {
  const w = useWords(dashboardWords);
  const of = (n: number) => (stats.total ? w.ofAll(`${Math.round((100 * n) / stats.total)} %`) : undefined);
  const n = (status: string) => stats.by_status[status] ?? 0;
  const { usage, durations } = stats;
  return (
    <div className="tiles">
      <Tile name={w.running} value={count(n("running"))} link={href.sessions({ status: "running" })} testId="tile-running" />
      <Tile name={w.waiting} value={waiting > 99 ? "99+" : count(waiting)} link={href.reviews()} testId="tile-waiting" tone={waiting ? "warm" : undefined} />
      <Tile name={w.sessions} value={count(stats.total)} testId="tile-total" />
      <Tile name={w.completed} value={count(n("completed"))} note={of(n("completed"))} link={href.sessions({ status: "completed" })} testId="tile-completed" />
      <Tile name={w.failed} value={count(n("failed"))} note={of(n("failed"))} link={href.sessions({ status: "failed" })} testId="tile-failed" tone={n("failed") ? "bad" : undefined} />
      <Tile name={w.latency} value={durations.p50_ms === null ? w.none : shortDuration(durations.p50_ms)} testId="tile-p50" />
      <Tile name={w.tokens} value={short(usage.input_tokens + usage.output_tokens)} note={`${w.input} ${short(usage.input_tokens)} · ${w.output} ${short(usage.output_tokens)}`} testId="tile-tokens" />
      <Tile name={w.cost} value={dollars(usage.cost_usd)} note={unpriced ? w.unpriced(unpriced) : undefined} testId="tile-cost" />
    </div>
  );
}

function Charts({ stats, usage, from, all }: { stats: Stats; usage: Parameters<typeof byDay>[0]; from: string; all: boolean }) {
  const w = useWords(dashboardWords);
  useLang();
  const list = days(from, dayOf(Date.now()));
  const named = (day: string, options: Intl.DateTimeFormatOptions) => new Date(`${day}T00:00:00Z`).toLocaleDateString(locale(), { timeZone: "UTC", ...options });
  const bars = list.map((d) => ({ short: named(d, { day: "numeric", month: "short" }), full: named(d, { weekday: "short", day: "numeric", month: "long", year: "numeric" }) }));
  const states = byStatus(stats.by_day, list).map((s) => ({ name: statusWord(s.status), tone: s.tone, values: s.values }));
  const cost = byDay(usage, list, (u) => u.cost_usd ?? 0);
  return (
    <div className="charts">
      <div className="card chart-wide"><BarChart label={w.perDay} bars={bars} series={states} xLabel={w.day} yLabel={w.count} y={count} whole /></div>
      {all && (
        <>
          <div className="card">
            <BarChart label={w.tokensPerDay} bars={bars} xLabel={w.day} yLabel={w.tokens} y={short} empty={w.noUsage}
              series={[{ name: w.input, values: byDay(usage, list, (u) => u.input_tokens) }, { name: w.output, values: byDay(usage, list, (u) => u.output_tokens) }]} />
          </div>
          <div className="card"><BarChart label={w.costPerDay} bars={bars} xLabel={w.day} yLabel={w.dollars} y={dollars} series={[{ name: w.cost, values: cost }]} empty={w.noCost} /></div>
        </>
      )}
    </div>
  );
}

function Durations({ stats: { durations: d } }: { stats: Stats }) {
  const w = useWords(dashboardWords);
  const rows = [[w.p50, d.p50_ms], [w.p90, d.p90_ms], [w.p99, d.p99_ms], [w.max, d.max_ms], [w.mean, d.mean_ms]] as const;
  const most = d.max_ms ?? 0;
  return (
    <section className="card figures">
      <h2>{w.durations}</h2>
      <p className="faint">{w.durationsAbout}</p>
      {d.count === 0 ? <p className="faint"><Icon name="dot" size={12} /> {w.noEnded}</p> : (
        <table className="data-table" data-testid="durations">
          <tbody>
            {rows.map(([name, ms]) => (
              <tr key={name}>
                <th scope="row">{name}<span className="share" aria-hidden="true"><span style={{ width: `${most ? (100 * (ms ?? 0)) / most : 0}%` }} /></span></th>
                <td className="num">{ms === null ? w.none : shortDuration(ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function UsageTables({ sums }: { sums: Sums }) {
  const w = useWords(dashboardWords);
  const groups = useQuery({ queryKey: ["groups", "all"], queryFn: ({ signal }) => client.listGroups({ limit: 500 }, { signal }) });
  const agents = useQuery({ queryKey: ["agents", "all"], queryFn: ({ signal }) => client.listAgents({ limit: 500 }, { signal }) });
  const named = (list: { id: string; name: string }[] | undefined) => new Map((list ?? []).map((x) => [x.id, x.name]));
  const agentNames = named(agents.data?.items);
  return (
    <>
      <Ranks title={w.byModel} nobody={w.noModel} rows={rank(sums.models.data?.items ?? [], (u) => u.model ?? null)} testId="by-model" />
      <Ranks title={w.byAgent} nobody={w.noAgent} names={agentNames} rows={rank(sums.agents.data?.items ?? [], (u) => u.agent_id ?? null)} testId="by-agent" />
      <Ranks title={w.byGroup} nobody={w.noGroup} link={href.groups} names={named(groups.data?.items)} rows={rank(sums.groups.data?.items ?? [], (u) => u.group_id ?? null)} testId="by-group" />
    </>
  );
}
