// What a webhook is told, of which sessions, and the secret that signs it.

import { useQuery } from "@tanstack/react-query";
import { api, client } from "@/client/http";
import { words as spoken } from "@/ui/format";
import type { Draft } from "@/ui/kit/draft";
import { Check, SelectField, TextField } from "@/ui/kit/field";
import { WordsField } from "@/ui/kit/picks";
import { common, statusWords } from "@/words/common";
import { useWords } from "@/words/words";
import { EVENT_TYPES, type WebhookForm } from "./form";
import { webhookWords } from "./words";

// Examples of what is typed, the same in every language.
const URL_HINT = "https://example.com/sluice";
const METADATA_HINT = '{"team": "blue"}';
const STATUSES = ["pending", "running", "paused", "completed", "failed", "cancelled"];

export function WebhookFields({ draft, isNew }: { draft: Draft<WebhookForm>; isNew: boolean }) {
  const w = useWords(webhookWords);
  const c = useWords(common);
  const { values: v, set, errors: e } = draft;
  return (
    <>
      <TextField label={w.url} about={w.urlAbout} type="url" mono value={v.url} error={e.url} onChange={(url) => set({ url })} hint={URL_HINT} required testId="webhook-url" />
      <TextField label={c.name} optional value={v.name} error={e.name} onChange={(name) => set({ name })} testId="webhook-name" />
      <SelectField label={w.events} value={v.all ? "all" : "some"} options={[["all", w.allEvents], ["some", w.someEvents]]} onChange={(x) => set({ all: x === "all" })} testId="webhook-events" />
      {!v.all && <WordsField label={w.eventTypes} mono values={v.events} suggestions={EVENT_TYPES} error={e.events} onChange={(events) => set({ events })} testId="webhook-types" />}
      <FilterFields draft={draft} />
      <TextField label={w.secret} about={isNew ? w.secretNew : w.secretKept} optional type="password" value={v.secret} error={e.secret} hint={w.secretHint} onChange={(secret) => set({ secret })} testId="webhook-secret" />
      <Check label={w.enabled} checked={v.enabled} onChange={(enabled) => set({ enabled })} testId="webhook-enabled" />
    </>
  );
}

function FilterFields({ draft: { values: v, set, errors: e } }: { draft: Draft<WebhookForm> }) {
  const w = useWords(webhookWords);
  const statuses = useWords(statusWords);
  const workflows = useQuery({ queryKey: ["workflows", "all"], queryFn: api.workflows });
  const groups = useQuery({ queryKey: ["groups", "all"], queryFn: ({ signal }) => client.listGroups({ limit: 500 }, { signal }) });
  const change = (part: Partial<WebhookForm["filter"]>) => set({ filter: { ...v.filter, ...part } });
  const known = (id: string, list: (readonly [string, string])[]) => [["", w.any] as const, ...(id && !list.some(([x]) => x === id) ? [[id, id] as const] : []), ...list];
  const used = v.filter.workflow_id || v.filter.group_id || v.filter.session_id || v.filter.status.length || v.filter.metadata;
  return (
    <details className="more-fields" open={Boolean(used || e.filter) || undefined}>
      <summary>{w.filter}</summary>
      <div className="stack">
        <p className="about faint">{w.filterAbout}</p>
        <div className="grid-2">
          <SelectField label={w.workflow} value={v.filter.workflow_id} options={known(v.filter.workflow_id, (workflows.data ?? []).map((x) => [x.id, x.name ?? spoken(x.id)] as const))} onChange={(workflow_id) => change({ workflow_id })} />
          <SelectField label={w.group} value={v.filter.group_id} options={known(v.filter.group_id, (groups.data?.items ?? []).map((x) => [x.id, x.name] as const))} onChange={(group_id) => change({ group_id })} />
        </div>
        <TextField label={w.session} optional mono value={v.filter.session_id} onChange={(session_id) => change({ session_id })} />
        <div className="field" role="group" aria-label={w.statuses}>
          <span className="field-label">{w.statuses}</span>
          <div className="row">
            {STATUSES.map((s) => (
              <Check key={s} label={statuses[s] ?? s} checked={v.filter.status.includes(s)} onChange={(on) => change({ status: STATUSES.filter((x) => (x === s ? on : v.filter.status.includes(x))) })} />
            ))}
          </div>
        </div>
        <TextField label={w.metadata} about={w.metadataAbout} optional mono rows={2} value={v.filter.metadata} onChange={(metadata) => change({ metadata })} hint={METADATA_HINT} />
        {e.filter && <p className="field-error" role="alert">{e.filter}</p>}
      </div>
    </details>
  );
}
