// A form from a JSON Schema. What stands in the fields and how it is read: schema-values.ts.

import { useId, type ReactNode } from "react";
import type { Json, JsonSchema } from "@sluice/client";
import { common } from "@/words/common";
import { useWords, wordsNow } from "@/words/words";
import { words } from "./format";
import { Icon } from "./icons";
import { ChoiceInput, JsonInput, NumberInput, SeveralInput, TextInput } from "./schema-inputs";
import { ListField, MapField } from "./schema-lists";
import { shapeOf, variantName, type Shape } from "./schema-shape";
import { EXTRA, fieldsOf, isEmpty, isObject, join, jsonText, valueOf, type FormErrors, type FormValue, type FormValues } from "./schema-values";
import { formWords } from "./schema-words";
import "./schema-form.css";

export { fieldsOf, readForm, valuesFrom, type FormErrors, type FormValue, type FormValues, type ReadOptions } from "./schema-values";
export { submitOnCtrlEnter } from "./schema-inputs";

interface Props {
  schema: JsonSchema;
  values: FormValues;
  /** By the path of the field: "topic", "voices[0].name". */
  errors: FormErrors;
  onChange: (values: FormValues) => void;
  disabled?: boolean;
  /** Before the names of the fields, where several forms are on one page. */
  prefix?: string;
}

export function SchemaForm({ schema, values, errors, onChange, disabled, prefix = "" }: Props) {
  const top: FieldContext = { root: schema, errors, disabled, prefix };
  return <Members schema={shapeOf({ ...schema, type: "object" }, schema).schema} values={values} path="" onChange={onChange} context={top} />;
}

/** What is the same for all fields of a form. */
export interface FieldContext { root: JsonSchema; errors: FormErrors; disabled?: boolean; prefix: string }

export interface FieldProps {
  path: string;
  label: string;
  schema: JsonSchema | boolean;
  required: boolean;
  value: FormValue;
  onChange: (value: FormValue) => void;
  context: FieldContext;
  /** In a list: what can be done with the item. */
  actions?: ReactNode;
  /** The label is there for those who hear it. */
  bare?: boolean;
}

/** Goes to the first field that has an error. */
export function focusError(form: HTMLElement | null, errors: FormErrors): void {
  const at = (path: string) => form?.querySelector<HTMLElement>(`[data-path="${CSS.escape(path)}"]`);
  const elements = Object.keys(errors).flatMap((path) => at(path) ?? []);
  const first = elements.sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1))[0];
  for (let up = first?.closest("details"); up; up = up.parentElement?.closest("details")) up.open = true;
  const control = first?.matches("input,textarea,select") ? first : first?.querySelector<HTMLElement>("input,textarea,select,button");
  control?.focus();
}

function Members({ schema, values, path, onChange, context }: { schema: JsonSchema; values: FormValues; path: string; onChange: (values: FormValues) => void; context: FieldContext }) {
  const w = useWords(formWords);
  const extra = values[EXTRA];
  return (
    <>
      {fieldsOf(schema).map(([name, field]) => (
        <SchemaField key={name} path={join(path, name)} label={labelOf(field, name, context.root)} schema={field} required={schema.required?.includes(name) ?? false}
          value={values[name] ?? ""} onChange={(value) => onChange({ ...values, [name]: value })} context={context} />
      ))}
      {typeof extra === "string" && (
        <SchemaField path={join(path, EXTRA)} label={w.more} schema={{ type: "object" }} required={false} value={extra}
          onChange={(value) => onChange({ ...values, [EXTRA]: value })} context={context} />
      )}
    </>
  );
}

const labelOf = (field: JsonSchema, name: string, root: JsonSchema) => shapeOf(field, root).schema.title ?? words(name);

/** One field, of whatever kind. */
export function SchemaField(props: FieldProps) {
  const shape = shapeOf(props.schema, props.context.root);
  switch (shape.kind) {
    case "fixed": return <Flag {...props} shape={shape} on={!isEmpty(props.value) || props.required} locked={props.required} tell={(on) => props.onChange(on ? "set" : "")} />;
    case "flag": return <Flag {...props} shape={shape} on={props.value === true} tell={props.onChange} />;
    case "object": return <ObjectField {...props} shape={shape} />;
    case "list": return <ListField {...props} items={shape.items} about={shape.schema.description} />;
    case "map": return <MapField {...props} items={shape.items} about={shape.schema.description} />;
    case "variants": return <VariantField {...props} shape={shape} />;
    default: return <PlainField {...props} shape={shape} />;
  }
}

type Shaped<K extends Shape["kind"]> = FieldProps & { shape: Extract<Shape, { kind: K }> };

function Flag({ path, label, shape, on, locked, tell, context, actions }: FieldProps & { shape: Shape; on: boolean; locked?: boolean; tell: (on: boolean) => void }) {
  const id = useId();
  const { description } = shape.schema;
  return (
    <div className="field">
      <span className="schema-row">
        <label className="check">
          <input type="checkbox" name={context.prefix + path} data-path={path} checked={on} disabled={context.disabled || locked}
            aria-describedby={description ? `${id}-about` : undefined} onChange={(e) => tell(e.target.checked)} />
          {label}
        </label>
        {actions}
      </span>
      {description && <p className="about" id={`${id}-about`}>{description}</p>}
    </div>
  );
}

export interface Told { id: string; "aria-describedby"?: string; "aria-invalid"?: true }

