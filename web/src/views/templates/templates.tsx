// Templates: workflows to begin from, those of the server and one's own.

import { useId, useState, type FormEvent } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { JsonSchema, TemplateItem, Workflow } from "@sluice/client";
import { useMay } from "@/app/context";
import { go, href, setQuery } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { api, client } from "@/client/http";
import { plural, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { SearchField } from "@/ui/kit/catalog";
import { Dialog } from "@/ui/kit/dialog";
import { SelectField, TextField } from "@/ui/kit/field";
import { ErrorText, Loaded } from "@/ui/kit/loaded";
import { Empty, Page } from "@/ui/kit/page";
import { More, usePages } from "@/ui/kit/pages";
import { RemoveDialog } from "@/ui/kit/remove";
import { toast } from "@/ui/kit/toast";
import { fieldsOf, focusError, readForm, SchemaForm, valuesFrom } from "@/ui/schema-form";
import { common } from "@/words/common";
import { dict, useWords, wordsNow } from "@/words/words";
import { Preview } from "../workflows/preview";
import { SaveTemplate } from "./save-template";
import "./templates.css";

const text = dict({
  en: {
    title: "Templates", about: "Workflows to begin from. Start one as it is, or make a workflow of it and change that.", search: "Search templates", category: "Category", all: "All",
    save: "Save a workflow as template…", use: "Use", preview: "Look", make: "Make a workflow…", remove: "Delete…", system: "Came with the server", systemWhy: "It came with the server and cannot be deleted or changed. A workflow that is made of it can.",
    nothing: "No template fits.", clear: "Show all", emptyTitle: "No templates yet", empty: "A template is a workflow to begin from. Save one of yours as a template, and it stands here for everyone on this server.",
    makeTitle: (name: string) => `A workflow of “${name}”`, makeAbout: "It is stored in the library and opens in the editor. The template stays as it is.", id: "Id", idAbout: "Letters, digits, “_”, “.” and “-”. Without one it is made.", settings: "Settings", made: (name: string) => `“${name}” is in the library.`, makeDo: "Make it",
    removeTitle: (name: string) => `Delete the template “${name}”?`, removeAbout: "Workflows that were made of it stay.", removed: (name: string) => `“${name}” is deleted.`,
    chooseTitle: "Save a workflow as template", which: "Workflow", choose: "Choose…", next: "Next", nodes: (n: number) => plural(n, "node"), wants: "It asks for", noInput: "It needs no input.", viewer: "Your key may look. To make workflows it needs the role “editor”.",
  },
  zh: {
    title: "模板", about: "可以从它开始的流程。直接启动，或将它变成流程后再修改。", search: "搜索模板", category: "类别", all: "全部",
    save: "将流程存为模板…", use: "使用", preview: "查看", make: "生成流程…", remove: "删除…", system: "服务器自带", systemWhy: "它是服务器自带的，不能删除或更改；由它生成的流程则可以。",
    nothing: "没有符合条件的模板。", clear: "显示全部", emptyTitle: "还没有模板", empty: "模板是可以从它开始的流程。将你的一个流程存为模板，此服务器上的所有人都能在这里看到它。",
    makeTitle: (name: string) => `由“${name}”生成流程`, makeAbout: "它会保存到流程库并在编辑器中打开。模板保持不变。", id: "Id", idAbout: "字母、数字、“_”、“.”和“-”。留空则自动生成。", settings: "参数", made: (name: string) => `“${name}”已在流程库中。`, makeDo: "生成",
    removeTitle: (name: string) => `删除模板“${name}”？`, removeAbout: "由它生成的流程会保留。", removed: (name: string) => `“${name}”已删除。`,
    chooseTitle: "将流程存为模板", which: "流程", choose: "请选择…", next: "下一步", nodes: (n: number) => `${n} 个节点`, wants: "需要的输入", noInput: "不需要输入。", viewer: "你的密钥只能查看。生成流程需要“editor”角色。",
  },
});

type Doing = { what: "look" | "make" | "remove"; template: TemplateItem } | { what: "choose" } | { what: "save"; workflow: Workflow };

export default function TemplatesView({ query }: ViewProps) {
  const w = useWords(text);
  const mayEdit = useMay()("editor");
  const q = query.get("q") ?? "";
  const category = query.get("category") ?? "";
  const pages = usePages<TemplateItem>(["templates", "list", q, category], (cursor, signal) => client.listTemplates({ q: q || null, category: category || null, cursor, limit: 60 }, { signal }));
  const [doing, setDoing] = useState<Doing>();
  const close = () => setDoing(undefined);
  const none = pages.items?.length === 0 && !q && !category;
  const save = mayEdit && <button type="button" onClick={() => setDoing({ what: "choose" })} data-testid="save-as-template"><Icon name="plus" size={14} />{w.save}</button>;
  return (
    <Page title={w.title} about={w.about} actions={none ? undefined : save}>
      {!mayEdit && <p className="hint">{w.viewer}</p>}
      {none ? <Empty title={w.emptyTitle} action={save}><p>{w.empty}</p></Empty> : (
        <>
          <Filters q={q} category={category} />
          <Loaded query={pages.query}>
            {() => (pages.items?.length ? (
              <ul className="cards templates" data-testid="templates">{pages.items.map((t) => <Card key={t.id} template={t} onDo={setDoing} />)}</ul>
            ) : <div className="empty"><p>{w.nothing}</p><button type="button" onClick={() => { location.hash = href.templates(); }}>{w.clear}</button></div>)}
          </Loaded>
          <More pages={pages} />
        </>
      )}
      {doing?.what === "look" && <Look template={doing.template} onClose={close} />}
      {doing?.what === "make" && <Make template={doing.template} onClose={close} />}
      {doing?.what === "remove" && <Remove template={doing.template} onClose={close} />}
      {doing?.what === "choose" && <ChooseWorkflow onChoose={(workflow) => setDoing({ what: "save", workflow })} onClose={close} />}
      {doing?.what === "save" && <SaveTemplate workflow={doing.workflow} onClose={close} />}
    </Page>
  );
}

function Filters({ q, category }: { q: string; category: string }) {
  const w = useWords(text);
  const { data = [] } = useQuery({
    queryKey: ["templates", "categories"],
    queryFn: async ({ signal }) => [...new Set((await client.listTemplates({ limit: 500 }, { signal })).items.flatMap((t) => t.category ?? []))].sort(),
  });
  return (
    <div className="toolbar templates-filter">
      <div className="grow"><SearchField q={q} label={w.search} /></div>
      <div className="picker-tags" role="group" aria-label={w.category}>
        {["", ...new Set([...data, ...(category ? [category] : [])])].map((name) => (
          <button key={name} type="button" className="tag" aria-pressed={category === name} onClick={() => setQuery({ category: name })}>{name ? words(name) : w.all}</button>
        ))}
      </div>
    </div>
  );
}

const nameOf = (t: TemplateItem) => t.name ?? words(t.id);

function Card({ template, onDo }: { template: TemplateItem; onDo: (doing: Doing) => void }) {
  const w = useWords(text);
  const may = useMay();
  const name = nameOf(template);
  return (
    <li className="card template-card" data-testid={`template-${template.id}`}>
      <h2>{name}</h2>
      <p>{template.description}</p>
      <p className="row">{template.category && <span className="chip">{words(template.category)}</span>}{template.system && <span className="chip" title={w.systemWhy}><Icon name="template" size={12} />{w.system}</span>}</p>
      <div className="row template-tools">
        <a className="button small primary" href={href.template(template.id)} aria-label={`${w.use}: ${name}`} data-testid="use">{w.use}</a>
        <button type="button" className="small" aria-label={`${w.preview}: ${name}`} onClick={() => onDo({ what: "look", template })} data-testid="look">{w.preview}</button>
        {may("editor") && <button type="button" className="small" aria-label={`${w.make} ${name}`} onClick={() => onDo({ what: "make", template })} data-testid="make">{w.make}</button>}
        {may("editor") && !template.system && <button type="button" className="small danger quiet" aria-label={`${w.remove} ${name}`} onClick={() => onDo({ what: "remove", template })} data-testid="remove">{w.remove}</button>}
      </div>
    </li>
  );
}

const useTemplate = (id: string) => useQuery({ queryKey: ["templates", id], queryFn: ({ signal }) => client.getTemplate(id, { signal }) });

function Look({ template, onClose }: { template: TemplateItem; onClose: () => void }) {
  const w = useWords(text);
  const c = useWords(common);
  const query = useTemplate(template.id);
  return (
    <Dialog title={nameOf(template)} onClose={onClose} wide>
      <div className="dialog-body template-look">
        <p>{template.description}</p>
        {template.system && <p className="faint">{w.systemWhy}</p>}
        <Loaded query={query}>
          {(whole) => {
            const graph = { id: template.id, ...whole.graph } as unknown as Workflow;
            const asks = fieldsOf(graph.input_schema).map(([name, field]) => field.title ?? words(name));
            return <><Preview workflow={graph} /><p className="faint">{asks.length ? `${w.wants}: ${asks.join(", ")}` : w.noInput}</p></>;
          }}
        </Loaded>
      </div>
      <div className="dialog-actions">
        <button type="button" autoFocus onClick={onClose}>{c.close}</button>
        <a className="button primary" href={href.template(template.id)}>{w.use}</a>
      </div>
    </Dialog>
  );
}

function Make({ template, onClose }: { template: TemplateItem; onClose: () => void }) {
  const w = useWords(text);
  const c = useWords(common);
  const queries = useQueryClient();
  const formId = useId();
  const schema = template.parameters as JsonSchema | undefined;
  const [name, setName] = useState(nameOf(template));
  const [id, setId] = useState("");
  const [values, setValues] = useState(() => valuesFrom(schema));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    const read = readForm(schema, values);
    setErrors(read.errors);
    if (Object.keys(read.errors).length) return requestAnimationFrame(() => focusError(document.getElementById(formId), read.errors));
    setBusy(true);
    setError(undefined);
    try {
      const made = await client.instantiateTemplate(template.id, { values: read.data, ...(name.trim() ? { name: name.trim() } : {}), ...(id.trim() ? { id: id.trim() } : {}) });
      void queries.invalidateQueries({ queryKey: ["workflows"] });
      toast(wordsNow(text).made(made.name ?? made.id));
      go(href.editor(made.id));
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={w.makeTitle(nameOf(template))} onClose={onClose}>
      <form id={formId} noValidate onSubmit={(e) => void submit(e)} data-testid="make-form">
        <div className="dialog-body stack">
          <p>{w.makeAbout}</p>
          <TextField label={c.name} value={name} onChange={setName} maxLength={200} autoFocus testId="make-name" />
          <TextField label={w.id} about={w.idAbout} optional mono value={id} onChange={setId} maxLength={64} testId="make-id" />
          {fieldsOf(schema).length > 0 && <fieldset className="schema-group"><legend>{w.settings}</legend><div className="schema-members"><SchemaForm schema={schema!} values={values} errors={errors} onChange={setValues} disabled={busy} /></div></fieldset>}
          <ErrorText error={error} />
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={busy} data-testid="make-do">{busy ? c.creating : w.makeDo}</button>
        </div>
      </form>
    </Dialog>
  );
}

function Remove({ template, onClose }: { template: TemplateItem; onClose: () => void }) {
  const w = useWords(text);
  const queries = useQueryClient();
  const run = async (detach: boolean) => {
    await client.deleteTemplate(template.id, { ifMatch: template.version, query: { detach: detach || undefined } });
    void queries.invalidateQueries({ queryKey: ["templates"] });
    void queries.invalidateQueries({ queryKey: ["workflows", "start"] });
    toast(wordsNow(text).removed(nameOf(template)));
    onClose();
  };
  return <RemoveDialog title={w.removeTitle(nameOf(template))} about={<p>{w.removeAbout}</p>} run={run} onClose={onClose} />;
}

function ChooseWorkflow({ onChoose, onClose }: { onChoose: (workflow: Workflow) => void; onClose: () => void }) {
  const w = useWords(text);
  const c = useWords(common);
  const [id, setId] = useState("");
  const query = useQuery({ queryKey: ["workflows", "all"], queryFn: () => api.workflows() });
  const chosen = query.data?.find((x) => x.id === id);
  return (
    <Dialog title={w.chooseTitle} onClose={onClose}>
      <form onSubmit={(e) => { e.preventDefault(); if (chosen) onChoose(chosen); }}>
        <div className="dialog-body">
          <Loaded query={query}>{(all) => <SelectField label={w.which} value={id} onChange={setId} testId="which-workflow" options={[["", w.choose], ...all.map((x) => [x.id, x.name ?? x.id] as const)]} />}</Loaded>
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={!chosen}>{w.next}</button>
        </div>
      </form>
    </Dialog>
  );
}
