// A form from a JSON Schema: the plain kinds as fields, anything deeper as JSON.

import { useId } from "react";
import type { Json, JsonObject, JsonSchema } from "@sluice/client";
import { words } from "./format";

/** What stands in the fields: text until it is sent. */
export type FormValues = Record<string, string | boolean>;

const typeOf = (schema: JsonSchema): string => {
  const type = Array.isArray(schema.type) ? schema.type.find((t) => t !== "null") : schema.type;
  if (type) return type;
  if (schema.properties) return "object";
  return schema.items ? "array" : "string";
};

export const fieldsOf = (schema: JsonSchema | null | undefined): [string, JsonSchema][] =>
  Object.entries(schema?.properties ?? {});

export function valuesFrom(schema: JsonSchema | null | undefined, input?: Json): FormValues {
  const given = input && typeof input === "object" && !Array.isArray(input) ? input : {};
  return Object.fromEntries(fieldsOf(schema).map(([name, field]) => {
    const value = given[name] ?? field.default;
    if (typeOf(field) === "boolean") return [name, value === true];
    if (value === undefined || value === null) return [name, ""];
    return [name, typeof value === "string" ? value : JSON.stringify(value)];
  }));
}

/** The values as JSON, and what is wrong with them by field. */
export function readForm(schema: JsonSchema | null | undefined, values: FormValues): { data: JsonObject; errors: Record<string, string> } {
  const data: JsonObject = {};
  const errors: Record<string, string> = {};
  for (const [name, field] of fieldsOf(schema)) {
    const raw = values[name];
    if (typeof raw === "boolean") {
      data[name] = raw;
      continue;
    }
    const text = raw ?? "";
    if (!text.trim()) {
      if (schema?.required?.includes(name)) errors[name] = "This is needed.";
      continue;
    }
    try {
      data[name] = readField(field, text);
    } catch (err) {
      errors[name] = (err as Error).message;
    }
  }
  return { data, errors };
}

function readField(field: JsonSchema, text: string): Json {
  if (field.enum) return field.enum.find((e) => String(e) === text) ?? text;
  switch (typeOf(field)) {
    case "number":
    case "integer": {
      const n = Number(text);
      if (!Number.isFinite(n)) throw new Error("This is not a number.");
      if (typeOf(field) === "integer" && !Number.isInteger(n)) throw new Error("This must be a whole number.");
      if (field.minimum !== undefined && n < field.minimum) throw new Error(`At least ${field.minimum}.`);
      if (field.maximum !== undefined && n > field.maximum) throw new Error(`At most ${field.maximum}.`);
      return n;
    }
    case "object":
    case "array":
      try {
        return JSON.parse(text) as Json;
      } catch {
        throw new Error("This is not valid JSON.");
      }
    default:
      if (field.minLength !== undefined && text.length < field.minLength) throw new Error(`At least ${field.minLength} characters.`);
      if (field.maxLength !== undefined && text.length > field.maxLength) throw new Error(`At most ${field.maxLength} characters.`);
      return text;
  }
}

interface Props {
  schema: JsonSchema;
  values: FormValues;
  errors: Record<string, string>;
  onChange: (values: FormValues) => void;
  disabled?: boolean;
}

export function SchemaForm({ schema, values, errors, onChange, disabled }: Props) {
  return (
    <>
      {fieldsOf(schema).map(([name, field]) => (
        <Field key={name} name={name} field={field} required={schema.required?.includes(name) ?? false}
          value={values[name] ?? ""} error={errors[name]} disabled={disabled}
          onChange={(value) => onChange({ ...values, [name]: value })} />
      ))}
    </>
  );
}

interface FieldProps {
  name: string;
  field: JsonSchema;
  required: boolean;
  value: string | boolean;
  error?: string;
  disabled?: boolean;
  onChange: (value: string | boolean) => void;
}

function Field({ name, field, required, value, error, disabled, onChange }: FieldProps) {
  const id = useId();
  const type = typeOf(field);
  const label = field.title ?? words(name);
  const described = [field.description && `${id}-about`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const common = { id, name, disabled, required, "aria-invalid": Boolean(error), "aria-describedby": described };
  const example = field.examples?.[0];
  const placeholder = example === undefined ? undefined : typeof example === "string" ? example : JSON.stringify(example);
  const text = String(value);

  if (type === "boolean") {
    return (
      <div className="field">
        <label className="check">
          <input type="checkbox" {...common} required={false} checked={value === true} onChange={(e) => onChange(e.target.checked)} />
          {label}
        </label>
        {field.description && <p className="about" id={`${id}-about`}>{field.description}</p>}
      </div>
    );
  }
  return (
    <div className="field">
      <label htmlFor={id}>{label}{!required && <span className="optional"> optional</span>}</label>
      {field.description && <p className="about" id={`${id}-about`}>{field.description}</p>}
      {field.enum ? (
        <select {...common} value={text} onChange={(e) => onChange(e.target.value)}>
          {!required && <option value="">—</option>}
          {required && !text && <option value="" disabled>Choose…</option>}
          {field.enum.map((e) => <option key={String(e)} value={String(e)}>{String(e)}</option>)}
        </select>
      ) : type === "number" || type === "integer" ? (
        <input {...common} type="number" inputMode="decimal" min={field.minimum} max={field.maximum}
          step={type === "integer" ? 1 : "any"} value={text} placeholder={placeholder} onChange={(e) => onChange(e.target.value)} />
      ) : type === "string" && (field.format || (field.maxLength ?? 999) <= 80) ? (
        <input {...common} type={field.format === "email" ? "email" : field.format === "uri" ? "url" : field.format === "date" ? "date" : "text"}
          value={text} placeholder={placeholder} onChange={(e) => onChange(e.target.value)} />
      ) : (
        <textarea {...common} className={type === "string" ? undefined : "code"} rows={type === "string" ? 2 : 4} value={text}
          placeholder={placeholder ?? (type === "array" ? "[ … ]" : type === "object" ? "{ … }" : undefined)}
          onChange={(e) => onChange(e.target.value)} onKeyDown={submitOnCtrlEnter} />
      )}
      {error && <p className="field-error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}

export function submitOnCtrlEnter(e: React.KeyboardEvent<HTMLTextAreaElement>) {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
    e.preventDefault();
    e.currentTarget.form?.requestSubmit();
  }
}
