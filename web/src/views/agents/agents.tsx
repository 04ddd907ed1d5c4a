// Agents: the list, and the chosen one's form.

import { useCallback, useState } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { Agent } from "@sluice/client";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { client } from "@/client/http";
import { Avatar } from "@/ui/avatar";
import { words as spoken } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Catalog, catalogWords, Chosen, ObjectForm, SystemSign } from "@/ui/kit/catalog";
import { useDraft, type Draft } from "@/ui/kit/draft";
import { Check, TextField } from "@/ui/kit/field";
import { dropFromPages, usePages } from "@/ui/kit/pages";
import { WordsField } from "@/ui/kit/picks";
import { toast } from "@/ui/kit/toast";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { agentBody, agentForm, richTools, type AgentForm } from "./form";
import { ModelsField } from "./models-field";
import { TryDialog } from "./try";
import { agentWords } from "./words";
import "./agents.css";

export const NEW = "~new";
const TOOLS = ["read_file", "write_file", "list_files", "web_search", "http", "memory_query", "memory_ingest"];

export default function Agents({ params, query }: ViewProps) {
  const w = useWords(agentWords);
  const cw = useWords(catalogWords);
  const may = useMay();
  const q = query.get("q") ?? "";
  const pages = usePages(["agents", "list", q], (cursor, signal) => client.listAgents({ q: q || null, limit: 100, cursor }, { signal }));
  const chosen = params.id;
  return (
    <Catalog<Agent> title={w.title} about={w.about} pages={pages} chosen={chosen} back={href.agents()} address={(id) => `${href.agents(id)}${q ? `?q=${encodeURIComponent(q)}` : ""}`}
      search={{ q, label: w.search }} empty={{ title: w.emptyTitle, about: <p>{w.emptyAbout}</p> }}
      create={{ label: w.create, address: href.agents(NEW), disabled: may("editor") ? undefined : cw.readOnly }}
      row={(a) => ({ id: a.id, title: a.name, note: a.description || a.id, mark: <Avatar mark={a.avatar} name={a.name} />, chip: a.system && <SystemSign /> })}>
      {chosen === NEW ? <NewAgent from={query.get("from") ?? undefined} /> : chosen !== undefined ? <StoredAgent id={chosen} /> : undefined}
    </Catalog>
  );
}

const useAgent = (id: string | undefined) =>
  useQuery({ queryKey: ["agents", id], enabled: id !== undefined, queryFn: ({ signal }) => client.getAgent(id!, { signal }) });

function StoredAgent({ id }: { id: string }) {
  return <Chosen query={useAgent(id)}>{(agent) => <AgentEditor agent={agent} />}</Chosen>;
}

function NewAgent({ from }: { from?: string }) {
  const source = useAgent(from);
  if (from === undefined) return <AgentEditor />;
  return <Chosen query={source}>{(agent) => <AgentEditor from={agent} key={agent.id} />}</Chosen>;
}

function checkAgent(f: AgentForm, w: (typeof agentWords)["en"]): Partial<Record<keyof AgentForm, string>> {
  const wrong: Partial<Record<keyof AgentForm, string>> = {};
  if (!f.name.trim()) wrong.name = w.nameNeeded;
  for (const field of ["temperature", "top_p", "max_tokens", "max_tool_rounds"] as const) {
    if (f[field].trim() && !Number.isFinite(Number(f[field]))) wrong[field] = w.notNumber;
  }
  try {
    richTools(f.toolsJson);
  } catch {
    wrong.toolsJson = w.toolsBad;
  }
  return wrong;
}

function AgentEditor({ agent, from }: { agent?: Agent; from?: Agent }) {
  const w = useWords(agentWords);
  const cw = useWords(catalogWords);
  const may = useMay();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const form = useCallback((stored: Agent | undefined): AgentForm => {
    const values = agentForm(stored ?? from);
    return stored || !from ? values : { ...values, id: "", name: w.copyOf(from.name) };
  }, [from, w]);
  const draft = useDraft<AgentForm, Agent>({
    stored: agent, form, check: (f) => checkAgent(f, w),
    save: (f, version, stored) => (stored
      ? client.putAgent(stored.id, { ...agentBody(f), id: stored.id }, { ifMatch: version })
      : client.createAgent(agentBody(f))),
    read: (stored) => queries.fetchQuery({ queryKey: ["agents", stored.id], staleTime: 0, queryFn: () => client.getAgent(stored.id) }),
    onSaved: (saved, isNew) => {
      queries.setQueryData(["agents", saved.id], saved);
      void queries.invalidateQueries({ queryKey: ["agents"] });
      toast(cw.saved);
      if (isNew) go(href.agents(saved.id));
    },
  });
  const { values } = draft;
  const locked = agent?.system ? w.systemLocked : may("editor") ? undefined : cw.readOnly;
  const remove = async (detach: boolean) => {
    await client.deleteAgent(agent!.id, detach ? { query: { detach: true } } : { ifMatch: agent!.version });
    dropFromPages(queries, "agents", agent!.id);
    go(href.agents());
  };
  return (
    <>
      <ObjectForm draft={draft} isNew={!agent} title={agent?.name ?? w.newTitle} mark={<Avatar mark={values.avatar} name={values.name} />} locked={locked} createLabel={w.create}
        chips={agent?.system ? <span className="chip">{cw.system}</span> : undefined}
        onRemove={agent && !locked ? { name: agent.name, about: <p>{w.deleteAbout}</p>, detachAbout: w.detachAbout, run: remove } : undefined}
        actions={agent && (
          <>
            <button type="button" className="small" disabled={!may("editor")} title={may("editor") ? undefined : w.tryRole} onClick={() => setAsking(true)} data-testid="try"><Icon name="play" size={12} />{w.tryIt}</button>
            {may("editor") && <a className="button small" href={`${href.agents(NEW)}?from=${encodeURIComponent(agent.id)}`} data-testid="duplicate"><Icon name="copy" size={13} />{w.duplicate}</a>}
          </>
        )}
        after={agent && <UsedBy id={agent.id} />}>
        <AgentFields draft={draft} isNew={!agent} />
      </ObjectForm>
      {asking && agent && <TryDialog id={agent.id} name={agent.name} unsaved={draft.dirty} onClose={() => setAsking(false)} />}
    </>
  );
}

