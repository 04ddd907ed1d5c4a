// The input that each session gets: a form by the workflow's schema, else JSON.

import { useEffect, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import type { JsonObject, JsonSchema } from "@sluice/client";
import { api } from "@/client/http";
import { TextField } from "@/ui/kit/field";
import { fieldsOf, readForm, SchemaForm, valuesFrom, type FormErrors } from "@/ui/schema-form";
import { useWords } from "@/words/words";
import { objectOf } from "@/ui/json-text";
import { scheduleWords } from "./words";

interface Props {
  workflowId: string;
  input: JsonObject;
  /** Errors are shown at the fields from the first attempt to save. */
  error?: string;
  onChange: (input: JsonObject, complete: boolean) => void;
}

export function InputFields({ workflowId, ...rest }: Props) {
  const w = useWords(scheduleWords);
  const { data } = useQuery({ queryKey: ["workflows", workflowId], enabled: workflowId !== "", queryFn: ({ signal }) => api.workflow(workflowId, null, signal) });
  if (!workflowId) return null;
  const schema = fieldsOf(data?.input_schema).length > 0 ? data!.input_schema! : undefined;
  return (
    <fieldset className="plain stack input-fields">
      <legend>{w.input}</legend>
      {data && !schema && <p className="faint">{w.inputNone}</p>}
      {schema ? <BySchema key={workflowId} schema={schema} {...rest} /> : <AsJson {...rest} />}
    </fieldset>
  );
}

/** Text that is kept here between keystrokes begins anew when the value is another one than what came of it. */
function useOwn<T>(input: JsonObject, from: () => T): [T, (own: T, made: JsonObject) => void] {
  const [own, setOwn] = useState(from);
  const made = useRef(JSON.stringify(input));
  const told = JSON.stringify(input);
  useEffect(() => {
    if (told === made.current) return;
    made.current = told;
    setOwn(from());
    // `from` reads what `told` stands for.
  }, [told, from]);
  return [own, (next, result) => { made.current = JSON.stringify(result); setOwn(next); }];
}

function BySchema({ schema, input, error, onChange }: Omit<Props, "workflowId"> & { schema: JsonSchema }) {
  const [values, setValues] = useOwn(input, () => valuesFrom(schema, input));
  const read = readForm(schema, values);
  const complete = Object.keys(read.errors).length === 0;
  const told = useRef(onChange);
  told.current = onChange;
  // What is missing has to be known before anything was typed.
  useEffect(() => told.current(input, complete), [input, complete]);
  const errors: FormErrors = error ? read.errors : {};
  return <SchemaForm schema={schema} values={values} errors={errors} onChange={(v) => {
    const next = readForm(schema, v);
    setValues(v, next.data);
    onChange(next.data, Object.keys(next.errors).length === 0);
  }} />;
}

function AsJson({ input, onChange }: Omit<Props, "workflowId">) {
  const w = useWords(scheduleWords);
  const [text, setText] = useOwn(input, () => (Object.keys(input).length ? JSON.stringify(input, null, 2) : ""));
  const bad = objectOf(text) === undefined;
  return (
    <TextField label={w.inputJson} optional mono rows={4} value={text} error={bad ? w.jsonBad : undefined} testId="schedule-input" onChange={(next) => {
      const value = objectOf(next);
      setText(next, value ?? input);
      onChange(value ?? input, value !== undefined);
    }} />
  );
}
