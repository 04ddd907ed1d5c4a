// The form of one run: input, files, options, estimate, start.

import { useEffect, useId, useMemo, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import type { JsonObject, JsonSchema, Session } from "@sluice/client";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import { api, ApiError, client } from "@/client/http";
import { inputTitle, pretty, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { fieldsOf, focusError, readForm, SchemaForm, valuesFrom, type FormErrors, type FormValues } from "@/ui/schema-form";
import { jsonProblem } from "@/ui/schema-values";
import { submitOnCtrlEnter } from "@/ui/schema-inputs";
import type { TextFile } from "@/ui/text-file";
import { Preview } from "@/views/workflows/preview";
import { useWords, wordsNow } from "@/words/words";
import { EstimateLine, overBudget, useEstimate } from "./estimate";
import { Files, useFiles } from "./files";
import { budgetProblem, NAME_MAX, noOptions, OptionFields, orderOf, type Options } from "./options";
import { fieldProblem, newKey, problemLines, startRun } from "./run";
import type { WorkflowItem } from "./entries";
import { loadSource, type Source, type SourceRef } from "./source";
import { startWords } from "./words";

interface Earlier { input?: JsonObject; files: TextFile[]; lost: number }

const isObject = (v: unknown): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);

/** Input and files of a run that is to be started again. */
async function loadEarlier(id: string, signal: AbortSignal): Promise<Earlier> {
  const session: Session | undefined = await api.session(id, signal).catch(() => undefined);
  if (!isObject(session?.input)) return { files: [], lost: 0 };
  const { attachments, ...input } = session.input;
  const paths = (Array.isArray(attachments) ? attachments : []).flatMap((a) => (isObject(a) && typeof a.path === "string" ? [a.path] : []));
  const files: TextFile[] = [];
  for (const path of paths) {
    const read = await client.readFile(id, { path, version: 1 }, { signal }).catch(() => undefined);
    if (read?.encoding === "utf-8") files.push({ name: path, text: read.content, size: new TextEncoder().encode(read.content).length });
  }
  return { input, files, lost: paths.length - files.length };
}

export function Setup({ source: ref, from, focus }: { source: SourceRef; from?: string; focus: boolean }) {
  const w = useWords(startWords);
  const query = useQuery({
    queryKey: [ref.kind === "workflow" ? "workflows" : "templates", ref.id, "start", ref, from], staleTime: 0, refetchOnWindowFocus: false,
    queryFn: async ({ signal }) => {
      const [source, earlier] = await Promise.all([loadSource(ref, signal), from ? loadEarlier(from, signal) : undefined]);
      return { source, earlier };
    },
  });
  if (query.error instanceof ApiError && query.error.status === 404) {
    return (
      <section className="setup setup-lost"><div className="empty" role="alert">
        <h2>{ref.kind === "workflow" ? w.missing(ref.id) : w.missingTemplate(ref.id)}</h2><p>{w.missingAbout}</p><a className="button" href={href.start()}>{w.showAll}</a>
      </div></section>
    );
  }
  if (!query.data) return <section className="setup setup-lost"><Loaded query={query}>{() => null}</Loaded></section>;
  return <SetupForm source={query.data.source} earlier={query.data.earlier} focus={focus} />;
}

const generic = (): JsonSchema => {
  const w = wordsNow(startWords);
  return { type: "object", properties: { topic: { type: "string", title: w.topic, description: w.topicAbout } } };
};

/** A workflow whose schema is closed names what it takes; files are taken by those that say so, or say nothing. */
const takesFiles = (schema: JsonSchema | null | undefined) => schema?.additionalProperties !== false || Boolean(schema?.properties?.attachments);

const withoutFiles = (schema: JsonSchema): JsonSchema => {
  if (!schema.properties?.attachments) return schema;
  const { attachments: _, ...properties } = schema.properties;
  return { ...schema, properties, required: schema.required?.filter((name) => name !== "attachments") };
};

function useSetup(source: Source, earlier?: Earlier) {
  const own = source.workflow.input_schema;
  const schema = useMemo(() => withoutFiles(own && (fieldsOf(own).length > 0 || own.additionalProperties === false) ? own : generic()), [own]);
  const [values, setValues] = useState<FormValues>(() => valuesFrom(schema, earlier?.input));
  const [params, setParams] = useState<FormValues>(() => valuesFrom(source.params));
  const [json, setJson] = useState<string>();
  const [options, setOptions] = useState<Options>(noOptions);
  const read = useMemo(() => readForm(schema, values), [schema, values]);
  const readParams = useMemo(() => readForm(source.params, params), [source.params, params]);
  const jsonError = json === undefined ? undefined : jsonProblem(json, "object");
  const input = json === undefined ? read.data : jsonError ? {} : JSON.parse(json) as JsonObject;
  return { schema, values, setValues, params, setParams, json, setJson, jsonError, options, setOptions, read, readParams, input };
}

function SetupForm({ source, earlier, focus }: { source: Source; earlier?: Earlier; focus: boolean }) {
  const w = useWords(startWords);
  const form = useRef<HTMLFormElement>(null);
  const mayRun = useMay()("operator");
  const mayMake = useMay()("editor");
  const s = useSetup(source, earlier);
  const takes = takesFiles(source.workflow.input_schema);
  const files = useFiles(earlier?.files ?? [], takes);
  const [errors, setErrors] = useState<FormErrors>({});
  const [problems, setProblems] = useState<string[]>([]);
  const [starting, setStarting] = useState(false);
  const { query: estimated, waiting } = useEstimate(source, s.readParams.data, s.input);
  // One key for one intent: a click after a lost answer starts nothing twice.
  const idempotency = useRef(newKey());
  const intent = JSON.stringify([s.input, s.readParams.data, s.options, files.files.map((f) => [f.name, f.size])]);
  useEffect(() => { idempotency.current = newKey(); }, [intent]);

  const refuse = (found: FormErrors) => {
    setErrors(found);
    // The fields have to be there with their errors first.
    requestAnimationFrame(() => focusError(form.current, found));
  };
  const submit = async (e: React.FormEvent) => {
    e.preventDefault();
    if (starting || !mayRun) return;
    const budget = budgetProblem(s.options);
    const found: FormErrors = {
      ...(s.json === undefined ? s.read.errors : s.jsonError ? { json: s.jsonError } : {}),
      ...Object.fromEntries(Object.entries(s.readParams.errors).map(([k, v]) => [`param:${k}`, v])), ...(budget ? { budget } : {}),
    };
    if (Object.keys(found).length) return refuse(found);
    setErrors({});
    setProblems([]);
    setStarting(true);
    try {
      const name = inputTitle(s.input)?.slice(0, NAME_MAX);
      const order = {
        input: s.input, ...(name ? { name } : {}), ...orderOf(s.options),
        ...(files.files.length ? { attachments: files.files.map((f) => ({ name: f.name, content: f.text })) } : {}),
      };
      go(href.session(await startRun(source, s.readParams.data, order, idempotency.current, mayMake)));
    } catch (err) {
      setStarting(false);
      const at = fieldProblem(err);
      if (at && s.json === undefined && Object.keys(at).some((k) => fieldsOf(s.schema).some(([f]) => k === f || k.startsWith(`${f}.`) || k.startsWith(`${f}[`)))) refuse(at);
      else setProblems(source.template && !mayMake && err instanceof ApiError && err.status === 404 ? [w.operatorTemplate] : problemLines(err));
    }
  };
  useShortcuts([{ keys: "ctrl+enter", what: w.start, inFields: true, run: () => form.current?.requestSubmit() }]);

  return (
    <section className="setup" aria-label={source.name || words(source.ref.id)} {...files.drop} data-over={files.over || undefined}>
      <form ref={form} onSubmit={(e) => void submit(e)} noValidate data-testid="start-form">
        <Head source={source} focus={focus} />
        {earlier && <p className="faint">{w.again} {earlier.files.length > 0 && w.againFiles(earlier.files.length)} {earlier.lost > 0 && w.againNoFiles(earlier.lost)}</p>}
        {source.params && (
          <fieldset className="plain-set"><legend>{w.settings}</legend>
            <SchemaForm schema={source.params} values={s.params} errors={paramErrors(errors)} prefix="param." disabled={starting} onChange={s.setParams} />
          </fieldset>
        )}
        <InputFields s={s} errors={errors} disabled={starting} />
        <Files state={files} disabled={starting} allowed={takes} unread={!JSON.stringify(source.workflow.nodes ?? {}).includes("combined_context")} />
        <OptionFields value={s.options} onChange={s.setOptions} error={errors.budget} ownGroup={source.workflow.group_id} disabled={starting}
          over={!budgetProblem(s.options) && overBudget(estimated.data, orderOf(s.options).budget)} />
        <div className="setup-foot">
          <EstimateLine source={source} estimate={estimated.data} error={estimated.error} waiting={waiting} />
          {problems.length > 0 && (
            <div className="problems" role="alert"><p>{w.notStarted}</p><ul>{problems.map((p) => <li key={p}>{p}</li>)}</ul></div>
          )}
          {!mayRun && <p className="field-warn"><Icon name="key" size={13} />{w.viewer}</p>}
          <div className="setup-actions">
            <button type="submit" className="primary large" disabled={starting || !mayRun} data-testid="start">
              {starting ? <span className="spinner" aria-hidden="true" /> : <Icon name="play" size={14} />}{starting ? w.starting : s.options.paused ? w.startPaused : w.start}
            </button>
            <button type="button" className="quiet" onClick={() => { s.setJson(s.json === undefined ? pretty(s.read.data) : undefined); setErrors({}); }}>
              {s.json === undefined ? w.asJson : w.asForm}
            </button>
            <span className="faint setup-hint">{w.hint}</span>
          </div>
        </div>
      </form>
      <Preview workflow={source.workflow} />
    </section>
  );
}

const paramErrors = (errors: FormErrors): FormErrors =>
  Object.fromEntries(Object.entries(errors).flatMap(([k, v]) => (k.startsWith("param:") ? [[k.slice(6), v]] : [])));

function InputFields({ s, errors, disabled }: { s: ReturnType<typeof useSetup>; errors: FormErrors; disabled: boolean }) {
  const w = useWords(startWords);
  const id = useId();
  if (s.json !== undefined) {
    return (
      <div className="field">
        <label htmlFor={id}>{w.jsonLabel}</label>
        <textarea id={id} data-path="json" className="code" rows={8} value={s.json} spellCheck={false} disabled={disabled} onKeyDown={submitOnCtrlEnter}
          aria-invalid={Boolean(errors.json)} aria-describedby={errors.json ? `${id}-error` : undefined} onChange={(e) => s.setJson(e.target.value)} />
        {errors.json && <p className="field-error" id={`${id}-error`}>{errors.json}</p>}
      </div>
    );
  }
  if (fieldsOf(s.schema).length === 0) return <p className="faint">{w.noInput}</p>;
  return <SchemaForm schema={s.schema} values={s.values} errors={errors} disabled={disabled} onChange={s.setValues} />;
}

function Head({ source, focus }: { source: Source; focus: boolean }) {
  const w = useWords(startWords);
  const title = useRef<HTMLHeadingElement>(null);
  // Chosen from the list: the hands go on here.
  useEffect(() => { if (focus) title.current?.focus(); }, [focus]);
  const mayEdit = useMay()("editor");
  const { ref, workflow, template } = source;
  const newest = useQuery({
    queryKey: ["workflows", ref.id, "newest"], enabled: ref.kind === "workflow" && Boolean(ref.version),
    queryFn: async ({ signal }) => (await client.listWorkflowVersions(ref.id, { limit: 1 }, { signal })).items[0]?.version,
  });
  const category = template?.category ?? (workflow as WorkflowItem).type;
  const old = ref.kind === "workflow" && ref.version && newest.data && ref.version < newest.data;
  return (
    <header className="setup-head">
      <h2 ref={title} tabIndex={-1}>{source.name || words(ref.id)}</h2>
      {source.description && <p className="setup-about">{source.description}</p>}
      <p className="setup-meta faint">
        <span className="chip">{template ? w.isTemplate : w.version(workflow.version ?? 1)}</span>
        {category && <span className="chip">{words(category)}</span>}
        <span>{w.nodes(Object.keys(workflow.nodes ?? {}).length)}</span>
        {ref.kind === "workflow" && mayEdit && <a href={href.editor(ref.id)}>{w.edit}</a>}
        {ref.kind === "workflow" && (workflow.version ?? 1) > 1 && <a href={href.versions(ref.id)}>{w.versions}</a>}
      </p>
      {old && <p className="banner" data-tone="warn"><Icon name="warn" /><span>{w.notNewest(ref.version!, newest.data!)}</span><a href={href.workflow(ref.id)}>{w.takeNewest}</a></p>}
    </header>
  );
}