function AgentFields({ draft: { values: v, set, errors: e }, isNew }: { draft: Draft<AgentForm>; isNew: boolean }) {
  const w = useWords(agentWords);
  const c = useWords(common);
  return (
    <>
      <div className="grid-2">
        <TextField label={c.name} value={v.name} error={e.name} onChange={(name) => set({ name })} testId="agent-name" required />
        <TextField label={w.avatar} optional value={v.avatar} error={e.avatar} hint="🦉" onChange={(avatar) => set({ avatar })} />
      </div>
      {isNew && <TextField label={w.id} about={w.idAbout} optional mono value={v.id} error={e.id} onChange={(id) => set({ id })} testId="agent-id" />}
      <TextField label={c.description} about={w.descriptionAbout} optional value={v.description} error={e.description} onChange={(description) => set({ description })} />
      <TextField label={w.persona} about={w.personaAbout} rows={9} value={v.persona} error={e.persona} onChange={(persona) => set({ persona })} testId="agent-persona" />
      <ModelsField rows={v.model} error={e.model} onChange={(model) => set({ model })} />
      <div className="grid-3">
        <TextField label={w.temperature} about={w.temperatureAbout} optional value={v.temperature} error={e.temperature} onChange={(temperature) => set({ temperature })} testId="agent-temperature" />
        <TextField label={w.topP} about={w.topPAbout} optional value={v.top_p} error={e.top_p} onChange={(top_p) => set({ top_p })} />
        <TextField label={w.maxTokens} about={w.maxTokensAbout} optional value={v.max_tokens} error={e.max_tokens} onChange={(max_tokens) => set({ max_tokens })} />
      </div>
      <WordsField label={w.tools} about={w.toolsAbout} optional mono values={v.tools} error={e.tools} suggestions={TOOLS} onChange={(tools) => set({ tools })} />
      <div className="grid-2">
        <WordsField label={w.capabilities} optional values={v.capabilities} error={e.capabilities} onChange={(capabilities) => set({ capabilities })} />
        <TextField label={w.category} optional value={v.category} error={e.category} onChange={(category) => set({ category })} />
      </div>
      <details className="more-fields" open={Boolean(e.toolsJson || e.max_tool_rounds) || undefined}>
        <summary>{w.more}</summary>
        <div className="stack">
          <TextField label={w.toolsJson} about={w.toolsJsonAbout} optional mono rows={3} value={v.toolsJson} error={e.toolsJson} onChange={(toolsJson) => set({ toolsJson })} />
          <TextField label={w.rounds} about={w.roundsAbout} optional value={v.max_tool_rounds} error={e.max_tool_rounds} onChange={(max_tool_rounds) => set({ max_tool_rounds })} />
          <Check label={w.remembers} checked={v.remembers} onChange={(remembers) => set({ remembers })} />
          {v.remembers && (
            <div className="grid-2">
              <TextField label={w.groupResults} optional value={v.group_results} hint="5" onChange={(group_results) => set({ group_results })} />
              <TextField label={w.agentResults} optional value={v.agent_results} hint="5" onChange={(agent_results) => set({ agent_results })} />
            </div>
          )}
        </div>
      </details>
    </>
  );
}

/** The groups that have it. What names it in workflows the server tells when it is to be deleted. */
function UsedBy({ id }: { id: string }) {
  const w = useWords(agentWords);
  const { data } = useQuery({ queryKey: ["groups", "all"], queryFn: ({ signal }) => client.listGroups({ limit: 500 }, { signal }) });
  if (!data) return null;
  const groups = data.items.filter((g) => g.default_agent_ids?.includes(id));
  return (
    <section className="used-by">
      <h3>{w.usedBy}</h3>
      {groups.length === 0 ? <p className="faint">{w.usedByNone}</p> : (
        <ul className="row">{groups.map((g) => <li key={g.id}><a className="button small" href={href.groups(g.id)}>{g.icon} {g.name || spoken(g.id)}</a></li>)}</ul>
      )}
    </section>
  );
}
