// The workflow itself: its name, what it asks for, its variables.

import { useState } from "react";
import type { Json, JsonObject, JsonSchema } from "@sluice/client";
import { Icon } from "@/ui/icons";
import { Check, Field, SelectField, TextField } from "@/ui/kit/field";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { NodeSelect } from "./arrows";
import { problemsAt, type Problem } from "./checks";
import { useChecks, useEditor, useTools } from "./context";
import { JsonControl, PropField } from "./fields";
import { getIn, idsOf, isObject, nodeOf, setFlowIn, setIn, textOf, typeOf } from "./model";
import { words } from "./words";

export function FlowForm({ isNew }: { isNew: boolean }) {
  const w = useWords(words);
  const c = useWords(common);
  const { store } = useTools();
  const flow = useEditor((s) => s.flow);
  const { problems } = useChecks();
  const own = problems.filter((p) => !p.node_id);
  const at = (path: string) => problemsAt(own, path);
  const first = (path: string) => at(path)[0]?.message;
  const set = (name: string) => (value: Json | undefined) => store.run((f) => setFlowIn(f, [name], value), { key: `flow/${name}` });
  const text = (name: string) => (value: string) => set(name)(value || undefined);
  const starts = idsOf(flow).filter((id) => typeOf(nodeOf(flow, id)) === "start");
  return (
    <section className="inspect" aria-label={w.about} data-testid="flow-form">
      <header className="inspect-head"><div className="grow"><h2 id="inspect-title" tabIndex={-1}>{w.about}</h2></div></header>
      <div data-field="name"><TextField label={c.name} value={textOf(flow.name)} onChange={text("name")} maxLength={200} error={first("name")} testId="flow-name" /></div>
      <div data-field="id"><TextField label={w.idOf} mono value={textOf(flow.id)} onChange={text("id")} disabled={!isNew} error={first("id")} about={isNew ? w.newIdAbout : w.idKept} testId="flow-id" /></div>
      <div data-field="description"><TextField label={c.description} rows={2} value={textOf(flow.description)} onChange={text("description")} error={first("description")} /></div>
      <div data-field="type"><TextField label={w.kindOf} about={w.kindAbout} value={textOf(flow.type)} onChange={text("type")} maxLength={200} error={first("type")} /></div>
      {starts.length > 1 && (
        <Field label={w.startNode}>{() => <NodeSelect label={w.startNode} value={textOf(flow.start_node_id)} none={w.byDefault} onChange={(id) => set("start_node_id")(id || undefined)} />}</Field>
      )}
      <InputSchema problems={at("input_schema")} />
      <PropField path="vars" name="vars" label={w.vars} schema={{ type: "object" }} value={flow.vars} onChange={set("vars")} problems={at("vars")} />
      <details className="fold">
        <summary><Icon name="chevron" size={13} />{w.breakers}</summary>
        <div className="fold-body">
          <p className="about">{w.breakersAbout}</p>
          {["loop_depth", "tokens_per_s", "repetition", "variety"].map((name) => (
            <PropField key={name} path={`breakers.${name}`} name={name} schema={{ type: "number" }} value={getIn(flow, ["breakers", name])} problems={at(`breakers.${name}`)}
              onChange={(v) => store.run((f) => setFlowIn(f, ["breakers", name], v), { key: `breakers/${name}` })} />
          ))}
        </div>
      </details>
    </section>
  );
}

type Plain = "text" | "long" | "number" | "integer" | "boolean" | "array" | "object" | "choice";
const PLAIN: readonly Plain[] = ["text", "long", "number", "integer", "boolean", "choice", "array", "object"];
const LONG = 2000;

function plainType(field: JsonObject): Plain {
  if (Array.isArray(field.enum)) return "choice";
  const type = textOf(field.type);
  if (type === "string" || !type) return typeof field.maxLength === "number" && field.maxLength >= LONG ? "long" : "text";
  return (PLAIN as readonly string[]).includes(type) ? (type as Plain) : "text";
}

function retyped(field: JsonObject, type: Plain): JsonObject {
  const { type: _t, enum: _e, maxLength: _m, default: _d, ...rest } = field;
  if (type === "choice") return { type: "string", enum: ["a", "b"], ...rest };
  if (type === "long") return { type: "string", ...rest, maxLength: 20_000 };
  return { type: type === "text" ? "string" : type, ...rest };
}

