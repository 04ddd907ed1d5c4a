// One property of a node, edited in place: what is typed is in the workflow at once.

import { useEffect, useRef, useState, type ReactNode } from "react";
import type { Json, JsonObject, JsonSchema } from "@sluice/client";
import { words as nameOf } from "@/ui/format";
import { readForm, SchemaForm, valuesFrom } from "@/ui/schema-form";
import { useWords } from "@/words/words";
import type { Problem } from "./checks";
import { isObject, same, textOf } from "./model";
import { AgentPicker, ModelField, ProviderField, ToolField, WorkflowPicker } from "./pickers";
import { choiceWords, propAbout, propWords } from "./prop-words";
import { InsertReference } from "./references";
import { Row, type FieldProps } from "./row";
import { controlOf, useKindSchemas, type Control } from "./schema";
import { words } from "./words";

function TextControl({ rows, mono, template, ...p }: FieldProps & { rows: number; mono?: boolean; template?: boolean }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const set = (text: string) => p.onChange(text || undefined);
  return (
    <Row {...p} tools={<InsertReference self={p.self} field={field} template={Boolean(template)} onInsert={set} />}>
      {(control) => <textarea {...control} ref={field} rows={rows} className={mono ? "code" : undefined} spellCheck={mono ? false : undefined} value={textOf(p.value)} onChange={(e) => set(e.target.value)} />}
    </Row>
  );
}

const isText = (value: Json | undefined) => value === undefined || value === null || typeof value === "string";

/** Keeps what is typed until it can be read, and takes in what comes from elsewhere. */
function useDraft(value: Json | undefined, write: (value: Json | undefined) => string, read: (text: string) => Json | undefined) {
  const [text, setText] = useState(() => write(value));
  const own = useRef(value);
  useEffect(() => {
    if (same(own.current, value)) return;
    own.current = value;
    setText(write(value));
  }, [value, write]);
  const type = (next: string, tell: (value: Json | undefined) => void): void => {
    setText(next);
    try {
      own.current = read(next);
      tell(own.current);
    } catch {
      // Half of a value: the workflow keeps the last whole one.
    }
  };
  return { text, type };
}

function broken(read: (text: string) => Json | undefined, text: string): boolean {
  try {
    read(text);
    return false;
  } catch {
    return true;
  }
}

const writeJson = (value: Json | undefined) => (value === undefined || value === null ? "" : JSON.stringify(value, null, 2));
const readJson = (text: string): Json | undefined => (text.trim() ? (JSON.parse(text) as Json) : undefined);
const writeNumber = (value: Json | undefined) => (value === undefined || value === null ? "" : String(value));
const readNumber = (text: string): Json | undefined => {
  if (!text.trim()) return undefined;
  const n = Number(text);
  if (!Number.isFinite(n)) throw new Error("no number");
  return n;
};

const localProblem = (message: string): Problem => ({ severity: "error", code: "wrong_type", path: "", message });

export function JsonControl(p: FieldProps) {
  const w = useWords(words);
  const { text, type } = useDraft(p.value, writeJson, readJson);
  const problems = broken(readJson, text) ? [localProblem(w.badJson), ...p.problems] : p.problems;
  return <Row {...p} problems={problems}>{(control) => <textarea {...control} className="code" rows={3} spellCheck={false} value={text} onChange={(e) => type(e.target.value, p.onChange)} />}</Row>;
}

function NumberControl(p: FieldProps) {
  const w = useWords(words);
  const { text, type } = useDraft(p.value, writeNumber, readNumber);
  const problems = broken(readNumber, text) ? [localProblem(w.numberBad), ...p.problems] : p.problems;
  return <Row {...p} problems={problems}>{(control) => <input {...control} inputMode="decimal" value={text} placeholder={w.notSet} onChange={(e) => type(e.target.value, p.onChange)} />}</Row>;
}

const writeLines = (value: Json | undefined) => (Array.isArray(value) ? value.join("\n") : "");
const readLines = (text: string): Json | undefined => {
  const lines = text.split("\n").map((l) => l.trim()).filter(Boolean);
  return lines.length ? lines : undefined;
};

function LinesControl(p: FieldProps) {
  const w = useWords(words);
  const { text, type } = useDraft(p.value, writeLines, readLines);
  return <Row {...p} about={p.about ?? w.oneInLine}>{(control) => <textarea {...control} rows={2} value={text} onChange={(e) => type(e.target.value, p.onChange)} />}</Row>;
}

// An object is JSON; anything else is an expression, Lua tables ("{ a = 1 }") included.
const writeAny = (value: Json | undefined) => (typeof value === "string" ? value : writeJson(value));
const readAny = (text: string): Json | undefined => {
  if (!text.trim()) return undefined;
  try {
    const value = JSON.parse(text) as Json;
    return typeof value === "object" ? value : text;
  } catch {
    return text;
  }
};

function AnyControl(p: FieldProps) {
  const { text, type } = useDraft(p.value, writeAny, readAny);
  const field = useRef<HTMLTextAreaElement>(null);
  return (
    <Row {...p} tools={<InsertReference self={p.self} field={field} template={false} onInsert={(t) => type(t, p.onChange)} />}>
      {(control) => <textarea {...control} ref={field} className="code" rows={2} spellCheck={false} value={text} onChange={(e) => type(e.target.value, p.onChange)} />}
    </Row>
  );
}

