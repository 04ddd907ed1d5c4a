// Schedules: the list, the chosen one's form, and how it goes.

import { useCallback, useRef, useState } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { Schedule } from "@sluice/client";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { api, client } from "@/client/http";
import { locale, moment, words as spoken } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Catalog, catalogWords, Chosen, ObjectForm } from "@/ui/kit/catalog";
import { useDraft, type Draft } from "@/ui/kit/draft";
import { Check, Field, SelectField, TextField } from "@/ui/kit/field";
import { ErrorText } from "@/ui/kit/loaded";
import { dropFromPages, usePages } from "@/ui/kit/pages";
import { toast } from "@/ui/kit/toast";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { scheduleBody, scheduleForm, type ScheduleForm } from "./form";
import { InputFields } from "./input";
import { When } from "./when";
import { scheduleWords } from "./words";
import "./schedules.css";

const NEW = "~new";
// Times come and sessions start without a word to this page.
const LOOK_MS = 20_000;

export default function Schedules({ params, query }: ViewProps) {
  const w = useWords(scheduleWords);
  const cw = useWords(catalogWords);
  const may = useMay();
  const q = query.get("q") ?? "";
  const pages = usePages(["schedules", "list", q], (cursor, signal) => client.listSchedules({ q: q || null, limit: 100, cursor }, { signal }), { refetchInterval: LOOK_MS });
  const chosen = params.id;
  return (
    <Catalog<Schedule> title={w.title} about={w.about} pages={pages} chosen={chosen} back={href.schedules()} address={(id) => `${href.schedules(id)}${q ? `?q=${encodeURIComponent(q)}` : ""}`}
      search={{ q, label: w.search }} empty={{ title: w.emptyTitle, about: <p>{w.emptyAbout}</p> }}
      create={{ label: w.create, address: href.schedules(NEW), disabled: may("editor") ? undefined : cw.readOnly }}
      row={(s) => ({ id: s.id, title: s.name || spoken(s.workflow_id), note: s.enabled ? (s.next_at ? `${w.next}: ${moment(s.next_at)}` : w.never) : w.isOff,
        mark: <Icon name={s.last_error ? "warn" : s.enabled ? "calendar" : "pause"} />, chip: s.enabled ? undefined : <span className="chip">{w.off}</span> })}>
      {chosen === NEW ? <Editor workflow={query.get("workflow") ?? undefined} /> : chosen !== undefined ? <Stored id={chosen} /> : undefined}
    </Catalog>
  );
}

function Stored({ id }: { id: string }) {
  const query = useQuery({ queryKey: ["schedules", id], refetchInterval: LOOK_MS, queryFn: ({ signal }) => client.getSchedule(id, { signal }) });
  return <Chosen query={query}>{(schedule) => <Editor schedule={schedule} />}</Chosen>;
}

function Editor({ schedule, workflow }: { schedule?: Schedule; workflow?: string }) {
  const w = useWords(scheduleWords);
  const cw = useWords(catalogWords);
  const may = useMay();
  const queries = useQueryClient();
  const complete = useRef(true);
  const form = useCallback((stored: Schedule | undefined) => scheduleForm(stored, workflow), [workflow]);
  const draft = useDraft<ScheduleForm, Schedule>({
    stored: schedule, form,
    check: (f) => ({
      ...(f.workflow_id ? {} : { workflow_id: w.workflowNeeded }), ...(f.cron.trim() ? {} : { cron: w.cronNeeded }), ...(complete.current ? {} : { input: w.inputBad }),
    }),
    save: (f, version, stored) => (stored ? client.putSchedule(stored.id, scheduleBody(f), { ifMatch: version }) : client.createSchedule(scheduleBody(f))),
    read: (stored) => queries.fetchQuery({ queryKey: ["schedules", stored.id], staleTime: 0, queryFn: () => client.getSchedule(stored.id) }),
    onSaved: (saved, isNew) => {
      queries.setQueryData(["schedules", saved.id], saved);
      void queries.invalidateQueries({ queryKey: ["schedules"] });
      toast(cw.saved);
      if (isNew) go(href.schedules(saved.id));
    },
  });
  const locked = may("editor") ? undefined : cw.readOnly;
  const title = schedule ? schedule.name || spoken(schedule.workflow_id) : w.newTitle;
  const remove = async () => {
    await client.deleteSchedule(schedule!.id, { ifMatch: schedule!.version });
    dropFromPages(queries, "schedules", schedule!.id);
    go(href.schedules());
  };
  return (
    <ObjectForm draft={draft} isNew={!schedule} title={title} locked={locked} createLabel={w.create}
      chips={schedule && <span className="chip" data-tone={schedule.enabled ? "good" : undefined}>{schedule.enabled ? w.enabled : w.off}</span>}
      onRemove={schedule && !locked ? { name: title, about: <p>{w.deleteAbout}</p>, run: remove } : undefined}
      actions={schedule && <RunNow schedule={schedule} unsaved={draft.dirty} />}>
      {schedule && <HowItGoes schedule={schedule} unsaved={draft.dirty} />}
      <Fields draft={draft} onComplete={(yes) => { complete.current = yes; }} />
    </ObjectForm>
  );
}