/** A label, what it is about, the control, and what is wrong with it. */
export function Labelled({ label, about, path, required, error, actions, bare, children }: {
  label: string; about?: string; path: string; required: boolean; error?: string; actions?: ReactNode; bare?: boolean; children: (told: Told) => ReactNode;
}) {
  const c = useWords(common);
  const id = useId();
  const told = [about && `${id}-about`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className="field" data-field={path}>
      <label htmlFor={id} className={bare ? "sr" : undefined}>{label}{!required && <span className="optional"> {c.optional}</span>}</label>
      {about && <p className="about" id={`${id}-about`}>{about}</p>}
      <div className="schema-row">
        {children({ id, ...(told ? { "aria-describedby": told } : {}), ...(error ? { "aria-invalid": true } : {}) })}
        {actions}
      </div>
      {error && <p className="field-error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}

const example = (schema: JsonSchema): string | undefined => {
  const given: Json | undefined = schema.examples?.[0];
  if (given !== undefined) return typeof given === "string" ? given : jsonText(given);
  if (schema.default === undefined || schema.default === null) return undefined;
  return wordsNow(formWords).usual(typeof schema.default === "string" ? schema.default : jsonText(schema.default));
};

function PlainField({ path, label, shape, required, value, onChange, context, actions, bare }: FieldProps & { shape: Shape }) {
  const { schema } = shape;
  const input = { name: context.prefix + path, "data-path": path, disabled: context.disabled, placeholder: example(schema) };
  if (shape.kind === "several") {
    return <SeveralInput label={label} about={schema.description} error={context.errors[path]} required={required} choices={shape.choices}
      value={Array.isArray(value) ? value.map(String) : []} onChange={onChange} path={path} disabled={context.disabled} />;
  }
  const text = String(value);
  return (
    <Labelled label={label} about={schema.description} path={path} required={required} error={context.errors[path]} actions={actions} bare={bare}>
      {(told) => {
        const rest = { ...input, ...told, required, value: text, onChange };
        switch (shape.kind) {
          case "choice": return <ChoiceInput {...rest} choices={shape.choices} />;
          case "number": return <NumberInput {...rest} schema={schema} />;
          case "json": return <JsonInput {...rest} schema={schema} />;
          case "any": return <TextInput {...rest} schema={{ ...schema, "x-multiline": schema["x-multiline"] ?? true }} />;
          default: return <TextInput {...rest} schema={schema} />;
        }
      }}
    </Labelled>
  );
}

function ObjectField({ path, label, shape, required, value, onChange, context, actions }: Shaped<"object">) {
  const w = useWords(formWords);
  const c = useWords(common);
  const set = isObject(value);
  const members = set ? (value as FormValues) : blank(shape.schema, context);
  const about = shape.schema.description;
  const body = (
    <div className="schema-members">
      {about && <p className="about">{about}</p>}
      <Members schema={shape.schema} values={members} path={path} onChange={onChange} context={context} />
      {!required && set && !actions && <button type="button" className="small quiet schema-clear" disabled={context.disabled} onClick={() => onChange("")}>{w.clear}</button>}
    </div>
  );
  const title = <>{label}{!required && <span className="optional"> {c.optional}</span>}</>;
  const error = context.errors[path] && <p className="field-error">{context.errors[path]}</p>;
  if (required) return <fieldset className="schema-group" data-path={path}><legend><span>{title}</span>{actions}</legend>{body}{error}</fieldset>;
  const wrong = Object.keys(context.errors).some((e) => e.startsWith(`${path}.`) || e.startsWith(`${path}[`));
  return (
    <details className="schema-group" data-path={path} open={set || wrong || undefined}>
      <summary><Icon name="chevron" size={13} />{title}</summary>{body}{error}
    </details>
  );
}

const blank = (schema: JsonSchema, context: FieldContext): FormValues => {
  const value = valueOf({ ...schema, $ref: undefined }, {}, true, { root: context.root, defaults: false });
  return isObject(value) ? (value as FormValues) : {};
};

function VariantField({ path, label, shape, required, value, onChange, context, actions }: Shaped<"variants">) {
  const w = useWords(formWords);
  const { variant = "", value: inner = "" } = isObject(value) ? (value as { variant?: FormValue; value?: FormValue }) : {};
  const chosen = variant === "" ? undefined : shape.variants[Number(variant)];
  const choose = (to: string) => {
    const next = shape.variants[Number(to)];
    onChange(to === "" || !next ? "" : { variant: to, value: valueOf(next, undefined, true, { root: context.root, defaults: true }, 1) });
  };
  return (
    <div className="schema-variants">
      <Labelled label={label} about={shape.schema.description} path={path} required={required} error={context.errors[path] && !chosen ? context.errors[path] : undefined} actions={actions}>
        {(told) => (
          <select {...told} data-path={chosen ? undefined : path} name={`${context.prefix}${path}#`} value={String(variant)} disabled={context.disabled} onChange={(e) => choose(e.target.value)}>
            <option value="" disabled={required}>{required ? w.choose : "—"}</option>
            {shape.variants.map((v, i) => <option key={i} value={String(i)}>{variantName(v, context.root)}</option>)}
          </select>
        )}
      </Labelled>
      {chosen && <SchemaField path={path} label={variantName(chosen, context.root)} schema={chosen} required bare value={inner} context={context}
        onChange={(next) => onChange({ variant, value: next })} />}
    </div>
  );
}
