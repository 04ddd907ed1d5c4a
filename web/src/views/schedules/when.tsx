// When a schedule runs: the usual cases as fields, everything else as the text of cron.

import type { Draft } from "@/ui/kit/draft";
import { Field, SelectField, TextField } from "@/ui/kit/field";
import { useWords } from "@/words/words";
import { cronOf, EVERY, planAs, planOf, WEEK, type Plan, type PlanKind } from "./cron";
import type { ScheduleForm } from "./form";
import { scheduleWords } from "./words";

const KINDS: PlanKind[] = ["minutes", "hourly", "daily", "weekly", "monthly", "text"];

export function When({ draft: { values, set, errors } }: { draft: Draft<ScheduleForm> }) {
  const w = useWords(scheduleWords);
  const plan: Plan = values.asText ? { kind: "text", text: values.cron } : planOf(values.cron);
  const change = (next: Plan) => set({ cron: cronOf(next), asText: next.kind === "text" });
  return (
    <div className="when">
      <SelectField label={w.when} value={plan.kind} options={KINDS.map((k) => [k, w.kinds[k]] as const)} onChange={(k) => change(planAs(k as PlanKind, plan))} testId="when" />
      <PlanFields plan={plan} error={errors.cron} onChange={change} />
      {plan.kind !== "text" && (
        <p className="faint cron-text" data-testid="cron-text">{w.cronRead} <code>{values.cron}</code>{errors.cron && <span className="field-error">{errors.cron}</span>}</p>
      )}
    </div>
  );
}

function PlanFields({ plan, error, onChange }: { plan: Plan; error?: string; onChange: (plan: Plan) => void }) {
  const w = useWords(scheduleWords);
  switch (plan.kind) {
    case "minutes":
      return <SelectField label={w.every} value={String(plan.every)} options={EVERY.map((e) => [String(e), w.minutes(e)] as const)} onChange={(e) => onChange({ kind: "minutes", every: Number(e) })} />;
    case "hourly":
      return <Numbered label={w.minute} value={plan.minute} from={0} to={59} onChange={(minute) => onChange({ kind: "hourly", minute })} />;
    case "daily":
      return <Time value={plan.at} onChange={(at) => onChange({ kind: "daily", at })} />;
    case "weekly":
      return <><Days days={plan.days} onChange={(days) => onChange({ ...plan, days })} /><Time value={plan.at} onChange={(at) => onChange({ ...plan, at })} /></>;
    case "monthly":
      return (
        <>
          <Numbered label={w.dayOfMonth} about={plan.day > 28 ? w.shortDays : undefined} value={plan.day} from={1} to={31} onChange={(day) => onChange({ ...plan, day })} />
          <Time value={plan.at} onChange={(at) => onChange({ ...plan, at })} />
        </>
      );
    default:
      return <TextField label={w.cron} about={w.cronAbout} mono value={plan.text} error={error} onChange={(text) => onChange({ kind: "text", text })} testId="cron" />;
  }
}

function Time({ value, onChange }: { value: string; onChange: (at: string) => void }) {
  const w = useWords(scheduleWords);
  return <Field label={w.at}>{(control) => <input {...control} type="time" value={value} required data-testid="at" onChange={(e) => e.target.value && onChange(e.target.value)} />}</Field>;
}

interface NumberedProps { label: string; about?: string; value: number; from: number; to: number; onChange: (value: number) => void }

function Numbered({ label, about, value, from, to, onChange }: NumberedProps) {
  const list = Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
  return <SelectField label={label} about={about} value={String(value)} options={list.map((n) => [n, n] as const)} onChange={(n) => onChange(Number(n))} />;
}

function Days({ days, onChange }: { days: number[]; onChange: (days: number[]) => void }) {
  const w = useWords(scheduleWords);
  const flip = (d: number) => {
    const next = WEEK.filter((x) => (x === d ? !days.includes(x) : days.includes(x)));
    // No day at all would be another schedule: the last one stays.
    if (next.length) onChange(next);
  };
  return (
    <div className="field" role="group" aria-label={w.onDays}>
      <span className="field-label">{w.onDays}</span>
      <div className="day-row">
        {WEEK.map((d) => <button key={d} type="button" className="small" aria-pressed={days.includes(d)} onClick={() => flip(d)}>{w.days[d]}</button>)}
      </div>
    </div>
  );
}