function ChoiceControl({ options, ...p }: FieldProps & { options: readonly Json[] }) {
  const w = useWords(words);
  const c = useWords(choiceWords);
  const keyed = options.filter((o) => o !== null);
  return (
    <Row {...p}>{(control) => (
      <select {...control} value={p.value === undefined || p.value === null ? "" : JSON.stringify(p.value)} onChange={(e) => p.onChange(e.target.value ? (JSON.parse(e.target.value) as Json) : undefined)}>
        <option value="">{w.byDefault}</option>
        {keyed.map((o) => <option key={String(o)} value={JSON.stringify(o)}>{typeof o === "boolean" ? (o ? w.yes : w.no) : c[String(o)] ?? String(o)}</option>)}
      </select>
    )}</Row>
  );
}

/** Lists of objects and the like, by the form that the schema makes. */
function DeepControl(p: FieldProps) {
  const schemas = useKindSchemas();
  const w = useWords(propWords);
  const titled = useTitled({ type: "object", properties: { [p.name]: { ...p.schema, title: p.label } }, $defs: schemas.data?.defs } as JsonSchema, w);
  const given = p.value === undefined ? {} : { [p.name]: p.value };
  const [values, setValues] = useState(() => valuesFrom(titled, given, { defaults: false }));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const own = useRef(p.value);
  useEffect(() => {
    if (same(own.current, p.value)) return;
    own.current = p.value;
    setValues(valuesFrom(titled, p.value === undefined ? {} : { [p.name]: p.value }, { defaults: false }));
  }, [p.value, p.name, titled]);
  const bad = p.problems.some((x) => x.severity === "error");
  return (
    <div className="prop prop-deep" data-field={p.path} data-severity={p.problems.length ? (bad ? "error" : "warning") : undefined}>
      <SchemaForm schema={titled} values={values} errors={errors} prefix={`${p.path}/`} onChange={(next) => {
        setValues(next);
        const read = readForm(titled, next);
        setErrors(read.errors);
        if (Object.keys(read.errors).length) return;
        own.current = read.data[p.name];
        p.onChange(own.current);
      }} />
      {p.problems.map((x) => <p key={x.path + x.message} className={x.severity === "error" ? "field-error" : "field-warning"}>{x.message}</p>)}
    </div>
  );
}

function useTitled(schema: JsonSchema, names: Record<string, string>): JsonSchema {
  const key = JSON.stringify(schema);
  const kept = useRef<{ key: string; names: unknown; schema: JsonSchema }>(undefined);
  if (kept.current?.key !== key || kept.current.names !== names) kept.current = { key, names, schema: titledSchema(JSON.parse(key) as JsonObject, names) as unknown as JsonSchema };
  return kept.current.schema;
}

/** Puts our names for the members into a schema that has none. */
export function titledSchema(schema: Json, names: Record<string, string>): Json {
  if (Array.isArray(schema)) return schema.map((s) => titledSchema(s, names));
  if (!isObject(schema)) return schema;
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) {
    out[key] = key === "properties" && isObject(value)
      ? Object.fromEntries(Object.entries(value).map(([name, s]) => [name, isObject(s) ? { title: names[name] ?? nameOf(name), ...(titledSchema(s, names) as JsonObject) } : s]))
      : titledSchema(value, names);
  }
  return out;
}

const FITS: Partial<Record<Control, (v: Json) => boolean>> = {
  template: (v) => typeof v === "string", expression: (v) => typeof v === "string", code: (v) => typeof v === "string", line: (v) => typeof v === "string", agent: (v) => typeof v === "string",
  provider: (v) => typeof v === "string", workflow: (v) => typeof v === "string", tool: (v) => typeof v === "string", number: (v) => typeof v === "number", flag: (v) => typeof v === "boolean",
  lines: (v) => Array.isArray(v) && v.every((x) => typeof x === "string"),
};

function control(kind: Control, p: FieldProps): ReactNode {
  switch (kind) {
    case "template": return <TextControl {...p} rows={p.name === "prompt" ? 5 : 3} template />;
    case "expression": return <TextControl {...p} rows={1} mono />;
    case "code": return <TextControl {...p} rows={10} mono />;
    case "any": return <AnyControl {...p} />;
    case "json": return <JsonControl {...p} />;
    case "lines": return <LinesControl {...p} />;
    case "number": return <NumberControl {...p} />;
    case "flag": return <ChoiceControl {...p} options={[true, false]} />;
    case "choice": return <ChoiceControl {...p} options={p.schema.enum ?? []} />;
    case "agent": return <AgentPicker {...p} />;
    case "provider": return <ProviderField {...p} />;
    case "model": return isText(p.value) ? <ModelField {...p} /> : <DeepControl {...p} />;
    case "workflow": return <WorkflowPicker {...p} />;
    case "tool": return <ToolField {...p} />;
    case "deep": return <DeepControl {...p} />;
    default: return <Row {...p}>{(c) => <input {...c} value={textOf(p.value)} placeholder={p.schema.default === undefined ? undefined : String(p.schema.default)} onChange={(e) => p.onChange(e.target.value || undefined)} />}</Row>;
  }
}

/** A property by its name and schema; what is written in another form than the control knows is shown as JSON. */
export function PropField(given: Omit<FieldProps, "label" | "about"> & { label?: string }) {
  const w = useWords(words);
  const names = useWords(propWords);
  const abouts = useWords(propAbout);
  const kind = controlOf(given.name, given.schema);
  const p: FieldProps = { about: abouts[given.name], ...given, label: given.label ?? names[given.name] ?? nameOf(given.name) };
  const fits = FITS[kind];
  if (p.value !== undefined && p.value !== null && fits && !fits(p.value)) return <JsonControl {...p} about={w.wrongType} />;
  return control(kind, p);
}
