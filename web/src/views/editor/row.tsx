// The frame of a property: its label, what it is for, and what the server says about it.

import type { ReactNode } from "react";
import type { Json, JsonSchema } from "@sluice/client";
import type { Problem } from "./checks";

export interface FieldProps {
  /** Where it stands in the node: "properties.prompt". */
  path: string;
  name: string;
  label: string;
  about?: string;
  schema: JsonSchema;
  value: Json | undefined;
  onChange: (value: Json | undefined) => void;
  problems: readonly Problem[];
  self?: string;
}

export function Row({ path, label, about, problems, tools, children }: {
  path: string; label: string; about?: string; problems: readonly Problem[]; tools?: ReactNode; children: (control: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}) {
  const id = `f-${path.replace(/[^\w-]/g, "_")}`;
  const bad = problems.some((p) => p.severity === "error");
  const told = [about && `${id}-about`, problems.length > 0 && `${id}-problems`].filter(Boolean).join(" ");
  return (
    <div className="field prop" data-field={path} data-severity={problems.length ? (bad ? "error" : "warning") : undefined}>
      <div className="prop-head"><label htmlFor={id}>{label}</label>{tools}</div>
      {children({ id, ...(told && { "aria-describedby": told }), ...(bad && { "aria-invalid": true as const }) })}
      {about && <p className="about" id={`${id}-about`}>{about}</p>}
      {problems.length > 0 && <div id={`${id}-problems`}>{problems.map((p) => <p key={p.path + p.message} className={p.severity === "error" ? "field-error" : "field-warning"}>{p.message}</p>)}</div>}
    </div>
  );
}
