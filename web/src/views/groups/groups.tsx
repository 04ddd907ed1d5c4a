// Groups: the list, the chosen one's form, and where its sessions, memories and costs are.

import { useCallback } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { Group, GroupBody } from "@sluice/client";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { client } from "@/client/http";
import { Avatar } from "@/ui/avatar";
import { count, money } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Catalog, catalogWords, Chosen, ObjectForm, SystemSign } from "@/ui/kit/catalog";
import { useDraft, type Draft } from "@/ui/kit/draft";
import { SelectField, TextField } from "@/ui/kit/field";
import { dropFromPages, usePages } from "@/ui/kit/pages";
import { PickField } from "@/ui/kit/picks";
import { toast } from "@/ui/kit/toast";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { groupWords } from "./words";

const NEW = "~new";

export default function Groups({ params, query }: ViewProps) {
  const w = useWords(groupWords);
  const cw = useWords(catalogWords);
  const may = useMay();
  const q = query.get("q") ?? "";
  const pages = usePages(["groups", "list", q], (cursor, signal) => client.listGroups({ q: q || null, limit: 100, cursor }, { signal }));
  const chosen = params.id;
  return (
    <Catalog<Group> title={w.title} about={w.about} pages={pages} chosen={chosen} back={href.groups()} address={(id) => `${href.groups(id)}${q ? `?q=${encodeURIComponent(q)}` : ""}`}
      search={{ q, label: w.search }} empty={{ title: w.emptyTitle, about: <p>{w.emptyAbout}</p> }}
      create={{ label: w.create, address: href.groups(NEW), disabled: may("editor") ? undefined : cw.readOnly }}
      row={(g) => ({ id: g.id, title: g.name, note: g.description || g.id, mark: <Avatar mark={g.icon} name={g.name} />, chip: g.system && <SystemSign /> })}>
      {chosen === NEW ? <NewGroup from={query.get("from") ?? undefined} /> : chosen !== undefined ? <StoredGroup id={chosen} /> : undefined}
    </Catalog>
  );
}

const useGroup = (id: string | undefined) =>
  useQuery({ queryKey: ["groups", id], enabled: id !== undefined, queryFn: ({ signal }) => client.getGroup(id!, { signal }) });

function StoredGroup({ id }: { id: string }) {
  return <Chosen query={useGroup(id)}>{(group) => <GroupEditor group={group} />}</Chosen>;
}

function NewGroup({ from }: { from?: string }) {
  const source = useGroup(from);
  if (from === undefined) return <GroupEditor />;
  return <Chosen query={source}>{(group) => <GroupEditor from={group} key={group.id} />}</Chosen>;
}

interface GroupForm {
  id: string; name: string; description: string; category: string; icon: string; system_prompt: string;
  default_agent_ids: string[];
  promote: "auto" | "manual";
}

const groupForm = (g: Group | undefined): GroupForm => ({
  id: g?.id ?? "", name: g?.name ?? "", description: g?.description ?? "", category: g?.category ?? "", icon: g?.icon ?? "", system_prompt: g?.system_prompt ?? "",
  default_agent_ids: g?.default_agent_ids ?? [], promote: g?.memory?.promote ?? "auto",
});

const some = (text: string) => text.trim() || undefined;

const groupBody = (f: GroupForm): GroupBody => ({
  id: some(f.id), name: f.name.trim(), description: some(f.description), category: some(f.category), icon: some(f.icon),
  system_prompt: f.system_prompt.trim() ? f.system_prompt : undefined,
  default_agent_ids: f.default_agent_ids.length ? f.default_agent_ids : undefined, memory: { promote: f.promote },
});