/** The fields of the input as a list; deeper schemas as JSON. */
function InputSchema({ problems }: { problems: readonly Problem[] }) {
  const w = useWords(words);
  const { store } = useTools();
  const schema = useEditor((s) => s.flow.input_schema);
  const [asJson, setAsJson] = useState(false);
  const set = (next: Json | undefined, key?: string) => store.run((f) => setFlowIn(f, ["input_schema"], next), { key: key && `input/${key}` });
  const base = isObject(schema) ? schema : { type: "object" };
  const fields = isObject(base.properties) ? base.properties : {};
  const required = Array.isArray(base.required) ? base.required : [];
  const put = (next: JsonObject, needed: Json[], key?: string) => {
    const withFields = setIn(base, ["properties"], next);
    set(setIn(withFields, ["required"], needed.length ? needed : undefined), key);
  };
  const add = () => {
    let name = "field";
    for (let i = 2; fields[name]; i++) name = `field_${i}`;
    put({ ...fields, [name]: { type: "string" } }, required);
  };
  const rename = (from: string, to: string) => {
    if (!to || from === to || fields[to]) return;
    put(Object.fromEntries(Object.entries(fields).map(([n, f]) => [n === from ? to : n, f])), required.map((r) => (r === from ? to : r)));
  };
  return (
    <fieldset className="input-schema" data-field="input_schema">
      <legend>{w.input}</legend>
      <p className="about">{w.inputAbout}</p>
      {asJson ? <JsonControl path="input_schema" name="input_schema" label={w.json_} schema={{}} value={schema} problems={problems} onChange={(v) => set(v, "json")} /> : (
        <>
          {Object.keys(fields).length === 0 && <p className="faint">{w.noFields}</p>}
          {Object.entries(fields).map(([name, field], i) => isObject(field) && (
            <InputField key={i} name={name} field={field} required={required.includes(name)} onName={(to) => rename(name, to)}
              onRequired={(on) => put(fields, on ? [...required, name] : required.filter((r) => r !== name))}
              onChange={(next, key) => put({ ...fields, [name]: next }, required, key && `${name}/${key}`)}
              onRemove={() => put(setIn(fields, [name], undefined), required.filter((r) => r !== name))} />
          ))}
          {problems.map((p) => <p key={p.path + p.message} className="field-error">{p.message}</p>)}
        </>
      )}
      <div className="row">
        {!asJson && <button type="button" className="small" onClick={add} data-testid="add-input"><Icon name="plus" size={13} />{w.addField}</button>}
        <button type="button" className="small quiet" aria-pressed={asJson} onClick={() => setAsJson(!asJson)}>{w.json_}</button>
      </div>
    </fieldset>
  );
}

interface InputFieldProps {
  name: string;
  field: JsonObject;
  required: boolean;
  onName: (to: string) => void;
  onRequired: (on: boolean) => void;
  onChange: (field: JsonObject, key?: string) => void;
  onRemove: () => void;
}

function InputField({ name, field, required, onName, onRequired, onChange, onRemove }: InputFieldProps) {
  const w = useWords(words);
  const [wanted, setWanted] = useState<string>();
  const type = plainType(field);
  const texts: Record<Plain, string> = { text: w.tText, long: w.tLong, number: w.tNumber, integer: w.tInteger, boolean: w.tBoolean, choice: w.tChoice, array: w.tArray, object: w.tObject };
  const text = (member: string) => (value: string) => onChange(setIn(field, [member], value || undefined), member);
  const done = () => {
    if (wanted !== undefined) onName(wanted.trim());
    setWanted(undefined);
  };
  return (
    <details className="fold input-field">
      <summary><Icon name="chevron" size={13} /><code>{name}</code><span className="faint">{texts[type]}{required ? ` · ${w.fieldRequired}` : ""}</span></summary>
      <div className="fold-body">
        <div className="grid-2">
          <Field label={w.fieldName}>{(control) => <input {...control} className="code" value={wanted ?? name} onChange={(e) => setWanted(e.target.value)} onBlur={done} onKeyDown={(e) => { if (e.key === "Enter") done(); }} />}</Field>
          <SelectField label={w.fieldType} value={type} onChange={(t) => onChange(retyped(field, t as Plain))} options={PLAIN.map((t) => [t, texts[t]] as const)} />
        </div>
        <TextField label={w.fieldTitle} value={textOf(field.title)} onChange={text("title")} />
        <TextField label={w.fieldAbout} value={textOf(field.description)} onChange={text("description")} />
        {type === "choice" && <TextField label={w.choices} rows={3} value={Array.isArray(field.enum) ? field.enum.join("\n") : ""} onChange={(v) => onChange({ ...field, enum: v.split("\n") }, "enum")} />}
        {(type === "text" || type === "long" || type === "choice") && <TextField label={w.fieldDefault} value={textOf(field.default)} onChange={text("default")} />}
        {(type === "number" || type === "integer" || type === "boolean") && (
          <PropField path={`input_schema.properties.${name}.default`} name="default" label={w.fieldDefault} schema={{ type } as JsonSchema} value={field.default} problems={[]} onChange={(v) => onChange(setIn(field, ["default"], v), "default")} />
        )}
        <div className="row">
          <Check label={w.fieldRequired} checked={required} onChange={onRequired} />
          <button type="button" className="small quiet danger" aria-label={w.removeField(name)} onClick={onRemove}><Icon name="trash" size={13} /></button>
        </div>
      </div>
    </details>
  );
}