function RunNow({ schedule, unsaved }: { schedule: Schedule; unsaved: boolean }) {
  const w = useWords(scheduleWords);
  const may = useMay();
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [started, setStarted] = useState<string>();
  const [error, setError] = useState<unknown>();
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      setStarted((await client.runSchedule(schedule.id)).session_id);
      void queries.invalidateQueries({ queryKey: ["schedules"] });
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
    }
  };
  const why = unsaved ? w.runUnsaved : may("operator") ? undefined : w.runRole;
  return (
    <>
      {started && <a className="button small" href={href.session(started)} data-testid="open-started"><Icon name="check" size={13} />{w.openSession}</a>}
      <ErrorText error={error} />
      <button type="button" className="small" disabled={busy || why !== undefined} title={why} onClick={() => void run()} data-testid="run-now">
        {busy ? <span className="spinner" aria-hidden="true" /> : <Icon name="play" size={12} />}{w.runNow}
      </button>
    </>
  );
}

function HowItGoes({ schedule: s, unsaved }: { schedule: Schedule; unsaved: boolean }) {
  const w = useWords(scheduleWords);
  const time = (iso: string) => {
    const there = new Date(iso).toLocaleString(locale(), { timeZone: zoneOr(s.time_zone), weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
    return <>{w.inZone(there, s.time_zone)}{zoneOr(s.time_zone) !== zoneOr(undefined) && <span className="faint"> · {w.yourTime(moment(iso))}</span>}</>;
  };
  return (
    <div className="card">
      <dl className="facts-list">
        <dt>{w.next}</dt><dd data-testid="next-at">{unsaved ? w.unsavedNext : !s.enabled ? w.isOff : s.next_at ? time(s.next_at) : w.never}</dd>
        <dt>{w.last}</dt>
        <dd>{s.last_at ? time(s.last_at) : w.lastNone}{s.last_session_id && <> · <a href={href.session(s.last_session_id)} data-testid="last-session">{w.lastSession}</a></>}</dd>
      </dl>
      {s.last_error && <p className="field-error" role="note"><Icon name="warn" size={13} />{w.lastError} {s.last_error.message} ({moment(s.last_error.at)})</p>}
    </div>
  );
}

/** A zone that the browser knows, or its own. */
function zoneOr(zone: string | undefined): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return new Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
}

function Fields({ draft, onComplete }: { draft: Draft<ScheduleForm>; onComplete: (complete: boolean) => void }) {
  const w = useWords(scheduleWords);
  const c = useWords(common);
  const { values: v, set, errors: e } = draft;
  const { data } = useQuery({ queryKey: ["workflows", "all"], queryFn: api.workflows });
  const options = (data ?? []).map((x) => [x.id, x.name ?? spoken(x.id)] as const);
  const unknown = v.workflow_id && data && !options.some(([id]) => id === v.workflow_id) ? [[v.workflow_id, `${v.workflow_id} (${w.workflowGone})`] as const] : [];
  const loading = v.workflow_id && !data ? [[v.workflow_id, v.workflow_id] as const] : [];
  return (
    <>
      <div className="grid-2">
        <SelectField label={w.workflow} about={w.workflowAbout} value={v.workflow_id} error={e.workflow_id} options={[["", w.choose], ...unknown, ...loading, ...options]}
          onChange={(workflow_id) => set({ workflow_id })} testId="schedule-workflow" />
        <TextField label={c.name} about={w.nameAbout} optional value={v.name} error={e.name} onChange={(name) => set({ name })} testId="schedule-name" />
      </div>
      <When draft={draft} />
      <Zone value={v.time_zone} error={e.time_zone} onChange={(time_zone) => set({ time_zone })} />
      <InputFields workflowId={v.workflow_id} input={v.input} error={e.input} onChange={(input, complete) => { onComplete(complete); set({ input }); }} />
      {e.input && <p className="field-error">{e.input}</p>}
      <div className="grid-2">
        <SelectField label={w.missed} value={v.missed} error={e.missed} options={(["skip", "once", "all"] as const).map((m) => [m, w.missedOptions[m]] as const)} onChange={(m) => set({ missed: m as Schedule["missed"] })} />
        <SelectField label={w.overlap} value={v.overlap} error={e.overlap} options={(["allow", "skip", "cancel"] as const).map((o) => [o, w.overlapOptions[o]] as const)} onChange={(o) => set({ overlap: o as Schedule["overlap"] })} />
      </div>
      <Check label={w.enabled} checked={v.enabled} onChange={(enabled) => set({ enabled })} testId="schedule-enabled" />
    </>
  );
}

function Zone({ value, error, onChange }: { value: string; error?: string; onChange: (zone: string) => void }) {
  const w = useWords(scheduleWords);
  const [zones] = useState(() => ["UTC", ...Intl.supportedValuesOf("timeZone").filter((z) => z !== "UTC")]);
  return (
    <Field label={w.zone} about={w.zoneAbout} error={error}>
      {(control) => (
        <>
          <input {...control} value={value} list="time-zones" autoComplete="off" spellCheck={false} onChange={(e) => onChange(e.target.value)} data-testid="zone" />
          <datalist id="time-zones">{zones.map((z) => <option key={z} value={z} />)}</datalist>
        </>
      )}
    </Field>
  );
}