function GroupEditor({ group, from }: { group?: Group; from?: Group }) {
  const w = useWords(groupWords);
  const cw = useWords(catalogWords);
  const may = useMay();
  const queries = useQueryClient();
  const form = useCallback((stored: Group | undefined): GroupForm => {
    const values = groupForm(stored ?? from);
    return stored || !from ? values : { ...values, id: "", name: w.copyOf(from.name) };
  }, [from, w]);
  const draft = useDraft<GroupForm, Group>({
    stored: group, form, check: (f) => (f.name.trim() ? {} : { name: w.nameNeeded }),
    save: (f, version, stored) => (stored ? client.putGroup(stored.id, { ...groupBody(f), id: stored.id }, { ifMatch: version }) : client.createGroup(groupBody(f))),
    read: (stored) => queries.fetchQuery({ queryKey: ["groups", stored.id], staleTime: 0, queryFn: () => client.getGroup(stored.id) }),
    onSaved: (saved, isNew) => {
      queries.setQueryData(["groups", saved.id], saved);
      void queries.invalidateQueries({ queryKey: ["groups"] });
      toast(cw.saved);
      if (isNew) go(href.groups(saved.id));
    },
  });
  const locked = group?.system ? w.systemLocked : may("editor") ? undefined : cw.readOnly;
  const remove = async (detach: boolean) => {
    await client.deleteGroup(group!.id, detach ? { query: { detach: true } } : { ifMatch: group!.version });
    dropFromPages(queries, "groups", group!.id);
    go(href.groups());
  };
  return (
    <ObjectForm draft={draft} isNew={!group} title={group?.name ?? w.newTitle} mark={<Avatar mark={draft.values.icon} name={draft.values.name} />} locked={locked} createLabel={w.create}
      chips={group?.system ? <span className="chip">{cw.system}</span> : undefined}
      onRemove={group && !locked ? { name: group.name, about: <p>{w.deleteAbout}</p>, detachAbout: w.detachAbout, run: remove } : undefined}
      actions={group && may("editor") && <a className="button small" href={`${href.groups(NEW)}?from=${encodeURIComponent(group.id)}`} data-testid="duplicate"><Icon name="copy" size={13} />{w.duplicate}</a>}
      after={group && <GroupAfter id={group.id} />}>
      <GroupFields draft={draft} isNew={!group} />
    </ObjectForm>
  );
}

function GroupFields({ draft: { values: v, set, errors: e }, isNew }: { draft: Draft<GroupForm>; isNew: boolean }) {
  const w = useWords(groupWords);
  const c = useWords(common);
  const { data } = useQuery({ queryKey: ["agents", "all"], queryFn: ({ signal }) => client.listAgents({ limit: 500 }, { signal }) });
  const choices = (data?.items ?? []).map((a) => ({ id: a.id, name: a.name, mark: a.avatar && !/^(https?|data):/.test(a.avatar) ? a.avatar : undefined }));
  return (
    <>
      <div className="grid-2">
        <TextField label={c.name} value={v.name} error={e.name} onChange={(name) => set({ name })} testId="group-name" required />
        <TextField label={w.icon} optional value={v.icon} error={e.icon} hint="🏛️" onChange={(icon) => set({ icon })} />
      </div>
      {isNew && <TextField label={w.id} about={w.idAbout} optional mono value={v.id} error={e.id} onChange={(id) => set({ id })} testId="group-id" />}
      <div className="grid-2">
        <TextField label={c.description} optional value={v.description} error={e.description} onChange={(description) => set({ description })} />
        <TextField label={w.category} optional value={v.category} error={e.category} onChange={(category) => set({ category })} />
      </div>
      <TextField label={w.prompt} about={w.promptAbout} optional rows={9} value={v.system_prompt} error={e.system_prompt} onChange={(system_prompt) => set({ system_prompt })} testId="group-prompt" />
      <PickField label={w.agents} about={w.agentsAbout} optional values={v.default_agent_ids} choices={choices} error={e.default_agent_ids} onChange={(default_agent_ids) => set({ default_agent_ids })} testId="group-agents" />
      <SelectField label={w.promote} about={w.promoteAbout} value={v.promote} options={[["auto", w.auto], ["manual", w.manual]]} onChange={(promote) => set({ promote: promote as "auto" | "manual" })} />
    </>
  );
}

function GroupAfter({ id }: { id: string }) {
  const w = useWords(groupWords);
  const { data } = useQuery({ queryKey: ["usage", "group", id], queryFn: ({ signal }) => client.getUsage({ group_id: id, by: "group" }, { signal }) });
  const total = data?.total;
  return (
    <section>
      <div className="row">
        <a className="button small" href={href.sessions({ group_id: id })}><Icon name="list" size={13} />{w.sessions}</a>
        <a className="button small" href={href.memory({ group_id: id })}><Icon name="memory" size={13} />{w.memories}</a>
      </div>
      <h3>{w.usage}</h3>
      {total && (total.calls === 0 ? <p className="faint">{w.noCalls}</p> : (
        <dl className="facts-list">
          <dt>{w.calls}</dt><dd>{count(total.calls)}</dd>
          <dt>{w.tokens}</dt><dd>{count(total.input_tokens)} / {count(total.output_tokens)}</dd>
          <dt>{w.cost}</dt><dd>{total.cost_usd === null ? "–" : money(total.cost_usd)}{total.unpriced_calls > 0 && <span className="faint"> · {w.unpriced(count(total.unpriced_calls))}</span>}</dd>
        </dl>
      ))}
    </section>
  );
}
